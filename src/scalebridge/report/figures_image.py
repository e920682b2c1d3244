"""Pictures of what was upscaled: slices of an image, its volume, a stack of layers."""

from typing import Any

import numpy as np
from jaxtyping import Integer, UInt8
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch, Rectangle

from scalebridge.grids.image import VoxelImage
from scalebridge.report.camera import Camera, View
from scalebridge.report.canvas import (
    FONT_SIZE,
    INK,
    Picture,
    as_png,
    as_svg,
    colour_table,
    new_figure,
)
from scalebridge.report.looks import Look
from scalebridge.report.render import render_volume
from scalebridge.report.typeset import round_length, shorten, typeset_length, typeset_number

_SLICE_WIDTH = 600  # pixels, at least; shown at about half of that
_LARGEST_WIDTH = 1600
_VOLUME_WIDTH = 500
_MATRIX = 0.4  # a phase of at least this fraction is drawn as the body in which the others lie
_CUT = 0.5
_KEPT = 4  # rendered volumes, of about a megabyte each
_RECENT: dict[Any, np.ndarray] = {}
_NEUTRAL = "#7d868e"  # readable on white and on black


def draw_slices(image: VoxelImage, looks: dict[int, Look]) -> list[Picture]:
    """Draw the middle slice across each axis, or the image itself in 2-D.

    Args:
        image: the image.
        looks: look of each phase by label.
    """
    planes = [(0, 1, None)] if image.dim == 2 else [(0, 1, 2), (0, 2, 1), (1, 2, 0)]
    return [_slice(image, looks, *plane) for plane in planes]


def draw_volumes(image: VoxelImage, looks: dict[int, Look]) -> list[Picture]:
    """Draw a 3-D image as bodies: the largest phase with a corner cut away, then the others without it.

    Where no phase fills two fifths of the image, all are drawn together, with a corner cut away.
    """
    largest = max(image.fractions, key=lambda label: image.fractions[label])
    if image.fractions[largest] < _MATRIX or len(image.phases) == 1:
        return [_volume(image, looks, image.phases, _CUT)]
    others = tuple(label for label in image.phases if label != largest)
    return [_volume(image, looks, (largest,), _CUT), _volume(image, looks, others, 0.0)]


def draw_layers(subject: Any, looks: list[Look], key: str) -> Picture:
    """Draw a stack of layers to scale, the first at the bottom.

    Args:
        subject: anything with `thicknesses`, one a layer, and if wanted with `values`.
        looks: look of each layer.
        key: name of the drawing on the page.
    """
    thick = np.asarray(subject.thicknesses, dtype=float)
    figure = new_figure(460, 300)
    axes = figure.add_subplot()
    axes.set_axis_off()
    axes.set(xlim=(0, 2.0), ylim=(0, thick.sum()))
    values = getattr(subject, "values", [None] * thick.size)
    texts = [f"{shorten(k.name)}  {_value_text(v)}".strip() for k, v in zip(looks, values, strict=True)]
    for i, low in enumerate(np.cumsum(thick) - thick):
        box = Rectangle((0, low), 1, thick[i], facecolor=looks[i].colour, edgecolor=INK, linewidth=0.5)
        axes.add_patch(box)
        if thick[i] > 0.045 * thick.sum():
            middle = low + thick[i] / 2
            axes.text(1.05, middle, texts[i], va="center", color=INK, fontsize=FONT_SIZE, parse_math=False)
    shares = ", ".join(f"{text} ({t / thick.sum():.1%})" for text, t in zip(texts, thick, strict=True))
    normal = ", ".join(typeset_number(float(n), 3) for n in getattr(subject, "normal", ()))
    caption = "The layers to scale, the first at the bottom" + (f"; normal ({normal})" if normal else "")
    return as_svg(figure, key, f"Stack of {thick.size} layers, from below: {shares}.", caption)


def rasterise(
    plane: Integer[np.ndarray, "a b"], colours: dict[int, str], aspect: tuple[float, float]
) -> np.ndarray:
    """Colour a plane of labels whose first axis goes right and whose second goes up, every voxel sharp."""
    found = sorted(colours)
    table = np.array([to_rgb(colours[label]) for label in found])
    return enlarge(table[np.searchsorted(found, plane)], aspect)


def enlarge(plane: np.ndarray, aspect: tuple[float, float], width: int = _SLICE_WIDTH) -> np.ndarray:
    """Turn a plane (right, up, ...) into rows of pixels from the top, by the nearest voxel.

    Args:
        plane: values by voxel.
        aspect: edge lengths of a voxel along the two axes.
        width: pixels of the longer edge, at least; whole multiples of the voxels where they are square.
    """
    edges = np.array(plane.shape[:2]) * np.asarray(aspect)
    per_unit = width / edges.max()
    if aspect[0] == aspect[1]:
        per_unit = max(1.0, np.ceil(width / max(plane.shape[:2]))) / aspect[0]
    pixels = np.maximum(1, np.rint(edges * min(per_unit, _LARGEST_WIDTH / edges.max()))).astype(int)
    right, up = (
        ((np.arange(p) + 0.5) * n / p).astype(int) for p, n in zip(pixels, plane.shape[:2], strict=True)
    )
    return np.swapaxes(plane[np.ix_(right, up)], 0, 1)[::-1]


def framed(pixels: np.ndarray, length: float | None, voxels: int) -> Figure:
    """Put pixels into a figure of the same size, with a scale bar.

    Args:
        pixels: rows of colours.
        length: width of the picture in metres, None when unknown: the bar then counts voxels.
        voxels: width of the picture in voxels.
    """
    rows, columns = pixels.shape[:2]
    figure = Figure(figsize=(columns / 100, rows / 100), dpi=100)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    axes.imshow(pixels, interpolation="nearest", aspect="auto", extent=(0, columns, 0, rows))
    whole = float(voxels) if length is None else length
    bar = round_length(0.34 * whole)
    text = f"{typeset_number(bar)} voxels" if length is None else typeset_length(bar)
    _scale_bar(axes, bar / whole * columns, text, max(columns, 0.7 * rows) / 100)
    return figure


