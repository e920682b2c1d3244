"""A permeability by a slip length that differs from place to place on the walls, differentiable by each.

The walls take |P w|^2 / s(x), and at the solved fields nothing else changes: dK_ij/ds(x) is the density
t_i.t_j on the walls of the tangential tractions, for all pieces of wall at once and without a further solve.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Array

from scalebridge.cells.permeability_traced import differentiable_point
from scalebridge.cells.smooth_walls import moving_walls, piece_solver
from scalebridge.core.errors import InputError
from scalebridge.grids.cut_system import CutCell
from scalebridge.grids.walls import PoreGeometry


@dataclass(frozen=True)
class SlipField:
    """Pores whose walls have a slip length at every place; called with these, it gives the permeability.

    Args:
        cell: the cut cell.
        rtol: wanted relative error of the tensor; derivatives err by its root.
        max_steps: limit of iterations.

    Attributes:
        points: (pieces, dim) where the pieces of wall are, in metres.
        areas: (pieces,) of the pieces, m^2 (in 2-D m).
        labels: (pieces,) of the walls.
    """

    cell: CutCell
    rtol: float
    max_steps: int

    @property
    def points(self) -> np.ndarray:
        return self.cell.pieces.points[self.cell.own]

    @property
    def areas(self) -> np.ndarray:
        return self.cell.pieces.areas[self.cell.own]

    @property
    def labels(self) -> np.ndarray:
        return self.cell.pieces.labels[self.cell.own]

    def __call__(self, slips: Any) -> Array:
        """Return the permeability, (dim, dim) in m^2, of which JAX takes derivatives once.

        Args:
            slips: (pieces,) slip lengths at the pieces of wall, in metres, finite and not negative.
        """
        solve = piece_solver(self.cell, rtol=self.rtol, max_steps=self.max_steps)
        return differentiable_point(solve, self.cell.grid.dim, slips)

    def recession(self, slips: Any, rates: Any = None) -> np.ndarray:
        """Return what walls that recede into the solid do to the permeability, (dim, dim) in m.

        Args:
            slips: (pieces,) slip lengths, which the walls take along.
            rates: (pieces,) how fast each piece recedes, constant on each connected wall, as of the walls of
                one label: `(walls.labels == 2).astype(float)`; all alike unless given.

        Raises:
            InputError: slips or rates that do not fit the pieces of wall.
            SolverError: the solver did not converge.

        Limits: of first order in the voxel's size, as in `recession_slope`: a channel of 16 voxels is off by
            -4 to 9 %, by where its walls cut their voxels. Where walls of different rates touch, what their
            edge gives is left out; rates that change smoothly are for `level_set_permeability`.

        Cost: a solve.

        Example:
            >>> from scalebridge.grids.pore_shapes import Channel
            >>> walls = slip_field(Channel(0.5, (1.0, 1.0), across=(0, 1)), (2, 65))
            >>> slope = walls.recession(np.full(len(walls.areas), 0.1))
            >>> bool(abs(slope[0, 0] / (0.5**2 / 2 + 2 * 0.5 * 0.1) - 1) < 0.03)  # of H^3/12 + H^2 s/2
            True
        """
        lengths = np.asarray(slips, dtype=float)
        speed = np.ones(self.cell.own.size) if rates is None else np.asarray(rates, dtype=float)
        if speed.shape != self.cell.own.shape or not np.all(np.isfinite(speed)):
            raise InputError(
                "rates",
                got=f"an array of shape {speed.shape}",
                wanted=f"finite numbers, one for each of {self.cell.own.size} pieces of wall",
                cure="take them by `labels` or at `points`",
            )
        moved = moving_walls(self.cell, lengths, rtol=self.rtol, max_steps=self.max_steps)[1]
        return np.tensordot(speed, moved, axes=1)


def slip_field(
    geometry: PoreGeometry,
    cells: int | Sequence[int],
    *,
    mirrored: bool = False,
    rtol: float = 1e-10,
    max_steps: int = 2000,
) -> SlipField:
    """Cut the walls of pores once, for slip lengths that differ from place to place.

    -div 2 D(w_i) + grad pi_i = e_i, div w_i = 0, and on walls n.w_i = 0 and P w_i = -s(x) P 2 D(w_i) n. A
    field s of any parameters is a JAX function of `points`; `jax.grad` then goes through the permeability to
    them.

    Arguments, limits and errors are those of `geometry_permeability`.

    Cost: a solve for value and all derivatives together.

    Example:
        >>> import jax
        >>> from scalebridge.grids.pore_shapes import Channel
        >>> walls = slip_field(Channel(0.5, (1.0, 1.0), across=(0, 1)), (2, 8))
        >>> slope = jax.grad(lambda s: walls(s)[0, 0])(np.full(len(walls.areas), 0.1))
        >>> round(float(slope.sum()), 4)  # h^2/2 of the open half: both walls recede together
        0.125
    """
    return SlipField(CutCell(geometry, cells, mirrored=mirrored), rtol, max_steps)
