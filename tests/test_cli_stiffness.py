"""scalebridge stiffness and expansion: answers, tables, files, cases, and what is refused."""

import json
import time

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli_helpers import invoke, layers, save
from scalebridge.cells.laminate_elasticity import laminate_elasticity
from scalebridge.cells.stiffness import effective_stiffness
from scalebridge.cli.elastic_texts import materials_from, temperatures_from
from scalebridge.core.errors import InputError
from scalebridge.core.units import registry
from scalebridge.laws.elastic_material import material_from

SOFT = "0:epoxy=young=3 GPa +- 0.1 GPa, poisson=0.35, expansion=60e-6 1/K"
HARD = "1:glass=young=70 GPa, poisson=0.22, expansion=5e-6 1/K"
PHASES = ("--phase", SOFT, "--phase", HARD)
QUICK = ("--budget", "quick")
MATERIALS = {
    0: {"young": ("3 GPa", "0.1 GPa"), "poisson": 0.35, "expansion": "60e-6 1/K"},
    1: {"young": "70 GPa", "poisson": 0.22, "expansion": "5e-6 1/K"},
}


@pytest.fixture
def image(tmp_path):
    return save(tmp_path, layers()[2:6, :2, :2])  # two layers of voxels of each phase, across x


def exact():
    """The laminate of the fixture: two layers of each phase across x."""
    made = [material_from(MATERIALS[label], f"phase {label}") for label in (0, 1)]
    stiffness = np.stack([material.stiffness() for material in made])
    expansion = np.stack([material.expansion() for material in made])
    found = laminate_elasticity(np.array([0.5, 0.5]), stiffness, expansion, np.array([1.0, 0, 0]))
    return [np.asarray(part) for part in found]


def test_json_is_the_answer_of_the_python_face_and_of_the_laminate(image):
    found = invoke("stiffness", image, *PHASES, "--voxel", "2 um", *QUICK, "--json")
    assert found.exit_code == 0, found.output
    told = json.loads(found.stdout)
    want = effective_stiffness(image, MATERIALS, voxel="2 um", budget="quick").value
    np.testing.assert_array_equal(told["value"], want)  # the same call
    np.testing.assert_allclose(told["value"], exact()[0], rtol=1e-9, atol=1e-9 * exact()[0].max())
    assert told["unit"] == "Pa"
    # One constant has a spread: the standard deviation is its derivative's size times it.
    slope = np.asarray(told["derivatives"]["phase 0 young"])
    inputs = np.asarray(told["uncertainty"]["inputs"]["std"])
    np.testing.assert_allclose(inputs, 0.1e9 * np.abs(slope), rtol=1e-9, atol=1e-3)


def test_text_shows_matrix_words_bounds_sensitivities_and_checks(image):
    found = invoke("stiffness", image, *PHASES, *QUICK)
    assert found.exit_code == 0, found.output
    for part in (
        "Mandel",
        "epoxy",
        "GPa",
        "xx",
        "xy",
        "Young's modulus",
        "Voigt-Reuss",
        "one percent",
        "pass",
    ):
        assert part in found.stdout
    assert "FAIL" not in found.stdout


def test_expansion_is_that_of_the_laminate(image):
    told = json.loads(invoke("expansion", image, *PHASES, *QUICK, "--json").stdout)
    np.testing.assert_allclose(told["value"], exact()[1], rtol=1e-8, atol=1e-13)
    shown = invoke("expansion", image, *PHASES, *QUICK)
    assert shown.exit_code == 0, shown.output
    assert "10⁻⁶/K" in shown.stdout


