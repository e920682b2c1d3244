"""Finished work on disk: what comes back is what was kept, to the bit, or it is missing."""

import json
import math
import multiprocessing

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from engine_tasks import square
from scalebridge.core.errors import InputError
from scalebridge.engine.hashing import hash_call
from scalebridge.engine.store import Store, decode, encode
from scalebridge.engine.task_folder import MISSING

NUMBERS = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text())
PLAIN = st.recursive(
    NUMBERS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.lists(inner, max_size=3).map(tuple),
        st.dictionaries(st.text(), inner, max_size=3),
    ),
    max_leaves=8,
)
ARRAYS = hnp.arrays(
    st.sampled_from(["<f8", ">f8", "<f4", "<c16", "i8", "u1", "?"]),
    hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4),
)


def same(a, b):
    """Whether two results are equal with their types; NaN equals NaN, and 0.0 is not -0.0."""
    if isinstance(a, float) and isinstance(b, float):
        return (math.isnan(a) and math.isnan(b)) or a.hex() == b.hex()
    if isinstance(a, list | tuple):
        return type(a) is type(b) and len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict):
        return isinstance(b, dict) and list(a) == list(b) and all(same(a[k], b[k]) for k in a)
    return type(a) is type(b) and a == b


@given(PLAIN)
def test_plain_results_come_back_as_they_were(value):
    assert same(decode(json.loads(json.dumps(encode(value), allow_nan=False))), value)


@given(ARRAYS)
def test_arrays_come_back_to_the_bit(array):
    found = decode(json.loads(json.dumps(encode({"array": array}))))["array"]
    assert found.shape == array.shape
    assert found.dtype == array.dtype.newbyteorder("<")
    assert found.tobytes() == array.astype(found.dtype).tobytes()
    found[...] = 0  # and may be written to


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text[: len(text) // 2],
        lambda text: "",
        lambda text: text.replace("0.5", "0.6"),
        lambda text: "null",
        lambda text: "[1, 2]",
        lambda text: '{"schema": "another"}',
        lambda text: text.replace("scalebridge/task/1", "scalebridge/task/0"),
        lambda text: text.replace('"key": "ab"', '"key": "cd"'),
        lambda text: "\0" * len(text),
    ],
    ids=["half", "empty", "a digit", "null", "a list", "foreign", "an older form", "renamed", "zeros"],
)
def test_what_is_not_whole_counts_as_missing(tmp_path, damage):
    store = Store(tmp_path)
    store.put("ab", [0.5])
    assert store.get("ab") == [0.5]
    path = tmp_path / "ab.json"
    path.write_text(damage(path.read_text()))
    assert store.get("ab") is MISSING
    assert store.damaged == ["ab"]
    store.put("ab", [0.5])
    assert store.get("ab") == [0.5]


def test_nothing_but_results_is_left_in_the_folder(tmp_path):
    store = Store(tmp_path / "made" / "here")
    store.put("ab", 1)
    with pytest.raises(InputError, match="plain data"):
        store.put("cd", object())
    assert [path.name for path in store.folder.iterdir()] == ["ab.json"]
    assert len(store) == 1


def test_places_that_cannot_be_a_store_are_refused(tmp_path):
    (tmp_path / "file").touch()
    for place in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(InputError, match=r"store: got .*which is a file"):
            Store(place)


def _write_many(folder, rounds):
    store = Store(folder)
    for _ in range(rounds):
        for key in range(5):
            store.put(f"k{key}", np.full(2000, float(key)))


def test_two_processes_that_write_the_same_keys_at_once_leave_whole_files(tmp_path):
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=_write_many, args=(tmp_path, 12)) for _ in range(2)]
    for writer in writers:
        writer.start()
    store = Store(tmp_path)
    while any(writer.is_alive() for writer in writers):
        for key in range(5):
            found = store.get(f"k{key}")
            assert found is MISSING or np.array_equal(found, np.full(2000, float(key)))
    assert [writer.exitcode for writer in writers] == [0, 0]
    assert store.damaged == []
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"k{key}.json" for key in range(5)]


# --------------------------------------------------------------------------------------------- hashing

DIFFERENT = [
    {"a": 1},
    {"a": 1.0},
    {"a": True},
    {"a": "1"},
    {"a": b"1"},
    {"a": None},
    {"a": [1]},
    {"a": (1,)},
    {"a": [1, 2]},
    {"a": [[1], 2]},
    {"a": [1, [2]]},
    {"a": {"1": 1}},
    {"a": {1: 1}},
    {"b": 1},
    {"a": 1, "b": 1},
    {"a": 0.0},
    {"a": -0.0},
    {"a": math.nan},
    {"a": "12"},
    {"a": ["1", "2"]},
    {"a": np.array([1, 2])},
    {"a": np.array([1.0, 2.0])},
    {"a": np.array([[1, 2]])},
    {"a": np.array([2, 1])},
    {"a": np.array([1, 2], np.uint8)},
    {"a": np.array([])},
]


def test_different_questions_have_different_keys():
    keys = [hash_call(square, "1", inputs) for inputs in DIFFERENT]
    keys += [hash_call(square, "2", DIFFERENT[0]), hash_call(same, "1", DIFFERENT[0])]
    assert len(set(keys)) == len(keys)


def test_the_key_is_that_of_the_content():
    big = np.arange(24.0).reshape(4, 6)
    keys = {
        hash_call(square, "1", {"a": array, "b": 1})
        for array in (big, big.copy(order="F"), big.astype(">f8"), np.repeat(big, 2, axis=0)[::2])
    }
    assert keys == {hash_call(square, "1", {"b": 1, "a": big})}


@pytest.mark.parametrize(
    "inputs", [{"a": object()}, {"a": [{1, 2}]}, {"a": np.array(["x"])}, {"a": {"b": lambda: 0}}]
)
def test_what_has_no_content_to_hash_is_refused_by_its_place(inputs):
    with pytest.raises(InputError, match=r"inputs\['a'\]"):
        hash_call(square, "1", inputs)


def test_functions_that_no_other_process_finds_are_refused():
    with pytest.raises(InputError, match="top of a module"):
        hash_call(lambda: 0, "1", {})
