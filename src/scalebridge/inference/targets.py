"""The posterior of each level as a kernel asks for it, with the work counted.

The prior is asked first: where it is zero no model runs. A model that raises or answers with something that
is not finite has a likelihood of zero there; that is counted, and shown in the result.
"""

import math
import time
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from scalebridge.core import precision as _precision  # noqa: F401
from scalebridge.core.errors import TaskError
from scalebridge.inference.correction import Correction
from scalebridge.inference.forward import Level, vector
from scalebridge.inference.kernels import State, Target
from scalebridge.inference.likelihood import Likelihood
from scalebridge.inference.parameters import Prior

_TOLD = 5  # failures whose words are kept


@dataclass
class Tally:
    """Work that was done on one level during one block.

    Args:
        patience: failures in a row after which to stop.
        known: answers by the bytes of a position, which need not be asked again.
        evaluations: answers asked for.
        gradients: gradients asked for, each with an answer.
        failures: answers that did not come or were not finite.
        seconds: time in the model.
        messages: what the first failures said.
        record: coordinates and answers of everything asked, where that is wanted.
        recording: whether it is wanted.
        row: failures in a row so far.
    """

    patience: int = 50
    known: dict[bytes, np.ndarray] = field(default_factory=dict)
    evaluations: int = 0
    gradients: int = 0
    failures: int = 0
    seconds: float = 0.0
    messages: list[str] = field(default_factory=list)
    record: list[tuple[np.ndarray, np.ndarray]] = field(default_factory=list)
    recording: bool = False
    row: int = 0

    def failed(self, values: np.ndarray, said: str, *, raised: bool) -> None:
        """Count a failure.

        Raises:
            TaskError: there were too many in a row.
        """
        self.failures += 1
        self.row = self.row + 1 if raised else 0
        if len(self.messages) < _TOLD:
            self.messages.append(said)
        if self.row >= self.patience:
            numbers = ", ".join(f"{value:.17g}" for value in values)
            raise TaskError(
                f"the model failed {self.row} times in a row, the last time with the parameters [{numbers}]: "
                f"{said}; correct the model, and run it again with the same store to go on"
            )

    def told(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "evaluations": self.evaluations,
            "gradients": self.gradients,
            "failures": self.failures,
            "seconds": self.seconds,
            "messages": list(self.messages),
        }


class LevelPosterior:
    """Prior and likelihood of one level; what JAX can trace is compiled once, whatever is learnt later.

    Args:
        level: the model.
        prior: the prior.
        likelihood: the likelihood.
    """

    def __init__(self, level: Level, prior: Prior, likelihood: Likelihood):
        self.level, self.prior, self.likelihood = level, prior, likelihood

    @property
    def differentiable(self) -> bool:
        """Whether the posterior has a gradient."""
        return bool(self.level.traced) or self.level.gradient is not None

    def target(self, correction: Correction, tally: Tally) -> Target:
        """Return the posterior as kernels take it, with a correction of the answers."""
        asked = _Asked(self, correction, self.likelihood.whitener(correction.covariance), tally)
        compiled = bool(self.level.traced)
        return Target(
            asked.value,
            asked.slope if self.differentiable else None,
            asked.trajectory if compiled else None,
        )

    def parts(self, coordinates: Any, arrays: tuple[Any, ...]) -> tuple[Any, Any, Any]:
        """Return log-prior, log-likelihood and answers, traced."""
        outputs = vector(self.level.model(self.prior.values(coordinates, jnp)))
        log_likelihood = self.log_likelihood(coordinates, outputs, arrays, jnp)
        return self.prior.log_density(coordinates, jnp), log_likelihood, outputs

    def log_likelihood(self, coordinates: Any, outputs: Any, arrays: tuple[Any, ...], xp: Any) -> Any:
        """Return the log-likelihood of answers after their correction: its arrays, and the whitener."""
        *learnt, whitener = arrays
        shift = Correction.of_arrays(tuple(learnt)).shift(coordinates, xp)
        return self.likelihood.log_density(outputs + shift, whitener, xp)

    @cached_property
    def forward(self) -> Any:
        """The compiled model, from coordinates to answers."""
        return jax.jit(lambda u: vector(self.level.model(self.prior.values(u, jnp))))

    @cached_property
    def slope(self) -> Any:
        """The compiled gradient of the tempered log-density, with its parts."""

        def density(u: Any, beta: Any, arrays: Any) -> Any:
            log_prior, log_likelihood, outputs = self.parts(u, arrays)
            return log_prior + beta * log_likelihood, (log_prior, log_likelihood, outputs)

        return jax.jit(jax.value_and_grad(density, has_aux=True))

    @cached_property
    def follow(self) -> Any:
        """A compiled leapfrog trajectory."""

        def move(u: Any, p: Any, step: Any, count: Any, root: Any, beta: Any, arrays: Any) -> Any:
            def once(_: Any, carried: Any) -> Any:
                u, p, gradient, _ = carried
                p = p + 0.5 * step * (root.T @ gradient)
                u = u + step * (root @ p)
                (_, parts), gradient = self.slope(u, beta, arrays)
                return u, p + 0.5 * step * (root.T @ gradient), gradient, parts

            (_, parts), gradient = self.slope(u, beta, arrays)
            u, p, _, parts = jax.lax.fori_loop(0, count, once, (u, p, gradient, parts))
            # One vector instead of five, because handing over an array costs more than filling it.
            return jnp.concatenate([u, p, jnp.stack(parts[:2]), parts[2]])

        return jax.jit(move)

    @cached_property
    def rest_slope(self) -> Any:
        """The compiled gradient of log-prior plus sensitivity x correction, where a model brings its own."""

        def rest(u: Any, sensitivity: Any, arrays: Any) -> Any:
            shift = Correction.of_arrays(arrays[:-1]).shift(u, jnp)
            return self.prior.log_density(u, jnp), sensitivity @ shift

        return jax.jit(jax.jacrev(rest))


