"""Parameters by marginal likelihood, with exact slopes, or by expectation and maximisation."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array
from scipy.optimize import minimize

from scalebridge.core import precision as _precision  # noqa: F401
from scalebridge.fusion.bands import band_correlation
from scalebridge.fusion.block_engine import BlockData, System, slopes
from scalebridge.fusion.fusion_model import FusionModel, Parameter, kind_of
from scalebridge.fusion.system import correlation, dynamics, layered, transition_pattern


@dataclass(frozen=True)
class Bias:
    """The bias of one sensor's rows.

    Args:
        sensor: its number.
        kind: "constant" or "ar1", one number a row.
        rows: how many rows a footprint has of it.
    """

    sensor: int
    kind: str
    rows: int


@dataclass(frozen=True)
class Layout:
    """What decides the matrices beside the parameters.

    Args:
        model: the model.
        parameters: all of them; the order is that of the vectors below.
        distance: (pixels, pixels), between pixels of a footprint.
        steps: (classes,), lengths of the steps between dates, days.
        sensors: names.
        biases: of the sensors that have one.
        coefficients: each regression coefficient's prior: a standard deviation, or the name of the parameter.
        patterns: (systems, pixels), position of each pixel's class among the labels.
        labels: of the classes; empty for one class.
        bands: names; empty for a field without.
    """

    model: FusionModel
    parameters: tuple[Parameter, ...]
    distance: np.ndarray
    steps: np.ndarray
    sensors: tuple[str, ...]
    biases: tuple[Bias, ...]
    coefficients: tuple[float | str, ...]
    patterns: np.ndarray
    labels: tuple[int | str, ...] = ()
    bands: tuple[str, ...] = ()

    @property
    def pixels(self) -> int:
        """Numbers that a layer of a footprint has: pixels of all bands."""
        return len(self.distance) * max(len(self.bands), 1)

    @property
    def kind(self) -> "Kind":
        """What decides the form of the matrices."""
        biases = tuple((self.sensors[b.sensor], b.kind, b.rows) for b in self.biases)
        spaces = tuple(self.model.space_of(part) for part in self.model.parts)
        return Kind(self.model.parts, spaces, self.model.period, biases, self.labels, self.bands)

    @property
    def pattern(self) -> np.ndarray:
        """Columns of each row of the transition."""
        pixels = self.pixels
        orders = [*self.model.orders, *(1 for _ in self.biases)]
        return transition_pattern(orders, [pixels] * len(self.model.orders) + [b.rows for b in self.biases])


class Traced(NamedTuple):
    """The matrices as JAX arrays; a list has one entry a system."""

    transition: list[Array]
    innovation: list[Array]
    start: list[Array]


class Kind(NamedTuple):
    """What decides the form of the matrices, for the cache of compiled functions."""

    parts: tuple[str, ...]
    spaces: tuple[str, ...]
    period: float
    biases: tuple[tuple[str, str, int], ...]
    labels: tuple[int | str, ...]
    bands: tuple[str, ...]


def _trace_matrices(
    kind: Kind, values: dict[str, Array], distance: Any, steps: Any, patterns: Array
) -> Traced:
    """Return all matrices of given parameters; see `system`."""
    parts = [
        (part, _part(kind, part, space, values, distance, steps))
        for part, space in zip(kind.parts, kind.spaces, strict=True)
    ]
    biases = [
        (dynamics("static" if told == "constant" else "ar1", steps, _bias(name, values)), rows)
        for name, told, rows in kind.biases
    ]
    found = []
    for pattern in patterns:
        scaled = [(motion, k * _class_scale(kind, part, pattern, values)) for part, (motion, k) in parts]
        found.append(layered(scaled, biases))
    return Traced([f[0] for f in found], [f[1] for f in found], [f[2] for f in found])


def _pull_back(
    kind: Kind, values: dict[str, Array], distance: Array, steps: Array, patterns: Array, weights: Traced
) -> dict[str, Array]:
    """Return the slope by every parameter of a weighted sum of all entries."""
    return jax.vjp(lambda v: _trace_matrices(kind, v, distance, steps, patterns), values)[1](weights)[0]


# Compiled once for each form of model, whatever the data, gaps and values.
_matrices = jax.jit(_trace_matrices, static_argnums=0)
_pulled = jax.jit(_pull_back, static_argnums=0)


def _part(
    kind: Kind, part: str, space: str, values: dict[str, Array], distance: Any, steps: Any
) -> tuple[Any, Array]:
    motion_kind, harmonic = kind_of(part)
    names = ("std", "time", "start", "slope")
    own = {name: values[f"{part} {name}"] for name in names if f"{part} {name}" in values}
    if kind.labels:
        own["std"] = jnp.array(1.0)  # the classes bring theirs
    motion = dynamics(motion_kind, steps, own, kind.period, harmonic)
    nugget = values.get(f"{part} nugget", jnp.array(0.0))
    nugget = nugget / (1.0 + nugget)  # the parameter is the ratio to the correlated share
    length = values.get(f"{part} length", jnp.array(1.0))
    near = correlation(space, distance, length, nugget)
    return motion, jnp.kron(band_correlation(part, kind.bands, values), near) if kind.bands else near


def _class_scale(kind: Kind, part: str, pattern: Array, values: dict[str, Array]) -> Array:
    if not kind.labels:
        return jnp.array(1.0)
    each = jnp.stack([values[f"{part} std [{label}]"] for label in kind.labels])[pattern]
    return each[:, None] * each[None, :]


def _bias(name: str, values: dict[str, Array]) -> dict[str, Array]:
    return {key: values[f"{name} bias {key}"] for key in ("std", "time") if f"{name} bias {key}" in values}


def systems_of(layout: Layout, values: dict[str, float]) -> list[System]:
    """Return the matrices of given parameters, as the engine takes them."""
    return make_systems(layout, values, _matrices(layout.kind, _arrays(values), *_shapes(layout)))


def _arrays(values: dict[str, float]) -> dict[str, Array]:
    return {name: jnp.asarray(value) for name, value in values.items()}


def _shapes(layout: Layout) -> tuple[Array, Array, Array]:
    return jnp.asarray(layout.distance), jnp.asarray(layout.steps), jnp.asarray(layout.patterns)


def make_systems(layout: Layout, values: dict[str, float], traced: Traced) -> list[System]:
    """Put matrices, noise and priors together."""
    pattern = layout.pattern
    noise = np.array([values[f"{name} noise"] ** 2 for name in layout.sensors])
    prior = np.array([(values[c] if isinstance(c, str) else c) ** 2 for c in layout.coefficients])
    host = jax.tree.map(np.asarray, traced)
    return [
        System(pattern, t, _inverse(layout, t), q, p, noise, prior)
        for t, q, p in zip(host.transition, host.innovation, host.start, strict=True)
    ]


def _inverse(layout: Layout, transition: np.ndarray) -> np.ndarray:
    """Invert the transition part by part, in the same pattern."""
    inverse, place, pixels = np.zeros_like(transition), 0, layout.pixels
    orders = [*layout.model.orders, *(1 for _ in layout.biases)]
    sizes = [pixels] * len(layout.model.orders) + [b.rows for b in layout.biases]
    for order, size in zip(orders, sizes, strict=True):
        block = np.linalg.inv(transition[:, place : place + order * size : size, :order])
        inverse[:, place : place + order * size, :order] = np.repeat(block, size, axis=1)
        place += order * size
    return inverse


class Learnt(NamedTuple):
    """What learning found.

    Args:
        values: every parameter, the known ones too.
        spread: standard deviation of the logarithm of each learnt one, from the curvature that the search
            built up; approximate.
        value: log-likelihood at the end.
        steps: evaluations.
        converged: whether the search ended by itself.
        path: log-likelihood (with the priors, where they count) by step.
        stretch: by what all standard deviations were multiplied afterwards; see `calibration`.
        source: what they were learnt from, where that is not what was fused.
    """

    values: dict[str, float]
    spread: dict[str, float]
    value: float
    steps: int
    converged: bool
    path: tuple[float, ...]
    stretch: float = 1.0
    source: str = ""


class Posterior(ABC):
    """Log-likelihood and log-prior of the learnt parameters' logarithms, with exact slopes.

    Args:
        parameters: all of them; the order is that of the vectors below.
        steps: lengths of the steps between dates, days.
    """

    def __init__(self, parameters: tuple[Parameter, ...], steps: np.ndarray):
        self.parameters, self.steps = parameters, steps
        self.free = [p for p in parameters if p.factor is not None]
        self.path: list[float] = []

    @abstractmethod
    def slopes(self, values: dict[str, float]) -> tuple[float, dict[str, float]]:
        """Return the log-likelihood, and its slope by the logarithm of every parameter."""

    @abstractmethod
    def counts(self) -> dict[str, float]:
        """Return how many numbers each standard deviation is that of; see `innovation_counts`."""

    @property
    def start(self) -> np.ndarray:
        """Logarithms of the priors' medians."""
        return np.log([p.median for p in self.free])

    @property
    def bounds(self) -> list[tuple[float, float]]:
        """Where the search may go: a factor of 1e3, and times that a step can tell from none."""
        shortest = np.log(0.2 * self.steps.min()) if len(self.steps) else -np.inf
        wide = np.log(1e3)
        return [
            (max(s - wide, shortest) if p.name.endswith(" time") else s - wide, s + wide)
            for s, p in zip(self.start, self.free, strict=True)
        ]

    def values(self, logs: np.ndarray) -> dict[str, float]:
        """Return all parameters by name."""
        free = dict(zip([p.name for p in self.free], np.exp(logs), strict=True))
        return {p.name: float(free.get(p.name, p.median)) for p in self.parameters}

    def likelihood(self, logs: np.ndarray) -> tuple[float, np.ndarray]:
        """Return the log-likelihood, and its slope by the learnt parameters' logarithms."""
        value, slope = self.slopes(self.values(logs))
        return value, np.array([slope[p.name] for p in self.free])

    def __call__(self, logs: np.ndarray) -> tuple[float, np.ndarray]:
        """Return minus the log-posterior and its slope, for a minimiser."""
        value, slope = self.likelihood(logs)
        away = (logs - self.start) / np.log([p.factor or 1.0 for p in self.free])
        value -= 0.5 * float(away @ away)
        self.path.append(value)
        return -value, -(slope - away / np.log([p.factor or 1.0 for p in self.free]))


