"""Which directions a set of phases connects through, on a box with faces or on the periodic torus."""

import itertools
from dataclasses import dataclass

import numpy as np
from scipy import ndimage
from scipy.sparse import csr_array
from scipy.sparse.csgraph import breadth_first_order, connected_components

from scalebridge.core.errors import ImageError
from scalebridge.grids.image import slabs


@dataclass(frozen=True, eq=False)
class Percolation:
    """How a set of voxels is connected.

    A periodic set conducts in a direction d only if a path through it leads from a voxel to one of its
    copies in another cell, and the displacement w between them, counted in whole cells, has w . d != 0.
    All such displacements of a cluster form a lattice of integer vectors. Its rank says in how many
    dimensions the cluster extends: a channel at 45 degrees winds around x and y together, w = (1, 1),
    and has rank 1, so that the effective conductivity is positive along both axes and yet zero along (1, -1).

    Attributes:
        directions: for each axis whether some cluster percolates along it.
        winding: basis of the lattice of all winding clusters together, shape (rank, dim), integers in
            Hermite normal form: the first nonzero number in a row is positive and stands right of that of
            the row above. Shape (0, dim) when nothing winds, and always for a box that is not periodic.
        cluster_windings: such a basis for each kind of winding cluster; clusters with one basis count once.
        clusters: number of clusters, those that percolate and those that do not.
        connected_fraction: share of the set's voxels in clusters that percolate along some axis.
        connected_along: the same for each axis.
    """

    directions: tuple[bool, ...]
    winding: np.ndarray
    cluster_windings: tuple[np.ndarray, ...]
    clusters: int
    connected_fraction: float
    connected_along: tuple[float, ...]


def percolation(mask: np.ndarray, *, periodic: bool = True, connectivity: int = 1) -> Percolation:
    """Find the directions along which a set of voxels percolates.

    In a box with faces a cluster percolates along an axis if it touches both faces across it. In a periodic
    box it must wind around the torus; touching both faces at different places does not suffice.

    Args:
        mask: booleans, shape (x, y) or (x, y, z): the set, such as `image.mask(0)`.
        periodic: whether opposite faces are joined.
        connectivity: 1 joins voxels with a common face, 2 also those with a common edge, and the number of
            axes also those with a common corner. Finite volumes conduct through faces only (1); trilinear
            elements conduct through corners as well.

    Returns:
        directions, winding lattice, number of clusters and connected share.

    Raises:
        ImageError: not booleans, not 2-D or 3-D, empty, or an impossible connectivity.

    Cost: O(N) for N voxels, about 6 bytes a voxel; 128^3 in about 0.1 s, 400^3 in a few seconds.

    Source: clusters within the box by two-pass labelling (scipy.ndimage.label); winding by potentials on the
        graph of clusters, as J. Machta et al. (1996), Phys. Rev. E 54, 1332, test it while clusters grow,
        doi:10.1103/PhysRevE.54.1332.

    Example:
        >>> diagonal = np.eye(4, dtype=bool) | np.roll(np.eye(4, dtype=bool), 1, axis=1)
        >>> found = percolation(diagonal)
        >>> found.directions, found.winding.tolist()
        ((True, True), [[1, 1]])
    """
    clusters, bits, count, lattices = _analysed(mask, periodic, connectivity)
    dim = clusters.ndim
    # Voxels by the set of axes along which their cluster percolates; table[0] also counts the background.
    table = np.zeros(1 << dim, dtype=np.int64)
    for slab in slabs(clusters):
        table += np.bincount(bits[slab].ravel(), minlength=table.size)
    total = int(np.count_nonzero(mask))
    along = tuple(
        float(sum(table[code] for code in range(table.size) if code >> axis & 1) / max(total, 1))
        for axis in range(dim)
    )
    return Percolation(
        directions=tuple(share > 0 for share in along),
        winding=_lattice_basis([row for basis in lattices for row in basis], dim),
        cluster_windings=tuple(np.array(basis, dtype=np.int64) for basis in lattices),
        clusters=count,
        connected_fraction=float(table[1:].sum() / max(total, 1)),
        connected_along=along,
    )


def percolating_fraction(
    mask: np.ndarray, *, periodic: bool = True, connectivity: int = 1
) -> tuple[float, ...]:
    """Return for each axis the share of a set's voxels in clusters that percolate along it, 0 to 1.

    Arguments, errors and cost are those of `percolation`. An empty set gives zeros.

    Example:
        >>> mask = np.array([[1, 1, 1, 1], [0, 0, 0, 0], [1, 0, 0, 0], [0, 0, 0, 0]], dtype=bool)
        >>> percolating_fraction(mask)
        (0.0, 0.8)
    """
    return percolation(mask, periodic=periodic, connectivity=connectivity).connected_along


