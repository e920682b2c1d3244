"""Grey values into labels: thresholds given or found."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from scalebridge.core.errors import ImageError
from scalebridge.grids.image import VoxelImage, slabs

_BINS = 256


def threshold(
    grey: np.ndarray,
    at: float | Sequence[float],
    *,
    voxel: tuple[float, ...] | None = None,
    names: Mapping[int, str] | None = None,
    periodic: bool = False,
) -> VoxelImage:
    """Make a labelled image: a voxel's label is the number of thresholds that its grey value exceeds.

    label(x) = #{t in at : grey(x) > t}; a value that equals a threshold belongs below it.

    Args:
        grey: real grey values, shape (x, y) or (x, y, z), without NaN.
        at: one threshold or several in rising order, in the unit of the grey values.
        voxel: edge lengths of a voxel in metres.
        names: phase names by label 0 to len(at).
        periodic: whether the image repeats itself seamlessly; a scanned sample does not.

    Returns:
        an image of the labels 0 to len(at). A label does not occur if no grey value is in its range.

    Raises:
        ImageError: grey values that are complex, NaN or not numbers, or thresholds that do not rise.

    Cost: one comparison a voxel and threshold; the labels take one byte a voxel.

    Example:
        >>> threshold(np.array([[10, 84], [85, 200]]), at=[84, 150]).labels.tolist()
        [[0, 0], [1, 2]]
    """
    values = _checked_grey(grey)
    levels = _checked_levels(at)
    labels = np.zeros(values.shape, dtype=np.min_scalar_type(len(levels)))
    for level in levels:
        labels += values > level
    source = {"threshold": levels}
    return VoxelImage(labels, voxel=voxel, names=dict(names or {}), periodic=periodic, source=source)


def otsu_threshold(grey: np.ndarray) -> float:
    """Find the threshold that separates grey values into two classes with the largest variance between them.

    maximise w0(t) w1(t) (m0(t) - m1(t))^2 over t, with the classes' shares w and means m, on a histogram.
    Integers that span fewer than 256 values are counted one by one, others in 256 equal bins. Where several
    thresholds are equally good (no voxel lies between them) the middle one is returned.

    Args:
        grey: real grey values of any shape, without NaN.

    Returns:
        t, to be used as in `threshold`: values above t are the bright class.

    Raises:
        ImageError: NaN, infinite or not real values, or a single grey value throughout.

    Limits: supposes two classes of comparable size and spread; look at the histogram when one is rare.

    Cost: one pass over the image.

    Source: N. Otsu (1979), IEEE Trans. Syst. Man Cybern. 9, 62, doi:10.1109/TSMC.1979.4310076.

    Example:
        >>> otsu_threshold(np.array([[1, 2, 2], [9, 10, 10]]))
        5.0
    """
    values = _checked_grey(grey)
    low, high = values.min(), values.max()
    if not (np.isfinite(low) and np.isfinite(high) and low < high):
        cure = "choose a threshold yourself, or look at what was read"
        raise ImageError(
            "grey", got=f"values from {low} to {high}", wanted="at least two finite grey values", cure=cure
        )
    counts, levels, cuts = _histogram(values, low, high)
    share = np.cumsum(counts)[:-1] / counts.sum()
    below = np.cumsum(counts * levels)[:-1] / counts.sum()
    mean = (counts * levels).sum() / counts.sum()
    between = (mean * share - below) ** 2 / (share * (1 - share))
    best = np.flatnonzero(between >= between.max() * (1 - 1e-12))
    return float(cuts[best[(best.size - 1) // 2]])


def _histogram(values: np.ndarray, low: Any, high: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return each bin's count and grey level, and the cut above each bin but the last."""
    whole = values.dtype.kind in "iub" and int(high) - int(low) < _BINS
    number = int(high) - int(low) + 1 if whole else _BINS
    edges = np.linspace(float(low) - 0.5, float(high) + 0.5, number + 1) if whole else None
    if edges is None:
        edges = np.linspace(float(low), float(high), number + 1)
    counts = sum(np.histogram(slab, edges)[0] for slab in slabs(values))
    levels = (edges[1:] + edges[:-1]) / 2
    # Whole numbers are cut at the bin's own value, so that "above the cut" says the same as the bin's edge.
    return np.asarray(counts, dtype=float), levels, (levels if whole else edges[1:])[:-1]


def _checked_grey(grey: np.ndarray) -> np.ndarray:
    values = np.asarray(grey)
    if values.dtype.kind not in "iubf" or values.size == 0:
        got = f"an array of {values.dtype} and shape {values.shape}"
        raise ImageError("grey", got=got, wanted="real grey values", cure="pass one channel of real numbers")
    if values.dtype.kind == "f" and np.isnan(values).any():
        cure = "crop them away, or replace them by a grey value that you choose"
        raise ImageError("grey", got=f"{int(np.isnan(values).sum())} NaN", wanted="no NaN", cure=cure)
    return values


def _checked_levels(at: float | Sequence[float]) -> list[float]:
    levels = np.atleast_1d(np.asarray(at, dtype=float))
    if levels.ndim != 1 or not levels.size or not np.all(np.isfinite(levels)) or np.any(np.diff(levels) <= 0):
        cure = "write for example at=84 or at=[84, 150]"
        raise ImageError("at", got=repr(at), wanted="one threshold, or several in rising order", cure=cure)
    return levels.tolist()
