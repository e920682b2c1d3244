"""Mixed loading: some components of the mean strain and others of the mean stress are known.

stress = C . (strain - alpha dT), solved for what is not known. Uniaxial stress, plane stress, plane strain
and free expansion are such loadings. The local fields follow by superposition from those of the unit strains,
because the problem is linear. Mandel notation (11, 22, 33, 23, 13, 12): 23, 13 and 12 carry sqrt(2).
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np

from scalebridge.core.errors import InputError
from scalebridge.core.upscaled import Upscaled
from scalebridge.laws.engineering_constants import checked_stiffness

_COMPONENTS = {6: ("11", "22", "33", "23", "13", "12"), 3: ("11", "22", "12")}
_NOTHING: Mapping[str, float] = MappingProxyType({})


@dataclass(frozen=True, eq=False)
class MacroscopicResponse:
    """Mean strain and stress under a mixed loading, in Mandel notation.

    Args:
        strain: (6,) or (3,), mean strain, the thermal one included.
        stress: (6,) or (3,), mean stress, Pa.
        energy: stored elastic energy of the coarse law, stress : (strain - alpha dT) / 2, J/m^3.
        fields: local "strain" and "stress" (6, voxels...), where the result kept those of the unit cases.
    """

    strain: np.ndarray
    stress: np.ndarray
    energy: float
    fields: dict[str, np.ndarray] = field(default_factory=dict)


def macroscopic_response(
    result: Any,
    *,
    strain: Mapping[str, float] = _NOTHING,
    stress: Mapping[str, float] = _NOTHING,
    warming: float = 0.0,
    expansion: Any = None,
) -> MacroscopicResponse:
    """Load an effective medium by mean strains in some components and mean stresses in the others.

    stress = C . (strain - alpha dT). With F the components whose stress is known and P the others,
    strain_F = alpha_F dT + C_FF^-1 . (stress_F - C_FP . (strain_P - alpha_P dT)).

    Args:
        result: an `Upscaled` of `effective_stiffness` or `effective_expansion`, or a stiffness (6, 6), or
            (3, 3) in the plane, in Mandel notation, Pa.
        strain: known mean strains by component, {"11": 1e-3}, Mandel: "12" is sqrt(2) times the tensor's.
        stress: known mean stresses by component, Pa, Mandel. Components that are named nowhere have no
            stress, so that {"11": ...} alone is uniaxial, and strain={"11": ..., "22": ...} plane stress.
        warming: change of temperature, K.
        expansion: (6,) or (3,), 1/K, or the `Upscaled` of `effective_expansion`; its own of such a result.

    Returns:
        a `MacroscopicResponse`, with local fields where the result kept them (`fields=True`).

    Raises:
        InputError: a component that is none, is known twice, or is no finite number; a stiffness that is not
            positive definite; a warming without an expansion.

    Limits: small strains; of a periodic sample the mean fields are those of the medium, of one under uniform
        stress or strain those of the sample.

    Cost: nothing beside a 6 x 6 solve; with fields one pass over them.

    Source: J. C. Michel, H. Moulinec & P. Suquet, Comput. Methods Appl. Mech. Engrg. 172 (1999) 109,
        doi:10.1016/S0045-7825(98)00227-8, section 2.

    Example:
        >>> from scalebridge.laws.elastic_material import elastic_material
        >>> steel = elastic_material(young="210 GPa", poisson=0.3).stiffness()
        >>> pulled = macroscopic_response(steel, strain={"11": 1e-3})
        >>> f"{pulled.stress[0] / 1e6:.6g} MPa", (pulled.strain * 1e3).round(9).tolist()
        ('210 MPa', [1.0, -0.3, -0.3, 0.0, 0.0, 0.0])
    """
    stiffness, alpha = _law(result, expansion, warming)
    names = _COMPONENTS[len(stiffness)]
    known_strain = _read(strain, "strain", names)
    known_stress = _read(stress, "stress", names)
    twice = sorted(set(known_strain) & set(known_stress))
    if twice:
        raise InputError(
            "strain, stress", got=f"both of {names[twice[0]]}", wanted="one of them", cure="leave one out"
        )
    own = alpha * warming
    held = np.array([row in known_strain for row in range(len(names))])
    found, stresses = own.copy(), np.zeros(len(names))
    for row, number in known_strain.items():
        found[row] = number
    for row, number in known_stress.items():
        stresses[row] = number
    right = stresses[~held] - stiffness[np.ix_(~held, held)] @ (found - own)[held]
    found[~held] += np.linalg.solve(stiffness[np.ix_(~held, ~held)], right)
    stresses[held] = (stiffness @ (found - own))[held]
    energy = float(stresses @ (found - own)) / 2
    return MacroscopicResponse(found, stresses, energy, _fields(result, found, warming))


def _law(result: Any, expansion: Any, warming: float) -> tuple[np.ndarray, np.ndarray]:
    """Stiffness and expansion of what was passed."""
    if not math.isfinite(warming):
        raise InputError("warming", got=repr(warming), wanted="a finite number of kelvins", cure="pass 10.0")
    given = result
    if isinstance(result, Upscaled):
        given = result.value
        if np.ndim(given) == 1 and "stiffness" in result.stats:
            given, expansion = result.stats["stiffness"], result.value if expansion is None else expansion
    stiffness = checked_stiffness(given)
    if expansion is None:
        if warming:
            raise InputError(
                "warming",
                got=f"{warming:g} K without an expansion",
                wanted="the expansion of the medium",
                cure="pass the result of effective_expansion, or expansion=",
            )
        return stiffness, np.zeros(len(stiffness))
    alpha = np.asarray(expansion.value if isinstance(expansion, Upscaled) else expansion, dtype=float)
    if alpha.shape != (len(stiffness),) or not np.all(np.isfinite(alpha)):
        raise InputError(
            "expansion",
            got=f"shape {alpha.shape}",
            wanted=f"{len(stiffness)} finite numbers in Mandel notation",
            cure="pass the value of effective_expansion",
        )
    return stiffness, alpha


def _read(given: Mapping[str, float], argument: str, names: tuple[str, ...]) -> dict[int, float]:
    """Known components by their place."""
    if not isinstance(given, Mapping):
        raise InputError(
            argument, got=repr(given), wanted="numbers by component", cure="write for example {'11': 1e-3}"
        )
    found = {}
    for name, number in given.items():
        if name not in names:
            raise InputError(
                argument, got=repr(name), wanted=f"one of {', '.join(names)}", cure="write for example '11'"
            )
        if isinstance(number, bool) or not isinstance(number, int | float) or not math.isfinite(number):
            raise InputError(
                f"{argument} {name}", got=repr(number), wanted="a finite number in SI", cure="correct it"
            )
        found[names.index(name)] = float(number)
    return found


def _fields(result: Any, strain: np.ndarray, warming: float) -> dict[str, np.ndarray]:
    """Local fields by superposition, where those of all unit cases were kept."""
    if not isinstance(result, Upscaled) or len(strain) != 6:
        return {}
    names = _COMPONENTS[6]
    weights = dict(zip(names, strain, strict=True)) | ({"thermal": warming} if warming else {})
    if not all(f"{kind}_{case}" in result.fields for kind in ("strain", "stress") for case in weights):
        return {}
    return {
        kind: sum((w * result.fields[f"{kind}_{case}"] for case, w in weights.items()), np.zeros(()))
        for kind in ("strain", "stress")
    }
