"""Places of outputs, looked at before the work."""

import os
from pathlib import Path

from scalebridge.core.errors import InputError


def check_place(name: str, path: Path, inputs: tuple[Path, ...]) -> None:
    """Refuse a path that cannot be written, or that is an input.

    Args:
        name: what is to be written there, for the error.
        path: the file to write.
        inputs: files that must not be overwritten.

    Raises:
        InputError: the path is a folder, an input, or not writable.
    """
    if any(path.resolve() == other.resolve() for other in inputs):
        raise InputError(
            name,
            got=f"'{path}', which is an input",
            wanted="another file, because inputs are never overwritten",
            cure="choose another name",
        )
    if path.is_dir():
        raise InputError(name, got=f"'{path}', a folder", wanted="a file", cure=f"write '{path}/NAME'")
    folder = path if path.exists() else next(parent for parent in path.resolve().parents if parent.exists())
    if not path.exists() and not folder.is_dir():
        raise InputError(
            name,
            got=f"'{path}' inside '{folder}', which is a file",
            wanted="a folder",
            cure="choose another place",
        )
    if not os.access(folder, os.W_OK):
        raise InputError(
            name,
            got=f"'{path}', where writing is not allowed",
            wanted="a place that can be written",
            cure="choose another place, or change its permissions",
        )
