"""Points that share an answer: equal where histories are, near elsewhere, found out."""

import numpy as np
import pytest

from fe2_samples import BAR, BENT, BULK, FACTORS, FLAT, HARDENING, SHEAR, WIDE, YIELD, PlasticUnit
from scalebridge.cells.path_cell import PathCell
from scalebridge.core.errors import InputError
from scalebridge.engine.path_sharing import NOBODY, PathShare, PathSharing
from scalebridge.engine.point_engine import load_parts, save_part
from scalebridge.engine.point_keeper import KeeperSettings, make_keeper
from scalebridge.laws.hardening import LinearHardening
from scalebridge.laws.plastic import J2Plasticity
from scalebridge.structures.solve_structure import solve_structure


class CountedUnit(PlasticUnit):
    """Knows how often it was asked, over all copies."""

    asked = 0

    def respond(self, load, state, dt=0.0, *, hint=None):
        CountedUnit.asked += 1
        return super().respond(load, state, dt, hint=hint)


class TouchyUnit(PlasticUnit):
    """Fails where a load is far from its committed one."""

    def respond(self, load, state, dt=0.0, *, hint=None):
        found = super().respond(load, state, dt)
        far = np.abs(load - state["at"]).max() > 0.004
        return type(found)(
            found.answer, found.tangent, {**found.state, "at": load.copy()}, None, 3 if far else 0
        )

    def rest(self):
        return {**super().rest(), "at": np.zeros(6)}

    def elastic(self):
        return None


def sharing_check(study):
    return next(check for check in study.checks if check.name.startswith("points that share"))


def assert_bitwise(one, two):
    np.testing.assert_array_equal(one.displacement, two.displacement)
    np.testing.assert_array_equal(one.stresses, two.stresses)
    assert [(r.reactions, r.external, r.iterations) for r in one.records] == [
        (r.reactions, r.external, r.iterations) for r in two.records
    ]


@pytest.mark.parametrize("unit", [PlasticUnit, TouchyUnit])  # the second has its increments cut
def test_points_that_share_at_equal_loads_only_change_no_bit(unit):
    path = {"supports": FLAT, "steps": [0.024, 0.012], "rtol": 1e-11}
    alone, shared = (solve_structure(WIDE, unit(), **path, share=share) for share in (None, 0.0))
    assert_bitwise(shared, alone)
    assert (unit is TouchyUnit) == any("no answer" in row.outcome for row in alone.iterations)


def test_equal_histories_are_solved_once_and_the_error_is_reported():
    path = {"supports": FLAT, "steps": FACTORS, "rtol": 1e-11}
    alone = solve_structure(WIDE, PlasticUnit(), **path)
    CountedUnit.asked = 0
    shared = solve_structure(WIDE, CountedUnit(), **path, share=PathShare(1e-9, sample=1))
    solved = CountedUnit.asked
    CountedUnit.asked = 0
    solve_structure(WIDE, CountedUnit(), **path)
    assert solved < 0.4 * CountedUnit.asked, "a quarter, the samples and their paths besides"
    last = shared.records[-1]
    assert last.stored == alone.records[-1].stored / 4
    assert last.sharing == 0.75 * alone.records[-1].stored
    assert last.sampled == 1
    # Strains of the four differ by roundings; answers follow them to second order.
    assert sharing_check(shared).passed
    assert sharing_check(shared).value < 1e-12
    np.testing.assert_allclose(shared.curve()[1], alone.curve()[1], rtol=1e-10)  # ten times rtol
    rows = [row for row in shared.iterations if row.of == "sharing"]
    assert len(rows) == sum(record.sharing > 0 for record in shared.records)
    assert "solved anew" in rows[-1].outcome
    assert shared.residuals_csv().count("sharing") == len(rows)
    point = 9
    assert shared.micro.keys() == {shared.critical}
    again = solve_structure(WIDE, PlasticUnit(), **path, share=1e-9, watch=[point])
    own = solve_structure(WIDE, PlasticUnit(), **path, watch=[point])
    for name, value in own.micro[point].items():
        np.testing.assert_allclose(again.micro[point][name], value, rtol=1e-9, atol=1e-15)


def test_a_sample_that_is_all_of_them_states_the_true_error_of_near_histories():
    path = {"supports": BENT, "steps": FACTORS, "rtol": 1e-11}
    alone = solve_structure(BAR, PlasticUnit(), **path)
    near = solve_structure(BAR, PlasticUnit(), **path, share=PathShare(5e-4, sample=99, error=0.2))
    assert near.records[-1].sharing > 0
    largest = np.linalg.norm(alone.stresses, axis=1).max()
    away = np.linalg.norm(near.stresses - alone.stresses, axis=1).max() / largest
    assert 0 < away < 3 * sharing_check(near).value, "equilibrium spreads an error; it does not hide it"
    assert near.passed


def test_false_sharing_is_found_by_the_sample():
    path = {"supports": BENT, "steps": FACTORS, "max_iterations": 30, "rtol": 1e-6}
    study = solve_structure(BAR, PlasticUnit(), **path, share=2e-3)  # a yield strain and a half
    assert not sharing_check(study).passed
    assert not study.passed
    assert sharing_check(study).value > 1e-2


