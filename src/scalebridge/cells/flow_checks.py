"""What a permeability preserves, measured: checks of voxel faces and of smooth walls."""

import numpy as np

from scalebridge.cells.permeability_job import FlowJob
from scalebridge.cells.slip_curve import rising_check
from scalebridge.cells.stokes import StokesCell
from scalebridge.core.checks import Check
from scalebridge.upscaling.tangent import Tangent

_SYMMETRY = 1e-8  # relative; the stationary form is symmetric up to rounding


def shared_checks(
    tangent: Tangent, dissipated: np.ndarray, slope: np.ndarray | None, rtol: float
) -> list[Check]:
    """Return the checks of every permeability.

    Args:
        tangent: the answer.
        dissipated: (dim, dim) the power that viscosity and walls take, the other form of K.
        slope: (dim, dim) dK/d(slip length); None where it does not exist.
        rtol: the tolerance that the solver was given.
    """
    algebraic = Check(
        "algebraic error",
        tangent.algebraic_error,
        rtol,
        meaning="estimated relative error of the tensor's diagonal when the solver stopped",
    )
    value, answers = np.asarray(tangent.value), np.asarray(tangent.from_answers)
    return [algebraic, *shared_checks_of(value, answers, dissipated, slope, rtol)]


def shared_checks_of(
    value: np.ndarray, answers: np.ndarray, dissipated: np.ndarray, slope: np.ndarray | None, rtol: float
) -> list[Check]:
    """Return the same checks of bare tensors: the stationary form, mean velocities, the power taken."""
    scale = _scale(value)
    found = [
        Check(
            "mean velocity against dissipation",
            float(np.max(np.abs(answers - dissipated))) / scale,
            2 * rtol**0.5,
            meaning="<w_i . e_j> against <2 D(w_i) : D(w_j)>: the power of the mean force is what viscosity "
            "and walls take; either has an error of first order in the fields', the answer of second",
        ),
        Check(
            "symmetry",
            float(np.max(np.abs(value - value.T))) / scale,
            _SYMMETRY,
            meaning="reciprocity of the tensor, in its stationary form",
        ),
    ]
    return found if slope is None else [*found, rising_check(value, slope)]


def definite_check(value: np.ndarray, least: float, meaning: str) -> Check:
    """Return the check of the smallest principal value, over the largest component.

    Args:
        value: (n, n), of the axes along which something flows.
        least: at least so much.
        meaning: of which axes, and where the tolerance comes from.
    """
    lowest = float(np.min(np.linalg.eigvalsh(value)))
    return Check("positive definite", lowest / _scale(value), least, "at least", meaning=meaning)


def flow_checks(job: FlowJob, model: StokesCell, tangent: Tangent, slope: np.ndarray | None) -> list[Check]:
    """Return the checks of a permeability whose walls follow the voxels' faces."""
    value, answers = np.asarray(tangent.value), np.asarray(tangent.from_answers)
    root, inner = job.settings.rtol**0.5, np.ix_(job.axes, job.axes)
    asked = [r for r in tangent.responses if r is not None]
    power = np.zeros_like(value)
    power[inner] = model.dissipations([r.fields for r in asked])
    residual = max(float(r.stats["residuals"][r.stats["steps"]]) for r in asked)
    return [
        *shared_checks(tangent, power, slope, job.settings.rtol),
        Check(
            "balance of momentum",
            residual,
            root,
            meaning="residual of the balances relative to the load, in the norm of the preconditioner; the "
            "error of the tensor goes with its square",
        ),
        Check(
            "balance of volume",
            max(float(r.stats["outflow"]) for r in asked),
            root,
            meaning="what flows out of cells, in the same norm",
        ),
        Check(
            "reciprocity of mean velocities",
            float(np.max(np.abs(answers - answers.T))) / _scale(value),
            2 * root,
            meaning="the same of the mean velocities alone, of first order",
        ),
        definite_check(
            value[inner],
            -_SYMMETRY if _winds_less(job) else 0.0,
            "smallest principal value among the axes along which pores connect",
        ),
        Check(
            "percolation", float(len(job.axes)), job.dim, "at least", meaning="axes along which pores connect"
        ),
    ]


def _winds_less(job: FlowJob) -> bool:
    """Whether the pores wind around in fewer independent directions than axes, as one oblique channel."""
    return job.settings.boundary == "periodic" and len(job.connected.winding) < len(job.axes)


def _scale(value: np.ndarray) -> float:
    return float(np.max(np.abs(value))) or 1.0
