"""Phase tables: values of phases from a CSV file."""

import csv
import math
import os
from pathlib import Path
from typing import Any

from scalebridge.core.errors import FileFormatError, PhaseError
from scalebridge.core.units import split_quantity
from scalebridge.io.stored import nearest, reading

_NEEDED = ("phase", "value", "unit")
_KNOWN = (*_NEEDED, "std", "name")


def read_phase_table(path: str | os.PathLike[str]) -> dict[int, dict[str, Any]]:
    r"""Read phases and their values from a CSV file with a line of column names.

    Columns: `phase` (the label in the image, a whole number), `value`, `unit`; and if wanted `std` (standard
    deviation in the same unit, empty for none) and `name`. Lines that begin with # are left out.

    Args:
        path: the CSV file, comma-separated, decimal points, UTF-8.

    Returns:
        by label {"value": "7.7 W/m/K"}, with "std": 0.3 (in the same unit) and "name" where given: what the
        functions that take `phases` accept.

    Raises:
        FileFormatError: the file is missing, empty, or its columns are not these.
        PhaseError: a label is not a whole number or comes twice, or a number is not one.
        UnitError: a unit is not known.

    Example:
        >>> import tempfile
        >>> file = Path(tempfile.mkdtemp()) / "phases.csv"
        >>> _ = file.write_text("phase,value,unit,std\n0,0.6,W/m/K,\n1,7.7,W/m/K,0.3\n")
        >>> read_phase_table(file)
        {0: {'value': '0.6 W/m/K'}, 1: {'value': '7.7 W/m/K', 'std': 0.3}}
    """
    file = Path(path)
    rows = _rows(file)
    phases: dict[int, dict[str, Any]] = {}
    for line, row in rows:
        label = _label(row["phase"], line)
        if label in phases:
            raise PhaseError(
                "phase",
                got=f"{label} again in line {line}",
                wanted="every label once",
                cure="remove one of the lines",
            )
        phases[label] = _entry(row, line)
    return phases


def _rows(file: Path) -> list[tuple[int, dict[str, str]]]:
    """Return the lines with their numbers, after a check of the columns."""
    if not file.is_file():
        there = [other.name for other in file.parent.glob("*.csv")] if file.parent.is_dir() else []
        raise FileFormatError(
            "path", got=f"'{file}', which is not a file", wanted="a CSV file", cure=nearest(file.name, there)
        )
    with reading(file, "CSV"), file.open(newline="", encoding="utf-8-sig") as stream:
        lines = [(number, line) for number, line in enumerate(stream, 1) if line.strip() and line[0] != "#"]
    cells = [(number, [cell.strip() for cell in next(csv.reader([line]))]) for number, line in lines]
    columns = [column.lower() for column in cells[0][1]] if cells else []
    _check_columns(file, columns)
    for number, row in cells[1:]:
        if len(row) != len(columns):
            raise FileFormatError(
                "path",
                got=f"{len(row)} cells in line {number} of '{file.name}'",
                wanted=f"{len(columns)}, one a column",
                cure="separate cells by commas, write decimals with a point, quote text with commas",
            )
    if len(cells) < 2:
        raise FileFormatError(
            "path",
            got=f"'{file.name}' without phases",
            wanted="a line a phase",
            cure="add lines such as 0,0.6,W/m/K",
        )
    return [(number, dict(zip(columns, row, strict=True))) for number, row in cells[1:]]


def _check_columns(file: Path, columns: list[str]) -> None:
    wrong = [column for column in columns if column not in _KNOWN]
    missing = [column for column in _NEEDED if column not in columns]
    twice = len(set(columns)) != len(columns)
    if wrong or missing or twice:
        cure = (
            nearest(wrong[0], _KNOWN)
            if wrong and len(columns) > 1
            else "begin with the line phase,value,unit,std"
        )
        raise FileFormatError(
            "path",
            got=f"'{file.name}' with the columns {columns}",
            wanted="phase, value, unit and if wanted std, name, each once, separated by commas",
            cure=cure,
        )


def _label(text: str, line: int) -> int:
    try:
        return int(text)
    except ValueError as error:
        raise PhaseError(
            "phase",
            got=f"{text!r} in line {line}",
            wanted="a whole number",
            cure="write the image's label, such as 0",
        ) from error


def _entry(row: dict[str, str], line: int) -> dict[str, Any]:
    value = _number(row["value"], "value", line)
    unit = row["unit"]
    quantity = f"{value!r} {unit}" if unit not in {"", "1"} else repr(value)
    split_quantity(quantity, f"unit in line {line}")
    entry: dict[str, Any] = {"value": quantity}
    if row.get("std"):
        std = _number(row["std"], "std", line)
        if std < 0:
            raise PhaseError(
                "std",
                got=f"{std} in line {line}",
                wanted="a number of 0 or more",
                cure="leave the cell empty for none",
            )
        entry["std"] = std
    if row.get("name"):
        entry["name"] = row["name"]
    return entry


def _number(text: str, column: str, line: int) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise PhaseError(
            column, got=f"{text!r} in line {line}", wanted="a finite number", cure="write it as 7.7 or 7.7e0"
        )
    return number
