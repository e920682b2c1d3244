"""Elastic results made by hand for the tests of the report: every part filled, nothing solved."""

import numpy as np

from report_samples import HOSTILE, ball_labels
from scalebridge.cells.thermoelastic_table import ThermoelasticTable
from scalebridge.core.checks import Check
from scalebridge.core.provenance import Provenance
from scalebridge.core.spec import Spec
from scalebridge.core.upscaled import Bound, Contribution, Upscaled
from scalebridge.grids.image import VoxelImage
from scalebridge.laws.elasticity import isotropic_stiffness
from scalebridge.upscaling.rotations import rotate_tensor, spread_rotations


def isotropic(young, poisson):
    """Return an isotropic stiffness from Young's modulus and Poisson's ratio."""
    bulk, shear = young / (3 - 6 * poisson), young / (2 + 2 * poisson)
    return np.asarray(isotropic_stiffness(bulk, shear))


def fibrous(axial=45e9, across=11e9):
    """Return a stiffness like that of a composite with fibres, stiff along z, slightly turned."""
    compliance = np.diag([1 / across, 1 / across, 1 / axial, 1 / 9e9, 1 / 9e9, 1.38 / across])
    for i, j, ratio in ((0, 1, 0.38 / across), (0, 2, 0.28 / axial), (1, 2, 0.28 / axial)):
        compliance[i, j] = compliance[j, i] = -ratio
    small = spread_rotations(400, 3)
    near = small[np.argmax(np.trace(small, axis1=1, axis2=2))]
    return rotate_tensor(np.linalg.inv(compliance), near, 4)


CHECKS = (
    Check("Hill-Mandel", 1.2e-9, 1e-6, meaning="mean energy of the fields against that of the means"),
    Check("symmetry", 3e-10, 1e-6, meaning="major symmetry of the mean stresses"),
    Check(
        "within Voigt-Reuss", 0.11, -1e-10, "at least", "smallest eigenvalue of what is left to the bounds"
    ),
)


def elastic_image():
    """Return a ball in a matrix."""
    labels = np.where(ball_labels() == 1, 1, 0).astype(np.uint8)
    return VoxelImage(labels, (3e-6,) * 3, periodic=True)


def elastic_inputs(image):
    """Return two constituents as a solved result describes them."""
    constants = {0: (3.2e9, 0.1e9, 0.35, 60e-6), 1: (72e9, 0.0, 0.22, 5e-6)}
    return {
        f"phase {label}": {
            "name": {0: "epoxy", 1: HOSTILE}[label],
            "kind": "isotropic",
            "fraction": image.fractions[label],
            "young": {"value": young, "std": std, "unit": "Pa"},
            "poisson": {"value": poisson, "std": 0.0, "unit": "1"},
            "expansion": {"value": growth, "std": 0.0, "unit": "1/K"},
        }
        for label, (young, std, poisson, growth) in constants.items()
    }


def origin():
    """Return where the results come from."""
    return Provenance(
        {"image": {"sha256": "ab" * 32, "shape": [12, 14, 16], "file": "folder/composite.tif"}},
        {"scheme": "hexahedra", "rtol": 1e-6, "residual_rtol": 1e-3, "notation": "Mandel"},
        {"scalebridge": "0.1.0", "numpy": "2.4.6"},
        {"python": "3.11"},
        "2026-01-02T03:04:05+00:00",
        {"solving": 1.25},
    )


def work(count):
    """Return histories of so many load cases."""
    steps = np.arange(9)
    return {
        "steps": [8] * count,
        "residuals": [(0.3**steps * (1 + case / 5)).tolist() for case in range(count)],
        "errors": [(0.1**steps * (1 + case / 5)).tolist() for case in range(count)],
        "algebraic error": 1e-8,
        "not assessed": ["sample size", "boundary"],
    }


def made_stiffness(value=None, *, spreads=True):
    """Return a result of the kind that effective_stiffness returns."""
    image, value = elastic_image(), fibrous() if value is None else value
    soft, hard = isotropic(3.2e9, 0.35), isotropic(72e9, 0.22)
    part = image.fractions[1]
    mean = part * hard + (1 - part) * soft
    harmonic = np.linalg.inv(part * np.linalg.inv(hard) + (1 - part) * np.linalg.inv(soft))
    size = np.abs(value) + 0.05 * np.abs(value).max()
    parts = {
        "inputs": Contribution(0.012 * size, "first derivatives times standard deviations"),
        "voxel size": Contribution(0.02 * size, "coarser voxels and another integration"),
        "algebraic": Contribution(1e-8 * size, "difference of two forms"),
    }
    slopes = {
        "phase 0 young": 0.8 * value / 3.2e9,
        "phase 0 poisson": 0.3 * value,
        "phase 1 young": 0.2 * value / 72e9,
        "phase 1 poisson": 0.02 * value,
    }
    return Upscaled(
        spec=Spec("effective stiffness", "Pa", (6, 6), symmetric=True),
        value=value,
        derivatives=slopes,
        checks=CHECKS,
        bounds={
            "Voigt-Reuss": Bound(harmonic, mean, "the tensor", "Hill 1952"),
            "Hashin-Shtrikman bulk": Bound(np.asarray(5e9), np.asarray(9e9), "the bulk modulus", "1963"),
            "Hashin-Shtrikman shear": Bound(np.asarray(1.5e9), np.asarray(4e9), "the shear modulus", "1963"),
        },
        uncertainty=parts if spreads else {},
        stats=work(6),
        provenance=origin(),
        notes=("Mandel notation, components 11, 22, 33, 23, 13, 12.",),
        inputs=elastic_inputs(image),
        subject=image,
    )


def made_expansion():
    """Return a result of the kind that effective_expansion returns."""
    image = elastic_image()
    value = np.array([42e-6, 40e-6, 9e-6, 1e-6, -2e-6, 0.5e-6])
    return Upscaled(
        spec=Spec("effective thermal expansion", "1/K", (6,)),
        value=value,
        derivatives={"phase 0 young": value / 3.2e9, "phase 0 expansion": np.array([0.6, 0.6, 0.1, 0, 0, 0])},
        checks=CHECKS,
        uncertainty={"inputs": Contribution(0.01 * np.abs(value), "first derivatives times deviations")},
        stats=work(7),
        provenance=origin(),
        inputs=elastic_inputs(image),
        subject=image,
    )


def made_table(expanding=True):
    """Return a table of the kind that effective_thermoelasticity returns."""
    levels = np.linspace(253.0, 393.0, 8)
    image = elastic_image()
    share = np.linspace(1.0, 0.6, 8)[:, None, None]
    value = np.array([42e-6, 40e-6, 9e-6, 1e-6, -2e-6, 0.5e-6])
    return ThermoelasticTable(
        temperatures=levels,
        stiffness=share * fibrous(),
        expansion=np.linspace(1, 1.4, 8)[:, None] * value if expanding else None,
        checks=CHECKS,
        steps=np.full((8, 7), 6),
        provenance=origin(),
        notes=("Mandel notation, components 11, 22, 33, 23, 13, 12.",),
        inputs=elastic_inputs(image),
        subject=image,
    )
