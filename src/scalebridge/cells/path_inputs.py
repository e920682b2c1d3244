"""What is passed for a path of loads, read and refused before long work."""

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

from scalebridge.core.errors import InputError, PhaseError
from scalebridge.engine.memory import refuse_too_large
from scalebridge.grids.image import VoxelImage
from scalebridge.laws.elastic import IsotropicElastic
from scalebridge.laws.path_law import PathLaw

LARGEST_STRAIN = 0.2
"""Of what small strain means anything for."""


def parse_laws(laws: Any, image: VoxelImage) -> list[PathLaw]:
    """Return the law of every phase of an image, in the order of its labels.

    Args:
        laws: laws by label, "*" for the others, "void" for a pore.
        image: the image.
    """
    if not isinstance(laws, Mapping) or not laws:
        raise PhaseError(
            "laws", got=type(laws).__name__, wanted="laws by label", cure="pass {0: law, 1: law}"
        )
    absent = [label for label in laws if label != "*" and label not in image.phases]
    if absent:
        raise PhaseError(
            "laws",
            got=f"a law of label {absent[0]!r}",
            wanted=f"labels of the image: {', '.join(map(str, image.phases))}",
            cure="leave it out, or look at image.phases",
        )
    found = [_law(label, laws, image) for label in image.phases]
    solid = [law for law in found if law is not None]
    if not solid:
        raise PhaseError("laws", got="nothing but voids", wanted="a solid phase", cure="pass a law")
    if len({law.finite for law in solid}) > 1:
        raise PhaseError(
            "laws",
            got="laws of small and of finite strain",
            wanted="all of one kind",
            cure="choose finite-strain laws for all phases, or small-strain laws for all",
        )
    if solid[0].finite and len(solid) < len(found):
        raise PhaseError(
            "laws",
            got='"void" with finite strain',
            wanted="a soft law",
            cure="give the pore a soft neo-Hookean law",
        )
    return [IsotropicElastic(0.0, 0.0) if law is None else law for law in found]


def _law(label: int, laws: Mapping[Any, Any], image: VoxelImage) -> PathLaw | None:
    if label not in laws and "*" not in laws:
        raise PhaseError(
            "laws",
            got=f"none for label {label} ({image.name(label)})",
            wanted="a law for every label of the image",
            cure=f'add {label}: law, or "*" for all labels not named',
        )
    law = laws.get(label, laws.get("*"))
    if isinstance(law, str) and law == "void":
        return None
    if not isinstance(law, PathLaw):
        raise PhaseError(
            "laws",
            got=f"{type(law).__name__} for label {label}",
            wanted='a law with memory (a PathLaw), or "void"',
            cure="pass a law, such as one that constitutive_law makes",
        )
    wrong = [leaf for leaf in jax.tree_util.tree_leaves(law) if not np.all(np.isfinite(np.asarray(leaf)))]
    if wrong:
        raise PhaseError(
            "laws",
            got=f"a parameter of label {label} that is not finite",
            wanted="numbers",
            cure="look at the law",
        )
    return law


def parse_path(path: Any, finite: bool) -> np.ndarray:
    """Return a path as (steps, 6) or (steps, 9)."""
    size = 9 if finite else 6
    wanted = (
        "(steps, 9) or (steps, 3, 3) of deformation gradients" if finite else "(steps, 6) of Mandel strains"
    )
    try:
        found = np.asarray(path, float)
    except (TypeError, ValueError) as error:
        raise InputError(
            "path", got=repr(path)[:60], wanted=wanted, cure="pass an array of numbers"
        ) from error
    shape = found.shape
    if finite and found.ndim == 3 and shape[1:] == (3, 3):
        found = found.reshape(len(found), 9)
    if found.ndim != 2 or found.shape[1] != size or len(found) == 0:
        raise InputError("path", got=f"an array of shape {shape}", wanted=wanted, cure="one row a step")
    if not np.all(np.isfinite(found)):
        step = int(np.argmin(np.isfinite(found).all(axis=1)))
        raise InputError(
            "path",
            got=f"a number that is not finite at step {step + 1}",
            wanted="finite numbers",
            cure="remove it",
        )
    return found


