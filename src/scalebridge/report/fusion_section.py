"""A fusion, made ready for the page."""

import numpy as np

from scalebridge.core.spec import Spec
from scalebridge.core.upscaled import Upscaled
from scalebridge.fusion.fused import Fused, banded, findings
from scalebridge.report.figures_fusion import draw_innovation_maps, draw_maps, draw_series
from scalebridge.report.sections import Block, Section
from scalebridge.report.tables import Row, Table, asked_items, check_table, origin_items
from scalebridge.report.typeset import MISSING, typeset_number, typeset_unit
from scalebridge.report.wording import verdict_sentence


def make_fusion_section(found: Fused, number: int) -> Section:
    """Draw and set everything that the page shows of a fusion.

    Args:
        found: the result.
        number: its number on the page, from 1.
    """
    key, text = f"result-{number}", found.to_json(indent=None)
    spread = found.totals[1]
    told = Upscaled(
        Spec("fused field", found.unit), np.asarray(spread), checks=found.checks,
        provenance=found.provenance, notes=found.notes,
    )  # fmt: skip
    _, rows, columns = found.shape
    sensors = " and ".join(o.name for o in found.problem.observed)
    return Section(
        key=key,
        title=f"Field fused from {sensors}",
        passed=found.passed,
        verdict=verdict_sentence(told),
        number=typeset_number(spread, 3),
        unit=typeset_unit(found.unit),
        meaning=f"root mean square of the standard deviation, {rows} × {columns} pixels{banded(found)} on "
        f"{len(found.days)} dates",
        sentences=[f"{sentence[:1].upper()}{sentence[1:]}." for sentence in findings(found)],
        answer=[parameter_table(found)],
        cover=draw_maps(found, 0),
        inset=[],
        legend=[],
        asked=asked_items(told),
        phases=prior_table(found),
        blocks=[block for block in _blocks(found, told, key) if block.pictures or block.table],
        notes=found.notes,
        origin=origin_items(told),
        json=text,
    )


def parameter_table(found: Fused) -> Table:
    """What was learnt."""
    rows = []
    for name, value in found.parameters.items():
        spread = found.learnt.spread.get(name)
        factor = "known" if spread is None else typeset_number(float(np.exp(min(spread, 20.0))), 3)
        rows.append(Row((name, typeset_number(value, 4), factor)))
    return Table("Parameters", ("parameter", "value", "within a factor"), rows)


def prior_table(found: Fused) -> Table:
    """Every prior."""
    rows = [
        Row(
            (
                p.name,
                typeset_number(p.median, 4),
                "known" if p.factor is None else typeset_number(p.factor, 3),
            )
        )
        for p in found.problem.parameters
    ]
    return Table("Before the data: log-normal priors", ("parameter", "median", "factor"), rows)


def band_table(found: Fused) -> Table | None:
    """How the innovations of bands go together."""
    rows = [
        Row((part, name, *(typeset_number(float(r), 3) for r in row)))
        for part, table in found.correlations.items()
        for name, row in zip(found.bands, table, strict=True)
    ]
    head = ("part", "band", *found.bands)
    return Table("Correlation of the bands' innovations", head, rows, frozenset({0, 1})) if rows else None


def coefficient_table(found: Fused) -> Table | None:
    """Effects that all pixels share."""
    rows = [
        Row((name, typeset_number(mean, 4), typeset_number(std, 3)))
        for name, (mean, std) in found.estimate.coefficients.items()
    ]
    return Table("Shared coefficients", ("coefficient", "mean", "std"), rows) if rows else None


def skill_table(found: Fused) -> Table | None:
    """Every scene held out, beside simple methods."""
    if not found.held_out:
        return None
    methods = list(found.held_out[0].baselines)
    head = ("scene", "pixels", "RMSE", "bias", "inside 95 %", *methods)
    rows = [
        Row(
            (
                f"{h.sensor} {h.date}" if found.bands else h.date, str(h.count), typeset_number(h.rmse, 3),
                typeset_number(h.bias, 2),
                f"{h.coverage:.1%}",
                *(typeset_number(h.baselines[m], 3) if m in h.baselines else MISSING for m in methods),
            )
        )
        for h in found.held_out
    ]  # fmt: skip
    skill, count = found.skill, sum(h.count for h in found.held_out)
    others = (typeset_number(skill[m], 3) for m in methods)
    rows.append(
        Row(
            (
                "all",
                str(count),
                typeset_number(skill["rmse"], 3),
                MISSING,
                f"{skill['coverage']:.1%}",
                *others,
            )
        )
    )
    return Table("Scenes held out, predicted with parameters learnt without them", head, rows)


def gate_table(found: Fused) -> Table | None:
    """Scenes that were left out."""
    rows = [
        Row((g.sensor, g.date, typeset_number(g.score, 3), typeset_number(g.usual, 3))) for g in found.gated
    ]
    head = ("sensor", "date", "off by", "usual")
    return Table("Scenes left out", head, rows, frozenset({0, 1})) if rows else None


def _blocks(found: Fused, told: Upscaled, key: str) -> list[Block]:
    skill = (
        "What the fusion says of scenes that it did not see, beside simple methods. No parameter saw them."
    )
    return [
        Block(
            f"{key}-series", "Over time", "A pixel that moves most, one in the middle, one that moves least.",
            draw_series(found, f"{key}-pixel"),
        ),
        Block(
            f"{key}-bands", "Bands", "What is seen of one band says something of the others.",
            [picture for band in range(1, len(found.bands)) for picture in draw_maps(found, band)],
            band_table(found),
        ),
        Block(f"{key}-skill", "Skill", skill, [], skill_table(found)),
        Block(
            f"{key}-gate", "Contaminated scenes", "Scenes that contradict all other data were not used.", [],
            gate_table(found),
        ),
        Block(
            f"{key}-innovations", "Innovations",
            "What each sensor says against all others: structure here is what the model has not got.",
            draw_innovation_maps(found), coefficient_table(found),
        ),
        Block(f"{key}-checks", "Checks", "What has to hold, as measured numbers.", [], check_table(told)),
    ]  # fmt: skip
