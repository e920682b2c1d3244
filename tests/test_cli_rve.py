"""scalebridge rve, and cases of task "rve": asked, answered once, resumed, refused."""

import json
import tomllib

import numpy as np
import pytest

import scalebridge as sb
from cli_helpers import invoke, save
from scalebridge.cli.case_file import validate_case
from scalebridge.cli.text_values import share_from, sizes_from
from scalebridge.core.errors import InputError, TaskError

PHASES = ("--phase", "0=1 W/m/K", "--phase", "1=3 W/m/K", "--voxel", "2 um")
QUICK = ("--sizes", "4, 8", "--engine", "serial", "--wanted", "40 %")
CASE = """task = "rve"
title = "how large"
[image]
file = "image.npy"
voxel = "2 um"
[phases]
0 = "1 W/m/K"
1 = "3 W/m/K"
[study]
sizes = [4, 8]
wanted = 0.4
engine = "serial"
store = "boxes"
[output]
folder = "out"
json = "study.json"
"""


@pytest.fixture
def noise(tmp_path):
    return save(tmp_path, sb.random_voxels(16, volume_fraction=0.5, seed=0, dim=2).labels)


def test_a_study_is_printed_and_written(noise, tmp_path):
    out, page = tmp_path / "study.json", tmp_path / "study.html"
    found = invoke("rve", noise, *PHASES, *QUICK, "--out", out, "--report", page)
    assert found.exit_code == 0, found.output
    for part in (
        "Effective conductivity of subvolumes, W/(m·K)",
        "8 x 8",
        "integral range",
        "20 subvolumes solved",
    ):
        assert part in found.stdout
    told = json.loads(out.read_text())
    assert told["schema"] == "scalebridge/rve-study/1"
    assert [row["count"] for row in told["sizes"]] == [16, 4]
    assert set(told["files"]) == {"report"}
    assert "Representative volume of image.npy" in page.read_text()


def test_json_alone_on_standard_output(noise):
    found = invoke("rve", noise, *PHASES, *QUICK, "--json")
    assert json.loads(found.stdout)["quantity"] == "effective conductivity"


def test_an_image_that_is_too_small_fails_its_check_and_ends_with_1(noise):
    found = invoke("rve", noise, *PHASES, *QUICK[:-1], "0.1 %")
    assert found.exit_code == 1
    assert "FAIL" in found.stdout


def test_a_store_is_used_again(noise, tmp_path):
    store = ("--store", tmp_path / "boxes")
    invoke("rve", noise, *PHASES, *QUICK, *store)
    found = invoke(
        "rve", noise, *PHASES, "--sizes", "4,8,5", "--engine", "serial", "--wanted", "40 %", *store
    )
    assert "9 subvolumes solved, 20 found finished" in found.stdout


def test_a_case_is_answered_once(noise, tmp_path):
    case = tmp_path / "case.toml"
    case.write_text(CASE)
    first = invoke("run", case)
    assert first.exit_code == 0, first.output
    assert (tmp_path / "out" / "study.json").is_file()
    assert len(list((tmp_path / "boxes").glob("*.json"))) == 20
    assert "Nothing to do" in invoke("run", case).stdout
    # Who solves it is no part of the question.
    case.write_text(CASE.replace('engine = "serial"', 'engine = "local"'))
    assert "Nothing to do" in invoke("run", case).stdout
    case.write_text(CASE.replace("wanted = 0.4", "wanted = 0.3"))
    again = invoke("run", case)
    assert "Nothing to do" not in again.stdout
    assert "0 subvolumes solved, 20 found finished" in again.stdout
    told = json.loads(invoke("run", case, "--json").stdout)
    assert told["wanted"]["error"] == 0.3
    assert "request" not in told


