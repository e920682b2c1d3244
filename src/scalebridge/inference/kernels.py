"""Kernels of Markov chains: a pair of functions, and nothing else.

A kernel leaves the density of its target unchanged and is reversible in it, so that kernels may stand inside
each other. `init(position)` makes a state; `step(rng, state)` makes the next one. Nothing is kept between two
calls but the state, and all chance comes from the generator that is passed in.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple, Optional

import numpy as np


class State(NamedTuple):
    """Where a chain is.

    Args:
        position: (d,) coordinates.
        log_prior: logarithm of the prior's density there.
        log_likelihood: logarithm of the likelihood there.
        outputs: (m,) what the model answered there, the model that the likelihood was computed with.
        gradient: (d,) of the log-density, where the kernel needs one and it is known; else None.
        below: the state of the kernel below at the same position, of a screened kernel.
        replicas: states at higher temperatures, of a tempered kernel.
    """

    position: np.ndarray
    log_prior: float
    log_likelihood: float
    outputs: np.ndarray
    gradient: np.ndarray | None = None
    below: Optional["State"] = None
    replicas: tuple["State", ...] = ()

    @property
    def log_density(self) -> float:
        """Logarithm of the density that is sampled, up to a constant."""
        return self.log_prior + self.log_likelihood


class Info(NamedTuple):
    """What happened in a step.

    Args:
        accepted: whether the chain moved.
        probability: with which it was accepted.
        divergent: whether a trajectory left the region where its steps are stable.
        screened: whether the expensive model was asked.
        below: mean acceptance of the subchain, of a screened kernel.
        divergences: trajectories that diverged in the subchain.
    """

    accepted: bool
    probability: float
    divergent: bool = False
    screened: bool = True
    below: float = math.nan
    divergences: int = 0


class Kernel(NamedTuple):
    """A way to move.

    Args:
        init: makes a state of a position.
        step: makes a state of a state, with a generator of random numbers, and says what happened.
    """

    init: Callable[[np.ndarray], State]
    step: Callable[[np.random.Generator, State], tuple[State, Info]]


Trajectory = Callable[[np.ndarray, np.ndarray, float, int, np.ndarray, float], tuple[State, np.ndarray]]


@dataclass(frozen=True)
class Target:
    """The density that a kernel samples: prior times likelihood to the power `beta`.

    Args:
        value: makes a state of a position; a likelihood of zero is minus infinity.
        slope: the same with the gradient of the log-density at a power; None where there is none.
        trajectory: whole leapfrog trajectories, where these are compiled: position, momentum, step, number of
            steps, root and power give the last state and momentum.
        beta: the power, 1 for the posterior and 0 for the prior.
    """

    value: Callable[[np.ndarray], State]
    slope: Callable[[np.ndarray, float], State] | None = None
    trajectory: Trajectory | None = None
    beta: float = 1.0

    def log_density(self, state: State) -> float:
        """Logarithm of the density at a state; minus infinity where prior or likelihood are zero."""
        if state.log_prior == -math.inf or (self.beta > 0.0 and state.log_likelihood == -math.inf):
            return -math.inf
        return state.log_prior + self.beta * state.log_likelihood if self.beta else state.log_prior

    def with_slope(self, position: np.ndarray) -> State:
        """Make a state with a gradient."""
        if self.slope is None:
            raise TypeError("this target has no gradient")
        return self.slope(position, self.beta)

    def tempered(self, beta: float) -> "Target":
        """Return the same with another power of the likelihood."""
        return replace(self, beta=beta)


_MOST_STEPS = 25  # of a trajectory: where more were needed, covariance and step are not yet known
_MOST_ENERGY = 1000.0  # lost on a trajectory, beyond which it is called divergent (as in Stan)


def probability_of(log_ratio: float) -> float:
    """Return min(1, exp(log_ratio)); a ratio that is not a number is never accepted."""
    if math.isnan(log_ratio):
        return 0.0
    return 1.0 if log_ratio >= 0.0 else math.exp(log_ratio)


def accept(
    rng: np.random.Generator, old: State, new: State, log_ratio: float, *, divergent: bool = False
) -> tuple[State, Info]:
    """Metropolis and Hastings: take the new state with probability min(1, exp(log_ratio))."""
    probability = probability_of(log_ratio)
    taken = bool(rng.random() < probability)
    return (new if taken else old), Info(taken, probability, divergent)


def random_walk(target: Target, scale: float, root: np.ndarray) -> Kernel:
    """Gaussian steps: u' = u + scale R ξ, accepted with the ratio of the densities.

    Args:
        target: what to sample.
        scale: factor of a step; 2.4 / √d suits a Gaussian whose covariance is R Rᵀ.
        root: (d, d) R. With the root of the covariance of what came before, frozen, this is adaptive
            Metropolis (Haario et al. 2001) after its warm-up.

    Source: Metropolis et al., J. Chem. Phys. 21 (1953) 1087.
    """

    def step(rng: np.random.Generator, state: State) -> tuple[State, Info]:
        new = target.value(state.position + scale * (root @ rng.standard_normal(state.position.size)))
        return accept(rng, state, new, target.log_density(new) - target.log_density(state))

    return Kernel(target.value, step)


def preconditioned_crank_nicolson(target: Target, scale: float, mean: np.ndarray, root: np.ndarray) -> Kernel:
    """Steps that leave a Gaussian unchanged: u' = m + √(1 - s²)(u - m) + s R ξ.

    What is left of the ratio is the density without the Gaussian. With that of the prior, acceptance does not
    fall as a function is refined; with one that is shaped as the posterior is, steps are long as well.

    Args:
        target: what to sample.
        scale: s, in (0, 1].
        mean: (d,) m of the Gaussian.
        root: (d, d) R of its covariance R Rᵀ, or (d,) standard deviations.

    Source: Cotter, Roberts, Stuart & White, Statist. Sci. 28 (2013) 424; Rudolf & Sprungk, Found. Comput.
        Math. 18 (2018) 309.
    """
    kept = math.sqrt(1.0 - scale**2)
    inverse = 1.0 / root if root.ndim == 1 else np.linalg.inv(root)

    def log_rest(state: State) -> float:
        away = state.position - mean
        white = inverse * away if root.ndim == 1 else inverse @ away
        return target.log_density(state) + 0.5 * float(white @ white)

    def step(rng: np.random.Generator, state: State) -> tuple[State, Info]:
        noise = rng.standard_normal(mean.size)
        pushed = root * noise if root.ndim == 1 else root @ noise
        moved = mean + kept * (state.position - mean) + scale * pushed
        new = target.value(moved)
        return accept(rng, state, new, log_rest(new) - log_rest(state))

    return Kernel(target.value, step)


def langevin(target: Target, scale: float, root: np.ndarray) -> Kernel:
    """MALA: a step along the gradient, u' = u + s²/2 R Rᵀ ∇log π + s R ξ, with the exact ratio.

    Args:
        target: what to sample; it needs a gradient.
        scale: s.
        root: (d, d) R.

    Source: Roberts & Tweedie, Bernoulli 2 (1996) 341.
    """

    def step(rng: np.random.Generator, state: State) -> tuple[State, Info]:
        here = state if state.gradient is not None else target.with_slope(state.position)
        noise = rng.standard_normal(here.position.size)
        drift = 0.5 * scale * (root.T @ _known(here.gradient))
        new = target.with_slope(here.position + scale * (root @ (drift + noise)))
        if new.gradient is None or not math.isfinite(target.log_density(new)):
            return here, Info(accepted=False, probability=0.0)
        # The way back needs this noise, in the same whitened coordinates.
        back = -(noise + drift) - 0.5 * scale * (root.T @ new.gradient)
        log_ratio = target.log_density(new) - target.log_density(here)
        return accept(rng, here, new, log_ratio + 0.5 * float(noise @ noise - back @ back))

    return Kernel(target.with_slope, step)


def hamiltonian(target: Target, scale: float, root: np.ndarray, length: float = 0.5 * math.pi) -> Kernel:
    """HMC: leapfrog trajectories whose number of steps is drawn, with the exact ratio of energies.

    In coordinates whitened by R, a Gaussian's trajectory of length π/2 ends at an independent draw. No
    trajectory has more than 25 steps.

    Args:
        target: what to sample; it needs a gradient.
        scale: the leapfrog's step in whitened coordinates.
        root: (d, d) R, the root of the covariance; the mass is its inverse.
        length: mean length of a trajectory in whitened coordinates; it is drawn from 0.7 to 1.3 of that.

    Source: Neal, Handbook of Markov Chain Monte Carlo (2011), ch. 5.
    """
    follow = target.trajectory or _leapfrog(target)

    def step(rng: np.random.Generator, state: State) -> tuple[State, Info]:
        momentum = rng.standard_normal(state.position.size)
        count = min(_MOST_STEPS, max(1, round(length * rng.uniform(0.7, 1.3) / scale)))
        # A trajectory that diverges may leave the range of numbers; its ratio is then zero.
        with np.errstate(over="ignore", invalid="ignore"):
            new, last = follow(state.position, momentum, scale, count, root, target.beta)
            log_ratio = target.log_density(new) - target.log_density(state)
            log_ratio += 0.5 * float(momentum @ momentum - last @ last)
        divergent = not log_ratio > -_MOST_ENERGY
        return accept(rng, state, new, log_ratio, divergent=divergent)

    return Kernel(target.value, step)


def _leapfrog(target: Target) -> Trajectory:
    """Trajectories one gradient at a time, for models that are not compiled."""

    def follow(
        position: np.ndarray, momentum: np.ndarray, step: float, count: int, root: np.ndarray, beta: float
    ) -> tuple[State, np.ndarray]:
        here = target.tempered(beta).with_slope(position)
        for _ in range(count):
            if here.gradient is None:
                return here, momentum
            momentum = momentum + 0.5 * step * (root.T @ here.gradient)
            here = target.tempered(beta).with_slope(here.position + step * (root @ momentum))
            if here.gradient is not None:
                momentum = momentum + 0.5 * step * (root.T @ here.gradient)
        return here._replace(gradient=None), momentum

    return follow


def _known(gradient: np.ndarray | None) -> np.ndarray:
    if gradient is None:
        raise ValueError("the chain stands where the model fails: start it elsewhere")
    return gradient
