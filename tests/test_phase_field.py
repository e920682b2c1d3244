"""Flat interfaces: exact values, round trips, and the profile as the solution of its equations."""

import csv
from pathlib import Path

import jax
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scalebridge.cells.phase_field import FlatInterface, flat_interface
from scalebridge.core.errors import InputError, UnitError
from scalebridge.laws.double_well import STABLE, tilt, tilt_slope, well, well_slope

TABLE = Path(__file__).parent / "reference" / "phase_field_flat_interface_exact.csv"
EXACT = [
    {key: float(row[key]) for key in ("W", "kappa", "gamma", "l")}
    for row in csv.DictReader(TABLE.read_text(encoding="utf-8").splitlines())
]
NAMES = {"gradient_energy": "kappa", "barrier": "W", "tension": "gamma", "length": "l"}
PAIRS = [(a, b) for a in NAMES for b in NAMES if a < b]
positive = st.floats(1e-12, 1e12)


@pytest.mark.parametrize("row", EXACT, ids=lambda row: f"kappa {row['kappa']:g}")
@pytest.mark.parametrize("pair", PAIRS, ids="-".join)
def test_any_two_of_the_four_give_the_published_values(row, pair):
    found = flat_interface(**{name: row[NAMES[name]] for name in pair})
    got = (found.gradient_energy, found.barrier, found.tension(), found.length())
    # A handful of roundings of float64.
    np.testing.assert_allclose(got, [row[key] for key in ("kappa", "W", "gamma", "l")], rtol=1e-14)


@given(kappa=positive, barrier=positive)
def test_tension_and_length_lead_back(kappa, barrier):
    there = FlatInterface(kappa, barrier)
    back = flat_interface(tension=there.tension(), length=there.length())
    np.testing.assert_allclose((back.gradient_energy, back.barrier), (kappa, barrier), rtol=1e-14)


@given(kappa=st.floats(0.1, 10.0), barrier=st.floats(0.1, 10.0), share=st.floats(0.01, 0.45))
def test_the_profile_is_at_its_shares_where_the_width_says(kappa, barrier, share):
    found = FlatInterface(kappa, barrier)
    half = 0.5 * found.width(share=share)
    np.testing.assert_allclose(found.profile([-half, half]), [share, 1 - share], rtol=1e-9)


def test_the_profile_has_no_variational_derivative_and_the_tension_is_its_energy():
    kappa, barrier = 0.7, 1.9
    found = FlatInterface(kappa, barrier)
    x = np.linspace(-25.0, 25.0, 20001) * found.length()
    phase = found.profile(x)
    bend = np.gradient(np.gradient(phase, x, edge_order=2), x, edge_order=2)
    balance = kappa * bend - barrier * well_slope(phase)
    assert np.max(np.abs(balance[2:-2])) < 1e-5 * barrier  # second order in steps of l / 400
    density = barrier * well(phase) + 0.5 * kappa * np.gradient(phase, x) ** 2
    assert np.trapezoid(density, x) == pytest.approx(found.tension(), rel=1e-5)


def test_the_driven_profile_travels_as_it_is():
    # phi_t = L (kappa phi'' - W f' + m g') = v phi': 1 lies on the right, and the front moves to the left.
    found, mobility, driving = FlatInterface(0.7, 1.9), 1.3, 0.4
    length = found.length()
    phase = found.profile(np.linspace(-5.0, 5.0, 101) * length)
    slope = phase * (1 - phase) / length
    bend = slope * (1 - 2 * phase) / length
    rate = mobility * (0.7 * bend - 1.9 * well_slope(phase) + driving * tilt_slope(phase))
    np.testing.assert_allclose(rate, found.speed(mobility, driving) * slope, rtol=1e-12, atol=1e-15)
    # The sharp interface moves with M m, and under its curvature with M gamma = L kappa.
    assert found.mobility(mobility) * driving == found.speed(mobility, driving)
    assert found.mobility(mobility) * found.tension() == pytest.approx(mobility * 0.7, rel=1e-14)


