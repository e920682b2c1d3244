"""The periodic box of a generated image: how many voxels it has, and how large they are."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from scalebridge.core.errors import ImageError

_AGREEMENT = 1e-9  # relative; voxel sizes typed with nine digits are taken as they are


def cell_shape(cells: int | Sequence[int], dim: int) -> tuple[int, ...]:
    """Return the number of voxels along each axis, from one number or one for each axis.

    Raises:
        ImageError: not whole numbers, fewer than 2 along an axis, or not one for each of `dim` axes.

    Example:
        >>> cell_shape(8, 2), cell_shape((8, 4, 2), 3)
        ((8, 8), (8, 4, 2))
    """
    given: Any = (cells,) * dim if np.ndim(cells) == 0 else tuple(cells)  # type: ignore[arg-type]
    whole = all(isinstance(n, int | np.integer) and not isinstance(n, bool) and n >= 2 for n in given)
    if not whole or len(given) != dim:
        raise ImageError(
            "cells",
            got=repr(cells),
            wanted=f"a whole number of voxels of at least 2, or {dim} of them",
            cure=f"write for example cells=64 or cells={(64,) * dim}",
        )
    return tuple(int(n) for n in given)


def box_voxel(
    voxel: float | Sequence[float] | None,
    shape: tuple[int, ...],
    ratio: Sequence[float | None] | None = None,
) -> tuple[float, ...] | None:
    """Return the voxel's edges that give the box of `shape` voxels the edge ratio it must have.

    Args:
        voxel: one length in metres, the edge along x, from which the others follow; or one for each axis; or
            None, which is only possible when squares or cubes give the ratio.
        shape: number of voxels along each axis.
        ratio: the box's edges relative to each other, such as (1, sqrt(3)). None for an axis (or for
            all) that is free: its voxel edge equals the one along x.

    Raises:
        ImageError: the voxels do not give the ratio.

    Example:
        >>> box_voxel(2.0, (4, 8), (1, 1))
        (2.0, 1.0)
    """
    free = ratio or (None,) * len(shape)
    first = shape[0] / (free[0] or 1.0)
    needed = [1.0 if edge is None else edge * first / n for edge, n in zip(free, shape, strict=True)]
    if voxel is None:
        if all(math.isclose(edge, 1.0, rel_tol=_AGREEMENT) for edge in needed):
            return None
        _refuse(
            voxel, needed, f"shape {shape} needs voxels that are not cubes: pass their edge along x in metres"
        )
    given = np.atleast_1d(np.asarray(voxel, dtype=float)) if not isinstance(voxel, str) else np.zeros(1)
    if not np.all((given > 0) & np.isfinite(given)) or given.size not in (1, len(shape)):
        _refuse(voxel, needed, "pass a positive length in metres")
    if given.size == 1:
        return tuple(float(given[0]) * edge for edge in needed)
    fixed = [at for at, edge in enumerate(free) if edge is not None]
    if not all(math.isclose(given[at], given[0] * needed[at], rel_tol=_AGREEMENT) for at in fixed):
        _refuse(voxel, needed, "pass only the edge along x, from which the others follow")
    return tuple(given.tolist())


def box_edges(shape: tuple[int, ...], voxel: tuple[float, ...] | None) -> np.ndarray:
    """Return the box's edges in units of its edge along x, shape (dim,).

    Example:
        >>> box_edges((4, 2), None).tolist()
        [1.0, 0.5]
    """
    edges = np.array(shape, dtype=float) * (np.ones(len(shape)) if voxel is None else np.array(voxel))
    return edges / edges[0]


def checked_fraction(value: float, argument: str, limit: float, why: str) -> float:
    """Return a fraction in (0, limit], or refuse it and say what sets the limit.

    Raises:
        ImageError: not a number, not positive, or above the limit by more than rounding.

    Example:
        >>> checked_fraction(0.5, "fraction", 0.5236, "spheres of a simple cubic lattice touch")
        0.5
    """
    if isinstance(value, int | float | np.number) and 0 < value <= limit * (1 + 1e-12):
        return float(value)
    raise ImageError(
        argument,
        got=repr(value),
        wanted=f"a number above 0 and at most {limit:.6g}, where {why}",
        cure="lower it",
    )


def checked_seed(seed: int) -> int:
    """Return a seed that makes the image reproducible, or refuse it.

    Raises:
        ImageError: not a whole number of at least 0.
    """
    if isinstance(seed, int | np.integer) and not isinstance(seed, bool) and seed >= 0:
        return int(seed)
    cure = "write for example seed=0, and keep it with the result"
    raise ImageError("seed", got=repr(seed), wanted="a whole number of at least 0", cure=cure)


def _refuse(voxel: object, needed: list[float], cure: str) -> None:
    along = " : ".join(f"{edge:.10g}" for edge in needed)
    raise ImageError("voxel", got=repr(voxel), wanted=f"voxel edges in the ratio {along}", cure=cure)
