"""What a sensor saw: values by date and footprint, and what is known of its noise, bias and footprints."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from scalebridge.core.errors import InputError
from scalebridge.core.transfer import Transfer
from scalebridge.core.units import parse_quantity
from scalebridge.fusion.fusion_grid import Grid, axes_grid
from scalebridge.fusion.lazy_arrays import WHOLE, Window, cut, is_lazy
from scalebridge.fusion.quality import quality_fault, quality_noise

BiasKind = Literal["none", "constant", "ar1"]
_TIMES, _ROWS, _COLUMNS = ("time", "date", "t"), ("y", "lat", "latitude"), ("x", "lon", "longitude")
_BANDS = ("band", "bands", "wavelength")
_LARGEST = 1e100
SAME_DATE = 1e-6  # days: steps that are shorter are none


@dataclass(frozen=True)
class Sensor:
    """One sensor of a fusion: y(t) = W field(t) + bias(t) + offset(t) + noise.

    Args:
        name: unique among the sensors.
        data: (dates, rows, columns), NaN where nothing was seen; an xarray DataArray with time, y and x, or
            an array with `dates`. Of stations: (dates, stations) with `points`. What lies in files (xarray,
            Dask, Zarr, h5py, memory maps) is read when it is needed, a window at a time where the fusion is
            written tile by tile. Of several bands: (dates, bands, rows, columns), or a DataArray with `band`.
        dates: of an array: days as numbers, datetime64, or text "2020-10-02".
        y: of an array: coordinates of the rows' centres.
        x: of the columns'.
        crs: coordinate reference system of those.
        footprint: what a value is the mean of. An int or a pair: pixels along rows and columns, nested.
            A `Transfer` from the fine grid. Unless given: from coordinates, by overlap of areas; without
            coordinates the pixels themselves.
        blur: standard deviation of a Gaussian point-spread function beyond the footprint, fine pixels.
        points: (stations, 2), y and x of each.
        noise: standard deviation: a number, an array by row and column or by date, row and column; learnt
            where it is None. A table by `quality`, such as {0: 0.01, 1: 0.03}.
        relative_noise: whether `noise` is up to a common factor, which is learnt.
        tails: degrees of freedom of the noise, above 2, where it is Student's t and not normal: single values
            far off then count for less.
        bias: "none", "constant" (a number for each footprint), "ar1" (a drifting one).
        offset: whether each date has an offset of its own that all values share.
        mask: where a value is to be used; its array has the shape of the data.
        quality: whole numbers, a quality band of the shape of the data (or without its bands); values whose
            quality `noise` does not name are not used.
        unit: unit of the values; the same for all sensors, or one that can be converted.
        bands: of a field of several bands, what is seen: a name; names, one for each of the data's second
            axis, each with noise, bias and offset of its own; or weights by name, {"red": 0.4, "nir": 0.6},
            of a spectral response. A DataArray's `band` says it too.

    Raises:
        InputError: an array of other axes, values that are not numbers, dates twice, negative noise, ...

    Example:
        >>> seen = Sensor("survey", np.ones((2, 4, 4)), dates=[0, 7], noise=0.1)
        >>> seen.values.shape, seen.days.tolist()
        ((2, 4, 4), [0.0, 7.0])
    """

    name: str
    data: Any
    dates: Sequence[Any] | np.ndarray | None = None
    y: Any = None
    x: Any = None
    crs: str | None = None
    footprint: int | tuple[int, int] | Transfer | None = None
    blur: float | None = None
    points: Any = None
    noise: Any = None
    relative_noise: bool = False
    tails: float | None = None
    bias: BiasKind = "none"
    offset: bool = False
    mask: Any = None
    unit: str = "1"
    bands: str | Sequence[str] | Mapping[str, float] | None = None
    quality: Any = None

    def __post_init__(self):
        if not isinstance(self.name, str) or not self.name.strip():
            raise self.refusal("name", repr(self.name), "text", "name the sensor")
        _check_bands(self)
        shape = _shape(self)
        days, dated = _days(self)
        _check_shape(self, shape)
        _check_dates(self, days, shape[0])
        _check_options(self, shape)
        for name, found in (("shape", shape), ("days", days), ("dated", dated)):
            object.__setattr__(self, f"_{name}", found)
        if not is_lazy(self.data):
            self._whole()

    def window(self, rows: slice, columns: slice) -> tuple[np.ndarray, np.ndarray | None]:
        """Read and check the values of a window, and the standard deviation of their noise, None if learnt.

        Args:
            rows: of its own pixels.
            columns: the same.

        Raises:
            InputError: values or noise that cannot be.
        """
        return _read(self, (rows, columns))

    def _whole(self) -> tuple[np.ndarray, np.ndarray | None]:
        """All values and their noise, read once."""
        if "_read" not in self.__dict__:
            found = _read(self, WHOLE)
            if not np.isfinite(found[0]).any():
                raise self.refusal("data", "no value at all", "at least one", "leave this sensor out")
            object.__setattr__(self, "_read", found)
        return self.__dict__["_read"]

    @property
    def shape(self) -> tuple[int, ...]:
        """(dates, rows, columns) or (dates, stations); known before anything is read."""
        return self.__dict__["_shape"]

    @property
    def values(self) -> np.ndarray:
        """(dates, rows, columns) or (dates, stations), NaN where nothing is to be used."""
        return self._whole()[0]

    @property
    def days(self) -> np.ndarray:
        """(dates,), days; since 1970 where dates are dates."""
        return self.__dict__["_days"]

    @property
    def dated(self) -> bool:
        """Whether its dates are dates, not numbers."""
        return self.__dict__["_dated"]

    @property
    def scale(self) -> np.ndarray | None:
        """Standard deviation of the noise of every value, None where it is learnt alone."""
        return self._whole()[1]

    @property
    def grid(self) -> Grid | None:
        """Where its pixels lie, None where that is not known."""
        y, x = self.axis("y"), self.axis("x")
        if self.points is not None or y is None or x is None:
            return None
        return axes_grid(y, x, self.system, f"sensor '{self.name}'")

    @property
    def several(self) -> tuple[str, ...] | None:
        """Names of the bands along the data's second axis, None where it has no such axis."""
        if self.bands is None:
            return _band_axis(self.data)
        return None if isinstance(self.bands, str | Mapping) else tuple(str(b) for b in self.bands)

    @property
    def response(self) -> Mapping[str, float] | None:
        """Weight of each band in a value; None where bands are not named, or are along an axis."""
        if isinstance(self.bands, Mapping):
            return self.bands
        return {self.bands: 1.0} if isinstance(self.bands, str) else None

    @property
    def stamps(self) -> Any:
        """Its dates as they were given."""
        return _axis(self, _TIMES, None) if self.dates is None else self.dates

    @property
    def system(self) -> str | None:
        """Its coordinate reference system."""
        return self.crs or _crs_of(self.data)

    def axis(self, name: Literal["y", "x"]) -> np.ndarray | None:
        """Return coordinates of rows or columns, None where they are not known."""
        return _axis(self, _ROWS, self.y) if name == "y" else _axis(self, _COLUMNS, self.x)

    def refusal(self, argument: str, got: object, wanted: str, cure: str) -> InputError:
        """Return a refusal that names the sensor."""
        return InputError(f"sensor '{self.name}', {argument}", got=got, wanted=wanted, cure=cure)

    def factor_to(self, unit: str) -> float:
        """Return by what its values are multiplied to be in another unit.

        Raises:
            UnitError: there is no such conversion.
        """
        if unit == self.unit:
            return 1.0
        return parse_quantity(f"1 {self.unit}", unit, f"sensor '{self.name}', unit")


