"""Priors of spreads and lengths, and the coordinates in which they are integrated over."""

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from scipy import stats

from scalebridge.core.errors import InputError
from scalebridge.io.stored import nearest

Kind = Literal["half-normal", "half-cauchy", "log-normal", "known"]
_FORMS = "a number (known), ('half-normal', scale), ('half-cauchy', scale) or ('log-normal', median, spread)"
_PLACES = {"half-normal": 1, "half-cauchy": 1, "log-normal": 2}


@dataclass(frozen=True)
class Prior:
    """What is known of a spread or a length before the data.

    Args:
        kind: "half-normal" or "half-cauchy" of a scale; "log-normal" of a median and a spread of the
            logarithm; "known" for a number.
        scale: scale, median, or the number.
        spread: standard deviation of the logarithm, of "log-normal".
    """

    kind: Kind
    scale: float
    spread: float = 0.0

    @property
    def known(self) -> bool:
        """Whether it is a number."""
        return self.kind == "known"

    @property
    def lowest(self) -> float:
        """Lowest coordinate."""
        return -8.0 if self.kind == "log-normal" else 0.0

    @property
    def highest(self) -> float:
        """Highest coordinate that is looked at first."""
        return 8.0 if self.kind == "log-normal" else 6.0

    def value(self, z: np.ndarray) -> np.ndarray:
        """Return the value at a coordinate: scale sinh(z), or median exp(spread z)."""
        if self.kind == "log-normal":
            return self.scale * np.exp(self.spread * z)
        return self.scale * np.sinh(z)

    def coordinate(self, value: np.ndarray) -> np.ndarray:
        """Return the coordinate of a value."""
        if self.kind == "log-normal":
            return np.log(value / self.scale) / self.spread
        return np.arcsinh(value / self.scale)

    def log_density(self, z: np.ndarray) -> np.ndarray:
        """Return the log of the prior's density in the coordinate, normalised."""
        if self.kind == "log-normal":
            return -0.5 * z**2 - 0.5 * math.log(2.0 * math.pi)
        stretch = np.logaddexp(z, -z) - math.log(2.0)  # log cosh
        if self.kind == "half-normal":
            return 0.5 * math.log(2.0 / math.pi) - 0.5 * np.sinh(z) ** 2 + stretch
        return math.log(2.0 / math.pi) - stretch  # 2 / pi / (1 + sinh^2) x cosh

    def draw(self, rng: np.random.Generator, count: int) -> np.ndarray:
        """Draw values."""
        if self.known:
            return np.full(count, self.scale)
        if self.kind == "half-normal":
            return self.scale * np.abs(rng.standard_normal(count))
        if self.kind == "half-cauchy":
            return np.asarray(stats.halfcauchy.rvs(scale=self.scale, size=count, random_state=rng))
        return self.scale * np.exp(self.spread * rng.standard_normal(count))

    def __str__(self) -> str:
        if self.known:
            return f"{self.scale:.6g} (known)"
        if self.kind == "log-normal":
            return f"log-normal, median {self.scale:.4g}, spread of the logarithm {self.spread:.3g}"
        return f"{self.kind} of scale {self.scale:.4g}"


def parse_prior(name: str, given: Any, *, zero: bool = True) -> Prior:
    """Read a prior: a number that is known, or a kind with its numbers.

    Args:
        name: of the parameter, for errors.
        given: for example 0.3, ("half-normal", 2.0), ("log-normal", 1.0, 0.5).
        zero: whether the number 0 may be known.

    Raises:
        InputError: another form, an unknown kind, or numbers that are not positive.
    """
    argument = f"priors[{name!r}]"
    if isinstance(given, int | float) and not isinstance(given, bool):
        if not math.isfinite(given) or given < 0 or (given == 0 and not zero):
            least = "of 0 or more" if zero else "above 0"
            raise InputError(argument, got=repr(given), wanted=f"a number {least}", cure=f"correct {name}")
        return Prior("known", float(given))
    if not isinstance(given, list | tuple) or not given or not isinstance(given[0], str):
        raise InputError(argument, got=repr(given), wanted=_FORMS, cure="write ('half-normal', 2.0)")
    kind, numbers = given[0], list(given[1:])
    if kind not in _PLACES:
        raise InputError(argument, got=repr(kind), wanted=_FORMS, cure=nearest(kind, _PLACES))
    fit = len(numbers) == _PLACES[kind] and all(
        isinstance(x, int | float) and not isinstance(x, bool) and 0 < x < math.inf for x in numbers
    )
    if not fit:
        raise InputError(
            argument,
            got=repr(given),
            wanted=f"{_PLACES[kind]} positive number(s) behind {kind!r}",
            cure=_FORMS,
        )
    return Prior(kind, *map(float, numbers))  # type: ignore[arg-type]
