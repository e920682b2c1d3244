"""PathCell: a periodic voxel cell that remembers: asked with a strain, it answers with stress and tangent.

    div sigma = 0,   sigma = law(E + sym grad u; what happened before, dt),   u periodic,

on trilinear hexahedra with eight integration points, any law a phase. With finite strain it is asked with
the mean deformation gradient and answers with the mean nominal stress. A trial is always computed from a
committed state and never changes it.
"""

import hashlib
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import jax
import numpy as np

from scalebridge.cells.path_elastic import LazyAnswer, elastic_answer
from scalebridge.cells.path_equilibrium import Equilibrium, equilibrate
from scalebridge.cells.path_medium import PathMedium
from scalebridge.cells.path_points import States
from scalebridge.cells.path_settings import PathSettings
from scalebridge.cells.path_tangent import Sensitivity, consistent_tangent, corrected_mean
from scalebridge.core import precision as _precision  # noqa: F401
from scalebridge.core.errors import InputError
from scalebridge.core.results import Outcome
from scalebridge.core.vectors import dot
from scalebridge.laws.path_law import PathLaw

CellState = dict[str, np.ndarray]
"""Committed state of a cell: "u", "load", and the internal variables as "phase0/plastic strain"."""
Hint = dict[str, np.ndarray]
"""What makes the next solve cheaper: "X" at the last tangent, and the "u" and "load" that it belongs to."""


@dataclass(frozen=True)
class PathAnswer:
    """What a cell answers to a load.

    Args:
        answer: mean stress (6,), Mandel, Pa, or mean nominal stress (9,), row by row.
        tangent: its derivative by the load; None if it was not wanted or no equilibrium was found.
        state: the trial's state, to be committed or dropped.
        hint: for the next call.
        outcome: how the solve ended; anything but `converged` is an answer that must not be used.
        stats: residuals, numbers of Krylov steps and of evaluations, sub-steps; "Hill-Mandel gap", the mean
            of stress times strain less the product of what is handed up, and "Hill-Mandel size", J/m^3.
    """

    answer: np.ndarray
    tangent: np.ndarray | None
    state: CellState
    hint: Hint
    outcome: Outcome
    stats: dict[str, Any] = field(default_factory=dict)


