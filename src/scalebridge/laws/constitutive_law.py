"""`constitutive_law`: a pointwise law by its name and its parameters, units and all."""

from collections.abc import Callable, Mapping
from typing import Any

import jax.numpy as jnp
import numpy as np

from scalebridge.core import precision as _precision  # noqa: F401
from scalebridge.core.errors import InputError
from scalebridge.io.stored import nearest
from scalebridge.laws.damage import Damage, EnergyStrain, EquivalentStrain, MazarsStrain, VonMisesStrain
from scalebridge.laws.drucker_prager import DruckerPrager, cone_of_friction
from scalebridge.laws.elastic import IsotropicElastic, LinearElastic
from scalebridge.laws.elastic_material import material_from
from scalebridge.laws.finite_plastic import FinitePlasticity
from scalebridge.laws.hardening import (
    Hardening,
    LinearHardening,
    SwiftHardening,
    TableHardening,
    VoceHardening,
)
from scalebridge.laws.kinematic import ArmstrongFrederick
from scalebridge.laws.law_parameters import (
    ELASTIC,
    check_names,
    isotropic_moduli_of,
    read_choice,
    read_number,
    read_numbers,
    solid,
)
from scalebridge.laws.maxwell import GeneralisedMaxwell
from scalebridge.laws.mooney_rivlin import MooneyRivlin
from scalebridge.laws.neo_hookean import NeoHookean
from scalebridge.laws.path_law import PathLaw
from scalebridge.laws.plastic import J2Plasticity
from scalebridge.laws.softening import (
    PETERSSON,
    ExponentialSoftening,
    LineSoftening,
    Softening,
    exponential_of_energy,
    lines_of_energy,
)
from scalebridge.laws.viscoplastic import Viscoplastic

Table = Mapping[str, Any]
_HARDENINGS = {
    "linear": ((), ("hardening_modulus",)),
    "voce": (("saturation", "rate"), ("hardening_modulus",)),
    "swift": (("reference_strain", "exponent"), ()),
    "table": (("curve",), ()),
}
"""Parameters of each hardening: needed, and possible."""


def constitutive_law(kind: str, **parameters: Any) -> PathLaw:
    """Make a pointwise law of a material, with or without memory.

    (stress, new state) = law.respond(strain, state, dt), one point at a time

    Args:
        kind: "elastic", "plastic", "viscoplastic", "drucker-prager", "damage", "maxwell" (small strain);
            "neo-hookean", "mooney-rivlin", "finite-plastic" (finite strain).
        parameters: numbers in SI, or text with a unit. Elastic constants are two of `young`, `poisson`,
            `bulk`, `shear`, `lame` ("elastic" takes all that `elastic_material` does, and
            `temperature_change`). Plastic laws: `yield_stress`; `hardening`, "linear" (`hardening_modulus`),
            "voce" (`saturation`, `rate`, `hardening_modulus`), "swift" (`reference_strain`, `exponent`) or
            "table" (`curve`, pairs of plastic strain and stress); `kinematic_modulus`, with `recovery` a back
            stress that saturates at their ratio. Viscoplastic: `time`, `drag`, `rate_exponent`, too.
            Drucker-Prager: `friction_angle`, `dilation_angle`, `cohesion` (of Mohr and Coulomb),
            `hardening_modulus`. Damage: `strength`; `fracture_energy` with `length`, the width on which the
            softening gathers, or `final_strain` with `averaging_length`; `softening`, "exponential",
            "linear" or "bilinear"; `equivalent`, "energy", "mazars" or "von-mises" (`strength_ratio`);
            `tangent`, "consistent" or "secant" (slower, and never indefinite).
            Maxwell: `arms`, Pa, and `times`, s; the elastic constants are what is left after a long time.
            Mooney-Rivlin: `bulk`, `first`, `second`.

    Returns:
        the law. Its fields are its parameters in SI: derivatives are taken by them.

    Raises:
        InputError: an unknown kind or parameter, one that is missing, or one outside its range.
        PhaseError: elastic constants that do not make a material.
        UnitError: a unit is missing, unknown or of another dimension.

    Example:
        >>> law = constitutive_law("plastic", young="70 GPa", poisson=0.33, yield_stress="250 MPa")
        >>> float(law.hardening.yield_stress)
        250000000.0
    """
    if kind not in _MAKERS:
        raise InputError(
            "kind", got=repr(kind), wanted=", ".join(_MAKERS), cure=nearest(str(kind), list(_MAKERS))
        )
    given = {name: value for name, value in parameters.items() if value is not None}
    return _MAKERS[kind](given, kind)


