"""The block engine: footprints that do not know each other, filtered and smoothed group by group.

Effects that all footprints share (a mean, offsets of scenes, covariates) are columns beside the data: the
filter runs on them too, and their coefficients are solved for in the end (the augmented filter of de Jong
1991). What is found is exact for the whole.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from scalebridge.core.threads import thread_count
from scalebridge.fusion import block_kernels
from scalebridge.fusion.shared_coefficients import (
    Coefficients,
    coefficients_by_date,
    combined,
    solve_coefficients,
)

_HELD = 3e8  # bytes of filtered groups that are held rather than filtered twice
_COLUMNS = 128  # footprints of a group at most, so that threads share the work and memory stays small


class Rows(NamedTuple):
    """A sparse matrix by rows, for compiled loops.

    Args:
        pointer: (rows + 1,).
        index: columns.
        weight: entries.
    """

    pointer: np.ndarray
    index: np.ndarray  # pyright: ignore[reportIncompatibleMethodOverride]
    weight: np.ndarray


class System(NamedTuple):
    """Matrices of every footprint.

    Args:
        pattern: (states, width), columns of each row of the transition.
        transition: (classes, states, width), its entries.
        inverse: (classes, states, width), those of its inverse.
        innovation: (classes, states, states), covariance.
        start: (states, states), covariance at the first date.
        noise: (sensors,), variance where the scale is one.
        prior: (coefficients,), variance of the regression coefficients.
    """

    pattern: np.ndarray
    transition: np.ndarray
    inverse: np.ndarray
    innovation: np.ndarray
    start: np.ndarray
    noise: np.ndarray
    prior: np.ndarray


class Group(NamedTuple):
    """Footprints with the same gaps and noise.

    Args:
        members: numbers of the footprints.
        seen: (dates, rows).
        scale: (dates, rows), variance in units of the sensor's.
        kind: which system they have.
    """

    members: np.ndarray
    seen: np.ndarray
    scale: np.ndarray
    kind: int


@dataclass(frozen=True)
class BlockData:
    """What all footprints have to do with, in the layout of the kernels.

    Args:
        values: (footprints, dates, rows), NaN where nothing was seen.
        columns: (dates, rows, coefficients), or with a first axis of footprints where they differ.
        sensor: (rows,), number of the sensor.
        observe: what each row sees of the state.
        fields: what is asked of the state, one row a pixel.
        field_columns: regressors of what is asked, (dates, pixels, coefficients), or with footprints first.
        step: (dates,), class of the step to a date, -1 at the first.
        groups: the footprints by their gaps.
    """

    values: np.ndarray
    columns: np.ndarray
    sensor: np.ndarray
    observe: Rows
    fields: Rows
    field_columns: np.ndarray
    step: np.ndarray
    groups: tuple[Group, ...]


class Pass(NamedTuple):
    """What the filter keeps of one group for the way back."""

    starts: np.ndarray
    means: np.ndarray
    covs: np.ndarray
    gains: np.ndarray
    variances: np.ndarray
    errors: np.ndarray


class Slopes(NamedTuple):
    """Log-likelihood, and its derivatives by the system's matrices.

    `smoothed` and `precision` are those of each observation, (footprints, dates, rows): the mean square of
    the smoothed errors u over what is known of the coefficients, and D, with var(u) = D (de Jong 1988).
    """

    value: float
    transition: np.ndarray
    innovation: np.ndarray
    start: np.ndarray
    noise: np.ndarray
    prior: np.ndarray
    counts: np.ndarray


def group_footprints(
    seen: np.ndarray, scale: np.ndarray, kinds: np.ndarray, alone: bool
) -> tuple[Group, ...]:
    """Sort footprints by gaps, noise and system.

    Args:
        seen: (footprints, dates, rows).
        scale: (footprints, dates, rows).
        kinds: (footprints,), number of the system.
        alone: whether each has to be a group of its own.

    Example:
        >>> seen = np.ones((3, 1, 2), dtype=bool)
        >>> seen[1, 0, 0] = False
        >>> [g.members.tolist() for g in group_footprints(seen, np.ones((3, 1, 2)), np.zeros(3, int), False)]
        [[0, 2], [1]]
    """
    found: dict[bytes, list[int]] = {}
    for number in range(len(seen)):
        gaps = np.packbits(seen[number]).tobytes()
        key = (
            gaps
            + np.where(seen[number], scale[number], 0.0).tobytes()
            + int(kinds[number]).to_bytes(8, "big")
        )
        found.setdefault(key + number.to_bytes(8, "big") if alone else key, []).append(number)
    cut = [m[i : i + _COLUMNS] for m in found.values() for i in range(0, len(m), _COLUMNS)]
    return tuple(
        Group(np.array(m), seen[m[0]], np.where(seen[m[0]], scale[m[0]], 1.0), int(kinds[m[0]])) for m in cut
    )


def in_threads(
    work: Callable[..., Any], groups: tuple[Group, ...], passes: list[Pass] | None = None
) -> list[Any]:
    """Do a piece of work for every group (and what its filter kept), on all threads; results in order."""
    given = (groups,) if passes is None else (groups, passes)
    if len(groups) == 1 or thread_count() == 1:
        return list(map(work, *given))
    with ThreadPoolExecutor(thread_count()) as pool:
        return list(pool.map(work, *given))


def filter_forwards(data: BlockData, group: Group, system: System) -> Pass:
    """Filter one group; the columns are its footprints, then the regressors."""
    values = np.moveaxis(data.values[group.members], 0, -1)
    shared = data.columns if data.columns.ndim == 3 else data.columns[group.members[0]]
    stacked = np.where(group.seen[..., None], np.concatenate([values, shared], axis=2), 0.0)
    noise = group.scale * system.noise[data.sensor]
    dates, _, columns = stacked.shape
    states = len(system.start)
    count = int(group.seen.sum())
    kept = Pass(
        np.concatenate([[0], np.cumsum(group.seen.sum(axis=1))]),
        np.empty((dates, states, columns)),
        np.empty((dates, states, states)),
        np.empty((count, states)),
        np.empty(count),
        np.empty((count, columns)),
    )
    block_kernels.filter_group(
        stacked, group.seen, noise, *data.observe, data.step, system.pattern, system.transition,
        system.innovation, np.zeros((states, columns)), system.start.copy(), *kept[1:],
    )  # fmt: skip
    return kept


def likelihood_parts(kept: Pass, members: int) -> tuple[np.ndarray, np.ndarray]:
    """Return by date the log-likelihood without regressors (dates,) and the cross products of the errors.

    The cross products are (dates, 1 + p, 1 + p): of the data with themselves first, summed over footprints.
    """
    weighted = kept.errors / np.sqrt(kept.variances)[:, None]
    own, regressors = weighted[:, :members], weighted[:, members:]
    inner = np.einsum("op,oq->opq", regressors, regressors) * members
    cross = regressors * own.sum(axis=1)[:, None]
    square = (own**2).sum(axis=1)
    whole = np.block([[square[:, None, None], cross[:, None, :]], [cross[:, :, None], inner]])
    log = -0.5 * members * np.log(2 * np.pi * kept.variances)
    dates = len(kept.starts) - 1
    by_date = np.repeat(np.arange(dates), np.diff(kept.starts))
    logs = np.bincount(by_date, log, dates)
    products = np.zeros((dates, *whole.shape[1:]))
    np.add.at(products, by_date, whole)
    return logs, products


def log_likelihood(data: BlockData, systems: list[System]) -> tuple[float, Coefficients]:
    """Return the log-likelihood of all footprints, and the coefficients that they share.

    Cost: for each group of equal gaps with s states, T dates and m observations (T + m) s^2.
    """
    logs, products = summed_parts(data, systems)
    shared, quadratic = solve_coefficients(products.sum(axis=0), systems[0].prior)
    return float(logs.sum()) + quadratic, shared


def summed_parts(
    data: BlockData, systems: list[System], passes: list[Pass] | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Return `likelihood_parts` summed over all groups; of `filter_all` where that was kept."""

    def work(group: Group, kept: Pass | None = None) -> tuple[np.ndarray, np.ndarray]:
        kept = filter_forwards(data, group, systems[group.kind]) if kept is None else kept
        return likelihood_parts(kept, len(group.members))

    found = in_threads(work, data.groups, passes)
    return np.sum([f[0] for f in found], axis=0), np.sum([f[1] for f in found], axis=0)


