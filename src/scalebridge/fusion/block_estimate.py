"""Answers of the block engine for a whole problem: learning with gates, smoothing, what observations say."""

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from scalebridge.fusion.block_engine import BlockData, Smoothed, log_likelihood, smooth
from scalebridge.fusion.fusion_blocks import cut_blocks, out_of_blocks
from scalebridge.fusion.fusion_problem import Observed, Problem
from scalebridge.fusion.learning import Layout, Learnt, learn, systems_of


class Gated(NamedTuple):
    """A scene that was left out: its sensor, its date, and how far off it is.

    `score` is the root mean square of its standardised differences to what all other data say of it, and
    `usual` the median of that over the sensor's scenes.
    """

    sensor: str
    date: str
    score: float
    usual: float


class Estimate(NamedTuple):
    """What is known of the field on the wanted dates.

    Args:
        mean: (dates, rows, columns).
        std: the same.
        residuals: by sensor (dates, rows), standardised differences of observations to what the others say
            (of a smoother), or the past (of a filter).
        coefficients: mean and standard deviation by name.
        log_likelihood: of all data.
        errors: Monte-Carlo standard error of `std`, relative; 0 where it is exact.
    """

    mean: np.ndarray
    std: np.ndarray
    residuals: dict[str, np.ndarray]
    coefficients: dict[str, tuple[float, float]]
    log_likelihood: float
    errors: float = 0.0


@dataclass(frozen=True)
class Search:
    """How parameters are learnt.

    Args:
        method: "gradient" or "em".
        footprints: how many are learnt from, drawn evenly.
        gate: scenes that are off by so many times the usual are left out; None for no gate.
        steps: limit.
        tolerance: relative change of the log-posterior at which the search ends.
    """

    method: str = "gradient"
    footprints: int = 40
    gate: float | None = 3.0
    steps: int = 40
    tolerance: float = 1e-5


def learning_footprints(problem: Problem, block: tuple[int, int], search: Search) -> np.ndarray:
    """Return the footprints that are learnt from: spread evenly, without those that saw nothing."""
    count = (problem.grid.shape[0] // block[0]) * (problem.grid.shape[1] // block[1])
    return np.unique(np.linspace(0, count - 1, min(count, search.footprints)).round().astype(int))


def learn_blocks(
    problem: Problem, block: tuple[int, int], search: Search, start: dict[str, float] | None = None
) -> tuple[Learnt, Problem, tuple[Gated, ...]]:
    """Learn the parameters, leave out scenes that are far off, and learn again without them.

    Args:
        problem: the problem.
        block: pixels of a footprint.
        search: how.
        start: parameters to start from.

    Returns:
        what was learnt, the problem without the scenes that were left out, and which these are.
    """
    members = learning_footprints(problem, block, search)
    gated: tuple[Gated, ...] = ()
    if start is not None and search.gate is not None:
        problem, gated = gate_scenes(problem, block, members, start, search.gate)
    layout, data = cut_blocks(problem, block, members)
    found = learn(
        layout, data, method=search.method, start=start, steps=search.steps, tolerance=search.tolerance
    )
    if search.gate is None:
        return found, problem, gated
    problem, more = gate_scenes(problem, block, members, found.values, search.gate)
    if not more:
        return found, problem, gated
    again = replace(search, gate=None)
    found, problem, _ = learn_blocks(problem, block, again, found.values)
    return found, problem, (*gated, *more)


def gate_scenes(
    problem: Problem, block: tuple[int, int], members: np.ndarray, values: dict[str, float], gate: float
) -> tuple[Problem, tuple[Gated, ...]]:
    """Leave out the scene that is farthest off, as long as one is off by `gate` times what is usual.

    One at a time, because a contaminated scene makes its neighbours look odd.
    """
    gated: list[Gated] = []
    while True:
        layout, data = cut_blocks(problem, block, members)
        worst = _worst_scene(problem, _standardised(layout, data, values), gate)
        if worst is None:
            return problem, tuple(gated)
        place, found = worst
        gated.append(found)
        problem = problem.without(found.sensor, place)


def _standardised(layout: Layout, data: BlockData, values: dict[str, float]) -> list[np.ndarray]:
    """Return by sensor what observations say against the others, (footprints, dates, rows)."""
    found, _ = smooth(data, systems_of(layout, values), np.array([0] + [-1] * (len(data.step) - 1)))
    standard = found.residual / found.spread
    return [standard[:, :, data.sensor == number] for number in range(len(layout.sensors))]


def _worst_scene(problem: Problem, standard: list[np.ndarray], gate: float) -> tuple[int, Gated] | None:
    worst: tuple[float, int, Gated] | None = None
    for o, z in zip(problem.observed, standard, strict=True):
        count = np.isfinite(z).sum(axis=(0, 2))
        score = np.sqrt(np.nansum(z**2, axis=(0, 2)) / np.maximum(count, 1))
        seen = np.flatnonzero(count)
        if len(seen) < 4:
            continue  # too few to know what is usual
        usual = float(np.median(score[seen]))
        place = int(seen[np.argmax(score[seen])])
        ratio = float(score[place]) / max(usual, 1e-300)
        if score[place] > gate * max(usual, 1.0) and (worst is None or ratio > worst[0]):
            worst = ratio, place, Gated(o.name, problem.date_text(place), float(score[place]), usual)
    return None if worst is None else worst[1:]


def estimate_blocks(
    problem: Problem,
    block: tuple[int, int],
    values: dict[str, float],
    wanted: np.ndarray,
    lag: int | None = None,
) -> Estimate:
    """Return the field on the wanted dates.

    Args:
        problem: the problem.
        block: pixels of a footprint.
        values: all parameters.
        wanted: positions of the dates.
        lag: see `block_engine.smooth`.
    """
    layout, data = cut_blocks(problem, block)
    place = np.full(len(problem.days), -1)
    place[wanted] = np.arange(len(wanted))
    found, log = smooth(data, systems_of(layout, values), place, lag)
    names = [name for name, _ in problem.coefficients]
    spread = np.sqrt(np.diag(found.shared.cov))
    return Estimate(
        out_of_blocks(found.mean, problem.grid.shape, block) + problem.centre,
        np.sqrt(np.maximum(out_of_blocks(found.variance, problem.grid.shape, block), 0.0)),
        _residuals_by_sensor(problem, block, data, found),
        {n: (float(m), float(s)) for n, m, s in zip(names, found.shared.mean, spread, strict=True)},
        log,
    )


def _residuals_by_sensor(
    problem: Problem, block: tuple[int, int], data: BlockData, found: Smoothed
) -> dict[str, np.ndarray]:
    standard = found.residual / found.spread
    told = {}
    for number, o in enumerate(problem.observed):
        own = standard[:, :, data.sensor == number]
        shape, inner = _inner(o, problem, block)
        told[o.name] = out_of_blocks(own, shape, inner).reshape(len(problem.days), -1)
    return told


def _inner(
    observed: Observed, problem: Problem, block: tuple[int, int]
) -> tuple[tuple[int, int], tuple[int, int]]:
    assert observed.factor is not None  # noqa: S101
    down, across = observed.factor
    shape = (problem.grid.shape[0] // down, problem.grid.shape[1] // across)
    return shape, (block[0] // down, block[1] // across)


def likelihood_of(problem: Problem, block: tuple[int, int], values: dict[str, float]) -> float:
    """Return the log-likelihood of all footprints at given parameters."""
    layout, data = cut_blocks(problem, block)
    return log_likelihood(data, systems_of(layout, values))[0]
