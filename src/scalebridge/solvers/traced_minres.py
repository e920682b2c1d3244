"""Minimal residuals for a symmetric saddle-point system in JAX, on any tree of arrays.

Paige & Saunders, SIAM J. Numer. Anal. 12 (1975) 617, as in Elman, Silvester & Wathen, Finite Elements and
Fast Iterative Solvers (2014), algorithm 4.1. It ends on the energy b.z and not on the residual: its
stationary value b.z + z.r has an error of second order.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from scalebridge.core import precision as _precision  # noqa: F401

Tree = Any
_EVERY = 10  # steps between two looks, each of which costs a product
_CAUTION = 2.0  # on how far the value moved between two looks
_ENDED = 1e-14  # relative norm at which a process has ended


def minimal_residuals(
    product: Callable[[Tree], Tree],
    precondition: Callable[[Tree], Tree],
    load: Tree,
    rtol: float,
    max_steps: int,
) -> tuple[Tree, jax.Array, jax.Array]:
    """Solve  product(z) = load  until b.z is known to `rtol`.

    Args:
        product: a symmetric operator.
        precondition: a positive definite one.
        load: b.
        rtol: how far the stationary value may still move, relative; the norm of the residual has to fall by
            its root.
        max_steps: limit of steps.

    Returns:
        the solution, the steps done, and whether it converged.

    Example:
        >>> z, steps, done = minimal_residuals(
        ...     lambda z: z * jnp.array([2.0, -1.0]), lambda r: r, jnp.array([2.0, 3.0]), 1e-10, 50
        ... )
        >>> z.round(6).tolist(), bool(done)
        ([1.0, -3.0], True)
    """
    first = precondition(load)
    start = jnp.sqrt(_dot(first, load))

    def value(z: Tree) -> jax.Array:
        return 2 * _dot(load, z) - _dot(z, product(z))

    def step(_: int, s: dict[str, Any]) -> dict[str, Any]:
        alive = s["gamma"] > _ENDED * start
        new = _step(product, precondition, s, jnp.where(alive, s["gamma"], 1.0))
        return jax.tree.map(lambda a, b: jnp.where(alive, a, b), new, s)

    def looked(state: tuple[Any, ...]) -> tuple[Any, ...]:
        s, steps, last, _ = state
        s = jax.lax.fori_loop(0, _EVERY, step, s)
        now = value(s["x"])
        moved = _CAUTION * jnp.abs(now - last) <= rtol * jnp.abs(now)
        fallen = s["eta"] ** 2 <= rtol * start**2
        return s, steps + _EVERY, now, (moved & fallen) | (s["gamma"] <= _ENDED * start)

    zero, one = jax.tree.map(jnp.zeros_like, load), jnp.ones_like(start)
    begun = {
        "x": zero, "v_old": zero, "v": load, "z": first, "w_old": zero, "w": zero,
        "gamma_old": one, "gamma": start, "eta": start,
        "c0": one, "c1": one, "s0": 0 * one, "s1": 0 * one,
    }  # fmt: skip
    state = (begun, jnp.zeros((), int), jnp.zeros_like(start), start == 0)
    ended = jax.lax.while_loop(lambda t: ~t[3] & (t[1] < max_steps), looked, state)
    return ended[0]["x"], ended[1], ended[3]


def _step(
    product: Callable[[Tree], Tree], precondition: Callable[[Tree], Tree], s: dict[str, Any], safe: jax.Array
) -> dict[str, Any]:
    """Return the process after one more step; `safe` is its gamma, not zero."""
    z = _mix((1 / safe, s["z"]))
    q = product(z)
    delta = _dot(q, z)
    v = _mix((1.0, q), (-delta / safe, s["v"]), (-s["gamma"] / s["gamma_old"], s["v_old"]))
    z_new = precondition(v)
    gamma = jnp.sqrt(jnp.maximum(_dot(z_new, v), 0.0))
    a0 = s["c1"] * delta - s["c0"] * s["s1"] * s["gamma"]
    a1 = jnp.hypot(a0, gamma)
    a2 = s["s1"] * delta + s["c0"] * s["c1"] * s["gamma"]
    a3 = s["s0"] * s["gamma"]
    w = _mix((1 / a1, z), (-a3 / a1, s["w_old"]), (-a2 / a1, s["w"]))
    cosine, sine = a0 / a1, gamma / a1
    return {
        "x": _mix((1.0, s["x"]), (cosine * s["eta"], w)),
        "v_old": s["v"], "v": v, "z": z_new, "w_old": s["w"], "w": w,
        "gamma_old": safe, "gamma": gamma, "eta": -sine * s["eta"],
        "c0": s["c1"], "c1": cosine, "s0": s["s1"], "s1": sine,
    }  # fmt: skip


def _dot(a: Tree, b: Tree) -> jax.Array:
    return jnp.asarray(sum(jax.tree.leaves(jax.tree.map(jnp.vdot, a, b))))


def _mix(*terms: tuple[Any, Tree]) -> Tree:
    """Return the sum of factors times trees."""
    factors = [factor for factor, _ in terms]
    return jax.tree.map(
        lambda *parts: sum(f * x for f, x in zip(factors, parts, strict=True)), *[tree for _, tree in terms]
    )
