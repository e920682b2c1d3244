"""Bad input to the conductivity verbs: each refused within a second, by name, with what to do about it."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import tifffile

import scalebridge
from scalebridge.core.errors import (
    FileFormatError,
    ImageError,
    InputError,
    PhaseError,
    ResourceError,
    UnitError,
)

BOARD = np.indices((4, 4)).sum(axis=0) % 2
IMAGE = scalebridge.VoxelImage(BOARD)
ISLAND = scalebridge.VoxelImage(np.pad(np.ones((2, 2), int), 1))
GREY = np.arange(1024).reshape(32, 32)
PLAIN = {0: 1.0, 1: 2.0}
SECONDS = 1.0
INDEFINITE = [[1.0, 2.0], [2.0, 1.0]]
TENSOR = [[2.0, 0.5], [0.5, 1.0]]
UNITS = {0: "1 W/m/K", 1: "2 W/m/K"}


def table(**entries):
    return {0: 1.0, 1: entries}


def one(value):
    return {0: 1.0, 1: value}


def truncated(folder):
    path = folder / "scan.tif"
    with tifffile.TiffWriter(path) as writer:
        for page in np.ones((5, 40, 30), np.uint8):
            writer.write(page, contiguous=False)
    os.truncate(path, path.stat().st_size // 2)
    return path


def raw(folder):
    (folder / "scan.raw").write_bytes(bytes(59))
    return folder / "scan.raw"


def empty(folder):
    (folder / "scan.tif").touch()
    return folder / "scan.tif"


def text(folder):
    (folder / "scan.tif").write_text("this is no image")
    return folder / "scan.tif"


def bare(folder):
    tifffile.imwrite(
        folder / "bare.tif", np.ones((5, 4, 3), np.uint8) + (np.arange(3) > 1), photometric="minisblack"
    )
    return folder / "bare.tif"


def grey_file(folder):
    np.save(folder / "grey.npy", GREY)
    return folder / "grey.npy"


RAW = {"read_options": {"shape": (5, 4, 3), "dtype": "u1"}}
CUBES = {"voxel": "1 um"}

# name, image (or a function of a folder), phases, options, error, argument, words of the three parts
ROWS = [
    ("missing phase", IMAGE, {0: 1.0}, {}, PhaseError, "phases", "label 1", "[0, 1]", "add 1"),
    ("superfluous phase", IMAGE, {**PLAIN, 5: 3.0}, {}, PhaseError, "phases", "label 5", "[0, 1]", "remove"),
    ("label twice", IMAGE, {**PLAIN, "1": 3.0}, {}, PhaseError, "phases", "1 twice", "once", "leave one out"),
    ("label in words", IMAGE, {0: 1.0, "quartz": 2.0}, {}, PhaseError, "phases", "quartz", "integer",
     "inspect"),
    ("label between", IMAGE, {0: 1.0, 1.5: 2.0}, {}, PhaseError, "phases", "1.5", "integer", "inspect"),
    ("phases in a list", IMAGE, [1.0, 2.0], {}, PhaseError, "phases", "list", "by label", "{0:"),
    ("no phases", IMAGE, None, {}, PhaseError, "phases", "NoneType", "by label", "{0:"),
    ("NaN", IMAGE, one(float("nan")), {}, PhaseError, "phase 1", "nan", "finite", "correct"),
    ("infinite", IMAGE, one(float("inf")), {}, PhaseError, "phase 1", "inf", "finite", "correct"),
    ("negative", IMAGE, one(-1.0), {}, PhaseError, "phase 1", "-1.0", "non-negative", "sign"),
    ("too large", IMAGE, one(1e300), {}, PhaseError, "phase 1", "1e+300", "1e-100 and 1e+100", "exponent"),
    ("too small", IMAGE, one(1e-300), {}, PhaseError, "phase 1", "1e-300", "1e-100 and 1e+100", "exponent"),
    ("nothing", IMAGE, one(None), {}, PhaseError, "phase 1", "None", "numbers", "write"),
    ("truth value", IMAGE, one(True), {}, PhaseError, "phase 1", "True", "numbers", "write"),
    ("complex", IMAGE, one(1j), {}, PhaseError, "phase 1", "1j", "numbers", "write"),
    ("no quantity", IMAGE, one("lots"), {}, UnitError, "phase 1", "lots", "a number and a unit", "0.6 W/m/K"),
    ("empty text", IMAGE, one(""), {}, UnitError, "phase 1", "''", "a number and a unit", "0.6 W/m/K"),
    ("indefinite tensor", IMAGE, one(INDEFINITE), {}, PhaseError, "phase 1", "lowest eigenvalue -1",
     "no negative eigenvalue", "correct"),
    ("unsymmetric tensor", IMAGE, one([[1.0, 0.2], [0.1, 1.0]]), {}, PhaseError, "phase 1", "0.2",
     "symmetric",
     "(K + K.T) / 2"),
    ("tensor of 3-D", IMAGE, one(np.eye(3)), {}, PhaseError, "phase 1", "(3, 3)", "2 x 2",
     "image's dimensions"),
    ("diagonal of 3-D", IMAGE, one([1.0, 2.0, 3.0]), {}, PhaseError, "phase 1", "(3,)", "2 principal",
     "dimensions"),
    ("ragged tensor", IMAGE, one([[1.0, 2.0], [3.0]]), {}, PhaseError, "phase 1", "[3.0]", "numbers",
     "write"),
    ("unit of mass", IMAGE, {0: "1 W/m/K", 1: "1 kg"}, CUBES, UnitError, "phase 1", "kilogram", "W/m/K",
     "give"),
    ("unknown unit", IMAGE, {0: "1 W/m/K", 1: "1 flurb"}, CUBES, UnitError, "phase 1", "flurb", "unit",
     "write"),
    ("two kinds of unit", IMAGE, {0: "1 W/m/K", 1: "1 S/m"}, CUBES, UnitError, "phases", "S/m", "one kind",
     "same"),
    ("unit for some", IMAGE, {0: "1 W/m/K", 1: 1.0}, CUBES, UnitError, "phases", "phase 1: 1", "one kind",
     "same"),
    ("two units for one", IMAGE, table(value="1 W/m/K", unit="S/m"), CUBES, UnitError, "phase 1", "S/m",
     "one unit",
     "leave one out"),
    ("no voxel size", IMAGE, UNITS, {}, ImageError, "voxel", "no voxel size", "edge length", "voxel='3 um'"),
    ("no voxel size in file", bare, {1: "1 S/m", 2: "2 S/m"}, {}, ImageError, "voxel", "no voxel size",
     "edge length",
     "voxel='3 um'"),
    ("voxel without unit", IMAGE, UNITS, {"voxel": 3.0}, UnitError, "voxel", "3.0", "with a unit", "'3 um'"),
    ("voxel text without unit", IMAGE, UNITS, {"voxel": "3"}, UnitError, "voxel", "'3'", "with a unit",
     "'3 um'"),
    ("voxel of mass", IMAGE, UNITS, {"voxel": "3 kg"}, UnitError, "voxel", "3 kg", "m", "write"),
    ("zero voxel", IMAGE, UNITS, {"voxel": "0 um"}, InputError, "voxel", "0 um", "positive", "'3 um'"),
    ("negative voxel", IMAGE, UNITS, {"voxel": "-1 um"}, InputError, "voxel", "-1 um", "positive", "'3 um'"),
    ("voxel of 3-D", IMAGE, PLAIN, {"voxel": ("1 um",) * 3}, InputError, "voxel", "'1 um', '1 um'", "2",
     "axis"),
    ("truncated TIFF", truncated, PLAIN, {}, FileFormatError, "path", "scan.tif", "", ""),
    ("wrong raw size", raw, PLAIN, RAW, FileFormatError, "shape", "59", "60", ""),
    ("raw without shape", raw, PLAIN, {}, InputError, "dtype", "nothing", "type", "'uint8'"),
    ("0 bytes", empty, PLAIN, {}, FileFormatError, "path", "0 bytes", "an image", ""),
    ("text called TIFF", text, PLAIN, {}, FileFormatError, "path", "scan.tif", "", ""),
    ("missing file", lambda folder: folder / "scan.tif", PLAIN, {}, FileFormatError, "path", "not exist",
     "existing", ""),
    ("unknown option of reading", raw, PLAIN, {"read_options": {"dtpye": "u1"}}, InputError, "read_options",
     "dtpye",
     "dtype", "name"),
    ("options without file", IMAGE, PLAIN, RAW, InputError, "read_options", "shape", "path", "leave"),
    ("float labels", BOARD * 0.5, PLAIN, {}, ImageError, "image", "float64", "integer", "threshold"),
    ("whole floats", BOARD * 1.0, PLAIN, {}, ImageError, "image", "float64", "integer", "astype(int)"),
    ("NaN in the image", np.where(BOARD, np.nan, 1.0), PLAIN, {}, ImageError, "image", "float64", "integer",
     "threshold"),
    ("NaN in grey values", np.where(BOARD, np.nan, 1.0), PLAIN, {"threshold": 0.5}, ImageError, "image",
     "8 NaN",
     "no NaN", "crop"),
    ("no image", None, PLAIN, {}, ImageError, "image", "object", "integer", ""),
    ("letters", BOARD.astype(str), PLAIN, {}, ImageError, "image", "<U", "integer", ""),
    ("single slice", BOARD[None], PLAIN, {}, ImageError, "image", "(1, 4, 4)", "at least 2",
     "squeeze(axis=0)"),
    ("1-D", BOARD[0], PLAIN, {}, ImageError, "image", "(4,)", "2-D", "axes of space"),
    ("4-D", np.zeros((4, 4, 4, 4), int), {0: 1.0}, {}, ImageError, "image", "(4, 4, 4, 4)", "3-D", "time"),
    ("no voxels", np.zeros((0, 4), int), {0: 1.0}, {}, ImageError, "image", "(0, 4)", "at least one voxel",
     "crop"),
    ("nothing percolates", ISLAND, {0: 0.0, 1: 1.0}, {}, PhaseError, "phases", "along no axis", "path",
     "percolation"),
    ("nothing conducts", IMAGE, {0: 0.0, 1: 0.0}, {}, PhaseError, "phases", "0 for every", "conducts",
     "positive"),
    ("too little memory", IMAGE, PLAIN, {"memory_limit": 1000}, ResourceError, "4 x 4", "GiB", "at most",
     "coarsen"),
    ("mirrored, too little memory", IMAGE, PLAIN,
     {"memory_limit": 330 * 16 * 2, "boundary": "mirrored", "backend": "jax"}, ResourceError,
     "4 x 4", "GiB", "at most", "coarsen"),
    ("memory in words", IMAGE, PLAIN, {"memory_limit": "lots"}, InputError, "memory_limit", "lots", "bytes",
     "8e9"),
    # A view of one byte: nothing of an exabyte exists, and nothing of it may be made.
    ("larger than any machine", np.broadcast_to(np.uint8(0), (1 << 20,) * 3), {0: 1.0}, {}, ResourceError,
     "1048576 x 1048576 x 1048576", "GiB", "at most", "crop"),
    ("unknown scheme", IMAGE, PLAIN, {"scheme": "hexahedron"}, InputError, "scheme", "hexahedron", "'both'",
     "choose"),
    ("unknown boundary", IMAGE, PLAIN, {"boundary": "fixed"}, InputError, "boundary", "fixed", "'mirrored'",
     "choose"),
    ("unknown propagation", IMAGE, PLAIN, {"uncertainty": "mc"}, InputError, "uncertainty", "mc",
     "'linear'", "choose"),
    ("unknown precision", IMAGE, PLAIN, {"dtype": "float16"}, InputError, "dtype", "float16", "'float32'",
     "choose"),
    ("rtol 0", IMAGE, PLAIN, {"rtol": 0.0}, InputError, "rtol", "0.0", "between 0 and 1", "1e-6"),
    ("rtol 1", IMAGE, PLAIN, {"rtol": 1.0}, InputError, "rtol", "1.0", "between 0 and 1", "1e-6"),
    ("rtol NaN", IMAGE, PLAIN, {"rtol": float("nan")}, InputError, "rtol", "nan", "between 0 and 1", "1e-6"),
    ("rtol in text", IMAGE, PLAIN, {"rtol": "1e-6"}, InputError, "rtol", "'1e-6'", "a number", "1e-6"),
    ("residual_rtol 2", IMAGE, PLAIN, {"residual_rtol": 2.0}, InputError, "residual_rtol", "2.0", "between",
     "1e-6"),
    ("no steps", IMAGE, PLAIN, {"max_steps": 0}, InputError, "max_steps", "0", "at least 1", "or more"),
    ("one drawn sample", IMAGE, PLAIN, {"samples": 1}, InputError, "samples", "1", "at least 2", "or more"),
    ("negative seed", IMAGE, PLAIN, {"seed": -1}, InputError, "seed", "-1", "at least 0", "or more"),
    ("finite volumes, full tensor", IMAGE, one(TENSOR), {"scheme": "finite-volume"}, InputError, "scheme",
     "full tensor", "off-diagonal", "hexahedra"),
    ("both schemes, full tensor", IMAGE, one(TENSOR), {"scheme": "both"}, InputError, "scheme", "full tensor",
     "off-diagonal", "hexahedra"),
    ("std of a tensor", IMAGE, table(value=TENSOR, std=0.1), {}, PhaseError, "phase 1", "tensor", "number",
     "isotropic"),
    ("negative std", IMAGE, table(value=1.0, std=-0.1), {}, PhaseError, "phase 1", "-0.1", "not negative",
     "write"),
    ("NaN std", IMAGE, table(value=1.0, std=float("nan")), {}, PhaseError, "phase 1", "nan", "finite",
     "write"),
    ("std of a zero", IMAGE, table(value=0.0, std=0.1), {}, PhaseError, "phase 1", "value 0", "exact zero",
     "leave"),
    ("std of another kind", IMAGE, {0: "1 S/m", 1: {"value": "1 S/m", "std": "1 W/m/K"}}, CUBES, UnitError,
     "phase 1",
     "W/m/K", "S/m", "write"),
    ("std in words", IMAGE, table(value=1.0, std="some"), {}, UnitError, "phase 1", "some", "a number",
     "write"),
    ("one sample", IMAGE, table(samples=[1.0]), {}, PhaseError, "phase 1", "[1.]", "at least 2", "give"),
    ("negative sample", IMAGE, table(samples=[1.0, -1.0]), {}, PhaseError, "phase 1", "-1.", "positive",
     "give"),
    ("samples of two lengths", IMAGE, {0: {"samples": [1.0, 2.0]}, 1: {"samples": [1.0, 2.0, 3.0]}},
     {"uncertainty": "samples"}, PhaseError, "samples", "[2, 3]", "same number", "thin"),
    ("value and samples", IMAGE, table(value=1.0, samples=[1.0, 2.0]), {}, PhaseError, "phase 1", "samples",
     "either",
     "write"),
    ("no value", IMAGE, table(std=1.0), {}, PhaseError, "phase 1", "['std']", "either a value or samples",
     "write"),
    ("unknown key", IMAGE, table(vaule=1.0), {}, PhaseError, "phase 1", "vaule", "'value'", "write"),
    ("threshold of labels", IMAGE, PLAIN, {"threshold": 0.5}, InputError, "threshold", "0.5", "none",
     "grey image"),
    ("grey without threshold", GREY, PLAIN, {}, ImageError, "image", "1024", "256 labels", "threshold"),
    ("grey file without threshold", grey_file, PLAIN, {}, ImageError, "image", "1024", "256 labels",
     "threshold"),
    ("unknown threshold", GREY, PLAIN, {"threshold": "otsuu"}, InputError, "threshold", "otsuu", "'otsu'",
     "84"),
    ("threshold NaN", GREY, PLAIN, {"threshold": float("nan")}, ImageError, "threshold", "nan", "threshold",
     "write"),
]  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def warm():
    """Load what the first call of a session loads: JAX, the registry of units, the readers."""
    for phases, options in (
        (one(-1.0), {}),
        ({0: "1 W/m/K", 1: "1 kg"}, CUBES),
        (one(TENSOR), {"scheme": "both"}),
    ):
        with pytest.raises(InputError):
            scalebridge.effective_conductivity(IMAGE, phases, **options)
    with pytest.raises(InputError):
        scalebridge.effective_conductivity("no such file.tif", PLAIN)


def refused(kind, call, argument, parts):
    start = time.process_time()  # which a busy machine does not change
    with pytest.raises(kind) as caught:
        call()
    seconds = time.process_time() - start
    error = caught.value
    assert argument in error.argument
    for told, words in zip((error.got, error.wanted, error.cure), parts, strict=True):
        assert told
        assert words in told
    assert str(error) == f"{error.argument}: got {error.got}; wanted {error.wanted}; {error.cure}"
    assert seconds < SECONDS


@pytest.mark.parametrize(
    ("image", "phases", "options", "kind", "argument", "parts"),
    [(*row[1:6], row[6:]) for row in ROWS],
    ids=[row[0] for row in ROWS],
)
def test_bad_input_is_refused_at_once(image, phases, options, kind, argument, parts, tmp_path):
    given = image(tmp_path) if callable(image) else image
    refused(kind, lambda: scalebridge.effective_conductivity(given, phases, **options), argument, parts)
    left = {path.name for path in tmp_path.iterdir()}
    assert left <= {"scan.tif", "scan.raw", "bare.tif", "grey.npy"}, "a refusal writes nothing"


LAYERS = [("1 mm", "1 W/m/K"), ("2 mm", "2 W/m/K")]
LAYER_ROWS = [
    ("no layers", [], {}, InputError, "layers", "[]", "at least one", "thickness"),
    ("text for layers", "brick", {}, InputError, "layers", "brick", "at least one", "thickness"),
    ("not a pair", [("1 mm",)], {}, InputError, "layer 0", "1 mm", "a thickness and", "write"),
    ("negative thickness", [("-1 mm", 1.0)], {}, InputError, "layer 0", "-1 mm", "positive", "write"),
    ("thickness of mass", [("1 kg", 1.0)], {}, UnitError, "layer 0", "1 kg", "m", "write"),
    ("some thicknesses bare", [("1 mm", 1.0), (2.0, 1.0)], {}, UnitError, "layers", "2.0", "on none",
     "write"),
    ("negative conductivity", [(1.0, -1.0)], {}, PhaseError, "0", "-1.0", "non-negative", "sign"),
    ("some units", [(1.0, 1.0), (1.0, "1 S/m")], {}, UnitError, "layers", "S/m", "one kind", "same"),
    ("no normal", LAYERS, {"normal": (0.0, 0.0)}, InputError, "normal", "0", "", ""),
    ("normal of 4-D", LAYERS, {"normal": (1.0, 0.0, 0.0, 0.0)}, InputError, "normal", "0.0)", "2 or 3",
     "write"),
    ("normal in words", LAYERS, {"normal": "up"}, InputError, "normal", "up", "2 or 3", "write"),
    ("tensor of 3-D", [(1.0, np.eye(3))], {"normal": (1, 0)}, PhaseError, "0", "(3, 3)", "2 x 2", ""),
]  # fmt: skip


@pytest.mark.parametrize(
    ("layers", "options", "kind", "argument", "parts"),
    [(*row[1:5], row[5:]) for row in LAYER_ROWS],
    ids=[row[0] for row in LAYER_ROWS],
)
def test_bad_layers_are_refused_at_once(layers, options, kind, argument, parts):
    refused(kind, lambda: scalebridge.effective_laminate(layers, **options), argument, parts)


def test_there_are_enough_rows():
    assert len({row[0] for row in ROWS}) == len(ROWS) >= 30


# ----------------------------------------------------------------------------------------- killed runs

# What `Upscaled.save` and the report do, without the seconds that JAX takes to load.
SAVING = """
import sys, time
from pathlib import Path
from scalebridge.core.files import write_text
source, target, pause = sys.argv[1:]
text, replace = Path(source).read_text(), Path.replace
def slow(self, name):
    print("written", flush=True)
    time.sleep(float(pause))
    return replace(self, name)
