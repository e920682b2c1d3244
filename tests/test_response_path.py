"""The verb: control, checks, what it refuses, Ctrl-C, and its page."""

import re

import numpy as np
import pytest

import scalebridge
from path_samples import BLOCK, INCLUSION, MATRIX, TIGHT
from scalebridge.cells.path_cell import PathCell
from scalebridge.cells.path_control import parse_control
from scalebridge.cells.path_settings import PathSettings
from scalebridge.cells.response_path import response_along_path
from scalebridge.core.errors import InputError, ResourceError, SolverError
from scalebridge.core.results import Outcome
from scalebridge.grids.image import VoxelImage
from scalebridge.laws.constitutive_law import constitutive_law
from scalebridge.laws.elastic import IsotropicElastic
from scalebridge.laws.hardening import LinearHardening
from scalebridge.laws.maxwell import GeneralisedMaxwell
from scalebridge.laws.neo_hookean import NeoHookean
from scalebridge.structures.solid_mesh import box_mesh
from scalebridge.structures.solve_structure import solve_structure

IMAGE = VoxelImage(BLOCK, voxel=(1e-6, 1e-6, 1e-6), names={0: "matrix", 1: "grain"})
LAWS = {0: MATRIX, 1: INCLUSION}
PULL = np.outer([0.001, 0.003, 0.006, 0.002], [1.0, 0, 0, 0, 0, 0])
STILL = np.zeros((2, 6))
DOUBLE = PathSettings(precision="double")


@pytest.fixture(scope="module")
def pulled():
    return response_along_path(IMAGE, LAWS, PULL, control="uniaxial stress", fields=True, settings=DOUBLE)


def test_uniaxial_stress_leaves_no_stress_across_and_keeps_the_energy(pulled):
    assert pulled.passed, [str(check) for check in pulled.checks]
    assert np.abs(pulled.value[:, 1:]).max() <= 1e-7 * np.abs(pulled.value[:, 0]).max()
    assert pulled.stats["load"][:, 0] == pytest.approx(PULL[:, 0], abs=0)
    assert {check.name.split(",")[0] for check in pulled.checks} == {"Hill-Mandel", "dissipation", "tangent"}
    assert pulled.stats["work"] == pytest.approx(pulled.stats["stored"] + pulled.stats["dissipated"])
    assert np.all(np.diff(pulled.stats["dissipated"])[:2] > 0)


def test_fields_have_the_mean_that_is_handed_up(pulled):
    for name, mean in (("stress", pulled.value[-1]), ("strain", pulled.stats["load"][-1])):
        field = pulled.fields[name]
        assert field.shape == (6, *BLOCK.shape)
        assert np.abs(field.reshape(6, -1).mean(axis=1) - mean).max() <= 1e-9
    plastic = pulled.fields["accumulated plastic strain"][0]
    assert np.all(np.isnan(plastic[BLOCK == 1]))
    assert plastic[BLOCK == 0].max() > 0


def test_mixed_control_gives_back_what_strain_control_found():
    load = np.outer([0.5, 1.0], [0.004, -0.001, -0.002, 0.001, 0.0005, 0.002])
    strained = response_along_path(IMAGE, LAWS, load, settings=TIGHT)
    mask = parse_control(("22", "13"), 6)
    mixed = np.where(mask, strained.value, load)
    found = response_along_path(IMAGE, LAWS, mixed, control=("22", "13"), settings=TIGHT)
    assert np.abs(found.stats["load"] - load).max() <= 1e-9
    assert np.abs(found.value - strained.value).max() <= 1e-7 * np.abs(strained.value).max()


def test_plane_stress_of_a_homogeneous_body_is_known():
    young, poisson = 210e9, 0.3
    law = IsotropicElastic(young / (3 * (1 - 2 * poisson)), young / (2 * (1 + poisson)))
    found = response_along_path(np.zeros((2, 2, 2), int), {0: law}, PULL[:1], control="plane stress")
    plane = young / (1 - poisson**2) * 0.001
    assert found.value[0] == pytest.approx([plane, poisson * plane, 0, 0, 0, 0], abs=1e-6 * plane)


