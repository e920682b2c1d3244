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
    force: options.Force = False,
    engine: Annotated[
        str | None,
        typer.Option(
            "--engine",
            metavar="ENGINE",
            help="Who does tiles and scenes held out: serial, local (processes), dask, or tcp://host:port.",
        ),
    ] = None,
    workers: options.Workers = None,
    store: options.Store = None,
    as_json: options.Json = False,
    progress: options.Progress = None,
    debug: options.Debug = False,
) -> None:
    """Fuse sensors at several resolutions into one field, with its standard deviation, on every date.

    The case names sensors, their footprints and noise, and a model; `scalebridge schema` says what it may
    contain. With a tile in the case the field is written tile by tile; a run that was stopped goes on where
    it was, and --force begins again.
    """
    with refusals(debug):
        from pathlib import Path

        from scalebridge.cli.case_file import load_task
        from scalebridge.cli.fusion_solving import answer_fusion_case

        file = Path(case)
        loaded = load_task(file, "fusion")
        asked = {
            "engine": engine,
            "workers": workers,
            "store": None if store is None else str(Path(store).resolve()),
        }
        given = {key: value for key, value in asked.items() if value is not None}
        loaded = loaded.model_copy(update={"solve": loaded.solve.model_copy(update=given)})
        told = {"as_json": as_json, "progress": progress, "resume": not force}
        answer_fusion_case(loaded, file.parent, inputs=(file,), **told)
