"""Places in files of every kind: OME-TIFF, OME-Zarr, DICOM, NRRD, MetaImage, whole slides; RAS and LPS."""

import sys
from types import SimpleNamespace

import numpy as np
import pytest
import tifffile
from matplotlib.image import imsave

import scalebridge as sb
from registration_samples import turned_map
from scalebridge.registration.frame import Frame
from scalebridge.registration.reading import open_slide, read_spatial_image
from scalebridge.registration.spatial_image import SpatialImage

ROWS = np.random.default_rng(0).integers(0, 255, (96, 128, 3)).astype(np.uint8)
VOLUME = np.random.default_rng(1).integers(0, 900, (7, 6, 5)).astype(np.int16)  # x, y, z


def ome(path, rows, plane):
    metadata = {"axes": "YXS", "PhysicalSizeX": 0.5, "PhysicalSizeY": 0.25, "Plane": plane}
    tifffile.imwrite(path, rows, ome=True, photometric="rgb", metadata=metadata)


def test_an_ome_plane_s_position_is_the_origin(tmp_path):
    plane = {"PositionX": [1500.0], "PositionXUnit": ["µm"], "PositionY": [-2.0], "PositionYUnit": ["mm"]}
    ome(tmp_path / "a.ome.tif", ROWS, plane)
    read = read_spatial_image(tmp_path / "a.ome.tif")
    assert read.frame.origin == pytest.approx((1.5, -2.0))
    assert read.frame.spacing == pytest.approx((5e-4, 2.5e-4))
    assert read.remarks == ()
    assert np.array_equal(read.values, ROWS.swapaxes(0, 1))


def test_a_position_without_a_unit_is_left_out_aloud(tmp_path):
    ome(tmp_path / "a.ome.tif", ROWS, {"PositionX": [1500.0], "PositionY": [7.0]})
    read = read_spatial_image(tmp_path / "a.ome.tif")
    assert read.frame.origin == (0.0, 0.0)
    assert "reference frame" in read.remarks[0]
    ome(tmp_path / "b.ome.tif", ROWS, {})
    assert read_spatial_image(tmp_path / "b.ome.tif").remarks == ()


def test_a_warped_file_lies_where_the_fixed_image_lies(tmp_path):
    found = turned_map(size=0.5)
    found = type(found)(found.matrix, found.shift, Frame((40, 30), (3.0, -2.0), (1.0, 1.5)))
    image = SpatialImage(ROWS.swapaxes(0, 1), Frame((128, 96), (-5.0, -5.0), (0.6, 0.6)))
    written = sb.warp(found, image, out=tmp_path / "w.ome.tif")
    assert read_spatial_image(written).frame.origin == pytest.approx((3.0, -2.0))
    finer = sb.warp(found, image, pixel="0.5 mm", out=tmp_path / "f.ome.tif")
    assert read_spatial_image(finer).frame.origin == pytest.approx((2.75, -2.5))  # the same corner


def test_a_large_pyramid_is_read_by_its_tiles(tmp_path):
    # More samples than are read whole: the level comes through Zarr, which sees a pyramid as a group.
    rows = np.arange(1600 * 2600, dtype=np.uint32).reshape(1600, 2600)
    with tifffile.TiffWriter(tmp_path / "p.ome.tif", ome=True) as writer:
        options = {"tile": (256, 256), "photometric": "minisblack"}
        size = {"PhysicalSizeX": 1.0, "PhysicalSizeY": 1.0, "axes": "YX"}
        writer.write(rows, subifds=1, metadata=size, **options)
        writer.write(rows[::2, ::2], subfiletype=1, **options)
    pytest.importorskip("zarr")
    slide = open_slide(tmp_path / "p.ome.tif")
    assert np.array_equal(slide.read(0, ((100, 110), (700, 720))), rows[700:720, 100:110].T)


def test_ome_zarr_of_both_versions_with_both_translations(tmp_path):
    zarr = pytest.importorskip("zarr")
    made = ROWS[..., 0]
    for version, place in (("0.4", "multiscales"), ("0.5", "ome")):
        root = zarr.open_group(str(tmp_path / f"{version}.zarr"), mode="w")
        root.create_array("0", shape=made.shape, dtype=made.dtype, chunks=(32, 32))[:] = made
        steps = [{"type": "scale", "scale": [0.5, 1.0]}, {"type": "translation", "translation": [3.0, -4.0]}]
        scales = [{
            "version": version,
            "axes": [{"name": n, "type": "space", "unit": "micrometer"} for n in "yx"],
            "datasets": [{"path": "0", "coordinateTransformations": steps}],
            "coordinateTransformations": [{"type": "scale", "scale": [2.0, 10.0]}],
        }]  # fmt: skip
        root.attrs[place] = scales if place == "multiscales" else {"multiscales": scales}
        frame = open_slide(tmp_path / f"{version}.zarr").frame
        assert frame.spacing == pytest.approx((1e-2, 1e-3))
        assert frame.origin == pytest.approx((-4e-2, 6e-3))  # the last scale acts on the translation too


