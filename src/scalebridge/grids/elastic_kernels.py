"""Compiled loops of trilinear hexahedra for elasticity: one pass over the voxels, nothing stored in between.

A displacement of an element is a sum of corner modes. Its gradient is expanded in the orthogonal functions
1, x, y, z, yz, xz, xy of the element's own coordinates, each between -1/2 and 1/2, with mean squares 1,
1/12 and 1/144. The stiffness acts on each of the seven strains by itself: the constant one with the
stiffness, the others with that of the integration rule (the same: full integration; without its part in the
volume: B-bar; none: one point). So 21 modes are all there is, whatever the law.

Rows of elements run along z, as in `grids/hexahedra_kernels.py`: in x and y a row of elements has four modes
a component (mean, x-difference, y-difference, both), along z each has a mean and a difference.

Fields have the axes (x, component, y, z), so that a plane of x is one piece of memory with all that is in it.
Stiffnesses are tables of columns: of isotropic voxels  lambda, mu  and those of the rule; else the 21 numbers
of the upper triangle, row by row, that turn (e11, e22, e33, 2 e23, 2 e13, 2 e12) into stresses, and 21 of the
rule. Spacings come as their inverses.
"""

import numpy as np

from scalebridge.core.compiled import kernel, row_kernel
from scalebridge.grids.hexahedra_kernels import add_forces, look_up, row_modes, wrap_elements


