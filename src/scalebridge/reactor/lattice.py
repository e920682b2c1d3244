"""Lattices: cells in rows and columns, assemblies of them with gaps, a core of assemblies, boundaries."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from scalebridge.core.errors import InputError
from scalebridge.reactor.lattice_cells import Cell, PinCell, box_cell, length, region_areas, whole

SIDES = ("west", "east", "south", "north")
KINDS = ("reflective", "vacuum", "periodic")


@dataclass(frozen=True, eq=False)
class Lattice:
    """Cells in rows and columns. Made by `lattice`.

    Args:
        cells: by name.
        rows: names, the top (north) row first.
        widths: cm, of each column from the west.
        heights: cm, of each row from the top.
        boundary: by side: "reflective", "vacuum", "periodic", or an albedo in [0, 1].
        assembly: rows and columns of an assembly; the whole lattice where there is one.
        areas: of the regions, by name, width and height of their cell.
    """

    cells: dict[str, Cell]
    rows: tuple[tuple[str, ...], ...]
    widths: tuple[float, ...]
    heights: tuple[float, ...]
    boundary: dict[str, str | float]
    assembly: tuple[int, int]
    areas: dict[tuple[str, float, float], np.ndarray] = field(default_factory=dict)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of cells."""
        return len(self.rows), len(self.rows[0])

    @property
    def size(self) -> tuple[float, float]:
        """Width and height, cm."""
        return math.fsum(self.widths), math.fsum(self.heights)

    @property
    def regular(self) -> bool:
        """Whether all cells have one size."""
        return len(set(self.widths)) == 1 and len(set(self.heights)) == 1

    @property
    def cell_volume(self) -> np.ndarray:
        """Area of every cell, (ny, nx), cm^2."""
        return np.outer(self.heights, self.widths)

    def sized(self, row: int, column: int) -> tuple[str, float, float]:
        """Return name, width and height of a cell."""
        return self.rows[row][column], self.widths[column], self.heights[row]

    @property
    def _areas(self) -> list[np.ndarray]:
        """Areas of the regions of every cell, along rows from the top left."""
        return [self.areas[self.sized(*place)] for place in np.ndindex(self.shape)]

    @property
    def materials(self) -> tuple[str, ...]:
        """Names of the materials that occur, sorted."""
        used = {name for row in self.rows for name in row}
        return tuple(sorted({m for name in used for m in self.cells[name].materials}))

    @cached_property
    def first_region(self) -> np.ndarray:
        """First region of each cell, (ny, nx), row 0 at the top."""
        ends = np.cumsum([len(areas) for areas in self._areas])
        return np.concatenate([[0], ends[:-1]]).reshape(self.shape)

    @cached_property
    def region_volume(self) -> np.ndarray:
        """Area of every region, cm^2."""
        return np.concatenate(self._areas)

    @cached_property
    def region_pin(self) -> np.ndarray:
        """Cell of every region, counted along rows from the top left."""
        counts = [len(areas) for areas in self._areas]
        return np.repeat(np.arange(len(counts)), counts)

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
    gap: Any = None,
) -> Lattice:
    """Make a lattice from maps of names.

    Args:
        cells: pins and boxes by name.
        rows: the map, the top row first: texts with names between blanks, or lists of names. With `core`, a
            map for each assembly by its name.
        pitch: cm, or text; one, or along x and y one each, or a list with one for each column and row (of the
            lattice, or of every assembly, without its gap).
        boundary: of all sides, or by side (west, east, south, north): "reflective", "vacuum", "periodic", or
            an albedo in [0, 1].
        core: a map of names of assemblies.
        gap: of what is around each assembly (the lattice where there is no core): {"width": "0.04 cm",
            "material": "water"}, half of what is between two, and "mesh", regions along each pin, 2
            unless given.

    Raises:
        InputError: rows differ in length, a name is unknown, pins overlap, or sides contradict each other.

    Example:
        >>> from scalebridge.reactor.lattice_cells import box_cell, pin_cell
        >>> cells = {"F": pin_cell([0.5], ["fuel", "water"]), "W": box_cell("water")}
        >>> lattice(cells, ["F F", "F W"], pitch="1.26 cm").shape
        (2, 2)
        >>> lattice(cells, ["F F"], pitch=1.26, gap={"width": 0.04, "material": "water"}).widths
        (0.04, 1.26, 1.26, 0.04)
    """
    names, assembly = _assembled(rows, core)
    _known("rows", names, cells)
    heights, widths = _sizes(pitch, (len(names), len(names[0])), assembly)
    known = dict(cells)
    if gap is not None:
        known, names, widths, heights = _with_gaps(known, names, (widths, heights), assembly, gap)
        assembly = assembly[0] + 2, assembly[1] + 2
    found = Lattice(known, names, widths, heights, _boundary(boundary), assembly)
    sized = sorted({found.sized(*place) for place in np.ndindex(found.shape)})
    return replace(found, areas={key: region_areas(known[key[0]], *key[1:]) for key in sized})


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


