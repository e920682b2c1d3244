"""What a sampling found, and how it is told: draws, summary, checks with their cures, cost."""

import math
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from scalebridge.core.checks import Check
from scalebridge.core.errors import InputError
from scalebridge.core.estimate import Samples
from scalebridge.core.provenance import Provenance
from scalebridge.core.saved import Saved
from scalebridge.core.spec import Spec
from scalebridge.core.upscaled import Upscaled, plain
from scalebridge.inference.diagnostics import ess_bulk, ess_tail, r_hat, standard_error
from scalebridge.inference.draws_file import write_draws
from scalebridge.inference.telescoping import Quantity, Rung, TelescopingMean, telescoping_mean

SCHEMA = "scalebridge/sampled/1"
CURES = {
    "R-hat": "let the chains run longer (draws, warmup); if they sit on different peaks, pass tempering=4",
    "bulk ESS": "ask for more draws, or longer subchains",
    "tail ESS": "ask for more draws, or longer subchains",
    "acceptance of the finest level": "shorten the subchains, lengthen the warm-up so that the correction is "
    "learnt from more fine answers, or use a better coarse model",
    "correlation of neighbouring levels": "lengthen the warm-up, or use a better coarse model: this one says "
    "little about the finer one",
    "divergences": "lengthen the scouting so that the step is smaller, or use another proposal",
    "failed evaluations": "look at what the model said (stats), and forbid such parameters with log_prior",
}
"""What to change when a check fails, by its name."""


@dataclass(frozen=True)
class ParameterSummary:
    """What is known of one number after sampling.

    Args:
        name: its name; of a vector with the number of the component.
        unit: SI unit.
        mean: posterior mean.
        std: posterior standard deviation.
        quantiles: 5 %, 50 % and 95 %.
        error: Monte-Carlo standard error of the mean.
        ess_bulk: effective sample size of the bulk.
        ess_tail: of the tails.
        r_hat: rank-normalised split R-hat.
    """

    name: str
    unit: str
    mean: float
    std: float
    quantiles: tuple[float, float, float]
    error: float
    ess_bulk: float
    ess_tail: float
    r_hat: float


@dataclass(frozen=True)
class LevelWork:
    """Work on one level.

    Args:
        name: of the level.
        evaluations: answers asked for among the kept draws.
        gradients: gradients asked for among the kept draws.
        warmup: answers and gradients asked for before.
        failures: answers that did not come.
        seconds: time in the model, kept draws.
        warmup_seconds: the same before.
        messages: what the first failures said.
    """

    name: str
    evaluations: int
    gradients: int
    warmup: int
    failures: int
    seconds: float
    warmup_seconds: float
    messages: tuple[str, ...] = ()


