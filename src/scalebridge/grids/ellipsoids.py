"""Images of ellipsoids (in the plane ellipses): at given places, or random, with or without overlap."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from scalebridge.core.errors import ImageError, SolverError
from scalebridge.grids.box import box_edges, box_voxel, cell_shape, checked_fraction, checked_seed
from scalebridge.grids.contacts import contact_function
from scalebridge.grids.geometry import Bodies, wrapped
from scalebridge.grids.image import VoxelImage
from scalebridge.grids.insertion import close_pairs, insert_bodies
from scalebridge.grids.orientations import Orientation, draw_axes

_JAMMED = 0.56  # fraction, with the room counted in, that pushing reaches for moderate aspects
_ROOM, _LEAST_ROOM = 0.05, 0.01  # relative to the size; halved for every fresh start
_STARTS = 3
_STEPS = 600  # rounds of pushing from one start
_ROUNDS = 60  # of Monte Carlo moves afterwards
_MOVED = 0.25  # share of the ellipsoids that a round moves

Voxel = float | Sequence[float] | None


@dataclass(frozen=True, eq=False)
class Ellipsoids(Bodies):
    """Ellipsoids in a periodic box, lengths in units of its edge along x.

    Args:
        centres: shape (count, dim).
        semi_axes: shape (count, dim).
        axes: rotations whose rows are the ellipsoid's own axes, shape (count, dim, dim).
        edges: of the box, shape (dim,).
    """

    centres: np.ndarray
    semi_axes: np.ndarray
    axes: np.ndarray
    edges: np.ndarray

    @property
    def half_extents(self) -> np.ndarray:
        return np.sqrt(np.einsum("nk,nki->ni", self.semi_axes**2, self.axes**2))

    @property
    def volumes(self) -> np.ndarray:
        """Volume (in the plane area) of each, in units of the edge along x to the power of the dimension."""
        unit = 4 / 3 * math.pi if self.edges.size == 3 else math.pi
        return unit * np.prod(self.semi_axes, axis=1)

    def contains(self, number: int, away: Sequence[np.ndarray]) -> np.ndarray:
        total: Any = 0.0
        for own, length in zip(self.axes[number], self.semi_axes[number], strict=True):
            part: Any = sum(float(unit) * component for unit, component in zip(own, away, strict=True))
            total = total + (part / length) ** 2
        return np.asarray(total <= 1)


def ellipsoids_image(
    centres: ArrayLike,
    semi_axes: ArrayLike,
    cells: int | Sequence[int],
    *,
    axes: ArrayLike | None = None,
    voxel: Voxel = None,
) -> VoxelImage:
    """Voxelise ellipsoids in a periodic box: label 1 where a voxel's centre lies in one, 0 elsewhere.

    sum_k ((x - c) . u_k / a_k)^2 <= 1 for some ellipsoid or one of its periodic images.

    Args:
        centres: shape (count, 3), or (count, 2) for ellipses, in units of the box's edge along x, from the
            box's corner.
        semi_axes: a_k in the same unit, shape (dim,) for all or (count, dim). Ellipsoids may overlap and be
            longer than the box.
        cells: number of voxels, one number or one for each axis.
        axes: u_k as rows of rotations, shape (dim, dim) for all or (count, dim, dim); along x, y, z unless
            given.
        voxel: edge length in metres, one or one for each axis.

    Returns:
        the periodic image; `exact_shapes` makes the ellipsoids of it again.

    Raises:
        ImageError: centres, semi-axes or axes of another shape, not finite, not positive, not rotations.

    Cost: the sum of the ellipsoids' bounding boxes, a byte a voxel.

    Example:
        >>> ellipsoids_image([[0.5, 0.5]], [0.45, 0.2], 4).labels.tolist()
        [[0, 0, 0, 0], [0, 1, 1, 0], [0, 1, 1, 0], [0, 0, 0, 0]]
    """
    places, lengths, turns = _checked_ellipsoids(centres, semi_axes, axes)
    shape = cell_shape(cells, places.shape[1])
    size = box_voxel(voxel, shape)
    bodies = Ellipsoids(places, lengths, turns, box_edges(shape, size))
    return _image(bodies, shape, size, {"generator": "ellipsoids_image"})


def random_ellipsoids(
    cells: int | Sequence[int],
    *,
    volume_fraction: float,
    count: int,
    seed: int,
    aspect: Sequence[float] = (2.0, 1.0, 1.0),
    orientation: Orientation = "isotropic",
    direction: Sequence[float] | None = None,
    overlap: bool = False,
    dim: int = 3,
    voxel: Voxel = None,
) -> VoxelImage:
    """Put equal ellipsoids (label 1) at random into a periodic matrix (label 0), with or without overlap.

    Without overlap they are inserted one after the other at random places. If one finds no room, the rest is
    put anywhere, overlapping pairs are pushed apart until none is left, and Monte Carlo moves without overlap
    erase the contacts that the pushing made; orientations stay as they were drawn. With overlap all places
    are equally likely (a Boolean model with a fixed number), and the size is the one for which the union has
    the wanted fraction in the mean over seeds, 1 - (1 - v)^count with the share v of one.

    Args:
        cells: number of voxels, one number or one for each axis.
        volume_fraction: share of the ellipsoids. Without overlap it is exact for the ellipsoids; 0.25 is
            reached at once, 0.5 with some time for aspects up to 3.
        count: number of ellipsoids. The size follows.
        seed: whole number; the same seed gives the same image.
        aspect: ratio of the axes, one number for each dimension, the first along the particle's first axis:
            (4, 1, 1) needles, (1, 4, 4) discs whose normal is the first axis.
        orientation: of the first axis: "isotropic", "aligned", "planar", or a concentration kappa about the
            direction (von Mises-Fisher); see `draw_axes`.
        direction: the direction of "aligned" and of the concentration, the normal of "planar"; x unless
            given.
        overlap: whether they may.
        dim: 3 for ellipsoids, 2 for ellipses; then `aspect` has two numbers, of three the first two count.
        voxel: edge length in metres, one or one for each axis.

    Returns:
        the periodic image; `source` has the exact `centres`, `semi_axes` and `axes` in units of the edge
        along x, the `volume_fraction` of the shapes (with overlap the expected one), and the `method`.

    Raises:
        ImageError: an impossible fraction, count, aspect or orientation, or ellipsoids longer than the box.
        SolverError: no room was found for all of them.

    Cost: 100 ellipsoids of aspect 2 at 0.25 in 0.3 s, at 0.45 in some seconds; the image as
        `ellipsoids_image`.

    Source: contact function after J. W. Perram and M. S. Wertheim (1985), J. Comput. Phys. 58, 409,
        doi:10.1016/0021-9991(85)90171-8.

    Example:
        >>> image = random_ellipsoids(32, volume_fraction=0.1, count=6, seed=3, aspect=(3, 1, 1))
        >>> image.source["method"], round(image.fractions[1], 1)
        ('random sequential addition', 0.1)
    """
    shape = cell_shape(cells, dim)
    size = box_voxel(voxel, shape)
    edges = box_edges(shape, size)
    share = checked_fraction(volume_fraction, "volume_fraction", 0.99 if overlap else 0.7, "no room is left")
    each = _each_share(share, checked_count(count), overlap)
    lengths = _semi_axes(aspect, each * float(np.prod(edges)), dim)
    if not overlap and 2 * lengths.max() > edges.min():
        got = f"{count}, which makes a length of {2 * lengths.max():.4g} in a box of {edges.min():.4g}"
        cure = "use more ellipsoids, a smaller volume fraction or a smaller aspect"
        raise ImageError("count", got=got, wanted="ellipsoids that do not reach their own image", cure=cure)
    rng = np.random.default_rng(checked_seed(seed))
    axes = draw_axes(count, dim, orientation, direction, rng)
    if overlap:
        centres, method = rng.random((count, dim)) * edges, "independent places"
    else:
        centres, method = _packed(lengths, axes, share, edges, rng)
    source = {
        "generator": "random_ellipsoids",
        "volume_fraction": share,
        "count": int(count),
        "seed": int(seed),
        "aspect": [float(ratio) for ratio in aspect],
        "orientation": orientation,
        "direction": None if direction is None else [float(part) for part in direction],
        "overlap": bool(overlap),
        "method": method,
    }
    return _image(Ellipsoids(centres, np.tile(lengths, (count, 1)), axes, edges), shape, size, source)


def checked_count(count: int) -> int:
    """Return a number of bodies, or refuse it.

    Raises:
        ImageError: not a whole number of at least 1.
    """
    if isinstance(count, int | np.integer) and not isinstance(count, bool) and count >= 1:
        return int(count)
    cure = "write for example count=30"
    raise ImageError("count", got=repr(count), wanted="a whole number of at least 1", cure=cure)


def _each_share(share: float, count: int, overlap: bool) -> float:
    """Return the share of the box that one body has, so that all together have the wanted one."""
    return 1 - (1 - share) ** (1 / count) if overlap else share / count


def _semi_axes(aspect: Sequence[float], volume: float, dim: int) -> np.ndarray:
    ratios = np.asarray(aspect, dtype=float)[:dim] if np.ndim(aspect) == 1 else np.zeros(0)
    if ratios.shape != (dim,) or not np.all((ratios > 0) & np.isfinite(ratios)):
        cure = f"write for example aspect={(2.0, 1.0, 1.0)[:dim]}"
        raise ImageError("aspect", got=repr(aspect), wanted=f"{dim} positive numbers", cure=cure)
    unit = 4 / 3 * math.pi if dim == 3 else math.pi
    return ratios * (volume / (unit * float(np.prod(ratios)))) ** (1 / dim)


def _image(
    bodies: Ellipsoids, shape: tuple[int, ...], voxel: tuple[float, ...] | None, source: dict[str, Any]
) -> VoxelImage:
    exact = {
        "centres": bodies.centres.tolist(),
        "semi_axes": bodies.semi_axes.tolist(),
        "axes": bodies.axes.tolist(),
    }
    return VoxelImage(bodies.voxelised(shape), voxel=voxel, source=source | exact)


# ----------------------------------------------------------------------------------------------- packing


def _packed(
    lengths: np.ndarray, axes: np.ndarray, share: float, edges: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, str]:
    """Return centres of ellipsoids that do not overlap, and how they were found."""
    matrices = np.einsum("nki,k,nkj->nij", axes, lengths**2, axes)
    longest = float(lengths.max())

    def apart(one: np.ndarray, other: np.ndarray, away: np.ndarray) -> np.ndarray:
        clear = np.sum(away**2, axis=1) >= (2 * lengths.min()) ** 2  # nearer ones overlap however they turn
        look = np.flatnonzero(clear)
        clear[look] = contact_function(matrices[one[look]], matrices[other[look]], away[look]) >= 1
        return clear

    centres = insert_bodies(len(axes), longest, apart, edges, rng)
    if len(centres) == len(axes):
        return centres, "random sequential addition"
    room = min(_ROOM, max((_JAMMED / share) ** (1 / edges.size) - 1, _LEAST_ROOM))
    for start in range(_STARTS):
        extra = rng.random((len(axes) - len(centres), edges.size)) * edges
        pushed = _pushed(np.concatenate([centres, extra]), matrices, longest, room / 2**start, edges)
        if pushed is not None:
            return _shuffled(pushed, matrices, longest, edges, rng), "overlap removal, then Monte Carlo moves"
        centres = centres[:0]
    raise SolverError(
        f"{len(axes)} ellipsoids of volume fraction {share:g} still overlap after {_STARTS} starts of "
        f"{_STEPS} rounds of pushing apart; use a smaller volume fraction, an aspect nearer to 1, or a "
        "narrower spread of orientations"
    )


def _pushed(
    centres: np.ndarray, matrices: np.ndarray, longest: float, room: float, edges: np.ndarray
) -> np.ndarray | None:
    """Push pairs apart until all have half of the room to spare; None if they are jammed.

    The contact function falls with the square of the distance, so that a pair at the contact value F is just
    apart when the distance is larger by 1 / sqrt(F).
    """
    wanted = 1 + room
    for _ in range(_STEPS):
        one, other, away = _pairs(centres, longest * wanted, edges)
        near = np.sqrt(contact_function(matrices[one], matrices[other], away))
        if near.min(initial=wanted) >= 1 + room / 2:
            return centres
        push = away * (0.5 * (wanted / np.maximum(near, 1e-6) - 1))[:, None] * (near < wanted)[:, None]
        push *= np.minimum(1, longest / np.maximum(np.linalg.norm(push, axis=1), 1e-300))[:, None]
        centres = centres.copy()
        np.subtract.at(centres, one, push)
        np.add.at(centres, other, push)
        centres = wrapped(centres, edges)
    return None


def _shuffled(
    centres: np.ndarray, matrices: np.ndarray, longest: float, edges: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Move a quarter of the ellipsoids at a time at random, but never to an overlap."""
    count, step = len(centres), 0.1 * longest
    for _ in range(_ROUNDS):
        movers = np.flatnonzero(rng.random(count) < _MOVED)
        trial = centres.copy()
        trial[movers] += step * rng.uniform(-1, 1, (movers.size, edges.size))
        trial = wrapped(trial, edges)
        free = np.setdiff1d(movers, _in_conflict(centres, trial, matrices, longest, edges))
        centres = centres.copy()
        centres[free] = trial[free]
        step = min(step * (1.05 if 2 * free.size > movers.size else 0.95), 0.25 * float(edges.min()))
    return centres


