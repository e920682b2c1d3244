"""Elastic cells that carry their exact answer, for tests, benchmarks and `scalebridge check` alike.

Stiffnesses are in Mandel notation (11, 22, 33, 23, 13, 12).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from scalebridge.cells.elastic_job import Scheme
from scalebridge.cells.expansion import effective_expansion
from scalebridge.cells.stiffness import effective_stiffness
from scalebridge.core.errors import InputError
from scalebridge.grids.composite import CompositeImage
from scalebridge.grids.image import VoxelImage

_ROUNDING = 1e-11  # relative; allowed where the voxels represent the exact field
_SHARP = {"rtol": 1e-13, "residual_rtol": 1e-10}  # of the solver, where only rounding may be left
_LOOSE = {"rtol": 1e-8, "residual_rtol": 1e-5}  # far below what the voxels leave
VOLUME = np.r_[1.0, 1.0, 1.0, 0.0, 0.0, 0.0]
"""A unit dilatation along each axis, Mandel."""
_PLANE = [0, 1, 5]  # 11, 22, 12

Image = VoxelImage | CompositeImage
Material = Mapping[str, Any]
Exact = Callable[[Image, np.ndarray], Mapping[str, Any]]
"""Takes the image and the stiffness that was found, of which Levin's relation makes the expansion."""

MEASURES: dict[str, Callable[[np.ndarray], Any]] = {
    "stiffness": lambda c: c,
    "bulk modulus": lambda c: VOLUME @ c @ VOLUME / 9,
    "plane-strain stiffness": lambda c: c[np.ix_(_PLANE, _PLANE)],
    "tetragonal shear modulus": lambda c: (c[0, 0] - c[0, 1]) / 2,
    "diagonal shear modulus": lambda c: c[3, 3] / 2,
}
"""What can be taken from a stiffness: all of it, or the part that is known exactly."""


@dataclass(frozen=True)
class ElasticProblem:
    """A periodic elastic cell with what is known exactly of its effective behaviour.

    Args:
        name: what it is, in a few words.
        image: makes the image with so many voxels along an axis.
        phases: constants of the materials by label, in SI.
        exact: makes the exact values by the names in `MEASURES`, and "expansion".
        source: author and year of the exact answer.
        cells: voxels along an axis at which a check looks.
        order: order of convergence: the relative error falls as cells**-order.
        constants: by scheme, what the relative error times cells**order does not exceed from `cells` on; None
            where the voxels represent the exact field, so that there is no error but rounding.
        composite: makes the same as a composite image, or None.
        limits: what of the problem itself is not exact, in a sentence; empty if nothing.
    """

    name: str
    image: Callable[[int], VoxelImage]
    phases: Mapping[int, Material]
    exact: Exact
    source: str
    cells: int = 16
    order: float = 0.0
    constants: Mapping[str, float] | None = None
    composite: Callable[[int], CompositeImage] | None = None
    limits: str = ""

    @property
    def expands(self) -> bool:
        """Whether an expansion is part of the problem."""
        return any(key.startswith("expansion") for material in self.phases.values() for key in material)

    def build(self, cells: int | None = None) -> tuple[VoxelImage, dict[int, Material]]:
        """Make the image and its phases.

        Args:
            cells: voxels along an axis; those of the problem unless given.
        """
        return self.image(cells or self.cells), dict(self.phases)

    def tolerance(self, scheme: str, cells: int | None = None) -> float:
        """Return the relative error that a scheme is allowed with so many voxels along an axis."""
        if self.constants is None:
            return _ROUNDING
        return self.constants[scheme] * (cells or self.cells) ** -self.order


@dataclass(frozen=True)
class ElasticVerdict:
    """An elastic problem solved by a scheme, held against its exact answer.

    Args:
        problem: the problem.
        scheme: the integration.
        cells: voxels along an axis.
        values: what was found, by name.
        exact: what is exact, by name.
        errors: largest difference by name, with its sign, relative to the largest exact component.
        tolerance: what is allowed.
    """

    problem: ElasticProblem
    scheme: str
    cells: int
    values: Mapping[str, Any]
    exact: Mapping[str, Any]
    errors: Mapping[str, float]
    tolerance: float

    @property
    def error(self) -> float:
        """The largest of the errors, with its sign."""
        return max(self.errors.values(), key=abs)

    @property
    def passed(self) -> bool:
        """Whether all errors are within the tolerance."""
        return abs(self.error) <= self.tolerance


def examine_elastic(
    problem: ElasticProblem,
    scheme: Scheme = "hexahedra",
    cells: int | None = None,
    *,
    image: Image | None = None,
) -> ElasticVerdict:
    """Solve an elastic problem and hold the answer against the exact one.

    Args:
        problem: the problem.
        scheme: "hexahedra", "b-bar" or "reduced", of those that the problem has a tolerance for.
        cells: voxels along an axis; those of the problem unless given.
        image: another image of the same problem, such as `problem.composite(32)`.

    Raises:
        InputError: a scheme that the problem does not name.

    Cost: that of `effective_stiffness`.

    Example:
        >>> from scalebridge.cells.elastic_exact import elastic_problems
        >>> wall = next(p for p in elastic_problems() if p.name == "layers across x")
        >>> examine_elastic(wall, cells=4).passed
        True
    """
    known = ("hexahedra", "b-bar", "reduced") if problem.constants is None else tuple(problem.constants)
    if scheme not in known:
        raise InputError("scheme", got=repr(scheme), wanted=" or ".join(map(repr, known)), cure="choose one")
    used, phases = problem.build(cells)
    solved_on: Image = used if image is None else image
    verb = effective_expansion if problem.expands else effective_stiffness
    settings = _SHARP if problem.constants is None else _LOOSE
    found = verb(
        solved_on,
        phases,
        scheme=scheme,
        budget="none",
        progress=False,
        rtol=settings["rtol"],
        residual_rtol=settings["residual_rtol"],
    )
    stiffness = np.asarray(found.stats["stiffness"]) if problem.expands else found.value
    exact = problem.exact(solved_on, stiffness)
    values = {name: found.value if name == "expansion" else MEASURES[name](stiffness) for name in exact}
    return ElasticVerdict(
        problem,
        scheme,
        solved_on.shape[0],
        values,
        exact,
        {name: _error(values[name], exact[name]) for name in exact},
        problem.tolerance(scheme, solved_on.shape[0]),
    )


def _error(found: Any, exact: Any) -> float:
    difference = np.asarray(found - np.asarray(exact)) / np.abs(exact).max()
    return float(difference.flat[np.argmax(np.abs(difference))])
