"""From subsets to choices: what each criterion picks, how sure that is, and why they disagree."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from scipy import stats

from scalebridge.inference.scale_bases import ScaleBasis
from scalebridge.inference.scale_criteria import (
    INFORMATION,
    Validation,
    allowed,
    information_criterion,
    one_standard_error,
    orthonormal_columns,
)
from scalebridge.inference.scale_result import TITLES, Choice, scale_words
from scalebridge.inference.scale_search import Subsets, residuals_of_all, scale_energies, search_subsets


def criterion_values(name: str, subsets: Subsets, count: int, most: float, gamma: float) -> np.ndarray:
    """Return an information criterion of every subset; infinite where there are too many coefficients."""
    scales = subsets.masks.shape[1]
    found = information_criterion(name, subsets.rss, subsets.unknowns, count, subsets.sizes, scales, gamma)
    return np.where(allowed(subsets, count, most), found, np.inf)


def make_choices(
    names: tuple[str, ...],
    subsets: Subsets,
    validation: Validation | None,
    count: int,
    most: float,
    gamma: float,
) -> dict[str, Choice]:
    """Let each criterion choose.

    Args:
        names: of the scales.
        subsets: what is compared.
        validation: errors of prediction of the best subsets by size; None for none.
        count: number of values.
        most: share of the values that coefficients may be.
        gamma: of EBIC.
    """
    found = {}
    for name in INFORMATION:
        values = criterion_values(name, subsets, count, most, gamma)
        found[name] = _choice(name, names, subsets, int(np.argmin(values)), values)
    if validation is not None:
        path = subsets.path[: len(validation.loo)]
        rows = (
            ("loo", validation.loo, int(np.argmin(validation.loo))),
            ("k-fold", validation.mean, int(np.argmin(validation.mean))),
            ("one-standard-error", validation.mean, one_standard_error(validation.mean, validation.error)),
        )
        for name, errors, size in rows:
            others = np.delete(errors, size)
            # The smallest model within a standard error is not the least, and nothing is next to it.
            least = len(others) > 0 and name != "one-standard-error"
            margin = float(np.min(others) - errors[size]) if least else np.nan
            which = int(path[size])
            found[name] = Choice(
                name, _names(names, subsets.masks[which]), subsets.masks[which], int(subsets.unknowns[which]),
                float(errors[size]), margin,
            )  # fmt: skip
    return found


def _choice(name: str, names: tuple[str, ...], subsets: Subsets, which: int, values: np.ndarray) -> Choice:
    others = np.delete(values, which)
    margin = float(np.min(others) - values[which]) if len(others) and np.isfinite(np.min(others)) else np.nan
    mask = subsets.masks[which]
    return Choice(name, _names(names, mask), mask, int(subsets.unknowns[which]), float(values[which]), margin)


def _names(names: tuple[str, ...], mask: np.ndarray) -> tuple[str, ...]:
    return tuple(name for name, inside in zip(names, mask, strict=True) if inside)


def bic_weights(subsets: Subsets, count: int, most: float) -> np.ndarray:
    """Return the posterior probability of each scale, exp(-BIC/2) being that of a subset up to a factor."""
    values = criterion_values("bic", subsets, count, most, 0.0)
    weights = np.exp(-0.5 * (values - np.min(values)))
    return (weights / weights.sum()) @ subsets.masks


def by_size(values: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Return the least value among subsets of each size from 0 on."""
    return np.array([np.min(values[sizes == size]) for size in range(int(sizes.max()) + 1)])


