"""What has to hold of a solved core: neutron balance, the fundamental mode, adjoint and derivatives."""

import numpy as np

from scalebridge.core.checks import Check
from scalebridge.reactor.core_problem import CoreProblem, CoreSolution
from scalebridge.reactor.diffusion_faces import leakage

_BALANCE = 1e-7
_SLOPES = 1e-6


def core_checks(
    problem: CoreProblem,
    solution: CoreSolution,
    rtol: float,
    reverse: float | None,
    slopes: dict[str, np.ndarray],
) -> tuple[Check, ...]:
    """Return what has to hold, measured.

    Args:
        problem: the core.
        solution: its fundamental mode.
        rtol: what was asked of the residual.
        reverse: k of the adjoint problem, if it was solved.
        slopes: dk by the constants, if there are any.
    """
    balance = group_balance(problem, solution)
    least = float(solution.flux.min() / solution.flux.max())
    found = [
        Check(
            "residual",
            solution.history[-1][1],
            max(rtol, 1e-12),
            meaning="of the neutrons of one generation against k times those of the last; what was asked",
        ),
        Check(
            "neutron balance",
            float(np.abs(balance).max()),
            max(_BALANCE, 100 * rtol),
            meaning="production / k against absorption and leakage of the whole core, by group, by all "
            "production; a hundred residuals, because fluxes are less well determined than k",
        ),
        Check(
            "fundamental mode",
            least,
            -1e-9,
            "at least",
            meaning="the least flux by the largest: the fundamental mode has one sign",
        ),
    ]
    if reverse is not None:
        found.append(
            Check(
                "adjoint k",
                abs(reverse - solution.k) / solution.k,
                max(1e-8, 10 * rtol),
                meaning="k of the transposed equations, which is the same; rounding and both residuals",
            )
        )
    if slopes:
        found.append(_homogeneity(problem, solution, slopes))
    return tuple(found)


def group_balance(problem: CoreProblem, solution: CoreSolution) -> np.ndarray:
    """Return (G,) sources less losses of the whole core, relative to all production over k."""
    mesh, local = problem.mesh, problem.local
    rate = solution.flux * mesh.volumes[:, None]
    lost = leakage(mesh, *solution.current) + (local.removal + problem.buckling * local.diffusion) * rate
    made = (local.nu_fission * rate).sum(axis=1, keepdims=True) * local.chi / solution.k
    within = np.diagonal(local.scatter, axis1=1, axis2=2)
    came = np.einsum("igh,ig->ih", local.scatter, rate) - within * rate
    return (made + came - lost).sum(axis=0) / made.sum()


def _homogeneity(problem: CoreProblem, solution: CoreSolution, slopes: dict[str, np.ndarray]) -> Check:
    value = float((slopes["nu_fission"] * problem.constants.nu_fission).sum())
    return Check(
        "derivatives by nu_fission",
        abs(value / solution.k - 1),
        _SLOPES,
        meaning="k is proportional to nu_fission: nu_fission dk / dnu_fission over all regions is k; "
        "rounding, and the fluxes' error, which is the root of that of k",
    )
