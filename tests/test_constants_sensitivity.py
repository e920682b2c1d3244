"""Derivatives of homogenised constants against central differences, and their spread."""

from dataclasses import replace

import numpy as np
import pytest

from lattice_samples import C5G7, MIXED, TWO_GROUPS, small_lattice, two_group_table
from scalebridge.core.errors import InputError
from scalebridge.reactor.constants_sensitivity import constant, constants_sensitivity
from scalebridge.reactor.data_covariance import checked_covariance
from scalebridge.reactor.homogenize_lattice import homogenize_lattice
from scalebridge.reactor.materials import materials_from
from scalebridge.reactor.solve_transport import solve_transport

TIGHT = {
    "azimuths": 4,
    "spacing": 0.3,
    "rtol": 1e-10,
    "k_tolerance": 1e-12,
    "max_steps": 3000,
    "polar_count": 2,
}
MATERIALS = materials_from(TWO_GROUPS)
TABLE = two_group_table(["F W", "F F"], boundary={**MIXED, "east": 0.3})
DATA = {("fuel", "nu_fission"): 0.01, ("fuel", "total"): [0.01, 0.02], ("water", "scatter"): 0.01}


def constants(materials=MATERIALS, table=TABLE, regions=((0, 1), (0, 0)), groups=None, **options):
    solution = solve_transport(table, materials, **TIGHT)
    return homogenize_lattice(solution, regions=np.array(regions), groups=groups, **options)


def difference(found, name, key, index, of=constants, materials=MATERIALS):
    def at(change):
        values = np.array(getattr(materials[name], key))
        values[index] += change
        moved = of({**materials, name: replace(materials[name], **{key: values})})
        return np.array([constant(moved, place) for place in found.places])

    step = 1e-4 * max(abs(getattr(materials[name], key)[index]), 1e-3)
    return (at(step) - at(-step)) / (2.0 * step)


@pytest.fixture(scope="module")
def found():
    return constants_sensitivity(constants(), rtol=1e-9)


