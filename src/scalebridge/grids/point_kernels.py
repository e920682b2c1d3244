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
    # One pass: a second one would read across what the first has just stored, which stalls.
    m[0] = p * first[0] + q * second[0] + q * first[count - 1] + p * second[count - 1]
    for z in range(count - 1):
        m[z + 1] = p * first[z + 1] + q * second[z + 1] + q * first[z] + p * second[z]


@row_kernel
def _difference_back(dual, count, weight, m):
    m[0] = weight * (dual[count - 1] - dual[0])
    for z in range(count - 1):
        m[z + 1] = weight * (dual[z] - dual[z + 1])


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
def clear_rows(rows):
    """Zero rows. Assigned as a whole it compiles a second longer."""
    for row in range(rows.shape[0]):
        for k in range(rows.shape[1]):
            rows[row, k] = 0


@kernel
def clear_planes(planes):
    """Zero planes (..., y, z) of three axes."""
    for c in range(planes.shape[0]):
        clear_rows(planes[c])


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


@kernel
def _keep(rows, row, z0, z1, out, at):
    """Copy a run of a row to a flat array."""
    for k in range(z1 - z0):
        out[at + k] = rows[row, z0 + k]


@kernel
def _keep_shear(rows, first, second, z0, z1, scale, out, at):
    for k in range(z1 - z0):
        out[at + k] = scale * (rows[first, z0 + k] + rows[second, z0 + k])


@kernel
def _keep_strain(rows, z0, z1, x, y, z, at, stride, out):
    """Write the strain of a run of voxels at a point, Mandel notation."""
    root = np.sqrt(0.5)
    _keep(rows, x, z0, z1, out, at)
    _keep(rows, 16 + y, z0, z1, out, at + stride)
    _keep(rows, 32 + z, z0, z1, out, at + 2 * stride)
    _keep_shear(rows, 20 + z, 28 + y, z0, z1, root, out, at + 3 * stride)
    _keep_shear(rows, 8 + z, 24 + x, z0, z1, root, out, at + 4 * stride)
    _keep_shear(rows, 4 + y, 12 + x, z0, z1, root, out, at + 5 * stride)


@kernel
def _keep_gradient(rows, z0, z1, x, y, z, at, stride, out):
    for c in range(3):
        _keep(rows, 12 * c + x, z0, z1, out, at + 3 * c * stride)
        _keep(rows, 12 * c + 4 + y, z0, z1, out, at + (3 * c + 1) * stride)
        _keep(rows, 12 * c + 8 + z, z0, z1, out, at + (3 * c + 2) * stride)


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
                        _keep_strain(rows, z0, z1, x, y, z, at, stride, out)
                    else:
                        _keep_gradient(rows, z0, z1, x, y, z, at, stride, out)


@kernel
def _add(s, row, scale, z0, z1, duals, place):
    """Add a run's stress to a row of duals."""
    for k in range(z1 - z0):
        duals[place, z0 + k] += scale * s[row, k]


@kernel
def _measure(s, components, length, squares):
    """Add a run's trace squared and its square to two sums."""
    second, third = (1, 2) if components == 6 else (4, 8)
    for k in range(length):
        trace = s[0, k] + s[second, k] + s[third, k]
        squares[0] += 0.125 * trace * trace
    for c in range(components):
        total = 0.0
        for k in range(length):
            total += s[c, k] * s[c, k]
        squares[1] += 0.125 * total


@kernel
def _spread_symmetric(s, z0, z1, x, y, z, duals):
    """Add a run's symmetric stress at a point, Mandel rows, to the duals."""
    root = np.sqrt(0.5)
    _add(s, 0, 1.0, z0, z1, duals, x)
    _add(s, 1, 1.0, z0, z1, duals, 16 + y)
    _add(s, 2, 1.0, z0, z1, duals, 32 + z)
    _add(s, 3, root, z0, z1, duals, 20 + z)
    _add(s, 3, root, z0, z1, duals, 28 + y)
    _add(s, 4, root, z0, z1, duals, 8 + z)
    _add(s, 4, root, z0, z1, duals, 24 + x)
    _add(s, 5, root, z0, z1, duals, 4 + y)
    _add(s, 5, root, z0, z1, duals, 12 + x)


@kernel
def _spread_nominal(s, z0, z1, x, y, z, duals):
    for c in range(3):
        _add(s, 3 * c, 1.0, z0, z1, duals, 12 * c + x)
        _add(s, 3 * c + 1, 1.0, z0, z1, duals, 12 * c + 4 + y)
        _add(s, 3 * c + 2, 1.0, z0, z1, duals, 12 * c + 8 + z)


@kernel
def _elastic_run(rows, z0, z1, x, y, z, table, phase, e, s):
    """Stress of a run of an elastic phase at a point, Mandel rows, from 21 numbers."""
    length = z1 - z0
    _keep_strain(rows, z0, z1, x, y, z, 0, length, e)
    for a in range(6):
        for k in range(length):
            s[a, k] = 0
        for b in range(6):
            low, high = min(a, b), max(a, b)
            number = table[phase, low * (11 - low) // 2 + high]
            for k in range(length):
                s[a, k] += number * e[b * length + k]


@kernel
def _row_stress(rows, stress, point, run, first, counts, elastic, components, e, s, squares, duals):
    """Add the stress of a run of voxels at a point to the duals, and its squares to two sums."""
    z0, z1, phase, slot = run[0], run[1], run[2], run[3]
    x, y, z = places(point)
    if first[phase] < 0:
        _elastic_run(rows, z0, z1, x, y, z, elastic, phase, e, s)
    else:
        at = components * first[phase] + point * counts[phase] + slot
        for c in range(components):
            for k in range(z1 - z0):
                s[c, k] = stress[at + 8 * counts[phase] * c + k]
    _measure(s, components, z1 - z0, squares)
    if components == 9:
        _spread_nominal(s, z0, z1, x, y, z, duals)
    else:
        _spread_symmetric(s, z0, z1, x, y, z, duals)


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
    carry, sums, s = np.zeros((2, 3, count_y, count_z)), np.zeros(9), np.zeros((9, count_z))
    squares, e = np.zeros(2), np.zeros(6 * count_z)
    for i in range(start, stop):
        here, following = carry[(i - start) % 2], carry[(i - start + 1) % 2]
        clear_planes(following)
        low, high = u[i], u[(i + 1) % nodes_x]
        for j in range(count_y):
            row, j1 = i * count_y + j, (j + 1) % count_y
            clear_rows(duals)
            row_gradients(low, high, j, j1, g, mean, m, rows)
            for run in range(starts[row], starts[row + 1]):
                for point in range(8):
                    _row_stress(rows, stress, point, runs[run], first, counts, elastic, components, e, s, squares, duals)  # fmt: skip  # noqa: E501
            add_row_forces(duals, j, j1, g, m, here, following)
            add_means(duals, sums)
        copy_planes(here, out[i])
    copy_planes(carry[(stop - start) % 2], edges[piece])
    return sums, squares
