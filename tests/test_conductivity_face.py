"""The plain verbs: units, spreads, invariances, derivatives, fields, percolation, what comes with an answer.

One shape of image and one set of tolerances serve nearly all tests, because compiling is what costs. With
TIGHT the solver leaves an error of 1e-12 of the tensor; the tolerances below come from there, or from the
differences and samples that are compared with.
"""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st

import scalebridge
from scalebridge import effective_conductivity, effective_laminate
from scalebridge.core import precision as _precision  # noqa: F401
from scalebridge.grids.coefficients import PhaseCoefficients
from scalebridge.grids.finite_volumes import FiniteVolumes
from scalebridge.grids.hexahedra import Hexahedra

TIGHT = {"budget": "none", "rtol": 1e-12, "residual_rtol": 1e-8}
EQUAL = 1e-9  # relative; between two solutions that are each within 1e-12 on the diagonal, 1e-9 off it
CELLS = 16
QUARTER = np.array([[0.0, -1.0], [1.0, 0.0]])
FIBRE = np.array([[30.0, 12.0], [12.0, 6.0]])


def spots(seed, share=0.4):
    return (np.random.default_rng(seed).random((CELLS, CELLS)) < share).astype(np.uint8)


def periodic(labels, **more):
    return scalebridge.VoxelImage(labels, **more)


def solve(labels, phases, **options):
    image = labels if isinstance(labels, scalebridge.VoxelImage) else periodic(labels)
    return effective_conductivity(image, phases, progress=False, **{**TIGHT, **options})


def both(labels, first, second):
    """The tensors from above and from below."""
    bracket = solve(labels, {0: first, 1: second}, scheme="both").bounds["discretisation"]
    return bracket.upper, bracket.lower


def failed(result):
    return [check.name for check in result.checks if not check.passed]


def close(found, wanted, tolerance=EQUAL):
    np.testing.assert_allclose(found, wanted, atol=tolerance * np.max(np.abs(wanted)))


SPOTS = spots(1)
PLAIN = {0: 1.0, 1: 5.0}


@pytest.fixture(scope="module")
def plain():
    return solve(SPOTS, PLAIN, scheme="both", fields=True, voxel_derivatives=True)


# --------------------------------------------------------------------------------- units and spreads


@pytest.mark.parametrize(
    ("phases", "unit", "scale"),
    [
        ({0: "1 W/m/K", 1: "5000 mW/m/K"}, "W/m/K", 1.0),
        ({0: {"value": 1000.0, "unit": "mW/m/K"}, 1: "5 W/(m K)"}, "W/m/K", 1.0),
        ({0: "10 mS/cm", 1: "5 S/m"}, "S/m", 1.0),
        ({0: "1e-3 mm^2/s", 1: "5e-9 m^2/s"}, "m^2/s", 1e-9),
        ({0: ["1 W/m/K", "1000 mW/m/K"], 1: [["5 W/m/K", "0 W/m/K"], ["0 W/m/K", "5 W/m/K"]]}, "W/m/K", 1.0),
    ],
    ids=["text", "table", "electrical", "diffusive", "tensors"],
)
def test_units_are_turned_into_si(phases, unit, scale, plain):
    found = solve(SPOTS, phases, voxel="3 um")
    assert found.unit == unit
    close(found.value, scale * plain.value)
    assert found.provenance.inputs["image"]["voxel"] == [3e-6, 3e-6]


def test_numbers_without_unit_are_ratios_and_need_no_voxel_size(plain):
    assert plain.unit == "1"
    assert any("squares" in note for note in plain.notes)


@pytest.mark.parametrize(
    "std",
    [250.0, "250 mW/m/K", "0.25 W/m/K", "5 %"],
    ids=["written unit", "same unit", "other unit", "per cent"],
)
def test_a_std_is_in_the_unit_of_its_value_unless_it_says_otherwise(std, plain):
    found = solve(SPOTS, {0: "1 W/m/K", 1: {"value": "5000 mW/m/K", "std": std}}, voxel="cubic")
    assert found.inputs["phase 1"]["std"] == pytest.approx(0.25)
    close(found.std, np.abs(plain.derivatives["phase 1"]) * 0.25)
    assert found.estimate is not None
    close(found.estimate.value[0], found.value)


