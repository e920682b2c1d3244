"""The permeability of pores with smooth walls, known as a distance, with slip: walls cut the voxels."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from scipy.sparse import csr_array

from scalebridge.cells.flow_checks import definite_check, shared_checks
from scalebridge.cells.permeability_job import FlowSettings
from scalebridge.cells.slip_curve import Point, plain_slips, solved_curve
from scalebridge.cells.stokes import StokesCell, flow_tangent
from scalebridge.core.provenance import Provenance, Stopwatch, installed_versions, this_machine
from scalebridge.core.results import require_converged, worst_outcome
from scalebridge.core.spec import Spec
from scalebridge.core.upscaled import ALGEBRAIC, Contribution, Upscaled
from scalebridge.engine.progress import metered
from scalebridge.grids.cut_fields import voxel_pressures, voxel_velocities
from scalebridge.grids.cut_recession import recession_density, recession_slope
from scalebridge.grids.cut_system import CutCell, SlipLength
from scalebridge.grids.staggered import StaggeredSystem
from scalebridge.grids.walls import PoreGeometry, ShiftedPores
from scalebridge.solvers.saddle_minres import Stop
from scalebridge.upscaling.tangent import Tangent

_AXES = "xyz"
_LEAST = 8  # voxels along each axis of the halved grid


def geometry_permeability(
    geometry: PoreGeometry,
    cells: int | Sequence[int],
    *,
    slip_length: float | Mapping[int, float] = 0.0,
    slip_lengths: Sequence[float] = (),
    mirrored: bool = False,
    rtol: float = 1e-4,
    max_steps: int = 2000,
    halved: bool = True,
    fields: bool = False,
    progress: bool | None = False,
    throw: bool = True,
) -> Upscaled:
    """Compute the permeability of pores whose walls are surfaces, with Navier's slip on them.

    Stokes flow of unit viscosity is solved as by `permeability`, but walls cut the voxels where they are:
    -div 2 D(w_i) + grad pi_i = e_i, div w_i = 0, and on walls n.w_i = 0 and P w_i = -slip P 2 D(w_i) n.

    Args:
        geometry: the pores, edges in metres: `sphere_lattice`, `cylinder_array`, a channel, pipe or duct, a
            minimal surface, or `ImagePores` of a segmented image.
        cells: number of voxels along each axis, one number or one for each.
        slip_length: in metres, from 0 to infinity; one, or one for each label of the walls.
        slip_lengths: ascending and finite, the same on all walls; the tensor's curve over them is then
            in `stats["slip curve"]`.
        mirrored: whether the planes through the cell's corner and through its middle mirror the pores, along
            every axis. Then `cells` counts the voxels of the lower half along each axis, and that part alone
            is solved, once for each direction: 2^dim times fewer unknowns, a diagonal tensor.
        rtol: wanted relative error of the tensor, of the solver alone.
        max_steps: limit of iterations.
        halved: whether to solve on half as many voxels too, on a grid that begins where the fine one does and
            (unless mirrored) on one that is shifted by half a voxel, which tells the part of the voxels in
            the uncertainty and an extrapolated tensor in `stats`.
        fields: whether to keep velocity (m^2, of a unit force and viscosity, the mean over a voxel's pores
            and solid) and pressure (m) in the voxels.
        progress: whether to draw a bar; None draws on a terminal.
        throw: whether to raise when the solver does not converge; otherwise `outcome` says so.

    Returns:
        an `Upscaled` in m^2 with its derivatives by the slip length and by the recession of the walls, both
        in m, and "extrapolated" (of second order) in `stats` where it was halved.

    Raises:
        ImageError: no pore, no wall, or pores that lead nowhere.
        InputError: an impossible slip length, or perfect slip where nothing limits the flow.
        SolverError: the solver did not converge, and `throw` is true.

    Limits: creeping flow. Seen with 64 voxels along the cell: simple cubic spheres within 0.31 % of Zick and
        Homsy from c = 0.000125 to 0.45, cylinders with any slip within 0.1 %, and their slopes by the slip
        length within 0.9 % (1.4 % where they fill 5 %).

    Cost: 10 to 60 iterations, more with more slip; in 3-D about 2 kB a voxel of the pores, more near walls.

    Example:
        >>> from scalebridge.grids.pore_shapes import cylinder_array
        >>> found = geometry_permeability(cylinder_array("square", 0.2), 64, halved=False)
        >>> round(float(found.value[0, 0]), 4)  # 0.01941
        0.0194
    """
    clock = Stopwatch()
    stop = _stop(rtol, max_steps)
    cell = CutCell(geometry, cells, mirrored=mirrored)
    model = _model(cell, slip_length, stop)
    cell.slips(slip_length)  # refuses before anything long
    clock.lap("preparing")
    with metered(1, "permeability", progress) as meter:
        tangent = flow_tangent(model, list(cell.axes), meter)
        meter.next_case()
    clock.lap("solving")
    parts, stats = _halved(cell, slip_length, stop, tangent) if halved else ({}, {})
    clock.lap("error budget")
    outcome = worst_outcome(tangent.codes)
    if throw:
        require_converged(outcome, "permeability")
    value = np.asarray(tangent.value)
    scale = np.sqrt(np.abs(np.outer(np.diagonal(value), np.diagonal(value))))
    slope, power = _slopes(cell, model, tangent), _placed(cell, model.dissipations(_fields(tangent)))
    checks = [
        *shared_checks(tangent, power, slope, rtol),
        definite_check(
            value[np.ix_(cell.axes, cell.axes)],
            -rtol,
            "smallest principal value; zero across channels that run one way",
        ),
    ]
    if len(slip_lengths):
        known = {} if isinstance(slip_length, Mapping) else {float(slip_length): (value, slope)}
        curve = solved_curve(slip_lengths, lambda length: _point(cell, length, stop), known)
        stats["slip curve"] = curve.to_stats()
        checks += curve.checks(rtol)
    algebraic = Contribution(tangent.algebraic_error * scale, "the solver's own estimate")
    return Upscaled(
        spec=Spec("permeability", "m^2", value.shape, symmetric=True),
        value=value,
        derivatives={
            "slip length": slope,
            "recession of walls": _recession(cell, slip_length, tangent),
        },
        checks=tuple(checks),
        uncertainty={ALGEBRAIC: algebraic, **parts},
        outcome=outcome,
        stats={
            "steps": [int(r.stats["steps"]) for r in tangent.responses if r is not None],
            "porosity": cell.porosity,
            "porosity that leads nowhere": cell.isolated,
            "wall area": cell.wall_area,
            **stats,
        },
        provenance=_provenance(cell, slip_length, rtol, clock),
        fields=_voxel_fields(cell, tangent) if fields else {},
        inputs={"slip length": {"value": plain_slips(slip_length), "unit": "m"}},
    )


def slip_curve(
    geometry: PoreGeometry,
    cells: int | Sequence[int],
    slip_lengths: Sequence[float],
    *,
    mirrored: bool = False,
    rtol: float = 1e-4,
    max_steps: int = 2000,
) -> tuple[np.ndarray, np.ndarray]:
    """Compute the permeability and its derivative for many slip lengths; the walls are cut once.

    Arguments, limits and errors are those of `geometry_permeability`, for each slip length.

    Returns:
        tensors and their derivatives by the slip length, (slip lengths, dim, dim) both, in m^2 and m.

    Cost: a solve for each slip length.

    Example:
        >>> from scalebridge.grids.pore_shapes import cylinder_array
        >>> values, slopes = slip_curve(cylinder_array("square", 0.2), 32, [0.0, 0.025])
        >>> bool(values[1, 0, 0] < values[0, 0, 0] + 0.025 * slopes[0, 0, 0])  # concave
        True
    """
    solve = slip_solver(geometry, cells, mirrored=mirrored, rtol=rtol, max_steps=max_steps)
    values, slopes = zip(*map(solve, slip_lengths), strict=True)
    return np.array(values), np.array(slopes)


def slip_solver(
    geometry: PoreGeometry,
    cells: int | Sequence[int],
    *,
    mirrored: bool = False,
    rtol: float = 1e-4,
    max_steps: int = 2000,
) -> Callable[[float], Point]:
    """Cut the walls once, and return what solves for permeability and slope at a slip length.

    Arguments, limits and errors are those of `geometry_permeability`.
    """
    cell, stop = CutCell(geometry, cells, mirrored=mirrored), _stop(rtol, max_steps)
    return lambda slip_length: _point(cell, slip_length, stop)


def piece_solver(cell: CutCell, *, rtol: float, max_steps: int) -> Callable[[np.ndarray], Point]:
    """Return what solves for the permeability at slip lengths of all pieces of wall, and its slope by each.

    Slip lengths are those of `cell.own`, in metres; slopes have the shape (pieces, dim, dim).
    """
    stop = _stop(rtol, max_steps)

    def solve(slips: np.ndarray) -> Point:
        model = _model(cell, slips, stop)
        tangent = flow_tangent(model, list(cell.axes))
        require_converged(worst_outcome(tangent.codes), "permeability")
        density = cell.slip_density(slips, *_in_metres(cell, tangent), cell.axes)
        slopes = np.zeros((len(density), cell.grid.dim, cell.grid.dim))
        slopes[np.ix_(range(len(density)), cell.axes, cell.axes)] = density
        return np.asarray(tangent.value), slopes

    return solve


def moving_walls(
    cell: CutCell, slip_length: SlipLength, *, rtol: float, max_steps: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the permeability, and its slopes by each piece of wall that recedes, and by how it turns.

    Arguments and the slopes are those of `recession_density`, (pieces, dim, dim) and (pieces, dim, dim, dim).
    """
    tangent = flow_tangent(_model(cell, slip_length, _stop(rtol, max_steps)), list(cell.axes))
    require_converged(worst_outcome(tangent.codes), "permeability")
    parts = recession_density(cell, slip_length, *_in_metres(cell, tangent), cell.axes)
    dim, every = cell.grid.dim, np.ix_(cell.axes, cell.axes)
    whole = [np.zeros((*part.shape[:-2], dim, dim)) for part in parts]
    for found, part in zip(whole, parts, strict=True):
        found[(..., *every)] = part
    return np.asarray(tangent.value), whole[0], whole[1]


