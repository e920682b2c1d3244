"""VTK XML image data through VTK's own writer (extra `vtk`)."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from scalebridge.io.grid_fields import FieldGrid, components_last
from scalebridge.io.stored import need

_PURPOSE = "writing a .vti file"


def write_image_data(
    path: Path, fields: Mapping[str, np.ndarray], grid: FieldGrid, compression: bool
) -> None:
    """Write cell fields of a settled grid to a path that ends in .vti.

    Raises:
        MissingExtraError: VTK is not installed.
        OSError: VTK could not write, for example on a full disk.
    """
    xml = need("vtkmodules.vtkIOXML", extra="vtk", purpose=_PURPOSE)
    support = need("vtkmodules.util.numpy_support", extra="vtk", purpose=_PURPOSE)
    image = need("vtkmodules.vtkCommonDataModel", extra="vtk", purpose=_PURPOSE).vtkImageData()
    image.SetDimensions(*(count + 1 for count in grid.cells))
    image.SetSpacing(*grid.spacing)
    image.SetOrigin(*grid.origin)
    for name, values in fields.items():
        stored = components_last(values, grid)
        rows = stored.reshape(int(np.prod(grid.cells)), -1)
        array = support.numpy_to_vtk(rows if stored.ndim == 4 else rows[:, 0], deep=True)
        array.SetName(name)
        image.GetCellData().AddArray(array)
    image.GetFieldData().AddArray(_strings("length_unit", [grid.length_unit]))
    image.GetFieldData().AddArray(_strings("units", [f"{name}: {unit}" for name, unit in grid.units.items()]))
    writer = xml.vtkXMLImageDataWriter()
    writer.SetFileName(str(path))
    writer.SetInputData(image)
    writer.SetDataModeToAppended()
    writer.EncodeAppendedDataOff()
    writer.SetHeaderTypeToUInt64()
    if compression:
        writer.SetCompressorTypeToZLib()
    else:
        writer.SetCompressorTypeToNone()
    if writer.Write() != 1:
        raise OSError(f"VTK could not write '{path.name}' (error code {writer.GetErrorCode()})")


def _strings(name: str, values: list[str]) -> Any:
    array = need("vtkmodules.vtkCommonCore", extra="vtk", purpose=_PURPOSE).vtkStringArray()
    array.SetName(name)
    for value in values:
        array.InsertNextValue(value)
    return array