@dataclass(frozen=True)
class Sampled(Saved):
    """Draws from a posterior, with what proves them and what they cost.

    Args:
        specs: the parameters.
        values: (chains, draws, n) values, the parameters one after the other.
        names: of the n numbers.
        log_prior: (chains, draws), in the coordinates of `Spec`.
        log_likelihoods: (chains, draws, levels), of the coarse levels with their corrections.
        outputs: (chains, draws, m) answers of the finest level.
        accepted: (chains, draws) whether the finest level accepted.
        work: by level, coarse to fine.
        rates: acceptances and correlations by name.
        rungs: chains of all levels, for the telescoping estimator; empty unless asked for.
        notes: what a reader has to know.
        provenance: where it all came from.
        stats: numbers about the work.
        data: (m,) what was measured, or None.
        noise: (m,) its standard deviation, or None.
    """

    specs: tuple[Spec, ...]
    values: np.ndarray
    names: tuple[str, ...]
    log_prior: np.ndarray
    log_likelihoods: np.ndarray
    outputs: np.ndarray
    accepted: np.ndarray
    work: tuple[LevelWork, ...]
    rates: dict[str, float]
    rungs: tuple[Rung, ...] = ()
    notes: tuple[str, ...] = ()
    provenance: Provenance = field(default_factory=lambda: Provenance({}, {}))
    stats: dict[str, Any] = field(default_factory=dict)
    data: np.ndarray | None = None
    noise: np.ndarray | None = None
    summary: tuple[ParameterSummary, ...] = field(init=False)

    def __post_init__(self):
        units = [spec.unit for spec in self.specs for _ in range(math.prod(spec.shape))]
        rows = [
            _summarised(name, unit, self.values[:, :, i])
            for i, (name, unit) in enumerate(zip(self.names, units, strict=True))
        ]
        object.__setattr__(self, "summary", tuple(rows))

    def __getitem__(self, name: str) -> np.ndarray:
        """Return the draws of a parameter, (chains, draws, ...)."""
        first = 0
        for spec in self.specs:
            count = math.prod(spec.shape)
            if spec.name == name:
                return self.values[:, :, first : first + count].reshape(*self.values.shape[:2], *spec.shape)
            first += count
        known = ", ".join(spec.name for spec in self.specs)
        raise InputError("name", got=repr(name), wanted=f"one of {known}", cure="choose one of them")

    @property
    def worst_ess(self) -> float:
        """Bulk effective sample size of the worst parameter."""
        return min(row.ess_bulk for row in self.summary)

    @property
    def evaluations_per_ess(self) -> float:
        """Fine evaluations among the kept draws per effective sample of the worst parameter."""
        return (self.work[-1].evaluations + self.work[-1].gradients) / self.worst_ess

    @property
    def units_per_ess(self) -> float:
        """The work of all levels in fine evaluations, by measured times, per effective sample; kept draws."""
        return self.evaluations_per_ess * _ratio(sum(w.seconds for w in self.work), self.work[-1].seconds)

    @property
    def checks(self) -> tuple[Check, ...]:
        """What has to hold for the draws to stand for the posterior, measured."""
        return tuple(_checks(self))

    @property
    def passed(self) -> bool:
        """Whether every check passed."""
        return all(check.passed for check in self.checks)

    @property
    def advice(self) -> tuple[str, ...]:
        """What to change, for each check that failed."""
        failed = [check.name for check in self.checks if not check.passed]
        return tuple(f"{name}: {CURES[name]}." for name in failed)

    def estimate(self) -> Samples:
        """Return the draws as what is known of the parameters, which other models take."""
        flat, first, values = self.values.reshape(-1, self.values.shape[2]), 0, []
        for spec in self.specs:
            count = math.prod(spec.shape)
            values.append(flat[:, first : first + count].reshape(-1, *spec.shape))
            first += count
        return Samples.from_values(self.specs, tuple(values))

    def telescoping_mean(self, quantity: Quantity) -> TelescopingMean:
        """Estimate a mean from the chains of all levels; see `telescoping.telescoping_mean`.

        Args:
            quantity: of values (..., n) and answers (..., m) of a level, returns (...) numbers.

        Raises:
            InputError: nothing was sampled below the finest level.
        """
        if not self.rungs:
            raise InputError(
                "telescoping",
                got="draws of the finest level only",
                wanted="chains of the lower levels too",
                cure="pass telescoping=(20000,) to sample",
            )
        return telescoping_mean(self.rungs, quantity)

    def upscaled(self) -> Upscaled:
        """Return the posterior means as a result, with checks, notes, origin and the draws as estimate."""
        same = {row.unit for row in self.summary}
        spec = Spec("posterior mean", same.pop() if len(same) == 1 else "1", (len(self.summary),))
        mean = np.array([row.mean for row in self.summary])
        return Upscaled(
            spec,
            mean,
            checks=self.checks,
            estimate=self.estimate(),
            stats=self.stats,
            provenance=self.provenance,
            notes=(*self.notes, *self.advice),
            subject=self,
        )

    def __str__(self) -> str:
        return "\n".join(_told(self))

    def to_dict(self) -> dict[str, Any]:
        """Return plain data: everything but the draws, which `save_draws` writes."""
        return plain(
            {
                "schema": SCHEMA,
                "parameters": [vars(row) for row in self.summary],
                "chains": self.values.shape[0],
                "draws": self.values.shape[1],
                "work": [vars(one) for one in self.work],
                "rates": self.rates,
                "fine evaluations per effective sample": self.evaluations_per_ess,
                "fine units per effective sample": self.units_per_ess,
                "checks": [check.to_dict() for check in self.checks],
                "passed": self.passed,
                "advice": self.advice,
                "notes": self.notes,
                "stats": self.stats,
                "provenance": self.provenance.to_dict(),
            }
        )

    def save_draws(self, path: str | os.PathLike[str]) -> Path:
        """Write all draws as NetCDF, which ArviZ and xarray open, and return the path."""
        posterior = {spec.name: self[spec.name] for spec in self.specs}
        stats = {
            "lp": self.log_prior + self.log_likelihoods[:, :, -1],
            "log_likelihood_by_level": self.log_likelihoods,
            "acceptance": self.accepted,
        }
        groups = {
            "posterior": posterior,
            "sample_stats": stats,
            "posterior_predictive": {"answers": self.outputs},
        }
        units = {spec.name: spec.unit for spec in self.specs}
        return write_draws(path, groups, {} if self.data is None else {"answers": self.data}, units)


