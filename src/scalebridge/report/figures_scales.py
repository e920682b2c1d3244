"""Pictures of scales chosen: criteria by number of scales, errors of prediction, reconstruction by scale."""

import numpy as np
from matplotlib.ticker import MaxNLocator

from scalebridge.inference.scale_criteria import INFORMATION
from scalebridge.inference.scale_result import TITLES, ScaleSelection
from scalebridge.report.canvas import (
    ACCENT,
    FONT_SIZE,
    INK,
    MUTED,
    PAPER,
    Picture,
    as_svg,
    label_axes,
    new_figure,
    new_plot,
    phase_colours,
    plain_ticks,
)
from scalebridge.report.typeset import typeset_number, typeset_unit

_MAP = "inferno"
_ACROSS = 4  # pictures of a grid in a row
_POINTS = 700  # of a curve; more cannot be seen
_LARGEST = 60.0  # of a criterion above its least, beyond which it is not drawn


def draw_criteria(found: ScaleSelection, key: str) -> Picture:
    """Draw each information criterion above its own least, by number of scales."""
    figure, axes = new_plot(460, 320)
    colours = phase_colours(len(INFORMATION))
    for colour, name in zip(colours, INFORMATION, strict=True):
        curve = found.curves[name]
        above = curve - np.min(curve)
        sizes = np.flatnonzero(np.isfinite(above) & (above <= _LARGEST))
        axes.plot(sizes, above[sizes], "o-", color=colour, markersize=4, label=TITLES[name], linewidth=1.4)
        best = int(np.argmin(curve))
        axes.plot([best], [0.0], "o", color=colour, markersize=9, markeredgecolor=PAPER, zorder=4)
    axes.legend(frameon=False, fontsize=FONT_SIZE, labelcolor=INK)
    axes.set_ylim(bottom=-0.04 * _LARGEST)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    label_axes(axes, "number of scales", "criterion above its least")
    said = "; ".join(f"{TITLES[n]} least at {int(np.argmin(found.curves[n]))}" for n in INFORMATION)
    return as_svg(
        figure, key, f"Criteria by number of scales: {said}.", "Large dots: what each criterion chooses."
    )


def draw_errors(found: ScaleSelection, key: str) -> Picture | None:
    """Draw the error of prediction by number of scales, with its standard error."""
    if found.validation is None:
        return None
    figure, axes = new_plot(460, 320)
    mean, error, loo = found.validation.mean, found.validation.error, found.validation.loo
    sizes = np.arange(len(mean))
    kept = np.isfinite(mean)
    axes.errorbar(sizes[kept], mean[kept], yerr=error[kept], fmt="o-", color=ACCENT, capsize=3, markersize=5)
    axes.plot(
        sizes[np.isfinite(loo)], loo[np.isfinite(loo)], "s--", color=MUTED, markersize=3.5, linewidth=1.0
    )
    best = int(np.argmin(mean))
    axes.axhline(mean[best] + error[best], color=INK, linewidth=1.0, linestyle=(0, (2, 3)))
    plain_ticks(axes, "y")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    label_axes(axes, "number of scales", f"{found.loss} of prediction")
    caption = (
        "Dots: cross-validation with its standard error; squares: leave one out; dotted: one standard error."
    )
    return as_svg(figure, key, f"Error of prediction by number of scales, least at {best}.", caption)


def draw_scales(found: ScaleSelection, key: str) -> Picture:
    """Draw the values with the fit, and what each chosen scale contributes."""
    chosen = [i for i in range(len(found.names)) if np.any(found.parts[i])]
    if found.shape:
        return _draw_grid(found, key, chosen)
    figure, axes = new_plot(760, 210 + 62 * len(chosen))
    step = max(1, len(found.values) // _POINTS)
    at, span = found.at[::step], float(np.ptp(found.values)) or 1.0
    axes.plot(found.at[::step], found.values[::step], ".", color=MUTED, markersize=2.5, alpha=0.7)
    axes.plot(at, found.fitted[::step], color=INK, linewidth=1.4)
    ticks, labels, level = [found.mean], ["values and fit"], found.mean - 0.5 * span
    for colour, scale in zip(phase_colours(max(len(chosen), 1)), chosen, strict=False):
        # What a scale adds to the logarithm or logit of counts has no measure of theirs.
        own = float(np.ptp(found.parts[scale]))
        stretch = 1.0 if found.family == "gaussian" else 0.4 * span / max(own, 1e-300)
        height = max(stretch * own, 0.15 * span)
        level -= 0.6 * height
        axes.plot(at, level + stretch * found.parts[scale][::step], color=colour, linewidth=1.2)
        ticks.append(level)
        labels.append(found.names[scale])
        level -= 0.6 * height
    axes.set_yticks(ticks, labels, fontsize=FONT_SIZE, color=INK)
    unit = typeset_unit(found.unit)
    label_axes(axes, "position", f"{unit}, shifted" if unit else "shifted")
    alt = f"Values, fit, and the contributions of {', '.join(found.names[i] for i in chosen) or 'no scale'}."
    said = {
        "gaussian": "The chosen scales, each on the axis's own measure.",
        "poisson": "What the chosen scales add to the logarithm of the expected count, each by itself.",
        "binomial": "What the chosen scales add to the logit of the share, each by itself.",
    }[found.family]
    return as_svg(figure, key, alt, said)


def _draw_grid(found: ScaleSelection, key: str, chosen: list[int]) -> Picture:
    """Draw values on a grid, the fit and the contributions as pictures; in space the plane in the middle."""
    shown = {"values": found.values, "fit": found.fitted}
    shown |= {found.names[i]: found.parts[i] for i in chosen}
    rows, across = -(-len(shown) // _ACROSS), min(_ACROSS, len(shown))
    edge = 740 / _ACROSS
    figure = new_figure(edge * across, (edge + 24) * rows)
    low, high = float(np.min(found.values)), float(np.max(found.values))
    for place, (name, numbers) in enumerate(shown.items(), 1):
        axes = figure.add_subplot(rows, across, place)
        plane = numbers.reshape(found.shape)
        plane = plane if plane.ndim == 2 else plane[:, :, plane.shape[2] // 2]
        middle = 0.0 if place <= 2 else 0.5 * (low + high)  # a contribution has no mean of its own
        axes.imshow(plane.T + middle, origin="lower", cmap=_MAP, vmin=low, vmax=high, interpolation="nearest")
        axes.set_title(name, fontsize=FONT_SIZE, color=INK, parse_math=False)
        axes.set_axis_off()
    alt = f"Values, fit, and the contributions of {', '.join(found.names[i] for i in chosen) or 'no scale'}."
    unit = typeset_unit(found.unit)
    ends = f"{typeset_number(low, 3)} to {typeset_number(high, 3)}{f' {unit}' if unit else ''}"
    said = f"Colours from {ends}; contributions about the middle."
    return as_svg(figure, key, alt, said)
