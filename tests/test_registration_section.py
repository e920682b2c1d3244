"""A section in a volume: its pose, its deformation, its stated error, anchorings, and what is refused."""

import json
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import tifffile
from scipy import ndimage
from scipy.spatial.transform import Rotation

import scalebridge as sb
from cli_helpers import invoke
from scalebridge.registration.anchoring import anchoring_of, map_of_anchoring, read_anchoring, write_anchoring
from scalebridge.registration.exports import read_map, write_map
from scalebridge.registration.frame import Frame
from scalebridge.registration.registration_result import RADIUS_95
from scalebridge.registration.section_levels import Bow
from scalebridge.registration.section_pose import plane_axes, pose_of, upright
from scalebridge.registration.section_problems import SectionTask, phantom_volume, section_task
from scalebridge.registration.section_search import climb_pose, fit_pose
from scalebridge.registration.spatial_image import SpatialImage
from scalebridge.registration.spatial_map import SpatialMap, nearest_affine
from scalebridge.registration.spline import SplineGrid
from scalebridge.registration.start import Attempt

PITCH = 2.4


@cache
def small_section() -> SectionTask:
    """A section of 96 x 96 pixels, tilted by eleven degrees."""
    return section_task(phantom_volume(), seed=1, pixels=96, pitch=PITCH)


@cache
def small_pose():
    """Its registration, with landmarks."""
    task = small_section()
    return sb.register(
        task.section, task.volume, plane="axial", angles=12, grid="36 mm",
        landmarks=(task.points[::40], task.answers[::40]),
    )  # fmt: skip


def misses(found, task: SectionTask) -> np.ndarray:
    return np.linalg.norm(found.map_points(task.points) - task.answers, axis=1)


def test_a_section_is_found_in_the_volume():
    found, task = small_pose(), small_section()
    # The texture is white: 0.2 mm with pixels of 1.2 mm and a fine grid is 0.5 here; twice that for one draw.
    assert np.median(misses(found, task)) < 1.0
    assert np.percentile(misses(found, task), 95) < 2.5
    assert found.passed
    pose = found.pose
    assert pose.plane == "axial"
    assert pose.tilt == pytest.approx(task.tilt, abs=1.5)
    assert np.degrees(np.arccos(abs(pose.normal @ task.normal))) < 1.0
    assert found.stretches == pytest.approx(
        (1.19, 1.13), abs=0.04
    )  # 1 / 0.84 and 1 / 0.88, and the field's mean


def test_the_stated_error_covers_the_true_one():
    found, task = small_pose(), small_section()
    stated = found.standard_error(task.points[::10])
    assert np.mean(misses(found, task)[::10] < RADIUS_95 * stated) > 0.8
    assert np.median(stated) < 6 * np.median(misses(found, task))
    across = np.abs((found.map_points(task.points) - task.answers) @ task.normal)
    assert np.median(across) < 2 * found.confidence.across
    assert found.landmarks.coverage > 0.8


def start_of(task: SectionTask) -> np.ndarray:
    """Nearly where the section is: the affine map nearest to the known one, a degree and 2 mm off."""
    matrix, shift = nearest_affine(lambda _: task.answers, task.points)
    off = Rotation.from_euler("xyz", [1.0, -1.0, 1.0], degrees=True).as_matrix()
    middle = task.answers.mean(axis=0)
    return np.column_stack([off @ matrix, off @ (shift - middle) + middle + [1.0, -1.0, 1.4]])


def test_levels_of_a_section_are_judged_too():
    task = small_section()
    found = sb.register(task.section, task.volume, start=start_of(task))
    assert len([step for step in found.steps if step.held_out is not None]) == 3
    assert np.median(misses(found, task)) < 1.5  # the field is 1 mm along each axis, pixels 2.4 mm
    stated = found.standard_error(task.points[::10])
    assert np.mean(misses(found, task)[::10] < RADIUS_95 * stated) > 0.8


