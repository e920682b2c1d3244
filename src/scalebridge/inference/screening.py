"""Screened kernels: a subchain on a cheap model proposes, the expensive model decides.

With a single step below it is delayed acceptance (Christen & Fox, J. Comput. Graph. Stat. 14 (2005) 795);
with subchains, and with screened kernels below screened ones, multilevel delayed acceptance (Lykkegaard,
Dodwell, Fox, Mingas & Scheichl, SIAM/ASA J. Uncertain. Quantif. 11 (2023) 1).
"""

import numpy as np

from scalebridge.inference.kernels import Info, Kernel, State, Target, accept


def screened(below: Kernel, target: Target, length: int, *, random_length: bool = False) -> Kernel:
    """Propose by a subchain of the kernel below; accept with what the cheap model got wrong.

        α = min(1, π(y) π*(x) / (π(x) π*(y)))

    where π* is what the kernel below leaves unchanged. The kernel below is reversible in π*, hence so are
    `length` steps of it, hence π is left unchanged exactly, however wrong π* is, as long as it is positive
    where π is. Where the subchain did not move, the expensive model is not asked.

    Args:
        below: the kernel on the cheaper model. Nothing in it may adapt.
        target: the density of the more expensive model.
        length: steps of the subchain.
        random_length: draw the number of steps evenly from 1 to twice `length`, less one, before each
            subchain, which breaks up periodicity.
    """

    def init(position: np.ndarray) -> State:
        state = target.value(position)
        return state._replace(below=below.init(position))

    def step(rng: np.random.Generator, state: State) -> tuple[State, Info]:
        start = _below(state)
        end, seen = propose(rng, below, start, length, random_length=random_length)
        if np.array_equal(end.position, start.position):
            # Replicas and gradients may have changed; the position, and so the density above, has not.
            kept = Info(False, 1.0, screened=False, below=seen[0], divergences=seen[1])
            return state._replace(below=end), kept
        new = target.value(end.position)._replace(below=end)
        log_ratio = target.log_density(new) - target.log_density(state)
        log_ratio += start.log_density - end.log_density
        taken, info = accept(rng, state, new, log_ratio)
        return taken, info._replace(below=seen[0], divergences=seen[1])

    return Kernel(init, step)


def propose(
    rng: np.random.Generator, below: Kernel, state: State, length: int, *, random_length: bool = False
) -> tuple[State, tuple[float, int]]:
    """Return where a subchain ends, its mean acceptance, and how many trajectories diverged."""
    count = int(rng.integers(1, 2 * length)) if random_length else length
    accepted, divergences = 0.0, 0
    for _ in range(count):
        state, info = below.step(rng, state)
        accepted += info.probability
        divergences += int(info.divergent) + info.divergences
    return state, (accepted / count, divergences)


def _below(state: State) -> State:
    if state.below is None:
        raise ValueError("the state was not made by a screened kernel's init")
    return state.below
