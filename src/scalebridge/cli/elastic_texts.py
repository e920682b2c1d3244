"""Text of options turned into elastic materials and temperatures. Units are left to the library."""

import json
import re
from pathlib import Path
from typing import Any

from scalebridge.cli.text_values import SPREAD, value_from
from scalebridge.core.errors import InputError, PhaseError

MATERIAL_FORM = "LABEL[:NAME]=CONSTANT=VALUE [+- STD], CONSTANT=VALUE, ..."
_PHASE = re.compile(r"\s*(?P<label>[+-]?\d+|\*)\s*(?::(?P<name>[^=]*))?=(?P<value>.*)", re.DOTALL)
_CURE = "write for example '0:epoxy=young=3 GPa, poisson=0.35, expansion=60e-6 1/K' or '1=void'"
_MOST_TEMPERATURES = 1000
_PLAIN = ("name", "expansion_kind", "reference_temperature", "unit", "notation", "interpolation")


def materials_from(texts: list[str]) -> dict[str, Any]:
    """Turn options such as "0:steel=young=210 GPa +- 5 GPa, poisson=0.3" into tables by label.

    Raises:
        PhaseError: a text of another form, or a label or a constant that comes twice.

    Example:
        >>> materials_from(["0=young=3 GPa, poisson=0.35", "1=void"])
        {'0': {'young': {'value': '3 GPa'}, 'poisson': {'value': '0.35'}}, '1': 'void'}
    """
    found: dict[str, Any] = {}
    for text in texts:
        parts = _PHASE.fullmatch(text)
        if parts is None:
            raise PhaseError("--phase", got=repr(text), wanted=MATERIAL_FORM, cure=_CURE)
        label = parts["label"] if parts["label"] == "*" else str(int(parts["label"]))
        if label in found:
            raise PhaseError(
                "--phase", got=f"label {label} twice", wanted="every label once", cure="remove one of the two"
            )
        found[label] = _material(parts["value"], parts["name"], text)
    return found


def placed_materials(phases: dict[str, Any], folder: Path) -> tuple[dict[str, Any], list[Path]]:
    """Return the materials of a case as the library reads them, and the CSV files that they name.

    Text such as "70 GPa +- 2 GPa" is split into value and spread, and CSV files are looked for in the folder.

    Args:
        phases: material by label: text as of an option, or a table of constants.
        folder: what paths are relative to.
    """
    files: list[Path] = []
    found: dict[str, Any] = {}
    for label, given in phases.items():
        material = _material(given, None, given) if isinstance(given, str) else given
        if isinstance(material, dict):
            material = {key: _placed(key, value, folder, files) for key, value in material.items()}
        found[label] = material
    return found, files


def _placed(key: str, value: Any, folder: Path, files: list[Path]) -> Any:
    if isinstance(value, dict):
        return {inner: _placed(inner, part, folder, files) for inner, part in value.items()}
    if isinstance(value, str) and value.strip().lower().endswith(".csv"):
        files.append(folder / value.strip())
        return str(files[-1])
    if isinstance(value, str) and key not in _PLAIN and SPREAD.search(value):
        return value_from(value, key)
    return value


def temperatures_from(given: str | list[Any]) -> list[Any]:
    """Turn "293:600:20" (first, last, step, the last one included) or "20 degC, 100 degC" into temperatures.

    Raises:
        InputError: a step that leads nowhere, more than a thousand, or less than two.

    Example:
        >>> temperatures_from("300:400:50"), temperatures_from("20 degC, 100 degC")
        ([300.0, 350.0, 400.0], ['20 degC', '100 degC'])
    """
    if isinstance(given, list):
        listed = list(given)
    elif ":" in given:
        listed = _stepped(given)
    else:
        listed = [number_or_text(part) for part in given.split(",")]
    if not 2 <= len(listed) <= _MOST_TEMPERATURES:
        raise InputError(
            "temperatures",
            got=f"{len(listed)} of them",
            wanted=f"2 to {_MOST_TEMPERATURES} temperatures",
            cure="use --temperature for a single one; write for example '293:593:20'",
        )
    return listed


def _stepped(text: str) -> list[float]:
    try:
        first, last, step = (float(part) for part in text.split(":"))
        count = (last - first) / step
    except (ValueError, ZeroDivisionError) as error:
        raise _no_range(text) from error
    if not 0 < count < _MOST_TEMPERATURES:
        raise _no_range(text)
    found = [first + number * step for number in range(int(count + 1e-9) + 1)]
    return found if abs(found[-1] - last) <= 1e-9 * abs(last) else [*found, last]


def _no_range(text: str) -> InputError:
    return InputError(
        "temperatures",
        got=repr(text),
        wanted="FIRST:LAST:STEP in kelvins, the step leading from the first to the last",
        cure="write for example '293:593:20'",
    )


def number_or_text(text: str) -> float | str:
    """Return a number where text is one without a unit, else the text."""
    try:
        return float(text)
    except ValueError:
        return text.strip()


def _material(text: str, name: str | None, whole: str) -> Any:
    if name is not None and not name.strip():
        raise PhaseError(
            "--phase", got=repr(whole), wanted="a name after ':'", cure="write a name, or leave the ':' out"
        )
    named = {} if name is None else {"name": name.strip()}
    if text.strip().lower() == "void":
        return {**named, "void": True} if named else "void"
    constants: dict[str, Any] = dict(named)
    for part in _parts(text):
        key, equals, value = (piece.strip() for piece in part.partition("="))
        if not equals or not key or not value:
            raise PhaseError("--phase", got=repr(whole), wanted=MATERIAL_FORM, cure=_CURE)
        if key in constants:
            raise PhaseError(
                "--phase", got=f"{key} twice in {whole!r}", wanted="every constant once", cure="remove one"
            )
        constants[key] = _value(key, value)
    return constants


def _value(key: str, text: str) -> Any:
    """Read a constant: text is left as it is, a spread is split off, and brackets are JSON."""
    if text[0] in "[{":
        try:
            return json.loads(text)
        except ValueError as error:
            raise PhaseError(
                "--phase", got=f"{key}={text}", wanted="brackets as JSON", cure="write for example [0, 0, 1]"
            ) from error
    if key in _PLAIN:
        return text
    return value_from(text, f"--phase, {key}")


def _parts(text: str) -> list[str]:
    """Split at commas outside brackets."""
    depth, parts = 0, [""]
    for character in text:
        depth += (character in "[{(") - (character in ")}]")
        if character == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
    return parts