@dataclass
class _Asked:
    """What a target does when it is asked: prior first, the model with its clock and its failures."""

    posterior: LevelPosterior
    correction: Correction
    whitener: np.ndarray
    tally: Tally

    @property
    def arrays(self) -> tuple[Any, ...]:
        return *self.correction.arrays, self.whitener

    def value(self, position: np.ndarray) -> State:
        log_prior = float(self.posterior.prior.log_density(position))
        if not log_prior > -math.inf:
            return self.nothing(position, -math.inf)
        outputs = self.outputs(position)
        if outputs is None:
            return self.nothing(position, log_prior)
        return State(position, log_prior, self.likelihood_of(position, outputs), outputs)

    def likelihood_of(self, position: np.ndarray, outputs: np.ndarray) -> float:
        if self.correction.degree < 0:
            found = float(self.posterior.likelihood.log_density(outputs, self.whitener))
        else:
            found = float(self.posterior.log_likelihood(position, outputs, self.arrays, np))
        return -math.inf if math.isnan(found) else found

    def nothing(self, position: np.ndarray, log_prior: float) -> State:
        return State(position, log_prior, -math.inf, np.full(self.correction.weights.shape[1], math.nan))

    def outputs(self, position: np.ndarray) -> np.ndarray | None:
        known = self.tally.known.get(position.tobytes())
        if known is not None:
            if self.tally.recording:
                self.tally.record.append((position, known))
            return known
        tally, values = self.tally, self.posterior.prior.values(position)
        tally.evaluations += 1
        began = time.perf_counter()
        try:
            compiled = self.posterior.level.traced
            found = np.asarray(self.posterior.forward(position)) if compiled else self._ask(values)
        except (TaskError, MemoryError):
            raise
        except Exception as error:  # a model may raise what it likes
            tally.failed(values, " ".join(f"{type(error).__name__}: {error}".split())[:300], raised=True)
            return None
        finally:
            tally.seconds += time.perf_counter() - began
        if not np.all(np.isfinite(found)):
            tally.failed(values, "an answer that is not finite", raised=False)
            return None
        tally.row = 0
        if tally.recording:
            tally.record.append((position, found))
        return found

    def _ask(self, values: np.ndarray) -> np.ndarray:
        found, wanted = self.posterior.level.ask(values), self.correction.weights.shape[1]
        if found.size != wanted:
            raise ValueError(f"{found.size} answers where {wanted} were given before")
        return found

    def slope(self, position: np.ndarray, beta: float) -> State:
        if self.posterior.level.traced:
            return self._traced_slope(position, beta)
        state = self.value(position)
        gradient = self.posterior.level.gradient
        if state.log_density == -math.inf or gradient is None:
            return state
        shifted = state.outputs + self.correction.shift(position)
        sensitivity = beta * self.posterior.likelihood.slope(shifted, self.whitener)
        values, began = self.posterior.prior.values(position), time.perf_counter()
        try:
            pulled = np.asarray(gradient(values, sensitivity), dtype=float)
        except (TaskError, MemoryError):
            raise
        except Exception as error:  # as above
            said = " ".join(f"{type(error).__name__}: {error}".split())[:300]
            self.tally.failed(values, said, raised=True)
            return self.nothing(position, state.log_prior)
        finally:
            self.tally.gradients += 1
            self.tally.seconds += time.perf_counter() - began
        rest = self.posterior.rest_slope(position, sensitivity, self.arrays)
        found = self.posterior.prior.pulled(position, pulled) + np.asarray(rest[0]) + np.asarray(rest[1])
        return state._replace(gradient=found)

    def _traced_slope(self, position: np.ndarray, beta: float) -> State:
        began = time.perf_counter()
        (_, parts), gradient = self.posterior.slope(position, beta, self.arrays)
        gradient = np.asarray(gradient)
        self.tally.gradients += 1
        self.tally.seconds += time.perf_counter() - began
        state = self._state(position, parts)
        return state._replace(gradient=gradient) if np.all(np.isfinite(gradient)) else state

    def trajectory(
        self,
        position: np.ndarray,
        momentum: np.ndarray,
        step: float,
        count: int,
        root: np.ndarray,
        beta: float,
    ) -> tuple[State, np.ndarray]:
        began = time.perf_counter()
        packed = np.asarray(self.posterior.follow(position, momentum, step, count, root, beta, self.arrays))
        self.tally.gradients += count + 1
        self.tally.seconds += time.perf_counter() - began
        size = position.size
        u, p, parts = packed[:size], packed[size : 2 * size], packed[2 * size :]
        if not np.isfinite(packed[: 2 * size]).all():
            return self.nothing(position, -math.inf), momentum
        return self._state(u, (parts[0], parts[1], parts[2:])), p

    def _state(self, position: np.ndarray, parts: tuple[Any, ...]) -> State:
        log_prior, log_likelihood, outputs = float(parts[0]), float(parts[1]), np.asarray(parts[2])
        if math.isnan(log_prior) or math.isnan(log_likelihood) or not np.all(np.isfinite(outputs)):
            return self.nothing(position, log_prior if math.isfinite(log_prior) else -math.inf)
        if self.tally.recording:
            self.tally.record.append((position, outputs))
        return State(position, log_prior, log_likelihood, outputs)
