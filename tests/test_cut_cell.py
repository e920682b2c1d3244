"""Walls that cut voxels: exact channels and pipes, cylinders with slip, and what the system has to be."""

import csv
import math
from pathlib import Path

import numpy as np
import pytest
from scipy.sparse import bmat, eye_array
from scipy.sparse.linalg import splu

from scalebridge.core.errors import ImageError, InputError
from scalebridge.grids.cut_kernels import cut_boxes
from scalebridge.grids.cut_recession import recession_slope
from scalebridge.grids.cut_system import CutCell
from scalebridge.grids.pore_shapes import AroundBalls, Channel, Duct, Pipe, cylinder_array

REFERENCE = Path(__file__).parent / "reference" / "cylinder_square_transverse_slip_computed.csv"
with REFERENCE.open(encoding="utf-8") as lines:
    CYLINDERS = {
        (row["solid_fraction"], row["slip_length_over_radius"]): (
            float(row["k_over_L2"]),
            float(row["dk_dlambda_over_L"]),
        )
        for row in csv.DictReader(lines)
        if row["array"] == "sq"
    }


def solved(system):
    """Velocities and pressures of every load, cases first, by a direct solve."""
    size, cells = system.viscous.shape[0], system.cells.size
    # The pressure is free by a constant: a share of 1e-11 of a mass settles it and is far below 1e-8.
    mass = 1e-11 * system.volume / size
    matrix = bmat(
        [[system.viscous, -system.divergence.T], [-system.divergence, -mass * eye_array(cells)]], format="csc"
    )
    right = np.zeros((size + cells, system.dim))
    right[:size] = system.loads.T
    found = splu(matrix).solve(right).T
    return found[:, :size], found[:, size:]


def tensors(system):
    """Permeability, dissipation and slope by the slip length."""
    x, _ = solved(system)
    forms = system.loads @ x.T, x @ (system.viscous @ x.T), x @ (system.slip_slope @ x.T)
    return [form / system.volume for form in forms]


def disc(share=0.3, off=(0.013, -0.007)):
    return AroundBalls([[0.5 + off[0], 0.5 + off[1]]], [math.sqrt(share / math.pi)], (1.0, 1.0))


# ------------------------------------------------------------------------------------------- the cut boxes


@pytest.mark.parametrize("dim", [1, 2, 3])
def test_cut_boxes_agree_with_counted_points(dim):
    random = np.random.default_rng(dim)
    sizes = np.array([1.0, 0.7, 1.3])[:dim]
    normals = random.normal(size=(12, dim))
    normals /= np.linalg.norm(normals, axis=1)[:, None]
    distances = random.uniform(-0.4, 0.4, 12)
    cuts = np.empty((12, 2 + dim))
    cut_boxes(0, 12, 0, distances, normals, sizes, cuts)
    points = (random.random((200_000, dim)) - 0.5) * sizes
    for distance, normal, cut in zip(distances, normals, cuts, strict=True):
        height = distance + points @ normal
        assert cut[0] == pytest.approx((height > 0).mean(), abs=5e-3)  # 4 deviations of so many points
        near = np.abs(height) < 0.02
        if 0.02 < cut[0] < 0.98:
            assert cut[1] == pytest.approx(near.mean() / 0.04, abs=0.1)
            np.testing.assert_allclose(points[near].mean(axis=0), cut[2:], atol=0.03)


def test_a_plane_wall_is_measured_exactly():
    for across in ((0, 1), (1, 1), (1, 2)):
        geometry = Channel(0.3, (1.0, 1.0), across)
        cell = CutCell(geometry, (11, 9))
        # Voxels with a share below 1e-6 count as empty, and with them up to 1e-3 of a voxel's edge of wall.
        assert cell.porosity == pytest.approx(0.3 / geometry.period, rel=1e-6)
        assert cell.wall_area == pytest.approx(2 / geometry.period, rel=1e-4)


@pytest.mark.parametrize("dim", [2, 3])
def test_round_walls_are_measured_to_second_order(dim):
    radius, errors = 0.3, []
    geometry = AroundBalls([[0.51, 0.49, 0.52][:dim]], [radius], (1.0,) * dim)
    solid = math.pi * radius**2 if dim == 2 else 4 / 3 * math.pi * radius**3
    wall = solid * dim / radius
    for count in (12, 24):
        cell = CutCell(geometry, count)
        errors.append(1 - (1 - cell.porosity) / solid)
        assert cell.wall_area == pytest.approx(wall, rel=0.6 / count)
    # A tangent plane lies outside a ball by a part of (voxel / radius)^2.
    assert abs(errors[1]) < abs(errors[0]) / 3 < 0.02


