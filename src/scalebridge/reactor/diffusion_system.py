"""The multigroup equations of a coarse core as sparse matrices, factorised group by group.

    leakage + removal phi - scattering in = chi s / k,     s = sum over groups of nu_fission phi

Groups between which neutrons are scattered in both directions are factorised together; the others follow each
other, so that a problem without upscattering costs one small factorisation a group.
"""

from collections.abc import Callable
from dataclasses import dataclass
from graphlib import TopologicalSorter
from typing import Any

import numpy as np
import scipy.sparse as sp
import scipy.sparse.linalg as sparse
from scipy.sparse.csgraph import connected_components

from scalebridge.reactor.core_constants import CoreConstants
from scalebridge.reactor.core_mesh import CoreMesh
from scalebridge.reactor.diffusion_faces import Couplings

Sparse = Any
"""A sparse matrix in rows; SciPy's stubs do not tell its matrices from its arrays."""


@dataclass(frozen=True)
class CoreSystem:
    """Loss, factorised, with production; unknowns are (G, n) with n unknowns a group.

    Args:
        blocks: groups that are factorised together, in the order in which neutrons pass them.
        factors: of each block.
        transfer: (G, G) diagonals, (n, n) matrices or None: scattering [from][to] between blocks.
        spread: chi of each group by unknown as a matrix (n, cells), (G,).
        gather: nu_fission times volume as a matrix (cells, n), (G,).
    """

    blocks: tuple[tuple[int, ...], ...]
    factors: tuple[Any, ...]
    transfer: tuple[tuple[Sparse | None, ...], ...]
    spread: tuple[Sparse, ...]
    gather: tuple[Sparse, ...]

    def solve(self, source: np.ndarray) -> np.ndarray:
        """Return the (G, n) fluxes of (G, n) sources."""
        found = np.zeros_like(source)
        for block, factor in zip(self.blocks, self.factors, strict=True):
            right = [source[g] + self._from(found, g, block) for g in block]
            found[list(block)] = factor.solve(np.concatenate(right)).reshape(len(block), -1)
        return found

    def solve_adjoint(self, source: np.ndarray) -> np.ndarray:
        """Return the (G, n) adjoint fluxes of (G, n) adjoint sources."""
        found = np.zeros_like(source)
        for block, factor in zip(self.blocks[::-1], self.factors[::-1], strict=True):
            right = [source[g] + self._to(found, g, block) for g in block]
            found[list(block)] = factor.solve(np.concatenate(right), "T").reshape(len(block), -1)
        return found

    def source(self, produced: np.ndarray) -> np.ndarray:
        """Return (G, n) sources of (cells,) neutrons produced."""
        return np.stack([spread @ produced for spread in self.spread])

    def produced(self, flux: np.ndarray) -> np.ndarray:
        """Return (cells,) neutrons produced by (G, n) fluxes."""
        return np.sum([gather @ row for gather, row in zip(self.gather, flux, strict=True)], axis=0)

    def generation(self, produced: np.ndarray) -> np.ndarray:
        """Return the neutrons that one generation leaves to the next."""
        return self.produced(self.solve(self.source(produced)))

    def adjoint_source(self, importance: np.ndarray) -> np.ndarray:
        """Return (G, n) adjoint sources of (cells,) importances of neutrons from fission."""
        return np.stack([gather.T @ importance for gather in self.gather])

    def adjoint_generation(self, importance: np.ndarray) -> np.ndarray:
        """Return the transpose of `generation`."""
        found = self.solve_adjoint(self.adjoint_source(importance))
        return np.sum([spread.T @ row for spread, row in zip(self.spread, found, strict=True)], axis=0)

    def _from(self, flux: np.ndarray, g: int, block: tuple[int, ...]) -> np.ndarray:
        found = np.zeros(flux.shape[1])
        for h, row in enumerate(self.transfer):
            if h not in block and row[g] is not None:
                found += row[g] @ flux[h]
        return found

    def _to(self, flux: np.ndarray, g: int, block: tuple[int, ...]) -> np.ndarray:
        found = np.zeros(flux.shape[1])
        for h, matrix in enumerate(self.transfer[g]):
            if h not in block and matrix is not None:
                found += matrix.T @ flux[h]
        return found


