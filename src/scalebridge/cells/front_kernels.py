"""Compiled loops of a front in one dimension: rates, and a linearly implicit step of third order.

The grid is a row of cells of the layers' own widths. A medium is (4, n): mobility, barrier, cell width, and
the conductance to the next cell (0 behind the last one: nothing passes the ends).
"""

import numpy as np

from scalebridge.core.compiled import kernel

# ROS3P: three stages, third order, no loss of order on parabolic problems, stable however stiff.
# J. Lang, J. Verwer, BIT 41 (2001) 731.
_ROOT = np.sqrt(3.0)
_GAMMA = 0.5 + _ROOT / 6.0
_A = 1.0 / _GAMMA  # the second and the third stage are taken from u + U_1 / gamma
_C21, _C31, _C32 = -1.0 / _GAMMA**2, -2.0 * _ROOT, -_ROOT
_M2, _M3 = _ROOT / 3.0, 1.0 / (3.0 * _GAMMA)
_E1, _E2 = 5.0 * _ROOT / 3.0 - 3.0, _ROOT / 3.0 - 1.0  # the step less the one of second order inside it


@kernel
def front_rates(phase, medium, driving, rates):
    """Fill in phi_t = L ((kappa phi')' - W f'(phi) + m g'(phi)); return the rate of the integral of phi."""
    n = phase.size
    total, flux = 0.0, 0.0
    for i in range(n):
        value = phase[i]
        after = medium[3, i] * (phase[i + 1] - value) if i < n - 1 else 0.0
        force = value * (1.0 - value) * (6.0 * driving - 2.0 * medium[1, i] * (1.0 - 2.0 * value))
        rates[i] = medium[0, i] * ((after - flux) / medium[2, i] + force)
        total += rates[i] * medium[2, i]
        flux = after
    return total


@kernel
def front_pivots(phase, medium, driving, inverse_step, pivots):
    """Eliminate (1 / step - J) / L without exchanging rows, and return how many pivots are not positive.

    J is the Jacobian of the rates. With an infinite step that count is the number of modes that grow
    (Sylvester's law of inertia; the matrix is symmetric when weighted by the cells' widths).
    """
    n, growing, before = phase.size, 0, 0.0
    for i in range(n):
        value, width = phase[i], medium[2, i]
        after = medium[3, i] if i < n - 1 else 0.0
        bent = 2.0 * medium[1, i] * (1.0 - 6.0 * value * (1.0 - value)) - 6.0 * driving * (1.0 - 2.0 * value)
        pivot = (inverse_step / medium[0, i] + bent) * width + before + after
        if i > 0:
            pivot -= before * before / pivots[i - 1]
        if not pivot > 0.0:
            growing += 1
        pivots[i] = pivot
        before = after
    return growing


@kernel
def front_solve(medium, pivots, right):
    """Solve with the pivots of `front_pivots`, in place; the right side is a rate."""
    n = right.size
    right[0] *= medium[2, 0] / medium[0, 0]
    for i in range(1, n):
        right[i] = right[i] * medium[2, i] / medium[0, i] + medium[3, i - 1] / pivots[i - 1] * right[i - 1]
    right[n - 1] /= pivots[n - 1]
    for i in range(n - 2, -1, -1):
        right[i] = (right[i] + medium[3, i] * right[i + 1]) / pivots[i]


@kernel
def front_step(phase, medium, driving, step, after, work):
    """Take one step of ROS3P from `phase` into `after`; return its estimated error, the largest of all cells.

    `work` is (5, n). An error that is not a number says that the step was far too long.
    """
    first, second, third, pivots, trial = work[0], work[1], work[2], work[3], work[4]
    n = phase.size
    front_pivots(phase, medium, driving, 1.0 / (_GAMMA * step), pivots)
    front_rates(phase, medium, driving, first)
    front_solve(medium, pivots, first)
    for i in range(n):
        trial[i] = phase[i] + _A * first[i]
    front_rates(trial, medium, driving, second)
    for i in range(n):
        third[i] = second[i] + _C31 / step * first[i]
        second[i] += _C21 / step * first[i]
    front_solve(medium, pivots, second)
    for i in range(n):
        third[i] += _C32 / step * second[i]
    front_solve(medium, pivots, third)
    error = 0.0
    for i in range(n):
        after[i] = phase[i] + 2.0 * first[i] + _M2 * second[i] + _M3 * third[i]
        error = max(error, abs(_E1 * first[i] + _E2 * second[i]))
    return error
