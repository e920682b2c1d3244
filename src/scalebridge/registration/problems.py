"""Registration tasks whose map is known: a histology section of a brain, made from a slice of an MRI scan.

The section is rotated, shrunk and deformed by a smooth random field, and stained so that grey values follow
no monotonic function of the scan's: white matter is light, grey matter dark with a lamina that the scan
does not show, over a gradient of stain and a texture. It has a wedge tear, a missing piece and a fold.
"""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from scalebridge.registration.frame import Frame

FIELD_OF_VIEW = 230.0  # mm, square
_GRID = 230  # samples of the anatomy and of the field, 1 mm apart
_MIDDLE = np.array([115.0, 115.0])
_SHIFT = np.array([6.0, -4.0])


@dataclass(frozen=True)
class HistologyTask:
    """A scan and a section with the exact map from the scan to the section.

    Args:
        fixed: the scan, (n, n), x first.
        fixed_frame: where its samples are.
        fixed_mask: where the scan shows tissue.
        moving: the section in grey, 0 where there is nothing, (m, m).
        moving_colour: the section as scanned, (m, m, 3) bytes.
        moving_frame: where its samples are.
        sound: where the section is not damaged.
        points: points of tissue in the scan, (3000, 2), mm.
        answers: where they are in the section, mm.
        damaged: which of them lie in a tear, a hole or a fold.
        linear: derivative of the map's linear part, (2, 2).
    """

    fixed: np.ndarray
    fixed_frame: Frame
    fixed_mask: np.ndarray
    moving: np.ndarray
    moving_colour: np.ndarray
    moving_frame: Frame
    sound: np.ndarray
    points: np.ndarray
    answers: np.ndarray
    damaged: np.ndarray
    linear: np.ndarray


@dataclass(frozen=True)
class _Truth:
    """T(x) = middle + shift + A (x - middle + u(x)) with splines of u."""

    linear: np.ndarray
    field: np.ndarray  # (2, 230, 230)

    def displaced(self, points: np.ndarray) -> np.ndarray:
        return np.stack([_at(part, points) for part in self.field], axis=1)

    def __call__(self, points: np.ndarray) -> np.ndarray:
        return (points + self.displaced(points) - _MIDDLE) @ self.linear.T + _MIDDLE + _SHIFT

    def inverse(self, points: np.ndarray) -> np.ndarray:
        """Solve by fixed points: the displacement contracts."""
        straight = (points - _MIDDLE - _SHIFT) @ np.linalg.inv(self.linear).T + _MIDDLE
        found = straight.copy()
        for _ in range(40):
            new = straight - self.displaced(found)
            done = np.abs(new - found).max() < 1e-4
            found = new
            if done:
                break
        return found


def phantom_anatomy() -> np.ndarray:
    """A made-up axial slice of a brain on 230 x 230 mm: folded cortex, white matter, ventricles, nuclei.

    Returns:
        relative intensities, white matter near 0.95 and grey matter near 0.72, zero outside, (230, 230).

    Example:
        >>> anatomy = phantom_anatomy()
        >>> anatomy.shape, float(anatomy[0, 0])
        ((230, 230), 0.0)
    """
    x, y = np.meshgrid(np.arange(_GRID) - 115.0, np.arange(_GRID) - 115.0, indexing="ij")
    angle = np.arctan2(y / 1.15, x)
    radius = np.hypot(x / 66.0, y / 80.0)
    folds = 0.045 * np.sin(17 * angle + 2 * np.sin(3 * angle)) + 0.03 * np.sin(29 * angle + 1.3)
    image = np.where(radius < 1.0 + 0.35 * folds, 0.72 + 0.03 * np.sin(5 * angle + 0.7), 0.0)
    image[radius < 0.86 + 1.5 * folds - 0.05 * np.cos(2 * angle)] = 0.95
    for cx, cy, a, b, value in (
        (-20, 8, 9, 17, 0.74), (21, 6, 8, 16, 0.74), (-8, -18, 5, 15, 0.42), (9, -19, 5, 14, 0.42),
        (-12, 34, 12, 7, 0.7), (14, 31, 10, 8, 0.71), (34, -34, 7, 5, 0.73), (-37, -28, 5, 9, 0.72),
    ):  # fmt: skip
        image[np.hypot((x - cx) / a, (y - cy) / b) < 1.0] = value
    image[(np.abs(x) < 1.6) & (np.abs(y) > 42) & (radius < 1.02)] = 0.4
    return ndimage.gaussian_filter(image, 0.5)


