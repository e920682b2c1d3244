"""scalebridge sample: a posterior, with a cheap model screening for an expensive one."""

from typing import Annotated

import typer

from scalebridge.cli import options
from scalebridge.cli.exits import refusals


def sample(
    case: Annotated[
        str,
        typer.Argument(metavar="CASE.toml", help="Case file of task 'sample'; its paths are relative to it."),
    ],
    *,
    force: options.Force = False,
    as_json: options.Json = False,
    progress: options.Progress = None,
    debug: options.Debug = False,
) -> None:
    """Sample a posterior: coarse models screen proposals, the finest decides, so that the draws are exact.

    Models are functions in a Python file, programs, or UM-Bridge servers. With a store in the case file a
    run that was stopped goes on where it was, and --force begins again. `scalebridge schema` says what a
    case may contain.
    """
    with refusals(debug):
        from pathlib import Path

        from scalebridge.cli.case_file import load_task
        from scalebridge.cli.sampling_solving import sample_case

        file = Path(case)
        loaded = load_task(file, "sample")
        told = {"as_json": as_json, "progress": progress, "resume": not force}
        sample_case(loaded, file.parent, inputs=(file,), **told)
