"""Tracks through a lattice: laid once in each kind of cell, linked from cell to cell and at the boundary.

The tracks of an azimuth are parallel lines at equal distances through the whole lattice, such that each is
met by its mirror image at the boundary. A line crosses y = 0 at (m + 1/2) dx, and keeps its number m from
cell to cell: it passes left of a corner of cells if m is less than the corner's number. Where all cells have
one size lines enter each of them alike, and only kinds of cells are stored. A turn is 0 to the upper right,
or 1 mirrored, to the upper left; columns are then counted from the right.
"""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from scalebridge.core.errors import InputError
from scalebridge.reactor.angular_quadrature import Azimuths, azimuths
from scalebridge.reactor.cell_tracks import CellKind, refuse_missed, trace_cell
from scalebridge.reactor.lattice import Lattice

_TIE = 1e-9  # between two lines: a line this close to a corner passes right of it
_DIGITS = 8  # of phases that are told apart


@dataclass(frozen=True, eq=False)
class Tracks:
    """What a sweep walks along. Rows and columns of cells are counted from the bottom left.

    Args:
        directions: the azimuths, with how many tracks enter the lattice through its bottom and its side.
        kinds: of cells.
        corner: (A, 2, ny + 1, nx + 1) first line right of each corner of cells, by azimuth and turn.
        first: (kinds, A, 2) index into `segment_start` of the first line of a kind of cell.
        segment_start: first segment of each line of each kind of cell, and the end.
        kind_start: (kinds + 1) first segment of each kind.
        segment_region: region within the cell.
        segment_length: cm in the plane, scaled so that areas are exact.
        segment_share: cm, the width that each segment's line stands for.
        segment_middle: (segments, 4) x and y of its middle, cm from the cell's centre, and cos and sin.
        kind: (ny, nx) of each cell.
        base: (ny, nx) first region of each cell.
        walk: (tracks, 5) of the whole lattice: azimuth, turn, column and row of the first cell, line.
        last: (tracks, 2) row and column of the last cell.
        link_track: (tracks, 2) where what leaves at the end (0) and at the start (1) goes on.
        link_way: (tracks, 2) whether forward (0) or backward (1) along it.
        link_albedo: (tracks, 2) the part that does.
        volume_error: largest relative error of an area before scaling.
    """

    directions: Azimuths
    kinds: tuple[CellKind, ...]
    corner: np.ndarray
    first: np.ndarray
    segment_start: np.ndarray
    kind_start: np.ndarray
    segment_region: np.ndarray
    segment_length: np.ndarray
    segment_share: np.ndarray
    segment_middle: np.ndarray
    kind: np.ndarray
    base: np.ndarray
    walk: np.ndarray
    last: np.ndarray
    link_track: np.ndarray
    link_way: np.ndarray
    link_albedo: np.ndarray
    volume_error: float

    @cached_property
    def seen_faces(self) -> tuple[np.ndarray, np.ndarray]:
        """Lengths of upright and flat faces as the tracks have them, cm: (ny, nx + 1) and (ny + 1, nx).

        They are the lengths themselves where all cells have one size.
        """
        upright, flat = self.corner[..., :-1, :] - self.corner[..., 1:, :], np.diff(self.corner, axis=3)
        ways = self.directions
        strips = 2.0 * ways.weight * ways.spacing
        seen = []
        for count, projection in ((upright, np.cos(ways.angle)), (flat, np.sin(ways.angle))):
            both = count[:, 0] + count[:, 1, :, ::-1]
            seen.append(np.einsum("a,ayx->yx", strips / projection, both))
        return seen[0], seen[1]


