"""A lattice solved forward and backward, and what any importance makes of changes of the fine data.

The discrete equations are G = V O K phi + M q - total V phi = 0, K = scattering + chi F / k, q = K phi /
total, phi and q in rows (angular moments, each a mean and slopes), O their overlaps. For a multiplier m of G,
with the flux w that a sweep with q = m gives,

    m . dG / d total   = overlap along tracks + V (O m . q - w . q - m . phi),
    m . dG / d scatter = V phi w,     and so on,

whether m is the fundamental adjoint (derivatives of k) or an importance of a constant. Products of rows are
those of the functions that they stand for; odd moments change sign, because m runs the other way.
"""

from dataclasses import dataclass, replace

import numpy as np

from scalebridge.core.errors import InputError
from scalebridge.core.results import require_converged
from scalebridge.core.slabs import in_slabs
from scalebridge.reactor.circle_slopes import area_slopes, circles_by_interfaces, interfaces, length_slopes
from scalebridge.reactor.lattice import Lattice
from scalebridge.reactor.materials import MultigroupMaterial
from scalebridge.reactor.pin_sums import PinSums
from scalebridge.reactor.sensitivity_kernels import overlap_tracks
from scalebridge.reactor.sweep import Sweeper, route
from scalebridge.reactor.transport_iteration import Iterated, Settings, iterate
from scalebridge.reactor.transport_result import TransportSolution

Parts = dict[str, dict[str, np.ndarray]]
KEYS = ("total", "nu_fission", "chi", "scatter", "moments")


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
        slopes: (segments, circles) of lengths by circles; (segments, 0) with linear sources, whose
            derivatives by radii are not known.
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
    def rows(self) -> np.ndarray:
        """(regions, rows, G) of the flux."""
        return rows_with(self.ahead, self.flux)

    @property
    def source(self) -> np.ndarray:
        """(regions, rows, G) forward sources over total."""
        return sources_over_total(self.ahead, self.sums, self.flux, self.multiplication)

    def paired(self, rows: np.ndarray) -> np.ndarray:
        """Return rows of the adjoint such that their plain product with others is that of the functions."""
        sweeper = self.ahead
        shape = len(rows), len(sweeper.overlaps), sweeper.shapes, -1
        turned = rows.reshape(shape) * parities(sweeper.order_of_scattering)[:, None, None]
        if sweeper.regions:
            spread = np.linalg.inv(sweeper.regions.inverse)
            turned[:, :, 1:] = np.einsum("rij,rmjg->rmig", spread, turned[:, :, 1:])
        return turned.reshape(rows.shape)

    def born(self, worth: np.ndarray) -> float:
        """Return what the neutrons of fission over k are worth, of rows of worth."""
        shapes, material = self.ahead.shapes, self.sums.lattice.region_material
        made = self.rows[:, :shapes] * self.sums.nu_fission[material][:, None]
        arrival = np.einsum("rgh,rsh->rsg", self.sums.chi[material], self.paired(worth)[:, :shapes])
        born = np.sum(made * arrival, axis=(1, 2))
        return float(born @ self.sums.lattice.region_volume) / self.multiplication


def rows_with(sweeper: Sweeper, flux: np.ndarray) -> np.ndarray:
    """Return the scalar flux with what a sweeper keeps of it, (regions, rows, G)."""
    return np.concatenate([flux[:, None], sweeper.higher], axis=1)


def sources_over_total(sweeper: Sweeper, sums: PinSums, flux: np.ndarray, k: float) -> np.ndarray:
    """Return the sources over total of a flux and what its sweeper keeps of it, (regions, rows, G)."""
    return sweeper.rows_of(sums.source(flux, k), sums.slopes(sweeper.slopes, k))


