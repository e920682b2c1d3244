"""Compiled loops of trilinear hexahedra for isotropic voxels: one pass over them, nothing stored in between.

As in `grids/elastic_kernels.py`, with fewer operations. In x and y a row of elements has four modes a
component. A row of nodes along z carries them scaled: mean, x-difference, y-difference, both, times

    1/h_z,  1/(2 h_x),  1/(2 h_y),  1/(4 h_x).

Sums and differences of neighbours along z are then slopes without a further product: those of the constant
strain, and half of those along x, y and z, but for the ratios of the spacings. Their mean squares of 1/12 so
come in with 1/3.

Rows of some ten voxels would cost as much to begin as to walk. So a plane is one long row: between two rows
of elements stands one place more, whose element has no stiffness and whose node is the last of the one row
(on a box that repeats: its first once more). The nodes of element k are then k, k + 1 and, a row further,
k + stride, k + stride + 1, wherever it is, and loops run over stretches as long as the nearest cache holds.
The modes of a stretch's last node and the duals of its last element wait for the next one, in the place
before it. Views of rows are made once a call or once a plane: made once a stretch, they would cost as much as
the stretch.
"""

import numpy as np

from scalebridge.core.compiled import kernel, row_kernel
from scalebridge.grids.plane_kernels import add_to, aligned_rows, clear_rows

_LINE = 16  # numbers: stretches are as many times as long, so that none ends in single numbers
_WAITS = _LINE - 1  # place in a row of what waits from the stretch before; what follows begins with a line
_NEAREST = 1 << 10  # bytes of a row of a stretch: of some fifty rows


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


@row_kernel
def _modes(low, low_y, high, high_y, of_mean, of_x, of_y, of_both, flat, x, y, both):
    """Scaled modes of a stretch's nodes, from planes and rows here and further."""
    for k in range(low.size):
        near, far = low[k] + low_y[k], high[k] + high_y[k]
        near_y, far_y = low_y[k] - low[k], high_y[k] - high[k]
        flat[k + _LINE] = of_mean * (near + far)
        x[k + _LINE] = of_x * (far - near)
        y[k + _LINE] = of_y * (near_y + far_y)
        both[k + _LINE] = of_both * (far_y - near_y)


@row_kernel
def _constant(lames, shears, flat0, xs0, ys0, flat1, xs1, ys1, flat2, xs2, ys2, e11, e22, e33, e23, e13, e12, d0, x0, y0, d1, x1, y1, d2, x2, y2):  # fmt: skip  # noqa: E501
    """Stresses of elements' constant strains, by component and direction.

    Args:
        lames, shears: lambda and mu, an element each.
        flat0, ..., ys2: modes of the three components: mean, x, y.
        e11, ..., e12: the mean strain, doubled shears.
        d0, ..., y2: written.
    """
    for k in range(lames.size):
        lame, shear = lames[k], shears[k]
        xx, yy, zz = (
            xs0[k + _WAITS] + xs0[k + _LINE] + e11,
            ys1[k + _WAITS] + ys1[k + _LINE] + e22,
            flat2[k + _LINE] - flat2[k + _WAITS] + e33,
        )
        s_yz = shear * ((flat1[k + _LINE] - flat1[k + _WAITS]) + (ys2[k + _WAITS] + ys2[k + _LINE]) + e23)
        s_xz = shear * ((flat0[k + _LINE] - flat0[k + _WAITS]) + (xs2[k + _WAITS] + xs2[k + _LINE]) + e13)
        s_xy = shear * ((ys0[k + _WAITS] + ys0[k + _LINE]) + (xs1[k + _WAITS] + xs1[k + _LINE]) + e12)
        volume, double = lame * (xx + yy + zz), shear + shear
        x0[k + _LINE], y0[k + _LINE], d0[k + _LINE] = volume + double * xx, s_xy, s_xz
        x1[k + _LINE], y1[k + _LINE], d1[k + _LINE] = s_xy, volume + double * yy, s_yz
        x2[k + _LINE], y2[k + _LINE], d2[k + _LINE] = s_xz, s_yz, volume + double * zz


