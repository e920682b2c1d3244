"""The picture of `scalebridge inspect`: the middle slices side by side."""

import io
from pathlib import Path

import numpy as np
from matplotlib.image import imread, imsave

from scalebridge.core.files import atomic_path
from scalebridge.grids.image import VoxelImage
from scalebridge.io.volume import Volume
from scalebridge.report.canvas import Picture, phase_colours
from scalebridge.report.figures_grey import draw_grey_slices
from scalebridge.report.figures_image import draw_slices
from scalebridge.report.looks import Look

_GAP = 12  # pixels between slices


def write_slices(path: Path, volume: Volume, image: VoxelImage | None) -> Path:
    """Draw the middle slice across each axis, in the colours of the report, or in grey.

    Args:
        path: the .png file to write, whole or not at all.
        volume: what was read.
        image: its labels; None draws grey values.
    """
    drawn = draw_grey_slices(volume.data, volume.voxel) if image is None else _label_slices(image)
    pictures = [imread(io.BytesIO(picture.data), format="png")[..., :3] for picture in drawn]
    height = max(len(picture) for picture in pictures)
    canvas = [_padded(picture, height) for picture in pictures]
    with atomic_path(path) as part:
        imsave(part, np.concatenate(canvas, axis=1)[:, :-_GAP], format="png")
    return path


def _label_slices(image: VoxelImage) -> list[Picture]:
    colours = phase_colours(len(image.phases))
    looks = {
        label: Look(f"phase {label}", label, image.name(label), colour, image.fractions[label])
        for label, colour in zip(image.phases, colours, strict=True)
    }
    return draw_slices(image, looks)


def _padded(picture: np.ndarray, height: int) -> np.ndarray:
    white = np.ones((height, picture.shape[1] + _GAP, 3))
    white[: len(picture), : picture.shape[1]] = picture
    return white
