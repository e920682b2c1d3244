"""Equilibrium of the coarse model at one load factor: what is out of balance, and Newton's way into it.

    T^T (factor f - sum B^T stress) = 0,     u = T q + factor g

Every evaluation starts from the committed state of the points, however often it is repeated.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from scipy.sparse import csr_matrix

from scalebridge.engine.path_sharing import PathShare
from scalebridge.engine.point_engine import PointEngine
from scalebridge.structures.assembly import Assembler, condensed
from scalebridge.structures.conditions import Reduction
from scalebridge.structures.kinematics import Kinematics
from scalebridge.structures.linear_solver import LinearSolver

_SLACK = 0.8  # of the work along the direction that a full step has to leave behind at most
_SEARCHES = 4
_FLOOR = 1e-6  # of the elements' own forces: where neither reactions nor loads give a scale


@dataclass(frozen=True)
class Iteration:
    """A row of the residual table.

    Args:
        step: number of the step asked for, from 1.
        increment: number of the increment, from 1.
        iteration: corrections so far.
        factor: load factor.
        residual: relative to reactions and loads.
        length: of the last correction, 1 without a line search.
        outcome: "", "converged", or why the increment was given up.
        of: "equilibrium", or "sharing": the residual is then the largest error of stress among points that
            share answers and were solved anew.
    """

    step: int
    increment: int
    iteration: int
    factor: float
    residual: float
    length: float = 1.0
    outcome: str = ""
    of: str = "equilibrium"


@dataclass(frozen=True)
class Structure:
    """What does not change along a path.

    Args:
        kinematics: B of the mesh.
        assembler: adds elements up.
        reduction: what is prescribed.
        forces: (unknowns,) at factor 1, N.
        solver: of the linear systems.
        engine: the points.
        boundaries: unknowns of each component by name of boundary, for what is reported.
        share: how far points share answers, None for not at all.
    """

    kinematics: Kinematics
    assembler: Assembler
    reduction: Reduction
    forces: np.ndarray
    solver: LinearSolver
    engine: PointEngine
    boundaries: dict[str, list[np.ndarray]] = field(default_factory=dict)
    share: PathShare | None = None


@dataclass(frozen=True)
class Trial:
    """Displacements at a load factor, and what the points say to them.

    Args:
        structure: the structure.
        u: (unknowns,) displacements, m.
        across: (points, outside) strains across the plane of plane stress.
        factor: load factor.
        answers: (points, k) stresses.
        tangents: (points, k, k).
        stats: what the engine said of the evaluation.
    """

    structure: Structure
    u: np.ndarray
    across: np.ndarray
    factor: float
    answers: np.ndarray
    tangents: np.ndarray
    stats: dict[str, float] = field(default_factory=dict)

    @cached_property
    def parts(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Stresses and tangents inside, and the step across; see `assembly.condensed`."""
        return condensed(self.answers, self.tangents, self.structure.kinematics)

    @cached_property
    def imbalance(self) -> np.ndarray:
        """(unknowns,) factor f - sum B^T stress, N; the negative reactions where something is held."""
        return self.factor * self.structure.forces - self.structure.assembler.force(self.parts[0])

    @cached_property
    def reduced(self) -> np.ndarray:
        """(free,) what is out of balance."""
        return self.structure.reduction.transform.T @ self.imbalance

    @cached_property
    def residual(self) -> float:
        """What is out of balance relative to reactions and loads, and stresses across the plane to all."""
        s = self.structure
        own = float(np.linalg.norm(s.assembler.element_forces(self.parts[0])))
        scale = max(
            float(np.linalg.norm(self.imbalance[s.reduction.held])),
            float(np.linalg.norm(self.factor * s.forces)),
            _FLOOR * own,
        )
        rest = float(np.linalg.norm(self.reduced))
        found = rest / scale if scale > 0 else rest
        across, every = self.answers[:, s.kinematics.outside], float(np.linalg.norm(self.answers))
        return max(found, float(np.linalg.norm(across)) / every if every > 0 else 0.0)

    @cached_property
    def stiffness(self) -> csr_matrix:
        """(unknowns, unknowns)."""
        return self.structure.assembler.stiffness(self.parts[1])

    @cached_property
    def reduced_stiffness(self) -> csr_matrix:
        """(free, free) T^T K T."""
        transform = self.structure.reduction.transform
        return (transform.T @ self.stiffness @ transform).tocsr()

    def moved(self, change: np.ndarray) -> np.ndarray:
        """Return what is across the plane after a change of the displacements, to first order."""
        if not len(self.structure.kinematics.outside):
            return self.across
        constant, linear = self.parts[2], self.parts[3]
        strains = self.structure.kinematics.strains(change)
        return self.across + constant + np.matmul(linear, strains[..., None])[..., 0]


