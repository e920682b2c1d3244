"""From a conductivity job to the models that solve it, and back from their tables to the phases."""

from collections.abc import Mapping
from typing import Any, cast

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Float

from scalebridge.cells.conduction import ConductionCell, reference_for
from scalebridge.cells.conduction_host import HostConduction, Medium, Surroundings
from scalebridge.cells.conductivity_job import SCHEMES, Job
from scalebridge.core import precision as _precision  # noqa: F401
from scalebridge.core.errors import InputError
from scalebridge.grids.coefficients import PhaseCoefficients, VoxelCoefficients, as_tensors
from scalebridge.grids.composite import CompositeImage
from scalebridge.grids.voxel_kernels import table_slopes, voxel_table
from scalebridge.laws.laminate_mixing import composite_table, mixing_limits
from scalebridge.upscaling.tangent import Tangent, Watch, sensitivity, table_sensitivity, watched_tangent

Model = ConductionCell | HostConduction


def model_of(
    job: Job, scheme: str, values: Mapping[int, Any] | None = None, boundary: Surroundings | None = None
) -> Model:
    """Build the model of a scheme: compiled kernels on a processor, JAX elsewhere or when asked.

    Args:
        job: the job.
        scheme: "hexahedra" or "finite-volume".
        values: values by label that replace those of the job; isotropic.
        boundary: replaces the job's.
    """
    if not job.settings.in_kernels:
        return traced_model(job, scheme, job.table(values))
    table, around = job.table(values), boundary or job.settings.boundary
    rows, image = np.asarray(_rows(job, table, limits_of(job, table))), job.image
    medium = Medium.of(
        np.asarray(as_tensors(table, job.dim), float), mean_tensor(job, rows), diagonal=around != "periodic"
    )
    voxels = voxel_table(rows, job.index)
    return HostConduction(image.shape, image.aspect, voxels, scheme, medium, job.settings.solver, around)


def traced_model(job: Job, scheme: str, table: Float[Array, "phases ..."] | None = None) -> ConductionCell:
    """Build the model that JAX traces; a mirrored sample is doubled along every axis."""
    table = job.table() if table is None else table
    index = job.index
    if job.settings.boundary == "mirrored":
        for axis in range(job.dim):
            index = np.concatenate([index, np.flip(index, axis)], axis)
    rows = _rows(job, table, limits_of(job, table))
    if job.settings.boundary == "mirrored" and rows.ndim == 3:
        raise InputError(
            "boundary",
            got="'mirrored' with full tensors in JAX",
            wanted="isotropic or diagonal phases, because a reflection turns a tensor too",
            cure="leave backend out, or mirror the image yourself",
        )
    coefficients = PhaseCoefficients(rows, jnp.asarray(index))
    mean = coefficients.mean(job.dim)
    reference, floor = reference_for(as_tensors(table, job.dim), mean)
    grid = SCHEMES[scheme](index.shape, job.image.aspect)
    return ConductionCell(grid, coefficients, reference, floor, job.settings.solver)


def limits_of(job: Job, table: Float[Array, "phases ..."]) -> np.ndarray | None:
    """Return how far the law of mixed voxels is limited: known for isotropic phases that are not traced.

    The job's own limits come first.
    """
    if not isinstance(job.image, CompositeImage) or table.ndim > 1 or isinstance(table, Tracer):
        return None
    return mixing_limits(job.image, np.asarray(table)) if job.limits is None else job.limits


def tangent_of(model: Model, skip: tuple[int, ...], watch: Watch | None) -> Tangent:
    """Solve all load cases; of a model that is asked with a flux the inverse is what is wanted."""
    found = watched_tangent(model, skip=skip, watch=watch)
    if isinstance(model, HostConduction) and model.boundary == "uniform-flux":
        return Tangent(jnp.linalg.inv(found.value), jnp.linalg.inv(found.from_answers), found.responses)
    return found


def row_slopes(job: Job, model: Model, tangent: Tangent) -> np.ndarray:
    """Return dK_ij by each row of the model's table, (dim, dim, rows, ...), symmetric parts halved."""
    if not isinstance(model, HostConduction):
        return np.asarray(sensitivity(model, tangent).coefficients.table)
    by_row = table_sensitivity(model, tangent)
    if model.boundary == "uniform-flux":  # the tangent was S = K^-1, with dS = -d(energy)
        value = np.asarray(tangent.value)
        by_row = np.einsum("ia,abrc,bj->ijrc", value, by_row, value)
    rank = {1: 0, 3: 1, 6: 2}[by_row.shape[-1]]
    return np.stack([[table_slopes(entry, rank, job.dim) for entry in line] for line in by_row])


def table_slopes_of(job: Job, by_row: np.ndarray) -> np.ndarray:
    """Turn dK by the rows of the model's table into dK by the job's table of phases."""
    if not isinstance(job.image, CompositeImage):
        return by_row
    table = job.table()
    limits = limits_of(job, table)
    _, back = jax.vjp(lambda values: _rows(job, values, limits), table)
    return np.array([[np.asarray(back(jnp.asarray(entry))[0]) for entry in line] for line in by_row])


def voxel_slopes(job: Job, model: Model, tangent: Tangent) -> np.ndarray:
    """Return dK_ij/dk of every voxel for an isotropic change of its conductivity, (dim, dim, voxels...)."""
    if isinstance(model, HostConduction):
        found = table_sensitivity(model.by_voxel(), tangent)
        found = found[..., 0] if found.shape[-1] == 1 else found[..., :3].sum(axis=-1)
        return found.reshape(job.dim, job.dim, *job.image.shape)
    dim, known = job.dim, cast("PhaseCoefficients", model.coefficients)
    table = known.table
    full = jnp.moveaxis(as_tensors(table, dim)[known.index], (-2, -1), (0, 1))
    rank = table.ndim - 1
    values = {0: full[0, 0], 1: jnp.einsum("ii...->i...", full), 2: full}[rank]
    local = eqx.tree_at(lambda cell: cell.coefficients, model, VoxelCoefficients(values, dim))
    slope = np.asarray(sensitivity(local, tangent).coefficients.values)
    if rank == 0:
        return slope
    return slope.sum(axis=2) if rank == 1 else np.einsum("ijkk...->ij...", slope)


def mean_tensor(job: Job, rows: np.ndarray) -> np.ndarray:
    """Return the volume average of the conductivity."""
    if isinstance(job.image, CompositeImage):
        counts = np.bincount(job.index.reshape(-1), minlength=len(rows))
    else:
        counts = np.array([job.image.fractions[p.label] for p in job.phases])
    full = np.asarray(as_tensors(jnp.asarray(rows), job.dim), float)
    return np.tensordot(counts / counts.sum(), full, 1)


def _rows(job: Job, table: Float[Array, "phases ..."], limits: np.ndarray | None) -> Float[Array, "rows ..."]:
    """Return the model's table: the phases', and of composite voxels the tensors of their layers."""
    image = job.image
    if not isinstance(image, CompositeImage):
        return table
    return composite_table(table, image.parts, image.normals, limits)
