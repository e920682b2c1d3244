"""taufactor: successive over-relaxation with PyTorch in float32, one direction a solve.

Its MultiPhaseSolver is not periodic: it holds the potential on two planes one voxel before and behind the
sample, and lets nothing through the sides. Its answer is therefore that of another boundary-value problem and
is to be compared in time, not in digits. It stops when the fluxes through all layers agree to `tolerance` and
the tortuosity has settled to 0.002; a residual of 1e-6 is beyond float32, so it is run at its default
(1e-2) and at the closest that it reaches at low contrast (1e-4), for at most `seconds_limit` a direction.
"""

import contextlib
import io
import time
import warnings
from typing import Any

import numpy as np
import taufactor
import torch

from benchmarks.measure import Answer, compete

_SLICE = 500  # sweeps between two looks at the clock


def prepare(job: dict[str, Any], labels: np.ndarray) -> tuple[dict[str, Any], list[np.ndarray]]:
    torch.set_num_threads(job["threads"])
    phases = labels.astype(np.uint8) + 1  # its label 0 is reserved for what does not conduct
    return job, [np.ascontiguousarray(np.moveaxis(phases, axis, 0)) for axis in range(3)]


def solve(ready: tuple[dict[str, Any], list[np.ndarray]]) -> Answer:
    job, images = ready
    known = {label + 1: value for label, value in enumerate(job["conductivities"])}
    tensor, sweeps, converged, setup = np.full((3, 3), np.nan), [], True, 0.0
    for axis, image in enumerate(images):
        start = time.perf_counter()
        solver = taufactor.MultiPhaseSolver(image, cond=known, device="cpu")
        setup += time.perf_counter() - start
        _run(solver, job["tolerance"], job["seconds_limit"])
        tensor[axis, axis] = float(np.ravel(solver.D_eff)[0])
        sweeps.append(solver.iter)
        converged = converged and bool(solver.converged)
    return Answer(tensor, sweeps, converged, setup)


def _run(solver: Any, tolerance: float, seconds: float) -> None:
    deadline = time.perf_counter() + seconds
    with contextlib.redirect_stdout(io.StringIO()):  # it warns at the end of every slice
        while not solver.converged and time.perf_counter() < deadline:
            solver.solve(iter_limit=solver.iter + _SLICE, verbose=False, conv_crit=tolerance)


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    compete(prepare, solve)