@dataclass(frozen=True)
class NewtonSettings:
    """When an increment is in equilibrium, and when it is given up.

    Args:
        rtol: wanted relative residual.
        max_iterations: corrections of an increment.
    """

    rtol: float = 1e-8
    max_iterations: int = 12


Say = Callable[[int, float, float, float, str], None]
"""Takes iteration, factor, residual, length of the correction, outcome."""


def ask(structure: Structure, u: np.ndarray, across: np.ndarray, factor: float, dt: float) -> Trial | None:
    """Ask the points; None where one of them failed or is turned inside out."""
    loads = structure.kinematics.loads(u, across)
    if structure.kinematics.finite and np.linalg.det(loads.reshape(-1, 3, 3)).min() <= 0:
        return None  # an element is turned inside out: no law has an answer to that
    found = structure.engine.evaluate(loads, dt, structure.engine.epoch)
    if found.codes.any() or not np.isfinite(found.answers).all():
        return None
    return Trial(structure, u, across, factor, found.answers, found.tangents, found.stats)


def predict(start: Trial, factor: float) -> tuple[np.ndarray, np.ndarray]:
    """Return displacements and strains across that the last tangent expects at another factor."""
    s, change = start.structure, factor - start.factor
    moved = s.reduction.offset * change
    right = s.reduction.transform.T @ (s.forces * change - start.stiffness @ moved) + start.reduced
    step = s.reduction.transform @ s.solver(start.reduced_stiffness, right) + moved
    return start.u + step, start.moved(step)


def equilibrate(
    start: Trial, factor: float, dt: float, settings: NewtonSettings, say: Say
) -> tuple[Trial | None, int]:
    """Find equilibrium at a factor by Newton's method with a line search.

    Args:
        start: the last equilibrium.
        factor: of the load.
        dt: s, from there to here.
        settings: when to stop.
        say: told of every iteration.

    Returns:
        the equilibrium, None if there was none to be found, and the number of corrections.
    """
    s = start.structure
    u, across = predict(start, factor)
    trial = ask(s, u, across, factor, dt) if np.isfinite(u).all() else None
    length = 1.0
    for iteration in range(settings.max_iterations + 1):
        if trial is None:
            say(iteration, factor, np.nan, length, "a point found no answer")
            return None, iteration
        done = trial.residual <= settings.rtol
        last = iteration == settings.max_iterations
        say(iteration, factor, trial.residual, length, word_of(done, last))
        if done or last:
            return (trial if done else None), iteration
        step = s.reduction.transform @ s.solver(trial.reduced_stiffness, trial.reduced)
        if not np.isfinite(step).all():
            say(iteration, factor, trial.residual, length, "the stiffness is singular")
            return None, iteration
        trial, length = line_search(trial, step, dt)
    return None, settings.max_iterations


def word_of(done: bool, last: bool) -> str:
    """Return the word of the residual table for how an iteration ended."""
    return "converged" if done else "too many iterations" if last else ""


def line_search(trial: Trial, step: np.ndarray, dt: float) -> tuple[Trial | None, float]:
    """Go along a correction as far as the work of what is out of balance along it falls.

    Returns:
        the next trial, None where a point failed at every length, and the length.
    """
    across = trial.moved(step) - trial.across
    before = float(trial.imbalance @ step)
    length, low, high = 1.0, (0.0, before), None
    best: tuple[Trial | None, float] = None, length
    for _ in range(_SEARCHES):
        found = ask(
            trial.structure, trial.u + length * step, trial.across + length * across, trial.factor, dt
        )
        if found is None:
            length *= 0.5
            continue
        best = found, length
        now = float(found.imbalance @ step)
        fallen = float(np.linalg.norm(found.reduced)) < float(np.linalg.norm(trial.reduced))
        if fallen or abs(now) <= _SLACK * abs(before):
            return found, length
        if now * before > 0 and high is None:
            return found, length  # still pulled along: a full step is taken
        low, high = ((length, now), high) if now * before > 0 else (low, (length, now))
        if high is None:
            break
        share = low[1] / (low[1] - high[1]) if low[1] != high[1] else 0.5
        length = low[0] + (high[0] - low[0]) * min(max(share, 0.1), 0.9)
    return best