def _in_conflict(
    centres: np.ndarray, trial: np.ndarray, matrices: np.ndarray, longest: float, edges: np.ndarray
) -> np.ndarray:
    """Return bodies whose new place overlaps another's old or new one; both of such a pair stay."""
    found = []
    for others in (centres, trial):
        one, other, away = close_pairs(trial, others, longest, edges)
        keep = one != other
        one, other, away = one[keep], other[keep], away[keep]
        touch = contact_function(matrices[one], matrices[other], away) < 1
        found += [one[touch], other[touch]]
    return np.unique(np.concatenate(found))


def _pairs(centres: np.ndarray, reach: float, edges: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return every pair of different bodies that can touch, once for each image."""
    one, other, away = close_pairs(centres, centres, reach, edges)
    keep = one < other
    return one[keep], other[keep], away[keep]


def _checked_ellipsoids(
    centres: ArrayLike, semi_axes: ArrayLike, axes: ArrayLike | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    places = np.asarray(centres, dtype=float)
    if places.ndim != 2 or places.shape[1] not in (2, 3) or not len(places) or not np.isfinite(places).all():
        got = f"shape {places.shape}" if np.isfinite(places).all() else "numbers that are not finite"
        cure = "write for example [[0.5, 0.5, 0.5]]"
        raise ImageError("centres", got=got, wanted="finite numbers of shape (count, 2 or 3)", cure=cure)
    count, dim = places.shape
    lengths = np.asarray(semi_axes, dtype=float)
    if lengths.shape not in ((dim,), (count, dim)) or not np.all((lengths > 0) & np.isfinite(lengths)):
        wanted = f"positive numbers of shape {(dim,)} or {(count, dim)}"
        cure = "semi-axes are in units of the box's edge along x"
        raise ImageError("semi_axes", got=f"shape {lengths.shape}", wanted=wanted, cure=cure)
    turns = np.eye(dim) if axes is None else np.asarray(axes, dtype=float)
    square = turns.shape in ((dim, dim), (count, dim, dim))
    if not square or not np.allclose(turns @ np.swapaxes(turns, -1, -2), np.eye(dim), atol=1e-9):
        wanted = f"rotations of shape {(dim, dim)} or {(count, dim, dim)}"
        cure = "rows are unit vectors at right angles"
        raise ImageError("axes", got=f"shape {turns.shape}", wanted=wanted, cure=cure)
    return (
        places,
        np.broadcast_to(lengths, (count, dim)),
        np.broadcast_to(turns, (count, dim, dim)),
    )
