"""Elastic layers: the exact stiffness and expansion, the local strains, the verbs and their refusals."""

import json
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scalebridge.cells.effective_laminate_stiffness import laminate_expansion, laminate_stiffness
from scalebridge.cells.laminate_elasticity import laminate_elasticity, laminate_strains
from scalebridge.core.errors import InputError
from scalebridge.laws.elastic_material import elastic_material
from scalebridge.laws.elasticity import (
    isotropic_moduli,
    isotropic_stiffness,
    rotate_stiffness,
    rotate_strain,
    transversely_isotropic_stiffness,
)
from scalebridge.laws.material_orientation import orientations_from_euler

REFERENCE = json.loads((Path(__file__).parent / "reference" / "laminates_exact.json").read_text())
ELASTIC = {
    name: case
    for name, case in REFERENCE.items()
    if isinstance(case, dict) and "C_mandel_11_22_33_23_13_12" in case
}
ROUNDING = 1e-12
STEEL = {"young": ("210 GPa", "5 GPa"), "poisson": 0.3, "expansion": "12e-6 1/K"}
RUBBER = {"young": "10 MPa", "poisson": ("0.48", 0.002), "expansion": "200e-6 1/K"}


def random_layers(seed, count=4):
    rng = np.random.default_rng(seed)
    roots = rng.standard_normal((count, 6, 6))
    stiffnesses = roots @ np.swapaxes(roots, 1, 2) + 0.5 * np.eye(6)
    fractions = rng.dirichlet(np.ones(count))
    return fractions, stiffnesses, rng.standard_normal((count, 6)), rng.standard_normal(3)


@pytest.mark.parametrize("name", ELASTIC)
def test_exact_isotropic_laminates(name):
    case = ELASTIC[name]
    stiffnesses = [
        isotropic_stiffness(*isotropic_moduli(young=E, poisson=v))
        for E, v in zip(case["E"], case["nu"], strict=True)
    ]
    expansions = np.outer(case["alpha"], [1, 1, 1, 0, 0, 0])
    C, alpha = laminate_elasticity(case["fractions"], jnp.stack(stiffnesses), expansions, [1.0, 0, 0])
    wanted = np.array(case["C_mandel_11_22_33_23_13_12"])
    np.testing.assert_allclose(C, wanted, atol=ROUNDING * wanted.max())
    np.testing.assert_allclose(
        alpha, case["alpha_mandel"], atol=ROUNDING * np.max(np.abs(case["alpha"])) * 10
    )


def test_there_are_elastic_reference_laminates():
    assert len(ELASTIC) >= 3


@given(st.integers(0, 10_000))
def test_fields_average_and_balance(seed):
    fractions, stiffnesses, expansions, normal = random_layers(seed)
    A, a = laminate_strains(fractions, stiffnesses, expansions, normal)
    C, alpha = laminate_elasticity(fractions, stiffnesses, expansions, normal)
    scale = np.abs(stiffnesses).max() * max(1, np.abs(A).max()) ** 2
    np.testing.assert_allclose(np.einsum("i,iab->ab", fractions, A), np.eye(6), atol=1e-10 * np.abs(A).max())
    np.testing.assert_allclose(fractions @ a, 0, atol=1e-10 * np.abs(a).max())
    stress = np.einsum("iab,ibc->iac", stiffnesses, A)
    np.testing.assert_allclose(np.einsum("i,iab->ab", fractions, stress), C, atol=1e-9 * scale)
    heated = fractions @ np.einsum("iab,ib->ia", stiffnesses, a - expansions)
    np.testing.assert_allclose(heated, -np.asarray(C @ alpha), atol=1e-9 * scale * np.abs(expansions).max())


@given(st.integers(0, 10_000))
def test_turning_everything_turns_the_answer(seed):
    fractions, stiffnesses, expansions, normal = random_layers(seed, 3)
    turn = orientations_from_euler(np.random.default_rng(seed + 1).uniform(-3, 3, 3))
    C, alpha = laminate_elasticity(fractions, stiffnesses, expansions, normal)
    turned, heated = laminate_elasticity(
        fractions, rotate_stiffness(stiffnesses, turn), rotate_strain(expansions, turn), turn.T @ normal
    )
    scale = float(np.abs(C).max())
    np.testing.assert_allclose(turned, rotate_stiffness(C, turn), atol=1e-9 * scale)
    np.testing.assert_allclose(heated, rotate_strain(alpha, turn), atol=1e-7 * float(np.abs(alpha).max()))


