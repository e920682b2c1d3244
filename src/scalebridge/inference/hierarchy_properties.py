"""From a posterior to the study: the property of each group, checks, groups left out, further samples."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from scalebridge.core.checks import Check
from scalebridge.core.errors import InputError
from scalebridge.core.spec import Spec
from scalebridge.inference.further_samples import further_groups, further_samples, information
from scalebridge.inference.hierarchy import CORRELATED, HETEROGENEITY, LENGTH, Hierarchy
from scalebridge.inference.hierarchy_fields import MOST, new_cells
from scalebridge.inference.hierarchy_posterior import Posterior
from scalebridge.inference.hierarchy_result import ALL, GroupSummary, MeasurementStudy
from scalebridge.inference.power_means import FLOW, power_mean
from scalebridge.inference.predictive import LeftOut, leave_groups_out, left_out_check, predictive_checks
from scalebridge.inference.semivariance import Semivariance, semivariance

_CALLS = 200  # of a function that upscales a field, for each group
_PLANNED = 400  # draws over which further samples are averaged
_LEFT_OUT = {True: 12, False: 60}  # groups up to which each is left out: with correlation, without
_FEWEST_WEIGHTED = 50.0


@dataclass(frozen=True)
class Wanted:
    """What is asked of the posterior.

    Args:
        spec: the property.
        mean_name: which mean.
        exponent: mean and standard deviation of the power mean's exponent.
        function: upscales an array of cells; None for a power mean.
        of: level whose groups are upscaled.
        observed: coarse measurements by number of the group: value in SI and relative standard deviation.
        cells: cells along each axis that the function is given.
        cell: their edge in the unit of the positions.
        half_width: wanted half width of the 95 % interval, in the coordinate; None if not asked.
        leave_out: whether groups are left out one by one.
        tail: degrees of freedom of the noise; None for Gaussian.
    """

    spec: Spec
    mean_name: str
    exponent: tuple[float, float]
    function: Callable[[np.ndarray], float] | None
    of: str
    observed: dict[int, tuple[float, float]]
    cells: tuple[int, ...]
    cell: float
    half_width: float | None
    leave_out: bool
    tail: float | None


def make_study(
    hierarchy: Hierarchy, posterior: Posterior, wanted: Wanted, rng: np.random.Generator
) -> MeasurementStudy:
    """Put together what the posterior says of the groups, and hold it against the data."""
    data = hierarchy.measurements
    properties, log_weights = _properties(hierarchy, posterior, wanted, rng)
    predictive, checks = predictive_checks(hierarchy, posterior, rng, wanted.tail)
    nearness, near_checks = _nearness(hierarchy, rng)
    left_out = _left_out(hierarchy, posterior, wanted)
    found = [*posterior.checks, *checks, *near_checks]
    found += [left_out_check(left_out)] if left_out else []
    if wanted.observed:
        weights = np.exp(log_weights - log_weights.max())
        worth = float(weights.sum() ** 2 / np.sum(weights**2))
        said = "independent draws left by the coarse measurements"
        found.append(Check("weighted draws", worth, _FEWEST_WEIGHTED, "at least", said))
    further, more = _plan(hierarchy, posterior, wanted)
    groups = _groups(hierarchy, posterior, wanted, properties, log_weights, further)
    everything = _summary_of(
        ALL, data.values, posterior.moments[ALL].mean[0], posterior.moments[ALL].variance[0],
        properties[ALL][:, 0], log_weights, None,
    )  # fmt: skip
    return MeasurementStudy(
        wanted.spec, data.distribution, wanted.mean_name, wanted.of, groups, everything,
        _parameters(hierarchy, posterior), hierarchy.statements(), posterior, properties, log_weights,
        predictive,
        left_out, nearness, wanted.half_width, more, tuple(found), _notes(hierarchy, posterior, wanted),
        hierarchy,
    )  # fmt: skip


def _properties(
    hierarchy: Hierarchy, posterior: Posterior, wanted: Wanted, rng: np.random.Generator
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Draws of the property of each group and of everything, and weights from coarse measurements."""
    data, values = hierarchy.measurements, posterior.values
    count = len(posterior.top)
    mean, std = wanted.exponent
    exponent = mean + std * rng.standard_normal(count)
    if std > 0:
        exponent = np.clip(exponent, -1.0, 1.0)
    micro = values[HETEROGENEITY] ** 2 + values.get(CORRELATED, np.zeros(count)) ** 2
    between = [values[name] ** 2 for name in data.levels]
    centres = {ALL: (posterior.top[:, None, 0], micro + sum(between, np.zeros(count)))}
    if wanted.of != ALL:
        level = data.levels.index(wanted.of)
        below = micro + sum(between[level + 1 :], np.zeros(count))
        centres[wanted.of] = (posterior.levels[level][:, :, 0], below)
    found = {}
    for name, (centre, variance) in centres.items():
        if wanted.function is not None:
            found[name] = _called(hierarchy, posterior, wanted, centre, variance, rng)
        elif wanted.spec.support == "positive":
            found[name] = power_mean(centre, variance[:, None], exponent[:, None])
        else:
            found[name] = centre
    size = len(found[wanted.of])
    log_weights = np.zeros(size)
    for group, (value, spread) in wanted.observed.items():
        drawn = found[wanted.of][:, group]
        gap = np.log(drawn / value) if wanted.spec.support == "positive" else (drawn - value) / abs(value)
        log_weights -= 0.5 * (gap / spread) ** 2
    return found, log_weights


