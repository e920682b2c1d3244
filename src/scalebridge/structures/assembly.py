"""Assembly: B^T stress and B^T C B of all elements, added into a fixed pattern of a sparse matrix."""

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix

from scalebridge.structures.kinematics import Kinematics


@dataclass(frozen=True)
class Assembler:
    """Adds elements up; where each number goes is found once.

    Args:
        kinematics: B, weights and numbers of unknowns.
        slots: (elements x n x n) which stored number of the matrix an element's number is added to.
        columns: of the stored numbers.
        starts: of the rows.
    """

    kinematics: Kinematics
    slots: np.ndarray
    columns: np.ndarray
    starts: np.ndarray

    @classmethod
    def of(cls, kinematics: Kinematics) -> "Assembler":
        """Find the pattern of a mesh."""
        size, dofs = kinematics.unknowns, kinematics.dofs.astype(np.int64)
        keys = (dofs[:, :, None] * size + dofs[:, None, :]).ravel()
        unique, slots = np.unique(keys, return_inverse=True)
        starts = np.searchsorted(unique // size, np.arange(size + 1))
        return cls(kinematics, slots, (unique % size).astype(np.int32), starts.astype(np.int32))

    def force(self, stress: np.ndarray) -> np.ndarray:
        """Return the sum of B^T stress over all points, (unknowns,).

        Args:
            stress: (points, rows) inside rows of the stress.
        """
        return np.bincount(
            self.kinematics.dofs.ravel(), self.element_forces(stress).ravel(), self.kinematics.unknowns
        )

    def element_forces(self, stress: np.ndarray) -> np.ndarray:
        """Return each element's B^T stress, (elements, unknowns of an element)."""
        k = self.kinematics
        weighted = (stress.reshape(*k.weights.shape, -1) * k.weights[..., None]).reshape(len(k.dofs), 1, -1)
        return np.matmul(weighted, k.operator.reshape(len(k.dofs), weighted.shape[2], -1))[:, 0]

    def stiffness(self, tangent: np.ndarray) -> csr_matrix:
        """Return the sum of B^T C B over all points, (unknowns, unknowns).

        Args:
            tangent: (points, rows, rows) inside rows of the tangent.
        """
        k = self.kinematics
        elements, points, rows, size = k.operator.shape
        weighted = tangent.reshape(elements, points, rows, rows) * k.weights[..., None, None]
        moved = np.matmul(weighted, k.operator).reshape(elements, points * rows, size)
        small = np.matmul(k.operator.reshape(elements, points * rows, size).transpose(0, 2, 1), moved)
        data = np.bincount(self.slots, small.ravel(), len(self.columns))
        return csr_matrix((data, self.columns, self.starts), shape=(k.unknowns, k.unknowns))


def condensed(
    answers: np.ndarray, tangents: np.ndarray, kinematics: Kinematics
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Take the rows across the plane out of stresses and tangents.

    With o the rows across and i those inside: C = C_ii - C_io C_oo^-1 C_oi, stress_i - C_io C_oo^-1 stress_o;
    a step d_i inside moves what is across by  -C_oo^-1 (stress_o + C_oi d_i).

    Args:
        answers: (points, k).
        tangents: (points, k, k).
        kinematics: which rows are which.

    Returns:
        stresses (points, rows), tangents (points, rows, rows), and the two parts of the step across, constant
        (points, outside) and by the step inside (points, outside, rows).
    """
    i, o = kinematics.inside, kinematics.outside
    inner = tangents[:, i[:, None], i]
    if not len(o):
        empty = np.zeros((len(answers), 0))
        return answers[:, i], inner, empty, np.zeros((len(answers), 0, len(i)))
    both = np.concatenate([answers[:, o, None], tangents[:, o[:, None], i]], axis=2)
    solved = np.linalg.solve(tangents[:, o[:, None], o], both)
    coupling = tangents[:, i[:, None], o]
    stress = answers[:, i] - np.matmul(coupling, solved[:, :, :1])[..., 0]
    return stress, inner - np.matmul(coupling, solved[:, :, 1:]), -solved[:, :, 0], -solved[:, :, 1:]
