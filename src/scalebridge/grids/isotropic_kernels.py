"""Compiled loops of trilinear hexahedra for isotropic voxels: one pass over them, nothing stored in between.

As in `grids/elastic_kernels.py`, with fewer operations. In x and y a row of elements has four modes a
component. A row of nodes along z carries them scaled: mean, x-difference, y-difference, both, times

    1/h_z,  1/(2 h_x),  1/(2 h_y),  1/(4 h_x).

Sums and differences of neighbours along z are then slopes without a further product: those of the constant
strain, and half of those along x, y and z, but for the ratios of the spacings. Their mean squares of 1/12 so
come in with 1/3.

What a row of elements does to the nodes of the next row, and of the next plane, waits in rows and in one
plane, so that every force is written once, when it is complete. Views of rows are made once a call or once a
plane: made once a row, they would cost as much as the row.
"""

import numpy as np

from scalebridge.core.compiled import kernel, row_kernel
from scalebridge.grids.elastic_kernels import relieve, row_sum
from scalebridge.grids.hexahedra_kernels import copy_plane, look_up, wrap_elements


def scales(inverse_spacing: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Return what the loops multiply by, (11,).

    Args:
        inverse_spacing: 1/h of the three axes.
        dtype: type of the field.

    Returns:
        the factors of the four modes from sums of four nodes; the ratios h_x/h_y, h_x/h_z, h_y/h_z; the
        corner mode's weights of (lambda + mu)/3 for the three components, and that of mu/3.
    """
    x, y, z = (float(g) for g in inverse_spacing)
    corner = [g * g / (3 * x * x) for g in (x, y, z)]  # 3/144 of the square of (4 h_x)/h
    return np.array([z / 4, x / 4, y / 4, x / 4, y / x, z / x, z / y, *corner, sum(corner)], dtype)


@kernel
def _twelve(m):
    return m[0], m[1], m[2], m[3], m[4], m[5], m[6], m[7], m[8], m[9], m[10], m[11]


@kernel
def _twenty_one(d):
    return *_twelve(d), d[12], d[13], d[14], d[15], d[16], d[17], d[18], d[19], d[20]


@kernel
def _three(rows):
    return rows[0], rows[1], rows[2]


@row_kernel
def _modes(low, high, j, j1, count, of_mean, of_x, of_y, of_both, flat, x, y, both):
    """Scaled modes of a row of elements at the nodes along z, with a periodic neighbour at both ends."""
    for z in range(count):
        near, far = low[j, z] + low[j1, z], high[j, z] + high[j1, z]
        near_y, far_y = low[j1, z] - low[j, z], high[j1, z] - high[j, z]
        flat[z + 1] = of_mean * (near + far)
        x[z + 1] = of_x * (far - near)
        y[z + 1] = of_y * (near_y + far_y)
        both[z + 1] = of_both * (far_y - near_y)
    flat[0], x[0], y[0], both[0] = flat[count], x[count], y[count], both[count]
    flat[count + 1], x[count + 1], y[count + 1], both[count + 1] = flat[1], x[1], y[1], both[1]


@row_kernel
def _constant(lames, shears, flat0, xs0, ys0, flat1, xs1, ys1, flat2, xs2, ys2, e11, e22, e33, e23, e13, e12, count, d0, x0, y0, d1, x1, y1, d2, x2, y2):  # fmt: skip  # noqa: E501
    """Stresses of a row's constant strains, by component and direction.

    Args:
        lames, shears: lambda and mu, an element each.
        flat0, ..., ys2: modes of the three components: mean, x, y.
        e11, ..., e12: the mean strain, doubled shears.
    """
    for z in range(1, count + 1):
        lame, shear = lames[z], shears[z]
        xx, yy, zz = xs0[z] + xs0[z + 1] + e11, ys1[z] + ys1[z + 1] + e22, flat2[z + 1] - flat2[z] + e33
        s_yz = shear * ((flat1[z + 1] - flat1[z]) + (ys2[z] + ys2[z + 1]) + e23)
        s_xz = shear * ((flat0[z + 1] - flat0[z]) + (xs2[z] + xs2[z + 1]) + e13)
        s_xy = shear * ((ys0[z] + ys0[z + 1]) + (xs1[z] + xs1[z + 1]) + e12)
        volume, double = lame * (xx + yy + zz), shear + shear
        x0[z], y0[z], d0[z] = volume + double * xx, s_xy, s_xz
        x1[z], y1[z], d1[z] = s_xy, volume + double * yy, s_yz
        x2[z], y2[z], d2[z] = s_xz, s_yz, volume + double * zz


@row_kernel
def _varying(lames, shears, xs0, ys0, bs0, xs1, ys1, bs1, xs2, ys2, bs2, third, y_x, z_x, z_y, corner0, corner1, corner2, corner, count, b0, xz0, yz0, bz0, b1, xz1, yz1, bz1, b2, xz2, yz2, bz2):  # fmt: skip  # noqa: E501
    """Duals of a row's strains that vary along x, y, z and of the corner mode, with the rule's lambda and mu.

    Args:
        xs0, ..., bs2: modes of the three components: x, y, both.
        y_x, z_x, z_y: ratios of inverse spacings.
        corner0, ..., corner: weights of the corner mode.
    """
    for z in range(1, count + 1):
        lame, shear = third * lames[z], third * shears[z]
        double = shear + shear
        x0, x1, x2 = xs0[z + 1] - xs0[z], xs1[z + 1] - xs1[z], xs2[z + 1] - xs2[z]
        y0, y1, y2 = ys0[z + 1] - ys0[z], ys1[z + 1] - ys1[z], ys2[z + 1] - ys2[z]
        a0, a1, a2 = bs0[z] + bs0[z + 1], bs1[z] + bs1[z + 1], bs2[z] + bs2[z + 1]
        # along z: derivatives by x and y
        volume, s_xy = lame * (x0 + y1), shear * (x1 + y0)
        x_of_0, x_of_1, x_of_2 = volume + double * x0, s_xy, shear * x2
        y_of_0, y_of_1, y_of_2 = s_xy, volume + double * y1, shear * y2
        # along x: by y and z
        q0, q1, q2, z0, z1, z2 = y_x * a0, y_x * a1, y_x * a2, z_x * x0, z_x * x1, z_x * x2
        volume, s_yz = lame * (q1 + z2), shear * (q2 + z1)
        xz0[z], xz1[z], xz2[z] = x_of_0 + z_x * (shear * z0), x_of_1 + z_x * s_yz, x_of_2 + z_x * (volume + double * z2)  # fmt: skip  # noqa: E501
        b_of_0, b_of_1, b_of_2 = y_x * (shear * q0), y_x * (volume + double * q1), y_x * s_yz
        # along y: by x and z
        z0, z1, z2 = z_y * y0, z_y * y1, z_y * y2
        volume, s_xz = lame * (a0 + z2), shear * (a2 + z0)
        yz0[z], yz1[z], yz2[z] = y_of_0 + z_y * s_xz, y_of_1 + z_y * (shear * z1), y_of_2 + z_y * (volume + double * z2)  # fmt: skip  # noqa: E501
        b0[z], b1[z], b2[z] = b_of_0 + (volume + double * a0), b_of_1 + shear * a1, b_of_2 + s_xz
        # differences in all three: each component by itself
        more, weight = lame + shear, corner * shear
        bz0[z] = (weight + corner0 * more) * (bs0[z + 1] - bs0[z])
        bz1[z] = (weight + corner1 * more) * (bs1[z + 1] - bs1[z])
        bz2[z] = (weight + corner2 * more) * (bs2[z + 1] - bs2[z])


@row_kernel
def _forces(sx, sy, sxy, d, dx, dy, dxy, flat, x, y, both, of_mean, of_x, of_y, of_both, count, near_row, far_row, carry, row, j, j1):  # fmt: skip  # noqa: E501
    """Complete the forces of row j from its elements' duals, and leave those of row j1 unfinished.

    Args:
        sx, ..., dxy: duals: of sums of x, y, both; of differences of mean, x, y, both.
        flat, ..., both: scaled modes.
        near_row, far_row: what row j has so far, of this plane and of the next; then those of row j1.
        carry: in row j1 what this plane's nodes were given by the last one, in row j what they give the next.
        row: where the forces go.

    Returns:
        the product with the modes, and the sums of the forces of x and y.
    """
    product, sum_x, sum_y = d.dtype.type(0), d.dtype.type(0), d.dtype.type(0)
    for z in range(count):
        f = d[z] - d[z + 1]
        fx = (sx[z] + sx[z + 1]) + (dx[z] - dx[z + 1])
        fy = (sy[z] + sy[z + 1]) + (dy[z] - dy[z + 1])
        fxy = (sxy[z] + sxy[z + 1]) + (dxy[z] - dxy[z + 1])
        product += (flat[z + 1] * f + x[z + 1] * fx) + (y[z + 1] * fy + both[z + 1] * fxy)
        sum_x += fx
        sum_y += fy
        near, far = of_mean * f - of_x * fx, of_mean * f + of_x * fx
        near_y, far_y = of_y * fy - of_both * fxy, of_y * fy + of_both * fxy
        row[z] = near_row[z] + (near - near_y)
        near_row[z] = carry[j1, z] + (near + near_y)
        carry[j, z] = far_row[z] + (far - far_y)
        far_row[z] = far + far_y
    return product, sum_x, sum_y


@row_kernel
def _begin_plane(carry, near_rows, far_rows):
    """Start with what the first row was given by the last plane."""
    for c in range(3):
        for z in range(near_rows.shape[1]):
            near_rows[c, z] = carry[c, 0, z]
            far_rows[c, z] = 0


@row_kernel
def _write(rows, out, j):
    """Write row j of the three components."""
    for c in range(3):
        for z in range(rows.shape[1]):
            out[c, j, z] = rows[c, z]


@row_kernel
def _close_plane(first, near_rows, far_rows, out, carry):
    """Finish the first row, which the last row of elements adds to where the axis repeats."""
    for c in range(3):
        for z in range(near_rows.shape[1]):
            out[c, 0, z] = first[c, 0, z] + near_rows[c, z]
            carry[c, 0, z] += far_rows[c, z]


@kernel
def _add_sums(sums, x, y, z, along0, along1, along2):
    sums[0] += x[1]
    sums[1] += x[2]
    sums[2] += along0
    sums[3] += y[1]
    sums[4] += y[2]
    sums[5] += along1
    sums[6] += z[1]
    sums[7] += z[2]
    sums[8] += along2


@kernel
def forces(start, stop, piece, u, index, table, own, g, constants, same, out, edges):
    """Write K u, with a mean strain and less the forces of the voxels' own stress, for a slab of elements.

    Args:
        start, stop, piece: elements [start, stop) of the first axis; what they add to the next slab's first
            nodes is left in `edges[piece]`.
        u, out: (nodes x, 3, nodes y, nodes z).
        index: row of every element.
        table: (4, rows): lambda, mu, and those of the integration rule.
        own: (6, rows), plain stress components at no strain, or (6, 0).
        g: inverse spacings, then the mean strain with doubled shears.
        constants: those of `scales`.
        same: whether the rule's lambda and mu are the first two.

    Returns:
        the product of u with K u, and the sums over the elements of the stresses, each along the three axes
        times the inverse spacings: x, y, z of component 0, then of 1 and 2.
    """
    nodes_x, _, nodes_y, nodes_z = u.shape
    count_y, count_z = index.shape[1:]
    modes, duals = np.zeros((12, nodes_z + 2), u.dtype), np.zeros((21, nodes_z + 2), u.dtype)
    coefficients, carry = np.zeros((4, nodes_z + 2), u.dtype), np.zeros((3, count_y + 1, nodes_z), u.dtype)
    room, first = np.zeros((3, 3, nodes_z), u.dtype), np.zeros((3, 1, nodes_z), u.dtype)
    m, d, c = _twelve(modes), _twenty_one(duals), _three(carry)
    near, far, row = _three(room[0]), _three(room[1]), _three(room[2])
    repeats = nodes_y == count_y
    k_lame, k_shear = coefficients[0], coefficients[1]
    r_lame, r_shear = (k_lame, k_shear) if same else (coefficients[2], coefficients[3])
    of_lame, of_shear, of_rule_lame, of_rule_shear = table[0], table[1], table[2], table[3]
    w0, w1, w2, w3 = constants[0], constants[1], constants[2], constants[3]
    y_x, z_x, z_y = constants[4], constants[5], constants[6]
    q0, q1, q2, q3 = constants[7], constants[8], constants[9], constants[10]
    one, third, product, sums = u.dtype.type(1), u.dtype.type(1 / 3), 0.0, np.zeros(9)
    for i in range(start, stop):
        low, high, voxels = _three(u[i]), _three(u[(i + 1) % nodes_x]), index[i]
        _begin_plane(carry, room[0], room[1])
        for j in range(count_y):
            j1 = (j + 1) % nodes_y
            _modes(low[0], high[0], j, j1, nodes_z, w0, w1, w2, w3, m[0], m[1], m[2], m[3])
            _modes(low[1], high[1], j, j1, nodes_z, w0, w1, w2, w3, m[4], m[5], m[6], m[7])
            _modes(low[2], high[2], j, j1, nodes_z, w0, w1, w2, w3, m[8], m[9], m[10], m[11])
            look_up(voxels, j, of_lame, count_z, False, k_lame)
            look_up(voxels, j, of_shear, count_z, False, k_shear)
            if not same:
                look_up(voxels, j, of_rule_lame, count_z, False, r_lame)
                look_up(voxels, j, of_rule_shear, count_z, False, r_shear)
            _constant(k_lame, k_shear, m[0], m[1], m[2], m[4], m[5], m[6], m[8], m[9], m[10], g[3], g[4], g[5], g[6], g[7], g[8], count_z, d[0], d[1], d[2], d[7], d[8], d[9], d[14], d[15], d[16])  # fmt: skip  # noqa: E501
            _varying(r_lame, r_shear, m[1], m[2], m[3], m[5], m[6], m[7], m[9], m[10], m[11], third, y_x, z_x, z_y, q0, q1, q2, q3, count_z, d[3], d[4], d[5], d[6], d[10], d[11], d[12], d[13], d[17], d[18], d[19], d[20])  # fmt: skip  # noqa: E501
            if own.shape[1] > 0:
                relieve(voxels, j, own, one, one, one, count_z, duals)
            wrap_elements(duals, count_z, nodes_z == count_z)
            x = _forces(d[1], d[2], d[3], d[0], d[4], d[5], d[6], m[0], m[1], m[2], m[3], w0, w1, w2, w3, nodes_z, near[0], far[0], c[0], row[0], j, j + 1)  # fmt: skip  # noqa: E501
            y = _forces(d[8], d[9], d[10], d[7], d[11], d[12], d[13], m[4], m[5], m[6], m[7], w0, w1, w2, w3, nodes_z, near[1], far[1], c[1], row[1], j, j + 1)  # fmt: skip  # noqa: E501
            z = _forces(d[15], d[16], d[17], d[14], d[18], d[19], d[20], m[8], m[9], m[10], m[11], w0, w1, w2, w3, nodes_z, near[2], far[2], c[2], row[2], j, j + 1)  # fmt: skip  # noqa: E501
            product += x[0] + y[0] + z[0]
            _add_sums(sums, x, y, z, row_sum(d[0], count_z), row_sum(d[7], count_z), row_sum(d[14], count_z))
            if repeats and j == 0:
                _write(room[2], first, 0)
            else:
                _write(room[2], out[i], j)
        if repeats:
            _close_plane(first, room[0], room[1], out[i], carry)
        else:
            _write(room[0], out[i], count_y)
            _write(room[1], carry, count_y)
    for k in range(3):
        copy_plane(carry[k, :nodes_y], edges[piece, k])
    return product, sums * np.array([g[0] / 2, g[1] / 2, g[2]] * 3)  # x and y count each element twice
