"""Linear conduction at a point: Fourier's, Ohm's and Fick's law, one form for all three.

    flux = K . gradient

K is the conductivity tensor (thermal W/m/K, electrical S/m, a diffusivity m^2/s), symmetric and positive
semidefinite. The sign is said once, here: the physical flux density is q = -K . grad T; in cell problems
`flux` is K . g, the opposite of q, so that flux and gradient have a non-negative product, the local power.
"""

from typing import Any

import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from scalebridge.core import precision as _precision  # noqa: F401
from scalebridge.core.errors import InputError, PhaseError
from scalebridge.upscaling.mixture import check_dim, check_positive

_LEAST, _MOST = 1e-100, 1e100  # beyond them products of a few conductivities leave the range of numbers


def conduction_flux(tensor: ArrayLike, gradient: ArrayLike) -> Float[Array, "d ..."]:
    """Flux K . g of a gradient g, at a point or over a field (components first).

    flux_i = sum_j K_ij g_j

    Args:
        tensor: (d, d, ...) conductivity, W/m/K (or S/m, m^2/s).
        gradient: (d, ...) gradient, K/m (or V/m, mol/m^4).

    Returns:
        (d, ...) flux in W/m^2 (or A/m^2, mol/m^2/s), along the gradient: minus the physical flux density.

    Source: J. Fourier, Théorie analytique de la chaleur (1822); J. F. Nye, Physical Properties of Crystals
    (1957), ch. XI.

    Example:
        >>> conduction_flux(conductivity_tensor([2.0, 1.0], dim=2), jnp.array([3.0, 4.0])).tolist()
        [6.0, 4.0]
    """
    return jnp.einsum("ij...,j...->i...", jnp.asarray(tensor), jnp.asarray(gradient))


def conductivity_tensor(value: Any, dim: int, argument: str = "conductivity") -> Float[Array, "d d"]:
    """Turn a number, the principal values along the axes, or a matrix into a conductivity tensor.

    Args:
        value: a number (isotropic), (d,) values on the diagonal, or a (d, d) matrix, W/m/K (or S/m, m^2/s).
            Zero is an insulator; a tensor may be singular. Traced values are not looked at.
        dim: 2 or 3.
        argument: whose value this is, for errors, such as "phase 3".

    Returns:
        (d, d) symmetric tensor in the same unit.

    Raises:
        PhaseError: not real, of a wrong shape, not finite, not symmetric to 1e-12, with a negative
            eigenvalue, or, if not zero, below 1e-100 or above 1e100, where products overflow.
        InputError: `dim` is neither 2 nor 3.

    Example:
        >>> conductivity_tensor(7.7, dim=2).tolist()
        [[7.7, 0.0], [0.0, 7.7]]
        >>> conductivity_tensor(-1.0, dim=3, argument="phase 3")  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        ...
        scalebridge.core.errors.PhaseError: phase 3: got -1.0; wanted ...
    """
    check_dim(dim)
    if not isinstance(value, Tracer):
        value = _real(value, argument)
    if np.shape(value) not in ((), (dim,), (dim, dim)):
        raise PhaseError(
            argument,
            got=f"a value of shape {np.shape(value)}",
            wanted=f"a number, {dim} principal values, or a {dim} x {dim} matrix",
            cure="give the value for the image's dimensions",
        )
    if isinstance(value, np.ndarray):
        _check_conductivity(value, argument)
    value = jnp.asarray(value)
    if value.ndim == 2:
        return 0.5 * (value + value.T)
    return jnp.eye(dim, dtype=value.dtype) * value


def rotate(tensor: ArrayLike, rotation: ArrayLike) -> Float[Array, "d d"]:
    """Turn a tensor with the material: R K R'.

    Args:
        tensor: (d, d) tensor in the material's axes.
        rotation: (d, d) orthogonal matrix that takes the material's axes to the image's; its columns are the
            material's axes. A traced one is not looked at.

    Returns:
        (d, d) tensor in the image's axes.

    Raises:
        InputError: the rotation is not orthogonal to 1e-9 (a reflection is allowed: it changes no tensor of
            second order that a rotation does not).

    Source: J. F. Nye, Physical Properties of Crystals (1957), ch. I.

    Example:
        >>> quarter_turn = jnp.array([[0.0, -1.0], [1.0, 0.0]])
        >>> rotate(conductivity_tensor([2.0, 1.0], dim=2), quarter_turn).tolist()
        [[1.0, 0.0], [0.0, 2.0]]
    """
    _check_rotation(tensor, rotation)
    rotation = jnp.asarray(rotation)
    return rotation @ jnp.asarray(tensor) @ rotation.T


def _real(value: Any, argument: str) -> np.ndarray:
    try:
        array = np.asarray(value)
    except ValueError:  # rows of unequal length
        array = np.asarray(None)
    if array.dtype.kind not in "iuf":
        raise PhaseError(
            argument,
            got=repr(value),
            wanted="real numbers in SI units",
            cure="parse text with a unit first, and give the same number of values in every row",
        )
    return array.astype(float)


def _check_conductivity(value: np.ndarray, argument: str) -> None:
    size = np.abs(value).max()
    if np.isfinite(size) and size != 0 and not _LEAST <= size <= _MOST:
        raise PhaseError(
            argument,
            got=value.tolist(),
            wanted=f"0, or a number between {_LEAST:g} and {_MOST:g}",
            cure="correct the exponent, write 0 for an insulator, or choose another unit for all phases",
        )
    if value.ndim == 2:
        return check_positive(value, argument)
    if np.all(np.isfinite(value)) and np.all(value >= 0):
        return None
    raise PhaseError(
        argument,
        got=value.tolist(),
        wanted="finite, non-negative numbers" if value.ndim else "a finite, non-negative number",
        cure="correct the sign, or write 0 for an insulator",
    )


def _check_rotation(tensor: ArrayLike, rotation: ArrayLike) -> None:
    shape = np.shape(rotation)
    if shape not in ((2, 2), (3, 3)) or np.shape(tensor) != shape:
        raise InputError(
            "rotation",
            got=f"shape {shape} for a tensor of shape {np.shape(tensor)}",
            wanted="two square matrices of the same size, 2 or 3",
            cure="pass a rotation matrix of the tensor's dimension",
        )
    if isinstance(rotation, Tracer):
        return
    matrix = np.asarray(rotation, dtype=float)
    defect = np.max(np.abs(matrix @ matrix.T - np.eye(shape[0])))
    if not defect <= 1e-9:
        raise InputError(
            "rotation",
            got=f"a matrix whose R R' differs from the identity by {defect:.3g}",
            wanted="an orthogonal matrix",
            cure="build it with scipy.spatial.transform.Rotation",
        )
