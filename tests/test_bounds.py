"""Bounds and estimates: exact values, properties, derivatives, refusals.

Tolerances: 1e-12 relative is asked of closed formulas (some 5000 roundings). Central differences with a
relative step h are good to h^2 plus 1e-16/h: 1e-8 at h = 1e-5, with room for large third derivatives.
"""

from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq

from scalebridge.core.errors import InputError, PhaseError
from scalebridge.upscaling.bounds import (
    bound_hashin_shtrikman,
    bound_reuss,
    bound_voigt,
    bound_wiener,
    mean_with_reference,
    series_gradients,
)
from scalebridge.upscaling.schemes import estimate_bruggeman, estimate_maxwell

REFERENCE = Path(__file__).parent / "reference"
TWO_PHASE = np.loadtxt(REFERENCE / "bounds_conduction_two_phase.csv", delimiter=",", skiprows=1)
COATED = np.loadtxt(REFERENCE / "hashin_coated_conduction_exact.csv", delimiter=",", skiprows=1)
HALF, VALUES = np.array([0.5, 0.5]), np.array([1.0, 2.0])
PHASES = 4  # one array shape for all random examples: nothing is compiled twice

COLUMNS = {  # reference column -> formula
    "reuss": bound_reuss,
    "HS-": lambda f, k: bound_hashin_shtrikman(f, k, dim=3)[0],
    "maxwell": lambda f, k: estimate_maxwell(f, k, dim=3),
    "bruggeman": lambda f, k: estimate_bruggeman(f, k, dim=3),
    "HS+": lambda f, k: bound_hashin_shtrikman(f, k, dim=3)[1],
    "voigt": bound_voigt,
}
IN_ORDER = {
    **COLUMNS,
    "lower 2-D": lambda f, k: bound_hashin_shtrikman(f, k, dim=2)[0],
    "upper 2-D": lambda f, k: bound_hashin_shtrikman(f, k, dim=2)[1],
    "maxwell 2-D": lambda f, k: estimate_maxwell(f, k, dim=2, matrix=2),
    "bruggeman 2-D": lambda f, k: estimate_bruggeman(f, k, dim=2),
}
NAMES = list(IN_ORDER)
BRUGGEMAN = [NAMES.index("bruggeman 2-D"), NAMES.index("bruggeman")]
SYMMETRIC = [i for i, name in enumerate(NAMES) if "maxwell" not in name]


@jax.jit
def everything(fractions, values):
    """All formulas at once, so that random examples compile once."""
    return jnp.stack([formula(fractions, values) for formula in IN_ORDER.values()])


slopes = jax.jit(jax.jacobian(everything, argnums=(0, 1)))


def largest_error(formulas):
    """Largest relative error of formulas against the reference table; a zero must be met exactly."""
    errors = []
    for k1, k2, f2, *expected in TWO_PHASE:
        for formula, value in zip(formulas, expected, strict=True):
            got = float(formula(np.array([1 - f2, f2]), np.array([k1, k2])))
            errors.append(abs(got - value) / value if value else (0.0 if got == 0.0 else np.inf))
    return max(errors)


def random_tensors(rng, count, dim, contrast=1e3):
    roots = rng.standard_normal((count, dim, dim)) * contrast ** rng.uniform(-0.25, 0.25, (count, 1, 1))
    return roots @ np.swapaxes(roots, 1, 2)


@st.composite
def mixtures(draw, zeros=True):
    """Four phases: fractions (any but the first may vanish), conductivities over twelve decades or zero."""
    weights = draw(st.lists(st.integers(0, 1000), min_size=PHASES, max_size=PHASES))
    weights[0] += 1
    decades = draw(st.lists(st.floats(-6, 6), min_size=PHASES, max_size=PHASES))
    values = 10.0 ** np.array(decades)
    if zeros:
        values[draw(st.lists(st.booleans(), min_size=PHASES, max_size=PHASES))] = 0.0
    return np.array(weights) / sum(weights), values


properties = settings(max_examples=40, deadline=None, derandomize=True)


def test_every_formula_meets_the_reference_table():
    assert largest_error(COLUMNS.values()) < 1e-12


@pytest.mark.parametrize(("one", "other"), [("reuss", "voigt"), ("HS-", "HS+"), ("maxwell", "HS+")])
def test_swapped_formulas_do_not_pass_the_reference_table(one, other):
    swapped = {**COLUMNS, one: COLUMNS[other], other: COLUMNS[one]}
    assert largest_error(swapped.values()) > 0.1


