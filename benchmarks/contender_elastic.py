"""This library: the elastic cell and its tangent, driven as the public verb drives them."""

import math
import os
from typing import Any

import jax.numpy as jnp
import numpy as np

from benchmarks.elastic import POISSON, lame_constants
from benchmarks.measure import Answer, compete
from scalebridge.cells.elasticity_host import HostElasticity, Solid
from scalebridge.core.threads import VARIABLE
from scalebridge.core.vectors import dot
from scalebridge.grids.elastic_hexahedra import isotropic_stiffness
from scalebridge.solvers.conjugate_gradients import ConjugateGradients
from scalebridge.upscaling.tangent import watched_tangent

RULES = {"hexahedra": "full", "b-bar": "b-bar", "reduced": "reduced"}


def prepare(job: dict[str, Any], labels: np.ndarray) -> HostElasticity:
    os.environ[VARIABLE] = str(job["threads"])
    tolerance = job["tolerance"]
    if job["stop"] == "residual":  # the peers' definition: nothing but ||r|| <= tolerance ||b||
        solver = ConjugateGradients(rtol=math.inf, residual_rtol=tolerance)
    else:  # the public verb's own: the tensor's estimated error, with the root of it as residual
        solver = ConjugateGradients(rtol=tolerance, residual_rtol=math.sqrt(tolerance))
    stiffness = isotropic_stiffness(*lame_constants(np.asarray(job["conductivities"]), POISSON))
    solid = Solid(stiffness, None, labels, RULES[job["scheme"]])  # type: ignore[arg-type]
    return HostElasticity(labels.shape, (1.0,) * 3, solid, solver)  # type: ignore[arg-type]


def solve(cell: HostElasticity) -> Answer:
    tangent = watched_tangent(cell)
    steps = [int(response.stats["steps"]) for response in tangent.responses if response is not None]
    return Answer(np.asarray(tangent.value), steps, all(code == 0 for code in tangent.codes))


if __name__ == "__main__":
    jnp.zeros(1).block_until_ready()  # idle back ends, of XLA and of Numba, belong to the memory's baseline
    dot(np.ones(1), np.ones(1))
    compete(prepare, solve, compiles=True)
