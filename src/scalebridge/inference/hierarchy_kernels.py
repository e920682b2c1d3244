"""The sums of one well or core whose heterogeneity is correlated along it, by a compiled Kalman filter.

Columns Z (ones, covariates, values) are filtered together, because the gains do not depend on the data. Of
the innovations v and their variances s follow

    Z' C^-1 Z = sum v v' / s,        log det C = sum log s

without C ever being formed: linear in the number of samples. (J. Hartikainen and S. Sarkka 2010, of the
Matern
process as a state of two or three numbers.) Lengths are measured in 1 / lambda, lambda = sqrt(2 nu) / l, so
that the state's numbers are of one size.
"""

import numpy as np

from scalebridge.core.compiled import kernel
from scalebridge.core.slabs import in_slabs
from scalebridge.core.threads import thread_count


@kernel
def _transition(order, gap, forward):
    """Write exp(F gap) of the process with lambda = 1."""
    decay = np.exp(-gap)
    if order == 1:
        forward[0, 0] = decay
    elif order == 2:
        forward[0, 0], forward[0, 1] = decay * (1.0 + gap), decay * gap
        forward[1, 0], forward[1, 1] = -decay * gap, decay * (1.0 - gap)
    else:
        forward[0, 0] = decay * 0.5 * (gap * gap + 2.0 * gap + 2.0)
        forward[0, 1] = decay * gap * (gap + 1.0)
        forward[0, 2] = decay * 0.5 * gap * gap
        forward[1, 0] = -decay * 0.5 * gap * gap
        forward[1, 1] = decay * (1.0 + gap - gap * gap)
        forward[1, 2] = decay * 0.5 * gap * (2.0 - gap)
        forward[2, 0] = decay * 0.5 * gap * (gap - 2.0)
        forward[2, 1] = decay * gap * (gap - 3.0)
        forward[2, 2] = decay * 0.5 * (gap * gap - 4.0 * gap + 2.0)


@kernel
def _stationary(order, variance, spread):
    """Write the covariance of the state at rest."""
    spread[:] = 0.0
    spread[0, 0] = variance
    if order == 2:
        spread[1, 1] = variance
    elif order == 3:
        spread[1, 1], spread[2, 2] = variance / 3.0, variance
        spread[0, 2] = spread[2, 0] = -variance / 3.0


@kernel
def _advance(order, forward, spread, rest, means, work):  # noqa: C901 (three products of small matrices)
    """Carry covariance and means over a gap:  P = A (P - R) A' + R,  m = A m."""
    for i in range(order):
        for j in range(order):
            total = 0.0
            for k in range(order):
                total += forward[i, k] * (spread[k, j] - rest[k, j])
            work[i, j] = total
    for i in range(order):
        for j in range(order):
            total = rest[i, j]
            for k in range(order):
                total += work[i, k] * forward[j, k]
            spread[i, j] = total
    for column in range(means.shape[1]):
        for i in range(order):
            work[0, i] = 0.0
            for k in range(order):
                work[0, i] += forward[i, k] * means[k, column]
        for i in range(order):
            means[i, column] = work[0, i]


@kernel
def _observe(order, spread, means, row, noise, sums, surprise, gain):
    """Take in one row of columns with a variance of its noise; return the innovation's variance."""
    size = spread[0, 0] + noise
    columns, inverse = means.shape[1], 1.0 / size
    for j in range(columns):
        surprise[j] = row[j] - means[0, j]
    for i in range(columns):
        for j in range(columns):
            sums[i, j] += surprise[i] * surprise[j] * inverse
    for i in range(order):
        gain[i] = spread[i, 0] * inverse
    for i in range(order):
        for j in range(columns):
            means[i, j] += gain[i] * surprise[j]
    for i in range(order):
        for j in range(order):
            spread[i, j] -= gain[i] * gain[j] * size
    return size