@pytest.mark.slow
def test_a_fine_section_keeps_the_levels_that_its_field_needs():
    task = section_task(phantom_volume(), seed=1)
    found = sb.register(task.section, task.volume, start=start_of(task))
    judged = [step for step in found.steps if step.held_out is not None]
    assert judged[0].accepted
    assert judged[0].held_out.gain > judged[0].held_out.chance
    flat = np.linalg.norm(found.linear(task.points) - task.answers, axis=1)
    assert np.median(misses(found, task)) < 0.5 * np.median(flat)


def test_a_section_s_plane_alone_states_its_error():
    task = small_section()
    found = sb.register(task.section, task.volume, start=start_of(task), deform=False)
    assert found.map.grid is None
    stated = found.standard_error(task.points[::10])
    assert np.mean(misses(found, task)[::10] < RADIUS_95 * stated) > 0.8
    assert np.median(stated) < 4 * np.median(misses(found, task))
    assert np.isfinite(found.confidence.across)


@pytest.mark.slow
def test_noise_has_no_levels_in_a_volume():
    task = small_section()
    rng = np.random.default_rng(3)
    noise = SpatialImage(rng.standard_normal(task.section.values.shape[:2]), task.section.frame)
    found = sb.register(noise, task.volume, start=start_of(task))
    assert not any(step.accepted for step in found.steps if step.grid)
    assert not found.passed


def test_there_and_back_with_the_distance_from_the_section():
    found, task = small_pose(), small_section()
    points = task.points[::50]
    off = found.map_points(points) + 2.0 * found.map.matrix[:, 2]
    assert (
        np.abs(found.inverse_points(off) - np.column_stack([points, np.full(len(points), 2.0)])).max() < 1e-5
    )


@pytest.mark.slow
def test_a_face_and_a_plane_that_were_not_said():
    volume = phantom_volume()
    columns = plane_axes("coronal") @ np.array([[0.8, -0.6], [0.6, 0.8]]) @ np.diag([-1.1, 1.1])
    frame = Frame((64, 64), (-113.4, -113.4), (3.6, 3.6))
    laid = SpatialMap(upright(columns), np.array([3.0, -14.0, -4.0]), frame)
    section = replace(sb.warp(laid, volume), frame=frame)
    found = sb.register(section, volume, deform=False, even=False)
    assert found.pose.plane == "coronal"
    assert found.pose.flipped
    inside = frame.grid()[section.values.ravel() > 0.3]
    # The same grey values on both sides: the affine stage is good to a fraction of a sample.
    assert np.median(np.linalg.norm(found.map_points(inside) - laid(inside), axis=1)) < 1.0


def test_a_given_anchoring_is_enough_and_again_is_the_same():
    task, wanted = small_section(), small_pose()
    start = anchoring_of(wanted.map, task.volume.frame)
    start = np.array(start) + np.array([3.0, -2.0, 2.0, 0, 2, 0, 0, 0, 1])  # voxels
    found = [sb.register(task.section, task.volume, start=start, deform=False) for _ in range(2)]
    assert found[0].map.matrix.tobytes() == found[1].map.matrix.tobytes()
    assert np.median(misses(found[0], task)) < 2.5  # the plane alone: the field is 1 mm along each axis
    assert "margin of the start" not in {check.name for check in found[0].checks}


@pytest.mark.slow
@pytest.mark.parametrize("width", [0.0, 4.0])
def test_a_pattern_is_no_section_of_the_volume(width):
    values = ndimage.gaussian_filter(np.random.default_rng(2).standard_normal((96, 96)), width)
    frame = Frame((96, 96), (0.0, 0.0), (2.4, 2.4))
    if width:  # a disc of the section's size, as smooth as tissue
        away = np.linalg.norm(frame.grid() - frame.centre, axis=1).reshape(96, 96)
        values = np.where(away < 72.0, values / values.std() + 3.0, 0.0)
    found = sb.register(SpatialImage(values, frame), phantom_volume(), grid="36 mm")
    assert not found.passed


