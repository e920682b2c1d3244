"""scalebridge permeability: the permeability tensor of the pores of an image."""

from scalebridge.cli import options
from scalebridge.cli.conductivity import image_table
from scalebridge.cli.exits import refusals


def permeability(
    image: options.Image,
    *,
    pore: options.Pore = None,
    voxel: options.Voxel = None,
    threshold: options.Threshold = None,
    slip_length: options.SlipLength = None,
    slip_curve: options.SlipCurve = None,
    boundary: options.FlowBoundary_ = options.FlowBoundary.periodic,
    walls: options.FlowWalls_ = options.FlowWalls.voxel,
    solver: options.FlowSolver_ = options.FlowSolver.assembled,
    budget: options.Budget_ = options.Budget.standard,
    rtol: options.Rtol = 1e-4,
    max_steps: options.MaxSteps = 2000,
    out: options.Out = None,
    report: options.Report = None,
    fields: options.Fields = None,
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
    """Compute the permeability tensor of the pores of an image for Darcy's law, in m^2, with its proof.

    Stokes flow without inertia, no slip on the pores' walls unless a slip length is given.
    """
    with refusals(debug):
        from pathlib import Path

        from scalebridge.cli.flow_solving import answer_flow_case, pores_from, slip_from
        from scalebridge.cli.solving import case_from

        described = image_table(
            image,
            voxel=voxel,
            voxel_unit=voxel_unit,
            threshold=threshold,
            crop=crop,
            axes=axes,
            dataset=dataset,
            raw=(raw_shape, raw_dtype, raw_order, raw_offset),
        )
        tables = {
            "image": described,
            "pore": pores_from(pore),
            "solve": {
                "slip_length": slip_from(slip_length),
                "slip_curve": slip_curve.split(",") if slip_curve else None,
                "boundary": boundary.value,
                "walls": walls.value,
                "solver": solver.value,
                "budget": budget.value,
                "rtol": rtol,
                "max_steps": max_steps,
            },
            "output": {"json": out, "report": report, "fields": fields},
        }
        answer_flow_case(case_from(tables, "permeability"), Path(), as_json=as_json, progress=progress)
