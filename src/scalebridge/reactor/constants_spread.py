"""Derivatives of homogenised constants by the fine data, and their spread together with that of k."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from scalebridge.core.checks import Check
from scalebridge.core.errors import InputError
from scalebridge.reactor.adjoint_pair import Parts
from scalebridge.reactor.data_covariance import checked_covariance
from scalebridge.reactor.region_responses import Place
from scalebridge.reactor.sensitivity import Sensitivity


@dataclass(frozen=True, eq=False)
class ConstantsSensitivity:
    """Derivatives of the constants of regions, in the order of `places`, and of k.

    Args:
        places: which constants.
        value: (n,) of them, 1/cm (diffusion cm, chi a number).
        slopes: by key ("total", "nu_fission", "chi", "scatter", "fission") and material: (n, G), or
            (n, G, G) as [from, to] for scatter. Each cross-section is taken by itself, as in `Sensitivity`.
        radius: by cell, (n, radii) at which its material changes.
        k: derivatives of k.
        checks: of the importances.
        sweeps: that all importances took.
    """

    places: tuple[Place, ...]
    value: np.ndarray
    slopes: Parts
    radius: dict[str, np.ndarray]
    k: Sensitivity
    checks: tuple[Check, ...]
    sweeps: int

    def slope(self, kind: str, region: int, group: int, to: int = -1) -> dict[str, dict[str, np.ndarray]]:
        """Return the derivatives of one constant by key and material.

        Raises:
            InputError: there is no such constant.
        """
        wanted = Place(kind, region, group, to)
        if wanted not in self.places:
            raise InputError("kind", got=str(wanted), wanted="one of `places`", cure="print(found.places)")
        at = self.places.index(wanted)
        return {key: {name: rows[at] for name, rows in of.items()} for key, of in self.slopes.items()}

    def spread(self, data: Mapping[Any, Any]) -> "ConstantsSpread":
        """Return the spread of k and all constants by that of the data, to first order (the sandwich rule).

        Args:
            data: as of `homogenize_lattice`.

        Raises:
            InputError: as of `covariance`.
        """
        return ConstantsSpread(self, self.covariance(data))

    def covariance(self, data: Mapping[Any, Any]) -> np.ndarray:
        """Return the covariance of k (first) and all constants (in order): (n + 1, n + 1).

        Args:
            data: as of `homogenize_lattice`.

        Raises:
            InputError: a name or shape is unknown, or it is not positive semidefinite.
        """
        blocks = checked_covariance(data, self.k.materials)
        found = np.zeros((len(self.value) + 1,) * 2)
        for (name, key, other, second), matrix in blocks.items():
            found += self._rows(name, key) @ matrix @ self._rows(other, second).T
        return found

    def _rows(self, name: str, key: str) -> np.ndarray:
        own = self.slopes[key][name].reshape(len(self.value), -1)
        return np.vstack([self.k.slope(name, key), own])


@dataclass(frozen=True, eq=False)
class ConstantsSpread:
    """Covariance of k and the constants of regions, handed up from that of the fine data.

    Args:
        slopes: derivatives that it comes from.
        covariance: (n + 1, n + 1) of k, and of the constants in the order of `slopes.places`.
    """

    slopes: ConstantsSensitivity
    covariance: np.ndarray

    @property
    def places(self) -> tuple[Place, ...]:
        """The constants, in order."""
        return self.slopes.places

    @property
    def std(self) -> np.ndarray:
        """Standard deviations of the constants, (n,)."""
        return np.sqrt(np.maximum(np.diag(self.covariance)[1:], 0.0))

    @property
    def k_std(self) -> float:
        """Standard deviation of k."""
        return float(np.sqrt(max(self.covariance[0, 0], 0.0)))

    @property
    def correlation(self) -> np.ndarray:
        """Correlations of k and the constants, (n + 1, n + 1); zero where one has no spread."""
        size = np.sqrt(np.maximum(np.diag(self.covariance), 0.0))
        known = np.where(size > 0, size, 1.0)
        return self.covariance / known[:, None] / known * np.outer(size > 0, size > 0)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "method": "first order, by the adjoint of k and the generalised adjoint of each constant",
            "k std": self.k_std,
            "constants": [str(place) for place in self.places],
            "value": self.slopes.value,
            "std": self.std,
            "covariance, k first": self.covariance,
        }
