"""Chords: the pieces that a phase cuts out of straight lines, and the lineal path made of them."""

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from scalebridge.grids.correlation import Curve, Phase, phase_labels
from scalebridge.grids.image import VoxelImage, axis_index, slabs


@dataclass(frozen=True, eq=False)
class ChordLengths:
    """The chords of a phase along one axis.

    Of an image that is not periodic, a chord that meets a face is only seen in part. Those that show one end
    enter the distribution as longer than what is seen (Kaplan-Meier); those that show none, not at all.

    Args:
        axis: number of the axis.
        edge: the voxel's edge along it in metres, or 1.
        complete: number of chords with both ends seen, by their length in voxels, shape (n + 1,).
        cut: number of those with one end seen, by what is seen of them.
        endless: number of lines that the phase fills from end to end.
        lines: number of lines.
        fraction: volume fraction of the phase.
        periodic: whether lines close on themselves.
    """

    axis: int
    edge: float
    complete: np.ndarray
    cut: np.ndarray
    endless: int
    lines: int
    fraction: float
    periodic: bool

    @property
    def mean(self) -> float:
        """Mean length, fraction over the number of chords for each length of line; infinite without any end.

        Both are unbiased, whatever is cut off by the faces. Chords shorter than a voxel are missed, which
        makes it too long by some per cent where the surface has sharp edges, ten voxels apart.
        """
        ends = 2 * int(self.complete.sum()) + int(self.cut.sum())
        voxels = self.complete.size - 1
        places = self.lines * (voxels if self.periodic else voxels - 1)
        return 2 * self.fraction * self.edge * places / ends if ends else math.inf

    @cached_property
    def survival(self) -> Curve:
        """Probability that a chord, counted by number, is at least as long as a distance.

        At 1, 2, ... voxels, weighted by how many chords are known to be that long. It ends where none is.
        """
        # A chord seen whole is seen from both of its ends, one that is cut from one end only. Whether that
        # one ends with the last voxel that is seen of it, nobody knows.
        ends, gone = 2 * self.complete[1:], self.cut[1:]
        risk = np.cumsum((ends + gone)[::-1])[::-1] - gone
        known = risk > 0
        stays = 1 - ends[known] / risk[known]
        longer = np.concatenate([[1.0], np.cumprod(stays)[:-1]])
        lengths = np.arange(1, self.complete.size) * self.edge
        return Curve(lengths[known], longer, risk[known])

    @property
    def distribution(self) -> Curve:
        """Share of the chords, counted by number, of 1, 2, ... voxels; the sum is 1 or less.

        It is less where the longest chords are cut, because nobody knows how long they are.
        """
        longer = self.survival
        ends = 2 * self.complete[1 : 1 + longer.values.size]
        return Curve(longer.distance, longer.values * ends / longer.weights, longer.weights)

    def lineal_path(self) -> Curve:
        """Return the probability that a stick along the axis lies in the phase with all its voxels.

        At the distance of k voxels between its ends it covers k + 1 of them; at zero it is the volume
        fraction. Sticks that would leave an image that is not periodic are not thrown.
        """
        voxels = self.complete.size - 1
        runs = (self.complete + self.cut).astype(float)
        lengths = np.arange(voxels + 1)
        # Of a run of n voxels, n - k places hold k + 1 of them; sums of sums give that for every k.
        places = np.cumsum(np.cumsum(runs[::-1]))[::-1][1:]
        thrown = np.full(voxels, float(voxels)) if self.periodic else voxels - lengths[:-1].astype(float)
        full = float(self.endless) * thrown
        return Curve(lengths[:-1] * self.edge, (places + full) / (thrown * self.lines), thrown * self.lines)


def chord_lengths(image: VoxelImage, phase: Phase, axis: int | str) -> ChordLengths:
    """Measure the chords of a phase along an axis: runs of its voxels on all lines of voxels.

    Args:
        image: the image. Of a periodic one, runs go on behind the face.
        phase: a label, or several as one phase.
        axis: "x", "y", "z" or 0, 1, 2.

    Returns:
        the chords: their distribution by number, their mean, the lineal path.

    Raises:
        ImageError: there is no such axis.
        PhaseError: a label does not occur.

    Limits: lengths are whole numbers of voxels; chords shorter than one are seen or missed by chance.

    Cost: a pass over the image, about 3 ns a voxel, in slabs.

    Source: S. Torquato and B. Lu (1993), Phys. Rev. E 47, 2950, doi:10.1103/PhysRevE.47.2950 (chords and
        lineal path); E. L. Kaplan and P. Meier (1958), J. Am. Stat. Assoc. 53, 457,
        doi:10.1080/01621459.1958.10501452 (lengths that are only known to be exceeded).

    Example:
        >>> image = VoxelImage(np.array([[1, 1, 0, 0, 1, 0, 0, 0]]), periodic=False)
        >>> found = chord_lengths(image, 1, "y")
        >>> found.complete.tolist()[:3], found.cut.tolist()[:3]
        ([0, 1, 0], [0, 0, 1])
    """
    number = axis_index(axis, image.dim)
    mask = np.moveaxis(image.mask(*phase_labels(phase)), number, -1)
    voxels = mask.shape[-1]
    complete, cut = np.zeros((2, voxels + 1), dtype=np.int64)
    endless = 0
    for slab in slabs(mask):
        parts = _runs(slab.reshape(-1, voxels), image.periodic)
        complete += parts[0]
        cut += parts[1]
        endless += parts[2]
    edge = 1.0 if image.voxel is None else image.voxel[number]
    share = float(np.count_nonzero(mask)) / mask.size
    return ChordLengths(number, edge, complete, cut, endless, mask.size // voxels, share, image.periodic)


def _runs(lines: np.ndarray, periodic: bool) -> tuple[np.ndarray, np.ndarray, int]:
    """Return numbers of complete and of cut runs by length, and of lines that are filled."""
    number, voxels = lines.shape
    padded = np.zeros((number, voxels + 2), dtype=np.bool_)
    padded[:, 1:-1] = lines
    flat = padded.ravel()
    changes = np.flatnonzero(flat[1:] != flat[:-1])
    starts, stops = changes[::2], changes[1::2]
    line, first = np.divmod(starts, voxels + 2)
    lengths = stops - starts
    low, high = first == 0, first + lengths == voxels
    full = low & high
    inside = np.bincount(lengths[~low & ~high], minlength=voxels + 1)
    ends = (low ^ high) & ~full
    if not periodic:
        return inside, np.bincount(lengths[ends], minlength=voxels + 1), int(full.sum())
    # A run at the last voxel of a line goes on with the one at the first, if there is one.
    joined = np.bincount(line[ends], weights=lengths[ends], minlength=number).astype(np.int64)
    joined = joined[joined > 0]
    whole = inside + np.bincount(joined, minlength=voxels + 1)
    return whole, np.zeros(voxels + 1, dtype=np.int64), int(full.sum())