def test_spreads_add_in_squares(plain):
    found = solve(SPOTS, {0: {"value": 1.0, "std": 0.1}, 1: {"value": 5.0, "std": 0.3}})
    slopes = plain.derivatives
    close(found.std, np.hypot(0.1 * slopes["phase 0"], 0.3 * slopes["phase 1"]))
    assert list(found.uncertainty) == ["inputs"]
    assert plain.std is None


def test_given_samples_are_solved_one_by_one():
    drawn = [4.0, 5.0, 7.0]
    found = solve(SPOTS, {0: 1.0, 1: {"samples": drawn}}, uncertainty="samples")
    each = np.array([solve(SPOTS, {0: 1.0, 1: k}).value for k in drawn])
    close(found.std, each.std(axis=0, ddof=1))
    close(found.estimate.value[0], each.mean(axis=0))
    assert found.inputs["phase 1"]["value"] == pytest.approx(np.mean(drawn))
    linear = solve(SPOTS, {0: 1.0, 1: {"samples": drawn}})
    close(linear.std, np.abs(linear.derivatives["phase 1"]) * np.std(drawn, ddof=1))


@pytest.mark.slow
def test_linear_and_sampled_spreads_agree():
    phases = {0: {"value": 1.0, "std": "3 %"}, 1: {"value": 5.0, "std": "4 %"}}
    linear = solve(SPOTS, phases)
    sampled = solve(SPOTS, phases, uncertainty="samples", samples=40, seed=3)
    # The standard deviation of 40 draws has itself one of 1 / sqrt(2 * 39) = 11 %; three of them.
    np.testing.assert_allclose(np.diag(sampled.std), np.diag(linear.std), rtol=0.34)
    assert sampled.provenance.seed == 3
    again = solve(SPOTS, phases, uncertainty="samples", samples=40, seed=3)
    np.testing.assert_array_equal(sampled.std, again.std)


def test_names_come_from_the_table_or_the_image():
    image = periodic(SPOTS, names={0: "matrix"})
    found = solve(image, {0: 1.0, 1: {"value": 5.0, "name": "quartz"}})
    assert [found.inputs[key]["name"] for key in ("phase 0", "phase 1")] == ["matrix", "quartz"]


# ------------------------------------------------------------------------------------------ invariances

MEDIA = st.builds(spots, st.integers(0, 10_000), st.floats(0.1, 0.9)).filter(
    lambda image: image.any() and not image.all()
)
VALUES = st.floats(0.01, 100.0)


@settings(max_examples=6)
@given(MEDIA, VALUES, VALUES, st.integers(0, CELLS - 1), st.integers(0, CELLS - 1))
def test_a_tensor_follows_its_image(labels, first, second, across, along):
    for found, turned, moved, scaled, swapped in zip(
        both(labels, first, second),
        both(np.rot90(labels), first, second),
        both(np.roll(labels, (across, along), (0, 1)), first, second),
        both(labels, 3.0 * first, 3.0 * second),
        both(1 - labels, second, first),
        strict=True,
    ):
        close(turned, QUARTER @ found @ QUARTER.T)
        close(moved, found)
        close(scaled, 3.0 * found)
        close(swapped, found)
        close(found, found.T)


@settings(max_examples=5)
@given(MEDIA, st.floats(0.0, np.pi), st.floats(0.2, 20.0))
def test_rotating_image_and_tensors_rotates_the_answer(labels, angle, ratio):
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    first, second = turn @ np.diag([1.0, ratio]) @ turn.T, FIBRE
    found = solve(labels, {0: first, 1: second}).value
    quarter = [QUARTER @ tensor @ QUARTER.T for tensor in (first, second)]
    close(solve(np.rot90(labels), dict(enumerate(quarter))).value, QUARTER @ found @ QUARTER.T)
    mirror = np.diag([1.0, -1.0])
    flipped = [mirror @ tensor @ mirror for tensor in (first, second)]
    close(solve(labels[:, ::-1], dict(enumerate(flipped))).value, mirror @ found @ mirror)
    swapped = [tensor[::-1, ::-1] for tensor in (first, second)]
    close(solve(labels.T, dict(enumerate(swapped))).value, found[::-1, ::-1])


