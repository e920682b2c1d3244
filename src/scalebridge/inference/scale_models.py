"""Whole models in place of scales: what each predicts of the values, and how many parameters it fitted."""

from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp
import numpy as np

from scalebridge.core.errors import InputError
from scalebridge.core.model import Model
from scalebridge.core.results import Outcome
from scalebridge.inference.scale_values import finite_numbers

_CURE = "pass {'Darcy': (predicted, 1)}, or {'Darcy': (model, loads, 1)}"


def predictions_of(models: Mapping[str, Any], count: int, most: float) -> tuple[np.ndarray, np.ndarray]:
    """Return what models predict, (models, n), and how many parameters each fitted.

    Args:
        models: by name (predictions, number) or (model, loads, number): a `Model` that is asked all loads
            (q, asks) one after the other, the state handed on; its answers in a row are the predictions.
        count: n, number of values.
        most: largest share of the values that fitted parameters may be.

    Raises:
        InputError: predictions of another number, loads that the model does not take, or a model that finds
            no answer.
    """
    if not models:
        raise InputError("models", got="none", wanted="one or more", cure=_CURE)
    found, sizes = [], []
    for name, given in models.items():
        argument = f"models[{name!r}]"
        parts = tuple(given) if isinstance(given, tuple | list) else ()
        size = parts[-1] if parts else None
        counted = isinstance(size, int) and not isinstance(size, bool) and 0 <= size <= most * count
        told = _predicted(parts[:-1], argument) if counted else np.zeros(0)
        if len(told) != count:
            raise InputError(
                argument,
                got=repr(given)[:80] if not len(told) else f"{len(told)} predictions",
                wanted=f"({count} predictions, number of fitted parameters)",
                cure=_CURE,
            )
        found.append(told)
        sizes.append(size)
    return np.array(found), np.array(sizes)


def _predicted(parts: tuple[Any, ...], argument: str) -> np.ndarray:
    if len(parts) == 2 and isinstance(parts[0], Model):
        return _answers(parts[0], parts[1], argument)
    return finite_numbers(parts[0], argument) if len(parts) == 1 else np.zeros(0)


def _answers(model: Model, loads: Any, argument: str) -> np.ndarray:
    """Ask a model all loads in turn, from rest."""
    size = model.asks.size
    asked = np.asarray(loads, dtype=float)
    if asked.ndim != 2 or asked.shape[1] != size or not np.all(np.isfinite(asked)):
        raise InputError(
            argument,
            got=f"loads of shape {asked.shape}",
            wanted=f"finite numbers (q, {size}): {model.asks.name}",
            cure="pass a row a load",
        )
    state, answers = model.rest(), []
    for row, load in enumerate(asked):
        response = model.respond(jnp.asarray(load), state)
        if int(response.result) != Outcome.converged:
            raise InputError(
                argument,
                got=f"no answer to load {row}: {Outcome(int(response.result)).name}",
                wanted="a model that answers every load",
                cure="loosen its tolerances, or leave the model out",
            )
        state = response.state
        answers.append(np.asarray(response.answer))
    return np.concatenate(answers) if answers else np.zeros(0)