@kernel
def _filter(start, stop, piece, order, starts, places, rows, scatter, thetas, sums, logs):
    """Filter every group for the hyperparameters from start to stop: variance, length, nugget, noise."""
    forward, spread, rest, work = np.zeros((3, 3)), np.zeros((3, 3)), np.zeros((3, 3)), np.zeros((3, 3))
    surprise, gain = np.zeros(rows.shape[1]), np.zeros(3)
    means = np.zeros((3, rows.shape[1]))
    for t in range(start, stop):
        variance, length, nugget, noise = thetas[t, 0], thetas[t, 1], thetas[t, 2], thetas[t, 3]
        rate = np.sqrt(2.0 * order - 1.0) / length
        _stationary(order, variance, rest)
        for g in range(len(starts) - 1):
            product = 1.0  # of variances: one logarithm for some of them
            spread[:] = rest
            means[:] = 0.0
            for i in range(starts[g], starts[g + 1]):
                if i > starts[g]:
                    _transition(order, rate * (places[i] - places[i - 1]), forward)
                    _advance(order, forward, spread, rest, means, work)
                own = noise * scatter[i] + nugget
                product *= _observe(order, spread, means, rows[i], own, sums[t, g], surprise, gain)
                if product < 1e-100 or product > 1e100:
                    logs[t, g] += np.log(product)
                    product = 1.0
            logs[t, g] += np.log(product)


