"""Densities whose draws are known exactly, for tests, examples and benchmarks of samplers.

The densities of two variables are those of the UM-Bridge benchmarks (Seelinger et al., J. Open Source Softw.
8 (2023) 4748; analytic-banana, -donut, -funnel and -gaussian-mixture).
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import jax.numpy as jnp
import numpy as np
from scipy.special import ndtr

from scalebridge.core import precision as _precision  # noqa: F401
from scalebridge.inference.correction import no_correction
from scalebridge.inference.forward import Level
from scalebridge.inference.kernels import State, Target
from scalebridge.inference.likelihood import Likelihood
from scalebridge.inference.parameters import Prior, parameter
from scalebridge.inference.targets import LevelPosterior, Tally

_LOG_2PI = math.log(2.0 * math.pi)
_BEND, _CURVE, _SHIFT, _SLANT = 2.0, 0.2, 4.0, 0.5  # of the banana
_RADIUS, _THICKNESS = 2.6, 0.033  # of the donut
_CENTRES = np.array([[-1.5, -1.5], [1.5, 1.5], [-2.0, 2.0]])  # of the mixture
_VARIANCES = np.array([0.8, 0.8, 0.5])


def log_banana(x: Any, xp: Any = jnp) -> Any:
    """Log-density of the banana: a bent Gaussian, normalised but for the factor a² = 1 of its map."""
    first = x[..., 0] / _BEND
    second = x[..., 1] * _BEND + _BEND * _CURVE * (x[..., 0] ** 2 + _BEND**2) - _SHIFT
    square = (first**2 - 2.0 * _SLANT * first * second + second**2) / (1.0 - _SLANT**2)
    return -0.5 * square - _LOG_2PI - 0.5 * xp.log(1.0 - _SLANT**2)


def log_donut(x: Any, xp: Any = jnp) -> Any:
    """Log-density of a ring around the origin, not normalised."""
    return -((xp.sqrt(x[..., 0] ** 2 + x[..., 1] ** 2) - _RADIUS) ** 2) / _THICKNESS


def log_funnel(x: Any, xp: Any = jnp) -> Any:
    """Log-density of Neal's funnel in two variables, standard deviation 3 and exp(x/2)."""
    first = -0.5 * _LOG_2PI - math.log(3.0) - 0.5 * (x[..., 0] / 3.0) ** 2
    return first - 0.5 * _LOG_2PI - 0.5 * x[..., 0] - 0.5 * x[..., 1] ** 2 * xp.exp(-x[..., 0])


def log_gaussian_mixture(x: Any, xp: Any = jnp) -> Any:
    """Log of the sum of three Gaussian densities: three times a density."""
    away = x[..., None, :] - _CENTRES
    each = -0.5 * xp.sum(away**2, axis=-1) / _VARIANCES - _LOG_2PI - np.log(_VARIANCES)
    top = xp.max(each, axis=-1)
    return top + xp.log(xp.sum(xp.exp(each - top[..., None]), axis=-1))


def log_gaussian(x: Any, xp: Any = jnp) -> Any:
    """Log-density of a correlated Gaussian of two variables: standard deviations 1 and 2, correlation 0.6."""
    first, second = x[..., 0] - 1.0, (x[..., 1] + 0.5) / 2.0
    square = (first**2 - 1.2 * first * second + second**2) / 0.64
    return -0.5 * square - _LOG_2PI - math.log(2.0) - 0.5 * math.log(0.64)


DENSITIES: dict[str, Callable[..., Any]] = {
    "analytic-banana": log_banana,
    "analytic-donut": log_donut,
    "analytic-funnel": log_funnel,
    "analytic-gaussian-mixture": log_gaussian_mixture,
}
"""The densities by the names that UM-Bridge gives them."""


