"""The page of a study: its pictures show what was found, its tables have the numbers, its text is safe."""

import re

import numpy as np
import pytest

import scalebridge as sb
from report_samples import ball_labels, made_result
from rve_samples import made_samples, made_study
from scalebridge.core.spec import Spec
from scalebridge.report.figures_rve import draw_answers, draw_law
from scalebridge.report.page import render_page
from scalebridge.report.study_section import (
    detail_table,
    make_study_section,
    size_table,
    study_sentences,
    wanted_table,
)
from scalebridge.report.typeset import typeset_number
from scalebridge.upscaling.rve_statistics import Sample
from scalebridge.upscaling.rve_study import study_samples


def test_every_subvolume_is_drawn_and_the_image_is_hollow():
    study = made_study()
    markup = draw_answers(study, "key").markup
    dots = sum(s.count for s in study.sizes)
    assert markup.count("<use ") >= dots
    for edge in (8, 16, 32, 48, 96):  # sizes, and the image's edge
        assert re.search(rf">{edge}</text>", markup)
    assert "edge, voxels" in markup
    assert "W/(m·K)" in markup


def test_the_law_is_drawn_with_the_wanted_error_and_the_image():
    study = made_study()
    picture = draw_law(study, study.law, "key")
    assert "error 2 %" in picture.markup
    assert "the image" in picture.markup
    assert typeset_number(-study.law.exponent, 3) in picture.alt
    assert "NaN" not in picture.markup
    assert "nan" not in picture.markup


def test_a_wanted_size_far_off_does_not_stretch_the_axis():
    near, far = made_study(wanted=0.02), made_study(wanted=1e-6)
    assert far.wanted.volume > 1e6 * far.volume
    assert "10⁹" not in draw_law(far, far.law, "key").markup
    assert draw_law(near, near.law, "key").markup.count("<path") > 3


def test_tables_hold_the_numbers():
    study = made_study(zeros=2)
    for row, size in zip(detail_table(study).rows, study.sizes, strict=True):
        assert row.cells[0] == f"{size.size[0]} \u00d7 {size.size[0]}"
        assert row.cells[2:4] == (str(size.count), str(size.available))
        assert row.cells[4] == typeset_number(size.scalar.mean, 5, trim=False)
        assert row.cells[-2:] == (str(size.zeros), "yes" if size.size in study.law.sizes else "no")
    assert [row.cells[0] for row in size_table(study).rows] == [
        f"{edge} \u00d7 {edge}" for edge in (8, 16, 32, 48)
    ]
    counts = [int(row.cells[1]) for row in wanted_table(study).rows]
    assert counts == [*study.wanted.counts.values(), 1]


def test_the_headline_is_the_wanted_edge_with_its_unit():
    study = made_study()
    section = make_study_section(study, 1)
    edge = study.length_of(study.wanted.volume)
    assert section.unit == "µm"
    assert float(section.number) == pytest.approx(edge * 1e6, rel=5e-3)
    assert make_study_section(made_study(voxel=None), 1).unit == "voxels"
    assert section.passed == study.passed
    assert "2\u00a0%" in section.meaning


def test_the_page_of_a_study_is_whole_safe_and_alone(tmp_path):
    study = made_study(name="<script>alert(1)</script>")
    path = sb.report(study, tmp_path / "study.html")
    text = path.read_text(encoding="utf-8")
    assert "Representative volume of rock.tif" in text
    assert "<script>alert" not in text
    assert not re.search(r'(?:src|href)="(?:https?:)?//', text)
    for title in ("Size and spread", "Checks", "What was asked"):
        assert title in text
    assert text.count("<svg") == 2


@pytest.mark.slow  # two whole pages; what is on them is tested by itself
def test_a_result_and_its_study_share_a_page():
    flat = ball_labels()[:, :, 8]
    text = render_page([made_result(flat), made_study()])
    assert 'id="result-1"' in text
    assert 'id="result-2"' in text
    assert 'id="comparison"' not in text  # one number alone is compared with nothing
    assert text.count("<h2>") == 2
    three = render_page([made_study(), made_result(flat), made_result(flat)])
    assert 'id="comparison"' in three
    assert "2. effective conductivity" in three
    assert "3. effective conductivity" in three


def test_a_study_without_a_law_is_shown_without_its_picture():
    samples = [
        Sample(s.size, np.broadcast_to(np.eye(2), s.values.shape), s.origins, s.available)
        for s in made_samples()
    ]
    study = study_samples(samples, Spec("effective conductivity", "1", (2, 2)), (96, 96), point_variance=1.0)
    section = make_study_section(study, 1)
    assert section.number == ""
    assert wanted_table(study) is None
    assert study_sentences(study) == ["All subvolumes answer alike: the size of the sample does not matter."]
    assert len(section.blocks[0].pictures) == 1
    assert "All subvolumes answer alike" in render_page([study])