@row_kernel
def _general(a, h, m, g, third, half, count, d0, x0, y0, b0, xz0, yz0, bz0, d1, x1, y1, b1, xz1, yz1, bz1, d2, x2, y2, b2, xz2, yz2, bz2):  # fmt: skip  # noqa: E501, PLR0915
    """Multiply a row's strains by full stiffnesses; duals of means come out halved.

    Args:
        a: the 21 numbers of the stiffness, an element each.
        h: those of the rule.
        m: modes of the three components: mean, x, y, both.
        g: inverse spacings, then the mean gradient's six components, doubled shears.
    """
    gx, gy, gz = g[0], g[1], g[2]
    ninth = third * third
    for z in range(1, count + 1):
        # constant strain
        e1, e2 = gx * half * (m[1, z] + m[1, z + 1]) + g[3], gy * half * (m[6, z] + m[6, z + 1]) + g[4]
        e3 = gz * (m[8, z + 1] - m[8, z]) + g[5]
        e4 = gz * (m[4, z + 1] - m[4, z]) + gy * half * (m[10, z] + m[10, z + 1]) + g[6]
        e5 = gz * (m[0, z + 1] - m[0, z]) + gx * half * (m[9, z] + m[9, z + 1]) + g[7]
        e6 = gy * half * (m[2, z] + m[2, z + 1]) + gx * half * (m[5, z] + m[5, z + 1]) + g[8]
        s1 = a[0, z] * e1 + a[1, z] * e2 + a[2, z] * e3 + a[3, z] * e4 + a[4, z] * e5 + a[5, z] * e6
        s2 = a[1, z] * e1 + a[6, z] * e2 + a[7, z] * e3 + a[8, z] * e4 + a[9, z] * e5 + a[10, z] * e6
        s3 = a[2, z] * e1 + a[7, z] * e2 + a[11, z] * e3 + a[12, z] * e4 + a[13, z] * e5 + a[14, z] * e6
        s4 = a[3, z] * e1 + a[8, z] * e2 + a[12, z] * e3 + a[15, z] * e4 + a[16, z] * e5 + a[17, z] * e6
        s5 = a[4, z] * e1 + a[9, z] * e2 + a[13, z] * e3 + a[16, z] * e4 + a[18, z] * e5 + a[19, z] * e6
        s6 = a[5, z] * e1 + a[10, z] * e2 + a[14, z] * e3 + a[17, z] * e4 + a[19, z] * e5 + a[20, z] * e6
        x0[z], y0[z], d0[z] = half * gx * s1, half * gy * s6, gz * s5
        x1[z], y1[z], d1[z] = half * gx * s6, half * gy * s2, gz * s4
        x2[z], y2[z], d2[z] = half * gx * s5, half * gy * s4, gz * s3
        dx0, dx1, dx2 = m[1, z + 1] - m[1, z], m[5, z + 1] - m[5, z], m[9, z + 1] - m[9, z]
        dy0, dy1, dy2 = m[2, z + 1] - m[2, z], m[6, z + 1] - m[6, z], m[10, z + 1] - m[10, z]
        db0, db1, db2 = half * (m[3, z] + m[3, z + 1]), half * (m[7, z] + m[7, z + 1]), half * (m[11, z] + m[11, z + 1])  # fmt: skip  # noqa: E501
        # along x: no derivative by x
        e2, e3, e4, e5, e6 = gy * db1, gz * dx2, gz * dx1 + gy * db2, gz * dx0, gy * db0
        q2 = h[6, z] * e2 + h[7, z] * e3 + h[8, z] * e4 + h[9, z] * e5 + h[10, z] * e6
        q3 = h[7, z] * e2 + h[11, z] * e3 + h[12, z] * e4 + h[13, z] * e5 + h[14, z] * e6
        q4 = h[8, z] * e2 + h[12, z] * e3 + h[15, z] * e4 + h[16, z] * e5 + h[17, z] * e6
        q5 = h[9, z] * e2 + h[13, z] * e3 + h[16, z] * e4 + h[18, z] * e5 + h[19, z] * e6
        q6 = h[10, z] * e2 + h[14, z] * e3 + h[17, z] * e4 + h[19, z] * e5 + h[20, z] * e6
        f0, f1, f2 = gy * q6, gy * q2, gy * q4
        v0, v1, v2 = gz * q5, gz * q4, gz * q3
        # along y: no derivative by y
        e1, e3, e4, e5, e6 = gx * db0, gz * dy2, gz * dy1, gz * dy0 + gx * db2, gx * db1
        q1 = h[0, z] * e1 + h[2, z] * e3 + h[3, z] * e4 + h[4, z] * e5 + h[5, z] * e6
        q3 = h[2, z] * e1 + h[11, z] * e3 + h[12, z] * e4 + h[13, z] * e5 + h[14, z] * e6
        q4 = h[3, z] * e1 + h[12, z] * e3 + h[15, z] * e4 + h[16, z] * e5 + h[17, z] * e6
        q5 = h[4, z] * e1 + h[13, z] * e3 + h[16, z] * e4 + h[18, z] * e5 + h[19, z] * e6
        q6 = h[5, z] * e1 + h[14, z] * e3 + h[17, z] * e4 + h[19, z] * e5 + h[20, z] * e6
        f0, f1, f2 = f0 + gx * q1, f1 + gx * q6, f2 + gx * q5
        w0, w1, w2 = gz * q5, gz * q4, gz * q3
        # along z: no derivative by z
        e1, e2, e4, e5, e6 = gx * dx0, gy * dy1, gy * dy2, gx * dx2, gy * dy0 + gx * dx1
        q1 = h[0, z] * e1 + h[1, z] * e2 + h[3, z] * e4 + h[4, z] * e5 + h[5, z] * e6
        q2 = h[1, z] * e1 + h[6, z] * e2 + h[8, z] * e4 + h[9, z] * e5 + h[10, z] * e6
        q4 = h[3, z] * e1 + h[8, z] * e2 + h[15, z] * e4 + h[16, z] * e5 + h[17, z] * e6
        q5 = h[4, z] * e1 + h[9, z] * e2 + h[16, z] * e4 + h[18, z] * e5 + h[19, z] * e6
        q6 = h[5, z] * e1 + h[10, z] * e2 + h[17, z] * e4 + h[19, z] * e5 + h[20, z] * e6
        v0, v1, v2 = v0 + gx * q1, v1 + gx * q6, v2 + gx * q5
        w0, w1, w2 = w0 + gy * q6, w1 + gy * q2, w2 + gy * q4
        b0[z], b1[z], b2[z] = half * third * f0, half * third * f1, half * third * f2
        xz0[z], xz1[z], xz2[z] = third * v0, third * v1, third * v2
        yz0[z], yz1[z], yz2[z] = third * w0, third * w1, third * w2
        # differences in all three: along yz only derivatives by x, and so on
        t0, t1, t2 = m[3, z + 1] - m[3, z], m[7, z + 1] - m[7, z], m[11, z + 1] - m[11, z]
        k00 = gx * gx * h[0, z] + gy * gy * h[20, z] + gz * gz * h[18, z]
        k11 = gx * gx * h[20, z] + gy * gy * h[6, z] + gz * gz * h[15, z]
        k22 = gx * gx * h[18, z] + gy * gy * h[15, z] + gz * gz * h[11, z]
        k12 = gx * gx * h[19, z] + gy * gy * h[8, z] + gz * gz * h[12, z]
        k02 = gx * gx * h[4, z] + gy * gy * h[17, z] + gz * gz * h[13, z]
        k01 = gx * gx * h[5, z] + gy * gy * h[10, z] + gz * gz * h[16, z]
        bz0[z] = ninth * (k00 * t0 + k01 * t1 + k02 * t2)
        bz1[z] = ninth * (k01 * t0 + k11 * t1 + k12 * t2)
        bz2[z] = ninth * (k02 * t0 + k12 * t1 + k22 * t2)


