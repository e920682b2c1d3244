"""The plain question: what is the multiplication of a core of homogenised regions, and where is its power?

-div D_g grad phi_g + removal_g phi_g = sum_h scatter_hg phi_h + chi_g sum_h nu_fission_h phi_h / k
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, get_args

import numpy as np

from scalebridge.core.errors import InputError, SolverError
from scalebridge.core.provenance import Provenance, Stopwatch, installed_versions, this_machine
from scalebridge.core.results import Outcome, require_converged
from scalebridge.reactor.core_checks import core_checks
from scalebridge.reactor.core_derivatives import k_derivatives
from scalebridge.reactor.core_inputs import CoreInput, on_mesh, read_core
from scalebridge.reactor.core_methods import METHODS, adjoint_flux
from scalebridge.reactor.core_problem import CoreMethod, CoreProblem, CoreSolution
from scalebridge.reactor.core_study import CoreStudy, node_means
from scalebridge.reactor.nodal_adjoint import nodal_adjoint, nodal_derivatives
from scalebridge.reactor.simplified_p3_adjoint import p3_adjoint, p3_derivatives

_FINER, _COARSER = 4 / 3, 1.0  # of the difference to volumes half, or twice as large


def solve_core(
    core: Any,
    materials: Mapping[str, Any],
    *,
    pitch: Any,
    boundary: Any,
    method: CoreMethod = "nodal",
    largest_cell: str | float | None = None,
    buckling: str | float = 0.0,
    factors: Any = None,
    mesh_error: bool = True,
    derivatives: bool = True,
    rtol: float = 1e-9,
    max_steps: int = 60,
    throw: bool = True,
) -> CoreStudy:
    """Solve a core of homogenised regions for its multiplication, fluxes and power, by multigroup diffusion.

    -div D_g grad phi_g + removal_g phi_g = scattering in + chi_g sum_h nu_fission_h phi_h / k, with
    f phi continuous across faces between nodes where there are discontinuity factors f.

    Args:
        core: map of nodes: a row, rows or layers of names of `materials`, the northern row and the lowest
            layer first; "" or "." where there is nothing.
        materials: by name `core_constants`, a multigroup material (D = 1 / (3 total)), or a table with
            diffusion, absorption, nu_fission, chi, scatter [from, to], and fission and total if they are
            known. 1/cm and cm; group 0 is the fastest.
        pitch: edge of the nodes: a length for all, or for each of x, y, z a length or a width for each node.
            Numbers in cm, or text.
        boundary: "vacuum" (Marshak), "zero flux", "reflective", "periodic", or an albedo from 0 to 1 (one, or
            by group): one for all sides, or by side (west, east, south, north, bottom, top, others). Empty
            nodes are beyond the side that faces them.
        method: "nodal" (nodal expansion, for nodes as large as assemblies), "volumes" (finite volumes of
            second order), or "sp3" (simplified P3 on finite volumes).
        largest_cell: nodes are cut until no edge is longer; they are not cut unless given.
        buckling: of the direction that the map does not have, 1/cm^2, or text.
        factors: discontinuity factors on the sides of nodes: by region name (G,) or (2 dim, G), or an array
            (map..., 2 dim, G); sides west, east, south, north, bottom, top.
        mesh_error: whether to solve on a second mesh for the error of k by the mesh.
        derivatives: whether to give dk by every constant, with the adjoint flux.
        rtol: wanted relative residual, and of "nodal" how far currents still move.
        max_steps: outer iterations of "nodal".
        throw: whether to raise when the method does not converge.

    Returns:
        a `CoreStudy`.

    Raises:
        InputError: something in the input cannot be right; nothing long has run yet.
        UnitError: text without a unit, or with one of another kind.
        SolverError: the method did not converge, and `throw` is true.

    Limits: isotropic scattering; nodes are boxes; no feedback, no rod cusping, no time. Diffusion fails
        within a mean free path of strong absorbers and vacua, unless factors from transport correct it.
    Cost: some forty applications of a sparse factorisation; 60,000 volumes in two groups take some 2 s and
        300 MB. "nodal" makes some ten of them on far fewer nodes.
    Source: H. Finnemann et al., Atomkernenergie 30 (1977) 123 (nodal expansion); K. S. Smith, Prog. Nucl.
        Energy 17 (1986) 303 (discontinuity factors).

    Example:
        >>> fuel = {"diffusion": [1.4, 0.4], "absorption": [0.01, 0.08], "nu_fission": [0, 0.135],
        ...     "chi": [1, 0], "scatter": [[0, 0.02], [0, 0]]}
        >>> found = solve_core([["fuel"] * 2] * 2, {"fuel": fuel}, pitch=20, boundary="reflective")
        >>> print(f"{found.k:.5f}", found.passed)  # 0.02 / 0.03 x 0.135 / 0.08
        1.12500 True
    """
    watch = Stopwatch()
    _refuse(method, factors, rtol, max_steps)
    asked = {"pitch": pitch, "boundary": boundary, "largest_cell": largest_cell, "buckling": buckling}
    given = read_core(core, materials, factors=factors, **asked)
    problem = on_mesh(given)
    watch.lap("reading")
    solution = METHODS[method](problem, rtol, max_steps)
    watch.lap("solving")
    error = _mesh_error(given, method, solution.k, rtol, max_steps) if mesh_error else None
    watch.lap("second mesh")
    study = _study(given, problem, solution, method, derivatives, rtol)
    watch.lap("adjoint")
    settings = {**asked, "method": method, "rtol": rtol, "max_steps": max_steps}
    study = replace(
        study,
        mesh_error=error,
        inputs={"regions": list(problem.constants.names), "groups": problem.constants.groups},
        provenance=Provenance(
            {"core": np.array(core, dtype=object).tolist()},
            {
                key: value if isinstance(value, str | int | float | None) else repr(value)
                for key, value in settings.items()
            },
            installed_versions(),
            this_machine(),
            watch.started,
            watch.elapsed,
        ),
    )
    if throw:
        _require(study)
    return study


def _study(
    given: CoreInput,
    problem: CoreProblem,
    solution: CoreSolution,
    method: CoreMethod,
    derivatives: bool,
    rtol: float,
) -> CoreStudy:
    volumes, local, shape = problem.mesh.volumes, problem.local, given.nodes.shape
    density = (local.fission * solution.flux).sum(axis=1)
    fuelled = density > 0
    mean = float((density * volumes)[fuelled].sum() / volumes[fuelled].sum())
    solution = replace(
        solution, flux=solution.flux / mean, current=tuple(part / mean for part in solution.current)
    )
    reverse, adjoint, slopes = None, None, {}
    converged = solution.outcome is Outcome.converged
    if derivatives and converged:
        reverse, adjoint, slopes = _reversed(problem, solution, method, rtol)
        adjoint = adjoint / np.abs(adjoint).max()
    return CoreStudy(
        k=solution.k,
        mesh_error=None,
        power=node_means(problem, density / mean, shape),
        flux=node_means(problem, solution.flux, shape),
        adjoint=None if adjoint is None else node_means(problem, adjoint, shape),
        names=problem.constants.names,
        derivatives=slopes,
        method=method,
        history=solution.history,
        checks=core_checks(problem, solution, rtol, reverse, slopes),
        outcome=solution.outcome,
        problem=problem,
        solution=solution,
        given=given,
        stats={
            "volumes": problem.mesh.cells,
            "generations": solution.applications,
            "outer iterations": len(solution.history),
        },
    )


def _reversed(
    problem: CoreProblem, solution: CoreSolution, method: CoreMethod, rtol: float
) -> tuple[float, np.ndarray, dict[str, np.ndarray]]:
    """Return k and flux of the adjoint problem, and dk by every constant."""
    if method == "nodal":
        found = nodal_adjoint(problem, solution)
        return found.k, found.flux(problem), nodal_derivatives(problem, solution, found)
    if method == "sp3":
        pair = p3_adjoint(solution, rtol)
        return pair.k, pair.flux, p3_derivatives(problem, solution, pair)
    k, adjoint = adjoint_flux(solution, rtol)
    return k, adjoint, k_derivatives(problem, solution, adjoint)


def _mesh_error(given: CoreInput, method: CoreMethod, k: float, rtol: float, max_steps: int) -> float | None:
    """Return the error of k by the mesh: from volumes twice as large where nodes are cut, else half as large.

    For a method of second order it is four thirds of the difference to a finer mesh, and a third of that to a
    coarser one; there the whole difference is taken, because corners of reflectors spoil the order.
    """
    cut = any((row > 1).any() for row in given.counts)
    counts = [-(-row // 2) if cut else 2 * row for row in given.counts]
    other = METHODS[method](on_mesh(given, counts), rtol, max_steps)
    return abs(other.k - k) * (_COARSER if cut else _FINER) if other.outcome is Outcome.converged else None


def _require(study: CoreStudy) -> None:
    """Raise SolverError with a cure, unless the method converged."""
    if study.method == "nodal" and study.outcome is not Outcome.converged:
        raise SolverError(
            f"solve_core: after {len(study.history)} outer iterations the currents of the nodal expansion "
            "still moved, as happens where nodes are many diffusion lengths wide and much leaks; cut them by "
            "largest_cell, raise max_steps, or use method='volumes'"
        )
    require_converged(study.outcome, "solve_core")


def _refuse(method: Any, factors: Any, rtol: Any, max_steps: Any) -> None:
    if method not in get_args(CoreMethod):
        raise InputError(
            "method",
            got=repr(method),
            wanted=", ".join(map(repr, get_args(CoreMethod))),
            cure="choose one of them",
        )
    if method == "sp3" and factors is not None:
        raise InputError(
            "factors",
            got="factors for SP3",
            wanted="none, because they are defined for diffusion",
            cure="use method='volumes' or 'nodal'",
        )
    if isinstance(rtol, bool) or not isinstance(rtol, int | float) or not 1e-14 < rtol < 1e-2:
        raise InputError("rtol", got=repr(rtol), wanted="a number from 1e-14 to 1e-2", cure="pass 1e-9")
    if isinstance(max_steps, bool) or not isinstance(max_steps, int) or max_steps < 1:
        raise InputError(
            "max_steps", got=repr(max_steps), wanted="a whole number of at least 1", cure="leave it out"
        )
