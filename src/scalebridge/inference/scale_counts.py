"""Scales of counts and shares: generalised linear models in place of least squares.

    Poisson     y ~ Poisson(μ),          log μ = constant + chosen scales
    binomial    y ~ Binomial(m, p),      log p / (1 - p) = constant + chosen scales

The deviance D (twice the log-likelihood below that of the data themselves) takes the place of n log(R / n) in
all criteria. Fits are by iterated least squares (J. A. Nelder and R. W. M. Wedderburn, J. R. Stat. Soc. A 135
(1972) 370), folds are fitted again, and leaving one out takes one Newton step from the whole fit (K. Rahnama
Rad and A. Maleki, J. R. Stat. Soc. B 82 (2020) 965).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import special, stats

from scalebridge.core.checks import Check
from scalebridge.inference.scale_bases import ScaleBasis
from scalebridge.inference.scale_choices import criterion_values
from scalebridge.inference.scale_course import Rules
from scalebridge.inference.scale_criteria import INFORMATION, Validation
from scalebridge.inference.scale_search import Subsets, all_masks, forward_with_exchanges, subsets_of
from scalebridge.inference.scale_values import checks_of_residuals

Family = Literal["gaussian", "poisson", "binomial"]
FAMILIES = ("gaussian", "poisson", "binomial")
_MOST_ALL = 8  # scales up to which all subsets are fitted
_STEPS, _ENOUGH = 50, 1e-10
_LARGEST = 30.0  # of the predictor: beyond, a share is 0 or 1 to rounding
_DOUBT = 0.01


@dataclass(frozen=True)
class Counts:
    """Counts with the columns that may explain them.

    Args:
        family: "poisson" or "binomial".
        values: (n,) counts.
        trials: (n,) of which they are, of binomial ones; ones otherwise.
        basis: the scales.
    """

    family: Family
    values: np.ndarray
    trials: np.ndarray
    basis: ScaleBasis

    @property
    def count(self) -> int:
        """Number of scales, as searches ask for it."""
        return len(self.basis.names)

    def columns(self, mask: np.ndarray) -> np.ndarray:
        """Return the constant and the columns of some scales."""
        return np.concatenate([np.ones((len(self.values), 1)), self.basis.chosen(mask)], axis=1)

    def mean(self, predictor: np.ndarray) -> np.ndarray:
        """Return the expected count at a predictor."""
        if self.family == "poisson":
            return np.exp(np.minimum(predictor, _LARGEST))
        return self.trials * special.expit(predictor)

    def slope(self, mean: np.ndarray) -> np.ndarray:
        """Return the variance, which is also d(mean) / d(predictor)."""
        return mean if self.family == "poisson" else mean * (1.0 - mean / self.trials)

    def deviances(self, mean: np.ndarray) -> np.ndarray:
        """Return each count's part of the deviance."""
        own = special.xlogy(self.values, self.values) - special.xlogy(self.values, mean)
        if self.family == "poisson":
            return 2.0 * (own - self.values + mean)
        missed, rest = self.trials - self.values, self.trials - mean
        return 2.0 * (own + special.xlogy(missed, missed) - special.xlogy(missed, rest))

    def left(self, mask: np.ndarray) -> float:
        """Return the deviance that some scales leave."""
        fit = self.fit(self.columns(mask))
        return float(np.sum(self.deviances(self.mean(self.columns(mask) @ fit))))

    def fit(self, columns: np.ndarray, keep: np.ndarray | None = None) -> np.ndarray:
        """Return the coefficients of some columns, of some of the values."""
        rows = np.arange(len(self.values)) if keep is None else keep
        x, some = columns[rows], Counts(self.family, self.values[rows], self.trials[rows], self.basis)
        share = (some.values.sum() + 0.5) / (some.trials.sum() + 1.0)
        start = np.log(share) if self.family == "poisson" else special.logit(min(share, 1.0 - 1e-9))
        weights = np.r_[start, np.zeros(x.shape[1] - 1)]
        before = np.inf
        for _ in range(_STEPS):
            mean = some.mean(x @ weights)
            slope = np.maximum(some.slope(mean), 1e-12)
            gram = x.T @ (slope[:, None] * x)
            gram += 1e-10 * np.trace(gram) / len(gram) * np.eye(len(gram))
            step = np.linalg.solve(gram, x.T @ (some.values - mean))
            step *= min(1.0, 4.0 / max(float(np.max(np.abs(x @ step))), 1e-300))
            weights = weights + step
            now = float(np.sum(some.deviances(some.mean(x @ weights))))
            if abs(before - now) <= _ENOUGH * (1.0 + now) or np.max(np.abs(x @ weights)) > _LARGEST:
                break
            before = now
        return weights

    def search(self) -> Subsets:
        """Return the subsets that are to be compared."""
        return search_counts(self)

    def validate(self, masks: np.ndarray, folds: Sequence[Sequence[np.ndarray]]) -> Validation:
        """Return mean deviances of prediction."""
        return validate_counts(self, masks, folds)

    def frequencies(self, mask: np.ndarray, rules: Rules, rng: np.random.Generator) -> dict[str, np.ndarray]:
        """Return how often each scale is chosen of counts drawn anew."""
        found, size = {name: np.zeros(self.count) for name in INFORMATION}, len(self.values)
        for one in drawn_again(self, mask, rules.resamples, rng):
            subsets = search_counts(one, quick=True)
            for name in INFORMATION:
                values = criterion_values(name, subsets, size, rules.most, rules.gamma)
                found[name] += subsets.masks[int(np.argmin(values))]
        return {name: number / rules.resamples for name, number in found.items()}

    def parts(self, mask: np.ndarray) -> tuple[float, np.ndarray]:
        """Return the constant, and what each chosen scale adds to the predictor, (scales, n)."""
        weights = self.fit(self.columns(mask))
        columns, owner = self.basis.chosen(mask), self.basis.owner[mask[self.basis.owner]]
        found = np.zeros((self.count, len(self.values)))
        for scale in np.flatnonzero(mask):
            found[scale] = columns[:, owner == scale] @ weights[1:][owner == scale]
        return float(weights[0]), found

    def alone(self) -> np.ndarray:
        """Return what share of the deviance each scale explains by itself."""
        whole = self.left(np.zeros(self.count, bool))
        return np.array([1.0 - self.left(mask) / whole for mask in np.eye(self.count, dtype=bool)])

    def checks(self, mask: np.ndarray, block: int) -> tuple[Check, ...]:
        """Return whether counts scatter as their family says, and neighbours independently."""
        columns = self.columns(mask)
        mean = self.mean(columns @ self.fit(columns))
        left = (self.values - mean) / np.sqrt(np.maximum(self.slope(mean), 1e-12))
        free = len(left) - columns.shape[1]
        if free < 3:
            return ()
        chance = float(stats.chi2.sf(left @ left, free))
        said = "probability of such a scatter if counts varied as their family does (Pearson's chi-square)"
        scatter = Check("scatter of counts", chance, _DOUBT, "at least", said)
        return (scatter, *checks_of_residuals(left, columns.shape[1], block))

    def notes(self, subsets: Subsets, most: float) -> tuple[str, ...]:
        """Return what errors mean here, and whether the search was exact."""
        said = [] if subsets.exact else ["The search takes steps, and may have missed a better subset."]
        deviances = "Errors of prediction are mean deviances; leaving one out takes one Newton step"
        return (*said, f"{deviances} from the whole fit.")


