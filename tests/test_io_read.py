"""Every format, written by its own library and read back: axes, values, voxel size, hash."""

import hashlib
from pathlib import Path

import h5py
import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st

from scalebridge.core.errors import ImageError, InputError, UnitError
from scalebridge.io.axes import image_axes, settle_axes
from scalebridge.io.read import read_volume
from scalebridge.io.volume import Volume

# Sizes 3, 4, 5 along x, y, z and a value that tells where each voxel is: any swap of axes shows.
X, Y, Z = np.meshgrid(np.arange(3), np.arange(4), np.arange(5), indexing="ij")
IMAGE = (X + 10 * Y + 50 * Z).astype(np.uint8)
STORED = np.ascontiguousarray(IMAGE.transpose(2, 1, 0))
MICRON = 1e-6
BEREA = Path(__file__).parents[1] / "examples" / "data" / "berea_128.tif"


def is_image(volume, expected=IMAGE):
    return volume.data.dtype == expected.dtype and np.array_equal(volume.data, expected)


def sha(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def voxel_in_microns(volume):
    return pytest.approx([length / MICRON for length in volume.voxel], rel=1e-9)


# --- TIFF ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("compression", [None, "zlib"])
@pytest.mark.parametrize("bigtiff", [False, True])
@pytest.mark.parametrize("contiguous", [False, True])
def test_tiff_pages_are_slices(tmp_path, compression, bigtiff, contiguous):
    path = tmp_path / "scan.tif"
    with tifffile.TiffWriter(path, bigtiff=bigtiff) as writer:
        if contiguous:
            writer.write(STORED, photometric="minisblack", compression=compression)
        else:
            for page in STORED:
                writer.write(page, contiguous=False, photometric="minisblack", compression=compression)
    volume = read_volume(path)
    assert is_image(volume)
    assert volume.voxel is None
    assert volume.source["sha256"] == sha(path)
    assert {key: volume.source[key] for key in ("path", "format", "axes", "dtype", "shape")} == {
        "path": "scan.tif",
        "format": "TIFF",
        "axes": "zyx",
        "dtype": "uint8",
        "shape": (5, 4, 3),
    }


@pytest.mark.parametrize("unit", ["um", "micron", "\\u00B5m"])
def test_imagej_voxel_size(tmp_path, unit):
    path = tmp_path / "scan.tif"
    metadata = {"spacing": 5.0, "unit": unit, "axes": "ZYX"}
    tifffile.imwrite(path, STORED, imagej=True, resolution=(1 / 3, 1 / 3.5), metadata=metadata)
    volume = read_volume(path)
    assert is_image(volume)
    assert voxel_in_microns(volume) == [3, 3.5, 5]
    assert volume.source["voxel_from"] == "header"


def test_imagej_without_calibration_has_no_voxel_size(tmp_path):
    path = tmp_path / "scan.tif"
    tifffile.imwrite(path, STORED, imagej=True, metadata={"unit": "pixel", "spacing": 2.0, "axes": "ZYX"})
    assert read_volume(path).voxel is None
    with pytest.raises(UnitError, match=r"voxel_unit: .*not calibrated"):
        read_volume(path, voxel_unit="um")


def test_imagej_without_slice_distance_is_not_guessed(tmp_path):
    path = tmp_path / "scan.tif"
    tifffile.imwrite(
        path, STORED, imagej=True, resolution=(1 / 3, 1 / 3), metadata={"unit": "um", "axes": "ZYX"}
    )
    volume = read_volume(path)
    assert volume.voxel is None
    assert "no distance between slices" in volume.source["remark"]


def test_ome_voxel_size_with_a_unit_per_axis(tmp_path):
    path = tmp_path / "scan.ome.tif"
    sizes = {"PhysicalSizeX": 3, "PhysicalSizeY": 3500, "PhysicalSizeYUnit": "nm", "PhysicalSizeZ": 5}
    tifffile.imwrite(path, STORED, photometric="minisblack", metadata={"axes": "ZYX", **sizes})
    volume = read_volume(path)
    assert is_image(volume)
    assert voxel_in_microns(volume) == [3, 3.5, 5]


@pytest.mark.parametrize(
    ("resolution", "unit", "expected"),
    [((2000, 4000), "CENTIMETER", [5.0, 2.5]), ((300, 300), "INCH", None), ((2000, 4000), "NONE", None)],
)
def test_plain_resolution_counts_only_with_a_unit_and_not_as_a_printers(tmp_path, resolution, unit, expected):
    path = tmp_path / "slice.tif"
    tifffile.imwrite(path, STORED[0], resolution=resolution, resolutionunit=unit)
    volume = read_volume(path)
    assert is_image(volume, IMAGE[:, :, 0])
    if expected is None:
        assert volume.voxel is None
    else:
        assert voxel_in_microns(volume) == expected


def test_big_endian_becomes_native(tmp_path):
    path = tmp_path / "scan.tif"
    tifffile.imwrite(path, STORED.astype("u2"), byteorder=">", photometric="minisblack")
    volume = read_volume(path)
    assert volume.data.dtype.isnative
    assert is_image(volume, IMAGE.astype("u2"))


def test_time_frames_are_slices_when_said(tmp_path):
    path = tmp_path / "scan.tif"
    tifffile.imwrite(path, STORED, imagej=True, metadata={"axes": "TYX"})
    with pytest.raises(ImageError, match="axes='zyx'"):
        read_volume(path)
    assert is_image(read_volume(path, axes="zyx"))


def test_several_images_in_a_tiff_are_chosen_by_number(tmp_path):
    path = tmp_path / "two.tif"
    with tifffile.TiffWriter(path) as writer:
        writer.write(np.zeros((8, 9), "u1"), photometric="minisblack")
        writer.write(STORED, photometric="minisblack")
    volume = read_volume(path, dataset="1")
    assert is_image(volume)
    assert volume.source["dataset"] == "1"


def write_slices(folder, name="slice_{}.tif", first=8):
    for number, page in enumerate(STORED, first):
        tifffile.imwrite(folder / name.format(number), page)


def test_stack_is_sorted_naturally_and_hashed_in_order(tmp_path):
    write_slices(tmp_path)  # 8, 9, 10, 11, 12: a plain sort would begin with 10
    (tmp_path / "notes.txt").write_text("not a slice")
    volume = read_volume(tmp_path, voxel=("3 um", "3.5 um", "5 um"))
    assert is_image(volume)
    assert voxel_in_microns(volume) == [3, 3.5, 5]
    every_byte = b"".join((tmp_path / f"slice_{number}.tif").read_bytes() for number in range(8, 13))
    assert volume.source["sha256"] == hashlib.sha256(every_byte).hexdigest()
    assert volume.source["files"] == 5


def test_pattern_selects_slices(tmp_path):
    write_slices(tmp_path)
    write_slices(tmp_path, "other_{}.tif", first=0)
    volume = read_volume(tmp_path / "slice_1*.tif")
    assert is_image(volume, IMAGE[:, :, 2:])


# --- raw and NumPy ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("shape", "order"), [((5, 4, 3), "C"), ((3, 4, 5), "F")])
@pytest.mark.parametrize("dtype", ["u1", "<u2", ">u2", ">f4"])
def test_raw_has_x_fastest_in_both_orders(tmp_path, shape, order, dtype):
    path = tmp_path / "scan.raw"
    path.write_bytes(b"HEADER" + STORED.astype(dtype).tobytes())
    volume = read_volume(path, shape=shape, dtype=dtype, order=order, offset=6, voxel="3 um")
    assert is_image(volume, IMAGE.astype(np.dtype(dtype).newbyteorder("=")))
    assert volume.source["sha256"] == sha(path)


def test_raw_with_axes_named_otherwise(tmp_path):
    path = tmp_path / "scan.dat"
    IMAGE.tofile(path)
    assert is_image(read_volume(path, shape=(3, 4, 5), dtype="u1", axes="xyz"))


@pytest.mark.parametrize("array", [IMAGE, np.asfortranarray(IMAGE), IMAGE.astype(">i4"), IMAGE > 50])
def test_npy_keeps_the_axes_of_memory(tmp_path, array):
    path = tmp_path / "scan.npy"
    np.save(path, array)
    assert is_image(read_volume(path), array.astype(array.dtype.newbyteorder("=")))
    assert is_image(
        read_volume(path, axes="zyx"), array.transpose(2, 1, 0).astype(array.dtype.newbyteorder("="))
    )


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_npz_by_name_and_alone(tmp_path, save):
    save(tmp_path / "two.npz", phase=IMAGE, grey=IMAGE.astype("f4"), centres=np.zeros(7))
    save(tmp_path / "one.npz", phase=IMAGE, centres=np.zeros(7))
    assert is_image(read_volume(tmp_path / "two.npz", dataset="phase"))
    volume = read_volume(tmp_path / "one.npz")
    assert is_image(volume)
    assert volume.source["dataset"] == "phase"


# --- SimpleITK ----------------------------------------------------------------------------------------------


def write_itk(path, compressed=False):
    sitk = pytest.importorskip("SimpleITK")
    image = sitk.GetImageFromArray(STORED)
    image.SetSpacing((3.0, 3.5, 5.0))
    sitk.WriteImage(image, str(path), compressed)


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("suffix", [".nrrd", ".nhdr", ".mha", ".mhd"])
def test_itk_spacing_needs_a_unit_by_argument(tmp_path, suffix, compressed):
    path = tmp_path / f"scan{suffix}"
    write_itk(path, compressed)
    volume = read_volume(path)
    assert is_image(volume)
    assert volume.voxel is None
    assert "voxel_unit" in volume.source["remark"]
    assert voxel_in_microns(read_volume(path, voxel_unit="um")) == [3, 3.5, 5]


def test_the_hash_of_a_detached_header_covers_its_data(tmp_path):
    path = tmp_path / "scan.mhd"
    write_itk(path)
    joined = path.read_bytes() + (tmp_path / "scan.raw").read_bytes()
    assert read_volume(path).source["sha256"] == hashlib.sha256(joined).hexdigest()


@pytest.mark.parametrize(
    ("space", "expected"),
    [
        ('spacings: 3 3.5 5\nunits: "um" "um" "um"\n', [3, 3.5, 5]),
        (
            'space dimension: 3\nspace directions: (3,0,0) (0,3.5,0) (0,0,5)\nspace units: "um" "um" "um"\n',
            [3, 3.5, 5],
        ),
        ("spacings: 3 3.5 5\n", None),
        ("", None),
    ],
)
def test_nrrd_units_are_read_from_the_header(tmp_path, space, expected):
    pytest.importorskip("SimpleITK")
    path = tmp_path / "scan.nrrd"
    header = f"NRRD0004\ntype: uint8\ndimension: 3\nsizes: 3 4 5\n{space}encoding: raw\n\n"
    path.write_bytes(header.encode() + STORED.tobytes())
    volume = read_volume(path)
    assert is_image(volume)
    if expected is None:
        assert volume.voxel is None
    else:
        assert voxel_in_microns(volume) == expected


def test_metaimage_without_spacing_has_none_even_with_a_unit(tmp_path):
    pytest.importorskip("SimpleITK")
    path = tmp_path / "scan.mha"
    header = (
        "ObjectType = Image\nNDims = 3\nDimSize = 3 4 5\nElementType = MET_UCHAR\nElementDataFile = LOCAL\n"
    )
    path.write_bytes(header.encode() + STORED.tobytes())
    assert is_image(read_volume(path))
    with pytest.raises(UnitError, match="has no spacing"):  # ITK itself reports 1, 1, 1
        read_volume(path, voxel_unit="um")


def with_nifti_unit(path, code):
    """Set byte 123 of the NIfTI-1 header, xyzt_units."""
    content = bytearray(path.read_bytes())
    content[123] = code
    path.write_bytes(content)


@pytest.mark.parametrize(("code", "expected"), [(2, 1e-3), (3, 1e-6), (1, 1.0), (0, None)])
def test_nifti_unit_from_the_header(tmp_path, code, expected):
    path = tmp_path / "scan.nii"
    write_itk(path)
    with_nifti_unit(path, code)
    volume = read_volume(path)
    assert is_image(volume)
    if expected is None:
        assert volume.voxel is None
        assert voxel_in_microns(read_volume(path, voxel_unit="um")) == [3, 3.5, 5]
    else:
        assert volume.voxel == pytest.approx(
            [3 * expected, 3.5 * expected, 5 * expected], rel=1e-6
        )  # float32 header


def test_nifti_packed(tmp_path):
    path = tmp_path / "scan.nii.gz"
    write_itk(path)
    volume = read_volume(path)
    assert is_image(volume)
    assert volume.voxel == pytest.approx([3e-3, 3.5e-3, 5e-3], rel=1e-6)


def test_a_direction_is_noted_and_not_applied(tmp_path):
    sitk = pytest.importorskip("SimpleITK")
    image = sitk.GetImageFromArray(STORED)
    image.SetDirection((-1, 0, 0, 0, -1, 0, 0, 0, 1))
    sitk.WriteImage(image, str(tmp_path / "scan.mha"))
    volume = read_volume(tmp_path / "scan.mha")
    assert is_image(volume)
    assert volume.source["direction"] == (-1, 0, 0, 0, -1, 0, 0, 0, 1)


# --- HDF5 ---------------------------------------------------------------------------------------------------


def test_hdf5_single_dataset_is_found(tmp_path):
    path = tmp_path / "scan.h5"
    with h5py.File(path, "w") as file:
        file["a/b/image"] = STORED
        file["a/table"] = np.zeros((7, 1))
        file["a/times"] = np.zeros(5)
    volume = read_volume(path)
    assert is_image(volume)
    assert volume.source["dataset"] == "a/b/image"
    assert volume.source["sha256"] == sha(path)


def test_hdf5_axes_from_labels_attributes_and_axistags(tmp_path):
    path = tmp_path / "scan.h5"
    with h5py.File(path, "w") as file:
        file["labels"] = IMAGE
        for dimension, letter in zip(file["labels"].dims, "xyz", strict=True):
            dimension.label = letter
        file["attribute"] = IMAGE
        file["attribute"].attrs["axes"] = "xyz"
        file["ilastik"] = STORED[None, ..., None]
        tags = ", ".join(f'{{"key": "{letter}", "typeFlags": 2}}' for letter in "tzyxc")
        file["ilastik"].attrs["axistags"] = f'{{"axes": [{tags}]}}'
    for name in ("labels", "attribute", "ilastik"):
        assert is_image(read_volume(path, dataset=name))


def test_hdf5_element_size(tmp_path):
    path = tmp_path / "scan.h5"
    with h5py.File(path, "w") as file:
        file["exported_data"] = STORED
        file["exported_data"].attrs["element_size_um"] = [5.0, 3.5, 3.0]
    assert voxel_in_microns(read_volume(path)) == [3, 3.5, 5]
    with pytest.raises(UnitError, match="'um', the unit in the file's header"):
        read_volume(path, voxel_unit="mm")


def write_dream3d(path):
    with h5py.File(path, "w") as file:
        cells = file.create_group("DataContainers/Image/CellData")
        cells["FeatureIds"] = STORED[..., None].astype("i4")
        cells["Phases"] = np.ones((5, 4, 3, 1), "i4")
        cells["EulerAngles"] = np.zeros((5, 4, 3, 3), "f4")
        file["DataContainers/Image/CellFeatureData/Centroids"] = np.zeros((9, 3), "f4")
        geometry = file.create_group("DataContainers/Image/_SIMPL_GEOMETRY")
        geometry["DIMENSIONS"] = np.array([3, 4, 5], "i8")
        geometry["SPACING"] = np.array([3.0, 3.5, 5.0], "f4")
        geometry["ORIGIN"] = np.zeros(3, "f4")


def test_dream3d_layout(tmp_path):
    path = tmp_path / "grains.dream3d"
    write_dream3d(path)
    volume = read_volume(path, dataset="FeatureIds", voxel_unit="um")
    assert is_image(volume, IMAGE.astype("i4"))
    assert voxel_in_microns(volume) == [3, 3.5, 5]
    assert volume.source["dataset"] == "DataContainers/Image/CellData/FeatureIds"
    assert read_volume(path, dataset="DataContainers/Image/CellData/Phases").voxel is None


# --- Zarr and VTI -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", [2, 3])
def test_zarr_array(tmp_path, version):
    zarr = pytest.importorskip("zarr")
    zarr.create_array(str(tmp_path / "scan.zarr"), data=STORED, zarr_format=version, chunks=(2, 2, 2))
    volume = read_volume(tmp_path / "scan.zarr", voxel="3 um")
    assert is_image(volume)
    assert volume.source["sha256"] == hashlib.sha256(STORED.tobytes()).hexdigest()


def test_zarr_dimension_names(tmp_path):
    zarr = pytest.importorskip("zarr")
    zarr.create_array(str(tmp_path / "scan.zarr"), data=IMAGE, dimension_names=("x", "y", "z"))
    assert is_image(read_volume(tmp_path / "scan.zarr"))


@pytest.mark.parametrize(("version", "wrapped"), [(2, False), (3, True)])
def test_ome_zarr_pyramid(tmp_path, version, wrapped):
    zarr = pytest.importorskip("zarr")
    group = zarr.open_group(str(tmp_path / "scan.zarr"), mode="w", zarr_format=version)
    group.create_array("0", data=STORED[None])
    group.create_array("1", data=np.ascontiguousarray(STORED[None, ::2, ::2, ::2]))
    axes = [
        {"name": "c", "type": "channel"},
        *({"name": name, "type": "space", "unit": "micrometer"} for name in "zyx"),
    ]
    levels = [
        {
            "path": str(level),
            "coordinateTransformations": [{"type": "scale", "scale": [1, 2.5 * f, 1.75 * f, 1.5 * f]}],
        }
        for level, f in enumerate((1, 2))
    ]
    scales = [
        {
            "axes": axes,
            "datasets": levels,
            "coordinateTransformations": [{"type": "scale", "scale": [1, 2, 2, 2]}],
        }
    ]
    group.attrs.update({"ome": {"multiscales": scales}} if wrapped else {"multiscales": scales})
    volume = read_volume(tmp_path / "scan.zarr")
    assert is_image(volume)
    assert voxel_in_microns(volume) == [3, 3.5, 5]
    coarse = read_volume(tmp_path / "scan.zarr", dataset="1")
    assert is_image(coarse, IMAGE[::2, ::2, ::2])
    assert voxel_in_microns(coarse) == [6, 7, 10]


@pytest.mark.parametrize("place", ["CellData", "PointData"])
def test_vti_cells_and_points(tmp_path, place):
    pytest.importorskip("vtkmodules")
    from vtkmodules.util.numpy_support import numpy_to_vtk
    from vtkmodules.vtkCommonDataModel import vtkImageData
    from vtkmodules.vtkIOXML import vtkXMLImageDataWriter

    image = vtkImageData()
    more = 1 if place == "CellData" else 0
    image.SetDimensions(3 + more, 4 + more, 5 + more)
    image.SetSpacing(3, 3.5, 5)
    array = numpy_to_vtk(STORED.ravel(), deep=True)
    array.SetName("label")
    getattr(image, f"Get{place}")().AddArray(array)
    writer = vtkXMLImageDataWriter()
    writer.SetFileName(str(tmp_path / "scan.vti"))
    writer.SetInputData(image)
    writer.Write()
    volume = read_volume(tmp_path / "scan.vti", voxel_unit="um")
    assert is_image(volume)
    assert voxel_in_microns(volume) == [3, 3.5, 5]
    assert volume.source["dataset"] == f"{place}/label"


# --- axes, voxel sizes, volumes -----------------------------------------------------------------------------


def test_one_slice_is_a_2d_image(tmp_path):
    np.save(tmp_path / "slice.npy", IMAGE[:, :, :1])
    volume = read_volume(tmp_path / "slice.npy", voxel=("3 um", "3.5 um"))
    assert is_image(volume, IMAGE[:, :, 0])
    assert voxel_in_microns(volume) == [3, 3.5]


def test_spacing_follows_renamed_axes(tmp_path):
    path = tmp_path / "scan.h5"
    with h5py.File(path, "w") as file:
        file["image"] = STORED
        file["image"].attrs["element_size_um"] = [5.0, 3.5, 3.0]
    volume = read_volume(path, axes="xyz")
    assert is_image(volume, STORED)
    assert voxel_in_microns(volume) == [5, 3.5, 3]


@given(order=st.permutations("xyz"), single=st.lists(st.sampled_from("ct"), unique=True), at=st.data())
@settings(max_examples=50, deadline=None)
def test_any_stored_order_comes_out_as_x_y_z(order, single, at):
    letters = list(order)
    for letter in single:
        letters.insert(at.draw(st.integers(0, len(letters))), letter)
    lengths = {"x": 3, "y": 4, "z": 5}
    shape = tuple(lengths.get(letter, 1) for letter in letters)
    settled = settle_axes(shape, "".join(letters), None)
    kept = [length for length, letter in zip(shape, settled, strict=True) if letter != "-"]
    assert [kept[index] for index in image_axes(settled)] == [3, 4, 5]
    assert settle_axes(shape, "t" * len(shape), "".join(order)) == settled


def test_voxel_and_voxel_unit_exclude_each_other(tmp_path):
    np.save(tmp_path / "scan.npy", IMAGE)
    with pytest.raises(InputError, match="not both"):
        read_volume(tmp_path / "scan.npy", voxel="3 um", voxel_unit="um")


def test_voxel_argument_overrules_the_header(tmp_path):
    tifffile.imwrite(
        tmp_path / "s.tif",
        STORED,
        imagej=True,
        resolution=(1, 1),
        metadata={"spacing": 1.0, "unit": "mm", "axes": "ZYX"},
    )
    volume = read_volume(tmp_path / "s.tif", voxel="0.003 mm")
    assert voxel_in_microns(volume) == [3, 3, 3]
    assert volume.source["voxel_from"] == "argument"


def test_volume_prints_short_and_demands_a_voxel_size():
    volume = Volume(IMAGE)
    assert repr(volume) == "Volume(3 x 4 x 5, uint8, voxel size unknown, from 'memory')"
    with pytest.raises(
        ImageError, match=r"voxel: got no voxel size .* for the permeability; pass voxel='3 um'"
    ):
        volume.require_voxel("the permeability")
    assert Volume(IMAGE, (1e-6, 2e-6, 3e-6)).extent() == pytest.approx([3e-6, 8e-6, 15e-6])


@pytest.mark.parametrize("voxel", [(1e-6,), (1e-6, 0.0, 1e-6), (1e-6, -1e-6, 1e-6), (1e-6, np.nan, 1e-6)])
def test_volume_refuses_impossible_voxels(voxel):
    with pytest.raises(ImageError, match=r"voxel: got .*3 positive lengths"):
        Volume(IMAGE, voxel)


def test_volume_refuses_other_dimensions():
    with pytest.raises(ImageError, match="axes"):
        Volume(np.zeros(4))
    with pytest.raises(ImageError, match="non-empty"):
        Volume(np.zeros((0, 4)))


def test_real_image_berea_sandstone():
    volume = read_volume(BEREA, voxel="3 um")
    assert volume.shape == (128, 128, 128)
    assert set(np.unique(volume.data)) == {0, 1}
    # porosity of this crop as published with it, four digits: examples/data/README.md
    assert np.mean(volume.data == 0) == pytest.approx(0.1988, abs=5e-5)
    assert np.array_equal(volume.data, tifffile.imread(BEREA).transpose(2, 1, 0))
    assert volume.source["sha256"] == sha(BEREA)
