"""Descriptors: channels that two images share whatever their contrast, computed from neighbourhoods.

A descriptor depends on directions, so that both images are described on one grid: the moving image is carried
there by the linear part of the map first.
"""

from collections.abc import Callable

import numpy as np
from scipy import ndimage

from scalebridge.registration.pyramid import Layer

_CORNERS = (((1, 0), (0, 1)), ((0, 1), (-1, 0)), ((-1, 0), (0, -1)), ((0, -1), (1, 0)))
_QUIET = 0.05  # of the mean variance or squared slope, below which contrast is noise


def self_similarity(layer: Layer, width: float = 1.0, reach: int = 1) -> np.ndarray:
    """How alike the neighbours of a sample are, in pairs around the corner.

    D_k = G * (I(x + a_k) - I(x + b_k))^2 over patches,  channel_k = exp(-(D_k - min D) / mean D)

    Args:
        layer: an image; samples without weight do not count in patches.
        width: of the Gaussian patch, samples.
        reach: distance of the neighbours, samples.

    Returns:
        four channels in 0..1, (4, nx, ny).

    Source: M. Heinrich et al. 2012 (MIND), 2013 (self-similarity context: neighbours with each other).

    Example:
        >>> from scalebridge.registration.frame import Frame
        >>> stripes = np.sin(np.arange(32.0))[:, None] + np.zeros(32)
        >>> ones, frame = np.ones((32, 32)), Frame((32, 32), (0.0, 0.0), (1.0, 1.0))
        >>> one, other = (self_similarity(Layer(v, ones, frame)) for v in (stripes, 1 - stripes))
        >>> one.shape, bool(np.abs(one - other).max() < 1e-5)
        ((4, 32, 32), True)
    """
    image, weights = layer.values.astype(np.float32), layer.weights.astype(np.float32)
    distances = []
    for first, second in _CORNERS:
        both = _moved(weights, first, reach) * _moved(weights, second, reach)
        off = (_moved(image, first, reach) - _moved(image, second, reach)) ** 2
        distances.append(_mean(off, both, width))
    stack = np.stack(distances)
    variance = stack.mean(axis=0)
    floor = _QUIET * float(np.sum(variance * weights) / max(float(weights.sum()), 1e-9)) + 1e-12
    return np.exp(-(stack - stack.min(axis=0)) / np.maximum(variance, floor)).astype(np.float32)


def gradient_directions(layer: Layer, width: float = 1.0) -> np.ndarray:
    """Direction of the slope without its sign, and less of it where the slope is noise.

    N = g g' / (|g|^2 + eta^2), g the slope, eta^2 its mean square: sum N_f : N_m = (n_f . n_m)^2 is the
    similarity of normalised gradient fields.

    Args:
        layer: an image.
        width: of the Gaussian that smooths first, samples.

    Returns:
        N_xx, N_yy and sqrt(2) N_xy, (3, nx, ny).

    Source: E. Haber and J. Modersitzki 2006.
    """
    smooth = _mean(layer.values.astype(np.float32), layer.weights.astype(np.float32), width)
    x, y = np.gradient(smooth)
    size = x * x + y * y
    eta = float(np.sum(size * layer.weights) / max(float(layer.weights.sum()), 1e-9)) + 1e-12
    return np.stack([x * x, y * y, np.sqrt(2.0) * x * y]).astype(np.float32) / (size + eta)


DESCRIPTORS: dict[str, Callable[[Layer], np.ndarray]] = {
    "mind": self_similarity,
    "gradients": gradient_directions,
}


def _moved(image: np.ndarray, step: tuple[int, int], reach: int) -> np.ndarray:
    """The image at x + reach * step, edges repeated."""
    rows, columns = (
        np.clip(np.arange(n) + reach * s, 0, n - 1) for n, s in zip(image.shape, step, strict=True)
    )
    return image[np.ix_(rows, columns)]


def _mean(values: np.ndarray, weights: np.ndarray, width: float) -> np.ndarray:
    """Weighted mean over a Gaussian patch; the plain one where there is no weight."""
    total = ndimage.gaussian_filter(weights, width, mode="nearest")
    heavy = ndimage.gaussian_filter(values * weights, width, mode="nearest")
    plain = ndimage.gaussian_filter(values, width, mode="nearest")
    return np.where(total > 1e-3, heavy / np.maximum(total, 1e-3), plain)
