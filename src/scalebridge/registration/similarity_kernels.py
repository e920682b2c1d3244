"""Compiled loops of the similarity: sample the moving image, fill the joint histogram, carry slopes back.

Every loop takes a slab of points, start to stop. Places are in samples of the moving image, with fractions.
Weights are the mask between its samples and fall to zero over one sample beyond the image's edge, so that the
overlap changes smoothly. Windows are quadratic B-splines of three bins: they sum to one and have a slope
everywhere, so that the histogram is a differentiable function of the places.
"""

import numpy as np

from scalebridge.core.compiled import kernel


@kernel
def sample_plane(start, stop, piece, places, image, mask, values, weights, slopes, weight_slopes):
    """Cubic B-spline of coefficients and the bilinear mask at places (n, 2), with their derivatives."""
    rows, columns = image.shape
    wx, wy, dx, dy = np.empty(4), np.empty(4), np.empty(4), np.empty(4)
    for i in range(start, stop):
        x, y = places[i, 0], places[i, 1]
        values[i] = weights[i] = 0.0
        slopes[i, 0] = slopes[i, 1] = weight_slopes[i, 0] = weight_slopes[i, 1] = 0.0
        if not (x > -1.0 and y > -1.0 and x < rows and y < columns):
            continue
        j, k = int(np.floor(x)), int(np.floor(y))
        fx, fy = x - j, y - k
        weights[i], weight_slopes[i, 0], weight_slopes[i, 1] = bilinear(mask, j, k, fx, fy)
        cubic(fx, wx, dx)
        cubic(fy, wy, dy)
        value = slope_x = slope_y = 0.0
        for a in range(4):
            row = inside(j + a - 1, rows)
            across = along = 0.0
            for b in range(4):
                sample = image[row, inside(k + b - 1, columns)]
                across += wy[b] * sample
                along += dy[b] * sample
            value += wx[a] * across
            slope_x += dx[a] * across
            slope_y += wx[a] * along
        values[i] = value
        slopes[i, 0], slopes[i, 1] = slope_x, slope_y


@kernel
def bilinear(mask, j, k, fx, fy):
    """A mask between four samples and its two slopes; zero beyond the edge."""
    rows, columns = mask.shape
    corner = np.zeros((2, 2))
    for a in range(2):
        for b in range(2):
            if 0 <= j + a < rows and 0 <= k + b < columns:
                corner[a, b] = mask[j + a, k + b]
    low = corner[0, 0] + fy * (corner[0, 1] - corner[0, 0])
    high = corner[1, 0] + fy * (corner[1, 1] - corner[1, 0])
    across = (1.0 - fx) * (corner[0, 1] - corner[0, 0]) + fx * (corner[1, 1] - corner[1, 0])
    return low + fx * (high - low), high - low, across


@kernel
def cubic(fraction, weight, slope):
    """Write the four cubic B-splines that cover a fraction, and their slopes."""
    rest = 1.0 - fraction
    weight[0] = rest * rest * rest / 6.0
    weight[1] = 2.0 / 3.0 - fraction * fraction * (1.0 - 0.5 * fraction)
    weight[2] = 2.0 / 3.0 - rest * rest * (1.0 - 0.5 * rest)
    weight[3] = fraction * fraction * fraction / 6.0
    slope[0] = -0.5 * rest * rest
    slope[1] = fraction * (1.5 * fraction - 2.0)
    slope[2] = -rest * (1.5 * rest - 2.0)
    slope[3] = 0.5 * fraction * fraction


@kernel
def inside(index, count):
    """Reflect an index about the first and last sample, as SciPy's `mirror`; clamp what is still outside."""
    if index < 0:
        index = -index
    if index >= count:
        index = 2 * count - 2 - index
    return min(max(index, 0), count - 1)


