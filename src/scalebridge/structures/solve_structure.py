"""The plain question: how does a structure answer a path of loads, when its material has a memory?

    div stress = - factor f,     stress = what each integration point answers to its strain

At each point stands a law, or a representative volume that is solved on the fly (FE2).
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np

from scalebridge.core.errors import SolverError
from scalebridge.core.provenance import Stopwatch
from scalebridge.core.results import Outcome
from scalebridge.core.units import positive_quantity
from scalebridge.engine.checkpoint import ARCHIVE, SCHEMA, latest_checkpoint
from scalebridge.engine.history_unit import HistoryUnit
from scalebridge.engine.path_sharing import PathShare, settle_share
from scalebridge.engine.point_engine import PointEngine, load_checkpoint
from scalebridge.structures.arc_length import march_by_length
from scalebridge.structures.assembly import Assembler
from scalebridge.structures.conditions import (
    Conditions,
    component_dofs,
    components_of,
    force_vector,
    reduce_unknowns,
)
from scalebridge.structures.equilibrium import NewtonSettings, Structure
from scalebridge.structures.kinematics import Kinematics, Plane, make_kinematics
from scalebridge.structures.linear_solver import (
    LinearMethod,
    LinearSolver,
    check_linear_method,
    rigid_motions,
)
from scalebridge.structures.march import (
    Journey,
    StepSettings,
    march,
    refuse_other_path,
    set_out,
    take_up,
    targets,
)
from scalebridge.structures.point_units import refuse_cheap, refuse_cut, refuse_scales, unit_of
from scalebridge.structures.solid_mesh import SolidMesh
from scalebridge.structures.structure_engine import check_point_engine, on_every_rank, point_engine
from scalebridge.structures.structure_inputs import (
    refuse_loads,
    refuse_memory,
    refuse_nowhere,
    refuse_places,
    refuse_plane,
    refuse_points,
    refuse_settings,
    refuse_unloaded,
)
from scalebridge.structures.structure_log import Log, signatures
from scalebridge.structures.structure_result import assemble_study
from scalebridge.structures.structure_series import Series, check_series_format
from scalebridge.structures.structure_study import StructureStudy


def solve_structure(
    mesh: SolidMesh,
    material: Any,
    *,
    supports: Mapping[str, Mapping[str, Any]],
    tractions: Mapping[str, Sequence[Any]] | None = None,
    body_force: Sequence[Any] | None = None,
    periodic: Sequence[Sequence[Any]] = (),
    equal: Mapping[str, str] | None = None,
    equations: Sequence[Any] = (),
    steps: int | Sequence[float] = 10,
    duration: str | float = 1.0,
    control: str = "factor",
    order: int = 1,
    plane: Plane = "strain",
    rtol: float = 1e-8,
    max_iterations: int = 12,
    max_cuts: int = 6,
    linear_solver: LinearMethod = "auto",
    engine: str = "local",
    workers: int | None = None,
    lazy: bool = True,
    state_memory: float | None = None,
    share: PathShare | float | None = None,
    checkpoints: str | Path | None = None,
    archive: str | Path | None = None,
    archive_precision: str = "int16",
    resume: bool | Literal["archive"] = False,
    results: str | Path | None = None,
    results_format: str = "vtu",
    watch: Sequence[int] = (),
    progress: bool | None = None,
    throw: bool = True,
) -> StructureStudy:
    """Solve a structure along a path of loads, with a law or a representative volume at each point (FE2).

    sum over points of B^T stress w = factor f; Newton's method on the consistent tangents, with a line
    search; increments are halved where there is no equilibrium. Points answer from committed states only.

    Args:
        mesh: what `box_mesh`, `notched_plate` or `read_mesh` returned.
        material: a law (`PathLaw`), a representative volume (`PathCell`), or a stiffness, as
            `effective_stiffness` returns it, as a linear model of a cell answers it, or (6, 6) in Mandel
            notation, Pa.
        supports: boundary -> {"x": displacement, ...} at factor 1: numbers in m, or text such as "2 mm".
        tractions: boundary -> vector at factor 1: numbers in Pa, or text.
        body_force: vector at factor 1: numbers in N/m^3, or text.
        periodic: pairs of boundaries (minus, plus[, jump of the displacement at factor 1]).
        equal: boundary -> components in which its nodes move alike, such as "y".
        equations: lists of (place, component, coefficient) whose sum is zero.
        steps: number of equal steps to factor 1, or the factor at the end of each.
        duration: of each step, a number in s or text; matters for laws with rates.
        control: "factor", or "arc": the factor follows from the length of the path, past limit points.
        order: of the displacements, 1 or 2.
        plane: "strain" or "stress", for meshes in the plane.
        rtol: wanted relative residual.
        max_iterations: corrections of an increment.
        max_cuts: how often a step may be halved.
        linear_solver: "auto", "direct", "pardiso", "multigrid".
        engine: where points live: "local", "mpi" (every rank of `mpirun` calls this), "dask", or the address
            of a Dask scheduler.
        workers: threads of "local", processes of "dask".
        lazy: whether points share the elastic answer as long as it is exact.
        state_memory: bytes of state in memory for each process, beyond which it goes into mapped files.
        share: largest difference of strain at which points share one answer, where their paths so far agreed
            as well; a sample is solved anew at every increment (`PathShare` for more settings).
        checkpoints: folder for checkpoints, written after every step; none unless given.
        archive: folder in which every checkpoint is kept in reduced precision, to look back at.
        archive_precision: "int16" (levels over the range of each block) or "float32".
        resume: whether to go on from the last checkpoint in that folder, if there is one; "archive" from the
            archive's last one, whose numbers are not exact.
        results: folder for a series of fields in time and tables as CSV.
        results_format: "vtu" (`series.pvd`) or "xdmf" (`series.xdmf`, HDF5 beside it).
        watch: points whose internal variables are kept, besides the most stressed one, and whose micro fields
            go into `results` at every increment (`micro-NUMBER.xdmf`).
        progress: whether to print the residual table as it grows; on a terminal unless given.
        throw: whether to raise when the path cannot be walked to its end.

    Returns:
        a `StructureStudy`. Under MPI, the same on every rank.

    Raises:
        InputError: something in the input cannot be right; nothing long has run yet.
        UnitError: a unit is missing or of another kind.
        MissingExtraError: an engine or a solver needs a package that is not installed.
        SolverError: no equilibrium was found although increments were cut, and `throw` is true.
        TaskError: a worker was lost; the text names the checkpoint to resume from.

    Limits: quasi-static, dead loads; small strains with small-strain laws; no contact.
    Cost: an increment takes some three evaluations of every point, and a sparse solve each. State: both banks
        of the internal variables of points that left the shared elastic answer.
    Source: F. Feyel, J.-L. Chaboche, Comput. Methods Appl. Mech. Eng. 183 (2000) 309 (FE2); M. A. Crisfield,
        Comput. Struct. 13 (1981) 55 (arc length).

    Example:
        >>> from scalebridge.structures.solid_mesh import box_mesh
        >>> bar = box_mesh(("2 m", "1 m", "1 m"), (2, 1, 1))
        >>> stiffness = 2.0 * np.eye(6)  # Poisson's ratio zero, Young's modulus 2 Pa
        >>> found = solve_structure(bar, stiffness, steps=1,
        ...     supports={"left": {"x": 0, "y": 0, "z": 0}, "right": {"x": "1 mm", "y": 0, "z": 0}})
        >>> print(f"{found.curve()[1][-1]:.6g} N", found.passed)
        0.001 N True
    """
    given = Conditions(supports, tractions or {}, body_force, periodic, equal or {}, equations)
    watch_ = Stopwatch()
    refuse_settings(mesh, rtol, max_iterations, max_cuts, control, steps)
    refuse_loads(supports, tractions, body_force, equal)
    refuse_plane(mesh, plane)
    refuse_places(checkpoints=checkpoints, archive=archive, results=results)
    refuse_memory(state_memory)
    check_linear_method(linear_solver)
    check_point_engine(engine, workers)
    check_series_format(results_format)
    unit, shared = unit_of(material), settle_share(share)
    refuse_scales(mesh, unit)
    refuse_cut(unit)
    refuse_cheap(shared, unit)
    kinematics = make_kinematics(mesh, order, finite=bool(getattr(unit, "finite", False)), plane=plane)
    refuse_points(watch, kinematics.points)
    reduction = reduce_unknowns(mesh, kinematics, given)
    forces = force_vector(mesh, kinematics, given)
    settings = StepSettings(
        targets(steps),
        positive_quantity("duration", duration, "s"),
        max_cuts,
        NewtonSettings(rtol, max_iterations),
    )
    refuse_unloaded(reduction.offset, forces)
    folder = None if checkpoints is None else Path(checkpoints)
    kept = None if archive is None else (Path(archive), archive_precision)
    refuse_nowhere(resume, folder, kept)
    asked = {
        "order": order,
        "plane": plane,
        "control": control,
        "rtol": rtol,
        "steps": list(settings.factors),
        "share": None if shared is None else asdict(shared),
    }
    series = None if results is None else Series(Path(results), results_format, mesh, unit, tuple(watch))
    log = Log(folder, series, signatures(mesh, given, asked, unit), progress, kept)
    watch_.lap("reading")

    def drive(points: PointEngine) -> StructureStudy:
        structure = Structure(
            kinematics,
            Assembler.of(kinematics),
            reduction,
            forces,
            _solver(linear_solver, kinematics, reduction.transform, mesh.dim),
            points,
            {name: component_dofs(kinematics, mesh.facets(name)) for name in _named(given)},
            shared,
        )
        journey = _begin(structure, log, resume, settings.duration)
        if control == "factor":
            refuse_other_path(journey, settings)
        walk = _walker(control)
        log.open(kinematics)
        outcome = walk(
            journey,
            settings,
            every_iteration=log.iteration,
            every_increment=log.increment,
            every_step=log.step,
        )
        watch_.lap("path")
        study = assemble_study(journey, mesh, unit, given, asked | {"engine": engine}, watch, watch_)
        log.close(study)
        return study if outcome is Outcome.converged or not throw else _thrown(study, log)

    build = partial(_same, unit)
    where = point_engine(engine, build, kinematics.points, lazy, state_memory, workers, shared)
    return on_every_rank(where, drive)


def _same(unit: HistoryUnit) -> HistoryUnit:
    return unit


def _walker(control: str) -> Any:
    return {"factor": march, "arc": march_by_length}[control]


def _begin(structure: Structure, log: Log, resume: bool | str, duration: float) -> Journey:
    """Set out from rest, or from the last checkpoint."""
    archived = resume == "archive" and log.archive is not None
    folder = log.archive[0] if archived and log.archive is not None else log.folder
    last = latest_checkpoint(folder) if resume and folder is not None else None
    if last is not None:
        schema = ARCHIVE if archived else SCHEMA
        log.refuse_other(last, schema)
        header, arrays = load_checkpoint(structure.engine, last, schema)
        return take_up(structure, header["journey"], arrays, header.get("archive"))
    journey = set_out(structure, duration)
    if journey is None:
        raise SolverError("the points found no answer at rest; check the laws' parameters")
    return journey


def _thrown(study: StructureStudy, log: Log) -> StructureStudy:
    kept = "" if log.last is None else f" The checkpoint {log.last} is of the last finished step."
    raise SolverError(f"solve_structure: {study.ending}{kept} Pass throw=False for what was found.")


def _solver(method: LinearMethod, kinematics: Kinematics, transform: Any, dim: int) -> LinearSolver:
    places = np.asarray(kinematics.basis.doflocs)
    motions = rigid_motions(places, components_of(kinematics))
    masters = np.asarray(transform.argmax(axis=0)).ravel()
    return LinearSolver(method, motions[masters], dim)


def _named(given: Conditions) -> list[str]:
    return list(dict.fromkeys([*given.supports, *given.tractions, *given.equal]))
