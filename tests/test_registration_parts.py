"""Parts of a registration: exact splines, exact derivatives, curvature, transfers between levels."""

import itertools
from dataclasses import replace

import jax.numpy as jnp
import numpy as np
import pytest

from registration_samples import turned_map
from scalebridge.registration.climb import refined
from scalebridge.registration.confidence import Confidence
from scalebridge.registration.curvature import measure_curvature, multiply
from scalebridge.registration.damage import without_damage
from scalebridge.registration.descent import descend
from scalebridge.registration.frame import Frame
from scalebridge.registration.levels import evened, plan_levels
from scalebridge.registration.matching import FoldingBarrier, Pairing, SplineCost, fit_affine
from scalebridge.registration.pyramid import Layer, WeightedAverage, build_pyramid, carried, nearest_layer
from scalebridge.registration.similarity import Similarity, joint_information
from scalebridge.registration.spatial_map import SpatialMap, gathered, spread
from scalebridge.registration.spline import BendingEnergy, SplineGrid, subdivide
from scalebridge.testing import check_transfer


def smooth_image(shape, seed=0):
    rng = np.random.default_rng(seed)
    x, y = np.meshgrid(*(np.linspace(0, 1, n) for n in shape), indexing="ij")
    waves = sum(
        np.cos(2 * np.pi * (a * x + b * y + c)) / (1 + a + b) for a, b, c in rng.uniform(0, 3, (8, 3))
    )
    return ((waves - waves.min()) / np.ptp(waves)).astype(np.float32)


def test_subdivision_keeps_the_spline_exactly():
    found = turned_map()
    points = found.frame.points(np.random.default_rng(1).uniform(0, 39, (300, 2)))
    finer = refined(refined(found))
    # Both are sums of some sixteen numbers of order one: rounding alone.
    assert np.abs(finer(points) - found(points)).max() < 1e-12
    assert finer.grid.count == tuple(4 * (n - 3) + 3 for n in found.grid.count)
    assert subdivide(found.coefficients).shape == (*found.grid.refined().count, 2)


@pytest.mark.parametrize("orders", [(1, 0), (0, 1)])
def test_derivatives_of_the_displacement_against_differences(orders):
    found = turned_map()
    points = found.frame.points(np.random.default_rng(2).uniform(2, 35, (50, 2)))
    step = 1e-5 * np.array(found.frame.directions) @ np.array(orders, float)
    differences = (found.displacement(points + step) - found.displacement(points - step)) / 2e-5
    # Central differences: error h^2 u''' / 6 and rounding 1e-16 / h, both below 1e-9.
    assert np.abs(found.displacement(points, orders) - differences).max() < 1e-8


def test_jacobian_is_the_determinant_of_the_map_over_that_of_its_linear_part():
    found = turned_map()
    points = found.frame.points(np.random.default_rng(3).uniform(2, 35, (50, 2)))
    h = 1e-5
    slopes = np.stack([(found(points + h * e) - found(points - h * e)) / (2 * h) for e in np.eye(2)], axis=-1)
    wanted = np.linalg.det(slopes) / np.linalg.det(found.matrix)
    assert np.abs(found.jacobian(points) - wanted).max() < 1e-8


def test_grid_evaluation_and_points_agree_and_the_inverse_comes_back():
    found = turned_map(size=0.8)
    points = found.frame.grid()
    assert np.abs(found.on_grid(found.frame).reshape(-1, 2) - found(points)).max() < 1e-12
    back = found.inverse(found(points))
    assert np.abs(back - points).max() < 1e-5  # Newton stops below 1e-6 mm


def test_a_folded_map_has_no_inverse_everywhere_and_says_so():
    found = turned_map(size=12.0)
    assert found.jacobian(found.frame.grid()).min() < 0
    back = found.inverse(found(found.frame.grid()))
    close = np.linalg.norm(found(np.nan_to_num(back)) - found(found.frame.grid()), axis=1) < 1e-2
    assert np.all(close | np.isnan(back[:, 0]))


