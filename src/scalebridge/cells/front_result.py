"""What is told of a matched front: checks, spread, statistics, notes, inputs, and what pictures need."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from scalebridge.cells.front_medium import LayeredMedium, grid_of
from scalebridge.cells.front_speed import FrontSpeed, Threshold
from scalebridge.cells.interface_inputs import Layer
from scalebridge.cells.travelling_front import Pace, run_front
from scalebridge.core import precision as _precision  # noqa: F401
from scalebridge.core.checks import Check
from scalebridge.core.estimate import Gaussian
from scalebridge.core.provenance import Provenance, Stopwatch, installed_versions, this_machine
from scalebridge.core.results import Outcome
from scalebridge.core.spec import Spec
from scalebridge.core.upscaled import Contribution, Upscaled
from scalebridge.upscaling.match import Matched
from scalebridge.upscaling.propagation import propagate

COEFFICIENTS = ("mobility", "gradient energy", "barrier")
_COARSE_RESOLUTION = 4.0  # cells to the coarse interface's length, where its front is run for itself
_AGREE = 0.01  # of speeds: what one mobility has to reach
_WANDER = 1e-3  # of the adjoint's invariant: some ten times what its fifty steps a period leave


@dataclass(frozen=True)
class FrontStudy:
    """Fronts that were followed through layers, for pictures.

    Args:
        layers: the layers.
        labels: what each layer is made of.
        names: of each layer.
        speeds: one front a driving force, in rising order.
        mobility: the mobility handed up.
        threshold: between which driving forces the front begins to move, if it was searched.
    """

    layers: LayeredMedium
    labels: tuple[int, ...]
    names: tuple[str, ...]
    speeds: tuple[FrontSpeed, ...]
    mobility: float
    threshold: Threshold | None


@dataclass(frozen=True)
class FrontQuestion:
    """The question in SI.

    Args:
        stack: the layers.
        tables: value, standard deviation and name by label, of each of the three coefficients.
        units: their units.
        medium: the same as a medium.
        driving: driving forces in rising order.
    """

    stack: tuple[Layer, ...]
    tables: tuple[dict[int, Any], ...]
    units: tuple[str, ...]
    medium: LayeredMedium
    driving: tuple[float, ...]

    @property
    def labels(self) -> list[int]:
        """Labels of the phases."""
        return sorted({layer.label for layer in self.stack})

    @property
    def length_unit(self) -> str:
        """Unit of thicknesses."""
        return "1" if self.units[0] == "1" else "m"

    def name(self, label: int) -> str:
        """Return the first name that any table gives a phase."""
        return next((table[label][2] for table in self.tables if table[label][2]), f"phase {label}")


@dataclass(frozen=True)
class Slopes:
    """Derivatives of the mobility by input, and how far the adjoint solves behind them are off.

    Args:
        by_input: d(L)/d(input) by the input's name.
        wander: the largest `SpeedSlopes.wander`.
    """

    by_input: dict[str, np.ndarray]
    wander: float


def front_result(
    asked: FrontQuestion,
    speeds: tuple[FrontSpeed, ...],
    matched: Matched | None,
    slopes: Slopes,
    *,
    threshold: Threshold | None,
    outcome: Outcome,
    settings: dict[str, Any],
    clock: Stopwatch,
) -> Upscaled:
    """Put together what came of fronts.

    Args:
        asked: the question.
        speeds: the fronts.
        matched: the mobility matched to those that move; None if none does.
        slopes: its derivatives.
        threshold: of depinning, if it was searched.
        outcome: how the runs ended.
        settings: for the origin.
        clock: times.
    """
    value = _value(speeds, matched)
    spec = Spec("effective kinetic mobility", asked.units[0])
    estimate, parts = _spread(asked, matched, slopes, spec)
    inputs = _inputs(asked)
    names = tuple(asked.name(layer.label) for layer in asked.stack)
    labels = tuple(layer.label for layer in asked.stack)
    return Upscaled(
        spec,
        np.asarray(value),
        derivatives=dict(slopes.by_input),
        checks=tuple(_checks(asked, speeds, matched, slopes)),
        uncertainty=parts,
        estimate=estimate,
        outcome=outcome,
        stats=_stats(asked, speeds, value, threshold),
        provenance=Provenance(
            {"phases": inputs, "layers": [[layer.thickness, layer.label] for layer in asked.stack]},
            settings,
            installed_versions(),
            this_machine(),
            clock.started,
            dict(clock.elapsed),
        ),
        notes=tuple(_notes(asked, speeds, value, threshold)),
        inputs=inputs,
        subject=FrontStudy(asked.medium, labels, names, speeds, value, threshold),
    )


def moving_fronts(speeds: tuple[FrontSpeed, ...]) -> list[FrontSpeed]:
    """Return the fronts that were found to move."""
    return [one for one in speeds if not one.pinned and one.outcome is Outcome.converged]


def _value(speeds: tuple[FrontSpeed, ...], matched: Matched | None) -> float:
    if matched is not None:
        return float(matched.values[0])
    return 0.0 if all(one.pinned for one in speeds) else np.nan


def _spread(
    asked: FrontQuestion, matched: Matched | None, slopes: Slopes, spec: Spec
) -> tuple[Gaussian | None, dict[str, Contribution]]:
    if matched is None or matched.estimate is None:
        return None, {}
    value = np.asarray(float(matched.values[0]))
    parts = {
        "front speed": Contribution(
            np.asarray(matched.estimate.std[0]),
            "posterior of the match: errors of grid, time step and drift, and what one mobility cannot meet",
        )
    }
    uncertain = [
        (f"phase {label}, {name}", unit, *table[label][:2])
        for label in asked.labels
        for name, unit, table in zip(COEFFICIENTS, asked.units, asked.tables, strict=True)
        if table[label][1] > 0
    ]
    if uncertain:
        inputs = [(Spec(key, unit, support="positive"), centre, std) for key, unit, centre, std in uncertain]
        slopes_of = [slopes.by_input[key] for key, *_ in uncertain]
        _, parts["inputs"] = propagate(value, slopes_of, inputs, spec)
    total = float(np.sqrt(sum(float(part.std) ** 2 for part in parts.values())))
    return Gaussian.from_std((spec,), (float(value),), (total,)), parts


def _checks(
    asked: FrontQuestion, speeds: tuple[FrontSpeed, ...], matched: Matched | None, slopes: Slopes
) -> list[Check]:
    interface, mean = asked.medium.coarse_interface, asked.medium.mean_mobility
    ended = [one for one in speeds if one.outcome is Outcome.converged]
    shares = [one.speed / interface.speed(mean, one.driving) for one in ended]
    checks = [
        Check(
            "front moves",
            min(shares),
            1e-6,
            "at least",
            "slowest front against the formula of mean coefficients; 0 for a front that stands in the "
            "layers: a stationary front was found that no disturbance makes grow",
        )
        for _ in shares[:1]
    ]
    if matched is None:
        return checks
    moving, value = moving_fronts(speeds), float(matched.values[0])
    wanted = np.array([one.speed for one in moving])
    return [
        *checks,
        Check(
            "error of the front's speed",
            max(one.error / one.speed for one in moving),
            0.5 * _AGREE,
            meaning="cells and time steps halved, and drift from period to period, relative to the speed",
        ),
        Check(
            "one mobility for all driving forces",
            float(np.max(np.abs(matched.answers / wanted - 1.0))),
            _AGREE,
            meaning="largest difference of the coarse formula's speed and the fine front's",
        ),
        Check(
            "coarse front",
            max(abs(_coarse_speed(asked.medium, value, one) / one.speed - 1.0) for one in moving),
            _AGREE,
            meaning="front of the coarse equation, run for itself on a coarse grid with the mobility handed "
            "up, against the fine front",
        ),
        Check(
            "window",
            max(one.run.tail for one in moving),
            1e-6,
            meaning="what the moving window cuts off the front's tails",
        ),
        Check(
            "adjoint front",
            slopes.wander,
            _WANDER,
            meaning="the product of the adjoint front with the front's rate is the same at all times; it "
            "watches the derivatives",
        ),
    ]


def _coarse_speed(medium: LayeredMedium, mobility: float, one: FrontSpeed) -> float:
    """Run the coarse equation's front, with a grid and a period of its own."""
    interface = medium.coarse_interface
    coarse = LayeredMedium(
        (interface.length(),), (mobility,), (interface.gradient_energy,), (interface.barrier,)
    )
    scaled = one.driving / interface.barrier
    run = run_front(grid_of(coarse, scaled, _COARSE_RESOLUTION), scaled, Pace())
    return coarse.speed_unit * run.speed


