"""From a case of a fusion to its answer: read the sensors, look for finished work, fuse, print, write."""

from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.text import Text

from scalebridge.cli.answering import conclude_study
from scalebridge.cli.fusion_case import FusionCase, SensorTable
from scalebridge.cli.places import check_place
from scalebridge.cli.printing import check_rows
from scalebridge.cli.solving import digest_of_files, outputs_of
from scalebridge.cli.terminal import plain_table, show_written
from scalebridge.core.errors import FileFormatError, InputError
from scalebridge.fusion.field_files import need_package
from scalebridge.fusion.fuse import fuse
from scalebridge.fusion.fused import Fused, findings
from scalebridge.fusion.fusion_model import FusionModel
from scalebridge.fusion.sensors import Sensor
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
    files = tuple(folder / table.file for table in case.sensors.values())
    outputs.check((*files, *inputs))
    field = None if case.output.field is None else folder / case.output.folder / case.output.field
    if field is not None:
        check_place("field", field, (*files, *inputs))

    def ask() -> Fused:
        found = fuse([_sensor(name, table, folder) for name, table in case.sensors.items()], **_told(case))
        if field is not None:
            found.write(field)
        return found

    request = digest_of_files(case, files)
    conclude_study(ask, show_fusion, outputs, request, as_json=as_json, resume=resume and field is None)


def _told(case: FusionCase) -> dict[str, Any]:
    model = case.model.model_dump()
    model["priors"] = {name: tuple(pair) for name, pair in model["priors"].items()}
    model["parts"] = tuple(model["parts"])
    solve = case.solve.model_dump()
    keep = solve.pop("keep_all")
    return {"model": FusionModel(**model), **solve} | ({"gate": None} if keep else {})


def _sensor(name: str, table: SensorTable, folder: Path) -> Sensor:
    file = folder / table.file
    told = table.model_dump(exclude={"file", "variable", "dates", "y", "x", "noise", "footprint"})
    footprint: Any = tuple(table.footprint) if isinstance(table.footprint, list) else table.footprint
    arrays = _arrays(file)
    told |= {"data": _named(arrays, table.variable, file, name)}
    if isinstance(arrays, dict):
        given = table.dates
        told["dates"] = _named(arrays, given, file, name) if isinstance(given, str) else given
        told |= {axis: _named(arrays, key, file, name) for axis in "yx" if (key := getattr(table, axis))}
    noise = _named(arrays, table.noise, file, name) if isinstance(table.noise, str) else table.noise
    return Sensor(name, footprint=footprint, noise=noise, **told)


def _arrays(file: Path) -> Any:
    """Return what a file holds: arrays by name, or an xarray Dataset."""
    if not file.is_file():
        raise FileFormatError(
            str(file), got="no such file", wanted="a .npz or .nc file", cure="correct its name"
        )
    if file.suffix == ".npz":
        try:
            with np.load(file) as held:
                return {key: held[key] for key in held.files}
        except (OSError, ValueError) as error:
            raise FileFormatError(
                str(file), got=str(error), wanted="an .npz file", cure="write it anew"
            ) from error
    if file.suffix in (".nc", ".nc4", ".h5"):
        need_package("h5netcdf", "NetCDF")
        try:
            return need_package("xarray", "NetCDF").load_dataset(file, engine="h5netcdf")
        except (OSError, ValueError) as error:
            raise FileFormatError(str(file), got=str(error), wanted="NetCDF", cure="write it anew") from error
    raise FileFormatError(
        str(file), got=f"the suffix '{file.suffix}'", wanted=".npz or .nc", cure="convert it"
    )


def _named(arrays: Any, key: str, file: Path, sensor: str) -> Any:
    known = [str(name) for name in arrays]
    if key not in known:
        where = f"sensor '{sensor}', {file.name}"
        raise InputError(where, got=repr(key), wanted="the name of an array", cure=nearest(key, known))
    return arrays[key]


def show_fusion(out: Console, found: Fused, written: dict[str, Path]) -> None:
    """Print what was fused: parameters, skill, scenes left out, checks, notes, files."""
    _, rows, columns = found.shape
    sensors = ", ".join(o.name for o in found.problem.observed)
    title = f"Field of {rows} x {columns} pixels on {len(found.days)} dates from {sensors}"
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
            skill.add_row(
                row.date, typeset_number(row.rmse, 3), typeset_number(row.bias, 2), f"{row.coverage:.1%}",
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
