"""Layers against the analytic critical cases of A. Sood et al. (2003)."""

import numpy as np
import pytest

from lattice_samples import TWO_GROUPS
from scalebridge.reactor.layer_problems import critical_layers
from scalebridge.reactor.layer_slabs import cell_integrals
from scalebridge.reactor.layered_transport import solve_layers

CASES = critical_layers()
FAST = {
    "PUa-1-0-SL": 30, "PUa-H2O(1)-1-0-SL": 30, "PUb-1-0-CY": 30, "Ua-1-0-SP": 30, "PUb-1-2-SL": 30,
    "Ub-1-1-CY": 60, "UD2Oc-1-1-SP": 60, "PU-2-0-SL": 30, "U-2-0-SP": 30, "Ue-Fe-Na-1-0-SL": 30,
    "URRd-H2Ob(1)-2-0-ISLC": 60, "URRc-H2Oa(IN)-2-0-SL": 60, "UD2O-2-1-SL": 30,
}  # fmt: skip


def error_pcm(name, cells, directions=16):
    return CASES[name].error(cells=cells, directions=directions)


@pytest.mark.parametrize("name", [name for name in CASES if CASES[name].geometry == "infinite"])
def test_infinite_media(name):
    assert abs(CASES[name].error()) < CASES[name].allowed
    assert abs(CASES[name].k - CASES[name].published) < 3.1e-5  # two published values are misprinted


@pytest.mark.parametrize("name", FAST)
def test_critical_layers(name):
    assert abs(error_pcm(name, FAST[name])) < CASES[name].allowed


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in CASES if CASES[name].geometry != "infinite"])
def test_all_critical_layers_with_the_default_settings(name):
    assert abs(CASES[name].error()) < CASES[name].allowed


def test_the_limit_of_shells_is_reached_faster_than_in_second_order():
    # Extrapolation takes the second order away; what the roots of chords leave is between it and the fourth.
    exact = error_pcm("Ua-1-0-SP", 160)
    coarse, fine = error_pcm("Ua-1-0-SP", 20) - exact, error_pcm("Ua-1-0-SP", 40) - exact
    assert 4.0 < coarse / fine < 20.0


def test_parabolas_in_slabs_are_of_sixth_order():
    found = [error_pcm("URRc-H2Oa(IN)-2-0-SL", cells) for cells in (48, 96, 192)]
    # 2^6 = 64 once cells are thin against the layers at the faces; they are not quite
    assert abs(found[0] - found[2]) > 30.0 * abs(found[1] - found[2])


def test_integrals_of_a_cell_are_those_of_quadrature_on_both_sides_of_the_switch():
    depth = np.array([1.9999999, 2.0])  # below by quadrature, from there on by recursion
    out, inside = cell_integrals(depth)
    assert np.allclose(out[0], out[1], rtol=1e-6)
    assert np.allclose(inside[0], inside[1], rtol=1e-6, atol=1e-9)
    thick = cell_integrals(np.array([1e5]))
    assert np.allclose(thick[0], 1.0, atol=1e-3)  # what leaves a black cell is the source at its face
    assert np.allclose(thick[1], np.diag([1.0, 1 / 3, 1 / 5]), atol=1e-3)


def test_neutrons_balance_and_nothing_leaves_a_closed_slab():
    found = solve_layers("slab", [1.0, 2.0], ["fuel", "water"], TWO_GROUPS, outer="reflective", cells=20)
    assert abs(found.leakage) < 1e-10  # rounding of a dense solution of some hundred unknowns
    leaky = solve_layers("sphere", [3.0], ["fuel"], TWO_GROUPS, cells=20)
    assert 0.0 < leaky.leakage < 1.0
    assert leaky.balance == pytest.approx(leaky.leakage, rel=1e-3)  # chi sums to one here


def test_a_slab_is_the_half_of_the_whole():
    half = solve_layers("slab", [1.0, 2.0], ["fuel", "water"], TWO_GROUPS, cells=24)
    whole = solve_layers(
        "slab", [2.0, 2.0, 2.0], ["water", "fuel", "water"], TWO_GROUPS, inner="vacuum", cells=48
    )
    assert whole.multiplication == pytest.approx(half.multiplication, rel=1e-5)  # cells differ


def test_a_closed_slab_of_one_material_is_an_infinite_medium():
    found = solve_layers("slab", ["2 cm"], ["fuel"], TWO_GROUPS, outer="reflective", cells=12)
    # (total - scatter) phi = source, by hand
    spectrum = np.array([1 / 0.06, 0.02 / 0.06 / 0.2])
    assert found.multiplication == pytest.approx(float(spectrum @ [0.01, 0.26]), rel=1e-10)
    assert np.ptp(found.flux, axis=0).max() < 1e-9 * found.flux.max()
