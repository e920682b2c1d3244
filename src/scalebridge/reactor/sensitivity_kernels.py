"""Products of forward and adjoint fluxes along all tracks, as compiled loops.

With M the operator of a sweep, sum of gains = M q, its derivative by the total cross-section of a segment is,
for forward sources q and adjoint ones q+,

    d(q+ M q) / d total = - sum of w (length / sin) mean of (psi - q) (psi+ - q+) along the segment,

psi+ running the other way round. Along the segment u from 0 to 1, t thick, whose source rises by a,

    psi - q = A exp(-t u) - a (1 - exp(-t u)) / t,

so that the mean is A A+ exp(-t) where sources are flat. By the length of the segment it is then the same with
the total in place of the length.
"""

import numpy as np

from scalebridge.core.compiled import kernel
from scalebridge.reactor.sweep_kernels import walk_cells

THIN = 0.03  # thickness below which five terms of the series are exact to 1e-11


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
    totals, forward, adjoint, harmonics, midpoints, scales, weights, sines, entering, entering_adjoint, most,
    slopes, products, stretched,
):  # fmt: skip
    """Add the sums of the equation above over the tracks order[start:stop], both ways.

    Arguments, beside those of `sweep_tracks`: totals (materials, P G) over sines; forward, adjoint (regions,
    rows, G) sources / total; entering, entering_adjoint (tracks, 2, P G); most: segments of the longest
    track; slopes (segments, C): of lengths by circles; products (pieces, regions, G), stretched (pieces, ny,
    nx, C), written.
    """
    groups = forward.shape[2]
    circles = slopes.shape[1]
    wide = totals.shape[1]
    cells = np.empty((kinds.shape[0] + kinds.shape[1] + 2, 4), np.int64)
    found = np.empty((most, 2), np.int64)
    inside, rising = np.empty((most, wide)), np.empty((most, wide))
    flux = np.empty(wide)
    for spot in range(start, stop):
        track = order[spot]
        a, turn = walk[track, 0], walk[track, 1]
        count = segments_along(track, walk, corner, first, starts, kinds, cells, found)
        for way in range(2):
            ahead, behind = harmonics[a, turn, way], harmonics[a, turn, 1 - way]
            for k in range(wide):
                flux[k] = entering[track, way, k]
            for i in range(count):
                j = i if way == 0 else count - 1 - i
                s, region = found[j, 0], _place(found, j, cells, base, regions)
                for k in range(wide):
                    q, rise = source_at(forward, region, ahead, midpoints, s, way, k, groups)
                    inside[j, k], rising[j, k] = flux[k] - q, rise
                    t = lengths[s] * totals[material[region], k]
                    flux[k] = q + rise + end_of(flux[k] - q, rise, t)
            for k in range(wide):
                flux[k] = entering_adjoint[track, 1 - way, k]
            for i in range(count):
                j = count - 1 - i if way == 0 else i
                s, region = found[j, 0], _place(found, j, cells, base, regions)
                by_length = 0.0
                for k in range(wide):
                    q, rise = source_at(adjoint, region, behind, midpoints, s, 1 - way, k, groups)
                    p, g, excess = k // groups, k % groups, flux[k] - q
                    t = lengths[s] * totals[material[region], k]
                    mean = mean_product(inside[j, k], rising[j, k], excess, rise, t)
                    w = scales[a] * weights[p] * mean
                    products[piece, region, g] -= w * lengths[s]
                    by_length -= w * totals[material[region], k] * sines[p]
                    flux[k] = q + rise + end_of(excess, rise, t)
                at = found[j, 1]
                for c in range(circles):
                    stretched[piece, cells[at, 1], cells[at, 0], c] += by_length * slopes[s, c]


@kernel
def source_at(rows, region, along, midpoints, s, back, k, groups):
    """Return the source of a direction where a segment is entered, and how much it rises along it."""
    p, g = k // groups, k % groups
    source, rise = 0.0, 0.0
    for m in range(along.shape[1]):
        if midpoints is None:
            source += along[p, m] * rows[region, m, g]
        else:
            x, y = along[p, m] * rows[region, 3 * m + 1, g], along[p, m] * rows[region, 3 * m + 2, g]
            length = -midpoints[s, 2] if back else midpoints[s, 2]
            climb = length * (midpoints[s, 3] * x + midpoints[s, 4] * y)
            middle = along[p, m] * rows[region, 3 * m, g] + midpoints[s, 0] * x + midpoints[s, 1] * y
            source += middle - 0.5 * climb
            rise += climb
    return source, rise


@kernel
def end_of(excess, rise, t):
    """Return psi - q at the end of a segment."""
    return excess * np.exp(-t) if rise == 0.0 else excess * np.exp(-t) + rise * np.expm1(-t) / t


@kernel
def mean_product(one, rise, other, other_rise, t):
    """Return the mean of (psi - q) (psi+ - q+) along a segment t thick, both given where they enter it."""
    kept = np.exp(-t)
    mean = one * other * kept
    if rise == 0.0 and other_rise == 0.0:
        return mean
    if t < THIN:
        mixed = 1 / 2 + t * (-1 / 3 + t * (1 / 8 + t * (-1 / 30 + t / 144)))
        both = 1 / 6 + t * (-1 / 12 + t * (1 / 40 + t * (-1 / 180 + t / 1008)))
    else:
        lost = -np.expm1(-t) / t
        mixed, both = (lost - kept) / t, (1.0 - 2.0 * lost + kept) / t**2
    return mean - (one * other_rise + other * rise) * mixed + rise * other_rise * both


@kernel
def _place(found, j, cells, base, regions):
    step = found[j, 1]
    return base[cells[step, 1], cells[step, 0]] + regions[found[j, 0]]
