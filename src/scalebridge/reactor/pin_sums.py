"""Sums over pins: region fluxes to flux-weighted constants of every cell of a lattice."""

import numpy as np

from scalebridge.reactor.lattice import Lattice
from scalebridge.reactor.materials import MultigroupMaterial


class PinSums:
    """Rates of every pin from the fluxes of its regions; pins along rows from the top left.

    Args:
        found: the lattice.
        materials: by name.
    """

    def __init__(self, found: Lattice, materials: dict[str, MultigroupMaterial]):
        self.lattice = found
        used = [materials[name] for name in found.materials]
        self.materials = used
        self.groups = used[0].groups
        self.pins = found.shape[0] * found.shape[1]
        pairs = found.region_pin * len(used) + found.region_material
        self.pair, self._pair_of = np.unique(pairs, return_inverse=True)
        self.pair_pin, self.pair_material = np.divmod(self.pair, len(used))
        self.scatter = np.stack([m.scatter[0] for m in used])
        self.nu_fission = np.stack([m.nu_fission for m in used])
        self.chi = np.stack([m.chi_matrix for m in used])
        self._of_material = [np.flatnonzero(found.region_material == i) for i in range(len(used))]

    def integrals(self, flux: np.ndarray) -> np.ndarray:
        """Return flux times volume of each pin and material in it, (pairs, G)."""
        weighted = flux * self.lattice.region_volume[:, None]
        return _sum_rows(self._pair_of, weighted, len(self.pair))

    def of_pins(self, rates: np.ndarray) -> np.ndarray:
        """Sum what pairs have over the materials of each pin, (pins, ...)."""
        flat = _sum_rows(self.pair_pin, rates.reshape(len(rates), -1), self.pins)
        return flat.reshape(self.pins, *rates.shape[1:])

    def region_sums(self, field: np.ndarray) -> np.ndarray:
        """Sum a field of regions over each pin, (pins, G)."""
        return _sum_rows(self.lattice.region_pin, field, self.pins)

    def source(self, flux: np.ndarray, multiplication: float) -> np.ndarray:
        """Return scattering plus fission over k of every region, (regions, G) per cm^3."""
        out = np.empty_like(flux)
        for rows, scatter, made, chi in zip(
            self._of_material, self.scatter, self.nu_fission, self.chi, strict=True
        ):
            production = scatter + made[:, None] * chi / multiplication  # [from, to]
            out[rows] = flux[rows] @ production
        return out

    def slopes(self, slopes: np.ndarray, multiplication: float) -> np.ndarray | None:
        """Return slopes of that source of slopes of the flux, (regions, 2, G); None where there are none."""
        if not slopes.shape[1]:
            return None
        return np.stack([self.source(slopes[:, i], multiplication) for i in (0, 1)], axis=1)

    def production(self, flux: np.ndarray) -> float:
        """Return neutrons of fission in the whole lattice, 1/cm/s."""
        return float(np.sum(self.integrals(flux) * self.nu_fission[self.pair_material]))


def _sum_rows(index: np.ndarray, rows: np.ndarray, count: int) -> np.ndarray:
    return np.stack([np.bincount(index, column, count) for column in rows.T], axis=1)
