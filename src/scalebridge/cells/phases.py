"""Phases as people write them, turned into SI numbers: values with units, spreads, samples, tensors."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np
import pint
from jax.core import Tracer

from scalebridge.core.errors import PhaseError, UnitError
from scalebridge.core.units import registry, split_quantity
from scalebridge.laws.conduction import conductivity_tensor

UNITS = {"W/m/K": "thermal conductivity", "S/m": "electrical conductivity", "m^2/s": "diffusivity"}
_KEYS = ("value", "std", "samples", "unit", "name")
_HOW = "write a number, '0.6 W/m/K', or a table with value, std or samples, unit and name"


@dataclass(frozen=True)
class Phase:
    """One constituent's conductivity in SI.

    Args:
        label: its label in the image.
        name: its name.
        value: a number, the diagonal (dim,), or a tensor (dim, dim); may be traced by JAX.
        std: standard deviation of a number, 0 for none.
        samples: samples of a number, or None.
    """

    label: int
    name: str
    value: Any
    std: float = 0.0
    samples: np.ndarray | None = None

    @property
    def isotropic(self) -> bool:
        """Whether the value is a number."""
        return np.ndim(self.value) == 0

    @property
    def spread(self) -> float:
        """Standard deviation: the stated one, or that of the samples."""
        return self.std if self.samples is None else float(np.std(self.samples, ddof=1))


def parse_phases(
    given: Mapping[Any, Any], labels: tuple[int, ...], names: Mapping[int, str], dim: int, kind: str = "phase"
) -> tuple[tuple[Phase, ...], str]:
    """Read the conductivities of an image's phases.

    Args:
        given: values by label; each a number, text with a unit, a list (diagonal or tensor), or a table
            with the keys value, std, samples, unit and name.
        labels: labels that occur in the image.
        names: names of labels, as the image knows them.
        dim: number of space dimensions.
        kind: what a constituent is called in errors: "phase", or "layer".

    Returns:
        the phases in the order of `labels`, and their common SI unit ("1" if none was given).

    Raises:
        PhaseError: a phase is missing, not in the image, or has a value that physics forbids.
        UnitError: units that are unknown, of different kinds, or given for some phases only.
    """
    asked = by_label(given)
    refuse_mismatch(set(asked), set(labels))
    phases, units = [], {}
    for label in labels:
        phase, units[label] = _read(f"{kind} {label}", label, asked[label], names, dim)
        phases.append(phase)
    return tuple(phases), _common_unit(units, kind)


def is_traced(given: Any) -> bool:
    """Whether any value in a table of phases is being traced by JAX."""
    values = list(given.values()) if isinstance(given, Mapping) else []
    return any(isinstance(leaf, Tracer) for leaf in jax.tree.leaves(values))


def by_label(given: Any) -> dict[int, Any]:
    """Return what is given for phases by label, and refuse what is no table of whole numbers."""
    if not isinstance(given, Mapping):
        raise PhaseError(
            "phases",
            got=f"a {type(given).__name__}",
            wanted="a table of values by label",
            cure="write for example {0: '0.6 W/m/K', 1: '7.7 W/m/K'}",
        )
    found = {}
    for key, value in given.items():
        label = _label(key)
        if label in found:
            raise PhaseError(
                "phases", got=f"label {label} twice", wanted="each label once", cure="leave one out"
            )
        found[label] = value
    return found


def _label(key: Any) -> int:
    try:
        if int(key) == (int(key) if isinstance(key, str) else key) and not isinstance(key, bool):
            return int(key)
    except (TypeError, ValueError):
        pass
    raise PhaseError(
        "phases",
        got=f"label {key!r}",
        wanted="integer labels of the image",
        cure="look at the labels with `scalebridge inspect`",
    )


def refuse_mismatch(asked: set[int], present: set[int]) -> None:
    """Refuse labels without a phase, and phases without a voxel."""
    missing, superfluous = sorted(present - asked), sorted(asked - present)
    if missing:
        raise PhaseError(
            "phases",
            got=f"no value for label {', '.join(map(str, missing))}",
            wanted=f"a value for each label in the image: {sorted(present)}",
            cure=f"add {missing[0]}: value, or merge labels with relabel",
        )
    if superfluous:
        raise PhaseError(
            "phases",
            got=f"a value for label {', '.join(map(str, superfluous))}, which the image does not contain",
            wanted=f"values for the labels in the image: {sorted(present)}",
            cure="remove it, or look at the labels with `scalebridge inspect`",
        )


def _read(argument: str, label: int, given: Any, names: Mapping[int, str], dim: int) -> tuple[Phase, str]:
    table = dict(given) if isinstance(given, Mapping) else {"value": given}
    unknown = sorted(set(table) - set(_KEYS))
    if unknown:
        raise PhaseError(argument, got=f"key {unknown[0]!r}", wanted=f"keys among {_KEYS}", cure=_HOW)
    samples = table.get("samples")
    if ("value" not in table) == (samples is None):
        raise PhaseError(argument, got=f"keys {sorted(table)}", wanted="either a value or samples", cure=_HOW)
    raw = samples if samples is not None else table["value"]
    numbers, scale, unit = _numbers(raw, table.get("unit"), argument)
    shown = str(table.get("name", names.get(label, argument)))
    if samples is not None:
        drawn = _checked_samples(numbers, argument)
        return Phase(label, shown, float(np.mean(drawn)), samples=drawn), unit
    tensor = conductivity_tensor(numbers, dim, argument)
    value = numbers if np.ndim(numbers) < 2 else tensor
    std = _std(table.get("std", 0.0), scale, unit, numbers, argument)
    return Phase(
        label, shown, value if isinstance(value, Tracer) else np.asarray(value, float)[()], std
    ), unit


def _numbers(raw: Any, unit: str | None, argument: str) -> tuple[Any, float, str]:
    """Return numbers in SI, the factor from the written unit to SI, and the SI unit."""
    if isinstance(raw, Tracer | jax.Array):
        scale, si = _to_si(unit, argument)
        return raw * scale, scale, si
    if isinstance(raw, str):
        magnitude, written = split_quantity(raw, argument)
        if written is not None and unit is not None:
            raise UnitError(
                argument, got=f"{raw!r} and unit={unit!r}", wanted="one unit", cure="leave one out"
            )
        scale, si = _to_si(written if written is not None else unit, argument)
        return magnitude * scale, scale, si
    flat = raw if isinstance(raw, list | tuple) else [raw]
    if any(_is_text(item) for item in flat):
        parts = [_numbers(item, unit, argument) for item in flat]
        if len({si for _, _, si in parts}) > 1:
            raise UnitError(
                argument, got=repr(raw), wanted="one kind of unit", cure="use the same unit throughout"
            )
        return [value for value, _, _ in parts], parts[0][1], parts[0][2]
    scale, si = _to_si(unit, argument)
    try:
        if any(item is None or isinstance(item, bool) for item in flat):
            raise TypeError
        return np.asarray(raw, dtype=float) * scale, scale, si
    except (TypeError, ValueError) as error:
        raise PhaseError(argument, got=repr(raw), wanted="numbers", cure=_HOW) from error


def _is_text(item: Any) -> bool:
    """Whether an entry of a list is text, or a row of a tensor with text in it."""
    return isinstance(item, str) or (isinstance(item, list | tuple) and any(map(_is_text, item)))


def _to_si(unit: Any, argument: str) -> tuple[float, str]:
    if unit is None or str(unit) in ("", "1", "dimensionless"):
        return 1.0, "1"
    if any(sign in str(unit) for sign in ("%", "percent")):
        raise UnitError(
            argument,
            got=repr(str(unit)),
            wanted="a unit of conductivity",
            cure="write a spread in percent without a unit: '7.7 W/m/K' with std '4 %'",
        )
    try:
        quantity = registry().Quantity(1.0, str(unit))
    except Exception as error:  # pint raises many kinds for text that is no unit
        raise UnitError(
            argument, got=repr(unit), wanted=" or ".join(UNITS), cure=f"write it in {next(iter(UNITS))}"
        ) from error
    for si in UNITS:
        try:
            return float(quantity.to(si).magnitude), si
        except pint.DimensionalityError:
            continue
    raise UnitError(
        argument,
        got=f"unit {unit}",
        wanted=" or ".join(f"{si} ({kind})" for si, kind in UNITS.items()),
        cure="give a conductivity or a diffusivity, or numbers without unit for ratios",
    )


def _std(given: Any, scale: float, unit: str, value: Any, argument: str) -> float:
    if isinstance(given, str):
        text = given.strip()
        if text.endswith("%"):
            std = split_quantity(text[:-1], argument)[0] / 100.0 * float(np.asarray(value))
        else:
            magnitude, written = split_quantity(text, argument)
            own, si = _to_si(written, argument) if written is not None else (scale, unit)
            if si != unit:
                raise UnitError(
                    argument, got=f"std {given!r}", wanted=f"a unit of {unit}", cure=f"write it in {unit}"
                )
            std = magnitude * own
    else:
        std = _plain_std(given, argument) * scale
    if not (np.isfinite(std) and std >= 0):
        raise PhaseError(argument, got=f"std {given!r}", wanted="a finite number, not negative", cure=_HOW)
    if std > 0 and np.ndim(value) > 0:
        raise PhaseError(
            argument,
            got="a std with a tensor",
            wanted="a std with a number",
            cure="give an isotropic value, or no std",
        )
    if std > 0 and not isinstance(value, Tracer) and float(np.asarray(value)) == 0.0:
        raise PhaseError(
            argument,
            got=f"std {given!r} of a value 0",
            wanted="no std with an exact zero",
            cure="leave std out: an insulator is exact, or give a small positive value",
        )
    return float(std)


def _plain_std(given: Any, argument: str) -> float:
    try:
        return float(given)
    except (TypeError, ValueError) as error:
        raise PhaseError(
            argument, got=f"std {given!r}", wanted="a number, or text such as '4 %'", cure=_HOW
        ) from error


def _checked_samples(numbers: Any, argument: str) -> np.ndarray:
    drawn = np.asarray(numbers, dtype=float)
    if drawn.ndim != 1 or drawn.size < 2 or not np.all(np.isfinite(drawn)) or np.any(drawn <= 0):
        raise PhaseError(
            argument,
            got=f"samples {np.array2string(drawn, threshold=6)}",
            wanted="a list of at least 2 finite positive numbers",
            cure="give measured or drawn conductivities",
        )
    return drawn


def _common_unit(units: dict[int, str], kind: str) -> str:
    found = set(units.values())
    if len(found) > 1:
        listed = ", ".join(f"{kind} {label}: {unit}" for label, unit in units.items())
        raise UnitError(
            f"{kind}s",
            got=listed,
            wanted=f"one kind of unit for all {kind}s",
            cure=f"give every {kind} the same kind of unit",
        )
    return found.pop()
