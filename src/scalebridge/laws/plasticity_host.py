"""J2 plasticity of many points on a processor: the compiled loops behind `J2Plasticity`, in threads."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from scalebridge.core.slabs import in_slabs
from scalebridge.core.threads import threads_for
from scalebridge.laws.hardening import LinearHardening, VoceHardening
from scalebridge.laws.path_law import PathLaw
from scalebridge.laws.plastic import J2Plasticity
from scalebridge.laws.plasticity_kernels import return_slab

Row = Float[np.ndarray, " points"]
Rows = Float[np.ndarray, "6 points"]


class PointAnswers(NamedTuple):
    """What a step gives at many points, components first.

    Args:
        stress: (6, points), Pa.
        plastic: (6, points) plastic strain at the end of the step.
        accumulated: (points,) accumulated plastic strain at the end of the step.
        s, g, n: (points,), (points,), (6, points) of the compact tangent K 1 x 1 + s Idev + g n x n; empty
            where no tangent was wanted.
    """

    stress: Rows
    plastic: Rows
    accumulated: Row
    s: Row
    g: Row
    n: Rows


def kernel_parameters(law: PathLaw) -> np.ndarray | None:
    """Return (K, G, H_k, Y, H, Q, b) of a law that the compiled loops know, None for any other.

    They know `J2Plasticity` with linear or Voce's hardening and Prager's modulus. Parameters that are traced
    cannot be turned into numbers: ask only with concrete ones.

    Example:
        >>> kernel_parameters(J2Plasticity(4.0, 3.0, LinearHardening(0.3, 1.0))).tolist()
        [4.0, 3.0, 0.0, 0.3, 1.0, 0.0, 1.0]
    """
    if not isinstance(law, J2Plasticity) or not isinstance(law.hardening, LinearHardening | VoceHardening):
        return None
    hardening = law.hardening
    voce = (hardening.saturation, hardening.rate) if isinstance(hardening, VoceHardening) else (0.0, 1.0)
    numbers = (law.bulk_modulus, law.shear_modulus, law.kinematic, hardening.yield_stress, hardening.modulus)
    return np.array([float(number) for number in (*numbers, *voce)])


def return_points(
    parameters: np.ndarray,
    strain: Rows,
    plastic: Rows,
    accumulated: Row,
    *,
    tangent: bool = True,
    threads: int | None = None,
    out: PointAnswers | None = None,
) -> PointAnswers:
    """Return many points radially: the same numbers as `J2Plasticity.respond` and `compact_tangent`.

    Args:
        parameters: as `kernel_parameters` gives them.
        strain: (6, points) strain at the end of the step, Mandel notation, float64.
        plastic: (6, points) plastic strain before the step.
        accumulated: (points,) accumulated plastic strain before the step.
        tangent: whether the tangent is wanted.
        threads: number of threads; as many as are worth it unless given.
        out: memory to write to; the state's may be that of the inputs.

    Cost: 272 bytes a point are moved with a tangent (208 without), at half the speed of memory or more for
        linear hardening; a few of Newton's steps a yielding point for Voce's.

    Example:
        >>> law = J2Plasticity(4.0, 3.0, LinearHardening(0.3, 0.0))
        >>> shear = np.zeros((6, 1)); shear[5] = 0.2
        >>> found = return_points(kernel_parameters(law), shear, np.zeros((6, 1)), np.zeros(1))
        >>> round(float(found.stress[5, 0] * 1.5**0.5), 12)
        0.3
    """
    points = accumulated.size
    found = empty_answers(points, tangent) if out is None else out
    # What may not be written would be another type to the compiler.
    given = (np.require(x, float, ["C", "W"]) for x in (strain, plastic, accumulated))
    arguments = (parameters, tangent, *given, *found)
    threads = threads_for(13 * points) if threads is None else threads
    in_slabs(return_slab, points, *arguments, threads=threads)
    return found


def empty_answers(points: int, tangent: bool = True) -> PointAnswers:
    """Return memory for the answers of many points.

    Example:
        >>> empty_answers(3, tangent=False).n.shape
        (6, 0)
    """
    wanted = points if tangent else 0
    rows, row = (lambda count: np.empty((6, count))), np.empty
    return PointAnswers(rows(points), rows(points), row(points), row(wanted), row(wanted), rows(wanted))