@settings(max_examples=6)
@given(MEDIA, VALUES, VALUES)
def test_bounds_hold_and_more_of_either_phase_conducts_more(labels, first, second):
    found = solve(labels, {0: first, 1: second}, scheme="both")
    # Voxels of noise are too coarse for the sharper bounds, which hexahedra may leave above but not below.
    assert set(failed(found)) <= {"within Hashin-Shtrikman"}, str(found)
    sharp, bracket = found.bounds["Hashin-Shtrikman"], found.bounds["discretisation"]
    assert np.trace(bracket.upper) / 2 >= sharp.lower * (1 - EQUAL)
    assert np.trace(bracket.lower) / 2 <= sharp.upper * (1 + EQUAL)
    more = solve(labels, {0: 1.5 * first, 1: second}).value
    assert np.linalg.eigvalsh(more - found.value)[0] >= -EQUAL * np.max(more)
    assert np.linalg.eigvalsh(1.5 * found.value - more)[0] >= -EQUAL * np.max(more)
    assert all(np.linalg.eigvalsh(slope)[0] >= -EQUAL for slope in found.derivatives.values())


@settings(max_examples=6)
@given(MEDIA, VALUES, VALUES)
def test_the_schemes_bracket_what_keller_found(labels, first, second):
    # Keller 1964, Mendelson 1975: in two dimensions K(k1, k2) = k1 k2 R K(k2, k1)^-1 R' for any geometry, R a
    # quarter turn. So each upper bound gives a lower one, and the other way round.
    upper, lower = both(labels, first, second)
    dual = [first * second * QUARTER @ np.linalg.inv(k) @ QUARTER.T for k in both(labels, second, first)]
    for low, high in ((dual[0], upper), (lower, dual[1]), (lower, upper), (dual[0], dual[1])):
        assert np.linalg.eigvalsh(high - low)[0] >= -EQUAL * np.max(high)


def test_labels_are_names():
    odd = np.where(SPOTS == 1, -7, 300)
    close(solve(odd, {-7: 5.0, "300": 1.0}).value, solve(SPOTS, PLAIN).value)


def test_asking_twice_gives_the_same_bits(plain):
    again = solve(SPOTS, PLAIN, scheme="both")
    np.testing.assert_array_equal(again.value, plain.value)
    assert again.provenance.inputs["image"]["sha256"] == plain.provenance.inputs["image"]["sha256"]


# ------------------------------------------------------------------------------------------ derivatives

STEP = 1e-4  # relative; central differences are in error by its square, 1e-8, times the third derivative


def difference(make, labels=SPOTS):
    plus, minus = (solve(labels, make(sign * STEP)).value for sign in (1, -1))
    return (plus - minus) / (2 * STEP)


@pytest.mark.parametrize("phase", [0, 1])
def test_derivatives_by_numbers(phase, plain):
    slope = difference(lambda h: {**PLAIN, phase: PLAIN[phase] + h})
    close(plain.derivatives[f"phase {phase}"], slope, 1e-6)


def test_derivatives_by_diagonals():
    diagonal = np.array([2.0, 7.0])
    found = solve(SPOTS, {0: 1.0, 1: diagonal})
    assert found.derivatives["phase 1"].shape == (2, 2, 2)
    for axis in (0, 1):
        slope = difference(lambda h, a=axis: {0: 1.0, 1: diagonal + h * np.eye(2)[a]})
        close(found.derivatives["phase 1"][..., axis], slope, 1e-6)
    close(found.derivatives["phase 0"], difference(lambda h: {0: 1.0 + h, 1: diagonal}), 1e-6)


