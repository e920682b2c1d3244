"""Characteristics in lattices: exact answers, balance, symmetries, orders, and peers."""

import numpy as np
import pytest

from lattice_samples import C5G7, FUEL, MIXED, TWO_GROUPS, WATER, cells, small_lattice, two_group_table
from scalebridge.core.errors import InputError
from scalebridge.reactor.angular_quadrature import azimuths, polar_set
from scalebridge.reactor.lattice import lattice
from scalebridge.reactor.lattice_cells import box_cell, pin_cell, region_areas
from scalebridge.reactor.layer_problems import critical_layers
from scalebridge.reactor.layered_transport import solve_layers
from scalebridge.reactor.solve_transport import solve_transport
from scalebridge.reactor.sweep import Sweeper, harmonics_of
from scalebridge.reactor.tracks import lay_tracks

QUICK = {"azimuths": 8, "spacing": 0.2}
TIGHT = {**QUICK, "rtol": 1e-10, "k_tolerance": 1e-12, "max_steps": 3000}


def sweeper(boundary="reflective", rows=("U G", "4 W")):
    found = small_lattice(rows, boundary)
    return Sweeper(found, lay_tracks(found, 8, 0.2), C5G7, polar_set("tabuchi-yamamoto", 3))


@pytest.mark.parametrize("cell", [pin_cell([0.3, 0.5], ["a", "b", "c"], sectors=s) for s in (1, 3, 4, 8)])
def test_areas_of_regions_fill_their_cell(cell):
    areas = region_areas(cell, 1.2, 1.1)
    assert areas.sum() == pytest.approx(1.2 * 1.1, rel=1e-14)
    assert areas[: cell.sectors].sum() == pytest.approx(np.pi * 0.09, rel=1e-14)
    assert areas.min() > 0


@pytest.mark.parametrize("cell", [pin_cell([0.5], ["a", "b"], sectors=3), box_cell("a", mesh=(2, 3))])
def test_tracks_see_the_areas_better_as_they_get_closer(cell):
    found = lattice({"c": cell}, ["c"], pitch=(1.2, 1.1))
    coarse, fine = (lay_tracks(found, 16, s).volume_error for s in (0.1, 0.01))
    assert fine < 0.01
    assert fine <= max(coarse, 1e-12)  # a grid is met exactly


@pytest.mark.parametrize("boundary", ["reflective", "periodic", "vacuum", MIXED])
def test_every_track_is_entered_by_exactly_one(boundary):
    tracks = sweeper(boundary).tracks
    entered = 2 * tracks.link_track.astype(int) + tracks.link_way
    assert np.array_equal(np.sort(entered.ravel()), np.arange(entered.size))


@pytest.mark.parametrize("boundary", ["reflective", "periodic"])
def test_an_isotropic_flux_stays_as_it_is(boundary):
    ready = sweeper(boundary)
    ready.entering[:] = 1.0
    swept = ready.sweep(ready.region_total)
    assert np.abs(swept.flux - 1.0).max() < 1e-13
    assert np.abs(swept.vertical_flux - 1.0).max() < 1e-13  # each face is covered by its tracks exactly
    assert np.abs(swept.horizontal).max() < 1e-13


def test_what_a_pin_loses_goes_through_its_faces():
    ready = sweeper(MIXED)
    swept = ready.sweep(np.random.default_rng(0).uniform(size=ready.region_total.shape))
    leaving = np.diff(swept.vertical, axis=1) + np.diff(swept.horizontal, axis=0)
    gain = np.zeros((4, 7))
    np.add.at(gain, ready.lattice.region_pin, swept.gain)
    assert np.abs(leaving + gain.reshape(2, 2, 7)[::-1]).max() < 1e-14


def test_a_sweep_is_its_own_adjoint():
    # phi V of one source by another region's, and the other way round: tracks run both ways alike
    ready, rng = sweeper("vacuum"), np.random.default_rng(1)
    one, other = rng.uniform(size=(2, *ready.region_total.shape))
    volume = ready.lattice.region_volume[:, None]
    forth = np.sum(one * volume * ready.sweep(other).flux, axis=0)
    ready.entering[:] = 0.0
    back = np.sum(other * volume * ready.sweep(one).flux, axis=0)
    assert np.allclose(forth, back, rtol=1e-13)


def test_one_material_is_an_infinite_medium():
    found = solve_transport(two_group_table(["F F"]), {"fuel": FUEL, "water": FUEL}, **TIGHT)
    by_hand = (0.01 + 0.26 * 0.02 / (0.9 - 0.7)) / (0.5 - 0.44)
    assert found.multiplication == pytest.approx(by_hand, rel=1e-9)  # what is left of the iteration
    assert np.ptp(found.flux, axis=0).max() < 1e-7 * found.flux.max()
    assert found.passed


