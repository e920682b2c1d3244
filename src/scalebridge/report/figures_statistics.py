"""Plots of an image's statistics: two-point probability, covariance by direction, chord lengths."""

import math

import numpy as np
from matplotlib.axes import Axes

from scalebridge.grids.chords import ChordLengths
from scalebridge.grids.statistics import ImageStatistics, PhaseStatistics
from scalebridge.report.canvas import (
    DASHES,
    DIRECTIONS,
    FONT_SIZE,
    INK,
    MUTED,
    Picture,
    as_svg,
    label_axes,
    new_plot,
    plain_ticks,
)
from scalebridge.report.looks import Look
from scalebridge.report.typeset import length_unit, shorten, typeset_number

_LENGTHS_SHOWN = 5  # correlation lengths that a plot reaches
_MOST_BINS = 40
_SHOWN_CHORDS = 0.995  # share of the chords that a plot reaches


def unit_of(statistics: ImageStatistics) -> tuple[float, str]:
    """Return the unit of length in which an image's statistics read well: its size in metres and its name."""
    if statistics.unit != "m":
        return 1.0, "voxel"
    return length_unit((statistics.volume ** (1 / statistics.dim)) / 10)


def draw_two_point(statistics: ImageStatistics, looks: dict[int, Look], key: str) -> Picture:
    """Draw the two-point probability of every measured phase, with the value that it tends to.

    Args:
        statistics: the statistics.
        looks: look of each phase by label.
        key: name of the drawing on the page.
    """
    scale, unit = unit_of(statistics)
    figure, axes = new_plot(460, 300)
    for phase in statistics.phases.values():
        curve, look = phase.two_point, looks[phase.label]
        axes.plot(
            curve.distance / scale, curve.values, color=look.colour, linewidth=1.8, label=shorten(look.name)
        )
        axes.axhline(phase.fraction**2, color=look.colour, linewidth=1.0, linestyle=(0, (1.5, 2.5)))
    _reach(axes, list(statistics.phases.values()), scale)
    axes.set_ylim(bottom=0)
    _finish(axes, f"distance, {unit}", "probability that both ends are in the phase")
    ends = [(p.name, p.fraction, float(p.two_point.values[-1])) for p in statistics.phases.values()]
    said = "; ".join(f"{n} from {typeset_number(a, 3)} to {typeset_number(b, 3)}" for n, a, b in ends)
    return as_svg(figure, key, f"Two-point probability against distance: {said}.")


def draw_covariance(
    statistics: ImageStatistics, phase: PhaseStatistics, key: str, caption: str = ""
) -> Picture:
    """Draw a phase's normalised covariance along each axis and as the mean over directions.

    Args:
        statistics: of the image, for the unit.
        phase: the phase; it must not fill the image.
        key: name of the drawing on the page.
        caption: what stands below; the phase's name unless given.
    """
    scale, unit = unit_of(statistics)
    figure, axes = new_plot(460, 300)
    for name, curve in phase.covariance_along.items():
        axes.plot(
            curve.distance / scale,
            curve.values,
            color=DIRECTIONS[name],
            linestyle=DASHES[name],
            linewidth=1.6,
            label=f"along {name}",
        )
    mean = phase.covariance
    if mean is not None:
        axes.plot(mean.distance / scale, mean.values, color=INK, linewidth=1.2, label="all directions")
    axes.axhline(0.0, color=MUTED, linewidth=0.8)
    _reach(axes, [phase], scale)
    _finish(axes, f"distance, {unit}", "normalised covariance")
    length = typeset_number(phase.correlation_length / scale, 3)
    alt = f"Normalised covariance of {phase.name} against distance; it has died away at {length} {unit}."
    return as_svg(figure, key, alt, caption or shorten(phase.name, 40))


def draw_chords(statistics: ImageStatistics, phase: PhaseStatistics, key: str) -> Picture | None:
    """Draw how chord lengths of a phase are distributed along each axis; None where no chord has an end.

    Args:
        statistics: of the image, for the unit.
        phase: the phase.
        key: name of the drawing on the page.
    """
    scale, unit = unit_of(statistics)
    found = {name: chords for name, chords in phase.chords.items() if chords.distribution.values.sum() > 0}
    if not found:
        return None
    figure, axes = new_plot(460, 300)
    said = []
    for name, chords in found.items():
        edges, density = _binned(chords)
        axes.stairs(
            density * scale,
            edges / scale,
            baseline=None,
            color=DIRECTIONS[name],
            linestyle=DASHES[name],
            linewidth=1.6,
            label=f"along {name}, mean {typeset_number(chords.mean / scale, 3)} {unit}",
        )
        said.append(f"along {name} of mean {typeset_number(chords.mean / scale, 3)} {unit}")
    axes.set_xlim(left=0)
    axes.set_ylim(bottom=0)
    _finish(axes, f"chord length, {unit}", f"share of the chords, 1/{unit}")
    alt = f"Distribution of the chord lengths of {phase.name}: {'; '.join(said)}."
    return as_svg(figure, key, alt, shorten(phase.name, 40))


def _binned(chords: ChordLengths) -> tuple[np.ndarray, np.ndarray]:
    """Return edges of bins of whole voxels, in metres or voxels, and the density in them."""
    shares = chords.distribution.values
    below = np.flatnonzero(np.cumsum(shares) >= _SHOWN_CHORDS * shares.sum())
    most = int(below[0]) + 1 if below.size else shares.size
    width = max(1, math.ceil(most / _MOST_BINS))
    number = math.ceil(most / width)
    padded = np.zeros(number * width)
    kept = shares[: padded.size]
    padded[: kept.size] = kept
    # A chord of n voxels stands for lengths from n - 1/2 to n + 1/2.
    edges = (np.arange(number + 1) * width + 0.5) * chords.edge
    return edges, padded.reshape(number, width).sum(axis=1) / (width * chords.edge)


def _reach(axes: Axes, phases: list[PhaseStatistics], scale: float) -> None:
    lengths = [p.correlation_length for p in phases if math.isfinite(p.correlation_length)]
    whole = max(float(p.two_point.distance[-1]) for p in phases)
    axes.set_xlim(0, min([whole, _LENGTHS_SHOWN * max(lengths)] if lengths else [whole]) / scale or None)


def _finish(axes: Axes, across: str, up: str) -> None:
    plain_ticks(axes, "x")
    plain_ticks(axes, "y")
    label_axes(axes, across, up)
    axes.legend(frameon=False, fontsize=FONT_SIZE, labelcolor=INK)