def selection_frequencies(
    basis: ScaleBasis,
    values: np.ndarray,
    mask: np.ndarray,
    *,
    resamples: int,
    block: int,
    most: float,
    gamma: float,
    rng: np.random.Generator,
) -> dict[str, np.ndarray]:
    """Choose again from resampled values: the chosen fit plus residuals drawn anew, in blocks.

    Args:
        basis: the scales.
        values: (n,).
        mask: scales of the fit whose residuals are drawn.
        resamples: how many times.
        block: neighbours that are drawn together; 1 where errors are independent.
        most: share of the values that coefficients may be.
        gamma: of EBIC.
        rng: source of the draws.

    Returns:
        by information criterion the share of resamples in which each scale is chosen.
    """
    count = len(values)
    q = orthonormal_columns(basis, mask)
    fit = q @ (q.T @ values)
    left = (values - fit) * np.sqrt(count / max(count - q.shape[1], 1))
    left = left - left.mean()
    starts = rng.integers(count, size=(resamples, -(-count // block)))
    index = (starts[:, :, None] + np.arange(block)).reshape(resamples, -1)[:, :count] % count
    drawn = fit + left[index]
    counts = {name: np.zeros(len(basis.names)) for name in INFORMATION}
    for made, subsets in _searched(basis, values, drawn):
        for name in INFORMATION:
            best = int(np.argmin(criterion_values(name, subsets, len(made), most, gamma)))
            counts[name] += subsets.masks[best]
    return {name: number / resamples for name, number in counts.items()}


def _searched(
    basis: ScaleBasis, values: np.ndarray, drawn: np.ndarray
) -> Iterator[tuple[np.ndarray, Subsets]]:
    """Yield each resample with its subsets; where not all are known, steps and exchanges search."""
    first = search_subsets(basis, values)
    if not first.complete:
        for made in drawn:
            yield made, search_subsets(basis, made, quick=True)
        return
    totals = np.sum((drawn - drawn.mean(axis=1, keepdims=True)) ** 2, axis=1)
    if basis.orthonormal:
        left = totals - first.masks.astype(float) @ scale_energies(basis, drawn.T)
    else:
        left = residuals_of_all(basis, drawn, first.masks)
    for made, rss in zip(drawn, np.maximum(left, 0.0).T, strict=True):
        yield made, replace(first, rss=rss)


def predictive_path(subsets: Subsets, count: int, most: float) -> np.ndarray:
    """Return of each size the number of the subset with the least AIC, which prices coefficients."""
    values = criterion_values("aic", subsets, count, most, 0.0)
    best = [_least_of_size(values, subsets.sizes, size) for size in range(int(subsets.sizes.max()) + 1)]
    return np.array([which for which in best if which is not None])


def _least_of_size(values: np.ndarray, sizes: np.ndarray, size: int) -> int | None:
    index = np.flatnonzero((sizes == size) & np.isfinite(values))
    return int(index[np.argmin(values[index])]) if len(index) else None


def disagreements(
    choices: dict[str, Choice], sizes: np.ndarray, names: tuple[str, ...], count: int
) -> tuple[str, ...]:
    """Say where criteria disagree, and why."""
    sparse, alike = choices["bic"], {}
    for name, choice in choices.items():
        more, fewer = choice.mask & ~sparse.mask, sparse.mask & ~choice.mask
        if np.any(more) or np.any(fewer):
            reason = _reason(name, sizes[more], count)
            key = (_names(names, more), _names(names, fewer), reason)
            alike.setdefault(key, []).append(TITLES[name])
    said = []
    for (more, fewer, reason), who in alike.items():
        parts = [f"to what BIC has it adds {scale_words(more)}"] * bool(more)
        parts += [f"it leaves out {scale_words(fewer)}"] * bool(fewer)
        said.append(f"{', '.join(who)}: {' and '.join(parts)}; {reason}")
    if not said:
        return ("All criteria choose the same scales.",)
    return tuple(said)


def _reason(name: str, added: np.ndarray, count: int) -> str:
    price = f"a coefficient costs {np.log(count):.3g} in BIC"
    if name in ("aic", "loo", "k-fold", "aicc") and len(added):
        chance = float(stats.chi2.sf(2.0 * added.min(), added.min()))
        return (
            f"{price} and about 2 here, so that a scale of {int(added.min())} coefficients without signal "
            f"is taken in {chance:.2g} of cases at any number of values; it need not be there."
        )
    if name == "ebic":
        return "it also pays for the number of subsets of that size, and asks for more proof."
    if name == "one-standard-error":
        return "it takes the smallest model whose error of prediction cannot be told from the least."
    return f"{price}; the scales in question are near that line."
