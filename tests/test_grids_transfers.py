import jax
import jax.numpy as jnp
import numpy as np
import pytest

from scalebridge.core.errors import ImageError
from scalebridge.grids.image import VoxelImage
from scalebridge.grids.operations import refine
from scalebridge.grids.transfers import BlockAverage
from scalebridge.testing import check_transfer


@pytest.mark.parametrize(
    "transfer",
    [
        BlockAverage((6, 4), (2, 4)),
        BlockAverage((4, 6, 2), (2, 3, 1), components=(3,)),
        BlockAverage((4, 4, 4), (4, 4, 4), components=(2, 3), voxel=(1e-6, 2e-6, 3e-6)),
    ],
)
def test_block_average_keeps_the_contract(transfer):
    check_transfer(transfer)


def test_block_average_is_the_mean_of_each_block_of_each_component():
    transfer = BlockAverage((4, 6), (2, 3), components=(2,))
    fine = np.random.default_rng(0).standard_normal((2, 4, 6))
    coarse = np.array(transfer.restrict(jnp.asarray(fine)))
    assert transfer.coarse_shape == coarse.shape == (2, 2, 2)
    np.testing.assert_allclose(coarse[1, 0, 1], fine[1, :2, 3:].mean(), rtol=1e-14)
    np.testing.assert_allclose(coarse.mean(axis=(1, 2)), fine.mean(axis=(1, 2)), atol=1e-15)


def test_prolonging_labels_refines_the_image():
    image = VoxelImage(np.arange(6).reshape(2, 3))
    down = BlockAverage((4, 9), (2, 3)).prolong(jnp.asarray(image.labels, dtype=float))
    assert np.array_equal(np.array(down), refine(image, (2, 3)).labels)


def test_inner_products_are_volume_integrals():
    transfer = BlockAverage((4, 2), (2, 2), voxel=(0.5, 3.0))
    ones = jnp.ones((4, 2))
    assert float(transfer.inner_fine(ones, ones)) == pytest.approx(12.0, rel=1e-15)
    assert float(transfer.inner_coarse(transfer.restrict(ones), transfer.restrict(ones))) == pytest.approx(
        12.0
    )


def test_block_average_is_linear_under_jit_and_grad():
    transfer = BlockAverage((4, 4), (2, 2))
    fine = jnp.arange(16.0).reshape(4, 4)
    slope = jax.jit(jax.grad(lambda field: transfer.restrict(field)[0, 0]))(fine)
    expected = np.zeros((4, 4))
    expected[:2, :2] = 0.25
    assert np.array_equal(np.array(slope), expected)


@pytest.mark.parametrize(
    ("make", "argument"),
    [
        (lambda: BlockAverage((5, 4), (2, 2)), "factor"),
        (lambda: BlockAverage((4, 4), (2,)), "factor"),
        (lambda: BlockAverage((4, 4), (0, 2)), "factor"),
        (lambda: BlockAverage((4, 4), (2, 2), voxel=(1.0,)), "voxel"),
        (lambda: BlockAverage((4, 4), (2, 2), voxel=(1.0, -1.0)), "voxel"),
    ],
)
def test_blocks_that_do_not_fit_are_refused(make, argument):
    with pytest.raises(ImageError) as caught:
        make()
    assert caught.value.argument == argument
