"""Images of plain geometry whose effective properties are known or bounded: layers, boards, squares, noise.

All are periodic. Balls and cylinders are in `balls`, random packings in `packing`.
"""

import math
from collections.abc import Sequence
from fractions import Fraction

import numpy as np

from scalebridge.core.errors import ImageError
from scalebridge.grids.box import box_voxel, cell_shape, checked_fraction, checked_seed
from scalebridge.grids.image import VoxelImage, axis_index

_WHOLE = 1e-6  # how far, in voxels, a face may be from the nearest voxel face and still count as on it

Voxel = float | Sequence[float] | None


def laminate_image(
    fractions: Sequence[float],
    cells: int | Sequence[int],
    *,
    axis: int | str = "x",
    dim: int = 3,
    voxel: Voxel = None,
) -> VoxelImage:
    """Stack layers along an axis; the i-th layer from the origin has label i.

    Args:
        fractions: share of each layer, positive, adding up to 1; every one must be a whole number of voxels.
        cells: number of voxels, one number or one for each axis. Across the layers 2 voxels suffice.
        axis: the layers' normal.
        dim: number of axes.
        voxel: edge length in metres, one or one for each axis.

    Returns:
        the periodic image. Its effective conductivity is the arithmetic mean along the layers and the
        harmonic mean across them, exactly on any grid.

    Raises:
        ImageError: fractions that do not add up to 1 or do not fall on voxel faces, with the nearest that do.

    Cost: one voxel a byte.

    Example:
        >>> laminate_image([0.25, 0.75], (4, 2), dim=2).labels.tolist()
        [[0, 0], [1, 1], [1, 1], [1, 1]]
    """
    shape = cell_shape(cells, dim)
    normal = axis_index(axis, dim)
    layers = _whole_layers(fractions, shape[normal], "xyz"[normal])
    profile = np.repeat(np.arange(len(layers)), layers)
    labels = np.broadcast_to(profile.reshape([-1 if i == normal else 1 for i in range(dim)]), shape)
    shares = [float(share) for share in fractions]
    source = {"generator": "laminate_image", "fractions": shares, "axis": "xyz"[normal]}
    return VoxelImage(labels, voxel=box_voxel(voxel, shape), source=source)


