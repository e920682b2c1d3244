"""`python -m benchmarks.membrane`: two independent samplers on the membrane of Aristoff & Bangerth.

Of its 64 coefficients, one screens by a coarse grid (8 x 8 squares, with a learnt linear correction), the
other is HMC on the fine grid alone: other models, other kernels, other seeds. Printed are, of the logarithms
of the coefficients, the largest gap of means and the largest ratio of deviations, the gap also in what
the chains' own Monte-Carlo errors allow. With `--store FOLDER` a run that was stopped goes on where it was.
(SIAM Rev. 65 (2023) 1074 has 2 x 10^11 samples; its means are not part of this project.)
"""

import argparse
import csv
import time
from pathlib import Path

import numpy as np

from benchmarks.table import markdown
from scalebridge.inference.diagnostics import ess_mean, r_hat
from scalebridge.inference.forward import Level
from scalebridge.inference.laplace_problem import BLOCKS, NOISE, PRIOR_SPREAD, LaplaceModel
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
    given = {"data": measured(), "noise": NOISE, "chains": 2, "draws": draws, "checkpoint": 25}
    kept = None if store is None else store / which
    prior = {"theta": f"lognormal(1, {PRIOR_SPREAD:g}) * {BLOCKS**2}"}
    if which == "screened":
        found = sample(
            [Level(LaplaceModel(8), "8 x 8"), fine], prior, warmup=max(8, warmup // 4), scouting=2 * warmup,
            subchain=4, correction="linear", seed=1, store=kept, **given,
        )  # fmt: skip
    else:
        found = sample([fine], prior, warmup=warmup, seed=2, store=kept, **given)
    return np.log(found["theta"]), time.process_time() - began


def compared(one, other):
    """Return the largest gap of means and of log-deviations, in deviations and in their own errors."""
    rows = []
    for i in range(one.shape[2]):
        a, b = one[:, :, i], other[:, :, i]
        spread = np.sqrt(0.5 * (a.var() + b.var()))
        error = np.sqrt(a.var() / ess_mean(a) + b.var() / ess_mean(b))
        gap = abs(a.mean() - b.mean())
        rows.append((gap / spread, gap / error, abs(np.log(a.std() / b.std()))))
    return np.max(rows, axis=0)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--draws", type=int, default=2000, help="kept draws of each of two chains")
    parser.add_argument("--warmup", type=int, default=2000)
    parser.add_argument("--store", type=Path, help="folder of finished blocks")
    given = parser.parse_args()
    found, rows = {}, []
    for which in ("screened", "alone"):
        found[which], seconds = sampled(which, given.draws, given.warmup, given.store)
        columns = [found[which][:, :, i] for i in range(BLOCKS**2)]
        least, worst = min(map(ess_mean, columns)), max(map(r_hat, columns))
        rows.append([which, str(found[which].shape[1]), f"{least:.0f}", f"{worst:.3f}", f"{seconds:.0f}"])
        print(
            markdown(["sampler", "draws a chain", "worst ESS", "R-hat", "processor s"], rows[-1:]), flush=True
        )
    spreads, errors, ratio = compared(found["screened"], found["alone"])
    print(markdown(["sampler", "draws a chain", "worst ESS", "R-hat", "processor s"], rows))
    print(f"largest gap of means: {spreads:.3f} standard deviations, {errors:.2f} of its own errors")
    print(f"largest ratio of deviations: {np.exp(ratio):.3f}")


if __name__ == "__main__":
    main()
