"""One transport sweep along all tracks, as compiled loops; sources flat or linear in each region.

With fluxes of a direction scaled by 4 pi, so that an isotropic one is the scalar flux, along a segment

    psi_out = psi_in - (psi_in - q) drop,     drop = 1 - exp(-total length / sin),     q = Q / total,

and a region's balance is total phi V = Q V + sum of w (psi_in - psi_out). Directions of all polar angles and
groups are one row of numbers. Cells of one kind and materials share their drops, which are computed once.
Fluxes, sources and sums are flat arrays of rows, which are crossed some groups at once (`core.lanes`).
"""

import numpy as np

from scalebridge.core.compiled import kernel, row_kernel
from scalebridge.core.lanes import load, minus, plus, spread, store, times
from scalebridge.reactor.linear_kernels import cross_linear, cross_linear_moments

_USUAL = 3  # polar directions by default


def polars_of(count: int) -> tuple[int, ...]:
    """Return a tuple as long as the polar directions, if they are as many as usual; else an empty one.

    Their loops are unrolled where a compiler knows how many they are; for other numbers they are not, so that
    code is compiled once for all of them.

    Example:
        >>> len(polars_of(3)), len(polars_of(8))
        (3, 0)
    """
    return (0,) * count if count == _USUAL else ()


@row_kernel
def cross(flux, sources, drops, flow, regions, cell, lost, groups, polars, lanes):
    """Let a row of fluxes cross a cell, and add what all directions lose to the groups of its regions.

    Arguments: flux (P G,); sources, of all regions; drops, of all segments; flow (P,) weights; regions of
    segments within their cell; cell: its first and last segment on this track, 1 if they are run backward,
    its first region, and the row of its kind's first segment in drops; lost, of all regions; groups of a row;
    polars, lanes: tuples as `polars_of` and `lanes_of` have them, because a compiler knows their lengths.
    """
    low, high, back, origin, table = cell
    count = len(polars) or flow.size
    for i in range(high - low):
        s = high - 1 - i if back else low + i
        at, drop = (origin + regions[s]) * groups, (table + s) * count * groups
        for b in range(0, groups, len(lanes)):
            source, gone = load(sources, at + b, lanes), load(lost, at + b, lanes)
            for p in range(count):
                k = p * groups + b
                inside = load(flux, k, lanes)
                change = times(minus(inside, source), load(drops, drop + k, lanes))
                store(flux, k, minus(inside, change))
                gone = plus(gone, times(spread(flow[p], lanes), change))
            store(lost, at + b, gone)


@row_kernel
def cross_moments(flux, sources, drops, flow, regions, cell, lost, harmonics, groups, polars, lanes):
    """The same with sources of several angular moments, (M, G) a region, and the losses of each.

    Arguments, beside those of `cross`: harmonics (P, M) of the direction.
    """
    low, high, back, origin, table = cell
    count = len(polars) or flow.size
    moments = harmonics.shape[1]
    for i in range(high - low):
        s = high - 1 - i if back else low + i
        at, drop = (origin + regions[s]) * moments * groups, (table + s) * count * groups
        for b in range(0, groups, len(lanes)):
            for p in range(count):
                k = p * groups + b
                source = spread(0.0, lanes)
                for m in range(moments):
                    factor = spread(harmonics[p, m], lanes)
                    source = plus(source, times(factor, load(sources, at + m * groups + b, lanes)))
                inside = load(flux, k, lanes)
                change = times(minus(inside, source), load(drops, drop + k, lanes))
                store(flux, k, minus(inside, change))
                for m in range(moments):
                    place, factor = at + m * groups + b, spread(flow[p] * harmonics[p, m], lanes)
                    store(lost, place, plus(load(lost, place, lanes), times(factor, change)))


@kernel
def walk_cells(track, walk, corner, cells):
    """Write the cells along a track of the lattice and how it enters them; return how many.

    Arguments: track; walk, corner, as of Tracks; cells (n + 1, 4), written: column, row, the line's number in
    the cell, 1 if it enters through the bottom; after the last cell 1 if it leaves through the top.
    """
    column, row, line = walk[track, 2], walk[track, 3], walk[track, 4]
    turn = walk[track, 1]
    lines = corner[walk[track, 0], turn]
    rows, columns = lines.shape[0] - 1, lines.shape[1] - 1
    place = columns - 1 - column if turn else column
    count, flat = 0, 1 if line >= 0 else 0
    while place < columns and row < rows:
        cells[count, 0], cells[count, 1] = columns - 1 - place if turn else place, row
        cells[count, 2], cells[count, 3] = line - lines[row + 1, place], flat
        flat = 1 if line < lines[row + 1, place + 1] else 0
        row, place = row + flat, place + 1 - flat
        count += 1
    cells[count, 3] = flat
    return count


