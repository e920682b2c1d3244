import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scalebridge.core.errors import InputError
from scalebridge.grids.balls import spheres_image
from scalebridge.grids.composite import CompositeImage
from scalebridge.grids.image import VoxelImage
from scalebridge.grids.sampling_scatter import displacement_scatter, sampling_scatter
from scalebridge.upscaling.fraction_scatter import fraction_scatter
from scalebridge.upscaling.voxel_error import voxel_size_error

EXACT = np.array([[3.0, 0.4, 0.0], [0.4, 2.0, -0.2], [0.0, -0.2, 1.0]])
SLOPE = np.array([[0.5, 0.1, 0.2], [0.1, -0.3, 0.0], [0.2, 0.0, 0.4]])


def at(edge, order=1.0):
    return EXACT + SLOPE * edge**order


# ------------------------------------------------------------------------------------- the estimate


@pytest.mark.parametrize("levels", [2, 3])
def test_an_error_of_first_order_is_taken_away(levels):
    found = voxel_size_error([at(edge) for edge in (0.1, 0.2, 0.4)[:levels]])
    np.testing.assert_allclose(found.value, EXACT, atol=1e-14)
    assert np.all(found.half_width > 0)
    assert found.order is None if levels == 2 else found.order == pytest.approx(1.0)


@pytest.mark.parametrize("order", [0.5, 1.0, 1.5, 2.0])
def test_the_observed_order_is_the_sequence_s_own(order):
    found = voxel_size_error([at(edge, order) for edge in (0.1, 0.2, 0.4)])
    assert found.order == pytest.approx(order)
    assert np.all(np.abs(found.value - EXACT) <= found.half_width), "other orders are within the interval"


def test_half_widths_of_numbers_are_those_said():
    pooled = np.sqrt(1 + 0.25**2)  # a number is its own diagonal's average
    two = voxel_size_error([1.0, 1.1])
    assert float(two.value) == pytest.approx(0.9)
    assert float(two.half_width) == pytest.approx(2.0 * 0.2 * pooled)
    three = voxel_size_error([1.0, 1.1, 1.5])
    assert float(three.half_width) == pytest.approx(np.hypot(1.4 * 0.2, 0.2 * 0.4) * pooled)
    beside = voxel_size_error([1.0, 1.1], [1.3, 0.8])
    assert float(beside.half_width) == pytest.approx(np.hypot(0.4 * 0.2, 0.7 * 0.5) * pooled)
    single = voxel_size_error([1.0], [0.8])
    assert (float(single.value), single.order) == (1.0, None)
    assert float(single.half_width) == pytest.approx(1.8 * 0.2 * pooled)
    noisy = voxel_size_error([1.0, 1.1], scatter=0.3)
    assert float(noisy.half_width) == pytest.approx(np.hypot(2.0 * 0.2, 1.75 * 0.3) * pooled)
    both = voxel_size_error([1.0, 1.1], [1.3, 0.8], scatter=0.3)
    assert float(both.value) == pytest.approx(0.9 + 0.25 * (1.05 - 0.9))
    parts = [1.4 * 0.2, 0.14 * 0.5, 1.2 * 0.5 * 0.5, 2.45 * 0.3]  # the range is half of the finest number
    assert float(both.half_width) == pytest.approx(np.linalg.norm(parts) * pooled)


def test_interfaces_that_may_be_displaced_take_the_place_of_wide_steps():
    pooled = np.sqrt(1 + 0.25**2)
    two = voxel_size_error([1.0, 1.1], shift=8.0)
    assert float(two.half_width) == pytest.approx(np.hypot(0.7 * 0.2, 0.015 * 8.0) * pooled)
    three = voxel_size_error([1.0, 1.1, 1.5], shift=8.0)
    parts = [0.5 * 0.2, 0.2 * 0.4, 0.015 * 8.0]
    assert float(three.half_width) == pytest.approx(np.linalg.norm(parts) * pooled)
    agreed = voxel_size_error([1.0, 1.0], shift=8.0)  # two voxel sizes that agree may both be wrong
    assert float(agreed.half_width) == pytest.approx(0.015 * 8.0 * pooled)
    none = voxel_size_error([1.0, 1.1, 1.5], shift=0.0)  # phases that are all alike
    assert float(none.half_width) == pytest.approx(np.linalg.norm(parts[:2]) * pooled)


