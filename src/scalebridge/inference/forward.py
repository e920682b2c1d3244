"""Models as levels: a JAX function, any Python callable, a server or a program, all asked alike."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from scalebridge.core import precision as _precision  # noqa: F401
from scalebridge.core.errors import InputError


@dataclass(frozen=True)
class Level:
    """A model of one level, with what has to be known to ask it.

    Args:
        model: values (n,) -> answers (m,). It may have a method `gradient(values, sensitivity)` that returns
            sensitivityᵀ d(answers)/d(values), (n,).
        name: for tables and errors.
        traced: whether JAX may trace and compile it; found out by trying unless given. A function that counts
            its calls, or sleeps, must say False.
    """

    model: Callable[[Any], Any]
    name: str
    traced: bool | None = None

    @property
    def gradient(self) -> Callable[[np.ndarray, np.ndarray], Any] | None:
        """The model's own gradient, if it has one and says that it does."""
        if not getattr(self.model, "has_gradient", True):
            return None
        return getattr(self.model, "gradient", None)

    def settle(self, size: int) -> "Level":
        """Return the same with `traced` found out, for so many values."""
        if self.traced is not None:
            return self
        return Level(self.model, self.name, _can_be_traced(self.model, size))

    def ask(self, values: np.ndarray) -> np.ndarray:
        """Ask the model; the answer is a vector of numbers, finite or not."""
        return np.asarray(self.model(values), dtype=float).ravel()


def _can_be_traced(model: Callable[[Any], Any], size: int) -> bool:
    try:
        found = jax.eval_shape(lambda values: vector(model(values)), jax.ShapeDtypeStruct((size,), float))
    except Exception:  # whatever a function that was not written for JAX may raise
        return False
    return found.size > 0


def vector(answer: Any) -> Any:
    """Return a traced answer, an array or a list of numbers, as a vector."""
    return jnp.ravel(jnp.asarray(answer))


def read_levels(given: Any, size: int) -> tuple[Level, ...]:
    """Read the levels, coarse to fine.

    Args:
        given: one model, or a sequence of models or `Level`s.
        size: number of values that a model takes.

    Raises:
        InputError: no level, one that cannot be called, or two of a name.
    """
    listed = list(given) if isinstance(given, list | tuple) else [given]
    if not listed:
        raise InputError(
            "levels", got="no level", wanted="models, coarse to fine", cure="pass levels=[model]"
        )
    found = []
    for row, item in enumerate(listed):
        level = item if isinstance(item, Level) else Level(item, _name(item, row))
        if not callable(level.model):
            raise InputError(
                f"levels[{row}]",
                got=f"a {type(level.model).__name__}",
                wanted="a model: values (n,) -> answers (m,)",
                cure="pass a function, an UmBridgeModel or a CommandModel",
            )
        found.append(level.settle(size))
    names = [level.name for level in found]
    if len(set(names)) < len(names):
        found = [Level(one.model, f"{one.name} {row}", one.traced) for row, one in enumerate(found)]
    return tuple(found)


def _name(model: Any, row: int) -> str:
    found = getattr(model, "name", None) or getattr(model, "__name__", None)
    return f"level {row}" if not isinstance(found, str) or found == "<lambda>" else found
