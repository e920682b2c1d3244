"""Answers from the joint precision: by a sparse factor, or by conjugate gradients and samples."""

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp

from scalebridge.core.errors import SolverError
from scalebridge.fusion import sparse_kernels
from scalebridge.fusion.block_estimate import Estimate
from scalebridge.fusion.fusion_problem import Problem
from scalebridge.fusion.joint_precision import Joint, make_joint
from scalebridge.fusion.shared_coefficients import Coefficients, solve_coefficients
from scalebridge.fusion.sparse_factor import Factor, dissect, factorise, selected_inverse
from scalebridge.grids.footprints import Sparse


def joint_likelihood(joint: Joint, factor: Factor) -> tuple[float, Coefficients, np.ndarray]:
    """Return log-likelihood, coefficients, and the unknowns at the data and at each regressor."""
    sides = joint.right_sides
    solved = factor.solve(sides)
    seen = np.column_stack([joint.values, joint.columns])
    products = seen.T @ (seen / joint.noise[:, None]) - sides.T @ solved
    shared, quadratic = solve_coefficients(products, joint.prior)
    log = (
        factor.log_determinant
        - sum(p.log_determinant for p in joint.pieces)
        + float(np.log(joint.noise).sum())
    )
    return quadratic - 0.5 * (log + len(joint.values) * np.log(2 * np.pi)), shared, solved


def estimate_sparse(problem: Problem, values: dict[str, float], wanted: np.ndarray) -> Estimate:
    """Return the field on the wanted dates, with exact variances from the selected inverse.

    Args:
        problem: the problem.
        values: all parameters.
        wanted: positions of the dates.

    Cost: of the factor, for some 1e5 unknowns in space and time minutes and gigabytes.
    """
    joint = make_joint(problem, values)
    field = _wanted_rows(problem, joint.field, wanted)
    reach = abs(field).T @ abs(field)  # pairs that have to lie in the pattern
    precision = sp.csc_matrix(joint.precision + 1e-300 * reach)
    factor = factorise(precision, dissect(precision, joint.where))
    log, shared, solved = joint_likelihood(joint, factor)
    selected = selected_inverse(factor)
    seen = 1.0 / joint.noise - selected.variances(joint.observe) / joint.noise**2
    variances = selected.variances(field), np.maximum(seen, 1e-300)
    return _estimate(problem, joint, field, wanted, (log, shared, solved), variances)


def sparse_squares(problem: Problem, values: dict[str, float]) -> dict[str, np.ndarray]:
    """Return by sensor E[e^2] of what smoothing leaves of each observation; see `robust.reweighted`."""
    joint = make_joint(problem, values)
    factor = factorise(joint.precision, dissect(joint.precision, joint.where))
    _, shared, solved = joint_likelihood(joint, factor)
    left = _left(joint, shared, solved) ** 2 + selected_inverse(factor).variances(joint.observe)
    return _by_sensor(problem, joint, left)


def past(problem: Problem, last: int) -> Problem:
    """Return the problem without the dates after one; what all data share keeps its priors."""
    kept = slice(0, last + 1)
    observed = tuple(
        replace(
            o, values=o.values[kept], scale=o.scale[kept], weight=None if o.weight is None else o.weight[kept]
        )
        for o in problem.observed
    )
    told = {name: z[kept] for name, z in problem.covariates.items()}
    shared = tuple(problem.coefficients)
    return replace(problem, days=problem.days[kept], observed=observed, covariates=told, shared=shared)


def lagged(
    problem: Problem, wanted: np.ndarray, lag: int, one: Callable[[Problem, np.ndarray], Estimate]
) -> Estimate:
    """Return the field on the wanted dates from data that end `lag` dates after each.

    Residuals of a date are those to all other data that may be looked at for it; coefficients and the
    likelihood are those of all data.

    Args:
        problem: the problem.
        wanted: positions of the dates.
        lag: number of dates.
        one: the estimate of a problem on some dates.

    Cost: one estimate for each date but the last `lag`, of all dates until then.
    """
    end = len(problem.days) - 1
    whole = one(problem, wanted)
    for number, place in enumerate(wanted):
        if place + lag >= end:
            continue
        found = one(past(problem, int(place) + lag), np.array([place]))
        whole.mean[number], whole.std[number] = found.mean[0], found.std[0]
        for name, residual in found.residuals.items():
            whole.residuals[name][place] = residual[place]
    return whole


def _wanted_rows(problem: Problem, rows: Sparse, wanted: np.ndarray) -> Sparse:
    pixels = problem.pixels
    return sp.csr_matrix(rows[(wanted[:, None] * pixels + np.arange(pixels)).ravel()])


