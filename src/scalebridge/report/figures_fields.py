"""Local fields: where the flux goes for a mean gradient along each axis."""

from dataclasses import dataclass

import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize

from scalebridge.core.upscaled import Upscaled
from scalebridge.report.canvas import (
    FONT_SIZE,
    MUTED,
    RULE,
    Picture,
    as_png,
    as_svg,
    label_axes,
    new_figure,
    plain_ticks,
)
from scalebridge.report.figures_image import enlarge, framed
from scalebridge.report.looks import image_of
from scalebridge.report.tensors import AXES
from scalebridge.report.typeset import typeset_number, typeset_unit

_MAP = "inferno"
_TOP = 99.5  # percentile of the drawn slices at which the colours end


@dataclass(frozen=True)
class FluxSlice:
    """Flux magnitude in one slice, relative to the mean flux.

    Args:
        load: the axis of the mean gradient.
        plane: values (right, up).
        axes: numbers of the axes to the right and up.
        where: where the slice lies, in words.
        mean: magnitude of the mean flux for a unit mean gradient, in the unit of the answer.
        peak: largest value in the whole volume, relative to the mean.
    """

    load: str
    plane: np.ndarray
    axes: tuple[int, int]
    where: str
    mean: float
    peak: float


def flux_slices(result: Upscaled) -> list[FluxSlice]:
    """Cut the flux of every load direction in a plane that contains the direction, through the middle.

    Directions without a flux (nothing percolates, or fields were not asked for) are left out.
    """
    found = []
    for axis, name in enumerate(AXES):
        flux = result.fields.get(f"flux_{name}")
        if flux is None:
            continue
        field = _sample_part(np.asarray(flux, dtype=float), result)
        mean = float(np.linalg.norm(field.reshape(field.shape[0], -1).mean(axis=1)))
        if mean > 0:
            found.append(_cut(np.sqrt(np.sum(field**2, axis=0)) / mean, axis, mean))
    return found


def draw_fluxes(result: Upscaled, key: str) -> list[Picture]:
    """Draw the flux slices with one colour scale, and last the colour bar."""
    slices = flux_slices(result)
    if not slices:
        return []
    top = float(np.percentile(np.concatenate([s.plane.ravel() for s in slices]), _TOP)) or 1.0
    scale = ScalarMappable(Normalize(0.0, top), _MAP)
    return [*(_picture(result, s, scale) for s in slices), _colour_bar(scale, top, key)]


def _cut(magnitude: np.ndarray, axis: int, mean: float) -> FluxSlice:
    load, peak = AXES[axis], float(magnitude.max())
    if magnitude.ndim == 2:
        return FluxSlice(load, magnitude, (0, 1), "", mean, peak)
    across = 1 if axis == 2 else 2
    right, up = (i for i in range(3) if i != across)
    middle = magnitude.shape[across] // 2
    where = f"{AXES[across]} = {middle + 1} of {magnitude.shape[across]}"
    return FluxSlice(load, np.take(magnitude, middle, axis=across), (right, up), where, mean, peak)


def _sample_part(field: np.ndarray, result: Upscaled) -> np.ndarray:
    """Keep the sample itself of a field that was solved on the sample and its mirror images."""
    image = image_of(result)
    if image is not None and field.shape[1:] == tuple(2 * n for n in image.shape):
        return field[(slice(None), *(slice(0, n) for n in image.shape))]
    return field


def _picture(result: Upscaled, found: FluxSlice, scale: ScalarMappable) -> Picture:
    image = image_of(result)
    right, up = found.axes
    aspect = (1.0, 1.0) if image is None else (image.aspect[right], image.aspect[up])
    pixels = enlarge(scale.to_rgba(found.plane, bytes=True), aspect)[..., :3]
    length = None if image is None or image.voxel is None else image.voxel[right] * image.shape[right]
    unit = typeset_unit(result.unit)
    mean = f"{typeset_number(found.mean, 4, trim=False)} {unit}".strip()
    caption = (
        f"Gradient along {found.load}: mean flux {mean} × gradient, "
        f"largest {typeset_number(found.peak, 3)} × the mean"
        f"{f'  ·  {found.where}' if found.where else ''}  ·  {AXES[right]} →, {AXES[up]} ↑"
    )
    alt = f"Magnitude of the flux for a mean gradient along {found.load}, in the slice at {found.where}."
    return as_png(framed(pixels, length, found.plane.shape[0]), alt, caption)


def _colour_bar(scale: ScalarMappable, top: float, key: str) -> Picture:
    figure = new_figure(440, 62)
    axes = figure.add_subplot()
    bar = figure.colorbar(scale, cax=axes, orientation="horizontal", extend="max")
    bar.outline.set_edgecolor(RULE)
    axes.tick_params(colors=MUTED, labelsize=FONT_SIZE)
    plain_ticks(axes, "x")
    label_axes(axes, "magnitude of the flux / mean flux  (dimensionless)")
    end = typeset_number(top, 3)
    return as_svg(
        figure, f"{key}-colour-bar", f"Colour scale from 0 to {end}; brighter is more; beyond, one colour."
    )
