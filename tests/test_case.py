"""Case files: what is accepted, and how what is not is refused."""

import json
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from cli_helpers import CASE, invoke, layers, save, write_case
from scalebridge.cli.case import TASKS, json_schema
from scalebridge.cli.case_file import line_of, load_case, validate_case
from scalebridge.cli.requests import digest_of_files
from scalebridge.cli.solving import prepare
from scalebridge.core.errors import CaseError, InputError

EXAMPLE = Path(__file__).parent.parent / "examples" / "berea_conductivity.toml"

# What is replaced in the good case, by what, the place and line that the refusal names, and what it says.
ROWS = [
    ("a key misspelt", 'voxel = "3 um"', 'voxle = "3 um"', "image.voxle", 4, "did you mean 'voxel'?"),
    ("a table misspelt", "[solve]", "[slove]", "slove", 11, "did you mean 'solve'?"),
    ("a key of a phase", "std = 0.3", "sdt = 0.3", "phases.1.sdt", 10, "did you mean 'std'?"),
    ("an output misspelt", 'json = "', 'jsno = "', "output.jsno", 15, "did you mean 'json'?"),
    ("a key without a likeness", "rtol = 1e-7", "colour = 3", "solve.colour", 12, "there are: scheme"),
    ("a top key in a table", "rtol = 1e-7", 'title = "x"', "solve.title", 12, "above the first [table]"),
    ("a table's name as a key", 'file = "', 'path = "', "image.path", 3, "there are: file"),
    ("no task", 'task = "conductivity"', 'title = "x"', "task", None, "in the first line"),
    ("task misspelt as a key", "task =", "tsk =", "task", None, "the key 'tsk'"),
    ("an unknown task", '"conductivity"', '"conductance"', "task", 1, "did you mean 'conductivity'?"),
    ("a task that is a number", '"conductivity"', "3", "task", 1, "'conductivity'"),
    ("no image", '[image]\nfile = "image.npy"\nvoxel = "3 um"\n', "", "image", None, "add image"),
    ("no file", 'file = "image.npy"\n', "", "image.file", 2, "add file"),
    ("a number as a file", '"image.npy"', "3", "image.file", 3, "a valid string"),
    ("a bare number as a voxel", '"3 um"', "3", "image.voxel", 4, "a valid string, or a valid list"),
    ("a number in quotes", "1e-7", '"1e-7"', "solve.rtol", 12, "without quotes"),
    ("a truth value as a number", "1e-7", "true", "solve.rtol", 12, "a valid number"),
    ("half a step", "rtol = 1e-7", "max_steps = 2.5", "solve.max_steps", 12, "a valid integer"),
    ("an unknown scheme", "rtol = 1e-7", 'scheme = "hex"', "solve.scheme", 12, "'finite-volume'"),
    ("a label that is a name", '0 = "1 W/m/K"', 'pore = "1 W/m/K"', "phases.pore", 6, "[phases.0]"),
    ("a phase that is true", '0 = "1 W/m/K"', "0 = true", "phases.0", 6, "a valid number"),
    ("a spread without a number", '"1 W/m/K"', '"1 W/m/K +- "', "phases.0", 6, "VALUE [UNIT]"),
    ("two sources of phases", "[image]", 'phases_table = "p.csv"\n[image]', "case", None, "not both"),
    ("a word as a threshold", 'voxel = "3 um"', 'threshold = "half"', "image.threshold", 4, "'otsu'"),
    ("half a raw layout", 'voxel = "3 um"', "raw = {shape = [8, 8, 8]}", "image.raw.dtype", 4, "add dtype"),
    ("half a crop", 'voxel = "3 um"', "crop = {origin = [0, 0, 0]}", "image.crop.size", 4, "add size"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("old", "new", "place", "line", "said"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS]
)
def test_a_wrong_case_is_refused_with_its_place_and_the_cure(old, new, place, line, said):
    assert old in CASE
    text = CASE.replace(old, new, 1)
    with pytest.raises(CaseError) as caught:
        validate_case(tomllib.loads(text), "case.toml", text)
    at = "" if line is None else f", line {line}"
    assert caught.value.argument.startswith(f"{place} (case.toml{at})")
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "an empty file"),
        ("task = conductivity", "not TOML"),
        ('task = "conductivity"\n[image', "not TOML"),
        ('{"task": "conductivity"}', "not TOML"),
    ],
)
def test_a_file_that_is_no_toml(text, said, tmp_path):
    (tmp_path / "case.toml").write_text(text)
    found = invoke("run", tmp_path / "case.toml")
    assert found.exit_code == 2
    assert said in found.stderr


def test_a_file_that_is_not_there_or_not_text(tmp_path):
    write_case(tmp_path)
    assert "did you mean 'case.toml'?" in invoke("run", tmp_path / "caes.toml").stderr
    (tmp_path / "case.toml").write_bytes(b"\xff\xfe\x00")
    found = invoke("run", tmp_path / "case.toml")
    assert found.exit_code == 2
    assert "UTF-8" in found.stderr


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('file = "image.npy"', 'file = "imge.npy"', "did you mean 'image.npy'?"),
        ("rtol = 1e-7", "rtol = 7.0", "between 0 and 1"),
        ('json = "result.json"', 'json = "../case.toml"', "never overwritten"),
        ('json = "result.json"', 'json = "../image.npy"', "never overwritten"),
        ('json = "result.json"', 'fields = "f.txt"', "ends in .vtkhdf"),
        ("[phases.1]", '[phases.2]\nvalue = "2 W/m/K"\n[phases.1]', "label 2"),
        ('voxel = "3 um"\n', "", "no voxel size"),
    ],
)
def test_a_case_that_does_not_fit_its_image_is_refused(old, new, said, tmp_path):
    found = invoke("run", write_case(tmp_path, CASE.replace(old, new, 1)))
    assert found.exit_code == 2
    assert said in found.stderr
    assert not (tmp_path / "out").exists()


