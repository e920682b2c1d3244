"""Pictures of a permeability: its ellipse by direction, and how it grows with slip."""

import numpy as np
from matplotlib.axes import Axes

from scalebridge.report.canvas import (
    DASHES,
    DIRECTIONS,
    FONT_SIZE,
    INK,
    MUTED,
    Picture,
    as_svg,
    label_axes,
    new_figure,
    new_plot,
    plain_ticks,
)
from scalebridge.report.tensors import AXES
from scalebridge.report.typeset import typeset_length, typeset_number, typeset_unit

_TURN = np.linspace(0.0, 2.0 * np.pi, 241)
_PLANES = ((0, 1), (0, 2), (1, 2))
_LENGTHS = ((1e-9, "nm"), (1e-6, "µm"), (1e-3, "mm"), (1.0, "m"))


def draw_ellipses(value: np.ndarray, unit: str, key: str) -> Picture | None:
    """Draw the ellipses of a permeability in the coordinate planes, with its principal axes.

    The distance from the middle is the root of the permeability in the direction of the *flow*,
    1 / (n . K^-1 n): a length, and on an ellipse with half axes sqrt(K1), sqrt(K2).

    Args:
        value: symmetric (dim, dim).
        unit: "m^2", or "1" for squares of the voxel's edge.
        key: name of the drawing on the page.

    Returns:
        the picture; None where nothing flows along some axis.
    """
    value = 0.5 * (value + value.T)
    if not np.all(np.isfinite(value)) or np.min(np.linalg.eigvalsh(value)) <= 0:
        return None
    dim = len(value)
    scale, length = _length_unit(float(np.sqrt(np.max(np.linalg.eigvalsh(value)))), unit)
    planes = _PLANES if dim == 3 else _PLANES[:1]
    figure = new_figure(300 * len(planes) if dim == 3 else 340, 320)
    reach = 1.12 * float(np.sqrt(np.max(np.linalg.eigvalsh(value)))) / scale
    for number, (right, up) in enumerate(planes):
        axes = figure.add_subplot(1, len(planes), number + 1)
        _ellipse(axes, value / scale**2, (right, up), reach)
        behind = f", {length}" if length else ""
        label_axes(axes, f"{AXES[right]}{behind}", f"{AXES[up]}{behind}")
    roots = ", ".join(
        f"{typeset_number(float(np.sqrt(k)) / scale, 3)} {length}".strip()
        for k in np.linalg.eigvalsh(value)[::-1]
    )
    caption = (
        "√K in the direction of the flow, in the coordinate planes; principal axes (dotted) as they are seen "
        f"there, half axes {roots}"
    )
    return as_svg(figure, key, f"Ellipses of the permeability with half axes {roots}.", caption)


def _ellipse(axes: Axes, value: np.ndarray, plane: tuple[int, int], reach: float) -> None:
    axes.patch.set_alpha(0.0)
    axes.set_aspect("equal")
    axes.set(xlim=(-reach, reach), ylim=(-reach, reach))
    axes.tick_params(colors=MUTED, labelsize=FONT_SIZE - 1)
    for spine in axes.spines.values():
        spine.set_visible(False)
    for line in (axes.axhline, axes.axvline):
        line(0.0, color=MUTED, linewidth=0.6)
    directions = np.zeros((_TURN.size, len(value)))
    directions[:, plane[0]], directions[:, plane[1]] = np.cos(_TURN), np.sin(_TURN)
    radius = 1.0 / np.sqrt(np.einsum("na,ab,nb->n", directions, np.linalg.inv(value), directions))
    axes.fill(radius * np.cos(_TURN), radius * np.sin(_TURN), color=DIRECTIONS["z"], alpha=0.18, linewidth=0)
    axes.plot(radius * np.cos(_TURN), radius * np.sin(_TURN), color=DIRECTIONS["z"], linewidth=1.8)
    numbers, vectors = np.linalg.eigh(value)
    for root, vector in zip(np.sqrt(numbers), vectors.T, strict=True):
        end = root * vector[list(plane)]
        axes.plot([-end[0], end[0]], [-end[1], end[1]], color=INK, linewidth=1.2, linestyle=(0, (1.5, 1.5)))
    for which in "xy":
        plain_ticks(axes, which)


def draw_slip_curve(
    slips: np.ndarray,
    values: np.ndarray,
    slopes: np.ndarray,
    unit: str,
    key: str,
) -> Picture:
    """Draw the diagonal of the permeability against the slip length, with the tangent at the least one.

    Args:
        slips: (n,) slip lengths, ascending, in metres, or in voxel edges where `unit` is "1".
        values: (n, dim) diagonals of the permeability; axes along which nothing flows are left out.
        slopes: (dim,) derivatives at the first of them.
        unit: "m^2" or "1".
        key: name of the drawing on the page.
    """
    figure, axes = new_plot(460, 310)
    scale, length = _length_unit(float(np.max(slips)), unit)
    top = float(np.max(values))
    power = 10.0 ** np.floor(np.log10(top)) if unit != "1" else 1.0
    kept = [axis for axis in range(values.shape[1]) if np.all(values[:, axis] > 0)]
    for axis in kept:
        name = AXES[axis]
        colour, dash = DIRECTIONS[name], DASHES[name]
        axes.plot(
            slips / scale,
            values[:, axis] / power,
            color=colour,
            linestyle=dash,
            linewidth=1.8,
            marker="o",
            markersize=3.2,
            label=name,
        )
        tangent = values[0, axis] + slopes[axis] * (slips - slips[0])
        axes.plot(slips / scale, tangent / power, color=colour, linewidth=1.0, linestyle=(0, (1, 2)))
    axes.set_ylim(0.0, 1.25 * top / power)
    axes.margins(x=0.02)
    for which in "xy":
        plain_ticks(axes, which)
    exponent = "" if power == 1.0 else f"{typeset_number(power, 1)} "
    behind = f", {exponent}{typeset_unit(unit)}" if unit != "1" else ", voxel edges²"
    label_axes(axes, f"slip length, {length or 'voxel edges'}", f"permeability{behind}")
    legend = axes.legend(
        frameon=False, fontsize=FONT_SIZE, labelcolor=INK, title="along", title_fontsize=FONT_SIZE
    )
    legend.get_title().set_color(MUTED)
    growth = ", ".join(
        f"{AXES[a]} by {typeset_number(100 * (values[-1, a] / values[0, a] - 1), 3)} %" for a in kept
    )
    ends = f"from {_said(float(slips[0]), unit)} to {_said(float(slips[-1]), unit)}"
    caption = "Dotted: the tangent at no slip, above the curve because K is concave in the slip length"
    return as_svg(figure, key, f"Permeability against slip length {ends}: grows along {growth}.", caption)


def _said(length: float, unit: str) -> str:
    return f"{typeset_number(length, 3)} voxel edges" if unit == "1" else typeset_length(length, 3)


def _length_unit(longest: float, unit: str) -> tuple[float, str]:
    """Return the unit of length that suits a length, in metres and by name; none without a voxel size."""
    if unit == "1":
        return 1.0, ""
    found = [(scale, name) for scale, name in _LENGTHS if scale <= longest]
    return found[-1] if found else _LENGTHS[0]
