"""Bounds of the effective tensor from the phases' volume fractions and tensors. Knows no physics.

The numbers bounded are coefficients of a linear law flux = K gradient: a conductivity, a diffusivity, a
permittivity, or any other symmetric second-order tensor. Every function is differentiable and may be mapped
and compiled. Values are looked at before anything is computed; inside compiled code there is no value to
look at, and only the formula remains. An exact zero is a value like any other: it gives no division by
zero, and the derivative there is the one-sided one. Where several phases vanish at once the bound has a
kink, and the derivative is that for the vanishing phases rising together.

Derivatives with respect to fractions mean something only along changes that keep their sum at 1.
"""

from functools import partial

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from scalebridge.core import precision as _precision  # noqa: F401
from scalebridge.upscaling.mixture import as_phases, as_scalar_phases, check_dim

# A pivot this many roundings above zero, relative to the entries it is the difference of, is taken as zero.
_ROUNDINGS = 64


def bound_voigt(fractions: ArrayLike, values: ArrayLike) -> Float[Array, "..."]:
    """Upper bound: every phase sees the mean gradient; the arithmetic mean.

    K = sum_i f_i K_i

    Args:
        fractions: (n,) volume fractions, non-negative with sum 1.
        values: (n,) non-negative numbers, or (n, d, d) symmetric positive semidefinite tensors, in any unit.

    Returns:
        a number, or a (d, d) tensor, in the unit of `values`. For tensors the bound is one of energies: the
        Voigt tensor less the effective tensor is positive semidefinite.

    Raises:
        InputError: the fractions are not fractions.
        PhaseError: a phase's value is impossible.

    Cost: n multiplications an entry.
    Source: W. Voigt, Lehrbuch der Kristallphysik (1910); O. Wiener, Abh. Sächs. Akad. Wiss. 32 (1912) 507.

    Example:
        >>> round(float(bound_voigt(jnp.array([0.7, 0.3]), jnp.array([1.0, 10.0]))), 12)
        3.7
    """
    fractions, values = as_phases(fractions, values)
    return jnp.tensordot(fractions, values, 1)


def bound_reuss(fractions: ArrayLike, values: ArrayLike) -> Float[Array, "..."]:
    """Lower bound: every phase carries the mean flux; the harmonic mean.

    K = (sum_i f_i K_i^-1)^-1

    A phase that vanishes along some directions makes the bound vanish along them: the limit for K_i -> K_i
    from above. It is evaluated as an energy, K = sum_i f_i A_i' K_i A_i, with the gradients A_i of uniform
    flux.

    Args:
        fractions: (n,) volume fractions, non-negative with sum 1.
        values: (n,) non-negative numbers, or (n, d, d) symmetric positive semidefinite tensors, in any unit.

    Returns:
        a number, or a (d, d) tensor, in the unit of `values`. The effective tensor less the Reuss tensor is
        positive semidefinite.

    Raises:
        InputError: the fractions are not fractions.
        PhaseError: a phase's value is impossible.

    Cost: n small matrix products, one after the other.
    Source: A. Reuss, Z. Angew. Math. Mech. 9 (1929) 49; for singular tensors the parallel sum of W. N.
    Anderson and R. J. Duffin, J. Math. Anal. Appl. 26 (1969) 576.

    Example:
        >>> float(bound_reuss(jnp.array([0.5, 0.5]), jnp.array([1.0, 3.0])))
        1.5
        >>> float(bound_reuss(jnp.array([0.5, 0.5]), jnp.array([1.0, 0.0])))
        0.0
    """
    fractions, values = as_phases(fractions, values)
    if values.ndim == 1:
        return jnp.sum(fractions * values * series_gradients(fractions, values) ** 2)
    return _reuss_tensor(fractions, values)


def bound_wiener(fractions: ArrayLike, values: ArrayLike) -> tuple[Float[Array, "..."], Float[Array, "..."]]:
    """Both bounds that need nothing but the fractions: (Reuss, Voigt).

    Args:
        fractions: (n,) volume fractions, non-negative with sum 1.
        values: (n,) non-negative numbers, or (n, d, d) symmetric positive semidefinite tensors, in any unit.

    Returns:
        lower and upper bound. They are attained by layers: across them and along them.

    Raises:
        InputError: the fractions are not fractions.
        PhaseError: a phase's value is impossible.

    Source: O. Wiener, Abh. Sächs. Akad. Wiss. 32 (1912) 507.

    Example:
        >>> [float(b) for b in bound_wiener(jnp.array([0.5, 0.5]), jnp.array([1.0, 3.0]))]
        [1.5, 2.0]
    """
    return bound_reuss(fractions, values), bound_voigt(fractions, values)


def bound_hashin_shtrikman(
    fractions: ArrayLike, conductivities: ArrayLike, dim: int
) -> tuple[Float[Array, ""], Float[Array, ""]]:
    """Bounds of an isotropic mixture of isotropic phases.

    k = (sum_i f_i / (k_i + (d - 1) k_0))^-1 - (d - 1) k_0, with k_0 the smallest and the largest k_i present

    Args:
        fractions: (n,) volume fractions, non-negative with sum 1. An absent phase does not count.
        conductivities: (n,) non-negative numbers in any unit. Tensors are refused: for anisotropic phases use
            the Wiener bounds.
        dim: 2 or 3.

    Returns:
        lower and upper bound, in the unit of `conductivities`.

    Raises:
        InputError: the fractions are not fractions, or `dim` is neither 2 nor 3.
        PhaseError: a phase's value is impossible.

    Limits: the medium is statistically isotropic in `dim` dimensions. An anisotropic sample, and a small one,
    may lie outside. For two phases both bounds are attained, by coated spheres or cylinders.
    Source: Z. Hashin and S. Shtrikman, J. Appl. Phys. 33 (1962) 3125, doi:10.1063/1.1728579.

    Example:
        >>> low, high = bound_hashin_shtrikman(jnp.array([0.7, 0.3]), jnp.array([1.0, 10.0]), dim=3)
        >>> f"{low:.4f} {high:.4f}"
        '1.8710 3.0769'
    """
    fractions, values = as_scalar_phases(fractions, conductivities)
    present = fractions > 0
    smallest = jnp.min(jnp.where(present, values, jnp.inf))
    largest = jnp.max(jnp.where(present, values, 0.0))
    return (
        mean_with_reference(fractions, values, smallest, dim),
        mean_with_reference(fractions, values, largest, dim),
    )