def filtered_sums(
    order: int,
    starts: np.ndarray,
    places: np.ndarray,
    rows: np.ndarray,
    scatter: np.ndarray,
    thetas: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Return Z' C^-1 Z and log det C of every group for many hyperparameters.

    Args:
        order: 1, 2 or 3 for exponential, Matern 3/2 and 5/2.
        starts: first sample of each group, and the end, (groups + 1,).
        places: positions, rising within a group, (samples,).
        rows: columns Z, (samples, K).
        scatter: variance of each sample's noise for a noise of one, (samples,).
        thetas: variance, length, variance of the uncorrelated part, variance of the noise, (count, 4).

    Returns:
        sums (count, groups, K, K) and logs (count, groups).

    Cost: some 0.2 us a sample and hyperparameter; no memory but the answer's.
    """
    count, groups, columns = len(thetas), len(starts) - 1, rows.shape[1]
    sums, logs = np.zeros((count, groups, columns, columns)), np.zeros((count, groups))
    threads = thread_count() if count * len(rows) > 50_000 else 1
    in_slabs(
        _filter, count, order, starts, places, rows, scatter, np.ascontiguousarray(thetas), sums, logs,
        threads=threads,
    )  # fmt: skip
    return sums, logs


@kernel
def _add_products(product, factor, sums):
    """Add a sample's products less a factor of those of its first row."""
    for i in range(product.shape[0]):
        for j in range(product.shape[0]):
            sums[i, j] += product[i, j] - factor * product[0, i] * product[0, j]


@kernel
def _take_sample(order, product, theta, far, memory, sums):
    """Take one sample's products into its group's sums; return its part of the log determinant.

    `memory` is the filter's: transition, spread, rest, work, means, surprise, gain, row; `far` the scaled
    gap to the sample before, negative for the first of a group.
    """
    forward, spread, rest, work, means, surprise, gain, row = memory
    weight = product[0, 0]
    if order == 0:
        grown = 1.0 + theta[2] * weight
        _add_products(product, theta[2] / grown, sums)
        return np.log(grown)
    _add_products(product, 1.0 / weight, sums)
    if far < 0.0:
        spread[:] = rest
        means[:] = 0.0
    else:
        _transition(order, far, forward)
        _advance(order, forward, spread, rest, means, work)
    for j in range(product.shape[0]):
        row[j] = product[0, j] / weight
    size = _observe(order, spread, means, row, 1.0 / weight + theta[2], sums, surprise, gain)
    return np.log(size * weight)


@kernel
def _climb(order, rows, scatter, sample, finest, place, theta, variances, parents, offsets, sums):
    """Carry measurements up the tree for one set of hyperparameters; return the log determinant, noise aside.

    `theta` is the variance and length of the correlated part, the nugget and the noise; `sums` has the root
    first, then the groups of each level from `offsets`.
    """
    columns = rows.shape[1]
    memory = (
        np.zeros((3, 3)), np.zeros((3, 3)), np.zeros((3, 3)), np.zeros((3, 3)), np.zeros((3, columns)),
        np.zeros(columns), np.zeros(3), np.zeros(columns),
    )  # fmt: skip
    if order > 0:
        _stationary(order, theta[0], memory[2])
    rate = np.sqrt(2.0 * order - 1.0) / theta[1] if order > 0 else 0.0
    sums[:] = 0.0
    levels = len(variances)
    base = offsets[levels - 1] if levels > 0 else 0
    product, total, last = np.zeros((columns, columns)), 0.0, -1
    for n in range(len(rows)):
        factor = 1.0 / (theta[3] * scatter[n])
        for i in range(columns):
            for j in range(columns):
                product[i, j] += rows[n, i] * rows[n, j] * factor
        s = sample[n]
        if n + 1 < len(rows) and sample[n + 1] == s:
            continue
        far = rate * (place[s] - place[last]) if last >= 0 and finest[last] == finest[s] else -1.0
        total += _take_sample(order, product, theta, far, memory, sums[base + finest[s]])
        product[:] = 0.0
        last = s
    for level in range(levels - 1, -1, -1):
        above = offsets[level - 1] if level > 0 else 0
        for g in range(offsets[level], offsets[level + 1]):
            grown = 1.0 + variances[level] * sums[g, 0, 0]
            total += np.log(grown)
            parent = above + parents[g - 1]
            for i in range(columns):
                for j in range(columns):
                    taken = variances[level] / grown * sums[g, 0, i] * sums[g, 0, j]
                    sums[parent, i, j] += sums[g, i, j] - taken
    return total


def climbed_sums(
    order: int,
    tree: tuple[np.ndarray, ...],
    theta: np.ndarray,
    variances: np.ndarray,
    ladder: tuple[np.ndarray, np.ndarray],
) -> tuple[np.ndarray, float]:
    """Return the sums of the root and of every group, and the log determinant.

    Args:
        order: 0 without correlation, else 1, 2 or 3.
        tree: rows (n, K), scatter (n,), sample (n,), finest (samples,), place (samples,).
        theta: variance and length of the correlated part, variance of the uncorrelated one, and of the noise.
        variances: of each level's effects.
        ladder: parents of all groups in a row, and where each level's begin, the root being number 0.
    """
    columns = tree[0].shape[1]
    sums = np.zeros((int(ladder[1][-1]), columns, columns))
    rows, scatter, sample, finest, place = tree
    log = _climb(order, rows, scatter, sample, finest, place, theta, variances, ladder[0], ladder[1], sums)
    return sums, log


@kernel
def _log_density(
    order, rows, scatter, sample, finest, place, theta, variances, parents, offsets, mean, precision
):
    """Return the collapsed log-density for one set of hyperparameters, up to what does not depend on them."""
    columns = rows.shape[1]
    sums = np.zeros((offsets[-1], columns, columns))
    total = _climb(order, rows, scatter, sample, finest, place, theta, variances, parents, offsets, sums)
    root, k = sums[0], columns - 1
    for i in range(k):
        root[i, i] += precision[i]
        root[i, k] += precision[i] * mean[i]
        root[k, k] += precision[i] * mean[i] * mean[i]
    for i in range(k):  # what elimination leaves in the corner is the square, the pivots are the determinant
        total += np.log(root[i, i])
        for a in range(i + 1, columns):
            for b in range(a, columns):
                root[a, b] -= root[i, a] * root[i, b] / root[i, i]
    return -0.5 * (len(rows) * np.log(theta[3]) + total + root[k, k])


def one_log_density(
    order: int,
    tree: tuple[np.ndarray, ...],
    spreads: tuple[np.ndarray, np.ndarray],
    ladder: tuple[np.ndarray, np.ndarray],
    top: tuple[np.ndarray, np.ndarray],
) -> float:
    """Return the collapsed log-density for one set of hyperparameters, up to a constant.

    Args:
        order: 0 without correlation, else 1, 2 or 3.
        tree: as `climbed_sums` takes it.
        spreads: theta and variances, as `climbed_sums` takes them.
        ladder: as `climbed_sums` takes it.
        top: prior means and precisions of the coefficients.
    """
    rows, scatter, sample, finest, place = tree
    return _log_density(
        order,
        rows,
        scatter,
        sample,
        finest,
        place,
        spreads[0],
        spreads[1],
        ladder[0],
        ladder[1],
        top[0],
        top[1],
    )