def test_bending_energy_of_a_parabola():
    grid = SplineGrid.covering((40.0, 30.0), 10.0)
    # u = a x^2 + b x y + c y^2 in the first component: u_xx = 2a, u_xy = b, u_yy = 2c, everywhere.
    a, b, c = 0.01, -0.02, 0.03
    x = (np.arange(grid.count[0]) - 1) * 10.0
    y = (np.arange(grid.count[1]) - 1) * 10.0
    # A cubic B-spline with coefficients x^2 is x^2 + h^2 / 3.
    field = a * (x[:, None] ** 2) + b * x[:, None] * y + c * y**2
    energy = BendingEnergy(grid)
    both = np.stack([field, 0 * field], axis=-1)
    wanted = (2 * a) ** 2 + 2 * b**2 + (2 * c) ** 2
    assert np.sum(energy.apply(both) * both) == pytest.approx(wanted, rel=1e-10)
    assert np.allclose(energy.matrix() @ field.ravel(), energy.apply(both)[..., 0].ravel(), atol=1e-14)
    plane = np.stack([x[:, None] + 0 * y, 0 * x[:, None] + y], axis=-1)
    assert abs(np.sum(energy.apply(plane) * plane)) < 1e-12  # affine fields bend nothing


def test_mutual_information_of_known_histograms():
    independent = np.outer([1.0, 2.0, 3.0], [4.0, 1.0])
    # The floor of 1e-9 in the logarithm moves values by some 1e-9.
    assert joint_information(independent, False)[0] == pytest.approx(0.0, abs=1e-7)
    assert joint_information(np.eye(5), False)[0] == pytest.approx(np.log(5), abs=1e-7)
    assert joint_information(np.eye(5), True)[0] == pytest.approx(2.0, abs=1e-7)
    assert joint_information(np.zeros((3, 3)), False)[2] == 0.0


@pytest.mark.parametrize("normalised", [False, True])
@pytest.mark.parametrize("axes", [2, 3])
def test_the_similarity_s_slope_against_differences(normalised, axes):
    rng = np.random.default_rng(4)
    moving = smooth_image((30, 26))
    moving = moving if axes == 2 else moving[:, :, None] * smooth_image((26, 24), 1)[None]
    places = rng.uniform(1.0, 22.0, (4000, axes))
    seen = moving[tuple(places.astype(int).T)]  # so that there is information, whose slope is not all noise
    similarity = Similarity(
        1 - seen, rng.random(4000), moving, 0.5 + moving / 2, bins=16, normalised=normalised
    )
    slope = similarity(places).forces.copy()
    way = slope / np.sqrt(np.mean(slope**2))
    # Values of 32 bits: 1e-7 / h. Linear interpolation (the mask's, in space also the image's) has kinks that
    # one point in some hundred crosses within h.
    h = 3e-3
    difference = (similarity(places + h * way, False).value - similarity(places - h * way, False).value) / (
        2 * h
    )
    assert np.sum(slope * way) == pytest.approx(difference, rel=1e-2)


def level():
    frame = Frame((40, 36), (1.0, -2.0), (1.0, 1.0))
    fixed = Layer(smooth_image((40, 36)), np.ones((40, 36), np.float32), frame)
    moving = Layer(1 - smooth_image((40, 36)) ** 2, np.ones((40, 36), np.float32), frame)
    grid = SplineGrid.covering((40.0, 36.0), 10.0, (-0.5, -0.5))
    field = 0.8 * np.random.default_rng(5).standard_normal((*grid.count, 2))
    start = SpatialMap(np.array([[1.0, 0.05], [-0.04, 0.97]]), np.array([0.4, -0.3]), frame, grid, field)
    return Pairing(fixed, moving, bins=16), start


def test_the_cost_s_slope_against_differences():
    pairing, start = level()
    cost = SplineCost(pairing, start, 30.0)
    way = np.random.default_rng(6).standard_normal(start.coefficients.shape)
    slope = float(np.sum(cost(start.coefficients)[1] * way))
    h = 1e-3
    ahead, behind = (cost(start.coefficients + s * h * way)[0] for s in (1, -1))
    assert slope == pytest.approx((ahead - behind) / (2 * h), rel=5e-3)  # values of 32 bits, as above


def test_the_barrier_s_slope_and_where_it_acts():
    start = turned_map(size=8.0)
    barrier = FoldingBarrier(start)
    value, slope = barrier(start.coefficients)
    way = np.random.default_rng(7).standard_normal(start.coefficients.shape)
    h = 1e-5
    difference = (barrier(start.coefficients + h * way)[0] - barrier(start.coefficients - h * way)[0]) / (
        2 * h
    )
    assert value > 0
    assert np.sum(slope * way) == pytest.approx(difference, rel=1e-6)
    assert barrier(0.01 * start.coefficients)[0] == 0.0


