"""Statistics of apparent answers: spread at one size, its fall with the volume, drift of the mean.

An apparent answer is that of a subvolume. With the volume V its variance falls as

    D²(V) = D_Z² (A / V)^γ,

where D_Z² is the variance of the local property, A the integral range and γ the exponent, 1 where
correlations end (T. Kanit et al. (2003), Int. J. Solids Struct. 40, 3647, doi:10.1016/S0020-7683(03)00143-4).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import optimize, special  # scipy.stats takes a second to load, in every worker

from scalebridge.upscaling.subvolumes import Size, overlaps

LEVEL = 0.95  # of every interval
_EXPONENTS = (0.05, 3.0)  # where the exponent is looked for
BELIEF = 0.3
"""What is known of the exponent beforehand: 1, with this standard deviation. Infinite fibres have 2/3."""


@dataclass(frozen=True)
class Sample:
    """The apparent answers of subvolumes of one size.

    Args:
        size: voxels along each axis.
        values: (n, ...) one answer a subvolume.
        origins: (n, dim) their first voxels.
        available: how many such subvolumes lie side by side in the image, of which these are all or a random
            choice.
    """

    size: Size
    values: np.ndarray
    origins: np.ndarray
    available: int

    @property
    def count(self) -> int:
        """Number of subvolumes."""
        return len(self.values)

    @property
    def volume(self) -> int:
        """Voxels of a subvolume."""
        return math.prod(self.size)

    @property
    def edge(self) -> float:
        """Edge in voxels of the cube (square) of the same volume."""
        return self.volume ** (1 / len(self.size))


@dataclass(frozen=True)
class Spread:
    """Mean and spread of numbers found in subvolumes of one size.

    Args:
        mean: their mean.
        std: standard deviation of one.
        half_width: half of the 95 % interval of the mean.
        neighbours: correlation of subvolumes that share a face; NaN where none do.
    """

    mean: float
    std: float
    half_width: float
    neighbours: float


@dataclass(frozen=True)
class VarianceLaw:
    """The law D²(V) = C V^-γ as it was fitted, V in voxels.

    Args:
        log_scale: logarithm of C.
        exponent: γ.
        covariance: (2, 2) of both.
        point_variance: variance D_Z² of the local property.
        misfit: probability of a fit as bad as this or worse; NaN without a size to spare.
        sizes: the sizes in the fit.
    """

    log_scale: float
    exponent: float
    covariance: np.ndarray
    point_variance: float
    misfit: float
    sizes: tuple[Size, ...]

    def variance(self, volume: Any) -> Any:
        """D²(V) of subvolumes of so many voxels."""
        return np.exp(self.log_scale - self.exponent * np.log(volume))

    def uncertainty(self, volume: Any) -> Any:
        """Standard deviation of the logarithm of D²(V)."""
        lever = np.stack([np.ones_like(np.asarray(volume, float)), -np.log(volume)])
        return np.sqrt(np.einsum("i...,ij,j...->...", lever, self.covariance, lever))

    def expected_variance(self, volume: float) -> float:
        """D²(V) averaged over what the fit leaves open: exp(s²/2) times the fitted one."""
        return float(self.variance(volume) * math.exp(0.5 * float(self.uncertainty(volume)) ** 2))

    @property
    def integral_range(self) -> float:
        """A, in voxels."""
        return self.volume_for(self.point_variance)

    @property
    def integral_range_uncertainty(self) -> float:
        """Standard deviation of the logarithm of A."""
        return self.volume_uncertainty(self.point_variance)

    @property
    def exponent_std(self) -> float:
        """Standard deviation of γ."""
        return float(np.sqrt(self.covariance[1, 1]))

    def volume_for(self, variance: float) -> float:
        """The volume, in voxels, at which D² is so large."""
        return float(np.exp(min((self.log_scale - math.log(variance)) / self.exponent, 700.0)))

    def volume_uncertainty(self, variance: float) -> float:
        """Standard deviation of the logarithm of `volume_for`."""
        volume = self.volume_for(variance)
        return float(self.uncertainty(volume)) / self.exponent

    def independent_volumes(self, volume: float) -> float:
        """As how many independent points a volume averages: D_Z² / D²(V)."""
        return float(self.point_variance / self.variance(volume))


@dataclass(frozen=True)
class Drift:
    """How the mean of apparent answers moves with the size: mean(L) = limit + slope / L, L in voxels.

    A layer at the subvolumes' faces, where the boundary condition is felt, takes a share of the volume that
    falls as 1 / L.

    Args:
        slope: change of the mean with 1 / L.
        std: standard deviation of the slope.
        p_value: probability of a slope as large as this or larger if there is none.
    """

    slope: float
    std: float
    p_value: float

    def at(self, edge: float) -> float:
        """What is left of the drift at an edge, in voxels."""
        return self.slope / edge


def spread_of(sample: Sample, numbers: np.ndarray) -> Spread:
    """Return mean, spread and interval of numbers, one a subvolume.

    The interval is Student's, mean ± t s √(φ/n). Neighbours in one image are not quite independent: where
    the correlation r of subvolumes with a common face is positive, φ = 1 + 2 r p, with p such pairs a
    subvolume among those solved.

    Args:
        sample: where the numbers come from.
        numbers: (n,).
    """
    mean, std, count = float(np.mean(numbers)), float(np.std(numbers, ddof=1)), len(numbers)
    related, share = neighbour_correlation(sample, numbers)
    inflation = 1.0 + 2.0 * max(related, 0.0) * share if math.isfinite(related) else 1.0
    factor = special.stdtrit(count - 1, 0.5 + LEVEL / 2) * math.sqrt(inflation / count)
    return Spread(mean, std, float(factor * std), related)


def neighbour_correlation(sample: Sample, numbers: np.ndarray) -> tuple[float, float]:
    """Return the correlation of subvolumes that share a face, and pairs a subvolume among those solved.

    It is Moran's I less its expectation -1 / (n - 1) for independent numbers.

    Source: P. A. P. Moran (1950), Biometrika 37, 17, doi:10.1093/biomet/37.1-2.17.
    """
    cell = (sample.origins - sample.origins.min(axis=0)) // np.asarray(sample.size)
    steps = np.abs(cell[:, None, :] - cell[None, :, :]).sum(axis=2)
    first, second = np.nonzero(np.triu(steps == 1))
    centred = numbers - numbers.mean()
    power = float(np.mean(centred**2))
    if not first.size or power <= 0.0:
        return math.nan, 0.0
    found = float(np.mean(centred[first] * centred[second])) / power + 1.0 / (len(numbers) - 1)
    return found, first.size / len(numbers)


def fit_variance_law(
    samples: Sequence[Sample],
    variances: Sequence[float],
    point_variance: float,
    belief: float = BELIEF,
) -> VarianceLaw | None:
    """Fit the law to sample variances by weighted least squares of their logarithms.

    n of N subvolumes of one image vary about the image's own mean, so that the expectation of their variance
    is C (V^-γ - (N V)^-γ) N / (N - 1), which is C / V for γ = 1. The weights are those of the logarithm of a
    χ² variable with n - 1 degrees of freedom; sizes cut from the same image are correlated as quadratic forms
    of white noise on their boxes are. What is known of γ beforehand counts as one more measurement: without
    it, the few boxes of one image leave exponents, and so extrapolations, that no material has.

    Args:
        samples: the subvolumes of each size.
        variances: sample variance of the numbers found in them.
        point_variance: variance of the local property.
        belief: standard deviation about 1 of what is known of γ beforehand; infinite for nothing.

    Returns:
        the law; None where nothing varies.

    Limits: answers that are nearly normal, volumes well above the integral range. Two sizes at least for an
    infinite `belief`.

    Source: γ = 1 for a finite integral range (G. Matheron (1971), The theory of regionalized variables); 2/3
        for infinite fibres and 1/3 for sheets (D. Jeulin (2016), Appl. Math. Mech. 37).
    """
    kept = [i for i, s in enumerate(samples) if variances[i] > 0.0]
    if not kept or point_variance <= 0.0:
        return None
    used = [samples[i] for i in kept]
    freedom = np.array([s.count - 1.0 for s in used])
    level = np.log([variances[i] for i in kept]) - special.digamma(freedom / 2) + np.log(freedom / 2)
    noise = special.polygamma(1, freedom / 2)
    inverse = np.linalg.inv(_correlation(used) * np.sqrt(np.outer(noise, noise)))
    exponent = _best_exponent(used, level, inverse, belief)
    lever = np.stack([np.ones(len(used)), _slope(used, exponent)], axis=1)
    log_scale, misfit = _level_fit(level - _shape(used, exponent), inverse)
    spare = len(used) - 2
    return VarianceLaw(
        log_scale,
        exponent,
        np.linalg.inv(lever.T @ inverse @ lever + np.diag([0.0, belief**-2])),
        point_variance,
        float(special.chdtrc(spare, misfit)) if spare > 0 else math.nan,
        tuple(s.size for s in used),
    )


def fit_drift(samples: Sequence[Sample], numbers: Sequence[np.ndarray]) -> Drift | None:
    """Fit the drift of the mean to differences between a subvolume and the smaller ones inside of it.

    The pairs share their material, so that what the sample happens to be cancels and the drift is seen where
    the means' own intervals are much wider.

    Args:
        samples: the subvolumes of each size, rising.
        numbers: what was found in them, one number each.

    Returns:
        the drift; None where no size has two subvolumes with smaller ones inside.
    """
    found = []
    for small, large, inner, outer in zip(samples, samples[1:], numbers, numbers[1:], strict=False):
        middle = small.origins + np.asarray(small.size) / 2
        after = middle[None, :, :] - large.origins[:, None, :]
        inside = np.all((after >= 0) & (after < np.asarray(large.size)), axis=2)
        full = inside.any(axis=1)
        if np.count_nonzero(full) < 2:
            continue
        means = (inside[full] @ inner) / inside[full].sum(axis=1)
        change = outer[full] - means
        error = float(np.std(change, ddof=1) / math.sqrt(len(change)))
        lever = 1.0 / large.edge - 1.0 / small.edge
        found.append((float(np.mean(change)), error, lever, len(change) - 1))
    return _drift(found)


def _drift(found: list[tuple[float, float, float, int]]) -> Drift | None:
    if not any(error > 0 for _, error, _, _ in found):
        return None
    changes, errors, levers, freedom = (np.array(column) for column in zip(*found, strict=True))
    weights = 1.0 / np.maximum(errors, 1e-12 * np.max(errors)) ** 2
    power = float(np.sum(weights * levers**2))
    slope, std = float(np.sum(weights * levers * changes)) / power, power**-0.5
    return Drift(slope, std, float(2 * special.stdtr(np.sum(freedom), -abs(slope) / std)))


def _correlation(samples: list[Sample]) -> np.ndarray:
    """Correlation between the sample variances of several sizes, for white noise on their boxes."""
    found = np.eye(len(samples))
    for i, a in enumerate(samples):
        for j, b in enumerate(samples[:i]):
            shared = overlaps(a.origins, a.size, b.origins, b.size) / math.sqrt(a.volume * b.volume)
            shared = shared - shared.mean(axis=0) - shared.mean(axis=1)[:, None] + shared.mean()
            found[i, j] = found[j, i] = np.sum(shared**2) / math.sqrt((a.count - 1) * (b.count - 1))
    return found + 1e-6 * np.eye(len(samples))  # two sizes that hardly differ


def _best_exponent(samples: list[Sample], level: np.ndarray, inverse: np.ndarray, belief: float) -> float:
    def misfit(exponent: float) -> float:
        return _level_fit(level - _shape(samples, exponent), inverse)[1] + ((exponent - 1.0) / belief) ** 2

    found: Any = optimize.minimize_scalar(misfit, bounds=_EXPONENTS, method="bounded")
    return float(found.x)


def _level_fit(rest: np.ndarray, inverse: np.ndarray) -> tuple[float, float]:
    """Return the constant nearest to some numbers with correlated errors, and χ² of what is left."""
    constant = float(np.sum(inverse @ rest) / np.sum(inverse))
    return constant, float((rest - constant) @ inverse @ (rest - constant))


def _shape(samples: list[Sample], exponent: float) -> np.ndarray:
    """Logarithm of the expected sample variance over C."""
    volume, whole, count = _volumes(samples)
    return np.log(volume**-exponent - whole**-exponent) + np.log(count / (count - 1))


def _slope(samples: list[Sample], exponent: float) -> np.ndarray:
    """Derivative of `_shape` by the exponent."""
    volume, whole, _ = _volumes(samples)
    small, large = volume**-exponent, whole**-exponent
    return -(small * np.log(volume) - large * np.log(whole)) / (small - large)


def _volumes(samples: list[Sample]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    volume = np.array([float(s.volume) for s in samples])
    count = np.array([float(s.available) for s in samples])
    return volume, count * volume, count
