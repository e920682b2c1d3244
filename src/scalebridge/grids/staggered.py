"""Stokes flow on a staggered grid as matrices: what any discretisation of walls hands to the solver."""

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array


@dataclass(frozen=True)
class StaggeredSystem:
    """Minimise 1/2 x'Ax - b_i'x subject to D x = 0 for each unit force i; K_ij = b_j'x_i / volume.

    Attributes:
        shape: number of voxels along each axis.
        spacing: edges of a voxel, in any unit of length.
        faces: for each axis d the flat numbers (C order) of the voxels whose upper d-face carries an unknown,
            ascending; unknowns are numbered axis after axis.
        cells: flat number of each pressure unknown's voxel, ascending.
        viscous: A, symmetric positive definite, with the walls' term.
        divergence: D, (cells, unknowns), the flux out of each cell.
        loads: b_i, (dim, unknowns).
        volume: of the whole cell.
        slip_slope: S = -dA/d(slip length) of this discretisation, so that dK_ij/d(slip) = x_i' S x_j / volume.
    """

    shape: tuple[int, ...]
    spacing: tuple[float, ...]
    faces: tuple[np.ndarray, ...]
    cells: np.ndarray
    viscous: csr_array
    divergence: csr_array
    loads: np.ndarray
    volume: float
    slip_slope: csr_array | None
