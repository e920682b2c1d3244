"""What a fusion found: the field with its deviation, what was learnt and left out, skill, checks."""

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from scalebridge.core.checks import Check
from scalebridge.core.errors import InputError
from scalebridge.core.provenance import Provenance
from scalebridge.core.saved import Saved
from scalebridge.core.upscaled import plain
from scalebridge.fusion.bands import band_correlation
from scalebridge.fusion.block_estimate import Estimate, Gated
from scalebridge.fusion.field_files import (
    Frame,
    check_field_path,
    coordinates,
    described,
    read_field,
    write_field,
)
from scalebridge.fusion.fusion_grid import Grid
from scalebridge.fusion.fusion_problem import Problem, day_text
from scalebridge.fusion.held_out import HeldOut, overall
from scalebridge.fusion.learning import Learnt

SCHEMA = "scalebridge/fusion/1"


class Written(NamedTuple):
    """A field that was written tile by tile and is not in memory.

    Args:
        file: where it is.
        grid: its pixels.
        step: every so-many-th pixel of it is in `mean` and `std`.
        totals: its mean, and the root mean square of its standard deviation.
        tiles: how many.
        footprints: how many were learnt from.
    """

    file: Path
    grid: Grid
    step: int
    totals: tuple[float, float]
    tiles: int
    footprints: int


@dataclass(frozen=True)
class Fused(Saved):
    """A field at the finest resolution, on every date, with its standard deviation.

    Args:
        mean: (dates, rows, columns), in the unit of the data; (dates, bands, rows, columns) where sensors
            name bands.
        std: standard deviation of the field itself, without the noise of any sensor.
        days: (dates,).
        problem: what was fused, without the scenes that were left out.
        method: "blocks", "sparse" or "iterative".
        why: why that method.
        learnt: the parameters.
        estimate: residuals and coefficients beside the field.
        gated: scenes that were left out.
        held_out: scenes predicted without them.
        checks: what has to hold, measured.
        notes: what a reader has to know.
        provenance: where it all came from.
        written: where the field is, if it was written tile by tile: `mean`, `std` and `problem` are then an
            overview, every so-many-th pixel.
        draws: (draws, dates, rows, columns), fields drawn from the posterior, where they were asked for.

    Example:
        >>> import scalebridge as sb
        >>> found = sb.fuse(sb.Sensor("survey", np.arange(8.0).reshape(2, 2, 2), dates=[0, 4], noise=0.1))
        >>> found.mean.shape, found.method
        ((2, 2, 2), 'blocks')
    """

    mean: np.ndarray
    std: np.ndarray
    days: np.ndarray
    problem: Problem
    method: str
    why: str
    learnt: Learnt
    estimate: Estimate
    gated: tuple[Gated, ...]
    held_out: tuple[HeldOut, ...]
    checks: tuple[Check, ...]
    notes: tuple[str, ...]
    provenance: Provenance = field(default_factory=lambda: Provenance({}, {}))
    written: Written | None = None
    draws: np.ndarray | None = None

    @property
    def unit(self) -> str:
        """Unit of the field, "1" when it is dimensionless."""
        return self.problem.unit

    @property
    def passed(self) -> bool:
        """Whether every check passed."""
        return all(check.passed for check in self.checks)

    @property
    def dates(self) -> tuple[str, ...]:
        """The dates as text."""
        return tuple(day_text(float(day), self.problem.dated) for day in self.days)

    @property
    def skill(self) -> dict[str, float]:
        """Root mean squares and coverage over all scenes held out; empty without any."""
        return overall(self.held_out)

    @property
    def parameters(self) -> dict[str, float]:
        """Every parameter by name."""
        return self.learnt.values

    def to_dataset(self) -> Any:
        """Return an xarray Dataset with `mean`, `std` (and `draws`), coordinates, times and CRS.

        Raises:
            MissingExtraError: xarray is not installed.
        """
        if self.written is not None:
            return read_field(self.written.file, self.frame)
        found = coordinates(self.frame)
        told = described(self.frame)
        dims = self.frame.dims
        found = found.assign(mean=(dims, self.mean, told), std=(dims, self.std, told))
        return found if self.draws is None else found.assign(draws=(("draw", *dims), self.draws, told))

    def write(self, path: str | os.PathLike[str]) -> Path:
        """Write the field: .nc (NetCDF), .zarr, or .tif (two COGs, `NAME-mean.tif` and `NAME-std.tif`).

        Raises:
            InputError: another suffix, or a field that was written tile by tile.
            MissingExtraError: a package that the format needs is not installed.
        """
        target = check_field_path(path)
        if self.written is not None:
            cure = f"copy '{self.written.file}', or fuse with output='{target}'"
            raise InputError(
                "path", got="a field that is in a file already", wanted="one in memory", cure=cure
            )
        return write_field(target, self.frame, self.mean, self.std)

    @property
    def frame(self) -> Frame:
        """Where the field lies."""
        told = {"method": self.method, "title": "fused field", "schema": SCHEMA}
        grid = self.problem.grid if self.written is None else self.written.grid
        return Frame(grid, self.days, self.problem.dated, self.unit, told, self.bands)

    @property
    def bands(self) -> tuple[str, ...]:
        """Names of the bands; empty for a field without."""
        return self.problem.band_names

    @property
    def correlations(self) -> dict[str, np.ndarray]:
        """Correlation of the bands' innovations by part of the field, (bands, bands); empty without bands."""
        if not self.bands:
            return {}
        parts, values = self.problem.model.parts, self.parameters
        return {part: np.asarray(band_correlation(part, self.bands, values)) for part in parts}

    @property
    def shape(self) -> tuple[int, int, int]:
        """Dates, rows and columns of the whole field, of each band."""
        return (
            len(self.days),
            *(self.problem.grid.shape if self.written is None else self.written.grid.shape),
        )

    @property
    def totals(self) -> tuple[float, float]:
        """Mean of the whole field, and root mean square of its standard deviation."""
        if self.written is not None:
            return self.written.totals
        return float(np.mean(self.mean)), float(np.sqrt(np.mean(self.std**2)))

    def __str__(self) -> str:
        return "\n".join(_summary(self))

    def to_dict(self) -> dict[str, Any]:
        """Return plain data: everything but the fields."""
        return _as_dict(self)


