"""A coarse core made ready for the page."""

import numpy as np

from scalebridge.core.spec import Spec
from scalebridge.core.upscaled import Contribution, Upscaled
from scalebridge.reactor.core_study import CoreStudy, largest_and_smallest
from scalebridge.report.figures_core import (
    draw_closing,
    draw_fluxes,
    draw_power,
    draw_profile,
    draw_spectrum,
)
from scalebridge.report.sections import Block, Section
from scalebridge.report.tables import Row, Table, check_table, origin_items, plain_text
from scalebridge.report.typeset import typeset_number
from scalebridge.report.wording import outcome_of, verdict_sentence

_METHODS = {
    "nodal": "the nodal expansion method",
    "volumes": "finite volumes with diffusion",
    "sp3": "simplified P3 on finite volumes",
}
_MOST_ROWS = 40


def make_core_section(study: CoreStudy, number: int) -> Section:
    """Draw and set everything that the page shows of a coarse core.

    Args:
        study: the core.
        number: its number on the page, from 1.
    """
    key, shown = f"result-{number}", as_result(study)
    text = study.to_json(indent=None)
    profile = draw_profile(study, key)
    return Section(
        key=key,
        title=f"Core of {int(np.isfinite(study.power).sum())} nodes in {study.groups} groups",
        passed=outcome_of(shown),
        verdict=verdict_sentence(shown),
        number=f"{study.k:.6f}",
        unit="",
        meaning="multiplication of the core, k",
        sentences=[*core_sentences(study), verdict_sentence(shown)],
        answer=[power_table(study)],
        cover=[draw_power(study), *([] if profile is None else [profile])],
        inset=[],
        legend=[],
        asked=[(name.replace("_", " ").capitalize(), plain_text(value)) for name, value in _asked(study)],
        phases=None,
        blocks=[block for block in _blocks(study, key, shown) if block.pictures or block.table],
        notes=study.notes,
        origin=origin_items(shown),
        json=text,
    )


def as_result(study: CoreStudy) -> Upscaled:
    """Return k as a result, with the study's checks and origin."""
    error = study.mesh_error
    parts = {} if error is None else {"mesh": Contribution(np.asarray(error), "a second mesh")}
    return Upscaled(
        Spec("multiplication"),
        np.asarray(study.k),
        checks=study.checks,
        uncertainty=parts,
        outcome=study.outcome,
        stats=study.stats,
        provenance=study.provenance,
        notes=study.notes,
    )


def core_sentences(study: CoreStudy) -> list[str]:
    """Return what was found, in words."""
    top, low = largest_and_smallest(study)
    place = np.unravel_index(int(np.nanargmax(study.power)), study.power.shape)
    where = ", ".join(
        f"{word} {index + 1}"
        for word, index in zip(("layer", "row", "column")[-study.power.ndim :], place, strict=True)
    )
    said = [
        f"By {_METHODS[study.method]}, k is {study.k:.6f}: {_criticality(study.k)}.",
        f"The node with the largest power, {typeset_number(top, 4)} of the mean, is in {where}; the smallest "
        f"of a fuelled node is {typeset_number(low, 4)}.",
    ]
    if study.mesh_error is not None:
        error = typeset_number(1e5 * study.mesh_error, 2)
        said.append(f"A second mesh puts the error of k by the mesh at {error} pcm.")
    return said


def _criticality(k: float) -> str:
    reactivity = typeset_number(1e5 * abs(1 - 1 / k), 4)
    return f"a reactivity of {reactivity} pcm {'above' if k >= 1 else 'below'} the critical core"


def power_table(study: CoreStudy) -> Table:
    """Power, its place and what k is, in few numbers."""
    top, low = largest_and_smallest(study)
    rows = [
        Row(("k", f"{study.k:.6f}")),
        Row(("largest power of a node by the mean", typeset_number(top, 5))),
        Row(("smallest of a fuelled node", typeset_number(low, 5))),
        Row(("volumes", str(study.stats["volumes"]))),
        Row(("generations of neutrons followed", str(study.stats["generations"]))),
    ]
    if study.mesh_error is not None:
        rows.insert(1, Row(("error of k by the mesh, pcm", typeset_number(1e5 * study.mesh_error, 2))))
    return Table("What was found", ("", "value"), rows)


def region_table(study: CoreStudy) -> Table:
    """Constants of the regions, by group."""
    c, rows = study.problem.constants, []
    for i, name in enumerate(study.names[:_MOST_ROWS]):
        for g in range(study.groups):
            out = c.scatter[i, g].sum() - c.scatter[i, g, g]
            numbers = (c.diffusion[i, g], c.absorption[i, g], c.nu_fission[i, g], out, c.chi[i, g])
            label = name if g == 0 else ""
            rows.append(Row((label, str(g), *(typeset_number(float(x), 5) for x in numbers))))
    head = ("region", "group", "D, cm", "absorption", "ν fission", "scattering out", "χ")
    return Table("Constants of the regions, 1/cm; group 0 is the fastest", head, rows)


def slope_table(study: CoreStudy) -> Table | None:
    """What a relative change of each constant does to k, in pcm for one per cent."""
    if not study.derivatives:
        return None
    rows = []
    for i, name in enumerate(study.names[:_MOST_ROWS]):
        cells = [name]
        for constant in ("diffusion", "absorption", "nu_fission", "scatter"):
            value = study.derivatives[constant][i] * getattr(study.problem.constants, constant)[i]
            cells.append(typeset_number(1e3 * float(value.sum()), 4))
        rows.append(Row(tuple(cells)))
    head = ("region", "diffusion", "absorption", "ν fission", "scattering")
    return Table("Change of k for one per cent more of a constant in all groups, pcm", head, rows)


def _asked(study: CoreStudy) -> list[tuple[str, object]]:
    return list({**study.inputs, **study.provenance.settings}.items())


def _blocks(study: CoreStudy, key: str, shown: Upscaled) -> list[Block]:
    closing = draw_closing(study, key)
    return [
        Block(f"{key}-flux", "Flux by group", "Mean fluxes of nodes and of regions.", [
            draw_spectrum(study, key), *draw_fluxes(study),
        ]),
        Block(
            f"{key}-closing-block",
            "Convergence",
            "How k closed in while the nodal expansion corrected the couplings of the nodes.",
            [] if closing is None else [closing],
        ),
        Block(
            f"{key}-constants",
            "Constants",
            "What the coarse core was given.",
            [],
            region_table(study),
        ),
        Block(
            f"{key}-slopes",
            "Sensitivity of k",
            "From the adjoint flux, by first-order perturbation; exact for this mesh.",
            [],
            slope_table(study),
        ),
        Block(
            f"{key}-checks",
            "Checks",
            "What has to hold of the solution, as measured numbers.",
            [],
            check_table(shown),
        ),
    ]  # fmt: skip
