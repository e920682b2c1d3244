"""Strains, forces and products of stored tangents at points, against the elastic kernels of corner modes."""

import numpy as np
import pytest

from scalebridge.grids.elastic_hexahedra import ElasticKernels, elastic_table, isotropic_stiffness
from scalebridge.grids.implicit_average import ImplicitAverage
from scalebridge.grids.point_layout import point_layout
from scalebridge.grids.point_operators import PointOperators, StoredTangent, entry_places, packed

ROUNDING = 1e-13  # of sums of some hundred numbers
BULK, SHEAR = np.array([62.5, 222.0]), np.array([28.8, 166.0])
SPACING = (0.1, 0.2, 0.15)
SEVERAL = (2, 5, 17)  # its planes are cut into two stretches, in the middle of a row of voxels
STRIPS = (2, 31, 17)  # and those of compact tangents into two strips, of 16 and of 15 rows


def _case(shape: tuple[int, int, int], owners: list[bool]):
    random = np.random.default_rng(3)
    index = random.integers(0, 2, shape)
    stiffness = isotropic_stiffness(BULK - 2 * SHEAR / 3, SHEAR)
    kernels = ElasticKernels(shape, SPACING)
    u, load = random.normal(size=kernels.nodes), random.normal(size=6)
    forces = np.empty_like(u)
    _, mean = kernels.product(elastic_table(stiffness, index, "full"), u, load, forces)
    operators = PointOperators(point_layout(index, 2, owners), SPACING, 6)
    return operators, stiffness, u, load, forces, mean


def _flat(operators: PointOperators, numbers: np.ndarray) -> np.ndarray:
    layout, size = operators.layout, numbers.shape[1]
    flat = np.empty(size * layout.points)
    for phase in range(len(numbers)):
        if layout.size(phase):
            layout.block(flat, phase, size)[:] = numbers[phase][:, None]
    return flat


@pytest.mark.parametrize("shape", [(3, 4, 5), (4, 1, 3), (2, 3, 1), SEVERAL])
@pytest.mark.parametrize("owners", [[True, False], [True, True], [False, False]])
def test_forces_are_those_of_corner_modes(shape: tuple[int, int, int], owners: list[bool]):
    operators, stiffness, u, load, wanted, mean = _case(shape, owners)
    layout = operators.layout
    strains = operators.strains(u, load)
    stress = np.empty_like(strains)
    for phase in range(2):
        if layout.size(phase):
            layout.block(stress, phase, 6)[:] = stiffness[phase] @ layout.block(strains, phase, 6)
    out = np.empty_like(u)
    table = np.ascontiguousarray(stiffness[:, *np.triu_indices(6)])
    found, _ = operators.forces(u, load, stress, table, out)
    assert np.abs(out - wanted).max() <= ROUNDING * np.abs(wanted).max()
    assert np.abs(found - mean).max() <= ROUNDING * np.abs(mean).max()


@pytest.mark.parametrize("kind", ["compact", "symmetric", "whole"])
@pytest.mark.parametrize("owners", [[True, False], [True, True]])
@pytest.mark.parametrize("shape", [(3, 4, 5), (1, 1, 2), SEVERAL, STRIPS])
def test_products_are_those_of_corner_modes(kind: str, owners: list[bool], shape: tuple[int, int, int]):
    operators, stiffness, u, load, wanted, mean = _case(shape, owners)
    if kind == "compact":
        numbers = np.zeros((2, 8))
        numbers[:, 0] = 2 * SHEAR
        tangent = StoredTangent(_flat(operators, numbers), numbers, None, BULK)
    else:
        numbers = np.ascontiguousarray(packed(np.moveaxis(stiffness, 0, -1), kind == "symmetric").T)
        tangent = StoredTangent(_flat(operators, numbers), numbers, entry_places(6, kind == "symmetric"))
    fields, out = np.stack([0 * u, u]), np.empty((2, *u.shape))
    means = operators.products(tangent, fields, np.stack([0 * load, load]), out)
    assert np.abs(out[1] - wanted).max() <= ROUNDING * np.abs(wanted).max()
    assert np.abs(means[1] - mean).max() <= ROUNDING * np.abs(mean).max()
    assert np.abs(out[0]).max() == 0.0


