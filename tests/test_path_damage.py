"""Softening: with a length of its own a bar dissipates the same on every mesh; with the crack band, too."""

import numpy as np
import pytest

from scalebridge.cells.path_cell import PathCell
from scalebridge.cells.path_settings import PathSettings
from scalebridge.core.results import Outcome
from scalebridge.laws.damage import Damage, EnergyStrain
from scalebridge.laws.softening import ExponentialSoftening, exponential_of_energy

LENGTH = 0.1  # m, of the bar
YOUNG = 30e9
ONSET = 1e-4


def _torn(index: np.ndarray, laws: list[Damage], end: float, steps: int) -> float:
    """Dissipated energy of a bar that is torn along z, J/m^2; what is left is stored and taken off."""
    edge = LENGTH / index.shape[2]
    cell = PathCell(index, laws, (edge, edge, edge), PathSettings(tolerance=1e-7))
    state, hint, work, before = cell.rest(), None, 0.0, np.zeros(6)
    load = np.zeros(6)
    for part in range(1, steps + 1):
        change = np.array([0, 0, end / steps, 0, 0, 0])
        load = load + change
        found = cell.respond(load, state, hint=hint)
        assert found.outcome is Outcome.converged, (part, found.stats["residuals"])
        work += 0.5 * (found.answer + before) @ change
        state, hint, before = found.state, found.hint, found.answer
    return (work - 0.5 * before @ load) * LENGTH  # unloads to the origin: damage keeps no strain


@pytest.mark.parametrize("counts", [(20, 40, 80)])
def test_averaged_damage_dissipates_the_same_on_three_meshes(counts: tuple[int, ...]):
    """2 % were asked."""
    found = []
    for count in counts:
        index = np.zeros((1, 1, count), int)
        index[..., : count // 10] = 1

        def law(weaker: float) -> Damage:
            softening = ExponentialSoftening(ONSET * weaker, 6e-4)
            return Damage(YOUNG / 3, YOUNG / 2, softening, EnergyStrain(), averaging=0.01)

        found.append(_torn(index, [law(1.0), law(0.95)], 6e-4, 15))
    assert np.ptp(found) <= 0.02 * np.mean(found), found


def test_the_crack_band_dissipates_its_fracture_energy_on_three_meshes():
    energy, found = 100.0, []
    for count in (10, 20, 40):
        index = np.zeros((1, 1, count), int)
        index[..., 0] = 1
        weak = exponential_of_energy(YOUNG, YOUNG * ONSET * 0.95, energy, LENGTH / count)
        strong = ExponentialSoftening(ONSET, 1e-2)
        laws = [Damage(YOUNG / 3, YOUNG / 2, one, EnergyStrain()) for one in (strong, weak)]
        found.append(_torn(index, laws, 2.5e-3, 10))
    assert np.ptp(found) <= 0.02 * np.mean(found), found
    assert found[0] == pytest.approx(energy, rel=0.05)  # some is stored still, and steps are long
