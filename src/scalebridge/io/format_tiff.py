"""TIFF: a multi-page file, or a folder or glob of numbered single-page files."""

import re
import struct
from pathlib import Path

import numpy as np
import tifffile

from scalebridge.core.errors import FileFormatError
from scalebridge.io.stored import Request, Stored, choose_dataset, reading, truncated
from scalebridge.io.tiff_spacing import tiff_spacing

_FORMAT = "TIFF"


def describe(request: Request) -> Stored:
    """Describe a TIFF file; its pages are slices z, each stored (y, x)."""
    path = request.path
    check_chain(path)
    with reading(path, _FORMAT), tifffile.TiffFile(path) as tiff:
        series, key = _choose_series(tiff, request)
        pages = len(tiff.series) if key is None else 0
        shape = (pages, *series.shape) if pages else tuple(series.shape)
        axes = _letters(series.axes, extra_pages=pages > 0)
        check_extent(tiff, path)
        spacing, unit, remark = tiff_spacing(tiff)
        dtype = np.dtype(series.dtype)

    def load() -> np.ndarray:
        with tifffile.TiffFile(path) as tiff:
            return tiff.asarray(key=slice(None)) if key is None else tiff.asarray(series=key)

    dataset = None if key in (None, 0) else str(key)
    return Stored(_FORMAT, shape, dtype, axes, load, (path,), dataset, spacing, unit, remark)


def describe_stack(request: Request, files: tuple[Path, ...]) -> Stored:
    """Describe a stack of single-page TIFF files, slice by slice in natural order."""
    _check_numbering(files)
    slices = [describe(Request(file)) for file in files]
    first = slices[0]
    for file, other in zip(files, slices, strict=True):
        if other.shape != first.shape or other.dtype != first.dtype:
            raise FileFormatError(
                "path",
                got=f"'{file.name}' of shape {other.shape}, {other.dtype}",
                wanted=f"{first.shape}, {first.dtype} as in '{files[0].name}'",
                cure="leave other images out of the folder, or pass a pattern such as 'slices/rec_*.tif'",
            )
    if first.axes != "yx":
        raise FileFormatError(
            "path",
            got=f"'{files[0].name}' of shape {first.shape} with axes '{first.axes}'",
            wanted="one grey or label slice a file",
            cure="convert the slices to grey or labels, or pass a multi-page file by its own name",
        )

    def load() -> np.ndarray:
        stack = np.empty((len(files), *first.shape), first.dtype)
        for index, file in enumerate(files):
            stack[index] = tifffile.imread(file)
        return stack

    remark = "slices do not say the distance between them"
    shape = (len(files), *first.shape)
    return Stored(
        "TIFF stack", shape, first.dtype, "zyx", load, files, None, first.spacing, first.unit, remark,
        extra={"files": len(files)},
    )  # fmt: skip


def natural_key(path: Path) -> list[tuple[int, str]]:
    """Sort key that puts slice 2 before slice 10.

    Example:
        >>> [path.name for path in sorted([Path("s10.tif"), Path("s2.tif")], key=natural_key)]
        ['s2.tif', 's10.tif']
    """
    parts = re.split(r"(\d+)", path.name.lower())
    return [(int(part), "") if part.isdigit() else (-1, part) for part in parts]


def _check_numbering(files: tuple[Path, ...]) -> None:
    """Refuse a stack with a missing slice: its numbers must step evenly."""
    numbers = [[int(number) for number in re.findall(r"\d+", file.stem)] for file in files]
    if len(files) < 3 or len({len(row) for row in numbers}) != 1:
        return
    running = [column for column in zip(*numbers, strict=True) if len(set(column)) > 1]
    if len(running) != 1:
        return
    steps = np.diff(running[0])
    odd = np.flatnonzero(steps != np.min(steps))
    if odd.size:
        before, after = files[odd[0]].name, files[odd[0] + 1].name
        raise FileFormatError(
            "path",
            got=f"a stack whose numbers jump from '{before}' to '{after}'",
            wanted="evenly numbered slices",
            cure="restore the missing slices, or pass a glob that selects an unbroken range",
        )


def _choose_series(tiff: tifffile.TiffFile, request: Request) -> tuple[tifffile.TiffPageSeries, int | None]:
    """Return the image and its series number; None means that every page is one slice of the image."""
    series = tiff.series
    if not series:
        raise ValueError("it holds no image")
    one = series[0]
    alike = all(other.shape == one.shape and other.dtype == one.dtype for other in series)
    if (
        request.dataset is None
        and len(series) > 1
        and alike
        and len(one.shape) == 2
        and len(series) == len(tiff.pages)
    ):
        return one, None
    images = {str(index): f"{tuple(item.shape)} {item.dtype}" for index, item in enumerate(series)}
    index = int(choose_dataset(request, images))
    return series[index], index


def _letters(axes: str, *, extra_pages: bool) -> str:
    """Translate tifffile's axis codes: S, C are channels; Q, I unnamed pages, slices if nothing else is."""
    pages = not extra_pages and "Z" not in axes
    letters = ""
    for code in axes:
        if code in "XYZ":
            letters += code.lower()
        elif code in "QI" and pages and "z" not in letters:
            letters += "z"
        else:
            letters += "c" if code in "SC" else "t"
    return "z" + letters if extra_pages else letters


def check_extent(tiff: tifffile.TiffFile, path: Path) -> None:
    """Check that the bytes of every page lie within the file."""
    size = tiff.filehandle.size
    end = 0
    for series in tiff.series:
        if series.dataoffset is not None:
            end = max(end, series.dataoffset + series.nbytes)
        else:
            for page in series.pages:
                if page is not None:
                    spans = zip(page.dataoffsets, page.databytecounts, strict=False)
                    end = max(end, *(offset + count for offset, count in spans), 0)
    if end > size:
        raise truncated(path, _FORMAT, end, size)


def check_chain(path: Path) -> None:
    """Follow the chain of page headers, which a truncated file breaks (TIFF 6.0, section 2; BigTIFF)."""
    size = path.stat().st_size
    with path.open("rb") as stream:

        def number_at(offset: int, code: str) -> int:
            length = struct.calcsize(code)
            if offset + length > size:
                raise truncated(path, _FORMAT, offset + length, size)
            stream.seek(offset)
            return struct.unpack(code, stream.read(length))[0]

        head = stream.read(4)
        order = "<" if head[:2] == b"II" else ">"
        big = b"+" in head[2:]
        count_code, link_code, entry_size = (
            (f"{order}Q", f"{order}Q", 20) if big else (f"{order}H", f"{order}I", 12)
        )
        offset, seen = number_at(8 if big else 4, link_code), set()
        while offset and offset not in seen:
            seen.add(offset)
            entries = number_at(offset, count_code)
            offset = number_at(offset + struct.calcsize(count_code) + entries * entry_size, link_code)
