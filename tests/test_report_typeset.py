"""Numbers, units and lengths as they are printed."""
# ruff: noqa: RUF001 (a page is typeset with true minus, times and dashes)

import math
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scalebridge.report.typeset import (
    align,
    decimals_of,
    round_length,
    shorten,
    typeset_estimate,
    typeset_length,
    typeset_number,
    typeset_unit,
)

SUPERSCRIPTS = str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹−", "-0123456789-")


def read_back(text):
    """Turn printed text into the number that a reader takes from it."""
    power = "([⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+)"
    sign, mantissa, after, alone = re.fullmatch(rf"(−?)(?:([\d.]+)(?:×10{power})?|10{power})", text).groups()
    exponent = int((after or alone or "0").translate(SUPERSCRIPTS))
    return (-1.0 if sign else 1.0) * float(mantissa or 1) * 10.0**exponent


@pytest.mark.parametrize(
    ("unit", "shown"),
    [
        ("W/m/K", "W/(m·K)"),
        ("W/(m*K)", "W/(m·K)"),
        ("S/m", "S/m"),
        ("m^2/s", "m²/s"),
        ("m**2", "m²"),
        ("W/m^2/K", "W/(m²·K)"),
        ("1/s", "1/s"),
        ("1", ""),
    ],
)
def test_units_are_typeset(unit, shown):
    assert typeset_unit(unit) == shown


@pytest.mark.parametrize(
    ("value", "std", "shown"),
    [
        (7.7, 0.3, "7.7 ± 0.3"),
        (7.7123, 0.197, "7.71 ± 0.20"),
        (5.46369, 0.0371, "5.464 ± 0.037"),
        (-0.0162, 0.00092, "−0.01620 ± 0.00092"),
        (1000.0, 100.0, "1000 ± 100"),
        (2.1e-13, 4.4e-15, "(2.100 ± 0.044)×10⁻¹³"),
        (0.6, None, "0.6"),
        (0.6, 0.0, "0.6"),
        (math.nan, 0.3, "–"),
    ],
)
def test_a_value_has_the_decimals_of_its_deviation(value, std, shown):
    assert typeset_estimate(value, std) == shown


@given(st.floats(1e-12, 1e12))
def test_a_deviation_keeps_one_or_two_digits(std):
    # Rounding to two digits changes a number by at most 5 per cent.
    assert abs(round(std, decimals_of(std)) - std) <= 0.05 * std * (1 + 1e-9) or std >= 100


@given(st.floats(-1e20, 1e20).filter(lambda x: abs(x) > 1e-20), st.integers(2, 6))
def test_a_printed_number_reads_back_to_its_digits(value, digits):
    assert math.isclose(read_back(typeset_number(value, digits)), value, rel_tol=0.51 * 10.0 ** (1 - digits))


def test_decimal_points_stand_below_each_other():
    cells, exponent = align(np.array([12.5, -0.031, 3.0]), np.array([0.25, 0.0042, 0.0]))
    assert exponent == 0
    places = {len(cell.value) - cell.value.index(".") for cell in cells}
    assert len(places) == 1
    assert [cell.value.strip() for cell in cells] == ["12.50", "−0.0310", "3.0000"]
    assert [cell.std.strip() for cell in cells] == ["0.25", "0.0042", ""]
    assert len({len(cell.std) for cell in cells}) == 1


def test_a_common_power_of_ten_is_taken_out():
    cells, exponent = align(np.array([[1.25e-13, 0.0], [0.0, 3e-14]]))
    assert exponent == -15
    assert [c.value.strip() for c in cells.ravel()] == ["125.000", "0", "0", "30.000"]


def test_the_solver_limits_the_digits():
    cells, _ = align(np.array([5.464321]), digits=3)
    assert cells[0].value == "5.46"


@given(st.floats(1e-8, 1e3))
def test_a_scale_bar_is_round_and_fits(limit):
    bar = round_length(limit)
    assert 0.3999 * limit < bar <= limit * (1 + 1e-9)
    assert f"{bar:.0e}"[0] in "125"


@pytest.mark.parametrize(
    ("metres", "shown"), [(3e-6, "3 µm"), (3.84e-4, "384 µm"), (0.012, "12 mm"), (2e-8, "20 nm")]
)
def test_lengths_take_a_readable_unit(metres, shown):
    assert typeset_length(metres) == shown


def test_long_names_are_cut_and_short_ones_are_not():
    assert shorten("quartz", 6) == "quartz"
    assert shorten("orthoclase", 6) == "ortho…"
