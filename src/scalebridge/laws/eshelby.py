"""Eshelby's tensor of ellipsoids in an isotropic medium: spheres, spheroids, any three axes, cylinders.

An ellipsoid that would like to strain by e* strains by S e*, uniformly. The tensor depends on the ratios of
the axes and on Poisson's ratio alone. Mandel notation (11, 22, 33, 23, 13, 12), axes of the tensor along
those of the ellipsoid.
"""

import math
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from scalebridge.core import precision as _precision  # noqa: F401
from scalebridge.core.errors import InputError

# An infinite axis stands for this ratio, whose square is below the rounding; a vanishing one for the other.
_LONG, _FLAT = 1e8, 1e-16
_NODES = 640
_TAIL = 42.0  # exp(-42) is below the rounding: beyond it nothing is left of the integrals


def eshelby_tensor(axes: ArrayLike | Sequence[float], poisson: ArrayLike) -> Float[Array, "6 6"]:
    """Eshelby's tensor of an ellipsoid in an isotropic medium; differentiable in all arguments.

    S_iiii = (3 a_i^2 I_ii + (1 - 2 nu) I_i) / (8 pi (1 - nu)),
    S_iijj = (a_j^2 I_ij - (1 - 2 nu) I_i) / (8 pi (1 - nu)),
    S_ijij = ((a_i^2 + a_j^2) I_ij + (1 - 2 nu) (I_i + I_j)) / (16 pi (1 - nu)),

    with the integrals I_i = 2 pi a b c int_0^inf ds / ((a_i^2 + s) D(s)), I_ij likewise with (a_i^2 +
    s)(a_j^2 + s), D^2 the product of all a_i^2 + s. They are taken over the logarithm of s by equal steps,
    which converges exponentially for any three axes, equal ones included.

    Args:
        axes: (3,) half-axes, positive, any unit. One may be infinite (a cylinder along it) or zero (a disc).
        poisson: Poisson's ratio of the medium, -1 to 0.5; 0.5 is an incompressible one.

    Returns:
        (6, 6) in Mandel notation, not symmetric unless the axes are equal.

    Raises:
        InputError: axes that are none. Traced values are not looked at.

    Limits: ratios of axes from 1e-16 to 1e8.
    Cost: some thousand operations.
    Source: J. D. Eshelby (1957), Proc. R. Soc. A 241, 376, doi:10.1098/rspa.1957.0133; T. Mura,
        Micromechanics of Defects in Solids (1987), eqs. (11.15), (11.16).

    Example:
        >>> sphere = eshelby_tensor([1.0, 1.0, 1.0], 0.2)  # (7 - 5 nu) / (15 (1 - nu)) is one half here
        >>> round(float(sphere[0, 0]), 12), round(float(sphere[3, 3]), 12)
        (0.5, 0.5)
    """
    return tensor_of(jnp.asarray(shape_axes(axes)), jnp.asarray(poisson, dtype=float))


@jax.jit
def tensor_of(sizes: Float[Array, "3"], poisson: Array) -> Float[Array, "6 6"]:
    """Return `eshelby_tensor` of axes that `shape_axes` has looked at."""
    single, double = _integrals(sizes)
    free, over = 1 - 2 * poisson, 8 * jnp.pi * (1 - poisson)
    normal = (double - free * single[:, None]) / over
    normal = normal + jnp.diag(2 * (jnp.diagonal(double) + free * single) / over)
    pairs = [(1, 2), (0, 2), (0, 1)]
    shear = jnp.stack([double[i, j] + double[j, i] + free * (single[i] + single[j]) for i, j in pairs]) / over
    zero = jnp.zeros((3, 3))
    return jnp.block([[normal, zero], [zero, jnp.diag(shear)]])


def shape_axes(axes: Any) -> Any:
    """Return an ellipsoid's axes over a middle one, with numbers that stand for infinity and zero.

    Raises:
        InputError: not three positive numbers; all infinite or all zero; an infinite one beside a zero.

    Example:
        >>> shape_axes([math.inf, 2.0, 2.0]).tolist()
        [100000000.0, 1.0, 1.0]
    """
    if isinstance(axes, Tracer):
        return jnp.asarray(axes)
    try:
        given = np.asarray(axes, dtype=float)
    except (TypeError, ValueError):
        given = np.zeros(0)
    long, flat = given == math.inf, given == 0
    usable = given.shape == (3,) and not np.any(np.isnan(given)) and np.all(given >= 0)
    if not usable or np.sum(long) > 1 or np.sum(flat) > 1 or (np.any(long) and np.any(flat)):
        raise InputError(
            "axes",
            got=repr(axes),
            wanted="three positive half-axes, of which one may be infinite or zero",
            cure="write (10, 1, 1) for a fibre along axis 1, or (1, 1, 0.1) for a disc across axis 3",
        )
    scale = np.exp(np.mean(np.log(given[~long & ~flat])))
    return np.where(long, _LONG, np.where(flat, _FLAT, given / scale))


def _integrals(axes: Array) -> tuple[Float[Array, "3"], Float[Array, "3 3"]]:
    """Return I_i, whose sum is 4 pi, and a_j^2 I_ij."""
    squares = jnp.asarray(axes) ** 2
    fixed = jax.lax.stop_gradient(squares)
    low, high = jnp.log(jnp.min(fixed)) - _TAIL, jnp.log(jnp.max(fixed)) + _TAIL
    step = (high - low) / (_NODES - 1)
    s = jnp.exp(low + step * jnp.arange(_NODES))
    # Factors (a^2 + s) / s and the like stay between 0 and 1: nothing overflows, whatever the ratios.
    decay = jnp.prod(jnp.sqrt(squares)[:, None] / jnp.sqrt(squares[:, None] + s), axis=0)
    share = s / (squares[:, None] + s)
    single = 2 * jnp.pi * step * jnp.sum(decay * share, axis=1)
    double = 2 * jnp.pi * step * jnp.einsum("is,js,s->ij", share, 1 - share, decay)
    return single, double
