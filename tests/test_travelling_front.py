"""Fronts through layers: exact speeds, orders, limits of thin and thick layers, pinning, derivatives."""

from dataclasses import replace

import numpy as np
import pytest

from front_samples import plain_speed, run_plainly
from scalebridge.cells.front_kernels import front_step
from scalebridge.cells.front_medium import LayeredMedium, grid_of
from scalebridge.cells.front_sensitivity import speed_slopes
from scalebridge.cells.front_speed import depinning_threshold, front_speed, thick_layer_threshold
from scalebridge.cells.travelling_front import Pace, run_front, stationary_front
from scalebridge.core.errors import InputError, ResourceError
from scalebridge.core.results import Outcome

UNIFORM = LayeredMedium((0.7, 0.3), (1.0, 1.0), (2.0, 2.0), (1.0, 1.0))  # length 1, speed 6 m
TOUGH = LayeredMedium((3.0, 3.0), (1.0, 1.0), (2.0, 2.0), (1.0, 1.5))
SHARP = Pace(tolerance=1e-8, drift=1e-8)


def contrast(ratio, thickness=0.75):
    """Two layers whose mobilities and gradient energies differ by a ratio, and barriers by less."""
    return LayeredMedium((thickness, thickness), (1.0, ratio), (1.0, ratio), (1.0, 1.0 + 0.03 * ratio))


def plainly(medium, driving, *, cells, mobility=None, periods=24, skip=4):
    """Speed by the tests' own solver, of the layers, or with a mobility of their coarse equation."""
    coarse = medium.coarse_interface
    rows = zip(medium.thicknesses, medium.mobilities, medium.gradient_energies, medium.barriers, strict=True)
    if mobility is not None:
        rows = [(medium.period, mobility, coarse.gradient_energy, coarse.barrier)]
    expected = coarse.speed(medium.mean_mobility, driving)
    time = 0.55 * periods * medium.period / expected
    told = {"cells": cells, "periods": periods, "time": time, "length": coarse.length()}
    return plain_speed(*run_plainly(list(rows), driving, **told), medium.period, skip)


# ------------------------------------------------------------------------------------------ exact speeds


@pytest.mark.parametrize("driving", [0.02, 0.1, 0.3])
def test_the_speed_in_a_uniform_medium_is_exact_within_its_own_error(driving):
    found = front_speed(UNIFORM, driving)
    assert found.outcome is Outcome.converged
    assert found.error < 3e-4 * found.speed
    assert abs(found.speed - 6.0 * driving) < found.error


def test_the_grid_error_falls_with_the_square_of_the_cells():
    whole = LayeredMedium((1.0,), (1.0,), (2.0,), (1.0,))
    errors = [
        abs(run_front(grid_of(whole, 0.1, resolution), 0.1, SHARP).speed - 0.6)
        for resolution in (4.0, 8.0, 16.0)
    ]
    assert errors[-1] < 1e-3 * 0.6
    np.testing.assert_allclose(np.log2(np.array(errors[:-1]) / errors[1:]), 2.0, atol=0.05)


def test_the_step_is_of_third_order():
    grid = grid_of(contrast(5.0), 0.1, 8.0)
    settled = run_front(grid, 0.1, Pace()).phase

    def end_of(steps):
        phase, after, work = settled.copy(), np.empty_like(settled), np.empty((5, settled.size))
        for _ in range(steps):
            front_step(phase, grid.medium, 0.1, 0.4 / steps, after, work)
            phase, after = after, phase
        return phase

    ends = [end_of(steps) for steps in (20, 40, 80)]
    ratio = np.max(np.abs(ends[0] - ends[1])) / np.max(np.abs(ends[1] - ends[2]))
    assert np.log2(ratio) == pytest.approx(3.0, abs=0.15)


def test_speed_follows_from_the_units():
    small = LayeredMedium((3e-9, 2e-9), (1e-3, 4e-3), (2e-9, 1e-9), (1e9, 1.1e9))
    scaled = small.scaled
    plain = LayeredMedium(*(tuple(row) for row in scaled))
    driving = 0.1 * small.coarse_interface.barrier
    one, other = front_speed(small, driving), front_speed(plain, 0.1)
    assert one.speed / small.speed_unit == pytest.approx(other.speed, rel=1e-9)


# ------------------------------------------------------------------------------- the coarse equation, run