class PathCell:
    """A periodic voxel cell with any law a phase.

    Args:
        index: (x, y, z) whole numbers, the number of each voxel's phase.
        laws: the phases' laws, all of small strain or all of finite strain.
        spacing: length of a voxel's edges, m.
        settings: how it is solved.
        notes: what a reader of its answers has to know.

    Raises:
        InputError: an image that is none, a phase without a law, laws of both kinds of strain, or a spacing
            that is none.

    Limits: periodic; displacements of a trilinear element in each voxel, which lock where a phase is nearly
        incompressible in all of its neighbourhood. After sub-steps the tangent is that of the last of them.

    Cost: 8 numbers a point are stored of compact tangents, 21 (45) of symmetric ones, 36 (81) of others,
        while a solve runs; internal variables and the fluctuation between two solves.

    Example:
        >>> from scalebridge.laws.plastic import J2Plasticity
        >>> from scalebridge.laws.hardening import LinearHardening
        >>> matrix = J2Plasticity(4.0, 3.0, LinearHardening(0.03, 1.0))
        >>> cell = PathCell(np.zeros((2, 2, 2), int), [matrix], (1.0, 1.0, 1.0))
        >>> shear = np.array([0, 0, 0, 0, 0, 0.2])
        >>> found = cell.respond(shear, cell.rest())
        >>> alone = matrix.respond(shear, matrix.rest(), 0.0)[0]
        >>> bool(np.allclose(found.answer, alone)), found.outcome.name
        (True, 'converged')
    """

    def __init__(
        self,
        index: np.ndarray,
        laws: Sequence[PathLaw],
        spacing: Sequence[float],
        settings: PathSettings | None = None,
        notes: Sequence[str] = (),
    ):
        _refuse(index, laws, spacing)
        self.index = np.ascontiguousarray(index)
        self.laws, self.spacing = tuple(laws), tuple(float(edge) for edge in spacing)
        self.settings = PathSettings() if settings is None else settings
        self.notes = tuple(notes)
        self.edge = math.prod(self.spacing) ** (1 / 3)
        """Length that displacements are measured with inside, m: the answer does not depend on it."""
        relative = [edge / self.edge for edge in self.spacing]
        self.medium = PathMedium(self.index, self.laws, relative, self.edge)
        self.finite = self.medium.finite
        self._lazy: LazyAnswer | None = None

    def rest(self) -> CellState:
        """Return the state before any load."""
        load = np.eye(3).ravel() if self.finite else np.zeros(6)
        return self._state(np.zeros(self.medium.nodes), load, self.medium.laws.rest())

    def respond(
        self,
        load: np.ndarray,
        state: CellState,
        dt: float = 0.0,
        *,
        hint: Hint | None = None,
        want_tangent: bool = True,
    ) -> PathAnswer:
        """Answer a load at the end of a step that begins at a committed state.

        Args:
            load: mean strain (6,), Mandel, or mean deformation gradient (3, 3) or (9,), row by row.
            state: committed state, which is not changed.
            dt: time of the step, s.
            hint: of an earlier answer, or None; it makes the solve cheaper and does not change the answer
                beyond the tolerance.
            want_tangent: whether the consistent tangent is wanted.
        """
        load, before = np.asarray(load, float).ravel(), state["load"]
        stats: dict[str, Any] = {"residuals": [], "krylov": 0, "trials": 0, "substeps": 0}
        states, done, width = self.internal(state), 0.0, 1.0
        u, smallest = state["u"] / self.edge, 0.5**self.settings.max_cuts
        starts = [u, *self._predicted(load, hint)]
        while True:
            part = min(width, 1.0 - done)
            goal = load if done + part >= 1.0 else before + (done + part) * (load - before)
            found = equilibrate(self.medium, goal, states, part * dt, starts, self.settings)
            _count(stats, found)
            if found.outcome is not Outcome.converged:
                width = 0.5 * part
                if width < smallest:
                    return self._failed(state, found, stats)
                starts = [u]
                continue
            if done + part >= 1.0:
                return self._finish(goal, states, part * dt, found, hint, want_tangent, stats)
            states = self._advanced(found, states, part * dt)
            u, done = found.u, done + part
            starts = [u]

    def elastic(self) -> LazyAnswer | None:
        """Return the linear elastic answer, and where it ends; None with finite strain."""
        if self.finite:
            return None
        if self._lazy is None:
            self._lazy = elastic_answer(self.medium, self.settings)
        return self._lazy

    def signature(self) -> str:
        """Return a hash of image, spacing, laws and their parameters, and settings."""
        found = hashlib.sha256()
        found.update(repr((self.index.shape, self.spacing, self.settings)).encode())
        found.update(np.ascontiguousarray(self.index, np.int64).tobytes())
        for law in self.laws:
            leaves, tree = jax.tree_util.tree_flatten(law)
            found.update(str(tree).encode())
            for leaf in leaves:
                found.update(np.asarray(leaf, float).tobytes())
        return found.hexdigest()

    def _predicted(self, load: np.ndarray, hint: Hint | None) -> list[np.ndarray]:
        if not hint:
            return []
        return [hint["u"] + np.tensordot(load - hint["load"], hint["X"], 1)]

    def _advanced(self, found: Equilibrium, states: States, dt: float) -> States:
        room = found.balance.stress
        return self.medium.laws.respond(found.balance.strains, states, dt, room, advance=True)

    def _finish(
        self,
        load: np.ndarray,
        states: States,
        dt: float,
        found: Equilibrium,
        hint: Hint | None,
        want_tangent: bool,
        stats: dict[str, Any],
    ) -> PathAnswer:
        answer, tangent, outcome = found.balance.mean, None, Outcome.converged
        if want_tangent:
            began = time.perf_counter()
            stored = self.medium.laws.tangent(found.balance.strains, states, dt)
            known = hint or {}
            moved = consistent_tangent(self.medium, stored, known.get("X"), known.get("Y"), self.settings)
            answer = corrected_mean(self.medium, answer, found.balance.forces, moved.adjoint)
            tangent, outcome, hint = moved.tangent, moved.outcome, self._hint(found.u, load, moved)
            stats |= {"tangent krylov": moved.steps, "misfit": moved.misfit}
            stats["tangent seconds"] = time.perf_counter() - began
        stats |= self._passed(answer, load, found)
        new = self._state(found.u, load, self._advanced(found, states, dt))
        return PathAnswer(answer, tangent, new, hint or {}, outcome, stats)

    def _passed(self, answer: np.ndarray, load: np.ndarray, found: Equilibrium) -> dict[str, float]:
        """Return by how much the mean of stress times strain is off the product of means, and their size.

        The local fields' share beyond the means is the product of what forces are left with the fluctuation.
        A cell that carries nothing has a size all the same.
        """
        beyond = dot(found.balance.forces, found.u) / self.medium.voxels
        strain = load - np.eye(3).ravel() if self.finite else load
        return {
            "Hill-Mandel gap": abs(beyond + float((found.balance.mean - answer) @ load)),
            "Hill-Mandel size": max(
                float(np.linalg.norm(answer) * np.linalg.norm(strain)), self.medium.least_energy(load)
            ),
        }

    def _hint(self, u: np.ndarray, load: np.ndarray, moved: Sensitivity) -> Hint:
        found = {"X": moved.fields, "u": u, "load": load}
        return found if self.medium.symmetric else {**found, "Y": moved.adjoint}

    def _failed(self, state: CellState, found: Equilibrium, stats: dict[str, Any]) -> PathAnswer:
        nothing = np.full(9 if self.finite else 6, np.nan)
        return PathAnswer(nothing, None, state, {}, found.outcome, stats)

    def _state(self, u: np.ndarray, load: np.ndarray, states: States) -> CellState:
        found = {"u": u * self.edge, "load": np.array(load, float)}
        for phase, variables in enumerate(states):
            found |= {f"phase{phase}/{name}": value for name, value in variables.items()}
        return found

    def internal(self, state: CellState) -> States:
        """Return the internal variables of a state, phase by phase."""
        found: States = [{} for _ in self.laws]
        for name, value in state.items():
            if name.startswith("phase"):
                phase, variable = name.split("/", 1)
                found[int(phase.removeprefix("phase"))][variable] = value
        return found