def diffusion_system(
    mesh: CoreMesh, constants: CoreConstants, found: Couplings, buckling: float = 0.0
) -> CoreSystem:
    """Return the system of finite volumes with diffusion.

    Args:
        mesh: the mesh.
        constants: of each volume.
        found: currents through the faces.
        buckling: of the direction that the mesh does not have, 1/cm^2.
    """
    volumes = mesh.volumes
    removal = constants.removal + buckling * constants.diffusion
    loss = [
        leakage_matrix(mesh, found, g) + sp.diags(removal[:, g] * volumes) for g in range(constants.groups)
    ]

    def passed(g: int, h: int) -> Sparse | None:
        value = constants.scatter[:, g, h]
        return sp.diags(value * volumes).tocsr() if g != h and value.any() else None

    spread = [sp.diags(constants.chi[:, g]).tocsr() for g in range(constants.groups)]
    gather = [sp.diags(constants.nu_fission[:, g] * volumes).tocsr() for g in range(constants.groups)]
    return factorised(loss, passed, spread, gather)


def factorised(
    loss: list[Sparse],
    passed: Callable[[int, int], Sparse | None],
    spread: list[Sparse],
    gather: list[Sparse],
) -> CoreSystem:
    """Return a system whose blocks of groups are factorised.

    Args:
        loss: (G,) matrices of leakage and removal.
        passed: scattering from a group to another as a matrix, or None.
        spread: see `CoreSystem`.
        gather: see `CoreSystem`.
    """
    groups = len(loss)
    transfer = tuple(tuple(passed(g, h) for h in range(groups)) for g in range(groups))
    blocks = _ordered_blocks(np.array([[m is not None for m in row] for row in transfer]))
    return CoreSystem(
        blocks,
        tuple(_factor(block, loss, transfer) for block in blocks),
        transfer,
        tuple(spread),
        tuple(gather),
    )


def leakage_matrix(mesh: CoreMesh, found: Couplings, group: int) -> Sparse:
    """Return the matrix that gives what leaves each volume in one group."""
    low, up, areas = mesh.lower, mesh.upper, mesh.areas
    down, high = found.lower[:, group] * areas, found.upper[:, group] * areas
    rows = np.concatenate([low, low, up, up, mesh.rim])
    columns = np.concatenate([low, up, low, up, mesh.rim])
    values = np.concatenate([down, -high, -down, high, found.rim[:, group] * mesh.rim_areas])
    return sp.csr_matrix((values, (rows, columns)), shape=(mesh.cells, mesh.cells))


def _ordered_blocks(passed: np.ndarray) -> tuple[tuple[int, ...], ...]:
    """Return groups that scatter into each other together, and those that are scattered from first."""
    count, label = connected_components(passed, directed=True, connection="strong")
    before: dict[int, set[int]] = {block: set() for block in range(count)}
    for g, h in np.argwhere(passed):
        if label[g] != label[h]:
            before[int(label[h])].add(int(label[g]))
    order = TopologicalSorter(before).static_order()
    return tuple(tuple(int(g) for g in np.flatnonzero(label == block)) for block in order)


def _factor(block: tuple[int, ...], loss: list[Sparse], transfer: Any) -> Any:
    if len(block) == 1:
        return _symmetric_factor(loss[block[0]])
    rows = [
        [loss[g] if g == h else (None if transfer[h][g] is None else -transfer[h][g]) for h in block]
        for g in block
    ]
    return _symmetric_factor(sp.bmat(rows))


def _symmetric_factor(matrix: Sparse) -> Any:
    """Factorise a diagonally dominant matrix, with an order for its symmetric pattern."""
    return sparse.splu(
        matrix.tocsc(), permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options={"SymmetricMode": True}
    )
