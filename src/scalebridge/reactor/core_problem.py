"""A coarse core as arrays: what every method of solution is given, and what it gives back."""

from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from scalebridge.core.results import Outcome
from scalebridge.reactor.core_constants import CoreConstants
from scalebridge.reactor.core_mesh import CoreMesh
from scalebridge.reactor.diffusion_faces import Couplings, FaceFactors
from scalebridge.reactor.diffusion_system import CoreSystem

CoreMethod = Literal["nodal", "volumes", "sp3"]


@dataclass(frozen=True, eq=False)
class CoreProblem:
    """A coarse core on its mesh.

    Args:
        mesh: the volumes.
        regions: (cells,) region of each volume.
        constants: of the regions.
        gamma: (rims, G) outward current by flux at the outer faces.
        factor: discontinuity factors at every face.
        buckling: of the direction that the mesh does not have, 1/cm^2.
    """

    mesh: CoreMesh
    regions: np.ndarray
    constants: CoreConstants
    gamma: np.ndarray
    factor: FaceFactors
    buckling: float = 0.0

    @property
    def local(self) -> CoreConstants:
        """The constants of each volume."""
        return self.constants.of(self.regions)


@dataclass(frozen=True, eq=False)
class CoreSolution:
    """The fundamental mode of a coarse core.

    Args:
        k: multiplication.
        flux: (cells, G), of one neutron produced in all.
        couplings: currents by fluxes; those of the isotropic moment alone for SP3.
        current: (faces, G) through the inner faces, and (rims, G) outwards.
        system: the factorised equations.
        history: k after each outer iteration, with the relative residual.
        applications: generations of neutrons that were followed.
        outcome: how it ended.
    """

    k: float
    flux: np.ndarray
    couplings: Couplings
    current: tuple[np.ndarray, np.ndarray]
    system: CoreSystem
    history: tuple[tuple[float, float], ...]
    applications: int
    outcome: Outcome = field(default=Outcome.converged)
