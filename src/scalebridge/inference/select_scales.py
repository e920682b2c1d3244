"""The plain question: which scales of these values are more than noise?"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal

import numpy as np

from scalebridge.core.errors import InputError
from scalebridge.core.provenance import Provenance, Stopwatch, installed_versions, this_machine
from scalebridge.inference.scale_bases import BasisName, make_basis
from scalebridge.inference.scale_choices import bic_weights, criterion_values, disagreements, make_choices
from scalebridge.inference.scale_counts import FAMILIES, Counts, Family
from scalebridge.inference.scale_course import Rules, choose
from scalebridge.inference.scale_criteria import CRITERIA, INFORMATION
from scalebridge.inference.scale_grids import make_grid_basis, read_grid
from scalebridge.inference.scale_models import predictions_of
from scalebridge.inference.scale_result import ScaleSelection
from scalebridge.inference.scale_search import Subsets
from scalebridge.inference.scale_values import Values, checks_of_residuals, finite_numbers
from scalebridge.io.stored import nearest

Criterion = Literal["aic", "aicc", "bic", "ebic", "loo", "k-fold", "one-standard-error"]
_FEWEST = 8


def select_scales(
    values: Any,
    basis: BasisName | Mapping[str, Any] = "wavelet",
    *,
    at: Any = None,
    models: Mapping[str, tuple[Any, ...]] | None = None,
    family: Family = "gaussian",
    trials: Any = None,
    criterion: Criterion = "bic",
    wavelet: str = "db4",
    boundary: Literal["periodic", "interval"] = "periodic",
    levels: int | None = None,
    folds: int = 10,
    repeats: int = 1,
    block: int = 1,
    gamma: float = 1.0,
    most: float = 2 / 3,
    resamples: int = 100,
    unit: str = "1",
    seed: int = 0,
) -> ScaleSelection:
    """Decide from data which scales belong in the model, by several criteria side by side.

    values = constant + the columns of the chosen scales x coefficients + noise; a scale is in with all its
    columns or not at all.

    Args:
        values: numbers, (n,), or on a regular grid in a plane or in space, of up to 4096 values.
        basis: "wavelet" (regular grid), "fourier" (octaves of waves), "polynomial" (degrees), "blocks"
            (halves, quarters, ...), or own columns by the scale's name, each (n,) or (n, p). On a grid a
            scale is what is as fine as that along some axis, and along none finer.
        at: positions, in any order; a regular grid unless given.
        models: whole models in place of scales: by name predictions (n,) and number of fitted parameters, or
            a `Model`, loads (q, asks) and that number: it is asked them one after the other, and its answers
            in a row are the predictions. Which rung of a ladder of models the data ask for is the question.
        family: "gaussian"; "poisson" of counts, whose logarithm is linear in the columns; "binomial" of
            counts out of `trials`, whose logit is.
        trials: of binomial counts, a whole number for all or (n,).
        criterion: whose choice is the answer: "bic" (consistent), "aic", "aicc" (predictive), "ebic" (many
            scales), "loo", "k-fold", "one-standard-error".
        wavelet: an orthonormal wavelet of PyWavelets (extra `wavelets`).
        boundary: of wavelets: "periodic" (an even number of values), or "interval".
        levels: number of scales; as many as there are unless given, of polynomials 8.
        folds: of cross-validation.
        repeats: how often folds are drawn.
        block: neighbours with correlated errors; above 1 folds are blocks and resamples draw blocks.
        gamma: of EBIC, from 0 (BIC) to 1.
        most: largest share of the values that coefficients may be.
        resamples: how often the choice is repeated; 0 for never.
        unit: unit of the values, for the page.
        seed: of folds and resamples.

    Returns:
        a `ScaleSelection`: `selected` are the names, `fitted` the values as these scales have them.

    Raises:
        InputError: something in the input cannot be right; nothing long has run yet.
        MissingExtraError: wavelets without PyWavelets.

    Limits: linear in the coefficients (or their logarithm, or logit), noise Gaussian with one variance, or
        that of counts. Cross-validation compares the best
        subset of each size (by AIC, found from all values), which makes its error a little too small.
    Cost: 2,048 values in 11 wavelet scales about 2 s; all subsets up to 18 orthonormal scales (12 of
        others), the best of each size up to 20, beyond that a search that may miss it.
    Source: see `scalebridge.inference.scale_criteria` and `scale_search`.

    Example:
        >>> x = np.arange(64) / 64
        >>> noise = 0.1 * np.random.default_rng(0).standard_normal(64)
        >>> found = select_scales(np.sin(2 * np.pi * x) + noise, "fourier")
        >>> found.selected
        ('waves 1',)
    """
    watch = Stopwatch()
    values, shape = read_grid(values, at, models, block)
    numbers = finite_numbers(values, "values")
    _refuse(
        criterion,
        len(numbers),
        folds=folds,
        repeats=repeats,
        block=block,
        gamma=gamma,
        most=most,
        resamples=resamples,
        levels=levels,
        seed=seed,
    )
    several = _trials(family, numbers, trials, models)
    order, places = _places(at, len(numbers))
    numbers = numbers[order]
    if np.ptp(numbers) == 0:
        raise InputError("values", got="one number only", wanted="values that vary", cure="check the column")
    if models is not None:
        found = _ladder(numbers, order, models, criterion, most, gamma)
    else:
        columns = (
            make_basis(basis, len(numbers), None if at is None else places, wavelet, boundary, levels)
            if len(shape) == 1
            else make_grid_basis(basis, shape, wavelet, boundary, levels)
        )
        rules = Rules(criterion, folds, repeats, block, gamma, most, resamples, seed)
        gaussian = family == "gaussian"
        given = Values(numbers, columns) if gaussian else Counts(family, numbers, several[order], columns)
        found = choose(given, rules)
    watch.lap("choosing")
    settings: dict[str, Any] = {
        "basis": "models" if models is not None else basis if isinstance(basis, str) else "own columns",
        "family": family, "criterion": criterion, "folds": folds, "repeats": repeats, "block": block,
        "gamma": gamma, "most": most, "resamples": resamples,
    }  # fmt: skip
    if settings["basis"] == "wavelet":
        settings |= {"wavelet": wavelet, "boundary": boundary}
    told: dict[str, Any] = {"values": {"count": len(numbers)}}
    if len(shape) > 1:
        told["values"] |= {"grid": " x ".join(map(str, shape))}
    origin = Provenance(
        told, settings, installed_versions(), this_machine(), watch.started, watch.elapsed, seed
    )
    grid = shape if len(shape) > 1 else ()
    of = several[order] if family == "binomial" else None
    return replace(found, at=places, unit=unit, provenance=origin, shape=grid, trials=of)


def _ladder(
    values: np.ndarray,
    order: np.ndarray,
    models: Mapping[str, tuple[Any, ...]],
    criterion: str,
    most: float,
    gamma: float,
) -> ScaleSelection:
    """Compare whole models by their misfit and number of fitted parameters."""
    if criterion not in INFORMATION:
        raise InputError(
            "criterion",
            got=f"{criterion!r} for models",
            wanted=f"one of {', '.join(INFORMATION)}: models are not fitted again here",
            cure="pass criterion='bic'",
        )
    names, count = tuple(map(str, models)), len(values)
    predictions, sizes = predictions_of(models, count, most)
    predictions = predictions[:, order]
    rss = np.sum((values - predictions) ** 2, axis=1)
    if np.any(rss <= 0):
        raise InputError(
            "models",
            got=f"'{names[int(np.argmin(rss))]}' without any misfit",
            wanted="models that leave noise",
            cure="leave out a model that repeats the values",
        )
    masks = np.eye(len(names), dtype=bool)
    subsets = Subsets(masks, rss, sizes, np.argsort(sizes, kind="stable"), "each model once", True, False)
    choices = make_choices(names, subsets, None, count, most, 0.0)
    values_of = {name: criterion_values(name, subsets, count, most, 0.0) for name in INFORMATION}
    chosen = choices[criterion].mask
    parts = np.where(chosen[:, None], predictions - values.mean(), 0.0)
    energies = 1.0 - rss / float(np.sum((values - values.mean()) ** 2))
    said = disagreements(choices, sizes, names, count)
    left = values - predictions[int(np.argmax(chosen))]
    return ScaleSelection(
        names, sizes, count, criterion, choices, subsets, values_of, None, bic_weights(subsets, count,
        most), {}, energies, parts, float(values.mean()), values, np.arange(count, dtype=float), "1", said,
        checks_of_residuals(left, int(sizes[int(np.argmax(chosen))]), 1),
        ("Models are compared by misfit and number of fitted parameters; they were not fitted here.",), True,
    )  # fmt: skip


def _trials(family: str, values: np.ndarray, trials: Any, models: Any) -> np.ndarray:
    """Return of how many each count is, and refuse counts that are none."""
    if family not in FAMILIES:
        raise InputError(
            "family", got=repr(family), wanted=", ".join(FAMILIES), cure=nearest(str(family), FAMILIES)
        )
    also = "" if models is None else ", and models"
    if (family == "binomial") != (trials is not None) or (family != "gaussian" and models is not None):
        raise InputError(
            "family",
            got=f"'{family}' {'with' if trials is not None else 'without'} trials" + also,
            wanted="trials with 'binomial', neither trials nor models otherwise",
            cure="pass family='binomial', trials=20",
        )
    several = (
        np.ones(len(values)) if trials is None else np.atleast_1d(finite_numbers(np.ravel(trials), "trials"))
    )
    if len(several) not in (1, len(values)) or np.any(several < 1) or np.any(several % 1 != 0):
        raise InputError(
            "trials",
            got=f"{len(several)} numbers, the least {several.min():g}",
            wanted=f"one whole number of at least 1, or {len(values)}",
            cure="give out of how many each count is",
        )
    several = np.broadcast_to(several, values.shape)
    most = several if family == "binomial" else np.inf
    if family != "gaussian" and (np.any(values < 0) or np.any(values % 1 != 0) or np.any(values > most)):
        wanted = "whole numbers of 0 or more" + (", none above its trials" if family == "binomial" else "")
        raise InputError("values", got="numbers that are no counts", wanted=wanted, cure="check the column")
    return several


def _places(at: Any, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the order of positions and the positions in it."""
    if at is None:
        return np.arange(count), np.arange(count, dtype=float)
    places = finite_numbers(at, "at")
    if len(places) != count:
        raise InputError(
            "at", got=f"{len(places)}", wanted=f"{count} positions", cure="pass one for each value"
        )
    order = np.argsort(places, kind="stable")
    if np.any(np.diff(places[order]) <= 0):
        raise InputError(
            "at", got="a position twice", wanted="each once", cure="average what was measured twice"
        )
    return order, places[order]


