"""The study of a representative volume: what follows from apparent tensors, and from an image."""

import json
import math

import numpy as np
import pytest

import scalebridge as sb
from rve_samples import SPEC, made_samples, made_study
from scalebridge.cells.conductivity_rve import conductivity_rve_study, point_variance, solve_box
from scalebridge.cells.phases import parse_phases
from scalebridge.core.errors import InputError
from scalebridge.core.spec import Spec
from scalebridge.upscaling.rve_statistics import Sample
from scalebridge.upscaling.rve_study import study_samples

# ------------------------------------------------------------------------------ from tensors to a study


def test_numbers_of_the_sizes_are_those_of_numpy():
    samples = made_samples()
    study = study_samples(samples[::-1], SPEC, (96, 96), point_variance=9.0)
    for given, found in zip(samples, study.sizes, strict=True):
        scalar = np.trace(given.values, axis1=1, axis2=2) / 2
        np.testing.assert_allclose(found.mean, given.values.mean(axis=0))
        np.testing.assert_allclose(found.std, given.values.std(axis=0, ddof=1))
        assert found.scalar.mean == pytest.approx(scalar.mean())
        assert found.scalar.std == pytest.approx(scalar.std(ddof=1))
        assert found.zeros == 0
    np.testing.assert_array_equal(study.value, study.sizes[-1].mean)


def test_errors_are_those_of_the_law_and_the_wanted_size_has_the_wanted_one():
    study = made_study()
    law, mean = study.law, study.mean
    # ε = 2 D(V) / (mean √n), Kanit et al. 2003.
    assert study.error_of(1e4) == pytest.approx(2 * math.sqrt(law.variance(1e4)) / mean)
    assert study.error_of(1e4, 9) == pytest.approx(study.error_of(1e4) / 3)
    assert study.error_of(study.wanted.volume) == pytest.approx(0.02)
    for size in study.sizes:
        count = study.wanted.counts[size.edge]
        assert study.error_of(size.volume, count) <= 0.02
        assert count == 1 or study.error_of(size.volume, count - 1) > 0.02
    # A square of V voxels of 2 µm.
    assert study.length_of(100.0) == pytest.approx(20e-6)
    assert math.isnan(made_study(voxel=None).length_of(100.0))


def test_the_whole_images_spread_is_found_for_every_component():
    # The scalar's variance is noise² / (2 V), that of a diagonal component noise² / V, off it half of that.
    ratios = []
    for seed in range(60):
        study = study_samples(made_samples(seed=seed), SPEC, (96, 96), point_variance=9.0)
        law = study.law
        allowance = law.expected_variance(96**2) / law.variance(96**2)  # for what the fit leaves open
        ratios.append(study.std**2 / allowance * 96**2 / 9.0)
    middle = np.median(ratios, axis=0)
    # The median of 60 figures whose logarithm has a standard deviation of 0.8 is known to 0.13; thrice that.
    np.testing.assert_allclose(np.log(middle / [[1.0, 0.5], [0.5, 1.0]]), 0.0, atol=0.4)


def test_reflected_boxes_lend_the_off_diagonal_the_spread_of_an_isotropic_medium():
    study = study_samples(made_samples(off=False, seed=3), SPEC, (96, 96), point_variance=9.0)
    diagonal = np.diagonal(study.samples[0].values, axis1=1, axis2=2)
    turned = 0.5 * (diagonal[:, 0] - diagonal[:, 1])  # K_xy after a turn by 45 degrees
    assert study.sizes[0].std[0, 1] == pytest.approx(turned.std(ddof=1))
    assert study.std[0, 1] == study.std[1, 0] > 0
    assert any("differences of the diagonals" in note for note in study.notes)
    assert not any("diagonals" in note for note in made_study().notes)


