"""What an integration point of a coarse model asks: something that remembers, whatever it is made of.

A unit answers a load from a committed state and never changes that state. What it is (a law at a point, a
representative volume of voxels) is not known here.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import numpy as np

UnitState = Mapping[str, np.ndarray]
"""One point's internal variables and fields by name, float64."""


@dataclass(frozen=True)
class UnitAnswer:
    """What a unit says to a load.

    Args:
        answer: (k,) the answer, a stress.
        tangent: (k, k) d(answer) / d(load).
        state: the trial state.
        hint: arrays that make the next solve cheaper, or None.
        outcome: how the solve ended; anything but zero is a failure.
        stats: numbers about the work.
    """

    answer: np.ndarray
    tangent: np.ndarray
    state: UnitState
    hint: UnitState | None = None
    outcome: int = 0
    stats: dict[str, Any] = field(default_factory=dict)


class LazyUnitAnswer(Protocol):
    """The one answer that all points share which have not met their first irreversible load."""

    @property
    def tangent(self) -> np.ndarray:
        """(k, k) the elastic tangent."""
        ...

    def margin(self, load: np.ndarray) -> float:
        """Return a number that is at most zero exactly while the elastic answer is the unit's own."""
        ...


@runtime_checkable
class HistoryUnit(Protocol):
    """Something with a memory that answers loads; see `UnitAnswer` for what it returns."""

    def rest(self) -> UnitState:
        """Return the state before any load."""
        ...

    def respond(
        self, load: np.ndarray, state: UnitState, dt: float = 0.0, *, hint: UnitState | None = None
    ) -> Any:
        """Answer a load, always from the committed `state`, which is left as it is."""
        ...

    def elastic(self) -> LazyUnitAnswer | None:
        """Return the elastic answer, or None where there is none that is exact."""
        ...

    def signature(self) -> str:
        """Return a hash of everything that decides the answers: materials, image, settings."""
        ...


@runtime_checkable
class BatchedUnit(Protocol):
    """A unit that answers for many points at once; its states have a leading axis of points."""

    def respond_many(
        self, loads: np.ndarray, states: Mapping[str, np.ndarray], dt: float
    ) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray], np.ndarray]:
        """Return answers (n, k), tangents (n, k, k), trial states and codes (n,)."""
        ...


def load_size(unit: HistoryUnit) -> int:
    """Return how many numbers a load has: 9 of a deformation gradient, 6 of a small strain."""
    return 9 if getattr(unit, "finite", False) else 6
