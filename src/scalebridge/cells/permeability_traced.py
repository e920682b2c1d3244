"""A permeability that JAX differentiates by slip length and size: the host solves, and its slope is exact.

In voxel edges K = h^2 k(s/h), with the voxel's edge h and the slip length s. k is solved on the host, and its
derivative is x'Sx of the solved fields; everything else is left to JAX.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from scalebridge.cells.permeability_job import FlowJob, FlowSettings
from scalebridge.cells.permeability_result import plane_point
from scalebridge.cells.permeability_smooth import refuse_for_images, refuse_no_cells, smooth_pores
from scalebridge.cells.phases import is_traced
from scalebridge.cells.slip_curve import Point
from scalebridge.cells.smooth_walls import slip_solver
from scalebridge.core import precision as _precision  # noqa: F401
from scalebridge.core.spec import Spec
from scalebridge.core.units import parse_quantity
from scalebridge.core.upscaled import Upscaled
from scalebridge.grids.image import VoxelImage
from scalebridge.grids.walls import PoreGeometry


def differentiable_point(solve: Callable[[Any], Point], dim: int, slip: Any) -> Array:
    """Return the permeability at a slip length that may be traced, with its derivative.

    Args:
        solve: returns permeability, (dim, dim), and slope, (..., dim, dim), for a slip length as a number,
            or for an array of them, (...).
        dim: number of space dimensions.
        slip: the slip length, or several.

    Limits: once; the slope has no derivative of its own. Under `jax.vmap` one length is solved after another.

    Cost: a solve for value and derivative together, outside of what JAX compiles.

    Example:
        >>> channel = lambda s: (np.array([[1 / 12 + s / 2]]), np.array([[0.5]]))
        >>> jax.grad(lambda s: differentiable_point(channel, 1, s)[0, 0])(0.1).item()
        0.5
    """

    def both(length: Any) -> Point:
        value, slope = solve(np.asarray(length, float) if np.ndim(length) else float(length))
        return np.asarray(value, float), np.asarray(slope, float)

    shapes = [jax.ShapeDtypeStruct((*many, dim, dim), jnp.float64) for many in ((), np.shape(slip))]

    def asked(length: Array) -> tuple[Array, Array]:
        return jax.pure_callback(both, tuple(shapes), length, vmap_method="sequential")

    @jax.custom_jvp
    def value_at(length: Array) -> Array:
        return asked(length)[0]

    @value_at.defjvp
    def _(primals: tuple[Array], tangents: tuple[Array]) -> tuple[Array, Array]:
        value, slope = asked(primals[0])
        return value, jnp.tensordot(tangents[0], slope, axes=tangents[0].ndim)

    return value_at(jnp.asarray(slip, jnp.float64))


def traced_permeability(job: FlowJob, slip_length: Any, voxel: Any, memory_limit: float | None) -> Upscaled:
    """Answer a job of `permeability` whose slip length or voxel size JAX is tracing.

    Args:
        job: the job; of a traced voxel size without one.
        slip_length: in metres, or voxel edges where the image has no size: traced, a number, text, or None.
        voxel: the traced edge of a cubic voxel in metres; anything else is in the job already.
        memory_limit: as in `permeability`.

    Raises:
        InputError: as `permeability`; walls that are no planes, whatever the slip length. What goes wrong
            while solving JAX reports as an error of its own.
    """
    edge = voxel if is_traced({0: voxel}) else job.edge
    slip: Any = slip_length
    if not is_traced({0: slip_length}):
        text = isinstance(slip_length, str)
        slip = parse_quantity(slip_length, "m", "slip_length") if text else float(slip_length or 0.0)
    job.with_slip(job.edge).refuse_impossible(memory_limit)  # the derivative needs what slip needs
    image = VoxelImage(job.open.astype(np.uint8), job.image.aspect, periodic=job.image.periodic)
    scaled = FlowJob(image, (1,), job.settings)
    if job.settings.walls == "smooth":
        solve = slip_solver(
            smooth_pores(scaled),
            image.shape,
            mirrored=job.settings.boundary == "mirrored",
            rtol=job.settings.rtol,
            max_steps=job.settings.max_steps,
        )
    else:
        solve = lambda length: plane_point(scaled.with_slip(length))  # noqa: E731
    k = differentiable_point(solve, job.dim, slip / edge)
    spec = Spec("permeability", "m^2" if is_traced({0: voxel}) else job.unit, (job.dim,) * 2, symmetric=True)
    return Upscaled.traced(spec, edge**2 * k)


def traced_surface(geometry: PoreGeometry, cells: Any, slip_length: Any, settings: FlowSettings) -> Upscaled:
    """Answer the same about pores whose walls are surfaces, by the slip length in the unit of their edges.

    Raises:
        InputError: no number of voxels, and as `geometry_permeability`.
    """
    refuse_no_cells(cells)
    refuse_for_images(settings, {})
    solve = slip_solver(geometry, cells, rtol=settings.rtol, max_steps=settings.max_steps)
    dim = geometry.edges.size
    spec = Spec("permeability", "m^2", (dim, dim), symmetric=True)
    return Upscaled.traced(spec, differentiable_point(solve, dim, slip_length))
