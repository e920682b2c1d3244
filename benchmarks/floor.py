"""The floor beside a contender: transforms timed just before and after each of its solves.

This file runs in the peers' own environments too, so it needs nothing but Python.
"""

import json
import subprocess
from pathlib import Path
from typing import Any

_ROOT = Path(__file__).resolve().parent.parent


class Floor:
    """The transform libraries in a process of their own, which waits while a contender works.

    A solve and a floor that are timed minutes apart are timed on two machines, since others use the same
    processor; and a library that sits in the contender's process is not always the fastest one.

    Args:
        job: "python" (the interpreter that has the libraries), "size" (points an edge), "threads" and
            "components" (transform pairs an iteration).
    """

    def __init__(self, job: dict[str, Any]):
        command = [
            job["python"],
            "-m",
            "benchmarks.transforms",
            "serve",
            str(job["size"]),
            str(job["threads"]),
        ]
        self._components = job["components"]
        self._process = subprocess.Popen(
            command, cwd=_ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self._line()

    def seconds(self) -> dict[str, list[float]]:
        """Return the seconds of ten iterations' transforms by library."""
        if self._process.stdin is None:
            raise RuntimeError("The floor was started without a pipe.")
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        found = json.loads(self._line())
        return {name: [self._components * one for one in times] for name, times in found.items()}

    def close(self) -> None:
        """End the process."""
        self._process.communicate("")

    def _line(self) -> str:
        if self._process.stdout is None:
            raise RuntimeError("The floor was started without a pipe.")
        return self._process.stdout.readline()
