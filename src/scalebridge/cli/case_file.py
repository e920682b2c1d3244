"""Case files: read, validated, and refused with the place in the file and the nearest right key."""

import re
import tomllib
import typing
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from scalebridge.cli.case import TASKS, Case
from scalebridge.cli.case_tables import Table
from scalebridge.cli.exits import nearest_hint
from scalebridge.core.errors import CaseError, FileFormatError, InputError

Place = tuple[str | int, ...]
_HEADER = re.compile(r"\s*\[\[?([^\[\]]+)\]\]?\s*(#.*)?")
_KEY = re.compile(r"\s*([^=#\[\]]+?)\s*=")


def load_case(path: str | Path) -> Case:
    """Read and validate a case file.

    Args:
        path: a TOML file.

    Returns:
        the case, with paths as written.

    Raises:
        FileFormatError: the file is missing, empty, or not TOML.
        CaseError: no or an unknown task, an unknown key, or a value of the wrong kind.
    """
    file = Path(path)
    text = _text_of(file)
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise FileFormatError(
            str(file),
            got=f"not TOML: {error}",
            wanted="a case in TOML",
            cure='quote text and units: voxel = "3 um"; see `scalebridge schema`',
        ) from error
    return validate_case(data, file.name, text)


def load_task(path: str | Path, task: str) -> Any:
    """Read a case file for the verb of one task.

    Args:
        path: a TOML file.
        task: the task.

    Raises:
        CaseError: it is of another task; else those of `load_case`.
    """
    case = load_case(path)
    if case.task != task:
        raise CaseError(
            f"task ({Path(path).name})",
            got=repr(case.task),
            wanted=repr(task),
            cure=f"run it with: scalebridge run {path}",
        )
    return case


def validate_case(data: dict[str, Any], source: str, text: str = "") -> Case:
    """Validate a case given as plain data.

    Args:
        data: tables and values.
        source: what to call it in errors, such as the file's name.
        text: the file's text, to name the line.

    Raises:
        CaseError: see `load_case`.
    """
    model = _model_of(data, source, text)
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise _explained(error, model, data, source, text) from error


def line_of(text: str, place: Place) -> int | None:
    r"""Return the line, from 1, of the key or table nearest to a place in a TOML text; None if there is none.

    Example:
        >>> line_of('task = "x"\n[image]\nfile = "a"\nvoxle = "3 um"', ("image", "voxle"))
        4
    """
    table: list[str] = []
    best, nearest = 0, None
    for number, line in enumerate(text.splitlines(), 1):
        header, key = _HEADER.fullmatch(line), _KEY.match(line)
        if header:
            table = _keys(header[1])
        elif not key:
            continue
        here = table if header else table + _keys(key[1])  # type: ignore[index]
        shared = len(here) if here == [str(part) for part in place[: len(here)]] else 0
        if shared > best:
            best, nearest = shared, number
    return nearest


def _text_of(file: Path) -> str:
    if not file.is_file():
        folder = file.parent
        there = sorted(other.name for other in folder.glob("*.toml")) if folder.is_dir() else []
        raise FileFormatError(
            "CASE",
            got=f"'{file}', which is not a file",
            wanted="a case file in TOML",
            cure=nearest_hint(file.name, there) if there else "check the path",
        )
    try:
        text = file.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise FileFormatError(
            str(file),
            got=f"bytes that are not text: {error.reason}",
            wanted="TOML in UTF-8",
            cure="check the file",
        ) from error
    if not text.strip():
        raise FileFormatError(
            str(file), got="an empty file", wanted="a case in TOML", cure='begin with task = "conductivity"'
        )
    return text


def _model_of(data: dict[str, Any], source: str, text: str) -> type[Case]:
    task = data.get("task")
    if isinstance(task, str) and task in TASKS:
        return TASKS[task]
    names = list(TASKS)
    if task is None:
        close = [key for key in data if nearest_hint(key, ["task"]).startswith("did")]
        got = f"no task, but the key '{close[0]}'" if close else "no task"
        cure = f'write task = "{names[0]}" in the first line'
    else:
        got, cure = repr(task), nearest_hint(str(task), names)
    raise CaseError(_named(source, ("task",), text), got=got, wanted=" or ".join(map(repr, names)), cure=cure)


