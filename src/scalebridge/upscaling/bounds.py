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
import numpy as np
from jax.core import Tracer
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from scalebridge.core import precision as _precision  # noqa: F401
from scalebridge.core.errors import InputError, PhaseError

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
        >>> round(float(bound_voigt(np.array([0.7, 0.3]), np.array([1.0, 10.0]))), 12)
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
        >>> float(bound_reuss(np.array([0.5, 0.5]), np.array([1.0, 3.0])))
        1.5
        >>> float(bound_reuss(np.array([0.5, 0.5]), np.array([1.0, 0.0])))
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
        >>> [float(b) for b in bound_wiener(np.array([0.5, 0.5]), np.array([1.0, 3.0]))]
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
        >>> low, high = bound_hashin_shtrikman(np.array([0.7, 0.3]), np.array([1.0, 10.0]), dim=3)
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
        >>> float(mean_with_reference(np.array([0.5, 0.5]), np.array([2.0, 2.0]), 7.0, dim=3))
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
        >>> series_gradients(np.array([0.5, 0.5]), np.array([0.0, 3.0])).tolist()
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


def as_phases(
    fractions: ArrayLike, values: ArrayLike, argument: str = "values"
) -> tuple[Float[Array, " n"], Float[Array, "n *shape"]]:
    """Check fractions and phase values as far as they are known now; return floating-point arrays."""
    check_fractions(fractions)
    check_values(values, np.shape(fractions)[0], argument)
    return _floating(fractions), _floating(values)


def as_scalar_phases(
    fractions: ArrayLike, conductivities: ArrayLike
) -> tuple[Float[Array, " n"], Float[Array, " n"]]:
    """Do the same for isotropic phases, one number each."""
    if len(np.shape(conductivities)) != 1:
        raise PhaseError(
            "conductivities",
            got=f"shape {np.shape(conductivities)}",
            wanted="one number a phase",
            cure="use bound_wiener for anisotropic phases",
        )
    return as_phases(fractions, conductivities, "conductivities")


def check_dim(dim: int) -> None:
    """Refuse a number of space dimensions other than 2 and 3."""
    if dim not in (2, 3):
        raise InputError(
            "dim", got=repr(dim), wanted="2 or 3", cure="use the layers' formulas in one dimension"
        )


def check_fractions(fractions: ArrayLike) -> None:
    """Refuse fractions that are not a vector of finite, non-negative numbers with sum 1.

    The sum may be off by `rounding_slack`. Traced fractions pass.
    """
    shape = np.shape(fractions)
    wanted = "a vector of finite, non-negative numbers with sum 1"
    if len(shape) != 1 or shape[0] == 0:
        raise InputError("fractions", got=f"shape {shape}", wanted=wanted, cure="give one fraction a phase")
    if isinstance(fractions, Tracer):
        return
    numbers = _real("fractions", fractions)
    bad = np.flatnonzero(~(np.isfinite(numbers) & (numbers >= 0)))
    if bad.size:
        raise InputError(
            f"fractions[{bad[0]}]",
            got=numbers[bad[0]],
            wanted=wanted,
            cure=f"correct the fraction of phase {bad[0]}",
        )
    if abs(numbers.sum() - 1.0) > rounding_slack(fractions):
        raise InputError(
            "fractions",
            got=f"sum {float(numbers.sum())!r}",
            wanted=wanted,
            cure="divide the fractions by their sum",
        )


def check_values(values: ArrayLike, count: int, argument: str = "values") -> None:
    """Refuse phase values that are not `count` non-negative numbers or positive semidefinite tensors.

    Traced values pass, once their shape is right.
    """
    shape = np.shape(values)
    if len(shape) not in (1, 3) or shape[1:] not in ((), (2, 2), (3, 3)):
        raise PhaseError(
            argument,
            got=f"shape {shape}",
            wanted="shape (n,), (n, 2, 2) or (n, 3, 3)",
            cure="give one value a phase",
        )
    if shape[0] != count:
        raise PhaseError(
            argument,
            got=f"{shape[0]} values",
            wanted=f"{count}, one a fraction",
            cure="match fractions and values",
        )
    if not isinstance(values, Tracer):
        for index, value in enumerate(_real(argument, values)):
            check_positive(value, f"phase {index}", rounding_slack(values))


def check_positive(value: np.ndarray | np.floating, argument: str, relative_slack: float = 1e-12) -> None:
    """Refuse a number or a square matrix that is not finite, symmetric and positive semidefinite.

    Asymmetry, and a negative eigenvalue, are forgiven up to `relative_slack` of the largest entry: they are
    the rounding of a rotation. A plain number must not be negative at all.
    """
    tensor = np.atleast_2d(value)
    wanted = "a finite, non-negative number" if np.ndim(value) == 0 else "a finite, symmetric tensor"
    if not np.all(np.isfinite(tensor)):
        raise PhaseError(
            argument, got=_text(value), wanted=wanted, cure="replace NaN and infinity by real values"
        )
    slack = relative_slack * np.max(np.abs(tensor))
    if np.max(np.abs(tensor - tensor.T)) > slack:
        raise PhaseError(
            argument, got=_text(value), wanted=wanted, cure="pass (K + K.T) / 2 if this is rounding"
        )
    lowest = float(np.linalg.eigvalsh(tensor)[0])
    if lowest < (0.0 if tensor.size == 1 else -slack):
        raise PhaseError(
            argument,
            got=f"{_text(value)}, lowest eigenvalue {lowest:.6g}",
            wanted="no negative eigenvalue (exact zero is an insulator)",
            cure="correct the sign or the off-diagonal entries",
        )


def rounding_slack(values: ArrayLike) -> float:
    """Relative error forgiven in the input: 1e-12, or a few roundings of numbers in single precision."""
    return max(1e-12, 8 * float(jnp.finfo(_floating(values).dtype).eps))


def _real(argument: str, values: ArrayLike) -> np.ndarray:
    array = np.asarray(values)
    if array.dtype.kind not in "iuf":
        raise InputError(
            argument,
            got=f"{array.dtype} values",
            wanted="real numbers",
            cure="convert units and types beforehand",
        )
    return array.astype(float)


def _floating(values: ArrayLike) -> Float[Array, "..."]:
    array = jnp.asarray(values)
    return array.astype(jnp.result_type(array, float))


def _text(value: np.ndarray | np.floating) -> str:
    return str(np.asarray(value).tolist())
