"""The audit of a passage from pins to a coarse core: rates and leakage first, then power, and k last.

k alone deceives: errors of rates in different places cancel in it.
"""

from dataclasses import dataclass

import numpy as np

from scalebridge.core.checks import Check
from scalebridge.reactor.core_problem import CoreProblem, CoreSolution
from scalebridge.reactor.diffusion_faces import leakage
from scalebridge.reactor.pin_tally import PinTally
from scalebridge.reactor.superhomogenization import Superhomogenization

_KEPT_K = 2.0  # pcm
_KEPT_RATES = 1e-4
_BALANCE = 1e-4


@dataclass(frozen=True, eq=False)
class Audit:
    """A coarse core beside its reference, scaled to the same production.

    Args:
        k: coarse multiplication.
        power: (ny, nx) coarse power of fuelled nodes by their mean.
        power_error: rms relative error of the power of regions that have any.
        rate_error: (G,) rms error of the absorption rates of regions, by the rms rate.
        leakage_error: (G,) error of what leaves the whole, by all removal of the group.
    """

    k: float
    power: np.ndarray
    power_error: float
    rate_error: np.ndarray
    leakage_error: np.ndarray


def audit(reference: PinTally, problem: CoreProblem, found: CoreSolution) -> Audit:
    """Hold a coarse core against the fine solution of the same nodes.

    Args:
        reference: fine solution, by the nodes of the coarse core.
        problem: the coarse core.
        found: its solution.
    """
    local, volumes = problem.local, problem.mesh.volumes[:, None]
    flat = (problem.mesh.cells, local.groups)
    rate = reference.flux.reshape(flat) * volumes
    fine = {name: getattr(reference, name).reshape(flat) for name in ("absorption", "nu_fission")}
    scale = (fine["nu_fission"] * rate).sum() / (local.nu_fission * found.flux * volumes).sum()
    absorbed = _by_region(problem, fine["absorption"] * rate)
    error = _by_region(problem, scale * local.absorption * found.flux * volumes) - absorbed
    left = scale * leakage(problem.mesh, *found.current).sum(axis=0)
    scattered = reference.scatter.sum(axis=-1) - np.diagonal(reference.scatter, axis1=2, axis2=3)
    removed = ((fine["absorption"] + scattered.reshape(flat)) * rate).sum(axis=0)
    made = (local.fission * found.flux * volumes).sum(axis=1).reshape(reference.fuel.shape)
    power = np.where(reference.fuel, made, 0.0)
    power = power / power[reference.fuel].mean()
    split = (reference.fission.reshape(flat) * rate).sum(axis=1)
    coarse, wanted = (_by_region(problem, part) for part in (scale * made.ravel(), split))
    relative = (coarse / np.where(wanted > 0, wanted, 1.0) - 1)[wanted > 0]
    return Audit(
        found.k,
        power,
        float(np.sqrt((relative**2).mean())),
        np.sqrt((error**2).mean(axis=0) / (absorbed**2).mean(axis=0)),
        (left - reference.current.sum(axis=(0, 1, 2))) / removed,
    )


def _by_region(problem: CoreProblem, values: np.ndarray) -> np.ndarray:
    found = np.zeros((len(problem.constants.names), *values.shape[1:]))
    np.add.at(found, problem.regions, values)
    return found


def audit_checks(reference: PinTally, found: Audit, mu: Superhomogenization | None) -> list[Check]:
    """Return what equivalence has to keep, measured; rates first.

    Args:
        reference: fine solution, by the nodes of the coarse core.
        found: the coarse core beside it.
        mu: superhomogenization factors, if that was the method.
    """
    gap = float(np.abs(reference.balance()).max() / np.abs(reference.fission_source).max())
    checks = [
        Check(
            "balance of the reference",
            gap,
            _BALANCE,
            meaning="of every node and group, by the largest source: what the fine solution leaves open "
            "cannot be kept; its own convergence",
        ),
        Check(
            "absorption rates",
            float(found.rate_error.max()),
            _KEPT_RATES,
            meaning="rms over regions, worst group; exact in algebra, so the reference's convergence decides",
        ),
        Check(
            "leakage",
            float(np.abs(found.leakage_error).max()),
            _KEPT_RATES,
            meaning="of the whole by group, relative to removal; as for the rates",
        ),
        Check(
            "power of regions",
            found.power_error,
            _KEPT_RATES,
            meaning="rms relative error over fuelled regions; as for the rates",
        ),
        Check(
            "k",
            1e5 * abs(found.k - reference.multiplication),
            _KEPT_K,
            meaning="coarse against fine, pcm; follows from rates and leakage, and tells the least",
        ),
    ]
    return checks if mu is None else [existence(mu), *checks]


def existence(mu: Superhomogenization) -> Check:
    """Return whether superhomogenization factors exist: whether diffusion can carry what has to leave."""
    return Check(
        "superhomogenization exists",
        float(mu.excess.max()) if mu.outcome == 0 else max(1.0 + 1e-9, float(mu.excess.max())),
        1.0,
        meaning="largest outward current of a region by what diffusion can carry out of it, 2 D phi / h a "
        "face; above one, or where the iteration finds none, there are no factors: use discontinuity "
        "factors, another choice of regions, or another boundary",
    )
