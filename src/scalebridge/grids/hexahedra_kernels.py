"""Compiled loops of the trilinear hexahedra: one pass over the voxels, no field stored in between.

What `grids/hexahedra.py` says in arrays is done here row by row along z. In x and y a row of elements has
four modes of its four rows of nodes: mean, x-difference, y-difference, both. Along z each of them has a
mean and a difference again, which makes the element's corner modes. With element k on either side of a node
and an isotropic stiffness, the force of a mode m with weights s (of its mean) and d (of its difference) is

    f_n = a (k_- + k_+) m_n + b (k_- m_{n-1} + k_+ m_{n+1}),   a = s/4 + d,  b = s/4 - d,

so that a row needs its four modes and nothing else. Rows live in the first-level cache. Planes
are passed with the numbers of their rows: a view a row would cost as much as the row.

Nodes: an axis has as many nodes as elements if it is periodic, else one more. Coefficients: a table with a
row of one number (isotropic) or of six (xx, yy, zz, yz, xz, xy) of  A_ij / (h_i h_j),  and a row number
for every voxel. A mean gradient comes times the spacings. Rows of modes carry one node more at either end.
"""

import numpy as np

from scalebridge.core.compiled import kernel, row_kernel


@row_kernel
def row_modes(low, high, j, j1, count, quarter, half, mean_x, mean_y, flat, x, y, both):
    """Modes in x and y of a row of elements at the nodes along z, with a periodic neighbour at both ends."""
    for z in range(count):
        near, far = low[j, z] + low[j1, z], high[j, z] + high[j1, z]
        near_y, far_y = low[j1, z] - low[j, z], high[j1, z] - high[j, z]
        flat[z + 1] = quarter * (near + far)
        x[z + 1] = half * (far - near) + mean_x
        y[z + 1] = half * (near_y + far_y) + mean_y
        both[z + 1] = far_y - near_y
    flat[0], x[0], y[0], both[0] = flat[count], x[count], y[count], both[count]
    flat[count + 1], x[count + 1], y[count + 1], both[count + 1] = flat[1], x[1], y[1], both[1]


@row_kernel
def look_up(index, j, table, count, periodic, k):
    """Coefficients of a row of elements, with what lies before the first and after the last node."""
    for z in range(count):
        k[z + 1] = table[index[j, z]]
    k[0] = k[count] if periodic else 0
    k[count + 1] = k[1] if periodic else 0


@row_kernel
def copy_plane(source, target):
    """Write one plane over another. Assigned as a whole it compiles four seconds longer, for its errors."""
    for j in range(source.shape[0]):
        for z in range(source.shape[1]):
            target[j, z] = source[j, z]


@row_kernel
def _isotropic(k, w, flat, x, y, both, quarter, half, jump, count, out, after_out, j, j1):
    """Forces of a row of isotropic elements, added to the four rows of nodes.

    Returns:
        the product with the modes, and the sums of the forces of x and y.
    """
    product, flux_x, flux_y = k.dtype.type(0), k.dtype.type(0), k.dtype.type(0)
    w0, ax, bx, ay, by, axy, bxy = w[0], w[1], w[2], w[3], w[4], w[5], w[6]
    for z in range(count):
        before, after = k[z], k[z + 1]
        total = before + after
        f = w0 * (total * flat[z + 1] - (before * flat[z] + after * flat[z + 2]) + jump * (before - after))
        fx = ax * total * x[z + 1] + bx * (before * x[z] + after * x[z + 2])
        fy = ay * total * y[z + 1] + by * (before * y[z] + after * y[z + 2])
        fxy = axy * total * both[z + 1] + bxy * (before * both[z] + after * both[z + 2])
        product += (flat[z + 1] * f + x[z + 1] * fx) + (y[z + 1] * fy + both[z + 1] * fxy)
        flux_x += fx
        flux_y += fy
        near, far = quarter * f - half * fx, quarter * f + half * fx
        near_y, far_y = half * fy - fxy, half * fy + fxy
        out[j, z] += near - near_y
        out[j1, z] += near + near_y
        after_out[j, z] += far - far_y
        after_out[j1, z] += far + far_y
    return product, flux_x, flux_y


@row_kernel
def _flow(k, flat, jump, count):
    """Sum over a row of the flux along z."""
    total = k.dtype.type(0)
    for z in range(count):
        total += k[z + 1] * (flat[z + 2] - flat[z + 1] + jump)
    return total


