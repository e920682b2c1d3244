"""Results on a terminal, with Rich. Imported by verbs that have something to print."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table
from rich.text import Text

from scalebridge.cli.terminal import plain_table, show_written, verdict_text
from scalebridge.core.checks import Check
from scalebridge.core.results import Outcome
from scalebridge.core.upscaled import Bound, Upscaled, uncertainty_lines
from scalebridge.report.typeset import (
    MISSING,
    align,
    power_of_ten,
    typeset_estimate,
    typeset_number,
    typeset_unit,
)

_AXES = "xyz"


def show_result(out: Console, result: Upscaled, written: Mapping[str, Path]) -> None:
    """Print a result: inputs, tensor with unit and spread, bounds, sensitivities, checks, notes, files."""
    out.print(Text(_title(result), style="bold"))
    out.print(input_rows(result.inputs))
    out.print(_tensor(result))
    for line in [*uncertainty_lines(result), *_bounds(result)]:
        out.print(line)
    if any(value is not None for value in result.derivatives.values()):
        out.print(_derivatives(result))
    out.print(check_rows(result.checks))
    for note in result.notes:
        out.print(Text(f"note: {note}", style="yellow"))
    if result.outcome is not Outcome.converged:
        out.print(Text(result.outcome.sentence, style="bold red"))
    if work := work_line(result):
        out.print(Text(work, style="dim"))
    show_written(out, written)


def _title(result: Upscaled) -> str:
    unit = typeset_unit(result.unit)
    return result.spec.name[0].upper() + result.spec.name[1:] + (f", {unit}" if unit else "")


def input_rows(inputs: Mapping[str, Mapping[str, Any]]) -> Table:
    """Return the inputs of a result as a table: key, name, value with its spread, fraction."""
    table = plain_table("", "", "value>", "fraction>")
    for key, given in inputs.items():
        name = given.get("name", key)
        value = np.asarray(given["value"], dtype=float)
        shown = (
            typeset_estimate(float(value), given.get("std"))
            if value.ndim == 0
            else ", ".join(typeset_number(float(x)) for x in np.ravel(value))
        )
        table.add_row(
            key, "" if name == key else name, shown, typeset_number(given.get("fraction", np.nan), 5)
        )
    return table


def _tensor(result: Upscaled) -> Table:
    table, std = np.asarray(result.value, dtype=float), result.std
    small = np.abs(table) < 1e-12 * (np.abs(table).max() or 1.0)  # rounding, not numbers
    cells, exponent = align(np.where(small, 0.0, table), std)
    grid = Table.grid(padding=(0, 3))
    unit = typeset_unit(result.unit)
    scale = f"\u00d7 {power_of_ten(exponent)} " if exponent else ""
    for row, axis in enumerate(_AXES[: len(table)]):
        numbers = [
            Text(str(cell), style="bold cyan" if column == row else "")
            for column, cell in enumerate(cells[row])
        ]
        grid.add_row(f"  {axis}", *numbers, f"{scale}{unit}" if row == 0 else "")
    return grid


def _bounds(result: Upscaled) -> list[str]:
    lines = []
    for name, bound in result.bounds.items():
        low, high = (_principal(side) for side in (bound.lower, bound.upper))
        lines.append(f"{_bound_name(name, bound)}: {low} to {high}")
    return lines


def _bound_name(name: str, bound: Bound) -> str:
    of = "diagonals" if np.ndim(bound.lower) == 2 else bound.holds_for
    return f"{name} ({of}; {bound.source})"


def _principal(side: Any) -> str:
    side = np.asarray(side, dtype=float)
    if side.ndim == 0:
        return typeset_number(float(side))
    shown = list(dict.fromkeys(typeset_number(float(x)) for x in np.diagonal(side)))
    return shown[0] if len(shown) == 1 else "(" + ", ".join(shown) + ")"


def _derivatives(result: Upscaled) -> Table:
    dim = len(result.value)
    table = plain_table("derivative by", *(f"{axis}{axis}>" for axis in _AXES[:dim]))
    for name, slope in result.derivatives.items():
        if slope is None:
            table.add_row(name, *[MISSING] * dim)
        elif np.ndim(slope) == 2:
            table.add_row(name, *(typeset_number(float(x), 4) for x in np.diagonal(slope)))
    return table


def check_rows(checks: tuple[Check, ...]) -> Table:
    """Return checks as a table: name, verdict, number, tolerance."""
    table = plain_table("check", "", "found>", "", "tolerance>")
    for check in checks:
        table.add_row(
            check.name,
            verdict_text(check.passed),
            f"{check.value:.3g}",
            check.relation,
            f"{check.tolerance:.3g}",
        )
    return table


def work_line(result: Upscaled) -> str:
    """Return iterations and time in a line."""
    steps = result.stats.get("steps")
    told = [] if steps is None else [f"iterations {', '.join(map(str, steps))}"]
    seconds = sum(result.provenance.elapsed.values())
    return ", ".join([*told, f"{seconds:.2g} s"] if seconds else told)
