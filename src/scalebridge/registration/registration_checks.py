"""Whether a registration can be trusted: overlap, margin, folding, gain above chance, round trip."""

import numpy as np

from scalebridge.core.checks import Check
from scalebridge.registration.confidence import Confidence
from scalebridge.registration.levels import Fitted
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
_LEAST_GAIN = 0.05  # nats
_MOST_ERROR = 0.05
_LEAST_LIKENESS = 0.3
_FEWEST = 12  # samples along an edge
_MOST_SAMPLES = 4_000_000
_LEAST_EVIDENCE = 5.0  # nats a coefficient


def check_registration(
    found: Registration, fitted: Fitted, searched: bool
) -> tuple[tuple[Check, ...], tuple[str, ...]]:
    """Measure what has to hold of a registration, and say what a reader has to know."""
    points = fitted.pairing.points
    weights = fitted.pairing.fixed.weights.ravel()[fitted.pairing.kept]
    inside = points[weights > 0.5] if np.any(weights > 0.5) else points
    inside = inside[:: max(1, len(inside) // 30_000)]
    checks = [
        _overlap(found),
        _chance(found, fitted),
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
    return tuple(checks), _notes(found, fitted)


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
    """Similarity against that of the same images far out of place, the largest of three, by evidence."""
    pairing = fitted.pairing
    mapped = fitted.map(pairing.points)
    reach = 0.25 * np.ptp(mapped, axis=0)
    shifts = np.array([[1.0, 0.3, 0.6], [-0.4, 1.0, -0.8], [-0.8, -0.7, 0.2]])[:, : len(reach)]
    if len(reach) == 3:
        reach = 0.25 * np.full(3, np.ptp(mapped, axis=0).max())  # a section is flat: out of its plane as well
    elsewhere = max(pairing(mapped + reach * shift, slope=False).value for shift in shifts)
    gain, sure = found.similarity - elsewhere, found.confidence
    if sure.known <= 0:
        meaning = "similarity in place less the largest of three places a quarter of the image away, nats"
        return Check("similarity above chance", gain, _LEAST_GAIN, "at least", meaning)
    meaning = (
        "gain over three places a quarter of the image away, in nats a coefficient that the data decide, "
        "counting independent samples: noise fitted to noise reaches 2 to 3, images of the same tissue "
        "15 or more"
    )
    return Check(
        "similarity above chance", sure.samples * gain / sure.known, _LEAST_EVIDENCE, "at least", meaning
    )


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
    coarser, layers = fitted.pairing.fixed, []
    while min(coarser.frame.shape) >= _FEWEST:
        layers.append(coarser)
        coarser = coarser.coarser((2,) * coarser.frame.size)
    found = min(likeness(layers), likeness(fitted.moving))
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
    layer = fitted.pairing.fixed
    size = float(np.sqrt(np.sum(layer.weights > 0.5) * np.prod(layer.frame.spacing)))
    meaning = (
        "median standard error over the square root of the area compared: beyond that the map is not known"
    )
    return Check(
        "standard error", found.confidence.typical / max(size, 1e-12), _MOST_ERROR, "at most", meaning
    )


def _unfollowed(sure: Confidence | SectionConfidence) -> str:
    if isinstance(sure, Confidence) and sure.spread > 0:
        return f"{sure.spread:.3g} mm that levels left out, and half of the tissue alone, would move"
    return f"{sure.local:.3g} mm that small regions would still move on their own"


def _notes(found: Registration, fitted: Fitted) -> tuple[str, ...]:
    (large, small), sure = found.stretches, found.confidence
    said = [
        f"The affine part stretches by {large:.4f} and {small:.4f} (moving over fixed): "
        f"of the area {large * small:.3f} is there."
    ]
    if fitted.damaged > 0:
        said.append(
            f"{fitted.damaged:.1%} of the compared samples fitted nothing and were left out as damage."
        )
    if isinstance(sure, SectionConfidence):
        said.append(
            f"Across the section the standard error is {sure.across:.3g} mm (median over tissue): "
            "position, tilt and bow together."
        )
    rejected = [step for step in found.steps if not step.accepted]
    if rejected:
        left = ", ".join(f"{step.grid:.3g}" for step in rejected)
        said.append(
            f"Levels with control points {left} mm apart bettered tissue that they were not fitted to by no "
            "more than chance, and were left out"
            + ("." if any(step.grid and step.accepted for step in found.steps) else ": the map is linear.")
        )
    said.append(
        f"Standard errors are root mean squares; 95 % of errors are within {RADIUS_95:.2f} times that. "
        f"They count {sure.samples:.0f} samples, {sure.known:.0f} coefficients that the data decide, "
        f"{sure.share:.0%} of the slopes as information, and {_unfollowed(sure)}."
    )
    return tuple(said)
