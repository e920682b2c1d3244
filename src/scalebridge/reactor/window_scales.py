"""Scales of superhomogenization factors that were made in several parts of a core.

The factors of a part are known up to a number for each group, by which they may be multiplied and the coarse
flux divided. Where parts overlap they have factors for the same pins, whose mean ratio gives the numbers:

    s_A + log mu_A = s_B + log mu_B     at pins beside seams between what is taken of A and of B,

in least squares over all seams. Without them factors differ at seams by a step, to which the coarse flux
answers.
"""

import numpy as np


def matched_scales(owner: np.ndarray, factors: list[np.ndarray]) -> np.ndarray:
    """Return the factor of every part and group, (parts, G); ones where parts do not overlap.

    Args:
        owner: (ny, nx) number of the part that each pin is taken from.
        factors: of each part, (ny, nx, G) on the whole core, NaN outside of it.

    Example:
        >>> owner, log = np.array([[0, 0, 1, 1]]), np.array([[0.1, 0.2, 0.4, 0.3]])
        >>> parts = [np.exp(log)[..., None], 2.0 * np.exp(log)[..., None]]
        >>> scales = matched_scales(owner, parts)[:, 0]
        >>> round(float(scales[0] / scales[1]), 12)
        2.0
    """
    count, groups = len(factors), factors[0].shape[-1]
    rows, gaps = [], []
    for one, other in _seams(owner):
        for pins in (one, other):
            a, b = owner[one], owner[other]
            for pair in np.unique(np.stack([a, b], axis=1), axis=0):
                at = np.flatnonzero((a == pair[0]) & (b == pair[1]))
                here = tuple(axis[at] for axis in pins)
                gap = np.log(factors[pair[1]][here]) - np.log(factors[pair[0]][here])
                if np.all(np.isfinite(gap)):
                    row = np.zeros(count)
                    row[pair] = 1.0, -1.0
                    rows.append(row)
                    gaps.append(gap.mean(axis=0))
    if not rows:
        return np.ones((count, groups))
    return np.exp(np.linalg.lstsq(np.stack(rows), np.stack(gaps), rcond=None)[0])


def _seams(owner: np.ndarray) -> list[tuple[tuple[np.ndarray, ...], tuple[np.ndarray, ...]]]:
    """Places of neighbours that are taken from different parts: to the right, and below."""
    right, below = np.nonzero(owner[:, :-1] != owner[:, 1:]), np.nonzero(owner[:-1] != owner[1:])
    return [(right, (right[0], right[1] + 1)), (below, (below[0] + 1, below[1]))]
