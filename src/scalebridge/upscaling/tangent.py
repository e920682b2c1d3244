"""The tangent upscaler: ask a linear model one unit question a component, hand up the matrix of answers.

Conductivity, stiffness and permeability are tangents. The matrix is evaluated in energy form,
T_ij = <energy of fields i and j>, whose error is the square of the fields' error, and in the form of mean
answers; the gap between the two is an algebraic error. At the exact fields the energy is stationary, so
that dT_ij follows from the load cases already solved: no adjoint solve is needed.
"""

import itertools
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, PyTree

from scalebridge.core import precision as _precision  # noqa: F401
from scalebridge.core.model import HostLinearModel, LinearModel, Outlook, Response
from scalebridge.core.results import Outcome

Watch = Callable[[int, int, float, float], None]
"""Called as watch(case, steps, error, wanted) while a solve runs."""


class Tangent(eqx.Module):
    """The tangent of a linear model, with the evidence behind it.

    Args:
        value: the tangent in energy form.
        from_answers: the tangent in the form of mean answers, row i the answer's component i, column j the
            load.
        responses: the response of every load case, in order; None for one that was not asked.
    """

    value: Float[Array, "n n"]
    from_answers: Float[Array, "n n"]
    responses: tuple[Response | None, ...]

    @property
    def gap(self) -> float:
        """Largest difference of the two forms, relative to the largest component."""
        scale = float(jnp.max(jnp.abs(self.value)))
        return float(jnp.max(jnp.abs(self.value - self.from_answers))) / scale if scale > 0 else 0.0

    @property
    def codes(self) -> list[int]:
        """How each case that was asked ended."""
        return [int(r.result) for r in self.responses if r is not None]

    @property
    def algebraic_error(self) -> float:
        """Largest estimated relative error of a diagonal component: what the stop watched."""
        asked = [r for r in self.responses if r is not None]
        return max((float(r.stats["errors"][r.stats["steps"]]) for r in asked), default=0.0)


@eqx.filter_custom_jvp
def differentiable_tangent(model: LinearModel) -> Float[Array, "n n"]:
    """Return the tangent of a linear model as a function to be differentiated.

    jax.grad and jax.jvp cost the load cases' solves and no more; higher derivatives are exact through the
    implicit differentiation of `respond`.

    Args:
        model: a linear self-adjoint model; its inexact arrays are what is differentiated.

    Returns:
        the tangent in energy form.
    """
    return _pairs(model, _fields(model))


@differentiable_tangent.def_jvp
def _tangent_jvp(primals, tangents):
    (model,), (t_model,) = primals, tangents
    fields = _fields(model)
    value, rate = eqx.filter_jvp(lambda m: _pairs(m, fields), (model,), (t_model,))
    return value, rate


def watched_tangent(
    model: LinearModel | HostLinearModel,
    *,
    skip: tuple[int, ...] = (),
    chunk: int = 8,
    watch: Watch | None = None,
) -> Tangent:
    """Compute the tangent in pieces, so that progress shows and Ctrl-C stops between two of them.

    Args:
        model: the linear model, traced by JAX or run in plain memory.
        skip: load cases whose answer is known to be zero; they are not solved.
        chunk: steps between two looks.
        watch: called with (case, steps done, error, error wanted) after every piece.

    Returns:
        the `Tangent`.
    """
    driver = model if isinstance(model, HostLinearModel) else _Compiled(model)
    size = model.asks.size
    kept = [case for case in range(size) if case not in skip]
    solved = {case: _watched_case(driver, np.eye(size)[case], case, chunk, watch) for case in kept}
    value, answers = np.zeros((size, size)), np.zeros((size, size))
    if kept:
        value[np.ix_(kept, kept)] = driver.energies([solved[case].fields for case in kept])
        answers[:, kept] = np.stack([np.asarray(solved[case].answer) for case in kept], axis=1)
    return Tangent(jnp.asarray(value), jnp.asarray(answers), tuple(solved.get(c) for c in range(size)))


class _Compiled:
    """Drives a traced model as a `HostLinearModel` is driven: every piece is compiled once a shape."""

    def __init__(self, model: LinearModel):
        self._model = model

    def begin(self, load: np.ndarray) -> Any:
        return _begin(self._model, jnp.asarray(load))

    def advance(self, work: Any, steps: int) -> Any:
        return _advance(self._model, work, jnp.asarray(steps))

    def outlook(self, work: Any) -> Outlook:
        return self._model.outlook(work)

    def finish(self, load: np.ndarray, work: Any) -> Response:
        return _finish(self._model, jnp.asarray(load), work)

    def energies(self, fields: list[Any]) -> np.ndarray:
        found = np.zeros((len(fields), len(fields)))
        for i, j in itertools.combinations_with_replacement(range(len(fields)), 2):
            found[i, j] = found[j, i] = float(_energy(self._model, fields[i], fields[j]))
        return found


