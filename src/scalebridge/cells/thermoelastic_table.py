"""Effective stiffness and expansion over a range of temperatures, each temperature helped by those before.

The displacements of a load case change little and smoothly with the temperature. So those that are known are
a basis in which the next temperature's problem is solved first (Galerkin: the combination of least energy),
and the iteration only corrects what is left. Temperatures are taken from the ends inwards, so that the basis
surrounds what is asked.
"""

import csv
import io
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from scalebridge.cells.elastic_answer import ElasticAnswer, read_answer
from scalebridge.cells.elastic_job import ElasticJob, ElasticSettings, Scheme
from scalebridge.cells.elastic_result import bounds_of, checks_of, inputs_of, notes_of, provenance_of
from scalebridge.cells.elasticity_host import HostElasticity
from scalebridge.cells.expansion import expansion_of
from scalebridge.cells.image_input import Interfaces, Threshold
from scalebridge.cells.stiffness import ElasticImage, elastic_job, pictured
from scalebridge.core.checks import Check
from scalebridge.core.errors import InputError
from scalebridge.core.files import write_text
from scalebridge.core.provenance import Provenance, Stopwatch
from scalebridge.core.results import require_converged, worst_outcome
from scalebridge.core.upscaled import plain
from scalebridge.core.vectors import add_scaled, dot
from scalebridge.engine.progress import Meter, metered
from scalebridge.laws.temperature_table import parse_temperature
from scalebridge.upscaling.tangent import watched_tangent

_BASIS = 5  # displacements kept a load case; more cost more than they save
_PAIRS = ("11", "22", "33", "23", "13", "12")


