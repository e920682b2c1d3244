"""jax.grad through permeability: by the slip length and by the voxel's edge, against differences."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import scalebridge as sb
from scalebridge.core.errors import InputError
from scalebridge.grids.pore_shapes import cylinder_array

TIGHT = {"rtol": 1e-14, "budget": "none", "progress": False}  # slopes err with its root: 1e-7


def channel():
    pores = np.zeros((4, 12), bool)
    pores[:, 2:10] = True
    return pores


def lumps():
    x = (np.indices((12, 12)) + 0.5) / 12 - 0.5
    return np.hypot(*x) > 0.3


def test_a_channel_by_slip_length_and_by_size():
    """(H^2 + 2)/12 + H s/2 voxels squared in two thirds of the cell; K = h^2 k(s/h)."""

    def answer(slip, edge):
        return sb.permeability(channel(), voxel=edge, slip_length=slip, **TIGHT).value[0, 0]

    slip, edge = 0.5e-6, 2e-6
    by_slip, by_size = jax.grad(answer, argnums=(0, 1))(slip, edge)
    assert by_slip == pytest.approx(8 / 2 * edge * 8 / 12, rel=1e-9)
    assert by_size == pytest.approx((2 * edge * 66 / 12 + 8 * slip / 2) * 8 / 12, rel=1e-9)
    told = sb.permeability(channel(), voxel="2 um", slip_length="0.5 um", **TIGHT).value[0, 0]
    assert jax.jit(answer)(slip, edge) == pytest.approx(told, rel=1e-12)


@pytest.mark.parametrize("slip", [0.2, 1.5])
def test_a_smooth_image_against_differences(slip):
    def answer(length):
        value = sb.permeability(lumps(), voxel="cubic", walls="smooth", slip_length=length, **TIGHT).value
        return value[0, 0] + 2 * value[0, 1]

    step = 1e-4 * slip
    central = (answer(slip + step) - answer(slip - step)) / (2 * step)
    # A central difference errs by step^2 K'''/6, 1e-8 of the slope, and by the solver's error over the step.
    assert jax.grad(answer)(slip) == pytest.approx(central, rel=1e-6)
    value, slope = jax.jvp(answer, (slip,), (2.0,))
    assert slope == pytest.approx(2 * central, rel=1e-6)
    assert value == pytest.approx(answer(slip), rel=1e-9)


def test_a_geometry_and_several_lengths():
    pores = cylinder_array("square", 0.2)

    def answer(length):
        return sb.permeability(pores, cells=12, slip_length=length, **TIGHT).value[0, 0]

    lengths = jnp.array([0.01, 0.1])
    values, slopes = jax.vmap(jax.value_and_grad(answer))(lengths)
    assert values[0] < values[1]
    assert slopes[0] > slopes[1] > 0
    step = 1e-6
    central = (answer(0.1 + step) - answer(0.1 - step)) / (2 * step)
    assert slopes[1] == pytest.approx(central, rel=1e-6)


def test_what_cannot_be_is_refused_before_the_solve():
    with pytest.raises(InputError, match="walls='smooth'"):
        jax.grad(lambda s: sb.permeability(lumps(), voxel="cubic", slip_length=s).value[0, 0])(0.1)
    with pytest.raises(InputError, match="cells=64"):
        jax.grad(lambda s: sb.permeability(cylinder_array("square", 0.2), slip_length=s).value[0, 0])(0.1)
    with pytest.raises(ValueError, match="callback"):
        jax.grad(jax.grad(lambda s: sb.permeability(channel(), voxel="cubic", slip_length=s).value[0, 0]))(
            0.1
        )
