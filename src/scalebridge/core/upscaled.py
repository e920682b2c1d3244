"""Upscaled: what a passage between scales returns."""

import json
import math
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import numpy as np
from jaxtyping import Array

from scalebridge.core.checks import Check
from scalebridge.core.errors import FileFormatError
from scalebridge.core.estimate import Estimate
from scalebridge.core.provenance import Provenance
from scalebridge.core.results import Outcome
from scalebridge.core.saved import Saved
from scalebridge.core.spec import Spec

_NEGLIGIBLE = 1e-3  # of the largest part of an uncertainty
ALGEBRAIC = "algebraic"
"""Name of the part of an uncertainty that is the solver's own error."""
SCHEMA = "scalebridge/upscaled/1"


@dataclass(frozen=True)
class Bound:
    """A pair of bounds (or of values that bracket the answer) of the same shape as the answer, or numbers.

    Args:
        lower: lower bound.
        upper: upper bound.
        holds_for: what is bounded, in words: "the tensor" (Loewner order), or "the mean of the principal
            values".
        source: author and year.
    """

    lower: np.ndarray
    upper: np.ndarray
    holds_for: str
    source: str


@dataclass(frozen=True)
class Contribution:
    """One named part of the uncertainty.

    Args:
        std: standard deviation, of the answer's shape and unit.
        method: how it was found, in a sentence.
    """

    std: np.ndarray
    method: str


@dataclass(frozen=True)
class Upscaled(Saved):
    """A number that was handed up, with its unit, uncertainty, derivatives, proof and origin.

    Args:
        spec: name, unit and shape of the answer.
        value: the answer.
        derivatives: d(answer) / d(input) by the input's name; the answer's axes come first. None where it
            does not exist, with the reason among the notes.
        checks: what was preserved, measured.
        bounds: named bounds.
        uncertainty: the parts of the uncertainty by name.
        estimate: what is known about the answer, as an Estimate; None when no input had a spread.
        outcome: how the numerical method ended.
        stats: numbers about the work: iterations, histories, algebraic error.
        provenance: where it all came from.
        fields: local fields by name, components first; empty unless asked for.
        notes: sentences that a reader has to know: assumptions, reasons for a zero.
        inputs: the inputs that a reader would want to see again: value, unit and spread by name.
        subject: what was upscaled (an image, a stack of layers), for pictures; not saved.
    """

    spec: Spec
    value: np.ndarray
    derivatives: dict[str, np.ndarray | None] = field(default_factory=dict)
    checks: tuple[Check, ...] = ()
    bounds: dict[str, Bound] = field(default_factory=dict)
    uncertainty: dict[str, Contribution] = field(default_factory=dict)
    estimate: Estimate | None = None
    outcome: Outcome = Outcome.converged
    stats: dict[str, Any] = field(default_factory=dict)
    provenance: Provenance = field(default_factory=lambda: Provenance({}, {}))
    fields: dict[str, np.ndarray] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    inputs: dict[str, dict[str, Any]] = field(default_factory=dict)
    subject: Any = None

    @classmethod
    def traced(cls, spec: Spec, value: Array) -> "Upscaled":
        """Make the result of a call that JAX is tracing: checks need numbers, and there are none yet."""
        note = "Traced by JAX: checks, bounds and derivatives were not computed."
        return cls(spec, cast("np.ndarray", value), notes=(note,))

    @property
    def unit(self) -> str:
        """SI unit of the answer, "1" when it is dimensionless."""
        return self.spec.unit

    @property
    def std(self) -> np.ndarray | None:
        """Standard deviation of the answer: the root of the sum of squares of its parts.

        None without any, and where nothing but the solver's own error was assessed: that of the answer to the
        question, which voxels, sample and inputs decide, is then not known, and is far larger.
        """
        if self.uncertainty.keys() <= {ALGEBRAIC}:
            return None
        return np.sqrt(sum(np.asarray(part.std) ** 2 for part in self.uncertainty.values()))

    @property
    def passed(self) -> bool:
        """Whether every check passed and the method converged."""
        return self.outcome is Outcome.converged and all(check.passed for check in self.checks)

    def __str__(self) -> str:
        return "\n".join(_summary(self))

    def to_dict(self) -> dict[str, Any]:
        """Return plain data: everything but fields and subject."""
        return {
            "schema": SCHEMA,
            "quantity": self.spec.name,
            "unit": self.spec.unit,
            "value": plain(self.value),
            "std": plain(self.std),
            "derivatives": plain(self.derivatives),
            "checks": [check.to_dict() for check in self.checks],
            "passed": self.passed,
            "bounds": {name: plain(vars(bound)) for name, bound in self.bounds.items()},
            "uncertainty": {name: plain(vars(part)) for name, part in self.uncertainty.items()},
            "outcome": {"code": self.outcome.name, "sentence": self.outcome.sentence},
            "stats": plain(self.stats),
            "notes": list(self.notes),
            "inputs": plain(self.inputs),
            "provenance": plain(self.provenance.to_dict()),
        }


