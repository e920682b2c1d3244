"""Regions whose sources are linear: centroids and second moments, as the tracks have them.

    C = (1 / V) integral of (x - x_c) (x - x_c)^T,     slopes of the flux = C^-1 (moments of the flux)

Both are sums over segments, so that a linear source has exactly its mean in the discrete balance.

Source: R. M. Ferrer, J. D. Rhodes III (2016), Nucl. Sci. Eng. 182, 151, doi:10.13182/NSE15-6.
"""

from dataclasses import dataclass

import numpy as np

from scalebridge.core.errors import InputError
from scalebridge.reactor.lattice import Lattice
from scalebridge.reactor.tracks import Tracks

_FLAT = 1e-9  # of its longer axis: a region seen as a line has no slope across it


@dataclass(frozen=True, eq=False)
class LinearRegions:
    """Where segments lie in their regions, and how regions spread.

    Args:
        midpoints: (segments, 5) x and y from the region's centroid, length, cos, sin.
        inverse: (regions, 2, 2) of C, 1/cm^2.
    """

    midpoints: np.ndarray
    inverse: np.ndarray


def linear_regions(found: Lattice, tracks: Tracks) -> LinearRegions:
    """Return midpoints and second moments of a lattice.

    Args:
        found: the lattice.
        tracks: its tracks.

    Raises:
        InputError: tracks see a region as a line.
    """
    midpoints = np.empty((len(tracks.segment_region), 5))
    inverse = {}
    weight = tracks.segment_share * tracks.segment_length
    for kind in range(len(tracks.kinds)):
        part = slice(tracks.kind_start[kind], tracks.kind_start[kind + 1])
        of = (
            tracks.segment_region[part],
            weight[part],
            tracks.segment_length[part],
            tracks.segment_middle[part],
        )
        midpoints[part], inverse[kind] = _moments(*of)
    names = tracks.kind[::-1]
    return LinearRegions(midpoints, np.concatenate([inverse[k] for k in names.ravel()]))


def _moments(
    region: np.ndarray, weight: np.ndarray, far: np.ndarray, middle: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Midpoints from centroids, and inverse second moments, of one kind of cell."""
    place, way = middle[:, :2], middle[:, 2:]

    def mean(values: np.ndarray) -> np.ndarray:
        return np.bincount(region, weight * values) / np.bincount(region, weight)

    place = place - np.stack([mean(place[:, 0]), mean(place[:, 1])], axis=1)[region]
    spread = np.empty((region.max() + 1, 2, 2))
    for i, j in ((0, 0), (0, 1), (1, 0), (1, 1)):
        spread[:, i, j] = mean(place[:, i] * place[:, j] + way[:, i] * way[:, j] * far**2 / 12.0)
    least = np.linalg.eigvalsh(spread)
    if np.any(least[:, 0] <= _FLAT * least[:, 1]):
        raise InputError(
            "spacing",
            got="tracks that see a region as a line",
            wanted="tracks of several directions through every region",
            cure="pass a smaller spacing or more azimuths, or sources='flat'",
        )
    return np.column_stack([place, far, way]), np.linalg.inv(spread)
