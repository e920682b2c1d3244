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
from scalebridge.reactor.linear_kernels import cross_linear

FLAT, MOMENTS, LINEAR = 0, 1, 2
"""What a sweep's sources are in a region: the same in all directions, with angular moments, or sloped."""


@row_kernel
def cross(flux, sources, drops, flow, regions, cell, lost, groups, polars, lanes):
    """Let a row of fluxes cross a cell, and add what all directions lose to the groups of its regions.

    Arguments: flux (P G,); sources, of all regions; drops, of all segments; flow (P,) weights; regions of
    segments within their cell; cell: its first and last segment on this track, 1 if they are run backward,
    its first region, and the row of its kind's first segment in drops; lost, of all regions; groups of a row;
    polars, lanes: tuples as long as flow and as `lanes_of` says, because a compiler knows their lengths.
    """
    low, high, back, origin, table = cell
    for i in range(high - low):
        s = high - 1 - i if back else low + i
        at, drop = (origin + regions[s]) * groups, (table + s) * len(polars) * groups
        for b in range(0, groups, len(lanes)):
            source, gone = load(sources, at + b, lanes), load(lost, at + b, lanes)
            for p in range(len(polars)):
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
    moments = harmonics.shape[1]
    for i in range(high - low):
        s = high - 1 - i if back else low + i
        at, drop = (origin + regions[s]) * moments * groups, (table + s) * len(polars) * groups
        for b in range(0, groups, len(lanes)):
            for p in range(len(polars)):
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
def walk_cells(track, walk, first, ends, across, shape, cells):
    """Write the cells along a track of the lattice: column, row, entry; return how many.

    Arguments: track; walk, first, as of Tracks; ends: where each track of a cell ends, by first + entry;
    across; shape: rows and columns; cells (n, 3), written.
    """
    a, turn = walk[track, 0], walk[track, 1]
    column, row, entry = walk[track, 2], walk[track, 3], walk[track, 4]
    ahead = -1 if turn else 1
    count = 0
    while 0 <= column < shape[1] and row < shape[0]:
        cells[count, 0], cells[count, 1], cells[count, 2] = column, row, entry
        count += 1
        entry = ends[first[a, turn] + entry]
        if entry < across[a]:
            row += 1
        else:
            column += ahead
    return count


@kernel
def walk_faces(cells, count, turn, line, ends, across, shape, faces):
    """Write the faces before each cell along a track and after the last, (n, 2): number, and 1 if it is flat.

    Arguments: cells, count, of `walk_cells`; turn, of the track; line: where its azimuth's tracks of a cell
    begin; ends, across of the azimuth, shape; faces, written: those across x first, then those across y.
    """
    for place in range(count + 1):
        last = min(place, count - 1)
        column, row, entry = cells[last, 0], cells[last, 1], cells[last, 2]
        flat = (entry if place < count else ends[line + entry]) < across
        if flat:
            row += 1 if place == count else 0
            faces[place, 0] = shape[0] * (shape[1] + 1) + row * shape[1] + column
        else:
            column += 1 if (place == count) != (turn == 1) else 0
            faces[place, 0] = row * (shape[1] + 1) + column
        faces[place, 1] = 1 if flat else 0


@row_kernel
def tally_face(flux, flow, area, weights, current, surface, at, groups, polars, lanes):
    """Add a row of fluxes to a face's net current and scalar flux.

    Arguments: flux (P G,); flow (P,) with the sign of the direction; area: times weights (P,), of the scalar
    flux; current, surface, of all faces, and where the face's begin; groups, polars, lanes of `cross`.
    """
    for b in range(0, groups, len(lanes)):
        net, scalar = load(current, at + b, lanes), load(surface, at + b, lanes)
        for p in range(len(polars)):
            passing = load(flux, p * groups + b, lanes)
            net = plus(net, times(spread(flow[p], lanes), passing))
            scalar = plus(scalar, times(spread(area * weights[p], lanes), passing))
        store(current, at + b, net)
        store(surface, at + b, scalar)


@kernel
def sweep_tracks(
    start, stop, piece, order, walk, first, ends, across, segment_start, segment_region, kind, base, rows,
    drops, sources, kind_of_source, harmonics, bends, midpoints, scales, areas, weights, sines, entering,
    leaving, links, ways, albedos, groups, lost, currents, surfaces, polars, lanes,
):  # fmt: skip
    """Sweep the tracks order[start:stop] both ways.

    Arguments, beside those of Tracks: rows (ny, nx) first row of each cell less its kind's first segment;
    drops (n P G,); sources (regions M G,) angular moments of Q / total, or its mean and slopes;
    kind_of_source; harmonics (A, 2, 2, P, M) of azimuth, turn and way; bends (2 n P G,) and midpoints
    (segments, 5) of linear sources; scales (A,) weight times spacing; areas (A, 2) the same over the length
    of a face across x and across y that a track stands for; weights, sines (P,); entering (tracks, 2, P G);
    leaving, the same, written where it will enter next; groups of a row; lost (pieces, regions M G),
    currents, surfaces (pieces, faces G), written; polars, lanes of `cross`.
    """
    wide, shape = len(polars) * groups, kind.shape
    flux, flow, signed = np.empty(wide), np.empty(len(polars)), np.empty(len(polars))
    cells = np.empty((shape[0] + shape[1] + 2, 3), np.int64)
    faces = np.empty((shape[0] + shape[1] + 3, 2), np.int64)
    mine, current, surface = lost[piece], currents[piece], surfaces[piece]
    for spot in range(start, stop):
        track = order[spot]
        a, turn, line = walk[track, 0], walk[track, 1], first[walk[track, 0], walk[track, 1]]
        count = walk_cells(track, walk, first, ends, across, shape, cells)
        walk_faces(cells, count, turn, line, ends, across[a], shape, faces)
        flow[:] = weights * sines * scales[a]
        for way in range(2):
            flux[:] = entering[track, way]
            along = harmonics[a, turn, way]
            for step in range(count + 1):
                place = count - step if way else step
                flat = faces[place, 1]
                sense = 1.0 if (way == 1) == (turn == 1 and flat == 0) else -1.0
                for p in range(len(polars)):
                    signed[p] = sense * flow[p]
                at = faces[place, 0] * groups
                tally_face(flux, signed, areas[a, flat], weights, current, surface, at, groups, polars, lanes)
                if step < count:
                    at = place - way
                    column, row, entry = cells[at, 0], cells[at, 1], cells[at, 2]
                    low = segment_start[kind[row, column], line + entry]
                    high = segment_start[kind[row, column], line + entry + 1]
                    cell = low, high, way, base[row, column], rows[row, column]
                    cross_cell(
                        flux, sources, drops, flow, segment_region, cell, mine, kind_of_source, along, bends,
                        midpoints, groups, polars, lanes,
                    )  # fmt: skip
            leaving[links[track, way], ways[track, way]] = albedos[track, way] * flux


@row_kernel
def cross_cell(
    flux, sources, drops, flow, regions, cell, lost, kind_of_source, along, bends, midpoints, groups, polars,
    lanes,
):  # fmt: skip
    """Cross a cell with the sources of its kind."""
    if kind_of_source == FLAT:
        cross(flux, sources, drops, flow, regions, cell, lost, groups, polars, lanes)
    elif kind_of_source == MOMENTS:
        cross_moments(flux, sources, drops, flow, regions, cell, lost, along, groups, polars, lanes)
    else:
        cross_linear(flux, sources, drops, flow, regions, cell, lost, bends, midpoints, groups, polars, lanes)
