"""Sensors before anything is read: who is the finest, which dates there are, whose footprints are nested."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from scalebridge.core.errors import InputError
from scalebridge.fusion.fusion_grid import Grid, nested_factor, same_system
from scalebridge.fusion.sensors import SAME_DATE, Sensor


def checked_sensors(sensors: Any) -> list[Sensor]:
    """Return a list; refuse names twice, dates and numbers mixed, coordinates for some alone."""
    listed = [sensors] if isinstance(sensors, Sensor) else list(sensors)
    wrong = [type(s).__name__ for s in listed if not isinstance(s, Sensor)]
    if wrong or not listed:
        got = wrong[0] if wrong else "none"
        raise InputError(
            "sensors", got=got, wanted="at least one Sensor", cure="write Sensor(name, data, ...)"
        )
    names = [s.name for s in listed]
    if len(set(names)) < len(names):
        raise InputError(
            "sensors", got=", ".join(names), wanted="a name of its own for each", cure="rename one"
        )
    if len({s.dated for s in listed}) > 1:
        cure = "give all sensors dates, or all numbers of days"
        raise InputError("sensors", got="dates and numbers of days", wanted="one of both", cure=cure)
    systems = {str(s.grid is not None) for s in listed if s.points is None and not _given(s)}
    if len(systems) > 1:
        cure = "give every sensor y and x, or a footprint"
        raise InputError(
            "sensors", got="some with coordinates and some without", wanted="all or none", cure=cure
        )
    return listed


def _given(sensor: Sensor) -> bool:
    return sensor.footprint is not None


def finest_sensor(sensors: Sequence[Sensor]) -> Sensor:
    """Return the sensor whose pixels are those of the field."""
    fine = [s for s in sensors if s.points is None and not _given(s)]
    if not fine:
        cure = "leave out the footprint of the sensor whose pixels are the fine grid"
        raise InputError(
            "sensors", got="footprints for all", wanted="one sensor on the fine grid itself", cure=cure
        )

    system = next((s.grid.crs for s in fine if s.grid is not None and s.grid.crs is not None), None)

    def edge(sensor: Sensor) -> float:
        grid = sensor.grid
        return -float(np.prod(sensor.shape[-2:])) if grid is None else grid.edge_in(system)

    return min(fine, key=edge)


def all_days(sensors: Sequence[Sensor], dates: Any) -> np.ndarray:
    """Return the days of all sensors, and of further dates, in order."""
    days = np.unique(np.concatenate([s.days for s in sensors]))
    if dates is None:
        return _apart(days)
    array = np.asarray(dates)
    more = (
        array.astype("datetime64[s]").astype(np.int64) / 86400.0
        if array.dtype.kind in "UOM"
        else array.astype(float)
    )
    if (array.dtype.kind in "UOM") != sensors[0].dated or more.ndim != 1 or not np.isfinite(more).all():
        wanted = "a list of dates" if sensors[0].dated else "a list of numbers of days"
        raise InputError(
            "dates", got=repr(dates)[:60], wanted=wanted, cure="write them as the sensors' dates are"
        )
    return _apart(np.unique(np.concatenate([days, more])))


def _apart(days: np.ndarray) -> np.ndarray:
    """Refuse dates of two sensors that are as good as one, and are not."""
    steps = np.diff(days)
    if len(steps) and steps.min() < SAME_DATE:
        got = f"day {days[int(np.argmin(steps))]:.12g} twice, {steps.min():.2g} days apart"
        cure = "round the dates of all sensors"
        raise InputError(
            "dates", got=got, wanted=f"dates at least {SAME_DATE:g} days apart, or equal", cure=cure
        )
    return days


def nested_footprint(sensor: Sensor, finest: Sensor, grid: Grid) -> tuple[int, int] | None:
    """Return the pixels of a footprint along rows and columns; None where footprints are not nested."""
    if sensor.footprint is None:
        if sensor is finest or (sensor.grid is None and sensor.shape[-2:] == grid.shape):
            return (1, 1)
        if sensor.grid is None:
            return None
        return nested_factor(grid, sensor.grid) if same_system(sensor.grid.crs, grid.crs) else None
    given = sensor.footprint
    pair = (given, given) if isinstance(given, int) and not isinstance(given, bool) else given
    fine = (
        isinstance(pair, tuple | list) and len(pair) == 2 and all(isinstance(f, int) and f > 0 for f in pair)
    )
    if not fine:
        wanted = "a number of pixels, a pair, or a Transfer"
        raise sensor.refusal("footprint", repr(given), wanted, "write for example footprint=7")
    factor = (int(pair[0]), int(pair[1]))  # type: ignore[index]
    if any(n != f * c for n, f, c in zip(grid.shape, factor, sensor.shape[-2:], strict=True)):
        got = f"{factor[0]} x {factor[1]} pixels for each of {sensor.shape[-2]} x {sensor.shape[-1]} values"
        wanted = f"the {grid.shape[0]} x {grid.shape[1]} pixels of the fine grid"
        raise sensor.refusal("footprint", got, wanted, "crop one of the sensors")
    return factor