def refuse_loads(path: np.ndarray, mask: np.ndarray, finite: bool) -> None:
    """Refuse gradients that turn the cell inside out, and small strains that are not small."""
    if finite:
        if not mask.any():
            volumes = np.linalg.det(path.reshape(-1, 3, 3))
            step = int(np.argmin(volumes))
            if volumes[step] <= 0:
                raise InputError(
                    "path",
                    got=f"a gradient of determinant {volumes[step]:.3g} at step {step + 1}",
                    wanted="determinants above 0",
                    cure="pass deformation gradients, which are the unit matrix at rest",
                )
        return
    large = np.abs(path[:, ~mask]).max(initial=0.0)
    if large > LARGEST_STRAIN:
        raise InputError(
            "path",
            got=f"a strain of {large:.3g}",
            wanted=f"strains below {LARGEST_STRAIN}, where small strain means anything",
            cure="pass strains as numbers, not in per cent, or laws of finite strain",
        )


def parse_times(times: Any, steps: int, laws: list[PathLaw]) -> np.ndarray:
    """Return the end of every step, s; zeros where no time passes."""
    if times is None:
        rated = [type(law).__name__ for law in laws if _depends_on_time(law)]
        if rated:
            raise InputError(
                "times",
                got="none",
                wanted=f"the end of every step, s, on which {rated[0]} depends",
                cure="pass times=[1.0, 2.0, ...]",
            )
        return np.zeros(steps)
    found = np.asarray(times, float)
    if found.shape != (steps,) or not np.all(np.isfinite(found)) or np.any(np.diff(found, prepend=0.0) <= 0):
        raise InputError(
            "times",
            got=f"{np.size(found)} numbers" if found.shape != (steps,) else "times that do not rise from 0",
            wanted=f"{steps} times, one a step, rising from above 0",
            cure="pass the end of every step, s",
        )
    return found


def _depends_on_time(law: PathLaw) -> bool:
    """Whether a law's fields name a time."""
    names = {one.name for one in dataclasses.fields(law)}
    return bool(names & {"time", "times", "relaxation_times", "viscosity"})


def refuse_memory(shape: tuple[int, ...], laws: list[PathLaw], limit: float | None) -> None:
    """Refuse a job that does not fit into memory."""
    size = 9 if laws[0].finite else 6
    compact = all(law.compact for law in laws)
    numbers = 8 if compact else size * (size + 1) // 2 if all(law.symmetric for law in laws) else size * size
    state = max(sum(int(np.prod(s.shape)) for s in law.state_specs().values()) for law in laws)
    needed = 8.0 * math.prod(shape) * (8 * (1.5 * numbers + 6 * size + 4 * state) + 60)
    refuse_too_large(needed, "image", limit)


def described_laws(laws: list[PathLaw], image: VoxelImage) -> dict[str, dict[str, Any]]:
    """Return what a reader wants to see of the phases, by "phase LABEL"."""
    found = {}
    for law, label in zip(laws, image.phases, strict=True):
        found[f"phase {label}"] = {
            "value": _numbers(law),
            "unit": "SI",
            "law": type(law).__name__,
            "name": image.name(label),
            "fraction": image.fractions[label],
        }
    return found


def _numbers(law: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for one in dataclasses.fields(law):
        value = getattr(law, one.name)
        if dataclasses.is_dataclass(value):
            found |= {f"{type(value).__name__} {name}": number for name, number in _numbers(value).items()}
        elif np.size(np.asarray(value)) == 1:
            found[one.name.replace("_", " ")] = float(np.asarray(value))
        else:
            found[one.name.replace("_", " ")] = np.asarray(value).tolist()
    return found
