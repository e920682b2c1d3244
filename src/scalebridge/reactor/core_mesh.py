"""The mesh of a coarse core: a box of nodes, some of them empty, cut into finite volumes; and their faces.

Axis 0 runs from west to east, axis 1 from north to south (rows of a map as it is written), axis 2 upwards.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

SIDES = ("west", "east", "south", "north", "bottom", "top")
"""Names of the sides of a node or core, in the order of every array with an axis of faces."""
LOWER_SIDE = np.array([0, 3, 4])
"""Number of the side at the lower end of each axis; that of the y axis is in the north."""
UPPER_SIDE = np.array([1, 2, 5])
"""Number of the side at the upper end of each axis."""


@dataclass(frozen=True)
class CoreMesh:
    """Volumes in a box, numbered with x fastest, and the faces between them.

    Args:
        index: ([nz, ny,] nx) number of the volume at each place, -1 where there is nothing.
        edges: (cells, dim) edge lengths along x, y, z, cm.
        node: (cells,) number of the node that a volume belongs to, in the flattened map of nodes.
        lower: (faces,) volumes on the lower side of the inner faces.
        upper: (faces,) volumes on their upper side.
        axis: (faces,) axis of the inner faces, 0 for x.
        rim: (rims,) volumes at the outer faces.
        side: (rims,) which of `SIDES` an outer face is.
    """

    index: np.ndarray
    edges: np.ndarray
    node: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    axis: np.ndarray
    rim: np.ndarray
    side: np.ndarray

    @property
    def dim(self) -> int:
        """Number of axes."""
        return self.index.ndim

    @property
    def cells(self) -> int:
        """Number of volumes."""
        return len(self.node)

    @property
    def volumes(self) -> np.ndarray:
        """(cells,) volume, or area, or length."""
        return self.edges.prod(axis=1)

    @property
    def areas(self) -> np.ndarray:
        """(faces,) areas of the inner faces; 1 on a line."""
        return self.volumes[self.lower] / self.edges[self.lower, self.axis]

    @property
    def rim_areas(self) -> np.ndarray:
        """(rims,) areas of the outer faces."""
        return self.volumes[self.rim] / self.edges[self.rim, self.side // 2]

    def on_grid(self, values: np.ndarray) -> np.ndarray:
        """Return values of the volumes, (cells, ...), at their places in the box; NaN where nothing is."""
        found = np.full((self.index.size, *values.shape[1:]), np.nan)
        found[self.index.ravel() >= 0] = values
        return found.reshape(*self.index.shape, *values.shape[1:])


def core_mesh(
    nodes: np.ndarray,
    widths: Sequence[np.ndarray],
    counts: Sequence[np.ndarray] | None = None,
    periodic: Sequence[int] = (),
) -> CoreMesh:
    """Cut a map of nodes into volumes.

    Args:
        nodes: ([nz, ny,] nx) region of each node; below zero where there is nothing.
        widths: of the nodes along x, then y, then z, cm.
        counts: into how many volumes the nodes are cut along each axis; 1 by default.
        periodic: axes along which the core repeats.

    Returns:
        the mesh; volumes are numbered in the order of the flattened box.

    Example:
        >>> mesh = core_mesh(np.array([[0, 0], [1, -1]]), [np.array([2.0, 1.0])] * 2)
        >>> mesh.index.tolist(), mesh.volumes.tolist(), mesh.lower.tolist(), mesh.upper.tolist()
        ([[0, 1], [2, -1]], [4.0, 2.0, 2.0], [0, 0], [1, 2])
    """
    dim = nodes.ndim
    cuts = [np.ones(len(w), dtype=int) for w in widths] if counts is None else list(counts)
    fine = [np.repeat(w / c, c) for w, c in zip(widths, cuts, strict=True)]
    number = np.arange(nodes.size).reshape(nodes.shape)
    for axis, cut in enumerate(cuts):
        number = np.repeat(number, cut, axis=dim - 1 - axis)
    there = nodes.ravel()[number] >= 0
    index = np.full(number.shape, -1)
    index[there] = np.arange(np.count_nonzero(there))
    spans = np.meshgrid(*fine[::-1], indexing="ij")[::-1]
    edges = np.stack([span[there] for span in spans], axis=1)
    found = [_faces_along(index, axis, axis in periodic) for axis in range(dim)]
    lower, upper, axis = (np.concatenate([part[i] for part in found]) for i in range(3))
    rim, side = (np.concatenate([part[i] for part in found]) for i in (3, 4))
    return CoreMesh(index, edges, number[there], lower, upper, axis, rim, side)


def _faces_along(index: np.ndarray, axis: int, periodic: bool) -> tuple[np.ndarray, ...]:
    """Return lower, upper, axis of the inner faces; volume and side of the outer ones."""
    place = index.ndim - 1 - axis
    row = np.moveaxis(index, place, -1)
    end = row[..., :1] if periodic else np.full_like(row[..., :1], -1)
    start = row[..., -1:] if periodic else end
    low = np.concatenate([start, row], axis=-1)
    high = np.concatenate([row, end], axis=-1)
    if periodic:  # the face that closes the ring is counted at its end only
        low, high = low[..., 1:], high[..., 1:]
    inner = (low >= 0) & (high >= 0)
    rims_high, rims_low = (low >= 0) & (high < 0), (low < 0) & (high >= 0)
    rim = np.concatenate([high[rims_low], low[rims_high]])
    ends = [LOWER_SIDE[axis], UPPER_SIDE[axis]]
    side = np.repeat(ends, [rims_low.sum(), rims_high.sum()])
    return low[inner], high[inner], np.full(inner.sum(), axis), rim, side
