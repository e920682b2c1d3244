"""Pictures of a coarse core: maps of power and flux, the profile along the height, how k closed in."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize, TwoSlopeNorm
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from scalebridge.reactor.core_study import CoreStudy
from scalebridge.report.canvas import (
    ACCENT,
    FONT_SIZE,
    INK,
    MUTED,
    Picture,
    as_png,
    as_svg,
    label_axes,
    new_figure,
    new_plot,
    phase_colours,
    plain_ticks,
)
from scalebridge.report.typeset import typeset_number

_MAP, _SIGNED = "inferno", "RdBu_r"
_WRITTEN = 12  # nodes along an edge up to which each value is written into its node
_MOST_GROUPS = 8


def plane_of(study: CoreStudy, values: np.ndarray) -> np.ndarray:
    """Return values of nodes as rows and columns: of a solid core their means over the height.

    Args:
        study: the core.
        values: (map...) of its nodes.
    """
    if values.ndim < 3:
        return np.atleast_2d(values)
    heights = study.given.widths[2][:, None, None]
    there = np.isfinite(values) & (values > 0)
    weight = (heights * there).sum(axis=0)
    whole = (np.where(there, values, 0.0) * heights).sum(axis=0)
    return np.where(
        weight > 0, whole / np.where(weight > 0, weight, 1.0), np.where(there.any(axis=0), 0.0, np.nan)
    )


def draw_map(
    values: np.ndarray,
    edges: tuple[np.ndarray, np.ndarray],
    name: str,
    *,
    signed: bool = False,
    unit: str = "cm",
) -> Picture:
    """Draw values of nodes or pins as a map, the northern row on top; empty places stay empty.

    Args:
        values: (ny, nx), NaN where there is nothing.
        edges: places of the faces along x, and along y from the north, cm.
        name: what is drawn, with its unit.
        signed: whether zero stands in the middle of the colours.
        unit: of the places.
    """
    figure, axes = new_map(edges, unit)
    limits = float(np.nanmin(values)), float(np.nanmax(values))
    most = max(map(abs, limits)) or 1.0
    scale = TwoSlopeNorm(0.0, -most, most) if signed else Normalize(*limits)
    colours = _SIGNED if signed else _MAP
    axes.pcolormesh(*edges, np.ma.masked_invalid(values), cmap=colours, norm=scale)
    if max(values.shape) <= _WRITTEN:
        _write(axes, values, edges, scale, signed)
    bar = figure.colorbar(ScalarMappable(scale, colours), ax=axes, shrink=0.85, pad=0.02)
    bar.ax.tick_params(colors="#808080", labelsize=FONT_SIZE)
    low, high = (typeset_number(x, 4) for x in limits)
    return as_png(figure, f"Map of {name}, from {low} to {high}.", name)


def new_map(edges: tuple[np.ndarray, np.ndarray], unit: str) -> tuple[Figure, Axes]:
    """Return a figure for a map whose first row is on top."""
    figure = new_figure(460, 380)
    axes = figure.add_subplot()
    axes.patch.set_alpha(0.0)
    axes.set_aspect("equal")
    axes.set_xlim(edges[0][0], edges[0][-1])
    axes.set_ylim(edges[1][-1], edges[1][0])
    axes.tick_params(colors="#808080", labelsize=FONT_SIZE)
    for spine in axes.spines.values():
        spine.set_color("#808080")
    axes.set_xlabel(unit, color="#808080", fontsize=FONT_SIZE)
    return figure, axes


def draw_power(study: CoreStudy) -> Picture:
    """Draw the power of nodes by the mean of fuelled ones."""
    power = plane_of(study, study.power)
    shown = np.where(power > 0, power, np.nan)
    over = ", mean over the height" if study.power.ndim == 3 else ""
    return draw_map(shown, map_edges(study), f"power by the mean{over}")


def draw_fluxes(study: CoreStudy) -> list[Picture]:
    """Draw the flux of each group, at most eight of them."""
    every = range(study.groups) if study.groups <= _MOST_GROUPS else (0, study.groups // 2, study.groups - 1)
    return [
        draw_map(
            plane_of(study, study.flux[..., g]), map_edges(study), f"flux of group {g}, by one fission a cm³"
        )
        for g in every
    ]


def draw_profile(study: CoreStudy, key: str) -> Picture | None:
    """Draw power along the only axis or along the height; None for a core in the plane."""
    if study.power.ndim == 2:
        return None
    widths = study.given.widths[-1]
    power = study.power
    if power.ndim == 3:
        power = np.nansum(power, axis=(1, 2)) / np.maximum((np.nan_to_num(power) > 0).sum(axis=(1, 2)), 1)
    figure, axes = new_plot(460, 280)
    places = np.concatenate([[0.0], np.cumsum(widths)])
    axes.stairs(np.nan_to_num(power), places, color=ACCENT, linewidth=1.6)
    plain_ticks(axes, "x")
    plain_ticks(axes, "y")
    label_axes(axes, "height, cm" if study.power.ndim == 3 else "x, cm", "power by the mean")
    return as_svg(figure, f"{key}-profile", f"Power along {len(widths)} nodes, up to {power.max():.3g}.")


def draw_spectrum(study: CoreStudy, key: str) -> Picture:
    """Draw the mean flux of each region by group."""
    figure, axes = new_plot(460, 290)
    groups = np.arange(study.groups)
    means = region_fluxes(study)
    for colour, name, row in zip(phase_colours(len(means)), study.names, means, strict=True):
        axes.plot(groups, row, "o-", color=colour, linewidth=1.3, markersize=4, label=name)
    axes.set_yscale("log")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    plain_ticks(axes, "y")
    if len(means) <= _MOST_GROUPS:
        axes.legend(frameon=False, fontsize=FONT_SIZE, labelcolor=INK)
    label_axes(axes, "group, 0 the fastest", "mean flux by one fission a cm³")
    return as_svg(figure, f"{key}-spectrum", f"Mean flux of {len(means)} regions in {study.groups} groups.")


def region_fluxes(study: CoreStudy) -> np.ndarray:
    """Return (R, G) mean fluxes of the regions."""
    problem = study.problem
    whole = np.zeros((len(study.names), study.groups))
    volumes = problem.mesh.volumes
    np.add.at(whole, problem.regions, study.solution.flux * volumes[:, None])
    return whole / np.bincount(problem.regions, volumes)[:, None]


def draw_closing(study: CoreStudy, key: str) -> Picture | None:
    """Draw how far k was from its last value at each outer iteration; None where there is one."""
    values = np.array([k for k, _ in study.history])
    if len(values) < 2:
        return None
    figure, axes = new_plot(460, 280)
    left = 1e5 * np.abs(values[:-1] - values[-1])
    axes.plot(np.arange(1, len(values)), np.where(left > 0, left, np.nan), "o-", color=ACCENT, markersize=3.5)
    if study.mesh_error is not None:
        axes.axhline(1e5 * study.mesh_error, color=MUTED, linewidth=1.0, linestyle=(0, (4, 3)))
    axes.set_yscale("log")
    plain_ticks(axes, "y")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    label_axes(axes, "outer iteration", "distance of k from its last value, pcm")
    caption = "Dashed: the error of k by the mesh." if study.mesh_error is not None else ""
    return as_svg(figure, f"{key}-closing", f"k closed in over {len(values)} outer iterations.", caption)


def map_edges(study: CoreStudy) -> tuple[np.ndarray, np.ndarray]:
    """Return the places of the faces of nodes along x, and along y from the north, cm."""
    across, *others = study.given.widths
    down = others[0] if others else np.array([0.2 * across.sum()])
    return np.append(0.0, np.cumsum(across)), np.append(0.0, np.cumsum(down))


def _write(
    axes: Axes, values: np.ndarray, edges: tuple[np.ndarray, np.ndarray], scale: Normalize, signed: bool
) -> None:
    columns, rows = ((row[1:] + row[:-1]) / 2 for row in edges)
    wide = np.diff(edges[0]) > 0.06 * edges[0][-1]
    for j, i in np.ndindex(len(rows), len(columns)):
        value = float(values[j, i])
        if np.isfinite(value) and wide[i]:
            dark = not signed and float(scale(value)) < 0.6
            axes.text(
                float(columns[i]), float(rows[j]), f"{value:.3g}", ha="center", va="center", fontsize=7,
                color="white" if dark else "black",
            )  # fmt: skip
