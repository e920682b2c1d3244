"""Meshes of solids with named boundaries: made ones, or a file's; what cannot carry a solid is refused.

Meshes and bases are scikit-fem's. Nodes are those of straight-sided elements; displacements may be of first
or of second order on them.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import meshio
import numpy as np
import skfem
from skfem.io.meshio import from_meshio

from scalebridge.core.errors import FileFormatError, InputError
from scalebridge.core.units import parse_quantity, positive_quantity
from scalebridge.io.stored import nearest


@dataclass(frozen=True)
class ElementKind:
    """A shape of elements: scikit-fem's mesh, its elements and the exactness of quadrature by order."""

    mesh: type
    elements: tuple[type, type]
    degrees: tuple[int, int]
    cell: str

    @property
    def dim(self) -> int:
        """2 or 3."""
        return 2 if self.cell in ("triangle", "quad") else 3


KINDS = {
    "tri": ElementKind(skfem.MeshTri, (skfem.ElementTriP1, skfem.ElementTriP2), (1, 2), "triangle"),
    "quad": ElementKind(skfem.MeshQuad, (skfem.ElementQuad1, skfem.ElementQuad2), (2, 4), "quad"),
    "tet": ElementKind(skfem.MeshTet, (skfem.ElementTetP1, skfem.ElementTetP2), (1, 2), "tetra"),
    "hex": ElementKind(skfem.MeshHex, (skfem.ElementHex1, skfem.ElementHex2), (2, 4), "hexahedron"),
}
_SIDES = (("left", "right"), ("bottom", "top")), (("left", "right"), ("front", "back"), ("bottom", "top"))
_CORNERS = {"line": 2, "triangle": 3, "quad": 4, "tetra": 4, "hexahedron": 8}
_SECOND = {
    "line3": "line",
    "triangle6": "triangle",
    "quad8": "quad",
    "quad9": "quad",
    "tetra10": "tetra",
    "hexahedron20": "hexahedron",
    "hexahedron27": "hexahedron",
}


@dataclass(frozen=True)
class SolidMesh:
    """A mesh of a solid, m, with named boundaries.

    Args:
        mesh: scikit-fem's mesh; coordinates in m.
        kind: "tri", "quad", "tet" or "hex".
        boundaries: numbers of facets by name.
        source: where it comes from, in words.
        notes: what a reader has to know.
    """

    mesh: Any
    kind: str
    boundaries: dict[str, np.ndarray]
    source: str = "made"
    notes: tuple[str, ...] = ()
    details: dict[str, Any] = field(default_factory=dict)

    @property
    def dim(self) -> int:
        """2 or 3."""
        return KINDS[self.kind].dim

    @property
    def size(self) -> np.ndarray:
        """(dim,) edges of the box around it, m."""
        return np.ptp(self.mesh.p, axis=1)

    def facets(self, name: str) -> np.ndarray:
        """Return the facets of a named boundary.

        Raises:
            InputError: there is no such boundary, or it is empty.
        """
        found = self.boundaries.get(name)
        if found is None or len(found) == 0:
            raise InputError(
                "boundary",
                got=f"{name!r}, which the mesh does not have"
                if found is None
                else f"{name!r}, which is empty",
                wanted=f"one of {', '.join(sorted(self.boundaries))}",
                cure=nearest(name, sorted(self.boundaries)),
            )
        return found


def box_mesh(size: Sequence[Any], cells: Sequence[int], kind: str | None = None) -> SolidMesh:
    """Make a rectangle or a box of equal elements, its sides named.

    Args:
        size: edges with units ("20 mm"), or numbers in m; two or three.
        cells: elements along each edge.
        kind: "tri" or "quad" in the plane, "tet" or "hex" in space; quads and hexes unless given.

    Returns:
        the mesh; sides are left and right (across x), bottom and top (across the last axis), in space front
        and back (across y).

    Raises:
        InputError: an edge that is not positive, or a kind of another dimension.

    Example:
        >>> bar = box_mesh(("2 m", "1 m"), (4, 2))
        >>> bar.kind, bar.mesh.nelements, sorted(bar.boundaries)
        ('quad', 8, ['bottom', 'left', 'right', 'top'])
    """
    edges = [positive_quantity("size", _lengths(edge), "m") for edge in size]
    dim = len(edges)
    kind = kind or {2: "quad", 3: "hex"}.get(dim, "none")
    if dim not in (2, 3) or kind not in KINDS or KINDS[kind].dim != dim:
        raise InputError(
            "mesh",
            got=f"{dim} edges of elements {kind!r}",
            wanted="two edges of 'tri' or 'quad', or three of 'tet' or 'hex'",
            cure="leave the kind out, or name one of that dimension",
        )
    if len(cells) != dim or any(isinstance(n, bool) or not isinstance(n, int) or n < 1 for n in cells):
        raise InputError(
            "cells", got=repr(list(cells)), wanted=f"{dim} whole numbers of at least 1", cure="pass (8, 4)"
        )
    lines = [np.linspace(0.0, edge, n + 1) for edge, n in zip(edges, cells, strict=True)]
    mesh = KINDS[kind].mesh.init_tensor(*lines)
    return named_sides(mesh, kind, source=f"box of {' x '.join(map(str, cells))} elements ({kind})")


