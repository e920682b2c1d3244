"""Bulk and shear modulus of an elastic answer against what isotropic phases allow or fix."""

import numpy as np

from scalebridge.cells.elastic_job import ElasticJob
from scalebridge.core.checks import Check
from scalebridge.core.upscaled import Bound, Contribution
from scalebridge.laws.elastic_bounds import bound_hashin_shtrikman_elastic

_SOURCES = {"bulk": "Hashin & Shtrikman 1963", "shear": "Walpole 1966"}
_ROUNDING = -1e-10  # of some thousand operations, relative
_ALIKE = 1e-9  # relative difference below which shear moduli are one
_HELD = 1e-9  # principal stiffness over the largest above which a strain is resisted; the solver leaves less
_DEVIATIONS = 2.0  # standard deviations of the voxels' part that the relation may be off
_VOLUME = np.r_[1.0, 1.0, 1.0, 0.0, 0.0, 0.0]


def mean_moduli(stiffness: np.ndarray) -> dict[str, float]:
    """Return the bulk and the shear modulus of the nearest isotropic stiffness."""
    bulk = float(_VOLUME @ stiffness @ _VOLUME) / 9
    return {"bulk": bulk, "shear": (float(np.trace(stiffness)) - 3 * bulk) / 10}


def moduli_bounds(job: ElasticJob) -> dict[str, Bound]:
    """Return the Hashin-Shtrikman bounds of the two moduli; none unless every phase is isotropic."""
    if not job.isotropic:
        return {}
    fractions, phases = _phases(job)
    pairs = bound_hashin_shtrikman_elastic(fractions, *phases.T)
    return {
        f"Hashin-Shtrikman, {name} modulus": Bound(
            np.asarray(low), np.asarray(high), f"the {name} modulus of the nearest isotropic tensor", source
        )
        for (name, source), (low, high) in zip(_SOURCES.items(), pairs, strict=True)
    }


def check_moduli(stiffness: np.ndarray, bounds: dict[str, Bound]) -> list[Check]:
    """Check both moduli against their Hashin-Shtrikman bounds, where there are any.

    The bounds hold for the moduli of the nearest isotropic tensor of any periodic medium of isotropic phases:
    averaged over all orientations of the load, the polarisation sees a medium without direction (Milton &
    Kohn 1988). A finite mesh answers too stiffly: a failure above says that the voxels are too coarse.
    """
    checks = []
    for name, found in mean_moduli(stiffness).items():
        bound = bounds.get(f"Hashin-Shtrikman, {name} modulus")
        if bound is None or float(bound.upper - bound.lower) <= _ALIKE * float(bound.upper):
            continue  # bounds that meet leave no room for any mesh; Hill's relation is what they say
        margin = min(found - float(bound.lower), float(bound.upper) - found)
        checks.append(
            Check(
                f"within Hashin-Shtrikman, {name}",
                margin / (float(bound.upper) or 1.0),
                _ROUNDING,
                "at least",
                meaning=f"distance of the {name} modulus to the nearer of the Hashin-Shtrikman bounds "
                f"({bound.source}); a failure says that the voxels are too coarse",
            )
        )
    return checks


def check_equal_shear(job: ElasticJob, stiffness: np.ndarray, voxels: Contribution | None) -> list[Check]:
    """Check Hill's relation of isotropic phases with one shear modulus, where it applies.

    Whatever the structure, the medium is isotropic with 1 / (K + 4 G / 3) = <1 / (K_i + 4 G / 3)>. Elements
    lock where the phases differ in volume change, so that the relation measures the mesh; what it may be off
    is the stated error of the voxels' size, without which there is no check.

    Source: R. Hill, J. Mech. Phys. Solids 11 (1963) 357.
    """
    if voxels is None or not job.isotropic or any(c.material.is_void for c in job.constituents):
        return []
    fractions, phases = _phases(job)
    bulk, shear = phases.T
    if len(bulk) < 2 or np.ptp(shear) > _ALIKE * shear.max() or np.ptp(bulk) <= _ALIKE * bulk.max():
        return []
    exact = 1.0 / float(fractions @ (1.0 / (bulk + 4 * shear[0] / 3))) - 4 * shear[0] / 3
    spread = float(_VOLUME @ np.asarray(voxels.std) @ _VOLUME) / 9
    found = abs(mean_moduli(stiffness)["bulk"] / exact - 1)
    return [
        Check(
            "Hill's equal shear moduli",
            found,
            _DEVIATIONS * spread / exact,
            meaning="bulk modulus against the one that phases of one shear modulus have whatever the "
            "structure; the tolerance is two standard deviations of the voxels' part. A failure says that "
            "elements lock: scheme='b-bar' locks less",
        )
    ]


def check_holding(job: ElasticJob, stiffness: np.ndarray) -> list[Check]:
    """Check that a porous medium resists all six strains."""
    if not any(c.material.is_void for c in job.constituents):
        return []
    ends = np.linalg.eigvalsh(0.5 * (stiffness + stiffness.T))
    held = int(np.sum(ends > _HELD * max(float(ends[-1]), 0.0)))
    meaning = "independent strains that the solid resists; in the others it falls apart"
    return [Check("percolation", float(held), 6.0, "at least", meaning=meaning)]


def _phases(job: ElasticJob) -> tuple[np.ndarray, np.ndarray]:
    """Return fractions (n,) and bulk and shear moduli (n, 2) of the phases."""
    fractions = np.array([job.image.fractions[c.label] for c in job.constituents])
    return fractions, np.array([list(mean_moduli(c).values()) for c in job.phase_values[0]])
