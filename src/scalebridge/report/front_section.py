"""A matched front made ready for the page."""

from dataclasses import replace

from scalebridge.cells.front_result import FrontStudy
from scalebridge.core.upscaled import Upscaled
from scalebridge.report.canvas import phase_colours
from scalebridge.report.figures_front import draw_path, draw_profile, draw_speeds
from scalebridge.report.sections import Block, Section, base_section
from scalebridge.report.tables import Row, Table, answer_table, check_table, uncertainty_table
from scalebridge.report.typeset import (
    MISSING,
    typeset_estimate,
    typeset_length,
    typeset_number,
    typeset_unit,
)
from scalebridge.report.wording import headline, verdict_sentence


def is_front(result: Upscaled) -> bool:
    """Whether a result is a mobility that a front was matched for."""
    return isinstance(result.subject, FrontStudy)


def make_front_section(result: Upscaled, number: int) -> Section:
    """Draw and set everything that the page shows of a matched front.

    Args:
        result: what `effective_mobility` found for layers.
        number: its number on the page, from 1.
    """
    key, study = f"result-{number}", result.subject
    assert isinstance(study, FrontStudy)  # noqa: S101 (the caller asked `is_front`)
    lengths = result.unit != "1"
    force = "J/m^3" if lengths else "1"
    speeds = draw_speeds(study, force, f"{key}-speeds")
    section = base_section(
        result,
        key,
        {},
        headline=headline(result),
        sentences=[*_sentences(result, study), verdict_sentence(result)],
        answer=[answer_table(result), _interface_table(study, lengths)],
        pictures=([speeds], []),
        phases=_phase_table(result, study),
        blocks=[block for block in _blocks(result, study, key, force) if block.pictures or block.table],
    )
    return replace(section, title="Effective kinetic mobility of the layers")


def _sentences(result: Upscaled, study: FrontStudy) -> list[str]:
    interface, mean = study.layers.coarse_interface, study.layers.mean_mobility
    unit = typeset_unit(result.unit)
    behind = f"\u00a0{unit}" if unit else ""
    standing = [one for one in study.speeds if one.pinned]
    said = []
    if study.mobility > 0:
        share = 100.0 * (study.mobility / mean - 1.0)
        misfit = typeset_number(100.0 * _misfit(study), 2)
        within = f" within {misfit}\u00a0%" if len(study.speeds) > 1 else ""
        said.append(
            f"With a mobility of {typeset_number(study.mobility, 4)}{behind} the coarse equation's front is "
            f"as fast as the one in the layers{within}; the formula of mean coefficients gives "
            f"{typeset_number(mean, 4)}{behind}, the answer is {typeset_number(abs(share), 2)}\u00a0% "
            f"{'above' if share > 0 else 'below'} it."
        )
    if standing:
        said.append(
            f"At {len(standing)} of {len(study.speeds)} driving forces the front stands: the layers pin it."
        )
    ratio = study.layers.period / interface.width()
    said.append(f"A period of the layers is {typeset_number(ratio, 3)} widths of the coarse interface.")
    return said


def _misfit(study: FrontStudy) -> float:
    """Largest relative difference of a moving front and the coarse one with the mobility handed up."""
    interface = study.layers.coarse_interface
    speeds = [one for one in study.speeds if one.speed > 0]
    return max(abs(interface.speed(study.mobility, one.driving) / one.speed - 1.0) for one in speeds)


def _blocks(result: Upscaled, study: FrontStudy, key: str, force: str) -> list[Block]:
    lengths = result.unit != "1"
    return [
        Block(
            f"{key}-fronts",
            "The front",
            "How the front goes through the layers: its way, and its profile as the run ended.",
            [draw_path(study, force, f"{key}-path"), draw_profile(study, lengths, f"{key}-profile")],
        ),
        Block(
            f"{key}-speeds-table",
            "Speeds",
            "Each driving force with the speed of its front over whole periods, once they repeat.",
            [],
            _speed_table(study, force, lengths),
        ),
        Block(
            f"{key}-checks",
            "Checks",
            "What was preserved from the fine to the coarse scale, as measured numbers.",
            [],
            check_table(result),
        ),
        Block(
            f"{key}-sensitivities",
            "Sensitivities",
            "By how many percent the mobility changes when a coefficient grows by one percent.",
            [],
            _sensitivity_table(result),
        ),
        Block(
            f"{key}-uncertainty",
            "Uncertainty",
            "What the standard deviation of the answer is made of.",
            [],
            uncertainty_table(result),
        ),
    ]


