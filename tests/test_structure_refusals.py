"""What a structure refuses, at the face and in a case file: one sentence, before any long work."""

import json

import numpy as np
import pytest

from cli_helpers import invoke
from scalebridge.cells.path_cell import PathCell
from scalebridge.cli.structure_solving import law_from
from scalebridge.core.errors import InputError
from scalebridge.core.spec import Spec
from scalebridge.core.upscaled import Upscaled
from scalebridge.grids.image import VoxelImage
from scalebridge.laws.constitutive_law import constitutive_law
from scalebridge.structures.representative_volume import representative_volume
from scalebridge.structures.solid_mesh import box_mesh, named_sides, notched_plate, read_mesh
from scalebridge.structures.solve_structure import solve_structure

BAR = box_mesh((2.0, 1.0), (2, 1))
HELD = {"left": {"x": 0, "y": 0}, "right": {"x": "1 mm"}}
SOFT = np.eye(6)
LAW = constitutive_law("elastic", young=1.0, poisson=0.3)


def ask(mesh=BAR, material=SOFT, supports=HELD, **options):
    return lambda: solve_structure(mesh, material, supports=supports, **options)


LEANING = np.repeat(np.eye(4, dtype=int)[:, :, None], 4, axis=2) + np.eye(4, dtype=int)[[1, 2, 3, 0], :, None]


def volume(labels):
    return representative_volume(labels, {0: "void", 1: LAW}, voxel="1 um")


def holed(*holes):
    labels = np.ones((4, 4, 4), int)
    for hole in holes:
        labels[hole] = 0
    return volume(labels)


def folded():
    mesh = BAR.mesh
    return named_sides(type(mesh)(mesh.p, mesh.t[[0, 2, 1, 3]]), "quad", "folded")


