"""Maps in order, with ITK's and elastix's; layers for napari; what fits itself and says nothing."""

import numpy as np
import pytest

import scalebridge as sb
from registration_samples import small_answer, small_task, turned_map
from scalebridge.registration.composition import Chain, compose
from scalebridge.registration.exports import write_map
from scalebridge.registration.frame import Frame
from scalebridge.registration.layers import layer_data, show
from scalebridge.registration.spatial_image import SpatialImage
from scalebridge.registration.spatial_map import SpatialMap


def some_points(found, count=60):
    return found.frame.points(np.random.default_rng(3).uniform(1, 38, (count, 2)))


def test_affine_maps_after_a_registration_are_taken_in_exactly():
    sitk = pytest.importorskip("SimpleITK")
    found = turned_map()
    after = sitk.Euler2DTransform((3.0, 4.0), 0.4, (1.0, -2.0))
    whole = compose(found, after, [[2, 0, 1], [0.5, 1, 0]])
    assert isinstance(whole, SpatialMap)
    points = some_points(found)
    wanted = np.array([after.TransformPoint(p) for p in found(points).tolist()])
    wanted = wanted @ np.array([[2, 0], [0.5, 1]]).T + [1, 0]
    assert np.abs(whole(points) - wanted).max() < 1e-10


def test_a_chain_with_transforms_that_bend(tmp_path):
    sitk = pytest.importorskip("SimpleITK")
    found, second = turned_map(), turned_map(seed=5, size=0.3)
    write_map(second, tmp_path / "second.tfm")
    before = [[1.0, 0.1, 0.5], [0.0, 1.0, -0.5]]
    whole = compose(before, found, tmp_path / "second.tfm", frame=found.frame)
    assert isinstance(whole, Chain)
    points = some_points(found)
    moved = points @ np.array(before)[:, :2].T + np.array(before)[:, 2]
    # Beyond its spline's grid ITK has no displacement, where ours goes on.
    within = [
        np.all((found.frame.indices(p) > 0) & (found.frame.indices(p) < 39), axis=1)
        for p in (moved, found(moved))
    ]
    points, moved = (p[within[0] & within[1]] for p in (points, moved))
    assert len(points) > 10
    assert np.abs(whole(points) - second(found(moved))).max() < 1e-9
    with pytest.raises(sb.InputError, match="without inverse"):
        whole.inverse(points)
    write_map(whole, tmp_path / "whole.tfm")
    theirs = sitk.ReadTransform(str(tmp_path / "whole.tfm"))
    assert np.abs([theirs.TransformPoint(p) for p in points.tolist()] - whole(points)).max() < 1e-9
    write_map(whole, tmp_path / "whole.nii.gz")
    again = compose(tmp_path / "whole.nii.gz", frame=found.frame)
    on_grid = found.frame.points(np.random.default_rng(5).integers(1, 38, (20, 2)).astype(float))
    assert np.abs(again(on_grid) - whole(on_grid)).max() < 1e-4  # 32 bits in NIfTI's header
    with pytest.raises(sb.InputError, match="in order"):
        write_map(whole, tmp_path / "whole.txt")


def test_a_chain_carries_images_and_goes_back():
    frame = Frame((20, 16), (0.0, 0.0), (1.0, 1.0))
    bent = turned_map(size=0.2)
    whole = Chain((SpatialMap(np.eye(2), np.array([2.0, 0.0]), frame), bent), frame)
    points = frame.grid()[::7]
    assert np.abs(whole.inverse(whole(points)) - points).max() < 1e-4
    image = SpatialImage(np.random.default_rng(1).random((60, 60)), Frame((60, 60), (-20, -20), (1.5, 1.5)))
    carried = sb.warp(whole, image)
    one = sb.warp(SpatialMap(np.eye(2), np.zeros(2), carried.frame), carried)
    assert np.array_equal(one.values, carried.values)
    assert carried.values.shape == (20, 16)