def _refuse(
    criterion: str,
    count: int,
    *,
    folds: int,
    repeats: int,
    block: int,
    gamma: float,
    most: float,
    resamples: int,
    levels: int | None,
    seed: int,
) -> None:
    if criterion not in CRITERIA:
        raise InputError(
            "criterion",
            got=repr(criterion),
            wanted=", ".join(CRITERIA),
            cure=nearest(str(criterion), CRITERIA),
        )
    rows = (
        ("values", count, count >= _FEWEST, f"{_FEWEST} or more"),
        ("folds", folds, _whole(folds, 2, count), f"a whole number from 2 to {count}"),
        ("repeats", repeats, _whole(repeats, 1, 1000), "a whole number from 1 to 1000"),
        ("block", block, _whole(block, 1, count // 2), f"a whole number from 1 to {count // 2}"),
        ("gamma", gamma, 0 <= gamma <= 1, "a number from 0 to 1"),
        ("most", most, 0 < most < 1, "a share between 0 and 1"),
        ("resamples", resamples, _whole(resamples, 0, 100_000), "a whole number of 0 or more"),
        ("levels", levels, levels is None or _whole(levels, 1, count - 2), f"from 1 to {count - 2}"),
        ("seed", seed, _whole(seed, 0, 2**63), "a whole number of at least 0"),
    )
    for name, given, right, wanted in rows:
        if not right:
            raise InputError(name, got=repr(given), wanted=wanted, cure=f"correct {name}")


def _whole(number: Any, low: int, high: int) -> bool:
    return isinstance(number, int) and not isinstance(number, bool) and low <= number <= high
