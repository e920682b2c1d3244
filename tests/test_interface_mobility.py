"""Effective mobilities: limits with exact answers, matched fronts with derivatives, spreads and pinning."""

import json
from typing import Any

import numpy as np
import pytest

from scalebridge.cells.interface_mobility import effective_mobility
from scalebridge.cells.phase_field import FlatInterface
from scalebridge.core.errors import InputError, SolverError
from scalebridge.core.results import Outcome

LAYERS, MOBILITY = [(1.0, 0), (1.5, 1)], {0: 1.0, 1: 3.0}
KAPPA, WELL = {0: 2.0, 1: 2.5}, {0: 1.0, 1: 1.3}
INVERSE = 1.0 / (0.4 / 1.0 + 0.6 / 3.0)
FRONT: dict[str, Any] = {"kind": "kinetic", "gradient_energy": KAPPA, "barrier": WELL, "driving": 0.15}


def front(**changed: Any) -> dict[str, Any]:
    return {**FRONT, **changed}


@pytest.fixture(scope="module")
def matched():
    spread = {0: {"value": 1.0, "std": "5 %", "name": "soft"}, 1: 3.0}
    return effective_mobility(LAYERS, spread, **FRONT)


def coarse_interface(kappa, well, shares=(0.4, 0.6)):
    series = 1.0 / sum(f / kappa[i] for i, f in enumerate(shares))
    return FlatInterface(series, sum(f * well[i] for i, f in enumerate(shares)))


# ------------------------------------------------------------------------------------------------ limits


def test_thin_structure_averages_the_inverse():
    spread = {0: {"value": "1e-3 m^3/J/s", "std": "10 %"}, 1: "3e-3 m^3/J/s"}
    found = effective_mobility([("2 nm", 0), ("3 nm", 1)], spread, kind="kinetic")
    assert float(found.value) == pytest.approx(1e-3 * INVERSE, rel=1e-14)
    assert found.unit == "m^3/J/s"
    assert found.passed
    bound = found.bounds["series-parallel"]
    assert float(bound.lower) == float(found.value)
    assert float(bound.upper) == pytest.approx(0.4e-3 + 0.6 * 3e-3, rel=1e-14)
    slope = 0.4 * INVERSE**2
    assert found.derivatives["phase 0"] == pytest.approx(slope, rel=1e-14)
    assert found.std == pytest.approx(slope * 1e-4, rel=1e-9)


def test_an_image_counts_by_its_fractions():
    labels = np.array([[0, 0], [1, 1], [0, 1], [1, 1], [0, 1]], np.uint8)
    found = effective_mobility(labels, MOBILITY, kind="kinetic")
    assert float(found.value) == pytest.approx(INVERSE, rel=1e-14)


def test_a_conserved_mobility_is_a_tensor():
    found = effective_mobility(
        [("2 nm", 0), ("3 nm", 1)],
        {0: "1e-24 m^5/J/s", 1: "3e-24 m^5/J/s"},
        kind="conserved",
        normal=(0, 1),
    )
    np.testing.assert_allclose(found.value, np.diag([2.2e-24, INVERSE * 1e-24]), rtol=1e-13, atol=1e-40)
    assert found.unit == "m^5/J/s"
    molar = effective_mobility(LAYERS, {0: "1 mol^2/J/m/s", 1: "0 mol^2/J/m/s"}, kind="conserved")
    assert molar.unit == "mol^2/J/m/s"
    assert molar.value[2, 2] == 0.0


# ------------------------------------------------------------------------------------------------ fronts


def test_the_matched_mobility_is_the_fronts(matched):
    told, interface = matched.stats["fronts"][0], coarse_interface(KAPPA, WELL)
    assert matched.passed, str(matched)
    assert float(matched.value) == pytest.approx(told["speed"] / interface.speed(1.0, 0.15), rel=1e-9)
    assert matched.stats["mean-coefficient mobility"] == pytest.approx(INVERSE, rel=1e-14)
    assert matched.stats["interface mobility"] == pytest.approx(interface.mobility(float(matched.value)))
    assert {check.name for check in matched.checks} >= {"front moves", "coarse front", "adjoint front"}
    assert matched.inputs["phase 0, mobility"]["name"] == "soft, mobility"
    assert json.loads(matched.to_json())["passed"]


def test_its_derivatives_are_those_of_matches(matched):
    # All inputs moved together along one direction each: the runs' speeds settle to some 1e-7.
    step = 1e-3
    cases = {
        "mobility": (LAYERS, {0: 1.0 + step, 1: 3.0}, FRONT),
        "gradient energy": (LAYERS, MOBILITY, front(gradient_energy={0: 2.0 * (1.0 + step), 1: 2.5})),
        "barrier": (LAYERS, MOBILITY, front(barrier={0: 1.0 + step, 1: 1.3})),
        "thickness": ([(1.0 + step, 0), (1.5, 1)], MOBILITY, FRONT),
    }
    sizes = {"mobility": 1.0, "gradient energy": 2.0, "barrier": 1.0, "thickness": 1.0}
    for name, (layers, mobility, more) in cases.items():
        moved = float(effective_mobility(layers, mobility, **more).value)
        key = "layer 0, thickness" if name == "thickness" else f"phase 0, {name}"
        slope = matched.derivatives[key]
        difference = (moved - float(matched.value)) / (step * sizes[name])
        # Of the one-sided step, and of the grid that the derivative is taken on.
        assert float(slope) == pytest.approx(difference, rel=5e-3, abs=1e-3), name


