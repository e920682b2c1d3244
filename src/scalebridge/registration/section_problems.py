"""Tasks whose answer is known: an oblique section out of a volume, turned, shrunk, deformed and stained."""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage
from scipy.spatial.transform import Rotation

from scalebridge.registration.frame import Frame
from scalebridge.registration.spatial_image import SpatialImage

_SHAPE = (88, 104, 84)
_PITCH = 2.0  # mm


@dataclass(frozen=True)
class SectionTask:
    """A section and the volume that it was cut from, with the exact map.

    Args:
        section: the section with its place.
        volume: the volume.
        points: points of tissue in the section, (n, 2), mm.
        answers: where they are in the volume, (n, 3), mm.
        normal: of the plane before it was deformed, (3,).
        tilt: of the normal to the volume's third axis, degrees.
    """

    section: SpatialImage
    volume: SpatialImage
    points: np.ndarray
    answers: np.ndarray
    normal: np.ndarray
    tilt: float


def phantom_volume() -> SpatialImage:
    """A made-up brain in space: folded cortex, white matter, ventricles, nuclei, none of them symmetric.

    Example:
        >>> phantom_volume().frame.shape
        (88, 104, 84)
    """
    origin = tuple(-_PITCH * (n - 1) / 2 for n in _SHAPE)
    frame = Frame(_SHAPE, origin, (_PITCH,) * 3)
    x, y, z = np.moveaxis(frame.grid().reshape(*_SHAPE, 3), -1, 0)
    radius = np.sqrt((x / 66) ** 2 + (y / 82) ** 2 + (z / 62) ** 2)
    along, up = np.arctan2(y / 1.2, x), np.arctan2(z, np.hypot(x, y / 1.2))
    folds = 0.05 * np.sin(13 * along + 3 * np.sin(4 * up + 0.4)) * np.cos(up)
    folds += 0.04 * np.sin(11 * up + 2 * np.sin(3 * along)) + 0.03 * np.sin(7 * along - 9 * up + 1.0)
    image = np.where(radius < 1.0 + 0.35 * folds, 0.72 + 0.03 * np.sin(5 * along + 3 * up), 0.0)
    image[radius < 0.84 + 1.6 * folds - 0.05 * np.cos(2 * along)] = 0.95
    for middle, axes, value in (
        ((-18, 6, 6), (9, 20, 13), 0.74), ((21, 2, 10), (8, 17, 15), 0.74),
        ((-8, -18, 14), (5, 22, 9), 0.42), ((10, -12, 18), (5, 19, 8), 0.42),
        ((3, 40, -22), (15, 12, 17), 0.7), ((28, 38, 30), (7, 12, 6), 0.55),
        ((-37, -28, 8), (6, 11, 19), 0.72), ((-24, 45, 22), (9, 7, 6), 0.5),
        ((0, -50, -18), (12, 6, 10), 0.74), ((34, -32, -10), (8, 8, 14), 0.73),
        ((-30, 20, -28), (7, 16, 6), 0.42),
    ):  # fmt: skip
        away = sum(((p - m) / a) ** 2 for p, m, a in zip((x, y, z), middle, axes, strict=True))
        image[away < 1.0] = value
    return SpatialImage(ndimage.gaussian_filter(image, 0.4).astype(np.float32), frame, "phantom")


def section_task(
    volume: SpatialImage,
    *,
    seed: int = 0,
    pixels: int = 192,
    pitch: float = 1.2,
    tilt: float = 10.0,
    offset: float = 25.0,
    warp: float = 1.0,
) -> SectionTask:
    """Cut a section across the volume's third axis of space and stain it.

    A point q of the section, in mm from its middle, is displaced by a smooth field, shifted by up to 6 mm,
    turned by any angle, grown by what the section shrank, tilted, and put at its position.

    Args:
        volume: relative intensities, white matter near 0.95 and grey matter near 0.72.
        seed: of everything that is drawn.
        pixels: of the section along an edge.
        pitch: distance of pixels, mm.
        tilt: largest angle about each of two axes, degrees.
        offset: largest distance of the plane from the volume's middle, mm.
        warp: root mean square of each component of the smooth field, mm; its length is 20 mm.

    Example:
        >>> task = section_task(phantom_volume(), pixels=48, pitch=4.0)
        >>> task.points.shape[1], task.answers.shape[1]
        (2, 3)
    """
    rng = np.random.default_rng(seed)
    position, angles = rng.uniform(-offset, offset), rng.uniform(-tilt, tilt, 2)
    turn = rng.uniform(0, 2 * np.pi)
    shrunk = np.array([rng.uniform(0.82, 0.92), rng.uniform(0.85, 0.95)])
    shift = rng.uniform(-6, 6, 2)
    edge = pitch * (pixels - 1)
    frame = Frame((pixels, pixels), (-edge / 2, -edge / 2), (pitch, pitch))
    points = frame.grid()
    field = np.stack([warp * _smooth(rng, pixels, 20.0 / pitch).ravel() for _ in range(2)], axis=1)
    turned = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    flat = ((points + field + shift) @ turned) / shrunk
    tilted = Rotation.from_euler("xy", angles, degrees=True).as_matrix()
    middle = volume.frame.centre + np.array([0.0, 0.0, position])
    answers = flat @ tilted[:, :2].T + middle
    tissue = ndimage.map_coordinates(volume.values, volume.frame.indices(answers).T, order=1)
    values = _stained(rng, tissue.reshape(frame.shape), pixels, pitch)
    inside = np.flatnonzero(tissue > 0.3)
    some = inside[:: max(1, len(inside) // 4000)]
    section = SpatialImage(values.astype(np.float32), frame, "section")
    leaning = float(np.degrees(np.arccos(tilted[2, 2])))
    return SectionTask(section, volume, points[some], answers[some], tilted[:, 2], leaning)


def _smooth(rng: np.random.Generator, pixels: int, width: float) -> np.ndarray:
    """A random field of unit spread."""
    found = ndimage.gaussian_filter(rng.standard_normal((pixels, pixels)), width, mode="wrap")
    return found / found.std()


def _stained(rng: np.random.Generator, tissue: np.ndarray, pixels: int, pitch: float) -> np.ndarray:
    """Grey matter dark and white matter light, over a gradient of stain of 17 % and a texture of 25 %."""
    white = 1 / (1 + np.exp(-np.clip((tissue - 0.83) / 0.025, -30, 30)))
    present = 1 / (1 + np.exp(-np.clip((tissue - 0.5) / 0.05, -30, 30)))
    stain = 1 + 0.17 * _smooth(rng, pixels, 36.0 / pitch)
    texture = 1 + 0.25 * rng.standard_normal(tissue.shape)
    return np.clip(present * (0.95 * (1 - white) + 0.4 * white) * stain * texture, 0.0, 2.0)
