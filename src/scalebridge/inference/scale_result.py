"""What choosing scales found, and how it is told: text, tables of numbers, JSON."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from scalebridge.core.checks import Check
from scalebridge.core.provenance import Provenance
from scalebridge.core.saved import Saved
from scalebridge.core.upscaled import plain
from scalebridge.inference.scale_criteria import INFORMATION, Validation
from scalebridge.inference.scale_search import Subsets

SCHEMA = "scalebridge/scale-selection/1"
TITLES = {
    "aic": "AIC",
    "aicc": "AICc",
    "bic": "BIC",
    "ebic": "EBIC",
    "loo": "leave one out",
    "k-fold": "cross-validation",
    "one-standard-error": "one standard error",
}


@dataclass(frozen=True)
class Choice:
    """What one criterion chooses.

    Args:
        criterion: its name.
        scales: names of the scales.
        mask: which scales, (scales,).
        unknowns: number of coefficients, the constant included.
        value: the criterion there; for cross-validation the mean squared error of prediction.
        margin: by how much the next subset is worse; NaN where there is none.
    """

    criterion: str
    scales: tuple[str, ...]
    mask: np.ndarray
    unknowns: int
    value: float
    margin: float


@dataclass(frozen=True)
class ScaleSelection(Saved):
    """Which scales (or which models of a ladder) belong in the model, by several criteria.

    Args:
        names: of the scales, coarse ones first; of a ladder the models.
        sizes: number of coefficients of each.
        count: number of values.
        criterion: the one whose choice `selected` and `fitted` are.
        choices: what each criterion chooses.
        subsets: subsets that were compared.
        curves: least value of each information criterion by number of scales, (sizes,).
        validation: errors of prediction of the best subset of each size; None for a ladder.
        weights: posterior probability of each scale from BIC, (scales,).
        frequencies: by criterion, share of resamples in which each scale is chosen, (scales,); empty if not
            asked.
        energies: share of the sum of squares that each scale explains by itself, (scales,).
        parts: what each chosen scale contributes, (scales, n); zeros for others.
        mean: the constant.
        values: the values, (n,).
        at: their positions, (n,).
        unit: unit of the values.
        disagreement: why criteria disagree, in sentences.
        checks: what has to hold, measured.
        notes: what a reader has to know.
        ladder: whether whole models were compared in place of subsets of scales.
        provenance: where it all came from.
        family: "gaussian", or of counts "poisson" or "binomial"; parts and the constant of counts are of the
            logarithm, or of the logit.
        trials: of which the counts are, (n,), of "binomial".
        shape: of the grid that the values are on, in a plane or in space; empty along a line.
    """

    names: tuple[str, ...]
    sizes: np.ndarray
    count: int
    criterion: str
    choices: dict[str, Choice]
    subsets: Subsets
    curves: dict[str, np.ndarray]
    validation: Validation | None
    weights: np.ndarray
    frequencies: dict[str, np.ndarray]
    energies: np.ndarray
    parts: np.ndarray
    mean: float
    values: np.ndarray
    at: np.ndarray
    unit: str
    disagreement: tuple[str, ...]
    checks: tuple[Check, ...]
    notes: tuple[str, ...]
    ladder: bool = False
    provenance: Provenance = field(default_factory=lambda: Provenance({}, {}))
    family: str = "gaussian"
    trials: np.ndarray | None = None
    shape: tuple[int, ...] = ()

    @property
    def choice(self) -> Choice:
        """What the asked criterion chooses."""
        return self.choices[self.criterion]

    @property
    def selected(self) -> tuple[str, ...]:
        """Names of the scales that it chooses."""
        return self.choice.scales

    @property
    def fitted(self) -> np.ndarray:
        """The values as the chosen scales have them, (n,)."""
        predictor = self.mean + self.parts.sum(axis=0)
        if self.family == "poisson":
            return np.exp(predictor)
        return predictor if self.trials is None else self.trials / (1.0 + np.exp(-predictor))

    @property
    def loss(self) -> str:
        """What errors of prediction are."""
        return "mean squared error" if self.family == "gaussian" else "mean deviance"

    @property
    def passed(self) -> bool:
        """Whether every check passed."""
        return all(check.passed for check in self.checks)

    def __str__(self) -> str:
        return "\n".join(_summary(self))

    def to_dict(self) -> dict[str, Any]:
        """Return plain data: everything but the subsets."""
        return _as_dict(self)


def scale_words(scales: tuple[str, ...]) -> str:
    """Return scales as text."""
    return ", ".join(scales) if scales else "the constant alone"


def _summary(found: ScaleSelection) -> list[str]:
    what = "models" if found.ladder else "scales"
    lines = [f"{len(found.names)} {what}, {found.count} values; {found.subsets.method}"]
    for name, choice in found.choices.items():
        star = "*" if name == found.criterion else " "
        lines.append(
            f" {star}{TITLES[name]:<18}  {choice.unknowns:5d} unknowns  {scale_words(choice.scales)}"
        )
    lines.append(f"  {'':<18}  {'energy':>7}  {'P(BIC)':>7}" + ("  resamples" if found.frequencies else ""))
    often = found.frequencies.get(found.criterion)
    for i, name in enumerate(found.names):
        row = f"  {name:<18}  {found.energies[i]:7.2%}  {found.weights[i]:7.3f}"
        lines.append(row + ("" if often is None else f"  {often[i]:9.2f}"))
    lines += [f"  {line}" for line in (*found.disagreement, *map(str, found.checks))]
    return [*lines, *(f"  note: {note}" for note in found.notes)]


def _as_dict(found: ScaleSelection) -> dict[str, Any]:
    validation = found.validation
    told = {
        "schema": SCHEMA,
        "quantity": "models" if found.ladder else "scales",
        "names": found.names,
        "sizes": found.sizes,
        "values": found.count,
        "family": found.family,
        "shape": found.shape or (found.count,),
        "unit": found.unit,
        "criterion": found.criterion,
        "selected": found.selected,
        "choices": {name: {**vars(c), "mask": c.mask.tolist()} for name, c in found.choices.items()},
        "search": {"method": found.subsets.method, "exact": found.subsets.exact},
        "curves": {name: found.curves[name] for name in INFORMATION if name in found.curves},
        "validation": None
        if validation is None
        else {"leave one out": validation.loo, "mean": validation.mean, "standard error": validation.error},
        "weights from BIC": found.weights,
        "frequencies": found.frequencies,
        "energies": found.energies,
        "mean": found.mean,
        "fitted": found.fitted,
        "disagreement": found.disagreement,
        "checks": [check.to_dict() for check in found.checks],
        "passed": found.passed,
        "notes": found.notes,
        "provenance": found.provenance.to_dict(),
    }
    return plain(told)
