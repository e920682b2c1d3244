"""Minimal residuals for a saddle-point system, several loads at once, stopped on the energy of each.

Paige & Saunders, SIAM J. Numer. Anal. 12 (1975) 617; preconditioned as in Elman, Silvester & Wathen, Finite
Elements and Fast Iterative Solvers (2014), algorithm 4.1. All loads share each pass over the matrices and
each has its own Lanczos process.

What is wanted is the number  k = b.z*  of the exact solution, not the solution. With the true residual r,
k = b.z + z.r - e.Me: the stationary value b.z + z.r has an error of second order in the error e. It is
computed every few steps. Its error is e.Me = r.M^-1 r, at most  |r|^2 / (smallest eigenvalue), in the norm of
the preconditioner. That norm falls steadily and is known at each step; so the error left is estimated from
how much the value moved since earlier looks and how far the norm fell since: if the error goes with the
square of the norm and q is that fall, (movement) q / (1 - q) is left. The largest of several looks is taken,
doubled, and no less than the square of the norm itself, since movements can vanish by chance.
"""

import math
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from scalebridge.core.results import Outcome
from scalebridge.solvers.saddle_kernels import dots, lanczos, scale, turn

_EVERY = 3  # steps between two looks at the value, each of which costs a product
_LOOKS = 4  # earlier looks that the error is estimated from; fewer were not to be trusted
_CAUTION = 2.0  # on the estimate; without it the true error was up to 1.8 times as large (tests)
_VANISHING = 1e-12  # of the largest energy: a smaller one counts as zero
_DRIFT = 2.0  # factor by which the true residual may exceed the recurrence's before it is renewed
_RENEWALS = 4
_EXHAUSTED = 1e-11  # relative norm at which float64 has nothing more to give
_LUCKY = 1e-13  # relative norm at which a Lanczos process has ended by itself


class Operator(Protocol):
    """A symmetric operator on blocks of vectors."""

    def product(self, z: np.ndarray, out: np.ndarray) -> None:
        """Write the product with z to `out`."""
        ...


class Preconditioner(Protocol):
    """A symmetric positive definite operator on blocks of vectors."""

    def apply(self, r: np.ndarray, z: np.ndarray) -> None:
        """Write the preconditioned r to z."""
        ...


@dataclass(frozen=True)
class Stop:
    """When a solve ends.

    Args:
        rtol: wanted relative error of each load's energy b.z; the residual's norm has to fall by its root.
        max_steps: limit of steps.
    """

    rtol: float = 1e-4
    max_steps: int = 2000


@dataclass
class _Lanczos:
    """The vectors and numbers of the Lanczos processes and of the QR factors, one number a load."""

    v: np.ndarray
    v_old: np.ndarray
    z: np.ndarray
    q: np.ndarray
    w: np.ndarray
    w_old: np.ndarray
    gamma: np.ndarray
    gamma_old: np.ndarray
    rest: np.ndarray
    cosines: tuple[np.ndarray, np.ndarray]
    sines: tuple[np.ndarray, np.ndarray]

    @property
    def norm(self) -> np.ndarray:
        """Norm of each load's residual, in the norm of the preconditioner."""
        return np.abs(self.rest)


@dataclass(frozen=True)
class Look:
    """What was seen at one look, one number a load.

    Args:
        steps: steps done.
        value: the stationary value of the energy.
        first_order: b.z.
        dissipation: x.Ax.
        norm: the residual's norm, relative to the load's.
        error: estimated error of the value, relative to it.
    """

    steps: int
    value: np.ndarray
    first_order: np.ndarray
    dissipation: np.ndarray
    norm: np.ndarray
    error: np.ndarray


@dataclass
class SaddleWork:
    """A solve under way; changes in place.

    Args:
        operator: the matrix.
        preconditioner: its preconditioner.
        loads: b, shape (size, cases).
        unknowns: how many of the first rows belong to A.
        x: the iterate, shape (size, cases).
        scale: norm of each load.
        looks: what was seen so far.
        stops: steps at which each load first had the accuracy wanted, -1 before.
        steps: steps done.
        code: how it ended, -1 while it runs.
    """

    operator: Operator
    preconditioner: Preconditioner
    loads: np.ndarray
    unknowns: int
    x: np.ndarray
    process: _Lanczos
    scale: np.ndarray
    stops: np.ndarray
    looks: list[Look] = field(default_factory=list)
    steps: int = 0
    code: int = -1
    renewals: int = 0


def begin_minres(
    operator: Operator, preconditioner: Preconditioner, loads: np.ndarray, unknowns: int
) -> SaddleWork:
    """Return the work of a block of loads before its first step, from an iterate of zero."""
    process = _start(preconditioner, loads.copy())
    cases = loads.shape[1]
    stops = np.full(cases, -1)
    return SaddleWork(
        operator, preconditioner, loads, unknowns, np.zeros(loads.shape), process, process.norm.copy(), stops
    )


def run_minres(work: SaddleWork, stop: Stop, steps: int) -> SaddleWork:
    """Do at most so many further steps, in place."""
    for _ in range(steps):
        if work.code >= 0:
            break
        _step(work)
        if not np.all(np.isfinite(work.process.norm)):
            work.code = int(Outcome.breakdown)
        elif work.steps % _EVERY == 0 or work.steps >= stop.max_steps:
            look(work)
            _judge(work, stop)
    return work