def _stats(
    asked: FrontQuestion, speeds: tuple[FrontSpeed, ...], value: float, threshold: Threshold | None
) -> dict[str, Any]:
    interface, mean = asked.medium.coarse_interface, asked.medium.mean_mobility
    return {
        "mean-coefficient mobility": mean,
        "ratio to the mean coefficient": value / mean,
        "interface mobility": interface.mobility(value),
        "interface": interface.to_dict(),
        "period in widths": asked.medium.period / interface.width(),
        "fronts": [
            {
                "driving": one.driving,
                "speed": one.speed,
                "errors": one.errors,
                "mobility": one.speed / interface.speed(1.0, one.driving),
                "pinned": one.pinned,
                "periods": len(one.run.crossings),
                "steps": one.run.steps,
                "cells": int(one.run.phase.size),
            }
            for one in speeds
        ],
        "threshold": None
        if threshold is None
        else {"pinned": threshold.pinned, "moving": threshold.moving, "trials": threshold.trials},
    }


def _notes(
    asked: FrontQuestion, speeds: tuple[FrontSpeed, ...], value: float, threshold: Threshold | None
) -> list[str]:
    unit = "" if asked.units[0] == "1" else " J/m^3"
    mean = asked.medium.mean_mobility
    notes = [
        f"At a driving force of {one.driving:.4g}{unit} the front stands in the layers: a stable stationary "
        f"front was found. The formula of mean coefficients would have it move with a mobility of {mean:.4g}."
        for one in speeds
        if one.pinned
    ]
    if value > 0:
        notes.append(
            f"The formula of mean coefficients, 1 / <1/L>, gives {mean:.5g}: "
            f"{100 * (mean / value - 1):+.2g} %."
        )
    if threshold is not None:
        notes.append(_threshold_note(threshold, unit))
    return notes


