import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from scalebridge.core.errors import ImageError, PhaseError
from scalebridge.grids.image import VoxelImage
from scalebridge.grids.operations import coarsen, crop, mirror, refine, relabel
from scalebridge.grids.thresholds import otsu_threshold, threshold


@st.composite
def images(draw, highest=4):
    shape = draw(hnp.array_shapes(min_dims=2, max_dims=3, min_side=2, max_side=5))
    labels = draw(hnp.arrays(np.int16, shape, elements=st.integers(-2, highest)))
    voxel = tuple(draw(st.floats(1e-7, 1e-5)) for _ in shape)
    return VoxelImage(labels, voxel=voxel, names={0: "pore", 1: "solid"}, periodic=draw(st.booleans()))


@given(images(), st.data())
def test_crop_is_the_slice(image, data):
    origin = [data.draw(st.integers(0, n - 2)) for n in image.shape]
    size = [data.draw(st.integers(2, n - start)) for n, start in zip(image.shape, origin, strict=True)]
    cut = crop(image, origin, size)
    box = tuple(slice(start, start + length) for start, length in zip(origin, size, strict=True))
    assert np.array_equal(cut.labels, image.labels[box])
    assert (cut.voxel, cut.names) == (image.voxel, image.names)
    assert cut.periodic == (image.periodic and cut.shape == image.shape)
    assert cut.source["operations"] == [{"operation": "crop", "origin": origin, "size": size}]


@given(images(), st.data())
def test_mirror_is_even_about_every_face_and_a_crop_undoes_it(image, data):
    axes = data.draw(st.lists(st.sampled_from("xyz"[: image.dim]), min_size=1, unique=True))
    doubled = mirror(image, axes)
    for axis in axes:
        assert np.array_equal(doubled.labels, np.flip(doubled.labels, "xyz".index(axis)))
    assert doubled.periodic == (image.periodic or len(axes) == image.dim)
    assert doubled.fractions == image.fractions
    assert crop(doubled, [0] * image.dim, image.shape).content_hash() == image.content_hash()


def test_mirror_doubles_all_axes_unless_told():
    image = VoxelImage(np.arange(6).reshape(2, 3), periodic=False)
    assert mirror(image).shape == (4, 6)
    assert mirror(image).periodic
    assert not mirror(image, "x").periodic
    assert mirror(image, [1]).shape == (2, 6)


@given(images(), st.permutations(range(-2, 5)))
def test_a_bijective_relabel_is_undone_by_its_inverse(image, order):
    forward = {old: new for old, new in zip(range(-2, 5), order, strict=True) if old in image.phases}
    changed = relabel(image, forward)
    assert sorted(changed.fractions.values()) == sorted(image.fractions.values())
    back = relabel(changed, {new: old for old, new in forward.items()})
    assert back.content_hash() == image.content_hash()


def test_relabel_swaps_merges_and_names():
    image = VoxelImage(np.array([[0, 1, 2, 5]]), names={0: "pore", 1: "quartz", 2: "feldspar"})
    swapped = relabel(image, {0: 1, 1: 0})
    assert swapped.labels.tolist() == [[1, 0, 2, 5]]
    assert swapped.names == {1: "pore", 0: "quartz", 2: "feldspar"}
    merged = relabel(image, {2: 1, 5: -1})
    assert merged.labels.tolist() == [[0, 1, 1, -1]]
    assert merged.names == {0: "pore", 1: "quartz + feldspar"}
    assert relabel(image, {2: 1}, names={1: "grains"}).names[1] == "grains"


@given(images(), st.data())
def test_coarsen_undoes_refine(image, data):
    factor = [data.draw(st.integers(1, 3)) for _ in image.shape]
    back = coarsen(refine(image, factor), factor)
    assert np.array_equal(back.labels, image.labels)
    assert back.voxel == pytest.approx(image.voxel, rel=1e-15)


@given(images(highest=1))
def test_coarsen_is_the_vote_with_ties_to_the_smaller_label(image):
    image = refine(crop(image, [0] * image.dim, [2] * image.dim), 2)
    noise = np.random.default_rng(image.size).integers(0, 3, image.shape)
    noisy = VoxelImage(np.where(noise == 0, image.labels, noise))
    expected = np.empty((2,) * image.dim, dtype=int)
    for block in np.ndindex(expected.shape):
        values = noisy.labels[tuple(slice(2 * i, 2 * i + 2) for i in block)]
        found, counts = np.unique(values, return_counts=True)
        expected[block] = found[np.argmax(counts)]  # argmax takes the first, hence smallest, of equals
    assert np.array_equal(coarsen(noisy, 2).labels, expected)


def test_coarsen_enlarges_voxels_by_axis():
    image = VoxelImage(np.zeros((4, 6), dtype=int), voxel=(1e-6, 2e-6))
    coarse = coarsen(image, (2, 3))
    assert coarse.shape == (2, 2)
    assert coarse.voxel == pytest.approx((2e-6, 6e-6), rel=1e-15)


def test_steps_are_noted_in_order_and_the_first_image_is_left_alone():
    image = VoxelImage(np.zeros((4, 4), dtype=int), source={"path": "rock.tif"})
    last = mirror(coarsen(image, 2), "x")
    assert image.source == {"path": "rock.tif"}
    assert last.source["path"] == "rock.tif"
    assert [step["operation"] for step in last.source["operations"]] == ["coarsen", "mirror"]


