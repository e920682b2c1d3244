"""Bars and intervals: bounds, sensitivities, parts of the uncertainty, and results beside each other."""

from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator

from scalebridge.report.canvas import (
    ACCENT,
    DIRECTIONS,
    FONT_SIZE,
    INK,
    MUTED,
    PAPER,
    Picture,
    as_svg,
    label_axes,
    new_plot,
    plain_ticks,
)
from scalebridge.report.typeset import shorten, typeset_number

_LOG_FROM = 20.0  # a ratio of the outermost numbers beyond which the axis is logarithmic
_DECADES = 2.5  # of a logarithmic axis, below which ticks stand at 1, 2 and 5
_MOST_ROWS = 12
_LONG = 0.45  # share of the longest interval from which both end names fit above


@dataclass(frozen=True)
class Interval:
    """One line of an interval plot: from `low` to `high`, with names at the ends."""

    name: str
    low: float
    high: float
    low_name: str = ""
    high_name: str = ""


@dataclass(frozen=True)
class Point:
    """One number with its standard deviation, and what it is made of."""

    name: str
    value: float
    std: float | None = None
    parts: tuple[float, ...] = ()


def draw_intervals(
    intervals: list[Interval], points: list[Point], across: str, key: str, alt: str
) -> Picture:
    """Draw intervals above each other and points below them, on one axis.

    The axis is logarithmic where the largest number is more than 20 times the smallest, unless that is zero.

    Args:
        intervals: bounds or brackets, outermost first.
        points: results, with error bars of one standard deviation; their parts are drawn as small ticks.
        across: name and unit of the axis.
        key: name of the drawing on the page.
        alt: what there is to see.
    """
    rows = [i.name for i in intervals] + [p.name for p in points]
    figure, axes = new_plot(460, 74 + 38 * len(rows))
    if is_wide(intervals, points):
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(
            LogLocator(subs=(1.0, 2.0, 5.0) if _decades(intervals, points) < _DECADES else (1.0,))
        )
    for row, (interval, whole) in enumerate(zip(intervals, _shares(intervals, points), strict=True)):
        _interval(axes, row, interval, whole)
    for row, point in enumerate(points, len(intervals)):
        _point(axes, row, point)
    _named_rows(axes, rows)
    axes.margins(x=0.12)
    plain_ticks(axes, "x")
    label_axes(axes, across)
    return as_svg(figure, key, alt)


def is_wide(intervals: list[Interval], points: list[Point]) -> bool:
    """Whether the numbers of an interval plot need a logarithmic axis."""
    return _decades(intervals, points) > np.log10(_LOG_FROM)


def _decades(intervals: list[Interval], points: list[Point]) -> float:
    """Powers of ten between the smallest and the largest number; 0 where one is not positive."""
    numbers = [n for i in intervals for n in (i.low, i.high)]
    numbers += [n for p in points for n in (p.value, p.value - (p.std or 0.0), *p.parts)]
    return float(np.log10(max(numbers) / min(numbers))) if min(numbers) > 0 else 0.0


def _shares(intervals: list[Interval], points: list[Point]) -> list[float]:
    """Length of each interval as it is drawn, relative to the longest."""
    scale = np.log if is_wide(intervals, points) else np.asarray
    lengths = [float(scale(i.high) - scale(i.low)) for i in intervals]
    return [length / (max(lengths) or 1.0) for length in lengths]


