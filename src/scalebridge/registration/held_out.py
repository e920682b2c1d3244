"""The stopping rule: a level is kept if a fit to half of the tissue also betters the other half.

The tissue is cut into squares as wide as the last level's control points are apart, black and white like a
chessboard. Every level is fitted to the black ones as well, from what these said at the level before; the
spline goes on through the white ones, which it has never seen. What it gains there is compared with chance:
the scatter of the gain from square to square. Noise fitted to noise gains on black and nothing on white.

    gain = sum_white w (l_after - l_before) / sum w,   chance = 1.64 sqrt(sum_squares (d_b - mean d)^2)

l the log-likelihood of a sample: of its pair of values, or of the difference of its descriptors.
(M. Stone 1974, cross-validation; blocks because neighbours depend on each other, D. Roberts et al. 2017.)
"""

from collections.abc import Callable, Sequence

import numpy as np

from scalebridge.registration.difference import DescriptorPairing
from scalebridge.registration.matching import HeldOut, Pairing
from scalebridge.registration.spatial_map import SpatialMap

Mapping = Callable[[np.ndarray], np.ndarray]

SURE = 1.64  # standard errors: 95 % from one side
_FEWEST = 8  # white squares below which nothing can be said


def black_squares(found: SpatialMap, points: np.ndarray, width: float) -> tuple[np.ndarray, np.ndarray]:
    """Which points are in black squares, (n,), and the number of each point's square, (n,).

    Args:
        found: a map with control points.
        points: of the fixed image, (n, 2), mm.
        width: of a square, mm.

    Example:
        >>> from scalebridge.registration.frame import Frame
        >>> from scalebridge.registration.spline import SplineGrid
        >>> grid = SplineGrid.covering((4.0, 4.0), 2.0)
        >>> found = SpatialMap(np.eye(2), np.zeros(2), Frame((4, 4), (0.0, 0.0), (1.0, 1.0)), grid)
        >>> black_squares(found, np.array([[0.5, 0.5], [1.5, 0.5], [1.5, 1.5]]), 1.0)[0].tolist()
        [True, False, True]
    """
    if found.grid is None:
        raise ValueError("the map has no control points yet")
    place = np.floor((found.along(points) - found.grid.start) / width)
    place = (place - place.min(axis=0)).astype(int)
    number = np.asarray(np.ravel_multi_index(tuple(place.T), tuple(place.max(axis=0) + 1)))
    return place.sum(axis=1) % 2 == 0, number


def held_out_gain(
    white: Pairing | DescriptorPairing, squares: np.ndarray, before: Mapping, after: Mapping
) -> HeldOut:
    """Compare two maps on samples that neither was fitted to at this level.

    Args:
        white: the held-out samples.
        squares: the number of each one's square.
        before: the map of the level before.
        after: the map fitted to the other samples.
    """
    changes = np.zeros(len(white.points))
    for found, sign in ((after, 1.0), (before, -1.0)):
        own, weights = white.evidence(found(white.points))
        changes += sign * own * weights / max(float(weights.sum()), 1e-9)
    sums = np.bincount(squares, changes)[np.bincount(squares) > 0]
    if len(sums) < _FEWEST:
        return HeldOut(0.0, 0.0)
    spread = np.sqrt(len(sums) * np.var(sums, ddof=1))
    return HeldOut(float(sums.sum()), float(SURE * spread))


def deepest(held: Sequence[HeldOut | None]) -> int:
    """How many levels to keep: as many as make the whole gain on held-out tissue largest, if it beats chance.

    One level may do nothing and the next one much, so that sums count; chances add in squares.

    Args:
        held: what each level gained, the coarsest first.

    Example:
        >>> deepest([HeldOut(0.1, 0.2), HeldOut(0.4, 0.1), HeldOut(-0.01, 0.1)])
        2
        >>> deepest([HeldOut(0.01, 0.2), HeldOut(-0.1, 0.1)])
        0
    """
    told = [part for part in held if part is not None]
    gains = np.cumsum([part.gain for part in told])
    chances = np.sqrt(np.cumsum([part.chance**2 for part in told]))
    worth = np.concatenate([[0.0], np.where(gains > chances, gains, -np.inf)])
    return int(np.argmax(worth))