def _point(cell: CutCell, slip_length: SlipLength, stop: Stop) -> Point:
    model = _model(cell, slip_length, stop)
    tangent = flow_tangent(model, list(cell.axes))
    require_converged(worst_outcome(tangent.codes), "permeability")
    return np.asarray(tangent.value), _slopes(cell, model, tangent)


def _model(cell: CutCell, slip_length: SlipLength, stop: Stop) -> StokesCell:
    edge = min(cell.grid.spacing)
    return StokesCell(
        cell.grid.dim,
        lambda axis: _in_edges(cell.system(slip_length, axis), edge),
        stop,
        shared=not cell.mirrored,
        unit=edge**2,
    )


def _in_edges(system: StaggeredSystem, edge: float) -> StaggeredSystem:
    """Measure lengths in voxel edges: in metres, numbers would be too small for single precision."""
    dim = system.dim
    slope = system.slip_slope
    return replace(
        system,
        spacing=tuple(h / edge for h in system.spacing),
        viscous=csr_array(system.viscous * edge ** (2 - dim)),
        divergence=csr_array(system.divergence * edge ** (1 - dim)),
        loads=system.loads * float(edge) ** -dim,
        volume=system.volume * float(edge) ** -dim,
        slip_slope=None if slope is None else csr_array(slope * edge ** (3 - dim)),
    )


