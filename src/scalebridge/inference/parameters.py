"""What is inferred: parameters with their priors, and the unconstrained coordinates that chains move in."""

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np

from scalebridge.core import precision as _precision  # noqa: F401
from scalebridge.core.errors import InputError
from scalebridge.core.spec import Spec
from scalebridge.core.units import parse_quantity
from scalebridge.inference.coupled_priors import Coupled, Dirichlet, Wishart

Family = Literal["normal", "lognormal", "uniform", "flat", "dirichlet", "wishart"]
_LOG_ROOT = 0.5 * math.log(2.0 * math.pi)
_FORM = re.compile(r"\s*(\w+)\s*(?:\(([^)]*)\))?\s*(?:[*x]\s*(\d+))?\s*")
_WANTED = (
    "'normal(mean, std)', 'lognormal(median, sigma)', 'uniform(low, high)' or 'flat', with '* N' for a "
    "vector; "
    "'dirichlet(1, 2, 3)' or 'dirichlet(1) * N' for shares, 'wishart(mean, freedom) * N' for an N x N matrix"
)
_TAKEN = ("chain", "draw")
_FLAT_SPREAD = 1.0  # of starting points, where the prior has none


@dataclass(frozen=True)
class Parameter:
    """One inferred quantity, a number or a vector, with its prior.

    Args:
        spec: name, unit, shape and support.
        family: "normal" on the real line; "lognormal" on positive numbers; "uniform" on an interval; "flat"
            on the real line, which is improper; "dirichlet" of shares; "wishart" of a definite matrix.
        centre: mean of a normal or a Wishart, median of a lognormal prior; 0 otherwise.
        spread: standard deviation of a normal prior, that of the logarithm of a lognormal one; degrees of
            freedom of a Wishart; 1 otherwise.
        weights: of a Dirichlet prior.
    """

    spec: Spec
    family: Family
    centre: float = 0.0
    spread: float = 1.0
    weights: tuple[float, ...] = ()

    @property
    def count(self) -> int:
        """Number of values; of shares and matrices there are fewer coordinates."""
        return math.prod(self.spec.shape)

    @property
    def coupled(self) -> Coupled | None:
        """The prior of values that depend on each other; None where each is by itself."""
        if self.family == "dirichlet":
            return Dirichlet(np.array(self.weights))
        return Wishart(self.spec.shape[0], self.centre, self.spread) if self.family == "wishart" else None


