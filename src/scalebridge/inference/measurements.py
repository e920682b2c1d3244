"""Columns of a table as measurements: read, refused where they cannot be right, and sorted into a tree."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from scalebridge.core.errors import InputError
from scalebridge.core.units import parse_quantity
from scalebridge.inference.hierarchy_tree import Tree
from scalebridge.inference.matern import ORDERS, Correlation
from scalebridge.io.stored import nearest

Distribution = Literal["log-normal", "normal"]
Logarithm = Literal["log10", "ln"]
Columns = Mapping[str, Sequence[Any]]
_BASES = {"log10": 10.0, "ln": math.e}
_MISSING = {"", "nan", "na", "none", "null"}


@dataclass(frozen=True)
class Measurements:
    """Measurements in the coordinate in which they are Gaussian: the logarithm, or the value itself, in SI.

    Args:
        tree: rows below samples below groups; the last column of rows is the coordinate.
        below: whether a measurement only says that the value is below it, (n,).
        above: whether it only says that the value is above it, (n,).
        levels: names of the levels from coarse to fine.
        labels: of each level, the groups' labels in full ("well A / core 1").
        row: line of the table of each measurement, from 0.
        covariates: names of the covariates.
        centres: their means, which are taken off.
        dropped: how many lines had no value.
        alone: how many lines had no label on some level, and stand for a group of their own.
        distribution: "log-normal" or "normal".
        placed: whether positions are known.
    """

    tree: Tree
    below: np.ndarray
    above: np.ndarray
    levels: tuple[str, ...]
    labels: tuple[tuple[str, ...], ...]
    row: np.ndarray
    covariates: tuple[str, ...]
    centres: np.ndarray
    dropped: int
    alone: int
    distribution: Distribution
    placed: bool

    @property
    def values(self) -> np.ndarray:
        """The measurements' coordinates, (n,)."""
        return self.tree.rows[:, -1]

    @property
    def censored(self) -> bool:
        """Whether any measurement is only a limit."""
        return bool(np.any(self.below | self.above))

    @property
    def replicated(self) -> bool:
        """Whether any sample was measured more than once."""
        return self.tree.count > self.tree.samples

    def physical(self, coordinate: np.ndarray) -> np.ndarray:
        """Return values in SI of coordinates."""
        return np.exp(coordinate) if self.distribution == "log-normal" else np.asarray(coordinate)


def column_of(columns: Columns, name: str, argument: str) -> Sequence[Any]:
    """Return a column.

    Raises:
        InputError: there is none of this name.
    """
    if name not in columns:
        raise InputError(
            argument,
            got=repr(name),
            wanted="the name of a column",
            cure=nearest(str(name), map(str, columns)),
        )
    return columns[name]


def is_missing(cell: Any) -> bool:
    """Whether a cell is empty or not a number."""
    if cell is None or (isinstance(cell, float) and math.isnan(cell)):
        return True
    return isinstance(cell, str) and cell.strip().lower() in _MISSING


def numbers_of(cells: Sequence[Any], argument: str) -> np.ndarray:
    """Return a column of numbers.

    Raises:
        InputError: a cell is missing or not a finite number.
    """
    found = np.empty(len(cells))
    for line, cell in enumerate(cells):
        try:
            found[line] = math.nan if isinstance(cell, bool) else float(cell)
        except (TypeError, ValueError):
            found[line] = math.nan
        if not math.isfinite(found[line]):
            raise InputError(
                argument,
                got=f"{cell!r} in row {line + 1}",
                wanted="a finite number in each row with a value",
                cure="fill it in, or leave the row out",
            )
    return found


def without_logarithms(cells: Sequence[Any], kind: Logarithm) -> list[Any]:
    """Return what the logarithms in a column's cells are logarithms of; limits stay limits.

    Args:
        cells: numbers, or text such as "-1.3" and "<-2"; cells without a value stay as they are.
        kind: "log10" or "ln".

    Raises:
        InputError: a cell is no number, or its antilogarithm is none.
    """
    if kind not in _BASES:
        raise InputError(
            "logarithm", got=repr(kind), wanted="'log10', 'ln' or nothing", cure=nearest(str(kind), _BASES)
        )
    return [cell if is_missing(cell) else _antilogarithm(cell, row, kind) for row, cell in enumerate(cells)]


def _antilogarithm(cell: Any, row: int, kind: Logarithm) -> Any:
    text = "nothing" if isinstance(cell, bool) else str(cell).strip()
    sign = text[0] if text[:1] in ("<", ">") else ""
    try:
        found = _BASES[kind] ** float(text.removeprefix(sign).lstrip("="))
    except (ValueError, OverflowError):
        found = math.nan
    if not (math.isfinite(found) and found > 0):
        raise InputError(
            "value",
            got=f"{cell!r} in row {row + 1}",
            wanted=f"a {kind} of a value, between -300 and 300",
            cure="leave logarithm out if the column holds the values themselves",
        )
    return f"{sign}{found!r}" if sign else found


