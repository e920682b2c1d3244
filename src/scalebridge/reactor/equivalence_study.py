"""What equivalence handed up, and how it is told."""

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from scalebridge.core.checks import Check
from scalebridge.core.provenance import Provenance
from scalebridge.core.results import Outcome
from scalebridge.core.saved import Saved
from scalebridge.core.upscaled import plain
from scalebridge.reactor.core_constants import CoreConstants

EquivalenceMethod = Literal["discontinuity", "superhomogenization", "flux weighting"]
SCHEMA = "scalebridge/equivalence/1"


@dataclass(frozen=True, eq=False)
class EquivalenceStudy(Saved):
    """Constants of homogenised regions with what makes the coarse core keep the reference.

    Args:
        method: how they were made equivalent.
        constants: of the regions, superhomogenization factors applied.
        regions: (ny, nx) region of each node.
        factors: (ny, nx, 4, G) discontinuity factors for `solve_core`, or None.
        superhomogenization: (R, G) factors by which the constants were multiplied, or None.
        gamma: (ny, nx, 4, G) outward current by flux at the outer faces; NaN at inner ones.
        k: multiplication of the reference.
        k_coarse: that of the coarse core with these constants.
        power: (ny, nx) of fuelled nodes by their mean, in the reference; zero elsewhere.
        power_coarse: the same of the coarse core.
        rate_error: (G,) root mean square error of the absorption rate of nodes, by the group's mean.
        leakage_error: (G,) error of what leaves the whole, by all removal of the group.
        history: changes of the superhomogenization factors, step by step, group by group.
        checks: what was preserved, measured.
        outcome: how it ended.
        stats: numbers about the work.
        notes: what a reader has to know.
        provenance: where it all came from.
    """

    method: EquivalenceMethod
    constants: CoreConstants
    regions: np.ndarray
    factors: np.ndarray | None
    superhomogenization: np.ndarray | None
    gamma: np.ndarray
    k: float
    k_coarse: float
    power: np.ndarray
    power_coarse: np.ndarray
    rate_error: np.ndarray
    leakage_error: np.ndarray
    history: tuple[tuple[float, ...], ...]
    checks: tuple[Check, ...]
    outcome: Outcome
    stats: dict[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    provenance: Provenance = field(default_factory=lambda: Provenance({}, {}))

    @property
    def passed(self) -> bool:
        """Whether the method converged and every check passed."""
        return self.outcome is Outcome.converged and all(check.passed for check in self.checks)

    @property
    def k_error(self) -> float:
        """Coarse less fine k, pcm (1e-5)."""
        return 1e5 * (self.k_coarse - self.k)

    @property
    def power_errors(self) -> np.ndarray:
        """(ny, nx) relative errors of the power of fuelled nodes; NaN elsewhere."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(self.power > 0, self.power_coarse / self.power - 1, np.nan)

    def table(self, name: str) -> dict[str, Any]:
        """Return the constants of a region as a table for `solve_core`.

        Args:
            name: of the region.
        """
        at = self.constants.names.index(name)
        keys = ("diffusion", "absorption", "nu_fission", "fission", "chi", "scatter", "total")
        return {key: getattr(self.constants, key)[at] for key in keys}

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, with the conventions written in."""
        names = ("method", "regions", "factors", "superhomogenization", "gamma", "k", "k_coarse", "power")
        names = (*names, "power_coarse", "rate_error", "leakage_error", "history", "stats", "notes")
        return {
            "schema": SCHEMA,
            "conventions": {
                "groups": "0 is the fastest",
                "scatter": "[from, to], order 0",
                "unit": "1/cm",
                "transport correction": "as of the data of the fine solution",
                "faces": "west, east, south, north; the first row is the northern one",
                "factors": "face flux of the reference by that of the homogenised node (finite volumes)",
                "superhomogenization": "already multiplied into the constants, D too",
            },
            **{name: plain(getattr(self, name)) for name in names},
            "constants": plain({name: self.table(name) for name in self.constants.names}),
            "checks": [check.to_dict() for check in self.checks],
            "passed": self.passed,
            "outcome": {"code": self.outcome.name, "sentence": self.outcome.sentence},
            "provenance": plain(self.provenance.to_dict()),
        }

    def __str__(self) -> str:
        errors = 100 * self.power_errors[np.isfinite(self.power_errors)]
        lines = [
            f"{self.method} of {len(self.constants.names)} regions in {self.constants.groups} groups",
            "  absorption rates, rms error by group: "
            + ", ".join(f"{100 * e:.3g} %" for e in self.rate_error),
            "  leakage, error by group: " + ", ".join(f"{100 * e:.3g} %" for e in self.leakage_error),
            f"  power of nodes: rms error {np.sqrt((errors**2).mean()):.3g} %, "
            f"largest {np.abs(errors).max():.3g} %",
            f"  k = {self.k_coarse:.6f}, reference {self.k:.6f}: {self.k_error:+.2f} pcm",
        ]
        lines += [f"  {check}" for check in self.checks]
        lines += [f"  note: {note}" for note in self.notes]
        if self.outcome is not Outcome.converged:
            lines.append(f"  {self.outcome.sentence}")
        return "\n".join(lines)
