"""Preconditioned conjugate gradients that watch the energy error, and stop on it.

For  K x = b  with K symmetric positive semidefinite the energy  ½ x.K x - b.x  falls by  ½ α_k (r_k, z_k)
at step k. With  λ  a lower bound of the preconditioned operator's spectrum, the Gauss-Radau quadrature of
the Lanczos process behind the iteration gives an upper bound of the energy error at the current step, at
the price of a few scalar operations:

    g_0 = 1/λ,   g_{k+1} = (g_k - α_k) / (λ (g_k - α_k) + β_{k+1}),   |x - x_k|²_K <= g_k (r_k, z_k).

Where no λ > 0 is known (exact zeros), the tail of the falls is summed as a geometric series with their
recent ratio.

Sources: Hestenes & Stiefel, J. Res. NBS 49 (1952) 409; Golub & Meurant, BIT 37 (1997) 687; Meurant &
Tichy, Numer. Algorithms 62 (2013) 163, eq. 3.5.
"""

from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from scalebridge.core import precision as _precision  # noqa: F401
from scalebridge.core.results import Outcome

Operator = Callable[[Float[Array, "..."]], Float[Array, "..."]]
_RUNNING = -1
_WINDOW = 4  # steps over which the ratio of the falls is taken
_SLOWEST = 0.98  # largest ratio believed; a slower fall is treated as this
_ROUNDING = 64.0  # multiples of the machine's epsilon below which an energy fall is noise


class CGState(eqx.Module):
    """Everything that one step hands to the next.

    Args:
        x: the iterate.
        r: its residual b - K x.
        p: the search direction.
        rz: (r, z), the squared preconditioned residual norm.
        floor: lower bound of the preconditioned spectrum, 0 if none is known.
        radau: g_k of the Gauss-Radau bound, infinite where no spectral bound is known.
        energy: what is left of the energy: the start's less all falls so far.
        step: number of steps done.
        code: -1 while running, else an `Outcome`.
        falls: falls of the energy, one a step.
        residuals: relative residual norms, one a step, the start included.
        errors: estimated relative energy errors, one a step.
        norm_b: norm of the right-hand side.
        least: energy below which errors are taken relative to it: of an answer that may vanish.
    """

    x: Float[Array, "..."]
    r: Float[Array, "..."]
    p: Float[Array, "..."]
    rz: Float[Array, ""]
    floor: Float[Array, ""]
    radau: Float[Array, ""]
    energy: Float[Array, ""]
    step: Int[Array, ""]
    code: Int[Array, ""]
    falls: Float[Array, " steps"]
    residuals: Float[Array, " steps"]
    errors: Float[Array, " steps"]
    norm_b: Float[Array, ""]
    least: Float[Array, ""]


