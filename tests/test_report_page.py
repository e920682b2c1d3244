"""The page: self-contained, complete, escaped, whole or not at all."""
# ruff: noqa: RUF001 (a page is typeset with true minus, times and dashes)

import base64
import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

import scalebridge.core.files
from report_samples import (
    HOSTILE,
    PARTS,
    VALUE,
    ball_labels,
    formation_result,
    laminate_result,
    made_result,
)
from scalebridge.core.errors import InputError
from scalebridge.core.results import Outcome
from scalebridge.core.spec import Spec
from scalebridge.core.upscaled import Upscaled
from scalebridge.report import figures_image
from scalebridge.report.page import render_page, write_report
from scalebridge.report.tensors import formation, mean_value, principal_values, relative_sensitivities
from scalebridge.report.wording import answer_sentences

VOID = {"meta", "link", "img", "br", "hr", "input", "use", "path", "image"}
LOADING = {"src", "srcset", "href", "xlink:href", "action", "poster", "data"}


class Reader(HTMLParser):
    """Collects what a page holds: text, elements, what it would load, and whether elements are balanced."""

    def __init__(self):
        super().__init__()
        self.open, self.elements, self.loads, self.texts, self.ids = [], [], [], [], []
        self.json = {}

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        self.elements.append((tag, found))
        self.loads += [(tag, name, value) for name, value in attrs if name in LOADING]
        self.ids += [found["id"]] if "id" in found else []
        if tag not in VOID:
            self.open.append((tag, found))

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open, f"</{tag}> closes nothing"
            assert self.open.pop()[0] == tag

    def handle_data(self, data):
        inside = self.open[-1] if self.open else ("", {})
        if inside[0] == "script":
            self.json[inside[1]["id"]] = json.loads(data)
        elif inside[0] != "style":
            self.texts.append(data)

    @property
    def text(self):
        return re.sub(r"\s+", " ", " ".join(self.texts))


def read(page):
    reader = Reader()
    reader.feed(page)
    reader.close()
    assert reader.open == []
    return reader