def read_measurements(
    columns: Columns,
    *,
    value: str,
    unit: str,
    si_unit: str,
    levels: Sequence[str],
    sample: str | None,
    scatter: str | None,
    distribution: Distribution,
    covariates: Sequence[str],
    position: Sequence[str],
    correlation: Correlation | None,
) -> Measurements:
    """Read columns into measurements.

    Args:
        columns: the table.
        value: column of the values: numbers, or text such as "<0.01" and ">5000" for limits.
        unit: their unit.
        si_unit: the unit inside.
        levels: columns with labels, from coarse to fine.
        sample: column that tells which sample a line is a measurement of; each its own unless given.
        scatter: column with the standard deviation of each measurement's noise; None for one for all.
        distribution: "log-normal" or "normal".
        covariates: columns of numbers.
        position: columns of numbers: one along a line, two or three in a plane or in space.
        correlation: how heterogeneity is correlated along the position.

    Raises:
        InputError: a column is missing or a cell cannot be right.
        UnitError: an unknown unit, or one of another kind.
    """
    _refuse_choices(columns, levels, sample, covariates, position, correlation, distribution)
    cells = column_of(columns, value, "value")
    keep = [line for line, cell in enumerate(cells) if not is_missing(cell)]
    if len(keep) < 2:
        raise InputError(
            "value",
            got=f"{len(keep)} values in column '{value}'",
            wanted="two or more",
            cure="check the column's name and the file",
        )
    columns = {name: [column[i] for i in keep] for name, column in columns.items()}
    factor = 1.0 if unit == si_unit else parse_quantity(f"1 {unit}", si_unit, "unit")
    values, below, above = _values(columns[value], factor, distribution, np.array(keep))
    spread = np.ones(len(keep)) if scatter is None else _spreads(columns, scatter, factor, distribution)
    place = _places(columns, position, len(keep))
    paths, alone = _paths(columns, levels, np.array(keep))
    inputs, centres = _covariates(columns, covariates)
    samples = _samples(columns, sample, paths, keep)
    keys = [_natural(path) for path in paths]
    order = np.array(sorted(range(len(keep)), key=lambda i: (keys[i], place[i].tolist(), samples[i])))
    parents, finest, labels = _levels([paths[i] for i in order], len(levels))
    number, first = _numbered([samples[i] for i in order])
    _refuse_moving(samples, len(first), place[order] - place[order][first][number])
    tree = Tree(
        np.concatenate([np.ones((len(keep), 1)), inputs, values[:, None]], axis=1)[order],
        spread[order] ** 2,
        number,
        place[order][first],
        parents,
        finest[first],
        correlation,
    )
    return Measurements(
        tree, below[order], above[order], tuple(levels), labels, np.array(keep)[order], tuple(covariates),
        centres, len(cells) - len(keep), alone, distribution, bool(position),
    )  # fmt: skip


def _refuse_choices(
    columns: Columns,
    levels: Sequence[str],
    sample: str | None,
    covariates: Sequence[str],
    position: Sequence[str],
    correlation: str | None,
    distribution: str,
) -> None:
    lengths = {name: len(column) for name, column in columns.items()}
    if len(set(lengths.values())) > 1:
        raise InputError("table", got=f"{lengths}", wanted="columns of one length", cure="check the columns")
    named = {
        "levels": levels,
        "covariates": covariates,
        "sample": [sample] if sample else [],
        "position": position,
    }
    for argument, names in named.items():
        for name in names:
            column_of(columns, name, argument)
    everything = [*levels, *([sample] if sample else [])]
    twice = [name for name in everything if everything.count(name) > 1]
    if twice:
        raise InputError("levels", got=f"'{twice[0]}' twice", wanted="each level once", cure="remove one")
    if distribution not in ("log-normal", "normal"):
        raise InputError(
            "distribution",
            got=repr(distribution),
            wanted="'log-normal' or 'normal'",
            cure=nearest(str(distribution), ("log-normal", "normal")),
        )
    if correlation is not None and correlation not in ORDERS:
        raise InputError(
            "correlation",
            got=repr(correlation),
            wanted=f"None or one of {', '.join(map(repr, ORDERS))}",
            cure=nearest(str(correlation), ORDERS),
        )
    if len(position) > 3 or len(set(position)) < len(position):
        raise InputError(
            "position",
            got=", ".join(map(repr, position)),
            wanted="one to three columns, each once",
            cure="pass position=('x', 'y')",
        )
    if correlation is not None and not position:
        raise InputError(
            "correlation",
            got=f"{correlation!r} without positions",
            wanted="a column with the depth",
            cure="pass position='depth'",
        )


