"""Several bands in one field: exact against a dense Gaussian process, learnt, filled, in and out of files."""

import json
from dataclasses import replace

import numpy as np
import pytest
from typer.testing import CliRunner

import scalebridge as sb
from fusion_samples import batch_answer
from scalebridge.cli.main import app
from scalebridge.fusion.bands import band_correlation
from scalebridge.fusion.block_estimate import estimate_blocks
from scalebridge.fusion.fusion_blocks import cut_blocks
from scalebridge.fusion.fusion_problem import gather
from scalebridge.fusion.joint_estimate import estimate_iterative, estimate_sparse
from scalebridge.fusion.learning import Objective
from scalebridge.report.page import render_page

SHAPE, FACTOR, DATES = (8, 8), 4, 5


def banded_sensors(seed=0, names=("red", "nir"), gaps=0.2, **options):
    """Two or three bands: coarse ones of some, a coarse weighted sum, a fine sensor of all on two dates."""
    rng = np.random.default_rng(seed)
    steps = 0.2 * rng.standard_normal((DATES, 1, *SHAPE)) + 0.1 * rng.standard_normal(
        (DATES, len(names), *SHAPE)
    )
    field = np.cumsum(steps, axis=0) + np.arange(1.0, len(names) + 1)[:, None, None]
    weights = dict(zip(names, (0.25, 0.75, 0.5), strict=False))
    wide = np.tensordot(field, list(weights.values()), axes=(1, 0))
    means = lambda a: a.reshape(*a.shape[:-2], 2, FACTOR, 2, FACTOR).mean(axis=(-3, -1))  # noqa: E731
    coarse, wide, fine = means(field[:, 0]), means(wide), field[::3].copy()
    for array in (coarse, wide, fine):
        np.add(array, 0.05 * rng.standard_normal(array.shape), out=array)
        array[rng.random(array.shape) < gaps] = np.nan
    return [
        sb.Sensor("daily", coarse, range(DATES), footprint=FACTOR, bands=names[0], bias="ar1"),
        sb.Sensor("wide", wide, range(DATES), footprint=FACTOR, bands=weights, offset=True),
        sb.Sensor("survey", fine, range(0, DATES, 3), bands=names, **options),
    ]


KINDS = {
    "two bands": (("red", "nir"), sb.FusionModel(), {}),
    "three bands, two parts": (
        ("red", "nir", "swir"),
        sb.FusionModel(("ar1", "static"), {"ar1": "exponential"}),
        {"covariates": {"z": np.arange(5.0)}},
    ),
    "classes": (
        ("red", "nir"),
        sb.FusionModel(("random-walk",), "matern-3/2"),
        {"classes": np.arange(64).reshape(8, 8) % 2},
    ),
}


def known(name):
    names, model, told = KINDS[name]
    problem = gather(banded_sensors(names=names), model, None, told.get("covariates"), told.get("classes"))
    rng = np.random.default_rng(1)
    values = {p.name: p.median * float(np.exp(0.3 * rng.standard_normal())) for p in problem.parameters}
    return problem, {n: v * (4.0 if "ratio" in n else 1.0) for n, v in values.items()}


@pytest.mark.parametrize(
    "name", ["two bands", *(pytest.param(k, marks=pytest.mark.slow) for k in KINDS if k != "two bands")]
)
def test_blocks_and_the_sparse_factor_equal_a_batch_gaussian_process(name):
    problem, values = known(name)
    log, mean, std = batch_answer(problem, values, (FACTOR, FACTOR))
    every = np.arange(DATES)
    for ours in (
        estimate_blocks(problem, (FACTOR, FACTOR), values, every),
        estimate_sparse(problem, values, every),
    ):
        assert ours.log_likelihood == pytest.approx(log, rel=1e-8)
        np.testing.assert_allclose(ours.mean - problem.level, mean, atol=1e-8)
        np.testing.assert_allclose(ours.std, std, atol=1e-8)