@pytest.fixture(scope="module", autouse=True)
def _small_volumes():
    """Rendered volumes of an eighth of the pixels are drawn in a tenth of the time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(figures_image, "_VOLUME_WIDTH", 160)
        yield


@pytest.fixture(scope="module")
def result():
    return made_result(failing=True)


@pytest.fixture(scope="module")
def page(result):
    return render_page([result])


@pytest.fixture(scope="module")
def reader(page):
    return read(page)


def test_the_page_loads_nothing(page, reader):
    for tag, name, value in reader.loads:
        assert value.startswith(("data:", "#")), f"<{tag} {name}={value[:60]}>"
    assert not re.search(r"@import|url\((?!#)", page)
    assert {tag for tag, _ in reader.elements} & {"iframe", "object", "embed", "video", "form"} == set()


def test_scripts_hold_data_only(reader):
    scripts = [found for tag, found in reader.elements if tag == "script"]
    assert [s["type"] for s in scripts] == ["application/json"]
    assert not any(name.startswith("on") for _, found in reader.elements for name in found)


def test_ids_are_unique_and_every_link_on_the_page_leads_somewhere(reader):
    assert len(reader.ids) == len(set(reader.ids))
    inner = [value for tag, name, value in reader.loads if name == "href" and value.startswith("#")]
    assert inner
    assert {value[1:] for value in inner} <= set(reader.ids)


def test_every_check_is_there_with_its_number_tolerance_verdict_and_meaning(result, reader):
    for check in result.checks:
        assert check.name in reader.text
        assert check.meaning in reader.text
    for shown in ("1.2×10⁻⁹", "≤ 10⁻⁶", "0.11", "≥ −10⁻¹⁰", "0.03", "✗ FAIL", "✓ pass"):
        assert shown in reader.text
    assert "1 of 3 checks failed: solver error." in reader.text


def test_the_answer_is_there_to_the_digits_of_its_deviation(result, reader):
    mean = np.trace(VALUE) / 3
    std = np.hypot(*(part * 1.02 for part in PARTS.values()))
    assert f"{mean:.2f} ± {std:.2f}" in reader.text
    for axis in range(3):
        assert f"{VALUE[axis, axis]:.2f}" in reader.text
    assert "W/(m·K)" in reader.text
    assert "mean of the principal values" in reader.text


def test_everything_else_that_was_promised_is_there(reader):
    for wanted in (
        "rock.tif",
        "12 × 14 × 16 voxels",
        "36 µm × 42 µm × 48 µm",
        "7.7 ± 0.3",
        "hexahedra, bracketed by finite volumes",
        "The image was reflected.",
        "Hashin & Shtrikman 1962",
        "how voxel size",
        "2026-01-02T03:04:05+00:00",
        "1.25 s",
        "ab" * 32,
        "setting rtol",
        "share of the variance",
    ):
        assert wanted in reader.text, wanted
    for heading in (
        "Slices",
        "Local fields",
        "Checks",
        "Bounds",
        "Convergence",
        "Sensitivities",
        "Uncertainty",
    ):
        assert re.search(rf"\b{heading}\b", reader.text)


def test_every_picture_has_an_alternative_text(reader):
    pictures = [found for tag, found in reader.elements if tag == "img"]
    drawings = [found for _, found in reader.elements if found.get("class") == "drawing"]
    assert len(pictures) == 8  # two volumes, three slices, three fluxes
    assert len(drawings) == 6  # colour bar, bounds, two histories, sensitivities, uncertainty
    assert all(len(p["alt"]) > 20 for p in pictures)
    assert all(len(d["aria-label"]) > 20 and d["role"] == "img" for d in drawings)
    for found in pictures:
        assert base64.b64decode(found["src"].partition("base64,")[2]).startswith(b"\x89PNG")


def test_tables_have_captions_and_heads(page, reader):
    tables = page.count("<table>")
    assert tables == page.count("<caption>") >= 8
    scopes = [found.get("scope") for tag, found in reader.elements if tag == "th"]
    assert set(scopes) == {"col", "row"}


def test_hostile_names_stay_text(page, reader):
    assert "<script>alert" not in page
    assert HOSTILE in " ".join(reader.texts)
    assert "<img src=x" not in render_page(
        [replace(laminate_result(), notes=("<img src=x onerror=alert(1)>",))]
    )


def test_the_embedded_result_is_the_saved_result(result, reader, page):
    wanted = json.loads(result.to_json())
    assert reader.json == {"result-1-json": wanted}
    link = next(value for _, name, value in reader.loads if name == "href" and value.startswith("data:app"))
    assert json.loads(base64.b64decode(link.partition("base64,")[2])) == wanted
    assert 'download="result-1.json"' in page


def test_the_page_is_written_whole_or_not_at_all(tmp_path, monkeypatch, result):
    target = tmp_path / "new" / "out.html"
    assert write_report(replace(result, fields={}, subject=None), target) == target
    before = target.read_bytes()
    assert before.rstrip().endswith(b"</html>")
    assert [p.name for p in target.parent.iterdir()] == ["out.html"]

    def broken(self, *_, **__):
        self.write_bytes(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(scalebridge.core.files.Path, "write_text", broken)
    with pytest.raises(OSError, match="disk full"):
        write_report(laminate_result(), target)
    assert target.read_bytes() == before
    assert [p.name for p in target.parent.iterdir()] == ["out.html"]


@pytest.mark.parametrize(
    ("given", "got"), [([], "an empty list"), ({"value": 1.0}, "dict"), ([None], "NoneType"), ("a", "str")]
)
def test_what_is_no_result_is_refused(tmp_path, given, got):
    with pytest.raises(InputError, match=f"result: got {got}; wanted an Upscaled"):
        write_report(given, tmp_path / "out.html")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_is_refused_as_a_path(tmp_path):
    with pytest.raises(InputError, match="path: got"):
        write_report(laminate_result(), tmp_path)


def test_a_title_is_taken_and_escaped():
    page = render_page([laminate_result()], title="Walls <b>& roofs")
    assert "<title>Walls &lt;b&gt;&amp; roofs</title>" in page
    assert "<h1>Walls &lt;b&gt;&amp; roofs</h1>" in page


def test_a_two_dimensional_image_has_no_volume():
    reader = read(render_page([made_result(labels=ball_labels()[:, :, 8])]))
    pictures = [found["alt"] for tag, found in reader.elements if tag == "img"]
    assert len(pictures) == 3  # the image and two fluxes
    assert not any("volume" in alt for alt in pictures)
    assert "36 µm × 42 µm" in reader.text


def test_a_laminate_has_its_layers_instead_of_pictures():
    reader = read(render_page([laminate_result()]))
    assert not any(tag == "img" for tag, _ in reader.elements)
    assert any("Stack of 3 layers" in found.get("aria-label", "") for _, found in reader.elements)
    assert "brick" in reader.text
    assert "Convergence" not in reader.text


def test_several_results_are_compared_on_top():
    plain = replace(made_result(fields=False), subject=None)
    results = [laminate_result(), plain, replace(formation_result(), subject=None)]
    reader = read(render_page(results))
    assert "3 results compared" in reader.text
    assert len(reader.ids) == len(set(reader.ids))
    assert set(reader.json) == {f"result-{i}-json" for i in (1, 2, 3)}
    assert "brick: 0.5, wool: 0.04, layer 2: 0.2" in reader.text
    plots = [f["aria-label"] for _, f in reader.elements if "beside each other" in f.get("aria-label", "")]
    assert any("1. the laminate: 0.224" in label and "2. rock.tif: 5.18" in label for label in plots)


def test_the_formation_factor_is_given_for_a_conductor_among_insulators_only():
    found = formation(formation_result())
    assert found.factors == pytest.approx([20.0, 25.0, 16.0, 3 / 0.1525])
    assert found.tortuosities == pytest.approx(0.25 * found.factors)
    # Archie: F = fraction^-m
    assert 0.25**-found.exponents == pytest.approx(found.factors)
    text = read(render_page([replace(formation_result(), subject=None)])).text
    assert "formation factor of 19.67" in text
    assert "20.000" in text
    for other in (
        made_result(),
        replace(formation_result(), spec=Spec("effective conductivity", "S/m", (3, 3))),
        replace(formation_result(), inputs={"phase 0": {"value": 0.5}, "phase 1": {"value": 1.0}}),
        replace(formation_result(), inputs={"phase 0": {"value": 1.0}}),
    ):
        assert formation(other) is None


def test_principal_values_and_axes_are_those_of_the_tensor():
    turn, rolled = np.radians(20.0), np.eye(3)
    rolled[:2, :2] = [[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]
    made = replace(made_result(), value=rolled @ np.diag([3.0, 2.0, 1.0]) @ rolled.T)
    found = principal_values(made)
    assert [p.value for p in found] == pytest.approx([3.0, 2.0, 1.0])
    assert [p.nearest for p in found] == ["x", "y", "z"]
    assert [p.angle for p in found] == pytest.approx([20.0, 20.0, 0.0], abs=1e-6)
    assert np.abs(np.stack([p.axis for p in found]) @ rolled) == pytest.approx(np.eye(3))


def test_deviations_of_principal_values_are_those_of_the_axes_when_the_axes_are_the_image_s():
    made = replace(made_result(), value=np.diag([3.0, 2.0, 1.0]))
    wanted = np.hypot(*(part * 1.02 for part in PARTS.values()))
    assert [p.std for p in principal_values(made)] == pytest.approx([wanted] * 3)
    assert mean_value(made)[1] == pytest.approx(wanted)


def test_relative_sensitivities_of_a_laminate_add_up_to_one():
    found = relative_sensitivities(laminate_result())
    assert sum(found.values()) == pytest.approx([1.0, 1.0], rel=1e-12)


def test_a_result_without_numbers_says_so():
    spec = Spec("effective conductivity", "W/m/K", (3, 3))
    reader = read(render_page([Upscaled(spec, np.full((3, 3), np.nan), outcome=Outcome.breakdown)]))
    assert "The effective conductivity of the medium was not found." in reader.text
    assert "Nothing was checked. The method met a direction" in reader.text
    assert "nan" not in reader.text.lower().replace("nanmean", "")


@pytest.mark.parametrize(
    ("value", "spec", "wanted"),
    [
        (
            np.asarray(1.234e-13),
            Spec("permeability", "m^2"),
            "The permeability of the medium is 1.234×10⁻¹³ m².",
        ),
        (
            np.eye(6) * 3.2e10,
            Spec("coupling", "Pa", (6, 6)),  # a stiffness has a page of its own
            "The coupling of the medium has 6 × 6 components",
        ),
        (
            np.array([1.5, 2.5]),
            Spec("coefficients", "1", (2,)),
            "The coefficients of the medium has 2 components",
        ),
    ],
)
def test_answers_of_other_shapes_are_set_too(value, spec, wanted):
    assert wanted in read(render_page([Upscaled(spec, value)])).text.replace("\xa0", " ")


def test_a_direction_that_does_not_conduct_is_named():
    made = replace(made_result(), value=np.diag([1.0, 1.0, 0.0]), stats={"percolating": [True, True, False]})
    assert "Nothing passes along z" in " ".join(answer_sentences(made, {}))
