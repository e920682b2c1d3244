"""Fields on an image's grid: what can be written, and in which order of axes."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from scalebridge.core.errors import FileFormatError
from scalebridge.io.stored import nearest


@dataclass(frozen=True)
class FieldGrid:
    """The grid that all fields of a file share.

    Args:
        ndim: number of image axes, 2 or 3.
        cells: numbers of cells along x, y, z; 1 along z for a 2-D image.
        spacing: edge lengths of a cell along x, y, z.
        origin: corner of the first cell.
        length_unit: "m", or "voxel" when the size is not known.
        units: unit by field name.
    """

    ndim: int
    cells: tuple[int, ...]
    spacing: tuple[float, ...]
    origin: tuple[float, ...]
    length_unit: str
    units: Mapping[str, str]


def settle_grid(
    fields: Mapping[str, np.ndarray],
    voxel: Sequence[float] | None,
    origin: Sequence[float],
    units: Mapping[str, str] | None,
) -> FieldGrid:
    """Find the grid that fits all fields, or refuse before anything is written.

    Raises:
        FileFormatError: no field, a name that cannot be stored, shapes that do not agree, numbers that are
            not real, a voxel size or origin that does not fit, or a unit for a field that is not there.
    """
    if not fields:
        raise _refusal("cell_fields", "no field", "at least one array by name", "pass {'temperature': array}")
    _check_names(fields, units or {})
    shapes = {name: np.shape(values) for name, values in fields.items()}
    # Without a voxel size three axes are x, y, z: a 2-D vector field alone cannot be told from them.
    ndim = len(voxel) if voxel is not None else min(3, *(len(shape) for shape in shapes.values()))
    shape = next(iter(shapes.values()))[-ndim:] if ndim in {2, 3} else ()
    for name, values in fields.items():
        _check_field(name, np.asarray(values), shape, ndim)
    lengths = [1.0] * ndim if voxel is None else [float(length) for length in voxel]
    corner = [float(coordinate) for coordinate in origin]
    if not all(math.isfinite(length) and length > 0 for length in lengths):
        raise _refusal("voxel", voxel, "positive, finite lengths in metres", "pass None for unit cells")
    if len(corner) not in {ndim, 3} or not all(map(math.isfinite, corner)):
        raise _refusal("origin", origin, f"{ndim} finite coordinates", "leave origin out for (0, 0, 0)")
    layer = [1] * (3 - ndim)
    return FieldGrid(
        ndim=ndim,
        cells=(*map(int, shape), *layer),
        spacing=(*lengths, *(min(lengths) for _ in layer)),
        origin=(*corner, 0.0)[:3],
        length_unit="voxel" if voxel is None else "m",
        units=dict(units or {}),
    )


def components_last(values: np.ndarray, grid: FieldGrid) -> np.ndarray:
    """Return a field as VTK stores it: (z, y, x) or (z, y, x, component), of a type that VTK knows."""
    array = np.asarray(values)
    if array.dtype.kind == "b":
        array = array.astype(np.uint8)
    elif array.dtype == np.float16:
        array = array.astype(np.float32)
    components = array.shape[: array.ndim - grid.ndim]
    stored = array.reshape(-1, *grid.cells).transpose(3, 2, 1, 0)
    return np.ascontiguousarray(stored if components else stored[..., 0])


def _check_names(fields: Mapping[str, np.ndarray], units: Mapping[str, str]) -> None:
    for name in fields:
        if not isinstance(name, str) or not name.strip() or "/" in name or name.startswith("."):
            raise _refusal(
                "cell_fields",
                f"the name {name!r}",
                "a name without '/' and a leading dot",
                "rename the field",
            )
    for name in units:
        if name not in fields:
            raise _refusal("units", f"'{name}'", "the name of a field that is written", nearest(name, fields))


def _check_field(name: str, array: np.ndarray, shape: tuple[int, ...], ndim: int) -> None:
    if array.dtype.kind not in "biuf":
        raise _refusal(
            "cell_fields",
            f"'{name}' of type {array.dtype}",
            "real numbers",
            "write real and imaginary parts by themselves",
        )
    extra = array.ndim - ndim
    if ndim not in {2, 3} or array.shape[-ndim:] != shape or extra not in {0, 1, 2} or array.size == 0:
        raise _refusal(
            "cell_fields",
            f"'{name}' of shape {array.shape}",
            f"(x, y, z) or (component, x, y, z) on the grid {shape or 'of 2 or 3 axes'}",
            "put components first, and give one voxel length an image axis",
        )


def _refusal(argument: str, got: object, wanted: str, cure: str) -> FileFormatError:
    return FileFormatError(argument, got=got, wanted=wanted, cure=cure)
