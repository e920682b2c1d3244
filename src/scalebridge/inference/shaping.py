"""The covariance of proposals from the curvature of the posterior, found at modes and followed by chains.

At a mode alone it may be far from what is needed: where a density falls steeply on one side, chains meet
curvatures that the mode knows nothing of. So it is averaged over places where chains have been, and those of
earlier rounds count half.
"""

from dataclasses import replace
from typing import Any

import numpy as np

from scalebridge.inference.correction import Correction
from scalebridge.inference.gauss_newton import GaussNewton, root_of
from scalebridge.inference.targets import LevelPosterior, Tally
from scalebridge.inference.tuning import Tuning

_PLACES = 8  # of each chain, in the second half of a round


class Shaping:
    """Keeps the average curvature of a level during the warm-up.

    What costs evaluations (`begin`, `follow`) returns plain data, which can be kept; what follows from it
    (`first`, `next`) is apart.

    Args:
        posterior: of the level on which proposals move.
    """

    def __init__(self, posterior: LevelPosterior):
        self._model = GaussNewton(posterior)
        self._sum, self._count = np.zeros(()), 0.0

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
        shaped = self.next(tuning, begun)
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

    def next(self, tuning: Tuning, followed: dict[str, Any]) -> Tuning:
        """Return a tuning with the average curvature, what was found before counting half."""
        shapes = followed["precisions"]
        if len(shapes):
            self._sum = 0.5 * self._sum + shapes.sum(axis=0)
            self._count = 0.5 * self._count + len(shapes)
        if not self._count:
            return tuning
        return replace(tuning, root=root_of(self._model.clipped([self._sum / self._count])))
