"""Pictures and plots: what they show, how they follow the page's colours; nothing global is touched."""
# ruff: noqa: RUF001 (a page is typeset with true minus, times and dashes)

import io
import re
import sys
import xml.etree.ElementTree as ET  # reads what the project itself wrote
from dataclasses import replace

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.image import imread

from report_samples import HOSTILE, ball_labels, laminate_result, made_result
from scalebridge.report import figures_image
from scalebridge.report.canvas import phase_colours
from scalebridge.report.figures_convergence import draw_convergence, histories
from scalebridge.report.figures_fields import draw_fluxes, flux_slices
from scalebridge.report.figures_image import draw_layers, draw_slices, draw_volumes, enlarge, rasterise
from scalebridge.report.figures_plots import Interval, Point, draw_bars, draw_intervals, is_wide, largest_rows
from scalebridge.report.looks import by_label, looks_of
from scalebridge.report.typeset import shorten

PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture(scope="module", autouse=True)
def _small_volumes():
    """Rendered volumes of an eighth of the pixels are drawn in a tenth of the time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(figures_image, "_VOLUME_WIDTH", 160)
        yield


@pytest.fixture(scope="module")
def result():
    return made_result()


def pixels_of(picture):
    assert picture.data.startswith(PNG)
    return imread(io.BytesIO(picture.data), format="png")


def words_of(picture):
    root = ET.fromstring(picture.markup)  # noqa: S314 (well-formedness of our own drawing)
    return [text for node in root.iter() if (text := (node.text or "").strip())]


def test_slices_show_the_right_plane_the_right_way_up(result):
    slices = draw_slices(result.subject, by_label(looks_of(result)))
    assert [s.caption.split()[0] for s in slices] == ["z", "y", "x"]
    labels, looks = result.subject.labels, by_label(looks_of(result))
    image = pixels_of(slices[1])  # y = 8 of 14: x to the right, z up
    rows, columns = image.shape[:2]
    for x, z in ((6, 8), (0, 15), (11, 8)):
        pixel = image[int((16 - z - 0.5) / 16 * rows), int((x + 0.5) / 12 * columns), :3]
        assert pixel == pytest.approx(to_rgb(looks[int(labels[x, 7, z])].colour), abs=0.01)


def test_slices_say_what_they_show(result):
    slices = draw_slices(result.subject, by_label(looks_of(result)))
    assert all("water" in s.alt and HOSTILE in s.alt for s in slices)
    assert slices[0].caption == "z = 9 of 16  ·  x →, y ↑"


def test_voxels_keep_their_shape():
    pixels = rasterise(np.zeros((10, 20), np.uint8), {0: "#ffffff"}, (2.0, 1.0))
    assert pixels.shape[0] == pixels.shape[1]
    square = enlarge(np.arange(6.0).reshape(2, 3), (1.0, 1.0))
    assert square.shape == (600, 400)
    assert (square[0, 0], square[-1, 0], square[-1, -1]) == (2.0, 0.0, 3.0)


def test_a_scale_bar_is_burnt_in_whether_or_not_the_voxel_is_known():
    for voxel in (3e-6, None):
        made = made_result(voxel=voxel)
        picture = draw_slices(made.subject, by_label(looks_of(made)))[0]
        image = pixels_of(picture)
        lower_left = image[-image.shape[0] // 8 :, : image.shape[1] // 2, :3]
        assert np.all(lower_left > 0.98, axis=-1).any(), "the white bar"


def test_the_matrix_is_cut_open_and_the_rest_stands_alone(result):
    volumes = draw_volumes(result.subject, by_label(looks_of(result)))
    assert [v.caption for v in volumes] == [
        "Water alone, the corner next to the viewer cut away",
        f"{shorten(HOSTILE, 40)}, clay alone",
    ]
    assert all(np.any(pixels_of(v)[..., 3] > 0.9) for v in volumes)
    assert all(np.any(pixels_of(v)[..., 3] < 0.1) for v in volumes), "transparent around the body"


def test_a_two_dimensional_image_has_one_slice():
    made = made_result(labels=ball_labels()[:, :, 8])
    slices = draw_slices(made.subject, by_label(looks_of(made)))
    assert [s.caption for s in slices] == ["x →, y ↑"]


def test_layers_are_drawn_to_scale():
    made = laminate_result()
    picture = draw_layers(made.subject, list(looks_of(made).values()), "stack")
    said = words_of(picture)
    assert "brick  0.5" in said
    assert "wool  0.04" in said
    assert "brick  0.5 (64.9%)" in picture.alt
    assert picture.caption.endswith("normal (1, 0)")


def test_flux_is_relative_to_its_mean_in_a_plane_with_the_load(result):
    slices = flux_slices(result)
    assert [s.load for s in slices] == ["x", "y", "z"]
    for axis, found in enumerate(slices):
        assert axis in found.axes
        # The field is value * (1 + sin / 2): its largest is 1.5 of the mean, up to where the samples lie.
        assert found.peak == pytest.approx(1.5, abs=0.02)
        assert found.mean == pytest.approx(result.value[axis, axis])
    pictures = draw_fluxes(result, "key")
    assert [p.kind for p in pictures] == ["png", "png", "png", "svg"]
    assert "5.432 W/(m·K) × gradient" in pictures[0].caption


def test_no_fields_and_no_flux_draw_nothing(result):
    assert draw_fluxes(replace(result, fields={}), "key") == []
    still = {"flux_x": np.zeros((3, 12, 14, 16))}
    assert draw_fluxes(replace(result, fields=still), "key") == []


def test_mirrored_fields_show_the_sample_itself():
    made = made_result()
    whole = {
        name: np.concatenate([field, field[:, ::-1]], axis=1).repeat(2, axis=2).repeat(2, axis=3)
        for name, field in made.fields.items()
    }
    assert flux_slices(replace(made, fields=whole))[0].plane.shape == (12, 14)


def test_convergence_shows_every_direction_and_the_wanted_number(result):
    pictures = draw_convergence(result, "key")
    assert len(pictures) == 2
    for picture, wanted in zip(pictures, ("10⁻⁶", "0.001"), strict=True):
        said = words_of(picture)
        assert f"wanted {wanted}" in said
        assert {"x", "y", "z", "step"} <= set(said)
    assert "after 8 steps" in pictures[0].alt


def test_histories_leave_out_what_a_logarithm_cannot_show():
    found = histories([[1.0, np.inf, np.nan, 0.0, 1e-3], [0.0], [1.0, 0.1]])
    assert set(found) == {"x", "z"}
    assert found["x"][0].tolist() == [0, 4]
    assert histories(None) == {}


def test_a_wide_range_of_bounds_gets_a_logarithmic_axis_unless_it_starts_at_zero():
    point = [Point("r", 2.0, 0.1)]
    assert is_wide([Interval("a", 0.1, 2.1)], point)
    assert not is_wide([Interval("a", 0.2, 3.9)], point)
    assert not is_wide([Interval("a", 0.0, 100.0)], point)


def test_bounds_are_named_at_their_ends():
    intervals = [
        Interval("Voigt-Reuss", 0.2, 6.5, "Reuss", "Voigt"),
        Interval("short", 4.0, 4.2, "HS−", "HS+"),
    ]
    said = words_of(draw_intervals(intervals, [Point("this result", 5.0, 0.2)], "k", "key", "alt"))
    assert {"Reuss 0.2", "Voigt 6.5", "HS− 4", "HS+ 4.2", "this result", "5"} <= set(said)


def test_bars_carry_their_numbers_and_the_dozen_largest_are_drawn():
    values = {"x": np.linspace(0.01, 0.3, 30), "y": np.linspace(0.01, 0.3, 30)}
    names = [f"phase {i}" for i in range(30)]
    said = words_of(draw_bars(names, values, "share", "key", "alt"))
    assert "phase 29" in said
    assert "phase 17" not in said
    assert "x  0.300" in said
    assert largest_rows(np.stack(list(values.values()))) == list(range(18, 30))


def test_a_missing_number_is_said_to_be_missing():
    said = words_of(draw_bars(["a", "b"], {"x": np.array([0.4, np.nan])}, "share", "key", "alt"))
    assert "x  not defined" in said


def test_drawings_follow_the_page_and_have_ids_of_their_own(result):
    first, second = (draw_convergence(result, key)[0].markup for key in ("one", "two"))
    for markup in (first, second):
        assert "var(--ink)" in markup
        assert "var(--sans)" in markup
        assert not re.search(r"#(0[1-7])\1\1", markup), "a code colour was left"
        assert "http" not in markup
        assert "DejaVu" not in markup
    ids = [set(re.findall(r'\bid="([^"]+)"', markup)) for markup in (first, second)]
    assert ids[0]
    assert not ids[0] & ids[1]
    for markup, own in zip((first, second), ids, strict=True):
        assert set(re.findall(r"url\(#([^)]+)\)", markup)) <= own
        assert set(re.findall(r'href="#([^"]+)"', markup)) <= own


def test_drawing_twice_gives_the_same_bytes(result):
    assert draw_convergence(result, "key")[0].data == draw_convergence(result, "key")[0].data


def test_hostile_names_are_text_in_drawings():
    picture = draw_bars([HOSTILE], {"x": np.array([1.0])}, "share", "key", "alt")
    assert "<script" not in picture.markup
    assert any(word.startswith("<script>alert") for word in words_of(picture))


def test_nothing_global_is_touched(result):
    before = dict(mpl.rcParams)
    draw_convergence(result, "key")
    draw_slices(result.subject, by_label(looks_of(result)))
    assert dict(mpl.rcParams) == before
    assert "matplotlib.pyplot" not in sys.modules


def test_phases_have_distinct_colours_however_many():
    for count in (1, 2, 8, 9, 40):
        colours = phase_colours(count)
        assert len(set(colours)) == count
        assert all(re.fullmatch("#[0-9a-f]{6}", c) for c in colours)