@kernel
def relieve(index, j, own, gx, gy, gz, count, rows):
    """Take the voxels' own stress, as it is at no strain, off the duals of the constant strain.

    Args:
        gx, gy, gz: what the duals of x, y and z are times the stress.
    """
    for z in range(count):
        row = index[j, z]
        s1, s2, s3, s4, s5, s6 = own[0, row], own[1, row], own[2, row], own[3, row], own[4, row], own[5, row]
        for part, (sx, sy, sz) in enumerate(((s1, s6, s5), (s6, s2, s4), (s5, s4, s3))):
            rows[7 * part, z + 1] -= gz * sz
            rows[7 * part + 1, z + 1] -= gx * sx
            rows[7 * part + 2, z + 1] -= gy * sy


@kernel
def _gather(low, high, voxels, j, j1, table, constants, modes, a):
    """Modes and coefficients of a row of elements."""
    count, nodes = voxels.shape[1], low.shape[2]
    for c in range(3):
        row_modes(low[c], high[c], j, j1, nodes, constants[0], constants[1], constants[3], constants[3], modes[4 * c], modes[4 * c + 1], modes[4 * c + 2], modes[4 * c + 3])  # fmt: skip  # noqa: E501
    for column in range(table.shape[0]):
        look_up(voxels, j, table[column], count, False, a[column])


@row_kernel
def row_sum(values, count):
    """Sum over a row of elements."""
    total = values.dtype.type(0)
    for z in range(1, count + 1):
        total += values[z]
    return total


@kernel
def _scatter(voxels, j, j1, own, g, constants, modes, duals, here, following, sums):
    """Add a row's duals to the forces of its nodes, and to the sums; return the product with the modes."""
    count, nodes, product = voxels.shape[1], here.shape[2], 0.0
    if own.shape[1] > 0:
        relieve(voxels, j, own, g[0] / 2, g[1] / 2, g[2], count, duals)
    wrap_elements(duals, count, nodes == count)
    for c in range(3):
        d, m = 7 * c, 4 * c
        found = add_forces(duals[d + 1], duals[d + 2], duals[d + 3], duals[d], duals[d + 4], duals[d + 5], duals[d + 6], modes[m], modes[m + 1], modes[m + 2], modes[m + 3], constants[0], constants[1], nodes, here[c], following[c], j, j1)  # fmt: skip  # noqa: E501
        product += found[0]
        sums[3 * c] += found[1]
        sums[3 * c + 1] += found[2]
        sums[3 * c + 2] += row_sum(duals[d], count)
    return product


