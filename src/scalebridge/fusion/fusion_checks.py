"""What has to hold after a fusion, as measured numbers."""

import math

import numpy as np

from scalebridge.core.checks import Check
from scalebridge.fusion.block_engine import BlockData, System, log_likelihood, smooth
from scalebridge.fusion.block_estimate import Estimate, Search, learning_footprints
from scalebridge.fusion.fusion_blocks import cut_blocks
from scalebridge.fusion.fusion_problem import Problem
from scalebridge.fusion.held_out import HeldOut, overall
from scalebridge.fusion.learning import systems_of

MOST = 400  # observations of the batch answer
_ROUNDING = 1e-8


def check_agreement(problem: Problem, estimate: Estimate) -> list[Check]:
    """Fused means over footprints agree with what each sensor saw: differences of unit variance."""
    z = [estimate.residuals[o.name] for o in problem.observed]
    squares = np.array([[np.nansum(own**2), np.isfinite(own).sum()] for own in z], dtype=float)
    return agreement_checks(problem, squares)


def agreement_checks(problem: Problem, squares: np.ndarray) -> list[Check]:
    """Return what `check_agreement` does, from sums of squares and their numbers, (sensors, 2)."""
    found = []
    for o, (square, count) in zip(problem.observed, squares, strict=True):
        if count:
            meaning = (
                f"root mean square of what '{o.name}' saw less what all other data say of it, in units of "
                "the deviation that this should have; 1 where model and data agree, 1.5 where a noise is "
                "twice too small in variance"
            )
            value = float(np.sqrt(square / count))
            found.append(Check(f"agreement, {o.name}", value, 1.5, meaning=meaning))
    return found


def check_innovations(problem: Problem, block: tuple[int, int], values: dict[str, float]) -> list[Check]:
    """Innovations of the filter are white and of unit variance, on some footprints."""
    members = learning_footprints(problem, block, Search(footprints=60))
    layout, data = cut_blocks(problem, block, members)
    systems = systems_of(layout, values)
    found, _ = smooth(data, systems, np.array([0] + [-1] * (len(data.step) - 1)), lag=0)
    return innovation_checks(found.residual / found.spread)


def innovation_checks(z: np.ndarray) -> list[Check]:
    """Return what `check_innovations` does, from standardised innovations (footprints, dates, rows)."""
    seen = z[np.isfinite(z)]
    along = [series[np.isfinite(series)] for series in z.transpose(0, 2, 1).reshape(-1, z.shape[1])]
    pairs = np.concatenate(
        [np.stack([s[:-1], s[1:]], axis=1) for s in along if len(s) > 1] or [np.zeros((0, 2))]
    )
    square = float(np.mean(seen**2)) if len(seen) else 1.0
    told = [
        Check(
            "innovations, variance",
            abs(math.log(square)) if square > 0 else math.inf,
            float(np.log(1.5)),
            meaning="absolute logarithm of the mean square of the standardised innovations; zero where the "
            "model says how far each observation is from what was expected of it",
        )
    ]
    if len(pairs) > 2 and pairs.std(axis=0).min() > 0:
        told.append(
            Check(
                "innovations, whiteness",
                float(np.abs(np.asarray(np.corrcoef(pairs.T))[0, 1])),
                0.2 + 2.0 / np.sqrt(len(pairs)),
                meaning="correlation of an innovation with the next of the same row; zero where nothing is "
                "left to be learnt from the past",
            )
        )
    return told


def check_batch(problem: Problem, block: tuple[int, int], values: dict[str, float]) -> Check:
    """The filter's likelihood equals that of a batch Gaussian process, for one footprint and some dates."""
    count = (problem.grid.shape[0] // block[0]) * (problem.grid.shape[1] // block[1])
    layout, data = cut_blocks(problem, block, np.array([count // 2]))
    seen = np.isfinite(data.values[0])
    last = max(1, int(np.searchsorted(np.cumsum(seen.sum(axis=1)), MOST)))
    values_cut = data.values[:, :last]
    group = data.groups[0]
    cut = BlockData(
        values_cut, data.columns[..., :last, :, :], data.sensor, data.observe, data.fields,
        data.field_columns[..., :last, :, :], data.step[:last],
        (group._replace(members=np.array([0]), seen=group.seen[:last], scale=group.scale[:last], kind=0),),
    )  # fmt: skip
    system = systems_of(layout, values)[0]
    filtered = log_likelihood(cut, [system])[0]
    batch = batch_likelihood(cut, system)
    count = int(seen[:last].sum())
    return batch_check(filtered, batch, f"a footprint's first {count} observations, by the filter")


def batch_check(ours: float, batch: float, what: str) -> Check:
    """Return the check that a log-likelihood is that of one dense covariance."""
    meaning = f"log-likelihood of {what} and by one dense covariance, relative"
    away = abs(ours - batch) / max(abs(batch), 1.0)
    return Check("batch Gaussian process", away, _ROUNDING, meaning=meaning)


def batch_likelihood(data: BlockData, system: System) -> float:
    """Return the log-likelihood of one footprint from the dense covariance of all that it saw."""
    states, dates = len(system.start), len(data.step)
    observe = _dense(data.observe, states)
    cov, roots = np.zeros((dates, dates, states, states)), [system.start]
    for t in range(1, dates):
        move = _transition(system, int(data.step[t]))
        roots.append(move @ roots[-1] @ move.T + system.innovation[data.step[t]])
    for s in range(dates):
        reach = roots[s]
        for t in range(s, dates):
            reach = reach if t == s else _transition(system, int(data.step[t])) @ reach
            cov[t, s], cov[s, t] = reach, reach.T
    whole = (observe @ cov @ observe.T).transpose(0, 2, 1, 3).copy()
    regressors = data.columns if data.columns.ndim == 3 else data.columns[0]
    whole += np.einsum("trp,p,sqp->trsq", regressors, system.prior, regressors)
    seen = np.isfinite(data.values[0])
    scale = data.groups[0].scale * system.noise[data.sensor]
    size = seen.size
    square = whole.reshape(size, size) + np.diag(scale.ravel())
    kept = seen.ravel()
    factor = np.linalg.cholesky(square[np.ix_(kept, kept)])
    half = np.linalg.solve(factor, data.values[0].ravel()[kept])
    return (
        -float(half @ half) / 2 - float(np.log(np.diag(factor)).sum()) - 0.5 * kept.sum() * np.log(2 * np.pi)
    )


def check_coverage(rows: tuple[HeldOut, ...]) -> list[Check]:
    """The 95 % intervals cover 95 % of the pixels of scenes held out."""
    if not rows:
        return []
    meaning = (
        "distance of the share of held-out pixels inside their 95 % interval from 0.95; parameters were "
        "learnt without the scene"
    )
    return [Check("coverage", abs(overall(rows)["coverage"] - 0.95), 0.03, meaning=meaning)]


def _dense(rows: object, states: int) -> np.ndarray:
    pointer, index, weight = rows  # type: ignore[misc]
    dense = np.zeros((len(pointer) - 1, states))
    for row in range(len(pointer) - 1):
        own = slice(pointer[row], pointer[row + 1])
        dense[row, index[own]] = weight[own]
    return dense


def _transition(system: System, kind: int) -> np.ndarray:
    states, width = system.pattern.shape
    dense = np.zeros((states, states))
    for k in range(width):
        np.add.at(dense, (np.arange(states), system.pattern[:, k]), system.transition[kind, :, k])
    return dense
