"""Compiled loop of the difference of descriptors: every channel and its slope where a map puts a point."""

import numpy as np

from scalebridge.core.compiled import kernel
from scalebridge.registration.similarity_kernels import bilinear, cubic, inside


@kernel
def compare_channels(
    start, stop, piece, places, fixed, channels, mask, misses, slopes, weights, weight_slopes
):
    """Write the difference of each channel at places (n, 2), its slopes, and the mask with its slopes.

    Channels are cubic B-spline coefficients (rows, columns, channels), fixed ones (n, channels).
    """
    rows, columns, count = channels.shape
    wx, wy, dx, dy = np.empty(4), np.empty(4), np.empty(4), np.empty(4)
    for i in range(start, stop):
        x, y = places[i, 0], places[i, 1]
        weights[i] = weight_slopes[i, 0] = weight_slopes[i, 1] = 0.0
        misses[i] = 0.0
        slopes[i] = 0.0
        if not (x > -1.0 and y > -1.0 and x < rows and y < columns):
            continue
        j, k = int(np.floor(x)), int(np.floor(y))
        weights[i], weight_slopes[i, 0], weight_slopes[i, 1] = bilinear(mask, j, k, x - j, y - k)
        if weights[i] <= 0.0:
            continue
        cubic(x - j, wx, dx)
        cubic(y - k, wy, dy)
        for a in range(4):
            row = inside(j + a - 1, rows)
            for b in range(4):
                column = inside(k + b - 1, columns)
                both, along, across = wx[a] * wy[b], dx[a] * wy[b], wx[a] * dy[b]
                for c in range(count):
                    sample = channels[row, column, c]
                    misses[i, c] += both * sample
                    slopes[i, c, 0] += along * sample
                    slopes[i, c, 1] += across * sample
        for c in range(count):
            misses[i, c] -= fixed[i, c]