def _stop(rtol: float, max_steps: int) -> Stop:
    return FlowSettings(rtol=rtol, max_steps=max_steps).stop  # which refuses what cannot be


def _fields(tangent: Tangent) -> list[Any]:
    return [response.fields for response in tangent.responses if response is not None]


def _parts(tangent: Tangent) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Return the velocities and the pressures of the cases that were solved."""
    fields = _fields(tangent)
    return [field[0] for field in fields], [field[1] for field in fields]


def _placed(cell: CutCell, part: np.ndarray) -> np.ndarray:
    """Return a tensor from its part along the axes along which something flows."""
    whole = np.zeros((cell.grid.dim, cell.grid.dim))
    whole[np.ix_(cell.axes, cell.axes)] = part
    return whole


def _slopes(cell: CutCell, model: StokesCell, tangent: Tangent) -> np.ndarray:
    fields, edge = _fields(tangent), min(cell.grid.spacing)
    found = [[float(model.slopes(first, second)) / edge for second in fields] for first in fields]
    return _placed(cell, np.array(found))


def _recession(cell: CutCell, slip_length: SlipLength, tangent: Tangent) -> np.ndarray:
    return _placed(cell, recession_slope(cell, slip_length, *_in_metres(cell, tangent), cell.axes))


def _in_metres(cell: CutCell, tangent: Tangent) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Return the velocities and pressures of the cases that were solved, in m^2 and m."""
    velocities, pressures = _parts(tangent)
    edge = min(cell.grid.spacing)
    return [x * edge**2 for x in velocities], [p * edge for p in pressures]


