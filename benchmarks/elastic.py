"""The elastic task: constants of the phases, and a laminate's exact stiffness. Needs nothing but NumPy."""

import numpy as np

POISSON = 0.3


def lame_constants(young: np.ndarray, poisson: float) -> tuple[np.ndarray, np.ndarray]:
    """Return lambda and mu."""
    young = np.asarray(young, float)
    return young * poisson / ((1 + poisson) * (1 - 2 * poisson)), young / (2 * (1 + poisson))


def laminate_stiffness(young: tuple[float, float], poisson: float) -> np.ndarray:
    """Return the diagonal, Mandel 11, 22, 33, 23, 13, 12, of equal layers of two solids across x.

    Source: G. E. Backus, J. Geophys. Res. 67 (1962) 4427.
    """
    lame, shear = lame_constants(np.asarray(young), poisson)
    modulus = lame + 2 * shear  # of uniaxial strain
    across = 1 / np.mean(1 / modulus)
    along = np.mean(modulus - lame**2 / modulus) + np.mean(lame / modulus) ** 2 * across
    slide = 2 / np.mean(1 / shear)
    return np.array([across, along, along, 2 * np.mean(shear), slide, slide])