def _summarised(name: str, unit: str, draws: np.ndarray) -> ParameterSummary:
    low, middle, high = (float(q) for q in np.quantile(draws, (0.05, 0.5, 0.95)))
    return ParameterSummary(
        name,
        unit,
        float(draws.mean()),
        float(draws.std(ddof=1)),
        (low, middle, high),
        standard_error(draws),
        ess_bulk(draws),
        ess_tail(draws),
        r_hat(draws),
    )


def _checks(found: Sampled) -> list[Check]:
    rows = found.summary
    chains = found.values.shape[0]
    listed: list[Check] = []

    def hold(name: str, value: float, tolerance: float, relation: Any, meaning: str) -> None:
        listed.append(Check(name, value, tolerance, relation, meaning))

    agree = "chains agree with each other, worst parameter; 1.01 as Vehtari et al. (2021) recommend"
    hold("R-hat", _worst(max, [row.r_hat for row in rows]), 1.01, "at most", agree)
    enough = "worst parameter; 100 a chain, as Vehtari et al. (2021) recommend"
    for name, of in (("bulk ESS", "ess_bulk"), ("tail ESS", "ess_tail")):
        hold(name, _worst(min, [getattr(row, of) for row in rows]), 100.0 * chains, "at least", enough)
    if len(found.work) > 1:
        rate = found.rates["acceptance of the finest level"]
        screened = (
            "share of screened proposals that the finest level takes; below, fine evaluations are wasted"
        )
        hold("acceptance of the finest level", rate, 0.2, "at least", screened)
        apart = "of the log-likelihoods of neighbouring levels over the draws, the least"
        correlation = found.rates["correlation of neighbouring levels"]
        hold("correlation of neighbouring levels", correlation, 0.5, "at least", apart)
    if "divergences" in found.rates:
        lost = "share of trajectories whose energy was lost; they miss parts of the posterior"
        hold("divergences", found.rates["divergences"], 0.001, "at most", lost)
    failures = "share of answers that did not come, which count as rejections; worst level"
    hold("failed evaluations", found.rates["failed evaluations"], 0.05, "at most", failures)
    return listed


def _worst(choose: Callable[[list[float]], float], numbers: list[float]) -> float:
    return math.nan if any(math.isnan(number) for number in numbers) else choose(numbers)


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole > 0 else math.nan


def findings(found: Sampled) -> list[str]:
    """Return what the draws cost, in sentences."""
    fine = found.work[-1]
    asked = fine.evaluations + fine.gradients
    per_ess, warm = found.evaluations_per_ess, (asked + fine.warmup) / found.worst_ess
    said = [
        f"{asked} evaluations of the finest level among the kept draws, {fine.warmup} before: "
        f"{per_ess:.3g} per effective sample of the worst parameter, {warm:.3g} with the warm-up"
    ]
    if len(found.work) > 1:
        rate = found.rates["acceptance of the finest level"]
        said.append(
            f"the finest level took {rate:.1%} of what the coarser ones proposed; all levels together cost "
            f"{found.units_per_ess:.3g} fine evaluations per effective sample, by measured times"
        )
    failed = sum(one.failures for one in found.work)
    if failed:
        said.append(f"{failed} evaluations failed and count as rejections")
    return said


def _told(found: Sampled) -> list[str]:
    chains, draws = found.values.shape[:2]
    lines = [f"posterior of {len(found.names)} numbers, {chains} chains of {draws} draws"]
    lines.append(f"  {'':>14}  {'mean':>11}  {'std':>9}  {'5 %':>10}  {'95 %':>10}  {'ESS':>6}  {'R-hat':>6}")
    for row in found.summary:
        low, _, high = row.quantiles
        lines.append(
            f"  {row.name:>14}  {row.mean:11.5g}  {row.std:9.3g}  {low:10.4g}  {high:10.4g}  "
            f"{row.ess_bulk:6.0f}  {row.r_hat:6.3f}"
        )
    lines += [f"  {line}" for line in (*findings(found), *map(str, found.checks))]
    return [*lines, *(f"  note: {note}" for note in (*found.notes, *found.advice))]
