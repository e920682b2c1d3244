"""scalebridge conductivity: the answer, its files, its exit codes."""

import json

import h5py
import numpy as np
import pytest

from cli_helpers import PHASES, invoke, layers, save
from scalebridge.cells.conductivity import effective_conductivity
from scalebridge.core.upscaled import load_result

SERIES, PARALLEL = 1.5, 2.0  # two equal layers of 1 and 3


@pytest.fixture
def image(tmp_path):
    return save(tmp_path, layers())


def test_json_alone_is_printed_and_is_the_answer_of_the_python_face(image):
    found = invoke("conductivity", image, *PHASES, "--voxel", "3 um", "--json")
    assert found.exit_code == 0
    told = json.loads(found.stdout)
    want = effective_conductivity(layers(), {0: "1 W/m/K", 1: "3 W/m/K"}, voxel="3 um").value
    np.testing.assert_array_equal(told["value"], want)  # the same call
    np.testing.assert_allclose(np.diag(told["value"]), [SERIES, PARALLEL, PARALLEL], rtol=1e-10)
    assert told["unit"] == "W/m/K"
    assert told["passed"] is True


def test_text_shows_tensor_unit_spread_bounds_checks_and_files(image, tmp_path):
    out = tmp_path / "new" / "result.json"
    options = ("--phase", "0:brine=1 W/m/K", "--phase", "1=3 W/m/K +- 10 %", "--voxel", "3 um, 3 um, 3 um")
    found = invoke("conductivity", image, *options, "--out", out)
    assert found.exit_code == 0
    for part in ("W/(m·K)", "brine", "3.0 ± 0.3", "1.50", "Hashin-Shtrikman", "symmetry", "pass", str(out)):
        assert part in found.stdout
    assert "FAIL" not in found.stdout
    assert load_result(out)["value"][0, 0] == pytest.approx(SERIES, rel=1e-10)


def test_spread_is_the_derivative_times_the_deviation(image):
    options = ("--phase", "0=1", "--phase", "1=3 ± 0.3", "--budget", "quick", "--json")  # the inputs' spread
    told = json.loads(invoke("conductivity", image, *options).stdout)
    # Along the layers dK/dk1 is the fraction 1/2; across, K = 2 k0 k1/(k0 + k1): dK/dk1 = 2 k0^2/(k0 + k1)^2.
    np.testing.assert_allclose(np.diag(told["std"]), [0.3 / 8, 0.15, 0.15], rtol=1e-6)


def test_every_output_is_written(image, tmp_path):
    places = {
        name: tmp_path / file for name, file in (("fields", "f.h5"), ("report", "p.html"), ("card", "c.inp"))
    }
    options = [part for name, path in places.items() for part in (f"--{name}", path)]
    found = invoke("conductivity", image, *PHASES, "--voxel", "3 um", *options, "--dialect", "abaqus")
    assert found.exit_code == 0
    with h5py.File(places["fields"]) as file:
        assert file["gradient_x"].shape == (3, 8, 8, 8)
        np.testing.assert_allclose(file["gradient_x"][0].mean(), 1.0, rtol=1e-12)
        np.testing.assert_array_equal(file["phase"][:], layers())
    assert places["report"].read_text(encoding="utf-8").lstrip().lower().startswith("<!doctype html")
    assert "*CONDUCTIVITY, TYPE=ORTHO" in places["card"].read_text(encoding="utf-8")


def test_mirrored_fields_are_those_of_the_sample(tmp_path):
    image, fields = save(tmp_path, layers(2)), tmp_path / "f.h5"
    options = ("--phase", "0=1", "--phase", "1=3", "--boundary", "mirrored", "--fields", fields)
    assert invoke("conductivity", image, *options).exit_code == 0
    with h5py.File(fields) as file:
        assert file["phase"].shape == file["potential_x"].shape == (8, 8)
        np.testing.assert_array_equal(file["phase"][:, 0], [0] * 4 + [1] * 4)


def test_phases_from_a_table_and_a_crop(tmp_path):
    table = tmp_path / "phases.csv"
    table.write_text("phase,value,unit,std\n0,1,W/m/K,\n1,3,W/m/K,0.1\n")
    longer = save(tmp_path, np.repeat(layers(), [1, 1, 1, 3, 3, 1, 1, 1], axis=0))  # 6 voxels of each phase
    options = ("--phases-table", table, "--voxel", "cubic", "--crop", "4:12, 0:8, 0:8", "--json")
    told = json.loads(invoke("conductivity", longer, *options).stdout)
    assert told["inputs"]["phase 0"]["fraction"] == 0.25
    np.testing.assert_allclose(told["value"][0][0], 1 / (0.25 + 0.75 / 3), rtol=1e-10)