@row_kernel
def _varying(lames, shears, xs0, ys0, bs0, xs1, ys1, bs1, xs2, ys2, bs2, third, y_x, z_x, z_y, corner0, corner1, corner2, corner, b0, xz0, yz0, bz0, b1, xz1, yz1, bz1, b2, xz2, yz2, bz2):  # fmt: skip  # noqa: E501
    """Duals of strains that vary along x, y, z and of the corner mode, with the rule's lambda and mu.

    Args:
        xs0, ..., bs2: modes of the three components: x, y, both.
        y_x, z_x, z_y: ratios of inverse spacings.
        corner0, ..., corner: weights of the corner mode.
        b0, ..., bz2: written.
    """
    for k in range(lames.size):
        lame, shear = third * lames[k], third * shears[k]
        double = shear + shear
        x0, x1, x2 = (
            xs0[k + _LINE] - xs0[k + _WAITS],
            xs1[k + _LINE] - xs1[k + _WAITS],
            xs2[k + _LINE] - xs2[k + _WAITS],
        )
        y0, y1, y2 = (
            ys0[k + _LINE] - ys0[k + _WAITS],
            ys1[k + _LINE] - ys1[k + _WAITS],
            ys2[k + _LINE] - ys2[k + _WAITS],
        )
        a0, a1, a2 = (
            bs0[k + _WAITS] + bs0[k + _LINE],
            bs1[k + _WAITS] + bs1[k + _LINE],
            bs2[k + _WAITS] + bs2[k + _LINE],
        )
        # along z: derivatives by x and y
        volume, s_xy = lame * (x0 + y1), shear * (x1 + y0)
        x_of_0, x_of_1, x_of_2 = volume + double * x0, s_xy, shear * x2
        y_of_0, y_of_1, y_of_2 = s_xy, volume + double * y1, shear * y2
        # along x: by y and z
        q0, q1, q2, z0, z1, z2 = y_x * a0, y_x * a1, y_x * a2, z_x * x0, z_x * x1, z_x * x2
        volume, s_yz = lame * (q1 + z2), shear * (q2 + z1)
        xz0[k + _LINE], xz1[k + _LINE], xz2[k + _LINE] = x_of_0 + z_x * (shear * z0), x_of_1 + z_x * s_yz, x_of_2 + z_x * (volume + double * z2)  # fmt: skip  # noqa: E501
        b_of_0, b_of_1, b_of_2 = y_x * (shear * q0), y_x * (volume + double * q1), y_x * s_yz
        # along y: by x and z
        z0, z1, z2 = z_y * y0, z_y * y1, z_y * y2
        volume, s_xz = lame * (a0 + z2), shear * (a2 + z0)
        yz0[k + _LINE], yz1[k + _LINE], yz2[k + _LINE] = y_of_0 + z_y * s_xz, y_of_1 + z_y * (shear * z1), y_of_2 + z_y * (volume + double * z2)  # fmt: skip  # noqa: E501
        b0[k + _LINE], b1[k + _LINE], b2[k + _LINE] = (
            b_of_0 + (volume + double * a0),
            b_of_1 + shear * a1,
            b_of_2 + s_xz,
        )
        # differences in all three: each component by itself
        more, weight = lame + shear, corner * shear
        bz0[k + _LINE] = (weight + corner0 * more) * (bs0[k + _LINE] - bs0[k + _WAITS])
        bz1[k + _LINE] = (weight + corner1 * more) * (bs1[k + _LINE] - bs1[k + _WAITS])
        bz2[k + _LINE] = (weight + corner2 * more) * (bs2[k + _LINE] - bs2[k + _WAITS])


