"""Images and maps in files: places kept, RAS and LPS, levels, tiles, other programs' transforms."""

import json

import numpy as np
import pytest
import tifffile

import scalebridge as sb
from cli_helpers import invoke
from registration_samples import small_answer, small_task, turned_map
from scalebridge.registration.composition import Chain
from scalebridge.registration.exports import read_map, write_map
from scalebridge.registration.frame import Frame
from scalebridge.registration.landmarks import (
    read_bigwarp,
    read_geojson,
    read_geojson_pairs,
    write_bigwarp,
    write_geojson,
)
from scalebridge.registration.reading import open_slide, read_spatial_image
from scalebridge.registration.spatial_image import SpatialImage
from scalebridge.registration.spatial_map import SpatialMap

PLANE = np.arange(30.0 * 20).reshape(30, 20).astype(np.float32)


def test_nifti_of_either_kind_gives_the_same_points(tmp_path):
    nibabel = pytest.importorskip("nibabel")
    sitk = pytest.importorskip("SimpleITK")
    # The same plane through ITK, which writes LPS, and through nibabel, which writes RAS.
    image = sitk.GetImageFromArray(PLANE.T)
    image.SetSpacing((0.5, 0.25))
    image.SetOrigin((-3.0, 7.0))
    sitk.WriteImage(image, str(tmp_path / "itk.nii.gz"))
    sitk.WriteImage(image, str(tmp_path / "itk.mha"))
    affine = np.diag([-0.5, -0.25, 1.0, 1.0])
    affine[:2, 3] = 3.0, -7.0
    nibabel.save(nibabel.Nifti1Image(PLANE[..., None], affine), tmp_path / "ras.nii")
    frames = []
    for name in ("itk.nii.gz", "itk.mha", "ras.nii"):
        read = read_spatial_image(tmp_path / name)
        assert np.array_equal(read.values, PLANE)
        frames.append(read.frame)
    for frame in frames:
        assert frame.origin == pytest.approx((-3.0, 7.0), abs=1e-6)
        assert frame.spacing == pytest.approx((0.5, 0.25))
        assert not frame.mirrored


def test_a_mirrored_header_and_one_without_orientation(tmp_path):
    nibabel = pytest.importorskip("nibabel")
    nibabel.save(nibabel.Nifti1Image(PLANE[..., None], np.diag([0.5, -0.5, 1, 1])), tmp_path / "las.nii")
    assert read_spatial_image(tmp_path / "las.nii").frame.mirrored
    bare = nibabel.Nifti1Image(PLANE[..., None], None)
    bare.header.set_zooms((0.5, 0.5, 1.0))
    bare.header["sform_code"] = bare.header["qform_code"] = 0
    nibabel.save(bare, tmp_path / "bare.nii")
    read = read_spatial_image(tmp_path / "bare.nii")
    assert not read.frame.mirrored
    assert any("no orientation" in remark for remark in read.remarks)


def write_pyramid(path, rows):
    with tifffile.TiffWriter(path, ome=True) as writer:
        options = {"tile": (64, 64), "photometric": "rgb"}
        metadata = {
            "PhysicalSizeX": 0.5, "PhysicalSizeXUnit": "µm", "PhysicalSizeY": 0.5, "PhysicalSizeYUnit": "µm",
            "axes": "YXS",
        }  # fmt: skip
        writer.write(rows, subifds=2, metadata=metadata, **options)
        for factor in (2, 4):
            writer.write(rows[::factor, ::factor], subfiletype=1, **options)


def test_a_pyramid_is_read_at_the_level_that_is_asked(tmp_path):
    rows = np.random.default_rng(0).integers(0, 255, (256, 384, 3)).astype(np.uint8)
    write_pyramid(tmp_path / "slide.ome.tif", rows)
    slide = open_slide(tmp_path / "slide.ome.tif")
    assert slide.levels == ((384, 256), (192, 128), (96, 64))
    assert slide.frame.spacing == pytest.approx((5e-4, 5e-4))
    whole = slide.image()
    assert np.array_equal(whole.values, rows.swapaxes(0, 1))
    small = slide.image(10_000)
    assert small.frame.shape == (96, 64)
    # The first sample of a level stands for the middle of its block.
    assert small.frame.origin == pytest.approx((1.5 * 5e-4,) * 2)
    assert slide.image(2_000).frame.extent == pytest.approx(whole.frame.extent, rel=0.05)
    part = slide.read(0, ((10, 20), (30, 35)))
    assert np.array_equal(part, rows[30:35, 10:20].swapaxes(0, 1))