def test_raw_binary_with_a_voxel_size_for_each_axis(tmp_path):
    raw = tmp_path / "scan.raw"
    layers().T.tofile(raw)  # stored z, y, x
    layout = (
        "--raw-shape",
        "8,8,8",
        "--raw-dtype",
        "uint8",
        "--voxel",
        "3 um",
        "--voxel",
        "3 um",
        "--voxel",
        "3 um",
    )
    told = json.loads(invoke("conductivity", raw, *PHASES, *layout, "--json").stdout)
    np.testing.assert_allclose(told["provenance"]["inputs"]["image"]["voxel"], [3e-6] * 3)
    np.testing.assert_allclose(np.diag(told["value"]), [SERIES, PARALLEL, PARALLEL], rtol=1e-10)


def test_grey_image_is_cut_by_a_threshold(tmp_path):
    grey = save(tmp_path, np.where(layers() == 1, 200.5, 10.5))
    for cut in ("100", "otsu"):
        told = json.loads(
            invoke("conductivity", grey, *PHASES, "--voxel", "1 um", "--threshold", cut, "--json").stdout
        )
        np.testing.assert_allclose(told["value"][0][0], SERIES, rtol=1e-10)


def test_a_failed_check_is_exit_1_and_the_result_is_written(image, tmp_path):
    out, card = tmp_path / "r.json", tmp_path / "c.inp"
    options = ("--phase", "0=0", "--phase", "1=3", "--out", out, "--card", card)
    found = invoke("conductivity", image, *options)
    assert found.exit_code == 1  # nothing conducts across the insulating layer
    assert "FAIL" in found.stdout
    stored = load_result(out)
    assert stored["value"][0, 0] == 0.0
    assert [check["name"] for check in stored["checks"] if not check["passed"]] == ["percolation"]
    assert not card.exists()
    assert "positive definite" in found.stderr


def test_no_convergence_is_exit_3_and_the_result_says_so(tmp_path):
    rough = np.random.default_rng(0).integers(0, 2, (8, 8, 8), dtype=np.uint8)
    out, card = tmp_path / "r.json", tmp_path / "c.inp"
    options = ("--phase", "0=1", "--phase", "1=1e4", "--max-steps", "2", "--out", out, "--card", card)
    found = invoke("conductivity", save(tmp_path, rough), *options)
    assert found.exit_code == 3
    assert "raise max_steps" in found.stdout
    assert load_result(out)["outcome"]["code"] == "step_limit"
    assert not card.exists()


def test_a_missing_extra_is_exit_4_before_the_work(image, tmp_path, monkeypatch):
    monkeypatch.setattr("scalebridge.cli.outputs.find_spec", lambda name: None)
    found = invoke("conductivity", image, *PHASES, "--voxel", "3 um", "--fields", tmp_path / "f.vti")
    assert found.exit_code == 4
    assert 'pip install "scalebridge[vtk]"' in found.stderr


def test_an_unforeseen_error_is_exit_70_without_a_traceback(image, monkeypatch):
    def fail(*_, **__):
        raise RuntimeError("boom")

    monkeypatch.setattr("scalebridge.cli.solving.effective_conductivity", fail)
    found = invoke("conductivity", image, *PHASES, "--voxel", "3 um")
    assert found.exit_code == 70
    assert "RuntimeError" in found.stderr
    assert "--debug" in found.stderr


def test_debug_lets_the_error_through(image):
    found = invoke("conductivity", image, "--phase", "0=1", "--debug")
    assert "no value for label 1" in str(found.exception)


def test_a_report_that_fails_leaves_the_numbers(image, tmp_path, monkeypatch):
    def fail(*_, **__):
        raise RuntimeError("no ink")

    monkeypatch.setattr("scalebridge.cli.outputs._write_report", fail)
    out = tmp_path / "r.json"
    found = invoke(
        "conductivity", image, *PHASES, "--voxel", "3 um", "--out", out, "--report", tmp_path / "p.html"
    )
    assert found.exit_code == 70
    assert load_result(out)["value"][0, 0] == pytest.approx(SERIES, rel=1e-10)