def test_each_component_has_its_own_width_and_a_part_of_the_others():
    found = voxel_size_error([np.diag([2.0, 1.0]), np.diag([2.0, 1.2])])
    along, across = found.half_width.diagonal()
    assert along == pytest.approx(2.0 * 0.25 * 2.0 * np.sqrt(0.4**2 / 2))
    assert across == pytest.approx(2.0 * np.hypot(0.4, 0.25 * np.sqrt(0.4**2 / 2)))
    assert 0 < found.half_width[0, 1] < along


def test_nothing_changes_and_nothing_is_uncertain():
    found = voxel_size_error([EXACT] * 3, [EXACT])
    np.testing.assert_array_equal(found.value, EXACT)
    np.testing.assert_allclose(found.half_width, 0, atol=1e-15)
    assert found.order is None
    zero = voxel_size_error([np.zeros((2, 2))] * 2)
    assert not zero.half_width.any()


def test_a_blocked_direction_keeps_a_narrow_width():
    found = voxel_size_error([np.diag([2.0, 0.0]), np.diag([2.2, 0.0])])
    assert 0 < found.half_width[1, 1] < 0.01 * found.half_width[0, 0]


def test_a_sequence_that_turns_back_is_not_trusted_further_than_it_moved():
    found = voxel_size_error([1.0, 1.3, 0.9])
    assert float(found.half_width) > 0.3 * 2


@given(st.floats(1e-6, 1e6), st.permutations(range(3)))
def test_units_and_axes_do_not_matter(unit, axes):
    levels, beside = [at(edge) for edge in (0.1, 0.2, 0.4)], [at(-0.1)]
    turn = np.ix_(axes, axes)
    plain = voxel_size_error(levels, beside)
    other = voxel_size_error([unit * k[turn] for k in levels], [unit * k[turn] for k in beside])
    np.testing.assert_allclose(other.value, unit * plain.value[turn], rtol=1e-12, atol=1e-12 * unit)
    np.testing.assert_allclose(other.half_width, unit * plain.half_width[turn], rtol=1e-9)
    assert other.order == pytest.approx(plain.order)


def test_the_rounding_of_a_symmetric_tensor_is_no_matter():
    crooked = [k + 1e-12 * np.triu(np.ones((3, 3)), 1) for k in (at(0.1), at(0.2))]
    found = voxel_size_error(crooked)
    np.testing.assert_array_equal(found.value, found.value.T)


def test_another_estimate_owns_its_distance_too():
    found = voxel_size_error([at(0.1), at(0.2)])
    np.testing.assert_allclose(found.std_about(found.value), found.std)
    np.testing.assert_allclose(found.std_about(found.value + 3.0), np.hypot(found.std, 3.0))
    np.testing.assert_allclose(found.std, found.half_width / 1.959964)


def test_it_says_what_it_did():
    levels = [at(edge) for edge in (0.1, 0.2, 0.4)]
    assert voxel_size_error(levels).method == "extrapolated from voxels of 2 and 4 times the edge"
    beside = voxel_size_error(levels[:2], [at(-0.1)] * 2, scatter=0.1).method
    assert "2 times the edge, beside 2 other discretisations" in beside
    assert beside.endswith("scatter of the sampled interfaces")
    assert voxel_size_error(levels, shift=0.1).method.endswith("; displaced interfaces")
    data = voxel_size_error(levels, [at(-0.1)]).to_dict()
    assert set(data) == {"extrapolated", "half width 95 %", "observed order", "method"}


