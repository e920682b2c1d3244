"""What the command line refuses: one block, exit code 2, within a second, and no traceback ever."""

import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli_helpers import PHASES, invoke, layers, save
from scalebridge.cli.text_values import (
    crop_from,
    layer_from,
    numbers_from,
    phases_from,
    threshold_from,
    voxel_from,
)
from scalebridge.core.errors import InputError
from scalebridge.core.units import registry

SIZE = ("--voxel", "3 um")
TENSOR = ("--phase", "0=[[2, 1, 0], [1, 2, 0], [0, 0, 1]]")
ONE, TWO = ("--phase", "0=1"), ("--phase", "1=2")

# Options behind `scalebridge conductivity image.npy`, and what the block has to say.
ROWS = [
    ("no phases", (), "neither --phase nor --phases-table"),
    ("phases twice", (*ONE, "--phases-table", "p.csv"), "both"),
    ("a phase is missing", (*ONE,), "no value for label 1"),
    ("a phase too many", (*ONE, *TWO, "--phase", "2=3"), "a value for label 2"),
    ("a label twice", (*ONE, *ONE), "label 0 twice"),
    ("a label that is a name", ("--phase", "pore=1"), "LABEL[:NAME]=VALUE"),
    ("a phase without a value", ("--phase", "0=", *TWO), "VALUE [UNIT]"),
    ("a phase without an equals sign", ("--phase", "0 0.6", *TWO), "LABEL[:NAME]=VALUE"),
    ("two spreads", ("--phase", "0=1 +- 1 +- 1", *TWO), "VALUE [UNIT]"),
    ("an empty name", ("--phase", "0:=1", *TWO), "a name after ':'"),
    ("an unknown unit", ("--phase", "0=1 flurb", "--phase", "1=2 flurb"), "flurb"),
    ("a wrong unit", ("--phase", "0=1 kg", "--phase", "1=2 kg"), "kilogram"),
    ("units for some only", (*ONE, "--phase", "1=2 W/m/K", *SIZE), "one kind of unit"),
    ("a negative value", ("--phase", "0=-1", *TWO), "non-negative"),
    ("NaN", ("--phase", "0=nan", *TWO), "nan"),
    ("a negative spread", ("--phase", "0=1 +- -2", *TWO), "std"),
    ("a tensor that is not positive", ("--phase", "0=[[1, 2, 0], [2, 1, 0], [0, 0, 1]]", *TWO), "phase 0"),
    ("brackets that are no list", ("--phase", "0=[1, 2", *TWO), "phase"),
    ("all insulate", ("--phase", "0=0", "--phase", "1=0"), "0 for every phase"),
    ("no voxel size", PHASES, "no voxel size"),
    ("a voxel without unit", (*PHASES, "--voxel", "3"), "no unit"),
    ("a voxel in seconds", (*PHASES, "--voxel", "3 s"), "3 s"),
    ("two voxel edges in 3-D", (*PHASES, "--voxel", "3 um, 3 um"), "one length or 3"),
    ("a negative voxel", (*PHASES, "--voxel", "-3 um"), "positive"),
    ("a threshold that is a word", (*PHASES, *SIZE, "--threshold", "half"), "separated by commas"),
    ("thresholds that fall", (*PHASES, *SIZE, "--threshold", "3, 1"), "rising order"),
    ("rtol of 2", (*ONE, *TWO, "--rtol", "2"), "between 0 and 1"),
    ("no steps", (*ONE, *TWO, "--max-steps", "0"), "at least 1"),
    ("one sample", (*ONE, *TWO, "--samples", "1"), "at least 2"),
    ("a negative seed", (*ONE, *TWO, "--seed", "-1"), "at least 0"),
    ("a tensor for finite volumes", (*TENSOR, *TWO, "--scheme", "finite-volume"), "hexahedra"),
    ("a crop outside", (*ONE, *TWO, "--crop", "0:9, 0:8, 0:8"), "inside the image"),
    ("a crop backwards", (*ONE, *TWO, "--crop", "5:3, 0:8, 0:8"), "FROM:TO"),
    ("a crop of two axes", (*ONE, *TWO, "--crop", "0:4, 0:4"), "3 whole numbers"),
    ("axes that are none", (*ONE, *TWO, "--axes", "abc"), "axes"),
    ("a dataset in NumPy", (*ONE, *TWO, "--dataset", "x"), "which holds one image"),
    ("a raw type alone", (*ONE, *TWO, "--raw-dtype", "uint8"), "shape"),
    ("a raw shape for NumPy", (*ONE, *TWO, "--raw-shape", "8,8,8", "--raw-dtype", "uint8"), "says it itself"),
    ("a raw shape in words", (*ONE, *TWO, "--raw-shape", "8x8"), "whole numbers"),
    ("a table that is not there", ("--phases-table", "p.csv"), "p.csv"),
    ("fields as a spreadsheet", (*ONE, *TWO, "--fields", "f.xls"), "ends in .vtkhdf"),
    ("a report as PDF", (*ONE, *TWO, "--report", "r.pdf"), "ends in .html"),
    ("the input as output", (*ONE, *TWO, "--out", "image.npy"), "never overwritten"),
    ("one file for two outputs", (*ONE, *TWO, "--out", "a.inp", "--card", "a.inp"), "for two outputs"),
    ("a folder as output", (*ONE, *TWO, "--out", "."), "a folder"),
    ("an output below a file", (*ONE, *TWO, "--out", "image.npy/r.json"), "which is a file"),
]  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def loaded():
    """Load what a verb imports, and the units, which are not part of the time that a refusal takes."""
    registry()
    invoke("conductivity", "nothing.npy", *ONE)


