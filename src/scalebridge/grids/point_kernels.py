"""Compiled loops over the eight integration points of trilinear hexahedra, a row of voxels at a time.

The derivative of a trilinear field along an axis does not depend on the place along that axis. So of a
component three derivatives at four places each, twelve rows of numbers, make the gradients at all eight
points (two a direction, at +-1/sqrt(12) of the voxel's edge). The same twelve rows carry the forces back.

Rows run along z. In x and y the four rows of nodes of a row of voxels are folded into eight a component: the
derivative by x at two places of y, by y at two places of x, and the value at four places of x and y. Planes
are (component, y, z), fields (x, component, y, z) on a box that repeats along every axis. The weight of a
point is 1/8: a voxel counts as one, and the stiffness is that of `grids/elastic_kernels.py`.
"""

import numpy as np

from scalebridge.core.compiled import kernel, row_kernel

NEAR = 0.5 + 0.5 / np.sqrt(3.0)
FAR = 0.5 - 0.5 / np.sqrt(3.0)


@row_kernel
def _fold(low, high, j, j1, count, p, q, gx, gy, gz, x0, x1, y0, y1, z00, z01, z10, z11):
    """Derivatives by x and y, and values over the spacing of z, at the places of the points in x and y.

    Args:
        p, q: weights of the near and of the far node.
        gx, gy, gz: inverse spacings.
    """
    for z in range(count):
        a, b, c, d = low[j, z], low[j1, z], high[j, z], high[j1, z]
        x0[z], x1[z] = gx * (p * (c - a) + q * (d - b)), gx * (q * (c - a) + p * (d - b))
        y0[z], y1[z] = gy * (p * (b - a) + q * (d - c)), gy * (q * (b - a) + p * (d - c))
        near, near1 = gz * (p * a + q * b), gz * (q * a + p * b)
        far, far1 = gz * (p * c + q * d), gz * (q * c + p * d)
        z00[z], z01[z] = p * near + q * far, p * near1 + q * far1
        z10[z], z11[z] = q * near + p * far, q * near1 + p * far1


@row_kernel
def _along(m, count, p, q, mean, first, second):
    """Values of a row of nodes at the two places in z, plus a mean."""
    for z in range(count):
        first[z] = p * m[z] + q * m[z + 1] + mean
        second[z] = q * m[z] + p * m[z + 1] + mean


@row_kernel
def _difference(m, count, mean, out):
    for z in range(count):
        out[z] = m[z + 1] - m[z] + mean


@kernel
def row_gradients(low, high, j, j1, g, mean, m, gradients):
    """Gradients of a row of voxels, (36, voxels): component, derivative, one of four places.

    Args:
        low, high: planes of nodes on either side, (3, y, z).
        j, j1: rows of nodes on either side.
        g: inverse spacings.
        mean: (9,), added to the gradients, row by row.
        m: (8, nodes + 1), room.
        gradients: written; places are (y, z) of derivatives by x, (x, z) by y, (x, y) by z, 2 first + last.
    """
    count = low.shape[2]
    p, q = low.dtype.type(NEAR), low.dtype.type(FAR)
    for c in range(3):
        _fold(low[c], high[c], j, j1, count, p, q, g[0], g[1], g[2], m[0], m[1], m[2], m[3], m[4], m[5], m[6], m[7])  # fmt: skip  # noqa: E501
        for row in range(8):
            m[row, count] = m[row, 0]
        for row in range(4):
            d, place = 3 * c + row // 2, 4 * (3 * c + row // 2) + 2 * (row % 2)
            _along(m[row], count, p, q, mean[d], gradients[place], gradients[place + 1])
        for row in range(4):
            _difference(m[4 + row], count, mean[3 * c + 2], gradients[4 * (3 * c + 2) + row])


@row_kernel
def _along_back(first, second, count, p, q, m):
    for z in range(count):
        m[z] = p * first[z] + q * second[z]
    m[count] = 0
    for z in range(count):
        m[z + 1] += q * first[z] + p * second[z]
    m[0] += m[count]


