"""Standard errors of a section in a volume: of the in-plane spline, and of how its plane lies and bows.

With c the in-plane coefficients and q the six numbers of the bow, which contain the plane's position and
tilt, Fisher's information and the bending energy make one matrix of both. Its Schur complement S = H_qq -
H_qc H_cc^-1 H_cq is what the data say of q whatever c is; the covariance of a mapped point is that of the
spline at given q plus J S^-1 J', J how the point moves with q when c follows.
"""

from dataclasses import dataclass, replace

import numpy as np

from scalebridge.registration.climb import Fitted
from scalebridge.registration.confidence import Confidence, measure_confidence, on_grid_of, some_tissue
from scalebridge.registration.matching import SplineCost
from scalebridge.registration.section_levels import TERMS, Bow, bow_information, bow_stiffness, weighed_slopes
from scalebridge.registration.spatial_map import SpatialMap, gathered

_ENOUGH = 0.2  # of the median information: blocks with less are left out


@dataclass(frozen=True)
class SectionConfidence:
    """Standard errors of a map from a section into a volume.

    Args:
        inside: of the in-plane displacement, the plane given.
        bow: the polynomials.
        spread: covariance of the bow's numbers, (6, 6), mm^2.
        follow: what the in-plane coefficients do when each of these grows by 1 mm, (count, count, 2, 6).
        typical: median standard error over the tissue, mm.
        across: median standard error along the normal, mm.
    """

    inside: Confidence
    bow: Bow
    spread: np.ndarray
    follow: np.ndarray
    typical: float = float("nan")
    across: float = float("nan")

    @property
    def samples(self) -> float:
        """How many samples count."""
        return self.inside.samples

    @property
    def known(self) -> float:
        """How many numbers the data decide, those of the bow included."""
        return self.inside.known + TERMS

    @property
    def share(self) -> float:
        """What of the volume's slopes is information."""
        return self.inside.share

    @property
    def local(self) -> float:
        """What small regions, each on its own, would move, root mean square, mm."""
        return self.inside.local

    def at(self, found: SpatialMap, points: np.ndarray) -> np.ndarray:
        """Root mean square error of mapped points, mm, (n,)."""
        moved = self._moved(found, points)
        return np.sqrt(
            self._within(found, points) ** 2 + np.einsum("nij,jk,nik->n", moved, self.spread, moved)
        )

    def along_normal(self, found: SpatialMap, points: np.ndarray) -> np.ndarray:
        """Standard error along the section's normal, mm, (n,)."""
        terms = self.bow.at(found.along(points)) * np.linalg.norm(found.matrix[:, 2])
        return np.sqrt(np.einsum("nj,jk,nk->n", terms, self.spread, terms))

    def _within(self, found: SpatialMap, points: np.ndarray) -> np.ndarray:
        """Error of the spline alone, as in a plane: turned so that the matrix is one of the plane."""
        _, sizes, turn = np.linalg.svd(found.matrix[:, :2], full_matrices=False)
        flat = replace(found, matrix=np.diag(sizes) @ turn, shift=np.zeros(2))
        return self.inside.at(flat, points)

    def _moved(self, found: SpatialMap, points: np.ndarray) -> np.ndarray:
        """How mapped points move with the bow's numbers, (n, 3, 6)."""
        if self.inside.curvature is not None:
            found = on_grid_of(self.inside.curvature, found)
        terms = self.bow.at(found.along(points))
        slid = [
            replace(found, coefficients=_lifted(self.follow[..., j])).displacement(points)
            for j in range(TERMS)
        ]
        own = np.stack(slid, axis=-1)
        own[:, 2] = terms
        return np.einsum("ij,njk->nik", found.matrix, own)


def _lifted(plane: np.ndarray) -> np.ndarray:
    return np.concatenate([plane, np.zeros((*plane.shape[:2], 1))], axis=2)