def parameter(name: str, prior: str, unit: str = "1") -> Parameter:
    """Read a parameter from text.

    Args:
        name: its name.
        prior: "normal(0, 1)", "lognormal(100 mD, 0.5)", "uniform(1 mm, 3 mm)", "flat"; "normal(0, 1) * 10"
            is a vector of ten independent ones. The sigma of a lognormal prior is that of the natural
            logarithm. "dirichlet(2, 3, 5)" are three shares that add up to one, "dirichlet(1) * 4" four;
            "wishart(5 W/m/K, 20) * 3" is a definite 3 x 3 matrix: its mean (times the identity), and its
            degrees of freedom.
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
    if found[1] != "dirichlet" and len(texts) != (wanted := 0 if found[1] == "flat" else 2):
        raise InputError(place, got=repr(prior), wanted=f"{wanted} numbers in {found[1]}", cure=_WANTED)
    units = ["1"] * len(texts) if found[1] == "dirichlet" else [unit, _SECOND.get(found[1], unit)]
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


def _dirichlet(name: str, unit: str, shape: tuple[int, ...], *weights: float) -> Parameter:
    given = weights * shape[0] if shape and len(weights) == 1 else weights
    fit = len(given) > 1 and shape in ((), (len(given),)) and min(given) > 0
    _require(name, fit, f"the weights {given}", "two or more positive weights, or one with '* N'")
    _require(name, unit == "1", f"shares in {unit}", "shares without a unit")
    return Parameter(Spec(name, "1", (len(given),), support="simplex"), "dirichlet", weights=tuple(given))


def _wishart(name: str, unit: str, shape: tuple[int, ...], mean: float, freedom: float) -> Parameter:
    edge = shape[0] if shape else 0
    _require(name, edge > 0, "a matrix without a size", "'wishart(mean, freedom) * N'")
    fit = mean > 0 and freedom > edge - 1
    _require(name, fit, f"mean {mean:g}, freedom {freedom:g}", f"a positive mean, a freedom above {edge - 1}")
    return Parameter(Spec(name, unit, (edge, edge), support="spd"), "wishart", mean, freedom)


_SECOND = {"lognormal": "1", "wishart": "1"}  # units of second numbers that are not the first one's
_MAKERS: dict[str, Callable[..., Parameter]] = {
    "dirichlet": _dirichlet,
    "wishart": _wishart,
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


class _Separate:
    """Parameters in a row whose numbers do not depend on each other, all of them at once."""

    def __init__(self, parameters: Sequence[Parameter]):
        sizes = [p.spec.size for p in parameters]
        limits = [p.spec.limits or (0.0, 1.0) for p in parameters]
        self._family = np.repeat([p.family for p in parameters], sizes)
        self._low = np.repeat([low for low, _ in limits], sizes)
        self._width = np.repeat([high - low for low, high in limits], sizes)
        self.mean = np.repeat([_coordinate(p) for p in parameters], sizes)
        self.std = np.repeat([p.spread for p in parameters], sizes).astype(float)
        self._is = {family: self._family == family for family in ("normal", "lognormal", "uniform", "flat")}

    def values(self, coordinates: Any, xp: Any = np) -> Any:
        inside = self._low + self._width / (1.0 + xp.exp(-coordinates))
        positive = xp.exp(xp.where(self._is["lognormal"], coordinates, 0.0))
        return xp.where(self._is["lognormal"], positive, xp.where(self._is["uniform"], inside, coordinates))

    def coordinates(self, values: np.ndarray) -> np.ndarray:
        with np.errstate(divide="ignore", invalid="ignore"):
            share = (values - self._low) / self._width
            inside = np.log(share / (1.0 - share))
            return np.where(
                self._is["lognormal"], np.log(values), np.where(self._is["uniform"], inside, values)
            )

    def pulled(self, coordinates: np.ndarray, sensitivity: np.ndarray) -> np.ndarray:
        values = self.values(coordinates)
        share = (values - self._low) / self._width
        slopes = np.where(
            self._is["lognormal"],
            values,
            np.where(self._is["uniform"], self._width * share * (1.0 - share), 1.0),
        )
        return slopes * sensitivity

    def log_density(self, coordinates: Any, xp: Any = np) -> Any:
        gauss = -0.5 * ((coordinates - self.mean) / self.std) ** 2 - np.log(self.std) - _LOG_ROOT
        logistic = -xp.logaddexp(0.0, coordinates) - xp.logaddexp(0.0, -coordinates)
        each = xp.where(self._is["uniform"], logistic, xp.where(self._is["flat"], 0.0, gauss))
        return xp.sum(each)

    def draw(self, rng: np.random.Generator) -> np.ndarray:
        normal = self.mean + self.std * rng.standard_normal(self.mean.size)
        flat = _FLAT_SPREAD * rng.standard_normal(self.mean.size)
        return np.where(
            self._is["uniform"], rng.logistic(size=self.mean.size), np.where(self._is["flat"], flat, normal)
        )


class Prior:
    """The priors of all parameters, in coordinates: those of `Spec`, one after the other.

    A normal prior is normal in its coordinate, a lognormal one too (the coordinate is the logarithm), and a
    uniform one is logistic (the coordinate is the logit). Shares and matrices are in `coupled_priors`.

    Args:
        parameters: the parameters.
        log_density: logarithm of a further density of the values, a JAX function of the flat vector of
            values; minus infinity forbids them.
    """

    def __init__(self, parameters: Sequence[Parameter], log_density: Callable[[Any], Any] | None = None):
        self.parameters = tuple(parameters)
        self.further = log_density
        self.size = sum(p.spec.size for p in self.parameters)
        self.count = sum(p.count for p in self.parameters)
        self._pieces = list(_pieces(self.parameters))
        self.mean = np.concatenate([piece.mean for piece, _, _ in self._pieces])
        self.std = np.concatenate([piece.std for piece, _, _ in self._pieces])
        self.gaussian = all(p.family in ("normal", "lognormal") for p in self.parameters)
        self._further = None if log_density is None else jax.jit(lambda v: jnp.asarray(log_density(v), float))

    @property
    def names(self) -> tuple[str, ...]:
        """A name for each value."""
        found = []
        for p in self.parameters:
            for place in np.ndindex(*p.spec.shape):
                inner = ",".join(map(str, place))
                found.append(f"{p.spec.name}[{inner}]" if place else p.spec.name)
        return tuple(found)

    def values(self, coordinates: Any, xp: Any = np) -> Any:
        """Return the flat vector of values at coordinates, with NumPy or (xp=jnp) JAX."""
        found = [piece.values(coordinates[..., inside], xp) for piece, inside, _ in self._pieces]
        return found[0] if len(found) == 1 else xp.concatenate(found, axis=-1)

    def coordinates(self, values: np.ndarray) -> np.ndarray:
        """Return the coordinates of a flat vector of values; not finite where the priors forbid them."""
        return np.concatenate([piece.coordinates(values[outside]) for piece, _, outside in self._pieces])

    def pulled(self, coordinates: np.ndarray, sensitivity: np.ndarray) -> np.ndarray:
        """Return sensitivityᵀ d(values) / d(coordinates)."""
        return np.concatenate(
            [
                piece.pulled(coordinates[inside], sensitivity[outside])
                for piece, inside, outside in self._pieces
            ]
        )

    def log_density(self, coordinates: Any, xp: Any = np) -> Any:
        """Return the logarithm of the density of coordinates, normalised unless flat or further."""
        total = sum(piece.log_density(coordinates[inside], xp) for piece, inside, _ in self._pieces)
        if self.further is None or self._further is None:
            return total
        values = self.values(coordinates, xp)
        return total + (self.further(values) if xp is jnp else float(self._further(values)))

    def draw(self, rng: np.random.Generator) -> np.ndarray:
        """Draw coordinates; a flat one around zero."""
        return np.concatenate([piece.draw(rng) for piece, _, _ in self._pieces])


def _pieces(parameters: Sequence[Parameter]) -> Iterator[tuple[_Separate | Coupled, slice, slice]]:
    """Yield priors with the places of their coordinates and values; separate ones in a row as one."""
    inside = outside = 0
    for alone, group in groupby(parameters, key=lambda p: p.coupled is None):
        listed = list(group)
        for some in [listed] if alone else [[one] for one in listed]:
            size, count = sum(p.spec.size for p in some), sum(p.count for p in some)
            piece = some[0].coupled or _Separate(some)
            yield piece, slice(inside, inside + size), slice(outside, outside + count)
            inside, outside = inside + size, outside + count


def _coordinate(p: Parameter) -> float:
    return math.log(p.centre) if p.family == "lognormal" else p.centre
