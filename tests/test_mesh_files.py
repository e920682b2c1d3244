"""Mesh files: every kind and order of elements, the names that files give to boundaries, what is refused."""

import itertools
from pathlib import Path

import meshio
import numpy as np
import pytest

from scalebridge.core.errors import FileFormatError
from scalebridge.structures.solid_mesh import box_mesh, read_mesh
from scalebridge.structures.solve_structure import solve_structure

SIZE = (2.0, 1.0, 1.0)  # mm
KINDS = {"tri": "triangle", "quad": "quad", "tet": "tetra", "hex": "hexahedron"}
FACETS = {"tri": "line", "quad": "line", "tet": "triangle", "hex": "quad"}
MORE = {
    "line3": 1,
    "triangle6": 3,
    "quad8": 4,
    "quad9": 5,
    "tetra10": 6,
    "hexahedron20": 12,
    "hexahedron27": 19,
}
TO_FILE = [0, 1, 4, 2, 3, 5, 7, 6]  # corners of hexahedra: around the bottom, then around the top


def box_file(path, kind, second=None, facets=None, **options):
    """Write a box with its end x = 0 as physical group 7 and its end x = 2 as group 8, beside other nodes."""
    dim = 2 if kind in ("tri", "quad") else 3
    mesh = box_mesh(SIZE[:dim], (2, 1, 1)[:dim], kind).mesh
    points, cells = mesh.p.T, mesh.t.T
    if kind == "hex":
        cells = cells[:, TO_FILE]
    ends = [mesh.facets_satisfying(lambda p, x=x: np.isclose(p[0], x)) for x in (0.0, SIZE[0])]
    sides = [mesh.facets[:, end].T for end in ends]
    if kind == "hex":
        sides = [_around(points, side) for side in sides]
    blocks = [(FACETS[kind], side) for side in sides] + [(KINDS[kind], cells)]
    if second is not None:
        points, blocks = _with_more(points, blocks, second, facets)
    points = np.vstack([points, np.full((1, dim), 0.3)])  # the centre of an arc
    points = np.column_stack([points, np.zeros((len(points), 3 - dim))])
    tags = [np.full(len(block[1]), tag) for block, tag in zip(blocks, (7, 8, 7), strict=True)]
    names = {"held": [7, dim - 1], "pulled end": [8, dim - 1], "metal": [7, dim]}
    made = meshio.Mesh(
        points,
        blocks,
        cell_data={"gmsh:physical": tags, "gmsh:geometrical": tags},
        field_data={name: np.array(value) for name, value in names.items()},
    )
    made.write(path, **options)
    return path


def _around(points, quads):
    """Order the corners of faces around them."""
    found = []
    for quad in quads:
        away = (points[quad] - points[quad].mean(axis=0))[:, 1:]
        found.append(quad[np.argsort(np.arctan2(away[:, 1], away[:, 0]))])
    return np.array(found)


def _with_more(points, blocks, second, facets):
    """Give every element of a block the further nodes of a second order, wherever they are."""
    done, count = [], itertools.count(len(points))
    for name, (_, cells) in zip((facets, facets, second), blocks, strict=True):
        new = np.array([[next(count) for _ in range(MORE[name])] for _ in cells])
        done.append((name, np.hstack([cells, new])))
    return np.vstack([points, np.full((next(count) - len(points), points.shape[1]), 0.5)]), done


def pulled_force(mesh, held="held", pulled="pulled end"):
    sides = {held: dict.fromkeys("xyz"[: mesh.dim], 0.0), pulled: {"x": 1e-6}}
    study = solve_structure(mesh, np.eye(6), supports=sides, steps=1)  # 1 Pa, Poisson's ratio zero
    assert study.passed
    return study.curve()[1][-1]


ORDERS = [
    ("tri", None, None),
    ("tri", "triangle6", "line3"),
    ("quad", None, None),
    ("quad", "quad8", "line3"),
    ("quad", "quad9", "line3"),
    ("tet", None, None),
    ("tet", "tetra10", "triangle6"),
    ("hex", None, None),
    ("hex", "hexahedron20", "quad8"),
    ("hex", "hexahedron27", "quad9"),
]


@pytest.mark.parametrize(("kind", "second", "facets"), ORDERS, ids=[row[1] or row[0] for row in ORDERS])
def test_a_bar_of_a_file_is_pulled_by_the_names_of_its_groups(kind, second, facets, tmp_path):
    """Force = E A du / L; nodes that no corner is take nothing, and a group of the solid names no facets."""
    file = box_file(tmp_path / "bar.msh", kind, second, facets, file_format="gmsh22", binary=False)
    mesh = read_mesh(file, "mm")
    assert set(mesh.boundaries) == {"held", "pulled end"}
    assert mesh.kind == kind
    assert bool(mesh.notes) == (second is not None)
    area = 1e-3 if mesh.dim == 2 else 1e-6
    assert pulled_force(mesh) == pytest.approx(area * 1e-6 / 2e-3, rel=1e-9)


def test_a_file_that_gmsh_wrote_is_read_with_its_names():
    """Second order, format 4.1; tags 7 of a line and 7 of the plate are different groups."""
    mesh = read_mesh(Path(__file__).parent / "reference" / "gmsh_plate.msh", "mm")
    assert set(mesh.boundaries) == {"held", "pulled end"}
    assert mesh.mesh.p.shape[1] == np.unique(mesh.mesh.t).size, "no node is left alone"
    assert pulled_force(mesh) == pytest.approx(1e-3 * 1e-6 / 2e-3, rel=1e-9)


def test_sets_of_nodes_name_boundaries_and_a_file_without_names_has_sides(tmp_path):
    mesh = box_mesh(SIZE[:2], (2, 1), "quad").mesh
    points = np.column_stack([mesh.p.T, np.zeros(mesh.p.shape[1])])
    ends = {name: np.flatnonzero(np.isclose(mesh.p[0], x)) for name, x in (("HELD", 0.0), ("PULLED", 2.0))}
    made = meshio.Mesh(points, [("quad", mesh.t.T)], point_sets=ends)
    made.write(tmp_path / "bar.inp")
    named = read_mesh(tmp_path / "bar.inp", "mm")
    assert set(named.boundaries) == {"HELD", "PULLED"}
    assert pulled_force(named, "HELD", "PULLED") == pytest.approx(1e-3 * 1e-6 / 2e-3, rel=1e-9)
    meshio.Mesh(points, [("quad", mesh.t.T)]).write(tmp_path / "bar.vtu")
    assert set(read_mesh(tmp_path / "bar.vtu", "mm").boundaries) == {"left", "right", "bottom", "top"}


def test_a_surface_in_space_is_refused(tmp_path):
    points = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0.5], [0, 1, 0.5]], float)
    meshio.Mesh(points, [("quad", np.array([[0, 1, 2, 3]]))]).write(tmp_path / "roof.vtu")
    with pytest.raises(FileFormatError, match="several heights z"):
        read_mesh(tmp_path / "roof.vtu", "mm")
