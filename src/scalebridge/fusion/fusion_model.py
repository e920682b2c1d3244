"""What a field may do in time and space: the model of a fusion, and its parameters."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from scalebridge.core.errors import InputError
from scalebridge.fusion.bands import ratio_priors
from scalebridge.fusion.system import LOCAL_SPACES, ORDERS
from scalebridge.io.stored import nearest

STATIONARY = ("static", "ar1", "matern-3/2", "matern-5/2")
SPACES = (*LOCAL_SPACES, "across")


@dataclass(frozen=True)
class FusionModel:
    """The fine field as a sum of parts, each with a motion in time and a correlation in space.

    field(x, t) = mean + sum of parts + covariates; a part has the covariance K(x, x') k(t, t').

    Args:
        parts: motions in time, summed: "static", "random-walk", "ar1", "trend" (the integral of a random walk
            of the slope), "seasonal" ("seasonal-2" for the second harmonic), "matern-3/2", "matern-5/2".
        space: correlation of a part's innovations: "independent" by pixel, "exponential", "matern-3/2" or
            "matern-5/2" within a footprint and none across, or "across" (all pixels, a Matern field of
            smoothness 1 as a sparse precision); one for all, or by part.
        nugget: whether a share of each correlated part is independent by pixel.
        parameters: values that are known, by name: "random-walk std", "ar1 time", "ar1 length",
            "viirs noise", ... Standard deviations are in the unit of the data, times in days, lengths in
            that of the grid's coordinates. Of bands: "random-walk std [red]", and "random-walk ratio [red,
            nir]", (1 + r) / (1 - r) for a correlation r of their innovations; see `bands.band_correlation`.
        priors: by name, (median, factor): log-normal with 68 % within a factor of the median. Every parameter
            has one, wide unless given, so that none collapses to zero.
        period: of "seasonal", days.
        mean_std: prior standard deviation of the mean; ten times the spread of the data unless given.

    Raises:
        InputError: a kind that there is not, twice the same, or a value that is not positive.

    Example:
        >>> FusionModel(parts=("static", "ar1"), space={"static": "independent", "ar1": "exponential"}).orders
        (1, 1)
    """

    parts: tuple[str, ...] = ("random-walk",)
    space: str | Mapping[str, str] = "exponential"
    nugget: bool = False
    parameters: Mapping[str, float] = field(default_factory=dict)
    priors: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    period: float = 365.25
    mean_std: float | None = None

    def __post_init__(self):
        parts = (self.parts,) if isinstance(self.parts, str) else tuple(self.parts)
        object.__setattr__(self, "parts", parts)
        if not parts:
            cure = "leave it out for a random walk"
            raise InputError("parts", got="nothing", wanted="at least one motion in time", cure=cure)
        for part in parts:
            _check_kind("parts", kind_of(part)[0], tuple(ORDERS))
            _check_kind("space", self.space_of(part), SPACES)
        if len(set(parts)) < len(parts):
            raise InputError("parts", got=", ".join(parts), wanted="each once", cure="leave one out")
        if isinstance(self.space, Mapping) and (unknown := set(self.space) - set(parts)):
            raise InputError("space", got=f"{sorted(unknown)[0]!r}", wanted="a part", cure=nearest(
                sorted(unknown)[0], parts))  # fmt: skip
        for name, value in self.parameters.items():
            _check_positive(f"parameters[{name!r}]", value)
        for name, pair in self.priors.items():
            _check_prior(name, pair)
        _check_positive("period", self.period)

    @property
    def orders(self) -> tuple[int, ...]:
        """Layers of each part."""
        return tuple(ORDERS[kind_of(part)[0]] for part in self.parts)

    @property
    def local(self) -> bool:
        """Whether no part is correlated across footprints."""
        return all(self.space_of(part) != "across" for part in self.parts)

    def space_of(self, part: str) -> str:
        """Return the spatial correlation of a part."""
        return self.space if isinstance(self.space, str) else self.space.get(part, "independent")

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, for provenance."""
        space = {part: self.space_of(part) for part in self.parts}
        return {"parts": list(self.parts), "space": space, "nugget": self.nugget, "period": self.period}