def _scale_bar(axes: Any, width: float, text: str, unit: float) -> None:
    """Draw a bar of so many pixels with its length above, in a dark box; `unit` sets the sizes, in pixels."""
    plate = max(width + 4 * unit, (2.9 * len(text) + 2) * unit)
    box = {
        "boxstyle": f"round,pad=0,rounding_size={1.5 * unit}",
        "facecolor": "#101418",
        "alpha": 0.78,
        "linewidth": 0,
    }
    axes.add_patch(FancyBboxPatch((3 * unit, 3 * unit), plate, 9.5 * unit, **box))
    middle = 3 * unit + plate / 2
    axes.add_patch(Rectangle((middle - width / 2, 4.6 * unit), width, 1.1 * unit, color="white", linewidth=0))
    axes.text(middle, 7 * unit, text, color="white", ha="center", fontsize=3.1 * unit)


def _slice(image: VoxelImage, looks: dict[int, Look], right: int, up: int, across: int | None) -> Picture:
    plane, where = image.labels, ""
    if across is not None:
        middle = image.shape[across] // 2
        plane = np.take(image.labels, middle, axis=across)
        where = f"{'xyz'[across]} = {middle + 1} of {image.shape[across]}"
    pixels = rasterise(
        plane, {label: look.colour for label, look in looks.items()}, (image.aspect[right], image.aspect[up])
    )
    length = None if image.voxel is None else image.voxel[right] * image.shape[right]
    axes = f"{'xyz'[right]} →, {'xyz'[up]} ↑"
    caption = f"{where}  ·  {axes}" if where else axes
    shares = ", ".join(f"{looks[label].name} {np.mean(plane == label):.1%}" for label in list(looks)[:8])
    return as_png(
        framed(pixels, length, plane.shape[0]),
        f"{f'Slice at {where}' if where else 'The image'}. Phases: {shares}.",
        caption,
    )


def _volume(image: VoxelImage, looks: dict[int, Look], shown: tuple[int, ...], cut: float) -> Picture:
    pixels = _rendered(image, colour_table({label: looks[label].colour for label in shown}), cut)
    names = [shorten(looks[label].name, 40) for label in shown[:4]] + ["and others"] * (len(shown) > 4)
    what = ", ".join(names)
    ending = ", the corner next to the viewer cut away" if cut else ""
    alone = "all phases" if len(shown) == len(image.phases) else f"{what} alone"
    caption = f"{alone[0].upper()}{alone[1:]}{ending}"
    framed_box = framed_volume(pixels, image.shape, image.aspect, image.voxel)
    return as_png(framed_box, f"Rendered volume: {caption}, seen from above.", caption)


def _rendered(
    image: VoxelImage, colours: dict[int, tuple[float, float, float]], cut: float
) -> UInt8[np.ndarray, "rows columns 4"]:
    """Render, or take the picture from another result on the same page: it takes seconds."""
    key = (image.content_hash(), tuple(colours.items()), cut)
    if key not in _RECENT:
        while len(_RECENT) >= _KEPT:
            _RECENT.pop(next(iter(_RECENT)))
        _RECENT[key] = render_volume(
            image.labels, colours, aspect=image.aspect, cut=cut, pixels=_VOLUME_WIDTH
        )
    return _RECENT[key]


def framed_volume(
    pixels: UInt8[np.ndarray, "rows columns 4"],
    shape: tuple[int, ...],
    aspect: tuple[float, ...],
    voxel: tuple[float, ...] | None,
) -> Figure:
    """Put names and lengths beside three edges of a rendered box.

    Args:
        pixels: the picture, by the usual camera.
        shape: voxels along each axis.
        aspect: edge lengths of a voxel, in any unit.
        voxel: the same in metres, None when unknown.
    """
    rows, columns = pixels.shape[:2]
    room = 30
    figure = Figure(figsize=((columns + 2 * room) / 100, rows / 100), dpi=100)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    axes.imshow(pixels, interpolation="nearest", aspect="auto", extent=(0, columns, rows, 0))
    axes.set(xlim=(-room, columns + room), ylim=(rows, 0))
    box = np.array(shape) * np.asarray(aspect)
    view = View(Camera(), tuple(box), columns)
    middles = np.array([[0.5, 0, 0], [1, 0.5, 0], [0, 0, 0.5]]) * box
    for axis, (column, row, _) in enumerate(view.project(middles)):
        shift, side = (((-12, 20), "right"), ((12, 20), "left"), ((-6, 0), "right"))[axis]
        length = "" if voxel is None else f"  {typeset_length(voxel[axis] * shape[axis], 3)}"
        text = f"{'xyz'[axis]}{length}"
        turn = 90 if axis == 2 and voxel is not None else 0
        axes.text(
            column + shift[0],
            row + shift[1],
            text,
            ha=side,
            va="center",
            rotation=turn,
            color=_NEUTRAL,
            fontsize=13,
        )
    return figure


def _value_text(value: Any) -> str:
    if value is None:
        return ""
    array = np.asarray(value, dtype=float)
    if array.ndim == 0:
        return typeset_number(float(array), 4)
    numbers = np.diagonal(array) if array.ndim == 2 else array
    full = array.ndim == 2 and np.any(array != np.diag(numbers))
    text = ", ".join(typeset_number(float(x), 4) for x in numbers)
    return f"diagonal ({text}) of a full tensor" if full else f"({text})"