@given(
    hnp.arrays(np.float64, (4, 5), elements=st.floats(-10, 10)),
    st.lists(st.floats(-9, 9), min_size=1, max_size=4, unique=True),
)
def test_threshold_counts_the_thresholds_below(grey, at):
    image = threshold(grey, sorted(at))
    expected = sum((grey > level).astype(int) for level in at)
    assert np.array_equal(image.labels, expected)
    assert not image.periodic
    assert image.source == {"threshold": sorted(at)}


def test_threshold_keeps_voxel_and_names():
    image = threshold(
        np.array([[1, 5]], dtype=np.uint8), 3, voxel=(1e-6, 1e-6), names={0: "pore", 1: "solid"}
    )
    assert image.labels.tolist() == [[0, 1]]
    assert (image.voxel, image.names) == ((1e-6, 1e-6), {0: "pore", 1: "solid"})


@given(hnp.arrays(np.uint8, 40, elements=st.integers(0, 60)).filter(lambda grey: np.ptp(grey) > 0))
def test_otsu_beats_every_other_threshold_on_whole_numbers(grey):
    def within(at):
        low, high = grey[grey <= at], grey[grey > at]
        return (low.size * low.var() + high.size * high.var()) / grey.size

    found = otsu_threshold(grey)
    # Largest variance between the classes is least variance within them (their sum is fixed).
    least = min(within(at) for at in range(int(grey.min()), int(grey.max())))
    assert within(found) <= least + 1e-9 * grey.var()


def test_otsu_separates_two_normal_classes_of_real_numbers():
    rng = np.random.default_rng(3)
    grey = np.concatenate([rng.normal(-1, 0.2, 5000), rng.normal(1, 0.2, 5000)]).reshape(100, 100)
    # Equal classes: the best threshold is the middle; a sample of 1e4 and 256 bins of 0.014 place it to 0.05.
    assert otsu_threshold(grey) == pytest.approx(0.0, abs=0.05)
    scaled = otsu_threshold((1000 * grey).astype(np.int32))
    assert scaled == pytest.approx(0.0, abs=50)


_IMAGE = VoxelImage(np.arange(24).reshape(2, 3, 4))


@pytest.mark.parametrize(
    ("call", "kind", "argument", "told"),
    [
        (lambda: crop(_IMAGE, (0, 0, 0), (2, 3, 5)), ImageError, "size", "along z"),
        (lambda: crop(_IMAGE, (-1, 0, 0), (2, 2, 2)), ImageError, "origin", "at least 0"),
        (lambda: crop(_IMAGE, (0, 0), (2, 2)), ImageError, "origin", "3 whole numbers"),
        (lambda: crop(_IMAGE, (0, 0, 0.5), (2, 2, 2)), ImageError, "origin", "whole numbers"),
        (lambda: crop(_IMAGE, (0, 0, 0), (2, 2, 0)), ImageError, "size", "at least 1"),
        (lambda: crop(_IMAGE, (0, 0, 0), (2, 2, 1)), ImageError, "labels", "drop the last axis"),
        (lambda: mirror(_IMAGE, "xx"), ImageError, "axes", "once"),
        (lambda: mirror(_IMAGE, ()), ImageError, "axes", "mirror all"),
        (lambda: mirror(_IMAGE, "w"), ImageError, "axis", "x, y, z"),
        (lambda: relabel(_IMAGE, {99: 0}), PhaseError, "mapping", "99"),
        (lambda: relabel(_IMAGE, {0: 0.5}), PhaseError, "mapping", "whole numbers"),
        (lambda: coarsen(_IMAGE, 2), ImageError, "factor", "crop to 2 voxels along y"),
        (lambda: coarsen(_IMAGE, 0), ImageError, "factor", "at least 1"),
        (lambda: coarsen(_IMAGE, (1, 1)), ImageError, "factor", "3 whole numbers"),
        (lambda: refine(_IMAGE, -2), ImageError, "factor", "at least 1"),
        (lambda: threshold(np.array([[np.nan, 1.0]]), 0.5), ImageError, "grey", "1 NaN"),
        (lambda: threshold(np.array([[1j, 1.0]]), 0.5), ImageError, "grey", "real"),
        (lambda: threshold(np.array([["a"]]), 0.5), ImageError, "grey", "real"),
        (lambda: threshold(np.ones((2, 2)), [2.0, 1.0]), ImageError, "at", "rising order"),
        (lambda: threshold(np.ones((2, 2)), []), ImageError, "at", "rising order"),
        (lambda: threshold(np.ones((2, 2)), float("nan")), ImageError, "at", "rising order"),
        (lambda: threshold(np.ones((4, 4, 1)), 0.5), ImageError, "labels", "drop the last axis"),
        (lambda: otsu_threshold(np.ones((2, 2))), ImageError, "grey", "two finite grey values"),
        (lambda: otsu_threshold(np.array([1.0, np.inf])), ImageError, "grey", "finite"),
        (lambda: otsu_threshold(np.array([])), ImageError, "grey", "shape (0,)"),
    ],
)
def test_bad_operations_are_refused_with_a_cure(call, kind, argument, told):
    with pytest.raises(kind) as caught:
        call()
    assert caught.value.argument == argument
    assert told in str(caught.value)
    assert caught.value.cure


def test_operations_do_not_touch_their_image():
    image = VoxelImage(np.arange(16).reshape(4, 4), names={0: "pore"})
    before = (image.content_hash(), dict(image.names), dict(image.source))
    for changed in (mirror(image), relabel(image, {0: 3}), coarsen(image, 2), crop(image, (0, 0), (2, 2))):
        assert dataclasses.is_dataclass(changed)
        assert changed is not image
    assert (image.content_hash(), image.names, image.source) == before