def banded(found: Fused) -> str:
    """Return what a title says of bands."""
    return f" in {len(found.bands)} bands ({', '.join(found.bands)})" if found.bands else ""


def findings(found: Fused) -> list[str]:
    """Return what the fusion found, in sentences."""
    said = [f"method '{found.method}': {found.why}"]
    if found.learnt.spread:
        said.append(f"parameters found in {found.learnt.steps} evaluations of the likelihood and its slope")
    said += [
        f"left out: {g.sensor} {g.date}, off by {g.score / g.usual:.3g} times what is usual"
        for g in found.gated
    ]
    for part, table in found.correlations.items():
        pairs = zip(*np.triu_indices(len(found.bands), 1), strict=True)
        told = ", ".join(f"{found.bands[i]} and {found.bands[j]} {table[i, j]:.3f}" for i, j in pairs)
        said += [f"correlation of innovations of '{part}': {told}"] if told else []
    skill = found.skill
    if skill:
        others = ", ".join(f"{k} {v:.4g}" for k, v in skill.items() if k not in ("rmse", "coverage"))
        said.append(
            f"{len(found.held_out)} scenes held out: root mean square {skill['rmse']:.4g} ({others}), "
            f"{skill['coverage']:.1%} inside the 95 % interval"
        )
    return said


def _summary(found: Fused) -> list[str]:
    _, rows, columns = found.shape
    average, spread = found.totals
    unit = "" if found.unit == "1" else f" {found.unit}"
    sensors = ", ".join(o.name for o in found.problem.observed)
    lines = [f"Field of {rows} x {columns} pixels{banded(found)} on {len(found.days)} dates from {sensors}"]
    lines.append(f"  mean {average:.5g}{unit}, std {spread:.3g}{unit}")
    for name, value in found.parameters.items():
        spread = found.learnt.spread.get(name)
        factor = "known" if spread is None else f"within a factor {np.exp(min(spread, 20.0)):.3g}"
        lines.append(f"  {name}: {value:.4g}, {factor}")
    lines += [f"  {line}" for line in (*findings(found), *map(str, found.checks))]
    return [*lines, *(f"  note: {note}" for note in found.notes)]


def _as_dict(found: Fused) -> dict[str, Any]:
    told = {
        "schema": SCHEMA,
        "unit": found.unit,
        "grid": (found.problem if found.written is None else found.written).grid.to_dict(),
        "written": None if found.written is None else _written_dict(found.written),
        "dates": found.dates,
        "sensors": [o.name for o in found.problem.observed],
        "model": found.problem.model.to_dict(),
        "method": found.method,
        "why": found.why,
        "parameters": {
            name: {"value": value, "spread of logarithm": found.learnt.spread.get(name)}
            for name, value in found.parameters.items()
        },
        "priors": {
            p.name: "known" if p.factor is None else {"median": p.median, "factor": p.factor}
            for p in found.problem.parameters
        },
        "coefficients": {
            name: {"mean": mean, "std": std} for name, (mean, std) in found.estimate.coefficients.items()
        },
        "bands": found.bands,
        "correlations": {part: table.tolist() for part, table in found.correlations.items()},
        "stretch": found.learnt.stretch,
        "learning": {"evaluations": found.learnt.steps, "converged": found.learnt.converged},
        "log likelihood": found.estimate.log_likelihood,
        "gated": [g._asdict() for g in found.gated],
        "held out": [h._asdict() for h in found.held_out],
        "skill": found.skill,
        "mean": found.totals[0],
        "std": found.totals[1],
        "checks": [check.to_dict() for check in found.checks],
        "passed": found.passed,
        "notes": found.notes,
        "provenance": found.provenance.to_dict(),
    }
    return plain(told)


def _written_dict(written: Written) -> dict[str, Any]:
    return {
        "file": written.file.name,
        "overview of every": written.step,
        "tiles": written.tiles,
        "footprints learnt from": written.footprints,
    }
