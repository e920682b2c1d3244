"""Pictures of measurements upscaled: shrinkage, forest, semivariance, predictive checks."""

import numpy as np
from matplotlib.axes import Axes

from scalebridge.core.units import DARCY
from scalebridge.inference.hierarchy_result import MeasurementStudy
from scalebridge.inference.matern import matern_correlation
from scalebridge.report.canvas import (
    ACCENT,
    BAD,
    FONT_SIZE,
    INK,
    MUTED,
    PAPER,
    RULE,
    Picture,
    as_svg,
    label_axes,
    new_plot,
    plain_ticks,
)
from scalebridge.report.typeset import typeset_number, typeset_unit

_MOST = 40  # groups that are named in a forest


def shown_unit(study: MeasurementStudy) -> tuple[float, str]:
    """Return by what SI values are multiplied for the page, and the unit there: mD for permeabilities."""
    return (1.0 / (1e-3 * DARCY), "mD") if study.unit == "m^2" else (1.0, study.unit)


def with_unit(text: str, study: MeasurementStudy) -> str:
    """Return an axis's name with the page's unit."""
    unit = typeset_unit(shown_unit(study)[1])
    return f"{text}, {unit}" if unit else text


def draw_shrinkage(study: MeasurementStudy, key: str) -> Picture:
    """Draw every group's own mean against what the hierarchy makes of it."""
    figure, axes = new_plot(460, 360)
    physical = study.hierarchy.measurements.physical
    factor = shown_unit(study)[0]
    own = factor * physical(np.array([g.own for g in study.groups]))
    found = factor * physical(np.array([g.mean for g in study.groups]))
    middle = factor * float(physical(np.array(study.everything.mean)))
    _logarithmic(study, axes, "xy")
    ends = np.array([min(own.min(), found.min()), max(own.max(), found.max())])
    axes.plot(ends, ends, color=MUTED, linewidth=1.0, linestyle=(0, (4, 3)))
    axes.axhline(middle, color=RULE, linewidth=1.4)
    size = np.sqrt([g.count for g in study.groups])
    axes.scatter(own, found, s=14 + 60 * size / size.max(), color=ACCENT, edgecolor=PAPER, zorder=4)
    if len(own) <= _MOST // 2:
        for x, y, group in zip(own, found, study.groups, strict=True):
            axes.annotate(
                group.label, (x, y), (5, -9), textcoords="offset points", color=INK, fontsize=FONT_SIZE - 1.5,
                parse_math=False,
            )  # fmt: skip
    label_axes(axes, with_unit("mean of its own measurements", study), with_unit("in the hierarchy", study))
    alt = f"Means of {len(own)} groups against their posterior means, which lie nearer to the mean of all."
    return as_svg(figure, key, alt, "Few or noisy measurements are drawn towards the mean of all (line).")


def draw_forest(study: MeasurementStudy, key: str) -> Picture:
    """Draw the property of every group with its 95 % interval, and that of everything."""
    groups = [*study.groups[:_MOST], study.everything]
    figure, axes = new_plot(460, 90 + 20 * len(groups))
    factor = shown_unit(study)[0]
    _logarithmic(study, axes, "x")
    for row, group in enumerate(groups):
        colour = INK if group is study.everything else ACCENT
        axes.plot([factor * group.low, factor * group.high], [row, row], color=colour, linewidth=2.0)
        axes.plot([factor * group.value], [row], "o", color=colour, markersize=6, markeredgecolor=PAPER)
        own = factor * float(study.hierarchy.measurements.physical(np.array(group.own)))
        axes.plot([own], [row], "|", color=MUTED, markersize=10)
    axes.set_yticks(range(len(groups)), [g.label for g in groups], fontsize=FONT_SIZE, color=INK)
    axes.invert_yaxis()
    label_axes(axes, with_unit(study.title, study))
    said = "; ".join(f"{g.label} {typeset_number(factor * g.value, 3)}" for g in groups[:12])
    more = "" if len(study.groups) <= _MOST else f" The first {_MOST} of {len(study.groups)} groups."
    return as_svg(
        figure,
        key,
        f"Medians and 95 % intervals by group: {said}.",
        f"Median and 95 % interval of each group; the stroke is the mean of its own measurements.{more}",
    )