def _ordered(sensor: Sensor) -> Any:
    """The data with the axes in order, not read yet."""
    data = sensor.data
    if hasattr(data, "dims") and hasattr(data, "transpose"):
        dims = [str(d) for d in data.dims]
        several = sensor.several is not None
        axes = (_TIMES, _BANDS, _ROWS, _COLUMNS) if several else (_TIMES, _ROWS, _COLUMNS)
        order = [next((d for d in dims if d in names), None) for names in axes]
        if None in order or len(dims) != len(axes):
            wanted = f"time, {'band, ' if several else ''}y and x"
            raise sensor.refusal("data", f"dimensions {', '.join(dims)}", wanted, "rename or select")
        return data.transpose(*order)
    return data


def _band_axis(data: Any) -> tuple[str, ...] | None:
    """Bands of a DataArray that has such a dimension."""
    dims = [str(d) for d in getattr(data, "dims", ())]
    name = next((d for d in dims if d in _BANDS), None)
    if name is None or len(dims) < 4:
        return None
    coords = getattr(data, "coords", {})
    count = int(data.shape[dims.index(name)])
    return tuple(str(b) for b in (coords[name].values if name in coords else range(1, count + 1)))


def _check_bands(sensor: Sensor) -> None:
    """Refuse bands that are not names or weights."""
    several, response = sensor.several, sensor.response
    if several is not None and (not several or len(set(several)) < len(several)):
        got = ", ".join(several) or "none"
        raise sensor.refusal("bands", got, "different names, one for each band", "rename one")
    if response is None:
        return
    weights = list(response.values())
    fine = all(isinstance(w, int | float) and not isinstance(w, bool) and np.isfinite(w) for w in weights)
    if not weights or not fine or not any(weights) or abs(sum(weights)) < 1e-12:
        got, wanted = repr(dict(response)), "weights that do not add up to zero"
        raise sensor.refusal("bands", got, wanted, "write for example {'red': 0.4, 'nir': 0.6}")


