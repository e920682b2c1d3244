"""The map from a fixed point to a moving point: a spline displacement, then a linear map."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from scalebridge.registration.frame import Frame
from scalebridge.registration.spline import SplineGrid


@dataclass(frozen=True)
class SpatialMap:
    """T(x) = matrix · (x + u(x)) + shift, u a cubic B-spline over the fixed image.

    Where the fixed image is a slice and the moving one a volume, x is (x, y, 0) and u may leave the plane.

    Args:
        matrix: (axes, axes).
        shift: mm, (axes,).
        frame: of the fixed image, along whose axes the spline's grid lies.
        grid: of control points; None for a linear map.
        coefficients: of u, mm, (count, count, axes).

    Example:
        >>> frame = Frame((8, 8), (0.0, 0.0), (1.0, 1.0))
        >>> SpatialMap(2 * np.eye(2), np.ones(2), frame)(np.array([[1.0, 2.0]])).tolist()
        [[3.0, 5.0]]
    """

    matrix: np.ndarray
    shift: np.ndarray
    frame: Frame
    grid: SplineGrid | None = None
    coefficients: np.ndarray | None = None

    @property
    def axes(self) -> int:
        """Number of axes of the moving image."""
        return len(self.shift)

    @property
    def linear(self) -> "SpatialMap":
        """The same without displacement."""
        return replace(self, grid=None, coefficients=None)

    def __call__(self, points: np.ndarray) -> np.ndarray:
        """Map points, (n, axes of the fixed image), mm."""
        return (lifted(points, self.axes) + self.displacement(points)) @ self.matrix.T + self.shift

    def along(self, points: np.ndarray) -> np.ndarray:
        """Coordinates along the fixed image's axes from its first sample, mm."""
        return (points - np.array(self.frame.origin)) @ np.array(self.frame.directions)

    def displacement(self, points: np.ndarray, orders: tuple[int, int] = (0, 0)) -> np.ndarray:
        """U or a derivative along the fixed image's axes, (n, axes)."""
        if self.grid is None or self.coefficients is None:
            return np.zeros((len(points), self.axes))
        s = self.along(points)
        first, second = (self.grid.basis(k, s[:, k], orders[k]) for k in range(2))
        rows = second.indices.reshape(-1, 4)
        left = first.indices.reshape(-1, 4)
        weights = first.data.reshape(-1, 4, 1) * second.data.reshape(-1, 1, 4)
        return np.einsum("nij,nijc->nc", weights, self.coefficients[left[:, :, None], rows[:, None, :]])

    def on_grid(self, frame: Frame) -> np.ndarray:
        """Map every sample of a grid along the fixed image's axes, (*shape, axes)."""
        points = lifted(frame.grid(), self.axes)
        if self.grid is not None and self.coefficients is not None:
            first, second = self.bases(frame)
            points = points + spread(first, self.coefficients, second).reshape(-1, self.axes)
        return (points @ self.matrix.T + self.shift).reshape(*frame.shape, self.axes)

    def bases(self, frame: Frame, orders: tuple[int, int] = (0, 0)):
        """Basis functions at the samples of a grid along the fixed image's axes, one an axis."""
        if self.grid is None:
            raise ValueError("a linear map has no grid")
        start = self.along(np.array([frame.origin]))[0]
        return tuple(
            self.grid.basis(k, start[k] + np.arange(frame.shape[k]) * frame.spacing[k], orders[k])
            for k in range(2)
        )

    def stretch(self, points: np.ndarray) -> np.ndarray:
        """Derivative of x + u(x) by x, (n, 2, 2): what the spline alone does to lengths."""
        turn = np.array(self.frame.directions)
        along = np.stack([self.displacement(points, orders)[:, :2] for orders in ((1, 0), (0, 1))], axis=-1)
        return np.eye(2) + along @ turn.T

    def jacobian(self, points: np.ndarray) -> np.ndarray:
        """Ratio of areas that the spline part gives at points: 1 keeps them, 0 or less folds."""
        return np.linalg.det(self.stretch(points))

    def inverse(self, points: np.ndarray, steps: int = 60, tolerance: float = 1e-6) -> np.ndarray:
        """Points of the fixed image whose images are given, by Newton's method; NaN where it does not settle.

        Of a section in a volume the third coordinate is the distance from the section, along its normal.

        Args:
            points: of the moving image, (n, axes).
            steps: most iterations.
            tolerance: of the distance, mm.
        """
        straight = (points - self.shift) @ np.linalg.inv(self.matrix).T
        found, error = straight[:, :2].copy(), np.full(len(points), np.inf)
        for _ in range(steps):
            off = straight[:, :2] - found - self.displacement(found)[:, :2]
            error = np.linalg.norm(off, axis=1)
            if error.max(initial=0.0) < tolerance:
                break
            slope = self.stretch(found)
            good = np.linalg.det(slope) > 0.05
            step = np.linalg.solve(np.where(good[:, None, None], slope, np.eye(2)), off[..., None])[..., 0]
            found = (
                found + step * np.minimum(1.0, 5.0 / np.maximum(np.linalg.norm(step, axis=1), 1e-12))[:, None]
            )
        if self.axes > 2:
            away = straight[:, 2:] - self.displacement(found)[:, 2:]
            found = np.concatenate([found, away], axis=1)
        return np.where((error < 1e-3)[:, None], found, np.nan)


def lifted(points: np.ndarray, axes: int) -> np.ndarray:
    """Points of a slice as points of space with a third coordinate zero; others as they are."""
    missing = axes - points.shape[-1]
    return (
        points if missing == 0 else np.concatenate([points, np.zeros((*points.shape[:-1], missing))], axis=-1)
    )


def spread(first, coefficients: np.ndarray, second) -> np.ndarray:
    """Evaluate a tensor-product spline on a grid, (rows, columns, components)."""
    parts = [first @ (second @ coefficients[..., c].T).T for c in range(coefficients.shape[-1])]
    return np.stack(parts, axis=-1)


def gathered(first, values: np.ndarray, second) -> np.ndarray:
    """The adjoint of `spread`: sums of grid values by control point."""
    parts = [first.T @ (second.T @ values[..., c].T).T for c in range(values.shape[-1])]
    return np.stack(parts, axis=-1)


def spread_over(frame: Frame, count: int) -> np.ndarray:
    """Points of a plane's grid, about `count` along each axis from edge to edge, (n, 2), mm."""
    ends = [np.linspace(0, n - 1, count) for n in frame.shape]
    return frame.points(np.stack(np.meshgrid(*ends, indexing="ij"), axis=-1).reshape(-1, 2))


def nearest_affine(
    found: Callable[[np.ndarray], np.ndarray], points: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Matrix (axes, 2) and shift of the affine map nearest to a map over points (n, 2).

    Example:
        >>> matrix, shift = nearest_affine(lambda x: 2 * x + 1, np.array([[0.0, 0], [1, 0], [0, 1], [1, 1]]))
        >>> (matrix.round(9) + 0.0).tolist(), shift.round(9).tolist()
        ([[2.0, 0.0], [0.0, 2.0]], [1.0, 1.0])
    """
    design = np.column_stack([points, np.ones(len(points))])
    solved = np.linalg.lstsq(design, found(points), rcond=None)[0]
    return solved[:2].T, solved[2]
