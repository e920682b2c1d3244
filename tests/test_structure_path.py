"""Paths of loads: exact bars, quadratic Newton, cut-backs, softening, resuming."""

import itertools
from dataclasses import replace

import jax.numpy as jnp
import numpy as np
import pytest

from fe2_samples import BENT, BULK, FACTORS, HARDENING, SHEAR, YIELD, PlasticUnit
from scalebridge import report
from scalebridge.cells.path_cell import PathCell
from scalebridge.core.errors import InputError, SolverError
from scalebridge.core.results import Outcome
from scalebridge.core.spec import Spec
from scalebridge.core.upscaled import Upscaled
from scalebridge.grids.image import VoxelImage
from scalebridge.laws.constitutive_law import constitutive_law
from scalebridge.laws.hardening import LinearHardening
from scalebridge.laws.path_law import PathLaw
from scalebridge.laws.plastic import J2Plasticity
from scalebridge.structures.representative_volume import representative_volume
from scalebridge.structures.solid_mesh import box_mesh, named_sides
from scalebridge.structures.solve_structure import solve_structure

LAW = J2Plasticity(BULK, SHEAR, LinearHardening(YIELD, HARDENING))
BAR = box_mesh((2.0, 1.0, 1.0), (2, 1, 1))
PULLED = {"left": {"x": 0}, "front": {"y": 0}, "bottom": {"z": 0}, "right": {"x": 1.0}}


class Softening(PathLaw):
    """Uniaxial damage that softens exponentially, its energy given to a length: a crack band.

    Damage follows e_11; the energy of a unit volume is strength x onset / 2 + strength x scale.
    """

    young: float
    onset: float
    scale: float

    def state_specs(self):
        return {"largest": Spec("largest strain", "1")}

    def rest(self):
        return {"largest": jnp.zeros(())}

    def respond(self, strain, state, dt):
        largest = jnp.maximum(state["largest"], strain[0])
        beyond = largest > self.onset
        safe = jnp.where(beyond, largest, 1.0)
        left = jnp.where(beyond, self.onset / safe * jnp.exp(-(safe - self.onset) / self.scale), 1.0)
        return left * self.young * strain, {"largest": largest}

    def stiffness(self):
        return self.young * jnp.eye(6)

    def free_energy(self, strain, state):
        return 0.5 * strain @ self.respond(strain, state, 0.0)[0]

    def margin(self, strain, state):
        return strain[0] / self.onset - 1.0


def test_a_pulled_bar_gives_the_uniaxial_curve_of_its_law():
    study = solve_structure(BAR, LAW, supports=PULLED, steps=[0.002, 0.006, 0.012, 0.010], rtol=1e-11)
    young = 9 * BULK * SHEAR / (3 * BULK + SHEAR)
    onset, hardened = YIELD / young, young * HARDENING / (young + HARDENING)
    moved, pulled = study.curve()
    strain = moved[1:4] / 2.0
    exact = np.where(strain < onset, young * strain, YIELD + hardened * (strain - onset))
    np.testing.assert_allclose(pulled[1:4], exact, rtol=1e-10)
    unloaded = exact[2] - young * (moved[3] - moved[4]) / 2.0
    assert pulled[4] == pytest.approx(unloaded, rel=1e-9)
    assert study.passed
    assert study.records[-1].reactions["left"][0] == pytest.approx(-pulled[4], rel=1e-10)


def test_newton_is_quadratic_with_the_consistent_tangent():
    study = solve_structure(BAR, LAW, supports=BENT, steps=[0.004, 0.012], rtol=1e-11)
    residuals = [row.residual for row in study.iterations if row.step == 2]
    assert len(residuals) <= 6
    last = [r for r in residuals if 1e-13 < r < 1e-2]
    assert all(b < 50 * a**2 for a, b in itertools.pairwise(last))  # r' <= C r^2, C of this bar


