"""Measurements upscaled, made ready for the page."""

import numpy as np

from scalebridge.inference.hierarchy_result import GroupSummary, MeasurementStudy
from scalebridge.report.canvas import Picture
from scalebridge.report.figures_measurements import (
    draw_forest,
    draw_left_out,
    draw_predictive,
    draw_semivariance,
    draw_shrinkage,
    shown_unit,
    with_unit,
)
from scalebridge.report.sections import Block, Section
from scalebridge.report.tables import Row, Table, asked_items, check_table, origin_items
from scalebridge.report.typeset import MISSING, typeset_number, typeset_unit
from scalebridge.report.wording import verdict_sentence


def make_measurement_section(study: MeasurementStudy, number: int) -> Section:
    """Draw and set everything that the page shows of measurements upscaled.

    Args:
        study: the study.
        number: its number on the page, from 1.
    """
    key, result = f"result-{number}", study.upscaled()
    factor, unit = shown_unit(study)
    text = study.to_json(indent=None)
    return Section(
        key=key,
        title=f"{study.spec.name[:1].upper()}{study.spec.name[1:]} from measurements",
        passed=study.passed,
        verdict=verdict_sentence(result),
        number=typeset_number(factor * study.everything.value, 3),
        unit=typeset_unit(unit),
        meaning=f"{study.title} of everything, median; 95 % from "
        f"{typeset_number(factor * study.everything.low, 3)} to "
        f"{typeset_number(factor * study.everything.high, 3)}",
        sentences=[*measurement_sentences(study), verdict_sentence(result)],
        answer=[group_table(study), parameter_table(study)],
        cover=[draw_forest(study, f"{key}-forest")],
        inset=[],
        legend=[],
        asked=asked_items(result),
        phases=prior_table(study),
        blocks=[block for block in _blocks(study, key) if block.pictures or block.table],
        notes=study.notes,
        origin=origin_items(result),
        json=text,
    )


def measurement_sentences(study: MeasurementStudy) -> list[str]:
    """Return what was found, in words, for readers who do not read posteriors."""
    data = study.hierarchy.measurements
    said = [f"{data.tree.count} measurements of {data.tree.samples} samples, by {study.path}."]
    near = study.nearness
    if near is not None and len(near.gamma) > 1:
        rise = (
            f"The semivariance within groups goes from {typeset_number(near.gamma[0], 3)} at a distance of "
            f"{typeset_number(near.distance[0], 2)} to {typeset_number(float(near.gamma.max()), 3)}"
        )
        if near.p_value >= 0.01:
            said.append(f"{rise}: neighbours are not more alike than chance makes them.")
        elif data.tree.correlation is None:
            said.append(
                f"{rise}: neighbours are alike, so independence within a group is wrong here, and the "
                "intervals are too narrow. Ask for a correlation."
            )
        else:
            said.append(f"{rise}: neighbours are alike, as the model has it.")
    if study.wanted is not None:
        more = "no number of" if study.further is None else typeset_number(float(study.further), 4)
        said.append(f"For the interval that was wanted the mean of all needs {more} further groups.")
    return said


def group_table(study: MeasurementStudy) -> Table:
    """Every group with its property."""
    head = ["group", "measurements", "median", "95 % from", "to"]
    if study.wanted is not None:
        head.append("more samples")
    rows = [Row(_cells(study, group)) for group in (*study.groups, study.everything)]
    return Table(with_unit(study.title[:1].upper() + study.title[1:], study), tuple(head), rows)


def parameter_table(study: MeasurementStudy) -> Table:
    """Mean, slopes, spreads and lengths."""
    rows = [
        Row((name, *(typeset_number(known[k], 4) for k in ("mean", "std", "2.5 %", "97.5 %"))))
        for name, known in study.parameters.items()
    ]
    where = "of the natural logarithm of SI values" if study.distribution == "log-normal" else "SI"
    return Table(f"Parameters, {where}", ("parameter", "mean", "std", "2.5 %", "97.5 %"), rows)


def prior_table(study: MeasurementStudy) -> Table:
    """Every prior, in words."""
    rows = [Row((name, text)) for name, text in study.priors.items()]
    return Table("Before the data", ("parameter", "prior"), rows, frozenset({0, 1}), frozenset({1}))


def parts_table(study: MeasurementStudy) -> Table:
    """What the variance of each group's value is made of."""
    rows = []
    for name in dict.fromkeys((study.of, "all")):
        moments = study.moments(name)
        labels = ("all",) if name == "all" else study.labels
        parts = np.stack([moments.sampling, moments.noise, moments.spreads], axis=1)
        shares = parts / np.maximum(parts.sum(axis=1, keepdims=True), 1e-300)
        rows += [
            Row((label, typeset_number(float(np.sqrt(v)), 3), *(f"{100 * x:.1f} %" for x in share)))
            for label, v, share in zip(labels, moments.variance, shares, strict=True)
        ]
    head = ("group", "std", "finite sampling", "measurement noise", "spreads not known")
    where = "logarithm" if study.distribution == "log-normal" else "value"
    return Table(f"Standard deviation of a group's {where}, and shares of its variance", head, rows)


def left_out_table(study: MeasurementStudy) -> Table | None:
    """Every group predicted from the others."""
    if not study.left_out:
        return None
    rows = [
        Row(
            (
                one.label,
                typeset_number(one.seen, 4),
                typeset_number(one.mean, 4),
                typeset_number(one.std, 3),
                f"{100 * one.probability:.1f} %",
                typeset_number(one.log_score, 4),
            )
        )
        for one in study.left_out
    ]
    head = ("group", "seen", "predicted", "std", "prediction below", "log score")
    return Table("Groups predicted from the others, in the coordinate of the model", head, rows)


def _cells(study: MeasurementStudy, group: GroupSummary) -> tuple[str, ...]:
    factor = shown_unit(study)[0]
    cells = [group.label, str(group.count)]
    cells += [typeset_number(factor * x, 4) for x in (group.value, group.low, group.high)]
    if study.wanted is not None:
        more = study.further if group is study.everything else group.further
        cells.append(MISSING if more is None else str(more))
    return tuple(cells)


def _blocks(study: MeasurementStudy, key: str) -> list[Block]:
    predictive: list[Picture] = [draw_predictive(study, f"{key}-predictive")]
    semivariance = draw_semivariance(study, f"{key}-semivariance")
    left_out = draw_left_out(study, f"{key}-left-out")
    shrinkage = [draw_shrinkage(study, f"{key}-shrinkage")] if study.groups else []
    parts = "Noise can be measured away, finite sampling by more samples, unknown spreads by more groups."
    return [
        Block(
            f"{key}-shrinkage-block",
            "Shrinkage",
            "What groups lend each other: the less a group says, the nearer to the mean of all it is put.",
            shrinkage,
        ),
        Block(
            f"{key}-nearness",
            "Nearness",
            "Whether samples that lie close are alike: then they say less than as many independent ones.",
            [] if semivariance is None else [semivariance],
        ),
        Block(f"{key}-uncertainty", "Uncertainty", parts, [], parts_table(study)),
        Block(
            f"{key}-predictive-block",
            "Could the model have made these data?",
            "Statistics of the data beside those of data that the model makes.",
            predictive,
        ),
        Block(
            f"{key}-left-out-block",
            "Groups left out",
            "Each group predicted from all the others.",
            [] if left_out is None else [left_out],
            None,
            tuple(t for t in [left_out_table(study)] if t is not None),
        ),
        Block(
            f"{key}-checks",
            "Checks",
            "What has to hold, as measured numbers.",
            [],
            check_table(study.upscaled()),
        ),
    ]
