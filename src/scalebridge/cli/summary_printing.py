"""The findings of `scalebridge inspect` on a terminal."""

from typing import Any

from rich.console import Console
from rich.text import Text

from scalebridge.cli.terminal import plain_table
from scalebridge.grids.statistics import ImageStatistics
from scalebridge.report.image_tables import statistics_rows
from scalebridge.report.typeset import typeset_length, typeset_number

_BAR = 40  # columns of the longest bar of a histogram
_AXES = "xyz"


def show_summary(out: Console, told: dict[str, Any]) -> None:
    """Print what `summarise` found."""
    out.print(Text(f"{told['path']}", style="bold"), soft_wrap=True)
    facts = plain_table("", "")
    facts.show_header = False
    for name, text in fact_rows(told):
        facts.add_row(name, text)
    out.print(facts)
    if "grey" in told:
        _show_histogram(out, told["grey"])
    if "phases" in told:
        _show_phases(out, told["phases"], len(told["shape"]))
    for warning in told["warnings"]:
        out.print(Text(f"note: {warning}", style="yellow"))


def fact_rows(told: dict[str, Any]) -> list[tuple[str, str]]:
    """Return what describes the file and the image, as names and texts."""
    stored = told["stored"]
    dataset = f", dataset {told['dataset']}" if told["dataset"] else ""
    kept = f"{_times(stored['shape'])}, axes {stored['axes']}, {stored['dtype']}"
    axes = ", ".join(_AXES[: len(told["shape"])])
    found = [
        ("format", f"{told['format']}{dataset}"),
        ("stored", kept),
        ("image", f"{_times(told['shape'])} voxels ({axes})"),
    ]
    if told["voxel"] is None:
        found.append(("voxel", "size unknown"))
    else:
        extent = [n * edge for n, edge in zip(told["shape"], told["voxel"], strict=True)]
        edges = " x ".join(typeset_length(edge) for edge in told["voxel"])
        found.append(("voxel", f"{edges} (from the {told['voxel_from']})"))
        found.append(("extent", " x ".join(typeset_length(edge) for edge in extent)))
    low, high = told["range"]
    found.append(("values", f"{told['kind']}, {low:g} to {high:g}"))
    if told.get("threshold") is not None:
        found.append(("threshold", ", ".join(f"{level:g}" for level in told["threshold"])))
    found.append(("sha256", f"{told['sha256']}  (file)"))
    if "content_sha256" in told:
        found.append(("", f"{told['content_sha256']}  (labels and voxel size)"))
    return found


def show_statistics(out: Console, statistics: ImageStatistics) -> None:
    """Print the numbers of every measured phase, one column a phase."""
    table = plain_table("geometry", *(f"{phase.name}>" for phase in statistics.phases.values()))
    for name, cells in statistics_rows(statistics):
        table.add_row(name, *cells)
    out.print(table)


def _show_phases(out: Console, phases: list[dict[str, Any]], dim: int) -> None:
    axes = _AXES[:dim]
    table = plain_table(
        "label>",
        "fraction>",
        "voxels>",
        "percolates",
        "clusters>",
        "isolated>",
        "periodic",
        "clusters>",
        "isolated>",
    )
    for phase in phases:
        table.add_row(
            str(phase["label"]),
            typeset_number(phase["fraction"], 5),
            str(phase["voxels"]),
            *_connected(phase["box"], axes),
            *_connected(phase["periodic"], axes),
        )
    out.print(table)
    out.print(
        Text(
            "Connected through voxel faces. Percolates: between opposite faces of the image; periodic: when "
            "it repeats itself.",
            style="dim",
        )
    )


def _connected(found: dict[str, Any], axes: str) -> list[str]:
    along = " ".join(axis if yes else "-" for axis, yes in zip(axes, found["percolates"], strict=True))
    return [along, str(found["clusters"]), f"{found['isolated_fraction']:.2%}"]


def _show_histogram(out: Console, grey: dict[str, Any]) -> None:
    edges, counts = grey["histogram"]["edges"], grey["histogram"]["counts"]
    top = max(counts)
    cut = grey["otsu"]
    table = plain_table("from>", "to>", "voxels>", "")
    for low, high, count in zip(edges[:-1], edges[1:], counts, strict=True):
        bar = Text("█" * round(_BAR * count / top))
        if cut is not None and low <= cut < high:
            bar.append(f"  Otsu {cut:.6g}", style="green")
        table.add_row(f"{low:.6g}", f"{high:.6g}", str(count), bar)
    out.print(table)
    out.print(f"mean {grey['mean']:.6g}, standard deviation {grey['std']:.6g}")
    if cut is not None:
        out.print(
            f"Otsu's threshold {cut:.6g} makes {grey['bright_fraction_at_otsu']:.2%} of the voxels bright"
        )


def _times(numbers: list[int]) -> str:
    return " x ".join(map(str, numbers))
