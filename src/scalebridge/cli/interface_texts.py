"""Text of the options of `scalebridge interface` turned into data, and its answers into text."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from scalebridge.cli.printing import check_rows, input_rows
from scalebridge.cli.terminal import console, plain_table, show_written
from scalebridge.cli.text_values import crop_from, numbers_from, phases_from, threshold_from, voxel_from
from scalebridge.core.errors import InputError
from scalebridge.core.results import Outcome
from scalebridge.core.upscaled import Upscaled, uncertainty_lines
from scalebridge.report.typeset import MISSING, typeset_estimate, typeset_number, typeset_unit


def interface_tables(quantity: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Turn the options of the verb, by their names, into the tables of a case.

    Raises:
        InputError: a text of another form.
    """
    phases: dict[str, dict[str, Any]] = {}
    for coefficient in ("gradient_energy", "barrier", "mobility"):
        option = f"--{coefficient.replace('_', '-')}"
        for label, table in by_label(option, given.get(option, [])).items():
            name = table.pop("name", None)
            told = phases.setdefault(str(label), {})
            told[coefficient] = table
            if name is not None:
                told["name"] = name
    driving, normal, crop = (given.get(name) for name in ("--driving", "--normal", "--crop"))
    return {
        "quantity": quantity,
        "layers": layers_from(given["--layer"]) if "--layer" in given else None,
        "image": {
            "file": given["--image"],
            "voxel": voxel_from(given.get("--voxel")),
            "threshold": threshold_from(given.get("--threshold")),
            "crop": crop_from(crop),
        }
        if "--image" in given
        else None,
        "phases": phases,
        "solve": {
            "driving": driving,
            "depinning": given.get("--depinning"),
            "resolution": given.get("--resolution"),
            "normal": None if normal is None else numbers_from(normal, "--normal"),
            "period": given.get("--period"),
            "max_steps": given.get("--max-steps"),
        },
        "output": {"json": given.get("--out"), "report": given.get("--report")},
    }


def layers_from(texts: list[str]) -> list[dict[str, Any]]:
    """Turn options such as "20 nm=0" into tables of thickness and phase.

    Raises:
        InputError: a text of another form.

    Example:
        >>> layers_from(["20 nm=0", "30 nm=1"])
        [{'thickness': '20 nm', 'phase': 0}, {'thickness': '30 nm', 'phase': 1}]
    """
    found = []
    for text in texts:
        thickness, equals, label = text.partition("=")
        if not (equals and thickness.strip() and re.fullmatch(r"\s*-?\d+\s*", label)):
            raise InputError(
                "--layer", got=repr(text), wanted="THICKNESS=LABEL", cure="write for example '20 nm=0'"
            )
        found.append({"thickness": thickness.strip(), "phase": int(label)})
    return found


def by_label(option: str, texts: list[str]) -> dict[int, dict[str, Any]]:
    """Turn options such as "0:matrix=1e-9 J/m +- 5 %" into tables by label.

    Raises:
        InputError: a text of another form, or a label that comes twice.

    Example:
        >>> by_label("--barrier", ["0=2e6 J/m^3"])
        {0: {'value': '2e6 J/m^3'}}
    """
    try:
        return {int(label): table for label, table in phases_from(texts).items()}
    except InputError as error:
        name = option if error.argument == "--phase" else error.argument
        cure = f"write for example {option} '0=VALUE UNIT +- 5 %'"
        raise type(error)(name, got=error.got, wanted=error.wanted, cure=cure) from error


def one_text(option: str, value: Any) -> str:
    """Return the one text of an option that may be repeated elsewhere.

    Raises:
        InputError: more than one, or one with a label.
    """
    texts = [value] if isinstance(value, str) else list(value)
    if len(texts) > 1 or "=" in texts[0]:
        raise InputError(
            option,
            got=", ".join(texts),
            wanted="one value without a label",
            cure=f"write for example {option} '{texts[0].rpartition('=')[2]}'",
        )
    return texts[0]


def print_flat(found: Any, units: bool, as_json: bool) -> None:
    """Print a flat interface as lines, or as JSON in SI."""
    told = found.to_dict()
    if as_json:
        typer.echo(json.dumps(told, indent=2))
        return
    names = {
        "gradient_energy": ("gradient energy", "J/m"),
        "barrier": ("barrier", "J/m^3"),
        "tension": ("tension", "J/m^2"),
        "length": ("length of the profile", "m"),
        "width": ("width, 10 to 90 %", "m"),
    }
    table = plain_table("", "value>", "")
    for key, (name, unit) in names.items():
        table.add_row(name, typeset_number(float(told[key]), 6), typeset_unit(unit) if units else "")
    console().print(table)


def show_number(out: Console, result: Upscaled, written: Mapping[str, Path]) -> None:
    """Print a result that is a number: inputs, answer with spread, bounds, derivatives, checks, notes."""
    std = None if result.std is None else float(result.std)
    unit = typeset_unit(result.unit)
    out.print(Text(f"{result.spec.name[0].upper()}{result.spec.name[1:]}", style="bold"))
    out.print(input_rows(result.inputs))
    shown = typeset_estimate(float(result.value), std) if np.isfinite(result.value) else "not found"
    out.print(Text(f"  {shown} {unit}".rstrip(), style="bold cyan"))
    for line in uncertainty_lines(result):
        out.print(line)
    for name, bound in result.bounds.items():
        low, high = (typeset_number(float(side)) for side in (bound.lower, bound.upper))
        out.print(f"{name}: {low} to {high} ({bound.source})")
    if result.derivatives:
        table = plain_table("derivative by", "value>")
        for name, slope in result.derivatives.items():
            table.add_row(name, MISSING if slope is None else typeset_number(float(slope), 4))
        out.print(table)
    out.print(check_rows(result.checks))
    for note in result.notes:
        out.print(Text(f"note: {note}", style="yellow"))
    if result.outcome is not Outcome.converged:
        out.print(Text(result.outcome.sentence, style="bold red"))
    show_written(out, written)


def across_rows(told: Mapping[str, Any], unit: str) -> Table:
    """Return the coarse interface as a table: tension, length and width across each principal direction."""
    units = ("J/m^2", "m", "m") if unit != "1" else ("1", "1", "1")
    heads = [
        f"{name}{f', {typeset_unit(one)}' if one != '1' else ''}>"
        for name, one in zip(("tension", "length", "width"), units, strict=True)
    ]
    table = plain_table("interface across", *heads)
    for row, normal in enumerate(told["normals"]):
        direction = ", ".join(typeset_number(0.0 if abs(x) < 1e-12 else x, 3) for x in normal)
        numbers = (typeset_number(float(told[key][row]), 4) for key in ("tension", "length", "width"))
        table.add_row(f"({direction})", *numbers)
    return table
