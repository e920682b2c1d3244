"""What every method of fusion can do: a lag, heavy tails, calibration, held-out scenes, expectation."""

from dataclasses import replace

import numpy as np
import pytest

import scalebridge as sb
from fusion_samples import batch_answer, known_problem, small_sensors
from scalebridge.fusion.block_estimate import Search
from scalebridge.fusion.calibration import calibrated
from scalebridge.fusion.fusion_blocks import cut_blocks
from scalebridge.fusion.fusion_model import FusionModel
from scalebridge.fusion.fusion_problem import gather
from scalebridge.fusion.joint_checks import check_joint, dense_covariance, small_part
from scalebridge.fusion.joint_learning import JointObjective
from scalebridge.fusion.joint_precision import make_joint
from scalebridge.fusion.learning import Learnt, Objective, search_by
from scalebridge.fusion.methods import Blocks, Iterations, SparseFactor
from scalebridge.fusion.problem_tables import problem_from, problem_tables
from scalebridge.fusion.robust import reweighted

EVERY = np.arange(6)
BLOCKS, SPARSE, ITERATIONS = Blocks((4, 4)), SparseFactor(), Iterations(1)


@pytest.fixture(scope="module")
def nested():
    """A problem that all three methods can do, with heavy tails, and values for its parameters."""
    return known_problem(FusionModel(), offset=True, tails=4.0)


def across(problem, **values):
    """All its parameters, known."""
    return {p.name: p.median for p in problem.parameters} | values


@pytest.mark.parametrize("lag", [0, 2])
def test_a_lag_is_that_of_the_blocks_by_every_method(nested, lag):
    problem, values = nested
    want = BLOCKS.estimate(problem, values, EVERY, lag)
    exact, near = (method.estimate(problem, values, EVERY, lag) for method in (SPARSE, ITERATIONS))
    np.testing.assert_allclose(exact.mean, want.mean, atol=1e-8)
    np.testing.assert_allclose(exact.std, want.std, atol=1e-8)
    np.testing.assert_allclose(near.mean, want.mean, atol=1e-5)  # the residual is 1e-8, relative
    assert np.sqrt(np.mean((near.std / want.std - 1) ** 2)) < 1.5 * near.errors
    whole = SPARSE.estimate(problem, values, EVERY)
    assert np.abs(exact.mean - whole.mean)[:3].max() > 0.01  # what comes later does matter
    np.testing.assert_allclose(exact.mean[-1], whole.mean[-1], atol=1e-12)
    assert exact.log_likelihood == whole.log_likelihood


def test_a_lag_of_footprints_that_overlap_is_a_batch_answer_of_less_data():
    problem = gather(blurred_sensors(), FusionModel(("ar1",), "independent"))
    values = across(problem)
    found = SPARSE.estimate(problem, values, EVERY, lag=1)
    for t in (0, 2, 3):
        early = problem
        for o in problem.observed:
            for later in range(t + 2, 6):
                early = early.without(o.name, later)
        _, mean, std = batch_answer(early, values, (1, 1))
        np.testing.assert_allclose(found.mean[t] - problem.centre, mean[t], atol=1e-8)
        np.testing.assert_allclose(found.std[t], std[t], atol=1e-8)


def blurred_sensors(**options):
    """A coarse sensor whose footprints overlap, and a fine one."""
    coarse, fine = small_sensors(gaps=0.1, coarse={"bias": "none"}, noise=0.1, **options)
    return [sb.Sensor("coarse", coarse.values, coarse.days, footprint=4, blur=1.0, noise=0.05), fine]


def test_heavy_tails_weigh_the_same_by_every_method(nested):
    problem, values = nested
    spoilt = problem.observed[1].values.copy()
    at = np.argwhere(np.isfinite(spoilt))[7]
    spoilt[tuple(at)] += 8.0
    problem = replace(problem, observed=(problem.observed[0], replace(problem.observed[1], values=spoilt)))
    told = [reweighted(problem, values, m.squares).observed for m in (BLOCKS, SPARSE, ITERATIONS)]
    assert told[0][0].weight is None
    want, exact, near = (observed[1].weight for observed in told)
    assert want[tuple(at)] < 0.2
    np.testing.assert_allclose(exact, want, atol=1e-9)
    # each variance is off by sqrt(2 / 40), of E[e^2] / R that counts beside four degrees of freedom
    assert np.abs(near / want - 1).max() < 0.25
    estimates = [m.estimate(replace(problem, observed=told[0]), values, EVERY) for m in (BLOCKS, SPARSE)]
    np.testing.assert_allclose(estimates[0].mean, estimates[1].mean, atol=1e-8)


def test_scenes_without_themselves_score_the_same_by_every_method(nested):
    problem, values = nested
    scene, search = (problem.observed[1], 3), Search(footprints=4)
    want, exact = (np.sort(m.scores(problem, values, search, scene)) for m in (BLOCKS, SPARSE))
    np.testing.assert_allclose(exact, want, atol=1e-8)
    # fewer than four scenes lie between others
    learnt = Learnt(values, {}, 0.0, 1, True, ())
    assert calibrated(problem, learnt, lambda o, t: want) is learnt


