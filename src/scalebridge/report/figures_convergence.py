"""How the solver closed in: residual and estimated energy error of every direction against its steps."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator, MaxNLocator

from scalebridge.core.upscaled import Upscaled
from scalebridge.report.canvas import (
    BAD,
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
from scalebridge.report.tensors import AXES
from scalebridge.report.typeset import typeset_number

_PLOTS = (
    ("errors", "rtol", "estimated relative error of the tensor"),
    ("residuals", "residual_rtol", "relative residual of the balance"),
)


_SHEARS = {"yz": "x", "xz": "y", "xy": "z"}  # a shear has the colour of the axis across its plane
_CASES: dict[str, tuple[str, Any]] = {
    **{name: (DIRECTIONS[name], DASHES[name]) for name in "xyz"},
    **{2 * name: (DIRECTIONS[name], "solid") for name in "xyz"},
    **{name: (DIRECTIONS[axis], (0, (1.5, 1.5))) for name, axis in _SHEARS.items()},
    "temperature": (MUTED, (0, (5, 2))),
}


def draw_convergence(result: Upscaled, key: str, names: Sequence[str] = AXES) -> list[Picture]:
    """Draw the histories that the result has: none for an exact formula.

    Args:
        result: the result.
        key: name of the drawings on the page.
        names: the load cases: axes "x", "y", "z", strains "xx" ... "xy", "temperature".
    """
    drawn = []
    for name, tolerance, up in _PLOTS:
        curves = histories(result.stats.get(name), names)
        if curves:
            drawn.append(_draw(curves, result.provenance.settings.get(tolerance), up, f"{key}-{name}"))
    return drawn


def histories(stored: Any, names: Sequence[str] = AXES) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Return steps and numbers by direction, without what a logarithmic axis cannot show.

    Args:
        stored: a list of numbers for each direction, the start included.
        names: the directions.
    """
    found = {}
    for name, numbers in zip(names, stored if isinstance(stored, list | tuple) else [], strict=False):
        history = np.asarray(numbers, dtype=float)
        steps = np.flatnonzero(np.isfinite(history) & (history > 0))
        if steps.size > 1:
            found[name] = (steps, history[steps])
    return found


def _draw(
    curves: dict[str, tuple[np.ndarray, np.ndarray]], wanted: float | None, up: str, key: str
) -> Picture:
    figure, axes = new_plot(460, 290)
    axes.set_yscale("log")
    for name, (steps, numbers) in curves.items():
        colour, dash = _CASES.get(name, (MUTED, "solid"))
        axes.plot(steps, numbers, color=colour, linestyle=dash, linewidth=1.7, label=name)
    if wanted:
        _wanted_line(axes, wanted)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.yaxis.set_major_locator(LogLocator(numticks=9))
    axes.margins(x=0.02)
    plain_ticks(axes, "y")
    label_axes(axes, "step", up)
    legend = axes.legend(
        frameon=False, fontsize=FONT_SIZE, title="load along", title_fontsize=FONT_SIZE, labelcolor=INK
    )
    legend.get_title().set_color(MUTED)
    ends = "; ".join(
        f"{n}: {typeset_number(v[-1], 2)} after {int(s[-1])} steps" for n, (s, v) in curves.items()
    )
    goal = f", wanted {typeset_number(wanted, 2)}" if wanted else ""
    return as_svg(figure, key, f"{up[0].upper()}{up[1:]} against steps{goal}. {ends}.")


def _wanted_line(axes: Axes, wanted: float) -> None:
    axes.axhline(wanted, color=BAD, linewidth=1.2, linestyle=(0, (4, 3)))
    axes.annotate(
        f"wanted {typeset_number(wanted, 2)}",
        (0.0, wanted),
        (6, 4),
        xycoords=("axes fraction", "data"),
        textcoords="offset points",
        color=BAD,
        fontsize=FONT_SIZE - 1,
    )
