"""The ways to solve a coarse core: finite volumes, the nodal expansion, simplified P3."""

from collections.abc import Callable

import numpy as np

from scalebridge.core.results import Outcome
from scalebridge.reactor.core_problem import CoreMethod, CoreProblem, CoreSolution
from scalebridge.reactor.diffusion_faces import Couplings, conductances, couple, currents
from scalebridge.reactor.diffusion_system import CoreSystem, diffusion_system
from scalebridge.reactor.nodal_expansion import nodal_couplings
from scalebridge.reactor.simplified_p3 import p3_currents, p3_system
from scalebridge.solvers.dominant_mode import DominantMode, dominant_mode

_LOOSE = 1e-4  # residual of an outer iteration, relative to the last change of k, that is enough


def solve_volumes(problem: CoreProblem, rtol: float, max_outer: int = 0) -> CoreSolution:
    """Return the fundamental mode of finite volumes with diffusion; there are no outer iterations."""
    del max_outer
    local = problem.local
    half = conductances(problem.mesh, local.diffusion)
    found = couple(half, problem.factor, problem.gamma)
    system = diffusion_system(problem.mesh, local, found, problem.buckling)
    mode = dominant_mode(system.generation, _start(problem), rtol=rtol)
    return _solution(problem, system, mode, found, [(mode.value, mode.residual)], mode.applications)


def solve_nodal(problem: CoreProblem, rtol: float, max_outer: int = 60) -> CoreSolution:
    """Return the fundamental mode of the nodal expansion, by finite volumes with corrected couplings."""
    local, mesh = problem.local, problem.mesh
    found = couple(conductances(mesh, local.diffusion), problem.factor, problem.gamma)
    guess, history, applied, change = _start(problem), [], 0, 1.0
    outcome = Outcome.step_limit
    while True:
        system = diffusion_system(mesh, local, found, problem.buckling)
        mode = dominant_mode(system.generation, guess, rtol=max(rtol, min(1e-6, _LOOSE * change)))
        applied += mode.applications
        guess = mode.vector
        flux = system.solve(system.source(guess)).T
        history.append((mode.value, mode.residual))
        new = nodal_couplings(
            mesh, local, found, problem.factor, problem.gamma, flux, mode.value, buckling=problem.buckling
        )
        change = _change(problem, found, new, flux)
        if change <= rtol or len(history) >= max_outer or not np.isfinite(change):
            outcome = Outcome.converged if change <= rtol else Outcome.step_limit
            break
        found = new
    return _solution(problem, system, mode, found, history, applied, outcome)


def solve_p3(problem: CoreProblem, rtol: float, max_outer: int = 0) -> CoreSolution:
    """Return the fundamental mode of simplified P3 on finite volumes."""
    del max_outer
    system = p3_system(problem)
    mode = dominant_mode(system.generation, _start(problem), rtol=rtol)
    both = system.solve(system.source(mode.vector))
    first, second = np.split(both, 2, axis=1)
    current = p3_currents(problem, first.T, second.T)
    empty = Couplings(*(np.zeros_like(part) for part in (current[0], current[0], current[1])))
    return CoreSolution(
        mode.value, (first - 2 * second).T, empty, current, system,
        ((mode.value, mode.residual),), mode.applications, mode.outcome,
    )  # fmt: skip


METHODS: dict[CoreMethod, Callable[..., CoreSolution]] = {
    "nodal": solve_nodal,
    "volumes": solve_volumes,
    "sp3": solve_p3,
}
"""What solves a coarse core, by name."""


def adjoint_flux(solution: CoreSolution, rtol: float) -> tuple[float, np.ndarray]:
    """Return k and the (cells, G) adjoint flux of the equations that a solution was found with."""
    system = solution.system
    cells = system.spread[0].shape[1]
    mode = dominant_mode(system.adjoint_generation, np.ones(cells), rtol=rtol)
    found = system.solve_adjoint(system.adjoint_source(mode.vector)) / mode.value
    return mode.value, found.T


def _start(problem: CoreProblem) -> np.ndarray:
    produces = problem.constants.nu_fission.sum(axis=1)[problem.regions] > 0
    return np.where(produces, problem.mesh.volumes, 0.0)


def _change(problem: CoreProblem, old: Couplings, new: Couplings, flux: np.ndarray) -> float:
    """Return how far currents still move, relative to what flows through faces in one direction."""
    before, after = (currents(problem.mesh, found, flux) for found in (old, new))
    one_way = max(
        float((old.lower * flux[problem.mesh.lower]).max(initial=0.0)), float(before[1].max(initial=0.0))
    )
    moved = max(float(np.abs(a - b).max(initial=0.0)) for a, b in zip(after, before, strict=True))
    return moved / one_way if one_way else 0.0


def _solution(
    problem: CoreProblem,
    system: CoreSystem,
    mode: DominantMode,
    found: Couplings,
    history: list[tuple[float, float]],
    applications: int,
    outcome: Outcome = Outcome.converged,
) -> CoreSolution:
    flux = system.solve(system.source(mode.vector)).T
    return CoreSolution(
        mode.value, flux, found, currents(problem.mesh, found, flux), system,
        tuple(history), applications, max(outcome, mode.outcome),
    )  # fmt: skip
