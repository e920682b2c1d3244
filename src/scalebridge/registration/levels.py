"""The levels: from a linear map to a spline whose control points double, each from the answer of the last."""

import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from scipy import ndimage

from scalebridge.registration.climb import Fitted, Level, Plan, Rule, climb
from scalebridge.registration.curvature import Curvature, measure_curvature
from scalebridge.registration.damage import without_damage
from scalebridge.registration.descent import descend
from scalebridge.registration.difference import DescriptorPairing
from scalebridge.registration.frame import Frame
from scalebridge.registration.matching import Pairing, SplineCost, Step, fit_affine
from scalebridge.registration.pyramid import Layer, blurred, nearest_layer
from scalebridge.registration.spatial_map import SpatialMap

_MOST_POINTS = 220_000  # of tissue that the finest level compares
_STEPS = 40
_FINE = 1.5e-5  # nats: gain of three steps below which a level ends
_FINER_BINS = 1.25  # at the last level, whose samples are most
_BLUR = (
    0.5,
    0.6,
)  # samples, of fixed and moving at the last level: noise by sample has most of its slope there


def plan_levels(fixed: list[Layer], size: float, finest: float | None, step: float | None) -> list[Plan]:
    """Choose levels from the data: sizes of tissue, distances of samples and how many there are.

    Args:
        fixed: pyramid of the fixed image, finest first.
        size: square root of the area of tissue, mm.
        finest: distance of the samples at the last level, mm, if given.
        step: distance of control points at the last level, mm, if given.
    """
    last = step or size / 14.0
    steps = [last]
    while steps[0] * 2 <= size / 2.5:
        steps.insert(0, 2 * steps[0])
    if finest is None:
        fine = next((q for q in fixed if np.count_nonzero(q.weights > 1e-3) <= _MOST_POINTS), fixed[-1])
        finest = fine.spacing
    spacings = [max(finest, min(last, size / 140.0)) for _ in steps]
    spacings[0] = max(finest, size / 70.0)
    spacings[-1] = finest
    return [Plan(h, s) for h, s in zip(spacings, steps, strict=True)]


def fit_levels(
    fixed: list[Layer],
    moving: list[Layer],
    start: SpatialMap,
    size: float,
    plans: list[Plan],
    *,
    rule: Rule,
    bins: int = 32,
    even: bool = True,
    detect: bool = True,
    similarity: str = "information",
    say: Callable[[Step], None] = lambda _: None,
) -> Fitted:
    """Refine a linear map: affine on a finer layer, then every spline level.

    Args:
        fixed: pyramid whose weights are tissue and its surroundings.
        moving: pyramid of the moving image.
        start: an affine map.
        size: square root of the area of tissue, mm.
        plans: the spline levels.
        rule: how levels are judged, and how stiff they are.
        bins: of the histogram.
        even: whether slow changes of the moving image's brightness are taken out on the way.
        detect: whether samples that fit nothing are left out from the second spline level on.
        similarity: what the spline levels maximise: "information" or a key of `DESCRIPTORS`.
        say: told of every level.
    """
    clock = time.thread_time()
    pairing = pair_at(fixed, moving, start, size / 70.0, bins)
    found, step = fit_affine(pairing, start)
    step = replace(step, seconds=time.thread_time() - clock)
    say(step)
    first = Level(found, found, None, float(len(pairing.points)), pairing, pairing, pairing, fixed, moving)

    def prepare(last: Level, begun: SpatialMap, plan: Plan) -> Level:
        level, final = last, plan is plans[-1]
        if detect and last.map.grid is not None:
            kept, damaged = without_damage(last.judged, begun, last.fixed, size)
            level = replace(level, fixed=kept, damaged=damaged)
        if even:
            level = replace(level, moving=evened(last.pairing, begun, last.moving, 0.2 * size))
        fine = round(_FINER_BINS * bins) if final else bins
        given = (level.fixed, level.moving, begun, plan.spacing, fine)
        pairing = pair_at(*given, _BLUR) if final else pair_at(*given)
        judged = pairing if similarity == "information" else _described(pairing, begun, similarity)
        sharp = pair_at(*given) if final else pairing
        return replace(level, pairing=pairing, judged=judged, sharp=sharp)

    return climb(first, step, plans, prepare=prepare, fit=fit_spline, rule=rule, say=say)


def pair_at(
    fixed: list[Layer],
    moving: list[Layer],
    found: SpatialMap,
    spacing: float,
    bins: int,
    blur: tuple[float, float] = (0.0, 0.0),
) -> Pairing:
    """The layers whose samples are about so many mm apart in the fixed image, blurred by so many samples."""
    scale = float(abs(np.linalg.det(found.matrix)) ** (1.0 / found.axes))
    layers = (nearest_layer(fixed, spacing), nearest_layer(moving, spacing * scale))
    first, second = (blurred(layer, width) for layer, width in zip(layers, blur, strict=True))
    return Pairing(first, second, bins=bins)


def _described(pairing: Pairing, found: SpatialMap, kind: str) -> DescriptorPairing:
    return DescriptorPairing(pairing.fixed, pairing.moving, found, kind)


