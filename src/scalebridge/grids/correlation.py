"""Two-point probabilities of phases: how likely both ends of a thrown stick are in given phases."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy import fft

from scalebridge.core.errors import ImageError
from scalebridge.core.threads import thread_count
from scalebridge.grids.block_sums import cumulated, overlap_sums
from scalebridge.grids.image import VoxelImage, axis_index, slabs

Phase = int | Sequence[int]
"""A label, or several that are taken as one phase."""


@dataclass(frozen=True, eq=False)
class Curve:
    """Numbers by distance.

    Args:
        distance: in metres, or in voxel edges where the image does not know its voxel's size.
        values: one for each distance.
        weights: how many vectors (or lines) each value is the mean of.
    """

    distance: np.ndarray
    values: np.ndarray
    weights: np.ndarray


@dataclass(frozen=True, eq=False)
class TwoPoint:
    """The two-point probability S(r) = P(x in the first phase and x + r in the second), r on the grid.

    Args:
        values: S at every vector, zero in the middle; NaN where no pair of voxels is that far apart.
        lags: the vectors' whole numbers of voxels along each axis, one array an axis.
        edges: the voxel's edges in metres, or ones.
        fractions: volume fractions of the first and of the second phase.
        same: whether both are the same phase.
        periodic: whether pairs were counted across the faces of the image.
        independent: what S would be if its two ends knew nothing of each other: the product of the fractions
            that are found there. One number for a periodic image, else one for each vector.
    """

    values: np.ndarray
    lags: tuple[np.ndarray, ...]
    edges: tuple[float, ...]
    fractions: tuple[float, float]
    same: bool
    periodic: bool
    independent: np.ndarray

    def along(self, axis: int | str) -> Curve:
        """Return S along an axis, for distances from zero up."""
        number = axis_index(axis, len(self.lags))
        middle = tuple(int(np.flatnonzero(lag == 0)[0]) for lag in self.lags)
        ahead = self.lags[number] >= 0
        line = self.values[tuple(ahead if i == number else at for i, at in enumerate(middle))]
        return Curve(self.lags[number][ahead] * self.edges[number], line, np.ones(line.size))

    def radial(self, step: float | None = None) -> Curve:
        """Return the mean of S over all directions.

        The vectors are gathered in shells; a shell's distance is the mean over its vectors. The first shell
        is the zero vector alone. Shells end where they would leave the box of vectors.

        Args:
            step: thickness of a shell in metres (or voxel edges); the shortest edge of a voxel unless given.
        """
        thickness = min(self.edges) if step is None else float(step)
        reach = self._reach()
        number = max(1, math.floor(reach / thickness + 0.5))
        sums = np.zeros((3, number))
        squares = [(lag * edge) ** 2 for lag, edge in zip(self.lags, self.edges, strict=True)]
        others: Any = sum(np.ix_(*squares[1:]))
        rows = max(1, (1 << 20) // others.size)
        for start in range(0, len(self.values), rows):
            distance = np.sqrt(squares[0][start : start + rows].reshape(-1, *[1] * others.ndim) + others)
            part = self.values[start : start + rows]
            shell = np.ceil(distance / thickness - 0.5).astype(np.int64)
            shell[(shell == 0) & (distance > 0)] = 1
            inside = (shell < number) & np.isfinite(part)
            shell, distance, part = shell[inside], distance[inside], part[inside]
            sums[0] += np.bincount(shell, minlength=number)
            sums[1] += np.bincount(shell, weights=distance, minlength=number)
            sums[2] += np.bincount(shell, weights=part, minlength=number)
        found = sums[0] > 0
        count = sums[0][found]
        return Curve(sums[1][found] / count, sums[2][found] / count, count)

    def coefficient(self) -> "TwoPoint":
        """Return S as a correlation coefficient, (S - f g) / (f - f g): 1 at zero, 0 without correlation.

        f and g are the fractions found at the two ends of the vectors of that length, so that what a small
        image has by chance more or less of a phase on one side is not taken for correlation. For two phases
        that fill the image the coefficient is the same.

        Raises:
            ImageError: the two phases are not the same, or fill nothing or everything.
        """
        share = self.fractions[0]
        if not self.same or not 0 < share < 1:
            cure = "ask for the correlation of one phase that does not fill the image"
            got = f"a phase of fraction {share:g}" if self.same else "two phases"
            raise ImageError("phases", got=got, wanted="one phase with a variance", cure=cure)
        values = (self.values - self.independent) / (share * (1 - share))
        return replace(self, values=values, independent=np.zeros_like(self.independent))

    def _reach(self) -> float:
        """Return the radius of the largest ball of vectors that all occur."""
        most = [min(-int(lag[0]), int(lag[-1])) for lag in self.lags]
        spans = [edge * (n + 0.5) for n, edge in zip(most, self.edges, strict=True)]
        long = [span for span, lag in zip(spans, self.lags, strict=True) if lag.size > 1]
        return min(long or spans)  # a strip of one voxel is measured along itself


def two_point(
    image: VoxelImage,
    first: Phase,
    second: Phase | None = None,
    *,
    reach: int | Sequence[int] | None = None,
    within: np.ndarray | None = None,
    dtype: str = "float64",
) -> TwoPoint:
    """Measure the two-point probability of one phase or of two, by Fourier transforms.

    S_ab(r) = (number of pairs x, x + r with x in a and x + r in b) / (number of pairs x, x + r)

    A periodic image has as many pairs for every r as it has voxels. Of an image that is not periodic only
    pairs inside it are counted (it is padded with nothing, and each r has its own number of pairs), so that S
    is unbiased for a statistically homogeneous medium, and noisier the longer r is.

    S_aa(0) is the volume fraction of a; S_ab(r) = S_ba(-r); over all phases b, S_ab adds up to the fraction
    of a (of a periodic image); far away S_ab tends to the product of the fractions where there is no
    long-range order.

    Args:
        image: the image.
        first: a label, or several as one phase.
        second: the phase at the other end; the first one unless given.
        reach: longest vector along each axis in voxels, one number or one for each; half of the image unless
            given. Without periodicity a shorter reach saves memory and time.
        within: booleans of the image's shape: which voxels belong to the sample, such as the round core in a
            square image. All unless given.
        dtype: "float64", whose pairs are counted exactly, or "float32", which halves the memory; its counts
            are off by about 1e-6 of the largest.

    Returns:
        S at all vectors up to the reach, from which curves along an axis and radial means are taken.

    Raises:
        ImageError: an impossible reach or dtype, or a sample that is not booleans or empty.
        PhaseError: a label does not occur.

    Cost: two Fourier transforms (three for two phases), 16 bytes a padded voxel: 128^3 periodic in 0.1 s;
        400^3 without a period and a reach of 100 in 15 s and 3 GB, in float32 8 s and 1.6 GB.

    Source: J. G. Berryman (1985), J. Appl. Phys. 57, 2374, doi:10.1063/1.334346; S. Torquato, Random
        Heterogeneous Materials (2002), chapter 2.

    Example:
        >>> image = VoxelImage(np.array([[0, 0, 1, 1], [0, 0, 1, 1]]))
        >>> two_point(image, 1).along("y").values.tolist()
        [0.5, 0.25]
    """
    _check_sample(within, image.shape)
    kind = _checked_dtype(dtype)
    most = _checked_reach(reach, image)
    masks = [image.mask(*phase_labels(first))]
    same = second is None or set(phase_labels(first)) == set(phase_labels(second))
    if not same:
        masks.append(image.mask(*phase_labels(second if second is not None else first)))
    if within is not None:
        masks = [mask & within for mask in masks]
    shape = tuple(
        n if image.periodic else int(fft.next_fast_len(n + m, real=True) or n + m)
        for n, m in zip(image.shape, most, strict=True)
    )
    lags = tuple(_lags(n, m, image.periodic) for n, m in zip(image.shape, most, strict=True))
    probability = _pair_counts(masks, shape, lags, kind)
    total = image.size if within is None else np.count_nonzero(within)
    shares = [np.count_nonzero(mask) / total for mask in masks]
    if image.periodic and within is None:
        probability /= total
        independent = np.full((1,) * image.dim, shares[0] * shares[-1])
    else:
        sums = _end_sums(masks, within, shape, lags, kind)
        for pairs in sums[2:]:
            probability /= pairs
        independent = sums[0] * sums[1]
        for pairs in sums[2:]:
            independent /= pairs**2
    edges = image.voxel if image.voxel is not None else (1.0,) * image.dim
    return TwoPoint(probability, lags, edges, (shares[0], shares[-1]), same, image.periodic, independent)


def phase_labels(phase: Phase) -> tuple[int, ...]:
    """Return the labels of a phase given as one label or several."""
    labels = np.atleast_1d(np.asarray(phase))
    return tuple(int(label) for label in labels)


def _lags(n: int, most: int, periodic: bool) -> np.ndarray:
    """Return the whole numbers of voxels that vectors have along an axis; of a period each occurs once."""
    low = -(n // 2) if periodic and 2 * most >= n - 1 else -most
    high = (n - 1) // 2 if periodic and 2 * most >= n - 1 else most
    return np.arange(low, high + 1)


def _pair_counts(
    masks: list[np.ndarray], shape: tuple[int, ...], lags: tuple[np.ndarray, ...], kind: type
) -> np.ndarray:
    """Return how many pairs have a voxel of the first mask and one of the last at the vector's two ends."""
    workers = thread_count()
    spectrum: Any = fft.rfftn(masks[0].astype(kind), shape, workers=workers, overwrite_x=True)
    other: Any = spectrum
    if len(masks) > 1:
        other = fft.rfftn(masks[-1].astype(kind), shape, workers=workers, overwrite_x=True)
    for part, factor in zip(slabs(spectrum), slabs(other), strict=True):
        part[...] = np.conj(part) * factor
    del other
    counts: Any = fft.irfftn(spectrum, shape, workers=workers, overwrite_x=True)
    del spectrum
    kept = counts[np.ix_(*[lag % n for lag, n in zip(lags, shape, strict=True)])]
    if kind is np.float64:
        np.rint(kept, out=kept)
    return np.abs(kept, out=kept)  # what is left below zero is rounding


