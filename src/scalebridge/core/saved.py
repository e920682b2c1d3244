"""Results that can be written as JSON: each says what it holds, the rest is the same for all."""

import abc
import json
import os
from pathlib import Path
from typing import Any, Protocol

from scalebridge.core.files import write_text


class Told(Protocol):
    """What every result of a verb has, whether it is `Saved` or has a file of its own kind."""

    @property
    def passed(self) -> bool:
        """Whether every check passed."""
        ...

    def to_dict(self) -> dict[str, Any]:
        """Return the result as plain data."""
        ...


class Saved(abc.ABC):
    """A result that is plain data, JSON text, and a file."""

    @abc.abstractmethod
    def to_dict(self) -> dict[str, Any]:
        """Return the result as plain data."""

    def to_json(self, *, indent: int | None = 2) -> str:
        """Return the result as JSON text; a number that is not finite becomes null."""
        return json.dumps(self.to_dict(), indent=indent, allow_nan=False)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the result as JSON, whole or not at all, and return the path."""
        return write_text(path, self.to_json() + "\n")