def test_a_source_in_an_infinite_absorber():
    table = {"pitch": 1.0, "pins": {"W": {"material": "water"}}, "rows": ["W W"]}
    found = solve_transport(table, {"water": WATER}, source={"water": [1.0, 0.0]}, **TIGHT)
    first = 1.0 / (0.6 - 0.55)
    assert np.allclose(found.flux[:, 0], first, rtol=1e-8)
    assert np.allclose(found.flux[:, 1], 0.045 * first / (1.5 - 1.48), rtol=1e-8)
    assert np.abs(found.pins.balance()).max() < 1e-7


def test_a_slab_in_two_dimensions_is_the_slab_of_one():
    table = {
        "pitch": [0.4, 0.4],
        "pins": {"F": {"material": "fuel", "mesh": [16, 1]}, "W": {"material": "water", "mesh": [16, 1]}},
        "rows": ["F F F F W W W W"],
        "boundary": {"west": "reflective", "east": "vacuum", "south": "reflective", "north": "reflective"},
    }
    options = {"azimuths": 32, "spacing": 0.02, "polar": "gauss", "polar_count": 6}
    plane = solve_transport(table, TWO_GROUPS, **options)
    line = solve_layers("slab", [1.6, 1.6], ["fuel", "water"], TWO_GROUPS, cells=40)
    # the angles of the two differ, and cells of a fortieth of a mean free path leave 10 pcm of k = 0.15
    assert plane.multiplication == pytest.approx(line.multiplication, rel=1e-3)


def slab_in_the_plane(name, order, azimuths=16, polar_count=4, mesh=4, tracks=8):
    problem = critical_layers()[name]
    width, material = problem.thicknesses[0] / 4, problem.layers[0]
    table = {
        "pitch": [width, width],
        "pins": {"F": {"material": material, "mesh": [mesh, 1]}},
        "rows": ["F F F F"],
        "boundary": {**dict.fromkeys(("west", "south", "north"), "reflective"), "east": "vacuum"},
    }
    return solve_transport(
        table, problem.materials, azimuths=azimuths, spacing=width / tracks, polar="gauss",
        polar_count=polar_count, scattering_order=order, rtol=1e-6,
    )  # fmt: skip


@pytest.mark.parametrize(("name", "order"), [("PUa-1-1-SL", 1), ("PUb-1-2-SL", 2)])
def test_scattering_with_its_angle_meets_the_analytic_slab(name, order):
    found = slab_in_the_plane(name, order)
    assert abs(found.multiplication - 1.0) < 0.02  # of the directions: see the slow test
    assert found.passed  # the balance of every pin holds with angles too
    assert slab_in_the_plane(name, 0).multiplication > found.multiplication + 0.01
    assert np.abs(found.pins.balance()).max() < 1e-4


@pytest.mark.slow
@pytest.mark.parametrize(("name", "order"), [("PUa-1-0-SL", 0), ("PUa-1-1-SL", 1), ("PUb-1-2-SL", 2)])
def test_slabs_in_the_plane_converge_with_directions(name, order):
    coarse = abs(slab_in_the_plane(name, order, 16, 4, 8).multiplication - 1.0)
    fine = abs(slab_in_the_plane(name, order, 96, 8, 16, 20).multiplication - 1.0)
    assert fine < 0.25 * coarse
    assert fine < 100e-5  # some 60 to 80 pcm, whatever the order


def test_harmonics_add_up_to_legendre_polynomials_of_the_angle_between():
    angles, sines = np.array([0.3, 1.2]), np.array([0.4, 0.9])
    found = harmonics_of(angles, sines, 3)
    starts = [0, 1, 3, 6, 10]
    cosines = np.sqrt(1.0 - sines**2)
    one, other = found[0, 0, 0, 0], found[1, 1, 1, 1]  # the second: mirrored, and turned round
    plane = np.cos(0.3 - (2.0 * np.pi - 1.2)) * sines[0] * sines[1]
    for order in range(4):
        part = slice(starts[order], starts[order + 1])
        both = [plane + s * cosines[0] * cosines[1] for s in (1, -1)]  # up and down together
        wanted = np.mean([np.polynomial.legendre.legval(x, np.eye(4)[order]) for x in both])
        assert one[part] @ other[part] == pytest.approx(wanted, rel=1e-12)


def test_orders_of_scattering_that_the_data_do_not_have_are_refused():
    for wrong in (1, -1, True, "one"):
        with pytest.raises(InputError, match="scattering_order"):
            solve_transport(two_group_table(["F"]), TWO_GROUPS, scattering_order=wrong)


