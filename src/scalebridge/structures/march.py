"""Along a path of load factors: increments that are cut back and grow, commits, energies, checkpoints.

An increment that finds no equilibrium leaves nothing behind: the points forget their trial, and half of it is
tried. What is committed is written down when a step is done, so that a run that is killed goes on from there.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np

from scalebridge.cells.path_result import has_stress
from scalebridge.core.errors import InputError
from scalebridge.core.results import Outcome
from scalebridge.structures.equilibrium import (
    Iteration,
    NewtonSettings,
    Say,
    Structure,
    Trial,
    ask,
    equilibrate,
)

EASY = 4
"""Corrections up to which the next increment may be longer."""


@dataclass(frozen=True)
class StepSettings:
    """How a path is cut into increments.

    Args:
        factors: load factor at the end of each step.
        duration: s, of each step; rates follow from it.
        max_cuts: how often a step may be halved.
        newton: when an increment is in equilibrium.
    """

    factors: tuple[float, ...]
    duration: float = 1.0
    max_cuts: int = 6
    newton: NewtonSettings = field(default_factory=NewtonSettings)


@dataclass(frozen=True)
class Record:
    """What is kept of a committed increment.

    Args:
        step: number of the step, from 1.
        time: s.
        factor: load factor.
        iterations: corrections.
        external: J, work of reactions and loads so far (in the plane: of a unit thickness).
        internal: J, work of the stresses so far.
        stored: points that have memory of their own.
        lowest: smallest eigenvalue of any point's tangent over its largest; negative where a point softens.
        reactions: N by boundary, from outside onto the structure (in the plane: of a unit thickness).
        movements: m by boundary, mean displacement of its nodes.
        micro_gap: J/m^3, largest difference of any point's mean of stress times strain from the product of
            the stress and strain that it handed up.
        micro_size: J/m^3, largest product of the sizes of these.
        sharing: points that shared another's answer.
        sampled: of these, how many were solved anew.
        sharing_error: largest error of their stresses, relative to the largest stress of any point.
        sharing_rms: root mean square of these.
    """

    step: int
    time: float
    factor: float
    iterations: int
    external: float
    internal: float
    stored: float
    lowest: float
    reactions: dict[str, list[float]] = field(default_factory=dict)
    movements: dict[str, list[float]] = field(default_factory=dict)
    micro_gap: float = 0.0
    micro_size: float = 0.0
    sharing: float = 0.0
    sampled: float = 0.0
    sharing_error: float = 0.0
    sharing_rms: float = 0.0


@dataclass
class Journey:
    """Where a path has come to: what a checkpoint holds of the coarse model.

    Args:
        trial: the last equilibrium.
        done: steps that are finished.
        share: of a step, that the next increment tries.
        reach: m, length of a whole step of control by length; 0 before the first.
        direction: (unknowns,) of the last increment, for control by length.
        records: of every committed increment.
        iterations: rows of the residual table.
        outcome: how it went.
        inexact: steps from which it went on in reduced precision, with the bounds of the error.
    """

    trial: Trial
    done: int = 0
    share: float = 1.0
    reach: float = 0.0
    direction: np.ndarray = field(default_factory=lambda: np.zeros(0))
    records: list[Record] = field(default_factory=list)
    iterations: list[Iteration] = field(default_factory=list)
    outcome: Outcome = Outcome.converged
    inexact: list[dict[str, Any]] = field(default_factory=list)

    def arrays(self) -> dict[str, np.ndarray]:
        """Return the arrays of a checkpoint."""
        t = self.trial
        return {"u": t.u, "across": t.across, "answers": t.answers, "tangents": t.tangents} | {
            "direction": self.direction
        }

    def plain(self) -> dict[str, Any]:
        """Return the rest of a checkpoint as plain data."""
        return {
            "done": self.done,
            "share": self.share,
            "reach": self.reach,
            "factor": self.trial.factor,
            "records": [asdict(record) for record in self.records],
            "iterations": [asdict(row) for row in self.iterations],
            "inexact": self.inexact,
        }


Watch = Callable[[Journey], None]
"""Told of a journey after a committed increment or a finished step."""


def set_out(structure: Structure, dt: float = 0.0) -> Journey | None:
    """Ask the points at rest, which gives the first tangent for a step of dt (s); None without an answer."""
    k = structure.kinematics
    trial = ask(structure, np.zeros(k.unknowns), np.zeros((k.points, len(k.outside))), 0.0, dt)
    structure.engine.rollback(structure.engine.epoch)
    return None if trial is None else Journey(trial)


def take_up(
    structure: Structure,
    plain: dict[str, Any],
    arrays: dict[str, np.ndarray],
    archive: dict[str, Any] | None = None,
) -> Journey:
    """Return the journey that a checkpoint holds, or an archive's, which says how exact it is."""
    trial = Trial(
        structure, arrays["u"], arrays["across"], plain["factor"], arrays["answers"], arrays["tangents"]
    )
    return Journey(
        trial,
        plain["done"],
        plain["share"],
        plain["reach"],
        arrays["direction"],
        [Record(**record) for record in plain["records"]],
        [Iteration(**row) for row in plain["iterations"]],
        inexact=plain.get("inexact", []) + ([] if archive is None else [{"step": plain["done"], **archive}]),
    )


