"""What a file says of its image before the voxels are read: the one thing every format must answer.

A format is one file `format_*.py` with one function `describe(request) -> Stored`. It reads headers only,
checks that the file is whole, and leaves the reading of the voxels to `Stored.load`. The reader then settles
axes, voxel size and memory before any voxel is touched. A new format is added to `scalebridge.io.detect`.
"""

import difflib
import importlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from scalebridge.core.errors import FileFormatError, InputError, MissingExtraError

# The package that each extra of this project brings.
_PACKAGES = {
    "fusion": "xarray, h5netcdf and rioxarray",
    "inference": "numpyro",
    "itk": "SimpleITK",
    "napari": "napari",
    "openslide": "openslide-python",
    "registration": "nibabel (or tiffslide)",
    "sklearn": "scikit-learn",
    "tables": "pyarrow and lasio",
    "vtk": "vtk",
    "wavelets": "PyWavelets",
    "zarr": "zarr",
}


@dataclass(frozen=True)
class Request:
    """What the caller of `read_volume` said of the file, as far as a format has to know it."""

    path: Path
    dataset: str | None = None
    shape: tuple[int, ...] | None = None
    dtype: str | None = None
    order: Literal["C", "F"] = "C"
    offset: int = 0


@dataclass(frozen=True)
class Stored:
    """An image as its file stores it.

    Args:
        format: the format's name, for people.
        shape: numbers of samples along the stored axes, slowest first as NumPy indexes them.
        dtype: type of the samples.
        axes: one letter a stored axis: x, y, z, c (channel or component), t (anything else).
        load: reads the samples and returns an array of `shape`.
        files: every file whose bytes make up the image; empty when the array's own bytes are to be hashed.
        dataset: the dataset that was taken, for formats that hold several.
        spacing: distance of samples by axis letter, in `unit`; letters may be missing.
        unit: unit of `spacing`, or None when the header does not say.
        remark: why there is no voxel size, for the error that asks for one.
        copies: how many times the image is in memory at the peak of `load`.
        extra: further entries for `Volume.source`.
    """

    format: str
    shape: tuple[int, ...]
    dtype: np.dtype
    axes: str
    load: Callable[[], np.ndarray]
    files: tuple[Path, ...] = ()
    dataset: str | None = None
    spacing: Mapping[str, float] = field(default_factory=dict)
    unit: str | None = None
    remark: str = "the file does not say its voxel size"
    copies: int = 1
    extra: Mapping[str, Any] = field(default_factory=dict)


@contextmanager
def reading(path: Path, format_name: str) -> Iterator[None]:
    """Turn whatever a format's library raises into a refusal that names the file."""
    try:
        yield
    except (InputError, MissingExtraError, MemoryError):
        raise
    except Exception as error:  # every library has its own kinds, some derived from Exception itself
        said = " ".join(str(error).split())[:300]
        raise FileFormatError(
            "path",
            got=f"'{path.name}', which cannot be read ({type(error).__name__}: {said})",
            wanted=f"a whole {format_name} file",
            cure="copy or export the file again, and check that it opens in the program that wrote it",
        ) from error


def truncated(path: Path, format_name: str, wanted: int, got: int) -> FileFormatError:
    """Return the refusal of a file that is shorter than its own header says."""
    return FileFormatError(
        "path",
        got=f"'{path.name}', truncated at {got} bytes",
        wanted=f"at least {wanted} bytes, as its {format_name} header says",
        cure="copy or export the file again: its end is missing",
    )


def need(module: str, *, extra: str, purpose: str) -> Any:
    """Import an optional package, or say which extra brings it.

    Raises:
        MissingExtraError: the package is not installed.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise MissingExtraError(_PACKAGES[extra], extra=extra, purpose=purpose) from error


def nearest(name: str, names: Iterable[str]) -> str:
    """Return a sentence's end that proposes the nearest of the possible names, or lists some."""
    possible = list(names)
    close = difflib.get_close_matches(name, possible, n=1, cutoff=0.5)
    if close:
        return f"did you mean '{close[0]}'?"
    return f"there are: {', '.join(possible[:12]) or 'none'}"


def choose_dataset(request: Request, images: Mapping[str, str], others: Iterable[str] = ()) -> str:
    """Choose one of several images in a file.

    Args:
        request: what was asked; `dataset` may be a full path or its last part when that is unique.
        images: description by path of each array that can be an image.
        others: paths of arrays that cannot.

    Returns:
        the path of the chosen dataset.

    Raises:
        FileFormatError: there is none, there are several and none was named, or the name fits none or many.
    """
    wanted = request.dataset
    if wanted is None:
        if len(images) == 1:
            return next(iter(images))
        raise _no_choice(request.path, images)
    name = wanted.strip("/")
    by_path = [path for path in images if path.strip("/") == name]
    found = by_path or [path for path in images if path.rpartition("/")[2] == name]
    if len(found) == 1:
        return found[0]
    if len(found) > 1:
        raise FileFormatError(
            "dataset",
            got=f"'{wanted}', which fits {len(found)} datasets of '{request.path.name}'",
            wanted="a full path",
            cure=f"pass one of: {', '.join(found[:12])}",
        )
    unfit = any(path.strip("/") == name or path.rpartition("/")[2] == name for path in others)
    raise FileFormatError(
        "dataset",
        got=f"'{wanted}'" + (", which is not an image of numbers with 2 or 3 axes" if unfit else ""),
        wanted=f"a dataset of '{request.path.name}' that holds an image",
        cure=_proposal(name, images),
    )


def _proposal(name: str, images: Mapping[str, str]) -> str:
    """Propose by full path, or by last part when that is what was misspelt."""
    close = difflib.get_close_matches(name, list(images), n=1, cutoff=0.5)
    by_tail = {path.rpartition("/")[2]: path for path in images}
    tail = difflib.get_close_matches(name.rpartition("/")[2], list(by_tail), n=1, cutoff=0.5)
    best = by_tail[tail[0]] if tail else (close[0] if close else None)
    return nearest(name, images) if best is None else f"did you mean '{best}'?"


def _no_choice(path: Path, images: Mapping[str, str]) -> FileFormatError:
    if not images:
        return FileFormatError(
            "path",
            got=f"'{path.name}', which holds no array of numbers with 2 or 3 axes",
            wanted="a file with an image in it",
            cure="export the segmented image into this file, or pass another file",
        )
    listed = "; ".join(f"'{name}' {said}" for name, said in list(images.items())[:20])
    return FileFormatError(
        "dataset",
        got=f"no name, while '{path.name}' holds {len(images)} images",
        wanted="the name of one of them",
        cure=f"pass dataset= one of: {listed}",
    )


def is_image(shape: tuple[int, ...], dtype: np.dtype) -> bool:
    """Tell whether an array can be an image: real numbers, and at least two axes longer than one."""
    return dtype.kind in "biuf" and sum(length > 1 for length in shape) >= 2
