"""Kernels leave their density unchanged, whatever the coarse model says; a wrong ratio is found out."""

import math

import numpy as np
import pytest

from scalebridge.inference.dream import differential_evolution
from scalebridge.inference.kernels import (
    Kernel,
    accept,
    hamiltonian,
    langevin,
    preconditioned_crank_nicolson,
    random_walk,
)
from scalebridge.inference.sampling_problems import PROBLEMS, density_target
from scalebridge.inference.screening import screened
from scalebridge.inference.tempering import tempered
from scalebridge.testing import check_kernel

ROOT = np.array([[1.2, 0.0], [0.4, 1.1]])
MEAN, STD = np.array([0.2, -0.3]), np.array([2.0, 2.5])
BY_NAME = {problem.name: problem for problem in PROBLEMS}


def pcn(target):
    return preconditioned_crank_nicolson(target, 0.6, MEAN, STD)


def shaped_pcn(target):
    return preconditioned_crank_nicolson(target, 0.6, MEAN, 2.0 * ROOT)


def dream(target):
    archive = 2.0 * np.random.default_rng(7).standard_normal((60, 2))
    return differential_evolution(target, 1.0, archive)


PROPOSALS = {
    "random-walk": lambda target: random_walk(target, 1.3, np.eye(2)),
    "adaptive-metropolis": lambda target: random_walk(target, 1.2, ROOT),
    "pcn": pcn,
    "pcn of the posterior's shape": shaped_pcn,
    "dream-z": dream,
    "mala": lambda target: langevin(target, 0.9, ROOT),
    "hmc": lambda target: hamiltonian(target, 0.5, ROOT),
}


def on_wrong_model(propose, problem, length, **options):
    """The kernel that is tested: the proposal moves on a wrong coarse density, the right one decides."""
    coarse = density_target(problem.wrong)
    return lambda target: screened(propose(coarse), target, length, **options)


# Each proposal (but the two that share a kernel, once) and each density is asked by default, and every pair
# of them with the slow ones.
QUICK = {
    "random-walk": "gaussian",
    "adaptive-metropolis": "banana",
    "pcn": "mixture",
    "pcn of the posterior's shape": "none by default",
    "dream-z": "mixture",
    "mala": "banana",
    "hmc": "mixture",
}


# Two steps each of many chains see most: what changes between start and end is compared in pairs.
QUICKLY, SLOWLY = {"chains": 800, "steps": 2}, {"chains": 4000, "steps": 2}


def pairs():
    for problem in PROBLEMS:
        for name in PROPOSALS:
            if QUICK[name] == problem.name:
                effort = {**QUICKLY, "chains": 300} if name in ("mala", "hmc") else QUICKLY  # gradients cost
                yield pytest.param(problem, name, effort, id=f"{problem.name}-{name}")
            yield pytest.param(
                problem, name, SLOWLY, marks=pytest.mark.slow, id=f"{problem.name}-{name}-long"
            )


@pytest.mark.parametrize(("problem", "name", "effort"), list(pairs()))
def test_every_proposal_under_a_wrong_coarse_model(problem, name, effort):
    check_kernel(on_wrong_model(PROPOSALS[name], problem, 2), problem, **effort)


@pytest.mark.slow
@pytest.mark.parametrize("name", PROPOSALS)
def test_every_proposal_alone(name):
    problem = BY_NAME["mixture" if name == "dream-z" else "banana"]
    check_kernel(PROPOSALS[name], problem, **SLOWLY)


def test_three_levels_subchains_of_random_length_and_tempering():
    problem = BY_NAME["mixture"]
    coarse, middle = density_target(problem.wrong), density_target(BY_NAME["banana"].log_density)

    def make(target):
        lowest = tempered(PROPOSALS["random-walk"], coarse, (1.0, 0.3, 0.1))
        return screened(screened(lowest, middle, 2, random_length=True), target, 2)

    check_kernel(make, problem, chains=300, steps=2)


@pytest.mark.slow
def test_tempering_alone():
    check_kernel(lambda t: tempered(PROPOSALS["hmc"], t, (1.0, 0.4)), BY_NAME["mixture"], chains=200, steps=5)


def wrongly_screened(below, target, length, share=0.0):
    """Delayed acceptance that forgets (but for a share) what the coarse model has already decided."""
    right = screened(below, target, length)

    def step(rng, state):
        end = state.below
        for _ in range(length):
            end, _ = below.step(rng, end)
        new = target.value(end.position)._replace(below=end)
        log_ratio = target.log_density(new) - target.log_density(state)
        return accept(rng, state, new, log_ratio + share * (state.below.log_density - end.log_density))

    return Kernel(right.init, step)


@pytest.mark.parametrize("problem", PROBLEMS, ids=lambda p: p.name)
def test_a_wrong_acceptance_ratio_is_found_out(problem):
    coarse = density_target(problem.wrong)
    with pytest.raises(AssertionError, match=problem.name):
        check_kernel(
            lambda t: wrongly_screened(PROPOSALS["random-walk"](coarse), t, 2),
            problem,
            chains=1200,
            steps=2,
        )


@pytest.mark.slow
@pytest.mark.parametrize("problem", PROBLEMS, ids=lambda p: p.name)
def test_a_ratio_that_is_half_right_is_found_out_too(problem):
    coarse = density_target(problem.wrong)
    with pytest.raises(AssertionError, match=problem.name):
        check_kernel(
            lambda t: wrongly_screened(PROPOSALS["random-walk"](coarse), t, 2, 0.5),
            problem,
            chains=12000,
            steps=2,
        )


def test_a_langevin_step_without_its_correction_is_found_out():
    def make(target):
        right = langevin(target, 1.5, ROOT)

        def step(rng, state):
            drift = 0.5 * 1.5**2 * ROOT @ ROOT.T @ state.gradient
            noise = 1.5 * ROOT @ rng.standard_normal(2)
            new = target.with_slope(state.position + drift + noise)
            return accept(rng, state, new, target.log_density(new) - target.log_density(state))

        return Kernel(right.init, step)

    with pytest.raises(AssertionError, match="banana"):
        check_kernel(make, BY_NAME["banana"], chains=200)


def test_the_prior_at_power_zero_and_forbidden_places():
    target = density_target(BY_NAME["gaussian"].log_density).tempered(0.0)
    state = target.value(np.zeros(2))
    assert target.log_density(state) == 0.0
    assert target.tempered(1.0).log_density(state._replace(log_likelihood=-math.inf)) == -math.inf
    assert target.log_density(state._replace(log_likelihood=-math.inf)) == 0.0


def test_a_subchain_that_does_not_move_asks_nobody():
    asked = []
    fine = density_target(BY_NAME["gaussian"].log_density)

    def value(position):
        asked.append(position)
        return fine.value(position)

    counting = type(fine)(value)
    coarse = density_target(lambda x, xp: -1e12 * xp.sum(x**2))
    kernel = screened(random_walk(coarse, 1.0, np.eye(2)), counting, 3)
    state, info = kernel.step(np.random.default_rng(0), kernel.init(np.zeros(2)))
    assert len(asked) == 1
    assert not info.screened
    assert not info.accepted
    np.testing.assert_array_equal(state.position, np.zeros(2))