@pytest.mark.parametrize(("core", "coat", "c", "sphere", "cylinder"), COATED)
def test_coated_inclusions_attain_a_hashin_shtrikman_bound(core, coat, c, sphere, cylinder):
    fractions, values = np.array([1 - c, c]), np.array([coat, core])
    for dim, exact in ((3, sphere), (2, cylinder)):
        attained = bound_hashin_shtrikman(fractions, values, dim)[int(core < coat)]
        np.testing.assert_allclose(attained, exact, rtol=1e-12)
        np.testing.assert_allclose(estimate_maxwell(fractions, values, dim), exact, rtol=1e-12)


@pytest.mark.parametrize("dim", [2, 3])
def test_two_phases_give_the_form_published_in_1962(dim):
    k1, k2, f1, f2 = 2.0, 50.0, 0.6, 0.4
    low = k1 + f2 / (1 / (k2 - k1) + f1 / (dim * k1))
    high = k2 + f1 / (1 / (k1 - k2) + f2 / (dim * k2))
    got = bound_hashin_shtrikman(np.array([f1, f2]), np.array([k1, k2]), dim)
    np.testing.assert_allclose(got, (low, high), rtol=1e-12)


@properties
@given(mixtures())
def test_bounds_and_estimates_stand_in_order(mixture):
    answers = dict(zip(NAMES, np.asarray(everything(*mixture)), strict=True))
    for low, bruggeman, maxwell, high in (
        ("HS-", "bruggeman", "maxwell", "HS+"),
        ("lower 2-D", "bruggeman 2-D", "maxwell 2-D", "upper 2-D"),
    ):
        for middle in (bruggeman, maxwell):
            ordered = np.array([answers[name] for name in ("reuss", low, middle, high, "voigt")])
            assert np.all(np.diff(ordered) >= -1e-12 * ordered[1:])


@properties
@given(mixtures(), st.permutations(range(PHASES)))
def test_the_order_of_phases_does_not_matter(mixture, order):
    fractions, values = mixture
    answers, expected = everything(fractions[order], values[order]), everything(fractions, values)
    np.testing.assert_allclose(np.array(answers)[SYMMETRIC], np.array(expected)[SYMMETRIC], rtol=1e-12)


@properties
@given(mixtures(), st.floats(1e-6, 1e6))
def test_equal_phases_give_that_phase(mixture, value):
    np.testing.assert_allclose(everything(mixture[0], np.full(PHASES, value)), value, rtol=1e-12)


@properties
@given(mixtures(), st.integers(0, PHASES - 1), st.floats(1.01, 100))
def test_more_conducting_phases_never_conduct_less(mixture, phase, factor):
    fractions, values = mixture
    raised = values.copy()
    raised[phase] = raised[phase] * factor if raised[phase] else factor
    before, after = (np.asarray(everything(fractions, k)) for k in (values, raised))
    assert np.all(after >= before * (1 - 1e-12))


@properties
@given(mixtures(zeros=False))
def test_scaling_all_phases_scales_the_answer(mixture):
    fractions, values = mixture
    np.testing.assert_allclose(
        everything(fractions, 3 * values), 3 * everything(fractions, values), rtol=1e-12
    )


@pytest.mark.parametrize("intruder", [0.0, 1e9])
def test_an_absent_phase_changes_nothing(intruder):
    fractions = np.array([0.4, 0.2, 0.4, 0.0])
    expected = everything(fractions, np.array([2.0, 5.0, 5.0, 5.0]))
    np.testing.assert_allclose(
        everything(fractions, np.array([2.0, 5.0, 5.0, intruder])), expected, rtol=1e-14
    )


@properties
@given(mixtures(zeros=False))
def test_bruggeman_is_the_root_that_bisection_finds(mixture):
    fractions, values = mixture
    for dim, got in zip((2, 3), np.array(everything(fractions, values))[BRUGGEMAN], strict=True):

        def balance(k, dim=dim):
            return np.sum(fractions * (values - k) / (values + (dim - 1) * k))

        root = brentq(balance, values.min() / 2, values.max() * 2, xtol=1e-300, rtol=1e-14)
        # Rounding moves the balance by 1e-15 and the root by that over the slope in log k.
        slope = np.sum(fractions * dim * values * root / (values + (dim - 1) * root) ** 2)
        tolerance = 1e-13 + 1e-15 / slope
        np.testing.assert_allclose(got, root, rtol=tolerance)


