"""Critical layers with analytic answers, and what is asked of each: for tests, pages and benchmarks alike."""

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np

from scalebridge.reactor.layered_transport import Geometry, LayeredSolution, solve_layers
from scalebridge.reactor.materials import MultigroupMaterial, multigroup_material

_KINDS: dict[str, Geometry] = {"CY": "cylinder", "SP": "sphere"}  # all others are slabs
_ALLOWED = {"infinite": 3.0, "slab": 15.0, "cylinder": 50.0, "sphere": 50.0}
# The published k of this medium is not the eigenvalue of its published cross-sections, which is this.
_MISPRINTED = {"UD2O-2-0-IN": 1.0001963449653002, "UD2O-2-1-IN": 1.0001963449653002}
_ENDLESS = 25.0  # cm of an infinite reflector: ten diffusion lengths of water


@dataclass(frozen=True, eq=False)
class LayerProblem:
    """A case of the analytic benchmark.

    Args:
        name: as published: fuel, reflector with its thickness, groups, order of scattering, geometry.
        geometry: "infinite", "slab", "cylinder" or "sphere".
        thicknesses: of layers, cm; empty in an infinite medium.
        layers: material of each.
        materials: by name.
        inner: boundary of a slab's left face.
        outer: of the right or outer face.
        k: the analytic answer.
        published: k as it was published.
        allowed: error that is asked for, pcm.
    """

    name: str
    geometry: str
    thicknesses: tuple[float, ...]
    layers: tuple[str, ...]
    materials: dict[str, MultigroupMaterial]
    inner: str
    outer: str
    k: float
    published: float
    allowed: float

    def solve(self, **options: Any) -> LayeredSolution:
        """Solve it by `solve_layers`; the options are its own. An infinite medium has no layers to solve."""
        geometry: Any = self.geometry
        return solve_layers(
            geometry, self.thicknesses, self.layers, self.materials, inner=self.inner, outer=self.outer,
            **options,
        )  # fmt: skip

    def error(self, **options: Any) -> float:
        """Return the error of k, pcm."""
        if self.geometry == "infinite":
            return (self.materials[self.layers[0]].infinite_multiplication() - self.k) * 1e5
        return (self.solve(**options).multiplication - self.k) * 1e5


@cache
def critical_layers() -> dict[str, LayerProblem]:
    """Return the 75 cases of the analytic benchmark by name: infinite media first, then slabs, then curved.

    Source: A. Sood, R. A. Forster, D. K. Parsons (2003), Prog. Nucl. Energy 42, 55; transcribed by
        mit-crpg/benchmarks (MIT).

    Example:
        >>> problem = critical_layers()["PUb-1-0-SL"]
        >>> abs(problem.error(cells=30, directions=16)) < problem.allowed
        True
    """
    file = files("scalebridge.reactor").joinpath("layer_problems.json")
    data = json.loads(file.read_text(encoding="utf-8"))
    found = [_problem(case, data["materials"]) for case in data["cases"]]
    return {p.name: p for p in sorted(found, key=lambda p: list(_ALLOWED).index(p.geometry))}


def _problem(case: dict[str, Any], known: dict[str, Any]) -> LayerProblem:
    kind, name = case["geometry"], case["name"]
    geometry = "infinite" if kind == "IN" else _KINDS.get(kind, "slab")
    return LayerProblem(
        name=name,
        geometry=geometry,
        thicknesses=() if kind == "IN" else _thicknesses(kind, case["outer_radii_or_half_thickness_cm"]),
        layers=tuple(case["materials"]),
        materials={key: _material(key, known[key], case["scatter_order"]) for key in case["materials"]},
        inner="vacuum" if kind in ("SL-NS", "FENA") else "reflective",
        outer="reflective" if kind == "ISLC" else "vacuum",
        k=_MISPRINTED[name] if name in _MISPRINTED else case["k_ref"],
        published=case["k_ref"],
        allowed=_ALLOWED[geometry],
    )


def _thicknesses(kind: str, outer: list[float]) -> tuple[float, ...]:
    """Of layers from the left face: half of what is symmetric; all of it beside a reflector on one side."""
    known = np.minimum(outer, outer[0] + _ENDLESS) if outer[-1] > 1e10 else np.array(outer)
    layers = np.diff(known, prepend=0.0)
    layers[0] *= 2.0 if kind == "SL-NS" else 1.0
    return tuple(layers.tolist())


def _material(name: str, data: dict[str, Any], order: int) -> MultigroupMaterial:
    numbers = {key: data[key] for key in ("total", "absorption", "fission", "nu_fission", "chi")}
    return multigroup_material(name, scatter=data["scatter_legendre"][: order + 1], **numbers)