def notched_plate(
    length: Any,
    width: Any,
    *,
    depth: Any,
    opening: Any,
    cells: tuple[int, int],
    thickness: Any = None,
    layers: int = 1,
    kind: str = "quad",
) -> SolidMesh:
    """Make a plate with a rounded notch in the middle of both long sides.

    The sides are at  +- (width/2 - depth cos^2(pi s / opening)),  s from the middle, |s| < opening/2.

    Args:
        length: along x, "40 mm" or a number in m.
        width: along y, of the unnotched part.
        depth: of each notch.
        opening: of each notch along x.
        cells: elements along length and width.
        thickness: along z, for a plate in space (hexahedra).
        layers: elements across the thickness.
        kind: "quad" or "tri", for a plate in the plane.

    Raises:
        InputError: a length that is not positive, notches that meet, or that are longer than the plate.

    Example:
        >>> plate = notched_plate(4.0, 2.0, depth=0.5, opening=1.0, cells=(16, 4))
        >>> round(float(plate.mesh.p[1].max()), 3), sorted(plate.boundaries)
        (1.0, ['bottom', 'left', 'right', 'top'])
    """
    measures = {"length": length, "width": width, "depth": depth, "opening": opening}
    long, wide, deep, open_ = (positive_quantity(n, _lengths(given), "m") for n, given in measures.items())
    if 2 * deep >= wide or open_ > long:
        raise InputError(
            "depth" if 2 * deep >= wide else "opening",
            got=f"notches {deep:.3g} m deep and {open_:.3g} m wide in a plate of {long:.3g} x {wide:.3g} m",
            wanted="notches that leave a ligament, and fit into the length",
            cure="make the notches smaller",
        )
    flat = box_mesh((1.0, 1.0), cells, "quad").mesh
    x = long * (flat.p[0] - 0.5)
    half = wide / 2 - np.where(np.abs(x) < open_ / 2, deep * np.cos(np.pi * x / open_) ** 2, 0.0)
    mesh = skfem.MeshQuad(np.stack([x + long / 2, (2 * flat.p[1] - 1) * half]), flat.t)
    source = f"notched plate of {cells[0]} x {cells[1]} elements"
    sides = {
        "left": lambda p: p[0] < 1e-9 * long,
        "right": lambda p: p[0] > long * (1 - 1e-9),
        "bottom": lambda p: p[1] < 0,
        "top": lambda p: p[1] > 0,
    }
    if thickness is None:
        made = mesh.to_meshtri() if kind == "tri" else mesh
        return _checked(SolidMesh(made, kind, _by_test(made, sides), source))
    thick = positive_quantity("thickness", _lengths(thickness), "m")
    return _checked(_extruded(mesh, np.linspace(0.0, thick, layers + 1), sides, source))


def read_mesh(path: str | os.PathLike[str], unit: str) -> SolidMesh:
    """Read a mesh file (Gmsh, VTK, VTU, Abaqus, ...: what meshio reads), with its named boundaries.

    Args:
        path: the file.
        unit: of its coordinates, such as "mm".

    Returns:
        the mesh, of straight-sided elements; sides of the box around it are named where the file names none.

    Raises:
        FileFormatError: the file cannot be read, or holds no elements of a solid, or several kinds of them.
        InputError: an element is inverted, folded or without volume.
    """
    scale = parse_quantity(f"1 {unit}", "m", "unit")
    file = Path(path)
    try:
        read = meshio.read(file)
    except (
        Exception,
        SystemExit,
    ) as error:  # meshio's readers raise many kinds, and leave for an unknown one
        raise FileFormatError(
            "mesh", got=f"{file}: {error}", wanted="a mesh that meshio reads", cure="check the file"
        ) from error
    cells, notes = _solid_cells(read, file)
    kind = next(name for name, known in KINDS.items() if known.cell == cells.type)
    used = np.unique(cells.data)  # what is left: nodes between corners, of lines alone, centres of arcs
    points = _flat(read.points[used], KINDS[kind].dim, file) * scale
    numbers = np.full(len(read.points), -1)
    numbers[used] = np.arange(len(used))
    mesh = from_meshio(meshio.Mesh(points, [(cells.type, numbers[cells.data])]))
    named = _named_facets(mesh, read, numbers, KINDS[kind].dim - 1)
    found = SolidMesh(mesh, kind, named, f"file {file.name}", notes)
    return _checked(found if named else named_sides(mesh, kind, found.source, notes))


