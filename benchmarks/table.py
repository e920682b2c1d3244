"""The results as Markdown."""

from collections.abc import Sequence
from typing import Any

_NONE = "-"
_COLUMNS = (
    "case",
    "contender",
    "scheme",
    "stop",
    "threads (cores busy)",
    "solver s",
    "compile or set-up s",
    "peak MiB",
    "B/voxel",
    "iterations",
    "first component",
    "floor s",
    "solver/floor",
    "floor beside: solver/floor",
    "other work, cores",
    "load",
)


def page(results: dict[str, Any]) -> str:
    """Return the whole page."""
    machine = results["machine"]
    sections = [
        f"# {results['physics'].capitalize()}: speed and memory",
        f"{results['date']}, {machine['processor']}, {machine['cores']} cores, "
        f"load {machine['load_before']:.2f} before and {machine['load_after']:.2f} after.",
        markdown(_COLUMNS, [_row(row) for row in results["rows"]]),
        "Solver s is the best of several solves of all load cases after warm-up. The floor is the "
        "iterations times one forward and one inverse real transform of that size (stiffness: three) in "
        "float64 by the fastest library on the same number of threads. Other work is what other processes "
        "used of the cores during the best solve: where it is not near 0, the row is worse than the "
        "contender. The floor beside is the median of twenty pairs, by the library that was fastest just "
        "before and after that very solve, in a process that waits in between; of the solves' ratios to it "
        "the median is shown, with the smallest and the largest. Speeds of a shared processor change within "
        "minutes: this is the ratio that counts.",
        "\n".join(f"- {note}" for note in results["notes"]),
        "## One real transform pair, float64, ms",
        _transforms(results["transforms"]),
    ]
    if results["breakdown"]:
        sections += ["## Where an iteration of ours goes, ms (contrast 1000)", _parts(results["breakdown"])]
    if results["startup"]:
        rows = [_startup(row) for row in results["startup"]]
        sections += ["## Start-up, processor seconds", markdown(("command", "seconds", "bar"), rows)]
    return "\n\n".join(sections) + "\n"


def markdown(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return an aligned Markdown table."""
    widths = [max(len(row[i]) for row in (columns, *rows)) for i in range(len(columns))]
    lines = [columns, ["-" * width for width in widths], *rows]
    return "\n".join(
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |"
        for line in lines
    )


def line(row: dict[str, Any]) -> str:
    """Return a row as one line for the terminal."""
    return "  ".join(_row(row))


def _row(row: dict[str, Any]) -> list[str]:
    head = [row["case"], row["contender"], row["scheme"], f"{row['stop']} {row['tolerance']:g}"]
    if "reason" in row:
        return [*head, f"{row['threads']}", row["reason"], *[""] * (len(_COLUMNS) - 6)]
    floor = row.get("floor_seconds")
    steps = ", ".join(str(n) for n in row["iterations"])
    return [
        *head,
        f"{row['threads']} ({row['cores']:.1f})",
        f"{row['seconds']:.3g}",
        f"{row['setup_seconds']:.3g}",
        f"{row['peak_bytes'] / 2**20:.0f}",
        f"{row['bytes_per_voxel']:.0f}",
        steps if row["converged"] else f"{steps} (not converged)",
        f"{row['tensor'][0][0]:.7f}",
        _NONE if floor is None else f"{floor:.3g}",
        _NONE if floor is None else f"{row['seconds'] / floor:.2f}",
        _beside(row.get("floor_ratios", [])),
        f"{row['other_cores']:.1f}",
        f"{row['load']:.1f}",
    ]


def _beside(ratios: list[float]) -> str:
    if not ratios:
        return _NONE
    ranked = sorted(ratios)
    return f"{ranked[len(ranked) // 2]:.2f} ({ranked[0]:.2f} to {ranked[-1]:.2f})"


def _transforms(table: dict[str, dict[str, dict[str, float | None]]]) -> str:
    rows = [
        [f"{size}³", threads, *["absent" if t is None else f"{1e3 * t:.2f}" for t in times.values()]]
        for threads, sizes in table.items()
        for size, times in sizes.items()
    ]
    names = next(iter(next(iter(table.values())).values()))
    return markdown(("size", "threads", *names), rows)


def _parts(table: dict[str, dict[str, dict[str, float]]]) -> str:
    rows = [
        [name, scheme, *[f"{1e3 * t:.2f}" for t in times.values()]]
        for name, schemes in table.items()
        for scheme, times in schemes.items()
    ]
    names = next(iter(next(iter(table.values())).values()))
    return markdown(("image", "scheme", *names), rows)


def _startup(row: dict[str, Any]) -> list[str]:
    found = f"{row['seconds']:.2f}" if "seconds" in row else row["reason"]
    return [f"`{row['command']}`", found, f"{row['bar_seconds']}"]