def filter_all(data: BlockData, systems: list[System]) -> list[Pass] | None:
    """Filter all groups and keep what the way back needs; None where that is too much to be held.

    It holds for each group, for s states, T dates and m observations, 8 (T s^2 + m s) bytes and more.
    """
    states, dates = len(systems[0].start), len(data.step)
    columns = sum(len(g.members) + data.columns.shape[-1] for g in data.groups)
    seen = sum(int(g.seen.sum()) for g in data.groups)
    numbers = len(data.groups) * dates * states**2 + (seen + dates * columns) * states
    if 8.0 * numbers > _HELD:
        return None

    def work(group: Group) -> Pass:
        return filter_forwards(data, group, systems[group.kind])

    return in_threads(work, data.groups)


def slopes(data: BlockData, systems: list[System]) -> tuple[list[Slopes], Coefficients]:
    """Return the log-likelihood and its exact derivatives, for each system, and the coefficients.

    Fisher's identity with the smoothed errors: one filter, and one pass back, whatever the number of
    parameters (Koopman & Shephard 1992).

    Cost: three times that of `log_likelihood`.
    """
    passes = filter_all(data, systems)
    logs, products = summed_parts(data, systems, passes)
    shared, quadratic = solve_coefficients(products.sum(axis=0), systems[0].prior)
    value = float(logs.sum()) + quadratic
    prior = 0.5 * ((shared.mean**2 + np.diag(shared.cov)) / systems[0].prior ** 2 - 1.0 / systems[0].prior)

    def work(group: Group, kept: Pass | None = None) -> Slopes:
        return _group_slopes(data, group, systems[group.kind], shared, kept)

    found = in_threads(work, data.groups, passes)
    by_kind = []
    for kind in range(len(systems)):
        mine = [f for f, g in zip(found, data.groups, strict=True) if g.kind == kind]
        added: list[Any] = [sum(getattr(f, name) for f in mine) for name in Slopes._fields[1:5]]
        counts: Any = sum(f.counts for f in mine)
        first = kind == 0
        parts: list[Any] = [value if first else 0.0, *added, prior if first else 0 * prior, counts]
        by_kind.append(Slopes._make(parts))
    return by_kind, shared


