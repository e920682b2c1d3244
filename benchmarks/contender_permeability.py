"""This library's permeability, through its public verb, all directions in one set-up."""

import os
from typing import Any

import numpy as np

from benchmarks.measure import Answer, compete
from scalebridge.cells.permeability import permeability
from scalebridge.core.threads import VARIABLE


def prepare(job: dict[str, Any], pores: np.ndarray) -> tuple[dict[str, Any], np.ndarray]:
    os.environ[VARIABLE] = str(job["threads"])
    return job, pores


def solve(ready: tuple[dict[str, Any], np.ndarray]) -> Answer:
    job, pores = ready
    found = permeability(pores, voxel="cubic", rtol=job["tolerance"], budget="none", throw=False)
    return Answer(found.value, found.stats["steps"], found.outcome == 0)


if __name__ == "__main__":
    compete(prepare, solve, compiles=True)
