"""scalebridge interface: effective coefficients of phase fields, and flat interfaces."""

from enum import StrEnum
from typing import Annotated, Any

import typer

from scalebridge.cli import options
from scalebridge.cli.exits import refusals
from scalebridge.cli.interface_texts import by_label, layers_from, one_text
from scalebridge.cli.text_values import numbers_from, threshold_from, voxel_from


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
    period: Annotated[
        str | None,
        typer.Option("--period", metavar="LENGTH", help="Period of an image's structure, beside the width."),
    ] = None,
    out: options.Out = None,
    report: options.Report = None,
    as_json: options.Json = False,
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
            "--period": period,
            "--out": out,
            "--report": report,
        }
        given = {name: value for name, value in given.items() if value}
        _refuse_foreign(quantity, given)
        if quantity is Quantity.flat:
            _flat(given, as_json)
            return
        from pathlib import Path

        from scalebridge.cli.outputs import Outputs

        files = (None if path is None else Path(path) for path in (out, report))
        outputs = Outputs(*files)
        outputs.check(() if image is None else (Path(image),))
        _conclude(_ask(quantity, given), outputs, as_json)


_KNOWN = {
    Quantity.flat: {"--gradient-energy", "--barrier", "--tension", "--length"},
    Quantity.gradient_energy: {"--gradient-energy", "--barrier", "--period", "--normal"},
    Quantity.conserved_mobility: {"--mobility", "--normal"},
    Quantity.kinetic_mobility: {"--mobility", "--gradient-energy", "--barrier", "--driving", "--depinning"},
}
_MEDIUM = {"--layer", "--image", "--voxel", "--threshold", "--out", "--report"}


def _refuse_foreign(quantity: Quantity, given: dict[str, Any]) -> None:
    """Refuse options that the quantity has no use for, and a medium that is missing or given twice."""
    from scalebridge.core.errors import InputError

    known = _KNOWN[quantity] | (set() if quantity is Quantity.flat else _MEDIUM)
    foreign = sorted(set(given) - known)
    if foreign:
        raise InputError(
            foreign[0],
            got=f"{foreign[0]} with {quantity.value}",
            wanted=f"options among {', '.join(sorted(known))}",
            cure=f"leave {foreign[0]} out",
        )
    if quantity is not Quantity.flat and ("--layer" in given) == ("--image" in given):
        raise InputError(
            "--layer",
            got="both --layer and --image" if "--layer" in given else "neither --layer nor --image",
            wanted="layers, or an image",
            cure="give --layer '20 nm=0' for each layer, or --image FILE",
        )


def _flat(given: dict[str, Any], as_json: bool) -> None:
    from scalebridge.cells.phase_field import flat_interface
    from scalebridge.cli.interface_texts import print_flat
    from scalebridge.core.units import split_quantity

    found = {name: one_text(name, value) for name, value in given.items()}
    named = {name.removeprefix("--").replace("-", "_"): text for name, text in found.items()}
    answer = flat_interface(**named)
    print_flat(answer, split_quantity(next(iter(named.values())), "--length")[1] is not None, as_json)


def _ask(quantity: Quantity, given: dict[str, Any]) -> Any:
    from scalebridge.cells.interface_energy import effective_gradient_energy
    from scalebridge.cells.interface_mobility import effective_mobility

    medium = layers_from(given["--layer"]) if "--layer" in given else given["--image"]
    values = {name: by_label(name, given[name]) for name in _VALUES if name in given}
    extra: dict[str, Any] = {}
    if "--normal" in given:
        extra["normal"] = numbers_from(given["--normal"], "--normal")
    if "--voxel" in given:
        extra["voxel"] = voxel_from(given["--voxel"])
    if "--threshold" in given:
        extra["threshold"] = threshold_from(given["--threshold"])
    barrier = values.get("--barrier")
    if quantity is Quantity.gradient_energy:
        told = values.get("--gradient-energy", {})
        return effective_gradient_energy(medium, told, barrier=barrier, period=given.get("--period"), **extra)
    told = values.get("--mobility", {})
    if quantity is Quantity.conserved_mobility:
        return effective_mobility(medium, told, kind="conserved", **extra)
    return effective_mobility(
        medium,
        told,
        kind="kinetic",
        gradient_energy=values.get("--gradient-energy"),
        barrier=barrier,
        driving=given.get("--driving"),
        depinning="--depinning" in given,
        throw=False,
        **extra,
    )


_VALUES = ("--gradient-energy", "--barrier", "--mobility")


def _conclude(result: Any, outputs: Any, as_json: bool) -> None:
    """Write and print; a tensor as any tensor, a number as a line."""
    from scalebridge.cli.answering import conclude, leave
    from scalebridge.cli.interface_texts import show_number
    from scalebridge.core.results import Outcome

    if result.value.ndim or as_json:
        conclude(result, outputs, "", as_json)
        return
    show_number(result, outputs.write(result))
    leave(result.passed, result.outcome is Outcome.converged)