def test_nesting_layers_of_one_normal_is_one_stack():
    fractions, stiffnesses, expansions, normal = random_layers(7, 3)
    pair = fractions[:2] / fractions[:2].sum()
    fine, warm = laminate_elasticity(pair, stiffnesses[:2], expansions[:2], normal)
    nested = laminate_elasticity(
        [fractions[:2].sum(), fractions[2]],
        jnp.stack([fine, stiffnesses[2]]),
        jnp.stack([warm, expansions[2]]),
        normal,
    )
    whole = laminate_elasticity(fractions, stiffnesses, expansions, normal)
    for one, other in zip(nested, whole, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-10 * float(np.abs(other).max()))


def test_the_derivative_in_a_layer_is_the_product_of_its_strains():
    fractions, stiffnesses, expansions, normal = random_layers(3, 3)
    A, _ = laminate_strains(fractions, stiffnesses, expansions, normal)
    direction = np.random.default_rng(5).standard_normal((3, 6, 6))
    direction = direction + np.swapaxes(direction, 1, 2)
    _, slope = jax.jvp(
        lambda C: laminate_elasticity(fractions, C, expansions, normal)[0],
        (jnp.asarray(stiffnesses),),
        (jnp.asarray(direction),),
    )
    wanted = np.einsum("i,iab,iac,icd->bd", fractions, A, direction, A)
    np.testing.assert_allclose(slope, wanted, atol=1e-9 * np.abs(wanted).max())


def test_plies_turned_about_the_normal_share_their_shears_across():
    ply = transversely_isotropic_stiffness(138.0, 9.0, 0.3, 0.4, 6.0)
    plies = jnp.stack(
        [rotate_stiffness(ply, orientations_from_euler([turn, 0, 0])) for turn in (0, np.pi / 2)]
    )
    C, _ = laminate_elasticity([0.5, 0.5], plies, np.zeros((2, 6)), [0, 0, 1.0])
    assert C[2, 2] == pytest.approx(float(ply[2, 2]), rel=1e-12)  # the same in both plies
    shear23 = 9.0 / 2.8
    assert C[3, 3] == pytest.approx(
        4 / (1 / 6.0 + 1 / shear23), rel=1e-12
    )  # harmonic mean, times 2 in Mandel
    assert C[3, 3] < (6.0 + shear23) - 0.1  # and not the arithmetic one


def test_a_gap_carries_along_and_not_across():
    solid = isotropic_stiffness(4.0, 3.0)
    C, alpha = laminate_elasticity(
        [0.25, 0.75], jnp.stack([jnp.zeros((6, 6)), solid]), np.ones((2, 6)), [0, 0, 1.0]
    )
    assert not np.asarray(C)[[2, 3, 4]].any()
    sheet = 9 * 4 * 3 / (3 * 4 + 3)  # Young's modulus
    poisson = (3 * 4 - 2 * 3) / (2 * (3 * 4 + 3))
    assert C[0, 0] == pytest.approx(0.75 * sheet / (1 - poisson**2), rel=1e-13)
    assert np.all(np.isnan(alpha))
    A, _ = laminate_strains(
        [0.25, 0.75], jnp.stack([jnp.zeros((6, 6)), solid]), np.zeros((2, 6)), [0, 0, 1.0]
    )
    np.testing.assert_allclose(0.25 * A[0] + 0.75 * A[1], np.eye(6), atol=1e-14)


def test_the_verb_answers_with_checks_derivatives_and_spread():
    found = laminate_stiffness([("3 mm", STEEL), ("10 mm", RUBBER)])
    assert found.passed
    assert found.unit == "Pa"
    names = [check.name for check in found.checks]
    assert names[:3] == ["mean strain", "Hill-Mandel", "traction across layers"]
    assert "within Voigt-Reuss" in names
    assert set(found.derivatives) == {
        f"layer {row}: {name}" for row in (0, 1) for name in ("young", "poisson", "expansion")
    }
    assert not found.derivatives["layer 0: expansion"].any()
    parts = [found.derivatives["layer 0: young"] * 5e9, found.derivatives["layer 1: poisson"] * 0.002]
    np.testing.assert_allclose(found.std, np.sqrt(parts[0] ** 2 + parts[1] ** 2), rtol=1e-6, atol=1.0)
    assert json.loads(found.to_json())["notes"][0].startswith("Mandel")


