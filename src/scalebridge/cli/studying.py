"""From a case of a study of subvolumes to its answer: read, look for finished work, ask, print, write."""

from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from scalebridge.cells.conductivity_rve import conductivity_rve_study
from scalebridge.cells.image_input import SHAPE_ONLY
from scalebridge.cells.permeability_job import pore_labels
from scalebridge.cells.permeability_rve import permeability_rve_study
from scalebridge.cells.stiffness_rve import stiffness_rve_study
from scalebridge.cli.answering import conclude_study
from scalebridge.cli.case import RveCase
from scalebridge.cli.elastic_case import StiffnessRveCase
from scalebridge.cli.elastic_printing import material_rows
from scalebridge.cli.elastic_texts import placed_materials
from scalebridge.cli.flow_case import PermeabilityRveCase
from scalebridge.cli.outputs import Outputs
from scalebridge.cli.printing import check_rows, input_rows
from scalebridge.cli.requests import outputs_of
from scalebridge.cli.solving import read_image, read_phases, request_of
from scalebridge.cli.terminal import plain_table, show_written
from scalebridge.engine.executors import check_engine
from scalebridge.engine.store import Store
from scalebridge.report.study_section import study_headline, study_sentences
from scalebridge.report.typeset import typeset_number, typeset_unit
from scalebridge.upscaling.rve_result import RveStudy

_WHERE = ("engine", "workers", "store")  # settings that change no number


def study_case(
    case: RveCase,
    folder: Path,
    *,
    inputs: tuple[Path, ...] = (),
    as_json: bool = False,
    progress: bool | None = None,
    resume: bool = False,
) -> None:
    """Read, study, print and write a case; the arguments are those of `answering.answer_case`.

    Raises:
        typer.Exit: with the exit code, unless every check passed.
    """
    tables = [] if case.phases_table is None else [folder / case.phases_table]
    outputs, settings = _places(case, folder, (*inputs, *tables))
    phases, image = read_phases(case, folder), read_image(case.image, folder)
    request = request_of(case, image, phases, _decisive(settings))

    def ask() -> RveStudy:
        return conductivity_rve_study(image, phases, progress=progress, **settings)

    conclude_study(ask, show_study, outputs, request, as_json=as_json, resume=resume)


def study_stiffness_case(
    case: StiffnessRveCase,
    folder: Path,
    *,
    inputs: tuple[Path, ...] = (),
    as_json: bool = False,
    progress: bool | None = None,
    resume: bool = False,
) -> None:
    """Do the same for a case of task "stiffness-rve".

    Raises:
        typer.Exit: with the exit code, unless every check passed.
    """
    phases, tables = placed_materials(dict(case.phases), folder)
    outputs, settings = _places(case, folder, (*inputs, *tables))
    image = read_image(case.image, folder)
    contents = {str(file): file.read_text(encoding="utf-8") for file in tables if file.is_file()}
    request = request_of(case, image, phases, {**_decisive(settings), "tables": contents})

    def ask() -> RveStudy:
        return stiffness_rve_study(image, phases, progress=progress, **settings)

    conclude_study(ask, show_study, outputs, request, as_json=as_json, resume=resume)


def study_permeability_case(
    case: PermeabilityRveCase,
    folder: Path,
    *,
    inputs: tuple[Path, ...] = (),
    as_json: bool = False,
    progress: bool | None = None,
    resume: bool = False,
) -> None:
    """Do the same for a case of task "permeability-rve".

    Raises:
        typer.Exit: with the exit code, unless every check passed.
    """
    outputs, settings = _places(case, folder, inputs)
    image = read_image(case.image, folder)
    pores = pore_labels(case.pore, image, None)
    request = request_of(case, image, dict.fromkeys(pores, "pore"), _decisive(settings))
    voxel = SHAPE_ONLY if case.image.voxel == SHAPE_ONLY else None

    def ask() -> RveStudy:
        return permeability_rve_study(image, pore=pores, voxel=voxel, progress=progress, **settings)

    conclude_study(ask, show_study, outputs, request, as_json=as_json, resume=resume)


def _places(
    case: RveCase | StiffnessRveCase | PermeabilityRveCase, folder: Path, inputs: tuple[Path, ...]
) -> tuple[Outputs, dict[str, Any]]:
    """Settle where results go, and refuse an engine or a store that cannot be."""
    outputs = outputs_of(case.output, folder, case.title)
    outputs.check((folder / case.image.file, *inputs))
    settings = case.study.model_dump()
    check_engine(settings["engine"], settings["workers"])
    if settings["store"] is not None:
        settings["store"] = Store(folder / settings["store"]).folder
    return outputs, settings


def _decisive(settings: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in settings.items() if name not in _WHERE}


def show_study(out: Console, study: RveStudy, written: dict[str, Path]) -> None:
    """Print a study: inputs, sizes, what follows from them, checks, notes, files."""
    unit = typeset_unit(study.unit)
    name = study.spec.name[:1].upper() + study.spec.name[1:]
    out.print(Text(f"{name} of subvolumes{f', {unit}' if unit else ''}", style="bold"))
    elastic = study.spec.shape == (6, 6)
    out.print(material_rows(study.inputs) if elastic else input_rows(study.inputs))
    out.print(_sizes(study))
    for sentence in study_sentences(study):
        out.print(Text(sentence))
    number, shown, meaning = study_headline(study)
    if number:
        out.print(Text(f"{number} {shown}", style="bold cyan").append(f": {meaning}", style="default"))
    out.print(check_rows(study.checks))
    for note in study.notes:
        out.print(Text(f"note: {note}", style="yellow"))
    out.print(Text(_work(study.stats, study.provenance.elapsed), style="dim"))
    show_written(out, written)


def _sizes(study: RveStudy) -> Table:
    table = plain_table(
        "voxels>", "solved>", "of>", "mean>", "95 % of the mean>", "std>", "std/mean>", "zero>"
    )
    for s in study.sizes:
        scalar = s.scalar
        table.add_row(
            " x ".join(map(str, s.size)),
            str(s.count),
            str(s.available),
            Text(typeset_number(scalar.mean, 5), style="bold cyan"),
            f"± {typeset_number(scalar.half_width, 2)}",
            typeset_number(scalar.std, 3),
            f"{scalar.std / scalar.mean:.2%}" if scalar.mean else "",
            str(s.zeros),
        )
    return table


def _work(stats: dict[str, Any], elapsed: dict[str, float]) -> str:
    told = f"{stats['computed']} subvolumes solved"
    if stats["reused"]:
        told += f", {stats['reused']} found finished"
    if stats["damaged"]:
        told += f", {stats['damaged']} stored files were damaged and solved again"
    return f"{told}, {sum(elapsed.values()):.2g} s"