def fit_spline(
    pairing: Pairing | DescriptorPairing, start: SpatialMap, stiffness: float, rounds: int = 2
) -> tuple[SpatialMap, Step, Curvature, float]:
    """Minimise the cost of a level, twice with the metric of where it stands.

    Returns:
        the map, what was done, the curvature at the end, and the weight that took part.
    """
    cost = SplineCost(pairing, start, stiffness)
    if start.coefficients is None or start.grid is None:
        raise ValueError("the map has no control points yet")
    shape = start.coefficients.shape

    def flat(x):
        value, slope = cost(x.reshape(shape))
        return value, slope.ravel()

    def metric():
        curvature = measure_curvature(cost)
        factor = curvature.factor(stiffness)
        return lambda g: curvature.solve(factor, g)

    before = pairing(cost.mapped(start.coefficients), slope=False).value
    x, count, costs = descend_in_rounds(
        flat, start.coefficients.ravel(), metric, longest=0.4 * start.grid.step[0], rounds=rounds
    )
    coefficients = x.reshape(shape)
    flat(x)
    curvature = measure_curvature(cost)
    matched = cost.matched
    assert matched is not None  # noqa: S101
    step = Step(
        "spline",
        pairing.fixed.spacing,
        start.grid.step[0],
        x.size,
        count + 1,
        before,
        matched.value,
        tuple(costs),
    )
    found = replace(start, coefficients=coefficients)
    return found, step, curvature, matched.weight


def descend_in_rounds(
    flat: Callable[[np.ndarray], tuple[float, np.ndarray]],
    x: np.ndarray,
    metric: Callable[[], Callable[[np.ndarray], np.ndarray]],
    *,
    longest: float,
    rounds: int = 2,
) -> tuple[np.ndarray, int, list[float]]:
    """Descend in rounds, each time with the metric of where the cost was last evaluated.

    Args:
        flat: the cost and its slope.
        x: where to start.
        metric: makes the inverse curvature at the cost's last place.
        longest: step of a number, mm.
        rounds: how often the metric is taken anew.

    Returns:
        where it ended, how many evaluations it took, and the cost after each step.
    """
    count, costs = 0, []
    for _ in range(rounds):
        flat(x)
        gone = descend(flat, x, metric(), steps=_STEPS // 2, tolerance=_FINE, longest=longest)
        x, count, costs = gone.x, count + gone.evaluations + 1, [*costs, *gone.costs]
        if len(gone.costs) <= _STEPS // 2:
            break
    return x, count, costs


def evened(pairing: Pairing, found: SpatialMap, moving: list[Layer], radius: float) -> list[Layer]:
    """Divide the moving image by its slow change of brightness: what it is, over what is expected.

    b(y) = smooth(v) / smooth(E[v | f]) with the expectation from the joint histogram at the present map. A
    gradient of stain thus does not have to be followed by the similarity.

    Args:
        pairing: the images at the present level.
        found: the present map.
        moving: pyramid of the moving image.
        radius: of the smoothing, mm.
    """
    mapped = found(pairing.points)
    values, weights, expected = pairing.similarity.expectation(pairing.places(mapped))
    coarse = moving[-1]
    at = np.round(coarse.frame.indices(mapped)).astype(int)
    inside = np.all((at >= 0) & (at < np.array(coarse.frame.shape)), axis=1)
    number = np.ravel_multi_index(tuple(at[inside].T), coarse.frame.shape)
    sums = [
        np.bincount(number, part[inside] * weights[inside], coarse.values.size) for part in (values, expected)
    ]
    field = slow_change(sums[0], sums[1], coarse.frame, radius)
    return [_divided(layer, coarse, field) for layer in moving]


def slow_change(seen: np.ndarray, expected: np.ndarray, frame: Frame, radius: float) -> np.ndarray:
    """What is seen over what is expected, both smoothed, as far as either says something; in 1/2..2."""
    width = [radius / h for h in frame.spacing]
    above, below = (ndimage.gaussian_filter(p.reshape(frame.shape), width) for p in (seen, expected))
    floor = 0.02 * below.max() + 1e-12
    return np.clip((above + floor) / (below + floor), 0.5, 2.0)


def _divided(layer: Layer, coarse: Layer, field: np.ndarray) -> Layer:
    first = coarse.frame.indices(np.array([layer.frame.origin]))[0]
    ratio = [h / k for h, k in zip(layer.frame.spacing, coarse.frame.spacing, strict=True)]
    for axis, count in enumerate(layer.frame.shape):
        place = np.clip(first[axis] + np.arange(count) * ratio[axis], 0, field.shape[axis] - 1.0)
        low = np.minimum(place.astype(int), field.shape[axis] - 2)
        part = np.moveaxis(field, axis, -1)
        share = place - low
        field = np.moveaxis(part[..., low] * (1 - share) + part[..., low + 1] * share, -1, axis)
    return replace(layer, values=np.clip(layer.values / field, 0.0, 1.0).astype(np.float32))
