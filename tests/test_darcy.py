"""Darcy flow through blocks: exact cases, variational limits, sensitivities, barriers, refusals."""

import math

import numpy as np
import pytest

from scalebridge.cells.laminate import laminate_conductivity
from scalebridge.core.errors import InputError, PhaseError, ResourceError, SolverError, UnitError
from scalebridge.core.units import DARCY
from scalebridge.structures.darcy import darcy_flow

TENSOR = {
    2: np.array([[2.0, 0.4], [0.4, 1.0]]),
    3: np.array([[2.0, 0.4, -0.2], [0.4, 1.0, 0.1], [-0.2, 0.1, 1.5]]),
}
SPACING = {2: ("1 m", "0.5 m"), 3: ("1 m", "0.5 m", "2 m")}
RESIDUAL = 1e-6  # default tolerance of the balance, which velocities share


def uniform(dim, shape):
    return np.multiply.outer(TENSOR[dim], np.ones(shape))


def random_tensors(shape, seed=0, spread=1.0):
    """Return symmetric positive definite tensors that differ from block to block."""
    rng = np.random.default_rng(seed)
    dim = len(shape)
    root = rng.standard_normal((*shape, dim, dim))
    full = root @ np.swapaxes(root, -1, -2) + 0.5 * np.eye(dim)
    full *= np.exp(spread * rng.standard_normal(shape))[..., None, None]
    return np.moveaxis(full, (-2, -1), (0, 1))


@pytest.mark.parametrize("shape", [(6, 4), (4, 3, 5)])
def test_a_uniform_tensor_gives_a_uniform_flow(shape):
    dim = len(shape)
    force = np.arange(1.0, dim + 1)
    flow = darcy_flow(
        uniform(dim, shape), unit="mD", voxel=SPACING[dim], driving=tuple(force), viscosity="2 mPa*s"
    )
    wanted = TENSOR[dim] @ force * 1e-3 * DARCY / 2e-3
    # Nothing is left for the solver: roundings only.
    np.testing.assert_allclose(flow.mean_velocity, wanted, rtol=1e-12)
    np.testing.assert_allclose(flow.velocity, np.multiply.outer(wanted, np.ones(shape)), rtol=1e-12)
    slopes = np.gradient(flow.pressure, *flow.voxel)
    for axis in range(dim):
        np.testing.assert_allclose(slopes[axis], -force[axis], rtol=1e-12)
    assert flow.passed


@pytest.mark.parametrize("boundary", ["periodic", "sealed"])
@pytest.mark.parametrize("scheme", ["hexahedra", "finite-volume"])
def test_layers_of_numbers_are_exact(boundary, scheme):
    layers = np.array([1.0, 4.0, 2.0, 9.0])
    blocks = np.broadcast_to(layers[:, None], (4, 3))
    across, along = 1 / np.mean(1 / layers), np.mean(layers)
    options = {"voxel": ("1 m", "3 m"), "boundary": boundary, "scheme": scheme}
    found = darcy_flow(blocks, driving=(2.0, 0.0), **options)
    assert found.permeability == pytest.approx(across, rel=1e-8)  # rtol
    np.testing.assert_allclose(found.velocity[0], 2.0 * across / 1e-3, rtol=10 * RESIDUAL)
    assert found.flow_rate(0) == pytest.approx(9.0 * 2.0 * across / 1e-3, rel=10 * RESIDUAL)
    assert darcy_flow(blocks, driving=(0.0, 1.0), **options).permeability == pytest.approx(along, rel=1e-8)
    # Exact pressures at the blocks' centres: half a block's drop each, in proportion to its resistance.
    drops = across / layers * 2.0
    centres = -(np.cumsum(drops) - drops / 2)
    np.testing.assert_allclose(found.pressure, (centres - centres.mean())[:, None] + np.zeros(3), atol=1e-5)


def test_layers_of_full_tensors_are_exact():
    tensors = [TENSOR[3], np.diag([1.0, 5.0, 0.3]), 3.0 * TENSOR[3][::-1, ::-1]]
    blocks = np.stack([np.stack([t] * 2, axis=-1) for t in tensors], axis=2)[..., None] * np.ones(3)
    wanted = np.asarray(laminate_conductivity([1 / 3] * 3, tensors, normal=(1, 0, 0)))
    for axis, force in enumerate(np.eye(3)):
        flow = darcy_flow(blocks, voxel=SPACING[3], driving=tuple(force), viscosity=1.0)
        np.testing.assert_allclose(flow.mean_velocity, wanted[axis], rtol=10 * RESIDUAL)