@row_kernel
def _write_plane(source, sign, target):
    for j in range(source.shape[0]):
        for z in range(source.shape[1]):
            target[j, z] = sign * source[j, z]


@kernel
def forces(start, stop, piece, u, index, table, own, g, constants, sign, out, edges):
    """Write K u, with a mean strain and less the forces of the voxels' own stress, for a slab of elements.

    Args:
        start, stop, piece: elements [start, stop) of the first axis; what they add to their first nodes is
            left in `edges[piece, 0]`, what to the next slab's in `edges[piece, 1]`.
        u, out: (nodes x, 3, nodes y, nodes z).
        index: row of every element.
        table: (42, rows).
        own: (6, rows), plain stress components at no strain, or (6, 0).
        g: inverse spacings, then the mean strain with doubled shears.
        constants: 1/4, 1/2, 1/12, 0.
        sign: 1, or -1 to write the opposite.

    Returns:
        the product of u with K u, and the sums over the elements of the stresses, each along the three axes
        times the inverse spacings: x, y, z of component 0, then of 1 and 2.
    """
    nodes_x, _, nodes_y, nodes_z = u.shape
    count_y, count_z = index.shape[1:]
    m, d = np.zeros((12, nodes_z + 2), u.dtype), np.zeros((21, nodes_z + 2), u.dtype)
    a, carry = np.zeros((42, nodes_z + 2), u.dtype), np.zeros((2, 3, nodes_y, nodes_z), u.dtype)
    half, third, product, sums = constants[1], constants[2], 0.0, np.zeros(9)
    for i in range(start, stop):
        here, following = carry[(i - start) % 2], carry[(i - start + 1) % 2]
        following[:] = 0
        low, high, voxels = u[i], u[(i + 1) % nodes_x], index[i]
        for j in range(count_y):
            j1 = (j + 1) % nodes_y
            _gather(low, high, voxels, j, j1, table, constants, m, a)
            _general(a[:21], a[21:], m, g, third, half, count_z, d[0], d[1], d[2], d[3], d[4], d[5], d[6], d[7], d[8], d[9], d[10], d[11], d[12], d[13], d[14], d[15], d[16], d[17], d[18], d[19], d[20])  # fmt: skip  # noqa: E501
            product += _scatter(voxels, j, j1, own, g, constants, m, d, here, following, sums)
        for c in range(3):
            if i == start:
                _write_plane(here[c], sign, edges[piece, 0, c])
            else:
                _write_plane(here[c], sign, out[i, c])
    for c in range(3):
        _write_plane(carry[(stop - start) % 2, c], sign, edges[piece, 1, c])
    return product, sums


