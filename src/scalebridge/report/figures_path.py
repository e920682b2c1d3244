"""Pictures of a path of loads: stress over strain, energies, residuals, and micro fields of the last step."""

import math

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.ticker import LogLocator, MaxNLocator

from scalebridge.core.upscaled import Upscaled
from scalebridge.report.canvas import (
    BAD,
    FONT_SIZE,
    INK,
    MUTED,
    RULE,
    Picture,
    as_png,
    as_svg,
    label_axes,
    new_figure,
    new_plot,
    phase_colours,
    plain_ticks,
)
from scalebridge.report.figures_image import enlarge, framed
from scalebridge.report.figures_modulus import pressure_unit
from scalebridge.report.looks import image_of
from scalebridge.report.tensors import AXES
from scalebridge.report.typeset import typeset_number

_SMALL = 1e-6  # of the largest component, below which a curve is not drawn
_MAP = "inferno"
_TOP = 99.5  # percentile at which the colours end
_MOST_HISTORIES = 8
_NAMES = {"largest equivalent strain": "Largest equivalent strain", "von mises": "Von Mises' stress"}


def plain_components(values: np.ndarray) -> np.ndarray:
    """Return components of stresses (..., 6) without Mandel's roots; (..., 9) as they are."""
    if values.shape[-1] == 9:
        return values
    return values / np.array([1.0, 1.0, 1.0, *[math.sqrt(2)] * 3])


def leading_component(result: Upscaled) -> int:
    """Return the component of the load that goes farthest from rest."""
    load = plain_components(np.asarray(result.stats["load"]))
    rest = np.eye(3).ravel() if load.shape[1] == 9 else 0.0
    return int(np.argmax(np.abs(load - rest).max(axis=0)))


def stress_scale(result: Upscaled) -> tuple[float, str]:
    """Return the unit that the page shows stresses in, Pa, and its name."""
    return pressure_unit(float(np.abs(result.value).max()) or 1.0)


def draw_curves(result: Upscaled, key: str) -> Picture:
    """Draw the components of the mean stress over the leading component of the load.

    Args:
        result: what `response_along_path` found.
        key: name of the drawing on the page.
    """
    figure, axes = new_plot(460, 320)
    names, lead = result.stats["components"], leading_component(result)
    load, stress = (plain_components(np.asarray(v)) for v in (result.stats["load"], result.value))
    scale, unit = stress_scale(result)
    finite = load.shape[1] == 9
    rest = float(lead in (0, 4, 8)) if finite else 0.0
    across = np.r_[rest, load[:, lead]]
    shown = [c for c in range(stress.shape[1]) if np.abs(stress[:, c]).max() > _SMALL * np.abs(stress).max()]
    for component, colour in zip(shown, phase_colours(len(shown)), strict=True):
        curve = np.r_[0.0, stress[:, component]] / scale
        marker = "o" if len(across) <= 40 else None
        axes.plot(
            across, curve, color=colour, linewidth=1.7, marker=marker, markersize=3, label=names[component]
        )
    what = "deformation gradient" if finite else "mean strain"
    _finish(axes, f"{what} {names[lead]}", f"mean {'nominal ' if finite else ''}stress, {unit}", "component")
    ends = "; ".join(f"{names[c]} ends at {typeset_number(stress[-1, c] / scale, 3)} {unit}" for c in shown)
    return as_svg(figure, key, f"Mean stress against {what} {names[lead]}. {ends}.")


def draw_energies(result: Upscaled, key: str) -> Picture:
    """Draw work, stored and dissipated energy by step."""
    figure, axes = new_plot(460, 320)
    stats = result.stats
    largest = max(float(np.abs(stats[name]).max(initial=0.0)) for name in ("work", "stored", "dissipated"))
    scale, unit = next(
        ((s, n) for s, n in ((1e6, "MJ/m³"), (1e3, "kJ/m³"), (1.0, "J/m³")) if largest >= s), (1e-3, "mJ/m³")
    )
    steps = np.arange(len(stats["work"]) + 1)
    ends = []
    for name, line in (("work", "solid"), ("stored", (0, (5, 2))), ("dissipated", (0, (1.5, 1.5)))):
        curve = np.r_[0.0, np.asarray(stats[name])] / scale
        axes.plot(
            steps, curve, color=INK if name == "work" else MUTED, linestyle=line, linewidth=1.7, label=name
        )
        ends.append(f"{name} ends at {typeset_number(curve[-1], 3)} {unit}")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    _finish(axes, "step", f"energy, {unit}", "")
    return as_svg(figure, key, f"Energies by step: {'; '.join(ends)}.")


