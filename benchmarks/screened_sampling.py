"""`python -m benchmarks.screened_sampling`: what an effective sample of a posterior costs, beside tinyDA.

The common elliptic inverse problem (fine 64 x 64, coarse 8 x 8 and 16 x 16, four chains). Both samplers are
asked for the same posterior with the same models; all are measured with the same bulk effective sample size,
of the worst parameter. "Fine units" are the work of all levels in fine evaluations: calls times the time of
a call, as it was measured in one quiet loop before (a gradient counts with its own time), so that what else
the machine does falls out. Work is told without and with everything before the kept draws.
"""

import argparse
import json
import os
import subprocess
import time
from pathlib import Path

import jax
import numpy as np

from benchmarks.environments import PeerMissing, python_of
from benchmarks.table import markdown
from scalebridge.inference.diagnostics import ess_bulk, r_hat
from scalebridge.inference.elliptic_problem import EllipticModel
from scalebridge.inference.elliptic_traced import elliptic_model
from scalebridge.inference.forward import Level
from scalebridge.inference.sampling import sample

ROOT = Path(__file__).resolve().parent.parent
DATA = ROOT / "tests" / "reference" / "elliptic_inverse_problem.json"
OURS = {
    "8, 64; HMC, quadratic correction": ((8, 64), {"subchain": 8}),
    "8, 64; adaptive Metropolis, quadratic": ((8, 64), {"proposal": "adaptive-metropolis", "subchain": 100}),
    "8, 64; HMC, constant (error model)": ((8, 64), {"subchain": 8, "correction": "constant"}),
    "8, 16, 64; HMC, quadratic": ((8, 16, 64), {"subchain": [8, 1]}),
}
PEERS = ("da8-50-error-model", "mlda8-16-64-error-model", "da8-10-error-model")
_TIMED = 30


def seconds_of(call, *given):
    """Median time of a call, s."""
    call(*given)
    found = []
    for _ in range(_TIMED):
        began = time.perf_counter()
        jax.block_until_ready(call(*given))
        found.append(time.perf_counter() - began)
    return float(np.median(found))


def call_times(theta):
    """Seconds of a call and of a gradient by grid: sparse, and compiled for the coarse ones."""
    sparse = {n: seconds_of(EllipticModel(n), theta) for n in (8, 16, 64)}
    traced, slopes = {}, {}
    for n in (8, 16):
        model = elliptic_model(n)
        traced[n] = seconds_of(jax.jit(model), theta)
        slopes[n] = seconds_of(jax.jit(jax.grad(lambda x, f=model: f(x) @ f(x))), theta)
    return sparse, traced, slopes


def our_row(name, draws, seed, told, times):
    """Sample with this library, and return what it cost."""
    cells, options = OURS[name]
    sparse, traced, slopes = times
    levels = [Level(elliptic_model(n), f"{n} x {n}") for n in cells[:-1]] + [EllipticModel(cells[-1])]
    began = time.perf_counter()
    found = sample(
        levels,
        {"theta": "normal(0, 1) * 10"},
        data=told["data"],
        noise=told["sigma"],
        draws=draws,
        seed=seed,
        progress=False,
        **options,
    )
    wall = time.perf_counter() - began
    fine = found.work[-1]
    kept = fine.evaluations * sparse[64]
    before = fine.warmup * sparse[64]
    for n, work in zip(cells[:-1], found.work, strict=False):
        kept += work.evaluations * traced[n] + work.gradients * slopes[n]
        before += work.warmup * (slopes[n] if found.provenance.settings["proposal"] == "hmc" else traced[n])
    return row_of(
        f"scalebridge {name}", found.values, fine.evaluations, fine.warmup, (kept, before), sparse[64], wall
    )


def peer_row(name, iterations, chains, seed, python, times):
    """Sample with tinyDA in its own environment, and return what it cost."""
    sparse = times[0]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "OPENBLAS_NUM_THREADS": "1"}
    script = ROOT / "benchmarks" / "contender_tinyda.py"
    command = [python, str(script), name, str(iterations), str(chains), str(seed), str(DATA)]
    began = time.perf_counter()
    # Its lines of progress go to this program's own standard error.
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, env=environment, check=True)
    wall = time.perf_counter() - began
    found = json.loads(done.stdout.splitlines()[-1])
    total = sum(one["calls"] * sparse[int(n)] for n, one in found["work"].items())
    calls, share = found["work"]["64"]["calls"], found["kept"]
    return row_of(
        f"tinyDA {name}",
        np.array(found["draws"]),
        round(calls * share),
        round(calls * (1 - share)),
        (total * share, total * (1 - share)),
        sparse[64],
        wall,
    )


def row_of(name, draws, kept, before, cost, unit, wall):
    """Turn draws and work into a row."""
    columns = [draws[:, :, i] for i in range(draws.shape[2])]
    least = min(map(ess_bulk, columns))
    return {
        "sampler": name,
        "draws": draws.shape[0] * draws.shape[1],
        "worst ESS": least,
        "R-hat": max(map(r_hat, columns)),
        "fine/ESS": kept / least,
        "with warm-up": (kept + before) / least,
        "units/ESS": cost[0] / unit / least,
        "units with warm-up": sum(cost) / unit / least,
        "wall, s": wall,
        "mean": draws.mean(axis=(0, 1)).tolist(),
        "std": draws.std(axis=(0, 1)).tolist(),
    }


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--draws", type=int, default=1000, help="kept draws of each of our four chains")
    parser.add_argument(
        "--iterations", type=int, default=1500, help="iterations of each of tinyDA's four chains"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--ours", nargs="*", type=int, default=list(range(len(OURS))), help="which of our rows"
    )
    parser.add_argument("--peers", nargs="*", default=list(PEERS), help="which rows of tinyDA")
    parser.add_argument("--peer-python", help="interpreter of an environment with tinyDA; made unless given")
    parser.add_argument("--out", type=Path, default=ROOT / "out" / "bench" / "screened_sampling.json")
    given = parser.parse_args()
    told = json.loads(DATA.read_text())
    times = call_times(np.array(told["theta_true"]))
    print(
        "ms a call:",
        {
            k: {n: round(1e3 * t, 3) for n, t in v.items()}
            for k, v in zip(("sparse", "compiled", "gradient"), times, strict=True)
        },
    )
    rows = []
    for row in given.ours:
        rows.append(our_row(list(OURS)[row], given.draws, given.seed, told, times))
        show(rows[-1:])
    try:
        python = (given.peer_python or python_of("tinyDA")) if given.peers else ""
        for name in given.peers:
            rows.append(peer_row(name, given.iterations, 4, given.seed, python, times))
            show(rows[-1:])
    except PeerMissing as error:
        print(error)
    show(rows)
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_text(json.dumps({"times": times, "rows": rows}, indent=1))


def show(rows):
    """Print a table."""
    head = [key for key in rows[0] if key not in ("mean", "std")]
    body = [
        [f"{row[key]:.3g}" if isinstance(row[key], float) else str(row[key]) for key in head] for row in rows
    ]
    print(markdown(head, body), flush=True)
    for row in rows:
        print(
            row["sampler"],
            "mean",
            np.round(row["mean"], 3).tolist(),
            "std",
            np.round(row["std"], 3).tolist(),
            flush=True,
        )


if __name__ == "__main__":
    main()