@dataclass(frozen=True)
class DensityProblem:
    """A density that can be drawn from exactly, and told from others.

    Args:
        name: what it is.
        log_density: of (..., 2) points, with jnp or np.
        draw: so many exact draws, (n, 2), of a generator.
        uniform: turns draws (n, 2) into independent uniform numbers if they are the density's (Rosenblatt).
        wrong: a density that is deliberately not this one, for a coarse model.
    """

    name: str
    log_density: Callable[..., Any]
    draw: Callable[[np.random.Generator, int], np.ndarray]
    uniform: Callable[[np.ndarray], np.ndarray]
    wrong: Callable[..., Any]


def _draw_gaussian(rng: np.random.Generator, count: int) -> np.ndarray:
    z = rng.standard_normal((count, 2))
    return np.stack([1.0 + z[:, 0], -0.5 + 2.0 * (0.6 * z[:, 0] + 0.8 * z[:, 1])], axis=1)


def _uniform_gaussian(x: np.ndarray) -> np.ndarray:
    first = x[:, 0] - 1.0
    return ndtr(np.stack([first, ((x[:, 1] + 0.5) / 2.0 - 0.6 * first) / 0.8], axis=1))


def _draw_banana(rng: np.random.Generator, count: int) -> np.ndarray:
    z = rng.standard_normal((count, 2))
    second = _SHIFT + _SLANT * z[:, 0] + math.sqrt(1.0 - _SLANT**2) * z[:, 1]
    first = _BEND * z[:, 0]
    return np.stack([first, (second - _BEND * _CURVE * (first**2 + _BEND**2)) / _BEND], axis=1)


def _uniform_banana(x: np.ndarray) -> np.ndarray:
    first = x[:, 0] / _BEND
    second = x[:, 1] * _BEND + _BEND * _CURVE * (x[:, 0] ** 2 + _BEND**2) - _SHIFT
    return ndtr(np.stack([first, (second - _SLANT * first) / math.sqrt(1.0 - _SLANT**2)], axis=1))


def _draw_mixture(rng: np.random.Generator, count: int) -> np.ndarray:
    row = rng.integers(3, size=count)
    return _CENTRES[row] + np.sqrt(_VARIANCES[row])[:, None] * rng.standard_normal((count, 2))


def _uniform_mixture(x: np.ndarray) -> np.ndarray:
    std = np.sqrt(_VARIANCES)
    scaled = (x[:, None, :] - _CENTRES) / std[:, None]
    weights = np.exp(-0.5 * scaled[:, :, 0] ** 2) / std
    weights /= weights.sum(axis=1, keepdims=True)
    return np.stack(
        [ndtr(scaled[:, :, 0]).mean(axis=1), (weights * ndtr(scaled[:, :, 1])).sum(axis=1)], axis=1
    )


def _wide(x: Any, xp: Any = jnp) -> Any:
    """A round Gaussian at the wrong place: the deliberately wrong coarse model."""
    return -0.5 * ((x[..., 0] - 1.8) ** 2 / 3.0 + (x[..., 1] - 1.2) ** 2 / 4.0)


PROBLEMS = (
    DensityProblem("gaussian", log_gaussian, _draw_gaussian, _uniform_gaussian, _wide),
    DensityProblem("banana", log_banana, _draw_banana, _uniform_banana, _wide),
    DensityProblem("mixture", log_gaussian_mixture, _draw_mixture, _uniform_mixture, _wide),
)
"""Densities with exact draws, each with a wrong coarse one."""


@lru_cache(maxsize=16)
def density_target(log_density: Callable[..., Any], size: int = 2) -> Target:
    """Return a density as kernels take it, on a flat prior: values by NumPy, the rest by JAX.

    Args:
        log_density: of (size,) points, with `jnp` or `np` as its second argument.
        size: number of variables.
    """
    level = Level(lambda x: jnp.reshape(log_density(x, jnp), 1), "density", traced=True)
    posterior = LevelPosterior(level, Prior([parameter("x", f"flat * {size}")]), Likelihood(None, None))
    compiled = posterior.target(no_correction(size, 1), Tally())

    def value(position: np.ndarray) -> State:
        found = float(log_density(position, np))
        return State(position, 0.0, found, np.array([found]))

    return Target(value, compiled.slope, compiled.trajectory)