def refuse_other_path(journey: Journey, settings: StepSettings) -> None:
    """Refuse to go on where the steps that are done are not the first of those asked for.

    Raises:
        InputError: they have other load factors or durations, or there are more of them.
    """
    ends = {record.step: record for record in journey.records}
    done = [ends[step] for step in range(1, journey.done + 1)]
    times = np.diff([0.0, *(end.time for end in done)])
    factors = [end.factor for end in done]
    told = ", ".join(f"{factor:.6g}" for factor in factors)
    asked = settings.factors[: len(done)]
    if len(asked) < len(done) or not np.allclose(asked, factors, rtol=1e-12, atol=0):
        raise InputError(
            "steps",
            got=f"{', '.join(f'{factor:.6g}' for factor in settings.factors)}, to go on from a checkpoint",
            wanted=f"the steps that are done, {told}, and others after them",
            cure="give the load factor at the end of every step, or another folder for checkpoints",
        )
    if not np.allclose(times, settings.duration, rtol=1e-9, atol=0):
        raise InputError(
            "duration",
            got=f"{settings.duration:.6g} s, to go on from a checkpoint",
            wanted=f"that of the steps that are done, {times[0]:.6g} s",
            cure="give that duration, or another folder for checkpoints",
        )


def march(
    journey: Journey,
    settings: StepSettings,
    *,
    every_iteration: Callable[[Iteration], None],
    every_increment: Watch,
    every_step: Watch,
) -> Outcome:
    """Go on along the path to its end, or to where there is no equilibrium.

    Args:
        journey: where to go on; it is carried along.
        settings: the path.
        every_iteration: told of each row of the residual table.
        every_increment: told after each commit.
        every_step: told after each finished step, at a point from which a run can be resumed.
    """
    while journey.done < len(settings.factors):
        if not _step(journey, settings, every_iteration, every_increment):
            journey.outcome = Outcome.stagnated
            return journey.outcome
        journey.done += 1
        every_step(journey)
    return Outcome.converged


def _step(
    journey: Journey, settings: StepSettings, every_iteration: Callable[[Iteration], None], every: Watch
) -> bool:
    begin, end = journey.trial.factor, settings.factors[journey.done]
    reached, smallest = 0.0, 0.5**settings.max_cuts
    while reached < 1.0:
        share = min(journey.share, 1.0 - reached)
        if 1.0 - reached - share < 0.5 * smallest:
            share = 1.0 - reached
        last = reached + share >= 1.0
        factor = end if last else begin + (reached + share) * (end - begin)
        found, corrections = _increment(journey, settings, factor, share, every_iteration)
        if found is None:
            journey.share = share / 2
            if journey.share < smallest:
                return False
            continue
        commit_increment(journey, found, corrections, share * settings.duration, every_iteration)
        reached = 1.0 if last else reached + share
        if corrections <= EASY:
            journey.share = min(1.0, 2 * journey.share)
        every(journey)
    return True


def _increment(
    journey: Journey,
    settings: StepSettings,
    factor: float,
    share: float,
    every_iteration: Callable[[Iteration], None],
) -> tuple[Trial | None, int]:
    say = narrator(journey, every_iteration)
    found, corrections = equilibrate(journey.trial, factor, share * settings.duration, settings.newton, say)
    if found is None:
        engine = journey.trial.structure.engine
        engine.rollback(engine.epoch)
    return found, corrections


def narrator(journey: Journey, every_iteration: Callable[[Iteration], None]) -> Say:
    """Return what writes a row of the residual table of the increment that begins."""
    step, increment = journey.done + 1, len(journey.records) + 1

    def say(iteration: int, at: float, residual: float, length: float, outcome: str) -> None:
        row = Iteration(step, increment, iteration, at, float(residual), float(length), outcome)
        journey.iterations.append(row)
        every_iteration(row)

    return say


