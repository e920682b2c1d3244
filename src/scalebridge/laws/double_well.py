"""The double well and its tilt: what a phase field feels at a point.

    f(phi) = W phi^2 (1 - phi)^2 - m g(phi),    g = phi^2 (3 - 2 phi)

W is the barrier, J/m^3, and m the driving force, J/m^3: the energy that a unit of volume gives up when it
goes from phi = 0 to phi = 1. Both wells stay where they are whatever m is, and are minima as long as
|m| < W / 3. All functions take numbers or arrays of NumPy or JAX.
"""

from typing import Any

STABLE = 1.0 / 3.0
"""Largest |m| / W at which both wells are minima: the curvature of f at a well is 2 W -+ 6 m."""


def well(phase: Any) -> Any:
    """Double well of height 1/16 between minima of 0 at 0 and 1: phi^2 (1 - phi)^2.

    Example:
        >>> well(0.0), well(0.5), well(1.0)
        (0.0, 0.0625, 0.0)
    """
    return (phase * (1.0 - phase)) ** 2


def well_slope(phase: Any) -> Any:
    """Derivative of `well`: 2 phi (1 - phi) (1 - 2 phi).

    Example:
        >>> well_slope(0.25)
        0.1875
    """
    return 2.0 * phase * (1.0 - phase) * (1.0 - 2.0 * phase)


def tilt(phase: Any) -> Any:
    """Interpolation from 0 to 1 that is flat at both: g = phi^2 (3 - 2 phi).

    Source: S.-L. Wang et al., Physica D 69 (1993) 189, for such polynomials.

    Example:
        >>> tilt(0.0), tilt(0.5), tilt(1.0)
        (0.0, 0.5, 1.0)
    """
    return phase * phase * (3.0 - 2.0 * phase)


def tilt_slope(phase: Any) -> Any:
    """Derivative of `tilt`: 6 phi (1 - phi), in proportion to the slope of the flat interface's profile.

    Example:
        >>> tilt_slope(0.5)
        1.5
    """
    return 6.0 * phase * (1.0 - phase)
