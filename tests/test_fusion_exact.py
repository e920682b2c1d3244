"""The block engine against exact answers: a reference, a batch Gaussian process, statsmodels."""

import csv
from pathlib import Path

import numpy as np
import pytest

from fusion_samples import batch_answer, known_problem
from scalebridge.fusion.block_engine import BlockData, System, group_footprints, smooth
from scalebridge.fusion.fusion_blocks import cut_blocks, out_of_blocks, sparse_rows
from scalebridge.fusion.fusion_model import FusionModel
from scalebridge.fusion.learning import Objective, learn, systems_of

REFERENCE = Path(__file__).parent / "reference" / "fusion"
KINDS = {
    "random walk": (FusionModel(), {}),
    "two parts, offsets": (FusionModel(("ar1", "static"), {"ar1": "matern-3/2"}), {"offset": True}),
    "matern and season": (FusionModel(("matern-3/2", "seasonal"), "exponential", period=30.0), {}),
    "classes": (FusionModel(("matern-5/2",)), {"classes": np.arange(64).reshape(8, 8) % 3}),
    "trend, covariate": (FusionModel(("trend",)), {"offset": True, "covariates": {"z": np.arange(6.0) ** 2}}),
    "covariate by pixel": (FusionModel(), {"covariates": {"z": np.sin(np.arange(64.0)).reshape(8, 8)}}),
}


def unit_system(start, innovation, factor, noise, states):
    """A system of one class of steps, every state on its own with one factor."""
    pattern = np.arange(states)[:, None]
    weight = np.full((1, states, 1), factor)
    return System(pattern, weight, 1.0 / weight, innovation[None], start, np.array(noise), np.zeros(0))


def block_data(values, observe, sensor, step=None):
    """Footprints without regressors; every state is asked for."""
    states, seen = observe.shape[1], np.isfinite(values)
    dates = values.shape[1]
    groups = group_footprints(seen, np.ones(values.shape), np.zeros(len(values), int), False)
    empty, fields = np.zeros((dates, values.shape[2], 0)), np.zeros((dates, states, 0))
    step = np.array([-1] + [0] * (dates - 1)) if step is None else step
    return BlockData(
        values, empty, sensor, sparse_rows(observe), sparse_rows(np.eye(states)), fields, step, groups
    )


def test_tiny_reference_with_gaps():
    # reference/fusion/README.md: Kalman smoother and batch Gaussian process agree to 5e-14
    lines = (REFERENCE / "tiny_fusion_lgssm_exact.csv").read_text(encoding="utf-8").splitlines()
    rows = list(csv.DictReader(lines))
    table = {k: np.array([float(r[k] or "nan") for r in rows]).reshape(6, 4) for k in rows[0] if k != "t"}
    rest, gap = np.array([1.0, 2, 3, 4]), np.abs(np.subtract.outer(np.arange(4), np.arange(4)))
    system = unit_system(np.exp(-gap / 3), 0.09 * np.exp(-gap / 2), 0.9, [0.05**2, 0.2**2], 4)
    coarse = table["coarse_obs(mean of 4)"][:, :1] - rest.mean()
    values = np.concatenate([coarse, table["fine_obs"] - rest], axis=1)[None]
    observe = np.vstack([np.full((1, 4), 0.25), np.eye(4)])
    data = block_data(values, observe, np.array([0, 1, 1, 1, 1]))
    found, log = smooth(data, [system], np.arange(6))
    np.testing.assert_allclose(found.mean[0] + rest, table["smoothed_mean"], atol=1e-10)
    np.testing.assert_allclose(np.sqrt(found.variance[0]), table["smoothed_sd"], atol=1e-10)
    assert log == pytest.approx(-3.0079536373797975, abs=1e-10)


@pytest.mark.parametrize("name", KINDS)
def test_blocks_equal_a_batch_gaussian_process(name):
    model, options = KINDS[name]
    problem, values = known_problem(model, **options)
    layout, data = cut_blocks(problem, (4, 4))
    systems = systems_of(layout, values)
    found, log = smooth(data, systems, np.arange(6))
    want_log, want_mean, want_std = batch_answer(problem, values, (4, 4))
    mean, variance = (out_of_blocks(a, (8, 8), (4, 4)) for a in (found.mean, found.variance))
    assert log == pytest.approx(want_log, rel=1e-8)  # both in double precision; condition numbers of 1e6
    np.testing.assert_allclose(mean, want_mean, atol=1e-8)
    np.testing.assert_allclose(np.sqrt(variance), want_std, atol=1e-8)


