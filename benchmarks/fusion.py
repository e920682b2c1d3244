"""`python -m benchmarks.fusion`: a toy of sensors at two resolutions, beside peers, and how time grows.

64 x 64 pixels, 8 x 8 footprints, 50 dates, a random walk with exponential covariance within footprints. The
coarse sensor misses 20 % by cloud; four fine surveys miss 20 % of their pixels. Parameters are known. Peers
run on the same arrays: statsmodels (any pattern of gaps) in this interpreter, if it is installed; with
--cuthbert PYTHON cuthbert under the interpreter of an environment that has it.
Times are processor seconds of this process, so that a busy machine distorts them less.
"""

import argparse
import importlib
import importlib.util
import json
import subprocess
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks.table import markdown
from scalebridge.fusion.block_engine import BlockData, System, group_footprints, smooth
from scalebridge.fusion.fusion_blocks import sparse_rows

PIXELS, EDGE, DATES, SURVEYS = 64, 8, 50, (0, 16, 32, 48)
WANDER, COARSE, FINE = 0.1, 0.05, 0.1


class Toy(NamedTuple):
    """Truth (footprints, dates, pixels), what was seen (footprints, dates, rows), and the matrices."""

    truth: np.ndarray
    seen: np.ndarray
    observe: np.ndarray
    shape: np.ndarray


def make_toy(footprints: int, dates: int = DATES, clouds: float = 0.2, seed: int = 0) -> Toy:
    """Return a toy."""
    rng = np.random.default_rng(seed)
    at = np.stack(np.meshgrid(np.arange(EDGE), np.arange(EDGE), indexing="ij"), -1).reshape(-1, 2)
    shape = np.exp(-np.sqrt(((at[:, None] - at[None]) ** 2).sum(-1)) / 3.0)
    pixels = len(at)
    root = np.linalg.cholesky(shape)
    steps = rng.standard_normal((footprints, dates, pixels)) @ root.T
    steps[:, 1:] *= WANDER
    truth = np.cumsum(steps, axis=1)
    observe = np.vstack([np.full((1, pixels), 1.0 / pixels), np.eye(pixels)])
    seen = truth @ observe.T
    seen[..., 0] += COARSE * rng.standard_normal(seen.shape[:2])
    seen[..., 1:] += FINE * rng.standard_normal(truth.shape)
    seen[rng.random(seen.shape) < clouds] = np.nan
    seen[:, [t for t in range(dates) if t not in SURVEYS], 1:] = np.nan
    return Toy(truth, seen, observe, shape)


def ours(toy: Toy) -> tuple[np.ndarray, np.ndarray, float]:
    """Return mean, variance and log-likelihood by the block engine."""
    pixels, dates = toy.truth.shape[2], toy.truth.shape[1]
    ones = np.ones((1, pixels, 1))
    noise = np.array([COARSE**2, FINE**2])
    pattern = np.arange(pixels)[:, None]
    system = System(pattern, ones, ones, WANDER**2 * toy.shape[None], toy.shape, noise, np.zeros(0))
    groups = group_footprints(
        np.isfinite(toy.seen), np.ones(toy.seen.shape), np.zeros(len(toy.seen), dtype=int), alone=False
    )
    data = BlockData(
        toy.seen, np.zeros((dates, pixels + 1, 0)), np.array([0] + [1] * pixels), sparse_rows(toy.observe),
        sparse_rows(np.eye(pixels)), np.zeros((dates, pixels, 0)), np.array([-1] + [0] * (dates - 1)), groups,
    )  # fmt: skip
    found, log = smooth(data, [system], np.arange(dates))
    return found.mean, found.variance, log


def by_statsmodels(toy: Toy) -> tuple[np.ndarray, np.ndarray, float]:
    """Return the same by statsmodels, footprint by footprint."""
    models = importlib.import_module("statsmodels.tsa.statespace.mlemodel")
    pixels = toy.truth.shape[2]
    means, variances, total = [], [], 0.0
    for seen in toy.seen:
        model = models.MLEModel(seen, k_states=pixels, k_posdef=pixels)
        model.ssm["design"] = toy.observe
        model.ssm["obs_cov"] = np.diag([COARSE**2] + [FINE**2] * pixels)
        model.ssm["transition"] = model.ssm["selection"] = np.eye(pixels)
        model.ssm["state_cov"] = WANDER**2 * toy.shape
        model.ssm.initialize_known(np.zeros(pixels), toy.shape)
        told = model.ssm.smooth()
        means.append(told.smoothed_state.T)
        variances.append(np.diagonal(told.smoothed_state_cov.transpose(2, 0, 1), axis1=1, axis2=2))
        total += told.llf
    return np.array(means), np.array(variances), total


def by_cuthbert(python: str, toy: Toy) -> tuple[float, tuple[np.ndarray, np.ndarray, float]]:
    """Return the processor seconds of a second call, and the answer."""
    pixels = toy.truth.shape[2]
    with tempfile.TemporaryDirectory() as folder:
        given, found = Path(folder) / "toy.npz", Path(folder) / "found.npz"
        np.savez(
            given, seen=toy.seen, observe=toy.observe, start=toy.shape, innovation=WANDER**2 * toy.shape,
            noise=np.array([COARSE**2] + [FINE**2] * pixels),
        )  # fmt: skip
        program = Path(__file__).parent / "contender_cuthbert.py"
        done = subprocess.run(
            [python, str(program), str(given), str(found)], capture_output=True, text=True, check=True
        )
        with np.load(found) as held:
            answer = held["mean"], held["variance"], float(held["log"])
    return json.loads(done.stdout.splitlines()[-1])["seconds"], answer


def timed(method, toy: Toy, repeats: int) -> tuple[float, tuple[np.ndarray, np.ndarray, float]]:
    """Return the least processor time of some runs, and the answer."""
    best, answer = np.inf, None
    for _ in range(repeats):
        start = time.process_time()
        answer = method(toy)
        best = min(best, time.process_time() - start)
    return best, answer


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--footprints", type=int, nargs="*", default=[64, 256])
    parser.add_argument("--cuthbert", metavar="PYTHON", help="interpreter of an environment with cuthbert")
    asked = parser.parse_args()
    toy = make_toy((PIXELS // EDGE) ** 2)
    ours(make_toy(1))  # compiles
    methods = {"scalebridge": ours}
    if importlib.util.find_spec("statsmodels"):
        methods["statsmodels"] = by_statsmodels
    rows, reference = [], None
    runs = [(name, partial(timed, method, toy, asked.repeats)) for name, method in methods.items()]
    if asked.cuthbert:
        runs.append(("cuthbert", partial(by_cuthbert, asked.cuthbert, toy)))
    for name, run in runs:
        seconds, (mean, variance, log) = run()
        reference = reference or (mean, variance, log)
        inside = np.mean(np.abs(mean - toy.truth) < 1.96 * np.sqrt(variance))
        apart = max(np.abs(mean - reference[0]).max(), np.abs(variance - reference[1]).max())
        rows.append([name, f"{seconds:.2f}", f"{inside:.4f}", f"{apart:.1e}", f"{log:.6f}"])
    print(markdown(["program", "processor s", "inside 95 %", "differs by", "log-likelihood"], rows))
    grown = []
    for count in asked.footprints:
        seconds, _ = timed(ours, make_toy(count), 1)
        grown.append([str(count * EDGE**2), f"{seconds:.2f}", f"{1e6 * seconds / (count * EDGE**2):.0f}"])
    print(markdown(["pixels", "processor s", "µs a pixel, 50 dates"], grown))


if __name__ == "__main__":
    main()