def test_ome_zarr(tmp_path):
    zarr = pytest.importorskip("zarr")
    root = zarr.open_group(str(tmp_path / "image.zarr"), mode="w")
    rows = np.random.default_rng(1).integers(0, 255, (3, 64, 80)).astype(np.uint8)
    for level in range(2):
        made = rows[:, :: 2**level, :: 2**level]
        array = root.create_array(str(level), shape=made.shape, dtype=made.dtype, chunks=(1, 32, 32))
        array[:] = made
    steps = [
        {
            "path": str(k),
            "coordinateTransformations": [{"type": "scale", "scale": [1, 2.0 * 2**k, 2.0 * 2**k]}],
        }
        for k in range(2)
    ]
    axes = [{"name": "c", "type": "channel"}] + [
        {"name": n, "type": "space", "unit": "micrometer"} for n in "yx"
    ]
    root.attrs["multiscales"] = [{"version": "0.4", "axes": axes, "datasets": steps}]
    slide = open_slide(tmp_path / "image.zarr")
    assert slide.levels == ((80, 64), (40, 32))
    assert slide.frame.spacing == pytest.approx((2e-3, 2e-3))
    assert np.array_equal(slide.image().values, rows.transpose(2, 1, 0))


def test_pictures_need_a_pixel_size(tmp_path):
    from matplotlib.image import imsave

    imsave(tmp_path / "p.png", np.zeros((8, 12, 3), np.uint8))
    with pytest.raises(sb.ImageError, match="pixel"):
        read_spatial_image(tmp_path / "p.png")
    read = read_spatial_image(tmp_path / "p.png", pixel="2 um")
    assert read.frame.shape == (12, 8)
    assert read.frame.spacing == pytest.approx((2e-3, 2e-3))


def test_tiles_give_what_memory_gives(tmp_path):
    found = turned_map(size=0.5)
    rows = np.random.default_rng(2).integers(0, 255, (300, 256, 3)).astype(np.uint8)
    image = SpatialImage(rows.swapaxes(0, 1), Frame((256, 300), (-5.0, -5.0), (0.3, 0.3)))
    whole = sb.warp(found, image, pixel="0.04 mm")
    written = sb.warp(found, image, pixel="0.04 mm", out=tmp_path / "w.ome.tif")
    assert np.array_equal(tifffile.imread(written).swapaxes(0, 1), whole.values)
    assert open_slide(written).frame.spacing == pytest.approx((0.04, 0.04))
    labels = sb.warp(
        found, SpatialImage((rows[..., 0] > 99).T.astype(np.uint8), image.frame), interpolation="nearest"
    )
    assert set(np.unique(labels.values)) <= {0, 1}


@pytest.mark.parametrize("name", ["m.tfm", "m.h5", "m.txt", "m.json"])
def test_maps_come_back_exactly(tmp_path, name):
    if name.endswith(("tfm", "h5")):
        pytest.importorskip("SimpleITK")
    found = turned_map()
    points = found.frame.points(np.random.default_rng(3).uniform(0, 39, (100, 2)))
    files = write_map(found, tmp_path / name)
    again = read_map(files[0], found.frame)
    assert np.abs(again(points) - found(points)).max() < 1e-9  # 17 digits are written, or all bits
    linear = write_map(found.linear, tmp_path / f"linear{name}")
    assert np.abs(read_map(linear[0], found.frame)(points) - found.linear(points)).max() < 1e-9


def test_itk_maps_points_as_we_do(tmp_path):
    sitk = pytest.importorskip("SimpleITK")
    found = turned_map()
    points = found.frame.points(np.random.default_rng(4).uniform(0, 39, (100, 2)))
    for name in ("m.tfm", "m.h5"):
        write_map(found, tmp_path / name)
        transform = sitk.ReadTransform(str(tmp_path / name))
        theirs = np.array([transform.TransformPoint(p) for p in points.tolist()])
        assert np.abs(theirs - found(points)).max() < 1e-9
    affine, warp = write_map(found, tmp_path / "a0GenericAffine.mat")
    assert warp.name == "a1Warp.nii.gz"
    field = sitk.DisplacementFieldTransform(sitk.ReadImage(str(warp), sitk.sitkVectorFloat64))
    on_grid = found.frame.points(np.random.default_rng(5).integers(1, 38, (50, 2)).astype(float))
    both = [sitk.ReadTransform(str(affine)).TransformPoint(field.TransformPoint(p)) for p in on_grid.tolist()]
    # NIfTI keeps directions in 32 bits: 1e-7 of 60 mm, times the field's slope.
    assert np.abs(np.array(both) - found(on_grid)).max() < 1e-4
    [dense] = write_map(found, tmp_path / "dense.nii.gz")
    shift = sitk.DisplacementFieldTransform(sitk.ReadImage(str(dense), sitk.sitkVectorFloat64))
    theirs = np.array([shift.TransformPoint(p) for p in on_grid.tolist()])
    assert np.abs(theirs - found(on_grid)).max() < 1e-4


