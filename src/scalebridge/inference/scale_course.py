"""The course of a choice, the same for values and for counts: search, validate, choose, resample, tell."""

from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

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
from scalebridge.inference.scale_search import Subsets

CONSISTENCY = (
    "BIC finds the true scales as values grow in number, if they are among those offered; AIC and "
    "cross-validation look for the best prediction, and go on taking a scale too many."
)


@dataclass(frozen=True)
class Rules:
    """How to choose; the arguments are those of `select_scales`."""

    criterion: str
    folds: int
    repeats: int
    block: int
    gamma: float
    most: float
    resamples: int
    seed: int


class Explained(Protocol):
    """What numbers and scales must answer, whatever the noise."""

    @property
    def values(self) -> np.ndarray:
        """The numbers, (n,)."""
        ...

    @property
    def basis(self) -> ScaleBasis:
        """The scales."""
        ...

    @property
    def family(self) -> str:
        """Of the noise."""
        ...

    def search(self) -> Subsets:
        """Return the subsets that are to be compared."""
        ...

    def validate(self, masks: np.ndarray, folds: list[list[np.ndarray]]) -> Validation:
        """Return the errors of prediction of some subsets."""
        ...

    def frequencies(self, mask: np.ndarray, rules: Rules, rng: np.random.Generator) -> dict[str, np.ndarray]:
        """Return by criterion how often each scale is chosen when numbers are drawn anew from some scales."""
        ...

    def parts(self, mask: np.ndarray) -> tuple[float, np.ndarray]:
        """Return the constant, and what each chosen scale contributes, (scales, n)."""
        ...

    def alone(self) -> np.ndarray:
        """Return what share each scale explains by itself."""
        ...

    def checks(self, mask: np.ndarray, block: int) -> tuple[Check, ...]:
        """Return whether what is left is noise."""
        ...

    def notes(self, subsets: Subsets, most: float) -> tuple[str, ...]:
        """Return what a reader has to know."""
        ...


def choose(given: Explained, rules: Rules) -> ScaleSelection:
    """Let every criterion choose scales."""
    rng, count, basis = np.random.default_rng(rules.seed), len(given.values), given.basis
    most, gamma = rules.most, rules.gamma
    subsets = given.search()
    path = predictive_path(subsets, count, most)
    folds = make_folds(count, rules.folds, rules.repeats, rules.block > 1, rng)
    validation = given.validate(subsets.masks[path], folds)
    choices = make_choices(basis.names, replace(subsets, path=path), validation, count, most, gamma)
    mask = choices[rules.criterion].mask
    often = given.frequencies(mask, rules, rng) if rules.resamples else {}
    constant, parts = given.parts(mask)
    curves = {
        name: by_size(criterion_values(name, subsets, count, most, gamma), subsets.sizes)
        for name in INFORMATION
    }
    return ScaleSelection(
        basis.names, basis.sizes, count, rules.criterion, choices, subsets, curves, validation,
        bic_weights(subsets, count, most), often, given.alone(), parts, constant, given.values,
        np.arange(count, dtype=float), "1", disagreements(choices, basis.sizes, basis.names, count),
        given.checks(mask, rules.block), (*given.notes(subsets, most), CONSISTENCY), family=given.family,
    )  # fmt: skip
