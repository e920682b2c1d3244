"""Levels of a registration: similarity at a level, and its minimisation over linear maps and splines."""

from copy import copy
from dataclasses import dataclass, replace

import numpy as np
from scipy import ndimage

from scalebridge.registration.descent import descend
from scalebridge.registration.difference import DescriptorPairing, slopes_of
from scalebridge.registration.pyramid import Layer
from scalebridge.registration.similarity import Matched, Similarity
from scalebridge.registration.spatial_map import SpatialMap, gathered, lifted, spread
from scalebridge.registration.spline import BendingEnergy

_LEAST_JACOBIAN = 0.2  # below which areas cost
_BARRIER = 10.0


class Pairing:
    """A fixed and a moving layer with the similarity between them.

    Args:
        fixed: the fixed layer; samples without weight are left out.
        moving: the moving layer.
        bins: of the histogram.
        normalised: whether the similarity is NMI.
    """

    def __init__(self, fixed: Layer, moving: Layer, *, bins: int = 32, normalised: bool = False):
        self.fixed, self.moving = fixed, moving
        self.kept = np.flatnonzero(fixed.weights.ravel() > 1e-3)
        self.points = fixed.frame.grid()[self.kept]
        self.inverse = np.linalg.inv(moving.frame.matrix)
        self.origin = np.array(moving.frame.origin)
        self.similarity = Similarity(
            fixed.values.ravel()[self.kept], fixed.weights.ravel()[self.kept], moving.values, moving.weights,
            bins=bins, normalised=normalised,
        )  # fmt: skip

    def __call__(self, mapped: np.ndarray, slope: bool = True) -> Matched:
        """Compare where the fixed samples are mapped to, (n, axes), mm."""
        return self.similarity(self.places(mapped), slope)

    def only(self, chosen: np.ndarray) -> "Pairing":
        """The same pairing of chosen samples alone, (n,) of True and False."""
        part = copy(self)
        part.kept, part.points = self.kept[chosen], self.points[chosen]
        part.similarity = self.similarity.only(chosen)
        return part

    def evidence(self, mapped: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Log-likelihood of each sample where it is mapped to, nats, and its weight, (n,) each."""
        return self.similarity.own_information(self.places(mapped))

    def places(self, mapped: np.ndarray) -> np.ndarray:
        """Points in samples of the moving layer, (n, axes)."""
        return (mapped - self.origin) @ self.inverse.T

    def expected_slopes(self, found: SpatialMap) -> np.ndarray:
        """Slopes, by the displacement, that the fixed values let expect of the moving image, (n, 2), 1/mm."""
        places = self.places(found(self.points))
        expected = ndimage.gaussian_filter(self.similarity.expected(places, self.fixed.values), 1.0)
        return slopes_of(expected, self.fixed.frame)[self.kept]

    def forces(self, matched: Matched) -> np.ndarray:
        """Derivative of the similarity by the mapped points, (n, axes), 1/mm."""
        return matched.forces @ self.inverse


@dataclass(frozen=True)
class HeldOut:
    """What a level gained where it was not fitted.

    Args:
        gain: of the log-likelihood of held-out samples, nats a sample.
        chance: what chance may gain, nats a sample.
    """

    gain: float
    chance: float


@dataclass(frozen=True)
class Step:
    """What a level did.

    Args:
        kind: "affine" or "spline"; "stiffer": the last level again.
        spacing: distance of the samples compared, mm.
        grid: distance of control points, mm; 0 for a linear map.
        unknowns: how many numbers were sought.
        evaluations: of similarity and derivative.
        before: similarity at the start, nats.
        after: at the end.
        costs: cost after each iteration.
        accepted: whether the level was kept.
        seconds: of this thread's processor time.
        held_out: what it gained where it was not fitted; None where that was not asked.
    """

    kind: str
    spacing: float
    grid: float
    unknowns: int
    evaluations: int
    before: float
    after: float
    costs: tuple[float, ...] = ()
    accepted: bool = True
    seconds: float = 0.0
    held_out: HeldOut | None = None


def fit_affine(pairing: Pairing, start: SpatialMap, steps: int = 60) -> tuple[SpatialMap, Step]:
    """Maximise the similarity over affine maps, from a linear map."""
    middle = pairing.points.mean(axis=0)
    centred = pairing.points - middle
    radius = float(np.sqrt((centred**2).sum(axis=1).mean()))
    anchor = start.matrix @ middle + start.shift
    size = len(middle)

    def unpack(x):
        return start.matrix + x[: size * size].reshape(size, size) / radius, anchor + x[size * size :]

    def cost(x):
        matrix, there = unpack(x)
        matched = pairing(centred @ matrix.T + there)
        forces = pairing.forces(matched)
        slope = np.concatenate([(forces.T @ centred).ravel() / radius, forces.sum(axis=0)])
        return -matched.value, -slope

    zero = np.zeros(size * size + size)
    before = -cost(zero)[0]
    gone = descend(cost, zero, lambda g: g * (1.0 / max(np.abs(g).max(), 1e-9)), steps=steps)
    matrix, there = unpack(gone.x)
    found = replace(start, matrix=matrix, shift=there - matrix @ middle)
    step = Step(
        "affine", pairing.fixed.spacing, 0.0, len(zero), gone.evaluations, before, -gone.cost, gone.costs
    )
    return found, step


class SplineCost:
    """Cost of a level: -MI + stiffness x bending + barrier against folding, with its derivative.

    Args:
        pairing: the images.
        start: a map with a grid.
        stiffness: of the mean bending energy, mm^2.
    """

    def __init__(self, pairing: Pairing | DescriptorPairing, start: SpatialMap, stiffness: float):
        assert start.grid is not None  # noqa: S101
        self.pairing, self.start, self.stiffness = pairing, start, stiffness
        frame = pairing.fixed.frame
        self.first, self.second = start.bases(frame)
        self.bending = BendingEnergy(start.grid)
        self.rest = lifted(pairing.points, start.axes) @ start.matrix.T + start.shift
        self.shape = frame.shape
        self.barrier = FoldingBarrier(start)
        self.matched: Matched | None = None

    def mapped(self, coefficients: np.ndarray) -> np.ndarray:
        """Where the fixed samples go."""
        field = spread(self.first, coefficients, self.second).reshape(-1, coefficients.shape[-1])
        return self.rest + field[self.pairing.kept] @ self.start.matrix.T

    def __call__(self, coefficients: np.ndarray) -> tuple[float, np.ndarray]:
        """Cost and derivative by the coefficients."""
        matched = self.matched = self.pairing(self.mapped(coefficients))
        full = np.zeros((int(np.prod(self.shape)), coefficients.shape[-1]))
        full[self.pairing.kept] = self.pairing.forces(matched) @ self.start.matrix
        slope = -gathered(self.first, full.reshape(*self.shape, -1), self.second)
        bent = self.bending.apply(coefficients)
        cost = -matched.value + self.stiffness * float(np.sum(bent * coefficients))
        folded, by_folded = self.barrier(coefficients)
        return cost + folded, slope + 2 * self.stiffness * bent + by_folded


class FoldingBarrier:
    """Mean of max(0.2 - J, 0)^2 over a grid of points, J the ratio of areas of x + u(x)."""

    def __init__(self, start: SpatialMap):
        grid = start.grid
        assert grid is not None  # noqa: S101
        places = [
            grid.start[k] + (np.arange(3 * (grid.count[k] - 3)) + 0.5) * grid.step[k] / 3 for k in range(2)
        ]
        self.value = [grid.basis(k, places[k]) for k in range(2)]
        self.slope = [grid.basis(k, places[k], 1) for k in range(2)]
        self.turn = np.array(start.frame.directions)

    def __call__(self, coefficients: np.ndarray) -> tuple[float, np.ndarray]:
        """Penalty and derivative by the coefficients."""
        plane = coefficients[..., :2] @ self.turn  # components along the grid's own axes
        along = spread(self.slope[0], plane, self.value[1])
        across = spread(self.value[0], plane, self.slope[1])
        jacobian = (1 + along[..., 0]) * (1 + across[..., 1]) - along[..., 1] * across[..., 0]
        short = np.maximum(_LEAST_JACOBIAN - jacobian, 0.0)
        by = np.zeros_like(coefficients)
        if short.any():
            pull = -2 * _BARRIER * short / short.size
            by_along = np.stack([pull * (1 + across[..., 1]), -pull * across[..., 0]], axis=-1)
            by_across = np.stack([-pull * along[..., 1], pull * (1 + along[..., 0])], axis=-1)
            plane_slope = gathered(self.slope[0], by_along, self.value[1])
            plane_slope += gathered(self.value[0], by_across, self.slope[1])
            by[..., :2] = plane_slope @ self.turn.T
        return _BARRIER * float(np.mean(short**2)), by
