"""The stopping rule: levels that only fit noise are left out, levels that find the map stay."""

import numpy as np
import pytest
from scipy import ndimage

import scalebridge as sb
from registration_samples import misses, small_answer, small_task, turned_map
from scalebridge.registration.frame import Frame
from scalebridge.registration.held_out import black_squares, deepest
from scalebridge.registration.matching import HeldOut, Pairing
from scalebridge.registration.pyramid import Layer
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
def test_levels_that_are_given_are_not_judged():
    found = sb.register(noise(0), noise(1), start=STILL, grid="24 mm")
    assert all(levels_kept(found))
    assert all(step.held_out is None for step in found.steps)


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
