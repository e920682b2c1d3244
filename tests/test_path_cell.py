"""Cells with history against exact answers: laminate, homogeneous body, sphere; what a trial may not do."""

import copy
import pickle

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import Array

from path_samples import (
    BLOCK,
    INCLUSION,
    MATRIX,
    REFERENCE,
    TIGHT,
    UNIT,
    mandel_tangent,
    rows,
    sphere,
    strain_of,
    stress_of,
    tangent_of,
)
from scalebridge.cells.path_cell import PathCell
from scalebridge.cells.path_equilibrium import equilibrate
from scalebridge.cells.path_settings import PathSettings
from scalebridge.core.errors import InputError
from scalebridge.core.results import Outcome
from scalebridge.core.spec import Spec
from scalebridge.laws.drucker_prager import DruckerPrager
from scalebridge.laws.hardening import LinearHardening
from scalebridge.laws.neo_hookean import NeoHookean
from scalebridge.laws.path_law import PathLaw
from scalebridge.laws.plastic import J2Plasticity

LOAD = np.array([0.004, -0.001, -0.002, 0.001, 0.0005, 0.002])


def test_a_laminate_is_exact_as_voxels():
    """30 non-proportional steps; asked are 1e-10 of the stress and 1e-8 of the tangent."""
    index = np.array([0, 0, 0, 1]).reshape(4, 1, 1)
    settings = PathSettings(tolerance=1e-11, tangent_tolerance=1e-7, precision="double")
    cell = PathCell(index, [MATRIX, INCLUSION], UNIT, settings)
    state, hint, off, off_tangent = cell.rest(), None, 0.0, 0.0
    for row in rows("laminate_j2_exact.csv"):
        found = cell.respond(strain_of(row), state, hint=hint)
        wanted = tangent_of(row)
        off = max(off, np.abs(found.answer - stress_of(row)).max())
        off_tangent = max(off_tangent, np.abs(found.tangent - wanted).max() / np.abs(wanted).max())
        state, hint = found.state, found.hint
    assert off <= 1e-10
    assert off_tangent <= 1e-8


def test_the_sphere_cell_begins_its_cycle_as_the_reference():
    cell = PathCell(sphere(), [MATRIX, INCLUSION], UNIT)
    row = rows("rve_sphere32_j2_hex8_fftcg.csv")[0]
    found = cell.respond(strain_of(row), cell.rest())
    assert np.abs(found.answer - stress_of(row)).max() <= 1e-9
    wanted = tangent_of(row)
    assert np.abs(found.tangent - wanted).max() <= 5e-6 * np.abs(wanted).max()  # solves to 1e-3, squared


@pytest.mark.parametrize("tolerance", [1e-2, 1e-9])
def test_what_is_handed_up_carries_the_work_of_the_points(tolerance):
    """The gap of Hill-Mandel is the mean of stress times strain at the points less the product of means."""
    index = np.random.default_rng(4).integers(0, 2, (4, 4, 4))
    settings = PathSettings(tolerance=tolerance, precision="double")
    harder = J2Plasticity(200.0, 150.0, LinearHardening(0.2, 1.0))  # elastic voxels keep no points
    cell = PathCell(index, [MATRIX, harder], UNIT, settings)
    rest = cell.rest()
    found = cell.respond(LOAD, rest)
    local = equilibrate(cell.medium, LOAD, cell.internal(rest), 0.0, [rest["u"]], settings).balance
    mean = local.stress @ local.strains / (8 * index.size)
    gap = found.stats["Hill-Mandel gap"]
    # what rounding of the mean allows
    assert gap == pytest.approx(abs(mean - found.answer @ LOAD), rel=1e-6, abs=1e-14 * mean)
    assert found.stats["Hill-Mandel size"] >= abs(found.answer @ LOAD)
    assert (gap < 1e-9 * mean) == (tolerance < 1e-8), "a solve that ends early shows"


