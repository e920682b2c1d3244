"""Statistics and the page of an image, from the command line and as functions."""

import json
import re

import numpy as np
import pytest

from cli_helpers import invoke, layers, save
from scalebridge.cli.image_summary import measure, summarise
from scalebridge.core.errors import ImageError
from scalebridge.grids.balls import spheres_image
from scalebridge.grids.image import VoxelImage
from scalebridge.grids.polycrystals import random_polycrystal
from scalebridge.grids.statistics import image_statistics
from scalebridge.io.read import read_volume
from scalebridge.report import figures_image
from scalebridge.report.figures_statistics import unit_of
from scalebridge.report.image_page import write_image_report
from scalebridge.report.image_tables import phases_table, statistics_rows
from scalebridge.report.looks import Look
from scalebridge.report.typeset import typeset_number
from test_report_page import read


@pytest.fixture(scope="module", autouse=True)
def _small_volumes():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(figures_image, "_VOLUME_WIDTH", 160)
        yield


@pytest.fixture(scope="module")
def balls():
    rng = np.random.default_rng(0)
    return spheres_image(rng.random((9, 3)), 0.18, 32).labels


@pytest.fixture(scope="module")
def page(balls, tmp_path_factory):
    folder = tmp_path_factory.mktemp("page")
    path = folder / "balls.html"
    found = invoke("inspect", save(folder, balls), "--voxel", "2 um", "--statistics", "--report", path)
    assert found.exit_code == 0, found.output
    return path.read_text(encoding="utf-8"), found.stdout


def test_the_page_of_an_image_loads_nothing_and_is_whole(page):
    reader = read(page[0])
    for tag, name, value in reader.loads:
        assert value.startswith(("data:", "#")), f"<{tag} {name}={value[:60]}>"
    assert len(reader.ids) == len(set(reader.ids))
    inner = {value[1:] for _, name, value in reader.loads if name == "href" and value.startswith("#")}
    assert {"image", "phases", "two-point", "chords", "geometry", "slices"} <= inner
    assert inner <= set(reader.ids)
    pictures = [found for tag, found in reader.elements if tag == "img"]
    assert len(pictures) == 5  # two volumes, three slices
    assert all(found["alt"] for found in pictures)
    drawings = [found for tag, found in reader.elements if found.get("role") == "img"]
    assert len(drawings) == 4  # probability, covariance of both phases, chords of each
    assert any("Two-point probability" in found["aria-label"] for found in drawings)


def test_the_page_and_the_terminal_show_the_numbers_that_were_measured(page, balls):
    statistics = image_statistics(VoxelImage(balls, voxel=(2e-6,) * 3, periodic=False))
    reader = read(page[0])
    rows = statistics_rows(statistics)
    assert unit_of(statistics) == (1e-6, "µm")
    for name, cells in rows:
        assert name.strip() in reader.text
        assert all(cell in reader.text for cell in cells)
        line = next(line for line in page[1].splitlines() if line.startswith(name))
        assert line.split()[-len(cells) :] == cells
    surface = dict(rows)["specific surface, 1/µm"][1]
    assert surface == typeset_number(statistics.phases[1].surface * 1e-6, 4)
    assert dict(rows)["volume fraction"][1] == typeset_number(balls.mean(), 4)
    for part in ("32 x 32 x 32 voxels", "2 µm", "64 µm", "connects faces"):
        assert part in reader.text


def test_the_page_holds_the_findings_as_json(page, balls):
    stored = read(page[0]).json["image-json"]
    statistics = image_statistics(VoxelImage(balls, voxel=(2e-6,) * 3, periodic=False))
    assert stored["statistics"] == json.loads(json.dumps(statistics.to_dict()))
    assert stored["kind"] == "labels"
    assert [phase["voxels"] for phase in stored["phases"]] == [int((balls == k).sum()) for k in (0, 1)]


def test_statistics_as_json(tmp_path):
    found = invoke("inspect", save(tmp_path, layers()), "--voxel", "3 um", "--statistics", "--json")
    assert found.exit_code == 0
    told = json.loads(found.stdout)["statistics"]
    assert told["unit"] == "m"
    assert not told["periodic"]
    across = told["phases"][0]["chords"]["x"]
    assert across["cut"] == 64
    assert told["phases"][0]["specific_surface"]["faces"] == pytest.approx(1 / (7 * 3e-6))
    assert told["phases"][0]["integral_range"]["covariance"] is None
    again = invoke("inspect", save(tmp_path, layers()), "--json")
    assert "statistics" not in json.loads(again.stdout)
    single = invoke("inspect", tmp_path / "image.npy", "--statistics", "--dtype", "float32", "--json")
    other = json.loads(single.stdout)["statistics"]["phases"][0]["two_point"]["value"]
    assert np.allclose(other, told["phases"][0]["two_point"]["value"], atol=1e-6)


