"""The joint precision of all unknowns at once, for footprints that overlap or pixels that know each other.

A part of order d on T dates and n pixels has the precision M (x) W: M, (T d) x (T d), of its motion, and W,
n x n, of its innovations in space. Unknowns lie by part, date, layer, pixel. What all data share stays
outside, as in the block engine.
"""

from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
import scipy.sparse as sp
from jaxtyping import Array

from scalebridge.fusion.bands import band_correlation
from scalebridge.fusion.fusion_blocks import block_order, field_regressors, pixel_distance, step_classes
from scalebridge.fusion.fusion_model import kind_of
from scalebridge.fusion.fusion_problem import Observed, Problem
from scalebridge.fusion.system import Dynamics, correlation, dynamics
from scalebridge.grids.footprints import Sparse


class Piece(NamedTuple):
    """One part, or the bias of one sensor.

    Args:
        time: (dates * order,) squared, precision of the motion.
        time_root: R with R' R = time.
        space: precision in space.
        space_root: C with C' C = space.
        space_log: logarithm of its determinant.
        dates: number of dates; 1 for what does not move.
        order: layers.
    """

    time: Sparse
    time_root: Sparse
    space: Sparse
    space_root: Sparse
    space_log: float
    dates: int
    order: int

    @property
    def size(self) -> int:
        """Number of unknowns."""
        return self.dates * self.order * self.space.shape[0]

    @property
    def log_determinant(self) -> float:
        """Of the precision."""
        sign_log = np.linalg.slogdet(self.time.toarray())[1]
        return float(sign_log) * self.space.shape[0] + self.dates * self.order * self.space_log


class Joint(NamedTuple):
    """Everything of a problem at given parameters.

    Args:
        pieces: parts and biases.
        observe: (observations, unknowns).
        values: (observations,).
        noise: (observations,), variances.
        columns: (observations, coefficients).
        prior: (coefficients,), variances.
        field: (dates * pixels, unknowns).
        field_columns: (dates * pixels, coefficients).
        places: (observations, 3), sensor, date and row.
        where: (unknowns, 3), date (twice, because space is coupled two pixels far), row and column.
    """

    pieces: list[Piece]
    observe: Sparse
    values: np.ndarray
    noise: np.ndarray
    columns: np.ndarray
    prior: np.ndarray
    field: Sparse
    field_columns: np.ndarray
    places: np.ndarray
    where: np.ndarray

    @property
    def prior_precision(self) -> sp.csc_matrix:
        """Of all unknowns, before the data."""
        return sp.csc_matrix(sp.block_diag([sp.kron(p.time, p.space) for p in self.pieces]))

    @property
    def precision(self) -> sp.csc_matrix:
        """Of all unknowns, given the data and the coefficients."""
        return sp.csc_matrix(
            self.prior_precision + self.observe.T @ sp.diags(1.0 / self.noise) @ self.observe
        )

    @property
    def right_sides(self) -> np.ndarray:
        """H' R^-1 (y, X), (unknowns, 1 + coefficients)."""
        seen = np.column_stack([self.values, self.columns])
        return np.asarray(self.observe.T @ (seen / self.noise[:, None]))


def make_joint(problem: Problem, values: dict[str, float]) -> Joint:
    """Return the joint system of a problem at given parameters.

    Args:
        problem: the problem; land-cover classes scale the innovations of their pixels.
        values: all parameters by name.
    """
    steps, step = step_classes(problem.days)
    pieces = [_part(problem, part, values, steps, step) for part in problem.model.parts]
    biased = [o for o in problem.observed if o.bias != "none"]
    for o in biased:
        own = {k: values[f"{o.name} bias {k}"] for k in ("std", "time") if f"{o.name} bias {k}" in values}
        kind = "static" if o.bias == "constant" else "ar1"
        identity = sp.identity(o.values.shape[1], format="csr")
        pieces.append(_piece(dynamics(kind, steps, own), step, identity, identity, 0.0, kind))  # type: ignore[arg-type]
    field = _field(problem, pieces)
    blocks, seen, noise, columns, places = [], [], [], [], []
    names = [name for name, _ in problem.coefficients]
    whole = field_regressors(problem, problem.grid.shape, np.zeros(1, dtype=int)).reshape(-1, len(names))
    for number, o in enumerate(problem.observed):
        at = np.argwhere(np.isfinite(o.values))
        weights: Sparse = o.sees
        rows: Sparse = sp.csr_matrix(sp.kron(sp.identity(len(problem.days)), weights))
        spread = rows[at[:, 0] * weights.shape[0] + at[:, 1]]
        block = spread @ field
        if o.bias != "none":
            block = block + _bias_rows(problem, pieces, biased.index(o), at)
        blocks.append(block)
        seen.append(o.values[at[:, 0], at[:, 1]])
        noise.append(o.noise_scale[at[:, 0], at[:, 1]] * values[f"{o.name} noise"] ** 2)
        own_columns = spread @ whole
        if f"{o.name} bias" in names:
            own_columns[:, names.index(f"{o.name} bias")] += 1.0
        if o.offset:
            places_of = [names.index(f"{o.name} offset {problem.date_text(t)}") for t in at[:, 0]]
            own_columns[np.arange(len(at)), places_of] += 1.0
        columns.append(own_columns)
        places.append(np.column_stack([np.full(len(at), number), at]))
    prior = np.array([(values[p] if isinstance(p, str) else p) ** 2 for _, p in problem.coefficients])
    assert field.shape[0] == len(whole)  # noqa: S101
    return Joint(
        pieces, sp.csr_matrix(sp.vstack(blocks)), np.concatenate(seen), np.concatenate(noise),
        np.concatenate(columns), prior, field, whole, np.concatenate(places),
        _where(problem, pieces, biased),
    )  # fmt: skip