def test_spread_and_gather_are_adjoint():
    start = turned_map()
    first, second = start.bases(start.frame)
    values = np.random.default_rng(8).standard_normal((*start.frame.shape, 2))
    left = np.sum(spread(first, start.coefficients, second) * values)
    assert left == pytest.approx(np.sum(gathered(first, values, second) * start.coefficients), rel=1e-12)


def test_the_curvature_s_band_is_the_sum_over_points():
    pairing, start = level()
    cost = SplineCost(pairing, start, 30.0)
    cost(start.coefficients)
    curvature, matched = measure_curvature(cost), cost.matched
    basis = (cost.first.toarray()[:, None, :, None] * cost.second.toarray()[None, :, None, :]).reshape(
        len(pairing.points), -1
    )
    slopes = (matched.slopes @ (pairing.inverse @ start.matrix)).astype(float)
    rows = (basis[:, :, None] * slopes[:, None, :]).reshape(len(basis), -1)
    dense = (rows * (matched.curvatures * matched.weight)[:, None]).T @ rows
    probe = np.random.default_rng(9).standard_normal((curvature.size, 3))
    assert np.allclose(
        multiply(curvature.information, probe), dense @ probe, rtol=1e-5, atol=1e-6 * dense.max()
    )
    bent = multiply(curvature.rough, start.coefficients.reshape(-1, 1)).reshape(start.coefficients.shape)
    assert np.allclose(bent, cost.bending.apply(start.coefficients), atol=1e-12)
    solved = curvature.solve(curvature.factor(30.0), probe)
    whole = multiply(curvature.information + 60.0 * curvature.rough, solved)
    assert np.allclose(whole, probe, atol=1e-4)


def test_descent_finds_the_minimum_of_a_curved_valley():
    def rosenbrock(x):
        a, b = 1 - x[0], x[1] - x[0] ** 2
        return a * a + 100 * b * b, np.array([-2 * a - 400 * x[0] * b, 200 * b])

    found = descend(rosenbrock, np.array([-1.2, 1.0]), lambda g: 0.005 * g, steps=200, tolerance=1e-14)
    assert np.abs(found.x - 1).max() < 1e-4
    assert found.evaluations < 150
    held = descend(rosenbrock, np.array([-1.2, 1.0]), lambda g: g, steps=1, longest=0.1)
    assert np.abs(held.x - [-1.2, 1.0]).max() <= 0.1 + 1e-12


def test_the_weighted_average_is_a_transfer():
    weights = np.random.default_rng(10).uniform(0.1, 1.0, (6, 8))
    check_transfer(WeightedAverage(jnp.array(weights), (2, 4)), seed=0)


def test_layers_average_as_the_transfer_does_and_keep_places():
    rng = np.random.default_rng(11)
    values, weights = rng.random((6, 8)).astype(np.float32), rng.uniform(0.1, 1, (6, 8)).astype(np.float32)
    frame = Frame((6, 8), (5.0, -1.0), (0.5, 0.25))
    coarse = Layer(values, weights, frame).coarser((2, 2))
    wanted = WeightedAverage(jnp.array(weights, float), (2, 2)).restrict(jnp.array(values, float))
    assert np.allclose(coarse.values, wanted, atol=1e-6)
    assert coarse.frame.points(np.zeros((1, 2))) == pytest.approx(frame.points(np.full((1, 2), 0.5)))
    odd = Layer(values[:5], weights[:5], Frame((5, 8), (0.0, 0.0), (1.0, 1.0))).coarser((2, 2))
    assert odd.values.shape == (3, 4)
    assert odd.weights[2] == pytest.approx(weights[4].reshape(4, 2).sum(axis=1) / 4)


