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

        from scalebridge.cli.image_summary import segment, summarise
        from scalebridge.io.read import read_volume

        target = None if picture is None else Path(picture)
        if target is not None:
            _check_picture(target, Path(image))
        layout = {key: value for key, value in (table["raw"] or {}).items() if value is not None}
        asked = {key: table[key] for key in ("voxel", "voxel_unit", "axes", "dataset")}
        volume = read_volume(image, **asked, **layout)
        segmented = segment(volume, table["threshold"], labels)
        told = summarise(volume, segmented)
        if target is not None:
            from scalebridge.cli.slices import write_slices

            write_slices(target, volume, segmented)
        if as_json:
            import json

            typer.echo(json.dumps(told, indent=2, allow_nan=False))
        else:
            _show(told, target)


def _check_picture(target: Any, source: Any) -> None:
    from scalebridge.cli.places import check_place
    from scalebridge.core.errors import InputError

    check_place("picture", target, (source,))
    if target.suffix.lower() != ".png":
        raise InputError(
            "--picture",
            got=f"'{target.name}'",
            wanted="a file that ends in .png",
            cure=f"name it '{target.stem}.png'",
        )


def _show(told: dict[str, Any], picture: Any) -> None:
    from scalebridge.cli.summary_printing import show_summary
    from scalebridge.cli.terminal import console, show_written

    out = console()
    show_summary(out, told)
    if picture is not None:
        show_written(out, {"picture": picture})
