"""Sensors brought to one grid, one unit and one list of dates."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, SupportsIndex

import numpy as np
import scipy.sparse as sp

from scalebridge.core.errors import InputError
from scalebridge.core.transfer import Transfer
from scalebridge.fusion.bands import (
    Band,
    band_names,
    banded_classes,
    describe_bands,
    response_of,
    split_bands,
)
from scalebridge.fusion.fusion_grid import Grid, footprint_corners, index_grid
from scalebridge.fusion.fusion_model import FusionModel, Parameter, Scales, part_parameters, settle
from scalebridge.fusion.sensor_headers import all_days, checked_sensors, finest_sensor, nested_footprint
from scalebridge.fusion.sensors import Sensor
from scalebridge.fusion.stations import pixels_of, station_image
from scalebridge.grids.footprints import WeightedFootprint, blur_weights, overlap_weights
from scalebridge.grids.transfers import BlockAverage

_SMALLEST = 1e-100


@dataclass(frozen=True)
class Observed:
    """What a sensor saw, on the dates of the problem.

    Args:
        name: the sensor.
        values: (dates, rows), less the centre; NaN where nothing was seen.
        scale: (dates, rows), variance of the noise: as it is where it is known, else in units of the
            sensor's.
        footprint: from the fine field to the rows.
        factor: pixels of a nested footprint along rows and columns; None where they are not nested.
        bias: "none", "constant" or "ar1".
        offset: whether each date has one.
        learn_noise: whether the noise has a parameter.
        shape: of an image, rows and columns; (stations,).
        tails: degrees of freedom of Student's noise; None for normal noise.
        weight: (dates, rows), of every observation with heavy-tailed noise, once it is found.
        response: weight of each band of the field in a value; (1,) where the field has no bands.
        scene: the sensor that this is one band of; its own name where it is not.
        outside: how many of its footprints or stations do not lie on the grid, and are not used.
    """

    name: str
    values: np.ndarray
    scale: np.ndarray
    footprint: Transfer
    factor: tuple[int, int] | None
    bias: str
    offset: bool
    learn_noise: bool
    shape: tuple[int, ...]
    tails: float | None = None
    weight: np.ndarray | None = None
    response: tuple[float, ...] = (1.0,)
    scene: str = ""
    outside: int = 0

    @property
    def alone(self) -> int | None:
        """Position of the band that it sees alone and as it is, None where it sees several."""
        seen = np.flatnonzero(self.response)
        return int(seen[0]) if len(seen) == 1 and self.response[seen[0]] == 1.0 else None

    @property
    def sees(self) -> sp.csr_matrix:
        """Footprint and response as a matrix, (rows, bands * pixels)."""
        return sp.csr_matrix(sp.kron(np.array(self.response)[None], self.weights))

    def named(self, name: str) -> bool:
        """Whether this is the sensor of a name, or one of its bands."""
        return name in (self.name, self.scene)

    @property
    def noise_scale(self) -> np.ndarray:
        """The scale that each observation counts with."""
        return self.scale if self.weight is None else self.scale / self.weight

    @property
    def weights(self) -> sp.csr_matrix:
        """The footprint as a matrix, (rows, pixels)."""
        if isinstance(self.footprint, WeightedFootprint):
            return self.footprint.weights
        return transfer_weights(self.footprint)


@dataclass(frozen=True)
class Problem:
    """Everything that is to be fused.

    Args:
        grid: of the fine field.
        days: (dates,), of the fused field.
        dated: whether they are dates.
        observed: what the sensors saw.
        model: of the field.
        covariates: by name, (dates, pixels).
        classes: (pixels,), position of each pixel's class among `labels`; band by band where there are bands.
        labels: of the classes and bands; empty for one class.
        centre: what was taken off all values of a field without bands.
        scales: sizes for the priors.
        unit: of the values.
        shared: the coefficients, where they are those of a larger problem that this one is a part of.
        bands: of the field; empty for a field without.
    """

    grid: Grid
    days: np.ndarray
    dated: bool
    observed: tuple[Observed, ...]
    model: FusionModel
    covariates: Mapping[str, np.ndarray]
    classes: np.ndarray
    labels: tuple[int | str, ...]
    centre: float
    scales: Scales
    unit: str
    shared: tuple[tuple[str, float | str], ...] | None = None
    bands: tuple[Band, ...] = ()

    @property
    def band_names(self) -> tuple[str, ...]:
        """Names of the bands."""
        return tuple(band.name for band in self.bands)

    @property
    def field_shape(self) -> tuple[int, ...]:
        """Shape of the field on one date: rows and columns, and bands before them."""
        return (*([len(self.bands)] if self.bands else []), *self.grid.shape)

    @property
    def pixels(self) -> int:
        """Numbers that the field has on one date."""
        return len(self.classes)

    @property
    def level(self) -> float | np.ndarray:
        """What was taken off the field, by band where there are bands."""
        return np.array([b.centre for b in self.bands])[:, None, None] if self.bands else self.centre

    def level_of(self, observed: Observed) -> float:
        """Return what was taken off the values of a sensor."""
        return _weighted(observed.response, [b.centre for b in self.bands] or [self.centre])

    def _spread_of(self, observed: Observed) -> float:
        """By which the priors of a sensor are set."""
        return _weighted(np.abs(observed.response), [b.spread for b in self.bands] or [self.scales.spread])

    @property
    def block(self) -> tuple[int, int] | None:
        """Pixels of the footprints that partition the grid, None where there are none."""
        return partition([o.factor for o in self.observed])

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """All parameters, with their priors."""
        found: dict[str, tuple[float, float]] = {}
        known: list[Parameter] = []
        for o in self.observed:
            if o.learn_noise:
                seen = o.scale[np.isfinite(o.values)]
                start = 1.0 if len(seen) and seen.std() > 0 else self._spread_of(o) / 10
                found[f"{o.name} noise"] = (start, 5.0)
            else:
                known.append(Parameter(f"{o.name} noise", 1.0))
            if o.bias != "none":
                found[f"{o.name} bias std"] = (self._spread_of(o) / 4, 5.0)
            if o.bias == "ar1":
                found[f"{o.name} bias time"] = (max(self.scales.span / 3, 1.0), 5.0)
            if o.offset:
                found[f"{o.name} offset"] = (self._spread_of(o) / 10, 5.0)
        size = {f"{b.name}": b.spread / self.scales.spread for b in self.bands}
        sizes = [s for s in size.values() for _ in range(len(self.labels) // max(len(size), 1))]
        parts = part_parameters(self.model, self.scales, self.labels, sizes, self.band_names)
        every = [*parts, *settle(found, self.model), *known]
        unknown = (set(self.model.parameters) | set(self.model.priors)) - {p.name for p in every}
        if unknown:
            names = ", ".join(p.name for p in every)
            raise InputError(
                "model",
                got=f"the parameter {sorted(unknown)[0]!r}",
                wanted=f"one of {names}",
                cure="correct it",
            )
        return tuple(every)

    @property
    def coefficients(self) -> list[tuple[str, float | str]]:
        """Regression coefficients by name, each with its prior: a deviation, or a parameter's name."""
        if self.shared is not None:
            return list(self.shared)
        found: list[tuple[str, float | str]] = []
        sizes = [(f" {b.name}", b.spread) for b in self.bands] or [("", self.scales.spread)]
        for name, z in [("mean", np.ones(1)), *self.covariates.items()]:
            size = 1.0 if name == "mean" else max(float(np.std(z)), 1e-12)
            found += [
                (f"{name}{band}", (self.model.mean_std or 10.0 * spread) / size) for band, spread in sizes
            ]
        for o in self.observed:
            if o.bias != "none":
                found.append((f"{o.name} bias", self.model.mean_std or 10.0 * self._spread_of(o)))
            if o.offset:
                dates = np.flatnonzero(np.isfinite(o.values).any(axis=1))
                found += [(f"{o.name} offset {self.date_text(t)}", f"{o.name} offset") for t in dates]
        return found

    def date_text(self, place: SupportsIndex) -> str:
        """Return a date as text."""
        return day_text(float(self.days[place]), self.dated)

    def without(self, name: str, place: int) -> "Problem":
        """Return the problem without what a sensor saw on one date, all its bands or the named one."""
        changed = []
        for o in self.observed:
            values = o.values
            if o.named(name):
                values = values.copy()
                values[place] = np.nan
            changed.append(replace(o, values=values))
        return replace(self, observed=tuple(changed))


