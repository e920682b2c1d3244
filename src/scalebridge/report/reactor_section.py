"""A lattice solved and handed up, made ready for the page."""

import numpy as np

from scalebridge.core.spec import Spec
from scalebridge.core.upscaled import Upscaled
from scalebridge.reactor.circle_slopes import interface_names
from scalebridge.reactor.homogenize_lattice import homogenize_lattice
from scalebridge.reactor.homogenized_lattice import HomogenizedLattice
from scalebridge.reactor.lattice_study import LatticeStudy
from scalebridge.reactor.transport_result import TransportSolution
from scalebridge.report.equivalence_section import coarse_table, draw_errors
from scalebridge.report.figures_reactor import (
    draw_fluxes_of_groups,
    draw_lattice,
    draw_pin_power,
    draw_spectra,
    draw_sweeps,
)
from scalebridge.report.sections import Block, Section
from scalebridge.report.tables import Row, Table, asked_items, check_table, origin_items
from scalebridge.report.typeset import typeset_number
from scalebridge.report.wording import verdict_sentence

_MOST = 40  # rows of a table
_ASKED = {"Wanted error of the tensor": "Wanted change of a flux", "K tolerance": "Wanted change of k"}


def make_reactor_section(study: LatticeStudy, number: int) -> Section:
    """Draw and set everything that the page shows of a lattice.

    Args:
        study: the study.
        number: its number on the page, from 1.
    """
    key, text = f"result-{number}", study.to_json(indent=None)
    solution = study.solution
    told = Upscaled(
        Spec("multiplication factor"), np.asarray(solution.multiplication), checks=study.checks,
        provenance=study.provenance, notes=study.notes, outcome=study.outcome,
    )  # fmt: skip
    power, geometry = draw_pin_power(study), draw_lattice(solution.lattice)
    return Section(
        key=key,
        title="Neutrons in a lattice" if solution.fixed else "A lattice and its constants",
        passed=study.passed,
        verdict=verdict_sentence(told),
        number="" if solution.fixed else f"{solution.multiplication:.5f}",
        unit="",
        meaning="flux of a given source"
        if solution.fixed
        else "multiplication factor k of the transport solution",
        sentences=[" ".join(study.sentences()), ""],
        answer=[constants_table(study)],
        cover=[geometry if power is None else power],
        inset=[] if power is None else [geometry],
        legend=[],
        asked=[(_ASKED.get(name, name), value) for name, value in asked_items(told)],
        phases=material_table(study),
        blocks=[block for block in _blocks(study, told, key) if block.pictures or block.table],
        notes=study.notes,
        origin=origin_items(told),
        json=text,
    )


def make_constants_section(constants: HomogenizedLattice, number: int) -> Section:
    """Show constants with the solution that they come from; the arguments are those of the section above."""
    return make_reactor_section(LatticeStudy(constants.solution, constants), number)


def make_transport_section(solution: TransportSolution, number: int) -> Section:
    """Show a solution with the constants of its assemblies."""
    return make_constants_section(homogenize_lattice(solution), number)


def constants_table(study: LatticeStudy) -> Table:
    """Constants of every region and group."""
    found = study.constants
    head = ("region", "group", "D, cm", "total, 1/cm", "absorption", "ν fission", "χ", "flux")
    fields = (found.diffusion, found.total, found.absorption, found.nu_fission, found.chi, found.flux)
    rows = [
        Row((name, str(g + 1), *(typeset_number(float(field[i, g]), 5) for field in fields)))
        for i, name in enumerate(found.names)
        for g in range(len(found.groups))
    ]
    more = "" if len(rows) <= _MOST else f"; {len(rows) - _MOST} rows more are in the JSON"
    caption = f"Flux-weighted constants, diffusion coefficients by {found.method}{more}"
    return Table(caption, head, rows[:_MOST], frozenset({0}))


def material_table(study: LatticeStudy) -> Table:
    """What the lattice is made of, and how sound its data are."""
    solution = study.solution
    area = dict.fromkeys(solution.lattice.materials, 0.0)
    for index, name in enumerate(solution.lattice.materials):
        inside = solution.lattice.region_material == index
        area[name] = float(solution.lattice.region_volume[inside].sum())
    rows = [
        Row(
            (
                name,
                "transport" if m.transport_corrected else f"order {m.order}",
                f"{m.balance_gap:.1e}",
                typeset_number(m.infinite_multiplication(), 5) if m.fissile else "–",
                f"{area[name] / sum(area.values()):.2%}",
            )
        )
        for name, m in solution.materials.items()
    ]
    head = ("material", "scattering", "gap of balance", "k alone", "area")
    caption = f"Materials in {solution.pins.flux.shape[2]} groups; transport: corrected for anisotropy"
    return Table(caption, head, rows, frozenset({0, 1}))