Path.replace = slow
while True:
    write_text(target, text)
"""


def result(value):
    values = np.full((300, 300), value)
    return scalebridge.Upscaled(scalebridge.Spec("conductivity", "W/m/K", (300, 300)), values)


def killed(source, target, pause, files):
    """Run a program that saves again and again, and kill it after so many files."""
    command = [sys.executable, "-c", SAVING, str(source), str(target), str(pause)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as child:
        for _ in range(files):
            assert child.stdout.readline() == b"written\n"
        os.kill(child.pid, signal.SIGKILL)
        assert child.wait(timeout=30) == -signal.SIGKILL


def test_a_run_killed_before_its_file_is_whole_leaves_none(tmp_path):
    source = result(1.0).save(tmp_path / "source" / "result.json")
    killed(source, tmp_path / "target" / "result.json", 60, 1)
    left = [path.name for path in (tmp_path / "target").iterdir()]
    assert len(left) == 1, "the part that was being written"
    assert left[0].startswith(".")


def test_a_run_killed_while_it_overwrites_leaves_the_old_file_or_the_new_one(tmp_path):
    source = result(1.0).save(tmp_path / "new.json")
    target = result(7.0).save(tmp_path / "result.json")
    killed(source, target, 60, 1)
    assert np.all(scalebridge.load_result(target)["value"] == 7.0)
    for files in (2, 3, 5):
        killed(source, target, 0, files)
        found = scalebridge.load_result(target)["value"]
        assert found.shape == (300, 300)
        assert np.all(found == 1.0)


def test_a_result_that_cannot_be_written_leaves_the_old_file(tmp_path, monkeypatch):
    path = result(7.0).save(tmp_path / "result.json")

    def full(self, target):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OSError, match="No space"):
        result(1.0).save(path)
    assert np.all(scalebridge.load_result(path)["value"] == 7.0)
    assert [left.name for left in tmp_path.iterdir()] == ["result.json"]
