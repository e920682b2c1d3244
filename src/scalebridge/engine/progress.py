"""Progress with an estimate of what is left: on a terminal, and silent in a pipe."""

import math
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

Advance = Callable[[float, str], None]
"""Takes the work just done, in the unit of the total, and a word on what it was."""


class Meter:
    """One bar for a job of several cases, each of which closes in on a wanted error.

    Args:
        total: number of cases.
        bar: the Rich bar, or None for silence.
        title: what is being done.
    """

    def __init__(self, total: int, bar: Progress | None = None, title: str = "solving"):
        self._bar, self._total, self._title = bar, total, title
        self._task = None if bar is None else bar.add_task(title, total=float(total), detail="")
        self._finished = 0

    def __call__(self, case: int, steps: int, error: float, wanted: float) -> None:
        """Show where a case stands: the logarithm of the error falls about evenly with the steps."""
        if self._bar is None or self._task is None:
            return
        share = share_done(error, wanted)
        detail = f"case {case + 1}: step {steps}, error {error:.1e}"
        self._bar.update(self._task, completed=self._finished + share, detail=detail)

    def next_case(self) -> None:
        """Count a case as done."""
        self._finished += 1
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, completed=float(self._finished))


def share_done(error: float, wanted: float) -> float:
    """Return how far a solve is, in [0, 1], if the logarithm of its error falls evenly from 1 to `wanted`.

    Example:
        >>> share_done(1e-3, 1e-6)
        0.5
    """
    if not math.isfinite(error) or error >= 1.0 or wanted <= 0.0 or wanted >= 1.0:
        return 0.0
    return min(1.0, math.log(max(error, 1e-300)) / math.log(wanted))


@contextmanager
def metered(total: int, title: str, show: bool | None = None) -> Iterator[Meter]:
    """Yield a Meter that draws on standard error.

    Args:
        total: number of cases.
        title: what is being done.
        show: True or False to decide; None draws if standard error is a terminal.
    """
    if not _visible(show):
        yield Meter(total, None, title)
        return
    with _bar() as bar:
        yield Meter(total, bar, title)


@contextmanager
def tallied(total: float, title: str, show: bool | None = None) -> Iterator[Advance]:
    """Yield a function that counts finished work on one bar, for tasks that end in any order.

    Args:
        total: all the work there is, in any unit, such as voxels.
        title: what is being done.
        show: True or False to decide; None draws if standard error is a terminal.
    """
    if not _visible(show):
        yield lambda work, detail: None
        return
    with _bar() as bar:
        task = bar.add_task(title, total=total, detail="")
        yield lambda work, detail: bar.update(task, advance=work, detail=detail)


def _visible(show: bool | None) -> bool:
    return sys.stderr.isatty() if show is None else show


def _bar() -> Progress:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f}%"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[detail]}"),
    )
    return Progress(*columns, console=Console(stderr=True), transient=True)
