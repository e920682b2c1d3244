"""Material cards: stiffness and thermal expansion as text that finite-element programs read."""

import json
from typing import Any, Literal

from scalebridge.core.errors import InputError
from scalebridge.core.upscaled import plain
from scalebridge.io.card_ansys import ansys_card
from scalebridge.io.card_data import CardData, ExpansionKind, TemperatureUnit, Units, card_data, to_mandel
from scalebridge.io.card_keywords import keyword_card
from scalebridge.io.cards import material_name, one_line

ElasticDialect = Literal["calculix", "abaqus", "ansys", "json"]
DIALECTS: tuple[ElasticDialect, ...] = ("calculix", "abaqus", "ansys", "json")
SUFFIXES: dict[ElasticDialect, str] = {
    "calculix": ".inp",
    "abaqus": ".inp",
    "ansys": ".mac",
    "json": ".json",
}
SCHEMA = "scalebridge/thermoelastic-card/1"
_ORDERS = {
    "calculix": "C_ijkl, pairs in the order 11, 22, 33, 12, 13, 23; expansions in the same order, tensor "
    "components",
    "abaqus": "C_ijkl, pairs in the order 11, 22, 33, 12, 13, 23; expansions in the same order, shears as "
    "engineering strains",
    "ansys": "C_ijkl, pairs in the order xx, yy, zz, xy, yz, xz",
}


def stiffness_card(
    stiffness: Any,
    name: str,
    dialect: ElasticDialect = "calculix",
    *,
    expansion: Any = None,
    density: Any = None,
    temperatures: Any = None,
    reference: float | None = None,
    expansion_kind: ExpansionKind = "secant",
    units: Units = "SI",
    temperature_unit: TemperatureUnit = "K",
    number: int = 1,
    origin: str = "",
    rtol: float = 1e-6,
) -> str:
    r"""Write a stiffness, with or without thermal expansion and density, as a material card.

    The simplest type is written that represents the tensor at every temperature: isotropic when all of it is
    within `rtol` times its largest entry of the nearest isotropic tensor, orthotropic in the card's axes when
    the coupling of normal and shear components is that small, else anisotropic with 21 constants; likewise
    for the expansion. Orders of components, from Mandel's 11, 22, 33, 23, 13, 12 without its factors:

    - CalculiX and Abaqus: upper triangle of C_ijkl by columns, pairs 11, 22, 33, 12, 13, 23; expansions in
      the same order, shears alpha_ij in CalculiX, 2 alpha_ij (engineering strains) in Abaqus.
    - Ansys: lower triangle by columns, pairs x, y, z, xy, yz, xz (TB,ANEL; from seven temperatures on TB,ELAS
      with AELS); MP,EX ... and MP,ALPX ... for simpler types.
    - JSON: Mandel notation, SI and kelvin, with everything said inside.

    Args:
        stiffness: Mandel notation, Pa, (6, 6), or (n, 6, 6) over temperatures; axes 1, 2, 3 are the image's
            x, y, z.
        name: material's name; characters other than letters, digits, "_" and "-" become "_".
        dialect: "calculix", "abaqus", "ansys" or "json".
        expansion: coefficients of thermal expansion, Mandel notation, 1/K, (6,) or (n, 6).
        density: kg/m^3, a number, or (n,).
        temperatures: K, rising, (n,), with tables.
        reference: temperature in K at which the thermal strain is zero (ZERO, REFT); needed with tables of
            expansion.
        expansion_kind: "secant" (total, from the reference), which is what the programs want, or "tangent"
            (d(strain)/dT), which is turned into it; see `secant_expansion`.
        units: "SI", or "N-mm-MPa" for millimetres, newtons, tonnes; JSON is always SI.
        temperature_unit: "K" or "degC", of the card; JSON is always in K.
        number: the material's number in Ansys.
        origin: where the numbers come from, for the header.
        rtol: relative tolerance of the choice of type, in [0, 1).

    Returns:
        the card, lines ending in a newline; numbers have nine digits, in JSON all of them. Between
        temperatures the programs interpolate linearly what the card says.

    Raises:
        InputError: not finite, not symmetric, not positive definite, of the wrong shape; temperatures that do
            not rise; no reference for a table of expansion; an unknown dialect or unit; for Ansys an
            expansion with shear in the card's axes.

    Limits: E and nu, not C, are interpolated where the type is isotropic.

    Source:
        G. Dhondt, CalculiX CrunchiX user's manual, *ELASTIC and *EXPANSION, confirmed by stresses and strains
        that CalculiX 2.20 prints. Abaqus Keywords Guide, *ELASTIC and *EXPANSION; Abaqus Analysis Guide,
        Conventions (shear strains are engineering strains). Ansys Mechanical APDL Material Reference, 3.3
        Anisotropic elasticity; Command Reference, MP, MPTEMP, MPDATA, TB.

    Example:
        >>> import numpy as np
        >>> sphere = np.outer([1, 1, 1, 0, 0, 0], [1, 1, 1, 0, 0, 0])
        >>> stiffness = 60e9 * sphere + 2 * 30e9 * np.eye(6)
        >>> card = stiffness_card(stiffness, "alloy", units="N-mm-MPa", expansion=[23e-6] * 3 + [0] * 3)
        >>> print("\n".join(card.splitlines()[-4:]))
        *ELASTIC, TYPE=ISO
        8.00000000e+04,3.33333333e-01
        *EXPANSION, TYPE=ISO
        2.30000000e-05
    """
    if dialect not in DIALECTS:
        wanted = " or ".join(map(repr, DIALECTS))
        raise InputError("dialect", got=repr(dialect), wanted=wanted, cure="pass dialect='calculix'")
    described = dialect == "json"
    data = card_data(
        stiffness,
        expansion,
        density,
        temperatures,
        reference,
        kind=expansion_kind,
        units="SI" if described else units,
        degree="K" if described else temperature_unit,
        rtol=rtol,
    )
    clean = material_name(name)
    if described:
        return _json_card(data, clean, one_line(origin))
    header = _header(data, dialect, one_line(origin), rtol)
    if dialect == "ansys":
        return ansys_card(data, clean, header, number)
    return keyword_card(data, clean, header, dialect)