@row_kernel
def _difference_back(dual, count, weight, m):
    for z in range(count):
        m[z] = -weight * dual[z]
    m[count] = 0
    for z in range(count):
        m[z + 1] += weight * dual[z]
    m[0] += m[count]


@row_kernel
def _unfold(low, high, j, j1, count, p, q, gx, gy, gz, x0, x1, y0, y1, z00, z01, z10, z11):
    """Add what `_fold` reads off the nodes back to them."""
    for z in range(count):
        xa, xb = gx * (p * x0[z] + q * x1[z]), gx * (q * x0[z] + p * x1[z])
        ya, yb = gy * (p * y0[z] + q * y1[z]), gy * (q * y0[z] + p * y1[z])
        near, near1 = gz * (p * z00[z] + q * z10[z]), gz * (p * z01[z] + q * z11[z])
        far, far1 = gz * (q * z00[z] + p * z10[z]), gz * (q * z01[z] + p * z11[z])
        low[j, z] += p * near + q * near1 - xa - ya
        low[j1, z] += q * near + p * near1 - xb + ya
        high[j, z] += p * far + q * far1 + xa - yb
        high[j1, z] += q * far + p * far1 + xb + yb


@kernel
def add_row_forces(duals, j, j1, g, m, low, high):
    """Add the forces of a row of voxels to the planes of nodes on either side.

    Args:
        duals: (36, voxels), sums of stresses over the points that share a place, as `row_gradients` has them.
        j, j1, g, m: as there.
        low, high: planes of forces.
    """
    count = low.shape[2]
    eighth = low.dtype.type(0.125)
    p, q = low.dtype.type(NEAR), low.dtype.type(FAR)
    for c in range(3):
        for row in range(4):
            place = 4 * (3 * c + row // 2) + 2 * (row % 2)
            _along_back(duals[place], duals[place + 1], count, eighth * p, eighth * q, m[row])
        for row in range(4):
            _difference_back(duals[4 * (3 * c + 2) + row], count, eighth, m[4 + row])
        _unfold(low[c], high[c], j, j1, count, p, q, g[0], g[1], g[2], m[0], m[1], m[2], m[3], m[4], m[5], m[6], m[7])  # fmt: skip  # noqa: E501


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
def copy_planes(source, target):
    """Write one set of planes over another, plane by plane."""
    for c in range(source.shape[0]):
        for j in range(source.shape[1]):
            for z in range(source.shape[2]):
                target[c, j, z] = source[c, j, z]


@kernel
def places(point):
    """Rows of `row_gradients` from which the derivatives of a point by x, y and z come."""
    a, b, c = point // 4, point // 2 % 2, point % 2
    return 2 * b + c, 2 * a + c, 2 * a + b


@row_kernel
def _keep(source, target):
    for k in range(target.size):
        target[k] = source[k]


@row_kernel
def _keep_shear(first, second, scale, target):
    for k in range(target.size):
        target[k] = scale * (first[k] + second[k])


@kernel
def _keep_strain(rows, z0, z1, x, y, z, at, stride, root, out):
    """Write the strain of a run of voxels at a point, Mandel notation."""
    length = z1 - z0
    _keep(rows[x, z0:z1], out[at : at + length])
    _keep(rows[16 + y, z0:z1], out[at + stride : at + stride + length])
    _keep(rows[32 + z, z0:z1], out[at + 2 * stride : at + 2 * stride + length])
    _keep_shear(
        rows[20 + z, z0:z1], rows[28 + y, z0:z1], root, out[at + 3 * stride : at + 3 * stride + length]
    )
    _keep_shear(
        rows[8 + z, z0:z1], rows[24 + x, z0:z1], root, out[at + 4 * stride : at + 4 * stride + length]
    )
    _keep_shear(
        rows[4 + y, z0:z1], rows[12 + x, z0:z1], root, out[at + 5 * stride : at + 5 * stride + length]
    )


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
    m, rows = np.zeros((8, count_z + 1)), np.zeros((36, count_z))
    root = np.sqrt(0.5)
    for i in range(start, stop):
        low, high = u[i], u[(i + 1) % nodes_x]
        for j in range(count_y):
            row = i * count_y + j
            row_gradients(low, high, j, (j + 1) % count_y, g, mean, m, rows)
            for run in range(starts[row], starts[row + 1]):
                z0, z1, phase, slot = runs[run, 0], runs[run, 1], runs[run, 2], runs[run, 3]
                if first[phase] < 0:
                    continue
                stride = 8 * counts[phase]
                for point in range(8):
                    x, y, z = places(point)
                    at = components * first[phase] + point * counts[phase] + slot
                    if components == 6:
                        _keep_strain(rows, z0, z1, x, y, z, at, stride, root, out)
                        continue
                    for c in range(3):
                        to = at + 3 * c * stride
                        _keep(rows[12 * c + x, z0:z1], out[to : to + z1 - z0])
                        _keep(rows[12 * c + 4 + y, z0:z1], out[to + stride : to + stride + z1 - z0])
                        _keep(rows[12 * c + 8 + z, z0:z1], out[to + 2 * stride : to + 2 * stride + z1 - z0])


@kernel
def _elastic_stress(rows, x, y, z, k, table, phase, s):
    """Plain stress of a voxel of an elastic phase at a point, from 21 numbers."""
    e = (
        rows[x, k],
        rows[16 + y, k],
        rows[32 + z, k],
        rows[20 + z, k] + rows[28 + y, k],
        rows[8 + z, k] + rows[24 + x, k],
        rows[4 + y, k] + rows[12 + x, k],
    )
    for a in range(6):
        s[a] = 0.0
    n = 0
    for a in range(6):
        for b in range(a, 6):
            s[a] += table[phase, n] * e[b]
            if b > a:
                s[b] += table[phase, n] * e[a]
            n += 1


@row_kernel
def _add(source, scale, target):
    for k in range(target.size):
        target[k] += scale * source[k]


@row_kernel
def _square(source, weight):
    total = 0.0
    for k in range(source.size):
        total += source[k] * source[k]
    return weight * total


@row_kernel
def _trace_square(a, b, c):
    total = 0.0
    for k in range(a.size):
        trace = a[k] + b[k] + c[k]
        total += trace * trace
    return total


@kernel
def _spread_symmetric(s, z0, z1, x, y, z, squares, duals):
    """Add a run's symmetric stress at a point, Mandel rows, to the duals; its squares to two sums."""
    root = np.sqrt(0.5)
    _add(s[0], 1.0, duals[x, z0:z1])
    _add(s[1], 1.0, duals[16 + y, z0:z1])
    _add(s[2], 1.0, duals[32 + z, z0:z1])
    _add(s[3], root, duals[20 + z, z0:z1])
    _add(s[3], root, duals[28 + y, z0:z1])
    _add(s[4], root, duals[8 + z, z0:z1])
    _add(s[4], root, duals[24 + x, z0:z1])
    _add(s[5], root, duals[4 + y, z0:z1])
    _add(s[5], root, duals[12 + x, z0:z1])
    squares[0] += 0.125 * _trace_square(s[0], s[1], s[2])
    for c in range(6):
        squares[1] += _square(s[c], 0.125)


@kernel
def _spread_nominal(s, z0, z1, x, y, z, squares, duals):
    for c in range(3):
        _add(s[3 * c], 1.0, duals[12 * c + x, z0:z1])
        _add(s[3 * c + 1], 1.0, duals[12 * c + 4 + y, z0:z1])
        _add(s[3 * c + 2], 1.0, duals[12 * c + 8 + z, z0:z1])
    squares[0] += 0.125 * _trace_square(s[0], s[4], s[8])
    for c in range(9):
        squares[1] += _square(s[c], 0.125)


@kernel
def _elastic_run(rows, z0, z1, x, y, z, table, s):
    """Stress of a run of an elastic phase at a point, Mandel rows, from 21 numbers."""
    root = np.sqrt(0.5)
    s[:] = 0
    e = s[6:, : z1 - z0]
    _add(rows[x, z0:z1], 1.0, e[0])
    _add(rows[16 + y, z0:z1], 1.0, e[1])
    _add(rows[32 + z, z0:z1], 1.0, e[2])
    _keep_shear(rows[20 + z, z0:z1], rows[28 + y, z0:z1], root, e[3])
    _keep_shear(rows[8 + z, z0:z1], rows[24 + x, z0:z1], root, e[4])
    _keep_shear(rows[4 + y, z0:z1], rows[12 + x, z0:z1], root, e[5])
    n = 0
    for a in range(6):
        for b in range(a, 6):
            _add(e[b], table[n], s[a, : z1 - z0])
            if b > a:
                _add(e[a], table[n], s[b, : z1 - z0])
            n += 1


@kernel
def _row_stress(rows, stress, point, run, first, counts, elastic, components, s, squares, duals):
    """Add the stress of a run of voxels at a point to the duals, and its squares to two sums."""
    z0, z1, phase, slot = run[0], run[1], run[2], run[3]
    x, y, z = places(point)
    if first[phase] < 0:
        _elastic_run(rows, z0, z1, x, y, z, elastic[phase], s)
    else:
        stride = 8 * counts[phase]
        at = components * first[phase] + point * counts[phase] + slot
        for c in range(components):
            _keep(stress[at + c * stride : at + c * stride + z1 - z0], s[c, : z1 - z0])
    if components == 9:
        _spread_nominal(s[:, : z1 - z0], z0, z1, x, y, z, squares, duals)
    else:
        _spread_symmetric(s[:, : z1 - z0], z0, z1, x, y, z, squares, duals)


@kernel
def forces_of_stress(start, stop, piece, u, mean, g, starts, runs, first, counts, elastic, components, stress, out, edges):  # fmt: skip  # noqa: E501
    """Write the forces of stresses that are known at points, and of elastic phases from their strain.

    Args:
        start, stop, piece, u, mean, g, starts, runs, first, counts: as of `strains_at_points`.
        elastic: (phases, 21) stiffness of phases that own no points, Mandel.
        components: 6 or 9.
        stress: (components x points,), phase by phase (component, point).
        out: (x, 3, y, z) forces.
        edges: (pieces, 3, y, z): what a slab adds to the next one's first nodes.

    Returns:
        sums over the voxels of the nine components of the stress, of its trace squared and of its square.
    """
    nodes_x, _, count_y, count_z = u.shape
    m, rows, duals = np.zeros((8, count_z + 1)), np.zeros((36, count_z)), np.zeros((36, count_z))
    carry, sums, s = np.zeros((2, 3, count_y, count_z)), np.zeros(9), np.zeros((12, count_z))
    squares = np.zeros(2)
    for i in range(start, stop):
        here, following = carry[(i - start) % 2], carry[(i - start + 1) % 2]
        following[:] = 0
        low, high = u[i], u[(i + 1) % nodes_x]
        for j in range(count_y):
            row, j1 = i * count_y + j, (j + 1) % count_y
            duals[:] = 0
            row_gradients(low, high, j, j1, g, mean, m, rows)
            for run in range(starts[row], starts[row + 1]):
                for point in range(8):
                    _row_stress(rows, stress, point, runs[run], first, counts, elastic, components, s, squares, duals)  # fmt: skip  # noqa: E501
            add_row_forces(duals, j, j1, g, m, here, following)
            add_means(duals, sums)
        copy_planes(here, out[i])
    copy_planes(carry[(stop - start) % 2], edges[piece])
    return sums, squares