def _shape(sensor: Sensor) -> tuple[int, ...]:
    data = _ordered(sensor)
    if not hasattr(data, "shape"):
        try:
            data = np.array(data, dtype=float)
        except (TypeError, ValueError) as error:
            raise _not_numbers(sensor) from error
    return tuple(int(n) for n in data.shape)


def _not_numbers(sensor: Sensor) -> InputError:
    return sensor.refusal("data", type(sensor.data).__name__, "an array of numbers", "convert it")


def _read(sensor: Sensor, window: Window) -> tuple[np.ndarray, np.ndarray | None]:
    """Values where they are to be used, and their noise."""
    part = WHOLE if sensor.points is not None else window
    data = cut(_ordered(sensor), part)
    if np.iscomplexobj(data):
        raise sensor.refusal("data", "complex numbers", "real ones", "pass their size, or parts as sensors")
    try:
        values = np.array(data, dtype=float)
    except (TypeError, ValueError) as error:
        raise _not_numbers(sensor) from error
    if sensor.mask is not None:
        values = np.where(cut(sensor.mask, part), values, np.nan)
    noise = None if sensor.noise is None or sensor.quality is not None else cut(sensor.noise, part)
    if sensor.quality is not None and isinstance(sensor.noise, Mapping):
        noise = quality_noise(cut(sensor.quality, part), sensor.noise)
        noise = noise[:, None] if sensor.several is not None and noise.ndim == 3 else noise
        values = np.where(np.isfinite(noise), values, np.nan)
    _check_values(sensor, values)
    return values, _noise(sensor, values, noise)


def _check_values(sensor: Sensor, values: np.ndarray) -> None:
    if np.isinf(values).any():
        raise sensor.refusal("data", "infinite values", "numbers, NaN where nothing was seen", "mask them")
    largest = float(np.nanmax(np.abs(values), initial=0.0))
    if largest > _LARGEST:
        wanted = f"at most {_LARGEST:g}, because values are squared"
        raise sensor.refusal("data", f"a value of {largest:g}", wanted, "mask it, or take another unit")


def _days(sensor: Sensor) -> tuple[np.ndarray, bool]:
    given = sensor.dates
    if given is None:
        given = _axis(sensor, _TIMES, None)
    if given is None:
        raise sensor.refusal(
            "dates", "nothing", "the date of each image", "pass dates=, or a DataArray with time"
        )
    array = np.asarray(given)
    wanted = "dates such as '2020-10-02', or numbers"
    if array.dtype.kind in "UOM":
        try:
            stamps = array.astype("datetime64[s]")
        except ValueError as error:
            raise sensor.refusal("dates", repr(array.flat[0]), wanted, "correct them") from error
        if np.isnat(stamps).any():
            raise sensor.refusal("dates", "NaT", wanted, "leave images without a date out")
        return stamps.astype(np.int64) / 86400.0, True
    return array.astype(float), False


def _axis(sensor: Sensor, names: tuple[str, ...], given: Any) -> Any:
    if given is not None:
        return np.asarray(given, dtype=float)
    coords = getattr(sensor.data, "coords", {})
    return next((coords[name].values for name in names if name in coords), None)


def _crs_of(data: Any) -> str | None:
    """The coordinate reference system of a DataArray: its attribute, or the one that rioxarray left."""
    reference = getattr(data, "coords", {}).get("spatial_ref") if hasattr(data, "coords") else None
    told = getattr(data, "attrs", {}).get("crs") or (
        reference.attrs.get("crs_wkt") if reference is not None else None
    )
    return None if told is None else str(told)


