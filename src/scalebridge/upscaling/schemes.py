"""Estimates of the effective coefficient of an isotropic mixture from fractions alone. Knows no physics.

Both follow from the mean with a reference medium of `bounds`: Maxwell takes the matrix as the reference,
Bruggeman the answer itself. They are estimates, not bounds, but lie between the Hashin-Shtrikman bounds.
"""

from functools import partial

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Bool, Float

from scalebridge.core import precision as _precision  # noqa: F401
from scalebridge.core.errors import InputError
from scalebridge.upscaling.bounds import mean_with_reference
from scalebridge.upscaling.mixture import as_scalar_phases, check_dim

_MOST_STEPS = 200


def estimate_maxwell(
    fractions: ArrayLike, conductivities: ArrayLike, dim: int, matrix: int = 0
) -> Float[Array, ""]:
    """Spheres (or parallel cylinders) of any number of phases in a matrix; Maxwell, and Mori-Tanaka.

    (k - k_m) / (k + (d - 1) k_m) = sum_i f_i (k_i - k_m) / (k_i + (d - 1) k_m)

    Args:
        fractions: (n,) volume fractions, the matrix among them, non-negative with sum 1.
        conductivities: (n,) non-negative numbers in any unit; 0 is an insulator.
        dim: 3 for spheres, 2 for cylinders across their axes.
        matrix: index of the matrix phase.

    Returns:
        the estimate, in the unit of `conductivities`.

    Raises:
        InputError: the fractions are not fractions, `dim` is neither 2 nor 3, or there is no such matrix
        phase. PhaseError: a phase's value is impossible.

    Limits: right to first order in the inclusions' fraction; it knows neither contacts nor percolation, and
    at high fractions the inclusions' arrangement matters.
    Source: J. C. Maxwell, A Treatise on Electricity and Magnetism (1873), art. 314; Y. Benveniste, Mech.
    Mater. 6 (1987) 147.

    Example:
        >>> f"{estimate_maxwell(jnp.array([0.7, 0.3]), jnp.array([1.0, 0.0]), dim=3):.6f}"
        '0.608696'
    """
    fractions, values = as_scalar_phases(fractions, conductivities)
    if not -len(values) <= matrix < len(values):
        raise InputError(
            "matrix",
            got=matrix,
            wanted=f"a phase index below {len(values)}",
            cure="pass the index of the matrix",
        )
    return mean_with_reference(fractions, values, values[matrix], dim)


def estimate_bruggeman(fractions: ArrayLike, conductivities: ArrayLike, dim: int) -> Float[Array, ""]:
    """Self-consistent estimate: every phase is a sphere (or cylinder) in the effective medium itself.

    sum_i f_i (k_i - k) / (k_i + (d - 1) k) = 0

    The only root between the Hashin-Shtrikman bounds is found by Newton's method, from below and in a form in
    which every step stays below the root. Derivatives of every order come from the implicit function theorem.

    Args:
        fractions: (n,) volume fractions, non-negative with sum 1.
        conductivities: (n,) non-negative numbers in any unit; 0 is an insulator.
        dim: 3 for spheres, 2 for cylinders across their axes.

    Returns:
        the estimate, in the unit of `conductivities`. It is exactly zero where the conducting phases together
        fill no more than 1/d, the scheme's percolation threshold; the derivative is then that of insulators
        that begin to conduct (on the threshold itself it is infinite, and comes as a number of order 1e15).

    Raises:
        InputError: the fractions are not fractions, or `dim` is neither 2 nor 3.
        PhaseError: a phase's value is impossible.

    Limits: phases in symmetric roles, as in a polycrystal or a checkerboard. The threshold 1/d is the
    scheme's, not the medium's.
    Cost: about log2 of the contrast steps, 10 to 40 evaluations of the sum.
    Source: D. A. G. Bruggeman, Ann. Phys. 416 (1935) 636, doi:10.1002/andp.19354160705; R. Landauer, J. Appl.
    Phys. 23 (1952) 779.

    Example:
        >>> f"{estimate_bruggeman(jnp.array([0.5, 0.5]), jnp.array([1.0, 100.0]), dim=2):.6f}"
        '10.000000'
        >>> float(estimate_bruggeman(jnp.array([0.3, 0.7]), jnp.array([1.0, 0.0]), dim=3))
        0.0
    """
    check_dim(dim)
    return _bruggeman(*as_scalar_phases(fractions, conductivities), dim)


