import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from scalebridge.core.errors import ImageError, PhaseError
from scalebridge.grids.balls import sphere_lattice
from scalebridge.grids.composite import CompositeImage
from scalebridge.grids.composite_images import (
    coarsen_composite,
    composite_from_grey,
    composite_from_labels,
    mirror_composite,
    smooth_composite,
)
from scalebridge.grids.composite_shapes import composite_from_shape
from scalebridge.grids.image import VoxelImage
from scalebridge.grids.interface_normals import interface_normals
from scalebridge.grids.operations import coarsen

PLAIN = VoxelImage(np.array([[0, 0], [1, 1]]), voxel=(1e-6, 1e-6), names={0: "pore"})


def made(**changes):
    given = {
        "majority": PLAIN,
        "phases": (0, 1),
        "mixed": [2],
        "parts": [[0.4, 0.6]],
        "normals": [[1.0, 0.0]],
    }
    return CompositeImage(**{**given, **changes})


@st.composite
def fine_images(draw):
    shape = tuple(2 * n for n in draw(hnp.array_shapes(min_dims=2, max_dims=3, min_side=2, max_side=4)))
    labels = draw(hnp.arrays(np.int16, shape, elements=st.integers(-1, 2)))
    return VoxelImage(labels, voxel=(2e-6,) * len(shape), periodic=draw(st.booleans()))


def half_space(normal, offset):
    def label_at(points):
        return ((points - 0.5) @ normal < offset).astype(int)

    return label_at


def ball(radius, dim):
    def label_at(points):
        return (((points - 0.5) ** 2).sum(axis=1) < radius**2).astype(int)

    return label_at


def angles(normals, exact):
    """Degrees between directions, whose sign does not count."""
    cosine = np.abs(np.sum(normals * exact, axis=1))
    return np.degrees(np.arccos(np.minimum(cosine, 1.0)))


# ------------------------------------------------------------------------------------------- the image


def test_what_a_composite_image_says_of_itself():
    image = made()
    assert image.fractions == {0: 0.6, 1: 0.4}
    assert (image.shape, image.dim, image.size, image.voxel) == ((2, 2), 2, 4, (1e-6, 1e-6))
    assert (image.name(0), image.periodic, image.aspect) == ("pore", True, (1.0, 1.0))
    assert image.table_index().tolist() == [[0, 0], [2, 1]]
    assert "1 of them mixed" in repr(image)
    for array in (image.mixed, image.parts, image.normals):
        with pytest.raises(ValueError, match="read-only"):
            array[...] = 0


def test_a_phase_may_live_in_mixed_voxels_only():
    image = made(phases=(0, 1, 7), parts=[[0.2, 0.5, 0.3]])
    assert image.fractions == pytest.approx({0: 0.55, 1: 0.375, 7: 0.075})
    assert image.share(7).tolist() == [[0, 0], [0.3, 0]]
    assert image.table_index().max() == 3


def test_the_hash_knows_everything_that_decides_numbers():
    others = [
        made(parts=[[0.3, 0.7]]),
        made(normals=[[0.0, 1.0]]),
        made(mixed=[3]),
        made(majority=VoxelImage(PLAIN.labels)),
        made(phases=(0, 1, 2), parts=[[0.4, 0.6, 0.0]]),
    ]
    hashes = {image.content_hash() for image in [made(), *others]}
    assert len(hashes) == 6
    named = VoxelImage(PLAIN.labels, voxel=PLAIN.voxel, names={0: "void"})
    assert made(majority=named).content_hash() == made().content_hash()


REFUSED = [
    ({"phases": (1, 0)}, PhaseError, "phases"),
    ({"phases": (0,)}, PhaseError, "phases"),
    ({"phases": ()}, PhaseError, "phases"),
    ({"mixed": [4]}, ImageError, "mixed"),
    ({"mixed": [-1]}, ImageError, "mixed"),
    ({"mixed": [2, 2], "parts": [[0.4, 0.6]] * 2, "normals": [[1.0, 0.0]] * 2}, ImageError, "mixed"),
    ({"parts": [[0.4, 0.5]]}, ImageError, "parts[0]"),
    ({"parts": [[-0.1, 1.1]]}, ImageError, "parts[0]"),
    ({"parts": [[np.nan, 1.0]]}, ImageError, "parts[0]"),
    ({"parts": [[1.0]]}, ImageError, "parts"),
    ({"normals": [[1.0, 0.1]]}, ImageError, "normals[0]"),
    ({"normals": [[np.nan, 0.0]]}, ImageError, "normals[0]"),
    ({"normals": [[1.0, 0.0, 0.0]]}, ImageError, "normals"),
]


