"""scalebridge reactor: transport in a lattice of pins, and the constants of a coarse core."""

from typing import Annotated

import typer

from scalebridge.cli import options
from scalebridge.cli.exits import refusals


def reactor(
    case: Annotated[
        str,
        typer.Argument(
            metavar="CASE.toml", help='Case file with task = "reactor"; paths are relative to it.'
        ),
    ],
    *,
    force: Annotated[
        bool, typer.Option("--force", help="Do it again, even if the outputs are there and finished.")
    ] = False,
    as_json: options.Json = False,
    progress: options.Progress = None,
    debug: options.Debug = False,
) -> None:
    """Solve neutron transport in a lattice and hand up the constants of its regions, with an audit.

    The case holds lattice, materials and what is wanted; `scalebridge schema` says what it may contain.
    """
    with refusals(debug):
        from pathlib import Path

        from scalebridge.cli.case_file import load_task
        from scalebridge.cli.reactor_solving import solve_reactor_case

        file = Path(case)
        loaded = load_task(file, "reactor")
        solve_reactor_case(
            loaded, file.parent, inputs=(file,), as_json=as_json, progress=progress, resume=not force
        )