def test_itk_resamples_as_warp_does(tmp_path):
    sitk = pytest.importorskip("SimpleITK")
    found, task = small_answer(), small_task()
    write_map(found.map, tmp_path / "m.tfm")

    def itk(values, frame):
        image = sitk.GetImageFromArray(values.T)
        image.SetOrigin(frame.origin)
        image.SetSpacing(frame.spacing)
        return image

    theirs = sitk.GetArrayFromImage(
        sitk.Resample(
            itk(task.moving, task.moving_frame), itk(task.fixed, task.fixed_frame),
            sitk.ReadTransform(str(tmp_path / "m.tfm")), sitk.sitkLinear, 0.0,
        )
    ).T  # fmt: skip
    ours = sb.warp(found, SpatialImage(task.moving, task.moving_frame), background=0.0).values
    assert np.abs(ours - theirs).max() < 0.05  # of 255; 32 bits in both


def test_maps_of_other_kinds_are_refused(tmp_path):
    found = turned_map()
    with pytest.raises(sb.InputError, match="ending"):
        write_map(found, tmp_path / "m.xyz")
    with pytest.raises(sb.FileFormatError, match="does not exist"):
        read_map(tmp_path / "none.json", found.frame)
    (tmp_path / "bad.json").write_text(json.dumps({"map": {}}), encoding="utf-8")
    with pytest.raises(sb.FileFormatError, match="cannot be read"):
        read_map(tmp_path / "bad.json", found.frame)


def test_landmark_files(tmp_path):
    fixed, moving = np.random.default_rng(6).uniform(0, 9, (2, 5, 2))
    back = read_bigwarp(write_bigwarp(tmp_path / "l.csv", moving, fixed))
    assert np.allclose(back[0], fixed, atol=1e-8)
    assert np.allclose(back[1], moving, atol=1e-8)
    assert np.allclose(read_geojson(write_geojson(tmp_path / "p.geojson", fixed)), fixed)
    shape = {"type": "FeatureCollection", "features": [{"geometry": {"type": "Polygon", "coordinates": []}}]}
    (tmp_path / "q.geojson").write_text(json.dumps(shape), encoding="utf-8")
    with pytest.raises(sb.FileFormatError, match="Polygon"):
        read_geojson(tmp_path / "q.geojson")


def test_qupath_points_pair_by_name_or_by_order_and_lie_from_the_corner(tmp_path):
    frames = Frame((9, 9), (3.0, 0.0), (0.5, 0.5)), Frame((9, 9), (0.0, 0.0), (2.0, 2.0))
    one, other = np.random.default_rng(7).uniform(0, 9, (2, 4, 2))
    first = write_geojson(tmp_path / "f.geojson", one, ["a", "b", "c", "d"])
    second = write_geojson(tmp_path / "m.geojson", other, ["d", "b", "x", "a"])
    fixed, moving = read_geojson_pairs(first, second, frames)
    assert np.allclose(fixed, frames[0].points(one[[0, 1, 3]] - 0.5))  # QuPath's origin is a pixel's corner
    assert np.allclose(moving, frames[1].points(other[[3, 1, 0]] - 0.5))
    assert np.allclose(fixed[0], [3.0 + 0.5 * (one[0, 0] - 0.5), 0.5 * (one[0, 1] - 0.5)])
    plain = [write_geojson(tmp_path / f"p{k}.geojson", p, [""] * 4) for k, p in enumerate((one, other))]
    assert np.allclose(read_geojson_pairs(*plain, frames)[1], frames[1].points(other - 0.5))
    for wrong in (
        write_geojson(tmp_path / "w.geojson", one[:3], [""] * 3),
        write_geojson(tmp_path / "z.geojson", one),
    ):
        with pytest.raises(sb.FileFormatError, match="pair"):
            read_geojson_pairs(plain[0], wrong, frames)
    (tmp_path / "no.geojson").write_text('{"features": [{}]}', encoding="utf-8")
    with pytest.raises(sb.FileFormatError, match="cannot be read"):
        read_geojson(tmp_path / "no.geojson")


