"""Pictures of a lattice: what it is made of, flux by group, pin powers, constants, convergence."""

import numpy as np
from matplotlib.collections import PatchCollection
from matplotlib.colors import Normalize, to_rgb
from matplotlib.patches import Circle, Rectangle

from scalebridge.reactor.circle_slopes import interface_names
from scalebridge.reactor.lattice import Lattice
from scalebridge.reactor.lattice_study import LatticeStudy
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

_MAP = "inferno"
_MOST_GROUPS = 8
_SHAPES = 1000  # cells, above which pixels are drawn in place of circles
_PRINTED = 20  # pins along a side, up to which powers are printed into the map


def draw_lattice(found: Lattice) -> Picture:
    """Draw every cell with its rings, coloured by material."""
    width, height = found.size
    figure = new_figure(430, max(90.0, min(430.0, 430.0 * height / width)) + 34)
    axes = figure.add_subplot()
    colours = dict(zip(found.materials, phase_colours(len(found.materials)), strict=True))
    if found.shape[0] * found.shape[1] > _SHAPES:
        shades = np.array([to_rgb(colours[name]) for name in found.materials])
        pixels = shades[found.region_material][region_pixels(found, 1000)]
        axes.imshow(pixels, extent=(0, width, 0, height), interpolation="antialiased")
    else:
        axes.add_collection(_shapes(found, colours))
    axes.set_xlim(0, width)
    axes.set_ylim(0, height)
    axes.set_aspect("equal")
    axes.set_axis_off()
    handles = [Rectangle((0, 0), 1, 1, facecolor=colours[name]) for name in found.materials]
    figure.legend(
        handles, found.materials, loc="outside lower center", ncols=3, frameon=False, fontsize=FONT_SIZE,
        labelcolor="#808080",
    )  # fmt: skip
    sides = ", ".join(f"{side} {kind}" for side, kind in found.boundary.items())
    alt = f"Lattice of {found.shape[0]} by {found.shape[1]} cells of {', '.join(found.materials)}."
    return as_png(figure, alt, f"{width:.5g} by {height:.5g} cm; {sides}.")


def _shapes(found: Lattice, colours: dict[str, str]) -> PatchCollection:
    """Cells and their rings; circles between two of one material are of the mesh, and not drawn."""
    patches, faces = [], []
    left = np.cumsum(found.widths) - found.widths
    bottom = found.size[1] - np.cumsum(found.heights)
    for row, column in np.ndindex(found.shape):
        name, width, height = found.sized(row, column)
        x, y = float(left[column]), float(bottom[row])
        cell = found.cells[name]
        patches.append(Rectangle((x, y), width, height))
        faces.append(colours[cell.materials[-1]])
        for inside, _, radius in interface_names(cell)[::-1]:
            patches.append(Circle((x + 0.5 * width, y + 0.5 * height), radius))
            faces.append(colours[inside])
    return PatchCollection(patches, facecolors=faces, edgecolors="none")


def draw_pin_power(study: LatticeStudy) -> Picture | None:
    """Draw the map of pin powers; None of a single pin, and without fission."""
    solution = study.solution
    if np.count_nonzero(solution.pins.fuel) < 2:
        return None
    power = np.where(solution.pins.fuel, solution.pin_power, np.nan)
    used = np.flatnonzero(solution.pins.fuel.any(axis=1)), np.flatnonzero(solution.pins.fuel.any(axis=0))
    power = power[used[0][0] : used[0][-1] + 1, used[1][0] : used[1][-1] + 1]
    figure = new_figure(430, 400)
    axes = figure.add_subplot()
    shown = axes.imshow(power, cmap=_MAP, interpolation="nearest")
    axes.set_axis_off()
    bar = figure.colorbar(shown, ax=axes, shrink=0.85)
    bar.ax.tick_params(colors="#808080", labelsize=FONT_SIZE)
    if max(power.shape) <= _PRINTED:
        middle = 0.5 * (np.nanmin(power) + np.nanmax(power))
        for (row, column), value in np.ndenumerate(power):
            if np.isfinite(value):
                colour = "black" if value > middle else "white"
                size = min(FONT_SIZE, 95.0 / max(power.shape))
                axes.text(column, row, f"{value:.2f}", ha="center", va="center", color=colour, fontsize=size)
    low, high = (typeset_number(float(f(power)), 4) for f in (np.nanmin, np.nanmax))
    return as_png(
        figure, f"Pin powers between {low} and {high} of the mean.", f"{low} to {high} of the mean pin."
    )


