"""Fields written tile by tile: the answer of the whole, bounded in memory, whatever stops a run."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import scalebridge as sb
from fusion_program import run
from fusion_samples import small_sensors
from scalebridge.cli.main import app
from scalebridge.engine.array_store import ArrayStore
from scalebridge.engine.task_folder import MISSING
from scalebridge.fusion.fusion_problem import gather
from scalebridge.fusion.scene import make_scene
from scalebridge.fusion.scene_files import GeoTiffs

MODEL = sb.FusionModel(space="independent")
KNOWN = sb.FusionModel(
    space="independent",
    parameters={
        "random-walk std": 0.2, "random-walk start": 1.0, "coarse noise": 0.1, "fine noise": 0.1,
        "coarse bias std": 0.3, "coarse bias time": 5.0,
    },
)  # fmt: skip
UTM = "EPSG:32611"


class Recorded:
    """An array that is read when it is asked for, and notes how much at once."""

    def __init__(self, values):
        self.values, self.shape, self.dtype, self.most = values, values.shape, values.dtype, 0

    def __getitem__(self, key):
        found = self.values[key]
        self.most = max(self.most, found.size)
        return found


@pytest.fixture
def stored(tmp_path):
    """Files of a small scene: 16 x 12 pixels, six tiles of 8 x 8 or less."""
    coarse, fine = small_sensors(gaps=0.1, dates=9, shape=(16, 12))
    np.save(tmp_path / "coarse.npy", coarse.values)
    np.save(tmp_path / "fine.npy", fine.values)
    return tmp_path


@pytest.mark.parametrize(
    ("model", "lag", "options"),
    [
        (KNOWN, None, {}),
        pytest.param(MODEL, None, {"offset": True}, marks=pytest.mark.slow),
        pytest.param(
            sb.FusionModel(("ar1", "static"), {"ar1": "matern-3/2"}),
            2,
            {"noise": 0.1},
            marks=pytest.mark.slow,
        ),
    ],
)
def test_tiles_give_the_answer_of_the_whole(tmp_path, model, lag, options):
    pytest.importorskip("h5netcdf")
    sensors = small_sensors(gaps=0.1, dates=9, shape=(16, 12), **options)
    whole = sb.fuse(sensors, model, footprints=12, lag=lag)
    tiled = sb.fuse(sensors, model, footprints=12, lag=lag, output=tmp_path / "field.nc", tile=8)
    held = tiled.to_dataset()
    # all footprints are the sample, so that parameters are the same; sums are in another order
    np.testing.assert_allclose(held["mean"].values, whole.mean, atol=1e-12)
    np.testing.assert_allclose(held["std"].values, whole.std, atol=1e-12)
    assert tiled.estimate.log_likelihood == pytest.approx(whole.estimate.log_likelihood, rel=1e-12)
    assert [c.name for c in tiled.checks] == [c.name for c in whole.checks]
    for ours, theirs in zip(tiled.checks, whole.checks, strict=True):
        assert ours.value == pytest.approx(theirs.value, abs=1e-9)
    assert tiled.totals == pytest.approx(whole.totals, rel=1e-12)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["field.nc"]


def test_no_more_than_a_tile_is_read_or_held_at_once(tmp_path, monkeypatch):
    pytest.importorskip("h5netcdf")
    coarse, fine = small_sensors(gaps=0.1, dates=9, shape=(16, 12))
    seen = Recorded(fine.values)
    held = []
    put = ArrayStore.put
    monkeypatch.setattr(
        ArrayStore, "put", lambda self, key, found: held.append(found["mean"].size) or put(self, key, found)
    )
    sensors = [coarse, sb.Sensor("fine", seen, fine.days)]
    sb.fuse(sensors, KNOWN, footprints=4, output=tmp_path / "field.nc", tile=3)
    assert seen.most == 3 * 4 * 4  # three dates; whole footprints of 4 x 4
    assert held == [9 * 4 * 4] * 12


def test_a_run_that_was_interrupted_goes_on_to_the_same_bits(stored, monkeypatch):
    pytest.importorskip("h5netcdf")
    want = run(stored).to_dataset().load()
    kept, put = [], ArrayStore.put

    def interrupted(self, key, found):
        put(self, key, found)
        kept.append(key)
        if len(kept) == 2:
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(ArrayStore, "put", interrupted)
        (stored / "field.nc").unlink()
        with pytest.raises(KeyboardInterrupt):
            run(stored)
    assert not (stored / "field.nc").exists()
    monkeypatch.setattr(ArrayStore, "put", lambda self, key, found: kept.append(key) or put(self, key, found))
    found = run(stored).to_dataset().load()
    assert len(kept) == len(set(kept)) == 4  # each tile once
    assert found.equals(want)
    assert not (stored / ".field.nc.tiles").exists()


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["serial", "local"])
def test_a_run_that_was_killed_goes_on_to_the_same_bits(stored, engine):
    pytest.importorskip("h5netcdf")
    program = Path(__file__).parent / "fusion_program.py"
    done = subprocess.run([sys.executable, str(program), str(stored), "2"], capture_output=True, check=False)
    assert done.returncode == -9, done.stderr
    assert len(list((stored / ".field.nc.tiles").glob("*.npz"))) == 2
    found = run(stored, engine=engine).to_dataset().load()
    (stored / "field.nc").unlink()
    assert run(stored).to_dataset().load().equals(found)


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["serial", "local", "dask"])
def test_a_run_that_ctrl_c_stopped_goes_on_to_the_same_bits(stored, engine):
    pytest.importorskip("h5netcdf")
    if engine == "dask":
        pytest.importorskip("distributed")
    want = run(stored).to_dataset().load()
    (stored / "field.nc").unlink()
    program, tiles = Path(__file__).parent / "fusion_program.py", stored / ".field.nc.tiles"
    command = [sys.executable, str(program), str(stored), "slowly", engine]
    # a session of its own: Ctrl-C on a terminal reaches every process of the group, workers too
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True) as running:
        while len(list(tiles.glob("*.npz"))) < 2:
            assert running.poll() is None, running.communicate()[1]
            time.sleep(0.02)
        os.killpg(running.pid, signal.SIGINT)
        said = running.communicate(timeout=60)[1]
    assert running.returncode != 0
    assert "KeyboardInterrupt" in said
    assert not (stored / "field.nc").exists()
    kept = len(list(tiles.glob("*.npz")))
    assert 2 <= kept < 4
    assert run(stored, engine=engine).to_dataset().load().equals(want)
    assert not tiles.exists()


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["local", "dask"])
def test_processes_and_a_lag_give_the_same_bits(stored, engine):
    pytest.importorskip("h5netcdf")
    if engine == "dask":
        pytest.importorskip("distributed")
    want = run(stored, lag=1).to_dataset().load()
    found = run(stored, lag=1, engine=engine, workers=2, hold_out=[3]).to_dataset().load()
    assert found.equals(want)


def test_damaged_files_of_arrays_are_missing(tmp_path):
    store = ArrayStore(tmp_path)
    store.put("ab", {"mean": np.arange(100.0)})
    file = tmp_path / "ab.npz"
    file.write_bytes(file.read_bytes()[:-300] + b"x" * 300)
    assert store.get("ab") is MISSING
    assert store.damaged == ["ab"]
    assert ArrayStore(tmp_path, fresh=True).get("ab") is MISSING


REFUSED = {
    "footprints that overlap": (
        lambda s, o: sb.fuse([sb.Sensor("fine", s[1].values, s[1].days, blur=1.0)], MODEL, output=o),
        "whole pixels",
    ),
    "correlation across": (lambda s, o: sb.fuse(s, sb.FusionModel(space="across"), output=o), "partition"),
    "another method": (lambda s, o: sb.fuse(s, MODEL, output=o, method="sparse"), "tile by tile"),
    "another suffix": (lambda s, o: sb.fuse(s, MODEL, output=o.with_suffix(".png")), "ends in"),
    "no pixels": (lambda s, o: sb.fuse(s, MODEL, output=o, tile=0), "at least 1"),
    "an engine that there is not": (lambda s, o: sb.fuse(s, MODEL, output=o, engine="cloud"), "'local'"),
}


@pytest.mark.parametrize("mistake", REFUSED)
def test_refused_before_anything_is_written(mistake, tmp_path):
    pytest.importorskip("h5netcdf")
    ask, said = REFUSED[mistake]
    with pytest.raises(sb.InputError) as caught:
        ask(small_sensors(), tmp_path / "field.nc")
    assert said in str(caught.value)
    assert list(tmp_path.iterdir()) == []


# ------------------------------------------------------------------------------------------------- files


def placed_sensors(crs=UTM, turned=False):
    """The small sensors at places on the Earth, north up."""
    y, x = 3_690_000.0 - 70.0 * np.arange(8), 600_000.0 + 70.0 * np.arange(8)
    coarse, fine = small_sensors(gaps=0.0, dates=9)
    days = np.datetime64("2020-10-01") + np.arange(9)
    means = y.reshape(2, 4).mean(axis=1), x.reshape(2, 4).mean(axis=1)
    return [
        sb.Sensor("coarse", coarse.values, days, y=means[0], x=means[1], crs=crs),
        sb.Sensor("fine", fine.values, days[::3], y=y, x=x, crs=UTM),
    ]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning")  # of rioxarray with affine
@pytest.mark.parametrize("suffix", [".nc", ".zarr", ".tif"])
def test_fields_keep_places_times_and_system(tmp_path, suffix):
    rioxarray = pytest.importorskip("rioxarray")
    assert rioxarray
    sensors = placed_sensors()
    values = {k: v for k, v in KNOWN.parameters.items() if "bias" not in k}
    known = sb.FusionModel(space="independent", parameters=values)
    found = sb.fuse(sensors, known, output=tmp_path / f"field{suffix}", tile=4)
    held = found.to_dataset()
    whole = sb.fuse(sensors, known)
    np.testing.assert_allclose(held["mean"].values, whole.mean, atol=1e-12)
    np.testing.assert_allclose(held["x"].values, whole.problem.grid.axes[1])
    np.testing.assert_allclose(held["y"].values, whole.problem.grid.axes[0])
    assert str(held["time"].values[-1])[:10] == "2020-10-09"
    assert held.rio.crs.to_epsg() == 32611
    again = whole.write(tmp_path / f"again{suffix}")
    assert again.exists() or (tmp_path / "again-mean.tif").exists()


def test_one_system_under_two_names_is_nested_and_another_is_laid_over():
    pyproj = pytest.importorskip("pyproj")
    same = placed_sensors(crs=pyproj.CRS(UTM).to_wkt())
    assert gather(same, MODEL).block == (4, 4)
    # 2 x 2 footprints of 0.001 degrees around the middle: on average their mass lies there too
    fine = same[1]
    change = pyproj.Transformer.from_crs(UTM, "EPSG:4326", always_xy=True)
    lon, lat = change.transform(fine.x.mean(), fine.y.mean())
    away = np.array([-0.0005, 0.0005])

    def coarse(far=0.0):
        told = {"y": lat + far - away, "x": lon + away, "crs": "EPSG:4326"}
        return sb.Sensor("coarse", np.ones((9, 2, 2)), same[0].dates, **told)

    weights = gather([coarse(), fine], MODEL).observed[0].weights
    at = np.stack(np.meshgrid(fine.y, fine.x, indexing="ij"), -1).reshape(64, 2)
    np.testing.assert_allclose(np.asarray(weights.sum(axis=1)).ravel(), 1.0)
    centre = np.asarray(weights @ at).mean(axis=0)
    np.testing.assert_allclose(centre, [fine.y.mean(), fine.x.mean()], atol=1.0)  # metres, of pixels of 70
    # an area of 111 m by 93 m each, in pixels: a degree of latitude is 111 km, of longitude cos(33.3) of it
    touched = np.asarray(weights.power(2).sum(axis=1)).ravel()
    assert (1.0 / touched > 0.9 * 111 * 93 / 70**2).all()
    with pytest.raises(sb.InputError, match="do not overlap"):
        gather([coarse(far=1.0), fine], MODEL)


@pytest.mark.slow
def test_scenes_are_read_from_geotiffs_by_a_case(tmp_path):
    rasterio = pytest.importorskip("rasterio")
    pytest.importorskip("rioxarray")
    coarse, fine = placed_sensors()
    for sensor, edge in ((coarse, 280.0), (fine, 70.0)):
        corner = rasterio.Affine(edge, 0, sensor.x[0] - edge / 2, 0, -edge, sensor.y[0] + edge / 2)
        for day, image in zip(sensor.dates, sensor.values, strict=True):
            told = {"driver": "GTiff", "count": 1, "dtype": "float64", "crs": UTM, "transform": corner}
            shape = {"height": image.shape[0], "width": image.shape[1], "nodata": -1.0}
            with rasterio.open(tmp_path / f"{sensor.name}_{day}.tif", "w", **told, **shape) as file:
                file.write(np.where(image == image.max(), -1.0, image), 1)
    case = tmp_path / "case.toml"
    case.write_text(
        'task = "fusion"\n[sensors.coarse]\nfile = "coarse_*.tif"\n[sensors.fine]\nfile = "fine_*.tif"\n'
        '[model]\nspace = "independent"\n[solve]\nfootprints = 4\ntile = 4\n'
        '[output]\njson = "out.json"\nfield = "field.nc"\n',
        encoding="utf-8",
    )
    done = CliRunner().invoke(app, ["fuse", str(case)])
    assert done.exit_code == 0, done.output
    tiffs = GeoTiffs(sorted(tmp_path.glob("fine_*.tif")))
    assert tiffs.dates == [str(day) for day in fine.dates]
    assert int(np.isnan(tiffs[..., slice(None), slice(None)]).sum()) == 3  # what the file says is nothing
    again = CliRunner().invoke(app, ["fuse", str(case), "--workers", "1"])
    assert "Nothing to do" in again.output
    (tmp_path / "coarse_2020-10-05.tif").write_bytes(b"no picture")
    assert CliRunner().invoke(app, ["fuse", str(case)]).exit_code == 2


def test_a_lazy_dataset_is_read_by_windows(tmp_path):
    xarray = pytest.importorskip("xarray")
    pytest.importorskip("zarr")
    coarse, fine = small_sensors(gaps=0.1, dates=9)
    dims = ("time", "y", "x")
    xarray.Dataset({"fine": (dims, fine.values)}, {"time": fine.days}).to_zarr(
        tmp_path / "seen.zarr", zarr_format=2
    )
    held = xarray.open_zarr(tmp_path / "seen.zarr", chunks=None)
    sensor = sb.Sensor("fine", held["fine"].transpose("x", "time", "y"))
    assert "_read" not in sensor.__dict__
    part = make_scene([coarse, sensor], MODEL).part([(slice(0, 4), slice(4, 8))])
    want = make_scene([coarse, fine], MODEL).part([(slice(0, 4), slice(4, 8))])
    np.testing.assert_array_equal(part.observed[1].values, want.observed[1].values)
    assert "_read" not in sensor.__dict__
