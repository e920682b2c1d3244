"""Bounds of elastic moduli, and the exact relations that hold whatever the microstructure."""

import csv
import itertools
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scalebridge.cells.laminate_elasticity import laminate_elasticity
from scalebridge.core.errors import InputError
from scalebridge.laws.elastic_bounds import (
    bound_elastic,
    bound_hashin_shtrikman_elastic,
    bound_reuss_elastic,
    bound_voigt_elastic,
    moduli_of,
)
from scalebridge.laws.elasticity import isotropic_stiffness, rotate_stiffness
from scalebridge.laws.material_orientation import orientations_from_euler
from scalebridge.laws.mean_field import coated_sphere_bulk, equal_shear_bulk, levin_expansion

FOLDER = Path(__file__).parent / "reference"
PRINTED = 1e-13  # the tables carry 15 digits


def rows(name):
    with (FOLDER / f"{name}.csv").open(newline="") as stream:
        return list(csv.DictReader(stream))


TWO_PHASE = rows("bounds_elastic_two_phase")


@pytest.mark.parametrize("row", TWO_PHASE, ids=[row["name"] for row in TWO_PHASE])
def test_two_phase_bounds(row):
    known = {key: float(value) for key, value in row.items() if key != "name"}
    fractions = [1 - known["f2"], known["f2"]]
    bulks, shears = [known["K1"], known["K2"]], [known["G1"], known["G2"]]
    bulk, shear = bound_hashin_shtrikman_elastic(fractions, bulks, shears)
    wanted = [known[key] for key in ("K_HS-", "K_HS+", "G_HS-", "G_HS+")]
    np.testing.assert_allclose([*bulk, *shear], wanted, rtol=10 * PRINTED, atol=1e-300)
    stiffnesses = jnp.stack([isotropic_stiffness(K, G) for K, G in zip(bulks, shears, strict=True)])
    for bound, key in ((bound_reuss_elastic, "reuss"), (bound_voigt_elastic, "voigt")):
        found = moduli_of(bound(fractions, stiffnesses))
        np.testing.assert_allclose(
            found, [known[f"K_{key}"], known[f"G_{key}"]], rtol=100 * PRINTED, atol=1e-300
        )


moduli = st.floats(0.01, 100.0)


@given(
    st.lists(st.tuples(moduli, moduli, st.floats(0.01, 1)), min_size=2, max_size=5), st.sampled_from([2, 3])
)
def test_bounds_are_nested_in_each_other(phases, dim):
    bulks, shears, shares = (np.array(part) for part in zip(*phases, strict=True))
    fractions = shares / shares.sum()
    for values, (low, high) in zip(
        (bulks, shears), bound_hashin_shtrikman_elastic(fractions, bulks, shears, dim), strict=True
    ):
        reuss, voigt = 1 / (fractions @ (1 / values)), fractions @ values
        slack = 1e-12 * voigt
        assert reuss - slack <= low <= high + slack
        assert high <= voigt + slack


@given(st.floats(0.05, 0.95), moduli, moduli, moduli)
def test_equal_shear_closes_the_bounds(share, one, two, shear):
    for dim in (2, 3):
        bulk, both = bound_hashin_shtrikman_elastic([1 - share, share], [one, two], [shear, shear], dim)
        exact = float(equal_shear_bulk(jnp.array([1 - share, share]), jnp.array([one, two]), shear, dim))
        np.testing.assert_allclose([*bulk, *both], [exact, exact, shear, shear], rtol=1e-12)


def test_three_layers_in_three_directions_keep_to_the_bounds_by_trace():
    # A laminate averaged over directions is not a composite; a laminate of rank three nearly is.
    soft, stiff = isotropic_stiffness(1.0, 0.6), isotropic_stiffness(8.0, 5.0)
    medium, share = stiff, 1.0
    for axis in np.eye(3):
        medium, _ = laminate_elasticity([0.3, 0.7], jnp.stack([soft, medium]), np.zeros((2, 6)), axis)
        share *= 0.7
    bulk, _ = bound_hashin_shtrikman_elastic([1 - share, share], [1.0, 8.0], [0.6, 5.0])
    response = 1 / float(np.sum(np.linalg.inv(medium)[:3, :3]))  # under pressure: at most the bulk modulus
    assert response < bulk[1]
    assert bulk[0] < float(moduli_of(medium)[0])


def test_bounds_with_pores_and_absent_phases():
    bulk, shear = bound_hashin_shtrikman_elastic([0.7, 0.3, 0.0], [1.0, 0.0, 50.0], [1.0, 0.0, 70.0])
    assert bulk[0] == 0 == shear[0]
    assert bulk[1] == pytest.approx(0.7 / (1 + 0.3 * 3 / 4))  # 4 G K (1 - f) / (4 G + 3 K f)
    assert not np.asarray(bound_reuss_elastic([0.5, 0.5], jnp.stack([jnp.zeros((6, 6)), jnp.eye(6)]))).any()
    assert np.asarray(bound_reuss_elastic([0.0, 1.0], jnp.stack([jnp.zeros((6, 6)), jnp.eye(6)]))).any()


def test_bounds_are_differentiable():
    def low(share):
        bulk, shear = bound_hashin_shtrikman_elastic(jnp.stack([1 - share, share]), [1.0, 10.0], [1.0, 5.0])
        return bulk[0] + shear[1]

    slope = jax.grad(low)(0.3)
    assert slope == pytest.approx(float(low(0.30001) - low(0.29999)) / 2e-5, rel=1e-7)


