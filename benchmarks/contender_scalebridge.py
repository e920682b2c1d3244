"""This library: the conduction cell and its tangent, driven as the public verb drives them."""

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.measure import Answer, compete
from scalebridge.cells.conduction import ConductionCell, reference_for
from scalebridge.core import precision as _precision  # noqa: F401
from scalebridge.grids.coefficients import PhaseCoefficients, as_tensors
from scalebridge.grids.finite_volumes import FiniteVolumes
from scalebridge.grids.hexahedra import Hexahedra
from scalebridge.solvers.conjugate_gradients import ConjugateGradients
from scalebridge.upscaling.tangent import watched_tangent

SCHEMES = {"hexahedra": Hexahedra, "finite-volume": FiniteVolumes}


def cell_of(scheme: str, labels: np.ndarray, conductivities: list[float], solver: Any) -> ConductionCell:
    """Return the cell of labels 0, 1, ... with one isotropic conductivity each."""
    table = jnp.asarray(conductivities)
    coefficients = PhaseCoefficients(table, jnp.asarray(labels))
    reference, floor = reference_for(as_tensors(table, labels.ndim), coefficients.mean(labels.ndim))
    discretisation = SCHEMES[scheme](labels.shape, (1.0,) * labels.ndim)
    return ConductionCell(discretisation, coefficients, reference, floor, solver)


def prepare(job: dict[str, Any], labels: np.ndarray) -> ConductionCell:
    tolerance = job["tolerance"]
    if job["stop"] == "residual":  # the peers' definition: nothing but ||r|| <= tolerance ||b||
        solver = ConjugateGradients(rtol=math.inf, residual_rtol=tolerance)
    else:  # the public verb's own: the tensor's estimated error, with the root of it as residual
        solver = ConjugateGradients(rtol=tolerance, residual_rtol=math.sqrt(tolerance))
    return jax.block_until_ready(cell_of(job["scheme"], labels, job["conductivities"], solver))


def solve(cell: ConductionCell) -> Answer:
    tangent = watched_tangent(cell)
    steps = [int(response.stats["steps"]) for response in tangent.responses]
    return Answer(np.asarray(tangent.value), steps, all(code == 0 for code in tangent.codes))


if __name__ == "__main__":
    jnp.zeros(1).block_until_ready()  # an idle back end belongs to the memory's baseline
    compete(prepare, solve, compiles=True)
