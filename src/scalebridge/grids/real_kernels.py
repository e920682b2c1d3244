"""Compiled Fourier transforms of real rows: many lines side by side, their half of the waves turned over.

A line of 2 m real numbers is one of m complex ones, c_n = x_2n + i x_(2n + 1), whose waves C give those of x,

    X_k = E_k + w^k O_k,   E_k = (C_k + C*_(m-k)) / 2,   O_k = (C_k - C*_(m-k)) / 2i,   w = e^(-pi i / m).

Real and imaginary parts are rows of their own here, where a plane's rows lie anyway. The stages are those of
`grids/line_kernels.py`, forward only: with real and imaginary parts exchanged they are the way back.

What the next axis needs side by side, this one has one below the other: a plane is turned over (transposed)
by squares as wide as the processor's registers, which a compiler does not find by itself.
"""

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types

from scalebridge.core.compiled import instructions, kernel, row_kernel

REGISTER = 64
"""Bytes of a square's side: fewer points along either axis are not for these loops."""

_EIGHTH = np.sqrt(0.5)
_COS_3, _SIN_3 = -0.5, np.sqrt(0.75)
_COS_5, _SIN_5 = np.cos(0.4 * np.pi), np.sin(0.4 * np.pi)
_COS_10, _SIN_10 = np.cos(0.8 * np.pi), np.sin(0.8 * np.pi)


@row_kernel
def _two(r0, i0, r1, i1, s0, t0, s1, t1, u1, v1):
    for k in range(r0.size):
        r, i = r0[k] - r1[k], i0[k] - i1[k]
        s0[k], t0[k] = r0[k] + r1[k], i0[k] + i1[k]
        s1[k], t1[k] = u1 * r - v1 * i, u1 * i + v1 * r


@row_kernel
def _three(r0, i0, r1, i1, r2, i2, s0, t0, s1, t1, s2, t2, sine, cosine, u1, v1, u2, v2):
    for k in range(r0.size):
        sr, si, dr, di = r1[k] + r2[k], i1[k] + i2[k], sine * (r1[k] - r2[k]), sine * (i1[k] - i2[k])
        er, ei = r0[k] + cosine * sr, i0[k] + cosine * si
        s0[k], t0[k] = r0[k] + sr, i0[k] + si
        r, i = er + di, ei - dr
        s1[k], t1[k] = u1 * r - v1 * i, u1 * i + v1 * r
        r, i = er - di, ei + dr
        s2[k], t2[k] = u2 * r - v2 * i, u2 * i + v2 * r


@row_kernel
def _four(r0, i0, r1, i1, r2, i2, r3, i3, s0, t0, s1, t1, s2, t2, s3, t3, u1, v1, u2, v2, u3, v3):
    for k in range(r0.size):
        er, ei, fr, fi = r0[k] + r2[k], i0[k] + i2[k], r0[k] - r2[k], i0[k] - i2[k]
        gr, gi, hr, hi = r1[k] + r3[k], i1[k] + i3[k], i1[k] - i3[k], r3[k] - r1[k]
        s0[k], t0[k] = er + gr, ei + gi
        r, i = fr + hr, fi + hi
        s1[k], t1[k] = u1 * r - v1 * i, u1 * i + v1 * r
        r, i = er - gr, ei - gi
        s2[k], t2[k] = u2 * r - v2 * i, u2 * i + v2 * r
        r, i = fr - hr, fi - hi
        s3[k], t3[k] = u3 * r - v3 * i, u3 * i + v3 * r


