"""Points with memory: trials from committed states, sharing, storing, epochs, checkpoints."""

import h5py
import numpy as np
import pytest

from fe2_samples import ELASTIC, PlasticUnit
from scalebridge.core.errors import FileFormatError, InputError, TaskError
from scalebridge.engine.checkpoint import latest_checkpoint, read_head, refuse_other
from scalebridge.engine.history_unit import UnitAnswer
from scalebridge.engine.point_engine import LocalEngine, load_checkpoint, load_parts, save_checkpoint
from scalebridge.engine.point_keeper import KeeperSettings, PointKeeper
from scalebridge.engine.point_store import PointStore

SMALL = np.full((5, 6), 1e-5)
LARGE = np.outer([0.0, 0.2, 1.0, 1.5, 0.1], [0.01, -0.005, -0.004, 0.003, 0.002, 0.0])


def engine(points=5, **settings):
    return LocalEngine(PlasticUnit, points, KeeperSettings(threads=2, **settings))


def test_a_trial_is_computed_from_what_is_committed_however_often_it_is_repeated():
    made = engine()
    first = made.evaluate(LARGE, 0.0, 0)
    made.evaluate(3 * LARGE, 0.0, 0)  # a rejected iteration leaves nothing behind
    np.testing.assert_array_equal(made.evaluate(LARGE, 0.0, 0).answers, first.answers)
    made.commit(0)
    unit = PlasticUnit()
    for point in range(5):
        alone = unit.respond(LARGE[point], unit.rest())
        np.testing.assert_allclose(first.answers[point], alone.answer, rtol=0, atol=1e-15)
        held = made.state(point)
        assert not held or held["p"] == alone.state["p"]
    again = made.evaluate(2 * LARGE, 0.0, 1)
    state = unit.respond(LARGE[3], unit.rest()).state
    np.testing.assert_array_equal(again.answers[3], unit.respond(2 * LARGE[3], state).answer)


def test_rollback_is_nothing_and_keeps_the_committed_state():
    made = engine()
    made.evaluate(LARGE, 0.0, 0)
    made.commit(0)
    before = made.state(3)
    made.evaluate(4 * LARGE, 0.0, 1)
    made.rollback(1)
    made.evaluate(LARGE, 0.0, 1)
    made.commit(1)
    np.testing.assert_allclose(
        made.state(3)["p"], before["p"], rtol=1e-12
    )  # no further flow at the same load


def test_points_share_the_elastic_answer_until_a_load_beyond_it_is_committed():
    lazy, eager = engine(), engine(lazy=False)
    for made in (lazy, eager):
        made.evaluate(4 * LARGE, 0.0, 0)  # all but one would yield, and are not committed there
        made.evaluate(SMALL, 0.0, 0)
        made.commit(0)
    assert lazy.memory()["points with memory"] == 0
    assert eager.memory()["points with memory"] == 5
    found = lazy.evaluate(LARGE, 0.0, 1)
    np.testing.assert_allclose(found.answers, eager.evaluate(LARGE, 0.0, 1).answers, rtol=0, atol=1e-15)
    assert (found.stats["lazy"], found.stats["solved"]) == (2.0, 3.0)
    lazy.commit(1)
    assert lazy.memory()["points with memory"] == 3
    np.testing.assert_array_equal(found.tangents[0], ELASTIC)


def test_beyond_the_budget_state_is_in_mapped_files_with_the_same_numbers():
    mapped, held = engine(lazy=False, budget=0), engine(lazy=False)
    for epoch in range(3):
        answers = [made.evaluate((epoch + 1) * LARGE, 0.0, epoch).answers for made in (mapped, held)]
        np.testing.assert_array_equal(*answers)
        mapped.commit(epoch)
        held.commit(epoch)
    assert mapped.memory()["memory"] == 0 < mapped.memory()["mapped"]
    mapped.close()
    held.close()


def test_a_call_of_another_epoch_is_an_error():
    made = engine()
    made.evaluate(SMALL, 0.0, 0)
    made.commit(0)
    for call in (lambda: made.evaluate(SMALL, 0.0, 0), lambda: made.commit(0), lambda: made.rollback(2)):
        with pytest.raises(TaskError, match=r"points that are at epoch 1.*no checkpoint was written"):
            call()


