"""Bad input to reactor lattices: each refused before any sweep, by name, with what to do about it."""

import numpy as np
import pytest

from lattice_samples import FUEL, TWO_GROUPS, WATER, two_group_table
from scalebridge.core.errors import InputError, UnitError
from scalebridge.reactor.homogenize_lattice import homogenize_lattice
from scalebridge.reactor.lattice import lattice
from scalebridge.reactor.lattice_cells import box_cell, pin_cell
from scalebridge.reactor.layered_transport import solve_layers
from scalebridge.reactor.materials import materials_from, multigroup_material
from scalebridge.reactor.solve_transport import solve_transport

# name, changes of the fuel, argument, words that are said
MATERIALS = [
    ("negative scattering", {"scatter": [[0.44, -0.02], [0.0, 0.7]]}, "fuel.scatter", "-0.02"),
    ("a negative diagonal", {"scatter": [[-0.44, 0.8], [0.0, 0.7]]}, "fuel.scatter", "transport_corrected"),
    ("a spectrum of zeros", {"chi": [0.0, 0.0]}, "fuel.chi", "sums to one"),
    ("a spectrum of two neutrons", {"chi": [1.0, 1.0]}, "fuel.chi", "2"),
    ("a negative spectrum", {"chi": [1.5, -0.5]}, "fuel.chi", "-0.5"),
    ("no spectrum", {"chi": None}, "fuel.chi", "sums to one"),
    ("a total of zero", {"total": [0.0, 0.9]}, "fuel.total", "void"),
    ("no number", {"total": [np.nan, 0.9]}, "fuel.total", "finite"),
    ("words for numbers", {"total": ["a", "b"]}, "fuel.total", "numbers"),
    ("groups that differ", {"nu_fission": [0.1]}, "fuel.nu_fission", "2 numbers"),
    ("five orders", {"scatter": np.zeros((5, 2, 2))}, "fuel.scatter", "four"),
    ("a scattering of three groups", {"scatter": np.zeros((3, 3))}, "fuel.scatter", "(2, 2)"),
    ("a transposed scattering", {"scatter": [[0.44, 0.0], [0.3, 0.7]], "absorption": [0.04, 0.2]},
     "fuel.total", "transpose"),
    ("a negative absorption", {"absorption": [-0.1, 0.2]}, "fuel.absorption", "-0.1"),
    ("a negative fission", {"fission": [-0.1, 0.2]}, "fuel.fission", "-0.1"),
    ("edges that rise", {"group_edges": [0.0, 1.0, 1e7]}, "fuel.group_edges", "fall"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "changes", "argument", "words"), MATERIALS, ids=[r[0] for r in MATERIALS])
def test_materials(name, changes, argument, words):
    with pytest.raises(InputError) as caught:
        multigroup_material("fuel", **{**FUEL, **changes})
    assert caught.value.argument == argument
    assert words in str(caught.value)


PINS = {"F": pin_cell([0.4], ["fuel", "water"]), "W": box_cell("water")}


def made(**changes):
    options = {"cells": PINS, "rows": ["F W", "W F"], "pitch": 1.2, "boundary": "reflective"} | changes
    return lattice(options.pop("cells"), options.pop("rows"), **options)


def solved(**changes):
    options = {"lattice": two_group_table(), "materials": TWO_GROUPS, "azimuths": 4, "spacing": 0.3} | changes
    return solve_transport(options.pop("lattice"), options.pop("materials"), **options)


