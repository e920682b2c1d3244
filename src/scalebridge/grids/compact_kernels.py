"""Compiled products of compact tangents, K 1x1 + s Idev + g n x n, stored at integration points.

Bytes of tangents are what such a product costs at best: 64 numbers a voxel against some 700 operations. So a
block of voxels, as many as `Lanes` of 64 bytes hold, has its tangents in one piece of memory, 64 lanes in the
order in which they are used, which every field uses while they are in the nearest cache; strains and stresses
of the block are kept in registers, not in rows. See `modal_kernels` for the sums that lead there and back.
"""

from scalebridge.core.compiled import exact_kernel, inlined
from scalebridge.core.lanes import aligned_frame, fetch, load, muladd, spread, store, widened
from scalebridge.grids.modal_kernels import (
    keep_forces,
    modes_of_block,
    pad_strip,
    strains_of_modes,
    strip_of_modes,
    weights,
)
from scalebridge.grids.plane_kernels import aligned_rows, clear_rows

AHEAD = 2
"""How many blocks ahead tangents are brought near.

Between two reads of a stream lie so many operations that few are under way at once. Waited for, they come at
a third of the speed of a copy.
"""


@inlined
def _number(numbers, at, ahead, lanes):
    fetch(numbers, at + ahead)
    return load(numbers, at, lanes)


@inlined
def _stress(xx, yy, zz, yz, xz, xy, bulk, half, third, numbers, at, ahead, lanes):
    """Return the stress at a point of some voxels; shears of the strain are doubled."""
    width = len(lanes)
    s, g = _number(numbers, at, ahead, lanes), _number(numbers, at + width, ahead, lanes)
    n1 = _number(numbers, at + 2 * width, ahead, lanes)
    n2 = _number(numbers, at + 3 * width, ahead, lanes)
    n3 = _number(numbers, at + 4 * width, ahead, lanes)
    n4 = _number(numbers, at + 5 * width, ahead, lanes)
    n5 = _number(numbers, at + 6 * width, ahead, lanes)
    n6 = _number(numbers, at + 7 * width, ahead, lanes)
    normal, shear = muladd(n1, xx, muladd(n2, yy, n3 * zz)), muladd(n4, yz, muladd(n5, xz, n6 * xy))
    along = g * (normal + shear)
    volume = muladd(-third, s, bulk) * ((xx + yy) + zz)
    halved = half * s
    return (
        muladd(along, n1, muladd(s, xx, volume)),
        muladd(along, n2, muladd(s, yy, volume)),
        muladd(along, n3, muladd(s, zz, volume)),
        muladd(along, n4, halved * yz),
        muladd(along, n5, halved * xz),
        muladd(along, n6, halved * xy),
    )


@inlined
def _stresses(strains, bulk, half, third, numbers, at, ahead, lanes):
    """Return stresses as `keep_forces` takes them, of strains as `strains_of_modes` gives them."""
    xx, yy, zz, yz, xz, xy = strains
    step = 8 * len(lanes)
    a = _stress(xx[0], yy[0], zz[0], yz[0], xz[0], xy[0], bulk, half, third, numbers, at, ahead, lanes)
    b = _stress(xx[1], yy[1], zz[0], yz[2], xz[2], xy[1], bulk, half, third, numbers, at + step, ahead, lanes)
    c = _stress(
        xx[2], yy[0], zz[1], yz[4], xz[1], xy[2], bulk, half, third, numbers, at + 2 * step, ahead, lanes
    )
    d = _stress(
        xx[3], yy[1], zz[1], yz[6], xz[3], xy[3], bulk, half, third, numbers, at + 3 * step, ahead, lanes
    )
    e = _stress(
        xx[0], yy[2], zz[2], yz[1], xz[4], xy[4], bulk, half, third, numbers, at + 4 * step, ahead, lanes
    )
    f = _stress(
        xx[1], yy[3], zz[2], yz[3], xz[6], xy[5], bulk, half, third, numbers, at + 5 * step, ahead, lanes
    )
    g = _stress(
        xx[2], yy[2], zz[3], yz[5], xz[5], xy[6], bulk, half, third, numbers, at + 6 * step, ahead, lanes
    )
    h = _stress(
        xx[3], yy[3], zz[3], yz[7], xz[7], xy[7], bulk, half, third, numbers, at + 7 * step, ahead, lanes
    )
    return (
        (a[0] + e[0], b[0] + f[0], c[0] + g[0], d[0] + h[0]),
        (a[1] + c[1], b[1] + d[1], e[1] + g[1], f[1] + h[1]),
        (a[2] + b[2], c[2] + d[2], e[2] + f[2], g[2] + h[2]),
        (a[3], e[3], b[3], f[3], c[3], g[3], d[3], h[3]),
        (a[4], c[4], b[4], d[4], e[4], g[4], f[4], h[4]),
        (a[5], b[5], c[5], d[5], e[5], f[5], g[5], h[5]),
    )


@inlined
def _add_sums(found, sums, at, lanes):
    """Add sums of stresses to lanes of float64."""
    width = len(lanes)
    for c, value in enumerate(found):
        place = at + c * width
        store(sums, place, load(sums, place, lanes) + widened(value))