def test_the_contribution_is_the_images_spread_and_says_how_it_was_found():
    study = made_study()
    part = study.contribution()
    np.testing.assert_array_equal(part.std, study.std)
    assert "subvolumes of 8 x 8 to 48 x 48 voxels" in part.method
    assert f"{study.law.exponent:.2f} ±" in part.method


def test_subvolumes_that_are_alike_leave_no_error():
    samples = [
        Sample(s.size, np.broadcast_to(np.eye(2), s.values.shape), s.origins, s.available)
        for s in made_samples()
    ]
    study = study_samples(samples, SPEC, (96, 96), point_variance=9.0)
    assert study.law is study.wanted is study.drift is None
    assert study.image_error == study.error_of(10.0) == study.image_drift == 0.0
    np.testing.assert_array_equal(study.contribution().std, np.zeros((2, 2)))
    assert study.passed
    assert "Nothing varies" in study.notes[0]


def test_zeros_count_and_are_told():
    with_zeros, without = made_study(zeros=10), made_study()
    assert with_zeros.sizes[0].zeros == 10
    assert with_zeros.sizes[0].scalar.mean < without.sizes[0].scalar.mean
    assert any(
        note.startswith("10 of 64 subvolumes of 8 x 8 voxels answer zero") for note in with_zeros.notes
    )


def test_sizes_whose_mean_has_not_settled_have_no_say_in_the_law():
    samples = made_samples(noise=0.5)
    moved = [Sample(s.size, s.values * (1 + 4 / s.edge), s.origins, s.available) for s in samples]
    study = study_samples(moved, SPEC, (96, 96), point_variance=9.0)
    assert (8, 8) not in study.law.sizes
    assert (48, 48) in study.law.sizes
    assert any("Left out of the law: 8 x 8" in note for note in study.notes)
    # mean (1 + 4 / L), relative to that of the largest
    assert study.image_drift == pytest.approx(4 / 96 / (1 + 4 / 48), rel=0.1)
    assert not next(c for c in study.checks if c.name.startswith("drift")).passed


def test_checks_say_whether_the_image_is_large_enough():
    assert made_study(wanted=0.5).passed
    small = made_study(wanted=1e-4)
    assert next(c.name for c in small.checks if not c.passed) == "error of the image from its size"
    assert small.checks[0].value == small.image_error


def test_numbers_can_be_studied_as_well_as_tensors():
    samples = [Sample(s.size, s.values[:, 0, 0], s.origins, s.available) for s in made_samples()]
    study = study_samples(samples, Spec("porosity"), (96, 96), point_variance=9.0)
    assert study.std.shape == ()
    assert study.std == pytest.approx(0.5 * study.image_error * study.mean)


def test_a_study_prints_what_it_found():
    text = str(made_study())
    assert "integral range" in text
    assert "for an error of 0.02: a square of edge" in text
    assert "64 of 144" in text
    assert text.count("\n") > 8


def test_a_study_is_saved_whole_with_every_answer(tmp_path):
    study = made_study()
    told = json.loads(study.save(tmp_path / "study.json").read_text())
    assert told["schema"] == "scalebridge/rve-study/1"
    assert told["passed"] == study.passed
    assert told["law"]["exponent"] == study.law.exponent
    assert told["law"]["integral_range"] == study.law.integral_range
    np.testing.assert_array_equal(told["sizes"][0]["values"], study.samples[0].values)
    np.testing.assert_array_equal(told["sizes"][3]["origins"], study.samples[3].origins)
    alike = json.loads(json.dumps(study.to_dict(), allow_nan=False))
    assert alike == told


@pytest.mark.parametrize("wanted", [0, 1, -0.1, "2 %", None, True, math.nan])
def test_wanted_errors_that_are_none_are_refused(wanted):
    with pytest.raises(InputError, match="wanted: got"):
        study_samples(made_samples(), SPEC, (96, 96), point_variance=9.0, wanted=wanted)