@partial(jax.jit, static_argnames="dim")
def _bruggeman(fractions: Float[Array, " n"], values: Float[Array, " n"], dim: int) -> Float[Array, ""]:
    """Choose between the root and the exact zero below the threshold."""
    insulating = values == 0
    blocked = jnp.sum(jnp.where(insulating, fractions, 0.0))
    # Excess of conducting phases over the threshold, in the form in which the balance is evaluated at k = 0.
    excess = jnp.sum(jnp.where(insulating, 0.0, fractions)) - blocked / (dim - 1)
    percolates = (blocked == 0) | (excess > 0)
    root = _self_consistent_root(fractions, jnp.where(percolates, values, 1.0), dim)
    return jnp.where(percolates, root, _below_threshold(fractions, values, insulating, excess, dim))


def _balance(
    k: Float[Array, ""], fractions: Float[Array, " n"], values: Float[Array, " n"], dim: int
) -> Float[Array, ""]:
    """Bruggeman's sum, decreasing in k > 0."""
    return jnp.sum(fractions * (values - k) / (values + (dim - 1) * k))


def _self_consistent_root(
    fractions: Float[Array, " n"], values: Float[Array, " n"], dim: int
) -> Float[Array, ""]:
    """Solve Bruggeman's balance for phases that percolate.

    With G(k) = sum_i f_i k_i / (k_i + (d - 1) k) the balance reads 1/G = d. The left side is a harmonic
    mean of straight lines, hence concave and increasing: Newton's steps never pass the root from below.
    """
    conducting = values > 0
    rounding = 4 * jnp.finfo(values.dtype).eps

    def step(k):
        shielded = jnp.where(conducting, values + (dim - 1) * k, 1.0)
        part = jnp.where(conducting, values / shielded, 0.0)
        misfit = jnp.sum(fractions * jnp.where(conducting, (values - k) / shielded, -1.0 / (dim - 1)))
        return k + jnp.sum(fractions * part) * misfit / jnp.sum(fractions * part / shielded)

    def newton(_, start):
        def unfinished(state):
            count, before, k = state
            return (jnp.abs(k - before) > rounding * k) & (count < _MOST_STEPS)

        def advance(state):
            count, _, k = state
            return count + 1, k, step(k)

        return jax.lax.while_loop(unfinished, advance, (1, start, step(start)))[2]

    lowest = jnp.min(jnp.where(fractions > 0, values, jnp.inf))
    start = jax.lax.stop_gradient(mean_with_reference(fractions, values, lowest, dim))
    return jax.lax.custom_root(
        lambda k: _balance(k, fractions, values, dim),
        start,
        newton,
        lambda linear, y: y / linear(jnp.ones_like(y)),
    )


def _below_threshold(
    fractions: Float[Array, " n"],
    values: Float[Array, " n"],
    insulating: Bool[Array, " n"],
    excess: Float[Array, ""],
    dim: int,
) -> Float[Array, ""]:
    """Zero, with the root's slope in the insulators' conductivity (beside them conductors are perfect)."""
    weights = jnp.where(insulating, fractions, 0.0)
    blocked = jnp.sum(weights)
    gap = jnp.maximum(-(dim - 1) * excess, jnp.finfo(values.dtype).eps)
    slope = jax.lax.stop_gradient((blocked * dim / gap - 1.0) / (dim - 1))
    return slope * jnp.sum(weights * values) / jnp.where(blocked > 0, blocked, 1.0)
