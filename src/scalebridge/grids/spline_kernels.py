"""A cubic spline's value and gradient at points, and the point of its zero level next to them.

Along each axis the spline is periodic or goes on as its reflection.
"""

import numpy as np

from scalebridge.core.compiled import kernel

_FLAT = (
    0.1  # squared slope; below it, as in the middle of a thin sheet, the field itself is the better distance
)
_ROUNDS = 4  # projections onto the level; each gains about two digits where the field is nearly a distance
_CLOSE = 1e-5  # of the least spacing, from the level: near enough to stop


@kernel
def _weights(place, count, folded, weights, slopes, numbers):
    """Write the weights, slopes and numbers of the four coefficients about a place on an axis."""
    low = int(np.floor(place))
    t = place - low
    u = 1.0 - t
    weights[0], weights[3] = u * u * u / 6.0, t * t * t / 6.0
    weights[1] = 2.0 / 3.0 - 0.5 * t * t * (2.0 - t)
    weights[2] = 2.0 / 3.0 - 0.5 * u * u * (2.0 - u)
    slopes[0], slopes[3] = -0.5 * u * u, 0.5 * t * t
    slopes[1] = t * (1.5 * t - 2.0)
    slopes[2] = -u * (1.5 * u - 2.0)
    for k in range(4):
        number = (low - 1 + k) % (2 * count if folded else count)
        numbers[k] = number if number < count else 2 * count - 1 - number


@kernel
def _spline(foot, coefficients, spacing, folds, work, gradient):
    """Return the spline at a point from the cell's corner; write its gradient. The grid has three axes."""
    weights, slopes, numbers = work
    shape = coefficients.shape
    for a in range(3):
        place = foot[a] / spacing[a] - 0.5
        _weights(place, shape[a], folds[a], weights[a], slopes[a], numbers[a])
    value, along, across, deep = 0.0, 0.0, 0.0, 0.0
    flat = shape[0] == 1  # a 2-D image: the spline is constant along the first axis
    for i in range(1 if flat else 4):
        plane = coefficients[0 if flat else numbers[0, i]]
        plane_value, plane_across, plane_deep = 0.0, 0.0, 0.0
        for j in range(4):
            row = plane[numbers[1, j]]
            row_value, row_deep = 0.0, 0.0
            for k in range(4):
                coefficient = row[numbers[2, k]]
                row_value += weights[2, k] * coefficient
                row_deep += slopes[2, k] * coefficient
            plane_value += weights[1, j] * row_value
            plane_across += slopes[1, j] * row_value
            plane_deep += weights[1, j] * row_deep
        weight = 1.0 if flat else weights[0, i]
        value += weight * plane_value
        along += 0.0 if flat else slopes[0, i] * plane_value
        across += weight * plane_across
        deep += weight * plane_deep
    gradient[0], gradient[1], gradient[2] = along / spacing[0], across / spacing[1], deep / spacing[2]
    return value


@kernel
def nearest_on_level(start, stop, piece, points, coefficients, spacing, folds, far, found):
    """Find the level's point next to each of the points [start, stop).

    Arguments: points (n, 3) from the cell's corner; coefficients, the spline's, three axes, the first of one
    voxel for a 2-D image; spacing (3,); folds (3,), where it goes on as its reflection; far, the distance
    beyond which the field itself is returned; found (n, 4), written: signed distance, and the unit gradient.
    """
    foot, gradient, first = np.empty(3), np.empty(3), np.empty(3)
    work = (np.empty((3, 4)), np.empty((3, 4)), np.empty((3, 4), np.int64))
    close = _CLOSE * min(spacing[1], spacing[2])
    for number in range(start, stop):
        foot[:] = points[number]
        distance, steep = 0.0, 0.0
        first_value, first_steep = 0.0, 0.0
        for step in range(_ROUNDS + 1):
            value = _spline(foot, coefficients, spacing, folds, work, gradient)
            steep = gradient[0] ** 2 + gradient[1] ** 2 + gradient[2] ** 2
            if step == 0:
                first_value, first_steep = value, steep
                first[:] = gradient
            if abs(first_value) > far or steep < _FLAT:
                distance, steep = first_value, first_steep
                gradient[:] = first
                break
            away = 0.0
            for a in range(3):
                away += (points[number, a] - foot[a]) * gradient[a]
            # The level's tangent plane at the foot, seen from the point: its nearest point is the next foot.
            height = (value + away) / steep
            distance = height * np.sqrt(steep)
            if step == _ROUNDS or (step > 0 and abs(value) < close):
                break
            for a in range(3):
                foot[a] = points[number, a] - height * gradient[a]
        if distance * first_value < 0.0:  # the foot went through a thin part to its other side
            distance, steep = first_value, first_steep
            gradient[:] = first
        found[number, 0] = distance
        scale = 1.0 / np.sqrt(max(steep, 1e-24))
        for a in range(3):
            found[number, 1 + a] = gradient[a] * scale
