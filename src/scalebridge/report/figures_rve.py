"""Pictures of a study of subvolumes: their answers against their size, and how the variance falls."""

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, LogLocator
from scipy import special

from scalebridge.report.canvas import (
    ACCENT,
    BAD,
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
from scalebridge.report.typeset import typeset_number, typeset_unit
from scalebridge.upscaling.rve_result import SIGMAS, RveStudy, SizeSummary
from scalebridge.upscaling.rve_statistics import VarianceLaw
from scalebridge.upscaling.rve_study import scalar_of

_FAR = 300.0  # times the image's volume, beyond which no line is drawn
_JITTER = 0.035  # of a dot's size on the axis, so that dots do not hide each other


def draw_answers(study: RveStudy, key: str) -> Picture:
    """Draw every subvolume's answer against its edge, with means, intervals, and the expected image.

    Args:
        study: the study.
        key: name of the drawing on the page.
    """
    figure, axes = new_plot(460, 320)
    axes.set_xscale("log")
    for sample in study.samples:
        numbers = scalar_of(sample.values)
        aside = np.exp(_JITTER * np.linspace(-1, 1, numbers.size))[_shuffled(numbers.size)]
        axes.plot(
            sample.edge * aside, numbers, "o", markersize=2.6, color=MUTED, alpha=0.45, markeredgewidth=0
        )
    edges = [s.edge for s in study.sizes]
    means = [s.scalar.mean for s in study.sizes]
    axes.errorbar(
        edges,
        means,
        yerr=[s.scalar.half_width for s in study.sizes],
        fmt="o",
        color=ACCENT,
        markersize=6.5,
        markeredgecolor=PAPER,
        capsize=4,
        elinewidth=1.7,
        capthick=1.7,
        zorder=5,
    )
    image = _edge(study, study.volume)
    _expected(axes, study, image)
    _edge_ticks(axes, [*edges, image])
    axes.set_xlim(min(edges) / 1.25, image * 1.3)
    plain_ticks(axes, "y")
    unit = typeset_unit(study.unit)
    label_axes(axes, "edge, voxels", f"{study.spec.name}{f', {unit}' if unit else ''}")
    said = "; ".join(
        f"{s.edge:.4g} voxels: {typeset_number(s.scalar.mean, 4)} ± {typeset_number(s.scalar.half_width, 2)}"
        for s in study.sizes
    )
    caption = (
        "Dots: subvolumes. Bars: mean and its 95 % interval. Hollow: what the image is expected to have."
    )
    return as_svg(figure, key, f"Answers of subvolumes against their edge. Means: {said}.", caption)


def draw_law(study: RveStudy, law: VarianceLaw, key: str) -> Picture:
    """Draw the relative variance against the volume, both logarithmic, with the law and the wanted error.

    Args:
        study: the study.
        law: its law.
        key: name of the drawing on the page.
    """
    figure, axes = new_plot(460, 320)
    axes.set_xscale("log")
    axes.set_yscale("log")
    square = study.mean**2
    ends = _volumes(study, law)
    volume = np.geomspace(*ends, 60)
    middle, factor = law.variance(volume) / square, np.exp(1.96 * law.uncertainty(volume))
    axes.fill_between(volume, middle / factor, middle * factor, color=ACCENT, alpha=0.16, linewidth=0)
    axes.plot(volume, middle, color=ACCENT, linewidth=1.8)
    for size in study.sizes:
        _measured(axes, size, square, used=size.size in law.sizes)
    _goal(axes, study, law, ends)
    _upright(axes, study.volume, "the image")
    axes.set_xlim(*ends)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(LogLocator(numticks=8))
    plain_ticks(axes, "x")
    plain_ticks(axes, "y")
    label_axes(axes, "volume, voxels", "variance / mean² (dimensionless)")
    alt = (
        f"Relative variance against volume: falls with the power {typeset_number(-law.exponent, 3)} ± "
        f"{typeset_number(law.exponent_std, 2)} of the volume."
    )
    caption = "Bars and band: 95 % intervals. Hollow: sizes that the law was not asked of."
    return as_svg(figure, key, alt, caption)


def _shuffled(count: int) -> np.ndarray:
    """An order in which neighbours stand far apart: multiples of the golden ratio."""
    return np.argsort((np.arange(count) * 0.6180339887) % 1.0)


def _expected(axes: Axes, study: RveStudy, edge: float) -> None:
    reach = study.image_error * abs(study.mean)
    if not reach or not math.isfinite(reach):
        return
    axes.errorbar(
        [edge],
        [study.mean],
        yerr=[reach],
        fmt="o",
        color=ACCENT,
        markersize=6.5,
        markerfacecolor=PAPER,
        capsize=4,
        elinewidth=1.2,
        capthick=1.2,
        linestyle="none",
    )


def _edge(study: RveStudy, volume: float) -> float:
    return volume ** (1 / len(study.shape))


def _edge_ticks(axes: Axes, edges: Sequence[float]) -> None:
    places = sorted(set(edges))
    axes.xaxis.set_major_locator(FixedLocator(places))
    axes.xaxis.set_minor_locator(FixedLocator([]))
    plain_ticks(axes, "x")


def _volumes(study: RveStudy, law: VarianceLaw) -> tuple[float, float]:
    """Return the ends of the axis of volumes: all sizes, the image, and the wanted one if it is near."""
    known = [float(s.volume) for s in study.sizes] + [float(study.volume)]
    if study.wanted is not None and study.wanted.volume < _FAR * study.volume:
        known.append(study.wanted.volume)
    return min(known) / 2.5, max(known) * 2.5


def _measured(axes: Axes, size: SizeSummary, square: float, *, used: bool) -> None:
    """Draw a sample variance with its 95 % interval, that of a χ² variable."""
    freedom, found = size.count - 1, size.scalar.std**2 / square
    if found <= 0:
        return
    low, high = (freedom * found / special.chdtri(freedom, above) for above in (0.025, 0.975))
    axes.errorbar(
        [size.volume],
        [found],
        yerr=[[found - low], [high - found]],
        fmt="o",
        color=INK if used else MUTED,
        markersize=6.0,
        markerfacecolor=INK if used else PAPER,
        capsize=3.5,
        elinewidth=1.3,
        capthick=1.3,
        zorder=5,
    )


def _goal(axes: Axes, study: RveStudy, law: VarianceLaw, ends: tuple[float, float]) -> None:
    level = (study.wanted_error / SIGMAS) ** 2
    axes.axhline(level, color=BAD, linewidth=1.2, linestyle=(0, (4, 3)))
    _remark(axes, (ends[0], level), f"error {typeset_number(100 * study.wanted_error, 3)} %", (6, 4), BAD)
    if study.wanted is not None and study.wanted.volume < ends[1]:
        axes.plot([study.wanted.volume], [level], "D", color=BAD, markersize=6.5, zorder=6)


def _upright(axes: Axes, volume: float, text: str) -> None:
    axes.axvline(volume, color=MUTED, linewidth=1.0, linestyle=(0, (1.5, 2)))
    axes.annotate(
        text,
        (volume, 1.0),
        (-4, -4),
        xycoords=("data", "axes fraction"),
        textcoords="offset points",
        color=MUTED,
        fontsize=FONT_SIZE - 1,
        ha="right",
        va="top",
        rotation=90,
    )


def _remark(axes: Axes, place: tuple[float, float], text: str, shift: tuple[int, int], colour: str) -> None:
    axes.annotate(text, place, shift, textcoords="offset points", color=colour, fontsize=FONT_SIZE - 1)
