"""scalebridge laminate: the effective conductivity tensor of a stack of layers."""

from typing import Annotated

import typer

from scalebridge.cli import options
from scalebridge.cli.exits import refusals
from scalebridge.cli.text_values import layer_from, numbers_from


def laminate(
    *,
    layer: Annotated[
        list[str] | None,
        typer.Option(
            "--layer",
            metavar="THICKNESS=VALUE",
            help="A layer, repeated: THICKNESS[:NAME]=VALUE [UNIT] [+- STD [UNIT or %]]. For example "
            "'24 cm:brick=0.5 W/m/K +- 10 %'. Thicknesses without unit are relative.",
        ),
    ] = None,
    normal: Annotated[
        str,
        typer.Option(
            metavar="X,Y,Z", help="Direction across the layers, 2 or 3 components; its length does not count."
        ),
    ] = "0, 0, 1",
    out: options.Out = None,
    report: options.Report = None,
    card: options.Card = None,
    dialect: options.Dialect_ = options.Dialect.calculix,
    as_json: options.Json = False,
    debug: options.Debug = False,
) -> None:
    """Compute the exact effective conductivity tensor of a stack of layers.

    Across isotropic layers it is the harmonic mean, along them the arithmetic mean.
    """
    with refusals(debug):
        layers = [layer_from(text) for text in layer or []]
        direction = numbers_from(normal, "--normal")
        from pathlib import Path

        from scalebridge.cells.effective_laminate import effective_laminate
        from scalebridge.cli.answering import conclude
        from scalebridge.cli.outputs import Outputs

        result, page, text = (None if path is None else Path(path) for path in (out, report, card))
        outputs = Outputs(result, page, card=text, dialect=dialect.value)
        outputs.check(())
        outputs.check_dimension(len(direction))
        conclude(effective_laminate(layers, normal=direction), outputs, "", as_json)