class Objective(Posterior):
    """The posterior of footprints that do not know each other.

    Args:
        layout: the layout.
        data: the data that it is learnt from.
    """

    def __init__(self, layout: Layout, data: BlockData):
        super().__init__(layout.parameters, layout.steps)
        self.layout, self.data = layout, data

    def systems(self, logs: np.ndarray) -> list[System]:
        """Return the matrices at some parameters."""
        return systems_of(self.layout, self.values(logs))

    def slopes(self, values: dict[str, float]) -> tuple[float, dict[str, float]]:
        systems = systems_of(self.layout, values)
        found, _ = slopes(self.data, systems)
        weights = Traced(*([jnp.asarray(getattr(f, name)) for f in found] for name in Traced._fields))
        by_name = _pulled(self.layout.kind, _arrays(values), *_shapes(self.layout), weights)
        slope = {name: float(by) * values[name] for name, by in by_name.items()}
        noise = np.sum([f.noise for f in found], axis=0)
        for name, by in zip(self.layout.sensors, noise, strict=True):
            slope[f"{name} noise"] += 2.0 * values[f"{name} noise"] ** 2 * float(by)
        for prior, by in zip(self.layout.coefficients, found[0].prior, strict=True):
            if isinstance(prior, str):
                slope[prior] += 2.0 * values[prior] ** 2 * float(by)
        return found[0].value, slope

    def counts(self) -> dict[str, float]:
        layout, data = self.layout, self.data
        classes = np.zeros(max(len(layout.labels), 1))
        for group in data.groups:
            own = np.bincount(layout.patterns[group.kind], minlength=len(classes))
            classes += len(group.members) * own
        seen = np.isfinite(data.values).sum(axis=(0, 1))
        told = np.bincount(data.sensor, seen, len(layout.sensors))
        biases = {layout.sensors[b.sensor]: (b.kind, b.rows * len(data.values)) for b in layout.biases}
        return innovation_counts(
            layout.model, dict(zip(layout.labels or ("",), classes, strict=True)), len(data.step), biases,
            dict(zip(layout.sensors, told, strict=True)), layout.coefficients,
        )  # fmt: skip