def histology_task(
    anatomy: np.ndarray,
    *,
    pixels: int = 512,
    scan_pixels: int | None = None,
    seed: int = 0,
    rotation: float = 20.0,
    shrink: tuple[float, float] = (0.85, 0.9),
    flip: bool = False,
    amplitude: float = 1.0,
    damage: bool = True,
) -> HistologyTask:
    """Make a task from an anatomy of 230 x 230 samples, 1 mm apart.

    Args:
        anatomy: relative intensities, (230, 230), x first.
        pixels: samples of the section along an edge of 230 mm.
        scan_pixels: samples of the scan; as many unless given.
        seed: of the field, the stain, texture and noise.
        rotation: of the section, degrees.
        shrink: scales along the scan's axes.
        flip: whether the section lies on its face.
        amplitude: of the smooth displacement; 1 is up to some 6 mm.
        damage: whether there are a tear, a missing piece and a fold.

    Example:
        >>> task = histology_task(phantom_anatomy(), pixels=64)
        >>> task.fixed.shape, task.moving_colour.shape
        ((64, 64), (64, 64, 3))
    """
    rng = np.random.default_rng(seed)
    spline = ndimage.spline_filter(ndimage.gaussian_filter(anatomy, 0.4), 3)
    closed = ndimage.binary_fill_holes(ndimage.binary_closing(anatomy > 0.2, iterations=2))
    brain = ndimage.gaussian_filter(np.asarray(closed, dtype=float), 0.7)
    truth = _draw_truth(rng, rotation, shrink, flip, amplitude)
    fixed_frame, moving_frame = _frame(scan_pixels or pixels), _frame(pixels)
    fixed, fixed_mask = _scan(rng, spline, brain, fixed_frame)
    moving, colour, broken = _section(rng, spline, brain, truth, moving_frame, seed, damage)
    pitch = moving_frame.spacing[0]
    near = np.array(broken, dtype=bool)
    if damage:
        near = np.asarray(ndimage.binary_dilation(broken, iterations=max(1, int(1.0 / pitch))), dtype=bool)
    candidates = np.argwhere(ndimage.binary_erosion(brain > 0.5, iterations=2)).astype(float)
    points = candidates[rng.choice(len(candidates), 3000, replace=False)] + rng.uniform(-0.5, 0.5, (3000, 2))
    answers = truth(points)
    there = np.clip(np.round(moving_frame.indices(answers)).astype(int), 0, pixels - 1)
    return HistologyTask(
        fixed, fixed_frame, fixed_mask, moving, colour, moving_frame, ~near, points, answers,
        broken[there[:, 0], there[:, 1]], truth.linear,
    )  # fmt: skip


def _frame(pixels: int) -> Frame:
    pitch = FIELD_OF_VIEW / pixels
    return Frame((pixels, pixels), (pitch / 2 - 0.5,) * 2, (pitch, pitch))


def _at(image: np.ndarray, points: np.ndarray, order: int = 3) -> np.ndarray:
    return ndimage.map_coordinates(image, points.T, order=order, prefilter=False, mode="nearest")


def _smooth_field(rng: np.random.Generator, length: float) -> np.ndarray:
    """A Gaussian random field of unit spread and a correlation length in mm."""
    found = ndimage.gaussian_filter(rng.standard_normal((_GRID, _GRID)), length, mode="wrap")
    return found / found.std()


def _draw_truth(
    rng: np.random.Generator, rotation: float, shrink: tuple[float, float], flip: bool, amplitude: float
) -> _Truth:
    turn = np.deg2rad(rotation)
    rotated = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    linear = rotated @ np.diag([-shrink[0] if flip else shrink[0], shrink[1]])
    parts = [2.6 * _smooth_field(rng, 22.0) + 0.5 * _smooth_field(rng, 9.0) for _ in range(2)]
    return _Truth(linear, np.stack([ndimage.spline_filter(amplitude * part, 3) for part in parts]))


