"""What has to hold of a joint precision, measured on a part that one dense covariance can do."""

import numpy as np

from scalebridge.core.checks import Check
from scalebridge.core.errors import InputError
from scalebridge.fusion.fusion_checks import MOST, batch_check, innovation_checks
from scalebridge.fusion.fusion_problem import Problem
from scalebridge.fusion.joint_estimate import joint_likelihood, past
from scalebridge.fusion.joint_learning import middle_window
from scalebridge.fusion.joint_precision import Joint, make_joint
from scalebridge.fusion.sparse_factor import dissect, factorise

_UNKNOWNS = 2000  # of the dense covariance: a second


def check_joint(problem: Problem, values: dict[str, float]) -> list[Check]:
    """Innovations are white and of unit variance, and the likelihood is that of a batch Gaussian process.

    Both from one dense covariance of what was seen first of a window in the middle, its observations in the
    order of time: with its Cholesky factor L, L^-1 y are the innovations of a filter. None where a sensor saw
    nothing in any window that is small enough.

    Args:
        problem: the problem.
        values: all parameters.
    """
    part = small_part(problem)
    if part is None:
        return []
    joint = make_joint(part, values)
    factor = factorise(joint.precision, dissect(joint.precision, joint.where))
    ours = joint_likelihood(joint, factor)[0]
    order = np.argsort(joint.places[:, 1], kind="stable")
    root = np.linalg.cholesky(dense_covariance(joint)[np.ix_(order, order)])
    white = np.linalg.solve(root, joint.values[order])
    log = np.log(np.diag(root)).sum() + 0.5 * len(white) * np.log(2 * np.pi)
    batch = float(-0.5 * white @ white - log)
    rows = [o.values.shape[1] for o in part.observed]
    z = np.full((1, len(part.days), sum(rows)), np.nan)
    sensor, date, row = joint.places[order].T
    z[0, date, np.concatenate([[0], np.cumsum(rows)])[sensor] + row] = white
    what = f"{len(white)} observations in a window, by the sparse factor"
    return [*innovation_checks(z), batch_check(ours, batch, what)]


def small_part(problem: Problem) -> Problem | None:
    """Return the first dates of a window in the middle, as many as one dense covariance can do."""
    layers = len(problem.days) * max(len(problem.bands), 1) * sum(problem.model.orders)
    for pixels in (16, 64, 256):
        try:
            window = middle_window(problem, pixels * layers)
        except InputError:  # a sensor has no whole footprint there
            continue
        unknowns = window.pixels * sum(window.model.orders) + sum(
            o.values.shape[1] for o in window.observed if o.bias != "none"
        )
        seen = sum(np.isfinite(o.values).sum(axis=1) for o in window.observed)
        first = int(np.flatnonzero(seen)[0])
        most = min(_UNKNOWNS // unknowns, int(np.searchsorted(np.cumsum(seen), MOST, side="right")))
        if most > first:
            return past(window, most - 1)
    return None


def dense_covariance(joint: Joint) -> np.ndarray:
    """Return the covariance of all observations, (observations, observations)."""
    prior = np.linalg.inv(joint.prior_precision.toarray())
    observe = joint.observe.toarray()
    shared = (joint.columns * joint.prior) @ joint.columns.T
    return observe @ prior @ observe.T + shared + np.diag(joint.noise)
