"""Which format a path has: by its first bytes and its suffix, which must not contradict each other."""

import glob
from collections.abc import Callable
from pathlib import Path

from scalebridge.core.errors import FileFormatError, InputError
from scalebridge.io import (
    format_hdf5,
    format_itk,
    format_numpy,
    format_raw,
    format_tiff,
    format_vti,
    format_zarr,
)
from scalebridge.io.stored import Request, Stored, nearest, reading

# One line a format: how it is described, and the suffixes that announce it.
FORMATS: dict[str, tuple[Callable[[Request], Stored], tuple[str, ...]]] = {
    "TIFF": (format_tiff.describe, (".tif", ".tiff", ".btf", ".tf8")),
    "NumPy": (format_numpy.describe, (".npy",)),
    "NumPy archive": (format_numpy.describe_archive, (".npz",)),
    "NRRD": (format_itk.describe_nrrd, (".nrrd", ".nhdr")),
    "MetaImage": (format_itk.describe_metaimage, (".mha", ".mhd")),
    "NIfTI": (format_itk.describe_nifti, (".nii", ".nii.gz")),
    "HDF5": (format_hdf5.describe, (".h5", ".hdf5", ".hdf", ".he5", ".nxs", ".dream3d", ".vtkhdf")),
    "VTI": (format_vti.describe, (".vti",)),
    "raw binary": (format_raw.describe, (".raw", ".bin", ".dat", ".img", ".vol")),
}
_WITH_DATASETS = {"TIFF", "NumPy archive", "HDF5", "VTI", "Zarr"}
_SLICES = (".tif", ".tiff")


def describe(request: Request) -> Stored:
    """Describe the image that a request names, reading headers only.

    Raises:
        FileFormatError: the path is missing, empty, of an unknown or contradicted format, or damaged.
        InputError: an argument is given that the format does not know.
    """
    path = request.path
    with reading(path, "image"):
        if path.is_dir():
            return _describe_folder(request)
        if not path.exists():
            return _describe_glob(request)
        name = _format_of(path, raw=request.shape is not None)
        _refuse_alien_arguments(request, name)
        return FORMATS[name][0](request)


def _format_of(path: Path, *, raw: bool) -> str:
    size = path.stat().st_size
    if size == 0:
        raise FileFormatError(
            "path",
            got=f"'{path.name}' of 0 bytes",
            wanted="an image",
            cure="copy or export the file again: it is empty",
        )
    announced, found = _by_suffix(path), _by_content(path)
    if raw and announced in {None, "raw binary"}:
        return "raw binary"
    if announced is None and found is None:
        known = ", ".join(suffix for _, suffixes in FORMATS.values() for suffix in suffixes)
        raise FileFormatError(
            "path",
            got=f"'{path.name}', an unknown kind of file",
            wanted=f"a file that ends in one of {known}, or a folder of .tif slices, or a .zarr folder",
            cure="convert the image to TIFF, or pass shape= and dtype= if it is raw binary",
        )
    if announced not in {None, "raw binary", found}:
        content = found or _other_content(path)
        raise FileFormatError(
            "path",
            got=f"'{path.name}', whose content is {content}",
            wanted=f"{announced}, as its name says",
            cure="export the file again, or give it the suffix of what it is",
        )
    return announced if announced == "raw binary" else (found or str(announced))


def _by_suffix(path: Path) -> str | None:
    name = path.name.lower()
    for format_name, (_, suffixes) in FORMATS.items():
        if name.endswith(suffixes):
            return format_name
    return None


