"""From a case to its result: the image read, the question asked."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scalebridge.cells.conductivity import effective_conductivity
from scalebridge.cells.conductivity_job import Settings
from scalebridge.cells.image_input import SHAPE_ONLY, as_image
from scalebridge.cli.case import ConductivityCase, ElasticCase, RveCase
from scalebridge.cli.case_tables import ImageTable
from scalebridge.cli.elastic_case import StiffnessRveCase
from scalebridge.cli.flow_case import PermeabilityCase, PermeabilityRveCase
from scalebridge.cli.outputs import Outputs
from scalebridge.cli.requests import digest_of, outputs_of
from scalebridge.core.errors import InputError
from scalebridge.core.upscaled import Upscaled
from scalebridge.grids.image import VoxelImage
from scalebridge.grids.operations import crop
from scalebridge.io.table import read_phase_table

_WITHOUT_PHASES = ("interface", "permeability", "permeability-rve")
_ELASTIC = ("stiffness", "expansion", "stiffness-rve")


@dataclass(frozen=True)
class Prepared:
    """A case with everything read and checked, before the long work.

    Args:
        case: the case.
        image: the image, cropped.
        phases: conductivities by label, as the face takes them.
        outputs: where results go.
        request: SHA-256 of all that decides the numbers: image, phases, settings and versions.
    """

    case: ConductivityCase
    image: VoxelImage
    phases: dict[Any, Any]
    outputs: Outputs
    request: str


def prepare(case: ConductivityCase, folder: Path, inputs: tuple[Path, ...] = ()) -> Prepared:
    """Check the settings and the places of the outputs, then read what the case names.

    Args:
        case: the case.
        folder: what its paths are relative to.
        inputs: further files that must not be overwritten, such as the case file.

    Raises:
        InputError: something cannot be right; nothing long has run.
    """
    Settings(**case.solve.model_dump())
    image_file = folder / case.image.file
    table = None if case.phases_table is None else folder / case.phases_table
    named = [image_file, *inputs] + ([] if table is None else [table])
    outputs = outputs_of(case.output, folder, case.title)
    outputs.check(tuple(named))
    phases = read_phases(case, folder)
    image = read_image(case.image, folder)
    outputs.check_dimension(image.dim)
    request = request_of(case, image, phases, case.solve.model_dump())
    return Prepared(case, image, phases, outputs, request)


def answer(prepared: Prepared, progress: bool | None) -> Upscaled:
    """Solve a prepared case. A solver that does not converge is told by the result's outcome."""
    settings = prepared.case.solve.model_dump()
    return effective_conductivity(
        prepared.image,
        prepared.phases,
        voxel=SHAPE_ONLY if prepared.case.image.voxel == SHAPE_ONLY else None,
        fields=prepared.outputs.needs_fields,
        progress=progress,
        throw=False,
        **settings,
    )


def read_phases(case: ConductivityCase | RveCase, folder: Path) -> dict[Any, Any]:
    """Return the phases of a case by label, from its tables or from its CSV file."""
    if case.phases_table is not None:
        return dict(read_phase_table(folder / case.phases_table))
    return {label: phase.model_dump(exclude_none=True) for label, phase in case.phases.items()}


def read_image(table: ImageTable, folder: Path) -> VoxelImage:
    """Read and segment the image of a case, and cut out the part asked for."""
    options: dict[str, Any] = {"axes": table.axes, "dataset": table.dataset, "voxel_unit": table.voxel_unit}
    if table.raw is not None:
        options |= table.raw.model_dump()
    image = as_image(
        folder / table.file, voxel=table.voxel, threshold_at=table.threshold, read_options=options
    )
    return image if table.crop is None else crop(image, table.crop.origin, table.crop.size)


def case_from(tables: dict[str, Any], task: str = "conductivity") -> Any:
    """Make a case from options of the command line, leaving out what was not given.

    Args:
        tables: what a case file would say.
        task: the case's task.

    Raises:
        InputError: as for a case file.
    """
    from scalebridge.cli.case_file import validate_case

    if task in _ELASTIC:
        _refuse_no_materials(tables)
    elif task not in _WITHOUT_PHASES and bool(tables.get("phases")) == (
        tables.get("phases_table") is not None
    ):
        raise InputError(
            "--phase",
            got="neither --phase nor --phases-table" if not tables.get("phases") else "both",
            wanted="the conductivity of every phase",
            cure="give --phase '0=0.6 W/m/K' for every label, or --phases-table FILE.csv",
        )
    return validate_case({"task": task, **_without_none(tables)}, "command line")


def _refuse_no_materials(tables: dict[str, Any]) -> None:
    if not tables.get("phases"):
        raise InputError(
            "--phase",
            got="none",
            wanted="the material of every phase",
            cure="give --phase '0=young=3 GPa, poisson=0.35' for every label, or '*=...' for all others",
        )


def _without_none(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    return {key: _without_none(inner) for key, inner in value.items() if inner is not None}


def _label(label: Any) -> str:
    return str(label) if str(label) == "*" else str(int(label))


def request_of(
    case: ConductivityCase
    | RveCase
    | ElasticCase
    | StiffnessRveCase
    | PermeabilityCase
    | PermeabilityRveCase,
    image: VoxelImage,
    phases: dict[Any, Any],
    settings: dict[str, Any],
) -> str:
    """Return the SHA-256 of all that decides a case's numbers.

    Args:
        case: the case.
        image: its image, cropped.
        phases: its phases by label.
        settings: the options that can change a number.
    """
    told = {
        "task": case.task,
        "image": image.content_hash(),
        "voxel": case.image.voxel if image.voxel is None else None,
        "phases": {_label(label): phase for label, phase in phases.items()},
        "solve": settings,
    }
    return digest_of(told)
