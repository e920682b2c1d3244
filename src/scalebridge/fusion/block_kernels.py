"""Filter and smoother of one group of footprints, compiled: scalar updates, nothing inverted.

A group has the same gaps, so that covariances are found once; each footprint is one column of the means, and
so is each regression column. Symbols are those of Durbin & Koopman (2012), chapters 4 to 6: a state `a` with
covariance `P`, an innovation `v` with variance `F`, and, backwards, `r` with variance `N`.
"""

import numpy as np

from scalebridge.core.compiled import exact_kernel


@exact_kernel
def scale_states(weight, mean, cov):
    """Take every state on by a factor of its own: a <- w a, P <- w P w."""
    states = len(weight)
    for i in range(states):
        for c in range(mean.shape[1]):
            mean[i, c] *= weight[i, 0]
        for j in range(states):
            cov[i, j] *= weight[i, 0] * weight[j, 0]


@exact_kernel
def mix_rows(index, weight, source, target):
    """Fill target = T source, for the short rows of T."""
    target[:] = 0.0
    for i in range(index.shape[0]):
        for k in range(index.shape[1]):
            w, row = weight[i, k], index[i, k]
            if w != 0.0:
                for c in range(source.shape[1]):
                    target[i, c] += w * source[row, c]


@exact_kernel
def mix_rows_back(index, weight, source, target):
    """Fill target = T' source, for the short rows of T."""
    target[:] = 0.0
    for i in range(index.shape[0]):
        for k in range(index.shape[1]):
            w, row = weight[i, k], index[i, k]
            if w != 0.0:
                for c in range(source.shape[1]):
                    target[row, c] += w * source[i, c]


@exact_kernel
def move(index, weight, mean, cov, work):
    """Take means (states, columns) and covariance one step on: a <- T a, P <- T P T'; rows of T are short."""
    if index.shape[1] == 1:
        scale_states(weight, mean, cov)
        return
    held = mean.copy()
    mix_rows(index, weight, held, mean)
    mix_rows(index, weight, cov, work)
    held = work.T.copy()
    mix_rows(index, weight, held, cov)


@exact_kernel
def move_back(index, weight, info, spread, work):
    """Take the backward recursion over one step: r <- T' r, N <- T' N T."""
    if index.shape[1] == 1:
        scale_states(weight, info, spread)
        return
    held = info.copy()
    mix_rows_back(index, weight, held, info)
    mix_rows_back(index, weight, spread, work)
    held = work.T.copy()
    mix_rows_back(index, weight, held, spread)


@exact_kernel
def observe_row(index, weight, noise, mean, cov, gain, error):
    """Update mean and covariance by one scalar observation; fill gain P h and error v; return F."""
    states, columns = mean.shape
    gain[:] = 0.0
    for e in range(len(index)):
        source, w = index[e], weight[e]
        for i in range(states):
            gain[i] += w * cov[source, i]
        for c in range(columns):
            error[c] -= w * mean[source, c]
    total = 0.0
    for e in range(len(index)):
        total += weight[e] * gain[index[e]]
    total = max(total, 0.0) + noise  # rounding can take a variance that is nearly zero below it
    for i in range(states):
        scaled = gain[i] / total
        for c in range(columns):
            mean[i, c] += scaled * error[c]
        for j in range(states):
            cov[i, j] -= scaled * gain[j]
    return total


@exact_kernel
def filter_group(
    data, seen, noise, pointer, index, weight, step, t_index, t_weight, innovation, mean, cov,
    means, covs, gains, variances, errors,
):  # fmt: skip
    """Filter forwards; fill predictions by date and gain, variance and error by observation.

    Args:
        data: (dates, rows, columns) of observations and regressors.
        seen: (dates, rows), whether a row is observed.
        noise: (dates, rows), variances.
        pointer: rows of the observation matrix, compressed, with `index` and `weight`.
        step: (dates,), class of the step that leads to a date; -1 for none.
        t_index: (states, width), columns of each row of the transition; weights (classes, states, width).
        innovation: (classes, states, states), covariance.
        mean: (states, columns) before the first date; overwritten.
        cov: (states, states) before the first date; overwritten.
        means: (dates, states, columns), filled with predictions.
        covs: (dates, states, states), filled with their covariances.
        gains: (observations, states), filled with P h.
        variances: (observations,), filled with F.
        errors: (observations, columns), filled with v.
    """
    dates, rows = seen.shape
    states = cov.shape[0]
    work = np.empty((states, states))
    count = 0
    for t in range(dates):
        if step[t] >= 0:
            move(t_index, t_weight[step[t]], mean, cov, work)
            cov += innovation[step[t]]
        means[t] = mean
        covs[t] = cov
        for m in range(rows):
            if not seen[t, m]:
                continue
            errors[count] = data[t, m]
            own = slice(pointer[m], pointer[m + 1])
            variances[count] = observe_row(
                index[own], weight[own], noise[t, m], mean, cov, gains[count], errors[count]
            )
            count += 1


