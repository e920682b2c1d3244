"""Moduli from grey values: against a plain image, by scaling, with error bars, in the bone example; refusals.

Tolerances: classes of one grey value each represent the law exactly, so that only the solver's stop is left.
"""

import importlib.util
import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import scalebridge as sb
from scalebridge.cells.graded_stiffness import graded_phases

EXAMPLE = Path(__file__).parent.parent / "examples" / "bone.py"
LAW = sb.DensityLaw(0.0, 200.0, 18e9, 2.0, 0.3, threshold=50.0)
GREY = np.random.default_rng(3).choice([100.0, 200.0], (4, 4, 4))
SHARP = {"rtol": 1e-10, "budget": "none", "progress": False}


def test_two_grey_values_are_two_phases():
    graded = sb.graded_stiffness(GREY, LAW, **SHARP)
    phases = {0: {"young": 4.5e9, "poisson": 0.3}, 1: {"young": 18e9, "poisson": 0.3}}
    plain = sb.effective_stiffness((GREY > 150).astype(np.uint8), phases, **SHARP)
    np.testing.assert_allclose(graded.value, plain.value, atol=1e-9 * plain.value.max())
    # 64 random voxels are not isotropic, so that the bounds of an isotropic mixture may fail alike.
    assert [c.passed for c in graded.checks] == [c.passed for c in plain.checks]


def test_the_mean_modulus_is_kept_by_any_number_of_classes():
    grey = np.random.default_rng(5).uniform(0, 255, (6, 6, 6))
    for levels in (1, 3, 32):
        image, phases = graded_phases(grey, LAW, levels=levels)
        young = [0.0 if phases[n] == "void" else phases[n]["young"] for n in image.phases]
        mean = sum(image.fractions[n] * e for n, e in zip(image.phases, young, strict=True))
        assert mean == pytest.approx(LAW.modulus(grey).mean(), rel=1e-12)


def test_the_stiffness_is_proportional_to_the_modulus_and_so_is_its_spread():
    law = replace(LAW, young_std=1.8e9)
    found = sb.graded_stiffness(GREY, law, rtol=1e-8, budget="quick", progress=False)
    twice = sb.graded_stiffness(GREY, replace(LAW, young=36e9), **SHARP)
    np.testing.assert_allclose(twice.value, 2 * found.value, atol=1e-7 * found.value.max())
    np.testing.assert_allclose(found.uncertainty["tissue modulus"].std, 0.1 * np.abs(found.value), rtol=1e-12)
    np.testing.assert_allclose(found.derivatives["tissue modulus"] * 18e9, found.value, rtol=1e-12)


@pytest.mark.slow
def test_the_bone_example(tmp_path):
    spec = importlib.util.spec_from_file_location("bone", EXAMPLE)
    example = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(example)
    found = example.run(tmp_path, 24, "standard", progress=False)
    assert found.passed, str(found)
    assert {"tissue modulus", "exponent", "threshold", "voxel size"} <= set(found.uncertainty)
    constants = sb.engineering_constants(found.value, "orthotropic")
    assert all(0 < constants.values[name] < 18e9 for name in ("E1", "E2", "E3"))
    assert (tmp_path / "report.html").read_text(encoding="utf-8").count("pores") > 0
    assert "*ELASTIC" in (tmp_path / "trabecular_bone.inp").read_text(encoding="utf-8").upper()
    told = json.loads((tmp_path / "bone_stiffness.json").read_text(encoding="utf-8"))
    assert told["inputs"]["phase 1"]["law"]["threshold"] == 84.0


@pytest.mark.parametrize(
    ("changed", "argument"),
    [
        ({"young": 0.0}, "young"),
        ({"young": math.nan}, "young"),
        ({"poisson": 0.5}, "poisson"),
        ({"exponent": 0.0}, "exponent"),
        ({"exponent": 7.0}, "exponent"),
        ({"solid_grey": -1.0}, "solid_grey"),
        ({"threshold": 250.0}, "threshold"),
        ({"threshold": -1.0}, "threshold"),
        ({"young_std": -1.0}, "young_std"),
        ({"threshold_std": math.nan}, "threshold_std"),
    ],
)
def test_laws_that_physics_forbids(changed, argument):
    with pytest.raises(sb.InputError, match=argument):
        replace(LAW, **changed)


@pytest.mark.parametrize(
    ("grey", "options", "says"),
    [
        (np.zeros((4, 4, 4)), {}, "lower the threshold"),
        (np.full(4, 200.0), {}, "planar or spatial"),
        (np.full((4, 4), "a"), {}, "grey values"),
        (GREY, {"levels": 0}, "levels"),
        (GREY, {"levels": 2.5}, "levels"),
        (GREY, {"levels": 1000}, "levels"),
    ],
)
def test_grey_values_that_are_none(grey, options, says):
    with pytest.raises(sb.InputError, match=says):
        sb.graded_stiffness(grey, LAW, **options)
