"""What a question is known by: the SHA-256 of a function's name, its version and its inputs' content."""

import hashlib
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from scalebridge.core.errors import InputError


def hash_call(function: Callable[..., Any], version: str, inputs: Mapping[str, Any]) -> str:
    """Return the key of a call, as hexadecimal digits.

    Arrays count by their content, type and shape, tables without regard to order. A number and its text,
    a list and a tuple, 1 and 1.0 are different.

    Args:
        function: a function of a module, by whose name it counts.
        version: changes when the function's answers do.
        inputs: keyword arguments: numbers, text, bytes, lists, tuples, tables and arrays.

    Raises:
        InputError: the function has no name that another process could find, or an input is of a kind whose
            content is not known.

    Cost: that of SHA-256, about 1 ms a megabyte.

    Example:
        >>> a = hash_call(max, "1", {"values": np.arange(3), "scale": 2.0})
        >>> b = hash_call(max, "1", {"scale": 2.0, "values": np.arange(3)})
        >>> c = hash_call(max, "1", {"scale": 2.0, "values": np.arange(4)})
        >>> a == b, a == c, len(a)
        (True, False, 64)
    """
    name = f"{getattr(function, '__module__', '')}.{getattr(function, '__qualname__', '<nameless>')}"
    if "<" in name:
        raise InputError(
            "function",
            got=name,
            wanted="a function of a module, which workers can import",
            cure="define it at the top of a module",
        )
    digest = hashlib.sha256(f"{name}\n{version}\n".encode())
    _feed(digest, dict(inputs), "inputs")
    return digest.hexdigest()


def _feed(digest: Any, value: Any, place: str) -> None:
    """Add a value with its type and length, so that no two different values give the same bytes."""
    if isinstance(value, np.ndarray | np.generic):
        _feed_array(digest, np.asarray(value), place)
    elif value is None or isinstance(value, bool | int | str):
        _feed_text(digest, type(value).__name__, str(value))
    elif isinstance(value, float):
        _feed_text(digest, "float", value.hex())
    elif isinstance(value, bytes):
        digest.update(f"bytes {len(value)}\n".encode() + value)
    elif isinstance(value, list | tuple):
        digest.update(f"{type(value).__name__} {len(value)}\n".encode())
        for number, item in enumerate(value):
            _feed(digest, item, f"{place}[{number}]")
    elif isinstance(value, Mapping):
        digest.update(f"table {len(value)}\n".encode())
        for key in sorted(value, key=lambda k: (type(k).__name__, str(k))):
            _feed_text(digest, type(key).__name__, str(key))
            _feed(digest, value[key], f"{place}[{key!r}]")
    else:
        raise _refusal(place, f"a {type(value).__name__}")


def _feed_text(digest: Any, kind: str, text: str) -> None:
    raw = text.encode()
    digest.update(f"{kind} {len(raw)}\n".encode() + raw)


def _feed_array(digest: Any, array: np.ndarray, place: str) -> None:
    if array.dtype.kind not in "biufc":
        raise _refusal(place, f"an array of {array.dtype}")
    little = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
    digest.update(f"array {little.dtype.str} {array.shape}\n".encode())
    digest.update(little.data if little.size else b"")


def _refusal(place: str, got: str) -> InputError:
    return InputError(
        place,
        got=got,
        wanted="numbers, text, bytes, lists, tuples, tables and arrays of numbers",
        cure="pass plain data to the task, and make the object inside of it",
    )