def test_single_subvolumes_are_refused():
    lonely = Sample((8, 8), np.ones(1), np.zeros((1, 2), int), 144)
    for samples in ([], [lonely]):
        with pytest.raises(InputError, match="two subvolumes"):
            study_samples(samples, Spec("porosity"), (96, 96), point_variance=1.0)


# -------------------------------------------------------------------------------- from an image to a study

NOISE = sb.random_voxels(32, volume_fraction=0.5, seed=0, dim=2)


def test_a_study_of_an_image_holds_what_the_face_answers_for_its_boxes():
    study = conductivity_rve_study(
        NOISE, {0: "1 W/m/K", 1: "3 W/m/K"}, sizes=[8, 16], engine="serial", voxel="1 um"
    )
    assert (study.unit, study.voxel, study.shape) == ("W/m/K", (1e-6, 1e-6), (32, 32))
    assert [s.count for s in study.sizes] == [16, 4]
    sample = study.samples[1]
    for origin, value in zip(sample.origins, sample.values, strict=True):
        box = sb.crop(NOISE, origin.tolist(), (16, 16))
        alone = sb.effective_conductivity(box, {0: 1.0, 1: 3.0}, boundary="mirrored", rtol=1e-4)
        np.testing.assert_array_equal(value, alone.value)
    assert study.provenance.inputs["image"]["sha256"] == study.subject.content_hash()
    assert study.provenance.settings["boundary"] == "mirrored"
    assert study.stats == {"computed": 20, "reused": 0, "damaged": 0}


def test_a_study_goes_into_the_error_budget_of_the_image():
    study = conductivity_rve_study(NOISE, {0: 1.0, 1: 3.0}, sizes=[8, 16], engine="serial")
    whole = sb.effective_conductivity(NOISE, {0: 1.0, 1: 3.0}, study=study)
    np.testing.assert_array_equal(whole.uncertainty["sample size"].std, study.std)
    # Dykhne 1970: two phases that can be exchanged, here by the law of the voxels, have the geometric mean.
    reach = 3 * np.mean(np.diagonal(study.std)) + study.sizes[-1].scalar.mean * 0.05  # voxels are coarse
    assert abs(np.trace(whole.value) / 2 - math.sqrt(3.0)) < reach


def test_a_study_in_space():
    image = sb.random_voxels(16, volume_fraction=0.4, seed=1)
    study = conductivity_rve_study(image, {0: 1.0, 1: 5.0}, sizes=[4, 8], engine="serial", realisations=12)
    assert [s.count for s in study.sizes] == [12, 8]
    assert study.std.shape == (3, 3)
    assert study.law.point_variance == pytest.approx(image.fractions[0] * image.fractions[1] * 16)
    bounds = 1 / (0.6 + 0.4 / 5), 0.6 + 0.4 * 5  # of the medium
    assert bounds[0] < study.mean < bounds[1]


def test_layers_have_no_error_along_them_and_none_of_one_phase():
    layers = sb.laminate_image([0.5, 0.5], 32, axis="x", dim=2)
    study = conductivity_rve_study(layers, {0: 1.0, 1: 3.0}, sizes=[(32, 8), (32, 16)], engine="serial")
    # Every box holds the whole period: the exact laminate, 1.5 across and 2 along.
    np.testing.assert_allclose(study.value, np.diag([1.5, 2.0]), atol=1e-6)
    assert study.image_error < 1e-6
    uniform = sb.VoxelImage(np.zeros((16, 16), int))
    alike = conductivity_rve_study(uniform, {0: 2.0}, sizes=[4, 8], engine="serial")
    np.testing.assert_allclose(alike.value, 2 * np.eye(2), rtol=1e-12)
    assert alike.stats["computed"] == 2  # all boxes of a size are the same question
    assert alike.law is None


