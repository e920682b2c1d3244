"""Layers against the analytic critical cases of A. Sood et al. (2003)."""

import numpy as np
import pytest

from lattice_samples import SOOD, TWO_GROUPS, sood_case
from scalebridge.reactor.layered_transport import solve_layers

NAMES = {kind: [c["name"] for c in SOOD["cases"] if c["geometry"] == kind] for kind in
         ("IN", "SL", "SL-NS", "ISLC", "FENA", "CY", "SP")}  # fmt: skip
PCM = {"IN": 3.0, "SL": 15.0, "CY": 50.0, "SP": 50.0}  # what is asked of each geometry
FAST = {
    "PUa-1-0-SL": 40, "PUa-H2O(1)-1-0-SL": 60, "PUb-1-0-CY": 30, "Ua-1-0-SP": 30, "PUb-1-2-SL": 40,
    "Ub-1-1-CY": 60, "UD2Oc-1-1-SP": 60, "PU-2-0-SL": 30, "U-2-0-SP": 30, "Ue-Fe-Na-1-0-SL": 60,
    "URRd-H2Oc(1)-2-0-ISLC": 30,
}  # fmt: skip
# The published value of these two is not the eigenvalue of their published cross-sections: 1.0001963 is.
MISPRINTED = {"UD2O-2-0-IN": 1.0001963449653002, "UD2O-2-1-IN": 1.0001963449653002}


def error_pcm(name, cells, directions=16):
    case, materials = sood_case(name)
    kind, radii = case["geometry"], list(case["outer_radii_or_half_thickness_cm"])
    radii = [min(r, radii[0] + 25.0) for r in radii] if radii[-1] > 1e10 else radii  # an endless reflector
    thicknesses = np.diff([0.0, *radii]).tolist()
    options = {}
    if kind == "SL-NS":
        thicknesses = [2.0 * radii[0], radii[1] - radii[0]]
    if kind in ("SL-NS", "FENA"):
        options["inner"] = "vacuum"
    if kind == "ISLC":
        options["outer"] = "reflective"
    geometry = {"CY": "cylinder", "SP": "sphere"}.get(kind, "slab")
    found = solve_layers(
        geometry, thicknesses, case["materials"], materials, cells=cells, directions=directions, **options
    )
    return (found.multiplication - case["k_ref"]) * 1e5


def allowed(name):
    return PCM.get(sood_case(name)[0]["geometry"], PCM["SL"])


@pytest.mark.parametrize("name", NAMES["IN"])
def test_infinite_media(name):
    case, materials = sood_case(name)
    found = materials[case["materials"][0]].infinite_multiplication()
    assert abs(found - MISPRINTED.get(name, case["k_ref"])) * 1e5 < PCM["IN"]


@pytest.mark.parametrize("name", FAST)
def test_critical_layers(name):
    assert abs(error_pcm(name, FAST[name])) < allowed(name)


@pytest.mark.slow
@pytest.mark.parametrize("name", [n for kind, names in NAMES.items() if kind != "IN" for n in names])
def test_all_critical_layers(name):
    assert abs(error_pcm(name, 300)) < allowed(name)


def test_the_limit_of_meshes_is_reached_in_fourth_order():
    # Extrapolation takes the second order away; with half the cells the rest is some sixteen times as much.
    exact = error_pcm("Ua-1-0-SL", 160)
    coarse, fine = error_pcm("Ua-1-0-SL", 20) - exact, error_pcm("Ua-1-0-SL", 40) - exact
    assert 8.0 < coarse / fine < 40.0


def test_neutrons_balance_and_nothing_leaves_a_closed_slab():
    found = solve_layers("slab", [1.0, 2.0], ["fuel", "water"], TWO_GROUPS, outer="reflective", cells=20)
    assert abs(found.leakage) < 1e-10  # rounding of a dense solution of forty unknowns
    leaky = solve_layers("sphere", [3.0], ["fuel"], TWO_GROUPS, cells=20)
    assert 0.0 < leaky.leakage < 1.0
    assert leaky.balance == pytest.approx(leaky.leakage, rel=1e-3)  # chi sums to one here


def test_a_closed_slab_of_one_material_is_an_infinite_medium():
    found = solve_layers("slab", ["2 cm"], ["fuel"], TWO_GROUPS, outer="reflective", cells=12)
    # (total - scatter) phi = source, by hand
    spectrum = np.array([1 / 0.06, 0.02 / 0.06 / 0.2])
    assert found.multiplication == pytest.approx(float(spectrum @ [0.01, 0.26]), rel=1e-10)
    assert np.ptp(found.flux, axis=0).max() < 1e-9 * found.flux.max()