@pytest.mark.parametrize("ratio", [2.0, 5.0, 10.0])
def test_the_coarse_front_moves_as_the_fine_one(ratio):
    # The bar: within one percent, both fronts run by a second solver on grids of its own.
    medium, driving = contrast(ratio), 0.15
    found = front_speed(medium, driving)
    handed_up = found.speed / medium.coarse_interface.speed(1.0, driving)
    fine = plainly(medium, driving, cells=16)
    coarse = plainly(medium, driving, cells=16, mobility=handed_up)
    assert found.speed == pytest.approx(fine, rel=2e-3)  # of that grid
    assert coarse == pytest.approx(fine, rel=0.01)


# ------------------------------------------------------------------------------------------------ limits


def test_thin_layers_move_with_the_mean_of_the_inverse_mobility():
    # <phi_t / L> = kappa* phi'' - <W> f' + m g': what is left falls with the square of the period.
    left = []
    for thickness in (0.5, 0.25):
        medium = LayeredMedium((thickness, thickness), (1.0, 10.0), (2.0, 2.0), (1.0, 1.0))
        limit = medium.coarse_interface.speed(medium.mean_mobility, 0.1)
        left.append(front_speed(medium, 0.1, resolution=16.0).speed / limit - 1.0)
    assert 0.0 < left[1] < 1e-3
    assert np.log2(left[0] / left[1]) == pytest.approx(2.0, abs=0.15)


def test_thick_layers_of_one_tension_take_the_time_of_each():
    # The first correction comes from the boundaries, of which there are two whatever the thickness.
    left = []
    for thickness in (6.0, 12.0):
        medium = LayeredMedium((thickness, thickness), (1.0, 3.0), (2.0, 1.0), (1.0, 2.0))
        length = np.sqrt(np.array([2.0, 1.0]) / (2.0 * np.array([1.0, 2.0])))
        each = 6.0 * np.array([1.0, 3.0]) * 0.2 * length
        limit = 2.0 / np.sum(1.0 / each)
        left.append(front_speed(medium, 0.2, resolution=4.0).speed / limit - 1.0)
    assert abs(left[1]) < 0.04
    assert left[0] / left[1] == pytest.approx(2.0, abs=0.2)


# ----------------------------------------------------------------------------------------------- pinning


def test_a_front_stands_where_the_formula_of_means_lets_it_move():
    threshold = depinning_threshold(TOUGH, rtol=0.02)
    assert 0.0 < threshold.pinned < threshold.moving < 1.03 * threshold.pinned
    # A front of the tests' own solver: below it stops within a period, above it goes on.
    rows = [(3.0, 1.0, 2.0, 1.0), (3.0, 1.0, 2.0, 1.5)]
    mean = TOUGH.coarse_interface.speed(TOUGH.mean_mobility, threshold.pinned)
    for driving, stands in ((0.93 * threshold.pinned, True), (1.07 * threshold.moving, False)):
        time = 4.0 * TOUGH.period / mean
        told = {"cells": 48, "periods": 8, "time": time, "length": TOUGH.coarse_interface.length()}
        times, covered = run_plainly(rows, driving, **told)
        late = covered[-1] - np.interp(0.75 * time, times, covered)
        assert (late < 1e-3 * TOUGH.period) == stands
        found = front_speed(TOUGH, driving)
        assert found.pinned == stands
        assert (found.speed == 0.0) == stands


def test_the_threshold_of_thick_layers_is_the_balance_at_a_boundary():
    thick = replace(TOUGH, thicknesses=(10.0, 10.0))
    found, exact = depinning_threshold(thick, resolution=8.0), thick_layer_threshold(thick)
    # Its own width of one percent, and the grid: cells of l / 8 shift a boundary's balance by their square.
    assert found.pinned < 1.005 * exact
    assert found.moving > 0.995 * exact
    # By hand: kappa alike, so that m = (W2 - W1) max phi^2 (1 - phi)^2 = 0.5 / 16.
    assert exact == pytest.approx(0.5 / 16, rel=1e-6)


