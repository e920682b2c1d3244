"""scalebridge fuse: one field at the finest resolution from sensors at several."""

from typing import Annotated

import typer

from scalebridge.cli import options
from scalebridge.cli.exits import refusals


def fuse(
    case: Annotated[
        str,
        typer.Argument(metavar="CASE.toml", help='Case file with task = "fusion"; paths are relative to it.'),
    ],
    *,
    force: Annotated[
        bool, typer.Option("--force", help="Do it again, even if the outputs are there and finished.")
    ] = False,
    as_json: options.Json = False,
    debug: options.Debug = False,
) -> None:
    """Fuse sensors at several resolutions into one field, with its standard deviation, on every date.

    The case names sensors, their footprints and noise, and a model; `scalebridge schema` says what it may
    contain.
    """
    with refusals(debug):
        from pathlib import Path

        from scalebridge.cli.case_file import load_task
        from scalebridge.cli.fusion_solving import answer_fusion_case

        file = Path(case)
        loaded = load_task(file, "fusion")
        answer_fusion_case(loaded, file.parent, inputs=(file,), as_json=as_json, resume=not force)
