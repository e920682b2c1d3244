"""The curve of the permeability over the slip length: checks that fail, gases along it, and its way out."""

import json
import math

import numpy as np
import pytest

import scalebridge as sb
from cli_helpers import invoke, save
from scalebridge.cells.gas_slip import gas_slip
from scalebridge.cells.slip_curve import SlipCurve, curve_lengths, curve_of, rising_check
from scalebridge.core.errors import InputError, UnitError
from scalebridge.grids.pore_shapes import cylinder_array

SHARE, CELLS = 0.2, 48
RADIUS = math.sqrt(SHARE / math.pi)
# Square array, by slip over radius: tests/reference/cylinder_square_transverse_slip_computed.csv.
EXACT = {0.0: 0.0194073202498, 0.1: 0.0238044611302, 1.0: 0.036713665635}
HEIGHT = 10e-6


def channel_curve(lengths=(0.0, 1e-6, 4e-6)):
    """A plane channel: h^2/12 + h s/2."""
    values = [np.diag([HEIGHT**2 / 12 + HEIGHT * s / 2, 0.0]) for s in lengths]
    return SlipCurve(
        np.array(lengths), np.array(values), np.array([np.diag([HEIGHT / 2, 0.0])] * len(lengths))
    )


def failed(curve):
    return [check.name for check in curve.checks(1e-4) if not check.passed]


def test_checks_pass_on_a_channel_and_name_what_is_wrong():
    right = channel_curve()
    assert failed(right) == []
    convex = SlipCurve(right.lengths, right.values * (1 + right.lengths[:, None, None] / 2e-6), right.slopes)
    assert failed(convex) == ["concave along the slip curve"]
    # v - s would be a straight line down: concave, and wrong.
    falling = SlipCurve(right.lengths, right.values[::-1], -right.slopes)
    assert "rising along the slip curve" in failed(falling)
    assert "positive definite along the slip curve" in failed(
        SlipCurve(right.lengths, -right.values, right.slopes)
    )


def test_a_slope_that_is_not_semidefinite_fails():
    assert not rising_check(np.eye(2), np.array([[1.0, 2.0], [2.0, 1.0]])).passed
    assert rising_check(np.zeros((2, 2)), np.zeros((2, 2))).passed


def test_between_points_it_is_the_cubic_of_values_and_slopes():
    lengths = np.array([0.0, 0.5, 2.0])
    cubic = np.polynomial.Polynomial([1.0, 2.0, -0.3, 0.02])
    shape = (3, 1, 1)
    curve = SlipCurve(lengths, cubic(lengths).reshape(shape), cubic.deriv()(lengths).reshape(shape))
    asked = np.linspace(0.0, 2.0, 9)
    np.testing.assert_allclose(curve.at(asked)[:, 0, 0], cubic(asked), rtol=1e-14)  # roundings
    with pytest.raises(InputError, match="slip_curve"):
        curve.at(2.1)


def test_a_gas_along_the_curve_of_a_channel_obeys_klinkenberg():
    curve = channel_curve()
    gas = gas_slip("nitrogen", pressure="1 atm")
    pressures = np.array([2e4, 1e5, 1e6])
    b = gas.klinkenberg(HEIGHT**2 / 12, HEIGHT / 2)
    np.testing.assert_allclose(
        gas.along(curve, pressures)[:, 0, 0], HEIGHT**2 / 12 * (1 + b / pressures), rtol=1e-12
    )
    assert gas.along(curve).shape == (2, 2)
    for wrong in (1.0, -5.0, [1e5, 0.0]):
        with pytest.raises(InputError, match="pressure"):
            gas.along(curve, wrong)


@pytest.mark.parametrize(
    ("given", "error"),
    [
        ("1 um", InputError),
        ([], InputError),
        (["0 um"], InputError),
        (["-1 um"], InputError),
        ([math.inf], InputError),
        ([True], InputError),
        (["1 s"], UnitError),
        (["1e-6"], UnitError),
        (3.0, InputError),
    ],
)
def test_impossible_lengths_are_refused(given, error):
    with pytest.raises(error, match="slip_curve"):
        curve_lengths(given, "m")


def disc():
    x = (np.indices((CELLS, CELLS)) + 0.5) / CELLS - 0.5
    return np.hypot(*x) > RADIUS


def test_an_image_and_its_surface_have_the_known_curve():
    lengths = [0.1 * RADIUS, 1.0 * RADIUS]
    exact = np.array(list(EXACT.values()))
    found = sb.permeability(cylinder_array("square", SHARE), cells=CELLS, slip_curve=lengths, budget="quick")
    assert found.passed, str(found)
    curve = curve_of(found)
    np.testing.assert_allclose(
        curve.values[:, 0, 0], exact, rtol=3e-3
    )  # test_cut_cell holds it to 2e-3 at 64
    image = sb.permeability(
        disc(), voxel="cubic", walls="smooth", slip_curve=[CELLS * s for s in lengths], budget="quick"
    )
    assert image.passed, str(image)
    # The steps that are left brake: some percent beyond a tenth of the radius (`ImagePores`).
    np.testing.assert_allclose(curve_of(image).values[:, 0, 0], exact * CELLS**2, rtol=0.05)
    assert json.loads(image.to_json())["stats"]["slip curve"]["slip lengths"][0] == 0.0


def test_planes_of_voxels_have_a_curve_and_staircases_have_none():
    channel = np.zeros((4, 12), bool)
    channel[:, 2:10] = True
    found = sb.permeability(
        channel, voxel="1 um", slip_length="1 um", slip_curve=["2 um", "1 um"], budget="quick"
    )
    curve = curve_of(found)
    exact = ((64 + 2) / 12 + 8 * np.array([0.0, 1.0, 2.0]) / 2) * 8 / 12
    np.testing.assert_allclose(curve.values[:, 0, 0], exact * 1e-12, rtol=1e-9)
    np.testing.assert_array_equal(curve.values[1], found.value)
    with pytest.raises(InputError, match="walls='smooth'"):
        sb.permeability(disc(), voxel="1 um", slip_curve=["1 um"])
    with pytest.raises(InputError, match="slip_curve"):
        curve_of(sb.permeability(channel, voxel="1 um", budget="none"))


def test_the_command_line_draws_it(tmp_path):
    image = save(tmp_path, disc()[::2, ::2].astype(np.uint8))
    page = tmp_path / "page.html"
    options = ("--pore", 1, "--voxel", "2 um", "--walls", "smooth", "--budget", "quick", "--rtol", "1e-3")
    told = invoke("permeability", image, *options, "--slip-curve", "0.2 um, 1 um", "--report", page, "--json")
    assert told.exit_code == 0, told.output
    curve = json.loads(told.stdout)["stats"]["slip curve"]
    assert curve["slip lengths"] == pytest.approx([0.0, 2e-7, 1e-6])
    text = page.read_text(encoding="utf-8")
    assert "nitrogen, 1 bar" in text
    assert "concave along the slip curve" in text
    assert "Dotted: the tangent at no slip" in text
    wrong = invoke("permeability", image, *options, "--slip-curve", "0.2 um; 1 um")
    assert wrong.exit_code == 2
    assert "slip_curve" in wrong.stderr
