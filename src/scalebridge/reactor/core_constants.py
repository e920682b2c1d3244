"""Constants of homogenised regions, as the coarse core model takes them."""

from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from scalebridge.core.errors import InputError

_BALANCE = 1e-9


@dataclass(frozen=True)
class CoreConstants:
    """Multigroup constants of regions in 1/cm, group 0 the fastest.

    Args:
        names: (R,) names of the regions.
        diffusion: (R, G) diffusion coefficients, cm.
        absorption: (R, G).
        nu_fission: (R, G).
        fission: (R, G), or energy times fission; what power is told by.
        chi: (R, G) spectrum of the neutrons from fission.
        scatter: (R, G, G) isotropic scattering [from, to].
        total: (R, G) total cross-sections, for SP3; 1 / (3 diffusion) where there is none.
    """

    names: tuple[str, ...]
    diffusion: np.ndarray
    absorption: np.ndarray
    nu_fission: np.ndarray
    fission: np.ndarray
    chi: np.ndarray
    scatter: np.ndarray
    total: np.ndarray

    @property
    def groups(self) -> int:
        """Number of groups."""
        return self.diffusion.shape[1]

    @property
    def removal(self) -> np.ndarray:
        """(R, G) absorption and scattering out of the group."""
        out = self.scatter.sum(axis=2) - np.diagonal(self.scatter, axis1=1, axis2=2)
        return self.absorption + out

    def of(self, regions: np.ndarray) -> "CoreConstants":
        """Return the constants of each volume, given its region."""
        parts = {f.name: getattr(self, f.name)[regions] for f in fields(self) if f.name != "names"}
        return CoreConstants(tuple(self.names[i] for i in regions), **parts)


def core_constants(
    name: str | tuple[str, ...],
    *,
    diffusion: Any,
    absorption: Any,
    nu_fission: Any,
    scatter: Any,
    chi: Any,
    fission: Any = None,
    total: Any = None,
) -> CoreConstants:
    """Return the constants of one region, or of R of them, checked.

    Args:
        name: of the region, or (R,) names.
        diffusion: (G,) or (R, G) diffusion coefficients.
        absorption: likewise.
        nu_fission: likewise; zero where nothing fissions.
        scatter: (G, G) or (R, G, G) [from, to].
        chi: (G,) or (R, G); sums to one wherever nu_fission is not zero.
        fission: what power is told by; nu_fission where it is left out.
        total: for SP3; 1 / (3 diffusion) where it is left out.

    Raises:
        InputError: a shape or a value cannot be right.

    Example:
        >>> fuel = core_constants("fuel", diffusion=[1.5, 0.4], absorption=[0.01, 0.08], chi=[1, 0],
        ...     nu_fission=[0, 0.135], scatter=[[0, 0.02], [0, 0]])
        >>> fuel.removal.round(6).tolist()
        [[0.03, 0.08]]
    """
    names = (name,) if isinstance(name, str) else tuple(name)
    rows = {
        "diffusion": _rows("diffusion", diffusion, names),
        "absorption": _rows("absorption", absorption, names),
        "nu_fission": _rows("nu_fission", nu_fission, names),
        "chi": _rows("chi", chi, names),
    }
    rows["fission"] = rows["nu_fission"] if fission is None else _rows("fission", fission, names)
    groups = rows["diffusion"].shape[1]
    found = _numbers("scatter", scatter, names)
    rows["scatter"] = found[None] if found.ndim == 2 else found
    if not (rows["diffusion"] > 0).all():
        _refuse("diffusion", names, rows["diffusion"].min(), "numbers above zero", "check the group's value")
    rows["total"] = 1 / (3 * rows["diffusion"]) if total is None else _rows("total", total, names)
    for key, value in rows.items():
        wanted = (len(names), groups, groups) if key == "scatter" else (len(names), groups)
        if value.shape != wanted:
            _refuse(key, names, f"shape {value.shape}", f"shape {wanted}", "give every group of every region")
    constants = CoreConstants(names, **rows)
    _refuse_values(constants)
    return constants


def merge_constants(parts: list[CoreConstants]) -> CoreConstants:
    """Return the regions of several constants as one.

    Raises:
        InputError: they have not the same number of groups.
    """
    groups = sorted({part.groups for part in parts})
    if len(groups) > 1:
        names = ", ".join(f"{part.names[0]} {part.groups}" for part in parts)
        raise InputError(
            "materials",
            got=f"{groups} groups ({names})",
            wanted="the same groups in every region",
            cure="condense them to one structure first",
        )
    stacked = {
        f.name: np.concatenate([getattr(p, f.name) for p in parts])
        for f in fields(CoreConstants)
        if f.name != "names"
    }
    return CoreConstants(tuple(name for part in parts for name in part.names), **stacked)


def _refuse_values(constants: CoreConstants) -> None:
    for key in ("absorption", "nu_fission", "fission", "chi", "scatter"):
        value = getattr(constants, key)
        off = value if key != "scatter" else value * (1 - np.eye(constants.groups))
        if (off < 0).any() and key != "absorption":
            where = constants.names[int(np.argwhere(off < 0)[0, 0])]
            _refuse(key, (where,), f"{off.min():.4g}", "numbers of at least zero", "check signs and columns")
    if (constants.removal <= 0).any():
        where = int(np.argwhere(constants.removal <= 0)[0, 0])
        _refuse(
            "absorption",
            (constants.names[where],),
            f"absorption and scattering out of {constants.removal[where].min():.4g} 1/cm in a group",
            "neutrons that leave each group of each region",
            "check absorption, and the orientation of scatter, [from, to]",
        )
    fissile = constants.nu_fission.any(axis=1)
    wrong = fissile & (np.abs(constants.chi.sum(axis=1) - 1) > 1e-3)
    if wrong.any():
        where = int(np.flatnonzero(wrong)[0])
        _refuse(
            "chi",
            (constants.names[where],),
            f"a sum of {constants.chi[where].sum():.6g}",
            "a spectrum that sums to one where there is fission",
            "normalise it, or set nu_fission to zero",
        )


def _rows(key: str, given: Any, names: tuple[str, ...]) -> np.ndarray:
    found = _numbers(key, given, names)
    return found[None] if found.ndim == 1 else found


def _numbers(key: str, given: Any, names: tuple[str, ...]) -> np.ndarray:
    try:
        found = np.asarray(given, dtype=float)
    except (TypeError, ValueError):
        _refuse(key, names, repr(given), "numbers", "write plain numbers, one for each group")
        raise
    if not np.isfinite(found).all() or found.ndim == 0:
        _refuse(key, names, repr(given), "finite numbers, one for each group", "correct it")
    return found


def _refuse(key: str, names: tuple[str, ...], got: object, wanted: str, cure: str) -> None:
    where = names[0] if len(names) == 1 else f"{len(names)} regions"
    raise InputError(f"{key} ({where})", got=got, wanted=wanted, cure=cure)