@pytest.mark.parametrize(("changes", "error", "argument"), REFUSED)
def test_arrays_that_do_not_fit_are_refused(changes, error, argument):
    with pytest.raises(error) as caught:
        made(**changes)
    assert caught.value.argument == argument


def test_a_label_that_does_not_occur_is_refused():
    with pytest.raises(PhaseError):
        made().share(5)


# --------------------------------------------------------------------------------- from labels, coarser


@given(fine_images())
def test_blocks_keep_every_fraction_exactly(fine):
    coarse = composite_from_labels(fine, 2)
    assert coarse.fractions == pytest.approx(fine.fractions, abs=1e-14)
    assert np.array_equal(coarse.labels, coarsen(fine, 2).labels)
    assert coarse.voxel == (4e-6,) * fine.dim
    whole = sum(coarse.share(label) for label in coarse.phases)
    np.testing.assert_allclose(whole, 1.0, atol=1e-14)
    pure = np.ones(coarse.size, dtype=bool)
    pure[coarse.mixed] = False
    blocks = fine.labels.reshape([k for n in coarse.shape for k in (n, 2)])
    low, high = (extreme(axis=tuple(range(1, 2 * fine.dim, 2))) for extreme in (blocks.min, blocks.max))
    assert np.array_equal(pure.reshape(coarse.shape), low == high)


def test_coarsening_twice_is_coarsening_once():
    fine = sphere_lattice("bcc", 32, volume_fraction=0.3)
    once, twice = composite_from_labels(fine, 4), coarsen_composite(composite_from_labels(fine, 2), 2)
    for label in (0, 1):
        np.testing.assert_allclose(once.share(label), twice.share(label), atol=1e-14)
    np.testing.assert_array_equal(once.mixed, twice.mixed)
    assert (
        np.max(angles(once.normals, twice.normals)) < 1e-3
    )  # float32 shares; a degenerate direction excepted
    assert [step["operation"] for step in twice.source["operations"]] == [
        "composite_from_labels",
        "coarsen_composite",
    ]


def test_faces_along_voxel_faces_stay_pure():
    step = VoxelImage(np.repeat([[0, 0, 1, 1]], 4, axis=0))
    assert composite_from_labels(step, 2).mixed.size == 0
    with pytest.raises(ImageError, match="factor"):
        composite_from_labels(step, 3)
    with pytest.raises(ImageError, match="factor"):
        coarsen_composite(composite_from_labels(step, 1), (2, 0))


def test_mirroring_undoes_itself_about_every_face():
    image = composite_from_shape(half_space(np.array([0.8, 0.6]), 0.1), (6, 4), dim=2, periodic=False)
    doubled = mirror_composite(image)
    assert doubled.periodic
    assert doubled.fractions == pytest.approx(image.fractions)
    share = doubled.share(1)
    for axis in (0, 1):
        np.testing.assert_array_equal(share, np.flip(share, axis))
    again = interface_normals(lambda _: share, 2, doubled.mixed, (1.0, 1.0), periodic=True)
    inside = ~np.isin(np.unravel_index(doubled.mixed, doubled.shape)[0], (0, 5, 6, 11))
    assert np.max(angles(again, doubled.normals)[inside]) < 25  # the crease along the faces bends them


# ------------------------------------------------------------------------------------------------ grey


def test_grey_values_are_read_linearly_and_clipped():
    grey = np.array([[8.0, 10.0, 16.9], [17.1, 45.0, 72.3], [73.1, 80.0, 95.0]])
    image = composite_from_grey(grey, {3: 10.0, 5: 80.0}, tolerance=0.1, names={3: "pore"})
    np.testing.assert_allclose(image.share(5), [[0, 0, 0], [7.1 / 70, 0.5, 0.89], [1, 1, 1]], atol=1e-15)
    assert image.mixed.tolist() == [3, 4, 5]
    assert not image.periodic
    assert image.name(3) == "pore"
    dark_is_one = composite_from_grey(grey, {3: 80.0, 5: 10.0})
    np.testing.assert_allclose(dark_is_one.share(3), image.share(5), atol=1e-15)


def test_a_tolerance_of_one_half_makes_a_plain_image():
    grey = np.arange(12.0).reshape(3, 4)
    image = composite_from_grey(grey, {0: 0.0, 1: 10.0}, tolerance=0.5)
    assert image.mixed.size == 0
    assert np.array_equal(image.labels, grey > 5)


