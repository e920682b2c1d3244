"""What is inferred: parameters with their priors, and the unconstrained coordinates that chains move in."""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np

from scalebridge.core import precision as _precision  # noqa: F401
from scalebridge.core.errors import InputError
from scalebridge.core.spec import Spec
from scalebridge.core.units import parse_quantity

Family = Literal["normal", "lognormal", "uniform", "flat"]
_LOG_ROOT = 0.5 * math.log(2.0 * math.pi)
_FORM = re.compile(r"\s*(\w+)\s*(?:\(([^)]*)\))?\s*(?:[*x]\s*(\d+))?\s*")
_WANTED = (
    "'normal(mean, std)', 'lognormal(median, sigma)', 'uniform(low, high)' or 'flat', with '* N' for a vector"
)
_TAKEN = ("chain", "draw")
_FLAT_SPREAD = 1.0  # of starting points, where the prior has none


@dataclass(frozen=True)
class Parameter:
    """One inferred quantity, a number or a vector, with its prior.

    Args:
        spec: name, unit, shape and support.
        family: "normal" on the real line; "lognormal" on positive numbers; "uniform" on an interval; "flat"
            on the real line, which is improper.
        centre: mean of a normal, median of a lognormal prior; 0 otherwise.
        spread: standard deviation of a normal prior, that of the logarithm of a lognormal one; 1 otherwise.
    """

    spec: Spec
    family: Family
    centre: float = 0.0
    spread: float = 1.0


def parameter(name: str, prior: str, unit: str = "1") -> Parameter:
    """Read a parameter from text.

    Args:
        name: its name.
        prior: "normal(0, 1)", "lognormal(100 mD, 0.5)", "uniform(1 mm, 3 mm)", "flat"; "normal(0, 1) * 10"
            is a vector of ten independent ones. The sigma of a lognormal prior is that of the natural
            logarithm.
        unit: the SI unit that numbers with a unit are turned into.

    Raises:
        InputError: no such prior, or numbers that it cannot have.
        UnitError: a unit of another kind.

    Example:
        >>> parameter("k", "lognormal(2, 0.5)").spec.support
        'positive'
        >>> parameter("theta", "normal(0, 1) * 10").spec.shape
        (10,)
    """
    place = f"parameters[{name!r}]"
    found = _FORM.fullmatch(prior) if isinstance(prior, str) else None
    if found is None or found[1] not in _MAKERS or found[3] == "0":
        raise InputError(place, got=repr(prior), wanted=_WANTED, cure="write for example 'normal(0, 1)'")
    texts = [text.strip() for text in found[2].split(",")] if found[2] and found[2].strip() else []
    shape = (int(found[3]),) if found[3] else ()
    wanted = 0 if found[1] == "flat" else 2
    if len(texts) != wanted:
        raise InputError(place, got=repr(prior), wanted=f"{wanted} numbers in {found[1]}", cure=_WANTED)
    units = (unit, "1" if found[1] == "lognormal" else unit)
    numbers = [parse_quantity(_number(t), u, place) for t, u in zip(texts, units, strict=False)]
    if not all(map(math.isfinite, numbers)):
        raise InputError(place, got=repr(prior), wanted="finite numbers", cure="correct the prior")
    return _MAKERS[found[1]](name, unit, shape, *numbers)


def _number(text: str) -> str | float:
    try:
        return float(text)
    except ValueError:
        return text


def _normal(name: str, unit: str, shape: tuple[int, ...], mean: float, std: float) -> Parameter:
    _require(name, std > 0, f"a standard deviation of {std:g}", "a positive standard deviation")
    return Parameter(Spec(name, unit, shape), "normal", mean, std)


def _lognormal(name: str, unit: str, shape: tuple[int, ...], median: float, sigma: float) -> Parameter:
    _require(name, median > 0 and sigma > 0, f"median {median:g}, sigma {sigma:g}", "both positive")
    return Parameter(Spec(name, unit, shape, support="positive"), "lognormal", median, sigma)


def _uniform(name: str, unit: str, shape: tuple[int, ...], low: float, high: float) -> Parameter:
    _require(name, low < high, f"an interval from {low:g} to {high:g}", "a lower end below the upper one")
    return Parameter(Spec(name, unit, shape, support="interval", limits=(low, high)), "uniform")


def _flat(name: str, unit: str, shape: tuple[int, ...]) -> Parameter:
    return Parameter(Spec(name, unit, shape), "flat")


_MAKERS: dict[str, Callable[..., Parameter]] = {
    "normal": _normal,
    "lognormal": _lognormal,
    "uniform": _uniform,
    "flat": _flat,
}


def _require(name: str, right: bool, got: str, wanted: str) -> None:
    if not right:
        raise InputError(f"parameters[{name!r}]", got=got, wanted=wanted, cure="correct the prior")