def _elastic(given: Table, kind: str) -> PathLaw:
    change = read_number("temperature_change", given.get("temperature_change", 0.0), kind)
    constants = {name: value for name, value in given.items() if name != "temperature_change"}
    material = solid(material_from(constants, kind), kind)
    stiffness, expansion = material.stiffness(), material.expansion()
    if material.kind != "isotropic":
        return LinearElastic(stiffness, expansion, change)
    bulk = stiffness[0, 0] - 4.0 * stiffness[5, 5] / 6.0
    return IsotropicElastic(bulk, stiffness[5, 5] / 2.0, expansion[0], change)


def _plastic(given: Table, kind: str) -> PathLaw:
    optional = ("kinematic_modulus", "recovery")
    moduli, hardening = _yielding(given, kind, (), optional)
    kinematic = _number(given, "kinematic_modulus", kind, 0.0)
    if "recovery" not in given:
        return J2Plasticity(*moduli, hardening, kinematic)
    if kinematic == 0.0:
        raise InputError(
            f"{kind} recovery",
            got="no kinematic_modulus",
            wanted="a back stress to recover",
            cure="give kinematic_modulus",
        )
    return ArmstrongFrederick(*moduli, hardening, kinematic, read_number("recovery", given["recovery"], kind))


def _viscoplastic(given: Table, kind: str) -> PathLaw:
    optional = ("kinematic_modulus", "rate_exponent")
    moduli, hardening = _yielding(given, kind, ("time", "drag"), optional)
    time, drag = (read_number(name, given[name], kind) for name in ("time", "drag"))
    exponent = _number(given, "rate_exponent", kind, 1.0)
    return Viscoplastic(
        *moduli, hardening, time, drag, exponent, _number(given, "kinematic_modulus", kind, 0.0)
    )


def _finite_plastic(given: Table, kind: str) -> PathLaw:
    moduli, hardening = _yielding(given, kind, (), ())
    return FinitePlasticity(*moduli, hardening)


def _yielding(
    given: Table, kind: str, wanted: tuple[str, ...], optional: tuple[str, ...]
) -> tuple[tuple[float, float], Hardening]:
    """Read the elastic constants and the hardening of a law that yields."""
    form = read_choice("hardening", given.get("hardening", "linear"), _HARDENINGS, kind)
    needed, possible = _HARDENINGS[form]
    check_names(
        given, ("yield_stress", *needed, *wanted), (*ELASTIC, "hardening", *possible, *optional), kind
    )
    return isotropic_moduli_of(given, kind), _hardening(given, form, kind)


def _hardening(given: Table, form: str, kind: str) -> Hardening:
    limit = read_number("yield_stress", given["yield_stress"], kind)
    modulus = _number(given, "hardening_modulus", kind, 0.0)
    match form:
        case "linear":
            return LinearHardening(limit, modulus)
        case "voce":
            saturation, rate = (read_number(name, given[name], kind) for name in ("saturation", "rate"))
            return VoceHardening(limit, saturation, rate, modulus)
        case "swift":
            names = ("reference_strain", "exponent")
            return SwiftHardening(limit, *(read_number(name, given[name], kind) for name in names))
        case _:
            return _table(given["curve"], limit, kind)