def draw_fluxes_of_groups(study: LatticeStudy) -> list[Picture]:
    """Draw the flux of every region by group, as many groups as can be told apart."""
    flux = study.solution.flux
    where = region_pixels(study.solution.lattice)
    groups = np.unique(
        np.linspace(0, flux.shape[1] - 1, min(_MOST_GROUPS, flux.shape[1])).round().astype(int)
    )
    pictures = []
    for g in groups:
        figure = new_figure(215, 205)
        axes = figure.add_subplot()
        relative = flux[:, g] / study.solution.pins.flux[:, :, g].mean()
        scale = Normalize(float(relative.min()), float(relative.max()))
        axes.imshow(relative[where], cmap=_MAP, norm=scale, interpolation="nearest")
        axes.set_axis_off()
        low, high = (typeset_number(float(f(relative)), 3) for f in (np.min, np.max))
        said = f"group {g + 1}: {low} to {high}"
        pictures.append(as_png(figure, f"Flux of {said} of its mean.", said))
    return pictures


def region_pixels(found: Lattice, pixels: int = 420) -> np.ndarray:
    """Return the region that every pixel of a picture shows, the top row first.

    Args:
        found: the lattice.
        pixels: about so many along the longer side.
    """
    pixel = max(found.size) / pixels
    across, down = (_pixels_of(lengths, pixel) for lengths in (found.widths, found.heights))
    return np.block(
        [
            [_cell_pixels(found, (row, column), x, -y) for column, x in enumerate(across)]
            for row, y in enumerate(down)
        ]
    )


def _pixels_of(lengths: tuple[float, ...], pixel: float) -> list[np.ndarray]:
    """Places of the pixels of every row or column from its middle; at least one each."""
    counts = [max(1, round(length / pixel)) for length in lengths]
    return [((np.arange(n) + 0.5) / n - 0.5) * length for n, length in zip(counts, lengths, strict=True)]


def _cell_pixels(found: Lattice, place: tuple[int, int], x: np.ndarray, y: np.ndarray) -> np.ndarray:
    name, width, height = found.sized(*place)
    return found.first_region[place] + found.cells[name].regions_at(*np.meshgrid(x, y), width, height)


def draw_sweeps(study: LatticeStudy, key: str) -> Picture:
    """Draw the change of the flux, and of k, from sweep to sweep."""
    stats = study.solution.stats
    figure, axes = new_plot(460, 290)
    axes.set_yscale("log")
    sweeps = np.arange(1, len(stats["changes"]) + 1)
    axes.plot(
        sweeps, stats["changes"], "o-", color=ACCENT, markersize=3, linewidth=1.4, label="flux, largest"
    )
    ks = np.abs(np.diff(stats["k"]))
    if np.any(ks > 0):
        axes.plot(sweeps[1:][ks > 0], ks[ks > 0], "s--", color=MUTED, markersize=3, linewidth=1.0, label="k")
    axes.legend(frameon=False, fontsize=FONT_SIZE, labelcolor=INK)
    plain_ticks(axes, "y")
    label_axes(axes, "sweep", "change")
    return as_svg(
        figure, f"{key}-sweeps", f"Change from sweep to sweep, {stats['changes'][-1]:.1e} in the end."
    )


def draw_spectra(study: LatticeStudy, key: str) -> Picture:
    """Draw the flux of every region by group, a unit of lethargy where edges are known."""
    constants = study.constants
    figure, axes = new_plot(460, 290)
    groups = np.arange(1, len(constants.groups) + 1)
    shown = min(6, len(constants.names))
    for colour, i in zip(phase_colours(shown), range(shown), strict=True):
        share = constants.flux[i] / constants.flux[i].sum()
        axes.plot(groups, share, "o-", color=colour, markersize=4, linewidth=1.4, label=constants.names[i])
    axes.set_xticks(groups)
    axes.set_ylim(bottom=0.0)
    figure.legend(loc="outside right upper", frameon=False, fontsize=FONT_SIZE, labelcolor=INK)
    plain_ticks(axes, "y")
    label_axes(axes, "group, 1 the fastest", "part of the flux")
    return as_svg(figure, f"{key}-spectra", f"Spectra of {shown} regions in {len(groups)} groups.")