@pytest.mark.parametrize(
    "name", ["two bands", pytest.param("three bands, two parts", marks=pytest.mark.slow)]
)
def test_slopes_by_ratios_are_those_of_the_likelihood(name):
    problem, values = known(name)
    objective = Objective(*cut_blocks(problem, (FACTOR, FACTOR)))
    logs = np.array([np.log(values[p.name]) for p in objective.free])
    slope = objective.likelihood(logs)[1]
    for number, p in enumerate(objective.free):
        if "ratio" not in p.name and "std" not in p.name:
            continue
        step = 1e-5 * np.eye(len(logs))[number]  # as in test_fusion_exact
        ahead, behind = (objective.likelihood(logs + sign * step)[0] for sign in (1, -1))
        assert slope[number] == pytest.approx((ahead - behind) / 2e-5, rel=1e-6, abs=1e-6)


@pytest.mark.slow
def test_the_iterative_method_has_bands_too():
    problem = gather(banded_sensors(), sb.FusionModel(("ar1",), "across"))
    values = {p.name: p.median for p in problem.parameters} | {"ar1 ratio [red, nir]": 9.0}
    exact = estimate_sparse(problem, values, np.arange(DATES))
    found = estimate_iterative(problem, values, np.arange(DATES), draws=20)
    np.testing.assert_allclose(found.mean, exact.mean, atol=1e-6)  # the residual is 1e-8, relative


def test_correlations_are_definite_whatever_the_ratios():
    rng = np.random.default_rng(0)
    names = ("a", "b", "c", "d")
    for _ in range(20):
        told = {
            f"x ratio [{a}, {b}]": float(np.exp(3 * rng.standard_normal()))
            for i, a in enumerate(names)
            for b in names[i + 1 :]
        }
        found = np.asarray(band_correlation("x", names, told))
        np.testing.assert_allclose(np.diag(found), 1.0)
        assert np.linalg.eigvalsh(found).min() > 0


def wandering_bands(dates=12, seed=0):
    """Two bands that share most of their steps; coarse ones daily, fine ones every third day, one missing."""
    rng = np.random.default_rng(seed)
    steps = 0.2 * rng.standard_normal((dates, 1, *SHAPE)) + 0.08 * rng.standard_normal((dates, 2, *SHAPE))
    field = np.cumsum(steps, axis=0) + np.array([1.0, 3.0])[:, None, None]
    coarse = field.reshape(dates, 2, 2, FACTOR, 2, FACTOR).mean(axis=(3, 5))
    fine = field[::3] + 0.05 * rng.standard_normal(field[::3].shape)
    fine[2, 1] = np.nan  # the second band was not seen on the third date
    return field, coarse + 0.02 * rng.standard_normal(coarse.shape), fine


MODEL = sb.FusionModel(space="independent")
SIZES = {"random-walk std": 0.215, "random-walk start": 1.0, "survey noise": 0.05, "daily noise": 0.02}
BOTH = {"random-walk start": 5.0, "random-walk ratio [red, nir]": 13.5}
BOTH |= {f"random-walk std [{b}]": 0.215 for b in ("red", "nir")}
BOTH |= {f"{s} {b} noise": n for s, n in (("daily", 0.02), ("survey", 0.05)) for b in ("red", "nir")}


