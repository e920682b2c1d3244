"""Softening: with a length of its own a bar dissipates the same on every mesh; with the crack band, too."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from scalebridge.cells.path_cell import PathCell
from scalebridge.cells.path_settings import PathSettings
from scalebridge.core.results import Outcome
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
    cell = PathCell(index, laws, (edge, edge, edge), PathSettings(tolerance=1e-6))
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
