"""Conjugate gradients: how it ends, that it can be taken in pieces, and what its error estimate is worth.

The true energy error of every step comes from a dense direct solution of the same system.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from scalebridge.cells.conductivity_job import Job, Settings
from scalebridge.cells.conductivity_models import traced_model
from scalebridge.cells.phases import parse_phases
from scalebridge.core.results import Outcome
from scalebridge.grids.discretisation import GreenOperator
from scalebridge.grids.image import VoxelImage
from scalebridge.solvers.conjugate_gradients import CGState, ConjugateGradients

STEPS = 90
SOLVER = ConjugateGradients(rtol=1e-10, residual_rtol=1e-8, max_steps=STEPS)
SIZE = 40
VISIBLE = 1e-11  # relative energy error below which float64 does not tell an error from rounding
PESSIMISM = 1000.0


# ------------------------------------------------------------------------------------ plain matrices


def spd(condition, seed=0):
    """A matrix with eigenvalues spread evenly on a logarithmic scale, and a load."""
    rng = np.random.default_rng(seed)
    basis = np.linalg.qr(rng.standard_normal((SIZE, SIZE)))[0]
    values = np.geomspace(1.0 / condition, 1.0, SIZE)
    return jnp.asarray((basis * values) @ basis.T), jnp.asarray(rng.standard_normal(SIZE)), values[0]


@functools.partial(jax.jit, static_argnames="solver")
def begin(b, energy, floor, solver=SOLVER):
    return solver.init(b, lambda r: r, energy, floor)


@functools.partial(jax.jit, static_argnames="solver")
def advance(state, matrix, steps, solver=SOLVER):
    return solver.advance(state, lambda v: matrix @ v, lambda r: r, steps)


def started(matrix, b, floor=0.0, solver=SOLVER):
    energy = 2.0 * b @ jnp.linalg.solve(matrix, b)
    return begin(b, energy, jnp.asarray(floor), solver)


def outcome(state):
    return Outcome(int(state.code))


def test_solves_a_linear_system_to_the_accuracy_asked_for():
    matrix, b, floor = spd(100.0)
    done = advance(started(matrix, b, floor), matrix, STEPS)
    exact = jnp.linalg.solve(matrix, b)
    assert outcome(done) is Outcome.converged
    error = exact - done.x
    assert float(error @ matrix @ error) <= SOLVER.rtol * float(done.energy)
    assert float(jnp.linalg.norm(b - matrix @ done.x)) <= 1.01 * SOLVER.residual_rtol * float(
        jnp.linalg.norm(b)
    )
    # What the steps took from the energy is what the solution's energy is.
    np.testing.assert_allclose(jnp.nansum(done.falls), b @ exact, rtol=1e-9)


def test_pieces_equal_one_go():
    matrix, b, floor = spd(100.0)
    whole = advance(started(matrix, b, floor), matrix, STEPS)
    pieces = started(matrix, b, floor)
    for steps in (1, 2, 7, 7, 7, STEPS):
        pieces = advance(pieces, matrix, steps)
    for one, other in zip(jax.tree.leaves(whole), jax.tree.leaves(pieces), strict=True):
        np.testing.assert_array_equal(one, other)
    assert int(whole.step) > 20


def test_a_piece_does_no_more_than_it_is_asked_for():
    matrix, b, floor = spd(100.0)
    part = advance(started(matrix, b, floor), matrix, 3)
    assert int(part.step) == 3
    assert int(part.code) == -1, "still running"
    assert int(np.isfinite(part.residuals).sum()) == 4


def test_an_identity_takes_one_step():
    b = spd(1.0)[1]
    done = advance(started(jnp.eye(SIZE), b, 1.0), jnp.eye(SIZE), STEPS)
    assert outcome(done) is Outcome.converged
    assert int(done.step) == 1


def test_few_eigenvalues_take_few_steps_and_that_is_known_without_a_floor():
    # Three eigenvalues: conjugate gradients are exact after three steps, before the falls show any ratio.
    matrix, b = jnp.diag(jnp.asarray([1.0, 2.0, 7.0] * SIZE)[:SIZE]), spd(1.0)[1]
    done = advance(started(matrix, b), matrix, STEPS)
    assert outcome(done) is Outcome.converged
    assert int(done.step) == 3
    np.testing.assert_allclose(done.x, b / jnp.diagonal(matrix), rtol=1e-13)
    assert 0.0 <= float(done.errors[3]) < 1e-28


@pytest.mark.parametrize("values", [(1.0, -1.0), (-1.0, -2.0)])
def test_an_indefinite_operator_breaks_down(values):
    b = spd(1.0)[1]
    matrix = jnp.diag(jnp.asarray(values * (SIZE // 2)))
    done = advance(begin(b, jnp.asarray(1e3), jnp.asarray(0.0)), matrix, STEPS)
    assert outcome(done) is Outcome.breakdown
    assert bool(jnp.all(jnp.isfinite(done.x))), "the last sound iterate is kept"
    assert "positive semidefinite" in outcome(done).sentence


def test_a_number_that_is_not_finite_breaks_down():
    matrix, b, floor = spd(10.0)
    done = advance(begin(b.at[3].set(jnp.nan), jnp.asarray(1.0), jnp.asarray(floor)), matrix, STEPS)
    assert outcome(done) is Outcome.breakdown


def test_too_few_steps_are_said_to_be_too_few():
    short = ConjugateGradients(rtol=1e-10, residual_rtol=1e-8, max_steps=5)
    matrix, b, floor = spd(1e4)
    done = advance(started(matrix, b, floor, short), matrix, 100, short)
    assert outcome(done) is Outcome.step_limit
    assert int(done.step) == 5
    assert "max_steps" in outcome(done).sentence


def test_no_load_needs_no_step():
    matrix, b, floor = spd(10.0)
    for load in (0.0 * b, 1e-18 * b):  # nothing, and the rounding noise of a load
        state = begin(load, jnp.asarray(1.0), jnp.asarray(floor))
        done = advance(state, matrix, STEPS)
        assert outcome(done) is Outcome.converged
        assert int(done.step) == 0
        assert float(done.errors[0]) == float(done.residuals[0]) == 0.0


def test_impossible_accuracy_stagnates_instead_of_running_on():
    greedy = ConjugateGradients(rtol=1e-40, residual_rtol=1e-30, max_steps=3000)
    matrix, b, floor = spd(100.0)
    done = advance(started(matrix, b, floor, greedy), matrix, 3000, greedy)
    assert outcome(done) is Outcome.stagnated
    assert int(done.step) < 1000
    np.testing.assert_allclose(done.x, jnp.linalg.solve(matrix, b), rtol=1e-10)


@functools.partial(jax.jit, static_argnames="steps")
def matrix_history(state, matrix, steps=STEPS):
    return jax.lax.scan(
        lambda s, _: (s := SOLVER.step(s, lambda v: matrix @ v, lambda r: r), (s.x, s.energy)),
        state,
        length=steps,
    )


@pytest.mark.parametrize("condition", [2.0, 100.0, 1e4])
@pytest.mark.parametrize("seed", [0, 1])
def test_the_bound_holds_for_any_spectrum(condition, seed):
    matrix, b, floor = spd(condition, seed)
    final, (x, energy) = matrix_history(started(matrix, b, floor * (1 - 1e-9)), matrix)
    error = np.asarray(jnp.linalg.solve(matrix, b) - x)
    check_bound(np.einsum("ki,ij,kj->k", error, np.asarray(matrix), error), np.asarray(energy), final)


def test_a_floor_that_is_too_low_is_only_more_careful():
    matrix, b, floor = spd(100.0)
    sharp, _ = matrix_history(started(matrix, b, floor * (1 - 1e-9)), matrix)
    blunt, _ = matrix_history(started(matrix, b, floor / 50), matrix)
    early = slice(1, 20)
    assert np.all(np.asarray(blunt.errors)[early] >= np.asarray(sharp.errors)[early])


def check_bound(true, energy, final: CGState):
    """The estimate is never below the true relative energy error, and not uselessly above it."""
    relative, bound = true / energy, np.asarray(final.errors)[1 : STEPS + 1]
    seen = visible(relative)
    assert seen.sum() >= 3
    assert np.all(bound[seen] >= relative[seen] * (1 - 1e-6))
    assert np.all(bound[seen] <= relative[seen] * PESSIMISM)


def visible(relative):
    """The steps before the error drowns in rounding for the first time; what follows says nothing."""
    return np.cumsum(relative < VISIBLE) == 0


# --------------------------------------------------------------------------------------- conduction

CELLS = 12


def spots(seed, share):
    return VoxelImage(np.random.default_rng(seed).random((CELLS, CELLS)) < share)


FIBRE = [[30.0, 12.0], [12.0, 6.0]]
MEDIA = {
    "contrast 10": (spots(5, 0.5), {0: 1.0, 1: 10.0}, "hexahedra"),
    "contrast 1000": (spots(5, 0.5), {0: 1.0, 1: 1e3}, "hexahedra"),
    "contrast 0.001": (spots(6, 0.3), {0: 1.0, 1: 1e-3}, "hexahedra"),
    "fibres": (spots(5, 0.5), {0: 1.0, 1: FIBRE}, "hexahedra"),
    "finite volumes": (spots(5, 0.5), {0: 1.0, 1: 1e3}, "finite-volume"),
}
POROUS = [spots(seed, share) for seed, share in ((7, 0.2), (8, 0.3), (9, 0.35), (10, 0.3))]


def cell_of(image, values, scheme):
    phases, unit = parse_phases(values, image.phases, image.names, image.dim)
    job = Job(image, phases, unit, Settings(rtol=1e-10, residual_rtol=1e-8, max_steps=STEPS))
    return traced_model(job, scheme)


@jax.jit
def cell_history(cell, load):
    """Every iterate, the final state, the dense stiffness and the right-hand side of a cell problem."""
    grid, shape = cell.discretisation, cell.discretisation.shape

    def stiffness(u):
        return grid.forces(cell.coefficients, u, None)

    green = GreenOperator.of(grid, cell.reference)
    state = cell.begin(load).state
    dense = jax.vmap(lambda e: stiffness(e.reshape(shape)).ravel())(jnp.eye(CELLS * CELLS))
    final, history = jax.lax.scan(
        lambda s, _: (s := cell.solver.step(s, stiffness, green), (s.x.ravel(), s.energy)),
        state,
        length=STEPS,
    )
    return final, history, dense, state.r.ravel()


def true_errors(cell, axis):
    final, (x, energy), dense, b = cell_history(cell, jnp.eye(2)[axis])
    dense, error = np.asarray(dense), np.linalg.pinv(dense, hermitian=True) @ np.asarray(b) - np.asarray(x)
    return np.einsum("ki,ij,kj->k", error, dense, error), np.asarray(energy), final


@pytest.mark.parametrize("medium", MEDIA)
@pytest.mark.parametrize("axis", [0, 1])
def test_the_bound_holds_on_media(medium, axis):
    check_bound(*true_errors(cell_of(*MEDIA[medium]), axis))


def test_the_tail_covers_the_error_with_voids_in_most_steps():
    covered, lowest = [], []
    for image in POROUS:
        cell = cell_of(image, {0: 1.0, 1: 0.0}, "hexahedra")
        assert float(cell.spectrum_floor) == 0.0, "no bound is known"
        true, energy, final = true_errors(cell, 0)
        relative, estimate = true / energy, np.asarray(final.errors)[1 : STEPS + 1]
        seen = visible(relative) & np.isfinite(estimate)
        assert not np.any(np.isfinite(estimate[:4])), "nothing is claimed before the falls show a ratio"
        assert seen.sum() >= 3
        covered += (estimate[seen] >= relative[seen]).tolist()
        lowest.append(np.min(estimate[seen] / relative[seen]))
    assert len(covered) > 30
    assert np.mean(covered) >= 0.9
    assert min(lowest) >= 0.1, "where it is below the error, it is not far below"


def test_the_spectrum_is_above_its_floor():
    image = MEDIA["fibres"][0]
    for values in ({0: 1.0, 1: 10.0}, {0: 1.0, 1: FIBRE}):
        cell = cell_of(image, values, "hexahedra")
        uniform = cell_of(image, dict.fromkeys(values, np.asarray(cell.reference)), "hexahedra")
        stiffness, metric = (np.asarray(cell_history(c, jnp.eye(2)[0])[2]) for c in (cell, uniform))
        lengths, vectors = np.linalg.eigh(metric)
        root = vectors[:, 1:] / np.sqrt(lengths[1:])  # without the constant
        lowest = np.linalg.eigvalsh(root.T @ stiffness @ root)[0]
        assert float(cell.spectrum_floor) * (1 - 1e-9) <= lowest <= 10 * float(cell.spectrum_floor)
