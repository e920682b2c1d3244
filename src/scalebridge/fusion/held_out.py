"""Scenes held out: predicted with parameters that were learnt without them."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from os import PathLike
from typing import Any, NamedTuple

import numpy as np

from scalebridge.core.errors import InputError
from scalebridge.engine.executors import Engine
from scalebridge.engine.farm import Task, run_tasks
from scalebridge.engine.store import Store
from scalebridge.fusion.baselines import baseline_predictions
from scalebridge.fusion.block_estimate import Search
from scalebridge.fusion.fusion_problem import Problem
from scalebridge.fusion.methods import learn_by, method_of
from scalebridge.fusion.problem_tables import problem_from, problem_tables

_VERSION = "3"  # of the answers of a scene held out


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


@dataclass(frozen=True)
class Farm:
    """Who does independent pieces of work, and where finished ones are kept; see `engine.farm.run_tasks`.

    Args:
        engine: "serial", "local", "dask", a scheduler's address, or an object with `submit`.
        workers: number of processes.
        store: folder of finished work.
        progress: whether to draw a bar.
    """

    engine: Engine = "serial"
    workers: int | None = None
    store: str | PathLike[str] | Store | None = None
    progress: bool | None = None

    @property
    def kept(self) -> Store | None:
        """The folder of finished work.

        Raises:
            InputError: it cannot be one.
        """
        return Store.at(self.store)

    @property
    def options(self) -> dict[str, Any]:
        """Arguments of `run_tasks`."""
        return {
            "engine": self.engine,
            "workers": self.workers,
            "store": self.store,
            "progress": self.progress,
        }


def hold_out_scenes(
    problem: Problem,
    method: str,
    held: tuple[str, list[int]],
    search: Search,
    farm: Farm | None = None,
    seed: int = 0,
) -> tuple[HeldOut, ...]:
    """Hold out scenes, each on its own: gate and learn without it, from the priors on, then predict it.

    The interval is that of a new observation: field, noise, and the scene's offset. Scenes do not know each
    other, so that any number is done at once, and finished ones are kept. Of a sensor with several bands all
    are hidden, and each is predicted; of one of its bands that band alone is.

    Args:
        problem: the problem without gates.
        method: "blocks", "sparse" or "iterative".
        held: sensor of the scenes, on the fine grid, or one of its bands; positions of the dates.
        search: how parameters are learnt.
        farm: who does it; this process unless given.
        seed: of the samples of the iterative method.
    """
    name, places = held
    told, how = problem_tables(problem), asdict(search)
    tasks = [
        Task(
            f"{o.name} {problem.date_text(place)}",
            hold_out_one,
            {"problem": told, "method": method, "name": o.name, "place": int(place), "search": how,
             "hidden": name, "seed": seed},
            _VERSION,
        )
        for place in places
        for o in problem.observed
        if o.named(name) and np.isfinite(o.values[place]).any()
    ]  # fmt: skip
    harvest = run_tasks(tasks, **(farm or Farm()).options, title="holding out")
    return tuple(HeldOut(**row) for row in harvest.results)


def hold_out_one(
    problem: Mapping[str, Any],
    method: str,
    name: str,
    place: int,
    search: Mapping[str, Any],
    hidden: str,
    seed: int,
) -> dict[str, Any]:
    """Predict a scene without it; the fields of `HeldOut` by name. Its values are looked at in the end only.

    Args:
        problem: as `problem_tables` makes it.
        method: see `hold_out_scenes`.
        name: sensor of the scene.
        place: position of the date.
        search: fields of `Search`.
        hidden: sensor that nothing is seen of on that date: this one, or that of all bands.
        seed: see `hold_out_scenes`.
    """
    whole, how = problem_from(problem), Search(**search)
    blind, chosen = _without(whole, hidden, place), method_of(method, whole, seed)
    learnt, clean, gated = learn_by(chosen, blind, how)
    estimate = chosen.estimate(clean, learnt.values, np.array([place]))
    observed = next(o for o in whole.observed if o.name == name)
    truth = observed.values[place] + whole.level_of(observed)
    noise = observed.scale[place] * learnt.values[f"{name} noise"] ** 2
    noise = noise + learnt.values.get(f"{name} offset", 0.0) ** 2
    band = observed.alone
    assert band is not None  # noqa: S101
    mean, std = (field.reshape(-1, len(truth))[band] for field in (estimate.mean[0], estimate.std[0]))
    error = mean - truth
    inside = np.abs(error) <= 1.96 * np.sqrt(std**2 + noise)
    seen = np.isfinite(error)
    others = baseline_predictions(whole, name, place)
    found = HeldOut(
        name,
        whole.date_text(place),
        int(seen.sum()),
        float(np.sqrt(np.mean(error[seen] ** 2))),
        float(np.mean(error[seen])),
        float(np.mean(inside[seen])),
        {method: _rmse(guess - truth) for method, guess in others.items()},
        tuple(f"{g.sensor} {g.date}" for g in gated),
    )
    return found._asdict()


def _without(problem: Problem, name: str, place: int) -> Problem:
    """Leave out a scene, and its part in the centre of all values and in the spread that priors go by."""
    for o in [o for o in problem.observed if o.named(name)]:
        problem = problem.without(o.name, place)
        left = next(p for p in problem.observed if p.name == o.name).values
        if np.isfinite(left).any() and o.alone is not None:
            spread = float(np.nanstd(left)) or 1.0
            problem = _moved(problem, o.alone, float(np.nanmean(left)), spread)
    return problem


def _moved(problem: Problem, band: int, shift: float, spread: float) -> Problem:
    """Return the problem with another centre and spread, of one band where there are bands."""
    observed = tuple(replace(o, values=o.values - o.response[band] * shift) for o in problem.observed)
    if not problem.bands:
        scales = replace(problem.scales, spread=spread)
        return replace(problem, observed=observed, centre=problem.centre + shift, scales=scales)
    bands = list(problem.bands)
    bands[band] = replace(bands[band], centre=bands[band].centre + shift, spread=spread)
    return replace(problem, observed=observed, bands=tuple(bands))


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
    seen = [o for o in problem.observed if o.factor == (1, 1) and o.alone is not None]
    fine = list(dict.fromkeys(name for o in seen for name in (o.scene or o.name, o.name)))
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
    has = np.any([np.isfinite(o.values).any(axis=1) for o in problem.observed if o.named(name)], axis=0)
    known = {problem.date_text(t): int(t) for t in np.flatnonzero(has)}
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
