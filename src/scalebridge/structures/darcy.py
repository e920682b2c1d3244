"""The plain question: how does fluid flow through blocks whose permeabilities are known?

    div u = 0,        u = -(K / viscosity) grad p

on a regular grid of blocks with a permeability each, number or full tensor: the coarse model to which cells
hand up their tensors. It is the equation of conduction with K / viscosity for k and -p for the potential, so
the solver is that of `cells.conduction_host`, a row of the table for every block.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import numpy as np

from scalebridge.cells.conduction_host import HostConduction, Medium, Surroundings
from scalebridge.core.checks import Check
from scalebridge.core.errors import InputError
from scalebridge.core.model import Response
from scalebridge.core.results import Outcome, require_converged
from scalebridge.core.units import positive_quantity
from scalebridge.engine.memory import refuse_too_large
from scalebridge.engine.progress import Meter, metered
from scalebridge.grids.percolation import percolation
from scalebridge.grids.voxel_kernels import table_slopes, voxel_table
from scalebridge.io.spacing import parse_voxel
from scalebridge.solvers.conjugate_gradients import ConjugateGradients
from scalebridge.structures.darcy_inputs import (
    as_rows,
    driving_vector,
    grid_shape,
    is_diagonal,
    permeability_field,
)

Boundary = Literal["periodic", "sealed"]
Scheme = Literal["hexahedra", "finite-volume"]
_BYTES = 420.0  # a block at the peak with full tensors: field, table, fields of the answer, eigenvalues
_CHUNK = 8  # steps between two looks


@dataclass(frozen=True)
class DarcyFlow:
    """Flow through blocks of known permeability, in SI.

    Args:
        pressure: Pa, of every block's centre; its mean is zero. NaN where nothing flows at all.
        velocity: (dim, blocks...) m/s, the Darcy velocity averaged over each block.
        mean_velocity: (dim,) m/s, over all blocks.
        driving: (dim,) Pa/m, the mean of -grad p.
        permeability: m^2, of all blocks together, along the driving: viscosity x mean velocity along it / its
            size.
        sensitivity: m^2 by m^2, d(permeability) by each block's: (blocks...) of numbers, or
            (dim, dim, blocks...) of tensors.
        viscosity: Pa s.
        voxel: edge lengths of a block, m.
        checks: what was preserved, measured.
        outcome: how the solver ended.
        stats: steps, residuals and errors.
        notes: what a reader has to know.
    """

    pressure: np.ndarray
    velocity: np.ndarray
    mean_velocity: np.ndarray
    driving: np.ndarray
    permeability: float
    sensitivity: np.ndarray
    viscosity: float
    voxel: tuple[float, ...]
    checks: tuple[Check, ...]
    outcome: Outcome = Outcome.converged
    stats: dict[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether every check passed and the solver converged."""
        return self.outcome is Outcome.converged and all(check.passed for check in self.checks)

    def flow_rate(self, axis: int) -> float:
        """Volume that crosses the whole box along an axis in a unit of time, m^3/s (2-D: m^2/s).

        Args:
            axis: 0, 1 or 2.
        """
        shape = self.pressure.shape
        section = math.prod(
            n * h for i, (n, h) in enumerate(zip(shape, self.voxel, strict=True)) if i != axis
        )
        return float(self.mean_velocity[axis]) * section


