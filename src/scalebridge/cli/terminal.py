"""What all verbs print with: a console, tables without lines, verdicts, files. Loads nothing but Rich."""

from collections.abc import Mapping
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

_NO_WRAP = 1000  # columns in a pipe: whoever reads them wants whole lines


def console() -> Console:
    """Return a console on standard output: colours and wrapped lines on a terminal only."""
    found = Console(highlight=False)
    return found if found.is_terminal else Console(highlight=False, width=_NO_WRAP)


def show_written(out: Console, written: Mapping[str, Path]) -> None:
    """Print where the files went, a line each that is never broken."""
    for kind, path in written.items():
        out.print(Text(f"{kind:<8} {path}"), soft_wrap=True)


def plain_table(*columns: str, title: str | None = None) -> Table:
    """Return a table without lines; a column whose name ends in '>' is aligned on the right."""
    table = Table(box=None, pad_edge=False, title=title, title_justify="left", title_style="bold")
    for column in columns:
        table.add_column(
            column.removesuffix(">"),
            justify="right" if column.endswith(">") else "left",
            no_wrap=column.endswith(">"),
        )
    return table


def verdict_text(passed: bool) -> Text:
    """Return "pass" in green or "FAIL" in red."""
    return Text("pass", style="green") if passed else Text("FAIL", style="bold red")
