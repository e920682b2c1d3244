"""Scales chosen, made ready for the page."""

import numpy as np

from scalebridge.core.spec import Spec
from scalebridge.core.upscaled import Upscaled
from scalebridge.inference.scale_result import TITLES, ScaleSelection, scale_words
from scalebridge.report.figures_scales import draw_criteria, draw_errors, draw_scales
from scalebridge.report.sections import Block, Section
from scalebridge.report.tables import Row, Table, asked_items, check_table, origin_items
from scalebridge.report.typeset import typeset_number
from scalebridge.report.wording import verdict_sentence


def make_scales_section(found: ScaleSelection, number: int) -> Section:
    """Draw and set everything that the page shows of scales chosen.

    Args:
        found: the selection.
        number: its number on the page, from 1.
    """
    key, text = f"result-{number}", found.to_json(indent=None)
    spec = Spec("models" if found.ladder else "scales")
    told = Upscaled(
        spec, np.asarray(float(len(found.selected))), checks=found.checks, provenance=found.provenance,
        notes=found.notes,
    )  # fmt: skip
    count = len(found.selected)
    return Section(
        key=key,
        title="Which models the data ask for" if found.ladder else "Which scales matter",
        passed=found.passed if found.checks else None,
        verdict=verdict_sentence(told) if found.checks else "nothing was checked",
        number=str(count),
        unit=f"of {len(found.names)} {spec.name}",
        meaning=f"{TITLES[found.criterion]}: {scale_words(found.selected)}",
        sentences=[_sentence(found), ""],
        answer=[choice_table(found)],
        cover=[draw_criteria(found, f"{key}-criteria")],
        inset=[],
        legend=[],
        asked=asked_items(told),
        phases=None,
        blocks=[block for block in _blocks(found, told, key) if block.pictures or block.table],
        notes=found.notes,
        origin=origin_items(told),
        json=text,
    )


def choice_table(found: ScaleSelection) -> Table:
    """What each criterion chooses."""
    rows = [
        Row(
            (
                TITLES[name],
                str(choice.unknowns),
                typeset_number(choice.value, 5),
                typeset_number(choice.margin, 3),
                scale_words(choice.scales),
            )
        )
        for name, choice in found.choices.items()
    ]
    head = ("criterion", "coefficients", "value", "next is worse by", "scales")
    caption = f"What each criterion chooses; of cross-validation the value is the {found.loss} of prediction"
    return Table(caption, head, rows, frozenset({0, 4}), frozenset({4}))


def scale_table(found: ScaleSelection) -> Table:
    """Every scale: what it explains, and how sure it is."""
    often = found.frequencies
    head = ["scale", "coefficients", "explains", "probability by BIC"]
    head += [f"chosen again, {TITLES[name]}" for name in often]
    rows = []
    for i, name in enumerate(found.names):
        cells = [
            name,
            str(int(found.sizes[i])),
            f"{100 * found.energies[i]:.2f} %",
            f"{found.weights[i]:.3f}",
        ]
        rows.append(Row((*cells, *(f"{100 * share[i]:.0f} %" for share in often.values()))))
    return Table("Scales, coarse ones first", tuple(head), rows)


def price_table(found: ScaleSelection) -> Table:
    """What a coefficient costs in each criterion."""
    log = typeset_number(float(np.log(found.count)), 3)
    rows = [
        Row(
            (
                "AIC, leave one out, cross-validation",
                "2",
                "the best prediction; keeps taking a scale too many",
            )
        ),
        Row(("BIC", log, "the true scales, as values grow in number")),
        Row(("EBIC", f"{log} and the number of subsets", "the same with many scales to choose from")),
    ]
    head = ("criterion", "a coefficient costs", "looks for")
    return Table(
        "Prices, in units of twice the log-likelihood", head, rows, frozenset({0, 1, 2}), frozenset({2})
    )


def _sentence(found: ScaleSelection) -> str:
    share = 1.0 - float(np.var(found.values - found.fitted) / np.var(found.values))
    return f"The choice explains {typeset_number(100 * share, 3)} % of the variance of {found.count} values."


def _blocks(found: ScaleSelection, told: Upscaled, key: str) -> list[Block]:
    errors = draw_errors(found, f"{key}-errors")
    return [
        Block(
            f"{key}-reconstruction",
            "Reconstruction by scale",
            "The values, the fit, and what each chosen scale contributes to it.",
            [draw_scales(found, f"{key}-scales")],
        ),
        Block(
            f"{key}-scales-block",
            "Scale by scale",
            "What each scale explains, its probability, and how often it is chosen again.",
            [],
            scale_table(found),
        ),
        Block(
            f"{key}-disagreement",
            "Why criteria disagree",
            " ".join(found.disagreement),
            [],
            price_table(found),
        ),
        Block(
            f"{key}-errors-block",
            "Errors of prediction",
            "What each number of scales predicts of values that were left out.",
            [] if errors is None else [errors],
        ),
        Block(f"{key}-checks", "Checks", "What has to hold, as measured numbers.", [], check_table(told)),
    ]
