"""Grey values and tissue of an image: what is background, what is stained, values brought into 0..1."""

from dataclasses import replace

import numpy as np
from scipy import ndimage

from scalebridge.grids.thresholds import otsu_threshold
from scalebridge.registration.pyramid import Layer, build_pyramid, carried, nearest_layer

_WHOLE = 0.9  # share of an image above which there is no background worth leaving out
_SPARSE = 0.02  # share of stained samples in a neighbourhood that is compared
_ENOUGH = 1_000_000  # samples that show what is stained
_LUMA = np.array([0.299, 0.587, 0.114])  # ITU-R BT.601


def grey_of(colours: np.ndarray) -> np.ndarray:
    """One number a sample: absorbance of colours on a bright ground, luma on a dark one, grey as it is.

    Absorbance -log(I / I0), I0 the ground's brightness, is proportional to the amount of stain (A. C. Ruifrok
    and D. A. Johnston 2001).

    Args:
        colours: samples, (nx, ny) or (nx, ny, 3 or 4); an alpha channel is left out.
    """
    if colours.ndim == 2:
        return np.asarray(colours, dtype=np.float32)
    luma = colours[..., :3].astype(np.float32) @ _LUMA.astype(np.float32)
    ground = border_value(luma)
    if ground <= 0.5 * float(luma.max()):
        return luma
    return -np.log(np.clip(luma, 0.01 * ground, None) / ground).astype(np.float32)


def border_value(values: np.ndarray) -> float:
    """Median along the image's edge: the background's value, if there is a background."""
    edges = [np.take(values, index, axis) for axis in range(values.ndim) for index in (0, -1)]
    return float(np.median(np.concatenate([edge.ravel() for edge in edges])))


def stretched(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Bring values into 0..1 between their 0.5 and 99.5 percentiles where there is weight."""
    step = max(1, int(np.sqrt(values.size / 400_000)))
    thin = (slice(None, None, step),) * values.ndim
    low, high = np.percentile(values[thin][weights[thin] > 0], [0.5, 99.5])
    return np.clip((values - low) / max(high - low, 1e-30), 0.0, 1.0).astype(np.float32)


def find_tissue(layer: Layer) -> np.ndarray:
    """Where an image at a coarse level differs from its border by more than half of Otsu's threshold.

    All of it, if that is nearly all, or nothing stands out.
    """
    off = np.abs(layer.values - border_value(layer.values))
    off = ndimage.gaussian_filter(off, 0.7) * (layer.weights > 0)
    if np.ptp(off) <= 0:
        return np.ones(off.shape, dtype=bool)
    found = off > 0.5 * otsu_threshold(off)
    found = ndimage.binary_opening(found, iterations=1)
    share = found.mean()
    return np.ones(off.shape, dtype=bool) if share > _WHOLE or share < 0.005 else found


def with_sparse(tissue: np.ndarray, layers: list[Layer]) -> np.ndarray:
    """Tissue, and what is only sparsely so: walls of lung, fat, fibres, which a coarse level shows as ground.

    Samples of a fine level differ from the ground by more than half of Otsu's threshold; a coarse sample
    counts where a fiftieth of them does.

    Args:
        tissue: found on the coarsest layer.
        layers: a pyramid, finest first.
    """
    fine = next((layer for layer in layers if layer.values.size <= _ENOUGH), layers[-1])
    off = np.abs(fine.values - border_value(fine.values)) * (fine.weights > 0)
    if np.ptp(off) <= 0:
        return tissue
    stained = replace(fine, values=(off > 0.5 * otsu_threshold(off)).astype(np.float32))
    coarse = layers[-1]
    share = nearest_layer(build_pyramid(stained, coarse.spacing), coarse.spacing)
    return tissue | (carried(share, coarse) > _SPARSE)


def around(tissue: np.ndarray, coarse: Layer, fine: Layer, margin: float) -> np.ndarray:
    """Samples of a finer layer within a margin (mm) of tissue found on a coarser one."""
    rounds = max(1, round(margin / coarse.spacing))
    grown = ndimage.binary_dilation(tissue, iterations=rounds).astype(np.float32)
    return carried(replace(coarse, values=grown), fine) > 0
