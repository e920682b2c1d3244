"""Answers from the joint precision: by a sparse factor, or by conjugate gradients and samples."""

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
    variances = selected.variances(field), selected.variances(joint.observe)
    return _estimate(problem, joint, field, wanted, (log, shared, solved), variances)


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
    variance, seen_variance = variances
    mean = solved[:, 0] - solved[:, 1:] @ shared.mean
    pixels = problem.pixels
    own = joint.field_columns[(wanted[:, None] * pixels + np.arange(pixels)).ravel()]
    regressed = own - field @ solved[:, 1:]
    variance = variance + np.einsum("ip,pq,iq->i", regressed, shared.cov, regressed)
    shape = (len(wanted), *problem.field_shape)
    centred = joint.values - joint.columns @ shared.mean - joint.observe @ mean
    precision = np.maximum(1.0 / joint.noise - seen_variance / joint.noise**2, 1e-300)
    standard = centred / joint.noise / np.sqrt(precision)
    residuals = {}
    for number, o in enumerate(problem.observed):
        mine = joint.places[:, 0] == number
        residuals[o.name] = np.full(o.values.shape, np.nan)
        residuals[o.name][joint.places[mine, 1], joint.places[mine, 2]] = standard[mine]
    names = [name for name, _ in problem.coefficients]
    spread = np.sqrt(np.diag(shared.cov))
    return Estimate(
        (field @ mean + own @ shared.mean).reshape(shape) + problem.level,
        np.sqrt(np.maximum(variance, 0.0)).reshape(shape),
        residuals,
        {n: (float(m), float(s)) for n, m, s in zip(names, shared.mean, spread, strict=True)},
        log,
        error,
    )


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
    joint = make_joint(problem, values)
    precision = sp.csr_matrix(joint.precision)
    lines = time_lines(joint, precision)
    field = _wanted_rows(problem, joint.field, wanted)
    solved = np.column_stack([solve_lines(precision, lines, side, rtol) for side in joint.right_sides.T])
    sides = joint.right_sides
    seen = np.column_stack([joint.values, joint.columns])
    shared, _ = solve_coefficients(seen.T @ (seen / joint.noise[:, None]) - sides.T @ solved, joint.prior)
    generator = np.random.default_rng(seed)
    sampled = np.stack([
        solve_lines(precision, lines, perturbation(joint, generator), rtol) for _ in range(draws)
    ])  # fmt: skip
    conditional = sampled - np.stack([lines.solve(precision @ x) for x in sampled])
    own = lines.variances()
    spread, around = field @ own, (field @ conditional.T).var(axis=1)
    single = len(problem.model.parts) == 1
    variance = spread + around if single else (field @ sampled.T).var(axis=1)
    share = around / np.maximum(variance, 1e-300) if single else np.ones(1)
    error = float(np.sqrt(0.5 / max(draws - 1, 1)) * np.sqrt(np.mean(share**2)))
    seen_variance = np.minimum((joint.observe @ sampled.T).var(axis=1), 0.999 * joint.noise)
    return _estimate(
        problem, joint, field, wanted, (float("nan"), shared, solved), (variance, seen_variance), error
    )


def perturbation(joint: Joint, generator: np.random.Generator) -> np.ndarray:
    """Return a draw with the precision as its covariance: roots of prior and noise times white noise."""
    found = []
    for piece in joint.pieces:
        root: Sparse = sp.kron(piece.time_root, piece.space_root)
        found.append(root.T @ generator.standard_normal(root.shape[0]))
    data = joint.observe.T @ (generator.standard_normal(len(joint.noise)) / np.sqrt(joint.noise))
    return np.concatenate(found) + data


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
