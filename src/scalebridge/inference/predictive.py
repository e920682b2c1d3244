"""Whether the model could have made the data: prior and posterior predictive checks, and groups left out."""

from dataclasses import dataclass

import numpy as np
from scipy import stats

from scalebridge.core.checks import Check
from scalebridge.inference.hierarchy import CORRELATED, HETEROGENEITY, LENGTH, NOISE, Hierarchy
from scalebridge.inference.hierarchy_collapse import Collapse
from scalebridge.inference.hierarchy_fields import new_cells
from scalebridge.inference.hierarchy_posterior import Posterior
from scalebridge.inference.quadrature import integrate

_DOUBT = 0.01
_DRAWS = 200
_MOST_IN_A_GROUP = 600
_ROUGH = {3: 16, 4: 12}  # points along an axis where one of many groups is left out


@dataclass(frozen=True)
class Predictive:
    """One statistic of the data beside those of data that the model makes.

    Args:
        name: what it is.
        seen: of the data.
        made: of made data, (draws,).
    """

    name: str
    seen: float
    made: np.ndarray

    @property
    def p_value(self) -> float:
        """Two-sided probability of a statistic so far out."""
        above = (1 + np.count_nonzero(self.made >= self.seen)) / (1 + len(self.made))
        below = (1 + np.count_nonzero(self.made <= self.seen)) / (1 + len(self.made))
        return float(min(1.0, 2.0 * min(above, below)))


@dataclass(frozen=True)
class LeftOut:
    """A group predicted from all others.

    Args:
        label: the group.
        seen: its mean by its own data alone.
        mean: predicted.
        std: of the prediction, the group's own uncertainty included.
        probability: share of the prediction below what was seen.
        log_score: log-density of the group's data given the others'.
    """

    label: str
    seen: float
    mean: float
    std: float
    probability: float
    log_score: float


def predictive_checks(
    hierarchy: Hierarchy, posterior: Posterior, rng: np.random.Generator, tail: float | None
) -> tuple[tuple[Predictive, ...], tuple[Check, ...]]:
    """Make data from the posterior with the groups as found, and from the priors, and compare.

    Returns:
        the statistics, and a check for each.
    """
    chosen = rng.choice(len(posterior.top), _DRAWS)
    values = {name: v[chosen] for name, v in posterior.values.items()}
    own = posterior.levels[-1][chosen] if posterior.levels else posterior.top[chosen][:, None]
    made = [made_data(hierarchy, values, own[i], i, rng, tail) for i in range(_DRAWS)]
    found = [*_statistics(hierarchy, "posterior", np.array(made)), _prior_check(hierarchy, rng, tail)]
    said = "two-sided probability of {} so far out in data that the model makes"
    checks = tuple(
        Check(p.name, p.p_value, _DOUBT, "at least", said.format(p.name.split(": ")[1])) for p in found
    )
    return tuple(found), checks


