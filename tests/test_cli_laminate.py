"""scalebridge laminate: layers in, the exact tensor out."""

import json

import numpy as np
import pytest

from cli_helpers import invoke
from scalebridge.core.upscaled import load_result

WALL = ("--layer", "24 cm:brick=0.5 W/m/K +- 10 %", "--layer", "12 cm:wool=0.04 W/m/K")


def told(*args):
    found = invoke("laminate", *args, "--json")
    assert found.exit_code == 0
    return json.loads(found.stdout)


def test_series_across_and_parallel_along():
    value = np.array(told(*WALL)["value"])
    across, along = 36 / (24 / 0.5 + 12 / 0.04), (24 * 0.5 + 12 * 0.04) / 36
    np.testing.assert_allclose(value, np.diag([along, along, across]), rtol=1e-12, atol=1e-15)


def test_spread_of_a_layer():
    # dK/dk along is the fraction 2/3, and the deviation is 10 % of 0.5.
    assert told(*WALL)["std"][0][0] == pytest.approx(2 / 3 * 0.05, rel=1e-12)


def test_normal_sets_direction_and_dimension():
    value = np.array(told(*WALL, "--normal", "1, 0")["value"])
    assert value.shape == (2, 2)
    assert value[0, 0] == pytest.approx(36 / (24 / 0.5 + 12 / 0.04), rel=1e-12)


def test_relative_thicknesses_and_a_tensor_in_brackets():
    found = told("--layer", "1=[[3, 1, 0], [1, 3, 0], [0, 0, 3]] W/m/K", "--layer", "1=[3, 3, 3] W/m/K")
    np.testing.assert_allclose(found["value"], [[3, 0.5, 0], [0.5, 3, 0], [0, 0, 3]], rtol=1e-12, atol=1e-15)


def test_files_and_text(tmp_path):
    out, card, page = tmp_path / "wall.json", tmp_path / "wall.inp", tmp_path / "wall.html"
    found = invoke("laminate", *WALL, "--out", out, "--card", card, "--report", page)
    assert found.exit_code == 0
    assert "brick" in found.stdout
    assert "flux across layers" in found.stdout
    assert load_result(out)["unit"] == "W/m/K"
    assert "TYPE=ORTHO" in card.read_text(encoding="utf-8")
    assert "brick" in page.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("args", "said"),
    [
        ((), "at least one layer"),
        (("--layer", "2 mm"), "THICKNESS[:NAME]=VALUE"),
        (("--layer", "=0.6 W/m/K"), "THICKNESS[:NAME]=VALUE"),
        (("--layer", "2 mm="), "VALUE [UNIT]"),
        (("--layer", "2 mm=0.6 W/m/K", "--layer", "3=0.6 W/m/K"), "on every thickness or on none"),
        (("--layer", "-2 mm=0.6 W/m/K"), "positive, finite length"),
        (("--layer", "2 kg=0.6 W/m/K"), "convertible to m"),
        (("--layer", "2 mm=-0.6 W/m/K"), "non-negative"),
        (("--layer", "2 mm=0.6 W/m/K", "--normal", "0,0,0"), "not all zero"),
        (("--layer", "2 mm=0.6 W/m/K", "--normal", "up"), "separated by commas"),
        (("--layer", "2 mm=0.6 W/m/K", "--normal", "1,0", "--card", "c.inp"), "three directions"),
    ],
)
def test_bad_input_is_refused(args, said):
    found = invoke("laminate", *args)
    assert found.exit_code == 2
    assert said in found.stderr
    assert "cure" in found.stderr
