"""Curves over temperature: moduli, Poisson's ratios and expansions of a table."""

import numpy as np

from scalebridge.report.canvas import (
    FONT_SIZE,
    INK,
    Picture,
    as_svg,
    label_axes,
    new_plot,
    phase_colours,
    plain_ticks,
)
from scalebridge.report.typeset import typeset_number

_DASHES = ("solid", (0, (5, 2)), (0, (1.5, 1.5)), (0, (6, 2, 1.5, 2)))
_SHOWN_POINTS = 40  # temperatures up to which each is marked


def draw_curves(
    temperatures: np.ndarray,
    curves: dict[str, np.ndarray],
    up: str,
    key: str,
    *,
    stds: dict[str, np.ndarray] | None = None,
    caption: str = "",
) -> Picture:
    """Draw quantities of one unit against temperature, with bands of one standard deviation.

    Args:
        temperatures: (n,) K.
        curves: (n,) by name.
        up: name and unit of the vertical axis.
        key: name of the drawing on the page.
        stds: standard deviations by name, where they are known.
        caption: what stands below.
    """
    figure, axes = new_plot(460, 300)
    marker = "o" if len(temperatures) <= _SHOWN_POINTS else None
    colours = phase_colours(len(curves))
    for number, (name, values) in enumerate(curves.items()):
        dash = _DASHES[number % len(_DASHES)]
        axes.plot(
            temperatures,
            values,
            color=colours[number],
            linestyle=dash,
            linewidth=1.8,
            marker=marker,
            markersize=3.2,
            label=name,
        )
        spread = (stds or {}).get(name)
        if spread is not None and np.any(spread > 0):
            axes.fill_between(
                temperatures, values - spread, values + spread, color=colours[number], alpha=0.18, linewidth=0
            )
    for which in "xy":
        plain_ticks(axes, which)
    axes.margins(x=0.03, y=0.12)
    label_axes(axes, "temperature, K", up)
    axes.legend(
        frameon=False, fontsize=FONT_SIZE - 1, labelcolor=INK, ncols=min(len(curves), 3), handlelength=1.8
    )
    said = "; ".join(
        f"{name} from {typeset_number(float(v[0]), 4)} to {typeset_number(float(v[-1]), 4)}"
        for name, v in curves.items()
    )
    ends = f"{typeset_number(float(temperatures[0]), 5)} to {typeset_number(float(temperatures[-1]), 5)} K"
    return as_svg(figure, key, f"{up} against temperature, {ends}: {said}.", caption)
