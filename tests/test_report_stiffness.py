"""Pages of stiffnesses, expansions and tables: complete, escaped, true to the numbers; the renderer."""

from dataclasses import replace

import numpy as np
import pytest

from scalebridge.core.results import Outcome
from scalebridge.laws.engineering_constants import young_modulus
from scalebridge.report.camera import Camera
from scalebridge.report.figures_modulus import draw_expansion, draw_modulus, draw_modulus_sections
from scalebridge.report.page import render_page, write_report
from scalebridge.report.render_star import Star, _middle, _view, find_star, render_star
from scalebridge.report.stiffness_facts import isotropic_moduli, stiffness_facts
from scalebridge.report.stiffness_tables import bound_rows, relative_slopes, split_constant
from scalebridge.report.temperature_section import value_table
from stiffness_samples import fibrous, isotropic, made_expansion, made_stiffness, made_table
from test_report_page import read


@pytest.fixture(scope="module")
def page():
    return read(render_page([made_stiffness()]))


def test_a_page_of_a_stiffness_is_complete_and_loads_nothing(page):
    text = page.text
    for part in (
        "Effective stiffness of composite.tif",
        "Mandel notation",
        "Engineering constants",
        "Nearest stiffness of each symmetry",
        "transversely isotropic",
        "Voigt stiffness",
        "Reuss stiffness",
        "bulk",
        "(p/E) ∂E/∂p",
        "epoxy, young",
        "not assessed",
        "mean strain",
        "Hill-Mandel",
    ):
        assert part in text, part
    assert [value for _, _, value in page.loads if not value.startswith(("data:", "#"))] == []
    assert len(page.ids) == len(set(page.ids))


def test_foreign_names_stay_text(page):
    assert not any(tag == "script" and "type" not in found for tag, found in page.elements)
    assert "<script>alert('x')</script>" in page.text


def test_the_number_on_top_is_that_of_the_nearest_isotropic_stiffness():
    stiffness = isotropic(70e9, 0.33)
    text = read(render_page([made_stiffness(stiffness, spreads=False)])).text
    assert "70 GPa" in text
    assert "Poisson's ratio 0.33" in text
    assert "equally stiff in all directions" in text
    assert "exactly that of an isotropic medium" in text


def test_directions_and_axes_are_those_of_the_fibres():
    facts = stiffness_facts(made_stiffness())
    assert facts.own.symmetry == "transversely isotropic"
    assert abs(facts.stiffest[1][2]) > 0.98  # along z, turned by some degrees
    assert facts.own.values["E3"] == pytest.approx(45e9, rel=1e-6)
    assert facts.stiffest[0] == pytest.approx(45e9, rel=1e-6)


def test_a_medium_that_holds_nothing_has_a_page_too():
    value = np.zeros((6, 6))
    value[0, 0] = 1e9
    found = read(render_page([made_stiffness(value)]))
    assert "holds nothing in some strain" in found.text
    assert "Engineering constants" not in found.text


def test_bounds_are_compared_with_the_right_moduli():
    result = made_stiffness()
    rows = bound_rows(result)
    bulk, shear = isotropic_moduli(result.value)
    own = {(name, what): (low, high, value) for name, what, low, high, value in rows}
    assert own["Voigt-Reuss", "bulk"][2] == pytest.approx(bulk)
    assert own["Hashin-Shtrikman shear", "shear"] == (1.5e9, 4e9, pytest.approx(shear))
    assert isotropic_moduli(isotropic(70e9, 0.33)) == pytest.approx((70e9 / (3 - 1.98), 70e9 / 2.66))


def test_relative_slopes_are_by_one_percent():
    result = made_stiffness()
    found = relative_slopes(result, stiffness_facts(result))
    # The made derivatives are shares of the stiffness itself, and E is homogeneous of the first degree.
    assert found["phase 0 young"]["E"] == pytest.approx(0.8, rel=1e-9)
    assert found["phase 1 young"]["G"] == pytest.approx(0.2, rel=1e-9)
    assert found["phase 0 poisson"]["K"] == pytest.approx(0.35 * 0.3, rel=1e-9)
    assert split_constant("layer 0: young", result) == ("layer 0: young", "")


def test_a_page_of_an_expansion():
    found = read(render_page([made_expansion()]))
    for part in ("30.3", "10⁻⁶/K", "Principal expansions", "temperature", "epoxy, expansion"):
        assert part in found.text, part


