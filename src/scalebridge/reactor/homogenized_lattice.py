"""Constants of homogenised regions, the audit of their rates, and how they are told."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from scalebridge.core.checks import Check
from scalebridge.core.saved import Saved
from scalebridge.core.upscaled import plain
from scalebridge.reactor.condensation import FluxCondensation
from scalebridge.reactor.constants_spread import ConstantsSpread
from scalebridge.reactor.materials import MultigroupMaterial
from scalebridge.reactor.transport_result import TransportSolution

SCHEMA = "scalebridge/homogenized-lattice/1"
RATES = ("absorption", "fission", "nu_fission", "total")
_ROUNDING = 1e-10


@dataclass(frozen=True, eq=False)
class HomogenizedLattice(Saved):
    """Few-group constants of regions, 1/cm, group 0 the fastest.

    Args:
        labels: (ny, nx) region of each pin, the top row first.
        groups: first fine group of each coarse one.
        volume: (R,) cm^2.
        flux: (R, G) mean flux that they were weighted with, 1/cm^2/s.
        total: (R, G).
        absorption: (R, G) what total leaves beside scattering.
        nu_fission: (R, G).
        fission: (R, G).
        scatter: (R, G, G) as [from, to].
        chi: (R, G); zeros without fission.
        diffusion: (R, G) cm.
        leakage: (R, G) net current out of each region in the fine solution, 1/cm/s.
        multiplication: k of the fine solution.
        method: how the diffusion coefficients were found.
        buckling: 1/cm^2, critical; zero unless the method has one.
        transport_corrected: whether total and scatter were corrected for anisotropy.
        group_edges: eV, descending, or None.
        transfer: between pins and fine groups, and these.
        solution: the fine solution.
        checks: what was preserved, measured; rates first.
        uncertainty: spread of constants and k by that of the fine data; None unless it was given.
    """

    labels: np.ndarray
    groups: tuple[int, ...]
    volume: np.ndarray
    flux: np.ndarray
    total: np.ndarray
    absorption: np.ndarray
    nu_fission: np.ndarray
    fission: np.ndarray
    scatter: np.ndarray
    chi: np.ndarray
    diffusion: np.ndarray
    leakage: np.ndarray
    multiplication: float
    method: str
    buckling: float
    transport_corrected: bool
    group_edges: np.ndarray | None
    transfer: FluxCondensation
    solution: TransportSolution
    checks: tuple[Check, ...] = ()
    uncertainty: ConstantsSpread | None = None

    @property
    def passed(self) -> bool:
        """Whether every check passed and the fine solution converged."""
        return all(check.passed for check in self.checks) and self.solution.passed

    @property
    def names(self) -> tuple[str, ...]:
        """Name of each region."""
        return tuple(f"region-{i}" for i in range(len(self.volume)))

    def with_checks(self, checks: tuple[Check, ...]) -> "HomogenizedLattice":
        """Return the same with checks."""
        return replace(self, checks=checks)

    def materials(self) -> dict[str, MultigroupMaterial]:
        """Return each region as a material, for the next rung."""
        return {
            name: MultigroupMaterial(
                name=name,
                total=self.total[i],
                absorption=self.absorption[i],
                nu_fission=self.nu_fission[i],
                fission=self.fission[i],
                chi=self.chi[i],
                scatter=self.scatter[i][None],
                transport_corrected=self.transport_corrected,
                group_edges=self.group_edges,
            )
            for i, name in enumerate(self.names)
        }

    def tables(self) -> dict[str, dict[str, np.ndarray]]:
        """Return each region as a table for a coarse solver, with its diffusion coefficients."""
        keys = ("diffusion", "absorption", "nu_fission", "fission", "chi", "scatter", "total")
        return {name: {key: getattr(self, key)[i] for key in keys} for i, name in enumerate(self.names)}

    def __str__(self) -> str:
        lines = [f"constants of {len(self.volume)} regions in {len(self.groups)} groups, D by {self.method}"]
        lines += [f"  {check}" for check in self.checks]
        if self.buckling:
            lines.append(f"  critical buckling {self.buckling:.6g} 1/cm^2")
        if self.uncertainty is not None:
            lines.append(f"  k {self.multiplication:.6f} ± {self.uncertainty.k_std:.2g} by the fine data")
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, with conventions written in."""
        names = (*RATES, "scatter", "chi", "diffusion", "flux", "volume", "leakage")
        return plain(
            {
                "schema": SCHEMA,
                "quantity": "region constants",
                "conventions": {
                    "unit": "1/cm; diffusion cm; volume cm^2 (a cm of height)",
                    "group order": "0 is the fastest",
                    "scatter": "[from, to], order 0",
                    "transport correction": "applied" if self.transport_corrected else "none",
                    "equivalence factors": "none",
                    "diffusion": self.method,
                },
                "names": self.names,
                "labels": self.labels,
                "first fine groups": self.groups,
                "group edges, eV": self.group_edges,
                "multiplication": self.multiplication,
                "critical buckling": self.buckling,
                "constants": {name: getattr(self, name) for name in names},
                "uncertainty": None if self.uncertainty is None else self.uncertainty.to_dict(),
                "checks": [check.to_dict() for check in self.checks],
                "passed": self.passed,
                "provenance": self.solution.provenance.to_dict(),
            }
        )