def test_derivatives_by_tensors():
    found = solve(SPOTS, {0: 1.0, 1: FIBRE})
    assert found.derivatives["phase 1"].shape == (2, 2, 2, 2)
    for direction in (np.diag([1.0, 0.0]), np.diag([0.0, 1.0]), np.array([[0.0, 1.0], [1.0, 0.0]])):
        slope = difference(lambda h, d=direction: {0: 1.0, 1: FIBRE + h * d})
        close(np.tensordot(found.derivatives["phase 1"], direction, 2), slope, 1e-6)
    close(found.derivatives["phase 0"], difference(lambda h: {0: 1.0 + h, 1: FIBRE}), 1e-6)


def test_derivatives_by_voxels_add_up_to_those_by_phases(plain):
    local = plain.fields["sensitivity"]
    assert local.shape == (2, 2, CELLS, CELLS)
    for phase in (0, 1):
        close(local[..., phase == SPOTS].sum(axis=-1), plain.derivatives[f"phase {phase}"])


def test_derivative_by_one_voxel(plain):
    at = (3, 5)
    phase = int(SPOTS[at])
    labels = SPOTS.copy()
    labels[at] = 2
    slope = difference(lambda h: {**PLAIN, 2: PLAIN[phase] + h}, labels)
    close(plain.fields["sensitivity"][(..., *at)], slope, 1e-6)


def test_jax_differentiates_the_verb_itself(plain):
    def tensor(values):
        return effective_conductivity(
            periodic(SPOTS), {0: values[0], 1: values[1]}, progress=False, **TIGHT
        ).value

    @jax.jit
    def everything(values, direction):
        return (
            tensor(values),
            jax.grad(lambda v: jnp.trace(tensor(v)))(values),
            jax.jvp(tensor, (values,), (direction,))[1],
            jax.hessian(lambda v: tensor(v)[0, 0])(values),
        )

    values, direction = jnp.asarray([1.0, 5.0]), jnp.asarray([0.3, -2.0])
    value, gradient, along, hessian = everything(values, direction)
    slopes = [plain.derivatives["phase 0"], plain.derivatives["phase 1"]]
    close(value, plain.value)
    close(gradient, [np.trace(slope) for slope in slopes])
    close(along, 0.3 * slopes[0] - 2.0 * slopes[1])
    above, below = (solve(SPOTS, {0: 1.0, 1: 5.0 + h}).derivatives["phase 1"][0, 0] for h in (STEP, -STEP))
    assert hessian[1, 1] == pytest.approx((above - below) / (2 * STEP), rel=1e-5)
    # The tensor is homogeneous of degree one: its second derivative vanishes along the values themselves.
    np.testing.assert_allclose(hessian @ values, 0.0, atol=1e-8)


def test_a_traced_answer_says_what_it_lacks():
    notes = []

    def first(value):
        found = effective_conductivity(periodic(SPOTS), {0: value, 1: 5.0}, progress=False, **TIGHT)
        notes.extend(found.notes)
        return found.value[0, 0]

    jax.eval_shape(first, 1.0)
    assert any("Traced" in note for note in notes)


# ----------------------------------------------------------------------------------------------- fields


@pytest.mark.parametrize("scheme", ["hexahedra", "finite-volume"])
def test_fields_average_to_what_was_asked_and_answered(scheme):
    found = solve(SPOTS, PLAIN, scheme=scheme, fields=True)
    assert set(found.fields) == {
        f"{kind}_{axis}" for kind in ("potential", "gradient", "flux") for axis in "xy"
    }
    grid = {"hexahedra": Hexahedra, "finite-volume": FiniteVolumes}[scheme]((CELLS, CELLS), (1.0, 1.0))
    medium = PhaseCoefficients(jnp.asarray([1.0, 5.0]), jnp.asarray(SPOTS))
    for number, axis in enumerate("xy"):
        unit = np.eye(2)[number]
        gradient, flux = found.fields[f"gradient_{axis}"], found.fields[f"flux_{axis}"]
        assert gradient.shape == flux.shape == (2, CELLS, CELLS)
        np.testing.assert_allclose(gradient.mean(axis=(1, 2)), unit, atol=1e-12)
        close(flux.mean(axis=(1, 2)), found.value[:, number], 1e-6)  # first order in the fields' 1e-6
        left = grid.forces(medium, jnp.asarray(found.fields[f"potential_{axis}"]), jnp.asarray(unit))
        load = grid.forces(medium, jnp.zeros((CELLS, CELLS)), jnp.asarray(unit))
        assert jnp.linalg.norm(left) <= 2e-8 * jnp.linalg.norm(load)