def made_data(
    hierarchy: Hierarchy,
    values: dict[str, np.ndarray],
    own: np.ndarray,
    draw: int,
    rng: np.random.Generator,
    tail: float | None,
) -> np.ndarray:
    """Make measurements at the data's places for one draw of everything."""
    tree = hierarchy.measurements.tree
    micro = values[HETEROGENEITY][draw] * rng.standard_normal(tree.samples)
    if tree.correlation is not None:
        spread = (0.0, float(values[CORRELATED][draw]), float(values[LENGTH][draw]))
        for group in range(tree.groups):
            index = np.flatnonzero(tree.finest == group)
            if len(index) > _MOST_IN_A_GROUP:  # in independent pieces
                for piece in np.array_split(index, -(-len(index) // _MOST_IN_A_GROUP)):
                    micro[piece] += new_cells(tree.place[piece], len(piece), spread, tree.correlation, rng)
            elif len(index):
                micro[index] += new_cells(tree.place[index], len(index), spread, tree.correlation, rng)
    noise = rng.standard_normal(tree.count) if tail is None else rng.standard_t(tail, tree.count)
    size = values[NOISE][draw] * np.sqrt(tree.scatter) if NOISE in values else np.zeros(tree.count)
    middle = np.sum(tree.rows[:, :-1] * own[tree.finest[tree.sample]], axis=1)
    return _limited(hierarchy, middle + micro[tree.sample] + size * noise)


def _limited(hierarchy: Hierarchy, made: np.ndarray) -> np.ndarray:
    """Put limits where the data have limits, so that both are looked at alike."""
    data = hierarchy.measurements
    made = np.where(data.below, np.maximum(made, data.values), made)
    return np.where(data.above, np.minimum(made, data.values), made)


def _statistics(hierarchy: Hierarchy, name: str, made: np.ndarray) -> list[Predictive]:
    data = hierarchy.measurements
    tree = data.tree
    parts = {
        "standard deviation": lambda y: float(np.std(y)),
        "smallest value": lambda y: float(np.min(y)),
        "largest value": lambda y: float(np.max(y)),
    }
    alike = tree.finest[tree.sample]
    near = (alike[1:] == alike[:-1]) & (np.diff(tree.sample) > 0)
    if data.placed and not tree.spatial and np.count_nonzero(near) >= 10:
        parts["squared difference of neighbours"] = lambda y: float(np.mean(np.diff(y)[near] ** 2))
    return [
        Predictive(f"{name} predictive: {what}", of(data.values), np.array([of(y) for y in made]))
        for what, of in parts.items()
    ]


def _prior_check(hierarchy: Hierarchy, rng: np.random.Generator, tail: float | None) -> Predictive:
    """Standard deviation of data made from the priors alone."""
    tree, made = hierarchy.measurements.tree, []
    values = {name: prior.draw(rng, _DRAWS) for name, prior in hierarchy.priors.items()}
    slopes = hierarchy.top.std * rng.standard_normal((_DRAWS, tree.unknowns))
    for draw in range(_DRAWS):
        own = np.zeros(tree.groups)
        for level, name in enumerate(hierarchy.measurements.levels):
            effect = values[name][draw] * rng.standard_normal(len(tree.parents[level]))
            finest = np.zeros(tree.groups, int)
            finest[tree.finest] = tree.ancestors(level)
            own += effect[finest]
        coefficients = np.tile(slopes[draw], (tree.groups, 1))
        coefficients[:, 0] += own
        made.append(np.std(made_data(hierarchy, values, coefficients, draw, rng, tail)))
    seen = float(np.std(hierarchy.measurements.values))
    return Predictive("prior predictive: standard deviation", seen, np.array(made))


def leave_groups_out(
    hierarchy: Hierarchy, whole: float | None, near: np.ndarray | None
) -> tuple[LeftOut, ...]:
    """Predict each finest group from all others, by quadrature with its data left out.

    Args:
        hierarchy: the model, Gaussian, with at least one level.
        whole: log-evidence of all data.
        near: box of the hyperparameters that holds for all data.

    Cost: one quadrature a group.
    """
    data = hierarchy.measurements
    tree, found = data.tree, []
    for group, label in enumerate(data.labels[-1]):
        mask = tree.finest[tree.sample] != group
        if not np.any(mask) or np.all(mask):
            continue
        rest, own = (Collapse(tree.keep(m), hierarchy.top) for m in (mask, ~mask))
        nodes = _ROUGH.get(len(hierarchy.free))
        rule = integrate(hierarchy.density(rest), hierarchy.lowest, hierarchy.highest, nodes, near)
        spreads = hierarchy.spreads(hierarchy.values(rule.points))
        mean, variance, seen, error = [], [], [], []
        for piece in rest.chunks(spreads.count):
            some = spreads.take(piece)
            up, alone = rest.up(some), own.up(some)
            among = alone.sums[-1][:, group]
            mean.append(up.mean[:, 0])
            variance.append(up.covariance[:, 0, 0] + np.sum(some.levels**2, axis=1))
            slopes = np.einsum("ti,ti->t", among[:, 0, 1:-1], up.mean[:, 1:])
            seen.append((among[:, 0, -1] - slopes) / among[:, 0, 0])
            error.append(1.0 / among[:, 0, 0])
        score = np.nan if whole is None else whole - rule.log_integral
        parts = [np.concatenate(part) for part in (mean, variance, seen, error)]
        found.append(_predicted(label, rule.weights, parts, score))
    return tuple(found)


def _predicted(label: str, weights: np.ndarray, parts: list[np.ndarray], score: float) -> LeftOut:
    mean, variance, seen, error = parts
    std = np.sqrt(variance + error)
    middle = float(weights @ mean)
    total = float(np.sqrt(weights @ (std**2 + (mean - middle) ** 2)))
    below = float(weights @ stats.norm.cdf((seen - mean) / std))
    return LeftOut(label, float(weights @ seen), middle, total, below, score)


def left_out_check(found: tuple[LeftOut, ...]) -> Check:
    """Hold the number of groups outside their predicted interval of 95 % against chance."""
    outside = sum(not 0.025 <= one.probability <= 0.975 for one in found)
    chance = float(stats.binom.sf(outside - 1, len(found), 0.05)) if outside else 1.0
    meaning = f"chance of {outside} or more of {len(found)} groups outside the 95 % predicted from the others"
    return Check("groups left out", chance, _DOUBT, "at least", meaning)
