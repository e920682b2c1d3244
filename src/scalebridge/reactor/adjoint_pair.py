"""A lattice solved forward and backward, and what any importance makes of changes of the fine data.

The discrete equations are G = V K phi + M q - total V phi = 0, K = scattering + chi F / k, q = K phi / total.
For a multiplier m of G, with the flux w that a sweep with q = m gives,

    m . dG / d total   = overlap along tracks + V (m q - w q - m phi),
    m . dG / d scatter = V phi w,     and so on,

whether m is the fundamental adjoint (derivatives of k) or an importance of a constant.
"""

from dataclasses import dataclass, replace

import numpy as np

from scalebridge.core.errors import InputError
from scalebridge.core.results import require_converged
from scalebridge.core.threads import in_slabs
from scalebridge.reactor.circle_slopes import area_slopes, circles_by_interfaces, interfaces, length_slopes
from scalebridge.reactor.lattice import Lattice
from scalebridge.reactor.materials import MultigroupMaterial
from scalebridge.reactor.pin_sums import PinSums
from scalebridge.reactor.sensitivity_kernels import overlap_tracks
from scalebridge.reactor.sweep import Sweeper, route
from scalebridge.reactor.transport_iteration import Iterated, Settings, iterate
from scalebridge.reactor.transport_result import TransportSolution

Parts = dict[str, dict[str, np.ndarray]]
KEYS = ("total", "nu_fission", "chi", "scatter")


@dataclass(frozen=True, eq=False)
class AdjointPair:
    """Forward and adjoint fundamental modes of one discrete problem.

    Args:
        sums: of the lattice.
        turned: the same of materials whose neutrons run backward.
        ahead: sweeper of the forward problem, as it ended.
        back: of the adjoint one.
        forward: the forward mode.
        adjoint: the adjoint mode.
        slopes: (segments, circles) of lengths by circles.
    """

    sums: PinSums
    turned: PinSums
    ahead: Sweeper
    back: Sweeper
    forward: Iterated
    adjoint: Iterated
    slopes: np.ndarray

    @property
    def multiplication(self) -> float:
        """K of the forward problem."""
        return self.forward.multiplication

    @property
    def flux(self) -> np.ndarray:
        """(regions, G) of one neutron of fission over k."""
        return self.forward.swept.flux

    @property
    def source(self) -> np.ndarray:
        """(regions, G) forward sources over total."""
        return self.sums.source(self.flux, self.multiplication) / self.ahead.region_total

    def born(self, worth: np.ndarray) -> float:
        """Return what the neutrons of fission over k are worth."""
        material = self.sums.lattice.region_material
        made = self.flux * self.sums.nu_fission[material]
        arrival = np.einsum("rgh,rh->rg", self.sums.chi[material], worth)
        return float(np.sum(self.sums.lattice.region_volume[:, None] * made * arrival)) / self.multiplication


def adjoint_pair(solution: TransportSolution, rtol: float, max_steps: int) -> AdjointPair:
    """Solve a lattice forward and backward.

    Args:
        solution: of an eigenvalue problem.
        rtol: wanted largest relative change of both fluxes from sweep to sweep.
        max_steps: limit of sweeps of each.

    Raises:
        InputError: the solution is of a given source.
        SolverError: one of them did not converge.
    """
    if solution.fixed:
        raise InputError(
            "solution",
            got="one of a given source",
            wanted="an eigenvalue problem",
            cure="solve without a source",
        )
    if solution.sweeper.order_of_scattering:
        raise InputError(
            "solution",
            got=f"scattering of order {solution.sweeper.order_of_scattering}",
            wanted="isotropic (or transport-corrected) scattering, whose adjoint is known here",
            cure="solve with scattering_order=0",
        )
    if solution.sweeper.regions is not None:
        raise InputError(
            "solution",
            got="linear sources",
            wanted="flat sources, whose adjoint is known here",
            cure='solve with sources="flat"',
        )
    old, sums = solution.sweeper, solution.sums
    settings = Settings(rtol, 1e-2 * rtol, max_steps)
    ahead = Sweeper(sums.lattice, old.tracks, solution.materials, (old.sines, old.weights))
    back = Sweeper(sums.lattice, old.tracks, solution.materials, (old.sines, old.weights))
    turned = PinSums(sums.lattice, {name: _turned(m) for name, m in solution.materials.items()})
    forward, adjoint = iterate(ahead, sums, settings), iterate(back, turned, settings)
    require_converged(forward.outcome, "the forward problem")
    require_converged(adjoint.outcome, "the adjoint problem")
    return AdjointPair(sums, turned, ahead, back, forward, adjoint, length_slopes(old.tracks))