STRONG = {**TWO_GROUPS, "fuel": {**FUEL, "nu_fission": [0.2, 0.5], "fission": [0.05, 0.1]}}
LATTICES = [
    ("pins that overlap", lambda: made(cells={"F": pin_cell([0.7], ["fuel", "water"]), "W": PINS["W"]}),
     "radii", "overlap"),
    ("rings that fall", lambda: pin_cell([0.5, 0.4], ["a", "b", "c"]), "radii", "ascend"),
    ("a ring without material", lambda: pin_cell([0.5], ["a"]), "materials", "1 names for 1 rings"),
    ("half a sector", lambda: pin_cell([0.5], ["a", "b"], sectors=0), "sectors", "at least 1"),
    ("a radius without unit", lambda: pin_cell(["0.5"], ["a", "b"]), "radii[0]", "cm"),
    ("a radius in seconds", lambda: pin_cell(["0.5 s"], ["a", "b"]), "radii[0]", "cm"),
    ("a missing corner", lambda: made(rows=["F W", "W"]), "rows", "rectangle"),
    ("an unknown pin", lambda: made(rows=["F X"]), "rows", "'X'"),
    ("a corner that nobody reflects", lambda: made(boundary={"west": "reflective"}), "boundary", "all four"),
    ("half a period",
     lambda: made(boundary={"west": "periodic", "east": "vacuum", "south": 0.0, "north": 0.0}),
     "boundary.west", "periodic"),
    ("an albedo above one", lambda: made(boundary=1.2), "boundary.west", "albedo"),
    ("a negative pitch", lambda: made(pitch=-1.0), "pitch", "positive"),
    ("assemblies without a core", lambda: made(rows={"A": ["F"]}), "core", "nothing"),
    ("assemblies of two sizes",
     lambda: made(rows={"A": ["F"], "B": ["F F"]}, core=["A B"]), "rows", "same size"),
    ("tracks wider than a pin", lambda: solved(spacing="2 cm"), "spacing", "two tracks"),
    ("odd azimuths", lambda: solved(azimuths=5), "azimuths", "even"),
    ("five polar angles of three", lambda: solved(polar_count=5), "polar", "gauss"),
    ("a missing material", lambda: solved(materials={"fuel": FUEL}), "materials", "'water'"),
    ("a mismatch of groups",
     lambda: solved(materials={"fuel": FUEL, "water": {"total": [1.0], "scatter": [[0.9]]}}),
     "materials", "fuel: 2"),
    ("nothing that fissions", lambda: solved(materials={"fuel": WATER, "water": WATER}), "source", "fission"),
    ("a source in a supercritical lattice", lambda: solved(materials=STRONG, source={"fuel": [1.0, 0.0]}),
     "source", "k = "),
    ("a source of nothing", lambda: solved(source={"fuel": [0.0, 0.0]}), "source", "zeros"),
    ("a negative source", lambda: solved(source={"fuel": [-1.0, 0.0]}), "source.fuel", "negative"),
    ("a source in words", lambda: solved(source={"fuel": "many"}), "source.fuel", "2 numbers"),
    ("a source of a stranger", lambda: solved(source={"lead": [1.0, 0.0]}), "source.lead", "fuel"),
    ("no tolerance", lambda: solved(rtol=0.0), "rtol", "above 0"),
    ("no sweeps", lambda: solved(max_steps=0), "max_steps", "at least 1"),
    ("an unknown key of a lattice",
     lambda: solved(lattice={"pitch": 1.0, "pins": {}, "map": []}), "lattice", "'map'"),
    ("an unknown key of a pin", lambda: solved(lattice={"pitch": 1.0, "pins": {"F": {"radius": 1}}}),
     "lattice.pins.F", "'radius'"),
    ("an unknown key of a material", lambda: materials_from({"a": {"totl": [1.0]}}), "materials.a", "totl"),
    ("too little memory", lambda: solved(memory_limit=1e6), "memory_limit", "GiB"),
    ("an unknown geometry", lambda: solve_layers("torus", [1.0], ["fuel"], TWO_GROUPS), "geometry", "sphere"),
    ("a layer without thickness",
     lambda: solve_layers("slab", [], ["fuel"], TWO_GROUPS), "layers", "one each"),
    ("layers of water alone",
     lambda: solve_layers("slab", [1.0], ["water"], TWO_GROUPS), "layers", "nu_fission"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "ask", "argument", "words"), LATTICES, ids=[row[0] for row in LATTICES])
def test_lattices(name, ask, argument, words):
    with pytest.raises((InputError, UnitError)) as caught:
        ask()
    if argument != "memory_limit":
        assert caught.value.argument == argument
        assert words in str(caught.value)
    assert caught.value.cure


@pytest.mark.parametrize(
    ("options", "argument"),
    [
        ({"solution": None}, "solution"),
        ({"regions": "corners"}, "regions"),
        ({"regions": [[0, 3], [1, 1]]}, "regions"),
        ({"groups": (1,)}, "groups"),
        ({"groups": (0, 9)}, "groups"),
        ({"groups": (0, 0)}, "groups"),
        ({"diffusion": "magic"}, "diffusion"),
    ],
)
def test_constants(options, argument):
    with pytest.raises(InputError) as caught:
        homogenize_lattice(**({"solution": SOLUTION} | options))
    assert caught.value.argument == argument


SOLUTION = solved()


def test_what_does_not_converge_says_so():
    assert not solved(max_steps=1, throw=False).passed
