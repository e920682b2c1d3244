"""Coarse-mesh finite differences: diffusion on the pins, made to have the currents of the last sweep.

    sum over faces of J + removal phi V = scattering in + chi F phi / k,
    J = -d (phi_right - phi_left) + c (phi_right + phi_left),

where c is such that the sweep's own fluxes give the sweep's own currents. At convergence nothing is changed;
on the way there, errors that sweeps remove slowly are removed at once.

Source: K. S. Smith (1983), Trans. Am. Nucl. Soc. 44, 265; the addition to d that keeps thick cells stable
is the artificial diffusion of A. Zhu et al. (2016), Ann. Nucl. Energy 95, 116, table 1.
"""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from scipy.sparse.linalg import splu

from scalebridge.reactor.pin_sums import PinSums
from scalebridge.reactor.sweep import Swept

_ARTIFICIAL = (
    -5.542780e-02,
    8.740501e-02,
    -2.152599e-02,
    3.145553e-03,
    -2.683648e-04,
    1.222516e-05,
    -2.284879e-07,
)
_MOST = 400


@dataclass(frozen=True, eq=False)
class CoarseMesh:
    """A coarse problem in the pins' constants; cells along rows from the bottom left.

    Args:
        loss: by group, factorised leakage plus removal.
        scatter: (cells, G, G) integrated over each cell, [from, to], without its diagonal.
        production: (cells, G) nu-fission integrated.
        chi: (cells, G).
        flux: (cells, G) of the sweep.
        fixed: (cells, G) given source; zeros in an eigenvalue problem.
    """

    loss: list
    scatter: np.ndarray
    production: np.ndarray
    chi: np.ndarray
    flux: np.ndarray
    fixed: np.ndarray

    def solve(self, multiplication: float, rtol: float, eigenvalue: bool) -> tuple[float, np.ndarray]:
        """Iterate to k and fluxes, (cells, G), from those of the sweep."""
        flux, k = self.flux.copy(), multiplication
        source = np.sum(self.production * flux, axis=1)
        for _ in range(_MOST):
            self._groups(flux, self.chi * source[:, None] / k + self.fixed)
            found = np.sum(self.production * flux, axis=1)
            change = np.linalg.norm(found - source) if np.any(found) else 0.0
            if eigenvalue:
                k *= float(found.sum() / source.sum())
            scale = float(np.linalg.norm(found))
            source = found
            if change <= rtol * scale:
                break
        return k, flux

    def _groups(self, flux: np.ndarray, fission: np.ndarray) -> None:
        """Solve every group in turn, the way most neutrons go, and again those that they come back into."""
        count = flux.shape[1]
        moved = self.scatter.sum(axis=0)
        down = np.triu(moved).sum() >= np.tril(moved).sum()
        order = list(range(count)) if down else list(range(count))[::-1]
        later = [i for i, g in enumerate(order) if np.any(moved[order[i + 1 :], g])]
        for g in order + (order[later[0] :] if later else []):
            arriving = np.einsum("ch,ch->c", self.scatter[:, :, g], flux)
            flux[:, g] = self.loss[g].solve(arriving + fission[:, g])