def _sizes(
    given: Any, shape: tuple[int, int], assembly: tuple[int, int]
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return the heights of rows and the widths of columns."""
    pair = list(given) if isinstance(given, list | tuple | np.ndarray) else [given, given]
    if len(pair) != 2:
        raise InputError(
            "pitch", got=repr(given), wanted="one, or one each along x and y", cure="pass '1.26 cm'"
        )
    return _along("rows", pair[1], shape[0], assembly[0]), _along("columns", pair[0], shape[1], assembly[1])


def _along(axis: str, given: Any, count: int, part: int) -> tuple[float, ...]:
    if not isinstance(given, list | tuple | np.ndarray):
        return (length("pitch", given),) * count
    found = tuple(length("pitch", one) for one in given)
    if len(found) not in (count, part):
        raise InputError(
            "pitch",
            got=f"{len(found)} lengths for {count} {axis}",
            wanted=f"one for all {axis}, or one each" + (f", or {part} of an assembly" * (part != count)),
            cure="pass as many lengths as the map has names",
        )
    return found * (count // len(found))


def _with_gaps(
    cells: dict[str, Cell],
    names: tuple[tuple[str, ...], ...],
    sizes: tuple[tuple[float, ...], tuple[float, ...]],
    assembly: tuple[int, int],
    gap: Any,
) -> tuple[dict[str, Cell], tuple[tuple[str, ...], ...], tuple[float, ...], tuple[float, ...]]:
    """Put a frame of boxes around every assembly: cells, names, widths and heights."""
    keys = set(gap) if isinstance(gap, Mapping) else set()
    if not {"width", "material"} <= keys <= {"width", "material", "mesh"}:
        raise InputError(
            "gap",
            got=repr(gap)[:80],
            wanted="a table with width and material, and mesh if wanted",
            cure="pass {'width': '0.04 cm', 'material': 'water'}",
        )
    wide, mesh = length("gap.width", gap["width"]), whole("gap.mesh", gap.get("mesh", 2))
    upright, flat, corner = "gap-upright", "gap-flat", "gap-corner"
    taken = {upright, flat, corner} & set(cells)
    if taken:
        raise InputError("cells", got=repr(taken), wanted="other names beside a gap", cure="rename the cells")
    boxes = ((upright, (1, mesh)), (flat, (mesh, 1)), (corner, (1, 1)))
    made = {name: box_cell(gap["material"], mesh=cuts) for name, cuts in boxes}
    rows = [_framed(row, assembly[1], upright) for row in names]
    line = _framed((flat,) * len(names[0]), assembly[1], corner)
    parts = [rows[i : i + assembly[0]] for i in range(0, len(rows), assembly[0])]
    framed = tuple(row for part in parts for row in (line, *part, line))
    widths, heights = (_framed(size, n, wide) for size, n in zip(sizes, assembly[::-1], strict=True))
    return {**cells, **made}, framed, widths, heights


def _framed(row: tuple[Any, ...], count: int, edge: Any) -> tuple[Any, ...]:
    """Return a row with an edge before and after each `count` of its entries."""
    parts = [row[i : i + count] for i in range(0, len(row), count)]
    return tuple(one for part in parts for one in (edge, *part, edge))


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
