"""The plain question: how do neutrons spread through a lattice, and does the chain go on?

    Omega . grad psi + total psi = (scattering phi + chi F phi / k) / 4 pi

in two dimensions, on exact pin geometry, by characteristics: along tracks that close from cell to cell the
equation is solved exactly for sources that are flat, or linear, in each region.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from scalebridge.core.errors import InputError
from scalebridge.core.provenance import Provenance, Stopwatch, installed_versions, this_machine
from scalebridge.core.results import require_converged
from scalebridge.engine.memory import refuse_too_large
from scalebridge.engine.progress import metered
from scalebridge.reactor.angular_quadrature import polar_set
from scalebridge.reactor.condensation import group_starts
from scalebridge.reactor.lattice import Lattice
from scalebridge.reactor.lattice_cells import length, whole
from scalebridge.reactor.lattice_table import lattice_from_table
from scalebridge.reactor.materials import MultigroupMaterial, materials_from, same_groups
from scalebridge.reactor.pin_sums import PinSums
from scalebridge.reactor.sweep import Sweeper
from scalebridge.reactor.tracks import lay_tracks
from scalebridge.reactor.transport_iteration import Settings, iterate
from scalebridge.reactor.transport_result import TransportSolution, transport_solution


def solve_transport(
    lattice: Lattice | Mapping[str, Any],
    materials: Mapping[str, Any],
    *,
    azimuths: int = 32,
    spacing: str | float = "0.05 cm",
    polar: str = "tabuchi-yamamoto",
    polar_count: int = 3,
    sources: str = "flat",
    scattering_order: int = 0,
    source: Mapping[str, Any] | None = None,
    rtol: float = 1e-5,
    k_tolerance: float = 1e-6,
    max_steps: int = 500,
    accelerate: bool = True,
    damping: float = 1.0,
    coarse_groups: Sequence[int] | None = None,
    memory_limit: float | None = None,
    progress: bool | None = None,
    throw: bool = True,
) -> TransportSolution:
    """Compute the flux in every region of a lattice, k, and the currents through every face of every pin.

    Args:
        lattice: of `scalebridge.reactor.lattice.lattice`, or a table as in case files.
        materials: by name: of `multigroup_material`, or tables.
        azimuths: directions in half a turn, even.
        spacing: between tracks, at most: text, or cm.
        polar: "tabuchi-yamamoto" or "gauss".
        polar_count: polar directions of a hemisphere.
        sources: "flat" in each region, or "linear", which needs fewer regions.
        scattering_order: highest order of scattering that is taken with its angle, 0 to 3; moments of the
            data above it are noted and left out. Above 0 take polar="gauss", which integrates the moments.
        source: neutrons a second and cm^3 by material, (G,) each: then the flux of this source is found in
            place of a fundamental mode.
        rtol: wanted largest relative change of any region's flux from sweep to sweep.
        k_tolerance: wanted change of k.
        max_steps: limit of sweeps.
        accelerate: whether coarse-mesh finite differences on the pins help.
        damping: part of their change that is taken; less than one where it swings.
        coarse_groups: first fine group of each group of theirs, from 0; they keep all groups unless given.
        memory_limit: bytes that the job may need; the machine's free memory unless given.
        progress: whether to draw a bar; on a terminal unless given.
        throw: whether to raise when it does not converge.

    Returns:
        a `TransportSolution`.

    Raises:
        InputError: something in the input cannot be right; nothing long has run yet.
        SolverError: it did not converge, and `throw` is true.

    Limits: two dimensions; cells in rows and columns; rings concentric with their cell; scattering isotropic
        unless its order is given (so take transport-corrected data); regions have to be small where the
        flux is steep, less so with linear sources.
    Cost: segments times groups times polar directions a sweep, some 500 million a second and core; some
        15 to 30 sweeps with, some hundreds without acceleration. Where cells have several sizes all segments
        are stored, some 0.2 kB each in seven groups; else those of one cell of each kind.
    Source: J. R. Askew (1972), AEEW-M 1108; A. Yamamoto et al. (2007), J. Nucl. Sci. Technol. 44, 129.

    Example:
        >>> fuel = {"total": [0.5], "scatter": [[0.4]], "nu_fission": [0.12], "fission": [0.05], "chi": [1.0]}
        >>> table = {"pitch": 1.0, "pins": {"F": {"material": "fuel"}}, "rows": ["F F"]}
        >>> round(solve_transport(table, {"fuel": fuel}, azimuths=4, spacing=0.2).multiplication, 5)
        1.2
    """
    clock = Stopwatch()
    found = lattice if isinstance(lattice, Lattice) else lattice_from_table(lattice)
    used = used_materials(found, materials)
    settings = settings_of(rtol, k_tolerance, max_steps, accelerate, damping)
    if coarse_groups is not None:
        starts = group_starts(coarse_groups, same_groups(used), "coarse_groups")
        settings = replace(settings, coarse_groups=starts)
    gap, count = length("spacing", spacing), whole("azimuths", azimuths)
    order = _order(scattering_order, used)
    linear = _linear(sources)
    polar_pair = polar_set(polar, whole("polar_count", polar_count))
    fixed = fixed_source(found, used, source)
    refuse_too_large(_bytes(found, used, count, gap, polar_count), "transport of this lattice", memory_limit)
    sweeper = Sweeper(found, lay_tracks(found, count, gap), used, polar_pair, order, linear)
    clock.lap("tracks")
    sums = PinSums(found, used)
    if fixed is not None:
        _refuse_supercritical(sweeper, sums)
    with metered(1, "transport", progress) as meter:
        end = iterate(
            sweeper, sums, settings, fixed=fixed, watch=lambda step, change: meter(0, step, change, rtol)
        )
    clock.lap("sweeps")
    solution = transport_solution(sweeper, sums, end, settings, fixed, _origin(found, used, locals(), clock))
    if throw:
        require_converged(solution.outcome, "solve_transport")
    return solution


def _order(given: Any, used: Mapping[str, MultigroupMaterial]) -> int:
    most = max(m.order for m in used.values())
    if isinstance(given, bool) or not isinstance(given, int) or not 0 <= given <= most:
        raise InputError(
            "scattering_order",
            got=repr(given),
            wanted=f"a whole number from 0 to {most}, the highest order of the data",
            cure="give moments in scatter, or a lower order",
        )
    return given


def _linear(sources: Any) -> bool:
    """Whether sources are linear in each region.

    Raises:
        InputError: an unknown kind.
    """
    if sources not in ("flat", "linear"):
        raise InputError(
            "sources", got=repr(sources), wanted="'flat' or 'linear'", cure="pass sources='flat'"
        )
    return sources == "linear"


def used_materials(found: Lattice, materials: Mapping[str, Any]) -> dict[str, MultigroupMaterial]:
    """Return the materials that a lattice is made of.

    Raises:
        InputError: one is missing, cannot be, has another number of groups, or nothing makes neutrons.
    """
    missing = sorted(set(found.materials) - set(materials))
    if missing:
        raise InputError(
            "materials",
            got=f"none named {', '.join(map(repr, missing))}",
            wanted=f"all of {', '.join(map(repr, found.materials))}",
            cure="define them, or correct the names in the pins",
        )
    used = materials_from({name: materials[name] for name in found.materials})
    same_groups(used)
    return used


def settings_of(rtol: Any, k_tolerance: Any, max_steps: Any, accelerate: Any, damping: Any) -> Settings:
    """Return settings of an iteration.

    Raises:
        InputError: a number is out of its range.
    """
    for name, given, most in (
        ("rtol", rtol, 0.1),
        ("k_tolerance", k_tolerance, 0.1),
        ("damping", damping, 1.0),
    ):
        good = isinstance(given, int | float) and not isinstance(given, bool) and 0 < given <= most
        if not good:
            raise InputError(
                name, got=repr(given), wanted=f"a number above 0, at most {most}", cure="correct it"
            )
    return Settings(
        float(rtol), float(k_tolerance), whole("max_steps", max_steps), bool(accelerate), float(damping)
    )


def fixed_source(
    found: Lattice, used: Mapping[str, MultigroupMaterial], source: Mapping[str, Any] | None
) -> np.ndarray | None:
    """Return a given source of all regions, (regions, G) per cm^3; None without one.

    Raises:
        InputError: a material is unknown, or numbers are negative, not one a group, or all zero.
    """
    if source is None:
        if not any(material.fissile for material in used.values()):
            raise InputError(
                "source",
                got="none, in a lattice without fission",
                wanted="a source, or a material that makes neutrons",
                cure="pass source={'name': [...]}, or give nu_fission and chi",
            )
        return None
    groups = same_groups(dict(used))
    by_material = np.zeros((len(found.materials), groups))
    for name, given in source.items():
        try:
            values = np.atleast_1d(np.asarray(given, dtype=float))
        except (TypeError, ValueError):
            values = np.zeros(0)  # refused below
        if name not in found.materials or values.shape != (groups,) or not np.all(values >= 0):
            raise InputError(
                f"source.{name}",
                got=repr(given),
                wanted=f"{groups} numbers, not negative, of a material among {', '.join(found.materials)}",
                cure="correct it",
            )
        by_material[found.materials.index(name)] = values
    if not np.any(by_material > 0):
        raise InputError("source", got="zeros only", wanted="a source of neutrons", cure="give one")
    return by_material[found.region_material]


def _refuse_supercritical(sweeper: Sweeper, sums: PinSums) -> None:
    """Refuse a given source where the chain goes on by itself: there is no steady state."""
    if not np.any(sums.nu_fission > 0):
        return
    loose = Settings(rtol=1e-3, k_tolerance=1e-4, max_steps=100)
    k = iterate(sweeper, sums, loose).multiplication
    if k >= 1.0:
        raise InputError(
            "source",
            got=f"a source in a lattice with k = {k:.5f}",
            wanted="a subcritical lattice, because above k = 1 there is no steady flux",
            cure="leave the source out, or reduce nu_fission",
        )


def _bytes(
    found: Lattice, used: Mapping[str, MultigroupMaterial], count: int, gap: float, polars: int
) -> float:
    groups = same_groups(dict(used))  # below: what enters tracks, and the earlier states that are mixed
    tracks = count * sum(found.size) / gap
    if (
        not found.regular
    ):  # lines enter every cell otherwise: none is stored once for all, some 3 segments a cm
        tracks += 3.0 * count * found.size[0] * found.size[1] / gap / 5.0
    return 100.0 * tracks * polars * groups + 200.0 * len(found.region_volume) * groups + 2e8


def _origin(found: Lattice, used: dict[str, MultigroupMaterial], asked: dict[str, Any], clock: Stopwatch):
    keys = (
        "azimuths", "spacing", "polar", "polar_count", "sources", "scattering_order", "rtol", "k_tolerance",
        "max_steps", "accelerate", "damping", "coarse_groups",
    )  # fmt: skip
    inputs = {
        "cells": found.shape,
        "regions": len(found.region_volume),
        "size, cm": found.size,
        "boundary": found.boundary,
        "materials": sorted(used),
        "groups": same_groups(used),
    }
    return Provenance(
        inputs,
        {key: asked[key] for key in keys},
        installed_versions(),
        this_machine(),
        clock.started,
        dict(clock.elapsed),
    )
