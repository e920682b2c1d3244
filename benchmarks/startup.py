"""Processor time until the package is imported and until the command line has shown its help."""

import os
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

_ROUNDS = 5
_BARS = {"import scalebridge": 1.5, "scalebridge --help": 0.5}  # seconds


def measured() -> list[dict[str, Any]]:
    """Return each command's least processor time (user and system) of five fresh processes, and its bar."""
    script = Path(sys.executable).with_name("scalebridge")
    commands = {
        "import scalebridge": [sys.executable, "-c", "import scalebridge"],
        "scalebridge --help": [str(script), "--help"],
    }
    rows = []
    for name, command in commands.items():
        row: dict[str, Any] = {"command": name, "bar_seconds": _BARS[name]}
        try:
            row["seconds"] = min(_processor_seconds(command) for _ in range(_ROUNDS))
        except OSError as error:
            row["reason"] = str(error)
        except subprocess.CalledProcessError as error:
            row["reason"] = (error.stderr.decode().strip() or str(error)).splitlines()[-1]
        rows.append(row)
    return rows


def _processor_seconds(command: list[str]) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, capture_output=True, env={**os.environ, "PYTHONWARNINGS": "ignore"})
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