def darcy_flow(
    permeability: Any,
    *,
    voxel: str | Sequence[str],
    driving: Sequence[str | float],
    unit: str = "m^2",
    viscosity: str | float = "1 mPa*s",
    boundary: Boundary = "periodic",
    scheme: Scheme = "hexahedra",
    rtol: float = 1e-8,
    residual_rtol: float = 1e-6,
    max_steps: int = 5000,
    memory_limit: float | None = None,
    progress: bool | None = None,
    throw: bool = True,
) -> DarcyFlow:
    """Compute pressures and flow through a grid of blocks with a permeability each.

    div (K / viscosity) grad p = 0, with the mean of -grad p given; u = -(K / viscosity) grad p.

    Args:
        permeability: numbers (x, y) or (x, y, z), or symmetric tensors (2, 2, x, y) or (3, 3, x, y, z),
            components first. Exact zeros are barriers.
        voxel: edge length of a block with its unit ("1 cm"), or one an axis.
        driving: the mean of -grad p, one value an axis: numbers in Pa/m, or text such as "1 bar/m". Fluid
            flows along it.
        unit: of the permeabilities: "m^2", "mD", "darcy", "um^2".
        viscosity: of the fluid: "1 mPa*s", or a number in Pa s.
        boundary: "periodic", or "sealed": the pressure is uniform on the two faces across the driving, which
            then has to be along one axis, and nothing flows through the others.
        scheme: "hexahedra" (trilinear pressures, from above) or "finite-volume" (from below; numbers or
            diagonal tensors only).
        rtol: wanted relative error of the permeability of all blocks together, of the solver alone.
        residual_rtol: wanted relative residual of the balance.
        max_steps: limit of iterations.
        memory_limit: bytes that the job may need; the machine's free memory unless given.
        progress: whether to draw a bar; on a terminal unless given.
        throw: whether to raise when the solver does not converge.

    Returns:
        a `DarcyFlow`.

    Raises:
        InputError: something in the input cannot be right; nothing long has run yet.
        UnitError: a unit is missing or of another kind.
        SolverError: the solver did not converge, and `throw` is true.

    Limits: one fluid that fills the pores, slow, incompressible, no gravity besides `driving`; blocks long
        against the pores.
    Cost: as conduction with a row of the table for every block: one product and one transform pair an
        iteration; iterations grow as the root of the contrast. Some 420 bytes a block.
    Source: the equation H. Darcy (1856); the schemes are those of `effective_conductivity`.

    Example:
        >>> layers = np.array([[[1.0]], [[3.0]]])  # across them the harmonic mean
        >>> flow = darcy_flow(layers, unit="mD", voxel="1 m", driving=("1 bar/m", 0, 0), boundary="sealed")
        >>> print(f"{flow.permeability / 9.869233e-16:.4f} mD, {flow.flow_rate(0):.4g} m^3/s")
        1.5000 mD, 1.48e-07 m^3/s
    """
    blocks = permeability_field(permeability, unit)
    shape = grid_shape(blocks)
    size = parse_voxel(voxel, len(shape))
    fluid = positive_quantity("viscosity", viscosity, "Pa*s")
    force = driving_vector(driving, len(shape))
    _refuse(boundary, scheme, blocks, force)
    solver = ConjugateGradients(*_tolerances(rtol, residual_rtol), max_steps)
    refuse_too_large(_BYTES * math.prod(shape), f"grid of {' x '.join(map(str, shape))} blocks", memory_limit)
    if not _lets_through(blocks, force, boundary, scheme):
        return _blocked(blocks, shape, force, fluid, size)
    scale = float(np.max(np.abs(blocks)))  # so that arithmetic in single precision sees numbers near one
    model = _model(blocks / scale, size, boundary, scheme, solver)
    load = force / np.linalg.norm(force)
    with metered(1, "Darcy flow", progress) as meter:
        response = _solve(model, load, meter)
    found = _result(model, response, blocks, scale, force, fluid, size)
    if throw:
        require_converged(found.outcome, "darcy_flow")
    return found


def _model(
    blocks: np.ndarray,
    size: tuple[float, ...],
    boundary: Boundary,
    scheme: Scheme,
    solver: ConjugateGradients,
) -> HostConduction:
    rows, shape = as_rows(blocks), grid_shape(blocks)
    dim = len(shape)
    tensors = rows[:, None, None] * np.eye(dim) if rows.ndim == 1 else rows
    around: Surroundings = "mirrored" if boundary == "sealed" else "periodic"
    medium = Medium.of(tensors, tensors.mean(axis=0), diagonal=around != "periodic")
    if rows.ndim == 3 and scheme == "finite-volume":
        rows = np.diagonal(rows, axis1=1, axis2=2)
    index = np.arange(len(rows), dtype=np.int32).reshape(shape)
    spacing = tuple(edge / size[0] for edge in size)
    return HostConduction(shape, spacing, voxel_table(rows, index), scheme, medium, solver, around)


def _solve(model: HostConduction, load: np.ndarray, meter: Meter) -> Response:
    work = model.begin(load)
    while not (now := model.outlook(work)).done:
        meter(0, now.steps, now.error, now.wanted)
        work = model.advance(work, _CHUNK)
    return model.finish(load, work)


def _result(
    model: HostConduction,
    response: Response,
    blocks: np.ndarray,
    scale: float,
    force: np.ndarray,
    viscosity: float,
    size: tuple[float, ...],
) -> DarcyFlow:
    """Undo the scaling: lengths by the first edge, permeabilities by the largest, the driving by its size."""
    strength, (u, load) = float(np.linalg.norm(force)), response.fields
    flux = model.flux_field(u, load)
    means = flux.reshape(len(size), -1).mean(axis=1)
    energy = float(model.energies([response.fields])[0, 0])
    slopes = table_slopes(model.slopes(response.fields, response.fields), _rank(model), len(size))
    steps = response.stats["steps"]
    stats = {k: np.asarray(response.stats[k]).tolist() for k in ("steps", "residuals", "errors")}
    return DarcyFlow(
        pressure=_pressure(model, u, load) * strength * size[0],
        velocity=flux * (scale * strength / viscosity),
        mean_velocity=means * (scale * strength / viscosity),
        driving=force,
        permeability=energy * scale,
        sensitivity=_by_block(slopes, blocks),
        viscosity=viscosity,
        voxel=size,
        checks=_checks(model, flux, load, energy, float(response.stats["errors"][steps])),
        outcome=Outcome(int(response.result)),
        stats=stats,
    )