def test_acceleration_changes_the_way_and_not_the_end():
    tables = [
        solve_transport(small_lattice(boundary=MIXED), C5G7, **TIGHT, accelerate=accelerate)
        for accelerate in (True, False)
    ]
    fast, slow = tables
    assert fast.stats["sweeps"] < 0.5 * slow.stats["sweeps"]
    assert fast.multiplication == pytest.approx(slow.multiplication, rel=1e-9)
    assert np.allclose(fast.flux, slow.flux, rtol=1e-7)
    for found in tables:
        assert np.abs(found.pins.balance()).max() < 1e-8


def test_mirrored_and_turned_lattices_have_the_same_k():
    rows = ("U G 4", "W U U")
    west = {"west": "vacuum", "east": "reflective", "south": "reflective", "north": "reflective"}
    south = {"west": "reflective", "east": "reflective", "south": "vacuum", "north": "reflective"}
    mirrored = {**west, "west": "reflective", "east": "vacuum"}
    found = [
        solve_transport(small_lattice(r, b), C5G7, **TIGHT)
        for r, b in ((rows, west), (("4 G U", "U U W"), mirrored), (("U 4", "U G", "W U"), south))
    ]
    assert found[1].multiplication == pytest.approx(found[0].multiplication, rel=1e-10)
    assert np.allclose(found[1].pin_power, found[0].pin_power[:, ::-1], rtol=1e-8)
    # A turned lattice is swept with other azimuths' spacings only if cells are not square
    assert found[2].multiplication == pytest.approx(found[0].multiplication, rel=1e-9)


def test_a_reflected_lattice_is_the_half_of_the_whole():
    half = solve_transport(small_lattice(("U G", "4 U"), MIXED), C5G7, **TIGHT)
    whole = solve_transport(small_lattice(("G U U G", "U 4 4 U"), {**MIXED, "west": "vacuum"}), C5G7, **TIGHT)
    assert whole.multiplication == pytest.approx(half.multiplication, rel=1e-9)
    assert np.allclose(whole.pin_power[:, 2:], half.pin_power, rtol=1e-7)


def test_an_albedo_lies_between_vacuum_and_mirror():
    ks = [
        solve_transport(small_lattice(boundary=b), C5G7, **QUICK).multiplication
        for b in ("vacuum", 0.0, 0.5, 1.0, "reflective")
    ]
    assert ks[0] == ks[1] < ks[2] < ks[3] == ks[4]


@pytest.mark.parametrize(("key", "peer"), [("U", 1.325754), ("8", 1.174285)])
def test_pin_cells_beside_another_program(key, peer):
    # Scarabee 0.1.1 with 64 azimuths, 0.01 cm, 32 regions a pin; meshes and azimuths leave some 40 pcm
    found = lattice(cells(sectors=8, rings=2), [key], pitch="1.26 cm")
    k = solve_transport(found, C5G7, azimuths=32, spacing="0.05 cm").multiplication
    assert abs(k - peer) * 1e5 < 50.0


def test_more_azimuths_converge():
    found = small_lattice(("8",))
    ks = [solve_transport(found, C5G7, azimuths=n, spacing=0.1).multiplication for n in (4, 16, 32)]
    assert abs(ks[1] - ks[2]) < 0.5 * abs(ks[0] - ks[2])


def test_quadratures_integrate_what_they_must():
    sines, weights = polar_set("gauss", 3)
    assert weights.sum() == pytest.approx(1.0)
    assert weights @ sines**2 == pytest.approx(2.0 / 3.0)
    found = azimuths(16, 0.05, 1.26, 1.1)
    assert 4.0 * found.weight.sum() == pytest.approx(1.0)
    # mean of cos^2 over the circle; trapezes over eight angles of a quadrant
    assert 4.0 * found.weight @ np.cos(found.angle) ** 2 == pytest.approx(0.5, abs=2e-2)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_c5g7_in_two_dimensions():
    # NEA/NSC/DOC(2003)16: k 1.18655, pins 2.498 and 0.232, assemblies 492.8, 211.7, 139.8
    from lattice_samples import ROOT
    from scalebridge.cli.case_file import load_case
    from scalebridge.reactor.lattice_table import lattice_from_table

    case = load_case(ROOT / "examples" / "c5g7.toml")
    table = {key: value for key, value in case.lattice.model_dump().items() if value is not None}
    found = solve_transport(lattice_from_table(table), C5G7, **case.transport.model_dump())
    power, assemblies = found.pin_power, found.assembly_power
    assert abs(found.multiplication - 1.18655) < 50e-5
    assert power.max() == pytest.approx(2.498, rel=0.005)
    assert power[power > 0].min() == pytest.approx(0.232, rel=0.02)
    for place, wanted in (((0, 0), 492.8), ((0, 1), 211.7), ((1, 0), 211.7), ((1, 1), 139.8)):
        assert assemblies[place] == pytest.approx(wanted, rel=0.003)
    assert found.passed
