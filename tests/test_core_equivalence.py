"""Equivalence: what keeps rates, leakage and k in a coarse core, and what does not."""

import numpy as np
import pytest

from core_samples import BOXES, EDGE, FUEL, PINS, fine_pins
from scalebridge.core.errors import InputError, SolverError
from scalebridge.core.results import Outcome
from scalebridge.reactor.core_tally import core_tally
from scalebridge.reactor.discontinuity import assembly_discontinuity
from scalebridge.reactor.equivalent_constants import equivalent_constants
from scalebridge.reactor.pin_regions import merged_pins, tally_mesh
from scalebridge.reactor.solve_core import solve_core
from scalebridge.solvers.anderson import accelerated_fixed_point

ONE = [[0, 1]]


@pytest.mark.parametrize("groups", [None, ONE])
@pytest.mark.parametrize("method", ["discontinuity", "superhomogenization"])
def test_factors_keep_everything(method, groups):
    # Exact in algebra: 2 pcm and 0.01 % are asked, and rounding of 1e-8 is left.
    found = equivalent_constants(fine_pins(), method, boundary=EDGE, boxes=BOXES, groups=groups)
    assert abs(found.k_error) < 1e-3
    assert np.nanmax(np.abs(found.power_errors)) < 1e-7
    assert np.abs(found.leakage_error).max() < 1e-8
    assert found.passed


def test_flux_weighting_alone_does_not():
    found = equivalent_constants(fine_pins(), "flux weighting", boundary=EDGE, boxes=BOXES)
    assert abs(found.k_error) > 50
    assert found.rate_error.max() > 3e-3
    assert not found.passed
    assert {check.name for check in found.checks if not check.passed} >= {"absorption rates", "k"}


def test_discontinuity_factors_work_in_solve_core():
    study = equivalent_constants(fine_pins(), boundary=EDGE, boxes=BOXES)
    names = np.array(study.constants.names)[study.regions]
    tables = {name: study.table(name) for name in study.constants.names}
    found = solve_core(
        names.tolist(), tables, pitch=2.8, boundary=EDGE, method="volumes", factors=study.factors
    )
    assert found.k == pytest.approx(study.k, abs=1e-8)


def test_whole_assemblies_are_kept_by_generalised_equivalence():
    found = equivalent_constants(fine_pins(), boundary=EDGE, boxes=([8, 12], [4, 16]))
    assert abs(found.k_error) < 1e-3
    assert found.passed


def test_regions_of_several_pins_keep_the_rates_of_regions():
    labels = np.array([["wfm r".index(name) if name != "r" else 3 for name in line] for line in PINS])
    found = equivalent_constants(
        fine_pins(), "superhomogenization", boundary=EDGE, boxes=BOXES, regions=labels
    )
    assert len(found.constants.names) == 4
    assert abs(found.k_error) < 1e-2
    assert found.rate_error.max() < 1e-7
    assert found.passed
    # powers of pins inside of a region are not kept, and are told
    assert np.nanmax(np.abs(found.power_errors)) > 1e-4


def test_a_closed_lattice_is_normalised_and_its_k_kept():
    found = equivalent_constants(fine_pins("reflective"), "superhomogenization", boxes=BOXES)
    assert abs(found.k_error) < 1e-3
    # the mean flux of each group is the reference's: the factors' flux-weighted mean is near one
    assert found.superhomogenization.mean() == pytest.approx(1.0, abs=0.05)


def test_the_measured_albedo_is_as_good_as_the_boundary():
    found = equivalent_constants(fine_pins(), "superhomogenization", boundary="measured", boxes=BOXES)
    assert abs(found.k_error) < 1e-3
    assert found.passed


def test_factors_that_do_not_exist_are_said_not_to():
    # Thin diffusion: no factor makes 2 D phi / h carry what leaves the pins.
    pins = merged_pins(fine_pins(), *BOXES)
    thick = type(pins)(**{**vars(pins), "transport": 40 * pins.transport})
    told = {"boundary": EDGE, "diffusion": "inverse-transport"}
    found = equivalent_constants(thick, "superhomogenization", throw=False, **told)
    assert found.outcome is not Outcome.converged
    check = next(check for check in found.checks if check.name == "superhomogenization exists")
    assert not check.passed
    assert check.value > 1
    with pytest.raises(SolverError, match="superhomogenization"):
        equivalent_constants(thick, "superhomogenization", **told)
    # generalised equivalence exists nevertheless: D is raised, and that is told
    kept = equivalent_constants(thick, **told)
    assert abs(kept.k_error) < 1e-3
    assert any("raised" in note for note in kept.notes)


def test_merged_pins_keep_balance_volume_and_rates():
    pins = fine_pins()
    merged = merged_pins(pins, *BOXES)
    assert merged.volume.sum() == pytest.approx(pins.volume.sum())
    assert np.abs(merged.balance()).max() < 1e-12 * np.abs(merged.fission_source).max()
    rates = [(p.nu_fission * p.flux * p.volume[..., None]).sum() for p in (pins, merged)]
    assert rates[0] == pytest.approx(rates[1])
    assert tally_mesh(merged).cells == 25


def test_assembly_factors_of_a_uniform_lattice_are_one():
    found = solve_core([["f"] * 3] * 2, {"f": FUEL}, pitch=2.0, boundary="reflective", method="volumes")
    factors = assembly_discontinuity(core_tally(found.problem, found.solution))
    np.testing.assert_allclose(factors, 1.0, rtol=1e-9)


def test_anderson_needs_fewer_steps_than_the_plain_iteration():
    def step(x):
        return np.array([0.95, 0.6]) * x + np.array([0.05, 0.4]) * np.cos(x)

    fast, plain = (accelerated_fixed_point(step, np.ones(2), depth=depth) for depth in (5, 0))
    np.testing.assert_allclose(fast.value, 0.7390851332, atol=1e-8)
    assert len(fast.history) < len(plain.history) / 5
    away = accelerated_fixed_point(lambda x: 3 * x + 1, np.ones(1), depth=0)
    assert away.outcome is Outcome.breakdown


def test_regions_and_factors_of_faces_do_not_go_together():
    with pytest.raises(InputError, match="regions"):
        equivalent_constants(fine_pins(), boundary=EDGE, boxes=BOXES, regions="whole")