def _explained(
    error: ValidationError, model: type[Table], data: dict[str, Any], source: str, text: str
) -> InputError:
    """Turn the gravest of pydantic's findings into a refusal; unknown keys come first, they cause others."""
    found = error.errors(include_url=False)
    first = min(found, key=lambda item: item["type"] != "extra_forbidden")
    place = _place(first["loc"], data)
    same = [item for item in found if _place(item["loc"], data) == place]
    others = len({_place(item["loc"], data) for item in found}) - 1
    name = _named(source, place, text) + (f", and {others} more" if others else "")
    cause = first.get("ctx", {}).get("error")
    if isinstance(cause, InputError):
        return CaseError(name, got=cause.got, wanted=cause.wanted, cure=cause.cure)
    got, wanted, cure = _worded(first["type"], place, same, _keys_at(model, place[:-1]))
    return CaseError(name, got=got, wanted=wanted, cure=cure)


def _worded(kind: str, place: Place, same: list[Any], keys: list[str]) -> tuple[str, str, str]:
    last = str(place[-1]) if place else ""
    given = repr(same[0]["input"])
    given = given if len(given) <= 80 else given[:77] + "..."
    if kind == "extra_forbidden":
        top = len(place) > 1 and any(_is_plain_key(last, model) for model in TASKS.values())
        cure = f"move {last} above the first [table]" if top else nearest_hint(last, keys)
        return f"the unknown key '{last}'", f"a key among {', '.join(keys)}", cure
    if kind == "missing":
        return "nothing", f"the key or table '{last}'", f"add {last}; see `scalebridge schema`"
    if kind == "string_pattern_mismatch" and same[0]["loc"][-1] == "[key]":
        return f"the label '{last}'", "a whole number, the label in the image", "write for example [phases.0]"
    messages = [item["msg"].removeprefix("Value error, ").removeprefix("Input should be ") for item in same]
    wanted = ", or ".join(dict.fromkeys(messages))
    if kind == "value_error":
        return "neither or both", wanted, "leave one of them out"
    numeric = isinstance(same[0]["input"], str) and ("number" in wanted or "integer" in wanted)
    cure = f"write {last} without quotes" if numeric else f"correct {last}; see `scalebridge schema`"
    return given, wanted, cure


def _place(loc: Place, data: Any) -> Place:
    """Drop from pydantic's location the names of the alternatives that it tried."""
    place: list[str | int] = []
    for part in loc:
        inside = isinstance(data, dict) and part in data
        listed = isinstance(data, list) and isinstance(part, int) and part < len(data)
        if inside or listed:
            data = data[part]  # type: ignore[index]
        elif not isinstance(data, dict) or part == "[key]":
            break
        else:
            return (*place, part)
        place.append(part)
    return tuple(place)


def _keys_at(model: type[BaseModel], place: Place) -> list[str]:
    """Return the keys that the table at a place may have."""
    for part in place:
        if not isinstance(part, str) or part not in model.model_fields:
            continue  # a label of [phases]: its model has been entered already
        inner = _model_in(model.model_fields[part].annotation)
        if inner is None:
            return []
        model = inner
    return [field.alias or name for name, field in model.model_fields.items()]


def _is_plain_key(name: str, model: type[BaseModel]) -> bool:
    """Whether a model has a key of that name which is no table."""
    return name in model.model_fields and _model_in(model.model_fields[name].annotation) is None


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for inner in typing.get_args(annotation) if (found := _model_in(inner))), None)


def _named(source: str, place: Place, text: str) -> str:
    line = line_of(text, place)
    where = ".".join(str(part) for part in place) or "case"
    return f"{where} ({source}, line {line})" if line else f"{where} ({source})"


def _keys(dotted: str) -> list[str]:
    return [part.strip().strip("\"'") for part in dotted.split(".")]
