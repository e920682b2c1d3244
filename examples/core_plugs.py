"""From core plugs to a block: what independence costs, and what the correlation of neighbours gives back.

A made well of six cores whose heterogeneity is correlated over a metre, as plugs of real wells are.
Upscaled as if
plugs were independent, the 95 % intervals of the cores hold the truth far too seldom; with the correlation
they do. With --data a published table is upscaled in the same two ways (columns CORE_NO, DEPTH, CKHL in mD).

Run: python examples/core_plugs.py
"""

import argparse
from pathlib import Path

import numpy as np

import scalebridge as sb
from scalebridge.inference.hierarchy_result import MeasurementStudy
from scalebridge.inference.matern import matern_matrix

CORES, PLUGS, SPACING, LENGTH = 6, 50, 0.25, 1.0
ASKED = {"unit": "mD", "quantity": "permeability", "leave_out": False}


def made(seed: int) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Return the plugs of a well, and the true means of the logarithm in its cores."""
    rng = np.random.default_rng(seed)
    depth = np.arange(PLUGS) * SPACING
    root = np.linalg.cholesky(matern_matrix(depth, LENGTH, "exponential"))
    truth = 3.0 + rng.standard_normal(CORES)
    value = truth[:, None] + 1.5 * (root @ rng.standard_normal((PLUGS, CORES))).T
    value += 0.1 * rng.standard_normal((CORES, PLUGS))
    table = {
        "core": np.repeat(np.arange(CORES), PLUGS),
        "depth": np.tile(depth, CORES),
        "k": np.exp(value).ravel(),
    }
    return table, truth


def held(study: MeasurementStudy, truth: np.ndarray) -> int:
    """Return how many cores have the truth inside their interval."""
    known = np.exp(truth) * 9.869233e-16
    return sum(group.low <= k <= group.high for group, k in zip(study.groups, known, strict=True))


def main() -> None:
    """Print how often intervals hold the truth, or what a published table says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, help="published table of plugs")
    parser.add_argument("--wells", type=int, default=4)
    chosen = parser.parse_args()
    if chosen.data is not None:
        asked = {**ASKED, "value": "CKHL", "levels": "CORE_NO", "position": "DEPTH", "noise": "30 %"}
        for correlation in (None, "exponential"):
            print(sb.upscale_measurements(chosen.data, **asked, correlation=correlation))
        return
    asked = {**ASKED, "value": "k", "levels": "core", "position": "depth", "noise": "10 %"}
    counts = np.zeros(2, int)
    for seed in range(chosen.wells):
        table, truth = made(seed)
        priors = {"heterogeneity": 0.0}
        independent = sb.upscale_measurements(table, **asked)
        correlated = sb.upscale_measurements(table, **asked, correlation="exponential", priors=priors)
        counts += held(independent, truth), held(correlated, truth)
    total = chosen.wells * CORES
    print(f"of {total} intervals of 95 % the truth is in {counts[0]} without, {counts[1]} with correlation")
    np.testing.assert_array_less(0.83 * total, counts[1] + 1)  # 95 % less three deviations of 24
    np.testing.assert_array_less(counts[0], counts[1])


if __name__ == "__main__":
    main()
