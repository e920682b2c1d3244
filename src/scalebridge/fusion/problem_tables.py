"""A problem as plain tables: for tasks that other processes do, and for the keys of finished work."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix

from scalebridge.core.transfer import Transfer
from scalebridge.fusion.bands import Band
from scalebridge.fusion.fusion_grid import Grid
from scalebridge.fusion.fusion_model import FusionModel, Scales
from scalebridge.fusion.fusion_problem import Observed, Problem
from scalebridge.grids.footprints import WeightedFootprint
from scalebridge.grids.transfers import BlockAverage


def problem_tables(problem: Problem) -> dict[str, Any]:
    """Return numbers, text, lists, tables and arrays that make a problem again.

    Dates on which a sensor saw nothing are left out of its arrays.

    Example:
        >>> from scalebridge.fusion.fusion_problem import gather
        >>> from scalebridge.fusion.sensors import Sensor
        >>> problem = gather(Sensor("survey", np.ones((2, 2, 2)), [0, 4]), FusionModel(), dates=[0, 2])
        >>> told = problem_tables(problem)
        >>> told["observed"][0]["values"].shape, problem_from(told).days.tolist()
        ((2, 4), [0.0, 2.0, 4.0])
    """
    model, grid = problem.model, problem.grid
    return {
        "grid": {"shape": tuple(grid.shape), "affine": grid.affine, "crs": grid.crs},
        "days": problem.days,
        "dated": problem.dated,
        "observed": [_observed_table(o) for o in problem.observed],
        "model": asdict(model),
        "covariates": dict(problem.covariates),
        "classes": problem.classes,
        "labels": problem.labels,
        "centre": problem.centre,
        "scales": {name: float(value) for name, value in asdict(problem.scales).items()},
        "unit": problem.unit,
        "shared": problem.shared,
        "bands": [asdict(band) for band in problem.bands],
    }


def problem_from(told: Mapping[str, Any]) -> Problem:
    """Return the problem that `problem_tables` was given."""
    grid = Grid(tuple(told["grid"]["shape"]), told["grid"]["affine"], told["grid"]["crs"])
    observed = tuple(_observed_from(table, grid, len(told["days"])) for table in told["observed"])
    return Problem(
        grid, told["days"], told["dated"], observed, FusionModel(**told["model"]), dict(told["covariates"]),
        told["classes"], tuple(told["labels"]), told["centre"], Scales(**told["scales"]), told["unit"],
        told["shared"], tuple(Band(**band) for band in told["bands"]),
    )  # fmt: skip


def _observed_table(observed: Observed) -> dict[str, Any]:
    at = np.flatnonzero(np.isfinite(observed.values).any(axis=1))
    return {
        "name": observed.name,
        "at": at,
        "values": observed.values[at],
        "scale": observed.scale[at],
        "factor": None if observed.factor is None else tuple(observed.factor),
        "weights": _weights_table(observed) if observed.factor is None else None,
        "bias": observed.bias,
        "offset": observed.offset,
        "learn_noise": observed.learn_noise,
        "shape": tuple(int(n) for n in observed.shape),
        "tails": observed.tails,
        "weight": None if observed.weight is None else observed.weight[at],
        "response": tuple(observed.response),
        "scene": observed.scene,
        "outside": observed.outside,
    }


def _weights_table(observed: Observed) -> dict[str, Any]:
    weights, coarse = observed.weights, tuple(int(n) for n in observed.footprint.coarse_shape)
    return {"data": weights.data, "index": weights.indices, "pointer": weights.indptr, "coarse": coarse}


def _footprint_from(told: Mapping[str, Any], grid: Grid) -> Transfer:
    if told["factor"] is not None:
        return BlockAverage(grid.shape, told["factor"])
    own = told["weights"]
    size = len(own["pointer"]) - 1, int(np.prod(grid.shape))
    weights = csr_matrix((own["data"], own["index"], own["pointer"]), size)
    return WeightedFootprint(weights, grid.shape, tuple(own["coarse"]))


def _observed_from(told: Mapping[str, Any], grid: Grid, dates: int) -> Observed:
    rows = told["values"].shape[1]
    values, scale = np.full((dates, rows), np.nan), np.ones((dates, rows))
    values[told["at"]], scale[told["at"]] = told["values"], told["scale"]
    weight = None
    if told["weight"] is not None:
        weight = np.ones((dates, rows))
        weight[told["at"]] = told["weight"]
    return Observed(
        told["name"], values, scale, _footprint_from(told, grid), told["factor"], told["bias"],
        told["offset"], told["learn_noise"], told["shape"], told["tails"], weight, tuple(told["response"]),
        told["scene"], told["outside"],
    )  # fmt: skip
