"""Finished work that is large: arrays by name, one binary file a result, whole or not there."""

import os
import uuid
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from scalebridge.engine.store import MISSING, Store


class ArrayStore:
    """A folder of results that are tables of arrays. Files carry checksums, so that a damaged one is missing.

    Args:
        folder: made if absent.
        fresh: whether results that are there already count as missing, and are written anew.

    Raises:
        InputError: the folder is a file, or nothing can be written there.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     store = ArrayStore(folder)
        ...     store.put("ab12", {"mean": np.arange(3.0)})
        ...     store.get("ab12")["mean"].tolist(), store.get("cd34") is MISSING
        ([0.0, 1.0, 2.0], True)
    """

    def __init__(self, folder: str | os.PathLike[str], *, fresh: bool = False):
        self.folder = Store(folder).folder  # refuses what cannot be one
        self._own: set[str] | None = set() if fresh else None
        self.damaged: list[str] = []

    def get(self, key: str) -> Any:
        """Return the arrays of a key, or MISSING; a file that is not whole is noted in `damaged`."""
        if self._own is not None and key not in self._own:
            return MISSING
        try:
            with self._path(key).open("rb") as stream, np.load(stream, allow_pickle=False) as held:
                return {name: held[name] for name in held.files}
        except FileNotFoundError:
            return MISSING
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error):
            self.damaged.append(key)
            return MISSING

    def put(self, key: str, result: Mapping[str, np.ndarray]) -> None:
        """Keep arrays by name."""
        part = self.folder / f".{key}.{uuid.uuid4().hex}.part"
        try:
            with part.open("wb") as stream:
                named: dict[str, Any] = dict(result)
                np.savez(stream, **named)
            part.replace(self._path(key))
            if self._own is not None:
                self._own.add(key)
        finally:
            part.unlink(missing_ok=True)

    def _path(self, key: str) -> Path:
        return self.folder / f"{key}.npz"