def test_voigt_and_reuss_of_anisotropic_grains():
    grain = np.asarray(
        rotate_stiffness(isotropic_stiffness(1.0, 1.0) + 3 * np.diag([1.0, 0, 0, 0, 0, 0]), np.eye(3))
    )
    grains = np.stack(
        [rotate_stiffness(grain, orientations_from_euler([turn, 0.3, 0])) for turn in (0, 1, 2)]
    )
    fractions = [0.2, 0.3, 0.5]
    gap = bound_voigt_elastic(fractions, grains) - bound_reuss_elastic(fractions, grains)
    assert np.linalg.eigvalsh(gap)[0] > -1e-13


def test_the_face_function_prints_and_orders():
    glass, epoxy = {"young": 72.5e9, "poisson": 0.22}, {"young": 3.5e9, "poisson": 0.35}
    found = bound_elastic([(0.7, epoxy), (0.3, glass)])
    assert found.ordered
    assert set(found.bulk) == {"Voigt-Reuss", "Hashin-Shtrikman"}
    assert found.to_dict()["shear"]["Hashin-Shtrikman"]["source"].startswith("Hashin")
    crossed = bound_elastic([(0.5, {"bulk": 1.0, "shear": 2.0}), (0.5, {"bulk": 2.0, "shear": 1.0})])
    assert not crossed.ordered
    grains = bound_elastic([(1.0, {"c11": 168.4, "c12": 121.4, "c44": 75.4})])
    assert not grains.bulk
    assert "anisotropic" in str(grains)
    porous = bound_elastic([(0.7, epoxy), (0.3, "void")])
    assert porous.young["Hashin-Shtrikman"].lower == 0


REFUSED = [
    ([], "at least one phase"),
    ([{"young": 1.0}], "a fraction and a material"),
    ([(0.5, {"young": 1.0, "poisson": 0.3})], "sum 1"),
    ([("half", {"young": 1.0, "poisson": 0.3})], "numbers with sum 1"),
    ([(1.0, {"young": 1.0, "poisson": 0.7})], "poisson < 0.5"),
    ([(1.5, {"young": 1.0, "poisson": 0.3}), (-0.5, {"young": 1.0, "poisson": 0.3})], "non-negative"),
]


@pytest.mark.parametrize(("phases", "said"), REFUSED)
def test_bad_mixtures_are_refused(phases, said):
    with pytest.raises(InputError, match=said) as refused:
        bound_elastic(phases)
    assert refused.value.cure


def test_wrong_shapes_are_refused():
    with pytest.raises(InputError, match="Mandel"):
        bound_voigt_elastic([1.0], np.eye(6))
    with pytest.raises(InputError, match="2 or 3"):
        bound_hashin_shtrikman_elastic([1.0], [1.0], [1.0], dim=1)


# ------------------------------------------------------------------------------------ exact relations


@pytest.mark.parametrize("row", rows("hashin_coated_sphere_exact"))
def test_hashins_coated_sphere(row):
    values = list(row.values())
    core, coat, shear, share = (float(values[at]) for at in (0, 2, 3, 6))
    assert float(coated_sphere_bulk(share, core, coat, shear)) == pytest.approx(float(values[7]), rel=1e-13)


@pytest.mark.parametrize(("name", "dim"), [("hill_equal_shear_exact", 3), ("hill_equal_shear_2d_exact", 2)])
def test_hills_equal_shear(name, dim):
    for row in rows(name):
        shear, one, two, share, wanted = (float(value) for value in itertools.islice(row.values(), 5))
        found = equal_shear_bulk(jnp.array([1 - share, share]), jnp.array([one, two]), shear, dim)
        assert float(found) == pytest.approx(wanted, rel=1e-13)


@pytest.mark.parametrize("row", rows("levin_cte_exact"))
def test_levins_relation_for_isotropic_phases(row):
    one, two, hot, cold, share, effective, wanted = (
        float(value) for value in itertools.islice(row.values(), 7)
    )
    fractions = jnp.array([1 - share, share])
    found = levin_expansion(
        fractions, jnp.array([[[one]], [[two]]]), jnp.array([[hot], [cold]]), jnp.array([[effective]])
    )
    assert float(found[0]) == pytest.approx(wanted, rel=1e-13)


@given(st.integers(0, 1000))
def test_levins_relation_holds_for_any_laminate_of_two_phases(seed):
    rng = np.random.default_rng(seed)
    roots = rng.standard_normal((2, 6, 6))
    stiffnesses = jnp.asarray(roots @ np.swapaxes(roots, 1, 2) + np.eye(6))
    expansions, fractions = jnp.asarray(rng.standard_normal((2, 6))), jnp.array([0.35, 0.65])
    C, alpha = laminate_elasticity(fractions, stiffnesses, expansions, rng.standard_normal(3))
    condition = float(np.linalg.cond(np.linalg.inv(stiffnesses[1]) - np.linalg.inv(stiffnesses[0])))
    np.testing.assert_allclose(
        levin_expansion(fractions, stiffnesses, expansions, C),
        alpha,
        atol=1e-12 * condition * float(np.abs(alpha).max() + 1),
    )
