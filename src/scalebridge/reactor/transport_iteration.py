"""From sources to fluxes and back until nothing changes: power iteration with sweeps and the coarse mesh."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import cast

import numpy as np

from scalebridge.core.results import Outcome
from scalebridge.reactor.acceleration import coarse_mesh, to_regions
from scalebridge.reactor.mixing import Mixing
from scalebridge.reactor.pin_sums import PinSums
from scalebridge.reactor.sweep import Sweeper, Swept

_CROSSED = 6  # cells that tracks cross before sources change: what is reflected comes from the last sweep
Watch = Callable[[int, float], None]


@dataclass(frozen=True)
class Settings:
    """How far to iterate.

    Args:
        rtol: wanted largest relative change of a region's flux.
        k_tolerance: wanted change of k.
        max_steps: limit of sweeps.
        accelerate: whether the coarse mesh helps.
        damping: part of the coarse mesh's change that is taken.
        coarse_groups: first fine group of each group of the coarse mesh; None keeps all.
    """

    rtol: float = 1e-5
    k_tolerance: float = 1e-6
    max_steps: int = 500
    accelerate: bool = True
    damping: float = 1.0
    coarse_groups: tuple[int, ...] | None = None


@dataclass(eq=False)
class Iterated:
    """Where an iteration ended.

    Args:
        multiplication: k; 1 for a fixed source.
        flux: (regions, G), for one neutron of fission over k, or for the given source.
        swept: the last sweep, scaled alike.
        source: (regions, G) that it was swept with.
        outcome: how it ended.
        history: k and largest relative change of the flux by sweep.
    """

    multiplication: float
    flux: np.ndarray
    swept: Swept
    source: np.ndarray
    outcome: Outcome
    history: list[tuple[float, float]] = field(default_factory=list)


def iterate(
    sweeper: Sweeper,
    sums: PinSums,
    settings: Settings,
    *,
    fixed: np.ndarray | None = None,
    watch: Watch | None = None,
) -> Iterated:
    """Find the fundamental mode of a lattice, or the flux of a given source in a subcritical one.

    Args:
        sweeper: the lattice, ready.
        sums: its sums; of materials turned round, the adjoint flux is found.
        settings: how far.
        fixed: (regions, G) given source per cm^3; None for an eigenvalue.
        watch: told of each sweep and its change.
    """
    flux = np.ones((len(sums.lattice.region_volume), sums.groups))
    sweeper.entering[:] = 1.0
    k, produced, history = 1.0, sums.production(flux), []
    outcome, swept, source = Outcome.step_limit, cast("Swept", None), flux
    repeats = max(1, _CROSSED // max(sums.lattice.shape))
    mixing = Mixing(flux.size) if settings.accelerate else None
    for step in range(settings.max_steps):
        start = None if mixing is None else _state(sweeper, flux)
        source = sums.source(flux, k) + (0.0 if fixed is None else fixed)
        for _ in range(repeats):
            swept = sweeper.sweep(source, sums.slopes(sweeper.slopes, k))
        if not np.all(np.isfinite(swept.flux)):
            outcome = Outcome.breakdown
            break
        change = float(np.max(np.abs(swept.flux - flux) / np.maximum(np.abs(swept.flux), 1e-30)))
        before = k
        if settings.accelerate:
            flux, k = _accelerated(sweeper, sums, settings, swept, (k, change), fixed)
        else:
            flux = swept.flux
            k *= sums.production(flux) / produced if fixed is None else 1.0
        produced = sums.production(flux)
        if fixed is None:  # one neutron of fission over k
            flux = flux * (k / produced)
            sweeper.scale(k / produced)
            produced = k
        history.append((k, change))
        if watch is not None:
            watch(step, change)
        if change < settings.rtol and abs(k - before) < settings.k_tolerance:
            outcome = Outcome.converged
            break
        if mixing is not None and start is not None:
            flux = _mixed(sweeper, mixing.mix(start, _state(sweeper, flux)), flux)
            produced = sums.production(flux)
    return Iterated(k, flux, swept, source, outcome, history)


def _state(sweeper: Sweeper, flux: np.ndarray) -> np.ndarray:
    return np.concatenate([flux.ravel(), sweeper.kept()])


def _mixed(sweeper: Sweeper, state: np.ndarray, flux: np.ndarray) -> np.ndarray:
    """Go on from a mixed state; return its fluxes, with the old one where a mixed one is not positive."""
    sweeper.keep(state[flux.size :])
    np.maximum(sweeper.entering, 0.0, out=sweeper.entering)
    mixed = state[: flux.size].reshape(flux.shape)
    return np.where(mixed > 0, mixed, flux)


def _accelerated(
    sweeper: Sweeper,
    sums: PinSums,
    settings: Settings,
    swept: Swept,
    state: tuple[float, float],
    fixed: np.ndarray | None,
) -> tuple[np.ndarray, float]:
    """Return fluxes and k as the coarse mesh has them; `state` is k and the last change."""
    coarse = coarse_mesh(sums, swept, fixed, settings.coarse_groups)
    wanted = min(1e-4, max(1e-2 * state[1], 1e-11))
    k, improved = coarse.solve(state[0], wanted, fixed is None)
    ratio = np.clip(1.0 + settings.damping * (improved / coarse.flux - 1.0), 0.05, 20.0)
    if settings.coarse_groups is not None:
        wide = np.diff([*settings.coarse_groups, sums.groups])
        ratio = np.repeat(ratio, wide, axis=1)
    sweeper.scale_entering(ratio.reshape(*sums.lattice.shape, -1))
    return swept.flux * to_regions(sums, ratio), k