@pytest.mark.slow
def test_the_sphere_cell_over_its_whole_cycle():
    """15 steps there and back; S11 at steps 5, 10, 15 to 1e-7, all components to the same."""
    cell = PathCell(sphere(), [MATRIX, INCLUSION], UNIT)
    state, hint = cell.rest(), None
    for row in rows("rve_sphere32_j2_hex8_fftcg.csv"):
        found = cell.respond(strain_of(row), state, hint=hint)
        wanted = tangent_of(row)
        assert np.abs(found.answer - stress_of(row)).max() <= 1e-9
        assert np.abs(found.tangent - wanted).max() <= 1e-5 * np.abs(wanted).max()
        state, hint = found.state, found.hint


@pytest.mark.slow
def test_the_sphere_cell_at_the_shear_step():
    wanted = mandel_tangent(np.loadtxt(REFERENCE / "tangent_sphere32_shearstep4.csv", delimiter=","))
    settings = PathSettings(tangent_tolerance=2e-5)
    cell = PathCell(sphere(), [MATRIX, INCLUSION], UNIT, settings)
    state, hint = cell.rest(), None
    for e in (0.001, 0.002, 0.003, 0.004):
        load = np.array([e, -e / 2, -e / 2, 0, 0, 0.3 * e / 2**0.5])
        found = cell.respond(load, state, hint=hint, want_tangent=e == 0.004)
        state, hint = found.state, found.hint
    stress = [9.406326894898e-02, -4.907497520895e-02, -4.803884369503e-02, 0, 0, 1.408299760323e-02 * 2**0.5]
    assert np.abs(found.answer - stress).max() <= 1e-9
    assert np.abs(found.tangent - wanted).max() <= 1e-8 * np.abs(wanted).max()


@pytest.mark.parametrize(
    "law",
    [MATRIX, DruckerPrager(62.5, 28.8462, 0.2, 0.1, LinearHardening(0.1, 0.5)), NeoHookean(62.5, 28.8462)],
)
def test_a_homogeneous_cell_is_its_law(law):
    cell = PathCell(np.zeros((3, 2, 2), int), [law], (1.0, 2.0, 0.5), TIGHT)
    load = np.eye(3).ravel() + 10 * np.r_[LOAD, 0.01, 0.0, 0.005] if law.finite else LOAD
    found = cell.respond(load, cell.rest())
    asked = jnp.asarray(load.reshape(3, 3) if law.finite else load)
    stress, state = law.respond(asked, law.rest(), 0.0)
    tangent = law.tangent(asked, law.rest(), 0.0)
    scale = np.abs(tangent).max()
    assert np.abs(found.answer - np.ravel(stress)).max() <= 1e-13 * scale
    assert np.abs(found.tangent - tangent).max() <= 1e-12 * scale
    for name, value in state.items():
        points = found.state[f"phase0/{name}"]
        assert np.abs(points - np.asarray(value)[..., None]).max() <= 1e-14


def test_a_trial_leaves_the_committed_state_and_hints_change_nothing_but_work():
    cell = PathCell(BLOCK, [MATRIX, INCLUSION], UNIT, TIGHT)
    first = cell.respond(LOAD, cell.rest())
    kept = {name: value.copy() for name, value in first.state.items()}
    cell.respond(3 * LOAD, first.state, hint=first.hint)
    hinted = cell.respond(2 * LOAD, first.state, hint=first.hint)
    plain = cell.respond(2 * LOAD, first.state)
    assert all(np.array_equal(kept[name], first.state[name]) for name in kept)
    assert np.abs(hinted.answer - plain.answer).max() <= 1e-9 * np.abs(plain.answer).max()
    assert hinted.stats["krylov"] < plain.stats["krylov"]
    again = cell.respond(2 * LOAD, first.state, hint=first.hint)
    assert np.array_equal(again.answer, hinted.answer)
    assert np.array_equal(again.tangent, hinted.tangent)


class Timid(PathLaw):
    """Linear elasticity that finds no answer where a step is longer than it dares."""

    reach: Array = eqx.field(converter=jnp.asarray)

    def state_specs(self):
        return {"last": Spec("last", "1", (6,))}

    def rest(self):
        return {"last": jnp.zeros(6)}

    def respond(self, strain, state, dt=0.0):
        length = jnp.linalg.norm(strain - state["last"] + 1e-30)
        return jnp.where(length > self.reach, jnp.nan, 1.0) * strain, {"last": strain}

    def stiffness(self):
        return jnp.eye(6)

    def free_energy(self, strain, state):
        return 0.5 * strain @ strain

    def margin(self, strain, state):
        return jnp.inf


