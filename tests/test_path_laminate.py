"""The laminate of laws with memory against an exact one, and as the law that it is."""

from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import scalebridge as sb
from path_law_samples import LAWS
from scalebridge.cells.laminate_elasticity import laminate_elasticity
from scalebridge.cells.path_laminate import PathLaminate
from scalebridge.laws.elastic import IsotropicElastic
from scalebridge.laws.hardening import LinearHardening
from scalebridge.laws.plastic import J2Plasticity
from scalebridge.testing import check_path_law

TABLE = Path(__file__).parent / "reference" / "laminate_j2_exact.csv"
ORDER = [0, 1, 2, 5, 4, 3]  # 11, 22, 33, 23, 13, 12 out of the table's 11, 22, 33, 12, 13, 23
ROOTS = np.array([1, 1, 1, 2**0.5, 2**0.5, 2**0.5])
SOFT, HARD = J2Plasticity(62.5, 28.8462, LinearHardening(0.1, 0.5)), IsotropicElastic(222.222, 166.6667)


@pytest.mark.slow
def test_laminate_follows_the_exact_one_along_a_turning_path():
    law = PathLaminate([SOFT, HARD], [0.75, 0.25], [1.0, 0.0, 0.0])
    ask = eqx.filter_jit(lambda law, e, z: (*law.respond(e, z, 0.0), law.tangent(e, z, 0.0)))
    state = before = law.rest()
    for row in np.loadtxt(TABLE, delimiter=",", skiprows=1):
        strain = row[1:7][ORDER] / ROOTS
        stress, state, tangent = ask(law, jnp.asarray(strain), state)
        # 1e-10 and 1e-8 of moduli of 100 and stresses of 0.1; 1e-14 and 1e-12 are seen.
        np.testing.assert_allclose(stress, row[7:13][ORDER] * ROOTS, atol=1e-12)
        wanted = row[17:].reshape(6, 6)[np.ix_(ORDER, ORDER)] * np.outer(ROOTS, ROOTS)
        np.testing.assert_allclose(tangent, wanted, atol=1e-9)
        np.testing.assert_allclose(state["layer0/accumulated plastic strain"], row[13], atol=1e-14)
        before = state if row[0] == 15 else before
    # The effective stress by a parameter of one layer, through all that is implicit: Taylor's test.
    strain = jnp.asarray(np.array([0.003, -0.001, 0.0, 0.001, 0.0, 0.002]))

    def of(limit):
        layer = J2Plasticity(62.5, 28.8462, LinearHardening(limit, 0.5))
        return PathLaminate([layer, HARD], [0.75, 0.25], [1.0, 0.0, 0.0]).respond(strain, before, 0.0)[0]

    stress, slope = jax.jvp(of, (jnp.asarray(0.1),), (jnp.asarray(1.0),))
    errors = [float(jnp.linalg.norm(of(0.1 + h) - stress - h * slope)) for h in (0.02, 0.01)]
    assert np.log2(errors[0] / errors[1]) > 1.9


def test_elastic_layers_of_any_number_and_normal_are_the_linear_laminate():
    fractions, normal = [0.2, 0.5, 0.3], [1.0, -2.0, 0.5]
    layers = [IsotropicElastic(1.0, 0.75), IsotropicElastic(4.0, 3.0), IsotropicElastic(20.0, 1.0)]
    law = PathLaminate(layers, fractions, normal)
    stiffness, _ = laminate_elasticity(
        fractions, jnp.stack([x.stiffness() for x in layers]), np.zeros((3, 6)), normal
    )
    np.testing.assert_allclose(law.stiffness(), stiffness, rtol=1e-12, atol=1e-13)
    strain = jnp.arange(6.0)
    np.testing.assert_allclose(law.respond(strain, law.rest(), 0.0)[0], stiffness @ strain, rtol=1e-12)
    np.testing.assert_allclose(law.fractions @ law.layer_strains(strain, {}), strain, atol=1e-14)


@pytest.mark.slow
def test_a_laminate_keeps_the_contract_of_a_law():
    law = PathLaminate([SOFT, LAWS["plastic"][0], HARD], [0.5, 0.3, 0.2], [1.0, 1.0, 0.0])
    check_path_law(law, 0.01, isotropic=False)


def test_laminates_that_cannot_be_are_refused():
    with pytest.raises(sb.InputError, match="as many laws as fractions"):
        PathLaminate([SOFT], [0.5, 0.5], [1, 0, 0])
    with pytest.raises(sb.InputError, match="NeoHookean of finite strain"):
        PathLaminate([SOFT, LAWS["neo-hookean"][0]], [0.5, 0.5], [1, 0, 0])
    with pytest.raises(sb.InputError, match="fractions"):
        PathLaminate([SOFT, HARD], [0.5, 0.6], [1, 0, 0])
    with pytest.raises(sb.InputError, match="normal"):
        PathLaminate([SOFT, HARD], [0.5, 0.5], [0, 0, 0])
