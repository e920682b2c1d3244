"""The page of a permeability: streamlines follow the flow, pictures show it, and what the page says."""

import re

import numpy as np
import pytest

from flow_samples import channel_pores, channel_velocity, permeability_result
from scalebridge.cells.gas_slip import gas_slip
from scalebridge.core.units import DARCY
from scalebridge.report.figures_flow import Flow, draw_flow, half_flow_share
from scalebridge.report.figures_permeability import draw_ellipses, draw_slip_curve
from scalebridge.report.page import render_page
from scalebridge.report.permeability_section import (
    flow_looks,
    in_millidarcy,
    make_permeability_section,
    slip_table,
)
from scalebridge.report.render_lines import render_tubes
from scalebridge.report.streamlines import trace_streamlines
from scalebridge.report.typeset import MISSING


def cellular_flow(count):
    """Stream function sin(2 pi x) sin(2 pi y) / 2 pi and a drift along x: closed cells and a way between."""
    x, y = np.meshgrid(*[(np.arange(count) + 0.5) / count] * 2, indexing="ij")
    turn = 2 * np.pi
    u = np.sin(turn * x) * np.cos(turn * y) + 0.6
    v = -np.cos(turn * x) * np.sin(turn * y)
    return np.stack([u, v])


def stream_function(points):
    x, y = points.T
    return np.sin(2 * np.pi * x) * np.sin(2 * np.pi * y) / (2 * np.pi) + 0.6 * y


def test_streamlines_keep_to_the_levels_of_the_stream_function():
    drift = []
    for count in (32, 64):
        lines = trace_streamlines(cellular_flow(count), 0, aspect=(1 / count,) * 2, count=24)
        assert len(lines) >= 24
        levels = [stream_function(line.points) for line in lines]
        drift.append(max(float(np.ptp(level)) for level in levels))
    # Interpolation of second order: a quarter of the drift on half the voxels; 3 leaves room.
    assert drift[1] < drift[0] / 3
    assert drift[1] < 2e-3


@pytest.mark.parametrize("shape", [(12, 16), (12, 16, 20)])
def test_streamlines_of_a_channel_are_straight_and_start_where_the_flow_is(shape):
    velocity = channel_velocity(shape)
    aspect = (1.0, 0.5, 2.0)[: len(shape)]
    lines = trace_streamlines(velocity, 0, aspect=aspect, count=64, periodic=False)
    assert len(lines) == 64
    for line in lines:
        assert np.ptp(line.points[:, 1:], axis=0).max() < 1e-12
        assert line.points[-1, 0] > shape[0] * aspect[0] - 0.5
        assert np.ptp(line.speeds) < 1e-12 * velocity.max()
    across = np.array([line.points[0, 1] for line in lines]) / (shape[1] * aspect[1])
    inflow = velocity[0, 0].reshape(shape[1], -1).sum(axis=1)
    mean = np.sum(inflow * (np.arange(shape[1]) + 0.5)) / np.sum(inflow) / shape[1]
    assert np.mean(across) == pytest.approx(mean, abs=1 / shape[1])  # starts lie anywhere in their voxel
    assert np.all(np.abs(across - 0.5) < 0.25)


def test_a_periodic_path_comes_back_on_the_other_side():
    velocity = np.stack([np.ones((8, 8)), np.full((8, 8), 0.5)])
    lines = trace_streamlines(velocity, 0, aspect=(1.0, 1.0), count=8)
    assert len(lines) > 8
    for line in lines:
        assert np.all(line.points >= 0)
        assert np.all(line.points <= 8)
        steps = np.diff(line.points, axis=0)
        np.testing.assert_allclose(steps[:, 1], 0.5 * steps[:, 0], rtol=1e-9)


def test_nothing_flows_nothing_is_drawn():
    still = np.zeros((2, 6, 6))
    assert trace_streamlines(still, 0, aspect=(1.0, 1.0)) == []
    pores = np.ones((6, 6), bool)
    assert draw_flow([Flow(0, still, pores, (1.0, 1.0))], "k") == ([], [])


