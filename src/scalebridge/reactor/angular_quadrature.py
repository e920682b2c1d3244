"""Directions of a two-dimensional sweep: azimuths that close on the lattice's cells, and polar sets."""

import math
from dataclasses import dataclass

import numpy as np

from scalebridge.core.errors import InputError

# Sines and weights that integrate the Bickley function of order three with the least error:
# A. Yamamoto et al. (2007), J. Nucl. Sci. Technol. 44, 129, doi:10.1080/18811248.2007.9711266, table 1.
_TABUCHI_YAMAMOTO = {
    1: ((0.798184,), (1.0,)),
    2: ((0.363900, 0.899900), (0.212854, 0.787146)),
    3: ((0.166648, 0.537707, 0.932954), (0.046233, 0.283619, 0.670148)),
}


@dataclass(frozen=True, eq=False)
class Azimuths:
    """Azimuths of the first quadrant, mirrored into the others; tracks close on a cell of given size.

    Args:
        across: (A,) tracks that enter through the bottom of a cell.
        along: (A,) tracks that enter through its side.
        angle: (A,) rad.
        weight: (A,) part of all directions in the plane that each of the four mirrored ones stands for.
        spacing: (A,) cm between neighbours.
    """

    across: np.ndarray
    along: np.ndarray
    angle: np.ndarray
    weight: np.ndarray
    spacing: np.ndarray


def polar_set(kind: str, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return sines and weights of polar directions of a hemisphere; weights sum to one.

    Args:
        kind: "tabuchi-yamamoto" (1 to 3, the best for isotropic scattering) or "gauss" (any number).
        count: of directions.

    Raises:
        InputError: there is no such set.

    Example:
        >>> sines, weights = polar_set("gauss", 4)
        >>> round(float(weights @ sines**2), 12)  # the mean of sin^2 over the sphere
        0.666666666667
    """
    if kind == "tabuchi-yamamoto" and count in _TABUCHI_YAMAMOTO:
        sines, weights = map(np.array, _TABUCHI_YAMAMOTO[count])
        return sines, weights / weights.sum()
    if kind == "gauss" and 1 <= count <= 32:
        nodes, weights = np.polynomial.legendre.leggauss(count)
        return np.sqrt(1.0 - (0.5 * (nodes + 1.0)) ** 2), 0.5 * weights
    raise InputError(
        "polar",
        got=f"{kind!r} with {count} directions",
        wanted="'tabuchi-yamamoto' with 1 to 3, or 'gauss' with 1 to 32",
        cure="pass polar='tabuchi-yamamoto', polar_count=3",
    )


def azimuths(count: int, spacing: float, width: float, height: float) -> Azimuths:
    """Return azimuths near equal steps whose tracks run on from cell to cell without a jump.

    Args:
        count: directions in half a turn, even.
        spacing: cm, wanted; kept or undercut.
        width: cm, of a cell.
        height: cm, of a cell.

    Raises:
        InputError: an odd or too small count, or a spacing larger than a cell.
    """
    if count % 2 or count < 2:
        raise InputError("azimuths", got=str(count), wanted="an even number of at least 2", cure="pass 32")
    if not 0 < spacing <= 0.5 * min(width, height):
        raise InputError(
            "spacing",
            got=f"{spacing:.6g} cm for cells of {width:.6g} by {height:.6g} cm",
            wanted="at least two tracks across a pin",
            cure="pass spacing='0.05 cm'",
        )
    wanted = (np.arange(count // 2) + 0.5) * math.pi / count
    across = np.ceil(width * np.sin(wanted) / spacing - 1e-9).astype(int)
    along = np.ceil(height * np.cos(wanted) / spacing - 1e-9).astype(int)
    angle = np.arctan2(height * across, width * along)
    middles = 0.5 * (angle[1:] + angle[:-1])
    weight = np.diff(np.concatenate([[0.0], middles, [0.5 * math.pi]])) / (2.0 * math.pi)
    return Azimuths(across, along, angle, weight, width / across * np.sin(angle))
