"""The one unknown of a point's step is found however it is compiled, and derivatives at rest are finite."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from path_law_samples import LAWS, MORE_LAWS
from scalebridge.laws.hardening import VoceHardening
from scalebridge.laws.radial_return import plastic_step


@pytest.mark.parametrize("plainly", [pytest.param(False, marks=pytest.mark.slow), True])
def test_steps_of_any_size_end_in_their_root_whether_or_not_the_compiler_rounds_each_use_alike(plainly):
    # Compiled plainly, uses of one value are worked out apart, with and without fused products: the search
    # once saw the root in one of them and went on in another, for ever.
    law, draw = VoceHardening(0.1, 0.05, 80.0, 0.2), np.random.default_rng(0)
    before = jnp.asarray(draw.uniform(0, 0.05, 2000))
    limit = jax.vmap(law.stress)(before)
    trial = limit * (1 + 10.0 ** draw.uniform(-12, 1, 2000))
    find = jax.jit(jax.vmap(lambda t, b: plastic_step(law, t, b, jnp.asarray(86.5))))
    options = {"xla_backend_optimization_level": 0, "xla_llvm_disable_expensive_passes": True}
    step = find.lower(trial, before).compile(compiler_options=options if plainly else {})(trial, before)
    left = trial - 86.5 * step - jax.vmap(law.stress)(before + step)
    assert np.abs(np.asarray(left / trial)).max() < 1e-15  # a few roundings


@pytest.mark.slow
@pytest.mark.parametrize("name", LAWS | MORE_LAWS)
def test_derivatives_at_rest_are_those_of_the_elastic_law(name):
    law, _, options = (LAWS | MORE_LAWS)[name]
    strain = jnp.eye(3) if law.finite else jnp.zeros(6)
    slopes = jax.jacfwd(lambda e: law.respond(e, law.rest(), options.get("dt", 0.0))[0])(strain)
    states = jax.jacfwd(lambda e: law.respond(e, law.rest(), options.get("dt", 0.0))[1])(strain)
    assert all(bool(jnp.isfinite(x).all()) for x in jax.tree.leaves((slopes, states)))
    if not law.finite and name != "maxwell":  # which is stiffer in a step of no time
        np.testing.assert_allclose(slopes, law.stiffness(), rtol=1e-12, atol=1e-12 * 300)  # of the moduli
