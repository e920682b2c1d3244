"""What a case asks for, of any domain: where its answer goes, and by which hash it is known again."""

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from scalebridge.cli.case_tables import Table
from scalebridge.cli.outputs import Outputs
from scalebridge.core.files import sha256_of
from scalebridge.core.provenance import installed_versions


def outputs_of(table: Table, folder: Path, title: str | None = None) -> Outputs:
    """Return the outputs that a case asks for, their paths settled."""
    base = folder / getattr(table, "folder", ".")
    paths = {name: getattr(table, name, None) for name in ("result", "report", "fields", "card")}
    placed = {name: None if path is None else base / path for name, path in paths.items()}
    return Outputs(**placed, dialect=getattr(table, "dialect", "calculix"), title=title)


def finished(outputs: Outputs, request: str) -> dict[str, Any] | None:
    """Return the stored result if this very request was answered before and all its files are still there."""
    stored = outputs.stored()
    if stored is None or stored.get("request") != request:
        return None
    return stored if outputs.complete(stored.get("files", {})) else None


def digest_of(told: dict[str, Any]) -> str:
    """Return the SHA-256 of plain data that decide a case's numbers, and of the versions that do."""
    text = json.dumps(told | {"versions": installed_versions()}, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def digest_of_files(case: Any, files: Iterable[Path]) -> str:
    """Return the SHA-256 of all that decides the numbers of a case that reads tables or arrays.

    Args:
        case: the case; its title and its output decide nothing.
        files: what it reads, of a folder all that is in it; one that is neither is left to the reader to
            refuse.
    """
    content = [_content(file) for file in files]
    return digest_of(case.model_dump(exclude={"output", "title"}) | {"content": content})


def _content(file: Path) -> str | dict[str, str] | None:
    """Return the SHA-256 of a file, or of each file of a folder, such as a Zarr store, by its name."""
    if file.is_dir():
        inside = sorted(part for part in file.rglob("*") if part.is_file())
        return {part.relative_to(file).as_posix(): sha256_of(part) for part in inside}
    return sha256_of(file) if file.is_file() else None
