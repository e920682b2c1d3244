"""Darcy's law through blocks against Stokes flow through all of them."""

import numpy as np
import pytest

from scalebridge.cells.permeability import permeability
from scalebridge.core.errors import ImageError, InputError
from scalebridge.structures.darcy_blocks import permeability_of_blocks


def disc(cells, share):
    """A cylinder of a given area in a square cell; True in the pores."""
    x = (np.indices((cells, cells)) + 0.5) / cells - 0.5
    return np.hypot(*x) > np.sqrt(share / np.pi)


CELL = disc(16, 0.3)


def test_cells_that_repeat_give_the_fine_flux():
    """Twice the cells along each axis are the same medium: nothing but the solvers' errors is left."""
    found = permeability_of_blocks(
        np.tile(CELL, (2, 2)), voxel="cubic", boundary="periodic", rtol=1e-8, agreement=1e-6
    )
    assert found.passed
    np.testing.assert_allclose(found.fine, permeability(CELL, voxel="cubic", rtol=1e-8).value, atol=1e-6)
    assert found.blocks.shape == (2, 2, 2, 2)


def test_cells_whose_middles_are_planes_of_symmetry_give_it_mirrored_too():
    found = permeability_of_blocks(np.tile(CELL, (2, 2)), voxel="cubic", rtol=1e-8, agreement=1e-6)
    assert found.passed


def layers(cells_each):
    """Wide and narrow gaps in series along x, so many cells of each."""
    return np.concatenate([np.tile(disc(16, share), (cells_each, 1)) for share in (0.1, 0.4)])


@pytest.mark.slow
def test_the_fluxes_close_in_as_the_cells_grow_small_against_the_layers():
    """Flow has to find its way where layers meet, which costs less the fewer of such places there are."""
    gaps = []
    for each in (1, 2, 4):
        found = permeability_of_blocks(
            layers(each), (2 * each, 1), voxel="cubic", boundary="periodic", rtol=1e-7
        )
        gaps.append(abs(found.ratios[0] - 1))
    assert gaps[0] > gaps[1] > gaps[2]
    assert gaps[2] == pytest.approx(gaps[1] / 2, rel=0.2)  # two places of meeting, whatever the thickness


def test_a_wrong_block_is_noticed():
    """A block with a wall across it carries nothing, and neither does the row; the check says so."""
    image = np.tile(CELL, (2, 2))
    image[8, :16] = False
    found = permeability_of_blocks(image, voxel="cubic", boundary="periodic")
    assert found.blocks[0, 0, 0, 0] == 0.0
    assert np.isnan(found.ratios).sum() == 0


def test_blocks_without_walls_are_refused():
    image = np.tile(CELL, (2, 2))
    image[:16, :16] = True
    with pytest.raises(InputError, match="1 blocks without any solid"):
        permeability_of_blocks(image, voxel="cubic")


def test_blocks_without_paths_are_counted():
    image = np.tile(CELL, (2, 2))
    image[:16, :16] = False
    image[4, 4] = True
    found = permeability_of_blocks(image, voxel="3 um")
    assert found.closed == 1
    np.testing.assert_array_equal(found.blocks[:, :, 0, 0], 0.0)
    assert found.blocks.max() < 1e-9  # m^2: cells of 48 um


@pytest.mark.parametrize(
    ("change", "error", "says"),
    [
        ({"blocks": 3}, InputError, "divide"),
        ({"blocks": 1}, InputError, "two blocks"),
        ({"blocks": (2,)}, InputError, "2 whole numbers"),
        ({"blocks": 16}, InputError, "two voxels"),
        ({"boundary": "sealed"}, InputError, "mirrored"),
        ({"agreement": 2}, InputError, "share"),
        ({"voxel": None}, ImageError, "area"),
    ],
)
def test_refusals(change, error, says):
    with pytest.raises(error, match=says):
        permeability_of_blocks(CELL, **{"blocks": 2, "voxel": "cubic"} | change)
