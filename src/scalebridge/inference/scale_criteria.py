"""Criteria by which models are chosen: information criteria and cross-validation in closed form.

With n values, k coefficients (the constant and the variance counted) and the residual sum of squares R,

    AIC   n log(R/n) + 2 k                        (H. Akaike 1974)
    AICc  AIC + 2 k (k + 1) / (n - k - 1)         (N. Sugiura 1978; C. M. Hurvich and C.-L. Tsai 1989)
    BIC   n log(R/n) + k log n                    (G. Schwarz 1978)
    EBIC  BIC + 2 gamma log C(G, g)               (J. Chen and Z. Chen 2008), g of G scales chosen

Of a linear fit with hat matrix H, leaving out a fold F leaves the residuals (I - H_FF)^-1 r_F there, exactly
(D. M. Allen 1974; for one value r / (1 - h)).
"""

from dataclasses import dataclass

import numpy as np
from scipy import linalg, special

from scalebridge.inference.scale_bases import ScaleBasis
from scalebridge.inference.scale_search import Subsets

INFORMATION = ("aic", "aicc", "bic", "ebic")
VALIDATION = ("loo", "k-fold", "one-standard-error")
CRITERIA = (*INFORMATION, *VALIDATION)


def information_criterion(
    name: str,
    rss: np.ndarray,
    unknowns: np.ndarray,
    count: int,
    chosen: np.ndarray | None = None,
    scales: int = 0,
    gamma: float = 1.0,
) -> np.ndarray:
    """Return a criterion of some models.

    Args:
        name: "aic", "aicc", "bic" or "ebic".
        rss: residual sums of squares.
        unknowns: number of coefficients, the constant included and the variance not.
        count: number of values.
        chosen: number of scales in each model, for "ebic".
        scales: number of scales there are, for "ebic".
        gamma: of "ebic".

    Example:
        >>> float(information_criterion("aic", np.array(2.0), np.array(1), 2))
        4.0
    """
    k = np.asarray(unknowns, float) + 1.0
    with np.errstate(divide="ignore"):
        fit = count * np.log(np.asarray(rss, float) / count)
    if name in ("aic", "aicc"):
        found = fit + 2.0 * k
        if name == "aicc":
            room = count - k - 1.0
            found = np.where(room > 0, found + 2.0 * k * (k + 1.0) / np.where(room > 0, room, 1.0), np.inf)
        return found
    found = fit + k * np.log(count)
    if name == "ebic" and chosen is not None:
        found = found + 2.0 * gamma * log_choices(scales, chosen)
    return found


def log_choices(scales: int, chosen: np.ndarray) -> np.ndarray:
    """Return the logarithm of the number of ways to choose so many scales."""
    g = np.asarray(chosen, float)
    return special.gammaln(scales + 1.0) - special.gammaln(g + 1.0) - special.gammaln(scales - g + 1.0)


def allowed(subsets: Subsets, count: int, most: float) -> np.ndarray:
    """Return which subsets have few enough coefficients: a model that nearly interpolates says nothing."""
    return subsets.unknowns <= max(1, int(most * count))


@dataclass(frozen=True)
class Validation:
    """Errors of prediction of the best subset of each size.

    Args:
        loo: mean squared error of leaving one out, (sizes,).
        folds: mean squared error in each fold, (sizes, folds).
    """

    loo: np.ndarray
    folds: np.ndarray

    @property
    def mean(self) -> np.ndarray:
        """Mean over folds."""
        return self.folds.mean(axis=1)

    @property
    def error(self) -> np.ndarray:
        """Standard error of that mean."""
        finite = np.all(np.isfinite(self.folds), axis=1)
        spread = np.where(finite[:, None], self.folds, 0.0).std(axis=1, ddof=1) / np.sqrt(self.folds.shape[1])
        return np.where(finite, spread, np.inf)


def make_folds(
    count: int, folds: int, repeats: int, blocked: bool, rng: np.random.Generator
) -> list[list[np.ndarray]]:
    """Cut values into folds, at random or in blocks of neighbours, once or more.

    Args:
        count: number of values.
        folds: number of folds.
        repeats: how many times.
        blocked: whether a fold is a row of neighbours, for errors that are correlated.
        rng: source of the order; of blocks of where the first begins.
    """
    found = []
    for _ in range(repeats):
        order = np.roll(np.arange(count), int(rng.integers(count))) if blocked else rng.permutation(count)
        found.append([np.sort(part) for part in np.array_split(order, folds)])
    return found


