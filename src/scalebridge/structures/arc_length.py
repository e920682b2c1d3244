"""Past limit points: increments of given length of the path, the load factor an unknown among the others.

    |du| = length over the increment,      corrections stay in the plane across the increment so far:
    du . (d_r + dfactor d_t) = 0,  d_r = K^-1 r,  d_t = K^-1 (f - K g) + g

so that the factor may fall while the structure goes on (softening, snap-through, snap-back). An increment
goes the way that the last one went.
"""

from collections.abc import Callable

import numpy as np

from scalebridge.core.results import Outcome
from scalebridge.structures.equilibrium import Iteration, Say, Trial, ask, word_of
from scalebridge.structures.march import EASY, Journey, StepSettings, Watch, commit_increment, narrator


def march_by_length(
    journey: Journey,
    settings: StepSettings,
    *,
    every_iteration: Callable[[Iteration], None],
    every_increment: Watch,
    every_step: Watch,
) -> Outcome:
    """Go on along the path by its length: one increment a step, the first as long as its factor takes it.

    Args:
        journey: where to go on; it is carried along.
        settings: how many steps; only the first factor is looked at.
        every_iteration: told of each row of the residual table.
        every_increment: told after each commit.
        every_step: told after each finished step, at a point from which a run can be resumed.

    Source: M. A. Crisfield, Comput. Struct. 13 (1981) 55; E. Ramm, in Nonlinear Finite Element Analysis in
        Structural Mechanics (1981) 63 (the plane that is turned along).
    """
    if journey.reach == 0.0:
        journey.reach = abs(settings.factors[0]) * float(np.linalg.norm(_towards(journey.trial)))
    while journey.done < len(settings.factors):
        found, corrections = _increment(journey, settings, narrator(journey, every_iteration))
        if found is None:
            engine = journey.trial.structure.engine
            engine.rollback(engine.epoch)
            journey.share /= 2
            if journey.share < 0.5**settings.max_cuts:
                journey.outcome = Outcome.stagnated
                return journey.outcome
            continue
        journey.direction = found.u - journey.trial.u
        commit_increment(journey, found, corrections, settings.duration, every_iteration)
        if corrections <= EASY:
            journey.share = min(1.0, 2 * journey.share)
        journey.done += 1
        every_increment(journey)
        every_step(journey)
    return Outcome.converged


def _towards(trial: Trial) -> np.ndarray:
    """Return d_t, how displacements follow the factor."""
    s = trial.structure
    right = s.reduction.transform.T @ (s.forces - trial.stiffness @ s.reduction.offset)
    return s.reduction.transform @ s.solver(trial.reduced_stiffness, right) + s.reduction.offset


def _increment(journey: Journey, settings: StepSettings, say: Say) -> tuple[Trial | None, int]:
    start, newton = journey.trial, settings.newton
    s, towards = start.structure, _towards(start)
    forward = float(journey.direction @ towards) >= 0 if journey.direction.any() else settings.factors[0] >= 0
    change = journey.share * journey.reach / float(np.linalg.norm(towards)) * (1.0 if forward else -1.0)
    if not np.isfinite(change):
        return None, 0
    step = change * towards
    moved = step
    trial = ask(s, start.u + step, start.moved(step), start.factor + change, settings.duration)
    for iteration in range(newton.max_iterations + 1):
        if trial is None:
            say(iteration, start.factor + change, np.nan, 1.0, "a point found no answer")
            return None, iteration
        done, last = trial.residual <= newton.rtol, iteration == newton.max_iterations
        say(iteration, trial.factor, trial.residual, 1.0, word_of(done, last))
        if done or last:
            return (trial if done else None), iteration
        towards = _towards(trial)
        back = s.reduction.transform @ s.solver(trial.reduced_stiffness, trial.reduced)
        along = float(moved @ towards)
        turn = -float(moved @ back) / along if along else np.nan
        step = back + turn * towards
        if not np.isfinite(step).all():
            say(iteration, trial.factor, trial.residual, 1.0, "the stiffness is singular")
            return None, iteration
        moved = moved + step
        across = trial.moved(step)
        trial = ask(s, trial.u + step, across, trial.factor + turn, settings.duration)
    return None, newton.max_iterations
