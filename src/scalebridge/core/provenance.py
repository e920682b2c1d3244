"""Where a number comes from: inputs, settings, versions, time.

Plain host data, never inside a traced tree.
"""

import platform
import time
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from typing import Any

_PACKAGES = ("scalebridge", "jax", "jaxlib", "equinox", "numpy", "scipy")


@dataclass(frozen=True)
class Provenance:
    """The origin of a result.

    Args:
        inputs: what came in: for an image its hash, shape, voxel size and file name.
        settings: every option that can change the number, defaults included.
        versions: packages and their versions.
        machine: processor architecture, system and Python.
        started: when the work began, ISO 8601 in UTC.
        elapsed: wall time, s, by part.
        seed: seed of the random numbers, None where none are drawn.
    """

    inputs: dict[str, Any]
    settings: dict[str, Any]
    versions: dict[str, str] = field(default_factory=dict)
    machine: dict[str, str] = field(default_factory=dict)
    started: str = ""
    elapsed: dict[str, float] = field(default_factory=dict)
    seed: int | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        return asdict(self)


def installed_versions() -> dict[str, str]:
    """Return the versions of the packages that decide a number."""
    found = {}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "unknown"
    return found


def this_machine() -> dict[str, str]:
    """Return architecture, system and Python version; no host name, no user name."""
    return {"machine": platform.machine(), "system": platform.system(), "python": platform.python_version()}


class Stopwatch:
    """Wall time by named part; `lap(name)` closes the part that has run since the last call."""

    def __init__(self):
        self.started = datetime.now(UTC).isoformat(timespec="seconds")
        self.elapsed: dict[str, float] = {}
        self._last = time.perf_counter()

    def lap(self, name: str) -> None:
        """Add the time since the last lap to the part `name`."""
        now = time.perf_counter()
        self.elapsed[name] = self.elapsed.get(name, 0.0) + now - self._last
        self._last = now
