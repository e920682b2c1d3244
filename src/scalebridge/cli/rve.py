"""scalebridge rve: how large a sample has to be, from subvolumes of an image."""

from typing import Annotated, Any

import typer

from scalebridge.cli import options
from scalebridge.cli.conductivity import image_table
from scalebridge.cli.elastic_texts import materials_from
from scalebridge.cli.exits import refusals
from scalebridge.cli.text_values import PHASE_FORM, phases_from, share_from, sizes_from


def rve(
    image: options.Image,
    *,
    of: Annotated[options.Property, typer.Option("--of", help="What is asked of the subvolumes.")] = (
        options.Property.conductivity
    ),
    phase: Annotated[
        list[str] | None,
        typer.Option(
            "--phase",
            metavar="LABEL=VALUE",
            help=f"Conductivity of a label, repeated: {PHASE_FORM}. For example '0=0.6 W/m/K'. 0 insulates. "
            "With --of stiffness its material: '0=young=3 GPa, poisson=0.35', '1=void'; for permeability "
            "see --pore.",
        ),
    ] = None,
    pore: options.Pore = None,
    phases_table: Annotated[
        str | None,
        typer.Option(
            metavar="FILE.csv", help="The same as a table with the columns phase, value, unit, std, name."
        ),
    ] = None,
    voxel: options.Voxel = None,
    threshold: options.Threshold = None,
    sizes: Annotated[
        str | None,
        typer.Option(
            metavar="N,N,...",
            help="Edges of the subvolumes in voxels, '16, 32, 64', or boxes '16x16x8, 32x32x16'.  "
            "[default: N/8, N/5, N/3 and N/2 of the shortest edge]",
        ),
    ] = None,
    realisations: Annotated[
        int, typer.Option(metavar="N", help="Subvolumes of a size at most; more are drawn from at random.")
    ] = 64,
    wanted: Annotated[
        str, typer.Option(metavar="ERROR", help="Wanted relative error of two standard deviations.")
    ] = "2 %",
    scheme: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="hexahedra or finite-volume; of stiffness hexahedra, b-bar or reduced; none of flow.",
        ),
    ] = "hexahedra",
    boundary: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="What lies beyond a subvolume: mirrored, periodic, uniform-gradient or uniform-flux; of "
            "stiffness periodic, uniform-strain or uniform-stress; of permeability mirrored, periodic or "
            "sealed.  [default: mirrored; periodic]",
        ),
    ] = None,
    temperature: options.Temperature = None,
    rtol: options.Rtol = 1e-4,
    max_steps: options.MaxSteps = 2000,
    dtype: options.Dtype = options.Precision.float64,
    seed: Annotated[int, typer.Option(metavar="N", help="Seed of the draw of subvolumes.")] = 0,
    engine: options.Engine = "local",
    workers: options.Workers = None,
    store: options.Store = None,
    out: options.Out = None,
    report: options.Report = None,
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
    """Find from subvolumes of an image how large a sample has to be for what is asked of it.

    The image is cut into boxes of several sizes, each is solved, and from their spread follow the integral
    range, the error that the image's own size leaves, and the size for a wanted error. With --store a run
    that was stopped goes on where it was.
    """
    with refusals(debug):
        from pathlib import Path

        from scalebridge.cli import studying
        from scalebridge.cli.solving import case_from

        _refuse_others(
            of.value,
            phase=phase,
            phases_table=phases_table,
            pore=pore,
            scheme=scheme,
            temperature=temperature,
            dtype=dtype.value,
        )
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
        tables: dict[str, Any] = {
            "image": described,
            **_constituents(of, phase, phases_table, pore),
            "study": {
                "sizes": sizes_from(sizes),
                "realisations": realisations,
                "wanted": share_from(wanted, "--wanted"),
                "scheme": None if of is options.Property.permeability else scheme,
                "boundary": boundary,
                "temperature": temperature,
                "rtol": rtol,
                "max_steps": max_steps,
                "dtype": dtype.value if of is options.Property.conductivity else None,
                "seed": seed,
                "engine": engine,
                "workers": workers,
                "store": store,
            },
            "output": {"json": out, "report": report},
        }
        task, study = {
            "conductivity": ("rve", studying.study_case),
            "stiffness": ("stiffness-rve", studying.study_stiffness_case),
            "permeability": ("permeability-rve", studying.study_permeability_case),
        }[of.value]
        study(case_from(tables, task), Path(), as_json=as_json, progress=progress)


def _constituents(
    of: options.Property, phase: list[str] | None, phases_table: str | None, pore: list[str] | None
) -> dict[str, Any]:
    """Return the tables of what the labels are."""
    if of is options.Property.permeability:
        from scalebridge.cli.flow_solving import pores_from

        return {"pore": pores_from(pore)}
    given = phase or []
    elastic = of is options.Property.stiffness
    return {
        "phases": materials_from(given) if elastic else phases_from(given),
        "phases_table": phases_table,
    }


def _refuse_others(of: str, **given: Any) -> None:
    """Refuse options that mean nothing for what is asked."""
    from scalebridge.core.errors import InputError

    others = {
        "conductivity": ("temperature", "pore"),
        "stiffness": ("phases_table", "dtype", "pore"),
        "permeability": ("phase", "phases_table", "scheme", "temperature", "dtype"),
    }
    for name in others[of]:
        if given[name] not in (None, [], "float64", "hexahedra"):
            raise InputError(
                f"--{name.replace('_', '-')}",
                got=f"{given[name]} with --of {of}",
                wanted=f"options of a study of {of}",
                cure="leave it out",
            )