def look(work: SaddleWork) -> Look:
    """Compute the energies of the iterate from its true residual, and estimate their error."""
    room, n = work.process.q, work.unknowns
    work.operator.product(work.x, room)
    first = dots(work.loads, work.x)
    upper, lower = dots(work.x[:n], room[:n]), dots(work.x[n:], room[n:])
    value = 2.0 * first - upper - lower
    seen = Look(
        work.steps,
        value,
        first,
        upper - lower,
        _ratio(work.process.norm, work.scale),
        np.full(len(first), np.inf),
    )
    seen.error[:] = _estimate(work, seen)
    work.looks.append(seen)
    return seen


def _estimate(work: SaddleWork, seen: Look) -> np.ndarray:
    size = _size(seen.value)
    least = _ratio((seen.norm * work.scale) ** 2, size)
    if len(work.looks) < _LOOKS:  # too few to say, unless nothing is left
        return np.where(seen.norm <= _EXHAUSTED, least, np.inf)
    for old in work.looks[-_LOOKS:]:
        fall = np.minimum(_ratio(seen.norm, old.norm) ** 2, 1.0 - 1e-12)
        left = np.abs(seen.value - old.value) * fall / (1.0 - fall)
        least = np.maximum(least, _CAUTION * _ratio(left, size))
    return least


def _size(value: np.ndarray) -> np.ndarray:
    """Return what errors are taken relative to: the value, unless it vanishes beside another load's."""
    return np.maximum(np.abs(value), _VANISHING * np.max(np.abs(value)))


def _judge(work: SaddleWork, stop: Stop) -> None:
    """Decide whether the solve has ended, on the true residual where it says that it has."""
    seen = work.looks[-1]
    gap = _ratio(np.abs(seen.first_order - seen.dissipation), _size(seen.value))
    root = math.sqrt(stop.rtol)
    good = (seen.error <= stop.rtol) & (seen.norm <= root) & (gap <= root) | (seen.norm <= _EXHAUSTED)
    work.stops = np.where(good & (work.stops < 0), work.steps, np.where(good, work.stops, -1))
    if np.all(good):
        if _holds(work):
            work.code = int(Outcome.converged)
        elif work.renewals > _RENEWALS:
            work.code = int(Outcome.stagnated)
    elif work.steps >= stop.max_steps:
        work.code = int(Outcome.step_limit)


def _holds(work: SaddleWork) -> bool:
    """Return whether the true residual is as small as the recurrence says; start anew from it if not."""
    known = work.process.norm
    work.operator.product(work.x, work.process.q)
    rest = work.loads - work.process.q
    work.preconditioner.apply(rest, work.process.v_old)
    true = np.sqrt(np.maximum(dots(rest, work.process.v_old), 0.0))
    if np.all(true <= _DRIFT * known + _LUCKY * work.scale):
        return True
    work.renewals += 1
    work.process = _start(work.preconditioner, rest)
    return False


def _start(preconditioner: Preconditioner, v: np.ndarray) -> _Lanczos:
    z = np.empty(v.shape)
    preconditioner.apply(v, z)
    gamma = np.sqrt(np.maximum(dots(v, z), 0.0))
    one, nothing = np.ones(v.shape[1]), np.zeros(v.shape[1])
    blank = [np.zeros(v.shape) for _ in range(3)]
    return _Lanczos(
        v,
        blank[0],
        z,
        np.empty(v.shape),
        blank[1],
        blank[2],
        gamma,
        one,
        gamma,
        (one, one),
        (nothing, nothing),
    )


def _step(work: SaddleWork) -> None:
    """Do one step of all loads."""
    p = work.process
    scale(p.z, _inverse(p.gamma, work.scale))
    work.operator.product(p.z, p.q)
    delta = dots(p.q, p.z)
    lanczos(
        p.q,
        p.v,
        p.v_old,
        delta * _inverse(p.gamma, work.scale),
        p.gamma * _inverse(p.gamma_old, 0.0 * work.scale),
    )
    p.v, p.v_old = p.v_old, p.v
    work.preconditioner.apply(p.v, p.q)
    gamma = np.sqrt(np.maximum(dots(p.v, p.q), 0.0))
    (c_old, c), (s_old, s) = p.cosines, p.sines
    a = c * delta - c_old * s * p.gamma
    length = np.hypot(a, gamma)
    scaled = _inverse(length, np.zeros_like(length))
    second, third = s * delta + c_old * c * p.gamma, s_old * p.gamma
    cosine, sine = a * scaled, gamma * scaled
    turn(p.z, p.w, p.w_old, work.x, (scaled, second * scaled, third * scaled, cosine * p.rest))
    p.w, p.w_old = p.w_old, p.w
    p.z, p.q = p.q, p.z
    p.rest = -sine * p.rest
    p.gamma_old, p.gamma = p.gamma, gamma
    p.cosines, p.sines = (c, cosine), (s, sine)
    work.steps += 1


def _ratio(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return a / b, and 0 where both are zero (a load of zero, or a process that has ended)."""
    return np.divide(a, b, out=np.where(a == 0.0, 0.0, np.inf), where=b != 0.0)


def _inverse(a: np.ndarray, scale_of: np.ndarray) -> np.ndarray:
    """Return 1 / a, and 0 where a has vanished: the process of that load has ended."""
    alive = a > _LUCKY * scale_of
    return np.divide(1.0, a, out=np.zeros_like(a), where=alive)