@dataclass(frozen=True, eq=False)
class Audit:
    """What a coarse solution kept of the fine one.

    Args:
        rates: by reaction, relative error of each region and group, (R, G); NaN where the fine rate is zero.
        leakage: difference of each region's leakage, of all neutrons, (R, G).
        multiplication: k of coarse less fine, pcm.
        power: relative error of each region's fission rate, (R,); NaN without fission.
    """

    rates: dict[str, np.ndarray]
    leakage: np.ndarray
    multiplication: float
    power: np.ndarray

    def rows(self) -> list[tuple[str, float, float]]:
        """Return name, largest and root-mean-square error, rates first and k last."""
        found = [(f"{name} by region and group", *_worst(error)) for name, error in self.rates.items()]
        found.append(("leakage by region and group, a neutron", *_worst(self.leakage)))
        found.append(("fission rate by region", *_worst(self.power)))
        return [*found, ("k, relative", abs(self.multiplication) * 1e-5, abs(self.multiplication) * 1e-5)]

    def __str__(self) -> str:
        lines = [f"  {name:<42} largest {most:9.2e}  rms {rms:9.2e}" for name, most, rms in self.rows()]
        return "\n".join(lines)


def audit_rates(
    constants: HomogenizedLattice, flux: np.ndarray, leakage: np.ndarray, multiplication: float
) -> Audit:
    """Compare a coarse solution with the fine one: reaction rates first, k last.

    Args:
        constants: what it was solved with.
        flux: (R, G) mean flux of its regions, of any size.
        leakage: (R, G) net current out of its regions, to the same scale.
        multiplication: its k.
    """
    made = float(np.sum(constants.nu_fission * flux * constants.volume[:, None]))
    fine_made = float(np.sum(constants.nu_fission * constants.flux * constants.volume[:, None]))
    scale = fine_made / made
    rates = {}
    for name in RATES:
        fine = getattr(constants, name) * constants.flux
        coarse = getattr(constants, name) * flux * scale
        rates[name] = np.where(fine > 0, coarse / np.where(fine > 0, fine, 1.0) - 1.0, np.nan)
    power = (constants.fission * constants.flux).sum(axis=1)
    other = (constants.fission * flux * scale).sum(axis=1)
    return Audit(
        rates=rates,
        leakage=(leakage * scale - constants.leakage) / fine_made,
        multiplication=(multiplication - constants.multiplication) * 1e5,
        power=np.where(power > 0, other / np.where(power > 0, power, 1.0) - 1.0, np.nan),
    )


def rates_of(
    solution: TransportSolution, labels: np.ndarray, starts: tuple[int, ...], transfer: FluxCondensation
) -> dict[str, np.ndarray]:
    """Return rates of regions and groups, summed from materials and not from pins: the other way round.

    Args:
        solution: the fine solution.
        labels: region of each pin.
        starts: first fine group of each coarse one.
        transfer: whose weights may have another spectrum.
    """
    sums = solution.sums
    spectrum = np.asarray(transfer.weight).sum(axis=0) / (
        solution.pins.flux * solution.pins.volume[..., None]
    ).sum(axis=(0, 1))
    flux = sums.integrals(solution.flux) * spectrum
    count = int(labels.max()) + 1
    found = {}
    for name in RATES:
        attribute = "removal_absorption" if name == "absorption" else name
        rate = flux * np.stack([getattr(m, attribute) for m in sums.materials])[sums.pair_material]
        by_region = np.zeros((count, rate.shape[1]))
        np.add.at(by_region, labels.ravel()[sums.pair_pin], rate)
        found[name] = np.add.reduceat(by_region, starts, axis=1)
    return found


def constants_checks(found: HomogenizedLattice, rates: dict[str, np.ndarray]) -> tuple[Check, ...]:
    """Return what constants keep: rates by region and group, scattering, balance, k.

    Args:
        found: the constants.
        rates: of the fine solution.
    """
    integral = found.flux * found.volume[:, None]
    checks = []
    for name in RATES:
        gap = np.abs(getattr(found, name) * integral - rates[name])
        most = float(np.max(gap) / (np.max(np.abs(rates[name])) or 1.0))
        meaning = "constants times flux against the sum over the materials of the fine solution; rounding"
        checks.append(Check(f"rates: {name}", most, _ROUNDING, meaning=meaning))
    balance = found.total - found.absorption - found.scatter.sum(axis=2)
    gap = float(np.max(np.abs(balance) / found.total))
    meaning = "total against absorption plus scattering of every region and group; rounding"
    checks.append(Check("balance of constants", gap, _ROUNDING, meaning=meaning))
    if not found.solution.fixed and found.buckling == 0:
        born = found.chi.sum(axis=1) * (found.nu_fission * integral).sum(axis=1)  # as the data's chi has it
        made = float(born.sum())
        lost = float((found.absorption * integral).sum() + found.leakage.sum())
        meaning = (
            "production over absorption and leakage against the fine k, relative; a hundred times the rtol"
        )
        rtol = float(found.solution.provenance.settings["rtol"])
        gap = abs(made / lost / found.multiplication - 1.0)
        checks.append(Check("k by balance", gap, max(1e-8, 100 * rtol), meaning=meaning))
    return tuple(checks)


def _worst(error: np.ndarray) -> tuple[float, float]:
    known = error[np.isfinite(error)]
    return (float(np.abs(known).max()), float(np.sqrt((known**2).mean()))) if known.size else (0.0, 0.0)
