"""The covariance of proposals from the curvature of the posterior and from draws, followed by chains.

At a mode alone the curvature may be far from what is needed: where a density falls steeply on one side,
chains meet curvatures that the mode knows nothing of. So it is averaged over places where chains have been.
And where a density is wide but steep at one end, its spread is more than the average curvature says. So the
covariance of draws comes in, in the measure in which independent ones outnumber the coordinates. What earlier
rounds saw counts half.
"""

from dataclasses import replace
from typing import Any

import numpy as np

from scalebridge.inference.correction import Correction
from scalebridge.inference.diagnostics import ess_mean
from scalebridge.inference.gauss_newton import GaussNewton
from scalebridge.inference.targets import LevelPosterior, Tally
from scalebridge.inference.tuning import Tuning

_PLACES = 4  # of each chain, in the second half of a round


class Shaping:
    """Keeps the average curvature of a level during the warm-up.

    What costs evaluations (`begin`, `follow`) returns plain data, which can be kept; what follows from it
    (`first`, `next`) is apart.

    Args:
        posterior: of the level on which proposals move.
    """

    def __init__(self, posterior: LevelPosterior):
        self._model = GaussNewton(posterior)
        size = posterior.prior.size
        self._precisions, self._places = np.zeros((size, size)), 0.0
        self._squares, self._sum, self._draws = np.zeros((size, size)), np.zeros(size), 0.0

    def begin(self, starts: np.ndarray, correction: Correction) -> dict[str, Any]:
        """Go from each start (chains, d) to a mode."""
        tally = Tally()
        found = [self._model.descend(place, correction, tally) for place in starts]
        places = [
            start if shape is None else shape.position for start, shape in zip(starts, found, strict=True)
        ]
        shapes = [shape.precision for shape in found if shape is not None]
        return {"places": np.array(places), "precisions": np.array(shapes), "work": tally.told()}

    def first(
        self, tuning: Tuning, begun: dict[str, Any], rng: np.random.Generator
    ) -> tuple[Tuning, np.ndarray]:
        """Return a tuning with the shape at the modes, an archive drawn from it, and the modes."""
        places = begun["places"]
        shaped = self.next(tuning, begun, None)
        centre = places.mean(axis=0)
        archive = centre + rng.standard_normal(tuning.archive.shape) @ shaped.root.T
        return replace(shaped, centre=centre, archive=archive), places

    def follow(self, positions: np.ndarray, correction: Correction) -> dict[str, Any]:
        """Ask for the curvature at some places of positions (chains, steps, d)."""
        tally, steps = Tally(), positions.shape[1]
        rows = np.unique(np.linspace(steps // 2, steps - 1, _PLACES).astype(int))
        places = np.unique(positions[:, rows].reshape(-1, positions.shape[2]), axis=0)
        found = [self._model.at(place, correction, tally) for place in places]
        shapes = [shape.precision for shape in found if shape is not None]
        return {"precisions": np.array(shapes), "work": tally.told()}

    def next(self, tuning: Tuning, followed: dict[str, Any], positions: np.ndarray | None) -> Tuning:
        """Return a tuning with the covariance that is known now.

        Args:
            tuning: as it is.
            followed: what `begin` or `follow` brought.
            positions: (chains, steps, d) of the round, whose second half counts; None before the first.
        """
        shapes = followed["precisions"]
        if len(shapes):
            self._precisions = 0.5 * self._precisions + shapes.sum(axis=0)
            self._places = 0.5 * self._places + len(shapes)
        if positions is not None:
            self._count_draws(positions[:, positions.shape[1] // 2 :])
        return replace(tuning, root=np.linalg.cholesky(self._covariance())) if self._places else tuning

    def _count_draws(self, positions: np.ndarray) -> None:
        """Add draws (chains, steps, d), as many as are independent in the median coordinate."""
        sizes = [ess_mean(positions[:, :, i]) for i in range(positions.shape[2])]
        known = np.isfinite(sizes)
        draws = positions.reshape(-1, positions.shape[2])
        weight = float(np.median(np.array(sizes)[known])) / len(draws) if known.any() else 0.0
        self._squares = 0.5 * self._squares + weight * draws.T @ draws
        self._sum = 0.5 * self._sum + weight * draws.sum(axis=0)
        self._draws = 0.5 * self._draws + weight * len(draws)

    def _covariance(self) -> np.ndarray:
        curved = np.linalg.inv(self._model.clipped([self._precisions / self._places]))
        if not self._draws:
            return curved
        centre, size = self._sum / self._draws, len(self._sum)
        seen = self._squares / self._draws - np.outer(centre, centre)
        return (self._draws * seen + size * curved) / (self._draws + size)
