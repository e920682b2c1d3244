"""`register` as a whole: a known map, again the same, its stated error, what it says when nothing fits."""

import json

import numpy as np
import pytest
from scipy import ndimage

import scalebridge as sb
from registration_samples import images, misses, small_answer, small_task
from scalebridge.registration import start
from scalebridge.registration.composition import compose
from scalebridge.registration.exports import read_map, write_map
from scalebridge.registration.problems import histology_task, phantom_anatomy
from scalebridge.registration.registration_result import RADIUS_95
from scalebridge.registration.spatial_image import SpatialImage


def test_a_known_map_is_found():
    found, task = small_answer(), small_task()
    errors = misses(found, task)
    # The texture is white by pixel, so that errors grow as pixels: 0.16 mm at 512 (with a real anatomy) is
    # 0.6 at 144; half as much again for the phantom, which has less structure.
    assert np.median(errors) < 0.9
    assert np.percentile(errors, 95) < 3.0
    assert found.passed
    assert not found.flipped
    assert found.rotation == pytest.approx(40, abs=2)
    assert found.stretches == pytest.approx((0.92, 0.87), abs=0.04)  # 0.9 and 0.85, and the field's own mean


def test_the_stated_error_covers_the_true_one():
    found, task = small_answer(), small_task()
    some = np.flatnonzero(~task.damaged)[::10]
    errors = np.linalg.norm(found.map_points(task.points[some]) - task.answers[some], axis=1)
    stated = found.standard_error(task.points[some])
    covered = np.mean(errors < RADIUS_95 * stated)
    assert covered > 0.8  # 0.95 of honest errors; one task has some twenty independent regions
    assert np.median(stated) < 4 * np.median(errors)
    assert found.landmarks.coverage == pytest.approx(covered, abs=0.15)


def test_again_is_the_same_to_the_last_bit():
    task = small_task()
    again = [
        sb.register(*images(task), moving_mask=task.sound, angles=3, start=[[0.7, -0.6, 60], [0.6, 0.7, -40]])
        for _ in range(2)
    ]
    assert again[0].map.coefficients.tobytes() == again[1].map.coefficients.tobytes()
    assert again[0].map.matrix.tobytes() == again[1].map.matrix.tobytes()
    assert np.array_equal(again[0].standard_error(task.points[:5]), again[1].standard_error(task.points[:5]))


def test_a_section_on_its_face_is_found():
    task = histology_task(phantom_anatomy(), pixels=96, rotation=110.0, flip=True, damage=False)
    found = sb.register(*images(task), angles=12, deform=False)
    assert found.flipped
    assert np.median(misses(found, task)) < 6.0


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1])
def test_half_a_section_is_found_at_another_scale_than_areas_say(seed, monkeypatch):
    task = histology_task(phantom_anatomy(), pixels=144, rotation=40.0, seed=seed, damage=False)
    scan, section = images(task)
    torn = section.values.copy()
    torn[: int(0.45 * 144)] = np.median(torn[0], axis=0)  # the ground
    there = task.answers[:, 0] > task.moving_frame.spacing[0] * (0.45 * 144 + 5)

    def miss():
        found = sb.register(scan, SpatialImage(torn, section.frame), deform=False)
        return np.median(np.linalg.norm(found.map_points(task.points) - task.answers, axis=1)[there])

    assert miss() < 4.0
    monkeypatch.setattr(start, "_SURE", -1.0)  # areas alone
    assert miss() > 10.0


def test_a_mask_changes_the_answer_where_it_hides_damage():
    task = small_task()
    start = np.c_[small_answer().linear.matrix, small_answer().linear.shift]
    bare = sb.register(*images(task), start=start, damage="given")
    with_mask = sb.register(*images(task), start=start, moving_mask=task.sound)
    hurt = task.damaged
    masked, naked = (
        np.percentile(
            np.linalg.norm(found.map_points(task.points[hurt]) - task.answers[hurt], axis=1), [50, 90]
        )
        for found in (with_mask, bare)
    )
    assert np.all(masked < naked)
    detected = sb.register(*images(task), start=start)
    assert np.percentile(misses(detected, task), 95) <= 1.05 * np.percentile(misses(bare, task), 95)


@pytest.mark.slow
@pytest.mark.parametrize("similarity", ["gradients", "mind"])
def test_descriptors_find_the_map_too(similarity):
    task, known = small_task(), small_answer()
    start = np.c_[known.linear.matrix, known.linear.shift]
    found = sb.register(*images(task), moving_mask=task.sound, start=start, similarity=similarity)
    errors = misses(found, task)
    assert np.median(errors) < 1.6  # pixels are 1.6 mm, and the texture is white by pixel
    assert np.all(found.standard_error(task.points[:5]) > 0)
    assert found.provenance.settings["similarity"] == similarity


