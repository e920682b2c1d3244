"""Constants of regions as ratios of sums over the fine flux, with what they have of the data themselves.

    C = sum of a phi V / sum of b phi V     over regions and groups,

a and b of the materials' data: for a total a = total and b = 1 in the groups of the constant, for chi
a = nu-fission chi and b = nu-fission in all groups, for D a = 1 / (3 transport), transport being the total
less what scatters forward.
"""

from dataclasses import dataclass

import numpy as np

from scalebridge.reactor.adjoint_pair import KEYS, Parts
from scalebridge.reactor.materials import MultigroupMaterial
from scalebridge.reactor.transport_result import transport_total

KINDS = ("absorption", "nu_fission", "fission", "diffusion", "scatter", "chi")
DATA = (*KEYS, "fission")


@dataclass(frozen=True)
class Place:
    """Which constant: its kind, region, coarse group, and for scattering and chi the group of arrival."""

    kind: str
    region: int
    group: int
    to: int = -1

    def __str__(self) -> str:
        where = f"{self.group + 1} to {self.to + 1}" if self.kind == "scatter" else str(self.group + 1)
        return f"{self.kind} of region-{self.region}, group {where}"


@dataclass(frozen=True, eq=False)
class Ratio:
    """A constant as a ratio.

    Args:
        place: which.
        above: (materials, G) a.
        below: (materials, G) b.
        own: derivative of a - C b by data, by material: (G,), or (G, G) for scatter, the first of its moments
            and, of chi, by chi of the group that arrives; to be multiplied by phi V of the group that
            collides.
    """

    place: Place
    above: np.ndarray
    below: np.ndarray
    own: Parts


def places(regions: int, groups: int, fissile: np.ndarray) -> tuple[Place, ...]:
    """Return the constants of regions, in order; those of fission only where there is any.

    Args:
        regions: number of regions.
        groups: coarse ones.
        fissile: (regions,).
    """
    found = []
    for region in range(regions):
        for kind in KINDS:
            if kind in ("nu_fission", "fission", "chi") and not fissile[region]:
                continue
            for group in range(groups):
                to = range(groups) if kind == "scatter" else (-1,)
                found += [Place(kind, region, group, other) for other in to]
    return tuple(found)


def ratio_of(place: Place, materials: list[MultigroupMaterial], coarse: np.ndarray, value: float) -> Ratio:
    """Return a constant as a ratio.

    Args:
        place: which.
        materials: of the lattice, in order.
        coarse: (G,) coarse group of each fine one.
        value: of the constant.
    """
    inside = (coarse == place.group).astype(float)
    arrives = (coarse == (place.group if place.kind == "chi" else place.to)).astype(float)
    rows = [_ROWS[place.kind](m, inside, arrives, value) for m in materials]
    own: Parts = {key: {} for key in DATA}
    for material, (_, _, slopes) in zip(materials, rows, strict=True):
        for key, slope in slopes.items():
            own[key][material.name] = slope
    return Ratio(place, np.stack([row[0] for row in rows]), np.stack([row[1] for row in rows]), own)


def _absorption(m: MultigroupMaterial, inside: np.ndarray, _arrives: np.ndarray, _value: float):
    loss = -np.tile(inside[:, None], (1, m.groups))
    return m.removal_absorption * inside, inside, {"total": inside, "scatter": loss}


def _fission(m: MultigroupMaterial, inside: np.ndarray, _arrives: np.ndarray, _value: float):
    return m.fission * inside, inside, {"fission": inside}


def _nu_fission(m: MultigroupMaterial, inside: np.ndarray, _arrives: np.ndarray, _value: float):
    return m.nu_fission * inside, inside, {"nu_fission": inside}


def _diffusion(m: MultigroupMaterial, inside: np.ndarray, _arrives: np.ndarray, _value: float):
    transport = transport_total(m)
    slope = inside / (3.0 * transport**2)
    forward = {} if m.transport_corrected else {"moments": np.tile(slope[:, None], (1, m.groups))}
    return inside / (3.0 * transport), inside, {"total": -slope, **forward}


def _scatter(m: MultigroupMaterial, inside: np.ndarray, arrives: np.ndarray, _value: float):
    return (m.scatter[0] @ arrives) * inside, inside, {"scatter": np.outer(inside, arrives)}


def _chi(m: MultigroupMaterial, _inside: np.ndarray, arrives: np.ndarray, value: float):
    arriving = m.chi_matrix @ arrives
    slopes = {"nu_fission": arriving - value, "chi": np.outer(m.nu_fission, arrives)}
    return m.nu_fission * arriving, m.nu_fission, slopes


_ROWS = {
    "absorption": _absorption,
    "nu_fission": _nu_fission,
    "fission": _fission,
    "diffusion": _diffusion,
    "scatter": _scatter,
    "chi": _chi,
}
