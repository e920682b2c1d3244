"""`python -m benchmarks.scales`: how long choosing scales takes, and how often the true ones are found.

First 2,048 values in 11 wavelet scales, all criteria with the exact search and 100 resamples. Then values
of which
the truth is known: octaves 1 and 4 of six, of Fourier's, in noise, n from 128 to 4096, many replicates. For
each criterion the share of replicates in which exactly the true set is chosen, and the excess error of
prediction (mean
squared distance of the fit from the truth, in units of the noise's variance divided by n, so that the true
model has as many as it has coefficients).
"""

import argparse
import time

import numpy as np

from benchmarks.table import markdown
from scalebridge.inference.scale_bases import make_basis
from scalebridge.inference.scale_choices import make_choices, predictive_path
from scalebridge.inference.scale_criteria import CRITERIA, make_folds, validate
from scalebridge.inference.scale_search import search_subsets
from scalebridge.inference.select_scales import select_scales

MOST = 2 / 3
TRUE = (0, 3)


def timing() -> None:
    """Print how long one choice takes."""
    rng = np.random.default_rng(0)
    x = np.arange(2048) / 2048
    values = np.sin(6 * np.pi * x) + 0.5 * np.sign(np.sin(40 * np.pi * x))
    values += 0.5 * rng.standard_normal(2048)
    for _ in range(2):
        started, worked = time.perf_counter(), time.process_time()
        found = select_scales(values, "wavelet")
        seconds, work = time.perf_counter() - started, time.process_time() - worked
    said = f"{seconds:.2f} s, {work:.2f} processor s"
    print(f"2,048 values, {len(found.names)} wavelet scales, all subsets: {said}\n", flush=True)


def recovery(count: int, replicates: int) -> tuple[dict[str, float], dict[str, float]]:
    """Return for each criterion the share of true sets and the mean excess error."""
    basis = make_basis("fourier", count, None, levels=6)
    rng = np.random.default_rng(count)
    weights = np.zeros(len(basis.owner))
    for scale in TRUE:
        own = np.flatnonzero(basis.owner == scale)
        weights[own] = np.sqrt(count) * 0.5 / np.sqrt(len(own))
    signal, wanted = basis.columns @ weights, np.isin(np.arange(6), TRUE)
    hits, excess = dict.fromkeys(CRITERIA, 0), dict.fromkeys(CRITERIA, 0.0)
    for _ in range(replicates):
        values = signal + rng.standard_normal(count)
        subsets = search_subsets(basis, values)
        path = predictive_path(subsets, count, MOST)
        folds = make_folds(count, 10, 1, False, rng)
        validation = validate(basis, values, subsets.masks[path], folds)
        shown = type(subsets)(**{**vars(subsets), "path": path})
        for name, choice in make_choices(basis.names, shown, validation, count, MOST, 1.0).items():
            hits[name] += bool(np.all(choice.mask == wanted))
            columns = basis.chosen(choice.mask)
            fit = values.mean() + columns @ (columns.T @ values)
            excess[name] += float(np.sum((fit - signal) ** 2))
    share = {name: number / replicates for name, number in hits.items()}
    return share, {name: number / replicates for name, number in excess.items()}


def main() -> None:
    """Print both."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--replicates", type=int, default=500)
    parser.add_argument("--largest", type=int, default=4096)
    chosen = parser.parse_args()
    timing()
    counts = [n for n in (128, 256, 512, 1024, 2048, 4096) if n <= chosen.largest]
    rows = []
    for count in counts:
        share, excess = recovery(count, chosen.replicates)
        rows.append([str(count), *(f"{share[n]:.3f} ({excess[n]:.1f})" for n in CRITERIA)])
        print(f"n = {count}: " + ", ".join(f"{n} {share[n]:.3f}" for n in CRITERIA), flush=True)
    print(f"\nShare of the true set found (excess error), {chosen.replicates} replicates\n")
    print(markdown(["n", *CRITERIA], rows))


if __name__ == "__main__":
    main()