def test_every_output_is_written(image, tmp_path):
    places = {
        name: tmp_path / file for name, file in (("fields", "f.h5"), ("report", "p.html"), ("card", "c.inp"))
    }
    options = [part for name, path in places.items() for part in (f"--{name}", path)]
    found = invoke("stiffness", image, *PHASES, *QUICK, "--voxel", "2 um", *options, "--units", "N-mm-MPa")
    assert found.exit_code == 0, found.output
    with h5py.File(places["fields"]) as file:
        assert file["strain_11"].shape == (6, 4, 2, 2)
        np.testing.assert_allclose(file["strain_11"][0].mean(), 1.0, rtol=1e-9)
    assert places["report"].read_text().lstrip().lower().startswith("<!doctype html")
    text = places["card"].read_text()
    assert "*ELASTIC, TYPE=ORTHO" in text
    constants = text.splitlines()[text.splitlines().index("*ELASTIC, TYPE=ORTHO") + 1].split(",")
    assert float(constants[0]) == pytest.approx(exact()[0][0, 0] / 1e6, rel=1e-6)


@pytest.mark.parametrize(
    ("dialect", "said"), [("abaqus", "*EXPANSION, TYPE=ORTHO"), ("ansys", "MP,ALPX"), ("json", '"expansion"')]
)
def test_a_card_of_an_expansion_holds_the_stiffness_too(image, tmp_path, dialect, said):
    card = tmp_path / "card.txt"
    found = invoke("expansion", image, *PHASES, *QUICK, "--card", card, "--dialect", dialect)
    assert found.exit_code == 0, found.output
    assert said in card.read_text()
    assert {"abaqus": "*ELASTIC, TYPE=ORTHOTROPIC", "ansys": "MP,EX", "json": '"stiffness"'}[
        dialect
    ] in card.read_text()


@pytest.mark.slow
def test_a_table_over_temperature_from_csv_with_card_and_report(image, tmp_path):
    (tmp_path / "young.csv").write_text("temperature [degC], young [GPa]\n20, 3\n80, 2\n")
    soft = "0=young=young.csv, poisson=0.35, expansion=60e-6 1/K"
    (tmp_path / "case").mkdir()
    options = ("--card", tmp_path / "t.inp", "--report", tmp_path / "t.html", "--out", tmp_path / "t.json")
    args = ("--phase", soft.replace("young.csv", str(tmp_path / "young.csv")), "--phase", HARD)
    more = ("--temperatures", "300:340:20", "--reference-temperature", "300")
    found = invoke("stiffness", image, *args, *more, *options)
    assert found.exit_code == 0, found.output
    told = json.loads((tmp_path / "t.json").read_text())
    assert told["temperatures"] == [300, 320, 340]
    single = invoke("stiffness", image, *args, "--temperature", "320", *QUICK, "--json")
    value = np.asarray(json.loads(single.stdout)["value"])
    np.testing.assert_allclose(
        told["stiffness"][1], value, rtol=1e-6, atol=1e-6 * value.max()
    )  # rtol of the solver
    assert "ZERO=300" in (tmp_path / "t.inp").read_text()
    assert "over temperature" in (tmp_path / "t.html").read_text()
    assert "320" in found.stdout


CASE = """task = "stiffness"
[image]
file = "image.npy"
voxel = "2 um"
[phases.0]
young = "3 GPa +- 0.1 GPa"
poisson = 0.35
[phases."*"]
young = "70 GPa"
poisson = 0.22
[solve]
budget = "none"
[output]
json = "result.json"
"""


def test_a_case_is_run_once_and_left_alone_then(image, tmp_path):
    (tmp_path / "case.toml").write_text(CASE)
    found = invoke("run", tmp_path / "case.toml")
    assert found.exit_code == 0, found.output
    told = json.loads((tmp_path / "result.json").read_text())
    np.testing.assert_allclose(told["value"], exact()[0], rtol=1e-9, atol=1e-9 * exact()[0].max())
    assert told["inputs"]["phase 0"]["young"]["std"] == pytest.approx(0.1e9)
    again = invoke("run", tmp_path / "case.toml")
    assert again.exit_code == 0
    assert "Nothing to do" in again.stdout
    (tmp_path / "case.toml").write_text(CASE.replace("70 GPa", "71 GPa"))
    assert "Nothing to do" not in invoke("run", tmp_path / "case.toml").stdout


