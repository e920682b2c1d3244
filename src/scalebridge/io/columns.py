"""Tables of measurements as columns: CSV, Parquet (extra `tables`) and LAS well logs (extra `tables`)."""

import csv
import os
from pathlib import Path
from typing import Any

import numpy as np

from scalebridge.core.errors import FileFormatError
from scalebridge.io.stored import nearest, need, reading

_SUFFIXES = (".csv", ".txt", ".parquet", ".las")


def read_columns(path: str | os.PathLike[str]) -> dict[str, list[Any]]:
    r"""Read a table with a line of column names.

    Args:
        path: `.csv` (comma-separated, decimal points, UTF-8, lines that begin with # left out; `.txt` is read
            alike), `.parquet`, or `.las` (curves as columns, the file's null value as missing).

    Returns:
        lists by column's name, all of the same length: text from CSV ("" where a cell is empty), else numbers
        and text.

    Raises:
        FileFormatError: the file is missing, empty, of another kind, or lines have other numbers of cells.
        MissingExtraError: Parquet or LAS without their package.

    Example:
        >>> import tempfile
        >>> file = Path(tempfile.mkdtemp()) / "plugs.csv"
        >>> _ = file.write_text("core,permeability\n1,120\n1,<0.01\n")
        >>> read_columns(file)
        {'core': ['1', '1'], 'permeability': ['120', '<0.01']}
    """
    file = Path(path)
    if not file.is_file():
        there = [other.name for other in file.parent.glob("*.*")] if file.parent.is_dir() else []
        raise FileFormatError(
            "table", got=f"'{file}', which is not a file", wanted="a table", cure=nearest(file.name, there)
        )
    readers = {".csv": _read_csv, ".txt": _read_csv, ".parquet": _read_parquet, ".las": _read_las}
    if file.suffix.lower() not in readers:
        raise FileFormatError(
            "table",
            got=f"'{file.name}'",
            wanted=f"a file that ends in {', '.join(_SUFFIXES)}",
            cure="save the table as CSV",
        )
    columns = readers[file.suffix.lower()](file)
    if not columns or not len(next(iter(columns.values()))):
        raise FileFormatError(
            "table", got=f"'{file.name}' without rows", wanted="a line a measurement", cure="check the file"
        )
    return columns


def _read_csv(file: Path) -> dict[str, list[Any]]:
    with reading(file, "CSV"), file.open(newline="", encoding="utf-8-sig") as stream:
        lines = [line for line in stream if line.strip() and not line.startswith("#")]
        cells = [[cell.strip() for cell in row] for row in csv.reader(lines)]
    if not cells:
        return {}
    names = cells[0]
    wrong = [name for name in names if not name or names.count(name) > 1]
    if wrong:
        raise FileFormatError(
            "table",
            got=f"'{file.name}' with the columns {names}",
            wanted="a name for each column, each once",
            cure="correct the first line",
        )
    for number, row in enumerate(cells[1:], 1):
        if len(row) != len(names):
            raise FileFormatError(
                "table",
                got=f"{len(row)} cells in row {number} of '{file.name}'",
                wanted=f"{len(names)}, one a column",
                cure="separate cells by commas, write decimals with a point, quote text with commas",
            )
    return {name: [row[i] for row in cells[1:]] for i, name in enumerate(names)}


def _read_parquet(file: Path) -> dict[str, list[Any]]:
    parquet = need("pyarrow.parquet", extra="tables", purpose="reading a Parquet file")
    with reading(file, "Parquet"):
        return dict(parquet.read_table(file).to_pydict())


def _read_las(file: Path) -> dict[str, list[Any]]:
    lasio = need("lasio", extra="tables", purpose="reading a LAS file")
    with reading(file, "LAS"):
        log = lasio.read(str(file))
        curves = {curve.mnemonic: np.asarray(curve.data) for curve in log.curves}
    return {name: data.tolist() for name, data in curves.items()}
