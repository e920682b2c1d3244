"""Fields out: read back by VTK's own readers and by h5py, whole or absent."""

import os
import signal
import subprocess
import sys
import time

import h5py
import numpy as np
import pytest

from scalebridge.core.errors import FileFormatError, MissingExtraError
from scalebridge.io.fields import write_fields, write_hdf5, write_vti, write_vtkhdf
from scalebridge.io.read import read_volume

# One value per component and cell that tells where it belongs; sizes 3, 4, 5 show swapped axes.
X, Y, Z = np.meshgrid(np.arange(3.0), np.arange(4.0), np.arange(5.0), indexing="ij")
SCALAR = X + 10 * Y + 100 * Z
VECTOR = np.stack([SCALAR, SCALAR + 1000, SCALAR + 2000])
LABEL = SCALAR.astype(np.uint8) % 3
VOXEL = (3e-6, 3.5e-6, 5e-6)
FIELDS = {"temperature": SCALAR, "flux": VECTOR, "phase": LABEL, "pore": LABEL == 0}
UNITS = {"temperature": "K", "flux": "W/m^2"}


def open_vtkhdf(path):
    pytest.importorskip("vtkmodules")
    from vtkmodules.vtkIOHDF import vtkHDFReader

    reader = vtkHDFReader()
    assert reader.CanReadFile(str(path))
    return opened(reader, path)


def open_vti(path):
    pytest.importorskip("vtkmodules")
    from vtkmodules.vtkIOXML import vtkXMLImageDataReader

    reader = vtkXMLImageDataReader()
    assert reader.CanReadFile(str(path))
    return opened(reader, path)


def opened(reader, path):
    reader.SetFileName(str(path))
    reader.Update()
    return reader.GetOutput()


def cell(image, name, index):
    return image.GetCellData().GetArray(name).GetTuple(image.ComputeCellId(index))


FORMATS = [(write_vtkhdf, open_vtkhdf, ".vtkhdf"), (write_vti, open_vti, ".vti")]


@pytest.mark.parametrize("compression", [True, False])
@pytest.mark.parametrize(("write", "read", "suffix"), FORMATS)
def test_vtk_reads_every_cell_where_it_belongs(tmp_path, write, read, suffix, compression):
    path = write(
        tmp_path / f"out{suffix}", FIELDS, VOXEL, (1e-3, 2e-3, 3e-3), units=UNITS, compression=compression
    )
    image = read(path)
    assert image.GetDimensions() == (4, 5, 6)
    assert image.GetSpacing() == VOXEL
    assert image.GetOrigin() == (1e-3, 2e-3, 3e-3)
    assert image.GetCellData().GetNumberOfArrays() == 4
    for index in np.ndindex(3, 4, 5):
        assert cell(image, "temperature", index) == (SCALAR[index],)
        assert cell(image, "flux", index) == tuple(VECTOR[:, *index])
        assert cell(image, "phase", index) == (LABEL[index],)
        assert cell(image, "pore", index) == (LABEL[index] == 0,)


@pytest.mark.parametrize(("write", "read", "suffix"), FORMATS)
def test_a_2d_image_is_one_layer_of_cells(tmp_path, write, read, suffix):
    fields = {"temperature": SCALAR[:, :, 0], "flux": VECTOR[:2, :, :, 0]}
    image = read(write(tmp_path / f"out{suffix}", fields, VOXEL[:2], (0, 0)))
    assert image.GetDimensions() == (4, 5, 2)
    assert image.GetSpacing() == (3e-6, 3.5e-6, 3e-6)
    assert cell(image, "temperature", (2, 1, 0)) == (SCALAR[2, 1, 0],)
    assert cell(image, "flux", (2, 1, 0)) == tuple(VECTOR[:2, 2, 1, 0])


@pytest.mark.parametrize(("write", "read", "suffix"), FORMATS)
def test_tensors_are_flattened_row_by_row(tmp_path, write, read, suffix):
    tensor = np.arange(9.0).reshape(3, 3, 1, 1, 1) + 0 * SCALAR
    image = read(write(tmp_path / f"out{suffix}", {"gradient": tensor}, None))
    assert cell(image, "gradient", (0, 0, 0)) == tuple(range(9))
    assert image.GetSpacing() == (1, 1, 1)


@pytest.mark.parametrize("suffix", [".vtkhdf", ".vti", ".h5"])
def test_what_is_written_is_read_as_an_image(tmp_path, suffix):
    if suffix == ".vti":
        pytest.importorskip("vtkmodules")
    path = write_fields(tmp_path / f"out{suffix}", {"phase": LABEL, "flux": VECTOR[:, ::1]}, VOXEL)
    volume = read_volume(path, dataset="phase")
    assert np.array_equal(volume.data, LABEL)
    assert volume.voxel == pytest.approx(VOXEL, rel=1e-12)
    unsized = read_volume(write_fields(tmp_path / f"unit{suffix}", {"phase": LABEL}, None))
    assert np.array_equal(unsized.data, LABEL)
    assert unsized.voxel is None


def test_vtkhdf_records_units_and_version(tmp_path):
    path = write_vtkhdf(tmp_path / "out.vtkhdf", FIELDS, VOXEL, units=UNITS)
    with h5py.File(path) as file:
        root = file["VTKHDF"]
        assert root.attrs["Type"] == b"ImageData"
        assert root.attrs["Version"].tolist() == [2, 2]
        assert root.attrs["length_unit"] == "m"
        assert root["CellData/flux"].attrs["units"] == "W/m^2"
        assert root["CellData/phase"].attrs["units"] == ""
        assert root["CellData/flux"].shape == (5, 4, 3, 3)
        assert root["CellData/flux"].compression == "gzip"


