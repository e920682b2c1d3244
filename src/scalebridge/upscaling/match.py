"""Match: choose the coarse model's parameters so that its answers agree with the fine model's.

The third upscaler, beside the tangent and the weighted mean. It knows the coarse model as a function from
parameters to answers, and the fine model by its answers alone.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array
from scipy.optimize import least_squares
from scipy.stats import chi2

from scalebridge.core import precision as _precision  # noqa: F401
from scalebridge.core.checks import Check
from scalebridge.core.errors import InputError
from scalebridge.core.estimate import Gaussian, split
from scalebridge.core.results import Outcome
from scalebridge.core.spec import Spec

_SURE = 0.9973  # of a misfit that noise alone explains: three standard deviations
_DETERMINED = 1e-8  # smallest of the singular values of the whitened Jacobian, relative to the largest
_STILL = 1e-6  # a further step of Gauss and Newton, in unconstrained coordinates


@dataclass(frozen=True)
class Matched:
    """Parameters with which the coarse model answers as the fine one did.

    Args:
        specs: the parameters.
        values: what they were found to be.
        estimate: their Gaussian posterior; None without noise.
        derivatives: d(parameter) / d(fine answers) of each parameter; the answers are the last axis.
        answers: the coarse model's answers with these values.
        misfit: norm of the difference of the answers: relative to the fine ones, or in units of the noise.
        checks: whether the answers agree, and whether they determine the parameters.
        outcome: how the search ended.
        steps: evaluations of the coarse model.
    """

    specs: tuple[Spec, ...]
    values: tuple[np.ndarray, ...]
    estimate: Gaussian | None
    derivatives: tuple[np.ndarray, ...]
    answers: np.ndarray
    misfit: float
    checks: tuple[Check, ...]
    outcome: Outcome
    steps: int

    @property
    def passed(self) -> bool:
        """Whether the search ended well and every check passed."""
        return self.outcome is Outcome.converged and all(check.passed for check in self.checks)


def match_answers(
    coarse: Callable[..., Any],
    fine: Any,
    specs: Sequence[Spec],
    start: Sequence[Any],
    *,
    noise: Any = None,
    prior: Gaussian | None = None,
    misfit_rtol: float = 1e-6,
    max_steps: int = 200,
) -> Matched:
    """Choose the coarse model's parameters so that its answers agree with the fine model's.

    The parameters theta minimise |coarse(theta) - fine|^2, weighted by the noise, and with the distance from
    the prior added:  (c - f)' N^-1 (c - f) + (z - z0)' P^-1 (z - z0),  z the unconstrained coordinates of
    theta. The posterior is the Gaussian of curvature J' N^-1 J + P^-1 around it. Derivatives are those of
    the stationary point, by the implicit function theorem with the full Hessian.

    Args:
        coarse: takes the parameters one by one, and returns the answers (m,); of JAX's operations, so that it
            can be differentiated.
        fine: the fine model's answers, (m,).
        specs: what the parameters are; their supports are kept.
        start: values to start from.
        noise: covariance (m, m) of the fine answers, or their standard deviations (m,).
        prior: what is known of the parameters before; with the same specs.
        misfit_rtol: relative difference of the answers that counts as agreement where there is no noise.
        max_steps: limit of evaluations.

    Returns:
        the parameters, with what is known about them.

    Raises:
        InputError: shapes that do not belong together, a noise that is no covariance, a prior without noise,
            or fewer answers than parameters without a prior.

    Limits: finds the nearest minimum. The posterior is that of the linearised model.
    Cost: a Jacobian of `coarse` an evaluation, and one Hessian.
    Source: K. Levenberg 1944; D. Marquardt 1963; for the posterior A. Tarantola, Inverse Problem Theory
    (2005), sec. 3.2.

    Example:
        >>> rate = Spec("rate", "1/s", support="positive")
        >>> times = jnp.array([1.0, 2.0])
        >>> decay = lambda k: jnp.exp(-k * times)
        >>> found = match_answers(decay, [0.5, 0.25], [rate], [1.0], noise=[0.01, 0.01])
        >>> print(f"{found.values[0]:.4f} +- {found.estimate.std[0]:.4f}")
        0.6931 +- 0.0141
    """
    specs = tuple(specs)
    wanted = _vector("fine", fine)
    root = _noise_root(noise, wanted)
    first = _start(specs, start)
    held = None if prior is None else _held(prior, specs, noise)
    if held is None and first.size > wanted.size:
        raise InputError(
            "fine",
            got=f"{wanted.size} answers for {first.size} unknown numbers",
            wanted="at least as many answers as unknowns, or a prior",
            cure="ask more questions, or pass prior=Gaussian(...)",
        )
    problem = _Problem(coarse, specs, root, held)
    problem.refuse(first, wanted)
    found = least_squares(
        lambda z: np.asarray(problem.residual(z, wanted)),
        first,
        jac=lambda z: np.asarray(problem.slope(z, wanted)),  # type: ignore[arg-type]
        method="lm",
        xtol=1e-14,
        ftol=1e-14,
        gtol=1e-14,
        max_nfev=max_steps,
    )
    return _told(problem, np.asarray(found.x), wanted, found, noise is not None, misfit_rtol)


class _Problem:
    """The weighted difference of the answers as a function of coordinates and fine answers."""

    def __init__(self, coarse: Callable[..., Any], specs: tuple[Spec, ...], root: np.ndarray, held: Any):
        self.specs, self.count = specs, root.shape[0]

        def answers(z: Array) -> Array:
            values = [s.from_unconstrained(c) for s, c in zip(specs, split(specs, z), strict=True)]
            return jnp.atleast_1d(jnp.asarray(coarse(*values), dtype=float))

        def residual(z: Array, fine: Array) -> Array:
            weighted = jax.scipy.linalg.solve_triangular(root, answers(z) - fine, lower=True)
            if held is None:
                return weighted
            centre, prior_root = held
            return jnp.append(weighted, jax.scipy.linalg.solve_triangular(prior_root, z - centre, lower=True))

        def half_square(z: Array, fine: Array) -> Array:
            return 0.5 * jnp.sum(residual(z, fine) ** 2)

        self.answers = jax.jit(answers)
        self.residual = jax.jit(residual)
        self.slope = jax.jit(jax.jacfwd(residual))
        self.curvature = jax.jit(jax.hessian(half_square))
        self.mixed = jax.jit(jax.jacfwd(jax.grad(half_square), argnums=1))

    def refuse(self, z: np.ndarray, wanted: np.ndarray) -> None:
        """Refuse a coarse model that answers something else, or nothing finite, at the start."""
        got = np.asarray(self.answers(z))
        if got.shape != wanted.shape or not np.all(np.isfinite(got)):
            raise InputError(
                "coarse",
                got=f"answers {np.array2string(got, threshold=6)} at the start",
                wanted=f"{wanted.size} finite numbers, as many as fine answers",
                cure="correct the coarse model, or start elsewhere",
            )

    def derivatives(self, z: np.ndarray, wanted: np.ndarray) -> list[np.ndarray]:
        """Derivative of each parameter by the fine answers: dz = -H^-1 d2/dz df of the half square."""
        bent, mixed = self.curvature(z, wanted), self.mixed(z, wanted)
        by_answer = split(self.specs, -jnp.linalg.pinv(bent) @ mixed)
        found = []
        for spec, c, rows in zip(self.specs, split(self.specs, jnp.asarray(z)), by_answer, strict=True):
            slope = np.asarray(jax.jacfwd(lambda x, s=spec: s.from_unconstrained(x).ravel())(c))
            found.append((slope @ np.asarray(rows)).reshape(*spec.shape, self.count))
        return found


def _told(
    problem: _Problem, z: np.ndarray, wanted: np.ndarray, found: Any, noisy: bool, misfit_rtol: float
) -> Matched:
    specs = problem.specs
    slope, left = np.asarray(problem.slope(z, wanted)), np.asarray(problem.residual(z, wanted))
    answers = np.asarray(problem.answers(z))
    singular = np.linalg.svd(slope, compute_uv=False)
    estimate = None
    if noisy and singular[-1] > 0:
        triangle = np.linalg.qr(slope, mode="r")
        estimate = Gaussian(specs, jnp.asarray(z), jnp.asarray(np.linalg.inv(triangle)))
    weighted = float(np.linalg.norm(left))
    scale = float(np.linalg.norm(wanted)) or 1.0
    misfit = weighted if noisy else float(np.linalg.norm(answers - wanted)) / scale
    values = [s.from_unconstrained(c) for s, c in zip(specs, split(specs, jnp.asarray(z)), strict=True)]
    return Matched(
        specs,
        tuple(np.asarray(v) for v in values),
        estimate,
        tuple(problem.derivatives(z, wanted)),
        answers,
        misfit,
        (
            _misfit_check(misfit, noisy, slope.shape, misfit_rtol),
            _determined_check(singular),
            _still_check(slope, left),
        ),
        Outcome.converged if found.success else Outcome.step_limit,
        int(found.nfev),
    )


def _misfit_check(misfit: float, noisy: bool, shape: tuple[int, ...], misfit_rtol: float) -> Check:
    if not noisy:
        meaning = "difference of the coarse and the fine answers, relative to the fine ones"
        return Check("answers agree", misfit, misfit_rtol, meaning=meaning)
    free = shape[0] - shape[1]
    # With as many parameters as answers, noise explains nothing: only rounding may be left.
    limit = math.sqrt(float(chi2.ppf(_SURE, free))) if free > 0 else 1e-3
    meaning = (
        "difference of the coarse and the fine answers in units of the noise; more than noise leaves in "
        "99.7 % of cases says that the coarse model cannot answer alike"
    )
    return Check("answers agree", misfit, limit, meaning=meaning)


def _determined_check(singular: np.ndarray) -> Check:
    share = float(singular[-1] / singular[0]) if singular[0] > 0 else 0.0
    meaning = "least against most that the answers change with the parameters: above it they are determined"
    return Check("answers determine the parameters", share, _DETERMINED, "at least", meaning)


def _still_check(slope: np.ndarray, left: np.ndarray) -> Check:
    step = float(np.linalg.norm(np.linalg.lstsq(slope, left, rcond=None)[0]))
    return Check(
        "search has ended", step, _STILL, meaning="the next step of Gauss and Newton, in coordinates"
    )


def _vector(argument: str, given: Any) -> np.ndarray:
    try:
        found = np.atleast_1d(np.asarray(given, dtype=float))
    except (TypeError, ValueError):
        found = np.full(1, np.nan)
    if found.ndim != 1 or found.size == 0 or not np.all(np.isfinite(found)):
        raise InputError(
            argument, got=repr(given), wanted="a list of finite numbers", cure="pass the answers"
        )
    return found


def _noise_root(noise: Any, wanted: np.ndarray) -> np.ndarray:
    """Lower triangular root of the noise's covariance; without noise, the answers' own size."""
    if noise is None:
        return np.eye(wanted.size) * (float(np.linalg.norm(wanted)) or 1.0)
    given = np.asarray(noise, dtype=float)
    covariance = np.diag(given**2) if given.shape == wanted.shape else given
    if covariance.shape == (wanted.size, wanted.size) and np.all(np.isfinite(covariance)):
        symmetric = np.allclose(covariance, covariance.T, rtol=1e-10, atol=0.0)
        if symmetric and float(np.min(np.linalg.eigvalsh(covariance))) > 0:
            return np.linalg.cholesky(covariance)
    raise InputError(
        "noise",
        got=f"{np.array2string(given, threshold=6)}",
        wanted=f"{wanted.size} positive standard deviations, or a positive definite covariance",
        cure="pass the errors of the fine answers, or leave noise out",
    )


def _start(specs: tuple[Spec, ...], start: Sequence[Any]) -> np.ndarray:
    if len(start) != len(specs) or not specs:
        raise InputError(
            "start",
            got=f"{len(start)} values for {len(specs)} parameters",
            wanted="a value of each parameter",
            cure="pass one value for each spec",
        )
    found = np.concatenate(
        [
            np.asarray(s.to_unconstrained(jnp.asarray(v, dtype=float)))
            for s, v in zip(specs, start, strict=True)
        ]
    )
    if not np.all(np.isfinite(found)):
        raise InputError(
            "start",
            got=repr(list(start)),
            wanted="values inside the parameters' supports",
            cure="start with positive numbers where a parameter is positive",
        )
    return found


def _held(prior: Gaussian, specs: tuple[Spec, ...], noise: Any) -> tuple[np.ndarray, np.ndarray]:
    if noise is None:
        raise InputError(
            "noise",
            got="none with a prior",
            wanted="the noise of the answers, against which the prior is weighed",
            cure="pass noise=..., or leave the prior out",
        )
    if prior.specs != specs:
        raise InputError(
            "prior",
            got=f"{[s.name for s in prior.specs]}",
            wanted=f"the parameters {[s.name for s in specs]}",
            cure="make the prior of the same specs",
        )
    return np.asarray(prior.mean), np.linalg.cholesky(np.asarray(prior.covariance))