def test_fields_are_not_kept_unless_asked_for():
    assert solve(SPOTS, PLAIN).fields == {}


# ----------------------------------------------------------------------------- percolation and voids


def bars():
    """Conducting bars along x, with a gap between them."""
    labels = np.zeros((CELLS, CELLS), np.uint8)
    labels[:, 4:9] = 1
    return labels


@pytest.mark.parametrize("scheme", ["hexahedra", "finite-volume"])
def test_a_direction_without_path_is_exactly_zero(scheme):
    found = solve(bars(), {0: 0.0, 1: 2.0}, scheme=scheme)
    np.testing.assert_allclose(found.value, [[2.0 * 5 / 16, 0.0], [0.0, 0.0]], atol=1e-12)
    assert found.value[1, 1] == 0.0
    assert found.stats["percolating"] == [True, False]
    assert not next(check for check in found.checks if check.name == "percolation").passed
    assert not found.passed
    assert any("Along y" in note for note in found.notes)
    assert found.derivatives["phase 0"] is None
    assert found.derivatives["phase 1"][1, 1] == 0.0
    assert any("No derivative" in note for note in found.notes)


def test_a_channel_at_45_degrees_conducts_along_itself_alone():
    labels = ((np.add.outer(np.arange(CELLS), np.arange(CELLS)) % CELLS) < 6).astype(np.uint8)
    found = solve(labels, {0: 0.0, 1: 1.0})
    low, high = np.linalg.eigvalsh(found.value)
    assert abs(low) < 1e-9
    assert high > 0.2
    np.testing.assert_allclose(np.linalg.eigh(found.value)[1][:, 1] ** 2, 0.5, rtol=1e-6)
    assert found.value[0, 1] < 0, "the channel runs from upper left to lower right"


def test_corners_conduct_in_hexahedra_and_not_in_finite_volumes():
    board = scalebridge.checkerboard(CELLS)
    found = effective_conductivity(board, {0: 1.0, 1: 0.0}, scheme="both", progress=False, **TIGHT)
    bracket = found.bounds["discretisation"]
    assert np.all(np.diag(bracket.upper) > 0.1)
    np.testing.assert_array_equal(bracket.lower, 0.0)  # the exact answer, sqrt(1 * 0), is on its side
    with pytest.raises(scalebridge.PhaseError, match="percolate along no axis"):
        effective_conductivity(board, {0: 1.0, 1: 0.0}, scheme="finite-volume", progress=False, **TIGHT)


@pytest.mark.parametrize("share", [0.15, 0.3])
def test_voids_are_the_limit_of_small_values(share):
    labels = spots(4, share)
    void = solve(labels, {0: 1.0, 1: 0.0})
    assert set(failed(void)) <= {"within Hashin-Shtrikman"}, str(void)
    nearly = solve(labels, {0: 1.0, 1: 1e-9})
    close(nearly.value, void.value, 1e-7)
    assert nearly.derivatives["phase 0"] == pytest.approx(void.derivatives["phase 0"], abs=1e-6)


def test_an_island_changes_nothing():
    labels = bars()
    with_island = labels.copy()
    with_island[6:9, 12:14] = 1
    alone = solve(labels, {0: 0.0, 1: 2.0}).value
    close(solve(with_island, {0: 0.0, 1: 2.0}).value, alone)


# ----------------------------------------------------------------------------------- options of solving


