"""Local fields of a cell in a committed state, and the energies that are checked on them.

Here every phase owns points, the linear ones too: what is measured is computed afresh, by another way than
the solver's.
"""

from dataclasses import dataclass

import numpy as np

from scalebridge.cells.path_cell import CellState, PathCell
from scalebridge.cells.path_points import PointLaws, States
from scalebridge.grids.point_layout import PointLayout, point_layout
from scalebridge.grids.point_operators import PointOperators


@dataclass(frozen=True)
class PointFields:
    """Strains, stresses and stored energy at all points of a cell.

    Args:
        layout: where the points are.
        components: 6 or 9.
        strains, stresses: flat, phase by phase (components, points).
        stored: mean stored energy, J/m^3.
        states: internal variables of each phase.
    """

    layout: PointLayout
    components: int
    strains: np.ndarray
    stresses: np.ndarray
    stored: float
    states: States

    def work(self, other: "PointFields") -> float:
        """Return the mean work by the mean of two states' stresses on the change from the other's strains."""
        change = self.strains - other.strains
        return float(np.vdot(0.5 * (self.stresses + other.stresses), change)) / self.layout.points

    def end_work(self, other: "PointFields") -> float:
        """Return the mean work by this state's stresses on the change from the other's strains."""
        return float(np.vdot(self.stresses, self.strains - other.strains)) / self.layout.points

    def voxel_means(self) -> dict[str, np.ndarray]:
        """Return strain, stress and internal variables averaged over each voxel, (components, x, y, z).

        Variables that a phase does not know are NaN in its voxels.
        """
        found = {
            "strain": self._means(
                [self.layout.block(self.strains, p, self.components) for p in self._phases]
            ),
            "stress": self._means(
                [self.layout.block(self.stresses, p, self.components) for p in self._phases]
            ),
        }
        for name in sorted({name for state in self.states for name in state}):
            shape = next(state[name].shape[:-1] for state in self.states if name in state)
            parts = [self._flat(state.get(name), phase, shape) for phase, state in enumerate(self.states)]
            found[name] = self._means(parts)
        return found

    @property
    def _phases(self) -> range:
        return range(len(self.layout.counts))

    def _flat(self, values: np.ndarray | None, phase: int, shape: tuple[int, ...]) -> np.ndarray:
        size, rows = self.layout.size(phase), int(np.prod(shape, dtype=int))
        return np.full((rows, size), np.nan) if values is None else values.reshape(rows, size)

    def _means(self, blocks: list[np.ndarray]) -> np.ndarray:
        rows = len(blocks[0])
        out = np.empty((rows, int(np.prod(self.layout.shape))))
        of_voxel = self._phase_of_voxel()
        for phase, block in enumerate(blocks):
            out[:, of_voxel == phase] = block.reshape(rows, 8, -1).mean(axis=1)
        return out.reshape(rows, *self.layout.shape)

    def _phase_of_voxel(self) -> np.ndarray:
        runs = self.layout.runs
        return np.repeat(runs[:, 2], runs[:, 1] - runs[:, 0])


class FieldReader:
    """Reads the fields of committed states of a cell.

    Args:
        cell: the cell.
    """

    def __init__(self, cell: PathCell):
        self._cell = cell
        count = len(cell.laws)
        self._layout = point_layout(cell.index, count, [True] * count)
        self._operators = PointOperators(self._layout, cell.medium.operators.spacing, 9 if cell.finite else 6)
        self._laws = PointLaws(cell.laws, self._layout, cell.medium.operators.spacing, cell.edge)

    def read(self, state: CellState) -> PointFields:
        """Return the fields of a state.

        The stress is that of the strains and the internal variables at rest in time: a step of no duration
        from a state to itself.
        """
        states = self._cell.internal(state)
        strains = self._operators.strains(state["u"] / self._cell.edge, state["load"])
        stress = np.empty_like(strains)
        self._laws.respond(strains, states, 0.0, stress)
        stored = self._laws.energy(strains, states) / self._layout.points
        return PointFields(self._layout, self._operators.components, strains, stress, stored, states)
