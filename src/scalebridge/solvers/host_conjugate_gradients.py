"""The same conjugate gradients in plain memory: updated in place, in single precision where it suffices.

The iterate is kept in float64, the residual and the direction in the working type. A residual that is
updated in float32 drifts from the true one by some 1e-7 of the largest so far. So, where the tolerance is
small enough for that to show, it is replaced by the true one, computed in float64: early (later it would
disturb the directions), each time that it has fallen far (van der Vorst & Ye, SIAM J. Sci. Comput. 22 (2000)
835), and, always, once more before the method says that it has converged. If that does not hold, the method
starts anew from the true residual, which costs no memory, and goes on in float64 only where a restart brought
little.

The stop, the bound of the energy error and their sources are those of `conjugate_gradients`, but for one
thing. Residuals of the method rise and fall. On the way of the last step, r + t K p, lies a point where the
residual is smallest, up to the root of two smaller, and known from three sums that one pass over r and K p
yields: where that point meets the tolerances, it is the answer. The energy lacks nothing by it: it is
(t / alpha)^2 of the last fall above that of the iterate, and is counted so. (Of all combinations of iterates
that which has the smallest residual: Weiss, Numer. Linear Algebra Appl. 1 (1994) 47; here, of two.)
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from scalebridge.core.results import Outcome
from scalebridge.core.vectors import add_scaled, advance_and_turn, descend, dot, widen
from scalebridge.solvers.conjugate_gradients import ConjugateGradients

_WINDOW = 4  # steps over which the ratio of the falls is taken
_SLOWEST = 0.98  # largest ratio believed; a slower fall is treated as this
_RENEWED = 1e-2  # relative residual at which the true one is computed first
_RENEWED_AGAIN = 1e-4  # further fall after which it is computed again
_DRIFT_SHOWS = 1e-5  # tolerance of the residual below which drift matters: some per cent of this
_DRIFTED = 2.0  # the true residual over the updated one from which on the method starts anew
_BROUGHT = 0.1  # fall of the true residual since the last start for which another one in float32 is worth it
_ROUNDING = 64.0  # multiples of the machine's epsilon below which an energy fall is noise


Update = Callable[[int, int], None]
Use = Callable[[int, int, np.ndarray], None]
Then = Callable[[float], Use | None]


class Preconditioner(Protocol):
    """A symmetric preconditioner that works through a field some planes at a time, in several threads."""

    def sweep(self, r: np.ndarray, update: Update | None, then: Then) -> float:
        """Let `update` change planes of r, precondition r, and hand the answer's planes to then(r . z).

        Where that is None, nothing but r . z was wanted.
        """
        ...


class HostOperator(Protocol):
    """A symmetric operator, its load and its preconditioner, which write to arrays that they are given."""

    def product(self, p: np.ndarray, out: np.ndarray) -> float:
        """Write K p to `out`, in the type of both, and return the product of p with it."""
        ...

    def load(self, out: np.ndarray) -> None:
        """Write b to `out`."""
        ...

    def residual(self, x: np.ndarray, out: np.ndarray) -> None:
        """Write b - K x, computed in float64, to `out`."""
        ...

    def preconditioner(self, dtype: np.dtype) -> Preconditioner:
        """Return the preconditioner for fields of a type."""
        ...


@dataclass
class HostCG:
    """A solve under way; everything here changes in place.

    Args:
        operator: what is solved.
        x: the iterate up to the last renewal, float64.
        dx: what was added since, in the working type; x itself when that is float64.
        r: the residual, in the working type.
        p: the direction.
        q: room for K p.
        rz: (r, z).
        floor: lower bound of the preconditioned spectrum, 0 if none is known.
        radau: the running factor of the Gauss-Radau bound, infinite where there is none.
        energy: what is left of the energy.
        norm_b: norm of the load.
        least: energy below which the error is taken relative to it: of an answer that may vanish.
        renew: relative residual at which the true residual is due.
        checked: true relative residual at the last start.
        code: -1 while running, else an `Outcome`.
        room: the memory of the vectors of the working type, for another solve; None once they are others.
        fresh: whether nothing was written to x yet.
        verified: whether the operator was last asked for the residual of this very iterate.
        falls: falls of the energy, one a step.
        residuals: relative residual norms, the start included.
        errors: estimated relative energy errors, the start included.
    """

    operator: HostOperator
    x: np.ndarray
    dx: np.ndarray
    r: np.ndarray
    p: np.ndarray
    q: np.ndarray
    rz: float
    floor: float
    radau: float
    energy: float
    norm_b: float
    least: float = 0.0
    renew: float = _RENEWED
    checked: float = 1.0
    code: int = -1
    room: np.ndarray | None = None
    fresh: bool = False
    verified: bool = False
    falls: list[float] = field(default_factory=list)
    residuals: list[float] = field(default_factory=list)
    errors: list[float] = field(default_factory=list)

    @property
    def steps(self) -> int:
        """Number of steps done."""
        return len(self.falls)

    @property
    def single(self) -> bool:
        """Whether the working type is narrower than the iterate's."""
        return self.dx is not self.x

    def relative(self, residual: np.ndarray) -> float:
        """Return the norm of a residual over that of the load."""
        return math.sqrt(dot(residual, residual)) / (self.norm_b or 1.0)

    def release(self) -> np.ndarray | None:
        """Give up the vectors of the working type, and return their memory, if there is any to give."""
        room, self.room = self.room, None
        if room is not None:
            self.r = self.p = self.q = np.empty(0, room.dtype)
            self.dx = self.r if self.single else self.x
        return room

    def collect(self) -> None:
        """Add what was gathered since the last renewal to the iterate."""
        if not self.single:
            return
        if self.fresh:
            widen(self.x, self.dx)
        else:
            add_scaled(self.x, 1.0, self.dx)
        self.fresh = False
        self.dx[...] = 0


