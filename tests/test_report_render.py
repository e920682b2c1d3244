"""The ray-caster: silhouettes, axes, depths and shades that are known exactly.

A ball of radius r covers pi r^2 from everywhere. Its mask is made of voxels and smoothed by less than one, so
that the surface is good to a third of a voxel or so: 2/3 / r of the area.
"""

import numpy as np
import pytest

from report_samples import ball_labels
from scalebridge.report.camera import Camera, View, enter_box
from scalebridge.report.render import covered, find_surface, render_volume

RED = {1: (0.8, 0.2, 0.1)}
FRONT = Camera(azimuth=-90.0, elevation=0.0)  # looks along +y: x to the right, z up


def bar(low, high, shape=(16, 16, 16)):
    labels = np.zeros(shape, np.uint8)
    labels[tuple(slice(a, b) for a, b in zip(low, high, strict=True))] = 1
    return labels


def extent(mask):
    """Columns and rows that a mask covers, as shares of the picture."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    height, width = mask.shape
    return columns[0] / width, (columns[-1] + 1) / width, rows[0] / height, (rows[-1] + 1) / height


@pytest.mark.parametrize("camera", [FRONT, Camera(), Camera(0.0, 89.0), Camera(30.0, -20.0)])
def test_the_silhouette_of_a_ball_has_its_area(camera):
    radius, n = 9.0, 24
    labels = ball_labels((n, n, n), radius)
    labels[labels == 2] = 0
    view = View(camera, (n, n, n), 120)
    mask = covered(render_volume(labels, RED, camera=camera, pixels=120, outline=False))
    area = mask.sum() / view.scale**2
    assert area == pytest.approx(np.pi * radius**2, rel=2 / 3 / radius)


def test_the_axes_are_where_the_camera_says():
    # Looking along +y, x is to the right and z up; the bar lies at low x and high z.
    labels = bar((0, 6, 10), (12, 10, 16))
    left, right, top, bottom = extent(
        covered(render_volume(labels, RED, camera=FRONT, pixels=100, outline=False))
    )
    assert (left, right) == pytest.approx((0.02, 0.02 + 0.96 * 12 / 16), abs=0.03)
    assert (top, bottom) == pytest.approx((0.02, 0.02 + 0.96 * 6 / 16), abs=0.03)


def test_from_above_y_is_up():
    labels = bar((0, 12, 0), (4, 16, 16))
    above = Camera(azimuth=-90.0, elevation=90.0)
    left, right, top, bottom = extent(
        covered(render_volume(labels, RED, camera=above, pixels=100, outline=False))
    )
    assert (left, right) == pytest.approx((0.02, 0.26), abs=0.03)
    assert (top, bottom) == pytest.approx((0.02, 0.26), abs=0.03)


def test_anisotropic_voxels_stretch_the_picture():
    labels = np.ones((8, 8, 8), np.uint8)
    plain = render_volume(labels, RED, camera=FRONT, pixels=100, outline=False)
    tall = render_volume(labels, RED, camera=FRONT, aspect=(1.0, 1.0, 2.0), pixels=100, outline=False)
    assert covered(tall).sum() == pytest.approx(2 * covered(plain).sum(), rel=0.01)


def test_the_shades_of_a_ball_are_symmetric():
    labels = ball_labels((24, 24, 24), 9.0)
    labels[labels == 2] = 0
    image = render_volume(labels, RED, camera=FRONT, light=(0.0, 0.0, 1.0), pixels=120, outline=False).astype(
        float
    )
    grey = image[..., :3].sum(axis=-1) * (image[..., 3] > 0)
    scale = grey.max()
    assert np.abs(grey - grey[:, ::-1]).mean() < 0.01 * scale
    middle = grey[grey.shape[0] // 2 - 2 : grey.shape[0] // 2 + 2, 58:62].mean()
    assert middle > 0.95 * scale  # faces the light
    assert middle > 1.15 * grey[grey.shape[0] // 2, 60 + round(0.85 * 9 * 96 / 24)]  # turns away


def test_light_from_the_left_is_brighter_on_the_left():
    labels = ball_labels((24, 24, 24), 9.0)
    labels[labels == 2] = 0
    image = render_volume(labels, RED, camera=FRONT, light=(-1.0, 0.0, 0.5), pixels=120, outline=False)
    left, right = image[60, 35, :3].sum(), image[60, 85, :3].sum()
    assert left > 1.2 * right


def test_the_surface_of_a_bar_is_at_its_depth_and_faces_the_camera():
    labels = bar((4, 4, 4), (12, 12, 12))
    view = View(FRONT, (16.0, 16.0, 16.0), 64)
    hits = find_surface(labels, (1,), view)
    centre = np.flatnonzero(hits.pixel == view.height // 2 * 64 + 32)[0]
    assert hits.point[centre, 1] == pytest.approx(4.0, abs=0.05)
    assert hits.depth[centre] == pytest.approx(4.0 - 8.0, abs=0.05)
    assert hits.normal[centre] == pytest.approx([0.0, -1.0, 0.0], abs=0.01)


def test_only_the_phases_asked_for_are_seen_and_each_in_its_colour():
    labels = np.zeros((16, 16, 16), np.uint8)
    labels[:8, :8], labels[8:, 8:] = 1, 2
    view = View(FRONT, (16.0, 16.0, 16.0), 64)
    both = find_surface(labels, (1, 2), view)
    columns = both.pixel % 64
    assert set(both.label[columns < 28]) == {1}
    assert set(both.label[columns > 36]) == {2}
    alone = find_surface(labels, (2,), view)
    assert np.all(alone.pixel % 64 >= 30)


def test_a_cut_corner_shows_the_inner_faces():
    n = 16
    view = View(Camera(), (n, n, n), 100)
    plain, cut = enter_box(view), enter_box(view, 0.5)
    assert plain.pixel.size >= cut.pixel.size > 0.95 * plain.pixel.size
    before = np.full(view.width * view.height, np.nan)
    before[plain.pixel] = plain.start
    moved = cut.start - before[cut.pixel]
    assert np.all(moved >= -1e-4)
    # The corner has a quarter of each of the three visible faces.
    assert np.mean(moved > 1e-3) == pytest.approx(0.25, abs=0.01)
    inside = cut.origin + cut.start[:, None] * view.camera.ahead
    corner = (inside[:, 0] > 8.01) & (inside[:, 1] < 7.99) & (inside[:, 2] > 8.01)
    assert not corner.any()


def test_an_image_without_the_phase_is_empty_and_a_thin_one_is_drawn():
    empty = render_volume(np.zeros((6, 6, 6), np.uint8), RED, pixels=40, outline=False)
    assert not covered(empty).any()
    thin = render_volume(np.ones((6, 2, 6), np.uint8), RED, pixels=40, outline=False)
    assert covered(thin).any()


def test_large_images_are_thinned_but_keep_their_shape():
    labels = np.zeros((250, 40, 40), np.uint8)
    labels[:125] = 1
    mask = covered(render_volume(labels, RED, camera=FRONT, pixels=200, outline=False))
    left, right, _, _ = extent(mask)
    assert (left, right) == pytest.approx((0.02, 0.50), abs=0.02)