def validate(
    basis: ScaleBasis, values: np.ndarray, masks: np.ndarray, folds: list[list[np.ndarray]]
) -> Validation:
    """Find the errors of prediction of some models in closed form.

    Args:
        basis: the scales.
        values: (n,).
        masks: the models, (models, scales).
        folds: folds of each repetition.

    Cost: a factorisation of every fold's part of the hat matrix for each model.
    """
    if basis.orthonormal:
        return _validate_orthonormal(basis, values, masks, folds)
    loo, errors = [], []
    for mask in masks:
        q = orthonormal_columns(basis, mask)
        residual = values - q @ (q.T @ values)
        leverage = np.sum(q**2, axis=1)
        loo.append(float(np.mean(_left_one_out(residual, leverage) ** 2)))
        errors.append([left_out_error(q, residual, fold) for parts in folds for fold in parts])
    return Validation(np.array(loo), np.array(errors))


def _validate_orthonormal(
    basis: ScaleBasis, values: np.ndarray, masks: np.ndarray, folds: list[list[np.ndarray]]
) -> Validation:
    """Do the same where fits, leverages and parts of the hat matrix add up over scales."""
    count, scales = len(values), range(len(basis.names))
    own = [basis.columns[:, basis.owner == scale] for scale in scales]
    fits = np.stack([part @ (part.T @ values) for part in own])
    leverages = np.stack([np.sum(part**2, axis=1) for part in own])
    residuals = values - values.mean() - masks @ fits
    loo = [
        float(np.mean(_left_one_out(residual, 1.0 / count + mask @ leverages) ** 2))
        for residual, mask in zip(residuals, masks, strict=True)
    ]
    errors = np.empty((len(masks), sum(map(len, folds))))
    every = [fold for parts in folds for fold in parts]
    if 1 + int(np.max(masks @ basis.sizes, initial=0)) < min(map(len, every)):
        # Fewer coefficients than values in a fold: their system is the smaller one.
        for model, mask in enumerate(masks):
            q = orthonormal_columns(basis, mask)
            errors[model] = [left_out_error(q, residuals[model], fold) for fold in every]
        return Validation(np.array(loo), errors)
    for number, fold in enumerate(every):
        grams = np.stack([part[fold] @ part[fold].T for part in own])
        for model, mask in enumerate(masks):
            system = np.eye(len(fold)) - 1.0 / count - np.sum(grams[mask], axis=0)
            errors[model, number] = _fold_error(system, residuals[model, fold])
    return Validation(np.array(loo), errors)


def _fold_error(system: np.ndarray, residual: np.ndarray) -> float:
    lower = _factor(system)
    if lower is None:
        return np.inf
    return float(np.mean(linalg.cho_solve((lower, True), residual) ** 2))


def orthonormal_columns(basis: ScaleBasis, mask: np.ndarray) -> np.ndarray:
    """Return an orthonormal basis of the constant and some scales, (n, k)."""
    count = len(basis.columns)
    constant = np.full((count, 1), 1.0 / np.sqrt(count))
    columns = np.concatenate([constant, basis.chosen(mask)], axis=1)
    return columns if basis.orthonormal else np.linalg.qr(columns)[0]


def _left_one_out(residual: np.ndarray, leverage: np.ndarray) -> np.ndarray:
    room = 1.0 - leverage
    safe = np.where(room > 1e-10, room, 1.0)
    return np.where(room > 1e-10, residual / safe, np.inf)


def left_out_error(q: np.ndarray, residual: np.ndarray, fold: np.ndarray) -> float:
    """Return the mean squared error in a fold left out; infinite where the rest does not fix the fit."""
    part = q[fold]
    if part.shape[1] < len(fold):  # (I - P P')^-1 r = r + P (I - P' P)^-1 P' r, the smaller system
        system, right = np.eye(part.shape[1]) - part.T @ part, part.T @ residual[fold]
    else:
        system, right = np.eye(len(fold)) - part @ part.T, residual[fold]
    lower = _factor(system)
    if lower is None:
        return np.inf
    solved = linalg.cho_solve((lower, True), right)
    found = residual[fold] + part @ solved if part.shape[1] < len(fold) else solved
    return float(np.mean(found**2))


def _factor(system: np.ndarray) -> np.ndarray | None:
    try:
        lower = np.linalg.cholesky(system)
    except np.linalg.LinAlgError:
        return None
    return lower if np.min(np.diag(lower)) > 1e-7 else None


def one_standard_error(mean: np.ndarray, error: np.ndarray) -> int:
    """Return the first (smallest) model whose mean error is within a standard error of the least."""
    best = int(np.argmin(mean))
    return int(np.flatnonzero(mean <= mean[best] + error[best])[0])