class ConjugateGradients(eqx.Module):
    """Settings of the method; `init` and `step` make a kernel, `advance` runs it.

    Args:
        rtol: wanted relative error of the energy, which is that of the effective tensor's diagonal.
        residual_rtol: wanted relative residual norm. Both are required.
        max_steps: limit of the number of steps.
    """

    rtol: float = eqx.field(static=True, default=1e-6)
    residual_rtol: float = eqx.field(static=True, default=1e-3)
    max_steps: int = eqx.field(static=True, default=2000)

    def init(
        self,
        b: Float[Array, "..."],
        precondition: Operator,
        energy: Float[Array, ""],
        spectrum_floor: Float[Array, ""],
        least: Float[Array, ""] | float = 0.0,
    ) -> CGState:
        """Start from zero.

        Args:
            b: the right-hand side, in the range of the operator.
            precondition: the preconditioner.
            energy: energy at the start, from which the falls are taken; what is left is the answer's
                diagonal.
            spectrum_floor: lower bound of the preconditioned spectrum, 0 if none is known.
            least: energy below which errors are taken relative to it.
        """
        energy, floor = energy.astype(b.dtype), spectrum_floor.astype(b.dtype)
        z = precondition(b)
        rz, norm_b = jnp.vdot(b, z), jnp.linalg.norm(b.ravel())
        history = jnp.full(self.max_steps + 1, jnp.nan, b.dtype)
        nothing = rz <= _noise(b) ** 2 * energy  # a homogeneous medium: the load is rounding noise
        return CGState(
            x=jnp.zeros_like(b),
            r=b,
            p=z,
            rz=rz,
            floor=floor,
            radau=1.0 / floor,
            energy=energy,
            step=jnp.asarray(0),
            code=jnp.where(nothing, Outcome.converged, _RUNNING),
            falls=history,
            residuals=history.at[0].set(jnp.where(nothing, 0.0, 1.0)),
            errors=history.at[0].set(jnp.where(nothing, 0.0, rz / (floor * energy))),
            norm_b=norm_b,
            least=jnp.asarray(least, b.dtype),
        )

    def step(self, state: CGState, operator: Operator, precondition: Operator) -> CGState:
        """Do one step."""
        q = operator(state.p)
        curvature = jnp.vdot(state.p, q)
        alpha = state.rz / curvature
        x, r = state.x + alpha * state.p, state.r - alpha * q
        z = precondition(r)
        rz = jnp.vdot(r, z)
        beta = rz / state.rz
        fall = alpha * state.rz
        falls = state.falls.at[state.step].set(fall)
        energy = state.energy - fall
        radau = _next_radau(state.radau, state.floor, alpha, beta)
        step = state.step + 1
        scale = jnp.maximum(energy, state.least)
        error = self._error(radau * rz, falls, state.step) / jnp.maximum(scale, jnp.finfo(x.dtype).tiny)
        # Nothing but rounding is left, as happens after few steps where few eigenvalues differ.
        error = jnp.where(rz <= _noise(r) ** 2 * scale, rz / scale, error)
        residual = jnp.linalg.norm(r.ravel()) / state.norm_b
        sound = (curvature > 0) & jnp.isfinite(rz)
        return CGState(
            x=jnp.where(sound, x, state.x),
            r=jnp.where(sound, r, state.r),
            p=z + beta * state.p,
            rz=rz,
            floor=state.floor,
            radau=radau,
            energy=jnp.where(sound, energy, state.energy),
            step=step,
            code=self._verdict(error, residual, fall, scale, sound, step),
            falls=falls,
            residuals=state.residuals.at[step].set(residual),
            errors=state.errors.at[step].set(error),
            norm_b=state.norm_b,
            least=state.least,
        )

    def advance(
        self, state: CGState, operator: Operator, precondition: Operator, steps: int | Array
    ) -> CGState:
        """Do at most `steps` further steps, fewer if the method ends before."""
        goal = state.step + steps
        return jax.lax.while_loop(
            lambda s: (s.code == _RUNNING) & (s.step < goal),
            lambda s: self.step(s, operator, precondition),
            state,
        )

    def _error(self, bound: Array, falls: Array, last: Array) -> Array:
        """Energy error after step `last`: the guaranteed bound where it holds, else the sum of the tail."""
        recent = falls[jnp.maximum(last - jnp.arange(_WINDOW + 1), 0)]
        ratio = jnp.clip((recent[0] / recent[-1]) ** (1.0 / _WINDOW), 0.3, _SLOWEST)
        tail = jnp.where(last >= _WINDOW, jnp.max(recent[:3]) * ratio / (1 - ratio), jnp.inf)
        guaranteed = jnp.where(jnp.isfinite(bound) & (bound > 0), bound, jnp.inf)
        return jnp.where(jnp.isfinite(guaranteed), guaranteed, tail)

    def _verdict(
        self, error: Array, residual: Array, fall: Array, scale: Array, sound: Array, step: Array
    ) -> Array:
        converged = (error <= self.rtol) & (residual <= self.residual_rtol)
        stuck = fall <= jnp.finfo(fall.dtype).eps ** 2 * scale
        code = jnp.where(step >= self.max_steps, Outcome.step_limit, _RUNNING)
        code = jnp.where(stuck, Outcome.stagnated, code)
        code = jnp.where(sound, code, Outcome.breakdown)
        return jnp.where(converged & sound & jnp.isfinite(residual), Outcome.converged, code)


def _next_radau(radau: Array, floor: Array, alpha: Array, beta: Array) -> Array:
    """The recursion of the bound; infinite for good once rounding has spoiled it or where there is none."""
    gap = radau - alpha
    holds = (gap > 0) & jnp.isfinite(radau)
    return jnp.where(holds, gap / (floor * gap + beta), jnp.inf)


def _noise(b: Array) -> float:
    return _ROUNDING * float(jnp.finfo(b.dtype).eps)