@row_kernel
def _tensor_elements(a, flat, x, y, both, half, variance, square, jump, count, sx, sy, sxy, d, dx, dy, dxy):
    """Multiply a row's corner modes by the stiffness of full tensors; the duals of means come out halved.

    Returns:
        the sum of the flux along z.
    """
    flow = d.dtype.type(0)
    for z in range(1, count + 1):
        xx, yy, zz, yz, xz, xy = a[0, z], a[1, z], a[2, z], a[3, z], a[4, z], a[5, z]
        z_only = flat[z + 1] - flat[z] + jump
        x_only, x_z = half * (x[z] + x[z + 1]), x[z + 1] - x[z]
        y_only, y_z = half * (y[z] + y[z + 1]), y[z + 1] - y[z]
        x_y, x_y_z = half * (both[z] + both[z + 1]), both[z + 1] - both[z]
        d[z] = zz * z_only + xz * x_only + yz * y_only
        sx[z] = half * (xx * x_only + xy * y_only + xz * z_only)
        sy[z] = half * (yy * y_only + xy * x_only + yz * z_only)
        sxy[z] = half * variance * ((xx + yy) * x_y + xz * y_z + yz * x_z)
        dx[z] = variance * ((xx + zz) * x_z + xy * y_z + yz * x_y)
        dy[z] = variance * ((yy + zz) * y_z + xy * x_z + xz * x_y)
        dxy[z] = square * (xx + yy + zz) * x_y_z
        flow += d[z]
    return flow


@row_kernel
def add_forces(sx, sy, sxy, d, dx, dy, dxy, flat, x, y, both, quarter, half, count, out, after_out, j, j1):
    """Forces of a row from its elements' duals, added to the four rows of nodes; returns as `_isotropic`."""
    product, flux_x, flux_y = d.dtype.type(0), d.dtype.type(0), d.dtype.type(0)
    for z in range(count):
        f = d[z] - d[z + 1]
        fx = (sx[z] + dx[z]) + (sx[z + 1] - dx[z + 1])
        fy = (sy[z] + dy[z]) + (sy[z + 1] - dy[z + 1])
        fxy = (sxy[z] + dxy[z]) + (sxy[z + 1] - dxy[z + 1])
        product += (flat[z + 1] * f + x[z + 1] * fx) + (y[z + 1] * fy + both[z + 1] * fxy)
        flux_x += fx
        flux_y += fy
        near, far = quarter * f - half * fx, quarter * f + half * fx
        near_y, far_y = half * fy - fxy, half * fy + fxy
        out[j, z] += near - near_y
        out[j1, z] += near + near_y
        after_out[j, z] += far - far_y
        after_out[j1, z] += far + far_y
    return product, flux_x, flux_y


@kernel
def wrap_elements(rows, count, periodic):
    """Close rows of elements around the end of the axis, or with nothing where it has ends."""
    for m in range(rows.shape[0]):
        rows[m, 0] = rows[m, count] if periodic else 0
        rows[m, count + 1] = rows[m, 1] if periodic else 0


@kernel
def forces(start, stop, piece, u, index, table, weights, constants, mean, room, duals, out, edges):
    """Write K u (with a mean gradient) for the slab of elements [start, stop) of the first axis.

    Rows of nodes [start, stop) of `out` are overwritten; what the slab adds to the next slab's first nodes
    is left in `edges[piece]`.

    Args:
        u, out: of the nodes' shape; `index` of the elements'.
        table: (columns, rows), a column of one number or of six.
        weights: of an isotropic voxel: w of z alone, then a and b of x, y and both.
        constants: quarter, half, variance of a coordinate, its square.
        mean: mean gradient times the spacings.
        room: (pieces, 10, nodes along z + 2), zeros.
        duals: (pieces, 7, nodes along z + 2), zeros; None with a table of one column, for which nothing of
            the tensors is compiled then.

    Returns:
        the product of u, mean gradient included, with K u, and the sums of the flux over the elements,
        times the spacing of its axis.
    """
    nodes_x, nodes_y, nodes_z = u.shape
    count_y, count_z = index.shape[1:]
    periodic = 1 if nodes_z == count_z else 0
    flat, x, y, both = room[piece, 0], room[piece, 1], room[piece, 2], room[piece, 3]
    a, first = room[piece, 4:], table[0]
    k = a[0]
    c0, c1, c2, c3 = constants[0], constants[1], constants[2], constants[3]
    carry = np.zeros(
        (2, nodes_y, nodes_z), u.dtype
    )  # what the plane at hand was given, and what the next one is
    product, flux_x, flux_y, flux_z = 0.0, 0.0, 0.0, 0.0
    for i in range(start, stop):
        here, following = carry[(i - start) % 2], carry[(i - start + 1) % 2]
        following[:] = 0
        low, high, voxels = u[i], u[(i + 1) % nodes_x], index[i]
        for j in range(count_y):
            j1 = (j + 1) % nodes_y
            row_modes(low, high, j, j1, nodes_z, c0, c1, mean[0], mean[1], flat, x, y, both)
            if duals is None:
                look_up(voxels, j, first, count_z, periodic, k)
                sums = _isotropic(
                    k, weights, flat, x, y, both, c0, c1, mean[2], nodes_z, here, following, j, j1
                )
                flux_z += weights[0] * _flow(k, flat, mean[2], count_z)
            else:
                t = duals[piece]
                sx, sy, sxy, d, dx, dy, dxy = t[0], t[1], t[2], t[3], t[4], t[5], t[6]
                for component in range(6):
                    look_up(voxels, j, table[component], count_z, 0, a[component])
                flux_z += _tensor_elements(
                    a, flat, x, y, both, c1, c2, c3, mean[2], count_z, sx, sy, sxy, d, dx, dy, dxy
                )
                wrap_elements(t, count_z, periodic)
                sums = add_forces(
                    sx, sy, sxy, d, dx, dy, dxy, flat, x, y, both, c0, c1, nodes_z, here, following, j, j1
                )
            product += sums[0]
            flux_x += sums[1]
            flux_y += sums[2]
        copy_plane(here, out[i])
    copy_plane(carry[(stop - start) % 2], edges[piece])
    return product + mean[2] * flux_z, flux_x, flux_y, flux_z


