"""What a transport solution hands to every kind of equivalence: rates, currents and fluxes of each pin."""

from dataclasses import dataclass

import numpy as np

FACES = ("west", "east", "south", "north")


@dataclass(frozen=True, eq=False)
class PinTally:
    """Pins of a lattice as a transport solution has them; row 0 is the top (north), group 0 the fastest.

    Balance of every pin and group, to rounding once the source has converged:
    sum over faces of current + (total - scatter to all) flux volume
    = scatter from all others + chi nu-fission / k - scatter to others.

    Args:
        multiplication: k; 1 for a fixed source.
        volume: (ny, nx) cm^2, areas: cm^3 a cm of height.
        face_length: (ny, nx, 4) cm, of west, east, south, north.
        flux: (ny, nx, G) mean scalar flux, 1/cm^2/s.
        total: (ny, nx, G) flux-weighted, 1/cm, and so are all below.
        absorption: (ny, nx, G) what total leaves beside scattering.
        nu_fission: (ny, nx, G).
        fission: (ny, nx, G).
        scatter: (ny, nx, G, G) as [from, to], order 0.
        chi: (ny, nx, G) weighted by the neutrons made; zeros where none are.
        current: (ny, nx, 4, G) net currents integrated over each face, outward positive, 1/cm/s.
        surface_flux: (ny, nx, 4, G) scalar flux averaged over each face, 1/cm^2/s.
        source: (ny, nx, G) given source integrated over the pin, 1/cm/s; zeros in an eigenvalue problem.
        transport: (ny, nx, G) weighted for diffusion: 1 / (3 D) with D by inverse transport.
        fuel: (ny, nx) whether the pin has fission.
    """

    multiplication: float
    volume: np.ndarray
    face_length: np.ndarray
    flux: np.ndarray
    total: np.ndarray
    absorption: np.ndarray
    nu_fission: np.ndarray
    fission: np.ndarray
    scatter: np.ndarray
    chi: np.ndarray
    current: np.ndarray
    surface_flux: np.ndarray
    source: np.ndarray
    transport: np.ndarray
    fuel: np.ndarray

    @property
    def power(self) -> np.ndarray:
        """Fission rate of each pin over the mean of fuel pins, (ny, nx); zero elsewhere."""
        rate = np.sum(self.fission * self.flux, axis=2) * self.volume
        rate = np.where(self.fuel, rate, 0.0)
        return rate / rate[self.fuel].mean() if np.any(rate > 0) else rate

    @property
    def fission_source(self) -> np.ndarray:
        """Neutrons of fission over k by pin and group, (ny, nx, G)."""
        made = np.sum(self.nu_fission * self.flux, axis=2) * self.volume
        return self.chi * made[..., None] / self.multiplication

    def balance(self) -> np.ndarray:
        """Return leakage + absorption + scattering out - in - fission / k - source, (ny, nx, G)."""
        rate = self.flux * self.volume[..., None]
        scattered = np.einsum("yxgh,yxg->yxh", self.scatter, rate)
        return (
            self.current.sum(axis=2)
            + (self.absorption + self.scatter.sum(axis=3)) * rate
            - scattered
            - self.fission_source
            - self.source
        )

    def condensed(self, groups: tuple[tuple[int, ...], ...]) -> "PinTally":
        """Return the same pins in fewer groups, every rate and current kept.

        Args:
            groups: fine groups of each coarse one.
        """
        rate = _sum(self.flux, groups)
        safe = np.where(rate > 0, rate, 1.0)
        to = np.zeros((len(groups), self.flux.shape[-1]))
        for coarse, fine in enumerate(groups):
            to[coarse, list(fine)] = 1.0
        moved = np.einsum("ag,yxgh,yxg,bh->yxab", to, self.scatter, self.flux, to)

        def weighted(name: str) -> np.ndarray:
            return _sum(getattr(self, name) * self.flux, groups) / safe

        inverse = _sum(self.flux / self.transport, groups) / safe
        return PinTally(
            multiplication=self.multiplication,
            volume=self.volume,
            face_length=self.face_length,
            flux=rate,
            total=weighted("total"),
            absorption=weighted("absorption"),
            nu_fission=weighted("nu_fission"),
            fission=weighted("fission"),
            scatter=moved / safe[..., None],
            chi=_sum(self.chi, groups),
            current=_sum(self.current, groups),
            surface_flux=_sum(self.surface_flux, groups),
            source=_sum(self.source, groups),
            transport=1.0 / np.where(inverse > 0, inverse, 1.0),
            fuel=self.fuel,
        )


def _sum(field: np.ndarray, groups: tuple[tuple[int, ...], ...]) -> np.ndarray:
    return np.stack([field[..., list(fine)].sum(axis=-1) for fine in groups], axis=-1)