@exact_kernel
def sweep_row(index, weight, gain, total, error, info, spread, work):
    """Take the backward recursion over one observation; the smoothed error u replaces v; return D."""
    states = len(gain)
    both = 0.0
    for i in range(states):
        value = 0.0
        for j in range(states):
            value += spread[i, j] * gain[j]
        work[i] = value
        both += gain[i] * value
    for c in range(len(error)):
        value = error[c]
        for i in range(states):
            value -= gain[i] * info[i, c]
        error[c] = value / total  # u = (v - K' r) / F
        for e in range(len(index)):
            info[index[e], c] += weight[e] * error[c]
    precision = 1.0 / total + both / total**2
    spread_row(index, weight, work, total, precision, spread)
    return precision


@exact_kernel
def spread_row(index, weight, work, total, precision, spread):
    """Take N over one observation: N <- h h' / F + L' N L, where N P h is known."""
    for e in range(len(index)):
        w = weight[e] / total
        for j in range(len(work)):
            spread[index[e], j] -= w * work[j]
            spread[j, index[e]] -= w * work[j]
    for e in range(len(index)):
        for f in range(len(index)):
            spread[index[e], index[f]] += weight[e] * weight[f] * precision


@exact_kernel
def sweep_rows(t, first, seen, pointer, index, weight, gains, variances, errors, info, spread, work):
    """Take the backward recursion over the observations of one date, last first."""
    count = first
    for m in range(seen.shape[1]):
        count += seen[t, m]
    for m in range(seen.shape[1] - 1, -1, -1):
        if seen[t, m]:
            count -= 1
            own = slice(pointer[m], pointer[m + 1])
            variances[count] = sweep_row(
                index[own], weight[own], gains[count], variances[count], errors[count], info, spread, work
            )


@exact_kernel
def smooth_date(mean, cov, info, spread, f_pointer, f_index, f_weight, found, variance):
    """Fill mean (fields, columns) and variance (fields,) of f' x at a date: a + P r and P - P N P."""
    fields, states = f_pointer.shape[0] - 1, cov.shape[0]
    reach = np.zeros((fields, states))
    for f in range(fields):
        total = 0.0
        for c in range(mean.shape[1]):
            found[f, c] = 0.0
        for e in range(f_pointer[f], f_pointer[f + 1]):
            source, w = f_index[e], f_weight[e]
            for i in range(states):
                reach[f, i] += w * cov[source, i]
            for c in range(mean.shape[1]):
                found[f, c] += w * mean[source, c]
        for e in range(f_pointer[f], f_pointer[f + 1]):
            total += f_weight[e] * reach[f, f_index[e]]
        variance[f] = total
    found += np.dot(reach, info)
    spent = np.dot(reach, spread)
    for f in range(fields):
        for i in range(states):
            variance[f] -= spent[f, i] * reach[f, i]


@exact_kernel
def smooth_group(
    seen, starts, pointer, index, weight, step, t_index, t_weight, means, covs, gains, variances, errors,
    f_pointer, f_index, f_weight, wanted, found, variance,
):  # fmt: skip
    """Smooth backwards over all dates; fill mean and variance of the fields at the wanted dates.

    `variances` and `errors` are overwritten: by the precision D and the smoothed error u of each observation.
    """
    dates, states, columns = means.shape
    info, spread = np.zeros((states, columns)), np.zeros((states, states))
    work, square = np.empty(states), np.empty((states, states))
    for t in range(dates - 1, -1, -1):
        sweep_rows(t, starts[t], seen, pointer, index, weight, gains, variances, errors, info, spread, work)
        if wanted[t] >= 0:
            place = wanted[t]
            smooth_date(
                means[t], covs[t], info, spread, f_pointer, f_index, f_weight, found[place], variance[place]
            )
        if step[t] >= 0:
            move_back(t_index, t_weight[step[t]], info, spread, square)


