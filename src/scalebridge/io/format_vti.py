"""VTK XML image data, .vti (extra `vtk`): one array of its cell or point data."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from scalebridge.io.stored import Request, Stored, choose_dataset, need, reading, truncated

_FORMAT = "VTI"


def describe(request: Request) -> Stored:
    """Describe one array of a VTI file; x runs fastest, and the header has a spacing but no unit."""
    path = request.path
    _check_end(path)
    xml = need("vtkmodules.vtkIOXML", extra="vtk", purpose="reading a .vti file")
    with reading(path, _FORMAT):
        reader, errors = _open(xml, path)
        reader.UpdateInformation()
        _raise_first(errors)
        arrays = _arrays(reader)
        images = {key: f"{shape} {dtype}" for key, (shape, dtype) in arrays.items() if len(shape) == 3}
        name = choose_dataset(request, images, others=arrays)
        shape, dtype = arrays[name]
        information = reader.GetOutputInformation(0)
        spacing = dict(zip("xyz", information.Get(_data_object().SPACING()), strict=True))
        unit = _length_unit(xml, path)
    load = _loader(xml, path, name, shape)
    return Stored(_FORMAT, shape, dtype, "zyx", load, (path,), name, spacing, unit, "", copies=2)


def _check_end(path: Path) -> None:
    with path.open("rb") as stream:
        size = stream.seek(0, 2)
        stream.seek(max(0, size - 64))
        tail = stream.read()
    if b"</VTKFile>" not in tail:
        raise truncated(path, _FORMAT, size + 1, size)


def _data_object() -> Any:
    return need("vtkmodules.vtkCommonDataModel", extra="vtk", purpose="reading a .vti file").vtkDataObject


def _open(xml: Any, path: Path) -> tuple[Any, list[str]]:
    """Open a reader whose complaints are collected, since VTK does not raise them."""
    errors: list[str] = []

    def collect(_reader: Any, _event: str, text: str) -> None:
        errors.append(text)

    collect.CallDataType = "string0"  # type: ignore[attr-defined]  # how VTK's Python layer asks for the text
    reader = xml.vtkXMLImageDataReader()
    reader.AddObserver("ErrorEvent", collect)
    reader.SetFileName(str(path))
    return reader, errors


def _raise_first(errors: list[str]) -> None:
    if errors:
        raise ValueError(errors[0])


def _arrays(reader: Any) -> dict[str, tuple[tuple[int, ...], np.dtype]]:
    """Shape (z, y, x) or (z, y, x, component) and type by "CellData/name" or "PointData/name"."""
    data_object = _data_object()
    to_type = need(
        "vtkmodules.util.numpy_support", extra="vtk", purpose="reading a .vti file"
    ).get_vtk_to_numpy_typemap()
    information = reader.GetOutputInformation(0)
    extent = np.reshape(reader.GetOutputInformation(0).Get(_whole_extent()), (3, 2))
    points = tuple(int(length) for length in (extent[:, 1] - extent[:, 0] + 1)[::-1])
    cells = tuple(max(length - 1, 1) for length in points)
    found = {}
    for place, key, grid in (
        ("CellData", data_object.CELL_DATA_VECTOR(), cells),
        ("PointData", data_object.POINT_DATA_VECTOR(), points),
    ):
        vector = information.Get(key)
        for index in range(vector.GetNumberOfInformationObjects() if vector else 0):
            item = vector.GetInformationObject(index)
            components = item.Get(data_object.FIELD_NUMBER_OF_COMPONENTS())
            kind = to_type.get(item.Get(data_object.FIELD_ARRAY_TYPE()))
            if kind is not None:
                shape = grid if components == 1 else (*grid, components)
                found[f"{place}/{item.Get(data_object.FIELD_NAME())}"] = (shape, np.dtype(kind))
    return found


def _whole_extent() -> Any:
    model = need("vtkmodules.vtkCommonExecutionModel", extra="vtk", purpose="reading a .vti file")
    return model.vtkStreamingDemandDrivenPipeline.WHOLE_EXTENT()


def _length_unit(xml: Any, path: Path) -> str | None:
    """Read the unit of the spacing from the field data, where `write_vti` puts it."""
    reader, errors = _open(xml, path)
    image = _update(reader, errors, None)
    text = image.GetFieldData().GetAbstractArray("length_unit")
    unit = None if text is None else str(text.GetValue(0))
    return None if unit == "voxel" else unit


def _update(reader: Any, errors: list[str], name: str | None) -> Any:
    """Read the field data and at most one array of cells or points."""
    reader.UpdateInformation()
    _raise_first(errors)
    for selection in (reader.GetCellDataArraySelection(), reader.GetPointDataArraySelection()):
        selection.DisableAllArrays()
    if name is not None:
        place, _, array = name.partition("/")
        getattr(reader, f"Get{place}ArraySelection")().EnableArray(array)
    reader.Update()
    _raise_first(errors)
    return reader.GetOutput()


def _loader(xml: Any, path: Path, name: str, shape: tuple[int, ...]) -> Callable[[], np.ndarray]:
    place, _, array = name.partition("/")

    def load() -> np.ndarray:
        to_numpy = need(
            "vtkmodules.util.numpy_support", extra="vtk", purpose="reading a .vti file"
        ).vtk_to_numpy
        image = _update(*_open(xml, path), name)
        return to_numpy(getattr(image, f"Get{place}")().GetArray(array)).reshape(shape)

    return load
