"""The shape of a posterior from its model's derivatives: the precision of Gauss and Newton, and the mode.

    H = Jᵀ S J + P,    J = d f / d u,    S = -d² log L / d f²  (Σ⁻¹ of Gaussian noise),   P = -d² log π / d u²

Averaged over places of the posterior it is a covariance for proposals that needs no draws to be learnt from,
and sees the steepest directions, in which a step must be short (T. Cui, J. Martin, Y. Marzouk, A. Solonen &
A. Spantini, Inverse Problems 30 (2014) 114015).
"""

import math
from collections.abc import Iterable
from functools import cached_property
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from scalebridge.core import precision as _precision  # noqa: F401
from scalebridge.core.errors import TaskError
from scalebridge.inference.correction import Correction
from scalebridge.inference.forward import vector
from scalebridge.inference.kernels import State
from scalebridge.inference.targets import LevelPosterior, Tally

_FLATTEST = 0.01  # least precision in units of the prior's, where neither data nor prior say more
_STEPS, _DAMPINGS = 60, 12  # of a descent, and of the search for a step that goes down
_SETTLED = 1e-6  # change of the log-density at which a descent ends


class Shape(NamedTuple):
    """The log-density around a place.

    Args:
        position: (d,) coordinates.
        log_density: there.
        slope: (d,) its gradient.
        precision: (d, d) H.
    """

    position: np.ndarray
    log_density: float
    slope: np.ndarray
    precision: np.ndarray


class GaussNewton:
    """Asks a level for the shape of its posterior.

    Args:
        posterior: of the level, which must have a gradient, and data or a likelihood.

    Cost: as many gradients as there are answers, or of a JAX function as there are fewer of: answers or
        parameters.
    """

    def __init__(self, posterior: LevelPosterior):
        self.posterior = posterior

    def at(self, position: np.ndarray, correction: Correction, tally: Tally) -> Shape | None:
        """Return the shape at coordinates; None where the density is zero or the model fails."""
        state = self.posterior.target(correction, tally).value(position)
        slopes = None if state.log_density == -math.inf else self._slopes(state, correction, tally)
        if slopes is None or not np.all(np.isfinite(slopes)):
            return None
        likelihood = self.posterior.likelihood
        answers = state.outputs + (correction.shift(position) if correction.degree >= 0 else 0.0)
        whitener = likelihood.whitener(correction.covariance)
        down, curvature = (np.asarray(part) for part in self._prior(position))
        slope = down + slopes.T @ likelihood.slope(answers, whitener)
        precision = slopes.T @ likelihood.curvature(answers, whitener) @ slopes - curvature
        return Shape(position, state.log_density, slope, 0.5 * (precision + precision.T))

    def descend(self, position: np.ndarray, correction: Correction, tally: Tally) -> Shape | None:
        """Go to a mode by damped steps of Gauss and Newton (Levenberg and Marquardt).

        Returns:
            the shape at the mode, or where no step went further down; None where the start has none.
        """
        here, damping = self.at(position, correction, tally), 1.0
        value = self.posterior.target(correction, tally).value
        for _ in range(_STEPS):
            if here is None:
                return None
            place, damping = self._further(here, damping, value)
            there = None if place is None else self.at(place, correction, tally)
            if there is None or there.log_density - here.log_density < _SETTLED:
                return there or here
            here = there
        return here

    def _further(self, here: Shape, damping: float, value: Any) -> tuple[np.ndarray | None, float]:
        """Return a place of higher density, and the damping to begin with there."""
        clipped = self.clipped([here.precision])
        for _ in range(_DAMPINGS):
            step = np.linalg.solve(clipped + damping * np.diag(np.diag(clipped)), here.slope)
            with np.errstate(over="ignore", invalid="ignore"):
                found = value(here.position + step).log_density
            if found > here.log_density:
                return here.position + step, damping / 5.0
            damping *= 4.0
        return None, damping

    def clipped(self, precisions: Iterable[np.ndarray]) -> np.ndarray:
        """Return the mean of precisions, in no direction less than a hundredth of the prior's."""
        std = self.posterior.prior.std
        scaled = std[:, None] * np.mean(list(precisions), axis=0) * std
        values, axes = np.linalg.eigh(scaled)
        return (axes * np.maximum(values, _FLATTEST)) @ axes.T / np.outer(std, std)

    def _slopes(self, state: State, correction: Correction, tally: Tally) -> np.ndarray | None:
        """d(corrected answers) / d(coordinates), (m, d)."""
        learnt = correction.arrays
        if self.posterior.level.traced:
            tally.gradients += min(state.outputs.size, state.position.size)
            return np.asarray(self._traced(state.position, learnt))
        prior, gradient = self.posterior.prior, self.posterior.level.gradient
        values, found = prior.values(state.position), []
        if gradient is None:
            raise TypeError(f"the level '{self.posterior.level.name}' has no gradient")
        try:
            for row in np.eye(state.outputs.size):
                tally.gradients += 1
                found.append(prior.pulled(state.position, np.asarray(gradient(values, row), dtype=float)))
        except (TaskError, MemoryError):
            raise
        except Exception as error:  # a model may raise what it likes
            said = " ".join(f"{type(error).__name__}: {error}".split())[:300]
            tally.failed(values, said, raised=True)
            return None
        bent = self._shift(state.position, learnt) if correction.degree >= 0 else 0.0
        return np.array(found) + np.asarray(bent)

    @cached_property
    def _traced(self) -> Any:
        def answers(u: Any, learnt: Any) -> Any:
            posterior = self.posterior
            outputs = vector(posterior.level.model(posterior.prior.values(u, jnp)))
            return outputs + Correction.of_arrays(learnt).shift(u, jnp)

        def slopes(u: Any, learnt: Any) -> Any:
            fewer = jax.eval_shape(answers, u, learnt).size < u.size
            return (jax.jacrev if fewer else jax.jacfwd)(answers)(u, learnt)

        return jax.jit(slopes)

    @cached_property
    def _shift(self) -> Any:
        return jax.jit(jax.jacfwd(lambda u, learnt: Correction.of_arrays(learnt).shift(u, jnp)))

    @cached_property
    def _prior(self) -> Any:
        def density(u: Any) -> Any:
            return self.posterior.prior.log_density(u, jnp)

        return jax.jit(lambda u: (jax.grad(density)(u), jax.hessian(density)(u)))