def quadratic_pairing(target):
    """A pairing whose similarity is minus the mean square distance to a target, (n, 3)."""

    class Pairing:
        points = np.random.default_rng(1).uniform(-50, 50, (60, 2))
        fixed = type("Layer", (), {"spacing": 1.0})()

        def __init__(self):
            self.target = target(self.points)

        def __call__(self, mapped, slope=True):
            self.off = mapped - self.target
            value = -np.mean(np.sum(self.off**2, axis=1)) / 100
            return type("Matched", (), {"value": value, "overlap": 1.0})()

        def forces(self, matched):
            return -2 * self.off / len(self.off) / 100

    return Pairing()


def test_the_search_s_slopes_lead_to_the_pose():
    frame = Frame((8, 8), (0.0, 0.0), (1.0, 1.0))
    start = SpatialMap(upright(plane_axes("axial")), np.zeros(3), frame)
    columns = 1.1 * Rotation.from_rotvec([0.2, -0.1, 0.25]).as_matrix() @ start.matrix[:, :2]
    truth = SpatialMap(upright(columns), np.array([4.0, -3.0, 6.0]), frame)
    pairing = quadratic_pairing(truth)
    found = climb_pose(pairing, Attempt(0.0, False, 1.0, 0.0, 1.0, start))
    # A least-squares fit of a rotation: with wrong slopes the line search ends far away.
    assert np.abs(found.map(pairing.points) - truth(pairing.points)).max() < 0.1
    squashed = SpatialMap(upright(columns * np.array([1.1, 0.8])), truth.shift, frame)
    pairing = quadratic_pairing(squashed)
    affine, step = fit_pose(pairing, start)
    assert np.abs(affine(pairing.points) - squashed(pairing.points)).max() < 0.05
    assert step.after > step.before


def test_the_bow_s_control_values_are_its_polynomials():
    bow, grid = Bow(np.array([20.0, 15.0]), 20.0), SplineGrid.covering((40.0, 30.0), 9.0, (-0.5, -0.5))
    points = np.random.default_rng(2).uniform(1, 29, (50, 2))
    values = bow.at(points)
    for term, coefficients in enumerate(np.moveaxis(bow.coefficients(grid), -1, 0)):
        first, second = (grid.basis(k, points[:, k]).toarray() for k in range(2))
        assert np.abs(np.sum((first @ coefficients) * second, axis=1) - values[:, term]).max() < 1e-12


ANCHORING = [8.0, 7.0, 1.0, -6.0, 0.0, 1.0, 0.0, -5.0, 0.0]


def test_an_anchoring_s_corners():
    # Voxels of 2 mm, in a file whose samples run to the left, to the back and up (LPS), from (-10, -20, -30).
    volume = Frame((10, 12, 9), (-10.0, -20.0, -30.0), (2.0, 2.0, 2.0))
    section = Frame((6, 5), (0.0, 0.0), (1.0, 1.0))
    found = map_of_anchoring(ANCHORING, section, volume)
    corner = section.points(np.array([[-0.5, -0.5]]))
    # o = (8, 7, 1) voxels from the right, back and lower corner: right is x = -11 + 20 - 16 from the left.
    assert found(corner)[0] == pytest.approx([9.0 - 16.0, 3.0 - 14.0, -31.0 + 2.0])
    assert np.allclose(anchoring_of(found, volume), ANCHORING)
    # The same place in a file whose samples run to the right, to the front and up (RAS), axes turned.
    turned = Frame((9, 10, 12), (8.0, 2.0, -30.0), (2.0, 2.0, 2.0), ((0, -1, 0), (0, 0, -1), (1, 0, 0)))
    assert np.allclose(map_of_anchoring(ANCHORING, section, turned)(corner), found(corner))


