"""Tensor algebra of pointwise laws: symmetric tensors as six numbers in Mandel notation, and as matrices.

A symmetric tensor is (11, 22, 33, r2 23, r2 13, r2 12) with r2 = sqrt(2), so that the double contraction of
two tensors is the product of two vectors. Every function may be differentiated at zero.
"""

import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from scalebridge.core import precision as _precision  # noqa: F401

_ROOT = 2.0**0.5
_ROWS, _COLUMNS = np.array([0, 1, 2, 1, 0, 0]), np.array([0, 1, 2, 2, 2, 1])
_PLACES = np.array([[0, 5, 4], [5, 1, 3], [4, 3, 2]])
_WEIGHTS = np.array([1.0, 1.0, 1.0, _ROOT, _ROOT, _ROOT])

UNIT = np.array([1.0, 1.0, 1.0, 0.0, 0.0, 0.0])
"""The unit tensor."""
VOLUMETRIC = np.outer(UNIT, UNIT)
"""1 x 1: takes a strain to its trace times the unit tensor."""
DEVIATORIC = np.eye(6) - VOLUMETRIC / 3.0
"""Projector on deviators."""


def trace(tensor: Float[Array, "6"]) -> Float[Array, ""]:
    """Trace of a symmetric tensor.

    Example:
        >>> float(trace(jnp.arange(6.0)))
        3.0
    """
    return tensor[0] + tensor[1] + tensor[2]


def deviator(tensor: Float[Array, "6"]) -> Float[Array, "6"]:
    """Part of a symmetric tensor without trace.

    Example:
        >>> deviator(jnp.array([3.0, 0, 0, 0, 0, 1.0])).tolist()
        [2.0, -1.0, -1.0, 0.0, 0.0, 1.0]
    """
    return tensor - trace(tensor) / 3.0 * UNIT


def magnitude(tensor: Float[Array, " n"]) -> Float[Array, ""]:
    """Norm sqrt(t : t), whose derivative at zero is zero.

    Example:
        >>> float(magnitude(jnp.array([3.0, 4.0]))), float(magnitude(jnp.zeros(6)))
        (5.0, 0.0)
    """
    square = tensor @ tensor
    zero = square == 0.0  # written so that a NaN stays one
    return jnp.where(zero, 0.0, jnp.sqrt(jnp.where(zero, 1.0, square)))


def direction(tensor: Float[Array, " n"]) -> Float[Array, " n"]:
    """Unit tensor along a tensor, zero where there is none.

    Example:
        >>> direction(jnp.array([0.0, 4.0])).tolist(), direction(jnp.zeros(2)).tolist()
        ([0.0, 1.0], [0.0, 0.0])
    """
    size = magnitude(tensor)
    return tensor / jnp.where(size > 0.0, size, 1.0)


def von_mises(stress: Float[Array, "6"]) -> Float[Array, ""]:
    """Equivalent stress of von Mises, sqrt(3/2 s : s).

    Example:
        >>> round(float(von_mises(jnp.array([-2.0, 0, 0, 0, 0, 0]))), 12)
        2.0
    """
    return 1.5**0.5 * magnitude(deviator(stress))


def matrix(tensor: Float[Array, "6"]) -> Float[Array, "3 3"]:
    """Matrix of a symmetric tensor in Mandel notation.

    Example:
        >>> matrix(jnp.array([1.0, 2.0, 3.0, 0, 0, 2.0**0.5])).round(12).tolist()
        [[1.0, 1.0, 0.0], [1.0, 2.0, 0.0], [0.0, 0.0, 3.0]]
    """
    return (tensor / _WEIGHTS)[_PLACES]


def mandel(square: Float[Array, "3 3"]) -> Float[Array, "6"]:
    """Mandel notation of a matrix, of which the symmetric part is taken.

    Example:
        >>> mandel(jnp.eye(3)).tolist()
        [1.0, 1.0, 1.0, 0.0, 0.0, 0.0]
    """
    return jnp.asarray(_WEIGHTS) * 0.5 * (square[_ROWS, _COLUMNS] + square[_COLUMNS, _ROWS])


def isotropic_stress(bulk: ArrayLike, shear: ArrayLike, strain: Float[Array, "6"]) -> Float[Array, "6"]:
    """Stress of an isotropic linear elastic material: K tr(e) 1 + 2 G dev(e).

    Example:
        >>> isotropic_stress(4.0, 3.0, jnp.array([1.0, 0, 0, 0, 0, 0])).round(12).tolist()
        [8.0, 2.0, 2.0, 0.0, 0.0, 0.0]
    """
    return jnp.asarray(bulk) * trace(strain) * UNIT + 2.0 * jnp.asarray(shear) * deviator(strain)


def isotropic_energy(bulk: ArrayLike, shear: ArrayLike, strain: Float[Array, "6"]) -> Float[Array, ""]:
    """Energy of an isotropic linear elastic material: K tr(e)^2 / 2 + G dev(e) : dev(e).

    Example:
        >>> round(float(isotropic_energy(4.0, 3.0, jnp.array([1.0, 0, 0, 0, 0, 0]))), 12)
        4.0
    """
    part = deviator(strain)
    return 0.5 * jnp.asarray(bulk) * trace(strain) ** 2 + jnp.asarray(shear) * (part @ part)