@kernel
def slopes(start, stop, piece, first, second, index, columns, weights, first_mean, second_mean, out):
    """Add the derivatives of two fields' energy by the table's entries to out[piece], for a slab of elements.

    The energy is linear in the table, so its values are not needed. For one column `weights` are those of
    the isotropic corner modes z, x, xz, y, yz, xy, xyz; for six, tensors are over the spacings already.
    """
    third, ninth = 1.0 / 12.0, 1.0 / 144.0
    a, b = np.empty(7), np.empty(7)
    for i in range(start, stop):
        for j in range(index.shape[1]):
            for z in range(index.shape[2]):
                row = index[i, j, z]
                _corner_modes(first, i, j, z, first_mean, a)
                _corner_modes(second, i, j, z, second_mean, b)
                if columns == 1:
                    for m in range(7):
                        out[piece, row, 0] += weights[m] * a[m] * b[m]
                    continue
                az, ax, axz, ay, ayz, axy = a[0], a[1], a[2], a[3], a[4], a[5]
                bz, bx, bxz, by, byz, bxy = b[0], b[1], b[2], b[3], b[4], b[5]
                cubic = ninth * a[6] * b[6]
                out[piece, row, 0] += ax * bx + third * (axy * bxy + axz * bxz) + cubic
                out[piece, row, 1] += ay * by + third * (axy * bxy + ayz * byz) + cubic
                out[piece, row, 2] += az * bz + third * (axz * bxz + ayz * byz) + cubic
                out[piece, row, 3] += ay * bz + az * by + third * (axy * bxz + axz * bxy)
                out[piece, row, 4] += ax * bz + az * bx + third * (axy * byz + ayz * bxy)
                out[piece, row, 5] += ax * by + ay * bx + third * (axz * byz + ayz * bxz)


@kernel
def _corner_modes(u, i, j, z, mean, modes):
    """Corner modes z, x, xz, y, yz, xy, xyz of an element."""
    i1, j1, z1 = (i + 1) % u.shape[0], (j + 1) % u.shape[1], (z + 1) % u.shape[2]
    low, high = u[i, j, z], u[i, j, z1]
    low_y, high_y = u[i, j1, z], u[i, j1, z1]
    low_x, high_x = u[i1, j, z], u[i1, j, z1]
    low_xy, high_xy = u[i1, j1, z], u[i1, j1, z1]
    s, d = low + high, high - low
    sy, dy = low_y + high_y, high_y - low_y
    sx, dx = low_x + high_x, high_x - low_x
    sxy, dxy = low_xy + high_xy, high_xy - low_xy
    modes[0] = 0.25 * (d + dy + dx + dxy) + mean[2]
    modes[1] = 0.25 * (sx + sxy - s - sy) + mean[0]
    modes[2] = 0.5 * (dx + dxy - d - dy)
    modes[3] = 0.25 * (sy + sxy - s - sx) + mean[1]
    modes[4] = 0.5 * (dy + dxy - d - dx)
    modes[5] = 0.5 * (sxy - sx - sy + s)
    modes[6] = dxy - dx - dy + d
