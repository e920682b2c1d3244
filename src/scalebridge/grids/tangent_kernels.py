"""Compiled products of tangents that are stored at integration points, several fields in one pass over them.

Three ways to keep a tangent at a point: compact, K 1x1 + s Idev + g n x n, eight numbers (s, g, n) and a bulk
modulus a phase; the upper triangle, 21 (or 45 of a nominal stress by a gradient); the whole, 36 (81). Phases
that own no points have their numbers once. Products read them by stretches of voxels, in the order of memory.
Here are the products of the last two; gradients and forces are those of `grids/plane_kernels.py`. Products of
compact ones are in `grids/compact_kernels.py`.
"""

import numpy as np

from scalebridge.core.compiled import kernel, row_kernel
from scalebridge.core.vectors import copy_row
from scalebridge.grids.plane_kernels import (
    add_forces_at,
    aligned_rows,
    clear_rows,
    copy_run,
    gradients_at,
    pad_planes,
    plane_length,
    unpad_planes,
)
from scalebridge.grids.point_kernels import add_means, places


@row_kernel
def _fill_run(value, target, to, count):
    first = np.uintp(to)
    for k in range(np.uintp(count)):
        target[first + k] = value


@kernel
def _gather(numbers, table, run, at, first, counts, bulks, rows, bulk):
    """Write a run's numbers to the stretches (stretches, 8 points, numbers, voxels), from place `at` on."""
    z0, z1, phase, slot = run[0], run[1], run[2], run[3]
    stride, size, length = 8 * counts[phase], rows.shape[2], rows.shape[3]
    while z0 < z1:
        part, k = at // length, at % length
        step = min(z1 - z0, length - k)
        for point in range(8):
            place = size * first[phase] + point * counts[phase] + slot
            for n in range(size):
                if first[phase] >= 0:
                    copy_run(numbers, place + n * stride, rows[part, point, n], k, step)
                else:
                    _fill_run(table[phase, n], rows[part, point, n], k, step)
        if bulks.size > 0:
            _fill_run(bulks[phase], bulk[part], k, step)
        z0, slot, at = z0 + step, slot + step, at + step


@kernel
def stretches_of_tangents(start, stop, piece, count_y, count_z, depth, starts, runs, first, counts, table, numbers, bulks, rows, bulk):  # fmt: skip  # noqa: E501
    """Write the numbers of all points by stretches of voxels: one stream of memory in the products' order.

    Phase by phase a row's numbers lie in 64 places and more, which takes far longer to read than to use; a
    tangent is read some fifty times. Places between rows, and behind the last one, stay zero: no stress.

    Args:
        start, stop, piece: slab of voxels of the first axis.
        count_y, count_z: voxels of a plane.
        depth: rows of voxels of a strip.
        starts, runs, first, counts: see `PointLayout`.
        table: (phases, numbers), of phases without points.
        numbers: (numbers x points,), phase by phase (number, point).
        bulks: (phases,), or none.
        rows: (strips, x, stretches, 8 points, numbers, voxels), zero; written.
        bulk: (strips, x, stretches, voxels), zero; written where there are bulks.
    """
    for i in range(start, stop):
        for j in range(count_y):
            row, at, strip = i * count_y + j, j % depth * (count_z + 1), j // depth
            for n in range(starts[row], starts[row + 1]):
                _gather(
                    numbers,
                    table,
                    runs[n],
                    at + runs[n, 0],
                    first,
                    counts,
                    bulks,
                    rows[strip, i],
                    bulk[strip, i],
                )


@row_kernel
def _add_three(a, b, c, x, y, z, out):
    for k in range(out.size):
        out[k] += a[k] * x[k] + b[k] * y[k] + c[k] * z[k]


@row_kernel
def _add_two_rows(a, b, out):
    for k in range(out.size):
        out[k] = a[k] + b[k]


@row_kernel
def _add_row(a, out):
    for k in range(out.size):
        out[k] += a[k]


