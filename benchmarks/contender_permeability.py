"""This library's permeability, through its public verb, all directions in one set-up.

A job of which `faces` is "open" is solved between pressures on the two faces along each load, the others
joined periodically, as poromics has them: by the model behind the verb, which has periodic, mirrored and
sealed faces only.
"""

import os
from typing import Any

import numpy as np

from benchmarks.measure import Answer, compete
from scalebridge.cells.permeability import permeability
from scalebridge.cells.stokes import StokesCell, flow_tangent
from scalebridge.core.threads import VARIABLE
from scalebridge.grids.percolation import isolated
from scalebridge.grids.staggered import End, StaggeredSystem, assemble_staggered
from scalebridge.solvers.saddle_minres import Stop


def prepare(job: dict[str, Any], pores: np.ndarray) -> tuple[dict[str, Any], np.ndarray]:
    os.environ[VARIABLE] = str(job["threads"])
    return job, pores


def solve(ready: tuple[dict[str, Any], np.ndarray]) -> Answer:
    job, pores = ready
    if job.get("faces") == "open":
        return _between_faces(job, pores)
    found = permeability(pores, voxel="cubic", rtol=job["tolerance"], budget="none", throw=False)
    return Answer(found.value, found.stats["steps"], found.outcome == 0)


def _between_faces(job: dict[str, Any], pores: np.ndarray) -> Answer:
    flowing = pores & ~isolated(pores, periodic=False)

    def system(axis: int) -> StaggeredSystem:
        ends: tuple[End, ...] = tuple("open" if a == axis else "periodic" for a in range(3))
        return assemble_staggered(flowing, (1.0,) * 3, ends)

    model = StokesCell(3, system, Stop(job["tolerance"], 2000), shared=False)
    found = flow_tangent(model, job["axes"])
    steps = [int(r.stats["steps"]) for r in found.responses if r is not None]
    return Answer(np.asarray(found.value), steps, not np.any(found.codes))


if __name__ == "__main__":
    compete(prepare, solve, compiles=True)
