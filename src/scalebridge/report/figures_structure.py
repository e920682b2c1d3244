"""Pictures of a structure along its path: load and displacement, residuals, stresses on the deformed mesh."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import PolyCollection
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from scalebridge.report.canvas import (
    ACCENT,
    BAD,
    FONT_SIZE,
    MUTED,
    Picture,
    as_png,
    as_svg,
    label_axes,
    new_figure,
    new_plot,
    plain_ticks,
)
from scalebridge.report.typeset import typeset_number
from scalebridge.structures.solid_mesh import SolidMesh
from scalebridge.structures.structure_files import surface_polygons
from scalebridge.structures.structure_study import StructureStudy, von_mises

_MAP = "inferno"
_SHOWN = 0.04  # of the structure's size: how far the largest displacement is drawn
_VIEW = np.array([[0.87, 0.5, 0.0], [-0.25, 0.43, 0.87]])  # of a solid: to the right, and up
_DEPTH = np.array([-0.43, 0.75, -0.5])


def draw_path(study: StructureStudy, key: str) -> Picture:
    """Draw the reaction over the displacement of the driven boundary."""
    moved, pulled = study.curve()
    name, axis = study.driven
    figure, axes = new_plot(460, 290)
    axes.plot(1e3 * moved, pulled, color=ACCENT, linewidth=1.6, marker="o", markersize=3.2)
    plain_ticks(axes, "x")
    plain_ticks(axes, "y")
    force = "N" if len(study.displacement) == 3 else "N for a metre of thickness"
    label_axes(axes, f"displacement of {name} along {'xyz'[axis]}, mm", f"reaction, {force}")
    largest = float(pulled[np.abs(pulled).argmax()])
    alt = (
        f"Reaction over displacement in {len(pulled) - 1} increments: up to {typeset_number(largest, 4)} N, "
        f"{typeset_number(float(pulled[-1]), 4)} N at the end."
    )
    return as_svg(figure, f"{key}-path", alt)


def draw_residuals(study: StructureStudy, key: str) -> Picture:
    """Draw the residuals of every increment over its corrections."""
    figure, axes = new_plot(460, 290)
    axes.set_yscale("log")
    every = [row for row in study.iterations if row.of == "equilibrium"]
    for increment in sorted({row.increment for row in every}):
        rows = [row for row in every if row.increment == increment and row.residual > 0]
        given_up = any(row.outcome not in ("", "converged") for row in rows)
        axes.plot(
            [row.iteration for row in rows],
            [row.residual for row in rows],
            color=BAD if given_up else ACCENT,
            linewidth=1.1,
            marker="o",
            markersize=2.6,
            alpha=0.75,
        )
    axes.axhline(float(study.provenance.settings["rtol"]), color=MUTED, linewidth=1.0, linestyle=(0, (4, 3)))
    plain_ticks(axes, "y")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    label_axes(axes, "correction", "relative residual")
    most = max((record.iterations for record in study.records), default=0)
    return as_svg(
        figure, f"{key}-residuals", f"Relative residuals of all increments; at most {most} corrections."
    )


def draw_stresses(study: StructureStudy) -> Picture | None:
    """Draw the equivalent stress on the deformed mesh; None without a mesh."""
    if study.solid is None:
        return None
    polygons, owners = surface_polygons(study.solid)
    largest = float(np.abs(study.displacement).max())
    size = float(study.solid.size.max())
    scale = min(1e4, _SHOWN * size / largest) if largest > 0 and not study.finite else 1.0
    nodes = study.solid.mesh.p + scale * study.displacement
    most = _place_drawn(study, study.solid, scale)
    values = 1e-6 * study.by_element(study.equivalent_stress())[owners]
    if len(nodes) == 3:
        depth = (_DEPTH @ nodes)[polygons].mean(axis=1)
        order = np.argsort(-depth)
        polygons, values, nodes, most = polygons[order], values[order], _VIEW @ nodes, _VIEW @ most
    corners = np.moveaxis(nodes[:, polygons], 0, -1)
    figure = new_figure(620, 340)
    axes = figure.add_subplot()
    _paint(figure, axes, corners, values)
    for colour, width in (("white", 3.2), ("black", 1.4)):  # seen on dark and on light
        axes.plot(*most, "o", markersize=9, markerfacecolor="none", color=colour, markeredgewidth=width)
    said = f"displacements drawn {typeset_number(scale, 2)} times" if scale != 1 else "true displacements"
    return as_png(
        figure,
        f"Equivalent stress on the deformed mesh, from {typeset_number(float(values.min()), 3)} to "
        f"{typeset_number(float(values.max()), 3)} MPa; {said}.",
        f"Equivalent stress (von Mises), MPa, means over elements; ring: most stressed point; {said}",
    )


def _place_drawn(study: StructureStudy, solid: SolidMesh, scale: float) -> np.ndarray:
    """Return where the most stressed point is drawn: moved as the nodes of its element on the mean."""
    element = study.critical * study.elements // len(study.weights)
    moved = study.displacement[:, solid.mesh.t[:, element]].mean(axis=1)
    return study.places[study.critical] + scale * moved


def _paint(figure: Figure, axes: Axes, corners: np.ndarray, values: np.ndarray) -> None:
    scale = Normalize(float(values.min()), float(values.max()))
    painted = PolyCollection(list(corners), array=values, cmap=_MAP, norm=scale, linewidths=0.25)
    painted.set_edgecolor("#7f7f7f")
    axes.add_collection(painted)
    axes.set_aspect("equal")
    axes.autoscale_view()
    axes.axis("off")
    _scale_bar(figure, axes, scale)


def _scale_bar(figure: Figure, axes: Axes, scale: Normalize) -> None:
    bar = figure.colorbar(ScalarMappable(scale, _MAP), ax=axes, shrink=0.8, pad=0.02)
    bar.ax.tick_params(colors="#808080", labelsize=FONT_SIZE)
    bar.outline.set_edgecolor("#808080")  # type: ignore[operator]


def draw_micro(fields: dict[str, np.ndarray]) -> list[Picture]:
    """Draw local fields of a cell in its three middle planes: equivalent stress and what has accumulated.

    Args:
        fields: means of each voxel, (components, x, y, z), as `micro_fields` gives them.
    """
    shown: list[tuple[str, np.ndarray]] = []
    if "stress" in fields:
        shape = fields["stress"].shape[1:]
        rows = (fields[name].reshape(len(fields[name]), -1).T for name in ("stress", "strain"))
        shown.append(("equivalent stress, MPa", 1e-6 * von_mises(*rows).reshape(shape)))
    for name, values in fields.items():
        if len(values) == 1 and name not in ("stress", "strain") and np.nanmax(np.abs(values)) > 0:
            shown.append((name, values[0]))
    return [_slices(name, values) for name, values in shown]


def _slices(name: str, values: np.ndarray) -> Picture:
    planes = [np.take(values, n // 2, axis) for axis, n in enumerate(values.shape)]
    scale = Normalize(float(np.nanmin(values)), float(np.nanmax(values)))
    figure = new_figure(620, 210)
    every = figure.subplots(1, 3)
    for axes, plane, across in zip(every, planes, "xyz", strict=True):
        axes.imshow(plane.T, origin="lower", cmap=_MAP, norm=scale, interpolation="nearest")
        axes.set_xticks([])
        axes.set_yticks([])
        for spine in axes.spines.values():
            spine.set_color("#808080")
        axes.set_title(f"across {across}", fontsize=FONT_SIZE, color="#808080")
    bar = figure.colorbar(ScalarMappable(scale, _MAP), ax=every, shrink=0.9, pad=0.02)
    bar.ax.tick_params(colors="#808080", labelsize=FONT_SIZE)
    low, high = (typeset_number(float(x), 3) for x in (scale.vmin or 0.0, scale.vmax or 0.0))
    return as_png(
        figure, f"{name} in the three middle planes, from {low} to {high}.", f"{name}: middle planes"
    )
