"""Laws that several tests share, in round numbers: moduli about 100, yield at a strain of 0.002."""

import jax.numpy as jnp

from scalebridge.laws.damage import Damage, EnergyStrain, MazarsStrain, VonMisesStrain
from scalebridge.laws.drucker_prager import DruckerPrager
from scalebridge.laws.elastic import IsotropicElastic, LinearElastic
from scalebridge.laws.finite_plastic import FinitePlasticity
from scalebridge.laws.hardening import LinearHardening, SwiftHardening, TableHardening, VoceHardening
from scalebridge.laws.kinematic import ArmstrongFrederick
from scalebridge.laws.maxwell import GeneralisedMaxwell
from scalebridge.laws.mooney_rivlin import MooneyRivlin
from scalebridge.laws.neo_hookean import NeoHookean
from scalebridge.laws.plastic import J2Plasticity
from scalebridge.laws.softening import ExponentialSoftening, LineSoftening
from scalebridge.laws.viscoplastic import Viscoplastic

BULK, SHEAR = 100.0, 60.0
YOUNG = 9 * BULK * SHEAR / (3 * BULK + SHEAR)
LINEAR = LinearHardening(0.3, 5.0)
VOCE = VoceHardening(0.3, 0.2, 50.0, 1.0)
SWIFT = SwiftHardening(0.3, 0.01, 0.3)
TABLE = TableHardening([0.0, 0.01, 0.03], [0.3, 0.4, 0.45])

# name: law, size of strain for the contract, more of what the contract takes
LAWS = {
    "elastic": (IsotropicElastic(BULK, SHEAR), 0.01, {}),
    "anisotropic": (LinearElastic(3.0 * jnp.eye(6) + 1.0), 0.01, {"isotropic": False}),
    "plastic": (J2Plasticity(BULK, SHEAR, LINEAR, 2.0), 0.005, {}),
    "viscoplastic": (Viscoplastic(BULK, SHEAR, VOCE, 1.0, 0.1, 4.0, 2.0), 0.005, {"dt": 0.01}),
    "armstrong-frederick": (ArmstrongFrederick(BULK, SHEAR, LINEAR, 20.0, 60.0), 0.005, {}),
    "drucker-prager": (DruckerPrager(BULK, SHEAR, 0.4, 0.1, LINEAR), 0.005, {}),
    "damage energy": (Damage(BULK, SHEAR, ExponentialSoftening(0.002, 0.02), EnergyStrain()), 0.004, {}),
    "maxwell": (GeneralisedMaxwell(BULK, SHEAR, [20.0, 30.0], [0.1, 5.0]), 0.01, {"ramps": True}),
    "neo-hookean": (NeoHookean(BULK, SHEAR), 0.1, {}),
    "mooney-rivlin": (MooneyRivlin(BULK, 20.0, 10.0), 0.1, {}),
    "finite plastic": (FinitePlasticity(BULK, SHEAR, LINEAR), 0.1, {}),
}
MORE_LAWS = {
    "voce": (J2Plasticity(BULK, SHEAR, VOCE, 4.0), 0.005, {}),
    "swift": (J2Plasticity(BULK, SHEAR, SWIFT), 0.005, {}),
    "table": (J2Plasticity(BULK, SHEAR, TABLE, 1.0), 0.005, {}),
    "armstrong-frederick voce": (ArmstrongFrederick(BULK, SHEAR, VOCE, 20.0, 60.0), 0.005, {}),
    "drucker-prager associated": (DruckerPrager(BULK, SHEAR, 0.4, 0.4, VOCE), 0.005, {}),
    "damage mazars": (
        Damage(BULK, SHEAR, LineSoftening([0.002, 0.01, 0.05], [1.0, 0.3, 0.0]), MazarsStrain()),
        0.004,
        {},
    ),
    "damage von mises": (
        Damage(BULK, SHEAR, ExponentialSoftening(0.002, 0.02), VonMisesStrain(8.0)),
        0.004,
        {},
    ),
    "finite plastic voce": (FinitePlasticity(BULK, SHEAR, VOCE), 0.3, {}),
}
