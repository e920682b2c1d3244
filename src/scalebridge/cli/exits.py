"""How the command line ends: exit codes, and one readable block for every error."""

import difflib
from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum

import typer

from scalebridge.core.errors import InputError, MissingExtraError, SolverError, TaskError


class Exit(IntEnum):
    """Exit codes of every verb."""

    passed = 0
    check_failed = 1
    bad_input = 2
    not_converged = 3
    missing_extra = 4
    task_failed = 5
    internal = 70
    stopped = 130


MEANINGS = {
    Exit.passed: "all checks passed",
    Exit.check_failed: "a check failed; the result was written and says which",
    Exit.bad_input: "an input was refused before any work",
    Exit.not_converged: "the solver did not converge; the result was written and says so",
    Exit.missing_extra: "an optional package is missing",
    Exit.task_failed: "one of many tasks failed; with --store, what was finished is kept",
    Exit.internal: "an error in scalebridge itself",
    Exit.stopped: "stopped by Ctrl-C; no file is left half-written",
}
# A line with \b alone keeps the next paragraph's lines as they are.
EPILOG = "\b\nExit codes:\n" + "\n".join(f"  {code.value:>3}  {text}" for code, text in MEANINGS.items())


@contextmanager
def refusals(debug: bool) -> Iterator[None]:
    """Turn what a verb raises into a block on standard error and an exit code.

    Args:
        debug: whether to let errors through with their traceback.

    Raises:
        typer.Exit: with the exit code, in place of the error.
    """
    try:
        yield
    except KeyboardInterrupt:
        typer.echo("Stopped by Ctrl-C; no file was left half-written.", err=True)
        raise typer.Exit(Exit.stopped) from None
    except (typer.Exit, typer.Abort, typer.BadParameter, BrokenPipeError):
        raise
    except Exception as error:
        if debug:
            raise
        say_error(error)
        raise typer.Exit(code_of(error)) from None


def code_of(error: BaseException) -> Exit:
    """Return the exit code that an error ends with."""
    if isinstance(error, SolverError):
        return Exit.not_converged
    if isinstance(error, MissingExtraError):
        return Exit.missing_extra
    if isinstance(error, TaskError):
        return Exit.task_failed
    known = isinstance(error, InputError | OSError | MemoryError)
    return Exit.bad_input if known else Exit.internal


def say_error(error: BaseException) -> None:
    """Print an error on standard error as one block: what is wrong, what came, what was wanted, the cure."""
    head, rows = _told(error)
    typer.echo(typer.style("error", fg="red", bold=True) + f"  {head}", err=True)
    for name, text in rows:
        first, *others = str(text).splitlines() or [""]
        typer.echo(f"  {name:<7} {first}", err=True)
        for line in others:
            typer.echo(f"          {line}", err=True)


def nearest_hint(name: str, names: list[str]) -> str:
    """Return "did you mean 'x'?" for the nearest of some names, or the names themselves."""
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    return f"did you mean '{close[0]}'?" if close else f"there are: {', '.join(names)}"


def _told(error: BaseException) -> tuple[str, list[tuple[str, str]]]:
    if isinstance(error, InputError):
        return error.argument, [("got", error.got), ("wanted", error.wanted), ("cure", error.cure)]
    if isinstance(error, SolverError | MissingExtraError | TaskError):
        what, _, advice = str(error).rpartition("; ")
        return what, [("cure", advice)]
    if isinstance(error, OSError):
        return error.filename or "file", [
            ("got", error.strerror or str(error)),
            ("wanted", "a place that can be read and written"),
            ("cure", "check the path, its permissions and the free space"),
        ]
    if isinstance(error, MemoryError):
        return "memory", [("got", str(error) or "not enough"), ("cure", "crop or coarsen the image")]
    return f"in scalebridge itself: {type(error).__name__}", [
        ("got", str(error)),
        ("cure", "run the same command with --debug, and report what it prints"),
    ]
