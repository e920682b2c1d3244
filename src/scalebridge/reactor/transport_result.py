"""What a transport solution is, and how it is told: k, fluxes of regions, pins, checks, JSON."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from scalebridge.core.checks import Check
from scalebridge.core.provenance import Provenance
from scalebridge.core.results import Outcome
from scalebridge.core.saved import Saved
from scalebridge.core.upscaled import plain
from scalebridge.reactor.lattice import Lattice
from scalebridge.reactor.materials import MultigroupMaterial
from scalebridge.reactor.pin_sums import PinSums
from scalebridge.reactor.pin_tally import PinTally
from scalebridge.reactor.sweep import Sweeper, Swept
from scalebridge.reactor.transport_iteration import Iterated, Settings

SCHEMA = "scalebridge/transport/1"
_ROUNDING = 1e-8


@dataclass(frozen=True, eq=False)
class TransportSolution(Saved):
    """Neutrons in a lattice.

    Args:
        multiplication: k; 1 where a source was given.
        flux: (regions, G) scalar flux, 1/cm^2/s, for one neutron of fission over k a second and cm of
            height, or for the given source.
        pins: rates, currents and fluxes of every pin.
        lattice: the lattice.
        materials: by name.
        checks: what was preserved, measured.
        outcome: how the iteration ended.
        stats: sweeps, k and change by sweep, segments, the error of areas before tracks were scaled.
        notes: what a reader has to know.
        provenance: where it all came from.
        sweeper: the lattice ready to be swept again.
        sums: its sums.
    """

    multiplication: float
    flux: np.ndarray
    pins: PinTally
    lattice: Lattice
    materials: dict[str, MultigroupMaterial]
    checks: tuple[Check, ...]
    outcome: Outcome
    stats: dict[str, Any]
    notes: tuple[str, ...]
    provenance: Provenance
    sweeper: Sweeper
    sums: PinSums
    fixed: bool = False

    @property
    def passed(self) -> bool:
        """Whether every check passed and the iteration converged."""
        return self.outcome is Outcome.converged and all(check.passed for check in self.checks)

    @property
    def pin_power(self) -> np.ndarray:
        """Fission rate of each pin over the mean of fuel pins, (ny, nx); zero without fission."""
        return self.pins.power

    @property
    def assembly_power(self) -> np.ndarray:
        """Sum of the powers of the pins of each assembly, (rows, columns) of assemblies."""
        high, wide = self.lattice.assembly
        power = self.pin_power
        return power.reshape(power.shape[0] // high, high, power.shape[1] // wide, wide).sum(axis=(1, 3))

    @property
    def leakage(self) -> float:
        """Part of all neutrons that leaves through the boundary."""
        out = self.pins.current
        left = out[:, 0, 0].sum() + out[:, -1, 1].sum() + out[-1, :, 2].sum() + out[0, :, 3].sum()
        return float(left / (self.pins.fission_source.sum() + self.pins.source.sum()))

    def __str__(self) -> str:
        return "\n".join(_summary(self))

    def to_dict(self) -> dict[str, Any]:
        """Return plain data: everything but the fluxes of regions."""
        return plain(
            {
                "schema": SCHEMA,
                "quantity": "transport",
                "multiplication": None if self.fixed else self.multiplication,
                "leakage": self.leakage,
                "pin power": self.pin_power,
                "assembly power": self.assembly_power,
                "pin flux": self.pins.flux,
                "materials": {name: material.table() for name, material in self.materials.items()},
                "checks": [check.to_dict() for check in self.checks],
                "passed": self.passed,
                "outcome": {"code": self.outcome.name, "sentence": self.outcome.sentence},
                "stats": self.stats,
                "notes": self.notes,
                "provenance": self.provenance.to_dict(),
            }
        )


def transport_solution(
    sweeper: Sweeper,
    sums: PinSums,
    end: Iterated,
    settings: Settings,
    fixed: np.ndarray | None,
    provenance: Provenance,
) -> TransportSolution:
    """Put together what an iteration found.

    Args:
        sweeper: the lattice, ready.
        sums: its sums.
        end: where the iteration ended.
        settings: how far it was to go.
        fixed: (regions, G) given source per cm^3, or None.
        provenance: where it all came from.
    """
    found, tracks = sums.lattice, sweeper.tracks
    scale = 1.0 if fixed is not None else end.multiplication / sums.production(end.swept.flux)
    pins = pin_tally(sums, end.swept, end.multiplication, fixed, scale)
    materials = dict(zip(found.materials, sums.materials, strict=True))
    stats = {
        "sweeps": len(end.history),
        "k": [k for k, _ in end.history],
        "changes": [change for _, change in end.history],
        "segments": len(tracks.segment_region),
        "tracks": len(tracks.walk),
        "error of areas": tracks.volume_error,
    }
    return TransportSolution(
        multiplication=end.multiplication,
        flux=end.swept.flux * scale,
        pins=pins,
        lattice=found,
        materials=materials,
        checks=_checks(sums, end, (pins, scale), settings, materials),
        outcome=end.outcome,
        stats=stats,
        notes=_notes(materials, sweeper.order_of_scattering),
        provenance=provenance,
        sweeper=sweeper,
        sums=sums,
        fixed=fixed is not None,
    )


def pin_tally(
    sums: PinSums, swept: Swept, multiplication: float, fixed: np.ndarray | None, scale: float
) -> PinTally:
    """Return what a sweep has of every pin.

    Args:
        sums: of the lattice.
        swept: the sweep.
        multiplication: k.
        fixed: (regions, G) given source per cm^3, or None.
        scale: factor of all fluxes.
    """
    found, of = sums.lattice, sums.pair_material
    rates = sums.integrals(swept.flux) * scale
    constants = {
        name: np.stack([getattr(m, name) for m in sums.materials])[of]
        for name in ("total", "fission", "nu_fission")
    }
    constants["absorption"] = np.stack([m.removal_absorption for m in sums.materials])[of]
    integral = sums.of_pins(rates)
    made = rates * constants["nu_fission"]
    born = sums.of_pins(np.einsum("pg,pgh->ph", made, sums.chi[of]))
    births = sums.of_pins(made).sum(axis=1, keepdims=True)  # as the data have it, rounding and all
    transport = np.stack([transport_total(m) for m in sums.materials])[of]
    shape = found.shape

    def shaped(field: np.ndarray) -> np.ndarray:
        return field.reshape(*shape, *field.shape[1:])

    weighted = {name: shaped(sums.of_pins(rates * values) / integral) for name, values in constants.items()}
    given = np.zeros_like(integral)
    if fixed is not None:
        given = sums.region_sums(fixed * found.region_volume[:, None])
    volume = found.cell_volume
    wide, high = (np.broadcast_to(one, shape) for one in (found.widths, np.array(found.heights)[:, None]))
    return PinTally(
        multiplication=multiplication,
        volume=volume,
        face_length=np.stack([high, high, wide, wide], axis=2),
        flux=shaped(integral) / volume[..., None],
        scatter=shaped(sums.of_pins(rates[:, :, None] * sums.scatter[of]) / integral[:, :, None]),
        chi=shaped(born / np.where(births > 0, births, 1.0)),
        current=_faces(swept.vertical, swept.horizontal, -1.0) * scale,
        surface_flux=_faces(swept.vertical_flux, swept.horizontal_flux, 1.0) * scale,
        source=shaped(given),
        transport=shaped(integral / sums.of_pins(rates / transport)),
        fuel=weighted["fission"].sum(axis=2) > 0,
        **weighted,
    )


def transport_total(material: MultigroupMaterial) -> np.ndarray:
    """Return total less what scatters forward, (G,): the data's own where they are transport-corrected."""
    if material.transport_corrected or material.order == 0:
        return material.total
    return material.total - material.scatter[1].sum(axis=1)