def test_vti_records_units(tmp_path):
    pytest.importorskip("vtkmodules")
    image = open_vti(write_vti(tmp_path / "out.vti", FIELDS, VOXEL, units=UNITS))
    units = image.GetFieldData().GetAbstractArray("units")
    assert [units.GetValue(index) for index in range(2)] == ["temperature: K", "flux: W/m^2"]


def test_hdf5_keeps_arrays_as_they_are(tmp_path):
    path = write_hdf5(tmp_path / "out.h5", FIELDS, VOXEL, units=UNITS)
    with h5py.File(path) as file:
        for name, values in FIELDS.items():
            assert np.array_equal(file[name][...], values)
            assert file[name].dtype == values.dtype
        assert dict(file["flux"].attrs)["axes"] == "cxyz"
        assert file["flux"].attrs["units"] == "W/m^2"
        assert file["flux"].attrs["voxel_size"].tolist() == list(VOXEL)


REFUSALS = [
    ("no field", {}, {}, "cell_fields: got no field"),
    ("slash", {"a/b": SCALAR}, {}, "cell_fields: got the name 'a/b'"),
    ("complex", {"a": SCALAR * 1j}, {}, "cell_fields: got 'a' of type complex128"),
    ("other grid", {"a": SCALAR, "b": SCALAR[:2]}, {}, r"cell_fields: got 'b' of shape \(2, 4, 5\)"),
    ("components last", {"a": SCALAR, "b": np.moveaxis(VECTOR, 0, -1)}, {}, "put components first"),
    ("four leading axes", {"a": SCALAR[None, None, None]}, {}, "cell_fields: got 'a'"),
    ("voxel of other length", {"a": SCALAR}, {"voxel": (1.0,)}, "cell_fields: got 'a'"),
    ("negative voxel", {"a": SCALAR}, {"voxel": (1, 1, -1)}, r"voxel: got \(1, 1, -1\)"),
    ("short origin", {"a": SCALAR}, {"origin": (0,)}, r"origin: got \(0,\)"),
    (
        "unit of nothing",
        {"flux": SCALAR},
        {"units": {"fluxx": "K"}},
        "units: got 'fluxx'.* did you mean 'flux'",
    ),
]


@pytest.mark.parametrize(
    ("fields", "options", "message"), [row[1:] for row in REFUSALS], ids=[r[0] for r in REFUSALS]
)
@pytest.mark.parametrize("suffix", [".vtkhdf", ".vti", ".h5"])
def test_what_cannot_be_written_is_refused_before_a_file_exists(tmp_path, suffix, fields, options, message):
    with pytest.raises(FileFormatError, match=message):
        write_fields(tmp_path / f"out{suffix}", fields, **({"voxel": VOXEL} | options))
    assert list(tmp_path.iterdir()) == []


def test_unknown_suffix_is_refused(tmp_path):
    with pytest.raises(FileFormatError, match=r"path: got 'out\.xls'.*\.vtkhdf.*ParaView"):
        write_fields(tmp_path / "out.xls", FIELDS, VOXEL)


def test_vti_without_vtk_names_the_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "vtkmodules.vtkIOXML", None)
    with pytest.raises(MissingExtraError, match=r"package 'vtk'.*scalebridge\[vtk\]"):
        write_vti(tmp_path / "out.vti", FIELDS, VOXEL)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("write", [write_vtkhdf, write_hdf5])
def test_a_write_that_fails_leaves_the_old_file(tmp_path, monkeypatch, write):
    path = write(tmp_path / "out.h5", {"temperature": SCALAR}, VOXEL)
    before = path.read_bytes()
    create = h5py.Group.create_dataset

    def full_disk(self, name, *args, **kwargs):
        if name == "flux":
            raise OSError("no space left on device")
        return create(self, name, *args, **kwargs)

    monkeypatch.setattr(h5py.Group, "create_dataset", full_disk)
    with pytest.raises(OSError, match="no space"):
        write(path, FIELDS, VOXEL)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("suffix", [".vtkhdf", ".h5", ".vti"])
def test_a_killed_write_leaves_no_target(tmp_path, suffix):
    """Kill -9 while the partial file grows: random numbers keep the packing busy for seconds."""
    if suffix == ".vti":
        pytest.importorskip("vtkmodules")
    target = tmp_path / f"out{suffix}"
    program = (
        "import numpy as np; from scalebridge.io.fields import write_fields\n"
        "noise = np.random.default_rng(0).random((3, 160, 160, 160))\n"
        f"write_fields({str(target)!r}, {{'noise': noise, 'again': noise}}, None)\n"
    )
    writer = subprocess.Popen([sys.executable, "-c", program])
    try:
        deadline = time.monotonic() + 60
        while not any(part.stat().st_size > 0 for part in tmp_path.glob(f".out.*.part{suffix}")):
            assert writer.poll() is None, "the writer ended before it could be killed"
            assert time.monotonic() < deadline
            time.sleep(0.005)
        os.kill(writer.pid, signal.SIGKILL)
    finally:
        writer.kill()
        writer.wait()
    assert writer.returncode == -signal.SIGKILL
    assert not target.exists()
    assert [part.name.endswith(f".part{suffix}") for part in tmp_path.iterdir()] == [True]
