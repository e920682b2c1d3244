"""Compiled loops over the eight integration points of trilinear hexahedra: strains there, forces of stresses.

Numbers of points lie phase by phase (see `point_layout`), gradients and forces by stretches of a padded plane
(see `plane_kernels`). A run of voxels of one phase is a run of memory in both.
"""

import numpy as np

from scalebridge.core.compiled import kernel, row_kernel
from scalebridge.grids.plane_kernels import (
    add_forces_at,
    add_to,
    aligned_rows,
    clear_rows,
    copy_run,
    gradients_at,
    pad_planes,
    plane_length,
    unpad_planes,
)


@row_kernel
def _sum_row(values):
    total = values.dtype.type(0)
    for z in range(values.size):
        total += values[z]
    return total


@kernel
def add_means(duals, sums):
    """Add a row's stresses, summed over its points, to the nine sums."""
    for d in range(9):
        for place in range(4):
            sums[d] += 0.125 * _sum_row(duals[4 * d + place])


@kernel
def places(point):
    """Rows of `gradients_at` from which the derivatives of a point by x, y and z come."""
    a, b, c = point // 4, point // 2 % 2, point % 2
    return 2 * b + c, 2 * a + c, 2 * a + b


@row_kernel
def _scaled_sum(a, b, at, scale, target, to, count):
    first, second = np.uintp(at), np.uintp(to)
    for k in range(np.uintp(count)):
        target[second + k] = scale * (a[first + k] + b[first + k])


@kernel
def _keep_strain(rows, z0, z1, x, y, z, at, apart, out):
    """Write the strain of a run of voxels at a point, Mandel notation."""
    root, count = np.sqrt(0.5), z1 - z0
    copy_run(rows[x], z0, out, at, count)
    copy_run(rows[16 + y], z0, out, at + apart, count)
    copy_run(rows[32 + z], z0, out, at + 2 * apart, count)
    _scaled_sum(rows[20 + z], rows[28 + y], z0, root, out, at + 3 * apart, count)
    _scaled_sum(rows[8 + z], rows[24 + x], z0, root, out, at + 4 * apart, count)
    _scaled_sum(rows[4 + y], rows[12 + x], z0, root, out, at + 5 * apart, count)


@kernel
def _keep_gradient(rows, z0, z1, x, y, z, at, apart, out):
    for c in range(3):
        copy_run(rows[12 * c + x], z0, out, at + 3 * c * apart, z1 - z0)
        copy_run(rows[12 * c + 4 + y], z0, out, at + (3 * c + 1) * apart, z1 - z0)
        copy_run(rows[12 * c + 8 + z], z0, out, at + (3 * c + 2) * apart, z1 - z0)


@kernel
def strains_at_points(start, stop, piece, u, mean, g, starts, runs, first, counts, components, out):
    """Write the strains (Mandel) or the gradients at the points of the voxels that own points.

    Args:
        start, stop, piece: slab of voxels of the first axis.
        u: (x, 3, y, z) fluctuation.
        mean: (9,) mean gradient.
        g: inverse spacings.
        starts, runs, first, counts: see `PointLayout`.
        components: 6 or 9.
        out: (components x points,), phase by phase (component, point).
    """
    nodes_x, _, count_y, count_z = u.shape
    rows, stride = np.zeros((36, count_z)), count_z + 1
    planes = np.zeros((2, 3, plane_length(count_y, count_z, count_y * stride)))
    pad_planes(u[start], planes[start % 2])
    for i in range(start, stop):
        low, high = planes[i % 2], planes[(i + 1) % 2]
        pad_planes(u[(i + 1) % nodes_x], high)
        for j in range(count_y):
            row = i * count_y + j
            gradients_at(low, high, j * stride, stride, g, mean, rows)
            for run in range(starts[row], starts[row + 1]):
                z0, z1, phase, slot = runs[run, 0], runs[run, 1], runs[run, 2], runs[run, 3]
                if first[phase] < 0:
                    continue
                apart = 8 * counts[phase]
                for point in range(8):
                    x, y, z = places(point)
                    at = components * first[phase] + point * counts[phase] + slot
                    if components == 6:
                        _keep_strain(rows, z0, z1, x, y, z, at, apart, out)
                    else:
                        _keep_gradient(rows, z0, z1, x, y, z, at, apart, out)


