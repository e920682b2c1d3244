"""How far chains have mixed: split R-hat and effective sample size.

Source: A. Vehtari, A. Gelman, D. Simpson, B. Carpenter, P.-C. Burkner, Bayesian Analysis 16 (2021) 667; the
autocorrelations are cut by C. J. Geyer's initial monotone sequence (1992).
"""

import numpy as np


def split_chains(draws: np.ndarray) -> np.ndarray:
    """Cut each chain (chains, draws) in two halves."""
    half = draws.shape[1] // 2
    return np.concatenate([draws[:, :half], draws[:, draws.shape[1] - half :]])


def rhat(draws: np.ndarray) -> float:
    """Return the split R-hat of chains (chains, draws): 1 where they agree."""
    split = split_chains(draws)
    count = split.shape[1]
    within = float(np.mean(np.var(split, axis=1, ddof=1)))
    between = float(np.var(np.mean(split, axis=1), ddof=1))
    return float(np.sqrt((count - 1) / count + between / within)) if within > 0 else 1.0


def effective_size(draws: np.ndarray) -> float:
    """Return how many independent draws chains (chains, draws) are worth for a mean.

    Example:
        >>> bool(effective_size(np.random.default_rng(0).standard_normal((4, 500))) > 1500)
        True
    """
    split = split_chains(draws)
    chains, count = split.shape
    centred = split - split.mean(axis=1, keepdims=True)
    size = 2 ** int(np.ceil(np.log2(2 * count)))
    spectrum = np.abs(np.fft.rfft(centred, size, axis=1)) ** 2
    products = np.fft.irfft(spectrum, size, axis=1)[:, :count] / count
    within = float(np.mean(products[:, 0])) * count / (count - 1)
    if within <= 0:
        return float(chains * count)
    total = within * (count - 1) / count + float(np.var(split.mean(axis=1), ddof=1))
    rho = 1.0 - (within - products.mean(axis=0) * count / (count - 1)) / total
    rho[0] = 1.0
    pairs = rho[: count - count % 2].reshape(-1, 2).sum(axis=1)
    negative = np.flatnonzero(pairs <= 0)
    pairs = np.minimum.accumulate(pairs[: negative[0]] if len(negative) else pairs)
    return float(chains * count / max(2.0 * float(np.sum(pairs)) - 1.0, 1.0 / np.log10(chains * count)))
