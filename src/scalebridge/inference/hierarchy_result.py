"""What upscaling measurements found, and how it is told: text, tables, JSON, results for coarse models."""

from dataclasses import dataclass, field
from typing import Any

import jax.numpy as jnp
import numpy as np

from scalebridge.core.checks import Check
from scalebridge.core.errors import InputError
from scalebridge.core.estimate import Samples
from scalebridge.core.provenance import Provenance
from scalebridge.core.saved import Saved
from scalebridge.core.spec import Spec
from scalebridge.core.upscaled import Contribution, Upscaled, plain
from scalebridge.inference.hierarchy import Hierarchy
from scalebridge.inference.hierarchy_posterior import Moments, Posterior
from scalebridge.inference.power_means import FLOW
from scalebridge.inference.predictive import LeftOut, Predictive
from scalebridge.inference.semivariance import Semivariance
from scalebridge.io.stored import nearest

SCHEMA = "scalebridge/measurement-study/1"
ALL = "all"
"""Name of the group of everything."""


@dataclass(frozen=True)
class GroupSummary:
    """What is known of one group.

    Args:
        label: its name.
        count: number of measurements in it.
        own: mean of its own measurements, in the coordinate (logarithm or value).
        mean: posterior mean of its value, in the coordinate.
        std: posterior standard deviation of that.
        value: median of its upscaled property, SI.
        low: 2.5 % quantile of the property.
        high: 97.5 % quantile.
        further: how many more samples reach the wanted interval; None where that was not asked, or none is
            enough.
    """

    label: str
    count: int
    own: float
    mean: float
    std: float
    value: float
    low: float
    high: float
    further: int | None = None


@dataclass(frozen=True)
class MeasurementStudy(Saved):
    """A hierarchy inferred from measurements, and the upscaled property of its groups.

    Args:
        spec: name, unit and support of the property.
        distribution: "log-normal" or "normal": the coordinate is the logarithm of the SI value, or the value.
        mean_name: which mean is the property: "arithmetic", "geometric", "harmonic", "power", or "flow" or
            "callable" of blocks of cells.
        of: level whose groups were upscaled; "all" for everything.
        groups: what is known of them.
        everything: the same of all together.
        parameters: mean, standard deviation and 2.5, 50, 97.5 % quantiles of mean, slopes, spreads and
            lengths.
        priors: every prior in words.
        posterior: draws, moments and the path taken.
        properties: draws of the property, (draws, groups); of everything under "all", (draws, 1).
        log_weights: weights of the draws where coarse measurements were given; zeros otherwise.
        predictive: predictive checks.
        left_out: groups predicted from the others.
        nearness: semivariance within the finest groups; None without positions.
        wanted: half width of the 95 % interval that was wanted, in the coordinate; None if not asked.
        further: how many more groups the mean of all needs; None if not asked, or none is enough.
        checks: what has to hold, measured.
        notes: what a reader has to know.
        hierarchy: the model with its data; not saved.
        provenance: where it all came from.
    """

    spec: Spec
    distribution: str
    mean_name: str
    of: str
    groups: tuple[GroupSummary, ...]
    everything: GroupSummary
    parameters: dict[str, dict[str, float]]
    priors: dict[str, str]
    posterior: Posterior
    properties: dict[str, np.ndarray]
    log_weights: np.ndarray
    predictive: tuple[Predictive, ...]
    left_out: tuple[LeftOut, ...]
    nearness: Semivariance | None
    wanted: float | None
    further: int | None
    checks: tuple[Check, ...]
    notes: tuple[str, ...]
    hierarchy: Hierarchy
    provenance: Provenance = field(default_factory=lambda: Provenance({}, {}))

    @property
    def title(self) -> str:
        """What is handed up, in words."""
        if self.mean_name in ("callable", FLOW):
            return self.spec.name + (" to flow" if self.mean_name == FLOW else "")
        return f"{self.mean_name} mean of {self.spec.name}"

    @property
    def unit(self) -> str:
        """SI unit of the property, "1" when it is dimensionless."""
        return self.spec.unit

    @property
    def path(self) -> str:
        """How the posterior was found, in words."""
        return self.posterior.path

    @property
    def labels(self) -> tuple[str, ...]:
        """Labels of the groups that were upscaled."""
        return tuple(group.label for group in self.groups)

    @property
    def values(self) -> np.ndarray:
        """Medians of their properties, SI, (groups,): what a coarse model of blocks takes."""
        return np.array([group.value for group in self.groups])

    @property
    def passed(self) -> bool:
        """Whether every check passed."""
        return all(check.passed for check in self.checks)

    def moments(self, level: str | None = None) -> Moments:
        """Return means and variances of a level's groups in the coordinate, with the variance's parts.

        Args:
            level: its name, or "all"; the level that was upscaled unless given.
        """
        return self.posterior.moments[self.of if level is None else level]

    def upscaled(self, label: str | None = None) -> Upscaled:
        """Return the property of a group, or of everything, as a result that other parts of the library take.

        Args:
            label: of the group; everything unless given.

        Returns:
            median as value, the draws as estimate, and the standard deviation in parts: noise, finite
            sampling, and spreads that are not known.

        Raises:
            InputError: there is no such group.
        """
        index = 0 if label is None else self._index(label)
        level = ALL if label is None else self.of
        draws = self.properties[level][:, index]
        known = Samples((self.spec,), self.spec_draws(draws), jnp.asarray(self.log_weights))
        value = self.everything.value if label is None else self.groups[index].value
        return Upscaled(
            self.spec,
            np.asarray(value),
            checks=self.checks,
            uncertainty=self._parts(level, index, float(known.std[0])),
            estimate=known,
            stats={"path": self.path, "parameters": self.parameters, "group": label or ALL},
            provenance=self.provenance,
            notes=self.notes,
        )

    def spec_draws(self, draws: np.ndarray) -> Any:
        """Return draws in the unconstrained coordinate of the property, (draws, 1)."""
        return jnp.asarray(np.log(draws) if self.spec.support == "positive" else draws)[:, None]

    def _parts(self, level: str, index: int, std: float) -> dict[str, Contribution]:
        found = self.moments(level)
        parts = {
            "finite sampling": (found.sampling[index], "few samples of a heterogeneous group, without noise"),
            "measurement noise": (found.noise[index], "what the noise of the measurements adds"),
            "spreads": (found.spreads[index], "the spreads of the hierarchy are not known exactly"),
        }
        total = sum(float(part) for part, _ in parts.values())
        share = {name: float(part) / total if total > 0 else 0.0 for name, (part, _) in parts.items()}
        said = "{}; share of the variance of the group's mean {}"
        where = "in the logarithm" if self.distribution == "log-normal" else ""
        return {
            name: Contribution(np.asarray(std * np.sqrt(share[name])), said.format(text, where).strip())
            for name, (_, text) in parts.items()
        }

    def _index(self, label: str) -> int:
        if label not in self.labels:
            raise InputError(
                "label", got=repr(label), wanted=f"a {self.of}", cure=nearest(label, self.labels)
            )
        return self.labels.index(label)

    def __str__(self) -> str:
        return "\n".join(_summary(self))

    def to_dict(self) -> dict[str, Any]:
        """Return plain data: everything but draws and model."""
        return _as_dict(self)


