"""The sparse and the iterative engine against the block engine and a batch Gaussian process."""

import numpy as np
import pytest
from scipy.sparse import csc_matrix

import scalebridge as sb
from fusion_samples import batch_answer, known_problem, small_sensors
from scalebridge.core.errors import SolverError
from scalebridge.fusion import sparse_factor
from scalebridge.fusion.block_estimate import estimate_blocks
from scalebridge.fusion.fusion_blocks import cut_blocks
from scalebridge.fusion.fusion_model import FusionModel
from scalebridge.fusion.fusion_problem import gather
from scalebridge.fusion.joint_estimate import estimate_iterative, estimate_sparse, joint_likelihood
from scalebridge.fusion.joint_learning import JointObjective, middle_window
from scalebridge.fusion.joint_precision import make_joint
from scalebridge.fusion.learning import Objective
from scalebridge.fusion.simulation import draw_blocks, draw_joint

KINDS = {
    "random walk": (FusionModel(), {}),
    "two parts": (FusionModel(("ar1", "static"), {"ar1": "matern-3/2"}), {"offset": True}),
    "matern": (FusionModel(("matern-3/2",)), {"covariates": {"z": np.arange(6.0)}}),
    "classes": (FusionModel(("ar1",)), {"classes": np.arange(64).reshape(8, 8) % 3}),
}


@pytest.mark.parametrize(
    "name",
    ["random walk", "two parts", *(pytest.param(k, marks=pytest.mark.slow) for k in ("matern", "classes"))],
)
def test_sparse_equals_blocks(name):
    model, options = KINDS[name]
    problem, values = known_problem(model, **options)
    every = np.arange(6)
    ours, other = estimate_sparse(problem, values, every), estimate_blocks(problem, (4, 4), values, every)
    assert ours.log_likelihood == pytest.approx(other.log_likelihood, rel=1e-8)
    np.testing.assert_allclose(ours.mean, other.mean, atol=1e-8)
    np.testing.assert_allclose(ours.std, other.std, atol=1e-8)
    for sensor, residual in other.residuals.items():
        np.testing.assert_allclose(ours.residuals[sensor], residual, atol=1e-6)


def test_sixteen_pixels_square_on_ten_dates():
    problem, values = known_problem(FusionModel(), shape=(16, 16), dates=10, gaps=0.2)
    ours = estimate_sparse(problem, values, np.arange(10))
    other = estimate_blocks(problem, (4, 4), values, np.arange(10))
    assert ours.log_likelihood == pytest.approx(other.log_likelihood, rel=1e-8)
    np.testing.assert_allclose(ours.mean, other.mean, atol=1e-8)
    np.testing.assert_allclose(ours.std, other.std, atol=1e-8)


def test_iterative_equals_sparse_within_its_stated_error():
    model = FusionModel(("ar1",), "across")
    problem = gather(small_sensors(), model)
    values = {p.name: p.median for p in problem.parameters}
    exact = estimate_sparse(problem, values, np.arange(6))
    found = estimate_iterative(problem, values, np.arange(6), draws=60)
    np.testing.assert_allclose(found.mean, exact.mean, atol=1e-6)  # the residual is 1e-8, relative
    off = np.sqrt(np.mean((found.std / exact.std - 1) ** 2))
    assert 0 < found.errors < 0.1
    assert off < 1.5 * found.errors


@pytest.mark.parametrize("name", ["two parts", pytest.param("matern", marks=pytest.mark.slow)])
def test_draws_have_the_mean_and_the_covariance_of_the_posterior(name):
    model, options = KINDS[name]
    problem, values = known_problem(model, **options)
    exact, count = estimate_sparse(problem, values, np.arange(6)), 60
    found = {
        "blocks": draw_blocks(problem, (4, 4), values, count, 3),
        "sparse": draw_joint(problem, values, "sparse", count, 4),
    }
    for drawn in found.values():
        score = (drawn.mean(axis=0) - exact.mean) / (exact.std / np.sqrt(count))
        # 384 numbers of which some 40 are independent: a scatter of sqrt(2 / 40) about one
        assert np.mean(score**2) == pytest.approx(1.0, abs=0.6)
        assert np.mean(drawn.var(axis=0, ddof=1) / exact.std**2) == pytest.approx(1.0, abs=0.15)
    # the mean of a footprint, which knows the covariance: two deviations of sqrt(2 / count) each
    whole = [drawn[:, 3, :4, :4].mean(axis=(1, 2)).std() for drawn in found.values()]
    assert whole[0] == pytest.approx(whole[1], rel=0.35)
    np.testing.assert_array_equal(draw_blocks(problem, (4, 4), values, 2, 3), found["blocks"][:2])


def test_iterative_draws_are_those_of_the_sparse_factor():
    problem = gather(small_sensors(), FusionModel(("ar1",), "across"))
    values = {p.name: p.median for p in problem.parameters}
    ours, other = (draw_joint(problem, values, method, 2, 5) for method in ("iterative", "sparse"))
    np.testing.assert_allclose(ours, other, atol=1e-5)  # the residual is 1e-8, relative


def test_a_batch_answer_of_independent_pixels():
    problem, values = known_problem(FusionModel(("random-walk",), "independent"))
    ours = estimate_sparse(problem, values, np.arange(6))
    log, mean, std = batch_answer(problem, values, (4, 4))
    assert ours.log_likelihood == pytest.approx(log, rel=1e-8)
    np.testing.assert_allclose(ours.mean - problem.centre, mean, atol=1e-8)
    np.testing.assert_allclose(ours.std, std, atol=1e-8)