def isolated(mask: np.ndarray, *, periodic: bool = True, connectivity: int = 1) -> np.ndarray:
    """Return the voxels of a set whose clusters percolate nowhere, such as closed pores.

    They carry no mean flux. Where nothing around them conducts, the cell problem is singular on them, and
    removing them before a run takes nothing from the answer. Arguments, errors and cost are those of
    `percolation`.

    Returns:
        booleans of the mask's shape.

    Example:
        >>> mask = np.array([[1, 1, 1, 1], [0, 0, 0, 0], [1, 0, 0, 0], [0, 0, 0, 0]], dtype=bool)
        >>> np.argwhere(isolated(mask)).tolist()
        [[2, 0]]
    """
    clusters, bits, _, _ = _analysed(mask, periodic, connectivity)
    dead = bits == 0
    dead[0] = False
    return np.concatenate([dead[slab] for slab in slabs(clusters)])


def winding_parts(
    start: np.ndarray, end: np.ndarray, shift: np.ndarray, nodes: int
) -> tuple[np.ndarray, np.ndarray]:
    """Find the parts of a periodic graph that wind around its cell; what does not is closed in itself.

    Args:
        start: numbers of the nodes where links begin.
        end: where they end.
        shift: (links, dim) cells that each crosses on its way.
        nodes: number of nodes.

    Returns:
        the part of each node, and for each part whether it winds.

    Example:
        >>> start, end, shift = np.array([0, 1, 2]), np.array([1, 0, 2]), np.array([[0], [1], [0]])
        >>> part, winds = winding_parts(start, end, shift, 3)
        >>> part.tolist(), winds.tolist()
        ([0, 0, 1], [True, False])
    """
    number, part, potential = _potentials(start, end, shift, nodes)
    turns = (potential[start] + shift - potential[end]).any(axis=1)
    winds = np.zeros(number, dtype=bool)
    winds[part[start[turns]]] = True
    return part, winds


_Basis = tuple[tuple[int, ...], ...]


def _analysed(
    mask: np.ndarray, periodic: bool, connectivity: int
) -> tuple[np.ndarray, np.ndarray, int, list[_Basis]]:
    """Label clusters within the box; return labels, each label's axes as bits, cluster count and lattices."""
    _check_mask(mask, connectivity)
    clusters = np.empty(mask.shape, dtype=np.int32 if mask.size < np.iinfo(np.int32).max else np.int64)
    ndimage.label(mask, ndimage.generate_binary_structure(mask.ndim, connectivity), output=clusters)
    count = int(clusters.max())
    bits = np.zeros(count + 1, dtype=np.uint8)
    if periodic:
        merged, lattices = _wind(clusters, bits, count, connectivity)
        return clusters, bits, count - merged, lattices
    for axis in range(mask.ndim):
        crossing = np.intersect1d(clusters.take(0, axis), clusters.take(-1, axis))
        bits[crossing[crossing > 0]] |= 1 << axis
    return clusters, bits, count, []


def _wind(clusters: np.ndarray, bits: np.ndarray, count: int, connectivity: int) -> tuple[int, list[_Basis]]:
    """Set the bits of labels that wind; return how many labels merge across the faces, and the lattices."""
    dim = clusters.ndim
    start, end, shift = _face_edges(clusters, count, connectivity)
    if not start.size:
        return 0, []
    nodes, ends = np.unique(np.concatenate([start, end]), return_inverse=True)
    start, end = np.split(ends, 2)
    number, component, potential = _potentials(start, end, shift, nodes.size)
    # An edge outside the spanning tree closes a cycle; what the potentials disagree by is its displacement.
    cycle = potential[start] + shift - potential[end]
    winds = cycle.any(axis=1)
    rows = np.unique(np.column_stack([component[start[winds]], cycle[winds]]), axis=0)
    component_bits = np.zeros(number, dtype=np.uint8)
    lattices: dict[_Basis, None] = {}
    starts = np.flatnonzero(np.diff(rows[:, 0], prepend=-1))
    for group in np.split(rows, starts[1:]) if starts.size else []:
        basis = tuple(map(tuple, _lattice_basis(group[:, 1:].tolist(), dim).tolist()))
        lattices[basis] = None
        component_bits[group[0, 0]] = sum(1 << axis for axis in range(dim) if group[:, 1 + axis].any())
    bits[nodes] = component_bits[component]
    return nodes.size - number, list(lattices)


