"""Compiled Fourier transforms of rows: many lines side by side, a stage at a time.

Complex numbers are pairs. A transform of n rows, each with the same place of many lines, is a chain of stages

    b_k = w^(p k) sum over j of  a_j e^(-2 pi i j k / radix),

each of which reads as many rows as its radix says and writes as many, in an order that sorts itself
(Stockham; Van Loan, Computational Frameworks for the Fast Fourier Transform, SIAM 1992, section 1.7). The
inner loops run along the rows, so that the processor takes several lines at once, and none has to be turned.
"""

import math

import numpy as np

from scalebridge.core.compiled import kernel, row_kernel

RADICES = (8, 5, 4, 3, 2)
"""Lengths of the stages, as far as there are any."""

_EIGHTH = math.sqrt(0.5)
_COS_3, _SIN_3 = -0.5, math.sqrt(0.75)
_COS_5, _SIN_5 = math.cos(0.4 * math.pi), math.sin(0.4 * math.pi)
_COS_10, _SIN_10 = math.cos(0.8 * math.pi), math.sin(0.8 * math.pi)


@row_kernel
def _two(a0, a1, b0, b1, u1, v1):
    for k in range(a0.size // 2):
        r, i = a0[2 * k] - a1[2 * k], a0[2 * k + 1] - a1[2 * k + 1]
        b0[2 * k], b0[2 * k + 1] = a0[2 * k] + a1[2 * k], a0[2 * k + 1] + a1[2 * k + 1]
        b1[2 * k], b1[2 * k + 1] = u1 * r - v1 * i, u1 * i + v1 * r


@row_kernel
def _three(a0, a1, a2, b0, b1, b2, sine, cosine, u1, v1, u2, v2):
    for k in range(a0.size // 2):
        sr, si = a1[2 * k] + a2[2 * k], a1[2 * k + 1] + a2[2 * k + 1]
        dr, di = a1[2 * k] - a2[2 * k], a1[2 * k + 1] - a2[2 * k + 1]
        er, ei = a0[2 * k] + cosine * sr, a0[2 * k + 1] + cosine * si
        b0[2 * k], b0[2 * k + 1] = a0[2 * k] + sr, a0[2 * k + 1] + si
        r, i = er + sine * di, ei - sine * dr
        b1[2 * k], b1[2 * k + 1] = u1 * r - v1 * i, u1 * i + v1 * r
        r, i = er - sine * di, ei + sine * dr
        b2[2 * k], b2[2 * k + 1] = u2 * r - v2 * i, u2 * i + v2 * r


@row_kernel
def _four(a0, a1, a2, a3, b0, b1, b2, b3, sign, u1, v1, u2, v2, u3, v3):
    for k in range(a0.size // 2):
        er, ei = a0[2 * k] + a2[2 * k], a0[2 * k + 1] + a2[2 * k + 1]
        fr, fi = a0[2 * k] - a2[2 * k], a0[2 * k + 1] - a2[2 * k + 1]
        gr, gi = a1[2 * k] + a3[2 * k], a1[2 * k + 1] + a3[2 * k + 1]
        hr, hi = sign * (a1[2 * k + 1] - a3[2 * k + 1]), sign * (a3[2 * k] - a1[2 * k])
        b0[2 * k], b0[2 * k + 1] = er + gr, ei + gi
        r, i = fr + hr, fi + hi
        b1[2 * k], b1[2 * k + 1] = u1 * r - v1 * i, u1 * i + v1 * r
        r, i = er - gr, ei - gi
        b2[2 * k], b2[2 * k + 1] = u2 * r - v2 * i, u2 * i + v2 * r
        r, i = fr - hr, fi - hi
        b3[2 * k], b3[2 * k + 1] = u3 * r - v3 * i, u3 * i + v3 * r


@row_kernel
def _five(a0, a1, a2, a3, a4, b0, b1, b2, b3, b4, c1, c2, s1, s2, u1, v1, u2, v2, u3, v3, u4, v4):
    for k in range(a0.size // 2):
        pr, pi = a1[2 * k] + a4[2 * k], a1[2 * k + 1] + a4[2 * k + 1]
        mr, mi = a1[2 * k] - a4[2 * k], a1[2 * k + 1] - a4[2 * k + 1]
        qr, qi = a2[2 * k] + a3[2 * k], a2[2 * k + 1] + a3[2 * k + 1]
        nr, ni = a2[2 * k] - a3[2 * k], a2[2 * k + 1] - a3[2 * k + 1]
        b0[2 * k], b0[2 * k + 1] = a0[2 * k] + pr + qr, a0[2 * k + 1] + pi + qi
        er, ei = a0[2 * k] + c1 * pr + c2 * qr, a0[2 * k + 1] + c1 * pi + c2 * qi
        fr, fi = s1 * mi + s2 * ni, -s1 * mr - s2 * nr
        r, i = er + fr, ei + fi
        b1[2 * k], b1[2 * k + 1] = u1 * r - v1 * i, u1 * i + v1 * r
        r, i = er - fr, ei - fi
        b4[2 * k], b4[2 * k + 1] = u4 * r - v4 * i, u4 * i + v4 * r
        er, ei = a0[2 * k] + c2 * pr + c1 * qr, a0[2 * k + 1] + c2 * pi + c1 * qi
        fr, fi = s2 * mi - s1 * ni, s1 * nr - s2 * mr
        r, i = er + fr, ei + fi
        b2[2 * k], b2[2 * k + 1] = u2 * r - v2 * i, u2 * i + v2 * r
        r, i = er - fr, ei - fi
        b3[2 * k], b3[2 * k + 1] = u3 * r - v3 * i, u3 * i + v3 * r


@row_kernel
def _eight(a0, a1, a2, a3, a4, a5, a6, a7, b0, b1, b2, b3, b4, b5, b6, b7, sign, eighth, u1, v1, u2, v2, u3, v3, u4, v4, u5, v5, u6, v6, u7, v7):  # fmt: skip  # noqa: E501
    """Even outputs are four of the sums of rows half apart, odd ones four of the turned differences."""
    for k in range(a0.size // 2):
        pr, pi = a0[2 * k] + a4[2 * k], a0[2 * k + 1] + a4[2 * k + 1]
        mr, mi = a0[2 * k] - a4[2 * k], a0[2 * k + 1] - a4[2 * k + 1]
        qr, qi = a2[2 * k] + a6[2 * k], a2[2 * k + 1] + a6[2 * k + 1]
        nr, ni = sign * (a2[2 * k + 1] - a6[2 * k + 1]), sign * (a6[2 * k] - a2[2 * k])
        sr, si = a1[2 * k] + a5[2 * k], a1[2 * k + 1] + a5[2 * k + 1]
        xr, xi = a1[2 * k] - a5[2 * k], a1[2 * k + 1] - a5[2 * k + 1]
        tr, ti = a3[2 * k] + a7[2 * k], a3[2 * k + 1] + a7[2 * k + 1]
        yr, yi = a3[2 * k] - a7[2 * k], a3[2 * k + 1] - a7[2 * k + 1]
        xr, xi = eighth * (xr + sign * xi), eighth * (xi - sign * xr)
        yr, yi = eighth * (sign * yi - yr), -eighth * (yi + sign * yr)
        er, ei, fr, fi = pr + qr, pi + qi, pr - qr, pi - qi
        gr, gi, hr, hi = sr + tr, si + ti, sign * (si - ti), sign * (tr - sr)
        b0[2 * k], b0[2 * k + 1] = er + gr, ei + gi
        r, i = fr + hr, fi + hi
        b2[2 * k], b2[2 * k + 1] = u2 * r - v2 * i, u2 * i + v2 * r
        r, i = er - gr, ei - gi
        b4[2 * k], b4[2 * k + 1] = u4 * r - v4 * i, u4 * i + v4 * r
        r, i = fr - hr, fi - hi
        b6[2 * k], b6[2 * k + 1] = u6 * r - v6 * i, u6 * i + v6 * r
        er, ei, fr, fi = mr + nr, mi + ni, mr - nr, mi - ni
        gr, gi, hr, hi = xr + yr, xi + yi, sign * (xi - yi), sign * (yr - xr)
        r, i = er + gr, ei + gi
        b1[2 * k], b1[2 * k + 1] = u1 * r - v1 * i, u1 * i + v1 * r
        r, i = fr + hr, fi + hi
        b3[2 * k], b3[2 * k + 1] = u3 * r - v3 * i, u3 * i + v3 * r
        r, i = er - gr, ei - gi
        b5[2 * k], b5[2 * k + 1] = u5 * r - v5 * i, u5 * i + v5 * r
        r, i = fr - hr, fi - hi
        b7[2 * k], b7[2 * k + 1] = u7 * r - v7 * i, u7 * i + v7 * r


@kernel
def _stage(radix, x, of, step, y, to, stride, size, sign, w):
    """One row of a stage: rows of `size` numbers, `step` apart in x from `of`, `stride` apart in y from `to`.

    Rows are cut in the very calls: gathered in tuples, they made it two to four times as slow.

    Args:
        radix: how many.
        sign: 1 forward, -1 back.
        w: the radix's factors, pairs; the first is one.
    """
    number = x.dtype.type
    if radix == 8:
        _eight(x[of : of + size], x[of + step : of + step + size], x[of + 2 * step : of + 2 * step + size], x[of + 3 * step : of + 3 * step + size], x[of + 4 * step : of + 4 * step + size], x[of + 5 * step : of + 5 * step + size], x[of + 6 * step : of + 6 * step + size], x[of + 7 * step : of + 7 * step + size], y[to : to + size], y[to + stride : to + stride + size], y[to + 2 * stride : to + 2 * stride + size], y[to + 3 * stride : to + 3 * stride + size], y[to + 4 * stride : to + 4 * stride + size], y[to + 5 * stride : to + 5 * stride + size], y[to + 6 * stride : to + 6 * stride + size], y[to + 7 * stride : to + 7 * stride + size], sign, number(_EIGHTH), w[2], w[3], w[4], w[5], w[6], w[7], w[8], w[9], w[10], w[11], w[12], w[13], w[14], w[15])  # fmt: skip  # noqa: E501
    elif radix == 5:
        _five(x[of : of + size], x[of + step : of + step + size], x[of + 2 * step : of + 2 * step + size], x[of + 3 * step : of + 3 * step + size], x[of + 4 * step : of + 4 * step + size], y[to : to + size], y[to + stride : to + stride + size], y[to + 2 * stride : to + 2 * stride + size], y[to + 3 * stride : to + 3 * stride + size], y[to + 4 * stride : to + 4 * stride + size], number(_COS_5), number(_COS_10), sign * number(_SIN_5), sign * number(_SIN_10), w[2], w[3], w[4], w[5], w[6], w[7], w[8], w[9])  # fmt: skip  # noqa: E501
    elif radix == 4:
        _four(x[of : of + size], x[of + step : of + step + size], x[of + 2 * step : of + 2 * step + size], x[of + 3 * step : of + 3 * step + size], y[to : to + size], y[to + stride : to + stride + size], y[to + 2 * stride : to + 2 * stride + size], y[to + 3 * stride : to + 3 * stride + size], sign, w[2], w[3], w[4], w[5], w[6], w[7])  # fmt: skip  # noqa: E501
    elif radix == 3:
        _three(x[of : of + size], x[of + step : of + step + size], x[of + 2 * step : of + 2 * step + size], y[to : to + size], y[to + stride : to + stride + size], y[to + 2 * stride : to + 2 * stride + size], sign * number(_SIN_3), number(_COS_3), w[2], w[3], w[4], w[5])  # fmt: skip  # noqa: E501
    else:
        _two(x[of : of + size], x[of + step : of + step + size], y[to : to + size], y[to + stride : to + stride + size], w[2], w[3])  # fmt: skip  # noqa: E501


@kernel
def transform_rows(field, first, count, apart, points, stride, width, radices, factors, forward, tile):
    """Transform lines in place, unscaled.

    Args:
        field: flat, pairs of numbers.
        first, count, apart: where the first set of lines begins, how many sets, and how far they lie apart.
        points, stride: points of a line and how far they lie apart.
        width: numbers (twice the lines) of a set, side by side.
        radices: of the stages, two at least; their product is `points`.
        factors: (stages, numbers): pairs by row and output of each stage.
        forward: whether with e^(-2 pi i ...); else with the other sign, and the conjugate factors.
        tile: (2, points * numbers that are taken at once), room.
    """
    sign = field.dtype.type(1 if forward else -1)
    most, stages = tile.shape[1] // points, radices.size
    for b in range(count):
        for low in range(0, width, most):
            size, base = min(most, width - low), first + b * apart + low
            radix = radices[0]
            rows, sorted_by = points // radix, radix
            for p in range(rows):
                of, w = base + p * stride, factors[0, 2 * p * radix :]
                _stage(radix, field, of, rows * stride, tile[0], p * radix * size, size, size, sign, w)
            x, y = tile[0], tile[1]
            for s in range(1, stages - 1):
                radix, long = radices[s], sorted_by * size
                rows = points // (radix * sorted_by)
                for p in range(rows):
                    w = factors[s, 2 * p * radix :]
                    _stage(radix, x, p * long, rows * long, y, p * radix * long, long, long, sign, w)
                x, y, sorted_by = y, x, sorted_by * radix
            radix, long, w = radices[stages - 1], sorted_by * size, factors[stages - 1]
            for q in range(sorted_by):
                to = base + q * stride
                _stage(radix, x, q * size, long, field, to, sorted_by * stride, size, sign, w)


def stages_of(points: int) -> list[int]:
    """Return radices whose product is a number of points, [] where there are none.

    Example:
        >>> stages_of(400), stages_of(7)
        ([5, 5, 4, 4], [])
    """
    found, left = [], points
    for radix in RADICES:
        while left % radix == 0:
            found.append(radix)
            left //= radix
    if 8 in found and found[-1] == 2:  # two of four cost less than one of eight and one of two
        found.remove(8)
        found = sorted([*found[:-1], 4, 4], reverse=True)
    return found if left == 1 else []


def factors_of(radices: list[int], dtype: np.dtype, *, forward: bool = True) -> np.ndarray:
    """Return the factors w^(p k) of every stage, (stages, numbers), pairs by row p and output k."""
    points = math.prod(radices)
    found, sorted_by = np.zeros((len(radices), 2 * points), dtype), 1
    for s, radix in enumerate(radices):
        rows = points // (radix * sorted_by)
        angles = 2 * np.pi / (rows * radix) * np.outer(np.arange(rows), np.arange(radix)).reshape(-1)
        pairs = [np.cos(angles), -np.sin(angles) if forward else np.sin(angles)]
        found[s, : 2 * angles.size] = np.stack(pairs, axis=1).reshape(-1)
        sorted_by *= radix
    return found
