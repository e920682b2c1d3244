"""Multigroup materials: macroscopic cross-sections, held to their own balance.

    total_g = absorption_g + sum_h scatter_0[g, h],        sum_g chi_g = 1

An (n, 2n) reaction or rounding leaves a gap in the first, which is measured and told, never mended.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from scalebridge.core.checks import Check
from scalebridge.core.errors import FileFormatError, InputError

BALANCE_TOLERANCE = 1e-3
CHI_TOLERANCE = 1e-3
_KEYS = (
    "total",
    "absorption",
    "nu_fission",
    "fission",
    "chi",
    "scatter",
    "transport_corrected",
    "group_edges",
)


@dataclass(frozen=True, eq=False)
class MultigroupMaterial:
    """Macroscopic cross-sections of a material in G groups, 1/cm, group 0 the fastest.

    Made by `multigroup_material`, which refuses what cannot be.

    Args:
        name: of the material.
        total: (G,) total; the transport cross-section where `transport_corrected`.
        absorption: (G,).
        nu_fission: (G,) neutrons of fission a unit of flux.
        fission: (G,).
        chi: (G,) spectrum of fission, or (G, G) as [from, to].
        scatter: (L + 1, G, G) moments as [order, from, to], without 2 l + 1.
        transport_corrected: whether `total` and the diagonal of order 0 were corrected for anisotropy.
        group_edges: (G + 1,) eV, descending; None where nobody knows.
    """

    name: str
    total: np.ndarray
    absorption: np.ndarray
    nu_fission: np.ndarray
    fission: np.ndarray
    chi: np.ndarray
    scatter: np.ndarray
    transport_corrected: bool = False
    group_edges: np.ndarray | None = None

    @property
    def groups(self) -> int:
        """Number of groups."""
        return len(self.total)

    @property
    def order(self) -> int:
        """Highest Legendre order of scattering."""
        return len(self.scatter) - 1

    @property
    def fissile(self) -> bool:
        """Whether it makes neutrons."""
        return bool(np.any(self.nu_fission > 0))

    @property
    def chi_matrix(self) -> np.ndarray:
        """Spectrum as [from, to], (G, G)."""
        return np.tile(self.chi, (self.groups, 1)) if self.chi.ndim == 1 else self.chi

    @property
    def removal_absorption(self) -> np.ndarray:
        """What total leaves beside scattering, (G,): the absorption that a transport solution sees."""
        return self.total - self.scatter[0].sum(axis=1)

    @property
    def balance_gap(self) -> float:
        """Largest |total - absorption - scattering| relative to total."""
        return float(np.max(np.abs(self.removal_absorption - self.absorption) / self.total))

    def checks(self) -> tuple[Check, ...]:
        """Return what has to hold of the numbers, measured."""
        found = [
            Check(
                f"{self.name}: balance",
                self.balance_gap,
                BALANCE_TOLERANCE,
                meaning="total against absorption plus scattering, relative; rounding of tables is below "
                "1e-4, (n, 2n) may be above",
            )
        ]
        if self.fissile:
            makes = self.nu_fission > 0
            sums = self.chi_matrix[makes].sum(axis=1)
            meaning = "the spectrum of fission has to sum to one; tables are rounded at 1e-5"
            gap = float(np.max(np.abs(sums - 1.0)))
            found.append(Check(f"{self.name}: sum of chi", gap, CHI_TOLERANCE, meaning=meaning))
        return tuple(found)

    def infinite_multiplication(self) -> float:
        """Return k of an infinite medium: the largest eigenvalue of (T - S)^-1 chi nu-fission."""
        loss = np.diag(self.total) - self.scatter[0].T
        gain = self.chi_matrix.T * self.nu_fission[None, :]
        return float(np.max(np.linalg.eigvals(np.linalg.solve(loss, gain)).real))

    def table(self) -> dict[str, Any]:
        """Return plain data, as `multigroup_material` takes it."""
        told: dict[str, Any] = {key: getattr(self, key) for key in _KEYS}
        if self.group_edges is None:
            del told["group_edges"]
        return {k: v.tolist() if isinstance(v, np.ndarray) else v for k, v in told.items()}


def multigroup_material(
    name: str,
    *,
    total: Any,
    scatter: Any,
    absorption: Any = None,
    nu_fission: Any = None,
    fission: Any = None,
    chi: Any = None,
    transport_corrected: bool = False,
    group_edges: Any = None,
) -> MultigroupMaterial:
    """Make a material from its cross-sections in 1/cm, group 0 the fastest.

    Args:
        name: of the material.
        total: (G,) total, or transport where `transport_corrected`.
        scatter: (G, G) as [from, to], or (L + 1, G, G) moments without 2 l + 1, up to order 3.
        absorption: (G,); what total leaves beside scattering unless given.
        nu_fission: (G,); none unless given.
        fission: (G,); zeros unless given (powers then follow nu-fission).
        chi: (G,), or (G, G) as [from, to]; needed with nu_fission.
        transport_corrected: whether total and order 0 were corrected for anisotropy.
        group_edges: (G + 1,) eV, descending.

    Raises:
        InputError: shapes disagree, a number is negative or not finite, the spectrum is zero or far from one,
            or scattering and absorption are far from the total.

    Source: G. I. Bell, S. Glasstone, Nuclear Reactor Theory (1970), section 4.

    Example:
        >>> water = multigroup_material("water", total=[0.65, 1.2], scatter=[[0.6, 0.04], [0.0, 1.1]])
        >>> print(water.absorption.round(3), water.fissile)
        [0.01 0.1 ] False
    """
    totals = _vector(name, "total", total, None)
    groups = len(totals)
    moments = _moments(name, scatter, groups)
    removed = totals - moments[0].sum(axis=1)
    made = MultigroupMaterial(
        name=str(name),
        total=totals,
        absorption=_vector(name, "absorption", removed if absorption is None else absorption, groups),
        nu_fission=_vector(
            name, "nu_fission", np.zeros(groups) if nu_fission is None else nu_fission, groups
        ),
        fission=_vector(name, "fission", np.zeros(groups) if fission is None else fission, groups),
        chi=_spectrum(name, chi, groups),
        scatter=moments,
        transport_corrected=bool(transport_corrected),
        group_edges=_edges(name, group_edges, groups),
    )
    _refuse(made)
    return made


def read_materials(path: str | Path) -> dict[str, MultigroupMaterial]:
    """Read materials from a TOML file: a table each, with the arguments of `multigroup_material`.

    Raises:
        FileFormatError: the file cannot be read, or is not TOML.
        InputError: a key is unknown, or a material cannot be.
    """
    try:
        tables = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise FileFormatError(
            "materials",
            got=f"{path}: {error}",
            wanted="a TOML file with a table for each material",
            cure="check",
        ) from error
    return materials_from(tables)


def materials_from(tables: Mapping[str, Any]) -> dict[str, MultigroupMaterial]:
    """Make materials from plain tables by name; groups have to agree.

    Raises:
        InputError: a key is unknown or missing, a material cannot be, or groups differ.
    """
    made = {}
    for name, table in tables.items():
        if isinstance(table, MultigroupMaterial):
            made[name] = table
            continue
        unknown = set(table) - set(_KEYS) if isinstance(table, Mapping) else {repr(table)}
        missing = {"total", "scatter"} - set(table) if not unknown else set()
        if unknown or missing:
            wrong = unknown or missing
            raise InputError(
                f"materials.{name}",
                got=f"{'unknown' if unknown else 'missing'}: {', '.join(sorted(wrong))}",
                wanted=f"a table with some of {', '.join(_KEYS)}",
                cure="correct the key",
            )
        made[name] = multigroup_material(name, **table)
    same_groups(made)
    return made


def same_groups(materials: Mapping[str, MultigroupMaterial]) -> int:
    """Return the number of groups that all materials share.

    Raises:
        InputError: there are none, or they differ.
    """
    found = {material.groups for material in materials.values()}
    if len(found) != 1:
        told = ", ".join(f"{name}: {m.groups}" for name, m in materials.items()) or "no material"
        raise InputError(
            "materials",
            got=told,
            wanted="the same number of groups in all",
            cure="condense them to one structure",
        )
    return found.pop()


def _vector(name: str, key: str, given: Any, groups: int | None) -> np.ndarray:
    array = _numbers(name, key, given)
    if array.ndim != 1 or len(array) == 0 or (groups is not None and len(array) != groups):
        wanted = "a list with a number for each group" if groups is None else f"{groups} numbers, as in total"
        raise InputError(f"{name}.{key}", got=f"shape {array.shape}", wanted=wanted, cure="correct it")
    return array


def _numbers(name: str, key: str, given: Any) -> np.ndarray:
    try:
        array = np.array(given, dtype=float)
    except (TypeError, ValueError) as error:
        raise InputError(
            f"{name}.{key}", got=repr(given)[:80], wanted="numbers in 1/cm", cure="correct it"
        ) from error
    if not np.all(np.isfinite(array)):
        raise InputError(
            f"{name}.{key}", got="numbers that are not finite", wanted="numbers", cure="correct them"
        )
    array.setflags(write=False)
    return array


def _moments(name: str, given: Any, groups: int) -> np.ndarray:
    array = _numbers(name, "scatter", given)
    array = array[None] if array.ndim == 2 else array
    if array.ndim != 3 or array.shape[1:] != (groups, groups) or not 1 <= len(array) <= 4:
        raise InputError(
            f"{name}.scatter",
            got=f"shape {array.shape}",
            wanted=f"({groups}, {groups}) as [from, to], or up to four of them by order",
            cure="correct it; the first index is the group that a neutron comes from",
        )
    return array


def _spectrum(name: str, given: Any, groups: int) -> np.ndarray:
    array = _numbers(name, "chi", np.zeros(groups) if given is None else given)
    if array.shape not in ((groups,), (groups, groups)):
        raise InputError(
            f"{name}.chi",
            got=f"shape {array.shape}",
            wanted=f"({groups},) or ({groups}, {groups})",
            cure="correct it",
        )
    return array


def _edges(name: str, given: Any, groups: int) -> np.ndarray | None:
    if given is None:
        return None
    edges = _vector(name, "group_edges", given, groups + 1)
    if np.any(np.diff(edges) >= 0) or edges[-1] < 0:
        raise InputError(
            f"{name}.group_edges",
            got=str(edges.tolist()),
            wanted="energies in eV that fall",
            cure="sort them",
        )
    return edges


def _refuse(made: MultigroupMaterial) -> None:
    off_diagonal = made.scatter[0] - np.diag(np.diag(made.scatter[0]))
    positive = "numbers that are not negative"
    wrong = [
        ("total", np.min(made.total) <= 0, np.min(made.total), "positive numbers; a void needs a small one"),
        ("absorption", np.min(made.absorption) < 0, np.min(made.absorption), positive),
        ("nu_fission", np.min(made.nu_fission) < 0, np.min(made.nu_fission), positive),
        ("fission", np.min(made.fission) < 0, np.min(made.fission), positive),
        ("chi", np.min(made.chi) < 0, np.min(made.chi), positive),
        ("scatter", np.min(off_diagonal) < 0, np.min(off_diagonal), f"{positive} from one group to another"),
    ]
    diagonal = float(np.min(np.diag(made.scatter[0])))
    told = "a diagonal that is not negative, unless transport_corrected is said"
    wrong.append(("scatter", diagonal < 0 and not made.transport_corrected, diagonal, told))
    for key, is_wrong, value, wanted in wrong:
        if is_wrong:
            raise InputError(
                f"{made.name}.{key}", got=f"{value:.6g}", wanted=wanted, cure="correct the table"
            )
    _refuse_gaps(made)


def _refuse_gaps(made: MultigroupMaterial) -> None:
    if made.fissile:
        sums = made.chi_matrix[made.nu_fission > 0].sum(axis=1)
        if np.max(np.abs(sums - 1.0)) > 0.01:
            raise InputError(
                f"{made.name}.chi",
                got=f"a sum of {sums[np.argmax(np.abs(sums - 1))]:.6g}",
                wanted="a spectrum that sums to one where there is nu_fission",
                cure="give chi as parts of one neutron",
            )
    if made.balance_gap > 0.2:
        raise InputError(
            f"{made.name}.total",
            got=f"a gap of {made.balance_gap:.1%} to absorption plus scattering",
            wanted="total = absorption + scattering; [from, to] in scatter",
            cure="transpose scatter if it was [to, from], or correct the table",
        )
