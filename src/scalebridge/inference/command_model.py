"""Models that are programs: parameters go in as a file, answers come out as one."""

import shlex
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from scalebridge.core.errors import InputError

_PLACES = ("{input}", "{output}")


class CommandModel:
    """A program, called like a function: values (n,) -> answers (m,).

    The command runs in an empty folder of its own, without a shell. `{input}` is a text file with one value a
    line, which the program reads; `{output}` is the file to which it writes one answer a line. Without
    `{output}` its standard output is read. An exit code that is not zero, too long a time, or an output that
    is not numbers is a failed evaluation.

    Args:
        command: "solver --in {input} --out {output}", or a list of its words.
        name: for tables and errors; the program's name unless given.
        timeout: s, of a single run.

    Raises:
        InputError: a command without `{input}`, or one that cannot be read.

    Example:
        >>> import sys
        >>> half = CommandModel([sys.executable, "-c", "print(float(open(r'{input}').read()) / 2)"])
        >>> half(np.array([3.0]))
        array([1.5])
    """

    def __init__(self, command: str | Sequence[str], *, name: str | None = None, timeout: float = 3600.0):
        try:
            self.words = shlex.split(command) if isinstance(command, str) else [str(word) for word in command]
        except ValueError as error:
            raise InputError(
                "command", got=repr(command), wanted=f"a command ({error})", cure="close quotes"
            ) from error
        if not self.words or not any(_PLACES[0] in word for word in self.words):
            raise InputError(
                "command",
                got=repr(command),
                wanted="a command with {input}",
                cure="write 'solver {input} {output}'",
            )
        if not timeout > 0:
            raise InputError("timeout", got=timeout, wanted="seconds", cure="pass timeout=60")
        self.timeout = timeout
        self.name = name or Path(self.words[0]).name

    def __call__(self, values: np.ndarray) -> np.ndarray:
        """Run the program and return its answers.

        Raises:
            RuntimeError: it failed, took too long, or wrote something else than numbers.
        """
        with tempfile.TemporaryDirectory(prefix="scalebridge-") as folder:
            asked, answered = Path(folder) / "input.txt", Path(folder) / "output.txt"
            asked.write_text("".join(f"{value:.17g}\n" for value in values), encoding="utf-8")
            filled = [w.replace("{input}", str(asked)).replace("{output}", str(answered)) for w in self.words]
            said = self._run(filled, folder)
            written = any(_PLACES[1] in word for word in self.words)
            if written and not answered.is_file():
                raise RuntimeError(f"{self.name} wrote no output")
            return _numbers(answered.read_text(encoding="utf-8") if written else said, self.name)

    def _run(self, words: list[str], folder: str) -> str:
        try:
            done = subprocess.run(  # noqa: S603 (the caller's own command, without a shell)
                words, cwd=folder, capture_output=True, text=True, timeout=self.timeout, check=False
            )
        except subprocess.TimeoutExpired:
            raise RuntimeError(f"{self.name} took longer than {self.timeout:g} s") from None
        except OSError as error:
            raise RuntimeError(f"{self.name} cannot be started: {error.strerror}") from error
        if done.returncode:
            last = (done.stderr.strip() or done.stdout.strip()).splitlines()[-1:] or [""]
            raise RuntimeError(f"{self.name} ended with code {done.returncode}: {last[0][:200]}")
        return done.stdout


def _numbers(text: str, name: str) -> np.ndarray:
    try:
        return np.array([float(word) for word in text.replace(",", " ").split()])
    except ValueError as error:
        raise RuntimeError(f"{name} wrote something else than numbers: {error}") from error
