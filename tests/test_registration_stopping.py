"""The stopping rule: levels that only fit noise are left out, levels that find the map stay."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from scipy import ndimage

import scalebridge as sb
import scalebridge.registration.climb as climb_module
from registration_samples import images, misses, small_answer, small_task, turned_map
from scalebridge.registration.climb import Fitted, Level
from scalebridge.registration.frame import Frame
from scalebridge.registration.held_out import black_squares, deepest
from scalebridge.registration.matching import HeldOut, Pairing, Step
from scalebridge.registration.problems import histology_task, phantom_anatomy
from scalebridge.registration.pyramid import Layer
from scalebridge.registration.registration_result import RADIUS_95
from scalebridge.registration.spatial_image import SpatialImage
from scalebridge.registration.tissue import find_tissue, with_sparse

STILL = [[1, 0, 0], [0, 1, 0]]


def noise(seed: int, width: float = 0.0) -> SpatialImage:
    values = ndimage.gaussian_filter(np.random.default_rng(seed).standard_normal((72, 72)), width)
    return SpatialImage(values, Frame((72, 72), (0.0, 0.0), (1.0, 1.0)))


def levels_kept(found) -> list[bool]:
    return [step.accepted for step in found.steps if step.grid]


def test_a_section_with_a_known_map_goes_on_to_the_last_level():
    found = small_answer()
    assert all(levels_kept(found))
    assert len(levels_kept(found)) == 3
    total = sum(step.held_out.gain for step in found.steps if step.held_out)
    assert total > np.sqrt(sum(step.held_out.chance**2 for step in found.steps if step.held_out))
    assert np.median(misses(found, small_task())) < 0.9  # as without the rule
    told = found.to_json()
    assert '"held_out"' in told
    assert "held out" in str(found)


@pytest.mark.parametrize("width", [0.0, pytest.param(1.0, marks=pytest.mark.slow)])
def test_noise_stops_at_the_linear_stage(width):
    found = sb.register(noise(0, width), noise(1, width), start=STILL)
    assert not any(levels_kept(found))
    assert not np.any(found.map.coefficients)
    assert not found.passed
    assert any("the map is linear" in note for note in found.notes)
    points = np.array([[20.0, 30.0], [50.0, 40.0]])
    assert np.all(found.standard_error(points) > 0)  # what the left-out levels would have moved


def test_noise_on_itself_is_said_to_have_failed():
    found = sb.register(noise(0), noise(0), start=STILL)
    assert not found.passed
    assert "structure" in {check.name for check in found.checks if not check.passed}
    assert not any(levels_kept(found))


@pytest.mark.slow
def test_levels_that_are_given_are_kept_and_what_they_gain_is_told():
    found = sb.register(noise(0), noise(1), start=STILL, grid="24 mm")
    assert all(levels_kept(found))
    assert all(step.held_out is not None for step in found.steps if step.grid)
    assert any("were asked for" in note for note in found.notes)


def disc(seed: int, width: float) -> SpatialImage:
    """A disc of smooth noise with a lobed outline, on an empty ground."""
    frame = Frame((96, 96), (0.0, 0.0), (1.0, 1.0))
    x, y = (frame.grid() - frame.centre).T.reshape(2, 96, 96)
    values = ndimage.gaussian_filter(np.random.default_rng(seed).standard_normal((96, 96)), width)
    edge = 1 + 0.15 * np.cos(np.random.default_rng(seed + 99).uniform(0, 6) + 3 * np.arctan2(x, y))
    return SpatialImage(np.where(np.hypot(x, y) * edge < 36.0, values / values.std() + 3.0, 0.0), frame)


@pytest.mark.parametrize(
    ("width", "seed"),
    [
        (2.0, 2),
        (4.0, 10),
        *(pytest.param(w, 2 * s, marks=pytest.mark.slow) for w in (1, 2, 4, 8) for s in range(8)),
    ],
)
def test_smooth_noise_of_one_outline_does_not_pass(width, seed):
    found = sb.register(disc(seed, width), disc(seed + 1, width), angles=12)
    chance = next(check for check in found.checks if check.name == "similarity above chance")
    assert not chance.passed  # whatever held-out squares, which smooth noise reaches across, have said
    assert "mean nothing" in found.notes[-1] or found.map.coefficients is None


@pytest.mark.parametrize("deform", [True, False])
def test_anatomies_are_above_chance(deform):
    task = small_task()
    found = small_answer() if deform else linear_answer()
    chance = next(check for check in found.checks if check.name == "similarity above chance")
    assert chance.passed
    assert np.median(misses(found, task)) < (0.9 if deform else 3.0)


@cache
def linear_answer():
    task = small_task()
    return sb.register(*images(task), moving_mask=task.sound, angles=12, deform=False)


def test_a_linear_map_states_what_it_does_not_follow():
    found, task = linear_answer(), small_task()
    assert found.map.grid is None
    assert [step.kind for step in found.steps] == ["affine"]
    sound = np.flatnonzero(~task.damaged)[::40]
    miss = np.linalg.norm(found.map_points(task.points[sound]) - task.answers[sound], axis=1)
    stated = found.standard_error(task.points[sound])
    assert np.mean(miss < RADIUS_95 * stated) > 0.85  # the field is 2.3 mm where pixels are 1.6 mm
    assert np.median(stated) < 3 * np.median(miss)  # not by being large
    noisy = sb.register(noise(0, 2.0), noise(1, 2.0), angles=12, deform=False)
    assert "similarity above chance" in {check.name for check in noisy.checks if not check.passed}


class Ladder:
    """A fit whose half knows that `wanted` times the stiffness is best: gains are steps on a ladder."""

    def __init__(self, wanted: float):
        self.wanted, self.asked = wanted, []

    def __call__(self, pairing, start, stiffness, rounds):
        self.asked.append((stiffness, rounds))
        found = replace(start, shift=np.array([np.log(stiffness), 0.0]))
        return found, Step("spline", 1.0, 8.0, 2, 3, 0.1, 0.2), None, 100.0


@pytest.mark.parametrize(("wanted", "taken"), [(1.0, 1.0), (4.0, 1.0), (16.0, 4.0), (64.0, 16.0)])
def test_a_quarter_of_what_half_of_the_tissue_asks_for_is_taken(wanted, taken, monkeypatch):
    def gain(white, squares, before, after):
        return HeldOut(0.1 if np.exp(after.shift[0]) <= 1.001 * wanted else -0.1, 0.05)

    monkeypatch.setattr(climb_module, "held_out_gain", gain)
    spatial = turned_map()
    layer = Layer(*(np.ones(spatial.frame.shape, np.float32) for _ in range(2)), spatial.frame)
    pairing = Pairing(layer, layer, bins=16)
    level = Level(spatial, spatial, None, 1.0, pairing, pairing, pairing, [layer], [layer])
    fit, said = Ladder(wanted), []
    kept = Step("spline", 1.0, 8.0, 2, 3, 0.1, 0.2)
    found = climb_module._choose_stiffness(Fitted(level, spatial, (kept, kept), 1.0), 6.0, fit, said.append)
    assert found.factor == taken
    assert found.stiffness == pytest.approx(taken)
    assert max(factor.factor for factor in found.tried) == min(4 * wanted, 64.0)
    assert [step.kind for step in said] == (["stiffer"] if taken > 1 else [])
    assert len(found.steps) == 2 + len(said)


@pytest.mark.slow
def test_a_noisy_section_asks_for_a_stiffer_map_and_is_told():
    task = histology_task(phantom_anatomy(), pixels=144, rotation=40.0, seed=1)
    free, given = (
        sb.register(*images(task), moving_mask=task.sound, stiffness=factor) for factor in (None, 1.0)
    )
    assert free.stiffness == 4.0
    assert np.median(misses(free, task)) < np.median(misses(given, task))
    assert any("4 was taken" in note for note in free.notes)
    assert given.tried == ()


def test_sums_of_gains_count_and_chances_add_in_squares():
    slow = [HeldOut(0.01, 0.02), HeldOut(0.02, 0.02)]  # 0.03 against 0.028
    assert deepest(slow) == 2
    assert deepest([HeldOut(0.01, 0.02), HeldOut(0.01, 0.02)]) == 0
    assert deepest([]) == 0


def test_black_and_white_squares_share_the_points_evenly():
    found = turned_map()
    black, number = black_squares(found, found.frame.grid(), 6.0)
    assert abs(black.mean() - 0.5) < 0.05
    for square in np.unique(number):
        assert len(np.unique(black[number == square])) == 1


def test_a_pairing_of_chosen_samples_is_that_of_the_samples_alone():
    rng = np.random.default_rng(3)
    frame = Frame((24, 24), (0.0, 0.0), (1.0, 1.0))
    one, other = (
        Layer(rng.random((24, 24), np.float32), np.ones((24, 24), np.float32), frame) for _ in range(2)
    )
    whole, chosen = Pairing(one, other, bins=16), rng.random(576) < 0.5
    masked = Pairing(Layer(one.values, chosen.reshape(24, 24).astype(np.float32), frame), other, bins=16)
    part = whole.only(chosen)
    assert part(part.points).value == pytest.approx(masked(masked.points).value, abs=1e-12)  # the same sums


def test_what_is_sparsely_stained_is_compared_too():
    values = np.zeros((128, 128), np.float32)
    values[10:60, 10:60] = 1.0  # solid
    values[70:120:8, 10:120] = 1.0  # walls, an eighth of the area: ground to a coarse level
    layers = [Layer(values, np.ones_like(values), Frame((128, 128), (0.0, 0.0), (1.0, 1.0)))]
    layers += [layers[-1].coarser((8, 8))]
    solid = find_tissue(layers[-1])
    both = with_sparse(solid, layers)
    assert not solid[10:14, 2:14].any()
    assert both[10:14, 2:14].all()
    assert not both[:8, 9:].any()  # what is empty stays out