def test_a_changed_temperature_table_is_asked_again(image, tmp_path):
    (tmp_path / "young.csv").write_text("temperature [K], young [GPa]\n290, 3\n350, 2\n")
    text = CASE.replace('"3 GPa +- 0.1 GPa"', '"young.csv"').replace(
        'budget = "none"', 'budget = "none"\ntemperature = 300'
    )
    (tmp_path / "case.toml").write_text(text)
    assert invoke("run", tmp_path / "case.toml").exit_code == 0
    assert "Nothing to do" in invoke("run", tmp_path / "case.toml").stdout
    (tmp_path / "young.csv").write_text("temperature [K], young [GPa]\n290, 4\n350, 2\n")
    assert "Nothing to do" not in invoke("run", tmp_path / "case.toml").stdout


ONE, TWO = ("--phase", "0=young=3 GPa, poisson=0.3"), ("--phase", "1=young=70 GPa, poisson=0.2")
BOTH = (*ONE, *TWO)
FORMULA = ("--phase", "0=young=3 GPa - 1 MPa/K * (T - 293 K), poisson=0.3")
TABLE = ("--temperatures", "300, 400")
WARM = ("--phase", "0=young=3 GPa, poisson=0.3, expansion=6e-5 1/K")

# Options behind `scalebridge stiffness image.npy`, and what the block has to say.
ROWS = [
    ("no phases", (), "none"),
    ("a phase is missing", ONE, "label 1"),
    ("a phase too many", (*BOTH, "--phase", "2=void"), "label 2"),
    ("a label twice", (*ONE, *ONE), "label 0 twice"),
    ("a constant twice", ("--phase", "0=young=1 GPa, young=2 GPa", *TWO), "young twice"),
    ("a label that is a name", ("--phase", "pore=void", *TWO), "LABEL[:NAME]"),
    ("a constant without a value", ("--phase", "0=young=, poisson=0.3", *TWO), "CONSTANT=VALUE"),
    ("a constant without an equals sign", ("--phase", "0=young 3 GPa", *TWO), "CONSTANT=VALUE"),
    ("an empty name", ("--phase", "0:=young=3 GPa, poisson=0.3", *TWO), "a name after ':'"),
    ("an unknown constant", ("--phase", "0=yuong=3 GPa, poisson=0.3", *TWO), "young"),
    ("a constant too few", ("--phase", "0=young=3 GPa", *TWO), "phase 0"),
    ("a constant too many", ("--phase", "0=young=3 GPa, poisson=0.3, bulk=4 GPa", *TWO), "phase 0"),
    ("Poisson's ratio of a half", ("--phase", "0=young=3 GPa, poisson=0.5", *TWO), "phase 0"),
    ("Poisson's ratio below minus one", ("--phase", "0=young=3 GPa, poisson=-1.1", *TWO), "phase 0"),
    ("a negative modulus", ("--phase", "0=young=-3 GPa, poisson=0.3", *TWO), "phase 0"),
    ("a modulus in kilograms", ("--phase", "0=young=3 kg, poisson=0.3", *TWO), "convertible to Pa"),
    ("an unknown unit", ("--phase", "0=young=3 flurb, poisson=0.3", *TWO), "flurb"),
    ("two spreads", ("--phase", "0=young=3 GPa +- 1 GPa +- 1 GPa, poisson=0.3", *TWO), "VALUE [UNIT]"),
    ("a negative spread", ("--phase", "0=young=3 GPa +- -1 GPa, poisson=0.3", *TWO), "std"),
    ("unstable cubic constants", ("--phase", "0=c11=1 GPa, c12=2 GPa, c44=1 GPa", *TWO), "phase 0"),
    ("brackets that are no list", ("--phase", "0=young=3 GPa, poisson=0.3, expansion=[1, 2", *TWO), "JSON"),
    ("a table that is not there", ("--phase", "0=young=e.csv, poisson=0.3", *TWO), "e.csv"),
    ("a formula without a temperature", (*FORMULA, *TWO), "temperature"),
    ("a temperature that is none", (*BOTH, "--temperature", "warm"), "temperature"),
    ("a temperature below zero", (*BOTH, "--temperature", "-300 degC"), "above 0 K"),
    ("temperatures without a step", (*BOTH, "--temperatures", "300:400:0"), "FIRST:LAST:STEP"),
    ("temperatures backwards", (*BOTH, "--temperatures", "400:300:20"), "FIRST:LAST:STEP"),
    ("one temperature as many", (*BOTH, "--temperatures", "300"), "2 to 1000"),
    ("a temperature twice", (*BOTH, "--temperatures", "300, 300"), "twice"),
    ("one and many temperatures", (*BOTH, "--temperature", "300", *TABLE), "leave temperature out"),
    ("a table with fields", (*BOTH, "--temperatures", "300, 400", "--fields", "f.h5"), "leave fields out"),
    ("a table of another boundary", (*BOTH, *TABLE, "--boundary", "uniform-strain"), "leave boundary out"),
    ("a table's card without a reference", (*WARM, *TWO, *TABLE, "--card", "c.inp"), "thermal strain"),
    ("one point beside a void", ("--phase", "0=void", *TWO, "--scheme", "reduced"), "hourglass"),
    ("nothing but voids", ("--phase", "*=void"), "a solid phase"),
    ("rtol of 2", (*BOTH, "--rtol", "2"), "between 0 and 1"),
    ("no steps", (*BOTH, "--max-steps", "0"), "at least 1"),
    ("a report as PDF", (*BOTH, "--report", "r.pdf"), "ends in .html"),
    ("the input as output", (*BOTH, "--out", "image.npy"), "never overwritten"),
]  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def loaded():
    """Load what a verb imports, and the units, which are not part of the time that a refusal takes."""
    registry()
    invoke("stiffness", "nothing.npy", *ONE)


