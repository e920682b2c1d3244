"""Scenes in files, read a window at a time: GeoTIFFs, one a date, NetCDF, Zarr."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from scalebridge.core.errors import FileFormatError, InputError
from scalebridge.io.stored import need

_DATE = re.compile(r"(?<!\d)(\d{4})[-_]?(\d{2})[-_]?(\d{2})(?!\d)")


class GeoTiffs:
    """GeoTIFFs of one grid as an array (dates, rows, columns) that is read when it is asked for.

    Args:
        paths: one file a date, whose first band is taken; or one file with a band a date.

    Raises:
        FileFormatError: no such file, no GeoTIFF, another grid than that of the first, or one that is turned.
        MissingExtraError: rasterio is not installed.

    Example: `Sensor("survey", tiffs, dates=tiffs.dates, y=tiffs.y, x=tiffs.x, crs=tiffs.crs)`.
    """

    def __init__(self, paths: Sequence[str | Path]):
        self.paths = [Path(path) for path in paths]
        if not self.paths:
            cure = "correct the pattern"
            raise InputError("paths", got="no file", wanted="at least one GeoTIFF", cure=cure)
        heads = [_header(path) for path in self.paths]
        first = heads[0]
        for path, head in zip(self.paths, heads, strict=True):
            if head[:3] != first[:3]:
                wanted = f"the grid of {self.paths[0].name}"
                raise FileFormatError(
                    str(path), got="another grid", wanted=wanted, cure="warp it onto that grid"
                )
        (rows, columns), transform, self.crs, bands = first
        self.bands = list(range(1, bands + 1)) if len(self.paths) == 1 else [1]
        self.shape = (max(len(self.paths), len(self.bands)), rows, columns)
        self.dtype = np.dtype(np.float64)
        self.x = transform[2] + transform[0] * (np.arange(columns) + 0.5)
        self.y = transform[5] + transform[4] * (np.arange(rows) + 0.5)

    @property
    def dates(self) -> list[str] | None:
        """The dates in the files' names, None where one has none."""
        found = [_DATE.search(path.stem) for path in self.paths]
        told = ["-".join(match.groups()) for match in found if match is not None]
        return told if len(told) == self.shape[0] else None

    def __getitem__(self, key: Any) -> np.ndarray:
        rows, columns = (slice(*part.indices(n)) for part, n in zip(key[-2:], self.shape[1:], strict=True))
        rasterio = need("rasterio", extra="fusion", purpose="GeoTIFF")
        window = rasterio.windows.Window.from_slices(rows, columns)
        found = np.empty((self.shape[0], rows.stop - rows.start, columns.stop - columns.start))
        for place in range(self.shape[0]):
            path = self.paths[min(place, len(self.paths) - 1)]
            band = self.bands[min(place, len(self.bands) - 1)]
            with rasterio.open(path) as file:
                values = file.read(band, window=window, masked=True).astype(float).filled(np.nan)
                found[place] = values * file.scales[band - 1] + file.offsets[band - 1]
        return found


def _header(path: Path) -> tuple[tuple[int, int], tuple[float, ...], str | None, int]:
    rasterio = need("rasterio", extra="fusion", purpose="GeoTIFF")
    try:
        with rasterio.open(path) as file:
            transform, crs = tuple(file.transform)[:6], file.crs
            shape, bands = (int(file.height), int(file.width)), int(file.count)
    except rasterio.errors.RasterioError as error:
        told = " ".join(str(error).split())
        raise FileFormatError(str(path), got=told, wanted="a GeoTIFF", cure="correct its name") from error
    if transform[1] or transform[3]:
        cure = "warp it to north-up"
        raise FileFormatError(str(path), got="a grid that is turned", wanted="rows along y", cure=cure)
    return shape, transform, None if crs is None else crs.to_wkt(), bands


def open_arrays(file: Path) -> Any:
    """Open what a file holds, by name: arrays of .npz, or an xarray Dataset of .nc or .zarr that is not read.

    Raises:
        FileFormatError: no such file, another suffix, or a file that is not what its name says.
        MissingExtraError: the package that reads it is not installed.
    """
    if not file.exists():
        wanted = "a .npz, .nc, .zarr or .tif file"
        raise FileFormatError(str(file), got="no such file", wanted=wanted, cure="correct its name")
    kinds = {".npz": _arrays_npz, ".nc": _arrays_netcdf, ".nc4": _arrays_netcdf, ".h5": _arrays_netcdf}
    kinds[".zarr"] = _arrays_zarr
    if file.suffix not in kinds:
        wanted = ".npz, .nc, .zarr or .tif"
        raise FileFormatError(str(file), got=f"the suffix '{file.suffix}'", wanted=wanted, cure="convert it")
    try:
        return kinds[file.suffix](file)
    except (OSError, ValueError, KeyError) as error:
        wanted = f"a {file.suffix} file"
        raise FileFormatError(str(file), got=str(error), wanted=wanted, cure="write it anew") from error


def _arrays_npz(file: Path) -> Any:
    with np.load(file) as held:
        return {key: held[key] for key in held.files}


def _arrays_netcdf(file: Path) -> Any:
    need("h5netcdf", extra="fusion", purpose="NetCDF")
    return need("xarray", extra="fusion", purpose="NetCDF").open_dataset(
        file, engine="h5netcdf", decode_coords="all"
    )


def _arrays_zarr(file: Path) -> Any:
    need("zarr", extra="zarr", purpose="Zarr")
    return need("xarray", extra="fusion", purpose="Zarr").open_zarr(file, chunks=None, decode_coords="all")
