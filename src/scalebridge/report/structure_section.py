"""A structure along its path made ready for the page."""

from dataclasses import replace
from typing import Any

import numpy as np

from scalebridge.core.results import Outcome
from scalebridge.core.spec import Spec
from scalebridge.core.upscaled import Upscaled
from scalebridge.report.figures_structure import draw_micro, draw_path, draw_residuals, draw_stresses
from scalebridge.report.sections import Block, Section
from scalebridge.report.tables import Row, Table, check_table, origin_items, plain_text, spread_out
from scalebridge.report.typeset import typeset_number
from scalebridge.report.wording import outcome_of, verdict_sentence
from scalebridge.structures.equilibrium import Iteration
from scalebridge.structures.micro_fields import micro_fields
from scalebridge.structures.structure_study import StructureStudy

_MOST_ROWS = 40
_MIB = 2**20


def make_structure_section(study: StructureStudy, number: int) -> Section:
    """Draw and set everything that the page shows of a structure.

    Args:
        study: the study.
        number: its number on the page, from 1.
    """
    key, shown = f"result-{number}", as_result(study)
    text = study.to_json(indent=None)
    stresses = draw_stresses(study)
    return Section(
        key=key,
        title=f"Structure of {study.elements} elements with memory",
        passed=outcome_of(shown),
        verdict=_verdict(study, shown),
        number=typeset_number(float(_largest(study)), 4),
        unit="N",
        meaning=f"largest reaction of {study.driven[0]} along {'xyz'[study.driven[1]]}{_thickness(study)}",
        sentences=[*structure_sentences(study), _verdict(study, shown)],
        answer=[path_table(study)],
        cover=[draw_path(study, key)],
        inset=[],
        legend=[],
        asked=_asked(study),
        phases=None,
        blocks=_blocks(study, key, shown, [] if stresses is None else [stresses]),
        notes=study.notes,
        origin=origin_items(shown),
        json=text,
    )


def _verdict(study: StructureStudy, shown: Upscaled) -> str:
    """Return which checks failed, and how the path ended."""
    return f"{verdict_sentence(replace(shown, outcome=Outcome.converged))} {study.ending}".rstrip()


def as_result(study: StructureStudy) -> Upscaled:
    """Return the reactions along the path as a result, with the study's checks and origin."""
    return Upscaled(
        Spec("reaction", "N", (len(study.records) + 1,)),
        study.curve()[1],
        checks=study.checks,
        outcome=study.outcome,
        stats=study.stats,
        provenance=study.provenance,
        notes=study.notes,
    )


def _thickness(study: StructureStudy) -> str:
    return "" if len(study.displacement) == 3 else ", for a metre of thickness"


def _largest(study: StructureStudy) -> float:
    pulled = study.curve()[1]
    return float(pulled[np.abs(pulled).argmax()])


def structure_sentences(study: StructureStudy) -> list[str]:
    """Return what was found, in words."""
    moved, pulled = study.curve()
    name, axis = study.driven
    last = study.records[-1] if study.records else None
    most = int(study.equivalent_stress().argmax())
    place = ", ".join(typeset_number(1e3 * float(x), 4) for x in study.places[most])
    said = [
        f"At the end, {name} has moved by {typeset_number(1e3 * float(moved[-1]), 4)} mm along {'xyz'[axis]} "
        f"and is held by {typeset_number(float(pulled[-1]), 4)} N{_thickness(study)}.",
        f"The most stressed point is at ({place}) mm, with an equivalent stress of "
        f"{typeset_number(1e-6 * float(study.equivalent_stress()[most]), 4)} MPa.",
    ]
    if last is not None:
        said.append(
            f"Reactions and loads have done {typeset_number(last.external, 4)} J of work; "
            f"{int(last.stored)} of {len(study.weights)} points have a memory of their own."
        )
    return said


def path_table(study: StructureStudy) -> Table:
    """The path by increments: factor, displacement, reaction, corrections, works."""
    moved, pulled = study.curve()
    head = (
        "step",
        "factor",
        "displacement, mm",
        "reaction, N",
        "corrections",
        "work, J",
        "points with memory",
    )
    told = list(zip(study.records, moved[1:], pulled[1:], strict=True))
    rows = [
        Row(
            (
                str(record.step),
                typeset_number(record.factor, 5),
                typeset_number(1e3 * float(u), 5),
                typeset_number(float(force), 5),
                str(record.iterations),
                typeset_number(record.external, 5),
                str(int(record.stored)),
            )
        )
        for record, u, force in (told[i] for i in spread_out(len(told), _MOST_ROWS))
    ]
    left = f", {len(rows)} of {len(told)}" if len(rows) < len(told) else ""
    return Table(f"The path by increments{left}", head, rows)


