"""Several bands in one field: what a sensor sees of each, and how their innovations go together.

A part of the field has the covariance B (x) K(x, x') k(t, t'), B = D R D with a standard deviation of each
band in D and the correlation R of the bands: what is seen of one band says something of the others.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

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


class Seen(NamedTuple):
    """One band of a sensor, or a sensor of one.

    Args:
        name: "SENSOR BAND" of one of several bands, else the sensor's.
        scene: the sensor's name.
        place: position along the data's second axis, None where it has no such axis.
        response: weight of each band in a value; None where bands are not named.
    """

    name: str
    scene: str
    place: int | None
    response: Mapping[str, float] | None


def seen_bands(sensor: Sensor) -> list[Seen]:
    """Return what a sensor sees, band by band; none of its values is read.

    Example:
        >>> [s.name for s in seen_bands(Sensor("survey", np.ones((1, 2, 4, 4)), [0], bands=("red", "nir")))]
        ['survey red', 'survey nir']
    """
    names = sensor.several
    if names is None:
        return [Seen(sensor.name, sensor.name, None, sensor.response)]
    return [Seen(f"{sensor.name} {name}", sensor.name, k, {name: 1.0}) for k, name in enumerate(names)]


def split_bands(sensors: Sequence[Sensor]) -> list[tuple[Sensor, Seen]]:
    """Return sensors with one value a pixel each, and what each is of the sensors that were given.

    A sensor that sees several bands becomes one for each, with its own noise, bias and offset.
    """
    return [(_one_band(sensor, seen), seen) for sensor in sensors for seen in seen_bands(sensor)]


def _one_band(sensor: Sensor, seen: Seen) -> Sensor:
    if seen.place is None or seen.response is None:
        return sensor
    values, scale = sensor.values[:, seen.place], sensor.scale
    name = next(iter(seen.response))
    if not np.isfinite(values).any():
        raise sensor.refusal("data", f"no value of band '{name}'", "at least one", "leave this band out")
    return replace(
        sensor, name=seen.name, data=values, dates=sensor.stamps, bands=name, y=sensor.axis("y"),
        x=sensor.axis("x"), crs=sensor.system, noise=None if scale is None else scale[:, seen.place],
        mask=None, quality=None,
    )  # fmt: skip


def band_names(seen: Sequence[Seen]) -> tuple[str, ...]:
    """Return all bands in the order in which they are named; none where no sensor names one.

    Raises:
        InputError: bands for some sensors alone, or two of one name.
    """
    names = [s.name for s in seen]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise InputError(
            "sensors", got=f"'{twice}' twice", wanted="a name of its own for each", cure="rename one"
        )
    told = [s.response for s in seen]
    if not any(told):
        return ()
    for one, own in zip(seen, told, strict=True):
        if own is None:
            raise InputError(
                f"sensor '{one.scene}', bands",
                got="nothing",
                wanted="the band that it sees, because other sensors name theirs",
                cure="write for example bands='nir'",
            )
    return tuple(dict.fromkeys(name for own in told for name in own or ()))


def response_of(seen: Seen, names: Sequence[str]) -> tuple[float, ...]:
    """Return the weight of every band in what a sensor sees; (1,) where there are no bands.

    Example:
        >>> response_of(Seen("pan", "pan", None, {"red": 0.25, "nir": 0.75}), ("red", "nir", "swir"))
        (0.25, 0.75, 0.0)
    """
    told = seen.response
    return (1.0,) if told is None else tuple(float(told.get(name, 0.0)) for name in names)


def describe_bands(
    responses: Mapping[str, tuple[float, ...]], values: Mapping[str, np.ndarray], names: Sequence[str]
) -> tuple[Band, ...]:
    """Return centre and spread of every band, from the sensor of most values that sees it alone.

    Of a band that no sensor sees alone, from a weighted sum that it is in.

    Args:
        responses: by name of what is seen, the weight of every band.
        values: by name.
        names: of the bands.

    Raises:
        InputError: a band without a value.
    """
    found = []
    for place, name in enumerate(names):
        seen = [s for s, weights in responses.items() if weights[place]]
        alone = [s for s in seen if np.count_nonzero(responses[s]) == 1]
        best = max(alone or seen, key=lambda s: int(np.isfinite(values[s]).sum()))
        own = values[best] / sum(responses[best])
        if not np.isfinite(own).any():
            wanted, cure = "some in the footprints that parameters are learnt from", "pass more footprints="
            raise InputError(f"band '{name}'", got="no value", wanted=wanted, cure=cure)
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
