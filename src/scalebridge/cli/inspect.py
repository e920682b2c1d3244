"""scalebridge inspect: what is in an image file."""

from typing import Annotated, Any

import typer

from scalebridge.cli import options
from scalebridge.cli.conductivity import image_table
from scalebridge.cli.exits import refusals


def inspect(
    image: options.Image,
    *,
    voxel: options.Voxel = None,
    threshold: options.Threshold = None,
    labels: Annotated[
        bool | None,
        typer.Option(
            "--labels/--grey", help="What the values are.  [default: labels, if integers with few values]"
        ),
    ] = None,
    picture: Annotated[
        str | None, typer.Option(metavar="FILE.png", help="Write a picture of the middle slices.")
    ] = None,
    statistics: Annotated[
        bool,
        typer.Option(
            "--statistics",
            help="Measure the phases' geometry: two-point correlation, chords, surface, integral range.",
        ),
    ] = False,
    report: Annotated[
        str | None,
        typer.Option(
            "--report", metavar="FILE.html", help="Write a page with pictures, plots and these statistics."
        ),
    ] = None,
    dtype: Annotated[
        options.Precision, typer.Option(help="Of the statistics' transforms; float32 halves the memory.")
    ] = options.Precision.float64,
    progress: options.Progress = None,
    axes: options.Axes = None,
    dataset: options.Dataset = None,
    voxel_unit: options.VoxelUnit = None,
    raw_shape: options.RawShape = None,
    raw_dtype: options.RawDtype = None,
    raw_order: options.RawOrder = options.Order.C,
    raw_offset: options.RawOffset = 0,
    as_json: options.Json = False,
    debug: options.Debug = False,
) -> None:
    """Say what is in an image file: size, voxels, phases and their percolation, or grey values."""
    with refusals(debug):
        table = image_table(
            image,
            voxel=voxel,
            voxel_unit=voxel_unit,
            threshold=threshold,
            crop=None,
            axes=axes,
            dataset=dataset,
            raw=(raw_shape, raw_dtype, raw_order, raw_offset),
        )
        from pathlib import Path

        from scalebridge.cli.image_summary import measure, segment, summarise
        from scalebridge.io.read import read_volume

        places = {"picture": picture, "report": report}
        targets = {kind: Path(place) for kind, place in places.items() if place is not None}
        for kind, target in targets.items():
            _check_place(kind, target, Path(image))
        layout = {key: value for key, value in (table["raw"] or {}).items() if value is not None}
        asked = {key: table[key] for key in ("voxel", "voxel_unit", "axes", "dataset")}
        volume = read_volume(image, **asked, **layout)
        segmented = segment(volume, table["threshold"], labels)
        measured = None
        if statistics or report is not None:
            measured = measure(segmented, required=statistics, dtype=dtype.value, show=progress)
        told = summarise(volume, segmented, measured)
        _write(targets, told, volume, segmented, measured)
        if as_json:
            import json

            typer.echo(json.dumps(told, indent=2, allow_nan=False))
        else:
            _show(told, measured, targets)


_SUFFIXES = {"picture": (".png",), "report": (".html", ".htm")}


def _check_place(kind: str, target: Any, source: Any) -> None:
    from scalebridge.cli.places import check_place
    from scalebridge.core.errors import InputError

    check_place(kind, target, (source,))
    suffixes = _SUFFIXES[kind]
    if target.suffix.lower() not in suffixes:
        raise InputError(
            f"--{kind}",
            got=f"'{target.name}'",
            wanted=f"a file that ends in {suffixes[0]}",
            cure=f"name it '{target.stem}{suffixes[0]}'",
        )


def _write(targets: dict[str, Any], told: dict[str, Any], volume: Any, image: Any, statistics: Any) -> None:
    if "picture" in targets:
        from scalebridge.cli.slices import write_slices

        write_slices(targets["picture"], volume, image)
    if "report" in targets:
        from scalebridge.cli.summary_printing import fact_rows
        from scalebridge.report.image_page import write_image_report

        write_image_report(
            targets["report"],
            told,
            fact_rows(told),
            image=image,
            statistics=statistics,
            grey=volume.data if "grey" in told else None,
        )


def _show(told: dict[str, Any], statistics: Any, written: dict[str, Any]) -> None:
    from scalebridge.cli.summary_printing import show_statistics, show_summary
    from scalebridge.cli.terminal import console, show_written

    out = console()
    show_summary(out, told)
    if statistics is not None:
        show_statistics(out, statistics)
    show_written(out, written)
