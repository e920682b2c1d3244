"""From a case of a structure to its study: read, ask, print, write, leave."""

from pathlib import Path
from typing import Any

import typer

from scalebridge.cells.path_settings import PathSettings
from scalebridge.cli.answering import leave
from scalebridge.cli.outputs import Outputs
from scalebridge.cli.solving import read_image
from scalebridge.cli.structure_case import EquationTable, MeshTable, ShareTable, StructureCase
from scalebridge.cli.terminal import console, show_written
from scalebridge.core.errors import CaseError, InputError
from scalebridge.core.results import Outcome
from scalebridge.engine.mpi_engine import world
from scalebridge.engine.path_sharing import PathShare
from scalebridge.laws.constitutive_law import constitutive_law
from scalebridge.structures.representative_volume import representative_volume
from scalebridge.structures.solid_mesh import SolidMesh, box_mesh, notched_plate, read_mesh
from scalebridge.structures.solve_structure import solve_structure

_OPENED = {"vtu": "series.pvd", "xdmf": "series.xdmf"}


def solve_structure_case(
    case: StructureCase,
    folder: Path,
    *,
    inputs: tuple[Path, ...] = (),
    engine: str | None = None,
    workers: int | None = None,
    share: float | None = None,
    resume: bool = False,
    as_json: bool = False,
    progress: bool | None = None,
) -> None:
    """Read, solve, print and write a case; under MPI every rank solves and the first one writes.

    Args:
        case: the case.
        folder: what its paths are relative to.
        inputs: files that must not be overwritten.
        engine: in place of the case's.
        workers: in place of the case's.
        share: tolerance, in place of the case's.
        resume: whether to go on from the last checkpoint.
        as_json: whether to print JSON alone.
        progress: whether to print the residual table; on a terminal unless given.

    Raises:
        InputError: something cannot be right; nothing long has run.
        typer.Exit: with the exit code, unless every check passed.
    """
    outputs = structure_outputs(case, folder)
    read = [folder / name for name in (case.mesh.file, case.image and case.image.file) if name]
    outputs.check((*read, *inputs))
    mesh, material = mesh_of(case.mesh, folder), material_of(case, folder)
    where: dict[str, Any] = case.points.model_dump()
    where["share"] = _share_of(case.points.share, share)
    where["engine"] = engine or where["engine"]
    where["workers"] = where["workers"] if workers is None else workers
    for name in ("checkpoints", "archive"):
        where[name] = None if where[name] is None else folder / where[name]
    first = where["engine"] != "mpi" or world().Get_rank() == 0
    series = None if case.output.series is None else folder / case.output.folder / case.output.series
    study = solve_structure(
        mesh,
        material,
        supports=case.supports,
        tractions=case.tractions,
        body_force=case.body_force,
        periodic=case.periodic,
        equal=case.equal,
        equations=[_equation_of(table) for table in case.equations],
        order=case.mesh.order,
        plane=case.mesh.plane,
        results=series,
        results_format=case.output.series_format,
        watch=case.output.watch,
        resume=resume,
        progress=progress,
        throw=False,
        **case.path.model_dump(),
        **where,
    )
    if first:
        written = outputs.write_study(study)
        if as_json:
            typer.echo(study.to_json())
        else:
            out = console()
            out.print(str(study), markup=False, highlight=False, soft_wrap=True)
            show_written(
                out,
                written | ({} if series is None else {"series": series / _OPENED[case.output.series_format]}),
            )
    leave(study.passed, study.outcome is Outcome.converged)


def _equation_of(table: EquationTable) -> tuple[list[tuple[tuple[Any, ...], str, float]], Any]:
    return [(tuple(term.place), term.axis, term.coefficient) for term in table.terms], table.value


def _share_of(table: ShareTable | None, tolerance: float | None) -> PathShare | None:
    given = {} if table is None else table.model_dump()
    if tolerance is not None:
        given["tolerance"] = tolerance
    return PathShare(**given) if given else None


def structure_outputs(case: StructureCase, folder: Path) -> Outputs:
    """Return the outputs that a case asks for, their paths settled."""
    base, table = folder / case.output.folder, case.output
    result, report = (None if name is None else base / name for name in (table.result, table.report))
    return Outputs(result, report, title=case.title)


def mesh_of(table: MeshTable, folder: Path) -> SolidMesh:
    """Read or make the mesh of a case.

    Raises:
        InputError: a key is missing, or a number cannot be right.
    """
    if table.file is not None:
        _need(table, "unit", "the unit of the file's coordinates, because mesh files have none")
        return read_mesh(folder / table.file, str(table.unit))
    _need(table, "size", "the edges")
    _need(table, "cells", "the elements along each edge")
    size, cells = list(table.size or ()), list(table.cells or ())
    if table.shape == "box":
        return box_mesh(size, cells, table.element)
    _need(table, "depth", "the depth of the notches")
    _need(table, "opening", "the opening of the notches")
    if len(size) != 2 or len(cells) != 2:
        raise CaseError(
            "mesh.size",
            got=f"{len(size)} edges and {len(cells)} numbers of elements",
            wanted="length and width of the plate, and two numbers of elements",
            cure="give the thickness by its own key",
        )
    return notched_plate(
        *size,
        depth=table.depth,
        opening=table.opening,
        cells=(cells[0], cells[1]),
        thickness=table.thickness,
        layers=table.layers,
        kind=table.element or "quad",
    )


def _need(table: MeshTable, key: str, what: str) -> None:
    if getattr(table, key) is None:
        raise CaseError(f"mesh.{key}", got="nothing", wanted=what, cure=f"add {key} to [mesh]")


def material_of(case: StructureCase, folder: Path) -> Any:
    """Return the law of a case, or the representative volume of its image and laws.

    Raises:
        InputError: a law or an image cannot be right.
    """
    if case.image is None:
        return law_from(case.law, "law")
    image = read_image(case.image, folder)
    laws = {
        label if label == "*" else int(label): law_from(law, f"laws.{label}")
        for label, law in case.laws.items()
    }
    return representative_volume(image, laws, settings=PathSettings(**case.cell.model_dump()))


def law_from(given: Any, name: str) -> Any:
    """Return the law of a table of a case; "void" stays as it is.

    Raises:
        CaseError: it names no kind.
    """
    if given in ("void", {"kind": "void"}):
        return "void"
    if not isinstance(given, dict) or "kind" not in given:
        raise CaseError(
            name,
            got=repr(given),
            wanted="a table with a kind and its parameters, or 'void' in an image",
            cure='write for example kind = "plastic", young = "70 GPa", ...',
        )
    parameters = {key: value for key, value in given.items() if key != "kind"}
    try:
        return constitutive_law(given["kind"], **parameters)
    except InputError as error:
        said = f"{name}: {error.argument}"
        raise CaseError(said, got=error.got, wanted=error.wanted, cure=error.cure) from error
