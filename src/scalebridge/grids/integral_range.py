"""Integral range: the volume that one independent sample of a phase takes, which says what is large enough.

For a sample of volume V much larger than the integral range A, the volume fraction f found in it has the
variance

    D^2(V) = f (1 - f) A / V.
"""

import math
from dataclasses import dataclass

import numpy as np

from scalebridge.core.errors import ImageError
from scalebridge.grids.block_sums import block_sums, cumulated
from scalebridge.grids.correlation import Curve, Phase, TwoPoint, phase_labels
from scalebridge.grids.image import VoxelImage

_GONE = 0.01  # of the covariance at zero: what is below is taken for noise
_FEWEST = 8  # blocks from which a variance is taken


@dataclass(frozen=True, eq=False)
class BlockVariances:
    """How the volume fraction varies between blocks of an image.

    Args:
        edges: edge of the blocks, the same along each axis as nearly as voxels allow: the geometric mean, in
            metres or voxel edges.
        volumes: of the blocks, in square or cubic metres (or voxels).
        variances: of the blocks' volume fraction.
        counts: numbers of blocks.
        fraction: the volume fraction of the whole image.
        integral_range: A, extrapolated to large blocks; NaN when there are too few of them.
    """

    edges: np.ndarray
    volumes: np.ndarray
    variances: np.ndarray
    counts: np.ndarray
    fraction: float
    integral_range: float


def integral_range(correlation: TwoPoint) -> float:
    """Integrate the normalised covariance of a phase until it has died away.

    A = integral of (S(r) - f^2) / (f (1 - f)) over vectors r shorter than the first at which the mean over
    directions falls below 1 %. Over all vectors of a period the integral would be zero, because the fraction
    of a period does not vary: the first part is what an infinite medium would have, if it has no long-range
    order.

    Args:
        correlation: of one phase, from `two_point`.

    Returns:
        A in square or cubic metres (or voxels); NaN when the covariance does not fall below 1 % within the
        vectors that were measured: the image is too small to tell, or the reach was.

    Raises:
        ImageError: the correlation of two phases, or of one that fills all or nothing.

    Limits: 10 % from an image of some hundred integral ranges, of a medium whose covariance stays near zero
        once it has died away. Where particles keep apart it is negative then, and A is too large: 2.6 times
        for hard spheres of fraction 0.3. `block_variances` sees that.

    Cost: one pass over the vectors.

    Source: G. Matheron (1971), The Theory of Regionalized Variables; C. Lantuéjoul (1991), J. Microsc. 161,
        387, doi:10.1111/j.1365-2818.1991.tb03101.x; T. Kanit et al. (2003), Int. J. Solids Struct. 40, 3647,
        doi:10.1016/S0020-7683(03)00143-4.

    Example:
        >>> from scalebridge.grids.correlation import two_point
        >>> from scalebridge.grids.generators import random_voxels
        >>> noise = two_point(random_voxels(256, volume_fraction=0.5, seed=1, dim=2), 1)
        >>> integral_range(noise)  # independent voxels: one voxel
        1.0
    """
    return decay(correlation.coefficient().radial(), math.prod(correlation.edges))[1]


def correlation_length(correlation: TwoPoint) -> float:
    """Return the distance at which the covariance of a phase, the mean over directions, has fallen to 1 %.

    Arguments and errors are those of `integral_range`.

    Returns:
        in metres (or voxel edges), interpolated between shells; NaN when it stays above.

    Example:
        >>> from scalebridge.grids.correlation import two_point
        >>> from scalebridge.grids.generators import laminate_image
        >>> strip = VoxelImage(laminate_image([0.5, 0.5], (32, 2), dim=2).labels[:, :1])
        >>> round(correlation_length(two_point(strip, 0)), 12)  # a triangle wave of period 32
        7.92
    """
    return decay(correlation.coefficient().radial(), math.prod(correlation.edges))[0]


