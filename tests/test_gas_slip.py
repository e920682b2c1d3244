"""Gas slip: published viscosities and paths, exact channel and pipe, the regime, refusals."""

import math

import numpy as np
import pytest

from scalebridge.cells.gas_slip import gas_slip
from scalebridge.core.errors import InputError, UnitError
from scalebridge.laws.gas_slip import (
    GASES,
    SLIP_KINETIC,
    SLIP_REGIME,
    apparent_permeability,
    check_slip_regime,
    klinkenberg_pressure,
    mean_free_path,
    mean_free_path_spheres,
    slip_length,
)

ATMOSPHERE = 101325.0


@pytest.mark.parametrize(
    ("name", "temperature", "wanted"),
    # Air Liquide's gas encyclopedia, at 1 atm, Pa s.
    [
        ("air", 273.15, 1.7218e-5),
        ("air", 298.15, 1.8447e-5),
        ("nitrogen", 273.15, 1.6629e-5),
        ("nitrogen", 298.15, 1.7805e-5),
    ],
)
def test_viscosities_are_those_of_another_source(name, temperature, wanted):
    # The table's three digits and its power law: a percent.
    assert GASES[name].viscosity(temperature) == pytest.approx(wanted, rel=0.01)


def test_the_path_of_the_viscosity_is_that_of_hard_spheres_to_first_order():
    # Chapman and Enskog's first approximation for hard spheres, viscosity = 5/16 sqrt(pi m k T) / (pi d^2):
    # the two paths are in the ratio 5 pi / 16.
    diameter, temperature, molar_mass = 3.7e-10, 300.0, 28.014e-3
    boltzmann, avogadro = 1.380649e-23, 6.02214076e23
    mass = molar_mass / avogadro
    viscosity = 5 / 16 * math.sqrt(math.pi * mass * boltzmann * temperature) / (math.pi * diameter**2)
    ratio = mean_free_path(viscosity, ATMOSPHERE, temperature, molar_mass) / mean_free_path_spheres(
        diameter, ATMOSPHERE, temperature
    )
    assert ratio == pytest.approx(5 * math.pi / 16, rel=1e-9)  # R = k N to ten digits


def test_a_wall_that_remembers_lets_the_gas_slip_further():
    assert slip_length(2.0, 1.0) == 2.0
    assert slip_length(2.0, 0.5) == pytest.approx(6.0, rel=1e-15)
    assert slip_length(2.0, 1.0, SLIP_KINETIC) == pytest.approx(2 * 1.1466, rel=1e-4)  # as usually printed


@pytest.mark.parametrize(
    ("name", "permeability", "slope", "factor"),
    # Exact: h^2/12 (1 + 6 slip/h) between planes, a^2/8 (1 + 4 slip/a) in a pipe.
    [("channel", 1 / 12, 1 / 2, 6.0), ("pipe", 1 / 8, 1 / 2, 4.0)],
)
def test_klinkenberg_s_pressure_of_exact_flows(name, permeability, slope, factor):
    size, gas = 3e-6, gas_slip("helium", pressure="2 atm")
    found = gas.klinkenberg(permeability * size**2, slope * size)
    wanted = factor * gas.mean_free_path / size * 2 * ATMOSPHERE
    assert found == pytest.approx(wanted, rel=1e-14), name
    exact = permeability * size**2 * (1 + factor * gas.slip_length / size)
    assert gas.apparent(permeability * size**2, slope * size) == pytest.approx(exact, rel=1e-14)
    # b is a property of gas and pore: half the pressure, twice the slip length, the same b.
    other = gas_slip("helium", pressure="1 atm")
    assert other.klinkenberg(permeability * size**2, slope * size) == pytest.approx(found, rel=1e-14)
    at_other = gas.apparent(permeability * size**2, slope * size, pressure=ATMOSPHERE)
    assert at_other == pytest.approx(
        apparent_permeability(permeability * size**2, found, ATMOSPHERE), rel=1e-14
    )


def test_tensors_keep_their_axes():
    gas = gas_slip("air", pressure=1e5)
    K, slope = np.array([[2e-12, 1e-13], [1e-13, 1e-12]]), np.array([[3e-7, 1e-8], [1e-8, 2e-7]])
    np.testing.assert_allclose(gas.apparent(K, slope), K + gas.slip_length * slope, rtol=1e-15)
    wanted = klinkenberg_pressure(np.diag(K), np.diag(slope), gas.slip_length, 1e5)
    np.testing.assert_allclose(gas.klinkenberg(K, slope), wanted, rtol=1e-15)


def test_three_ways_to_say_the_same_gas():
    known = GASES["argon"]
    named = gas_slip("argon", pressure="1 bar", temperature=300)
    own = gas_slip(
        pressure=1e5, temperature="300 K", viscosity=known.viscosity(300.0), molar_mass="39.948 g/mol"
    )
    assert own.slip_length == pytest.approx(named.slip_length, rel=1e-12)
    spheres = gas_slip(pressure="1 bar", temperature=300, diameter="0.37 nm")
    assert spheres.slip_length == pytest.approx(mean_free_path_spheres(3.7e-10, 1e5, 300.0), rel=1e-12)
    kinetic = gas_slip("argon", pressure="1 bar", temperature=300, coefficient="kinetic")
    assert kinetic.slip_length == pytest.approx(SLIP_KINETIC * named.slip_length, rel=1e-15)


def test_beyond_the_slip_regime_the_check_fails():
    wide = gas_slip("nitrogen", pressure="1 atm", pore_size="1 um")
    narrow = gas_slip("nitrogen", pressure="1 atm", pore_size="100 nm")
    assert wide.passed
    assert not narrow.passed
    assert narrow.knudsen == pytest.approx(10 * wide.knudsen, rel=1e-12)
    assert "FAIL  slip regime" in str(narrow)
    assert check_slip_regime(SLIP_REGIME).passed
    assert gas_slip("nitrogen", pressure="1 atm").checks == ()
    assert narrow.to_dict()["checks"][0]["passed"] is False


@pytest.mark.parametrize(
    ("arguments", "error", "said"),
    [
        ({"gas": "phlogiston", "pressure": 1e5}, InputError, "gas: got 'phlogiston'"),
        ({"pressure": 1e5}, InputError, "gas: got nothing"),
        ({"gas": "air", "diameter": "0.3 nm", "pressure": 1e5}, InputError, "gas and diameter"),
        ({"viscosity": 1e-5, "pressure": 1e5}, InputError, "molar_mass: got nothing"),
        ({"gas": "air", "pressure": 0.0}, InputError, "pressure: got 0.0"),
        ({"gas": "air", "pressure": -1e5}, InputError, "pressure: got -100000.0"),
        ({"gas": "air", "pressure": math.nan}, InputError, "pressure: got nan"),
        ({"gas": "air", "pressure": "1 m"}, UnitError, "pressure: got '1 m'"),
        ({"gas": "air", "pressure": 1e5, "accommodation": 0.0}, InputError, "accommodation: got 0.0"),
        ({"gas": "air", "pressure": 1e5, "accommodation": 1.1}, InputError, "accommodation: got 1.1"),
        ({"gas": "air", "pressure": 1e5, "pore_size": "-1 um"}, InputError, "pore_size: got '-1 um'"),
        ({"gas": "air", "pressure": 1e5, "coefficient": "best"}, InputError, "coefficient: got 'best'"),
        ({"gas": "air", "pressure": 1e5, "temperature": -5}, InputError, "temperature"),
    ],
)
def test_what_cannot_be_right_is_refused(arguments, error, said):
    with pytest.raises(error, match=said):
        gas_slip(**arguments)
