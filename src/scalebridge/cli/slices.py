"""The picture of `scalebridge inspect`: the middle slices side by side."""

import io
from pathlib import Path

import numpy as np
from matplotlib import colormaps
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.image import imread, imsave

from scalebridge.core.files import atomic_path
from scalebridge.grids.image import VoxelImage
from scalebridge.io.volume import Volume
from scalebridge.report.canvas import phase_colours
from scalebridge.report.figures_image import draw_slices, enlarge, framed
from scalebridge.report.looks import Look

_GAP = 12  # pixels between slices


def write_slices(path: Path, volume: Volume, image: VoxelImage | None) -> Path:
    """Draw the middle slice across each axis, in the colours of the report, or in grey.

    Args:
        path: the .png file to write, whole or not at all.
        volume: what was read.
        image: its labels; None draws grey values.
    """
    pictures = _grey_slices(volume) if image is None else _label_slices(image)
    height = max(len(picture) for picture in pictures)
    canvas = [_padded(picture, height) for picture in pictures]
    with atomic_path(path) as part:
        imsave(part, np.concatenate(canvas, axis=1)[:, :-_GAP], format="png")
    return path


def _label_slices(image: VoxelImage) -> list[np.ndarray]:
    colours = phase_colours(len(image.phases))
    looks = {
        label: Look(f"phase {label}", label, image.name(label), colour, image.fractions[label])
        for label, colour in zip(image.phases, colours, strict=True)
    }
    return [imread(io.BytesIO(picture.data), format="png")[..., :3] for picture in draw_slices(image, looks)]


def _grey_slices(volume: Volume) -> list[np.ndarray]:
    low, high = np.nanpercentile(volume.data, [0.5, 99.5])
    planes = [(0, 1, None)] if volume.data.ndim == 2 else [(0, 1, 2), (0, 2, 1), (1, 2, 0)]
    voxel = volume.voxel or (1.0,) * volume.data.ndim
    drawn = []
    for right, up, across in planes:
        plane = (
            volume.data if across is None else np.take(volume.data, volume.shape[across] // 2, axis=across)
        )
        shade = np.clip((plane - low) / ((high - low) or 1.0), 0, 1)
        pixels = enlarge(colormaps["gray"](shade)[..., :3], (voxel[right], voxel[up]))
        length = None if volume.voxel is None else voxel[right] * volume.shape[right]
        drawn.append(_drawn(framed(pixels, length, volume.shape[right])))
    return drawn


def _drawn(figure: Figure) -> np.ndarray:
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3] / 255.0


def _padded(picture: np.ndarray, height: int) -> np.ndarray:
    white = np.ones((height, picture.shape[1] + _GAP, 3))
    white[: len(picture), : picture.shape[1]] = picture
    return white