def _group_slopes(
    data: BlockData, group: Group, system: System, shared: Coefficients, kept: Pass | None
) -> Slopes:
    kept = filter_forwards(data, group, system) if kept is None else kept
    combine = combined(len(group.members), shared)
    by_start, by_q, by_t = (np.zeros_like(a) for a in (system.start, system.innovation, system.transition))
    block_kernels.slopes_group(
        group.seen, kept.starts, *data.observe, data.step, system.pattern, system.transition, system.inverse,
        system.innovation, kept.means, kept.covs, kept.gains, kept.variances, kept.errors, combine,
        float(len(group.members)), by_start, by_q, by_t,
    )  # fmt: skip
    square = ((kept.errors @ combine) ** 2).sum(axis=1)
    rows = np.broadcast_to(data.sensor, group.seen.shape)[group.seen]
    scale = group.scale[group.seen]
    each = 0.5 * scale * (square - len(group.members) * kept.variances)
    sensors = len(system.noise)
    counts = np.bincount(rows, minlength=sensors) * len(group.members)
    return Slopes(0.0, by_t, by_q, by_start, np.bincount(rows, each, sensors), np.zeros(0), counts)


class Smoothed(NamedTuple):
    """What is known of the field.

    Args:
        mean: (footprints, dates, pixels).
        variance: (footprints, dates, pixels).
        residual: (footprints, dates, rows), what each observation says against all others, NaN where
            nothing was seen: its difference to the prediction from them.
        spread: (footprints, dates, rows), the standard deviation that this difference should have.
        shared: the coefficients.
    """

    mean: np.ndarray
    variance: np.ndarray
    residual: np.ndarray
    spread: np.ndarray
    shared: Coefficients


def smooth(
    data: BlockData, systems: list[System], wanted: np.ndarray, lag: int | None = None
) -> tuple[Smoothed, float]:
    """Return the smoothed field at the wanted dates, and the log-likelihood.

    Args:
        data: what was seen.
        systems: the models.
        wanted: (dates,), place of a date in the answer, or -1.
        lag: number of dates beyond each that may be looked at; all unless given, 0 for the filter.

    Cost: that of the likelihood and, for each wanted date and group, s^2 times the number of pixels.
    """
    passes = filter_all(data, systems)
    logs, products = summed_parts(data, systems, passes)
    prior = systems[0].prior
    shared, quadratic = solve_coefficients(products.sum(axis=0), prior)
    by_date = coefficients_by_date(products, prior, lag) if lag is not None else None
    found = smooth_given(data, systems, wanted, shared, lag, by_date, passes)
    return found, float(logs.sum()) + quadratic