def _speed_table(study: FrontStudy, force: str, lengths: bool) -> Table:
    interface = study.layers.coarse_interface
    head = (
        f"driving force{f', {typeset_unit(force)}' if lengths else ''}",
        f"speed{', m/s' if lengths else ''}",
        "± grid",
        "± time step",
        "± drift",
        "of mean coefficients",
        "periods",
        "steps",
        "cells",
    )
    rows = []
    for one in study.speeds:
        share = one.speed / interface.speed(study.layers.mean_mobility, one.driving)
        parts = [one.errors.get(name) for name in ("grid", "time step", "drift")]
        rows.append(
            Row(
                (
                    typeset_number(one.driving, 4),
                    "stands" if one.pinned else typeset_number(one.speed, 6),
                    *(MISSING if part is None else typeset_number(part, 2) for part in parts),
                    f"{typeset_number(100 * share, 5)} %",
                    str(len(one.run.crossings)),
                    str(one.run.steps),
                    str(one.run.phase.size),
                ),
                verdict=None if not one.pinned else False,
            )
        )
    return Table("Fronts, each with the errors of its own speed", head, rows)


def _phase_table(result: Upscaled, study: FrontStudy) -> Table:
    labels = sorted(set(study.labels))
    names = dict(zip(study.labels, study.names, strict=True))
    rows, units = [], []
    for label, colour in zip(labels, phase_colours(len(labels)), strict=True):
        told = [
            result.inputs[f"phase {label}, {kind}"] for kind in ("mobility", "gradient energy", "barrier")
        ]
        cells = [typeset_estimate(float(one["value"]), one["std"] or None) for one in told]
        rows.append(Row((names[label], *cells, f"{told[0]['fraction']:.4f}"), colour))
        units = [typeset_unit(one["unit"]) for one in told]
    kinds = ("mobility L", "gradient energy κ", "barrier W")
    head = [f"{kind}{f', {unit}' if unit else ''}" for kind, unit in zip(kinds, units, strict=True)]
    return Table("Phases, values ± standard deviation", ("phase", *head, "fraction"), rows)


def _interface_table(study: FrontStudy, lengths: bool) -> Table:
    interface, period = study.layers.coarse_interface, study.layers.period
    told = (typeset_length(n, 4) if lengths else typeset_number(n, 4) for n in (interface.width(), period))
    width, thickness = told
    units = ("J/m", "J/m³", "J/m²") if lengths else ("", "", "")
    numbers = (interface.gradient_energy, interface.barrier, interface.tension())
    shown = [f"{typeset_number(n, 4)} {u}".strip() for n, u in zip(numbers, units, strict=True)]
    names = ("gradient energy, in series", "barrier, on average", "tension")
    rows = [Row(pair) for pair in zip(names, shown, strict=True)]
    rows += [Row(("width, 10 to 90 %", width)), Row(("period of the layers", thickness))]
    return Table("The coarse interface", ("", "value"), rows)


def _sensitivity_table(result: Upscaled) -> Table | None:
    value = float(result.value)
    rows = []
    for name, slope in result.derivatives.items():
        if slope is None or value == 0:
            continue
        told = result.inputs[name]
        rows.append(
            Row(
                (
                    str(told["name"]),
                    typeset_number(float(slope), 4),
                    typeset_number(float(slope) * told["value"] / value, 3),
                )
            )
        )
    head = ("coefficient", "derivative of the mobility", "relative sensitivity")
    return Table("Derivatives of the mobility", head, rows) if rows else None