@partial(jax.jit, static_argnames="dim")
def mean_with_reference(
    fractions: ArrayLike, conductivities: ArrayLike, reference: ArrayLike, dim: int
) -> Float[Array, ""]:
    """Mean of isotropic phases, each a sphere (or cylinder) embedded in a reference medium.

    k = <k_i / (k_i + (d - 1) k_0)> / <1 / (k_i + (d - 1) k_0)>

    This is the Hashin-Shtrikman expression, written without a difference of large numbers. The bounds, the
    Maxwell and the self-consistent estimates are four choices of the reference k_0.

    Args:
        fractions: (n,) volume fractions, non-negative with sum 1.
        conductivities: (n,) non-negative numbers in any unit.
        reference: conductivity k_0 of the reference medium, non-negative, in the same unit.
        dim: 2 or 3.

    Returns:
        a number in the same unit, increasing in each phase and in the reference.

    Source: L. J. Walpole, J. Mech. Phys. Solids 14 (1966) 151.

    Example:
        >>> float(mean_with_reference(jnp.array([0.5, 0.5]), jnp.array([2.0, 2.0]), 7.0, dim=3))
        2.0
    """
    check_dim(dim)
    fractions, values = jnp.asarray(fractions), jnp.asarray(conductivities)
    shares = series_gradients(fractions, values + (dim - 1) * jnp.asarray(reference))
    return jnp.sum(fractions * values * shares)


@jax.jit
def series_gradients(fractions: ArrayLike, values: ArrayLike) -> Float[Array, " n"]:
    """Gradient in each phase when all carry the same flux and the mean gradient is one.

    r_i = (1 / k_i) / sum_j f_j / k_j

    Where phases are insulating they share the whole gradient equally, and the others have none.

    Args:
        fractions: (n,) volume fractions, non-negative with sum 1.
        values: (n,) non-negative numbers in any unit.

    Returns:
        (n,) numbers, non-negative, whose mean over the fractions is 1.

    Example:
        >>> series_gradients(jnp.array([0.5, 0.5]), jnp.array([0.0, 3.0])).tolist()
        [2.0, 0.0]
    """
    fractions, values = jnp.asarray(fractions), jnp.asarray(values)
    # Compliances are scaled by the smallest value, so that none overflows and a zero gives 1, not a quotient.
    smallest = jnp.min(jnp.where((fractions > 0) | (values > 0), values, jnp.inf))
    positive = values > 0
    compliance = jnp.where(positive, smallest / jnp.where(positive, values, 1.0), jnp.sign(fractions))
    return compliance / jnp.sum(fractions * compliance)


@jax.jit
def _reuss_tensor(fractions: Float[Array, " n"], tensors: Float[Array, "n d d"]) -> Float[Array, "d d"]:
    rest = (fractions[1:], tensors[1:])
    (_, mean), _ = jax.lax.scan(_add_in_series, (fractions[0], tensors[0]), rest)
    return 0.5 * (mean + mean.T)


def _add_in_series(
    carry: tuple[Float[Array, ""], Float[Array, "d d"]], phase: tuple[Float[Array, ""], Float[Array, "d d"]]
) -> tuple[tuple[Float[Array, ""], Float[Array, "d d"]], None]:
    """Add a phase to a Reuss mean: (a A^-1 + b B^-1)^-1 = A (a B + b A)^-1 B, written as an energy."""
    (amount_a, A), (amount_b, B) = carry, phase
    amount = amount_a + amount_b
    a, b = (part / jnp.where(amount > 0, amount, 1.0) for part in (amount_a, amount_b))
    mixed = a * B + b * A
    inverse = _generalized_inverse(mixed)
    free = (
        jnp.eye(A.shape[0], dtype=A.dtype) - inverse @ mixed
    )  # where both vanish they see the same gradient
    X, Y = inverse @ B + free, inverse @ A + free
    return (amount, a * X.T @ A @ X + b * Y.T @ B @ Y), None


def _generalized_inverse(matrix: Float[Array, "d d"]) -> Float[Array, "d d"]:
    """Return G with M G M = M for a positive semidefinite M by sweeping its pivots, leaving out zero ones.

    The sweep operator (J. H. Goodnight, Am. Stat. 33 (1979) 149), written out for the few pivots there are:
    a batch of them stays plain arithmetic, and its derivative never divides by zero.
    """
    least = _ROUNDINGS * jnp.finfo(matrix.dtype).eps * jnp.diagonal(matrix)
    for k in range(matrix.shape[0]):
        pivot = matrix[k, k]
        usable = pivot > least[k]
        safe = jnp.where(usable, pivot, 1.0)
        row, column = matrix[k] / safe, matrix[:, k] / safe
        swept = (
            (matrix - safe * jnp.outer(column, row))
            .at[k]
            .set(row)
            .at[:, k]
            .set(-column)
            .at[k, k]
            .set(1 / safe)
        )
        cleared = matrix.at[k].set(0.0).at[:, k].set(0.0)
        matrix = jnp.where(usable, swept, cleared)
    return matrix
