"""Pictures of a front that runs through layers: where it is, how it looks, and how fast it is."""

import numpy as np
from matplotlib.axes import Axes

from scalebridge.cells.front_result import FrontStudy
from scalebridge.cells.front_speed import FrontSpeed
from scalebridge.report.canvas import (
    ACCENT,
    BAD,
    FONT_SIZE,
    INK,
    MUTED,
    Picture,
    as_svg,
    label_axes,
    new_plot,
    phase_colours,
    plain_ticks,
)
from scalebridge.report.typeset import typeset_length, typeset_number, typeset_unit

_MOST = 4  # curves in one plot
_SHOWN = 8.0  # periods
_LINES = ("solid", (0, (5, 2)), (0, (1.5, 1.5)), (0, (5, 2, 1, 2)))
_BAND = 0.28  # opacity of a layer behind a curve


def draw_path(study: FrontStudy, unit: str, key: str) -> Picture:
    """Draw how far each front has come against time, beside the formula of mean coefficients.

    Args:
        study: the fronts.
        unit: unit of driving forces.
        key: name of the drawing on the page.
    """
    figure, axes = new_plot(460, 300)
    period = study.speeds[0].run.grid.period
    said = []
    for one, line in zip(_spread_out(study.speeds), _LINES, strict=False):
        time, covered = one.run.path / period
        time = time * 6.0 * one.run.driving
        kept = time <= _SHOWN
        shown = _label("m", one.driving, unit)
        axes.plot(time[kept], covered[kept], color=ACCENT, linestyle=line, linewidth=1.7, label=shown)
        said.append(f"{shown}: {typeset_number(float(covered[kept][-1]), 3)} periods")
    end = min(_SHOWN, axes.get_xlim()[1])
    axes.plot(
        [0.0, end], [0.0, end], color=MUTED, linewidth=1.2, linestyle=(0, (4, 3)), label="mean coefficients"
    )
    _finish(axes, "time, in periods of the front of mean coefficients", "distance, periods")
    return as_svg(figure, key, f"Distance covered against time. {'; '.join(said)}.")


def draw_profile(study: FrontStudy, lengths: bool, key: str) -> Picture:
    """Draw the front in its layers, beside the profile of the coarse interface.

    Args:
        study: the fronts; the one of the smallest driving force is drawn.
        lengths: whether thicknesses are in metres, not relative numbers.
        key: name of the drawing on the page.
    """
    figure, axes = new_plot(460, 300)
    run, interface = study.speeds[0].run, study.layers.coarse_interface
    length = interface.length()
    scale, name = _scale(12.0 * length) if lengths else (1.0, "")
    place = run.grid.centres
    middle = float(np.interp(0.5, run.phase[::-1], place[::-1]))
    near = np.abs(place - middle) < 7.0
    across = (place - middle) * length / scale
    _bands(axes, study, across, near, run.grid.layer)
    axes.plot(across[near], run.phase[near], color=ACCENT, linewidth=1.9, label="front in the layers")
    coarse = 1.0 - interface.profile(across[near] * scale)
    axes.plot(
        across[near], coarse, color=MUTED, linewidth=1.3, linestyle=(0, (4, 3)), label="coarse interface"
    )
    axes.set_xlim(across[near][0], across[near][-1])
    _finish(axes, f"distance from the front{f', {name}' if name else ''}", "phase field φ")
    width = interface.width()
    shown = typeset_length(width, 3) if lengths else typeset_number(width, 3)
    alt = (
        f"Phase field through the layers, from 1 on the left to 0 on the right; the coarse interface is "
        f"{shown} wide between 0.1 and 0.9, and a period of the layers "
        f"{typeset_number(study.layers.period / width, 3)} of that."
    )
    return as_svg(figure, key, alt)