def _turned(material: MultigroupMaterial) -> MultigroupMaterial:
    """Return a material whose neutrons run backward: [to, from]; nu-fission and chi change places."""
    made, chi = material.nu_fission, material.chi
    if chi.ndim == 2:
        made, chi = np.ones_like(made), (made[:, None] * chi).T
    else:
        made, chi = chi * float(material.fissile), made
    return replace(material, scatter=material.scatter.transpose(0, 2, 1), nu_fission=made, chi=chi)


def changes(
    pair: AdjointPair, worth: np.ndarray, multiplier: np.ndarray, extra: np.ndarray | None = None
) -> tuple[Parts, dict[str, np.ndarray]]:
    """Return m . dG by all data of all materials, and by the radii of all cells.

    Args:
        pair: the problem; what enters the tracks of `back` belongs to the multiplier.
        worth: (regions, G) flux of a sweep with the multiplier for sources over total.
        multiplier: (regions, G).
        extra: (regions,) what a response itself has by the volumes of regions.
    """
    sums, k, flux, source = pair.sums, pair.multiplication, pair.flux, pair.source
    volume = sums.lattice.region_volume[:, None]
    by_total, stretched = _overlap(pair, source, multiplier)
    by_total += volume * (multiplier * source - worth * source - multiplier * flux)
    by_volume = np.sum(multiplier * pair.ahead.region_total * (source - flux), axis=1)
    by_volume += 0.0 if extra is None else extra
    parts: Parts = {key: {} for key in KEYS}
    for i, (name, material) in enumerate(zip(sums.lattice.materials, sums.materials, strict=True)):
        rows = sums.lattice.region_material == i
        v, phi, up = volume[rows], flux[rows], worth[rows]
        made = (phi * material.nu_fission).sum(axis=1, keepdims=True)
        parts["total"][name] = by_total[rows].sum(axis=0)
        parts["nu_fission"][name] = np.sum(v * (up @ material.chi_matrix.T) * phi, axis=0) / k
        parts["chi"][name] = np.sum(v * up * made, axis=0) / k
        parts["scatter"][name] = (v * phi).T @ up
    return parts, _by_radius(sums.lattice, stretched, by_volume)


def _by_radius(found: Lattice, stretched: np.ndarray, by_volume: np.ndarray) -> dict[str, np.ndarray]:
    """Sums over all cells of a name, by its interfaces: of lengths by circles, and of areas."""
    told = {}
    for name in dict.fromkeys(name for row in found.rows for name in row):
        cell, count = found.cells[name], len(found.cells[name].region_materials)
        here = np.array([[name == other for other in row] for row in found.rows])
        firsts = found.first_region[here]
        areas = by_volume[firsts[:, None] + np.arange(count)].sum(axis=0) @ area_slopes(cell, count)
        circles = areas + stretched[here].sum(axis=0)[: len(areas)]
        told[name] = circles @ circles_by_interfaces(cell) if len(interfaces(cell)) else np.zeros(0)
    return told


def _overlap(pair: AdjointPair, source: np.ndarray, multiplier: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Products of both fluxes along tracks: by total, (regions, G), and circles, (ny, nx, C), top first."""
    ahead, back, slopes = pair.ahead, pair.back, pair.slopes
    tracks, threads = ahead.tracks, ahead.threads
    found = np.zeros((threads, *source.shape))
    stretched = np.zeros((threads, *ahead.lattice.shape, slopes.shape[1]))
    most = int(np.max(np.diff(tracks.segment_start))) * (sum(ahead.lattice.shape) + 2)
    totals = (ahead.total[:, None, :] / ahead.sines[:, None]).reshape(len(ahead.total), -1)
    entering = [s.entering_by_group().reshape(len(tracks.walk), 2, -1) for s in (ahead, back)]
    in_slabs(
        overlap_tracks, len(ahead.order), ahead.order, *route(tracks), tracks.segment_start,
        tracks.segment_region, tracks.segment_length, tracks.kind, tracks.base, ahead.lattice.region_material,
        totals, source, multiplier, ahead.scales, ahead.weights, ahead.sines, *entering, most, slopes,
        found, stretched, threads=threads,
    )  # fmt: skip
    return found.sum(axis=0), stretched.sum(axis=0)[::-1]
