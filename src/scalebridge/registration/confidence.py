"""How well the map is known: standard errors from the curvature, with the number of samples that count.

The covariance of the coefficients is the inverse of n (rho F + 2 stiffness R): F Fisher's information a
sample, R the bending energy, which stands for what is believed of the field. Two numbers are measured.
rho is the share of the moving image's slope that the fixed image has too: noise and texture have slopes
without information.

    rho = sum kappa grad v · grad E[v|f] / sum kappa |grad v|^2

n is the number of samples that makes the stiffness agree with the field that was found (D. MacKay 1992, eq.
4.9): 2 n stiffness <c, R c> = coefficients that the data decide. Samples that depend on each other count
less.
"""

from dataclasses import dataclass, replace

import numpy as np

from scalebridge.registration.climb import Fitted, Level
from scalebridge.registration.curvature import Curvature, squared_slopes
from scalebridge.registration.difference import DescriptorPairing
from scalebridge.registration.matching import Pairing
from scalebridge.registration.spatial_map import SpatialMap

_AT_ONCE = 512  # points solved for together
_LEAST_SHARE = 0.02
_BLOCK = 0.5  # of the distance of control points
_BOUNDED = 0.5  # share of blocks whose step may be cut: the median block is not
_ENOUGH = 0.2  # of the median information: blocks with less are left out


@dataclass(frozen=True)
class Confidence:
    """Standard errors of a map.

    Args:
        curvature: of the cost, Fisher's part already scaled; of a linear map, by a displacement of zero.
        factor: Cholesky's factor of it.
        samples: how many samples count.
        known: how many coefficients the data decide.
        share: rho, what of the moving image's slopes is information.
        typical: median standard error over the tissue, mm.
        local: what blocks of half a control spacing, each on its own, would move, root mean square, mm.
        spread: where levels were left out: what these, and a fit to half of the tissue, would move, mm.
    """

    curvature: Curvature | None
    factor: np.ndarray | None
    samples: float
    known: float
    share: float
    typical: float = float("nan")
    local: float = 0.0
    spread: float = 0.0

    def at(self, found: SpatialMap, points: np.ndarray) -> np.ndarray:
        """Root mean square error of mapped points, mm, (n,)."""
        if self.curvature is None or self.factor is None:
            return np.full(len(points), np.nan)
        found = on_grid_of(self.curvature, found)
        pieces = [self._covariance(found, points[k : k + _AT_ONCE]) for k in range(0, len(points), _AT_ONCE)]
        covariance = np.concatenate(pieces) if pieces else np.zeros((0, 2, 2))
        moved = np.einsum("ij,njk,ik->n", found.matrix[:2, :2], covariance, found.matrix[:2, :2])
        return np.sqrt(moved + self.local**2 + self.spread**2)

    def _covariance(self, found: SpatialMap, points: np.ndarray) -> np.ndarray:
        grid, curvature, factor = found.grid, self.curvature, self.factor
        if grid is None or curvature is None or factor is None:
            raise ValueError("a map without control points has no covariance here")
        s = found.along(points)
        first, second = (grid.basis(k, s[:, k]).toarray() for k in range(2))
        weights = (first[:, :, None] * second[:, None, :]).reshape(len(points), -1).T
        right = np.zeros((curvature.size, len(points), 2))
        right[0::2, :, 0], right[1::2, :, 1] = weights, weights
        solved = curvature.solve(factor, right.reshape(curvature.size, -1)).reshape(right.shape)
        return np.einsum("inc,ind->ncd", right, solved) / self.samples


def on_grid_of(curvature: Curvature, found: SpatialMap) -> SpatialMap:
    """A linear map with a displacement of zero on the curvature's control points; others as they are."""
    if found.grid is not None:
        return found
    grid = curvature.grid
    return replace(found, grid=grid, coefficients=np.zeros((*grid.count, found.axes)))