def test_bruggeman_at_equal_fractions_in_the_plane_is_the_exact_geometric_mean():
    # Keller 1964, Dykhne 1971: the checkerboard. 1e-13: rounding over the balance's slope at contrast 1e8.
    for contrast in (1e2, 1e6, 1e8):
        got = estimate_bruggeman(np.array([0.5, 0.5]), np.array([1.0, contrast]), dim=2)
        np.testing.assert_allclose(got, np.sqrt(contrast), rtol=1e-15 * np.sqrt(contrast) + 1e-14)


@pytest.mark.parametrize("dim", [2, 3])
def test_bruggeman_percolates_above_one_over_d(dim):
    values = np.array([1.0, 0.0])

    def at(solid):
        return float(estimate_bruggeman(np.array([solid, 1 - solid]), values, dim))

    assert at(1 / dim - 1e-9) == 0.0
    assert at(0.0) == 0.0
    for solid in (1 / dim + 1e-6, 0.8, 1.0):  # one insulating phase: a straight line
        assert at(solid) == pytest.approx((dim * solid - 1) / (dim - 1), rel=1e-9)


@pytest.mark.parametrize("solid", [0.2, 0.9])
def test_bruggeman_derivative_in_insulators_is_the_limit_from_above(solid):
    fractions = np.array([0.5 * solid, 0.75 * (1 - solid), 0.25 * (1 - solid), 0.5 * solid])
    at_zero, near = (
        slopes(fractions, np.array([1.0, k, k, 2.0]))[1][np.array(BRUGGEMAN)] for k in (0.0, 1e-10)
    )
    np.testing.assert_allclose(at_zero, near, rtol=1e-7, atol=1e-7)  # 1e-10 times the curvature


def test_bruggeman_on_its_threshold_has_a_finite_number_for_its_infinite_slope():
    slope = slopes(np.array([0.5, 0.5, 0.0, 0.0]), np.array([1.0, 0.0, 1.0, 1.0]))[1][
        NAMES.index("bruggeman 2-D")
    ]
    assert slope[0] == 0.0
    assert 1e15 < slope[1] < 1e17


@pytest.mark.parametrize("last", [7.0, 0.0])
def test_derivatives_agree_with_central_differences(last):
    fractions, values = np.array([0.4, 0.3, 0.2, 0.1]), np.array([3.0, 0.5, 40.0, last])
    in_fractions, in_values = slopes(fractions, values)
    for phase in range(PHASES - 1):
        step = 1e-5 * values[phase] * np.eye(PHASES)[phase]
        difference = (everything(fractions, values + step) - everything(fractions, values - step)) / (
            2 * step[phase]
        )
        np.testing.assert_allclose(in_values[:, phase], difference, rtol=1e-8, atol=1e-12)
        exchange = 1e-5 * (np.eye(PHASES)[phase] - np.eye(PHASES)[3])  # the sum stays 1
        difference = (
            everything(fractions + exchange, values) - everything(fractions - exchange, values)
        ) / 2e-5
        np.testing.assert_allclose(
            in_fractions[:, phase] - in_fractions[:, 3], difference, rtol=1e-8, atol=1e-12
        )


def test_second_derivatives_of_bruggeman_are_those_of_the_geometric_mean():
    one, other = 1.0, 9.0  # equal fractions in the plane: k = sqrt(k1 k2)
    mixed = 1 / (4 * np.sqrt(one * other))
    exact = [[-mixed * other / one, mixed], [mixed, -mixed * one / other]]
    hessian = jax.jit(jax.hessian(lambda k: estimate_bruggeman(HALF, k, 2)))(jnp.array([one, other]))
    np.testing.assert_allclose(hessian, exact, rtol=1e-12)


@pytest.mark.parametrize("zeros", [[1], [1, 3]])
def test_the_derivative_at_zeros_is_finite_and_one_sided_along_their_common_rise(zeros):
    fractions, values, h = np.array([0.4, 0.3, 0.2, 0.1]), np.array([3.0, 0.7, 40.0, 7.0]), 1e-7
    values[zeros] = 0.0
    gradient = slopes(fractions, values)[1]
    assert np.all(np.isfinite(gradient))
    difference = (everything(fractions, values + h * (values == 0)) - everything(fractions, values)) / h
    # First order in h, with a curvature of up to ten times the slope.
    np.testing.assert_allclose(gradient[:, np.array(zeros)].sum(axis=1), difference, rtol=1e-5)


def test_mapped_functions_give_the_same_as_single_ones():
    fractions = jnp.array([[0.4, 0.3, 0.2, 0.1], [0.1, 0.1, 0.1, 0.7], [1.0, 0.0, 0.0, 0.0]])
    values = jnp.array([[3.0, 0.5, 40.0, 7.0], [1.0, 2.0, 3.0, 0.0], [5.0, 0.0, 0.0, 1.0]])
    mapped = jax.vmap(everything)(fractions, values)
    one_by_one = [everything(f, k) for f, k in zip(fractions, values, strict=True)]
    np.testing.assert_allclose(mapped, one_by_one, rtol=1e-13, atol=0)


