"""Exact derivatives of the joint precision's log-likelihood by every parameter.

By Fisher's identity the slope of log p(y) is the posterior mean of the slope of log p(y, x, beta): for a
prior precision Q, 1/2 tr(Q^-1 dQ) - 1/2 tr(dQ E[x x']), and E[x x'] is wanted in the pattern of Q alone,
where the selected inverse has it. Slopes by the entries of M, B and W of each part are contracted first; JAX
takes them on to the parameters.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import scipy.sparse as sp
from jaxtyping import Array

from scalebridge.core import precision as _precision  # noqa: F401
from scalebridge.fusion.bands import band_correlation
from scalebridge.fusion.fusion_blocks import block_order, pixel_distance, step_classes
from scalebridge.fusion.fusion_model import kind_of
from scalebridge.fusion.fusion_problem import Problem
from scalebridge.fusion.joint_precision import Joint, Piece, grid_laplacian, markov_weights
from scalebridge.fusion.shared_coefficients import Coefficients
from scalebridge.fusion.sparse_factor import Selected
from scalebridge.fusion.system import correlation, dynamics
from scalebridge.grids.footprints import Sparse


class Known(NamedTuple):
    """What is known of the unknowns given the data.

    Args:
        selected: entries of the inverse precision.
        mean: (unknowns,).
        roots: (unknowns, coefficients), what the coefficients' spread adds: roots @ roots'.
    """

    selected: Selected
    mean: np.ndarray
    roots: np.ndarray

    def squares(self, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """Return E[x_i x_j] for pairs in the pattern."""
        own = self.selected.at(rows, columns) + self.mean[rows] * self.mean[columns]
        return own + np.einsum("ep,ep->e", self.roots[rows], self.roots[columns])


def known_from(selected: Selected, solved: np.ndarray, shared: Coefficients) -> Known:
    """Return mean and second moments from solutions at the data and at each regressor."""
    root = np.linalg.cholesky(shared.cov) if len(shared.mean) else np.zeros((0, 0))
    return Known(selected, solved[:, 0] - solved[:, 1:] @ shared.mean, solved[:, 1:] @ root)


def joint_slopes(
    problem: Problem, joint: Joint, values: dict[str, float], known: Known, shared: Coefficients
) -> dict[str, float]:
    """Return the slope of the log-likelihood by the logarithm of every parameter.

    Args:
        problem: the problem.
        joint: its system at these parameters.
        values: all parameters.
        known: of the unknowns.
        shared: the coefficients.

    Source: Fisher's identity, as Koopman & Shephard (1992) use it for state space models.
    """
    slope = dict.fromkeys(values, 0.0)
    place = 0
    names = [*problem.model.parts, *(o.name for o in problem.observed if o.bias != "none")]
    for number, (name, piece) in enumerate(zip(names, joint.pieces, strict=True)):
        is_part = number < len(problem.model.parts)
        told = _part_slopes if is_part else _bias_slopes
        for parameter, by in told(problem, name, piece, values, known, place).items():
            slope[parameter] += values[parameter] * by
        place += piece.size
    for name, by in _noise_slopes(problem, joint, known, shared).items():
        slope[name] += by
    for number, (_, prior) in enumerate(problem.coefficients):
        if isinstance(prior, str):
            square = shared.mean[number] ** 2 + shared.cov[number, number]
            slope[prior] += float(square / values[prior] ** 2 - 1.0)
    return slope


def _noise_slopes(problem: Problem, joint: Joint, known: Known, shared: Coefficients) -> dict[str, float]:
    """By the logarithm of each sensor's noise: sum over its values of E[e^2] / R - 1."""
    left = joint.values - joint.columns @ shared.mean - joint.observe @ known.mean
    root = np.linalg.cholesky(shared.cov) if len(shared.mean) else np.zeros((0, 0))
    regressed = joint.columns @ root - joint.observe @ known.roots
    square = left**2 + known.selected.variances(joint.observe) + (regressed**2).sum(axis=1)
    each = np.bincount(joint.places[:, 0], square / joint.noise - 1.0, len(problem.observed))
    return {f"{o.name} noise": float(by) for o, by in zip(problem.observed, each, strict=True)}


class Weighted(NamedTuple):
    """Entries of one piece's prior precision, each with -1/2 E[x x'] of its pair.

    Args:
        times: (entries, 2), of M.
        bands: (entries, 2), of B.
        pixels: (entries, 2), of W.
        m, b, w: values of each factor.
        scale: what land cover divides each by.
        weight: -1/2 E[x x'].
    """

    times: np.ndarray
    bands: np.ndarray
    pixels: np.ndarray
    m: np.ndarray
    b: np.ndarray
    w: np.ndarray
    scale: np.ndarray
    weight: np.ndarray


