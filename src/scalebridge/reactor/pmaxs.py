"""Constants of a region as PMAXS, the cross-section file of PARCS: written, and read back.

A file holds one region at states (branches) of rods, densities and temperatures, and at burn-ups; here at one
state and zero burn-up. In order: a header of counts and of what is there (GLOBAL_V), six lines of comment,
the variables of state (STA_VAR), the branches, the burn-ups, the cross-section set (XS_SET), the history; its
spectrum; and of each branch transport, absorption, nu-fission and kappa-fission in turn, all groups of each,
then scattering with the group of arrival outside and that of departure inside, then discontinuity factors.
Numbers are in rows of eight of twelve columns, of six digits.

Source: T. Downar, Y. Xu, "GenPMAXS", PU/NE-00-20 (2006); the order and the columns are those that the open
readers of other codes (DONJON's among them) take. It was not tried with PARCS.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from scalebridge.core.errors import FileFormatError, InputError
from scalebridge.core.files import atomic_path
from scalebridge.reactor.homogenized_lattice import HomogenizedLattice

STATE = {"CR": 0.0, "DC": 0.71, "PC": 600.0, "TF": 800.0, "TC": 580.0}
"""Rods, coolant density in g/cm^3, boron in ppm, temperatures of fuel and coolant in K; the reference."""
JOULE = 3.2e-11
"""A fission's energy unless it is given, J: 200 MeV."""
_FLAGS = 15  # discontinuity factors first, the spectrum fifth
_GROUPS = (1, 2, 4, 8)  # rows of eight numbers hold whole sets of these


@dataclass(frozen=True, eq=False)
class PmaxsRegion:
    """What a PMAXS file says of a region.

    Args:
        table: constants for `solve_core`: D = 1 / (3 transport), fission is kappa-fission over the energy.
        discontinuity: (G,) factor of all sides; ones where none are in the file.
        state: by variable.
        kappa_fission: (G,) J/cm.
    """

    table: dict[str, np.ndarray]
    discontinuity: np.ndarray
    state: dict[str, float]
    kappa_fission: np.ndarray


def write_pmaxs(
    path: str | Path,
    constants: HomogenizedLattice,
    region: int = 0,
    *,
    discontinuity: Any = None,
    state: Mapping[str, float] | None = None,
    energy: float = JOULE,
) -> Path:
    """Write the constants of a region as PMAXS, whole or not at all.

    Args:
        path: the file.
        constants: of `homogenize_lattice`, in 1, 2, 4 or 8 groups.
        region: which.
        discontinuity: factor of all sides, (G,).
        state: what the constants were made at, by CR, DC, PC, TF, TC; `STATE` for what is not given.
        energy: of a fission, J.

    Raises:
        InputError: groups that rows of eight do not hold, an unknown region or state, or factors that cannot
            be.

    Limits: one branch, zero burn-up, no kinetics, no xenon, no form functions. Six digits.
    """
    groups = len(constants.groups)
    told = _checked(constants, region, state)
    factors = None if discontinuity is None else np.asarray(discontinuity, dtype=float)
    if factors is not None and (factors.shape != (groups,) or not np.all(factors > 0)):
        raise InputError(
            "discontinuity",
            got=f"shape {factors.shape}",
            wanted=f"{groups} positive numbers, one a group for all sides",
            cure="average the sides, which this file has alike",
        )
    rates = [1.0 / (3.0 * constants.diffusion[region]), constants.absorption[region]]
    rates += [constants.nu_fission[region], energy * constants.fission[region]]
    lines = _head(constants, region, told, factors is not None)
    lines += _rows(constants.chi[region])
    lines += [
        f"{'RE':4}{1:4d}{1:4d}",
        *_rows(np.concatenate(rates)),
        *_rows(constants.scatter[region].T.ravel()),
    ]
    lines += [] if factors is None else _rows(factors)
    with atomic_path(path) as part:
        part.write_text("\n".join(lines) + "\n", encoding="ascii")
    return Path(path)


def read_pmaxs(path: str | Path, *, energy: float = JOULE) -> PmaxsRegion:
    """Read the first branch of the first history of a PMAXS file at its first burn-up.

    Args:
        path: the file.
        energy: of a fission, J, by which kappa-fission is fission.

    Raises:
        FileFormatError: it is no such file, has parts that are not known here, or is damaged.
    """
    try:
        return _read(Path(path).read_text(encoding="latin-1").splitlines(), energy)
    except (OSError, ValueError, IndexError, StopIteration) as error:
        raise FileFormatError(
            "pmaxs",
            got=f"{path}: {error}",
            wanted="a whole PMAXS file with GLOBAL_V, without xenon and detectors",
            cure="write it again",
        ) from error


