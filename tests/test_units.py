"""Units of permeability against the standard that defines them."""

import pytest

from scalebridge.core.errors import UnitError
from scalebridge.core.units import DARCY, parse_quantity

SPE = 9.869233e-13  # m^2, The SI Metric System of Units and SPE Metric Standard (1984), seven digits
LAST_DIGIT = 0.5e-6 / 9.869233  # relative, half a unit of the standard's last digit


def test_a_darcy_is_the_standard_s():
    assert pytest.approx(SPE, rel=LAST_DIGIT) == DARCY
    # Its definition in centimetres, centipoise, atmospheres: 1 cm^3/s * 1 cP * 1 cm / (1 cm^2 * 1 atm).
    assert pytest.approx(1e-6 * 1e-3 * 1e-2 / (1e-4 * 101325.0), rel=1e-15) == DARCY


@pytest.mark.parametrize(
    ("text", "metres"),
    [
        ("1 darcy", DARCY),
        ("1.5 darcy", 1.5 * DARCY),
        ("1 mD", 1e-3 * DARCY),
        ("250 millidarcy", 0.25 * DARCY),
        ("1 mdarcy", 1e-3 * DARCY),
        ("3 microdarcy", 3e-6 * DARCY),
        ("2 um^2", 2e-12),
        ("2 µm^2", 2e-12),
        ("0.5 micrometre^2", 0.5e-12),
        ("1e-12 m^2", 1e-12),
        ("1e-8 cm^2", 1e-12),
    ],
)
def test_permeabilities_are_read(text, metres):
    assert parse_quantity(text, "m^2", "permeability") == pytest.approx(metres, rel=1e-14)


@pytest.mark.parametrize("text", ["3 D", "3 md", "3 m", "3 W/m/K"])
def test_other_units_are_not_taken_for_permeabilities(text):
    with pytest.raises(UnitError, match="permeability"):
        parse_quantity(text, "m^2", "permeability")


def test_a_bare_number_is_told_its_unit():
    with pytest.raises(UnitError, match=r"write '3 m\^2'"):
        parse_quantity(3, "m^2", "permeability")