@pytest.mark.parametrize(
    ("name", "key", "index"),
    [("fuel", "total", (1,)), ("water", "scatter", (0, 0, 1))],
)
def test_constants_follow_their_data(found, name, key, index):
    slope = found.slopes[key][name][(slice(None), *index[-2:])]
    wanted = difference(found, name, key, index)
    assert np.allclose(slope, wanted, rtol=1e-4, atol=1e-7)  # the step's square; what iterations leave
    assert np.abs(wanted).max() > 1e-3


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "key", "index"),
    [
        ("water", "total", (0,)),
        ("fuel", "nu_fission", (1,)),
        ("fuel", "chi", (0,)),
        ("fuel", "fission", (1,)),
        ("fuel", "scatter", (0, 1, 1)),
    ],
)
def test_constants_follow_all_their_data(found, name, key, index):
    slope = found.slopes[key][name][(slice(None), *index[-2:])]
    assert np.allclose(slope, difference(found, name, key, index), rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize(("sources", "order"), [("flat", 1), ("linear", 1)])
def test_constants_where_scattering_has_its_angle(sources, order):
    turned = {
        n: {**m, "scatter": [m["scatter"], np.multiply(0.3, m["scatter"]).tolist()]}
        for n, m in TWO_GROUPS.items()
    }
    materials, table = materials_from(turned), two_group_table(["F W"], boundary={**MIXED, "east": 0.3})
    options = {**TIGHT, "polar": "gauss", "sources": sources, "scattering_order": order}

    def of(materials):
        return homogenize_lattice(solve_transport(table, materials, **options), regions=np.array([[0, 0]]))

    found = constants_sensitivity(of(materials), rtol=1e-9)
    assert all(check.passed for check in found.checks)
    for name, key, index in (("water", "total", (1,)), ("water", "scatter", (1, 1, 1))):
        slope = found.slopes[key][name][:, 1] if key == "total" else found.slopes["moments"][name][:, 0, 1, 1]
        wanted = difference(found, name, key, index, of, materials)
        assert np.allclose(slope, wanted, rtol=1e-4, atol=1e-7)
        assert np.abs(wanted).max() > 1e-3


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_seven_groups_condensed_to_two():
    lattice = small_lattice(("U G", "4 W"))

    def two(materials):
        return constants(materials, lattice, ((0, 0), (0, 0)), (0, 4))

    found = constants_sensitivity(two(C5G7), rtol=1e-8)
    assert all(check.passed for check in found.checks)
    for name, key, index in (("UO2", "total", (5,)), ("Moderator", "scatter", (0, 3, 4))):
        slope = found.slopes[key][name][(slice(None), *index[-2:])]
        wanted = difference(found, name, key, index, two, C5G7)
        assert np.allclose(slope, wanted, rtol=1e-4, atol=1e-5 * np.abs(wanted).max())


@pytest.mark.slow
def test_constants_follow_radii(found):
    def at(radius):
        table = {**TABLE, "pins": {**TABLE["pins"], "F": {**TABLE["pins"]["F"], "radii": [radius]}}}
        return np.array([constant(constants(table=table), place) for place in found.places])

    wanted = (at(0.4 + 1e-5) - at(0.4 - 1e-5)) / 2e-5
    assert np.allclose(found.radius["F"][:, 0], wanted, rtol=1e-3, atol=1e-6)


def test_importances_are_found_and_say_so(found):
    assert all(check.passed for check in found.checks)
    assert [check.name for check in found.checks][-1] == "importances"
    assert str(found.places[0]) == "absorption of region-0, group 1"
    with pytest.raises(InputError, match="kind"):
        found.slope("absorption", 9, 0)


def test_a_spread_of_the_data_is_handed_up_with_all_correlations(found):
    spread = found.spread(DATA)
    sigma = 0.01 * MATERIALS["fuel"].nu_fission
    alone = found.spread({("fuel", "nu_fission"): np.diag(sigma**2)})
    rows = found.slopes["nu_fission"]["fuel"]
    assert np.allclose(alone.covariance[1:, 1:], (rows * sigma**2) @ rows.T, rtol=1e-12, atol=0)
    assert spread.k_std == pytest.approx(found.k.spread(DATA), rel=1e-12)
    assert np.all(spread.std >= alone.std * (1 - 1e-12))
    assert np.abs(spread.correlation).max() == pytest.approx(1.0)
    both = {**DATA, ("fuel", "nu_fission", "fuel", "total"): np.diag(0.01 * sigma * MATERIALS["fuel"].total)}
    assert found.spread(both).k_std < spread.k_std  # more fission with more absorption


def test_the_verb_hands_a_covariance_up():
    made = constants(table=two_group_table(["F"]), regions=((0,),), covariance=DATA)
    assert made.passed
    assert made.uncertainty is not None
    told = made.to_dict()["uncertainty"]
    assert len(told["std"]) == len(told["constants"]) == 14
    assert "±" in str(made)


@pytest.mark.parametrize(
    ("covariance", "words"),
    [
        ({}, "nothing"),
        (0.01, "(material, key)"),
        ({("fuel", "kappa"): 0.1}, "kappa"),
        ({"fuel": 0.1}, "fuel"),
        ({("fuel", "total"): "much"}, "shape"),
        ({("fuel", "total"): -0.1}, "shape"),
        ({("fuel", "total", "water", "total"): np.eye(2)}, "not a covariance"),
    ],
)
def test_covariances_that_cannot_be(covariance, words):
    with pytest.raises(InputError, match="covariance") as caught:
        checked_covariance(covariance, MATERIALS)
    assert words in str(caught.value)


def test_a_spectrum_by_the_group_that_fissions_has_no_covariance():
    fuel = replace(MATERIALS["fuel"], chi=np.array([[1.0, 0.0], [0.9, 0.1]]))
    with pytest.raises(InputError, match="one spectrum"):
        checked_covariance({("fuel", "chi"): 0.1}, {"fuel": fuel})


def test_constants_in_another_spectrum_have_no_derivatives_here():
    made = constants(table=two_group_table(["F"]), regions=((0,),), diffusion="b1")
    with pytest.raises(InputError, match="inverse-transport"):
        constants_sensitivity(made)
