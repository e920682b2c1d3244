"""The body of a stiffness card for CalculiX and Abaqus: *ELASTIC, *EXPANSION, *DENSITY."""

import numpy as np

from scalebridge.io.card_data import CardData, engineering, pair_position

# Both programs read the upper triangle of C_ijkl column by column, pairs in the order 11, 22, 33, 12, 13, 23,
# as tensor components, without factors.
_PAIRS = tuple(pair_position(*pair) for pair in ((1, 1), (2, 2), (3, 3), (1, 2), (1, 3), (2, 3)))
_ANISOTROPIC = tuple((row, column) for column in range(6) for row in range(column + 1))
# 1111, 1122, 2222, 1133, 2233, 3333, 1212, 1313, 2323
_ORTHOTROPIC = (*((row, column) for column in range(3) for row in range(column + 1)), (3, 3), (4, 4), (5, 5))
_NAMES = {
    "calculix": {"ISO": "ISO", "ORTHO": "ORTHO", "ANISO": "ANISO"},
    "abaqus": {"ISO": "ISOTROPIC", "ORTHO": "ORTHOTROPIC", "ANISO": "ANISOTROPIC"},
}
# CalculiX reads shear expansions as tensor components, Abaqus as engineering shear strains per degree.
_SHEAR = {"calculix": 1.0, "abaqus": 2.0}
_A_LINE = 8


def keyword_card(data: CardData, name: str, header: list[str], dialect: str) -> str:
    """Return a card of keywords.

    Args:
        data: what it holds.
        name: the material's name.
        header: lines of comment, without their marks.
        dialect: "calculix" or "abaqus".

    Returns:
        the card. Numbers have nine digits; a line has 132 characters at most, and eight numbers at most.
    """
    lines = [f"** {line}" for line in header]
    lines += [f"*MATERIAL, NAME={name}", f"*ELASTIC, TYPE={_NAMES[dialect][data.kind]}"]
    for level, stiffness in enumerate(data.stiffness):
        lines += _rows(_constants(stiffness, data.kind), data, level)
    if data.expansion is not None:
        start = "" if data.reference is None else f", ZERO={data.reference:.10g}"
        lines.append(f"*EXPANSION, TYPE={data.expansion_kind}{start}")
        for level, strain in enumerate(data.expansion):
            lines += _rows(_expansions(strain, data.expansion_kind, dialect), data, level)
    if data.density is not None:
        lines.append("*DENSITY")
        for level, density in enumerate(data.density):
            lines += _rows([float(density)], data, level)
    return "\n".join(lines) + "\n"


def _constants(stiffness: np.ndarray, kind: str) -> list[float]:
    if kind == "ISO":
        found = engineering(stiffness)
        return [found["E1"], found["nu12"]]
    ordered = stiffness[np.ix_(_PAIRS, _PAIRS)]
    chosen = _ORTHOTROPIC if kind == "ORTHO" else _ANISOTROPIC
    return [float(ordered[place]) for place in chosen]


def _expansions(strain: np.ndarray, kind: str, dialect: str) -> list[float]:
    if kind == "ISO":
        return [float(strain[:3].mean())]
    factors = np.array([1.0, 1.0, 1.0, *[_SHEAR[dialect]] * 3])
    ordered = (factors * strain[list(_PAIRS)]).tolist()
    return ordered[:3] if kind == "ORTHO" else ordered


def _rows(constants: list[float], data: CardData, level: int) -> list[str]:
    """Return lines of eight numbers; the temperature follows the last constant."""
    texts = [f"{constant:.8e}" for constant in constants]
    if data.temperatures is not None:
        texts.append(f"{data.temperatures[level]:.10g}")
    return [",".join(texts[start : start + _A_LINE]) for start in range(0, len(texts), _A_LINE)]