def _called(
    hierarchy: Hierarchy,
    posterior: Posterior,
    wanted: Wanted,
    centre: np.ndarray,
    variance: np.ndarray,
    rng: np.random.Generator,
) -> np.ndarray:
    """Fill cells from each group's distribution and call the function."""
    tree, values = hierarchy.measurements.tree, posterior.values
    count = int(np.prod(wanted.cells))
    if tree.correlation is not None and count > MOST:
        raise InputError(
            "cells", got=f"{count} cells", wanted=f"at most {MOST} with correlation", cure="pass fewer cells"
        )
    axes = [np.arange(n) * wanted.cell for n in wanted.cells]
    positions = np.stack([m.ravel() for m in np.meshgrid(*axes, indexing="ij")], axis=1)
    chosen = np.linspace(0, len(centre) - 1, min(_CALLS, len(centre))).astype(int)
    found = np.empty((len(chosen), centre.shape[1]))
    for row, draw in enumerate(chosen):
        std = float(values[CORRELATED][draw]) if CORRELATED in values else 0.0
        length = float(values[LENGTH][draw]) if LENGTH in values else 1.0
        own = float(np.sqrt(max(variance[draw] - std**2, 0.0)))
        for group in range(centre.shape[1]):
            cells = centre[draw, group] + new_cells(
                positions, count, (own, std, length), tree.correlation, rng
            )
            answer = wanted.function(hierarchy.measurements.physical(cells).reshape(wanted.cells))  # type: ignore[misc]
            found[row, group] = _answer(answer, wanted.spec)
    return found


def _answer(answer: object, spec: Spec) -> float:
    try:
        number = float(answer)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        number = np.nan
    if not np.isfinite(number) or (spec.support == "positive" and number <= 0):
        raise InputError(
            "upscale",
            got=f"a function that returned {answer!r}",
            wanted="one number, positive for log-normal values",
            cure="return for example float(permeability of the cells)",
        )
    return number


def _nearness(hierarchy: Hierarchy, rng: np.random.Generator) -> tuple[Semivariance | None, list[Check]]:
    data = hierarchy.measurements
    if not data.placed:
        return None, []
    tree = data.tree
    means = np.bincount(tree.sample, data.values) / np.bincount(tree.sample)
    found = semivariance(means, tree.place, tree.finest, rng)
    if found is None or tree.correlation is not None:
        return found, []
    meaning = "probability of neighbours so alike if samples of a group were independent, as was assumed"
    return found, [Check("independence within groups", found.p_value, 0.01, "at least", meaning)]


def _left_out(hierarchy: Hierarchy, posterior: Posterior, wanted: Wanted) -> tuple[LeftOut, ...]:
    data = hierarchy.measurements
    most = _LEFT_OUT[data.tree.correlation is not None]
    possible = posterior.log_evidence is not None and data.levels and 3 <= len(data.labels[-1]) <= most
    if not (wanted.leave_out and possible):
        return ()
    box = np.array(posterior.stats["box"]).reshape(-1, 2)
    return leave_groups_out(hierarchy, posterior.log_evidence, box if len(box) else None)


