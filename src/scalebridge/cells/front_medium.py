"""A periodic stack of layers that a front runs through, and the grid on which it does.

Inside, lengths are in units of the coarse interface's length, energies in units of the mean barrier, and
times in units of 1 / (L W) with the coarse coefficients: there the coarse front has length 1 and speed 6 m.
"""

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from scalebridge.cells.phase_field import FlatInterface
from scalebridge.core.errors import InputError, ResourceError
from scalebridge.laws.double_well import STABLE

_FEWEST = 2  # cells of the thinnest layer
_MOST = 400_000  # cells of a window: some ten milliseconds a step
_TAIL = 20.0  # decay lengths kept on either side of the front: what is cut off is 2e-9


@dataclass(frozen=True)
class LayeredMedium:
    """Layers across which a front runs, over and over; numbers in SI.

    Args:
        thicknesses: of each layer, m.
        mobilities: kinetic coefficient L of each layer, m^3/(J s).
        gradient_energies: kappa of each layer, J/m.
        barriers: W of each layer, J/m^3.
    """

    thicknesses: tuple[float, ...]
    mobilities: tuple[float, ...]
    gradient_energies: tuple[float, ...]
    barriers: tuple[float, ...]

    @property
    def period(self) -> float:
        """Thickness of all layers together, m."""
        return sum(self.thicknesses)

    @cached_property
    def fractions(self) -> np.ndarray:
        """Share of each layer."""
        return np.asarray(self.thicknesses) / self.period

    @cached_property
    def coarse_interface(self) -> FlatInterface:
        """The interface of the coarse equation: kappa in series, W on average."""
        kappa = 1.0 / float(self.fractions @ (1.0 / np.asarray(self.gradient_energies)))
        return FlatInterface(kappa, float(self.fractions @ np.asarray(self.barriers)))

    @cached_property
    def mean_mobility(self) -> float:
        """L of the coarse equation in the limit of thin layers: 1/L on average, m^3/(J s)."""
        return 1.0 / float(self.fractions @ (1.0 / np.asarray(self.mobilities)))

    @property
    def largest_driving(self) -> float:
        """Driving force beyond which a layer is no longer metastable, J/m^3."""
        return STABLE * min(self.barriers)

    @cached_property
    def scaled(self) -> np.ndarray:
        """(4, layers): thickness, mobility, gradient energy and barrier in the front's own units."""
        coarse = self.coarse_interface
        length, barrier = coarse.length(), coarse.barrier
        return np.array(
            [
                np.asarray(self.thicknesses) / length,
                np.asarray(self.mobilities) / self.mean_mobility,
                np.asarray(self.gradient_energies) / (barrier * length**2),
                np.asarray(self.barriers) / barrier,
            ]
        )

    @property
    def speed_unit(self) -> float:
        """Speed whose number is 1 in the front's own units, m/s."""
        return self.coarse_interface.length() * self.mean_mobility * self.coarse_interface.barrier

    def check_driving(self, driving: float, argument: str = "driving") -> None:
        """Refuse a driving force that is not positive, or at which a layer transforms by itself.

        Raises:
            InputError: as said.
        """
        if not (math.isfinite(driving) and 0 < driving < self.largest_driving):
            raise InputError(
                argument,
                got=f"{driving:g}",
                wanted=f"between 0 and {self.largest_driving:g}, a third of the smallest barrier, beyond "
                "which a layer is not metastable",
                cure="lower the driving force, or raise the barrier",
            )


@dataclass(frozen=True)
class FrontGrid:
    """Cells of a window that moves with the front, in the front's own units.

    Args:
        medium: (4, cells) for the kernels: mobility, barrier, cell width, conductance to the next cell.
        gradient_energy: (cells,) gradient energy.
        layer: (cells of a period,) number of the layer of each cell.
        per_period: cells of a period.
        period: its length.
        start: where the front starts, from the left end.
    """

    medium: np.ndarray
    gradient_energy: np.ndarray
    layer: np.ndarray
    per_period: int
    period: float
    start: float

    @property
    def centres(self) -> np.ndarray:
        """Distance of the cells' centres from the left end."""
        edges = np.cumsum(self.medium[2])
        return edges - 0.5 * self.medium[2]

    def first_front(self) -> np.ndarray:
        """Return the coarse profile at the place where the front starts, 1 on the left and 0 on the right."""
        return 0.5 * (1.0 - np.tanh(0.5 * (self.centres - self.start)))


def grid_of(layers: LayeredMedium, driving: float, resolution: float, refinement: int = 1) -> FrontGrid:
    """Lay a grid over as many periods as a front and its tails need.

    Args:
        layers: the layers.
        driving: in units of the mean barrier.
        resolution: cells to the length l of the interface in each layer, or in the coarse medium where that
            is shorter.
        refinement: how many cells are put in the place of one.

    Raises:
        ResourceError: more cells than a run can afford.
    """
    thickness, mobility, kappa, barrier = layers.scaled
    local = np.minimum(np.sqrt(kappa / (2.0 * barrier)), 1.0)
    counts = refinement * np.maximum(np.ceil(resolution * thickness / local), _FEWEST).astype(int)
    period = float(thickness.sum())
    behind, ahead = (_TAIL / _decay(layers.scaled, m) for m in (0.0, driving))
    periods = math.ceil((behind + ahead) / period) + 2
    if periods * counts.sum() > _MOST:
        raise ResourceError(
            "layers",
            got=f"a window of {periods * counts.sum()} cells",
            wanted=f"at most {_MOST}",
            cure="lower the resolution; layers so thin beside the interface, or so thick, are in a limit: "
            "look at docs/theory/interfaces.md",
        )
    width = np.tile(np.repeat(thickness / counts, counts), periods)
    rows = [np.tile(np.repeat(row, counts), periods) for row in (mobility, barrier, kappa)]
    half = 0.5 * width / rows[2]
    conductance = np.append(1.0 / (half[:-1] + half[1:]), 0.0)
    medium = np.ascontiguousarray([rows[0], rows[1], width, conductance])
    layer = np.repeat(np.arange(counts.size), counts)
    return FrontGrid(medium, rows[2], layer, int(counts.sum()), period, behind)


def _decay(scaled: np.ndarray, driving: float) -> float:
    """Rate at which a front's tail decays, averaged over a period.

    The tail obeys (kappa u')' = (2 W - 6 m) u; half the trace of a period's transfer matrix of (u, kappa u')
    is cosh(rate x period) (Floquet).
    """
    thickness, _, kappa, barrier = scaled
    rates = np.sqrt((2.0 * barrier - 6.0 * driving) / kappa)
    period, angle = float(thickness.sum()), rates * thickness
    if angle.sum() > 100.0:
        return float(angle.sum()) / period
    whole = np.eye(2)
    for one, rate, stiffness in zip(angle, rates, kappa, strict=True):
        cosine, sine = math.cosh(one), math.sinh(one)
        whole = np.array([[cosine, sine / (stiffness * rate)], [stiffness * rate * sine, cosine]]) @ whole
    return math.acosh(max(0.5 * float(np.trace(whole)), 1.0 + 1e-12)) / period
