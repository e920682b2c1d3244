"""Text of options turned into data: phases, layers, lists, boxes. Units are left to the library."""

import json
import re
from typing import Any

from scalebridge.core.errors import InputError, PhaseError

SPREAD = re.compile(r"\+/?-|±")
_PHASE = re.compile(r"\s*(?P<label>[+-]?\d+)\s*(?::(?P<name>[^=]*))?=(?P<value>.*)", re.DOTALL)
_BARE = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*%?\s*")
PHASE_FORM = "LABEL[:NAME]=VALUE [UNIT] [+- STD [UNIT or %]]"
_PHASE_CURE = "write for example '0=0.6 W/m/K', '1=7.7 W/m/K +- 0.3' or '1:quartz=[7, 7, 12] W/m/K'"
_LAYER_CURE = "write for example '2 mm=0.6 W/m/K' or '2 mm:brick=0.6 W/m/K +- 5 %'"


def phases_from(texts: list[str]) -> dict[str, dict[str, Any]]:
    """Turn options such as "1:quartz=7.7 W/m/K +- 0.3" into tables by label.

    Raises:
        PhaseError: a text of another form, or a label that comes twice.

    Example:
        >>> phases_from(["0=0.6 W/m/K", "1:quartz=7.7 W/m/K +- 0.3"])
        {'0': {'value': '0.6 W/m/K'}, '1': {'name': 'quartz', 'value': '7.7 W/m/K', 'std': '0.3'}}
    """
    found: dict[str, dict[str, Any]] = {}
    for text in texts:
        parts = _PHASE.fullmatch(text)
        if parts is None:
            raise PhaseError("--phase", got=repr(text), wanted=PHASE_FORM, cure=_PHASE_CURE)
        label = str(int(parts["label"]))
        if label in found:
            raise PhaseError(
                "--phase",
                got=f"label {label} twice",
                wanted="every label once",
                cure="remove one of the two",
            )
        found[label] = {**_named(parts["name"], text), **value_from(parts["value"], "--phase")}
    return found


def layer_from(text: str) -> tuple[str, dict[str, Any]]:
    """Turn an option such as "2 mm:brick=0.6 W/m/K" into a thickness and a table.

    Raises:
        InputError: a text of another form.

    Example:
        >>> layer_from("2 mm=0.6 W/m/K +- 5 %")
        ('2 mm', {'value': '0.6 W/m/K', 'std': '5 %'})
    """
    left, equals, value = text.partition("=")
    thickness, _, name = left.partition(":")
    if not equals or not thickness.strip():
        raise InputError(
            "--layer",
            got=repr(text),
            wanted="THICKNESS[:NAME]=VALUE [UNIT] [+- STD [UNIT or %]]",
            cure=_LAYER_CURE,
        )
    named = _named(name if ":" in left else None, text)
    return thickness.strip(), {**named, **value_from(value, "--layer")}


def value_from(text: str, argument: str) -> dict[str, Any]:
    """Turn "7.7 W/m/K +- 0.3" or "[7, 7, 12] W/m/K" into a table with value, unit and std.

    The unit may stand behind the value, or behind the spread for both: "7.7 +- 0.3 W/m/K".

    Raises:
        PhaseError: no value, more than one spread, or brackets that are no list of numbers.

    Example:
        >>> value_from("[7, 7, 12] W/m/K", "--phase")
        {'value': [7, 7, 12], 'unit': 'W/m/K'}
        >>> value_from("7.7 +- 0.3 W/m/K", "--phase")
        {'value': '7.7', 'std': '0.3', 'unit': 'W/m/K'}
    """
    value, *spreads = (part.strip() for part in SPREAD.split(text))
    if not value or len(spreads) > 1 or (spreads and not spreads[0]):
        raise PhaseError(
            argument,
            got=repr(text),
            wanted="VALUE [UNIT] [+- STD [UNIT or %]]",
            cure="write for example '0.6 W/m/K', '7.7 W/m/K +- 0.3' or '[7, 7, 12] W/m/K'",
        )
    found = _bracketed(value, argument) if value.startswith("[") else {"value": value}
    return {**found, **_spread(value, spreads[0])} if spreads else found


def numbers_from(text: str, argument: str, kind: type = float) -> list[Any]:
    """Turn "84, 150" into numbers.

    Raises:
        InputError: a part that is not a number of the kind.

    Example:
        >>> numbers_from("128, 64", "--raw-shape", int)
        [128, 64]
    """
    try:
        return [kind(part) for part in text.split(",")]
    except ValueError as error:
        wanted = "whole numbers" if kind is int else "numbers"
        raise InputError(
            argument,
            got=repr(text),
            wanted=f"{wanted} separated by commas",
            cure="write for example '84, 150'",
        ) from error


