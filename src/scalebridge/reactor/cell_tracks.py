"""Tracks inside of a cell: where they enter it, and which regions they run through.

A line of an azimuth with the distances dx and dy between its neighbours along x and y enters a cell at u dx
along its bottom if u >= 0, and at - u dy up its side if u < 0, with u one more from line to line. The phase
of a cell is u of the first line through its bottom, between 0 and 1: where all cells have one size it is 1/2
for all of them; where they have not, cells of one shape may differ in it, and are traced each.
"""

import math
from dataclasses import dataclass

import numpy as np

from scalebridge.core.errors import InputError
from scalebridge.reactor.angular_quadrature import Azimuths
from scalebridge.reactor.lattice_cells import Cell, cell_cuts

_SHORT = 1e-9


@dataclass(frozen=True, eq=False)
class CellKind:
    """A shape of cell with the lines through it.

    Args:
        name: of one such cell.
        cell: the cell.
        areas: of its regions, cm^2.
        size: cm, width and height.
        phase: (A, 2) by azimuth and turn.
        sides: (A, 2) lines that enter through its side.
        lines: (A, 2) all lines.
    """

    name: str
    cell: Cell
    areas: np.ndarray
    size: tuple[float, float]
    phase: np.ndarray
    sides: np.ndarray
    lines: np.ndarray


@dataclass(frozen=True, eq=False)
class CellSegments:
    """Segments of the lines of an azimuth and turn through a cell, line by line.

    Args:
        line: of each segment.
        region: of each segment.
        low: cm along the line at which it begins.
        high: cm at which it ends.
        ray: (segments, 4) x, y of the line's entry, cm from the cell's centre, and cos and sin.
    """

    line: np.ndarray
    region: np.ndarray
    low: np.ndarray
    high: np.ndarray
    ray: np.ndarray


@dataclass(frozen=True, eq=False)
class TracedCell:
    """Segments of all lines of one kind of cell.

    Args:
        counts: (lines,) segments of each line.
        region: of each segment.
        length: cm, scaled so that areas are exact.
        share: cm, width of the strip that each segment's line stands for, both ways.
        middle: (segments, 4) x and y of its middle, cm from the cell's centre, and cos and sin.
        seen: (regions,) part of each area that tracks have before lengths are scaled.
    """

    counts: np.ndarray
    region: np.ndarray
    length: np.ndarray
    share: np.ndarray
    middle: np.ndarray
    seen: np.ndarray


def trace_cell(kind: CellKind, directions: Azimuths) -> TracedCell:
    """Return the segments of a kind of cell."""
    counts, parts, shares = [], [], []
    for a in range(len(directions.angle)):
        for turn in (0, 1):
            found = segments_of_lines(kind, directions, a, turn)
            counts.append(np.bincount(found.line, minlength=kind.lines[a, turn]))
            parts.append(found)
            shares.append(np.full(len(found.line), strip(directions, a)))
    region, low, high = (np.concatenate([getattr(p, n) for p in parts]) for n in ("region", "low", "high"))
    ray, share, far = np.concatenate([p.ray for p in parts]), np.concatenate(shares), high - low
    middle = np.hstack([ray[:, :2] + 0.5 * (low + high)[:, None] * ray[:, 2:], ray[:, 2:]])
    seen = np.bincount(region, far * share, len(kind.areas)) / kind.areas
    scale = 1.0 / np.where(seen > 0, seen, 1.0)
    return TracedCell(np.concatenate(counts), region, far * scale[region], share, middle, seen)


def strip(directions: Azimuths, azimuth: int) -> float:
    """Return the width that a line stands for by its part of all directions, this way and back, cm."""
    return float(2.0 * directions.weight[azimuth] * directions.spacing[azimuth])


def segments_of_lines(kind: CellKind, directions: Azimuths, azimuth: int, turn: int) -> CellSegments:
    """Return what the lines of an azimuth run through.

    Args:
        kind: the cell.
        directions: the azimuths.
        azimuth: which.
        turn: 1 for lines that are mirrored, from the right.
    """
    width, height = kind.size
    sine, cosine = math.sin(directions.angle[azimuth]), math.cos(directions.angle[azimuth])
    step = directions.spacing[azimuth]
    place = np.arange(kind.lines[azimuth, turn]) - kind.sides[azimuth, turn] + kind.phase[azimuth, turn]
    below = np.arange(len(place)) >= kind.sides[azimuth, turn]
    x = np.where(below, place * step / sine, 0.0) - 0.5 * width
    y = np.where(below, 0.0, -place * step / cosine) - 0.5 * height
    reach = np.maximum(np.minimum((0.5 * width - x) / cosine, (0.5 * height - y) / sine), 0.0)[:, None]
    mirror = -1.0 if turn else 1.0
    cuts = cell_cuts(kind.cell, (mirror * x, y), (mirror * cosine, sine), kind.size)
    ends = np.sort(np.clip(np.hstack([np.zeros_like(reach), cuts, reach]), 0.0, reach), axis=1)
    middle = 0.5 * (ends[:, 1:] + ends[:, :-1])
    where = kind.cell.regions_at(
        mirror * (x[:, None] + middle * cosine), y[:, None] + middle * sine, *kind.size
    )
    line, piece = np.nonzero(np.diff(ends, axis=1) > _SHORT)
    ray = np.stack([mirror * x, y, np.full_like(x, mirror * cosine), np.full_like(x, sine)], axis=1)
    return CellSegments(line, where[line, piece], ends[line, piece], ends[line, piece + 1], ray[line])


def refuse_missed(kind: CellKind, seen: np.ndarray, spacing: float) -> None:
    """Refuse tracks that miss a region: nothing would flow into it or out of it.

    Raises:
        InputError: they do.
    """
    if np.all(seen > 0):
        return
    missed = np.flatnonzero(seen <= 0)
    raise InputError(
        "spacing",
        got=f"{spacing:.6g} cm, whose tracks miss {len(missed)} of {len(seen)} regions of cell "
        f"{kind.name!r}, such as region {missed[0]} of {kind.cell.region_materials[missed[0]]!r}",
        wanted="tracks through every region",
        cure=f"pass a spacing of {0.5 * spacing:.3g} cm or less, more azimuths, or fewer subdivisions",
    )