def _checked(
    constants: HomogenizedLattice, region: Any, state: Mapping[str, float] | None
) -> dict[str, float]:
    groups = len(constants.groups)
    if groups not in _GROUPS:
        raise InputError(
            "groups",
            got=f"{groups} groups",
            wanted=f"{', '.join(map(str, _GROUPS))}, of which rows of eight numbers hold whole sets",
            cure="condense to two groups",
        )
    if isinstance(region, bool) or region not in range(len(constants.volume)):
        raise InputError(
            "region", got=repr(region), wanted=f"0 to {len(constants.volume) - 1}", cure="correct the number"
        )
    told = dict(state or {})
    wrong = sorted(set(told) - set(STATE)) or [n for n, v in told.items() if not np.isfinite(v) or v < 0]
    if wrong:
        raise InputError(
            f"state.{wrong[0]}",
            got=repr(told[wrong[0]]),
            wanted=f"a number, not negative, of {', '.join(STATE)}",
            cure="correct it",
        )
    return {name: float(told.get(name, value)) for name, value in STATE.items()}


def _head(constants: HomogenizedLattice, region: int, state: dict[str, float], factors: bool) -> list[str]:
    groups = len(constants.groups)
    counts = f"{'GLOBAL_V':8}{1:4d}{groups:3d}{0:3d}{0:3d}{int(factors):3d}{0:3d}{0:4d}{1:3d}"
    flags = [" F"] * _FLAGS
    flags[0], flags[4] = " T" if factors else " F", " T"
    values = " ".join(f"{value:.6g}" for value in state.values())
    corrected = "transport corrected" if constants.transport_corrected else "not transport corrected"
    side = float(np.sqrt(constants.volume[region]))
    return [
        counts + "".join(flags),
        f"{constants.names[region]}, scalebridge",
        f"group 1 is the fastest; 1/cm; scatter by arrival, then departure; {corrected}",
        "transport is 1 / (3 D), absorption, nu-fission, kappa-fission in J/cm",
        f"D by {constants.method}"[:80],
        f"critical buckling {constants.buckling:.6g} 1/cm2",
        f"fine k {constants.multiplication:.6f}",
        f"STA_VAR {len(STATE)} {' '.join(STATE)}",
        f"BRANCHES 1 {' '.join('0' for _ in STATE)}",
        f"RE 1 {values}",
        "BURNUPS 1",
        "1 1 0.0",
        f"XS_SET 1 1 1 1 1 1 0 {side:.6g} 0.0 0.0 0 0.0 0.0 0.0 0.0",
        f"HISTORYC 1 {values}",
    ]


def _rows(values: np.ndarray) -> list[str]:
    return ["".join(f"{value:12.5E}" for value in values[i : i + 8]) for i in range(0, len(values), 8)]


def _read(lines: list[str], energy: float) -> PmaxsRegion:
    head = lines[0].split()
    if head[0] != "GLOBAL_V" or len(head) < 9 + _FLAGS - 1:
        raise ValueError("GLOBAL_V was expected with counts and flags")
    groups, sides, flags = int(head[2]), int(head[5]), [word.startswith("T") for word in head[9:]]
    if flags[1] or any(flags[5:9]) or not flags[4]:
        raise ValueError("xenon, detectors, velocities or yields, or no spectrum")
    words = {line.split()[0]: i for i, line in enumerate(lines[7:], 7) if line.strip()}
    names = lines[words["STA_VAR"]].split()[2:] if "STA_VAR" in words else list(STATE)
    start = next(words[key] for key in ("HISTORYC", "HST_CASE") if key in words)
    told = lines[start].split()[2 if lines[start].startswith("HISTORYC") else 1 :]
    at = start + 1
    chi, at = _numbers(lines, at, groups)
    rates, at = _numbers(lines, at + 1, 4 * groups)  # a line names the branch
    scatter, at = _numbers(lines, at, groups * groups)
    factors = np.ones(groups)
    if flags[0]:
        factors = _numbers(lines, at, groups * sides)[0].reshape(sides, groups).mean(axis=0)
    transport, absorption, made, kappa = rates.reshape(4, groups)
    table = {
        "diffusion": 1.0 / (3.0 * transport),
        "absorption": absorption,
        "nu_fission": made,
        "fission": kappa / energy,
        "chi": chi,
        "scatter": scatter.reshape(groups, groups).T,
    }
    return PmaxsRegion(table, factors, dict(zip(names, map(float, told), strict=True)), kappa)


def _numbers(lines: list[str], at: int, count: int) -> tuple[np.ndarray, int]:
    """Return so many numbers from rows of eight of twelve columns, and the line after them."""
    rows = -(-count // 8)
    found = [line[i : i + 12] for line in lines[at : at + rows] for i in range(0, len(line.rstrip()), 12)]
    if len(found) != count:
        raise ValueError(f"{len(found)} numbers for {count} at line {at + 1}")
    return np.array([float(text) for text in found]), at + rows