def coarse_mesh(
    sums: PinSums, swept: Swept, fixed: np.ndarray | None = None, starts: tuple[int, ...] | None = None
) -> CoarseMesh:
    """Make the coarse problem that has a sweep's fluxes and currents.

    Args:
        sums: of the lattice.
        swept: the last sweep.
        fixed: (regions, G) given source per cm^3.
        starts: first fine group of each group of the coarse problem; all are kept unless given.
    """
    rows, starts = sums.lattice.shape[0], tuple(range(sums.groups)) if starts is None else starts
    faces = swept.vertical, swept.horizontal
    vertical, horizontal = (np.add.reduceat(current, starts, axis=-1) for current in faces)
    rates = sums.integrals(swept.flux)
    volume = sums.lattice.cell_volume[::-1].ravel()
    inflow = rates[:, :, None] * sums.scatter[sums.pair_material]
    made = rates * sums.nu_fission[sums.pair_material]
    born = np.einsum("pg,pgh->ph", made, sums.chi[sums.pair_material])
    total = np.stack([m.total for m in sums.materials])[sums.pair_material] * rates
    inflow = np.add.reduceat(inflow, starts, axis=1)
    fine = (rates, inflow, made, born, total)
    parts = [_from_bottom(sums.of_pins(np.add.reduceat(part, starts, axis=-1)), rows) for part in fine]
    integral, inflow, made, born, total = parts
    flux = integral / volume[:, None]
    total = total / integral
    removal = total - np.einsum("cgg->cg", inflow) / integral
    inflow = inflow / flux[:, :, None]
    inflow[:, range(len(starts)), range(len(starts))] = 0.0
    births = made.sum(axis=1, keepdims=True)  # as the data have it: a spectrum may miss one by rounding
    loss = [
        splu(
            _leakage(sums, (vertical[..., g], horizontal[..., g]), flux[:, g], total[:, g])
            + sp.diags(removal[:, g] * volume, format="csc")
        )
        for g in range(len(starts))
    ]
    given = np.zeros_like(flux)
    if fixed is not None:
        emitted = np.add.reduceat(fixed * sums.lattice.region_volume[:, None], starts, axis=-1)
        given = _from_bottom(sums.region_sums(emitted), rows)
    return CoarseMesh(loss, inflow, made / flux, born / np.where(births > 0, births, 1.0), flux, given)


def to_regions(sums: PinSums, field: np.ndarray) -> np.ndarray:
    """Return a field of cells from the bottom left as one of regions."""
    rows, columns = sums.lattice.shape
    return field.reshape(rows, columns, -1)[::-1].reshape(rows * columns, -1)[sums.lattice.region_pin]


def _from_bottom(field: np.ndarray, rows: int) -> np.ndarray:
    shaped = field.reshape(rows, -1, *field.shape[1:])[::-1]
    return shaped.reshape(field.shape)


def _leakage(
    sums: PinSums, currents: tuple[np.ndarray, np.ndarray], flux: np.ndarray, total: np.ndarray
) -> sp.csc_matrix:
    """Net leakage of every cell by the fluxes of cells, one group."""
    rows, columns = sums.lattice.shape
    phi, sigma = flux.reshape(rows, columns), total.reshape(rows, columns)
    number = np.arange(rows * columns).reshape(rows, columns)
    widths, heights = np.array(sums.lattice.widths), np.array(sums.lattice.heights[::-1])
    blocks = []
    for current, axis, step, face in ((currents[0], 1, widths, heights), (currents[1], 0, heights, widths)):
        first = [np.moveaxis(field, axis, 0) for field in (phi, sigma, number, current)]
        blocks += _faces(first[0], first[1], first[2], first[3], step, face)
    row, column, value = (np.concatenate([b[i].ravel() for b in blocks]) for i in range(3))
    return sp.csc_matrix((value, (row, column)), shape=(rows * columns, rows * columns))


def _faces(
    phi: np.ndarray,
    sigma: np.ndarray,
    number: np.ndarray,
    current: np.ndarray,
    step: np.ndarray,
    face: np.ndarray,
):
    """Entries of the matrix for the faces across one axis, which comes first in all arrays."""
    step = step[:, None]
    resistance = step / (1.0 / (3.0 * sigma) + _artificial(sigma * step) * step)
    couple = face * 2.0 / (resistance[:-1] + resistance[1:])
    inner = current[1:-1]
    correction = (inner + couple * (phi[1:] - phi[:-1])) / (phi[1:] + phi[:-1])
    a, b = number[:-1], number[1:]
    from_low, from_high = couple + correction, -couple + correction
    return [
        (a, a, from_low),
        (a, b, from_high),
        (b, a, -from_low),
        (b, b, -from_high),
        (number[-1], number[-1], current[-1] / phi[-1]),
        (number[0], number[0], -current[0] / phi[0]),
    ]


def _artificial(depth: np.ndarray) -> np.ndarray:
    polynomial = sum(c * np.clip(depth, 1.0, 14.0) ** i for i, c in enumerate(_ARTIFICIAL))
    return np.where(depth < 1.0, 0.0, np.where(depth > 14.0, 0.127, polynomial))
