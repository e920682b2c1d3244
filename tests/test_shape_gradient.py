"""jax.grad through a permeability by the shape of its pores."""

import csv
import math
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from scalebridge.cells.shape_gradient import level_set_permeability
from scalebridge.core.errors import ImageError, InputError
from scalebridge.grids.level_set import LevelSetPores
from scalebridge.grids.pore_shapes import AroundBalls

with (Path(__file__).parent / "reference" / "cylinder_square_transverse_slip_computed.csv").open() as _lines:
    CYLINDERS = {
        (r["array"], r["solid_fraction"], r["slip_length_over_radius"]): r for r in csv.DictReader(_lines)
    }


def disc(radius, x):
    return jnp.linalg.norm(x - 0.5, axis=1) ** 2 - radius**2  # no distance, its gradient is 2 radius


def test_growing_discs_against_the_table():
    row = CYLINDERS["sq", "0.3", "0.0"]
    radius = math.sqrt(0.3 / math.pi)
    along = level_set_permeability(disc, (1.0, 1.0), 48)
    value, slope = jax.value_and_grad(lambda r: along(r)[0, 0])(radius)
    assert float(value) == pytest.approx(float(row["k_over_L2"]), rel=5e-3)  # 0.1 % seen
    # The derivative by the slip length at none is that by the walls' recession.
    assert float(slope) == pytest.approx(-float(row["dk_dlambda_over_L"]), rel=2e-2)  # 0.7 to 0.9 % seen


def test_every_parameter_of_an_ellipse_against_differences():
    def ellipse(q, x):
        return (jnp.linalg.norm((x - q["centre"]) / jnp.stack([q["a"], q["b"]]), axis=1) - 1) / 4

    solve = level_set_permeability(ellipse, (1.0, 1.0), 32)
    at = {"a": 0.31, "b": 0.22, "centre": np.array([0.5, 0.48])}
    found = jax.grad(lambda q: solve(q)[0, 0])(at)
    step = 0.02  # over which the cut voxels' noise averages out
    for name in ("a", "b"):
        ends = [solve({**at, name: at[name] + by})[0, 0] for by in (step, -step)]
        central = float(ends[0] - ends[1]) / (2 * step)
        assert float(found[name]) == pytest.approx(central, rel=3e-2)  # 0.2 % seen at 48
    assert np.abs(found["centre"]).max() < 0.02 * abs(float(found["b"]))  # moving all of it changes nothing
    forward = jax.jvp(lambda a: solve({**at, "a": a})[0, 0], (0.31,), (2.0,))[1]
    assert float(forward) == pytest.approx(2 * float(found["a"]), rel=1e-9)


def test_an_ellipse_that_slips_against_differences():
    """Walls that recede unevenly turn, which a normal traction feels: 16 % of the larger slope here."""

    def ellipse(q, x):
        return (jnp.linalg.norm((x - 0.5) / q, axis=1) - 1) / 4

    solve = level_set_permeability(ellipse, (1.0, 1.0), 32, slip_length=0.2)
    at, step = jnp.array([0.31, 0.22]), 0.02
    found = jax.grad(lambda q: solve(q)[0, 0])(at)
    central = np.array(
        [(solve(at + step * e)[0, 0] - solve(at - step * e)[0, 0]) / (2 * step) for e in np.eye(2)]
    )
    # Of first order: 2 % seen at 32 voxels, 0.6 % at 64.
    np.testing.assert_allclose(found, central, atol=0.04 * np.abs(central).max())


def test_a_level_set_knows_its_distance():
    points = np.random.default_rng(1).random((500, 2))
    found = LevelSetPores(lambda x: disc(0.3, x), (1.0, 1.0)).nearest(points)
    exact = AroundBalls([[0.5, 0.5]], [0.3], (1.0, 1.0)).nearest(points)
    near = np.abs(exact.distance) < 0.08  # two voxels of 1/24
    # The projection errs by the curvature squared times the distance cubed.
    np.testing.assert_allclose(found.distance[near], exact.distance[near], atol=2e-3)
    inside = np.linalg.norm(points - 0.5, axis=1) < 0.5  # where the periodic images are no nearer
    assert np.array_equal(np.sign(found.distance[inside]), np.sign(exact.distance[inside]))


def test_what_cannot_be_is_refused():
    along = level_set_permeability(disc, (1.0, 1.0), 8)
    with pytest.raises(InputError, match="tracing"):
        jax.jit(lambda r: along(r)[0, 0])(0.3)
    with pytest.raises(ImageError, match="one number for each point"):
        LevelSetPores(lambda x: x, (1.0, 1.0))
    with pytest.raises(ImageError):
        along(-0.1 * 0 + 1.0)  # no pore left