def _plan(
    hierarchy: Hierarchy, posterior: Posterior, wanted: Wanted
) -> tuple[list[int | None] | None, int | None]:
    """How many more samples each group needs, and how many more groups the mean of all."""
    data = hierarchy.measurements
    if wanted.half_width is None or not data.levels:
        return None, None
    chosen = np.linspace(0, len(posterior.top) - 1, min(_PLANNED, len(posterior.top))).astype(int)
    values = {name: v[chosen] for name, v in posterior.values.items()}
    means, variances, told = information(hierarchy, values)
    found = [
        further_samples(variances[:, g], told[:, g], float(np.var(means[:, g])), wanted.half_width)
        for g in range(variances.shape[1])
    ]
    number = np.maximum(np.bincount(data.tree.finest, minlength=data.tree.groups), 1)
    between = np.sum([values[name] ** 2 for name in data.levels], axis=0)
    within = np.mean(1.0 / (told * number), axis=1)
    rest = float(posterior.moments[ALL].spreads[0])
    more = further_groups(between, within, data.tree.groups, rest, wanted.half_width)
    return (found if wanted.of == data.levels[-1] else None), more


def _groups(
    hierarchy: Hierarchy,
    posterior: Posterior,
    wanted: Wanted,
    properties: dict[str, np.ndarray],
    log_weights: np.ndarray,
    further: list[int | None] | None,
) -> tuple[GroupSummary, ...]:
    data = hierarchy.measurements
    if wanted.of == ALL:
        return ()
    level = data.levels.index(wanted.of)
    owner = data.tree.ancestors(level)[data.tree.sample]
    moments = posterior.moments[wanted.of]
    return tuple(
        _summary_of(
            label, data.values[owner == g], moments.mean[g], moments.variance[g],
            properties[wanted.of][:, g], log_weights, None if further is None else further[g],
        )
        for g, label in enumerate(data.labels[level])
    )  # fmt: skip


def _summary_of(
    label: str,
    values: np.ndarray,
    mean: float,
    variance: float,
    drawn: np.ndarray,
    log_weights: np.ndarray,
    further: int | None,
) -> GroupSummary:
    low, middle, high = quantiles(drawn, log_weights[: len(drawn)], (0.025, 0.5, 0.975))
    std = float(np.sqrt(variance))
    return GroupSummary(
        label, len(values), float(np.mean(values)), float(mean), std, middle, low, high, further
    )


def quantiles(drawn: np.ndarray, log_weights: np.ndarray, levels: tuple[float, ...]) -> list[float]:
    """Return weighted quantiles of draws."""
    if np.ptp(log_weights) == 0:
        return [float(q) for q in np.quantile(drawn, levels)]
    order = np.argsort(drawn)
    weights = np.exp(log_weights - log_weights.max())[order]
    cumulative = (np.cumsum(weights) - 0.5 * weights) / weights.sum()
    return [float(np.interp(level, cumulative, drawn[order])) for level in levels]


def _parameters(hierarchy: Hierarchy, posterior: Posterior) -> dict[str, dict[str, float]]:
    names = ("mean", *(f"slope of {name}" for name in hierarchy.measurements.covariates))
    drawn = {name: posterior.top[:, i] for i, name in enumerate(names)}
    drawn |= {name: posterior.values[name] for name in hierarchy.free}
    found = {}
    for name, values in drawn.items():
        mean, std = posterior.known[name]
        low, middle, high = (float(q) for q in np.quantile(values, (0.025, 0.5, 0.975)))
        found[name] = {"mean": mean, "std": std, "2.5 %": low, "50 %": middle, "97.5 %": high}
    return found


def _notes(hierarchy: Hierarchy, posterior: Posterior, wanted: Wanted) -> tuple[str, ...]:
    data, said = hierarchy.measurements, []
    if data.dropped:
        said.append(f"{data.dropped} lines without a value were left out.")
    if data.alone:
        said.append(f"{data.alone} lines without a label on some level stand for groups of their own.")
    limits = int(np.sum(data.below | data.above))
    if limits:
        said.append(
            f"{limits} of the measurements are limits; their part of the likelihood is a probability."
        )
    if data.covariates:
        said.append(f"Groups are compared at the mean of {', '.join(data.covariates)}.")
    if hierarchy.noiseless:
        said.append("Measurements are taken as free of noise: what there is counts as heterogeneity.")
    if not data.placed:
        said.append("Without positions it was not looked at whether samples of a group are independent.")
    if wanted.mean_name == FLOW:
        size = " x ".join(map(str, wanted.cells))
        said.append(f"The property is that of blocks of {size} cells, filled from a group's population.")
    elif wanted.mean_name != "callable" and wanted.spec.support == "positive":
        said.append(
            f"The property is the {wanted.mean_name} mean of a group's whole population, not of its samples."
        )
    said.append(
        "Priors: " + "; ".join(f"{name} {text}" for name, text in hierarchy.statements().items()) + "."
    )
    return tuple(said)