def test_both_schemes_bracket_and_the_answer_is_that_of_the_first(plain):
    bracket = plain.bounds["discretisation"]
    np.testing.assert_array_equal(plain.value, bracket.upper)
    close(solve(SPOTS, PLAIN, scheme="finite-volume").value, bracket.lower)
    assert np.linalg.eigvalsh(bracket.upper - bracket.lower)[0] > 0
    assert set(plain.stats["schemes"]) == {"hexahedra", "finite-volume"}


def test_a_mirrored_image_has_a_diagonal_tensor():
    quarter = SPOTS[:8, :8]
    found = effective_conductivity(quarter, PLAIN, boundary="mirrored", progress=False, **TIGHT)
    assert abs(found.value[0, 1]) < 1e-9
    whole = np.block([[quarter, quarter[:, ::-1]], [quarter[::-1], quarter[::-1, ::-1]]])
    close(found.value, solve(whole, PLAIN).value)
    assert any("reflected" in note for note in found.notes)
    assert found.subject.shape == (8, 8)


def test_mirroring_a_symmetric_image_changes_nothing():
    quarter = spots(9)[:4, :4]
    cell = np.block([[quarter, quarter[:, ::-1]], [quarter[::-1], quarter[::-1, ::-1]]])
    mirrored = solve(periodic(cell), PLAIN, boundary="mirrored").value
    close(mirrored, solve(np.tile(cell, (2, 2)), PLAIN).value)


def test_an_array_is_taken_as_not_periodic_and_that_is_said():
    found = effective_conductivity(SPOTS, PLAIN, progress=False, **TIGHT)
    assert any("mirrored" in note for note in found.notes)
    assert not any("mirrored" in note for note in solve(SPOTS, PLAIN).notes)


def test_oblong_voxels_are_stretched_tensors():
    # With x' = x / 2 a voxel of 2 x 1 is a square, and a conductivity k along x is k / 4.
    oblong = periodic(SPOTS, voxel=(2e-6, 1e-6))
    found = solve(oblong, PLAIN).value
    square = solve(SPOTS, {0: [0.25, 1.0], 1: [1.25, 5.0]}).value
    close(np.diag([0.5, 1.0]) @ found @ np.diag([0.5, 1.0]), square)


def test_oblong_voxels_and_cubes_agree_on_layers_exactly():
    layers = scalebridge.laminate_image([0.25, 0.75], CELLS, axis="x", dim=2, voxel=(2e-6, 1e-6))
    found = solve(layers, PLAIN).value
    np.testing.assert_allclose(found, np.diag([1 / (0.25 + 0.15), 0.25 + 3.75]), atol=1e-12 * 4)


def test_single_precision_agrees_with_double(plain):
    found = effective_conductivity(
        periodic(SPOTS), PLAIN, progress=False, dtype="float32", rtol=1e-5, fields=True, backend="jax"
    )
    close(found.value, plain.value, 1e-4)
    assert found.passed, str(found)
    assert found.fields["flux_x"].dtype == np.float32


def test_too_few_steps_are_an_error_or_an_outcome():
    options = {**TIGHT, "max_steps": 2}
    with pytest.raises(scalebridge.SolverError, match="max_steps"):
        effective_conductivity(periodic(SPOTS), {0: 1.0, 1: 500.0}, progress=False, **options)
    found = effective_conductivity(
        periodic(SPOTS), {0: 1.0, 1: 500.0}, progress=False, throw=False, **options
    )
    assert found.outcome is scalebridge.Outcome.step_limit
    assert not found.passed
    assert found.outcome.sentence in str(found)
    # The energy form errs to one side: what was not converged is above.
    exact = solve(SPOTS, {0: 1.0, 1: 500.0}).value
    assert np.linalg.eigvalsh(found.value - exact)[0] > 0


def test_the_estimated_error_covers_the_true_one(plain):
    loose = solve(SPOTS, PLAIN, rtol=1e-3, residual_rtol=0.5)
    true = np.max(np.diag(loose.value - plain.value) / np.diag(plain.value))
    assert 0 < true <= loose.stats["algebraic error"] <= 1e-3