@pytest.mark.parametrize(("args", "said"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS])
def test_bad_options_are_refused_in_one_block(args, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    image = save(tmp_path, layers())
    before, start = image.read_bytes(), time.process_time()
    found = invoke("conductivity", "image.npy", *args)
    assert found.exit_code == 2
    assert said in found.stderr
    heads = [line.split()[0] for line in found.stderr.splitlines() if line[:1] != "\t" and line[:10].strip()]
    assert heads == ["error", "got", "wanted", "cure"]
    assert found.stdout == ""
    assert image.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["image.npy"]
    assert time.process_time() - start < 1  # second of processor time, for machines that do other things too


@pytest.mark.parametrize(
    ("name", "array", "said"),
    [
        ("floats.npy", np.ones((4, 4, 4)), "integer labels"),
        ("grey.npy", np.arange(4096, dtype=np.uint16).reshape(16, 16, 16), "grey values"),
        ("line.npy", np.zeros(8, np.uint8), "axes"),
    ],
)
def test_arrays_that_are_no_segmented_image(name, array, said, tmp_path):
    found = invoke("conductivity", save(tmp_path, array, name), "--phase", "0=0", "--phase", "1=0")
    assert found.exit_code == 2
    assert said in found.stderr


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("empty.tif", b"", "0 bytes"),
        ("cut.tif", b"II*\0\x08\0\0\0", "cut.tif"),
        ("lie.tif", b"\x89PNG\r\n\x1a\n" + bytes(100), "PNG"),
        ("what.xyz", b"hello", "unknown kind"),
    ],
)
@pytest.mark.parametrize("verb", ["conductivity", "inspect"])
def test_files_that_are_no_image(verb, name, data, said, tmp_path):
    (tmp_path / name).write_bytes(data)
    found = invoke(verb, tmp_path / name, *((*ONE, *TWO) if verb == "conductivity" else ()))
    assert found.exit_code == 2
    assert said in found.stderr


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("conductivity", "x.npy", "--phse", "0=1"), "--phase"),
        (("conductivity",), "IMAGE"),
        (("conductivty", "x.npy"), "conductivity"),
        (("conductivity", "x.npy", "--scheme", "spectral"), "hexahedra"),
        (("conductivity", "x.npy", "--rtol", "small"), "--rtol"),
        (("conductivity", "x.npy", "--boundary", "open"), "mirrored"),
    ],
)
def test_options_that_do_not_exist_are_exit_2_with_what_does(args, said):
    found = invoke(*args)
    assert found.exit_code == 2
    assert said in found.stderr


@given(st.text(max_size=30))
def test_any_text_is_read_or_refused(text):
    readers = (
        lambda: phases_from([text]),
        lambda: phases_from([f"0={text}"]),
        lambda: layer_from(text),
        lambda: threshold_from(text),
        lambda: crop_from(text),
        lambda: numbers_from(text, "--raw-shape", int),
        lambda: voxel_from([text]),
    )
    for read in readers:
        try:
            read()
        except InputError as error:
            assert error.cure  # noqa: PT017 (any other exception fails the test by itself)


@given(st.floats(1e-3, 1e3), st.floats(1e-3, 1e3), st.sampled_from(["+-", "±", "+/-"]), st.booleans())
def test_value_and_spread_are_read_back(value, std, sign, unit_last):
    text = f"{value!r} {sign} {std!r} W/m/K" if unit_last else f"{value!r} W/m/K {sign} {std!r}"
    found = phases_from([f"7:some name={text}"])["7"]
    assert found["name"] == "some name"
    assert float(found["value"].split()[0]) == value
    assert float(found["std"]) == std
    assert found.get("unit", "W/m/K") == "W/m/K"
