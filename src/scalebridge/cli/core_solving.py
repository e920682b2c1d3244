"""From a case of a coarse core to its study: read, look for finished work, ask, print, write."""

from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from scalebridge.cli.answering import conclude_study
from scalebridge.cli.core_case import CoreCase, map_of
from scalebridge.cli.printing import check_rows
from scalebridge.cli.requests import digest_of, outputs_of
from scalebridge.cli.terminal import plain_table, show_written
from scalebridge.reactor.core_study import CoreStudy, largest_and_smallest
from scalebridge.reactor.solve_core import solve_core
from scalebridge.report.typeset import typeset_number


def core_case(core: dict[str, Any], materials: dict[str, Any]) -> CoreStudy:
    """Solve the core of a case.

    Args:
        core: the table [core], with its map as text.
        materials: the tables [materials.NAME].

    Raises:
        InputError: something cannot be right.
    """
    told = {key: value for key, value in core.items() if key != "map"}
    given = {
        name: {key: value for key, value in table.items() if value is not None}
        for name, table in materials.items()
    }
    return solve_core(map_of(core["map"]), given, throw=False, **told)


def answer_core_case(
    case: CoreCase,
    folder: Path,
    *,
    inputs: tuple[Path, ...] = (),
    as_json: bool = False,
    progress: bool | None = None,
    resume: bool = False,
) -> None:
    """Solve, print and write a case; the arguments are those of `answering.answer_case`.

    Raises:
        typer.Exit: with the exit code, unless every check passed.
    """
    del progress  # a core is solved in seconds
    outputs = outputs_of(case.output, folder, case.title)
    outputs.check(inputs)
    told = case.model_dump(exclude={"output", "title"})

    def ask() -> CoreStudy:
        return core_case(told["core"], told["materials"])

    conclude_study(ask, show_core, outputs, digest_of(told), as_json=as_json, resume=resume)


def show_core(out: Console, study: CoreStudy, written: dict[str, Path]) -> None:
    """Print k, powers, checks, notes, files."""
    nodes = int((study.power >= 0).sum())
    out.print(Text(f"Core of {nodes} nodes in {study.groups} groups, {study.method}", style="bold"))
    error = (
        "" if study.mesh_error is None else f" ± {typeset_number(1e5 * study.mesh_error, 2)} pcm by the mesh"
    )
    out.print(Text(f"k = {study.k:.6f}{error}", style="bold cyan"))
    top, low = largest_and_smallest(study)
    table = plain_table("power of a node by the mean", "value>")
    table.add_row("largest", typeset_number(top, 5))
    table.add_row("smallest of a fuelled one", typeset_number(low, 5))
    out.print(table)
    out.print(check_rows(study.checks))
    for note in study.notes:
        out.print(Text(f"note: {note}", style="yellow"))
    out.print(Text(f"{sum(study.provenance.elapsed.values()):.2g} s", style="dim"))
    show_written(out, written)
