"""How far the volume fractions of a plain image may be from those of the smooth object it shows."""

import itertools

import numpy as np

from scalebridge.grids.image import VoxelImage

_PER_FACE = (
    1.0 / 12.0
)  # variance of what rounding a voxel's share to 0 or 1 leaves, where any share is as likely


def sampling_scatter(image: VoxelImage) -> np.ndarray:
    """Covariance of the volume fractions that comes from asking each voxel for its middle only.

    Every face between voxels of different phases stands for a cut voxel whose share was rounded to 0 or 1;
    roundings are independent. With m_ab faces between phases a and b among N voxels,

        C = sum over a < b of  m_ab / (12 N²) (e_a - e_b) (e_a - e_b)'.

    Args:
        image: the plain image.

    Returns:
        (phases, phases) covariance, in the order of the image's phases; its rows add up to 0.

    Limits: a statement on the average over all positions of the object on the grid. An object that is
        symmetric about the grid's planes repeats its roundings, and scatters more by the root of how often.
    Cost: a comparison a voxel and axis.

    Source: for a circle of R voxels 8 R / 12 = 0.667 R, where D. G. Kendall (1948), Quart. J. Math. os-19, 1,
        doi:10.1093/qmath/os-19.1.1, has 0.676 R exactly.

    Example:
        >>> half = VoxelImage(np.repeat([[0, 1]], 2, axis=0), periodic=False)
        >>> sampling_scatter(half).round(4).tolist()  # two faces, four voxels
        [[0.0104, -0.0104], [-0.0104, 0.0104]]
    """
    count = len(image.phases)
    faces = np.zeros((count, count))
    index = np.searchsorted(np.asarray(image.phases), image.labels).astype(np.min_scalar_type(count))
    for axis in range(image.dim):
        low = index if image.periodic else np.take(index, range(index.shape[axis] - 1), axis=axis)
        high = np.roll(index, -1, axis=axis)
        high = high if image.periodic else np.take(high, range(index.shape[axis] - 1), axis=axis)
        unlike = low != high
        np.add.at(faces, (low[unlike], high[unlike]), 1)
    covariance = np.zeros((count, count))
    for a, b in itertools.combinations(range(count), 2):
        step = np.zeros(count)
        step[a], step[b] = 1, -1
        covariance += (faces[a, b] + faces[b, a]) * np.outer(step, step)
    return covariance * _PER_FACE / image.size**2