def _part(
    problem: Problem, part: str, values: dict[str, float], steps: np.ndarray, step: np.ndarray
) -> Piece:
    kind, harmonic = kind_of(part)
    own = {k: values[f"{part} {k}"] for k in ("std", "time", "start", "slope") if f"{part} {k}" in values}
    scale = np.ones(len(problem.classes))
    if problem.labels:
        own["std"] = 1.0
        scale = np.array([values[f"{part} std [{label}]"] for label in problem.labels])[problem.classes]
    motion = dynamics(kind, steps, own, problem.model.period, harmonic)  # type: ignore[arg-type]
    space, root, log = _space(problem, part, values)
    if problem.bands:
        space, root, log = _banded(problem, part, values, (space, root, log))
    shrink = sp.diags(1.0 / scale)
    return _piece(
        motion, step, sp.csr_matrix(shrink @ space @ shrink), sp.csr_matrix(root @ shrink),
        log - 2.0 * float(np.log(scale).sum()), kind,
    )  # fmt: skip


def _piece(motion: Dynamics, step: np.ndarray, space: Sparse, root: Sparse, log: float, kind: str) -> Piece:
    transition, innovation, start = (np.asarray(a) for a in motion)
    dates, order = (1 if kind == "static" else len(step)), len(start)
    white = sp.lil_matrix((dates * order, dates * order))
    for t in range(dates):
        cov = start if t == 0 else innovation[step[t]]
        factor = np.linalg.inv(np.linalg.cholesky(cov))  # F' F = cov^-1
        own = slice(t * order, (t + 1) * order)
        white[own, own] = factor
        if t:
            white[own, (t - 1) * order : t * order] = -factor @ transition[step[t]]
    time_root = sp.csr_matrix(white)
    return Piece(sp.csr_matrix(time_root.T @ time_root), time_root, space, root, log, dates, order)


def _banded(
    problem: Problem, part: str, values: dict[str, float], near: tuple[Sparse, Sparse, float]
) -> tuple[Sparse, Sparse, float]:
    """Return the precision over bands and pixels, the product of that of bands and that in space."""
    together = np.asarray(band_correlation(part, problem.band_names, values))
    root = np.linalg.inv(np.linalg.cholesky(together))
    space, space_root, log = near
    count = space.shape[0]
    return (
        sp.csr_matrix(sp.kron(root.T @ root, space)),
        sp.csr_matrix(sp.kron(root, space_root)),
        len(root) * log - count * float(np.linalg.slogdet(together)[1]),
    )


def _space(problem: Problem, part: str, values: dict[str, float]) -> tuple[Sparse, Sparse, float]:
    kind, pixels = problem.model.space_of(part), problem.grid.shape[0] * problem.grid.shape[1]
    if kind == "independent":
        identity = sp.identity(pixels, format="csr")
        return identity, identity, 0.0
    if kind == "across":
        return markov_precision(problem.grid.shape, values[f"{part} length"] / problem.grid.edge)
    block = problem.block
    assert block is not None  # noqa: S101
    nugget = values.get(f"{part} nugget", 0.0)
    shape = np.asarray(
        correlation(kind, pixel_distance(block, problem), values[f"{part} length"], nugget / (1.0 + nugget))  # type: ignore[arg-type]
    )
    root = np.linalg.inv(np.linalg.cholesky(shape))
    order = block_order(problem.grid.shape, block)
    count = pixels // len(shape)
    sort = sp.csr_matrix((np.ones(pixels), (np.arange(pixels), order)), (pixels, pixels))
    whole = sp.csr_matrix(sp.kron(sp.identity(count), root)) @ sort
    return sp.csr_matrix(whole.T @ whole), whole, -count * float(np.linalg.slogdet(shape)[1])