REFUSED = [
    (([],), {}, "levels"),
    (([1.0],), {}, "levels"),
    (([1.0] * 4,), {}, "levels"),
    (([1.0, np.nan],), {}, "levels, companions"),
    (([np.eye(2), np.eye(3)],), {}, "levels, companions"),
    (([np.eye(2), np.eye(2)], [np.eye(3)]), {}, "levels, companions"),
    (([np.ones((2, 3))] * 2,), {}, "levels, companions"),
    (([np.ones(3)] * 2,), {}, "levels, companions"),
    (([1.0, 1.1],), {"scatter": -0.1}, "scatter"),
    (([np.eye(2)] * 2,), {"scatter": np.eye(3)}, "scatter"),
    (([1.0, 1.1],), {"shift": -0.1}, "shift"),
    (([1.0, 1.1],), {"shift": np.inf}, "shift"),
]


@pytest.mark.parametrize(("arguments", "options", "argument"), REFUSED)
def test_sequences_that_cannot_be_used_are_refused(arguments, options, argument):
    with pytest.raises(InputError) as caught:
        voxel_size_error(*arguments, **options)
    assert caught.value.argument == argument


# ------------------------------------------------------------------------------ scatter of the fractions

TWO = np.array([[1.0, -1.0], [-1.0, 1.0]])


@pytest.mark.parametrize(
    ("mean", "slope"),
    [
        (0.3 * 1 + 0.7 * 5, 5 - 1),  # arithmetic: dk/df = k1 - k0
        (1 / (0.3 / 1 + 0.7 / 5), (1 - 1 / 5) / (0.3 / 1 + 0.7 / 5) ** 2),  # harmonic: k² (1/k0 - 1/k1)
        (5**0.7, 5**0.7 * np.log(5)),  # geometric: k ln(k1/k0)
        (10.0, None),  # above all means: taken as the arithmetic one
    ],
)
def test_slopes_of_known_means(mean, slope):
    found = fraction_scatter(mean * np.eye(3), [0.3, 0.7], [1.0, 5.0], 1e-4 * TWO)
    if slope is None:
        assert found[0, 0] == pytest.approx(0.04)
    else:
        np.testing.assert_allclose(found, 0.01 * slope * np.eye(3), rtol=1e-5)


def test_slopes_with_an_insulator_and_with_equal_phases():
    porous = fraction_scatter(np.diag([0.5, 0.4]), [0.4, 0.6], [0.0, 1.0], 1e-4 * TWO)
    share, mean = np.log(0.6) / np.log(0.45), 0.45  # k = f^(1/a), so dk/df = k / (a f)
    np.testing.assert_allclose(porous, 0.01 / (share * 0.6) * np.diag([0.5, 0.4]), rtol=1e-6)
    assert mean == pytest.approx(0.6 ** (1 / share))
    assert not fraction_scatter(np.eye(2), [0.5, 0.5], [1.0, 1.0], TWO).any()
    assert not fraction_scatter(np.zeros((2, 2)), [0.5, 0.5], [0.0, 1.0], TWO).any()


@pytest.mark.parametrize(
    "arrays",
    [
        (1.0, [0.5, 0.5], [1.0, 2.0], TWO),
        (np.eye(2), [0.5, 0.5], [1.0, 2.0, 3.0], TWO),
        (np.eye(2), [0.5, 0.5], [1.0, -2.0], TWO),
        (np.eye(2), [0.5, 0.5], [1.0, 2.0], np.eye(3)),
    ],
)
def test_mixtures_that_do_not_fit_are_refused(arrays):
    with pytest.raises(InputError, match="phases"):
        fraction_scatter(*arrays)


def test_discs_at_random_places_scatter_as_much_as_said():
    rng = np.random.default_rng(0)
    images = [spheres_image([rng.random(2)], 0.3, 40) for _ in range(400)]
    measured = np.std([image.fractions[1] for image in images])
    said = np.sqrt(np.mean([sampling_scatter(image)[1, 1] for image in images]))
    assert said == pytest.approx(
        measured, rel=0.15
    )  # 400 draws: 4 %; a twelfth against Kendall's number: 1 %


