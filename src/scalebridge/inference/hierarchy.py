"""The hierarchy of a set of measurements: its hyperparameters, their priors, and its collapsed density.

    value = mean + slopes x covariates + effect of each level's group + heterogeneity of the sample + noise,

all Gaussian in the coordinate (the logarithm, or the value), with standard deviations that are
hyperparameters.
The heterogeneity has an uncorrelated part and, if asked for, one that is correlated along the finest group.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from scalebridge.core.errors import InputError
from scalebridge.inference.hierarchy_collapse import Collapse, Spreads, Top
from scalebridge.inference.hierarchy_priors import Prior, parse_prior
from scalebridge.inference.measurements import Measurements
from scalebridge.inference.semivariance import nearest_pairs
from scalebridge.io.stored import nearest

HETEROGENEITY, CORRELATED, LENGTH, NOISE = "heterogeneity", "correlated", "length", "noise"
_WIDE = 10.0


@dataclass(frozen=True)
class Hierarchy:
    """Measurements with the priors of everything that is not known.

    Args:
        measurements: the data.
        priors: of each spread and length by name, levels from coarse to fine first.
        top: prior of the mean and the slopes, in the coordinate.
        noiseless: whether measurements are taken to be free of noise.
    """

    measurements: Measurements
    priors: dict[str, Prior]
    top: Top
    noiseless: bool

    @property
    def collapse(self) -> Collapse:
        """The tree ready to be collapsed."""
        return Collapse(self.measurements.tree, self.top)

    @property
    def free(self) -> tuple[str, ...]:
        """Names of the hyperparameters that are not known."""
        return tuple(name for name, prior in self.priors.items() if not prior.known)

    @property
    def lowest(self) -> np.ndarray:
        """Lowest coordinates of the free ones."""
        return np.array([self.priors[name].lowest for name in self.free])

    @property
    def highest(self) -> np.ndarray:
        """Highest coordinates of the free ones that are looked at first."""
        return np.array([self.priors[name].highest for name in self.free])

    def values(self, z: np.ndarray) -> dict[str, np.ndarray]:
        """Return all hyperparameters by name at coordinates of the free ones, (count, free)."""
        found, column = {}, 0
        for name, prior in self.priors.items():
            if prior.known:
                found[name] = np.full(len(z), prior.scale)
            else:
                found[name] = prior.value(z[:, column])
                column += 1
        return found

    @property
    def least_noise(self) -> float:
        """Noise below which sums would be lost in roundings: a ten-thousandth of its prior's scale."""
        prior = self.priors[HETEROGENEITY if self.noiseless else NOISE]
        return 0.0 if prior.known else 1e-4 * prior.scale

    def spreads(self, values: Mapping[str, np.ndarray]) -> Spreads:
        """Return hyperparameters by name as the collapse takes them."""
        levels = [values[name] for name in self.measurements.levels]
        count = len(values[HETEROGENEITY])
        zeros, ones = np.zeros(count), np.ones(count)
        micro, noise = values[HETEROGENEITY], values.get(NOISE, zeros)
        if self.noiseless:  # of samples measured once, heterogeneity and noise are the same to the sums
            micro, noise = zeros, values[HETEROGENEITY]
        noise = np.maximum(noise, self.least_noise)
        stacked = np.stack(levels, axis=1) if levels else np.zeros((count, 0))
        return Spreads(stacked, micro, noise, values.get(CORRELATED, zeros), values.get(LENGTH, ones))

    def log_prior(self, z: np.ndarray) -> np.ndarray:
        """Return the log-prior of coordinates."""
        return sum(
            (self.priors[name].log_density(z[:, i]) for i, name in enumerate(self.free)), np.zeros(len(z))
        )

    def density(self, collapse: Collapse):
        """Return the log-density of coordinates, data and prior together, as a function."""
        return lambda z: collapse.log_density(self.spreads(self.values(z))) + self.log_prior(z)

    def statements(self) -> dict[str, str]:
        """Return every prior in words, by name."""
        found = {"mean": f"normal, mean {self.top.mean[0]:.5g}, std {self.top.std[0]:.4g}"}
        for name, mean, std in zip(
            self.measurements.covariates, self.top.mean[1:], self.top.std[1:], strict=True
        ):
            found[f"slope of {name}"] = f"normal, mean {mean:.4g}, std {std:.4g}"
        return found | {name: str(prior) for name, prior in self.priors.items()}


def make_hierarchy(
    measurements: Measurements,
    noise: float | None,
    scattered: bool,
    priors: Mapping[str, Any],
    factor: float,
) -> Hierarchy:
    """Put defaults where nothing was said, and refuse what cannot be told apart.

    Args:
        measurements: the data.
        noise: known standard deviation of the noise in the coordinate; None to infer it.
        scattered: whether each measurement has its own, already among the measurements.
        priors: what was said, by name.
        factor: unit of the values in SI, for priors of values that are not logarithms.

    Raises:
        InputError: a prior of something unknown, or noise that cannot be told from heterogeneity.
    """
    logarithmic = measurements.distribution == "log-normal"
    size = 1.0 if logarithmic else float(np.std(measurements.values)) or 1.0
    names = _names(measurements)
    _refuse_names(priors, names, measurements)
    noiseless = noise == 0.0 and not scattered
    _refuse_noise(measurements, noise, scattered, noiseless, NOISE in priors)
    found = {}
    for name in names:
        if name == NOISE and (scattered or noise is not None):
            if not noiseless:
                found[name] = Prior("known", 1.0 if scattered else float(noise or 0.0))
            continue
        given = priors.get(name)
        if given is None:
            found[name] = _default(name, measurements, size)
        else:
            prior = parse_prior(name, given, zero=name not in (NOISE, LENGTH))
            keep = logarithmic or name == LENGTH
            found[name] = prior if keep else _scaled(prior, factor)
    _refuse_nothing(found, noiseless)
    return Hierarchy(measurements, found, _top(measurements, priors, size, factor), noiseless)


