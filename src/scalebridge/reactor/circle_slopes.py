"""How areas of regions and lengths of segments move with the radii of pins.

A track at (x, y) along (c, s) meets a circle of radius r at the distance l from its start, and

    dl / dr = r / ((x + l c) c + (y + l s) s).

Circles between two of one material are of the mesh: inside a ring they keep their shares of its area, outside
the last ring they stay. Lengths are scaled so that areas are exact, and so are their slopes.
"""

import math
from itertools import pairwise

import numpy as np

from scalebridge.reactor.angular_quadrature import Azimuths
from scalebridge.reactor.cell_tracks import CellKind, segments_of_lines, strip
from scalebridge.reactor.lattice_cells import Cell, PinCell
from scalebridge.reactor.tracks import Tracks

_ON = 1e-9  # cm from a circle


def interfaces(cell: Cell) -> np.ndarray:
    """Return the circles of a cell at which its material changes, as numbers from 0.

    Example:
        >>> interfaces(PinCell((0.2, 0.4, 0.5), ("fuel", "fuel", "clad", "water"))).tolist()
        [1, 2]
    """
    if not isinstance(cell, PinCell):
        return np.zeros(0, int)
    return np.array([i for i, (a, b) in enumerate(pairwise(cell.materials)) if a != b], int)


def interface_names(cell: Cell) -> list[tuple[str, str, float]]:
    """Return the materials inside and outside of each interface, and its radius, cm."""
    if not isinstance(cell, PinCell):
        return []
    return [(cell.materials[i], cell.materials[i + 1], cell.radii[i]) for i in interfaces(cell).tolist()]


def circles_by_interfaces(cell: Cell) -> np.ndarray:
    """Return how every circle moves with the interfaces: d radius / d interface, (circles, interfaces)."""
    given = interfaces(cell)
    if not isinstance(cell, PinCell) or not len(given):
        return np.zeros((0, 0))
    square = np.array(cell.radii) ** 2
    slopes = np.zeros((len(square), len(given)))
    for j, outer in enumerate(given):
        inner = given[j - 1] if j else -1
        low = square[inner] if j else 0.0
        for i in range(inner + 1, outer + 1):
            share = (square[i] - low) / (square[outer] - low)
            slopes[i, j] = share * math.sqrt(square[outer] / square[i])
            if j:
                slopes[i, j - 1] = (1.0 - share) * math.sqrt(low / square[i])
    for j, i in enumerate(given):
        slopes[i] = 0.0
        slopes[i, j] = 1.0
    return slopes


def area_slopes(cell: Cell, count: int) -> np.ndarray:
    """Return how areas of regions move with circles: (regions, circles), cm; `count` regions."""
    if not isinstance(cell, PinCell):
        return np.zeros((count, 0))
    found = np.zeros((count, len(cell.radii)))
    for i, radius in enumerate(cell.radii):
        rim = 2.0 * math.pi * radius / cell.sectors
        found[i * cell.sectors : (i + 1) * cell.sectors, i] += rim
        found[(i + 1) * cell.sectors : (i + 2) * cell.sectors, i] -= rim
    return found


def length_slopes(tracks: Tracks) -> np.ndarray:
    """Return how the lengths of segments move with the circles of their cell: (segments, most circles)."""
    slopes = [_of_kind(kind, tracks.directions) for kind in tracks.kinds]
    most = max(s.shape[1] for s in slopes)
    return np.concatenate([np.pad(s, ((0, 0), (0, most - s.shape[1]))) for s in slopes])


def _of_kind(kind: CellKind, directions: Azimuths) -> np.ndarray:
    cell, areas = kind.cell, kind.areas
    radii = np.array(cell.radii) if isinstance(cell, PinCell) else np.zeros(0)
    regions, lengths, slopes, shares = [], [], [], []
    for a in range(len(directions.angle)):
        for turn in (0, 1):
            found = segments_of_lines(kind, directions, a, turn)
            regions.append(found.region)
            lengths.append(found.high - found.low)
            slopes.append(_meeting(found.high, found.ray, radii) - _meeting(found.low, found.ray, radii))
            shares.append(np.full(len(found.region), strip(directions, a)))
    region, far, slope, weight = map(np.concatenate, (regions, lengths, slopes, shares))
    seen = np.bincount(region, far * weight, len(areas))
    moved = np.zeros((len(areas), len(radii)))
    np.add.at(moved, region, slope * weight[:, None])
    # length = raw length times area over seen area, and all three move
    relative = area_slopes(cell, len(areas)) / areas[:, None] - moved / seen[:, None]
    return (slope + far[:, None] * relative[region]) * (areas / seen)[region, None]


def _meeting(distance: np.ndarray, ray: np.ndarray, radii: np.ndarray) -> np.ndarray:
    """How the places at which segments end move with the circles, if they end on one: (n, circles)."""
    x, y = ray[:, 0] + distance * ray[:, 2], ray[:, 1] + distance * ray[:, 3]
    along = x * ray[:, 2] + y * ray[:, 3]
    on = np.abs(np.hypot(x, y)[:, None] - radii) < _ON
    return np.where(on, radii / np.where(on, along[:, None], 1.0), 0.0)
