"""Compiled loops of the radial return of J2 plasticity: one pass over the points, in cached blocks.

Fields have their components first, one row of points each. A block is taken in three rows: the trial, which
the processor's vector units do; the plastic step, a number a point, with a few of Newton's steps where the
hardening is Voce's; and what follows from it, in vectors again. These rows are there for the loops of cells,
which have a block's strains in the cache already. `parameters` is (K, G, H_k, Y, H, Q, b): bulk and shear
modulus, Prager's modulus, and sigma_y = Y + Q (1 - exp(-b p)) + H p.
"""

import math

import numpy as np

from scalebridge.core.compiled import kernel, row_kernel

BLOCK = 512
"""Points in a block: 31 rows of them are 126 kB, which the second cache holds."""
_NEWTON = 50
_WIDE = 32  # divides BLOCK; vectors and their unrolling divide it


@row_kernel
def trial_rows(count, g2, back, e0, e1, e2, e3, e4, e5, p0, p1, p2, p3, p4, p5, r0, r1, r2, r3, r4, r5, q):
    """Fill the trial's deviator less the back stress, and its equivalent stress."""
    for i in range(count):
        a, b, c = e0[i] - p0[i], e1[i] - p1[i], e2[i] - p2[i]
        mean = (a + b + c) / 3.0
        x0 = g2 * (a - mean) - back * p0[i]
        x1 = g2 * (b - mean) - back * p1[i]
        x2 = g2 * (c - mean) - back * p2[i]
        x3 = g2 * (e3[i] - p3[i]) - back * p3[i]
        x4 = g2 * (e4[i] - p4[i]) - back * p4[i]
        x5 = g2 * (e5[i] - p5[i]) - back * p5[i]
        r0[i], r1[i], r2[i], r3[i], r4[i], r5[i] = x0, x1, x2, x3, x4, x5
        q[i] = math.sqrt(1.5 * (x0 * x0 + x1 * x1 + x2 * x2 + x3 * x3 + x4 * x4 + x5 * x5))


@row_kernel
def linear_steps(count, falls, limit, modulus, kinematic, accumulated, q, step, slopes):
    """Fill the plastic steps of linear hardening, and how much the resistance grows with them."""
    for i in range(count):
        excess = q[i] - limit - modulus * accumulated[i]
        step[i] = 0.0 if excess <= 0.0 else excess / (falls + modulus)
        slopes[i] = kinematic + modulus


@kernel
def voce_steps(count, falls, kinematic, limit, modulus, saturation, rate, accumulated, q, step, slopes):
    """The same for Voce's hardening."""
    for i in range(count):
        step[i] = voce_step(q[i], accumulated[i], falls, limit, modulus, saturation, rate)
        decay = math.exp(-rate * (accumulated[i] + step[i]))
        slopes[i] = kinematic + modulus + saturation * rate * decay


@kernel
def voce_step(trial, before, falls, limit, modulus, saturation, rate):
    """Return the plastic step of Voce's hardening; NaN where Newton's method does not end.

    The residual is convex and falls (saturation >= 0), or concave (< 0): from zero the method comes from one
    side and cannot cycle, but for roundings: the residual has the trial's, however small the step is.
    """
    decay = saturation * math.exp(-rate * before)
    base = trial - limit - saturation - modulus * before
    if base + decay <= 0.0:
        return 0.0
    step, rounding = 0.0, 4e-16 * trial / falls
    for _ in range(_NEWTON):
        left = decay * math.exp(-rate * step)
        change = (base - (falls + modulus) * step + left) / (falls + modulus + rate * left)
        step += change
        if abs(change) <= 4e-16 * abs(step) + rounding:
            return step
    return np.nan


@row_kernel
def follow_rows(count, g2, bulk, e0, e1, e2, p0, p1, p2, p3, p4, p5, acc, r0, r1, r2, r3, r4, r5, q, back, step, s0, s1, s2, s3, s4, s5, total):  # fmt: skip  # noqa: E501
    """Fill the stress, and bring the plastic strain and its accumulation to the end of the step."""
    for i in range(count):
        size = q[i] if q[i] != 0.0 else 1.0
        flow = 1.5 * step[i] / size
        left = 1.0 - g2 * flow
        pressure = bulk * (e0[i] + e1[i] + e2[i])
        # The stress' deviator is the trial's, r + back p, less 2 G times the plastic step.
        s0[i] = pressure + left * r0[i] + back * p0[i]
        s1[i] = pressure + left * r1[i] + back * p1[i]
        s2[i] = pressure + left * r2[i] + back * p2[i]
        s3[i] = left * r3[i] + back * p3[i]
        s4[i] = left * r4[i] + back * p4[i]
        s5[i] = left * r5[i] + back * p5[i]
        p0[i], p1[i], p2[i] = p0[i] + flow * r0[i], p1[i] + flow * r1[i], p2[i] + flow * r2[i]
        p3[i], p4[i], p5[i] = p3[i] + flow * r3[i], p4[i] + flow * r4[i], p5[i] + flow * r5[i]
        total[i] = acc[i] + step[i]


