"""Every pointwise law keeps the contract, laws that break it are found, and no law hides a NaN."""

from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from path_law_samples import BULK, LAWS, LINEAR, MORE_LAWS, SHEAR, VOCE
from scalebridge.core.spec import Spec
from scalebridge.laws.elasticity import isotropic_stiffness
from scalebridge.laws.invariants import isotropic_energy, isotropic_stress
from scalebridge.laws.path_law import CompactLaw, PathLaw
from scalebridge.laws.plastic import J2Plasticity
from scalebridge.laws.plasticity_host import empty_answers, kernel_parameters, return_points
from scalebridge.laws.viscoplastic import Viscoplastic
from scalebridge.testing import check_path_law


@pytest.mark.parametrize("name", LAWS)
def test_every_law_keeps_the_contract(name):
    law, size, options = LAWS[name]
    check_path_law(law, size, **options)


@pytest.mark.slow
@pytest.mark.parametrize("name", MORE_LAWS)
def test_every_form_of_hardening_and_softening_keeps_the_contract(name):
    law, size, options = MORE_LAWS[name]
    check_path_law(law, size, **options)


class Flawed(PathLaw):
    """A brittle spring that may heal, forget its energy, claim too wide a margin, or have a direction."""

    symmetric: ClassVar[bool] = False

    heals: float = 0.0
    energy: float = 1.0
    reach: float = 0.01
    stiff: float = 1.0
    along: float = 0.0
    prestress: float = 0.0

    def state_specs(self):
        return {"worst": Spec("worst strain", "1")}

    def rest(self):
        return {"worst": jnp.zeros(())}

    def stiffness(self):
        return self.stiff * isotropic_stiffness(BULK, SHEAR)

    def _left(self, worst):
        return (1.0 + self.heals * worst) / (1.0 + worst)

    def respond(self, strain, state, dt):
        size = jnp.sqrt(jnp.sum(strain**2) + 1e-30)
        worst = jnp.where(size > jnp.maximum(state["worst"], 0.01), size, state["worst"])
        stress = self._left(worst) * isotropic_stress(BULK, SHEAR, strain) + self.prestress
        return stress.at[0].add(self.along * strain[0]), {"worst": worst}

    def free_energy(self, strain, state):
        along = 0.5 * self.along * strain[0] ** 2 + self.prestress * jnp.sum(strain)
        return self.energy * self._left(state["worst"]) * isotropic_energy(BULK, SHEAR, strain) + along

    def margin(self, strain, state):
        return jnp.sqrt(jnp.sum(strain**2) + 1e-30) / jnp.maximum(state["worst"], self.reach) - 1.0


class WrongTangent(CompactLaw):
    """Linear elasticity with a shear stiffness of its own in the tangent."""

    def state_specs(self):
        return {}

    def rest(self):
        return {}

    def bulk(self):
        return jnp.asarray(BULK)

    def stiffness(self):
        return isotropic_stiffness(BULK, 1.001 * SHEAR)

    def respond(self, strain, state, dt):
        return isotropic_stress(BULK, SHEAR, strain), state

    def compact_tangent(self, strain, state, dt):
        return jnp.asarray(2.002 * SHEAR), jnp.zeros(()), jnp.zeros(6)

    def free_energy(self, strain, state):
        return isotropic_energy(BULK, SHEAR, strain)

    def margin(self, strain, state):
        return jnp.asarray(-1.0)


class Lopsided(Flawed):
    """The same without a flaw, but for the symmetry of its tangent, which it has not."""

    symmetric: ClassVar[bool] = True


FLAWS = {
    "healing": (Flawed(heals=2.0), "gives energy away"),
    "energy": (Flawed(energy=1.1), "Not equal"),
    "margin too wide": (Flawed(reach=0.03), "not equal"),
    "margin too narrow": (Flawed(reach=0.003), "not equal"),
    "stiffness": (Flawed(stiff=1.1), "Not equal"),
    "anisotropy": (Flawed(along=3.0), "Not equal"),
    "prestress": (Flawed(prestress=1.0), "Not equal"),
    "tangent": (WrongTangent(), "not the derivative"),
    "symmetry": (Lopsided(), "Not equal"),
}


@pytest.mark.parametrize("name", FLAWS)
def test_a_law_that_breaks_the_contract_is_found(name):
    law, words = FLAWS[name]
    with pytest.raises(AssertionError) as found:
        check_path_law(law, 0.01)
    assert words.lower() in str(found.value).lower()


def test_the_flawless_spring_passes():
    check_path_law(Flawed(), 0.01)


