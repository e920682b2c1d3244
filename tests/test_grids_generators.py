import hashlib
import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scalebridge.core.errors import ImageError, SolverError
from scalebridge.grids.balls import cylinder_array, sphere_lattice, spheres_image
from scalebridge.grids.box import box_voxel, cell_shape
from scalebridge.grids.generators import checkerboard, laminate_image, random_voxels, square_inclusion
from scalebridge.grids.packing import random_spheres

REFERENCE = Path(__file__).parent / "reference"


def near_pairs(centres, edges):
    away = centres[:, None] - centres[None]
    away -= edges * np.round(away / edges)
    distance = np.linalg.norm(away, axis=-1)
    return distance[np.triu_indices(len(centres), 1)]


def cut_share(count, radius, voxel, dim, volume):
    """Largest error of the volume fraction: only voxels within half a diagonal of a surface can be wrong."""
    half = math.sqrt(sum(edge**2 for edge in voxel)) / 2
    ball = math.pi if dim == 2 else 4 / 3 * math.pi
    outer = (radius + half) ** dim - radius**dim
    return count * ball * outer / volume


# Voxel-centre sampling


def test_the_reference_spheres_are_reproduced_voxel_by_voxel():
    # rve_spheres.csv: 30 periodic spheres, fraction 0.30; the digest is the SHA-256 of the bytes of the 64^3
    # uint8 `phase` array that was generated with them (tests/reference/README.md).
    spheres = np.loadtxt(REFERENCE / "rve_spheres.csv", delimiter=",", skiprows=1)
    image = spheres_image(spheres[:, :3], spheres[:, 3], 64)
    digest = hashlib.sha256(image.labels.tobytes()).hexdigest()
    assert digest == "ce831d2c872a048a5a3527f8cf7663b92399aea8a6ac6675641807eba68bc40c"
    assert near_pairs(spheres[:, :3], np.ones(3)).min() > 2 * spheres[0, 3]
    exact = 30 * 4 / 3 * math.pi * spheres[0, 3] ** 3
    assert exact == pytest.approx(0.3, rel=1e-12)
    assert image.fractions[1] == pytest.approx(exact, rel=1e-3)


@given(
    st.lists(st.tuples(*[st.floats(-1.5, 1.5)] * 3), min_size=1, max_size=4),
    st.floats(0.02, 0.8),
    st.tuples(*[st.integers(2, 9)] * 3),
    st.tuples(*[st.floats(0.5, 2.0)] * 3),
)
def test_balls_are_where_the_nearest_image_of_a_centre_is_close(centres, radius, cells, voxel):
    image = spheres_image(centres, radius, cells, voxel=voxel)
    size = np.array(voxel) / (cells[0] * voxel[0])
    places = (np.indices(cells).reshape(3, -1).T + 0.5) * size
    away = places[:, None] - np.array(centres)[None]
    away -= size * cells * np.round(away / (size * cells))
    distance = np.linalg.norm(away, axis=-1).min(axis=1).reshape(cells)
    sure = np.abs(distance - radius) > 1e-9  # elsewhere rounding decides
    assert np.array_equal(image.labels[sure], (distance <= radius)[sure])


@given(st.integers(0, 7), st.integers(0, 7))
def test_moving_all_centres_by_whole_voxels_moves_the_image(dx, dy):
    centres = np.array([[0.21, 0.37], [0.7, 0.9]])
    image = spheres_image(centres, [0.2, 0.13], (8, 8))
    moved = spheres_image(centres + np.array([dx, dy]) / 8, [0.2, 0.13], (8, 8))
    assert np.array_equal(moved.labels, np.roll(image.labels, (dx, dy), (0, 1)))


# Lattices


@pytest.mark.parametrize(("kind", "count"), [("sc", 1), ("bcc", 2), ("fcc", 4)])
@pytest.mark.parametrize("share", [0.1, 0.5])
def test_sphere_lattices_have_the_fraction_and_the_cubes_symmetry(kind, count, share):
    image = sphere_lattice(kind, 48, volume_fraction=share)
    radius = image.source["radius"]
    assert count * 4 / 3 * math.pi * radius**3 == pytest.approx(share, rel=1e-12)
    assert image.fractions[1] == pytest.approx(share, abs=cut_share(count, radius, (1 / 48,) * 3, 3, 1.0))
    labels = image.labels
    for same in (labels.transpose(1, 2, 0), labels.transpose(1, 0, 2), labels[::-1]):
        assert np.array_equal(labels, same)
    assert sphere_lattice(kind, 48, radius=radius).content_hash() == image.content_hash()