def sizes_from(text: str | None) -> list[Any] | None:
    """Turn "16, 32" or "16x16x8, 32x32x16" into edges of boxes.

    Raises:
        InputError: a part that is neither.

    Example:
        >>> sizes_from("16, 32"), sizes_from("16x16x8")
        ([16, 32], [[16, 16, 8]])
    """
    if text is None:
        return None
    boxes = [part.replace("x", ",") for part in text.split(",")]
    found = [numbers_from(box, "--sizes", int) for box in boxes]
    return [box if len(box) > 1 else box[0] for box in found]


def share_from(text: str, argument: str) -> float:
    """Turn "2 %" or "0.02" into a number.

    Raises:
        InputError: text that is no number.

    Example:
        >>> share_from("2 %", "--wanted"), share_from("0.02", "--wanted")
        (0.02, 0.02)
    """
    number = text.strip().removesuffix("%")
    try:
        return float(number) / (1.0 if number == text.strip() else 100.0)
    except ValueError as error:
        raise InputError(
            argument, got=repr(text), wanted="a share", cure="write for example '2 %' or 0.02"
        ) from error


def threshold_from(text: str | None) -> Any:
    """Turn "otsu", "84" or "84, 150" into what a threshold is.

    Example:
        >>> threshold_from("otsu"), threshold_from("84"), threshold_from("84, 150")
        ('otsu', 84.0, [84.0, 150.0])
    """
    if text is None or text.strip().lower() == "otsu":
        return text and "otsu"
    levels = numbers_from(text, "--threshold")
    return levels if len(levels) > 1 else levels[0]


def voxel_from(texts: list[str] | None) -> str | list[str] | None:
    """Turn repeated or comma-separated lengths into one length, or one an axis.

    Example:
        >>> voxel_from(["3 um"]), voxel_from(["3 um, 3 um,5 um"])
        ('3 um', ['3 um', '3 um', '5 um'])
    """
    lengths = [part.strip() for text in texts or [] for part in text.split(",")]
    return (lengths[0] if len(lengths) == 1 else lengths) if lengths else None


def crop_from(text: str | None) -> dict[str, list[int]] | None:
    """Turn "0:64, 0:64, 10:74" into the box's first voxel and size.

    Raises:
        InputError: a text of another form.

    Example:
        >>> crop_from("0:64, 10:74")
        {'origin': [0, 10], 'size': [64, 64]}
    """
    if text is None:
        return None
    pairs = [re.fullmatch(r"\s*(\d+)\s*:\s*(\d+)\s*", part) for part in text.split(",")]
    found = [(int(pair[1]), int(pair[2])) for pair in pairs if pair is not None]
    if len(found) != len(pairs) or any(last <= first for first, last in found):
        raise InputError(
            "--crop",
            got=repr(text),
            wanted="FROM:TO along each axis, in voxels from 0, TO left out",
            cure="write for example '0:64, 0:64, 10:74'",
        )
    return {"origin": [first for first, _ in found], "size": [last - first for first, last in found]}


def _named(name: str | None, text: str) -> dict[str, str]:
    if name is None:
        return {}
    if not name.strip():
        raise PhaseError("name", got=repr(text), wanted="a name after ':'", cure="leave the ':' out")
    return {"name": name.strip()}


def _bracketed(value: str, argument: str) -> dict[str, Any]:
    inside, bracket, unit = value.rpartition("]")
    try:
        numbers = json.loads(inside + bracket)
    except json.JSONDecodeError as error:
        raise PhaseError(
            argument,
            got=repr(value),
            wanted="a list [a, b, c] (diagonal) or [[a, b, c], ...] (tensor), then the unit",
            cure=_PHASE_CURE,
        ) from error
    return {"value": numbers, **({"unit": unit.strip()} if unit.strip() else {})}


def _spread(value: str, spread: str) -> dict[str, str]:
    """Give a unit that stands only behind the spread to both."""
    number = re.match(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", spread)
    relative = re.fullmatch(r"([^%]*%)\s*(.*)", spread)
    if relative:
        return {"std": relative[1], **({"unit": relative[2]} if relative[2] else {})}
    if _BARE.fullmatch(value) and number and not _BARE.fullmatch(spread):
        return {"std": number[0], "unit": spread[number.end() :].strip()}
    return {"std": spread}
