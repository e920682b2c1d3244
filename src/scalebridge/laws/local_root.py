"""The one unknown of a point's step: a bracketed root by Newton's method, differentiated implicitly."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from scalebridge.core import precision as _precision  # noqa: F401

_MOST = 100  # halvings take a bracket to rounding in 60, Newton's method in 5


def decreasing_root(
    residual: Callable[[Array], Array], high: Float[Array, ""], start: Float[Array, ""]
) -> Float[Array, ""]:
    """Find where a function that falls from residual(0) >= 0 to residual(high) <= 0 is zero.

    Newton's method, and a halving of the bracket wherever it would leave it or where the slope does not fall;
    so it ends, to rounding, for every continuous function. What `residual` closes over may be traced: the
    derivative of the root is that of the implicit function, -(d residual) / (d residual / d x).

    Args:
        residual: a function of the unknown.
        high: upper end of the bracket; the lower one is zero.
        start: first guess, between them.

    Returns:
        the root; NaN where there is no bracket, or anything came out as NaN.

    Example:
        >>> round(float(decreasing_root(lambda x: 2.0 - x * x, jnp.asarray(2.0), jnp.asarray(1.0))), 12)
        1.414213562373
    """

    def solve(function: Callable[[Array], Array], guess: Array) -> Array:
        def valued(x: Array) -> tuple[Array, Array]:
            return jax.jvp(function, (x,), (jnp.ones_like(x),))

        def unfinished(work: tuple) -> Array:
            return (work[6] < _MOST) & ~work[5]

        def step(work: tuple) -> tuple:
            # Value and slope come from the loop's memory: a compiler that works them out once for each use
            # may round them differently, so that one use sees the root and another does not, for ever.
            x, value, slope, low, top, _, count = work
            low, top = jnp.where(value > 0.0, x, low), jnp.where(value > 0.0, top, x)
            newton = x - value / jnp.where(slope < 0.0, slope, -jnp.inf)
            inside = (newton > low) & (newton < top) & (slope < 0.0)
            following = jnp.where(inside, newton, 0.5 * (low + top))
            small = jnp.abs(following - x) <= 4e-16 * jnp.abs(following)
            done = (value == 0.0) | small | jnp.isnan(value)
            following = jnp.where(value == 0.0, x, jnp.where(jnp.isnan(value), value, following))
            return following, *valued(following), low, top, done, count + 1

        bracket = (jnp.zeros_like(guess), high * jnp.ones_like(guess))
        begin = (guess, *valued(guess), *bracket, jnp.asarray(False), 0)
        found = jax.lax.while_loop(unfinished, step, begin)
        return jnp.where(found[5], found[0], jnp.nan)

    return jax.lax.custom_root(residual, start, solve, lambda linear, y: y / linear(jnp.ones_like(y)))