def test_a_mask_keeps_what_it_hides_out_of_the_coarser_levels():
    values, weights = np.ones((8, 8), np.float32), np.ones((8, 8), np.float32)
    values[3], weights[3] = 1e6, 0.0
    for layer in build_pyramid(Layer(values, weights, Frame((8, 8), (0.0, 0.0), (1.0, 1.0))), 4.0):
        assert layer.values[layer.weights > 0].max() < 2 or layer.spacing == 1.0
    assert Layer(values, weights, Frame((8, 8), (0.0, 0.0), (1.0, 1.0))).coarser((2, 2)).values.max() == 1.0


def test_pyramids_make_unequal_spacing_alike():
    layer = Layer(
        np.zeros((256, 64), np.float32), np.ones((256, 64), np.float32), Frame((256, 64), (0, 0), (0.25, 1.0))
    )
    last = build_pyramid(layer, 2.0)[-1]
    assert max(last.frame.spacing) <= 2 * min(last.frame.spacing)
    assert nearest_layer(build_pyramid(layer, 2.0), 0.9).spacing == 1.0
    assert carried(last, layer).shape == (256, 64)


def test_the_affine_stage_finds_a_known_map():
    values = smooth_image((80, 80), 3)
    frame = Frame((80, 80), (0.0, 0.0), (1.0, 1.0))
    layer = Layer(values, np.ones((80, 80), np.float32), frame)
    found, step = fit_affine(
        Pairing(layer, Layer(1 - values, layer.weights, frame)),
        SpatialMap(np.array([[1.02, 0.03], [-0.03, 0.98]]), np.array([1.0, -1.0]), frame),
        200,
    )
    corner = found(np.array([[10.0, 10.0], [70.0, 60.0]]))
    assert np.abs(corner - [[10, 10], [70, 60]]).max() < 0.05  # a twentieth of a sample
    assert step.after > step.before


def test_uneven_brightness_is_divided_out():
    pairing, start = level()
    start = replace(start, matrix=np.eye(2), shift=np.zeros(2), coefficients=0 * start.coefficients)
    x = np.linspace(0.8, 1.2, 40)[:, None]
    base = 0.5 * (1 - smooth_image((40, 36)) ** 2) + 0.1
    moving = Layer((base * x).astype(np.float32), pairing.moving.weights, pairing.moving.frame)
    [flat] = evened(Pairing(pairing.fixed, moving, bins=16), start, [moving], 12.0)
    before, after = (np.std((v / base).mean(axis=1)) for v in (moving.values, flat.values))
    assert after < 0.5 * before


def test_what_fits_nothing_is_left_out_and_what_fits_is_not():
    frame = Frame((80, 80), (0.0, 0.0), (1.0, 1.0))
    values = np.round(3 * smooth_image((80, 80), 3)).astype(np.float32) / 3
    broken = 1 - values
    broken[30:44, 30:44] = np.roll(broken, (31, 17), (0, 1))[30:44, 30:44]
    ones = np.ones((80, 80), np.float32)
    pairing = Pairing(Layer(values, ones, frame), Layer(broken, ones, frame), bins=16)
    [layer], share = without_damage(pairing, SpatialMap(np.eye(2), np.zeros(2), frame), [pairing.fixed], 80.0)
    hidden = layer.weights < 0.5
    inside = np.zeros_like(hidden)
    inside[27:47, 27:47] = True
    assert 0 < share < 0.1
    assert hidden[32:42, 32:42].mean() > 0.3
    assert hidden[~inside].mean() < 0.01


def test_levels_follow_the_size_of_tissue_and_what_is_asked():
    layer = Layer(
        np.zeros((512, 512), np.float32),
        np.ones((512, 512), np.float32),
        Frame((512, 512), (0, 0), (0.45,) * 2),
    )
    plans = plan_levels(build_pyramid(layer, 4.0), 140.0, None, None)
    assert [round(p.step, 1) for p in plans] == [40.0, 20.0, 10.0]
    assert all(a.spacing >= b.spacing for a, b in itertools.pairwise(plans))
    asked = plan_levels(build_pyramid(layer, 4.0), 140.0, 1.8, 5.0)
    assert (asked[-1].spacing, asked[-1].step) == (1.8, 5.0)


def test_a_linear_map_states_no_error():
    found = SpatialMap(np.eye(2), np.zeros(2), Frame((4, 4), (0.0, 0.0), (1.0, 1.0)))
    assert np.all(np.isnan(Confidence(None, None, 1.0, 0.0, 1.0).at(found, np.zeros((3, 2)))))
