"""The consistent tangent of a whole cell is the derivative of its answer: Taylor's remainder is quadratic."""

import numpy as np
import pytest

from path_samples import INCLUSION, MATRIX, array, taylor_slopes
from scalebridge.laws.damage import Damage, EnergyStrain, MazarsStrain
from scalebridge.laws.drucker_prager import DruckerPrager
from scalebridge.laws.finite_plastic import FinitePlasticity
from scalebridge.laws.hardening import LinearHardening, VoceHardening
from scalebridge.laws.kinematic import ArmstrongFrederick
from scalebridge.laws.maxwell import GeneralisedMaxwell
from scalebridge.laws.mooney_rivlin import MooneyRivlin
from scalebridge.laws.neo_hookean import NeoHookean
from scalebridge.laws.plastic import J2Plasticity
from scalebridge.laws.softening import ExponentialSoftening
from scalebridge.laws.viscoplastic import Viscoplastic

SLOPE = 1.95  # asked of each of four halvings; 2 is exact
SMALL = {
    "J2": MATRIX,
    "J2, Voce and Prager": J2Plasticity(62.5, 28.8462, VoceHardening(0.1, 0.2, 0.1, 50.0), kinematic=1.0),
    "viscoplastic": Viscoplastic(62.5, 28.8462, LinearHardening(0.1, 0.5), time=1.0, drag=0.1, exponent=2.0),
    "kinematic": ArmstrongFrederick(62.5, 28.8462, LinearHardening(0.1, 0.5), modulus=5.0, recovery=20.0),
    "cone": DruckerPrager(62.5, 28.8462, 0.2, 0.1, LinearHardening(0.1, 0.5)),
    "damage": Damage(62.5, 28.8462, ExponentialSoftening(2e-4, 2e-2), EnergyStrain()),
    "averaged damage": Damage(62.5, 28.8462, ExponentialSoftening(2e-4, 2e-2), MazarsStrain(), averaging=1.0),
    "Maxwell": GeneralisedMaxwell(62.5, 10.0, array(10.0, 5.0), array(0.5, 5.0)),
}
FINITE = {
    "neo-Hookean": NeoHookean(62.5, 28.8462),
    "Mooney-Rivlin": MooneyRivlin(62.5, 10.0, 4.0),
    "finite J2": FinitePlasticity(62.5, 28.8462, LinearHardening(0.5, 2.0)),
}
STRAIN = np.array([0.004, -0.001, -0.002, 0.001, 0.0005, 0.002])
CHANGE = np.array([1.0, 0.5, -0.3, 0.4, 0.2, -0.6]) * 1e-4
GRADIENT = np.array([0.1, 0.05, 0.0, 0.0, -0.05, 0.02, 0.1, 0.0, 0.03])
TURN = np.array([0.1, 0.05, 0.02, 0.03, -0.05, 0.02, 0.04, 0.0, 0.03]) * 0.1


def _marked(laws: dict, quick: set[str]) -> list:
    """All laws; those that are not quick to compile with the slow tests."""
    return [name if name in quick else pytest.param(name, marks=pytest.mark.slow) for name in laws]


@pytest.mark.parametrize("name", _marked(SMALL, {"J2", "cone"}))
def test_small_strain(name: str):
    slopes = taylor_slopes([SMALL[name], INCLUSION], STRAIN, 2 * STRAIN, CHANGE, dt=0.5)
    assert slopes.min() >= SLOPE, slopes


@pytest.mark.parametrize("name", _marked(FINITE, {"neo-Hookean"}))
def test_finite_strain(name: str):
    unit = np.eye(3).ravel()
    stiff = NeoHookean(400.0, 200.0)
    slopes = taylor_slopes([FINITE[name], stiff], unit + GRADIENT, unit + 1.5 * GRADIENT, TURN)
    assert slopes.min() >= SLOPE, slopes
