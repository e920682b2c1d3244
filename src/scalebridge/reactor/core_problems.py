"""Published cores, each with its reference: for tests, examples, benchmarks and the command line alike."""

import json
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import numpy as np

from scalebridge.core.errors import InputError


@dataclass(frozen=True, eq=False)
class CoreBenchmark:
    """A published core with its reference.

    Args:
        name: of the problem.
        arguments: of `solve_core`.
        assembly: pitch of whole assemblies, cm; those on the lines of symmetry are cut in half.
        k: reference multiplication.
        power: reference powers of assemblies by their mean, NaN where there is none; None if unpublished.
        source: where it comes from.
    """

    name: str
    arguments: dict[str, Any]
    assembly: float
    k: float
    power: np.ndarray | None
    source: str


def core_benchmark(name: str) -> CoreBenchmark:
    """Return a published core.

    Args:
        name: "iaea2d" or "biblis2d".

    Raises:
        InputError: there is no such problem.

    Example:
        >>> problem = core_benchmark("iaea2d")
        >>> problem.k, problem.assembly, len(problem.arguments["core"])
        (1.02959, 20.0, 9)
    """
    told = json.loads(files("scalebridge.reactor").joinpath("core_problems.json").read_text(encoding="utf-8"))
    if name not in told:
        raise InputError("name", got=repr(name), wanted=", ".join(map(repr, told)), cure="choose one of them")
    found = told[name]
    pitch, count = found["assembly"], len(found["core"])
    widths = [pitch / 2] + [pitch] * (count - 1)
    return CoreBenchmark(
        name,
        {
            "core": found["core"],
            "materials": found["materials"],
            "pitch": [widths, widths],
            "boundary": {"west": "reflective", "north": "reflective", "others": "vacuum"},
            "buckling": found["buckling"],
        },
        pitch,
        found["k"],
        None if found["power"] is None else np.array(found["power"], dtype=float),
        found["source"],
    )
