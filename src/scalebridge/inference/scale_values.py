"""Values with Gaussian noise of one variance, explained by scales by least squares."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from scalebridge.core.checks import Check
from scalebridge.core.errors import InputError
from scalebridge.inference.scale_bases import ScaleBasis
from scalebridge.inference.scale_choices import selection_frequencies
from scalebridge.inference.scale_course import Rules
from scalebridge.inference.scale_criteria import Validation, validate
from scalebridge.inference.scale_search import Reduced, Subsets, scale_energies, search_subsets

_DOUBT = 0.01


@dataclass(frozen=True)
class Values:
    """Values with the columns that may explain them.

    Args:
        values: (n,).
        basis: the scales.
    """

    values: np.ndarray
    basis: ScaleBasis
    family: str = "gaussian"

    def search(self) -> Subsets:
        """Return the subsets that are to be compared."""
        return search_subsets(self.basis, self.values)

    def validate(self, masks: np.ndarray, folds: list[list[np.ndarray]]) -> Validation:
        """Return mean squared errors of prediction, in closed form."""
        return validate(self.basis, self.values, masks, folds)

    def frequencies(self, mask: np.ndarray, rules: Rules, rng: np.random.Generator) -> dict[str, np.ndarray]:
        """Return how often each scale is chosen when residuals are drawn anew."""
        return selection_frequencies(
            self.basis, self.values, mask, resamples=rules.resamples, block=rules.block, most=rules.most,
            gamma=rules.gamma, rng=rng,
        )  # fmt: skip

    def parts(self, mask: np.ndarray) -> tuple[float, np.ndarray]:
        """Return the mean, and what each chosen scale contributes, (scales, n)."""
        values, basis = self.values, self.basis
        parts = np.zeros((len(basis.names), len(values)))
        centred = values - values.mean()
        if np.any(mask):
            columns = basis.chosen(mask)
            columns = columns - columns.mean(axis=0)
            weights = (
                columns.T @ centred if basis.orthonormal else np.linalg.lstsq(columns, centred, rcond=None)[0]
            )
            for scale in np.flatnonzero(mask):
                own = basis.owner[mask[basis.owner]] == scale
                parts[scale] = columns[:, own] @ weights[own]
        return float(values.mean()), parts

    def alone(self) -> np.ndarray:
        """Return what share of the sum of squares each scale explains by itself."""
        centred = self.values - self.values.mean()
        total = float(centred @ centred)
        if self.basis.orthonormal:
            return scale_energies(self.basis, centred) / total
        single = np.eye(len(self.basis.names), dtype=bool)
        return 1.0 - Reduced.of(self.basis, self.values).all_left(single) / total

    def checks(self, mask: np.ndarray, block: int) -> tuple[Check, ...]:
        """Return whether what is left is noise."""
        mean, parts = self.parts(mask)
        unknowns = 1 + int(self.basis.sizes[mask].sum())
        return checks_of_residuals(self.values - mean - parts.sum(axis=0), unknowns, block)

    def notes(self, subsets: Subsets, most: float) -> tuple[str, ...]:
        """Return what was left out, and whether the search was exact."""
        said, count = [], len(self.values)
        whole = int(1 + self.basis.sizes.sum())
        if whole > most * count:
            said.append(
                f"Subsets with more than {int(most * count)} of {whole} coefficients were left out: what "
                f"nearly interpolates {count} values has no noise left to be judged by."
            )
        if not subsets.exact:
            said.append("With so many scales the search takes steps, and may have missed a better subset.")
        return tuple(said)


def checks_of_residuals(left: np.ndarray, unknowns: int, block: int) -> tuple[Check, ...]:
    """Return whether what is left is noise: neighbours alike would be correlated errors."""
    count = len(left)
    total = float(left @ left)
    if total <= 0 or count <= unknowns + 2 or block > 1:
        return ()
    correlation = float(left[1:] @ left[:-1]) / total + (unknowns - 1) / count**1.5
    chance = math.erfc(abs(correlation) * math.sqrt(count) / math.sqrt(2.0))
    return (Check("independent errors", chance, _DOUBT, "at least", ALIKE),)


ALIKE = "probability of neighbouring residuals so alike if errors were independent, as criteria assume"


def finite_numbers(given: Any, argument: str) -> np.ndarray:
    """Return numbers (n,), or refuse what is none."""
    try:
        found = np.asarray(given, dtype=float)
    except (TypeError, ValueError) as error:
        raise InputError(
            argument, got=repr(given)[:60], wanted="numbers (n,)", cure="pass an array"
        ) from error
    if found.ndim != 1 or not np.all(np.isfinite(found)):
        got = (
            f"shape {found.shape}"
            if found.ndim != 1
            else f"{np.sum(~np.isfinite(found))} that are not finite"
        )
        raise InputError(argument, got=got, wanted="finite numbers (n,)", cure="leave out what is missing")
    return found
