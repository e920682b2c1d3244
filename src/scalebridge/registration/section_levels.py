"""The levels of a section in a volume: its plane, an in-plane spline, and a low-order bow out of the plane.

Displacements are x + u(x) along the section and w(x) along its normal. u is a cubic spline whose control
points double; w is a polynomial of second degree, six numbers, which the spline's grid carries exactly. A
section is cut flat, and what mounting bends is slow; a free w would follow whatever the next plane shows.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from scalebridge.registration.climb import Fitted, Level, Plan, Rule, climb
from scalebridge.registration.curvature import Curvature, measure_curvature
from scalebridge.registration.damage import without_damage
from scalebridge.registration.difference import DescriptorPairing
from scalebridge.registration.levels import descend_in_rounds, pair_at, slow_change
from scalebridge.registration.matching import Pairing, SplineCost, Step
from scalebridge.registration.pyramid import Layer, carried
from scalebridge.registration.section_search import fit_pose
from scalebridge.registration.spatial_map import SpatialMap
from scalebridge.registration.spline import SplineGrid

TERMS = 6  # of a polynomial of second degree in the plane


@dataclass(frozen=True)
class Bow:
    """Polynomials 1, X, Y, X^2, XY, Y^2 over a section, X and Y in -1..1 over its longer edge.

    Args:
        middle: coordinates of the section's middle along its own axes, (2,), mm.
        radius: half of its longer edge, mm.
    """

    middle: np.ndarray
    radius: float

    @classmethod
    def over(cls, found: SpatialMap) -> "Bow":
        """The polynomials over a map's fixed image."""
        lengths = (np.array(found.frame.shape) - 1.0) * np.array(found.frame.spacing)
        return cls(lengths / 2, float(lengths.max()) / 2)

    def at(self, along: np.ndarray) -> np.ndarray:
        """Values at coordinates along the section's axes, (n, 6)."""
        return _terms(*((along - self.middle) / self.radius).T)

    def coefficients(self, grid: SplineGrid) -> np.ndarray:
        """Control values whose cubic spline is each polynomial, (count, count, 6).

        Between control points h apart a cubic spline of the values p - h^2 p'' / 6 is p, to third degree.

        Example:
            >>> bow = Bow(np.zeros(2), 1.0)
            >>> bow.coefficients(SplineGrid.covering((4.0, 4.0), 1.0)).shape
            (7, 7, 6)
        """
        x, y = (
            (grid.start[k] + (np.arange(grid.count[k]) - 1.0) * grid.step[k] - self.middle[k]) / self.radius
            for k in range(2)
        )
        found = _terms(*np.meshgrid(x, y, indexing="ij"))
        for term, step in ((3, grid.step[0]), (5, grid.step[1])):
            found[..., term] -= (step / self.radius) ** 2 / 3.0
        return found


def _terms(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=-1)


def fit_section(
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
    say: Callable[[Step], None] = lambda _: None,
) -> Fitted:
    """Refine the plane on a finer layer, then every spline level; arguments are those of `fit_levels`.

    `even` divides the section, not the volume, by its slow changes of brightness: it is what is stained.
    """
    clock = time.thread_time()
    pairing = pair_at(fixed, moving, start, size / 140.0, bins)
    found, step = fit_pose(pairing, start)
    if even:
        fixed = evened_section(pairing, found, fixed, 0.2 * size)
        pairing = pair_at(fixed, moving, start, size / 140.0, bins)
        found, step = fit_pose(pairing, found)
    step = replace(step, seconds=time.thread_time() - clock)
    say(step)
    first = Level(found, found, None, float(len(pairing.points)), pairing, pairing, pairing, fixed, moving)

    def prepare(last: Level, begun: SpatialMap, plan: Plan) -> Level:
        level = last
        if detect and last.map.grid is not None:
            kept, damaged = without_damage(last.pairing, begun, last.fixed, size)
            level = replace(level, fixed=kept, damaged=damaged)
        if even and last.map.grid is not None:
            level = replace(level, fixed=evened_section(last.pairing, begun, level.fixed, 0.2 * size))
        pairing = pair_at(level.fixed, moving, begun, plan.spacing, bins)
        return replace(level, pairing=pairing, judged=pairing, sharp=pairing)

    return climb(first, step, plans, prepare=prepare, fit=fit_bowed_spline, rule=rule, say=say)


