"""Regression coefficients that all footprints share, from cross products of prediction errors."""

from typing import NamedTuple

import numpy as np


class Coefficients(NamedTuple):
    """Regression coefficients: their mean, their covariance."""

    mean: np.ndarray
    cov: np.ndarray


def solve_coefficients(products: np.ndarray, prior: np.ndarray) -> tuple[Coefficients, float]:
    """Return the coefficients given cross products, and the logarithm of the likelihood's quadratic part."""
    if not len(prior):
        return Coefficients(np.zeros(0), np.zeros((0, 0))), -0.5 * float(products[0, 0])
    precision = products[1:, 1:] + np.diag(1.0 / prior)
    factor = np.linalg.cholesky(precision)
    half = np.linalg.solve(factor, products[1:, 0])
    root = np.linalg.solve(factor, np.eye(len(prior)))
    log = -float(np.log(np.diag(factor)).sum()) - 0.5 * float(np.log(prior).sum())
    quadratic = -0.5 * (float(products[0, 0]) - float(half @ half))
    return Coefficients(root.T @ half, root.T @ root), log + quadratic


def coefficients_by_date(products: np.ndarray, prior: np.ndarray, lag: int) -> list[Coefficients]:
    """What is known of the coefficients up to `lag` dates after each date."""
    grown = np.cumsum(products, axis=0)
    last = len(grown) - 1
    return [solve_coefficients(grown[min(t + lag, last)], prior)[0] for t in range(len(grown))]


def combined(members: int, shared: Coefficients) -> np.ndarray:
    """Return how columns combine: footprints at the coefficients' mean, then the coefficients' spread."""
    size = len(shared.mean)
    if not size:
        return np.eye(members)
    root = np.linalg.cholesky(shared.cov) * np.sqrt(members)
    top = np.concatenate([np.eye(members), np.zeros((members, size))], axis=1)
    low = np.concatenate([-np.repeat(shared.mean[:, None], members, axis=1), root], axis=1)
    return np.concatenate([top, low])