def test_progress_is_drawn_when_asked_for(capsys):
    effective_conductivity(periodic(SPOTS), PLAIN, progress=True, **TIGHT)
    effective_conductivity(periodic(SPOTS), PLAIN, progress=False, **TIGHT)
    assert capsys.readouterr().out == ""


def test_a_homogeneous_image_needs_no_step():
    found = solve(SPOTS, {0: 3.0, 1: 3.0})
    np.testing.assert_allclose(found.value, 3.0 * np.eye(2), atol=1e-14)
    assert found.stats["steps"] == [0, 0]
    close(found.derivatives["phase 1"], np.eye(2) * SPOTS.mean())


# --------------------------------------------------------------------------------- files and printing


def test_a_file_is_read_with_its_voxel_size(tmp_path, plain):
    path = tmp_path / "scan.tif"
    tifffile.imwrite(
        path,
        SPOTS.T,
        imagej=True,
        resolution=(1 / 3.0, 1 / 3.0),
        metadata={"unit": "um"},
        photometric="minisblack",
    )
    found = effective_conductivity(path, {0: "1 W/m/K", 1: "5 W/m/K"}, progress=False, **TIGHT)
    close(found.value, plain.value)
    assert found.provenance.inputs["image"]["voxel"] == pytest.approx([3e-6, 3e-6])
    assert len(found.provenance.inputs["image"]["file sha256"]) == 64
    overruled = effective_conductivity(
        path, {0: "1 W/m/K", 1: "5 W/m/K"}, voxel=("2 um", "2 um"), progress=False, **TIGHT
    )
    assert overruled.provenance.inputs["image"]["voxel"] == [2e-6, 2e-6]


def test_grey_values_are_cut_at_a_threshold(plain):
    grey = np.where(SPOTS == 1, 180, 40) + np.random.default_rng(0).integers(-20, 20, SPOTS.shape)
    for threshold in (100, "otsu"):
        close(
            effective_conductivity(grey, PLAIN, threshold=threshold, progress=False, **TIGHT).value,
            plain.value,
        )


def test_json_keeps_everything_that_can_be_kept(tmp_path, plain):
    found = scalebridge.load_result(plain.save(tmp_path / "result.json"))
    np.testing.assert_array_equal(found["value"], plain.value)
    assert found["unit"] == "1"
    assert found["std"] is None
    assert found["passed"] is True
    assert found["stats"]["steps"] == plain.stats["steps"]
    assert [check["name"] for check in found["checks"]] == [check.name for check in plain.checks]
    np.testing.assert_array_equal(found["derivatives"]["phase 0"], plain.derivatives["phase 0"])
    np.testing.assert_array_equal(found["bounds"]["Voigt-Reuss"]["upper"], plain.bounds["Voigt-Reuss"].upper)
    assert found["provenance"]["settings"]["rtol"] == TIGHT["rtol"]
    assert found["provenance"]["versions"]["scalebridge"] == scalebridge.__version__
    assert "sensitivity" not in json.dumps(found["stats"])


def test_it_prints_what_a_reader_needs(plain):
    text = str(solve(SPOTS, {0: "1 W/m/K", 1: {"value": "5 W/m/K", "std": 0.3}}, voxel="cubic"))
    assert text.startswith("effective conductivity W/m/K")
    assert f"{plain.value[0, 0]:.6g}" in text
    assert "±" in text
    assert "Hashin-Shtrikman" in text
    assert "FAIL" not in text


def test_what_is_in_the_statistics(plain):
    stats = plain.stats
    for number in (0, 1):
        assert len(stats["residuals"][number]) == len(stats["errors"][number]) == stats["steps"][number] + 1
        assert stats["residuals"][number][-1] <= TIGHT["residual_rtol"]
        assert stats["errors"][number][-1] <= TIGHT["rtol"]
    assert stats["percolating"] == [True, True]
    assert {"preparing", "solving", "deriving"} <= set(plain.provenance.elapsed)


