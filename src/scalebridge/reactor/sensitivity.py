"""Derivatives of k by every fine cross-section and radius, from one adjoint solution with the same sweep.

    dk / dp = (lambda . dG / dp) / (phi+ . chi F phi V / k^2),

where G = 0 are the discrete equations themselves, so that the derivative is that of the numbers that were
computed, not of the equation that they stand for. A sweep is its own adjoint with every track run the other
way: adjoint fluxes come from the same sweep with scattering and fission turned round.

Source: G. Aliberti et al. (2006), Ann. Nucl. Energy 33, 700, for the use; the discrete form is derived in the
theory pages.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from scalebridge.core.checks import Check
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

KEYS = ("total", "nu_fission", "chi", "scatter")


@dataclass(frozen=True, eq=False)
class Sensitivity:
    """Derivatives of k, each cross-section taken by itself: 1/(1/cm), of chi a number, of radii 1/cm.

    Args:
        multiplication: k.
        adjoint: (regions, G) adjoint flux.
        total: by material, (G,), scattering and fission kept.
        nu_fission: by material, (G,).
        chi: by material, (G,).
        scatter: by material, (G, G) as [from, to], total kept.
        radius: by cell, one for each radius at which its material changes, of all cells of the name together.
        checks: whether the adjoint problem has the same k, and its balance.
    """

    multiplication: float
    adjoint: np.ndarray
    total: dict[str, np.ndarray]
    nu_fission: dict[str, np.ndarray]
    chi: dict[str, np.ndarray]
    scatter: dict[str, np.ndarray]
    radius: dict[str, np.ndarray]
    checks: tuple[Check, ...]

    @property
    def absorption(self) -> dict[str, np.ndarray]:
        """By an absorption that is added to the total, which is what the total's is: (G,) by material."""
        return self.total

    def density(self, solution: TransportSolution) -> dict[str, float]:
        """Return k' by the relative density of each material: all its cross-sections together.

        Args:
            solution: that the derivatives are of.
        """
        return {
            name: float(
                np.sum(self.total[name] * m.total)
                + np.sum(self.nu_fission[name] * m.nu_fission)
                + np.sum(self.scatter[name] * m.scatter[0])
            )
            for name, m in solution.materials.items()
        }

    def spread(self, covariance: Mapping[tuple[str, str], Any]) -> float:
        """Return the standard deviation of k by covariances of cross-sections (the sandwich rule).

        Args:
            covariance: by material and key ("total", "nu_fission", "chi", "scatter"): square, over the
                flattened cross-section; different ones are taken as independent.

        Raises:
            InputError: a name or shape is unknown, or a matrix is not symmetric and positive semidefinite.
        """
        variance = 0.0
        for (name, key), given in covariance.items():
            if key not in KEYS or name not in self.total:
                raise InputError(
                    "covariance",
                    got=f"({name!r}, {key!r})",
                    wanted=f"a material and one of {KEYS}",
                    cure="correct it",
                )
            slope = getattr(self, key)[name].ravel()
            matrix = np.asarray(given, dtype=float)
            sound = matrix.shape == (slope.size, slope.size) and np.allclose(matrix, matrix.T)
            if not sound or np.linalg.eigvalsh(matrix).min() < -1e-10 * max(np.abs(matrix).max(), 1e-300):
                raise InputError(
                    f"covariance[{name!r}, {key!r}]",
                    got=f"shape {matrix.shape}",
                    wanted=f"a symmetric, positive semidefinite matrix of {slope.size} rows",
                    cure="correct it",
                )
            variance += float(slope @ matrix @ slope)
        return float(np.sqrt(variance))


