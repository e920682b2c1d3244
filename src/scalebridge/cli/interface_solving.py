"""From a case of an interface to its result: read, ask, print, write, leave."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from scalebridge.cells.image_input import SHAPE_ONLY
from scalebridge.cells.interface_energy import effective_gradient_energy
from scalebridge.cells.interface_mobility import effective_mobility
from scalebridge.cli.answering import conclude, leave, tell_finished
from scalebridge.cli.interface_case import InterfaceCase
from scalebridge.cli.interface_texts import across_rows, show_number
from scalebridge.cli.outputs import Outputs
from scalebridge.cli.printing import show_result
from scalebridge.cli.requests import digest_of, finished
from scalebridge.cli.solving import read_image
from scalebridge.core.errors import InputError
from scalebridge.core.results import Outcome
from scalebridge.core.upscaled import Upscaled
from scalebridge.grids.image import VoxelImage

_IMAGE = {"scheme", "boundary", "rtol", "max_steps", "budget"}
_FRONT = {"driving", "depinning", "resolution", "max_steps"}
_COEFFICIENTS = {
    "gradient-energy": ("gradient_energy", "barrier"),
    "conserved-mobility": ("mobility",),
    "kinetic-mobility": ("mobility", "gradient_energy", "barrier"),
}


@dataclass(frozen=True)
class InterfacePrepared:
    """A case with everything read and checked, before the long work.

    Args:
        case: the case.
        medium: the image, cropped, or the layers.
        values: tables by label of each coefficient that is given.
        settings: options of the face.
        outputs: where results go.
        request: SHA-256 of all that decides the numbers.
    """

    case: InterfaceCase
    medium: VoxelImage | list[tuple[Any, int]]
    values: dict[str, dict[int, Any]]
    settings: dict[str, Any]
    outputs: Outputs
    request: str


def answer_interface_case(
    case: InterfaceCase,
    folder: Path,
    *,
    inputs: tuple[Path, ...] = (),
    as_json: bool = False,
    progress: bool | None = None,
    resume: bool = False,
) -> None:
    """Prepare, solve, print and write a case; the arguments are those of `answering.answer_case`.

    Raises:
        typer.Exit: with the exit code, unless every check passed.
    """
    prepared = prepare_interface(case, folder, inputs)
    stored = finished(prepared.outputs, prepared.request) if resume else None
    if stored is not None:
        tell_finished(prepared.outputs, stored, as_json)
        leave(bool(stored["passed"]), stored["outcome"]["code"] == Outcome.converged.name)
        return
    result = _ask(prepared, progress)
    conclude(result, prepared.outputs, prepared.request, as_json, _show)


def prepare_interface(case: InterfaceCase, folder: Path, inputs: tuple[Path, ...] = ()) -> InterfacePrepared:
    """Check the settings and the places of the outputs, then read what the case names.

    Raises:
        InputError: something cannot be right; nothing long has run.
    """
    settings = case.solve.model_dump(exclude_none=True)
    _refuse_foreign(case, settings)
    values = _values(case)
    base = folder / case.output.folder
    placed = [None if path is None else base / path for path in (case.output.result, case.output.report)]
    outputs = Outputs(result=placed[0], report=placed[1], title=case.title)
    outputs.check(inputs if case.image is None else (folder / case.image.file, *inputs))
    if case.image is not None:
        medium: Any = read_image(case.image, folder)
        told = medium.content_hash()
        if case.image.voxel == SHAPE_ONLY:
            settings["voxel"] = SHAPE_ONLY
    else:
        medium = told = [(layer.thickness, layer.phase) for layer in case.layers or []]
    request = _request(case, told, values, settings)
    return InterfacePrepared(case, medium, values, settings, outputs, request)


def _refuse_foreign(case: InterfaceCase, settings: dict[str, Any]) -> None:
    """Refuse settings and coefficients that the quantity has no use for."""
    kinetic = case.quantity == "kinetic-mobility"
    known = _FRONT if kinetic else _IMAGE if case.layers is None else {"normal"}
    if case.quantity == "gradient-energy":
        known = known | {"period"}
    given = {key for phase in case.phases.values() for key in phase.model_dump(exclude_none=True)}
    coefficients = set(_COEFFICIENTS[case.quantity])
    foreign = sorted((set(settings) - known) | (given - coefficients - {"name"}))
    if foreign:
        of = "layers" if case.layers is not None else "an image"
        raise InputError(
            foreign[0],
            got=f"{foreign[0]} with the {case.quantity} of {of}",
            wanted=f"no more than {', '.join(sorted(known | coefficients))}",
            cure=f"leave {foreign[0]} out, or ask for another quantity",
        )


def _values(case: InterfaceCase) -> dict[str, dict[int, Any]]:
    found: dict[str, dict[int, Any]] = {}
    for label, phase in case.phases.items():
        named = {} if phase.name is None else {"name": phase.name}
        for coefficient in _COEFFICIENTS[case.quantity]:
            table = getattr(phase, coefficient)
            if table is not None:
                told = {**named, **table.model_dump(exclude_none=True)}
                found.setdefault(coefficient, {})[int(label)] = told
    first = _COEFFICIENTS[case.quantity][0]
    if first not in found:
        raise InputError(
            first,
            got="none",
            wanted=f"the {first.replace('_', ' ')} of every phase",
            cure=f"give --{first.replace('_', '-')} '0=...' for every label, or {first} in [phases.LABEL]",
        )
    return found


def _request(case: InterfaceCase, medium: Any, values: dict[str, Any], settings: dict[str, Any]) -> str:
    told = {
        "task": case.task,
        "quantity": case.quantity,
        "medium": medium,
        "voxel": None if case.image is None else case.image.voxel,
        "values": values,
        "solve": settings,
    }
    return digest_of(told)


def _ask(prepared: InterfacePrepared, progress: bool | None) -> Upscaled:
    values, settings = prepared.values, prepared.settings
    told: dict[str, Any] = {"progress": progress} if prepared.case.image is not None else {}
    if prepared.case.quantity == "gradient-energy":
        told |= {"throw": False} if prepared.case.image is not None else {}
        return effective_gradient_energy(
            prepared.medium,
            values["gradient_energy"],
            barrier=values.get("barrier"),
            **settings,
            **told,
        )
    if prepared.case.quantity == "conserved-mobility":
        return effective_mobility(
            prepared.medium, values["mobility"], kind="conserved", throw=False, **settings, **told
        )
    return effective_mobility(
        prepared.medium,
        values["mobility"],
        kind="kinetic",
        gradient_energy=values.get("gradient_energy"),
        barrier=values.get("barrier"),
        throw=False,
        **settings,
    )


def _show(out: Console, result: Upscaled, written: dict[str, Path]) -> None:
    """Print a tensor as any tensor, a number as a line."""
    if not result.value.ndim:
        show_number(out, result, written)
        return
    show_result(out, result, written)
    if "interface" in result.stats:
        out.print(across_rows(result.stats["interface"], result.unit))