def _face_edges(
    clusters: np.ndarray, count: int, connectivity: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the distinct neighbours across the upper faces: label, label behind the face, cells crossed."""
    dim = clusters.ndim
    keys = []
    for axis, others in itertools.product(range(dim), itertools.product((-1, 0, 1), repeat=dim - 1)):
        if 1 + np.count_nonzero(others) > connectivity:
            continue
        inside = clusters.take(-1, axis).astype(np.int64)
        beyond = np.roll(clusters.take(0, axis), [-step for step in others], tuple(range(dim - 1)))
        code = np.full(inside.shape, 2 * 3**axis, dtype=np.int64)
        for place, (step, other) in enumerate(zip(others, np.delete(np.arange(dim), axis), strict=True)):
            index = np.arange(inside.shape[place]) + step
            crossed = (index >= inside.shape[place]).astype(np.int64) - (index < 0)
            code += np.expand_dims((crossed + 1) * 3 ** int(other), tuple(set(range(dim - 1)) - {place}))
        joined = (inside > 0) & (beyond > 0)
        # One number for both labels and the crossed cells (a digit of base 3 an axis) makes sorting quick.
        pair = inside[joined] * (count + 1) + beyond[joined]
        keys.append(np.unique(pair * 3**dim + code[joined]))
    pair, code = np.divmod(np.unique(np.concatenate(keys)), 3**dim)
    shift = code[:, None] // 3 ** np.arange(dim) % 3 - 1
    return pair // (count + 1), pair % (count + 1), shift


def _potentials(
    start: np.ndarray, end: np.ndarray, shift: np.ndarray, nodes: int
) -> tuple[int, np.ndarray, np.ndarray]:
    """Return components, and for each node the cells crossed on the way to it along a spanning tree."""
    first, last = np.minimum(start, end), np.maximum(start, end)
    keys, chosen = np.unique(first * nodes + last, return_index=True)
    graph = csr_array(
        (np.ones(keys.size, dtype=np.int8), (first[chosen], last[chosen])), shape=(nodes, nodes)
    )
    number, component = connected_components(graph, directed=False)
    parent = _parents(graph, component, number)
    # The step from the parent, along the edge that was chosen for this pair of nodes.
    child = np.flatnonzero(parent >= 0)
    pair = np.minimum(child, parent[child]) * nodes + np.maximum(child, parent[child])
    edge = chosen[np.searchsorted(keys, pair)]
    potential = np.zeros((nodes, shift.shape[1]), dtype=np.int64)
    potential[child] = shift[edge] * np.where(end[edge] == child, 1, -1)[:, None]
    parent = np.where(parent < 0, np.arange(nodes), parent)
    # Pointer doubling: each round adds the way of the ancestor reached so far, so log2(depth) rounds suffice.
    while np.any(parent != parent[parent]):
        potential += potential[parent]
        parent = parent[parent]
    return number, component, potential


def _parents(graph: csr_array, component: np.ndarray, number: int) -> np.ndarray:
    """Return each node's parent in a breadth-first tree of its component, -1 for the roots."""
    nodes = component.size
    roots = np.unique(component, return_index=True)[1]
    links = graph.tocoo()
    # An extra node that is joined to one node of each component makes one search reach them all.
    rows = np.concatenate([links.coords[0], np.full(number, nodes)])
    columns = np.concatenate([links.coords[1], roots])
    joined = csr_array((np.ones(rows.size, dtype=np.int8), (rows, columns)), shape=(nodes + 1, nodes + 1))
    _, parent = breadth_first_order(joined, nodes, directed=False)
    parent = parent[:nodes].astype(np.int64)
    return np.where(parent == nodes, -1, parent)


def _lattice_basis(vectors: list[list[int]] | list[tuple[int, ...]], dim: int) -> np.ndarray:
    """Return the Hermite normal form of integer vectors: rows that generate the same lattice, (rank, dim)."""
    rows = [list(vector) for vector in dict.fromkeys(map(tuple, vectors)) if any(vector)]
    basis: list[list[int]] = []
    for column in range(dim):
        while len(using := [row for row in rows if row[column]]) > 1:
            pivot = min(using, key=lambda row: abs(row[column]))
            for row in using:
                if row is not pivot:
                    _subtract(row, pivot, row[column] // pivot[column])
        if using:
            pivot = using[0] if using[0][column] > 0 else [-number for number in using[0]]
            rows = [row for row in rows if row is not using[0] and any(row)]
            for above in basis:
                _subtract(above, pivot, above[column] // pivot[column])
            basis.append(pivot)
    return np.array(basis, dtype=np.int64).reshape(-1, dim)


def _subtract(row: list[int], pivot: list[int], times: int) -> None:
    row[:] = [number - times * part for number, part in zip(row, pivot, strict=True)]


def _check_mask(mask: np.ndarray, connectivity: int) -> None:
    if not isinstance(mask, np.ndarray) or mask.dtype != np.bool_ or mask.ndim not in (2, 3) or not mask.size:
        got = (
            f"an array of {mask.dtype} and shape {mask.shape}" if isinstance(mask, np.ndarray) else repr(mask)
        )
        cure = "pass image.mask(label, ...) or labels == label"
        raise ImageError("mask", got=got, wanted="a 2-D or 3-D array of booleans", cure=cure)
    if connectivity not in range(1, mask.ndim + 1):
        wanted = f"1 (faces) to {mask.ndim} (corners)"
        cure = "use 1 unless voxels that only share an edge or a corner conduct"
        raise ImageError("connectivity", got=repr(connectivity), wanted=wanted, cure=cure)
