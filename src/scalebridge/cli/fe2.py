"""scalebridge fe2: a structure with a law or a representative volume at each point."""

from typing import Annotated

import typer

from scalebridge.cli import options
from scalebridge.cli.exits import refusals


def fe2(
    case: Annotated[
        str, typer.Argument(metavar="CASE.toml", help="Case file; its paths are relative to it.")
    ],
    *,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on from the last checkpoint, if there is one.")
    ] = False,
    engine: Annotated[
        str | None,
        typer.Option("--engine", help="Where points live: local, mpi, dask, or tcp://HOST:PORT."),
    ] = None,
    workers: Annotated[
        int | None, typer.Option("--workers", help="Threads of local, processes of dask.")
    ] = None,
    share: Annotated[
        float | None,
        typer.Option("--share", help="Points whose strains so far differ by less share an answer."),
    ] = None,
    as_json: options.Json = False,
    progress: options.Progress = None,
    debug: options.Debug = False,
) -> None:
    """Solve a structure along a path of loads, a law or a representative volume at each point (FE2).

    Under MPI: mpirun -n 4 python -m scalebridge fe2 CASE.toml --engine mpi.
    """
    with refusals(debug):
        from pathlib import Path

        from scalebridge.cli.case_file import load_case
        from scalebridge.cli.structure_case import StructureCase
        from scalebridge.cli.structure_solving import solve_structure_case
        from scalebridge.core.errors import CaseError

        file = Path(case)
        loaded = load_case(file)
        if not isinstance(loaded, StructureCase):
            raise CaseError(
                f"task ({file})", got=repr(loaded.task), wanted="'fe2'", cure=f"use `scalebridge run {file}`"
            )
        solve_structure_case(
            loaded,
            file.parent,
            inputs=(file,),
            engine=engine,
            workers=workers,
            share=share,
            resume=resume,
            as_json=as_json,
            progress=progress,
        )
