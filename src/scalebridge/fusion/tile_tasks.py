"""What is done with one tile: pure functions on plain inputs, for any worker.

What all footprints share is found in a first pass, from cross products that add up over tiles; with it, each
tile is smoothed on its own in a second one. Together they give the answer of the whole, to rounding.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from scalebridge.fusion.block_engine import smooth_given, summed_parts
from scalebridge.fusion.fusion_blocks import cut_blocks, field_of_blocks
from scalebridge.fusion.learning import systems_of
from scalebridge.fusion.problem_tables import problem_from
from scalebridge.fusion.shared_coefficients import Coefficients


def sum_tile(
    problem: Mapping[str, Any], block: tuple[int, int], values: dict[str, float], by_date: bool
) -> dict[str, Any]:
    """Return a tile's log-likelihood at zero coefficients, and cross products of its prediction errors.

    Args:
        problem: the tile, as `problem_tables` makes it.
        block: pixels of a footprint.
        values: all parameters.
        by_date: whether products are wanted by date (for a lag), or summed.
    """
    tile = problem_from(problem)
    layout, data = cut_blocks(tile, block)
    logs, products = summed_parts(data, systems_of(layout, values))
    return {"log": float(logs.sum()), "products": products if by_date else products.sum(axis=0)[None]}


def smooth_tile(
    problem: Mapping[str, Any],
    block: tuple[int, int],
    values: dict[str, float],
    shared: Mapping[str, np.ndarray],
    lag: int | None,
) -> dict[str, np.ndarray]:
    """Return mean and standard deviation of a tile's field, and how its observations agree with the others.

    Args:
        problem: the tile, as `problem_tables` makes it.
        block: pixels of a footprint.
        values: all parameters.
        shared: "mean" (1 or dates, coefficients) and "cov" of the coefficients of the whole.
        lag: see `block_engine.smooth`.

    Returns:
        "mean" and "std", (dates, rows, columns), or with bands second; "squares", (sensors, 2): sum of the
        squares of standardised differences, and how many there are.
    """
    tile = problem_from(problem)
    layout, data = cut_blocks(tile, block)
    known = [Coefficients(mean, cov) for mean, cov in zip(shared["mean"], shared["cov"], strict=True)]
    found = smooth_given(
        data, systems_of(layout, values), np.arange(len(tile.days)), known[-1], lag,
        known if lag is not None else None,
    )  # fmt: skip
    standard = found.residual / found.spread
    seen = [standard[:, :, data.sensor == number] for number in range(len(tile.observed))]
    squares = [[float(np.nansum(z**2)), float(np.isfinite(z).sum())] for z in seen]
    variance = np.maximum(field_of_blocks(found.variance, tile, block), 0.0)
    return {
        "mean": field_of_blocks(found.mean, tile, block) + tile.level,
        "std": np.sqrt(variance),
        "squares": np.array(squares),
    }
