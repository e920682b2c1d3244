"""The end of every verb that has a result: print it, write it, and leave with the right code."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import typer
from rich.console import Console

from scalebridge.cli.case import ConductivityCase
from scalebridge.cli.exits import Exit
from scalebridge.cli.outputs import Outputs
from scalebridge.cli.printing import show_result
from scalebridge.cli.requests import finished
from scalebridge.cli.terminal import console, show_written
from scalebridge.core.results import Outcome
from scalebridge.core.upscaled import Upscaled

Show = Callable[[Console, Upscaled, dict[str, Path]], None]


def answer_case(
    case: ConductivityCase,
    folder: Path,
    *,
    inputs: tuple[Path, ...] = (),
    as_json: bool = False,
    progress: bool | None = None,
    resume: bool = False,
) -> None:
    """Prepare, solve, print and write a case.

    Args:
        case: the case.
        folder: what its paths are relative to.
        inputs: files besides the image that must not be overwritten.
        as_json: whether to print JSON alone.
        progress: whether to draw a bar; None draws on a terminal.
        resume: whether to leave finished outputs of the same request alone.

    Raises:
        typer.Exit: with the exit code, unless every check passed.
    """
    from scalebridge.cli.solving import answer, prepare  # other verbs end here too, and need no image

    prepared = prepare(case, folder, inputs)
    stored = finished(prepared.outputs, prepared.request) if resume else None
    if stored is not None:
        tell_finished(prepared.outputs, stored, as_json)
        leave(bool(stored["passed"]), stored["outcome"]["code"] == Outcome.converged.name)
        return
    conclude(answer(prepared, progress), prepared.outputs, prepared.request, as_json)


def conclude(
    result: Upscaled, outputs: Outputs, request: str, as_json: bool, show: Show = show_result
) -> None:
    """Write a result's files, print it, and leave with its code."""
    written = outputs.write(result, request)
    if as_json:
        typer.echo(result.to_json())
    else:
        show(console(), result, written)
    leave(result.passed, result.outcome is Outcome.converged)


def leave(passed: bool, converged: bool) -> None:
    """Leave with the code of a result that was obtained, if it is not 0.

    Raises:
        typer.Exit: a check failed, or the solver did not converge.
    """
    if not converged:
        raise typer.Exit(Exit.not_converged)
    if not passed:
        raise typer.Exit(Exit.check_failed)


def tell_finished(outputs: Outputs, stored: dict[str, Any], as_json: bool) -> None:
    """Print that there is nothing to do, and where the answer is; or the answer as JSON."""
    if as_json:
        own = {key: value for key, value in stored.items() if key not in ("request", "files")}
        typer.echo(json.dumps(own, indent=2))
        return
    out = console()
    out.print(
        "Nothing to do: answered before for this input, these settings and versions. --force does it again."
    )
    show_written(out, outputs.paths)


def conclude_study(
    ask: Callable[[], Any],
    show: Callable[[Console, Any, dict[str, Path]], None],
    outputs: Outputs,
    request: str,
    *,
    as_json: bool,
    resume: bool,
) -> None:
    """Look for a finished study, or ask, print and write it; leave.

    Args:
        ask: makes the study.
        show: prints it, with the files that were written.
        outputs: where it goes.
        request: SHA-256 of all that decides its numbers.
        as_json: whether it is printed as JSON.
        resume: whether finished work is looked for.

    Raises:
        typer.Exit: with the exit code, unless every check passed.
    """
    stored = finished(outputs, request) if resume else None
    if stored is not None:
        tell_finished(outputs, stored, as_json)
        leave(bool(stored["passed"]), converged=True)
        return
    study = ask()
    written = outputs.write_study(study, request)
    if as_json:
        typer.echo(study.to_json())
    else:
        show(console(), study, written)
    leave(study.passed, converged=True)