def _table(curve: Any, limit: float, kind: str) -> TableHardening:
    """Read pairs of plastic strain and yield stress; the first one is (0, yield stress)."""
    pairs = curve if isinstance(curve, list | tuple | np.ndarray) else []
    if len(pairs) < 2 or any(np.ndim(pair) != 1 or len(pair) != 2 for pair in map(_entries, pairs)):
        raise InputError(
            f"{kind} curve",
            got=repr(curve),
            wanted="two or more pairs of plastic strain and yield stress",
            cure="write for example [[0, '250 MPa'], [0.1, '300 MPa']]",
        )
    strains = [read_number("plastic_strain", pair[0], kind) for pair in pairs]
    stresses = [read_number("yield_stress", pair[1], kind) for pair in pairs]
    if strains[0] != 0.0 or np.any(np.diff(strains) <= 0.0) or abs(stresses[0] - limit) > 1e-9 * limit:
        raise InputError(
            f"{kind} curve",
            got=f"strains {strains}, first stress {stresses[0]:g} Pa",
            wanted="strains that increase from 0, where the stress is yield_stress",
            cure="sort the pairs, and begin with [0, yield_stress]",
        )
    if np.any(np.diff(stresses) < 0.0):
        raise InputError(
            f"{kind} curve",
            got="a stress that falls",
            wanted="stresses that do not fall",
            cure="a material that softens needs a length: see the law 'damage'",
        )
    return TableHardening(strains, stresses)


def _entries(pair: Any) -> np.ndarray:
    return np.array(pair, dtype=object)


def _drucker_prager(given: Table, kind: str) -> PathLaw:
    wanted = ("friction_angle", "dilation_angle", "cohesion")
    check_names(given, wanted, (*ELASTIC, "hardening_modulus"), kind)
    friction, dilation, cohesion = (read_number(name, given[name], kind) for name in wanted)
    if dilation > friction:
        raise InputError(
            f"{kind} dilation_angle",
            got=f"{np.degrees(dilation):g} degrees",
            wanted=f"at most friction_angle, {np.degrees(friction):g} degrees, else it gives energy away",
            cure="lower dilation_angle",
        )
    slope, limit = cone_of_friction(friction, cohesion)
    hardening = LinearHardening(limit, _number(given, "hardening_modulus", kind, 0.0))
    flow = cone_of_friction(dilation, 0.0)[0]
    return DruckerPrager(*isotropic_moduli_of(given, kind), slope, flow, hardening)


def _damage(given: Table, kind: str) -> PathLaw:
    optional = ("fracture_energy", "length", "final_strain", "averaging_length", "softening")
    check_names(given, ("strength",), (*ELASTIC, *optional, "equivalent", "strength_ratio", "tangent"), kind)
    bulk, shear = isotropic_moduli_of(given, kind)
    form = read_choice("softening", given.get("softening", "exponential"), _SOFTENINGS, kind)
    measure = read_choice("equivalent", given.get("equivalent", "mazars"), _EQUIVALENTS, kind)
    young = 9.0 * bulk * shear / (3.0 * bulk + shear)
    softening = _softening(given, form, young, kind)
    averaging = _number(given, "averaging_length", kind, 0.0)
    band = read_number("length", given["length"], kind) if "length" in given else 0.0
    secant = read_choice("tangent", given.get("tangent", "consistent"), _TANGENTS, kind) == "secant"
    return Damage(bulk, shear, softening, _EQUIVALENTS[measure](given, kind), averaging, secant, band)


_TANGENTS = ("consistent", "secant")
_SOFTENINGS = ("exponential", "linear", "bilinear")
_EQUIVALENTS: dict[str, Callable[[Table, str], EquivalentStrain]] = {
    "energy": lambda given, kind: EnergyStrain(),
    "mazars": lambda given, kind: MazarsStrain(),
    "von-mises": lambda given, kind: VonMisesStrain(_number(given, "strength_ratio", kind, 10.0)),
}


