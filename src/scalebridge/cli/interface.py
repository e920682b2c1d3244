"""scalebridge interface: effective coefficients of phase fields, and flat interfaces."""

from enum import StrEnum
from typing import Annotated, Any

import typer

from scalebridge.cli import options
from scalebridge.cli.exits import refusals


class Quantity(StrEnum):
    """What is asked of an interface."""

    flat = "flat"
    gradient_energy = "gradient-energy"
    conserved_mobility = "conserved-mobility"
    kinetic_mobility = "kinetic-mobility"


_FORM = "LABEL[:NAME]=VALUE [UNIT] [+- STD], repeated"
Values = list[str] | None


def interface(
    quantity: Annotated[
        Quantity,
        typer.Argument(
            metavar="QUANTITY",
            help="flat: tension and width from gradient energy and barrier, or back, from any two. "
            "gradient-energy, conserved-mobility, kinetic-mobility: the effective coefficient of layers or "
            "of an image.",
        ),
    ],
    *,
    layer: Annotated[
        list[str] | None,
        typer.Option(
            "--layer", metavar="THICKNESS=LABEL", help="A layer, repeated in their order: '20 nm=0'."
        ),
    ] = None,
    image: Annotated[
        str | None, typer.Option("--image", metavar="IMAGE", help="An image in place of layers.")
    ] = None,
    gradient_energy: Annotated[
        Values,
        typer.Option("--gradient-energy", metavar="VALUE", help=f"{_FORM}: '0=1e-9 J/m'; flat: '1e-9 J/m'."),
    ] = None,
    barrier: Annotated[
        Values, typer.Option("--barrier", metavar="VALUE", help=f"{_FORM}: '0=2e6 J/m^3'; flat: '2e6 J/m^3'.")
    ] = None,
    mobility: Annotated[
        Values,
        typer.Option(
            "--mobility",
            metavar="VALUE",
            help=f"{_FORM}: kinetic '0=1e-3 m^3/J/s', conserved '0=1e-24 m^5/J/s'.",
        ),
    ] = None,
    driving: Annotated[
        list[str] | None,
        typer.Option("--driving", metavar="FORCE", help="Driving force of a front, repeated: '1e5 J/m^3'."),
    ] = None,
    depinning: Annotated[
        bool, typer.Option("--depinning", help="Search the driving force at which the front begins to move.")
    ] = False,
    tension: Annotated[
        str | None, typer.Option("--tension", metavar="VALUE", help="Flat: energy an area, '0.3 J/m^2'.")
    ] = None,
    length: Annotated[
        str | None,
        typer.Option("--length", metavar="VALUE", help="Flat: l of the profile (1 + tanh(x/2l))/2, '1 nm'."),
    ] = None,
    normal: Annotated[
        str | None, typer.Option(metavar="X,Y,Z", help="Direction across the layers.  [default: 0, 0, 1]")
    ] = None,
    voxel: options.Voxel = None,
    threshold: options.Threshold = None,
    crop: options.Crop = None,
    period: Annotated[
        str | None,
        typer.Option("--period", metavar="LENGTH", help="Period of an image's structure, beside the width."),
    ] = None,
    resolution: Annotated[
        float | None,
        typer.Option("--resolution", metavar="N", help="Cells to the interface's length l.  [default: 8]"),
    ] = None,
    max_steps: Annotated[
        int | None,
        typer.Option("--max-steps", metavar="N", help="Limit of iterations, or of a front's time steps."),
    ] = None,
    out: options.Out = None,
    report: options.Report = None,
    as_json: options.Json = False,
    progress: options.Progress = None,
    debug: options.Debug = False,
) -> None:
    """Compute effective coefficients of phase fields: gradient energy, mobility, and flat interfaces.

    A kinetic mobility with layers, gradient energy, barrier and driving force is that of a front followed
    through the layers; without these it is the limit of thin structure.
    """
    with refusals(debug):
        given: dict[str, Any] = {
            "--gradient-energy": gradient_energy,
            "--barrier": barrier,
            "--mobility": mobility,
            "--driving": driving,
            "--depinning": depinning or None,
            "--tension": tension,
            "--length": length,
            "--normal": normal,
            "--layer": layer,
            "--image": image,
            "--voxel": voxel,
            "--threshold": threshold,
            "--crop": crop,
            "--period": period,
            "--resolution": resolution,
            "--max-steps": max_steps,
            "--out": out,
            "--report": report,
        }
        given = {name: value for name, value in given.items() if value is not None}
        _refuse_foreign(quantity, given)
        if quantity is Quantity.flat:
            _flat(given, as_json)
            return
        from pathlib import Path

        from scalebridge.cli.interface_solving import answer_interface_case
        from scalebridge.cli.interface_texts import interface_tables
        from scalebridge.cli.solving import case_from

        tables = interface_tables(quantity.value, given)
        answer_interface_case(case_from(tables, "interface"), Path(), as_json=as_json, progress=progress)


_OF_FLAT = {"--gradient-energy", "--barrier", "--tension", "--length"}
_ONLY_FLAT = {"--tension", "--length"}
_OF_IMAGES = {"--voxel", "--threshold", "--crop"}


def _refuse_foreign(quantity: Quantity, given: dict[str, Any]) -> None:
    """Refuse options of flat interfaces with others and the other way round, and a medium given twice."""
    from scalebridge.core.errors import InputError

    flat = quantity is Quantity.flat
    foreign = sorted(set(given) - _OF_FLAT if flat else set(given) & _ONLY_FLAT)
    if foreign:
        raise InputError(
            foreign[0],
            got=f"{foreign[0]} with {quantity.value}",
            wanted=f"options among {', '.join(sorted(_OF_FLAT))}" if flat else f"no {foreign[0]} here",
            cure=f"leave {foreign[0]} out, or ask for another quantity",
        )
    if not flat and ("--layer" in given) == ("--image" in given):
        raise InputError(
            "--layer",
            got="both --layer and --image" if "--layer" in given else "neither --layer nor --image",
            wanted="layers, or an image",
            cure="give --layer '20 nm=0' for each layer, or --image FILE",
        )
    lost = sorted(set(given) & _OF_IMAGES) if "--image" not in given else []
    if lost:
        raise InputError(
            lost[0], got=f"{lost[0]} without --image", wanted="an image", cure=f"leave {lost[0]} out"
        )


def _flat(given: dict[str, Any], as_json: bool) -> None:
    from scalebridge.cells.phase_field import flat_interface
    from scalebridge.cli.interface_texts import one_text, print_flat
    from scalebridge.core.units import split_quantity

    found = {name: one_text(name, value) for name, value in given.items()}
    named = {name.removeprefix("--").replace("-", "_"): text for name, text in found.items()}
    answer = flat_interface(**named)
    print_flat(answer, split_quantity(next(iter(named.values())), "--length")[1] is not None, as_json)
