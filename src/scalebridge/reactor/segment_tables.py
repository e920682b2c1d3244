"""What a sweep needs of every segment of every kind of cell and materials, computed once.

    drop = 1 - exp(-t),     t = total length / sin,

and, for linear sources, H and K of `linear_kernels`, by their series where t is small.
"""

from dataclasses import dataclass

import numpy as np

from scalebridge.core.lanes import lanes_of
from scalebridge.reactor.lattice import Lattice
from scalebridge.reactor.tracks import Tracks

_THIN = 0.03  # optical length below which five terms of the series are exact to 1e-12 of their sum


@dataclass(frozen=True, eq=False)
class SegmentTables:
    """Tables by segment of a kind of cell and materials.

    Args:
        drops: (n P G,) 1 - exp(-t), groups padded.
        bends: (2 n P G,) H and K, in turn by lanes; two zeros where sources are flat.
        rows: (ny, nx) row of the first segment of each cell, less its kind's first segment.
    """

    drops: np.ndarray
    bends: np.ndarray
    rows: np.ndarray


def segment_tables(
    found: Lattice, tracks: Tracks, total: np.ndarray, sines: np.ndarray, wide: int, linear: bool
) -> SegmentTables:
    """Return the tables of a lattice.

    Args:
        found: the lattice.
        tracks: its tracks.
        total: (materials, G) 1/cm.
        sines: (P,).
        wide: groups, padded.
        linear: whether sources are.
    """
    index = {name: i for i, name in enumerate(found.materials)}
    drops, bends, starts, at = [], [], {}, 0
    kinds = tracks.kind[::-1]
    rows = np.zeros(found.shape, np.int64)
    for (row, column), kind in np.ndenumerate(kinds):
        name = found.rows[row][column]
        low, high = tracks.kind_start[kind], tracks.kind_start[kind + 1]
        if (name, kind) not in starts:
            owners = np.array([index[m] for m in found.cells[name].region_materials])
            depth = np.zeros((high - low, len(sines), wide))
            matter = total[owners[tracks.segment_region[low:high]]] * tracks.segment_length[low:high, None]
            depth[:, :, : total.shape[1]] = matter[:, None, :] / sines[:, None]
            drops.append(-np.expm1(-depth).ravel())
            if linear:
                bends.append(_in_turn(*bends_of(depth), wide))
            starts[name, kind] = at - low
            at += high - low
        rows[row, column] = starts[name, kind]
    both = np.concatenate(bends) if linear else np.zeros(2)
    return SegmentTables(np.concatenate(drops), both, np.ascontiguousarray(rows[::-1]))


def bends_of(depth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return H = 1 - (1/2 + 1/t) (1 - exp(-t)) and K = H (1/2 + 1/t) of optical lengths t.

    Example:
        >>> h, k = bends_of(np.array([0.0, 1e-4, 50.0]))
        >>> print((h[1] * 12e8).round(5), (k[1] * 12e4).round(5), h[2].round(6), k[2].round(6))
        0.99995 1.0 0.48 0.2496
    """
    safe = np.where(depth > 0, depth, 1.0)
    sloped = 0.5 + 1.0 / safe
    exact = 1.0 + sloped * np.expm1(-safe)
    by_depth = depth * (1 / 12 + depth * (-1 / 24 + depth * (1 / 80 + depth * (-1 / 360 + depth / 2016))))
    thin = depth < _THIN
    bend = np.where(thin, depth * by_depth, exact)
    return bend, np.where(thin, by_depth + 0.5 * bend, bend * sloped)


def _in_turn(first: np.ndarray, second: np.ndarray, wide: int) -> np.ndarray:
    lanes = len(lanes_of(wide))
    return np.stack([first.reshape(-1, lanes), second.reshape(-1, lanes)], axis=1).ravel()
