"""Tables of a constant over the temperature: from pairs, columns or a CSV file, into kelvin and SI."""

import csv
import os
import re
from pathlib import Path
from typing import Any

import numpy as np

from scalebridge.core.errors import FileFormatError, PhaseError, UnitError
from scalebridge.core.units import parse_quantity, registry
from scalebridge.io.stored import nearest, reading

_HEADER = re.compile(r"^\s*(.+?)\s*(?:[\[(]\s*(.*?)\s*[\])])?\s*$")
_TEXT = re.compile(r"^\s*([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)\s*(\S.*?)\s*$")
_CURE = "write for example [('20 degC', '70 GPa'), ('200 degC', '65 GPa')], or a CSV file's path"


def parse_temperature(given: Any, argument: str = "temperature", unit: str = "K") -> float:
    """Read a temperature: a number of kelvins, or text such as "20 degC".

    Args:
        given: the temperature.
        argument: its name, for errors.
        unit: unit of a bare number.

    Returns:
        kelvins, above 0.

    Raises:
        UnitError: text that is no temperature.
        PhaseError: not a finite number above absolute zero.

    Example:
        >>> parse_temperature("20 degC"), parse_temperature(300)
        (293.15, 300.0)
    """
    text = _TEXT.match(given) if isinstance(given, str) else None
    if isinstance(given, str) and text is None:
        raise UnitError(
            argument, got=repr(given), wanted="a temperature", cure="write '20 degC' or '293.15 K'"
        )
    if isinstance(given, bool) or not isinstance(given, str | int | float | np.number | np.ndarray):
        raise PhaseError(argument, got=repr(given), wanted="a temperature", cure="write 293.15 or '20 degC'")
    try:
        number, written = (float(text[1]), text[2]) if text else (float(given), unit)
        kelvin = float(registry().Quantity(number, written.replace("°C", "degC")).to("K").magnitude)
    except Exception as error:  # pint raises many kinds
        raise UnitError(
            argument, got=repr(given), wanted="a temperature", cure="write '20 degC' or '293.15 K'"
        ) from error
    if not (np.isfinite(kelvin) and kelvin > 0):
        raise PhaseError(
            argument, got=f"{given!r}", wanted="a finite temperature above 0 K", cure="write it in K or degC"
        )
    return round(kelvin, 9)


def parse_value(given: Any, unit: str, argument: str, written: Any = None) -> float:
    """Read a finite number: bare in SI or in a unit written beside it, or text with a unit.

    Args:
        given: number or text.
        unit: the SI unit wanted, "1" for none.
        argument: its name, for errors.
        written: unit of bare numbers, None for SI.

    Raises:
        UnitError, PhaseError: no number, or of another unit.

    Example:
        >>> parse_value("70 GPa", "Pa", "young"), parse_value(70, "Pa", "young", written="GPa")
        (70000000000.0, 70000000000.0)
    """
    if isinstance(given, bool | bytes) or not isinstance(given, str | int | float | np.number | np.ndarray):
        raise PhaseError(
            argument, got=repr(given), wanted=f"a number, or text with a unit of {unit}", cure=_HOW
        )
    if isinstance(given, np.ndarray) and given.ndim:
        raise PhaseError(argument, got=f"an array of shape {given.shape}", wanted="one number", cure=_HOW)
    if isinstance(given, str):
        number = parse_quantity(_delta(given), unit, argument)
    elif written is None:
        number = float(given)
    else:
        number = parse_quantity(f"{float(given)!r} {_delta(str(written))}", unit, argument)
    if not np.isfinite(number):
        raise PhaseError(argument, got=repr(given), wanted="a finite number", cure=_HOW)
    return number


_HOW = "write for example 70e9 or '70 GPa'"


def _delta(text: str) -> str:
    """A degree in an expansion's unit is a difference."""
    return text.replace("°C", "degC").replace("delta_degC", "degC").replace("degC", "delta_degC")


