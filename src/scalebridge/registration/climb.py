"""What levels between planes and those of a section in a volume share: fit, judge, keep, choose a stiffness.

Every level is fitted twice: to all of the tissue, and to half of it, from what that half said before. What
the half's map gains on the other half says how many levels to keep, and how stiff the last one of them is.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from scalebridge.registration.curvature import Curvature, measure_curvature
from scalebridge.registration.difference import DescriptorPairing
from scalebridge.registration.held_out import black_squares, deepest, held_out_gain
from scalebridge.registration.matching import HeldOut, Pairing, SplineCost, Step
from scalebridge.registration.pyramid import Layer
from scalebridge.registration.spatial_map import SpatialMap
from scalebridge.registration.spline import SplineGrid, subdivide

_FACTOR = 4.0  # between stiffnesses that are tried
_FURTHEST = 64.0  # times the one that the size of the tissue suggests


@dataclass(frozen=True)
class Plan:
    """One spline level to be done: spacing of samples and of control points, mm."""

    spacing: float
    step: float


@dataclass(frozen=True)
class Level:
    """Where a level ended.

    Args:
        map: the map.
        half: the one fitted to half of the tissue.
        curvature: of the cost; None for a linear map.
        points: number of samples' worth of weight.
        pairing: the images as they were compared.
        judged: the same, or with descriptors, where their difference was what counted.
        sharp: as `pairing`, without the last level's blur.
        fixed: pyramid of the fixed image, as the level saw it.
        moving: likewise.
        damaged: share of the fixed samples that were left out as damage.
    """

    map: SpatialMap
    half: SpatialMap
    curvature: Curvature | None
    points: float
    pairing: Pairing
    judged: Pairing | DescriptorPairing
    sharp: Pairing
    fixed: list[Layer]
    moving: list[Layer]
    damaged: float = 0.0


@dataclass(frozen=True)
class Tried:
    """A stiffness that was tried: its factor on the suggested one, and what it gained on held-out tissue."""

    factor: float
    held_out: HeldOut


@dataclass(frozen=True)
class Fitted:
    """What the levels found.

    Args:
        level: the last one that was kept; with a displacement of zero where none was.
        linear: the map before its displacement.
        steps: what each level did.
        stiffness: of the mean bending energy, mm^2.
        tried: stiffnesses that were tried on half of the tissue.
        spread: where levels were left out, what these and half of the tissue would move, mm.
    """

    level: Level
    linear: SpatialMap
    steps: tuple[Step, ...]
    stiffness: float
    tried: tuple[Tried, ...] = ()
    spread: float = 0.0

    @property
    def factor(self) -> float:
        """What held-out tissue makes of the suggested stiffness: a quarter of what half of it asks for."""
        better = [t.factor for t in self.tried if t.held_out.gain > t.held_out.chance]
        return max(1.0, better[-1] / _FACTOR) if better else 1.0


@dataclass(frozen=True)
class Rule:
    """How levels are judged.

    Args:
        stiffness: of the mean bending energy, mm^2.
        choose: whether held-out tissue may choose another one.
        keep: how many levels to keep; those that gain where they were not fitted unless given.
    """

    stiffness: float
    choose: bool = False
    keep: int | None = None


Prepare = Callable[[Level, SpatialMap, Plan], Level]
Fit = Callable[
    [Pairing | DescriptorPairing, SpatialMap, float, int], tuple[SpatialMap, Step, Curvature, float]
]


def climb(
    first: Level,
    step: Step,
    plans: Sequence[Plan],
    *,
    prepare: Prepare,
    fit: Fit,
    rule: Rule,
    say: Callable[[Step], None],
) -> Fitted:
    """Go through the levels, each from the answer of the last, and keep those that know better.

    Args:
        first: the linear stage.
        step: what it did.
        plans: the spline levels.
        prepare: makes a level's images from the last level, the map that the level begins with and its plan.
        fit: minimises the cost of a level; its arguments are the images, the map to begin with, the stiffness
            and how often the metric is taken anew.
        rule: how levels are judged.
        say: told of every level.
    """
    reached, steps, stiffness = [first], [step], rule.stiffness
    for plan in plans:
        clock, last = time.thread_time(), reached[-1]
        flat = last.map.grid is None
        begun = flat_map(last.map, plan.step) if flat else refined(last.map)
        half = begun if flat else refined(last.half)
        level = prepare(last, begun, plan)
        found, step, curvature, points = fit(level.judged, begun, stiffness, 2)
        level = replace(level, map=found, curvature=curvature, points=points)
        level, step = _try_half(level, step, half, plans[-1].step, fit, stiffness)
        reached.append(level)
        steps.append(replace(step, seconds=time.thread_time() - clock))
        say(steps[-1])
    kept = deepest([step.held_out for step in steps[1:]]) if rule.keep is None else rule.keep
    steps = [replace(step, accepted=k <= kept) for k, step in enumerate(steps)]
    last, linear = reached[-1], first.map
    if kept == 0 and plans:
        level = _still(reached[1], linear, stiffness)
        return Fitted(level, linear, tuple(steps), stiffness, (), _spread(level, last))
    found = Fitted(reached[kept], linear, tuple(steps), stiffness)
    found = _choose_stiffness(found, plans[-1].step, fit, say) if rule.choose and kept else found
    return replace(found, spread=_spread(found.level, last) if kept < len(plans) else 0.0)


def _try_half(
    level: Level, step: Step, half: SpatialMap, square: float, fit: Fit, stiffness: float
) -> tuple[Level, Step]:
    """Fit the level to the black squares from what the black ones said before, and judge it on the white."""
    black, number = black_squares(half, level.judged.points, square)
    found, told, *_ = fit(level.judged.only(black), half, stiffness, 1)
    held = held_out_gain(level.judged.only(~black), number[~black], half, found)
    evaluations = step.evaluations + told.evaluations
    return replace(level, half=found), replace(step, held_out=held, evaluations=evaluations)


def _choose_stiffness(found: Fitted, square: float, fit: Fit, say: Callable[[Step], None]) -> Fitted:
    """Try stiffer fits to the black squares, as long as the white ones gain more than chance.

    Half of the tissue asks for a stiffer map than all of it does: it has half the samples, and is judged
    where it has none. So a quarter of the stiffness that it asks for is taken, and never less than the
    suggested one. Softer ones are not tried: what a softer map follows it also follows across the edges of
    squares, as far as tissue is alike, and smooth noise would ask for maps that fold.
    """
    clock, level = time.thread_time(), found.level
    black, number = black_squares(level.half, level.judged.points, square)
    own, other = level.judged.only(black), level.judged.only(~black)
    best, half, tried = 1.0, level.half, []
    while best < _FURTHEST:
        factor = _FACTOR * best
        there = fit(own, half, factor * found.stiffness, 1)[0]
        tried.append(Tried(factor, held_out_gain(other, number[~black], half, there)))
        if tried[-1].held_out.gain <= tried[-1].held_out.chance:
            break
        best, half = factor, there
    found = replace(found, tried=tuple(tried))
    if found.factor == 1.0:
        return found
    stiffness = found.factor * found.stiffness
    spatial, step, curvature, points = fit(level.judged, level.map, stiffness, 2)
    step = replace(step, kind="stiffer", seconds=time.thread_time() - clock)
    say(step)
    level = replace(level, map=spatial, half=half, curvature=curvature, points=points)
    kept = 1 + sum(1 for s in found.steps[1:] if s.accepted)
    steps = (*found.steps[:kept], step, *found.steps[kept:])
    return replace(found, level=level, steps=steps, stiffness=stiffness)


def _still(level: Level, linear: SpatialMap, stiffness: float) -> Level:
    """The first level with a displacement of zero: no level gained more than chance."""
    found = replace(level.map, matrix=linear.matrix, shift=linear.shift)
    found = replace(found, coefficients=np.zeros_like(found.coefficients))
    cost = SplineCost(level.judged, found, stiffness)
    cost(np.zeros_like(found.coefficients))
    assert cost.matched is not None  # noqa: S101
    return replace(level, map=found, curvature=measure_curvature(cost), points=cost.matched.weight)


def _spread(chosen: Level, last: Level) -> float:
    """Root mean square distance of the map from that of half of the tissue, and from that of left-out levels.

    These are what the map does not follow, and what it does by chance. By medians, which are 0.83 of the root
    mean square of round errors: edges that one half does not see at all shall not count.
    """
    points = chosen.pairing.points[:: max(1, len(chosen.pairing.points) // 2000)]
    others = (chosen.half, last.map)
    apart = [np.linalg.norm(other(points) - chosen.map(points), axis=1) for other in others]
    return float(np.linalg.norm([np.median(part) / 0.833 for part in apart]))


def flat_map(found: SpatialMap, step: float) -> SpatialMap:
    """The same map with control points that do not move anything yet."""
    lengths = tuple(float(v) for v in found.frame.extent[:2])
    grid = SplineGrid.covering(lengths, step, tuple(-h / 2 for h in found.frame.spacing[:2]))
    return replace(found, grid=grid, coefficients=np.zeros((*grid.count, found.axes)))


def refined(found: SpatialMap) -> SpatialMap:
    """The same map with twice as many control points, by exact subdivision."""
    if found.grid is None or found.coefficients is None:
        return found
    return replace(found, grid=found.grid.refined(), coefficients=subdivide(found.coefficients))
