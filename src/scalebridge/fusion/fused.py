"""What a fusion found: the field with its deviation, what was learnt and left out, skill, checks."""

import importlib
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from scalebridge.core.checks import Check
from scalebridge.core.errors import InputError, MissingExtraError
from scalebridge.core.files import atomic_path
from scalebridge.core.provenance import Provenance
from scalebridge.core.saved import Saved
from scalebridge.core.upscaled import plain
from scalebridge.fusion.block_estimate import Estimate, Gated
from scalebridge.fusion.fusion_problem import Problem, day_text
from scalebridge.fusion.held_out import HeldOut, overall
from scalebridge.fusion.learning import Learnt

SCHEMA = "scalebridge/fusion/1"
_SUFFIXES = (".nc", ".zarr", ".tif")


@dataclass(frozen=True)
class Fused(Saved):
    """A field at the finest resolution, on every date, with its standard deviation.

    Args:
        mean: (dates, rows, columns), in the unit of the data.
        std: standard deviation of the field itself, without the noise of any sensor.
        days: (dates,).
        problem: what was fused, without the scenes that were left out.
        engine: "blocks", "sparse" or "iterative".
        why: why that engine.
        learnt: the parameters.
        estimate: residuals and coefficients beside the field.
        gated: scenes that were left out.
        held_out: scenes predicted without them.
        checks: what has to hold, measured.
        notes: what a reader has to know.
        provenance: where it all came from.

    Example:
        >>> import scalebridge as sb
        >>> found = sb.fuse(sb.Sensor("survey", np.arange(8.0).reshape(2, 2, 2), dates=[0, 4], noise=0.1))
        >>> found.mean.shape, found.engine
        ((2, 2, 2), 'blocks')
    """

    mean: np.ndarray
    std: np.ndarray
    days: np.ndarray
    problem: Problem
    engine: str
    why: str
    learnt: Learnt
    estimate: Estimate
    gated: tuple[Gated, ...]
    held_out: tuple[HeldOut, ...]
    checks: tuple[Check, ...]
    notes: tuple[str, ...]
    provenance: Provenance = field(default_factory=lambda: Provenance({}, {}))

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
        """Return an xarray Dataset with `mean`, `std`, coordinates, times and CRS.

        Raises:
            MissingExtraError: xarray is not installed.
        """
        xarray = need_package("xarray", "a Dataset")
        grid = self.problem.grid
        time = self.days.astype(float)
        coords: dict[str, Any] = {
            "time": np.round(time * 86400).astype("datetime64[s]").astype("datetime64[ns]")
            if self.problem.dated
            else time,
            "y": grid.axes[0],
            "x": grid.axes[1],
        }
        dims = ("time", "y", "x")
        told = {"units": self.unit, "crs": grid.crs or ""}
        variables = {"mean": (dims, self.mean, told), "std": (dims, self.std, told)}
        attributes = {"engine": self.engine, "title": "fused field", "schema": SCHEMA}
        return xarray.Dataset(variables, coords, attributes)

    def write(self, path: str | os.PathLike[str]) -> Path:
        """Write the field: .nc (NetCDF), .zarr, or .tif (two GeoTIFFs, `NAME-mean.tif` and `NAME-std.tif`).

        Raises:
            InputError: another suffix.
            MissingExtraError: a package that the format needs is not installed.
        """
        target = Path(path)
        if target.suffix not in _SUFFIXES:
            cure = f"name it '{target.stem}.nc'"
            raise InputError(
                "path",
                got=f"'{target.name}'",
                wanted=f"a file that ends in {', '.join(_SUFFIXES)}",
                cure=cure,
            )
        data = self.to_dataset()
        if target.suffix == ".nc":
            need_package("h5netcdf", "NetCDF")
            with atomic_path(target) as part:
                data.to_netcdf(part, engine="h5netcdf")
        elif target.suffix == ".zarr":
            need_package("zarr", "Zarr")
            data.to_zarr(target, mode="w", zarr_format=2, consolidated=True)
        else:
            _write_tiffs(data, target)
        return target

    def __str__(self) -> str:
        return "\n".join(_summary(self))

    def to_dict(self) -> dict[str, Any]:
        """Return plain data: everything but the fields."""
        return _as_dict(self)


def need_package(name: str, purpose: str) -> Any:
    """Import a package of the extra `fusion`, or say what brings it."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise MissingExtraError(name, extra="fusion", purpose=purpose) from error


def _write_tiffs(data: Any, target: Path) -> None:
    need_package("rioxarray", "GeoTIFF")
    for name in ("mean", "std"):
        bands = data[name].rio.set_spatial_dims(x_dim="x", y_dim="y")
        if data[name].attrs["crs"]:
            bands = bands.rio.write_crs(data[name].attrs["crs"])
        with atomic_path(target.with_name(f"{target.stem}-{name}.tif")) as part:
            bands.rio.to_raster(part, driver="COG")


def findings(found: Fused) -> list[str]:
    """Return what the fusion found, in sentences."""
    said = [f"engine '{found.engine}': {found.why}"]
    said += [
        f"left out: {g.sensor} {g.date}, off by {g.score / g.usual:.3g} times what is usual"
        for g in found.gated
    ]
    skill = found.skill
    if skill:
        others = ", ".join(f"{k} {v:.4g}" for k, v in skill.items() if k not in ("rmse", "coverage"))
        said.append(
            f"{len(found.held_out)} scenes held out: root mean square {skill['rmse']:.4g} ({others}), "
            f"{skill['coverage']:.1%} inside the 95 % interval"
        )
    return said


def _summary(found: Fused) -> list[str]:
    rows, columns = found.problem.grid.shape
    unit = "" if found.unit == "1" else f" {found.unit}"
    sensors = ", ".join(o.name for o in found.problem.observed)
    lines = [f"Field of {rows} x {columns} pixels on {len(found.days)} dates from {sensors}"]
    lines.append(f"  mean {np.mean(found.mean):.5g}{unit}, std {np.sqrt(np.mean(found.std**2)):.3g}{unit}")
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
        "grid": found.problem.grid.to_dict(),
        "dates": found.dates,
        "sensors": [o.name for o in found.problem.observed],
        "model": found.problem.model.to_dict(),
        "engine": found.engine,
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
        "log likelihood": found.estimate.log_likelihood,
        "gated": [g._asdict() for g in found.gated],
        "held out": [h._asdict() for h in found.held_out],
        "skill": found.skill,
        "mean": float(np.mean(found.mean)),
        "std": float(np.sqrt(np.mean(found.std**2))),
        "checks": [check.to_dict() for check in found.checks],
        "passed": found.passed,
        "notes": found.notes,
        "provenance": found.provenance.to_dict(),
    }
    return plain(told)
