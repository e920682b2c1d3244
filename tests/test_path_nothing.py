"""Samples that carry nothing: an honest zero passes the checks, a wrong field or tangent does not."""

import numpy as np
import pytest

from path_samples import INCLUSION, MATRIX
from scalebridge.cells import path_tangent, response_path
from scalebridge.cells.response_path import response_along_path
from scalebridge.laws.constitutive_law import constitutive_law
from scalebridge.structures.representative_volume import representative_volume

CUT = np.ones((4, 4, 4), int)  # by a slab of void: nothing is carried across it
CUT[0] = 0
ISLAND = CUT.copy()  # with void all around it
ISLAND[:, 0] = ISLAND[:, :, 0] = 0
POROUS = np.ones((4, 4, 4), int)
POROUS[1:3, 1:3, 1:3] = 0
PULL = np.outer([0.002, 0.004, 0.003], [1.0, 0, 0, 0, 0, 0.5])


def along(labels, law):
    return response_along_path(labels, {0: "void", 1: law}, PULL)


def told(found):
    return {check.name.split(",")[0]: check for check in found.checks}


@pytest.mark.parametrize("labels", [CUT, ISLAND], ids=["cut", "island"])
@pytest.mark.parametrize("law", [MATRIX, INCLUSION], ids=["plastic", "elastic"])
def test_nothing_carried_passes(labels, law):
    found = along(labels, law)
    assert np.abs(found.value).max() < 1e-9, "of a stiffness of some 100: what the solve leaves"
    assert found.passed, [str(check) for check in found.checks]


def test_what_is_torn_passes():
    """The crack is open when the energy of a bilinear law is spent: strength and stress are gone."""
    law = constitutive_law(
        "damage", young=30e9, poisson=0.2, strength=3e6, fracture_energy=30.0, length=1e-3, softening="linear"
    )
    pull = np.outer([1e-4, 0.01, 0.05, 0.19], [1.0, 0, 0, 0, 0, 0])
    found = response_along_path(np.zeros((2, 2, 2), int), {0: law}, pull)
    assert abs(found.value[-1, 0]) < 1e-6 * 30e9 * 0.19
    assert found.passed, [str(check) for check in found.checks]


@pytest.mark.parametrize("labels", [CUT, ISLAND, POROUS], ids=["cut", "island", "porous"])
def test_a_wrong_field_fails(labels, monkeypatch):
    """One node off by 1e-4 of an edge, beside strains of 2e-3: stresses are then in no equilibrium."""
    reader = response_path.FieldReader

    class Wrong(reader):
        def read(self, state):
            u = np.array(state["u"])
            if np.any(u):
                u[1, 0, 1, 1] += 1e-4
            return super().read({**state, "u": u})

    monkeypatch.setattr(response_path, "FieldReader", Wrong)
    assert not told(along(labels, MATRIX))["Hill-Mandel"].passed


@pytest.mark.parametrize("labels", [CUT, ISLAND, POROUS], ids=["cut", "island", "porous"])
def test_a_wrong_tangent_fails(labels, monkeypatch):
    """Changes of the fluctuation that are a tenth too small."""
    solve = path_tangent._solve

    def short(*given):
        fields, steps, outcome = solve(*given)
        return 0.9 * fields, steps, outcome

    monkeypatch.setattr(path_tangent, "_solve", short)
    assert not told(along(labels, MATRIX))["tangent"].passed


@pytest.mark.parametrize("labels", [CUT, POROUS], ids=["cut", "porous"])
def test_a_cell_says_a_gap_that_is_small_beside_its_size(labels):
    cell = representative_volume(labels, {0: "void", 1: MATRIX}, voxel="1 um")
    stats = cell.respond(PULL[0], cell.rest()).stats
    assert stats["Hill-Mandel size"] > 0
    assert stats["Hill-Mandel gap"] <= 1e-6 * stats["Hill-Mandel size"]
