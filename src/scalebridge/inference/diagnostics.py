"""Have the chains forgotten where they began, and what are their draws worth.

Rank-normalised split R̂, and effective sample sizes of the bulk and of the tails: Vehtari, Gelman, Simpson,
Carpenter & Bürkner, Bayesian Anal. 16 (2021) 667. Arrays are (chains, draws).
"""

import math

import numpy as np
from scipy.special import ndtri
from scipy.stats import rankdata


def r_hat(draws: np.ndarray) -> float:
    """Return rank-normalised split R̂, the larger of that of the draws and of their distance to the median.

    Args:
        draws: (chains, draws), at least four draws.

    Returns:
        1 for chains that agree; NaN where nothing moves.
    """
    halves = _split(draws)
    folded = np.abs(halves - np.median(halves))
    return max(_plain_r_hat(_normalised(halves)), _plain_r_hat(_normalised(folded)))


def ess_bulk(draws: np.ndarray) -> float:
    """Return the effective sample size of rank-normalised draws: what the bulk is known from."""
    return _ess(_normalised(_split(draws)))


def ess_tail(draws: np.ndarray) -> float:
    """Return the smaller effective sample size of the 5 % and 95 % quantiles."""
    found = [_ess(_split((draws <= np.quantile(draws, q)).astype(float))) for q in (0.05, 0.95)]
    return min(found)


def ess_mean(draws: np.ndarray) -> float:
    """Return the effective sample size for the mean: variance over that of the mean."""
    return _ess(_split(draws))


def standard_error(draws: np.ndarray) -> float:
    """Return the Monte-Carlo standard error of the mean."""
    ess = ess_mean(draws)
    return float(np.std(draws, ddof=1) / math.sqrt(ess)) if ess > 0 else math.nan


def autocorrelation_time(draws: np.ndarray) -> float:
    """Return draws per effective sample: 1 for independent ones."""
    ess = ess_mean(draws)
    return draws.size / ess if ess > 0 else math.inf


def _split(draws: np.ndarray) -> np.ndarray:
    half = draws.shape[1] // 2
    return np.concatenate([draws[:, :half], draws[:, draws.shape[1] - half :]])


def _normalised(draws: np.ndarray) -> np.ndarray:
    ranks = rankdata(draws, method="average").reshape(draws.shape)
    return ndtri((ranks - 0.375) / (draws.size + 0.25))


def _plain_r_hat(chains: np.ndarray) -> float:
    count = chains.shape[1]
    within = float(np.mean(np.var(chains, axis=1, ddof=1)))
    between = float(count * np.var(np.mean(chains, axis=1), ddof=1))
    if within <= 0.0:
        return math.nan
    return math.sqrt((between / within + count - 1.0) / count)


def _ess(chains: np.ndarray) -> float:
    """Geyer's initial monotone sequence over all chains (Vehtari et al., section 3)."""
    number, count = chains.shape
    if count < 4 or not np.all(np.isfinite(chains)) or np.ptp(chains) == 0.0:
        return math.nan
    covariance = _autocovariance(chains)
    within = float(np.mean(covariance[:, 0])) * count / (count - 1.0)
    total = within * (count - 1.0) / count
    if number > 1:
        total += float(np.var(np.mean(chains, axis=1), ddof=1))
    rho = 1.0 - (within - np.mean(covariance, axis=0)) / total
    rho[0] = 1.0
    pairs = rho[: 2 * (count // 2)].reshape(-1, 2).sum(axis=1)
    negative = np.flatnonzero(pairs <= 0.0)
    last = int(negative[0]) if negative.size else len(pairs)
    time = -1.0 + 2.0 * float(np.sum(np.minimum.accumulate(pairs[:last]))) if last else 1.0
    if last < len(pairs):
        time += max(0.0, float(rho[2 * last]))
    # Antithetic chains may be worth more than their draws; the limit is that of the paper.
    return number * count / max(time, 1.0 / math.log10(number * count))


def _autocovariance(chains: np.ndarray) -> np.ndarray:
    count = chains.shape[1]
    size = 1 << (2 * count - 1).bit_length()
    spectrum = np.fft.rfft(chains - chains.mean(axis=1, keepdims=True), size, axis=1)
    return np.fft.irfft(np.abs(spectrum) ** 2, size, axis=1)[:, :count] / count