def named_sides(mesh: Any, kind: str, source: str, notes: tuple[str, ...] = ()) -> SolidMesh:
    """Name the facets that lie on the sides of the box around a mesh, and check its elements."""
    low, high = mesh.p.min(axis=1), mesh.p.max(axis=1)
    tests: dict[str, Callable[[np.ndarray], np.ndarray]] = {}
    for axis, (first, last) in enumerate(_SIDES[KINDS[kind].dim - 2]):
        near = 1e-9 * (high[axis] - low[axis])
        tests[first] = lambda p, a=axis, n=near: p[a] < low[a] + n
        tests[last] = lambda p, a=axis, n=near: p[a] > high[a] - n
    return _checked(SolidMesh(mesh, kind, _by_test(mesh, tests), source, notes))


def edge_lengths(solid: SolidMesh) -> tuple[float, float]:
    """Return the lengths of the shortest and of the longest edge of any element, m.

    Example:
        >>> edge_lengths(box_mesh(("2 m", "1 m"), (4, 4)))
        (0.25, 0.5)
    """
    mesh = solid.mesh
    ends = mesh.facets if solid.dim == 2 else mesh.edges
    lengths = np.linalg.norm(mesh.p[:, ends[0]] - mesh.p[:, ends[1]], axis=0)
    return float(lengths.min()), float(lengths.max())


def _by_test(mesh: Any, tests: Mapping[str, Callable[[np.ndarray], np.ndarray]]) -> dict[str, np.ndarray]:
    return {name: mesh.facets_satisfying(test, boundaries_only=True) for name, test in tests.items()}


def _extruded(
    mesh: Any, heights: np.ndarray, sides: Mapping[str, Callable[[np.ndarray], np.ndarray]], source: str
) -> SolidMesh:
    """Stack a mesh of quads into hexahedra; the flat faces are front and back."""
    count, top = mesh.p.shape[1], float(heights[-1])
    points = np.concatenate([np.vstack([mesh.p, np.full(count, z)]) for z in heights], axis=1)
    flat = skfem.ElementQuad1.refdom.p.T.tolist()
    corners = [(flat.index(corner[:2]), int(corner[2])) for corner in skfem.ElementHex1.refdom.p.T.tolist()]
    layers = [
        np.stack([mesh.t[node] + (layer + up) * count for node, up in corners])
        for layer in range(len(heights) - 1)
    ]
    solid = skfem.MeshHex(points, np.concatenate(layers, axis=1))
    tests = {
        **{
            name: (lambda p, t=test: t(p) & (p[2] > 1e-9 * top) & (p[2] < top * (1 - 1e-9)))
            for name, test in sides.items()
        },
        "front": lambda p: p[2] < 1e-9 * top,
        "back": lambda p: p[2] > top * (1 - 1e-9),
    }
    return SolidMesh(solid, "hex", _by_test(solid, tests), f"{source}, extruded")


def _lengths(given: Any) -> Any:
    return float(given) if isinstance(given, int | np.floating) and not isinstance(given, bool) else given


def _solid_cells(read: Any, file: Path) -> tuple[Any, tuple[str, ...]]:
    """Return the elements of highest dimension, in corners, and a note if nodes were left out."""
    solid = [c for c in read.cells if len(c.data) and c.dim >= 2]
    most = max((c.dim for c in solid), default=0)
    solid = [c for c in solid if c.dim == most]
    types = sorted({c.type for c in solid})
    if len(types) != 1 or types[0] not in (*_SECOND, *_CORNERS):
        raise FileFormatError(
            "mesh",
            got=f"{file.name} with {', '.join(types) or 'no elements of a solid'}",
            wanted="triangles, quads, tetrahedra or hexahedra, one kind of them",
            cure="mesh the solid with one kind of elements",
        )
    data = np.concatenate([c.data for c in solid])
    if types[0] not in _SECOND:
        return meshio.CellBlock(types[0], data), ()
    name = _SECOND[types[0]]
    note = f"The {types[0]} elements of {file.name} are taken as straight-sided: their corners only."
    return meshio.CellBlock(name, data[:, : _CORNERS[name]]), (note,)


