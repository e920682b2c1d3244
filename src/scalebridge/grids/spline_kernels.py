"""A periodic cubic spline's value and gradient at points, and the point of its zero level next to them."""

import numpy as np

from scalebridge.core.compiled import kernel

_FLAT = 0.1  # squared slope; below it, as in the middle of a thin sheet, the field itself is the better distance
_ROUNDS = 4  # projections onto the level; each gains about two digits where the field is nearly a distance


@kernel
def _spline(place, coefficients, shape, spacing, gradient):
    """Return the spline at a place in voxels (middles at whole numbers); write its gradient by length."""
    dim = shape.size
    weights, slopes = np.empty((dim, 4)), np.empty((dim, 4))
    numbers = np.empty((dim, 4), np.int64)
    for a in range(dim):
        low = int(np.floor(place[a]))
        t = place[a] - low
        u = 1.0 - t
        weights[a, 0], weights[a, 3] = u * u * u / 6.0, t * t * t / 6.0
        weights[a, 1] = 2.0 / 3.0 - 0.5 * t * t * (2.0 - t)
        weights[a, 2] = 2.0 / 3.0 - 0.5 * u * u * (2.0 - u)
        slopes[a, 0], slopes[a, 3] = -0.5 * u * u, 0.5 * t * t
        slopes[a, 1] = t * (1.5 * t - 2.0)
        slopes[a, 2] = -u * (1.5 * u - 2.0)
        for k in range(4):
            numbers[a, k] = (low - 1 + k) % shape[a]
    value = 0.0
    gradient[:] = 0.0
    for taps in range(4**dim):
        rest, flat = taps, 0
        product = 1.0
        for a in range(dim):
            k = rest % 4
            rest //= 4
            flat = flat * shape[a] + numbers[a, k]
            product *= weights[a, k]
        coefficient = coefficients[flat]
        value += product * coefficient
        for b in range(dim):
            rest, part = taps, coefficient
            for a in range(dim):
                k = rest % 4
                rest //= 4
                part *= slopes[a, k] if a == b else weights[a, k]
            gradient[b] += part
    for a in range(dim):
        gradient[a] /= spacing[a]
    return value


@kernel
def nearest_on_level(start, stop, piece, points, coefficients, grid, found):
    """Find the level's point next to each of the points [start, stop).

    Arguments: points (n, dim) from the cell's corner; coefficients, the spline's, flat; grid, the shape,
    the spacing and the distance beyond which the field itself is returned; found (n, 1 + dim), written:
    signed distance, and the unit gradient.
    """
    shape, spacing, far = grid
    dim = shape.size
    place, foot, gradient = np.empty(dim), np.empty(dim), np.empty(dim)
    start_gradient, start_value, start_steep, steep = np.empty(dim), 0.0, 0.0, 0.0
    for number in range(start, stop):
        foot[:] = points[number]
        distance = 0.0
        for step in range(_ROUNDS + 1):
            for a in range(dim):
                place[a] = foot[a] / spacing[a] - 0.5
            value = _spline(place, coefficients, shape, spacing, gradient)
            steep = 0.0
            for a in range(dim):
                steep += gradient[a] * gradient[a]
            if step == 0:
                start_value, start_steep = value, steep
                start_gradient[:] = gradient
            if abs(start_value) > far or steep < _FLAT:
                distance, steep = start_value, start_steep
                gradient[:] = start_gradient
                break
            away = 0.0
            for a in range(dim):
                away += (points[number, a] - foot[a]) * gradient[a]
            # The level's tangent plane at the foot, seen from the point: its nearest point is the next foot.
            height = (value + away) / steep
            distance = height * np.sqrt(steep)
            if step < _ROUNDS:
                for a in range(dim):
                    foot[a] = points[number, a] - height * gradient[a]
        found[number, 0] = distance
        scale = 1.0 / np.sqrt(max(steep, 1e-24))
        for a in range(dim):
            found[number, 1 + a] = gradient[a] * scale
