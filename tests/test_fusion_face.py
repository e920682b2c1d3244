"""The verb, its result, its files, its page and its command, on small fields."""

import json

import numpy as np
import pytest
from scipy.sparse import csr_matrix
from typer.testing import CliRunner

import scalebridge as sb
from fusion_samples import small_sensors
from scalebridge.cli.main import app
from scalebridge.fusion.fusion_problem import gather
from scalebridge.grids.footprints import WeightedFootprint, overlap_weights
from scalebridge.report.page import render_page
from scalebridge.testing import check_transfer

MODEL = sb.FusionModel(space="independent")


@pytest.fixture(scope="module")
def fused():
    return sb.fuse(small_sensors(gaps=0.1, dates=9), MODEL, hold_out=None, footprints=4)


def test_the_result_has_everything(fused):
    assert fused.mean.shape == fused.std.shape == (9, 8, 8)
    assert fused.method == "blocks"
    assert fused.passed, [str(c) for c in fused.checks]
    told = json.loads(fused.to_json())
    assert told["schema"] == "scalebridge/fusion/1"
    assert "random-walk std" in told["parameters"]
    assert "method 'blocks'" in str(fused)


def test_files_and_dataset(fused, tmp_path):
    xarray = pytest.importorskip("xarray")
    written = fused.write(tmp_path / "fused.nc")
    with xarray.open_dataset(written, engine="h5netcdf") as held:
        np.testing.assert_array_equal(held["mean"].values, fused.mean)
    with pytest.raises(sb.InputError, match="ends in"):
        fused.write(tmp_path / "fused.png")
    assert fused.save(tmp_path / "fused.json").is_file()


def test_the_page_shows_maps_series_and_parameters(fused):
    page = render_page([fused])
    for said in (
        "random-walk std",
        "Over time",
        "Innovations",
        "batch Gaussian process",
        "standard deviation",
    ):
        assert said in page


@pytest.mark.parametrize("method", ["auto", pytest.param("sparse", marks=pytest.mark.slow)])
def test_a_contaminated_scene_is_left_out_and_listed(method):
    sensors = small_sensors(gaps=0.0, dates=24, coarse={"noise": 0.05}, noise=0.1)
    cloudy = sensors[1].values.copy()
    cloudy[2] += 5.0
    seen = sb.Sensor("fine", cloudy, dates=sensors[1].days, noise=0.1)
    found = sb.fuse([sensors[0], seen], MODEL, method=method, footprints=4)
    assert [(g.sensor, g.date) for g in found.gated] == [("fine", f"{sensors[1].days[2]:g}")]


def test_a_field_that_never_changes_has_no_innovations_to_judge():
    found = sb.fuse([sb.Sensor("a", np.zeros((5, 4, 4)), range(5))], MODEL, footprints=4)
    checks = {check.name: check for check in found.checks}
    assert not checks["innovations, variance"].passed
    assert "innovations, whiteness" not in checks
    assert json.loads(found.to_json())["passed"] is False


def test_weighted_footprints_keep_the_contract_of_transfers():
    grid = np.kron(np.eye(4), np.full((1, 4), 0.25))
    check_transfer(WeightedFootprint(csr_matrix(grid), (16,)))


@pytest.mark.parametrize("turn", [0.0, 0.3])
def test_misaligned_and_rotated_footprints_recover_a_known_field(turn):
    # Footprints of 3 x 3 pixels, half a pixel off and turned; the field is drawn from the model itself, so
    # that squared errors in units of their variance have mean one, with a scatter of sqrt(2 / degrees).
    rng = np.random.default_rng(5)
    shape, dates = (12, 12), 6
    truth = rng.standard_normal(shape) + np.cumsum(0.3 * rng.standard_normal((dates, *shape)), axis=0)
    weights = turned_weights(shape, turn)
    coarse = np.stack([np.asarray(weights @ f.ravel()) for f in truth]) + 0.02 * rng.standard_normal(
        (dates, weights.shape[0])
    )
    known = {"random-walk std": 0.3, "random-walk start": float(np.sqrt(1.0 + 0.3**2))}
    own = WeightedFootprint(weights, shape, (1, weights.shape[0]))
    found = sb.fuse(
        [
            sb.Sensor("coarse", coarse[:, None], dates=range(dates), footprint=own, noise=0.02),
            sb.Sensor(
                "fine", truth[::5] + 0.1 * rng.standard_normal(truth[::5].shape), range(0, 6, 5), noise=0.1
            ),
        ],
        sb.FusionModel(space="independent", parameters=known),
    )
    assert found.method == "sparse"
    score = np.mean(((found.mean - truth) / found.std) ** 2)
    assert 0.85 < score < 1.15  # 864 numbers, of which some 400 are independent: two and a half deviations


def turned_weights(shape, turn):
    centres = np.stack(np.meshgrid(*(np.arange(2.5, n - 1, 3.0) for n in shape), indexing="ij"), -1).reshape(
        -1, 2
    )
    square = 1.5 * np.array([[-1, -1], [-1, 1], [1, 1], [1, -1]])
    spin = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    weights = overlap_weights(centres[:, None] + square @ spin.T, shape)
    return weights[np.diff(weights.indptr) > 0]


