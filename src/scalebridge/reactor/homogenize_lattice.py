"""The plain question: which constants of large regions and few groups keep the rates of the fine solution?

    S_RG = sum over r in R, g in G of s_rg phi_rg V_r / sum of phi_rg V_r

keeps every reaction rate, whatever the flux was; what a coarse model does with the constants is another
matter, and is audited by `audit_rates`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal, get_args

import jax.numpy as jnp
import numpy as np

from scalebridge.core.errors import InputError
from scalebridge.reactor.condensation import FluxCondensation, group_starts
from scalebridge.reactor.constants_sensitivity import constants_sensitivity
from scalebridge.reactor.data_covariance import checked_covariance
from scalebridge.reactor.homogenized_lattice import HomogenizedLattice, constants_checks, rates_of
from scalebridge.reactor.leakage import Leakage, Medium, critical_buckling, in_scatter_diffusion
from scalebridge.reactor.transport_result import TransportSolution

Regions = Literal["pins", "assemblies", "lattice"]


def homogenize_lattice(
    solution: TransportSolution,
    *,
    regions: Regions | Any = "assemblies",
    groups: Sequence[int] | None = None,
    diffusion: Leakage = "inverse-transport",
    covariance: Mapping[Any, Any] | None = None,
) -> HomogenizedLattice:
    """Average cross-sections over regions and groups, so that reaction rates are those of the fine flux.

    Args:
        solution: what `solve_transport` returned.
        regions: "pins", "assemblies", "lattice" (one region), or a map (ny, nx) of numbers from 0, the top
            row first.
        groups: first fine group of each coarse one, from 0: (0, 4) makes two of seven; all kept unless given.
        diffusion: "inverse-transport" (the mean of 1 / (3 transport)), "in-scatter" (order 1 by the group
            that neutrons arrive in), "p1" or "b1" (the same in the spectrum of the critical buckling of the
            whole lattice, which then also weights the groups).
        covariance: of the fine data, by (material, key) with key one of "total" (scattering kept: that of an
            absorption), "nu_fission", "fission", "chi", "scatter": a matrix over the flattened cross-section,
            or relative standard deviations (one, or one each); by (material, key, material, key) a matrix
            between two. The covariance of all constants and of k is then handed up (`uncertainty`), by a
            generalised adjoint solution for each constant.

    Returns:
        `HomogenizedLattice`, with the transfer, and the audit of its rates.

    Raises:
        InputError: a map or groups that cannot be, a lattice that no leakage makes critical, or a covariance
            that is none.

    Limits: keeps rates for the fine flux only; leakage between regions follows from the coarse model, and
        needs equivalence factors to be kept too.
    Cost: one pass over regions and groups; with a covariance some tens to hundreds of sweeps a constant.
    Source: K. S. Smith (1986), Prog. Nucl. Energy 17, 303.

    Example:
        >>> from scalebridge.reactor.solve_transport import solve_transport
        >>> fuel = {"total": [0.5, 0.9], "scatter": [[0.44, 0.02], [0.0, 0.7]], "nu_fission": [0.01, 0.26]}
        >>> fuel |= {"fission": [0.004, 0.1], "chi": [1.0, 0.0]}
        >>> table = {"pitch": 1.0, "pins": {"F": {"material": "fuel"}}, "rows": ["F"]}
        >>> solution = solve_transport(table, {"fuel": fuel}, azimuths=4, spacing=0.2)
        >>> found = homogenize_lattice(solution, regions="lattice", groups=(0,))
        >>> found.passed, found.total.shape
        (True, (1, 1))
    """
    if not isinstance(solution, TransportSolution):
        raise InputError(
            "solution",
            got=type(solution).__name__,
            wanted="a TransportSolution",
            cure="pass solve_transport(...)",
        )
    pins = solution.pins
    labels = region_labels(solution, regions)
    starts = group_starts(groups, pins.flux.shape[2])
    if diffusion not in get_args(Leakage):
        raise InputError(
            "diffusion",
            got=repr(diffusion),
            wanted=", ".join(map(repr, get_args(Leakage))),
            cure="choose one",
        )
    buckling, tilt = _critical(solution, diffusion)
    coarse = np.searchsorted(starts, np.arange(pins.flux.shape[2]), side="right") - 1
    weight = (pins.flux * pins.volume[..., None]).reshape(-1, pins.flux.shape[2]) * tilt
    transfer = FluxCondensation(weight, tuple(labels.ravel().tolist()), tuple(coarse.tolist()))
    diffusive = _diffusion(solution, labels, diffusion, buckling, tilt)
    found = _constants(solution, transfer, labels, starts, diffusive, diffusion, buckling)
    return found if covariance is None else _with_spread(found, covariance)


def _with_spread(found: HomogenizedLattice, covariance: Mapping[Any, Any]) -> HomogenizedLattice:
    """Return constants with their spread; a covariance that is none is refused before the solutions."""
    checked_covariance(covariance, found.solution.materials)
    slopes = constants_sensitivity(found)
    return replace(found, uncertainty=slopes.spread(covariance), checks=(*found.checks, *slopes.checks))


def region_labels(solution: TransportSolution, regions: Any) -> np.ndarray:
    """Return the coarse region of every pin, (ny, nx).

    Raises:
        InputError: it is neither a known word nor a map of numbers from 0.
    """
    rows, columns = solution.lattice.shape
    number = np.arange(rows * columns).reshape(rows, columns)
    high, wide = solution.lattice.assembly
    known = {
        "pins": number,
        "assemblies": number // columns // high * (columns // wide) + number % columns // wide,
        "lattice": 0 * number,
    }
    if isinstance(regions, str) and regions in known:
        return known[regions]
    labels = np.asarray(regions)
    if labels.shape != (rows, columns) or not np.issubdtype(labels.dtype, np.integer):
        raise InputError(
            "regions",
            got=repr(regions)[:60],
            wanted=f"'pins', 'assemblies', 'lattice', or whole numbers for {rows} rows of {columns} pins",
            cure="pass regions='assemblies'",
        )
    if set(labels.ravel().tolist()) != set(range(int(labels.max()) + 1)):
        raise InputError(
            "regions", got="numbers with a gap", wanted="numbers from 0 without one", cure="renumber"
        )
    return labels


def _critical(solution: TransportSolution, diffusion: str) -> tuple[float, np.ndarray]:
    """Critical buckling of the whole lattice, and its spectrum over that of the solution."""
    groups = solution.pins.flux.shape[2]
    if diffusion not in ("p1", "b1"):
        return 0.0, np.ones(groups)
    medium, flux = lattice_medium(solution, np.zeros(solution.lattice.shape, int), 0)
    buckling, critical = critical_buckling(medium, exact=diffusion == "b1")
    tilt = critical / flux
    return buckling, tilt * flux.sum() / critical.sum()


def lattice_medium(solution: TransportSolution, labels: np.ndarray, label: int) -> tuple[Medium, np.ndarray]:
    """Return a region as a homogeneous medium, and its spectrum; order 1 where data have it."""
    sums = solution.sums
    inside = (labels.ravel() == label)[sums.pair_pin]
    rates = sums.integrals(solution.flux)[inside]
    of = sums.pair_material[inside]
    flux = rates.sum(axis=0)
    media = sums.materials
    first = [m.scatter[1] if m.order > 0 and not m.transport_corrected else 0.0 * m.scatter[0] for m in media]
    made = rates * sums.nu_fission[of]
    born = np.einsum("pg,pgh->h", made, sums.chi[of])
    medium = Medium(
        total=(rates * np.stack([m.total for m in media])[of]).sum(axis=0) / flux,
        scatter=(rates[:, :, None] * sums.scatter[of]).sum(axis=0) / flux[:, None],
        first=(rates[:, :, None] * np.stack(first)[of]).sum(axis=0) / flux[:, None],
        nu_fission=made.sum(axis=0) / flux,
        chi=born / (made.sum() or 1.0),
    )
    return medium, flux


def _diffusion(
    solution: TransportSolution, labels: np.ndarray, diffusion: str, buckling: float, tilt: np.ndarray
) -> np.ndarray:
    """Fine-group D of every pin, whose flux-weighted mean is that of the region."""
    pins = solution.pins
    if diffusion == "inverse-transport":
        return 1.0 / (3.0 * pins.transport)
    found = np.empty_like(pins.flux)
    for label in range(int(labels.max()) + 1):
        medium, flux = lattice_medium(solution, labels, label)
        found[labels == label] = in_scatter_diffusion(medium, flux * tilt, buckling, diffusion == "b1")
    return found


def _constants(
    solution: TransportSolution,
    transfer: FluxCondensation,
    labels: np.ndarray,
    starts: tuple[int, ...],
    diffusive: np.ndarray,
    diffusion: str,
    buckling: float,
) -> HomogenizedLattice:
    pins = solution.pins
    count, fine = int(labels.max()) + 1, pins.flux.shape[2]

    def up(field: np.ndarray) -> np.ndarray:
        return np.asarray(transfer.restrict(jnp.asarray(field.reshape(-1, fine))))

    into = np.add.reduceat(pins.scatter, starts, axis=3)
    scatter = np.stack([up(into[..., to]) for to in range(len(starts))], axis=2)
    volume = np.bincount(labels.ravel(), pins.volume.ravel(), count)
    tilted = np.asarray(transfer.weight).reshape(pins.flux.shape)
    made = np.sum(pins.nu_fission * tilted, axis=2)
    born = np.zeros((count, fine))
    np.add.at(born, labels.ravel(), (pins.chi * made[..., None]).reshape(-1, fine))
    births = np.bincount(labels.ravel(), made.ravel(), count)
    chi = np.add.reduceat(born, starts, axis=1) / np.where(births > 0, births, 1.0)[:, None]
    found = HomogenizedLattice(
        labels=labels,
        groups=starts,
        volume=volume,
        flux=np.asarray(transfer.coarse_weight) / volume[:, None],
        total=up(pins.total),
        absorption=up(pins.absorption),
        nu_fission=up(pins.nu_fission),
        fission=up(pins.fission),
        scatter=scatter,
        chi=chi,
        diffusion=up(diffusive),
        leakage=_leakage(pins.current, labels, starts),
        multiplication=solution.multiplication,
        method=diffusion,
        buckling=buckling,
        transport_corrected=all(m.transport_corrected for m in solution.materials.values()),
        group_edges=_edges(solution, starts),
        transfer=transfer,
        solution=solution,
    )
    return found.with_checks(constants_checks(found, rates_of(solution, labels, starts, transfer)))


def _leakage(current: np.ndarray, labels: np.ndarray, starts: tuple[int, ...]) -> np.ndarray:
    out = np.zeros((int(labels.max()) + 1, current.shape[3]))
    np.add.at(out, labels.ravel(), current.sum(axis=2).reshape(-1, current.shape[3]))
    return np.add.reduceat(out, starts, axis=1)


def _edges(solution: TransportSolution, starts: tuple[int, ...]) -> np.ndarray | None:
    known = [m.group_edges for m in solution.materials.values() if m.group_edges is not None]
    return known[0][[*starts, -1]] if known else None
