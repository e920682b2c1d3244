"""What the tests of registrations share: one small task, and its answer."""

from functools import cache

import numpy as np

from scalebridge.registration.frame import Frame
from scalebridge.registration.problems import HistologyTask, histology_task, phantom_anatomy
from scalebridge.registration.register import register
from scalebridge.registration.spatial_image import SpatialImage
from scalebridge.registration.spatial_map import SpatialMap
from scalebridge.registration.spline import SplineGrid


@cache
def small_task() -> HistologyTask:
    """A task of 144 x 144 pixels, turned by 40 degrees."""
    return histology_task(phantom_anatomy(), pixels=144, rotation=40.0)


def images(task: HistologyTask) -> tuple[SpatialImage, SpatialImage]:
    """Scan and section with their places."""
    return SpatialImage(task.fixed, task.fixed_frame), SpatialImage(task.moving_colour, task.moving_frame)


@cache
def small_answer():
    """The registration of the small task, with masks and landmarks."""
    task = small_task()
    own = np.flatnonzero(~task.damaged)[:200]
    return register(
        *images(task), moving_mask=task.sound, angles=12, landmarks=(task.points[own], task.answers[own])
    )


def misses(found, task: HistologyTask) -> np.ndarray:
    """Distance of mapped points from where they are, outside of damage, mm."""
    sound = ~task.damaged
    return np.linalg.norm(found.map_points(task.points[sound]) - task.answers[sound], axis=1)


def turned_map(seed: int = 0, size: float = 1.0) -> SpatialMap:
    """A map with a spline over a frame that is turned and not square."""
    rng = np.random.default_rng(seed)
    turn = np.array([[np.cos(0.3), -np.sin(0.3)], [np.sin(0.3), np.cos(0.3)]])
    frame = Frame((50, 40), (3.0, -2.0), (1.0, 1.5), tuple(map(tuple, turn.tolist())))
    grid = SplineGrid.covering((50.0, 60.0), 12.0, (-0.5, -0.75))
    field = size * rng.standard_normal((*grid.count, 2))
    return SpatialMap(np.array([[0.9, 0.2], [-0.1, 1.1]]), np.array([4.0, -3.0]), frame, grid, field)
