"""Covariances of fine cross-sections, as they are given, made into blocks that are known to be sound."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from scalebridge.core.errors import InputError
from scalebridge.reactor.materials import MultigroupMaterial

KNOWN = ("total", "nu_fission", "chi", "scatter", "fission")
Block = tuple[str, str, str, str]


def checked_covariance(
    given: Mapping[Any, Any], materials: Mapping[str, MultigroupMaterial]
) -> dict[Block, np.ndarray]:
    """Return blocks by (material, key, material, key), both ways round.

    Args:
        given: by (material, key): a square matrix over the flattened cross-section, or relative standard
            deviations of independent numbers (one, or one each); by (material, key, material, key): a matrix
            between two. What is not given is zero.
        materials: by name.

    Raises:
        InputError: a name or shape is unknown, or all together is not symmetric and positive semidefinite.

    Example:
        >>> from scalebridge.reactor.materials import multigroup_material
        >>> water = multigroup_material("water", total=[0.65, 1.2], scatter=[[0.6, 0.04], [0.0, 1.1]])
        >>> blocks = checked_covariance({("water", "total"): 0.01}, {"water": water})
        >>> blocks["water", "total", "water", "total"].round(8).tolist()
        [[4.225e-05, 0.0], [0.0, 0.000144]]
    """
    if not isinstance(given, Mapping):
        raise InputError(
            "covariance",
            got=repr(given)[:60],
            wanted="matrices or relative standard deviations by (material, key)",
            cure="pass {('fuel', 'nu_fission'): 0.01}",
        )
    blocks: dict[Block, np.ndarray] = {}
    for which, value in given.items():
        names = tuple(which) if isinstance(which, tuple) else (which,)
        sides = _sides(which, names, materials)
        sizes = [_numbers(*side, materials).size for side in sides]
        matrix = _matrix(which, value, sides, sizes, materials)
        blocks[(*sides[0], *sides[1])] = matrix
        blocks[(*sides[1], *sides[0])] = matrix.T
    _refuse_unsound(given, blocks, materials)
    return blocks


def _sides(
    which: Any, names: tuple[Any, ...], materials: Mapping[str, MultigroupMaterial]
) -> list[tuple[str, str]]:
    sides = [names, names] if len(names) == 2 else [names[:2], names[2:]]
    if len(names) not in (2, 4) or any(n not in materials or k not in KNOWN for n, k in sides):
        raise InputError(
            "covariance",
            got=repr(which),
            wanted=f"a material and one of {KNOWN}, or two of both",
            cure="correct it",
        )
    if any(key == "chi" and materials[name].chi.ndim == 2 for name, key in sides):
        raise InputError(
            f"covariance[{which!r}]",
            got="a spectrum by the group that fissions",
            wanted="one spectrum of fission for all groups",
            cure="give chi as (G,)",
        )
    return [(str(name), str(key)) for name, key in sides]


def _numbers(name: str, key: str, materials: Mapping[str, MultigroupMaterial]) -> np.ndarray:
    value = materials[name].scatter[0] if key == "scatter" else getattr(materials[name], key)
    return np.asarray(value, dtype=float).ravel()


def _matrix(
    which: Any,
    value: Any,
    sides: list[tuple[str, str]],
    sizes: list[int],
    materials: Mapping[str, MultigroupMaterial],
) -> np.ndarray:
    try:
        array = np.asarray(value, dtype=float)
    except (TypeError, ValueError):
        array = np.zeros((0, 0, 0))  # refused below
    if array.ndim < 2 and sides[0] == sides[1] and array.size in (1, sizes[0]) and np.all(array >= 0):
        return np.diag((_numbers(*sides[0], materials) * array) ** 2)
    if array.shape != tuple(sizes) or not np.all(np.isfinite(array)):
        raise InputError(
            f"covariance[{which!r}]",
            got=f"shape {array.shape}",
            wanted=f"a symmetric, positive semidefinite matrix of shape {tuple(sizes)}, or relative standard "
            "deviations",
            cure="correct it",
        )
    return array


def _refuse_unsound(
    given: Mapping[Any, Any], blocks: Mapping[Block, np.ndarray], materials: Mapping[str, MultigroupMaterial]
) -> None:
    sides = sorted({block[:2] for block in blocks} | {block[2:] for block in blocks})
    if not sides:
        raise InputError("covariance", got="nothing", wanted="at least one matrix", cure="give one")
    sizes = {side: _numbers(*side, materials).size for side in sides}
    rows = [
        [blocks.get((*one, *other), np.zeros((sizes[one], sizes[other]))) for other in sides] for one in sides
    ]
    whole = np.block(rows)
    symmetric = np.allclose(whole, whole.T, rtol=1e-8, atol=0.0)
    if not symmetric or np.linalg.eigvalsh(whole).min() < -1e-10 * max(np.abs(whole).max(), 1e-300):
        raise InputError(
            "covariance" if len(given) > 1 else f"covariance[{next(iter(given))!r}]",
            got="a matrix that is not a covariance",
            wanted="all blocks together symmetric and positive semidefinite",
            cure="correct it; correlations may not be beyond one",
        )