def test_sixteen_pixels_square_on_ten_dates():
    problem, values = known_problem(FusionModel(), shape=(16, 16), dates=10, gaps=0.2)
    layout, data = cut_blocks(problem, (4, 4))
    systems = systems_of(layout, values)
    found, log = smooth(data, systems, np.arange(10))
    want_log, want_mean, want_std = batch_answer(problem, values, (4, 4))
    mean, variance = (out_of_blocks(a, (16, 16), (4, 4)) for a in (found.mean, found.variance))
    assert log == pytest.approx(want_log, rel=1e-8)
    np.testing.assert_allclose(mean, want_mean, atol=1e-8)
    np.testing.assert_allclose(np.sqrt(variance), want_std, atol=1e-8)


@pytest.mark.parametrize("name", KINDS)
def test_slopes_are_those_of_the_likelihood(name):
    model, options = KINDS[name]
    problem, values = known_problem(model, **options)
    layout, data = cut_blocks(problem, (4, 4))
    objective = Objective(layout, data)
    logs = np.array([np.log(values[p.name]) for p in objective.free])
    slope = objective.likelihood(logs)[1]
    along = np.random.default_rng(3).standard_normal(len(logs))
    step = (
        1e-5  # central differences: an error of step^2 = 1e-10 of the third derivative, rounding 1e-16 / step
    )
    ahead, behind = (objective.likelihood(logs + s * step * along)[0] for s in (1, -1))
    assert slope @ along == pytest.approx((ahead - behind) / (2 * step), rel=1e-6, abs=1e-6)


def test_past_alone_and_a_lag_equal_batch_answers_of_less_data():
    problem, values = known_problem(FusionModel(), offset=True)
    layout, data = cut_blocks(problem, (4, 4))
    systems = systems_of(layout, values)
    for lag in (0, 2):
        found, _ = smooth(data, systems, np.arange(6), lag)
        mean = out_of_blocks(found.mean, (8, 8), (4, 4))
        for t in (0, 2, 3):
            early = problem
            for o in problem.observed:
                for later in range(t + lag + 1, 6):
                    early = early.without(o.name, later)
            # the coefficients of offsets that are not seen yet do not matter: their names may be fewer
            want = batch_answer(early, values, (4, 4))[1][t]
            np.testing.assert_allclose(mean[t], want, atol=1e-8)


def test_expectation_and_maximisation_never_falls_and_meets_the_gradient():
    problem, _ = known_problem(FusionModel(("random-walk",), "independent"), gaps=0.1)
    layout, data = cut_blocks(problem, (4, 4))
    found = learn(layout, data, method="em", steps=40)
    assert np.all(np.diff(found.path) > -1e-9 * abs(found.value))
    assert found.path[-1] > found.path[0] + 1.0


@pytest.mark.parametrize("share", [0.0, 0.3, 0.7])
def test_statsmodels_with_any_pattern_of_missing_components(share):
    statespace = pytest.importorskip("statsmodels.tsa.statespace.mlemodel")
    rng = np.random.default_rng(7)
    pixels, dates = 6, 8
    gap = np.abs(np.subtract.outer(np.arange(pixels), np.arange(pixels)))
    start, innovation = np.exp(-gap / 3.0), 0.2 * np.exp(-gap / 2.0)
    observe = np.vstack([np.full((1, pixels), 1 / pixels), np.eye(pixels)])
    values = rng.standard_normal((3, dates, pixels + 1))
    values[rng.random(values.shape) < share] = np.nan
    values[0, 3] = np.nan
    noise = np.array([0.1, 0.3])
    sensor = np.array([0] + [1] * pixels)
    found, log = smooth(
        block_data(values, observe, sensor),
        [unit_system(start, innovation, 0.95, noise, pixels)],
        np.arange(dates),
    )
    total = 0.0
    for number, seen in enumerate(values):
        peer = statespace.MLEModel(seen, k_states=pixels, k_posdef=pixels)
        peer.ssm["design"], peer.ssm["obs_cov"] = observe, np.diag(noise[sensor])
        peer.ssm["transition"], peer.ssm["selection"] = 0.95 * np.eye(pixels), np.eye(pixels)
        peer.ssm["state_cov"] = innovation
        peer.ssm.initialize_known(np.zeros(pixels), start)
        told = peer.ssm.smooth()
        total += told.llf
        np.testing.assert_allclose(found.mean[number], told.smoothed_state.T, atol=1e-10)
        variance = np.diagonal(told.smoothed_state_cov.transpose(2, 0, 1), axis1=1, axis2=2)
        np.testing.assert_allclose(found.variance[number], variance, atol=1e-10)
    assert log == pytest.approx(total, rel=1e-10)
