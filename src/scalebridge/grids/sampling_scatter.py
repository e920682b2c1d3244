"""How far the volume fractions of an image may be from those of the smooth object it shows."""

import numpy as np
from scipy import fft

from scalebridge.grids.composite import CompositeImage
from scalebridge.grids.image import VoxelImage

_PER_FACE = 1.0 / 12.0  # variance of what rounding a share to 0 or 1 leaves, where any share is as likely
_SAME = 0.25  # where a single voxel differs, half the sum of squared differences of ranks is at least 0.5


def sampling_scatter(image: VoxelImage) -> np.ndarray:
    """Covariance of the volume fractions that comes from asking each voxel for its middle only.

    Every face between voxels of different phases stands for a cut voxel whose share was rounded to 0 or 1;
    roundings are independent, but in an image that equals itself when moved by any of R translations each is
    repeated R times, as in layers and in fibres along an axis. With m_ab faces between phases a and b among N
    voxels,

        C = sum over a < b of  R m_ab / (12 N²) (e_a - e_b) (e_a - e_b)'.

    Layers along an axis, whose faces may well lie where the voxels' faces are, count as if not repeated.

    Args:
        image: the plain image.

    Returns:
        (phases, phases) covariance, in the order of the image's phases; its rows add up to 0.

    Limits: a statement on the average over all positions of the object on the grid. An object that is
        symmetric about the grid's planes repeats its roundings, and scatters more by the root of how often.
        Several faces of a flat interface share one rounding: layers scatter less by a factor of up to 2.
        Translations are sought in periodic images only.
    Cost: a comparison a voxel and axis; a Fourier transform where sums over planes repeat themselves.

    Source: for a circle of R voxels 8 R / 12 = 0.667 R, where D. G. Kendall (1948), Quart. J. Math. os-19, 1,
        doi:10.1093/qmath/os-19.1.1, has 0.676 R exactly.

    Example:
        >>> half = VoxelImage(np.repeat([[0, 1]], 2, axis=0), periodic=False)
        >>> sampling_scatter(half).round(4).tolist()  # two faces, four voxels
        [[0.0104, -0.0104], [-0.0104, 0.0104]]
    """
    count = len(image.phases)
    faces, facing = np.zeros((count, count)), 0
    index = np.searchsorted(np.asarray(image.phases), image.labels).astype(np.min_scalar_type(count))
    for axis in range(image.dim):
        low = index if image.periodic else np.take(index, range(index.shape[axis] - 1), axis=axis)
        high = np.roll(index, -1, axis=axis)
        high = high if image.periodic else np.take(high, range(index.shape[axis] - 1), axis=axis)
        unlike = low != high
        np.add.at(faces, (low[unlike], high[unlike]), 1)
        facing += bool(unlike.any())
    repeats = _translations(index) if image.periodic and facing > 1 else 1
    return _by_pairs(faces + faces.T) * _PER_FACE * repeats / image.size**2


def _translations(index: np.ndarray) -> int:
    """Return how many translations leave a periodic image as it is, the one by nothing among them."""
    axes = tuple(range(index.ndim))
    sums = [index.sum(axis=axes[:axis] + axes[axis + 1 :], dtype=np.int64) for axis in axes]
    if not any(np.array_equal(line, np.roll(line, step)) for line in sums for step in range(1, line.size)):
        return 1
    field = index - index.mean()
    products = fft.irfftn(np.abs(fft.rfftn(field)) ** 2, s=index.shape)
    # Half the sum of squared differences of ranks, which are whole numbers.
    return int(np.count_nonzero(products.flat[0] - products < _SAME))


def displacement_scatter(image: CompositeImage) -> np.ndarray:
    """Covariance of the volume fractions if every interface is displaced by a voxel's edge as a whole.

    With m_ab mixed voxels that hold both the phases a and b among N voxels, interfaces of two phases moving
    together and independently of those of others,

        C = sum over a < b of  (m_ab / N)² (e_a - e_b) (e_a - e_b)'.

    Args:
        image: the composite image.

    Returns:
        (phases, phases) covariance, in the order of the image's phases; its rows add up to 0.

    Limits: a measure of size, not of what happens: shares are exact where they are counted. What the law of a
        mixed voxel leaves is worth a displacement of a hundredth of an edge or two.
    Cost: a comparison a mixed voxel and pair of phases.

    Example:
        >>> plain = VoxelImage(np.array([[0, 0], [1, 1]]))
        >>> image = CompositeImage(plain, (0, 1), [2, 3], [[0.4, 0.6]] * 2, [[1.0, 0.0]] * 2)
        >>> displacement_scatter(image).tolist()  # two of four voxels
        [[0.25, -0.25], [-0.25, 0.25]]
    """
    held = (image.parts > 0).astype(np.float64)
    return _by_pairs(((held.T @ held) / image.size) ** 2)


def _by_pairs(weights: np.ndarray) -> np.ndarray:
    """Return the sum over a < b of w_ab (e_a - e_b) (e_a - e_b)' for symmetric weights."""
    covariance = -weights
    np.fill_diagonal(covariance, 0.0)
    np.fill_diagonal(covariance, -covariance.sum(axis=1))
    return covariance
