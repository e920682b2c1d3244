import dataclasses
import json
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from scalebridge.core.errors import ImageError, PhaseError
from scalebridge.grids.image import VoxelImage, axis_index, slabs


def test_fractions_are_exact_counts_over_size():
    image = VoxelImage(np.array([[0, 7, 7], [-3, 7, 0]]))
    assert image.phases == (-3, 0, 7)
    assert image.counts == {-3: 1, 0: 2, 7: 3}
    assert image.fractions == {-3: 1 / 6, 0: 2 / 6, 7: 3 / 6}


@given(
    hnp.arrays(
        st.sampled_from([np.uint8, np.int16, np.int64, np.uint64]),
        hnp.array_shapes(min_dims=3, max_dims=3, min_side=2, max_side=4),
    )
)
def test_any_integers_are_kept_and_counted(labels):
    image = VoxelImage(labels)
    assert np.array_equal(image.labels, labels)
    found, counts = np.unique(labels, return_counts=True)
    assert image.counts == dict(zip(found.tolist(), counts.tolist(), strict=True))
    assert sum(image.fractions.values()) == pytest.approx(1.0, abs=1e-15)


@pytest.mark.parametrize(
    ("low", "high", "stored"),
    [
        (0, 255, np.uint8),
        (-1, 127, np.int8),
        (-1, 128, np.int16),
        (0, 256, np.uint16),
        (0, 65536, np.uint32),
        (-(2**40), 0, np.int64),
    ],
)
def test_labels_are_stored_in_the_smallest_type(low, high, stored):
    assert VoxelImage(np.array([[low, high]])).labels.dtype == stored


def test_booleans_become_labels_0_and_1():
    image = VoxelImage(np.array([[True, False], [True, True]]))
    assert image.fractions == {0: 0.25, 1: 0.75}


def test_labels_cannot_change_behind_the_image():
    labels = np.zeros((2, 2), dtype=np.uint8)
    image = VoxelImage(labels)
    labels[0, 0] = 1
    assert image.phases == (0,)
    with pytest.raises(ValueError, match="read-only"):
        image.labels[0, 0] = 1
    with pytest.raises(dataclasses.FrozenInstanceError):
        image.voxel = (1.0, 1.0)


def test_labels_that_are_already_safe_are_shared():
    image = VoxelImage(np.zeros((2, 2), dtype=np.uint8))
    assert dataclasses.replace(image, periodic=False).labels is image.labels


def test_aspect_is_relative_to_the_smallest_edge():
    labels = np.zeros((2, 2, 2), dtype=int)
    assert VoxelImage(labels, voxel=(3e-6, 2e-6, 4e-6)).aspect == pytest.approx((1.5, 1.0, 2.0), rel=1e-15)
    assert VoxelImage(labels).aspect == (1.0, 1.0, 1.0)


def test_hash_sees_labels_shape_and_voxel_but_not_names_or_given_type():
    labels = np.array([[0, 1, 1], [1, 0, 0]])
    image = VoxelImage(labels, voxel=(1e-6, 1e-6))
    same = VoxelImage(
        np.asfortranarray(labels.astype(">i4")), (1e-6, 1e-6), names={0: "pore"}, source={"path": "a"}
    )
    others = [
        VoxelImage(1 - labels, (1e-6, 1e-6)),
        VoxelImage(labels.reshape(3, 2), (1e-6, 1e-6)),
        VoxelImage(labels, (1e-6, 2e-6)),
        VoxelImage(labels),
    ]
    assert same.content_hash() == image.content_hash()
    assert len({image.content_hash(), *(other.content_hash() for other in others)}) == 5


def test_image_survives_pickling():
    image = VoxelImage(np.array([[0, 1]]), voxel=(1e-6, 2e-6), names={1: "solid"}, source={"path": "a.tif"})
    copy = pickle.loads(pickle.dumps(image))  # noqa: S301  # its own bytes
    assert copy.content_hash() == image.content_hash()
    assert (copy.names, copy.source, copy.periodic) == (image.names, image.source, True)
    assert json.loads(json.dumps(copy.source)) == image.source