def read_parameters(given: Any) -> tuple[Parameter, ...]:
    """Read parameters: a table of priors as text by name, or a sequence of `Parameter`.

    Raises:
        InputError: none, two of a name, or something else.
        UnitError: see `parameter`.
    """
    if isinstance(given, Mapping):
        found = [p if isinstance(p, Parameter) else parameter(str(n), p) for n, p in given.items()]
    elif isinstance(given, Sequence) and all(isinstance(item, Parameter) for item in given):
        found = list(given)
    else:
        found = []
    names = [one.spec.name for one in found]
    if not found or len(set(names)) < len(names):
        got = "no parameter" if not found else f"the names {', '.join(names)}"
        cure = 'pass for example parameters={"k": "lognormal(2, 0.5)"}'
        raise InputError("parameters", got=got, wanted="a prior by name for each parameter", cure=cure)
    for name in names:
        if not name or "/" in name or name in _TAKEN:
            raise InputError(
                "parameters",
                got=f"the name {name!r}",
                wanted="a name without '/', other than 'chain' and 'draw', which files of draws need",
                cure="choose another name",
            )
    return tuple(found)


class Prior:
    """The priors of all parameters, in coordinates: those of `Spec`, one after the other.

    A normal prior is normal in its coordinate, a lognormal one too (the coordinate is the logarithm), and a
    uniform one is logistic (the coordinate is the logit).

    Args:
        parameters: the parameters.
        log_density: logarithm of a further density of the values, a JAX function of the flat vector of
            values; minus infinity forbids them.
    """

    def __init__(self, parameters: Sequence[Parameter], log_density: Callable[[Any], Any] | None = None):
        self.parameters = tuple(parameters)
        self.further = log_density
        sizes = [p.spec.size for p in self.parameters]
        self.size = sum(sizes)
        limits = [p.spec.limits or (0.0, 1.0) for p in self.parameters]
        self._family = np.repeat([p.family for p in self.parameters], sizes)
        self._low = np.repeat([low for low, _ in limits], sizes)
        self._width = np.repeat([high - low for low, high in limits], sizes)
        self.mean = np.repeat([_coordinate(p) for p in self.parameters], sizes)
        self.std = np.repeat([p.spread for p in self.parameters], sizes).astype(float)
        self._is = {family: self._family == family for family in ("normal", "lognormal", "uniform", "flat")}
        self.gaussian = bool(np.all(self._is["normal"] | self._is["lognormal"]))
        self._further = None if log_density is None else jax.jit(lambda v: jnp.asarray(log_density(v), float))

    @property
    def names(self) -> tuple[str, ...]:
        """A name for each coordinate."""
        found = []
        for p in self.parameters:
            inner = p.spec.name
            found += [inner] if p.spec.shape == () else [f"{inner}[{i}]" for i in range(p.spec.size)]
        return tuple(found)

    def values(self, coordinates: Any, xp: Any = np) -> Any:
        """Return the flat vector of values at coordinates, with NumPy or (xp=jnp) JAX."""
        inside = self._low + self._width / (1.0 + xp.exp(-coordinates))
        positive = xp.exp(xp.where(self._is["lognormal"], coordinates, 0.0))
        return xp.where(self._is["lognormal"], positive, xp.where(self._is["uniform"], inside, coordinates))

    def coordinates(self, values: np.ndarray) -> np.ndarray:
        """Return the coordinates of a flat vector of values; not finite where the priors forbid them."""
        with np.errstate(divide="ignore", invalid="ignore"):
            share = (values - self._low) / self._width
            inside = np.log(share / (1.0 - share))
            return np.where(
                self._is["lognormal"], np.log(values), np.where(self._is["uniform"], inside, values)
            )

    def slopes(self, coordinates: np.ndarray) -> np.ndarray:
        """Return d(value) / d(coordinate), one a coordinate."""
        values = self.values(coordinates)
        share = (values - self._low) / self._width
        return np.where(
            self._is["lognormal"],
            values,
            np.where(self._is["uniform"], self._width * share * (1.0 - share), 1.0),
        )

    def log_density(self, coordinates: Any, xp: Any = np) -> Any:
        """Return the logarithm of the density of coordinates, normalised unless flat or further."""
        gauss = -0.5 * ((coordinates - self.mean) / self.std) ** 2 - np.log(self.std) - _LOG_ROOT
        logistic = -xp.logaddexp(0.0, coordinates) - xp.logaddexp(0.0, -coordinates)
        each = xp.where(self._is["uniform"], logistic, xp.where(self._is["flat"], 0.0, gauss))
        total = xp.sum(each)
        if self.further is None or self._further is None:
            return total
        values = self.values(coordinates, xp)
        return total + (self.further(values) if xp is jnp else float(self._further(values)))

    def log_gaussian(self, coordinates: np.ndarray) -> float:
        """Return the same for the Gaussian parts alone, without a constant."""
        return float(-0.5 * np.sum(((coordinates - self.mean) / self.std) ** 2))

    def draw(self, rng: np.random.Generator) -> np.ndarray:
        """Draw coordinates; a flat one around zero."""
        normal = self.mean + self.std * rng.standard_normal(self.size)
        flat = _FLAT_SPREAD * rng.standard_normal(self.size)
        return np.where(
            self._is["uniform"], rng.logistic(size=self.size), np.where(self._is["flat"], flat, normal)
        )


def _coordinate(p: Parameter) -> float:
    return math.log(p.centre) if p.family == "lognormal" else p.centre
