"""scalebridge core: the multiplication and the power of a core of homogenised regions."""

from typing import Annotated

import typer

from scalebridge.cli import options
from scalebridge.cli.exits import refusals


def core(
    case: Annotated[
        str,
        typer.Argument(metavar="CASE.toml", help='Case file with task = "core"; paths are relative to it.'),
    ],
    *,
    force: Annotated[
        bool, typer.Option("--force", help="Do it again, even if the outputs are there and finished.")
    ] = False,
    as_json: options.Json = False,
    debug: options.Debug = False,
) -> None:
    """Solve a core of homogenised regions by multigroup diffusion: k, fluxes, power of the nodes.

    The case has a map, constants of regions and a boundary; `scalebridge schema` says what it may contain.
    """
    with refusals(debug):
        from pathlib import Path

        from scalebridge.cli.case_file import load_task
        from scalebridge.cli.core_solving import answer_core_case

        file = Path(case)
        loaded = load_task(file, "core")
        answer_core_case(loaded, file.parent, inputs=(file,), as_json=as_json, resume=not force)
