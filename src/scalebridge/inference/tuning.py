"""What adapts during the warm-up, and is then frozen: step, covariance, archive, corrections, subchains."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, get_args

import numpy as np

from scalebridge.inference.correction import Correction, learn

Proposal = Literal["random-walk", "adaptive-metropolis", "pcn", "dream-z", "mala", "hmc"]
PROPOSALS: tuple[str, ...] = get_args(Proposal)
Whitening = Literal["draws", "curvature"]
WHITENINGS: tuple[str, ...] = get_args(Whitening)
GRADIENTS = ("mala", "hmc")
_WANTED = {"mala": 0.574, "hmc": 0.8}  # mean acceptance; 0.25 for the others
_ARCHIVE = 400  # rows at most
_SHRINK = 10.0  # points that the covariance before counts as
_LONGEST = 200  # subchain


@dataclass(frozen=True)
class Plan:
    """What is decided before anything runs.

    Args:
        proposal: how the coarsest level moves.
        powers: falling powers of the likelihood, from 1, of a tempered coarsest level; (1,) without.
        random_length: whether subchain lengths are drawn.
        degree: highest degree of the corrections, -1 for none.
        patience: failures of a model in a row that stop the run.
        seed: of all random numbers.
        whitening: what the covariance of proposals is taken from.
    """

    proposal: Proposal
    powers: tuple[float, ...] = (1.0,)
    random_length: bool = False
    degree: int = 2
    patience: int = 50
    seed: int = 0
    whitening: Whitening = "draws"


@dataclass(frozen=True)
class Tuning:
    """What the kernels are made with.

    Args:
        scale: of the steps; 1 is the usual length for a Gaussian.
        centre: (d,) mean of what was seen.
        root: (d, d) root of its covariance.
        archive: (n, d) past states.
        corrections: one a level, of its answers towards those of the finest.
        lengths: steps of the subchain below each level but the coarsest.
    """

    scale: float
    centre: np.ndarray
    root: np.ndarray
    archive: np.ndarray
    corrections: tuple[Correction, ...]
    lengths: tuple[int, ...]

    def to_plain(self) -> dict[str, Any]:
        """Return plain data, which another process can read."""
        return {**vars(self), "corrections": tuple(vars(one) for one in self.corrections)}

    @classmethod
    def from_plain(cls, told: dict[str, Any]) -> "Tuning":
        """Return what `to_plain` was given."""
        return cls(**{**told, "corrections": tuple(Correction(**one) for one in told["corrections"])})


@dataclass
class Lessons:
    """Fine answers that corrections are learnt from, pooled over chains and rounds.

    Args:
        points: coordinates where the finest level answered.
        outputs: by level, the answers there.
    """

    points: list[np.ndarray] = field(default_factory=list)
    outputs: list[list[np.ndarray]] = field(default_factory=list)

    def add(self, points: np.ndarray, outputs: Sequence[np.ndarray]) -> None:
        """Add points with the answers of all levels."""
        self.points += list(points)
        self.outputs += [[level[row] for level in outputs] for row in range(len(points))]

    def __len__(self) -> int:
        return len(self.points)


def wanted_acceptance(proposal: str) -> float:
    """Return the mean acceptance at which a proposal does most for its cost."""
    return _WANTED.get(proposal, 0.25)


def move_scale(tuning: Tuning, proposal: str, probability: float, gain: float) -> Tuning:
    """Return the same with a step that brings the acceptance closer to the wanted one."""
    scale = tuning.scale * math.exp(gain * (probability - wanted_acceptance(proposal)))
    return replace(tuning, scale=min(scale, 1.0) if proposal == "pcn" else scale)


def move_covariance(tuning: Tuning, positions: np.ndarray, chains: int) -> Tuning:
    """Return the same with mean, covariance and archive of positions (chains, steps, d), second half.

    The covariance before counts as a few points, and every chain as no more points than its moves suggest.
    """
    half = positions[:, positions.shape[1] // 2 :].reshape(-1, positions.shape[2])
    count = chains + len(np.unique(half[:, 0])) / 4.0
    centre = half.mean(axis=0)
    away = half - centre
    before = tuning.root @ tuning.root.T
    covariance = (count * (away.T @ away) / len(half) + _SHRINK * before) / (count + _SHRINK)
    root = np.linalg.cholesky(
        covariance + 1e-12 * np.trace(covariance) / len(covariance) * np.eye(len(centre))
    )
    rows = np.linspace(0, len(half) - 1, min(_ARCHIVE, len(half))).astype(int)
    archive = np.unique(half[rows], axis=0)
    if len(archive) < 2 * half.shape[1] + 10:
        archive = np.concatenate([archive, tuning.archive])[-_ARCHIVE:]
    return replace(tuning, centre=centre, root=root, archive=archive)


def move_corrections(tuning: Tuning, lessons: Lessons, noise: np.ndarray | None, degree: int) -> Tuning:
    """Return the same with corrections learnt again from all lessons."""
    if degree < 0 or len(lessons) < 4:
        return tuning
    points = np.array(lessons.points)
    fine = np.array([row[-1] for row in lessons.outputs])
    corrections = [
        learn(
            points,
            fine - np.array([row[level] for row in lessons.outputs]),
            tuning.centre,
            tuning.root,
            noise,
            degree,
        )
        for level in range(len(tuning.corrections) - 1)
    ]
    return replace(tuning, corrections=(*corrections, tuning.corrections[-1]))


def best_length(steps: float, cost: float) -> int:
    """Return the subchain length J that gives most for its cost: least (1 + J c) coth(J / τ).

    A chain whose correlation falls as exp(-2 n / τ) has an autocorrelation time of coth(J / τ) when every
    J-th state is kept, and a kept state costs one fine evaluation and J coarse steps.

    Args:
        steps: τ, autocorrelation time of the cheaper level in its own steps.
        cost: c of one cheap step, in evaluations of the level above.

    Example:
        >>> best_length(20.0, 0.01), best_length(20.0, 1.0), best_length(1.2, 0.01)
        (33, 8, 4)
    """
    lengths = np.arange(1, _LONGEST + 1)
    price = (1.0 + lengths * cost) / np.tanh(lengths / max(steps, 1.0))
    return int(lengths[np.argmin(price)])
