"""Bad input: each refused within a second by an error that names argument, got, wanted and cure."""

import importlib
import importlib.util
import os
import pickle
import shutil
import sys
import time
from dataclasses import dataclass, field

import h5py
import numpy as np
import pytest
import tifffile

from scalebridge.core.errors import (
    FileFormatError,
    ImageError,
    InputError,
    MissingExtraError,
    ResourceError,
    UnitError,
)
from scalebridge.io import read
from scalebridge.io.fields import write_vti
from scalebridge.io.read import read_volume

IMAGE = np.arange(60, dtype=np.uint8).reshape(5, 4, 3)


@dataclass
class Case:
    """A bad input and what its refusal must say.

    `make` gets an empty folder and returns the path and the options to read it with.
    """

    name: str
    make: object
    kind: type
    argument: str
    got: str
    wanted: str
    cure: str
    options: dict = field(default_factory=dict)


def cut(path, keep):
    """Shorten a file to a number of bytes, or by a number of bytes when negative."""
    os.truncate(path, keep if keep >= 0 else path.stat().st_size + keep)
    return path


def tiff(folder, array=IMAGE, name="scan.tif", **options):
    tifffile.imwrite(folder / name, array, **({"photometric": "minisblack"} | options))
    return folder / name


def tiff_pages(folder):
    with tifffile.TiffWriter(folder / "scan.tif") as writer:
        for page in IMAGE:
            writer.write(page, contiguous=False, photometric="minisblack", compression="zlib")
    return folder / "scan.tif"


def slices(folder, numbers=range(5), odd=None):
    for number in numbers:
        tiff(folder, IMAGE[0, :2] if number == odd else IMAGE[0], f"slice_{number:03d}.tif")
    return folder


def content(folder, name, data):
    (folder / name).write_bytes(data)
    return folder / name


def npy(folder, array, **options):
    np.save(folder / "scan.npy", array, **options)
    return folder / "scan.npy"


def npz(folder):
    np.savez(folder / "scan.npz", phase=IMAGE, grey=IMAGE, line=np.zeros(4))
    return folder / "scan.npz"


def itk(folder, name, array=IMAGE, **options):
    sitk = pytest.importorskip("SimpleITK")
    sitk.WriteImage(sitk.GetImageFromArray(array, **options), str(folder / name))
    return folder / name


def no_data_file(folder):
    path = itk(folder, "scan.mhd")
    (folder / "scan.raw").unlink()
    return path


def hdf5(folder, **datasets):
    with h5py.File(folder / "scan.h5", "w") as file:
        for name, values in datasets.items():
            file[name] = values
    return folder / "scan.h5"


def hdf5_unwritten(folder):
    with h5py.File(folder / "scan.h5", "w") as file:
        file.create_dataset("image", shape=(2000, 2000, 2000), dtype="u1")
    return folder / "scan.h5"


def zarr_array(folder, write=True):
    zarr = pytest.importorskip("zarr")
    array = zarr.create_array(str(folder / "scan.zarr"), shape=(5, 4, 3), dtype="u1")
    if write:
        array[...] = IMAGE + 1
    return folder / "scan.zarr"


def broken_chunk(folder):
    path = zarr_array(folder)
    (path / "c" / "0" / "0" / "0").write_bytes(b"not zstd")
    return path


def empty_folder(folder, name="slices"):
    (folder / name).mkdir()
    return folder / name


def vti(folder):
    pytest.importorskip("vtkmodules")
    return write_vti(folder / "scan.vti", {"label": IMAGE}, voxel=None, compression=False)


def sparse(folder, size):
    (folder / "huge.raw").touch()
    os.truncate(folder / "huge.raw", size)
    return folder / "huge.raw"