@pytest.mark.parametrize("dim", [2, 3])
def test_reuss_tensor_is_the_inverse_of_the_mean_inverse(dim):
    rng = np.random.default_rng(dim)
    fractions, tensors = rng.dirichlet(np.ones(3)), random_tensors(rng, 3, dim)
    expected = np.linalg.inv(np.einsum("i,iab->ab", fractions, np.linalg.inv(tensors)))
    # The worst phase has a condition number near 1e3 to 1e4, which both sides lose.
    np.testing.assert_allclose(
        bound_reuss(fractions, tensors), expected, rtol=0, atol=1e-12 * np.trace(expected)
    )


@pytest.mark.parametrize("dim", [2, 3])
def test_isotropic_tensors_give_the_scalar_bounds(dim):
    fractions, values = np.array([0.5, 0.2, 0.3]), np.array([1.0, 1e6, 30.0])
    tensors = values[:, None, None] * np.eye(dim)
    for bound in (bound_reuss, bound_voigt):
        np.testing.assert_allclose(
            bound(fractions, tensors), bound(fractions, values) * np.eye(dim), rtol=1e-12
        )


def test_reuss_tensor_vanishes_along_null_directions_only():
    fractions = np.array([0.5, 0.3, 0.2])
    rows = np.array([[2.0, 0.0, 1.0], [3.0, 5.0, 0.0], [7.0, 11.0, 13.0]])
    expected = [bound_reuss(fractions, column) for column in rows.T]
    got = bound_reuss(fractions, np.stack([np.diag(row) for row in rows]))
    np.testing.assert_allclose(got, np.diag(expected), rtol=1e-14, atol=0)
    assert got[1, 1] == got[2, 2] == 0.0 < got[0, 0]


reuss_slope = jax.jit(jax.jacobian(bound_reuss, argnums=1))


@pytest.mark.parametrize("ranks", [(1, 1, 3), (2, 2, 3), (0, 3, 3), (1, 3, 2), (2, 1, 0)])
def test_reuss_of_singular_tensors_is_the_limit_from_above(ranks):
    rng = np.random.default_rng(sum(ranks))
    fractions = rng.dirichlet(np.ones(3))
    roots = [rng.standard_normal((3, 3)) @ np.diag(np.arange(3) < rank) for rank in ranks]
    tensors = np.stack([r @ r.T for r in roots])
    lifted = tensors + 1e-9 * np.eye(3)
    limit = np.linalg.inv(np.einsum("i,iab->ab", fractions, np.linalg.inv(lifted)))
    got = bound_reuss(fractions, tensors)
    np.testing.assert_allclose(got, limit, atol=1e-6)  # 1e-9 lift times 1/f and the angles between ranges
    assert np.all(np.isfinite(reuss_slope(fractions, tensors)))


@pytest.mark.parametrize("singular", [False, True])
def test_reuss_tensor_derivative_is_the_product_of_local_gradients(singular):
    rng = np.random.default_rng(11)
    fractions, tensors = np.array([0.5, 0.3, 0.2]), random_tensors(rng, 3, 3, contrast=10.0)
    if singular:
        tensors[1] = np.diag([1.0, 0.0, 0.0])
    direction = random_tensors(rng, 1, 3)[0]
    h = 1e-7 if singular else 1e-5
    step = np.zeros_like(tensors)
    step[1] = h * direction
    derivative = jax.jvp(partial(bound_reuss, fractions), (jnp.array(tensors),), (jnp.array(step / h),))[1]
    start = tensors if singular else tensors - step
    difference = (bound_reuss(fractions, tensors + step) - bound_reuss(fractions, start)) / (
        h if singular else 2 * h
    )
    np.testing.assert_allclose(
        derivative, difference, atol=(1e-4 if singular else 1e-7) * np.abs(derivative).max()
    )


def test_wiener_bounds_of_tensors_stand_in_order():
    rng = np.random.default_rng(5)
    for _ in range(5):
        low, high = bound_wiener(rng.dirichlet(np.ones(3)), random_tensors(rng, 3, 3))
        assert np.linalg.eigvalsh(np.asarray(high - low)).min() > -1e-12 * np.trace(high)


