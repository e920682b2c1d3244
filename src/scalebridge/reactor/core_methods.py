"""The ways to solve a coarse core: finite volumes, the nodal expansion, simplified P3."""

from collections.abc import Callable

import numpy as np

from scalebridge.core.results import Outcome
from scalebridge.reactor.core_problem import CoreMethod, CoreProblem, CoreSolution
from scalebridge.reactor.diffusion_faces import Couplings, conductances, couple, currents
from scalebridge.reactor.diffusion_system import CoreSystem, diffusion_system
from scalebridge.reactor.nodal_expansion import nodal_couplings
from scalebridge.reactor.simplified_p3 import p3_currents, p3_system
from scalebridge.solvers.anderson import accelerated_fixed_point
from scalebridge.solvers.dominant_mode import DominantMode, dominant_mode

_INNER = 0.1  # residual of an outer iteration, by what is asked of the last
_DEPTH = 5  # outer iterations that are combined


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
    """Return the fundamental mode of the nodal expansion, by finite volumes with corrected couplings.

    The corrections are a fixed point, which Anderson's method finds in about half as many outer iterations.
    """
    local, mesh = problem.local, problem.mesh
    plain = couple(conductances(mesh, local.diffusion), problem.factor, problem.gamma)
    unit = max(float(part.max(initial=0.0)) for part in (plain.lower, plain.upper, plain.rim)) or 1.0
    guess, history, applied = _start(problem), [], 0

    def solved(found: Couplings, wanted: float) -> tuple[CoreSystem, DominantMode]:
        nonlocal guess, applied
        system = diffusion_system(mesh, local, found, problem.buckling)
        mode = dominant_mode(system.generation, guess, rtol=wanted)
        guess, applied = mode.vector, applied + mode.applications
        history.append((mode.value, mode.residual))
        return system, mode

    def step(corrections: np.ndarray) -> np.ndarray:
        found = _corrected(plain, unit * corrections)
        system, mode = solved(found, _INNER * rtol)
        flux = system.solve(system.source(guess)).T
        new = nodal_couplings(
            mesh, local, found, problem.factor, problem.gamma, flux, mode.value, buckling=problem.buckling
        )
        shifts = (new.lower - plain.lower, new.rim - plain.rim)
        return np.concatenate([part.ravel() for part in shifts]) / unit

    start = np.zeros(plain.lower.size + plain.rim.size)
    end = accelerated_fixed_point(step, start, atol=rtol, max_steps=max_outer, depth=_DEPTH)
    found = _corrected(plain, unit * end.value)
    system, mode = solved(found, rtol)
    return _solution(problem, system, mode, found, history, applied, end.outcome)


def _corrected(plain: Couplings, corrections: np.ndarray) -> Couplings:
    """Return the couplings of finite volumes with the corrections of the nodal expansion."""
    inner = corrections[: plain.lower.size].reshape(plain.lower.shape)
    outer = corrections[plain.lower.size :].reshape(plain.rim.shape)
    return Couplings(plain.lower + inner, plain.upper - inner, plain.rim + outer)


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
    """Return k and the (unknowns, G) adjoint of the equations that a solution was found with."""
    system = solution.system
    cells = system.spread[0].shape[1]
    mode = dominant_mode(system.adjoint_generation, np.ones(cells), rtol=rtol)
    found = system.solve_adjoint(system.adjoint_source(mode.vector)) / mode.value
    return mode.value, found.T


def _start(problem: CoreProblem) -> np.ndarray:
    produces = problem.constants.nu_fission.sum(axis=1)[problem.regions] > 0
    return np.where(produces, problem.mesh.volumes, 0.0)


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
