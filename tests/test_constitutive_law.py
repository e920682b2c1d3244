"""The user's door to the pointwise laws: what it makes, and what it refuses."""

import jax.numpy as jnp
import numpy as np
import pytest

import scalebridge as sb
from scalebridge.laws.damage import Damage
from scalebridge.laws.drucker_prager import DruckerPrager
from scalebridge.laws.elastic import IsotropicElastic, LinearElastic
from scalebridge.laws.finite_plastic import FinitePlasticity
from scalebridge.laws.kinematic import ArmstrongFrederick
from scalebridge.laws.maxwell import GeneralisedMaxwell
from scalebridge.laws.mooney_rivlin import MooneyRivlin
from scalebridge.laws.neo_hookean import NeoHookean
from scalebridge.laws.plastic import J2Plasticity
from scalebridge.laws.viscoplastic import Viscoplastic

STEEL = {"young": "210 GPa", "poisson": 0.3}
YIELD = {**STEEL, "yield_stress": "250 MPa"}
CONE = {"young": "10 GPa", "poisson": 0.2, "friction_angle": "30 deg", "cohesion": "1 MPa"}
CONCRETE = {"young": "30 GPa", "poisson": 0.2, "strength": "3 MPa"}
BAND = {**CONCRETE, "fracture_energy": "100 J/m^2", "length": "10 mm"}
VOCE = {"hardening": "voce", "saturation": "100 MPa", "rate": 12.0}

MADE = [
    ("elastic", STEEL, IsotropicElastic),
    ("elastic", {**STEEL, "expansion": "12e-6 1/K", "temperature_change": 50.0}, IsotropicElastic),
    ("elastic", {"c11": "168 GPa", "c12": "121 GPa", "c44": "75 GPa"}, LinearElastic),
    ("plastic", YIELD, J2Plasticity),
    ("plastic", {**YIELD, **VOCE, "kinematic_modulus": "1 GPa"}, J2Plasticity),
    ("plastic", {**YIELD, "hardening": "swift", "reference_strain": 0.01, "exponent": 0.2}, J2Plasticity),
    ("plastic", {**YIELD, "hardening": "table", "curve": [[0, "250 MPa"], [0.1, "300 MPa"]]}, J2Plasticity),
    ("plastic", {**YIELD, "kinematic_modulus": "20 GPa", "recovery": 100.0}, ArmstrongFrederick),
    ("viscoplastic", {**YIELD, "time": "1 s", "drag": "50 MPa", "rate_exponent": 4}, Viscoplastic),
    ("drucker-prager", {**CONE, "dilation_angle": "10 deg", "hardening_modulus": "1 MPa"}, DruckerPrager),
    ("damage", BAND, Damage),
    ("damage", {**BAND, "softening": "linear", "equivalent": "energy"}, Damage),
    ("damage", {**BAND, "softening": "bilinear", "equivalent": "von-mises", "strength_ratio": 12}, Damage),
    ("damage", {**CONCRETE, "final_strain": 5e-3, "averaging_length": "5 mm"}, Damage),
    ("damage", {**CONCRETE, "final_strain": 5e-3, "averaging_length": 0.01, "softening": "linear"}, Damage),
    ("maxwell", {**STEEL, "arms": ["1 GPa", "2 GPa"], "times": ["1 s", "1 min"]}, GeneralisedMaxwell),
    ("neo-hookean", {"bulk": "10 MPa", "shear": "1 MPa"}, NeoHookean),
    ("mooney-rivlin", {"bulk": "10 MPa", "first": "0.4 MPa", "second": "0.1 MPa"}, MooneyRivlin),
    ("finite-plastic", {**YIELD, **VOCE}, FinitePlasticity),
]


@pytest.mark.parametrize(("kind", "parameters", "made"), MADE)
def test_every_kind_is_made(kind, parameters, made):
    law = sb.constitutive_law(kind, **parameters)
    assert type(law) is made
    assert set(law.rest()) == set(law.state_specs())
    assert np.all(np.linalg.eigvalsh(law.stiffness()) > 0)