def _weighted(
    piece: Piece, place: int, known: Known, factors: tuple[Sparse, Sparse], scale: np.ndarray
) -> Weighted:
    """Spread M (x) B (x) W over its entries."""
    bands, space = (sp.coo_matrix(a) for a in factors)
    time = sp.coo_matrix(piece.time)
    count, pixels = len(factors[0].diagonal()), len(factors[1].diagonal())
    t, b, w = (
        a.ravel() for a in np.meshgrid(*(np.arange(a.nnz) for a in (time, bands, space)), indexing="ij")
    )
    ends, pairs = [], []
    for side in ("row", "col"):
        own = [getattr(a, side).astype(np.int64)[e] for a, e in ((time, t), (bands, b), (space, w))]
        pairs.append(own)
        ends.append(own[1] * pixels + own[2])
    at = [place + own[0] * count * pixels + end for own, end in zip(pairs, ends, strict=True)]
    both = [np.stack([pairs[0][k], pairs[1][k]], axis=1) for k in range(3)]
    return Weighted(
        both[0], both[1], both[2], time.data[t], bands.data[b], space.data[w],
        1.0 / (scale[ends[0]] * scale[ends[1]]), -0.5 * known.squares(at[0], at[1]),
    )  # fmt: skip


def _by_time(found: Weighted, piece: Piece) -> np.ndarray:
    """Slope by the entries of M, (dates * order,) squared."""
    size = piece.dates * piece.order
    key = found.times[:, 0] * size + found.times[:, 1]
    return np.bincount(key, found.b * found.w * found.scale * found.weight, size * size).reshape(size, size)


