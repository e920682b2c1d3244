"""Functions of symmetric matrices by their principal values, with exact derivatives where values coalesce.

    f(A) = V f(a) V',    df(A) [dA] = V (D o V' dA V) V',    D_ij = (f(a_i) - f(a_j)) / (a_i - a_j)

The quotients D are written so that nothing cancels, so that the derivative is exact to rounding for equal,
near and distant values alike. Principal values are found by Jacobi's rotations, in plain arithmetic: 3 x 3
matrices in batches need no library, and come out the same in a batch and alone.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from scalebridge.core import precision as _precision  # noqa: F401

Matrix = Float[Array, "3 3"]
_SWEEPS = 6  # quadratic convergence: four reach rounding
# [[c, s, 0], [-s, c, 0], [0, 0, 1]] with its columns moved on by one, taken apart.
_STAY = np.array([[0.0, 1, 0], [0, 0, 1], [0, 0, 0]])
_TURN = np.array([[0.0, 0, 1], [0, -1, 0], [0, 0, 0]])
_ROLL = np.array([[0.0, 0, 0], [0, 0, 0], [1, 0, 0]])


def principal(square: Matrix) -> tuple[Float[Array, "3"], Matrix]:
    """Principal values, in no order, and axes (columns) of a symmetric matrix; not to be differentiated.

    Example:
        >>> values, axes = principal(jnp.array([[2.0, 1, 0], [1, 2, 0], [0, 0, 5]]))
        >>> sorted(values.round(12).tolist())
        [1.0, 3.0, 5.0]
    """

    def turn_once(_: int, work: tuple[Array, Array]) -> tuple[Array, Array]:
        values, axes = work
        turn = _rotation(values)
        return turn.T @ values @ turn, axes @ turn

    values, axes = jax.lax.fori_loop(0, 3 * _SWEEPS, turn_once, (square, jnp.eye(3)))
    return jnp.diagonal(values), axes


def _rotation(values: Array) -> Array:
    """Return the rotation that makes the element (0, 1) zero, followed by a cyclic exchange of the axes."""
    off, half = values[0, 1], 0.5 * (values[1, 1] - values[0, 0])
    # The tangent of the smaller angle, zero where there is nothing to turn.
    root = jnp.where(half < 0.0, -1.0, 1.0) * jnp.sqrt(half * half + off * off)
    tangent = jnp.where(off == 0.0, 0.0, off / jnp.where(off == 0.0, 1.0, half + root))
    cosine = 1.0 / jnp.sqrt(1.0 + tangent * tangent)
    sine = tangent * cosine
    return cosine * _STAY + sine * _TURN + _ROLL


def spectral_function(
    function: Callable[[Array], Array], quotient: Callable[[Array, Array], Array]
) -> Callable[[Matrix], Matrix]:
    """Make a matrix function of a function of numbers and its divided difference.

    Args:
        function: f, of arrays.
        quotient: (f(a) - f(b)) / (a - b), and f'(a) where they are equal, of arrays.

    Returns:
        the matrix function, which may be differentiated once in any direction.
    """

    @jax.custom_jvp
    def mapped(square: Matrix) -> Matrix:
        values, axes = principal(square)
        return (axes * function(values)) @ axes.T

    @mapped.defjvp
    def _(primals: tuple[Matrix], tangents: tuple[Matrix]) -> tuple[Matrix, Matrix]:
        values, axes = principal(primals[0])
        quotients = quotient(values[:, None], values[None, :])
        change = axes.T @ (0.5 * (tangents[0] + tangents[0].T)) @ axes
        return (axes * function(values)) @ axes.T, axes @ (quotients * change) @ axes.T

    return mapped


def _quotient_log(a: Array, b: Array) -> Array:
    """(log a - log b) / (a - b) = atanh(x) / (x m), x = (a - b) / (a + b), m the mean."""
    x = (a - b) / (a + b)
    small = jnp.abs(x) < 1e-2
    safe = jnp.where(small, 0.5, x)
    series = 1.0 + x * x * (1 / 3 + x * x * (1 / 5 + x * x * (1 / 7 + x * x / 9)))  # the rest is 1e-20 / 11
    return jnp.where(small, series, jnp.arctanh(safe) / safe) / (0.5 * (a + b))


def _quotient_exp(a: Array, b: Array) -> Array:
    """(exp a - exp b) / (a - b) = exp(m) sinh(h) / h, m the mean, h half of the difference."""
    half = 0.5 * (a - b)
    small = jnp.abs(half) < 1e-2
    safe = jnp.where(small, 1.0, half)
    square = half * half
    series = 1.0 + square / 6 * (1.0 + square / 20 * (1.0 + square / 42))  # the rest is 1e-16 / 3e5
    return jnp.exp(0.5 * (a + b)) * jnp.where(small, series, jnp.sinh(safe) / safe)


def _quotient_positive(a: Array, b: Array) -> Array:
    equal = a == b
    apart = (jnp.maximum(a, 0.0) - jnp.maximum(b, 0.0)) / jnp.where(equal, 1.0, a - b)
    return jnp.where(equal, jnp.where(a > 0.0, 1.0, 0.0), apart)


matrix_log = spectral_function(jnp.log, _quotient_log)
"""Logarithm of a symmetric positive definite matrix; NaN where it is not one."""
matrix_exp = spectral_function(jnp.exp, _quotient_exp)
"""Exponential of a symmetric matrix."""
positive_part = spectral_function(lambda a: jnp.maximum(a, 0.0), _quotient_positive)
"""A symmetric matrix without its negative principal values."""


def determinant(square: Matrix) -> Float[Array, ""]:
    """Determinant of a 3 x 3 matrix.

    Example:
        >>> float(determinant(2.0 * jnp.eye(3)))
        8.0
    """
    return square[0] @ jnp.cross(square[1], square[2])


def cofactor(square: Matrix) -> Matrix:
    """Cofactors of a 3 x 3 matrix: its determinant times the transpose of its inverse.

    Example:
        >>> cofactor(jnp.diag(jnp.array([1.0, 2.0, 4.0]))).tolist()
        [[8.0, 0.0, 0.0], [0.0, 4.0, 0.0], [0.0, 0.0, 2.0]]
    """
    return jnp.stack([jnp.cross(square[i], square[j]) for i, j in np.array([[1, 2], [2, 0], [0, 1]])])


def inverse_transposed(square: Matrix) -> Matrix:
    """Transpose of the inverse of a 3 x 3 matrix.

    Example:
        >>> inverse_transposed(jnp.array([[1.0, 1, 0], [0, 1, 0], [0, 0, 1]])).tolist()
        [[1.0, 0.0, 0.0], [-1.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
    """
    return cofactor(square) / determinant(square)