def draw_semivariance(study: MeasurementStudy, key: str) -> Picture | None:
    """Draw the semivariance by distance, and what the model says of it."""
    near = study.nearness
    if near is None:
        return None
    figure, axes = new_plot(460, 320)
    axes.set_xscale("log")
    size = np.sqrt(near.pairs / near.pairs.max())
    axes.scatter(near.distance, near.gamma, s=16 + 60 * size, color=ACCENT, edgecolor=PAPER, zorder=4)
    known, correlation = study.posterior.known, study.hierarchy.measurements.tree.correlation
    values = {name: float(np.mean(drawn)) for name, drawn in study.posterior.values.items()}
    ends = near.distance[near.distance > 0]
    line = np.geomspace(ends.min(), ends.max(), 120)
    level = values["heterogeneity"] ** 2 + values.get("noise", 0.0) ** 2 * float(
        np.mean(study.hierarchy.measurements.tree.scatter)
    )
    if correlation is None:
        axes.axhline(level, color=BAD, linewidth=1.4, linestyle=(0, (4, 3)))
        caption = "Dashed: what independence within a group, as was assumed, would make of it."
    else:
        shape = matern_correlation(line, known.get("length", (values["length"], 0))[0], correlation)
        axes.plot(line, level + values["correlated"] ** 2 * (1.0 - shape), color=INK, linewidth=1.5)
        caption = f"Line: the model ({correlation}) at the posterior means."
    axes.set_ylim(bottom=0)
    plain_ticks(axes, "x")
    kind = "of the logarithm" if study.distribution == "log-normal" else "of the values"
    label_axes(axes, "distance within a group, unit of the positions", f"semivariance {kind}")
    first, top = typeset_number(near.gamma[0], 3), typeset_number(float(near.gamma.max()), 3)
    return as_svg(figure, key, f"Semivariance by distance, from {first} to {top} at most.", caption)


def draw_predictive(study: MeasurementStudy, key: str) -> Picture:
    """Draw each statistic of the data against what data made by the model have, in their half-widths."""
    rows = study.predictive
    figure, axes = new_plot(560, 70 + 32 * len(rows))
    for row, one in enumerate(rows):
        low, middle, high = np.quantile(one.made, (0.025, 0.5, 0.975))
        half = max(high - middle, middle - low, 1e-300)
        axes.plot([(low - middle) / half, (high - middle) / half], [row, row], color=MUTED, linewidth=5)
        seen = float(np.clip((one.seen - middle) / half, -3.0, 3.0))
        colour = ACCENT if one.p_value >= 0.01 else BAD
        axes.plot([seen], [row], "o", color=colour, markersize=7, markeredgecolor=PAPER, zorder=4)
    axes.set_yticks(range(len(rows)), [one.name for one in rows], fontsize=FONT_SIZE, color=INK)
    axes.set_xlim(-3.2, 3.2)
    axes.invert_yaxis()
    label_axes(axes, "half widths of 95 % from the median")
    said = "; ".join(f"{one.name} p = {typeset_number(one.p_value, 2)}" for one in rows)
    return as_svg(
        figure,
        key,
        f"Predictive checks: {said}.",
        "Bars: 95 % of data made by the model; dots: the data, at 3 if beyond.",
    )


def draw_left_out(study: MeasurementStudy, key: str) -> Picture | None:
    """Draw each group's mean against its prediction from all the others."""
    if not study.left_out:
        return None
    found = study.left_out[:_MOST]
    figure, axes = new_plot(460, 90 + 20 * len(found))
    factor, physical = shown_unit(study)[0], study.hierarchy.measurements.physical
    _logarithmic(study, axes, "x")
    for row, one in enumerate(found):
        ends = factor * physical(np.array([one.mean - 1.96 * one.std, one.mean + 1.96 * one.std]))
        axes.plot(ends, [row, row], color=MUTED, linewidth=5)
        inside = 0.025 <= one.probability <= 0.975
        seen = factor * float(physical(np.array(one.seen)))
        axes.plot([seen], [row], "o", color=ACCENT if inside else BAD, markersize=7, markeredgecolor=PAPER)
    axes.set_yticks(range(len(found)), [one.label for one in found], fontsize=FONT_SIZE, color=INK)
    axes.invert_yaxis()
    label_axes(axes, with_unit("mean of the group", study))
    outside = sum(not 0.025 <= one.probability <= 0.975 for one in found)
    alt = f"{len(found)} groups predicted from the others; {outside} lie outside the interval of 95 %."
    return as_svg(figure, key, alt, "Bars: 95 % as predicted without the group; dots: the group's own data.")


def _logarithmic(study: MeasurementStudy, axes: Axes, which: str) -> None:
    if study.distribution == "log-normal":
        for axis in which:
            (axes.set_xscale if axis == "x" else axes.set_yscale)("log")
            plain_ticks(axes, axis)
