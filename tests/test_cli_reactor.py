"""Reactor lattices on the command line and on the page; libraries in OpenMC's format; constants as JSON."""

import json

import h5py
import numpy as np
import pytest

from cli_helpers import invoke
from lattice_samples import C5G7, FUEL, ROOT, TWO_GROUPS
from scalebridge.cli.case_file import load_case
from scalebridge.core.errors import FileFormatError, InputError
from scalebridge.reactor.lattice_table import lattice_from_table
from scalebridge.reactor.materials import multigroup_material, read_materials
from scalebridge.reactor.mgxs import read_mgxs, write_mgxs
from scalebridge.reactor.pmaxs import read_pmaxs

EDGES = [1e7, 0.625, 0.0]
CASE = """task = "reactor"
library = "fuel.toml"
sensitivity = true
[lattice]
pitch = "1.2 cm"
rows = ["F W", "W F"]
pins.F = { radii = ["0.4 cm"], materials = ["fuel", "water"], sectors = 4 }
pins.W = { material = "water", mesh = 2 }
[transport]
azimuths = 4
spacing = "0.3 cm"
[constants]
regions = "pins"
groups = [0]
[output]
json = "out.json"
report = "out.html"
"""


def write(folder, text=CASE):
    tables = []
    for name, table in TWO_GROUPS.items():
        lines = [f"{key} = {json.dumps(value)}" for key, value in table.items()]
        tables.append("\n".join([f"[{name}]", *lines, f"group_edges = {EDGES}"]))
    (folder / "fuel.toml").write_text("\n".join(tables))
    (folder / "case.toml").write_text(text)
    return folder / "case.toml"


def test_a_case_is_solved_printed_and_written(tmp_path):
    case = write(tmp_path, CASE + 'library = "few.h5"\n')
    found = invoke("reactor", case)
    assert found.exit_code == 0, found.output
    assert "k = " in found.output
    assert "rates: absorption" in found.output
    told = json.loads((tmp_path / "out.json").read_text())
    assert told["schema"] == "scalebridge/lattice/1"
    assert told["constants"]["conventions"]["scatter"].startswith("[from, to]")
    assert len(told["derivatives of k"]["total"]["fuel"]) == 2
    few = read_mgxs(tmp_path / "few.h5")
    assert len(few) == 4
    assert few["region-0"].groups == 1
    assert few["region-0"].group_edges == pytest.approx([1e7, 0.0])
    page = (tmp_path / "out.html").read_text(encoding="utf-8")
    for words in ("Audit", "Flux by group", "Derivatives", "Convergence", "rates: fission"):
        assert words in page


def test_gaps_coarse_cores_and_pmaxs_of_a_case(tmp_path):
    text = CASE.replace(
        'rows = ["F W", "W F"]', 'rows = ["F F"]\ngap = { width = "0.2 cm", material = "water" }'
    )
    text = text.replace(
        'regions = "pins"', 'regions = "assemblies"\nequivalence = ["flux weighting", "discontinuity"]'
    )
    found = invoke("reactor", write(tmp_path, text + 'pmaxs = "few.PMAX"\n'))
    assert found.exit_code == 0, found.output
    told = json.loads((tmp_path / "out.json").read_text())
    pcm = [1e5 * abs(core["k_coarse"] - core["k"]) for core in told["coarse cores"]]
    assert pcm[1] < 2.0 < pcm[0]
    assert told["constants"]["labels"] == [[0] * 4] * 3
    assert "discontinuity: k" in {check["name"] for check in told["checks"]}
    assert read_pmaxs(tmp_path / "few.PMAX").table["absorption"].shape == (1,)
    page = (tmp_path / "out.html").read_text(encoding="utf-8")
    assert "Coarse against fine" in page
    assert "error of power by flux weighting" in page


def test_a_finished_case_is_left_alone_and_json_alone_is_json(tmp_path):
    case = write(tmp_path)
    assert invoke("run", case).exit_code == 0
    assert "Nothing to do" in invoke("reactor", case).output
    told = json.loads(invoke("reactor", case, "--force", "--json").stdout)
    assert told["passed"] is True


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('"fuel.toml"', '"fuel.csv"', "fuel.csv"),
        ('"fuel.toml"', '"nowhere.toml"', "nowhere.toml"),
        ('spacing = "0.3 cm"', 'spacing = "3 cm"', "spacing"),
        ('rows = ["F W", "W F"]', "", "rows"),
        ("azimuths = 4", "azimuth = 4", "azimuths"),
        ('["0.4 cm"]', '["0.7 cm"]', "overlap"),
        ('json = "out.json"', 'json = "case.toml"', "case.toml"),
        ('json = "out.json"', 'pmaxs = "case.toml"', "case.toml"),
        ('pitch = "1.2 cm"', 'pitch = "1.2 cm"\ngap = { width = "0.1 cm" }', "material"),
        ('pitch = "1.2 cm"', 'pitch = [["1.2 cm"], "1.2 cm"]', "1 lengths for 2 columns"),
        ('regions = "pins"', 'equivalence = ["magic"]', "superhomogenization"),
    ],
)
def test_bad_cases_are_refused(tmp_path, old, new, words):
    assert old in CASE
    found = invoke("reactor", write(tmp_path, CASE.replace(old, new)))
    assert found.exit_code == 2, found.output
    assert words in found.output + found.stderr