@row_kernel
def _forces(d, sx, sy, sxy, dx, dy, dxy, flat, x, y, both, of_mean, of_x, of_y, of_both, near_row, far_row, near_next, far_next):  # fmt: skip  # noqa: E501
    """Forces of nodes from the duals of the elements before and after them.

    Args:
        d, ..., dxy: duals: of differences of the mean, of sums of x, y, both, of differences of x, y, both.
        flat, ..., both: scaled modes.
        near_row, far_row: what the nodes of this plane and of the next have so far; added to.
        near_next, far_next: written: what those a row further get.

    Returns:
        the product with the modes, and the sums of the forces of x and y.
    """
    product, sum_x, sum_y = d.dtype.type(0), d.dtype.type(0), d.dtype.type(0)
    for k in range(near_row.size):
        f = d[k + _WAITS] - d[k + _LINE]
        fx = (sx[k + _WAITS] + sx[k + _LINE]) + (dx[k + _WAITS] - dx[k + _LINE])
        fy = (sy[k + _WAITS] + sy[k + _LINE]) + (dy[k + _WAITS] - dy[k + _LINE])
        fxy = (sxy[k + _WAITS] + sxy[k + _LINE]) + (dxy[k + _WAITS] - dxy[k + _LINE])
        product += (flat[k + _WAITS] * f + x[k + _WAITS] * fx) + (y[k + _WAITS] * fy + both[k + _WAITS] * fxy)
        sum_x += fx
        sum_y += fy
        near, far = of_mean * f - of_x * fx, of_mean * f + of_x * fx
        near_y, far_y = of_y * fy - of_both * fxy, of_y * fy + of_both * fxy
        near_row[k] += near - near_y
        far_row[k] += far - far_y
        near_next[k] = near + near_y
        far_next[k] = far + far_y
    return product, sum_x, sum_y


@row_kernel
def _sum(values):
    """Sum over the elements of a stretch."""
    total = values.dtype.type(0)
    for k in range(values.size - _LINE):
        total += values[k + _LINE]
    return total


@row_kernel
def _look_up(index, stride, first, second, k, m):
    """Two coefficients of a plane of elements, as long rows."""
    for j in range(np.uintp(index.shape[0])):
        at = j * np.uintp(stride)
        for z in range(np.uintp(index.shape[1])):
            row = index[j, z]
            k[at + z], m[at + z] = first[row], second[row]


@row_kernel
def _choose(index, stride, first0, first1, second0, second1, k, m):
    """The same from a table of two rows, without gathering, at which processors are slow."""
    for j in range(np.uintp(index.shape[0])):
        at = j * np.uintp(stride)
        for z in range(np.uintp(index.shape[1])):
            other = index[j, z] != 0
            k[at + z], m[at + z] = first1 if other else first0, second1 if other else second0


@kernel
def _coefficients(voxels, table, same, stride, k):
    """Lambda and mu of a plane of elements, and those of the rule, as long rows."""
    for a in range(0, 2 if same else 4, 2):
        if table.shape[1] == 2:
            _choose(
                voxels, stride, table[a, 0], table[a, 1], table[a + 1, 0], table[a + 1, 1], k[a], k[a + 1]
            )
        else:
            _look_up(voxels, stride, table[a], table[a + 1], k[a], k[a + 1])


@row_kernel
def _pad(plane, stride, rows, nodes):
    """Write a component of a plane of nodes as a long row, whose place k has the number k + `_WAITS`."""
    count = np.uintp(plane.shape[1])
    for j in range(np.uintp(rows)):
        at, of = np.uintp(_WAITS) + j * np.uintp(stride), j if j < np.uintp(plane.shape[0]) else np.uintp(0)
        for z in range(count):
            nodes[at + z] = plane[of, z]
        if count < np.uintp(stride):
            nodes[at + count] = plane[of, 0]


@row_kernel
def _unpad(nodes, stride, count_y, plane):
    """Write a long row of forces as a component of a plane, repeated nodes added to where they belong.

    A sum is complete before it is written: what it cancels in could be narrower.
    """
    rows, count, step = np.uintp(plane.shape[0]), np.uintp(plane.shape[1]), np.uintp(stride)
    along = count < step
    for j in range(rows):
        at = j * step
        for z in range(count):
            plane[j, z] = nodes[at + z]
        if along:
            plane[j, 0] = nodes[at] + nodes[at + count]
    if plane.shape[0] == count_y:  # the last row of nodes is the first once more
        last = rows * step
        for z in range(count):
            plane[0, z] = nodes[z] + nodes[last + z]
        if along:
            plane[0, 0] = (nodes[0] + nodes[count]) + (nodes[last] + nodes[last + count])


@kernel
def _pad_planes(planes, stride, rows, nodes):
    for c in range(3):
        _pad(planes[c], stride, rows, nodes[c])


@kernel
def _unpad_planes(nodes, stride, count_y, planes):
    for c in range(3):
        _unpad(nodes[c], stride, count_y, planes[c])


