"""Maps one after the other: a registration and what came before or after it, such as ITK's transforms."""

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from scalebridge.core.errors import FileFormatError, InputError
from scalebridge.io.stored import need, reading
from scalebridge.registration.dense_field import DenseField
from scalebridge.registration.frame import Frame
from scalebridge.registration.spatial_map import SpatialMap, lifted, nearest_affine, spread_over

_PURPOSE = "composing with ITK's transforms"


@dataclass(frozen=True)
class ItkLink:
    """One of ITK's transforms as a map of points.

    Args:
        transform: SimpleITK's.
    """

    transform: Any

    @property
    def axes(self) -> int:
        """Number of axes."""
        return int(self.transform.GetDimension())

    def __call__(self, points: np.ndarray) -> np.ndarray:
        """Map points, (n, axes), mm: one call each."""
        ready = lifted(points, self.axes)
        return np.array([self.transform.TransformPoint(p) for p in ready.tolist()]).reshape(-1, self.axes)

    def inverse(self, points: np.ndarray) -> np.ndarray:
        """Points that map onto given ones, where ITK has an inverse."""
        try:
            return ItkLink(self.transform.GetInverse())(points)
        except RuntimeError as error:
            raise InputError(
                "points", got=f"a transform without inverse ({self.transform.GetName()})",
                wanted="transforms that ITK inverts", cure="compose with its inverse the other way round",
            ) from error  # fmt: skip


@dataclass(frozen=True)
class Inverse:
    """A map from moving points back to fixed ones; NaN where no fixed point goes.

    Args:
        forward: the map.
        frame: grid of the moving image.
    """

    forward: SpatialMap | DenseField
    frame: Frame

    @property
    def axes(self) -> int:
        """Number of axes."""
        return self.forward.axes

    def __call__(self, points: np.ndarray) -> np.ndarray:
        """Map points, (n, axes), mm."""
        return self.forward.inverse(points)

    def inverse(self, points: np.ndarray) -> np.ndarray:
        """Points of the moving image that correspond to points of the fixed one."""
        return self.forward(points)


Link = SpatialMap | ItkLink | DenseField | Inverse


@dataclass(frozen=True)
class Chain:
    """Maps applied in order, always from the first one's fixed points onwards.

    Args:
        links: the maps; the first one has the fixed image's grid.
        frame: of the fixed image.
    """

    links: tuple[Link, ...]
    frame: Frame

    @property
    def axes(self) -> int:
        """Number of axes of the last points."""
        return self.links[-1].axes

    @property
    def matrix(self) -> np.ndarray:
        """Derivative of the nearest affine map over the fixed image, (axes, axes of the fixed image)."""
        return nearest_affine(self, self._known(spread_over(self.frame, 8)))[0]

    def _known(self, points: np.ndarray) -> np.ndarray:
        """Those points that have an image; all of them if these are too few for an affine map."""
        known = np.all(np.isfinite(self(points)), axis=1)
        return points[known] if known.sum() > points.shape[1] else points

    def __call__(self, points: np.ndarray) -> np.ndarray:
        """Map points, (n, axes of the fixed image), mm."""
        for link in self.links:
            points = link(points)
        return points

    def on_grid(self, frame: Frame) -> np.ndarray:
        """Map every sample of a grid along the fixed image's axes, (*shape, axes)."""
        first = self.links[0]
        points = first.on_grid(frame) if isinstance(first, SpatialMap) else first(frame.grid())
        points = points.reshape(-1, points.shape[-1])
        for link in self.links[1:]:
            points = link(points)
        return points.reshape(*frame.shape, -1)

    def inverse(self, points: np.ndarray) -> np.ndarray:
        """Points of the fixed image that correspond to given ones; NaN where there is none."""
        for link in reversed(self.links):
            points = link.inverse(points)
        return points