def test_a_step_that_is_too_long_is_cut_and_one_that_cannot_be_says_so():
    cell = PathCell(BLOCK, [Timid(0.3 * np.linalg.norm(LOAD)), INCLUSION], UNIT, TIGHT)
    found = cell.respond(LOAD, cell.rest())
    assert found.outcome is Outcome.converged
    assert found.stats["substeps"] >= 4
    assert np.abs(found.answer - found.tangent @ LOAD).max() <= 1e-6 * np.abs(found.answer).max()
    never = PathCell(BLOCK, [Timid(1e-9), INCLUSION], UNIT, PathSettings(max_cuts=1, precision="double"))
    failed = never.respond(LOAD, never.rest())
    assert failed.outcome is Outcome.breakdown
    assert failed.tangent is None
    assert np.all(np.isnan(failed.answer))


def test_the_lazy_answer_ends_where_the_first_point_yields():
    cell = PathCell(BLOCK, [MATRIX, INCLUSION], UNIT, TIGHT)
    lazy = cell.elastic()
    at_one = lazy.margin(LOAD) + 1  # J2: proportional to the load
    below, above = LOAD * 0.9999 / at_one, LOAD * 1.01 / at_one
    assert lazy.margin(below) <= 0 < lazy.margin(above)
    found = cell.respond(below, cell.rest())
    assert found.state["phase0/accumulated plastic strain"].max() == 0.0
    assert np.abs(found.answer - lazy.tangent @ below).max() <= 1e-9 * np.abs(found.answer).max()
    beyond = cell.respond(above, cell.rest())
    assert beyond.state["phase0/accumulated plastic strain"].max() > 0.0
    assert PathCell(BLOCK, [NeoHookean(1.0, 1.0)] * 2, UNIT).elastic() is None


@pytest.mark.parametrize(
    ("index", "laws", "spacing", "said"),
    [
        (BLOCK[0], [MATRIX, INCLUSION], UNIT, "index"),
        (BLOCK + 0.5, [MATRIX, INCLUSION], UNIT, "index"),
        (BLOCK, [MATRIX], UNIT, "phase"),
        (BLOCK - 1, [MATRIX, INCLUSION], UNIT, "phase"),
        (BLOCK, [MATRIX, NeoHookean(1.0, 1.0)], UNIT, "one kind"),
        (BLOCK, [MATRIX, INCLUSION], (1.0, 1.0), "spacing"),
        (BLOCK, [MATRIX, INCLUSION], (1.0, 0.0, 1.0), "spacing"),
    ],
)
def test_a_cell_that_is_none_is_refused(index, laws, spacing, said: str):
    with pytest.raises(InputError, match=said):
        PathCell(index, laws, spacing)


def _sent(cell):
    return pickle.loads(pickle.dumps(cell))  # noqa: S301 (what was just written)


@pytest.mark.parametrize("copied", [copy.deepcopy, _sent], ids=["deep", "sent"])
def test_a_copy_of_a_cell_that_has_answered_gives_the_same_bits(copied):
    cell = PathCell(BLOCK, [MATRIX, INCLUSION], UNIT)
    here = cell.respond(LOAD, cell.rest())
    there = copied(cell).respond(LOAD, cell.rest())  # as an engine's threads and processes have it
    np.testing.assert_array_equal(there.answer, here.answer)
    np.testing.assert_array_equal(there.tangent, here.tangent)


def test_the_signature_tells_cells_apart():
    cell = PathCell(BLOCK, [MATRIX, INCLUSION], UNIT)
    other = MATRIX.__class__(62.5, 28.8463, MATRIX.hardening)
    signatures = {
        cell.signature(),
        PathCell(BLOCK, [other, INCLUSION], UNIT).signature(),
        PathCell(1 - BLOCK, [MATRIX, INCLUSION], UNIT).signature(),
        PathCell(BLOCK, [MATRIX, INCLUSION], (1.0, 1.0, 2.0)).signature(),
        PathCell(BLOCK, [MATRIX, INCLUSION], UNIT, TIGHT).signature(),
    }
    assert len(signatures) == 5
    assert PathCell(BLOCK.copy(), [MATRIX, INCLUSION], UNIT).signature() == cell.signature()
