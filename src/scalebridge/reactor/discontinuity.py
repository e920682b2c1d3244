"""Discontinuity factors: what the flux of homogenised nodes jumps by at faces, so that currents are kept.

    f = phi_face / (mean phi - h J / (2 D)),            J the outward current by area,

for finite volumes. With the currents and mean fluxes of a reference, every node's balance is met by the
reference itself: the coarse core reproduces it exactly, whatever D is (generalised equivalence).

Source: K. S. Smith, Prog. Nucl. Energy 17 (1986) 303; K. Koebke, IAEA-TECDOC-231 (1978) 303.
"""

from dataclasses import dataclass

import numpy as np

from scalebridge.reactor.core_mesh import CoreMesh
from scalebridge.reactor.pin_tally import PinTally

_LEAST = 0.05  # of the mean flux: homogenised face fluxes below are avoided by a larger D


@dataclass(frozen=True, eq=False)
class Discontinuity:
    """Discontinuity factors of pins or nodes, with the diffusion coefficients that they belong to.

    Args:
        factors: (ny, nx, 4, G); west, east, south, north.
        diffusion: (ny, nx, G) cm.
        raised: how many diffusion coefficients were raised, because the homogenised flux at a face would not
            have been positive.
    """

    factors: np.ndarray
    diffusion: np.ndarray
    raised: int


def face_discontinuity(
    tally: PinTally, diffusion: np.ndarray, mesh: CoreMesh, gamma: np.ndarray
) -> Discontinuity:
    """Return the factors of all faces for which finite volumes reproduce a tally.

    Args:
        tally: reference, of pins or boxes of pins.
        diffusion: (ny, nx, G) coefficients.
        mesh: with a volume for each pin.
        gamma: (rims, G) outward current by flux at the outer faces of the coarse core: where it is finite and
            not zero, the factor of the outer face makes it the reference's.

    Raises:
        Nothing: coefficients that would give a negative face flux are raised, and counted.
    """
    edge = np.stack([tally.volume / tally.face_length[..., side] for side in range(4)], axis=2)
    density = tally.current / tally.face_length[..., None]
    slope = density * edge[..., None] / 2  # D times the drop from mean to face
    needed = slope.max(axis=2) / ((1 - _LEAST) * tally.flux)
    used = np.maximum(diffusion, needed)
    bare = tally.flux[:, :, None] - slope / used[:, :, None]
    surface = _shared(tally.surface_flux, mesh)
    _close_rims(surface, density, mesh, gamma)
    return Discontinuity(surface / bare, used, int((needed > diffusion).sum()))


def assembly_discontinuity(tally: PinTally) -> np.ndarray:
    """Return (4, G) factors of a lattice that reflects: mean flux at each side by the mean flux of all.

    Args:
        tally: of the pins of one assembly, whose net currents through its sides are zero.
    """
    mean = (tally.flux * tally.volume[..., None]).sum(axis=(0, 1)) / tally.volume.sum()
    rows = (tally.surface_flux[:, 0, 0], tally.surface_flux[:, -1, 1])
    columns = (tally.surface_flux[-1, :, 2], tally.surface_flux[0, :, 3])
    lengths = (tally.face_length[:, 0, 0], tally.face_length[:, -1, 1])
    widths = (tally.face_length[-1, :, 2], tally.face_length[0, :, 3])
    sides = [
        (row * length[:, None]).sum(axis=0) / length.sum()
        for row, length in zip((*rows, *columns), (*lengths, *widths), strict=True)
    ]
    return np.stack(sides) / mean


def _shared(surface: np.ndarray, mesh: CoreMesh) -> np.ndarray:
    """Return face fluxes that are the same from both sides of a face."""
    found = surface.copy()
    flat = found.reshape(mesh.cells, 4, -1)
    low_side, up_side = np.array([1, 2])[mesh.axis], np.array([0, 3])[mesh.axis]
    mean = (flat[mesh.lower, low_side] + flat[mesh.upper, up_side]) / 2
    flat[mesh.lower, low_side] = mean
    flat[mesh.upper, up_side] = mean
    return found


def _close_rims(surface: np.ndarray, density: np.ndarray, mesh: CoreMesh, gamma: np.ndarray) -> None:
    """Put J / gamma for the flux at outer faces through which the coarse core leaks."""
    flat, leaving = surface.reshape(mesh.cells, 4, -1), density.reshape(mesh.cells, 4, -1)
    open_ = np.isfinite(gamma) & (gamma > 0)
    safe = np.where(open_, gamma, 1.0)
    old = flat[mesh.rim, mesh.side]
    flat[mesh.rim, mesh.side] = np.where(open_, leaving[mesh.rim, mesh.side] / safe, old)
