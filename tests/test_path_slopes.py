"""Derivatives by parameters, through the history of a path, against differences."""

import numpy as np
import pytest

from path_samples import BLOCK, INCLUSION, MATRIX, TIGHT
from scalebridge.cells.path_slopes import parameters_of
from scalebridge.cells.response_path import response_along_path
from scalebridge.core.errors import InputError
from scalebridge.grids.image import VoxelImage
from scalebridge.laws.elastic import IsotropicElastic
from scalebridge.laws.hardening import LinearHardening
from scalebridge.laws.plastic import J2Plasticity

IMAGE = VoxelImage(BLOCK[:3, :2, :2], voxel=(1e-6, 1e-6, 1e-6))
PATH = np.outer([0.5, 1.0, 0.4], [0.004, -0.001, -0.002, 0.001, 0.0005, 0.002])


def _laws(change: dict[str, float]):
    base = {"shear": 28.8462, "yield": 0.1, "modulus": 0.5, "inclusion": 166.6667}
    at = {name: value + change.get(name, 0.0) for name, value in base.items()}
    matrix = J2Plasticity(62.5, at["shear"], LinearHardening(at["yield"], at["modulus"]))
    return {0: matrix, 1: IsotropicElastic(222.222, at["inclusion"])}


@pytest.mark.slow
@pytest.mark.parametrize("control", [pytest.param("strain", marks=pytest.mark.slow), "uniaxial stress"])
def test_derivatives_are_those_of_differences(control: str):
    wanted = {
        "shear": (0, "shear_modulus"),
        "yield": (0, "hardening.yield_stress"),
        "modulus": (0, "hardening.modulus"),
        "inclusion": (1, "shear_modulus"),
    }
    if control != "strain":
        wanted = {name: wanted[name] for name in ("yield", "inclusion")}
    options = {"control": control, "settings": TIGHT}
    path = PATH if control == "strain" else PATH * np.r_[1.0, np.zeros(5)]
    found = response_along_path(IMAGE, _laws({}), path, derivatives=list(wanted.values()), **options)
    for name, (phase, field) in wanted.items():
        step = 1e-4 * {"shear": 28.8, "yield": 0.1, "modulus": 0.5, "inclusion": 166.0}[name]
        up, down = (response_along_path(IMAGE, _laws({name: s}), path, **options) for s in (step, -step))
        exact = found.derivatives[f"phase {phase} {field.replace('_', ' ').replace('.', ' ')}"]
        # central differences: 1e-8 of their own, and the solver's 1e-10 over the step
        assert np.abs(exact - (up.value - down.value) / (2 * step)).max() <= 2e-5 * np.abs(exact).max()
    if control != "strain":
        assert np.abs(exact[:, 1:]).max() <= 1e-6 * np.abs(exact).max()  # given stresses stay


def test_every_scalar_of_every_law_has_a_name():
    assert parameters_of([MATRIX, INCLUSION])[2:5] == [
        (0, "hardening.yield_stress"),
        (0, "hardening.modulus"),
        (0, "kinematic"),
    ]


def test_a_parameter_that_there_is_not_is_refused():
    with pytest.raises(InputError, match="yield"):
        response_along_path(IMAGE, _laws({}), PATH, derivatives=[(0, "yield")])
    with pytest.raises(InputError, match="label 7"):
        response_along_path(IMAGE, _laws({}), PATH, derivatives=[(7, "shear_modulus")])
