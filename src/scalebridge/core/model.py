"""Model: answers questions. Fine and coarse are roles of models, not kinds of them."""

import abc
from typing import Any, NamedTuple

import equinox as eqx
import numpy as np
from jaxtyping import Array, Float, PyTree

from scalebridge.core import precision as _precision  # noqa: F401
from scalebridge.core.spec import Spec


class Response(eqx.Module):
    """A model's answer to one question.

    Args:
        answer: the flattened answers, in the order and with the sizes of the model's `answers`.
        state: the state after the question; a model without memory hands back what it was given.
        fields: fine-scale fields behind the answer (pytree of arrays), or None.
        result: code of the `Outcome` of the numerical method.
        stats: numbers about the work done, such as the iteration count.
    """

    answer: Float[Array | np.ndarray, " answers"]
    state: PyTree
    fields: PyTree
    result: Array | np.ndarray
    stats: dict[str, Any]


class Outlook(NamedTuple):
    """Where a solve that is taken in pieces stands.

    Args:
        done: whether it has ended, well or not.
        steps: steps done.
        error: estimated relative error now.
        wanted: error wanted.
    """

    done: bool
    steps: int
    error: float
    wanted: float


class Model(eqx.Module):
    """Something that can be asked: a load and a state in, an answer and a state out.

    A final model is a pure function of its fields, the load and the state: asking twice gives the same
    answer, and `state` is never changed in place, so that a trial can be thrown away. A model without
    memory uses the empty tuple as its state.
    """

    @property
    @abc.abstractmethod
    def asks(self) -> Spec:
        """What a load is."""

    @property
    @abc.abstractmethod
    def answers(self) -> Spec:
        """What an answer is."""

    @abc.abstractmethod
    def rest(self) -> PyTree:
        """Return the state before any load."""

    @abc.abstractmethod
    def respond(self, load: Float[Array, " load"], state: PyTree) -> Response:
        """Answer one question from a given state."""


class LinearModel(Model):
    """A model whose answer is linear in the load, and whose answers are weighted means of a fine field.

    Such a model has an energy: a symmetric bilinear form of the fields of two load cases. At the exact fields
    it equals load_i . tangent . load_j, and its error is the square of the fields' error; the mean of the
    dual field (the `answer`) is the other form of the same number. Their gap is an algebraic error.

    Its solve can be taken in pieces, `begin`, `advance`, `finish`, so that whoever drives it can show
    progress and stop cleanly; `respond` is the three in one, and is differentiated implicitly.
    """

    @abc.abstractmethod
    def energy(self, first: PyTree, second: PyTree) -> Float[Array, ""]:
        """Return the mean energy of two load cases' fields (`Response.fields`)."""

    @abc.abstractmethod
    def begin(self, load: Float[Array, " load"]) -> PyTree:
        """Return the work of a load case before its first step."""

    @abc.abstractmethod
    def advance(self, work: PyTree, steps: int | Array) -> PyTree:
        """Do at most `steps` further steps of a solve."""

    @abc.abstractmethod
    def finish(self, load: Float[Array, " load"], work: PyTree) -> Response:
        """Turn the work of a load case into its response."""

    @abc.abstractmethod
    def outlook(self, work: PyTree) -> Outlook:
        """Say where a solve stands."""


class HostLinearModel(abc.ABC):
    """A linear model that runs in plain memory: the same questions as a `LinearModel`, not traced by JAX.

    Its solver changes its work in place and its fields are NumPy arrays, so that a large problem takes no
    more memory than its vectors.
    """

    @property
    @abc.abstractmethod
    def asks(self) -> Spec:
        """What a load is."""

    @property
    @abc.abstractmethod
    def answers(self) -> Spec:
        """What an answer is."""

    @abc.abstractmethod
    def begin(self, load: np.ndarray) -> Any:
        """Return the work of a load case before its first step."""

    @abc.abstractmethod
    def advance(self, work: Any, steps: int) -> Any:
        """Do at most `steps` further steps of a solve, in place, and return the work."""

    @abc.abstractmethod
    def outlook(self, work: Any) -> Outlook:
        """Say where a solve stands."""

    @abc.abstractmethod
    def finish(self, load: np.ndarray, work: Any) -> Response:
        """Turn the work of a load case into its response."""

    @abc.abstractmethod
    def energies(self, fields: list[Any]) -> np.ndarray:
        """Return the mean energies of all pairs of load cases' fields."""

    @abc.abstractmethod
    def slopes(self, first: Any, second: Any) -> np.ndarray:
        """Return the derivative of two load cases' energy with respect to the model's table."""