def test_libraries_come_back_as_they_were(tmp_path):
    first = [[0.1, 0.01], [0.0, 0.2]]
    materials = {
        "fuel": multigroup_material("fuel", **FUEL, group_edges=EDGES),
        "water": multigroup_material(
            "water", total=[0.6, 1.5], scatter=[[[0.55, 0.045], [0.0, 1.48]], first], group_edges=EDGES
        ),
    }
    back = read_mgxs(write_mgxs(tmp_path / "two.h5", materials))
    for name, material in materials.items():
        for key in ("total", "absorption", "nu_fission", "fission", "chi", "scatter", "group_edges"):
            assert np.allclose(getattr(back[name], key), getattr(material, key), rtol=1e-15), (name, key)
    with h5py.File(tmp_path / "two.h5") as file:
        assert file.attrs["filetype"] == b"mgxs"
        assert np.all(np.diff(file.attrs["group structure"]) > 0)
        assert "group 1 is the fastest" in file.attrs["conventions"]


def test_libraries_are_laid_out_as_openmc_reads_them(tmp_path):
    # What MGXSLibrary.from_hdf5 and XSdata.from_hdf5 of OpenMC's Python code look for, and how they unfold it
    # (openmc/mgxs_library.py of github.com/openmc-dev/openmc at 5ec988679e5d); OpenMC itself is not on PyPI.
    given = {**FUEL, "chi": [[1.0, 0.0], [0.9, 0.1]], "scatter": [FUEL["scatter"], [[0.1, 0.01], [0.0, 0.2]]]}
    fuel = multigroup_material("fuel", **given, group_edges=EDGES)
    with h5py.File(write_mgxs(tmp_path / "one.h5", {"fuel": fuel})) as file:
        assert sorted(file) == ["fuel"]  # every group at the root is taken for a material
        assert file.attrs["energy_groups"] == 2
        assert file.attrs["delayed_groups"] == 0
        assert np.all(np.diff(file.attrs["group structure"]) > 0)
        group = file["fuel"]
        assert {group.attrs[key].decode() for key in ("representation", "scatter_format")} == {
            "isotropic", "legendre",
        }  # fmt: skip
        assert group.attrs["scatter_shape"] == b"[G][G'][Order]"
        assert group.attrs["order"] == 1
        assert group.attrs["fissionable"] == 1
        (temperature,) = (key for key in group if key != "kTs")
        kelvin = group["kTs"][temperature][()] / 8.617333262e-5  # eV/K, CODATA 2018
        assert kelvin == pytest.approx(float(temperature.rstrip("K")), abs=0.1)
        inner = group[temperature]
        assert inner["total"].shape == inner["absorption"].shape == inner["fission"].shape == (2,)
        assert inner["nu-fission"].shape == (2, 2)  # [from, to]: no chi then, which has to be a vector
        assert "chi" not in inner
        data, unfolded, at = inner["scatter_data"], np.zeros((2, 2, 2)), 0
        for g in range(2):
            for to in range(data["g_min"][g] - 1, data["g_max"][g]):
                unfolded[g, to] = data["scatter_matrix"][at : at + 2]
                at += 2
        assert at == data["scatter_matrix"].size == 2 * data["multiplicity_matrix"].size
    assert np.array_equal(unfolded.transpose(2, 0, 1), fuel.scatter)
    back = read_mgxs(tmp_path / "one.h5")["fuel"]
    assert np.allclose(back.chi, fuel.chi, rtol=1e-15)
    assert np.allclose(back.nu_fission, fuel.nu_fission, rtol=1e-15)


def test_libraries_that_cannot_be(tmp_path):
    with pytest.raises(InputError, match="group_edges"):
        write_mgxs(tmp_path / "no.h5", C5G7)  # the benchmark has no edges
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file.attrs["filetype"] = b"statepoint"
    with pytest.raises(FileFormatError, match="mgxs"):
        read_mgxs(tmp_path / "other.h5")
    (tmp_path / "text.h5").write_text("no library")
    with pytest.raises(FileFormatError):
        read_mgxs(tmp_path / "text.h5")
    good = write_mgxs(tmp_path / "one.h5", {"fuel": multigroup_material("fuel", **FUEL, group_edges=EDGES)})
    with pytest.raises(InputError, match="temperature"):
        read_mgxs(good, temperature="900K")
    (tmp_path / "bad.toml").write_text("[fuel\n")
    with pytest.raises(FileFormatError):
        read_materials(tmp_path / "bad.toml")


def test_data_of_the_benchmark_are_sound():
    for name, material in C5G7.items():
        assert material.balance_gap < 4e-6, name  # rounding of the published tables
        assert all(check.passed for check in material.checks())
    # eigenvalue of the published tables, found by another program
    assert C5G7["MOX-8.7%"].infinite_multiplication() == pytest.approx(1.147587763941253, rel=1e-9)


@pytest.mark.parametrize(("name", "shape"), [("c5g7.toml", (51, 51)), ("uo2_pin.toml", (1, 1))])
def test_examples_are_cases_whose_materials_are_there(name, shape):
    case = load_case(ROOT / "examples" / name)
    found = lattice_from_table({k: v for k, v in case.lattice.model_dump().items() if v is not None})
    assert found.shape == shape
    assert set(found.materials) <= set(C5G7)
