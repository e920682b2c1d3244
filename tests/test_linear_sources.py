"""Linear sources in lattices, the accelerating mesh in few groups, and tracks that miss regions."""

from dataclasses import replace

import numpy as np
import pytest

from lattice_samples import C5G7, MIXED, TWO_GROUPS, small_lattice, two_group_table
from scalebridge.core.errors import InputError
from scalebridge.core.lanes import lanes_of
from scalebridge.reactor.angular_quadrature import polar_set
from scalebridge.reactor.lattice import lattice
from scalebridge.reactor.lattice_cells import pin_cell
from scalebridge.reactor.linear_sources import linear_regions
from scalebridge.reactor.solve_transport import solve_transport
from scalebridge.reactor.sweep import Sweeper
from scalebridge.reactor.tracks import lay_tracks

QUICK = {"azimuths": 8, "spacing": 0.1, "rtol": 1e-6, "k_tolerance": 1e-7}


def sweeper(boundary="reflective"):
    found = small_lattice(("U G", "4 W"), boundary)
    return Sweeper(found, lay_tracks(found, 8, 0.2), C5G7, polar_set("tabuchi-yamamoto", 3), linear=True)


def pin_multiplication(sources, rings, sectors, mesh):
    pins = {
        "F": {"radii": [0.4], "materials": ["fuel", "water"], "sectors": sectors, "subdivisions": [rings]},
        "W": {"material": "water", "mesh": mesh},
    }
    table = {"pitch": 1.2, "pins": pins, "rows": ["F W"]}
    return solve_transport(table, TWO_GROUPS, sources=sources, **QUICK).multiplication


def test_an_isotropic_flux_has_no_slopes():
    ready = sweeper()
    ready.entering[:] = 1.0
    swept = ready.sweep(ready.region_total, np.zeros_like(ready.slopes))
    assert np.abs(swept.flux - 1.0).max() < 1e-13
    assert np.abs(ready.slopes).max() < 1e-11  # roundings over the spread of the smallest region


def test_what_sloped_sources_lose_goes_through_the_faces_and_their_slopes_add_nothing_to_the_mean():
    ready, rng = sweeper(MIXED), np.random.default_rng(0)
    source, slopes = rng.uniform(size=ready.region_total.shape), rng.normal(size=ready.slopes.shape)
    swept = ready.sweep(source, slopes)
    leaving = np.diff(swept.vertical, axis=1) + np.diff(swept.horizontal, axis=0)
    gain = np.zeros((4, 7))
    np.add.at(gain, ready.lattice.region_pin, swept.gain)
    assert np.abs(leaving + gain.reshape(2, 2, 7)[::-1]).max() < 1e-13
    volume = ready.lattice.region_volume[:, None]
    collided = (swept.flux * ready.region_total - source) * volume
    assert np.allclose(collided, swept.gain, atol=1e-13)


def test_a_thick_region_has_the_slope_of_its_source():
    # deep inside matter the flux is source over total; the slope that the sweep finds is that of the source
    ready, thick = sweeper(), 1e4
    total = {name: replace(m, total=m.total * thick) for name, m in C5G7.items()}
    found = ready.lattice
    deep = Sweeper(found, ready.tracks, total, polar_set("tabuchi-yamamoto", 3), linear=True)
    slopes = np.ones_like(deep.slopes) * deep.region_total[:, None]
    deep.sweep(deep.region_total, slopes)
    assert np.median(np.abs(deep.slopes - 1.0)) < 1e-2  # a boundary layer of a free path is left


def test_second_moments_of_a_ring_are_those_of_its_circles():
    found = lattice({"c": pin_cell([0.3, 0.5], ["a", "b", "c"], sectors=1)}, ["c"], pitch=1.2)
    spread = np.linalg.inv(linear_regions(found, lay_tracks(found, 16, 0.02)).inverse)
    exact = [0.3**2 / 4.0, (0.3**2 + 0.5**2) / 4.0]  # mean of x^2 over a disc, and over a ring
    assert spread[:2, 0, 0] == pytest.approx(exact, rel=1e-2)  # tracks 0.02 cm apart
    assert np.abs(spread[:, 0, 1]).max() < 1e-12


def test_coarse_regions_do_with_linear_sources_what_fine_ones_do_with_flat():
    best = pin_multiplication("linear", 2, 8, 4)
    flat = [abs(pin_multiplication("flat", *mesh) - best) for mesh in ((1, 4, 2), (2, 8, 4))]
    assert flat[1] < 0.6 * flat[0]  # flat sources come to the same k
    assert abs(pin_multiplication("linear", 1, 4, 2) - best) < 0.2 * flat[0]  # 44 and 302 pcm were seen


def test_few_groups_and_none_of_the_accelerating_mesh_lead_to_the_same_flux():
    table = two_group_table(["F W"], MIXED)
    alike = {"azimuths": 4, "spacing": 0.3, "rtol": 1e-8, "k_tolerance": 1e-9, "max_steps": 3000}
    for sources in ("flat", "linear"):
        whole = solve_transport(table, TWO_GROUPS, sources=sources, **alike)
        for how in ({"coarse_groups": [0]}, {"accelerate": False}):
            other = solve_transport(table, TWO_GROUPS, sources=sources, **alike, **how)
            assert other.multiplication == pytest.approx(
                whole.multiplication, abs=1e-6
            )  # 1e-8 a sweep, times sweeps that remember
            assert np.allclose(other.flux, whole.flux, rtol=1e-5)


def test_a_given_source_has_slopes_by_what_it_makes():
    given = {"fuel": [1.0, 0.0]}
    table = two_group_table(["F W"])
    weak = {**TWO_GROUPS, "fuel": {**TWO_GROUPS["fuel"], "nu_fission": [0.0, 0.05]}}
    found = solve_transport(table, weak, source=given, sources="linear", azimuths=4, spacing=0.3)
    assert found.passed
    assert np.abs(found.sweeper.slopes).max() > 0


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"sources": "quadratic"}, "sources"),
        ({"coarse_groups": [1]}, "coarse_groups"),
        ({"coarse_groups": [0, 2]}, "coarse_groups"),
        ({"spacing": 0.5, "azimuths": 2}, "spacing.*miss 2 of .* 'F', such as region .* of 'fuel'"),
    ],
)
def test_what_cannot_be_is_refused(options, words):
    table = two_group_table(["F W"])
    table["pins"]["F"] = {"radii": [0.02, 0.4], "materials": ["fuel", "fuel", "water"], "sectors": 2}
    with pytest.raises(InputError, match=words):
        solve_transport(table, TWO_GROUPS, **options)


def test_lanes_fill_padded_rows():
    assert [len(lanes_of(n)) for n in (1, 2, 4, 8, 12, 24)] == [1, 2, 4, 8, 4, 8]
