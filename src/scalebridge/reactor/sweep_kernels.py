"""One transport sweep along all tracks, as compiled loops; sources flat in each region.

With fluxes of a direction scaled by 4 pi, so that an isotropic one is the scalar flux, along a segment

    psi_out = psi_in - (psi_in - q) drop,     drop = 1 - exp(-total length / sin),     q = Q / total,

and a region's balance is total phi V = Q V + sum of w (psi_in - psi_out). Directions of all polar angles and
groups are one row of numbers. Cells of one kind and materials share their drops, which are computed once.
"""

import numpy as np

from scalebridge.core.compiled import kernel, row_kernel


@row_kernel
def cross(flux, source, drop, weights, scale, lost):
    """Let a row of fluxes cross a segment, and add what all directions lose to the groups of its region."""
    groups = lost.size
    for p in range(weights.size):
        w = weights[p] * scale
        for g in range(groups):
            change = (flux[p * groups + g] - source[g]) * drop[p * groups + g]
            flux[p * groups + g] -= change
            lost[g] += w * change


@row_kernel
def cross_moments(flux, source, harmonics, drop, weights, scale, lost):
    """The same with a source of several angular moments, (M, G), and the losses of each; harmonics (P, M)."""
    moments, groups = lost.shape
    for p in range(weights.size):
        w = weights[p] * scale
        for g in range(groups):
            born = 0.0
            for m in range(moments):
                born += harmonics[p, m] * source[m, g]
            change = (flux[p * groups + g] - born) * drop[p * groups + g]
            flux[p * groups + g] -= change
            for m in range(moments):
                lost[m, g] += w * harmonics[p, m] * change


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
def tally_face(flux, sign, weight, area, weights, sines, groups, current, surface):
    """Add a row of fluxes to a face's net current and scalar flux."""
    for p in range(weights.size):
        w, s = sign * weight * weights[p] * sines[p], area * weights[p]
        for g in range(groups):
            current[g] += w * flux[p * groups + g]
            surface[g] += s * flux[p * groups + g]


@kernel
def sweep_tracks(
    start, stop, piece, order, walk, first, ends, across, segment_start, segment_region, kind, base, drops,
    rows, sources, harmonics, scales, areas, weights, sines, entering, leaving, links, ways, albedos, lost,
    currents, surfaces,
):  # fmt: skip
    """Sweep the tracks order[start:stop] both ways.

    Arguments, beside those of Tracks: drops (n, P G); rows (ny, nx) first row of each cell less its kind's
    first segment; sources (regions, M, G) angular moments of Q / total; harmonics (A, 2, 2, P, M)
    of azimuth, turn and way; scales (A,) weight times spacing; areas (A, 2) the same
    over the length of a face of the vertical and the horizontal kind that a track stands for; weights,
    sines (P,); entering (tracks, 2, P G); leaving, the same, written where it will enter next; lost
    (pieces, regions, M, G), currents, surfaces (pieces, faces, G), written.
    """
    moments, groups = sources.shape[1:]
    wide = drops.shape[1]
    flux = np.empty(wide)
    shape = kind.shape
    cells = np.empty((shape[0] + shape[1] + 2, 3), np.int64)
    flow = weights * sines
    for spot in range(start, stop):
        track = order[spot]
        a, turn = walk[track, 0], walk[track, 1]
        count = walk_cells(track, walk, first, ends, across, shape, cells)
        for way in range(2):
            for k in range(wide):
                flux[k] = entering[track, way, k]
            for step in range(count + 1):
                place = step if way == 0 else count - step
                _face(
                    flux, cells, place, count, turn, way, across[a], shape, first[a, turn], ends, scales[a],
                    areas[a], weights, sines, groups, currents[piece], surfaces[piece],
                )  # fmt: skip
                if step == count:
                    break
                inside = place if way == 0 else place - 1
                column, row = cells[inside, 0], cells[inside, 1]
                line = first[a, turn] + cells[inside, 2]
                low = segment_start[kind[row, column], line]
                high = segment_start[kind[row, column], line + 1]
                for i in range(high - low):
                    s = low + i if way == 0 else high - 1 - i
                    region = base[row, column] + segment_region[s]
                    drop = drops[rows[row, column] + s]
                    if moments == 1:
                        cross(flux, sources[region, 0], drop, flow, scales[a], lost[piece, region, 0])
                    else:
                        along = harmonics[a, turn, way]
                        gone = lost[piece, region]
                        cross_moments(flux, sources[region], along, drop, flow, scales[a], gone)
            to, how = links[track, way], ways[track, way]
            for k in range(wide):
                leaving[to, how, k] = albedos[track, way] * flux[k]


@kernel
def _face(
    flux, cells, place, count, turn, way, across, shape, line, ends, scale, area, weights, sines, groups,
    currents, surfaces,
):  # fmt: skip
    """Tally the face before the cell of a number, or after the last one."""
    if place < count:
        column, row, entry = cells[place, 0], cells[place, 1], cells[place, 2]
        flat = entry < across
        column += 1 if turn and not flat else 0
    else:
        column, row = cells[count - 1, 0], cells[count - 1, 1]
        flat = ends[line + cells[count - 1, 2]] < across
        row += 1 if flat else 0
        column += 1 if not turn and not flat else 0
    forward = 1.0 if way == 0 else -1.0
    if flat:
        face = shape[0] * (shape[1] + 1) + row * shape[1] + column
        tally_face(flux, forward, scale, area[1], weights, sines, groups, currents[face], surfaces[face])
    else:
        sign = -forward if turn else forward
        face = row * (shape[1] + 1) + column
        tally_face(flux, sign, scale, area[0], weights, sines, groups, currents[face], surfaces[face])
