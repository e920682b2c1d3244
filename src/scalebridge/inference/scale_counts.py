"""Scales of counts and shares: generalised linear models in place of least squares.

    Poisson     y ~ Poisson(μ),          log μ = constant + chosen scales
    binomial    y ~ Binomial(m, p),      log p / (1 - p) = constant + chosen scales

The deviance D (twice the log-likelihood below that of the data themselves) takes the place of n log(R / n) in
all criteria. Fits are by iterated least squares (J. A. Nelder and R. W. M. Wedderburn, J. R. Stat. Soc. A 135
(1972) 370), folds are fitted again, and leaving one out takes one Newton step from the whole fit (K. Rahnama
Rad and A. Maleki, J. R. Stat. Soc. B 82 (2020) 965).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from scipy import special, stats

from scalebridge.core.checks import Check
from scalebridge.inference.scale_bases import ScaleBasis
from scalebridge.inference.scale_choices import (
    bic_weights,
    by_size,
    criterion_values,
    disagreements,
    make_choices,
    predictive_path,
)
from scalebridge.inference.scale_criteria import INFORMATION, Validation, make_folds
from scalebridge.inference.scale_result import ScaleSelection
from scalebridge.inference.scale_search import Subsets, all_masks, forward_with_exchanges, subsets_of

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


def count_checks(counts: Counts, mask: np.ndarray) -> tuple[Check, ...]:
    """Whether counts scatter as their family says, and neighbours independently."""
    columns = counts.columns(mask)
    mean = counts.mean(columns @ counts.fit(columns))
    left = (counts.values - mean) / np.sqrt(np.maximum(counts.slope(mean), 1e-12))
    free = len(left) - columns.shape[1]
    if free < 3:
        return ()
    chance = float(stats.chi2.sf(left @ left, free))
    said = "probability of such a scatter if counts had the variance of their family (Pearson's chi-square)"
    correlation = float(left[1:] @ left[:-1]) / float(left @ left) * np.sqrt(len(left))
    alike = float(2.0 * stats.norm.sf(abs(correlation)))
    meaning = "probability of neighbouring residuals so alike if errors were independent, as criteria assume"
    return (
        Check("scatter of counts", chance, _DOUBT, "at least", said),
        Check("independent errors", alike, _DOUBT, "at least", meaning),
    )


def choose_counts(
    counts: Counts,
    *,
    criterion: str,
    folds: int,
    repeats: int,
    block: int,
    gamma: float,
    most: float,
    resamples: int,
    seed: int,
) -> ScaleSelection:
    """Let every criterion choose scales of counts; the arguments are those of `select_scales`."""
    rng, count, basis = np.random.default_rng(seed), len(counts.values), counts.basis
    subsets = search_counts(counts)
    path = predictive_path(subsets, count, most)
    parts = make_folds(count, folds, repeats, block > 1, rng)
    validation = validate_counts(counts, subsets.masks[path], parts)
    choices = make_choices(basis.names, replace(subsets, path=path), validation, count, most, gamma)
    mask = choices[criterion].mask

    def of(name: str, some: Subsets) -> np.ndarray:
        return criterion_values(name, some, count, most, gamma)

    again = drawn_again(counts, mask, resamples, rng)
    constant, contributions = _parts(counts, mask)
    return ScaleSelection(
        basis.names, basis.sizes, count, criterion, choices, subsets,
        {name: by_size(of(name, subsets), subsets.sizes) for name in INFORMATION}, validation,
        bic_weights(subsets, count, most), _often(again, of) if again else {}, _alone(counts), contributions,
        constant, counts.values, np.arange(count, dtype=float), "1",
        disagreements(choices, basis.sizes, basis.names, count), count_checks(counts, mask), _notes(subsets),
        family=counts.family, trials=counts.trials,
    )  # fmt: skip


def _often(again: Sequence[Counts], of: Callable[[str, Subsets], np.ndarray]) -> dict[str, np.ndarray]:
    """Return by criterion the share of counts drawn anew in which each scale is chosen."""
    found = {name: np.zeros(again[0].count) for name in INFORMATION}
    for one in again:
        subsets = search_counts(one, quick=True)
        for name in INFORMATION:
            found[name] += subsets.masks[int(np.argmin(of(name, subsets)))]
    return {name: number / len(again) for name, number in found.items()}


def _parts(counts: Counts, mask: np.ndarray) -> tuple[float, np.ndarray]:
    """Return the constant and what each chosen scale adds to the predictor, (scales, n)."""
    weights = counts.fit(counts.columns(mask))
    columns, owner = counts.basis.chosen(mask), counts.basis.owner[mask[counts.basis.owner]]
    found = np.zeros((counts.count, len(counts.values)))
    for scale in np.flatnonzero(mask):
        found[scale] = columns[:, owner == scale] @ weights[1:][owner == scale]
    return float(weights[0]), found


def _alone(counts: Counts) -> np.ndarray:
    """Return what share of the deviance each scale explains by itself."""
    whole = counts.left(np.zeros(counts.count, bool))
    return np.array([1.0 - counts.left(mask) / whole for mask in np.eye(counts.count, dtype=bool)])


def _notes(subsets: Subsets) -> tuple[str, ...]:
    said = [] if subsets.exact else ["The search takes steps, and may have missed a better subset."]
    return (
        *said,
        "Errors of prediction are mean deviances; leaving one out takes one Newton step from the whole fit.",
        "BIC finds the true scales as values grow in number, if they are among those offered; AIC and "
        "cross-validation look for the best prediction, and go on taking a scale too many.",
    )
