"""Parallel tempering: replicas at higher temperatures carry a chain from one peak to another."""

from collections.abc import Callable, Sequence

import numpy as np

from scalebridge.inference.kernels import Info, Kernel, State, Target, probability_of

_SWAP = 0.3  # share of the steps that try to swap two neighbours


def tempered(kernel_of: Callable[[Target], Kernel], target: Target, powers: Sequence[float]) -> Kernel:
    """Replicas sample prior times likelihood to a power, and neighbours swap places.

    A step moves all replicas, or (three times in ten) tries to swap one pair of neighbours, with probability
    min(1, exp((β_i - β_j)(log L_j - log L_i))). Which of the two is drawn anew each time, so that the whole
    is reversible and may stand below a screened kernel.

    Args:
        kernel_of: makes the kernel of a replica from its target.
        target: the target at power 1.
        powers: falling powers, the first of which is 1.

    Source: Geyer, Computing Science and Statistics 23 (1991) 156.
    """
    kernels = [kernel_of(target.tempered(power)) for power in powers]

    def init(position: np.ndarray) -> State:
        states = [kernel.init(position) for kernel in kernels]
        return states[0]._replace(replicas=tuple(states[1:]))

    def step(rng: np.random.Generator, state: State) -> tuple[State, Info]:
        states = [state._replace(replicas=()), *state.replicas]
        if rng.random() < _SWAP:
            info = _swap(rng, states, powers)
        else:
            moved = [kernel.step(rng, one) for kernel, one in zip(kernels, states, strict=True)]
            states, info = [one for one, _ in moved], moved[0][1]
        return states[0]._replace(replicas=tuple(states[1:])), info

    return Kernel(init, step)


def _swap(rng: np.random.Generator, states: list[State], powers: Sequence[float]) -> Info:
    row = int(rng.integers(len(states) - 1))
    low, high = states[row], states[row + 1]
    gap = powers[row] - powers[row + 1]
    if low.log_likelihood == high.log_likelihood:
        probability = 1.0  # also where both are minus infinity
    else:
        probability = probability_of(gap * (high.log_likelihood - low.log_likelihood))
    swapped = bool(rng.random() < probability)
    if swapped:
        # A gradient belongs to a power, so it is asked for again.
        states[row], states[row + 1] = high._replace(gradient=None), low._replace(gradient=None)
    return Info(swapped and row == 0, probability)