GREY = np.array([[1.0, 2.0], [3.0, 4.0]])
GREY_REFUSED = [
    ({"grey": GREY * np.nan}, ImageError, "grey"),
    ({"grey": GREY.astype(complex)}, ImageError, "grey"),
    ({"levels": {0: 1.0}}, PhaseError, "levels"),
    ({"levels": {0: 1.0, 1: 1.0}}, PhaseError, "levels"),
    ({"levels": {0: 1.0, 1: np.inf}}, PhaseError, "levels"),
    ({"levels": {0.5: 1.0, 1: 2.0}}, PhaseError, "levels"),
    ({"levels": [1.0, 2.0]}, PhaseError, "levels"),
    ({"tolerance": 0.6}, ImageError, "tolerance"),
    ({"tolerance": "0.1"}, ImageError, "tolerance"),
]


@pytest.mark.parametrize(("changes", "error", "argument"), GREY_REFUSED)
def test_grey_images_that_cannot_be_read_are_refused(changes, error, argument):
    with pytest.raises(error) as caught:
        composite_from_grey(**{"grey": GREY, "levels": {0: 1.0, 1: 4.0}, **changes})
    assert caught.value.argument == argument


# ---------------------------------------------------------------------------------------------- shapes


@pytest.mark.parametrize(("dim", "cells", "within"), [(2, 32, 2e-4), (3, 16, 1e-3)])
def test_a_ball_has_its_volume(dim, cells, within):
    image = composite_from_shape(ball(0.35, dim), cells, dim=dim)
    volume = {2: np.pi * 0.35**2, 3: 4 / 3 * np.pi * 0.35**3}[dim]
    assert abs(image.fractions[1] - volume) < within
    middles = (np.stack(np.unravel_index(image.mixed, image.shape), axis=1) + 0.5) / cells - 0.5
    gap = np.abs(np.linalg.norm(middles, axis=1) - 0.35)
    assert np.all(gap < 0.5 * np.sqrt(dim) / cells), "only voxels that the surface cuts are mixed"


def test_shapes_in_a_box_of_other_edges():
    image = composite_from_shape(lambda x: (x[:, 1] > 1.25).astype(int), (4, 8), dim=2, voxel=(1.0, 1.0))
    assert image.fractions[1] == pytest.approx((2 - 1.25) / 2)
    assert np.all(np.abs(image.normals) == [0.0, 1.0])


def test_exact_normals_are_taken_and_made_unit():
    def outward(points):
        return 7 * (points - 0.5)

    image = composite_from_shape(ball(0.3, 2), 16, dim=2, normal_at=outward)
    middles = (np.stack(np.unravel_index(image.mixed, image.shape), axis=1) + 0.5) / 16 - 0.5
    assert np.max(angles(image.normals, middles / np.linalg.norm(middles, axis=1, keepdims=True))) < 1e-5


SHAPE_REFUSED = [
    ({"label_at": lambda x: x[:, 0]}, "label_at"),
    ({"label_at": lambda x: np.zeros(3, int)}, "label_at"),
    ({"samples": 0}, "samples"),
    ({"samples": 2.5}, "samples"),
    ({"cells": 1}, "cells"),
    ({"normal_at": lambda x: x[:, 0]}, "normal_at"),
    ({"normal_at": lambda x: 0 * x}, "normal_at"),
]


@pytest.mark.parametrize(("changes", "argument"), SHAPE_REFUSED)
def test_shapes_that_cannot_be_sampled_are_refused(changes, argument):
    with pytest.raises(ImageError) as caught:
        composite_from_shape(**{"label_at": ball(0.3, 2), "cells": 8, "dim": 2, **changes})
    assert caught.value.argument == argument


# --------------------------------------------------------------------------------------------- normals


@pytest.mark.parametrize("dim", [2, 3])
def test_normals_of_planes(dim):
    rng = np.random.default_rng(0)
    found = []
    for _ in range(20 if dim == 2 else 6):
        normal = rng.normal(size=dim)
        normal /= np.linalg.norm(normal)
        cells = 20 if dim == 2 else 12
        image = composite_from_shape(
            half_space(normal, rng.uniform(-0.15, 0.15)), cells, dim=dim, periodic=False
        )
        places = np.stack(np.unravel_index(image.mixed, image.shape), axis=1)
        inside = np.all((places > 1) & (places < cells - 2), axis=1)
        found.append(angles(image.normals[inside], normal))
    every = np.concatenate(found)
    # The stencil's own error: it is not smooth enough to see the kinks of the shares between voxels.
    assert np.sqrt(np.mean(every**2)) < 1.2
    assert np.max(every) < 2.2


