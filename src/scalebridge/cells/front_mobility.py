"""The kinetic mobility that gives the coarse equation the fine front's speed: a front, matched."""

from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import numpy as np

from scalebridge.cells.front_medium import LayeredMedium, grid_of
from scalebridge.cells.front_sensitivity import SpeedSlopes, speed_slopes
from scalebridge.cells.front_speed import FrontSpeed, Threshold, depinning_threshold, front_speed
from scalebridge.cells.interface_inputs import (
    BARRIER,
    GRADIENT_ENERGY,
    KINETIC,
    Layer,
    driving_forces,
    numbers_in_si,
    parse_layers,
)
from scalebridge.cells.travelling_front import Pace, run_front
from scalebridge.core import precision as _precision  # noqa: F401
from scalebridge.core.checks import Check
from scalebridge.core.errors import InputError, UnitError
from scalebridge.core.provenance import Provenance, Stopwatch, installed_versions, this_machine
from scalebridge.core.results import Outcome, require_converged, worst_outcome
from scalebridge.core.spec import Spec
from scalebridge.core.upscaled import Contribution, Upscaled
from scalebridge.upscaling.match import Matched, match_answers
from scalebridge.upscaling.propagation import propagate

_COARSE_RESOLUTION = 4.0  # cells to the coarse interface's length, where its front is run for itself
_AGREE = 0.01  # of speeds: what one mobility has to reach
_NAMES = ("mobility", "gradient energy", "barrier")
_ADJOINT = 0.02  # of the adjoint's trapezoidal rule on the run's own steps


@dataclass(frozen=True)
class FrontOptions:
    """How a front is followed: cells to its length, time steps, whether to search the threshold, to raise."""

    resolution: float = 8.0
    max_steps: int = 40_000
    depinning: bool = False
    throw: bool = True

    def __post_init__(self):
        if not 2.0 <= self.resolution <= 200.0:
            raise InputError(
                "resolution", got=repr(self.resolution), wanted="cells, from 2 to 200", cure="pass 8"
            )
        if isinstance(self.max_steps, bool) or not isinstance(self.max_steps, int) or self.max_steps < 1:
            raise InputError(
                "max_steps", got=repr(self.max_steps), wanted="an integer of at least 1", cure="pass 40000"
            )


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
class _Asked:
    """The question in SI: layers, and each phase's three coefficients with their spreads."""

    stack: tuple[Layer, ...]
    tables: tuple[dict[int, Any], ...]
    units: tuple[str, ...]
    medium: LayeredMedium
    driving: tuple[float, ...]

    @property
    def labels(self) -> list[int]:
        return sorted({layer.label for layer in self.stack})

    def name(self, label: int) -> str:
        """Return the first name that any table gives a phase."""
        return next((table[label][2] for table in self.tables if table[label][2]), f"phase {label}")


def front_mobility(
    layers: Any, mobility: Any, gradient_energy: Any, barrier: Any, driving: Any, options: FrontOptions
) -> Upscaled:
    """Follow fronts through layers and match the coarse mobility; see `effective_mobility`."""
    clock = Stopwatch()
    asked = _read(layers, (mobility, gradient_energy, barrier), driving)
    pace = Pace(max_steps=options.max_steps)
    speeds = tuple(
        front_speed(asked.medium, m, resolution=options.resolution, pace=pace) for m in asked.driving
    )
    clock.lap("following fronts")
    outcome = worst_outcome([one.outcome for one in speeds])
    if options.throw:
        require_converged(outcome, "effective kinetic mobility")
    moving = [one for one in speeds if not one.pinned and one.outcome is Outcome.converged]
    matched = _match(asked.medium, moving) if moving else None
    value = float(matched.values[0]) if matched else 0.0
    clock.lap("matching")
    slopes = _slopes(asked, moving, matched, pace) if matched else {}
    clock.lap("deriving")
    threshold = depinning_threshold(asked.medium, pace=pace) if options.depinning else None
    clock.lap("threshold")
    spec = Spec("effective kinetic mobility", asked.units[0])
    estimate, parts = _spread(asked, matched, slopes, spec)
    inputs = _inputs(asked)
    names = tuple(asked.name(layer.label) for layer in asked.stack)
    return Upscaled(
        spec,
        np.asarray(value),
        derivatives=dict(slopes),
        checks=tuple(_checks(asked, speeds, moving, matched, slopes)),
        uncertainty=parts,
        estimate=estimate,
        outcome=outcome,
        stats=_stats(asked, speeds, value, threshold),
        provenance=Provenance(
            {"phases": inputs, "layers": [[layer.thickness, layer.label] for layer in asked.stack]},
            {"kind": "kinetic", "resolution": options.resolution, "max_steps": options.max_steps},
            installed_versions(),
            this_machine(),
            clock.started,
            dict(clock.elapsed),
        ),
        notes=tuple(_notes(asked, speeds, value, threshold)),
        inputs=inputs,
        subject=FrontStudy(
            asked.medium, tuple(layer.label for layer in asked.stack), names, speeds, value, threshold
        ),
    )


