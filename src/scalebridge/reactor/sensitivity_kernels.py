"""Products of forward and adjoint fluxes along all tracks, as compiled loops.

With M the symmetric operator of a sweep, sum of gains = M q, its derivative by the total cross-section of a
segment is, for forward sources q and adjoint ones q+,

    d(q+ M q) / d total = - sum of w (length / sin) exp(-t) (psi_in - q) (psi+_in - q+),

psi_in entering the segment and psi+_in entering it the other way round. By the length of the segment it is
the same with the total in place of the length.
"""

import numpy as np

from scalebridge.core.compiled import kernel
from scalebridge.reactor.sweep_kernels import walk_cells


@kernel
def segments_along(track, walk, corner, first, starts, kinds, cells, found):
    """Write the segments of a track of the lattice, (n, 2): segment, cell; return how many."""
    count = walk_cells(track, walk, corner, cells)
    a, turn = walk[track, 0], walk[track, 1]
    total = 0
    for step in range(count):
        kind = kinds[cells[step, 1], cells[step, 0]]
        line = first[kind, a, turn] + cells[step, 2]
        for s in range(starts[line], starts[line + 1]):
            found[total, 0], found[total, 1] = s, step
            total += 1
    return total


@kernel
def overlap_tracks(
    start, stop, piece, order, walk, corner, first, starts, regions, lengths, kinds, base, material,
    totals, forward, adjoint, scales, weights, sines, entering, entering_adjoint, most, slopes, products,
    stretched,
):  # fmt: skip
    """Add the sums of the equation above over the tracks order[start:stop], both ways.

    Arguments, beside those of `sweep_tracks`: totals (materials, P G) over sines; forward, adjoint (regions,
    G) sources / total; entering, entering_adjoint (tracks, 2, P G); most: segments of the longest track;
    slopes (segments, C): of lengths by circles; products (pieces, regions, G), stretched (pieces, ny, nx, C),
    written.
    """
    groups = forward.shape[1]
    circles = slopes.shape[1]
    wide = totals.shape[1]
    cells = np.empty((kinds.shape[0] + kinds.shape[1] + 2, 4), np.int64)
    found = np.empty((most, 2), np.int64)
    inside = np.empty((most, wide))
    flux = np.empty(wide)
    for spot in range(start, stop):
        track = order[spot]
        a = walk[track, 0]
        count = segments_along(track, walk, corner, first, starts, kinds, cells, found)
        for way in range(2):
            for k in range(wide):
                flux[k] = entering[track, way, k]
            for i in range(count):
                j = i if way == 0 else count - 1 - i
                region, drop = _place(found, j, cells, base, regions), lengths[found[j, 0]]
                for k in range(wide):
                    q = forward[region, k % groups]
                    inside[j, k] = flux[k] - q
                    flux[k] = q + inside[j, k] * np.exp(-drop * totals[material[region], k])
            for k in range(wide):
                flux[k] = entering_adjoint[track, 1 - way, k]
            for i in range(count):
                j = count - 1 - i if way == 0 else i
                region, far = _place(found, j, cells, base, regions), lengths[found[j, 0]]
                by_length = 0.0
                for k in range(wide):
                    q, p, g = adjoint[region, k % groups], k // groups, k % groups
                    kept = np.exp(-far * totals[material[region], k])
                    w = scales[a] * weights[p] * kept * inside[j, k] * (flux[k] - q)
                    products[piece, region, g] -= w * far
                    by_length -= w * totals[material[region], k] * sines[p]
                    flux[k] = q + (flux[k] - q) * kept
                at = found[j, 1]
                for c in range(circles):
                    stretched[piece, cells[at, 1], cells[at, 0], c] += by_length * slopes[found[j, 0], c]


@kernel
def _place(found, j, cells, base, regions):
    step = found[j, 1]
    return base[cells[step, 1], cells[step, 0]] + regions[found[j, 0]]
