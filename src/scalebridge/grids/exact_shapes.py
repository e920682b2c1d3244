"""The exact geometry of an image that a generator made, found again from its `source`."""

from collections.abc import Callable
from typing import Any

import numpy as np

from scalebridge.core.errors import ImageError
from scalebridge.grids.box import box_edges
from scalebridge.grids.ellipsoids import Ellipsoids
from scalebridge.grids.fibres import Fibres
from scalebridge.grids.gaussian_fields import level_cut
from scalebridge.grids.geometry import Geometry
from scalebridge.grids.image import VoxelImage
from scalebridge.grids.polycrystals import Grains


def exact_shapes(image: VoxelImage) -> Geometry:
    """Return what the voxels of a generated image are samples of: a label for every point of the box.

    `exact_shapes(image).label_at(points)` gives at the voxels' centres the labels of the image. With points
    inside a voxel it gives the voxel's exact shares of the phases, to any accuracy; with the centres of
    another grid, the same geometry on that grid. Known are balls at given or random places, ellipsoids,
    fibres, polycrystals and Gaussian fields.

    Args:
        image: as its generator returned it.

    Returns:
        the geometry, lengths in units of the box's edge along x.

    Raises:
        ImageError: the image does not come from one of these generators, or was worked on since.

    Cost: none, but for Gaussian fields, whose waves are drawn again.

    Example:
        >>> from scalebridge.grids.polycrystals import random_polycrystal
        >>> image = random_polycrystal(8, count=4, seed=0)
        >>> int(exact_shapes(image).label_at([0.0625, 0.0625, 0.0625])) == int(image.labels[0, 0, 0])
        True
    """
    source, made = image.source, _MAKERS.get(str(image.source.get("generator")))
    worked_on = source.get("operations")
    if made is None or worked_on:
        got = f"generator {source.get('generator')!r}" + (", worked on since" if worked_on else "")
        raise ImageError(
            "image",
            got=got,
            wanted=f"an image as it came from one of {', '.join(_MAKERS)}",
            cure="keep the generator's own image, and ask before cropping or mirroring it",
        )
    return made(source, box_edges(image.shape, image.voxel))


def _balls(source: dict[str, Any], edges: np.ndarray) -> Ellipsoids:
    centres = np.array(source["centres"])
    radii = np.broadcast_to(source["radii"] if "radii" in source else source["radius"], (len(centres),))
    axes = np.broadcast_to(np.eye(edges.size), (len(centres), edges.size, edges.size))
    return Ellipsoids(centres, np.repeat(radii[:, None], edges.size, axis=1), axes, edges)


def _ellipsoids(source: dict[str, Any], edges: np.ndarray) -> Ellipsoids:
    centres, semi_axes, axes = (np.array(source[key]) for key in ("centres", "semi_axes", "axes"))
    return Ellipsoids(centres, semi_axes, axes, edges)


def _fibres(source: dict[str, Any], edges: np.ndarray) -> Fibres:
    centres, directions = np.array(source["centres"]), np.array(source["directions"])
    return Fibres(centres, directions, source["length"], source["radius"], source["round_ends"], edges)


def _grains(source: dict[str, Any], edges: np.ndarray) -> Grains:
    return Grains(np.array(source["seeds"]), np.array(source["weights"]), edges)


_MAKERS: dict[str, Callable[[dict[str, Any], np.ndarray], Geometry]] = {
    "spheres_image": _balls,
    "random_spheres": _balls,
    "ellipsoids_image": _ellipsoids,
    "random_ellipsoids": _ellipsoids,
    "random_fibres": _fibres,
    "voronoi_image": _grains,
    "random_polycrystal": _grains,
    "gaussian_field_image": lambda source, _: level_cut(source),
}
