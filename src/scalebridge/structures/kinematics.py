"""From displacements to loads of the integration points: B of small strains, or displacement gradients.

Small strain: the load is the strain (6,) in Mandel notation. Finite strain: the deformation gradient F (9,),
row by row. In the plane, strains across it are zero (plane strain), or unknowns of each point that make the
stresses across it vanish (plane stress).
"""

from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import skfem

from scalebridge.core.errors import InputError
from scalebridge.structures.solid_mesh import KINDS, SolidMesh

Plane = Literal["strain", "stress"]
_ROOT = np.sqrt(0.5)
_MANDEL = ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))


@dataclass(frozen=True)
class Kinematics:
    """What ties displacements to the loads of integration points.

    Args:
        basis: scikit-fem's basis of displacements.
        operator: (elements, quadrature points, rows, unknowns of an element) B.
        weights: (elements, quadrature points) volumes, m^3 (in the plane: m^2 of a unit thickness).
        dofs: (elements, unknowns of an element) their numbers.
        inside: rows of a load that displacements decide.
        outside: rows of a load that are found from vanishing stresses; empty but for plane stress.
        base: (k,) the load without displacements: zero, or the unit tensor.
        finite: whether loads are deformation gradients.
    """

    basis: Any
    operator: np.ndarray
    weights: np.ndarray
    dofs: np.ndarray
    inside: np.ndarray
    outside: np.ndarray
    base: np.ndarray
    finite: bool

    @property
    def points(self) -> int:
        """Number of integration points."""
        return self.weights.size

    @property
    def unknowns(self) -> int:
        """Number of displacement components."""
        return int(self.basis.N)

    @property
    def places(self) -> np.ndarray:
        """(points, dim) coordinates of the integration points, m."""
        return np.moveaxis(np.asarray(self.basis.global_coordinates()), 0, -1).reshape(self.points, -1)

    def strains(self, u: np.ndarray) -> np.ndarray:
        """Return what displacements add to the inside rows: (points, rows)."""
        found = np.matmul(
            self.operator.reshape(len(self.dofs), -1, self.dofs.shape[1]), u[self.dofs][..., None]
        )
        return found.reshape(self.points, len(self.inside))

    def loads(self, u: np.ndarray, across: np.ndarray) -> np.ndarray:
        """Return the loads (points, k) of displacements and of what was found across the plane."""
        found = np.tile(self.base, (self.points, 1))
        found[:, self.inside] += self.strains(u)
        found[:, self.outside] += across
        return found


def make_kinematics(solid: SolidMesh, order: int, *, finite: bool, plane: Plane) -> Kinematics:
    """Make B of a mesh.

    Args:
        solid: the mesh.
        order: of the displacements, 1 or 2.
        finite: whether loads are deformation gradients.
        plane: "strain" or "stress", for meshes in the plane.

    Raises:
        InputError: an order or a plane that there is not.
    """
    if order not in (1, 2):
        raise InputError("order", got=repr(order), wanted="1 or 2", cure="choose one of them")
    if plane not in get_args(Plane):
        raise InputError("plane", got=repr(plane), wanted="'strain' or 'stress'", cure="choose one of them")
    kind = KINDS[solid.kind]
    element = skfem.ElementVector(kind.elements[order - 1]())
    basis = skfem.Basis(solid.mesh, element, intorder=kind.degrees[order - 1])
    gradients = np.stack([np.asarray(basis.basis[b][0].grad) for b in range(basis.Nbfun)])
    gradients = np.moveaxis(gradients, (3, 4, 1, 2, 0), (0, 1, 2, 3, 4))  # element, point, i, j, unknown
    inside, rows = _rows(solid.dim, finite)
    operator = np.stack([sum(part * gradients[:, :, i, j] for part, i, j in row) for row in rows], axis=2)
    across = np.array([2, 5, 8]) if finite else np.array([2, 3, 4])  # F_i3 (no turn out of the plane); e_i3
    outside = across if solid.dim == 2 and plane == "stress" else np.arange(0)
    return Kinematics(
        basis,
        np.ascontiguousarray(operator),
        np.asarray(basis.dx),
        np.ascontiguousarray(basis.element_dofs.T),
        inside,
        outside,
        np.eye(3).ravel() if finite else np.zeros(6),
        finite,
    )


def _rows(dim: int, finite: bool) -> tuple[np.ndarray, list[list[tuple[float, int, int]]]]:
    """Return the rows of a load that displacements decide, each as a sum of factor x du_i/dx_j."""
    if finite:
        pairs = [(i, j) for i in range(dim) for j in range(dim)]
        return np.array([3 * i + j for i, j in pairs]), [[(1.0, i, j)] for i, j in pairs]
    kept = [row for row, (i, j) in enumerate(_MANDEL) if i < dim and j < dim]
    terms = [[(1.0, i, i)] if i == j else [(_ROOT, i, j), (_ROOT, j, i)] for i, j in _MANDEL]
    return np.array(kept), [terms[row] for row in kept]
