"""From a case of measurements or of scales to its answer: read, look for finished work, ask, print, write."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.text import Text

from scalebridge.cli.answering import conclude_study
from scalebridge.cli.printing import check_rows
from scalebridge.cli.requests import digest_of_files, outputs_of
from scalebridge.cli.statistics_case import InferCase, ScalesCase
from scalebridge.cli.terminal import plain_table, show_written
from scalebridge.core.errors import InputError
from scalebridge.inference.hierarchy_result import MeasurementStudy, findings
from scalebridge.inference.scale_result import TITLES, ScaleSelection, scale_words
from scalebridge.inference.select_scales import select_scales
from scalebridge.inference.upscale_measurements import upscale_measurements
from scalebridge.io.columns import read_columns
from scalebridge.io.stored import nearest
from scalebridge.report.typeset import typeset_number, typeset_unit

Found = MeasurementStudy | ScaleSelection


def answer_infer_case(
    case: InferCase,
    folder: Path,
    *,
    inputs: tuple[Path, ...] = (),
    as_json: bool = False,
    progress: bool | None = None,
    resume: bool = False,
) -> None:
    """Read, infer, print and write a case; the arguments are those of `answering.answer_case`.

    Raises:
        typer.Exit: with the exit code, unless every check passed.
    """
    told = case.measurements.model_dump() | case.upscaled.model_dump() | case.solve.model_dump()
    told["exponent"] = tuple(told["exponent"]) if isinstance(told["exponent"], list) else told["exponent"]
    observed = told.pop("observed")
    told["observed"] = {label: tuple(pair) for label, pair in observed.items()}

    def ask() -> MeasurementStudy:
        return upscale_measurements(folder / case.table, priors=case.priors, **told)

    _conclude(case, folder, ask, show_measurements, inputs=inputs, as_json=as_json, resume=resume)


def answer_scales_case(
    case: ScalesCase,
    folder: Path,
    *,
    inputs: tuple[Path, ...] = (),
    as_json: bool = False,
    progress: bool | None = None,
    resume: bool = False,
) -> None:
    """Do the same for a case of task "scales"."""

    def ask() -> ScaleSelection:
        columns = read_columns(folder / case.table)
        told = case.select.model_dump()
        own, basis = told.pop("columns"), told.pop("basis")
        groups = {
            name: list(zip(*(_column(columns, one, name) for one in _listed(named)), strict=True))
            for name, named in own.items()
        }
        at = None if case.at is None else _column(columns, case.at, "at")
        values = _on_grid(_column(columns, case.value, "value"), case.shape)
        trials = None if case.trials is None else _column(columns, case.trials, "trials")
        return select_scales(values, groups or basis, at=at, trials=trials, unit=case.unit, **told)

    _conclude(case, folder, ask, show_scales, inputs=inputs, as_json=as_json, resume=resume)


def _on_grid(values: list[float], shape: list[int] | None) -> np.ndarray:
    """Return values, on a grid if there is one."""
    found = np.array(values)
    if shape is None:
        return found
    if math.prod(shape) != found.size or min(shape, default=0) < 1:
        raise InputError(
            "shape",
            got=f"{shape}",
            wanted=f"edges of a grid of {found.size} values",
            cure="write shape = [64, 64]",
        )
    return found.reshape(shape)


def _listed(named: str | list[str]) -> list[str]:
    return [named] if isinstance(named, str) else named


def _column(columns: dict[str, list[Any]], name: str, argument: str) -> list[float]:
    if name not in columns:
        raise InputError(argument, got=repr(name), wanted="the name of a column", cure=nearest(name, columns))
    found = []
    for row, cell in enumerate(columns[name], 1):
        try:
            found.append(float(cell))
        except (TypeError, ValueError) as error:
            raise InputError(
                f"column '{name}'", got=f"{cell!r} in row {row}", wanted="a number", cure="correct the cell"
            ) from error
    return found


def _conclude(
    case: InferCase | ScalesCase,
    folder: Path,
    ask: Callable[[], Found],
    show: Callable[[Console, Any, dict[str, Path]], None],
    *,
    inputs: tuple[Path, ...],
    as_json: bool,
    resume: bool,
) -> None:
    """Look for finished work, ask, print, write, leave."""
    outputs = outputs_of(case.output, folder, case.title)
    table = folder / case.table
    outputs.check((table, *inputs))
    request = digest_of_files(case, [table])
    conclude_study(ask, show, outputs, request, as_json=as_json, resume=resume)


def show_measurements(out: Console, study: MeasurementStudy, written: dict[str, Path]) -> None:
    """Print what measurements say: groups, parameters, findings, checks, notes, files."""
    unit = typeset_unit(study.unit)
    name = study.title[:1].upper() + study.title[1:]
    out.print(Text(f"{name}{f', {unit}' if unit else ''}", style="bold"))
    asked = study.wanted is not None
    table = plain_table("group", "n>", "median>", "95 % from>", "to>", *(["more>"] if asked else []))
    for group in (*study.groups, study.everything):
        more = study.further if group is study.everything else group.further
        table.add_row(
            group.label,
            str(group.count),
            Text(typeset_number(group.value, 4), style="bold cyan"),
            typeset_number(group.low, 4),
            typeset_number(group.high, 4),
            *([("none is enough" if more is None else str(more))] if asked else []),
        )
    out.print(table)
    known = plain_table("parameter", "mean>", "std>", "2.5 %>", "97.5 %>")
    for label, numbers in study.parameters.items():
        cells = (numbers[key] for key in ("mean", "std", "2.5 %", "97.5 %"))
        known.add_row(label, *(typeset_number(number, 4) for number in cells))
    out.print(known)
    for sentence in findings(study):
        out.print(Text(sentence))
    _show_end(out, study, written)


def show_scales(out: Console, found: ScaleSelection, written: dict[str, Path]) -> None:
    """Print which scales are chosen: by criterion, by scale, why criteria disagree, checks, notes, files."""
    out.print(Text(f"{len(found.names)} scales, {found.count} values: {found.subsets.method}", style="bold"))
    table = plain_table("criterion", "unknowns>", "scales")
    for name, choice in found.choices.items():
        style = "bold cyan" if name == found.criterion else ""
        table.add_row(TITLES[name], str(choice.unknowns), Text(scale_words(choice.scales), style=style))
    out.print(table)
    often = found.frequencies.get(found.criterion)
    rows = plain_table(
        "scale", "unknowns>", "energy>", "P by BIC>", *(["chosen again>"] if often is not None else [])
    )
    for i, name in enumerate(found.names):
        share = [f"{often[i]:.0%}"] if often is not None else []
        rows.add_row(
            name, str(int(found.sizes[i])), f"{found.energies[i]:.2%}", f"{found.weights[i]:.3f}", *share
        )
    out.print(rows)
    for sentence in found.disagreement:
        out.print(Text(sentence))
    _show_end(out, found, written)


def _show_end(out: Console, found: Found, written: dict[str, Path]) -> None:
    out.print(check_rows(found.checks))
    for note in found.notes:
        out.print(Text(f"note: {note}", style="yellow"))
    out.print(Text(f"{sum(found.provenance.elapsed.values()):.2g} s", style="dim"))
    show_written(out, written)