def _values(
    cells: Sequence[Any], factor: float, distribution: Distribution, rows: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return coordinates and which are limits from below and above."""
    bare = [cell.strip() if isinstance(cell, str) else cell for cell in cells]
    below = np.array([isinstance(c, str) and c.startswith("<") for c in bare])
    above = np.array([isinstance(c, str) and c.startswith(">") for c in bare])
    values = np.empty(len(bare))
    for i, cell in enumerate(bare):
        text = cell[1:].lstrip("=").strip() if below[i] or above[i] else cell
        try:
            values[i] = math.nan if isinstance(text, bool) else float(text)
        except (TypeError, ValueError):
            values[i] = math.nan
        right = math.isfinite(values[i]) and (distribution == "normal" or values[i] > 0)
        if not right:
            raise InputError(
                "value",
                got=f"{cell!r} in row {rows[i] + 1}",
                wanted="a positive number" if distribution == "log-normal" else "a finite number",
                cure="write '<0.01' for what is below detection; leave what was not measured empty",
            )
    if np.all(below | above):
        raise InputError("value", got="limits only", wanted="measured values too", cure="pass those measured")
    values *= factor
    return np.log(values) if distribution == "log-normal" else values, below, above


def _places(columns: Mapping[str, Sequence[Any]], position: Sequence[str], count: int) -> np.ndarray:
    """Return positions, (n,) along a line and (n, dim) beyond; zeros where there are none."""
    if not position:
        return np.zeros(count)
    found = np.stack([numbers_of(columns[name], "position") for name in position], axis=1)
    return found[:, 0] if len(position) == 1 else found


def _spreads(columns: Columns, scatter: str, factor: float, distribution: Distribution) -> np.ndarray:
    found = numbers_of(column_of(columns, scatter, "noise"), "noise")
    if np.any(found <= 0):
        raise InputError(
            "noise",
            got=f"{np.min(found):g} in row {int(np.argmin(found)) + 1}",
            wanted="positive standard deviations",
            cure="give the repeatability of each measurement",
        )
    return found if distribution == "log-normal" else found * factor


def _paths(columns: Columns, levels: Sequence[str], rows: np.ndarray) -> tuple[list[tuple[str, ...]], int]:
    """Return the labels of each line on all levels; a missing one is a group of its own."""
    alone, paths = 0, []
    for i, row in enumerate(rows):
        cells = [columns[level][i] for level in levels]
        alone += any(map(is_missing, cells))
        paths.append(tuple(f"(row {row + 1})" if is_missing(cell) else _label(cell) for cell in cells))
    return paths, alone


def _label(cell: Any) -> str:
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return str(cell).strip()


def _covariates(columns: Columns, names: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    count = len(next(iter(columns.values())))
    found = np.empty((count, len(names)))
    for i, name in enumerate(names):
        found[:, i] = numbers_of(columns[name], f"covariates['{name}']")
    centres = found.mean(axis=0) if len(names) else np.zeros(0)
    found = found - centres
    scale = np.sqrt(np.mean(found**2, axis=0))
    if len(names) and (np.any(scale == 0) or np.linalg.matrix_rank(found / scale, 1e-8) < len(names)):
        raise InputError(
            "covariates",
            got=", ".join(names),
            wanted="columns that vary, none of which is made of the others",
            cure="leave out what is constant or said twice",
        )
    return found, centres


def _samples(
    columns: Columns, sample: str | None, paths: list[tuple[str, ...]], rows: Sequence[int]
) -> list[tuple[str, ...]]:
    """Return what names the sample of each line; one without a name is a sample of its own."""
    if sample is None:
        return [(*path, f"{row:09d}") for path, row in zip(paths, rows, strict=True)]
    cells = columns[sample]
    return [
        (*path, f"(row {row + 1:09d})" if is_missing(cell) else _label(cell))
        for path, row, cell in zip(paths, rows, cells, strict=True)
    ]


def _levels(
    paths: list[tuple[str, ...]], count: int
) -> tuple[tuple[np.ndarray, ...], np.ndarray, tuple[tuple[str, ...], ...]]:
    """Number the groups of each level; return parents, finest group of each line, and labels."""
    parents, labels, above = [], [], np.zeros(len(paths), int)
    for level in range(count):
        number, first = _numbered([path[: level + 1] for path in paths])
        parents.append(above[first])
        labels.append(tuple(" / ".join(paths[i][: level + 1]) for i in first))
        above = number
    return tuple(parents), above, tuple(labels)


def _numbered(keys: Sequence[Any]) -> tuple[np.ndarray, np.ndarray]:
    """Number equal neighbours from 0; return the numbers and the first of each."""
    change = np.array([True, *(a != b for a, b in zip(keys[1:], keys[:-1], strict=True))])
    return np.cumsum(change) - 1, np.flatnonzero(change)


def _refuse_moving(samples: list[tuple[str, ...]], runs: int, moved: np.ndarray) -> None:
    """Refuse a sample at several positions: sorted by position, its lines may lie apart."""
    if len(set(samples)) != runs or np.any(moved != 0):
        raise InputError(
            "sample",
            got="a sample at several positions",
            wanted="one position a sample",
            cure="name it apart",
        )


def _natural(path: tuple[str, ...]) -> list[list[tuple[bool, int, str]]]:
    """Return a key that sorts "core 2" before "core 10"."""
    return [
        [(not part.isdigit(), int(part) if part.isdigit() else 0, part) for part in re.split(r"(\d+)", label)]
        for label in path
    ]
