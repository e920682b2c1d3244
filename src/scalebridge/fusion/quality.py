"""Noise from a quality band: a standard deviation for each of its values; others are not used."""

from collections.abc import Mapping
from typing import Any

import numpy as np


def quality_noise(quality: np.ndarray, levels: Mapping[int, float]) -> np.ndarray:
    """Return the standard deviation of the noise of every value, NaN where its quality is not named.

    Args:
        quality: whole numbers. Of a band of bits take those that matter first: (bits >> 6) & 3 are the two
            from the sixth on.
        levels: standard deviation by quality.

    Example:
        >>> quality_noise(np.array([[0, 1], [3, 0]]), {0: 0.01, 1: 0.03}).tolist()
        [[0.01, 0.03], [nan, 0.01]]
    """
    keys = np.array(sorted(levels))
    place = np.minimum(np.searchsorted(keys, quality), len(keys) - 1)
    return np.where(
        keys[place] == quality, np.array([float(levels[k]) for k in keys.tolist()])[place], np.nan
    )


def quality_fault(quality: Any, levels: Any, shapes: list[tuple[int, ...]]) -> tuple[str, str, str] | None:
    """Return what is wrong with a quality band or the noise by its values (got, wanted, cure); else None."""
    if not isinstance(levels, Mapping):
        return "a quality without noise by its values", "both", "write for example noise={0: 0.01, 1: 0.03}"
    if quality is None:
        return "noise by quality, and no quality", "both", "pass quality="
    for key, std in levels.items():
        whole = isinstance(key, int | np.integer) and not isinstance(key, bool)
        if not whole or not isinstance(std, int | float) or not np.isfinite(std) or std <= 0:
            return f"{key!r}: {std!r}", "whole numbers, and positive standard deviations", "correct it"
    array = quality if hasattr(quality, "shape") else np.asarray(quality)
    if not levels or array.dtype.kind not in "iu" or tuple(array.shape) not in shapes:
        got = f"{array.dtype} of shape {tuple(array.shape)}, {len(levels)} of its values"
        return got, f"whole numbers of shape {shapes[0]}, at least one", "give every value a quality"
    return None
