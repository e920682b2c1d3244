"""peclet-flow: cut cells on a staggered grid, marched in time until the mean velocity stands still.

Its wheel runs on the threads of OpenMP. Walls are given to it as a signed distance, here the exact one of the
voxels' faces (a distance transform of either side, less half a voxel), so that on walls along the grid it
solves the same problem as this library; on a staircase of voxels its walls run between the steps, and the two
answers differ by that. It is stopped by its own `march_to_steady` on the mean velocity to `tolerance`.
One direction a run: nothing of the set-up is kept.
"""

import math
import time
from typing import Any

import numpy as np
from peclet import flow
from scipy.ndimage import distance_transform_edt

from benchmarks.measure import Answer, compete

_VISCOSITY, _FORCE, _STEP = 0.1, 1e-3, 60.0  # its units; the answer does not depend on them
_MARGIN = 8  # voxels by which the image is continued for the distance


def prepare(job: dict[str, Any], pores: np.ndarray) -> tuple[dict[str, Any], np.ndarray]:
    wrapped = np.pad(~pores, _MARGIN, mode="wrap")
    distance = distance_transform_edt(~wrapped) - distance_transform_edt(wrapped)
    distance -= 0.5 * np.sign(distance)  # from the centres of voxels to their faces
    inner = tuple(slice(_MARGIN, -_MARGIN) for _ in range(3))
    return job, np.asfortranarray(distance[inner])


def solve(ready: tuple[dict[str, Any], np.ndarray]) -> Answer:
    job, distance = ready
    tensor, steps, done, setup = np.full((3, 3), np.nan), [], True, 0.0
    for axis in job["axes"]:
        start = time.perf_counter()
        solver = _solver(distance, axis)
        setup += time.perf_counter() - start
        result = flow.march_to_steady(solver, _monitor(solver, axis), rtol=job["tolerance"])
        for row, read in enumerate((solver.get_u, solver.get_v, solver.get_w)):
            tensor[row, axis] = float(np.asarray(read()).mean()) * _VISCOSITY / _FORCE
        steps.append(int(result.steps))
        done = done and result.reason in ("certified", "converged", "steady")
    return Answer(tensor, steps, done, setup)


def _solver(distance: np.ndarray, axis: int) -> Any:
    levels = max(2, int(math.log2(min(distance.shape))) - 1)
    solver = flow.Solver(*distance.shape)
    solver.set_rho(1.0)
    solver.set_mu(_VISCOSITY)
    solver.set_dt(_STEP)
    solver.set_body_force([_FORCE * (d == axis) for d in range(3)])
    solver.set_advection(False)
    solver.set_velocity_multigrid(True, levels=levels)
    solver.set_pressure_multigrid(True, levels=levels)
    solver.set_pressure_pcg(True, max_iter=200, rtol=1e-8)
    solver.set_solid(distance, cutcell_pressure=True)
    return solver


def _monitor(solver: Any, axis: int) -> Any:
    read = (solver.get_u, solver.get_v, solver.get_w)[axis]
    return lambda: float(np.asarray(read()).mean())


if __name__ == "__main__":
    compete(prepare, solve)