def measure_confidence(fitted: Fitted) -> Confidence:
    """Measure what counts as a sample and as a slope at the answer."""
    level, stiffness = fitted.level, fitted.stiffness
    if level.curvature is None:
        return Confidence(None, None, level.points, 0.0, 1.0)
    found = on_grid_of(level.curvature, level.map)
    assert found.coefficients is not None  # noqa: S101
    share = shared_slope(level.judged, found)
    scaled = replace(level.curvature, information=level.curvature.information * share)
    factor = scaled.factor(stiffness)
    known = scaled.known(factor)
    bent = float(np.sum(scaled.bending.apply(found.coefficients) * found.coefficients))
    samples = min(level.points, known / max(2.0 * stiffness * bent, 1e-300))
    stopped = fitted.spread > 0  # levels that were left out say what finer ones would move
    local = 0.0 if stopped else local_steps(level.sharp, found, shared_slope(level.sharp, found))
    confidence = Confidence(scaled, factor, samples, known, share, local=local, spread=fitted.spread)
    some = some_tissue(level)
    typical = float(np.median(confidence.at(found, some))) if len(some) else float("nan")
    return replace(confidence, typical=typical)


def some_tissue(level: Level) -> np.ndarray:
    """Some two hundred points of the tissue that the level compared, (n, 2), mm."""
    weights = level.pairing.fixed.weights.ravel()[level.pairing.kept]
    chosen = level.pairing.points[weights > 0.5]
    return chosen[:: max(1, len(chosen) // 200)]


def local_steps(pairing: Pairing, found: SpatialMap, share: float) -> float:
    """Root mean square of F_b^-1 s_b over blocks of half a control spacing with enough information, mm.

    What the map is too stiff to follow, together with the noise of a block. A step is bounded by half a
    block: beyond that the slopes that it stands on are those of another place. Where more than half of the
    blocks are at that bound, they say too little each, and blocks of twice the size are asked.
    """
    if found.grid is None:
        return 0.0
    matched = pairing(found(pairing.points))
    into = pairing.inverse @ found.matrix
    scores = (matched.forces @ into)[:, :2]
    squares = share * squared_slopes(matched, into)
    along = found.along(pairing.points)
    extent, block = float(np.ptp(along, axis=0).max()), _BLOCK * found.grid.step[0]
    while True:
        steps = _block_steps((along // block).astype(int), scores, squares)
        bound = 0.5 * block
        if np.mean(steps > bound) <= _BOUNDED or 4 * block > extent:
            return float(np.sqrt(np.mean(np.minimum(steps, bound) ** 2)))
        block *= 2


def _block_steps(at: np.ndarray, scores: np.ndarray, squares: np.ndarray) -> np.ndarray:
    """The step that each block with enough information would take, (blocks,)."""
    at = at - at.min(axis=0)
    number = np.ravel_multi_index(tuple(at.T), tuple(at.max(axis=0) + 1))
    right = np.stack([np.bincount(number, scores[:, c]) for c in range(2)], axis=-1)
    fisher = np.empty((len(right), 2, 2))
    for c in range(2):
        for d in range(2):
            fisher[:, c, d] = np.bincount(number, squares[:, c + d])
    size = fisher[:, 0, 0] + fisher[:, 1, 1]
    if not np.any(size > 0):
        return np.zeros(1)
    enough = size > _ENOUGH * np.median(size[size > 0])
    fisher = fisher[enough] + 1e-2 * np.median(size[enough]) * np.eye(2)
    return np.linalg.norm(np.linalg.solve(fisher, right[enough][..., None])[..., 0], axis=1)


def shared_slope(pairing: Pairing | DescriptorPairing, found: SpatialMap) -> float:
    """rho: the share of the moving image's squared slope that the fixed image expects."""
    matched = pairing(found(pairing.points))
    heavy = matched.curvatures.astype(float)
    into = pairing.inverse @ found.matrix
    slopes = (matched.slopes @ into).reshape(len(heavy), -1, into.shape[1])[..., :2]
    there = pairing.expected_slopes(found).reshape(len(heavy), -1, 2)
    total = float(np.sum(heavy[:, None, None] * slopes**2))
    both = float(np.sum(heavy[:, None, None] * slopes * there))
    return float(np.clip(both / max(total, 1e-300), _LEAST_SHARE, 1.0))
