"""Ellipsoids, fibres, polycrystals and Gaussian fields: exact geometry, exact fractions, known statistics."""

import itertools
import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from scipy.spatial.transform import Rotation
from scipy.special import kv, ndtr
from scipy.stats import multivariate_normal

from scalebridge.core.errors import ImageError, SolverError
from scalebridge.grids.balls import sphere_lattice, spheres_image
from scalebridge.grids.box import box_edges
from scalebridge.grids.contacts import contact_function, segment_distance
from scalebridge.grids.correlation import two_point
from scalebridge.grids.ellipsoids import ellipsoids_image, random_ellipsoids
from scalebridge.grids.exact_shapes import exact_shapes
from scalebridge.grids.fibres import random_fibres
from scalebridge.grids.gaussian_fields import gaussian_field_image, gaussian_level
from scalebridge.grids.geometry import nearest_image, shifts_within, voxel_centres, wrapped
from scalebridge.grids.insertion import close_pairs, insert_bodies
from scalebridge.grids.operations import crop
from scalebridge.grids.orientations import draw_axes
from scalebridge.grids.packing import random_spheres
from scalebridge.grids.polycrystals import random_polycrystal, voronoi_image
from scalebridge.grids.surface import specific_surface

UNEVEN = {"cells": (18, 12, 15), "voxel": (1e-6, 2e-6, 1.5e-6)}


def every_generator():
    """One image of each kind, on uneven boxes and voxels."""
    rng = np.random.default_rng(5)
    axes = Rotation.random(4, rng).as_matrix()
    return {
        "ellipsoids_image": ellipsoids_image(rng.random((4, 3)), (0.5, 0.2, 0.1), axes=axes, **UNEVEN),
        "random_ellipsoids": random_ellipsoids(
            **UNEVEN, volume_fraction=0.2, count=5, seed=1, aspect=(3, 2, 1)
        ),
        "overlapping ellipsoids": random_ellipsoids(
            **UNEVEN, volume_fraction=0.4, count=5, seed=2, aspect=(9, 1, 1), overlap=True
        ),
        "ellipses": random_ellipsoids((30, 20), volume_fraction=0.3, count=6, seed=3, dim=2),
        "fibres": random_fibres(**UNEVEN, volume_fraction=0.05, count=8, seed=4, aspect=5),
        "overlapping fibres": random_fibres(
            **UNEVEN, volume_fraction=0.3, count=5, seed=4, aspect=20, overlap=True, round_ends=True
        ),
        "endless fibres": random_fibres(
            **UNEVEN,
            volume_fraction=0.4,
            count=5,
            seed=4,
            aspect=None,
            orientation="aligned",
            direction=(0, 1, 0),
        ),
        "strips": random_fibres((30, 20), volume_fraction=0.2, count=6, seed=3, aspect=4, dim=2),
        "voronoi_image": voronoi_image(rng.random((5, 3)), **UNEVEN),
        "laguerre": voronoi_image(rng.random((5, 3)), weights=0.1 * rng.random(5), **UNEVEN),
        "polycrystal": random_polycrystal(**UNEVEN, count=300, seed=6),
        "planar grains": random_polycrystal((30, 20), count=9, seed=6, dim=2),
        "gaussian": gaussian_field_image(**UNEVEN, length=(0.1, 0.2, 0.1), seed=7, volume_fraction=0.3),
        "matern": gaussian_field_image((30, 20), length=0.2, seed=7, level=0.4, correlation="matern", dim=2),
        "peaked": gaussian_field_image((7, 6), length=0.1, seed=7, level=0.0, correlation="peaked", dim=2),
        "spheres_image": spheres_image(rng.random((4, 3)), rng.random(4) / 3, **UNEVEN),
        "random_spheres": random_spheres(**UNEVEN, volume_fraction=0.2, count=4, seed=1),
    }


@pytest.fixture(scope="module")
def images():
    return every_generator()


def periodic_distance(one, other, edges):
    return np.linalg.norm(nearest_image(one - other, edges), axis=-1)


# ---------------------------------------------------------------------------------------- exact geometry


@pytest.mark.parametrize("name", list(every_generator()))
def test_every_image_is_its_exact_geometry_at_the_centres_of_its_voxels(images, name):
    image = images[name]
    shapes = exact_shapes(image)
    edges = box_edges(image.shape, image.voxel)
    assert np.allclose(shapes.edges, edges)
    centres = voxel_centres(image.shape, edges)
    labels = shapes.label_at(centres)
    assert labels.shape == image.shape
    assert np.array_equal(labels, image.labels)
    # and it is periodic, and goes on between the centres
    rng = np.random.default_rng(0)
    points = rng.random((200, image.dim)) * edges
    moved = points + edges * rng.integers(-2, 3, points.shape)
    assert np.mean(shapes.label_at(points) == shapes.label_at(moved)) > 0.99  # rounding at surfaces
    assert len(image.phases) > 1
    assert image.periodic
    assert json.loads(json.dumps(image.source)) == image.source
    assert image.fractions.keys() == set(np.unique(image.labels).tolist())