def fit_bowed_spline(
    pairing: Pairing | DescriptorPairing, start: SpatialMap, stiffness: float, rounds: int = 2
) -> tuple[SpatialMap, Step, Curvature, float]:
    """Minimise the cost of a level over the in-plane spline and the bow, with two metrics in turn.

    Returns:
        the map, what was done, the in-plane curvature at the end, and the weight that took part.
    """
    if start.coefficients is None or start.grid is None:
        raise ValueError("the map has no control points yet")
    cost, bow = SplineCost(pairing, start, stiffness), Bow.over(start)
    shape, basis = (*start.grid.count, 2), bow.coefficients(start.grid).reshape(-1, TERMS)
    plane = int(np.prod(shape))

    def whole(x):
        return np.concatenate([x[:plane].reshape(shape), (basis @ x[plane:]).reshape(*shape[:2], 1)], axis=2)

    def flat(x):
        value, slope = cost(whole(x))
        return value, np.concatenate([slope[..., :2].ravel(), basis.T @ slope[..., 2].ravel()])

    bent = np.linalg.lstsq(basis, start.coefficients[..., 2].ravel(), rcond=None)[0]
    before = pairing(cost.mapped(start.coefficients), slope=False).value
    x, count, costs = descend_in_rounds(
        flat, np.concatenate([start.coefficients[..., :2].ravel(), bent]),
        lambda: metric_of(cost, bow, stiffness), longest=0.4 * start.grid.step[0], rounds=rounds,
    )  # fmt: skip
    flat(x)
    matched = cost.matched
    assert matched is not None  # noqa: S101
    told = (pairing.fixed.spacing, start.grid.step[0], x.size, count + 1, before, matched.value, tuple(costs))
    found = replace(start, coefficients=whole(x))
    return found, Step("spline", *told), measure_curvature(cost), matched.weight


def metric_of(cost: SplineCost, bow: Bow, stiffness: float) -> Callable[[np.ndarray], np.ndarray]:
    """The inverse curvature where a cost was last evaluated: a band in the plane, six by six out of it."""
    curvature = measure_curvature(cost)
    factor = curvature.factor(stiffness)
    outside = bow_information(cost, bow) + bow_stiffness(cost, bow, stiffness)
    plane = curvature.size

    def apply(slope):
        return np.concatenate([
            curvature.solve(factor, slope[:plane]), np.linalg.solve(outside, slope[plane:])
        ])  # fmt: skip

    return apply


def bow_information(cost: SplineCost, bow: Bow) -> np.ndarray:
    """Fisher's information of the bow's six numbers where the cost was last evaluated, (6, 6)."""
    heavy, slopes = weighed_slopes(cost)
    terms = bow.at(cost.start.along(cost.pairing.points)) * slopes[:, 2:]
    return (terms * heavy[:, None]).T @ terms + 1e-9 * heavy.sum() * np.eye(TERMS)


def bow_stiffness(cost: SplineCost, bow: Bow, stiffness: float) -> np.ndarray:
    """Second derivative of the bending energy by the bow's six numbers, (6, 6)."""
    assert cost.start.grid is not None  # noqa: S101
    basis = bow.coefficients(cost.start.grid)
    return 2.0 * stiffness * np.einsum("ijk,ijl->kl", basis, cost.bending.apply(basis))


def weighed_slopes(cost: SplineCost) -> tuple[np.ndarray, np.ndarray]:
    """Information of each point, (n,), and the volume's slope along the section's axes and normal, (n, 3)."""
    matched = cost.matched
    if matched is None:
        raise ValueError("the cost was not evaluated yet")
    slopes = matched.slopes @ (cost.pairing.inverse @ cost.start.matrix)
    return matched.weight * matched.curvatures.astype(float), slopes.astype(float)


def evened_section(pairing: Pairing, found: SpatialMap, fixed: list[Layer], radius: float) -> list[Layer]:
    """Divide the section by its slow change of brightness: what it is, over what the volume lets expect.

    b(x) = smooth(f) / smooth(E[f | v]) with the expectation from the joint histogram at the present map.

    Args:
        pairing: the images at the present level.
        found: the present map.
        fixed: pyramid of the section.
        radius: of the smoothing, mm.
    """
    frame, places = pairing.fixed.frame, pairing.places(found(pairing.points))
    values, weights, _ = pairing.similarity.expectation(places)
    histogram, bins = pairing.similarity.joint(places), pairing.similarity.bins
    centres = (np.arange(bins) - 1.0) / (bins - 3.0)
    means = centres @ histogram / np.maximum(histogram.sum(axis=0), 1e-9)
    expected = np.interp(1.0 + np.clip(values, 0.0, 1.0) * (bins - 3), np.arange(bins), means)
    sums = []
    for part in (pairing.fixed.values.ravel()[pairing.kept], expected):
        dense = np.zeros(int(np.prod(frame.shape)))
        dense[pairing.kept] = part * weights
        sums.append(dense)
    ratio = slow_change(sums[0], sums[1], frame, radius).astype(np.float32)
    field = Layer(ratio, np.ones_like(ratio), frame)
    return [replace(q, values=np.clip(q.values / carried(field, q), 0.0, 1.0)) for q in fixed]