def _check_shape(sensor: Sensor, shape: tuple[int, ...]) -> None:
    several = sensor.several
    axes = ["dates", *(["bands"] if several else []), *(["stations"] if sensor.points is not None else
            ["rows", "columns"])]  # fmt: skip
    if len(shape) != len(axes) or 0 in shape:
        raise sensor.refusal("data", f"shape {shape}", f"({', '.join(axes)})", "add or drop an axis")
    if several and shape[1] != len(several):
        got, wanted = f"{shape[1]} along the second axis", f"{len(several)}, one for each of the bands"
        raise sensor.refusal("data", got, wanted, "name each band once")
    if sensor.points is not None:
        points = np.asarray(sensor.points, dtype=float)
        if points.shape != (shape[-1], 2) or not np.isfinite(points).all():
            got = f"shape {points.shape}"
            raise sensor.refusal("points", got, f"({shape[-1]}, 2): y and x of each station", "correct them")
    for name, axis, length in (("y", sensor.y, shape[-2]), ("x", sensor.x, shape[-1])):
        if axis is not None and len(axis) != length:
            raise sensor.refusal(name, f"{len(axis)} numbers", f"{length}, one for each pixel", "correct it")


def _check_dates(sensor: Sensor, days: np.ndarray, count: int) -> None:
    if days.shape != (count,) or not np.isfinite(days).all():
        raise sensor.refusal("dates", f"{days.size} dates", f"{count}, one an image", "correct dates")
    order, apart = np.diff(days), np.diff(np.sort(days))
    if (apart < SAME_DATE).any():
        first = int(np.flatnonzero(apart < SAME_DATE)[0])
        cure = "average the images of a date, or give them times"
        raise sensor.refusal("dates", f"day {np.sort(days)[first]:g} twice", "each date once", cure)
    if (order < 0).any():
        raise sensor.refusal(
            "dates", "an earlier date after a later", "dates in order", "sort the images by date"
        )


def _check_mask(sensor: Sensor, shape: tuple[int, ...]) -> None:
    mask = sensor.mask if hasattr(sensor.mask, "shape") else np.asarray(sensor.mask)
    if mask.dtype != bool or tuple(mask.shape) not in (shape, shape[1:]):
        got = f"{mask.dtype} of shape {tuple(mask.shape)}"
        raise sensor.refusal("mask", got, f"true and false of shape {shape}", "say which values are used")


def _noise(sensor: Sensor, values: np.ndarray, given: np.ndarray | None) -> np.ndarray | None:
    if given is None:
        return None
    noise = np.asarray(given, dtype=float)
    if sensor.several is not None and noise.ndim == 1:  # a number for each band
        noise = noise.reshape(-1, *[1] * (values.ndim - 2))
    try:
        spread = np.array(np.broadcast_to(noise, values.shape))
    except ValueError as error:
        wanted = f"a number, or an array that fits {sensor.shape}"
        raise sensor.refusal("noise", f"shape {noise.shape}", wanted, "correct it") from error
    used = spread[np.isfinite(values)]
    if not np.isfinite(used).all() or (used <= 0).any() or not (used**2 > 0).all():
        wanted = "positive standard deviations wherever there is a value"
        got = f"{np.min(np.nan_to_num(used)):g}"
        raise sensor.refusal("noise", got, wanted, "mask the values, or correct their noise")
    return spread


def _check_options(sensor: Sensor, shape: tuple[int, ...]) -> None:
    if sensor.mask is not None:
        _check_mask(sensor, shape)
    if sensor.quality is not None or isinstance(sensor.noise, Mapping):
        shapes = [shape, shape[1:], *([(shape[0], *shape[2:])] if sensor.several is not None else [])]
        fault = quality_fault(sensor.quality, sensor.noise, shapes)
        if fault is not None:
            raise sensor.refusal("quality", *fault)
    if sensor.bias not in ("none", "constant", "ar1"):
        raise sensor.refusal("bias", repr(sensor.bias), "'none', 'constant' or 'ar1'", "choose one of them")
    if sensor.relative_noise and sensor.noise is None:
        raise sensor.refusal("relative_noise", "no noise", "an array of relative noise", "pass noise=")
    if sensor.tails is not None and not (np.isfinite(sensor.tails) and sensor.tails > 2):
        raise sensor.refusal("tails", repr(sensor.tails), "a number above 2", "leave it out for normal noise")
    if sensor.blur is not None and not (np.isfinite(sensor.blur) and sensor.blur > 0):
        raise sensor.refusal(
            "blur", repr(sensor.blur), "a positive number of pixels", "leave it out for none"
        )