def test_the_error_names_the_checkpoint(tmp_path):
    made = engine()
    made.evaluate(SMALL, 0.0, 0)
    made.commit(0)
    folder, _ = save_checkpoint(made, tmp_path, 1, {}, {})
    with pytest.raises(TaskError, match=f"resume from the checkpoint {folder}"):
        made.evaluate(SMALL, 0.0, 0)


def test_a_failure_of_a_point_is_a_code_and_leaves_its_state(monkeypatch):
    made = engine()
    made.evaluate(LARGE, 0.0, 0)
    made.commit(0)
    before = made.state(3)
    monkeypatch.setattr(
        PlasticUnit,
        "respond",
        lambda self, load, state, dt, hint: UnitAnswer(np.full(6, np.nan), np.eye(6), state, None, 3),
    )
    assert made.evaluate(2 * LARGE, 0.0, 1).codes.tolist() == [0, 3, 3, 3, 3]
    np.testing.assert_array_equal(made.state(3)["p"], before["p"])


def test_a_checkpoint_is_read_by_any_number_of_keepers_and_goes_on_bitwise(tmp_path):
    made = engine()
    made.evaluate(LARGE, 0.0, 0)
    made.commit(0)
    folder, _ = save_checkpoint(made, tmp_path, 7, {"note": "a"}, {"u": np.arange(3.0)})
    other = engine()
    header, arrays = load_checkpoint(other, folder)
    assert (header["note"], header["epoch"], other.epoch) == ("a", 1, 1)
    np.testing.assert_array_equal(arrays["u"], np.arange(3.0))
    expected = made.evaluate(2 * LARGE, 0.0, 1)
    np.testing.assert_array_equal(other.evaluate(2 * LARGE, 0.0, 1).answers, expected.answers)
    for ids in (np.array([0, 3]), np.array([1, 2, 4])):  # as two ranks would
        part = PointKeeper(PlasticUnit(), ids, KeeperSettings(threads=1))
        load_parts(part, folder, header["files"])
        np.testing.assert_array_equal(part.evaluate(2 * LARGE[ids], 0.0).answers, expected.answers[ids])


def test_stored_numbers_are_doubles(tmp_path):
    made = engine()
    made.evaluate(LARGE, 0.0, 0)
    made.commit(0)
    folder, _ = save_checkpoint(made, tmp_path, 1, {}, {})
    with h5py.File(folder / "points-00000.h5") as file:
        assert {d.dtype for d in file["variables"].values()} == {np.dtype(np.float64)}


def test_the_last_whole_checkpoint_counts_and_old_ones_go(tmp_path):
    made = engine()
    for step in (1, 2, 3):
        save_checkpoint(made, tmp_path, step, {}, {}, keep=2)
    (tmp_path / ".step-000004.part").mkdir()
    assert latest_checkpoint(tmp_path).name == "step-000003"
    assert sorted(p.name for p in tmp_path.glob("step-*")) == ["step-000002", "step-000003"]
    assert latest_checkpoint(tmp_path / "nowhere") is None


def test_what_is_damaged_or_of_another_material_is_refused(tmp_path):
    made = engine()
    folder, _ = save_checkpoint(made, tmp_path, 1, {"material": "a" * 64}, {})
    header, _ = read_head(folder)
    with pytest.raises(InputError, match="of another material"):
        refuse_other(header, folder, {"material": "b" * 64})
    (folder / "points-00000.h5").write_bytes(b"torn")
    with pytest.raises(FileFormatError, match=r"points-00000.h5 cannot be read"):
        load_checkpoint(engine(), folder)
    (folder / "points-00000.h5").unlink()
    with pytest.raises(FileFormatError, match=r"without points-00000.h5"):
        read_head(folder)


def test_rows_of_points_that_came_back_are_used_again():
    store = PointStore({"p": (2,)}, points=4, block=2)
    store.write(0, {"p": np.ones(2)})
    store.forget_trial(0)  # its next trial was elastic
    store.commit()
    store.write(3, {"p": np.full(2, 3.0)})
    store.commit()
    assert store.row.tolist() == [-1, -1, -1, 0]
    assert store.committed(3)["p"].tolist() == [3.0, 3.0]


def test_a_store_never_holds_more_than_all_of_its_points():
    store = PointStore({"p": (3,)}, points=5, block=4)
    for point in (4, 0, 2, 1, 3):
        store.write(point, {"p": np.full(3, float(point))})
    assert store.resident_bytes == 5 * store.bytes_per_point
    store.commit()
    assert [store.committed(point)["p"][0] for point in range(5)] == [0.0, 1.0, 2.0, 3.0, 4.0]
