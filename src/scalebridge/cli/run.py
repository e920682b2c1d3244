"""scalebridge run: what a case file asks."""

from typing import Annotated

import typer

from scalebridge.cli import options
from scalebridge.cli.exits import refusals


def run(
    case: Annotated[
        str, typer.Argument(metavar="CASE.toml", help="Case file; its paths are relative to it.")
    ],
    *,
    force: Annotated[
        bool, typer.Option("--force", help="Do it again, even if the outputs are there and finished.")
    ] = False,
    as_json: options.Json = False,
    progress: options.Progress = None,
    debug: options.Debug = False,
) -> None:
    """Run a case file; outputs that are finished for the same input and settings are left alone.

    `scalebridge schema` says what a case may contain.
    """
    with refusals(debug):
        from pathlib import Path

        from scalebridge.cli.case_file import load_case
        from scalebridge.cli.statistics_case import InferCase, ScalesCase

        file = Path(case)
        loaded = load_case(file)
        options = {"inputs": (file,), "as_json": as_json, "progress": progress, "resume": not force}
        if loaded.task == "rve":
            from scalebridge.cli.studying import study_case

            study_case(loaded, file.parent, **options)
            return
        if loaded.task == "conductivity":
            from scalebridge.cli.answering import answer_case

            answer_case(loaded, file.parent, **options)
            return
        if loaded.task == "stiffness-rve":
            from scalebridge.cli.studying import study_stiffness_case

            study_stiffness_case(loaded, file.parent, **options)
            return
        if loaded.task == "interface":
            from scalebridge.cli.interface_solving import answer_interface_case

            answer_interface_case(loaded, file.parent, **options)
            return
        if loaded.task == "permeability":
            from scalebridge.cli.flow_solving import answer_flow_case

            answer_flow_case(loaded, file.parent, **options)
            return
        if isinstance(loaded, InferCase | ScalesCase):
            from scalebridge.cli.statistics_solving import answer_statistics_case

            answer_statistics_case(loaded, file.parent, **options)
            return
        from scalebridge.cli.elastic_solving import answer_elastic_case

        answer_elastic_case(loaded, file.parent, **options)