@dataclass(frozen=True)
class Parameter:
    """One number of the model.

    Args:
        name: such as "ar1 std".
        median: of its log-normal prior, and where the search starts; the value, where it is known.
        factor: of the prior; None where the value is known.
    """

    name: str
    median: float
    factor: float | None = None


def kind_of(part: str) -> tuple[str, int]:
    """Return kind and harmonic of a part.

    Example:
        >>> kind_of("seasonal-2"), kind_of("matern-3/2")
        (('seasonal', 2), ('matern-3/2', 1))
    """
    head, _, tail = part.rpartition("-")
    return (head, int(tail)) if head == "seasonal" and tail.isdigit() and int(tail) else (part, 1)


@dataclass(frozen=True)
class Scales:
    """Sizes by which priors are set where nothing is said.

    Args:
        spread: standard deviation of the finest data.
        span: length of time of all dates, days.
        gap: typical time between fine scenes, days.
        edge: size of a footprint, in the unit of the grid.
        pixel: size of a pixel.
    """

    spread: float
    span: float
    gap: float
    edge: float
    pixel: float


def part_parameters(
    model: FusionModel,
    scales: Scales,
    classes: Sequence[int | str] = (),
    sizes: Sequence[float] = (),
    bands: Sequence[str] = (),
) -> list[Parameter]:
    """Return the parameters of all parts, with their priors.

    Args:
        model: the model.
        scales: sizes for the priors.
        classes: labels of land cover and bands, whose standard deviations differ; none for one for all. With
            them, "start" and "slope" are in units of these.
        sizes: by label, its spread in units of all; ones unless given.
        bands: names, whose innovations are correlated.
    """
    found: dict[str, tuple[float, float]] = {}
    for part in model.parts:
        kind = kind_of(part)[0]
        own = [f" [{label}]" for label in classes] or [""]
        median, factor = _std_prior(kind, scales)
        for label, size in zip(own, sizes or [1.0] * len(own), strict=True):
            found[f"{part} std{label}"] = (median * size, factor)
        if kind in ("ar1", "matern-3/2", "matern-5/2"):
            found[f"{part} time"] = (max(scales.span / 3, 2 * scales.gap), 3.0)
        unit = median if classes else 1.0
        if kind in ("random-walk", "trend", "seasonal"):
            found[f"{part} start"] = (scales.spread / unit, 3.0)
        if kind == "trend":
            found[f"{part} slope"] = (scales.spread / scales.span / unit, 5.0)
        found |= ratio_priors(part, bands)
        if model.space_of(part) != "independent":
            found[f"{part} length"] = (scales.edge / 2, 3.0)
            if model.nugget and model.space_of(part) != "across":
                found[f"{part} nugget"] = (0.25, 3.0)
    return settle(found, model)


def settle(found: Mapping[str, tuple[float, float]], model: FusionModel) -> list[Parameter]:
    """Return parameters with what the model says of them in place of the defaults."""
    told = [(name, model.parameters.get(name), model.priors.get(name, pair)) for name, pair in found.items()]
    return [
        Parameter(name, prior[0], prior[1]) if value is None else Parameter(name, float(value))
        for name, value, prior in told
    ]


def _std_prior(kind: str, scales: Scales) -> tuple[float, float]:
    if kind in ("random-walk", "trend"):
        rate = scales.spread / np.sqrt(max(scales.span, 1.0)) / 2
        return (rate if kind == "random-walk" else rate / max(scales.gap, 1.0), 5.0)
    return (scales.spread / (2 if kind != "seasonal" else 100), 5.0)


def _check_kind(argument: str, got: str, known: tuple[str, ...]) -> None:
    if got not in known:
        raise InputError(argument, got=repr(got), wanted=" or ".join(known), cure=nearest(str(got), known))


def _check_positive(argument: str, value: Any) -> None:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not np.isfinite(value) or value <= 0:
        raise InputError(argument, got=repr(value), wanted="a positive number", cure="correct it")


def _check_prior(name: str, pair: Any) -> None:
    fine = isinstance(pair, tuple | list) and len(pair) == 2
    if not fine or not all(isinstance(x, int | float) for x in pair) or pair[0] <= 0 or pair[1] <= 1:
        raise InputError(
            f"priors[{name!r}]",
            got=repr(pair),
            wanted="(median, factor), positive and above 1",
            cure="write for example (0.01, 3)",
        )