def learn(
    layout: Layout,
    data: BlockData,
    *,
    method: str = "gradient",
    start: dict[str, float] | None = None,
    steps: int = 60,
    tolerance: float = 1e-6,
) -> Learnt:
    """Return the parameters with the greatest posterior density, or by expectation and maximisation.

    Args:
        layout: the layout.
        data: the data.
        method: "gradient": a quasi-Newton search with exact slopes, with all priors. "em": expectation and
            maximisation of all standard deviations, without priors; times, lengths and nuggets stay at
            their start.
        start: values to start from, by name; the priors' medians unless given.
        steps: limit.
        tolerance: relative change of the objective at which the search ends.

    Cost: some 20 to 40 times `slopes`.
    """
    return search_by(method, Objective(layout, data), start, steps, tolerance)


def search_by(
    method: str, objective: Posterior, start: dict[str, float] | None, steps: int, tolerance: float
) -> Learnt:
    """Return what `learn` does, of any posterior."""
    if method == "em" and objective.free:
        return _by_em(objective, _begin(objective, start), steps, tolerance)
    return _by_gradient(objective, start, steps, tolerance)


def _begin(objective: Posterior, start: dict[str, float] | None) -> np.ndarray:
    return np.array([np.log((start or {}).get(p.name, p.median)) for p in objective.free])