@exact_kernel
def lagged_group(
    seen, starts, pointer, index, weight, step, t_index, t_weight, means, covs, gains, variances, errors,
    f_pointer, f_index, f_weight, wanted, found, variance, lag,
):  # fmt: skip
    """Do what `smooth_group` does with observations up to `lag` dates later only; nothing is overwritten."""
    dates, states, columns = means.shape
    info, spread = np.zeros((states, columns)), np.zeros((states, states))
    work, square = np.empty(states), np.empty((states, states))
    for target in range(dates):
        if wanted[target] < 0:
            continue
        info[:] = 0.0
        spread[:] = 0.0
        last = min(dates - 1, target + lag)
        low, high = starts[target], starts[last + 1]
        held, kept = variances[low:high].copy(), errors[low:high].copy()
        for t in range(last, target - 1, -1):
            sweep_rows(
                t,
                starts[t] - low,
                seen,
                pointer,
                index,
                weight,
                gains[low:high],
                held,
                kept,
                info,
                spread,
                work,
            )
            if t > target and step[t] >= 0:
                move_back(t_index, t_weight[step[t]], info, spread, square)
        place = wanted[target]
        smooth_date(
            means[target], covs[target], info, spread, f_pointer, f_index, f_weight, found[place],
            variance[place],
        )  # fmt: skip


@exact_kernel
def slopes_group(
    seen, starts, pointer, index, weight, step, t_index, t_weight, t_inverse, innovation, means, covs, gains,
    variances, errors, combine, share, slope_cov, slope_q, slope_t,
):  # fmt: skip
    """Smooth backwards and add up the derivatives of the log-likelihood by the system's matrices.

    dl/dQ = 1/2 sum (r r' - N), dl/dP0 the same at the first date, dl/dT = sum (r x(t-1)' - N (P - Q) T^-T),
    where r and x are those of every footprint, in the mean over what is known of the regression
    coefficients (Koopman & Shephard 1992).

    Args:
        combine: (columns, draws): every footprint, and every direction of the coefficients' covariance, as a
            weighted sum of columns.
        share: number of footprints in the group.
        t_inverse: (classes, states, width), the inverse of the transition in the same pattern.
        slope_cov: (states, states), to which the derivative by the first covariance is added.
        slope_q: (classes, states, states), to which that by the innovations' covariance is added.
        slope_t: (classes, states, width), to which that by the transition's entries is added.
    """
    dates, states, columns = means.shape
    info, spread = np.zeros((states, columns)), np.zeros((states, states))
    work, square = np.empty(states), np.empty((states, states))
    for t in range(dates - 1, -1, -1):
        sweep_rows(t, starts[t], seen, pointer, index, weight, gains, variances, errors, info, spread, work)
        drawn = np.dot(info, combine)
        outer = 0.5 * (np.dot(drawn, drawn.T) - share * spread)
        if step[t] < 0:
            slope_cov += outer
            continue
        slope_q[step[t]] += outer
        transition_slope(
            t,
            step[t],
            t_index,
            t_inverse,
            innovation,
            means,
            covs,
            info,
            spread,
            combine,
            drawn,
            share,
            slope_t,
        )
        move_back(t_index, t_weight[step[t]], info, spread, square)


@exact_kernel
def transition_slope(
    t, kind, t_index, t_inverse, innovation, means, covs, info, spread, combine, drawn, share, slope_t
):
    """Add sum over footprints of r x(t-1)' - N (P - Q) T^-T at the transition's entries.

    x(t-1) = T^-1 (x(t) - Q r(t)): the transition is invertible, so that nothing else has to be kept.
    """
    states, width = t_index.shape
    ahead = np.dot(means[t] + np.dot(covs[t] - innovation[kind], info), combine)  # T x(t-1), by draw
    before = np.zeros(ahead.shape)
    for i in range(states):
        for k in range(width):
            before[i] += t_inverse[kind, i, k] * ahead[t_index[i, k]]
    for i in range(states):
        for k in range(width):
            j = t_index[i, k]
            total = 0.0
            for c in range(drawn.shape[1]):
                total += drawn[i, c] * before[j, c]
            for e in range(width):
                w, source = t_inverse[kind, j, e], t_index[j, e]
                if w != 0.0:
                    value = 0.0
                    for s in range(states):
                        value += spread[i, s] * (covs[t, s, source] - innovation[kind, s, source])
                    total -= share * w * value
            slope_t[kind, i, k] += total
