"""A registration, made ready for the page."""

import numpy as np

from scalebridge.core.spec import Spec
from scalebridge.core.upscaled import Upscaled
from scalebridge.registration.matching import Step
from scalebridge.registration.registration_result import Landmarks, Registration
from scalebridge.registration.section_confidence import SectionConfidence
from scalebridge.report.figures_registration import (
    draw_area_map,
    draw_checkerboard,
    draw_error_map,
    draw_grid,
    draw_landmarks,
    draw_levels,
    draw_overlays,
    draw_starts,
)
from scalebridge.report.figures_section import draw_bow, draw_position
from scalebridge.report.sections import Block, Section
from scalebridge.report.tables import Row, Table, asked_items, check_table, origin_items
from scalebridge.report.typeset import typeset_number
from scalebridge.report.wording import verdict_sentence


def make_registration_section(found: Registration, number: int) -> Section:
    """Draw and set everything that the page shows of a registration.

    Args:
        found: the registration.
        number: its number on the page, from 1.
    """
    key, text = f"result-{number}", found.to_json(indent=None)
    told = Upscaled(
        Spec("standard error", "mm"), np.asarray(found.confidence.typical), checks=found.checks,
        provenance=found.provenance, notes=found.notes,
    )  # fmt: skip
    names = [found.provenance.inputs.get(k, {}).get("file", k) for k in ("fixed", "moving")]
    return Section(
        key=key,
        title=f"Registration of {names[1]} to {names[0]}" if names[0] != names[1] else "Registration",
        passed=found.passed,
        verdict=verdict_sentence(told),
        number=typeset_number(found.confidence.typical, 3),
        unit="mm",
        meaning="standard error of a mapped point, median over the tissue",
        sentences=[_sentence(found), ""],
        answer=[linear_table(found)],
        cover=draw_overlays(found),
        inset=[],
        legend=[],
        asked=asked_items(told),
        phases=None,
        blocks=[block for block in _blocks(found, told, key) if block.pictures or block.table],
        notes=found.notes,
        origin=origin_items(told),
        json=text,
    )


def linear_table(found: Registration) -> Table:
    """The affine part in words that a laboratory knows."""
    large, small = found.stretches
    rows = [
        *_pose_rows(found),
        Row(("turned by", f"{typeset_number(found.rotation, 4)}°")),
        Row(("on its face", "yes" if found.flipped else "no")),
        Row(("stretches, moving over fixed", f"{large:.4f} and {small:.4f}")),
        Row(("area, moving over fixed", f"{large * small:.4f}")),
        Row(("overlap", f"{100 * found.overlap:.1f} %")),
        Row(("similarity", f"{found.similarity:.4f} nats")),
        Row(("better than the next start by", f"{min(found.margin, 99.0):.3f} nats")),
    ]
    return Table("The affine part, and how well the images fit", ("", ""), rows, frozenset({0}))


def _pose_rows(found: Registration) -> list[Row]:
    pose = found.pose
    if pose is None:
        return []
    middle = ", ".join(typeset_number(float(v), 4) for v in pose.middle)
    normal = ", ".join(f"{v:.4f}" for v in pose.normal)
    axis = {"sagittal": "x", "coronal": "y", "axial": "z"}[pose.plane]
    rows = [
        Row(("nearest plane", f"{pose.plane}, {axis} = {typeset_number(pose.position, 4)} mm")),
        Row(("tilted by", f"{typeset_number(pose.tilt, 4)}°")),
        Row(("middle, LPS", f"{middle} mm")),
        Row(("normal, LPS", normal)),
    ]
    if isinstance(found.confidence, SectionConfidence):
        across = typeset_number(found.confidence.across, 3)
        rows.append(Row(("standard error across the section", f"{across} mm (median over the tissue)")))
    return rows


def level_table(found: Registration) -> Table:
    """What each level did."""
    rows = [
        Row((
            step.kind, typeset_number(step.spacing, 3),
            typeset_number(step.grid, 3) if step.grid else "affine",
            str(step.unknowns), f"{step.before:.4f}", f"{step.after:.4f}", str(step.evaluations),
            *_held_out(step),
        ))
        for step in found.steps
    ]  # fmt: skip
    head = (
        "level",
        "samples, mm",
        "control points, mm",
        "unknowns",
        "similarity before",
        "after",
        "evaluations",
        "gain on held-out tissue, nats",
        "kept",
    )
    return Table("Levels, coarse ones first", head, rows)


def _held_out(step: Step) -> tuple[str, str]:
    held = step.held_out
    gain = "" if held is None else f"{held.gain:.4f} (chance {held.chance:.4f})"
    return gain, "yes" if step.accepted else "no"


def landmark_table(marks: Landmarks) -> Table:
    """How landmarks are met."""
    errors = marks.errors
    rows = [
        Row((name, f"{typeset_number(float(value), 3)} mm"))
        for name, value in (
            ("median", np.median(errors)), ("95 % are below", np.percentile(errors, 95)),
            ("largest", errors.max()),
            ("stated standard error, median", np.median(marks.stated)),
        )
    ]  # fmt: skip
    rows.append(Row(("within the stated 95 %", f"{100 * marks.coverage:.0f} %")))
    return Table(f"{len(errors)} landmarks, which were not used", ("", ""), rows, frozenset({0}))


def _sentence(found: Registration) -> str:
    return (
        f"Each point of the fixed image has its point in the moving one; half of the tissue is mapped with a "
        f"standard error below {typeset_number(found.confidence.typical, 3)} mm."
    )


def _blocks(found: Registration, told: Upscaled, key: str) -> list[Block]:
    error, starts, marks = draw_error_map(found), draw_starts(found, f"{key}-starts"), found.landmarks
    lead = "How the square grid of the fixed image is deformed, and what that does to areas."
    blocks = [
        Block(
            f"{key}-board", "Checkerboard", "Edges should run on over squares.", [draw_checkerboard(found)]
        ),
        Block(f"{key}-shape", "Deformation", lead, [draw_grid(found, f"{key}-grid"), draw_area_map(found)]),
        Block(
            f"{key}-errors",
            "Standard error",
            "From the curvature of the similarity, the stiffness, and what small regions would still move.",
            [] if error is None else [error],
        ),
        Block(
            f"{key}-levels",
            "Level by level",
            "Each level starts from the answer of the last one. Kept if it betters tissue it did not see.",
            [draw_levels(found, f"{key}-costs")],
            level_table(found),
        ),
        Block(f"{key}-begin", "Starts", "Where each start ended.", [] if starts is None else [starts]),
        Block(f"{key}-checks", "Checks", "What has to hold, as measured numbers.", [], check_table(told)),
    ]
    if found.in_volume:
        lead = "Three planes through the section's middle, each with the line where the section cuts it."
        pictures = [*draw_position(found, f"{key}-cuts"), draw_bow(found)]
        blocks.insert(1, Block(f"{key}-place", "Position in the volume", lead, pictures))
    if marks is not None:
        picture = draw_landmarks(marks, f"{key}-marks-plot")
        lead = "Landmarks test the map and its stated error; they were not used."
        blocks.insert(3, Block(f"{key}-marks", "Landmarks", lead, [picture], landmark_table(marks)))
    return blocks