def test_scatter_counts_faces_by_pairs():
    three = VoxelImage(np.array([[0, 1, 2]] * 2), periodic=False)
    exact = 2 / 12 / 36 * np.array([[1, -1, 0], [-1, 2, -1], [0, -1, 1]])
    np.testing.assert_allclose(sampling_scatter(three), exact, rtol=1e-13)
    around = VoxelImage(np.array([[0, 1, 2]] * 2))  # 2 meets 0 across the border
    exact = 2 / 12 / 36 * np.array([[2, -1, -1], [-1, 2, -1], [-1, -1, 2]])
    np.testing.assert_allclose(sampling_scatter(around), exact, rtol=1e-13)
    assert not sampling_scatter(VoxelImage(np.zeros((4, 4), int))).any()


@pytest.mark.parametrize("slope", [(1, 1, 0), (1, 0, 2)])
def test_layers_at_a_slope_repeat_their_roundings(slope):
    rng, n = np.random.default_rng(1), 16
    places = (np.arange(n) + 0.5) / n
    along = sum(s * x for s, x in zip(slope, np.meshgrid(*[places] * 3, indexing="ij"), strict=True))
    shares = rng.uniform(0.3, 0.7, 400)
    images = [VoxelImage(((along + rng.random()) % 1 < share).astype(int)) for share in shares]
    errors = [image.fractions[1] - share for image, share in zip(images, shares, strict=True)]
    measured = np.sqrt(np.mean(np.square(errors)))
    said = np.sqrt(np.mean([sampling_scatter(image)[1, 1] for image in images]))
    # One rounding an interface where layers go one voxel a step, two counted where they go two.
    assert said == pytest.approx(np.sqrt(max(slope)) * measured, rel=0.15)  # 400 draws: 4 %


def test_layers_along_an_axis_are_taken_as_they_are():
    layers = VoxelImage(np.repeat([[0, 1]], 4, axis=0))
    assert sampling_scatter(layers)[1, 1] == pytest.approx(8 / 12 / 64)


def test_displaced_interfaces_count_mixed_voxels_by_pairs():
    plain = VoxelImage(np.array([[0, 0], [1, 2]]))
    parts, normals = [[0.5, 0.5, 0.0], [0.2, 0.7, 0.1]], [[1.0, 0.0]] * 2
    image = CompositeImage(plain, (0, 1, 2), [1, 2], parts, normals)
    exact = np.array([[4 + 1, -4, -1], [-4, 4 + 1, -1], [-1, -1, 2]]) / 16
    np.testing.assert_allclose(displacement_scatter(image), exact, rtol=1e-14)
    pure = CompositeImage(plain, (0, 1, 2), [], np.zeros((0, 3)), np.zeros((0, 2)))
    assert not displacement_scatter(pure).any()


@pytest.mark.parametrize(
    ("middle", "radius", "symmetries"),
    [((0.5, 0.5), 0.3, 8), ((0.5, 0.31), 0.3, 2), ((0.41, 0.33), 0.3, 1), ((0.5, 0.5, 0.5), 0.4, 48)],
)
def test_objects_amid_the_grid_repeat_their_roundings(middle, radius, symmetries):
    image = spheres_image([middle], radius, 20)  # 0.5 is a plane between voxels, the others are no mirrors
    faces = sum(np.count_nonzero(image.labels != np.roll(image.labels, 1, a)) for a in range(image.dim))
    said = sampling_scatter(image)[1, 1] * 12 * image.size**2
    assert said == pytest.approx(symmetries * faces, rel=1e-12)


def test_discs_amid_the_grid_scatter_as_much_as_said():
    rng = np.random.default_rng(0)
    radii = rng.uniform(0.2, 0.4, 400)
    images = [spheres_image([[0.5, 0.5]], radius, 40) for radius in radii]
    errors = [image.fractions[1] - np.pi * radius**2 for image, radius in zip(images, radii, strict=True)]
    measured = np.sqrt(np.mean(np.square(errors)))
    said = np.sqrt(np.mean([sampling_scatter(image)[1, 1] for image in images]))
    assert measured < said < 1.5 * measured  # voxels on the mirrors have fewer copies: 1.34 times
