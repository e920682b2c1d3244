"""Minimal residuals on saddle points: the exact answer, honest estimates, and a symmetric preconditioner."""

import numpy as np
import pytest
from scipy.sparse import bmat, csr_array, eye_array, kron

from scalebridge.core.results import Outcome
from scalebridge.grids.percolation import isolated
from scalebridge.grids.staggered import assemble_staggered
from scalebridge.solvers.multigrid import VCycle
from scalebridge.solvers.saddle_minres import Stop, begin_minres, run_minres
from scalebridge.solvers.saddle_point import SaddleOperator, SaddlePreconditioner


def noise(shape, share):
    pores = np.random.default_rng(1).random(shape) < share
    return pores & ~isolated(pores)


def ball(count):
    x = (np.arange(count) + 0.5) / count - 0.5
    return x[:, None, None] ** 2 + x[:, None] ** 2 + x**2 > 0.45**2


def square(count):
    pores = np.ones((count, count), bool)
    pores[count // 4 : 3 * count // 4, count // 4 : 3 * count // 4] = False
    return pores


GEOMETRIES = {"ball": ball(16), "noise": noise((16, 16, 16), 0.55), "square": square(40)}


def parts_of(system):
    mass = np.full(system.divergence.shape[0], 1.0)
    made = SaddlePreconditioner(
        system.viscous, system.divergence, system.parts, mass, system.loads.sum(axis=0)
    )
    operator = SaddleOperator(system.viscous, system.divergence)
    loads = np.zeros((operator.size, system.dim))
    loads[: operator.unknowns] = system.loads.T
    return operator, made, loads


def begin(pores):
    operator, made, loads = parts_of(assemble_staggered(pores, (1.0,) * pores.ndim))
    return begin_minres(operator, made, loads, operator.unknowns)


def test_a_cycle_is_symmetric_positive_definite_and_reduces_the_error():
    system = assemble_staggered(GEOMETRIES["noise"], (1.0, 1.0, 1.0))
    matrix = system.viscous[system.parts[0]][:, system.parts[0]]
    cycle = VCycle(matrix, degree=2)
    b, c = np.random.default_rng(2).standard_normal((2, matrix.shape[0], 3)).astype(np.float32)
    to_b, to_c = cycle.apply(b).copy(), cycle.apply(c).copy()
    # Single precision: some thousand roundings of 6e-8.
    np.testing.assert_allclose((to_b * c).sum(0), (to_c * b).sum(0), rtol=1e-3, atol=1e-3)
    assert np.all((to_b * b).sum(0) > 0)
    assert np.linalg.norm(b - matrix @ to_b) < 0.5 * np.linalg.norm(b)
    assert cycle.complexity < 2.0


def test_one_vector_alone_is_preconditioned_as_in_company():
    operator, made, loads = parts_of(assemble_staggered(GEOMETRIES["ball"], (1.0, 1.0, 1.0)))
    together, alone = np.empty(loads.shape), np.empty((len(loads), 1))
    made.apply(loads, together)
    made.apply(np.ascontiguousarray(loads[:, 1:2]), alone)
    np.testing.assert_allclose(alone[:, 0], together[:, 1], rtol=1e-4, atol=1e-4)
    product, single = np.empty(loads.shape), np.empty((len(loads), 1))
    operator.product(together, product)
    operator.product(np.ascontiguousarray(together[:, 1:2]), single)
    np.testing.assert_allclose(single[:, 0], product[:, 1], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("axis", [0, 1])
def test_the_solution_is_that_of_a_dense_solve(axis):
    system = assemble_staggered(noise((6, 6, 6), 0.7), (1.0, 1.3, 0.7))
    operator, made, loads = parts_of(system)
    work = run_minres(begin_minres(operator, made, loads, operator.unknowns), Stop(1e-12, 400), 400)
    assert work.code == Outcome.converged
    matrix = bmat([[system.viscous, -system.divergence.T], [-system.divergence, None]]).toarray()
    exact = np.linalg.lstsq(matrix, loads[:, axis], rcond=1e-12)[0]
    n = operator.unknowns
    size = np.max(np.abs(exact[:n]))
    np.testing.assert_allclose(work.x[:n, axis], exact[:n], atol=1e-5 * size)
    assert work.looks[-1].value[axis] == pytest.approx(loads[:, axis] @ exact, rel=1e-11)


@pytest.mark.parametrize("name", GEOMETRIES)
def test_the_true_error_is_within_the_estimate_at_every_look(name):
    exact = run_minres(begin(GEOMETRIES[name]), Stop(1e-13, 400), 400).looks[-1].value
    work = run_minres(begin(GEOMETRIES[name]), Stop(1e-11, 400), 400)
    told = [look for look in work.looks if np.all(np.isfinite(look.error))]
    assert len(told) > 3
    for look in told:
        assert np.all(np.abs(look.value / exact - 1.0) <= look.error + 1e-12), look.steps


@pytest.mark.parametrize("name", GEOMETRIES)
def test_the_stationary_value_is_of_second_order(name):
    exact = run_minres(begin(GEOMETRIES[name]), Stop(1e-13, 400), 400).looks[-1].value
    work = run_minres(begin(GEOMETRIES[name]), Stop(1e-8, 400), 400)
    for look in work.looks[3:]:
        # In units of the squared norm e.Me is below 1 / (smallest eigenvalue), seen to be above 0.05.
        assert np.all(np.abs(look.value - exact) <= 20.0 * (look.norm * work.scale) ** 2)


def test_steps_do_not_grow_much_with_the_grid():
    steps = [run_minres(begin(ball(count)), Stop(1e-6, 400), 400).steps for count in (12, 24)]
    assert steps[1] <= steps[0] + 6


def test_a_limit_of_steps_is_said():
    work = run_minres(begin(GEOMETRIES["noise"]), Stop(1e-12, 7), 400)
    assert (work.code, work.steps) == (Outcome.step_limit, 7)
    assert len(work.looks) == 3  # after 3, 6 and 7 steps
    assert run_minres(work, Stop(1e-12, 7), 5).steps == 7


def test_a_load_that_moves_nothing_stops_too():
    pores = np.zeros((4, 8), bool)
    pores[:, 2:6] = True
    work = run_minres(begin(pores), Stop(1e-8, 400), 400)  # across the channel
    assert work.code == Outcome.converged
    assert work.looks[-1].value[0] == pytest.approx((4**2 + 2) / 12 * 16, rel=1e-8)
    assert abs(work.looks[-1].value[1]) < 1e-12


def test_a_residual_that_is_not_the_true_one_is_noticed_and_renewed():
    exact = run_minres(begin(GEOMETRIES["ball"]), Stop(1e-12, 400), 400).looks[-1].value
    work = run_minres(begin(GEOMETRIES["ball"]), Stop(1e-6, 400), 10)
    work.x *= 1.1  # the recurrence does not know of it
    run_minres(work, Stop(1e-6, 400), 400)
    assert work.renewals > 0
    assert work.code == Outcome.converged
    np.testing.assert_allclose(work.looks[-1].value, exact, rtol=1e-6)


def test_a_part_whose_constants_cost_nothing_is_left_alone():
    # Many chains that hang together in themselves alone: coarsened, each becomes one unknown of no stiffness.
    chain = np.array([[1.0, -1.0, 0.0], [-1.0, 2.0, -1.0], [0.0, -1.0, 1.0]])
    lone = kron(eye_array(400), csr_array(chain)).tocsr()
    cycle = VCycle(csr_array(lone), degree=2)
    b = np.tile([1.0, 0.0, -1.0], 400).astype(np.float32)[:, None]
    x = cycle.apply(b)
    assert np.all(np.isfinite(x))
    assert np.linalg.norm(b - lone @ x) < 0.1 * np.linalg.norm(b)