def lps_points(frame):
    """Points of some samples, and where ITK or nibabel have them."""
    return frame.points(np.array([[0.0, 0, 0], [6, 0, 0], [0, 5, 0], [0, 0, 4], [3, 2, 1]]))


INDICES = [(0, 0, 0), (6, 0, 0), (0, 5, 0), (0, 0, 4), (3, 2, 1)]


@pytest.mark.parametrize("order", [(0, 1, 2), (1, 2, 0)])
@pytest.mark.parametrize("signs", [(1, 1, 1), (-1, 1, 1), (-1, -1, -1)])
def test_a_volume_s_samples_are_where_nibabel_says_in_lps(tmp_path, order, signs):
    nibabel = pytest.importorskip("nibabel")
    affine = np.eye(4)
    affine[:3, :3] = np.eye(3)[:, list(order)] * np.array(signs) * np.array([0.5, 1.0, 2.0])
    turn = np.deg2rad(9.0)
    affine[:2] = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]) @ affine[:2]
    affine[:3, 3] = 4.0, -7.0, 30.0
    nibabel.save(nibabel.Nifti1Image(VOLUME, affine), tmp_path / "v.nii")
    read = read_spatial_image(tmp_path / "v.nii")
    assert np.array_equal(read.values, VOLUME)
    ras = nibabel.affines.apply_affine(affine, np.array(INDICES))
    assert np.abs(lps_points(read.frame) - ras * [-1, -1, 1]).max() < 1e-5  # headers keep 32 bits


@pytest.mark.parametrize("name", ["v.nrrd", "v.mha", "v.nii.gz"])
def test_a_volume_s_samples_are_where_itk_says(tmp_path, name):
    sitk = pytest.importorskip("SimpleITK")
    pytest.importorskip("nibabel")
    image = sitk.GetImageFromArray(VOLUME.transpose(2, 1, 0))
    image.SetSpacing((0.5, 1.0, 2.0))
    image.SetOrigin((-4.0, 7.0, 30.0))
    image.SetDirection((0, -1, 0, 0, 0, -1, 1, 0, 0))
    sitk.WriteImage(image, str(tmp_path / name))
    read = read_spatial_image(tmp_path / name)
    wanted = [image.TransformIndexToPhysicalPoint(i) for i in INDICES]
    assert np.array_equal(read.values, VOLUME)
    assert np.abs(lps_points(read.frame) - wanted).max() < 1e-5


def test_a_scan_with_holes_in_its_numbers_is_refused(tmp_path):
    nibabel = pytest.importorskip("nibabel")
    values = np.where(VOLUME > 500, np.nan, VOLUME).astype(np.float32)
    nibabel.save(nibabel.Nifti1Image(values, np.eye(4)), tmp_path / "masked.nii")
    section = SpatialImage(ROWS, Frame((96, 128), (0.0, 0.0), (1.0, 1.0)))
    with pytest.raises(sb.ImageError, match="finite"):
        sb.register(section, tmp_path / "masked.nii")


def test_an_nrrd_in_ras_is_turned(tmp_path):
    pytest.importorskip("SimpleITK")
    header = (
        "NRRD0004\ntype: short\ndimension: 3\nspace: right-anterior-superior\nsizes: 7 6 5\n"
        "space directions: (0.5,0,0) (0,1,0) (0,0,2)\nspace origin: (4,-7,30)\nendian: little\n"
        "encoding: raw\n\n"
    )
    (tmp_path / "ras.nrrd").write_bytes(header.encode() + VOLUME.astype("<i2").tobytes(order="F"))
    read = read_spatial_image(tmp_path / "ras.nrrd")
    assert np.array_equal(read.values, VOLUME)
    wanted = (np.array(INDICES) * [0.5, 1, 2] + [4, -7, 30]) * [-1, -1, 1]
    assert np.abs(lps_points(read.frame) - wanted).max() < 1e-6