def _threshold_note(threshold: Threshold, unit: str) -> str:
    low, high = f"{threshold.pinned:.4g}", f"{threshold.moving:.4g}{unit}"
    if threshold.pinned == 0.0:
        return f"No front was found to stand at driving forces down to {high}."
    if not np.isfinite(threshold.moving):
        return f"The front stands at every driving force up to {low}{unit}, the limit of stability."
    return f"The front begins to move at a driving force between {low} and {high}."


def _inputs(asked: FrontQuestion) -> dict[str, dict[str, Any]]:
    shares = asked.medium.fractions
    found: dict[str, dict[str, Any]] = {}
    for label in asked.labels:
        share = sum(f for f, layer in zip(shares, asked.stack, strict=True) if layer.label == label)
        for name, unit, table in zip(COEFFICIENTS, asked.units, asked.tables, strict=True):
            value, std, _ = table[label]
            found[f"phase {label}, {name}"] = {
                "name": f"{asked.name(label)}, {name}",
                "value": value,
                "std": std,
                "unit": unit,
                "fraction": float(share),
            }
    for row, (share, layer) in enumerate(zip(shares, asked.stack, strict=True)):
        found[f"layer {row}, thickness"] = {
            "name": f"layer {row} ({asked.name(layer.label)}), thickness",
            "value": layer.thickness,
            "std": 0.0,
            "unit": asked.length_unit,
            "fraction": float(share),
        }
    return found
