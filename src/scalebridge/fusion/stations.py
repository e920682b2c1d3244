"""Stations on a grid: which pixel each lies in, and what they say of it together."""

import numpy as np

from scalebridge.fusion.fusion_grid import Grid
from scalebridge.fusion.sensors import Sensor


def pixels_of(sensor: Sensor, grid: Grid) -> tuple[np.ndarray, np.ndarray]:
    """Return the pixel that each station lies in, and whether it lies on the grid."""
    at = np.floor(grid.places(np.asarray(sensor.points, dtype=float))).astype(int)
    kept = np.asarray(((at >= 0) & (at < np.array(grid.shape))).all(axis=1))
    return at[:, 0] * grid.shape[1] + at[:, 1], kept


def station_image(sensor: Sensor, grid: Grid, unit: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean of the stations in each pixel, weighted by their noise, and its variance.

    Args:
        sensor: with points; those that are not on the grid are left out.
        grid: of the field, or a window of it.
        unit: what its values are multiplied by.

    Returns:
        (dates, pixels), NaN where there is no station; variances, in units of the sensor's where learnt.
    """
    pixel, kept = pixels_of(sensor, grid)
    values, spread = sensor.values[:, kept] * unit, sensor.scale
    seen = np.isfinite(values)
    known = np.ones(seen.shape) if spread is None else (unit * spread[:, kept]) ** 2
    shape = (len(values), grid.shape[0] * grid.shape[1])
    total, weight = np.zeros(shape), np.zeros(shape)
    at = (np.arange(len(values))[:, None], pixel[None, kept])
    precision = np.where(seen, 1.0 / known, 0.0)
    np.add.at(weight, at, precision)
    np.add.at(total, at, precision * np.where(seen, values, 0.0))
    filled = np.where(weight > 0, weight, 1.0)
    return np.where(weight > 0, total / filled, np.nan), 1.0 / filled