@pytest.mark.slow
def test_finite_strain_under_uniaxial_stress_pulls_to_no_stress_across():
    stretch = np.zeros((2, 9))
    stretch[:, [0, 4, 8]] = [[1.1, 0, 0], [1.3, 0, 0]]
    laws = {0: NeoHookean(5.0, 2.0), 1: NeoHookean(50.0, 20.0)}
    found = response_along_path(IMAGE, laws, stretch, control="uniaxial stress", settings=DOUBLE)
    assert found.passed, [str(check) for check in found.checks]
    assert np.abs(found.value[:, [4, 8]]).max() <= 1e-7 * found.value[-1, 0]
    assert np.all(found.stats["load"][:, 4] < 1)
    assert found.value.shape == (2, 9)


def test_a_planar_image_is_a_cylinder_along_z():
    planar = response_along_path(VoxelImage(BLOCK[:, :, 1]), LAWS, PULL[:2], settings=TIGHT)
    deep = np.repeat(BLOCK[:, :, 1:2], 2, axis=2)
    spatial = response_along_path(VoxelImage(deep), LAWS, PULL[:2], settings=TIGHT)
    assert np.abs(planar.value - spatial.value).max() <= 1e-8 * np.abs(spatial.value).max()


def test_a_pore_carries_nothing():
    found = response_along_path(
        IMAGE, {0: MATRIX, 1: "void"}, PULL[:2], control="uniaxial stress", fields=True
    )
    assert np.abs(found.fields["stress"][:, BLOCK == 1]).max() == 0.0
    assert 0 < found.value[-1, 0] < 0.1 * 1.1


def test_the_page_shows_curves_fields_and_tangent(pulled, tmp_path):
    text = scalebridge.report(pulled, tmp_path / "path.html").read_text(encoding="utf-8")
    for shown in (
        "Response of the image along a path",
        "Von Mises",
        "Accumulated plastic strain",
        "J2Plasticity",
    ):
        assert shown in text
    assert len(re.findall("<svg", text)) >= 5
    assert "Stopped from outside" not in text
    saved = scalebridge.load_result(pulled.save(tmp_path / "path.json"))
    assert saved["value"].shape == (4, 6)


def test_what_cannot_be_reached_says_so_and_keeps_the_steps_before():
    """A perfectly plastic body carries no more than its yield stress."""
    soft = {0: MATRIX.__class__(62.5, 28.8462, LinearHardening(0.1, 0.0))}
    path = np.zeros((2, 6))
    path[:, 0] = 0.09, 0.2  # the second is twice what it can carry
    given = ("11", "22", "33", "23", "13")
    body = np.zeros((2, 2, 2), int)
    settings = PathSettings(max_iterations=8, max_cuts=1, precision="double")
    found = response_along_path(body, soft, path, control=given, settings=settings, throw=False)
    assert found.outcome is not Outcome.converged
    assert found.value.shape == (1, 6)
    assert found.value[0, 0] == pytest.approx(0.09, rel=1e-6)
    with pytest.raises(SolverError, match="step 2"):
        response_along_path(body, soft, path, control=given, settings=settings)


def test_control_c_keeps_the_steps_that_were_done(monkeypatch):
    from scalebridge.cells import path_cell

    counted = {"calls": 0}
    real = path_cell.equilibrate

    def interrupted(*arguments):
        counted["calls"] += 1
        if counted["calls"] > 2:
            raise KeyboardInterrupt
        return real(*arguments)

    monkeypatch.setattr(path_cell, "equilibrate", interrupted)
    found = response_along_path(IMAGE, LAWS, PULL, settings=DOUBLE)
    assert found.outcome is Outcome.cancelled
    assert len(found.value) == 2
    assert any("after step 2" in note for note in found.notes)


