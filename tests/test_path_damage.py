"""Softening: with a length of its own a bar dissipates the same on every mesh; with the crack band, too."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from scalebridge.cells.path_cell import PathCell
from scalebridge.cells.path_settings import PathSettings
from scalebridge.cells.response_path import response_along_path
from scalebridge.core.errors import InputError
from scalebridge.core.results import Outcome
from scalebridge.laws.constitutive_law import constitutive_law
from scalebridge.laws.damage import Damage, EnergyStrain
from scalebridge.laws.elastic import IsotropicElastic
from scalebridge.laws.path_law import PathLaw
from scalebridge.laws.softening import ExponentialSoftening, exponential_of_energy

LENGTH = 0.1  # m, of the bar
YOUNG = 30e9
ONSET = 1e-4


def _torn(index: np.ndarray, laws: list[PathLaw], end: float, steps: int) -> tuple[float, np.ndarray]:
    """Tear a bar along z; return the dissipated energy, J/m^2, and the largest strains seen in phase 1."""
    edge = LENGTH / index.shape[2]
    cell = PathCell(index, laws, (edge, edge, edge), PathSettings(tolerance=1e-6, precision="double"))
    state, hint, work, before = cell.rest(), None, 0.0, np.zeros(6)
    load = np.zeros(6)
    for part in range(1, steps + 1):
        change = np.array([0, 0, end / steps, 0, 0, 0])
        load = load + change
        found = cell.respond(load, state, hint=hint)
        assert found.outcome is Outcome.converged, (part, found.stats["residuals"])
        work += 0.5 * (found.answer + before) @ change
        state, hint, before = found.state, found.hint, found.answer
    seen = state["phase1/largest equivalent strain"]
    return (work - 0.5 * before @ load) * LENGTH, seen  # damage keeps no strain: it unloads to the origin


@pytest.mark.slow
def test_averaged_damage_dissipates_the_same_on_three_meshes():
    """2 % were asked."""
    found = []
    for count in (20, 40, 80):
        index = np.zeros((1, 1, count), int)
        index[..., : count // 10] = 1

        def law(weaker: float) -> Damage:
            softening = ExponentialSoftening(ONSET * weaker, 6e-4)
            return Damage(YOUNG / 3, YOUNG / 2, softening, EnergyStrain(), averaging=0.0142)

        found.append(_torn(index, [law(1.0), law(0.95)], 6e-4, 15)[0])
    assert np.ptp(found) <= 0.02 * np.mean(found), found


def test_the_crack_band_dissipates_its_fracture_energy_on_three_meshes():
    energy = 100.0
    for count in (10, 20, 40):
        index = np.zeros((1, 1, count), int)
        index[..., 0] = 1
        weak = exponential_of_energy(YOUNG, YOUNG * ONSET * 0.95, energy, LENGTH / count)
        laws = [IsotropicElastic(YOUNG / 3, YOUNG / 2), Damage(YOUNG / 3, YOUNG / 2, weak, EnergyStrain())]
        _, seen = _torn(index, laws, 2.5e-3, 6)
        k = np.linspace(0.0, seen.max(), 20001)  # what a point dissipates does not depend on the steps
        lost = np.trapezoid(0.5 * YOUNG * k**2, np.asarray(jax.vmap(weak.damage)(jnp.asarray(k))))
        assert np.ptp(seen) <= 1e-9 * seen.max()
        assert lost * LENGTH / count == pytest.approx(energy, rel=0.02)  # e^-7 of it is not yet


def test_the_secant_takes_more_steps_to_the_same_answer():
    """A cell with a stiff grain whose matrix cracks: no derivative of the damage, and the same stress."""
    index = np.zeros((4, 4, 4), int)
    index[1:3, 1:3, 1:3] = 1
    grain = IsotropicElastic(4 * YOUNG / 3, 4 * YOUNG / 2)
    load = np.outer([1.0, 1.15], [1e-4, 0, 0, 0, 0, 5e-5])
    found = []
    for tangent in ("consistent", "secant"):
        concrete = {"strength": 3e6, "fracture_energy": 100.0, "length": 0.01, "tangent": tangent}
        law = constitutive_law("damage", young=YOUNG, poisson=0.0, **concrete)
        cell, trials = PathCell(index, [law, grain], (0.01,) * 3, PathSettings(max_iterations=200)), 0
        state = cell.rest()
        for one in load:
            answer = cell.respond(one, state)
            assert answer.outcome is Outcome.converged
            state, trials = answer.state, trials + answer.stats["trials"]
        found.append((answer.answer, state["phase0/largest equivalent strain"], trials))
    (stress, seen, few), (other, other_seen, many) = found
    assert stress[0] < YOUNG * load[-1, 0], "it has cracked"
    np.testing.assert_allclose(other, stress, atol=1e-6 * np.abs(stress).max())  # tolerances of 1e-8
    np.testing.assert_allclose(other_seen, seen, atol=1e-6 * seen.max())
    assert many > few


def test_slopes_by_parameters_do_not_come_of_a_secant():
    law = constitutive_law(
        "damage", young=YOUNG, poisson=0.0, strength=3e6, fracture_energy=100.0, length=0.01, tangent="secant"
    )
    with pytest.raises(InputError, match="tangent='consistent'"):
        response_along_path(np.zeros((2, 2, 2), int), {0: law}, np.full((1, 6), 1e-5), derivatives=True)