def _faces(vertical: np.ndarray, horizontal: np.ndarray, sign: float) -> np.ndarray:
    """Faces of every pin (ny, nx, 4, G), row 0 at the top; `sign` turns those whose outside is -x or -y."""
    west, east = sign * vertical[:, :-1], vertical[:, 1:]
    south, north = sign * horizontal[:-1], horizontal[1:]
    return np.stack([west, east, south, north], axis=2)[::-1]


def _checks(
    sums: PinSums,
    end: Iterated,
    tally: tuple[PinTally, float],
    settings: Settings,
    materials: dict[str, MultigroupMaterial],
) -> tuple[Check, ...]:
    pins, scale = tally
    found = sums.lattice
    collided = sums.region_sums(
        (end.swept.flux * _region_total(sums) - end.source) * found.region_volume[:, None]
    ).reshape(*found.shape, -1)
    leaving = _faces(end.swept.vertical, end.swept.horizontal, -1.0).sum(axis=2)
    size = float((pins.total * pins.flux * pins.volume[..., None]).max()) / scale
    balance = pins.balance()
    made = float(pins.fission_source.sum() + pins.source.sum())
    checks = [
        Check(
            "balance of the sweep",
            float(np.abs(collided + leaving).max()) / size,
            _ROUNDING,
            meaning="currents through a pin's faces against collisions less sources inside, largest over "
            "pins and groups; equal but for rounding",
        ),
        Check(
            "balance of neutrons",
            float(np.abs(balance).sum()) / made,
            max(_ROUNDING, 10.0 * settings.rtol),
            meaning="leakage, absorption and scattering against fission over k, summed over pins and "
            "groups, a neutron; ten times the change of the flux that was allowed",
        ),
        Check("no negative flux", float(end.swept.flux.min()), 0.0, "at least", "fluxes are not negative"),
    ]
    return (*checks, *(check for material in materials.values() for check in material.checks()))


def _region_total(sums: PinSums) -> np.ndarray:
    return np.stack([m.total for m in sums.materials])[sums.lattice.region_material]


def _notes(materials: dict[str, MultigroupMaterial], order: int) -> tuple[str, ...]:
    left = [name for name, m in materials.items() if m.order > order]
    corrected = {m.transport_corrected for m in materials.values()}
    notes = []
    if left:
        taken = f"to order {order}" if order else "as isotropic"
        lost = f"moments above order {order} were left out of {', '.join(left)}"
        notes.append(f"Scattering was taken {taken}; {lost}.")
    if len(corrected) == 2:
        notes.append("Some materials are transport-corrected and some are not.")
    return tuple(notes)


def _summary(found: TransportSolution) -> list[str]:
    ny, nx = found.lattice.shape
    head = f"transport of {ny} x {nx} cells, {found.pins.flux.shape[2]} groups, {len(found.flux)} regions"
    power = found.pin_power
    lines = [head]
    if not found.fixed:
        lines.append(f"  k = {found.multiplication:.6f}")
    lines.append(f"  leakage {found.leakage:.4%} of neutrons")
    if np.any(found.pins.fuel):
        fuel = power[found.pins.fuel]
        lines.append(f"  pin power {fuel.min():.4f} to {fuel.max():.4f} of the mean")
    lines += [f"  {check}" for check in found.checks]
    lines += [f"  note: {note}" for note in found.notes]
    if found.outcome is not Outcome.converged:
        lines.append(f"  {found.outcome.sentence}")
    return lines