@pytest.mark.slow  # a page that compiles for half a minute; its parts are tested by themselves
def test_a_page_of_a_table_over_temperature():
    table = made_table()
    found = read(render_page([table]))
    for part in ("over temperature", "253", "393", "Curves", "Stiffness at 393 K", "mean expansion"):
        assert part in found.text, part
    rows = value_table(table).rows
    assert len(rows) == 8
    assert float(rows[0].cells[3]) == pytest.approx(table.stiffness[0, 2, 2] / 1e9, rel=1e-4)  # five digits
    assert "mean expansion" not in read(render_page([made_table(expanding=False)])).text


@pytest.mark.slow  # a page that compiles for half a minute; its parts are tested by themselves
def test_several_results_of_different_kinds_on_one_page():
    found = read(render_page([made_stiffness(), made_expansion(), made_table()]))
    assert "3 results compared" in found.text
    assert "45" in found.text


def test_a_result_that_did_not_converge_says_so(tmp_path):
    broken = replace(made_stiffness(), outcome=Outcome.step_limit)
    path = write_report(broken, tmp_path / "page.html")
    assert Outcome.step_limit.sentence in read(path.read_text(encoding="utf-8")).text


# ----------------------------------------------------------------------------------------- the surface


def sphere(points):
    return np.sum(points**2, axis=-1) ** 2


def test_a_sphere_is_found_where_it_is():
    view = _view(Camera(), 200)
    hits = find_star(Star(sphere, 4, inverse=True, largest=1.0), view)
    points = hits.point - _middle(view)
    assert np.linalg.norm(points, axis=1) == pytest.approx(1.0, abs=1e-5)  # 80 steps halved 18 times
    assert np.sum(points * hits.normal, axis=1) == pytest.approx(1.0, abs=1e-6)
    area = len(hits.pixel) / view.scale**2
    assert area == pytest.approx(np.pi, rel=0.01)  # pixels on the rim
    assert np.all(points @ view.camera.axes[2] > -1e-3)  # the near side


@pytest.mark.parametrize("camera", [Camera(), Camera(20.0, -40.0), Camera(-90.0, 0.0)])
def test_the_surface_of_the_modulus_is_hit_at_its_radius(camera):
    stiffness = fibrous() / 1e9
    compliance = np.linalg.inv(stiffness)

    def polynomial(points):
        mixed = np.sqrt(2) * np.stack(
            [points[..., i] * points[..., j] for i, j in ((1, 2), (0, 2), (0, 1))], -1
        )
        pairs = np.concatenate([points**2, mixed], axis=-1)
        return np.einsum("...a,ab,...b->...", pairs, compliance, pairs)

    star = Star(polynomial, 4, inverse=True, largest=45.0)
    view = _view(camera, 160)
    hits = find_star(star, view)
    points = hits.point - _middle(view)
    radii = np.linalg.norm(points, axis=1)
    assert len(radii) > 1000
    assert 45.0 * radii == pytest.approx(young_modulus(stiffness, points), rel=1e-3)
    facing = hits.normal @ view.camera.axes[2]
    assert np.mean(facing > -0.05) > 0.99  # what is seen faces the viewer


def test_a_quadric_with_both_signs_is_drawn():
    star = Star(lambda p: p[..., 0] ** 2 - 0.5 * p[..., 1] ** 2, 2, inverse=False, largest=1.0)
    pixels, tips = render_star(star, lambda n: np.ones_like(n) * 0.5, pixels=80)
    assert pixels.shape[1] == 80
    assert (pixels[..., 3] > 200).mean() > 0.02
    assert tips.shape == (3, 2)
    assert star.radius(np.eye(3)).tolist() == [1.0, 0.5, 0.0]


@pytest.mark.parametrize(
    "expansion",
    [
        [-1e-5, 2e-5, 0, 0, 0, 0],
        pytest.param([1e-5, 2e-5, 3e-5, 0, 0, 0], marks=pytest.mark.slow),
        pytest.param([1e-5] * 3 + [0] * 3, marks=pytest.mark.slow),
    ],
)
def test_pictures_say_what_they_show(expansion):
    picture = draw_expansion(np.array(expansion), "key")
    assert "10⁻⁶/K" in picture.markup
    assert "from" in picture.alt
    drawn = draw_modulus(fibrous(), "modulus")
    assert "GPa" in drawn.markup
    assert "45" in drawn.alt
    assert "var(--ink)" in drawn.markup
    sections = draw_modulus_sections(fibrous(), "sections")
    assert "xy" in sections.alt


def test_a_plane_stiffness_has_its_curve():
    value = np.array([[20e9, 4e9, 0], [4e9, 10e9, 0], [0, 0, 6e9]])
    assert "planes xy" in draw_modulus_sections(value, "plane").alt
