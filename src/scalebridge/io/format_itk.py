"""NRRD, MetaImage (MHA, MHD) and NIfTI through SimpleITK (extra `itk`).

ITK reports a spacing even where the header has none, drops NRRD's units, and reads a truncated NIfTI file as
if it were whole. The parts of the headers that tell these apart are therefore read here.
"""

import gzip
import math
from pathlib import Path
from typing import Any

import numpy as np

from scalebridge.core.errors import FileFormatError
from scalebridge.io.stored import Request, Stored, need, reading, truncated
from scalebridge.io.text_header import metaimage_header, nrrd_header

_PIXELS = {
    **{f"sitkUInt{bits}": f"u{bits // 8}" for bits in (8, 16, 32, 64)},
    **{f"sitkInt{bits}": f"i{bits // 8}" for bits in (8, 16, 32, 64)},
    **{f"sitkFloat{bits}": f"f{bits // 8}" for bits in (32, 64)},
}


def describe_nrrd(request: Request) -> Stored:
    """Describe an NRRD file (.nrrd, or .nhdr with its data file)."""
    path = request.path
    with reading(path, "NRRD"):
        header = nrrd_header(path)
    stored_as = header.fields.get("encoding", "raw").lower()
    return _describe(
        path, "NRRD", header.data_file, header.data_start if stored_as == "raw" else None, header
    )


def describe_metaimage(request: Request) -> Stored:
    """Describe a MetaImage file (.mha, or .mhd with its data file)."""
    path = request.path
    with reading(path, "MetaImage"):
        header = metaimage_header(path)
    packed = header.fields.get("compresseddata", "false").lower() == "true"
    return _describe(path, "MetaImage", header.data_file, None if packed else header.data_start, header)


def describe_nifti(request: Request) -> Stored:
    """Describe a NIfTI file (.nii or .nii.gz); ITK converts its spacing to millimetres."""
    return _describe(request.path, "NIfTI", request.path, None, None)


def _describe(path: Path, name: str, data_file: Path, data_start: int | None, header: Any) -> Stored:
    """Describe any of them; `data_start` is given when the samples are stored raw from there on."""
    sitk = need("SimpleITK", extra="itk", purpose=f"reading a {name} file")
    with reading(path, name):
        reader = sitk.ImageFileReader()
        reader.SetFileName(str(path))
        reader.ReadImageInformation()
    dtype = _pixel_type(reader, sitk, path, name)
    components = reader.GetNumberOfComponents()
    shape = tuple(int(length) for length in reversed(reader.GetSize())) + (
        (components,) if components > 1 else ()
    )
    axes = ("t" * len(reader.GetSize()) + "zyx")[-len(reader.GetSize()) :] + ("c" if components > 1 else "")
    if data_start is not None:
        _check_size(data_file, name, data_start + math.prod(shape) * dtype.itemsize)
    if header is None:
        _check_nifti(path, reader)
        spacing, unit, remark = _spacing(reader), _nifti_unit(reader), "its NIfTI header has no spacing"
    else:
        spacing, unit = (_spacing(reader) if header.has_spacing else {}), header.unit
        remark = f"its {name} header has no spacing"
    identity = np.allclose(
        np.reshape(reader.GetDirection(), (len(reader.GetSize()), -1)), np.eye(len(reader.GetSize()))
    )
    extra = {} if identity else {"direction": tuple(reader.GetDirection())}

    def load() -> np.ndarray:
        return sitk.GetArrayFromImage(reader.Execute())

    files = (path,) if data_file == path else (path, data_file)
    return Stored(name, shape, dtype, axes, load, files, None, spacing, unit, remark, copies=2, extra=extra)


def _pixel_type(reader: Any, sitk: Any, path: Path, name: str) -> np.dtype:
    scalar = {getattr(sitk, key): kind for key, kind in _PIXELS.items()}
    vector = {getattr(sitk, key.replace("sitk", "sitkVector")): kind for key, kind in _PIXELS.items()}
    kind = (scalar | vector).get(reader.GetPixelID())
    if kind is None:
        raise FileFormatError(
            "path",
            got=f"'{path.name}' with pixels of type {sitk.GetPixelIDValueAsString(reader.GetPixelID())}",
            wanted=f"a {name} file of real numbers",
            cure="convert it to an integer label image or a grey image",
        )
    return np.dtype(kind)


def _spacing(reader: Any) -> dict[str, float]:
    return dict(zip("xyz", reader.GetSpacing(), strict=False))


def _nifti_unit(reader: Any) -> str | None:
    """Bits 0-2 of xyzt_units: 1 metre, 2 millimetre, 3 micrometre (NIfTI-1 standard)."""
    code = int(reader.GetMetaData("xyzt_units")) & 7 if reader.HasMetaDataKey("xyzt_units") else 0
    return "mm" if code in {1, 2, 3} else None  # ITK has already scaled the numbers to millimetres


def _check_size(data_file: Path, name: str, wanted: int) -> None:
    if not data_file.exists():
        raise FileFormatError(
            "path",
            got=f"a header whose data file '{data_file.name}' is missing",
            wanted=f"a {name} header with its data file beside it",
            cure=f"copy '{data_file.name}' into the header's folder",
        )
    size = data_file.stat().st_size
    if size < wanted:
        raise truncated(data_file, name, wanted, size)


def _check_nifti(path: Path, reader: Any) -> None:
    """Check the number of bytes, unpacked: ITK would fill what is missing with zeros."""
    bits = int(reader.GetMetaData("bitpix"))
    wanted = int(float(reader.GetMetaData("vox_offset"))) + math.prod(reader.GetSize()) * bits // 8
    with path.open("rb") as stream:
        packed = stream.read(2) == b"\x1f\x8b"
        size = stream.seek(0, 2)
        if packed:
            stream.seek(-4, 2)
            if int.from_bytes(stream.read(4), "little") == wanted % (1 << 32):
                return  # a gzip file ends with its unpacked length (RFC 1952)
            size = _unpacked_size(path)
    if size < wanted:
        raise truncated(path, "NIfTI", wanted, size)


def _unpacked_size(path: Path) -> int:
    """Unpack to the end or to where the file breaks; needed only for several gzip members or a broken end."""
    size = 0
    with gzip.open(path, "rb") as stream:
        try:
            while block := stream.read(1 << 22):
                size += len(block)
        except (EOFError, gzip.BadGzipFile, OSError):
            return size
    return size