def table_sensitivity(model: HostLinearModel, tangent: Tangent) -> np.ndarray:
    """Return dT_ij with respect to the table of a model that runs in plain memory.

    Args:
        model: the model.
        tangent: its tangent, with the responses.

    Returns:
        an array with axes (i, j) and then those of the table; zero where a case was not asked.

    Cost: some passes over the fields a row of the table; no solve.
    """
    cases = [None if r is None else r.fields for r in tangent.responses]
    slopes = {}
    for i, j in itertools.combinations_with_replacement(range(len(cases)), 2):
        if cases[i] is not None and cases[j] is not None:
            slopes[i, j] = slopes[j, i] = model.slopes(cases[i], cases[j])
    blank = np.zeros_like(next(iter(slopes.values()))) if slopes else np.zeros(())
    return np.stack([[slopes.get((i, j), blank) for j in range(len(cases))] for i in range(len(cases))])


def sensitivity(model: LinearModel, tangent: Tangent) -> PyTree:
    """Return dT_ij with respect to every inexact array of the model, from the load cases already solved.

    Args:
        model: the linear model.
        tangent: its tangent, with the responses.

    Returns:
        a tree like the model, whose arrays carry two leading axes (i, j); zero where a case was not asked.

    Cost: one energy evaluation and its transpose a pair of cases; no solve.
    """
    size = tangent.value.shape[0]
    blank = jax.tree.map(jnp.zeros_like, eqx.filter(model, eqx.is_inexact_array))
    found = {}
    for i, j in itertools.combinations_with_replacement(range(size), 2):
        first, second = tangent.responses[i], tangent.responses[j]
        if first is None or second is None:
            found[i, j] = found[j, i] = blank
        else:
            found[i, j] = found[j, i] = _energy_gradient(model, first.fields, second.fields)
    entries = [found[pair] for pair in itertools.product(range(size), repeat=2)]
    return jax.tree.map(lambda *leaves: jnp.stack(leaves).reshape(size, size, *leaves[0].shape), *entries)


def _watched_case(
    driver: "HostLinearModel | _Compiled", load: np.ndarray, case: int, chunk: int, watch: Watch | None
) -> Response:
    work = driver.begin(load)
    while not (now := driver.outlook(work)).done:
        if watch is not None:
            watch(case, now.steps, now.error, now.wanted)
        work = driver.advance(work, chunk)
    return driver.finish(load, work)


def _fields(model: LinearModel) -> PyTree:
    """Solve every unit load case, one after the other so that memory stays at one solve."""
    size = model.asks.size
    return jax.lax.map(lambda load: model.respond(load, model.rest()).fields, jnp.eye(size))


def _pairs(model: LinearModel, fields: PyTree) -> Float[Array, "n n"]:
    """Return the energies of all pairs.

    Compiled once for all of them; for a gradient fields are computed again rather than kept for each pair.
    """
    size = model.asks.size
    rows, columns = np.triu_indices(size)

    @eqx.filter_checkpoint
    def of(model: LinearModel, fields: PyTree, pair: Array) -> Array:
        first, second = (jax.tree.map(lambda leaf, i=i: leaf[pair[i]], fields) for i in (0, 1))
        return model.energy(first, second)

    entries = jax.lax.map(lambda pair: of(model, fields, pair), jnp.stack([rows, columns], axis=1))
    value = jnp.zeros((size, size), entries.dtype).at[rows, columns].set(entries)
    return value.at[columns, rows].set(entries)


# Compiled once a shape: the models are arguments, never closed over.
_begin = eqx.filter_jit(lambda model, load: model.begin(load))
_advance = eqx.filter_jit(lambda model, work, steps: model.advance(work, steps))
_finish = eqx.filter_jit(lambda model, load, work: model.finish(load, work))
_energy = eqx.filter_jit(lambda model, first, second: model.energy(first, second))
_energy_gradient = eqx.filter_jit(
    lambda model, first, second: eqx.filter_grad(lambda m: m.energy(first, second))(model)
)


def converged(codes: list[int] | Int[Array, " n"]) -> bool:
    """Whether every case reached its accuracy."""
    return all(int(c) == Outcome.converged for c in codes)