@pytest.mark.parametrize("dim", [2, 3])
@pytest.mark.parametrize("radius", [4, 8])
def test_normals_of_balls(dim, radius):
    cells = 3 * radius
    image = composite_from_shape(ball(1 / 3, dim), cells, dim=dim)
    middles = (np.stack(np.unravel_index(image.mixed, image.shape), axis=1) + 0.5) / cells - 0.5
    error = angles(image.normals, middles / np.linalg.norm(middles, axis=1, keepdims=True))
    assert np.sqrt(np.mean(error**2)) < 1.0
    assert np.max(error) < 2.5


def test_normals_are_physical_in_flat_voxels():
    normal = np.array([0.6, 0.8])
    image = composite_from_shape(
        half_space(normal, 0.02), (40, 10), dim=2, voxel=(1e-6, 4e-6), periodic=False
    )
    places = np.stack(np.unravel_index(image.mixed, image.shape), axis=1)
    inside = np.all((places > 1) & (places < np.array([37, 7])), axis=1)
    assert np.max(angles(image.normals[inside], normal)) < 5  # the kinks are seen at every fourth step only
    swapped = angles(image.normals[inside], np.array([0.6 / 4, 0.8]) / np.hypot(0.15, 0.8))
    assert np.min(swapped) > 20, "index space would give another direction"


def test_a_thin_gap_does_not_cancel_the_normal():
    share = np.ones((9, 9))
    share[:, 4] = 0.4  # a layer thinner than a voxel between two half-spaces
    found = interface_normals(lambda _: share, 2, np.array([4 * 9 + 4]), (1.0, 1.0), periodic=False)
    np.testing.assert_allclose(np.abs(found), [[0.0, 1.0]], atol=1e-12)


def test_at_the_faces_a_sample_is_reflected_and_a_periodic_one_goes_on():
    share = np.zeros((8, 8))
    share[:4] = 1.0
    first = np.array([3])  # (0, 3): at the low face the periodic image has a second interface
    periodic = interface_normals(lambda _: share, 2, first, (1.0, 1.0), periodic=True)
    np.testing.assert_allclose(np.abs(periodic), [[1.0, 0.0]], atol=1e-12)
    slanted = np.add.outer(np.arange(8.0), 2 * np.arange(8.0)) / 21
    corner = interface_normals(lambda _: slanted, 2, np.array([27]), (1.0, 1.0), periodic=False)
    np.testing.assert_allclose(np.abs(corner), [[1, 2] / np.sqrt(5)], atol=1e-12)
    edge = interface_normals(lambda _: slanted, 2, np.array([3]), (1.0, 1.0), periodic=False)
    assert np.abs(edge[0, 0]) < np.abs(corner[0, 0]), "the mirror flattens the slope across the face"


def test_of_many_phases_the_one_that_varies_most_decides():
    fields = np.zeros((3, 6, 6))
    fields[0, :3] = 1.0  # a strong step along x
    fields[1] = 0.05 * np.linspace(0, 1, 6)
    found = interface_normals(lambda i: fields[i], 3, np.array([14]), (1.0, 1.0), periodic=False)
    assert np.abs(found[0, 0]) > 0.999


# ------------------------------------------------------------------------------------------- smoothing


@given(fine_images())
def test_smoothing_keeps_fractions_and_pure_neighbourhoods(image):
    smooth = smooth_composite(image)
    if image.periodic:
        assert smooth.fractions == pytest.approx(image.fractions, abs=1e-12)
    pure = np.setdiff1d(np.arange(image.size), smooth.mixed)
    assert np.array_equal(smooth.labels.reshape(-1)[pure], image.labels.reshape(-1)[pure])
    assert np.all(np.abs(smooth.parts.sum(axis=1) - 1) < 1e-12)


def test_smoothing_halves_the_scatter_of_a_slanted_plane():
    normal = np.array([0.6, 0.8])
    middles = (np.stack(np.meshgrid(*[np.arange(32)] * 2, indexing="ij"), axis=-1) + 0.5) / 32
    labels = half_space(normal, 0.0)(middles.reshape(-1, 2)).reshape(32, 32)
    smooth = smooth_composite(VoxelImage(labels, periodic=False))
    places = np.stack(np.unravel_index(smooth.mixed, smooth.shape), axis=1)
    inside = np.all((places > 2) & (places < 29), axis=1)
    assert np.median(angles(smooth.normals[inside], normal)) < 6
