"""Mixed loading of an effective medium: textbook cases, local fields by superposition, refusals.

Tolerances: solutions of 6 x 6 systems agree to rounding (1e-12); means of local fields to the solver's stop.
"""

import numpy as np
import pytest

from scalebridge import InputError, effective_expansion, effective_stiffness, macroscopic_response
from scalebridge.laws.elastic_material import elastic_material
from scalebridge.laws.elasticity import plane_stress

YOUNG, POISSON, ALPHA = 70e9, 0.33, 23e-6
METAL = elastic_material(young=YOUNG, poisson=POISSON).stiffness()
SIX = np.array([ALPHA, ALPHA, ALPHA, 0, 0, 0])
LAYERS = np.random.default_rng(4).integers(0, 2, (4, 4, 4))
PHASES = {
    0: {"young": "3 GPa", "poisson": 0.35, "expansion": 6e-5},
    1: {"young": "70 GPa", "poisson": 0.2, "expansion": 5e-6},
}


def test_uniaxial_stress_is_youngs_law():
    found = macroscopic_response(METAL, stress={"11": 1e6})
    wanted = np.array([1, -POISSON, -POISSON, 0, 0, 0]) * 1e6 / YOUNG
    np.testing.assert_allclose(found.strain, wanted, rtol=1e-12, atol=1e-18)
    assert found.energy == pytest.approx(1e12 / (2 * YOUNG), rel=1e-12)


def test_plane_stress_is_the_reduced_stiffness():
    in_plane = np.array([1e-3, -2e-4, 3e-4])
    found = macroscopic_response(METAL, strain=dict(zip(("11", "22", "12"), in_plane, strict=True)))
    np.testing.assert_allclose(
        found.stress[[0, 1, 5]], np.asarray(plane_stress(METAL)) @ in_plane, rtol=1e-12
    )
    assert np.all(found.stress[[2, 3, 4]] == 0)


def test_plane_strain_needs_a_stress_across():
    found = macroscopic_response(METAL, strain={"33": 0.0}, stress={"11": 2e6})
    assert found.strain[2] == 0
    assert found.stress[2] == pytest.approx(POISSON * 2e6, rel=1e-12)


def test_a_free_warming_strains_without_stress_and_a_held_one_stresses_without_strain():
    free = macroscopic_response(METAL, warming=10.0, expansion=SIX)
    np.testing.assert_allclose(free.strain, 10 * SIX, rtol=1e-14)
    assert np.all(free.stress == 0)
    assert free.energy == 0
    names = ("11", "22", "33", "23", "13", "12")
    held = macroscopic_response(METAL, strain=dict.fromkeys(names, 0.0), warming=10.0, expansion=SIX)
    assert held.stress[0] == pytest.approx(-YOUNG / (1 - 2 * POISSON) * ALPHA * 10, rel=1e-12)


def test_a_planar_law():
    found = macroscopic_response(np.asarray(plane_stress(METAL)), stress={"11": 1e6})
    np.testing.assert_allclose(found.strain, np.array([1, -POISSON, 0]) * 1e6 / YOUNG, rtol=1e-12, atol=1e-18)


@pytest.mark.parametrize("warming", [0.0, 25.0])
def test_local_fields_have_the_macroscopic_means(warming):
    solved = effective_expansion(LAYERS, PHASES, budget="none", fields=True, rtol=1e-10)
    found = macroscopic_response(solved, strain={"11": 1e-3}, warming=warming)
    mean = {kind: found.fields[kind].mean(axis=(1, 2, 3)) for kind in ("strain", "stress")}
    np.testing.assert_allclose(mean["strain"], found.strain, atol=1e-12)
    np.testing.assert_allclose(mean["stress"], found.stress, atol=1e-6 * np.abs(found.stress[0]))


def test_hill_and_mandel_for_a_mixed_loading():
    """In layers strain and stress are uniform in each voxel: means of voxels keep all of the energy."""
    layers = np.broadcast_to(np.array([0, 1, 1, 0]).reshape(4, 1, 1), (4, 2, 2)).copy()
    solved = effective_stiffness(layers, PHASES, budget="none", fields=True, rtol=1e-12)
    found = macroscopic_response(solved, strain={"11": 1e-3, "12": 2e-4}, stress={"22": 5e6})
    local = np.einsum("cxyz,cxyz->xyz", found.fields["strain"], found.fields["stress"]).mean()
    assert local == pytest.approx(found.strain @ found.stress, rel=1e-9)
    assert local == pytest.approx(2 * found.energy, rel=1e-9)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"strain": {"44": 1e-3}}, "11, 22, 33, 23, 13, 12"),
        ({"strain": {"11": "1"}}, "finite number"),
        ({"strain": {"11": float("nan")}}, "finite number"),
        ({"strain": {"11": True}}, "finite number"),
        ({"strain": [1e-3]}, "by component"),
        ({"stress": {"11": 1e6}, "strain": {"11": 1e-3}}, "both of 11"),
        ({"warming": 10.0}, "without an expansion"),
        ({"warming": float("inf")}, "kelvins"),
        ({"warming": 1.0, "expansion": [1e-5]}, "6 finite numbers"),
    ],
)
def test_refusals(given, says):
    with pytest.raises(InputError, match=says):
        macroscopic_response(METAL, **given)


def test_what_does_not_hang_together_is_refused():
    with pytest.raises(InputError, match="hang together"):
        macroscopic_response(np.diag([1.0, 1, 1, 1, 1, 0]), strain={"11": 1e-3})
