"""Tracks through a lattice: laid once in each kind of cell, linked from cell to cell and at the boundary.

All cells have one pitch, and azimuths are such that tracks leave a cell where those of the next begin. A
track of the lattice is then a walk over cells, and only the kinds of cells are stored. For an azimuth a and
a turn o (0: to the upper right; 1: mirrored, to the upper left) the tracks of a cell are counted by entry
e: first those through the bottom, from the left (mirrored: from the right), then those through the side.
"""

import math
from dataclasses import dataclass

import numpy as np

from scalebridge.core.errors import InputError
from scalebridge.reactor.angular_quadrature import Azimuths, azimuths
from scalebridge.reactor.lattice import Lattice
from scalebridge.reactor.lattice_cells import Cell, cell_cuts

_SHORT = 1e-9


@dataclass(frozen=True, eq=False)
class Tracks:
    """What a sweep walks along. Columns and rows of cells are counted from the bottom left.

    Args:
        directions: the azimuths.
        first: (A, 2) index of the first track of an azimuth and turn within a kind of cell.
        segment_start: (kinds, tracks + 1) first segment of each track of a cell.
        segment_region: region within the cell.
        segment_length: cm in the plane, scaled so that areas are exact.
        segment_middle: (segments, 4) x and y of its middle, cm from the cell's centre, and cos and sin.
        kind: (ny, nx) of each cell.
        base: (ny, nx) first region of each cell.
        walk: (tracks, 5) of the whole lattice: azimuth, turn, column and row of the first cell, entry.
        link_track: (tracks, 2) where what leaves at the end (0) and at the start (1) goes on.
        link_way: (tracks, 2) whether forward (0) or backward (1) along it.
        link_albedo: (tracks, 2) the part that does.
        volume_error: largest relative error of an area before scaling.
    """

    directions: Azimuths
    first: np.ndarray
    segment_start: np.ndarray
    segment_region: np.ndarray
    segment_length: np.ndarray
    segment_middle: np.ndarray
    kind: np.ndarray
    base: np.ndarray
    walk: np.ndarray
    link_track: np.ndarray
    link_way: np.ndarray
    link_albedo: np.ndarray
    volume_error: float


def lay_tracks(found: Lattice, count: int, spacing: float) -> Tracks:
    """Lay tracks through a lattice.

    Args:
        found: the lattice.
        count: azimuths in half a turn.
        spacing: cm between tracks, at most.

    Raises:
        InputError: count or spacing cannot be, or no track crosses some region.
    """
    directions = azimuths(count, spacing, *found.pitch)
    per_turn = directions.across + directions.along
    first = np.concatenate([[0], np.cumsum(np.repeat(per_turn, 2))])[:-1].reshape(-1, 2)
    kinds = {found.cells[n].shape_key: (found.cells[n], found.areas[n]) for row in found.rows for n in row}
    traced = [_trace(cell, areas, found.pitch, directions) for cell, areas in kinds.values()]
    for (cell, _), part in zip(kinds.values(), traced, strict=True):
        _refuse_missed(found, cell, part.seen, spacing)
    offsets = np.cumsum([0, *(len(t.region) for t in traced)])
    keys = list(kinds)
    kind = np.array([[keys.index(found.cells[n].shape_key) for n in row] for row in found.rows])
    walk = _walks(directions, found.shape)
    links = _links(directions, found, walk)
    return Tracks(
        directions=directions,
        first=first,
        segment_start=np.stack([t.start + o for t, o in zip(traced, offsets[:-1], strict=True)]),
        segment_region=np.concatenate([t.region for t in traced]).astype(np.int32),
        segment_length=np.concatenate([t.length for t in traced]),
        segment_middle=np.concatenate([t.middle for t in traced]),
        kind=np.ascontiguousarray(kind[::-1]).astype(np.int32),
        base=np.ascontiguousarray(found.first_region[::-1]).astype(np.int32),
        walk=walk,
        link_track=links[0],
        link_way=links[1],
        link_albedo=links[2],
        volume_error=max(float(np.max(np.abs(t.seen - 1.0))) for t in traced),
    )


@dataclass(frozen=True, eq=False)
class _Traced:
    """Segments of all tracks of one kind of cell.

    Args:
        start: (tracks + 1) first segment of each track.
        region: of each segment.
        length: cm, scaled so that areas are exact.
        middle: (segments, 4) as of Tracks.
        seen: (regions,) part of each area that tracks have before lengths are scaled.
    """

    start: np.ndarray
    region: np.ndarray
    length: np.ndarray
    middle: np.ndarray
    seen: np.ndarray


