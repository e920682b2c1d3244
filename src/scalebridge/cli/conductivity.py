"""scalebridge conductivity: the effective conductivity tensor of an image."""

from typing import Annotated, Any

import typer

from scalebridge.cli import options
from scalebridge.cli.exits import refusals
from scalebridge.cli.text_values import (
    PHASE_FORM,
    crop_from,
    numbers_from,
    phases_from,
    threshold_from,
    voxel_from,
)


def conductivity(
    image: options.Image,
    *,
    phase: Annotated[
        list[str] | None,
        typer.Option(
            "--phase",
            metavar="LABEL=VALUE",
            help=f"Conductivity of a label, repeated: {PHASE_FORM}. For example '0=0.6 W/m/K', "
            "'1:quartz=7.7 W/m/K +- 0.3', '1=[7, 7, 12] W/m/K' (diagonal). 0 insulates.",
        ),
    ] = None,
    phases_table: Annotated[
        str | None,
        typer.Option(
            metavar="FILE.csv", help="The same as a table with the columns phase, value, unit, std, name."
        ),
    ] = None,
    voxel: options.Voxel = None,
    threshold: options.Threshold = None,
    scheme: options.Scheme_ = options.Scheme.hexahedra,
    boundary: options.Boundary_ = options.Boundary.periodic,
    budget: options.Budget_ = options.Budget.standard,
    rtol: options.Rtol = 1e-6,
    max_steps: options.MaxSteps = 2000,
    uncertainty: options.Uncertainty = options.Propagation.linear,
    samples: options.Samples = 32,
    seed: options.Seed = 0,
    dtype: options.Dtype = options.Precision.float64,
    out: options.Out = None,
    report: options.Report = None,
    fields: options.Fields = None,
    card: options.Card = None,
    dialect: options.Dialect_ = options.Dialect.calculix,
    crop: options.Crop = None,
    axes: options.Axes = None,
    dataset: options.Dataset = None,
    voxel_unit: options.VoxelUnit = None,
    raw_shape: options.RawShape = None,
    raw_dtype: options.RawDtype = None,
    raw_order: options.RawOrder = options.Order.C,
    raw_offset: options.RawOffset = 0,
    as_json: options.Json = False,
    progress: options.Progress = None,
    debug: options.Debug = False,
) -> None:
    """Compute the effective conductivity tensor of a segmented image, with its proof.

    Thermal (W/m/K), electrical (S/m) or diffusive (m^2/s); numbers without unit give ratios, such as the
    formation factor.
    """
    with refusals(debug):
        tables: dict[str, Any] = {
            "image": image_table(
                image,
                voxel=voxel,
                voxel_unit=voxel_unit,
                threshold=threshold,
                crop=crop,
                axes=axes,
                dataset=dataset,
                raw=(raw_shape, raw_dtype, raw_order, raw_offset),
            ),
            "phases": phases_from(phase or []),
            "phases_table": phases_table,
            "solve": {
                "scheme": scheme.value,
                "boundary": boundary.value,
                "budget": budget.value,
                "rtol": rtol,
                "max_steps": max_steps,
                "uncertainty": uncertainty.value,
                "samples": samples,
                "seed": seed,
                "dtype": dtype.value,
            },
            "output": {
                "json": out,
                "report": report,
                "fields": fields,
                "card": card,
                "dialect": dialect.value,
            },
        }
        from pathlib import Path

        from scalebridge.cli.answering import answer_case
        from scalebridge.cli.solving import case_from

        answer_case(case_from(tables), Path(), as_json=as_json, progress=progress)


def image_table(
    image: str,
    *,
    voxel: list[str] | None,
    voxel_unit: str | None,
    threshold: str | None,
    crop: str | None,
    axes: str | None,
    dataset: str | None,
    raw: tuple[str | None, str | None, options.Order, int],
) -> dict[str, Any]:
    """Return the [image] table of a case from options."""
    raw_shape, raw_dtype, raw_order, raw_offset = raw
    layout = None
    if (raw_shape, raw_dtype, raw_order, raw_offset) != (None, None, options.Order.C, 0):
        layout = {
            "shape": None if raw_shape is None else numbers_from(raw_shape, "--raw-shape", int),
            "dtype": raw_dtype,
            "order": raw_order.value,
            "offset": raw_offset,
        }
    return {
        "file": image,
        "voxel": voxel_from(voxel),
        "voxel_unit": voxel_unit,
        "threshold": threshold_from(threshold),
        "crop": crop_from(crop),
        "axes": axes,
        "dataset": dataset,
        "raw": layout,
    }