REFUSED = [
    ("plastique", YIELD, sb.InputError, "did you mean 'plastic'"),
    ("plastic", STEEL, sb.InputError, "give yield_stress with a unit of Pa"),
    ("plastic", {"yield_stress": "250 MPa"}, sb.PhaseError, "elastic constants none"),
    ("plastic", {**YIELD, "young": "-210 GPa"}, sb.PhaseError, "young"),
    ("plastic", {**YIELD, "poisson": 0.5}, sb.PhaseError, "poisson"),
    ("plastic", {**YIELD, "poisson": 0.7}, sb.PhaseError, "poisson"),
    ("plastic", {**YIELD, "young": 0}, sb.PhaseError, "void"),
    ("plastic", {**YIELD, "yield_stress": "250 MPa/s"}, sb.UnitError, "convertible to Pa"),
    ("plastic", {**YIELD, "yield_stress": "250"}, sb.UnitError, "unit of Pa"),
    ("plastic", {**YIELD, "yield_stress": -1.0}, sb.InputError, "more than 0"),
    ("plastic", {**YIELD, "yield_stress": True}, sb.InputError, "a number"),
    ("plastic", {**YIELD, "yield_stress": float("nan")}, sb.InputError, "more than 0"),
    ("plastic", {**YIELD, "hardening_modulus": "-1 GPa"}, sb.InputError, "at least 0"),
    ("plastic", {**YIELD, "hardening_modulos": "1 GPa"}, sb.InputError, "did you mean 'hardening_modulus'"),
    ("plastic", {**YIELD, "hardening": "vocce"}, sb.InputError, "did you mean 'voce'"),
    ("plastic", {**YIELD, "hardening": "voce", "rate": 1.0}, sb.InputError, "give saturation"),
    ("plastic", {**YIELD, "saturation": "1 MPa"}, sb.InputError, "does not have"),
    ("plastic", {**YIELD, "recovery": 10.0}, sb.InputError, "give kinematic_modulus"),
    ("plastic", {**YIELD, "hardening": "table", "curve": [[0, "250 MPa"]]}, sb.InputError, "two or more"),
    (
        "plastic",
        {**YIELD, "hardening": "table", "curve": [["a", 1.0], [1, 2]]},
        sb.UnitError,
        "plastic_strain",
    ),
    ("plastic", {**YIELD, "hardening": "table", "curve": [[0, 250e6], [0.1, 1e8]]}, sb.InputError, "falls"),
    ("plastic", {**YIELD, "hardening": "table", "curve": [[0, 200e6], [0.1, 3e8]]}, sb.InputError, "begin"),
    ("viscoplastic", {**YIELD, "time": "1 s"}, sb.InputError, "give drag"),
    ("viscoplastic", {**YIELD, "time": "1 m", "drag": 1e6}, sb.UnitError, "convertible to s"),
    ("viscoplastic", {**YIELD, "time": 1, "drag": 1e6, "rate_exponent": 0.5}, sb.InputError, "at least 1"),
    ("drucker-prager", {**CONE, "dilation_angle": "40 deg"}, sb.InputError, "gives energy away"),
    ("drucker-prager", {**CONE, "dilation_angle": "-4 deg"}, sb.InputError, "at least 0"),
    ("damage", {**CONCRETE, "fracture_energy": "100 J/m^2"}, sb.InputError, "softening without a length"),
    ("damage", {**CONCRETE, "final_strain": 5e-3}, sb.InputError, "softening without a length"),
    ("damage", {**BAND, "length": "10 m"}, sb.InputError, "less than 0.6667 m, else the stress would snap"),
    ("damage", {**BAND, "fracture_energy": "100 J"}, sb.UnitError, "J/m"),
    ("damage", {**BAND, "equivalent": "rankine"}, sb.InputError, "mazars"),
    ("damage", {**CONCRETE, "final_strain": 5e-5, "averaging_length": 0.01}, sb.InputError, "strength / E"),
    ("maxwell", {**STEEL, "arms": [1e9, 1e9], "times": [1.0]}, sb.InputError, "a time for each arm"),
    ("maxwell", {**STEEL, "arms": [1e9], "times": [-1.0]}, sb.InputError, "more than 0"),
    ("neo-hookean", {"shear": "1 MPa"}, sb.PhaseError, "elastic constants"),
    ("neo-hookean", {**STEEL, "yield_stress": 1e6}, sb.InputError, "does not have"),
    ("mooney-rivlin", {"bulk": "1 MPa", "first": "0 Pa", "second": 0.0}, sb.InputError, "more than 0"),
    ("elastic", {**STEEL, "temperature_change": "5 m"}, sb.UnitError, "convertible to K"),
]


@pytest.mark.parametrize(("kind", "parameters", "error", "words"), REFUSED)
def test_nonsense_is_refused_with_a_cure(kind, parameters, error, words):
    with pytest.raises(error) as caught:
        sb.constitutive_law(kind, **parameters)
    assert words in str(caught.value)


def test_units_end_at_the_face():
    law = sb.constitutive_law("plastic", **YIELD, hardening_modulus="1 GPa")
    assert float(law.hardening.modulus) == 1e9
    np.testing.assert_allclose(law.stiffness()[5, 5], 2 * 210e9 / 2.6, rtol=1e-14)
    heated = sb.constitutive_law("elastic", **STEEL, expansion="12e-6 1/K", temperature_change=50.0)
    stress, _ = heated.respond(jnp.zeros(6), heated.rest(), 0.0)
    np.testing.assert_allclose(stress[0], -3 * 175e9 * 12e-6 * 50, rtol=1e-12)