def _pressure(model: HostConduction, u: np.ndarray, load: np.ndarray) -> np.ndarray:
    """Pressure of every block's centre for a unit driving: -load . x - u, less its mean."""
    kernels = model.kernels(load)
    if kernels.nodal:
        extra = [(0, n + 1 - have) for n, have in zip(kernels.shape, u.shape, strict=True)]
        u = np.pad(u, extra, "wrap")
        for axis in range(3):
            low, high = (u.take(range(i, u.shape[axis] - 1 + i), axis) for i in (0, 1))
            u = 0.5 * (low + high)
    centres = np.meshgrid(
        *((np.arange(n) + 0.5) * h for n, h in zip(model.shape, model.spacing, strict=True)), indexing="ij"
    )
    found = -kernels.field(u) - sum(part * x for part, x in zip(load, centres, strict=True))
    return found - found.mean()


def _by_block(slopes: np.ndarray, blocks: np.ndarray) -> np.ndarray:
    """Slopes of the rows with the blocks' axes; of diagonal rows as tensors."""
    shape = grid_shape(blocks)
    if blocks.ndim < 4:
        return slopes.reshape(shape)
    if slopes.ndim == 2:
        slopes = slopes[:, :, None] * np.eye(slopes.shape[1])
    return np.moveaxis(slopes, 0, -1).reshape(blocks.shape)


def _rank(model: HostConduction) -> int:
    return {1: 0, 3: 1, 6: 2}[model.table.rows.shape[1]]


def _checks(
    model: HostConduction, flux: np.ndarray, load: np.ndarray, energy: float, error: float
) -> tuple[Check, ...]:
    tolerance = max(10.0 * model.solver.residual_rtol, 1e-12)
    power = float(load @ flux.reshape(len(load), -1).mean(axis=1))
    size = energy if energy > 0 else 1.0  # of the largest block's: where nothing flows
    sections = []
    for axis in np.flatnonzero(load):
        means = np.moveaxis(flux[axis], axis, 0).reshape(model.shape[axis], -1).mean(axis=1)
        sections.append(float(np.ptp(means)) / size)
    return (
        Check(
            "Hill-Mandel",
            abs(power - energy) / size,
            tolerance,
            meaning="the power of the mean flow is the mean of the power: mean velocity along the driving "
            "against the dissipation; ten times the residual's tolerance",
        ),
        Check(
            "what flows in flows out",
            max(sections),
            tolerance,
            meaning="largest difference between the flows through sections, relative to the mean flow; ten "
            "times the residual's tolerance",
        ),
        Check(
            "solver error",
            error,
            model.solver.rtol,
            meaning="estimated relative error of the permeability, against the rtol asked for",
        ),
    )


def _lets_through(blocks: np.ndarray, force: np.ndarray, boundary: Boundary, scheme: Scheme) -> bool:
    """Whether any path leads along an axis that is driven; barriers are blocks of exact zeros."""
    open_ = blocks != 0 if blocks.ndim < 4 else np.any(blocks != 0, axis=(0, 1))
    if open_.all():
        return True
    touching = open_.ndim if scheme == "hexahedra" else 1
    found = percolation(open_, periodic=boundary == "periodic", connectivity=touching)
    return any(found.directions[axis] for axis in np.flatnonzero(force))


def _blocked(
    blocks: np.ndarray, shape: tuple[int, ...], force: np.ndarray, viscosity: float, size: tuple[float, ...]
) -> DarcyFlow:
    dim = len(shape)
    note = "Nothing flows: blocks that let fluid through do not connect along the driving."
    return DarcyFlow(
        np.full(shape, np.nan),
        np.zeros((dim, *shape)),
        np.zeros(dim),
        force,
        0.0,
        np.zeros(blocks.shape),
        viscosity,
        size,
        checks=(Check("connected along the driving", 0.0, 1.0, "at least", note),),
        notes=(note,),
    )


def _tolerances(rtol: Any, residual_rtol: Any) -> tuple[float, float]:
    for name, given in (("rtol", rtol), ("residual_rtol", residual_rtol)):
        if isinstance(given, bool) or not isinstance(given, int | float) or not 0 < given < 1:
            raise InputError(name, got=repr(given), wanted="a number between 0 and 1", cure="pass 1e-6")
    return float(rtol), float(residual_rtol)


def _refuse(boundary: Any, scheme: Any, blocks: np.ndarray, force: np.ndarray) -> None:
    for name, got, wanted in (("boundary", boundary, Boundary), ("scheme", scheme, Scheme)):
        if got not in get_args(wanted):
            words = " or ".join(map(repr, get_args(wanted)))
            raise InputError(name, got=repr(got), wanted=words, cure="choose one of them")
    if boundary == "sealed" and np.count_nonzero(force) != 1:
        raise InputError(
            "driving",
            got=f"{force.tolist()} with boundary='sealed'",
            wanted="a driving along one axis, because nothing flows through the sides",
            cure="ask for one axis after the other, or pass boundary='periodic'",
        )
    if scheme == "finite-volume" and not is_diagonal(blocks):
        raise InputError(
            "scheme",
            got="'finite-volume' with full tensors",
            wanted="'hexahedra', because fluxes through faces know the tensor's diagonal only",
            cure="leave scheme out",
        )