@row_kernel
def _five(r0, i0, r1, i1, r2, i2, r3, i3, r4, i4, s0, t0, s1, t1, s2, t2, s3, t3, s4, t4, c1, c2, n1, n2, u1, v1, u2, v2, u3, v3, u4, v4):  # fmt: skip  # noqa: E501
    for k in range(r0.size):
        pr, pi, mr, mi = r1[k] + r4[k], i1[k] + i4[k], r1[k] - r4[k], i1[k] - i4[k]
        qr, qi, nr, ni = r2[k] + r3[k], i2[k] + i3[k], r2[k] - r3[k], i2[k] - i3[k]
        s0[k], t0[k] = r0[k] + pr + qr, i0[k] + pi + qi
        er, ei = r0[k] + c1 * pr + c2 * qr, i0[k] + c1 * pi + c2 * qi
        fr, fi = n1 * mi + n2 * ni, -n1 * mr - n2 * nr
        r, i = er + fr, ei + fi
        s1[k], t1[k] = u1 * r - v1 * i, u1 * i + v1 * r
        r, i = er - fr, ei - fi
        s4[k], t4[k] = u4 * r - v4 * i, u4 * i + v4 * r
        er, ei = r0[k] + c2 * pr + c1 * qr, i0[k] + c2 * pi + c1 * qi
        fr, fi = n2 * mi - n1 * ni, n1 * nr - n2 * mr
        r, i = er + fr, ei + fi
        s2[k], t2[k] = u2 * r - v2 * i, u2 * i + v2 * r
        r, i = er - fr, ei - fi
        s3[k], t3[k] = u3 * r - v3 * i, u3 * i + v3 * r


@row_kernel
def _eight(r0, i0, r1, i1, r2, i2, r3, i3, r4, i4, r5, i5, r6, i6, r7, i7, s0, t0, s1, t1, s2, t2, s3, t3, s4, t4, s5, t5, s6, t6, s7, t7, eighth, u1, v1, u2, v2, u3, v3, u4, v4, u5, v5, u6, v6, u7, v7):  # fmt: skip  # noqa: E501
    for k in range(r0.size):
        pr, pi, mr, mi = r0[k] + r4[k], i0[k] + i4[k], r0[k] - r4[k], i0[k] - i4[k]
        qr, qi, nr, ni = r2[k] + r6[k], i2[k] + i6[k], i2[k] - i6[k], r6[k] - r2[k]
        sr, si, xr, xi = r1[k] + r5[k], i1[k] + i5[k], r1[k] - r5[k], i1[k] - i5[k]
        tr, ti, yr, yi = r3[k] + r7[k], i3[k] + i7[k], r3[k] - r7[k], i3[k] - i7[k]
        xr, xi, yr, yi = eighth * (xr + xi), eighth * (xi - xr), eighth * (yi - yr), -eighth * (yi + yr)
        er, ei, fr, fi = pr + qr, pi + qi, pr - qr, pi - qi
        gr, gi, hr, hi = sr + tr, si + ti, si - ti, tr - sr
        s0[k], t0[k] = er + gr, ei + gi
        r, i = fr + hr, fi + hi
        s2[k], t2[k] = u2 * r - v2 * i, u2 * i + v2 * r
        r, i = er - gr, ei - gi
        s4[k], t4[k] = u4 * r - v4 * i, u4 * i + v4 * r
        r, i = fr - hr, fi - hi
        s6[k], t6[k] = u6 * r - v6 * i, u6 * i + v6 * r
        er, ei, fr, fi = mr + nr, mi + ni, mr - nr, mi - ni
        gr, gi, hr, hi = xr + yr, xi + yi, xi - yi, yr - xr
        r, i = er + gr, ei + gi
        s1[k], t1[k] = u1 * r - v1 * i, u1 * i + v1 * r
        r, i = fr + hr, fi + hi
        s3[k], t3[k] = u3 * r - v3 * i, u3 * i + v3 * r
        r, i = er - gr, ei - gi
        s5[k], t5[k] = u5 * r - v5 * i, u5 * i + v5 * r
        r, i = fr - hr, fi - hi
        s7[k], t7[k] = u7 * r - v7 * i, u7 * i + v7 * r