def begin(
    operator: HostOperator,
    shape: tuple[int, ...],
    energy: float,
    floor: float,
    dtype: np.dtype,
    *,
    start: np.ndarray | None = None,
    least: float = 0.0,
    solver: ConjugateGradients | None = None,
    room: np.ndarray | None = None,
    place: np.ndarray | None = None,
) -> HostCG:
    """Start from zero, or from a field that is near the solution.

    Args:
        operator: what is solved.
        shape: shape of its fields.
        energy: energy at zero, from which the falls are taken; 0 for a load of which the falls
            themselves add up to the answer.
        floor: lower bound of the preconditioned spectrum, 0 if none is known.
        dtype: the working type.
        start: the first iterate, float64, which is changed in place.
        least: energy below which the error is taken relative to it.
        solver: tolerances by which a start may be good enough as it is.
        room: what another solve of the same shape and type has released.
        place: where the iterate goes, float64, where there is no start.
    """
    if room is None:
        room = np.empty((3 if dtype == np.float64 else 4, *shape), dtype)  # one: in large pages
    r, p, q, *more = room
    operator.load(r)
    norm_b = math.sqrt(dot(r, r))
    if start is None:
        x = np.empty(shape) if place is None else place
    else:
        x, near = start, p
        near[...] = x
        energy -= dot(r, near)
        operator.residual(x, r)
        energy -= dot(r, near)  # what is left at x of the energy at rest: less b . x and (b - K x) . x
    dx = more[0] if more else x
    if more or start is None:
        dx[...] = 0
    rz = operator.preconditioner(dtype).sweep(r, None, lambda _: _copy_to(p))
    state = HostCG(operator, x, dx, r, p, q, rz, floor, _inverse(floor), energy, norm_b, least, room=room)
    state.fresh = state.single and start is None
    nothing = rz <= _noise(dtype) ** 2 * max(energy, least) or rz == 0.0
    first = 1.0 if start is None else state.relative(r)
    state.code = Outcome.converged if nothing else -1
    if nothing:
        state.collect()
    state.residuals.append(0.0 if nothing else first)
    state.errors.append(0.0 if nothing else _relative(rz * _inverse(floor), max(energy, least)))
    if start is not None and solver is not None and state.code < 0:
        reached = state.errors[0] <= solver.rtol and state.residuals[0] <= solver.residual_rtol
        if reached:
            state.code = int(Outcome.converged)
    return state


