"""scalebridge register: the map between two images of the same tissue."""

from enum import StrEnum
from typing import Annotated

import typer

from scalebridge.cli import options
from scalebridge.cli.exits import refusals

Pixel = "Distance of its samples, '0.5 um', where the file does not say."


class Plane(StrEnum):
    """Planes of a volume."""

    axial = "axial"
    coronal = "coronal"
    sagittal = "sagittal"


def register(
    fixed: Annotated[str, typer.Argument(metavar="FIXED", help="Image onto whose grid others are carried.")],
    moving: Annotated[str, typer.Argument(metavar="MOVING", help="The other image, often the histology.")],
    *,
    fixed_pixel: Annotated[str | None, typer.Option("--fixed-pixel", metavar="LENGTH", help=Pixel)] = None,
    moving_pixel: Annotated[str | None, typer.Option("--moving-pixel", metavar="LENGTH", help=Pixel)] = None,
    fixed_mask: Annotated[
        str | None, typer.Option("--fixed-mask", metavar="FILE", help="Image on FIXED's grid; 0 is left out.")
    ] = None,
    moving_mask: Annotated[
        str | None,
        typer.Option("--moving-mask", metavar="FILE", help="Image on MOVING's grid; 0 is left out."),
    ] = None,
    landmarks: Annotated[
        list[str] | None,
        typer.Option(
            "--landmarks",
            metavar="FILE",
            help="Compared, not used: BigWarp's pairs (.csv, mm), or QuPath's points, FIXED's and MOVING's.",
        ),
    ] = None,
    start: Annotated[
        str | None,
        typer.Option("--start", metavar="FILE.json", help="QuickNII's or DeepSlice's anchoring of FIXED."),
    ] = None,
    plane: Annotated[
        Plane | None,
        typer.Option("--plane", help="Of a volume, to which FIXED is nearest; all are searched."),
    ] = None,
    angles: Annotated[
        int, typer.Option("--angles", metavar="N", help="Starting angles of the full turn.")
    ] = 24,
    flip: Annotated[bool, typer.Option("--flip/--no-flip", help="Try the other face as well.")] = True,
    deform: Annotated[
        bool, typer.Option("--deform/--affine", help="A displacement beyond the affine map, or not.")
    ] = True,
    finest: Annotated[
        str | None, typer.Option("--finest", metavar="LENGTH", help="Distance of samples at the last level.")
    ] = None,
    grid: Annotated[
        str | None,
        typer.Option("--grid", metavar="LENGTH", help="Distance of control points at the last level."),
    ] = None,
    stiffness: Annotated[
        float | None,
        typer.Option("--stiffness", metavar="FACTOR", help="1 is by size; by held-out tissue unless given."),
    ] = None,
    similarity: Annotated[
        str,
        typer.Option(
            "--similarity", metavar="KIND", help="information, or gradients or mind: stain to stain."
        ),
    ] = "information",
    map_files: Annotated[
        list[str] | None,
        typer.Option(
            "--map",
            metavar="FILE",
            help="Write the map, repeated: .tfm or .h5 (ITK), .mat (ANTs), .txt (elastix), .nii.gz, .json.",
        ),
    ] = None,
    anchoring: Annotated[
        str | None,
        typer.Option("--anchoring", metavar="FILE.json", help="Write FIXED's plane in MOVING for QuickNII."),
    ] = None,
    warped: Annotated[
        str | None, typer.Option("--warped", metavar="FILE.tif", help="Write MOVING on FIXED's grid.")
    ] = None,
    out: options.Out = None,
    report: options.Report = None,
    as_json: options.Json = False,
    progress: options.Progress = None,
    debug: options.Debug = False,
) -> None:
    """Find the map from points of FIXED to points of MOVING, coarse to fine, with its standard error.

    Rotation, flip, shrinkage and overlap are searched; then an affine map and a smooth displacement. MOVING
    may be a volume: then the plane of FIXED in it is searched first.
    """
    with refusals(debug):
        from scalebridge.cli.registration_solving import answer_registration

        answer_registration(
            fixed,
            moving,
            {
                "fixed_pixel": fixed_pixel,
                "moving_pixel": moving_pixel,
                "fixed_mask": fixed_mask,
                "moving_mask": moving_mask,
                "start": start,
                "plane": None if plane is None else plane.value,
                "angles": angles,
                "flip": flip,
                "deform": deform,
                "finest": finest,
                "grid": grid,
                "stiffness": stiffness,
                "similarity": similarity,
            },
            landmarks=landmarks or [],
            maps=map_files or [],
            anchoring=anchoring,
            warped=warped,
            out=out,
            report=report,
            as_json=as_json,
            progress=progress,
        )