def test_a_case_says_what_the_options_say():
    case = validate_case(tomllib.loads(CASE), "case.toml", CASE)
    assert case.task == "rve"
    assert case.study.sizes == [4, 8]
    assert case.study.realisations == 64
    assert case.study.boundary == "mirrored"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("sizes = [4, 8]", "size = [4, 8]"), "did you mean 'sizes'"),
        (("wanted = 0.4", 'wanted = "much"'), "valid number"),
        (('engine = "serial"', 'engine = "cloud"'), "choose one of them"),
        (('task = "rve"', 'task = "rvee"'), "did you mean 'rve'"),
        (('json = "study.json"', 'fields = "f.h5"'), "unknown key 'fields'"),
        (("sizes = [4, 8]", "sizes = [4, 15]"), "at least twice"),
        (('store = "boxes"', 'store = "image.npy"'), "which is a file"),
    ],
)
def test_cases_that_cannot_be_are_refused(noise, tmp_path, change, said):
    case = tmp_path / "case.toml"
    case.write_text(CASE.replace(*change))
    found = invoke("run", case)
    assert found.exit_code == 2
    assert said in found.stderr


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--sizes", "big"), "whole numbers"),
        (("--sizes", "4x4x4"), "a list of edges"),
        (("--wanted", "little"), "'2 %'"),
        (("--wanted", "200 %"), "between 0 and 1"),
        (("--engine", "cloud"), "choose one of them"),
        (("--workers", "0"), "at least 1"),
        (("--realisations", "1"), "at least 2"),
        (("--report", "page.pdf"), "ends in .html"),
    ],
)
def test_options_that_cannot_be_are_refused(noise, options, said):
    found = invoke("rve", noise, *PHASES, *options)
    assert found.exit_code == 2
    assert said in found.stderr


def test_a_lost_worker_ends_with_its_own_code(noise, monkeypatch):
    def lost(*args, **options):
        raise TaskError(
            "a worker process ended before its task did; 3 of 20 tasks are finished; use fewer workers"
        )

    monkeypatch.setattr("scalebridge.cells.rve_boxes.run_tasks", lost)
    found = invoke("rve", noise, *PHASES, *QUICK)
    assert found.exit_code == 5
    assert "cure    use fewer workers" in found.stderr


def test_text_of_sizes_and_shares():
    assert sizes_from(None) is None
    assert sizes_from("16,32") == [16, 32]
    assert sizes_from("16x16x8, 32x32x16") == [[16, 16, 8], [32, 32, 16]]
    assert (share_from("2%", "w"), share_from(" 0.5 % ", "w"), share_from("1e-3", "w")) == (0.02, 0.005, 1e-3)
    for wrong in ("2 % of", "%", "", "x"):
        with pytest.raises(InputError):
            share_from(wrong, "w")


def test_help_lists_the_engines():
    found = invoke("rve", "--help")
    assert found.exit_code == 0
    assert "tcp://host:port" in found.stdout
    assert np.all([word in found.stdout for word in ("--store", "--wanted", "--sizes", "--workers")])


# ----------------------------------------------------------------------------------------- stiffness of boxes

STIFF = (
    "--of",
    "stiffness",
    "--phase",
    "0=young=1 GPa, poisson=0.3",
    "--phase",
    "1=young=3 GPa, poisson=0.3",
)


def test_a_study_of_the_stiffness_is_that_of_the_face(noise, tmp_path):
    out, page = tmp_path / "study.json", tmp_path / "study.html"
    found = invoke("rve", noise, *STIFF, *QUICK, "--voxel", "2 um", "--out", out, "--report", page)
    assert found.exit_code == 0, found.output
    assert "Effective stiffness of subvolumes" in found.stdout
    told = json.loads(out.read_text())
    phases = {label: {"young": f"{young} GPa", "poisson": 0.3} for label, young in ((0, 1), (1, 3))}
    study = sb.stiffness_rve_study(
        str(noise), phases, sizes=[4, 8], engine="serial", voxel="2 um", wanted=0.4
    )
    assert [row["scalar"]["mean"] for row in told["sizes"]] == [s.scalar.mean for s in study.sizes]
    assert "Representative volume of image.npy" in page.read_text()