RAW = {"shape": (5, 4, 3), "dtype": "u1"}
BYTES = bytes(range(60))
CASES = [
    Case("missing file", lambda d: (tiff(d), d / "scam.tif")[1], FileFormatError, "path", "scam.tif",
         "existing", "'scan.tif'"),
    Case("missing folder", lambda d: d / "no" / "a.tif", FileFormatError, "path", "a.tif", "existing",
         "no' does not exist"),
    Case("0 bytes", lambda d: content(d, "a.tif", b""), FileFormatError, "path", "0 bytes", "an image",
         "it is empty"),
    Case("unknown suffix", lambda d: content(d, "a.xyz", b"1 2 3"), FileFormatError, "path", "a.xyz", ".tif",
         "convert"),
    Case("PNG as TIFF", lambda d: content(d, "a.tif", b"\x89PNG\r\n"), FileFormatError, "path", "PNG",
         "TIFF", "suffix"),
    Case("NumPy as TIFF", lambda d: npy(d, IMAGE).rename(d / "a.tif"), FileFormatError, "path", "NumPy",
         "TIFF", "suffix"),
    Case("folder without images", empty_folder, FileFormatError, "path", "without a .tif", "numbered .tif",
         "convert"),
    Case("pattern without match", lambda d: d / "s_*.tif", FileFormatError, "path", "s_*.tif", "pattern",
         "there are: none"),
    Case("truncated TIFF, samples", lambda d: cut(tiff(d, np.zeros((9, 99, 99), "u1")), 50000),
         FileFormatError, "path", "truncated at 50000 bytes", "bytes, as its TIFF header", "copy or export"),
    Case("truncated TIFF, pages", lambda d: cut(tiff_pages(d), -400), FileFormatError, "path", "truncated",
         "bytes", "copy or export"),
    Case("truncated TIFF, header", lambda d: cut(tiff(d), 6), FileFormatError, "path", "truncated at 6",
         "8 bytes", "copy"),
    Case("damaged TIFF page", lambda d: damaged(tiff(d, np.zeros((9, 99, 99), "u1"), compression="zlib")),
         FileFormatError, "path", "cannot be read", "whole TIFF", "opens in the program"),
    Case("colour TIFF", lambda d: tiff(d, np.zeros((8, 9, 3), "u1"), photometric="rgb"), ImageError, "path",
         "colour", "one number a voxel", "grey or label"),
    Case("time series",
         lambda d: tiff(d, np.zeros((2, 5, 4, 3), "u1"), imagej=True, metadata={"axes": "TZYX"}), ImageError,
         "path", "time", "x, y, z", "one frame"),
    Case("dataset of a single image", lambda d: npy(d, IMAGE), InputError, "dataset", "'phase'", "one image",
         "leave dataset out", {"dataset": "phase"}),
    Case("shape of a TIFF", tiff, InputError, "shape", "(5, 4, 3)", "says it itself", "raw binary",
         {"shape": (5, 4, 3)}),
    Case("stack with a gap", lambda d: slices(d, (1, 2, 3, 5, 6)), FileFormatError, "path",
         "'slice_003.tif' to 'slice_005.tif'", "evenly", "missing slices"),
    Case("stack with another size", lambda d: slices(d, odd=3), FileFormatError, "path", "slice_003.tif",
         "(4, 3)", "pattern"),
    Case("stack of stacks", lambda d: (tiff(d, name="a1.tif"), tiff(d, name="a2.tif"), d)[2],
         FileFormatError, "path", "zyx", "one grey", "multi-page"),
    Case("stack with an empty slice", lambda d: (slices(d), cut(d / "slice_002.tif", 0), d)[2],
         FileFormatError, "path", "slice_002", "bytes", "copy"),
    Case("raw of wrong size", lambda d: content(d, "a.raw", BYTES + b"1234"), FileFormatError, "shape",
         "64 bytes", "60 bytes", "shape=(4, 4, 4) of uint8", RAW),
    Case("raw with a header", lambda d: content(d, "a.raw", BYTES + b"12345"), FileFormatError, "shape",
         "65 bytes", "60 bytes", "offset=5 more", RAW),
    Case("raw of another type", lambda d: content(d, "a.raw", 2 * BYTES), FileFormatError, "shape",
         "120 bytes", "60 bytes", "dtype uint16", RAW),
    Case("raw of more slices", lambda d: content(d, "a.raw", BYTES + BYTES[:24]), FileFormatError, "shape",
         "84 bytes", "60 bytes", "shape=(7, 4, 3)", RAW),
    Case("raw without shape", lambda d: content(d, "a.raw", bytes(512)), InputError, "shape", "nothing",
         "numbers of voxels", "(8, 8, 8) of uint8", {"dtype": "u1"}),
    Case("raw without type", lambda d: content(d, "a.raw", BYTES), InputError, "dtype", "nothing",
         "type of the numbers", "uint8", {"shape": (5, 4, 3)}),
    Case("raw of an unknown type", lambda d: content(d, "a.raw", BYTES), InputError, "dtype", "uint7",
         "NumPy type", "'uint8'", RAW | {"dtype": "uint7"}),
    Case("raw of complex numbers", lambda d: content(d, "a.raw", BYTES), InputError, "dtype", "c16", "real",
         "'uint8'", RAW | {"dtype": "c16"}),
    Case("raw of negative shape", lambda d: content(d, "a.raw", BYTES), InputError, "shape", "-3",
         "positive", "(nz, ny, nx)", RAW | {"shape": (5, 4, -3)}),
    Case("raw in an unknown order", lambda d: content(d, "a.raw", BYTES), InputError, "order", "'K'",
         "'C' or 'F'", "order='C'", RAW | {"order": "K"}),
    Case("pickled npy", lambda d: content(d, "a.npy", pickle.dumps([1])), FileFormatError, "path", "pickle",
         "NumPy", "export"),
    Case("npy of objects", lambda d: npy(d, np.array([{}, None]), allow_pickle=True), FileFormatError,
         "path", "objects", "numbers", "np.save"),
    Case("truncated npy", lambda d: cut(npy(d, IMAGE), -1), FileFormatError, "path", "cannot be read",
         "whole NumPy", "copy"),
    Case("npy of text", lambda d: npy(d, np.array([["a", "b"]])), FileFormatError, "path", "<U1",
         "real numbers", "uint8"),
    Case("npy of complex numbers", lambda d: npy(d, IMAGE * 1j), FileFormatError, "path", "complex",
         "real numbers", "uint8"),
    Case("npy without voxels", lambda d: npy(d, IMAGE[:0]), ImageError, "path", "(0, 4, 3)", "at least one",
         "crop"),
    Case("npy of 1 axis", lambda d: npy(d, IMAGE.ravel()), ImageError, "axes", "(60,)", "x, y", "axes="),
    Case("npy of 4 axes", lambda d: npy(d, IMAGE.reshape(5, 2, 2, 3)), ImageError, "path", "unknown axis",
         "x, y, z", "axes="),
    Case("npz of several", npz, FileFormatError, "dataset", "2 images", "the name",
         "'phase' (5, 4, 3) uint8"),
    Case("npz with wrong name", npz, FileFormatError, "dataset", "'phases'", "scan.npz",
         "did you mean 'phase'?", {"dataset": "phases"}),
    Case("npz array of 1 axis", npz, FileFormatError, "dataset", "'line', which is not an image",
         "holds an image", "there are: phase", {"dataset": "line"}),
    Case("truncated npz", lambda d: cut(npz(d), -10), FileFormatError, "path", "cannot be read",
         "whole NumPy archive", "copy"),
    Case("truncated NRRD", lambda d: cut(itk(d, "a.nrrd"), -20), FileFormatError, "path", "truncated",
         "bytes, as its NRRD", "copy"),
    Case("truncated MHA", lambda d: cut(itk(d, "a.mha"), -20), FileFormatError, "path", "truncated",
         "bytes, as its MetaImage", "copy"),
    Case("truncated NIfTI", lambda d: cut(itk(d, "a.nii"), -20), FileFormatError, "path", "truncated",
         "412 bytes", "copy"),
    Case("truncated NIfTI, packed", lambda d: cut(itk(d, "a.nii.gz"), -20), FileFormatError, "path",
         "truncated", "412 bytes", "copy"),
    Case("MHD without data", no_data_file, FileFormatError, "path", "'scan.raw' is missing",
         "data file beside it", "copy 'scan.raw'"),
    Case("MHA of vectors", lambda d: itk(d, "a.mha", np.zeros((5, 4, 3, 3), "u1"), isVector=True),
         ImageError, "path", "colour", "one number", "channel"),
    Case("NIfTI of complex numbers", lambda d: itk(d, "a.nii", (IMAGE * 1j).astype("c8")), FileFormatError,
         "path", "complex", "real numbers", "label"),
    Case("NRRD as list of files",
         lambda d: content(d, "a.nhdr", b"NRRD0004\ntype: uint8\ndimension: 3\nsizes: 3 4 5\ndatafile: LIST"),
         FileFormatError, "path", "spread over several", "one data file", ".nrrd or .mha"),
    Case("broken NRRD header", lambda d: content(d, "a.nrrd", b"NRRD0004\ntype: uint8\n\n"), FileFormatError,
         "path", "cannot be read", "whole NRRD", "copy"),
    Case("truncated HDF5", lambda d: cut(hdf5(d, image=np.zeros((20, 20, 20))), -2000), FileFormatError,
         "path", "truncated", "whole HDF5", "copy"),
    Case("HDF5 of several", lambda d: hdf5(d, phase=IMAGE, grey=IMAGE), FileFormatError, "dataset",
         "2 images", "the name", "'phase' (5, 4, 3)"),
    Case("HDF5 with wrong name", lambda d: hdf5(d, **{"a/phase": IMAGE, "a/grey": IMAGE}), FileFormatError,
         "dataset", "'a/fase'", "scan.h5", "did you mean 'a/phase'?", {"dataset": "a/fase"}),
    Case("HDF5 with ambiguous name", lambda d: hdf5(d, **{"a/phase": IMAGE, "b/phase": IMAGE}),
         FileFormatError, "dataset", "fits 2", "full path", "a/phase, b/phase", {"dataset": "phase"}),
    Case("HDF5 without image", lambda d: hdf5(d, line=np.zeros(4)), FileFormatError, "path", "no array",
         "an image in it", "export"),
    Case("HDF5 never written", hdf5_unwritten, FileFormatError, "dataset", "never written", "data in it",
         "stopped before its end"),
    Case("HDF4", lambda d: content(d, "a.hdf", b"\x0e\x03\x13\x01" + bytes(99)), FileFormatError, "path",
         "HDF4", "HDF5", "suffix"),
    Case("empty Zarr", lambda d: empty_folder(d, "a.zarr"), FileFormatError, "path", "cannot be read",
         "whole Zarr", "copy"),
    Case("Zarr never written", lambda d: zarr_array(d, write=False), FileFormatError, "dataset",
         "without a single chunk", "written", "copy the folder"),
    Case("damaged Zarr chunk", broken_chunk, FileFormatError, "path", "cannot be read", "whole Zarr", "copy"),
    Case("truncated VTI", lambda d: cut(vti(d), -30), FileFormatError, "path", "truncated", "VTI", "copy"),
    Case("other VTK file", lambda d: content(d, "a.vti", b'<VTKFile type="PolyData"></VTKFile>'),
         FileFormatError, "path", "cannot be read", "whole VTI", "copy"),
    Case("VTI with wrong name", vti, FileFormatError, "dataset", "'lable'", "scan.vti",
         "did you mean 'CellData/label'?", {"dataset": "lable"}),
    Case("number as voxel", lambda d: npy(d, IMAGE), UnitError, "voxel", "3.0, which has no unit",
         "with a unit", "voxel='3 um'", {"voxel": 3.0}),
    Case("text without unit", lambda d: npy(d, IMAGE), UnitError, "voxel", "'3', which has no unit",
         "with a unit", "voxel='3 um'", {"voxel": "3"}),
    Case("voxel in kilograms", lambda d: npy(d, IMAGE), UnitError, "voxel", "'3 kg'", "convertible to m",
         "in m", {"voxel": "3 kg"}),
    Case("voxel of nothing", lambda d: npy(d, IMAGE), InputError, "voxel", "'0 um'", "positive", "'3 um'",
         {"voxel": "0 um"}),
    Case("2 lengths for 3 axes", lambda d: npy(d, IMAGE), InputError, "voxel", "('3 um', '3 um')",
         "one length or 3", "x, y, z", {"voxel": ("3 um", "3 um")}),
    Case("voxel_unit with a number", lambda d: itk(d, "a.mha"), UnitError, "voxel_unit", "'3 um'",
         "without a number", "'um'", {"voxel_unit": "3 um"}),
    Case("voxel_unit without spacing", lambda d: npy(d, IMAGE), UnitError, "voxel_unit",
         "holds no voxel size", "with a spacing", "voxel='3 um'", {"voxel_unit": "um"}),
    Case("unknown axes", lambda d: npy(d, IMAGE), InputError, "axes", "'abc'", "'xyz'", "axes='zyx'",
         {"axes": "abc"}),
    Case("doubled axes", lambda d: npy(d, IMAGE), InputError, "axes", "'xxy'", "different", "axes='zyx'",
         {"axes": "xxy"}),
    Case("too few axes", lambda d: npy(d, IMAGE), InputError, "axes", "'yx'", "(5, 4, 3)", "axes='zyx'",
         {"axes": "yx"}),
    Case("a terabyte", lambda d: sparse(d, 10**12), ResourceError, "path", "1000.0 GB", "GB that are free",
         "crop", {"shape": (10**4,) * 3, "dtype": "u1"}),
]  # fmt: skip


