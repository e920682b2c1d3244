"""An image on disk that may be larger than memory: its levels, its place, and how a part of it is read."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from scalebridge.core.errors import ImageError
from scalebridge.registration.frame import Frame
from scalebridge.registration.spatial_image import SpatialImage

MOST_SAMPLES = 6_000_000
"""Samples of a plane that a registration reads: more tell it nothing."""


@dataclass(frozen=True)
class Slide:
    """A stored image.

    Args:
        name: of the file.
        frame: grid of the finest level.
        levels: shapes of the levels, x first, finest first.
        channels: of a sample; 0 for grey.
        dtype: of the samples.
        read: (level, ((from, to), ...)) gives samples, x first, channels last.
        remarks: what was assumed.
    """

    name: str
    frame: Frame
    levels: tuple[tuple[int, ...], ...]
    channels: int
    dtype: np.dtype
    read: Callable[[int, tuple[tuple[int, int], ...]], np.ndarray]
    remarks: tuple[str, ...] = ()

    def frame_of(self, level: int) -> Frame:
        """Grid of a level, whose samples average those of the finest."""
        ratio = np.array(self.levels[0]) / np.array(self.levels[level])
        shift = self.frame.matrix @ ((ratio - 1.0) / 2.0)
        return Frame(
            self.levels[level],
            tuple(float(v) for v in np.array(self.frame.origin) + shift),
            tuple(float(h * r) for h, r in zip(self.frame.spacing, ratio, strict=True)),
            self.frame.directions,
        )

    def level_for(self, samples: int) -> int:
        """The finest level with at most so many samples; the coarsest if none has so few."""
        fits = [k for k, shape in enumerate(self.levels) if int(np.prod(shape)) <= samples]
        return fits[0] if fits else len(self.levels) - 1

    def image(self, samples: int = MOST_SAMPLES) -> SpatialImage:
        """Read the level for so many samples, averaged over blocks if it still has more.

        A level is read in strips, so that memory holds the answer and one strip.
        """
        level = self.level_for(samples)
        frame, shape = self.frame_of(level), self.levels[level]
        factor = max(1, int(np.ceil(np.sqrt(np.prod(shape) / samples)))) if len(shape) == 2 else 1
        if factor == 1:
            values = self.read(level, tuple((0, n) for n in shape))
            return SpatialImage(values, frame, self.name, self.remarks)
        return SpatialImage(_averaged(self, level, factor), _cropped(frame, factor), self.name, self.remarks)


def _cropped(frame: Frame, factor: int) -> Frame:
    whole = tuple(n // factor * factor for n in frame.shape)
    return Frame(whole, frame.origin, frame.spacing, frame.directions).coarser((factor,) * frame.size)


def _averaged(slide: Slide, level: int, factor: int) -> np.ndarray:
    nx, ny = (n // factor for n in slide.levels[level])
    strip = max(1, 4_000_000 // (ny * factor * factor))
    pieces = []
    for first in range(0, nx, strip):
        last = min(nx, first + strip)
        part = slide.read(level, ((first * factor, last * factor), (0, ny * factor)))
        blocks = part.reshape(last - first, factor, ny, factor, *part.shape[2:])
        pieces.append(blocks.mean(axis=(1, 3), dtype=np.float32))
    return np.concatenate(pieces)


def flat_frame(
    shape: tuple[int, ...], origin: np.ndarray, spacing: np.ndarray, directions: np.ndarray, argument: str
) -> tuple[Frame, tuple[str, ...]]:
    """The grid of a volume, or of a plane stored as a volume of one sample's depth.

    A plane that lies in x and y keeps its place; one that does not gets axes of its own, with a remark.

    Raises:
        ImageError: a header without a place (zero or infinite numbers).
    """
    numbers = np.concatenate([origin, spacing, directions.ravel()])
    if not np.all(np.isfinite(numbers)) or np.min(spacing[: len(shape)]) <= 0:
        raise ImageError(
            argument,
            got=f"spacing {spacing} in the header",
            wanted="positive lengths",
            cure="repair the header",
        )
    if len(shape) == 3 and shape[2] > 1:
        return Frame(shape, _plain(origin), _plain(spacing), tuple(map(_plain, directions))), ()
    plane = directions[:2, :2]
    if np.abs(plane.T @ plane - np.eye(2)).max() < 1e-3:
        return Frame(shape[:2], _plain(origin[:2]), _plain(spacing[:2]), tuple(map(_plain, plane))), ()
    remark = "the slice does not lie in x and y; its points are taken along its own rows and columns"
    return Frame(shape[:2], (0.0, 0.0), _plain(spacing[:2])), (remark,)


def _plain(values: np.ndarray) -> tuple[float, ...]:
    return tuple(float(v) for v in values)
