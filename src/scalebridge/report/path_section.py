"""A path of loads made ready for the page."""

from dataclasses import replace

import numpy as np

from scalebridge.cells.path_result import NOMINAL, STRESS
from scalebridge.core.upscaled import Upscaled
from scalebridge.report.figures_modulus import pressure_unit
from scalebridge.report.figures_path import (
    draw_curves,
    draw_energies,
    draw_micro_fields,
    draw_residuals,
    leading_component,
    plain_components,
    stress_scale,
)
from scalebridge.report.looks import Look, looks_of, subject_name
from scalebridge.report.sections import Block, Section, base_section, subject_pictures
from scalebridge.report.tables import Row, Table, check_table, spread_out
from scalebridge.report.typeset import count, shorten, typeset_number
from scalebridge.report.wording import unbroken, verdict_sentence

_MOST_ROWS = 40
_LONGEST = 40


def is_path(result: Upscaled) -> bool:
    """Whether a result is a response along a path."""
    return result.spec.name in (STRESS, NOMINAL)


def make_path_section(result: Upscaled, number: int) -> Section:
    """Draw and set everything that the page shows of a response along a path.

    Args:
        result: what `response_along_path` found.
        number: its number on the page, from 1.
    """
    key, looks = f"result-{number}", looks_of(result)
    flat, volumes = subject_pictures(result, looks, key)
    done = len(result.value) > 0
    section = base_section(
        result,
        key,
        looks,
        headline=_headline(result) if done else ("", "", ""),
        sentences=[
            unbroken(one) for one in [*(_sentences(result) if done else []), verdict_sentence(result)]
        ],
        answer=[_steps_table(result)] if done else [],
        pictures=(flat, volumes),
        phases=_laws_table(result, looks),
        blocks=_blocks(result, key, flat if volumes else flat[1:]) if done else [],
    )
    return replace(section, title=f"Response of {subject_name(result)} along a path")


def _headline(result: Upscaled) -> tuple[str, str, str]:
    scale, unit = stress_scale(result)
    stress, lead = plain_components(np.asarray(result.value)), leading_component(result)
    name = result.stats["components"][lead]
    return typeset_number(stress[-1, lead] / scale, 4), unit, f"mean stress {name} after the last step"


def _sentences(result: Upscaled) -> list[str]:
    number, unit, _ = _headline(result)
    name = result.stats["components"][leading_component(result)]
    stats, work = result.stats, float(result.stats["work"][-1])
    said = [f"In {count(len(result.value), 'step')} the mean stress {name} came to {number} {unit}."]
    if abs(work) > 0:
        lost = 100.0 * float(stats["dissipated"][-1]) / max(np.abs(stats["work"]).max(), abs(work))
        said.append(
            f"Of the work that was put in, {typeset_number(lost, 3)} % (of its largest value) were "
            f"dissipated, and {typeset_number(float(stats['stored'][-1]) / 1e3, 3)} kJ/m³ are stored."
        )
    cut = [step + 1 for step, parts in enumerate(stats["substeps"]) if parts > 1]
    if cut:
        said.append(f"{count(len(cut), 'step')} had to be cut: the tangent there is that of the last part.")
    return said


def _steps_table(result: Upscaled) -> Table:
    """The stress of every step, and what it took; steps in between are left out where there are many."""
    scale, unit = stress_scale(result)
    names, lead = result.stats["components"], leading_component(result)
    load, stress = (plain_components(np.asarray(v)) for v in (result.stats["load"], result.value))
    shown = [c for c in range(stress.shape[1]) if np.abs(stress[:, c]).max() > 1e-6 * np.abs(stress).max()]
    chosen = spread_out(len(stress), _MOST_ROWS)
    rows = [
        Row(
            (
                str(step + 1),
                typeset_number(load[step, lead], 4),
                *(typeset_number(stress[step, c] / scale, 5, trim=False) for c in shown),
            )
        )
        for step in chosen
    ]
    what = "gradient" if load.shape[1] == 9 else "strain"
    return Table(f"Mean stress, {unit}", ("step", f"{what} {names[lead]}", *(names[c] for c in shown)), rows)


def _work_table(result: Upscaled) -> Table:
    stats = result.stats
    rows = [
        Row(
            (
                str(step + 1),
                str(stats["solves"][step]),
                str(stats["substeps"][step]),
                str(len(stats["residuals"][step]) - 1),
                typeset_number(stats["residuals"][step][-1], 2),
                str(stats["krylov"][step]),
                str(stats["tangent krylov"][step]),
            )
        )
        for step in spread_out(len(stats["residuals"]), _MOST_ROWS)
    ]
    head = ("step", "solves", "parts", "iterations", "out of equilibrium", "linear steps", "of the tangent")
    return Table("Work by step: of the last solve of each", head, rows)


def _tangent_table(result: Upscaled) -> Table:
    """The consistent tangent after the last step."""
    tangent = np.asarray(result.stats["tangent"])[-1]
    scale, unit = pressure_unit(float(np.abs(tangent).max()) or 1.0)
    names = result.stats["components"]
    rows = [
        Row((names[i], *(typeset_number(x / scale, 4, trim=False) for x in row)))
        for i, row in enumerate(tangent)
    ]
    notation = "" if len(names) == 9 else ", Mandel notation"
    return Table(f"Consistent tangent after the last step, {unit}{notation}", ("", *names), rows)


def _laws_table(result: Upscaled, looks: dict[str, Look]) -> Table:
    rows = []
    for key, look in looks.items():
        given = result.inputs.get(key, {})
        numbers = given.get("value", {})
        text = ", ".join(
            f"{name} {typeset_number(n, 4)}" for name, n in numbers.items() if isinstance(n, float)
        )
        share = "" if look.fraction is None else typeset_number(look.fraction, 3)
        rows.append(Row((shorten(look.name, _LONGEST), str(given.get("law", "")), text, share), look.colour))
    return Table(
        "Laws of the phases, SI units",
        ("phase", "law", "parameters", "volume fraction"),
        rows,
        frozenset({0, 1, 2}),
        frozenset({2}),
    )


def _blocks(result: Upscaled, key: str, slices: list) -> list[Block]:
    lead = "The mean stress of every step over the load, and where the work went."
    micro = "What happened inside by the last step; phases that do not know a quantity are left out."
    blocks = [
        Block(
            f"{key}-curves",
            "Stress and energy",
            lead,
            [draw_curves(result, f"{key}-stress"), draw_energies(result, f"{key}-energy")],
        ),
        Block(f"{key}-micro", "Micro fields", micro, draw_micro_fields(result, f"{key}-micro")),
        Block(f"{key}-slices", "Slices", "Through the middle, across each axis.", slices),
        Block(
            f"{key}-tangent",
            "Tangent",
            "The derivative of the mean stress by the mean strain.",
            [],
            _tangent_table(result),
        ),
        Block(f"{key}-checks", "Checks", "What was preserved, as measured numbers.", [], check_table(result)),
        Block(
            f"{key}-work",
            "Convergence",
            "How equilibrium was found.",
            [draw_residuals(result, f"{key}-residual")],
            _work_table(result),
        ),
    ]
    return [block for block in blocks if block.pictures or block.table]
