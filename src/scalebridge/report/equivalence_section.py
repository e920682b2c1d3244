"""What equivalence kept, made ready for the page: the audit first, and k last."""

import numpy as np

from scalebridge.core.spec import Spec
from scalebridge.core.upscaled import Upscaled
from scalebridge.reactor.equivalence_study import EquivalenceStudy
from scalebridge.report.canvas import (
    ACCENT,
    Picture,
    as_svg,
    label_axes,
    new_plot,
    phase_colours,
    plain_ticks,
)
from scalebridge.report.figures_core import draw_map
from scalebridge.report.sections import Block, Section
from scalebridge.report.tables import Row, Table, check_table, origin_items, plain_text
from scalebridge.report.typeset import typeset_number
from scalebridge.report.wording import outcome_of, verdict_sentence


def make_equivalence_section(study: EquivalenceStudy, number: int) -> Section:
    """Draw and set everything that the page shows of equivalent constants.

    Args:
        study: the study.
        number: its number on the page, from 1.
    """
    key, shown = f"result-{number}", as_result(study)
    text = study.to_json(indent=None)
    errors = 100 * study.power_errors[np.isfinite(study.power_errors)]
    rms = float(np.sqrt((errors**2).mean()))
    return Section(
        key=key,
        title=f"Constants of {len(study.constants.names)} regions by {study.method}",
        passed=outcome_of(shown),
        verdict=verdict_sentence(shown),
        number=typeset_number(rms, 3),
        unit="%",
        meaning="rms error of the power of nodes in the coarse core",
        sentences=[
            f"The coarse core has the rates of the fine one within "
            f"{typeset_number(100 * float(study.rate_error.max()), 3)} %, powers within "
            f"{typeset_number(float(np.abs(errors).max()), 3)} %, and k within "
            f"{typeset_number(abs(study.k_error), 3)} pcm.",
            verdict_sentence(shown),
        ],
        answer=[audit_table(study)],
        cover=[
            draw_map(
                np.where(study.power > 0, study.power, np.nan),
                _edges(study),
                "power by the mean, fine",
                unit="pins",
            )
        ],
        inset=[],
        legend=[],
        asked=[(name.capitalize(), plain_text(value)) for name, value in study.provenance.settings.items()],
        phases=None,
        blocks=[block for block in _blocks(study, key, shown) if block.pictures or block.table],
        notes=study.notes,
        origin=origin_items(shown),
        json=text,
    )


def as_result(study: EquivalenceStudy) -> Upscaled:
    """Return the coarse k as a result, with the study's checks and origin."""
    return Upscaled(
        Spec("multiplication"),
        np.asarray(study.k_coarse),
        checks=study.checks,
        outcome=study.outcome,
        stats=study.stats,
        provenance=study.provenance,
        notes=study.notes,
    )


def draw_errors(study: EquivalenceStudy) -> Picture:
    """Draw the error of the power of every node."""
    name = f"error of power by {study.method}, per cent"
    return draw_map(100 * study.power_errors, _edges(study), name, signed=True, unit="pins")


def coarse_table(studies: tuple[EquivalenceStudy, ...]) -> Table:
    """Rates, leakage, powers and k of coarse cores beside each other, k last."""
    rows = []
    for study in studies:
        errors = study.power_errors[np.isfinite(study.power_errors)]
        largest = (study.rate_error.max(), np.abs(study.leakage_error).max())
        told = (*largest, np.sqrt((errors**2).mean()), np.abs(errors).max())
        rows.append(Row((study.method, *map(_percent, told), typeset_number(study.k_error, 3))))
    head = ("constants by", "rates, rms", "leakage", "powers, rms", "powers, largest", "k, pcm")
    return Table("Coarse against fine, the worst group", head, rows)


def audit_table(study: EquivalenceStudy) -> Table:
    """Rates and leakage by group, then powers, and k last."""
    errors = study.power_errors[np.isfinite(study.power_errors)]
    rows = [
        Row((f"absorption rates, group {g}", _percent(rate), _percent(left)))
        for g, (rate, left) in enumerate(zip(study.rate_error, study.leakage_error, strict=True))
    ]
    rows += [
        Row(
            (
                "power of nodes, rms and largest",
                _percent(np.sqrt((errors**2).mean())),
                _percent(np.abs(errors).max()),
            )
        ),
        Row(("k, pcm", typeset_number(study.k_error, 3), "")),
    ]
    return Table("Coarse against fine: rms error, and what leaks", ("", "error", "leakage, or largest"), rows)


def factor_table(study: EquivalenceStudy) -> Table | None:
    """The spread of the factors by group."""
    found = (
        study.superhomogenization
        if study.factors is None
        else study.factors.reshape(-1, study.factors.shape[-1])
    )
    if found is None:
        return None
    rows = [
        Row((str(g), *(typeset_number(float(x), 5) for x in (column.min(), column.mean(), column.max()))))
        for g, column in enumerate(found.T)
    ]
    return Table("Factors by group", ("group", "smallest", "mean", "largest"), rows)


def _percent(value: float) -> str:
    return f"{typeset_number(100 * float(value), 3)} %"


def _edges(study: EquivalenceStudy) -> tuple[np.ndarray, np.ndarray]:
    rows, columns = study.power.shape
    return np.arange(columns + 1.0), np.arange(rows + 1.0)


def _history(study: EquivalenceStudy, key: str) -> list[Picture]:
    if not study.history:
        return []
    figure, axes = new_plot(460, 290)
    colours = phase_colours(len(study.history)) if len(study.history) > 1 else [ACCENT]
    for colour, row in zip(colours, study.history, strict=True):
        axes.plot(np.arange(1, len(row) + 1), row, "o-", color=colour, linewidth=1.1, markersize=3)
    axes.set_yscale("log")
    plain_ticks(axes, "y")
    label_axes(axes, "step", "largest change of the flux's logarithm")
    return [as_svg(figure, f"{key}-history", "How the superhomogenization factors closed in, by group.")]


def _blocks(study: EquivalenceStudy, key: str, shown: Upscaled) -> list[Block]:
    return [
        Block(
            f"{key}-errors", "Where the errors are", "Power of nodes, coarse less fine.", [draw_errors(study)]
        ),
        Block(
            f"{key}-factors",
            "Factors",
            "What makes the coarse core keep the fine one.",
            _history(study, key),
            factor_table(study),
        ),
        Block(f"{key}-checks", "Audit", "What was kept, rates first and k last.", [], check_table(shown)),
    ]
