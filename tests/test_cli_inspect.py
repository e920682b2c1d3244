"""scalebridge inspect: what is in a file."""

import json

import numpy as np
import pytest

from cli_helpers import invoke, layers, save
from scalebridge.grids.image import VoxelImage


def told(*args):
    found = invoke("inspect", *args, "--json")
    assert found.exit_code == 0
    return json.loads(found.stdout)


def test_labels_with_their_fractions_and_percolation(tmp_path):
    found = told(save(tmp_path, layers()), "--voxel", "3 um, 3 um, 5 um")
    assert found["kind"] == "labels"
    assert found["shape"] == [8, 8, 8]
    assert found["voxel"] == pytest.approx([3e-6, 3e-6, 5e-6], rel=1e-12)
    assert found["content_sha256"] == VoxelImage(layers(), voxel=tuple(found["voxel"])).content_hash()
    assert [phase["label"] for phase in found["phases"]] == [0, 1]
    for phase in found["phases"]:
        assert phase["voxels"] == 256
        assert phase["fraction"] == 0.5
        assert phase["periodic"] == phase["box"]
        assert phase["periodic"] == {
            "percolates": [False, True, True],
            "clusters": 1,
            "isolated_fraction": 0.0,
        }
    assert found["warnings"] == []


def test_clusters_seams_and_isolated_voxels(tmp_path):
    labels = np.zeros((6, 6), np.uint8)
    labels[np.arange(6), np.arange(6) // 2] = 1  # a stair from face to face that does not meet itself
    labels[np.arange(1, 6, 2), np.arange(1, 6, 2) // 2 + 1] = 1
    labels[5, 3] = 0
    labels[1, 5] = 1  # a single voxel
    found = told(save(tmp_path, labels))
    stair = found["phases"][1]
    assert stair["box"] == {
        "percolates": [True, False],
        "clusters": 2,
        "isolated_fraction": pytest.approx(1 / stair["voxels"]),
    }
    assert stair["periodic"]["percolates"] == [False, False]
    assert any("--boundary mirrored" in warning for warning in found["warnings"])
    assert any("No voxel size" in warning for warning in found["warnings"])


def test_grey_values_have_a_histogram_and_a_threshold(tmp_path):
    rng = np.random.default_rng(1)
    grey = np.where(layers() == 1, 200.0, 50.0) + rng.normal(0, 5, (8, 8, 8))
    found = told(save(tmp_path, grey), "--voxel", "1 um")
    assert found["kind"] == "grey"
    assert sum(found["grey"]["histogram"]["counts"]) == grey.size
    assert len(found["grey"]["histogram"]["edges"]) == len(found["grey"]["histogram"]["counts"]) + 1
    assert found["grey"]["mean"] == pytest.approx(grey.mean(), rel=1e-12)
    assert 70 < found["grey"]["otsu"] < 180  # four deviations from either peak
    assert found["grey"]["bright_fraction_at_otsu"] == 0.5
    assert any("--threshold" in warning for warning in found["warnings"])

    cut = told(save(tmp_path, grey), "--threshold", "otsu", "--voxel", "1 um")
    assert cut["kind"] == "labels"
    assert cut["threshold"] == [found["grey"]["otsu"]]
    assert [phase["fraction"] for phase in cut["phases"]] == [0.5, 0.5]
    assert cut["warnings"] == []


def test_many_labels_are_grey_unless_the_caller_knows(tmp_path):
    many = np.arange(64, dtype=np.uint8).reshape(4, 4, 4)
    path = save(tmp_path, many)
    assert told(path)["kind"] == "grey"
    assert len(told(path, "--labels")["phases"]) == 64
    assert told(save(tmp_path, layers()), "--grey")["kind"] == "grey"


@pytest.mark.parametrize(
    ("array", "said"),
    [
        (np.zeros((4, 4), np.uint8), "Only one label"),
        (np.full((4, 4), 2.5), "the same value"),
        (np.array([[1.0, np.nan], [2.0, 3.0]]), "1 voxels are NaN"),
        (np.pad(np.ones((1, 1), np.uint8), (0, 127)), "fills 1 voxels only"),
    ],
)
def test_warnings(array, said, tmp_path):
    assert any(said in warning for warning in told(save(tmp_path, array))["warnings"])


def test_text_of_labels_and_of_grey_values(tmp_path):
    found = invoke("inspect", save(tmp_path, layers()), "--voxel", "3 um")
    for part in ("image.npy", "NumPy", "8 x 8 x 8", "3 µm", "24 µm", "uint8", "percolates", "- y z"):
        assert part in found.stdout
    found = invoke("inspect", save(tmp_path, np.linspace(0, 1, 64).reshape(8, 8)))
    for part in ("grey", "Otsu", "mean 0.5", "No voxel size"):
        assert part in found.stdout


def test_raw_layout_with_a_voxel_for_each_axis(tmp_path):
    raw = tmp_path / "scan.raw"
    layers().T.tofile(raw)  # stored z, y, x
    layout = (
        "--raw-shape",
        "8,8,8",
        "--raw-dtype",
        "uint8",
        "--voxel",
        "3 um",
        "--voxel",
        "3 um",
        "--voxel",
        "5 um",
    )
    found = told(raw, *layout)
    assert found["voxel"] == pytest.approx([3e-6, 3e-6, 5e-6], rel=1e-12)
    assert found["phases"][0]["box"]["percolates"] == [False, True, True]


@pytest.mark.parametrize("array", [layers(), layers(2), layers() * 1.5, layers(2) * 1.5])
def test_a_picture_of_the_slices(array, tmp_path):
    from matplotlib.image import imread

    path = tmp_path / "pictures" / "slices.png"
    found = invoke("inspect", save(tmp_path, array), "--picture", path)
    assert found.exit_code == 0
    assert str(path) in found.stdout
    pixels = imread(path)
    planes = 1 if array.ndim == 2 else 3
    assert pixels.shape[1] >= planes * 600
    assert len(np.unique(pixels.reshape(-1, pixels.shape[-1]), axis=0)) > 2


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("--picture", "p.pdf"), "ends in .png"),
        (("--picture", "image.npy"), "never overwritten"),
        (("--threshold", "x"), "separated by commas"),
        (("--voxel", "3"), "no unit"),
        (("--dataset", "x"), "which holds one image"),
        (("--threshold", "otsu"), "two finite grey values"),
    ],
)
def test_bad_input_is_refused(args, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    save(tmp_path, np.zeros((4, 4, 4), np.uint8))
    found = invoke("inspect", "image.npy", *args)
    assert found.exit_code == 2
    assert said in found.stderr
    assert [file.name for file in tmp_path.iterdir()] == ["image.npy"]


def test_an_image_without_a_number_is_refused(tmp_path):
    found = invoke("inspect", save(tmp_path, np.full((4, 4), np.nan)))
    assert found.exit_code == 2
    assert "only NaN" in found.stderr
