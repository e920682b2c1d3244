"""`python -m benchmarks.hierarchy`: measurements upscaled, beside the No-U-Turn sampler of NumPyro.

Two sets of data: 50 cores x 200 plugs, made here; and a table of core plugs, if its file is given (columns as
in the published Volve well 15/9-19 A: CORE_NO, CKHL in mD). Both get the same priors and the same known
noise. The peer samples the full model, every core and every plug as it is (centred), by NUTS of NumPyro, two
chains of 1,000 after 500 unless less is asked for. Printed are posterior means and deviations, seconds
and processor seconds (which count on a busy machine), independent draws of the worst parameter (of the
quadrature all draws are independent), and draws a processor second.

Nothing here asserts a time.
"""

import argparse
import time
from pathlib import Path

import numpy as np

from benchmarks.table import markdown
from scalebridge.inference.diagnostics_of_chains import effective_size
from scalebridge.inference.upscale_measurements import upscale_measurements
from scalebridge.io.columns import read_columns

NOISE = 0.3
PRIORS = {"core": ("half-normal", 2.0), "heterogeneity": ("half-normal", 2.0)}
NAMES = ("mean", "core", "heterogeneity")


def made() -> dict[str, np.ndarray]:
    """Return 50 cores of 200 plugs each: spreads 1 between, 1.5 within, noise 0.3, of the logarithm."""
    rng = np.random.default_rng(3)
    core = np.repeat(np.arange(50), 200)
    middle = 4.0 + rng.standard_normal(50)
    value = middle[core] + 1.5 * rng.standard_normal(10_000) + NOISE * rng.standard_normal(10_000)
    return {"core": core, "k": np.exp(value)}


def plugs_of(path: Path) -> dict[str, np.ndarray]:
    """Return cores and permeabilities of a published table."""
    columns = read_columns(path)
    rows = [(int(c), float(k)) for c, k in zip(columns["CORE_NO"], columns["CKHL"], strict=True) if k]
    core, k = (np.array(column) for column in zip(*rows, strict=True))
    return {"core": core, "k": k}


def ours(table: dict[str, np.ndarray]) -> dict[str, object]:
    """Upscale twice and time the second, when kernels are compiled."""
    for _ in range(2):
        started, worked = time.perf_counter(), time.process_time()
        study = upscale_measurements(
            table, value="k", levels="core", noise=NOISE, priors={**PRIORS, "mean": (0.0, 10.0)},
            leave_out=False, draws=4000,
        )  # fmt: skip
        total, work = time.perf_counter() - started, time.process_time() - worked
    seconds = study.provenance.elapsed["posterior"]
    work *= seconds / total  # of the whole call, in proportion
    known = [study.posterior.known[name] for name in NAMES]
    return {"who": "scalebridge", "seconds": seconds, "work": work, "draws": 4000.0, "known": known}


def theirs(table: dict[str, np.ndarray], warmup: int, kept: int) -> dict[str, object]:
    """Sample the full centred model with NumPyro."""
    import jax  # noqa: PLC0415 (only where the peer runs)
    import numpyro  # noqa: PLC0415
    from numpyro import distributions as dist  # noqa: PLC0415
    from numpyro.infer import MCMC, NUTS  # noqa: PLC0415

    value, core = np.log(table["k"]), np.unique(table["core"], return_inverse=True)[1]

    def model() -> None:
        mean = numpyro.sample("mean", dist.Normal(0.0, 10.0))
        between = numpyro.sample("core", dist.HalfNormal(2.0))
        micro = numpyro.sample("heterogeneity", dist.HalfNormal(2.0))
        middle = numpyro.sample("m", dist.Normal(mean, between).expand([core.max() + 1]))
        plug = numpyro.sample("x", dist.Normal(middle[core], micro))
        numpyro.sample("y", dist.Normal(plug, NOISE), obs=value)

    started, worked = time.perf_counter(), time.process_time()
    chains = MCMC(
        NUTS(model, target_accept_prob=0.9), num_warmup=warmup, num_samples=kept, num_chains=2,
        chain_method="sequential", progress_bar=False,
    )  # fmt: skip
    chains.run(jax.random.PRNGKey(0))
    found = {name: np.asarray(v) for name, v in chains.get_samples(group_by_chain=True).items()}
    seconds, work = time.perf_counter() - started, time.process_time() - worked
    draws = min(effective_size(found[name]) for name in NAMES)
    known = [(float(found[name].mean()), float(found[name].std())) for name in NAMES]
    return {"who": "NumPyro, NUTS", "seconds": seconds, "work": work, "draws": draws, "known": known}


def main() -> None:
    """Print one table for each set of data."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, help="table of core plugs with CORE_NO and CKHL")
    parser.add_argument("--warmup", type=int, default=500, help="of each of the peer's two chains")
    parser.add_argument("--draws", type=int, default=1000, help="kept of each of the peer's two chains")
    parser.add_argument("--without-nuts", action="store_true", help="leave the peer out")
    chosen = parser.parse_args()
    tables = {"50 cores x 200 plugs": made()}
    if chosen.data is not None:
        tables = {chosen.data.name: plugs_of(chosen.data), **tables}
    for name, table in tables.items():
        rows = (
            [ours(table)]
            if chosen.without_nuts
            else [ours(table), theirs(table, chosen.warmup, chosen.draws)]
        )
        print(f"\n{name}, {len(table['k'])} measurements\n")
        head = ["", *NAMES, "s", "processor s", "independent draws", "draws/processor s"]
        cells = [
            [
                str(row["who"]),
                *(f"{mean:.4f} ± {std:.4f}" for mean, std in row["known"]),
                f"{row['seconds']:.3g}",
                f"{row['work']:.3g}",
                f"{row['draws']:.0f}",
                f"{row['draws'] / row['work']:.3g}",
            ]
            for row in rows
        ]
        print(markdown(head, cells), flush=True)


if __name__ == "__main__":
    main()
