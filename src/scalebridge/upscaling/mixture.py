"""A mixture as bounds and laminates take it: fractions and values, checked as far as they are known.

Values are looked at before anything is computed; what JAX is tracing has no value to look at, and passes.
"""

import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from scalebridge.core import precision as _precision  # noqa: F401
from scalebridge.core.errors import InputError, PhaseError


def as_phases(
    fractions: ArrayLike, values: ArrayLike, argument: str = "values"
) -> tuple[Float[Array, " n"], Float[Array, "n *shape"]]:  # noqa: F821 (names of dimensions)
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