def test_the_same_seed_gives_the_same_image_and_another_gives_another(images):
    again = every_generator()
    assert all(np.array_equal(again[name].labels, image.labels) for name, image in images.items())
    makers = {
        "ellipsoids": lambda seed: random_ellipsoids(16, volume_fraction=0.2, count=4, seed=seed),
        "fibres": lambda seed: random_fibres(16, volume_fraction=0.1, count=9, seed=seed, aspect=4),
        "grains": lambda seed: random_polycrystal(16, count=4, seed=seed),
        "field": lambda seed: gaussian_field_image(16, length=0.2, volume_fraction=0.5, seed=seed),
    }
    for make in makers.values():
        assert not np.array_equal(make(0).labels, make(1).labels)


def test_the_same_geometry_on_another_grid_is_reached_through_its_points():
    coarse = random_ellipsoids(16, volume_fraction=0.3, count=5, seed=3)
    fine = random_ellipsoids(48, volume_fraction=0.3, count=5, seed=3)
    assert fine.source["centres"] == coarse.source["centres"]
    points = voxel_centres(fine.shape, np.ones(3))
    assert np.array_equal(exact_shapes(coarse).label_at(points), fine.labels)
    # Means over the 27 points of each coarse voxel are its shares to 1/27 and better.
    shares = fine.labels.reshape(16, 3, 16, 3, 16, 3).mean(axis=(1, 3, 5))
    assert abs(shares.mean() - 0.3) < 0.003
    field = gaussian_field_image(10, length=0.2, seed=1, level=0.3)
    finer = gaussian_field_image(31, length=0.2, seed=1, level=0.3)
    points = voxel_centres((31,) * 3, np.ones(3))
    assert np.array_equal(exact_shapes(field).label_at(points), finer.labels)


def test_what_was_worked_on_has_no_exact_shapes_any_more(images):
    cut = crop(images["ellipsoids_image"], (0, 0, 0), (4, 4, 4))
    for image in (cut, sphere_lattice("sc", 8, radius=0.3)):
        with pytest.raises(ImageError) as caught:
            exact_shapes(image)
        assert "random_ellipsoids" in str(caught.value)
    with pytest.raises(ImageError, match="points"):
        exact_shapes(images["fibres"]).label_at([[0.1, 0.2]])
    with pytest.raises(ImageError, match="finite"):
        exact_shapes(images["polycrystal"]).label_at([[0.1, 0.2, np.nan]])


def test_helpers_of_a_periodic_box():
    edges = np.array([1.0, 0.5])
    points = np.array([[-0.1, 0.6], [1.0, 0.5], [-1e-20, 0.2]])
    assert np.all(wrapped(points, edges) < edges)
    assert np.all(wrapped(points, edges) >= 0)
    assert shifts_within(np.array([0.6, 0.2]), edges).shape == (3, 2)
    assert shifts_within(np.array([0.4, 0.2]), edges).shape == (1, 2)


@pytest.mark.parametrize("many", [0, 20_000])  # by a tree, or by a table
@pytest.mark.parametrize("reach", [0.05, 0.19, 0.3, 0.7])
def test_close_pairs_are_all_pairs_within_twice_the_reach(many, reach, monkeypatch):
    monkeypatch.setattr("scalebridge.grids.insertion._MANY", many)
    rng = np.random.default_rng(int(1000 * reach))
    edges = np.array([1.0, 0.8, 1.3])
    places, centres = rng.random((6, 3)) * edges, rng.random((20, 3)) * edges
    one, other, away = close_pairs(places, centres, reach, edges)
    found = {(i, j, *np.round(way, 9)) for i, j, way in zip(one, other, away, strict=True)}
    wanted = set()
    for cell in itertools.product((-2, -1, 0, 1, 2), repeat=3):
        way = centres[None] + np.array(cell) * edges - places[:, None]
        for i, j in np.argwhere(np.sum(way**2, axis=-1) < (2 * reach) ** 2):
            wanted.add((i, j, *np.round(way[i, j], 9)))
    assert len(found) == len(one)
    assert found == wanted


# ------------------------------------------------------------------------------------------- orientations


def test_isotropic_axes_have_an_isotropic_mean():
    for dim in (2, 3):
        axes = draw_axes(20_000, dim, "isotropic", None, np.random.default_rng(0))
        assert np.allclose(axes @ np.swapaxes(axes, 1, 2), np.eye(dim), atol=1e-12)
        assert np.allclose(np.linalg.det(axes), 1)
        for k in range(dim):  # every axis of the particle; 20 000 draws tell the mean to 0.3 %
            mean = np.mean(axes[:, k, :, None] * axes[:, k, None, :], axis=0)
            assert np.allclose(mean, np.eye(dim) / dim, atol=0.015)


