"""The page of an image: what is in it, slices, grey values, phases, and the statistics of their geometry."""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from scalebridge.core.files import write_text
from scalebridge.grids.image import VoxelImage
from scalebridge.grids.statistics import ImageStatistics
from scalebridge.report.canvas import Picture, phase_colours
from scalebridge.report.figures_grey import draw_grey_slices, draw_histogram
from scalebridge.report.figures_image import draw_slices, draw_volumes
from scalebridge.report.figures_statistics import draw_chords, draw_covariance, draw_two_point
from scalebridge.report.image_tables import phases_table, statistics_table
from scalebridge.report.looks import Look
from scalebridge.report.page import page_environment
from scalebridge.report.sections import Block, data_url, escape_json
from scalebridge.report.tables import Table

_KEY = "image"


def write_image_report(
    path: str | os.PathLike[str],
    told: dict[str, Any],
    facts: Sequence[tuple[str, str]],
    *,
    image: VoxelImage | None = None,
    statistics: ImageStatistics | None = None,
    grey: np.ndarray | None = None,
    title: str | None = None,
) -> Path:
    """Write what is in an image as one self-contained HTML page, whole or not at all.

    The page holds the size of the image, its slices and volume, grey values with their thresholds, the phases
    and how they are connected, and of each its two-point probability, covariance along the axes, chord
    lengths, surface, curvature and integral range. It loads nothing from anywhere.

    Args:
        path: the file to write; its folder is made if absent.
        told: the findings as plain data; "phases" (label, fraction, voxels, connections), "grey" (histogram),
            "threshold" and "warnings" are shown, and all of it is kept in the page as JSON.
        facts: names and texts of what describes the file and the image.
        image: the labels; None for grey values without a threshold.
        statistics: of the image; None leaves them out.
        grey: grey values, shown beside the labels.
        title: heading of the page; by default the file's name.

    Returns:
        the path.

    Cost: about 5 s for an image of 128^3 voxels, most of it for the two rendered volumes.
    """
    name = Path(str(told.get("path") or "image")).name
    text = json.dumps(told, allow_nan=False)
    looks = {} if image is None else _looks(image)
    flat = [] if image is None else draw_slices(image, looks)
    edges = tuple(told["voxel"]) if told.get("voxel") else None
    shades = [] if grey is None else draw_grey_slices(grey, edges)
    volumes = draw_volumes(image, looks) if image is not None and image.dim == 3 else []
    page = {
        "title": title or name,
        "facts": list(facts),
        "notes": list(told.get("warnings", ())),
        "cover": volumes[:1] or (shades if image is None else flat)[:1],
        "inset": volumes[1:],
        "legend": list(looks.values()),
        "phases": phases_table(told["phases"], looks) if image is not None else None,
        "blocks": _blocks(told, looks, statistics, flat if volumes else [], shades[image is None :]),
        "json_url": data_url(text),
        "json_text": escape_json(text),
        "json_name": f"{Path(name).stem}.json",
    }
    return write_text(path, page_environment().get_template("image.html.j2").render(**page))


def _looks(image: VoxelImage) -> dict[int, Look]:
    return {
        label: Look(f"phase {label}", label, image.name(label), colour, image.fractions[label])
        for label, colour in zip(image.phases, phase_colours(len(image.phases)), strict=True)
    }


def _blocks(
    told: dict[str, Any],
    looks: dict[int, Look],
    statistics: ImageStatistics | None,
    flat: list[Picture],
    shades: list[Picture],
) -> list[Block]:
    blocks = [Block("slices", "Slices", "Through the middle, across each axis.", flat)]
    if "grey" in told:
        drawn = draw_histogram(told["grey"], told.get("threshold"), f"{_KEY}-grey")
        lead = "As they are stored, and how often each value occurs."
        blocks.append(Block("grey", "Grey values", lead, [*shades, drawn]))
    if statistics is not None:
        blocks += _statistics_blocks(statistics, looks)
    return [block for block in blocks if block.pictures or block.table]


def _statistics_blocks(statistics: ImageStatistics, looks: dict[int, Look]) -> list[Block]:
    phases = list(statistics.phases.values())
    varying = [phase for phase in phases if phase.fraction < 1]
    # Two phases share their covariance: one picture says it for both.
    both = len(phases) == 2 and not statistics.left_out
    covariances = [
        draw_covariance(statistics, phase, f"{_KEY}-covariance-{phase.label}", "both phases" if both else "")
        for phase in (varying[:1] if both else varying)
    ]
    chords = [draw_chords(statistics, phase, f"{_KEY}-chords-{phase.label}") for phase in phases]
    table: Table = statistics_table(statistics, looks)
    return [
        Block(
            "two-point",
            "Two-point correlation",
            "How likely both ends of a stick are in a phase, by its length; dotted, what it tends to without "
            "long-range order. And the same as a covariance along each axis: the closer the curves, the less "
            "does the direction matter; where they have died away, voxels know nothing of each other.",
            [draw_two_point(statistics, looks, f"{_KEY}-two-point"), *covariances],
        ),
        Block(
            "chords",
            "Chord lengths",
            "How long the pieces are that each phase cuts out of lines along the axes, counted by number. "
            "Pieces that the faces of the image cut off count as longer than what is seen of them.",
            [picture for picture in chords if picture is not None],
        ),
        Block(
            "geometry",
            "Geometry",
            "The integral range is the volume that one independent sample of a phase takes: the more of them "
            "an image holds, the better it stands for its material.",
            [],
            table,
        ),
    ]