def _header(data: CardData, dialect: str, origin: str, rtol: float) -> list[str]:
    lines = [
        f"Effective stiffness; units {data.units}; the model must use them throughout.",
        f"Origin: {origin or 'not said'}",
        f"Axes 1, 2, 3 are x, y, z of the image; {data.kind} within {rtol:g} of the largest entry.",
    ]
    lines += [f"{_ORDERS[dialect]}."] if "ANISO" in (data.kind, data.expansion_kind) else []
    if data.temperatures is not None:
        lines.append(f"Temperatures in {data.degree}.")
    if data.expansion is not None:
        start = "" if data.reference is None else f" from {data.reference:g} {data.degree}"
        lines.append(f"Expansion: secant (total) coefficients{start}, {data.expansion_kind}.")
    return lines


def _json_card(data: CardData, name: str, origin: str) -> str:
    """Return everything in Mandel notation and SI."""
    told: dict[str, Any] = {
        "schema": SCHEMA,
        "name": name,
        "origin": origin,
        "notation": "Mandel: 11, 22, 33, 23, 13, 12, off-diagonal components times sqrt(2)",
        "axes": "1, 2, 3 are x, y, z of the image",
        "temperature": {"unit": "K", "values": data.temperatures},
        "stiffness": {"unit": "Pa", "values": to_mandel(data.stiffness)},
    }
    if data.expansion is not None:
        told["expansion"] = {
            "unit": "1/K",
            "kind": "secant",
            "reference": data.reference,
            "values": to_mandel(data.expansion),
        }
    if data.density is not None:
        told["density"] = {"unit": "kg/m^3", "values": data.density}
    return json.dumps(plain(told), indent=2, allow_nan=False) + "\n"