def _compact_case(shape: tuple[int, int, int]):
    """Compact tangents that differ from point to point, as they are, and whole."""
    random = np.random.default_rng(11)
    operators = PointOperators(point_layout(random.integers(0, 2, shape), 2, [True, True]), SPACING, 6)
    layout, ones = operators.layout, np.r_[1.0, 1.0, 1.0, 0.0, 0.0, 0.0]
    deviator = np.eye(6) - np.outer(ones, ones) / 3
    compact, whole = np.empty(8 * layout.points), np.empty(36 * layout.points)
    for phase in range(2):
        s, g, *n = random.normal(size=(8, layout.size(phase)))
        n = np.stack(n)  # Mandel
        layout.block(compact, phase, 8)[:] = np.stack([s, g, *n[:3], *(n[3:] / np.sqrt(2))])
        tangents = (
            BULK[phase] * np.outer(ones, ones)[..., None]
            + s * deviator[..., None]
            + g * n[:, None] * n[None, :]
        )
        layout.block(whole, phase, 36)[:] = packed(tangents, False)
    return (
        operators,
        StoredTangent(compact, np.zeros((2, 8)), None, BULK),
        StoredTangent(whole, np.zeros((2, 36)), entry_places(6, False)),
    )


@pytest.mark.parametrize(("dtype", "rounding"), [(np.float64, ROUNDING), (np.float32, 1e-5)])  # 100 eps
def test_compact_tangents_of_each_point_are_the_same_kept_whole(dtype: type, rounding: float):
    operators, compact, whole = _compact_case(STRIPS)
    random = np.random.default_rng(13)
    u, loads = random.normal(size=(3, *operators.nodes)), random.normal(size=(3, 6))
    wanted, found = np.empty_like(u), np.empty(u.shape, dtype)
    means = operators.products(whole, u, loads, wanted)
    narrow = operators.products(compact.astype(np.dtype(dtype)), u.astype(dtype), loads, found)
    assert np.abs(found - wanted).max() <= rounding * np.abs(wanted).max()
    assert np.abs(narrow - means).max() <= rounding * np.abs(means).max()


def test_fields_together_have_the_bits_of_each_alone():
    operators, compact, _ = _compact_case(SEVERAL)
    u = np.random.default_rng(17).normal(size=(2, *operators.nodes))
    both, alone = np.empty_like(u), np.empty_like(u[:1])
    operators.products(compact, u, None, both)
    operators.products(compact, u[1:], None, alone)
    assert both[1:].tobytes() == alone.tobytes()


def test_the_transpose_of_a_stored_tangent_is_its_transpose():
    random = np.random.default_rng(5)
    operators = PointOperators(point_layout(np.zeros((2, 3, 4), int), 1, [True]), SPACING, 9)
    tangents = random.normal(size=(9, 9, operators.layout.points))
    stored = StoredTangent(packed(tangents, False).reshape(-1), np.zeros((1, 81)), entry_places(9, False))
    a, b = random.normal(size=(2, 1, *operators.nodes))
    there, back = np.empty_like(a), np.empty_like(a)
    operators.products(stored, a, None, there)
    operators.products(stored.transposed(), b, None, back)
    assert np.vdot(b, there) == pytest.approx(np.vdot(a, back), rel=1e-12)


def test_an_average_keeps_constants_and_spreads_a_spike_by_its_length():
    index = np.zeros((1, 1, 400), int)
    index[..., 390:] = 1
    layout = point_layout(index, 2, [True, True])
    average = ImplicitAverage(layout, (1.0, 1.0, 1.0), 20.0, [0])
    flat = average.average({0: np.ones(layout.size(0))})[0]
    assert np.abs(flat - 1).max() <= 1e-12
    whole = ImplicitAverage(layout, (1.0, 1.0, 1.0), 20.0, [0, 1])
    spike = np.zeros((8, 390))
    spike[:, 200] = 1.0
    found = whole.average({0: spike.reshape(-1), 1: np.zeros(layout.size(1))})[0][:390]
    # 1 - 2 (cosh q - 1) l^2 = 0 is the decay of second differences
    decay = np.arccosh(1 + 0.5 / 20.0**2)
    assert found[230] / found[220] == pytest.approx(np.exp(-10 * decay), rel=1e-3)  # periodic images: e^-9


def test_the_transpose_of_an_average_is_its_transpose():
    random = np.random.default_rng(7)
    index = random.integers(0, 2, (3, 4, 5))
    layout = point_layout(index, 2, [True, True])
    average = ImplicitAverage(layout, SPACING, 0.2, [1])
    a, b = random.normal(size=(2, layout.size(1)))
    there = average.average({1: a})[1]
    back = average.average({1: b}, transposed=True)[1]
    assert b @ there == pytest.approx(a @ back, rel=1e-12)
