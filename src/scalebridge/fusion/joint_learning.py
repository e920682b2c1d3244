"""Parameters by marginal likelihood with exact slopes, from the joint precision; or from a window of it."""

from dataclasses import replace

import numpy as np

from scalebridge.core.errors import InputError
from scalebridge.fusion.block_estimate import Search
from scalebridge.fusion.fusion_problem import Observed, Problem
from scalebridge.fusion.joint_estimate import joint_likelihood
from scalebridge.fusion.joint_precision import make_joint
from scalebridge.fusion.joint_slopes import joint_slopes, known_from
from scalebridge.fusion.learning import Learnt, Posterior, innovation_counts, search_by
from scalebridge.fusion.sparse_factor import dissect, factorise, selected_inverse
from scalebridge.grids.footprints import WeightedFootprint
from scalebridge.grids.transfers import BlockAverage

_WINDOW = 20_000  # unknowns that the iterative method's parameters are learnt from: a second an evaluation


class JointObjective(Posterior):
    """Log-likelihood and log-prior by one sparse factor, with exact slopes from its selected inverse.

    Args:
        problem: the problem.
        package: that factors; see `sparse_factor.factorise`.
    """

    def __init__(self, problem: Problem, package: str | None = None):
        super().__init__(problem.parameters, np.diff(problem.days))
        self.problem, self.package = problem, package
        self._order: np.ndarray | None = None

    def slopes(self, values: dict[str, float]) -> tuple[float, dict[str, float]]:
        """Return the log-likelihood, and its slope by the logarithm of each parameter.

        Cost: of the factor, and of the selected inverse, about four times that.
        """
        joint = make_joint(self.problem, values)
        precision = joint.precision
        if self._order is None:  # the pattern is the same for all parameters
            self._order = dissect(precision, joint.where)
        factor = factorise(precision, self._order, self.package)
        log, shared, solved = joint_likelihood(joint, factor)
        known = known_from(selected_inverse(factor), solved, shared)
        return log, joint_slopes(self.problem, joint, values, known, shared)

    def counts(self) -> dict[str, float]:
        problem = self.problem
        classes = np.bincount(problem.classes, minlength=max(len(problem.labels), 1)).astype(float)
        return innovation_counts(
            problem.model, dict(zip(problem.labels or ("",), classes, strict=True)), len(problem.days),
            {o.name: (o.bias, o.values.shape[1]) for o in problem.observed if o.bias != "none"},
            {o.name: float(np.isfinite(o.values).sum()) for o in problem.observed},
            [prior for _, prior in problem.coefficients],
        )  # fmt: skip


def learn_joint(problem: Problem, search: Search, start: dict[str, float] | None = None) -> Learnt:
    """Return the parameters with the greatest posterior density, or by expectation and maximisation.

    Args:
        problem: the problem.
        search: how.
        start: values to start from.

    Cost: some 20 to 40 factors and selected inverses.
    """
    return search_by(search.method, JointObjective(problem), start, search.steps, search.tolerance)


def learning_window(problem: Problem) -> tuple[Problem, str]:
    """Return a window in the middle that parameters are learnt from where one factor of all is too much.

    Raises:
        InputError: a sensor that has no whole footprint there.
    """
    window = middle_window(problem, _WINDOW)
    rows, columns = window.grid.shape
    return window, f"a window of {rows} x {columns} pixels in the middle, by the sparse method"


def middle_window(problem: Problem, most: int) -> Problem:
    """Return the problem of a window in the middle with at most some unknowns, and at least one footprint.

    Args:
        problem: the problem.
        most: unknowns.

    Raises:
        InputError: a sensor that has no whole footprint there.
    """
    layers = len(problem.days) * max(len(problem.bands), 1) * sum(problem.model.orders)
    side, block = np.sqrt(most / layers), problem.block or (1, 1)
    cut = []
    for length, step in zip(problem.grid.shape, block, strict=True):
        size = min(length, max(step, int(side) // step * step))
        first = (length - size) // 2 // step * step
        cut.append(slice(first, first + size))
    rows, columns = (np.arange(w.start, w.stop) for w in cut)
    pixels = (rows[:, None] * problem.grid.shape[1] + columns).ravel()
    every = np.arange(problem.pixels).reshape(-1, np.prod(problem.grid.shape))[:, pixels].ravel()
    shape = (len(rows), len(columns))
    return replace(
        problem,
        grid=problem.grid.part(cut[0], cut[1]),
        observed=tuple(_inside(o, pixels, shape) for o in problem.observed),
        covariates={name: z[:, pixels] for name, z in problem.covariates.items()},
        classes=problem.classes[every],
    )


def _inside(observed: Observed, pixels: np.ndarray, shape: tuple[int, int]) -> Observed:
    """What a sensor saw through footprints that lie within a window."""
    weights = observed.weights
    kept = np.flatnonzero(np.abs(np.asarray(weights[:, pixels].sum(axis=1)).ravel() - 1.0) < 1e-9)
    if not np.isfinite(observed.values[:, kept]).any():
        raise InputError(
            "parameters",
            got=f"nothing that '{observed.name}' saw within {shape[0]} x {shape[1]} pixels in the middle",
            wanted="a value of every sensor there, because parameters are learnt there",
            cure="pass FusionModel(parameters=...), or method='sparse'",
        )
    weight = None if observed.weight is None else observed.weight[:, kept]
    told = {"values": observed.values[:, kept], "scale": observed.scale[:, kept], "weight": weight}
    if observed.factor is not None:
        down, across = (n // f for n, f in zip(shape, observed.factor, strict=True))
        return replace(observed, footprint=BlockAverage(shape, observed.factor), shape=(down, across), **told)
    footprint = WeightedFootprint(weights[kept][:, pixels], shape)
    return replace(observed, footprint=footprint, shape=(len(kept),), **told)
