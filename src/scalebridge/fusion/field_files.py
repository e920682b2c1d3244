"""Fields as files, written window by window: NetCDF, Zarr, GeoTIFF, with coordinates, times and CRS."""

import os
import shutil
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from scalebridge.core.errors import InputError
from scalebridge.fusion.fusion_grid import Grid
from scalebridge.fusion.fusion_problem import day_text
from scalebridge.fusion.lazy_arrays import WHOLE, Window
from scalebridge.io.stored import need

SUFFIXES = (".nc", ".zarr", ".tif")
NAMES = ("mean", "std")
Put = Callable[[Window, Mapping[str, np.ndarray]], None]
_CHUNK, _DATES = 256, 16  # pixels along an edge of a stored piece, and its dates


@dataclass(frozen=True)
class Frame:
    """Where a field lies.

    Args:
        grid: its pixels.
        days: (dates,).
        dated: whether days are dates.
        unit: of its values.
        attributes: what else the file says.
        bands: names; empty for a field without.
    """

    grid: Grid
    days: np.ndarray
    dated: bool
    unit: str
    attributes: Mapping[str, str]
    bands: tuple[str, ...] = ()

    @property
    def dims(self) -> tuple[str, ...]:
        """Names of the axes."""
        return ("time", *(("band",) if self.bands else ()), "y", "x")

    @property
    def shape(self) -> tuple[int, ...]:
        """(dates, rows, columns), or with bands second."""
        return (len(self.days), *((len(self.bands),) if self.bands else ()), *self.grid.shape)


def coordinates(frame: Frame) -> Any:
    """Return an xarray Dataset of time, y and x, with the coordinate reference system if there is one.

    Raises:
        MissingExtraError: xarray, or rioxarray for the system, is not installed.
    """
    xarray = need("xarray", extra="fusion", purpose="a Dataset")
    time = frame.days.astype(float)
    if frame.dated:
        time = np.round(time * 86400).astype("datetime64[s]").astype("datetime64[ns]")
    coords: dict[str, Any] = {"time": time, "y": frame.grid.axes[0], "x": frame.grid.axes[1]}
    if frame.bands:
        coords["band"] = list(frame.bands)
    found = xarray.Dataset(coords=coords, attrs=dict(frame.attributes))
    if frame.grid.crs is None:
        return found
    need("rioxarray", extra="fusion", purpose="coordinate reference systems")
    return found.rio.write_crs(frame.grid.crs)


def described(frame: Frame) -> dict[str, str]:
    """Return the attributes of a variable."""
    told = {"units": frame.unit, "crs": frame.grid.crs or ""}
    return told | ({"grid_mapping": "spatial_ref"} if frame.grid.crs else {})


def check_field_path(path: str | os.PathLike[str]) -> Path:
    """Refuse a suffix that there is no format for, and a format whose package is not there.

    Raises:
        InputError: another suffix.
        MissingExtraError: a package that the format needs is not installed.
    """
    target = Path(path)
    if target.suffix not in SUFFIXES:
        raise InputError(
            "path",
            got=f"'{target.name}'",
            wanted=f"a file that ends in {', '.join(SUFFIXES)}",
            cure=f"name it '{target.stem}.nc'",
        )
    package = {".nc": "h5netcdf", ".zarr": "zarr", ".tif": "rasterio"}[target.suffix]
    extra = "zarr" if package == "zarr" else "fusion"
    need(package, extra=extra, purpose=f"writing '{target.suffix}'")
    need("xarray", extra="fusion", purpose="coordinates of files")
    return target


@contextmanager
def open_field(
    path: str | os.PathLike[str], frame: Frame, piece: tuple[int, int] = (_CHUNK, _CHUNK)
) -> Iterator[Put]:
    """Yield what writes windows of mean and std; the file is there, whole, when all is done, or not at all.

    Args:
        path: .nc, .zarr, or .tif (two files, `NAME-mean.tif` and `NAME-std.tif`, a band a date, as COG; of a
            field of several bands two for each, `NAME-red-mean.tif`).
        frame: where the field lies.
        piece: rows and columns of the pieces that are written, which are stored together.

    Yields:
        put(window, {"mean": (dates, rows, columns), "std": the same}), with bands second where there are.
    """
    if frame.bands and Path(path).suffix == ".tif":
        with _banded_tiffs(Path(path), frame, piece) as put:
            yield put
        return
    target = check_field_path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{target.stem}.part{target.suffix}")
    _remove(part)
    how = {".nc": _netcdf, ".zarr": _zarr, ".tif": _tiffs}[target.suffix]
    try:
        with how(part, frame, piece) as put:
            yield put
        if target.suffix == ".tif":
            for name in NAMES:
                _with_name(part, name).replace(_with_name(target, name))
        else:
            _remove(target)
            part.replace(target)
    finally:
        _remove(part)
        for name in NAMES:
            _remove(_with_name(part, name))


@contextmanager
def _banded_tiffs(path: Path, frame: Frame, piece: tuple[int, int]) -> Iterator[Put]:
    """GeoTIFFs of each band."""
    with ExitStack() as stack:
        puts = [
            stack.enter_context(open_field(_with_name(path, name), replace(frame, bands=()), piece))
            for name in frame.bands
        ]

        def put(window: Window, fields: Mapping[str, np.ndarray]) -> None:
            for place, one in enumerate(puts):
                one(window, {name: field[:, place] for name, field in fields.items()})

        yield put