def k_sensitivity(solution: TransportSolution, *, rtol: float = 1e-9, max_steps: int = 2000) -> Sensitivity:
    """Compute the derivatives of k by all cross-sections of all materials, and by all radii.

    Args:
        solution: of an eigenvalue problem.
        rtol: wanted largest relative change of forward and adjoint fluxes from sweep to sweep.
        max_steps: limit of sweeps of each.

    Raises:
        InputError: the solution is of a given source.
        SolverError: the adjoint problem did not converge.

    Limits: pitches are kept; derivatives by the total are of k with scattering kept. Derivatives by radii are
        of the computed k with the tracks where they are, which jumps where a circle meets another track: they
        are as good as the tracks are close.
    Cost: a forward and an adjoint solution, and one more sweep; nothing an input.

    Example:
        >>> from scalebridge.reactor.solve_transport import solve_transport
        >>> fuel = {"total": [0.5], "scatter": [[0.4]], "nu_fission": [0.12], "chi": [1.0]}
        >>> table = {"pitch": 1.0, "pins": {"F": {"material": "fuel"}}, "rows": ["F"]}
        >>> solution = solve_transport(table, {"fuel": fuel}, azimuths=4, spacing=0.2)
        >>> slopes = k_sensitivity(solution)  # k = nu_fission / (total - scatter) here
        >>> round(float(slopes.total["fuel"][0]), 4), round(float(slopes.nu_fission["fuel"][0]), 4)
        (-12.0, 10.0)
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
    ahead = Sweeper(sums.lattice, old.tracks, solution.materials, (old.sines, old.weights))
    back = Sweeper(sums.lattice, old.tracks, solution.materials, (old.sines, old.weights))
    turned = PinSums(sums.lattice, {name: _turned(m) for name, m in solution.materials.items()})
    forward, adjoint = iterate(ahead, sums, settings), iterate(back, turned, settings)
    require_converged(forward.outcome, "the forward problem")
    require_converged(adjoint.outcome, "the adjoint problem")
    return _assembled(solution, (ahead, back), turned, forward, adjoint)


def _turned(material: MultigroupMaterial) -> MultigroupMaterial:
    """Return a material whose neutrons run backward: [to, from]; nu-fission and chi change places."""
    made, chi = material.nu_fission, material.chi
    if chi.ndim == 2:
        made, chi = np.ones_like(made), (made[:, None] * chi).T
    else:
        made, chi = chi * float(material.fissile), made
    return replace(material, scatter=material.scatter.transpose(0, 2, 1), nu_fission=made, chi=chi)


def _assembled(
    solution: TransportSolution,
    sweepers: tuple[Sweeper, Sweeper],
    turned: PinSums,
    forward: Iterated,
    adjoint: Iterated,
) -> Sensitivity:
    ahead, back = sweepers
    sums, k = solution.sums, forward.multiplication
    volume = sums.lattice.region_volume[:, None]
    flux, worth = forward.swept.flux, adjoint.swept.flux
    source = sums.source(flux, k) / ahead.region_total
    source_adjoint = turned.source(worth, k) / ahead.region_total
    by_total, stretched = _overlap(ahead, back, source, source_adjoint)
    by_total += volume * (source_adjoint * source - worth * source - source_adjoint * flux)
    by_volume = np.sum(source_adjoint * ahead.region_total * (source - flux), axis=1)
    made = np.stack([m.nu_fission for m in sums.materials])[sums.lattice.region_material] * flux
    chi = np.stack([m.chi_matrix for m in sums.materials])[sums.lattice.region_material]
    arrival = np.einsum("rgh,rh->rg", chi, worth)  # what a neutron made by each group is worth
    norm = float(np.sum(volume * made * arrival)) / k**2
    parts: dict[str, dict[str, np.ndarray]] = {key: {} for key in KEYS}
    for i, name in enumerate(sums.lattice.materials):
        rows = sums.lattice.region_material == i
        v, phi, up = volume[rows], flux[rows], worth[rows]
        parts["total"][name] = by_total[rows].sum(axis=0) / norm
        parts["nu_fission"][name] = np.sum(v * arrival[rows] * phi, axis=0) / (k * norm)
        parts["chi"][name] = np.sum(v * up * made[rows].sum(axis=1, keepdims=True), axis=0) / (k * norm)
        parts["scatter"][name] = (v * phi).T @ up / norm
    radius = {name: found / norm for name, found in _by_radius(sums.lattice, stretched, by_volume).items()}
    return Sensitivity(k, worth, **parts, radius=radius, checks=_checks(sums, forward, adjoint))


def _by_radius(found: Lattice, stretched: np.ndarray, by_volume: np.ndarray) -> dict[str, np.ndarray]:
    """Sums over all cells of a name, by its interfaces: of lengths by circles, and of areas."""
    told = {}
    for name in dict.fromkeys(name for row in found.rows for name in row):
        cell, count = found.cells[name], len(found.areas[name])
        here = np.array([[name == other for other in row] for row in found.rows])
        firsts = found.first_region[here]
        areas = by_volume[firsts[:, None] + np.arange(count)].sum(axis=0) @ area_slopes(cell, count)
        circles = areas + stretched[here].sum(axis=0)[: len(areas)]
        told[name] = circles @ circles_by_interfaces(cell) if len(interfaces(cell)) else np.zeros(0)
    return told


def _overlap(
    ahead: Sweeper, back: Sweeper, source: np.ndarray, source_adjoint: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Products of both fluxes along tracks: by total, (regions, G), and circles, (ny, nx, C), top first."""
    tracks, threads = ahead.tracks, ahead.threads
    slopes = length_slopes(ahead.lattice, tracks)
    found = np.zeros((threads, *source.shape))
    stretched = np.zeros((threads, *ahead.lattice.shape, slopes.shape[1]))
    most = int(np.max(np.diff(tracks.segment_start, axis=1))) * (sum(ahead.lattice.shape) + 2)
    totals = (ahead.total[:, None, :] / ahead.sines[:, None]).reshape(len(ahead.total), -1)
    entering = [s.entering_by_group().reshape(len(tracks.walk), 2, -1) for s in (ahead, back)]
    in_slabs(
        overlap_tracks, len(ahead.order), ahead.order, *route(tracks), tracks.segment_start,
        tracks.segment_region, tracks.segment_length, tracks.kind, tracks.base, ahead.lattice.region_material,
        totals, source, source_adjoint, ahead.scales, ahead.weights, ahead.sines, *entering, most, slopes,
        found, stretched, threads=threads,
    )  # fmt: skip
    return found.sum(axis=0), stretched.sum(axis=0)[::-1]


def _checks(sums: PinSums, forward: Iterated, adjoint: Iterated) -> tuple[Check, ...]:
    gap = abs(adjoint.multiplication / forward.multiplication - 1.0)
    meaning = "k of the adjoint problem against k, relative: one matrix, transposed; what iterations leave"
    swept, flux = adjoint.swept, adjoint.swept.flux
    total = np.stack([m.total for m in sums.materials])[sums.lattice.region_material]
    volume = sums.lattice.region_volume[:, None]
    left = swept.vertical[:, -1].sum() - swept.vertical[:, 0].sum()
    left += swept.horizontal[-1].sum() - swept.horizontal[0].sum()
    lost = float(np.sum((total * flux - adjoint.source) * volume) + left)
    balance = abs(lost) / float(np.sum(total * flux * volume))
    return (
        Check("adjoint k", gap, 1e-7, meaning=meaning),
        Check("adjoint balance", balance, 1e-8, meaning="collisions and leakage against sources; rounding"),
    )
