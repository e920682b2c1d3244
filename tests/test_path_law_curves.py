"""Curves and limits of the pointwise laws that are known in closed form."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import quad

from path_law_samples import BULK, LINEAR, SHEAR, SWIFT, TABLE, VOCE, YOUNG
from scalebridge.laws.damage import Damage, EnergyStrain, MazarsStrain, VonMisesStrain
from scalebridge.laws.drucker_prager import DruckerPrager, cone_of_friction
from scalebridge.laws.hardening import LinearHardening
from scalebridge.laws.invariants import von_mises
from scalebridge.laws.kinematic import ArmstrongFrederick
from scalebridge.laws.maxwell import GeneralisedMaxwell
from scalebridge.laws.plastic import J2Plasticity
from scalebridge.laws.softening import PETERSSON, exponential_of_energy, lines_of_energy
from scalebridge.laws.viscoplastic import Viscoplastic
from scalebridge.testing import uniaxial_stress

HARDENINGS = {"linear": LINEAR, "voce": VOCE, "swift": SWIFT, "table": TABLE}


@pytest.mark.parametrize("name", HARDENINGS)
def test_pulled_plastic_bar_follows_its_hardening(name):
    # In one direction backward Euler is exact: stress = sigma_y(p), p = strain - stress / E.
    hardening = HARDENINGS[name]
    strains = np.array([0.001, 0.004, 0.012, 0.05])
    stress = uniaxial_stress(J2Plasticity(BULK, SHEAR, hardening), strains)
    plastic = jnp.asarray(strains - stress / YOUNG)
    assert stress[0] == pytest.approx(YOUNG * 0.001, rel=1e-12)
    np.testing.assert_allclose(stress[1:], jax.vmap(hardening.stress)(plastic[1:]), rtol=1e-11)


def test_pushed_back_bar_yields_early_with_prager():
    # Bauschinger: from stress s the bar yields at s - 2 Y, and hardens with E H / (E + H) from there.
    law, limit, modulus = J2Plasticity(BULK, SHEAR, LinearHardening(0.3), 8.0), 0.3, 8.0
    slope = YOUNG * modulus / (YOUNG + modulus)
    top = limit + slope * (0.02 - limit / YOUNG)
    turn = 0.02 - 2 * limit / YOUNG
    stress = uniaxial_stress(law, np.array([0.02, turn, turn - 0.01]))
    np.testing.assert_allclose(stress, [top, top - 2 * limit, top - 2 * limit - slope * 0.01], rtol=1e-11)


def test_sheared_plastic_point_in_closed_form():
    # sqrt(3) tau = Y + H p, gamma = tau / G + sqrt(3) p
    law, gamma = J2Plasticity(BULK, SHEAR, LINEAR), 0.03
    stress, state = law.respond(jnp.zeros(6).at[5].set(gamma / 2**0.5), law.rest(), 0.0)
    plastic = (3**0.5 * SHEAR * gamma - 0.3) / (3 * SHEAR + 5.0)
    np.testing.assert_allclose(state["accumulated plastic strain"], plastic, rtol=1e-13)
    np.testing.assert_allclose(stress[5] / 2**0.5, (0.3 + 5.0 * plastic) / 3**0.5, rtol=1e-13)


def test_stress_is_differentiated_by_the_parameters_through_the_local_solve():
    # d tau / dY = 1 / sqrt(3) / (1 + sigma_y' / (3 G)) in shear, from the closed form above.
    def shear(limit):
        law = J2Plasticity(BULK, SHEAR, type(VOCE)(limit, 0.2, 50.0, 1.0))
        stress, state = law.respond(jnp.zeros(6).at[5].set(0.02), law.rest(), 0.0)
        return stress[5] / 2**0.5, state["accumulated plastic strain"]

    for derivative in (jax.jacfwd, jax.jacrev):
        slope = VOCE.slope(shear(0.3)[1])
        wanted = 1 / 3**0.5 / (1 + slope / (3 * SHEAR))
        np.testing.assert_allclose(derivative(lambda y: shear(y)[0])(jnp.asarray(0.3)), wanted, rtol=1e-12)


def test_back_stress_of_armstrong_and_frederick_grows_and_saturates():
    # X = C/c (1 - exp(-c p)) of the differential equation; backward Euler comes to it in first order,
    # and to its end, Y + C/c, at once.
    law = ArmstrongFrederick(BULK, SHEAR, LinearHardening(0.3), 20.0, 100.0)
    end = 0.03
    stress = [uniaxial_stress(law, np.linspace(0, end, steps + 1)[1:])[-1] for steps in (40, 80)]
    exact = 0.3 + 0.2 * (1 - np.exp(-100.0 * (end - np.array(stress) / YOUNG)))
    errors = np.abs(stress - exact)
    assert 1.8 < errors[0] / errors[1] < 2.2
    # exp(-100 p) is lost in rounding beyond p = 0.4; (1 + c dp)^-n of backward Euler needs more steps.
    far = uniaxial_stress(law, np.linspace(0, 2.0, 41)[1:])
    np.testing.assert_allclose(far[-1], 0.5, rtol=1e-10)


def test_steady_flow_of_perzyna():
    # At a constant rate r the overstress ends at D (tau r)^(1/m).
    law = Viscoplastic(BULK, SHEAR, LinearHardening(0.3), time=2.0, drag=0.1, exponent=4.0)
    strains, dt = np.linspace(0, 0.2, 201)[1:], 0.01
    stress = uniaxial_stress(law, strains, dt)
    rate = strains[0] / dt
    np.testing.assert_allclose(stress[-1], 0.3 + 0.1 * (2.0 * rate) ** 0.25, rtol=1e-10)


def test_cone_has_the_strengths_of_mohr_and_coulomb_in_compression():
    # Outer cone: 2 c cos(phi) / (1 - sin(phi)); in tension k / (1/sqrt(3) + eta/3).
    angle, cohesion = np.pi / 6, 0.1
    eta, k = cone_of_friction(angle, cohesion)
    law = DruckerPrager(BULK, SHEAR, eta, 0.5 * eta, LinearHardening(k))
    squeezed = uniaxial_stress(law, np.array([-0.002, -0.01, -0.02]))
    np.testing.assert_allclose(squeezed[1:], -2 * cohesion * np.cos(angle) / (1 - np.sin(angle)), rtol=1e-10)
    pulled = uniaxial_stress(law, np.linspace(0, 0.002, 9)[1:])[-4:]  # larger steps end in the apex
    np.testing.assert_allclose(pulled, float(k / (1 / 3**0.5 + eta / 3)), rtol=1e-10)


def test_cone_dilates_as_its_flow_says_and_ends_in_an_apex():
    law = DruckerPrager(BULK, SHEAR, 0.6, 0.3, LinearHardening(0.1))
    shear = jnp.zeros(6).at[5].set(0.02)
    stress, state = law.respond(shear, law.rest(), 0.0)
    volume, slip = jnp.sum(state["plastic strain"][:3]), state["accumulated plastic shear"]
    np.testing.assert_allclose(volume, 0.3 * slip, rtol=1e-12)
    np.testing.assert_allclose(jnp.sum(stress[:3]) / 3, -BULK * volume, rtol=1e-12)  # it pushes apart
    torn, state = law.respond(shear.at[:3].set(0.05), law.rest(), 0.0)
    np.testing.assert_allclose(torn, [0.1 / 0.6] * 3 + [0.0] * 3, atol=1e-14)
    np.testing.assert_allclose(state["accumulated plastic shear"], 2**0.5 * 0.02, rtol=1e-12)
    # Where cone and apex meet the answer is continuous: the shear that just lasts, and a hair more and less.
    slip = 2**0.5 * 0.02
    mean = 0.1 / 0.6 + BULK * 0.3 * slip
    answers = [
        law.respond(shear.at[:3].set((mean + side) / (3 * BULK)), law.rest(), 0.0)[0]
        for side in (-1e-9, 1e-9)
    ]
    np.testing.assert_allclose(answers[0], answers[1], atol=1e-8)


MEASURES = {"energy": EnergyStrain(), "mazars": MazarsStrain(), "von mises": VonMisesStrain(10.0)}
ENERGY, LENGTH, STRENGTH = 2e-3, 0.05, 0.3


@pytest.mark.parametrize("name", MEASURES)
def test_equivalent_strain_is_the_strain_of_a_pulled_bar(name):
    poisson = (3 * BULK - 2 * SHEAR) / (6 * BULK + 2 * SHEAR)
    pulled = 0.01 * jnp.array([1.0, -poisson, -poisson, 0, 0, 0])
    measure = MEASURES[name].measure
    bulk, shear = jnp.asarray(BULK), jnp.asarray(SHEAR)
    np.testing.assert_allclose(measure(pulled, bulk, shear), 0.01, rtol=1e-12)
    # Pushed: alike; by the sides that bulge; and by the ratio of strengths.
    pushed = {"energy": 0.01, "mazars": 2**0.5 * poisson * 0.01, "von mises": 0.001}[name]
    np.testing.assert_allclose(measure(-pulled, bulk, shear), pushed, rtol=1e-12)


@pytest.mark.parametrize("form", ["exponential", "linear", "bilinear"])
def test_torn_bar_dissipates_the_fracture_energy(form):
    # The integral of the bar's stress over its strain is G_f / length: that of a crack in the length.
    if form == "exponential":
        softening = exponential_of_energy(YOUNG, STRENGTH, ENERGY, LENGTH)
        corners, end = [float(softening.onset)], 40 * float(softening.scale)
    else:
        knee = PETERSSON if form == "bilinear" else None
        softening = lines_of_energy(YOUNG, STRENGTH, ENERGY, LENGTH, knee)
        corners, end = [float(x) for x in softening.strains[:-1]], float(softening.strains[-1])
    law = Damage(BULK, SHEAR, softening, EnergyStrain())
    poisson = (3 * BULK - 2 * SHEAR) / (6 * BULK + 2 * SHEAR)
    pull = jnp.array([1.0, -poisson, -poisson, 0, 0, 0])  # the bar's sides are free whatever the damage
    stress = jax.jit(lambda strain: law.respond(strain * pull, law.rest(), 0.0)[0][0])
    ends = [0.0, *corners, end]
    areas = [quad(stress, a, b, epsabs=1e-13, epsrel=1e-11)[0] for a, b in itertools.pairwise(ends)]
    np.testing.assert_allclose(sum(areas), ENERGY / LENGTH, rtol=1e-9)
    np.testing.assert_allclose(stress(corners[0]), STRENGTH, rtol=1e-12)


def test_damage_follows_an_average_that_it_is_given_and_gives_its_secant():
    softening = exponential_of_energy(YOUNG, STRENGTH, ENERGY, LENGTH)
    law = Damage(BULK, SHEAR, softening, MazarsStrain(), averaging=0.01)
    strain = jnp.array([0.004, 0, 0, 0.001, 0, 0.0])
    own, state = law.respond(strain, law.rest(), 0.0)
    driven, driven_state = law.respond_driven(strain, law.driving(strain), law.rest())
    np.testing.assert_array_equal(own, driven)
    assert driven_state == state
    less, less_state = law.respond_driven(strain, 0.7 * law.driving(strain), law.rest())
    assert float(less[0]) > float(own[0])
    assert float(less_state["largest equivalent strain"]) == pytest.approx(0.7 * float(law.driving(strain)))
    calm, calm_state = law.respond_driven(strain, jnp.asarray(0.0), law.rest())
    np.testing.assert_allclose(calm, law.stiffness() @ strain, rtol=1e-14)
    assert calm_state == law.rest()
    secant = Damage(BULK, SHEAR, softening, MazarsStrain(), secant=True)
    left = 1 - softening.damage(state["largest equivalent strain"])
    np.testing.assert_allclose(secant.tangent(strain, law.rest(), 0.0), left * law.stiffness(), atol=1e-12)


def test_maxwell_relaxes_as_its_series_and_is_exact_for_ramps_of_any_step():
    arms, times = np.array([20.0, 30.0]), np.array([0.1, 5.0])
    law = GeneralisedMaxwell(BULK, SHEAR, arms, times)
    shear = jnp.zeros(6).at[5].set(0.01)
    stress, state = law.respond(shear, law.rest(), 0.0)
    np.testing.assert_allclose(stress[5], 2 * (SHEAR + arms.sum()) * 0.01, rtol=1e-14)
    later, _ = law.respond(shear, state, 3.0)
    np.testing.assert_allclose(later[5], 2 * (SHEAR + arms @ np.exp(-3.0 / times)) * 0.01, rtol=1e-14)
    # A ramp: tau = 2 G e + 2 rate sum G_i tau_i (1 - exp(-t / tau_i)), in one step or in seven.
    exact = 2 * (SHEAR + arms @ (times / 3.0 * -np.expm1(-3.0 / times))) * 0.01
    state = law.rest()
    for step in range(1, 8):
        stress, state = law.respond(shear * step / 7, state, 3.0 / 7)
    np.testing.assert_allclose([law.respond(shear, law.rest(), 3.0)[0][5], stress[5]], exact, rtol=1e-13)


def test_perzyna_without_hurry_is_plasticity():
    law = Viscoplastic(BULK, SHEAR, VOCE, 1.0, 0.1, 3.0)
    strain = jnp.array([0.01, 0, 0, 0, 0.004, 0.01])
    slow, _ = law.respond(strain, law.rest(), 1e30)
    plain, _ = J2Plasticity(BULK, SHEAR, VOCE).respond(strain, law.rest(), 0.0)
    # The overstress that is left is D (dp tau / dt)^(1/m), of the order of 1e-11.
    np.testing.assert_allclose(slow, plain, atol=1e-10)
    assert float(von_mises(slow)) > 0.3
