"""Fields out: cell data on an image's grid, as VTKHDF and VTI for ParaView, and as plain HDF5."""

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import h5py
import numpy as np

from scalebridge.core.errors import FileFormatError
from scalebridge.core.files import atomic_path
from scalebridge.io.grid_fields import components_last, settle_grid
from scalebridge.io.vti_writer import write_image_data

_VTKHDF_VERSION = (2, 2)


def write_vtkhdf(
    path: str | os.PathLike[str],
    cell_fields: Mapping[str, np.ndarray],
    voxel: Sequence[float] | None,
    origin: Sequence[float] = (0.0, 0.0, 0.0),
    *,
    units: Mapping[str, str] | None = None,
    compression: bool = True,
) -> Path:
    """Write fields as VTKHDF image data, which ParaView 5.12 or later opens.

    Scalars are stored (z, y, x) and vectors (z, y, x, component), so that x runs fastest. A 2-D image becomes
    one layer of cells as thick as the smaller edge of its pixels. Units are attributes of the datasets (VTK
    itself ignores them). The file is whole or absent.

    Args:
        path: the file to write, .vtkhdf or .hdf.
        cell_fields: array by field name: (x, y, z), or (component, x, y, z) for vectors and tensors (two
            leading axes are flattened row by row); without z for a 2-D image. Truth values become uint8.
        voxel: edge lengths in metres, one an axis; None writes unit cells and says "voxel" as their unit (and
            takes three axes as x, y, z: pass a voxel size with 2-D vectors).
        origin: corner of the first voxel, in the unit of `voxel`.
        units: unit by field name, recorded as it is.
        compression: whether to store in gzip-packed chunks, smaller but slower to write.

    Returns:
        the path written.

    Raises:
        FileFormatError: a field's name, shape or type cannot be written.

    Cost:
        One field at a time is copied in the stored order.

    Source:
        VTKHDF file format specification, version 2.2, ImageData (docs.vtk.org).

    Example:
        >>> import tempfile
        >>> target = Path(tempfile.mkdtemp()) / "fields.vtkhdf"
        >>> flux = np.zeros((3, 4, 3, 2))
        >>> path = write_vtkhdf(target, {"flux": flux}, voxel=(3e-6, 3e-6, 5e-6), units={"flux": "W/m^2"})
        >>> with h5py.File(path) as file:
        ...     file["VTKHDF/CellData/flux"].shape, file["VTKHDF"].attrs["WholeExtent"].tolist()
        ((2, 3, 4, 3), [0, 4, 0, 3, 0, 2])
    """
    grid = settle_grid(cell_fields, voxel, origin, units)
    with atomic_path(path) as part, h5py.File(part, "w") as file:
        root = file.create_group("VTKHDF")
        root.attrs["Version"] = np.array(_VTKHDF_VERSION, "int64")
        root.attrs.create("Type", np.bytes_(b"ImageData"))
        root.attrs["WholeExtent"] = np.array([(0, count) for count in grid.cells], "int64").ravel()
        root.attrs["Origin"] = np.array(grid.origin)
        root.attrs["Spacing"] = np.array(grid.spacing)
        root.attrs["Direction"] = np.eye(3).ravel()
        root.attrs["length_unit"] = grid.length_unit
        cells = root.create_group("CellData")
        for name, values in cell_fields.items():
            dataset = cells.create_dataset(name, data=components_last(values, grid), **_packing(compression))
            dataset.attrs["units"] = grid.units.get(name, "")
    return Path(path)


def write_vti(
    path: str | os.PathLike[str],
    cell_fields: Mapping[str, np.ndarray],
    voxel: Sequence[float] | None,
    origin: Sequence[float] = (0.0, 0.0, 0.0),
    *,
    units: Mapping[str, str] | None = None,
    compression: bool = True,
) -> Path:
    """Write fields as VTK XML image data (extra `vtk`), appended and packed, for any ParaView.

    Arguments, layout and errors are those of `write_vtkhdf`; the units and the unit of length are string
    arrays of the file's field data.

    Raises:
        MissingExtraError: VTK is not installed.

    Cost:
        All fields are copied once before writing.

    Example:
        >>> import tempfile
        >>> target = Path(tempfile.mkdtemp()) / "fields.vti"
        >>> write_vti(target, {"temperature": np.zeros((4, 3, 2))}, voxel=None).name
        'fields.vti'
    """
    grid = settle_grid(cell_fields, voxel, origin, units)
    with atomic_path(path) as part:
        write_image_data(part, cell_fields, grid, compression)
    return Path(path)