def lay_tracks(found: Lattice, count: int, spacing: float) -> Tracks:
    """Lay tracks through a lattice.

    Args:
        found: the lattice.
        count: azimuths in half a turn.
        spacing: cm between tracks, at most.

    Raises:
        InputError: count or spacing cannot be, or no track crosses some region or face.
    """
    directions = _directions(found, count, spacing)
    place, corner = _corners(found, directions)
    kinds, kind = _kinds(found, place, corner)
    traced = [trace_cell(one, directions) for one in kinds]
    for one, part in zip(kinds, traced, strict=True):
        refuse_missed(one, part.seen, spacing)
    lines = np.array([one.lines.ravel() for one in kinds])
    walk, last = _walks(directions, corner)
    links = _links(directions, found, walk)
    tracks = Tracks(
        directions=directions,
        kinds=kinds,
        corner=corner,
        first=np.concatenate([[0], np.cumsum(lines)])[:-1].reshape(len(kinds), -1, 2),
        segment_start=np.concatenate([[0], np.cumsum(np.concatenate([t.counts for t in traced]))]),
        kind_start=np.concatenate([[0], np.cumsum([len(t.region) for t in traced])]),
        segment_region=np.concatenate([t.region for t in traced]).astype(np.int32),
        segment_length=np.concatenate([t.length for t in traced]),
        segment_share=np.concatenate([t.share for t in traced]),
        segment_middle=np.concatenate([t.middle for t in traced]),
        kind=kind.astype(np.int32),
        base=np.ascontiguousarray(found.first_region[::-1]).astype(np.int32),
        walk=walk,
        last=last,
        link_track=links[0],
        link_way=links[1],
        link_albedo=links[2],
        volume_error=max(float(np.max(np.abs(t.seen - 1.0))) for t in traced),
    )
    if min(float(seen.min()) for seen in tracks.seen_faces) <= 0:
        raise InputError(
            "spacing",
            got=f"{spacing:.6g} cm, whose tracks miss a side of a cell",
            wanted="tracks through every side",
            cure=f"pass a spacing of {0.5 * spacing:.3g} cm or less, or more azimuths",
        )
    return tracks


def _directions(found: Lattice, count: int, spacing: float) -> Azimuths:
    """Azimuths whose tracks close on a cell, if all have one size, else on the lattice."""
    if found.regular:
        cell = azimuths(count, spacing, found.widths[0], found.heights[0])
        return replace(cell, across=cell.across * found.shape[1], along=cell.along * found.shape[0])
    largest = min(max(found.widths), max(found.heights))
    if spacing > 0.5 * largest:
        azimuths(count, spacing, largest, largest)  # refuses
    return azimuths(count, spacing, *found.size)


def _corners(found: Lattice, directions: Azimuths) -> tuple[np.ndarray, np.ndarray]:
    """Where corners of cells lie between lines, and the first line right of each: (A, 2, ny + 1, nx + 1)."""
    up = np.concatenate([[0.0], np.cumsum(found.heights[::-1])]) / found.size[1]
    right = np.concatenate([[0.0], np.cumsum(found.widths)]) / found.size[0]
    both = np.stack([right, (1.0 - right)[::-1]])
    place = directions.across[:, None, None, None] * both[:, None, :]
    place = place - directions.along[:, None, None, None] * up[:, None] - 0.5
    return place, np.ceil(place - _TIE).astype(np.int64)


def _kinds(found: Lattice, place: np.ndarray, corner: np.ndarray) -> tuple[tuple[CellKind, ...], np.ndarray]:
    """Kinds of cells, and that of each, (ny, nx) from the bottom left."""
    rows, columns = found.shape
    turned = [np.arange(columns), np.arange(columns)[::-1]]

    def of_cells(values: np.ndarray, up: int, right: int) -> np.ndarray:
        """What cells have of one of their corners: (A, 2, ny, nx), columns from the left."""
        return np.stack([values[:, o, up : up + rows][..., turned[o] + right] for o in (0, 1)], axis=1)

    phase = of_cells(corner, 0, 0) - of_cells(place, 0, 0)
    sides = of_cells(corner, 0, 0) - of_cells(corner, 1, 0)
    lines = of_cells(corner, 0, 1) - of_cells(corner, 1, 0)
    kinds: dict[tuple, CellKind] = {}
    number = np.zeros((rows, columns), int)
    order: dict[tuple, int] = {}
    for row, column in np.ndindex(rows, columns):
        name, *size = found.sized(rows - 1 - row, column)
        at = (slice(None), slice(None), row, column)
        told = (np.round(phase[at], _DIGITS), sides[at], lines[at])
        key = (found.cells[name].shape_key, *size, *(values.tobytes() for values in told))
        if key not in order:
            order[key] = len(order)
            areas = found.areas[name, size[0], size[1]]
            kinds[key] = CellKind(
                name, found.cells[name], areas, (size[0], size[1]), phase[at], sides[at], lines[at]
            )
        number[row, column] = order[key]
    return tuple(kinds.values()), number