@pytest.mark.parametrize("shape", [(8, 6), (6, 4, 5)])
def test_what_a_field_of_tensors_answers_is_symmetric_and_adds_up(shape):
    dim, blocks = len(shape), random_tensors(shape)
    options = {"voxel": SPACING[dim], "viscosity": 1.0, "residual_rtol": 1e-9, "rtol": 1e-14}
    unit = [darcy_flow(blocks, driving=tuple(force), **options) for force in np.eye(dim)]
    K = np.array([flow.mean_velocity for flow in unit])
    np.testing.assert_allclose(K, K.T, atol=1e-8 * K.max())
    assert np.all(np.linalg.eigvalsh(K) > 0)
    force = np.array([1.0, -2.0, 0.5])[:dim]
    mixed = darcy_flow(blocks, driving=tuple(force), **options)
    np.testing.assert_allclose(mixed.mean_velocity, force @ K, rtol=1e-7)
    for found in (*unit, mixed):
        assert found.passed, found.checks


def test_a_sealed_box_lies_between_uniform_gradient_and_uniform_flux():
    # Uniform tensor: K_xx is the trial of a uniform gradient, 1 / (K^-1)_xx that of a flux along x alone.
    upper, lower = TENSOR[2][0, 0], 1 / np.linalg.inv(TENSOR[2])[0, 0]
    options = {"voxel": "1 m", "driving": (1.0, 0.0), "boundary": "sealed", "viscosity": 1.0}
    found = [darcy_flow(uniform(2, shape), **options) for shape in ((4, 32), (16, 16), (256, 8))]
    values = [flow.permeability for flow in found]
    assert lower < values[2] < values[1] < values[0] < upper
    # The ends disturb about one width each of a box 32 widths long.
    assert values[2] == pytest.approx(lower, rel=2 / 32 * (upper / lower - 1))
    sides = found[2].velocity[1][100:-100]
    assert np.max(np.abs(sides)) < 1e-3 * found[2].mean_velocity[0]


def test_the_two_schemes_bracket_the_checkerboard():
    # Exact: the geometric mean (Keller 1964, Dykhne 1971).
    blocks = np.kron(np.indices((2, 2)).sum(axis=0) % 2, np.ones((16, 16))) * 3.0 + 1.0
    options = {"voxel": "1 m", "driving": (1.0, 0.0), "viscosity": 1.0}
    above = darcy_flow(blocks, **options).permeability
    below = darcy_flow(blocks, scheme="finite-volume", **options).permeability
    assert below < 2.0 < above
    assert above - below < 0.1


@pytest.mark.parametrize("boundary", ["periodic", "sealed"])
@pytest.mark.parametrize("kind", ["numbers", "tensors", "diagonal"])
def test_sensitivities_are_those_of_a_difference(boundary, kind):
    shape = (5, 4)
    blocks = random_tensors(shape, seed=3)
    scheme = "hexahedra"
    if kind == "numbers":
        blocks = blocks[0, 0]
    if kind == "diagonal":
        blocks, scheme = blocks * np.eye(2)[:, :, None, None], "finite-volume"
    options = {"voxel": SPACING[2], "driving": (1.0, 0.0), "boundary": boundary, "scheme": scheme}
    options |= {"viscosity": 1.0, "residual_rtol": 1e-10, "rtol": 1e-15}
    found = darcy_flow(blocks, **options)
    assert np.sum(found.sensitivity * blocks) == pytest.approx(found.permeability, rel=1e-9)  # Euler
    rng = np.random.default_rng(1)
    turn = rng.standard_normal(blocks.shape)
    if kind == "diagonal":
        turn *= np.eye(2)[:, :, None, None]
    turn = 0.5 * (turn + np.swapaxes(turn, 0, 1)) if kind != "numbers" else turn
    step = 1e-4
    up, down = (darcy_flow(blocks + s * step * turn, **options).permeability for s in (1, -1))
    # Central difference: step^2 of the third derivative, and roundings of 1e-14 over the step.
    assert (up - down) / (2 * step) == pytest.approx(np.sum(found.sensitivity * turn), rel=1e-6)


