"""Material cards: type, order of components, and what a finite-element program makes of them."""

import shutil
import subprocess

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scalebridge.core.errors import InputError
from scalebridge.io.cards import conductivity_card

# Every component differs, so that any swap shows.
ANISOTROPIC = np.array([[11.0, 1.2, 1.3], [1.2, 22.0, 2.3], [1.3, 2.3, 33.0]])


def card_type(card):
    return next(line for line in card.splitlines() if line.startswith("*CONDUCTIVITY")).partition("TYPE=")[2]


def constants(card):
    return [float(number) for number in card.splitlines()[-1].split(",")]


@pytest.mark.parametrize(
    ("tensor", "kind", "expected"),
    [
        (2.5 * np.eye(3), "ISO", [2.5]),
        (np.diag([1.0, 2.0, 3.0]), "ORTHO", [1, 2, 3]),
        (np.eye(3) + 1e-9 * np.ones((3, 3)), "ISO", [1]),
        (np.diag([1.0, 1.0, 1.001]), "ORTHO", [1, 1, 1.001]),
    ],
)
@pytest.mark.parametrize("dialect", ["calculix", "abaqus"])
def test_the_simplest_type_is_chosen(tensor, kind, expected, dialect):
    card = conductivity_card(tensor, "rock", "W/m/K", dialect)
    assert card_type(card) == kind
    assert constants(card) == pytest.approx(expected, rel=1e-8)


@pytest.mark.parametrize(
    ("dialect", "expected"),
    [
        ("calculix", [11, 22, 33, 1.2, 1.3, 2.3]),  # CalculiX manual, *CONDUCTIVITY: 11, 22, 33, 12, 13, 23
        ("abaqus", [11, 1.2, 22, 1.3, 2.3, 33]),  # Abaqus, Conductivity object: 11, 12, 22, 13, 23, 33
    ],
)
def test_each_program_has_its_own_order(dialect, expected):
    card = conductivity_card(ANISOTROPIC, "rock", "W/m/K", dialect)
    assert card_type(card) == "ANISO"
    assert constants(card) == expected


def test_tolerance_decides_the_type():
    tensor = np.eye(3) + 1e-3 * (np.ones((3, 3)) - np.eye(3))
    assert card_type(conductivity_card(tensor, "rock", "W/m/K")) == "ANISO"
    assert card_type(conductivity_card(tensor, "rock", "W/m/K", rtol=2e-3)) == "ISO"


@given(st.lists(st.floats(-1e3, 1e3), min_size=9, max_size=9), st.sampled_from([1e-30, 1.0, 1e30]))
def test_numbers_fit_calculix_fields_and_keep_12_digits(entries, scale):
    root = np.reshape(entries, (3, 3))
    tensor = scale * (root @ root.T + np.eye(3))
    line = conductivity_card(tensor, "rock", "W/m/K", rtol=0.0).splitlines()[-1]
    assert all(len(number) <= 20 for number in line.split(","))  # CalculiX reads f20.0
    assert len(line) <= 132
    rows, columns = zip((0, 0), (1, 1), (2, 2), (0, 1), (0, 2), (1, 2), strict=True)
    wanted = tensor[rows, columns]
    written = [float(number) for number in line.split(",")]
    assert written == pytest.approx(wanted[: len(written)], rel=1e-12)


def test_header_and_name_are_one_line_each():
    card = conductivity_card(np.eye(3), "3 % rock\n*STEP", "W/m/K", origin="a.tif\nsecond line")
    lines = card.splitlines()
    assert lines[0].startswith("** Effective conductivity in W/m/K")
    assert lines[1] == "** Origin: a.tif second line"
    assert lines[3] == "*MATERIAL, NAME=M_3_rock_STEP"
    assert len(lines) == 6
    assert (
        len(conductivity_card(np.eye(3), "x" * 200, "W/m/K").splitlines()[3]) == len("*MATERIAL, NAME=") + 80
    )


@pytest.mark.parametrize(
    ("change", "argument"),
    [
        ({"tensor": np.eye(2)}, "tensor"),
        ({"tensor": np.full((3, 3), np.nan)}, "tensor"),
        ({"tensor": [[1, 0.5, 0], [0, 1, 0], [0, 0, 1]]}, "tensor"),
        ({"tensor": np.diag([1.0, 1.0, 0.0])}, "tensor"),
        ({"tensor": np.diag([1.0, 1.0, -1.0])}, "tensor"),
        ({"name": " % "}, "name"),
        ({"unit": " "}, "unit"),
        ({"dialect": "nastran"}, "dialect"),
        ({"rtol": 1.0}, "rtol"),
    ],
)
def test_refusals_have_four_parts(change, argument):
    arguments = {"tensor": np.eye(3), "name": "rock", "unit": "W/m/K"} | change
    with pytest.raises(InputError) as caught:
        conductivity_card(**arguments)
    assert caught.value.argument == argument
    assert caught.value.got
    assert caught.value.wanted
    assert caught.value.cure


ONE_ELEMENT = """*NODE,NSET=ALL
{nodes}
*ELEMENT,TYPE=C3D8,ELSET=CUBE
1,1,2,3,4,5,6,7,8
{card}*SOLID SECTION,ELSET=CUBE,MATERIAL=ROCK
*STEP
*HEAT TRANSFER,STEADY STATE
*BOUNDARY
{temperatures}
*EL PRINT,ELSET=CUBE
HFL
*END STEP
"""
CORNERS = [(0, 0, 0), (1, 0, 0), (1, 1, 0), (0, 1, 0), (0, 0, 1), (1, 0, 1), (1, 1, 1), (0, 1, 1)]


@pytest.mark.skipif(shutil.which("ccx") is None, reason="CalculiX (ccx) is not installed")
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_calculix_conducts_as_the_tensor_says(tmp_path, axis):
    """One cube under the temperature x_axis: the flux is minus a column of the tensor."""
    nodes = "\n".join(f"{number},{x},{y},{z}" for number, (x, y, z) in enumerate(CORNERS, 1))
    temperatures = "\n".join(f"{number},11,11,{corner[axis]}" for number, corner in enumerate(CORNERS, 1))
    card = conductivity_card(ANISOTROPIC, "ROCK", "W/m/K", "calculix")
    (tmp_path / "cube.inp").write_text(ONE_ELEMENT.format(nodes=nodes, card=card, temperatures=temperatures))
    subprocess.run([shutil.which("ccx"), "cube"], cwd=tmp_path, check=True, capture_output=True, timeout=60)
    rows = [line.split() for line in (tmp_path / "cube.dat").read_text().splitlines()]
    flux = np.array([row[2:] for row in rows if len(row) == 5 and row[0] == "1"], float)
    assert len(flux) == 8
    assert np.allclose(flux, -ANISOTROPIC[axis], rtol=1e-6)  # it prints 7 digits
