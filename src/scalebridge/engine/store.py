"""Finished work on disk as JSON: a result with the SHA-256 of it; arrays keep every bit."""

import base64
import hashlib
import json
import math
import os
from pathlib import Path
from typing import Any

import numpy as np

from scalebridge.core.errors import InputError
from scalebridge.engine.task_folder import TaskFolder

SCHEMA = "scalebridge/task/1"


class Store(TaskFolder):
    """Results that are numbers, text, lists, tuples, tables by text, and arrays of numbers.

    Example:
        >>> import tempfile
        >>> from scalebridge.engine.task_folder import MISSING
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     store = Store(folder)
        ...     store.put("ab12", {"tensor": np.eye(2), "steps": (3, 4)})
        ...     store.get("ab12")["steps"], store.get("cd34") is MISSING, len(store)
        ((3, 4), True, 1)
    """

    suffix = ".json"
    damage = (OSError, ValueError, KeyError, TypeError)

    @classmethod
    def at(cls, given: "str | os.PathLike[str] | Store | None") -> "Store | None":
        """Return the store of a folder; a store is itself, and nothing stays nothing."""
        return given if given is None or isinstance(given, Store) else cls(given)

    @staticmethod
    def returned(result: Any) -> Any:
        """Return a result with a number of NumPy's as an array without axes, as `decode` does."""
        return decode(encode(result))

    def _read(self, path: Path, key: str) -> Any:
        told = json.loads(path.read_bytes())
        text = told["result"]
        if told["schema"] != SCHEMA or told["key"] != key or told["sha256"] != _sha256(text):
            raise ValueError("not what was written")
        return decode(json.loads(text))

    def _write(self, path: Path, key: str, result: Any) -> None:
        text = json.dumps(encode(result), allow_nan=False)
        told = {"schema": SCHEMA, "key": key, "sha256": _sha256(text), "result": text}
        path.write_text(json.dumps(told), encoding="utf-8")


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
