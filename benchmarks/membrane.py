"""`python -m benchmarks.membrane`: two independent samplers on the membrane of Aristoff & Bangerth.

Of its 64 coefficients, one screens by a coarse grid (HMC on 16 x 16 squares, with a learnt linear
correction; the fine model decides, without a gradient), the other is HMC on the fine grid alone: other
densities to move on, other kernels, other seeds. Both take the shape of proposals from the posterior's
curvature; without it neither mixes. Printed are, of the logarithms of the coefficients, the gaps of means in
posterior standard deviations and in their own Monte-Carlo errors, and the ratios of deviations. With
`--store FOLDER` a run that was stopped goes on where it was. (SIAM Rev. 65 (2023) 1074 has 2 x 10^11 samples;
its means are not part of this project.)
"""

import argparse
import csv
import time
from pathlib import Path

import numpy as np

from benchmarks.table import markdown
from scalebridge.inference.diagnostics import ess_mean, r_hat
from scalebridge.inference.forward import Level
from scalebridge.inference.laplace_problem import BLOCKS, NOISE, PRIOR, LaplaceModel
from scalebridge.inference.sampling import sample

ROOT = Path(__file__).resolve().parent.parent
DATA = ROOT / "tests" / "reference" / "aristoff_bangerth_zhat.csv"


def measured():
    """The 169 deflections."""
    with DATA.open() as stream:
        return np.array([float(row["z_hat"]) for row in csv.DictReader(stream)])


def sampled(which, draws, warmup, store):
    """Sample by one of the two, and return the logarithms (chains, draws, 64) and processor seconds."""
    began, fine = time.process_time(), LaplaceModel()
    prior = {"theta": PRIOR}
    given = {
        "data": measured(), "noise": NOISE, "chains": 2, "draws": draws, "checkpoint": 100,
        "whitening": "curvature", "store": None if store is None else store / which,
    }  # fmt: skip
    if which == "screened":
        found = sample(
            [Level(LaplaceModel(16), "16 x 16"), fine], prior, warmup=max(8, warmup // 4), scouting=warmup,
            subchain=3, correction="linear", seed=1, **given,
        )  # fmt: skip
    else:
        found = sample([fine], prior, warmup=warmup, seed=2, **given)
    return np.log(found["theta"]), time.process_time() - began


def compared(one, other):
    """Return the gap of means in deviations and in its own error, and the ratio of deviations, (64,) each."""
    rows = []
    for i in range(one.shape[2]):
        a, b = one[:, :, i], other[:, :, i]
        spread = np.sqrt(0.5 * (a.var() + b.var()))
        error = np.sqrt(a.var() / ess_mean(a) + b.var() / ess_mean(b))
        gap = abs(a.mean() - b.mean())
        rows.append((gap / spread, gap / error, a.std() / b.std()))
    return np.transpose(rows)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--draws", type=int, default=3000, help="kept draws of each of two chains")
    parser.add_argument("--warmup", type=int, default=1000)
    parser.add_argument("--store", type=Path, help="folder of finished blocks")
    given = parser.parse_args()
    found, rows = {}, []
    for which in ("screened", "alone"):
        found[which], seconds = sampled(which, given.draws, given.warmup, given.store)
        columns = [found[which][:, :, i] for i in range(BLOCKS**2)]
        sizes, worst = list(map(ess_mean, columns)), max(map(r_hat, columns))
        told = [f"{min(sizes):.0f}", f"{np.median(sizes):.0f}", f"{worst:.3f}", f"{seconds:.0f}"]
        rows.append([which, str(found[which].shape[1]), *told])
        print(which, told, flush=True)
    spreads, errors, ratios = compared(found["screened"], found["alone"])
    head = ["sampler", "draws a chain", "worst ESS", "median ESS", "R-hat", "processor s"]
    print(markdown(head, rows))
    print(f"gap of means: at most {spreads.max():.3f} deviations, {errors.max():.2f} of its own errors")
    print(f"mean square of the 64 gaps in their errors: {np.mean(errors**2):.2f} (1 expected)")
    print(f"ratio of deviations: {ratios.min():.3f} to {ratios.max():.3f}")


if __name__ == "__main__":
    main()
