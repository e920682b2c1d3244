"""scalebridge infer: what measurements of small samples say of the large."""

from typing import Annotated

import typer

from scalebridge.cli import options
from scalebridge.cli.exits import refusals


def infer(
    case: Annotated[
        str,
        typer.Argument(metavar="CASE.toml", help='Case file with task = "infer"; paths are relative to it.'),
    ],
    *,
    force: options.Force = False,
    as_json: options.Json = False,
    debug: options.Debug = False,
) -> None:
    """Infer coarse parameters from noisy measurements of small samples, and upscale them.

    The case names a table, its columns, priors and the property; `scalebridge schema` says what it may
    contain.
    """
    with refusals(debug):
        from pathlib import Path

        from scalebridge.cli.case_file import load_task
        from scalebridge.cli.statistics_solving import answer_infer_case

        file = Path(case)
        loaded = load_task(file, "infer")
        answer_infer_case(loaded, file.parent, inputs=(file,), as_json=as_json, resume=not force)