def decay(coefficient: Curve, cell: float) -> tuple[float, float]:
    """Return where a correlation coefficient falls below 1 % and its integral up to there, or NaN.

    Args:
        coefficient: its mean over directions, by shells of vectors.
        cell: volume of a voxel.

    Returns:
        correlation length and integral range.
    """
    ends = np.flatnonzero(coefficient.values < _GONE)
    if not ends.size:
        return math.nan, math.nan
    last = int(ends[0])
    total = float(np.sum(coefficient.values[:last] * coefficient.weights[:last])) * cell
    (near, far), (before, after) = (
        part[last - 1 : last + 1] for part in (coefficient.distance, coefficient.values)
    )
    return float(near + (before - _GONE) / (before - after) * (far - near)), total


def block_variances(image: VoxelImage, phase: Phase, *, correlation_length: float = 0.0) -> BlockVariances:
    """Measure how the volume fraction varies between blocks, and find the integral range from it.

    The image is cut into n x n (x n) blocks for n = 2, 3, ..., and the variance of their volume fractions is
    taken. For blocks with edges L above the range of the correlation rho

    V D^2(V) / (f (1 - f)) = integral of rho(r) prod_i (1 - |r_i| / L),

    which is fitted by A (1 - a / L)^d, with an error of a few per cent in A, and read off at 1/L = 0. It is
    another estimate than that of `integral_range`, with other errors.

    Args:
        image: the image; voxels that are left over at the ends are left out.
        phase: a label, or several as one phase.
        correlation_length: distance in metres (or voxel edges) at which correlation has died away: blocks
            with longer edges enter the fit.

    Returns:
        blocks, variances, and the integral range.

    Raises:
        PhaseError: a label does not occur.
        ImageError: the phase fills the image.

    Cost: one pass over the image and a table of half its size in each direction.

    Source: T. Kanit et al. (2003), Int. J. Solids Struct. 40, 3647, doi:10.1016/S0020-7683(03)00143-4.

    Example:
        >>> from scalebridge.grids.generators import random_voxels
        >>> found = block_variances(random_voxels(240, volume_fraction=0.5, seed=1, dim=2), 1)
        >>> 0.9 < found.integral_range < 1.1  # independent voxels: one voxel
        True
    """
    mask = image.mask(*phase_labels(phase))
    share = float(np.count_nonzero(mask)) / mask.size
    if share == 1:
        cure = "choose a phase that does not fill the image"
        raise ImageError("phase", got="a phase of fraction 1", wanted="a fraction that can vary", cure=cure)
    table = cumulated(mask)
    edges = image.voxel if image.voxel is not None else (1.0,) * image.dim
    rows: dict[tuple[int, ...], tuple[float, float, int]] = {}
    for number in range(2, max(2, max(image.shape) // 2) + 1):
        size = tuple(max(n // number, 1) for n in image.shape)
        if size not in rows:
            sums = block_sums(table, size)
            volume = math.prod(n * edge for n, edge in zip(size, edges, strict=True))
            rows[size] = volume, float(np.var(sums / math.prod(size), ddof=1)), sums.size
    volumes, variances, numbers = map(np.array, zip(*rows.values(), strict=True))
    lengths = volumes ** (1 / image.dim)
    scaled = volumes * variances / (share * (1 - share))
    fit = (lengths > correlation_length) & (numbers >= _FEWEST)
    found = _extrapolated(1 / lengths[fit], scaled[fit], numbers[fit], image.dim)
    return BlockVariances(lengths, volumes, variances, numbers, share, found)


def _extrapolated(inverse: np.ndarray, scaled: np.ndarray, counts: np.ndarray, dim: int) -> float:
    """Return the value at 1/L = 0 of A (1 - a / L)^d, fitted with relative errors sqrt(2 / count)."""
    keep = scaled > 0
    inverse, root, counts = inverse[keep], scaled[keep] ** (1 / dim), counts[keep]
    if inverse.size < 2:
        return math.nan
    weights = np.sqrt(counts) / root
    design = np.stack([np.ones_like(inverse), inverse], 1) * weights[:, None]
    return max(float(np.linalg.lstsq(design, root * weights, rcond=None)[0][0]), 0.0) ** dim