@pytest.mark.parametrize(
    ("kind", "most"), [("sc", math.pi / 6), ("bcc", math.pi * 3**0.5 / 8), ("fcc", math.pi * 2**0.5 / 6)]
)
def test_sphere_lattices_go_up_to_touching(kind, most):
    image = sphere_lattice(kind, 8, volume_fraction=most)
    assert image.source["volume_fraction"] == pytest.approx(most, rel=1e-12)
    with pytest.raises(ImageError, match="touch"):
        sphere_lattice(kind, 8, volume_fraction=most + 1e-6)


@pytest.mark.parametrize(("dim", "order", "counts"), [(2, 1.5, [16, 32, 64, 128]), (3, 2.0, [8, 16, 32, 64])])
def test_the_fraction_converges_at_the_order_of_lattice_points_in_a_random_ball(dim, order, counts):
    # Kendall (1948), Quart. J. Math. 19, 1: the number of lattice points in a ball that lies anywhere has a
    # standard deviation of order R^((dim - 1) / 2), so the fraction has one of order n^(-(dim + 1) / 2). 200
    # places know each deviation to 5 %, and four of them the slope to 0.03: 0.15 is five times that.
    centres = np.random.default_rng(0).random((200, 1, dim))
    exact = (math.pi if dim == 2 else 4 / 3 * math.pi) * 0.3**dim
    errors = [[spheres_image(at, 0.3, n).fractions[1] - exact for at in centres] for n in counts]
    deviation = np.sqrt(np.mean(np.square(errors), axis=1))
    assert np.polyfit(np.log(counts), np.log(deviation), 1)[0] == pytest.approx(-order, abs=0.15)


@pytest.mark.parametrize(
    ("arrangement", "count", "height"), [("square", 1, 1.0), ("hexagonal", 2, math.sqrt(3))]
)
@pytest.mark.parametrize("share", [0.3, 0.7])
def test_cylinder_arrays_have_the_fraction_and_the_cells_shape(arrangement, count, height, share):
    image = cylinder_array(60, share, arrangement, voxel=1e-6)
    assert image.shape[1] * image.voxel[1] == pytest.approx(
        height * image.shape[0] * image.voxel[0], rel=1e-12
    )
    radius = image.source["radius"]
    assert count * math.pi * radius**2 / height == pytest.approx(share, rel=1e-12)
    size = np.array(image.voxel) / 60e-6
    assert image.fractions[1] == pytest.approx(share, abs=cut_share(count, radius, size, 2, height))
    solid = cylinder_array((*image.shape, 2), share, arrangement, dim=3, voxel=1e-6)
    assert solid.voxel == pytest.approx((*image.voxel, 1e-6), rel=1e-12)
    assert np.array_equal(solid.labels, np.stack([image.labels] * 2, axis=2))


def test_hexagonal_array_is_centred_and_its_cylinders_have_six_neighbours():
    image = cylinder_array((20, 36), 0.9, "hexagonal", voxel=1.0)
    # Half a cell along both axes leads from one cylinder to the next.
    assert np.array_equal(np.roll(image.labels, (10, 18), (0, 1)), image.labels)
    height = image.shape[1] * image.voxel[1] / (image.shape[0] * image.voxel[0])
    repeats = np.array([(i, j * height) for i in (-1, 0, 1) for j in (-1, 0, 1)])
    centres = np.concatenate([repeats, repeats + np.array([0.5, height / 2])])
    assert np.sum(np.abs(np.linalg.norm(centres, axis=1) - 1) < 1e-12) == 6


# Plain geometry


def test_checkerboards_have_half_of_each_and_alternate():
    for dim in (2, 3):
        image = checkerboard(6, dim=dim)
        assert image.fractions == {0: 0.5, 1: 0.5}
        for axis in range(dim):
            assert np.array_equal(np.roll(image.labels, 3, axis), 1 - image.labels)


@pytest.mark.parametrize("n", [4, 6, 32])
def test_square_inclusion_of_half_the_side_is_a_centred_quarter(n):
    image = square_inclusion(n)
    assert image.fractions == {0: 0.75, 1: 0.25}
    first, last = n // 4, n // 4 + n // 2
    assert image.labels[first:last, first:last].all()


def test_square_inclusion_takes_any_side_of_whole_voxels():
    image = square_inclusion((6, 12), 1 / 3, voxel=2e-6)
    assert image.fractions[1] == pytest.approx(1 / 9, abs=1e-15)
    assert image.voxel == pytest.approx((2e-6, 1e-6), rel=1e-12)


@given(st.lists(st.integers(1, 5), min_size=1, max_size=5), st.sampled_from(["x", 1, "z"]))
def test_laminates_have_their_fractions_exactly(layers, axis):
    n = max(2, sum(layers))
    layers = layers if sum(layers) == n else [n]
    index = {"x": 0, 1: 1, "z": 2}[axis]
    cells = tuple(n if i == index else 2 for i in range(3))
    image = laminate_image([count / n for count in layers], cells, axis=axis)
    assert image.fractions == {label: count / n for label, count in enumerate(layers)}
    profile = np.moveaxis(image.labels, index, 0).reshape(n, -1)
    assert np.array_equal(profile, np.repeat(np.sort(profile[:, :1], axis=0), 4, axis=1))