def _by_motion(
    by_time: np.ndarray, piece: Piece, motion: Any, step: np.ndarray, count: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Slopes by transition, innovation and start: M is the sum over dates of r' C^-1 r, r = [-T, 1]."""
    transition, innovation, start = (np.asarray(a) for a in motion)
    to_t, to_q, to_p = (np.zeros_like(a) for a in (transition, innovation, start))
    order = piece.order
    cut = by_time.reshape(piece.dates, order, piece.dates, order).transpose(0, 2, 1, 3)
    for t in range(piece.dates):
        if t == 0:
            inverse = np.linalg.inv(start)
            to_p -= inverse @ (cut[0, 0] + 0.5 * count * start) @ inverse
            continue
        kind = step[t]
        move, cov = transition[kind], innovation[kind]
        inverse = np.linalg.inv(cov)
        beside = cut[t, t - 1] - move @ cut[t - 1, t - 1]
        square = cut[t, t] - beside @ move.T - move @ cut[t, t - 1].T
        to_q[kind] -= inverse @ (square + 0.5 * count * cov) @ inverse
        to_t[kind] -= 2.0 * inverse @ beside
    return to_t, to_q, to_p


def _bias_slopes(
    problem: Problem, name: str, piece: Piece, values: dict[str, float], known: Known, place: int
) -> dict[str, float]:
    """Slopes by the parameters of a sensor's bias."""
    kind = "ar1" if f"{name} bias time" in values else "static"
    own = {k: values[f"{name} bias {k}"] for k in ("std", "time") if f"{name} bias {k}" in values}
    rows = piece.space.shape[0]
    found = _weighted(piece, place, known, (sp.identity(1), sp.identity(rows)), np.ones(rows))
    by = _through_motion(problem, (kind, 1), own, piece, _by_time(found, piece), rows)
    return {f"{name} bias {key}": float(x) for key, x in by.items()}


def _through_motion(
    problem: Problem, kind: tuple[str, int], own: Mapping[str, float], piece: Piece, by_time: np.ndarray,
    count: int,
) -> dict[str, Array]:  # fmt: skip
    """Take slopes by M, and half its log-determinant for each of `count` lines, to a motion's parameters."""
    steps, step = step_classes(problem.days)

    def move(told: dict[str, Array]) -> Any:
        return dynamics(kind[0], steps, told, problem.model.period, kind[1])

    told = {key: jnp.asarray(float(x)) for key, x in own.items()}
    motion, back = jax.vjp(move, told)
    weights = _by_motion(by_time, piece, motion, step, count)
    return back(type(motion)(*(jnp.asarray(w) for w in weights)))[0]


def _part_slopes(
    problem: Problem, part: str, piece: Piece, values: dict[str, float], known: Known, place: int
) -> dict[str, float]:
    """Slopes by the parameters of one part of the field."""
    told = ("std", "time", "start", "slope")
    own = {k: values[f"{part} {k}"] for k in told if f"{part} {k}" in values}
    scale = np.ones(problem.pixels)
    if problem.labels:
        own["std"] = 1.0
        scale = np.array([values[f"{part} std [{label}]"] for label in problem.labels])[problem.classes]
    together = (
        np.eye(1) if not problem.bands else np.asarray(band_correlation(part, problem.band_names, values))
    )
    inverse = np.linalg.inv(together)
    count = piece.dates * piece.order
    pixels = problem.pixels // len(together)
    space = _unscaled(piece, inverse, scale, pixels)
    found = _weighted(piece, place, known, (sp.csr_matrix(inverse), space), scale)
    by_time = _by_time(found, piece)
    motion = _through_motion(problem, kind_of(part), own, piece, by_time, problem.pixels)
    slope = {f"{part} {key}": float(x) for key, x in motion.items() if f"{part} {key}" in values}
    if problem.labels:
        slope |= _label_slopes(problem, part, found, values, count, pixels)
    if problem.bands:
        slope |= _band_slopes(problem, part, found, values, inverse, count * pixels)
    return slope | _space_slopes(problem, part, found, values, count * len(together))


def _unscaled(piece: Piece, inverse: np.ndarray, scale: np.ndarray, pixels: int) -> Sparse:
    """The precision in space of one band, without the standard deviations of labels."""
    first = sp.diags(scale[:pixels]) @ piece.space[:pixels, :pixels] @ sp.diags(scale[:pixels])
    return sp.csr_matrix(first / inverse[0, 0])


def _label_slopes(
    problem: Problem, part: str, found: Weighted, values: dict[str, float], count: int, pixels: int
) -> dict[str, float]:
    """By each label's standard deviation s: W has 1 / s for each end of an entry."""
    share = -2.0 * found.m * found.b * found.w * found.scale * found.weight
    each = np.bincount(found.bands[:, 0] * pixels + found.pixels[:, 0], share, problem.pixels) - count
    by = np.bincount(problem.classes, each, len(problem.labels))
    names = [f"{part} std [{label}]" for label in problem.labels]
    return {name: float(x) / values[name] for name, x in zip(names, by, strict=True)}


def _band_slopes(
    problem: Problem, part: str, found: Weighted, values: dict[str, float], inverse: np.ndarray, count: int
) -> dict[str, float]:
    """By the ratios of bands: B = R^-1, with `count` times half its log-determinant."""
    size = len(inverse)
    key = found.bands[:, 0] * size + found.bands[:, 1]
    by = np.bincount(key, found.m * found.w * found.scale * found.weight, size * size).reshape(size, size)
    weight = jnp.asarray(-inverse @ by @ inverse - 0.5 * count * inverse)
    own = {n: jnp.asarray(v) for n, v in values.items() if n.startswith(f"{part} ratio [")}
    told = jax.grad(lambda v: jnp.sum(weight * band_correlation(part, problem.band_names, v)))(own)
    return {name: float(x) for name, x in told.items()}


def _space_slopes(
    problem: Problem, part: str, found: Weighted, values: dict[str, float], count: int
) -> dict[str, float]:
    """By length and nugget, with `count` times half the log-determinant in space."""
    kind, pixels = problem.model.space_of(part), problem.grid.shape[0] * problem.grid.shape[1]
    if kind == "independent":
        return {}
    key = found.pixels[:, 0] * pixels + found.pixels[:, 1]
    slots, place = np.unique(key, return_inverse=True)
    data = np.bincount(place, found.m * found.b * found.scale * found.weight, len(slots))
    by = sp.csr_matrix((data, (slots // pixels, slots % pixels)), (pixels, pixels))
    names = [f"{part} {key}" for key in ("length", "nugget") if f"{part} {key}" in values]
    own = {name: jnp.asarray(values[name]) for name in names}
    if kind == "across":
        told = jax.grad(lambda v: _markov(problem, by, v[f"{part} length"], count))(own)
    else:
        told = jax.grad(_local(problem, part, kind, by, values, count))(own)
    return {name: float(x) for name, x in told.items()}


def _markov(problem: Problem, by: Sparse, length: Array, count: int) -> Array:
    """What depends on the length of a Markov field: W = s^2 (k^2 + L)^2, and its log-determinant."""
    laplacian = grid_laplacian(problem.grid.shape)
    rate, scale, log = markov_weights(problem.grid.shape, length / problem.grid.edge)
    traces = [by.diagonal().sum(), by.multiply(laplacian).sum(), by.multiply(laplacian @ laplacian).sum()]
    square = rate**2 * traces[0] + 2.0 * rate * traces[1] + traces[2]
    return scale**2 * square + 0.5 * count * log


def _local(problem: Problem, part: str, kind: str, by: Sparse, values: dict[str, float], count: int) -> Any:
    """What depends on the correlation K within footprints, linearised: W = K^-1 in each of them."""
    block = problem.block
    assert block is not None  # noqa: S101
    distance = pixel_distance(block, problem)
    size = len(distance)
    order = block_order(problem.grid.shape, block)
    footprints = len(order) // size
    sort = sp.csr_matrix((np.ones(len(order)), (np.arange(len(order)), order)))
    table = sp.coo_matrix(sort @ by @ sort.T)
    key = (table.row % size) * size + table.col % size
    weight = np.bincount(key, table.data, size * size).reshape(size, size)

    def shape(v: Mapping[str, Any]) -> Array:
        ratio = v.get(f"{part} nugget", 0.0)
        return correlation(kind, distance, v[f"{part} length"], ratio / (1.0 + ratio))

    inverse = np.linalg.inv(np.asarray(shape(values)))
    told = jnp.asarray(-inverse @ weight @ inverse - 0.5 * count * footprints * inverse)
    return lambda v: jnp.sum(told * shape(v))