@row_kernel
def _add_scaled(source, scale, target):
    for k in range(target.size):
        target[k] += scale * source[k]


@row_kernel
def _sum_of_squares(a):
    total = 0.0
    for k in range(a.size):
        total += a[k] * a[k]
    return total


@row_kernel
def _sum_of_traces(a, b, c):
    """Sum of the squares of the traces."""
    total = 0.0
    for k in range(a.size):
        trace = a[k] + b[k] + c[k]
        total += trace * trace
    return total


@kernel
def _measure(s, squares):
    """Add the trace squared and the square of a stretch's stress to two sums."""
    second, third = (1, 2) if s.shape[0] == 6 else (4, 8)
    squares[0] += 0.125 * _sum_of_traces(s[0], s[second], s[third])
    for c in range(s.shape[0]):
        squares[1] += 0.125 * _sum_of_squares(s[c])


@kernel
def _spread_symmetric(s, x, y, z, duals):
    """Add a stretch's symmetric stress at a point, Mandel rows, to the duals."""
    root = np.sqrt(0.5)
    add_to(s[0], duals[x])
    add_to(s[1], duals[16 + y])
    add_to(s[2], duals[32 + z])
    _add_scaled(s[3], root, duals[20 + z])
    _add_scaled(s[3], root, duals[28 + y])
    _add_scaled(s[4], root, duals[8 + z])
    _add_scaled(s[4], root, duals[24 + x])
    _add_scaled(s[5], root, duals[4 + y])
    _add_scaled(s[5], root, duals[12 + x])


@kernel
def _spread_nominal(s, x, y, z, duals):
    for c in range(3):
        add_to(s[3 * c], duals[12 * c + x])
        add_to(s[3 * c + 1], duals[12 * c + 4 + y])
        add_to(s[3 * c + 2], duals[12 * c + 8 + z])


@row_kernel
def _elastic(xx, yy, zz, yz, zy, xz, zx, xy, yx, c, s1, s2, s3, s4, s5, s6):
    """Stress of a linear phase, Mandel rows, of gradients; c: (21,) upper triangle."""
    root = np.sqrt(0.5)
    for k in range(s1.size):
        e1, e2, e3 = xx[k], yy[k], zz[k]
        e4, e5, e6 = root * (yz[k] + zy[k]), root * (xz[k] + zx[k]), root * (xy[k] + yx[k])
        s1[k] = c[0] * e1 + c[1] * e2 + c[2] * e3 + c[3] * e4 + c[4] * e5 + c[5] * e6
        s2[k] = c[1] * e1 + c[6] * e2 + c[7] * e3 + c[8] * e4 + c[9] * e5 + c[10] * e6
        s3[k] = c[2] * e1 + c[7] * e2 + c[11] * e3 + c[12] * e4 + c[13] * e5 + c[14] * e6
        s4[k] = c[3] * e1 + c[8] * e2 + c[12] * e3 + c[15] * e4 + c[16] * e5 + c[17] * e6
        s5[k] = c[4] * e1 + c[9] * e2 + c[13] * e3 + c[16] * e4 + c[18] * e5 + c[19] * e6
        s6[k] = c[5] * e1 + c[10] * e2 + c[14] * e3 + c[17] * e4 + c[19] * e5 + c[20] * e6


