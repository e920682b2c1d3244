"""Spec: name, unit, shape, support and symmetry of a quantity; and its unconstrained coordinates."""

import math
from dataclasses import dataclass
from typing import Literal

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from scalebridge.core import precision as _precision  # noqa: F401
from scalebridge.core.errors import InputError

Support = Literal["real", "positive", "interval", "simplex", "spd"]


@dataclass(frozen=True)
class Spec:
    """What a quantity is. Frozen and hashable, so that it can be static in compiled code.

    Args:
        name: the field's standard term, in words.
        unit: SI unit, "1" for a dimensionless quantity.
        shape: array shape, () for a number.
        support: "real"; "positive" (> 0); "interval" (inside `limits`); "simplex" (non-negative with sum 1
            along the only axis); "spd" (a symmetric positive definite matrix).
        limits: lower and upper end of an interval.
        symmetric: whether a square matrix is symmetric (implied by "spd").

    Raises:
        InputError: shape, support and limits contradict each other.

    Example:
        >>> k = Spec("conductivity", "W/m/K", support="positive")
        >>> float(k.from_unconstrained(k.to_unconstrained(jnp.asarray(2.0))))
        2.0
    """

    name: str
    unit: str = "1"
    shape: tuple[int, ...] = ()
    support: Support = "real"
    limits: tuple[float, float] | None = None
    symmetric: bool = False

    def __post_init__(self):
        square = len(self.shape) == 2 and self.shape[0] == self.shape[1]
        wrong = {
            "interval": self.limits is None,
            "simplex": len(self.shape) != 1 or self.shape[0] < 2,
            "spd": not square,
        }.get(self.support, False)
        if wrong or (self.symmetric and not square):
            raise InputError(
                f"Spec '{self.name}'",
                got=f"support={self.support!r}, shape={self.shape}, limits={self.limits}",
                wanted="limits with an interval, a vector with a simplex, a square matrix with spd",
                cure="correct shape, support or limits",
            )

    @property
    def size(self) -> int:
        """Number of unconstrained coordinates."""
        if self.support == "simplex":
            return self.shape[0] - 1
        if self.support == "spd" or self.symmetric:
            return self.shape[0] * (self.shape[0] + 1) // 2
        return math.prod(self.shape)

    def to_unconstrained(self, value: Float[Array, "..."]) -> Float[Array, " size"]:
        """Map a value to coordinates that may be any real numbers.

        positive: log; interval: logit; simplex: log-ratios to the last part; spd: Cholesky factor with the
        logarithm of its diagonal; symmetric: the lower triangle; real: the value, flattened.
        """
        value = jnp.asarray(value)
        match self.support:
            case "positive":
                return jnp.log(value).ravel()
            case "interval":
                low, high = self._ends()
                return jnp.log((value - low) / (high - value)).ravel()
            case "simplex":
                return jnp.log(value[:-1] / value[-1])
            case "spd":
                factor = jnp.linalg.cholesky(value)
                diagonal = jnp.diagonal(factor)
                return (factor - jnp.diag(diagonal) + jnp.diag(jnp.log(diagonal)))[self._triangle()]
            case _:
                return value[self._triangle()] if self.symmetric else value.ravel()

    def from_unconstrained(self, coordinates: Float[Array, " size"]) -> Float[Array, "..."]:
        """Map unconstrained coordinates back to a value: the inverse of `to_unconstrained`."""
        coordinates = jnp.asarray(coordinates)
        match self.support:
            case "positive":
                return jnp.exp(coordinates).reshape(self.shape)
            case "interval":
                low, high = self._ends()
                return (low + (high - low) / (1.0 + jnp.exp(-coordinates))).reshape(self.shape)
            case "simplex":
                parts = jnp.exp(jnp.append(coordinates, 0.0) - jnp.maximum(coordinates.max(), 0.0))
                return parts / parts.sum()
            case "spd":
                lower = jnp.zeros(self.shape).at[self._triangle()].set(coordinates)
                diagonal = jnp.diagonal(lower)
                factor = lower - jnp.diag(diagonal) + jnp.diag(jnp.exp(diagonal))
                return factor @ factor.T
            case _:
                if not self.symmetric:
                    return coordinates.reshape(self.shape)
                lower = jnp.zeros(self.shape).at[self._triangle()].set(coordinates)
                return lower + lower.T - jnp.diag(jnp.diagonal(lower))

    def _triangle(self) -> tuple[np.ndarray, np.ndarray]:
        return np.tril_indices(self.shape[0])

    def _ends(self) -> tuple[float, float]:
        if self.limits is None:
            raise InputError(
                "limits", got="None", wanted="the ends of the interval", cure="pass limits=(low, high)"
            )
        return self.limits
