"""scalebridge expansion: the effective thermal expansion of an image."""

from scalebridge.cli import options
from scalebridge.cli.conductivity import image_table
from scalebridge.cli.exits import refusals


def expansion(
    image: options.Image,
    *,
    phase: options.Materials = None,
    temperature: options.Temperature = None,
    temperatures: options.Temperatures = None,
    voxel: options.Voxel = None,
    threshold: options.Threshold = None,
    scheme: options.ElasticScheme_ = options.ElasticScheme.hexahedra,
    boundary: options.ElasticBoundary_ = options.ElasticBoundary.periodic,
    budget: options.Budget_ = options.Budget.standard,
    rtol: options.Rtol = 1e-6,
    max_steps: options.MaxSteps = 2000,
    out: options.Out = None,
    report: options.Report = None,
    fields: options.Fields = None,
    card: options.ElasticCard = None,
    dialect: options.ElasticDialect_ = options.ElasticDialect.calculix,
    units: options.Units_ = options.CardUnits.SI,
    temperature_unit: options.CardDegree_ = options.CardDegree.K,
    reference_temperature: options.Reference = None,
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
    """Compute the effective thermal expansion of a segmented image, in Mandel notation, with its proof.

    The tangent expansion, d(strain)/dT at no stress. Materials as for `scalebridge stiffness`, at least one
    of them with an expansion; a secant one is given with expansion_kind=secant, reference_temperature=20
    degC.
    """
    with refusals(debug):
        from scalebridge.cli.elastic_options import answer_options, elastic_tables

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
        tables = elastic_tables(
            described,
            phase,
            solve={
                "temperature": temperature,
                "temperatures": temperatures,
                "scheme": scheme.value,
                "boundary": boundary.value,
                "budget": budget.value,
                "rtol": rtol,
                "max_steps": max_steps,
            },
            output={
                "json": out,
                "report": report,
                "fields": fields,
                "card": card,
                "dialect": dialect.value,
                "units": units.value,
                "temperature_unit": temperature_unit.value,
                "reference_temperature": reference_temperature,
            },
        )
        answer_options("expansion", tables, as_json=as_json, progress=progress)
