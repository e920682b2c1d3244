"""Pictures of a registration: the images over each other, the grid, areas, errors, levels, starts."""

from typing import cast

import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.collections import LineCollection
from matplotlib.colors import Normalize, TwoSlopeNorm

from scalebridge.registration.frame import Frame
from scalebridge.registration.registration_result import RADIUS_95, Landmarks, Registration
from scalebridge.registration.spatial_image import SpatialImage
from scalebridge.registration.spatial_map import SpatialMap
from scalebridge.registration.warp import warp
from scalebridge.report.canvas import (
    ACCENT,
    BAD,
    FONT_SIZE,
    INK,
    MUTED,
    RULE,
    Picture,
    as_png,
    as_svg,
    label_axes,
    new_figure,
    new_plot,
    phase_colours,
    pixels_as_png,
    plain_ticks,
)
from scalebridge.report.typeset import typeset_number

_EDGE = 460  # pixels of a picture's longer edge
_SQUARES = 8  # of the checkerboard along the longer edge
_LINES = 24  # of the deformation grid along the longer edge
_POINTS = 48  # of a map of errors along the longer edge


def view_frame(found: Registration, edge: int = _EDGE) -> Frame:
    """The fixed image's rectangle with so many samples along its longer edge."""
    frame = found.shown.fixed_frame
    pitch = float(frame.extent.max()) / edge
    shape = tuple(max(2, round(float(e) / pitch)) for e in frame.extent)
    corner = frame.points(np.array([[-0.5, -0.5]]))[0]
    origin = corner + np.array(frame.directions) @ np.array([pitch / 2, pitch / 2])
    return Frame(shape, tuple(map(float, origin)), (pitch, pitch), frame.directions)


def carried_pair(found: Registration, spatial: SpatialMap) -> tuple[np.ndarray, np.ndarray]:
    """Fixed and moving values on the view's grid, (nx, ny) in 0..1."""
    view, shown = view_frame(found), found.shown
    identity = SpatialMap(np.eye(2), np.zeros(2), view)
    fixed = warp(identity, SpatialImage(shown.fixed, shown.fixed_frame), background=0.0)
    on_view = SpatialMap(spatial.matrix, spatial.shift, spatial.frame, spatial.grid, spatial.coefficients)
    places = on_view.on_grid(view).reshape(-1, spatial.axes)
    moving = _sampled(shown.moving, shown.moving_frame, places).reshape(view.shape)
    assert isinstance(fixed, SpatialImage)  # noqa: S101
    return fixed.values, moving


def _sampled(values: np.ndarray, frame: Frame, places: np.ndarray) -> np.ndarray:
    at = np.round(frame.indices(places)).astype(int)
    inside = np.all((at >= 0) & (at < np.array(frame.shape)), axis=1)
    found = np.zeros(len(places))
    found[inside] = values[tuple(at[inside].T)]
    return found


def _rows(values: np.ndarray) -> np.ndarray:
    """Samples (x, y) as rows of a picture, y down as in ITK's planes."""
    return np.swapaxes(values, 0, 1)


def draw_overlays(found: Registration) -> list[Picture]:
    """Fixed in magenta and moving in green, before (centres on each other) and after."""
    if found.in_volume:
        return [*draw_section(found), _overlay(found, found.map, "Over each other")]
    centred = SpatialMap(np.eye(2), found.moving_frame.centre - found.fixed_frame.centre, found.map.frame)
    return [_overlay(found, centred, "Before: centre on centre"), _overlay(found, found.map, "After")]


def _overlay(found: Registration, spatial: SpatialMap, name: str) -> Picture:
    fixed, moving = carried_pair(found, spatial)
    colours = np.stack([fixed, moving, fixed], axis=-1)
    pixels = np.round(255 * np.clip(_rows(colours), 0, 1)).astype(np.uint8)
    alt = f"The two images over each other, {name.lower()}: fixed magenta, moving green."
    return pixels_as_png(pixels, alt, f"{name}. Fixed magenta, moving green, both where both are.")


def draw_section(found: Registration) -> list[Picture]:
    """The section, and the volume's plane that it was found to be, both on the section's grid."""
    names = ("The section", "The volume where the section lies, carried onto it")
    return [
        pixels_as_png(
            np.round(255 * np.repeat(_rows(np.clip(values, 0, 1))[..., None], 3, axis=2)).astype(np.uint8),
            f"{name}, in grey.",
            f"{name}.",
        )
        for values, name in zip(carried_pair(found, found.map), names, strict=True)
    ]


