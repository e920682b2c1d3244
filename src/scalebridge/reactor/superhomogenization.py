"""Superhomogenization factors: a number for each region and group, by which its constants are multiplied.

    -div mu D grad phi + mu removal phi = reference sources,       mu = reference mean flux / mean of phi

so that the coarse core has the reference's reaction rates in every region and group. Where every volume is a
region, each group is matched on its own, because its sources are those of the reference, by Newton's method
(`pin_matching`); where regions have several volumes, sources follow the coarse flux inside of them, and all
groups are one fixed point, which Anderson's method finds.

Source: A. Kavenoky, CEA-N-2034 (1978); A. Hebert, Nucl. Sci. Eng. 113 (1993) 227.
"""

from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse as sp
import scipy.sparse.linalg as sparse

from scalebridge.core.results import Outcome, worst_outcome
from scalebridge.reactor.core_constants import CoreConstants
from scalebridge.reactor.core_mesh import CoreMesh
from scalebridge.reactor.diffusion_faces import conductances, couple, face_factors
from scalebridge.reactor.diffusion_system import leakage_matrix
from scalebridge.reactor.pin_matching import matched_pins, pin_network
from scalebridge.solvers.anderson import FixedPoint, accelerated_fixed_point

_FARTHEST = 20.0  # of logarithms of factors: beyond, there are none
_CLOSED = 1e-6  # of all removal: what leaks less is held to leak nothing


@dataclass(frozen=True, eq=False)
class Superhomogenization:
    """Factors of regions and groups.

    Args:
        factors: (R, G).
        history: changes of the coarse fluxes' logarithms, step by step: of each group, or all together.
        outcomes: how each of these ended.
        normalised: (G,) whether the group's mean flux was held to the reference's, as it has to be where
            nothing leaks.
        excess: (G,) largest outward current of a region by what diffusion can carry out of it: above one
            there are no factors.
        gamma: (rims, G) outward current by flux at the outer faces that belongs to the factors.
    """

    factors: np.ndarray
    history: tuple[tuple[float, ...], ...]
    outcomes: tuple[Outcome, ...]
    normalised: np.ndarray
    excess: np.ndarray
    gamma: np.ndarray

    @property
    def outcome(self) -> Outcome:
        """The gravest of the groups' outcomes."""
        return worst_outcome([int(code) for code in self.outcomes])


@dataclass(frozen=True, eq=False)
class _Matching:
    """What factors have to meet, and their fixed point: coarse fluxes that ask for themselves.

    Args:
        mesh: with a volume for each pin.
        regions: (cells,) region of each.
        local: flux-weighted constants of each volume.
        gamma: (rims, G).
        reference: (cells, G) mean fluxes.
        k: of the reference.
        fixed: (cells, G) sources beside fission, integrated.
        normalised: (G,) whether a group's mean is held.
    """

    mesh: CoreMesh
    regions: np.ndarray
    local: CoreConstants
    gamma: np.ndarray
    reference: np.ndarray
    k: float
    fixed: np.ndarray
    normalised: np.ndarray

    def step(self, logarithm: np.ndarray) -> np.ndarray:
        """Return the logarithms of the coarse fluxes with the factors that given ones ask for."""
        if not np.abs(logarithm - np.log(self.reference).ravel()).max() < _FARTHEST:
            return np.full_like(logarithm, np.nan)
        flux = np.exp(logarithm).reshape(self.reference.shape)
        factor = self.factors(flux)
        source = self.sources(factor * flux)
        found = np.stack(
            [self._solved(g, factor[:, g], source[:, g]) for g in range(self.local.groups)], axis=1
        )
        return np.log(np.where(found > 0, found, np.nan)).ravel()

    def factors(self, flux: np.ndarray) -> np.ndarray:
        """Return (cells, G) factors of each volume's region: reference by coarse flux."""
        count = int(self.regions.max()) + 1
        both = np.zeros((2, count, flux.shape[1]))
        for row, values in zip(both, (self.reference, flux), strict=True):
            np.add.at(row, self.regions, values * self.mesh.volumes[:, None])
        return (both[0] / both[1])[self.regions]

    def sources(self, held: np.ndarray) -> np.ndarray:
        """Return (cells, G) sources of fluxes whose means over regions are the reference's, integrated."""
        local, rate = self.local, held * self.mesh.volumes[:, None]
        made = (local.nu_fission * rate).sum(axis=1, keepdims=True)
        within = np.diagonal(local.scatter, axis1=1, axis2=2) * rate
        return local.chi * made / self.k + np.einsum("igh,ig->ih", local.scatter, rate) - within + self.fixed

    def _solved(self, g: int, factor: np.ndarray, source: np.ndarray) -> np.ndarray:
        mesh = self.mesh
        half = conductances(mesh, (factor * self.local.diffusion[:, g])[:, None])
        found = couple(half, face_factors(mesh, None, 1), self.gamma[:, g, None])
        taken = sp.diags(factor * self.local.removal[:, g] * mesh.volumes)
        flux = sparse.spsolve((leakage_matrix(mesh, found, 0) + taken).tocsc(), source)
        if self.normalised[g]:
            flux = flux * (self.reference[:, g] @ mesh.volumes) / (flux @ mesh.volumes)
        return flux


