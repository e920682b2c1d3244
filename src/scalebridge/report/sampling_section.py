"""A sampled posterior made ready for the page."""

from scalebridge.inference.sampled import LevelWork, Sampled, findings
from scalebridge.report.figures_sampling import (
    draw_answers_and_data,
    draw_levels,
    draw_marginals,
    draw_traces,
)
from scalebridge.report.sections import Block, Section
from scalebridge.report.tables import Row, Table, asked_items, check_table, origin_items
from scalebridge.report.typeset import MISSING, typeset_number, typeset_unit
from scalebridge.report.wording import verdict_sentence


def make_sampling_section(found: Sampled, number: int) -> Section:
    """Draw and set everything that the page shows of a sampled posterior.

    Args:
        found: the draws.
        number: its number on the page, from 1.
    """
    key, result = f"result-{number}", found.upscaled()
    text = found.to_json(indent=None)
    chains, draws = found.values.shape[:2]
    verdict = verdict_sentence(result)
    return Section(
        key=key,
        title=f"Posterior of {len(found.names)} parameter{'s' * (len(found.names) > 1)}",
        passed=found.passed,
        verdict=verdict,
        number=typeset_number(found.evaluations_per_ess, 3),
        unit="",
        meaning=f"evaluations of {found.work[-1].name} for an effective sample of the worst parameter "
        f"({chains} chains of {draws} draws)",
        sentences=[*(f"{line[:1].upper()}{line[1:]}." for line in findings(found)), verdict],
        answer=[posterior_table(found)],
        cover=[],
        inset=[],
        legend=[],
        asked=asked_items(result),
        phases=None,
        blocks=_blocks(found, key),
        notes=(*found.notes, *found.advice),
        origin=origin_items(result),
        json=text,
    )


def posterior_table(found: Sampled) -> Table:
    """The parameters: mean, spread, quantiles, and what the draws are worth."""
    head = (
        "parameter",
        "unit",
        "mean",
        "± Monte Carlo",
        "std",
        "5 %",
        "50 %",
        "95 %",
        "bulk ESS",
        "tail ESS",
        "R-hat",
    )
    rows = [
        Row(
            (
                row.name,
                typeset_unit(row.unit) or MISSING,
                typeset_number(row.mean, 4),
                typeset_number(row.error, 2),
                typeset_number(row.std, 3),
                *(typeset_number(q, 4) for q in row.quantiles),
                typeset_number(row.ess_bulk, 4),
                typeset_number(row.ess_tail, 4),
                f"{row.r_hat:.3f}",
            )
        )
        for row in found.summary
    ]
    return Table("Posterior", head, rows, frozenset({0, 1}))


def work_table(found: Sampled) -> Table:
    """What each level was asked."""
    head = ("level", "evaluations", "gradients", "in the warm-up", "failed", "seconds", "of a call, ms")
    rows = [
        Row(
            (
                one.name,
                str(one.evaluations),
                str(one.gradients),
                str(one.warmup),
                str(one.failures),
                typeset_number(one.seconds, 3),
                _call(one),
            )
        )
        for one in found.work
    ]
    return Table("Work by level, coarse to fine: kept draws, and the warm-up before", head, rows)


def _call(one: LevelWork) -> str:
    asked = one.evaluations + one.gradients
    return typeset_number(1e3 * one.seconds / asked, 3) if asked else MISSING


def _blocks(found: Sampled, key: str) -> list[Block]:
    answers = draw_answers_and_data(found, f"{key}-answers")
    levels = [draw_levels(found, f"{key}-levels")] if len(found.work) > 1 else []
    blocks = [
        Block(
            f"{key}-marginals",
            "What is known of each parameter",
            "The draws of all chains together.",
            [draw_marginals(found, f"{key}-histograms")],
        ),
        Block(
            f"{key}-mixing",
            "Have the chains mixed?",
            "The parameters with the fewest effective samples.",
            [draw_traces(found, f"{key}-traces")],
        ),
        Block(
            f"{key}-checks",
            "Checks",
            "What has to hold for the draws to stand for the posterior, as measured numbers.",
            [],
            check_table(found.upscaled()),
        ),
        Block(
            f"{key}-work",
            "Levels",
            "Coarse levels propose; the finest decides, so that the draws are of its posterior.",
            levels,
            work_table(found),
        ),
    ]
    if answers is not None:
        lead = "If the model can explain the data, few measurements lie outside."
        blocks.insert(1, Block(f"{key}-data", "Answers and measurements", lead, [answers]))
    return blocks
