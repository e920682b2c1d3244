"""scalebridge warp: carry an image by a map that was found."""

from enum import StrEnum
from typing import Annotated

import typer

from scalebridge.cli import options
from scalebridge.cli.exits import refusals


class Interpolation(StrEnum):
    """Between samples."""

    linear = "linear"
    nearest = "nearest"


def warp(
    map_file: Annotated[
        str, typer.Argument(metavar="MAP", help="What register wrote: its --out or --map file.")
    ],
    moving: Annotated[str, typer.Argument(metavar="MOVING", help="Image on the moving side, any channel.")],
    out: Annotated[str, typer.Argument(metavar="OUT.tif", help="OME-TIFF to write, tile by tile.")],
    *,
    fixed: Annotated[
        str | None,
        typer.Option("--fixed", metavar="FILE", help="Image that gives the grid, for maps other than .json."),
    ] = None,
    fixed_pixel: Annotated[
        str | None, typer.Option("--fixed-pixel", metavar="LENGTH", help="Distance of its samples.")
    ] = None,
    moving_pixel: Annotated[
        str | None,
        typer.Option(
            "--moving-pixel", metavar="LENGTH", help="Distance of samples where the file does not say."
        ),
    ] = None,
    pixel: Annotated[
        str | None, typer.Option("--pixel", metavar="LENGTH", help="Distance of the new samples, '0.5 um'.")
    ] = None,
    interpolation: Annotated[
        Interpolation, typer.Option("--interpolation", help="nearest for labels.")
    ] = Interpolation.linear,
    background: Annotated[
        float | None, typer.Option("--background", metavar="VALUE", help="Where MOVING has nothing.")
    ] = None,
    progress: options.Progress = None,
    debug: options.Debug = False,
) -> None:
    """Carry MOVING onto the fixed grid at any resolution, within bounded memory."""
    with refusals(debug):
        from scalebridge.cli.registration_solving import warp_file

        warp_file(
            map_file,
            moving,
            out,
            fixed=(fixed, fixed_pixel),
            progress=progress,
            moving_pixel=moving_pixel,
            pixel=pixel,
            interpolation=interpolation.value,
            background=background,
        )
