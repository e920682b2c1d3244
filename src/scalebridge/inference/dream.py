"""DREAM(Z): differences of past states as proposals, for correlated and several-peaked densities."""

import math

import numpy as np

from scalebridge.inference.kernels import Info, Kernel, State, Target, accept

_PAIRS = 3  # differences at most that are added up
_CROSSOVERS = np.array([1 / 3, 2 / 3, 1.0])  # shares of the coordinates that move together
_JUMP, _SNOOKER = 0.2, 0.1  # probabilities of a full difference, and of a snooker move
_SMALL = 1e-6  # standard deviation added, in units of the archive's spread, so that every point is reached


def differential_evolution(target: Target, scale: float, archive: np.ndarray) -> Kernel:
    """DREAM(Z) with a frozen archive: u' = u + s γ Σ (z_a - z_b) + ε over some of the coordinates.

    The archive does not depend on the chain, each difference is as likely as its opposite, and the snooker
    move carries its Jacobian, so that the kernel is reversible.

    Args:
        target: what to sample.
        scale: s, a factor of the usual length γ = 2.38 / √(2 δ d') of a step.
        archive: (n, d) past states, n at least 7.

    Source: Vrugt et al., Int. J. Nonlinear Sci. Numer. Simul. 10 (2009) 273; ter Braak & Vrugt, Stat. Comput.
        18 (2008) 435.
    """
    spread = archive.std(axis=0) + 1e-300

    def step(rng: np.random.Generator, state: State) -> tuple[State, Info]:
        if rng.random() < _SNOOKER:
            position, correction = _snooker(rng, state.position, archive)
        else:
            position, correction = _parallel(rng, state.position, archive, scale), 0.0
        new = target.value(position + _SMALL * spread * rng.standard_normal(spread.size))
        return accept(rng, state, new, correction + target.log_density(new) - target.log_density(state))

    return Kernel(target.value, step)


def _parallel(
    rng: np.random.Generator, position: np.ndarray, archive: np.ndarray, scale: float
) -> np.ndarray:
    pairs = int(rng.integers(1, _PAIRS + 1))
    rows = rng.choice(len(archive), 2 * pairs, replace=False)
    difference = archive[rows[:pairs]].sum(axis=0) - archive[rows[pairs:]].sum(axis=0)
    moving = rng.random(position.size) < rng.choice(_CROSSOVERS)
    moving[rng.integers(position.size)] = True
    jump = rng.random() < _JUMP
    factor = 1.0 if jump else scale * 2.38 / math.sqrt(2.0 * pairs * np.count_nonzero(moving))
    return position + np.where(moving | jump, factor * rng.uniform(0.95, 1.05) * difference, 0.0)


def _snooker(rng: np.random.Generator, position: np.ndarray, archive: np.ndarray) -> tuple[np.ndarray, float]:
    """Move along the line through a past state, by the projected difference of two others."""
    anchor, first, second = archive[rng.choice(len(archive), 3, replace=False)]
    along = position - anchor
    square = float(along @ along)
    if square == 0.0:
        return position, 0.0
    moved = position + rng.uniform(1.2, 2.2) * float((first - second) @ along) / square * along
    distance = float((moved - anchor) @ (moved - anchor))
    if distance == 0.0:
        return position, 0.0
    return moved, 0.5 * (position.size - 1) * math.log(distance / square)
