"""The three methods behind one face: how each learns, estimates, and says what smoothing leaves."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np

from scalebridge.fusion.block_estimate import (
    Estimate,
    Gated,
    Search,
    block_scores,
    block_squares,
    estimate_blocks,
    gate_scenes,
    learn_blocks,
    learning_footprints,
)
from scalebridge.fusion.calibration import calibrated, scene_scores
from scalebridge.fusion.fusion_problem import Observed, Problem
from scalebridge.fusion.joint_estimate import (
    estimate_iterative,
    estimate_sparse,
    iterative_squares,
    lagged,
    sparse_squares,
)
from scalebridge.fusion.joint_learning import learn_joint, learning_window
from scalebridge.fusion.learning import Learnt
from scalebridge.fusion.robust import reweighted


class Method(ABC):
    """How a problem is answered."""

    @abstractmethod
    def learn(self, problem: Problem, search: Search, start: dict[str, float] | None) -> Learnt:
        """Return the parameters."""

    @abstractmethod
    def estimate(
        self, problem: Problem, values: dict[str, float], wanted: np.ndarray, lag: int | None = None
    ) -> Estimate:
        """Return the field on the wanted dates, from data that end `lag` dates after each, or all."""

    @abstractmethod
    def squares(self, problem: Problem, values: dict[str, float]) -> dict[str, np.ndarray]:
        """Return by sensor E[e^2] of what smoothing leaves of each observation."""

    @abstractmethod
    def scores(
        self, problem: Problem, values: dict[str, float], search: Search, scene: tuple[Observed, int]
    ) -> np.ndarray:
        """Return differences of a scene to its prediction without it, in units of their deviation."""

    @abstractmethod
    def rehearse(self, problem: Problem, search: Search) -> tuple["Method", Problem, str]:
        """Return the method and the part of a problem that parameters are learnt with, and its name."""


@dataclass(frozen=True)
class Blocks(Method):
    """Footprints that do not know each other.

    Args:
        block: pixels of a footprint.
    """

    block: tuple[int, int]

    def learn(self, problem: Problem, search: Search, start: dict[str, float] | None) -> Learnt:
        return learn_blocks(problem, self.block, search, start)

    def estimate(
        self, problem: Problem, values: dict[str, float], wanted: np.ndarray, lag: int | None = None
    ) -> Estimate:
        return estimate_blocks(problem, self.block, values, wanted, lag)

    def squares(self, problem: Problem, values: dict[str, float]) -> dict[str, np.ndarray]:
        return block_squares(problem, self.block, values)

    def scores(
        self, problem: Problem, values: dict[str, float], search: Search, scene: tuple[Observed, int]
    ) -> np.ndarray:
        members = learning_footprints(problem, self.block, search)
        return block_scores(problem, self.block, members, values, *scene)

    def rehearse(self, problem: Problem, search: Search) -> tuple[Method, Problem, str]:
        return self, problem, ""


@dataclass(frozen=True)
class SparseFactor(Method):
    """All unknowns at once, by one sparse factor."""

    def learn(self, problem: Problem, search: Search, start: dict[str, float] | None) -> Learnt:
        return learn_joint(problem, search, start)

    def estimate(
        self, problem: Problem, values: dict[str, float], wanted: np.ndarray, lag: int | None = None
    ) -> Estimate:
        if lag is None:
            return estimate_sparse(problem, values, wanted)
        return lagged(problem, wanted, lag, lambda cut, dates: estimate_sparse(cut, values, dates))

    def squares(self, problem: Problem, values: dict[str, float]) -> dict[str, np.ndarray]:
        return sparse_squares(problem, values)

    def scores(
        self, problem: Problem, values: dict[str, float], search: Search, scene: tuple[Observed, int]
    ) -> np.ndarray:
        return _scores_of_all(self, problem, values, scene)

    def rehearse(self, problem: Problem, search: Search) -> tuple[Method, Problem, str]:
        return self, problem, ""


@dataclass(frozen=True)
class Iterations(Method):
    """All unknowns at once, by conjugate gradients and samples.

    Args:
        seed: of the samples.
    """

    seed: int = 0

    def learn(self, problem: Problem, search: Search, start: dict[str, float] | None) -> Learnt:
        """Return what is known; what is not is learnt from a part of the problem, see `rehearse`."""
        known = {p.name: p.median for p in problem.parameters}
        return Learnt(known, {}, float("nan"), 0, True, ())

    def estimate(
        self, problem: Problem, values: dict[str, float], wanted: np.ndarray, lag: int | None = None
    ) -> Estimate:
        def one(cut: Problem, dates: np.ndarray) -> Estimate:
            return estimate_iterative(cut, values, dates, seed=self.seed)

        return one(problem, wanted) if lag is None else lagged(problem, wanted, lag, one)

    def squares(self, problem: Problem, values: dict[str, float]) -> dict[str, np.ndarray]:
        return iterative_squares(problem, values, seed=self.seed)

    def scores(
        self, problem: Problem, values: dict[str, float], search: Search, scene: tuple[Observed, int]
    ) -> np.ndarray:
        return _scores_of_all(self, problem, values, scene)

    def rehearse(self, problem: Problem, search: Search) -> tuple[Method, Problem, str]:
        if not search.calibrate and all(p.factor is None for p in problem.parameters):
            return self, problem, ""
        return SparseFactor(), *learning_window(problem)


def _scores_of_all(
    method: Method, problem: Problem, values: dict[str, float], scene: tuple[Observed, int]
) -> np.ndarray:
    """What `Method.scores` returns, from an estimate of all pixels."""
    observed, place = scene
    blind = problem.without(observed.scene or observed.name, place)
    found = method.estimate(blind, values, np.array([place]))
    truth = observed.values[place] + problem.level_of(observed)
    mean, std = (field[0].reshape(-1, len(truth))[observed.alone] for field in (found.mean, found.std))
    return scene_scores(observed, values, (truth, observed.scale[place]), (mean, std**2))


def method_of(name: str, problem: Problem, seed: int = 0) -> Method:
    """Return a method by its name: "blocks", "sparse" or "iterative".

    Example:
        >>> from scalebridge.fusion.fusion_model import FusionModel
        >>> from scalebridge.fusion.fusion_problem import gather
        >>> from scalebridge.fusion.sensors import Sensor
        >>> method_of("blocks", gather(Sensor("survey", np.ones((1, 2, 2)), [0]), FusionModel()))
        Blocks(block=(1, 1))
    """
    if name == "blocks":
        block = problem.block
        assert block is not None  # noqa: S101
        return Blocks(block)
    return SparseFactor() if name == "sparse" else Iterations(seed)


def learn_by(method: Method, problem: Problem, search: Search) -> tuple[Learnt, Problem, tuple[Gated, ...]]:
    """Leave out scenes that are far off, learn the parameters from the others, and weigh heavy tails.

    Args:
        method: how the problem is answered.
        problem: the problem.
        search: how parameters are learnt.

    Returns:
        what was learnt, the problem without the scenes that were left out, and which these are.
    """
    gated: tuple[Gated, ...] = ()
    if search.gate is not None:
        problem, gated = gate_scenes(problem, search.gate)
    own, sample, source = method.rehearse(problem, search)
    found = own.learn(sample, search, None)
    if any(o.tails is not None for o in problem.observed):
        sample = reweighted(sample, found.values, own.squares)
        found = own.learn(sample, search, found.values)
        sample = reweighted(sample, found.values, own.squares)
        problem = sample if own is method else reweighted(problem, found.values, method.squares)
    elif own is method:
        problem = sample
    if search.calibrate:
        values = found.values
        found = calibrated(sample, found, lambda o, place: own.scores(sample, values, search, (o, place)))
    return found._replace(source=source), problem, gated
