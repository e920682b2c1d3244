"""Cells of different sizes in one lattice, and gaps between assemblies."""

from dataclasses import replace

import numpy as np
import pytest

from lattice_samples import C5G7, FUEL, MIXED, TWO_GROUPS, WATER, cells
from scalebridge.core.errors import InputError
from scalebridge.reactor.equivalent_constants import equivalent_constants
from scalebridge.reactor.lattice import lattice
from scalebridge.reactor.lattice_cells import box_cell
from scalebridge.reactor.sensitivity import k_sensitivity
from scalebridge.reactor.solve_transport import solve_transport
from scalebridge.report.figures_reactor import region_pixels

COARSE = {"azimuths": 8, "spacing": 0.1}
TIGHT = {
    "azimuths": 4,
    "spacing": 0.09,
    "polar_count": 2,
    "rtol": 1e-10,
    "k_tolerance": 1e-13,
    "max_steps": 2000,
}
GAP = {"width": "0.1 cm", "material": "Moderator"}
SIDES = {"west": "reflective", "east": "vacuum", "south": 0.5, "north": "reflective"}


def boxes(rows, columns, heights, meshes):
    """Fuel and water in boxes: names F, W and a number of the mesh."""
    known = {
        f"{name[0].upper()}{i}": box_cell(name, mesh=mesh)
        for i, mesh in enumerate(meshes)
        for name in ("fuel", "water")
    }
    return lattice(known, rows, pitch=[columns, heights], boundary=SIDES)


def test_uneven_cells_answer_as_even_ones_of_the_same_regions():
    even = boxes(["F0 F0 F0 W0", "W0 W0 F0 F0"], 0.6, 0.6, [(3, 3)])
    uneven = boxes(["F1 F0 W0", "W1 F0 F0"], [1.2, 0.6, 0.6], 0.6, [(3, 3), (6, 3)])
    assert (even.regular, uneven.regular) == (True, False)
    assert uneven.region_volume.sum() == pytest.approx(even.region_volume.sum(), rel=1e-14)
    options = {"azimuths": 16, "spacing": 0.01, "rtol": 1e-7}
    found = [solve_transport(one, TWO_GROUPS, **options) for one in (even, uneven)]
    k = [one.multiplication for one in found]
    assert k[1] == pytest.approx(
        k[0], rel=2e-4
    )  # azimuths are turned differently: k by spacing 0.02 moves 3e-4
    assert all(one.passed for one in found)
    flux = [one.pins.flux * one.pins.volume[..., None] for one in found]
    joined = flux[0][:, :2].sum(axis=1)
    assert np.allclose(flux[1][:, 0] / flux[1].sum(), joined / flux[0].sum(), rtol=2e-3)


def test_sizes_in_a_list_that_are_equal_change_nothing():
    one, other = (
        lattice(cells(), ["U G", "4 W"], pitch=given, boundary=MIXED) for given in (1.26, [[1.26] * 2] * 2)
    )
    k = [solve_transport(found, C5G7, **COARSE).multiplication for found in (one, other)]
    assert k[0] == k[1]


def test_one_medium_does_not_know_the_cells():
    # k = nu-fission over absorption of the spectrum, in any mesh: the balance is exact
    found = lattice({"B": box_cell("fuel", mesh=2)}, ["B B", "B B"], pitch=[[0.3, 1.1], [0.7, 0.45]])
    solution = solve_transport(found, {"fuel": FUEL}, azimuths=4, spacing=0.2, rtol=1e-10, k_tolerance=1e-13)
    total, scatter = np.diag(FUEL["total"]), np.array(FUEL["scatter"])
    flux = np.linalg.solve(total - scatter.T, FUEL["chi"])
    assert solution.multiplication == pytest.approx(float(np.dot(FUEL["nu_fission"], flux)), rel=1e-10)
    assert np.allclose(solution.pins.surface_flux / solution.pins.flux[:, :, None], 1.0, rtol=1e-9)


@pytest.fixture(scope="module")
def gapped():
    found = lattice(
        cells(sectors=4),
        {"A": ["U G", "U U"], "B": ["4 4", "G 4"]},
        core=["A B"],
        pitch=1.26,
        gap=GAP,
        boundary=MIXED,
    )
    return solve_transport(found, C5G7, **TIGHT)


def test_a_gap_is_around_every_assembly(gapped):
    found = gapped.lattice
    assert found.shape == (4, 8)
    assert found.assembly == (4, 4)
    assert found.widths == (0.1, 1.26, 1.26, 0.1) * 2
    assert found.rows[0] == ("gap-corner", "gap-flat", "gap-flat", "gap-corner") * 2
    assert found.rows[1][:4] == ("gap-upright", "U", "G", "gap-upright")
    assert found.region_volume.sum() == pytest.approx(5.44 * 2.72, rel=1e-14)
    assert gapped.passed
    assert gapped.assembly_power.shape == (1, 2)
    assert np.all(gapped.pin_power[[0, -1]] == 0)
    pixels = region_pixels(found, 200)
    assert set(np.unique(pixels)) == set(range(len(found.region_volume)))


def test_what_is_kept_with_a_gap(gapped):
    kept = equivalent_constants(gapped.pins, boundary=MIXED)
    assert abs(kept.k_error) < 1e-3
    assert kept.rate_error.max() < 1e-7


def test_derivatives_with_a_gap(gapped):
    slopes = k_sensitivity(gapped, rtol=1e-10)
    scattering = slopes.scatter["Moderator"][5, 6]

    def k(change):
        scatter = np.array(C5G7["Moderator"].scatter)
        scatter[0, 5, 6] += change
        moved = {**C5G7, "Moderator": replace(C5G7["Moderator"], scatter=scatter)}
        return solve_transport(gapped.lattice, moved, **TIGHT).multiplication

    step = 5e-4 * C5G7["Moderator"].scatter[0, 5, 6]
    assert scattering == pytest.approx((k(step) - k(-step)) / (2 * step), rel=1e-4)


@pytest.mark.parametrize(
    ("changes", "argument", "words"),
    [
        ({"pitch": [[1.2, 1.2, 1.2], 1.2]}, "pitch", "3 lengths for 2 columns"),
        ({"pitch": [1.2, [1.2, -1.0]]}, "pitch", "-1.0"),
        ({"gap": {"width": 0.1}}, "gap", "material"),
        ({"gap": 0.1}, "gap", "0.1"),
        ({"gap": {"width": 0.0, "material": "water"}}, "gap.width", "0.0"),
        ({"gap": {"width": 0.1, "material": "water", "mesh": 0}}, "gap.mesh", "0"),
        ({"cells": {"gap-flat": box_cell("fuel")}, "gap": {"width": 0.1, "material": "water"},
          "rows": [["gap-flat"]]}, "cells", "gap-flat"),
    ],
)  # fmt: skip
def test_gaps_that_cannot_be(changes, argument, words):
    options = {"cells": {"F": box_cell("fuel")}, "rows": ["F F"], "pitch": 1.2} | changes
    with pytest.raises(InputError) as caught:
        lattice(options.pop("cells"), options.pop("rows"), **options)
    assert caught.value.argument == argument
    assert words in str(caught.value)


def test_tracks_that_miss_a_gap_are_refused():
    found = lattice({"F": box_cell("fuel")}, ["F F"], pitch=1.2, gap={"width": 0.001, "material": "water"})
    with pytest.raises(InputError, match="spacing"):
        solve_transport(found, {"fuel": FUEL, "water": WATER}, azimuths=4, spacing=0.2)
