"""Layered media: the exact effective conductivity, and the exact local fields behind it.

In layers of any number, thickness and anisotropy the gradient is constant in each layer. Along the layers
it is the same everywhere; across them the flux is. Everything follows from these two sentences. One layered
medium may be a layer of the next, coarser one: laminates of rank two and three.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from scalebridge.core import precision as _precision  # noqa: F401
from scalebridge.core.errors import InputError, PhaseError
from scalebridge.upscaling.bounds import bound_reuss, bound_voigt, series_gradients
from scalebridge.upscaling.mixture import as_phases, as_scalar_phases

# Below this many roundings of a layer's own conductivity its normal conductivity is the rounding of a zero.
_ROUNDINGS = 64


def laminate_conductivity(fractions: ArrayLike, tensors: ArrayLike, normal: ArrayLike) -> Float[Array, "d d"]:
    """Exact effective conductivity of layers with full tensors and any normal.

    K = sum_i f_i A_i' K_i A_i, where A_i is layer i's gradient for unit mean gradients
    (`laminate_gradients`).

    With n the normal, p_i = n.K_i n and <.> the mean over the layers this equals
    <K> - <K n (x) n K / p> + <K n / p> (x) <n K / p> / <1 / p>: isotropic layers give the harmonic mean
    across and the arithmetic mean along. The form as an energy is symmetric and positive semidefinite by
    construction, and its derivative in layer i is f_i g_i (x) g_i, the product of the local gradients.

    Args:
        fractions: (n,) relative thicknesses, non-negative with sum 1.
        tensors: (n, d, d) symmetric positive semidefinite conductivities, d = 2 or 3, W/m/K (or S/m, m^2/s).
            An exact zero is an insulating layer: nothing passes across.
        normal: (d,) direction across the layers. Only its direction counts, not its length.

    Returns:
        (d, d) effective tensor in the same unit. The order of the layers does not matter.

    Raises:
        InputError: fractions or normal cannot be used.
        PhaseError: a layer's tensor is impossible.

    Limits: perfect contact between layers; layers thin against the scale on which the mean gradient changes.
    Cost: some hundred multiplications a layer.
    Source: G. E. Backus, J. Geophys. Res. 67 (1962) 4427; G. W. Milton, The Theory of Composites (2002),
    ch. 9.

    Example:
        >>> layers = jnp.array([1.0, 3.0])[:, None, None] * jnp.eye(2)
        >>> laminate_conductivity(jnp.array([0.5, 0.5]), layers, jnp.array([1.0, 0.0])).tolist()
        [[1.5, 0.0], [0.0, 2.0]]

        Nesting gives laminates of higher rank. Here a fine laminate with normal x is a layer of a coarse one
        with normal y, 0.3 of the whole is the conductor, and the two steps use equal amounts of the other
        phase: the medium is isotropic and attains the Hashin-Shtrikman lower bound (in 3-D with three steps).

        >>> fine = laminate_conductivity(jnp.array([0.35, 0.65]), layers, jnp.array([1.0, 0.0]))
        >>> nested = jnp.stack([layers[0], fine])
        >>> coarse = laminate_conductivity(jnp.array([0.35, 0.30]) / 0.65, nested, jnp.array([0.0, 1.0]))
        >>> f"{coarse[0, 0]:.12f} {coarse[1, 1]:.12f}"
        '1.352941176471 1.352941176471'
    """
    return _effective(*_as_layers(fractions, tensors, normal))


def laminate_gradients(fractions: ArrayLike, tensors: ArrayLike, normal: ArrayLike) -> Float[Array, "n d d"]:
    """Exact gradient in every layer for each unit mean gradient.

    A_i = 1 - n (x) n + n (x) a_i, a_i = r_i (n + <t>) - t_i, with t_i the tangential part of K_i n / p_i and
    r_i = (1 / p_i) / <1 / p>, p_i = n.K_i n: the flux across is the same in all layers, the gradient along
    too.

    Args:
        fractions: (n,) relative thicknesses, non-negative with sum 1.
        tensors: (n, d, d) symmetric positive semidefinite conductivities.
        normal: (d,) direction across the layers; its length does not count.

    Returns:
        (n, d, d) tensors: column j of entry i is the gradient in layer i for the unit mean gradient along
        axis j. Their mean over the fractions is the identity. Layers without normal conductivity take the
        whole jump, in equal gradients.

    Raises:
        InputError: fractions or normal cannot be used.
        PhaseError: a layer's tensor is impossible.

    Source: as for `laminate_conductivity`.

    Example:
        >>> layers = jnp.array([1.0, 3.0])[:, None, None] * jnp.eye(2)
        >>> laminate_gradients(jnp.array([0.5, 0.5]), layers, jnp.array([1.0, 0.0]))[:, 0, 0].tolist()
        [1.5, 0.5]
    """
    return _gradients(*_as_layers(fractions, tensors, normal))


def series(fractions: ArrayLike, conductivities: ArrayLike) -> Float[Array, ""]:
    """Conductivity across isotropic layers: the harmonic mean.

    Args:
        fractions: (n,) relative thicknesses, non-negative with sum 1.
        conductivities: (n,) non-negative numbers; a zero blocks.

    Returns:
        a number in the unit of `conductivities`.

    Raises:
        InputError: the fractions are not fractions.
        PhaseError: a layer's value is impossible.

    Example:
        >>> float(series(jnp.array([0.5, 0.5]), jnp.array([1.0, 3.0])))
        1.5
    """
    return bound_reuss(*as_scalar_phases(fractions, conductivities))


def parallel(fractions: ArrayLike, conductivities: ArrayLike) -> Float[Array, ""]:
    """Conductivity along isotropic layers: the arithmetic mean.

    Args:
        fractions: (n,) relative thicknesses, non-negative with sum 1.
        conductivities: (n,) non-negative numbers.

    Returns:
        a number in the unit of `conductivities`.

    Raises:
        InputError: the fractions are not fractions.
        PhaseError: a layer's value is impossible.

    Example:
        >>> float(parallel(jnp.array([0.5, 0.5]), jnp.array([1.0, 3.0])))
        2.0
    """
    return bound_voigt(*as_scalar_phases(fractions, conductivities))


def check_normal(normal: ArrayLike, dim: int) -> None:
    """Refuse a normal that is not `dim` finite numbers, not all zero. A traced normal passes."""
    wanted = f"{dim} finite numbers, not all zero"
    if np.shape(normal) != (dim,):
        raise InputError(
            "normal",
            got=f"shape {np.shape(normal)}",
            wanted=wanted,
            cure="match the dimension of the tensors",
        )
    if isinstance(normal, Tracer):
        return
    numbers = np.asarray(normal)
    if numbers.dtype.kind not in "iuf" or not np.all(np.isfinite(numbers)) or not np.any(numbers):
        raise InputError(
            "normal", got=str(numbers), wanted=wanted, cure="pass the direction across the layers"
        )


def _as_layers(
    fractions: ArrayLike, tensors: ArrayLike, normal: ArrayLike
) -> tuple[Float[Array, " n"], Float[Array, "n d d"], Float[Array, " d"]]:
    shape = np.shape(tensors)
    if len(shape) != 3:
        raise PhaseError(
            "tensors",
            got=f"shape {shape}",
            wanted="shape (n, d, d)",
            cure="make each layer's tensor with conductivity_tensor, or use series and parallel",
        )
    check_normal(normal, shape[1])
    fractions, tensors = as_phases(fractions, tensors, "tensors")
    return fractions, tensors, jnp.asarray(normal, dtype=tensors.dtype)


@jax.jit
def _effective(
    fractions: Float[Array, " n"], tensors: Float[Array, "n d d"], normal: Float[Array, " d"]
) -> Float[Array, "d d"]:
    gradients = _gradients(fractions, tensors, normal)
    tensor = jnp.einsum("i,iab,iac,icd->bd", fractions, gradients, tensors, gradients)
    return 0.5 * (tensor + tensor.T)


@jax.jit
def _gradients(
    fractions: Float[Array, " n"], tensors: Float[Array, "n d d"], normal: Float[Array, " d"]
) -> Float[Array, "n d d"]:
    """The formula of `laminate_gradients`."""
    normal = normal / jnp.sqrt(jnp.sum(normal**2))
    across = tensors @ normal
    p = across @ normal
    smallest = _ROUNDINGS * jnp.finfo(p.dtype).eps * jnp.trace(tensors, axis1=1, axis2=2)
    blocked = p <= smallest
    p = p - jax.lax.stop_gradient(jnp.where(blocked, p, 0.0))  # an exact zero that keeps its derivative
    # A positive semidefinite tensor that conducts nothing across couples nothing across either: t = 0.
    tangential = jnp.where(blocked[:, None], 0.0, across / jnp.where(blocked, 1.0, p)[:, None] - normal)
    shares = series_gradients(fractions, p)
    normal_rows = shares[:, None] * (normal + fractions @ tangential) - tangential
    projection = jnp.eye(normal.size, dtype=normal.dtype) - jnp.outer(normal, normal)
    return projection + normal[:, None] * normal_rows[:, None, :]
