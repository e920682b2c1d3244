"""scalebridge check: the problems with exact answers, solved on this machine."""

from typing import Annotated, Any

import typer

from scalebridge.cli import options
from scalebridge.cli.exits import Exit, refusals


def check(
    *,
    only: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Only problems whose name contains this.")
    ] = None,
    as_json: options.Json = False,
    debug: options.Debug = False,
) -> None:
    """Solve problems with exact answers on this machine, and say how close both discretisations come."""
    with refusals(debug):
        from scalebridge.cells.problems import Verdict, exact_problems, examine
        from scalebridge.core.errors import InputError

        problems = [p for p in exact_problems() if only is None or only.lower() in p.name.lower()]
        if not problems:
            names = ", ".join(p.name for p in exact_problems())
            raise InputError(
                "--only", got=repr(only), wanted=f"part of one of: {names}", cure="leave --only out"
            )
        verdicts: list[Verdict] = []
        with _waiting(2 * len(problems), not as_json) as tell:
            for problem in problems:
                for scheme in ("hexahedra", "finite-volume"):
                    tell(f"{problem.name}, {scheme}")
                    verdicts.append(examine(problem, scheme))
        if as_json:
            _print_json(verdicts)
        else:
            _print_table(verdicts)
        if not all(verdict.passed for verdict in verdicts):
            raise typer.Exit(Exit.check_failed)


def _waiting(count: int, show: bool) -> Any:
    """Return a context that yields a function to say what is being solved, on a terminal only."""
    from contextlib import contextmanager

    from rich.console import Console
    from rich.progress import Progress

    @contextmanager
    def waiting():
        console = Console(stderr=True)
        with Progress(console=console, transient=True, disable=not (show and console.is_terminal)) as bar:
            task = bar.add_task("compiling", total=count + 1)
            yield lambda text: bar.update(task, description=text, advance=1)

    return waiting()


def _print_json(verdicts: list[Any]) -> None:
    import json

    from scalebridge.core.upscaled import plain

    told = [
        {
            "problem": v.problem.name,
            "scheme": v.scheme,
            "cells": v.cells,
            "exact": v.problem.exact,
            "value": v.value,
            "error": v.error,
            "tolerance": v.tolerance,
            "source": v.problem.source,
            "passed": v.passed,
        }
        for v in verdicts
    ]
    passed = all(v.passed for v in verdicts)
    typer.echo(json.dumps({"passed": passed, "problems": plain(told)}, indent=2))


def _print_table(verdicts: list[Any]) -> None:
    from scalebridge.cli.terminal import console, plain_table, verdict_text
    from scalebridge.core.provenance import installed_versions, this_machine

    out = console()
    table = plain_table("problem", "scheme", "exact>", "got>", "error>", "allowed>", "")
    for v in verdicts:
        name = f"{v.problem.name} ({v.cells})"
        side = {True: "", False: "±"}[v.problem.voxels_exact]
        table.add_row(
            name,
            v.scheme,
            f"{v.problem.exact[0][0]:.7g}",
            f"{v.value[0, 0]:.7g}",
            f"{v.error:+.1e}",
            f"{side}{v.tolerance:.1e}",
            verdict_text(v.passed),
        )
    out.print(table)
    failed = sum(not v.passed for v in verdicts)
    out.print(
        "In brackets: voxels along an axis. Shown: the component along x; the error is that of the worst one."
    )
    out.print(
        "Where the voxels are the geometry, hexahedra must come from above and finite volumes from below; "
        "± marks surfaces that voxels only approximate."
    )
    machine, versions = this_machine(), installed_versions()
    where = f"{machine['machine']}, {machine['system']}"
    out.print(f"{where}, jax {versions['jax']}, scalebridge {versions['scalebridge']}")
    out.print(f"{len(verdicts) - failed} of {len(verdicts)} passed")