@kernel
def sample_volume(start, stop, piece, places, image, mask, values, weights, slopes, weight_slopes):
    """Trilinear image and mask at places (n, 3), with derivatives by the place; zero beyond the edge."""
    nx, ny, nz = image.shape
    for i in range(start, stop):
        x, y, z = places[i, 0], places[i, 1], places[i, 2]
        values[i] = weights[i] = 0.0
        for axis in range(3):
            slopes[i, axis] = weight_slopes[i, axis] = 0.0
        if not (x > -1.0 and y > -1.0 and z > -1.0 and x < nx and y < ny and z < nz):
            continue
        j, k, m = int(np.floor(x)), int(np.floor(y)), int(np.floor(z))
        fx, fy, fz = x - j, y - k, z - m
        for a in range(2):
            wx, sx = (fx, 1.0) if a else (1.0 - fx, -1.0)
            for b in range(2):
                wy, sy = (fy, 1.0) if b else (1.0 - fy, -1.0)
                for c in range(2):
                    wz, sz = (fz, 1.0) if c else (1.0 - fz, -1.0)
                    if 0 <= j + a < nx and 0 <= k + b < ny and 0 <= m + c < nz:
                        value, weight = image[j + a, k + b, m + c], mask[j + a, k + b, m + c]
                        values[i] += wx * wy * wz * value
                        weights[i] += wx * wy * wz * weight
                        slopes[i, 0] += sx * wy * wz * value
                        slopes[i, 1] += wx * sy * wz * value
                        slopes[i, 2] += wx * wy * sz * value
                        weight_slopes[i, 0] += sx * wy * wz * weight
                        weight_slopes[i, 1] += wx * sy * wz * weight
                        weight_slopes[i, 2] += wx * wy * sz * weight


@kernel
def _window(place, weight, slope):
    """Write three quadratic B-splines of bins and their slopes; return the first bin."""
    middle = int(np.floor(place + 0.5))
    off = place - middle
    weight[0] = 0.5 * (0.5 - off) * (0.5 - off)
    weight[1] = 0.75 - off * off
    weight[2] = 0.5 * (0.5 + off) * (0.5 + off)
    slope[0], slope[1], slope[2] = off - 0.5, -2.0 * off, off + 0.5
    return middle - 1


@kernel
def fill_histogram(start, stop, piece, fixed, fixed_weights, values, weights, histograms):
    """Add each point's weight to the joint histogram of its piece, (pieces, bins, bins).

    Fixed values are in bins already; moving ones lie in 0..1 and are held there.
    """
    bins = histograms.shape[1]
    first, second, slope = np.empty(3), np.empty(3), np.empty(3)
    for i in range(start, stop):
        weight = fixed_weights[i] * weights[i]
        if weight <= 0.0:
            continue
        a = _window(fixed[i], first, slope)
        b = _window(1.0 + min(max(values[i], 0.0), 1.0) * (bins - 3), second, slope)
        for m in range(3):
            for n in range(3):
                histograms[piece, a + m, b + n] += weight * first[m] * second[n]


@kernel
def carry_back(
    start,
    stop,
    piece,
    fixed,
    fixed_weights,
    values,
    weights,
    slopes,
    weight_slopes,
    by_bin,
    forces,
    curvatures,
):
    """Write d(similarity)/d(place) of each point, (n, axes), from that by the histogram's bins.

    `curvatures` (n) take the weighted square of the slope along the moving value: Fisher's information.
    """
    bins, axes = by_bin.shape[0], slopes.shape[1]
    first, second, slope = np.empty(3), np.empty(3), np.empty(3)
    for i in range(start, stop):
        for axis in range(axes):
            forces[i, axis] = 0.0
        curvatures[i] = 0.0
        if fixed_weights[i] <= 0.0:
            continue
        value = min(max(values[i], 0.0), 1.0)
        a = _window(fixed[i], first, slope)
        b = _window(1.0 + value * (bins - 3), second, slope)
        by_weight = by_value = 0.0
        for m in range(3):
            for n in range(3):
                part = first[m] * by_bin[a + m, b + n]
                by_weight += part * second[n]
                by_value += part * slope[n]
        if values[i] <= 0.0 or values[i] >= 1.0:
            by_value = 0.0
        by_value *= bins - 3
        curvatures[i] = fixed_weights[i] * weights[i] * by_value * by_value
        for axis in range(axes):
            change = by_value * weights[i] * slopes[i, axis] + by_weight * weight_slopes[i, axis]
            forces[i, axis] = fixed_weights[i] * change
