"""This library: the conduction cell and its tangent, driven as the public verb drives them.

By compiled kernels, as on any processor, or by JAX, as on an accelerator and for derivatives of any order.
"""

import math
import os
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.measure import Answer, compete
from scalebridge.cells.conduction import ConductionCell, reference_for
from scalebridge.cells.conduction_host import HostConduction, Medium
from scalebridge.core import precision as _precision  # noqa: F401
from scalebridge.core.threads import VARIABLE
from scalebridge.core.vectors import dot
from scalebridge.grids.coefficients import PhaseCoefficients, as_tensors
from scalebridge.grids.finite_volumes import FiniteVolumes
from scalebridge.grids.hexahedra import Hexahedra
from scalebridge.grids.voxel_kernels import voxel_table
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


def kernels_of(scheme: str, labels: np.ndarray, conductivities: list[float], solver: Any) -> HostConduction:
    """Return the same cell for the compiled kernels."""
    values = np.asarray(conductivities)
    tensors = values[:, None, None] * np.eye(labels.ndim)
    mean = np.tensordot(np.bincount(labels.reshape(-1)) / labels.size, tensors, 1)
    medium = Medium.of(tensors, mean, diagonal=False)
    table = voxel_table(values, labels)
    return HostConduction(labels.shape, (1.0,) * labels.ndim, table, scheme, medium, solver)


def prepare(job: dict[str, Any], labels: np.ndarray) -> ConductionCell | HostConduction:
    os.environ[VARIABLE] = str(job["threads"])
    tolerance = job["tolerance"]
    if job["stop"] == "residual":  # the peers' definition: nothing but ||r|| <= tolerance ||b||
        solver = ConjugateGradients(rtol=math.inf, residual_rtol=tolerance)
    else:  # the public verb's own: the tensor's estimated error, with the root of it as residual
        solver = ConjugateGradients(rtol=tolerance, residual_rtol=math.sqrt(tolerance))
    if job["backend"] == "JAX":
        return jax.block_until_ready(cell_of(job["scheme"], labels, job["conductivities"], solver))
    return kernels_of(job["scheme"], labels, job["conductivities"], solver)


def solve(cell: ConductionCell | HostConduction) -> Answer:
    tangent = watched_tangent(cell)
    steps = [int(response.stats["steps"]) for response in tangent.responses]
    return Answer(np.asarray(tangent.value), steps, all(code == 0 for code in tangent.codes))


if __name__ == "__main__":
    jnp.zeros(1).block_until_ready()  # idle back ends, of XLA and of Numba, belong to the memory's baseline
    dot(np.ones(1), np.ones(1))
    compete(prepare, solve, compiles=True)