def test_tubes_hide_what_is_behind_them_and_glass_dims_it():
    line = np.stack([np.linspace(1, 9, 40), np.full(40, 2.0), np.full(40, 5.0)], axis=1)
    behind = np.add(line, [0.0, 6.0, 0.0])

    def colours(values):
        return np.where(values[:, None] > 0.5, [[1.0, 0.0, 0.0]], [[0.0, 0.0, 1.0]])

    values = [np.ones(40), np.zeros(40)]
    both = render_tubes([line, behind], values, colours, (10.0, 10.0, 10.0), pixels=400)
    red = (both[..., 0] > 2 * both[..., 2].astype(int) + 20) & (both[..., 3] > 200)
    blue = (both[..., 2] > 2 * both[..., 0].astype(int) + 20) & (both[..., 3] > 200)
    assert red.sum() > 50
    assert blue.sum() > 50
    again = render_tubes([behind, line], values[::-1], colours, (10.0, 10.0, 10.0), pixels=400)
    np.testing.assert_array_equal(both, again)  # the nearest counts, whatever the order
    glass = np.ones((10, 10, 10), np.uint8)
    dimmed = render_tubes([line], [np.ones(40)], colours, (10.0, 10.0, 10.0), body=glass, pixels=400)
    assert np.count_nonzero(dimmed[..., 3]) > 5 * np.count_nonzero(both[..., 3])
    at = np.argwhere(red)[len(np.argwhere(red)) // 2]
    assert dimmed[tuple(at)][1] > both[tuple(at)][1]  # grey is mixed into the red


def test_half_of_the_motion():
    assert half_flow_share(np.ones(10)) == 0.5
    assert half_flow_share(np.array([0.0, 0.0, 0.0, 1.0])) == 0.25


def test_the_ellipse_has_the_principal_values_half_axes():
    value = np.diag([4e-12, 1e-12])
    picture = draw_ellipses(value, "m^2", "k")
    assert "half axes 2 µm, 1 µm" in picture.caption
    assert draw_ellipses(np.diag([1.0, 0.0]), "1", "k") is None
    assert "half axes 2, 1" in draw_ellipses(np.diag([4.0, 1.0]), "1", "k").caption


def test_the_curve_of_slip_says_how_much_it_grows():
    slips = np.array([0.0, 1e-7])
    values = np.array([[1e-12, 0.0], [1.5e-12, 0.0]])
    picture = draw_slip_curve(slips, values, np.array([6e-6, 0.0]), "m^2", "k")
    assert "grows along x by 50 %." in picture.alt
    assert "to 100 nm" in picture.alt


@pytest.mark.parametrize("shape", [(12, 16), (12, 16, 20)])
@pytest.mark.parametrize("voxel", [2e-6, None])
def test_a_section_has_every_part(shape, voxel):
    section = make_permeability_section(permeability_result(shape, voxel), 1)
    titles = [block.title for block in section.blocks]
    wanted = ["Speed", "Streamlines", "Directions", "Slip", "Checks", "Convergence", "Uncertainty"]
    assert [title for title in titles if title != "Slices"] == wanted
    assert section.passed
    speeds, paths = section.blocks[0].pictures, section.blocks[1].pictures
    assert len(speeds) == 2  # one direction was kept, and the colour bar
    assert len(paths) == 1
    assert "z = 8" in speeds[0].caption or "y" in speeds[0].caption
    assert [name for name, _ in section.asked if name in ("Pores", "Slip length")] == []


def test_the_page_is_in_millidarcy_and_si():
    result = permeability_result()
    mean = np.trace(result.value) / 3
    section = make_permeability_section(result, 1)
    assert section.unit == "mD"
    assert float(re.match(r"[\d.]+", section.number)[0]) == pytest.approx(mean / (1e-3 * DARCY), rel=1e-3)
    assert "m²" in section.sentences[0]
    assert "mD" in section.sentences[0]
    assert "4 % of the pore space is isolated" in " ".join(section.sentences).replace("\u00a0", " ")
    assert in_millidarcy(result).value[0, 0] == pytest.approx(result.value[0, 0] / (1e-3 * DARCY), rel=1e-15)
    bare = permeability_result(voxel=None)
    assert in_millidarcy(bare) is bare
    assert make_permeability_section(bare, 1).unit == ""


def test_pores_and_solid_have_their_names_and_colours():
    looks = flow_looks(permeability_result())
    assert [look.name for look in looks.values()] == ["solid", "pore"]
    assert len({look.colour for look in looks.values()}) == 2


def test_gases_slip_by_the_slope():
    result = permeability_result()
    table = slip_table(result, result.derivatives["slip length"])
    nitrogen = next(row for row in table.rows if "nitrogen" in row.cells[0])
    gas = gas_slip("nitrogen", pressure=1e5)
    wanted = gas.klinkenberg(result.value, result.derivatives["slip length"]) / 1e5
    np.testing.assert_allclose([float(cell) for cell in nitrogen.cells[1:]], wanted, rtol=1e-3)  # four digits
    assert slip_table(result, None) is None
    closed = np.diag([result.value[0, 0], 0.0, 0.0])
    blocked = type(result)(result.spec, closed, inputs=result.inputs)
    shown = slip_table(blocked, result.derivatives["slip length"])
    assert shown.rows[1].cells[2] == MISSING


@pytest.mark.slow
def test_results_without_fields_or_curve_still_have_a_page():
    result = permeability_result(fields=False, curve=False)
    page = render_page([result, permeability_result((12, 16))])
    assert "Permeability" in page
    assert "Streamlines" in page  # of the second
    titles = [block.title for block in make_permeability_section(result, 1).blocks]
    assert "Speed" not in titles
    assert "Slip" in titles  # the table of gases


def test_the_pores_of_the_sample_are_those_of_the_flow():
    shape = (12, 16)
    assert np.all(channel_velocity(shape)[0][~channel_pores(shape)] == 0)
    assert np.all(channel_velocity(shape)[0][channel_pores(shape)] > 0)