@kernel
def _element_strains(u, i, j, z, g, strains):
    """Strains of an element with doubled shears, (7, 6): along 1, x, y, z, yz, xz, xy.

    The roots of the mean squares are multiplied in, so that an energy is a plain sum over the seven.
    """
    nodes_x, _, nodes_y, nodes_z = u.shape
    i1, j1, z1 = (i + 1) % nodes_x, (j + 1) % nodes_y, (z + 1) % nodes_z
    slopes = np.zeros((7, 3, 3), u.dtype)  # function, component, derivative
    root = np.sqrt(1.0 / 12.0)
    for c in range(3):
        a, az = u[i, c, j, z], u[i, c, j, z1]
        ay, ayz = u[i, c, j1, z], u[i, c, j1, z1]
        ax, axz = u[i1, c, j, z], u[i1, c, j, z1]
        axy, axyz = u[i1, c, j1, z], u[i1, c, j1, z1]
        x = 0.25 * ((ax - a) + (axz - az) + (axy - ay) + (axyz - ayz))
        y = 0.25 * ((ay - a) + (ayz - az) + (axy - ax) + (axyz - axz))
        zz = 0.25 * ((az - a) + (ayz - ay) + (axz - ax) + (axyz - axy))
        xy = 0.5 * root * ((axy - ax - ay + a) + (axyz - axz - ayz + az))
        xz = 0.5 * root * ((axz - ax - az + a) + (axyz - axy - ayz + ay))
        yz = 0.5 * root * ((ayz - ay - az + a) + (axyz - axy - axz + ax))
        xyz = root * root * (axyz - axy - axz + ax - ayz + ay + az - a)
        slopes[0, c, 0], slopes[0, c, 1], slopes[0, c, 2] = x * g[0], y * g[1], zz * g[2]
        slopes[1, c, 1], slopes[1, c, 2] = xy * g[1], xz * g[2]
        slopes[2, c, 0], slopes[2, c, 2] = xy * g[0], yz * g[2]
        slopes[3, c, 0], slopes[3, c, 1] = xz * g[0], yz * g[1]
        slopes[4, c, 0], slopes[5, c, 1], slopes[6, c, 2] = xyz * g[0], xyz * g[1], xyz * g[2]
    for f in range(7):
        s = slopes[f]
        strains[f, 0], strains[f, 1], strains[f, 2] = s[0, 0], s[1, 1], s[2, 2]
        strains[f, 3], strains[f, 4], strains[f, 5] = s[1, 2] + s[2, 1], s[0, 2] + s[2, 0], s[0, 1] + s[1, 0]
    for k in range(6):
        strains[0, k] += g[3 + k]


@kernel
def strain_field(start, stop, piece, u, counts, g, out):
    """Write each element's mean strain, doubled shears, to out (6, voxels...)."""
    strains = np.zeros((7, 6))
    for i in range(start, stop):
        for j in range(counts[1]):
            for z in range(counts[2]):
                _element_strains(u, i, j, z, g, strains)
                for k in range(6):
                    out[k, i, j, z] = strains[0, k]


@kernel
def slopes(start, stop, piece, first, second, index, g, h, first_own, second_own, columns, out):
    """Add the derivatives of two fields' energy by the table's entries to out[piece] (rows, columns).

    Args:
        first, second: the two displacements.
        index: row of every element.
        g, h: inverse spacings and mean strain of either.
        first_own, second_own: (rows, 6), strains that carry no stress, with doubled shears.
        columns: 4 or 42.
    """
    a, b = np.zeros((7, 6)), np.zeros((7, 6))
    for i in range(start, stop):
        for j in range(index.shape[1]):
            for z in range(index.shape[2]):
                row = index[i, j, z]
                _element_strains(first, i, j, z, g, a)
                _element_strains(second, i, j, z, h, b)
                for k in range(6):
                    a[0, k] -= first_own[row, k]
                    b[0, k] -= second_own[row, k]
                for f in range(7):
                    own = out[piece, row]
                    if columns == 4:
                        at = 0 if f == 0 else 2
                        own[at] += (a[f, 0] + a[f, 1] + a[f, 2]) * (b[f, 0] + b[f, 1] + b[f, 2])
                        for k in range(3):
                            own[at + 1] += 2 * a[f, k] * b[f, k] + a[f, k + 3] * b[f, k + 3]
                        continue
                    at = 0 if f == 0 else 21
                    for k in range(6):
                        own[at] += a[f, k] * b[f, k]
                        at += 1
                        for n in range(k + 1, 6):
                            own[at] += a[f, k] * b[f, n] + a[f, n] * b[f, k]
                            at += 1


@kernel
def own_slopes(start, stop, piece, u, index, g, out):
    """Add the sums of each row's mean strain, doubled shears, to out[piece] (rows, 6)."""
    strains = np.zeros((7, 6))
    for i in range(start, stop):
        for j in range(index.shape[1]):
            for z in range(index.shape[2]):
                _element_strains(u, i, j, z, g, strains)
                for k in range(6):
                    out[piece, index[i, j, z], k] += strains[0, k]