SLOPES = {
    "across": (FusionModel(("ar1",), "across"), {}),
    "nugget, two parts": (
        FusionModel(("ar1", "static"), {"ar1": "matern-3/2"}, nugget=True),
        {"offset": True},
    ),
    "season": (FusionModel(("matern-3/2", "seasonal"), "exponential", period=30.0), {}),
    "classes": (FusionModel(("trend",)), {"classes": np.arange(64).reshape(8, 8) % 3}),
}


@pytest.mark.parametrize(
    "name", ["across", *(pytest.param(k, marks=pytest.mark.slow) for k in SLOPES if k != "across")]
)
def test_slopes_of_the_joint_likelihood(name):
    model, options = SLOPES[name]
    problem, values = known_problem(model, **options)
    slope = JointObjective(problem).slopes(values)[1]
    assert set(slope) == set(values)
    order = sparse_factor.dissect(make_joint(problem, values).precision, make_joint(problem, values).where)

    def likelihood(logs):
        joint = make_joint(
            problem, {n: v * np.exp(d) for (n, v), d in zip(values.items(), logs, strict=True)}
        )
        return joint_likelihood(joint, sparse_factor.factorise(joint.precision, order))[0]

    rng = np.random.default_rng(3)
    for _ in range(2):
        along = rng.standard_normal(len(values))
        # central differences, extrapolated: the error is of order step^4
        told = [(likelihood(s * along) - likelihood(-s * along)) / (2 * s) for s in (1e-3, 2e-3)]
        want = (4 * told[0] - told[1]) / 3
        assert along @ list(slope.values()) == pytest.approx(want, rel=1e-6, abs=1e-6)


def test_slopes_are_those_of_the_block_engine():
    problem, values = known_problem(FusionModel(), offset=True)
    ours, other = JointObjective(problem), Objective(*cut_blocks(problem, (4, 4)))
    logs = np.array([np.log(values[p.name]) for p in ours.free])
    (log, by), (want_log, want) = ours.likelihood(logs), other.likelihood(logs)
    assert log == pytest.approx(want_log, rel=1e-9)
    np.testing.assert_allclose(by, want, atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize("package", ["SuperLU", "CHOLMOD"])
def test_factors_solve_and_invert(package):
    if package == "CHOLMOD":
        pytest.importorskip("cvxopt")
    problem = gather(small_sensors(), FusionModel(("ar1",), "across"))
    joint = make_joint(problem, {p.name: p.median for p in problem.parameters})
    precision = joint.precision
    order = sparse_factor.dissect(precision, joint.where)
    assert sorted(order) == list(range(precision.shape[0]))
    found = sparse_factor.factorise(precision, order, package)
    assert found.name == package
    dense = precision.toarray()
    inverse = np.linalg.inv(dense)
    assert found.log_determinant == pytest.approx(np.linalg.slogdet(dense)[1], rel=1e-12)
    sides = np.random.default_rng(0).standard_normal((len(dense), 3))
    np.testing.assert_allclose(found.solve(sides), inverse @ sides, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(found.solve(sides[:, 0]), found.solve(sides)[:, 0], atol=1e-12)
    lower = found.lower().toarray()
    permuted = np.empty_like(dense)
    permuted[np.ix_(found.place, found.place)] = dense
    np.testing.assert_allclose(lower @ lower.T, permuted, atol=1e-9)
    rows, columns = precision.nonzero()
    told = sparse_factor.selected_inverse(found).at(rows, columns)
    np.testing.assert_allclose(told, inverse[rows, columns], atol=1e-11)


@pytest.mark.parametrize("package", ["SuperLU", "CHOLMOD"])
def test_a_matrix_that_is_not_definite_is_said(package):
    if package == "CHOLMOD":
        pytest.importorskip("cvxopt")
    with pytest.raises(SolverError, match="not positive definite"):
        sparse_factor.factorise(csc_matrix(np.diag([1.0, -1.0, 2.0])), np.arange(3), package)


@pytest.mark.slow
def test_learning_by_the_sparse_method_finds_what_blocks_find():
    sensors = small_sensors(gaps=0.0, dates=9, coarse={"bias": "none"}, noise=0.1)
    model = FusionModel(space="independent")
    ours = sb.fuse(sensors, model, method="sparse", gate=None)
    other = sb.fuse(sensors, model, footprints=4, gate=None)
    assert ours.learnt.converged
    assert ours.learnt.steps < 40
    for name, value in other.parameters.items():
        # the searches end at a relative change of 1e-5 of the likelihood, some hundredths of a deviation
        assert abs(np.log(ours.parameters[name] / value)) < 0.1, name
    assert "evaluations of the likelihood and its slope" in str(ours)


@pytest.mark.slow
def test_the_iterative_method_learns_from_a_window(monkeypatch):
    sensors = small_sensors(shape=(16, 16), coarse={"bias": "none"}, noise=0.1)
    monkeypatch.setattr("scalebridge.fusion.joint_learning._WINDOW", 6 * 64)
    found = sb.fuse(sensors, FusionModel(("ar1",), "across"), method="iterative")
    assert "8 x 8 pixels in the middle" in " ".join(found.notes)
    assert found.parameters["ar1 std"] > 0


def test_a_window_in_the_middle_keeps_whole_footprints():
    coarse, fine = small_sensors(shape=(16, 12), gaps=0.0)
    blurred = sb.Sensor("blurred", fine.values, fine.days, noise=0.1, blur=1.0)
    problem = gather([coarse, blurred, fine], FusionModel(("ar1",), "across"))
    window = middle_window(problem, 6 * 64)
    assert window.grid.shape == (8, 8)
    np.testing.assert_allclose(np.asarray(window.observed[1].weights.sum(axis=1)), 1.0, atol=1e-9)
    assert window.observed[2].values.shape == (6, 64)
    with pytest.raises(sb.InputError, match="saw within"):
        middle_window(problem, 6 * 4)
