"""Segments of a sweep whose sources are linear in each region.

With q = q_0 + q_x (x - x_c) + q_y (y - y_c) in a region around its centroid, q_m at the middle of a segment
of length l, q_l = l (q_x cos + q_y sin) the rise along it, t = total l / sin and E = 1 - exp(-t),

    psi_in - psi_out = (psi_in - q_m) E - q_l H,        H = 1 - (1/2 + 1/t) E,
    R = - l ((psi_in - q_m) H + q_l K),                 K = H (1/2 + 1/t),

where R is what moves along the segment: the moment of the region's flux in x is that of its source and the
sum of w ((x_m - x_c) (psi_in - psi_out) + R cos) / total, and so in y.

Source: R. M. Ferrer, J. D. Rhodes III (2016), Nucl. Sci. Eng. 182, 151, doi:10.13182/NSE15-6.
"""

from scalebridge.core.compiled import row_kernel
from scalebridge.core.lanes import load, minus, plus, spread, store, times


@row_kernel
def cross_linear(flux, sources, drops, flow, regions, cell, lost, bends, midpoints, groups, polars, lanes):
    """Let a row of fluxes cross a cell whose regions have linear sources.

    Arguments, as of `sweep_kernels.cross`, and: bends (2 n P G,) H and K of all segments, in turn by lanes;
    midpoints (segments, 5): x and y of the middle from the region's centroid, length, cos and sin. Sources
    and losses have three rows a region: mean, x, y.
    """
    low, high, back, origin, table = cell
    count = len(polars) or flow.size
    for i in range(high - low):
        s = high - 1 - i if back else low + i
        at, drop = (origin + regions[s]) * 3 * groups, (table + s) * count * groups
        x, y = spread(midpoints[s, 0], lanes), spread(midpoints[s, 1], lanes)
        length = -midpoints[s, 2] if back else midpoints[s, 2]
        run, climb = spread(length * midpoints[s, 3], lanes), spread(length * midpoints[s, 4], lanes)
        for b in range(0, groups, len(lanes)):
            here, across, up = at + b, at + groups + b, at + 2 * groups + b
            slope_x, slope_y = load(sources, across, lanes), load(sources, up, lanes)
            middle = plus(load(sources, here, lanes), plus(times(x, slope_x), times(y, slope_y)))
            rise = plus(times(run, slope_x), times(climb, slope_y))
            gone, moved = spread(0.0, lanes), spread(0.0, lanes)
            for p in range(count):
                k = p * groups + b
                inside, bend = load(flux, k, lanes), load(bends, 2 * (drop + k), lanes)
                excess = minus(inside, middle)
                change = minus(times(excess, load(drops, drop + k, lanes)), times(rise, bend))
                store(flux, k, minus(inside, change))
                weight, twist = spread(flow[p], lanes), load(bends, 2 * (drop + k) + len(lanes), lanes)
                gone = plus(gone, times(weight, change))
                moved = plus(moved, times(weight, plus(times(excess, bend), times(rise, twist))))
            store(lost, here, plus(load(lost, here, lanes), gone))
            gone_x, gone_y = (
                minus(times(x, gone), times(run, moved)),
                minus(times(y, gone), times(climb, moved)),
            )
            store(lost, across, plus(load(lost, across, lanes), gone_x))
            store(lost, up, plus(load(lost, up, lanes), gone_y))


@row_kernel
def cross_linear_moments(
    flux, sources, drops, flow, regions, cell, lost, bends, midpoints, harmonics, groups, polars, lanes
):
    """The same where sources have angular moments too: three rows for each of them in turn.

    Arguments, beside those of `cross_linear`: harmonics (P, M) of the direction.
    """
    low, high, back, origin, table = cell
    count = len(polars) or flow.size
    moments = harmonics.shape[1]
    for i in range(high - low):
        s = high - 1 - i if back else low + i
        at, drop = (origin + regions[s]) * 3 * moments * groups, (table + s) * count * groups
        x, y = spread(midpoints[s, 0], lanes), spread(midpoints[s, 1], lanes)
        length = -midpoints[s, 2] if back else midpoints[s, 2]
        run, climb = spread(length * midpoints[s, 3], lanes), spread(length * midpoints[s, 4], lanes)
        for b in range(0, groups, len(lanes)):
            for p in range(count):
                k = p * groups + b
                middle, rise = spread(0.0, lanes), spread(0.0, lanes)
                for m in range(moments):
                    here, factor = at + 3 * m * groups + b, spread(harmonics[p, m], lanes)
                    slope_x = times(factor, load(sources, here + groups, lanes))
                    slope_y = times(factor, load(sources, here + 2 * groups, lanes))
                    mean = plus(times(factor, load(sources, here, lanes)), times(x, slope_x))
                    middle = plus(middle, plus(mean, times(y, slope_y)))
                    rise = plus(rise, plus(times(run, slope_x), times(climb, slope_y)))
                inside, bend = load(flux, k, lanes), load(bends, 2 * (drop + k), lanes)
                excess = minus(inside, middle)
                change = minus(times(excess, load(drops, drop + k, lanes)), times(rise, bend))
                store(flux, k, minus(inside, change))
                twist = load(bends, 2 * (drop + k) + len(lanes), lanes)
                moved = plus(times(excess, bend), times(rise, twist))
                gone_x, gone_y = (
                    minus(times(x, change), times(run, moved)),
                    minus(times(y, change), times(climb, moved)),
                )
                for m in range(moments):
                    here, factor = at + 3 * m * groups + b, spread(flow[p] * harmonics[p, m], lanes)
                    up = here + 2 * groups
                    store(lost, here, plus(load(lost, here, lanes), times(factor, change)))
                    across = plus(load(lost, here + groups, lanes), times(factor, gone_x))
                    store(lost, here + groups, across)
                    store(lost, up, plus(load(lost, up, lanes), times(factor, gone_y)))
