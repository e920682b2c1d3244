"""How an equilibrium with history is solved."""

import math
from dataclasses import dataclass
from typing import Literal

from scalebridge.core.errors import InputError

Precision = Literal["mixed", "double"]


@dataclass(frozen=True)
class PathSettings:
    """How an equilibrium with history is solved.

    Args:
        tolerance: largest part of the stress that may be out of equilibrium, both measured as energies of a
            homogeneous medium. The answer's error is about its square where the tangent is wanted.
        tangent_tolerance: part of the right-hand side left by the solves behind the consistent tangent. The
            tangent's error is about its square.
        max_iterations: largest number of Newton steps before the step is cut.
        max_cuts: how often a step may be halved.
        max_steps: largest number of Krylov steps a linear solve.
        precision: "mixed" takes directions and sensitivities in float32, and all that is handed up in
            float64; "double" takes all in float64.

    Raises:
        InputError: a number out of its range.

    Example:
        >>> PathSettings(tolerance=1e-6).max_iterations
        30
    """

    tolerance: float = 1e-8
    tangent_tolerance: float = 1e-3
    max_iterations: int = 30
    max_cuts: int = 6
    max_steps: int = 1000
    precision: Precision = "mixed"

    def __post_init__(self) -> None:
        for name in ("tolerance", "tangent_tolerance"):
            given = getattr(self, name)
            if not (math.isfinite(given) and 0 < given < 0.5):
                raise InputError(
                    name, got=repr(given), wanted="a number in (0, 0.5)", cure="pass 1e-8 or 1e-3"
                )
        for name, least in (("max_iterations", 1), ("max_cuts", 0), ("max_steps", 1)):
            given = getattr(self, name)
            if not isinstance(given, int) or given < least:
                raise InputError(name, got=repr(given), wanted=f"a whole number >= {least}", cure="pass 30")
        if self.precision not in ("mixed", "double"):
            raise InputError(
                "precision", got=repr(self.precision), wanted='"mixed" or "double"', cure='pass "mixed"'
            )
