"""Lattices from plain tables, as case files have them."""

from collections.abc import Mapping
from typing import Any

from scalebridge.core.errors import InputError
from scalebridge.reactor.lattice import Lattice, lattice
from scalebridge.reactor.lattice_cells import Cell, box_cell, pin_cell

_PIN = ("radii", "materials", "subdivisions", "sectors")
_BOX = ("material", "mesh")
_LATTICE = ("pitch", "pins", "rows", "assemblies", "core", "boundary", "gap")


def lattice_from_table(table: Mapping[str, Any]) -> Lattice:
    """Make a lattice from a table.

    Args:
        table: pitch; pins, by name: {radii, materials, subdivisions, sectors}, or {material, mesh} for a box;
            rows, or assemblies by name with a core of their names; boundary; gap.

    Raises:
        InputError: a key is unknown or missing, or a value cannot be.
    """
    _keys("lattice", table, _LATTICE, ("pitch", "pins"))
    if not isinstance(table["pins"], Mapping):
        raise InputError(
            "lattice.pins", got=repr(table["pins"])[:60], wanted="pins by name", cure="write a table"
        )
    cells = {
        str(name): cell_from_table(f"lattice.pins.{name}", given) for name, given in table["pins"].items()
    }
    rows = table.get("assemblies", table.get("rows"))
    if rows is None:
        raise InputError(
            "lattice.rows",
            got="nothing",
            wanted="rows, or assemblies and core",
            cure="add rows = ['F F', 'F W']",
        )
    return lattice(
        cells,
        rows,
        pitch=table["pitch"],
        boundary=table.get("boundary", "reflective"),
        core=table.get("core"),
        gap=table.get("gap"),
    )


def cell_from_table(argument: str, given: Any) -> Cell:
    """Make a pin or a box from a table.

    Raises:
        InputError: a key is unknown or missing.
    """
    box = isinstance(given, Mapping) and "material" in given
    _keys(argument, given, _BOX if box else _PIN, ("material",) if box else ("radii", "materials"))
    return box_cell(**given) if box else pin_cell(**given)


def _keys(argument: str, table: Any, known: tuple[str, ...], needed: tuple[str, ...]) -> None:
    if not isinstance(table, Mapping):
        raise InputError(
            argument, got=repr(table)[:60], wanted=f"a table with {', '.join(needed)}", cure="write one"
        )
    wrong = sorted(set(table) - set(known)) or sorted(set(needed) - set(table))
    if wrong:
        raise InputError(
            argument,
            got=f"{'unknown' if set(table) - set(known) else 'missing'}: {', '.join(map(repr, wrong))}",
            wanted=f"keys among {', '.join(known)}; {', '.join(needed)} at least",
            cure="correct the key",
        )