def test_anchorings_in_files(tmp_path):
    volume, section = Frame((9,) * 3, (0.0,) * 3, (1.0,) * 3), Frame((4, 6), (0.0, 0.0), (1.0, 1.0))
    found = map_of_anchoring(ANCHORING, section, volume)
    path = write_anchoring(tmp_path / "a.json", found, volume, "s_01.tif")
    assert np.allclose(read_anchoring(path, "anything.png", volume), ANCHORING)
    told = json.loads(path.read_text(encoding="utf-8"))
    assert told["slices"][0]["width"] == 4
    assert told["target-resolution"] == [9, 9, 9]
    coarse = replace(volume, shape=(3, 3, 3), spacing=(3.0,) * 3)
    assert np.allclose(read_anchoring(path, "s", coarse), np.array(ANCHORING) / 3)
    with pytest.raises(sb.FileFormatError, match="voxels"):
        read_anchoring(path, "s", replace(volume, shape=(9, 9, 5)))
    other = {"filename": "s_02.png", **dict(zip(("ox", "oy", "oz"), ANCHORING[:3], strict=True))}
    told["slices"].append(other)
    path.write_text(json.dumps(told), encoding="utf-8")
    assert np.allclose(read_anchoring(path, "s_01.ome.tif".replace(".ome", ""), volume), ANCHORING)
    with pytest.raises(sb.FileFormatError, match="s_02"):
        read_anchoring(path, "elsewhere.tif", volume)
    with pytest.raises(sb.FileFormatError, match="cannot be read"):
        read_anchoring(path, "s_02.png", volume)


@pytest.mark.parametrize("name", ["m.tfm", "m.h5", "m.json", "m.nii.gz"])
def test_maps_into_a_volume_for_other_programs(tmp_path, name):
    sitk = pytest.importorskip("SimpleITK")
    found, task = small_pose(), small_section()
    [file] = write_map(found.map, tmp_path / name)
    points = task.section.frame.grid()[5::301]
    if not name.endswith("gz"):
        back = read_map(file, task.section.frame)
        assert np.abs(back(points) - found.map_points(points)).max() < 1e-9
    if name.endswith("json"):
        return
    if name.endswith("gz"):
        transform = sitk.DisplacementFieldTransform(sitk.ReadImage(str(file), sitk.sitkVectorFloat64))
    else:
        transform = sitk.ReadTransform(str(file))
    theirs = [transform.TransformPoint([*p, 0.0]) for p in points.tolist()]
    # NIfTI keeps directions in 32 bits; the rest is exact.
    assert np.abs(np.array(theirs) - found.map_points(points)).max() < (1e-4 if name.endswith("gz") else 1e-9)


def test_other_kinds_are_not_written_of_maps_into_a_volume(tmp_path):
    with pytest.raises(sb.InputError, match="ending"):
        write_map(small_pose().map, tmp_path / "m.txt")


def test_the_volume_and_its_labels_on_the_section():
    found, task = small_pose(), small_section()
    grey = sb.warp(found, task.volume)
    assert grey.frame == task.section.frame
    tissue = task.section.values > 0.2
    assert np.mean((grey.values > 0.3)[tissue]) > 0.95
    labels = replace(task.volume, values=np.where(task.volume.values > 0.85, 614454277, 7).astype(np.int32))
    carried = sb.warp(found, labels, interpolation="nearest")
    assert set(np.unique(carried.values)) == {
        7,
        614454277,
    }  # an atlas's numbers are beyond what a float holds
    with pytest.raises(sb.InputError, match="a plane"):
        sb.warp(found, task.section)


REFUSED = [
    ("the volume as the fixed image", {"swap": True}, "fixed"),
    ("an unknown plane", {"plane": "oblique"}, "plane"),
    ("a matrix of a plane", {"start": [[1, 0, 0], [0, 1, 0]]}, "start"),
    ("a start that is flat", {"start": np.ones((3, 3))}, "start"),
    ("an anchoring that is not finite", {"start": [np.nan] * 9}, "start"),
    ("no such anchoring", {"start": "nowhere.json"}, "start"),
    ("landmarks in a plane", {"landmarks": (np.zeros((3, 2)), np.zeros((3, 2)))}, "landmarks"),
    ("a section of another size", {"pitch": 60.0}, "moving"),
]