@pytest.mark.parametrize(
    ("given", "argument"),
    [(("text.tfm",), "others"), (([[1, 2], [3, 4]],), "others"), ((np.eye(3, 4),), "others")],
    ids=["no such file", "no matrix", "a map of space after one of planes"],
)
def test_what_is_no_map_is_refused(given, argument):
    pytest.importorskip("SimpleITK")
    with pytest.raises(sb.InputError) as caught:
        compose(turned_map(), *given)
    assert caught.value.argument == argument
    with pytest.raises(sb.InputError, match="frame"):
        compose([[1, 0, 0], [0, 1, 0]])


@pytest.mark.slow
def test_elastix_maps_points_as_we_do(tmp_path):
    itk = pytest.importorskip("itk", reason="itk-elastix is a peer, not a dependency")
    found = turned_map()
    points = some_points(found)
    write_map(found, tmp_path / "m.txt")
    rows = "\n".join(f"{x:.15g} {y:.15g}" for x, y in points)
    (tmp_path / "points.txt").write_text(f"point\n{len(points)}\n{rows}\n", encoding="utf-8")
    parameters = itk.ParameterObject.New()
    for name in ("m.spline.txt", "m.txt"):
        parameters.AddParameterFile(str(tmp_path / name))
    moving = itk.image_from_array(np.zeros((40, 50), np.float32))
    itk.transformix_filter(
        moving, parameters, fixed_point_set_file_name=str(tmp_path / "points.txt"),
        output_directory=str(tmp_path), log_to_console=False,
    )  # fmt: skip
    lines = (tmp_path / "outputpoints.txt").read_text(encoding="utf-8").splitlines()
    theirs = [[float(v) for v in row.split("OutputPoint = [")[1].split("]")[0].split()] for row in lines]
    assert np.abs(np.array(theirs) - found(points)).max() < 1e-3  # it prints six digits


def test_layers_have_scales_and_lie_on_each_other():
    found, task = small_answer(), small_task()
    fixed = SpatialImage(task.fixed, task.fixed_frame)
    layers = {o["name"]: (data, o, kind) for data, o, kind in layer_data(found, fixed)}
    data, options, kind = layers["fixed"]
    assert kind == "image"
    assert data.shape == task.fixed.shape[::-1]
    assert options["scale"] == pytest.approx(task.fixed_frame.spacing)
    assert options["translate"] == pytest.approx(task.fixed_frame.origin)
    assert layers["moving, carried over"][0].shape == data.shape
    marks, back = (layers[name][0] for name in ("landmarks, fixed", "landmarks, moving taken back"))
    scale = found.stretches[1]
    assert np.linalg.norm(marks - back, axis=1) == pytest.approx(found.landmarks.errors / scale, rel=0.5)
    arrows = layers["displacement"][0]
    start, way = arrows[5, 0, ::-1], arrows[5, 1, ::-1]
    assert found.map.displacement(start[None])[0] == pytest.approx(way)
    assert layers["standard error, mm"][1]["visible"] is False


def test_a_turned_grid_has_an_affine():
    from scalebridge.registration.layers import _image

    frame = turned_map().frame
    _, options, _ = _image(SpatialImage(np.zeros(frame.shape), frame), "x", "gray")
    x, y = frame.points(np.array([[3.0, 5.0]]))[0]
    assert options["affine"] @ [5.0, 3.0, 1.0] == pytest.approx([y, x, 1.0])


def test_napari_is_asked_for_only_then():
    import importlib.util

    if importlib.util.find_spec("napari") is None:
        with pytest.raises(sb.MissingExtraError, match="napari"):
            show(small_answer())


def test_noise_on_itself_does_not_pass():
    rng = np.random.default_rng(7)
    noise = SpatialImage(rng.standard_normal((48, 48)), Frame((48, 48), (0.0, 0.0), (1.0, 1.0)))
    found = sb.register(noise, noise, start=[[1, 0, 0], [0, 1, 0]], deform=False)
    assert not found.passed
    assert {check.name for check in found.checks if not check.passed} == {"structure"}