def test_a_case_of_the_stiffness_of_boxes_is_answered_once(noise, tmp_path):
    phases = '''0 = "young=1 GPa, poisson=0.3"\n1 = "young=3 GPa, poisson=0.3"'''
    text = CASE.replace('"rve"', '"stiffness-rve"').replace('0 = "1 W/m/K"\n1 = "3 W/m/K"', phases)
    (tmp_path / "case.toml").write_text(text)
    first = invoke("run", tmp_path / "case.toml")
    assert first.exit_code == 0, first.output
    assert "Nothing to do" in invoke("run", tmp_path / "case.toml").stdout


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--boundary", "mirrored"), "uniform-strain"),
        (("--scheme", "finite-volume"), "b-bar"),
        (("--dtype", "float32"), "leave it out"),
        (("--temperature", "warm"), "temperature"),
        (("--phases-table", "phases.csv"), "leave it out"),
        (("--sizes", "400"), "400"),
    ],
)
def test_options_that_a_study_of_the_stiffness_has_not(noise, options, says):
    found = invoke("rve", noise, *STIFF, "--voxel", "2 um", *options)
    assert found.exit_code != 0
    assert says in found.output


def test_a_temperature_means_nothing_to_a_conductivity(noise):
    found = invoke("rve", noise, *PHASES, "--temperature", "300")
    assert found.exit_code != 0
    assert "leave it out" in found.output


# -------------------------------------------------------------------------------------- permeability of boxes

FLOW = ("--of", "permeability", "--pore", "0", "--voxel", "2 um")


@pytest.fixture
def rock(tmp_path):
    """Grains on a lattice, and some more between them: boxes differ little."""
    grains = np.zeros((16, 16), np.uint8)
    grains[1::4, 1::4] = 1
    grains[3::4, 1::4] = np.random.default_rng(5).random((4, 4)) < 0.4
    return save(tmp_path, grains)


def test_a_study_of_the_permeability_is_that_of_the_face(rock, tmp_path):
    out, page = tmp_path / "study.json", tmp_path / "study.html"
    options = ("--sizes", "4, 8", "--wanted", "95 %", "--engine", "serial", "--rtol", "1e-3")
    found = invoke("rve", rock, *FLOW, *options, "--out", out, "--report", page)
    assert found.exit_code == 0, found.output
    assert "Permeability of subvolumes, m²" in found.stdout
    told = json.loads(out.read_text())
    study = sb.permeability_rve_study(
        str(rock), pore=0, voxel="2 um", sizes=[4, 8], wanted=0.95, engine="serial"
    )
    assert [row["scalar"]["mean"] for row in told["sizes"]] == [s.scalar.mean for s in study.sizes]
    text = page.read_text(encoding="utf-8")
    assert "Representative volume of image.npy" in text
    assert "The pores" in text or "pore" in text


def test_a_case_of_the_permeability_of_boxes_is_answered_once(rock, tmp_path):
    (tmp_path / "case.toml").write_text(
        """task = "permeability-rve"
pore = 0
[image]
file = "image.npy"
voxel = "2 um"
[study]
sizes = [4, 8]
wanted = 0.95
engine = "serial"
[output]
json = "study.json"
"""
    )
    first = invoke("run", tmp_path / "case.toml")
    assert first.exit_code == 0, first.output
    assert "Nothing to do" in invoke("run", tmp_path / "case.toml").stdout


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--phase", "0=1 W/m/K"), "leave it out"),
        (("--scheme", "finite-volume"), "leave it out"),
        (("--dtype", "float32"), "leave it out"),
        (("--boundary", "uniform-flux"), "sealed"),
        (("--pore", "7"), "inspect"),
        (("--sizes", "400"), "400"),
    ],
)
def test_options_that_a_study_of_the_permeability_has_not(rock, options, says):
    found = invoke("rve", rock, *FLOW, *options)
    assert found.exit_code != 0
    assert says in found.output


def test_pores_mean_nothing_to_a_conductivity_and_are_needed_for_flow(rock):
    assert "leave it out" in invoke("rve", rock, *PHASES, "--pore", "0").output
    assert "--pore" in invoke("rve", rock, "--of", "permeability", "--voxel", "2 um").output