@kernel
def _stage(radix, xr, xi, of, step, yr, yi, to, size, w):
    """One row of a stage: rows of `size` numbers, `step` apart in x from `of`, side by side in y."""
    number, n = xr.dtype.type, size
    a0, b0 = of, to
    a1, a2, a3, a4, a5, a6, a7 = a0 + step, a0 + 2 * step, a0 + 3 * step, a0 + 4 * step, a0 + 5 * step, a0 + 6 * step, a0 + 7 * step  # fmt: skip  # noqa: E501
    b1, b2, b3, b4, b5, b6, b7 = b0 + n, b0 + 2 * n, b0 + 3 * n, b0 + 4 * n, b0 + 5 * n, b0 + 6 * n, b0 + 7 * n  # fmt: skip  # noqa: E501
    if radix == 8:
        _eight(xr[a0 : a0 + n], xi[a0 : a0 + n], xr[a1 : a1 + n], xi[a1 : a1 + n], xr[a2 : a2 + n], xi[a2 : a2 + n], xr[a3 : a3 + n], xi[a3 : a3 + n], xr[a4 : a4 + n], xi[a4 : a4 + n], xr[a5 : a5 + n], xi[a5 : a5 + n], xr[a6 : a6 + n], xi[a6 : a6 + n], xr[a7 : a7 + n], xi[a7 : a7 + n], yr[b0:b1], yi[b0:b1], yr[b1:b2], yi[b1:b2], yr[b2:b3], yi[b2:b3], yr[b3:b4], yi[b3:b4], yr[b4:b5], yi[b4:b5], yr[b5:b6], yi[b5:b6], yr[b6:b7], yi[b6:b7], yr[b7 : b7 + n], yi[b7 : b7 + n], number(_EIGHTH), w[2], w[3], w[4], w[5], w[6], w[7], w[8], w[9], w[10], w[11], w[12], w[13], w[14], w[15])  # fmt: skip  # noqa: E501
    elif radix == 5:
        _five(xr[a0 : a0 + n], xi[a0 : a0 + n], xr[a1 : a1 + n], xi[a1 : a1 + n], xr[a2 : a2 + n], xi[a2 : a2 + n], xr[a3 : a3 + n], xi[a3 : a3 + n], xr[a4 : a4 + n], xi[a4 : a4 + n], yr[b0:b1], yi[b0:b1], yr[b1:b2], yi[b1:b2], yr[b2:b3], yi[b2:b3], yr[b3:b4], yi[b3:b4], yr[b4:b5], yi[b4:b5], number(_COS_5), number(_COS_10), number(_SIN_5), number(_SIN_10), w[2], w[3], w[4], w[5], w[6], w[7], w[8], w[9])  # fmt: skip  # noqa: E501
    elif radix == 4:
        _four(xr[a0 : a0 + n], xi[a0 : a0 + n], xr[a1 : a1 + n], xi[a1 : a1 + n], xr[a2 : a2 + n], xi[a2 : a2 + n], xr[a3 : a3 + n], xi[a3 : a3 + n], yr[b0:b1], yi[b0:b1], yr[b1:b2], yi[b1:b2], yr[b2:b3], yi[b2:b3], yr[b3:b4], yi[b3:b4], w[2], w[3], w[4], w[5], w[6], w[7])  # fmt: skip  # noqa: E501
    elif radix == 3:
        _three(xr[a0 : a0 + n], xi[a0 : a0 + n], xr[a1 : a1 + n], xi[a1 : a1 + n], xr[a2 : a2 + n], xi[a2 : a2 + n], yr[b0:b1], yi[b0:b1], yr[b1:b2], yi[b1:b2], yr[b2:b3], yi[b2:b3], number(_SIN_3), number(_COS_3), w[2], w[3], w[4], w[5])  # fmt: skip  # noqa: E501
    else:
        _two(xr[a0 : a0 + n], xi[a0 : a0 + n], xr[a1 : a1 + n], xi[a1 : a1 + n], yr[b0:b1], yi[b0:b1], yr[b1:b2], yi[b1:b2], w[2], w[3])  # fmt: skip  # noqa: E501


@kernel
def _stages(xr, xi, yr, yi, points, width, radices, factors):
    """Transform rows in x, `width` numbers each. After an odd number of stages the answer is in y."""
    sorted_by = 1
    for s in range(radices.size):
        radix, long = radices[s], sorted_by * width
        rows = points // (radix * sorted_by)
        for p in range(rows):
            w = factors[s, 2 * p * radix :]
            _stage(radix, xr, xi, p * long, rows * long, yr, yi, p * radix * long, long, w)
        xr, xi, yr, yi, sorted_by = yr, yi, xr, xi, sorted_by * radix


@row_kernel
def _separate(cr, ci, dr, di, cosine, sine, half, xr, xi, yr, yi):
    """Waves k and m - k of a real line from those of its complex one."""
    for k in range(cr.size):
        er, ei = half * (cr[k] + dr[k]), half * (ci[k] - di[k])
        a, b = half * (ci[k] + di[k]), half * (dr[k] - cr[k])
        r, i = cosine * a + sine * b, cosine * b - sine * a
        xr[k], xi[k] = er + r, ei + i
        yr[k], yi[k] = er - r, i - ei


