"""The grid of the fine field: its pixels, where they lie, and where a sensor's footprints lie on them."""

import importlib
from dataclasses import dataclass
from typing import Any

import numpy as np

from scalebridge.core.errors import InputError, MissingExtraError

_TOLERANCE = 1e-3  # of a pixel: coordinates that are stored in single precision


@dataclass(frozen=True)
class Grid:
    """Rows and columns of pixels with even spacing.

    Args:
        shape: (rows, columns).
        affine: (2, 3), from (row, column, 1) of a pixel's corner to (y, x).
        crs: coordinate reference system, as text; None where it is not known.
    """

    shape: tuple[int, int]
    affine: np.ndarray
    crs: str | None = None

    @property
    def edge(self) -> float:
        """Edge of a pixel: the root of its area, in the unit of the coordinates."""
        return float(np.sqrt(abs(np.linalg.det(self.affine[:, :2]))))

    def edge_in(self, crs: str | None) -> float:
        """Return the edge of a pixel in the middle in another coordinate reference system's unit."""
        if crs is None or self.crs is None or same_system(self.crs, crs):
            return self.edge
        corner = np.array(self.shape) // 2
        turn = corner + np.array([[0, 0], [0, 1], [1, 1], [1, 0]])
        y, x = reproject(turn @ self.affine[:, :2].T + self.affine[:, 2], self.crs, crs).T
        return float(np.sqrt(abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2))

    @property
    def axes(self) -> tuple[np.ndarray, np.ndarray]:
        """Y of the rows' and x of the columns' centres, of a grid that is not rotated."""
        rows, columns = (np.arange(n) + 0.5 for n in self.shape)
        return (
            self.affine[0, 0] * rows + self.affine[0, 2],
            self.affine[1, 1] * columns + self.affine[1, 2],
        )

    @property
    def corners(self) -> np.ndarray:
        """(pixels, 4, 2), corners of every pixel in turn, (y, x)."""
        rows, columns = np.meshgrid(*(np.arange(n) for n in self.shape), indexing="ij")
        turn = np.array([[0, 0], [0, 1], [1, 1], [1, 0]])
        at = np.stack([rows.ravel(), columns.ravel()], axis=1)[:, None] + turn
        return at @ self.affine[:, :2].T + self.affine[:, 2]

    def places(self, points: np.ndarray) -> np.ndarray:
        """Return (row, column) of points (..., 2) given as (y, x), in pixels from the corner."""
        return (points - self.affine[:, 2]) @ np.linalg.inv(self.affine[:, :2]).T

    def same_as(self, other: "Grid") -> bool:
        """Whether two grids have the same pixels."""
        return self.shape == other.shape and bool(
            np.abs(self.places(other.corners[[0, -1]]) - self.places(self.corners[[0, -1]])).max()
            < _TOLERANCE
        )

    def part(self, rows: slice, columns: slice) -> "Grid":
        """Return a window of whole pixels."""
        corner = self.affine[:, :2] @ np.array([rows.start, columns.start]) + self.affine[:, 2]
        shape = (rows.stop - rows.start, columns.stop - columns.start)
        return Grid(shape, np.column_stack([self.affine[:, :2], corner]), self.crs)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {"shape": list(self.shape), "affine": self.affine.tolist(), "crs": self.crs}


def index_grid(shape: tuple[int, int]) -> Grid:
    """Return the grid of an array without coordinates: pixels of edge one.

    Example:
        >>> index_grid((2, 3)).axes[1].tolist()
        [0.5, 1.5, 2.5]
    """
    return Grid(shape, np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]))


def axes_grid(y: Any, x: Any, crs: str | None, argument: str) -> Grid:
    """Return the grid of two axes of centres.

    Args:
        y: of the rows.
        x: of the columns.
        crs: coordinate reference system.
        argument: whose they are, for errors.

    Raises:
        InputError: an axis that is not evenly spaced.

    Example:
        >>> axes_grid([3.0, 2.0, 1.0], [0.0, 2.0], None, "sensor").affine.tolist()
        [[-1.0, 0.0, 3.5], [0.0, 2.0, -1.0]]
    """
    axes = [np.asarray(axis, dtype=float) for axis in (y, x)]
    steps = []
    for name, axis in zip("yx", axes, strict=True):
        step = (axis[-1] - axis[0]) / (len(axis) - 1) if len(axis) > 1 else 1.0
        even = axis[0] + step * np.arange(len(axis))
        if not np.isfinite(axis).all() or step == 0 or np.abs(axis - even).max() > _TOLERANCE * abs(step):
            raise InputError(
                argument,
                got=f"{name} with uneven steps",
                wanted="pixels with even spacing",
                cure="resample to a regular grid, or pass footprint= with weights of your own",
            )
        steps.append(step)
    affine = np.array(
        [[steps[0], 0.0, axes[0][0] - steps[0] / 2], [0.0, steps[1], axes[1][0] - steps[1] / 2]]
    )
    return Grid((len(axes[0]), len(axes[1])), affine, crs)


def nested_factor(fine: Grid, coarse: Grid) -> tuple[int, int] | None:
    """Return how many pixels a footprint has along rows and columns, None where they are not nested."""
    ends = fine.places(coarse.corners[[0, -1]].reshape(-1, 2))
    first, last = ends[0], ends[6]
    factor = (last - first) / np.array(coarse.shape)
    whole = np.round(factor).astype(int)
    regular = np.linalg.inv(fine.affine[:, :2]) @ coarse.affine[:, :2]
    aligned = np.abs(regular - np.diag(np.diag(regular))).max() < _TOLERANCE
    fits = np.abs(first).max() < _TOLERANCE and np.abs(last - fine.shape).max() < _TOLERANCE
    return (
        (int(whole[0]), int(whole[1]))
        if aligned and fits and np.abs(factor - whole).max() < _TOLERANCE
        else None
    )


def footprint_corners(fine: Grid, coarse: Grid) -> np.ndarray:
    """Return the corners of a sensor's pixels in pixels of the fine grid, (footprints, 4, 2).

    Other coordinate reference systems are brought over corner by corner.

    Raises:
        MissingExtraError: that needs pyproj.
    """
    corners = coarse.corners
    if fine.crs is not None and coarse.crs is not None and not same_system(fine.crs, coarse.crs):
        corners = reproject(corners, coarse.crs, fine.crs)
    return fine.places(corners)


def same_system(first: str | None, second: str | None) -> bool:
    """Whether two coordinate reference systems are one, whatever text they are written as.

    Example:
        >>> same_system(None, None), same_system("EPSG:32611", None)
        (True, False)
    """
    if first == second or first is None or second is None:
        return first == second
    crs = _pyproj().CRS
    return bool(crs.from_user_input(first) == crs.from_user_input(second))


def _pyproj() -> Any:
    try:
        return importlib.import_module("pyproj")
    except ImportError as error:
        purpose = "bringing a sensor to another coordinate reference system"
        raise MissingExtraError("pyproj", extra="fusion", purpose=purpose) from error


def reproject(points: np.ndarray, source: str, target: str) -> np.ndarray:
    """Return points (..., 2), given as (y, x), in another coordinate reference system."""
    change = _pyproj().Transformer.from_crs(source, target, always_xy=True)
    x, y = change.transform(points[..., 1], points[..., 0])
    return np.stack([y, x], axis=-1)