def checkerboard(cells: int | Sequence[int], *, dim: int = 2, voxel: Voxel = None) -> VoxelImage:
    """Fill a square with 2 x 2 squares, or a cube with 2 x 2 x 2 cubes, of alternating labels 0 and 1.

    Args:
        cells: even number of voxels along each axis, one number or one for each.
        dim: number of axes.
        voxel: edge length in metres along x; the others follow, because the cell is a square or cube.

    Returns:
        the periodic image, label 0 at the origin. In 2-D its conductivity is sqrt(k0 k1) in every direction
        (Dykhne 1970).

    Raises:
        ImageError: an odd number of voxels, or voxels that do not make a square or cube.

    Cost: one voxel a byte.

    Example:
        >>> checkerboard(4).labels.tolist()
        [[0, 0, 1, 1], [0, 0, 1, 1], [1, 1, 0, 0], [1, 1, 0, 0]]
    """
    shape = cell_shape(cells, dim)
    if any(n % 2 for n in shape):
        cure = "use an even number of voxels along each axis"
        raise ImageError("cells", got=repr(cells), wanted="two equal halves along each axis", cure=cure)
    labels = np.zeros(shape, dtype=np.uint8)
    for half in np.ix_(*[(np.arange(n) >= n // 2).astype(np.uint8) for n in shape]):
        labels ^= half
    size = box_voxel(voxel, shape, (1,) * dim)
    return VoxelImage(labels, voxel=size, source={"generator": "checkerboard"})


def square_inclusion(cells: int | Sequence[int], side: float = 0.5, *, voxel: Voxel = None) -> VoxelImage:
    """Put a square (label 1) into a square cell (label 0), in the middle to within half a voxel.

    Args:
        cells: number of voxels along each of two axes, one number or two.
        side: the inclusion's side relative to the cell's, a whole number of voxels.
        voxel: edge length in metres along x; the other follows, because the cell is a square.

    Returns:
        the periodic 2-D image. With side 1/2 its conductivity is k0 sqrt((k0 + 3 k1) / (3 k0 + k1)) (Y. V.
        Obnosov (1999), SIAM J. Appl. Math. 59, 1267, doi:10.1137/S0036139997321389).

    Raises:
        ImageError: a side that is not between 0 and 1 or does not fall on voxel faces.

    Cost: one voxel a byte.

    Example:
        >>> square_inclusion(4).labels.tolist()
        [[0, 0, 0, 0], [0, 1, 1, 0], [0, 1, 1, 0], [0, 0, 0, 0]]
    """
    shape = cell_shape(cells, 2)
    checked_fraction(side, "side", 1 - 1 / min(shape), "one layer of voxels is left")
    labels = np.zeros(shape, dtype=np.uint8)
    box = []
    for axis, n in enumerate(shape):
        margin = (1 - side) / 2
        length = _whole_layers([side, 1 - side], n, "xy"[axis])[0]
        start = math.floor(margin * n + _WHOLE)
        box.append(slice(start, start + length))
    labels[tuple(box)] = 1
    source = {"generator": "square_inclusion", "side": float(side)}
    return VoxelImage(labels, voxel=box_voxel(voxel, shape, (1, 1)), source=source)


def random_voxels(
    cells: int | Sequence[int],
    *,
    volume_fraction: float,
    seed: int,
    dim: int = 3,
    voxel: Voxel = None,
) -> VoxelImage:
    """Give each voxel label 1 with a probability, independently of all others, and label 0 otherwise.

    Args:
        cells: number of voxels, one number or one for each axis.
        volume_fraction: the probability p of label 1, between 0 and 1. The fraction found differs from it by
            about sqrt(p (1 - p) / N) for N voxels.
        seed: whole number; the same seed gives the same image.
        dim: number of axes.
        voxel: edge length in metres, one or one for each axis.

    Returns:
        the periodic image. Face-connected voxels percolate above p = 0.5927 on squares and 0.3116 on cubes.

    Raises:
        ImageError: a probability or a seed that is not one.

    Limits: no scheme resolves single voxels; use this to test solvers, not to model a material.

    Cost: 8 bytes a voxel while it is made.

    Example:
        >>> random_voxels(32, volume_fraction=0.3, seed=1).phases
        (0, 1)
    """
    shape = cell_shape(cells, dim)
    probability = checked_fraction(volume_fraction, "volume_fraction", 1.0, "every voxel has label 1")
    labels = np.random.default_rng(checked_seed(seed)).random(shape) < probability
    source = {"generator": "random_voxels", "volume_fraction": probability, "seed": int(seed)}
    return VoxelImage(labels, voxel=box_voxel(voxel, shape), source=source)


def _whole_layers(fractions: Sequence[float], n: int, axis: str) -> list[int]:
    """Return layer thicknesses in voxels, or refuse fractions that are not whole voxels."""
    shares = np.asarray(fractions, dtype=float)
    if shares.ndim != 1 or not np.all(shares > 0) or abs(shares.sum() - 1) > 1e-9:
        cure = "divide them by their sum"
        raise ImageError(
            "fractions", got=repr(fractions), wanted="positive numbers that add up to 1", cure=cure
        )
    faces = np.concatenate([[0.0], np.cumsum(shares)]) * n
    nearest = np.round(faces).astype(int)
    if np.abs(faces - nearest).max() > _WHOLE or np.any(np.diff(nearest) < 1):
        exact = math.lcm(
            *[Fraction(share).limit_denominator(10_000).denominator for share in shares.tolist()]
        )
        best = ", ".join(f"{count}/{n}" for count in np.diff(nearest))
        raise ImageError(
            "fractions",
            got=f"{', '.join(f'{share:.6g}' for share in shares)} of {n} voxels along {axis}",
            wanted="layers of whole voxels",
            cure=f"use a multiple of {exact} voxels along {axis}, or the nearest fractions {best}",
        )
    return np.diff(nearest).tolist()
