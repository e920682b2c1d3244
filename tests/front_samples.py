"""A second way to run a front, for tests: method of lines on a window that stands still, by LSODA."""

import numpy as np
from scipy.integrate import solve_ivp


def run_plainly(layers, driving, *, cells, periods, time, length):
    """Follow a front through whole periods of layers; return times, and distances covered.

    Args:
        layers: (thickness, mobility, gradient energy, barrier) of each layer.
        driving: driving force.
        cells: cells of each layer.
        periods: periods of the window.
        time: until when.
        length: of the profile to start from; the front starts at a quarter of the window.
    """
    rows = np.repeat(np.asarray(layers, dtype=float), cells, axis=0)
    thickness, mobility, kappa, barrier = np.tile(rows, (periods, 1)).T
    width = thickness / cells
    half = width / (2.0 * kappa)
    conductance = 1.0 / (half[:-1] + half[1:])
    centres = np.cumsum(width) - 0.5 * width
    start = 0.5 * (1.0 - np.tanh((centres - 0.25 * width.sum()) / (2.0 * length)))

    def rate(_, phase):
        flux = np.concatenate(([0.0], conductance * np.diff(phase), [0.0]))
        force = phase * (1.0 - phase) * (6.0 * driving - 2.0 * barrier * (1.0 - 2.0 * phase))
        return mobility * (np.diff(flux) / width + force)

    times = np.linspace(0.0, time, 4001)
    found = solve_ivp(
        rate, (0.0, time), start, "LSODA", t_eval=times, rtol=1e-8, atol=1e-10, lband=1, uband=1
    )
    place = width @ found.y
    assert found.success
    return times, place - place[0]


def plain_speed(times, covered, period, skip):
    """Return the speed over all whole periods that were passed after the first few."""
    last = int(covered[-1] // period)
    assert last > skip, "the front did not get far enough"
    first, end = np.interp([skip * period, last * period], covered, times)
    return (last - skip) * period / (end - first)
