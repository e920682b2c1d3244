"""The plain question: how does this composite expand when it is warmed?"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from scalebridge.cells.elastic_answer import ElasticAnswer, answer_of, slopes_of
from scalebridge.cells.elastic_budget import assess, extra_cases
from scalebridge.cells.elastic_job import Budget, ElasticJob, ElasticSettings, Scheme
from scalebridge.cells.elastic_result import (
    EXPANSION,
    bounds_of,
    checks_of,
    fields_of,
    fractions_of,
    inputs_of,
    notes_of,
    provenance_of,
    stats_of,
)
from scalebridge.cells.elasticity_host import Surroundings
from scalebridge.cells.image_input import Interfaces, Threshold
from scalebridge.cells.stiffness import ElasticImage, elastic_job, pictured
from scalebridge.core.checks import Check
from scalebridge.core.errors import InputError, PhaseError
from scalebridge.core.provenance import Stopwatch
from scalebridge.core.results import require_converged, worst_outcome
from scalebridge.core.upscaled import Upscaled
from scalebridge.engine.progress import metered


def effective_expansion(  # noqa: D417 (most arguments are those of effective_stiffness)
    image: ElasticImage,
    phases: Mapping[Any, Any],
    *,
    temperature: float | str | None = None,
    orientations: Any = None,
    voxel: str | Sequence[str] | None = None,
    threshold: Threshold = None,
    interfaces: Interfaces = "sharp",
    scheme: Scheme = "hexahedra",
    boundary: Surroundings = "periodic",
    rtol: float = 1e-6,
    residual_rtol: float | None = None,
    max_steps: int = 2000,
    budget: Budget = "standard",
    study: Any = None,
    fields: bool = False,
    read_options: dict[str, Any] | None = None,
    memory_limit: float | None = None,
    progress: bool | None = None,
    throw: bool = True,
) -> Upscaled:
    """Compute the effective thermal expansion of a segmented image, and its stiffness with it.

    Six unit mean strains and one uniform warming t of the whole cell at no mean strain are solved,

        div C : (E + sym grad u - a t) = 0,   <C : (E + sym grad u - a t)> = C* : (E - a* t).

    The expansion is the tangent one, d(strain)/dT at the temperature asked for.

    Args:
        image, phases, temperature, orientations, voxel, threshold, interfaces, scheme, boundary, rtol,
        residual_rtol, max_steps, budget, study, fields, read_options, memory_limit, progress, throw: as for
            `effective_stiffness`. Materials have an "expansion" ("23e-6 1/K"; "expansion1", ... along the
            material's axes), those without one do not expand. With "density" and "heat_capacity" of every
            phase, and a temperature, the effective heat capacity is among the stats.

    Returns:
        an `Upscaled` whose value is the (6,) tensor in Mandel notation, 1/K, with derivatives by every
        constant. Its `stats` hold the "stiffness" (Pa), the "thermal stress" C* : a* (Pa/K), and the
        "heat capacity correction" -T (<a : C : a>_rest - a* : C* : a*) at constant stress (J/m^3/K).

    Raises:
        InputError: something in the input cannot be right; nothing long has run yet.
        SolverError: the solver did not converge, and `throw` is true.

    Limits: as for the stiffness; a uniform temperature over the cell. Constants are those of the
    temperature asked for: no stress that builds up over a history of temperatures.

    Cost: as the stiffness, and one load case more.

    Source: V. M. Levin, Mech. Solids 2 (1967) 58; B. W. Rosen and Z. Hashin, Int. J. Eng. Sci. 8 (1970) 157.

    Example:
        >>> import numpy as np
        >>> layers = np.array([[0, 0], [1, 1]])  # across x, equally stiff
        >>> phases = {0: {"young": 1.0, "poisson": 0.0, "expansion": 1e-5},
        ...           1: {"young": 1.0, "poisson": 0.0, "expansion": 3e-5}}
        >>> result = effective_expansion(layers, phases, budget="none")
        >>> print(np.round(result.value[:3] * 1e5, 6))
        [2. 2. 2.]
    """
    clock = Stopwatch()
    job = elastic_job(
        image,
        phases,
        ElasticSettings(scheme, boundary, rtol, residual_rtol, max_steps, budget),
        temperature=temperature,
        orientations=orientations,
        voxel=voxel,
        threshold=threshold,
        interfaces=interfaces,
        read_options=read_options,
        memory_limit=memory_limit,
    )
    if not job.thermal:
        raise PhaseError(
            "phases",
            got="no expansion of any phase",
            wanted="a material that expands",
            cure="add for example 'expansion': '23e-6 1/K', or ask for the stiffness",
        )
    clock.lap("preparing")
    with metered(7 + extra_cases(job), "effective expansion", progress) as meter:
        answer = answer_of(job.model(), job.dim, meter)
        clock.lap("solving")
        slopes = slopes_of(job, answer).expansion
        clock.lap("deriving")
        assessed = assess(job, answer, slopes, EXPANSION, expansion_of, study, meter)
        clock.lap("error budget")
    outcome = worst_outcome(answer.codes)
    if throw:
        require_converged(outcome, "effective expansion")
    bounds = bounds_of(job)
    return Upscaled(
        spec=EXPANSION,
        value=expansion_of(answer),
        derivatives=dict(slopes),
        checks=(*checks_of(job, answer, bounds), *_heat_check(answer)),
        bounds=assessed.bounds,
        uncertainty=assessed.parts,
        estimate=assessed.estimate,
        outcome=outcome,
        stats={**stats_of(answer), **thermal_stats(job, answer), **assessed.stats},
        provenance=provenance_of(job, clock),
        fields=fields_of(job, answer) if fields else {},
        notes=(*notes_of(job), *assessed.notes),
        inputs=inputs_of(job),
        subject=pictured(job),
    )


def expansion_of(answer: ElasticAnswer) -> np.ndarray:
    """Return the expansion of an answer that has one.

    Raises:
        InputError: a thermal case was not solved.
    """
    if answer.expansion is None:
        raise InputError(
            "phases", got="no expansion", wanted="a phase that expands", cure="give an expansion"
        )
    return answer.expansion


def excess_heat(answer: ElasticAnswer) -> float | None:
    """Return q - a* : C* : a*, Pa/K^2: what the phases' hindered expansions store; None if not known."""
    if answer.heat is None or answer.expansion is None or answer.stress_per_kelvin is None:
        return None
    return answer.heat - float(answer.expansion @ answer.stress_per_kelvin)


def thermal_stats(job: ElasticJob, answer: ElasticAnswer) -> dict[str, Any]:
    """Return what comes with an expansion: stiffness, thermal stress, heat capacity."""
    found: dict[str, Any] = {
        "stiffness": answer.stiffness.tolist(),
        "thermal stress": np.asarray(answer.stress_per_kelvin).tolist(),
    }
    excess = excess_heat(answer)
    if job.temperature is None or excess is None:
        return found
    found["heat capacity correction"] = -job.temperature * excess
    materials = [c.material for c in job.constituents]
    solid = [m for m in materials if not m.is_void]
    if all(m.density is not None and m.heat_capacity is not None for m in solid):
        each = [
            0.0 if m.is_void else m.density.at(job.temperature) * m.heat_capacity.at(job.temperature)  # type: ignore[union-attr]
            for m in materials
        ]
        found["heat capacity"] = float(fractions_of(job) @ np.array(each)) + found["heat capacity correction"]
    return found


def _heat_check(answer: ElasticAnswer) -> tuple[Check, ...]:
    excess = excess_heat(answer)
    if excess is None:
        return ()
    scale = answer.heat or 1.0
    return (
        Check(
            "hindered expansion",
            excess / scale,
            -1e-9,
            "at least",
            meaning="energy that the phases' hindered expansions store, relative: it cannot be negative",
        ),
    )