def load_result(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Read a result that `Upscaled.save` wrote, as plain data with arrays for value and std.

    Args:
        path: the JSON file.

    Returns:
        what `Upscaled.to_dict` gave, in SI units; a number that was not finite is NaN in the arrays and None
        elsewhere.

    Raises:
        FileFormatError: there is no such file, or it is not JSON, or not a result of this schema.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     saved = Upscaled(Spec("conductivity", "W/m/K"), np.asarray(2.5)).save(Path(folder) / "k.json")
        ...     found = load_result(saved)
        >>> found["quantity"], float(found["value"]), found["unit"]
        ('conductivity', 2.5, 'W/m/K')
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise FileFormatError(
            "path",
            got=f"{path}, which cannot be read: {error}",
            wanted="a result in JSON",
            cure="pass a file that Upscaled.save wrote",
        ) from error
    try:
        data = json.loads(text)
    except json.JSONDecodeError as error:
        raise FileFormatError(
            "path", got=f"{path}: {error}", wanted="a result in JSON", cure="save it again with Upscaled.save"
        ) from error
    if not isinstance(data, dict) or data.get("schema") != SCHEMA:
        found = data.get("schema") if isinstance(data, dict) else type(data).__name__
        raise FileFormatError(
            "path",
            got=f"{path} with schema {found}",
            wanted=SCHEMA,
            cure="pass a file that Upscaled.save wrote",
        )
    data["value"] = np.asarray(data["value"], dtype=float)
    data["std"] = None if data["std"] is None else np.asarray(data["std"], dtype=float)
    return data


def plain(value: Any) -> Any:
    """Turn arrays, tuples and NumPy numbers into what JSON knows; what is not finite becomes None."""
    if isinstance(value, dict):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [plain(v) for v in value]
    if isinstance(value, bool | str) or value is None:
        return value
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if isinstance(value, int) else str(value)


def uncertainty_lines(result: Upscaled) -> list[str]:
    """Return a line for each part of the uncertainty, of a tensor's diagonal; small ones share one."""
    parts = {name: np.atleast_1d(np.asarray(part.std, float)) for name, part in result.uncertainty.items()}
    largest = max((float(np.max(std)) for std in parts.values()), default=0.0)
    small = [name for name, std in parts.items() if float(np.max(std)) < _NEGLIGIBLE * largest]
    lines = []
    for name, std in parts.items():
        if name not in small:
            shown = np.diagonal(std) if std.ndim == 2 else std
            lines.append(f"± by {name}: {', '.join(f'{x:.2g}' for x in shown)}")
    return lines + ([f"± below a thousandth of these: {', '.join(small)}"] if small else [])


def _summary(result: Upscaled) -> list[str]:
    unit = "" if result.unit == "1" else f" {result.unit}"
    lines = [f"{result.spec.name}{unit}"]
    lines += [f"  {line}" for line in _rows(result.value, result.std)]
    lines += [f"  {line}" for line in uncertainty_lines(result)]
    for name, bound in result.bounds.items():
        if np.ndim(bound.lower) == 0:
            lines.append(
                f"  {name}: {float(bound.lower):.6g} to {float(bound.upper):.6g} ({bound.holds_for})"
            )
    for name, derivative in result.derivatives.items():
        if (
            derivative is not None
            and np.shape(derivative) == np.shape(result.value)
            and np.ndim(derivative) == 2
        ):
            diagonal = ", ".join(f"{x:.4g}" for x in np.diagonal(derivative))
            lines.append(f"  d/d({name}), diagonal: {diagonal}")
    lines += [f"  {check}" for check in result.checks]
    lines += [f"  note: {note}" for note in result.notes]
    if result.outcome is not Outcome.converged:
        lines.append(f"  {result.outcome.sentence}")
    return lines


def _rows(value: np.ndarray, std: np.ndarray | None) -> list[str]:
    table = np.atleast_2d(np.asarray(value, dtype=float))
    spread = None if std is None else np.atleast_2d(np.asarray(std, dtype=float))
    scale = np.max(np.abs(table)) or 1.0
    if spread is not None:
        spread = np.where(spread < 1e-12 * scale, 0.0, spread)
    rows = []
    for i, row in enumerate(table):
        cells = []
        for j, number in enumerate(row):
            shown = 0.0 if abs(number) < 1e-12 * scale else number
            cells.append(f"{shown:12.6g}" + ("" if spread is None else f" ± {spread[i, j]:.2g}"))
        rows.append("  ".join(cells))
    return rows
