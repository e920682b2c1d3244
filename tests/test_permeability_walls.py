"""permeability(walls="smooth"): the plain question, with slip, about walls that are not planes."""

import json

import numpy as np
import pytest

import scalebridge as sb
from scalebridge.core.errors import ImageError, InputError, ResourceError
from scalebridge.grids.image import VoxelImage
from scalebridge.grids.pore_shapes import cylinder_array

SHARE = 0.2
CELLS = 64
# Square array of cylinders across the flow, in squares of the spacing, by slip / radius (c = 0.2):
# tests/reference/cylinder_square_transverse_slip_computed.csv
EXACT = {0.0: 0.0194073202498, 0.1: 0.0238044611302}


def cylinder(cells=CELLS):
    x = (np.indices((cells, cells)) + 0.5) / cells - 0.5
    return np.hypot(*x) > np.sqrt(SHARE / np.pi)


@pytest.mark.parametrize("slip", list(EXACT))
def test_a_cylinder_of_voxels_flows_like_a_round_one(slip):
    """Voxels show the disc's area to 0.1 % here and its wall to a tenth of a voxel: K to a percent."""
    radius = np.sqrt(SHARE / np.pi) * CELLS
    found = sb.permeability(
        cylinder(), voxel="cubic", walls="smooth", slip_length=slip * radius, budget="none", progress=False
    )
    assert found.passed
    np.testing.assert_allclose(np.diagonal(found.value), EXACT[slip] * CELLS**2, rtol=0.015)
    assert found.std is None
    assert found.unit == "1"


@pytest.mark.slow
def test_units_budget_page_and_saved_result(tmp_path):
    options = {"walls": "smooth", "rtol": 1e-8, "progress": False}
    found = sb.permeability(cylinder(32), voxel="3 um", slip_length="500 nm", **options)
    plain = sb.permeability(cylinder(32), voxel="cubic", slip_length=0.5 / 3, **options)
    # In metres other roundings decide between neighbours that are equally full: seen, 8e-5, a tenth of the
    # voxels' error at this size.
    np.testing.assert_allclose(found.value, plain.value * 9e-12, atol=2e-4 * 9e-12 * plain.value.max())
    assert set(found.uncertainty) == {"algebraic", "voxel size"}
    slope = np.asarray(found.derivatives["slip length"])
    ahead, behind = (
        sb.permeability(cylinder(32), voxel="3 um", slip_length=f"{nm} nm", **options).value
        for nm in (505, 495)
    )
    # A centred difference over a hundredth of the slip length errs by 1e-5, its roundings by 1e-8 / 1e-2.
    np.testing.assert_allclose(slope[0, 0], (ahead - behind)[0, 0] / 10e-9, rtol=1e-4)
    page = sb.report(found, tmp_path / "page.html")
    assert "recession of walls" in page.read_text(encoding="utf-8")
    assert json.loads(found.save(tmp_path / "k.json").read_text())["inputs"]["slip length"]["unit"] == "m"


@pytest.mark.parametrize("boundary", ["periodic", "mirrored"])
def test_fields_have_the_answer_as_their_mean(boundary):
    found = sb.permeability(
        cylinder(16),
        voxel="2 um",
        walls="smooth",
        boundary=boundary,
        fields=True,
        budget="none",
        progress=True,
    )
    velocity = found.fields["velocity_x"]
    assert velocity.shape == (2, 16, 16)
    # Mean velocities err by the root of the solver's 1e-4, and are a first look at the stationary form.
    assert velocity[0].mean() == pytest.approx(found.value[0, 0], rel=1e-2)
    assert np.all(velocity[:, 7:9, 7:9] == 0.0)  # in the middle of the solid
    assert found.fields["pressure_y"].shape == (16, 16)


def test_a_geometry_is_asked_like_an_image():
    """In metres: a spacing of 10 um."""
    pores = cylinder_array("square", SHARE, edge=10e-6)
    slip = float(0.1 * np.sqrt(SHARE / np.pi) * 10e-6)
    found = sb.permeability(pores, cells=32, slip_length=f"{slip!r} m", budget="quick")
    np.testing.assert_allclose(found.value[0, 0], EXACT[0.1] * 1e-10, rtol=0.01)
    with pytest.raises(InputError, match="cells=64"):
        sb.permeability(pores)
    kept = sb.permeability(pores, cells=16, budget="none", fields=True)
    assert np.mean(kept.fields["velocity_x"][0]) == pytest.approx(kept.value[0, 0], rel=1e-2)  # rtol ** 0.5


@pytest.mark.parametrize(
    ("argument", "value"),
    [("pore", 0), ("voxel", "1 um"), ("threshold", 0.5), ("boundary", "sealed"), ("memory_limit", 1e9),
     ("solver", "matrix-free")],
)  # fmt: skip
def test_what_is_for_images_is_refused_beside_exact_pores(argument, value):
    with pytest.raises(InputError, match="is for images") as caught:
        sb.permeability(cylinder_array("square", SHARE), cells=16, **{argument: value})
    assert caught.value.argument == argument


