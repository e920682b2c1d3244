"""Random orientations of particles: isotropic, aligned, planar, or spread about a direction."""

import math
from collections.abc import Sequence

import numpy as np

from scalebridge.core.errors import ImageError

Orientation = str | float
"""How axes are spread; see `draw_axes`."""

_KINDS = ("isotropic", "aligned", "planar")


def draw_axes(
    count: int,
    dim: int,
    orientation: Orientation,
    direction: Sequence[float] | None,
    rng: np.random.Generator,
) -> np.ndarray:
    """Draw the axes of particles.

    Args:
        count: how many particles.
        dim: 2 or 3.
        orientation: of the first axis. "isotropic": all directions equally likely. "aligned": along the
            direction. "planar" (in space): in the plane across the direction, all angles equally likely. A
            number kappa > 0: von Mises-Fisher about the direction, density ~ exp(kappa cos(angle)), in the
            plane von Mises. Unless aligned, the particle is turned about its first axis at random.
        direction: its length does not matter; the x axis unless given.
        rng: the source of randomness.

    Returns:
        shape (count, dim, dim): rotations whose rows are the particle's own axes.

    Raises:
        ImageError: an unknown orientation, a concentration that is not positive, or no direction.

    Source: R. A. Fisher (1953), Proc. R. Soc. A 217, 295, doi:10.1098/rspa.1953.0064, whose distribution
        function is inverted.

    Example:
        >>> draw_axes(1, 2, "aligned", (0, 2), np.random.default_rng(0)).tolist()
        [[[0.0, 1.0], [-1.0, 0.0]]]
    """
    kappa = _checked_kind(orientation, dim)
    towards = _checked_direction(direction, dim)
    frame = _frame(towards[None])
    if orientation == "aligned":
        return np.repeat(frame, count, axis=0)
    if dim == 2:
        angle = rng.vonmises(0, kappa, count) if kappa else rng.uniform(0, 2 * np.pi, count)
        local = np.stack([np.cos(angle), np.sin(angle)], -1)
        return _frame(local @ frame[0])
    azimuth = rng.uniform(0, 2 * np.pi, count)
    cosine = np.zeros(count) if orientation == "planar" else _cosines(rng.random(count), kappa)
    sine = np.sqrt(np.maximum(1 - cosine**2, 0))
    local = np.stack([cosine, sine * np.cos(azimuth), sine * np.sin(azimuth)], -1)
    return _spun(_frame(local @ frame[0]), rng.uniform(0, 2 * np.pi, count))


def unit_direction(direction: Sequence[float] | None, dim: int) -> np.ndarray:
    """Return a direction as a unit vector, the x axis for None, or refuse it.

    Raises:
        ImageError: not `dim` finite numbers, or all of them zero.
    """
    return _checked_direction(direction, dim)


def _cosines(uniform: np.ndarray, kappa: float) -> np.ndarray:
    """Invert the distribution function of the cosine, of density ~ exp(kappa w) on [-1, 1]."""
    if not kappa:
        return 2 * uniform - 1
    return np.clip(1 + np.log(uniform + (1 - uniform) * math.exp(-2 * kappa)) / kappa, -1, 1)


def _frame(first: np.ndarray) -> np.ndarray:
    """Complete unit vectors (count, dim) to right-handed frames, by the smallest turn from the x axis."""
    count, dim = first.shape
    if dim == 2:
        return np.stack([first, np.stack([-first[:, 1], first[:, 0]], -1)], 1)
    frames = np.empty((count, 3, 3))
    x, y, z = first.T
    back = x < -1 + 1e-12  # the turn by half a circle has no smallest axis: the z axis is taken
    over = 1 / (1 + np.where(back, 0, x))
    frames[:, 0] = first
    frames[:, 1] = np.stack([-y, 1 - y * y * over, -y * z * over], -1)
    frames[:, 2] = np.stack([-z, -y * z * over, 1 - z * z * over], -1)
    frames[back] = np.diag([-1.0, -1.0, 1.0])
    return frames


def _spun(frames: np.ndarray, angle: np.ndarray) -> np.ndarray:
    cosine, sine = np.cos(angle)[:, None], np.sin(angle)[:, None]
    second = cosine * frames[:, 1] + sine * frames[:, 2]
    third = cosine * frames[:, 2] - sine * frames[:, 1]
    return np.stack([frames[:, 0], second, third], 1)


def _checked_kind(orientation: Orientation, dim: int) -> float:
    """Return the concentration, 0 for none."""
    number = isinstance(orientation, int | float | np.number) and not isinstance(orientation, bool)
    kinds = _KINDS if dim == 3 else _KINDS[:2]
    if number and 0 < float(orientation) < math.inf:
        return float(orientation)
    if isinstance(orientation, str) and orientation in kinds:
        return 0.0
    raise ImageError(
        "orientation",
        got=repr(orientation),
        wanted=f"one of {', '.join(kinds)}, or a concentration above 0",
        cure="write for example orientation='isotropic' or orientation=10",
    )


def _checked_direction(direction: Sequence[float] | None, dim: int) -> np.ndarray:
    given = np.eye(dim)[0] if direction is None else np.asarray(direction, dtype=float)
    if given.shape != (dim,) or not np.all(np.isfinite(given)) or not np.any(given):
        cure = f"write for example direction={(0,) * (dim - 1) + (1,)}"
        raise ImageError("direction", got=repr(direction), wanted=f"{dim} numbers, not all zero", cure=cure)
    return given / np.linalg.norm(given)
