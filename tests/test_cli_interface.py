"""scalebridge interface: flat interfaces, coefficients of layers and images, cases, pages, refusals."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli_helpers import invoke, save
from scalebridge.cells.phase_field import FlatInterface
from scalebridge.cli.interface_texts import by_label, layers_from
from scalebridge.core.errors import InputError

STACK = ("--layer", "2 nm=0", "--layer", "3 nm=1")
KAPPA = ("--gradient-energy", "0=2e-9 J/m", "--gradient-energy", "1=2.5e-9 J/m")
WELL = ("--barrier", "0=1e9 J/m^3", "--barrier", "1=1.3e9 J/m^3")
MOBILE = ("--mobility", "0:soft=1e-3 m^3/J/s +- 5 %", "--mobility", "1=3e-3 m^3/J/s")
FRONT = (*STACK, *KAPPA, *WELL, *MOBILE, "--driving", "1.5e8 J/m^3")
LIMIT = 1e-3 / (0.4 + 0.6 / 3.0)


def test_a_flat_interface_there_and_back():
    found = invoke("interface", "flat", "--tension", "0.3 J/m^2", "--length", "1 nm", "--json")
    assert found.exit_code == 0, found.output
    told = json.loads(found.stdout)
    assert told["gradient_energy"] == pytest.approx(1.8e-9, rel=1e-14)
    assert told["barrier"] == pytest.approx(9e8, rel=1e-14)
    back = invoke("interface", "flat", "--gradient-energy", "1.8e-9 J/m", "--barrier", "9e8 J/m^3")
    assert back.exit_code == 0, back.output
    for part in ("0.3", "J/m²", "4.39445", "width"):
        assert part in back.stdout


def test_a_gradient_energy_with_the_interface_across():
    args = ("interface", "gradient-energy", *STACK, *KAPPA, *WELL, "--normal", "1, 0")
    told = json.loads(invoke(*args, "--json").stdout)
    series, parallel = 1.0 / (0.4 / 2e-9 + 0.6 / 2.5e-9), 0.4 * 2e-9 + 0.6 * 2.5e-9
    np.testing.assert_allclose(told["value"], np.diag([series, parallel]), rtol=1e-13, atol=1e-24)
    exact = FlatInterface(series, 1.18e9)
    assert told["stats"]["interface"]["tension"][0] == pytest.approx(exact.tension(), rel=1e-12)
    shown = invoke(*args)
    assert shown.exit_code == 1  # a period of 5 nm is not thin beside an interface of 4.3 nm
    for part in ("interface across", "scale separation", "FAIL", "J/m²"):
        assert part in shown.stdout


def test_an_image_counts_by_its_fractions(tmp_path):
    labels = np.zeros((5, 4), np.uint8)
    labels[2:] = 1
    told = invoke("interface", "kinetic-mobility", "--image", save(tmp_path, labels), *MOBILE, "--json")
    assert told.exit_code == 0, told.output
    assert json.loads(told.stdout)["value"] == pytest.approx(LIMIT, rel=1e-14)


def test_a_front_with_every_output(tmp_path):
    places = {"--out": tmp_path / "front.json", "--report": tmp_path / "front.html"}
    options = [part for pair in places.items() for part in pair]
    found = invoke("interface", "kinetic-mobility", *FRONT, *options)
    assert found.exit_code == 0, found.output
    for part in ("m³/(J·s)", "coarse front", "formula of mean coefficients", "layer 0, thickness", "soft"):
        assert part in found.stdout
    told = json.loads(places["--out"].read_text())
    assert told["passed"]
    assert told["value"] == pytest.approx(told["stats"]["fronts"][0]["mobility"], rel=1e-9)
    page = places["--report"].read_text()
    for part in (
        "Effective kinetic mobility of the layers",
        "The front",
        "Speeds",
        "result-1-profile",
        "soft",
    ):
        assert part in page
    assert page.count("<svg") >= 3


def test_a_pinned_front_is_a_failed_check(tmp_path):
    page = tmp_path / "pinned.html"
    weak = (*FRONT[:-1], "5e6 J/m^3")
    found = invoke("interface", "kinetic-mobility", *weak, "--report", page)
    assert found.exit_code == 1, found.output
    assert "the front stands in the layers" in found.stdout.replace("\n", " ")
    assert "stands" in page.read_text()


def test_too_few_steps_have_their_own_code():
    found = invoke("interface", "kinetic-mobility", *FRONT, "--max-steps", "10")
    assert found.exit_code == 3, found.output
    assert "not found" in found.stdout


CASE = """task = "interface"
quantity = "kinetic-mobility"
title = "grain boundary through layers"
[[layers]]
thickness = "2 nm"
phase = 0
[[layers]]
thickness = "3 nm"
phase = 1
[phases.0]
name = "soft"
mobility = { value = "1e-3 m^3/J/s", std = "5 %" }
[phases.1]
mobility = "3e-3 m^3/J/s +- 1 %"
[solve]
[output]
json = "result.json"
"""
WITH_FRONT = (
    CASE.replace("[solve]", '[solve]\ndriving = ["1e8 J/m^3"]')
    .replace("[phases.1]", '[phases.1]\ngradient_energy = "2e-9 J/m"\nbarrier = "1e9 J/m^3"')
    .replace('name = "soft"', 'name = "soft"\ngradient_energy = "2e-9 J/m"\nbarrier = "1e9 J/m^3"')
)


def test_a_case_is_run_once_and_left_alone_then(tmp_path):
    (tmp_path / "case.toml").write_text(CASE)
    found = invoke("run", tmp_path / "case.toml")
    assert found.exit_code == 0, found.output
    told = json.loads((tmp_path / "result.json").read_text())
    assert told["value"] == pytest.approx(LIMIT, rel=1e-14)
    assert told["inputs"]["phase 1"]["std"] == pytest.approx(3e-5, rel=1e-12)
    again = invoke("run", tmp_path / "case.toml")
    assert again.exit_code == 0
    assert "Nothing to do" in again.stdout
    (tmp_path / "case.toml").write_text(CASE.replace("3 nm", "4 nm"))
    assert "Nothing to do" not in invoke("run", tmp_path / "case.toml").stdout


def test_a_case_of_a_front_and_of_an_image(tmp_path):
    (tmp_path / "front.toml").write_text(WITH_FRONT)
    found = invoke("run", tmp_path / "front.toml", "--json")
    assert found.exit_code == 0, found.output
    assert len(json.loads(found.stdout)["stats"]["fronts"]) == 1
    save(tmp_path, np.array([[0, 0], [1, 1]], np.uint8))
    head = CASE[: CASE.index("[[layers]]")].replace("kinetic-mobility", "gradient-energy")
    (tmp_path / "image.toml").write_text(
        head + '[image]\nfile = "image.npy"\nvoxel = "1 nm"\n[phases]\n0 = { gradient_energy = "2e-9 J/m" }\n'
        '1 = { gradient_energy = "4e-9 J/m", name = "hard" }\n[solve]\nbudget = "none"\n'
    )
    found = invoke("run", tmp_path / "image.toml", "--json")
    assert found.exit_code == 0, found.output
    told = json.loads(found.stdout)
    np.testing.assert_allclose(told["value"], [[8e-9 / 3, 0], [0, 3e-9]], rtol=1e-6, atol=1e-16)
    assert told["inputs"]["phase 1"]["name"] == "hard"


FLAT, ENERGY, KINETIC = (("interface", kind) for kind in ("flat", "gradient-energy", "kinetic-mobility"))
ROWS = [
    ("one number of four", (*FLAT, "--tension", "0.3 J/m^2"), "two of"),
    ("three of four", (*FLAT, "--tension", "1", "--length", "1", "--barrier", "1"), "two of"),
    ("a label for a flat one", (*FLAT, "--barrier", "0=1 J/m^3", "--length", "1 nm"), "without a label"),
    ("a negative tension", (*FLAT, "--tension=-0.3", "--length", "1"), "positive"),
    ("a length in J", (*FLAT, "--tension", "0.3 J/m^2", "--length", "1 J"), "convertible to m"),
    ("layers for a flat one", (*FLAT, *STACK, "--tension", "1"), "with flat"),
    ("a quantity that is none", ("interface", "stiffness"), "gradient-energy"),
    ("no medium", (*ENERGY, *KAPPA), "neither --layer nor --image"),
    ("two media", (*ENERGY, *KAPPA, *STACK, "--image", "image.npy"), "both --layer and --image"),
    ("a tension of layers", (*ENERGY, *STACK, *KAPPA, "--tension", "1 J/m^2"), "--tension with"),
    ("a threshold of layers", (*ENERGY, *STACK, *KAPPA, "--threshold", "3"), "without --image"),
    ("no coefficient", (*ENERGY, *STACK, *WELL), "of every phase"),
    ("a mobility of an energy", (*ENERGY, *STACK, *KAPPA, *MOBILE), "mobility with the gradient-energy"),
    ("a driving force of an energy", (*ENERGY, *STACK, *KAPPA, "--driving", "1"), "driving with"),
    ("a normal of a front", (*KINETIC, *FRONT, "--normal", "1,0"), "normal with"),
    ("a layer without label", (*ENERGY, "--layer", "2 nm", *KAPPA), "THICKNESS=LABEL"),
    ("a layer named by a word", (*ENERGY, "--layer", "2 nm=soft", *KAPPA), "THICKNESS=LABEL"),
    ("a layer of no thickness", (*ENERGY, "--layer", "0 nm=0", *KAPPA[:2]), "positive, finite length"),
    ("a label twice", (*ENERGY, *STACK, *KAPPA[:2], *KAPPA[:2]), "twice"),
    ("a label too few", (*ENERGY, *STACK, *KAPPA[:2]), "a value for each of [0, 1]"),
    ("a unit of something else", (*ENERGY, *STACK, *KAPPA[:2], "--gradient-energy", "1=2 W/m/K"), "J/m"),
    ("half a front", (*KINETIC, *STACK, *MOBILE, *KAPPA), "for a front"),
    ("a front without layers", (*KINETIC, "--image", "image.npy", *FRONT[4:]), "for a front"),
    ("a driving force without unit", (*KINETIC, *FRONT[:-1], "1.5e8"), "a unit of J/m^3"),
    ("a driving force that is too strong", (*KINETIC, *FRONT[:-1], "5e8 J/m^3"), "metastable"),
    ("a threshold without a front", (*KINETIC, *STACK, *MOBILE, "--depinning"), "which make a front"),
    ("cells too wide", (*KINETIC, *FRONT, "--resolution", "1"), "from 2 to 200"),
    ("no steps", (*KINETIC, *FRONT, "--max-steps", "0"), "at least 1"),
    ("a report as PDF", (*KINETIC, *FRONT, "--report", "r.pdf"), "ends in .html"),
    ("an image that is not there", (*KINETIC, "--image", "none.npy", *MOBILE), "none.npy"),
]


@pytest.mark.parametrize(("args", "said"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS])
def test_bad_options_are_refused_in_one_block(args, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    save(tmp_path, np.array([[0, 0], [1, 1]], np.uint8))
    found = invoke(*args)
    assert found.exit_code == 2, found.output
    assert said in found.stderr
    assert found.stdout == ""
    assert [file.name for file in tmp_path.iterdir()] == ["image.npy"]
    if "Usage:" not in found.stderr:
        heads = [line.split()[0] for line in found.stderr.splitlines() if line[:10].strip()]
        assert heads == ["error", "got", "wanted", "cure"]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('quantity = "kinetic-mobility"\n', "", "quantity"),
        ('"kinetic-mobility"', '"permeability"', "gradient-energy"),
        ("thickness", "thicknes", "did you mean 'thickness'"),
        ("phase = 1", 'phase = "hard"', "integer"),
        ("[phases.1]", "[phases.hard]", "the label 'hard'"),
        ("[solve]", "[solve]\nspeed = 3", "the unknown key 'speed'"),
        ("[solve]", "[solve]\nnormal = [1, 0]", "normal with the kinetic-mobility"),
        ("[solve]", "[solve]\nrtol = 1e-6", "rtol with the kinetic-mobility of layers"),
        ('mobility = "3e-3 m^3/J/s +- 1 %"', 'mobilty = "3e-3 m^3/J/s"', "did you mean 'mobility'"),
        ('mobility = "3e-3 m^3/J/s +- 1 %"', 'mobility = "3e-3 J/m +- 1 %"', "m^3/J/s"),
        ("[solve]", '[image]\nfile = "image.npy"\n[solve]', "either layers or an [image]"),
    ],
)
def test_bad_cases_are_refused_with_what_there_is(tmp_path, old, new, said):
    (tmp_path / "case.toml").write_text(CASE.replace(old, new))
    found = invoke("run", tmp_path / "case.toml")
    assert found.exit_code == 2, found.output
    assert said in found.stderr


@given(st.text(max_size=30))
def test_any_text_is_read_or_refused(text):
    for read in (
        lambda: layers_from([text]),
        lambda: layers_from([f"2 nm={text}"]),
        lambda: by_label("--barrier", [text]),
        lambda: by_label("--barrier", [f"0={text}"]),
    ):
        try:
            read()
        except InputError as error:
            assert error.cure  # noqa: PT017 (any other exception fails the test by itself)
