"""scalebridge permeability: answers, files, cases, and what is refused."""

import json

import h5py
import numpy as np
import pytest

from cli_helpers import invoke, save
from scalebridge.cells.permeability import permeability

CASE = """task = "permeability"
pore = 1
[image]
file = "image.npy"
voxel = "2 um"
[solve]
budget = "quick"
[output]
json = "result.json"
report = "page.html"
"""
QUICK = ("--voxel", "2 um", "--budget", "quick")


def pores():
    """Pores with a few grains, which percolate along all axes."""
    found = np.ones((8, 8, 8), np.uint8)
    found[2:5, 2:6, 2:5] = 0
    found[6, 1, 6] = 0
    return found


@pytest.fixture
def image(tmp_path):
    return save(tmp_path, pores())


def test_json_is_the_answer_of_the_python_face(image):
    found = invoke("permeability", image, "--pore", 1, *QUICK, "--json")
    assert found.exit_code == 0, found.output
    told = json.loads(found.stdout)
    np.testing.assert_array_equal(
        told["value"], permeability(image, pore=1, voxel="2 um", budget="quick").value
    )
    assert told["unit"] == "m^2"


def test_shifts_of_arrays_may_be_asked_for(tmp_path):
    flat = np.ones((8, 8), bool)
    flat[2:5, 2:6] = False
    path = save(tmp_path, flat)
    found = invoke("permeability", path, *QUICK, "--json", "--solver", "matrix-free")
    assert found.exit_code == 0, found.output
    told = json.loads(found.stdout)
    assert told["provenance"]["settings"]["solver"] == "matrix-free"
    plain = permeability(flat, voxel="2 um", budget="quick").value
    np.testing.assert_allclose(told["value"], plain, atol=1e-3 * plain.max())  # of both solvers, 1e-4


def test_booleans_in_a_file_are_pores_where_they_are_true(image, tmp_path):
    np.save(tmp_path / "booleans.npy", pores() > 0)
    named = invoke("permeability", image, "--pore", 1, *QUICK, "--json")
    found = invoke("permeability", tmp_path / "booleans.npy", *QUICK, "--json")
    assert found.exit_code == 0, found.output
    assert json.loads(found.stdout)["value"] == json.loads(named.stdout)["value"]


def test_text_shows_tensor_checks_and_millidarcy(image):
    found = invoke("permeability", image, "--pore", 1, *QUICK)
    assert found.exit_code == 0, found.output
    for part in ("Permeability, m²", "balance of volume", "symmetry", "millidarcy", "iterations"):
        assert part in found.stdout
    assert "FAIL" not in found.stdout


def test_velocities_and_a_page_are_written(image, tmp_path):
    fields, page = tmp_path / "flow.h5", tmp_path / "page.html"
    found = invoke("permeability", image, "--pore", 1, *QUICK, "--fields", fields, "--report", page)
    assert found.exit_code == 0, found.output
    with h5py.File(fields) as file:
        names: list[str] = []
        file.visit(names.append)
    assert {"velocity_x", "pressure_z"} <= {name.rpartition("/")[2] for name in names}
    assert "Permeability" in page.read_text(encoding="utf-8")


def test_a_case_is_answered_once_and_left_alone_then(image, tmp_path):
    (tmp_path / "case.toml").write_text(CASE)
    first = invoke("run", tmp_path / "case.toml")
    assert first.exit_code == 0, first.output
    stored = json.loads((tmp_path / "result.json").read_text())
    assert stored["quantity"] == "permeability"
    again = invoke("run", tmp_path / "case.toml")
    assert "Nothing to do" in again.stdout


def test_slip_and_boundary_are_handed_on(tmp_path):
    slit = np.zeros((4, 8, 4), np.uint8)
    slit[:, 2:6] = 1
    image = save(tmp_path, slit)
    options = ("--slip-length", "1 um", "--boundary", "mirrored")
    told = json.loads(invoke("permeability", image, "--pore", 1, *QUICK, *options, "--json").stdout)
    # (4^2 + 2)/12 + 4 (1/2)/2 voxels squared in half of the cell, to the solver's 1e-4.
    assert told["value"][0][0] == pytest.approx((18 / 12 + 1) * 4e-12 / 2, rel=1e-4)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ((), ("--pore", "no label", "inspect")),
        (("--pore", "7"), ("pore", "7", "inspect")),
        (("--pore", "1", "--slip-length", "1 um"), ("slip_length", "voxel faces", "cut cells")),
        (("--pore", "1", "--rtol", "2"), ("rtol", "2")),
    ],
)
def test_bad_options_are_exit_2_with_a_cure(image, options, words):
    found = invoke("permeability", image, *QUICK, *options)
    assert found.exit_code == 2
    for word in words:
        assert word in found.stderr