def test_images_of_different_things_do_not_pass():
    rng = np.random.default_rng(0)
    one, other = (
        SpatialImage(ndimage.gaussian_filter(rng.standard_normal((64, 64)), 3), small_frame())
        for _ in range(2)
    )
    found = sb.register(one, other, angles=8)
    assert not found.passed
    failed = {check.name for check in found.checks if not check.passed}
    assert failed & {"margin of the start", "similarity above chance", "overlap"}


def small_frame():
    return SpatialImage.of(np.eye(64), "1 mm").frame


def test_the_inverse_and_the_jacobian_are_those_of_the_map():
    found = small_answer()
    points = small_task().points[:50]
    assert np.abs(found.inverse_points(found.map_points(points)) - points).max() < 1e-4
    assert found.jacobian(points).min() > 0


def test_the_inverse_is_a_map_that_carries_and_is_written(tmp_path):
    found, task = small_answer(), small_task()
    back = found.inverse()
    points = task.points[::30]
    assert np.abs(back(found.map_points(points)) - points).max() < 1e-4
    assert np.array_equal(back.inverse(points), found.map_points(points))
    fixed = images(task)[0]
    carried = sb.warp(back, fixed, background=0.0)
    assert carried.values.shape == task.moving.shape
    again = found.map_image(carried, background=0.0)
    inside = task.fixed_mask
    # There and back, twice linear between samples: the texture, white by pixel, is smoothed.
    assert np.corrcoef(again.values[inside], task.fixed[inside])[0, 1] > 0.95
    assert np.corrcoef(carried.values[:144, :144][inside], task.fixed[inside])[0, 1] < 0.8
    both = compose(found, back)
    assert np.abs(both(points) - points).max() < 1e-4
    pytest.importorskip("SimpleITK")
    write_map(back, tmp_path / "back.nii.gz")
    field = read_map(tmp_path / "back.nii.gz", found.moving_frame)
    assert np.median(np.linalg.norm(field(found.map_points(points)) - points, axis=1)) < 0.02
    with pytest.raises(sb.InputError, match="dense field"):
        write_map(back, tmp_path / "back.tfm")


def test_the_jacobian_map_is_an_image_of_the_ratio():
    found = small_answer()
    ratio = found.jacobian_map()
    some = ratio.frame.grid()[::97]
    assert np.array_equal(ratio.values.ravel()[::97], found.jacobian(some))


def test_a_warped_image_lies_on_the_fixed_one():
    found, task = small_answer(), small_task()
    carried = sb.warp(found, SpatialImage(task.moving, task.moving_frame))
    assert carried.frame == task.fixed_frame
    tissue = carried.values > 60
    both = (tissue & task.fixed_mask).sum() / task.fixed_mask.sum()
    assert both > 0.85  # the rest is torn or missing


def test_what_is_told(tmp_path):
    found = small_answer()
    told = json.loads(found.save(tmp_path / "map.json").read_text(encoding="utf-8"))
    assert told["schema"] == "scalebridge/registration/1"
    assert told["passed"] is True
    assert len(told["map"]["coefficients"]) == found.map.grid.count[0]
    text = str(found)
    assert "pass  no folding" in text
    assert "standard error" in text


def test_the_page_shows_it(tmp_path):
    text = sb.report(small_answer(), tmp_path / "page.html").read_text(encoding="utf-8")
    for wanted in (
        "Checkerboard",
        "ratio of areas",
        "Standard error",
        "Landmarks",
        "Level by level",
        "Starts",
    ):
        assert wanted in text


@pytest.mark.slow
@pytest.mark.parametrize("rotation", [0, 20, 45, 90, 135, 180, -70])
def test_starts_from_any_angle(rotation):
    task = histology_task(phantom_anatomy(), pixels=192, rotation=float(rotation), seed=1)
    found = sb.register(*images(task), moving_mask=task.sound, deform=False)
    assert np.median(misses(found, task)) < 6.0


@pytest.mark.slow
def test_512_pixels_to_a_sixth_of_a_millimetre():
    task = histology_task(phantom_anatomy(), pixels=512)
    found = sb.register(*images(task), moving_mask=task.sound)
    errors = misses(found, task)
    # The phantom has wide regions without structure: twice the bound for a real anatomy.
    assert np.median(errors) < 0.32
    assert np.percentile(errors, 95) < 1.1