# ------------------------------------------------------------------------------------------- exact answers


@pytest.mark.parametrize("slip", [0.0, 0.05, 1.0])
def test_an_aligned_channel_is_of_second_order_in_slip_and_its_slope_exact(slip):
    errors = []
    for count in (8, 16, 32):
        value, _, slope = tensors(CutCell(Channel(0.5, (1.0, 1.0), (0, 1)), (2, count)).system(slip))
        errors.append(value[0, 0] / (0.5**3 / 12 * (1 + 12 * slip)) - 1)
        assert slope[0, 0] == pytest.approx(0.5**2 / 2, rel=1e-6)
    # (H^2 + 2) / 12 of a staggered grid, as far as the penalty on second differences leaves it
    assert errors[0] > 3.5 * errors[1] > 3.5**2 * errors[2] > 0


@pytest.mark.parametrize("across", [(1, 1), (1, 2)])
@pytest.mark.parametrize("slip", [0.0, 0.1, 1.0])
def test_an_oblique_slit_with_slip_converges_to_the_exact_value(across, slip):
    geometry = Channel(0.2, (1.0, 1.0), across)
    along = np.array([-geometry.direction[1], geometry.direction[0]])
    exact = 0.2**3 / 12 * (1 + 6 * slip / 0.2) / geometry.period
    errors = []
    for count in (16, 32, 64):
        value, _, slope = tensors(CutCell(geometry, count).system(slip))
        errors.append(abs(along @ value @ along / exact - 1))
    assert errors[2] < errors[0] / 6  # second order would be 16, first order 4
    assert errors[2] < 0.012
    # Nothing flows across, but for voxels that share a pressure at places that differ.
    assert np.abs(value @ geometry.direction).max() < 5e-3 * exact
    assert along @ slope @ along == pytest.approx(0.2**2 / 2 / 0.2 * 0.2 / geometry.period, rel=5e-3)


@pytest.mark.parametrize("slip", [0.0, 0.1, 1.0])
def test_a_pipe_is_of_second_order(slip):
    radius, errors = 0.4, []
    exact = radius**2 / 8 * (1 + 4 * slip / radius) * math.pi * radius**2
    for count in (32, 64) if slip == 0.0 else (16, 32):  # without slip 0.4 % at 16 and 0.3 % at 32
        value = tensors(CutCell(Pipe(radius, (1.0, 1.0, 2 / count), 2), (count, count, 2)).system(slip))[0]
        errors.append(abs(value[2, 2] / exact - 1))
    assert errors[1] < min(errors[0] / 3, 4e-3)


@pytest.mark.parametrize(
    ("slip", "exact", "most"),
    [(0.0, 0.05717041928, 0.05), (0.1, 0.09373920899, 0.027), (1.0, 0.4022186133, 0.0045)],
)
def test_a_duct_with_slip_is_of_second_order(slip, exact, most):
    # 2 x 1, tests/reference/exact_channel_pipe_duct_slip.csv; 4 and 8 voxels across.
    errors = []
    for count in (16, 32):
        geometry = Duct((0.5, 0.25), (1.0, 1.0, 2 / count), 2)
        cell = CutCell(geometry, (count, count, 2))
        assert cell.wall_area == pytest.approx(1.5 * 2 / count, rel=1e-6)  # its edges too
        value = tensors(cell.system(slip * 0.25))[0]
        errors.append(value[2, 2] / (exact * 0.25**2 * 0.125) - 1)
    assert 0 < errors[1] < errors[0] / 3.8
    assert errors[1] < most


def test_areas_close_the_fluid_of_voxels_that_two_walls_cut():
    """Walls between the voxels' faces, where parts of a voxel round the place of an edge."""
    cell = CutCell(Duct((0.45, 0.23), (1.0, 1.0, 2 / 16), 2), (16, 16, 2))
    assert cell.wall_area == pytest.approx(2 * (0.45 + 0.23) * 2 / 16, rel=5e-3)


@pytest.mark.parametrize("share", ["0.1", "0.3", "0.5"])
@pytest.mark.parametrize("slip", ["0.0", "0.1", "1.0", "inf"])
def test_cylinders_with_slip(share, slip):
    geometry = disc(float(share))
    exact, slope = CYLINDERS[share, slip]
    value, dissipated, found = tensors(CutCell(geometry, 48).system(float(slip) * geometry.radii[0]))
    assert value[0, 0] == pytest.approx(
        exact, rel=5e-3
    )  # the bar of 0.5 %, at 48 voxels without extrapolation
    assert found[0, 0] == pytest.approx(slope, rel=2e-2, abs=1e-12)
    np.testing.assert_allclose(dissipated, value, rtol=1e-8, atol=1e-8 * exact)