def _softening(given: Table, form: str, young: float, kind: str) -> Softening:
    """Read how it softens, which needs a length of one kind or the other."""
    strength = read_number("strength", given["strength"], kind)
    if "fracture_energy" in given and "length" in given and "final_strain" not in given:
        energy, length = (read_number(name, given[name], kind) for name in ("fracture_energy", "length"))
        return _crack_band(form, young, strength, energy, length, kind)
    if "final_strain" in given and "averaging_length" in given and "fracture_energy" not in given:
        final = read_number("final_strain", given["final_strain"], kind)
        return _averaged(form, strength / young, final, kind)
    names = ("fracture_energy", "length", "final_strain", "averaging_length")
    raise InputError(
        f"{kind} length",
        got=", ".join(name for name in names if name in given) or "no length",
        wanted="fracture_energy with length (crack band), or final_strain with averaging_length (nonlocal)",
        cure="a softening without a length dissipates what the mesh wants: give one",
    )


def _crack_band(
    form: str, young: float, strength: float, energy: float, length: float, kind: str
) -> Softening:
    knee = PETERSSON if form == "bilinear" else None
    exponential = form == "exponential"
    law = (
        exponential_of_energy(young, strength, energy, length)
        if exponential
        else lines_of_energy(young, strength, energy, length, knee)
    )
    corners = jnp.stack([law.onset, law.scale]) if isinstance(law, ExponentialSoftening) else law.strains
    if float(jnp.min(jnp.diff(corners))) <= 0.0:
        share = 2.0 if knee is None else knee[0] / (1.0 - knee[2])
        raise InputError(
            f"{kind} length",
            got=f"{length:g} m",
            wanted=f"less than {share * energy * young / strength**2:.4g} m, else the stress would snap back",
            cure="make the elements smaller, or raise fracture_energy",
        )
    return law


def _averaged(form: str, onset: float, final: float, kind: str) -> Softening:
    if final <= onset or form == "bilinear":
        raise InputError(
            f"{kind} final_strain",
            got=f"{final:g} with {form} softening",
            wanted=f"more than strength / E = {onset:.4g}, and exponential or linear softening",
            cure="correct final_strain, or give fracture_energy and length",
        )
    if form == "linear":
        return LineSoftening([onset, final], [1.0, 0.0])
    return ExponentialSoftening(onset, final)


def _maxwell(given: Table, kind: str) -> PathLaw:
    check_names(given, ("arms", "times"), ELASTIC, kind)
    arms, times = read_numbers("arms", given["arms"], kind), read_numbers("times", given["times"], kind)
    if len(arms) != len(times) or not arms:
        raise InputError(
            f"{kind} times",
            got=f"{len(times)} times for {len(arms)} arms",
            wanted="a time for each arm",
            cure="give as many",
        )
    return GeneralisedMaxwell(*isotropic_moduli_of(given, kind), arms, times)


def _neo_hookean(given: Table, kind: str) -> PathLaw:
    check_names(given, (), ELASTIC, kind)
    return NeoHookean(*isotropic_moduli_of(given, kind))


def _mooney_rivlin(given: Table, kind: str) -> PathLaw:
    check_names(given, ("bulk", "first", "second"), (), kind)
    first, second = (read_number(name, given[name], kind) for name in ("first", "second"))
    bulk, _ = isotropic_moduli_of({"bulk": given["bulk"], "shear": 2.0 * (first + second)}, kind)
    return MooneyRivlin(bulk, first, second)


def _number(given: Table, name: str, kind: str, default: float) -> float:
    return read_number(name, given[name], kind) if name in given else default


_MAKERS: dict[str, Callable[[Table, str], PathLaw]] = {
    "elastic": _elastic,
    "plastic": _plastic,
    "viscoplastic": _viscoplastic,
    "drucker-prager": _drucker_prager,
    "damage": _damage,
    "maxwell": _maxwell,
    "neo-hookean": _neo_hookean,
    "mooney-rivlin": _mooney_rivlin,
    "finite-plastic": _finite_plastic,
}