@contextmanager
def _netcdf(part: Path, frame: Frame, piece: tuple[int, int]) -> Iterator[Put]:
    h5netcdf = need("h5netcdf", extra="fusion", purpose="NetCDF")
    coordinates(frame).to_netcdf(part, engine="h5netcdf")
    with h5netcdf.File(part, "a") as file:
        for name in NAMES:
            made = file.create_variable(
                name, frame.dims, np.float64, chunks=_chunks(frame, piece), fillvalue=np.nan
            )
            for key, text in described(frame).items():
                made.attrs[key] = text
        yield _putter(file.variables)


@contextmanager
def _zarr(part: Path, frame: Frame, piece: tuple[int, int]) -> Iterator[Put]:
    zarr = need("zarr", extra="zarr", purpose="Zarr")
    coordinates(frame).to_zarr(part, mode="w", zarr_format=2, consolidated=False)
    group = zarr.open_group(part, mode="a", zarr_format=2)
    made = {
        name: group.create_array(
            name, shape=frame.shape, chunks=_chunks(frame, piece), dtype="float64", fill_value=np.nan
        )
        for name in NAMES
    }
    for array in made.values():
        array.attrs.update(described(frame) | {"_ARRAY_DIMENSIONS": list(frame.dims)})
    yield _putter(made)
    zarr.consolidate_metadata(part, zarr_format=2)


@contextmanager
def _tiffs(part: Path, frame: Frame, piece: tuple[int, int]) -> Iterator[Put]:
    rasterio = need("rasterio", extra="fusion", purpose="GeoTIFF")
    plain = {name: _with_name(part, name).with_suffix(".plain.tif") for name in NAMES}
    a, (dates, rows, columns) = frame.grid.affine, frame.shape
    turned = rasterio.Affine(a[1, 1], a[1, 0], a[1, 2], a[0, 1], a[0, 0], a[0, 2])
    told: dict[str, Any] = {
        "driver": "GTiff", "count": dates, "height": rows, "width": columns, "dtype": "float64",
        "transform": turned, "crs": frame.grid.crs, "nodata": np.nan, "tiled": True, "interleave": "band",
        "bigtiff": "if_safer",
    }  # fmt: skip
    try:
        with warnings.catch_warnings():  # a grid without coordinates is one of pixels, and may be
            warnings.simplefilter("ignore", rasterio.errors.NotGeoreferencedWarning)
            made = {name: rasterio.open(plain[name], "w", **told) for name in NAMES}
        try:
            for file in made.values():
                for band, day in enumerate(frame.days, start=1):
                    file.set_band_description(band, day_text(float(day), frame.dated))

            def put(window: Window, fields: Mapping[str, np.ndarray]) -> None:
                down, across = (slice(*w.indices(n)) for w, n in zip(window, frame.grid.shape, strict=True))
                own = rasterio.windows.Window.from_slices(down, across)
                for name, file in made.items():
                    file.write(fields[name], window=own)

            yield put
        finally:
            for file in made.values():
                file.close()
        for name in NAMES:
            need("rasterio.shutil", extra="fusion", purpose="GeoTIFF").copy(
                plain[name], _with_name(part, name), driver="COG", bigtiff="if_safer"
            )
    finally:
        for path in plain.values():
            path.unlink(missing_ok=True)


def _putter(arrays: Mapping[str, Any]) -> Put:
    def put(window: Window, fields: Mapping[str, np.ndarray]) -> None:
        for name in NAMES:
            arrays[name][(*[slice(None)] * (fields[name].ndim - 2), *window)] = fields[name]

    return put


def write_field(path: str | os.PathLike[str], frame: Frame, mean: np.ndarray, std: np.ndarray) -> Path:
    """Write a field that is in memory; see `open_field`."""
    with open_field(path, frame) as put:
        put(WHOLE, {"mean": mean, "std": std})
    return Path(path)


def read_field(path: Path, frame: Frame) -> Any:
    """Open a written field as an xarray Dataset that reads what it is asked for; GeoTIFFs of bands at once.

    Args:
        path: as it was written.
        frame: where the field lies.

    Raises:
        MissingExtraError: a package is not installed.
    """
    xarray = need("xarray", extra="fusion", purpose="a Dataset")
    if path.suffix == ".zarr":
        return xarray.open_zarr(path, chunks=None)
    if path.suffix == ".nc":
        return xarray.open_dataset(path, engine="h5netcdf")
    if frame.bands:
        each = [read_field(_with_name(path, name), replace(frame, bands=())) for name in frame.bands]
        return xarray.concat(
            each, xarray.IndexVariable("band", list(frame.bands)), combine_attrs="override"
        ).transpose(*frame.dims)
    tiffs = need("rioxarray", extra="fusion", purpose="GeoTIFF")
    found = {name: tiffs.open_rasterio(_with_name(path, name)) for name in NAMES}
    time = coordinates(frame)["time"]
    told = {n: v.rename(band="time").assign_coords(time=time.values) for n, v in found.items()}
    return xarray.Dataset(told, attrs=dict(frame.attributes))


def field_paths(path: Path) -> list[Path]:
    """Return the files that a field is written to; of several bands as GeoTIFFs, those that are there."""
    banded = sorted(path.parent.glob(f"{path.stem}-*-mean.tif")) if path.suffix == ".tif" else []
    if banded:
        return [
            file.with_name(file.name.replace("-mean.tif", f"-{name}.tif"))
            for file in banded
            for name in NAMES
        ]
    return [_with_name(path, name) for name in NAMES] if path.suffix == ".tif" else [path]


def _chunks(frame: Frame, piece: tuple[int, int]) -> tuple[int, ...]:
    dates, *bands, rows, columns = frame.shape
    return min(dates, _DATES), *bands, min(rows, piece[0]), min(columns, piece[1])


def _with_name(path: Path, name: str) -> Path:
    return path.with_name(f"{path.stem}-{name}{path.suffix}")


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