@pytest.mark.parametrize(("args", "said"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS])
def test_bad_options_are_refused_in_one_block(args, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    save(tmp_path, layers())
    start = time.process_time()
    found = invoke("stiffness", "image.npy", *args)
    assert found.exit_code == 2, found.output
    assert said in found.stderr
    heads = [line.split()[0] for line in found.stderr.splitlines() if line[:1] != "\t" and line[:10].strip()]
    assert heads == ["error", "got", "wanted", "cure"]
    assert found.stdout == ""
    assert [file.name for file in tmp_path.iterdir()] == ["image.npy"]
    assert time.process_time() - start < 2  # second of processor time, for machines that do other things too


def test_expansion_without_any_is_refused(image):
    for more in ((), ("--temperatures", "300, 400")):
        found = invoke("expansion", image, *BOTH, *more)
        assert found.exit_code == 2
        assert "no expansion of any phase" in found.stderr


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('budget = "none"', 'scheme = "spectral"', "hexahedra"),
        ('budget = "none"', "rtol = 3", "between 0 and 1"),
        ('budget = "none"', "steps = 3", "the unknown key 'steps'"),
        ('[phases."*"]', "[phases.glass]", "the label 'glass'"),
        ('young = "70 GPa"', "yung = 70", "young"),
        ('json = "result.json"', 'dialect = "nastran"', "calculix"),
        ('json = "result.json"', 'units = "psi"', "SI"),
    ],
)
def test_bad_cases_are_refused_with_what_there_is(image, tmp_path, old, new, said):
    (tmp_path / "case.toml").write_text(CASE.replace(old, new))
    found = invoke("run", tmp_path / "case.toml")
    assert found.exit_code == 2, found.output
    assert said in found.stderr


@given(st.text(max_size=30))
def test_any_text_is_read_or_refused(text):
    readers = (
        lambda: materials_from([text]),
        lambda: materials_from([f"0={text}"]),
        lambda: materials_from([f"0=young={text}"]),
        lambda: temperatures_from(text),
    )
    for read in readers:
        try:
            read()
        except InputError as error:
            assert error.cure  # noqa: PT017 (any other exception fails the test by itself)
