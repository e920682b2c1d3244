"""The start: similarity maps from many angles, both faces and several scales, on the coarsest level."""

from dataclasses import dataclass

import numpy as np

from scalebridge.registration.descent import descend
from scalebridge.registration.matching import Pairing, Step, fit_affine
from scalebridge.registration.pyramid import Layer
from scalebridge.registration.spatial_map import SpatialMap

_LEAST_OVERLAP = 0.5  # of the fixed weight, below which a start costs
_KEPT = 6  # starts that go on to an affine map
_SURE = 0.03  # nats: margin above which no other scales are tried
_OTHER_SCALES = (0.7, 1.4)
_APART = np.deg2rad(12.0)


@dataclass(frozen=True)
class Attempt:
    """One start and where it went.

    Args:
        angle: of the similarity found, radians.
        flipped: whether the moving image lies on its face.
        scale: of the similarity found.
        similarity: NMI reached, less what a lack of overlap costs.
        overlap: share of the fixed weight that takes part.
        map: the similarity map.
    """

    angle: float
    flipped: bool
    scale: float
    similarity: float
    overlap: float
    map: SpatialMap


@dataclass(frozen=True)
class Start:
    """The start that was chosen.

    Args:
        map: an affine map.
        step: what the affine stage did.
        attempts: all starts, the best first.
        margin: how much better the chosen map is than the best one that is different, in similarity.
    """

    map: SpatialMap
    step: Step
    attempts: tuple[Attempt, ...]
    margin: float


def search_start(
    fixed: Layer,
    moving: Layer,
    tissue: tuple[np.ndarray, np.ndarray],
    *,
    angles: int = 24,
    flips: tuple[bool, ...] = (False, True),
    scales: tuple[float, ...] | None = None,
) -> Start:
    """Search similarity maps, keep the best, and refine these as affine maps.

    Args:
        fixed: coarse layer whose weights are tissue and its surroundings.
        moving: coarse layer.
        tissue: where the two show tissue: centroids put one on the other, areas give the scale.
        angles: number of starting angles of the full turn.
        flips: faces to try.
        scales: factors on the scale that the areas give. Unless given, 1; then 0.7 and 1.4 as well where the
            best start is little better than another: where half of the tissue is missing areas mislead.
    """
    pairing = Pairing(fixed, moving, bins=16, normalised=True)
    middles, sizes = zip(
        *(_moments(layer, m) for layer, m in zip((fixed, moving), tissue, strict=True)), strict=True
    )

    def climbed(factors: tuple[float, ...]) -> list[Attempt]:
        return [
            _climb(pairing, middles, turn, flip, scale * sizes[1] / sizes[0])
            for flip in flips
            for scale in factors
            for turn in np.arange(angles) * (2 * np.pi / angles)
        ]

    fine, found = Pairing(fixed, moving, bins=16), climbed(scales or (1.0,))
    start = _best(fine, found)
    if scales is not None or start.margin >= _SURE:
        return start
    return _best(fine, found + climbed(_OTHER_SCALES))


def _best(fine: Pairing, found: list[Attempt]) -> Start:
    """Refine the best different ones as affine maps, and say how much better the best is than another."""
    found = sorted(found, key=lambda attempt: -attempt.similarity)
    kept: list[Attempt] = []
    for attempt in found:
        if len(kept) < _KEPT and not any(_alike(attempt, other) for other in kept):
            kept.append(attempt)
    refined = sorted(
        (fit_affine(fine, attempt.map, 40) for attempt in kept), key=lambda pair: -_worth(fine, *pair)
    )
    best = refined[0][0](fine.points)
    spread = 0.1 * np.sqrt(np.var(best, axis=0).sum())
    others = [s for m, s in refined if np.median(np.linalg.norm(m(fine.points) - best, axis=1)) > spread]
    margin = refined[0][1].after - others[0].after if others else np.inf
    return Start(refined[0][0], refined[0][1], tuple(found), float(margin))


def _worth(pairing: Pairing, found: SpatialMap, step: Step) -> float:
    overlap = pairing(found(pairing.points), slope=False).overlap
    return step.after - 2.0 * max(_LEAST_OVERLAP - overlap, 0.0)


def _moments(layer: Layer, tissue: np.ndarray) -> tuple[np.ndarray, float]:
    """Centroid of tissue, and the square root of its area, mm."""
    weight = (tissue * layer.weights).ravel()
    middle = (layer.frame.grid() * weight[:, None]).sum(axis=0) / weight.sum()
    return middle, float(np.sqrt(weight.sum() * np.prod(layer.frame.spacing)))


def _alike(one: Attempt, other: Attempt) -> bool:
    turn = abs((one.angle - other.angle + np.pi) % (2 * np.pi) - np.pi)
    return one.flipped == other.flipped and turn < _APART


def _climb(
    pairing: Pairing, middles: tuple[np.ndarray, np.ndarray], turn: float, flip: bool, scale: float
) -> Attempt:
    """Maximise NMI over angle, scale and shift from one start."""
    centred = pairing.points - middles[0]
    centred = centred * np.array([-1.0, 1.0]) if flip else centred
    radius = float(np.sqrt((centred**2).sum(axis=1).mean()))
    units = np.array([1.0 / radius, 1.0 / radius, 1.0, 1.0])  # so that each moves points by about 1 mm

    def pose(x):
        p = x * units
        size = scale * np.exp(p[1])
        c, s = size * np.cos(turn + p[0]), size * np.sin(turn + p[0])
        return np.array([[c, -s], [s, c]]), middles[1] + p[2:]

    def cost(x):
        matrix, there = pose(x)
        around = centred @ matrix.T
        matched = pairing(around + there)
        forces = pairing.forces(matched)
        slope = np.array([
            np.sum(forces[:, 1] * around[:, 0] - forces[:, 0] * around[:, 1]), np.sum(forces * around),
            forces[:, 0].sum(), forces[:, 1].sum(),
        ])  # fmt: skip
        lack = max(_LEAST_OVERLAP - matched.overlap, 0.0)
        return -matched.value + 0.5 * lack, -slope * units

    found = descend(
        cost,
        np.zeros(4),
        lambda g: g * (2.0 / max(np.abs(g).max(), 1e-9)),
        steps=18,
        tolerance=1e-4,
        longest=0.15 * radius,
    )
    matrix, there = pose(found.x)
    matrix = matrix @ np.diag([-1.0, 1.0]) if flip else matrix
    frame = pairing.fixed.frame
    linear = SpatialMap(matrix, there - matrix @ middles[0], frame)
    overlap = pairing(linear(pairing.points), slope=False).overlap
    p = found.x * units
    return Attempt(turn + p[0], flip, scale * float(np.exp(p[1])), -found.cost, overlap, linear)
