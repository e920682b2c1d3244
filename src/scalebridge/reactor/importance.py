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

from scalebridge.reactor.adjoint_pair import AdjointPair, rows_with, sources_over_total

_KEPT = 60  # vectors until GMRES starts again


@dataclass(frozen=True, eq=False)
class Importance:
    """The solution for one ratio; `back` of the pair holds what enters its tracks.

    Args:
        worth: (regions, rows, G) w.
        multiplier: (regions, rows, G) m.
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
            [pair.adjoint.swept.flux.ravel(), pair.back.kept()]
        )  # both of the last sweep: what entered it has changed by less than the tolerance
        self._born = pair.born(rows_with(pair.back, pair.adjoint.swept.flux))
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
        worth = self._rows(found)
        found = found - self._fundamental * (self.pair.born(worth) / self._born)
        last = self._swept(found, slope)
        residual = float(np.linalg.norm(last - found) / np.linalg.norm(start))
        worth = self._rows(last)
        return Importance(worth, self._source(worth[:, 0], slope), residual, self.sweeps - before)

    def _swept(self, state: np.ndarray, slope: np.ndarray | None) -> np.ndarray:
        """One sweep from worths and what is kept from sweep to sweep to the next."""
        back = self.pair.back
        worth = self._rows(state)[:, 0]
        sources = self._source(worth, slope) * back.region_total[:, None]
        swept = back.sweep(sources[:, 0], sources[:, 1 : back.shapes] if back.regions else None)
        self.sweeps += 1
        return np.concatenate([swept.flux.ravel(), back.kept()])

    def _source(self, worth: np.ndarray, slope: np.ndarray | None) -> np.ndarray:
        """Sources over total in rows, of a worth whose other rows the sweeper has."""
        pair = self.pair
        found = sources_over_total(pair.back, pair.turned, worth, pair.multiplication)
        if slope is not None:
            found[:, 0] += slope / pair.back.region_total
        return found

    def _rows(self, state: np.ndarray) -> np.ndarray:
        """Put a state into the sweeper; return its worths in rows."""
        count = self._shape[0] * self._shape[1]
        self.pair.back.keep(state[count:])
        return rows_with(self.pair.back, state[:count].reshape(self._shape))