def draw_speeds(study: FrontStudy, unit: str, key: str) -> Picture:
    """Draw each front's speed, relative to the formula of mean coefficients, against the driving force.

    Args:
        study: the fronts.
        unit: unit of driving forces.
        key: name of the drawing on the page.
    """
    figure, axes = new_plot(460, 300)
    interface, mean = study.layers.coarse_interface, study.layers.mean_mobility
    forces = np.array([one.driving for one in study.speeds])
    formula = np.array([interface.speed(mean, m) for m in forces])
    shares, errors = (
        np.array([getattr(one, name) for one in study.speeds]) / formula for name in ("speed", "error")
    )
    axes.axhline(1.0, color=MUTED, linewidth=1.2, linestyle=(0, (4, 3)), label="mean coefficients")
    if study.mobility > 0:
        axes.axhline(study.mobility / mean, color=INK, linewidth=1.2, label="handed up")
    moving = np.array([not one.pinned for one in study.speeds])
    if moving.any():
        axes.errorbar(
            forces[moving],
            shares[moving],
            errors[moving],
            fmt="o",
            color=ACCENT,
            markersize=6,
            label="fine front",
        )
    if not moving.all():
        axes.plot(forces[~moving], shares[~moving], "X", color=BAD, markersize=8, label="front stands")
    said = "; ".join(
        f"{typeset_number(m, 3)}: {typeset_number(v, 4)}" for m, v in zip(forces, shares, strict=True)
    )
    if study.threshold is not None and study.threshold.pinned > 0:
        axes.axvspan(0.0, study.threshold.pinned, color=BAD, alpha=0.12, linewidth=0, label="pinned")
        said += f"; pinned up to {typeset_number(study.threshold.pinned, 3)}"
    axes.set_xlim(0.0, 1.08 * max(float(forces.max()), _moving(study)))
    if not moving.all():
        axes.set_ylim(bottom=-0.04 * axes.get_ylim()[1])
    shown = typeset_unit(unit)
    across = f"driving force, {shown}" if shown else "driving force"
    _finish(axes, across, "speed, of mean coefficients")
    return as_svg(figure, key, f"Speed against driving force, relative to mean coefficients. {said}.")


def _spread_out(speeds: tuple[FrontSpeed, ...]) -> list[FrontSpeed]:
    """Return a few fronts, spread over the driving forces."""
    rows = np.unique(np.linspace(0, len(speeds) - 1, min(len(speeds), _MOST)).round().astype(int))
    return [speeds[row] for row in rows]


def _moving(study: FrontStudy) -> float:
    found = study.threshold
    if found is None:
        return 0.0
    return found.moving if np.isfinite(found.moving) else found.pinned


def _bands(axes: Axes, study: FrontStudy, across: np.ndarray, near: np.ndarray, layer: np.ndarray) -> None:
    """Lay each layer behind the curve in the colour of its phase."""
    labels = sorted(set(study.labels))
    colours = dict(zip(labels, phase_colours(len(labels)), strict=True))
    named: set[int] = set()
    of_cell = np.tile(layer, across.size // layer.size)
    cuts = np.flatnonzero(np.diff(of_cell)) + 1
    for rows in np.split(np.arange(across.size), cuts):
        if not near[rows].any():
            continue
        label = study.labels[of_cell[rows[0]]]
        half = 0.5 * (across[1] - across[0]) if rows.size < 2 else 0.5 * (across[rows[1]] - across[rows[0]])
        name = study.names[of_cell[rows[0]]] if label not in named else None
        named.add(label)
        axes.axvspan(
            float(across[rows[0]] - half),
            float(across[rows[-1]] + half),
            color=colours[label],
            alpha=_BAND,
            lw=0,
            label=name,
        )


def _scale(size: float) -> tuple[float, str]:
    """Return the unit of length that suits a size: its value in metres and its name."""
    known = ((1e-9, "nm"), (1e-6, "µm"), (1e-3, "mm"), (1.0, "m"))
    return next((unit for unit in reversed(known) if size >= unit[0]), known[0])


def _label(symbol: str, number: float, unit: str) -> str:
    shown = typeset_unit(unit)
    return f"{symbol} = {typeset_number(number, 3)}{f' {shown}' if shown else ''}"


def _finish(axes: Axes, across: str, up: str) -> None:
    plain_ticks(axes, "x")
    plain_ticks(axes, "y")
    label_axes(axes, across, up)
    axes.legend(frameon=False, fontsize=FONT_SIZE - 1, labelcolor=INK)
