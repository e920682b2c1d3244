"""A block of steps of one chain: a pure function of the question, what was tuned, and where the chain is.

Every step has a generator of its own, seeded by seed, chain, phase and step, so that chains do not depend on
how they are cut into blocks, on the machine, or on who else runs.
"""

import pickle
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from scalebridge.inference.dream import differential_evolution
from scalebridge.inference.forward import Level
from scalebridge.inference.kernels import (
    Info,
    Kernel,
    State,
    Target,
    hamiltonian,
    langevin,
    preconditioned_crank_nicolson,
    random_walk,
)
from scalebridge.inference.likelihood import Likelihood
from scalebridge.inference.parameters import Parameter, Prior
from scalebridge.inference.screening import screened
from scalebridge.inference.targets import LevelPosterior, Tally
from scalebridge.inference.tempering import tempered
from scalebridge.inference.tuning import Plan, Tuning


@dataclass(frozen=True)
class Question:
    """What is asked, as it is handed to other processes.

    Args:
        levels: coarse to fine.
        parameters: what is inferred.
        log_prior: further prior density of the values, or None.
        likelihood: data and noise.
        plan: how to sample.
    """

    levels: tuple[Level, ...]
    parameters: tuple[Parameter, ...]
    log_prior: Callable[[Any], Any] | None
    likelihood: Likelihood
    plan: Plan


class Sampler:
    """The posteriors of all levels, made ready, with what is compiled.

    Args:
        question: what is asked.
    """

    def __init__(self, question: Question):
        self.plan = question.plan
        self.prior = Prior(question.parameters, question.log_prior)
        self.likelihood = question.likelihood
        self.posteriors = [LevelPosterior(one, self.prior, question.likelihood) for one in question.levels]

    def kernels(self, tuning: Tuning, tallies: Sequence[Tally]) -> list[Kernel]:
        """Return the kernel of each level, frozen, with its work counted."""
        targets = [
            posterior.target(correction, tally)
            for posterior, correction, tally in zip(self.posteriors, tuning.corrections, tallies, strict=True)
        ]

        def lowest(target: Target) -> Kernel:
            return self._lowest(target, tuning)

        powers = self.plan.powers
        found = [tempered(lowest, targets[0], powers) if len(powers) > 1 else lowest(targets[0])]
        for target, length in zip(targets[1:], tuning.lengths, strict=True):
            found.append(screened(found[-1], target, length, random_length=self.plan.random_length))
        return found

    def _lowest(self, target: Target, tuning: Tuning) -> Kernel:
        prior, size = self.prior, self.prior.size
        usual = 2.38 / size**0.5
        match self.plan.proposal:
            case "random-walk":
                return random_walk(target, tuning.scale * usual, np.diag(prior.std))
            case "adaptive-metropolis":
                return random_walk(target, tuning.scale * usual, tuning.root)
            case "pcn":
                shaped = self.plan.whitening == "curvature"
                mean, root = (tuning.centre, tuning.root) if shaped else (prior.mean, prior.std)
                return preconditioned_crank_nicolson(target, min(tuning.scale, 1.0), mean, root)
            case "dream-z":
                return differential_evolution(target, tuning.scale, tuning.archive)
            case "mala":
                return langevin(target, tuning.scale * 1.65 / size ** (1 / 6), tuning.root)
            case _:
                return hamiltonian(target, tuning.scale * 1.1 / size**0.25, tuning.root)


def run_block(sampler: Sampler, order: dict[str, Any]) -> dict[str, Any]:
    """Do so many steps of one chain.

    Args:
        sampler: the question, made ready.
        order: plain data: chain, phase, first (step), steps, top (level that the chain is of), tuning, state
            or position, known (positions and answers by level), recording; with leap, to stop after the first
            rejection.

    Returns:
        plain data: positions, densities and answers by level, what happened, the work, lessons, the last
        state.
    """
    top, plan = order["top"], sampler.plan
    known = order["known"] or [([], [])] * len(sampler.posteriors)
    tallies = [
        Tally(
            plan.patience,
            {np.asarray(p).tobytes(): np.asarray(a) for p, a in zip(*answers, strict=True)},
            recording=order["recording"],
        )
        for answers in known
    ]
    kernel = sampler.kernels(Tuning.from_plain(order["tuning"]), tallies)[top]
    state = kernel.init(order["position"]) if order["state"] is None else state_from(order["state"])
    kept, seen = [], []
    for step in range(order["first"], order["first"] + order["steps"]):
        state, info = kernel.step(generator(plan, order, step), state)
        kept.append(state)
        seen.append(info)
        if order.get("leap") and info.screened and not info.accepted:
            break
    return {
        **_columns(kept, seen, top),
        "work": [tally.told() for tally in tallies],
        "lessons": _lessons(tallies[: top + 1]) if order["recording"] else None,
        "state": state_to(state),
    }


def generator(plan: Plan, order: dict[str, Any], step: int) -> np.random.Generator:
    """Return the generator of one step of one chain."""
    return np.random.default_rng((plan.seed, order["chain"], order["phase"], step))


def run_pickled(payload: bytes, order: dict[str, Any]) -> dict[str, Any]:
    """Do the same in another process, which makes the sampler ready once."""
    return run_block(sampler_of(payload), order)


@lru_cache(maxsize=2)
def sampler_of(payload: bytes) -> Sampler:
    """Make a pickled question ready, once a process."""
    return Sampler(pickle.loads(payload))  # noqa: S301 (made by this process's own parent)


def state_to(state: State) -> dict[str, Any]:
    """Return a state as plain data."""
    return {
        **state._asdict(),
        "below": None if state.below is None else state_to(state.below),
        "replicas": [state_to(one) for one in state.replicas],
    }


def state_from(told: dict[str, Any]) -> State:
    """Return what `state_to` was given."""
    below = None if told["below"] is None else state_from(told["below"])
    return State(**{**told, "below": below, "replicas": tuple(map(state_from, told["replicas"]))})


def ladder(state: State) -> list[State]:
    """Return a state and those below it at the same position, the coarsest first."""
    return [state] if state.below is None else [*ladder(state.below), state]


def _columns(kept: list[State], seen: list[Info], top: int) -> dict[str, Any]:
    ladders = [ladder(state) for state in kept]
    return {
        "positions": np.array([state.position for state in kept]),
        "log_prior": np.array([state.log_prior for state in kept]),
        "log_likelihoods": np.array([[one.log_likelihood for one in rungs] for rungs in ladders]),
        "outputs": [np.array([rungs[level].outputs for rungs in ladders]) for level in range(top + 1)],
        "accepted": np.array([info.accepted for info in seen]),
        "probability": np.array([info.probability for info in seen]),
        "below": np.array([info.below for info in seen]),
        "screened": np.array([info.screened for info in seen]),
        "divergences": sum(int(info.divergent) + info.divergences for info in seen),
    }


def _lessons(tallies: list[Tally]) -> dict[str, Any]:
    """Pair the finest level's answers with those of the levels below at the same places."""
    below = [{place.tobytes(): answer for place, answer in tally.record} for tally in tallies[:-1]]
    for tally, table in zip(tallies, below, strict=False):
        table.update(tally.known)
    rows = [
        (place, [*(table[place.tobytes()] for table in below), answer])
        for place, answer in tallies[-1].record
        if all(place.tobytes() in table for table in below)
    ]
    return {
        "points": np.array([place for place, _ in rows]),
        "outputs": [np.array([answers[level] for _, answers in rows]) for level in range(len(tallies))],
    }