def test_a_cell_of_one_material_and_a_unit_in_numpy_give_what_the_law_gives():
    law = solve_structure(BAR, LAW, supports=BENT, steps=FACTORS, rtol=1e-11)
    unit = solve_structure(BAR, PlasticUnit(), supports=BENT, steps=FACTORS, rtol=1e-11)
    cell = PathCell(np.zeros((2, 2, 2), int), [LAW], (1.0, 1.0, 1.0))
    volume = solve_structure(BAR, cell, supports=BENT, steps=FACTORS[:3], rtol=1e-9)
    np.testing.assert_allclose(unit.curve()[1], law.curve()[1], rtol=1e-11)
    np.testing.assert_allclose(volume.curve()[1], law.curve()[1][:4], rtol=1e-8)  # rtol of the structure
    assert [r.iterations for r in unit.records] == [r.iterations for r in law.records]
    inside = {check.name: check for check in volume.checks}["Hill-Mandel of the points, worst step"]
    assert inside.passed
    assert not any("points" in check.name for check in law.checks), "laws at points have nothing inside"
    assert "J2Plasticity" in volume.inputs["law of phase 0"]


def test_a_failed_point_cuts_the_step_and_leaves_nothing_behind():
    class Touchy(PlasticUnit):
        """Fails where a load is far from its committed one."""

        def respond(self, load, state, dt=0.0, *, hint=None):
            found = super().respond(load, state, dt)
            far = np.abs(load - state.get("at", np.zeros(6))).max() > 0.004
            state = {**found.state, "at": load.copy()}
            return type(found)(found.answer, found.tangent, state, None, 3 if far else 0)

        def rest(self):
            return {**super().rest(), "at": np.zeros(6)}

        def elastic(self):
            return None

    whole = solve_structure(BAR, PlasticUnit(), supports=PULLED, steps=[0.024], rtol=1e-10)
    cut = solve_structure(BAR, Touchy(), supports=PULLED, steps=[0.024], rtol=1e-10)
    assert [r.outcome for r in cut.iterations].count("a point found no answer") >= 1
    assert len(cut.records) > 1
    assert cut.curve()[1][-1] == pytest.approx(
        whole.curve()[1][-1], rel=1e-9
    )  # proportional: steps do not matter


def weakened_bar(count):
    """A bar of `count` elements whose middle one is half a percent thinner in the middle of it."""
    made = box_mesh((1.0, 0.1), (count, 1)).mesh
    p = made.p.copy()
    middle = np.abs(p[0] - 0.5) < 0.51 / count
    p[1, middle] *= 0.99
    return named_sides(type(made)(p, made.t), "quad", f"bar of {count}")


@pytest.mark.parametrize("count", [5, 9, 17])
def test_a_softening_bar_dissipates_its_fracture_energy_on_every_mesh(count):
    strength, energy, section = 1e-3, 2.5e-6, 0.1 * 0.995
    law = constitutive_law(
        "damage", young=1.0, poisson=0.0, strength=strength, fracture_energy=energy, length=1.0 / count
    )
    study = solve_structure(
        weakened_bar(count),
        law,
        supports={"left": {"x": 0}, "bottom": {"y": 0}, "right": {"x": 1.4e-2}},
        steps=[0.06, 0.07, *np.geomspace(0.075, 1.0, 24)],
        plane="stress",
        rtol=1e-7,
    )
    moved, pulled = study.curve()
    assert pulled[-1] < 0.02 * pulled.max(), "the bar is torn"
    lost = study.records[-1].external - 0.5 * pulled[-1] * moved[-1]  # what would be given back
    assert lost == pytest.approx(energy * section, rel=0.02)
    assert study.notes == (), "the law has the width of the elements"