def test_grey_values_have_a_page_without_statistics(tmp_path):
    rng = np.random.default_rng(1)
    grey = np.where(layers() == 1, 200.0, 50.0) + rng.normal(0, 5, (8, 8, 8))
    path = tmp_path / "grey.html"
    found = invoke("inspect", save(tmp_path, grey), "--voxel", "1 um", "--report", path)
    assert found.exit_code == 0
    reader = read(path.read_text(encoding="utf-8"))
    assert "Grey values" in reader.text
    assert "Otsu" in reader.text
    assert "Two-point" not in reader.text
    cut = invoke(
        "inspect", tmp_path / "image.npy", "--threshold", "otsu", "--voxel", "1 um", "--report", path
    )
    assert cut.exit_code == 0
    reader = read(path.read_text(encoding="utf-8"))
    assert "Two-point correlation" in reader.text
    assert "threshold" in reader.text
    refused = invoke("inspect", tmp_path / "image.npy", "--voxel", "1 um", "--statistics")
    assert refused.exit_code == 2
    assert "grey values" in refused.stderr
    assert "--threshold" in refused.stderr


def test_a_planar_image_and_one_without_voxel_size(tmp_path):
    path = tmp_path / "plane.html"
    plane = spheres_image([[0.4, 0.4]], 0.3, 40).labels
    found = invoke("inspect", save(tmp_path, plane), "--report", path, "--statistics")
    assert found.exit_code == 0
    reader = read(path.read_text(encoding="utf-8"))
    assert "specific surface, 1/voxel" in reader.text
    assert "mean curvature" not in reader.text
    assert "Correlated as far as was measured" in found.stdout  # one disc is no sample of many


def test_a_polycrystal_has_its_largest_grains_only(tmp_path):
    image = random_polycrystal(24, count=60, seed=1)
    path = tmp_path / "grains.html"
    found = invoke("inspect", save(tmp_path, image.labels), "--labels", "--report", path, "--statistics")
    assert found.exit_code == 0
    assert "Statistics are of the 6 largest phases; 54 are left out." in found.stdout
    reader = read(path.read_text(encoding="utf-8"))
    assert "The 40 largest of 60 phases" in reader.text
    assert len([found for _, found in reader.elements if found.get("role") == "img"]) == 13


def test_hostile_names_are_text(tmp_path):
    hostile = "<script>alert('x')</script> & $x^2$"
    image = VoxelImage(layers(), voxel=(1e-6,) * 3, names={0: hostile}, periodic=False)
    told = {
        "path": "a/<b>.tif",
        "phases": [
            {
                "label": label,
                "fraction": 0.5,
                "voxels": 256,
                "box": {"percolates": [True] * 3, "clusters": 1, "isolated_fraction": 0.0},
                "periodic": {"percolates": [False] * 3, "clusters": 1, "isolated_fraction": 1.0},
            }
            for label in (0, 1)
        ],
        "warnings": [hostile],
    }
    path = write_image_report(
        tmp_path / "x.html", told, [("a", hostile)], image=image, statistics=image_statistics(image)
    )
    text = path.read_text(encoding="utf-8")
    reader = read(text)
    assert [found["type"] for tag, found in reader.elements if tag == "script"] == ["application/json"]
    assert hostile in reader.text
    assert reader.json["image-json"]["warnings"] == [hostile]
    assert not re.search(r"<script>alert", text)
    assert "nowhere" in reader.text


def test_measuring_says_how_far_it_is_and_refuses_grey_values(tmp_path):
    image = VoxelImage(layers(), periodic=False)
    done = []
    found = image_statistics(image, done=done.append)
    assert done == ["phase 0", "phase 1"]
    assert measure(image, required=True, show=False).to_dict() == found.to_dict()
    assert measure(None, required=False) is None
    with pytest.raises(ImageError, match="threshold"):
        measure(None, required=True)
    volume = read_volume(save(tmp_path, layers()))
    assert "statistics" not in summarise(volume, image)
    looks = {label: Look(str(label), label, str(label), "#000000") for label in (0, 1)}
    assert len(phases_table(summarise(volume, image)["phases"], looks).rows) == 2


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("--report", "p.pdf"), "ends in .html"),
        (("--report", "image.npy"), "never overwritten"),
        (("--statistics", "--dtype", "float16"), "float16"),
    ],
)
def test_bad_input_is_refused_before_anything_is_written(args, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    save(tmp_path, layers())
    found = invoke("inspect", "image.npy", *args)
    assert found.exit_code == 2
    assert said in found.stderr
    assert [file.name for file in tmp_path.iterdir()] == ["image.npy"]