def test_dicom_slices_and_a_folder_of_them(tmp_path):
    sitk = pytest.importorskip("SimpleITK")
    folder = tmp_path / "scan"
    folder.mkdir()
    image = sitk.GetImageFromArray(VOLUME.transpose(2, 1, 0))
    image.SetSpacing((0.5, 1.0, 2.0))
    writer = sitk.ImageFileWriter()
    writer.KeepOriginalImageUIDOn()
    for k in range(5):
        part = image[:, :, k]
        tags = {
            "0008|0060": "MR", "0020|000e": "1.2.826.0.1.3680043.2.1125.1", "0020|0013": str(k),
            "0020|0032": f"-4\\7\\{30 + 2 * k}", "0020|0037": "1\\0\\0\\0\\1\\0",
            "0020|000d": "1.2.826.0.1.3680043.2.1125.2", "0008|0018": f"1.2.826.0.1.3680043.2.1125.3.{k}",
            "0028|0030": "1.0\\0.5",
        }  # fmt: skip
        for key, value in tags.items():
            part.SetMetaData(key, value)
        writer.SetFileName(str(folder / f"{9 - k}.dcm"))  # names in another order than places
        writer.Execute(part)
    read = read_spatial_image(folder)
    assert read.values.shape == VOLUME.shape
    assert np.array_equal(read.values, VOLUME)
    assert read.frame.spacing == pytest.approx((0.5, 1.0, 2.0))
    assert read.frame.origin == pytest.approx((-4.0, 7.0, 30.0))
    one = read_spatial_image(folder / "9.dcm")
    assert np.array_equal(one.values, VOLUME[:, :, 0])
    assert one.frame.spacing == pytest.approx((0.5, 1.0))
    assert one.frame.origin == pytest.approx((-4.0, 7.0))


def write_svs(path) -> np.ndarray:
    """A slide of two levels in Aperio's manner, and its rows."""
    rows = np.kron(ROWS, np.ones((4, 4, 1), np.uint8))
    told = "Aperio Image Library v11.2.1\n512x384 (128x128) J2K|AppMag = 20|MPP = 0.4990"
    with tifffile.TiffWriter(path) as writer:
        options = {"tile": (128, 128), "photometric": "rgb", "metadata": None}
        writer.write(rows, description=told, **options)
        writer.write(rows[::4, ::4], description=told, subfiletype=1, **options)
    return rows


def check_svs(path, rows: np.ndarray) -> None:
    slide = open_slide(path)
    assert slide.levels[0] == (512, 384)
    assert slide.frame.spacing == pytest.approx((4.99e-4, 4.99e-4))
    assert np.array_equal(slide.read(0, ((40, 90), (7, 30))), rows[7:30, 40:90].swapaxes(0, 1))
    small = slide.image(20_000)
    assert np.array_equal(small.values, ROWS.swapaxes(0, 1))
    assert small.frame.origin == pytest.approx((1.5 * 4.99e-4,) * 2)


def test_a_whole_slide_through_tiffslide(tmp_path):
    pytest.importorskip("tiffslide")
    check_svs(tmp_path / "s.svs", write_svs(tmp_path / "s.svs"))


def test_a_whole_slide_through_openslide(tmp_path, monkeypatch):
    pytest.importorskip("openslide")
    tiffslide = pytest.importorskip("tiffslide")

    def fail(*_):
        raise ValueError("a slide that tiffslide does not know")

    monkeypatch.setattr(tiffslide, "TiffSlide", fail)
    check_svs(tmp_path / "s.svs", write_svs(tmp_path / "s.svs"))


class FakeSlide:
    """What OpenSlide has: sizes, properties, regions with transparency where nothing was scanned."""

    level_dimensions = ((8, 6),)

    def __init__(self, file):
        self.properties = {"openslide.mpp-x": "0.5", "openslide.mpp-y": "0.25"}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None

    def read_region(self, corner, level, size):
        part = np.zeros((*size[::-1], 4), np.uint8)
        part[0, 0] = 7, 8, 9, 255
        return part


def test_mirax_goes_to_openslide_and_asks_for_it(tmp_path, monkeypatch):
    file = tmp_path / "s.mrxs"
    file.write_bytes(b"x")
    monkeypatch.setitem(sys.modules, "openslide", None)
    with pytest.raises(sb.MissingExtraError, match="openslide"):
        open_slide(file)
    monkeypatch.setitem(sys.modules, "openslide", SimpleNamespace(OpenSlide=FakeSlide))
    slide = open_slide(file)
    assert slide.frame.spacing == pytest.approx((5e-4, 2.5e-4))
    part = slide.read(0, ((0, 2), (0, 3)))
    assert part.shape == (2, 3, 3)
    assert part[0, 0].tolist() == [7, 8, 9]
    assert part[1, 2].tolist() == [255, 255, 255]  # not scanned is bright, as glass is


@pytest.mark.parametrize(("name", "off"), [("p.jpg", 4), ("p.jpeg", 4), ("p.png", 0)])
def test_pictures_come_x_first(tmp_path, name, off):
    rows = np.zeros((16, 24, 3), np.uint8)
    rows[:8, :, 0], rows[:, 16:, 1] = 200, 90  # blocks of eight: JPEG keeps them nearly
    options = {"pil_kwargs": {"quality": 95, "subsampling": 0}} if off else {}
    imsave(tmp_path / name, rows, **options)
    read = read_spatial_image(tmp_path / name, pixel="2 um, 3 um")
    assert read.frame.shape == (24, 16)
    assert read.frame.spacing == pytest.approx((2e-3, 3e-3))
    assert np.abs(read.values[..., :3].astype(int) - rows.swapaxes(0, 1)).max() <= off