@pytest.mark.parametrize("kappa", [0.5, 3.0, 40.0])
def test_concentrated_axes_have_the_mean_of_von_mises_and_fisher(kappa):
    towards = np.array([1.0, -2.0, 0.5])
    towards /= np.linalg.norm(towards)
    first = draw_axes(40_000, 3, kappa, towards, np.random.default_rng(1))[:, 0]
    mean = first.mean(axis=0)
    # Fisher 1953: the mean cosine is coth(kappa) - 1/kappa.
    assert mean @ towards == pytest.approx(1 / math.tanh(kappa) - 1 / kappa, abs=0.01)
    assert np.linalg.norm(mean - (mean @ towards) * towards) < 0.02
    flat = draw_axes(40_000, 2, kappa, (0, 1), np.random.default_rng(1))[:, 0]
    assert np.mean(flat @ [0, 1]) == pytest.approx(iv_ratio(kappa), abs=0.01)


def iv_ratio(kappa):
    from scipy.special import ive

    return float(ive(1, kappa) / ive(0, kappa))  # the mean cosine of von Mises' distribution


def test_planar_axes_lie_in_the_plane_and_aligned_ones_along_the_direction():
    rng = np.random.default_rng(2)
    normal = np.array([1.0, 1.0, 1.0]) / math.sqrt(3)
    first = draw_axes(20_000, 3, "planar", normal, rng)[:, 0]
    assert np.allclose(first @ normal, 0, atol=1e-12)
    assert np.allclose(first.T @ first / 20_000, (np.eye(3) - np.outer(normal, normal)) / 2, atol=0.01)
    for direction in ((1, 0, 0), (-1, 0, 0), (0, 0, 5), (1, 2, 3)):
        axes = draw_axes(3, 3, "aligned", direction, rng)
        assert np.allclose(axes[:, 0], np.array(direction) / np.linalg.norm(direction), atol=1e-12)
        assert np.allclose(np.linalg.det(axes), 1)
        assert np.array_equal(axes[0], axes[2])
    assert np.array_equal(draw_axes(1, 3, "aligned", None, rng)[0], np.eye(3))


# ------------------------------------------------------------------------------------------------ contact


def scale_of_contact(first, second, away):
    """Smallest common scale at which two ellipsoids touch: min over x of the larger of the two norms."""
    one, other = np.linalg.inv(first), np.linalg.inv(second)

    def larger(x):
        return max(x[:-1] @ one @ x[:-1], (x[:-1] - away) @ other @ (x[:-1] - away)) - x[-1]

    start = np.append(away / 2, 0.0)
    start[-1] = larger(start) + 1.0
    found = minimize(
        lambda x: x[-1],
        start,
        constraints=[
            {"type": "ineq", "fun": lambda x: x[-1] - x[:-1] @ one @ x[:-1]},
            {"type": "ineq", "fun": lambda x: x[-1] - (x[:-1] - away) @ other @ (x[:-1] - away)},
        ],
        options={"ftol": 1e-12, "maxiter": 500},
    )
    return found.x[-1]


@pytest.mark.parametrize("seed", range(8))
def test_the_contact_function_is_the_scale_at_which_ellipsoids_touch(seed):
    rng = np.random.default_rng(seed)
    turns = Rotation.random(2, rng).as_matrix()
    matrices = [turn.T @ np.diag(rng.uniform(0.3, 2.0, 3) ** 2) @ turn for turn in turns]
    away = rng.normal(size=3) * 2
    found = contact_function(matrices[0][None], matrices[1][None], away[None])[0]
    assert found == pytest.approx(scale_of_contact(*matrices, away), rel=1e-6)
    back = contact_function(matrices[1][None], matrices[0][None], -away[None])[0]
    assert back == pytest.approx(found, rel=1e-9)
    assert contact_function(4 * matrices[0][None], 4 * matrices[1][None], away[None])[0] == pytest.approx(
        found / 4, rel=1e-9
    )


def test_the_contact_function_of_balls_and_of_ellipses():
    balls = np.array([np.eye(3) * 0.5**2]), np.array([np.eye(3) * 1.5**2])
    assert contact_function(*balls, np.array([[3.0, 0, 0]]))[0] == pytest.approx((3 / 2) ** 2, rel=1e-12)
    flat = np.diag([4.0, 1.0])[None]  # tip to tip along x, side to side along y
    assert contact_function(flat, flat, np.array([[4.0, 0.0]]))[0] == pytest.approx(1, rel=1e-12)
    assert contact_function(flat, flat, np.array([[0.0, 4.0]]))[0] == pytest.approx(4, rel=1e-12)