def test_random_voxels_are_seeded_and_have_the_fraction_within_five_sigma():
    image = random_voxels((20, 30, 40), volume_fraction=0.3, seed=11, voxel=1e-6)
    again = random_voxels((20, 30, 40), volume_fraction=0.3, seed=11, voxel=1e-6)
    other = random_voxels((20, 30, 40), volume_fraction=0.3, seed=12, voxel=1e-6)
    assert image.content_hash() == again.content_hash() != other.content_hash()
    assert image.fractions[1] == pytest.approx(0.3, abs=5 * math.sqrt(0.21 / 24_000))
    assert image.voxel == (1e-6, 1e-6, 1e-6)


# Random packings


@settings(max_examples=12)
@given(
    st.sampled_from([(3, 0.1), (3, 0.3), (3, 0.5), (2, 0.4), (2, 0.7)]),
    st.sampled_from([1, 2, 10, 40]),
    st.integers(0, 1000),
)
def test_random_spheres_never_overlap_and_fill_what_was_asked(case, count, seed):
    dim, share = case
    image = random_spheres(24, volume_fraction=share, count=count, seed=seed, dim=dim)
    centres, radius = np.array(image.source["centres"]), image.source["radius"]
    ball = math.pi if dim == 2 else 4 / 3 * math.pi
    assert centres.shape == (count, dim)
    assert count * ball * radius**dim == pytest.approx(share, rel=1e-12)
    assert near_pairs(centres, np.ones(dim)).min(initial=2.0) >= 2 * radius
    assert 2 * radius <= 1
    assert image.fractions[1] == pytest.approx(share, abs=cut_share(count, radius, (1 / 24,) * dim, dim, 1.0))
    rebuilt = spheres_image(centres, radius, 24)
    assert np.array_equal(rebuilt.labels, image.labels)


@pytest.mark.parametrize("share", [0.2, 0.5])
def test_packings_are_reproducible_by_seed(share):
    def make(seed):
        return random_spheres(16, volume_fraction=share, count=20, seed=seed)

    assert make(4).content_hash() == make(4).content_hash() != make(5).content_hash()
    assert json.loads(json.dumps(make(4).source)) == make(4).source


@pytest.mark.parametrize(
    ("share", "method"), [(0.15, "random sequential addition"), (0.4, "overlap removal")]
)
def test_packings_keep_the_gap(share, method):
    image = random_spheres(16, volume_fraction=share, count=25, seed=2, min_gap=0.02)
    assert image.source["method"].startswith(method)
    radius = image.source["radius"]
    assert near_pairs(np.array(image.source["centres"]), np.ones(3)).min() >= 2 * radius + 0.02


def test_packings_fill_oblong_boxes_with_round_spheres():
    cells, voxel = (20, 40, 16), (2e-6, 1e-6, 1.5e-6)
    image = random_spheres(cells, volume_fraction=0.35, count=40, seed=1, voxel=voxel)
    edges = np.array(cells) * np.array(voxel) / 40e-6
    centres, radius = np.array(image.source["centres"]), image.source["radius"]
    assert near_pairs(centres, edges).min() >= 2 * radius
    assert np.all((centres >= 0) & (centres < edges))
    size = np.array(voxel) / 40e-6
    assert image.fractions[1] == pytest.approx(
        0.35, abs=cut_share(40, radius, size, 3, float(np.prod(edges)))
    )


def test_dense_packings_have_the_contacts_of_the_hard_sphere_fluid():
    # Carnahan and Starling (1969), J. Chem. Phys. 51, 635: g at contact is (1 - phi/2) / (1 - phi)^3, which
    # makes 24 phi 0.01 g neighbours within 1.01 diameters. 500 spheres have 180 such pairs: a standard error
    # of 7.5 %, and 0.3 is four of them.
    image = random_spheres(8, volume_fraction=0.5, count=500, seed=9)
    pairs = near_pairs(np.array(image.source["centres"]), np.ones(3))
    neighbours = 2 * np.sum(pairs < 1.01 * 2 * image.source["radius"]) / 500
    assert neighbours == pytest.approx(24 * 0.5 * 0.01 * 0.75 / 0.125, rel=0.3)


def test_jammed_spheres_are_a_numerical_failure_with_advice():
    with pytest.raises(SolverError, match=r"5 spheres .* jammed.* try another number"):
        random_spheres(8, volume_fraction=0.5, count=5, seed=0)


# Boxes and refusals