@pytest.mark.parametrize(("given", "argument"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_what_is_refused(given, argument):
    task, call = small_section(), dict(given)
    pitch = call.pop("pitch", PITCH)
    section = replace(task.section, frame=Frame((96, 96), (0.0, 0.0), (pitch, pitch)))
    pair = (task.volume, section) if call.pop("swap", False) else (section, task.volume)
    with pytest.raises(sb.InputError) as caught:
        sb.register(*pair, **call)
    assert caught.value.argument == argument
    assert caught.value.cure


def test_a_plane_is_for_volumes():
    section = small_section().section
    with pytest.raises(sb.InputError, match="planes"):
        sb.register(section, section, plane="axial")


@pytest.mark.slow
def test_on_the_command_line(tmp_path):
    nibabel = pytest.importorskip("nibabel")
    task = small_section()
    affine = np.diag([-2.0, -2.0, 2.0, 1.0])
    affine[:3, 3] = np.array([-1, -1, 1]) * task.volume.frame.origin
    nibabel.save(nibabel.Nifti1Image(task.volume.values, affine), tmp_path / "v.nii.gz")
    tifffile.imwrite(
        tmp_path / "s.tif", np.round(100 * task.section.values.T).astype(np.uint8), metadata=None
    )
    start = write_anchoring(tmp_path / "start.json", small_pose().map, task.volume.frame, "s.tif")
    names = {"--out": "o.json", "--anchoring": "a.json", "--warped": "w.tif"}
    given = [part for option, name in names.items() for part in (option, tmp_path / name)]
    pair = (tmp_path / "s.tif", tmp_path / "v.nii.gz", "--fixed-pixel", f"{PITCH} mm")
    done = invoke("register", *pair, "--start", start, "--affine", *given)
    assert done.exit_code == 0, done.output
    assert "axial section through" in done.output
    again = read_anchoring(tmp_path / "a.json", "s", task.volume.frame)
    wanted = anchoring_of(small_pose().map, task.volume.frame, small_pose().tissue_points())
    assert np.abs(again - wanted).max() < 1.5  # voxels: the affine stage alone, beside a bowed spline
    assert json.loads((tmp_path / "o.json").read_text(encoding="utf-8"))["pose"]["plane"] == "axial"
    carried = invoke(
        "warp", tmp_path / "o.json", tmp_path / "v.nii.gz", tmp_path / "x.tif", "--interpolation", "nearest"
    )
    assert carried.exit_code == 0, carried.output
    assert tifffile.imread(tmp_path / "x.tif").shape == (96, 96)
    refused = invoke("register", *pair, "--map", tmp_path / "m.txt")
    assert refused.exit_code == 2


@pytest.mark.slow
def test_the_page_shows_where_it_lies(tmp_path):
    text = sb.report(small_pose(), tmp_path / "page.html").read_text(encoding="utf-8")
    for wanted in ("Position in the volume", "Sagittal plane", "how the section bows", "nearest plane"):
        assert wanted in text


def test_pose_names():
    frame = Frame((5, 5), (0.0, 0.0), (1.0, 1.0))
    for plane in ("axial", "coronal", "sagittal"):
        pose = pose_of(SpatialMap(upright(plane_axes(plane)), np.zeros(3), frame))
        assert (pose.plane, pose.flipped, pose.turn) == (plane, False, pytest.approx(0))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(20))
def test_twenty_oblique_poses(seed):
    task = section_task(phantom_volume(), seed=seed)
    found = sb.register(task.section, task.volume)
    assert found.passed
    assert np.median(misses(found, task)) < 1.2
