"""Images of balls with given places: voxelised spheres and discs, sphere lattices, arrays of cylinders."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from scalebridge.core.errors import ImageError
from scalebridge.grids.box import box_edges, box_voxel, cell_shape, checked_fraction
from scalebridge.grids.image import VoxelImage

Voxel = float | Sequence[float] | None

# Centres in units of the cube's edge, and the radius at which neighbours touch.
_LATTICES: dict[str, tuple[list[tuple[float, float, float]], float]] = {
    "sc": ([(0.5, 0.5, 0.5)], 0.5),
    "bcc": ([(0, 0, 0), (0.5, 0.5, 0.5)], math.sqrt(3) / 4),
    "fcc": ([(0, 0, 0), (0, 0.5, 0.5), (0.5, 0, 0.5), (0.5, 0.5, 0)], math.sqrt(2) / 4),
}
# Centres in units of the edge along x, the edge along y, and the radius at which neighbours touch.
_ARRAYS: dict[str, tuple[list[tuple[float, float]], float, float]] = {
    "square": ([(0.5, 0.5)], 1.0, 0.5),
    "hexagonal": ([(0, 0), (0.5, math.sqrt(3) / 2)], math.sqrt(3), 0.5),
}


def spheres_image(
    centres: ArrayLike, radii: ArrayLike, cells: int | Sequence[int], *, voxel: Voxel = None
) -> VoxelImage:
    """Voxelise balls in a periodic box: label 1 where a voxel's centre lies in a ball, 0 elsewhere.

    |x - c_i - n L| <= r_i for some ball i and whole cells n, at the voxel centres x = (j + 1/2) h.

    Args:
        centres: shape (balls, 3) for spheres or (balls, 2) for discs, in units of the box's edge along x,
            from the box's corner. Centres outside the box are wrapped into it.
        radii: one radius or one for each ball, in the same unit. Balls may overlap.
        cells: number of voxels, one number or one for each axis.
        voxel: edge length in metres, one or one for each axis.

    Returns:
        the periodic image. Its volume fraction is exact to the voxels that the surfaces cut.

    Raises:
        ImageError: centres or radii of another shape, not finite, or a radius that is not positive.

    Cost: the sum of the balls' bounding boxes in time, a byte a voxel.

    Example:
        >>> spheres_image([[0.5, 0.5]], 0.3, 4).labels.tolist()
        [[0, 0, 0, 0], [0, 1, 1, 0], [0, 1, 1, 0], [0, 0, 0, 0]]
    """
    places, sizes = _checked_balls(centres, radii)
    shape = cell_shape(cells, places.shape[1])
    size = box_voxel(voxel, shape)
    source = {"generator": "spheres_image", "centres": places.tolist(), "radii": sizes.tolist()}
    return VoxelImage(_voxelised(places, sizes, shape, box_edges(shape, size)), voxel=size, source=source)


def sphere_lattice(
    kind: str,
    cells: int | Sequence[int],
    *,
    volume_fraction: float | None = None,
    radius: float | None = None,
    voxel: Voxel = None,
) -> VoxelImage:
    """Put equal spheres (label 1) on a cubic lattice in a matrix (label 0).

    Centres in units of the cube's edge: "sc" (1/2, 1/2, 1/2); "bcc" (0, 0, 0) and (1/2, 1/2, 1/2); "fcc"
    (0, 0, 0), (0, 1/2, 1/2), (1/2, 0, 1/2) and (1/2, 1/2, 0).

    Args:
        kind: "sc", "bcc" or "fcc".
        cells: number of voxels, one number or one for each axis.
        volume_fraction: share of the spheres, up to touching: 0.5236 (sc), 0.6802 (bcc), 0.7405 (fcc).
        radius: instead of the volume fraction, in units of the cube's edge, up to 0.5, 0.4330, 0.3536.
        voxel: edge length in metres along x; the others follow, because the cell is a cube.

    Returns:
        the periodic image of the conventional cubic cell.

    Raises:
        ImageError: an unknown lattice, both or neither of fraction and radius, or spheres that would overlap.

    Cost: about two voxels' work a voxel, a byte a voxel.

    Example:
        >>> round(sphere_lattice("fcc", 64, volume_fraction=0.3).fractions[1], 2)
        0.3
    """
    centres, touching = _choice("kind", kind, _LATTICES)
    shape = cell_shape(cells, 3)
    unit = len(centres) * 4 / 3 * math.pi
    why = f"spheres of a {kind} lattice touch"
    if radius is not None and volume_fraction is None:
        size = checked_fraction(radius, "radius", touching, why)
    elif volume_fraction is not None and radius is None:
        share = checked_fraction(volume_fraction, "volume_fraction", unit * touching**3, why)
        size = min((share / unit) ** (1 / 3), touching)
    else:
        got = "neither" if radius is None else "both"
        cure = "pass exactly one of volume_fraction and radius"
        raise ImageError("volume_fraction, radius", got=got, wanted="one of them", cure=cure)
    source = {"generator": "sphere_lattice", "kind": kind, "radius": size, "volume_fraction": unit * size**3}
    labels = _voxelised(np.array(centres, dtype=float), np.full(len(centres), size), shape, np.ones(3))
    return VoxelImage(labels, voxel=box_voxel(voxel, shape, (1, 1, 1)), source=source)


def cylinder_array(
    cells: int | Sequence[int],
    area_fraction: float,
    arrangement: str = "square",
    *,
    dim: int = 2,
    voxel: Voxel = None,
) -> VoxelImage:
    """Put equal parallel cylinders (label 1), with axes along z, on a square or hexagonal lattice.

    Centres in units of the cell's edge along x: "square" (1/2, 1/2) in a square; "hexagonal" (0, 0) and
    (1/2, sqrt(3)/2) in a rectangle of 1 x sqrt(3).

    Args:
        cells: number of voxels along each axis. One number n means n along each, except along y of the
            hexagonal cell, where it means round(sqrt(3) n).
        area_fraction: share of the cylinders, up to touching: 0.7854 (square), 0.9069 (hexagonal).
        arrangement: "square" or "hexagonal".
        dim: 2 for the cross-section, 3 for the cylinders.
        voxel: edge length in metres along x; that along y follows from the cell. The hexagonal cell needs it,
            because no whole numbers of squares make its shape.

    Returns:
        the periodic image.

    Raises:
        ImageError: an unknown arrangement, cylinders that would overlap, or voxels that do not make the cell.

    Cost: about two voxels' work a voxel, a byte a voxel.

    Example:
        >>> cylinder_array(40, 0.3, "hexagonal", voxel=1e-6).shape
        (40, 69)
    """
    centres, height, touching = _choice("arrangement", arrangement, _ARRAYS)
    if np.ndim(cells) == 0:
        n = cell_shape(cells, 1)[0]
        cells = (n, round(n * height), n)[:dim]
    shape = cell_shape(cells, dim)
    unit = len(centres) * math.pi / height
    why = f"cylinders of a {arrangement} array touch"
    share = checked_fraction(area_fraction, "area_fraction", unit * touching**2, why)
    radius = math.sqrt(share / unit)
    size = box_voxel(voxel, shape, (1, height, None)[:dim])
    plane = np.array([1.0, height])
    labels = _voxelised(np.array(centres, dtype=float), np.full(len(centres), radius), shape[:2], plane)
    if dim == 3:
        labels = np.repeat(labels[:, :, None], shape[2], axis=2)
    source = {
        "generator": "cylinder_array",
        "arrangement": arrangement,
        "area_fraction": share,
        "radius": radius,
    }
    return VoxelImage(labels, voxel=size, source=source)


def _voxelised(
    centres: np.ndarray, radii: np.ndarray, shape: tuple[int, ...], edges: np.ndarray
) -> np.ndarray:
    """Mark the voxels whose centre is in a ball; lengths in units of the edge along x."""
    labels = np.zeros(shape, dtype=np.uint8)
    for centre, radius in zip(centres, radii, strict=True):
        near = [_near(*about, radius) for about in zip(centre, shape, edges, strict=True)]
        squares = np.ix_(*[distance**2 for _, distance in near])
        labels[np.ix_(*[index for index, _ in near])] |= sum(squares) <= radius**2
    return labels


def _near(centre: float, n: int, edge: float, radius: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the indices along an axis that a ball can reach, and their distances from its nearest image."""
    reach = radius * n / edge + 1
    if 2 * reach + 1 >= n:
        index = np.arange(n)
    else:
        index = np.arange(math.floor(centre * n / edge - reach), math.ceil(centre * n / edge + reach)) % n
    # Division before the product with the edge keeps voxel centres exact in a cube of 2^m voxels.
    distance = (index + 0.5) / n * edge - centre
    return index, distance - edge * np.round(distance / edge)


