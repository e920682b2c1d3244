"""Whether a registration can be trusted: overlap, margin, folding, gain above chance, round trip."""

import numpy as np
from scipy import ndimage

from scalebridge.core.checks import Check
from scalebridge.registration.climb import Fitted
from scalebridge.registration.confidence import Confidence
from scalebridge.registration.held_out import SURE, deepest, held_out_gain
from scalebridge.registration.matching import Pairing, Step
from scalebridge.registration.pyramid import Layer
from scalebridge.registration.registration_result import RADIUS_95, Registration
from scalebridge.registration.section_confidence import SectionConfidence
from scalebridge.registration.spatial_map import lifted

_LEAST_OVERLAP = 0.5
_LEAST_MARGIN = 0.01  # nats
_LEAST_MARGIN_IN_VOLUME = 0.05  # nats: patterns that are no section of it reach 0.02 among so many poses
_LEAST_RETURN = 0.05  # of a sample
_LEAST_COVERAGE = 0.8
_STRETCH = 3.0
_LEAST_RATIO = 3.0  # of a linear map's gain to its standard error: anatomies from 3.9 up
_SQUARES = 6
_MOST_ERROR = 0.05
_LEAST_LIKENESS = 0.3
_FEWEST = 12  # samples along an edge
_MOST_SAMPLES = 4_000_000
_LEAST_EVIDENCE = 6.0  # nats a coefficient: noise on noise reached 4.4 in 100 pairs, anatomies from 9.7 up
_SOUND = 0.5  # weight above which a sample is tissue


