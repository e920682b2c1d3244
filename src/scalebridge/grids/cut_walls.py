"""Nitsche's wall term: a slip condition that stays consistent and definite from no slip to perfect slip.

With n out of the fluid, the traction s = 2 D n, its tangential part P s and normal part n.s, a depth g of a
fraction of a voxel, and slip length l, the walls add to the dissipation's form

    int_wall  |P u - g P s|^2 / (l + g)  -  g |P s|^2  +  (n.u - g' n.s)^2 / g'  -  g' (n.s)^2,   g' = g / 2.

Written out this is Nitsche's method for the Robin condition P u = -l P s after Juntunen and Stenberg, and for
n.u = 0: the exact solution satisfies it, for any g, and its derivative with respect to l is
-int |P u - g P s|^2 / (l + g)^2. The terms with a minus sign are kept below the dissipation, piece of wall
by piece, by the choice of g: as deep as that allows, walls are least stiff and bodies of few voxels brake
least. The normal part is needed where walls are curved and slip: a cell's balance alone would trade flow
through the wall against dilatation of its cut voxel.

Source: M. Juntunen and R. Stenberg (2009), Math. Comput. 78, 1353, doi:10.1090/S0025-5718-08-02183-2.
"""

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array, diags_array

from scalebridge.grids.cut_operators import Entries, Strains, WallPieces

_DEEPEST = 0.25  # of a voxel's least edge; deeper is not more accurate, shallower makes stiffer systems
_SHALLOWEST, _SLIVER = 0.01, 0.1  # of the same; less is a sliver's, which then has the second
_SPENT = 0.9  # of the dissipation, at most, may be taken by the terms with a minus sign; less is stiffer


@dataclass(frozen=True)
class WallRows:
    """What the wall term is made of; rows are over all velocities.

    Attributes:
        slip: (pieces * dim, unknowns), P u - g P s.
        drag: (pieces * dim, unknowns), P s.
        leak: (pieces, unknowns), n.u - g' n.s.
        push: (pieces, unknowns), n.s.
        areas: (pieces,) of the pieces of wall.
        depths: (pieces,) g.
        labels: (pieces,) which wall.
    """

    slip: csr_array
    drag: csr_array
    leak: csr_array
    push: csr_array
    areas: np.ndarray
    depths: np.ndarray
    labels: np.ndarray

    @property
    def dim(self) -> int:
        """Number of axes."""
        return (self.slip.indptr.size - 1) // self.areas.size

    def slipping(self, weights: np.ndarray) -> csr_array:
        """Return the form  sum over pieces of  weight |P u - g P s|^2."""
        return squares(self.slip, np.repeat(weights, self.dim))

    def fixed(self) -> csr_array:
        """Return the part of the form that does not depend on the slip length."""
        half, each = self.depths / 2, np.repeat(self.areas * self.depths, self.dim)
        closing = squares(self.leak, self.areas / half) - squares(self.push, self.areas * half)
        return csr_array(closing - squares(self.drag, each))


def wall_rows(pieces: WallPieces, strain: Strains, voxel_volume: float, least_edge: float) -> WallRows:
    """Return the wall term of pieces of wall among given strains."""
    depths = np.minimum(_DEEPEST * least_edge, _safe_depths(pieces, strain, voxel_volume))
    # In a sliver there is no strain to take a traction from: its wall holds the velocity as a plain penalty.
    sound = depths >= _SHALLOWEST * least_edge
    depths = np.where(sound, depths, _SLIVER * least_edge)
    known = diags_array(np.repeat(sound.astype(float), pieces.normals.shape[1]))
    traction = known @ _tractions(pieces, strain) @ (pieces.averages @ strain.matrix)
    across, along = projections(pieces.normals)
    drag, push = csr_array(along @ traction), csr_array(across @ traction)
    each = np.repeat(depths, pieces.normals.shape[1])
    slip = csr_array(along @ pieces.velocity - diags_array(each) @ drag)
    leak = csr_array(across @ pieces.velocity - diags_array(depths / 2) @ push)
    return WallRows(slip, drag, leak, push, pieces.areas, depths, pieces.labels)


def squares(rows: csr_array, weights: np.ndarray) -> csr_array:
    """Return the form  sum of weight (row . x)^2.

    Example:
        >>> squares(csr_array(np.array([[1.0, -1.0]])), np.array([2.0])).toarray().tolist()
        [[2.0, -2.0], [-2.0, 2.0]]
    """
    used = weights != 0
    if not used.all():
        rows, weights = csr_array(rows[used]), weights[used]
    return csr_array(rows.T @ (diags_array(weights) @ rows))


def _safe_depths(pieces: WallPieces, strain: Strains, voxel_volume: float) -> np.ndarray:
    """Return depths at which the wall takes no more than its share of any strain's dissipation.

    |P s|^2 + (n.s)^2 / 2 is at most 4 D:D, and each averaged strain's square at most the average of squares.
    """
    averages = pieces.averages
    families = (averages.indptr.size - 1) // max(pieces.areas.size, 1)
    demand = averages.T @ np.repeat(2.0 * pieces.areas, families) / (strain.shares * voxel_volume)
    used = averages.copy()
    used.data = demand[used.indices]
    most = used.max(axis=1).toarray().reshape(pieces.areas.size, families).max(axis=1)
    return _SPENT / most


def _tractions(pieces: WallPieces, strain: Strains) -> csr_array:
    """Return the map from the families' strains at each piece to its traction 2 D n."""
    count, dim = pieces.normals.shape
    families = list(strain.numbers)
    entries, at = Entries((count * dim, count * len(families))), np.arange(count)
    for place, family in enumerate(families):
        column = at * len(families) + place
        if len(family) == 1:
            entries.add(at * dim + family[0], column, 2 * pieces.normals[:, family[0]])
        else:
            for a, b in (family, family[::-1]):
                entries.add(at * dim + a, column, pieces.normals[:, b])
    return entries.matrix()


def projections(normals: np.ndarray) -> tuple[csr_array, csr_array]:
    """Return n. and P = 1 - n n. on vectors at pieces of wall, as (pieces, pieces dim) and its square."""
    count, dim = normals.shape
    at, shape = np.arange(count), (count * dim, count * dim)
    across, along = Entries((count, count * dim)), Entries(shape)
    for a in range(dim):
        across.add(at, at * dim + a, normals[:, a])
        for b in range(dim):
            along.add(at * dim + a, at * dim + b, float(a == b) - normals[:, a] * normals[:, b])
    return across.matrix(), along.matrix()