def _checked_balls(centres: ArrayLike, radii: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    places, sizes = np.asarray(centres, dtype=float), np.asarray(radii, dtype=float)
    if (
        places.ndim != 2
        or places.shape[1] not in (2, 3)
        or not len(places)
        or not np.all(np.isfinite(places))
    ):
        cure = "write for example [[0.5, 0.5, 0.5]]"
        got = f"shape {places.shape}" if np.all(np.isfinite(places)) else "numbers that are not finite"
        raise ImageError("centres", got=got, wanted="finite numbers of shape (balls, 2 or 3)", cure=cure)
    if sizes.shape not in ((), (len(places),)) or not np.all((sizes > 0) & np.isfinite(sizes)):
        cure = "radii are in units of the box's edge along x"
        got = f"shape {sizes.shape}, from {sizes.min(initial=np.inf)} to {sizes.max(initial=-np.inf)}"
        raise ImageError("radii", got=got, wanted=f"one positive radius, or {len(places)}", cure=cure)
    return places, np.broadcast_to(sizes, (len(places),))


def _choice(argument: str, value: str, table: dict[str, Any]) -> Any:
    if value in table:
        return table[value]
    wanted = f"one of {', '.join(table)}"
    raise ImageError(argument, got=repr(value), wanted=wanted, cure="choose one of them")