def _read(layers: Any, given: tuple[Any, Any, Any], driving: Any) -> _Asked:
    stack, lengths = parse_layers(layers)
    labels = sorted({layer.label for layer in stack})
    kinds = zip(
        given, (KINETIC, GRADIENT_ENERGY, BARRIER), ("mobility", "gradient_energy", "barrier"), strict=True
    )
    read = [numbers_in_si(values, kind, argument, labels) for values, kind, argument in kinds]
    tables, units = tuple(table for table, _ in read), tuple(unit for _, unit in read)
    plain = [unit == "1" for unit in units]
    if any(plain) != all(plain) or plain[0] == lengths:
        raise UnitError(
            "layers",
            got=f"thicknesses {'with' if lengths else 'without'} unit, and coefficients in {', '.join(units)}",
            wanted="units on thicknesses and on all coefficients, or nowhere",
            cure="write for example [('20 nm', 0), ...] with '1e-9 J/m'",
        )
    medium = LayeredMedium(
        tuple(layer.thickness for layer in stack),
        *(tuple(table[layer.label][0] for layer in stack) for table in tables),
    )
    forces = tuple(sorted(driving_forces(driving, "1" if plain[0] else "J/m^3")))
    for force in forces:
        medium.check_driving(force)
    return _Asked(stack, tables, units, medium, forces)


def _match(medium: LayeredMedium, moving: list[FrontSpeed]) -> Matched:
    """Match one mobility to all fronts: relative speeds count alike, and what it cannot meet is noise."""
    length = medium.coarse_interface.length()
    forces = jnp.array([one.driving for one in moving])
    speeds = np.array([one.speed for one in moving])
    spec = Spec("kinetic mobility", "m^3/J/s", support="positive")
    start = [float(np.mean(speeds / (6.0 * np.asarray(forces) * length)))]

    def coarse(mobility: Any) -> Any:
        return 6.0 * mobility * forces * length

    pilot = match_answers(coarse, speeds, [spec], start, noise=speeds)
    left = np.sqrt(np.mean((pilot.answers / speeds - 1.0) ** 2)) * speeds
    errors = np.array([one.error for one in moving])
    noise = np.sqrt(errors**2 + left**2 + (1e-12 * speeds) ** 2)
    return match_answers(coarse, speeds, [spec], start, noise=noise)


def _slopes(
    asked: _Asked, moving: list[FrontSpeed], matched: Matched, pace: Pace
) -> dict[str, np.ndarray | None]:
    """d(L) / d(each phase's three coefficients): through the speeds, and through the coarse front's length."""
    medium, interface = asked.medium, asked.medium.coarse_interface
    by_layer = np.zeros((3, len(asked.stack)))
    by_length = 0.0
    for one, weight in zip(moving, matched.derivatives[0], strict=True):
        found: SpeedSlopes = speed_slopes(one.run, pace)
        scaled = found.of_layers(one.run.grid.layer, len(asked.stack))
        by_layer += weight * one.speed * scaled
        by_length += weight * interface.speed(float(matched.values[0]), one.driving)
    coefficients = np.array([medium.mobilities, medium.gradient_energies, medium.barriers])
    by_layer *= medium.scaled[1:] / coefficients
    shares = medium.fractions
    by_layer[1] -= by_length * 0.5 * shares * interface.gradient_energy / coefficients[1] ** 2
    by_layer[2] += by_length * 0.5 * shares / interface.barrier
    rows = {
        label: [i for i, layer in enumerate(asked.stack) if layer.label == label] for label in asked.labels
    }
    return {
        f"phase {label}, {name}": np.asarray(by_layer[kind, rows[label]].sum())
        for label in asked.labels
        for kind, name in enumerate(_NAMES)
    }


