"""Where the numbers of integration points lie: phase by phase, rows of voxels as runs of memory."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class PointLayout:
    """The integration points of the voxels of some phases, eight a voxel.

    A point's number is  point of the voxel x voxels of the phase + place of the voxel among them; an array of
    n numbers a point is one flat piece of memory with a block (n, points) a phase.

    Args:
        shape: voxels along x, y, z.
        counts: voxels of each phase.
        first: number of the first point of each phase, -1 of phases that own no points.
        starts: (rows + 1,), where the runs of each row along z begin.
        runs: (runs, 4): first voxel, last voxel + 1, phase, place of the first among its phase's voxels.
    """

    shape: tuple[int, int, int]
    counts: np.ndarray
    first: np.ndarray
    starts: np.ndarray
    runs: np.ndarray

    @property
    def points(self) -> int:
        """Number of points of all phases."""
        return int(8 * self.counts[self.first >= 0].sum())

    def size(self, phase: int) -> int:
        """Return the number of points of a phase, none if it owns no points."""
        return int(8 * self.counts[phase]) if self.first[phase] >= 0 else 0

    def block(self, values: np.ndarray, phase: int, numbers: int) -> np.ndarray:
        """Return a phase's (numbers, points) within a flat array, as a view."""
        low = numbers * int(self.first[phase])
        return values[low : low + numbers * self.size(phase)].reshape(numbers, -1)


def point_layout(index: np.ndarray, phases: int, owners: list[bool]) -> PointLayout:
    """Lay out the points of an image.

    Args:
        index: (x, y, z), number of the phase of every voxel.
        phases: number of phases.
        owners: whether each owns points.

    Example:
        >>> layout = point_layout(np.array([[[0, 0, 1, 0]]]), 2, [True, False])
        >>> layout.runs.tolist(), layout.counts.tolist(), layout.points
        ([[0, 2, 0, 0], [2, 3, 1, 0], [3, 4, 0, 2]], [3, 1], 24)
    """
    flat = np.ascontiguousarray(index).reshape(-1)
    length = index.shape[2]
    begins = np.ones(flat.size, bool)
    begins[1:] = flat[1:] != flat[:-1]
    begins[::length] = True
    at = np.flatnonzero(begins)
    ends = np.append(at[1:], flat.size)
    phase = flat[at]
    places = np.empty(len(at), np.int64)
    for own in range(phases):
        mine = phase == own
        lengths = (ends - at)[mine]
        places[mine] = np.cumsum(lengths) - lengths
    runs = np.stack([at % length, (ends - 1) % length + 1, phase, places], axis=1).astype(np.int64)
    starts = np.searchsorted(at, np.arange(0, flat.size + 1, length)).astype(np.int64)
    counts = np.bincount(flat, minlength=phases).astype(np.int64)
    own = np.array(owners, bool)
    before = np.cumsum(np.where(own, 8 * counts, 0)) - np.where(own, 8 * counts, 0)
    first = np.where(own, before, -1).astype(np.int64)
    return PointLayout(index.shape, counts, first, starts, runs)  # type: ignore[arg-type]
