"""A solved core as a reference for a coarser one: what every volume hands up, as transport does for pins."""

import numpy as np

from scalebridge.core.errors import InputError
from scalebridge.reactor.core_mesh import LOWER_SIDE, UPPER_SIDE
from scalebridge.reactor.core_problem import CoreProblem, CoreSolution
from scalebridge.reactor.diffusion_faces import conductances
from scalebridge.reactor.pin_tally import PinTally


def core_tally(problem: CoreProblem, solution: CoreSolution) -> PinTally:
    """Return rates, currents and face fluxes of every volume of a full rectangle in the plane.

    Args:
        problem: the core, solved by finite volumes.
        solution: its solution.

    Raises:
        InputError: the core is not a full rectangle, or not in the plane.
    """
    mesh, local = problem.mesh, problem.local
    if mesh.dim != 2 or mesh.cells != mesh.index.size:
        raise InputError(
            "core",
            got=f"{mesh.dim} dimensions, {mesh.index.size - mesh.cells} empty volumes",
            wanted="a full rectangle in the plane",
            cure="cut a full rectangle out of it",
        )
    shape, groups = mesh.index.shape, local.groups
    current, surface = _faces(problem, solution)
    length = np.repeat(mesh.edges[:, ::-1], 2, axis=1)  # west and east faces are as long as y edges

    def grid(values: np.ndarray) -> np.ndarray:
        return values.reshape(*shape, *values.shape[1:])

    total = 1 / (3 * local.diffusion)
    scatter = local.scatter.copy()
    index = np.arange(groups)
    scatter[:, index, index] = (
        total - local.absorption - (local.scatter.sum(axis=2) - local.scatter[:, index, index])
    )
    return PinTally(
        multiplication=solution.k,
        volume=grid(mesh.volumes),
        face_length=grid(length),
        flux=grid(solution.flux),
        total=grid(total),
        absorption=grid(local.absorption),
        nu_fission=grid(local.nu_fission),
        fission=grid(local.fission),
        scatter=grid(scatter),
        chi=grid(np.where(local.nu_fission.sum(axis=1, keepdims=True) > 0, local.chi, 0.0)),
        current=grid(current),
        surface_flux=grid(surface),
        source=np.zeros((*shape, groups)),
        transport=grid(total),
        fuel=grid(local.fission.sum(axis=1) > 0),
    )


def _faces(problem: CoreProblem, solution: CoreSolution) -> tuple[np.ndarray, np.ndarray]:
    """Return (cells, 4, G) outward currents, integrated, and heterogeneous face fluxes."""
    mesh, flux, factor = problem.mesh, solution.flux, problem.factor
    half = conductances(mesh, problem.local.diffusion)
    inner, outer = solution.current
    current = np.zeros((mesh.cells, 4, flux.shape[1]))
    surface = np.zeros_like(current)
    low, up = UPPER_SIDE[mesh.axis], LOWER_SIDE[mesh.axis]
    current[mesh.lower, low] = inner * mesh.areas[:, None]
    current[mesh.upper, up] = -inner * mesh.areas[:, None]
    current[mesh.rim, mesh.side] = outer * mesh.rim_areas[:, None]
    surface[mesh.lower, low] = factor.lower * (flux[mesh.lower] - inner / half.lower)
    surface[mesh.upper, up] = factor.upper * (flux[mesh.upper] + inner / half.upper)
    surface[mesh.rim, mesh.side] = factor.rim * (flux[mesh.rim] - outer / half.rim)
    return current, surface