@row_kernel
def _separate_ends(cr, ci, first, first_i, last, last_i):
    """The first wave and the last, which are real."""
    for k in range(cr.size):
        first[k], last[k] = cr[k] + ci[k], cr[k] - ci[k]
        first_i[k], last_i[k] = 0, 0


@row_kernel
def _unite(xr, xi, yr, yi, cosine, sine, cr, ci, dr, di):
    """The way back, times two."""
    for k in range(cr.size):
        er, ei, a, b = xr[k] + yr[k], xi[k] - yi[k], xr[k] - yr[k], xi[k] + yi[k]
        r, i = cosine * a - sine * b, cosine * b + sine * a
        cr[k], ci[k] = er - i, ei + r
        dr[k], di[k] = er + i, r - ei


@row_kernel
def _unite_ends(first, last, cr, ci):
    for k in range(cr.size):
        cr[k], ci[k] = first[k] + last[k], first[k] - last[k]


@kernel
def _separate_all(cr, ci, points, n, turns, waves):
    """Waves (2 (points + 1), n), real and imaginary rows by turns, of a real line from its complex one's."""
    half = waves.dtype.type(0.5)
    _separate_ends(cr[:n], ci[:n], waves[0], waves[1], waves[2 * points], waves[2 * points + 1])
    for k in range(1, points // 2 + 1):
        a, b = k * n, (points - k) * n
        if a == b:  # two names of one row: not for loops that take them for two
            _middle(cr[a : a + n], ci[a : a + n], waves[2 * k], waves[2 * k + 1])
        else:
            _separate(cr[a : a + n], ci[a : a + n], cr[b : b + n], ci[b : b + n], turns[0, k], turns[1, k], half, waves[2 * k], waves[2 * k + 1], waves[2 * (points - k)], waves[2 * (points - k) + 1])  # fmt: skip  # noqa: E501


@row_kernel
def _middle(cr, ci, xr, xi):
    for k in range(cr.size):
        xr[k], xi[k] = cr[k], -ci[k]


@row_kernel
def _twice_middle(xr, xi, cr, ci):
    for k in range(cr.size):
        cr[k], ci[k] = 2 * xr[k], -2 * xi[k]


@kernel
def _unite_all(waves, points, n, turns, cr, ci):
    _unite_ends(waves[0], waves[2 * points], cr[:n], ci[:n])
    for k in range(1, points // 2 + 1):
        a, b = k * n, (points - k) * n
        if a == b:
            _twice_middle(waves[2 * k], waves[2 * k + 1], cr[a : a + n], ci[a : a + n])
        else:
            _unite(waves[2 * k], waves[2 * k + 1], waves[2 * (points - k)], waves[2 * (points - k) + 1], turns[0, k], turns[1, k], cr[a : a + n], ci[a : a + n], cr[b : b + n], ci[b : b + n])  # fmt: skip  # noqa: E501


@instructions
def _turn_square(_context, source, of, step, target, to, stride):
    """Transpose a square whose side is a register: rows `step` apart from `of`, to rows `stride` apart."""

    def generate(context, builder, signature, arguments):
        number = context.get_value_type(signature.args[0].dtype)
        side = REGISTER * 8 // signature.args[0].dtype.bitwidth
        vector, align = ir.VectorType(number, side), signature.args[0].dtype.bitwidth // 8
        x, of, step, y, to, stride = arguments

        def place(array, kind, index):
            data = context.make_array(kind)(context, builder, array).data
            return builder.bitcast(builder.gep(data, [index]), vector.as_pointer())

        rows = []
        for _ in range(side):
            rows.append(builder.load(place(x, signature.args[0], of), align=align))
            of = builder.add(of, step)
        apart = 1
        while apart < side:
            for i in (i for i in range(side) if not i & apart):
                rows[i], rows[i + apart] = _exchange(builder, rows[i], rows[i + apart], apart, side)
            apart *= 2
        for row in rows:
            builder.store(row, place(y, signature.args[3], to), align=align)
            to = builder.add(to, stride)
        return context.get_dummy_value()

    return types.void(source, types.intp, types.intp, target, types.intp, types.intp), generate


def _exchange(builder: Any, low: Any, high: Any, apart: int, side: int) -> tuple[Any, Any]:
    """Exchange the off-diagonal blocks of two rows."""
    first = [j if not j & apart else side + j - apart for j in range(side)]
    second = [j + apart if not j & apart else side + j for j in range(side)]
    return tuple(
        builder.shuffle_vector(low, high, ir.Constant(ir.VectorType(ir.IntType(32), side), mask))
        for mask in (first, second)
    )


@kernel
def _turn_over(source, of, step, rows, target, to, stride, columns):
    """Transpose rows of `columns` numbers, both not below a square's side: the last squares overlap."""
    side = REGISTER // source.itemsize
    for a in range(0, rows, side):
        i = min(a, rows - side)
        for b in range(0, columns, side):
            j = min(b, columns - side)
            _turn_square(source, of + i * step + j, step, target, to + j * stride + i, stride)


@row_kernel
def _take(plane, n, low, real, imaginary, of, width, count):
    """Rows 2 n and 2 n + 1 of a plane of a component, from `low` on."""
    at = np.uintp(of)
    for k in range(np.uintp(count)):
        real[at + k], imaginary[at + k] = plane[2 * n, np.uintp(low) + k], plane[2 * n + 1, np.uintp(low) + k]


@row_kernel
def _give(real, imaginary, of, plane, n, low, count):
    at = np.uintp(of)
    for k in range(np.uintp(count)):
        plane[2 * n, np.uintp(low) + k], plane[2 * n + 1, np.uintp(low) + k] = real[at + k], imaginary[at + k]


@kernel
def forward_planes(field, low, high, waves, radices, factors, turns, most, room, rows):
    """Write the waves along y of planes [low, high) of a field, turned over, unscaled.

    Args:
        field: (x, component, y, z).
        waves: (x, z, component, 2 (y/2 + 1)), pairs of numbers.
        radices, factors: of the stages of y/2 points, as in `line_kernels`.
        turns: (2, y/4 + 1), cosine and sine of pi k over y/2.
        most: numbers of z that are taken at once, a square's side at least.
        room: (4, y/2 * 3 * most).
        rows: flat, (2 (y/2 + 1), 3 * most).
    """
    _, parts, count, length = field.shape
    points, pairs = count // 2, 2 * (count // 2 + 1)
    flat, stride = waves.reshape(-1), parts * pairs
    for i in range(low, high):
        for first in range(0, length, most):
            z = max(0, min(first, length - most))
            size = min(most, length)
            width = parts * size
            for c in range(parts):
                for n in range(points):
                    _take(field[i, c], n, z, room[0], room[1], n * width + c * size, width, size)
            inner = points * width
            _stages(room[0][:inner], room[1][:inner], room[2][:inner], room[3][:inner], points, width, radices, factors)  # fmt: skip  # noqa: E501
            at = 2 * (radices.size % 2)
            _separate_all(
                room[at], room[at + 1], points, width, turns, rows[: pairs * width].reshape(pairs, width)
            )
            for c in range(parts):
                _turn_over(
                    rows, c * size, width, pairs, flat, ((i * length + z) * parts + c) * pairs, stride, size
                )


@kernel
def backward_planes(waves, low, high, out, radices, factors, turns, most, room, rows):
    """Write the planes that have the waves along y, unscaled, to out (planes, component, y, z); as before."""
    _, parts, count, length = out.shape
    points, pairs = count // 2, 2 * (count // 2 + 1)
    flat, stride = waves.reshape(-1), parts * pairs
    for i in range(low, high):
        for first in range(0, length, most):
            z = max(0, min(first, length - most))
            size = min(most, length)
            width = parts * size
            for c in range(parts):
                _turn_over(
                    flat, ((i * length + z) * parts + c) * pairs, stride, size, rows, c * size, width, pairs
                )
            _unite_all(rows[: pairs * width].reshape(pairs, width), points, width, turns, room[0], room[1])
            inner = points * width
            _stages(room[1][:inner], room[0][:inner], room[3][:inner], room[2][:inner], points, width, radices, factors)  # fmt: skip  # noqa: E501
            at = 2 * (radices.size % 2)
            for c in range(parts):
                for n in range(points):
                    _give(room[at], room[at + 1], n * width + c * size, out[i - low, c], n, z, size)