def test_derivatives_of_the_verb_are_those_of_a_secant():
    def value(young):
        return laminate_stiffness(
            [(1, {"young": young, "poisson": 0.3}), (2, {"young": 1.0, "poisson": 0.2})]
        ).value

    slope = laminate_stiffness(
        [(1, {"young": 5.0, "poisson": 0.3}), (2, {"young": 1.0, "poisson": 0.2})]
    ).derivatives["layer 0: young"]
    np.testing.assert_allclose(
        (value(5.001) - value(4.999)) / 2e-3, slope, atol=1e-6
    )  # error of second order
    traced = jax.jacfwd(value)(5.0)
    np.testing.assert_allclose(traced, slope, rtol=1e-10, atol=1e-14)


def test_expansion_of_a_clad_sheet():
    E, v, hot = (120.0, 140.0), (0.34, 0.28), (17e-6, 1.2e-6)
    found = laminate_expansion(
        [
            (1, {"young": E[0], "poisson": v[0], "expansion": hot[0]}),
            (1, {"young": E[1], "poisson": v[1], "expansion": hot[1]}),
        ]
    )
    plane = np.array(E) / (1 - np.array(v))  # in-plane equilibrium of biaxial stresses
    along = plane @ hot / plane.sum()
    across = np.mean([a + 2 * n / (1 - n) * (a - along) for a, n in zip(hot, v, strict=True)])
    np.testing.assert_allclose(found.value, [along, along, across, 0, 0, 0], atol=1e-18)
    assert found.passed
    assert found.unit == "1/K"
    assert np.isclose(sum(found.derivatives[f"layer {row}: expansion"][0] for row in (0, 1)), 1.0, rtol=1e-12)


def test_tables_answer_at_a_temperature_only():
    hot = elastic_material(young=[("20 degC", "70 GPa"), ("120 degC", "60 GPa")], poisson=0.33)
    layers = [(1, hot), (1, STEEL)]
    cold = laminate_stiffness(layers, temperature="20 degC").value
    warm = laminate_stiffness(layers, temperature=343.15).value
    assert np.all(np.linalg.eigvalsh(cold - warm) > 0)
    with pytest.raises(InputError, match="depends"):
        laminate_stiffness(layers)


def test_a_layer_that_does_not_say_its_expansion_is_noted():
    found = laminate_expansion([(1, STEEL), (1, {"young": 1e9, "poisson": 0.3})])
    assert any("layer 1" in note for note in found.notes)


REFUSED = [
    ("no layers", lambda: laminate_stiffness([]), "at least one layer"),
    ("no pair", lambda: laminate_stiffness([STEEL]), "a thickness and a material"),
    ("plane normal", lambda: laminate_stiffness([(1, STEEL)], normal=(0, 1)), "3 numbers"),
    ("no direction", lambda: laminate_stiffness([(1, STEEL)], normal=(0, 0, 0)), "not all zero"),
    ("thickness", lambda: laminate_stiffness([(-1, STEEL)]), "positive, finite length"),
    ("mixed units", lambda: laminate_stiffness([("1 mm", STEEL), (1, STEEL)]), "on every thickness"),
    ("material", lambda: laminate_stiffness([(1, {"young": 1.0})]), "layer 0"),
    (
        "no expansion",
        lambda: laminate_expansion([(1, {"young": 1.0, "poisson": 0.3})]),
        "expansion in one layer",
    ),
    ("gap", lambda: laminate_expansion([(1, STEEL), (1, "void")]), "hold together"),
    (
        "outside",
        lambda: laminate_stiffness(
            [(1, {"young": [(300, 1.0), (400, 1.0)], "poisson": 0.3})], temperature=500
        ),
        "extrapolated",
    ),
    (
        "shapes",
        lambda: laminate_elasticity([0.5, 0.5], np.eye(6)[None], np.zeros((1, 6)), [0, 0, 1.0]),
        "Mandel",
    ),
    (
        "fractions",
        lambda: laminate_elasticity([0.5], np.eye(6)[None], np.zeros((1, 6)), [0, 0, 1.0]),
        "sum 1",
    ),
]


@pytest.mark.parametrize(("call", "said"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_bad_stacks_are_refused(call, said):
    with pytest.raises(InputError, match=said) as refused:
        call()
    assert refused.value.cure
