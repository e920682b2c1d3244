"""How a numerical method ended: a code that can be traced, and a sentence for people."""

from enum import IntEnum

import numpy as np
from jaxtyping import Array, Int

from scalebridge.core import precision as _precision  # noqa: F401
from scalebridge.core.errors import SolverError


class Outcome(IntEnum):
    """Codes of the ways in which an iterative method ends. The integer is what traced code carries."""

    converged = 0
    step_limit = 1
    breakdown = 2
    stagnated = 3
    cancelled = 4

    @property
    def sentence(self) -> str:
        """What happened, why it may have, and what to try."""
        return _SENTENCES[self]


_SENTENCES = {
    Outcome.converged: "The method reached the accuracy asked for.",
    Outcome.step_limit: (
        "The method used all its iterations before it reached the accuracy asked for, as happens at high "
        "contrast or at a very small rtol; raise max_steps, or loosen rtol."
    ),
    Outcome.breakdown: (
        "The method met a direction of zero or negative energy or a number that is not finite, as happens "
        "when a material tensor is not positive semidefinite; check the phases' values."
    ),
    Outcome.stagnated: (
        "The residual stopped falling at the limit of the arithmetic before the accuracy asked for was "
        "reached, as happens at contrasts beyond 1e10 or in float32; loosen rtol, or use float64."
    ),
    Outcome.cancelled: "The work was stopped from outside; what was finished is kept.",
}


def worst_outcome(codes: Int[Array, " n"] | np.ndarray | list[int]) -> Outcome:
    """Return the gravest of several outcomes (the one with the largest code)."""
    return Outcome(int(np.max(np.asarray(codes))))


def require_converged(outcome: Outcome, what: str) -> None:
    """Raise SolverError unless the outcome is `converged`. Only public verbs call this."""
    if outcome is not Outcome.converged:
        raise SolverError(f"{what}: {outcome.sentence}")