def test_boxes_that_do_not_connect_are_zeros():
    labels = np.zeros((16, 16), int)
    labels[:, 8:] = 1
    study = conductivity_rve_study(labels, {0: 0.0, 1: 1.0}, sizes=[4, 8], engine="serial")
    assert [s.zeros for s in study.sizes] == [8, 2]
    np.testing.assert_allclose(study.sizes[1].mean, 0.5 * np.eye(2), rtol=1e-6)
    lonely = np.zeros((4, 4), np.uint8)
    lonely[1, 1] = 1
    assert not solve_box(lonely, None, {"0": 0.0, "1": 1.0}, {"boundary": "mirrored"}).any()


def test_spreads_of_values_are_left_out_and_said():
    study = conductivity_rve_study(
        NOISE, {0: 1.0, 1: {"value": 3.0, "std": 0.5}}, sizes=[8, 16], engine="serial"
    )
    assert any("spread of the phases' values was left out" in note for note in study.notes)
    assert study.inputs["phase 1"]["std"] == 0.0


def test_the_variance_of_points_counts_every_phase():
    image = sb.VoxelImage(np.array([[0, 1], [2, 2]]))
    phases, _ = parse_phases({0: 1.0, 1: [2.0, 4.0], 2: 5.0}, image.phases, {}, 2)
    # Means of the principal values 1, 3, 5 with fractions 1/4, 1/4, 1/2.
    assert point_variance(image, phases) == pytest.approx((1 + 9 + 2 * 25) / 4 - 3.5**2)


def test_the_draw_of_boxes_is_seeded():
    image = sb.random_voxels(40, volume_fraction=0.5, seed=0, dim=2)
    found = [
        conductivity_rve_study(
            image, {0: 1.0, 1: 3.0}, sizes=[4, 20], realisations=5, engine="serial", seed=seed
        )
        for seed in (1, 1, 2)
    ]
    origins = [study.samples[0].origins.tolist() for study in found]
    assert origins[0] == origins[1] != origins[2]
    np.testing.assert_array_equal(found[0].samples[0].values, found[1].samples[0].values)


PHASES = {0: 1.0, 1: 3.0}
REFUSED = [
    ("a phase is missing", {"phases": {0: 1.0}}, "no value for label 1"),
    ("nothing conducts", {"phases": {0: 0.0, 1: 0.0}}, "0 for every phase"),
    ("insulator and flux", {"phases": {0: 0.0, 1: 1.0}, "boundary": "uniform-flux"}, "insulating phase"),
    ("sizes in words", {"sizes": "16"}, "a list of edges"),
    ("a box too large", {"sizes": [8, 31]}, "at least twice"),
    ("one realisation", {"realisations": 1}, "at least 2"),
    ("realisations as text", {"realisations": "many"}, "at least 2"),
    ("an error of two", {"wanted": 2.0}, "between 0 and 1"),
    ("an unknown boundary", {"boundary": "open"}, "mirrored"),
    ("an unknown scheme", {"scheme": "magic"}, "hexahedra"),
    ("rtol of one", {"rtol": 1.0}, "between 0 and 1"),
    ("an unknown engine", {"engine": "cloud"}, "choose one of them"),
    ("no workers", {"engine": "local", "workers": 0}, "at least 1"),
    ("a store that is a file", {"store": __file__}, "which is a file"),
    ("a small image", {"image": np.eye(12, dtype=int), "sizes": None}, "two sizes"),
    ("no image", {"image": "nothing.tif"}, "nothing.tif"),
    ("a negative seed", {"seed": -1}, "at least 0"),
]


@pytest.mark.parametrize(("options", "said"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_questions_that_cannot_be_are_refused_before_any_work(options, said, monkeypatch):
    def never(*args, **kwargs):
        raise AssertionError("work began")

    monkeypatch.setattr("scalebridge.cells.rve_boxes.run_tasks", never)
    asked = {"image": NOISE, "phases": PHASES, "engine": "serial", "sizes": [8, 16], **options}
    with pytest.raises(InputError, match=said):
        conductivity_rve_study(asked.pop("image"), asked.pop("phases"), **asked)