def damaged(path):
    data = bytearray(path.read_bytes())
    with tifffile.TiffFile(path) as image:
        start = image.pages[0].dataoffsets[0]
    data[start : start + 20] = bytes(20)
    path.write_bytes(data)
    return path


@pytest.fixture(scope="module", autouse=True)
def _libraries_loaded():
    """Load the optional packages once: their import is not what the clock is for."""
    for name in ("SimpleITK", "zarr", "vtkmodules.vtkIOXML"):
        if importlib.util.find_spec(name.partition(".")[0]):
            importlib.import_module(name)


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_bad_input_is_refused_at_once_in_four_parts(tmp_path, case):
    path = case.make(tmp_path)
    start = time.perf_counter()
    with pytest.raises(InputError) as caught:
        read_volume(path, **case.options)
    seconds = time.perf_counter() - start
    error = caught.value
    assert type(error) is case.kind, error
    assert error.argument == case.argument, error
    assert case.got in error.got, error
    assert case.wanted in error.wanted, error
    assert case.cure in error.cure, error
    assert len(str(error)) < 900
    assert seconds < 1


def test_there_are_enough_rows():
    assert len(CASES) >= 20
    assert len({case.name for case in CASES}) == len(CASES)


@pytest.mark.parametrize(("copies", "suffix"), [(1, "tif"), (2, "npz")])
def test_memory_is_estimated_before_reading(tmp_path, monkeypatch, copies, suffix):
    path = tmp_path / f"scan.{suffix}"
    if suffix == "tif":
        tiff(tmp_path)
    else:
        np.savez(path, phase=IMAGE)
    monkeypatch.setattr(read, "available_memory", lambda: IMAGE.nbytes * copies)
    assert read_volume(path).shape
    monkeypatch.setattr(read, "available_memory", lambda: IMAGE.nbytes * copies - 1)
    with pytest.raises(ResourceError, match="GB that are free"):
        read_volume(path)


@pytest.mark.parametrize(
    ("module", "name", "extra"),
    [
        ("SimpleITK", "scan.nrrd", "itk"),
        ("zarr", "scan.zarr", "zarr"),
        ("vtkmodules.vtkIOXML", "scan.vti", "vtk"),
    ],
)
def test_a_missing_package_names_its_extra(tmp_path, monkeypatch, module, name, extra):
    path = {"itk": lambda d: itk(d, name), "zarr": zarr_array, "vtk": vti}[extra](tmp_path)
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingExtraError, match=rf'scalebridge\[{extra}\]"'):
        read_volume(path)


def test_a_header_is_judged_before_a_large_file_is_read(tmp_path):
    """Eight sparse gigabytes with a wrong shape: only the size may be looked at."""
    path = sparse(tmp_path, 8 * 10**9)
    start = time.perf_counter()
    with pytest.raises(FileFormatError, match=r"shape=\(2000, 2000, 2000\) of uint8"):
        read_volume(path, shape=(1999, 2000, 2000), dtype="u1")
    assert time.perf_counter() - start < 1
    shutil.rmtree(tmp_path)
