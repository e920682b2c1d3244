"""scalebridge scales: which scales of a column of values are more than noise."""

from typing import Annotated

import typer

from scalebridge.cli import options
from scalebridge.cli.exits import refusals


def scales(
    case: Annotated[
        str,
        typer.Argument(metavar="CASE.toml", help='Case file with task = "scales"; paths are relative to it.'),
    ],
    *,
    force: options.Force = False,
    as_json: options.Json = False,
    debug: options.Debug = False,
) -> None:
    """Decide from data which scales belong in the model, by several criteria side by side.

    The case names a table, a column and a basis; `scalebridge schema` says what it may contain.
    """
    with refusals(debug):
        from pathlib import Path

        from scalebridge.cli.case_file import load_task
        from scalebridge.cli.statistics_solving import answer_scales_case

        file = Path(case)
        loaded = load_task(file, "scales")
        answer_scales_case(loaded, file.parent, inputs=(file,), as_json=as_json, resume=not force)