# ------------------------------------------------------------------------------------ effective_laminate


def test_a_wall_has_its_textbook_values():
    wall = effective_laminate([("24 cm", "0.5 W/m/K"), ("120 mm", "40 mW/m/K")], normal=(1, 0))
    across, along = 0.36 / (0.24 / 0.5 + 0.12 / 0.04), (0.24 * 0.5 + 0.12 * 0.04) / 0.36
    np.testing.assert_allclose(wall.value, np.diag([across, along]), atol=1e-15)
    assert wall.unit == "W/m/K"
    assert wall.passed, str(wall)
    assert wall.inputs["layer 1"]["thickness"] == pytest.approx(0.12)


def test_laminates_agree_with_voxels(plain):
    stack = [(0.25, [2.0, 1.0]), (0.75, FIBRE)]
    exact = effective_laminate(stack, normal=(0, 1))
    image = scalebridge.laminate_image([0.25, 0.75], CELLS, axis="y", dim=2)
    found = solve(image, {0: [2.0, 1.0], 1: FIBRE})
    close(found.value, exact.value, 1e-12)
    for layer, phase in (("layer 0", "phase 0"), ("layer 1", "phase 1")):
        close(found.derivatives[phase], exact.derivatives[layer], 1e-10)


def test_layers_at_45_degrees_are_stairs_to_voxels():
    labels = ((np.add.outer(np.arange(CELLS), np.arange(CELLS)) % CELLS) < 8).astype(np.uint8)
    found = solve(labels, {0: 1.0, 1: 3.0}, scheme="both")
    exact = effective_laminate([(1.0, 1.0), (1.0, 3.0)], normal=(1, 1)).value
    close(found.value, exact, 0.03)  # only near: 8 steps a layer
    close(exact, [[1.75, -0.25], [-0.25, 1.75]])


def test_spreads_and_derivatives_of_layers():
    layers = [("1 mm", {"value": "1 W/m/K", "std": "10 %"}), ("3 mm", {"value": "2 W/m/K", "std": 0.1})]
    found = effective_laminate(layers, normal=(0, 0, 1))
    assert found.value.shape == (3, 3)
    harmonic = 1 / (0.25 / 1 + 0.75 / 2)
    slopes = harmonic**2 * np.array([0.25 / 1, 0.75 / 4])  # d harmonic / dk = harmonic^2 f / k^2
    assert found.derivatives["layer 0"][2, 2] == pytest.approx(slopes[0])
    assert found.std[2, 2] == pytest.approx(np.hypot(0.1 * slopes[0], 0.1 * slopes[1]))
    assert found.std[0, 0] == pytest.approx(np.hypot(0.1 * 0.25, 0.1 * 0.75))


def test_jax_differentiates_layers():
    def across(values):
        return effective_laminate([(0.25, values[0]), (0.75, values[1])], normal=(1.0, 0.0)).value[0, 0]

    values = jnp.asarray([1.0, 2.0])
    harmonic = 1 / (0.25 / 1 + 0.75 / 2)
    np.testing.assert_allclose(jax.grad(across)(values), harmonic**2 * np.array([0.25, 0.75 / 4]), rtol=1e-12)
    known = effective_laminate([(0.25, 1.0), (0.75, 2.0)], normal=(1.0, 0.0)).derivatives
    np.testing.assert_allclose(
        jax.grad(across)(values), [known[f"layer {i}"][0, 0] for i in (0, 1)], rtol=1e-12
    )


def test_the_order_of_layers_does_not_matter_and_splitting_one_neither():
    stack = [(1.0, FIBRE), (2.0, 3.0), (1.5, [1.0, 8.0])]
    first = effective_laminate(stack, normal=(1, 2)).value
    close(effective_laminate(stack[::-1], normal=(1, 2)).value, first, 1e-14)
    close(effective_laminate([(0.5, FIBRE), *stack[1:], (0.5, FIBRE)], normal=(2, 4)).value, first, 1e-14)