def _walks(directions: Azimuths, corner: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """All tracks of the lattice, in an order that spreads azimuths over threads, and where they end."""
    found, last = [], []
    rows, columns = corner.shape[2] - 1, corner.shape[3] - 1
    for a in range(len(directions.angle)):
        line = np.concatenate([np.arange(directions.across[a]), -1 - np.arange(directions.along[a])])
        for turn in (0, 1):
            lines = corner[a, turn]
            below, top = line >= 0, line < lines[-1, -1]
            place = np.where(below, np.searchsorted(lines[0, 1:], line, "right"), 0)
            row = np.where(below, 0, np.sum(lines[1:, 0][:, None] > line, axis=0))
            end = np.where(top, np.searchsorted(lines[-1, 1:], line, "right"), columns - 1)
            high = np.where(top, rows - 1, np.sum(lines[1:, -1][:, None] > line, axis=0))
            place, end = ((columns - 1 - at if turn else at) for at in (place, end))
            found.append(np.stack([np.full_like(line, a), np.full_like(line, turn), place, row, line], 1))
            last.append(np.stack([high, end], 1))
    return np.concatenate(found).astype(np.int32), np.concatenate(last).astype(np.int32)


def _links(
    directions: Azimuths, found: Lattice, walk: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Where tracks go on at the boundary, at their end and at their start."""
    track, way = np.zeros((len(walk), 2), np.int32), np.zeros((len(walk), 2), np.int8)
    albedo = np.zeros((len(walk), 2))
    offset = 0
    for across, along in zip(directions.across, directions.along, strict=True):
        wide, high = int(across), int(along)
        for turn in (0, 1):
            mine, other = offset + turn * (wide + high), offset + (1 - turn) * (wide + high)
            part = slice(mine, mine + wide + high)
            sides = ("east", "west") if turn else ("west", "east")
            _link_ends(found, sides[1], wide, high, mine, other, (track[part], way[part], albedo[part]))
            _link_starts(found, sides[0], wide, high, mine, other, (track[part], way[part], albedo[part]))
        offset += 2 * (wide + high)
    return track, way, albedo


def track_ends(wide: int, high: int) -> np.ndarray:
    """Return where each track ends: a position at the top, or `wide` + one at the far side.

    Positions at bottom and top are counted from the side at which a turn enters, those of sides from the
    bottom.

    Args:
        wide: tracks through the bottom.
        high: tracks through the side.
    """
    start = np.arange(wide + high)
    through_bottom = np.where(wide - 1 - start < high, 2 * wide - 1 - start, start + high)
    side = start - wide
    through_side = np.where(high - 1 - side < wide, high - 1 - side, 2 * wide + side)
    return np.where(start < wide, through_bottom, through_side)


def _link_ends(found: Lattice, far: str, wide: int, high: int, mine: int, other: int, links) -> None:
    """What leaves forward: reflected at the top it runs backward, at the far side forward."""
    ends = track_ends(wide, high)
    top = ends < wide
    track, way, albedo = links
    ending_there = np.argsort(ends)  # the track that ends at a position
    reflected = np.where(top, ending_there[np.where(top, wide - 1 - ends, 0)], ends)
    periodic = np.where(top, found.boundary["north"] == "periodic", found.boundary[far] == "periodic")
    track[:, 0] = np.where(periodic, mine + ends, other + reflected)
    way[:, 0] = np.where(periodic, 0, top)
    albedo[:, 0] = np.where(top, found.albedo("north"), found.albedo(far))


def _link_starts(found: Lattice, near: str, wide: int, high: int, mine: int, other: int, links) -> None:
    """What leaves backward: reflected at the bottom it runs forward, at the near side backward."""
    start = np.arange(wide + high)
    bottom = start < wide
    track, way, albedo = links
    ending_there = np.argsort(track_ends(wide, high))
    reflected = np.where(bottom, wide - 1 - start, ending_there)
    periodic = np.where(bottom, found.boundary["south"] == "periodic", found.boundary[near] == "periodic")
    track[:, 1] = np.where(periodic, mine + ending_there, other + reflected)
    way[:, 1] = np.where(periodic, 1, ~bottom)
    albedo[:, 1] = np.where(bottom, found.albedo("south"), found.albedo(near))