def markov_precision(shape: tuple[int, int], length: float) -> tuple[Sparse, Sparse, float]:
    """Return precision, root and log-determinant of a Matern field of smoothness 1 and variance 1 on a grid.

    C = (k^2 + L) s, W = C' C, with the grid's Laplacian L, mirrored at the edges, k = sqrt(8) / length, and s
    such that the mean variance of all pixels is one.

    Args:
        shape: rows and columns.
        length: distance at which the correlation is near 0.1, pixels.

    Source: Lindgren, Rue & Lindström, J. R. Statist. Soc. B 73 (2011) 423.

    Example:
        >>> precision = markov_precision((6, 6), 3.0)[0].toarray()
        >>> print(round(float(np.trace(np.linalg.inv(precision))) / 36, 9))
        1.0
    """
    rate, scale, log = (float(x) for x in markov_weights(shape, length))
    root = sp.csr_matrix(scale * (rate * sp.identity(shape[0] * shape[1]) + grid_laplacian(shape)))
    return sp.csr_matrix(root.T @ root), root, log


def markov_weights(shape: tuple[int, int], length: Any) -> tuple[Array, Array, Array]:
    """Return k^2, s and the log-determinant of `markov_precision`, traced."""
    rate = 8.0 / jnp.asarray(length) ** 2
    waves = [2.0 - 2.0 * np.cos(np.pi * np.arange(n) / n) for n in shape]
    shifted = rate + waves[0][:, None] + waves[1][None]
    scale = jnp.sqrt(jnp.mean(shifted**-2.0))
    return rate, scale, 2.0 * jnp.log(scale * shifted).sum()


def grid_laplacian(shape: tuple[int, int]) -> Sparse:
    """Return minus the sum of second differences over a grid, mirrored at its edges."""
    lines = [_laplacian(n) for n in shape]
    return sp.csr_matrix(sp.kron(lines[0], sp.identity(shape[1])) + sp.kron(sp.identity(shape[0]), lines[1]))


def _laplacian(length: int) -> Sparse:
    if length == 1:
        return sp.csr_matrix((1, 1))
    middle = np.full(length, 2.0)
    middle[[0, -1]] = 1.0
    return sp.csr_matrix(sp.diags([-np.ones(length - 1), middle, -np.ones(length - 1)], [-1, 0, 1]))  # type: ignore[arg-type]


def _field(problem: Problem, pieces: list[Piece]) -> Sparse:
    """What is asked: the sum of the first layers of all parts, (dates * pixels, unknowns)."""
    dates, pixels = len(problem.days), problem.pixels
    found = []
    for number, piece in enumerate(pieces):
        if number >= len(problem.model.parts):
            found.append(sp.csr_matrix((dates * pixels, piece.size)))
            continue
        first = sp.csr_matrix(([1.0], ([0], [0])), (1, piece.order))
        when = np.ones((dates, 1)) if piece.dates == 1 else sp.identity(dates)
        found.append(sp.kron(when, sp.kron(first, sp.identity(pixels))))
    return sp.csr_matrix(sp.hstack(found))


def _where(problem: Problem, pieces: list[Piece], biased: list[Observed]) -> np.ndarray:
    """The place of every unknown: its date, and its pixel or the middle of its footprint."""
    at = np.stack(
        np.unravel_index(np.arange(problem.grid.shape[0] * problem.grid.shape[1]), problem.grid.shape), 1
    )
    parts = len(problem.model.parts)
    middles = [np.tile(at, (max(len(problem.bands), 1), 1))] * parts
    middles += [np.asarray(o.weights @ at) / np.asarray(o.weights.sum(axis=1)) for o in biased]
    return np.concatenate([
        np.column_stack([np.full(len(m), 2.0 * (number // piece.order)), m])
        for piece, m in zip(pieces, middles, strict=True)
        for number in range(piece.dates * piece.order)
    ])  # fmt: skip


def _bias_rows(problem: Problem, pieces: list[Piece], number: int, at: np.ndarray) -> Sparse:
    parts = len(problem.model.parts)
    place = sum(p.size for p in pieces[: parts + number])
    piece = pieces[parts + number]
    rows = piece.space.shape[0]
    column = place + (at[:, 1] if piece.dates == 1 else at[:, 0] * rows + at[:, 1])
    size = sum(p.size for p in pieces)
    return sp.csr_matrix((np.ones(len(at)), (np.arange(len(at)), column)), (len(at), size))
