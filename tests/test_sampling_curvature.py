"""The curvature of posteriors: closed forms, modes, draws that stay exact, what is refused."""

import jax.numpy as jnp
import numpy as np
import pytest

import scalebridge as sb
from inference_samples import DATA, EXACT_MEAN, MATRIX, NOISE, PRECISION, TWO, assert_exact, fine, host_coarse
from scalebridge.inference.correction import learn, no_correction
from scalebridge.inference.forward import Level
from scalebridge.inference.gauss_newton import GaussNewton
from scalebridge.inference.likelihood import Likelihood
from scalebridge.inference.parameters import Prior, read_parameters
from scalebridge.inference.targets import LevelPosterior, Tally

RNG = np.random.default_rng(8)
GAUSSIAN = Likelihood(DATA, NOISE**2 * np.eye(3))


class Host:
    """The linear model with a gradient of its own; it counts what it is asked."""

    def __init__(self):
        self.asked = 0

    def __call__(self, theta):
        return MATRIX @ theta

    def gradient(self, theta, sensitivity):
        self.asked += 1
        return MATRIX.T @ sensitivity


def asked_of(model, traced, likelihood=GAUSSIAN, priors=TWO):
    return GaussNewton(
        LevelPosterior(Level(model, "model", traced), Prior(read_parameters(priors)), likelihood)
    )


def own(answers):
    return -0.5 * jnp.sum((answers - DATA) ** 2) / NOISE**2


CASES = {
    "traced": (fine, True, GAUSSIAN),
    "its own gradient": (Host(), False, GAUSSIAN),
    "a likelihood of its own": (fine, True, Likelihood(None, None, own)),
}


@pytest.mark.parametrize(
    "case", [pytest.param(case, marks=[pytest.mark.slow] * case.startswith("a like")) for case in CASES]
)
def test_a_linear_model_has_one_curvature_and_a_step_leads_to_its_mode(case):
    found, none, place = asked_of(*CASES[case]), no_correction(2, 3), RNG.standard_normal(2)
    shape = found.at(place, none, Tally())
    np.testing.assert_allclose(shape.precision, PRECISION, rtol=1e-12)
    np.testing.assert_allclose(shape.slope, PRECISION @ (EXACT_MEAN - place), rtol=1e-10)
    mode = found.descend(place, none, Tally())
    np.testing.assert_allclose(mode.position, EXACT_MEAN, atol=2e-3)  # where 1e-6 of log-density is left


def test_what_is_learnt_bends_the_curvature_too():
    points = RNG.standard_normal((40, 2))
    bent = np.stack([points[:, 0] * points[:, 1], points[:, 1], points[:, 0] ** 2], axis=1)
    learnt = learn(points, bent, np.zeros(2), np.eye(2), NOISE**2 * np.eye(3))
    place, step = np.array([0.4, -0.3]), np.array([0.6, 0.8])
    for found in (asked_of(fine, traced=True), asked_of(Host(), traced=False)):
        shape = found.at(place, learnt, Tally())
        value = found.posterior.target(learnt, Tally()).value
        ahead, behind = (value(place + sign * 1e-5 * step).log_density for sign in (1, -1))
        assert shape.slope @ step == pytest.approx((ahead - behind) / 2e-5, rel=1e-6)  # central differences
        slopes = MATRIX + np.array([[place[1], place[0]], [0.0, 1.0], [2 * place[0], 0.0]])
        whitener = GAUSSIAN.whitener(learnt.covariance)
        # The fit has a ridge of 1e-8.
        np.testing.assert_allclose(
            shape.precision, slopes.T @ whitener.T @ whitener @ slopes + np.eye(2), rtol=1e-5
        )


def test_a_model_that_fails_has_no_shape_and_flat_directions_keep_a_hundredth_of_the_prior():
    def broken(theta):
        raise RuntimeError("no mesh")

    tally = Tally()
    assert asked_of(broken, traced=False).descend(np.zeros(2), no_correction(2, 3), tally) is None
    assert tally.failures == 1
    found = asked_of(fine, traced=True, priors={"a": "normal(0, 5)", "b": "normal(0, 1)"})
    np.testing.assert_allclose(found.clipped([np.diag([0.0, 4.0])]), np.diag([0.01 / 25, 4.0]), atol=1e-14)


@pytest.mark.slow
def test_shares_and_intervals_have_a_curvature_of_their_own():
    priors = {"a": "uniform(0, 2)", "share": "dirichlet(2, 3)"}
    found = asked_of(lambda v: jnp.stack([v[0], v[1], v[1] * v[0]]), True, priors=priors)
    shape = found.at(np.array([0.2, -0.1]), no_correction(2, 3), Tally())
    assert np.all(np.linalg.eigvalsh(shape.precision) > 0)


SLOWER = [
    pytest.param(name, marks=pytest.mark.slow) for name in ("pcn", "mala", "adaptive-metropolis", "dream-z")
]


@pytest.mark.parametrize("proposal", ["hmc", *SLOWER])
def test_draws_stay_exact(proposal):
    found = sb.sample(
        [Host()], TWO, data=DATA, noise=NOISE, whitening="curvature", proposal=proposal, chains=2,
        draws=150 if proposal == "hmc" else 1500, warmup=30,
    )  # fmt: skip
    assert any("curvature" in note for note in found.notes)
    assert_exact(found)


@pytest.mark.slow
def test_screened_draws_stay_exact_and_go_on_where_they_were(tmp_path):
    options = {
        "data": DATA, "noise": NOISE, "whitening": "curvature", "proposal": "hmc", "chains": 2, "warmup": 20,
        "scouting": 40, "subchain": 3,
    }  # fmt: skip

    class Coarse(Host):
        def __call__(self, theta):
            return host_coarse(theta)

        def gradient(self, theta, sensitivity):
            self.asked += 1
            return (MATRIX * 0.8 + 0.1).T @ sensitivity

    first = Coarse()
    found = sb.sample([first, Host()], TWO, draws=300, store=tmp_path, **options)
    assert_exact(found)
    again = Coarse()
    more = sb.sample([again, Host()], TWO, draws=400, store=tmp_path, **options)
    np.testing.assert_array_equal(more["a"][:, :300], found["a"])
    assert again.asked < 0.5 * first.asked  # the curvature is kept with the blocks


ROWS = [
    {"whitening": "laplace"},
    {"proposal": "random-walk"},
    {"levels": [lambda theta: MATRIX @ np.asarray(theta)]},
    {"data": None, "noise": None, "levels": [lambda theta: -jnp.sum(theta**2)]},
]


@pytest.mark.parametrize("change", ROWS)
def test_bad_input(change):
    good = {"levels": [fine], "parameters": TWO, "data": DATA, "noise": NOISE, "draws": 8}
    with pytest.raises(sb.InputError) as caught:
        sb.sample(**{**good, "whitening": "curvature", **change})
    assert caught.value.argument == "whitening", str(caught.value)