@kernel
def _run_stress(rows, stress, point, low, high, phase, slot, first, counts, elastic, s):
    """Write the stress of a run of voxels at a point to the places `low` to `high` of a stretch."""
    if first[phase] < 0:
        x, y, z = places(point)
        y, yy, yz, z, zy, zz = 4 + y, 16 + y, 28 + y, 8 + z, 20 + z, 32 + z  # derivatives by y and z
        _elastic(rows[x, low:high], rows[yy, low:high], rows[zz, low:high], rows[zy, low:high], rows[yz, low:high], rows[z, low:high], rows[24 + x, low:high], rows[y, low:high], rows[12 + x, low:high], elastic[phase], s[0, low:high], s[1, low:high], s[2, low:high], s[3, low:high], s[4, low:high], s[5, low:high])  # fmt: skip  # noqa: E501
        return
    at = s.shape[0] * first[phase] + point * counts[phase] + slot
    for c in range(s.shape[0]):
        copy_run(stress, at + 8 * counts[phase] * c, s[c], low, high - low)


@kernel
def _stretch_stress(rows, stress, point, begin, rows_before, count_y, stride, starts, runs, first, counts, elastic, s):  # fmt: skip  # noqa: E501
    """Write the stresses of a stretch of voxels at a point; between rows of voxels they stay as they are."""
    end = begin + s.shape[1]
    for j in range(begin // stride, min(count_y, (end - 1) // stride + 1)):
        row, at = rows_before + j, j * stride
        for run in range(starts[row], starts[row + 1]):
            low, high = max(begin, at + runs[run, 0]), min(end, at + runs[run, 1])
            if low < high:
                slot = runs[run, 3] + low - at - runs[run, 0]
                _run_stress(rows, stress, point, low - begin, high - begin, runs[run, 2], slot, first, counts, elastic, s)  # fmt: skip  # noqa: E501


@kernel
def forces_of_stress(start, stop, piece, u, mean, g, starts, runs, first, counts, elastic, components, parts, voxels, stress, out, edges):  # fmt: skip  # noqa: E501
    """Write the forces of stresses that are known at points, and of elastic phases from their strain.

    Args:
        start, stop, piece, u, mean, g, starts, runs, first, counts: as of `strains_at_points`.
        elastic: (phases, 21) stiffness of phases that own no points, Mandel.
        components: 6 or 9.
        parts, voxels: see `stretches`.
        stress: (components x points,), phase by phase (component, point).
        out: (x, 3, y, z) forces.
        edges: (pieces, 3, y, z): what a slab adds to the next one's first nodes.

    Returns:
        sums over the voxels of the nine components of the stress, of its trace squared and of its square.
    """
    nodes_x, _, count_y, count_z = u.shape
    room, rows, duals = aligned_rows(8, voxels, u), aligned_rows(36, voxels, u), aligned_rows(36, voxels, u)
    s, stride, length = aligned_rows(components, voxels, u), count_z + 1, plane_length(count_y, count_z, parts * voxels)  # fmt: skip  # noqa: E501
    planes, carry, sums, squares = (
        np.zeros((2, 3, length)),
        np.zeros((2, 3, length)),
        np.zeros(9),
        np.zeros(2),
    )
    linear = min(first) < 0  # else no stress is worked out from a gradient here
    pad_planes(u[start], planes[start % 2])
    for i in range(start, stop):
        low, high, here, following = planes[i % 2], planes[(i + 1) % 2], carry[i % 2], carry[(i + 1) % 2]
        clear_rows(following)
        pad_planes(u[(i + 1) % nodes_x], high)
        for part in range(parts):
            at = part * voxels
            clear_rows(duals)
            clear_rows(s)
            if linear:
                gradients_at(low, high, at, stride, g, mean, rows)
            for point in range(8):
                x, y, z = places(point)
                _stretch_stress(rows, stress, point, at, i * count_y, count_y, stride, starts, runs, first, counts, elastic, s)  # fmt: skip  # noqa: E501
                _measure(s, squares)
                if components == 9:
                    _spread_nominal(s, x, y, z, duals)
                else:
                    _spread_symmetric(s, x, y, z, duals)
            add_forces_at(duals, at, stride, g, room, here, following)
            add_means(duals, sums)
        unpad_planes(here, out[i])
    unpad_planes(carry[stop % 2], edges[piece])
    return sums, squares