def _by_content(path: Path) -> str | None:
    """Recognise a format by the bytes that it must begin with."""
    with path.open("rb") as stream:
        head = stream.read(4096)
    if head[:4] in {b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"}:
        return "TIFF"
    if head[:4] in {b"PK\x03\x04", b"PK\x05\x06"}:
        return "NumPy archive"
    if (
        head[344:347] in {b"n+1", b"ni1"}
        or head[4:7] == b"n+2"
        or (head[:2] == b"\x1f\x8b" and path.name.lower().endswith(".nii.gz"))
    ):
        return "NIfTI"
    if any(head[at : at + 8] == b"\x89HDF\r\n\x1a\n" for at in (0, 512, 1024, 2048)):
        return "HDF5"
    return _by_text(head)


def _by_text(head: bytes) -> str | None:
    if head.startswith(b"\x93NUMPY"):
        return "NumPy"
    if head.startswith(b"NRRD000"):
        return "NRRD"
    if b"<VTKFile" in head:
        return "VTI"
    return "MetaImage" if b"NDims" in head and b"DimSize" in head else None


def _other_content(path: Path) -> str:
    """Name what often hides behind a wrong suffix."""
    with path.open("rb") as stream:
        head = stream.read(8)
    if head[:1] == b"\x80":
        return "a Python pickle, which is never loaded since it can run code"
    names = {
        b"\x89PNG": "PNG",
        b"\xff\xd8\xff\xe0": "JPEG",
        b"\x0e\x03\x13\x01": "HDF4",
        b"\x1f\x8b\x08\0": "gzip",
    }
    return names.get(head[:4], "something else")


def _refuse_alien_arguments(request: Request, name: str) -> None:
    """Refuse an argument that would be ignored: the caller expects something of it."""
    if name != "raw binary":
        for argument, value, default in (
            ("shape", request.shape, None),
            ("dtype", request.dtype, None),
            ("order", request.order, "C"),
            ("offset", request.offset, 0),
        ):
            if value != default:
                raise InputError(
                    argument,
                    got=repr(value),
                    wanted=f"nothing: '{request.path.name}' is {name} and says it itself",
                    cure=f"leave {argument} out; it is for raw binary files only",
                )
    if name not in _WITH_DATASETS and request.dataset is not None:
        raise InputError(
            "dataset",
            got=repr(request.dataset),
            wanted=f"nothing: '{request.path.name}' is {name}, which holds one image",
            cure="leave dataset out",
        )


def _describe_folder(request: Request) -> Stored:
    path = request.path
    if path.suffix == ".zarr" or any((path / mark).exists() for mark in ("zarr.json", ".zarray", ".zgroup")):
        _refuse_alien_arguments(request, "Zarr")
        return format_zarr.describe(request)
    files = sorted((file for file in path.iterdir() if _is_slice(file)), key=format_tiff.natural_key)
    if not files:
        raise FileFormatError(
            "path",
            got=f"the folder '{path.name}' without a .tif file",
            wanted="a folder of numbered .tif slices, or a .zarr folder",
            cure="pass the image's own file, or convert the slices to TIFF",
        )
    _refuse_alien_arguments(request, "TIFF stack")
    return format_tiff.describe_stack(request, tuple(files))


def _is_slice(file: Path) -> bool:
    return file.suffix.lower() in _SLICES and not file.name.startswith(".")


def _describe_glob(request: Request) -> Stored:
    """Describe the slices that a pattern such as "slices/rec_*.tif" selects."""
    pattern = str(request.path)
    names = glob.glob(pattern) if glob.has_magic(pattern) else []  # noqa: PTH207  # the pattern may be absolute
    files = sorted((Path(name) for name in names), key=format_tiff.natural_key)
    wrong = [file for file in files if not _is_slice(file)]
    if files and not wrong:
        _refuse_alien_arguments(request, "TIFF stack")
        return format_tiff.describe_stack(request, tuple(files))
    folder = request.path.parent
    there = [file.name for file in folder.iterdir()] if folder.is_dir() else []
    raise FileFormatError(
        "path",
        got=f"'{wrong[0].name}' among the slices" if wrong else f"'{pattern}', which does not exist",
        wanted="an existing file, a folder of .tif slices, or a pattern that selects .tif files only",
        cure=nearest(request.path.name, there)
        if folder.is_dir()
        else f"the folder '{folder}' does not exist either",
    )