def _voxel_fields(cell: CutCell, tangent: Tangent) -> dict[str, np.ndarray]:
    velocities, pressures = _parts(tangent)
    edge, kept = min(cell.grid.spacing), {}
    flows = voxel_velocities(cell, velocities, pressures, cell.axes) * edge**2
    heads = voxel_pressures(cell, velocities, pressures, cell.axes) * edge
    for axis, flow, head in zip(cell.axes, flows, heads, strict=True):
        kept[f"velocity_{_AXES[axis]}"], kept[f"pressure_{_AXES[axis]}"] = flow, head
    return kept


def _halved(
    cell: CutCell, slip_length: SlipLength, stop: Stop, tangent: Tangent
) -> tuple[dict[str, Contribution], dict[str, Any]]:
    """Return the voxels' part of the uncertainty and the extrapolated tensor, if not too coarse."""
    shape = tuple(math.ceil(n / 2) for n in cell.grid.sample)
    if max(shape) < _LEAST or any(n < 2 for n in shape):
        return {}, {}
    places = [cell.geometry]
    if not cell.mirrored:  # whose planes of symmetry have to stay where they are
        places.append(ShiftedPores(cell.geometry, cell.geometry.edges / np.array(shape) / 2))
    fine, coarse = np.asarray(tangent.value), []
    for pores in places:
        half = CutCell(pores, shape, mirrored=cell.mirrored)
        model = _model(half, slip_length, stop)
        coarse.append(np.asarray(flow_tangent(model, list(half.axes)).value))
    # Errors of second order: a quarter remains of the coarse one's, and of how it hangs on the grid's place.
    step = (fine - np.mean(coarse, axis=0)) / 3
    scatter = np.abs(coarse[0] - coarse[-1]) / 2 / 3
    method = "a third of the difference from half as many voxels, whose error is four times as large"
    if len(coarse) > 1:
        method += ", and of what half of a coarse voxel's shift of the grid changes"
    stats = {"extrapolated": (fine + step).tolist(), "coarse tensors": [found.tolist() for found in coarse]}
    return {"voxel size": Contribution(np.hypot(step, scatter), method)}, stats


def _provenance(cell: CutCell, slip_length: SlipLength, rtol: float, clock: Stopwatch) -> Provenance:
    pores = {"kind": type(cell.geometry).__name__, "edges": cell.geometry.edges.tolist()}
    settings = {"cells": list(cell.grid.sample), "slip_length": plain_slips(slip_length), "rtol": rtol}
    parts = (installed_versions(), this_machine(), clock.started, dict(clock.elapsed))
    return Provenance({"pores": pores}, settings, *parts)