def commit_increment(
    journey: Journey, found: Trial, corrections: int, dt: float, every_iteration: Callable[[Iteration], None]
) -> None:
    """Make an equilibrium the committed one, in the points and in the journey, and keep its record.

    Args:
        journey: carried along.
        found: the equilibrium.
        corrections: how many it took.
        dt: s, since the last one.
        every_iteration: told what sharing answers cost, if points share.
    """
    structure, before = found.structure, journey.trial
    audited = _audited(found)
    if audited and audited["sharing"]:
        row = _audit_row(journey, corrections, found.factor, audited)
        journey.iterations.append(row)
        every_iteration(row)
    structure.engine.commit(structure.engine.epoch)
    external, internal = works(before, found, sudden=not journey.records and _stressed(before, found))
    last = journey.records[-1] if journey.records else Record(0, 0.0, 0.0, 0, 0.0, 0.0, 0.0, 1.0)
    journey.records.append(
        Record(
            journey.done + 1,
            last.time + dt,
            found.factor,
            corrections,
            last.external + external,
            last.internal + internal,
            structure.engine.memory()["points with memory"],
            lowest_eigenvalue(found),
            reactions_of(found),
            {name: [float(found.u[d].mean()) for d in dofs] for name, dofs in structure.boundaries.items()},
            found.stats.get("worst gap", 0.0),
            found.stats.get("worst size", 0.0),
            **audited,
        )
    )
    journey.trial = replace(found)  # without what was worked out for it


def _audited(found: Trial) -> dict[str, float]:
    """Return what sharing answers costs, of an equilibrium that is not committed yet."""
    engine, share = found.structure.engine, found.structure.share
    said = {} if share is None else engine.audit(engine.epoch, share.sample, share.seed)
    if not said:
        return {}
    largest = float(np.linalg.norm(found.answers, axis=1).max()) or 1.0
    return {
        "sharing": said["sharing"],
        "sampled": said["sampled"],
        "sharing_error": said["worst error"] / largest,
        "sharing_rms": float(np.sqrt(said["squared errors"] / max(said["sampled"], 1.0))) / largest,
    }


def _audit_row(journey: Journey, corrections: int, factor: float, audited: dict[str, float]) -> Iteration:
    """Return the row of the residual table that says what sharing answers costs."""
    worst, count = audited["sharing_error"], int(audited["sampled"])
    told = (
        f"{int(audited['sharing'])} points share, {count} solved anew: error {worst:.1e} at most, "
        f"{audited['sharing_rms']:.1e} rms"
    )
    step, increment = journey.done + 1, len(journey.records) + 1
    return Iteration(step, increment, corrections, factor, worst, outcome=told, of="sharing")


def _stressed(before: Trial, after: Trial) -> bool:
    return has_stress(before.answers, after.answers)


def works(before: Trial, after: Trial, *, sudden: bool = False) -> tuple[float, float]:
    """Return the works of outer forces and of stresses between two equilibria, by their means.

    Args:
        before: the first.
        after: the second.
        sudden: whether the first is none, as at rest with a change of temperature: the second alone counts.
    """
    k, structure = after.structure.kinematics, after.structure
    begin = after if sudden else before
    forces = [outer_forces(trial) for trial in (begin, after)]
    external = 0.5 * float((forces[0] + forces[1]) @ (after.u - before.u))
    change = k.loads(after.u, after.across) - k.loads(before.u, before.across)
    power = 0.5 * ((begin.answers + after.answers) * change).sum(axis=1)
    return external, float(power @ structure.kinematics.weights.ravel())


def reactions_of(trial: Trial) -> dict[str, list[float]]:
    """Return the force onto each boundary, N by component: of supports, and of loads where it has none."""
    s = trial.structure
    force = np.where(_tied(s), -trial.imbalance, trial.factor * s.forces)
    return {name: [float(force[d].sum()) for d in dofs] for name, dofs in s.boundaries.items()}


def outer_forces(trial: Trial) -> np.ndarray:
    """Return forces from outside: loads everywhere, and what supports and ties add where they hold."""
    s = trial.structure
    return trial.factor * s.forces - np.where(_tied(s), trial.imbalance, 0.0)


def _tied(structure: Structure) -> np.ndarray:
    """Where conditions act: what is held, and what it is tied to."""
    held: np.ndarray = structure.reduction.held
    t: Any = structure.reduction.transform  # its rows are taken, which its own type does not know
    ties = t[np.flatnonzero(held)]
    masters = np.zeros(t.shape[1], dtype=bool)
    masters[ties.indices] = True
    return held | (t @ masters.astype(float) > 0)


def lowest_eigenvalue(trial: Trial) -> float:
    """Return the smallest eigenvalue of the points' tangents over the largest; negative where one softens."""
    inner = trial.parts[1]
    values = np.linalg.eigvalsh(0.5 * (inner + inner.transpose(0, 2, 1)))
    largest = float(values.max())
    return float(values.min()) / largest if largest > 0 else 0.0


def targets(factors: int | Sequence[float]) -> tuple[float, ...]:
    """Return the load factors of steps: so many equal ones up to 1, or those given.

    Example:
        >>> targets(4)
        (0.25, 0.5, 0.75, 1.0)
    """
    if isinstance(factors, int | np.integer):
        return tuple((i + 1) / factors for i in range(factors))
    return tuple(float(factor) for factor in factors)