def test_softening_without_the_width_of_the_elements_is_said():
    given = {"young": 1.0, "poisson": 0.0, "strength": 1e-3}
    wide = constitutive_law("damage", **given, fracture_energy=2.5e-6, length=0.5)
    bar = {"supports": {"left": {"x": 0}, "bottom": {"y": 0}, "right": {"x": 1.5e-3}}, "plane": "stress"}
    wrong = solve_structure(weakened_bar(5), wide, **bar, steps=6).notes
    assert any("a band 0.5 m wide" in note and "0.2 m long" in note for note in wrong)
    own = solve_structure(weakened_bar(5), replace(wide, band=0.0), **bar, steps=6).notes
    assert any("Its law has no length" in note for note in own)
    averaged = constitutive_law("damage", **given, final_strain=5e-3, averaging_length=0.1)
    with pytest.raises(InputError, match="no average is taken over the points of a structure"):
        solve_structure(weakened_bar(5), averaged, **bar, steps=6)


def test_a_limit_point_stops_the_factor_and_not_the_length():
    law = Softening(1.0, 1e-3, 4e-4)
    pulled = {"supports": {"left": {"x": 0}, "bottom": {"y": 0}}, "tractions": {"right": (1.2e-3, 0.0)}}
    with pytest.raises(SolverError, match="control='arc' past a limit point"):
        solve_structure(weakened_bar(5), law, **pulled, steps=4, plane="stress", max_cuts=3)
    study = solve_structure(
        weakened_bar(5), law, **pulled, steps=40, control="arc", plane="stress", throw=False
    )
    factors = np.array([r.factor for r in study.records])
    assert factors.argmax() < len(factors) - 3, "the load falls in the end"
    assert factors.max() == pytest.approx(1e-3 / 1.2e-3, rel=0.03)  # the strength, at the weakened section


def test_resuming_is_bitwise_and_may_go_further(tmp_path):
    whole = solve_structure(BAR, LAW, supports=BENT, steps=FACTORS)
    solve_structure(BAR, LAW, supports=BENT, steps=FACTORS[:2], checkpoints=tmp_path)
    rest = solve_structure(BAR, LAW, supports=BENT, steps=FACTORS, checkpoints=tmp_path, resume=True)
    np.testing.assert_array_equal(rest.displacement, whole.displacement)
    np.testing.assert_array_equal(rest.stresses, whole.stresses)
    assert rest.records == whole.records
    for steps in (3, FACTORS[1:], FACTORS[:1]):
        with pytest.raises(InputError, match="the steps that are done"):
            solve_structure(BAR, LAW, supports=BENT, steps=steps, checkpoints=tmp_path, resume=True)
    with pytest.raises(InputError, match="duration"):
        solve_structure(
            BAR, LAW, supports=BENT, steps=FACTORS, duration=2.0, checkpoints=tmp_path, resume=True
        )
    other = J2Plasticity(BULK, 1.01 * SHEAR, LinearHardening(YIELD, HARDENING))
    with pytest.raises(InputError, match="of another material"):
        solve_structure(BAR, other, supports=BENT, checkpoints=tmp_path, resume=True)
    with pytest.raises(InputError, match="of another mesh"):
        solve_structure(
            box_mesh((2.0, 1.0, 1.0), (3, 1, 1)), LAW, supports=BENT, checkpoints=tmp_path, resume=True
        )
    with pytest.raises(InputError, match="of another loads"):
        solve_structure(BAR, LAW, supports=PULLED, checkpoints=tmp_path, resume=True)


def test_files_of_a_run_are_there_and_say_the_same(tmp_path):
    import meshio

    study = solve_structure(BAR, LAW, supports=BENT, steps=FACTORS, results=tmp_path)
    frame = meshio.read(tmp_path / f"frame-{len(study.records):06d}.vtu")
    np.testing.assert_allclose(frame.point_data["displacement"], study.displacement.T, rtol=0, atol=1e-15)
    means = study.by_element(study.equivalent_stress())
    np.testing.assert_allclose(frame.cell_data["equivalent stress"][0], means, rtol=1e-12)
    rows = (tmp_path / "reactions.csv").read_text(encoding="utf-8").splitlines()
    assert len(rows) == 1 + len(study.records)
    assert (tmp_path / "series.pvd").read_text(encoding="utf-8").count("DataSet") == len(study.records)
    assert "0.012" in str(study)