@kernel
def _relieve(voxels, at, stride, own, count, duals):
    """Take the voxels' own stress, as it is at no strain, off the duals of a stretch's constant strains."""
    for k in range(count):
        j, z = (at + k) // stride, (at + k) % stride
        if j >= voxels.shape[0] or z >= voxels.shape[1]:
            continue
        s, row = own, voxels[j, z]
        s1, s2, s3, s4, s5, s6 = s[0, row], s[1, row], s[2, row], s[3, row], s[4, row], s[5, row]
        for part, (sx, sy, sz) in enumerate(((s1, s6, s5), (s6, s2, s4), (s5, s4, s3))):
            duals[7 * part, _LINE + k] -= sz
            duals[7 * part + 1, _LINE + k] -= sx
            duals[7 * part + 2, _LINE + k] -= sy


@kernel
def _three(rows):
    return rows[0], rows[1], rows[2]


@row_kernel
def _modes_at(low, high, at, to, stride, w0, w1, w2, w3, flat, x, y, both):
    """Modes of a component of the nodes behind those that wait."""
    a, b = at + _LINE, to + _LINE
    _modes(low[a:b], low[a + stride : b + stride], high[a:b], high[a + stride : b + stride], w0, w1, w2, w3, flat, x, y, both)  # fmt: skip  # noqa: E501


@kernel
def _begin_plane(low, high, stride, w, modes, duals):
    """Let the modes of a plane's first node wait, and no duals."""
    for c in range(3):
        a, b, d, e = low[c, _WAITS], low[c, _WAITS + stride], high[c, _WAITS], high[c, _WAITS + stride]
        modes[4 * c, _WAITS] = w[0] * ((a + b) + (d + e))
        modes[4 * c + 1, _WAITS] = w[1] * ((d + e) - (a + b))
        modes[4 * c + 2, _WAITS] = w[2] * ((b - a) + (e - d))
        modes[4 * c + 3, _WAITS] = w[3] * ((e - d) - (b - a))
    for row in range(duals.shape[0]):
        duals[row, _WAITS] = 0


@row_kernel
def _add_forces_at(flat, x, y, both, d, sx, sy, sxy, dx, dy, dxy, at, to, stride, w0, w1, w2, w3, near, far, low, high):  # fmt: skip  # noqa: E501
    """Add the forces of a component of a stretch's nodes to this plane and the next; returns as `_forces`."""
    found = _forces(d, sx, sy, sxy, dx, dy, dxy, flat, x, y, both, w0, w1, w2, w3, low[at:to], high[at:to], near, far)  # fmt: skip  # noqa: E501
    add_to(near, low[at + stride : to + stride])
    add_to(far, high[at + stride : to + stride])
    return found


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
def _let_wait(rows, length):
    """Move what the last place of a stretch has to where the next one looks for it."""
    for row in range(rows.shape[0]):
        rows[row, _WAITS] = rows[row, _WAITS + length]


