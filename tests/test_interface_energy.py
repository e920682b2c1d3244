"""The effective gradient energy: that of the cell problem, with tension and width, and its refusals."""

import jax
import numpy as np
import pytest

import scalebridge as sb
from scalebridge.cells.interface_energy import SEPARATED, effective_gradient_energy
from scalebridge.cells.phase_field import FlatInterface
from scalebridge.core.errors import InputError

KAPPA, WELL = {0: "1e-9 J/m", 1: "3e-9 J/m"}, {0: "2e6 J/m^3", 1: "4e6 J/m^3"}
LAYERS = [("5 nm", 0), ("15 nm", 1)]
SERIES, PARALLEL = 1.0 / (0.25 / 1e-9 + 0.75 / 3e-9), 0.25e-9 + 0.75 * 3e-9


def image():
    labels = np.zeros((8, 4), np.uint8)
    labels[2:] = 1
    return labels


def test_layers_are_in_series_across_and_parallel_along():
    found = effective_gradient_energy(LAYERS, KAPPA, barrier=WELL, normal=(1, 0))
    np.testing.assert_allclose(found.value, np.diag([SERIES, PARALLEL]), rtol=1e-14, atol=1e-24)
    assert found.unit == "J/m"
    assert found.spec.name == "effective gradient energy coefficient"
    assert found.passed
    told = found.stats["interface"]
    assert told["barrier"] == pytest.approx(3.5e6, rel=1e-14)
    for row, kappa in enumerate((SERIES, PARALLEL)):
        exact = FlatInterface(kappa, 3.5e6)
        assert told["tension"][row] == pytest.approx(exact.tension(), rel=1e-12)
        assert told["width"][row] == pytest.approx(exact.width(), rel=1e-12)


def test_the_order_and_the_number_of_layers_do_not_count():
    split = [("5 nm", 1), ("2 nm", 0), ("10 nm", 1), ("3 nm", 0)]
    one, other = (effective_gradient_energy(layers, KAPPA) for layers in (LAYERS, split))
    np.testing.assert_allclose(one.value, other.value, rtol=1e-14, atol=1e-24)


def test_an_image_of_the_layers_is_the_layers():
    found = effective_gradient_energy(image(), KAPPA, barrier=WELL, voxel="1 nm", rtol=1e-10, budget="none")
    np.testing.assert_allclose(found.value, np.diag([SERIES, PARALLEL]), rtol=1e-8, atol=1e-18)
    assert {"Voigt-Reuss", "Hashin-Shtrikman"} <= set(found.bounds)
    assert found.inputs["phase 1"]["barrier"] == 4e6
    assert found.provenance.inputs["phases"]["phase 1"]["unit"] == "J/m"
    assert found.stats["interface"]["period"] == pytest.approx(8e-9)


def test_it_is_the_tensor_of_conduction():
    rng = np.random.default_rng(2)
    labels = rng.integers(0, 2, (8, 8))
    values = {"rtol": 1e-9, "budget": "none", "voxel": "cubic"}
    found = effective_gradient_energy(labels, {0: 1.0, 1: 4.0}, **values)
    same = sb.effective_conductivity(labels, {0: 1.0, 1: 4.0}, **values)
    np.testing.assert_array_equal(found.value, same.value)
    np.testing.assert_array_equal(found.derivatives["phase 1"], same.derivatives["phase 1"])


def test_spreads_keep_the_unit_and_propagate():
    spread = {0: {"value": 1.0, "unit": "nJ/m", "std": "10 %"}, 1: {"value": "3e-9 J/m", "std": "3e-10 J/m"}}
    found = effective_gradient_energy(LAYERS, spread, normal=(1, 0))
    by_first, by_second = 0.25 * (SERIES / 1e-9) ** 2, 0.75 * (SERIES / 3e-9) ** 2
    assert found.std is not None
    assert found.std[0, 0] == pytest.approx(np.hypot(by_first * 1e-10, by_second * 3e-10), rel=1e-9)
    assert found.derivatives["phase 0"] is not None
    assert found.derivatives["phase 0"][0, 0] == pytest.approx(by_first, rel=1e-12)


def test_it_can_be_differentiated():
    def across(first):
        told = effective_gradient_energy([(1.0, 0), (3.0, 1)], {0: first, 1: 3.0}, normal=(1, 0))
        return told.value[0, 0]

    assert float(jax.grad(across)(1.0)) == pytest.approx(0.25 * (SERIES / 1e-9) ** 2, rel=1e-12)