def run(state: HostCG, solver: ConjugateGradients, steps: int) -> HostCG:
    """Do at most `steps` further steps in place, fewer if the method ends before."""
    goal = state.steps + steps
    while state.code < 0 and state.steps < goal:
        _step(state, solver)
        if state.code >= 0:
            state.collect()
        if state.code in (Outcome.converged, Outcome.stagnated) and state.single:
            _verify(state, solver)
    return state


def _step(state: HostCG, solver: ConjugateGradients) -> None:
    if state.single and solver.residual_rtol < _DRIFT_SHOWS and state.residuals[-1] <= state.renew:
        _renew(state)
    curvature = state.operator.product(state.p, state.q)
    if not curvature > 0 or not math.isfinite(state.rz):
        state.falls.append(0.0)
        _record(state, solver, math.nan, math.nan, Outcome.breakdown)
        return
    old, alpha = state.rz, state.rz / curvature
    sums: list[tuple[float, float, float]] = []

    def then(rz: float) -> Use | None:
        state.rz = rz
        back = _judge(state, solver, alpha, old, [math.fsum(parts) for parts in zip(*sums, strict=True)])
        if state.code < 0:
            return _turn(state, alpha, rz / old)
        add_scaled(state.dx, alpha - back, state.p)  # there is no next direction
        return None

    state.operator.preconditioner(state.r.dtype).sweep(state.r, _descend(state, alpha, sums), then)


def _judge(state: HostCG, solver: ConjugateGradients, alpha: float, old: float, sums: list[float]) -> float:
    """Record a step, and whether it was the last.

    Args:
        state: with the residual of the step's end, and its product with the preconditioner.
        solver: the tolerances.
        alpha: length of the step.
        old: product of the residual with the preconditioner at its start.
        sums: r . r, r . q and q . q.

    Returns:
        what is to be taken off the step, where a point before its end has the smaller residual and will do.
    """
    fall = alpha * old
    state.falls.append(fall)
    state.energy -= fall
    state.radau = _next_radau(state.radau, state.floor, alpha, state.rz / old)
    scale = max(abs(state.energy), state.least)
    error = _relative(_error(state.radau * state.rz, state.falls), scale)
    if state.rz <= _noise(state.r.dtype) ** 2 * scale:  # nothing but rounding is left
        error = _relative(state.rz, scale)
    stuck = fall <= float(np.finfo(state.r.dtype).eps) ** 2 * scale
    limit = Outcome.step_limit if state.steps >= solver.max_steps else -1
    ended = Outcome.stagnated if stuck else limit
    _record(state, solver, error, math.sqrt(sums[0]) / (state.norm_b or 1.0), ended)
    return 0.0 if state.code == Outcome.converged else _step_back(state, solver, alpha, scale, sums)


def _step_back(
    state: HostCG, solver: ConjugateGradients, alpha: float, scale: float, sums: list[float]
) -> float:
    """Return how far before the step's end the residual is smallest, if that point is good enough, else 0."""
    square, mixed, other = sums
    back = min(max(-mixed / other, 0.0), alpha) if other > 0 else 0.0
    rest = max(square + back * (2 * mixed + back * other), 0.0)
    lost = (back / alpha) ** 2 * state.falls[-1]
    error, residual = state.errors[-1] + _relative(lost, scale), math.sqrt(rest) / (state.norm_b or 1.0)
    if not (error <= solver.rtol and residual <= solver.residual_rtol):
        return 0.0
    state.energy += lost
    state.falls[-1] -= lost
    state.errors[-1], state.residuals[-1] = error, residual
    state.code = int(Outcome.converged)
    return back