@kernel
def walk_faces(cells, count, turn, shape, faces):
    """Write the faces before each cell along a track and after the last, (n, 2): number, and 1 if it is flat.

    Arguments: cells, count, of `walk_cells`; turn, of the track; shape: rows and columns; faces, written:
    those across x first, then those across y.
    """
    for place in range(count + 1):
        last = min(place, count - 1)
        column, row, flat = cells[last, 0], cells[last, 1], cells[place, 3]
        if flat:
            row += 1 if place == count else 0
            faces[place, 0] = shape[0] * (shape[1] + 1) + row * shape[1] + column
        else:
            column += 1 if (place == count) != (turn == 1) else 0
            faces[place, 0] = row * (shape[1] + 1) + column
        faces[place, 1] = flat


@row_kernel
def tally_face(flux, flow, area, weights, current, surface, at, groups, polars, lanes):
    """Add a row of fluxes to a face's net current and scalar flux.

    Arguments: flux (P G,); flow (P,) with the sign of the direction; area: times weights (P,), of the scalar
    flux; current, surface, of all faces, and where the face's begin; groups, polars, lanes of `cross`.
    """
    count = len(polars) or flow.size
    for b in range(0, groups, len(lanes)):
        net, scalar = load(current, at + b, lanes), load(surface, at + b, lanes)
        for p in range(count):
            passing = load(flux, p * groups + b, lanes)
            net = plus(net, times(spread(flow[p], lanes), passing))
            scalar = plus(scalar, times(spread(area * weights[p], lanes), passing))
        store(current, at + b, net)
        store(surface, at + b, scalar)


@kernel
def sweep_tracks(
    start, stop, piece, order, walk, corner, first, segment_start, segment_region, kind, base, rows,
    drops, sources, harmonics, bends, midpoints, scales, areas, weights, sines, entering,
    leaving, links, ways, albedos, groups, lost, currents, surfaces, polars, lanes,
):  # fmt: skip
    """Sweep the tracks order[start:stop] both ways.

    Arguments, beside those of Tracks: rows (ny, nx) first row of each cell less its kind's first segment;
    drops (n P G,); sources (regions M G,) rows of Q / total: angular moments, each a mean and slopes;
    harmonics (A, 2, 2, P, M) of azimuth, turn and way, None where there is one moment; bends (2 n P G,) and
    midpoints (segments, 5) of linear sources, None where they are flat; scales (A,) weight times spacing;
    areas (A, 2) the length of a face across x and across y that a track stands for; weights, sines (P,);
    entering (tracks, 2, P G); leaving, the same, written where it will enter next; groups of a row; lost
    (pieces, regions M G), currents, surfaces (pieces, faces G), written; polars, lanes of `cross`.
    """
    polar_count, shape = len(polars) or weights.size, kind.shape
    wide = polar_count * groups
    flux, flow, signed = np.empty(wide), np.empty(polar_count), np.empty(polar_count)
    cells = np.empty((shape[0] + shape[1] + 2, 4), np.int64)
    faces = np.empty((shape[0] + shape[1] + 3, 2), np.int64)
    mine, current, surface = lost[piece], currents[piece], surfaces[piece]
    for spot in range(start, stop):
        track = order[spot]
        a, turn = walk[track, 0], walk[track, 1]
        count = walk_cells(track, walk, corner, cells)
        walk_faces(cells, count, turn, shape, faces)
        for p in range(polar_count):
            flow[p] = weights[p] * sines[p] * scales[a]
        for way in range(2):
            for k in range(wide):
                flux[k] = entering[track, way, k]
            for step in range(count + 1):
                place = count - step if way else step
                flat = faces[place, 1]
                sense = 1.0 if (way == 1) == (turn == 1 and flat == 0) else -1.0
                for p in range(polar_count):
                    signed[p] = sense * flow[p]
                at = faces[place, 0] * groups
                tally_face(flux, signed, areas[a, flat], weights, current, surface, at, groups, polars, lanes)
                if step < count:
                    at = place - way
                    column, row, entry = cells[at, 0], cells[at, 1], cells[at, 2]
                    line = first[kind[row, column], a, turn] + entry
                    low, high = segment_start[line], segment_start[line + 1]
                    cell = low, high, way, base[row, column], rows[row, column]
                    cross_cell(
                        flux, sources, drops, flow, segment_region, cell, mine, harmonics,
                        (a, turn, way), bends, midpoints, groups, polars, lanes,
                    )  # fmt: skip
            for k in range(wide):
                leaving[links[track, way], ways[track, way], k] = albedos[track, way] * flux[k]


@row_kernel
def cross_cell(
    flux, sources, drops, flow, regions, cell, lost, harmonics, way, bends, midpoints, groups, polars, lanes
):
    """Cross a cell with the sources of its kind; what is None is not compiled."""
    if midpoints is not None and harmonics is not None:
        along = harmonics[way[0], way[1], way[2]]
        of = flux, sources, drops, flow, regions, cell, lost, bends, midpoints
        cross_linear_moments(*of, along, groups, polars, lanes)
    elif midpoints is not None:
        cross_linear(flux, sources, drops, flow, regions, cell, lost, bends, midpoints, groups, polars, lanes)
    elif harmonics is not None:
        along = harmonics[way[0], way[1], way[2]]
        cross_moments(flux, sources, drops, flow, regions, cell, lost, along, groups, polars, lanes)
    else:
        cross(flux, sources, drops, flow, regions, cell, lost, groups, polars, lanes)