def _weighted(weights: Any, values: Sequence[float]) -> float:
    return float(np.dot(weights, values))


def partition(factors: Sequence[tuple[int, int] | None]) -> tuple[int, int] | None:
    """Return the largest footprint, if all others fit into it; None where they do not partition the grid.

    Example:
        >>> partition([(1, 1), (6, 6), (3, 2)]), partition([(4, 4), (6, 6)])
        ((6, 6), None)
    """
    found = [f for f in factors if f is not None]
    largest = max(found, key=lambda f: f[0] * f[1], default=(1, 1))
    nested = all(largest[0] % f[0] == 0 and largest[1] % f[1] == 0 for f in found)
    return largest if nested and len(found) == len(factors) else None


def day_text(day: float, dated: bool) -> str:
    """Return a day as text.

    Example:
        >>> day_text(18537.0, True), day_text(3.5, False)
        ('2020-10-02', '3.5')
    """
    if not dated:
        return f"{day:g}"
    moment = np.datetime64(round(day * 86400), "s")
    return str(moment.astype("datetime64[D]")) if day % 1 == 0 else str(moment)


def transfer_weights(footprint: Transfer) -> sp.csr_matrix:
    """Return any footprint as a matrix, by restricting every pixel; block averages directly."""
    if isinstance(footprint, BlockAverage):
        parts = [
            sp.kron(sp.identity(n // f), np.full((1, f), 1.0 / f))
            for n, f in zip(footprint.shape, footprint.factor, strict=True)
        ]
        return sp.csr_matrix(sp.kron(*parts))
    pixels = int(np.prod(footprint.fine_shape))
    columns = np.eye(pixels).reshape(pixels, *footprint.fine_shape)
    return sp.csr_matrix(np.stack([np.ravel(footprint.restrict(c)) for c in columns], axis=1))


def gather(
    sensors: Sensor | Sequence[Sensor],
    model: FusionModel,
    dates: Any = None,
    covariates: Mapping[str, Any] | None = None,
    classes: Any = None,
) -> Problem:
    """Bring sensors to one grid, one unit and one list of dates; refuse what does not fit.

    Raises:
        InputError: no sensor of pixels, dates and numbers mixed, footprints off the grid, other systems, ...
    """
    pairs = split_bands(checked_sensors(sensors))
    sensors = checked_sensors([sensor for sensor, _ in pairs])
    finest = finest_sensor(sensors)
    grid = finest.grid or index_grid((finest.shape[1], finest.shape[2]))
    days = all_days(sensors, dates)
    values = {s.name: s.values * s.factor_to(finest.unit) for s in sensors}
    names = band_names([seen for _, seen in pairs])
    responses = {seen.name: response_of(seen, names) for _, seen in pairs}
    bands = describe_bands(responses, values, names)
    centre = 0.0 if bands else float(np.nanmean(values[finest.name]))
    spread = band_spread(bands) or float(np.nanstd(values[finest.name])) or 1.0
    if spread < _SMALLEST:
        wanted, cure = f"at least {_SMALLEST:g}, because values are squared", "take another unit"
        raise finest.refusal("data", f"values that differ by {spread:g}", wanted, cure)
    observed = []
    for sensor, seen in pairs:
        level = _weighted(responses[seen.name], [b.centre for b in bands] or [centre])
        own = _observe(sensor, finest, grid, values[sensor.name], days, level)
        observed.append(replace(own, response=responses[seen.name], scene=seen.scene))
    place, labels = class_places(classes, grid.shape)
    if names:
        place, labels = banded_classes(place, labels, names)
    told = covariate_arrays(covariates, days, grid.shape, grid.shape[0] * grid.shape[1])
    scales = scales_of(grid, days, finest, [o.factor for o in observed], spread)
    return Problem(
        grid, days, finest.dated, tuple(observed), model, told, place, labels, centre, scales, finest.unit,
        bands=bands,
    )  # fmt: skip


def band_spread(bands: Sequence[Band]) -> float:
    """Return the root mean square of the bands' spreads; zero where there are none."""
    return float(np.sqrt(np.mean([b.spread**2 for b in bands]))) if bands else 0.0


def scales_of(
    grid: Grid, days: np.ndarray, finest: Sensor, factors: Sequence[tuple[int, int] | None], spread: float
) -> Scales:
    """Return the sizes by which priors are set.

    Args:
        grid: of the field.
        days: of the field.
        finest: the sensor on the fine grid.
        factors: pixels of each sensor's footprints, where they are nested.
        spread: standard deviation of the finest data.
    """
    edge = max((np.sqrt(np.prod(f)) for f in factors if f), default=1.0) * grid.edge
    gap = float(np.median(np.diff(finest.days))) if len(finest.days) > 1 else 1.0
    return Scales(spread, max(float(days[-1] - days[0]), 1.0), gap, float(edge), grid.edge)


def _observe(
    sensor: Sensor, finest: Sensor, grid: Grid, values: np.ndarray, days: np.ndarray, centre: float
) -> Observed:
    if sensor.points is not None and sensor.bias == "none":
        return _stations_on_pixels(sensor, finest, grid, values, days, centre)
    footprint, factor, kept = _footprint(sensor, finest, grid, values)
    flat = values.reshape(len(values), -1)[:, kept]
    scale = np.ones_like(flat)
    if sensor.scale is not None:
        unit = sensor.factor_to(finest.unit)
        scale = (unit * sensor.scale.reshape(len(values), -1)[:, kept]) ** 2
    spread, wide = np.full((len(days), flat.shape[1]), np.nan), np.ones((len(days), flat.shape[1]))
    at = np.searchsorted(days, sensor.days)
    spread[at], wide[at] = flat - centre, np.where(np.isfinite(flat), scale, 1.0)
    shape = sensor.values.shape[1:] if kept.all() else (int(kept.sum()),)
    learn = sensor.noise is None or sensor.relative_noise
    return Observed(
        sensor.name, spread, wide, footprint, factor, sensor.bias, sensor.offset, learn, shape, sensor.tails,
        outside=int((~kept).sum()),
    )  # fmt: skip


def _footprint(
    sensor: Sensor, finest: Sensor, grid: Grid, values: np.ndarray
) -> tuple[Transfer, tuple[int, int] | None, np.ndarray]:
    """Return the footprint, its factor where nested, and which values have one on the grid."""
    every = np.ones(int(np.prod(values.shape[1:])), dtype=bool)
    if sensor.points is not None:
        return _stations(sensor, grid)
    if isinstance(sensor.footprint, Transfer):
        return _own_transfer(sensor, grid, values), None, every
    factor = nested_footprint(sensor, finest, grid)
    if factor is not None and sensor.blur is None:
        return BlockAverage(grid.shape, factor), factor, every
    if factor is not None:
        weights = transfer_weights(BlockAverage(grid.shape, factor))
    else:
        weights = _overlaps(sensor, grid)
    if sensor.blur is not None:
        weights = blur_weights(weights, grid.shape, sensor.blur)
    kept = np.diff(weights.indptr) > 0
    _refuse_outside(sensor, kept, values)
    whole = kept.all()
    return WeightedFootprint(weights[kept], grid.shape, values.shape[1:] if whole else None), None, kept


def _overlaps(sensor: Sensor, grid: Grid) -> sp.csr_matrix:
    own = sensor.grid
    if own is None:
        raise sensor.refusal(
            "footprint", "nothing", "how many pixels a value covers", "pass footprint=, or y and x"
        )
    if (own.crs is None) != (grid.crs is None):
        cure = "name the system of all sensors, or of none"
        raise sensor.refusal("crs", repr(own.crs), f"a system as the fine grid has ({grid.crs!r})", cure)
    return overlap_weights(footprint_corners(grid, own), grid.shape)


def _refuse_outside(sensor: Sensor, kept: np.ndarray, values: np.ndarray) -> None:
    if not kept.any():
        wanted = "footprints on the fine grid"
        cure = "check coordinates and crs; the grids do not overlap"
        raise sensor.refusal("footprint", "none that lies on the fine grid", wanted, cure)
    if not np.isfinite(values.reshape(len(values), -1)[:, kept]).any():
        wanted = "at least one value on the fine grid"
        raise sensor.refusal("data", "no value on the fine grid", wanted, "leave this sensor out")


def _own_transfer(sensor: Sensor, grid: Grid, values: np.ndarray) -> Transfer:
    footprint = sensor.footprint
    assert isinstance(footprint, Transfer)  # noqa: S101
    if footprint.fine_shape != grid.shape or tuple(footprint.coarse_shape) != values.shape[1:]:
        got = f"a transfer from {footprint.fine_shape} to {footprint.coarse_shape}"
        raise sensor.refusal(
            "footprint", got, f"one from {grid.shape} to {values.shape[1:]}", "make it for these"
        )
    return footprint


def _stations(sensor: Sensor, grid: Grid) -> tuple[Transfer, None, np.ndarray]:
    at, kept = pixels_of(sensor, grid)
    _refuse_outside(sensor, kept, sensor.values)
    pixel = at[kept]
    rows = np.arange(len(pixel))
    weights = sp.csr_matrix((np.ones(len(pixel)), (rows, pixel)), (len(pixel), grid.shape[0] * grid.shape[1]))
    return WeightedFootprint(weights, grid.shape), None, kept


def _stations_on_pixels(
    sensor: Sensor, finest: Sensor, grid: Grid, values: np.ndarray, days: np.ndarray, centre: float
) -> Observed:
    """Stations as an image with gaps."""
    kept = pixels_of(sensor, grid)[1]
    _refuse_outside(sensor, kept, values)
    mean, scale = station_image(sensor, grid, sensor.factor_to(finest.unit))
    wide, told = np.ones((len(days), mean.shape[1])), np.full((len(days), mean.shape[1]), np.nan)
    at = np.searchsorted(days, sensor.days)
    told[at], wide[at] = mean - centre, scale
    learn = sensor.noise is None or sensor.relative_noise
    identity = BlockAverage(grid.shape, (1, 1))
    return Observed(
        sensor.name, told, wide, identity, (1, 1), "none", sensor.offset, learn, grid.shape, sensor.tails,
        outside=int((~kept).sum()),
    )  # fmt: skip


def class_places(classes: Any, shape: tuple[int, int]) -> tuple[np.ndarray, tuple[int | str, ...]]:
    """Return the position of each pixel's class among the labels, and the labels."""
    if classes is None:
        return np.zeros(shape[0] * shape[1], dtype=np.int64), ()
    given = np.asarray(classes)
    if given.shape != shape or given.dtype.kind not in "iub":
        got = f"{given.dtype} of shape {given.shape}"
        raise InputError(
            "classes", got=got, wanted=f"whole numbers of shape {shape}", cure="give every pixel a label"
        )
    labels, place = np.unique(given, return_inverse=True)
    return place.ravel(), tuple(int(label) for label in labels)


def covariate_arrays(
    given: Mapping[str, Any] | None, days: np.ndarray, shape: tuple[int, int], pixels: int
) -> dict[str, np.ndarray]:
    """Return covariates by date and pixel; refuse other shapes, and gaps."""
    found = {}
    for name, values in (given or {}).items():
        if (
            not isinstance(name, str)
            or name.split(" ")[0] == "mean"
            or {"bias", "offset"} & set(name.split())
        ):
            wanted, cure = "a name without 'mean', 'bias' and 'offset', which are coefficients", "rename it"
            raise InputError("covariates", got=repr(name), wanted=wanted, cure=cure)
        array = np.asarray(values, dtype=float)
        if array.shape == (len(days),):
            array = array[:, None]
        elif array.shape == shape:
            array = array.reshape(1, pixels)
        elif array.shape == (len(days), *shape):
            array = array.reshape(len(days), pixels)
        else:
            wanted = f"shape ({len(days)},), {shape} or {(len(days), *shape)}"
            cure = "give it for every date or every pixel; dates are those of all sensors together"
            raise InputError(f"covariates[{name!r}]", got=f"shape {array.shape}", wanted=wanted, cure=cure)
        if not np.isfinite(array).all():
            cure = "fill it"
            raise InputError(f"covariates[{name!r}]", got="gaps", wanted="a number everywhere", cure=cure)
        found[name] = np.array(np.broadcast_to(array, (len(days), pixels)))
    return found
