"""Checks: what a passage preserves, measured, with the tolerance it was held to."""

import math
from dataclasses import asdict, dataclass
from typing import Any, Literal

Relation = Literal["at most", "at least"]


@dataclass(frozen=True)
class Check:
    """One statement about a result, with the number that was measured.

    Args:
        name: a short name, unique within a result.
        value: the number measured.
        tolerance: the number it is held against.
        relation: whether `value` must be "at most" or "at least" `tolerance`.
        meaning: what is preserved and where the tolerance comes from, in a sentence.

    Example:
        >>> check = Check("symmetry", 3e-16, 1e-8, meaning="reciprocity of the answers")
        >>> check.passed
        True
        >>> print(check)
        pass  symmetry: 3e-16 at most 1e-08
    """

    name: str
    value: float
    tolerance: float
    relation: Relation = "at most"
    meaning: str = ""

    @property
    def passed(self) -> bool:
        """Whether the number keeps to its tolerance; a number that is not finite never does."""
        if not math.isfinite(self.value):
            return False
        within = self.value <= self.tolerance if self.relation == "at most" else self.value >= self.tolerance
        return bool(within)

    def __str__(self) -> str:
        verdict = "pass" if self.passed else "FAIL"
        return f"{verdict}  {self.name}: {self.value:.3g} {self.relation} {self.tolerance:.3g}"

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, with the verdict, for JSON."""
        return {**asdict(self), "value": float(self.value), "passed": self.passed}