def audit_table(study: LatticeStudy) -> Table:
    """Rates of every region as handed up: what leaves, is absorbed, fissions, a neutron."""
    found = study.constants
    integral = found.flux * found.volume[:, None]
    made = float((found.nu_fission * integral).sum()) / (
        1.0 if study.solution.fixed else found.multiplication
    )
    made = made or 1.0
    rows = [
        Row(
            (
                name,
                *(
                    typeset_number(float((field[i] * integral[i]).sum()) / made, 5)
                    for field in (found.absorption, found.nu_fission, found.fission)
                ),
                typeset_number(float(found.leakage[i].sum()) / made, 5),
            )
        )
        for i, name in enumerate(found.names)
    ]
    head = ("region", "absorbed", "made", "fissions", "leaves")
    return Table("Rates, for one neutron of fission over k", head, rows[:_MOST], frozenset({0}))


def slope_table(study: LatticeStudy) -> Table | None:
    """Derivatives of k by material; None if they were not asked for."""
    if study.slopes is None:
        return None
    density = study.slopes.density(study.solution)
    rows = [
        Row(
            (
                name,
                typeset_number(density[name], 4),
                typeset_number(float(np.sum(study.slopes.nu_fission[name] * m.nu_fission)), 4),
                typeset_number(float(np.sum(study.slopes.absorption[name] * m.absorption)), 4),
                typeset_number(float(np.sum(study.slopes.scatter[name] * m.scatter[0])), 4),
            )
        )
        for name, m in study.solution.materials.items()
    ]
    head = ("material", "all of it", "ν fission", "absorption alone", "scattering in alone")
    return Table("Change of k by a relative change of one, all groups together", head, rows, frozenset({0}))


def radius_table(study: LatticeStudy) -> Table | None:
    """Derivatives of k by the radii at which materials change; None if they were not asked for."""
    if study.slopes is None:
        return None
    rows = []
    for name, slopes in study.slopes.radius.items():
        meet = interface_names(study.solution.lattice.cells[name])
        for (inside, outside, radius), slope in zip(meet, slopes, strict=True):
            told = (name, f"{inside} to {outside}", f"{radius:.6g}", typeset_number(float(slope), 4))
            rows.append(Row(told))
    head = ("cell", "from", "radius, cm", "dk/dr, 1/cm")
    return Table("Change of k by radii, all cells of a name together", head, rows, frozenset({0, 1}))


def spread_table(study: LatticeStudy) -> Table | None:
    """Spread of k and of constants by that of the fine data; None if none was given."""
    spread = study.constants.uncertainty
    if spread is None:
        return None
    with_k = spread.correlation[0, 1:]
    k = study.solution.multiplication
    rows = [Row(("k", typeset_number(k, 6), typeset_number(spread.k_std, 2), f"{spread.k_std / k:.2%}", "1"))]
    for place, value, std, link in zip(spread.places, spread.slopes.value, spread.std, with_k, strict=True):
        relative = f"{std / abs(value):.2%}" if value else "–"
        rows.append(
            Row((str(place), typeset_number(value, 5), typeset_number(std, 2), relative, f"{link:+.2f}"))
        )
    more = "" if len(rows) <= _MOST else f"; {len(rows) - _MOST} rows more are in the JSON"
    head = ("constant", "value", "±", "relative", "correlation with k")
    return Table(f"Spread by the covariance of the fine data{more}", head, rows[:_MOST], frozenset({0}))


def _blocks(study: LatticeStudy, told: Upscaled, key: str) -> list[Block]:
    slopes = slope_table(study)
    return [
        Block(
            f"{key}-audit", "Audit", "What the constants keep: rates first, for k alone deceives.", [],
            audit_table(study), more=tuple(t for t in (check_table(told),) if t),
        ),
        Block(
            f"{key}-coarse", "Coarse against fine", "Errors of the power of pins in coarse cores of them, "
            "by what makes their constants equivalent.", [draw_errors(c) for c in study.coarse],
            coarse_table(study.coarse) if study.coarse else None,
        ),
        Block(f"{key}-flux", "Flux by group", "Flux of each region over the mean of the lattice.",
              draw_fluxes_of_groups(study)),
        Block(f"{key}-spectrum", "Spectra", "How the flux of each region is shared among groups.",
              [draw_spectra(study, key)]),
        Block(f"{key}-slopes", "Derivatives", "From one adjoint solution with the same sweep.", [], slopes,
              more=tuple(t for t in (radius_table(study),) if t and t.rows)),
        Block(f"{key}-spread", "Spread", "First order: k by its adjoint, constants by a generalised one.", [],
              spread_table(study)),
        Block(f"{key}-convergence", "Convergence", "From sweep to sweep, with the coarse mesh in between.",
              [draw_sweeps(study, key)]),
    ]  # fmt: skip
