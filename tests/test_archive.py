"""Archives: values come back within the bound that is stated; a run goes on from one only when told to."""

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from fe2_samples import BENT, FACTORS, PlasticUnit
from scalebridge.core.errors import FileFormatError, InputError
from scalebridge.engine.archive import PRECISIONS, archive_checkpoint, pack
from scalebridge.engine.checkpoint import (
    ARCHIVE,
    begin_checkpoint,
    finish_checkpoint,
    read_head,
    read_points,
    unpacked,
    write_points,
)
from scalebridge.structures.solid_mesh import box_mesh
from scalebridge.structures.solve_structure import solve_structure

BAR = box_mesh((2.0, 1.0, 1.0), (2, 1, 1))


@settings(max_examples=200, deadline=None)
@given(
    arrays(np.float64, array_shapes(min_dims=1, max_dims=3, min_side=0), elements=st.floats(width=64)),
    st.sampled_from(PRECISIONS),
)
def test_a_block_comes_back_within_its_bound_whatever_is_in_it(values, precision):
    codes, how = pack(values, precision)
    back = unpacked(codes, how["low"], how["step"])
    assert back.shape == values.shape
    with np.errstate(invalid="ignore"):
        same = (back == values) | (np.isnan(back) & np.isnan(values))
        assert (same | (np.abs(back - values) <= how["bound"])).all()
    if codes.dtype == np.int16:  # half a level, and roundings of the numbers themselves
        size = float(np.abs(values).max(initial=0.0))
        assert how["bound"] <= 0.5001 * how["step"] + 4 * np.finfo(float).eps * size
    if codes.dtype == np.float32:
        tiny = float(np.finfo(np.float32).smallest_subnormal)
        assert how["bound"] <= 2.0**-24 * float(np.abs(values).max(initial=0.0)) + tiny


@pytest.mark.parametrize("precision", PRECISIONS)
def test_points_of_an_archive_are_near_those_of_the_checkpoint(precision, tmp_path):
    draw = np.random.default_rng(0)
    shapes = {"state/plastic strain": (6, 40), "state/none": (0,), "hint/x": (3, 500), "hint?": ()}
    points = {3 * i: {name: draw.normal(size=shape) for name, shape in shapes.items()} for i in range(50)}
    part = begin_checkpoint(tmp_path / "kept", 7)
    write_points(part / "points-00000.h5", list(points.items()), 50)
    kept = finish_checkpoint(part, {"epoch": 2}, {"u": np.arange(3.0)}, 7)
    made = archive_checkpoint(kept, tmp_path / "archive", 7, precision)
    header, coarse = read_head(made, ARCHIVE)
    assert coarse["u"].tolist() == [0.0, 1.0, 2.0]
    bound = header["archive"]["bounds"]["state/plastic strain"]
    assert 0 < bound < 1e-4
    found = dict(read_points(made / "points-00000.h5", [0, 3, 147]))
    assert list(found) == [0, 3, 147]
    for number, values in found.items():
        away = values["state/plastic strain"] - points[number]["state/plastic strain"]
        assert np.abs(away).max() <= bound
        assert values["state/none"].shape == (0,)
        assert not values["hint/x"].any()
        assert values["hint?"] == 0.0
    size = (made / "points-00000.h5").stat().st_size
    assert size < 0.2 * (kept / "points-00000.h5").stat().st_size, "hints are left out"
    with h5py.File(made / "points-00000.h5") as file:
        assert "bound" in file["blocks/000000/variables/state|plastic strain"].attrs


def test_a_run_goes_on_from_an_archive_when_it_is_told_to_and_says_so(tmp_path):
    kept = {"checkpoints": tmp_path / "kept", "archive": tmp_path / "archive"}
    run = {"supports": BENT, "rtol": 1e-10}
    whole = solve_structure(BAR, PlasticUnit(), **run, steps=FACTORS)
    solve_structure(BAR, PlasticUnit(), **run, **kept, steps=FACTORS[:3])
    assert [path.name for path in sorted(kept["archive"].iterdir())] == [f"step-00000{n}" for n in (1, 2, 3)]
    with pytest.raises(FileFormatError, match="resume='archive'"):
        solve_structure(BAR, PlasticUnit(), **run, checkpoints=kept["archive"], resume=True, steps=FACTORS)
    near = solve_structure(BAR, PlasticUnit(), **run, **kept, steps=FACTORS, resume="archive")
    assert "the path went on from an archive in int16" in near.notes[-1]
    away = np.abs(near.stresses - whole.stresses).max() / np.abs(whole.stresses).max()
    assert 0 < away < 1e-3  # levels of 1/65535 of the plastic strains' range, times the stiffness
    exact = solve_structure(BAR, PlasticUnit(), **run, **kept, steps=[*FACTORS, 0.0], resume=True)
    assert near.notes[-1] in exact.notes, "what it went on from stays known"


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"archive": "x"}, "archive: got no folder of checkpoints"),
        ({"checkpoints": "x", "archive": "y", "archive_precision": "int8"}, "archive_precision: got 'int8'"),
        ({"checkpoints": "x", "resume": "archive"}, "resume: got no archive"),
        ({"checkpoints": "x", "resume": "last"}, "resume: got 'last'"),
    ],
)
def test_archives_that_cannot_be_are_refused(asked, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=said):
        solve_structure(BAR, PlasticUnit(), supports=BENT, **asked)
    assert not list(tmp_path.iterdir())