@settings(max_examples=40)
@given(st.integers(0, 10**6), st.sampled_from([2, 3]), st.booleans())
def test_the_distance_of_segments_is_the_smallest_between_their_points(seed, dim, parallel):
    rng = np.random.default_rng(seed)
    first = draw_axes(1, dim, "isotropic", None, rng)[:, 0]
    second = first.copy() if parallel else draw_axes(1, dim, "isotropic", None, rng)[:, 0]
    away = rng.normal(size=(1, dim))
    half = (float(rng.uniform(0.1, 1.5)), float(rng.uniform(0.1, 1.5)))
    found = segment_distance(first, second, away, half)[0]
    s, t = np.meshgrid(np.linspace(-half[0], half[0], 301), np.linspace(-half[1], half[1], 301))
    points = away[0] + t[..., None] * second[0] - s[..., None] * first[0]
    best = np.linalg.norm(points, axis=-1).min()
    assert found <= best + 1e-12
    assert found >= best - 0.015  # the grid's step


# --------------------------------------------------------------------------------------------- ellipsoids


def test_one_aligned_ellipsoid_is_its_equation():
    image = ellipsoids_image([[0.4, 0.5, 0.3]], (0.3, 0.2, 0.1), 20)
    x = voxel_centres(image.shape, np.ones(3))
    away = x - [0.4, 0.5, 0.3]
    away -= np.round(away)
    inside = np.sum((away / [0.3, 0.2, 0.1]) ** 2, axis=-1) <= 1
    assert np.array_equal(image.labels == 1, inside)


def test_balls_are_ellipsoids_of_equal_axes():
    centres = np.random.default_rng(0).random((5, 3)) * 3 - 1
    axes = Rotation.random(5, rng=np.random.default_rng(1)).as_matrix()
    turned = ellipsoids_image(centres, [0.17] * 3, 24, axes=axes)
    assert np.array_equal(turned.labels, spheres_image(centres, 0.17, 24).labels)


def test_ellipsoids_longer_than_the_box_go_round_it():
    image = ellipsoids_image([[0.5, 0.5]], (2.2, 0.1), (40, 40))
    assert np.all(image.labels[:, 20])  # it covers its line several times
    turned = ellipsoids_image(
        [[0.1, 0.2]], (1.3, 0.04), 50, axes=[[math.cos(0.5), math.sin(0.5)], [-math.sin(0.5), math.cos(0.5)]]
    )
    x = voxel_centres((50, 50), np.ones(2))
    wanted = np.zeros((50, 50), dtype=bool)
    for cell in itertools.product(range(-3, 4), repeat=2):
        local = (x - [0.1, 0.2] - np.array(cell)) @ np.array(turned.source["axes"][0]).T
        wanted |= np.sum((local / [1.3, 0.04]) ** 2, axis=-1) <= 1
    assert np.array_equal(turned.labels == 1, wanted)


def contact_of_all(image, cells=(-1, 0, 1)):
    """Smallest contact function of all pairs and images, one's own too."""
    axes, lengths = np.array(image.source["axes"]), np.array(image.source["semi_axes"])
    centres, edges = np.array(image.source["centres"]), box_edges(image.shape, image.voxel)
    matrices = np.einsum("nki,nk,nkj->nij", axes, lengths**2, axes)
    smallest = math.inf
    for cell in itertools.product(cells, repeat=image.dim):
        away = centres[None] - centres[:, None] + np.array(cell) * edges
        i, j = np.nonzero(np.ones((len(centres),) * 2) if any(cell) else ~np.eye(len(centres), dtype=bool))
        smallest = min(smallest, contact_function(matrices[i], matrices[j], away[i, j]).min())
    return smallest


@pytest.mark.parametrize(
    ("share", "aspect", "orientation", "dim"),
    [
        (0.2, (3, 1, 1), "isotropic", 3),
        (0.2, (1, 3, 3), "planar", 3),
        (0.42, (2, 1, 1), 5.0, 3),
        (0.45, (2, 1.5, 1), "aligned", 3),
        (0.6, (2, 1), "isotropic", 2),
    ],
)
def test_ellipsoids_that_may_not_overlap_do_not_and_have_their_exact_fraction(
    share, aspect, orientation, dim
):
    count = 30
    image = random_ellipsoids(
        40 if dim == 3 else 150,
        volume_fraction=share,
        count=count,
        seed=2,
        aspect=aspect,
        orientation=orientation,
        direction=(0, 1, 1)[:dim] if dim == 3 else None,
        dim=dim,
    )
    assert contact_of_all(image) >= 1
    volumes = exact_shapes(image).volumes
    assert volumes.sum() == pytest.approx(share, rel=1e-12)
    lengths = np.array(image.source["semi_axes"][0])
    assert np.allclose(lengths / lengths[-1], np.array(aspect) / aspect[-1])
    # Voxels cut by the surface are right by chance: a part in a hundred here.
    assert image.fractions[1] == pytest.approx(share, rel=0.01)
    wanted = "overlap removal, then Monte Carlo moves" if share > 0.4 else "random sequential addition"
    assert image.source["method"] == wanted


