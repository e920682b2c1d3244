"""Finished work on disk: one file a result, named by a hash of the question, whole or not there.

A file holds its result as JSON with the SHA-256 of it; arrays keep every bit. Several processes may use a
folder at once: each writes under a name of its own and renames, and the same question has the same answer.
"""

import base64
import hashlib
import json
import math
import os
import uuid
from pathlib import Path
from typing import Any

import numpy as np

from scalebridge.core.errors import InputError

SCHEMA = "scalebridge/task/1"
MISSING: Any = object()
"""What `Store.get` returns where there is no result."""


class Store:
    """A folder of finished results.

    Args:
        folder: made if absent.
        fresh: whether results that are there already count as missing, and are written anew.

    Raises:
        InputError: the folder is a file, or nothing can be written there.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     store = Store(folder)
        ...     store.put("ab12", {"tensor": np.eye(2), "steps": (3, 4)})
        ...     store.get("ab12")["steps"], store.get("cd34") is MISSING, len(store)
        ((3, 4), True, 1)
    """

    def __init__(self, folder: str | os.PathLike[str], *, fresh: bool = False):
        self.folder = Path(folder)
        self._own: set[str] | None = set() if fresh else None
        self.damaged: list[str] = []
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError) as error:
            raise self._refusal("which is a file") from error
        except OSError as error:
            raise self._refusal(f"which cannot be made ({error.strerror})") from error
        if not os.access(self.folder, os.W_OK | os.X_OK):
            raise self._refusal("where writing is not allowed")

    @property
    def fresh(self) -> bool:
        """Whether what was there before counts as missing."""
        return self._own is not None

    def __len__(self) -> int:
        return sum(1 for _ in self.folder.glob("*.json"))

    def get(self, key: str) -> Any:
        """Return the result of a key, or MISSING.

        A file that is not whole, or not what was written, counts as missing and is noted in `damaged`.
        """
        if self._own is not None and key not in self._own:
            return MISSING
        path = self._path(key)
        try:
            told = json.loads(path.read_bytes())
            text = told["result"]
            whole = told["schema"] == SCHEMA and told["key"] == key and told["sha256"] == _sha256(text)
            if whole:
                return decode(json.loads(text))
        except FileNotFoundError:
            return MISSING
        except (OSError, ValueError, KeyError, TypeError):
            pass
        self.damaged.append(key)
        return MISSING

    def put(self, key: str, result: Any) -> None:
        """Keep a result: numbers, text, lists, tuples, tables by text, and arrays of numbers.

        Raises:
            InputError: the result has a part of another kind.
        """
        text = json.dumps(encode(result), allow_nan=False)
        told = {"schema": SCHEMA, "key": key, "sha256": _sha256(text), "result": text}
        # A process number alone is not unique between threads, or between machines that share a disk.
        part = self.folder / f".{key}.{uuid.uuid4().hex}.part"
        try:
            part.write_text(json.dumps(told), encoding="utf-8")
            part.replace(self._path(key))
            if self._own is not None:
                self._own.add(key)
        finally:
            part.unlink(missing_ok=True)

    def _path(self, key: str) -> Path:
        return self.folder / f"{key}.json"

    def _refusal(self, why: str) -> InputError:
        return InputError(
            "store",
            got=f"'{self.folder}', {why}",
            wanted="a folder for finished work",
            cure="choose another place, or leave the store out",
        )


def encode(value: Any) -> Any:
    """Turn a result into what JSON knows, without losing a bit.

    Raises:
        InputError: a part is of a kind that is not known.
    """
    if isinstance(value, np.ndarray | np.generic):
        return _encode_array(np.asarray(value))
    if value is None or isinstance(value, bool | str | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else {"float": repr(value)}
    if isinstance(value, list):
        return [encode(item) for item in value]
    if isinstance(value, tuple):
        return {"tuple": [encode(item) for item in value]}
    if isinstance(value, dict) and all(isinstance(key, str) for key in value):
        return {"dict": {key: encode(item) for key, item in value.items()}}
    raise InputError(
        "result",
        got=f"a {type(value).__name__} in the result of a task",
        wanted="numbers, text, lists, tuples, tables by text, and arrays of numbers",
        cure="let the task return plain data, or leave the store out",
    )


def decode(value: Any) -> Any:
    """Return what `encode` was given; a number of NumPy's becomes an array without axes."""
    if isinstance(value, list):
        return [decode(item) for item in value]
    if not isinstance(value, dict):
        return value
    (kind, inside), *others = value.items()
    if others:
        raw = base64.b64decode(value["array"], validate=True)
        return np.frombuffer(raw, dtype=np.dtype(value["dtype"])).reshape(value["shape"]).copy()
    if kind == "float":
        return float(inside)
    if kind == "tuple":
        return tuple(decode(item) for item in inside)
    return {key: decode(item) for key, item in inside.items()}


def _encode_array(array: np.ndarray) -> dict[str, Any]:
    if array.dtype.kind not in "biufc":
        raise InputError(
            "result",
            got=f"an array of {array.dtype} in the result of a task",
            wanted="arrays of numbers",
            cure="let the task return plain data, or leave the store out",
        )
    little = array.astype(array.dtype.newbyteorder("<"), order="C", copy=False)
    raw = base64.b64encode(little.tobytes()).decode("ascii")
    return {"array": raw, "dtype": little.dtype.str, "shape": list(array.shape)}


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
