"""What is learnt of a coarse model's error: closed forms against refits, and draws that stay exact."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import scalebridge as sb
from inference_samples import DATA, EXACT_MEAN, MATRIX, NOISE, TWO, assert_exact, fine, host_fine
from scalebridge.inference.correction import PROCESS, Correction, learn
from scalebridge.inference.kriging import krige, radial

RNG = np.random.default_rng(5)
PLACES = RNG.standard_normal((60, 2))


def bent(w):
    """An error that is no polynomial."""
    return np.stack([np.sin(2 * w[..., 0]) + w[..., 1], np.tanh(3 * w[..., 1])], axis=-1)


def test_what_is_missed_when_left_out_is_that_of_explicit_refits():
    values = bent(PLACES)
    found = krige(PLACES, values, np.ones(2))
    alike = radial(PLACES, PLACES, found.length)
    trend = np.c_[np.ones(60), PLACES]

    def missed(out, nugget):
        keep = np.arange(60) != out
        system = np.block(
            [[alike[keep][:, keep] + nugget * np.eye(59), trend[keep]], [trend[keep].T, np.zeros((3, 3))]]
        )
        solved = np.linalg.solve(system, np.r_[values[keep], np.zeros((3, 2))])
        return values[out] - np.r_[alike[out, keep], trend[out]] @ solved

    # The nugget is not told; it is the one that explains the fit at the places themselves, y - f = η a.
    fit = alike @ found.pulls + trend @ found.trend
    nugget = float(np.sum((values - fit) * found.pulls) / np.sum(found.pulls**2))
    for out in (0, 17, 59):
        # Conditioning: the kernel's matrix has eigenvalues down to the nugget.
        np.testing.assert_allclose(found.left[out], missed(out, nugget), rtol=1e-4, atol=1e-8)


def test_a_process_is_taken_where_it_predicts_better_and_only_there():
    centre, root, noise = np.array([0.3, -0.2]), np.array([[1.2, 0.0], [0.3, 0.8]]), 0.01 * np.eye(2)
    points = centre + PLACES @ root.T
    polynomial = learn(points, bent(PLACES), centre, root, noise)
    process = learn(points, bent(PLACES), centre, root, noise, PROCESS)
    assert process.degree == PROCESS
    assert process.error < 0.5 * polynomial.error
    fresh = RNG.standard_normal((40, 2))
    shifts = np.array([process.shift(centre + root @ w) for w in fresh])
    rough = float(np.sqrt(np.mean((shifts - bent(fresh)) ** 2))) / 0.1
    assert rough < 2.0 * process.error  # what was left out stands for what was never seen
    traced = jax.jit(lambda u, arrays: Correction.of_arrays(arrays).shift(u, jnp))
    np.testing.assert_allclose(traced(points[3], process.arrays), process.shift(points[3]), rtol=1e-9)
    square = np.stack([PLACES[:, 0] ** 2, PLACES[:, 0] * PLACES[:, 1]], axis=1)
    assert learn(points, square, centre, root, noise, PROCESS).degree == 2


def wavy(theta):
    return jnp.asarray(MATRIX) @ theta + 0.3 * jnp.sin(3 * theta[0])


@pytest.mark.slow
def test_draws_stay_exact_with_a_learnt_process():
    found = sb.sample(
        [wavy, fine], TWO, data=DATA, noise=NOISE, correction="gaussian-process", draws=250, scouting=60,
        warmup=60, subchain=3,
    )  # fmt: skip
    assert any("a Gaussian process on a linear polynomial" in note for note in found.notes)
    assert_exact(found)


@pytest.mark.slow
def test_a_model_with_its_own_gradient_is_corrected_by_a_process_too():
    class Wavy:
        def __call__(self, theta):
            return MATRIX @ theta + 0.3 * np.sin(3 * float(theta[0]))

        def gradient(self, theta, sensitivity):
            return MATRIX.T @ sensitivity + np.array([0.9 * np.cos(3 * theta[0]) * sensitivity.sum(), 0.0])

    found = sb.sample(
        [Wavy(), host_fine], TWO, data=DATA, noise=NOISE, correction="gaussian-process", draws=250,
        scouting=60, warmup=60, subchain=3, proposal="hmc",
    )  # fmt: skip
    assert abs(found.summary[0].mean - EXACT_MEAN[0]) < 4.5 * found.summary[0].error
    assert found.rates["acceptance of the finest level"] > 0.7