@dataclass(frozen=True)
class ThermoelasticTable:
    """Effective stiffness and expansion at several temperatures, Mandel notation, in the image's axes.

    Args:
        temperatures: (n,), K, rising.
        stiffness: (n, 6, 6), Pa.
        expansion: (n, 6), 1/K, the tangent one; None where no phase expands.
        checks: what was preserved, the worst of all temperatures.
        steps: (n, cases) iterations.
        provenance: where it all came from.
        notes: sentences that a reader has to know.
        inputs: the phases at the first temperature.
        subject: the image, for pictures.
    """

    temperatures: np.ndarray
    stiffness: np.ndarray
    expansion: np.ndarray | None
    checks: tuple[Check, ...]
    steps: np.ndarray
    provenance: Provenance
    notes: tuple[str, ...] = ()
    inputs: dict[str, dict[str, Any]] | None = None
    subject: Any = None

    @property
    def passed(self) -> bool:
        """Whether every check passed."""
        return all(check.passed for check in self.checks)

    def secant_expansion(self, reference: float) -> np.ndarray:
        """Return the secant expansion from a reference temperature, (n, 6), 1/K.

        (1 / (T - T0)) times the integral of the tangent expansion from T0 to T, by the trapezoidal rule over
        the table; at T0 the tangent one.

        Args:
            reference: T0 in K, inside the table.

        Raises:
            InputError: T0 is outside, or nothing expands.
        """
        if self.expansion is None:
            raise InputError(
                "expansion", got="none", wanted="phases that expand", cure="add an expansion to the materials"
            )
        low, high = self.temperatures[[0, -1]]
        if not low <= reference <= high:
            raise InputError(
                "reference",
                got=f"{reference:g} K",
                wanted=f"a temperature from {low:g} to {high:g} K, which the table covers",
                cure="extend the temperatures to the reference",
            )
        points = np.union1d(self.temperatures, [reference])
        tangent = np.stack([np.interp(points, self.temperatures, a) for a in self.expansion.T], axis=1)
        steps = 0.5 * (tangent[1:] + tangent[:-1]) * np.diff(points)[:, None]
        grown = np.concatenate([np.zeros((1, 6)), np.cumsum(steps, axis=0)])
        grown = grown - grown[np.searchsorted(points, reference)]
        here = np.searchsorted(points, self.temperatures)
        away = self.temperatures - reference
        return np.where(
            away[:, None] == 0, tangent[here], grown[here] / np.where(away == 0, 1.0, away)[:, None]
        )

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "schema": "scalebridge/thermoelastic-table/1",
            "notation": "Mandel: 11, 22, 33, 23, 13, 12",
            "temperatures": self.temperatures.tolist(),
            "stiffness": self.stiffness.tolist(),
            "expansion": None if self.expansion is None else self.expansion.tolist(),
            "units": {"temperatures": "K", "stiffness": "Pa", "expansion": "1/K"},
            "checks": [check.to_dict() for check in self.checks],
            "steps": self.steps.tolist(),
            "notes": list(self.notes),
            "inputs": self.inputs,
            "provenance": self.provenance.to_dict(),
        }

    def to_csv(self) -> str:
        """Return the table as CSV text: temperature, the 21 components of the stiffness, the expansion."""
        upper = [(i, j) for i in range(6) for j in range(i, 6)]
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        header = ["temperature [K]", *(f"C{i + 1}{j + 1} Mandel [Pa]" for i, j in upper)]
        writer.writerow(
            header + ([] if self.expansion is None else [f"alpha{p} Mandel [1/K]" for p in _PAIRS])
        )
        for row, temperature in enumerate(self.temperatures):
            numbers = [temperature, *(self.stiffness[row, i, j] for i, j in upper)]
            numbers += [] if self.expansion is None else list(self.expansion[row])
            writer.writerow([f"{number:.10g}" for number in numbers])
        return out.getvalue()

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the table, whole or not at all: CSV if the name ends so, else JSON; return the path."""
        if str(path).lower().endswith(".csv"):
            return write_text(path, self.to_csv())
        return write_text(path, json.dumps(plain(self.to_dict()), indent=2, allow_nan=False) + "\n")

    def __str__(self) -> str:
        lines = ["T [K]      " + "  ".join(f"C{k}{k} [GPa]" for k in range(1, 7))]
        for row, temperature in enumerate(self.temperatures):
            shown = "  ".join(f"{x / 1e9:9.4g}" for x in np.diag(self.stiffness[row]))
            grown = (
                ""
                if self.expansion is None
                else "   alpha " + " ".join(f"{x:.4g}" for x in self.expansion[row, :3])
            )
            lines.append(f"{temperature:8.2f}  {shown}{grown}")
        return "\n".join([*lines, *(str(check) for check in self.checks), *self.notes])


def effective_thermoelasticity(  # noqa: D417 (most arguments are those of effective_stiffness)
    image: ElasticImage,
    phases: Mapping[Any, Any],
    temperatures: Sequence[float | str],
    *,
    orientations: Any = None,
    voxel: str | Sequence[str] | None = None,
    threshold: Threshold = None,
    interfaces: Interfaces = "sharp",
    scheme: Scheme = "hexahedra",
    rtol: float = 1e-6,
    residual_rtol: float | None = None,
    max_steps: int = 2000,
    read_options: dict[str, Any] | None = None,
    memory_limit: float | None = None,
    progress: bool | None = None,
    throw: bool = True,
) -> ThermoelasticTable:
    """Compute the effective stiffness C*(T) and expansion a*(T) over a range of temperatures.

    Args:
        image, phases, orientations, voxel, threshold, interfaces, scheme, rtol, residual_rtol, max_steps,
        read_options, memory_limit, progress, throw: as for `effective_stiffness`; constants may be tables or
            expressions over the temperature.
        temperatures: in K, or text such as "20 degC"; at least two, all different.

    Returns:
        a `ThermoelasticTable`.

    Raises:
        InputError: something in the input cannot be right; nothing long has run yet.
        SolverError: the solver did not converge, and `throw` is true.

    Cost: a temperature after the first few costs about a quarter of the first; some 60 bytes a voxel and
    load case beside the solve itself.

    Example:
        >>> import numpy as np
        >>> layers = np.array([[0, 0], [1, 1]])
        >>> polymer = {"young": [(250.0, "4 GPa"), (350.0, "2 GPa")], "poisson": 0.35, "expansion": 6e-5}
        >>> glass = {"young": "70 GPa", "poisson": 0.22, "expansion": 5e-6}
        >>> table = effective_thermoelasticity(layers, {0: polymer, 1: glass}, [250.0, 300.0, 350.0])
        >>> bool(table.stiffness[0, 0, 0] > table.stiffness[2, 0, 0])
        True
    """
    clock = Stopwatch()
    wanted = _checked(temperatures)
    job = elastic_job(
        image,
        phases,
        ElasticSettings(scheme, "periodic", rtol, residual_rtol, max_steps, "none"),
        temperature=float(wanted[0]),
        orientations=orientations,
        voxel=voxel,
        threshold=threshold,
        interfaces=interfaces,
        read_options=read_options,
        memory_limit=memory_limit,
    )
    for temperature in wanted:  # refuse what a table does not cover before any solve
        for constituent in job.constituents:
            constituent.material.stiffness(float(temperature))
            constituent.material.expansion(float(temperature))
    clock.lap("preparing")
    cases = 6 + job.thermal
    answers: dict[int, ElasticAnswer] = {}
    checks: dict[int, list[Check]] = {}
    basis = Basis()
    with metered(cases * len(wanted), "temperatures", progress) as meter:
        for row in inwards(len(wanted)):
            here = job.at(float(wanted[row]))
            answers[row] = _solved(here, basis, meter)
            checks[row] = checks_of(here, answers[row], bounds_of(here))
    clock.lap("solving")
    found = [answers[row] for row in range(len(wanted))]
    outcome = worst_outcome([code for answer in found for code in answer.codes])
    if throw:
        require_converged(outcome, "effective thermoelasticity")
    return ThermoelasticTable(
        temperatures=wanted,
        stiffness=np.stack([answer.stiffness for answer in found]),
        expansion=np.stack([expansion_of(answer) for answer in found]) if job.thermal else None,
        checks=_worst([checks[row] for row in range(len(wanted))]),
        steps=np.array(
            [[int(r.stats["steps"]) for r in a.tangent.responses if r is not None] for a in found]
        ),
        provenance=provenance_of(job, clock),
        notes=tuple(note for note in notes_of(job) if not note.startswith("At ")),
        inputs=inputs_of(job),
        subject=pictured(job),
    )


class Basis:
    """Displacements of each load case that are known, in single precision."""

    def __init__(self) -> None:
        self._known: dict[int, list[np.ndarray]] = {}

    def add(self, case: int, field: np.ndarray) -> None:
        """Keep a displacement, unless there are enough."""
        kept = self._known.setdefault(case, [])
        if len(kept) < _BASIS:
            kept.append(field.astype(np.float32))

    def best(self, model: HostElasticity, case: int, load: np.ndarray) -> np.ndarray | None:
        """Return the combination of least energy under a load, float64; None if nothing is known."""
        known = self._known.get(case, [])
        if not known:
            return None
        room = np.empty(model.kernels.nodes, np.float32)
        model.load_of(load, room)
        right = np.array([dot(field, room) for field in known])
        left = np.zeros((len(known), len(known)))
        for j, field in enumerate(known):
            model.kernels.product(model.solid.table, field, None, room)
            for i in range(j + 1):
                left[i, j] = left[j, i] = dot(known[i], room)
        share = np.linalg.lstsq(left, right, rcond=1e-10)[0]
        start = np.zeros(model.kernels.nodes)
        for part, field in zip(share, known, strict=True):
            add_scaled(start, float(part), field)
        return start


def inwards(count: int) -> list[int]:
    """Return the order in which a range is filled: both ends, the middle, the middles of what is left.

    Example:
        >>> inwards(5)
        [0, 4, 2, 1, 3]
    """
    order, gaps = [0, count - 1], [(0, count - 1)]
    while gaps:
        gaps.sort(key=lambda gap: gap[0] - gap[1])  # the widest first
        low, high = gaps.pop(0)
        middle = (low + high) // 2
        if middle not in (low, high):
            order.append(middle)
            gaps += [(low, middle), (middle, high)]
    return order


def _solved(job: ElasticJob, basis: Basis, meter: Meter) -> ElasticAnswer:
    model = job.model()
    for case in range(6 + model.thermal):
        start = basis.best(model, case, np.eye(6 + model.thermal)[case])
        if start is not None:
            model.starts[case] = start
    tangent = watched_tangent(model, chunk=4, watch=meter)
    for case, response in enumerate(tangent.responses):
        meter.next_case()
        if response is not None:
            basis.add(case, response.fields[0])
    return read_answer(model, tangent, job.dim)


def _worst(found: list[list[Check]]) -> tuple[Check, ...]:
    """Of each check the one that is nearest to failing, or failed worst."""
    kept = []
    for same in zip(*found, strict=True):
        sign = -1.0 if same[0].relation == "at least" else 1.0
        kept.append(max(same, key=lambda check: sign * (check.value - check.tolerance)))
    return tuple(kept)


def _checked(temperatures: Sequence[float | str]) -> np.ndarray:
    if isinstance(temperatures, str) or not hasattr(temperatures, "__len__") or len(temperatures) < 2:
        raise InputError(
            "temperatures",
            got=repr(temperatures),
            wanted="at least two temperatures",
            cure="pass a list such as [293, 400, 500], or ask effective_stiffness for one temperature",
        )
    found = np.sort(np.array([parse_temperature(t, "temperatures") for t in temperatures]))
    if np.any(np.diff(found) == 0):
        raise InputError(
            "temperatures", got="a temperature twice", wanted="different ones", cure="leave one out"
        )
    return found