def test_errors_that_iterations_leave_are_positive_where_data_say_all():
    problem = gather(small_sensors(noise=0.5, coarse={"bias": "none"}), FusionModel(("ar1",), "across"))
    values = across(problem, **{"ar1 std": 5.0, "ar1 length": 0.3, "ar1 time": 0.5})
    exact, near = (m.estimate(problem, values, EVERY) for m in (SPARSE, ITERATIONS))
    seen = np.isfinite(exact.residuals["fine"])
    ratio = (near.residuals["fine"][seen] / exact.residuals["fine"][seen]) ** 2
    # the mean of 40 squares is under each: 1 / mean has the average 40 / 38 and the scatter sqrt(2 / 36)
    assert ratio.mean() == pytest.approx(40 / 38, abs=4 * np.sqrt(2 / 36 / seen.sum()))


def test_checks_of_a_joint_precision_hold_and_fail():
    problem = gather(blurred_sensors(dates=9), FusionModel(("ar1",), "across"))
    values = across(problem)
    joint = make_joint(problem, values)
    precision = joint.prior_precision.toarray()
    rows = joint.observe.toarray()
    want = rows @ np.linalg.solve(precision, rows.T) + joint.columns * joint.prior @ joint.columns.T
    np.testing.assert_allclose(dense_covariance(joint), want + np.diag(joint.noise), atol=1e-9)
    part = small_part(problem)
    assert part.pixels * len(part.days) <= 2000
    assert [c.name for c in check_joint(problem, values)][-1] == "batch Gaussian process"
    assert check_joint(problem, values)[-1].passed
    tight = across(problem, **{"ar1 std": 0.02, "fine noise": 0.1})
    assert not check_joint(problem, tight)[0].passed


def test_a_problem_of_overlapping_footprints_comes_back_from_its_tables():
    problem = gather(blurred_sensors(), FusionModel(("ar1",), "across"))
    again = problem_from(problem_tables(problem))
    values = across(problem)
    ours, other = (SPARSE.estimate(p, values, EVERY) for p in (problem, again))
    np.testing.assert_array_equal(ours.mean, other.mean)
    assert again.block is None


@pytest.mark.parametrize("classes", [None, np.arange(64).reshape(8, 8) % 3])
def test_expectation_of_the_sparse_factor_is_that_of_the_blocks(classes):
    sensors = small_sensors(gaps=0.1)
    model = FusionModel(("random-walk",), "independent")
    problem = gather(sensors, model, classes=classes)
    ours, other = JointObjective(problem), Objective(*cut_blocks(problem, (4, 4)))
    assert ours.counts() == other.counts()
    path = [search_by("em", o, None, 4, 0.0).path for o in (ours, other)]
    np.testing.assert_allclose(path[0], path[1], rtol=1e-8)
    assert np.all(np.diff(path[0]) > 0)


@pytest.mark.slow
@pytest.mark.parametrize("method", ["sparse", "iterative"])
def test_scenes_are_held_out_and_calibrated_by_every_method(method):
    sensors = small_sensors(gaps=0.1, dates=18, noise=0.1, coarse={"bias": "none"})
    model = FusionModel(("random-walk",), "across")
    held = sensors[1].days[[2, 3]]
    found = sb.fuse(sensors, model, method=method, calibrate=True, hold_out=list(held))
    assert len(found.held_out) == 2
    assert found.learnt.stretch != 1.0
    assert {c.name for c in found.checks} >= {"coverage", "innovations, variance", "batch Gaussian process"}
    # a local model learns from the same data, and is told what lies beyond the pixels of a footprint
    other = sb.fuse(sensors, FusionModel(space="independent"), hold_out=list(held))
    assert found.skill["rmse"] < 1.2 * other.skill["rmse"]


@pytest.mark.slow
def test_single_values_far_off_count_for_less_by_the_iterative_method(monkeypatch):
    coarse, fine = small_sensors(shape=(16, 16), gaps=0.0, dates=9, noise=0.1, coarse={"bias": "none"})
    values = fine.values.copy()
    values[1, [1, 9], [2, 12]] += 8.0  # eighty deviations, as of a cloud's edge
    monkeypatch.setattr("scalebridge.fusion.joint_learning._WINDOW", 9 * 64)
    sensors = [coarse, sb.Sensor("fine", values, fine.days, noise=0.1, tails=4.0)]
    found = sb.fuse(sensors, FusionModel(("random-walk",), "across"), method="iterative")
    weight = found.problem.observed[1].weight[3].reshape(16, 16)
    assert weight[[1, 9], [2, 12]].max() < 0.05
    assert (weight < 1 / 3).sum() < 6  # one in a thousand normal ones is so far off, of 256
    assert "count for less than a third" in " ".join(found.notes)
    assert np.abs(found.mean[3, [1, 9], [2, 12]] - fine.values[1, [1, 9], [2, 12]]).max() < 1.0
