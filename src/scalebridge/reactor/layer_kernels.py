"""Rays through layers, as compiled loops: the flux of every cell by the source of every other."""

import numpy as np

from scalebridge.core.compiled import kernel


@kernel
def respond(
    start,
    stop,
    piece,
    ray_start,
    cells,
    lengths,
    cosines,
    weights,
    total,
    outer,
    orders,
    response,
):
    """Add to the response of moments of cells to sources of unit moments, one group.

    A ray enters through the outer face, turns, and leaves; what it brings
    back in through the outer face is known in closed form, because it returns as it left.

    Arguments: ray_start, cells, lengths, cosines: segments of each ray; weights: of each ray; total
    (cells,); outer: part that comes back; orders: number of moments;
    response (pieces, orders cells, orders cells), written: integral of moments by source per volume / total.
    """
    count = total.size
    flux = np.empty(orders * count)
    legendre = np.empty(orders)
    for ray in range(start, stop):
        for lap in range(2):  # the first from nothing; then with what comes back in
            passed = 1.0
            if lap == 0:
                flux[:] = 0.0
            for s in range(ray_start[ray], ray_start[ray + 1]):
                cell = cells[s]
                depth = total[cell] * lengths[s]
                drop = -np.expm1(-depth)
                _legendre(cosines[s], legendre)
                if lap == 1:
                    _tally(weights[ray] / total[cell], depth, drop, cell, flux, legendre, response[piece])
                flux *= 1.0 - drop
                for j in range(orders):
                    flux[j * count + cell] += (2 * j + 1) * legendre[j] * drop
                passed *= 1.0 - drop
            if lap == 0:
                flux *= outer / (1.0 - outer * passed)


@kernel
def _tally(weight, depth, drop, cell, flux, legendre, response):
    """Add what a segment has of every source to the moments of its cell; its own source fills it too."""
    count = response.shape[0] // legendre.size
    for i in range(legendre.size):
        w = weight * legendre[i]
        row = response[i * count + cell]
        for k in range(flux.size):
            row[k] += w * drop * flux[k]
        for j in range(legendre.size):
            row[j * count + cell] += w * (2 * j + 1) * legendre[j] * (depth - drop)


@kernel
def _legendre(x, values):
    values[0] = 1.0
    if values.size > 1:
        values[1] = x
    for n in range(2, values.size):
        values[n] = ((2 * n - 1) * x * values[n - 1] - (n - 1) * values[n - 2]) / n