def test_a_resumed_run_shares_as_the_whole_one_and_may_stop_sharing(tmp_path):
    given = {"supports": BENT, "rtol": 1e-11, "share": PathShare(5e-4, error=0.2)}
    whole = solve_structure(BAR, PlasticUnit(), **given, steps=FACTORS)
    kept = {"checkpoints": tmp_path, "resume": True}
    solve_structure(BAR, PlasticUnit(), **given, **kept, steps=FACTORS[:3])
    alone = solve_structure(
        BAR, PlasticUnit(), supports=BENT, checkpoints=tmp_path, resume=True, steps=FACTORS[:3]
    )
    resumed = solve_structure(BAR, PlasticUnit(), **given, **kept, steps=FACTORS)
    assert_bitwise(resumed, whole)
    assert resumed.records == whole.records, "the samples are the same too"
    np.testing.assert_array_equal(
        alone.stresses, solve_structure(BAR, PlasticUnit(), **given, steps=FACTORS[:3]).stresses
    )


def test_a_run_that_begins_to_share_keeps_every_memory(tmp_path):
    given = {"supports": BENT, "rtol": 1e-11, "checkpoints": tmp_path}
    whole = solve_structure(BAR, PlasticUnit(), supports=BENT, rtol=1e-11, steps=FACTORS)
    solve_structure(BAR, PlasticUnit(), **given, steps=FACTORS[:3])
    study = solve_structure(BAR, PlasticUnit(), **given, steps=FACTORS, resume=True, share=0.0)
    assert_bitwise(study, whole)


def test_points_of_a_group_that_come_to_live_apart_keep_its_memory(tmp_path):
    loads = np.zeros((6, 6))
    loads[:, 5] = [0.01, 0.01, 0.01, 0.02, 0.02, 1e-6]
    settings = KeeperSettings(share=1e-6)
    one = make_keeper(PlasticUnit(), np.arange(6), settings)
    one.evaluate(loads, 0.0)
    one.commit()
    assert one.memory()["points with memory"] == 2
    save_part(one, tmp_path, 0)
    known = one.evaluate(0.5 * loads, 0.0).answers
    for ids in (np.array([1, 3, 5]), np.array([0, 2, 4])):
        part = make_keeper(PlasticUnit(), ids, settings)
        load_parts(part, tmp_path, ["points-00000.h5"])
        np.testing.assert_array_equal(part.evaluate(0.5 * loads[ids], 0.0).answers, known[ids])
        part.close()
    one.close()


def test_groups_only_split_and_paths_stay_within_the_tolerance():
    draw = np.random.default_rng(3)
    sharing = PathSharing(40, 6, tolerance=1.0)
    base, paths, led = draw.normal(size=(3, 6)), [], []
    for _ in range(5):
        base = base + draw.normal(size=(3, 6))
        loads = base[np.arange(40) % 3] + 0.3 * draw.normal(size=(40, 6))
        before = sharing.owner.copy()
        sharing.split(list(range(40)), loads, 0.0)
        led.append(loads[sharing.leader])
        paths.append(loads)
        if (before != NOBODY).all():
            assert (before[sharing.leader] == before).all(), "nobody joins another group"
            assert (sharing.leader[before] == before).all(), "an owner leads"
        sharing.commit()
    assert np.linalg.norm(np.array(paths) - np.array(led), axis=2).max() <= 1.0


@pytest.mark.parametrize(
    ("share", "said"),
    [
        (-1e-6, "share.tolerance: got -1e-06"),
        ("near", "share.tolerance: got 'near'"),
        (PathShare(1e-6, sample=0), "share.sample: got 0"),
        (PathShare(1e-6, error=0.0), "share.error: got 0.0"),
        (PathShare(1e-6, seed=1.5), "share.seed: got 1.5"),
    ],
)
def test_settings_that_cannot_be_right_are_refused(share, said):
    with pytest.raises(InputError, match=said):
        solve_structure(BAR, PlasticUnit(), supports=BENT, share=share)


def test_laws_at_points_do_not_share():
    law = J2Plasticity(BULK, SHEAR, LinearHardening(YIELD, HARDENING))
    with pytest.raises(InputError, match="share: got 1e-06, with a law at each point"):
        solve_structure(BAR, law, supports=BENT, share=1e-6)


@pytest.mark.slow
def test_volumes_that_share_at_equal_loads_only_change_no_bit():
    law = J2Plasticity(BULK, SHEAR, LinearHardening(YIELD, HARDENING))
    phases = np.zeros((4, 4, 4), int)
    phases[:2, :2, :2] = 1
    cell = PathCell(
        phases, [law, J2Plasticity(3 * BULK, 3 * SHEAR, LinearHardening(YIELD, 0.1))], (1e-3,) * 3
    )
    path = {"supports": FLAT, "steps": [0.008, 0.012, 0.006], "rtol": 1e-7}
    alone, shared, near = (solve_structure(WIDE, cell, **path, share=share) for share in (None, 0.0, 1e-9))
    assert_bitwise(shared, alone)
    assert near.records[-1].stored == alone.records[-1].stored / 4
    np.testing.assert_allclose(near.curve()[1], alone.curve()[1], rtol=1e-6)  # ten times rtol
    assert sharing_check(near).value < 1e-6, "tolerance of the micro equilibria, a hundred times"
