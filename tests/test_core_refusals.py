"""Coarse cores that cannot be: each is refused before any work, with the argument at fault and a cure."""

import numpy as np
import pytest

from core_samples import EDGE, FUEL, MATERIALS, ROD, fine_pins
from scalebridge.core.errors import InputError, UnitError
from scalebridge.reactor.core_constants import core_constants
from scalebridge.reactor.core_problems import core_benchmark
from scalebridge.reactor.core_tally import core_tally
from scalebridge.reactor.equivalent_constants import equivalent_constants
from scalebridge.reactor.pin_regions import merged_pins, tally_mesh
from scalebridge.reactor.solve_core import solve_core

GOOD = {"core": [["f", "w"]], "materials": MATERIALS, "pitch": 10, "boundary": "vacuum"}


def changed(**values):
    return {"f": {**FUEL, **values}, "w": MATERIALS["w"]}


THREE = {
    "diffusion": [1.0] * 3, "absorption": [0.1] * 3, "nu_fission": [0.1] * 3, "chi": [1, 0, 0],
    "scatter": np.zeros((3, 3)),
}  # fmt: skip

TURNED = changed(absorption=[0, 0.08], scatter=[[0, 0], [0.02, 0]])

CASES = [
    ("an unknown name", {"core": [["f", "x"]]}, "core", "'x'"),
    ("rows of unequal length", {"core": [["f", "w"], ["f"]]}, "core", "one length"),
    ("numbers for names", {"core": [[1, 2]]}, "core", "names"),
    ("an empty map", {"core": [["", "."]]}, "core", "empty"),
    ("no map", {"core": []}, "core", "rows"),
    ("materials that are none", {"materials": 3}, "core", "materials"),
    ("no fuel", {"core": [["w", "w"]]}, "materials", "fuel"),
    ("negative diffusion", {"materials": changed(diffusion=[1.4, -0.4])}, "diffusion", "above zero"),
    ("negative scattering", {"materials": changed(scatter=[[0, -0.02], [0, 0]])}, "scatter", "at least zero"),
    ("scattering turned around", {"materials": TURNED}, "absorption", "[from, to]"),
    ("chi of zero", {"materials": changed(chi=[0, 0])}, "chi", "sums to one"),
    ("chi beyond one", {"materials": changed(chi=[1, 0.5])}, "chi", "normalise"),
    ("a group too many", {"materials": changed(absorption=[0.01, 0.08, 0.1])}, "absorption", "shape"),
    ("groups that differ", {"materials": {"f": FUEL, "w": THREE}}, "materials", "same groups"),
    ("text for numbers", {"materials": changed(diffusion="thick")}, "diffusion", "numbers"),
    ("not a finite number", {"materials": changed(absorption=[0.01, np.nan])}, "absorption", "finite"),
    ("an unknown key", {"materials": {"f": {**FUEL, "difusion": 1}, "w": FUEL}}, "materials.f", "difusion"),
    ("a missing key", {"materials": {"f": {"chi": [1, 0]}, "w": FUEL}}, "materials.f", "no absorption"),
    ("a material that is none", {"materials": {"f": 3, "w": FUEL}}, "materials.f", "core_constants"),
    ("a pitch of zero", {"pitch": 0}, "pitch (x)", "above zero"),
    ("widths that are too few", {"pitch": [[10, 10, 10], 10]}, "pitch (x)", "2, one for each"),
    ("an axis too many", {"pitch": [10, 10, 10]}, "pitch", "one each for x, y"),
    ("an unknown boundary", {"boundary": "open"}, "boundary.west", "'vacuum'"),
    ("an albedo above one", {"boundary": 1.2}, "boundary.west", "albedo"),
    ("an albedo of too many groups", {"boundary": [0.1, 0.2, 0.3]}, "boundary.west", "albedo"),
    ("a side without condition", {"boundary": {"west": "vacuum"}}, "boundary", "east"),
    ("a side that a plane has not", {"boundary": {"top": "vacuum", "others": "vacuum"}}, "boundary", "'top'"),
    ("a period with one end", {"boundary": {"west": "periodic", "others": "vacuum"}}, "boundary", "both"),
    ("a period at an empty node", {"core": [["f", ""]], "boundary": "periodic"}, "boundary", "empty"),
    ("factors of an unknown region", {"factors": {"x": [1, 1]}}, "factors", "'x'"),
    ("factors of a wrong shape", {"factors": np.ones((1, 2, 3, 2))}, "factors", "shape"),
    ("factors of zero", {"factors": {"f": [0, 1]}}, "factors", "above zero"),
    ("factors with SP3", {"factors": {"f": [1, 1]}, "method": "sp3"}, "factors", "diffusion"),
    ("an unknown method", {"method": "monte carlo"}, "method", "'nodal'"),
    ("an rtol of one", {"rtol": 1.0}, "rtol", "1e-9"),
    ("no steps", {"max_steps": 0}, "max_steps", "at least 1"),
    ("too many volumes", {"largest_cell": 0.005}, "largest_cell", "raise largest_cell"),
    ("cells of no size", {"largest_cell": -1}, "largest_cell", "above zero"),
    ("a buckling that is not finite", {"buckling": np.inf}, "buckling", "1/cm^2"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("given", "argument", "said"), [case[1:] for case in CASES], ids=[c[0] for c in CASES]
)
def test_cores_that_cannot_be_are_refused(given, argument, said):
    with pytest.raises(InputError) as caught:
        solve_core(**{**GOOD, **given})
    assert caught.value.argument.startswith(argument), caught.value
    assert said in str(caught.value)
    assert caught.value.cure


def test_units_are_needed_where_there_is_text():
    with pytest.raises(UnitError, match="pitch"):
        solve_core(**{**GOOD, "pitch": "10 s"})
    with pytest.raises(UnitError, match="buckling"):
        solve_core(**{**GOOD, "buckling": "8e-5 cm"})
    metres = solve_core(**{**GOOD, "pitch": "0.1 m", "mesh_error": False})
    assert metres.k == pytest.approx(solve_core(**GOOD, mesh_error=False).k, rel=1e-12)


EQUIVALENCE = [
    ("a method that is none", {"method": "magic"}, "method", "'discontinuity'"),
    ("groups out of order", {"groups": [[1], [0]]}, "groups", "in order"),
    ("groups left out", {"groups": [[0]]}, "groups", "all of 0 to 1"),
    ("boxes that do not add up", {"boxes": ([4], [20])}, "rows", "add up"),
    ("regions of another shape", {"regions": np.zeros((2, 2), int)}, "regions", "shape"),
    ("regions of a name that is none", {"regions": "assembly"}, "regions", "'pins'"),
    ("a period", {"boundary": "periodic"}, "boundary", "reflects"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("given", "argument", "said"), [case[1:] for case in EQUIVALENCE], ids=[c[0] for c in EQUIVALENCE]
)
def test_equivalence_that_cannot_be_is_refused(given, argument, said):
    with pytest.raises(InputError) as caught:
        equivalent_constants(fine_pins(), **{"boundary": EDGE, **given})
    assert caught.value.argument == argument
    assert said in str(caught.value)


def test_tallies_that_cannot_be_are_refused():
    pins = fine_pins()
    with pytest.raises(InputError, match="core_tally"):
        equivalent_constants({"flux": 1})
    with pytest.raises(InputError, match="positive mean fluxes"):
        equivalent_constants(type(pins)(**{**vars(pins), "flux": -pins.flux}))
    with pytest.raises(InputError, match="rows and columns"):
        tally_mesh(type(pins)(**{**vars(pins), "volume": 1.1 * pins.volume}))
    with pytest.raises(InputError, match="columns"):
        merged_pins(pins, [20], [0, 20])


def test_only_full_rectangles_in_the_plane_are_tallied():
    found = solve_core(
        [["f", ""], ["f", "f"]], MATERIALS, pitch=5, boundary="vacuum", method="volumes", mesh_error=False
    )
    with pytest.raises(InputError, match="1 empty"):
        core_tally(found.problem, found.solution)


def test_benchmarks_and_regions_have_names():
    with pytest.raises(InputError, match="'iaea2d'"):
        core_benchmark("iaea5d")
    with pytest.raises(InputError, match=r"chi \(2 regions\)"):
        core_constants(("a", "b"), **{**{key: [value] * 2 for key, value in ROD.items()}, "chi": [[1, 0]]})