@given(phase=st.floats(-0.5, 1.5))
def test_the_law_is_the_derivative_of_its_energy(phase):
    assert float(jax.grad(well)(phase)) == pytest.approx(float(well_slope(phase)), abs=1e-14)
    assert float(jax.grad(tilt)(phase)) == pytest.approx(float(tilt_slope(phase)), abs=1e-14)


def test_both_wells_are_minima_up_to_a_third_of_the_barrier():
    for end, sign in ((0.0, 1.0), (1.0, -1.0)):
        bend = jax.grad(jax.grad(lambda p, m: well(p) - m * tilt(p)))
        assert float(bend(end, sign * 0.999 * STABLE)) > 0 > float(bend(end, sign * 1.001 * STABLE))


def test_a_tensor_has_the_tension_of_its_normal():
    tensor = np.array([[2.0, 0.5], [0.5, 1.0]])
    found = flat_interface(gradient_energy=tensor, barrier=3.0)
    normal = np.array([1.0, 1.0])
    along = normal @ tensor @ normal / 2.0
    assert found.tension(normal) == pytest.approx(np.sqrt(2 * along * 3.0) / 6, rel=1e-14)
    assert found.tension(7 * normal) == pytest.approx(found.tension(normal), rel=1e-14)


def test_units_and_derivatives():
    found = flat_interface(tension="300 mJ/m^2", length="1 nm")
    assert found.gradient_energy == pytest.approx(6 * 0.3 * 1e-9, rel=1e-14)
    assert found.barrier == pytest.approx(3 * 0.3 / 1e-9, rel=1e-14)
    by_kappa = jax.grad(lambda k: flat_interface(gradient_energy=k, barrier=4.0).tension())(0.5)
    assert float(by_kappa) == pytest.approx(
        (1 / 3) / (2 * 0.5), rel=1e-14
    )  # gamma goes with the root of kappa


@pytest.mark.parametrize(
    ("given", "error", "argument"),
    [
        ({}, InputError, "flat_interface"),
        ({"barrier": 1.0}, InputError, "flat_interface"),
        ({"barrier": 1.0, "tension": 1.0, "length": 1.0}, InputError, "flat_interface"),
        ({"barrier": 0.0, "tension": 1.0}, InputError, "barrier"),
        ({"barrier": 1.0, "tension": -1.0}, InputError, "tension"),
        ({"barrier": np.nan, "length": 1.0}, InputError, "barrier"),
        ({"barrier": "1 J/m^3", "length": 1.0}, UnitError, "length"),
        ({"barrier": "1 J/m^2", "length": "1 m"}, UnitError, "barrier"),
        ({"tension": "a lot", "length": "1 m"}, UnitError, "tension"),
        ({"gradient_energy": np.eye(2), "tension": 1.0}, InputError, "gradient_energy"),
        ({"gradient_energy": -np.eye(2), "barrier": 1.0}, InputError, "gradient_energy"),
        ({"gradient_energy": [[1.0, 2.0], [2.0, 1.0]], "barrier": 1.0}, InputError, "gradient_energy"),
        ({"gradient_energy": np.eye(2), "barrier": 0.0}, InputError, "barrier"),
    ],
)
def test_bad_input_is_refused(given, error, argument):
    with pytest.raises(error) as refused:
        flat_interface(**given)
    assert refused.value.argument == argument
    assert refused.value.cure


@pytest.mark.parametrize("normal", [None, (1.0,), (0.0, 0.0), (1.0, 0.0, 0.0)])
def test_a_tensor_needs_a_normal(normal):
    found = flat_interface(gradient_energy=np.eye(2), barrier=1.0)
    with pytest.raises(InputError) as refused:
        found.tension(normal)
    assert refused.value.argument == "normal"


@pytest.mark.parametrize("share", [0.0, 0.5, -1.0])
def test_widths_lie_between_shares(share):
    with pytest.raises(InputError):
        FlatInterface(1.0, 1.0).width(share=share)
