"""Raw binary: numbers without a header, so shape and type come from the caller and the size must agree."""

import math

import numpy as np

from scalebridge.core.errors import FileFormatError, InputError
from scalebridge.io.stored import Request, Stored

_FORMAT = "raw binary"
_ITEM_SIZES = {1: "uint8", 2: "uint16", 4: "float32 or int32", 8: "float64"}


def describe(request: Request) -> Stored:
    """Describe a raw file whose x runs fastest: shape (z, y, x) in C order or (x, y, z) in Fortran order."""
    path, size = request.path, request.path.stat().st_size
    dtype = _checked_type(request)
    shape = _checked_shape(request, size - request.offset, dtype)
    wanted = request.offset + math.prod(shape) * dtype.itemsize
    if size != wanted:
        raise FileFormatError(
            "shape",
            got=f"'{path.name}' of {size} bytes",
            wanted=f"{wanted} bytes for shape {shape} of {dtype.name} after {request.offset} bytes of header",
            cure=_fitting(size - request.offset, shape, dtype),
        )
    letters = "zyx" if request.order == "C" else "xyz"
    axes = letters[-len(shape) :] if request.order == "C" else letters[: len(shape)]

    def load() -> np.ndarray:
        flat = np.fromfile(path, dtype=dtype, offset=request.offset)
        return flat.reshape(shape, order=request.order)

    return Stored(_FORMAT, shape, dtype, axes, load, files=(path,), remark="a raw file has no header")


def _checked_type(request: Request) -> np.dtype:
    cure = "pass dtype='uint8', '<u2' (little-endian 16 bit), '>f4', ..."
    if request.dtype is None:
        raise InputError(
            "dtype", got="nothing", wanted=f"the type of the numbers in '{request.path.name}'", cure=cure
        )
    try:
        dtype = np.dtype(request.dtype)
    except TypeError as error:
        raise InputError("dtype", got=repr(request.dtype), wanted="a NumPy type", cure=cure) from error
    if dtype.kind not in "biuf":
        raise InputError("dtype", got=repr(request.dtype), wanted="a type of real numbers", cure=cure)
    return dtype


def _checked_shape(request: Request, size: int, dtype: np.dtype) -> tuple[int, ...]:
    shape = request.shape
    if shape is None:
        raise InputError(
            "shape",
            got="nothing",
            wanted=f"the numbers of voxels in '{request.path.name}', which has no header",
            cure=_fitting(size, None, dtype) + ", or read its .mhd or .nhdr header file instead",
        )
    if request.order not in ("C", "F"):
        raise InputError("order", got=repr(request.order), wanted="'C' or 'F'", cure="pass order='C'")
    whole = all(isinstance(length, int | np.integer) and length > 0 for length in shape)
    if not whole or len(shape) not in {2, 3} or request.offset < 0:
        raise InputError(
            "shape",
            got=f"{shape}, offset {request.offset}",
            wanted="2 or 3 positive whole numbers and an offset of 0 or more",
            cure="pass shape=(nz, ny, nx) with order='C' or (nx, ny, nz) with order='F': x runs fastest",
        )
    return tuple(int(length) for length in shape)


def _fitting(size: int, shape: tuple[int, ...] | None, dtype: np.dtype) -> str:
    """Propose what would fit the file: another type, a header, another number of slices, a cube."""
    found = [] if shape is None else _near_misses(size, shape, dtype.itemsize)
    for item, name in _ITEM_SIZES.items():
        edge = round((size / item) ** (1 / 3))
        if edge > 1 and edge**3 * item == size:
            found.append(f"shape=({edge}, {edge}, {edge}) of {name}")
    return "what would fit: " + (
        "; ".join(found) if found else "no cube; look up the shape where it was written"
    )


def _near_misses(size: int, shape: tuple[int, ...], item: int) -> list[str]:
    found = []
    voxels = math.prod(shape)
    each, rest = divmod(size, voxels)
    if rest == 0 and each in _ITEM_SIZES:
        found.append(f"dtype {_ITEM_SIZES[each]} with this shape")
    slices, rest = divmod(size, math.prod(shape[1:]) * item)
    if rest == 0 and slices > 0:
        found.append(f"shape={(slices, *shape[1:])}")
    if 0 < size - voxels * item <= 1 << 16:
        found.append(f"offset={size - voxels * item} more, if there is a header")
    return found
