"""Read an image from any of the formats that microscopes, scanners and segmentation tools write."""

import hashlib
import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import psutil

from scalebridge.core.errors import FileFormatError, ImageError, ResourceError
from scalebridge.io.axes import image_axes, settle_axes
from scalebridge.io.detect import describe
from scalebridge.io.spacing import resolve_voxel
from scalebridge.io.stored import Request, Stored, reading
from scalebridge.io.volume import Volume


def read_volume(
    path: str | os.PathLike[str],
    *,
    dataset: str | None = None,
    shape: Sequence[int] | None = None,
    dtype: str | None = None,
    order: Literal["C", "F"] = "C",
    offset: int = 0,
    axes: str | None = None,
    voxel: str | Sequence[str] | None = None,
    voxel_unit: str | None = None,
) -> Volume:
    """Read a label or grey image, 2-D or 3-D, with its voxel size.

    ==================  =========================================  ==============  ===========================
    format              suffixes                                   stored axes     voxel size from
    ==================  =========================================  ==============  ===========================
    TIFF, multi-page    .tif .tiff                                 z, y, x         OME, ImageJ or TIFF tags
    TIFF stack          a folder, or a pattern such as "s_*.tif"   z, y, x         argument
    raw binary          .raw .bin .dat .img .vol                   x fastest       argument
    NumPy               .npy .npz                                  x, y, z         argument
    NRRD                .nrrd .nhdr (extra itk)                    x fastest       header, with its units
    MetaImage           .mha .mhd (extra itk)                      x fastest       header, unit by argument
    NIfTI               .nii .nii.gz (extra itk)                   x fastest       header
    HDF5                .h5 .hdf5 .dream3d .vtkhdf                 z, y, x         attributes that are known
    Zarr                a .zarr folder, v2 or v3 (extra zarr)      z, y, x         OME-Zarr metadata
    VTI                 .vti (extra vtk)                           x fastest       header, unit by argument
    ==================  =========================================  ==============  ===========================

    The result always has the axes (x, y, z), or (x, y) for one slice. Names of axes in the file are obeyed;
    `axes` overrules them. A voxel size without a unit is never used: it is None instead. NRRD, MetaImage and
    NIfTI directions are not applied (the axes are those of the voxels); other than the identity they are
    noted in `source["direction"]`.

    Args:
        path: file, folder of .tif slices (natural order, one image each), pattern, or Zarr folder.
        dataset: which image, in formats that hold several: a path inside the file, or its last part.
        shape: raw binary only, lengths of the stored axes: (nz, ny, nx) in C order, (nx, ny, nz) in Fortran
            order; both mean that x runs fastest.
        dtype: raw binary only, for example "uint8", "<u2" or ">f4".
        order: raw binary only, "C" (last axis fastest) or "F" (first axis fastest).
        offset: raw binary only, bytes of header to leave out.
        axes: letters of the stored axes, slowest first, for example "zyx", "xyz" or "yx".
        voxel: voxel size with a unit, "3 um", or one an image axis, ("3 um", "3 um", "5 um"); it overrules
            the file.
        voxel_unit: unit for a spacing in the header that has none, for example "um".

    Returns:
        the image, its voxel size in metres, and its source with the SHA-256 of the bytes on disk (of all
        slices in order; of the array's bytes in C order for Zarr).

    Raises:
        FileFormatError: the file is missing, empty, truncated, of another format, or lacks what is asked.
        ImageError: the image has colours, times, or the wrong number of axes.
        UnitError: a voxel size without a unit, or with a unit that is not a length's.
        InputError: arguments that contradict the file or each other.
        ResourceError: the image does not fit into the memory that is free now.
        MissingExtraError: the format's library is not installed.

    Limits:
        The whole image is read; 4-D images, label maps with colours, and Zarr over a network are not.

    Cost:
        Two passes over the file (hash and samples). Memory: the image once, twice for NRRD, MetaImage, NIfTI,
        VTI, Zarr and .npz. Every refusal comes from headers and sizes, before the samples are read.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> np.arange(60, dtype="uint8").tofile(folder / "scan.raw")  # 5 slices of 4 rows of 3 voxels
        >>> volume = read_volume(folder / "scan.raw", shape=(5, 4, 3), dtype="uint8", voxel="3 um")
        >>> volume.shape, int(volume.data[2, 0, 0]), int(volume.data[0, 0, 1])
        ((3, 4, 5), 2, 12)
    """
    request = Request(Path(path), dataset, None if shape is None else tuple(shape), dtype, order, offset)
    stored = describe(request)
    _check_samples(stored, request.path)
    letters = settle_axes(stored.shape, stored.axes, axes)
    kept = "".join(sorted(letters.replace("-", "")))
    spacing = _renamed(stored, letters)
    size, origin, remark = resolve_voxel(
        kept, spacing, stored.unit, remark=stored.remark, voxel=voxel, voxel_unit=voxel_unit
    )
    _check_memory(stored, request.path)
    with reading(request.path, stored.format):
        samples = stored.load()
        digest = _digest(stored, samples)
    source = {
        "path": request.path.name,
        "format": stored.format,
        "sha256": digest,
        "dataset": stored.dataset,
        "axes": letters,
        "dtype": str(stored.dtype),
        "shape": tuple(stored.shape),
        "voxel_from": origin,
        **({"remark": remark} if remark else {}),
        **stored.extra,
    }
    return Volume(_as_image(samples, letters), size, source)


def available_memory() -> int:
    """Return the bytes that can be taken without swapping; tests replace this."""
    return psutil.virtual_memory().available


def _check_samples(stored: Stored, path: Path) -> None:
    if stored.dtype.kind not in "biuf":
        raise FileFormatError(
            "path",
            got=f"'{path.name}' of type {stored.dtype}",
            wanted="an array of real numbers",
            cure="save labels as uint8 or uint16, grey values as uint16 or float32",
        )
    if math.prod(stored.shape) == 0:
        raise ImageError(
            "path",
            got=f"'{path.name}' of shape {stored.shape}",
            wanted="at least one voxel along every axis",
            cure="check the crop or the selection that wrote the file",
        )


def _renamed(stored: Stored, letters: str) -> dict[str, float]:
    """Carry the header's spacing over to the letters that the axes were given in the end."""
    pairs = zip(stored.axes, letters, strict=True)
    return {letter: stored.spacing[old] for old, letter in pairs if letter != "-" and old in stored.spacing}


def _check_memory(stored: Stored, path: Path) -> None:
    needed = math.prod(stored.shape) * stored.dtype.itemsize * stored.copies
    free = available_memory()
    size = f"shape {stored.shape}, {stored.dtype}"
    if needed > free:
        raise ResourceError(
            "path",
            got=f"'{path.name}' of {size}, which takes {needed / 1e9:.1f} GB to read",
            wanted=f"at most the {free / 1e9:.1f} GB that are free",
            cure="crop or coarsen the image before, store labels as uint8, or use a machine with more memory",
        )


def _digest(stored: Stored, samples: np.ndarray) -> str:
    digest = hashlib.sha256()
    for file in stored.files:
        with file.open("rb") as stream:
            while block := stream.read(1 << 22):
                digest.update(block)
    if not stored.files:
        digest.update(np.ascontiguousarray(samples).data)
    return digest.hexdigest()


def _as_image(samples: np.ndarray, letters: str) -> np.ndarray:
    """Drop single axes, order the others x, y, z, and use this machine's byte order."""
    single = tuple(index for index, letter in enumerate(letters) if letter == "-")
    image = np.squeeze(samples, axis=single).transpose(image_axes(letters))
    return image.astype(image.dtype.newbyteorder("="), copy=False)
