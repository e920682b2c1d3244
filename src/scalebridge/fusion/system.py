"""From parameters to the matrices of a footprint's state-space model, traced, so that slopes flow back.

The state of a footprint holds, for every part of the field, one layer of pixels for each order of its
dynamics, and one number for every drifting bias. x(t) = T x(t-1) + innovation.
"""

from collections.abc import Mapping
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from scalebridge.core import precision as _precision  # noqa: F401

ORDERS = {
    "static": 1,
    "random-walk": 1,
    "ar1": 1,
    "trend": 2,
    "seasonal": 2,
    "matern-3/2": 2,
    "matern-5/2": 3,
}
"""Layers that each kind of dynamics needs."""
LOCAL_SPACES = ("independent", "exponential", "matern-3/2", "matern-5/2")
"""Spatial correlations within a footprint; "across" is correlation over all pixels."""


class Dynamics(NamedTuple):
    """One part's motion in time: transition and innovation by class of step, and where it starts.

    Args:
        transition: (classes, order, order).
        innovation: (classes, order, order), covariance, with the part's variance.
        start: (order, order), covariance at the first date.
    """

    transition: Float[Array, "classes order order"]
    innovation: Float[Array, "classes order order"]
    start: Float[Array, "order order"]


def dynamics(
    kind: str, steps: np.ndarray, values: Mapping[str, Array], period: float = 365.25, harmonic: int = 1
) -> Dynamics:
    """Return the motion of one part.

    Args:
        kind: a key of `ORDERS`.
        steps: (classes,), lengths of time between dates, days.
        values: "std", and as the kind needs "time" (days), "start" and "slope" (deviations of the level
            and of its slope at the first date).
        period: of "seasonal", days.
        harmonic: of "seasonal", a multiple of the frequency.

    Returns:
        transition, innovation and start. "random-walk": variance std^2 a day. "ar1" and Matern: stationary
        with standard deviation std, correlation length `time`. "trend": the integral of a random walk of the
        slope. Matern states are derivatives in units of the rate, so that they are of one size.

    Source: Hartikainen & Särkkä (2010), "Kalman filtering and smoothing solutions to temporal Gaussian
        process regression models".

    Example:
        >>> found = dynamics("ar1", np.array([1.0]), {"std": jnp.array(2.0), "time": jnp.array(10.0)})
        >>> print(f"{float(found.transition[0, 0, 0]):.4f} {float(found.start[0, 0]):.1f}")
        0.9048 4.0
    """
    dt = jnp.asarray(steps)[:, None, None]
    variance = values["std"] ** 2
    if kind in ("static", "random-walk"):
        one = jnp.ones_like(dt)
        wander, start = (0.0 * one, variance) if kind == "static" else (variance * dt, values["start"] ** 2)
        return Dynamics(one, wander, start * jnp.eye(1))
    if kind == "trend":
        transition = jnp.eye(2) + dt * jnp.array([[0.0, 1.0], [0.0, 0.0]])
        innovation = variance * jnp.block([[dt**3 / 3, dt**2 / 2], [dt**2 / 2, dt]])
        return Dynamics(transition, innovation, jnp.diag(jnp.stack([values["start"], values["slope"]]) ** 2))
    if kind == "seasonal":
        angle = 2 * jnp.pi * harmonic * dt / period
        transition = jnp.block([[jnp.cos(angle), jnp.sin(angle)], [-jnp.sin(angle), jnp.cos(angle)]])
        return Dynamics(transition, variance * dt * jnp.eye(2), values["start"] ** 2 * jnp.eye(2))
    return _stationary(kind, dt, variance, values["time"])