def write_hdf5(
    path: str | os.PathLike[str],
    cell_fields: Mapping[str, np.ndarray],
    voxel: Sequence[float] | None,
    origin: Sequence[float] = (0.0, 0.0, 0.0),
    *,
    units: Mapping[str, str] | None = None,
    compression: bool = True,
) -> Path:
    """Write fields as plain HDF5: one dataset a field in the array's own axes, its meaning as attributes.

    Arguments and errors are those of `write_vtkhdf`. Every dataset has the attributes `axes` ("xyz", "cxyz",
    "ccxyz", ...), `units`, `voxel_size`, `origin` and `length_unit`; `read_volume` understands them.

    Example:
        >>> import tempfile
        >>> target = Path(tempfile.mkdtemp()) / "fields.h5"
        >>> path = write_hdf5(target, {"temperature": np.zeros((4, 3, 2))}, voxel=(1e-6, 1e-6, 2e-6))
        >>> with h5py.File(path) as file:
        ...     file["temperature"].attrs["axes"], file["temperature"].attrs["voxel_size"].tolist()
        ('xyz', [1e-06, 1e-06, 2e-06])
    """
    grid = settle_grid(cell_fields, voxel, origin, units)
    with atomic_path(path) as part, h5py.File(part, "w") as file:
        for name, values in cell_fields.items():
            array = np.asarray(values)
            dataset = file.create_dataset(name, data=array, **_packing(compression))
            dataset.attrs["axes"] = "c" * (array.ndim - grid.ndim) + "xyz"[: grid.ndim]
            dataset.attrs["units"] = grid.units.get(name, "")
            dataset.attrs["voxel_size"] = np.array(grid.spacing[: grid.ndim])
            dataset.attrs["origin"] = np.array(grid.origin[: grid.ndim])
            dataset.attrs["length_unit"] = grid.length_unit
    return Path(path)


_WRITERS: dict[str, Callable[..., Path]] = {
    ".vtkhdf": write_vtkhdf,
    ".hdf": write_vtkhdf,
    ".vti": write_vti,
    ".h5": write_hdf5,
    ".hdf5": write_hdf5,
}


def write_fields(
    path: str | os.PathLike[str],
    cell_fields: Mapping[str, np.ndarray],
    voxel: Sequence[float] | None,
    origin: Sequence[float] = (0.0, 0.0, 0.0),
    *,
    units: Mapping[str, str] | None = None,
    compression: bool = True,
) -> Path:
    """Write fields in the format that the suffix names: .vtkhdf or .hdf, .vti, .h5 or .hdf5.

    Arguments, returns and errors are those of `write_vtkhdf`, `write_vti` and `write_hdf5`.

    Example:
        >>> write_fields("fields.xls", {"temperature": np.zeros((4, 3, 2))}, voxel=None)
        Traceback (most recent call last):
        ...
        scalebridge.core.errors.FileFormatError: path: got 'fields.xls'; wanted a file that ends in ...
    """
    writer = _WRITERS.get(Path(path).suffix.lower())
    if writer is None:
        raise FileFormatError(
            "path",
            got=f"'{Path(path).name}'",
            wanted=f"a file that ends in {', '.join(_WRITERS)}",
            cure="name it .vtkhdf to open it in ParaView, or .h5 to read it as arrays",
        )
    return writer(path, cell_fields, voxel, origin, units=units, compression=compression)


def _packing(compression: bool) -> dict[str, object]:
    """HDF5 options: the lightest gzip after a byte shuffle; higher levels were slower and not smaller."""
    return {"compression": "gzip", "compression_opts": 1, "shuffle": True} if compression else {}