def _spread(
    asked: _Asked, matched: Matched | None, slopes: dict[str, np.ndarray | None], spec: Spec
) -> tuple[Any, dict[str, Contribution]]:
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
        for name, unit, table in zip(_NAMES, asked.units, asked.tables, strict=True)
        if table[label][1] > 0
    ]
    if not uncertain:
        return matched.estimate, parts
    inputs = [(Spec(key, unit, support="positive"), centre, std) for key, unit, centre, std in uncertain]
    slopes_of = [np.asarray(slopes[key]) for key, *_ in uncertain]
    known, parts["inputs"] = propagate(value, slopes_of, inputs, spec)
    return known, parts


def _checks(
    asked: _Asked,
    speeds: tuple[FrontSpeed, ...],
    moving: list[FrontSpeed],
    matched: Matched | None,
    slopes: dict[str, np.ndarray | None],
) -> list[Check]:
    interface, mean = asked.medium.coarse_interface, asked.medium.mean_mobility
    least = min(one.speed / interface.speed(mean, one.driving) for one in speeds)
    checks = [
        Check(
            "front moves",
            least,
            1e-6,
            "at least",
            "slowest front against the formula of mean coefficients; 0 for a front that stands in the layers: "
            "a stationary front was found that no disturbance makes grow",
        )
    ]
    if matched is None:
        return checks
    value = float(matched.values[0])
    wanted = np.array([one.speed for one in moving])
    checks += [
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
            meaning="front of the coarse equation, run for itself on a coarse grid with the mobility handed up, "
            "against the fine front",
        ),
        Check(
            "window",
            max(one.run.tail for one in moving),
            1e-6,
            meaning="what the moving window cuts off the front's tails",
        ),
        _euler(asked, slopes, value),
    ]
    return checks


def _coarse_speed(medium: LayeredMedium, mobility: float, one: FrontSpeed) -> float:
    """Run the coarse equation's front, with a grid and a period of its own."""
    interface = medium.coarse_interface
    coarse = LayeredMedium(
        (interface.length(),), (mobility,), (interface.gradient_energy,), (interface.barrier,)
    )
    scaled = one.driving / interface.barrier
    run = run_front(grid_of(coarse, scaled, _COARSE_RESOLUTION), scaled, Pace())
    return coarse.speed_unit * run.speed


def _euler(asked: _Asked, slopes: dict[str, np.ndarray | None], value: float) -> Check:
    total = sum(
        asked.tables[0][label][0] * float(np.asarray(slopes[f"phase {label}, mobility"]))
        for label in asked.labels
    )
    return Check(
        "homogeneity of degree one",
        abs(total / value - 1.0),
        _ADJOINT,
        meaning="Euler's relation: twice the mobility in all layers is twice the speed; it watches the "
        "derivatives of the adjoint solve",
    )


def _stats(
    asked: _Asked, speeds: tuple[FrontSpeed, ...], value: float, threshold: Threshold | None
) -> dict[str, Any]:
    interface, mean = asked.medium.coarse_interface, asked.medium.mean_mobility
    return {
        "mean-coefficient mobility": mean,
        "ratio to the mean coefficient": value / mean,
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
    asked: _Asked, speeds: tuple[FrontSpeed, ...], value: float, threshold: Threshold | None
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
            f"The formula of mean coefficients, 1 / <1/L>, gives {mean:.5g}: {100 * (mean / value - 1):+.2g} %."
        )
    if threshold is not None:
        notes.append(_threshold_note(threshold, unit))
    return notes


def _threshold_note(threshold: Threshold, unit: str) -> str:
    if threshold.pinned == 0.0:
        return f"No front was found to stand at driving forces down to {threshold.moving:.3g}{unit}."
    if not np.isfinite(threshold.moving):
        return f"The front stands at every driving force up to {threshold.pinned:.4g}{unit}, the limit of stability."
    return (
        f"The front begins to move at a driving force between {threshold.pinned:.4g} and "
        f"{threshold.moving:.4g}{unit}."
    )


def _inputs(asked: _Asked) -> dict[str, dict[str, Any]]:
    found = {}
    for label in asked.labels:
        share = sum(
            f for f, layer in zip(asked.medium.fractions, asked.stack, strict=True) if layer.label == label
        )
        for name, unit, table in zip(_NAMES, asked.units, asked.tables, strict=True):
            value, std, _ = table[label]
            found[f"phase {label}, {name}"] = {
                "name": f"{asked.name(label)}, {name}",
                "value": value,
                "std": std,
                "unit": unit,
                "fraction": float(share),
            }
    return found
