"""Stiffnesses and expansions on a terminal."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table
from rich.text import Text

from scalebridge.cells.thermoelastic_table import ThermoelasticTable
from scalebridge.cli.printing import check_rows, work_line
from scalebridge.cli.terminal import plain_table, show_written
from scalebridge.core.results import Outcome
from scalebridge.core.upscaled import Upscaled
from scalebridge.report.expansion_section import expansion_sentences
from scalebridge.report.figures_modulus import pressure_unit
from scalebridge.report.looks import looks_of
from scalebridge.report.stiffness_facts import COMPONENTS, is_stiffness, stiffness_facts
from scalebridge.report.stiffness_section import stiffness_sentences
from scalebridge.report.stiffness_tables import bound_rows, constants_text, relative_slopes
from scalebridge.report.typeset import align, typeset_number

_MOST_SLOPES = 24


def show_elastic(out: Console, result: Upscaled, written: Mapping[str, Path]) -> None:
    """Print a result: inputs, tensor in Mandel notation, words, bounds, slopes, checks, notes, files."""
    facts = stiffness_facts(result) if is_stiffness(result) else None
    out.print(Text(f"{result.spec.name[:1].upper()}{result.spec.name[1:]}, Mandel notation", style="bold"))
    out.print(material_rows(result.inputs))
    if is_stiffness(result):
        out.print(_matrix(result))
        said = stiffness_sentences(result, facts, looks_of(result))
    else:
        out.print(_vector(result))
        said = expansion_sentences(result)
    for sentence in said[:-1]:
        out.print(Text(sentence))
    if is_stiffness(result):
        for line in _bounds(result):
            out.print(line)
    if facts is not None and (slopes := relative_slopes(result, facts)):
        out.print(_slopes(slopes))
    out.print(check_rows(result.checks))
    for note in result.notes:
        out.print(Text(f"note: {note}", style="yellow"))
    if result.outcome is not Outcome.converged:
        out.print(Text(result.outcome.sentence, style="bold red"))
    if work := work_line(result):
        out.print(Text(work, style="dim"))
    show_written(out, written)


def show_table(out: Console, table: ThermoelasticTable, written: Mapping[str, Path]) -> None:
    """Print a table over temperature: inputs, moduli and expansion a row, checks, notes, files."""
    out.print(Text("Effective stiffness and expansion over temperature, Mandel notation", style="bold"))
    out.print(material_rows(table.inputs or {}))
    out.print(_rows(table))
    out.print(check_rows(table.checks))
    for note in table.notes:
        out.print(Text(f"note: {note}", style="yellow"))
    seconds = sum(table.provenance.elapsed.values())
    out.print(Text(f"iterations {int(table.steps.sum())}, {seconds:.2g} s", style="dim"))
    show_written(out, written)


def _rows(table: ThermoelasticTable) -> Table:
    """One row a temperature: diagonal of the stiffness, Young's modulus, expansion along the axes."""
    scale, unit = pressure_unit(float(np.abs(table.stiffness).max()))
    expanding = table.expansion is not None
    grown = [f"alpha {name}, 10⁻⁶/K>" for name in COMPONENTS[6][:3]] if expanding else []
    shown = plain_table("T, K>", *(f"C {name}, {unit}>" for name in COMPONENTS[6]), *grown)
    for row, temperature in enumerate(table.temperatures):
        cells = [typeset_number(float(x) / scale, 4, trim=False) for x in np.diag(table.stiffness[row])]
        if table.expansion is not None:
            cells += [typeset_number(float(x) / 1e-6, 4, trim=False) for x in table.expansion[row, :3]]
        shown.add_row(typeset_number(float(temperature), 5), *cells)
    return shown


def material_rows(inputs: Mapping[str, Mapping[str, Any]]) -> Table:
    """Return the materials of a result as a table: key, name, constants, fraction."""
    table = plain_table("", "", "constants", "fraction>")
    for key, given in inputs.items():
        name = given.get("name", key)
        fraction = typeset_number(given.get("fraction", np.nan), 5)
        table.add_row(key, "" if name == key else str(name), constants_text(dict(given)), fraction)
    return table


def _matrix(result: Upscaled) -> Table:
    value = np.asarray(result.value, dtype=float)
    scale, unit = pressure_unit(float(np.abs(value).max()))
    small = np.abs(value) < 1e-12 * (np.abs(value).max() or 1.0)  # rounding, not numbers
    std = None if result.std is None else np.broadcast_to(np.asarray(result.std), value.shape) / scale
    cells, _ = align(np.where(small, 0.0, value) / scale, std)
    grid = Table.grid(padding=(0, 2))
    names = COMPONENTS[len(value)]
    grid.add_row("", *(Text(name, style="dim", justify="right") for name in names), "")
    for row, name in enumerate(names):
        numbers = [
            Text(str(cell), style="bold cyan" if column == row else "")
            for column, cell in enumerate(cells[row])
        ]
        grid.add_row(f"  {name}", *numbers, unit if row == 0 else "")
    return grid


def _vector(result: Upscaled) -> Table:
    value = np.asarray(result.value, dtype=float) / 1e-6
    std = None if result.std is None else np.asarray(result.std) / 1e-6
    cells, _ = align(value, std)
    grid = Table.grid(padding=(0, 2))
    for row, name in enumerate(COMPONENTS[len(value)]):
        grid.add_row(f"  {name}", Text(str(cells[row]), style="bold cyan"), "10⁻⁶/K" if row == 0 else "")
    return grid


def _bounds(result: Upscaled) -> list[str]:
    found = [row for row in bound_rows(result) if not row[1].startswith("C ")]
    if not found:
        return []
    scale, unit = pressure_unit(max(abs(row[3]) for row in found) or 1.0)
    return [
        f"{name} ({what} modulus; {result.bounds[name].source}): {typeset_number(low / scale, 5)} to "
        f"{typeset_number(high / scale, 5)} {unit}"
        for name, what, low, high, _ in found
    ]


def _slopes(slopes: dict[str, dict[str, float]]) -> Table:
    """Print by how many percent the nearest isotropic moduli change with one percent of a constant."""
    table = plain_table("one percent more of", "E, %>", "K, %>", "G, %>")
    for name, found in list(slopes.items())[:_MOST_SLOPES]:
        table.add_row(name, *(typeset_number(found[key], 3) for key in ("E", "K", "G")))
    return table
