"""Several bands in one field: what a sensor sees of each, and how their innovations go together.

A part of the field has the covariance B (x) K(x, x') k(t, t'), B = D R D with a standard deviation of each
band in D and the correlation R of the bands: what is seen of one band says something of the others.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from scalebridge.core import precision as _precision  # noqa: F401
from scalebridge.core.errors import InputError
from scalebridge.fusion.sensors import Sensor

RATIO_PRIOR = (1.0, 6.0)  # log-normal with nearly the spread that an even prior of a correlation has


@dataclass(frozen=True)
class Band:
    """One band of the field.

    Args:
        name: its name.
        centre: what was taken off its values.
        spread: standard deviation of what was seen of it, by which priors are set.
    """

    name: str
    centre: float
    spread: float


def ratio_name(part: str, first: str, second: str) -> str:
    """Return the name of the parameter of two bands' correlation.

    Example:
        >>> ratio_name("random-walk", "red", "nir")
        'random-walk ratio [red, nir]'
    """
    return f"{part} ratio [{first}, {second}]"


def band_correlation(part: str, names: Sequence[str], values: Mapping[str, Any]) -> Float[Array, "b b"]:
    """Return the correlation of bands.

    R = L L' with rows of L of length one; L_ij = p_ij sqrt(1 - sum over k < j of L_ik^2), with
    p = (q - 1) / (q + 1). So every positive number q gives a correlation, whatever the others are. q is the
    variance of the sum of two standardised bands over that of their difference, (1 + r) / (1 - r): for two
    bands r is their correlation, beyond the first band it is the partial correlation given those before.

    Args:
        part: of the field.
        names: of the bands.
        values: parameters by name.

    Source: Lewandowski, Kurowicka & Joe, J. Multivariate Anal. 100 (2009) 1989, C-vine.

    Example:
        >>> told = {"ar1 ratio [red, nir]": 9.0}
        >>> print(f"{float(band_correlation('ar1', ('red', 'nir'), told)[0, 1]):.3f}")
        0.800
    """
    rows = []
    for i, name in enumerate(names):
        left, row = jnp.asarray(1.0), []
        for j in range(i):
            ratio = jnp.asarray(values[ratio_name(part, names[j], name)])
            partial = (ratio - 1.0) / (ratio + 1.0)
            row.append(partial * jnp.sqrt(left))
            left = left * (1.0 - partial**2)
        rows.append(jnp.stack([*row, jnp.sqrt(left), *[jnp.asarray(0.0)] * (len(names) - i - 1)]))
    root = jnp.stack(rows)
    return root @ root.T


def ratio_priors(part: str, names: Sequence[str]) -> dict[str, tuple[float, float]]:
    """Return the parameters of all pairs of bands, with their priors.

    Example:
        >>> list(ratio_priors("ar1", ("a", "b", "c")))
        ['ar1 ratio [a, b]', 'ar1 ratio [a, c]', 'ar1 ratio [b, c]']
    """
    pairs = [(a, b) for i, a in enumerate(names) for b in names[i + 1 :]]
    return {ratio_name(part, a, b): RATIO_PRIOR for a, b in pairs}


def split_bands(sensors: Sequence[Sensor]) -> list[tuple[Sensor, str]]:
    """Return sensors with one value a pixel each, and the name of the sensor that each is of.

    A sensor that sees several bands becomes one for each, named "NAME BAND", with its own noise, bias and
    offset.
    """
    return [pair for sensor in sensors for pair in _split(sensor)]


def _split(sensor: Sensor) -> list[tuple[Sensor, str]]:
    names = sensor.several
    if names is None:
        return [(sensor, sensor.name)]
    values, scale = sensor.values, sensor.scale
    y, x = sensor.axis("y"), sensor.axis("x")
    found = []
    for place, name in enumerate(names):
        if not np.isfinite(values[:, place]).any():
            raise sensor.refusal("data", f"no value of band '{name}'", "at least one", "leave this band out")
        own = replace(
            sensor, name=f"{sensor.name} {name}", data=values[:, place], dates=sensor.stamps, bands=name, y=y,
            x=x, crs=sensor.system, noise=None if scale is None else scale[:, place], mask=None,
        )  # fmt: skip
        found.append((own, sensor.name))
    return found


def band_names(sensors: Sequence[Sensor]) -> tuple[str, ...]:
    """Return all bands in the order in which they are named; none where no sensor names one.

    Raises:
        InputError: bands for some sensors alone.
    """
    told = [sensor.response for sensor in sensors]
    if not any(told):
        return ()
    for sensor, own in zip(sensors, told, strict=True):
        if own is None:
            wanted = "the band that it sees, because other sensors name theirs"
            raise sensor.refusal("bands", "nothing", wanted, "write for example bands='nir'")
    return tuple(dict.fromkeys(name for own in told for name in own or ()))


def response_of(sensor: Sensor, names: Sequence[str]) -> tuple[float, ...]:
    """Return the weight of every band in what a sensor sees; (1,) where there are no bands.

    Example:
        >>> seen = Sensor("pan", np.ones((1, 2, 2)), [0], bands={"red": 0.25, "nir": 0.75})
        >>> response_of(seen, ("red", "nir", "swir"))
        (0.25, 0.75, 0.0)
    """
    told = sensor.response
    return (1.0,) if told is None else tuple(float(told.get(name, 0.0)) for name in names)


def describe_bands(
    sensors: Sequence[Sensor], values: Mapping[str, np.ndarray], names: Sequence[str]
) -> tuple[Band, ...]:
    """Return centre and spread of every band, from the sensor of most values that sees it alone.

    Of a band that no sensor sees alone, from a weighted sum that it is in.
    """
    found = []
    for place, name in enumerate(names):
        shares = {s.name: response_of(s, names) for s in sensors}
        seen = [s for s in sensors if shares[s.name][place]]
        alone = [s for s in seen if sum(w != 0 for w in shares[s.name]) == 1]
        best = max(alone or seen, key=lambda s: int(np.isfinite(values[s.name]).sum()))
        own = values[best.name] / sum(shares[best.name])
        found.append(Band(name, float(np.nanmean(own)), float(np.nanstd(own)) or 1.0))
    return tuple(found)


def banded_classes(
    place: np.ndarray, labels: tuple[int | str, ...], names: Sequence[str]
) -> tuple[np.ndarray, tuple[int | str, ...]]:
    """Return the class of every pixel of all bands, and the labels: of bands, or of each band's classes.

    Example:
        >>> banded_classes(np.array([0, 1]), (7, 8), ("a", "b"))
        (array([0, 1, 2, 3]), ('a 7', 'a 8', 'b 7', 'b 8'))
    """
    each = max(len(labels), 1)
    whole = np.concatenate([place + each * number for number in range(len(names))])
    return whole, tuple(f"{name} {label}" for name in names for label in labels) or tuple(names)


def refuse_bands(sensors: Sequence[Sensor], argument: str, cure: str) -> None:
    """Refuse several bands where they cannot be.

    Raises:
        InputError: a sensor names bands.
    """
    named = [s.name for s in sensors if s.bands is not None or s.several is not None]
    if named:
        raise InputError(argument, got=f"bands of '{named[0]}'", wanted="one field without bands", cure=cure)
