"""How much every neutron matters to a ratio of reaction rates: the generalised adjoint.

For a ratio C of two sums over the flux, neutrons at a place matter by the solution of

    total V m = K^T V w + dC / dphi,        w the flux of a sweep with m for sources over total,

an adjoint problem with a given source in a lattice that is just critical. A ratio does not know the size of
the flux, so that the source is orthogonal to it and a solution exists; of those that differ by the
fundamental adjoint, the one to which neutrons of fission do not matter is that which does not feel k.

Sources change sign, so that coarse meshes of ratios cannot help; the linear equations are solved by GMRES, a
sweep an iteration, fluxes that enter tracks among the unknowns.

Source: E. Greenspan (1976), Adv. Nucl. Sci. Technol. 9, 181; Y. Saad, M. H. Schultz (1986), SIAM J. Sci.
Stat. Comput. 7, 856.
"""

from dataclasses import dataclass

import numpy as np
from scipy.sparse.linalg import LinearOperator, gmres

from scalebridge.reactor.adjoint_pair import AdjointPair

_KEPT = 60  # vectors until GMRES starts again


@dataclass(frozen=True, eq=False)
class Importance:
    """The solution for one ratio; `back` of the pair holds what enters its tracks.

    Args:
        worth: (regions, G) w.
        multiplier: (regions, G) m.
        residual: of the linear equations, relative to their right side.
        sweeps: that it took.
    """

    worth: np.ndarray
    multiplier: np.ndarray
    residual: float
    sweeps: int


class ImportanceSolver:
    """Solves for importances of one problem.

    Args:
        pair: the problem, solved both ways.
        rtol: wanted relative residual.
        max_steps: limit of sweeps for each ratio.
    """

    def __init__(self, pair: AdjointPair, rtol: float, max_steps: int):
        self.pair, self.rtol, self.max_steps = pair, rtol, max_steps
        self._shape = pair.flux.shape
        self._fundamental = np.concatenate(
            [pair.adjoint.swept.flux.ravel(), pair.back.entering.ravel()]
        )  # both of the last sweep: what entered it has changed by less than the tolerance
        self._born = pair.born(pair.adjoint.swept.flux)
        self.sweeps = 0

    def solve(self, slope: np.ndarray) -> Importance:
        """Solve for a ratio.

        Args:
            slope: (regions, G) derivative of the ratio by the flux, over volume.
        """
        before = self.sweeps
        size = len(self._fundamental)
        start = self._swept(np.zeros(size), slope)
        operator = LinearOperator((size, size), matvec=lambda x: x - self._swept(x, None), dtype=float)  # type: ignore[call-arg]
        found, _ = gmres(
            operator, start, rtol=self.rtol, atol=0.0, restart=_KEPT, maxiter=max(1, self.max_steps // _KEPT)
        )
        worth = self._split(found)[0]
        found = found - self._fundamental * (self.pair.born(worth) / self._born)
        last = self._swept(found, slope)
        residual = float(np.linalg.norm(last - found) / np.linalg.norm(start))
        worth = self._split(last)[0]
        multiplier = self._source(worth, slope) / self.pair.back.region_total
        return Importance(worth, multiplier, residual, self.sweeps - before)

    def _swept(self, state: np.ndarray, slope: np.ndarray | None) -> np.ndarray:
        """One sweep from worths and what enters the tracks to the next."""
        worth, entering = self._split(state)
        self.pair.back.entering[:] = entering
        swept = self.pair.back.sweep(self._source(worth, slope))
        self.sweeps += 1
        return np.concatenate([swept.flux.ravel(), self.pair.back.entering.ravel()])

    def _source(self, worth: np.ndarray, slope: np.ndarray | None) -> np.ndarray:
        source = self.pair.turned.source(worth, self.pair.multiplication)
        return source if slope is None else source + slope

    def _split(self, state: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        count = self._shape[0] * self._shape[1]
        return state[:count].reshape(self._shape), state[count:].reshape(self.pair.back.entering.shape)
