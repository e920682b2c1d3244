"""The error budget of a conductivity: its parts by name, what they are made of, and when one is left out."""

import runpy
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

import scalebridge
from scalebridge.cells.conductivity_assessment import PARTS
from scalebridge.core.errors import InputError
from scalebridge.core.upscaled import Contribution

EXAMPLE = Path(__file__).parent.parent / "examples" / "error_budget.py"
SPOTS = np.random.default_rng(0).integers(0, 2, (8, 8, 8)).astype(np.uint8)
PLAIN = {0: 1.0, 1: 10.0}


def solve(image, phases=PLAIN, **options):
    return scalebridge.effective_conductivity(image, phases, progress=False, **options)


def scan(cells=32, noise=0.5):
    """Grey values about 100 with a standard deviation of 20 and a correlation length of some voxels."""
    rng = np.random.default_rng(1)
    field = ndimage.gaussian_filter(rng.normal(size=(cells,) * 3), 3, mode="wrap")
    return 100 + 20 * field / field.std() + noise * rng.normal(size=field.shape)


def test_the_parts_add_in_squares_and_those_left_out_are_named():
    found = solve(SPOTS, {0: {"value": 1.0, "std": 0.1}, 1: 10.0}, boundary="mirrored", budget="full")
    assert set(found.uncertainty) <= set(PARTS)
    assert {"inputs", "algebraic", "boundary"} <= set(found.uncertainty)
    assert set(found.stats["not assessed"]) == set(PARTS) - set(found.uncertainty)
    total = sum(part.std**2 for part in found.uncertainty.values())
    np.testing.assert_allclose(found.std**2, total, rtol=1e-12)


def test_none_leaves_the_inputs_alone():
    assert solve(SPOTS, budget="none").uncertainty == {}
    found = solve(SPOTS, {0: {"value": 1.0, "std": 0.1}, 1: 10.0}, budget="none")
    assert list(found.uncertainty) == ["inputs"]


def test_the_solvers_error_alone_is_no_deviation_of_the_answer():
    """It says nothing of voxels, sample and inputs: printed as one, eight digits would seem to be known."""
    found = solve(SPOTS, budget="quick")
    assert list(found.uncertainty) == ["algebraic"]
    assert found.std is None
    assert " ± " not in str(found).splitlines()[1]
    assert any("± by algebraic" in line for line in str(found).splitlines())


def test_the_boundary_part_is_the_bracket_of_two_runs():
    found = solve(SPOTS, boundary="mirrored", budget="full", rtol=1e-9)
    bound = found.bounds["boundary conditions"]
    lower, upper = (
        solve(SPOTS, boundary=around, budget="none", rtol=1e-9).value
        for around in ("uniform-flux", "uniform-gradient")
    )
    np.testing.assert_allclose(bound.lower, lower, rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(bound.upper, upper, rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(
        found.uncertainty["boundary"].std, np.abs(upper - lower) / 12**0.5, rtol=1e-6, atol=1e-8
    )


def test_a_periodic_image_has_no_boundary_part():
    image = scalebridge.VoxelImage(SPOTS, periodic=True)
    assert "boundary" not in solve(image, budget="full").uncertainty


def test_an_insulator_on_the_faces_brackets_from_zero():
    found = solve(SPOTS, {0: 1.0, 1: 0.0}, boundary="mirrored", budget="full")
    np.testing.assert_array_equal(found.bounds["boundary conditions"].lower, np.zeros((3, 3)))


def test_the_algebraic_part_falls_with_the_tolerance():
    def part(rtol):
        return float(np.max(solve(SPOTS, rtol=rtol, residual_rtol=rtol).uncertainty["algebraic"].std))

    assert part(1e-8) < 0.1 * part(1e-3)


@pytest.mark.parametrize(("phases", "within"), [(PLAIN, 0.15), ({0: 0.0, 1: 1.0}, 0.35)])
def test_the_threshold_s_derivative_is_that_of_segmenting_anew(phases, within):
    """Against a difference over two grey levels; the page says how near it comes."""
    grey, options = scan(), {"boundary": "mirrored", "rtol": 1e-8}
    found = solve(grey, phases, threshold={"value": 100.0, "std": 1.5}, **options)
    above, below = (solve(grey, phases, threshold=t, budget="none", **options).value for t in (102.0, 98.0))
    difference = np.diag(above - below) / 4.0
    np.testing.assert_allclose(np.diag(found.derivatives["threshold 100"]), difference, rtol=within)
    np.testing.assert_allclose(
        found.uncertainty["segmentation"].std, 1.5 * np.abs(found.derivatives["threshold 100"]), rtol=1e-12
    )


def test_without_a_std_a_threshold_has_a_derivative_and_no_part():
    found = solve(scan(), threshold=100.0, boundary="mirrored", rtol=1e-4)
    assert found.derivatives["threshold 100"].shape == (3, 3)
    assert "segmentation" not in found.uncertainty


def test_a_study_gives_the_sample_size_s_part():
    class Study:
        def contribution(self):
            return Contribution(np.full((3, 3), 0.25), "a study")

    found = solve(SPOTS, study=Study())
    np.testing.assert_array_equal(found.uncertainty["sample size"].std, 0.25)


@pytest.mark.slow  # a page that compiles for half a minute; its parts are tested by themselves
def test_a_real_sandstone_has_every_part_and_a_page_of_it(tmp_path):
    run = runpy.run_path(str(EXAMPLE))["run"]
    result, study = run(tmp_path, 24, engine="serial")
    assert set(result.uncertainty) == set(PARTS) - {"segmentation"}  # its labels came without a threshold
    assert study.stats["computed"] > 0
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert all(part in page for part in result.uncertainty)


@pytest.mark.parametrize(
    ("options", "argument"),
    [
        ({"budget": "some"}, "budget"),
        ({"backend": "fortran"}, "backend"),
        ({"boundary": "uniform-gradient", "backend": "jax"}, "backend"),
        ({"boundary": "uniform-flux", "scheme": "finite-volume"}, "scheme"),
        ({"interfaces": "composite"}, "interfaces"),
        ({"threshold": {"value": 84, "spread": 2}}, "threshold"),
        ({"threshold": {"value": 84, "std": -1}}, "threshold"),
        ({"threshold": {"std": 1}}, "threshold"),
    ],
)
def test_bad_options_are_refused(options, argument):
    with pytest.raises(InputError) as told:
        solve(SPOTS.astype(float) if "threshold" in options else SPOTS, **options)
    assert told.value.argument == argument