def residual_table(study: StructureStudy) -> Table:
    """The residual table: the last iterations, if there are many."""
    head = ("step", "increment", "correction", "factor", "residual", "length", "ended")
    rows = [
        Row(
            (
                str(row.step),
                str(row.increment),
                str(row.iteration),
                typeset_number(row.factor, 6),
                typeset_number(row.residual, 3) if _is_residual(row) else "–",
                typeset_number(row.length, 3) if _is_residual(row) else "–",
                row.outcome,
            )
        )
        for row in study.iterations[-_MOST_ROWS:]
    ]
    left = len(study.iterations) - len(rows)
    caption = f"Residuals, the last {len(rows)} of {len(study.iterations)}" if left else "Residuals"
    return Table(caption, head, rows, frozenset({0, 6}))


def _is_residual(row: Iteration) -> bool:
    return row.of == "equilibrium" and bool(np.isfinite(row.residual))


def memory_table(study: StructureStudy) -> Table:
    """What the points' memory takes, and what it would take without sharing."""
    found = study.memory
    rows = [
        Row(
            (
                "points with memory of their own",
                f"{int(found['points with memory'])} of {int(found['points'])}",
            )
        ),
        Row(("state of one point, both banks", f"{typeset_number(found['bytes a point'] / _MIB, 3)} MiB")),
        Row(("held in memory", f"{typeset_number(found['memory'] / _MIB, 3)} MiB")),
        Row(("held in mapped files", f"{typeset_number(found['mapped'] / _MIB, 3)} MiB")),
        Row(("if no point shared", f"{typeset_number(found['without sharing'] / _MIB, 3)} MiB")),
    ]
    return Table("Memory of the points", ("", "size"), rows)


def sharing_table(study: StructureStudy) -> Table | None:
    """What sharing answers cost, by increments, as the samples saw it; None where points do not share."""
    shared = [record for record in study.records if record.sharing > 0]
    if not shared:
        return None
    rows = [
        Row(
            (
                str(record.step),
                typeset_number(record.factor, 5),
                f"{int(record.sharing)} of {len(study.weights)}",
                str(int(record.sampled)),
                typeset_number(record.sharing_error, 2),
                typeset_number(record.sharing_rms, 2),
            )
        )
        for record in (shared[i] for i in spread_out(len(shared), _MOST_ROWS))
    ]
    head = ("step", "factor", "points that share", "solved anew", "largest error", "rms error")
    return Table("Points that share an answer, and those of them that were solved anew", head, rows)


def _asked(study: StructureStudy) -> list[tuple[str, str]]:
    named: dict[str, Any] = {**study.inputs, **study.provenance.settings}
    return [(name.replace("_", " ").capitalize(), plain_text(value)) for name, value in named.items()]


def _blocks(study: StructureStudy, key: str, shown: Upscaled, stresses: list[Any]) -> list[Block]:
    fields = micro_fields(study.unit, study.micro.get(study.critical, {}), study.strains[study.critical])
    blocks = [
        Block(
            f"{key}-field", "Stresses", "Where the structure is stressed at the end of the path.", stresses
        ),
        Block(
            f"{key}-micro",
            "Inside the most stressed point",
            f"Local fields of the representative volume at point {study.critical}, at the end of the path.",
            draw_micro(fields),
        ),
        Block(
            f"{key}-residuals-block",
            "Equilibrium",
            "How Newton's method closed in, increment by increment; red ones were given up and cut.",
            [draw_residuals(study, key)] if study.iterations else [],
            residual_table(study),
        ),
        Block(
            f"{key}-memory",
            "Memory",
            "What the points remember, and what that takes.",
            [],
            memory_table(study),
        ),
        Block(
            f"{key}-sharing",
            "Shared answers",
            "Points whose strains have agreed so far share an answer. At each increment some of them, chosen "
            "at random, are solved anew along their own strains; errors are of their stresses, relative to "
            "the largest stress of any point.",
            [],
            sharing_table(study),
        ),
        Block(
            f"{key}-checks",
            "Checks",
            "What was preserved from the points to the structure, as measured numbers.",
            [],
            check_table(shown),
        ),
    ]
    return [block for block in blocks if block.pictures or block.table]