@kernel
def _point_strain(rows, x, y, z, e):
    """Rows of strain with doubled shears (6) or of gradient (9) at a point."""
    if e.shape[0] == 9:
        for c in range(3):
            copy_row(rows[12 * c + x], e[3 * c])
            copy_row(rows[12 * c + 4 + y], e[3 * c + 1])
            copy_row(rows[12 * c + 8 + z], e[3 * c + 2])
        return
    copy_row(rows[x], e[0])
    copy_row(rows[16 + y], e[1])
    copy_row(rows[32 + z], e[2])
    _add_two_rows(rows[20 + z], rows[28 + y], e[3])
    _add_two_rows(rows[8 + z], rows[24 + x], e[4])
    _add_two_rows(rows[4 + y], rows[12 + x], e[5])


@kernel
def _point_duals(s, x, y, z, duals):
    """Add rows of stress of a point to the duals."""
    if s.shape[0] == 9:
        for c in range(3):
            _add_row(s[3 * c], duals[12 * c + x])
            _add_row(s[3 * c + 1], duals[12 * c + 4 + y])
            _add_row(s[3 * c + 2], duals[12 * c + 8 + z])
        return
    _add_row(s[0], duals[x])
    _add_row(s[1], duals[16 + y])
    _add_row(s[2], duals[32 + z])
    _add_row(s[3], duals[20 + z])
    _add_row(s[3], duals[28 + y])
    _add_row(s[4], duals[8 + z])
    _add_row(s[4], duals[24 + x])
    _add_row(s[5], duals[4 + y])
    _add_row(s[5], duals[12 + x])


@kernel
def _full_points(rows, place, numbers, e, s, duals):
    for point in range(8):
        x, y, z = places(point)
        t = numbers[point]
        _point_strain(rows, x, y, z, e)
        clear_rows(s)
        for a in range(place.shape[0]):
            for b in range(0, place.shape[0], 3):
                _add_three(
                    t[place[a, b]], t[place[a, b + 1]], t[place[a, b + 2]], e[b], e[b + 1], e[b + 2], s[a]
                )
        _point_duals(s, x, y, z, duals)


@kernel
def full_products(start, stop, piece, u, means, g, place, numbers, out, edges, sums):  # fmt: skip
    """Write forces of tangents kept as an upper triangle or whole, times the strains of several fields.

    Args:
        start, stop, piece: slab of voxels of the first axis.
        u, out: (fields, x, 3, y, z).
        means: (fields, 9), mean gradients.
        g: inverse spacings.
        place: (6, 6) or (9, 9), where among a point's numbers an entry is; its transpose gives the product
            with the transposed tangents.
        numbers: (x, stretches, 8 points, numbers, voxels), tangents, as `stretches_of_tangents` writes them.
        edges: (pieces, fields, 3, y, z): what a slab adds to the next one's first nodes.
        sums: (pieces, fields, 9), or no fields where they are not wanted: sums of the stresses, written.
    """
    fields, nodes_x, _, count_y, count_z = u.shape
    parts, voxels, stride = numbers.shape[1], numbers.shape[4], count_z + 1
    room, rows, duals = aligned_rows(8, voxels, u), aligned_rows(36, voxels, u), aligned_rows(36, voxels, u)
    e, s = aligned_rows(place.shape[0], voxels, u), aligned_rows(place.shape[0], voxels, u)
    length = plane_length(count_y, count_z, parts * voxels)
    planes, carry = np.zeros((2, fields, 3, length), u.dtype), np.zeros((2, fields, 3, length), u.dtype)
    for f in range(fields):
        pad_planes(u[f, start], planes[start % 2, f])
    for i in range(start, stop):
        low, high, here, following = planes[i % 2], planes[(i + 1) % 2], carry[i % 2], carry[(i + 1) % 2]
        for f in range(fields):
            pad_planes(u[f, (i + 1) % nodes_x], high[f])
            clear_rows(following[f])
        for part in range(parts):
            for f in range(fields):
                gradients_at(low[f], high[f], part * voxels, stride, g, means[f], rows)
                clear_rows(duals)
                _full_points(rows, place, numbers[i, part], e, s, duals)
                add_forces_at(duals, part * voxels, stride, g, room, here[f], following[f])
                if sums.shape[1] > 0:
                    add_means(duals, sums[piece, f])
        for f in range(fields):
            unpad_planes(here[f], out[f, i])
    for f in range(fields):
        unpad_planes(carry[stop % 2, f], edges[piece, f])