def test_overlapping_bodies_cover_the_wanted_fraction_in_the_mean():
    shares = [
        random_ellipsoids(
            32, volume_fraction=0.5, count=60, seed=seed, aspect=(2, 1, 1), overlap=True
        ).fractions[1]
        for seed in range(20)
    ]
    assert np.mean(shares) == pytest.approx(0.5, abs=4 * np.std(shares) / math.sqrt(20))
    assert np.std(shares) < 0.05
    shares = [
        random_fibres(32, volume_fraction=0.4, count=60, seed=seed, aspect=4, overlap=True).fractions[1]
        for seed in range(20)
    ]
    assert np.mean(shares) == pytest.approx(0.4, abs=4 * np.std(shares) / math.sqrt(20))


def test_jammed_ellipsoids_are_an_error_that_says_so(monkeypatch):
    monkeypatch.setattr("scalebridge.grids.ellipsoids._STEPS", 20)
    with pytest.raises(SolverError, match=r"still overlap after 3 starts"):
        random_ellipsoids(8, volume_fraction=0.65, count=20, seed=0, aspect=(4, 1, 1))


def test_insertion_stops_when_nothing_fits():
    def never(one, other, away):
        return np.zeros(len(away), dtype=bool)

    centres = insert_bodies(3, 2.0, never, np.ones(2), np.random.default_rng(0))
    assert centres.shape == (1, 2)


# ------------------------------------------------------------------------------------------------- fibres


@pytest.mark.parametrize("round_ends", [False, True])
@pytest.mark.parametrize("dim", [2, 3])
def test_one_fibre_has_the_volume_of_a_cylinder_with_its_ends(round_ends, dim):
    aspect, cells = 3.0, 120
    image = random_fibres(
        cells, volume_fraction=0.03, count=1, seed=3, aspect=aspect, round_ends=round_ends, dim=dim
    )
    radius, length = image.source["radius"], image.source["length"]
    assert length == pytest.approx(2 * radius * aspect)
    straight = length * (math.pi * radius**2 if dim == 3 else 2 * radius)
    ends = (4 / 3 * math.pi * radius**3 if dim == 3 else math.pi * radius**2) if round_ends else 0.0
    assert straight + ends == pytest.approx(0.03, rel=1e-12)
    assert image.fractions[1] == pytest.approx(0.03, rel=0.01)
    # The gyration along its direction: L^2 / 12 for flat ends.
    points = voxel_centres(image.shape, np.ones(dim))[image.labels == 1] - image.source["centres"][0]
    along = (points - np.round(points)) @ image.source["directions"][0]
    if not round_ends:
        assert np.mean(along**2) == pytest.approx(length**2 / 12, rel=0.01)
        assert np.abs(along).max() <= length / 2 * (1 + 1e-9)


@pytest.mark.parametrize("orientation", ["isotropic", "planar", "aligned", 8.0])
def test_fibres_that_may_not_overlap_keep_a_diameter_apart(orientation):
    image = random_fibres(
        24,
        volume_fraction=0.1,
        count=60,
        seed=1,
        aspect=8,
        orientation=orientation,
        direction=(0, 0, 1),
        round_ends=True,
    )
    source = image.source
    centres, directions = np.array(source["centres"]), np.array(source["directions"])
    half = (source["length"] / 2,) * 2
    for cell in itertools.product((-1, 0, 1), repeat=3):
        away = centres[None] - centres[:, None] + np.array(cell)
        i, j = np.nonzero(np.ones((60, 60)) if any(cell) else ~np.eye(60, dtype=bool))
        gaps = segment_distance(directions[i], directions[j], away[i, j], half)
        assert gaps.min() >= 2 * source["radius"]
    tilt = np.mean(directions[:, 2] ** 2)
    kappa = 8.0
    wanted = {
        "isotropic": 1 / 3,
        "planar": 0.0,
        "aligned": 1.0,
        8.0: 1 - 2 / kappa * (1 / math.tanh(kappa) - 1 / kappa),  # second moment of von Mises-Fisher
    }[orientation]
    assert tilt == pytest.approx(wanted, abs=0.12 if orientation in ("isotropic", 8.0) else 1e-12)


@pytest.mark.parametrize("overlap", [False, True])
def test_endless_fibres_are_discs_all_the_way(overlap):
    image = random_fibres(
        (30, 24, 40),
        volume_fraction=0.5,
        count=12,
        seed=3,
        aspect=None,
        orientation="aligned",
        direction=(0, 0, -2),
        overlap=overlap,
    )
    assert np.array_equal(image.labels, np.repeat(image.labels[:, :, :1], 40, axis=2))
    if not overlap:
        centres = np.array(image.source["centres"])[:, :2]
        edges = np.array([1.0, 24 / 30])
        i, j = np.triu_indices(12, 1)
        assert periodic_distance(centres[i], centres[j], edges).min() >= 2 * image.source["radius"]
        assert 12 * math.pi * image.source["radius"] ** 2 / (24 / 30) == pytest.approx(0.5, rel=1e-9)
        assert image.fractions[1] == pytest.approx(0.5, rel=0.03)