def test_series_gradients_have_mean_one_and_one_flux():
    fractions, values = np.array([0.2, 0.5, 0.3]), np.array([1e-8, 1.0, 1e8])
    gradients = series_gradients(fractions, values)
    np.testing.assert_allclose(fractions @ gradients, 1.0, rtol=1e-14)
    np.testing.assert_allclose(values * gradients, bound_reuss(fractions, values), rtol=1e-14)


def test_single_precision_stays_and_is_forgiven_its_rounding():
    fractions, values = np.array([0.1, 0.2, 0.7], dtype=np.float32), np.array([1, 2, 3], dtype=np.float32)
    assert bound_reuss(fractions, values).dtype == np.float32
    assert bound_reuss(fractions.astype(float).round(3), np.array([1, 2, 3])).dtype == np.float64


def test_the_mean_increases_with_its_reference_from_reuss_to_voigt():
    fractions, values = np.array([0.6, 0.4]), np.array([1.0, 20.0])
    means = [float(mean_with_reference(fractions, values, k, 3)) for k in (0.0, 1.0, 5.0, 20.0, 1e12)]
    assert means == sorted(means)
    np.testing.assert_allclose(means[0], bound_reuss(fractions, values), rtol=1e-14)
    np.testing.assert_allclose(means[-1], bound_voigt(fractions, values), rtol=1e-9)  # 20 / 1e12


ROWS = [
    ("sum", bound_voigt, (np.array([0.5, 0.6]), VALUES), InputError, "fractions"),
    ("negative fraction", bound_voigt, (np.array([1.5, -0.5]), VALUES), InputError, "fractions[1]"),
    ("nan fraction", bound_reuss, (np.array([np.nan, 0.5]), VALUES), InputError, "fractions[0]"),
    ("scalar fraction", bound_reuss, (1.0, VALUES), InputError, "fractions"),
    ("no fraction", bound_reuss, (np.zeros(0), np.zeros(0)), InputError, "fractions"),
    ("text fractions", bound_reuss, (np.array(["a", "b"]), VALUES), InputError, "fractions"),
    ("complex values", bound_reuss, (HALF, np.array([1.0, 2j])), InputError, "values"),
    ("one value short", bound_voigt, (HALF, np.ones(3)), PhaseError, "values"),
    ("not square", bound_voigt, (HALF, np.ones((2, 3, 2))), PhaseError, "values"),
    ("4 x 4", bound_voigt, (HALF, np.ones((2, 4, 4))), PhaseError, "values"),
    ("negative value", bound_voigt, (HALF, np.array([1.0, -2.0])), PhaseError, "phase 1"),
    ("tiny negative value", bound_voigt, (HALF, np.array([1.0, -1e-300])), PhaseError, "phase 1"),
    ("nan value", bound_reuss, (HALF, np.array([np.nan, 1.0])), PhaseError, "phase 0"),
    ("infinite value", bound_reuss, (HALF, np.array([1.0, np.inf])), PhaseError, "phase 1"),
    ("not symmetric", bound_reuss, (HALF, np.stack([np.eye(2), [[1, 1], [0, 1]]])), PhaseError, "phase 1"),
    ("indefinite", bound_reuss, (HALF, np.stack([np.eye(2), np.diag([1, -1])])), PhaseError, "phase 1"),
    ("dim 1", bound_hashin_shtrikman, (HALF, VALUES, 1), InputError, "dim"),
    ("dim 4", estimate_bruggeman, (HALF, VALUES, 4), InputError, "dim"),
    ("dim 0", estimate_maxwell, (HALF, VALUES, 0), InputError, "dim"),
    (
        "tensors in HS",
        bound_hashin_shtrikman,
        (HALF, np.stack([np.eye(3)] * 2), 3),
        PhaseError,
        "conductivities",
    ),
    ("tensors in SC", estimate_bruggeman, (HALF, np.stack([np.eye(3)] * 2), 3), PhaseError, "conductivities"),
    ("no such matrix", estimate_maxwell, (HALF, VALUES, 3, 2), InputError, "matrix"),
]


@pytest.mark.parametrize(
    ("function", "arguments", "kind", "argument"), [r[1:] for r in ROWS], ids=[r[0] for r in ROWS]
)
def test_bad_input_is_refused_by_name(function, arguments, kind, argument):
    with pytest.raises(kind) as caught:
        function(*arguments)
    assert caught.value.argument == argument
    assert "wanted" in str(caught.value)
    assert caught.value.cure


def test_bad_shapes_are_refused_while_tracing():
    with pytest.raises(PhaseError, match="one a fraction"):
        jax.jit(bound_voigt)(HALF, np.ones(3))