def search_counts(counts: Counts, *, quick: bool = False) -> Subsets:
    """Find the subsets that are to be compared; `rss` is such that n log(rss / n) is the deviance.

    Cost: a fit a subset: all up to eight scales, steps and exchanges beyond.
    """
    whole = counts.count <= _MOST_ALL and not quick
    masks = all_masks(counts.count) if whole else forward_with_exchanges(counts)
    deviance = np.array([counts.left(mask) for mask in masks])
    size = len(counts.values)
    said = "all subsets" if whole else "forward steps with exchanges"
    equivalent = size * np.exp(deviance / size)
    return subsets_of(counts.basis, masks, equivalent, said, exact=whole, complete=whole)


def validate_counts(counts: Counts, masks: np.ndarray, folds: Sequence[Sequence[np.ndarray]]) -> Validation:
    """Find mean deviances of prediction: of folds by fits without them, of single values by a Newton step."""
    every = np.arange(len(counts.values))
    loo, errors = [], []
    for mask in masks:
        columns = counts.columns(mask)
        predictor = columns @ counts.fit(columns)
        mean = counts.mean(predictor)
        slope = np.maximum(counts.slope(mean), 1e-12)
        inverse = np.linalg.pinv(columns.T @ (slope[:, None] * columns))
        leverage = np.minimum(np.einsum("ij,jk,ik->i", columns, inverse, columns) * slope, 1.0 - 1e-9)
        moved = predictor - leverage / (1.0 - leverage) * (counts.values - mean) / slope
        loo.append(float(np.mean(counts.deviances(counts.mean(np.clip(moved, -_LARGEST, _LARGEST))))))
        row = []
        for fold in (fold for parts in folds for fold in parts):
            weights = counts.fit(columns, np.setdiff1d(every, fold))
            away = np.clip(columns @ weights, -_LARGEST, _LARGEST)
            row.append(float(np.mean(counts.deviances(counts.mean(away))[fold])))
        errors.append(row)
    return Validation(np.array(loo), np.array(errors))


def drawn_again(counts: Counts, mask: np.ndarray, resamples: int, rng: np.random.Generator) -> list[Counts]:
    """Return counts drawn anew from what some scales expect."""
    columns = counts.columns(mask)
    mean = counts.mean(columns @ counts.fit(columns))
    found = []
    for _ in range(resamples):
        if counts.family == "poisson":
            values = rng.poisson(mean)
        else:
            values = rng.binomial(counts.trials.astype(int), mean / counts.trials)
        found.append(Counts(counts.family, values.astype(float), counts.trials, counts.basis))
    return found