def measure_section_confidence(fitted: Fitted) -> Confidence | SectionConfidence:
    """Measure what counts as a sample and as a slope at the answer, and of a section out of its plane."""
    level, stiffness, inside = fitted.level, fitted.stiffness, measure_confidence(fitted)
    curvature, factor = inside.curvature, inside.factor
    if level.map.axes == 2 or curvature is None or factor is None:
        return inside
    found = on_grid_of(curvature, level.map)
    assert found.coefficients is not None  # noqa: S101
    cost, bow = SplineCost(level.pairing, found, stiffness), Bow.over(found)
    cost(found.coefficients)
    if fitted.spread == 0:
        inside = replace(inside, local=local_excess(cost, inside.share))
    mixed = inside.share * mixed_information(cost, bow)
    solved = curvature.solve(factor, mixed)
    own = inside.share * bow_information(cost, bow) + bow_stiffness(cost, bow, stiffness)
    spread = np.linalg.inv(own - mixed.T @ solved) / inside.samples
    follow = -solved.reshape(*found.coefficients.shape[:2], 2, TERMS)
    confidence = SectionConfidence(inside, bow, spread, follow)
    some = some_tissue(level)
    if not len(some):
        return confidence
    return replace(
        confidence,
        typical=float(np.median(confidence.at(found, some))),
        across=float(np.median(confidence.along_normal(found, some))),
    )


def mixed_information(cost: SplineCost, bow: Bow) -> np.ndarray:
    """Fisher's information between in-plane coefficients and the bow, (coefficients, 6)."""
    heavy, slopes = weighed_slopes(cost)
    terms = bow.at(cost.start.along(cost.pairing.points))
    found = []
    for j in range(TERMS):
        dense = np.zeros((int(np.prod(cost.shape)), 2))
        dense[cost.pairing.kept] = slopes[:, :2] * (heavy * slopes[:, 2] * terms[:, j])[:, None]
        found.append(gathered(cost.first, dense.reshape(*cost.shape, 2), cost.second).ravel())
    return np.stack(found, axis=-1)


def local_excess(cost: SplineCost, share: float) -> float:
    """What small regions would still move on their own beyond what noise moves them, root mean square, mm.

    Each block of half a control spacing, left alone, would take the step F_b^-1 s_b. Of its square the part
    tr F_b^-1 (sum s_i s_i') F_b^-1 is the noise of points one by one (P. Huber 1967): a section's texture
    must not count as error of the map.
    """
    matched, grid, start = cost.matched, cost.start.grid, cost.start
    if matched is None or grid is None:
        raise ValueError("the cost was not evaluated yet")
    heavy, slopes = weighed_slopes(cost)
    scores = (matched.forces @ (cost.pairing.inverse @ start.matrix))[:, :2]
    at = (start.along(cost.pairing.points) // (0.5 * grid.step[0])).astype(int)
    number = np.unique(at, axis=0, return_inverse=True)[1].ravel()
    fisher = _block_sums(number, np.einsum("n,ni,nj->nij", share * heavy, slopes[:, :2], slopes[:, :2]))
    noise = _block_sums(number, np.einsum("ni,nj->nij", scores, scores))
    right = _block_sums(number, scores)
    size = np.trace(fisher, axis1=1, axis2=2)
    enough = size > _ENOUGH * np.median(size[size > 0])
    if not np.any(enough):
        return 0.0
    inverse = np.linalg.inv(fisher[enough] + 1e-2 * np.median(size[enough]) * np.eye(2))
    steps = np.einsum("bij,bj->bi", inverse, right[enough])
    beyond = np.sum(steps**2, axis=1) - np.einsum("bij,bjk,bki->b", inverse, noise[enough], inverse)
    return float(np.sqrt(max(np.average(beyond, weights=size[enough]), 0.0)))


def _block_sums(number: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Sums of values over the points of each block, (blocks, ...)."""
    parts = [np.bincount(number, part) for part in values.reshape(len(values), -1).T]
    return np.stack(parts, axis=-1).reshape(-1, *values.shape[1:])
