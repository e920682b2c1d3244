"""Answers of the block engine for a whole problem: learning with gates, smoothing, what observations say."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from scalebridge.fusion.baselines import interpolated
from scalebridge.fusion.block_engine import BlockData, smooth
from scalebridge.fusion.calibration import scene_scores
from scalebridge.fusion.fusion_blocks import cut_blocks, field_of_blocks, in_blocks, out_of_blocks
from scalebridge.fusion.fusion_problem import Observed, Problem
from scalebridge.fusion.learning import Learnt, learn, systems_of

_FEWEST = 6  # scenes of a sensor, so that there is a usual


class Gated(NamedTuple):
    """A scene that was left out: its sensor, its date, and how far off it is.

    `score` is the root mean square of its difference to the interpolation of the sensor's other scenes, over
    the root of the days between, and `usual` the median of that over the sensor's scenes.
    """

    sensor: str
    date: str
    score: float
    usual: float


class Estimate(NamedTuple):
    """What is known of the field on the wanted dates.

    Args:
        mean: (dates, rows, columns), or (dates, bands, rows, columns).
        std: the same.
        residuals: by sensor (dates, rows), standardised differences of observations to what all others say;
            with a lag, of the blocks to what the past says, of the other methods to what all others say that
            may be looked at.
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
        calibrate: whether deviations are stretched to what scenes say; see `calibration`.
    """

    method: str = "gradient"
    footprints: int = 40
    gate: float | None = 3.0
    steps: int = 40
    tolerance: float = 1e-5
    calibrate: bool = False


def learning_footprints(problem: Problem, block: tuple[int, int], search: Search) -> np.ndarray:
    """Return the footprints that are learnt from: spread evenly, without those that saw nothing."""
    count = (problem.grid.shape[0] // block[0]) * (problem.grid.shape[1] // block[1])
    return np.unique(np.linspace(0, count - 1, min(count, search.footprints)).round().astype(int))


def learn_blocks(
    problem: Problem, block: tuple[int, int], search: Search, start: dict[str, float] | None = None
) -> Learnt:
    """Learn the parameters from some footprints.

    Args:
        problem: the problem.
        block: pixels of a footprint.
        search: how.
        start: parameters to start from.
    """
    layout, data = cut_blocks(problem, block, learning_footprints(problem, block, search))
    return learn(
        layout, data, start=start, method=search.method, steps=search.steps, tolerance=search.tolerance
    )


def block_squares(
    problem: Problem, block: tuple[int, int], values: dict[str, float]
) -> dict[str, np.ndarray]:
    """Return by sensor E[e^2] of what smoothing leaves of each observation; see `robust.reweighted`."""
    place = np.full(len(problem.days), -1)
    place[0] = 0
    layout, data = cut_blocks(problem, block)
    found, _ = smooth(data, systems_of(layout, values), place)
    precision = 1.0 / found.spread**2
    smoothed, known = (_by_sensor(problem, block, data, a) for a in (found.residual * precision, precision))
    told = {}
    for o in problem.observed:
        noise = o.noise_scale * values[f"{o.name} noise"] ** 2
        told[o.name] = (noise * smoothed[o.name]) ** 2 + noise - noise**2 * known[o.name]
    return told


def block_scores(
    problem: Problem, block: tuple[int, int], members: np.ndarray, values: dict[str, float],
    observed: Observed, place: int,
) -> np.ndarray:  # fmt: skip
    """Return what `calibration.scene_scores` does of one scene, on some footprints."""
    blind = problem.without(observed.scene or observed.name, place)
    layout, data = cut_blocks(blind, block, members)
    wanted = np.full(len(problem.days), -1)
    wanted[place] = 0
    found, _ = smooth(data, systems_of(layout, values), wanted)
    scene = [
        in_blocks(a[place][None], observed, problem, block)[members, 0]
        for a in (observed.values, observed.scale)
    ]
    assert observed.alone is not None  # noqa: S101
    pixels = scene[0].shape[1]
    own = slice(observed.alone * pixels, (observed.alone + 1) * pixels)
    told = found.mean[:, 0, own], found.variance[:, 0, own]
    return scene_scores(observed, values, (scene[0], scene[1]), told)


def gate_scenes(problem: Problem, gate: float) -> tuple[Problem, tuple[Gated, ...]]:
    """Leave out the scene that is farthest off, as long as one is off by `gate` times what is usual.

    A scene is held against the interpolation of its own sensor's other scenes, in units of what a random
    walk and noise make of the gap in time; the usual is the median over the sensor's scenes. One at a time,
    because a contaminated scene makes its neighbours look odd; no parameter is needed.
    """
    gated: list[Gated] = []
    for o in problem.observed:
        while (worst := _worst_scene(problem, o.name, gate)) is not None:
            place, found = worst
            gated.append(found)
            problem = problem.without(o.name, place)
    return problem, tuple(gated)


def _worst_scene(problem: Problem, name: str, gate: float) -> tuple[int, Gated] | None:
    values = next(o.values for o in problem.observed if o.name == name)
    seen = np.flatnonzero(np.isfinite(values).any(axis=1))
    if len(seen) < _FEWEST:
        return None  # too few to know what is usual
    gap = float(np.median(np.diff(problem.days[seen])))
    score = np.array([_oddness(values, problem.days, int(place), gap) for place in seen])
    usual, place = float(np.nanmedian(score)), int(np.nanargmax(score))
    if not score[place] > gate * usual:
        return None
    return int(seen[place]), Gated(name, problem.date_text(int(seen[place])), float(score[place]), usual)


def _oddness(values: np.ndarray, days: np.ndarray, place: int, gap: float) -> float:
    """Root mean square of a scene less the interpolation of the others, over the root of the time between."""
    guess, between = interpolated(values, days, place)
    away = (values[place] - guess) ** 2 / (between + gap)
    return float(np.sqrt(np.nanmean(away))) if np.isfinite(away).any() else np.nan


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
        field_of_blocks(found.mean, problem, block) + problem.level,
        np.sqrt(np.maximum(field_of_blocks(found.variance, problem, block), 0.0)),
        _by_sensor(problem, block, data, found.residual / found.spread),
        {n: (float(m), float(s)) for n, m, s in zip(names, found.shared.mean, spread, strict=True)},
        log,
    )


def _by_sensor(
    problem: Problem, block: tuple[int, int], data: BlockData, array: np.ndarray
) -> dict[str, np.ndarray]:
    """Sort (footprints, dates, rows of a footprint) by sensor: (dates, rows)."""
    told = {}
    for number, o in enumerate(problem.observed):
        own = array[:, :, data.sensor == number]
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
