"""Pictures of a fusion: maps, series with their bands, innovations."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Normalize

from scalebridge.fusion.fused import Fused
from scalebridge.fusion.fusion_problem import Observed
from scalebridge.report.canvas import (
    ACCENT,
    BAD,
    FONT_SIZE,
    GOOD,
    INK,
    MUTED,
    PAPER,
    Picture,
    as_png,
    as_svg,
    label_axes,
    new_figure,
    new_plot,
)
from scalebridge.report.typeset import typeset_number, typeset_unit

_MOST = 4  # dates that are drawn as maps


def shown_dates(found: Fused) -> list[int]:
    """Return the positions of the dates that are drawn: evenly over time, first and last among them."""
    return sorted({round(t) for t in np.linspace(0, len(found.days) - 1, min(_MOST, len(found.days)))})


def draw_maps(found: Fused, band: int) -> list[Picture]:
    """Draw mean and standard deviation of a band on a few dates, each with one scale of colours."""
    told = []
    for name, field, colours in (
        ("mean", found.mean, "viridis"),
        ("standard deviation", found.std, "magma"),
    ):
        own = _band(found, field, band)
        low, high = (float(q) for q in np.quantile(own[shown_dates(found)], (0.01, 0.99)))
        norm = Normalize(low, max(high, low + 1e-12))
        title = f"{name} of {found.bands[band]}" if found.bands else name
        told.append(_row_of_maps(found, title, own, colours, norm))
    return told


def _band(found: Fused, field: np.ndarray, place: int) -> np.ndarray:
    """One band of a field, (dates, rows, columns)."""
    return field[:, place] if found.bands else field


def _row_of_maps(found: Fused, name: str, field: np.ndarray, colours: str, norm: Normalize) -> Picture:
    places = shown_dates(found)
    # as wide as the page shows it, or its text would be shrunk below what can be read
    figure = new_figure(125 * len(places) + 75, 160)
    grid = figure.subplots(1, len(places), squeeze=False)[0]
    drawn: Any = None
    for axes, place in zip(grid, places, strict=True):
        drawn = axes.imshow(field[place], cmap=colours, norm=norm, interpolation="nearest")
        _bare(axes, found.dates[place])
    bar = figure.colorbar(drawn, ax=list(grid), shrink=0.8)
    bar.ax.tick_params(colors=_GREY, labelsize=FONT_SIZE)
    unit = typeset_unit(found.unit)
    low, high = (typeset_number(float(end or 0.0), 3) for end in (norm.vmin, norm.vmax))
    said = f"{name}{f', {unit}' if unit else ''}, from {low} to {high}"
    dates = ", ".join(found.dates[p] for p in places)
    return as_png(figure, f"Maps of the {said} on {dates}.", f"{said[:1].upper()}{said[1:]}.")


_GREY = "#808080"  # a picture's text has to be read on light and dark


def _bare(axes: Axes, title: str) -> None:
    axes.set_xticks([])
    axes.set_yticks([])
    axes.set_title(title, fontsize=FONT_SIZE, color=_GREY)
    for side in axes.spines.values():
        side.set_visible(False)


def draw_innovation_maps(found: Fused) -> list[Picture]:
    """Draw for every sensor of images the mean over dates of what it says against all others."""
    told = []
    for o in found.problem.observed:
        z = found.estimate.residuals.get(o.name)
        if z is None or len(o.shape) != 2 or not np.isfinite(z).any():
            continue
        count = np.maximum(np.isfinite(z).sum(axis=0), 1)
        mean = np.nansum(z, axis=0) / np.sqrt(count)
        figure = new_figure(330, 280)
        axes = figure.add_subplot()
        drawn = axes.imshow(
            mean.reshape(o.shape), cmap="RdBu_r", norm=Normalize(-4, 4), interpolation="nearest"
        )
        _bare(axes, o.name)
        figure.colorbar(drawn, ax=axes, shrink=0.8).ax.tick_params(colors=_GREY, labelsize=FONT_SIZE)
        size = np.sqrt(np.mean(mean**2))
        alt = f"Map of the mean standardised difference of {o.name}; root mean square {size:.2g}."
        told.append(
            as_png(figure, alt, "Sum over dates of standardised differences by the root of their number.")
        )
    return told


def chosen_pixels(found: Fused) -> list[tuple[int, int]]:
    """Return the pixels whose series are drawn: where the field moves most, in the middle, and least."""
    wander = found.mean.std(axis=0).reshape(-1, *found.mean.shape[-2:]).mean(axis=0).ravel()
    order = np.argsort(wander)
    columns = found.mean.shape[-1]
    places = [int(order[-1]), int(order[len(order) // 2]), int(order[0])]
    return [(p // columns, p % columns) for p in dict.fromkeys(places)]


def draw_series(found: Fused, key: str) -> list[Picture]:
    """Draw the field of a few pixels over time with its 95 % band, and what was seen there."""
    return [
        _one_series(found, row, column, band, f"{key}-{row}-{column}-{band}")
        for row, column in chosen_pixels(found)
        for band in range(max(len(found.bands), 1))
    ]


def _one_series(found: Fused, row: int, column: int, band: int, key: str) -> Picture:
    figure, axes = new_plot(560, 280)
    mean, std = (_band(found, field, band)[:, row, column] for field in (found.mean, found.std))
    days = found.days - found.days[0]
    axes.fill_between(days, mean - 1.96 * std, mean + 1.96 * std, color=ACCENT, alpha=0.25, linewidth=0)
    axes.plot(days, mean, color=ACCENT, linewidth=1.5)
    alone = [o for o in found.problem.observed if o.alone == band]
    for o, colour in zip(alone, (MUTED, BAD, GOOD, INK), strict=False):
        seen = _seen_at(o, row, column, found) + found.problem.level_of(o)
        marker, size = ("o", 5) if o.factor == (1, 1) else ("s", 4)
        axes.plot(
            days, seen, marker, color=colour, markersize=size, markeredgecolor=PAPER, label=o.name, zorder=4
        )
    axes.legend(frameon=False, fontsize=FONT_SIZE, labelcolor=INK)
    label_axes(axes, f"days since {found.dates[0]}", typeset_unit(found.unit) or "value")
    where = f"{found.bands[band]}, pixel {row}, {column}" if found.bands else f"Pixel {row}, {column}"
    alt = f"{where}: field over time, from {mean.min():.3g} to {mean.max():.3g}, with its 95 % band."
    return as_svg(figure, key, alt, f"{where}: mean, 95 % of the field, and what the sensors saw.")


def _seen_at(observed: Observed, row: int, column: int, found: Fused) -> np.ndarray:
    """What a sensor saw of the footprint that a pixel lies in."""
    pixel = row * found.problem.grid.shape[1] + column
    own = observed.weights[:, pixel].toarray().ravel()
    return observed.values[:, int(np.argmax(own))] if own.any() else np.full(len(found.problem.days), np.nan)