def test_fibres_that_find_no_room_are_an_error_that_says_how_many():
    with pytest.raises(SolverError, match=r"only \d+ of 60 fibres"):
        random_fibres(8, volume_fraction=0.35, count=60, seed=0, aspect=4)


# ------------------------------------------------------------------------------------------------- grains


@given(st.integers(1, 8), st.integers(0, 1000), st.booleans(), st.sampled_from([2, 3]))
def test_every_voxel_belongs_to_the_seed_of_the_smallest_power(count, seed, weighted, dim):
    rng = np.random.default_rng(seed)
    seeds = rng.random((count, dim)) * 2 - 0.5
    weights = 0.2 * rng.random(count) if weighted else np.zeros(count)
    shape = (7, 6, 5)[:dim]
    image = voronoi_image(seeds, shape, weights=weights if weighted else None)
    edges = box_edges(shape, None)
    x = voxel_centres(shape, edges)
    powers = np.stack([periodic_distance(x, s, edges) ** 2 - w for s, w in zip(seeds, weights, strict=True)])
    ranked = np.sort(powers, axis=0)
    clear = np.ones(shape, dtype=bool) if count == 1 else ranked[1] - ranked[0] > 1e-9
    assert np.array_equal(image.labels[clear], np.argmin(powers, axis=0)[clear])


def test_two_grains_of_laguerre_meet_where_their_powers_are_equal():
    # Between seeds a distance d apart the plane is (d^2 + w1 - w2) / (2 d) from the first.
    image = voronoi_image([[0.25, 0.5], [0.75, 0.5]], (100, 4), weights=[0.04, 0.0])
    assert image.fractions[0] == pytest.approx(2 * (0.25 + 0.04) / (2 * 0.5), abs=0.011)
    hidden = voronoi_image([[0.25, 0.5], [0.3, 0.5]], (100, 4), weights=[0.9, 0.0])
    assert hidden.phases == (0,)


def test_the_volumes_of_grains_vary_as_gilbert_says():
    # E. N. Gilbert (1962): variance of the volume of Poisson-Voronoi cells over the squared mean: 0.179 in
    # space, 0.280 in the plane. 2000 cells tell it to 5 %, and a fixed number takes 1/2000 away.
    for dim, cells, wanted in ((3, 80, 0.179), (2, 500, 0.280)):
        image = random_polycrystal(cells, count=2000, seed=1, dim=dim)
        volumes = np.array(list(image.fractions.values())) * 2000
        assert len(volumes) > 1990
        assert np.var(volumes) == pytest.approx(wanted, rel=0.15)


def test_grains_have_random_orientations():
    image = random_polycrystal(4, count=5000, seed=3)
    quaternions = np.array(image.source["orientations"])
    assert quaternions.shape == (5000, 4)
    assert np.allclose(np.linalg.norm(quaternions, axis=1), 1)
    turns = Rotation.from_quat(quaternions, scalar_first=True).as_matrix()
    assert np.abs(turns.mean(axis=0)).max() < 0.04  # five deviations of 1 / sqrt(3 * 5000)
    angles = np.array(random_polycrystal(4, count=500, seed=3, dim=2).source["orientations"])
    assert angles.shape == (500,)
    assert angles.min() >= 0
    assert angles.max() < 2 * math.pi


def test_seeds_of_packed_spheres_make_grains_of_more_equal_size():
    seeds = random_spheres(8, volume_fraction=0.45, count=100, seed=0).source["centres"]
    even = np.var(list(voronoi_image(seeds, 40).fractions.values()))
    uneven = np.var(list(random_polycrystal(40, count=100, seed=0).fractions.values()))
    assert even < 0.3 * uneven


# ----------------------------------------------------------------------------------------- Gaussian fields


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        ({"correlation": "gaussian", "length": 0.05}, lambda r: np.exp(-((r / 0.05) ** 2) / 2)),
        ({"correlation": "matern", "length": 0.06, "smoothness": 1.5}, lambda r: matern(r / 0.06, 1.5)),
        ({"correlation": "matern", "length": 0.06, "smoothness": 2.5}, lambda r: matern(r / 0.06, 2.5)),
        ({"correlation": "peaked", "length": 0.1, "bandwidth": 0.02}, lambda r: np.sinc(2 * r / 0.1)),
    ],
)
def test_the_correlation_of_the_field_is_the_one_asked_for(options, wanted):
    image = gaussian_field_image(8, seed=0, level=0.0, **options)
    field = exact_shapes(image)
    r = np.array([0.0, 0.02, 0.05, 0.1])
    along = field.correlation_at(np.stack([r, 0 * r, 0 * r], -1))
    # Without the wave of infinite length the correlation is lower by its share, here 1 % at most; what the
    # shortest waves leave out of the rough field is 0.1 %, and a narrow ring holds few waves.
    tolerance = 0.02 if options["correlation"] != "peaked" else 0.06
    assert np.allclose(along, wanted(r), atol=tolerance)
    assert along[0] == pytest.approx(1, abs=1e-12)
    assert image.source["resolved_variance"] > 0.99


