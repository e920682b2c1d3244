"""Checks of an effective tensor that hold whatever the physics: algebra, positivity, bounds, homogeneity."""

import numpy as np

from scalebridge.core.checks import Check
from scalebridge.core.upscaled import Bound
from scalebridge.upscaling.tangent import Tangent

_ROUNDING = 1e-10  # relative; some million operations in float64


def check_tangent(
    tangent: Tangent, rtol: float, residual_rtol: float, rounding: float = _ROUNDING
) -> list[Check]:
    """Check the algebra behind a tangent.

    The diagonal's error is watched by the solver. Off the diagonal the form of mean answers has an error
    of first order in the fields', whose energy norm is at most sqrt(rtol): hence that tolerance
    (Cauchy-Schwarz).
    """
    scale = float(np.max(np.abs(np.asarray(tangent.value)))) or 1.0
    answers = np.asarray(tangent.from_answers)
    root = max(rtol**0.5, rounding)
    residual = max(
        (float(r.stats["residuals"][r.stats["steps"]]) for r in tangent.responses if r is not None),
        default=0.0,
    )
    lowest = float(np.min(np.linalg.eigvalsh(np.asarray(tangent.value)))) / scale
    return [
        Check(
            "algebraic error",
            tangent.algebraic_error,
            rtol,
            meaning=(
                "estimated relative error of the tensor's diagonal when the solver stopped; "
                "an upper bound where every phase conducts"
            ),
        ),
        Check(
            "equilibrium",
            residual,
            residual_rtol,
            meaning="relative residual of the balance: the fine fields conserve what flows",
        ),
        Check(
            "energy against mean answers",
            tangent.gap,
            root,
            meaning=(
                "Hill-Mandel: mean of the product of the fine fields against the product of their means"
            ),
        ),
        Check(
            "symmetry",
            float(np.max(np.abs(answers - answers.T))) / scale,
            root,
            meaning="reciprocity of the mean answers",
        ),
        Check(
            "positive semidefinite",
            lowest,
            -rounding,
            "at least",
            meaning="smallest principal value, relative to the largest component",
        ),
    ]


def check_loewner(value: np.ndarray, bound: Bound, name: str, rounding: float = _ROUNDING) -> Check:
    """Check that a tensor lies between two tensors in the order of quadratic forms.

    The number is the smallest eigenvalue of (value - lower) and (upper - value), relative to the upper bound.
    """
    scale = float(np.max(np.abs(bound.upper))) or 1.0
    margin = min(
        float(np.min(np.linalg.eigvalsh(value - bound.lower))),
        float(np.min(np.linalg.eigvalsh(bound.upper - value))),
    )
    return Check(
        f"within {name}",
        margin / scale,
        -rounding,
        "at least",
        meaning=f"distance to the nearer of the {name} bounds ({bound.source})",
    )


def check_trace(value: np.ndarray, bound: Bound, name: str, rounding: float = _ROUNDING) -> Check:
    """Check that the mean of the principal values lies between two numbers.

    For isotropic phases the Hashin-Shtrikman bounds hold for the mean of the principal values of any periodic
    medium, isotropic or not: their polarisation is summed over all directions (Milton & Kohn 1988).
    """
    mean = float(np.trace(value)) / value.shape[0]
    margin = min(mean - float(bound.lower), float(bound.upper) - mean)
    scale = float(bound.upper) or 1.0
    return Check(
        f"within {name}",
        margin / scale,
        -rounding,
        "at least",
        meaning=(
            f"distance of the mean principal value to the nearer of the {name} bounds ({bound.source}); "
            "a failure says that the voxels are too coarse"
        ),
    )


def check_homogeneity(
    value: np.ndarray, values: list[np.ndarray], slopes: list[np.ndarray], tolerance: float
) -> Check:
    """Check Euler's relation: the tensor is homogeneous of degree one, so sum_p k_p : dK/dk_p = K.

    Args:
        value: the tensor.
        values: each phase's value (a number, a diagonal or a tensor).
        slopes: the tensor's derivative by each of them; the trailing axes are those of the value.
        tolerance: relative tolerance.
    """
    total = np.zeros_like(value)
    for part, slope in zip(values, slopes, strict=True):
        total += np.tensordot(slope, part, axes=np.ndim(part))
    scale = float(np.max(np.abs(value))) or 1.0
    return Check(
        "homogeneity of degree one",
        float(np.max(np.abs(total - value))) / scale,
        tolerance,
        meaning=(
            "Euler's relation: the phases' values times the derivatives add up to the tensor; it "
            "watches the bookkeeping of the derivatives, not the solver's error"
        ),
    )