def test_three_sensors_at_one_three_and_twenty_one():
    rng = np.random.default_rng(6)
    truth = rng.standard_normal((21, 21)) + np.cumsum(0.3 * rng.standard_normal((4, 21, 21)), axis=0)
    middle = truth.reshape(4, 7, 3, 7, 3).mean(axis=(2, 4)) + 0.02 * rng.standard_normal((4, 7, 7))
    coarse = truth.mean(axis=(1, 2), keepdims=True) + 0.01 * rng.standard_normal((4, 1, 1))
    known = {"random-walk std": 0.3, "random-walk start": float(np.sqrt(1.0 + 0.3**2))}
    found = sb.fuse(
        [
            sb.Sensor("coarse", coarse, range(4), footprint=21, noise=0.01),
            sb.Sensor("middle", middle[1:3], [1, 2], footprint=3, noise=0.02),
            sb.Sensor("fine", truth[:1] + 0.1 * rng.standard_normal((1, 21, 21)), [0], noise=0.1),
        ],
        sb.FusionModel(space="independent", parameters=known),
    )
    assert found.method == "blocks"
    score = np.mean(((found.mean - truth) / found.std) ** 2)
    assert 0.85 < score < 1.15  # 441 pixels, correlated over four dates: two deviations


def test_coordinates_give_nested_footprints():
    y, x = np.arange(8.0), np.arange(8.0)
    fine = sb.Sensor("fine", np.random.default_rng(0).random((2, 8, 8)), [0, 1], y=y, x=x)
    coarse = sb.Sensor("coarse", np.ones((2, 2, 2)), [0, 1], y=[1.5, 5.5], x=[1.5, 5.5])
    assert gather([coarse, fine], MODEL).block == (4, 4)


def test_the_command(tmp_path):
    sensors = small_sensors(gaps=0.1, dates=9)
    np.savez(
        tmp_path / "seen.npz",
        **{f"{s.name}": s.values for s in sensors},
        **{f"{s.name}_days": s.days for s in sensors},
    )
    case = tmp_path / "case.toml"
    case.write_text(
        'task = "fusion"\n'
        '[sensors.coarse]\nfile = "seen.npz"\nvariable = "coarse"\ndates = "coarse_days"\nfootprint = 4\n'
        'bias = "constant"\n'
        '[sensors.fine]\nfile = "seen.npz"\nvariable = "fine"\ndates = "fine_days"\n'
        '[model]\nspace = "independent"\n[solve]\nfootprints = 4\n[output]\njson = "out.json"\n',
        encoding="utf-8",
    )
    done = CliRunner().invoke(app, ["fuse", str(case)])
    assert done.exit_code == 0, done.output
    assert "random-walk std" in done.output
    again = CliRunner().invoke(app, ["run", str(case)])
    assert "Nothing to do" in again.output
    case.write_text(case.read_text().replace('"fine"\n', '"fin"\n'), encoding="utf-8")
    wrong = CliRunner().invoke(app, ["fuse", str(case)])
    assert wrong.exit_code == 2


@pytest.mark.parametrize("tiled", [False, True])
def test_stations_off_the_grid_are_told(tiled, tmp_path):
    pytest.importorskip("h5netcdf")
    fine = sb.Sensor("fine", small_sensors(gaps=0.0)[1].values, [0, 1], noise=0.1)
    well = sb.Sensor("well", np.ones((2, 2)), [0, 1], points=[[1.5, 2.5], [1.5, 99.0]], noise=0.1)
    told = {"output": tmp_path / "field.nc", "tile": 4} if tiled else {}
    found = sb.fuse([fine, well], MODEL, gate=None, **told)
    assert "1 places of 'well' do not lie on the fine grid" in " ".join(found.notes)


def test_noise_with_heavy_tails_lets_single_values_count_for_less():
    coarse, fine = small_sensors(gaps=0.0, dates=9, noise=0.1)
    values = fine.values.copy()
    values[1, [1, 5], [2, 6]] += 8.0  # eighty deviations, as of a cloud's edge
    known = sb.FusionModel(
        space="independent",
        parameters={
            "random-walk std": 0.2, "random-walk start": 1.0, "coarse noise": 0.1, "coarse bias std": 0.3,
            "coarse bias time": 5.0,
        },
    )  # fmt: skip

    def ask(values, **told):
        return sb.fuse([coarse, sb.Sensor("fine", values, fine.days, noise=0.1, **told)], known, footprints=4)

    clean, spoilt, robust = ask(fine.values), ask(values), ask(values, tails=4.0)
    off = [np.abs(found.mean - clean.mean)[3, [1, 5], [2, 6]].max() for found in (spoilt, robust)]
    assert off[0] > 5.0
    assert off[1] < 1.0
    assert "2 values of 'fine' count for less" in " ".join(robust.notes)
    assert robust.passed or not spoilt.passed