def _estimate(
    problem: Problem,
    joint: Joint,
    field: Sparse,
    wanted: np.ndarray,
    found: tuple[float, Coefficients, np.ndarray],
    variances: tuple[np.ndarray, np.ndarray],
    error: float = 0.0,
) -> Estimate:
    log, shared, solved = found
    variance, precision = variances  # of the field; of each observation's smoothed error
    mean = solved[:, 0] - solved[:, 1:] @ shared.mean
    pixels = problem.pixels
    own = joint.field_columns[(wanted[:, None] * pixels + np.arange(pixels)).ravel()]
    regressed = own - field @ solved[:, 1:]
    variance = variance + np.einsum("ip,pq,iq->i", regressed, shared.cov, regressed)
    shape = (len(wanted), *problem.field_shape)
    standard = _left(joint, shared, solved) / joint.noise / np.sqrt(precision)
    names = [name for name, _ in problem.coefficients]
    spread = np.sqrt(np.diag(shared.cov))
    return Estimate(
        (field @ mean + own @ shared.mean).reshape(shape) + problem.level,
        np.sqrt(np.maximum(variance, 0.0)).reshape(shape),
        _by_sensor(problem, joint, standard),
        {n: (float(m), float(s)) for n, m, s in zip(names, shared.mean, spread, strict=True)},
        log,
        error,
    )


def _left(joint: Joint, shared: Coefficients, solved: np.ndarray) -> np.ndarray:
    """What smoothing leaves of each observation."""
    mean = solved[:, 0] - solved[:, 1:] @ shared.mean
    return joint.values - joint.columns @ shared.mean - joint.observe @ mean


def _by_sensor(problem: Problem, joint: Joint, array: np.ndarray) -> dict[str, np.ndarray]:
    """Sort (observations,) by sensor: (dates, rows), NaN where nothing was seen."""
    told = {}
    for number, o in enumerate(problem.observed):
        mine = joint.places[:, 0] == number
        told[o.name] = np.full(o.values.shape, np.nan)
        told[o.name][joint.places[mine, 1], joint.places[mine, 2]] = array[mine]
    return told


def estimate_iterative(
    problem: Problem,
    values: dict[str, float],
    wanted: np.ndarray,
    *,
    draws: int = 40,
    seed: int = 0,
    rtol: float = 1e-8,
) -> Estimate:
    """Return the field by preconditioned conjugate gradients, with variances from samples.

    The preconditioner solves every pixel's own line in time exactly. A sample is the answer to perturbed
    data and a perturbed prior (perturb and solve). Variances are Rao-Blackwellised over each pixel's line in
    time: its own conditional variance, and the variance over samples of its conditional mean (Sidén et al.
    2018). The likelihood is not known here: NaN.

    Args:
        problem: the problem; its parts are of order one.
        values: all parameters.
        wanted: positions of the dates.
        draws: number of samples.
        seed: of the samples.
        rtol: relative residual of each solve.

    Raises:
        SolverError: no convergence.
    """
    found = _iterate(problem, values, draws, seed, rtol)
    joint, lines, sampled = found.joint, found.lines, found.sampled
    field = _wanted_rows(problem, joint.field, wanted)
    conditional = sampled - np.stack([lines.solve(found.precision @ x) for x in sampled])
    own = lines.variances()
    spread, around = field @ own, (field @ conditional.T).var(axis=1)
    single = len(problem.model.parts) == 1
    variance = spread + around if single else (field @ sampled.T).var(axis=1)
    share = around / np.maximum(variance, 1e-300) if single else np.ones(1)
    error = float(np.sqrt(0.5 / max(draws - 1, 1)) * np.sqrt(np.mean(share**2)))
    known = float("nan"), found.shared, found.solved
    return _estimate(problem, joint, field, wanted, known, (variance, found.precision_of_errors), error)


def iterative_squares(
    problem: Problem, values: dict[str, float], *, draws: int = 40, seed: int = 0
) -> dict[str, np.ndarray]:
    """Return what `sparse_squares` does, with variances from samples."""
    found = _iterate(problem, values, draws, seed, 1e-8)
    joint = found.joint
    seen = np.minimum((joint.observe @ found.sampled.T).var(axis=1), joint.noise)
    return _by_sensor(problem, joint, _left(joint, found.shared, found.solved) ** 2 + seen)


class _Iterated(NamedTuple):
    """Solutions by conjugate gradients, and samples."""

    joint: Joint
    precision: Sparse
    lines: "Lines"
    solved: np.ndarray
    shared: Coefficients
    sampled: np.ndarray
    drawn: np.ndarray

    @property
    def precision_of_errors(self) -> np.ndarray:
        """D of each observation: with noise e that was drawn, R^-1 (e - H x) has the variance D."""
        left = self.drawn - (self.joint.observe @ self.sampled.T).T
        return np.maximum(np.mean((left / self.joint.noise) ** 2, axis=0), 1e-300)