@pytest.mark.parametrize("name", ["plastic", "damage energy", "armstrong-frederick", "finite plastic"])
def test_a_strain_that_is_not_a_number_is_found_in_stress_and_state(name):
    law = LAWS[name][0]
    strain = jnp.full((3, 3) if law.finite else (6,), jnp.nan)
    stress, state = eqx.filter_jit(law.respond)(strain, law.rest(), 0.0)
    assert bool(jnp.all(jnp.isnan(stress)))
    assert all(bool(jnp.any(jnp.isnan(x))) for x in state.values())


@pytest.mark.parametrize("name", ["neo-hookean", "mooney-rivlin", "finite plastic"])
def test_an_inverted_element_gives_no_stress(name):
    law = LAWS[name][0]
    stress, _ = eqx.filter_jit(law.respond)(jnp.diag(jnp.array([-1.0, 1.0, 1.0])), law.rest(), 0.0)
    assert bool(jnp.all(jnp.isnan(jnp.diagonal(stress))))


def test_a_step_without_time_is_elastic_for_a_law_that_takes_time():
    law = Viscoplastic(BULK, SHEAR, LINEAR, 1.0, 0.1, 4.0)
    strain = 0.01 * jnp.arange(6.0)
    stress, state = law.respond(strain, law.rest(), 0.0)
    np.testing.assert_allclose(stress, law.stiffness() @ strain, rtol=1e-14)
    assert float(state["accumulated plastic strain"]) == 0.0


@pytest.mark.parametrize("hardening", [LINEAR, VOCE], ids=["linear", "voce"])
@pytest.mark.parametrize("threads", [1, 2])
def test_compiled_loops_give_the_same_numbers_as_the_law(hardening, threads):
    law = J2Plasticity(BULK, SHEAR, hardening, 2.0)
    rng = np.random.default_rng(0)
    points = 1100  # two blocks and a bit
    before, after = 0.004 * rng.standard_normal((2, points, 6))
    after[7] = before[7] = 0.0  # a point at rest
    once = jax.jit(jax.vmap(lambda e, z: (*law.respond(e, z, 0.0), law.compact_tangent(e, z, 0.0))))
    rest = jax.tree.map(lambda x: jnp.broadcast_to(x, (points, *x.shape)), law.rest())
    _, state, _ = once(jnp.asarray(before), rest)
    stress, grown, (s, g, n) = once(jnp.asarray(after), state)
    plastic = np.array(state["plastic strain"]).T.copy()
    accumulated = np.array(state["accumulated plastic strain"])
    rows = np.ascontiguousarray(after.T)
    found = return_points(kernel_parameters(law), rows, plastic, accumulated, threads=threads)
    # 1e-13 of the largest value: some ten operations in another order.
    wanted = (stress.T, grown["plastic strain"].T, grown["accumulated plastic strain"], s, g, n.T)
    for seen, right in zip(found, wanted, strict=True):
        np.testing.assert_allclose(seen, right, atol=1e-13 * float(jnp.max(jnp.abs(right))))
    assert 0.2 < np.mean(found.accumulated > accumulated) < 1.0
    # Without a tangent, and onto the memory of the state itself: a trial that is taken at once.
    bare = empty_answers(points, tangent=False)._replace(plastic=plastic, accumulated=accumulated)
    again = return_points(kernel_parameters(law), rows, plastic, accumulated, tangent=False, out=bare)
    np.testing.assert_array_equal(again.stress, found.stress)
    np.testing.assert_array_equal(again.plastic, found.plastic)


def test_compiled_steps_of_any_size_end_in_their_root():
    # Just beyond yield a step is smaller than the stresses' roundings by the stiffness.
    law, draw = J2Plasticity(BULK, SHEAR, VOCE), np.random.default_rng(0)
    before = draw.uniform(0, 0.05, 2000)
    limit = np.asarray(jax.vmap(VOCE.stress)(jnp.asarray(before)))
    trial = limit * (1 + 10.0 ** draw.uniform(-16, 1, 2000))
    strain = np.zeros((6, 2000))
    strain[5] = trial / (2 * SHEAR * 1.5**0.5)
    found = return_points(kernel_parameters(law), strain, np.zeros((6, 2000)), before)
    after = np.asarray(jax.vmap(VOCE.stress)(jnp.asarray(found.accumulated)))
    left = np.sqrt(1.5) * found.stress[5] - after
    assert np.abs(left / trial).max() < 2e-15  # some ten roundings


def test_compiled_loops_know_what_they_do_not_know():
    assert kernel_parameters(LAWS["viscoplastic"][0]) is None
    assert kernel_parameters(MORE_LAWS["swift"][0]) is None