@pytest.mark.parametrize(("period", "passed"), [("0.49", True), ("0.51", False)])
def test_a_coarse_structure_fails_its_check(period, passed):
    width = FlatInterface(SERIES / 1e-9, 3.0).width()
    found = effective_gradient_energy(
        [(1.0, 0), (3.0, 1)], {0: 1.0, 1: 3.0}, barrier={0: 3.0, 1: 3.0}, period=float(period) * width
    )
    check = next(check for check in found.checks if check.name == "scale separation")
    assert check.passed == passed
    assert check.value == pytest.approx(float(period), rel=1e-12)


def test_the_limit_is_good_to_half_a_percent_where_the_check_passes():
    # Layers of one tension at the longest period that is trusted; contrast 10 of the mobilities.
    kappa, well, mobility = {0: 2.0, 1: 2.0}, {0: 1.0, 1: 1.0}, {0: 1.0, 1: 10.0}
    half = 0.5 * SEPARATED * FlatInterface(2.0, 1.0).width()
    layers = [(half, 0), (half, 1)]
    front = sb.effective_mobility(
        layers, mobility, kind="kinetic", gradient_energy=kappa, barrier=well, driving=0.1
    )
    limit = sb.effective_mobility(layers, mobility, kind="kinetic")
    assert float(front.value) == pytest.approx(float(limit.value), rel=0.005)


@pytest.mark.parametrize(
    ("changed", "argument"),
    [
        ({"medium": []}, "layers"),
        ({"medium": [("5 nm", 0), ("5 m/s", 1)]}, "thickness of layer 1"),
        ({"medium": [("5 nm", 0), (5.0, 1)]}, "layers"),
        ({"medium": [("0 nm", 0), ("5 nm", 1)]}, "thickness of layer 0"),
        ({"medium": [("5 nm", 0.5)]}, "layers"),
        ({"gradient_energy": {0: "1e-9 J/m"}}, "gradient_energy"),
        ({"gradient_energy": {0: "1e-9 J/m", 1: "0 J/m"}}, "gradient_energy, phase 1"),
        ({"gradient_energy": {0: "1e-9 J/m", 1: ["1e-9 J/m", "-1e-9 J/m"]}}, "gradient_energy, phase 1"),
        ({"gradient_energy": {0: "1e-9 J/m", 1: "3 W/m/K"}}, "gradient_energy, phase 1"),
        ({"gradient_energy": {0: "1e-9 J/m", 1: 3.0}}, "gradient_energy"),
        ({"gradient_energy": {0: "1e-9 J/m", "soft": "1e-9 J/m"}}, "gradient_energy"),
        ({"gradient_energy": {0: "1e-9 J/m", "0": "1e-9 J/m"}}, "gradient_energy"),
        (
            {"gradient_energy": {0: "1e-9 J/m", 1: {"value": "1e-9 J/m", "kappa": 1}}},
            "gradient_energy, phase 1",
        ),
        ({"gradient_energy": {0: "1e-9 J/m", 1: {"value": 1.0, "std": "1 J/m"}}}, "gradient_energy, phase 1"),
        ({"gradient_energy": [1.0, 2.0]}, "gradient_energy"),
        ({"barrier": {0: "2e6 J/m^3"}}, "barrier"),
        ({"barrier": {0: 2.0, 1: 3.0}}, "barrier"),
        ({"barrier": {0: "2e6 J/m^3", 1: "-4e6 J/m^3"}}, "barrier, phase 1"),
        ({"barrier": None, "period": "20 nm"}, "period"),
        ({"period": "0 nm"}, "period"),
        ({"period": 20.0}, "period"),
        ({"voxel": "1 nm"}, "voxel"),
        ({"normal": (0, 0)}, "normal"),
    ],
)
def test_bad_input_is_refused(changed, argument):
    given = {"medium": LAYERS, "gradient_energy": KAPPA, "barrier": WELL, "normal": (1, 0)} | changed
    with pytest.raises(InputError) as refused:
        effective_gradient_energy(given.pop("medium"), given.pop("gradient_energy"), **given)
    assert refused.value.argument == argument
    assert refused.value.wanted
    assert refused.value.cure
