"""Constants of regions: every rate kept, groups condensed, leakage, and the way back up as a transfer."""

import numpy as np
import pytest

from lattice_samples import C5G7, MIXED, TWO_GROUPS, small_lattice, two_group_table
from scalebridge.reactor.condensation import FluxCondensation
from scalebridge.reactor.homogenize_lattice import homogenize_lattice
from scalebridge.reactor.homogenized_lattice import audit_rates
from scalebridge.reactor.leakage import Medium, critical_buckling, in_scatter_diffusion, multiplication
from scalebridge.reactor.materials import multigroup_material
from scalebridge.reactor.solve_transport import solve_transport
from scalebridge.testing import check_transfer

TIGHT = {"azimuths": 8, "spacing": 0.2, "rtol": 1e-9, "k_tolerance": 1e-11, "max_steps": 2000}
ONE = Medium(np.array([1.0]), np.array([[0.9]]), np.array([[0.3]]), np.array([0.12]), np.array([1.0]))


@pytest.fixture(scope="module")
def solution():
    return solve_transport(small_lattice(("U G", "4 W", "U U"), MIXED), C5G7, **TIGHT)


def test_condensation_keeps_the_contract_of_transfers():
    weight = np.random.default_rng(0).uniform(0.1, 1.0, (5, 4))
    check_transfer(FluxCondensation(weight, (0, 1, 0, 2, 1), (0, 0, 1, 1)))


@pytest.mark.parametrize("regions", ["pins", "assemblies", [[0, 0], [1, 2], [1, 1]]])
@pytest.mark.parametrize("groups", [None, (0, 4)])
def test_every_rate_is_kept(solution, regions, groups):
    found = homogenize_lattice(solution, regions=regions, groups=groups)
    assert found.passed
    assert [check.name for check in found.checks][:2] == ["rates: absorption", "rates: fission"]  # rates lead
    audit = audit_rates(found, found.flux, found.leakage, found.multiplication)
    assert max(most for _, most, _ in audit.rows()) < 1e-14


def test_pins_condensed_are_constants_of_pins(solution):
    found = homogenize_lattice(solution, regions="pins", groups=(0, 4))
    pins = solution.pins.condensed(((0, 1, 2, 3), (4, 5, 6)))
    for name in ("total", "absorption", "nu_fission", "fission", "chi", "flux"):
        assert np.allclose(getattr(found, name), getattr(pins, name).reshape(6, 2), rtol=1e-12)
    assert np.allclose(found.scatter, pins.scatter.reshape(6, 2, 2), rtol=1e-12)
    assert np.allclose(found.diffusion, 1.0 / (3.0 * pins.transport.reshape(6, 2)), rtol=1e-12)
    assert np.abs(pins.balance()).max() < 1e-7


def test_an_audit_says_rates_before_k(solution):
    found = homogenize_lattice(solution, regions="pins", groups=(0, 4))
    flux = found.flux * np.array([[1.1], [1.0], [0.9], [1.0], [1.0], [1.0]])
    audit = audit_rates(found, flux, found.leakage, found.multiplication + 1e-4)
    rows = audit.rows()
    assert rows[0][0].startswith("absorption")
    assert rows[-1][0].startswith("k")
    assert audit.multiplication == pytest.approx(10.0)
    assert 0.05 < rows[0][1] < 0.15  # the rates show what k hides
    assert "rms" in str(audit)


def test_constants_of_one_material_are_its_own():
    solution = solve_transport(
        two_group_table(["F F"]), {"fuel": TWO_GROUPS["fuel"], "water": TWO_GROUPS["fuel"]}, **TIGHT
    )
    found = homogenize_lattice(solution, regions="lattice")
    made = multigroup_material("fuel", **TWO_GROUPS["fuel"])
    assert np.allclose(found.total[0], made.total, rtol=1e-12)
    assert np.allclose(found.scatter[0], made.scatter[0], rtol=1e-12)
    assert np.allclose(found.diffusion[0], 1.0 / (3.0 * made.total), rtol=1e-12)
    again = found.materials()["region-0"]
    assert again.infinite_multiplication() == pytest.approx(solution.multiplication, rel=1e-9)


def test_the_critical_buckling_of_one_group_is_known():
    buckling, _ = critical_buckling(ONE, exact=False)
    # P1: D = 1 / (3 (total - first)), k = nu_fission / (absorption + D B^2)
    assert buckling == pytest.approx(0.02 * 3.0 * 0.7, rel=1e-10)
    exact, flux = critical_buckling(ONE, exact=True)
    assert multiplication(ONE, exact, exact=True) == pytest.approx(1.0, abs=1e-10)
    assert exact == pytest.approx(buckling, rel=0.05)  # B1 and P1 part by B^2 / total^2
    # B1 by hand: D = (atan(x) / x ...) / ...
    x = np.sqrt(exact)
    factor = x**2 / 3.0 * np.arctan(x) / (x - np.arctan(x))
    assert in_scatter_diffusion(ONE, flux, exact, exact=True)[0] == pytest.approx(1.0 / 3.0 / (factor - 0.3))


def test_a_subcritical_medium_has_a_negative_buckling():
    medium = Medium(ONE.total, ONE.scatter, ONE.first, np.array([0.09]), ONE.chi)
    buckling, _ = critical_buckling(medium, exact=False)
    assert buckling == pytest.approx(-0.01 * 3.0 * 0.7, rel=1e-9)


def test_in_scatter_counts_where_neutrons_arrive():
    first = [[0.1, 0.02], [0.0, 0.3]]
    fuel = {**TWO_GROUPS["fuel"], "scatter": [TWO_GROUPS["fuel"]["scatter"], first]}
    table = two_group_table(["F F"])
    solution = solve_transport(table, {"fuel": fuel, "water": fuel}, **TIGHT)
    found = homogenize_lattice(solution, regions="lattice", diffusion="in-scatter")
    flux = found.flux[0]
    slow = (flux[1] / 3.0 + 0.02 * (flux[0] / 3.0 / (0.5 - 0.1))) / (0.9 - 0.3) / flux[1]
    assert found.diffusion[0] == pytest.approx([1.0 / 3.0 / 0.4, slow], rel=1e-9)
    assert any("isotropic" in note for note in solution.notes)


def test_leakage_corrected_spectra_keep_rates_of_their_own_flux(solution):
    found = homogenize_lattice(solution, regions="lattice", groups=(0, 4), diffusion="p1")
    assert found.passed
    assert found.buckling > 0  # what it is made of multiplies, were it not for the leakage
    plain = homogenize_lattice(solution, regions="lattice", groups=(0, 4))
    assert not np.allclose(found.total, plain.total, rtol=1e-4)


def test_constants_are_told_with_their_conventions(solution, tmp_path):
    found = homogenize_lattice(solution, regions="assemblies", groups=(0, 4))
    told = found.to_dict()
    assert told["conventions"]["group order"] == "0 is the fastest"
    assert told["conventions"]["scatter"].startswith("[from, to]")
    assert told["conventions"]["transport correction"] == "applied"
    assert found.save(tmp_path / "constants.json").stat().st_size > 500
    assert set(found.tables()["region-0"]) >= {"diffusion", "absorption", "nu_fission", "chi", "scatter"}