def draw_bars(names: list[str], values: dict[str, np.ndarray], across: str, key: str, alt: str) -> Picture:
    """Draw a group of horizontal bars a name, one bar a direction, with their numbers.

    Args:
        names: names of the groups.
        values: by direction ("x", ...) one number a group; a NaN draws nothing.
        across: name and unit of the axis.
        key: name of the drawing on the page.
        alt: what there is to see.
    """
    kept = largest_rows(np.stack(list(values.values())))
    figure, axes = new_plot(460, 66 + (18 * len(values) + 14) * len(kept))
    thickness = 0.8 / len(values)
    for i, (direction, numbers) in enumerate(values.items()):
        rows = np.arange(len(kept)) - 0.4 + (i + 0.5) * thickness
        shown = np.nan_to_num(np.asarray(numbers)[kept])
        colour = DIRECTIONS.get(direction, ACCENT)
        axes.barh(rows, shown, 0.86 * thickness, color=colour, linewidth=0)
        for row, number in zip(rows, np.asarray(numbers)[kept], strict=True):
            _bar_text(axes, row, number, direction)
    _named_rows(axes, [names[k] for k in kept])
    axes.axvline(0.0, color=MUTED, linewidth=0.8)
    axes.margins(x=0.22)
    low, high = axes.get_xlim()
    axes.set_xlim(low if np.nanmin(list(values.values())) < 0 else 0.0, high)
    plain_ticks(axes, "x")
    label_axes(axes, across)
    return as_svg(figure, key, alt)


def largest_rows(values: np.ndarray) -> list[int]:
    """Return the numbers of the groups to draw, in their order: all, or the dozen with the largest bars."""
    size = np.nan_to_num(np.abs(values)).max(axis=0)
    return sorted(np.argsort(-size, kind="stable")[:_MOST_ROWS].tolist())


def _interval(axes: Axes, row: int, interval: Interval, whole: float) -> None:
    """Draw an interval; its end names go above a long one and beside a short one."""
    axes.plot(
        [interval.low, interval.high], [row, row], color=MUTED, linewidth=7, alpha=0.35, solid_capstyle="butt"
    )
    long = whole > _LONG
    sides = ("left", "right") if long else ("right", "left")
    ends = ((interval.low, interval.low_name, sides[0]), (interval.high, interval.high_name, sides[1]))
    for number, name, side in ends:
        axes.plot([number], [row], marker="|", markersize=12, markeredgewidth=1.6, color=MUTED)
        shift = (0, 8) if long else (6 if side == "left" else -6, -3)
        text = f"{name} {typeset_number(number, 4)}".strip()
        axes.annotate(
            text, (number, row), shift, textcoords="offset points", ha=side, color=INK, fontsize=FONT_SIZE - 1
        )


def _point(axes: Axes, row: int, point: Point) -> None:
    for part in point.parts:
        axes.plot([part], [row], marker="|", markersize=9, markeredgewidth=1.0, color=ACCENT, alpha=0.7)
    axes.errorbar(
        [point.value], [row], xerr=point.std or None, color=ACCENT, capsize=4, elinewidth=1.6, capthick=1.6
    )
    axes.plot(
        [point.value],
        [row],
        marker="o",
        markersize=7,
        color=ACCENT,
        markeredgecolor=PAPER,
        markeredgewidth=1.0,
    )
    axes.annotate(
        typeset_number(point.value, 4),
        (point.value, row),
        (0, 8),
        textcoords="offset points",
        ha="center",
        color=INK,
        fontsize=FONT_SIZE - 1,
        fontweight="bold",
    )


def _named_rows(axes: Axes, names: list[str]) -> None:
    axes.set_yticks(range(len(names)), labels=[shorten(n) for n in names], parse_math=False, color=INK)
    axes.set_ylim(len(names) - 0.5, -0.6)
    axes.tick_params(axis="y", length=0)
    axes.grid(visible=False, axis="y")
    axes.spines["left"].set_visible(False)


def _bar_text(axes: Axes, row: float, number: float, direction: str) -> None:
    known = bool(np.isfinite(number))
    text = (
        f"{direction}  {typeset_number(float(number), 3, trim=False)}"
        if known
        else f"{direction}  not defined"
    )
    place = (float(number) if known else 0.0, row)
    right = not known or number >= 0
    axes.annotate(
        text,
        place,
        (4 if right else -4, 0),
        textcoords="offset points",
        ha="left" if right else "right",
        va="center",
        color=MUTED,
        fontsize=FONT_SIZE - 1,
        parse_math=False,
    )