def _descend(state: HostCG, alpha: float, sums: list[tuple[float, float, float]]) -> Update:
    def update(low: int, high: int) -> None:
        sums.append(descend(state.r[low:high].reshape(-1), state.q[low:high].reshape(-1), alpha))

    return update


def _turn(state: HostCG, alpha: float, beta: float) -> Use:
    def use(low: int, high: int, z: np.ndarray) -> None:
        x, p = state.dx[low:high].reshape(-1), state.p[low:high].reshape(-1)
        advance_and_turn(x, p, z.reshape(-1), alpha, beta)

    return use


def _copy_to(p: np.ndarray) -> Use:
    def use(low: int, high: int, z: np.ndarray) -> None:
        p[low:high] = z

    return use


def _record(state: HostCG, solver: ConjugateGradients, error: float, residual: float, ended: int) -> None:
    state.errors.append(error)
    state.residuals.append(residual)
    converged = error <= solver.rtol and residual <= solver.residual_rtol
    state.code = int(Outcome.converged) if converged else int(ended)


def _renew(state: HostCG) -> None:
    """Replace the residual by the true one; where it had drifted far, drop the direction too."""
    state.renew = _RENEWED_AGAIN * state.residuals[-1]
    state.collect()
    state.operator.residual(state.x, state.r)
    true = state.relative(state.r)
    if true > _DRIFTED * state.residuals[-1]:
        _start_anew(state, true)


def _verify(state: HostCG, solver: ConjugateGradients) -> None:
    """Compute the true residual; if it is too large, go on from it."""
    state.operator.residual(state.x, state.q)
    true = state.relative(state.q)
    state.residuals[-1], state.verified = true, True
    if state.code == Outcome.converged and true <= solver.residual_rtol:
        return
    state.r, state.q = state.q, state.r
    _start_anew(state, true)


def _start_anew(state: HostCG, true: float) -> None:
    """Start from the true residual: in float64 where float32 brought little or stands still."""
    if state.code == Outcome.stagnated or true > _BROUGHT * state.checked:
        _widen(state)
    state.checked, state.renew = true, _RENEWED_AGAIN * true
    state.rz = state.operator.preconditioner(state.r.dtype).sweep(state.r, None, lambda _: _copy_to(state.p))
    state.radau, state.code, state.verified = _inverse(state.floor), -1, False


def _widen(state: HostCG) -> None:
    """Go over to float64; the old arrays are let go before the new ones are made, for memory."""
    shape, nothing = state.x.shape, np.empty(0)
    state.dx, state.r, state.p, state.q, state.room = state.x, nothing, nothing, nothing, None
    state.r, state.p, state.q = np.empty(shape), np.empty(shape), np.empty(shape)
    state.operator.residual(state.x, state.r)


def _error(bound: float, falls: list[float]) -> float:
    """Energy error after the last step: the guaranteed bound where it holds, else the sum of the tail."""
    if math.isfinite(bound) and bound > 0:
        return bound
    if len(falls) <= _WINDOW:
        return math.inf
    ratio = min(max((falls[-1] / falls[-1 - _WINDOW]) ** (1.0 / _WINDOW), 0.3), _SLOWEST)
    return max(falls[-3:]) * ratio / (1.0 - ratio)


def _next_radau(radau: float, floor: float, alpha: float, beta: float) -> float:
    """The recursion of the bound; infinite for good once rounding has spoiled it or where there is none."""
    gap = radau - alpha
    return gap / (floor * gap + beta) if math.isfinite(radau) and gap > 0 else math.inf


def _relative(error: float, energy: float) -> float:
    return error / abs(energy) if energy != 0.0 else math.inf


def _inverse(floor: float) -> float:
    return 1.0 / floor if floor > 0 else math.inf


def _noise(dtype: np.dtype) -> float:
    return _ROUNDING * float(np.finfo(dtype).eps)