def _trace(cell: Cell, areas: np.ndarray, size: tuple[float, float], directions: Azimuths) -> _Traced:
    starts, regions, lengths, shares, middles = [0], [], [], [], []
    for a in range(len(directions.angle)):
        share = 2.0 * directions.weight[a] * directions.spacing[a]  # this way and back
        for turn in (0, 1):
            for entry in range(directions.across[a] + directions.along[a]):
                where, low, high, ray = segments_of_track(cell, size, directions, (a, turn, entry))
                far, half = high - low, 0.5 * (low + high)[:, None]
                regions.append(where)
                lengths.append(far)
                shares.append(np.full(len(far), share))
                middles.append(np.hstack([ray[:2] + half * ray[2:], np.broadcast_to(ray[2:], (len(far), 2))]))
                starts.append(starts[-1] + len(far))
    region, far = np.concatenate(regions), np.concatenate(lengths)
    seen = np.bincount(region, far * np.concatenate(shares), len(areas)) / areas
    scale = 1.0 / np.where(seen > 0, seen, 1.0)
    return _Traced(np.array(starts), region, far * scale[region], np.concatenate(middles), seen)


def _refuse_missed(found: Lattice, cell: Cell, seen: np.ndarray, spacing: float) -> None:
    """Refuse tracks that miss a region: nothing would flow into it or out of it."""
    if np.all(seen > 0):
        return
    name = next(n for row in found.rows for n in row if found.cells[n].shape_key == cell.shape_key)
    missed = np.flatnonzero(seen <= 0)
    raise InputError(
        "spacing",
        got=f"{spacing:.6g} cm, whose tracks miss {len(missed)} of {len(seen)} regions of cell {name!r}, "
        f"such as region {missed[0]} of {found.cells[name].region_materials[missed[0]]!r}",
        wanted="tracks through every region",
        cure=f"pass a spacing of {0.5 * spacing:.3g} cm or less, more azimuths, or fewer subdivisions",
    )


def segments_of_track(
    cell: Cell, size: tuple[float, float], directions: Azimuths, which: tuple[int, int, int]
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return what a track of a cell runs through.

    Args:
        cell: the cell.
        size: cm, width and height.
        directions: the azimuths.
        which: azimuth, turn and entry.

    Returns:
        regions; where each segment begins and ends, cm along the track; and x, y, cos, sin of the track.
    """
    a, turn, entry = which
    across, along = int(directions.across[a]), int(directions.along[a])
    sine, cosine = math.sin(directions.angle[a]), math.cos(directions.angle[a])
    if entry < across:
        x, y = ((entry + 0.5) / across - 0.5) * size[0], -0.5 * size[1]
    else:
        x, y = -0.5 * size[0], ((entry - across + 0.5) / along - 0.5) * size[1]
    reach = min((0.5 * size[0] - x) / cosine, (0.5 * size[1] - y) / sine)
    mirror = -1.0 if turn else 1.0
    cuts = cell_cuts(cell, (mirror * x, y), (mirror * cosine, sine), size)
    ends = np.unique(np.clip([0.0, *cuts, reach], 0.0, reach))
    middle = 0.5 * (ends[1:] + ends[:-1])
    where = cell.regions_at(mirror * (x + middle * cosine), y + middle * sine, *size)
    keep = np.diff(ends) > _SHORT
    ray = np.array([mirror * x, y, mirror * cosine, sine])
    return where[keep], ends[:-1][keep], ends[1:][keep], ray


def _walks(directions: Azimuths, shape: tuple[int, int]) -> np.ndarray:
    """All tracks of the lattice, in an order that spreads azimuths evenly over threads."""
    rows, columns = shape
    found = []
    for a in range(len(directions.angle)):
        across, along = int(directions.across[a]), int(directions.along[a])
        for turn in (0, 1):
            column, entry = np.divmod(np.arange(columns * across), across)
            column = columns - 1 - column if turn else column
            bottom = np.stack(
                [np.full_like(column, a), np.full_like(column, turn), column, 0 * column, entry], 1
            )
            row, entry = np.divmod(np.arange(rows * along), along)
            edge = np.full_like(row, columns - 1 if turn else 0)
            side = np.stack([np.full_like(row, a), np.full_like(row, turn), edge, row, entry + across], 1)
            found += [bottom, side]
    return np.concatenate(found).astype(np.int32)


def _links(
    directions: Azimuths, found: Lattice, walk: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Where tracks go on at the boundary, at their end and at their start."""
    rows, columns = found.shape
    track, way = np.zeros((len(walk), 2), np.int32), np.zeros((len(walk), 2), np.int8)
    albedo = np.zeros((len(walk), 2))
    offset = 0
    for across, along in zip(directions.across, directions.along, strict=True):
        wide, high = columns * int(across), rows * int(along)
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
    bottom. With the entry of the next cell counted alike, this is also how tracks go from cell to cell.

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
