"""Mutual information of two images at given places, with its exact derivative by the places."""

from copy import copy
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from scalebridge.core.slabs import in_slabs
from scalebridge.core.threads import cuts
from scalebridge.registration.similarity_kernels import (
    carry_back,
    fill_histogram,
    sample_plane,
    sample_volume,
)

_PIECES = 4  # fixed, so that sums are the same whatever the number of threads
_FLOOR = 1e-9  # of a probability, so that an empty bin has a slope


@dataclass(frozen=True)
class Matched:
    """What a similarity says at some places.

    Args:
        value: mutual information, nats, or its normalised form.
        forces: its derivative by the places, (n, axes), a sample of the moving image.
        overlap: weight that takes part, as a share of the fixed image's.
        weight: the weight itself, in samples of the fixed image.
        curvatures: weighted square of the derivative of log-likelihood by the moving value, (n,).
        slopes: of the moving image, (n, axes).
    """

    value: float
    forces: np.ndarray
    overlap: float
    weight: float
    curvatures: np.ndarray
    slopes: np.ndarray


class Similarity:
    """Mutual information between fixed values and a moving image sampled where a map puts them.

    MI = sum p log(p / (p_f p_m)) over the joint histogram p of Parzen windows (quadratic B-splines), each
    point weighted by the fixed weight times the moving mask where it lands; NMI = (H_f + H_m) / H.

    Args:
        fixed: values in 0..1, (n,).
        fixed_weights: of each, (n,).
        moving: image in 0..1, two or three axes.
        moving_mask: weights of its samples.
        bins: of each image, 8 or more.
        normalised: whether it is NMI.

    Cost: about 0.1 us a point in a plane, twice that with the derivative.
    Source: P. Viola and W. M. Wells 1997; F. Maes et al. 1997; C. Studholme et al. 1999; windows as in
        P. Thevenaz and M. Unser 2000.
    """

    def __init__(
        self,
        fixed: np.ndarray,
        fixed_weights: np.ndarray,
        moving: np.ndarray,
        moving_mask: np.ndarray,
        *,
        bins: int = 32,
        normalised: bool = False,
    ):
        self.bins, self.normalised = bins, normalised
        self.fixed = (1.0 + np.clip(fixed, 0.0, 1.0) * (bins - 3)).astype(np.float32)
        self.fixed_weights = fixed_weights.astype(np.float32)
        self.total = float(np.sum(self.fixed_weights, dtype=float))
        plane = moving.ndim == 2
        self.moving = (_coefficients(moving) if plane else np.asarray(moving)).astype(np.float32)
        self.mask = moving_mask.astype(np.float32)
        self._sample = sample_plane if plane else sample_volume
        self._make_room()

    def only(self, chosen: np.ndarray) -> "Similarity":
        """The same between chosen fixed samples alone and the moving image; (n,) of True and False."""
        part = copy(self)
        part.fixed, part.fixed_weights = self.fixed[chosen], self.fixed_weights[chosen]
        part.total = float(np.sum(part.fixed_weights, dtype=float))
        part._make_room()
        return part

    def _make_room(self) -> None:
        count, axes = len(self.fixed), self.moving.ndim
        self._values, self._weights, self._curved = (np.zeros(count, np.float32) for _ in range(3))
        self._slopes, self._weight_slopes = (np.zeros((count, axes), np.float32) for _ in range(2))
        self._forces = np.zeros((count, axes))

    def __call__(self, places: np.ndarray, slope: bool = True) -> Matched:
        """Compare at places in samples of the moving image, (n, axes)."""
        count = len(places)
        sampled = (self._values, self._weights, self._slopes, self._weight_slopes)
        pieces = min(_PIECES, len(cuts(count, _PIECES)))
        in_slabs(self._sample, count, places, self.moving, self.mask, *sampled, threads=pieces)
        histograms = np.zeros((pieces, self.bins, self.bins))
        known = (self.fixed, self.fixed_weights, self._values, self._weights)
        in_slabs(fill_histogram, count, *known, histograms, threads=pieces)
        value, by_bin, weight = joint_information(histograms.sum(axis=0), self.normalised)
        if slope:
            slopes = (self._slopes, self._weight_slopes, by_bin, self._forces, self._curved)
            in_slabs(carry_back, count, *known, *slopes, threads=pieces)
        share = weight / max(self.total, 1e-12)
        return Matched(value, self._forces, share, weight, self._curved, self._slopes)

    def joint(self, places: np.ndarray) -> np.ndarray:
        """The joint histogram at places, weights by bins of fixed and moving values."""
        self(places, slope=False)
        known = (self.fixed, self.fixed_weights, self._values, self._weights)
        histograms = np.zeros((_PIECES, self.bins, self.bins))
        in_slabs(fill_histogram, len(places), *known, histograms, threads=_PIECES)
        return histograms.sum(axis=0)

    def expectation(self, places: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Moving values at places, their weights, and what the fixed values let expect there, (n,) each."""
        expected = np.interp(self.fixed, np.arange(self.bins), self._means(places))
        return self._values.astype(float), (self.fixed_weights * self._weights).astype(float), expected

    def expected(self, places: np.ndarray, values: np.ndarray) -> np.ndarray:
        """The moving values that fixed values in 0..1 let expect, by the joint histogram at places."""
        bins = 1.0 + np.clip(values, 0.0, 1.0) * (self.bins - 3)
        return np.interp(bins, np.arange(self.bins), self._means(places))

    def own_information(self, places: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Log p(f, v) / p(f) p(v) of each pair of values at places, nats, and their weights, (n,) each."""
        p = self.joint(places)
        p = p / max(p.sum(), 1e-12)
        table = np.log((p + 1e-6) / (np.outer(p.sum(axis=1), p.sum(axis=0)) + 1e-6))
        second = np.round(1.0 + np.clip(self._values, 0, 1) * (self.bins - 3)).astype(int)
        own = table[np.round(self.fixed).astype(int), second]
        return own, (self.fixed_weights * self._weights).astype(float)

    def _means(self, places: np.ndarray) -> np.ndarray:
        histogram = self.joint(places)
        centres = (np.arange(self.bins) - 1.0) / (self.bins - 3.0)
        return histogram @ centres / np.maximum(histogram.sum(axis=1), 1e-9)


def _coefficients(image: np.ndarray) -> np.ndarray:
    return ndimage.spline_filter(np.asarray(image, dtype=float), 3, mode="mirror")


def joint_information(histogram: np.ndarray, normalised: bool) -> tuple[float, np.ndarray, float]:
    """Mutual information of a joint histogram, its derivative by the bins, and the sum of weights.

    Args:
        histogram: weights, (bins, bins).
        normalised: (H_f + H_m) / H in place of H_f + H_m - H.

    Example:
        >>> value, _, _ = joint_information(np.eye(4), False)
        >>> round(value, 6) == round(float(np.log(4)), 6)
        True
    """
    weight = float(histogram.sum())
    if weight <= 1e-9:
        return 0.0, np.zeros_like(histogram), 0.0
    p = histogram / weight
    entropy, slope = _entropy(p)
    (first, by_first), (second, by_second) = _entropy(p.sum(axis=1)), _entropy(p.sum(axis=0))
    apart, by_apart = first + second, by_first[:, None] + by_second[None, :]
    if normalised:
        value, by = apart / entropy, by_apart / entropy - apart / entropy**2 * slope
    else:
        value, by = apart - entropy, by_apart - slope
    return float(value), (by - np.sum(p * by)) / weight, weight


def _entropy(p: np.ndarray) -> tuple[float, np.ndarray]:
    """-sum p log(p + floor) and its derivative."""
    raised = np.log(p + _FLOOR)
    return float(-np.sum(p * raised)), -raised - p / (p + _FLOOR)
