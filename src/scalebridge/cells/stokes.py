"""The Stokes cell: how fast a viscous fluid flows through pores under a mean force.

For a unit mean force e_i and unit viscosity:  -div 2 D(w_i) + grad pi_i = e_i  and  div w_i = 0  in the
pores, w_i = 0 (or Navier's slip) on their walls. Darcy's law is  <u> = -K/mu grad P
with  K_ij = <w_i . e_j>, the mean over pores and solid; <2 D(w_i) : D(w_j)> with the power lost by slip is
the same number. The derivation by two scales: Sanchez-Palencia, Non-Homogeneous Media and Vibration Theory
(1980), ch. 7.
"""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np

from scalebridge.core import precision as _precision  # noqa: F401
from scalebridge.core.model import HostLinearModel, Outlook, Response
from scalebridge.core.spec import Spec
from scalebridge.grids.staggered import StaggeredSystem
from scalebridge.solvers.saddle_minres import SaddleWork, Stop, begin_minres, run_minres
from scalebridge.solvers.saddle_point import SaddleOperator, SaddlePreconditioner
from scalebridge.upscaling.tangent import Tangent, Watch

_STEPS = 3  # between two looks at where a solve stands

Fields = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Velocities, pressures and mean force of a load case."""


class StokesCell(HostLinearModel):
    """A cell of pores through which a fluid of unit viscosity flows; asked with mean forces.

    Args:
        dim: number of space dimensions.
        system: gives the discrete system, for the axis of the load where `shared` is false.
        stop: when the solver ends.
        shared: whether one system serves the loads along all axes, as in a periodic cell. Otherwise each
            axis has its own: it is asked along one axis at a time, answers along it alone, and nothing is
            left between two of them.
        unit: square of the length that the systems' lengths are measured in.
    """

    def __init__(
        self,
        dim: int,
        system: Callable[[int], StaggeredSystem],
        stop: Stop,
        *,
        shared: bool = True,
        unit: float = 1.0,
    ):
        self.dim, self.stop, self.shared, self.unit = dim, stop, shared, unit
        self._system = system
        self._ready: tuple[int | None, StaggeredSystem, SaddleOperator] | None = None
        self._preconditioner: SaddlePreconditioner | None = None

    @property
    def asks(self) -> Spec:
        return Spec("mean force", "1", (self.dim,))

    @property
    def answers(self) -> Spec:
        return Spec("mean velocity", "m^2", (self.dim,))

    def system(self, key: int | None) -> StaggeredSystem:
        """Return the system that all loads share (None), or that of the loads along an axis."""
        return self._prepared(key)[1]

    def begin(self, load: np.ndarray) -> SaddleWork:
        """Return the work of a load, or of several at once, shape (cases, dim)."""
        loads = np.atleast_2d(np.asarray(load, float))
        key = self._key(loads)
        _, system, operator = self._prepared(key)
        block = np.zeros((operator.size, len(loads)))
        block[: operator.unknowns] = (loads @ system.loads).T
        return begin_minres(operator, self._preconditioned(system), block, operator.unknowns)

    def advance(self, work: SaddleWork, steps: int) -> SaddleWork:
        return run_minres(work, self.stop, steps)

    def outlook(self, work: SaddleWork) -> Outlook:
        error = float(np.max(work.looks[-1].error)) if work.looks else np.inf
        return Outlook(work.code >= 0, work.steps, error, self.stop.rtol)

    def finish(self, load: np.ndarray, work: SaddleWork) -> Response:
        return self.responses(np.atleast_2d(np.asarray(load, float)), work)[0]

    def responses(self, loads: np.ndarray, work: SaddleWork) -> list[Response]:
        """Turn the work of several loads into their responses."""
        key, cut = self._key(loads), work.unknowns
        system = self.system(key)
        mass, found = _masses(system), []
        for case, load in enumerate(loads):
            x, p = np.ascontiguousarray(work.x[:cut, case]), np.ascontiguousarray(work.x[cut:, case])
            answer = system.loads @ x / system.volume * self.unit
            if key is not None:
                answer = np.where(np.arange(self.dim) == key, answer, 0.0)
            stats = _histories(work, case)
            outflow = float(np.sqrt(np.sum((system.divergence @ x) ** 2 / mass)))
            stats["outflow"] = outflow / float(work.scale[case]) if work.scale[case] > 0 else 0.0
            found.append(Response(jnp.asarray(answer), (), (x, p, load), jnp.asarray(work.code), stats))
        return found

    def energies(self, fields: list[Fields]) -> np.ndarray:
        """Return K in its stationary form, b_i.x_j + b_j.x_i - z_i.M z_j, symmetric and of second order."""
        return self._forms(fields)[0]

    def dissipations(self, fields: list[Fields]) -> np.ndarray:
        """Return the other form of K, the power that viscosity and walls take: x_i.A x_j."""
        return self._forms(fields)[1]

    def slopes(self, first: Fields, second: Fields) -> np.ndarray:
        """Return the derivative of two cases' energy by the slip length, in the systems' unit of length."""
        key = self._key(first[2])
        system = self.system(key)
        if key != self._key(second[2]) or system.slip_slope is None:
            return np.zeros(())
        return np.asarray(first[0] @ (system.slip_slope @ second[0]) / system.volume * self.unit)

    def _forms(self, fields: list[Fields]) -> tuple[np.ndarray, np.ndarray]:
        """Return the stationary form and the dissipation of all pairs."""
        keys = [self._key(load) for _, _, load in fields]
        stationary, dissipated = np.zeros((2, len(fields), len(fields)))
        for key in dict.fromkeys(keys):
            cases = [case for case, other in enumerate(keys) if other == key]
            found = self._forms_of(key, [fields[case] for case in cases])
            stationary[np.ix_(cases, cases)], dissipated[np.ix_(cases, cases)] = found
        return stationary, dissipated

    def _forms_of(self, key: int | None, fields: list[Fields]) -> tuple[np.ndarray, np.ndarray]:
        _, system, operator = self._prepared(key)
        z = np.stack([np.concatenate([x, p]) for x, p, _ in fields], axis=1)
        room, n = np.empty_like(z), operator.unknowns
        operator.product(z, room)
        powers = np.stack([load for _, _, load in fields]) @ (system.loads @ z[:n])
        upper, lower = z[:n].T @ room[:n], z[n:].T @ room[n:]
        factor = self.unit / system.volume
        return (powers + powers.T - upper - lower) * factor, (upper - lower) * factor

    def _key(self, loads: np.ndarray) -> int | None:
        if self.shared:
            return None
        axes = np.flatnonzero(np.any(np.atleast_2d(loads) != 0.0, axis=0))
        return int(axes[0]) if axes.size else 0

    def _prepared(self, key: int | None) -> tuple[int | None, StaggeredSystem, SaddleOperator]:
        if self._ready is None or self._ready[0] != key:
            self._ready = self._preconditioner = None  # one system at a time, for memory
            system = self._system(key or 0)
            self._ready = key, system, SaddleOperator(system.viscous, system.divergence)
        return self._ready

    def _preconditioned(self, system: StaggeredSystem) -> SaddlePreconditioner:
        if self._preconditioner is None:
            self._preconditioner = SaddlePreconditioner(
                system.viscous, system.divergence, system.parts, _masses(system), system.loads.sum(axis=0)
            )
        return self._preconditioner


def solve_together(model: StokesCell, axes: list[int], watch: Watch | None = None) -> list[Response | None]:
    """Solve the unit loads along some axes, those that share a system at once; None for the other axes."""
    found: list[Response | None] = [None] * model.dim
    for group in [axes] if model.shared else [[axis] for axis in axes]:
        loads = np.eye(model.dim)[group]
        work = model.begin(loads)
        while not (now := model.outlook(work)).done:
            if watch is not None:
                watch(group[0], now.steps, now.error, now.wanted)
            work = model.advance(work, _STEPS)
        for axis, response in zip(group, model.responses(loads, work), strict=True):
            found[axis] = response
    return found


def flow_tangent(model: StokesCell, axes: list[int], watch: Watch | None = None) -> Tangent:
    """Solve the loads along some axes, and put the tensor together; it is zero along the others."""
    responses = solve_together(model, axes, watch)
    value, answers = np.zeros((model.dim, model.dim)), np.zeros((model.dim, model.dim))
    asked = [r for r in responses if r is not None]
    value[np.ix_(axes, axes)] = model.energies([r.fields for r in asked])
    answers[:, axes] = np.stack([np.asarray(r.answer) for r in asked], axis=1)
    return Tangent(jnp.asarray(value), jnp.asarray(answers), tuple(responses))


def _masses(system: StaggeredSystem) -> np.ndarray:
    """Return the volume that each pressure stands for: the largest of its faces'."""
    volumes = system.loads.sum(axis=0)[system.divergence.indices]
    return np.maximum.reduceat(volumes, system.divergence.indptr[:-1])


def _histories(work: SaddleWork, case: int) -> dict[str, Any]:
    """Return residual and error after every step: between two looks, what the last one saw."""
    stop = int(work.stops[case]) if work.stops[case] > 0 else work.steps
    errors, residuals = np.full(stop + 1, np.inf), np.ones(stop + 1)
    for look in work.looks:
        if look.steps <= stop:
            errors[look.steps :], residuals[look.steps :] = look.error[case], look.norm[case]
    return {"steps": stop, "errors": errors, "residuals": residuals}
