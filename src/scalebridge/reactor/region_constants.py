"""From what may stand for a region to its constants: constants, a multigroup material, or a table."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from scalebridge.core.errors import InputError
from scalebridge.reactor.core_constants import CoreConstants, core_constants
from scalebridge.reactor.materials import MultigroupMaterial

_FIELDS = ("diffusion", "absorption", "nu_fission", "fission", "chi", "scatter", "total")


def region_constants(name: str, given: Any) -> CoreConstants:
    """Return the constants of a region from what may stand for them.

    Args:
        name: of the region.
        given: `CoreConstants` of one region, a `MultigroupMaterial` (D = 1 / (3 total)), or a table of the
            arguments of `core_constants`.

    Raises:
        InputError: it is something else, or a value cannot be right.
    """
    if isinstance(given, CoreConstants) and len(given.names) == 1:
        return CoreConstants((name,), *(getattr(given, key) for key in _FIELDS))
    if isinstance(given, MultigroupMaterial):
        spectrum = given.chi if given.chi.ndim == 1 else _mean_spectrum(given)
        return core_constants(
            name,
            diffusion=1 / (3 * given.total),
            absorption=given.removal_absorption,
            nu_fission=given.nu_fission,
            fission=given.fission if given.fission.any() else None,
            chi=spectrum,
            scatter=given.scatter[0],
            total=given.total,
        )
    if isinstance(given, Mapping):
        wrong = sorted(set(given) - {*_FIELDS})
        missing = sorted({"diffusion", "absorption", "nu_fission", "chi", "scatter"} - set(given))
        if not wrong and not missing:
            return core_constants(name, **given)
        raise InputError(
            f"materials.{name}",
            got=f"the unknown key {wrong[0]!r}" if wrong else f"no {missing[0]}",
            wanted="diffusion, absorption, nu_fission, chi, scatter, and fission and total if you like",
            cure="correct the table",
        )
    raise InputError(
        f"materials.{name}",
        got=f"a {type(given).__name__}",
        wanted="constants of one region, a multigroup material, or a table",
        cure="make it with core_constants",
    )


def _mean_spectrum(material: MultigroupMaterial) -> np.ndarray:
    """Return the spectrum of a matrix chi in the material's own infinite-medium flux."""
    loss = np.diag(material.total) - material.scatter[0].T
    gain = material.chi_matrix.T * material.nu_fission[None, :]
    values, vectors = np.linalg.eig(np.linalg.solve(loss, gain))
    flux = np.abs(np.real(vectors[:, int(np.real(values).argmax())]))
    made = material.nu_fission * flux
    return material.chi_matrix.T @ made / made.sum() if made.any() else np.zeros(material.groups)