def _iterate(problem: Problem, values: dict[str, float], draws: int, seed: int, rtol: float) -> _Iterated:
    joint = make_joint(problem, values)
    precision = sp.csr_matrix(joint.precision)
    lines = time_lines(joint, precision)
    sides = joint.right_sides
    solved = np.column_stack([solve_lines(precision, lines, side, rtol) for side in sides.T])
    seen = np.column_stack([joint.values, joint.columns])
    shared, _ = solve_coefficients(seen.T @ (seen / joint.noise[:, None]) - sides.T @ solved, joint.prior)
    generator = np.random.default_rng(seed)
    pushed = [perturbation(joint, generator) for _ in range(draws)]
    sampled = np.stack([solve_lines(precision, lines, side, rtol) for side, _ in pushed])
    return _Iterated(joint, precision, lines, solved, shared, sampled, np.stack([e for _, e in pushed]))


def perturbation(joint: Joint, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return a draw with the precision as its covariance, and the noise of the observations in it.

    It is roots of prior and noise times white noise.
    """
    found = []
    for piece in joint.pieces:
        root: Sparse = sp.kron(piece.time_root, piece.space_root)
        found.append(root.T @ generator.standard_normal(root.shape[0]))
    white = generator.standard_normal(len(joint.noise))
    data = joint.observe.T @ (white / np.sqrt(joint.noise))
    return np.concatenate(found) + data, white * np.sqrt(joint.noise)


class Lines(NamedTuple):
    """The part of a precision that stays on each unknown's own line in time, by piece of order one."""

    sizes: tuple[tuple[int, int], ...]
    diagonals: tuple[np.ndarray, ...]
    below: tuple[np.ndarray, ...]

    def solve(self, side: np.ndarray) -> np.ndarray:
        """Return the answer of all lines to a right side."""
        found, place = [], 0
        for (dates, count), diagonal, below in zip(self.sizes, self.diagonals, self.below, strict=True):
            out = np.empty((dates, count))
            piece = np.ascontiguousarray(side[place : place + dates * count].reshape(dates, count))
            sparse_kernels.sweep_lines(diagonal, below, piece, out)
            found.append(out.ravel())
            place += dates * count
        return np.concatenate(found)

    def variances(self) -> np.ndarray:
        """Return the diagonal of the inverse, one column of the identity at a time."""
        found = []
        for (dates, count), diagonal, below in zip(self.sizes, self.diagonals, self.below, strict=True):
            each = np.empty((dates, count))
            for t in range(dates):
                unit, out = np.zeros((dates, count)), np.empty((dates, count))
                unit[t] = 1.0
                sparse_kernels.sweep_lines(diagonal, below, unit, out)
                each[t] = out[t]
            found.append(each.ravel())
        return np.concatenate(found)


def time_lines(joint: Joint, precision: Sparse) -> Lines:
    """Return the lines in time of a precision."""
    sizes, diagonals, below, place = [], [], [], 0
    diagonal = precision.diagonal()
    for piece in joint.pieces:
        count = piece.space.shape[0]
        dates = piece.dates * piece.order
        own = slice(place, place + piece.size)
        sizes.append((dates, count))
        diagonals.append(np.ascontiguousarray(diagonal[own].reshape(dates, count)))
        beside = precision.diagonal(count)[place : place + piece.size - count] if dates > 1 else np.zeros(0)
        below.append(np.ascontiguousarray(beside.reshape(max(dates - 1, 0), count)))
        place += piece.size
    return Lines(tuple(sizes), tuple(diagonals), tuple(below))


def solve_lines(precision: Sparse, lines: Lines, side: np.ndarray, rtol: float) -> np.ndarray:
    """Return the solution by conjugate gradients, preconditioned by lines in time.

    Raises:
        SolverError: two thousand steps did not do.
    """
    found, rest = np.zeros_like(side), side.copy()
    goal = rtol * float(np.linalg.norm(side))
    away = lines.solve(rest)
    along, product = away.copy(), float(rest @ away)
    for _ in range(2000):
        if np.linalg.norm(rest) <= goal:
            return found
        image = precision @ along
        step = product / float(along @ image)
        found += step * along
        rest -= step * image
        away = lines.solve(rest)
        product, before = float(rest @ away), product
        along = away + (product / before) * along
    raise SolverError(f"conjugate gradients stopped at a residual of {np.linalg.norm(rest):.2g}; loosen rtol")