def _stationary(kind: str, dt: Array, variance: Array, time: Array) -> Dynamics:
    order = ORDERS[kind]
    if kind == "ar1":
        factor = jnp.exp(-dt / time)
        return Dynamics(factor, variance * (1.0 - factor**2), variance * jnp.eye(1))
    scaled = dt * jnp.sqrt(2.0 * order - 1.0) / time
    # (d/dt + rate)^order x = noise: the companion matrix plus one, in units of the rate, is nilpotent.
    companion = {
        2: jnp.array([[1.0, 1.0], [-1.0, -1.0]]),
        3: jnp.array([[1.0, 1.0, 0.0], [0.0, 1.0, 1.0], [-1.0, -3.0, -2.0]]),
    }[order]
    stationary = {
        2: jnp.eye(2),
        3: jnp.array([[1.0, 0.0, -1 / 3], [0.0, 1 / 3, 0.0], [-1 / 3, 0.0, 1.0]]),
    }[order]
    grown = jnp.eye(order) + scaled * companion + 0.5 * scaled**2 * (companion @ companion)
    transition = jnp.exp(-scaled) * grown
    kept = transition @ stationary @ jnp.swapaxes(transition, 1, 2)
    return Dynamics(transition, variance * (stationary - kept), variance * stationary)


def correlation(space: str, distance: np.ndarray, length: Array, nugget: Array | float = 0.0) -> Array:
    """Return the correlation of pixels within a footprint, (pixels, pixels).

    Args:
        space: one of `LOCAL_SPACES`.
        distance: (pixels, pixels).
        length: of the correlation, in the unit of the distances.
        nugget: share of the variance that is independent by pixel.

    Example:
        >>> print(float(correlation("independent", np.ones((2, 2)), jnp.array(1.0))[0, 1]))
        0.0
    """
    eye = jnp.eye(len(distance))
    if space == "independent":
        return eye
    order = {"exponential": 1, "matern-3/2": 2, "matern-5/2": 3}[space]
    scaled = jnp.sqrt(2.0 * order - 1.0) * jnp.asarray(distance) / length
    shape = {1: 1.0, 2: 1.0 + scaled, 3: 1.0 + scaled + scaled**2 / 3.0}[order]
    return (1.0 - nugget) * shape * jnp.exp(-scaled) + nugget * eye


def layered(parts: list[tuple[Dynamics, Array]], biases: list[tuple[Dynamics, int]]) -> tuple[Array, ...]:
    """Put parts and biases together into the matrices of one footprint.

    Args:
        parts: motion and spatial correlation of each part.
        biases: motion of each sensor's bias, and in how many rows a footprint has it.

    Returns:
        weights of the transition (classes, states, width) in the pattern of `transition_pattern`, covariance
        of innovations (classes, states, states), covariance at the first date (states, states).
    """
    width = max(d.transition.shape[1] for d in [p for p, _ in parts] + [b for b, _ in biases])
    blocks = [(d, k) for d, k in parts] + [(d, jnp.eye(rows)) for d, rows in biases]
    weights = [
        jnp.repeat(
            jnp.pad(d.transition, ((0, 0), (0, 0), (0, width - d.transition.shape[2]))), len(k), axis=1
        )
        for d, k in blocks
    ]
    return (
        jnp.concatenate(weights, axis=1),
        _diagonal([jnp.stack([jnp.kron(q, k) for q in d.innovation]) for d, k in blocks]),
        _diagonal([jnp.kron(d.start, k)[None] for d, k in blocks])[0],
    )


def _diagonal(blocks: list[Array]) -> Array:
    size = sum(b.shape[1] for b in blocks)
    whole, place = jnp.zeros((blocks[0].shape[0], size, size)), 0
    for block in blocks:
        end = place + block.shape[1]
        whole = whole.at[:, place:end, place:end].set(block)
        place = end
    return whole


def transition_pattern(orders: list[int], sizes: list[int]) -> np.ndarray:
    """Return the columns of each row of the transition; unused places point to the row itself.

    Args:
        orders: number of layers of each part and bias.
        sizes: number of pixels or rows in a layer of each.

    Example:
        >>> transition_pattern([2, 1], [2, 1]).tolist()
        [[0, 2], [1, 3], [0, 2], [1, 3], [4, 4]]
    """
    width, rows, place = max(orders), [], 0
    for order, size in zip(orders, sizes, strict=True):
        for layer in range(order):
            for pixel in range(size):
                used = [place + k * size + pixel for k in range(order)]
                rows.append(used + [place + layer * size + pixel] * (width - order))
        place += order * size
    return np.array(rows, dtype=np.int64)
