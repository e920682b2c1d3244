"""A mirrored cell solved on its sample alone: what its reflections together give, at 1/2^dim of the size."""

import numpy as np
import pytest
from scipy import ndimage

import scalebridge as sb
from scalebridge.cells.smooth_walls import geometry_permeability, slip_curve
from scalebridge.core.errors import ImageError, InputError
from scalebridge.grids.cut_fields import voxel_pressures, voxel_velocities
from scalebridge.grids.cut_recession import recession_slope
from scalebridge.grids.cut_system import CutCell
from scalebridge.grids.image_walls import ImagePores
from scalebridge.grids.pore_shapes import Channel, cylinder_array
from scalebridge.grids.staggered import assemble_staggered
from test_cut_cell import solved

ROUNDING = 1e-8  # of direct solves in which a share of 1e-11 of a mass settles pressures; 3e-10 was seen


def pores(shape, share, seed=3, width=1.6):
    noise = np.random.default_rng(seed).standard_normal(shape)
    field = ndimage.gaussian_filter(noise, width, mode="reflect")
    return field > np.quantile(field, share)


def both(image, labels=None, spacing=None):
    """The sample and the whole reflected cell."""
    dim = image.ndim
    walls = ImagePores(image, spacing or (1.0,) * dim, mirrored=tuple(range(dim)), labels=labels)
    return CutCell(walls, image.shape, mirrored=True), CutCell(walls, [2 * n for n in image.shape])


@pytest.mark.parametrize(
    ("shape", "share", "slip"), [((14, 17), 0.4, 0.0), ((14, 17), 0.4, 0.3), ((5, 4, 5), 0.5, 0.2)]
)
def test_the_sample_gives_what_its_reflections_give(shape, share, slip):
    half, whole = both(pores(shape, share), spacing=(1.0, 0.8, 1.1)[: len(shape)])
    full = whole.system(slip)
    x, p = solved(full)
    everywhere = list(range(len(shape)))
    receding = recession_slope(whole, slip, x, p)
    flows = voxel_velocities(whole, x, p, everywhere)[(..., *(slice(n) for n in shape))]
    assert half.porosity == pytest.approx(whole.porosity, rel=1e-12)
    assert half.isolated == pytest.approx(whole.isolated, abs=1e-12)
    assert half.axes
    for axis in half.axes:
        system = half.system(slip, axis)
        own, heads = (part[axis] for part in solved(system))
        value = (system.loads @ own)[axis] / system.volume
        assert value == pytest.approx((full.loads @ x[axis])[axis] / full.volume, rel=ROUNDING)
        drag = own @ (system.slip_slope @ own) / system.volume
        assert drag == pytest.approx(x[axis] @ (full.slip_slope @ x[axis]) / full.volume, rel=ROUNDING)
        found = recession_slope(half, slip, [own], [heads], [axis])[0, 0]
        assert found == pytest.approx(receding[axis, axis], rel=1e-7)  # with pressures, of 1e-11 masses
        flow = voxel_velocities(half, [own], [heads], [axis])[0]
        np.testing.assert_allclose(flow, flows[axis], atol=ROUNDING * np.abs(flows).max())
        assert voxel_pressures(half, [own], [heads], [axis]).shape == (1, *shape)
        # A plane of n faces more along the load, and none across: 2^dim fewer up to the planes.
        planes = 1 + len(shape) / min(shape)
        assert system.loads.shape[1] <= full.loads.shape[1] / 2 ** len(shape) * planes
        difference = system.viscous - system.viscous.T
        assert abs(difference).max() < 1e-12 * abs(system.viscous).max()


def test_where_nothing_leads_through_the_answer_is_exactly_zero():
    image = np.zeros((12, 12), bool)
    image[3:9] = True  # a slit along y
    walls = ImagePores(image, (1.0, 1.0), mirrored=(0, 1), keep_volume=False)
    options = {"slip_lengths": (0.0, 0.5), "halved": False, "fields": True}
    found = geometry_permeability(walls, 12, mirrored=True, **options)
    assert found.value[0, 0] == found.derivatives["slip length"][0, 0] == 0.0
    # Of a slit, H^3 / 12 in a cell of 12 by 12; walls six voxels apart, smoothed, are met to some per cent.
    assert found.value[1, 1] == pytest.approx(6**3 / 12 / 12, rel=0.08)
    assert set(found.fields) == {"velocity_y", "pressure_y"}
    assert found.passed, str(found)


def test_solids_slip_each_by_its_own_length():
    image = pores((12, 12), 0.4)
    labels = np.where(image, -(2**62), 1 + (np.arange(12)[:, None] > 5))
    half, whole = both(image, labels)
    slips = {1: 0.0, 2: 2.0}
    full = whole.system(slips)
    (axis,) = half.axes[:1]
    system = half.system(slips, axis)
    x, own = solved(full)[0][axis], solved(system)[0][axis]
    assert (system.loads @ own)[axis] / system.volume == pytest.approx(
        (full.loads @ x)[axis] / full.volume, rel=1e-3
    )  # of two voxels that are equally near the labels' choice is not mirrored
    one = half.slip_slope(slips, 1, axis)
    assert own @ (one @ own) + own @ (half.slip_slope(slips, 2, axis) @ own) == pytest.approx(
        own @ (system.slip_slope @ own), rel=1e-12
    )


def test_a_shape_with_planes_of_symmetry():
    """The same disc, by a quarter of it; ties between equal neighbours fall alike in all quarters."""
    disc = cylinder_array("square", 0.3)
    options = {"slip_length": 0.05, "halved": False, "rtol": 1e-10}
    quarter = geometry_permeability(disc, 12, mirrored=True, **options)
    whole = geometry_permeability(disc, 24, **options)
    np.testing.assert_allclose(quarter.value, whole.value, atol=1e-4 * whole.value[0, 0])
    values, slopes = slip_curve(disc, 12, [0.0, 0.05], mirrored=True, rtol=1e-10)
    np.testing.assert_allclose(values[1], quarter.value, rtol=1e-8)
    assert values[0, 0, 0] + 0.05 * slopes[0, 0, 0] > values[1, 0, 0]  # concave


def test_voxel_walls_are_solved_on_the_sample_alone_too():
    image = pores((7, 6, 5), 0.4)
    reflected = np.pad(image, [(0, n) for n in image.shape], mode="symmetric")
    options = {"voxel": "cubic", "rtol": 1e-10, "budget": "none", "progress": False}
    alone = sb.permeability(image, boundary="mirrored", **options)
    whole = sb.permeability(reflected, **options)
    np.testing.assert_allclose(alone.value, whole.value, atol=1e-8 * whole.value.max())
    unknowns = assemble_staggered(image, (1.0,) * 3, ("open", "symmetric", "symmetric")).loads.shape[1]
    assert unknowns < 1.15 * assemble_staggered(reflected, (1.0,) * 3).loads.shape[1] / 8


def test_what_cannot_be_mirrored_is_refused():
    image = np.zeros((8, 8), bool)
    image[2:6, 2:6] = True  # leads nowhere
    with pytest.raises(ImageError, match="lead nowhere"):
        CutCell(ImagePores(image, (1.0, 1.0), mirrored=(0, 1)), 8, mirrored=True)
    slit = Channel(0.25, (1.0, 1.0), (0, 1))
    with pytest.raises(InputError, match="leave a direction free"):
        CutCell(slit, 8, mirrored=True).system(np.inf, 0)
