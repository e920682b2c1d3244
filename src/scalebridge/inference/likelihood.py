"""How well answers of a model agree with data: Gaussian noise, or whatever the caller says."""

import math
from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from scalebridge.core import precision as _precision  # noqa: F401
from scalebridge.core.errors import InputError


class Likelihood:
    """The logarithm of a likelihood as a function of a model's answers.

        log L = -1/2 |W (y - f)|²,      Wᵀ W = Σ⁻¹

    Its constant is left out. Without data the model's single answer is the log-likelihood itself.

    Args:
        data: (m,) y; None where the model answers with its log-likelihood.
        covariance: (m, m) Σ of the noise.
        function: log-likelihood of the answers, a JAX function, in place of the Gaussian.
    """

    def __init__(
        self,
        data: np.ndarray | None,
        covariance: np.ndarray | None,
        function: Callable[[Any], Any] | None = None,
    ):
        self.data, self.covariance, self.function = data, covariance, function

    @property
    def gaussian(self) -> bool:
        """Whether the noise is Gaussian, so that an error of the model can be added to it."""
        return self.data is not None

    def whitener(self, further: np.ndarray | None = None) -> np.ndarray:
        """Return W for the noise with a further covariance; an empty array where there is no noise."""
        if self.covariance is None:
            return np.zeros((0, 0))
        total = self.covariance if further is None or further.size == 0 else self.covariance + further
        return np.linalg.inv(np.linalg.cholesky(total))

    def log_density(self, outputs: Any, whitener: Any, xp: Any = np) -> Any:
        """Return the log-likelihood of answers, with NumPy or (xp=jnp) JAX."""
        if self.function is not None:
            return self.function(outputs)
        if self.data is None:
            return outputs[0]
        return -0.5 * xp.sum((whitener @ (self.data - outputs)) ** 2)

    def slope(self, outputs: np.ndarray, whitener: np.ndarray) -> np.ndarray:
        """Return d(log-likelihood) / d(answers), (m,)."""
        if self.function is not None:
            return np.asarray(jax.grad(self.function)(outputs))
        if self.data is None:
            return np.ones(1)
        return whitener.T @ (whitener @ (self.data - outputs))

    def curvature(self, outputs: np.ndarray, whitener: np.ndarray) -> np.ndarray:
        """Return -d²(log-likelihood) / d(answers)², (m, m), without directions in which it is negative."""
        if self.function is None:
            return whitener.T @ whitener
        values, axes = np.linalg.eigh(-np.asarray(jax.hessian(self.function)(outputs)))
        return (axes * np.maximum(values, 0.0)) @ axes.T


def read_likelihood(data: Any, noise: Any, function: Callable[[Any], Any] | None) -> Likelihood:
    """Read data and noise.

    Args:
        data: (m,) numbers, or None.
        noise: standard deviation, one a number or for all; or the (m, m) covariance.
        function: log-likelihood of the answers, in place of both.

    Raises:
        InputError: numbers that are not finite or do not fit, noise that is not positive, or one without the
            other.
    """
    if function is not None and not callable(function):
        raise InputError(
            "likelihood", got=repr(function), wanted="a function of the answers", cure="pass a function"
        )
    if (data is None) != (noise is None) or (function is not None and data is not None):
        raise InputError(
            "data",
            got="data without noise"
            if noise is None
            else "noise without data"
            if data is None
            else "data and noise beside a likelihood",
            wanted="data with noise, or a likelihood, or neither for levels that are log-likelihoods",
            cure="pass data=y, noise=0.01",
        )
    if data is None:
        return Likelihood(None, None, function)
    y = _numbers(data, "data").ravel()
    if y.size == 0:
        raise InputError("data", got="no number", wanted="at least one measurement", cure="pass data=y")
    return Likelihood(y, _covariance(noise, y.size))


def _covariance(noise: Any, count: int) -> np.ndarray:
    given = _numbers(noise, "noise")
    if given.shape in ((), (1,), (count,)):
        if np.any(given <= 0):
            raise InputError(
                "noise",
                got=f"a standard deviation of {given.min():g}",
                wanted="positive standard deviations",
                cure="pass the standard deviation of the noise",
            )
        return np.diag(np.broadcast_to(given**2, count))
    if given.shape == (count, count) and np.allclose(given, given.T) and _definite(given):
        return given
    raise InputError(
        "noise",
        got=f"an array of shape {given.shape}",
        wanted=f"a standard deviation, {count} of them, or a positive definite ({count}, {count}) covariance",
        cure="pass one of these",
    )


def _definite(matrix: np.ndarray) -> bool:
    return bool(np.linalg.eigvalsh(matrix)[0] > 0)


def _numbers(given: Any, argument: str) -> np.ndarray:
    try:
        found = np.asarray(given, dtype=float)
    except (TypeError, ValueError) as error:
        raise InputError(argument, got=repr(given), wanted="numbers", cure="pass an array") from error
    bad = int(np.count_nonzero(~np.isfinite(found)))
    if bad:
        raise InputError(
            argument,
            got=f"{bad} of {math.prod(found.shape)} numbers that are not finite",
            wanted="finite numbers",
            cure="leave out what was not measured",
        )
    return found