def test_phases_may_be_short():
    text = CASE.replace('0 = "1 W/m/K"', '0 = "1 W/m/K +- 5 %"')
    case = validate_case(tomllib.loads(text), "case.toml", text)
    assert case.phases["0"].value == "1 W/m/K"
    assert case.phases["0"].std == "5 %"
    assert case.phases["1"].name == "grain"


def test_paths_are_relative_to_the_case(tmp_path):
    case = load_case(write_case(tmp_path))
    found = prepare(case, tmp_path)
    assert found.outputs.result == tmp_path / "out" / "result.json"
    assert found.image.shape == (8, 8, 8)
    assert not found.outputs.result.parent.exists()


def test_the_request_depends_on_what_decides_the_numbers_and_on_nothing_else(tmp_path):
    def request(text):
        return prepare(load_case(write_case(tmp_path, text)), tmp_path).request

    plain = request(CASE)
    assert (
        request(CASE.replace("result.json", "other.json").replace("[image]", 'title = "t"\n[image]')) == plain
    )
    others = [("1e-7", "1e-6"), ("0.3", "0.2"), ('"3 um"', '"4 um"'), ("grain", "sand")]
    assert len({plain, *(request(CASE.replace(*change)) for change in others)}) == 1 + len(others)
    save(tmp_path, 1 - layers())
    assert request(CASE) != plain


def test_the_example_is_valid_and_fits_its_image():
    case = load_case(EXAMPLE)
    found = prepare(case, EXAMPLE.parent)
    assert found.image.phases == (0, 1)
    assert found.image.voxel == (3e-6,) * 3
    assert found.phases["1"] == {"value": "7.7 W/m/K", "std": 0.3, "name": "quartz"}
    assert set(found.outputs.paths) == {"result", "report", "fields", "card"}


def test_schema_knows_every_key_of_the_example_and_refuses_others():
    schema = json_schema()
    defined = schema["$defs"]
    given = tomllib.loads(EXAMPLE.read_text())
    assert {case["$ref"] for case in schema["oneOf"]} == {f"#/$defs/{m.__name__}" for m in TASKS.values()}
    case = defined["ConductivityCase"]
    assert set(given) <= set(case["properties"])
    for table, model in (("image", "ImageTable"), ("solve", "SolveTable"), ("output", "OutputTable")):
        assert set(given[table]) <= set(defined[model]["properties"])
        assert defined[model]["additionalProperties"] is False
    for task, model in TASKS.items():
        assert defined[model.__name__]["properties"]["task"]["const"] == task
    assert {"string", "number", "object"} == {short["type"] for short in defined["PhaseTable"]["anyOf"]}


def test_schema_is_printed_or_written(tmp_path):
    assert json.loads(invoke("schema").stdout) == json_schema()
    assert invoke("schema", "--out", tmp_path / "schema.json").stdout == ""
    assert json.loads((tmp_path / "schema.json").read_text()) == json_schema()


def test_line_of_finds_keys_tables_and_quoted_keys():
    text = '# c\n"a b" = 1\n[x]\ny = 2\n[x."z w"]\nv = 3\ndotted.key = 4\n'
    assert [line_of(text, place) for place in (("a b",), ("x", "y"), ("x", "z w", "v"))] == [2, 4, 6]
    assert line_of(text, ("x", "z w", "dotted", "key")) == 7
    assert line_of(text, ("x", "missing")) == 3
    assert line_of(text, ("nothing",)) is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
KEYS = st.sampled_from(["image", "phases", "solve", "output", "title", "phases_table", "other"])
INNER = st.sampled_from(["file", "voxel", "0", "1", "value", "std", "rtol", "raw", "crop", "json", "x"])


@given(st.dictionaries(KEYS, st.dictionaries(INNER, JSON, max_size=3) | JSON, max_size=4))
def test_any_data_is_a_case_or_refused(tables):
    try:
        validate_case({"task": "conductivity", **tables}, "case.toml")
    except InputError as error:
        assert error.cure  # noqa: PT017 (any other exception fails the test by itself)


def test_a_folder_that_a_case_reads_counts_with_all_that_is_in_it(tmp_path):
    class Read(BaseModel):
        seen: str

    case, store = Read(seen="seen.zarr"), tmp_path / "seen.zarr"
    missing = digest_of_files(case, [store])
    (store / "fine").mkdir(parents=True)
    (store / "fine" / "0.0").write_bytes(b"\x01")
    first = digest_of_files(case, [store])
    (store / "fine" / "0.0").write_bytes(b"\x02")
    second = digest_of_files(case, [store])
    (store / "fine" / "0.0").rename(store / "fine" / "0.1")
    third = digest_of_files(case, [store])
    assert len({missing, first, second, third}) == 4
    (store / "fine" / "0.1").rename(store / "fine" / "0.0")
    assert digest_of_files(case, [store]) == second