def test_speed_rises_with_the_root_of_what_is_above_the_threshold():
    # A saddle and a node meet at the threshold: v^2 is linear in the driving force above it.
    bracket = depinning_threshold(TOUGH, rtol=0.005)
    forces = bracket.moving * np.array([1.02, 1.04])
    squares = np.array([front_speed(TOUGH, m, resolution=16.0).speed for m in forces]) ** 2
    root = forces[0] - squares[0] * (forces[1] - forces[0]) / (squares[1] - squares[0])
    assert root == pytest.approx(bracket.moving, rel=0.01)


def test_equal_tensions_do_not_pin():
    found = depinning_threshold(LayeredMedium((2.0, 2.0), (1.0, 5.0), (2.0, 2.0), (1.0, 1.0)))
    assert found.pinned == 0.0
    assert thick_layer_threshold(LayeredMedium((2.0, 2.0), (1.0, 5.0), (2.0, 1.0), (1.0, 2.0))) == 0.0


def test_a_stationary_front_is_one_and_a_moving_one_is_not():
    grid = grid_of(TOUGH, 0.005, 16.0)
    run = run_front(grid, 0.005, Pace())
    assert run.pinned
    again = run_front(grid, 0.005, Pace(), run.phase)
    assert again.pinned
    np.testing.assert_allclose(again.phase, run.phase, atol=1e-9)
    assert stationary_front(grid_of(UNIFORM, 0.1, 8.0), 0.1, grid_of(UNIFORM, 0.1, 8.0).first_front()) is None


# ------------------------------------------------------------------------------------------- derivatives


@pytest.mark.parametrize("thicknesses", [(1.0, 1.5), (0.1, 0.15)])
@pytest.mark.parametrize("field", ["thicknesses", "mobilities", "gradient_energies", "barriers"])
def test_derivatives_of_the_speed_are_those_of_runs(thicknesses, field):
    medium, driving, step = LayeredMedium(thicknesses, (1.0, 3.0), (2.0, 2.5), (1.0, 1.3)), 0.15, 1e-4

    def run_of(layers):
        scaled = driving / layers.coarse_interface.barrier
        run = run_front(grid_of(layers, scaled, 8.0), scaled, SHARP)
        return layers.speed_unit * run.speed, run

    speed, run = run_of(medium)
    slopes = speed_slopes(run, Pace())
    row = ("thicknesses", "mobilities", "gradient_energies", "barriers").index(field)
    derived = (slopes.of_layers(run.grid.layer, 2) * medium.scaled)[
        row, 0
    ]  # d ln v / d ln of the first layer
    ends = []
    for sign in (1.0, -1.0):
        first, second = getattr(medium, field)
        ends.append(run_of(replace(medium, **{field: (first * (1.0 + sign * step), second)}))[0])
    # Errors of the runs (drift 1e-8 over a step of 2e-4), and of the adjoint's fifty steps.
    assert derived == pytest.approx((ends[0] - ends[1]) / (2.0 * step * speed), rel=1e-3, abs=2e-4)
    assert slopes.wander < 1e-4


def test_derivatives_in_a_uniform_medium_are_exact():
    run = run_front(grid_of(UNIFORM, 0.1, 16.0), 0.1, SHARP)
    found = speed_slopes(run, SHARP)
    _, mobility, kappa, barrier = found.of_layers(run.grid.layer, 2).sum(axis=1) * [1.0, 1.0, 2.0, 1.0]
    # v = 6 L m sqrt(kappa / 2 W)
    np.testing.assert_allclose((mobility, kappa, barrier, 0.1 * found.driving), (1, 0.5, -0.5, 1), atol=2e-3)


# ---------------------------------------------------------------------------------------------- refusals


def test_too_few_steps_are_an_outcome_not_a_speed():
    found = front_speed(TOUGH, 0.1, pace=Pace(max_steps=20))
    assert found.outcome is Outcome.step_limit
    assert depinning_threshold(TOUGH, pace=Pace(max_steps=5)).outcome is Outcome.step_limit


@pytest.mark.parametrize("driving", [0.0, -0.1, np.nan, 1.0 / 3.0, 5.0])
def test_driving_forces_that_cannot_be_are_refused(driving):
    with pytest.raises(InputError) as refused:
        front_speed(TOUGH, driving)
    assert refused.value.argument == "driving"
    assert "metastable" in refused.value.wanted


def test_a_grid_that_no_machine_should_run_is_refused():
    with pytest.raises(ResourceError):
        grid_of(replace(TOUGH, thicknesses=(1e6, 1e6)), 0.1, 8.0)
