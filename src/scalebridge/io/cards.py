"""Material cards: a conductivity tensor as text that CalculiX and Abaqus read."""

import re
from typing import Literal

import numpy as np

from scalebridge.core.errors import InputError

Dialect = Literal["calculix", "abaqus"]

_LONGEST_NAME = 80
# Components in the order in which each program reads a line of TYPE=ANISO; counted from zero.
_ANISOTROPIC_ORDER: dict[str, tuple[tuple[int, int], ...]] = {
    "calculix": ((0, 0), (1, 1), (2, 2), (0, 1), (0, 2), (1, 2)),
    "abaqus": ((0, 0), (0, 1), (1, 1), (0, 2), (1, 2), (2, 2)),
}


def conductivity_card(
    tensor: np.ndarray,
    name: str,
    unit: str,
    dialect: Dialect = "calculix",
    *,
    origin: str = "",
    rtol: float = 1e-6,
) -> str:
    """Write a conductivity tensor as a *MATERIAL and *CONDUCTIVITY card.

    The simplest type is written that represents the tensor: ISO when all of it is within `rtol` times its
    largest entry of a multiple of the identity, ORTHO when the off-diagonal entries are that small, else
    ANISO. One line of constants follows, without a temperature, in the order

    - ISO: k; ORTHO: k11, k22, k33 (both programs);
    - ANISO in CalculiX: k11, k22, k33, k12, k13, k23;
    - ANISO in Abaqus: k11, k12, k22, k13, k23, k33.

    The two programs do differ: a card of one, read by the other, swaps components without a warning.

    Args:
        tensor: conductivity, 3 x 3, symmetric positive definite; axes 1, 2, 3 are the image's x, y, z.
        name: material's name; characters other than letters, digits, "_" and "-" become "_", it is made to
            begin with a letter, and is cut to 80 characters.
        unit: unit of the numbers, written into the header; neither program converts units.
        dialect: "calculix" or "abaqus".
        origin: where the numbers come from, for the header.
        rtol: relative tolerance of the choice of type, in [0, 1).

    Returns:
        the card, lines ending in a newline. Numbers have 13 digits, and 20 characters at most (CalculiX reads
        no more).

    Raises:
        InputError: not 3 x 3, not finite, not symmetric, not positive definite, or no name or unit.

    Source:
        G. Dhondt, CalculiX CrunchiX user's manual, *CONDUCTIVITY (order 11, 22, 33, 12, 13, 23); confirmed
        by the heat flux that CalculiX 2.20 prints for one element under unit gradients. Abaqus Scripting
        Reference, Conductivity object, table data for ANISOTROPIC (order 11, 12, 22, 13, 23, 33).

    Example:
        >>> card = conductivity_card(2.5 * np.eye(3), "Berea sandstone", "W/m/K", origin="berea_128.tif")
        >>> print(card, end="")
        ** Effective conductivity in W/m/K; the model must use this unit throughout.
        ** Origin: berea_128.tif
        ** Axes 1, 2, 3 are x, y, z of the image; type ISO within 1e-06 of the largest entry.
        *MATERIAL, NAME=Berea_sandstone
        *CONDUCTIVITY, TYPE=ISO
        2.500000000000e+00
    """
    if dialect not in _ANISOTROPIC_ORDER:
        raise InputError(
            "dialect", got=repr(dialect), wanted="'calculix' or 'abaqus'", cure="pass dialect='calculix'"
        )
    k = _checked(tensor, rtol)
    if not unit.strip():
        raise InputError(
            "unit", got=repr(unit), wanted="the unit of the numbers", cure="pass for example 'W/m/K'"
        )
    kind, constants = _simplest(k, dialect, rtol)
    lines = [
        f"** Effective conductivity in {one_line(unit)}; the model must use this unit throughout.",
        f"** Origin: {one_line(origin) or 'not said'}",
        f"** Axes 1, 2, 3 are x, y, z of the image; type {kind} within {rtol:g} of the largest entry.",
        f"*MATERIAL, NAME={material_name(name)}",
        f"*CONDUCTIVITY, TYPE={kind}",
        ",".join(f"{constant:.12e}" for constant in constants),
    ]
    return "\n".join(lines) + "\n"


def _checked(tensor: np.ndarray, rtol: float) -> np.ndarray:
    k = np.asarray(tensor, float)
    cure = "pass the 3 x 3 tensor of a result; for a 2-D result add the conductivity along z"
    if k.shape != (3, 3) or not np.isfinite(k).all():
        raise InputError(
            "tensor", got=f"shape {k.shape}, {k.tolist()}", wanted="3 x 3 finite numbers", cure=cure
        )
    if not 0 <= rtol < 1:
        raise InputError("rtol", got=rtol, wanted="a number in [0, 1)", cure="pass rtol=1e-6")
    # A solver's tensor is symmetric to its own tolerance only; what is written is its symmetric part.
    if np.abs(k - k.T).max() > max(rtol, 1e-6) * np.abs(k).max():
        raise InputError(
            "tensor", got=k.tolist(), wanted="a symmetric tensor", cure="solve with a smaller rtol"
        )
    k = (k + k.T) / 2
    if np.linalg.eigvalsh(k)[0] <= 0:
        raise InputError(
            "tensor",
            got=f"eigenvalues {np.linalg.eigvalsh(k).tolist()}",
            wanted="a positive definite tensor",
            cure="give a direction that does not conduct a small positive conductivity",
        )
    return k


def _simplest(k: np.ndarray, dialect: str, rtol: float) -> tuple[str, list[float]]:
    largest = np.abs(k).max()
    mean = float(np.trace(k)) / 3
    if np.abs(k - mean * np.eye(3)).max() <= rtol * largest:
        return "ISO", [mean]
    if np.abs(k - np.diag(np.diag(k))).max() <= rtol * largest:
        return "ORTHO", [float(value) for value in np.diag(k)]
    return "ANISO", [float(k[row, column]) for row, column in _ANISOTROPIC_ORDER[dialect]]


def material_name(name: str) -> str:
    """Return a material's name as every program reads it: letters, digits, "_", "-", a letter first."""
    clean = re.sub(r"[^A-Za-z0-9_-]+", "_", name.strip()).strip("_")
    if not clean:
        raise InputError(
            "name", got=repr(name), wanted="a name with a letter or digit", cure="pass for example 'ROCK'"
        )
    return (clean if clean[0].isalpha() else f"M_{clean}")[:_LONGEST_NAME]


def one_line(text: str) -> str:
    """Return text without line breaks, so that it stays inside one comment."""
    return " ".join(text.split())