def test_a_stiffness_that_was_handed_up_is_a_law():
    handed = Upscaled(Spec("stiffness", "Pa", (6, 6), symmetric=True), np.asarray(LAW.stiffness()))
    one = solve_structure(BAR, handed, supports=BENT, steps=[1e-4])
    two = solve_structure(BAR, LAW, supports=BENT, steps=[1e-4])
    np.testing.assert_allclose(one.curve()[1], two.curve()[1], rtol=1e-12)
    assert one.outcome is Outcome.converged


def test_a_bar_that_is_free_again_passes_and_strains_that_are_not_small_are_said():
    back = solve_structure(BAR, LAW, supports=BENT, steps=[1e-3, 0.0])
    assert np.abs(back.stresses).max() < 1e-15, "it had not yielded: roundings are left"
    assert back.passed, [str(check) for check in back.checks]
    assert not back.notes
    far = solve_structure(BAR, LAW, supports=BENT, steps=[1.5])
    assert any("Strains reach" in note for note in far.notes)


def test_a_volume_of_an_image_that_does_not_repeat_says_so():
    image = VoxelImage(np.zeros((2, 2, 2), int), voxel=(1e-3,) * 3, periodic=False)
    study = solve_structure(BAR, representative_volume(image, {0: LAW}), supports=BENT, steps=[0.001])
    assert any("does not repeat" in note for note in study.notes)


def test_a_volume_that_softens_says_of_which_width_its_energy_is():
    law = constitutive_law(
        "damage", young=1.0, poisson=0.0, strength=1e-3, fracture_energy=1e-3, length=0.5, equivalent="energy"
    )
    volume = representative_volume(np.zeros((2, 2, 2), int), {0: law}, voxel="250 mm")
    study = solve_structure(BAR, volume, supports=PULLED, steps=[2e-3, 2.4e-3], throw=False)
    assert any("as wide as the volume (0.5 m)" in note for note in study.notes), study.notes


def test_a_path_that_never_began_is_told_saved_and_drawn(tmp_path):
    beyond = {"left": {"x": 0, "y": 0, "z": 0}, "right": {"x": 0.05}}
    run = {"supports": beyond, "steps": 1, "max_cuts": 0, "max_iterations": 1, "rtol": 1e-12}
    study = solve_structure(BAR, LAW, **run, throw=False)
    assert not study.records
    assert not study.passed
    assert "No equilibrium beyond factor 0 (too many iterations)" in str(study)
    study.save(tmp_path / "a.json")
    report(study, tmp_path / "a.html")
    assert "No equilibrium beyond factor 0" in (tmp_path / "a.html").read_text(encoding="utf-8")
    with pytest.raises(SolverError, match="No equilibrium beyond factor 0"):
        solve_structure(BAR, LAW, **run)


def test_a_run_that_is_done_again_leaves_no_checkpoint_of_the_last_one_behind(tmp_path):
    """Ended after two of four steps, it goes on from its second, not from the fourth of another material."""
    other = J2Plasticity(BULK, 1.01 * SHEAR, LinearHardening(YIELD, HARDENING))
    kept, archive = tmp_path / "kept", tmp_path / "archive"
    solve_structure(BAR, other, supports=BENT, steps=FACTORS, checkpoints=kept, archive=archive)
    solve_structure(BAR, LAW, supports=BENT, steps=FACTORS[:2], checkpoints=kept, archive=archive)
    for folder in (kept, archive):
        assert sorted(path.name for path in folder.iterdir()) == ["step-000001", "step-000002"]
    rest = solve_structure(BAR, LAW, supports=BENT, steps=FACTORS, checkpoints=kept, resume=True)
    whole = solve_structure(BAR, LAW, supports=BENT, steps=FACTORS)
    np.testing.assert_array_equal(rest.stresses, whole.stresses)
