"""Elastic materials as people write them: units, tables, formulas, expansion, orientation, refusals."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scalebridge.core.errors import InputError
from scalebridge.laws.elastic_material import elastic_material, material_from
from scalebridge.laws.elasticity import (
    cubic_stiffness,
    isotropic_moduli,
    isotropic_stiffness,
    voigt_from_mandel,
)
from scalebridge.laws.expressions import Expression
from scalebridge.laws.temperature import parse_constant
from scalebridge.laws.temperature_table import parse_temperature
from scalebridge.laws.thermal_expansion import secant_from_tangent, tangent_from_secant

PLY = {"young1": "138 GPa", "young2": "9 GPa", "poisson12": 0.3, "poisson23": 0.4, "shear12": "6 GPa"}
TABLE = [("20 degC", "70 GPa"), ("120 degC", "66 GPa"), ("220 degC", "60 GPa")]


def test_an_isotropic_material_with_units_and_spread():
    found = elastic_material(
        young=("70 GPa", "2 GPa"), poisson={"value": 0.33, "std": "3 %"}, expansion="23e-6 1/K", name="Al"
    )
    assert (found.name, found.kind, found.names) == ("Al", "isotropic", ("young", "poisson", "expansion"))
    assert found.units == ("Pa", "1", "1/K")
    np.testing.assert_allclose(found.values(None), [70e9, 0.33, 23e-6], rtol=1e-15)
    np.testing.assert_allclose(found.stds(None), [2e9, 0.0099, 0.0], rtol=1e-14)
    np.testing.assert_allclose(
        found.stiffness(), isotropic_stiffness(*isotropic_moduli(young=70e9, poisson=0.33)), rtol=1e-15
    )
    np.testing.assert_allclose(found.expansion(), [23e-6] * 3 + [0] * 3, rtol=1e-15)
    assert found.has_expansion
    assert not found.depends_on_temperature
    assert found.temperature_range is None
    assert not found.is_void


@pytest.mark.parametrize(
    "given_",
    ["void", {"void": True}, {"young": 0}, {"young": "0 GPa", "poisson": 0.3}, {"bulk": 0, "shear": 0}],
)
def test_voids_have_no_constants(given_):
    found = material_from(given_, "phase 0")
    assert found.is_void
    assert found.kind == "void"
    assert found.names == ()
    assert not found.stiffness().any()
    assert not found.expansion().any()
    assert found.stiffness().shape == (6, 6)


def test_a_ply_along_z_and_its_expansion():
    found = elastic_material(
        **PLY, expansion1="-0.5e-6 1/K", expansion2="30e-6/K", orientation={"axis": [0, 0, 2]}
    )
    own = elastic_material(**PLY).stiffness()
    order = [2, 1, 0, 5, 4, 3]  # axes 1 and 3 exchanged
    np.testing.assert_allclose(found.stiffness(), own[np.ix_(order, order)], atol=1e-3)
    np.testing.assert_allclose(found.expansion(), [30e-6, 30e-6, -0.5e-6, 0, 0, 0], atol=1e-19)


def test_orientations_written_in_four_ways_agree():
    ways = [
        {"euler": ["30 deg", "0 deg", "0 deg"]},
        {"euler": [30, 0, 0], "unit": "deg"},
        {"quaternion": [np.cos(np.pi / 12), 0, 0, np.sin(np.pi / 12)]},
        {"axis": [np.cos(np.pi / 6), np.sin(np.pi / 6), 0]},
        [[np.cos(np.pi / 6), np.sin(np.pi / 6), 0], [-np.sin(np.pi / 6), np.cos(np.pi / 6), 0], [0, 0, 1]],
    ]
    found = [elastic_material(**PLY, orientation=way).stiffness() for way in ways]
    for other in found[1:]:
        np.testing.assert_allclose(other, found[0], atol=1e-3)
    assert found[0][0, 5] > 1e9  # fibres at 30 degrees couple 11 with +12


def test_a_full_stiffness_in_either_notation():
    mandel = np.asarray(cubic_stiffness(168.4, 121.4, 75.4))
    voigt = np.asarray(voigt_from_mandel(mandel))
    ways = [
        {"value": mandel, "notation": "mandel", "unit": "GPa"},
        {"value": voigt.tolist(), "notation": "voigt", "unit": "GPa"},
        {"value": [[f"{entry!r} GPa" for entry in row] for row in voigt.tolist()], "notation": "voigt"},
    ]
    for way in ways:
        found = elastic_material(stiffness=way, expansion=[1e-6, 2e-6, 3e-6, 0, 0, "4e-6 1/K"])
        np.testing.assert_allclose(found.stiffness(), mandel * 1e9, rtol=1e-14)
        np.testing.assert_allclose(found.expansion(), [1e-6, 2e-6, 3e-6, 0, 0, 4e-6], rtol=1e-14)
    assert found.kind == "full"
    assert len(found.names) == 27
    table = [(300, mandel), (400, 0.9 * mandel)]
    hot = elastic_material(stiffness={"table": table, "notation": "mandel", "unit": "GPa"})
    np.testing.assert_allclose(hot.stiffness(350), 0.95e9 * mandel, rtol=1e-14)


def test_tables_are_interpolated_and_never_extrapolated():
    found = elastic_material(young=TABLE, poisson=[("0 degC", 0.33), ("100 degC", 0.34)])
    assert found.depends_on_temperature
    assert found.temperature_range == (293.15, 373.15)
    np.testing.assert_allclose(found.values(343.15), [68e9, 0.337], rtol=1e-12)
    for outside in (290.0, 380.0):
        with pytest.raises(InputError, match="nothing is extrapolated"):
            found.values(outside)
    with pytest.raises(InputError, match="depends"):
        found.stiffness()


def test_pchip_keeps_monotone_data_monotone_and_hits_the_points():
    smooth = parse_constant({"table": TABLE, "interpolation": "pchip", "std": "2 %"}, "young", "Pa")
    at = [smooth.at(T) for T in np.linspace(293.15, 493.15, 50)]
    assert np.all(np.diff(at) < 0)
    assert smooth.at("120 degC") == pytest.approx(66e9)
    assert smooth.std_at("120 degC") == pytest.approx(0.02 * 66e9)
    assert abs(smooth.at(343.15) - 68e9) > 1e6  # and is not the straight line


def test_a_csv_file_with_units_in_its_header(tmp_path):
    file = tmp_path / "steel.csv"
    file.write_text(
        "# cited\ntemperature [degC], young [GPa], expansion (1e-6/K)\n20, 210, 11.5\n400, 180, 13.5\n"
    )
    found = elastic_material(young=str(file), poisson=0.3, expansion=Path(file))
    np.testing.assert_allclose(found.values(293.15), [210e9, 0.3, 11.5e-6], rtol=1e-12)
    np.testing.assert_allclose(found.values(483.15), [195e9, 0.3, 12.5e-6], rtol=1e-12)


FORMULAS = [
    ("210 GPa * (1 - 2.3e-4*(T-293.15))", "Pa", 393.15, 210e9 * (1 - 2.3e-2)),
    ("70 GPa - 0.05 GPa/K * (T - 293.15 K)", "Pa", 393.15, 65e9),
    ("70 GPa*exp(-T/1000)", "Pa", 300.0, 70e9 * np.exp(-0.3)),
    ("23e-6 1/K + 5e-9 1/K^2*(T - 300 K)", "1/K", 400.0, 23.5e-6),
    ("23e-6/K*(T/300)**0.5", "1/K", 300.0, 23e-6),
    ("0.3 + 1e-4*(T-300)", "1", 400.0, 0.31),
    ("1e9*sqrt(T/300)", "Pa", 1200.0, 2e9),
    ("minimum(70 GPa, 80 GPa - 0.1 GPa*(T-300))", "Pa", 500.0, 60e9),
    ("-(-2 MPa)*T/T + 1 MPa*0", "Pa", 500.0, 2e6),
]


@pytest.mark.parametrize(("text", "unit", "at", "wanted"), FORMULAS)
def test_formulas(text, unit, at, wanted):
    assert float(Expression(text, unit)(at)) == pytest.approx(wanted, rel=1e-13)


BAD_FORMULAS = [
    "__import__('os').system('true')",
    "T.__class__",
    "70 GPa if T > 300 else 0",
    "[T for T in (1, 2)]",
    "lambda T: T",
    "70 GPa * sin",
    "x * T",
    "70 GPa ^ T",
    "70 Gpa_ * T",
    "70 GPa + 1 kg * T",
    "70 GPa + T",
    "exp(70 GPa) * T",
    "(70 GPa)**T",
    "70 GPaa * T",
    "T" + " + T" * 600,
    "70 GPa * T *",
    "exp(T, T) * 70 GPa",
    "70 GPa * 'T'",
    "2 kg/m * T",
    "exp(T=3) * 1 Pa",
]


@pytest.mark.parametrize("text", BAD_FORMULAS)
def test_what_is_no_formula_is_refused(text):
    with pytest.raises(InputError):
        Expression(text, "Pa", "young")


def test_a_formula_with_a_range_is_looked_at_all_over_it():
    good = {"expression": "70 GPa * (1 - (T - 300)/1000)", "range": ["300 K", "1200 K"]}
    assert elastic_material(young=good, poisson=0.3).temperature_range == (300.0, 1200.0)
    with pytest.raises(InputError, match="positive young"):
        elastic_material(young={**good, "range": [300, 1400]}, poisson=0.3)


def test_functions_of_the_temperature():
    found = elastic_material(young=lambda T: 70e9 - 1e7 * T, poisson=0.3)
    assert found.values(300.0)[0] == pytest.approx(67e9)


@given(st.floats(200, 400), st.lists(st.floats(-1, 1), min_size=3, max_size=3))
def test_secant_and_tangent_round_trip_where_the_strain_is_cubic(reference, parts):
    def strain(T, slope=False):
        x = (T - reference) / 100
        terms = [1e-3 * p for p in parts]
        if slope:
            return (terms[0] + 2 * terms[1] * x + 3 * terms[2] * x**2) / 100
        return terms[0] * x + terms[1] * x**2 + terms[2] * x**3

    knots = np.array([150.0, 220.0, 260.0, 350.0, 470.0])
    away = knots - reference
    near = np.abs(away) < 1e-3
    secant = np.where(near, strain(reference, slope=True), strain(knots) / np.where(near, 1, away))
    tangent = tangent_from_secant(knots, secant, reference)
    np.testing.assert_allclose(tangent, strain(knots, slope=True), atol=1e-14 + 1e-3 * np.any(near))
    np.testing.assert_allclose(
        secant_from_tangent(knots, tangent, reference), secant, atol=1e-12 + 1e-3 * np.any(near)
    )


def test_the_tangents_error_falls_with_the_third_power_of_the_spacing():
    def error(count):
        knots = np.linspace(300, 900, count)
        secant = (np.exp((knots - 300) / 300) - 1) * 1e-3 / np.where(knots > 300, knots - 300, 1)
        secant[0] = 1e-3 / 300
        return np.max(np.abs(tangent_from_secant(knots, secant, 300.0) - np.exp((knots - 300) / 300) / 3e5))

    rate = np.log2(error(17) / error(33))
    assert 2.7 < rate < 3.5


def test_a_secant_material_answers_with_the_tangent():
    secant = "10e-6 1/K * (1 + 1e-3*(T - 300))"
    table = [(T, 10e-6 * (1 + 1e-3 * (T - 300))) for T in (250, 300, 400, 500)]
    for form in (secant, table, lambda T: 10e-6 * (1 + 1e-3 * (T - 300))):
        found = elastic_material(
            young=1.0, poisson=0.3, expansion=form, expansion_kind="secant", reference_temperature="300 K"
        )
        assert found.expansion(400.0)[0] == pytest.approx(10e-6 * (1 + 2e-3 * 100), rel=1e-12)
    tangent = elastic_material(young=1.0, poisson=0.3, expansion=secant)
    assert tangent.expansion(400.0)[0] == pytest.approx(11e-6, rel=1e-12)


def test_stiffness_and_expansion_are_differentiable_in_the_constants():
    found = elastic_material(**PLY, expansion1=1e-6, expansion2=3e-5, orientation={"euler": ["20 deg"] * 3})
    values = found.values(None)
    slopes = jax.jacfwd(found.stiffness_of)(values)
    assert slopes.shape == (6, 6, 7)
    assert not slopes[..., 5:].any()
    # degree one in the moduli: Euler's theorem
    moduli = [0, 1, 4]
    np.testing.assert_allclose(slopes[..., moduli] @ values[moduli], found.stiffness(), rtol=1e-10, atol=1e-2)
    expansion = jax.jacfwd(found.expansion_of)(values)
    np.testing.assert_allclose(expansion[:, 5:] @ values[5:], found.expansion(), atol=1e-18)


def test_constants_may_be_traced():
    def c11(young):
        made = elastic_material(young=young, poisson=0.25)
        return made.stiffness_of(made.values(None))[0, 0]

    assert float(jax.grad(c11)(3.0)) == pytest.approx(1.2, rel=1e-14)  # (1 - nu) / ((1 + nu)(1 - 2 nu))
    assert float(jax.jit(c11)(jnp.asarray(5.0))) == pytest.approx(6.0, rel=1e-14)


def test_the_record_is_plain():
    found = elastic_material(
        young=TABLE, poisson=(0.3, "2 %"), density="2.7 g/cm^3", heat_capacity="900 J/kg/K"
    )
    record = found.to_dict()
    assert record["poisson"] == {"value": 0.3, "std": "2 %"}
    assert record["young"][0] == [293.15, 70e9]
    assert found.density.at() == pytest.approx(2700.0)
    assert found.heat_capacity.at() == 900.0


def test_temperatures():
    assert parse_temperature("20 degC") == 293.15
    assert parse_temperature("68 degF") == pytest.approx(293.15)
    assert parse_temperature("20 °C") == 293.15


GOOD = {"young": "70 GPa", "poisson": 0.33}
REFUSED = [
    ("no table", 70e9, "table of constants"),
    ("nothing", {}, "none"),
    ("one constant", {"young": "70 GPa"}, "elastic constants young"),
    ("three", {**GOOD, "bulk": "70 GPa"}, "elastic constants"),
    ("habit", {"E": "70 GPa", "poisson": 0.3}, "did you mean 'young'"),
    ("typing error", {"yuong": "70 GPa", "poisson": 0.3}, "did you mean 'young'"),
    ("unit of another kind", {"young": "70 kg", "poisson": 0.3}, "convertible to Pa"),
    ("unknown unit", {"young": "70 GPb", "poisson": 0.3}, "young"),
    ("text without unit", {"young": "70", "poisson": 0.3}, "unit of Pa"),
    ("unit on a ratio", {"young": "70 GPa", "poisson": "0.3 GPa"}, "poisson"),
    ("nan", {"young": float("nan"), "poisson": 0.3}, "finite"),
    ("incompressible", {"young": "70 GPa", "poisson": 0.5}, "0.499"),
    ("negative", {"young": "-70 GPa", "poisson": 0.3}, "positive young"),
    ("boolean", {"young": True, "poisson": 0.3}, "young"),
    ("negative std", {"young": ("70 GPa", "-2 GPa"), "poisson": 0.3}, "not negative"),
    ("std of another unit", {"young": ("70 GPa", "2 K"), "poisson": 0.3}, "std"),
    ("fluid", {"bulk": "2 GPa", "shear": 0}, "fluid"),
    ("void with stiffness", {"void": True, **GOOD}, "without elastic"),
    ("void not true", {"void": "yes"}, "void=True"),
    ("two expansions of three", {**GOOD, "expansion1": 1e-6, "expansion2": 1e-6}, "expansion1"),
    ("both kinds of expansion", {**GOOD, "expansion": 1e-6, "expansion1": 1e-6}, "expansion"),
    ("expansion without unit", {**GOOD, "expansion": "23e-6"}, "unit of 1/K"),
    (
        "secant without reference",
        {**GOOD, "expansion": 1e-6, "expansion_kind": "secant"},
        "reference_temperature",
    ),
    ("kind of expansion", {**GOOD, "expansion": 1e-6, "expansion_kind": "mean"}, "tangent"),
    ("short table", {**GOOD, "expansion": [(300, 1e-6)]}, "two pairs"),
    ("temperature twice", {"young": [(300, 1.0), (300, 2.0)], "poisson": 0.3}, "300 K twice"),
    ("below zero", {"young": [(-3, 1.0), (300, 2.0)], "poisson": 0.3}, "above 0 K"),
    ("temperature in metres", {"young": [("3 m", 1.0), (300, 2.0)], "poisson": 0.3}, "temperature"),
    ("interpolation", {"young": {"table": TABLE, "interpolation": "cubic"}, "poisson": 0.3}, "pchip"),
    ("no common range", {"young": TABLE, "poisson": [(600, 0.3), (700, 0.3)]}, "common temperature"),
    ("impossible at a knot", {"young": TABLE, "poisson": [(300, 0.3), (400, 0.6)]}, "poisson < 0.5"),
    ("no such file", {"young": "nowhere.csv", "poisson": 0.3}, "not a file"),
    ("two sources", {"young": {"value": 1.0, "table": TABLE}, "poisson": 0.3}, "one of"),
    ("odd key of a constant", {"young": {"value": 1.0, "sdt": 2.0}, "poisson": 0.3}, "std"),
    (
        "range upside down",
        {"young": {"expression": "1e6*T", "range": [400, 300]}, "poisson": 0.3},
        "lower temperature",
    ),
    (
        "NumPy secant",
        {
            **GOOD,
            "expansion": lambda T: float(np.exp(T)),
            "expansion_kind": "secant",
            "reference_temperature": 300,
        },
        "JAX",
    ),
    ("notation missing", {"stiffness": np.eye(6)}, "notation"),
    ("notation unknown", {"stiffness": {"value": np.eye(6), "notation": "kelvin"}}, "notation"),
    ("shape", {"stiffness": {"value": np.eye(5), "notation": "mandel"}}, "6 rows"),
    (
        "not symmetric",
        {"stiffness": {"value": np.eye(6) + np.eye(6, k=1), "notation": "mandel"}},
        "symmetric",
    ),
    (
        "indefinite",
        {"stiffness": {"value": np.diag([1.0, 1, 1, 1, 1, -1]), "notation": "mandel"}},
        "positive definite",
    ),
    ("both", {**GOOD, "stiffness": {"value": np.eye(6), "notation": "mandel"}}, "leave one out"),
    ("angles without unit", {**PLY, "orientation": {"euler": [30, 0, 0]}}, "without a unit"),
    ("two angles", {**PLY, "orientation": {"euler": ["30 deg", "0 deg"]}}, "three angles"),
    ("no rotation", {**PLY, "orientation": np.diag([1.0, 1.0, 2.0])}, "no rotation"),
    ("reflection", {**PLY, "orientation": np.diag([1.0, 1.0, -1.0])}, "reflection"),
    ("zero quaternion", {**PLY, "orientation": {"quaternion": [0, 0, 0, 0]}}, "not all zero"),
    ("three numbers", {**PLY, "orientation": [0, 0, 1]}, "shape"),
    ("two ways", {**PLY, "orientation": {"axis": [0, 0, 1], "matrix": np.eye(3)}}, "one of the keys"),
    ("density", {**GOOD, "density": "-1 kg/m^3"}, "positive number"),
]


@pytest.mark.parametrize(("table", "said"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_bad_materials_are_refused_with_a_cure(table, said):
    with pytest.raises(InputError, match=said) as refused:
        material_from(table, "phase 1")
    assert refused.value.cure
    assert "phase 1" in refused.value.argument or "path" in refused.value.argument


def test_a_table_without_its_column_is_refused(tmp_path):
    for text, said in (
        ("T [K], young\n300, 1\n400, 1\n", "temperature and young"),
        ("temperature, young, poisson\n300, 1\n400, 1\n", "different length"),
        ("temperature, young [kg]\n300, 1\n400, 1\n", "convertible"),
        ("temperature, young\n300, a\n400, 1\n", "a number"),
        ("", "columns"),
    ):
        file = tmp_path / "bad.csv"
        file.write_text(text)
        with pytest.raises(InputError, match=said):
            elastic_material(young=file, poisson=0.3)