ROWS = [
    ("an inverted element", folded, "inverted, folded or empty"),
    ("a mesh that is none", ask(mesh="bar"), "a SolidMesh"),
    ("a box of one edge", lambda: box_mesh((1.0,), (2,)), "two edges of 'tri' or 'quad'"),
    ("tets in the plane", lambda: box_mesh((1.0, 1.0), (2, 2), "tet"), "two edges of 'tri' or 'quad'"),
    ("no elements", lambda: box_mesh((1.0, 1.0), (2, 0)), "at least 1"),
    ("an edge in seconds", lambda: box_mesh(("1 s", "1 m"), (2, 2)), "convertible to m"),
    ("an edge of -1", lambda: box_mesh((-1.0, 1.0), (2, 2)), "positive"),
    (
        "notches that meet",
        lambda: notched_plate(4.0, 2.0, depth=1.0, opening=1.0, cells=(4, 4)),
        "leave a ligament",
    ),
    (
        "a notch longer than the plate",
        lambda: notched_plate(4.0, 2.0, depth=0.5, opening=5.0, cells=(4, 4)),
        "fit into the length",
    ),
    ("a mesh file that is not there", lambda: read_mesh("nowhere.msh", "mm"), "a mesh that meshio reads"),
    ("a unit of a mesh that is none", lambda: read_mesh("nowhere.msh", "kg"), "convertible to m"),
    ("an unknown boundary", ask(supports={"lefft": {"x": 0, "y": 0}}), "did you mean 'left'"),
    ("an unknown axis", ask(supports={"left": {"z": 0}}), "one of x, y"),
    ("no Dirichlet condition", ask(supports={}, tractions={"right": (1.0, 0)}), "no displacement prescribed"),
    ("a direction that is free", ask(supports={"left": {"x": 0}, "right": {"x": 1.0}}), "along y"),
    ("nothing that loads", ask(supports={"left": {"x": 0, "y": 0}}), "something that loads"),
    ("a displacement in Pa", ask(supports={"left": {"x": "1 Pa", "y": 0}}), "convertible to m"),
    ("a displacement without unit", ask(supports={"left": {"x": "1", "y": 0}}), "a number with a unit of m"),
    (
        "two values at a node",
        ask(supports={"left": {"x": 0, "y": 0}, "top": {"x": 1.0}}),
        "where another boundary has",
    ),
    ("a traction of three components", ask(tractions={"right": (1.0, 0, 0)}), "2 components"),
    ("a traction in m", ask(tractions={"right": ("1 m", 0)}), "convertible to Pa"),
    ("sides that do not match", ask(periodic=[("left", "top")]), "nodes match by one shift"),
    ("an equation off the nodes", ask(equations=[[((0.3, 0.3), "x", 1.0)]]), "places of nodes"),
    ("a material that is none", ask(material="steel"), "a law, a stiffness"),
    ("a stiffness that is singular", ask(material=np.diag([1.0, 1, 1, 1, 1, 0])), "not positive definite"),
    ("a stiffness of the plane", ask(material=np.eye(3)), "of shape (3, 3)"),
    (
        "an Upscaled in other units",
        ask(material=Upscaled(Spec("conductivity", "W/m/K", (3, 3)), np.eye(3))),
        "a stiffness in Pa",
    ),
    (
        "a mesh in mm and a volume in m",
        ask(
            mesh=box_mesh(("2 mm", "1 mm"), (2, 1)),
            material=PathCell(np.zeros((2, 2, 2), int), [LAW], (1.0,) * 3),
        ),
        "a representative volume of 2 m",
    ),
    ("a volume that void cuts", ask(material=holed(np.s_[0])), "void cuts across x"),
    ("a volume of rods that do not meet", ask(material=holed(np.s_[:, 0], np.s_[:, :, 0])), "across y, z"),
    ("a volume of a leaning plate", ask(material=volume(1 - LEANING)), "into loose parts"),
    ("an order of three", ask(order=3), "1 or 2"),
    ("a plane that is none", ask(plane="shell"), "'strain' or 'stress'"),
    ("rtol of 2", ask(rtol=2.0), "between 0 and 1"),
    ("no steps", ask(steps=0), "a whole number of at least 1"),
    ("steps that are words", ask(steps="ten"), "the load factor at the end of each step"),
    ("a step of infinity", ask(steps=[0.5, np.inf]), "the load factor"),
    ("a duration that is negative", ask(duration=-1.0), "positive"),
    ("a control that is none", ask(control="force"), "'factor' or 'arc'"),
    ("a linear solver that is none", ask(linear_solver="lu"), "'multigrid'"),
    ("an engine that is none", ask(engine="spark"), "'local', 'mpi', 'dask'"),
    ("ranks and workers", ask(engine="mpi", workers=2), "mpirun says how many"),
    ("workers of zero", ask(workers=0), "at least 1"),
    ("resuming from nowhere", ask(resume=True), "checkpoints=FOLDER"),
    ("supports as a list", ask(supports=[("left", {"x": 0})]), "a table by boundary"),
    ("a support as a number", ask(supports={"left": 0}), "displacements by axis"),
    ("a traction as a number", ask(tractions={"right": 1e6}), "a vector"),
    ("a body force as a number", ask(body_force=9.81), "a vector"),
    ("plane stress in space", ask(mesh=box_mesh((1.0, 1, 1), (1, 1, 1)), plane="stress"), "in the plane"),
    ("checkpoints in a file", ask(checkpoints=f"{__file__}/kept"), "is a file"),
    ("results in a file", ask(results=__file__), "is a file"),
    ("memory in words", ask(state_memory="1 GB"), "a number of bytes"),
    ("less than no memory", ask(state_memory=-1), "a number of bytes"),
    ("a point to watch that is no list", ask(watch=3), "a list of numbers"),
    ("an image as a material", ask(material=VoxelImage(np.eye(3, dtype=int))), "representative_volume"),
    ("a point that there is not", ask(watch=[999]), "numbers of integration points"),
]


@pytest.mark.parametrize(("what", "asked", "said"), ROWS, ids=[row[0] for row in ROWS])
def test_the_face_refuses(what, asked, said):
    with pytest.raises(InputError) as caught:
        asked()
    assert said in str(caught.value), what
    assert caught.value.cure


CASE = """task = "fe2"
[mesh]
shape = "box"
size = ["2 mm", "1 mm"]
cells = [2, 1]
[law]
kind = "elastic"
young = "1 GPa"
poisson = 0.3
[supports.left]
x = 0
y = 0
[supports.right]
x = "1 um"
[path]
steps = 1
"""
CASE_ROWS = [
    ("an unknown key", 'shape = "box"', 'shpe = "box"', "did you mean 'shape'"),
    ("a shape that is none", '"box"', '"ball"', "notched-plate"),
    ("no size", 'size = ["2 mm", "1 mm"]', "", "the edges"),
    ("a law without a needed parameter", 'young = "1 GPa"\n', "", "poisson"),
    ("a law of an unknown kind", '"elastic"', '"elastik"', "did you mean 'elastic'"),
    ("a modulus in metres", '"1 GPa"', '"1 m"', "1 m"),
    (
        "no law",
        '[law]\nkind = "elastic"\nyoung = "1 GPa"\npoisson = 0.3\n',
        "",
        "either law, or image with laws",
    ),
    ("no supports", '[supports.left]\nx = 0\ny = 0\n[supports.right]\nx = "1 um"\n', "", "supports"),
    ("a boundary that there is not", "supports.left", "supports.wall", "wall"),
    ("a plate without notches", '"box"', '"notched-plate"', "depth"),
    ("a control that is none", "steps = 1", 'control = "x"', "factor"),
    ("a law without a needed parameter, by name", 'young = "1 GPa"\n', "", "law: "),
    ("laws without an image", "[path]", '[laws.0]\nkind = "elastic"\n[path]', "belong together"),
]


