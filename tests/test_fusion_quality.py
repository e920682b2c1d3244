"""Noise by a quality band, and what a case says of stations, land cover and covariates."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

import scalebridge as sb
from fusion_samples import small_sensors
from scalebridge.cli.main import app
from scalebridge.fusion.fusion_model import FusionModel
from scalebridge.fusion.scene import make_scene

LEVELS = {0: 0.1, 2: 0.4}


def fine_and_quality(seed=5):
    """A fine sensor's values and days, and a quality of 0, 1 and 2."""
    fine = small_sensors(gaps=0.0, dates=9)[1]
    return fine.values, fine.days, np.random.default_rng(seed).integers(0, 3, fine.values.shape)


def test_a_quality_band_is_a_noise_and_a_mask():
    values, days, quality = fine_and_quality()
    found = sb.Sensor("fine", values, days, noise=LEVELS, quality=quality)
    want = sb.Sensor("fine", values, days, noise=np.where(quality == 0, 0.1, 0.4), mask=quality != 1)
    np.testing.assert_array_equal(found.values, want.values)
    seen = np.isfinite(want.values)
    np.testing.assert_array_equal(found.scale[seen], want.scale[seen])
    part = found.window(slice(2, 4), slice(0, 3))
    np.testing.assert_array_equal(part[0], want.values[:, 2:4, :3])
    scene = make_scene(found, FusionModel(space="independent"))
    np.testing.assert_array_equal(
        scene.part([(slice(1, 3), slice(2, 4))]).observed[0].scale[:, 0],
        np.where(quality[:, 1, 2] == 2, 0.4, np.where(quality[:, 1, 2] == 0, 0.1, 1.0)) ** 2,
    )


def test_what_is_masked_is_not_read():
    values, days, quality = fine_and_quality()
    spoilt = np.where(quality == 0, np.inf, values)
    masked = sb.Sensor("fine", np.ma.masked_array(spoilt, quality == 0), days)
    np.testing.assert_array_equal(masked.values, np.where(quality == 0, np.nan, values))
    np.testing.assert_array_equal(sb.Sensor("fine", spoilt, days, mask=quality != 0).values, masked.values)


def test_all_bands_of_a_sensor_have_one_quality():
    values, days, quality = fine_and_quality()
    told = {"dates": days, "bands": ("red", "nir"), "noise": LEVELS, "quality": quality}
    found = sb.Sensor("fine", np.stack([values, values + 1.0], axis=1), **told)
    assert (np.isnan(found.values).all(axis=1) == (quality == 1)).all()
    assert sb.fuse(found, FusionModel(space="independent"), gate=None).mean.shape == (3, 2, 8, 8)


WRONG = {
    "noise alone": ({"noise": LEVELS}, "no quality"),
    "a quality alone": ({"noise": 0.1, "quality": np.zeros((3, 8, 8), int)}, "without noise by its values"),
    "a quality of numbers": ({"noise": LEVELS, "quality": np.zeros((3, 8, 8))}, "whole numbers"),
    "another shape": ({"noise": LEVELS, "quality": np.zeros((3, 8, 7), int)}, "of shape"),
    "negative noise": ({"noise": {0: -0.1}, "quality": np.zeros((3, 8, 8), int)}, "positive"),
    "no level": ({"noise": {}, "quality": np.zeros((3, 8, 8), int)}, "at least one"),
    "a quality that nothing has": (
        {"noise": {7: 1.0}, "quality": np.zeros((3, 8, 8), int)},
        "no value at all",
    ),
}


@pytest.mark.parametrize("mistake", WRONG)
def test_refused_with_what_was_wanted(mistake):
    told, said = WRONG[mistake]
    values, days, _ = fine_and_quality()
    with pytest.raises(sb.InputError) as caught:
        sb.Sensor("fine", values, days, **told)
    assert said in str(caught.value)


@pytest.mark.slow
def test_a_case_has_stations_quality_land_cover_and_covariates(tmp_path):
    values, days, quality = fine_and_quality()
    well, cover, height = np.full((9, 1), 2.0), np.arange(64).reshape(8, 8) % 2, np.linspace(0, 1, 64)
    height = height.reshape(8, 8)
    every = small_sensors(gaps=0.0, dates=9)[0].days
    np.savez(
        tmp_path / "seen.npz", fine=values, days=days, every=every, quality=quality, well=well, cover=cover,
        height=height,
    )  # fmt: skip
    case = tmp_path / "case.toml"
    case.write_text(
        'task = "fusion"\n'
        '[sensors.fine]\nfile = "seen.npz"\nvariable = "fine"\ndates = "days"\nquality = "quality"\n'
        "noise = { 0 = 0.1, 2 = 0.4 }\n"
        '[sensors.well]\nfile = "seen.npz"\nvariable = "well"\ndates = "every"\npoints = [[2.5, 3.5]]\n'
        "noise = 0.2\n"
        '[model]\nspace = "independent"\n[classes]\nfile = "seen.npz"\nvariable = "cover"\n'
        '[covariates.height]\nfile = "seen.npz"\nvariable = "height"\n[output]\njson = "out.json"\n',
        encoding="utf-8",
    )
    done = CliRunner().invoke(app, ["fuse", str(case)])
    told = json.loads((tmp_path / "out.json").read_text())
    sensors = [
        sb.Sensor("fine", values, days, noise=LEVELS, quality=quality),
        sb.Sensor("well", well, every, points=[[2.5, 3.5]], noise=0.2),
    ]
    want = sb.fuse(sensors, FusionModel(space="independent"), classes=cover, covariates={"height": height})
    assert done.exit_code == (0 if want.passed else 1), done.output
    for name, number in told["parameters"].items():
        assert number["value"] == pytest.approx(want.parameters[name], rel=1e-9), name
    assert "height" in told["coefficients"]
    assert "random-walk std [1]" in told["parameters"]
    case.write_text(case.read_text().replace("{ 0 = 0.1", "{ clear = 0.1"), encoding="utf-8")
    assert CliRunner().invoke(app, ["fuse", str(case)]).exit_code == 2