def _scan(
    rng: np.random.Generator, spline: np.ndarray, brain: np.ndarray, frame: Frame
) -> tuple[np.ndarray, np.ndarray]:
    """Sample the anatomy with a bias field and Rician noise."""
    points = frame.grid()
    clean = np.clip(_at(spline, points), 0, None) * (1 + 0.08 * (points[:, 0] - 115) / 115)
    noise = 0.025 * rng.standard_normal((2, len(points)))
    values = np.hypot(clean + noise[0], noise[1]).reshape(frame.shape).astype(np.float32)
    return values, (_at(brain, points, 1) > 0.5).reshape(frame.shape)


def _section(
    rng: np.random.Generator,
    spline: np.ndarray,
    brain: np.ndarray,
    truth: _Truth,
    frame: Frame,
    seed: int,
    damage: bool,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Stain the anatomy where each pixel of the section came from; return grey, colour, and damage."""
    shape, pitch = frame.shape, frame.spacing[0]
    points = truth.inverse(frame.grid())
    tissue = _at(spline, points)
    white = _step((tissue - 0.83) / 0.025)
    present = _step((tissue - 0.50) / 0.05) * (_at(brain, points, 1) > 0.3)
    grey, white = (1 - white) * present, white * present
    lamina = np.exp(-(((tissue - 0.74) / 0.03) ** 2))
    fine, middle = (_texture(rng, shape, length / pitch).ravel() for length in (0.12, 1.2))
    gradient = ndimage.spline_filter(_smooth_field(np.random.default_rng(seed + 99), 30.0), 3)
    stain = np.clip(1 + 0.22 * _at(gradient, points), 0.4, None)
    first = (grey * (0.95 + 0.25 * lamina) + 0.40 * white) * np.clip(1 + 0.35 * fine + 0.10 * middle, 0, None)
    first, second = first * stain, (0.25 * grey + 0.45 * white) * np.clip(1 + 0.1 * middle, 0, None)
    broken = np.zeros(len(points), dtype=bool)
    if damage:
        gone, fold = _damage(points)
        first = np.where(gone, 0, np.where(fold, first * 2.2, first))
        second = np.where(gone, 0, np.where(fold, second * 2.0, second))
        broken = gone | fold
    dyes = np.array([[0.65, 0.70, 0.29], [0.07, 0.70, 0.11]])
    density = 1.5 * first[:, None] * dyes[0] + second[:, None] * dyes[1] + np.array([0.03, 0.04, 0.03])
    light = 255 * np.exp(-density) + 2 * rng.standard_normal(density.shape)
    colour = np.clip(light, 0, 255).astype(np.uint8)
    value = (255 - colour @ np.array([0.299, 0.587, 0.114])).astype(np.float32)
    return value.reshape(shape), colour.reshape(*shape, 3), broken.reshape(shape)


def _damage(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What is missing (a tear, a piece) and what is folded, in the anatomy's own places."""
    x, y = points.T
    turn = np.deg2rad(8.0)
    along = -((x - 186) * np.cos(turn) + (y - 95) * np.sin(turn))
    aside = -(x - 186) * np.sin(turn) + (y - 95) * np.cos(turn)
    tear = (along > -20) & (along < 52) & (np.abs(aside) < np.clip(0.09 * (52 - along), 0, 7))
    hole = (x - 78) ** 2 + (y - 40) ** 2 < 17**2
    across = (x - 70) * np.cos(0.5) + (y - 150) * np.sin(0.5)
    length = -(x - 70) * np.sin(0.5) + (y - 150) * np.cos(0.5)
    return tear | hole, (np.abs(across) < 1.6) & (np.abs(length) < 16)


def _step(values: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-np.clip(values, -40, 40)))


def _texture(rng: np.random.Generator, shape: tuple[int, ...], width: float) -> np.ndarray:
    found = ndimage.gaussian_filter(rng.standard_normal(shape), width if width > 0.3 else 0)
    return found / found.std()