def smooth_given(
    data: BlockData,
    systems: list[System],
    wanted: np.ndarray,
    shared: Coefficients,
    lag: int | None = None,
    by_date: list[Coefficients] | None = None,
    passes: list[Pass] | None = None,
) -> Smoothed:
    """Return the smoothed field of some footprints, where the coefficients that all share are known already.

    Args:
        data: what was seen of these footprints.
        systems: the models.
        wanted: see `smooth`.
        shared: from all footprints there are.
        lag: see `smooth`.
        by_date: with a lag, the coefficients as they were known at each date.
        passes: of `filter_all`, where that was kept; overwritten.
    """

    def work(group: Group, kept: Pass | None = None) -> tuple[np.ndarray, ...]:
        known: dict[str, Any] = {"shared": shared, "by_date": by_date, "kept": kept}
        return _smooth_group(data, group, systems[group.kind], wanted, lag, **known)

    places = int(wanted.max()) + 1
    pixels = len(data.fields.pointer) - 1
    mean = np.empty((len(data.values), places, pixels))
    variance = np.empty_like(mean)
    residual, spread = np.full(data.values.shape, np.nan), np.full(data.values.shape, np.nan)
    for group, found in zip(data.groups, in_threads(work, data.groups, passes), strict=True):
        for target, part in zip((mean, variance, residual, spread), found, strict=True):
            target[group.members] = part
    return Smoothed(mean, variance, residual, spread, shared)


def _smooth_group(
    data: BlockData,
    group: Group,
    system: System,
    wanted: np.ndarray,
    lag: int | None,
    *,
    shared: Coefficients,
    by_date: list[Coefficients] | None,
    kept: Pass | None,
) -> tuple[np.ndarray, ...]:
    kept = filter_forwards(data, group, system) if kept is None else kept
    members, places, pixels = len(group.members), int(wanted.max()) + 1, len(data.fields.pointer) - 1
    found = np.empty((places, pixels, kept.means.shape[2]))
    variance = np.empty((places, pixels))
    given: tuple[Any, ...] = (
        group.seen, kept.starts, *data.observe, data.step, system.pattern, system.transition, kept.means,
        kept.covs, kept.gains, kept.variances, kept.errors, *data.fields, wanted, found, variance,
    )  # fmt: skip
    if lag is not None:
        delayed: tuple[Any, ...] = (*given, lag)
        block_kernels.lagged_group(*delayed)
    dates = {int(place): t for t, place in enumerate(wanted) if place >= 0}
    means, variances = np.empty((members, places, pixels)), np.empty((members, places, pixels))
    if lag is None:
        block_kernels.smooth_group(*given)
    for place in range(places):
        known = shared if by_date is None else by_date[dates[place]]
        own = data.field_columns if data.columns.ndim == 3 else data.field_columns[group.members[0]]
        regressed = own[dates[place]] - found[place, :, members:]
        means[:, place] = found[place, :, :members].T + regressed @ known.mean
        variances[:, place] = variance[place] + np.einsum("fp,pq,fq->f", regressed, known.cov, regressed)
    residual, spread = (
        _residuals(group, kept, shared, members)
        if lag is None
        else _innovations(group, kept, shared, members)
    )
    return means, variances, residual, spread


def _residuals(group: Group, kept: Pass, shared: Coefficients, members: int) -> tuple[np.ndarray, np.ndarray]:
    """Each observation against its prediction from all the others: u / D, with variance 1 / D."""
    smoothed = kept.errors[:, :members] - (kept.errors[:, members:] @ shared.mean)[:, None]
    precision = kept.variances
    return _placed(group, smoothed / precision[:, None], 1.0 / np.sqrt(precision), members)


def _innovations(
    group: Group, kept: Pass, shared: Coefficients, members: int
) -> tuple[np.ndarray, np.ndarray]:
    errors = kept.errors[:, :members] - (kept.errors[:, members:] @ shared.mean)[:, None]
    return _placed(group, errors, np.sqrt(kept.variances), members)


def _placed(
    group: Group, values: np.ndarray, spread: np.ndarray, members: int
) -> tuple[np.ndarray, np.ndarray]:
    residual, width = (
        np.full((members, *group.seen.shape), np.nan),
        np.full((members, *group.seen.shape), np.nan),
    )
    residual[:, group.seen] = values.T
    width[:, group.seen] = spread
    return residual, width