@pytest.mark.parametrize(
    ("build", "argument"),
    [
        (lambda: sb.geometry.Pipe(0.7, (1.0, 1.0, 1.0), 0), "radius"),
        (lambda: sb.geometry.Pipe(float("nan"), (1.0, 1.0, 1.0), 0), "radius"),
        (lambda: sb.geometry.Pipe(0.3, (1.0, 1.0, 1.0), 5), "along"),
        (lambda: sb.geometry.Channel(0.3, (1.0, 1.0), (0, 0.5)), "across"),
        (lambda: sb.geometry.Channel(0.3, (1.0, 1.0), (0, 0)), "across"),
        (lambda: sb.geometry.Channel(1.3, (1.0, 1.0), (0, 1)), "width"),
        (lambda: sb.geometry.Duct((1.3, 0.5), (1.0, 1.0, 1.0), 0), "sides"),
        (lambda: sb.geometry.sphere_lattice("sc", 0.2, "1 um"), "edge"),
        (lambda: sb.geometry.cylinder_array("square", 0.2, -1.0), "edge"),
        (lambda: sb.geometry.MinimalSurface("gyroid", float("inf")), "edge"),
    ],
)
def test_shapes_that_cannot_be_are_refused(build, argument):
    """A channel at a fractional slope is not periodic, and was answered as if it were."""
    with pytest.raises(ImageError) as caught:
        build()
    assert caught.value.argument == argument


@pytest.mark.parametrize(
    ("change", "error", "says"),
    [
        ({"boundary": "sealed"}, InputError, "periodic"),
        ({"walls": "round"}, InputError, "smooth"),
        ({"slip_length": -1.0}, InputError, "negative"),
        ({"memory_limit": 1e6}, ResourceError, "smooth walls"),
        ({"walls": "voxel", "slip_length": 1.0}, InputError, "walls='smooth'"),
    ],
)
def test_refusals(change, error, says):
    options = {"voxel": "cubic", "walls": "smooth", "progress": False} | change
    with pytest.raises(error, match=says):
        sb.permeability(cylinder(32), **options)


def two_solids():
    """A slit 16 voxels wide, with solid 1 below and solid 2 above."""
    labels = np.zeros((4, 32), int)
    labels[:, :8], labels[:, 24:] = 1, 2
    return VoxelImage(labels, names={0: "pore", 1: "quartz", 2: "clay"})


@pytest.mark.parametrize(("below", "above"), [(0.0, 3.0), (5.0, 1.0)])
def test_each_solid_has_a_slip_length_of_its_own(below, above):
    """u(0) = a u'(0), u(H) = -b u'(H): of a slit exactly known."""
    height = 16.0
    slope = (height**2 / 2 + above * height) / (height + below + above)
    exact = (-(height**3) / 6 + slope * height**2 / 2 + below * slope * height) / 32
    exact += height / 6 / 32  # of walls on voxels' faces: (H^2 + 2) / 12 in place of H^2 / 12
    options = {"pore": "pore", "voxel": "cubic", "walls": "smooth", "budget": "none", "progress": False}
    found = sb.permeability(two_solids(), slip_length={"quartz": below, "*": above}, **options)
    assert found.value[0, 0] == pytest.approx(exact, rel=5e-4)  # walls are shrunk by 1e-3 voxels
    assert found.inputs["slip length"]["value"] == {"1": below, "2": above}
    turned = sb.permeability(two_solids(), slip_length={1: above, 2: below}, boundary="mirrored", **options)
    assert turned.value[0, 0] == pytest.approx(exact, rel=5e-4)  # walls are shrunk by 1e-3 voxels


@pytest.mark.parametrize(
    ("slips", "options", "said"),
    [
        ({"quartz": 1.0}, {"walls": "smooth"}, "one for the walls of each solid"),
        ({"quartz": 1.0, "pore": 1.0}, {"walls": "smooth"}, "one for the walls of each solid"),
        ({"gold": 1.0, "*": 1.0}, {"walls": "smooth"}, "'gold'"),
        ({"quartz": -1.0, "*": 1.0}, {"walls": "smooth"}, "not negative"),
        ({"*": 1.0}, {"walls": "voxel"}, "pass walls='smooth'"),
    ],
)
def test_slip_lengths_of_solids_are_refused_that_cannot_be(slips, options, said):
    with pytest.raises(InputError, match=said):
        sb.permeability(two_solids(), pore="pore", voxel="cubic", slip_length=slips, **options)


@pytest.mark.slow
def test_a_threshold_and_a_study_enter_the_budget():
    """A grey image whose level is the distance from a cylinder's axis: the threshold is its radius."""
    x = np.arange(16) - 7.5
    grey = np.sqrt(x[:, None] ** 2 + x**2)
    given = {"value": 5.0, "std": 0.3}
    options = {"voxel": "cubic", "walls": "smooth", "rtol": 1e-4, "progress": False}
    study = sb.permeability_rve_study(cylinder(16), voxel="cubic", sizes=[8], engine="serial", progress=False)
    found = sb.permeability(grey, pore=1, threshold=given, study=study, **options)
    assert found.stats["not assessed"] == []
    ends = [
        sb.permeability(grey > 5.0 + by, slip_length=None, budget="none", **options).value
        for by in (0.3, -0.3)
    ]
    slope = (ends[0] - ends[1]) / 0.6
    np.testing.assert_allclose(found.derivatives["threshold 5"], slope, atol=2e-2 * abs(slope).max())
    std = found.uncertainty["segmentation"].std[0, 0]
    assert std == pytest.approx(0.3 * abs(found.derivatives["threshold 5"][0, 0]), rel=1e-6)
    assert found.derivatives["recession of walls"][0, 0] > 0 > found.derivatives["threshold 5"][0, 0]
