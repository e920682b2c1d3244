"""How far ellipsoids and straight fibres are from touching, for many pairs at once."""

import numpy as np

from scalebridge.core.compiled import kernel

_HALVINGS = 28  # the maximum is flat: an error of 2^-28 in t is one of 2^-56 in F


def contact_function(first: np.ndarray, second: np.ndarray, away: np.ndarray) -> np.ndarray:
    """Return Perram and Wertheim's contact function of pairs of ellipsoids.

    F = max over 0 <= t <= 1 of  t (1 - t) r' [(1 - t) A + t B]^-1 r,  with A = sum_k a_k^2 u_k u_k' of one
    ellipsoid, B of the other, and r between their centres. Both scaled about their centres by sqrt(F) touch:
    F < 1 says that they overlap.

    Args:
        first: A, shape (pairs, d, d).
        second: B, shape (pairs, d, d).
        away: r, shape (pairs, d).

    Returns:
        F, shape (pairs,), at least 0.

    Cost: about 2 us a pair, and a second to compile.

    Source: J. W. Perram and M. S. Wertheim (1985), J. Comput. Phys. 58, 409,
        doi:10.1016/0021-9991(85)90171-8.

    Example:
        >>> ball = np.eye(3)[None]  # two balls of radius 1, 3 apart: each may grow to 1.5
        >>> round(float(contact_function(ball, ball, np.array([[0.0, 3.0, 0.0]]))[0]), 12)
        2.25
    """
    dim = away.shape[1]
    one, other = (np.tile(np.eye(3), (len(away), 1, 1)) for _ in range(2))
    one[:, :dim, :dim], other[:, :dim, :dim] = first, second
    way = np.zeros((len(away), 3))
    way[:, :dim] = away
    found = np.empty(len(away))
    _contacts(one, other, way, found)
    return found


@kernel
def _contacts(first, second, away, found):
    """Halve the interval of t on which the concave function's slope changes its sign, for every pair."""
    inverse, matrix = np.empty((3, 3)), np.empty((3, 3))
    for pair in range(len(found)):
        a, b, r = first[pair], second[pair], away[pair]
        low, high, t, value = 0.0, 1.0, 0.0, 0.0
        for _ in range(_HALVINGS):
            t = (low + high) / 2
            value, slope = _form(t, a, b, r, matrix, inverse)
            if (1 - 2 * t) * value > t * (1 - t) * slope:
                low = t
            else:
                high = t
        found[pair] = t * (1 - t) * value


@kernel
def _form(t, a, b, r, matrix, inverse):
    """Return r' M^-1 r and v' (B - A) v with v = M^-1 r and M = (1 - t) A + t B, by cofactors."""
    for i in range(3):
        for j in range(3):
            matrix[i, j] = (1 - t) * a[i, j] + t * b[i, j]
    for i in range(3):
        for j in range(3):
            k, m, p, q = (i + 1) % 3, (i + 2) % 3, (j + 1) % 3, (j + 2) % 3
            inverse[i, j] = matrix[k, p] * matrix[m, q] - matrix[k, q] * matrix[m, p]
    determinant = matrix[0, 0] * inverse[0, 0] + matrix[0, 1] * inverse[0, 1] + matrix[0, 2] * inverse[0, 2]
    value, slope = 0.0, 0.0
    for i in range(3):
        v_i = (inverse[i, 0] * r[0] + inverse[i, 1] * r[1] + inverse[i, 2] * r[2]) / determinant
        value += r[i] * v_i
        for j in range(3):
            v_j = (inverse[j, 0] * r[0] + inverse[j, 1] * r[1] + inverse[j, 2] * r[2]) / determinant
            slope += v_i * (b[i, j] - a[i, j]) * v_j
    return value, slope


def segment_distance(
    first: np.ndarray, second: np.ndarray, away: np.ndarray, half_lengths: tuple[float, float]
) -> np.ndarray:
    """Return the smallest distance between pairs of straight segments.

    Args:
        first: unit vectors along the first segments, shape (pairs, d).
        second: along the second ones, shape (pairs, d).
        away: middles of the second less those of the first, shape (pairs, d).
        half_lengths: of the first and of the second segments.

    Returns:
        distances, shape (pairs,).

    Cost: about 0.2 us a pair.

    Source: C. Vega and S. Lago (1994), Computers Chem. 18, 55, doi:10.1016/0097-8485(94)80023-5.

    Example:
        >>> x, y = np.eye(3)[:1], np.eye(3)[1:2]  # crossed at right angles, 0.5 apart
        >>> segment_distance(x, y, np.array([[0.2, 0.1, 0.5]]), (1.0, 1.0)).tolist()
        [0.5]
    """
    cosine = np.sum(first * second, axis=1)
    along_first, along_second = np.sum(first * away, axis=1), np.sum(second * away, axis=1)
    one, other = half_lengths
    apart = 1 - cosine**2
    # On the infinite lines first; of parallel ones any point serves. Each clip then moves to an end and looks
    # for the other's nearest point, which is exact because the squared distance is convex.
    free = np.where(apart > 1e-12, (along_first - cosine * along_second) / np.maximum(apart, 1e-12), 0.0)
    at_first = np.clip(free, -one, one)
    at_second = np.clip(cosine * at_first - along_second, -other, other)
    at_first = np.clip(cosine * at_second + along_first, -one, one)
    between = away + at_second[:, None] * second - at_first[:, None] * first
    return np.linalg.norm(between, axis=1)
