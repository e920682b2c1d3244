"""Where a section lies in a volume: plane, position, tilt, turn; and the pose of a map between the two."""

from dataclasses import dataclass, replace

import numpy as np

from scalebridge.registration.spatial_map import SpatialMap, nearest_affine, spread_over

_AXES = {
    "sagittal": ((0, 1, 0), (0, 0, -1)),
    "coronal": ((1, 0, 0), (0, 0, -1)),
    "axial": ((1, 0, 0), (0, 1, 0)),
}
PLANES = tuple(_AXES)
"""Planes of LPS space, by the axis that their normal is nearest to: x, y, z."""


def plane_axes(plane: str) -> np.ndarray:
    """Where the two axes of an unturned section point, (3, 2): to the right and down, as pictures show it.

    Example:
        >>> plane_axes("axial").T.tolist()
        [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]
    """
    return np.array(_AXES[plane], dtype=float).T


def upright(columns: np.ndarray) -> np.ndarray:
    """Give a plane's two columns, (3, 2), a third at right angles, as long as they are in the mean."""
    normal = np.cross(columns[:, 0], columns[:, 1])
    area = float(np.linalg.norm(normal))
    return np.column_stack([columns, normal / max(np.sqrt(area), 1e-12)])


def with_plane(found: SpatialMap, columns: np.ndarray, shift: np.ndarray) -> SpatialMap:
    """The same map with another plane."""
    return replace(found, matrix=upright(columns), shift=shift)


@dataclass(frozen=True)
class Pose:
    """Where a section lies.

    Args:
        plane: "axial", "coronal" or "sagittal": the nearest.
        position: of the section's middle along the plane's axis (z, y or x), mm.
        tilt: angle of its normal to that axis, degrees.
        turn: of the section in its plane, degrees.
        flipped: whether it lies on its face.
        middle: point of the section's middle, (3,), mm.
        normal: unit vector, (3,).
    """

    plane: str
    position: float
    tilt: float
    turn: float
    flipped: bool
    middle: np.ndarray
    normal: np.ndarray


def pose_of(found: SpatialMap, points: np.ndarray | None = None) -> Pose:
    """The pose of the plane that is nearest to where a map takes points of its fixed image.

    Args:
        found: the map.
        points: of tissue, (n, 2), mm; a grid over the fixed image unless given.

    Example:
        >>> from scalebridge.registration.frame import Frame
        >>> frame = Frame((5, 5), (0.0, 0.0), (1.0, 1.0))
        >>> pose = pose_of(SpatialMap(upright(plane_axes("coronal")), np.array([0.0, 7.0, 0.0]), frame))
        >>> pose.plane, pose.position, round(pose.tilt, 6), pose.flipped
        ('coronal', 7.0, 0.0, False)
    """
    columns, shift = nearest_plane(found, points)
    middle = columns @ found.frame.centre + shift
    normal = np.cross(columns[:, 0], columns[:, 1])
    normal = normal / np.linalg.norm(normal)
    axis = int(np.argmax(np.abs(normal)))
    along = plane_axes(PLANES[axis])
    flipped = bool(np.cross(along[:, 0], along[:, 1]) @ normal < 0)
    inside = along.T @ columns @ (np.diag([-1.0, 1.0]) if flipped else np.eye(2))
    u, _, v = np.linalg.svd(inside)
    turn = u @ v
    return Pose(
        PLANES[axis], float(middle[axis]), float(np.degrees(np.arccos(min(abs(normal[axis]), 1.0)))),
        float(np.degrees(np.arctan2(turn[1, 0], turn[0, 0]))), flipped, middle, normal,
    )  # fmt: skip


def nearest_plane(found: SpatialMap, points: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Columns (3, 2) and shift of the plane columns · x + shift nearest to a map, over points of it."""
    if found.coefficients is None:
        return found.matrix[:, :2], found.shift
    return nearest_affine(found, spread_over(found.frame, 24) if points is None else points)
