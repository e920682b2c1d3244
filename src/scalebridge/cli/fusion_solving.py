"""From a case of a fusion to its answer: read the sensors, look for finished work, fuse, print, write."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.text import Text

from scalebridge.cli.answering import conclude_study
from scalebridge.cli.fusion_case import ArrayTable, FusionCase, SensorTable
from scalebridge.cli.places import check_place
from scalebridge.cli.printing import check_rows
from scalebridge.cli.requests import digest_of_files, outputs_of
from scalebridge.cli.terminal import plain_table, show_written
from scalebridge.core.errors import InputError
from scalebridge.engine.store import Store
from scalebridge.fusion.field_files import check_field_path, field_paths
from scalebridge.fusion.fuse import fuse
from scalebridge.fusion.fused import Fused, banded, findings
from scalebridge.fusion.fusion_model import FusionModel
from scalebridge.fusion.scene_files import GeoTiffs, open_arrays
from scalebridge.fusion.sensors import Sensor
from scalebridge.fusion.tiled import work_folder
from scalebridge.io.stored import nearest
from scalebridge.report.typeset import typeset_number


def answer_fusion_case(
    case: FusionCase,
    folder: Path,
    *,
    inputs: tuple[Path, ...] = (),
    as_json: bool = False,
    progress: bool | None = None,
    resume: bool = False,
) -> None:
    """Read, fuse, print and write a case; the arguments are those of `answering.answer_case`.

    Raises:
        typer.Exit: with the exit code, unless every check passed.
    """
    outputs = outputs_of(case.output, folder, case.title)
    more = [*([case.classes] if case.classes else []), *case.covariates.values()]
    files = tuple(file for table in case.sensors.values() for file in _files(table, folder))
    files = (*files, *(folder / table.file for table in more))
    outputs.check((*files, *inputs))
    field = None if case.output.field is None else folder / case.output.folder / case.output.field
    if field is not None:
        check_field_path(field)
        stored = field.is_dir() and field.suffix == ".zarr"  # which is a folder, and may be written anew
        check_place("field", field / ".zgroup" if stored else field, (*files, *inputs))
    told = _told(case, folder, field, resume)
    told["progress"] = progress

    told["classes"] = None if case.classes is None else _array(case.classes, folder, "classes")
    told["covariates"] = {n: _array(t, folder, f"covariates.{n}") for n, t in case.covariates.items()}

    def ask() -> Fused:
        found = fuse([_sensor(name, table, folder) for name, table in case.sensors.items()], **told)
        if field is not None and found.written is None:
            found.write(field)
        return found

    again = case.model_copy(update={"solve": case.solve.model_copy(update=_WHO)})
    request = digest_of_files(again, files)
    there = field is None or all(path.exists() for path in field_paths(field))
    conclude_study(ask, show_fusion, outputs, request, as_json=as_json, resume=resume and there)


_WHO = {"engine": "serial", "workers": None, "store": None}  # who does it decides no number


def _told(case: FusionCase, folder: Path, field: Path | None, resume: bool) -> dict[str, Any]:
    model = case.model.model_dump()
    model["priors"] = {name: tuple(pair) for name, pair in model["priors"].items()}
    model["parts"] = tuple(model["parts"])
    solve = case.solve.model_dump()
    keep, tile, store = solve.pop("keep_all"), solve.pop("tile"), solve.pop("store")
    if tile is not None and field is None:
        cure = "write for example field = 'fused.nc' under [output]"
        raise InputError("tile", got=f"{tile} without a file", wanted="a field to be written", cure=cure)
    told: dict[str, Any] = {"model": FusionModel(**model), **solve} | ({"gate": None} if keep else {})
    if tile is not None:
        told |= {"tile": tile, "output": field}
        if not resume:
            shutil.rmtree(work_folder(field), ignore_errors=True)  # type: ignore[arg-type]
    return told if store is None else told | {"store": Store(folder / store, fresh=not resume)}


def _files(table: SensorTable, folder: Path) -> list[Path]:
    named = [table.file] if isinstance(table.file, str) else table.file
    found: list[Path] = []
    for name in named:
        matches = sorted(folder.glob(name)) if "*" in name and not Path(name).is_absolute() else []
        found += matches or [folder / name]
    return found


def _sensor(name: str, table: SensorTable, folder: Path) -> Sensor:
    files = _files(table, folder)
    read = {"file", "variable", "dates", "y", "x", "noise", "footprint", "mask", "quality"}
    told = table.model_dump(exclude=read)
    footprint: Any = tuple(table.footprint) if isinstance(table.footprint, list) else table.footprint
    told |= {"footprint": footprint, "noise": _by_quality(name, table.noise)}
    if files[0].suffix in (".tif", ".tiff"):
        return Sensor(name, **(told | _tiffs(name, table, files)))
    arrays = open_arrays(files[0])

    def named(key: str) -> Any:
        return _named(arrays, key, files[0], f"sensor '{name}'")

    if table.variable is None:
        cure = f"write variable = '{next(iter(arrays))}'"
        raise InputError(
            f"sensor '{name}', variable", got="nothing", wanted="the name of an array", cure=cure
        )
    told["data"] = named(table.variable)
    if isinstance(arrays, dict):
        told["dates"] = named(table.dates) if isinstance(table.dates, str) else table.dates
        told |= {axis: named(key) for axis in "yx" if (key := getattr(table, axis))}
    keys = ("noise", "mask", "quality", "points")
    told |= {key: named(text) for key in keys if isinstance(text := getattr(table, key), str)}
    return Sensor(name, **told)


def _by_quality(sensor: str, noise: Any) -> Any:
    """Noise as it is, or by qualities that are whole numbers, which keys of a table cannot be."""
    if not isinstance(noise, dict):
        return noise
    try:
        return {int(key): std for key, std in noise.items()}
    except ValueError as error:
        got, wanted = ", ".join(noise), "whole numbers, values of the quality band"
        raise InputError(f"sensor '{sensor}', noise", got=got, wanted=wanted, cure="correct it") from error


def _array(table: ArrayTable, folder: Path, what: str) -> Any:
    file = folder / table.file
    return np.asarray(_named(open_arrays(file), table.variable, file, what))


def _tiffs(name: str, table: SensorTable, files: list[Path]) -> dict[str, Any]:
    named = [key for key in ("noise", "mask", "quality", "points") if isinstance(getattr(table, key), str)]
    if named:
        cure = "give a number, or put the arrays into a .nc file"
        raise InputError(f"sensor '{name}'", got=f"{named[0]} by name", wanted="none of GeoTIFFs", cure=cure)
    tiffs = GeoTiffs(files)
    dates = table.dates if isinstance(table.dates, list) else tiffs.dates
    found: dict[str, Any] = {"data": tiffs, "dates": dates}
    return (
        found
        if table.footprint is not None
        else found | {"y": tiffs.y, "x": tiffs.x, "crs": table.crs or tiffs.crs}
    )


def _named(arrays: Any, key: str, file: Path, what: str) -> Any:
    known = [str(name) for name in arrays]
    if key not in known:
        where = f"{what}, {file.name}"
        raise InputError(where, got=repr(key), wanted="the name of an array", cure=nearest(key, known))
    return arrays[key]


def show_fusion(out: Console, found: Fused, written: dict[str, Path]) -> None:
    """Print what was fused: parameters, skill, scenes left out, checks, notes, files."""
    _, rows, columns = found.shape
    sensors = ", ".join(o.name for o in found.problem.observed)
    title = f"Field of {rows} x {columns} pixels{banded(found)} on {len(found.days)} dates from {sensors}"
    out.print(Text(title, style="bold"))
    table = plain_table("parameter", "value>", "within a factor>")
    for name, value in found.parameters.items():
        spread = found.learnt.spread.get(name)
        factor = "known" if spread is None else typeset_number(float(np.exp(min(spread, 20.0))), 3)
        table.add_row(name, Text(typeset_number(value, 4), style="bold cyan"), factor)
    out.print(table)
    if found.held_out:
        skill = plain_table("held out", "RMSE>", "bias>", "in 95 %>", "interpolated>")
        for row in found.held_out:
            base = row.baselines["linear interpolation"]
            name = f"{row.sensor} {row.date}" if found.bands else row.date
            skill.add_row(
                name, typeset_number(row.rmse, 3), typeset_number(row.bias, 2), f"{row.coverage:.1%}",
                typeset_number(base, 3),
            )  # fmt: skip
        out.print(skill)
    for sentence in findings(found):
        out.print(Text(sentence))
    out.print(check_rows(found.checks))
    for note in found.notes:
        out.print(Text(f"note: {note}", style="yellow"))
    out.print(Text(f"{sum(found.provenance.elapsed.values()):.2g} s", style="dim"))
    show_written(out, written)
