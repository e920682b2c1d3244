"""From a case of stiffness or expansion to its result: read, ask, print, write, leave."""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import typer

from scalebridge.cells.elastic_job import ElasticSettings
from scalebridge.cells.expansion import effective_expansion
from scalebridge.cells.image_input import SHAPE_ONLY
from scalebridge.cells.stiffness import effective_stiffness
from scalebridge.cells.thermoelastic_table import ThermoelasticTable, effective_thermoelasticity
from scalebridge.cli.answering import conclude, leave, tell_finished
from scalebridge.cli.case import ElasticCase
from scalebridge.cli.elastic_case import ElasticOutputTable, ElasticSolveTable
from scalebridge.cli.elastic_printing import show_elastic, show_table
from scalebridge.cli.elastic_texts import placed_materials, temperatures_from
from scalebridge.cli.outputs import Outputs
from scalebridge.cli.requests import finished, outputs_of
from scalebridge.cli.solving import read_image, request_of
from scalebridge.cli.terminal import console
from scalebridge.core.errors import InputError
from scalebridge.core.results import Outcome
from scalebridge.core.upscaled import Upscaled, plain
from scalebridge.grids.image import VoxelImage
from scalebridge.io.elastic_cards import stiffness_card
from scalebridge.laws.temperature_table import parse_temperature

_NOT_OF_TABLES = ("temperatures", "boundary", "budget")


@dataclass(frozen=True)
class ElasticPrepared:
    """A case with everything read and checked, before the long work.

    Args:
        case: the case.
        image: the image, cropped.
        phases: materials by label, as the face takes them.
        settings: options of the face, the temperature or temperatures among them.
        outputs: where results go.
        request: SHA-256 of all that decides the numbers.
    """

    case: ElasticCase
    image: VoxelImage
    phases: dict[str, Any]
    settings: dict[str, Any]
    outputs: Outputs
    request: str

    @property
    def voxel(self) -> str | None:
        """What the face has to be told of the voxels' size."""
        return SHAPE_ONLY if self.case.image.voxel == SHAPE_ONLY else None


def answer_elastic_case(
    case: ElasticCase,
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
    prepared = prepare_elastic(case, folder, inputs)
    stored = finished(prepared.outputs, prepared.request) if resume else None
    if stored is not None:
        tell_finished(prepared.outputs, stored, as_json)
        code = stored.get("outcome", {}).get("code", Outcome.converged.name)
        leave(bool(stored["passed"]), code == Outcome.converged.name)
    elif "temperatures" in prepared.settings:
        _conclude_table(_table(prepared, progress), prepared, as_json)
    else:
        conclude(_answer(prepared, progress), prepared.outputs, prepared.request, as_json, show_elastic)


def prepare_elastic(case: ElasticCase, folder: Path, inputs: tuple[Path, ...] = ()) -> ElasticPrepared:
    """Check the settings and the places of the outputs, then read what the case names.

    Raises:
        InputError: something cannot be right; nothing long has run.
    """
    settings = _settings(case.solve, case.output)
    phases, tables = placed_materials(dict(case.phases), folder)
    reference = _reference(case.output)
    outputs = outputs_of(case.output, folder, case.title)
    outputs.check((folder / case.image.file, *inputs, *tables))
    outputs = replace(outputs, card_text=lambda *told: _card(case.output, *told))
    if outputs.card is not None and "temperatures" in settings and reference is None and _expands(phases):
        raise InputError(
            "reference_temperature",
            got="none",
            wanted="the temperature at which the thermal strain of the card is zero",
            cure="give --reference-temperature '20 degC', or reference_temperature in [output]",
        )
    image = read_image(case.image, folder)
    contents = {str(file): file.read_text(encoding="utf-8") for file in tables if file.is_file()}
    request = request_of(case, image, phases, {**settings, "tables": contents})
    return ElasticPrepared(case, image, phases, settings, outputs, request)


def _settings(solve: ElasticSolveTable, output: ElasticOutputTable) -> dict[str, Any]:
    """Return the options of the face: those of a table of temperatures, or of one temperature."""
    told = solve.model_dump(exclude_none=True)
    asked = {name: told.pop(name) for name in ("temperature", "temperatures") if name in told}
    ElasticSettings(**told)
    if "temperatures" not in asked:
        return {**told, **asked}
    asked["temperatures"] = temperatures_from(asked["temperatures"])
    wrong = {
        "temperature": "temperature" in asked,
        "boundary": solve.boundary != "periodic",
        "fields": output.fields is not None,
    }
    for name, given in wrong.items():
        if given:
            raise InputError(
                name,
                got=f"{name} beside temperatures",
                wanted="a table of temperatures alone: it is that of the periodic cell, without local fields",
                cure=f"leave {name} out, or ask for one temperature",
            )
    return {name: value for name, value in told.items() if name not in _NOT_OF_TABLES} | asked


def _answer(prepared: ElasticPrepared, progress: bool | None) -> Upscaled:
    ask = effective_stiffness if prepared.case.task == "stiffness" else effective_expansion
    return ask(
        prepared.image,
        prepared.phases,
        voxel=prepared.voxel,
        fields=prepared.outputs.needs_fields,
        progress=progress,
        throw=False,
        **prepared.settings,
    )


def _table(prepared: ElasticPrepared, progress: bool | None) -> ThermoelasticTable:
    if prepared.case.task == "expansion" and not _expands(prepared.phases):
        raise InputError(
            "phases",
            got="no expansion of any phase",
            wanted="a material that expands",
            cure="add for example expansion=23e-6 1/K, or ask for the stiffness",
        )
    return effective_thermoelasticity(
        prepared.image, prepared.phases, voxel=prepared.voxel, progress=progress, **prepared.settings
    )


def _conclude_table(table: ThermoelasticTable, prepared: ElasticPrepared, as_json: bool) -> None:
    """Write a table's files, print it, and leave with its code."""
    output = prepared.case.output
    card = prepared.outputs.card
    text = "" if card is None else _table_card(output, table, card.stem, str(prepared.case.image.file))
    written = prepared.outputs.write_table(table, text, prepared.request)
    if as_json:
        typer.echo(json.dumps(plain(table.to_dict()), indent=2, allow_nan=False))
    else:
        show_table(console(), table, written)
    leave(table.passed, converged=True)


def _card(table: ElasticOutputTable, result: Upscaled, name: str, origin: str) -> str:
    """Return the card of a stiffness, or of an expansion together with the stiffness that comes with it."""
    value = np.asarray(result.value)
    both = value.ndim == 1
    return stiffness_card(
        np.asarray(result.stats["stiffness"]) if both else value,
        name,
        table.dialect,
        expansion=value if both else None,
        reference=_reference(table),
        units=table.units,
        temperature_unit=table.temperature_unit,
        origin=origin,
    )


def _table_card(output: ElasticOutputTable, table: ThermoelasticTable, name: str, origin: str) -> str:
    return stiffness_card(
        table.stiffness,
        name,
        output.dialect,
        expansion=table.expansion,
        temperatures=table.temperatures,
        reference=_reference(output),
        expansion_kind="tangent",
        units=output.units,
        temperature_unit=output.temperature_unit,
        origin=origin,
    )


def _reference(table: ElasticOutputTable) -> float | None:
    given = table.reference_temperature
    return None if given is None else parse_temperature(given, "reference_temperature")


def _expands(phases: dict[str, Any]) -> bool:
    return any(
        isinstance(material, dict) and any(key.startswith("expansion") for key in material)
        for material in phases.values()
    )