def matern(r, s):
    safe = np.maximum(np.sqrt(2 * s) * r, 1e-9)
    return 2 ** (1 - s) / math.gamma(s) * safe**s * kv(s, safe)


def test_the_field_is_gaussian_of_mean_zero_and_variance_one():
    fields = [
        exact_shapes(gaussian_field_image(4, length=0.1, seed=seed, level=0.0)).values((24, 24, 24))
        for seed in range(12)
    ]
    values = np.array(fields)
    assert np.abs(values.mean(axis=(1, 2, 3))).max() < 1e-12  # no wave of infinite length
    assert values.var() == pytest.approx(1, abs=0.05)
    assert np.mean(values**4) == pytest.approx(3, abs=0.3)
    assert np.mean(values > 1) == pytest.approx(ndtr(-1), abs=0.01)


def test_points_and_grids_see_the_same_field_and_its_slope_is_right():
    field = exact_shapes(gaussian_field_image((6, 9), length=(0.2, 0.3), seed=2, level=0.0, dim=2))
    points = voxel_centres((6, 9), field.edges)
    assert np.allclose(field.values((6, 9)), field.value_at(points), atol=1e-12)
    few = exact_shapes(gaussian_field_image((3, 2), length=0.1, seed=2, level=0.0, dim=2))
    assert max(few.powers.shape) > 3  # more waves than voxels: they fold
    assert np.allclose(few.values((3, 2)), few.value_at(voxel_centres((3, 2), few.edges)), atol=1e-12)


@given(st.floats(0.01, 0.99), st.integers(0, 100))
def test_the_fraction_is_exact_to_a_voxel(share, seed):
    image = gaussian_field_image(9, length=0.2, seed=seed, volume_fraction=share)
    count = min(max(round(share * 729), 1), 728)
    assert image.counts[1] == count
    assert image.source["volume_fraction"] == share


def test_cut_fields_have_the_two_point_probability_of_the_bivariate_normal_distribution():
    # P(both above the level) from the field's own correlation; means over seeds of halves and of a quarter.
    for share in (0.5, 0.25):
        level = gaussian_level(share)
        found = []
        for seed in range(12):
            image = gaussian_field_image(48, length=0.06, seed=seed, level=level)
            found.append(two_point(image, 1, reach=8).along("x").values)
        field = exact_shapes(image)
        lags = np.arange(9) / 48
        rho = field.correlation_at(np.stack([lags, 0 * lags, 0 * lags], -1))
        wanted = [
            multivariate_normal(cov=[[1, r], [r, 1]], allow_singular=True).cdf([-level, -level]) for r in rho
        ]
        spread = np.std(found, axis=0) / math.sqrt(12)
        assert np.all(np.abs(np.mean(found, axis=0) - wanted) < 5 * spread + 1e-4)


def test_the_surface_of_a_cut_field_is_that_of_rice():
    # S = (2/pi) sqrt(-rho''(0)) exp(-t^2/2) in space, with rho'' = -1/l^2 (S. O. Rice 1944; M. Teubner 1991).
    length, level = 0.08, 0.5
    found = [
        specific_surface(gaussian_field_image(80, length=length, seed=seed, level=level), 1) * 80
        for seed in range(5)
    ]
    wanted = 2 / math.pi / length * math.exp(-(level**2) / 2)
    assert np.mean(found) == pytest.approx(wanted, rel=0.04)  # 5 boxes of 1000 / 8 cubic lengths each


def test_lengths_along_the_axes_stretch_the_field():
    image = gaussian_field_image(40, length=(0.2, 0.05, 0.1), seed=3, volume_fraction=0.5)
    found = two_point(image, 1)
    reach = []
    for axis in "xyz":
        curve = found.coefficient().along(axis)
        reach.append(curve.distance[np.flatnonzero(curve.values < 0.5)[0]])
    assert reach[0] > reach[2] > reach[1]


def test_more_waves_than_needed_change_nothing_but_the_draw():
    few = gaussian_field_image(16, length=0.2, seed=0, level=0.0, modes=8)
    assert few.source["modes"] == 8
    assert few.source["resolved_variance"] > 0.999
    rough = gaussian_field_image(16, length=0.2, seed=0, level=0.0, correlation="matern", smoothness=0.5)
    assert rough.source["modes"] == 64
    assert rough.source["resolved_variance"] < 0.999
    assert gaussian_level(0.5) == 0


# ----------------------------------------------------------------------------------------------- refusals

SMALL = {"cells": 8, "seed": 0}


