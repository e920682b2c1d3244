"""How far the volume fractions of an image may be from those of the smooth object it shows."""

import itertools
import math

import numpy as np
from numpy.typing import ArrayLike
from scipy import fft

from scalebridge.grids.composite import CompositeImage
from scalebridge.grids.image import VoxelImage

_PER_FACE = 1.0 / 12.0  # variance of what rounding a share to 0 or 1 leaves, where any share is as likely
_SAME = 0.25  # where a single voxel differs, half the sum of squared differences of ranks is at least 0.5


def sampling_scatter(image: VoxelImage) -> np.ndarray:
    """Covariance of the volume fractions that comes from asking each voxel for its middle only.

    Every face between voxels of different phases stands for a cut voxel whose share was rounded to 0 or 1;
    roundings are independent, but in an image with symmetries each is repeated, as in layers, in fibres along
    an axis, and about a sphere whose middle is that of a voxel. With m_ab faces between phases a and b among
    N voxels, and R symmetries (translations, reflections of axes and exchanges of two axes),

        C = sum over a < b of  R m_ab / (12 N²) (e_a - e_b) (e_a - e_b)'.

    In layers at a slope, where faces on several axes belong to one rounding, those of one axis are counted.
    Layers along an axis, whose faces may well lie where the voxels' faces are, count as if not repeated.

    Args:
        image: the plain image.

    Returns:
        (phases, phases) covariance, in the order of the image's phases; its rows add up to 0.

    Limits: a statement on the average over all positions of the object on the grid. Symmetries are sought in
        periodic images only; turns without reflections are not. Voxels on a mirror have fewer copies, so that
        a disc in the middle scatters less by a factor of 1.3.
    Cost: a comparison a voxel and axis; two Fourier transforms a symmetry that sums over planes allow.

    Source: for a circle of R voxels 8 R / 12 = 0.667 R, where D. G. Kendall (1948), Quart. J. Math. os-19, 1,
        doi:10.1093/qmath/os-19.1.1, has 0.676 R exactly.

    Example:
        >>> half = VoxelImage(np.repeat([[0, 1]], 2, axis=0), periodic=False)
        >>> sampling_scatter(half).round(4).tolist()  # two faces, four voxels
        [[0.0104, -0.0104], [-0.0104, 0.0104]]
    """
    count = len(image.phases)
    faces = np.zeros((image.dim, count, count))
    index = np.searchsorted(np.asarray(image.phases), image.labels).astype(np.min_scalar_type(count))
    for axis in range(image.dim):
        low = index if image.periodic else np.take(index, range(index.shape[axis] - 1), axis=axis)
        high = np.roll(index, -1, axis=axis)
        high = high if image.periodic else np.take(high, range(index.shape[axis] - 1), axis=axis)
        unlike = low != high
        np.add.at(faces[axis], (low[unlike], high[unlike]), 1)
    facing = np.count_nonzero(faces.any(axis=(1, 2)))
    repeats = _symmetries(index, image.aspect) if image.periodic and facing > 1 else 1
    layered = repeats * max(image.shape) >= image.size
    cut = faces.max(axis=0) if layered else faces.sum(axis=0)
    return _by_pairs(cut + cut.T) * _PER_FACE * repeats / image.size**2


def _symmetries(index: np.ndarray, aspect: tuple[float, ...]) -> int:
    """Return how many translations, reflections and exchanges of axes leave a periodic image as it is.

    Reflections and exchanges of axes along which sums over planes do not vary move nothing that translations
    do not move.
    """
    axes = tuple(range(index.ndim))
    sums = [index.sum(axis=axes[:axis] + axes[axis + 1 :], dtype=np.int64) for axis in axes]
    varied = [axis for axis in axes if np.ptp(sums[axis]) > 0]
    moves = any(_shifts(line, line) > 1 for line in sums)
    mirrors = [axis for axis in varied if _shifts(sums[axis][::-1], sums[axis])]
    swaps = [
        (a, b)
        for a, b in itertools.combinations(varied, 2)
        if index.shape[a] == index.shape[b]
        and math.isclose(aspect[a], aspect[b], rel_tol=1e-9)
        and _shifts(sums[a], sums[b])
    ]
    if not (moves or mirrors or swaps):
        return 1
    field = index - index.mean()
    spectrum = np.asarray(fft.rfftn(field))
    count = _matches(field, spectrum) if moves else 1
    mirrored = sum(_matches(np.flip(field, axis), spectrum) > 0 for axis in mirrors)
    swapped = sum(_matches(np.swapaxes(field, a, b), spectrum) > 0 for a, b in swaps)
    return count * 2**mirrored * math.factorial(min(swapped, 2) + 1)


def _shifts(line: np.ndarray, other: np.ndarray) -> int:
    """Return how many cyclic shifts turn one line into the other."""
    return sum(np.array_equal(np.roll(line, step), other) for step in range(line.size))


def _matches(field: np.ndarray, spectrum: np.ndarray) -> int:
    """Return how many translations turn a field of ranks, less their mean, into that of the spectrum."""
    products = np.asarray(fft.irfftn(spectrum * np.conj(np.asarray(fft.rfftn(field))), s=field.shape))
    # Half the sum of squared differences of ranks.
    return int(np.count_nonzero(np.vdot(field, field) - products < _SAME))


def displacement_scatter(image: CompositeImage, reach: ArrayLike = 1.0) -> np.ndarray:
    """Covariance of the volume fractions if every interface is displaced by a voxel's edge as a whole.

    With m_ab mixed voxels that hold both the phases a and b among N voxels, interfaces of two phases moving
    together by r_ab edges and independently of those of others,

        C = sum over a < b of  (r_ab m_ab / N)² (e_a - e_b) (e_a - e_b)'.

    Args:
        image: the composite image.
        reach: (phases, phases) symmetric, how far interfaces of two phases move, in edges; or one number.

    Returns:
        (phases, phases) covariance, in the order of the image's phases; its rows add up to 0.

    Limits: a measure of size, not of what happens: shares are exact where they are counted.
    Cost: a comparison a mixed voxel and pair of phases.

    Example:
        >>> plain = VoxelImage(np.array([[0, 0], [1, 1]]))
        >>> image = CompositeImage(plain, (0, 1), [2, 3], [[0.4, 0.6]] * 2, [[1.0, 0.0]] * 2)
        >>> displacement_scatter(image).tolist()  # two of four voxels
        [[0.25, -0.25], [-0.25, 0.25]]
    """
    held = (image.parts > 0).astype(np.float64)
    return _by_pairs((np.asarray(reach, dtype=float) * (held.T @ held) / image.size) ** 2)


def _by_pairs(weights: np.ndarray) -> np.ndarray:
    """Return the sum over a < b of w_ab (e_a - e_b) (e_a - e_b)' for symmetric weights."""
    covariance = -weights
    np.fill_diagonal(covariance, 0.0)
    np.fill_diagonal(covariance, -covariance.sum(axis=1))
    return covariance
