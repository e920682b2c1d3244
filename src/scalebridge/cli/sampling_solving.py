"""From a case of a sampling to its draws: models found, asked, printed, written."""

import csv
import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from scalebridge.cli.answering import leave
from scalebridge.cli.exits import nearest_hint
from scalebridge.cli.places import check_place
from scalebridge.cli.printing import check_rows
from scalebridge.cli.sampling_case import DataTable, LevelTable, SampleCase
from scalebridge.cli.terminal import console, plain_table, show_written
from scalebridge.core.errors import FileFormatError, InputError
from scalebridge.engine.store import Store
from scalebridge.inference.command_model import CommandModel
from scalebridge.inference.forward import Level
from scalebridge.inference.parameters import parameter
from scalebridge.inference.sampled import Sampled, findings
from scalebridge.inference.sampling import sample
from scalebridge.inference.umbridge import UmBridgeModel
from scalebridge.report.page import write_report
from scalebridge.report.typeset import typeset_number, typeset_unit

_SUFFIXES = {"report": (".html", ".htm"), "draws": (".nc",), "result": (".json",)}


def sample_case(
    case: SampleCase,
    folder: Path,
    *,
    inputs: tuple[Path, ...] = (),
    as_json: bool = False,
    progress: bool | None = None,
    resume: bool = True,
) -> None:
    """Read, sample, print and write a case; finished blocks are taken from its store.

    Args:
        case: the case.
        folder: what its paths are relative to.
        inputs: files that must not be overwritten.
        as_json: whether to print JSON alone.
        progress: whether to draw a bar; None draws on a terminal.
        resume: whether blocks that are finished are taken from the store; nothing else is left out, since
            what a program or a server answers is known only when it is asked.

    Raises:
        typer.Exit: with the exit code, unless every check passed.
    """
    places = _places(case, folder, inputs)
    parameters = [parameter(name, table.prior, table.unit) for name, table in case.parameters.items()]
    data, noise = _measured(case.data, folder)
    levels = [_level(table, row, folder) for row, table in enumerate(case.levels)]
    settings = case.sample.model_dump(exclude_none=True)
    if "store" in settings:
        settings["store"] = Store(folder / settings["store"], fresh=not resume)
    found = sample(levels, parameters, data=data, noise=noise, progress=progress, **settings)
    written = _write(found, places, case.title)
    if as_json:
        typer.echo(found.to_json())
    else:
        show_sampled(console(), found, written)
    leave(found.passed, converged=True)


def show_sampled(out: Console, found: Sampled, written: dict[str, Path]) -> None:
    """Print what was found: parameters, work, checks, what to change, files."""
    chains, draws = found.values.shape[:2]
    out.print(Text(f"Posterior from {chains} chains of {draws} draws", style="bold"))
    out.print(_rows(found))
    for sentence in findings(found):
        out.print(Text(f"{sentence[:1].upper()}{sentence[1:]}."))
    out.print(check_rows(found.checks))
    for line in found.advice:
        out.print(Text(f"change: {line}", style="bold red"))
    for note in found.notes:
        out.print(Text(f"note: {note}", style="yellow"))
    show_written(out, written)


def _rows(found: Sampled) -> Table:
    table = plain_table("", "unit", "mean>", "std>", "5 %>", "95 %>", "ESS>", "R-hat>")
    for row in found.summary:
        low, _, high = row.quantiles
        numbers = [typeset_number(x, 4) for x in (row.std, low, high)]
        table.add_row(
            row.name,
            typeset_unit(row.unit),
            Text(typeset_number(row.mean, 5), style="bold cyan"),
            *numbers,
            typeset_number(row.ess_bulk, 4),
            f"{row.r_hat:.3f}",
        )
    return table


