"""Laws, images and reference tables that the tests of cells with history share."""

import csv
from functools import lru_cache
from pathlib import Path

import jax.numpy as jnp
import numpy as np

from scalebridge.cells.path_cell import PathCell
from scalebridge.cells.path_settings import PathSettings
from scalebridge.laws.elastic import IsotropicElastic
from scalebridge.laws.hardening import LinearHardening
from scalebridge.laws.path_law import PathLaw
from scalebridge.laws.plastic import J2Plasticity

REFERENCE = Path(__file__).parent / "reference"
MATRIX = J2Plasticity(62.5, 28.8462, LinearHardening(0.1, 0.5))
INCLUSION = IsotropicElastic(222.222, 166.6667)
TIGHT = PathSettings(tolerance=1e-10, tangent_tolerance=1e-6)
BLOCK = np.zeros((4, 4, 4), int)
BLOCK[1:3, 1:3, 1:4] = 1
UNIT = (1.0, 1.0, 1.0)
_MANDEL = [0, 1, 2, 5, 4, 3]  # of Voigt's 11, 22, 33, 12, 13, 23
_ROOT = np.array([1.0, 1.0, 1.0, *[2**0.5] * 3])


def rows(name: str) -> list[dict[str, float]]:
    """Rows of a reference table as numbers."""
    with (REFERENCE / name).open() as file:
        return [{key: float(value) for key, value in row.items()} for row in csv.DictReader(file)]


def strain_of(row: dict[str, float]) -> np.ndarray:
    """Mandel strain of a row with E11 ... E33 and doubled shears G12, G13, G23."""
    voigt = np.array([row[name] for name in ("E11", "E22", "E33", "G12", "G13", "G23")])
    return voigt[_MANDEL] / np.array([1, 1, 1, *[2**0.5] * 3])


def stress_of(row: dict[str, float]) -> np.ndarray:
    """Mandel stress of a row with S11 ... S23."""
    voigt = np.array([row[name] for name in ("S11", "S22", "S33", "S12", "S13", "S23")])
    return voigt[_MANDEL] * _ROOT


def mandel_tangent(voigt: np.ndarray) -> np.ndarray:
    """Mandel tangent of one in Voigt's order by doubled shears."""
    return voigt[np.ix_(_MANDEL, _MANDEL)] * np.outer(_ROOT, _ROOT)


def tangent_of(row: dict[str, float]) -> np.ndarray:
    """Mandel tangent of a row with C11 ... C66."""
    return mandel_tangent(np.array([[row[f"C{i}{j}"] for j in range(1, 7)] for i in range(1, 7)]))


@lru_cache(maxsize=1)
def sphere() -> np.ndarray:
    """Phase of every voxel of the 32^3 reference cell."""
    return np.load(REFERENCE / "sphere32.npz")["phase"].astype(int)


def taylor_slopes(
    laws: list[PathLaw], first: np.ndarray, second: np.ndarray, direction: np.ndarray, dt: float = 0.0
) -> np.ndarray:
    """Rate at which the tangent's first order misses the answer, over four halvings of a second step."""
    cell = PathCell(BLOCK[:3, :2, :2], laws, UNIT, TIGHT)
    before = cell.respond(first, cell.rest(), dt)
    here = cell.respond(second, before.state, dt, hint=before.hint)
    missed = []
    for halving in range(5):
        change = direction * 0.5**halving
        there = cell.respond(second + change, before.state, dt, hint=here.hint, want_tangent=False)
        missed.append(np.abs(there.answer - here.answer - here.tangent @ change).max())
    missed = np.array(missed)
    if (
        missed.max() <= 1e-10 * np.abs(here.answer).max()
    ):  # a linear answer, and nothing but rounding is missed
        return np.full(4, 2.0)
    return np.log2(missed[:-1] / missed[1:])


def array(*numbers: float) -> jnp.ndarray:
    """A short name for laws' vectors."""
    return jnp.array(numbers)