@kernel
def forces(start, stop, piece, u, index, table, own, g, constants, same, still, sign, out, edges):
    """Write K u, with a mean strain and less the forces of the voxels' own stress, for a slab of elements.

    Args:
        start, stop, piece: elements [start, stop) of the first axis; what they add to their first nodes is
            left in `edges[piece, 0]`, what to the next slab's in `edges[piece, 1]`.
        u, out: (nodes x, 3, nodes y, nodes z).
        index: row of every element.
        table: (4, rows): lambda, mu, and those of the integration rule.
        own: (6, rows), plain stress components at no strain, or (6, 0).
        g: inverse spacings, then the mean strain with doubled shears.
        constants: those of `scales`.
        same: whether the rule's lambda and mu are the first two.
        still: whether u stands for no displacement, and is not looked at.
        sign: 1, or -1 to write the opposite.

    Returns:
        the product of u with K u, and the sums over the elements of the stresses, each along the three axes
        times the inverse spacings: x, y, z of component 0, then of 1 and 2.
    """
    nodes_x = u.shape[0]
    count_y, stride = index.shape[1], index.shape[2] + 1
    places, most = count_y * stride, _NEAREST // u.itemsize
    stretches = (places + most - 1) // most
    length = (places + _LINE * stretches - 1) // (_LINE * stretches) * _LINE
    whole = stretches * length + (stride // _LINE + 3) * _LINE
    planes, loads = aligned_rows(6, whole, u), aligned_rows(6, whole, u)
    modes, duals = aligned_rows(12, length + _LINE, u), aligned_rows(21, length + _LINE, u)
    room, k = aligned_rows(2, length, u), aligned_rows(4, stretches * length, u)
    m, d, near, far = _twelve(modes), _twenty_one(duals), room[0], room[1]
    w0, w1, w2, w3 = constants[0], constants[1], constants[2], constants[3]
    v0, v1, v2, v3 = sign * w0, sign * w1, sign * w2, sign * w3
    y_x, z_x, z_y = constants[4], constants[5], constants[6]
    q0, q1, q2, q3 = constants[7], constants[8], constants[9], constants[10]
    rule, third, product, sums = 0 if same else 2, u.dtype.type(1 / 3), 0.0, np.zeros(9)
    if not still:
        _pad_planes(u[start % nodes_x], stride, count_y + 1, planes[:3])
    for i in range(start, stop):
        a, b = 3 * ((i - start) % 2), 3 * ((i - start + 1) % 2)
        if not still:
            _pad_planes(u[(i + 1) % nodes_x], stride, count_y + 1, planes[b : b + 3])
        _coefficients(index[i], table, same, stride, k)
        clear_rows(loads[b : b + 3])
        low, high, here, after = _three(planes[a : a + 3]), _three(planes[b : b + 3]), _three(loads[a : a + 3]), _three(loads[b : b + 3])  # fmt: skip  # noqa: E501
        _begin_plane(planes[a : a + 3], planes[b : b + 3], stride, constants, modes, duals)
        for at in range(0, stretches * length, length):
            to = at + length
            if not still:
                _modes_at(low[0], high[0], at, to, stride, w0, w1, w2, w3, m[0], m[1], m[2], m[3])
                _modes_at(low[1], high[1], at, to, stride, w0, w1, w2, w3, m[4], m[5], m[6], m[7])
                _modes_at(low[2], high[2], at, to, stride, w0, w1, w2, w3, m[8], m[9], m[10], m[11])  # fmt: skip  # noqa: E501
            _constant(k[0, at:to], k[1, at:to], m[0], m[1], m[2], m[4], m[5], m[6], m[8], m[9], m[10], g[3], g[4], g[5], g[6], g[7], g[8], d[0], d[1], d[2], d[7], d[8], d[9], d[14], d[15], d[16])  # fmt: skip  # noqa: E501
            if not still:
                _varying(k[rule, at:to], k[rule + 1, at:to], m[1], m[2], m[3], m[5], m[6], m[7], m[9], m[10], m[11], third, y_x, z_x, z_y, q0, q1, q2, q3, d[3], d[4], d[5], d[6], d[10], d[11], d[12], d[13], d[17], d[18], d[19], d[20])  # fmt: skip  # noqa: E501
            if own.shape[1] > 0:
                _relieve(index[i], at, stride, own, length, duals)
            x = _add_forces_at(m[0], m[1], m[2], m[3], d[0], d[1], d[2], d[3], d[4], d[5], d[6], at, to, stride, v0, v1, v2, v3, near, far, here[0], after[0])  # fmt: skip  # noqa: E501
            y = _add_forces_at(m[4], m[5], m[6], m[7], d[7], d[8], d[9], d[10], d[11], d[12], d[13], at, to, stride, v0, v1, v2, v3, near, far, here[1], after[1])  # fmt: skip  # noqa: E501
            z = _add_forces_at(m[8], m[9], m[10], m[11], d[14], d[15], d[16], d[17], d[18], d[19], d[20], at, to, stride, v0, v1, v2, v3, near, far, here[2], after[2])  # fmt: skip  # noqa: E501
            product += x[0] + y[0] + z[0]
            _add_sums(sums, x, y, z, _sum(d[0]), _sum(d[7]), _sum(d[14]))
            _let_wait(modes, length)
            _let_wait(duals, length)
        if i == start:
            _unpad_planes(loads[a : a + 3], stride, count_y, edges[piece, 0])
        else:
            _unpad_planes(loads[a : a + 3], stride, count_y, out[i])
    last = 3 * ((stop - start) % 2)
    _unpad_planes(loads[last : last + 3], stride, count_y, edges[piece, 1])
    return product, sums * np.array([g[0] / 2, g[1] / 2, g[2]] * 3)  # x and y count each element twice
