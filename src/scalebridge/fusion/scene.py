"""A scene that need not fit into memory: sensors that are read a window at a time, footprints kept whole."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from scalebridge.core.errors import InputError
from scalebridge.fusion.bands import (
    Band,
    Seen,
    band_names,
    banded_classes,
    describe_bands,
    response_of,
    seen_bands,
    split_bands,
)
from scalebridge.fusion.fusion_grid import Grid, index_grid
from scalebridge.fusion.fusion_model import FusionModel, Scales
from scalebridge.fusion.fusion_problem import (
    Observed,
    Problem,
    band_spread,
    class_places,
    covariate_arrays,
    partition,
    scales_of,
)
from scalebridge.fusion.lazy_arrays import Window, cut
from scalebridge.fusion.sensor_headers import all_days, checked_sensors, finest_sensor, nested_footprint
from scalebridge.fusion.sensors import Sensor
from scalebridge.fusion.stations import pixels_of, station_image
from scalebridge.grids.transfers import BlockAverage


@dataclass(frozen=True)
class Scene:
    """Sensors whose footprints partition one grid; none of their values has been read.

    Args:
        sensors: the sensors.
        finest: the one on the fine grid.
        grid: of the field.
        days: (dates,), of the field.
        model: of the field.
        factors: pixels of a footprint, by sensor.
        block: pixels of the footprints that partition the grid.
        covariates: by name, as `fuse` takes them.
        classes: (rows, columns), position of each pixel's class among the labels, or None.
        labels: of the classes.
        bands: names of the field's bands; empty for a field without.
    """

    sensors: tuple[Sensor, ...]
    finest: Sensor
    grid: Grid
    days: np.ndarray
    model: FusionModel
    factors: Mapping[str, tuple[int, int]]
    block: tuple[int, int]
    covariates: Mapping[str, np.ndarray]
    classes: np.ndarray | None
    labels: tuple[int | str, ...]
    bands: tuple[str, ...] = ()

    @property
    def seen(self) -> list[tuple[Sensor, Seen]]:
        """What is seen of the field, band by band, and by whom."""
        return [(sensor, seen) for sensor in self.sensors for seen in seen_bands(sensor)]

    def tiles(self, edge: int) -> list[Window]:
        """Return windows of some `edge` pixels of whole footprints, row by row.

        Example:
            >>> from scalebridge.fusion.sensors import Sensor
            >>> scene = make_scene(Sensor("survey", np.ones((1, 2, 5)), [0]), FusionModel())
            >>> [(w[1].start, w[1].stop) for w in scene.tiles(2)]
            [(0, 2), (2, 4), (4, 5)]
        """
        steps = [-(-edge // b) * b for b in self.block]
        rows, columns = (
            [slice(a, min(a + step, n)) for a in range(0, n, step)]
            for n, step in zip(self.grid.shape, steps, strict=True)
        )
        return [(down, across) for down in rows for across in columns]

    def footprints(self, count: int) -> list[Window]:
        """Return the windows of some footprints, spread evenly."""
        down, across = (n // b for n, b in zip(self.grid.shape, self.block, strict=True))
        chosen = np.unique(np.linspace(0, down * across - 1, min(count, down * across)).round().astype(int))
        (high, wide), places = self.block, [divmod(int(number), across) for number in chosen]
        return [(slice(i * high, (i + 1) * high), slice(j * wide, (j + 1) * wide)) for i, j in places]

    def part(self, windows: Sequence[Window], known: Problem | None = None) -> Problem:
        """Read windows of one height and set them side by side, as a problem of its own.

        Args:
            windows: whole footprints each; where the distances between them do not matter.
            known: a problem whose centre, sizes and coefficients are taken; those of the windows' own values
                unless given.

        Raises:
            InputError: values, noise or covariates that cannot be.
        """
        read = {sensor.name: self._read(sensor, windows) for sensor in self.sensors}
        values = {s.name: _of_band(read[s.scene][0], s) for _, s in self.seen}
        responses = {s.name: response_of(s, self.bands) for _, s in self.seen}
        grid, told = self._grid(windows), [self._classes(w) for w in windows]
        place, labels = np.concatenate(told, axis=1).ravel(), self.labels
        if self.bands:
            place, labels = banded_classes(place, labels, self.bands)
        centre, scales, bands = self._sizes(values, responses, read[self.finest.name][0], known)
        levels = np.array([b.centre for b in bands] or [centre])
        observed = tuple(
            self._observed(
                sensor, s, responses[s.name], values[s.name] - float(responses[s.name] @ levels),
                _of_band(read[s.scene][1], s), grid,
            )
            for sensor, s in self.seen
        )  # fmt: skip
        return Problem(
            grid, self.days, self.finest.dated, observed, self.model, self._covariates(windows), place,
            labels, centre, scales, self.finest.unit, None if known is None else known.shared, bands,
        )  # fmt: skip

    def _sizes(
        self, values: Mapping[str, np.ndarray], responses: Mapping[str, tuple[float, ...]], fine: np.ndarray,
        known: Problem | None,
    ) -> tuple[float, Scales, tuple[Band, ...]]:  # fmt: skip
        """Centre, sizes and bands: those of a problem that is known, or of these values."""
        if known is not None:
            return known.centre, known.scales, known.bands
        bands = describe_bands(responses, values, self.bands)
        centre = 0.0 if bands else _mean_of(fine, self.finest)
        spread = band_spread(bands) or float(np.nanstd(fine)) or 1.0
        return (
            centre,
            scales_of(self.grid, self.days, self.finest, list(self.factors.values()), spread),
            bands,
        )

    def coefficients(self, sample: Problem) -> tuple[tuple[str, float | str], ...]:
        """Return the coefficients of the whole scene: those of a sample, and every date's offset."""
        found = dict(sample.coefficients)
        for band in [f" {name}" for name in self.bands] or [""]:
            wide = found[f"mean{band}"]
            assert not isinstance(wide, str)  # noqa: S101
            for name, values in self.covariates.items():
                found[f"{name}{band}"] = wide / max(float(np.std(values)), 1e-12)
        for sensor, seen in self.seen:
            for t in np.searchsorted(self.days, sensor.days) if sensor.offset else ():
                found[f"{seen.name} offset {sample.date_text(t)}"] = f"{seen.name} offset"
        return tuple(found.items())

    def _grid(self, windows: Sequence[Window]) -> Grid:
        first = self.grid.part(*windows[0])
        return replace(first, shape=(first.shape[0], sum(w[1].stop - w[1].start for w in windows)))

    def _read(self, sensor: Sensor, windows: Sequence[Window]) -> tuple[np.ndarray, np.ndarray]:
        """What a sensor saw and the variance of its noise, (its dates, rows, columns), or bands second."""
        unit = sensor.factor_to(self.finest.unit)
        found = [self._one_window(sensor, window, unit) for window in windows]
        return np.concatenate([f[0] for f in found], axis=-1), np.concatenate([f[1] for f in found], axis=-1)

    def _one_window(self, sensor: Sensor, window: Window, unit: float) -> tuple[np.ndarray, np.ndarray]:
        if sensor.points is not None:
            grid = self.grid.part(*window)
            mean, scale = station_image(sensor, grid, unit)
            return mean.reshape(-1, *grid.shape), scale.reshape(-1, *grid.shape)
        own = [
            slice(w.start // f, w.stop // f) for w, f in zip(window, self.factors[sensor.name], strict=True)
        ]
        values, spread = sensor.window(*own)
        scale = np.ones_like(values) if spread is None else (unit * spread) ** 2
        return values * unit, np.where(np.isfinite(values), scale, 1.0)

    def _observed(
        self, sensor: Sensor, seen: Seen, response: tuple[float, ...], values: np.ndarray, scale: np.ndarray,
        grid: Grid,
    ) -> Observed:  # fmt: skip
        dates, shape = len(self.days), values.shape[1:]
        rows = shape[0] * shape[1]
        told, wide = np.full((dates, rows), np.nan), np.ones((dates, rows))
        at = np.searchsorted(self.days, sensor.days)
        told[at], wide[at] = values.reshape(-1, rows), scale.reshape(-1, rows)
        factor = self.factors[sensor.name]
        learn = sensor.noise is None or sensor.relative_noise
        return Observed(
            seen.name, told, wide, BlockAverage(grid.shape, factor), factor, sensor.bias, sensor.offset,
            learn, shape, response=response, scene=seen.scene, outside=self._outside(sensor),
        )  # fmt: skip

    def _outside(self, sensor: Sensor) -> int:
        """How many stations do not lie on the grid of the whole."""
        return 0 if sensor.points is None else int((~pixels_of(sensor, self.grid)[1]).sum())

    def _classes(self, window: Window) -> np.ndarray:
        if self.classes is None:
            return np.zeros([w.stop - w.start for w in window], dtype=np.int64)
        return self.classes[window]

    def _covariates(self, windows: Sequence[Window]) -> dict[str, np.ndarray]:
        found: dict[str, np.ndarray] = {}
        for name, values in self.covariates.items():
            parts = []
            for window in windows:
                shape = (window[0].stop - window[0].start, window[1].stop - window[1].start)
                own = {name: cut(values, window)}
                told = covariate_arrays(own, self.days, shape, shape[0] * shape[1])[name]
                parts.append(told.reshape(len(self.days), *shape))
            found[name] = np.concatenate(parts, axis=2).reshape(len(self.days), -1)
        return found


def make_scene(
    sensors: Sensor | Sequence[Sensor],
    model: FusionModel,
    dates: Any = None,
    covariates: Mapping[str, Any] | None = None,
    classes: Any = None,
) -> Scene:
    """Bring sensors to one grid and one list of dates, and read none of their values.

    Raises:
        InputError: what `gather` refuses of headers; footprints that do not partition the grid; a model that
            is correlated across them.
    """
    listed = _stations_apart(checked_sensors(sensors))
    finest = finest_sensor(listed)
    names = band_names([seen for sensor in listed for seen in seen_bands(sensor)])
    grid = finest.grid or index_grid((finest.shape[-2], finest.shape[-1]))
    factors = {s.name: _nested(s, finest, grid) for s in listed}
    block = partition(list(factors.values()))
    if block is None or not model.local:
        got = "footprints that overlap or do not fit into each other" if block is None else "space='across'"
        raise InputError(
            "output",
            got=f"a field to be written tile by tile, and {got}",
            wanted="footprints that partition the pixels, and no correlation across them",
            cure="leave output out, fuse in memory, and write the result",
        )
    for sensor in listed:
        sensor.factor_to(finest.unit)
        if sensor.tails is not None:
            cure = "leave output out, fuse in memory, and write the result"
            raise sensor.refusal("tails", sensor.tails, "normal noise where tiles are written", cure)
    place, labels = (None, ()) if classes is None else class_places(classes, grid.shape)
    return Scene(
        tuple(listed), finest, grid, all_days(listed, dates), model, factors, block,
        {name: np.asarray(values, dtype=float) for name, values in (covariates or {}).items()},
        None if place is None else place.reshape(grid.shape), labels, names,
    )  # fmt: skip


def _stations_apart(sensors: list[Sensor]) -> list[Sensor]:
    """Stations that measure several bands become one sensor for each; they fit into memory."""
    return [
        own
        for sensor in sensors
        for own in ([s for s, _ in split_bands([sensor])] if sensor.points is not None else [sensor])
    ]


def _of_band(array: np.ndarray, seen: Seen) -> np.ndarray:
    return array if seen.place is None else array[:, seen.place]


def _nested(sensor: Sensor, finest: Sensor, grid: Grid) -> tuple[int, int]:
    if sensor.points is not None:
        found = (1, 1) if sensor.bias == "none" else None
    else:
        plain = sensor.blur is None and (
            sensor.footprint is None or not hasattr(sensor.footprint, "restrict")
        )
        found = nested_footprint(sensor, finest, grid) if plain else None
    if found is None:
        cure = "leave output out, fuse in memory, and write the result"
        wanted = "footprints that are whole pixels of the fine grid, to write tile by tile"
        raise sensor.refusal("footprint", "one that is not nested", wanted, cure)
    return found


def _mean_of(fine: np.ndarray, finest: Sensor) -> float:
    if not np.isfinite(fine).any():
        cure = "pass more footprints=, or crop to where it saw something"
        wanted = "some in the footprints that parameters are learnt from"
        raise finest.refusal("data", "no value", wanted, cure)
    return float(np.nanmean(fine))
