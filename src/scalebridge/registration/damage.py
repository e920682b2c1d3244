"""Damage: tissue that fits nothing where the map puts it is left out by weight."""

from dataclasses import replace

import numpy as np
from scipy import ndimage

from scalebridge.registration.difference import DescriptorPairing
from scalebridge.registration.matching import Pairing
from scalebridge.registration.pyramid import Layer, carried
from scalebridge.registration.spatial_map import SpatialMap

_RADIUS = 0.012  # of the size of tissue, over which evidence is gathered
_LIMIT = -0.2  # nats a sample: worse than by chance
_MOST = 0.35  # share of samples; beyond that the map is wrong, not the tissue


def without_damage(
    pairing: Pairing | DescriptorPairing, found: SpatialMap, fixed: list[Layer], size: float
) -> tuple[list[Layer], float]:
    """Lower the weights of fixed samples that, with their neighbours, do not fit where they are mapped.

    Each sample's own part of the similarity that is maximised, log p(f, v) / p(f) p(v) or that of its
    descriptors' difference, is averaged over its surroundings; where the average is negative what meets there
    is rarer than by chance.

    Returns:
        the layers with new weights, and the share left out.
    """
    frame = pairing.fixed.frame
    own, weights = pairing.evidence(found(pairing.points))
    width = [_RADIUS * size / h for h in frame.spacing]
    dense = np.zeros((2, int(np.prod(frame.shape))))
    dense[0, pairing.kept], dense[1, pairing.kept] = own * weights, weights
    total, weight = (ndimage.gaussian_filter(part.reshape(frame.shape), width) for part in dense)
    mean = total / np.maximum(weight, 1e-6)
    bad = (mean < _LIMIT) & (weight > 1e-3)
    bad = ndimage.binary_dilation(bad, iterations=max(1, round(0.5 * width[0])))
    share = float(bad.ravel()[pairing.kept].mean())
    if share > _MOST or share == 0.0:
        return fixed, 0.0
    layer = Layer(bad.astype(np.float32), np.ones(bad.shape, np.float32), frame)
    return [replace(q, weights=q.weights * (1.0 - carried(layer, q))) for q in fixed], share