def test_barriers_are_exact():
    blocks = np.ones((8, 6))
    blocks[3, 1:] = 0.0  # a gap of one block
    gap = darcy_flow(blocks, voxel="1 m", driving=(1.0, 0.0), scheme="finite-volume")
    assert 0 < gap.permeability < 0.7
    assert np.all(gap.velocity[:, 3, 2:5] == 0)
    assert gap.passed
    blocks[3, 0] = 0.0
    shut = darcy_flow(blocks, voxel="1 m", driving=(1.0, 0.0), boundary="sealed")
    assert shut.permeability == 0.0
    assert not shut.passed
    assert "do not connect" in shut.notes[0]
    assert np.all(np.isnan(shut.pressure))
    along = darcy_flow(blocks, voxel="1 m", driving=(0.0, 1.0), scheme="finite-volume")
    assert along.permeability == pytest.approx(7 / 8, rel=1e-8)


def test_a_wide_spread_of_permeabilities_converges():
    rng = np.random.default_rng(5)
    blocks = np.exp(3.0 * rng.standard_normal((24, 24)))  # six decades
    flow = darcy_flow(blocks, unit="mD", voxel="10 m", driving=("1 bar/km", 0.0), boundary="sealed")
    assert flow.passed, flow.checks
    assert flow.driving[0] == pytest.approx(100.0, rel=1e-12)
    # In two dimensions the geometric mean is exact for a large log-normal field (Matheron 1967); 24 blocks
    # leave a spread of about 3/24 in the logarithm.
    assert math.log(flow.permeability / (1e-3 * DARCY)) == pytest.approx(0.0, abs=0.6)


def bad(change):
    arguments = {"permeability": np.ones((4, 4)), "voxel": "1 m", "driving": (1.0, 0.0)}
    return {**arguments, **change}


@pytest.mark.parametrize(
    ("change", "error", "said"),
    [
        ({"permeability": np.ones(4)}, PhaseError, r"shape \(4,\)"),
        ({"permeability": np.ones((3, 2, 4, 4))}, PhaseError, "components first"),
        ({"permeability": np.ones((0, 4))}, PhaseError, "shape"),
        ({"permeability": "much"}, PhaseError, "pass an array"),
        ({"permeability": np.full((4, 4), np.nan)}, PhaseError, "16 numbers that are not finite"),
        ({"permeability": -np.ones((4, 4))}, PhaseError, "smallest value of -1"),
        ({"permeability": np.zeros((4, 4))}, PhaseError, "only zeros"),
        ({"permeability": uniform(2, (4, 4)) * [[[[1]], [[2]]], [[[1]], [[1]]]]}, PhaseError, "symmetric"),
        ({"permeability": uniform(2, (4, 4)) - 1.0 * np.eye(2)[..., None, None]}, PhaseError, "negative"),
        ({"unit": "m"}, UnitError, "unit"),
        ({"voxel": 1.0}, UnitError, "voxel"),
        ({"voxel": ("1 m",) * 3}, InputError, "voxel"),
        ({"viscosity": "1 m"}, UnitError, "viscosity"),
        ({"viscosity": 0.0}, InputError, "viscosity: got 0.0"),
        ({"driving": (1.0,)}, InputError, "driving"),
        ({"driving": 1.0}, InputError, "driving"),
        ({"driving": (0.0, 0.0)}, InputError, "not all of them zero"),
        ({"driving": ("1 m", 0.0)}, UnitError, "driving"),
        ({"driving": (1.0, 1.0), "boundary": "sealed"}, InputError, "one axis after the other"),
        ({"boundary": "open"}, InputError, "boundary"),
        ({"scheme": "spectral"}, InputError, "scheme"),
        ({"permeability": uniform(2, (4, 4)), "scheme": "finite-volume"}, InputError, "full tensors"),
        ({"rtol": 0.0}, InputError, "rtol"),
        ({"memory_limit": 100.0}, ResourceError, "grid of 4 x 4 blocks"),
    ],
)
def test_what_cannot_be_right_is_refused(change, error, said):
    with pytest.raises(error, match=said):
        darcy_flow(**bad(change))


def test_a_solver_that_does_not_converge_says_so():
    hard = {"permeability": np.exp(np.random.default_rng(0).standard_normal((8, 8))), "max_steps": 2}
    with pytest.raises(SolverError, match="darcy_flow"):
        darcy_flow(**bad(hard))
    assert not darcy_flow(**bad(hard), throw=False).passed
