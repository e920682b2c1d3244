"""Sweeps mixed after Anderson: what the coarse mesh cannot see, such as fluxes that bounce between sides.

The next state is the combination of the last ones whose change of the flux is least in the mean square. They
hold all that is kept from sweep to sweep.

Source: D. G. Anderson, J. ACM 12 (1965) 547; H. F. Walker, P. Ni, SIAM J. Numer. Anal. 49 (2011) 1715.
"""

import numpy as np

DEPTH = 4  # earlier states that are combined
_SKIPPED = 4  # first sweeps, which are far from anything linear


class Mixing:
    """The last states of an iteration.

    Args:
        measured: how many of a state's numbers say how far it is from the end: the fluxes of regions.
    """

    def __init__(self, measured: int):
        self._measured = measured
        self._steps = 0
        self._ends: list[np.ndarray] = []
        self._changes: list[np.ndarray] = []

    def mix(self, start: np.ndarray, end: np.ndarray) -> np.ndarray:
        """Return the next state, of one and what a sweep made of it.

        Example:
            >>> mixing, state = Mixing(2), np.ones(2)
            >>> for _ in range(9):
            ...     state = mixing.mix(state, np.array([[0.1, 0.6], [0.7, 0.1]]) @ state + 1.0)
            >>> state.round(6)
            array([3.846154, 4.102564])
        """
        self._steps += 1
        if self._steps <= _SKIPPED:
            return end
        self._ends = [*self._ends[-DEPTH:], end]
        self._changes = [*self._changes[-DEPTH:], (end - start)[: self._measured]]
        if len(self._ends) < 2:
            return end
        differed = np.diff(np.stack(self._changes), axis=0)
        weights = np.linalg.lstsq(differed @ differed.T, differed @ self._changes[-1], rcond=1e-12)[0]
        mixed = end.copy()
        for weight, earlier, later in zip(weights, self._ends[:-1], self._ends[1:], strict=True):
            mixed -= weight * (later - earlier)
        return mixed