def _refuse(index: np.ndarray, laws: Sequence[PathLaw], spacing: Sequence[float]) -> None:
    index = np.asarray(index)
    if index.ndim != 3 or index.size == 0 or not np.issubdtype(index.dtype, np.integer):
        got = f"an array of shape {index.shape} of {index.dtype}"
        raise InputError(
            "index", got=got, wanted="whole numbers (x, y, z)", cure="pass the phase of every voxel"
        )
    if index.min() < 0 or index.max() >= len(laws):
        got = f"phases {index.min()} to {index.max()} and {len(laws)} laws"
        raise InputError("laws", got=got, wanted="a law for every phase, from 0", cure="pass one law a phase")
    if len({law.finite for law in laws}) > 1:
        got = "laws of small and of finite strain"
        raise InputError("laws", got=got, wanted="all of one kind", cure="choose one kind of strain")
    if len(spacing) != 3 or not all(math.isfinite(edge) and edge > 0 for edge in spacing):
        raise InputError(
            "spacing", got=repr(spacing), wanted="three lengths above 0, m", cure="pass (1e-6,) * 3"
        )


def _count(stats: dict[str, Any], found: Equilibrium) -> None:
    stats["residuals"].append(found.residuals)
    stats["krylov"] += found.krylov
    stats["trials"] += found.trials
    stats["substeps"] += 1