def parities(order: int) -> np.ndarray:
    """Return what the angular moments are multiplied by when directions are turned round.

    Example:
        >>> parities(2).tolist()
        [1.0, -1.0, -1.0, 1.0, 1.0, 1.0]
    """
    return np.concatenate([np.full(n + 1, (-1.0) ** n) for n in range(order + 1)])


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
    old, sums = solution.sweeper, solution.sums
    settings = Settings(rtol, 1e-2 * rtol, max_steps)
    backward = {name: _turned(m) for name, m in solution.materials.items()}
    order, linear = old.order_of_scattering, old.regions is not None
    ahead, back = (
        Sweeper(sums.lattice, old.tracks, data, (old.sines, old.weights), order, linear)
        for data in (solution.materials, backward)
    )
    turned = PinSums(sums.lattice, backward)
    forward, adjoint = iterate(ahead, sums, settings), iterate(back, turned, settings)
    require_converged(forward.outcome, "the forward problem")
    require_converged(adjoint.outcome, "the adjoint problem")
    lengths = np.zeros((len(old.tracks.segment_length), 0)) if linear else length_slopes(old.tracks)
    return AdjointPair(sums, turned, ahead, back, forward, adjoint, lengths)


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
        worth: (regions, rows, G) flux of a sweep with the multiplier for sources over total.
        multiplier: (regions, rows, G).
        extra: (regions,) what a response itself has by the volumes of regions.
    """
    sums, flux, source = pair.sums, pair.rows, pair.source
    volume = sums.lattice.region_volume[:, None]
    worth_of, multiplier_of = pair.paired(worth), pair.paired(multiplier)
    spread = _spread(pair, source)
    by_total, stretched = _overlap(pair, source, multiplier)
    by_total += volume * np.sum(multiplier_of * (spread - flux) - worth_of * source, axis=1)
    by_volume = np.einsum("rg,rng,rng->r", pair.ahead.region_total, multiplier_of, spread - flux)
    by_volume += 0.0 if extra is None else extra
    parts: Parts = {key: {} for key in KEYS}
    for i, (name, material) in enumerate(zip(sums.lattice.materials, sums.materials, strict=True)):
        rows = sums.lattice.region_material == i
        found = _by_material(material, pair, flux[rows], worth_of[rows] * volume[rows, :, None])
        for key, value in (found | {"total": by_total[rows].sum(axis=0)}).items():
            parts[key][name] = value
    return parts, {} if pair.ahead.regions else _by_radius(sums.lattice, stretched, by_volume)


def _spread(pair: AdjointPair, rows: np.ndarray) -> np.ndarray:
    """Return O times rows."""
    if not pair.ahead.order_of_scattering:
        return rows
    shaped = rows.reshape(len(rows), len(pair.ahead.overlaps), pair.ahead.shapes, -1)
    return np.einsum("mn,rnsg->rmsg", pair.ahead.overlaps, shaped).reshape(rows.shape)


def _by_material(
    material: MultigroupMaterial, pair: AdjointPair, flux: np.ndarray, worth: np.ndarray
) -> dict[str, np.ndarray]:
    """What the rows of its regions have by all data of a material but the total, volumes in the worth."""
    k, shapes, order = pair.multiplication, pair.ahead.shapes, pair.ahead.order_of_scattering
    phi, up = flux[:, :shapes], worth[:, :shapes]
    made = (phi * material.nu_fission).sum(axis=2, keepdims=True)
    passed = np.einsum("rng,rnh->ngh", flux, worth)
    starts = shapes * np.array([n * (n + 1) // 2 for n in range(order + 1)])
    by_order = np.add.reduceat(passed, starts, axis=0)
    return {
        "nu_fission": np.sum((up @ material.chi_matrix.T) * phi, axis=(0, 1)) / k,
        "chi": np.sum(up * made, axis=(0, 1)) / k,
        "scatter": by_order[0],
        "moments": by_order[1:] * (2 * np.arange(1, order + 1) + 1)[:, None, None],
    }


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
    found = np.zeros((threads, len(source), source.shape[2]))
    stretched = np.zeros((threads, *ahead.lattice.shape, slopes.shape[1]))
    most = int(np.max(np.diff(tracks.segment_start))) * (sum(ahead.lattice.shape) + 2)
    totals = (ahead.total[:, None, :] / ahead.sines[:, None]).reshape(len(ahead.total), -1)
    entering = [s.entering_by_group().reshape(len(tracks.walk), 2, -1) for s in (ahead, back)]
    midpoints = ahead.regions.midpoints if ahead.regions else None
    in_slabs(
        overlap_tracks, len(ahead.order), ahead.order, *route(tracks), tracks.segment_start,
        tracks.segment_region, tracks.segment_length, tracks.kind, tracks.base, ahead.lattice.region_material,
        totals, source, multiplier, ahead.harmonics, midpoints, ahead.scales, ahead.weights, ahead.sines,
        *entering, most, slopes, found, stretched, threads=threads,
    )  # fmt: skip
    return found.sum(axis=0), stretched.sum(axis=0)[::-1]