def _places(case: SampleCase, folder: Path, inputs: tuple[Path, ...]) -> dict[str, Path]:
    base, named = folder / case.output.folder, {}
    for name in ("result", "draws", "report"):
        given = getattr(case.output, name)
        if given is None:
            continue
        path = base / given
        if path.suffix.lower() not in _SUFFIXES[name]:
            raise InputError(
                f"output.{'json' if name == 'result' else name}",
                got=f"'{given}'",
                wanted=f"a file that ends in {', '.join(_SUFFIXES[name])}",
                cure=f"name it '{Path(given).stem}{_SUFFIXES[name][0]}'",
            )
        check_place(name, path, inputs)
        named[name] = path
    return named


def _measured(table: DataTable | None, folder: Path) -> tuple[list[float] | None, Any]:
    if table is None:
        return None, None
    if table.file is None:
        return table.values, table.noise
    values, stds = _read_table(folder / table.file)
    if (stds is None) == (table.noise is None):
        raise InputError(
            "data.noise",
            got="neither noise nor a column std" if stds is None else "noise beside a column std",
            wanted="one of them",
            cure="write noise = 0.01, or a column std",
        )
    return values, stds if table.noise is None else table.noise


def _read_table(file: Path) -> tuple[list[float], list[float] | None]:
    if not file.is_file():
        raise FileFormatError("data.file", got=f"'{file}'", wanted="a CSV file", cure="check the path")
    with file.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    if not rows or "value" not in rows[0]:
        names = [] if not rows else list(rows[0])
        raise FileFormatError(
            "data.file",
            got=f"the columns {', '.join(map(str, names)) or 'of an empty file'}",
            wanted="a column value",
            cure="name the columns value and std in the first line",
        )
    try:
        found = [float(row["value"]) for row in rows]
        return found, [float(row["std"]) for row in rows] if "std" in rows[0] else None
    except (TypeError, ValueError) as error:
        raise FileFormatError(
            "data.file", got=str(error), wanted="numbers", cure="correct the file"
        ) from error


def _level(table: LevelTable, row: int, folder: Path) -> Any:
    if table.url is not None:
        return UmBridgeModel(table.url, table.name, config=table.config, timeout=table.timeout)
    if table.command is not None:
        return CommandModel(table.command, name=table.name, timeout=table.timeout)
    function = _function(str(table.python), f"levels[{row}].python", folder)
    return Level(function, table.name or str(table.python).partition(":")[2])


def _function(place: str, argument: str, folder: Path) -> Callable[..., Any]:
    """Return a function of a Python file beside the case, which is run for it."""
    path, _, name = place.partition(":")
    file = (folder / path).resolve()
    if not name or not file.is_file():
        raise InputError(
            argument,
            got=repr(place),
            wanted="'file.py:function' of a file that is there",
            cure="check the path",
        )
    module = f"_scalebridge_case_{file.stem}"
    spec = importlib.util.spec_from_file_location(module, file)
    if spec is None or spec.loader is None:
        raise InputError(argument, got=repr(place), wanted="a Python file", cure="let it end in .py")
    loaded = importlib.util.module_from_spec(spec)
    sys.modules[module] = loaded
    try:
        spec.loader.exec_module(loaded)
    except Exception as error:  # the file is the caller's, and may raise what it likes
        said = f"'{path}', which cannot be run ({type(error).__name__}: {error})"
        raise InputError(argument, got=said, wanted="a Python file that runs", cure="correct it") from error
    found = getattr(loaded, name, None)
    if not callable(found):
        names = [key for key, value in vars(loaded).items() if callable(value) and not key.startswith("_")]
        raise InputError(
            argument,
            got=f"no function '{name}'",
            wanted=f"a function of '{path}'",
            cure=nearest_hint(name, names),
        )
    return found


def _write(found: Sampled, places: dict[str, Path], title: str | None) -> dict[str, Path]:
    written = {}
    if "draws" in places:
        written["draws"] = found.save_draws(places["draws"])
    if "report" in places:
        written["report"] = write_report(found, places["report"], title=title)
    if "result" in places:
        written["result"] = found.save(places["result"])
    return written