def _names(measurements: Measurements) -> tuple[str, ...]:
    correlated = (CORRELATED, LENGTH) if measurements.tree.correlation else ()
    return (*measurements.levels, HETEROGENEITY, *correlated, NOISE)


def _default(name: str, measurements: Measurements, size: float) -> Prior:
    if name == LENGTH:
        low, high = _reach(measurements)
        return Prior("log-normal", float(np.sqrt(low * high)), max(1.0, 0.5 * float(np.log(high / low))))
    return Prior("half-normal", (1.0 if name == NOISE else 2.0) * size)


def _reach(measurements: Measurements) -> tuple[float, float]:
    """Return the median gap of neighbours and the extent of the longest group."""
    tree = measurements.tree
    if tree.spatial:
        return _reach_in_space(tree.place, tree.finest)
    same = tree.finest[1:] == tree.finest[:-1]
    gaps = np.diff(tree.place)[same]
    gaps = gaps[gaps > 0]
    if not len(gaps):
        raise InputError(
            "position", got="one position a group", wanted="samples at several", cure="leave correlation out"
        )
    starts = np.flatnonzero(np.r_[True, ~same])
    ends = np.r_[starts[1:], tree.samples] - 1
    return float(np.median(gaps)), float(np.max(tree.place[ends] - tree.place[starts]))


def _reach_in_space(place: np.ndarray, group: np.ndarray) -> tuple[float, float]:
    """Return the median distance of nearest neighbours and the longest diagonal of a group."""
    # Samples at the same place say nothing of a length: each place once.
    each = np.unique(np.concatenate([group[:, None], place], axis=1), axis=0)
    place, group = each[:, 1:], each[:, 0]
    pairs, gaps = nearest_pairs(place, group)
    if not len(gaps):
        raise InputError(
            "position", got="one position a group", wanted="samples at several", cure="leave correlation out"
        )
    owners = np.unique(group[pairs[0]])
    extents = [float(np.linalg.norm(np.ptp(place[group == own], axis=0))) for own in owners]
    return float(np.median(gaps)), max(extents)


def _scaled(prior: Prior, factor: float) -> Prior:
    return Prior(prior.kind, prior.scale * factor, prior.spread)


def _top(measurements: Measurements, priors: Mapping[str, Any], size: float, factor: float) -> Top:
    """Prior of the mean and the slopes; what is said of them is in the values' unit."""
    logarithmic = measurements.distribution == "log-normal"
    shift, stretch = (np.log(factor), 1.0) if logarithmic else (0.0, factor)
    mean, std = [float(np.mean(measurements.values))], [_WIDE * size]
    if "mean" in priors:
        centre, spread = _pair("mean", priors["mean"])
        mean, std = [stretch * centre + shift], [stretch * spread]
    for i, name in enumerate(measurements.covariates):
        width = float(np.std(measurements.tree.rows[:, 1 + i]))
        centre, spread = (
            _pair(name, priors[name]) if name in priors else (0.0, _WIDE * size / width / stretch)
        )
        mean.append(stretch * centre)
        std.append(stretch * spread)
    return Top(np.array(mean), np.array(std))


def _pair(name: str, given: Any) -> tuple[float, float]:
    fit = isinstance(given, list | tuple) and len(given) == 2
    fit = fit and all(isinstance(x, int | float) and np.isfinite(x) for x in given) and given[1] > 0
    if not fit:
        raise InputError(
            f"priors[{name!r}]",
            got=repr(given),
            wanted="(mean, standard deviation)",
            cure="write (0.0, 10.0)",
        )
    return float(given[0]), float(given[1])


def _refuse_names(priors: Mapping[str, Any], names: tuple[str, ...], measurements: Measurements) -> None:
    clash = set(measurements.levels) & {HETEROGENEITY, CORRELATED, LENGTH, NOISE, "mean"}
    if clash:
        raise InputError(
            "levels", got=f"a level named '{clash.pop()}'", wanted="another name", cure="rename the column"
        )
    known = ("mean", *names, *measurements.covariates)
    for name in priors:
        if name not in known:
            raise InputError(
                "priors", got=repr(name), wanted=f"names among {', '.join(known)}", cure=nearest(name, known)
            )


def _refuse_noise(
    measurements: Measurements, noise: float | None, scattered: bool, noiseless: bool, prior: bool
) -> None:
    if noiseless and measurements.replicated:
        raise InputError(
            "noise",
            got="0 with samples that were measured again",
            wanted="noise, or one measurement a sample",
            cure="leave noise out: it follows from the repetitions",
        )
    told = noise is not None or scattered or prior or measurements.replicated
    if not told:
        raise InputError(
            "noise",
            got="nothing, and no sample measured twice",
            wanted="the repeatability of a measurement: noise and heterogeneity look alike otherwise",
            cure="pass noise='10 %', or noise=0 to count all of it as heterogeneity",
        )


def _refuse_nothing(priors: Mapping[str, Prior], noiseless: bool) -> None:
    if noiseless and priors[HETEROGENEITY].known and priors[HETEROGENEITY].scale == 0:
        raise InputError(
            "noise", got="neither noise nor heterogeneity", wanted="one of them", cure="pass noise='10 %'"
        )
