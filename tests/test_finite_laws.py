"""Laws at finite strain against closed forms, and the matrix functions below them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.linalg import expm, logm
from scipy.spatial.transform import Rotation

from path_law_samples import BULK, LINEAR, SHEAR, YOUNG
from scalebridge.laws.finite_plastic import FinitePlasticity
from scalebridge.laws.hardening import LinearHardening
from scalebridge.laws.invariants import mandel, matrix, von_mises
from scalebridge.laws.mooney_rivlin import MooneyRivlin
from scalebridge.laws.neo_hookean import NeoHookean
from scalebridge.laws.plastic import J2Plasticity
from scalebridge.laws.spectral import matrix_exp, matrix_log, positive_part, principal
from scalebridge.testing import uniaxial_stress

VALUES = {
    "apart": (0.4, 1.3, 2.9),
    "two equal": (2.0, 2.0, 0.7),
    "all equal": (1.5, 1.5, 1.5),
    "nearly equal": (1.0, 1.0 + 1e-9, 1.0 - 3e-8),
    "close": (1.0, 1.003, 0.99),
    "far": (1e-3, 1.0, 1e3),
}


@pytest.mark.parametrize("name", VALUES)
def test_derivatives_of_exponential_and_logarithm_are_exact_where_stretches_meet(name):
    # The derivative in the direction E is the corner of f([[A, E], [0, A]]) (Mathias 1996).
    rng = np.random.default_rng(3)
    turn = Rotation.from_euler("xyz", [0.3, -1.1, 0.8]).as_matrix()
    along = rng.standard_normal((3, 3))
    along = along + along.T
    for function, known, values in (
        (matrix_log, logm, np.array(VALUES[name])),
        (matrix_exp, expm, np.log(VALUES[name])),
    ):
        square = (turn * values) @ turn.T
        found, slope = jax.jit(lambda a, e, f=function: jax.jvp(f, (a,), (e,)))(square, along)
        block = known(np.block([[square, along], [np.zeros((3, 3)), square]]))
        # SciPy's logarithm of a nearly defective block has some 1e-11; the far one is scaled by 1e3.
        np.testing.assert_allclose(found, block[:3, :3], atol=1e-11 * np.max(np.abs(block)))
        np.testing.assert_allclose(slope, block[:3, 3:], atol=1e-10 * np.max(np.abs(block)))


def test_exponential_undoes_the_logarithm_and_so_do_their_derivatives():
    rng = np.random.default_rng(5)
    for square in (np.eye(3), np.diag([2.0, 2.0, 0.5]), np.cov(rng.standard_normal((3, 9)))):
        there_and_back = jax.jacfwd(lambda t: mandel(matrix_exp(matrix_log(matrix(t)))))
        np.testing.assert_allclose(there_and_back(mandel(jnp.asarray(square))), np.eye(6), atol=1e-13)


def test_positive_part_at_and_between_coalescing_values():
    for values in ((1.0, 1.0, -2.0), (-1.0, -1.0, -1.0), (3.0, 1.0, 2.0)):
        square = jnp.diag(jnp.asarray(values))
        np.testing.assert_allclose(positive_part(square), np.maximum(square, 0.0), atol=1e-15)
        slope = jax.jacfwd(lambda t: mandel(positive_part(matrix(t))))(mandel(square))
        assert bool(jnp.all(jnp.isfinite(slope)))
        np.testing.assert_allclose(np.diag(slope)[:3], np.array(values) > 0)


def test_principal_values_of_a_batch_are_those_of_each():
    rng = np.random.default_rng(7)
    several = rng.standard_normal((20, 3, 3)) * 10.0 ** rng.uniform(-6, 6, (20, 1, 1))
    several = several + several.swapaxes(1, 2)
    values, axes = jax.jit(jax.vmap(principal))(several)
    exact = np.linalg.eigvalsh(several)
    np.testing.assert_allclose(np.sort(values, axis=1) / exact[:, -1:], exact / exact[:, -1:], atol=1e-14)
    np.testing.assert_allclose(axes @ axes.swapaxes(1, 2), np.broadcast_to(np.eye(3), (20, 3, 3)), atol=1e-14)


def test_pulled_neo_hookean_bar_in_closed_form():
    # Free sides: G (t^2 - 1) + L ln J = 0 with the side's stretch t, so that t gives all the others.
    lame = BULK - 2 * SHEAR / 3
    sides = np.array([0.97, 0.85, 0.7])
    volumes = np.exp(SHEAR * (1 - sides**2) / lame)
    stretches = volumes / sides**2
    exact = SHEAR * (stretches - 1 / stretches) + lame * np.log(volumes) / stretches
    np.testing.assert_allclose(uniaxial_stress(NeoHookean(BULK, SHEAR), stretches - 1), exact, rtol=1e-11)


def test_pulled_mooney_rivlin_bar_that_keeps_its_volume():
    # T = 2 (s - s^-2) (c1 + c2 / s) for an incompressible one (Rivlin); K is 1e7 times larger here.
    stretches = np.array([1.2, 1.6, 2.5])
    stress = uniaxial_stress(MooneyRivlin(1e7, 0.7, 0.3), stretches - 1)
    exact = 2 * (stretches - stretches**-2) * (0.7 + 0.3 / stretches)
    np.testing.assert_allclose(stress, exact, rtol=2e-6)


def test_sheared_hencky_material_in_closed_form():
    # tau12 = 2 G ln(s) 2 / sqrt(4 + g^2), tau11 = 2 G ln(s) g / sqrt(4 + g^2), s - 1/s = g.
    law = FinitePlasticity(BULK, SHEAR, LinearHardening(1e9))
    for gamma in (1e-3, 0.5, 3.0, 8.0):
        sheared = jnp.eye(3).at[0, 1].set(gamma)
        stress = law.respond(sheared, law.rest(), 0.0)[0] @ sheared.T
        root = np.sqrt(4 + gamma**2)
        size = 2 * SHEAR * np.log((gamma + root) / 2) / root
        exact = size * np.array([[gamma, 2, 0], [2, -gamma, 0], [0, 0, 0]])
        np.testing.assert_allclose(stress, exact, atol=1e-12 * SHEAR)


def test_plastic_bar_at_large_stretches_in_closed_form():
    # Kirchhoff's stress t = Y + H p, ln(stretch) = t / E + p, nominal stress t / stretch: in any step.
    stretches = np.array([1.1, 1.5, 3.0])
    stress = uniaxial_stress(FinitePlasticity(BULK, SHEAR, LINEAR), stretches - 1)
    kirchhoff = (0.3 + 5.0 * np.log(stretches)) / (1 + 5.0 / YOUNG)
    np.testing.assert_allclose(stress, kirchhoff / stretches, rtol=1e-10)


def test_large_simple_shear_of_a_perfectly_plastic_point():
    # The deviator ends at pure shear with the yield stress; elastic strains of Y / G tilt it by as much.
    law = FinitePlasticity(BULK, SHEAR, LinearHardening(0.006))

    def step(state, gamma):
        sheared = jnp.eye(3).at[0, 1].set(gamma)
        stress, state = law.respond(sheared, state, 0.0)
        return state, mandel(stress @ sheared.T)

    _, stresses = jax.jit(lambda g: jax.lax.scan(step, law.rest(), g))(jnp.linspace(0, 10.0, 2001)[1:])
    assert float(von_mises(stresses[-1])) == pytest.approx(0.006, rel=1e-10)
    assert float(stresses[-1, 5]) / 2**0.5 == pytest.approx(0.006 / 3**0.5, rel=1e-4)
    # No change of volume, but for the roundings of 2000 steps times the bulk modulus of 100.
    np.testing.assert_allclose(jnp.sum(stresses[:, :3], axis=1), 0.0, atol=2000 * BULK * 1e-14)


def test_small_strains_are_those_of_the_small_strain_law():
    # Relative difference of the order of the strains, 1e-6.
    hardening = LinearHardening(1e-5, 5.0)
    finite, small = FinitePlasticity(BULK, SHEAR, hardening), J2Plasticity(BULK, SHEAR, hardening)
    rng = np.random.default_rng(1)
    state, small_state = finite.rest(), small.rest()
    for _ in range(3):
        gradient = jnp.asarray(1e-6 * rng.standard_normal((3, 3)))
        stress, state = finite.respond(jnp.eye(3) + gradient, state, 0.0)
        wanted, small_state = small.respond(mandel(gradient), small_state, 0.0)
        np.testing.assert_allclose(mandel(stress), wanted, atol=1e-5 * float(jnp.max(jnp.abs(wanted))))
    assert float(small_state["accumulated plastic strain"]) > 1e-6