def test_repr_shows_size_and_phases_and_stays_short():
    image = VoxelImage(
        np.arange(8).reshape(2, 2, 2), voxel=(1e-6, 1e-6, 1e-6), names={0: "clay"}, periodic=False
    )
    assert repr(image) == (
        "VoxelImage(2 x 2 x 2 voxels of 1e-06 x 1e-06 x 1e-06 m, not periodic; clay 0.125, phase 1 0.125, "
        "phase 2 0.125, phase 3 0.125, phase 4 0.125, and 3 more phases)"
    )


def test_masks_of_phases_unite():
    image = VoxelImage(np.array([[0, 1], [2, 1]]))
    assert np.array_equal(image.mask(1), [[False, True], [False, True]])
    assert np.array_equal(image.mask(0, 2), ~image.mask(1))


def test_slabs_cover_an_array_once():
    array = np.arange(60).reshape(10, 6)
    parts = list(slabs(array, voxels=18))
    assert [len(part) for part in parts] == [3, 3, 3, 1]
    assert np.array_equal(np.concatenate(parts), array)


_LABELS = np.zeros((2, 2, 2), dtype=int)


@pytest.mark.parametrize(
    ("make", "kind", "argument", "told"),
    [
        (lambda: VoxelImage(np.ones((2, 2))), ImageError, "labels", "astype"),
        (lambda: VoxelImage(np.full((2, 2), 0.5)), ImageError, "labels", "threshold"),
        (lambda: VoxelImage(np.full((2, 2), np.nan)), ImageError, "labels", "threshold"),
        (lambda: VoxelImage(np.full((2, 2), np.inf)), ImageError, "labels", "threshold"),
        (lambda: VoxelImage(np.array([["a", "b"]])), ImageError, "labels", "integer labels"),
        (lambda: VoxelImage(np.zeros(4, dtype=int)), ImageError, "labels", "2-D"),
        (lambda: VoxelImage(np.zeros((2, 2, 2, 3), dtype=int)), ImageError, "labels", "channel"),
        (lambda: VoxelImage(np.zeros((2, 0, 2), dtype=int)), ImageError, "labels", "(2, 0, 2)"),
        (lambda: VoxelImage(np.zeros((4, 4, 1), dtype=int)), ImageError, "labels", "drop the last axis"),
        (lambda: VoxelImage(np.zeros((1, 4, 4), dtype=int)), ImageError, "labels", "drop the first axis"),
        (lambda: VoxelImage(_LABELS, voxel=(1e-6, 1e-6)), ImageError, "voxel", "3 positive lengths"),
        (lambda: VoxelImage(_LABELS, voxel=(1e-6, 1e-6, 0.0)), ImageError, "voxel", "positive"),
        (lambda: VoxelImage(_LABELS, voxel=(1e-6, 1e-6, float("nan"))), ImageError, "voxel", "positive"),
        (lambda: VoxelImage(_LABELS, voxel=1e-6), ImageError, "voxel", "(1e-06, 1e-06, 1e-06)"),
        (lambda: VoxelImage(_LABELS, voxel="3 um"), ImageError, "voxel", "parse_quantity"),
        (lambda: VoxelImage(_LABELS, voxel=("a", "b", "c")), ImageError, "voxel", "metres"),
        (lambda: VoxelImage(_LABELS, names={"pore": 0}), ImageError, "names", "integer labels to names"),
        (lambda: VoxelImage(_LABELS, names={0: ""}), ImageError, "names", "integer labels to names"),
        (lambda: VoxelImage(_LABELS).mask(3), PhaseError, "labels", "occur in the image: 0"),
        (lambda: VoxelImage(_LABELS).mask(), PhaseError, "labels", "no label"),
        (lambda: axis_index("z", 2), ImageError, "axis", "x, y"),
        (lambda: axis_index(-1, 3), ImageError, "axis", "0 to 2"),
    ],
)
def test_bad_images_are_refused_with_a_cure(make, kind, argument, told):
    with pytest.raises(kind) as caught:
        make()
    assert caught.value.argument == argument
    assert told in str(caught.value)
    assert caught.value.cure