@inlined
def _mean(m, lanes):
    return (
        spread(m[0], lanes),
        spread(m[1], lanes),
        spread(m[2], lanes),
        spread(m[3], lanes),
        spread(m[4], lanes),
        spread(m[5], lanes),
    )


@exact_kernel
def _layer(nodes, stride, modes, here, there, before, length, blocks, means, g, bulk, numbers, first, sums, lanes):  # fmt: skip  # noqa: E501
    """Lead fields through a strip of a layer of voxels, block by block.

    Args:
        nodes: (fields, 3 room), nodes on the far side, as `pad_strip` writes them.
        stride: of a row of nodes.
        modes: (fields, 12 places), of the nodes on the near side; those of the far side are written.
        here, there: (fields, 12 length), modes of forces, of voxels from place `before` on.
        blocks: of the strip.
        means: (fields, 6), mean strains with doubled shears.
        g, bulk, numbers: as of `compact_products`; bulk and numbers flat.
        first: number of the strip's first block.
        sums: (fields, 6 lanes) or no fields.
    """
    aligned_frame()
    width, kind = len(lanes), numbers.dtype.type
    half, third = spread(kind(0.5), lanes), spread(kind(1 / 3), lanes)
    by, room = weights(g, lanes), nodes.shape[1] // 3
    for block in range(blocks):
        at, place = (first + block) * width, before + block * width
        fetch(bulk, at + AHEAD * width)
        own = load(bulk, at, lanes)
        for f in range(modes.shape[0]):
            to = block * width
            sides = modes_of_block(nodes[f], room, to, stride, modes[f], 12 * to, lanes)
            strains = strains_of_modes(sides, by, _mean(means[f], lanes))
            stresses = _stresses(strains, own, half, third, numbers, 64 * at, AHEAD * 64 * width, lanes)
            found = keep_forces(stresses, by, here[f], there[f], place, length, lanes)
            if sums.shape[0] > 0:
                _add_sums(found, sums[f], 0, lanes)


@exact_kernel
def _first_modes(nodes, room, stride, blocks, modes, lanes):
    for block in range(blocks):
        modes_of_block(nodes, room, block * len(lanes), stride, modes, 12 * block * len(lanes), lanes)


@exact_kernel
def compact_products(start, stop, piece, u, means, g, depth, bulk, numbers, out, edges, sums, lanes):
    """Write forces of compact tangents times the strains of several fields.

    Args:
        start, stop, piece: slab of voxels of the first axis.
        u, out: (fields, x, 3, y, z).
        means: (fields, 6), mean strains xx, yy, zz, doubled yz, xz, xy.
        g: inverse spacings.
        depth: rows of voxels of a strip, see `strips`.
        bulk: (strips, x, blocks, lanes), bulk moduli.
        numbers: (strips, x, blocks, 8 points, 8, lanes), tangents, as `stretches_of_tangents` writes them.
        edges: (pieces, fields, 3, y, z): what a slab adds to the next one's first nodes.
        sums: (pieces, fields, 6, lanes), sums of the stresses, written; no fields where they are not wanted.
        lanes: see `lanes_of_width`.
    """
    fields, nodes_x, _, count_y, count_z = u.shape
    width, stride = len(lanes), count_z + 1
    blocks, before = numbers.shape[2], -(-stride // width) * width
    room = aligned_rows(3, blocks * width + before + width, u)
    length = before + room.shape[1]
    flat_nodes = aligned_rows(3 * fields, room.shape[1], u).reshape((fields, 3 * room.shape[1]))
    nodes = flat_nodes.reshape((fields, 3, room.shape[1]))
    modes, forces = aligned_rows(fields, 12 * blocks * width, u), aligned_rows(24 * fields, length, u)
    flat, flat_bulk, total = (
        numbers.reshape(-1),
        bulk.reshape(-1),
        sums[piece].reshape((sums.shape[1], 6 * width)),
    )
    carried = forces.reshape((2, fields, 12 * length))
    rows_of = forces.reshape((2, fields, 12, length))
    for strip in range(numbers.shape[0]):
        row = strip * depth
        count = min(depth, count_y - row)
        clear_rows(forces)
        for f in range(fields):
            pad_strip(u[f, start], row, count, nodes[f])
            _first_modes(nodes[f].reshape(-1), room.shape[1], stride, blocks, modes[f], lanes)
        for i in range(start, stop):
            near, far = i % 2, (i + 1) % 2
            for f in range(fields):
                pad_strip(u[f, (i + 1) % nodes_x], row, count, nodes[f])
            first = (strip * nodes_x + i) * blocks
            _layer(flat_nodes, stride, modes, carried[near], carried[far], before, length, blocks, means, g, flat_bulk, flat, first, total, lanes)  # fmt: skip  # noqa: E501
            for f in range(fields):
                strip_of_modes(rows_of[near, f], before, row, count, room, out[f, i], lanes)
        for f in range(fields):
            strip_of_modes(rows_of[stop % 2, f], before, row, count, room, edges[piece, f], lanes)