# -------------------------------------------------------------------------------------------- the structure


@pytest.mark.parametrize("slip", [0.0, 0.1, math.inf])
def test_the_system_is_symmetric_positive_definite_wherever_walls_cut(slip):
    lowest = []
    for off in (0.0, 1e-6, 0.003, 0.02):
        matrix = CutCell(disc(off=(off, off / 3)), 16).system(slip).viscous.toarray()
        np.testing.assert_allclose(matrix, matrix.T, atol=1e-12)
        values = np.linalg.eigvalsh(matrix)
        lowest.append(values[0] / values[-1])
    # No sliver of fluid makes it nearly singular: that of the uncut grid is about (pi / 16)^2 / 8 = 5e-3.
    assert min(lowest) > 5e-4


def test_permeability_is_symmetric_definite_monotone_and_concave_in_slip():
    cell = CutCell(disc(), 24)
    slips = np.array([0.0, 0.01, 0.05, 0.2, 1.0, 5.0])
    found = [tensors(cell.system(slip))[0] for slip in slips]
    for value in found:
        np.testing.assert_allclose(value, value.T, atol=1e-8 * value[0, 0])
        assert np.all(np.linalg.eigvalsh(value) > 0)
    rise = np.diff([value[0, 0] for value in found]) / np.diff(slips)
    assert np.all(rise > 0)
    assert np.all(np.diff(rise) < 0)


@pytest.mark.parametrize("slip", [0.02, 0.5])
def test_the_slope_by_slip_is_that_of_the_discretisation(slip):
    cell, step = CutCell(disc(), 24), 1e-4 * slip
    slope = tensors(cell.system(slip))[2]
    ends = [tensors(cell.system(slip + by))[0] for by in (step, -step)]
    np.testing.assert_allclose((ends[0] - ends[1])[0, 0] / (2 * step), slope[0, 0], rtol=1e-6)


def test_each_wall_has_its_slip_and_its_slope():
    cell = CutCell(Channel(0.5, (1.0, 1.0), (0, 1)), (2, 32))
    system = cell.system({0: 0.0, 1: math.inf})
    x, _ = solved(system)
    found = float((system.loads @ x.T)[0, 0]) / system.volume
    assert found == pytest.approx(0.5**3 / 3, rel=5e-3)  # half of a channel twice as wide
    lower = cell.slip_slope({0: 0.0, 1: math.inf}, label=0)
    assert x[0] @ (lower @ x[0]) == pytest.approx(x[0] @ (system.slip_slope @ x[0]), rel=1e-12)
    assert x[0] @ (lower @ x[0]) / system.volume == pytest.approx(0.5**2, rel=1e-4)  # the drag, squared


@pytest.mark.parametrize("slip", [0.0, 0.03, 0.3, math.inf])
def test_receding_walls(slip):
    def value(radius):
        return tensors(CutCell(AroundBalls([[0.513, 0.497]], [radius], (1.0, 1.0)), 40).system(slip))[0][0, 0]

    radius = math.sqrt(0.3 / math.pi)
    cell = CutCell(AroundBalls([[0.513, 0.497]], [radius], (1.0, 1.0)), 40)
    slope = recession_slope(cell, slip, *solved(cell.system(slip)))
    difference = (value(radius - 0.02) - value(radius + 0.02)) / 0.04  # within 0.5 % of the derivative
    assert slope[0, 0] == pytest.approx(difference, rel=0.08)  # seen: 6 % at 40 voxels, 2 % at 64
    if slip == 0.0:
        assert slope[0, 0] == pytest.approx(
            CYLINDERS["0.3", "0.0"][1], rel=0.08
        )  # seen: 6 % at 40 voxels, 2 % at 64


# -------------------------------------------------------------------------------------------- what is refused


def test_perfect_slip_along_a_free_direction_is_refused():
    with pytest.raises(InputError, match="nothing limits this flow"):
        CutCell(Channel(0.3, (1.0, 1.0), (1, 1)), 16).system(math.inf)


@pytest.mark.parametrize("slip", [-1.0, math.nan, "2", True, {0: 1.0}])
def test_impossible_slip_lengths_are_refused(slip):
    with pytest.raises(InputError, match="slip_length"):
        CutCell(Channel(0.5, (1.0, 1.0), (0, 1)), 8).system(slip)


def test_a_cell_without_walls_is_refused():
    with pytest.raises(ImageError, match="no wall"):
        CutCell(AroundBalls(np.empty((0, 2)), [], (1.0, 1.0)), 8)


def test_lattices_that_overlap_are_refused():
    with pytest.raises(ImageError, match="cylinders of this array touch"):
        cylinder_array("square", 0.8)
