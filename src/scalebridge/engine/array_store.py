"""Finished work that is large: arrays by name, one binary file a result."""

import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from scalebridge.engine.task_folder import TaskFolder


class ArrayStore(TaskFolder):
    """Results that are tables of arrays. Files carry checksums, so that a damaged one is missing.

    Example:
        >>> import tempfile
        >>> from scalebridge.engine.task_folder import MISSING
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     store = ArrayStore(folder)
        ...     store.put("ab12", {"mean": np.arange(3.0)})
        ...     store.get("ab12")["mean"].tolist(), store.get("cd34") is MISSING
        ([0.0, 1.0, 2.0], True)
    """

    suffix = ".npz"
    damage = (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error)

    @staticmethod
    def returned(result: Any) -> Any:
        """Return arrays as they are: files keep every bit."""
        return result

    def _read(self, path: Path, key: str) -> dict[str, np.ndarray]:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as held:
            return {name: held[name] for name in held.files}

    def _write(self, path: Path, key: str, result: Mapping[str, np.ndarray]) -> None:
        with path.open("wb") as stream:
            named: dict[str, Any] = dict(result)
            np.savez(stream, **named)