@pytest.mark.parametrize(
    ("call", "argument", "told"),
    [
        (lambda: ellipsoids_image([[0.5] * 4], [0.1] * 4, 8), "centres", "2 or 3"),
        (lambda: ellipsoids_image([[0.5, 0.5, np.inf]], [0.1] * 3, 8), "centres", "finite"),
        (lambda: ellipsoids_image([[0.5] * 3], [0.1] * 2, 8), "semi_axes", "(3,)"),
        (lambda: ellipsoids_image([[0.5] * 3], [0.1, 0.1, 0.0], 8), "semi_axes", "positive"),
        (lambda: ellipsoids_image([[0.5] * 3], [0.1] * 3, 8, axes=2 * np.eye(3)), "axes", "rotations"),
        (lambda: random_ellipsoids(**SMALL, volume_fraction=0.8, count=9), "volume_fraction", "0.7"),
        (lambda: random_ellipsoids(**SMALL, volume_fraction=0.2, count=0), "count", "at least 1"),
        (lambda: random_ellipsoids(**SMALL, volume_fraction=0.2, count=2.5), "count", "whole"),
        (lambda: random_ellipsoids(**SMALL, volume_fraction=0.2, count=9, aspect=(1, 2)), "aspect", "3"),
        (lambda: random_ellipsoids(**SMALL, volume_fraction=0.2, count=9, aspect=3), "aspect", "3"),
        (lambda: random_ellipsoids(**SMALL, volume_fraction=0.2, count=1, aspect=(9, 1, 1)), "count", "own"),
        (
            lambda: random_ellipsoids(**SMALL, volume_fraction=0.2, count=9, orientation="random"),
            "orientation",
            "isotropic",
        ),
        (
            lambda: random_ellipsoids(**SMALL, volume_fraction=0.2, count=9, orientation=-1.0),
            "orientation",
            "concentration",
        ),
        (
            lambda: random_ellipsoids(8, seed=0, volume_fraction=0.2, count=9, orientation="planar", dim=2),
            "orientation",
            "aligned",
        ),
        (
            lambda: random_ellipsoids(
                **SMALL, volume_fraction=0.2, count=9, orientation="aligned", direction=(0, 0, 0)
            ),
            "direction",
            "not all zero",
        ),
        (lambda: random_ellipsoids(8, volume_fraction=0.2, count=9, seed=-1), "seed", "whole"),
        (lambda: random_fibres(**SMALL, volume_fraction=0.8, count=9), "volume_fraction", "0.72"),
        (lambda: random_fibres(**SMALL, volume_fraction=0.1, count=9, aspect=0), "aspect", "positive"),
        (lambda: random_fibres(**SMALL, volume_fraction=0.1, count=2, aspect=50), "count", "own image"),
        (lambda: random_fibres(**SMALL, volume_fraction=0.1, count=9, aspect=None), "aspect", "aligned"),
        (
            lambda: random_fibres(
                **SMALL, volume_fraction=0.1, count=9, aspect=None, orientation="aligned", direction=(1, 1, 0)
            ),
            "aspect",
            "an edge",
        ),
        (lambda: voronoi_image([0.5, 0.5], 8), "seeds", "(count, 2 or 3)"),
        (lambda: voronoi_image([[0.5, np.nan]], 8), "seeds", "finite"),
        (lambda: voronoi_image([[0.5, 0.5]], 8, weights=[1, 2]), "weights", "1 finite"),
        (lambda: random_polycrystal(**SMALL, count=-3), "count", "at least 1"),
        (lambda: random_polycrystal(8, count=3, seed=1.5), "seed", "whole"),
        (lambda: gaussian_field_image(**SMALL, length=0.1), "volume_fraction, level", "neither"),
        (
            lambda: gaussian_field_image(**SMALL, length=0.1, level=0, volume_fraction=0.5),
            "volume_fraction, level",
            "both",
        ),
        (lambda: gaussian_field_image(**SMALL, length=0.1, level=np.inf), "level", "finite"),
        (lambda: gaussian_field_image(**SMALL, length=0.1, volume_fraction=1.0), "volume_fraction", "0"),
        (lambda: gaussian_field_image(**SMALL, length=-0.1, level=0), "length", "positive"),
        (lambda: gaussian_field_image(**SMALL, length=(1, 2), level=0), "length", "or 3"),
        (
            lambda: gaussian_field_image(**SMALL, length=0.1, level=0, correlation="cubic"),
            "correlation",
            "matern",
        ),
        (
            lambda: gaussian_field_image(**SMALL, length=0.1, level=0, smoothness=0),
            "smoothness",
            "positive",
        ),
        (lambda: gaussian_field_image(**SMALL, length=0.1, level=0, bandwidth="x"), "bandwidth", "positive"),
        (lambda: gaussian_field_image(**SMALL, length=0.1, level=0, modes=0), "modes", "1 to 512"),
        (
            lambda: gaussian_field_image(**SMALL, length=50.0, level=0, correlation="peaked"),
            "length",
            "fit into the box",
        ),
        (lambda: gaussian_level(0.0), "volume_fraction", "above 0"),
    ],
)
def test_impossible_images_are_refused_with_a_cure(call, argument, told):
    with pytest.raises(ImageError) as caught:
        call()
    assert caught.value.argument == argument
    assert told in str(caught.value)
    assert caught.value.cure
