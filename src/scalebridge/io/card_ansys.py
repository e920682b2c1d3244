"""The body of a stiffness card for Ansys Mechanical APDL: TB,ANEL or TB,ELAS, and MP tables."""

import numpy as np

from scalebridge.core.errors import InputError
from scalebridge.io.card_data import CardData, engineering, pair_position

# The matrix D acts on the stress vector x, y, z, xy, yz, xz with engineering shear strains, so that its
# entries are the tensor components C_ijkl. It is given by columns of its lower triangle.
_PAIRS = tuple(pair_position(*pair) for pair in ((1, 1), (2, 2), (3, 3), (1, 2), (2, 3), (1, 3)))
_LOWER = tuple((row, column) for column in range(6) for row in range(column, 6))
_A_COMMAND = 6  # constants of one TBDATA
_MOST_ANEL = 6  # temperatures that TB,ANEL takes
_MOST_TABLE = 100  # temperatures that MPTEMP takes


def ansys_card(data: CardData, name: str, header: list[str], number: int) -> str:
    """Return a card of APDL commands.

    Args:
        data: what it holds.
        name: the material's name, for a comment: APDL knows materials by number.
        header: lines of comment, without their marks.
        number: the material's number.

    Raises:
        InputError: an expansion with shear in the given axes, or more than 100 temperatures.
    """
    _check(data, number)
    lines = [f"! {line}" for line in [*header, f"Material {name}"]]
    tables = _moduli(data) if data.kind != "ANISO" else {}
    if data.expansion is not None:
        same = data.expansion_kind == "ISO"
        columns = np.repeat(data.expansion[:, :3].mean(axis=1)[:, None], 3, 1) if same else data.expansion
        tables |= {f"ALP{axis}": columns[:, i] for i, axis in enumerate("XYZ")}
    if data.density is not None:
        tables["DENS"] = data.density
    lines += _anisotropic(data, number) if data.kind == "ANISO" else []
    lines += _property_tables(tables, data, number)
    if data.expansion is not None and data.reference is not None:
        lines.append(f"MP,REFT,{number},{data.reference:.10g}")
    return "\n".join(lines) + "\n"


def _check(data: CardData, number: int) -> None:
    if number < 1:
        raise InputError("number", got=number, wanted="a material number from 1", cure="pass number=1")
    if data.expansion_kind == "ANISO":
        raise InputError(
            "expansion",
            got="a tensor with shear components in the axes of the card",
            wanted="principal axes along x, y, z: ALPX, ALPY and ALPZ are all that MP knows",
            cure="turn stiffness and expansion into the expansion's principal axes, and give the elements "
            "that coordinate system by LOCAL and ESYS",
        )
    if data.temperatures is not None and len(data.temperatures) > _MOST_TABLE:
        raise InputError(
            "temperatures",
            got=f"{len(data.temperatures)} of them",
            wanted=f"at most {_MOST_TABLE}, which is what MPTEMP takes",
            cure="leave some out",
        )


def _anisotropic(data: CardData, number: int) -> list[str]:
    """Return the table of stiffness: TB,ANEL takes six temperatures, TB,ELAS any number."""
    levels = data.temperatures
    many = levels is not None and len(levels) > _MOST_ANEL
    lines = [f"TB,ELAS,{number},,,AELS" if many else f"TB,ANEL,{number},{len(data.stiffness)},,0"]
    for level, stiffness in enumerate(data.stiffness):
        if levels is not None:
            lines.append(f"{'TBFIELD,TEMP' if many else 'TBTEMP'},{levels[level]:.10g}")
        ordered = stiffness[np.ix_(_PAIRS, _PAIRS)]
        terms = [f"{ordered[place]:.8e}" for place in _LOWER]
        lines.extend(
            f"TBDATA,{start + 1},{','.join(terms[start : start + _A_COMMAND])}"
            for start in range(0, len(terms), _A_COMMAND)
        )
    return lines


def _moduli(data: CardData) -> dict[str, np.ndarray]:
    """Return EX, PRXY and so on; PR are major Poisson's ratios, strain along the second axis by the first."""
    found = [engineering(stiffness) for stiffness in data.stiffness]
    names = {"EX": "E1", "PRXY": "nu12"}
    if data.kind == "ORTHO":
        names |= {"EY": "E2", "EZ": "E3", "PRYZ": "nu23", "PRXZ": "nu13"}
        names |= {"GXY": "G12", "GYZ": "G23", "GXZ": "G13"}
    return {label: np.array([constants[name] for constants in found]) for label, name in names.items()}


def _property_tables(tables: dict[str, np.ndarray], data: CardData, number: int) -> list[str]:
    """Return MP commands; a table has one temperature a command, because a later zero would be ignored."""
    if not tables:
        return []
    if data.temperatures is None:
        return [f"MP,{label},{number},{column[0]:.8e}" for label, column in tables.items()]
    lines = ["MPTEMP"]
    lines += [f"MPTEMP,{place},{level:.10g}" for place, level in enumerate(data.temperatures, 1)]
    for label, column in tables.items():
        lines += [f"MPDATA,{label},{number},{place},{value:.8e}" for place, value in enumerate(column, 1)]
    return lines