def parse_table(
    rows: Any, unit: str, argument: str, written: Any = None, temperature_unit: str = "K"
) -> tuple[np.ndarray, np.ndarray]:
    """Read pairs of temperature and value.

    Args:
        rows: a sequence of pairs, each entry a number or text with a unit.
        unit: SI unit of the values.
        argument: whose table, for errors.
        written: unit of bare values, None for SI.
        temperature_unit: unit of bare temperatures.

    Returns:
        temperatures in K, ascending, and values in SI, at least two.

    Raises:
        PhaseError, UnitError: an entry cannot be read, there are less than two, or a temperature comes twice.

    Example:
        >>> parse_table([("20 degC", "70 GPa"), ("100 degC", "68 GPa")], "Pa", "young")[0].tolist()
        [293.15, 373.15]
    """
    listed = list(rows)
    if len(listed) < 2 or not all(map(_is_pair, listed)):
        raise PhaseError(
            argument,
            got=f"a table of {len(listed)} rows"
            if len(listed) < 2
            else f"a table with the row {_odd(listed)!r}",
            wanted="at least two pairs of temperature and value",
            cure=_CURE,
        )
    where = f"{argument}, table"
    temperatures = np.array([parse_temperature(_scalar(row[0]), where, temperature_unit) for row in listed])
    values = np.array([parse_value(_scalar(row[1]), unit, where, written) for row in listed])
    order = np.argsort(temperatures)
    temperatures, values = temperatures[order], values[order]
    if np.any(np.diff(temperatures) <= 0):
        twice = temperatures[1:][np.diff(temperatures) <= 0][0]
        raise PhaseError(
            argument, got=f"the temperature {twice:g} K twice", wanted="every temperature once", cure=_CURE
        )
    return temperatures, values


def read_temperature_table(
    path: str | os.PathLike[str], constant: str, unit: str, argument: str = "table"
) -> tuple[np.ndarray, np.ndarray]:
    r"""Read a constant's table from a CSV file with units in its header.

    The header is as "temperature [degC], young [GPa], poisson": a column of temperatures, and for the
    constant a column of its name, else one named "value", else the only other one. A column without a unit is
    in K or SI. Lines that begin with # are left out.

    Args:
        path: comma-separated, decimal points, UTF-8.
        constant: the constant's name.
        unit: its SI unit.
        argument: whose table, for errors.

    Returns:
        temperatures in K and values in SI.

    Raises:
        FileFormatError: no such file, or columns that are not these.
        PhaseError, UnitError: an entry or a unit cannot be read.

    Example:
        >>> import tempfile
        >>> file = Path(tempfile.mkdtemp()) / "young.csv"
        >>> _ = file.write_text("temperature [degC], young [GPa]\n20, 70\n100, 68\n")
        >>> read_temperature_table(file, "young", "Pa")[1].tolist()
        [70000000000.0, 68000000000.0]
    """
    file = Path(path)
    if not file.is_file():
        there = [other.name for other in file.parent.glob("*.csv")] if file.parent.is_dir() else []
        raise FileFormatError(
            argument,
            got=f"'{file}', which is not a file",
            wanted="a CSV file",
            cure=nearest(file.name, there),
        )
    with reading(file, "CSV"), file.open(newline="", encoding="utf-8-sig") as stream:
        lines = [line for line in stream if line.strip() and line[0] != "#"]
        cells = [[cell.strip() for cell in row] for row in csv.reader(lines)]
    names, units = _header(cells[0] if cells else [])
    column = _column(names, constant, file, argument)
    at = names.index("temperature")
    if any(len(row) != len(names) for row in cells[1:]):
        raise FileFormatError(
            argument,
            got=f"rows of different length in '{file.name}'",
            wanted=f"{len(names)} cells a row",
            cure="separate cells by commas and write decimals with a point",
        )
    rows = [(_number(row[at], argument, file), _number(row[column], argument, file)) for row in cells[1:]]
    return parse_table(rows, unit, f"{argument}, '{file.name}'", units[column], units[at] or "K")


def _header(cells: list[str]) -> tuple[list[str], list[str | None]]:
    found = [match for cell in cells if (match := _HEADER.match(cell))]
    return [match[1].lower() for match in found], [match[2] or None for match in found]


def _column(names: list[str], constant: str, file: Path, argument: str) -> int:
    others = [name for name in names if name != "temperature"]
    for wanted in (constant, "value", *(others if len(others) == 1 else [])):
        if wanted in others and names.count("temperature") == 1 and names.count(wanted) == 1:
            return names.index(wanted)
    raise FileFormatError(
        argument,
        got=f"'{file.name}' with the columns {names}",
        wanted=f"the columns temperature and {constant} (or value), each once, separated by commas",
        cure=f"begin with a line such as: temperature [degC], {constant}",
    )


def _number(text: str, argument: str, file: Path) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise PhaseError(
            argument, got=f"{text!r} in '{file.name}'", wanted="a number", cure="units stand in the header"
        ) from error


def _scalar(entry: Any) -> Any:
    """NumPy turns a row of mixed entries into text; plain entries pass."""
    return entry.item() if isinstance(entry, np.generic) else entry


def _odd(rows: list[Any]) -> Any:
    return next(row for row in rows if not _is_pair(row))


def _is_pair(row: Any) -> bool:
    return isinstance(row, list | tuple | np.ndarray) and len(row) == 2