def compose(first: Any, *others: Any, frame: Frame | None = None) -> SpatialMap | Chain:
    """Maps applied in order: x -> others[-1](... others[0](first(x))).

    Affine maps after a registration are taken into it exactly; anything else becomes a chain, which `warp`,
    `map_points` of its own call and `write_map` (.tfm, .h5, .nii.gz) take as well.

    Args:
        first: a `Registration`, a `SpatialMap`, a chain, an inverse, a matrix (axes, axes + 1) in mm, one of
            SimpleITK's transforms, or a file of one.
        others: likewise; each takes the points that the one before gives.
        frame: grid of the fixed image, where the first one has none.

    Raises:
        InputError: something that is no map, axes that do not follow, or no grid.
        FileFormatError: a file that cannot be read.

    Example:
        >>> grid = Frame((4, 4), (0.0, 0.0), (1.0, 1.0))
        >>> both = compose(SpatialMap(2 * np.eye(2), np.zeros(2), grid), [[1, 0, 5], [0, 1, 0]])
        >>> both(np.array([[1.0, 1.0]])).tolist()
        [[7.0, 2.0]]
    """
    grid = frame or getattr(first, "fixed_frame", None) or getattr(first, "frame", None)
    if grid is None:
        raise InputError(
            "frame", got="no grid", wanted="the fixed image's grid", cure="pass frame=image.frame"
        )
    links: list[Link] = []
    for link in (link for given in (first, *others) for link in _links(given, grid)):
        last = links[-1] if links else None
        if last is not None and last.axes != link.axes:
            raise InputError(
                "others",
                got=f"a map of {link.axes} axes after one that gives points of {last.axes}",
                wanted="as many axes", cure="a section's map into a volume is followed by maps of space",
            )  # fmt: skip
        if isinstance(last, SpatialMap) and isinstance(link, SpatialMap) and link.coefficients is None:
            links[-1] = replace(last, matrix=link.matrix @ last.matrix, shift=link(last.shift[None])[0])
        else:
            links.append(link)
    only = links[0]
    return only if len(links) == 1 and isinstance(only, SpatialMap) else Chain(tuple(links), grid)


def _links(given: Any, frame: Frame) -> tuple[Link, ...]:
    return given.links if isinstance(given, Chain) else (_link(given, frame),)


def _link(given: Any, frame: Frame) -> Link:
    if isinstance(getattr(given, "map", None), SpatialMap):  # of a registration, whose file imports this one
        return given.map
    if isinstance(given, SpatialMap | DenseField | Inverse):
        return given
    if isinstance(given, str | os.PathLike):
        return _from_file(Path(given), frame)
    if hasattr(given, "TransformPoint"):
        return _from_itk(given, frame)
    try:
        matrix = np.asarray(given, dtype=float)
    except (TypeError, ValueError):
        matrix = np.zeros(0)
    if matrix.shape in ((2, 3), (3, 4)) and np.all(np.isfinite(matrix)):
        return SpatialMap(matrix[:, :-1], matrix[:, -1], frame)
    raise InputError(
        "others",
        got=repr(given)[:60],
        wanted="a registration, a map, a matrix (axes, axes + 1) or a transform",
        cure="read the file by SimpleITK.ReadTransform first, or pass its path",
    )  # fmt: skip


def _from_file(file: Path, frame: Frame) -> Link:
    sitk = need("SimpleITK", extra="itk", purpose=_PURPOSE)
    if not file.is_file():
        raise FileFormatError(
            "others", got=f"'{file}', which does not exist", wanted="a transform", cure="check the path"
        )
    with reading(file, "transform"):
        if file.name.endswith((".nii", ".nii.gz")):
            return DenseField.read(file)
        return _from_itk(sitk.ReadTransform(str(file)), frame)


def _from_itk(transform: Any, frame: Frame) -> SpatialMap | ItkLink:
    """Linear transforms become matrices, so that they can be taken in exactly."""
    return SpatialMap(*linear_part(transform), frame) if transform.IsLinear() else ItkLink(transform)


def linear_part(transform: Any) -> tuple[np.ndarray, np.ndarray]:
    """Matrix and shift of one of ITK's linear transforms."""
    axes = int(transform.GetDimension())
    first = np.array(transform.TransformPoint([0.0] * axes))
    columns = [np.array(transform.TransformPoint(e.tolist())) - first for e in np.eye(axes)]
    return np.array(columns).T, first