def check_registration(
    found: Registration, fitted: Fitted, searched: bool
) -> tuple[tuple[Check, ...], tuple[str, ...]]:
    """Measure what has to hold of a registration, and say what a reader has to know."""
    pairing = fitted.level.pairing
    points = pairing.points
    weights = pairing.fixed.weights.ravel()[pairing.kept]
    inside = points[weights > 0.5] if np.any(weights > 0.5) else points
    inside = inside[:: max(1, len(inside) // 30_000)]
    chance = _chance(found, fitted)
    checks = [
        _overlap(found),
        chance,
        _folding(found, inside),
        _round_trip(found, inside),
        _shape(found),
        _structure(fitted),
    ]
    if searched:
        checks.insert(1, _margin(found))
    if np.isfinite(found.confidence.typical):
        checks.append(_known(found, fitted))
    if found.landmarks is not None:
        meaning = "share of landmarks within the stated 95 % radius; 0.95 is expected of honest errors"
        checks.append(
            Check("landmarks covered", found.landmarks.coverage, _LEAST_COVERAGE, "at least", meaning)
        )
    notes = _notes(found, fitted)
    if not chance.passed and found.map.coefficients is not None:
        notes = (
            *notes,
            "The images fit no better than patterns that have nothing in common: the displacement, and its "
            "standard error, mean nothing, even where levels bettered neighbouring tissue.",
        )
    return tuple(checks), notes


def _overlap(found: Registration) -> Check:
    meaning = "share of the fixed tissue and its surroundings that lands on the moving image and its mask"
    return Check("overlap", found.overlap, _LEAST_OVERLAP, "at least", meaning)


def _margin(found: Registration) -> Check:
    meaning = (
        "similarity of the start less that of the best different one, nats; near zero the tissue is symmetric"
    )
    value, least = min(found.margin, 99.0), _LEAST_MARGIN_IN_VOLUME if found.in_volume else _LEAST_MARGIN
    return Check("margin of the start", value, least, "at least", meaning)


def _chance(found: Registration, fitted: Fitted) -> Check:
    """Similarity deep inside the tissue against that of the same tissue turned about.

    Outlines of two round things fit whatever is inside, and stay as they are when one is turned: what is
    left is what the insides have in common. A displacement is judged by evidence; a linear map, whose few
    numbers say nothing of how many samples count, by the scatter of its gain from square to square.
    """
    name, place = "similarity above chance", "gain of the inner half of the tissue over the same turned"
    deep, spatial, sure = _deepest_half(fitted.level.pairing), fitted.level.map, found.confidence
    middle = deep.points.mean(axis=0)
    others = [lambda points, turn=turn: spatial((points - middle) @ turn.T + middle) for turn in _turns()]
    values = [deep(other(deep.points), slope=False).value for other in others]
    best = int(np.argmax(values))
    if spatial.coefficients is None or not np.any(spatial.coefficients):
        held = held_out_gain(deep, _squares(deep.points), others[best], spatial)
        meaning = f"{place}, over the standard error that it has by its scatter from square to square"
        ratio = held.gain / max(held.chance / SURE, 1e-300)
        return Check(name, ratio if held.chance > 0 else 0.0, _LEAST_RATIO, "at least", meaning)
    gain = deep(spatial(deep.points), slope=False).value - values[best]
    meaning = (
        f"{place}, in nats a coefficient that the data decide, counting independent samples: noise "
        "fitted to noise reaches 3 to 4, images of the same tissue 9 or more"
    )
    value = sure.samples * gain / max(sure.known, 1e-300)
    return Check(name, value, _LEAST_EVIDENCE, "at least", meaning)


def _squares(points: np.ndarray) -> np.ndarray:
    """The number of each point's square, of some six by six over what the points cover, (n,)."""
    low, width = points.min(axis=0), np.sqrt(np.prod(np.ptp(points, axis=0) + 1e-12)) / _SQUARES
    return np.unique(np.floor((points - low) / width), axis=0, return_inverse=True)[1].ravel()


def _turns() -> list[np.ndarray]:
    angles = np.deg2rad(np.arange(60, 360, 60))
    return [np.array([[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]]) for a in angles]


def _deepest_half(pairing: Pairing) -> Pairing:
    """The samples that are furthest from the edge of what is compared, holes filled."""
    layer = pairing.fixed
    full = np.pad(np.asarray(ndimage.binary_fill_holes(layer.weights > _SOUND)), 1)
    depth = np.asarray(ndimage.distance_transform_edt(full, sampling=layer.frame.spacing))[1:-1, 1:-1]
    depth = np.where(layer.weights > _SOUND, depth, 0.0).ravel()[pairing.kept]
    inside = depth > 0
    return pairing.only(depth >= np.median(depth[inside])) if np.any(inside) else pairing


def _folding(found: Registration, points: np.ndarray) -> Check:
    least = float(found.map.jacobian(points).min())
    meaning = (
        "least ratio of areas over the compared samples, relative to the affine part: at 0 the map folds"
    )
    return Check("no folding", least, 0.0 + 1e-6, "at least", meaning)


def _round_trip(found: Registration, points: np.ndarray) -> Check:
    some = points[:: max(1, len(points) // 2000)]
    back = found.map.inverse(found.map(some))
    away = back - lifted(some, found.map.axes)
    error = float(np.max(np.linalg.norm(away, axis=1))) / min(found.fixed_frame.spacing)
    meaning = "largest distance of a point from itself after there and back, in fixed samples"
    return Check("round trip", error, _LEAST_RETURN, "at most", meaning)


def _shape(found: Registration) -> Check:
    large, small = found.stretches
    meaning = "ratio of the principal stretches of the affine part: tissue does not shrink so unevenly"
    return Check("anisotropy", large / max(small, 1e-12), _STRETCH, "at most", meaning)


def _structure(fitted: Fitted) -> Check:
    coarser, layers = fitted.level.pairing.fixed, []
    while min(coarser.frame.shape) >= _FEWEST:
        layers.append(coarser)
        coarser = coarser.coarser((2,) * coarser.frame.size)
    found = min(likeness(layers), likeness(fitted.level.moving))
    meaning = (
        "correlation of neighbours at the level where it is largest, of the image where it is less: "
        "pure noise has none, and fits itself wherever it is laid on itself"
    )
    return Check("structure", found, _LEAST_LIKENESS, "at least", meaning)


def likeness(layers: list[Layer]) -> float:
    """Correlation of neighbours in the level where it is largest; near zero at every level of white noise.

    Example:
        >>> from scalebridge.registration.frame import Frame
        >>> noise = np.random.default_rng(0).standard_normal((64, 64)).astype(np.float32)
        >>> likeness([Layer(noise, np.ones_like(noise), Frame((64, 64), (0.0, 0.0), (1.0, 1.0)))]) < 0.1
        True
    """
    return max((_correlation(q) for q in layers if q.values.size <= _MOST_SAMPLES), default=1.0)


def _correlation(layer: Layer) -> float:
    values = layer.values - np.average(layer.values, weights=layer.weights + 1e-12)
    sums = np.zeros(2)
    for axis in range(values.ndim):
        one, other = (np.moveaxis(values, axis, 0)[part] for part in (slice(1, None), slice(None, -1)))
        left, right = (
            np.moveaxis(layer.weights, axis, 0)[part] for part in (slice(1, None), slice(None, -1))
        )
        both = np.minimum(left, right)
        sums += float(np.sum(both * one * other)), float(np.sum(both * (one * one + other * other))) / 2
    return float(sums[0] / max(sums[1], 1e-30))


def _known(found: Registration, fitted: Fitted) -> Check:
    layer = fitted.level.pairing.fixed
    size = float(np.sqrt(np.sum(layer.weights > 0.5) * np.prod(layer.frame.spacing)))
    meaning = (
        "median standard error over the square root of the area compared: beyond that the map is not known"
    )
    return Check(
        "standard error", found.confidence.typical / max(size, 1e-12), _MOST_ERROR, "at most", meaning
    )


def _unfollowed(sure: Confidence | SectionConfidence) -> str:
    spread = sure.spread if isinstance(sure, Confidence) else sure.inside.spread
    if spread > 0:
        return f"{spread:.3g} mm that further levels, and half of the tissue alone, would move"
    return f"{sure.local:.3g} mm that small regions would still move on their own"


def _notes(found: Registration, fitted: Fitted) -> tuple[str, ...]:
    (large, small), sure = found.stretches, found.confidence
    said = [
        f"The affine part stretches by {large:.4f} and {small:.4f} (moving over fixed): "
        f"of the area {large * small:.3f} is there."
    ]
    if fitted.level.damaged > 0:
        said.append(
            f"{fitted.level.damaged:.1%} of the compared samples fitted nothing and were left out as damage."
        )
    if isinstance(sure, SectionConfidence):
        said.append(
            f"Across the section the standard error is {sure.across:.3g} mm (median over tissue): "
            "position, tilt and bow together."
        )
    said += _level_notes(found)
    if found.tried:
        said.append(_stiffness_note(found))
    said.append(
        f"Standard errors are root mean squares; 95 % of errors are within {RADIUS_95:.2f} times that. "
        f"They count {sure.samples:.0f} samples, {sure.known:.0f} coefficients that the data decide, "
        f"{sure.share:.0%} of the slopes as information, and {_unfollowed(sure)}."
    )
    return tuple(said)


def _level_notes(found: Registration) -> list[str]:
    spline = [step for step in found.steps if step.grid]
    rejected = [step for step in spline if not step.accepted]
    if rejected:
        end = "." if any(step.accepted for step in spline) else ": the map is linear."
        return [
            f"Levels with control points {_spacings(rejected)} mm apart bettered tissue that they were not "
            f"fitted to by no more than chance, and were left out{end}"
        ]
    judged = [step for step in spline if step.held_out is not None]
    idle = judged[deepest([step.held_out for step in judged]) :]
    if not idle:
        return []
    return [
        f"Levels with control points {_spacings(idle)} mm apart were asked for; they bettered tissue that "
        "they were not fitted to by no more than chance."
    ]


def _spacings(steps: list[Step]) -> str:
    return ", ".join(f"{step.grid:.3g}" for step in steps)


def _stiffness_note(found: Registration) -> str:
    told = ", ".join(
        f"{tried.factor:g} ({tried.held_out.gain:.2g}, chance {tried.held_out.chance:.2g})"
        for tried in found.tried
    )
    end = "the suggested one stays" if found.stiffness == 1 else f"{found.stiffness:g} was taken"
    return (
        "Stiffer fits to half of the tissue, by factors on the suggested stiffness, with what they gained on "
        f"the other half, nats: {told}; a quarter of what half of it asks for counts, so that {end}."
    )