def findings(study: MeasurementStudy) -> list[str]:
    """Return what the study found, in sentences."""
    said = [f"found by {study.path}"]
    near = study.nearness
    if near is not None and len(near.gamma) > 1:
        independent = study.hierarchy.measurements.tree.correlation is None
        rises = near.p_value < 0.01
        verdict = "neighbours are alike" if rises else "neighbours are not more alike than others"
        wrong = (
            ", so independence within a group is wrong: ask for a correlation"
            if rises and independent
            else ""
        )
        said.append(
            f"semivariance from {near.gamma[0]:.3g} at {near.distance[0]:.2g} to {max(near.gamma):.3g}: "
            f"{verdict} (p = {near.p_value:.2g}){wrong}"
        )
    if study.wanted is not None:
        more = "no number" if study.further is None else str(study.further)
        said.append(f"the mean of all needs {more} of further groups sampled like these for what was wanted")
    return said


def _summary(study: MeasurementStudy) -> list[str]:
    unit = "" if study.unit == "1" else f" {study.unit}"
    data = study.hierarchy.measurements
    lines = [f"{study.title}{unit}, {data.tree.count} measurements"]
    head = f"  {'group':<22}  {'n':>5}  {'median':>10}  {'95 % from':>10}  {'to':>10}"
    lines.append(head + (f"  {'more':>6}" if study.wanted is not None else ""))
    for group in (*study.groups, study.everything):
        row = f"  {group.label:<22}  {group.count:5d}"
        row += "".join(f"  {number:10.4g}" for number in (group.value, group.low, group.high))
        if study.wanted is not None:
            more = study.further if group is study.everything else group.further
            row += f"  {'-' if more is None else more:>6}"
        lines.append(row)
    for name, known in study.parameters.items():
        lines.append(f"  {name}: {known['mean']:.5g} ± {known['std']:.3g}")
    lines += [f"  {line}" for line in (*findings(study), *map(str, study.checks))]
    return [*lines, *(f"  note: {note}" for note in study.notes)]


def _as_dict(study: MeasurementStudy) -> dict[str, Any]:
    near = study.nearness
    told = {
        "schema": SCHEMA,
        "quantity": study.spec.name,
        "unit": study.unit,
        "property": study.mean_name,
        "of": study.of,
        "path": study.path,
        "groups": [vars(group) for group in study.groups],
        "all": vars(study.everything),
        "parameters": study.parameters,
        "priors": study.priors,
        "log evidence": study.posterior.log_evidence,
        "parts of the variance": {name: vars(m) for name, m in study.posterior.moments.items()},
        "predictive": [
            {"name": p.name, "seen": p.seen, "made": np.quantile(p.made, (0.025, 0.5, 0.975)), "p": p.p_value}
            for p in study.predictive
        ],
        "left out": [vars(one) for one in study.left_out],
        "semivariance": None if near is None else vars(near),
        "wanted": study.wanted,
        "further groups": study.further,
        "checks": [check.to_dict() for check in study.checks],
        "passed": study.passed,
        "notes": study.notes,
        "stats": study.posterior.stats,
        "provenance": study.provenance.to_dict(),
    }
    return plain(told)