def draw_residuals(result: Upscaled, key: str) -> Picture:
    """Draw how the stress out of equilibrium fell in some of the steps."""
    figure, axes = new_plot(460, 290)
    axes.set_yscale("log")
    histories = result.stats["residuals"]
    chosen = np.unique(np.linspace(0, len(histories) - 1, min(_MOST_HISTORIES, len(histories))).astype(int))
    for step, colour in zip(chosen, phase_colours(len(chosen)), strict=True):
        numbers = np.maximum(np.asarray(histories[step], float), 1e-17)
        axes.plot(
            range(len(numbers)),
            numbers,
            color=colour,
            linewidth=1.5,
            marker="o",
            markersize=3,
            label=step + 1,
        )
    wanted = float(result.provenance.settings["tolerance"])
    axes.axhline(wanted, color=BAD, linewidth=1.2, linestyle=(0, (4, 3)), label="wanted")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.yaxis.set_major_locator(LogLocator(numticks=9))
    _finish(axes, "iteration of Newton's method", "part of the stress out of equilibrium", "step")
    worst = max(len(one) - 1 for one in histories)
    return as_svg(figure, key, f"Residuals of {len(chosen)} steps; at most {worst} iterations.")


def draw_micro_fields(result: Upscaled, key: str) -> list[Picture]:
    """Draw what happened inside by the last step, in the slice of each field's peak; none without fields."""
    found = []
    for name, values, unit in micro_fields(result):
        at = int(np.unravel_index(np.nanargmax(values), values.shape)[2])
        found += _field_pictures(result, name, values[:, :, at], unit, at, f"{key}-{name.replace(' ', '-')}")
    return found


def micro_fields(result: Upscaled) -> list[tuple[str, np.ndarray, str]]:
    """Return name, values (x, y, z) and unit of the fields that the page shows."""
    found = []
    stress = result.fields.get("stress")
    if stress is not None and len(stress) == 6:
        scale, unit = stress_scale(result)
        mean = stress[:3].mean(axis=0)
        deviator = np.concatenate([stress[:3] - mean, stress[3:]])
        found.append(("von mises", np.sqrt(1.5 * np.sum(deviator**2, axis=0)) / scale, unit))
    for name, values in result.fields.items():
        if name not in ("strain", "stress") and len(values) == 1:
            found.append((name, values[0], ""))
    return found


def _field_pictures(
    result: Upscaled, name: str, plane: np.ndarray, unit: str, at: int, key: str
) -> list[Picture]:
    low, high = float(np.nanmin(plane)), float(np.nanpercentile(plane, _TOP))
    scale = ScalarMappable(Normalize(min(low, 0.0), high if high > low else low + 1.0), _MAP)
    image = image_of(result)
    aspect = (1.0, 1.0) if image is None else image.aspect[:2]
    pixels = enlarge(scale.to_rgba(np.ma.masked_invalid(plane), bytes=True), (aspect[0], aspect[1]))
    length = None if image is None or image.voxel is None else image.voxel[0] * image.shape[0]
    title = _NAMES.get(name, name[:1].upper() + name[1:])
    of = f" {unit}" if unit else ""
    where = "" if image is None or image.dim == 2 else f"  ·  z = {at + 1} of {image.shape[2]}"
    peak = f"up to {typeset_number(float(np.nanmax(plane)), 3)}{of}"
    caption = f"{title}, last step: {peak}{where}  ·  {AXES[0]} →, {AXES[1]} ↑"
    picture = as_png(framed(pixels, length, plane.shape[0]), f"{title} in the slice of its peak.", caption)
    figure = new_figure(440, 62)
    bar = figure.colorbar(scale, cax=figure.add_subplot(), orientation="horizontal", extend="max")
    bar.outline.set_edgecolor(RULE)
    bar.ax.tick_params(colors=MUTED, labelsize=FONT_SIZE)
    plain_ticks(bar.ax, "x")
    label_axes(bar.ax, f"{title[:1].lower()}{title[1:]}{f', {unit}' if unit else ''}")
    return [
        picture,
        as_svg(figure, key, f"Colour scale of the field {name}, up to {typeset_number(high, 3)}{of}."),
    ]


def _finish(axes: Axes, across: str, up: str, title: str) -> None:
    plain_ticks(axes, "x")
    plain_ticks(axes, "y")
    label_axes(axes, across, up)
    legend = axes.legend(frameon=False, fontsize=FONT_SIZE, labelcolor=INK, title=title or None)
    legend.get_title().set_color(MUTED)
    legend.get_title().set_fontsize(FONT_SIZE)