@row_kernel
def tangent_rows(count, g2, slopes, q, step, s, g, r0, r1, r2, r3, r4, r5):
    """Fill s and g of the compact tangent, and turn the trial's deviator into its direction n."""
    for i in range(count):
        size = q[i] if q[i] != 0.0 else 1.0
        turned = 1.5 * g2 * step[i] / size
        fallen = 1.5 * g2 / (1.5 * g2 + slopes[i])
        s[i] = g2 * (1.0 - turned)
        g[i] = g2 * (turned - fallen) if step[i] != 0.0 else 0.0
        unit = 1.224744871391589 / size
        r0[i], r1[i], r2[i] = unit * r0[i], unit * r1[i], unit * r2[i]
        r3[i], r4[i], r5[i] = unit * r3[i], unit * r4[i], unit * r5[i]


@row_kernel
def copy_row(count, given, kept):
    """Copy a row."""
    for i in range(count):
        kept[i] = given[i]


@kernel
def return_slab(start, stop, piece, parameters, wants_tangent, strain, plastic, accumulated, stress, grown, total, s, g, n):  # fmt: skip  # noqa: E501
    """Return the points of a slab radially.

    Rows whose distance in memory is a power of two share the few places of a cache, which was seen to cost a
    factor of eight. So a block's rows are copied to a place of their own, whose rows are an odd number of
    cache lines apart, and the answers copied back. There rows are filled up, so that a number does not depend
    on where slabs begin and end: any number of threads gives the same to the last digit.

    Args:
        start, stop, piece: the slab, as `slabs.in_slabs` cuts it.
        parameters: as above.
        wants_tangent: whether s, g and n are filled; else they may be empty.
        strain, plastic, accumulated: strain (6, points) at the end of the step, and the state before it.
        stress, grown, total: stress (6, points) and the state at the end; may be the memory of those before.
        s, g, n: (points,), (points,), (6, points) of the compact tangent.
    """
    bulk, shear, kinematic, limit, modulus, saturation, rate = parameters
    g2, back, falls = 2.0 * shear, kinematic / 1.5, 3.0 * shear + kinematic
    rows = np.empty((31, BLOCK + 8))
    e, p, acc, r, t = rows[0:6], rows[6:12], rows[12], rows[13:19], rows[19:25]
    q, step, slopes, sums = rows[25], rows[26], rows[27], rows[28]
    s_row, g_row = rows[29], rows[30]
    for first in range(start, stop, BLOCK):
        last = min(first + BLOCK, stop)
        count = last - first
        full = (count + _WIDE - 1) // _WIDE * _WIDE  # so that no row has an end of another code
        rows[:13, count:full] = 0.0
        for k in range(6):
            copy_row(count, strain[k, first:last], e[k])
            copy_row(count, plastic[k, first:last], p[k])
        copy_row(count, accumulated[first:last], acc)
        trial_rows(full, g2, back, e[0], e[1], e[2], e[3], e[4], e[5], p[0], p[1], p[2], p[3], p[4], p[5], r[0], r[1], r[2], r[3], r[4], r[5], q)  # fmt: skip  # noqa: E501
        if saturation == 0.0:
            linear_steps(full, falls, limit, modulus, kinematic, acc, q, step, slopes)
        else:
            voce_steps(full, falls, kinematic, limit, modulus, saturation, rate, acc, q, step, slopes)
        follow_rows(full, g2, bulk, e[0], e[1], e[2], p[0], p[1], p[2], p[3], p[4], p[5], acc, r[0], r[1], r[2], r[3], r[4], r[5], q, back, step, t[0], t[1], t[2], t[3], t[4], t[5], sums)  # fmt: skip  # noqa: E501
        for k in range(6):
            copy_row(count, t[k], stress[k, first:last])
            copy_row(count, p[k], grown[k, first:last])
        copy_row(count, sums, total[first:last])
        if wants_tangent:
            tangent_rows(full, g2, slopes, q, step, s_row, g_row, r[0], r[1], r[2], r[3], r[4], r[5])
            copy_row(count, s_row, s[first:last])
            copy_row(count, g_row, g[first:last])
            for k in range(6):
                copy_row(count, r[k], n[k, first:last])
