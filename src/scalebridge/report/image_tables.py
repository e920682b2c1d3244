"""The tables of an image's page and of its print on a terminal."""

import math
from collections.abc import Callable
from typing import Any

from scalebridge.grids.statistics import ImageStatistics, PhaseStatistics
from scalebridge.report.figures_statistics import unit_of
from scalebridge.report.looks import Look
from scalebridge.report.tables import Row, Table
from scalebridge.report.typeset import shorten, typeset_number

_MOST_ROWS = 40
_POWERS = {1: "", 2: "²", 3: "³"}


def phases_table(told: list[dict[str, Any]], looks: dict[int, Look]) -> Table:
    """The phases of an image and how they are connected.

    Args:
        told: for each phase its "label", "fraction", "voxels", and "box" and "periodic" connections.
        looks: look of each phase by label.
    """
    head = (
        "phase",
        "label",
        "volume fraction",
        "voxels",
        "connects faces",
        "clusters",
        "in other clusters",
        "as a period",
        "clusters",
    )
    largest = sorted(told, key=lambda phase: -phase["voxels"])[:_MOST_ROWS]
    shown = sorted(largest, key=lambda phase: phase["label"])
    rows = [
        Row(
            (
                shorten(looks[phase["label"]].name, 40),
                str(phase["label"]),
                f"{phase['fraction']:.4f}",
                f"{phase['voxels']:,}".replace(",", "\u2009"),
                _along(phase["box"]),
                str(phase["box"]["clusters"]),
                f"{phase['box']['isolated_fraction']:.2%}",
                _along(phase["periodic"]),
                str(phase["periodic"]["clusters"]),
            ),
            looks[phase["label"]].colour,
        )
        for phase in shown
    ]
    caption = "The phases, and how their voxels join through faces"
    if len(shown) < len(told):
        caption = f"The {len(shown)} largest of {len(told)} phases, and how their voxels join through faces"
    return Table(caption, head, rows, frozenset({0, 4, 7}))


def statistics_table(statistics: ImageStatistics, looks: dict[int, Look]) -> Table:
    """The numbers that describe the geometry of every measured phase, one column a phase."""
    names = [shorten(looks[label].name, 30) for label in statistics.phases]
    rows = [Row((name, *cells)) for name, cells in statistics_rows(statistics)]
    return Table("Geometry of the phases", ("", *names), rows)


def statistics_rows(statistics: ImageStatistics) -> list[tuple[str, list[str]]]:
    """Return names with units, and one text a phase, of all numbers that were measured."""
    scale, unit = unit_of(statistics)
    dim, phases = statistics.dim, list(statistics.phases.values())
    per = "1/" + unit

    def row(
        name: str, number: Callable[[PhaseStatistics], float | None], power: int
    ) -> tuple[str, list[str]]:
        return name, [_text(number(phase), scale**power) for phase in phases]

    rows = [
        row("volume fraction", lambda p: p.fraction, 0),
        row("  its deviation between samples of this size", lambda p: p.fraction_std(statistics.volume), 0),
        row(f"specific surface, {per}", lambda p: p.surface, -1),
        row("  from the slope at zero", lambda p: p.surface_slope, -1),
        row("  of the voxels' faces", lambda p: p.surface_faces, -1),
    ]
    axes = list(phases[0].chords) if phases else []
    rows += [row(f"mean chord along {a}, {unit}", lambda p, a=a: p.chords[a].mean, 1) for a in axes]
    rows += [
        row(f"correlation length, {unit}", lambda p: p.correlation_length, 1),
        row(f"integral range, {unit}{_POWERS[dim]}", lambda p: p.integral_range, dim),
        row("  from blocks", lambda p: p.integral_range_blocks, dim),
        row("  integral ranges in this image", lambda p: statistics.volume / p.integral_range, 0),
    ]
    if dim == 3:
        rows.append(row(f"mean curvature, {per}²", lambda p: p.mean_curvature, -2))
    rows.append(row(f"Euler number, {per}{_POWERS[dim]}", lambda p: p.euler, -dim))
    return rows


def _text(value: float | None, scale: float) -> str:
    if value is not None and math.isinf(value):
        return "∞"
    return typeset_number(math.nan if value is None else value / scale, 4)


def _along(found: dict[str, Any]) -> str:
    return " ".join(axis for axis, yes in zip("xyz", found["percolates"], strict=False) if yes) or "nowhere"
