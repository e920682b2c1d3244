"""What flows through the faces of a coarse core by diffusion: finite volumes with discontinuity factors.

J = -D grad(phi),    f_lower phi_face_lower = f_upper phi_face_upper   on inner faces,
J = gamma f phi_face                                                    on outer ones.
"""

from dataclasses import dataclass

import numpy as np

from scalebridge.reactor.core_mesh import LOWER_SIDE, UPPER_SIDE, CoreMesh


@dataclass(frozen=True)
class Couplings:
    """Currents as linear functions of the fluxes beside a face.

    J = lower phi_lower - upper phi_upper from the lower to the upper volume; J = rim phi outwards.

    Args:
        lower: (faces, G).
        upper: (faces, G).
        rim: (rims, G).
    """

    lower: np.ndarray
    upper: np.ndarray
    rim: np.ndarray


@dataclass(frozen=True)
class FaceFactors:
    """Discontinuity factors seen from both sides of every face: (faces, G), (faces, G), (rims, G)."""

    lower: np.ndarray
    upper: np.ndarray
    rim: np.ndarray


def face_factors(mesh: CoreMesh, factors: np.ndarray | None, groups: int) -> FaceFactors:
    """Return the factors at each face.

    Args:
        mesh: the mesh.
        factors: (cells, 2 dim, G), sides in the order of `SIDES`; None for ones.
        groups: number of groups.
    """
    if factors is None:
        ones = np.ones((len(mesh.lower), groups))
        return FaceFactors(ones, ones, np.ones((len(mesh.rim), groups)))
    return FaceFactors(
        factors[mesh.lower, UPPER_SIDE[mesh.axis]],
        factors[mesh.upper, LOWER_SIDE[mesh.axis]],
        factors[mesh.rim, mesh.side],
    )


@dataclass(frozen=True)
class Conductances:
    """2 D / h of the half volumes beside every face: (faces, G), (faces, G), (rims, G)."""

    lower: np.ndarray
    upper: np.ndarray
    rim: np.ndarray


def conductances(mesh: CoreMesh, diffusion: np.ndarray) -> Conductances:
    """Return 2 D / h beside every face, of (cells, G) diffusion coefficients."""
    return Conductances(
        2 * diffusion[mesh.lower] / mesh.edges[mesh.lower, mesh.axis, None],
        2 * diffusion[mesh.upper] / mesh.edges[mesh.upper, mesh.axis, None],
        2 * diffusion[mesh.rim] / mesh.edges[mesh.rim, mesh.side // 2, None],
    )


def couple(half: Conductances, factor: FaceFactors, gamma: np.ndarray) -> Couplings:
    """Return the currents of finite volumes.

    Args:
        half: conductances beside each face.
        factor: discontinuity factors.
        gamma: (rims, G) outward current by flux at the outer faces: 0 reflects, 1/2 is a vacuum (Marshak),
            infinity holds the flux at zero.
    """
    across = 1 / (factor.lower / half.lower + factor.upper / half.upper)
    return Couplings(
        across * factor.lower, across * factor.upper, rim_conductance(half.rim, gamma * factor.rim)
    )


def rim_conductance(half: np.ndarray, gamma: np.ndarray) -> np.ndarray:
    """Return d gamma / (d + gamma), and d where gamma is infinite."""
    open_ = np.isfinite(gamma)
    held = np.where(open_, gamma, 0.0)
    return np.where(open_, half * held / (half + held), half)


def currents(mesh: CoreMesh, found: Couplings, flux: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return (faces, G) currents to the upper volume and (rims, G) outward currents, of (cells, G) fluxes."""
    inner = found.lower * flux[mesh.lower] - found.upper * flux[mesh.upper]
    return inner, found.rim * flux[mesh.rim]


def leakage(mesh: CoreMesh, inner: np.ndarray, outer: np.ndarray) -> np.ndarray:
    """Return (cells, G) what leaves each volume, of currents through inner and outer faces."""
    found = np.zeros((mesh.cells, inner.shape[1]))
    np.add.at(found, mesh.lower, inner * mesh.areas[:, None])
    np.add.at(found, mesh.upper, -inner * mesh.areas[:, None])
    np.add.at(found, mesh.rim, outer * mesh.rim_areas[:, None])
    return found