def test_voxels_follow_from_the_edge_along_x():
    assert box_voxel(None, (4, 4, 4), (1, 1, 1)) is None
    assert box_voxel(3e-6, (4, 8, 2), (1, 1, None)) == pytest.approx((3e-6, 1.5e-6, 3e-6), rel=1e-15)
    assert box_voxel((1e-6, 2e-6), (4, 9)) == (1e-6, 2e-6)
    assert cell_shape((np.int64(3), 4), 2) == (3, 4)


@pytest.mark.parametrize(
    ("call", "argument", "told"),
    [
        (lambda: sphere_lattice("hcp", 8, radius=0.2), "kind", "sc, bcc, fcc"),
        (lambda: sphere_lattice("sc", 8, volume_fraction=0.53), "volume_fraction", "0.523599"),
        (lambda: sphere_lattice("bcc", 8, radius=0.44), "radius", "0.433013"),
        (lambda: sphere_lattice("fcc", 8, volume_fraction=0.75), "volume_fraction", "0.74048"),
        (lambda: sphere_lattice("sc", 8), "volume_fraction, radius", "neither"),
        (lambda: sphere_lattice("sc", 8, radius=0.1, volume_fraction=0.1), "volume_fraction, radius", "both"),
        (lambda: sphere_lattice("sc", (8, 8, 4), radius=0.2), "voxel", "1 : 1 : 2"),
        (lambda: sphere_lattice("sc", (8, 8), radius=0.2), "cells", "3 of them"),
        (lambda: sphere_lattice("sc", 8, radius=-0.2), "radius", "above 0"),
        (lambda: cylinder_array(8, 0.8), "area_fraction", "0.785398"),
        (lambda: cylinder_array(8, 0.3, "random"), "arrangement", "square, hexagonal"),
        (lambda: cylinder_array(8, 0.3, "hexagonal"), "voxel", "along x in metres"),
        (lambda: cylinder_array(8, 0.3, voxel=(1.0, 2.0)), "voxel", "1 : 1"),
        (lambda: cylinder_array(8, 0.3, voxel=-1.0), "voxel", "positive"),
        (lambda: checkerboard(7), "cells", "even"),
        (lambda: checkerboard(1), "cells", "at least 2"),
        (lambda: square_inclusion(8, 0.3), "fractions", "multiple of 10"),
        (lambda: square_inclusion(8, 1.0), "side", "0.875"),
        (lambda: laminate_image([0.5, 0.25], 8), "fractions", "divide them by their sum"),
        (lambda: laminate_image([1.5, -0.5], 8), "fractions", "positive"),
        (lambda: laminate_image([1 / 3, 2 / 3], 8), "fractions", "a multiple of 3 voxels along x"),
        (lambda: laminate_image([0.5, 0.5], 8, axis="w"), "axis", "x, y, z"),
        (lambda: laminate_image([0.5, 0.5], (8, 8)), "cells", "3 of them"),
        (lambda: random_voxels(8, volume_fraction=1.5, seed=0), "volume_fraction", "at most 1"),
        (lambda: random_voxels(8, volume_fraction=0.5, seed=-1), "seed", "whole number"),
        (lambda: random_spheres(8, volume_fraction=0.6, count=9, seed=0), "volume_fraction", "jamming"),
        (lambda: random_spheres(8, volume_fraction=0.3, count=0, seed=0), "count", "at least 1"),
        (lambda: random_spheres(8, volume_fraction=0.53, count=1, seed=0), "count", "own image"),
        (lambda: random_spheres((40, 40, 8), volume_fraction=0.3, count=1, seed=0), "count", "more spheres"),
        (lambda: random_spheres(8, volume_fraction=0.3, count=9, seed=0, min_gap=0.2), "min_gap", "at most"),
        (
            lambda: random_spheres(8, volume_fraction=0.3, count=9, seed=0, min_gap=-0.1),
            "min_gap",
            "at least 0",
        ),
        (lambda: spheres_image([[0.5, 0.5, np.nan]], 0.1, 8), "centres", "finite"),
        (lambda: spheres_image([0.5, 0.5, 0.5], 0.1, 8), "centres", "shape (3,)"),
        (lambda: spheres_image([[0.5, 0.5, 0.5]], [0.1, 0.2], 8), "radii", "one positive radius"),
        (lambda: spheres_image([[0.5, 0.5, 0.5]], 0.0, 8), "radii", "one positive radius"),
        (lambda: spheres_image([[0.5, 0.5, 0.5]], 0.1, 8.5), "cells", "whole number"),
    ],
)
def test_impossible_images_are_refused_with_a_cure(call, argument, told):
    with pytest.raises(ImageError) as caught:
        call()
    assert caught.value.argument == argument
    assert told in str(caught.value)
    assert caught.value.cure