def test_spreads_of_inputs_and_of_the_front_add_up(matched):
    parts = matched.uncertainty
    by_input = abs(float(matched.derivatives["phase 0, mobility"])) * 0.05
    assert float(parts["inputs"].std) == pytest.approx(by_input, rel=1e-9)
    assert 0.0 < float(parts["front speed"].std) < 1e-3 * float(matched.value)
    assert float(matched.estimate.std[0]) == pytest.approx(float(matched.std), rel=1e-12)


def test_the_three_layers_of_the_bar_pass_their_checks():
    for ratio in (2.0, 5.0, 10.0):
        kappa = {0: 1.0, 1: ratio}
        found = effective_mobility([(0.75, 0), (0.75, 1)], {0: 1.0, 1: ratio}, **front(gradient_energy=kappa))
        check = next(check for check in found.checks if check.name == "coarse front")
        assert found.passed, str(found)
        assert check.value < 0.01 == check.tolerance


def test_one_mobility_for_forces_that_need_several_is_said():
    found = effective_mobility([(3.0, 0), (3.0, 1)], MOBILITY, **front(driving=[0.05, 0.15]))
    failed = {check.name for check in found.checks if not check.passed}
    assert failed == {"one mobility for all driving forces", "coarse front"}
    apart = np.array([one["mobility"] for one in found.stats["fronts"]])
    assert apart.min() < float(found.value) < apart.max()
    # What one mobility cannot meet is in its spread.
    assert float(found.uncertainty["front speed"].std) > 0.1 * np.ptp(apart)


def test_a_front_that_stands_has_no_mobility():
    found = effective_mobility([(3.0, 0), (3.0, 1)], MOBILITY, **front(driving=0.005))
    assert float(found.value) == 0.0
    assert [check.name for check in found.checks if not check.passed] == ["front moves"]
    assert "stands" in found.notes[0]
    assert "a mobility of 1.5." in found.notes[0]  # 1 / (1/2 + 1/6): what the means would have given
    assert found.stats["fronts"][0]["pinned"]
    assert found.outcome is Outcome.converged


def test_the_threshold_is_told():
    found = effective_mobility([(3.0, 0), (3.0, 1)], MOBILITY, depinning=True, resolution=4.0, **FRONT)
    told = found.stats["threshold"]
    assert 0.0 < told["pinned"] < told["moving"] < 1.02 * told["pinned"]
    assert "begins to move" in found.notes[-1]


def test_too_few_steps_are_said():
    with pytest.raises(SolverError):
        effective_mobility(LAYERS, MOBILITY, max_steps=10, **FRONT)
    found = effective_mobility(LAYERS, MOBILITY, max_steps=10, throw=False, **FRONT)
    assert found.outcome is Outcome.step_limit
    assert np.isnan(found.value)
    assert json.loads(found.to_json())["value"] is None


# ---------------------------------------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("changed", "argument"),
    [
        ({"kind": "solute"}, "kind"),
        ({"kind": "conserved"}, "gradient_energy"),
        ({"gradient_energy": None}, "gradient_energy"),
        ({"barrier": None}, "barrier"),
        ({"driving": None}, "driving"),
        ({"driving": 0.0}, "driving"),
        ({"driving": []}, "driving"),
        ({"driving": [0.1, "fast"]}, "driving"),
        ({"driving": "1e5 J/m^3"}, "driving"),
        ({"driving": 1.0 / 3.0}, "driving"),
        ({"medium": np.zeros((4, 4), int)}, "medium"),
        ({"medium": [("1 nm", 0), ("2 nm", 1)]}, "layers"),
        ({"medium": [(1.0, 0), (1.0, 2)]}, "mobility"),
        ({"mobility": {0: 1.0, 1: 0.0}}, "mobility, phase 1"),
        ({"mobility": {0: 1.0, 1: [1.0, 2.0]}}, "mobility, phase 1"),
        ({"mobility": {0: 1.0, 1: "3 m^3/J/s"}}, "mobility"),
        ({"mobility": {0: 1.0, 1: {"value": 3.0, "std": -1.0}}}, "mobility, phase 1"),
        ({"mobility": {0: 1.0, 1: {"samples": [1.0, 2.0]}}}, "mobility, phase 1"),
        ({"barrier": {0: 1.0, 1: "1.3 J/m^3"}}, "barrier"),
        ({"gradient_energy": {0: 2.0, 1: -2.5}}, "gradient_energy, phase 1"),
        ({"resolution": 1.0}, "resolution"),
        ({"max_steps": 0}, "max_steps"),
        ({"max_steps": 10.5}, "max_steps"),
        ({"voxel": "1 nm"}, "voxel"),
        ({"gradient_energy": None, "barrier": None, "driving": None, "depinning": True}, "depinning"),
        ({"gradient_energy": None, "barrier": None, "driving": None, "resolution": 4.0}, "resolution"),
    ],
)
def test_bad_input_is_refused(changed, argument):
    given = {"medium": LAYERS, "mobility": MOBILITY} | FRONT | changed
    with pytest.raises(InputError) as refused:
        effective_mobility(given.pop("medium"), given.pop("mobility"), **given)
    assert refused.value.argument == argument
    assert refused.value.wanted
    assert refused.value.cure