def draw_checkerboard(found: Registration) -> Picture:
    """Squares of the fixed image beside squares of the moving one, carried over."""
    fixed, moving = carried_pair(found, found.map)
    square = max(fixed.shape) / _SQUARES
    x, y = np.meshgrid(*(np.arange(n) // square for n in fixed.shape), indexing="ij")
    mixed = np.where((x + y) % 2 == 0, fixed, moving)
    pixels = np.round(255 * np.repeat(_rows(mixed)[..., None], 3, axis=2)).astype(np.uint8)
    alt = "Checkerboard of the fixed image and the moving image carried onto it."
    return pixels_as_png(pixels, alt, "Squares in turn: fixed, and moving carried over. Edges should run on.")


def _plane(found: Registration, width: int = _EDGE) -> tuple:
    frame = found.shown.fixed_frame
    height = round(width * float(frame.extent[1] / frame.extent[0]))
    figure, axes = new_plot(width, height + 46)
    axes.set_aspect("equal")
    axes.grid(visible=False)
    axes.set_xlim(0, frame.extent[0])
    axes.set_ylim(frame.extent[1], 0)
    label_axes(axes, "mm along rows of x", "mm along y, down")
    return figure, axes


def draw_grid(found: Registration, key: str) -> Picture:
    """A square grid of the fixed image where the spline part takes it."""
    frame = found.shown.fixed_frame
    figure, axes = _plane(found)
    step, lines = float(frame.extent.max()) / _LINES, []
    for axis in range(2):
        for place in np.arange(step / 2, frame.extent[axis], step):
            along = np.linspace(0, frame.extent[1 - axis], 160)
            ends = np.stack(
                [np.full(160, place), along] if axis == 0 else [along, np.full(160, place)], axis=1
            )
            points = np.array(frame.origin) + ends @ np.array(frame.directions).T
            moved = ends + found.map.displacement(points)[:, :2] @ np.array(frame.directions)
            lines.append(moved)
    axes.add_collection(LineCollection(lines, colors=ACCENT, linewidths=0.8))
    largest = max(
        float(np.abs(found.map.displacement(frame.grid()[:: max(1, frame.shape[0] // 8)])).max()), 0.0
    )
    alt = (
        f"A square grid deformed by the displacement, at most {typeset_number(largest, 3)} mm along an axis."
    )
    return as_svg(figure, key, alt, "A square grid after the displacement, without the affine part.")


def draw_area_map(found: Registration) -> Picture:
    """Ratio of areas over the fixed image, relative to the affine part."""
    view = view_frame(found, 2 * _POINTS)
    ratio = found.map.jacobian(view.grid()).reshape(view.shape)
    ratio = np.where(tissue_of(found, view), ratio, np.nan)
    reach = max(0.02, float(np.nanmax(np.abs(ratio - 1.0))))
    norm = TwoSlopeNorm(1.0, 1.0 - reach, 1.0 + reach)
    low, high = (typeset_number(float(v), 3) for v in (np.nanmin(ratio), np.nanmax(ratio)))
    alt = f"Ratio of areas over the tissue, from {low} to {high}; folds would be at 0 or less."
    caption = "Ratio of areas that the displacement gives, relative to the affine part."
    return map_picture(ratio, ScalarMappable(norm, "RdBu_r"), "ratio of areas", alt, caption)


def draw_error_map(found: Registration) -> Picture | None:
    """Stated standard error over the fixed image."""
    view = view_frame(found, _POINTS)
    inside = tissue_of(found, view)
    points = view.grid()[inside.ravel()]
    if not np.isfinite(found.confidence.typical) or not len(points):
        return None
    error = np.full(inside.shape, np.nan)
    error[inside] = found.standard_error(points)
    top = float(np.nanpercentile(error, 99))
    alt = f"Standard error over the tissue, median {typeset_number(float(np.nanmedian(error)), 3)} mm."
    caption = (
        "Stated standard error of mapped points, root mean square, mm: large where the images say little."
    )
    return map_picture(
        error, ScalarMappable(Normalize(0.0, top), "viridis"), "standard error, mm", alt, caption
    )


def tissue_of(found: Registration, view: Frame) -> np.ndarray:
    """Where the view shows tissue that was compared."""
    shown = found.shown
    return _sampled(shown.weights, shown.fixed_frame, view.grid()).reshape(view.shape) > 0.5


def map_picture(values: np.ndarray, scale: ScalarMappable, label: str, alt: str, caption: str) -> Picture:
    """A map of numbers with its bar."""
    figure = new_figure(_EDGE, round(_EDGE * values.shape[1] / values.shape[0]) + 70)
    axes = figure.add_subplot()
    axes.set_axis_off()
    axes.imshow(_rows(values), norm=cast("Normalize", scale.norm), cmap=scale.cmap, interpolation="nearest")
    bar = figure.colorbar(scale, ax=axes, orientation="horizontal", fraction=0.05, pad=0.02)
    bar.outline.set_edgecolor("#888888")
    bar.ax.tick_params(colors="#888888", labelsize=FONT_SIZE)
    bar.set_label(label, color="#888888", fontsize=FONT_SIZE)
    return as_png(figure, alt, caption)


def draw_levels(found: Registration, key: str) -> Picture:
    """Cost of each level on the way down."""
    figure, axes = new_plot(_EDGE, 320)
    shown = [step for step in found.steps if len(step.costs) > 1]
    for colour, step in zip(phase_colours(len(shown)), shown, strict=True):
        name = f"{step.kind}, {step.spacing:.2g} mm" + (f", grid {step.grid:.3g} mm" if step.grid else "")
        axes.plot(
            np.arange(len(step.costs)),
            step.costs,
            "o-",
            color=colour,
            markersize=3,
            linewidth=1.2,
            label=name,
        )
    axes.legend(frameon=False, fontsize=FONT_SIZE, labelcolor=INK)
    plain_ticks(axes, "y")
    label_axes(axes, "iteration of the level", "cost, nats")
    alt = f"Cost by iteration for {len(shown)} levels; each falls and levels off."
    return as_svg(
        figure, key, alt, "Cost (−similarity, stiffness and barrier). Levels compare other samples."
    )


def draw_starts(found: Registration, key: str) -> Picture | None:
    """Similarity of every start by the angle where it ended."""
    if not found.attempts:
        return None
    figure, axes = new_plot(_EDGE, 280)
    for flipped, colour, name in ((False, ACCENT, "face up"), (True, MUTED, "on its face")):
        own = [a for a in found.attempts if a.flipped is flipped]
        if own:
            angles = [np.degrees(a.angle) % 360 for a in own]
            axes.plot(angles, [a.similarity for a in own], "o", color=colour, markersize=5, label=name)
    axes.set_xlim(-5, 365)
    axes.legend(frameon=False, fontsize=FONT_SIZE, labelcolor=INK)
    label_axes(axes, "angle where the start ended, degrees", "similarity, NMI less lack of overlap")
    best = max(found.attempts, key=lambda a: a.similarity)
    alt = f"{len(found.attempts)} starts; the best is at {np.degrees(best.angle) % 360:.0f} degrees."
    return as_svg(figure, key, alt, "Every start: where it ended and how good that is.")


def draw_landmarks(marks: Landmarks, key: str) -> Picture:
    """Errors of landmarks against what was stated."""
    figure, axes = new_plot(_EDGE, 320)
    order = np.argsort(marks.stated)
    place = np.arange(len(order))
    radius = RADIUS_95 * marks.stated[order]
    axes.fill_between(place, 0, radius, color=RULE, label="stated 95 %")
    outside = marks.errors[order] > radius
    axes.plot(place[~outside], marks.errors[order][~outside], "o", color=ACCENT, markersize=4, label="within")
    axes.plot(place[outside], marks.errors[order][outside], "o", color=BAD, markersize=4, label="beyond")
    axes.legend(frameon=False, fontsize=FONT_SIZE, labelcolor=INK)
    axes.set_ylim(bottom=0)
    label_axes(axes, "landmark, by stated error", "error, mm")
    alt = f"Errors of {len(order)} landmarks; {marks.coverage:.0%} are within the stated 95 percent radius."
    return as_svg(
        figure, key, alt, f"{marks.coverage:.0%} of the landmarks are within the stated 95 % radius."
    )
