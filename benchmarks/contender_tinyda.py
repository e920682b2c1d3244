"""tinyDA on the common elliptic inverse problem, in an environment of its own; prints JSON.

Called by `benchmarks.screened_sampling`: CONFIG ITERATIONS CHAINS SEED DATA.json, with this project's
sources on the path for the models (which need NumPy and SciPy only), so that both samplers ask the same ones.
"""

import contextlib
import io
import json
import sys
import time
import warnings
from pathlib import Path

warnings.filterwarnings("ignore")

import numpy as np  # noqa: E402 (warnings of the peer's own imports come first)
import scipy.stats as st  # noqa: E402
import tinyDA as tda  # noqa: E402, N813 (as its own pages call it)

from scalebridge.inference.elliptic_problem import EllipticModel  # noqa: E402

_CONFIGS = {
    "da8-10": ([8, 64], 10, False),
    "da8-10-error-model": ([8, 64], 10, True),
    "da8-50-error-model": ([8, 64], 50, True),
    "mlda8-16-64-error-model": ([8, 16, 64], [10, 5], True),
}


_EVERY = 20.0  # seconds between two lines of progress


class Counted:
    """A model that counts its calls and their time, and says on standard error how far it is.

    Args:
        cells: of the grid.
        total: calls at most, told in the lines; None for no lines.
    """

    def __init__(self, cells, total=None):
        self.model, self.calls, self.seconds = EllipticModel(cells), 0, 0.0
        self.total, self.told = total, time.monotonic()

    def __call__(self, theta):
        self.calls += 1
        if self.total is not None and time.monotonic() - self.told > _EVERY:
            self.told = time.monotonic()
            sys.__stderr__.write(f"tinyDA: {self.calls} of at most {self.total} fine evaluations\n")
            sys.__stderr__.flush()
        began = time.perf_counter()
        found = self.model(np.asarray(theta))
        self.seconds += time.perf_counter() - began
        return found


def main():
    name, iterations, chains, seed, file = sys.argv[1:]
    cells, subchain, adaptive = _CONFIGS[name]
    iterations, chains = int(iterations), int(chains)
    told = json.loads(Path(file).read_text())
    np.random.seed(int(seed))  # noqa: NPY002 (what the peer draws from)
    data, covariance = np.array(told["data"]), told["sigma"] ** 2 * np.eye(25)
    prior = st.multivariate_normal(np.zeros(10), np.eye(10))
    total = chains * (iterations + 1)
    models = {n: Counted(n, total if n == cells[-1] else None) for n in cells}
    posteriors = [
        tda.Posterior(
            prior,
            (tda.AdaptiveGaussianLogLike if adaptive and n != cells[-1] else tda.GaussianLogLike)(
                data, covariance
            ),
            models[n],
        )
        for n in cells
    ]
    proposal = tda.AdaptiveMetropolis(C0=0.01 * np.eye(10), t0=200, period=100)
    error_model = {"adaptive_error_model": "state-independent"} if adaptive else {}
    starts = [0.3 * np.random.randn(10) for _ in range(chains)]  # noqa: NPY002
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        found = tda.sample(
            posteriors,
            proposal,
            iterations=iterations,
            n_chains=chains,
            initial_parameters=starts,
            subchain_length=subchain,
            force_sequential=True,
            **error_model,
        )
    last = len(cells) - 1
    burnt = iterations // 5
    rows = [found.get(f"chain_fine_{c}", found.get(f"chain_l{last}_{c}")) for c in range(chains)]
    draws = np.array([[link.parameters for link in chain[burnt:]] for chain in rows])
    kept = draws.shape[1] / len(rows[0])
    work = {str(n): {"calls": m.calls, "seconds": m.seconds} for n, m in models.items()}
    sys.stdout.write(json.dumps({"draws": draws.tolist(), "kept": kept, "work": work}) + "\n")


if __name__ == "__main__":
    main()
