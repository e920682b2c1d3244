"""Scenes held out: predicted with parameters that were learnt without them."""

from typing import Any, NamedTuple

import numpy as np

from scalebridge.core.errors import InputError
from scalebridge.fusion.baselines import baseline_predictions
from scalebridge.fusion.block_estimate import Search, estimate_blocks, learn_blocks
from scalebridge.fusion.fusion_problem import Problem


class HeldOut(NamedTuple):
    """How well a scene was predicted without it.

    Args:
        sensor: its sensor.
        date: its date.
        count: pixels that it has.
        rmse: root mean square of prediction less scene.
        bias: mean of that.
        coverage: share of pixels inside the 95 % interval of what the sensor would see.
        baselines: root mean square by simple method.
        gated: dates that were left out in learning.
    """

    sensor: str
    date: str
    count: int  # pyright: ignore[reportIncompatibleMethodOverride]
    rmse: float
    bias: float
    coverage: float
    baselines: dict[str, float]
    gated: tuple[str, ...]


def hold_out_scenes(
    problem: Problem, block: tuple[int, int], name: str, places: list[int], search: Search
) -> tuple[HeldOut, ...]:
    """Hold out scenes one after the other: learn and gate without each, then predict it.

    The search starts from what was found without the scene before, which changes where it starts and not
    where it ends. The interval is that of a new observation: field, noise, and the scene's offset.

    Args:
        problem: the problem without gates.
        block: pixels of a footprint.
        name: sensor of the scenes, on the fine grid.
        places: positions of the dates.
        search: how parameters are learnt.
    """
    found, start = [], None
    observed = next(o for o in problem.observed if o.name == name)
    for place in places:
        blind = problem.without(name, place)
        learnt, clean, gated = learn_blocks(blind, block, search, start)
        start = learnt.values
        estimate = estimate_blocks(clean, block, learnt.values, np.array([place]))
        truth = observed.values[place] + problem.centre
        noise = observed.scale[place] * learnt.values[f"{name} noise"] ** 2
        noise = noise + learnt.values.get(f"{name} offset", 0.0) ** 2
        error = estimate.mean[0].ravel() - truth
        inside = np.abs(error) <= 1.96 * np.sqrt(estimate.std[0].ravel() ** 2 + noise)
        seen = np.isfinite(error)
        others = baseline_predictions(problem, name, place)
        found.append(
            HeldOut(
                name,
                problem.date_text(place),
                int(seen.sum()),
                float(np.sqrt(np.mean(error[seen] ** 2))),
                float(np.mean(error[seen])),
                float(np.mean(inside[seen])),
                {method: _rmse(guess - truth) for method, guess in others.items()},
                tuple(f"{g.sensor} {g.date}" for g in gated),
            )
        )
    return tuple(found)


def _rmse(error: np.ndarray) -> float:
    return float(np.sqrt(np.nanmean(error**2)))


def overall(rows: tuple[HeldOut, ...]) -> dict[str, float]:
    """Return root mean squares and coverage over all pixels of all scenes held out.

    Example:
        >>> row = HeldOut("a", "1", 2, 0.5, 0.0, 1.0, {"linear": 0.7}, ())
        >>> overall((row, row._replace(rmse=1.0)))["rmse"].__round__(6)
        0.790569
    """
    if not rows:
        return {}
    count = np.array([r.count for r in rows], dtype=float)
    share = count / count.sum()
    told = {"rmse": float(np.sqrt(share @ np.array([r.rmse for r in rows]) ** 2))}
    told["coverage"] = float(share @ np.array([r.coverage for r in rows]))
    for method in rows[0].baselines:
        each = np.array([r.baselines.get(method, np.nan) for r in rows])
        told[method] = float(np.sqrt(np.nansum(share * each**2) / share[np.isfinite(each)].sum()))
    return told


def scenes_to_hold(problem: Problem, wanted: object) -> tuple[str, list[int]]:
    """Return sensor and positions of the scenes to hold out.

    Args:
        problem: the problem.
        wanted: dates of the finest sensor, or (sensor, dates).

    Raises:
        InputError: no such sensor on the fine grid, or it saw nothing on that date.
    """
    fine = [o.name for o in problem.observed if o.factor == (1, 1)]
    name: str = fine[0] if fine else ""
    dates: Any = wanted
    if (
        isinstance(wanted, tuple)
        and len(wanted) == 2
        and isinstance(wanted[0], str)
        and not isinstance(wanted[1], str)
    ):
        name, dates = wanted
    listed: list[Any] = [dates] if isinstance(dates, str | int | float | np.datetime64) else list(dates)  # type: ignore[call-overload]
    if name not in fine:
        raise InputError(
            "hold_out",
            got=repr(name),
            wanted=" or ".join(fine) or "a sensor on the fine grid",
            cure="name it",
        )
    observed = next(o for o in problem.observed if o.name == name)
    known = {problem.date_text(t): int(t) for t in np.flatnonzero(np.isfinite(observed.values).any(axis=1))}
    places = []
    for date in listed:
        text = str(np.datetime64(date, "D")) if problem.dated and not isinstance(date, str) else str(date)
        text = f"{date:g}" if isinstance(date, int | float) else text
        if text not in known:
            cure = "choose among its dates"
            raise InputError(
                "hold_out", got=text, wanted=f"a date on which '{name}' saw something", cure=cure
            )
        places.append(known[text])
    return name, places
