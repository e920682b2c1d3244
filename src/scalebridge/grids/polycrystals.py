"""Images of polycrystals: Voronoi and Laguerre tessellations of a periodic box, one label a grain."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.spatial import KDTree
from scipy.spatial.transform import Rotation

from scalebridge.core.errors import ImageError
from scalebridge.core.threads import thread_count
from scalebridge.grids.box import box_edges, box_voxel, cell_shape, checked_seed
from scalebridge.grids.ellipsoids import checked_count
from scalebridge.grids.geometry import Geometry, checked_points, voxel_centres, wrapped
from scalebridge.grids.image import VoxelImage

_SLAB = 1 << 18  # points that are looked up at once

Voxel = float | Sequence[float] | None


@dataclass(frozen=True, eq=False)
class Grains(Geometry):
    """Voronoi or Laguerre cells in a periodic box, lengths in units of its edge along x.

    Args:
        seeds: shape (count, dim).
        weights: shape (count,), squares of lengths; all zero for Voronoi cells.
        edges: of the box, shape (dim,).
    """

    seeds: np.ndarray
    weights: np.ndarray
    edges: np.ndarray

    def label_at(self, points: ArrayLike) -> np.ndarray:
        places, shape = checked_points(points, self.edges.size)
        return self._nearest(self._tree(), places).reshape(shape)

    def voxelised(self, shape: tuple[int, ...]) -> np.ndarray:
        """Return the labels of the centres of so many voxels. Cost: about 1 us a voxel and core."""
        tree, found = self._tree(), []
        step = max(1, _SLAB * shape[0] // int(np.prod(shape)))
        for start in range(0, shape[0], step):
            count = min(step, shape[0] - start)
            part = (count, *shape[1:])
            box = self.edges * (np.array(part) / shape)
            places = voxel_centres(part, box) + np.eye(len(shape))[0] * (start / shape[0] * self.edges[0])
            found.append(self._nearest(tree, places.reshape(-1, len(shape))).reshape(part))
        return np.concatenate(found)

    def _tree(self) -> KDTree:
        # |x - s|^2 - w is, but for a constant, the squared distance to a seed lifted out of space by
        # sqrt(max w - w): the nearest lifted seed owns the point. The box does not repeat along the lift.
        lift = np.sqrt(self.weights.max() - self.weights)
        lifted = np.column_stack([wrapped(self.seeds, self.edges), lift])
        return KDTree(lifted, boxsize=np.append(self.edges, 0.0))

    def _nearest(self, tree: KDTree, places: np.ndarray) -> np.ndarray:
        lifted = np.column_stack([wrapped(places, self.edges), np.zeros(len(places))])
        kind = np.min_scalar_type(len(self.seeds) - 1)
        return tree.query(lifted, workers=thread_count())[1].astype(kind)


def voronoi_image(
    seeds: ArrayLike,
    cells: int | Sequence[int],
    *,
    weights: ArrayLike | None = None,
    voxel: Voxel = None,
) -> VoxelImage:
    """Divide a periodic box into grains: a voxel's label is the number of the seed that is nearest.

    label(x) = argmin_i |x - s_i|^2 - w_i over all periodic images: a Voronoi tessellation where the weights
    are equal, otherwise a Laguerre (power) tessellation. With w_i = r_i^2 the faces between touching balls of
    radii r_i go through the points of contact.

    Args:
        seeds: s_i, shape (count, 3), or (count, 2) in the plane, in units of the box's edge along x.
        cells: number of voxels, one number or one for each axis.
        weights: w_i, shape (count,), squares of lengths in that unit. Large differences leave grains empty.
        voxel: edge length in metres, one or one for each axis.

    Returns:
        the periodic image, labels 0 to count - 1; one of an empty grain does not occur.

    Raises:
        ImageError: seeds or weights of another shape, or not finite.

    Cost: about 1 us a voxel and core: 128^3 in 2 s.

    Source: F. Aurenhammer (1987), SIAM J. Comput. 16, 78, doi:10.1137/0216006 (power diagrams and the lift).

    Example:
        >>> voronoi_image([[0.25, 0.5], [0.75, 0.5]], 4).labels.tolist()
        [[0, 0, 0, 0], [0, 0, 0, 0], [1, 1, 1, 1], [1, 1, 1, 1]]
    """
    places = _checked_seeds(seeds)
    shape = cell_shape(cells, places.shape[1])
    size = box_voxel(voxel, shape)
    grains = Grains(places, _checked_weights(weights, len(places)), box_edges(shape, size))
    return _image(grains, shape, size, {"generator": "voronoi_image"})


def random_polycrystal(
    cells: int | Sequence[int],
    *,
    count: int,
    seed: int,
    weights: ArrayLike | None = None,
    dim: int = 3,
    voxel: Voxel = None,
) -> VoxelImage:
    """Divide a periodic box into the Voronoi cells of random points, each with a random orientation.

    Seeds are independent and uniform (a Poisson-Voronoi tessellation with a fixed number of grains), and so
    are the orientations. For grains of more equal size pass the centres of `random_spheres` to
    `voronoi_image`.

    Args:
        cells: number of voxels, one number or one for each axis.
        count: number of grains.
        seed: whole number; the same seed gives the same image.
        weights: shape (count,), squares of lengths in units of the box's edge along x, for Laguerre cells.
        dim: 3 or 2.
        voxel: edge length in metres, one or one for each axis.

    Returns:
        the periodic image, labels 0 to count - 1; `source` has the exact `seeds` and `weights`, and in space
        the `orientations`: unit quaternions (w, x, y, z), shape (count, 4), each of the rotation that turns
        the crystal's axes into those of the image; in the plane angles in radians, shape (count,).

    Raises:
        ImageError: a number of grains or a seed that is not one, or weights of another shape.

    Cost: as `voronoi_image`.

    Source: the variance of the volume of a Poisson-Voronoi cell is 0.179 (in the plane 0.280) of the square
        of its mean: E. N. Gilbert (1962), Ann. Math. Stat. 33, 958, doi:10.1214/aoms/1177704464.

    Example:
        >>> image = random_polycrystal(16, count=5, seed=2)
        >>> image.phases, len(image.source["orientations"])
        ((0, 1, 2, 3, 4), 5)
    """
    shape = cell_shape(cells, dim)
    size = box_voxel(voxel, shape)
    edges = box_edges(shape, size)
    number = checked_count(count)
    rng = np.random.default_rng(checked_seed(seed))
    grains = Grains(rng.random((number, dim)) * edges, _checked_weights(weights, number), edges)
    if dim == 3:
        turns = Rotation.random(number, rng).as_quat(canonical=True, scalar_first=True)
    else:
        turns = rng.uniform(0, 2 * np.pi, number)
    source = {"generator": "random_polycrystal", "seed": int(seed), "orientations": turns.tolist()}
    return _image(grains, shape, size, source)


def _image(
    grains: Grains, shape: tuple[int, ...], voxel: tuple[float, ...] | None, source: dict[str, Any]
) -> VoxelImage:
    exact = {"seeds": grains.seeds.tolist(), "weights": grains.weights.tolist()}
    return VoxelImage(grains.voxelised(shape), voxel=voxel, source=source | exact)


def _checked_seeds(seeds: ArrayLike) -> np.ndarray:
    places = np.asarray(seeds, dtype=float)
    if places.ndim != 2 or places.shape[1] not in (2, 3) or not len(places) or not np.isfinite(places).all():
        got = f"shape {places.shape}" if np.isfinite(places).all() else "numbers that are not finite"
        cure = "write for example [[0.2, 0.3, 0.9], [0.7, 0.1, 0.4]]"
        raise ImageError("seeds", got=got, wanted="finite numbers of shape (count, 2 or 3)", cure=cure)
    return places


def _checked_weights(weights: ArrayLike | None, count: int) -> np.ndarray:
    given = np.zeros(count) if weights is None else np.asarray(weights, dtype=float)
    if given.shape != (count,) or not np.isfinite(given).all():
        cure = "give squares of lengths in units of the box's edge along x, one for each grain"
        raise ImageError("weights", got=f"shape {given.shape}", wanted=f"{count} finite numbers", cure=cure)
    return given
