"""Streamlines of a velocity on voxels: Runge and Kutta's fourth order, trilinear in between, compiled."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from scalebridge.core.compiled import kernel

_STEP = 0.4  # voxels: the path's curvature is that of pores, some voxels wide
_TURNS = 6.0  # lengths of the box that a path may take
_STILL = 1e-6  # of the largest speed: below, nothing moves


@dataclass(frozen=True)
class Streamline:
    """A path of the fluid.

    Args:
        points: (n, dim) in lengths of the voxel's aspect, from the box's low corner.
        speeds: (n,) in the unit of the velocity.
    """

    points: Float[np.ndarray, "n dim"]
    speeds: Float[np.ndarray, " n"]


def trace_streamlines(
    velocity: np.ndarray,
    axis: int,
    *,
    aspect: tuple[float, ...],
    count: int = 120,
    periodic: bool = True,
    seed: int = 0,
) -> list[Streamline]:
    """Follow the fluid from the low face across an axis to the high one.

    Starts are drawn in proportion to the flow through the face, so that each path stands for the same flow.
    Where the box is periodic, paths that leave through a side come back in on the other, as a further piece.

    Args:
        velocity: (dim, voxels...), zero in the solid.
        axis: along which the fluid is driven.
        aspect: edge lengths of a voxel.
        count: how many paths are started.
        periodic: whether opposite faces are joined; else a path ends where it leaves.
        seed: of the drawn starts.

    Returns:
        the pieces; fewer where little flows through the face.

    Cost: some 1e6 steps a second.
    """
    dim = velocity.shape[0]
    shape = velocity.shape[1:]
    field = np.zeros((*shape, *(1,) * (3 - dim), 3))
    field[..., :dim] = np.moveaxis(velocity, 0, -1).reshape(*shape, *(1,) * (3 - dim), dim)
    edges = np.array([*aspect, *(1.0,) * (3 - dim)], float)
    starts = _starts(velocity, axis, count, np.random.default_rng(seed))
    largest = float(np.sqrt(np.max(np.sum(velocity**2, axis=0))))
    if len(starts) == 0 or largest == 0:
        return []
    step = _STEP * float(min(aspect))
    most = int(_TURNS * max(n * a for n, a in zip(shape, aspect, strict=True)) / step)
    found = []
    for start in starts:
        points, speeds = np.zeros((most, 3)), np.zeros(most)
        begin = np.array([*start, *(0.5,) * (3 - dim)])
        numbers = np.array([step, _STILL * largest])
        length = _trace(field, edges, begin, numbers, (axis, int(periodic)), points, speeds)
        if length > 2:
            found += _pieces(points[:length, :dim], speeds[:length], shape, np.asarray(aspect, float))
    return found


def _starts(velocity: np.ndarray, axis: int, count: int, rng: np.random.Generator) -> np.ndarray:
    """Points on the low face, in voxels, drawn in proportion to what flows in."""
    inflow = np.maximum(np.take(velocity[axis], 0, axis=axis), 0.0)
    total = float(inflow.sum())
    if total <= 0:
        return np.zeros((0, velocity.shape[0]))
    # Even in the cumulated flow, so that paths spread as the flow does.
    levels = (np.arange(count) + rng.random(count)) / count * total
    chosen = np.searchsorted(np.cumsum(inflow.ravel()), levels).clip(0, inflow.size - 1)
    across = np.stack(np.unravel_index(chosen, inflow.shape), axis=1) + rng.random((count, inflow.ndim))
    return np.insert(across, axis, 0.5, axis=1)


def _pieces(
    points: np.ndarray, speeds: np.ndarray, shape: tuple[int, ...], aspect: np.ndarray
) -> list[Streamline]:
    """Cut a path where it comes back in on the other side, and fold it into the box."""
    cells = np.floor(points / np.asarray(shape))
    folded = (points - cells * np.asarray(shape)) * aspect
    cuts = np.flatnonzero(np.any(np.diff(cells, axis=0) != 0, axis=1)) + 1
    parts = zip(np.split(folded, cuts), np.split(speeds, cuts), strict=True)
    return [Streamline(p, s) for p, s in parts if len(p) > 2]


@kernel
def _trace(field, edges, begin, numbers, way, points, speeds):
    """Fill points (in voxels, not folded) and speeds of one path; return how many there are."""
    step, still = numbers[0], numbers[1]
    here, ahead, length = begin.copy(), np.zeros(3), 0
    while length < points.shape[0] and _inside(here, field.shape, way[0], way[1]):
        speed = _advance(field, edges, here, way[1], step, still, ahead)
        if speed <= still:
            return length
        points[length] = here
        speeds[length] = speed
        length += 1
        here += ahead
    return length


@kernel
def _advance(field, edges, here, periodic, step, still, ahead):
    """Write what a step moves on, and return the speed here; 0 where any of the four looks finds none."""
    one, two, three, four = np.zeros(3), np.zeros(3), np.zeros(3), np.zeros(3)
    speed = _direction(field, edges, here, periodic, still, one)
    least = min(speed, _direction(field, edges, here + 0.5 * step * one, periodic, still, two))
    least = min(least, _direction(field, edges, here + 0.5 * step * two, periodic, still, three))
    least = min(least, _direction(field, edges, here + step * three, periodic, still, four))
    for d in range(3):
        ahead[d] = step / 6.0 * (one[d] + 2.0 * two[d] + 2.0 * three[d] + four[d])
    return speed if least > still else 0.0


@kernel
def _inside(here, shape, axis, periodic):
    """Whether a point is in the box, of which a periodic one has ends along the driven axis only."""
    for d in range(3):
        if (periodic == 0 or d == axis) and (here[d] < 0.0 or here[d] >= shape[d]):
            return False
    return True


@kernel
def _direction(field, edges, place, periodic, still, out):
    """Write the unit direction of the flow in voxels a length, and return the speed."""
    for c in range(3):
        out[c] = 0.0
    for corner in range(8):
        weight, i, j, k = 1.0, 0, 0, 0
        for d in range(3):
            low = int(np.floor(place[d] - 0.5))
            part = place[d] - 0.5 - low
            up = (corner >> d) & 1
            weight *= part if up == 1 else 1.0 - part
            at = _within(low + up, field.shape[d], periodic)
            if d == 0:
                i = at
            elif d == 1:
                j = at
            else:
                k = at
        for c in range(3):
            out[c] += weight * field[i, j, k, c]
    speed = np.sqrt(out[0] ** 2 + out[1] ** 2 + out[2] ** 2)
    for c in range(3):
        out[c] = out[c] / speed / edges[c] if speed > still else 0.0
    return speed


@kernel
def _within(place, count, periodic):
    """Voxel number in the box: around in a periodic one, the last voxel beyond the ends of another."""
    if periodic == 1:
        return place % count
    return min(max(place, 0), count - 1)