@pytest.mark.parametrize("name", ["m.nii.gz", "m.mat", "x0GenericAffine.mat"])
def test_dense_fields_and_ants_come_back(tmp_path, name):
    sitk = pytest.importorskip("SimpleITK")
    found = small_answer().map
    files = write_map(found, tmp_path / name)
    assert len(files) == (1 if name.endswith(".nii.gz") else 2)
    back = read_map(tmp_path / name, found.frame)
    assert isinstance(back, Chain)
    points = small_task().points[::7]
    assert np.abs(back(points) - found(points)).max() < 0.02  # linear between samples 1.6 mm apart
    grid = found.frame.grid()[::5]
    assert np.abs(back(grid) - found(grid)).max() < 1e-4  # at samples: floats of four bytes
    assert np.nanmax(np.abs(back.inverse(back(points)) - points)) < 1e-3
    if name == "m.nii.gz":
        field = sitk.DisplacementFieldTransform(sitk.ReadImage(str(files[0]), sitk.sitkVectorFloat64))
        theirs = [field.TransformPoint(p) for p in points.tolist()]
        assert np.abs(back(points) - theirs).max() < 1e-9  # the same rule between samples
        outside = np.array([[-500.0, 3.0]])
        assert np.array_equal(back(outside), [field.TransformPoint(outside[0].tolist())])
    image = SpatialImage(small_task().moving, small_task().moving_frame)
    carried, wanted = sb.warp(back, image, background=0.0), sb.warp(found, image, background=0.0)
    assert np.abs(carried.values - wanted.values).max() < 1e-3


def test_the_command_line_registers_and_warps(tmp_path):
    task = small_task()
    for name, values in (("fixed", task.fixed), ("moving", task.moving)):
        rows = np.round(255 * values / values.max()).astype(np.uint8).T
        tifffile.imwrite(tmp_path / f"{name}.tif", rows, metadata=None)
    pixel = f"{task.fixed_frame.spacing[0]} mm"
    written = [tmp_path / name for name in ("r.json", "m.json", "w.tif")]
    sound = np.flatnonzero(~task.damaged)[:60:3]
    for name, points, frame in (
        ("f", task.points[sound], task.fixed_frame), ("m", task.answers[sound], task.moving_frame)
    ):  # fmt: skip
        write_geojson(tmp_path / f"{name}.geojson", frame.indices(points) + 0.5)
    done = invoke(
        "register", tmp_path / "fixed.tif", tmp_path / "moving.tif", "--fixed-pixel", pixel,
        "--moving-pixel", pixel, "--angles", "9", "--no-flip", "--affine", "--out", written[0],
        "--map", written[1], "--warped", written[2],
        "--landmarks", tmp_path / "f.geojson", "--landmarks", tmp_path / "m.geojson",
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    assert "20 landmarks: median" in done.output
    assert float(done.output.split("landmarks: median ")[1].split()[0]) < 4.0  # mm, of an affine map
    assert "turned by" in done.output
    assert all(path.exists() for path in written)
    again = invoke("warp", written[0], tmp_path / "moving.tif", tmp_path / "v.tif", "--moving-pixel", pixel)
    assert again.exit_code == 0, again.output
    assert np.array_equal(tifffile.imread(tmp_path / "v.tif"), tifffile.imread(written[2]))
    refused = invoke("register", tmp_path / "fixed.tif", tmp_path / "moving.tif")
    assert refused.exit_code == 2
    assert "fixed_pixel" in refused.stderr
    alone = invoke(
        "register", tmp_path / "fixed.tif", tmp_path / "moving.tif", "--landmarks", tmp_path / "f.geojson"
    )
    assert alone.exit_code == 2
    assert "landmarks" in alone.stderr
    over = invoke(
        "register", tmp_path / "fixed.tif", tmp_path / "moving.tif", "--out", tmp_path / "fixed.tif"
    )
    assert over.exit_code == 2


def test_a_map_of_an_affine_kind_warps_without_a_spline():
    frame = Frame((6, 5), (0.0, 0.0), (1.0, 1.0))
    image = SpatialImage(np.arange(30.0).reshape(6, 5), frame)
    same = sb.warp(SpatialMap(np.eye(2), np.zeros(2), frame), image)
    assert np.array_equal(same.values, image.values)
