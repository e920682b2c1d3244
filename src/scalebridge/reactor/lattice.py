"""Lattices: cells of one pitch in rows and columns, assemblies of them, a core of assemblies, boundaries."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from scalebridge.core.errors import InputError
from scalebridge.reactor.lattice_cells import Cell, PinCell, length, region_areas

SIDES = ("west", "east", "south", "north")
KINDS = ("reflective", "vacuum", "periodic")


@dataclass(frozen=True, eq=False)
class Lattice:
    """Cells of one pitch in rows and columns. Made by `lattice`.

    Args:
        cells: by name.
        rows: names, the top (north) row first.
        pitch: cm, along x and y.
        boundary: by side: "reflective", "vacuum", "periodic", or an albedo in [0, 1].
        assembly: pins along each side of an assembly; the whole lattice where there is one.
    """

    cells: dict[str, Cell]
    rows: tuple[tuple[str, ...], ...]
    pitch: tuple[float, float]
    boundary: dict[str, str | float]
    assembly: tuple[int, int]
    areas: dict[str, np.ndarray] = field(default_factory=dict)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of cells."""
        return len(self.rows), len(self.rows[0])

    @property
    def size(self) -> tuple[float, float]:
        """Width and height, cm."""
        return self.pitch[0] * self.shape[1], self.pitch[1] * self.shape[0]

    @property
    def materials(self) -> tuple[str, ...]:
        """Names of the materials that occur, sorted."""
        used = {name for row in self.rows for name in row}
        return tuple(sorted({m for name in used for m in self.cells[name].materials}))

    @cached_property
    def first_region(self) -> np.ndarray:
        """First region of each cell, (ny, nx), row 0 at the top."""
        counts = np.array([[len(self.areas[name]) for name in row] for row in self.rows])
        ends = np.cumsum(counts.ravel())
        return np.concatenate([[0], ends[:-1]]).reshape(self.shape)

    @cached_property
    def region_volume(self) -> np.ndarray:
        """Area of every region, cm^2."""
        return np.concatenate([self.areas[name] for row in self.rows for name in row])

    @cached_property
    def region_pin(self) -> np.ndarray:
        """Cell of every region, counted along rows from the top left."""
        names = [name for row in self.rows for name in row]
        return np.repeat(np.arange(len(names)), [len(self.areas[name]) for name in names])

    @cached_property
    def region_material(self) -> np.ndarray:
        """Material of every region, an index into `materials`."""
        index = {name: i for i, name in enumerate(self.materials)}
        by_cell = {
            name: [index[m] for m in cell.region_materials]
            for name, cell in self.cells.items()
            if set(cell.materials) <= set(index)
        }
        return np.concatenate([np.array(by_cell[name]) for row in self.rows for name in row])

    def albedo(self, side: str) -> float:
        """Return the part of what leaves through a side that comes back."""
        kind = self.boundary[side]
        return float({"reflective": 1.0, "vacuum": 0.0, "periodic": 1.0}.get(str(kind), kind))


def lattice(
    cells: Mapping[str, Cell],
    rows: Any,
    *,
    pitch: Any,
    boundary: Any = "reflective",
    core: Any = None,
) -> Lattice:
    """Make a lattice from maps of names.

    Args:
        cells: pins and boxes by name.
        rows: the map, the top row first: texts with names between blanks, or lists of names. With `core`, a
            map for each assembly by its name.
        pitch: cm, or text; one, or one each along x and y.
        boundary: of all sides, or by side (west, east, south, north): "reflective", "vacuum", "periodic", or
            an albedo in [0, 1].
        core: a map of names of assemblies.

    Raises:
        InputError: rows differ in length, a name is unknown, pins overlap, or sides contradict each other.

    Example:
        >>> from scalebridge.reactor.lattice_cells import box_cell, pin_cell
        >>> cells = {"F": pin_cell([0.5], ["fuel", "water"]), "W": box_cell("water")}
        >>> lattice(cells, ["F F", "F W"], pitch="1.26 cm").shape
        (2, 2)
    """
    names, assembly = _assembled(rows, core)
    size = _pitch(pitch)
    _known("rows", names, cells)
    used = {name for row in names for name in row}
    areas = {name: region_areas(cells[name], *size) for name in sorted(used)}
    return Lattice(dict(cells), names, size, _boundary(boundary), assembly, areas)


