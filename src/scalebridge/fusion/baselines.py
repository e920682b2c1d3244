"""What a fusion has to beat: interpolation in time, the last scene and the coarse change, a regression."""

import numpy as np

from scalebridge.fusion.fusion_problem import Observed, Problem


def interpolated(values: np.ndarray, days: np.ndarray, place: int) -> tuple[np.ndarray, np.ndarray]:
    """Return each pixel's linear interpolation between the values before and after a date.

    Args:
        values: (dates, pixels), NaN where nothing was seen.
        days: (dates,).
        place: position of the date; its own values are not looked at.

    Returns:
        (pixels,), the nearest value where there is none on one side; and the days by which a random walk of
        unit rate has gone apart from it.

    Example:
        >>> guess, apart = interpolated(np.array([[1.0], [np.nan], [3.0]]), np.array([0.0, 1.0, 4.0]), 1)
        >>> guess.tolist(), apart.tolist()
        ([1.5], [0.75])
    """
    before, day_before = _nearest(values, days, range(place - 1, -1, -1))
    after, day_after = _nearest(values, days, range(place + 1, len(days)))
    share = (days[place] - day_before) / (day_after - day_before)
    between = (1.0 - share) * before + share * after
    both = np.isfinite(between)
    nearest = np.where(np.isfinite(before), days[place] - day_before, day_after - days[place])
    apart = np.where(both, share * (1.0 - share) * (day_after - day_before), nearest)
    return np.where(both, between, np.where(np.isfinite(before), before, after)), apart


def last_and_change(fine: Observed, coarse: Observed, days: np.ndarray, place: int) -> np.ndarray:
    """Return each pixel's last value and what its footprint has changed since."""
    before, _ = _nearest(fine.values, days, range(place - 1, -1, -1))
    at = _last_place(fine.values, place)
    weights = coarse.weights
    lifted = weights.T.multiply(
        1.0 / np.maximum(np.asarray(weights.sum(axis=0)).ravel(), 1e-12)[:, None]
    ).tocsr()
    everywhere = np.array([lifted @ row for row in coarse.values])  # NaN spreads within a footprint only
    change = everywhere[place] - np.where(at >= 0, everywhere[np.maximum(at, 0), np.arange(len(at))], np.nan)
    return before + np.where(np.isfinite(change), change, 0.0)


def regressed(fine: Observed, coarse: Observed, place: int) -> np.ndarray:
    """Return each pixel's regression on its footprint's value, learnt from the other dates.

    Where a pixel was seen less than three times together with its footprint: its mean.
    """
    weights = coarse.weights
    lifted = weights.T.multiply(
        1.0 / np.maximum(np.asarray(weights.sum(axis=0)).ravel(), 1e-12)[:, None]
    ).tocsr()
    x = np.array([lifted @ row for row in coarse.values])
    y = fine.values.copy()
    y[place] = np.nan
    both = np.isfinite(x) & np.isfinite(y)
    count = np.maximum(both.sum(axis=0), 1)
    mean_x, mean_y = (np.where(both, a, 0.0).sum(axis=0) / count for a in (x, y))
    away = np.where(both, x - mean_x, 0.0)
    square = (away**2).sum(axis=0)
    slope = (away * np.where(both, y - mean_y, 0.0)).sum(axis=0) / np.where(square > 0, square, 1.0)
    guess = mean_y + np.where(count >= 3, slope, 0.0) * np.where(
        np.isfinite(x[place]), x[place] - mean_x, 0.0
    )
    return np.where(both.any(axis=0), guess, np.nan)


def baseline_predictions(problem: Problem, name: str, place: int) -> dict[str, np.ndarray]:
    """Return what the simple methods say of a scene of a sensor, which they do not see, by method.

    Args:
        problem: the problem without gates.
        name: the sensor, on the fine grid.
        place: position of the date.
    """
    blind = problem.without(name, place)
    fine = next(o for o in blind.observed if o.name == name)
    found = {"linear interpolation": interpolated(fine.values, problem.days, place)[0]}
    coarse = [
        o
        for o in blind.observed
        if o.name != name and o.response == fine.response and np.isfinite(o.values[place]).any()
    ]
    if coarse:
        found["last scene and coarse change"] = last_and_change(fine, coarse[0], problem.days, place)
        found["regression on the coarse"] = regressed(fine, coarse[0], place)
    return {method: values + problem.level_of(fine) for method, values in found.items()}


def _nearest(values: np.ndarray, days: np.ndarray, order: range) -> tuple[np.ndarray, np.ndarray]:
    found, when = np.full(values.shape[1], np.nan), np.full(values.shape[1], np.nan)
    for t in order:
        new = np.isnan(found) & np.isfinite(values[t])
        found[new], when[new] = values[t, new], days[t]
    return found, when


def _last_place(values: np.ndarray, place: int) -> np.ndarray:
    found = np.full(values.shape[1], -1)
    for t in range(place):
        found[np.isfinite(values[t])] = t
    return found