def superhomogenization_factors(
    mesh: CoreMesh,
    regions: np.ndarray,
    constants: CoreConstants,
    flux: np.ndarray,
    k: float,
    gamma: np.ndarray,
    *,
    rim_current: np.ndarray | None = None,
    fixed_source: np.ndarray | None = None,
    leaving: np.ndarray | None = None,
    atol: float = 1e-10,
    max_steps: int = 300,
    depth: int = 8,
) -> Superhomogenization:
    """Return the factors with which finite volumes have the reference's rates in every region and group.

    Args:
        mesh: with a volume for each pin.
        regions: (cells,) region of each pin.
        constants: flux-weighted, of the regions.
        flux: (cells, G) reference mean fluxes.
        k: the reference's.
        gamma: (rims, G) outward current by flux at the outer faces.
        rim_current: (rims, G) outward currents of the reference by area, where factors are to be normalised
            and the albedo that keeps these currents is wanted; every volume has to be a region.
        fixed_source: (cells, G) sources beside fission, integrated.
        leaving: (cells, G) what leaves each pin in the reference, for the test of existence.
        atol: wanted change of the factors' logarithms.
        max_steps: of each group.
        depth: of Anderson's acceleration.
    """
    local, count = constants.of(regions), constants.groups
    fixed = np.zeros_like(flux) if fixed_source is None else fixed_source
    together = len(constants.names) < mesh.cells  # sources then follow the coarse flux inside of regions
    matching = _Matching(mesh, regions, local, gamma, flux, k, fixed, np.zeros(count, bool))
    normalised = (gamma == 0).all(axis=0) | _closed(matching)
    matching = replace(matching, normalised=normalised)
    if together:
        start = np.log(flux).ravel()
        end = accelerated_fixed_point(matching.step, start, atol=atol, max_steps=max_steps, depth=depth)
        coarse, ends = np.exp(end.value).reshape(flux.shape), [end]
    else:
        ends = [_matched_group(matching, g, rim_current, atol, max_steps) for g in range(count)]
        coarse = flux * np.exp(-np.stack([one.value for one in ends], axis=1))
        if rim_current is not None:
            gamma = _albedo(matching, flux / coarse, rim_current)
            normalised = np.ones(count, bool)
    excess = np.zeros(count) if leaving is None else _excess(mesh, regions, local, flux, leaving)
    if rim_current is not None and len(rim_current):  # an albedo carries no more than diffusion brings to it
        carried = conductances(mesh, local.diffusion).rim * flux[mesh.rim]
        excess = np.maximum(excess, (rim_current / carried).max(axis=0))
    first = np.unique(regions, return_index=True)[1]
    return Superhomogenization(
        matching.factors(coarse)[first],
        tuple(one.history for one in ends),
        tuple(one.outcome for one in ends),
        normalised,
        excess,
        gamma,
    )


def _matched_group(
    matching: _Matching, g: int, rim_current: np.ndarray | None, atol: float, max_steps: int
) -> FixedPoint:
    """Return the logarithms of one group's factors, every volume being a region."""
    flux, local = matching.reference[:, g], matching.local
    rate = matching.reference * matching.mesh.volumes[:, None]
    lost = matching.sources(matching.reference)[:, g] - local.removal[:, g] * rate[:, g]
    gamma = np.where(matching.normalised[g], 0.0, matching.gamma[:, g])
    if rim_current is not None:  # these leave whatever the factors are
        gamma = np.zeros_like(gamma)
        np.add.at(lost, matching.mesh.rim, -rim_current[:, g] * matching.mesh.rim_areas)
    network = pin_network(matching.mesh, local.diffusion[:, g], flux, lost, gamma)
    return matched_pins(network, atol=atol, max_steps=max_steps)


def _albedo(matching: _Matching, factor: np.ndarray, current: np.ndarray) -> np.ndarray:
    """Return (rims, G) gamma with which outer faces have given currents: J = phi / (1 / d + mu / gamma)."""
    mesh = matching.mesh
    half = conductances(mesh, matching.local.diffusion).rim
    most = matching.reference[mesh.rim] / np.where(current > 0, current, np.inf)
    rest = np.where(current > 0, most - 1 / half, np.inf)
    return np.where(rest > 0, factor[mesh.rim] / np.where(rest > 0, rest, 1.0), np.inf)


def _closed(matching: _Matching) -> np.ndarray:
    """Return (G,) whether a group's sources are its removal, so that nothing leaks."""
    flux = matching.reference
    removed = (matching.local.removal * flux * matching.mesh.volumes[:, None]).sum(axis=0)
    return np.abs(matching.sources(flux).sum(axis=0) - removed) <= _CLOSED * removed


def corrected_constants(constants: CoreConstants, factors: np.ndarray) -> CoreConstants:
    """Return constants multiplied by (R, G) factors; scattering takes those of the group that it leaves."""
    return CoreConstants(
        constants.names,
        diffusion=constants.diffusion * factors,
        absorption=constants.absorption * factors,
        nu_fission=constants.nu_fission * factors,
        fission=constants.fission * factors,
        chi=constants.chi,
        scatter=constants.scatter * factors[:, :, None],
        total=constants.total / factors,
    )


def _excess(
    mesh: CoreMesh, regions: np.ndarray, local: CoreConstants, flux: np.ndarray, leaving: np.ndarray
) -> np.ndarray:
    """Return (G,) the largest share of what diffusion can carry out of a region that has to leave it."""
    most = np.zeros_like(flux)
    half = conductances(mesh, local.diffusion)
    between = regions[mesh.lower] != regions[mesh.upper]
    for cells, ways, areas in (
        (mesh.lower[between], half.lower[between], mesh.areas[between]),
        (mesh.upper[between], half.upper[between], mesh.areas[between]),
        (mesh.rim, half.rim, mesh.rim_areas),
    ):
        np.add.at(most, cells, ways * flux[cells] * areas[:, None])
    count = int(regions.max()) + 1
    both = np.zeros((2, count, flux.shape[1]))
    np.add.at(both[0], regions, leaving)
    np.add.at(both[1], regions, most)
    return (both[0] / np.where(both[1] > 0, both[1], np.inf)).max(axis=0)