BAD = {
    "no law of a label": ((IMAGE, {0: MATRIX}, STILL), {}, "label 1"),
    "a law of no label": ((IMAGE, {**LAWS, 5: MATRIX}, STILL), {}, "label 5"),
    "a table for a law": ((IMAGE, {0: MATRIX, 1: {"young": 1.0}}, STILL), {}, "PathLaw"),
    "laws in a list": ((IMAGE, [MATRIX, INCLUSION], STILL), {}, "by label"),
    "nothing but voids": ((IMAGE, {"*": "void"}, STILL), {}, "solid"),
    "small and finite": ((IMAGE, {0: MATRIX, 1: NeoHookean(1.0, 1.0)}, STILL), {}, "one kind"),
    "a void with finite strain": ((IMAGE, {0: NeoHookean(1.0, 1.0), 1: "void"}, STILL), {}, "soft"),
    "a parameter that is no number": (
        (IMAGE, {"*": IsotropicElastic(float("nan"), 1.0)}, STILL),
        {},
        "finite",
    ),
    "five components": ((IMAGE, LAWS, np.zeros((2, 5))), {}, "one row a step"),
    "no steps": ((IMAGE, LAWS, np.zeros((0, 6))), {}, "one row a step"),
    "words for a path": ((IMAGE, LAWS, "pull"), {}, "numbers"),
    "a load that is not finite": ((IMAGE, LAWS, [[0.001] * 6, [np.inf] * 6]), {}, "step 2"),
    "strains in per cent": ((IMAGE, LAWS, 1000 * PULL), {}, "per cent"),
    "a cell inside out": ((IMAGE, {"*": NeoHookean(1.0, 1.0)}, [np.diag([1.0, -1, 1])]), {}, "determinant"),
    "a control that there is not": ((IMAGE, LAWS, STILL), {"control": "biaxial"}, "uniaxial stress"),
    "a component that there is not": ((IMAGE, LAWS, STILL), {"control": ("44",)}, "44"),
    "all stresses": ((IMAGE, LAWS, STILL), {"control": ("11", "22", "33", "23", "13", "12")}, "not all"),
    "times that fall": ((IMAGE, LAWS, STILL), {"times": [2.0, 1.0]}, "rise"),
    "too few times": ((IMAGE, LAWS, STILL), {"times": [1.0]}, "2 times"),
}


@pytest.mark.parametrize("name", BAD)
def test_refused(name: str):
    arguments, options, said = BAD[name]
    with pytest.raises(InputError, match=re.escape(said)):
        response_along_path(*arguments, **options)


@pytest.mark.parametrize(
    "given",
    [
        {"tolerance": 2.0},
        {"tangent_tolerance": 0.0},
        {"max_iterations": 0},
        {"precision": "half"},
        {"max_cuts": 1.5},
    ],
)
def test_settings_that_are_none_are_refused(given: dict):
    with pytest.raises(InputError, match=next(iter(given))):
        PathSettings(**given)


def test_a_law_of_rates_wants_times_and_a_large_job_is_refused():
    creeping = GeneralisedMaxwell(10.0, 5.0, [3.0], [1.0])
    with pytest.raises(InputError, match="times"):
        response_along_path(IMAGE, {"*": creeping}, STILL)
    with pytest.raises(ResourceError, match="image"):
        response_along_path(IMAGE, LAWS, STILL, memory_limit=1e3)


@pytest.mark.parametrize("kind", ["elastic", "plastic"])
def test_a_change_of_temperature_stresses_a_sample_that_is_held_and_its_work_adds_up(kind):
    """Elastic phases: the stress of a held sample is -C* : a* dT of the effective tensors."""
    steel = {"young": "210 GPa", "poisson": 0.3}
    hot = constitutive_law(
        "elastic", young="70 GPa", poisson=0.3, expansion="2e-5 1/K", temperature_change=50.0
    )
    other = (
        constitutive_law("elastic", **steel, expansion="1e-5 1/K", temperature_change=50.0)
        if kind == "elastic"
        else constitutive_law("plastic", **steel, yield_stress="100 MPa", hardening_modulus="1 GPa")
    )
    path = np.zeros((2, 6))
    path[1, 0] = 1e-3
    found = response_along_path(IMAGE, {0: hot, 1: other}, path, settings=DOUBLE)
    assert found.passed, [str(check) for check in found.checks]
    if kind == "elastic":
        phases = {0: {"young": "70 GPa", "poisson": 0.3, "expansion": "2e-5 1/K"}}
        phases[1] = steel | {"expansion": "1e-5 1/K"}
        stiff, grown = (
            np.asarray(one.value)
            for one in (
                scalebridge.effective_stiffness(IMAGE, phases, rtol=1e-9),
                scalebridge.effective_expansion(IMAGE, phases, rtol=1e-9),
            )
        )
        wanted = -stiff @ grown * 50.0
        assert np.abs(found.value[0] - wanted).max() <= 1e-6 * np.abs(wanted).max()
    volume = PathCell(BLOCK, [hot, other], (1e-6,) * 3)
    held = {"left": {"x": 0, "y": 0}, "right": {"x": 1e-6}}
    study = solve_structure(box_mesh((1e-2, 1e-2), (1, 1)), volume, supports=held, steps=2)
    assert study.passed, [str(check) for check in study.checks]
