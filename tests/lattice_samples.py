"""Lattices and materials that the tests of reactor lattices share."""

from pathlib import Path

from scalebridge.reactor.lattice import lattice
from scalebridge.reactor.lattice_cells import box_cell, pin_cell
from scalebridge.reactor.materials import read_materials

ROOT = Path(__file__).parents[1]
C5G7 = read_materials(ROOT / "examples" / "data" / "c5g7.toml")
FUEL = {"total": [0.5, 0.9], "scatter": [[0.44, 0.02], [0.0, 0.7]], "nu_fission": [0.01, 0.26]}
FUEL |= {"fission": [0.004, 0.1], "chi": [1.0, 0.0]}
WATER = {"total": [0.6, 1.5], "scatter": [[0.55, 0.045], [0.0, 1.48]]}
TWO_GROUPS = {"fuel": FUEL, "water": WATER}
MIXED = {"west": "reflective", "east": "vacuum", "south": 0.5, "north": "reflective"}


def cells(sectors=4, rings=1):
    """Pins of every fuel of C5G7 by the first sign of its name, and a box of water."""
    names = {"U": "UO2", "4": "MOX-4.3%", "7": "MOX-7.0%", "8": "MOX-8.7%", "G": "GuideTube"}
    made = {
        key: pin_cell([0.54], [name, "Moderator"], subdivisions=[rings], sectors=sectors)
        for key, name in names.items()
    }
    return {**made, "W": box_cell("Moderator", mesh=2)}


def small_lattice(rows=("U G", "4 W"), boundary="reflective", **options):
    """A few pins of C5G7."""
    return lattice(cells(**options), list(rows), pitch="1.26 cm", boundary=boundary)


def two_group_table(rows=("F W", "W F"), boundary="reflective"):
    """A table of a lattice of pins and water in two groups."""
    pins = {
        "F": {"radii": [0.4], "materials": ["fuel", "water"], "sectors": 4},
        "W": {"material": "water", "mesh": 2},
    }
    return {"pitch": 1.2, "pins": pins, "rows": list(rows), "boundary": boundary}
