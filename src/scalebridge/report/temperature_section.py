"""A table of stiffness and expansion over temperature made ready for the page."""

import json
from dataclasses import replace

import numpy as np

from scalebridge.cells.elastic_result import STIFFNESS
from scalebridge.cells.thermoelastic_table import ThermoelasticTable
from scalebridge.core.upscaled import Upscaled, plain
from scalebridge.laws.engineering_constants import engineering_constants
from scalebridge.report.canvas import Picture
from scalebridge.report.figures_modulus import draw_modulus, pressure_unit
from scalebridge.report.figures_temperature import draw_curves
from scalebridge.report.looks import looks_of, subject_name
from scalebridge.report.sections import Block, Section, base_section, subject_pictures
from scalebridge.report.stiffness_facts import COMPONENTS
from scalebridge.report.stiffness_tables import MANDEL, materials_table, matrix_table
from scalebridge.report.tables import Row, Table, check_table
from scalebridge.report.typeset import typeset_number
from scalebridge.report.wording import unbroken, verdict_sentence

_MICRO, _GROWTH = 1e-6, "10⁻⁶/K"
_COUPLINGS = {"xx,yy": (0, 1), "xx,zz": (0, 2), "yy,zz": (1, 2)}


def make_temperature_section(table: ThermoelasticTable, number: int) -> Section:
    """Draw and set everything that the page shows of a table over temperature.

    Args:
        table: the table.
        number: its number on the page, from 1.
    """
    key, result = f"result-{number}", first_result(table)
    looks = looks_of(result)
    flat, volumes = subject_pictures(result, looks, key)
    made = base_section(
        result,
        key,
        looks,
        headline=_headline(table),
        sentences=[unbroken(sentence) for sentence in _sentences(table, result)],
        answer=[value_table(table)],
        pictures=(flat, volumes),
        phases=materials_table(result, looks),
        blocks=_blocks(table, result, key, flat if volumes else flat[1:]),
        text=json.dumps(plain(table.to_dict()), allow_nan=False),
    )
    return replace(made, title=f"Stiffness and expansion of {subject_name(result)} over temperature")


def first_result(table: ThermoelasticTable) -> Upscaled:
    """Return what the table says at its first temperature, as a result."""
    return Upscaled(
        spec=STIFFNESS,
        value=table.stiffness[0],
        checks=table.checks,
        provenance=table.provenance,
        notes=(*table.notes, "Constants of the constituents are those of the first temperature."),
        inputs=table.inputs or {},
        subject=table.subject,
    )


def value_table(table: ThermoelasticTable) -> Table:
    """The diagonal of the stiffness and the expansion along the axes at every temperature."""
    scale, unit = pressure_unit(float(np.abs(table.stiffness).max()))
    names = [f"C {name}, {unit}" for name in COMPONENTS[6]]
    names += [f"α {name}, {_GROWTH}" for name in COMPONENTS[6][:3]] if table.expansion is not None else []
    rows = []
    for place, temperature in enumerate(table.temperatures):
        numbers = [float(x) / scale for x in np.diag(table.stiffness[place])]
        numbers += [] if table.expansion is None else [float(x) / _MICRO for x in table.expansion[place, :3]]
        cells = (typeset_number(x, 5, trim=False) for x in numbers)
        rows.append(Row((typeset_number(float(temperature), 6), *cells)))
    return Table(f"Diagonal of the stiffness, and tangent expansion, in {MANDEL}", ("T, K", *names), rows)


def _headline(table: ThermoelasticTable) -> tuple[str, str, str]:
    ends = [engineering_constants(table.stiffness[row], "isotropic").values["E"] for row in (0, -1)]
    scale, unit = pressure_unit(max(ends))
    low, high = (typeset_number(float(t), 5) for t in table.temperatures[[0, -1]])
    shown = " → ".join(typeset_number(end / scale, 4, trim=False) for end in ends)
    return shown, unit, f"Young's modulus of the nearest isotropic stiffness, from {low} to {high} K"


def _sentences(table: ThermoelasticTable, result: Upscaled) -> list[str]:
    low, high = (typeset_number(float(t), 5) for t in table.temperatures[[0, -1]])
    number, unit, _ = _headline(table)
    said = [
        f"From {low} to {high} K, at {len(table.temperatures)} temperatures, the stiffness of "
        f"{subject_name(result)} changes as Young's modulus of the nearest isotropic one: {number} {unit}."
    ]
    if table.expansion is not None:
        ends = [typeset_number(float(a[:3].mean()) / _MICRO, 4, trim=False) for a in table.expansion[[0, -1]]]
        said.append(f"Its mean expansion goes from {ends[0]} to {ends[1]} {_GROWTH}.")
    return [*said, verdict_sentence(result)]


def _blocks(table: ThermoelasticTable, result: Upscaled, key: str, slices: list[Picture]) -> list[Block]:
    scale, unit = pressure_unit(float(np.abs(table.stiffness).max()))
    ends = ((0, "first"), (-1, "last"))
    matrices = tuple(
        matrix_table(
            table.stiffness[row], None, f"Stiffness at {typeset_number(float(table.temperatures[row]), 5)} K"
        )
        for row, _ in ends
    )
    turned = [draw_modulus(table.stiffness[row], f"{key}-modulus-{name}") for row, name in ends]
    passed = "What was preserved from the fine to the coarse scale: the worst of all temperatures."
    blocks = [
        Block(
            f"{key}-curves",
            "Curves",
            f"Components in {MANDEL}, moduli and expansion against temperature.",
            _curves(table, key, scale, unit),
        ),
        Block(
            f"{key}-directions",
            "Directions",
            "Young's modulus by direction at the first and at the last temperature.",
            turned,
            None,
            more=matrices,
        ),
        Block(f"{key}-slices", "Slices", "Through the middle, across each axis.", slices),
        Block(f"{key}-checks", "Checks", passed, [], check_table(result)),
    ]
    return [block for block in blocks if block.pictures or block.table]


def _curves(table: ThermoelasticTable, key: str, scale: float, unit: str) -> list[Picture]:
    found, levels = table.stiffness / scale, table.temperatures
    names = COMPONENTS[6]
    normal = {f"C {names[i]}": found[:, i, i] for i in range(3)}
    normal |= {f"C {name}": found[:, i, j] for name, (i, j) in _COUPLINGS.items()}
    shear = {f"C {names[i]}": found[:, i, i] for i in range(3, 6)}
    compliance = np.linalg.inv(found)
    young = {f"E {axis}": 1 / compliance[:, i, i] for i, axis in enumerate("xyz")}
    drawn = [
        draw_curves(levels, normal, f"normal components of C, {unit}", f"{key}-normal"),
        draw_curves(levels, shear, f"shear components of C, {unit}", f"{key}-shear"),
        draw_curves(levels, young, f"Young's modulus along the axes, {unit}", f"{key}-young"),
    ]
    if table.expansion is not None:
        grown = {f"α {names[i]}": table.expansion[:, i] / _MICRO for i in range(3)}
        drawn.append(draw_curves(levels, grown, f"tangent expansion, {_GROWTH}", f"{key}-expansion"))
    return drawn