@pytest.mark.parametrize("learnt", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_a_band_that_is_missing_is_filled_through_the_other(learnt):
    xarray = pytest.importorskip("xarray")
    field, coarse, fine = wandering_bands()
    days = np.datetime64("2020-10-01") + np.arange(12)
    y, dims = np.arange(8.0), ("time", "band", "y", "x")
    names = {"band": ["red", "nir"]}
    means = y.reshape(2, FACTOR).mean(axis=1)
    daily = xarray.DataArray(coarse, names | {"time": days, "y": means, "x": means}, dims)
    survey = xarray.DataArray(fine, names | {"time": days[::3], "y": y, "x": y}, dims)
    sensors = [sb.Sensor("daily", daily), sb.Sensor("survey", survey.transpose("y", "x", "band", "time"))]
    models = [MODEL if learnt else replace(MODEL, parameters=told) for told in (BOTH, SIZES)]
    both = sb.fuse(sensors, models[0], footprints=4)
    # steps of 0.2 are shared and 0.08 are not: 0.04 / 0.0464
    assert both.correlations["random-walk"][0, 1] == pytest.approx(0.862, abs=0.08)
    seen = survey.sel(band="nir").isel(time=[0, 1, 3])
    alone = sb.fuse(
        [sb.Sensor("daily", daily.sel(band="nir")), sb.Sensor("survey", seen)], models[1], footprints=4
    )
    off = [np.sqrt(np.mean((f - field[6, 1]) ** 2)) for f in (both.mean[6, 1], alone.mean[6])]
    assert off[0] < 0.7 * off[1]
    assert both.std[6, 1].mean() < 0.7 * alone.std[6].mean()
    assert both.passed, [str(c) for c in both.checks]
    held = both.to_dataset()
    assert held["mean"].dims == dims
    assert list(held["band"].values) == ["red", "nir"]
    np.testing.assert_array_equal(held["mean"].sel(band="nir"), both.mean[:, 1])
    if not learnt:
        return
    page = render_page([both])
    assert "2 bands (red, nir)" in page
    assert "Correlation of the bands" in page


@pytest.mark.slow
@pytest.mark.parametrize("suffix", [".nc", ".zarr", ".tif"])
def test_bands_are_written_and_read(tmp_path, suffix):
    xarray = pytest.importorskip("xarray")
    _, coarse, fine = wandering_bands()
    known = sb.FusionModel(
        space="independent",
        parameters={
            "random-walk std [red]": 0.2,
            "random-walk std [nir]": 0.2,
            "random-walk ratio [red, nir]": 9.0,
        },
    )
    names = ("red", "nir")
    found = sb.fuse(
        [
            sb.Sensor("daily", coarse, range(12), footprint=FACTOR, noise=[0.02, 0.02], bands=names),
            sb.Sensor("survey", fine, range(0, 12, 3), noise=0.05, bands=names),
        ],
        known,
        draws=2,
    )
    assert found.to_dataset()["draws"].dims == ("draw", "time", "band", "y", "x")
    file = found.write(tmp_path / f"field{suffix}")
    if suffix == ".tif":
        tiffs = sorted(p.name for p in tmp_path.iterdir())
        assert tiffs == ["field-nir-mean.tif", "field-nir-std.tif", "field-red-mean.tif", "field-red-std.tif"]
        return
    engine = {".nc": "h5netcdf", ".zarr": "zarr"}[suffix]
    with xarray.open_dataset(file, engine=engine) as held:
        np.testing.assert_array_equal(held["mean"].sel(band="red"), found.mean[:, 0])
        assert held["mean"].dims == ("time", "band", "y", "x")


@pytest.mark.slow
def test_scenes_of_all_bands_or_of_one_are_held_out():
    _, coarse, fine = wandering_bands()
    names = ("red", "nir")
    sensors = [
        sb.Sensor("daily", coarse, range(12), footprint=FACTOR, bands=names),
        sb.Sensor("survey", fine, range(0, 12, 3), bands=names),
    ]
    whole = sb.fuse(sensors, MODEL, footprints=4, hold_out=[3])
    assert [(h.sensor, h.count) for h in whole.held_out] == [("survey red", 64), ("survey nir", 64)]
    one = sb.fuse(sensors, MODEL, footprints=4, hold_out=("survey nir", [3]))
    assert [h.sensor for h in one.held_out] == ["survey nir"]
    assert one.held_out[0].rmse < 0.8 * whole.held_out[1].rmse  # red was seen on that day


@pytest.mark.slow
def test_a_sharp_sum_of_bands_sharpens_each():
    # As pan-sharpening: bands are seen by 4 x 4 means, their sum on the fine grid.
    field, coarse, _ = wandering_bands()
    rng = np.random.default_rng(3)
    pan = np.tensordot(field, [0.5, 0.5], axes=(1, 0)) + 0.02 * rng.standard_normal((12, *SHAPE))
    found = sb.fuse(
        [
            sb.Sensor("bands", coarse, range(12), footprint=FACTOR, bands=("red", "nir")),
            sb.Sensor("pan", pan, range(12), bands={"red": 0.5, "nir": 0.5}),
        ],
        MODEL,
        footprints=4,
    )
    lifted = np.kron(coarse, np.ones((FACTOR, FACTOR)))
    assert np.sqrt(np.mean((found.mean - field) ** 2)) < 0.5 * np.sqrt(np.mean((lifted - field) ** 2))
    assert np.mean(np.abs(found.mean - field) < 1.96 * found.std) > 0.9


@pytest.mark.parametrize(
    ("suffix", "options"),
    [
        (".nc", {}),
        pytest.param(".zarr", {"classes": np.arange(64).reshape(8, 8) % 2}, marks=pytest.mark.slow),
        pytest.param(".tif", {"covariates": {"z": np.arange(5.0)}, "lag": 1}, marks=pytest.mark.slow),
    ],
)
@pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning")  # of rioxarray with affine
@pytest.mark.filterwarnings("ignore:Dataset has no geotransform")
def test_bands_tile_by_tile_are_those_of_the_whole(tmp_path, suffix, options):
    pytest.importorskip({".nc": "h5netcdf", ".zarr": "zarr", ".tif": "rioxarray"}[suffix])
    sensors = banded_sensors()
    well = sb.Sensor("well", np.ones((5, 1)), range(5), points=[[2.0, 3.0]], bands="nir", noise=0.3)
    np.save(tmp_path / "survey.npy", sensors[2].values)
    mapped = sb.Sensor(
        "survey", np.load(tmp_path / "survey.npy", mmap_mode="r"), [0, 3], bands=("red", "nir")
    )
    model = gather([*sensors, well], MODEL, classes=options.get("classes")).parameters
    given = sb.FusionModel(
        space="independent",
        parameters={p.name: p.median * (6.0 if "ratio" in p.name else 1.0) for p in model if p.factor},
    )
    whole = sb.fuse([*sensors, well], given, footprints=4, **options)
    file = tmp_path / f"field{suffix}"
    tiled = sb.fuse([*sensors[:2], mapped, well], given, footprints=4, output=file, tile=4, **options)
    assert tiled.written.tiles == 4
    held = tiled.to_dataset()
    assert held["mean"].dims == ("time", "band", "y", "x")
    np.testing.assert_allclose(held["mean"].values, whole.mean, atol=1e-12)
    np.testing.assert_allclose(held["std"].sel(band="nir").values, whole.std[:, 1], atol=1e-12)
    np.testing.assert_allclose(tiled.mean, whole.mean, atol=1e-12)
    assert tiled.totals == pytest.approx(whole.totals, rel=1e-12)
    assert tiled.estimate.log_likelihood == pytest.approx(whole.estimate.log_likelihood, rel=1e-12)
    assert tiled.estimate.coefficients.keys() == whole.estimate.coefficients.keys()
    assert "in 2 bands (red, nir)" in render_page([tiled])


def test_a_band_that_the_sample_has_not_seen_is_refused(tmp_path):
    pytest.importorskip("h5netcdf")
    fine = np.ones((2, 2, 8, 8))
    fine[:, 1, :4] = np.nan
    with pytest.raises(sb.InputError, match="band 'nir'"):
        sb.fuse(
            [
                sb.Sensor("survey", fine, [0, 3], bands=("red", "nir")),
                sb.Sensor("daily", np.ones((2, 2, 2)), [0, 3], footprint=4, bands="red"),
            ],
            MODEL,
            footprints=1,
            output=tmp_path / "field.nc",
        )


@pytest.mark.slow
def test_the_command_reads_bands(tmp_path):
    _, coarse, fine = wandering_bands()
    np.savez(tmp_path / "seen.npz", coarse=coarse, fine=fine[:, 0])
    case = tmp_path / "case.toml"
    case.write_text(
        'task = "fusion"\n[sensors.daily]\nfile = "seen.npz"\nvariable = "coarse"\n'
        'dates = [0,1,2,3,4,5,6,7,8,9,10,11]\nfootprint = 4\nbands = ["red", "nir"]\nnoise = 0.02\n'
        '[sensors.survey]\nfile = "seen.npz"\nvariable = "fine"\ndates = [0,3,6,9]\n'
        "bands = {red = 1.0}\nnoise = 0.05\n"
        '[model]\nspace = "independent"\n[model.parameters]\n"random-walk std [red]" = 0.2\n'
        '"random-walk std [nir]" = 0.2\n"random-walk start" = 1.0\n"random-walk ratio [red, nir]" = 9.0\n'
        '[output]\njson = "out.json"\n',
        encoding="utf-8",
    )
    done = CliRunner().invoke(app, ["fuse", str(case)])
    assert done.exit_code == 0, done.output
    told = json.loads((tmp_path / "out.json").read_text())
    assert told["correlations"]["random-walk"][0][1] == pytest.approx(0.8)
    assert "in 2 bands (red, nir)" in done.output