def _end_sums(
    masks: list[np.ndarray],
    within: np.ndarray | None,
    shape: tuple[int, ...],
    lags: tuple[np.ndarray, ...],
    kind: type,
) -> list[np.ndarray]:
    """Return for each vector how many pairs start in the first mask, how many end in the last, and all.

    The number of all comes as factors of it, and is NaN where there is no pair.
    """
    if within is not None:
        starts = _pair_counts([masks[0], within], shape, lags, kind)
        ends = _pair_counts([within, masks[-1]], shape, lags, kind)
        pairs = _pair_counts([within], shape, lags, kind)
        pairs[pairs < 0.5] = np.nan
        return [starts, ends, pairs]
    starts = overlap_sums(cumulated(masks[0]), lags)
    ends = starts if len(masks) == 1 else overlap_sums(cumulated(masks[-1]), lags)
    along = [n - np.abs(lag).astype(float) for n, lag in zip(masks[0].shape, lags, strict=True)]
    factors = [
        overlap.reshape([-1 if other == axis else 1 for other in range(len(along))])
        for axis, overlap in enumerate(along)
    ]
    # A voxel is the end of a vector where it is the start of the opposite one.
    return [starts, np.flip(ends), *factors]


def _checked_reach(reach: int | Sequence[int] | None, image: VoxelImage) -> tuple[int, ...]:
    given = [n // 2 for n in image.shape] if reach is None else np.broadcast_to(reach, image.dim).tolist()
    limit = [n // 2 if image.periodic else n - 1 for n in image.shape]
    whole = all(isinstance(m, int) and not isinstance(m, bool) and m >= 0 for m in given)
    if not whole or any(m > most for m, most in zip(given, limit, strict=True)):
        wanted = f"whole numbers of voxels, at most {tuple(limit)}"
        cure = (
            "no pair is farther apart" if not image.periodic else "the period repeats what is beyond its half"
        )
        raise ImageError("reach", got=repr(reach), wanted=wanted, cure=cure)
    return tuple(given)


def _checked_dtype(dtype: str) -> type:
    known = {"float64": np.float64, "float32": np.float32}
    if dtype in known:
        return known[dtype]
    cure = "use float32 where memory is short"
    raise ImageError("dtype", got=repr(dtype), wanted="float64 or float32", cure=cure)


def _check_sample(within: np.ndarray | None, shape: tuple[int, ...]) -> None:
    if within is None:
        return
    right = isinstance(within, np.ndarray) and within.dtype == np.bool_ and within.shape == shape
    if not right or not within.any():
        got = f"{within.dtype} of shape {within.shape}" if isinstance(within, np.ndarray) else repr(within)
        cure = "write for example within=distance_from_axis < radius"
        raise ImageError("within", got=got, wanted=f"booleans of shape {shape}, some of them true", cure=cure)