@pytest.mark.parametrize(("what", "old", "new", "said"), CASE_ROWS, ids=[row[0] for row in CASE_ROWS])
def test_a_case_is_refused_in_a_block_with_exit_code_2(what, old, new, said, tmp_path):
    assert old in CASE
    file = tmp_path / "case.toml"
    file.write_text(CASE.replace(old, new), encoding="utf-8")
    found = invoke("fe2", file)
    assert found.exit_code == 2, what
    assert said in found.stderr.replace("\n          ", " "), found.stderr


def test_a_case_of_another_task_and_a_missing_file_are_refused(tmp_path):
    assert invoke("fe2", tmp_path / "nowhere.toml").exit_code == 2
    file = tmp_path / "other.toml"
    file.write_text('task = "permeability"\npore = 0\n[image]\nfile = "a.tif"\n', encoding="utf-8")
    found = invoke("fe2", file)
    assert found.exit_code == 2
    assert "scalebridge run" in found.stderr


EQUATIONS = (
    CASE[: CASE.index("poisson")]
    + """poisson = 0
[supports.left]
x = 0
[supports.bottom]
y = 0
[[equations]] # the end moves as one
terms = [
    { place = ["2 mm", 0], axis = "x", coefficient = 2.0 },
    { place = ["2 mm", "1 mm"], axis = "x", coefficient = -2.0 },
]
[[equations]] # by 1 um: the mean of its two corners
terms = [
    { place = ["2 mm", 0], axis = "x", coefficient = 0.5 },
    { place = ["2 mm", "1 mm"], axis = "x", coefficient = 0.5 },
]
value = "1 um"
[path]
steps = 1
"""
)


def test_equations_of_a_case_pull_a_bar_whose_stress_is_known(tmp_path):
    file = tmp_path / "case.toml"
    file.write_text(EQUATIONS + '[output]\njson = "a.json"\n', encoding="utf-8")
    done = invoke("fe2", file)
    assert done.exit_code == 0, done.stderr
    found = json.loads((tmp_path / "a.json").read_text(encoding="utf-8"))
    # 1 GPa times 1 um of 2 mm, on a section of 1 mm by 1 m; roundings of a sparse solve
    assert np.max(found["displacement"][0]) == pytest.approx(1e-6, rel=1e-10)
    assert found["records"][-1]["reactions"]["left"][0] == pytest.approx(-500.0, rel=1e-10)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('["2 mm", 0], axis = "x", coefficient = 2.0', '["1.9 mm", 0], axis = "x"', "places of nodes"),
        ('axis = "x", coefficient = 2.0', 'axis = "z"', "one of x, y"),
        ('value = "1 um"', 'value = "1 Pa"', "convertible to m"),
        ('axis = "x", coefficient = 2.0', 'axes = "x"', "axis"),
    ],
)
def test_equations_that_cannot_be_are_refused(old, new, said, tmp_path):
    assert old in EQUATIONS
    file = tmp_path / "case.toml"
    file.write_text(EQUATIONS.replace(old, new), encoding="utf-8")
    done = invoke("fe2", file)
    assert done.exit_code == 2
    assert said in done.stderr.replace("\n          ", " "), done.stderr


def test_a_case_runs_is_resumed_and_tells_its_files(tmp_path):
    file = tmp_path / "case.toml"
    tail = '[points]\ncheckpoints = "ck"\n[output]\nfolder = "out"\njson = "a.json"\nreport = "a.html"\n'
    tail += 'series = "vtu"\n'
    file.write_text(CASE + tail, encoding="utf-8")
    first = invoke("fe2", file)
    assert first.exit_code == 0, first.stderr
    assert {"a.json", "a.html", "vtu"} <= {p.name for p in (tmp_path / "out").iterdir()}
    page = (tmp_path / "out" / "a.html").read_text(encoding="utf-8")
    assert "Memory of the points" in page
    assert "Residuals" in page
    again = invoke("fe2", file, "--resume", "--json")
    assert again.exit_code == 0
    assert '"passed": true' in again.output


@pytest.mark.parametrize("void", ["void", {"kind": "void"}])
def test_a_pore_of_a_case_is_a_word_or_a_kind(void):
    assert law_from(void, "laws.0") == "void"
