"""A folder of finished work: one file a result, named by a hash of the question, whole or not there.

Several processes may use a folder at once: each writes under a name of its own and renames, and the same
question has the same answer.
"""

import abc
import os
import uuid
from pathlib import Path
from typing import Any

from scalebridge.core.errors import InputError

MISSING: Any = object()
"""What `TaskFolder.get` returns where there is no result."""


class TaskFolder(abc.ABC):
    """A folder of finished results; what a file looks like is the final class's.

    Args:
        folder: made if absent.
        fresh: whether results that are there already count as missing, and are written anew.

    Raises:
        InputError: the folder is a file, or nothing can be written there.
    """

    suffix: str
    damage: tuple[type[Exception], ...]
    """What reading raises of a file that is not whole."""

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
        return sum(1 for _ in self.folder.glob(f"*{self.suffix}"))

    def get(self, key: str) -> Any:
        """Return the result of a key, or MISSING.

        A file that is not whole, or not what was written, counts as missing and is noted in `damaged`.
        """
        if self._own is not None and key not in self._own:
            return MISSING
        try:
            return self._read(self._path(key), key)
        except FileNotFoundError:
            return MISSING
        except self.damage:
            self.damaged.append(key)
            return MISSING

    def put(self, key: str, result: Any) -> None:
        """Keep a result.

        Raises:
            InputError: the result has a part of a kind that is not known.
        """
        # A process number alone is not unique between threads, or between machines that share a disk.
        part = self.folder / f".{key}.{uuid.uuid4().hex}.part"
        try:
            self._write(part, key, result)
            part.replace(self._path(key))
            if self._own is not None:
                self._own.add(key)
        finally:
            part.unlink(missing_ok=True)

    @staticmethod
    @abc.abstractmethod
    def returned(result: Any) -> Any:
        """Return a result as it comes back from such a folder."""

    @abc.abstractmethod
    def _read(self, path: Path, key: str) -> Any:
        """Read a file; raise one of `damage` where it is not what was written."""

    @abc.abstractmethod
    def _write(self, path: Path, key: str, result: Any) -> None:
        """Write a file."""

    def _path(self, key: str) -> Path:
        return self.folder / f"{key}{self.suffix}"

    def _refusal(self, why: str) -> InputError:
        return InputError(
            "store",
            got=f"'{self.folder}', {why}",
            wanted="a folder for finished work",
            cure="choose another place, or leave the store out",
        )