def _by_gradient(
    objective: Posterior, start: dict[str, float] | None, steps: int, tolerance: float
) -> Learnt:
    """Return the parameters with the greatest posterior density by a quasi-Newton search (L-BFGS-B)."""
    logs = _begin(objective, start)
    if not len(logs):
        value = objective.likelihood(logs)[0]
        return Learnt(objective.values(logs), {}, value, 1, True, (value,))
    found = minimize(
        objective, logs, jac=True, method="L-BFGS-B", bounds=objective.bounds,
        options={"maxiter": steps, "ftol": tolerance, "gtol": 1e-3},
    )  # fmt: skip
    spread = np.sqrt(np.maximum(np.diag(found.hess_inv.todense()), 0.0))
    value = objective.likelihood(found.x)[0]
    return Learnt(
        objective.values(found.x),
        {p.name: float(s) for p, s in zip(objective.free, spread, strict=True)},
        value,
        int(found.nfev),
        bool(found.success),
        tuple(objective.path),
    )


def _by_em(objective: Posterior, logs: np.ndarray, steps: int, tolerance: float) -> Learnt:
    """Each variance becomes the mean square that is expected: s <- s (1 + (dl/dlog std) / count)."""
    path: list[float] = []
    told = objective.counts()
    counts = np.array([told.get(p.name, 0) for p in objective.free], dtype=float)
    for _ in range(steps):
        value, slope = objective.likelihood(logs)
        path.append(value)
        if len(path) > 1 and abs(path[-1] - path[-2]) <= tolerance * abs(path[-1]):
            break
        grown = np.where(counts > 0, slope / np.maximum(counts, 1.0), 0.0)
        logs = logs + 0.5 * np.log(np.maximum(1.0 + grown, 1e-3))
    return Learnt(objective.values(logs), {}, path[-1], len(path), len(path) < steps, tuple(path))


def innovation_counts(
    model: FusionModel, classes: Mapping[int | str, float], dates: int,
    biases: Mapping[str, tuple[str, int]], seen: Mapping[str, float], coefficients: Sequence[float | str],
) -> dict[str, float]:  # fmt: skip
    """Return by name how many numbers each standard deviation is that of; what is not one is not in it.

    Args:
        model: the model.
        classes: number of pixels by label; by "" where there is one class.
        dates: number of dates.
        biases: by sensor, kind and number of rows.
        seen: by sensor, number of observations.
        coefficients: prior of each, a parameter's name where it has one.
    """
    counts: dict[str, float] = {}
    pixels = sum(classes.values())
    for part, order in zip(model.parts, model.orders, strict=True):
        kind = kind_of(part)[0]
        moving = {"static": 1, "ar1": dates, "matern-3/2": dates, "matern-5/2": dates}.get(kind, dates - 1)
        for label, count in classes.items():
            counts[f"{part} std" if label == "" else f"{part} std [{label}]"] = count * order * moving
        counts[f"{part} start"] = pixels * (1 if kind == "trend" else order)
        counts[f"{part} slope"] = pixels
    for name, (kind, rows) in biases.items():
        counts[f"{name} bias std"] = rows * (1 if kind == "constant" else dates)
    for name, number in seen.items():
        counts[f"{name} noise"] = number
        counts[f"{name} offset"] = sum(c == f"{name} offset" for c in coefficients)
    return counts