def _flat(points: np.ndarray, dim: int, file: Path) -> np.ndarray:
    """Return the first coordinates of nodes; refuse a surface in space."""
    if dim == 2 and points.shape[1] > 2 and np.ptp(points[:, 2]) > 1e-9 * np.ptp(points, axis=0).max():
        raise FileFormatError(
            "mesh",
            got=f"{file.name} with faces at several heights z, and no elements of a solid",
            wanted="a mesh in the plane of x and y, or one of tetrahedra or hexahedra",
            cure="mesh the volume, or turn the plane into z = 0",
        )
    return points[:, :dim]


def _named_facets(mesh: Any, read: Any, numbers: np.ndarray, dim: int) -> dict[str, np.ndarray]:
    """Return facets by name: of sets of cells or of nodes, and of Gmsh's physical groups.

    Args:
        mesh: of the solid.
        read: the file's.
        numbers: of the file's nodes in the mesh, -1 for those that it does not have.
        dim: of facets.
    """
    found: dict[str, list[np.ndarray]] = {}
    physical = read.cell_data.get("gmsh:physical", [])
    for block, cells in enumerate(read.cells):
        corners = _SECOND.get(cells.type, cells.type)
        if cells.dim != dim or corners not in _CORNERS:
            continue
        facets = _facet_numbers(mesh, numbers[cells.data[:, : _CORNERS[corners]]])
        for name, members in read.cell_sets.items():
            if not name.startswith("gmsh:") and members[block] is not None:
                found.setdefault(name, []).append(facets[np.asarray(members[block], dtype=np.int64)])
        for name, (tag, own) in read.field_data.items() if physical else ():
            if own == dim:
                found.setdefault(name, []).append(facets[np.asarray(physical[block]) == tag])
    for name, nodes in read.point_sets.items():
        inside = np.zeros(mesh.p.shape[1], dtype=bool)
        inside[numbers[nodes][numbers[nodes] >= 0]] = True
        outer = mesh.boundary_facets()
        found.setdefault(name, []).append(outer[inside[mesh.facets[:, outer]].all(axis=0)])
    gathered = {name: np.unique(np.concatenate(parts)) for name, parts in found.items()}
    named = {name: facets[facets >= 0] for name, facets in gathered.items()}
    return {name: facets for name, facets in named.items() if len(facets)}


def _facet_numbers(mesh: Any, corners: np.ndarray) -> np.ndarray:
    """Return the numbers of facets by their corners (n, corners), -1 for those that are not in the mesh."""
    every, asked = np.sort(mesh.facets, axis=0).T, np.sort(corners, axis=1)
    which = np.unique(np.concatenate([every, asked]), axis=0, return_inverse=True)[1].ravel()
    numbers = np.full(len(which), -1)
    numbers[which[: len(every)]] = np.arange(len(every))
    return numbers[which[len(every) :]]


def _checked(made: SolidMesh) -> SolidMesh:
    """Refuse elements that are inverted, folded or empty: their Jacobian changes sign or vanishes."""
    kind = KINDS[made.kind]
    basis = skfem.Basis(made.mesh, kind.elements[0](), intorder=2)
    corners = np.asarray(kind.elements[0]().refdom.p, dtype=float)
    jacobian = np.concatenate(
        [basis.mapping.detDF(basis.X), basis.mapping.detDF(corners)],
        axis=1,  # between and at the corners
    )
    largest = np.abs(jacobian).max(axis=1)
    bad = (jacobian.min(axis=1) * jacobian.max(axis=1) <= 0) | (largest <= 1e-12 * largest.max())
    if bad.any():
        first = int(np.flatnonzero(bad)[0])
        centre = made.mesh.p[:, made.mesh.t[:, first]].mean(axis=1)
        raise InputError(
            "mesh",
            got=f"{int(bad.sum())} inverted, folded or empty elements, the first around {centre.tolist()} m",
            wanted="elements whose Jacobian keeps its sign",
            cure="correct the order of their nodes, or mesh again",
        )
    return made