def named_rows(argument: str, given: Any) -> tuple[tuple[str, ...], ...]:
    """Return a map of names as rows of equal length.

    Raises:
        InputError: it is none.
    """
    if isinstance(given, str):
        given = [line for line in given.strip().splitlines() if line.strip()]
    if not isinstance(given, Sequence) or not given:
        raise InputError(argument, got=repr(given)[:80], wanted="rows of names", cure="write ['F F', 'F W']")
    rows = tuple(tuple(row.split()) if isinstance(row, str) else tuple(map(str, row)) for row in given)
    lengths = sorted({len(row) for row in rows})
    if len(lengths) != 1 or lengths[0] == 0:
        raise InputError(
            argument,
            got=f"rows of {' and '.join(map(str, lengths))} names",
            wanted="rows of the same length",
            cure="fill the short ones; a map is a rectangle, with a reflector where there is no fuel",
        )
    return rows


def _known(argument: str, names: tuple[tuple[str, ...], ...], known: Mapping[str, Any]) -> None:
    unknown = sorted({name for row in names for name in row} - set(known))
    if unknown:
        raise InputError(
            argument,
            got=", ".join(map(repr, unknown)),
            wanted=f"names among {', '.join(map(repr, sorted(known)))}",
            cure="correct the map, or define the name",
        )


def _assembled(rows: Any, core: Any) -> tuple[tuple[tuple[str, ...], ...], tuple[int, int]]:
    if core is None:
        if isinstance(rows, Mapping):
            raise InputError(
                "core",
                got="nothing",
                wanted="a map of the assemblies' names",
                cure="pass core=['A B', 'B A']",
            )
        names = named_rows("rows", rows)
        return names, (len(names), len(names[0]))
    if not isinstance(rows, Mapping):
        raise InputError("rows", got="one map", wanted="a map for each assembly by name", cure="pass a dict")
    maps = {name: named_rows(f"rows.{name}", given) for name, given in rows.items()}
    layout = named_rows("core", core)
    _known("core", layout, maps)
    sizes = {name: (len(found), len(found[0])) for name, found in maps.items()}
    if len(set(sizes.values())) != 1:
        told = ", ".join(f"{name}: {h} x {w}" for name, (h, w) in sizes.items())
        raise InputError("rows", got=told, wanted="assemblies of the same size", cure="fill the small ones")
    joined = [
        tuple(name for assembly in line for name in maps[assembly][row])
        for line in layout
        for row in range(len(maps[line[0]]))
    ]
    return tuple(joined), next(iter(sizes.values()))


def _pitch(given: Any) -> tuple[float, float]:
    pair = list(given) if isinstance(given, list | tuple | np.ndarray) else [given, given]
    if len(pair) != 2:
        raise InputError(
            "pitch", got=repr(given), wanted="one, or one each along x and y", cure="pass '1.26 cm'"
        )
    return length("pitch", pair[0]), length("pitch", pair[1])


def _boundary(given: Any) -> dict[str, str | float]:
    by_side: dict[str, Any] = (
        dict(given) if isinstance(given, Mapping) else dict.fromkeys(map(str, SIDES), given)
    )
    if set(by_side) != set(SIDES):
        raise InputError(
            "boundary",
            got=", ".join(sorted(map(str, by_side))) or "nothing",
            wanted=f"a kind for each of {', '.join(SIDES)}",
            cure="name all four sides",
        )
    for side, kind in by_side.items():
        number = isinstance(kind, int | float) and not isinstance(kind, bool)
        if not (
            kind in KINDS if isinstance(kind, str) else number and math.isfinite(kind) and 0 <= kind <= 1
        ):
            raise InputError(
                f"boundary.{side}",
                got=repr(kind),
                wanted=f"{', '.join(map(repr, KINDS))}, or an albedo between 0 and 1",
                cure="choose one of them",
            )
    for one, other in (("west", "east"), ("south", "north")):
        if (by_side[one] == "periodic") != (by_side[other] == "periodic"):
            raise InputError(
                f"boundary.{one}",
                got=f"{by_side[one]!r} with {other} {by_side[other]!r}",
                wanted="both sides of a pair periodic, or none",
                cure=f"make {one} and {other} agree",
            )
    return by_side


def pins_of(found: Lattice) -> np.ndarray:
    """Return where there are pins (rings), (ny, nx)."""
    return np.array([[isinstance(found.cells[name], PinCell) for name in row] for row in found.rows])
