"""A lattice solved and handed up: transport, constants and derivatives as one result."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from scalebridge.core.checks import Check
from scalebridge.core.provenance import Provenance
from scalebridge.core.results import Outcome
from scalebridge.core.saved import Saved
from scalebridge.core.upscaled import plain
from scalebridge.reactor.adjoint_pair import KEYS
from scalebridge.reactor.equivalence_study import EquivalenceStudy
from scalebridge.reactor.homogenized_lattice import HomogenizedLattice
from scalebridge.reactor.sensitivity import Sensitivity
from scalebridge.reactor.transport_result import TransportSolution

SCHEMA = "scalebridge/lattice/1"


@dataclass(frozen=True, eq=False)
class LatticeStudy(Saved):
    """Transport in a lattice, and what is handed up.

    Args:
        solution: the transport solution.
        constants: of its regions.
        slopes: derivatives of k, if they were asked for.
        coarse: coarse cores of the same pins that are held against the solution. What flux weighting alone
            does not keep is told, and is no failure.
    """

    solution: TransportSolution
    constants: HomogenizedLattice
    slopes: Sensitivity | None = None
    coarse: tuple[EquivalenceStudy, ...] = ()

    @property
    def checks(self) -> tuple[Check, ...]:
        """Rates of the constants first, then the solution's, those of coarse cores, then the adjoint's."""
        found = (*self.constants.checks, *self.solution.checks)
        for study in self.coarse:
            if study.method != "flux weighting":
                found += tuple(replace(c, name=f"{study.method}: {c.name}") for c in study.checks)
        if self.slopes is None or self.constants.uncertainty is not None:  # which has the adjoint's checks
            return found
        return (*found, *self.slopes.checks)

    @property
    def passed(self) -> bool:
        """Whether every check passed and the iteration converged."""
        return self.outcome is Outcome.converged and all(check.passed for check in self.checks)

    @property
    def outcome(self) -> Outcome:
        """How the iteration ended."""
        return self.solution.outcome

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader has to know."""
        return self.solution.notes

    @property
    def provenance(self) -> Provenance:
        """Where it all came from."""
        return self.solution.provenance

    @property
    def headline(self) -> str:
        """The answer in a line."""
        rows, columns = self.solution.lattice.shape
        told = f"{rows} x {columns} cells"
        if self.solution.fixed:
            return f"Flux of a source in {told}"
        return f"k = {self.solution.multiplication:.5f} of {told}"

    def sentences(self) -> list[str]:
        """Return what was found, in words."""
        solution = self.solution
        found = [f"{solution.leakage:.3%} of neutrons leave, in {solution.stats['sweeps']} sweeps."]
        if np.any(solution.pins.fuel):
            power = solution.pin_power[solution.pins.fuel]
            found.append(f"Pins have {power.min():.4f} to {power.max():.4f} of their mean power.")
        if self.constants.buckling:
            found.append(f"The critical buckling is {self.constants.buckling:.5g} 1/cm^2.")
        spread = self.constants.uncertainty
        if spread is not None:
            found.append(f"The covariance of the data gives k a standard deviation of {spread.k_std:.2g}.")
        for study in self.coarse:
            errors = 100 * study.power_errors[np.isfinite(study.power_errors)]
            found.append(
                f"By {study.method} a coarse core of the pins has their powers within "
                f"{np.abs(errors).max():.2g} % and k within {abs(study.k_error):.2g} pcm."
            )
        if self.slopes is not None:
            density = self.slopes.density(solution)
            worst = max(density, key=lambda name: abs(density[name]))
            found.append(f"k moves most by the density of {worst}: {density[worst]:+.4f} for all of it.")
        return found

    def __str__(self) -> str:
        return "\n".join(
            [self.headline, *(f"  {s}" for s in self.sentences()), *(f"  {c}" for c in self.checks)]
        )

    def to_dict(self) -> dict[str, Any]:
        """Return plain data: constants with their conventions, the solution, derivatives."""
        slopes = None
        if self.slopes is not None:
            slopes = {key: getattr(self.slopes, key) for key in KEYS}
            slopes |= {"density": self.slopes.density(self.solution), "radius": self.slopes.radius}
        return plain(
            {
                "schema": SCHEMA,
                "quantity": "lattice",
                "constants": self.constants.to_dict(),
                "transport": self.solution.to_dict(),
                "derivatives of k": slopes,
                "coarse cores": [study.to_dict() for study in self.coarse],
                "checks": [check.to_dict() for check in self.checks],
                "passed": self.passed,
                "notes": self.notes,
                "outcome": {"code": self.outcome.name, "sentence": self.outcome.sentence},
                "provenance": self.provenance.to_dict(),
            }
        )
