"""NumPy's own files, .npy and .npz, never unpickled. Their axes are taken as (x, y, z), as in memory."""

import zipfile
from pathlib import Path

import numpy as np
from numpy.lib import format as npy

from scalebridge.core.errors import FileFormatError
from scalebridge.io.stored import Request, Stored, choose_dataset, is_image, reading

_HEADER_READERS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}


def describe(request: Request) -> Stored:
    """Describe an .npy file by mapping it, which also checks its length; no voxel is read."""
    path = request.path
    with path.open("rb") as stream:
        shape, dtype = _header(stream, path.name)
    with reading(path, "NumPy"):
        np.load(path, mmap_mode="r", allow_pickle=False)
    return Stored(
        "NumPy",
        shape,
        dtype,
        _axes(shape),
        lambda: np.load(path, allow_pickle=False),
        files=(path,),
        remark="a NumPy file holds no voxel size",
    )


def describe_archive(request: Request) -> Stored:
    """Describe one array of an .npz archive; `dataset` names it when there are several."""
    path = request.path
    with reading(path, "NumPy archive"):
        headers = _archive_headers(path)
    images = {name: f"{shape} {dtype}" for name, (shape, dtype) in headers.items() if is_image(shape, dtype)}
    name = choose_dataset(request, images, others=headers)
    shape, dtype = headers[name]

    def load() -> np.ndarray:
        with np.load(path, allow_pickle=False) as archive:
            return archive[name]

    remark = "a NumPy file holds no voxel size"
    return Stored(
        "NumPy archive",
        shape,
        dtype,
        _axes(shape),
        load,
        files=(path,),
        dataset=name,
        remark=remark,
        copies=2,
    )


def _axes(shape: tuple[int, ...]) -> str:
    return "xyz"[: len(shape)] if len(shape) <= 3 else "t" * len(shape)


def _archive_headers(path: Path) -> dict[str, tuple[tuple[int, ...], np.dtype]]:
    headers = {}
    with zipfile.ZipFile(path) as archive:
        for member in archive.namelist():
            if member.endswith(".npy"):
                with archive.open(member) as stream:
                    headers[member.removesuffix(".npy")] = _raw_header(stream)
    return headers


def _raw_header(stream) -> tuple[tuple[int, ...], np.dtype]:
    read = _HEADER_READERS[npy.read_magic(stream)]
    shape, _, dtype = read(stream)
    return shape, dtype


def _header(stream, name: str) -> tuple[tuple[int, ...], np.dtype]:
    with reading(Path(name), "NumPy"):
        shape, dtype = _raw_header(stream)
    if dtype.hasobject:
        raise FileFormatError(
            "path",
            got=f"'{name}', an array of Python objects (dtype {dtype})",
            wanted="an array of numbers; pickled objects are never loaded, since they can run code",
            cure="save it again as numbers: np.save(path, array.astype('uint8'))",
        )
    return shape, dtype
