"""Every mistake in the input of a fusion is refused before any work, with what would have been right."""

import numpy as np
import pytest

from scalebridge.core.errors import InputError
from scalebridge.fusion.fuse import fuse
from scalebridge.fusion.fusion_model import FusionModel
from scalebridge.fusion.sensors import Sensor

FINE = np.ones((3, 4, 4))
COARSE = np.ones((3, 2, 2))
DAYS = [0.0, 1.0, 2.0]
AXIS = np.arange(4.0)


def fine(**told):
    return Sensor("fine", **({"data": FINE, "dates": DAYS, "noise": 0.1} | told))


def coarse(**told):
    return Sensor("coarse", **({"data": COARSE, "dates": DAYS, "footprint": 2, "noise": 0.1} | told))


def placed(y=AXIS, x=AXIS, **told):
    return fine(y=y, x=x, **told)


MISTAKES = {
    "no sensor": (lambda: fuse([]), "at least one Sensor"),
    "not a sensor": (lambda: fuse([FINE]), "ndarray"),
    "one name twice": (lambda: fuse([fine(), fine()]), "a name of its own"),
    "all NaN": (lambda: fine(data=np.full((3, 4, 4), np.nan)), "no value at all"),
    "infinite": (lambda: fine(data=np.full((3, 4, 4), np.inf)), "infinite"),
    "text": (lambda: fine(data=[["a"]]), "an array of numbers"),
    "two axes": (lambda: fine(data=FINE[0], dates=[0]), "(dates, rows, columns)"),
    "no dates": (lambda: fine(dates=None), "the date of each image"),
    "too few dates": (lambda: fine(dates=[0, 1]), "one an image"),
    "a date twice": (lambda: fine(dates=[0, 1, 1]), "each date once"),
    "dates not in order": (lambda: fine(dates=[0, 2, 1]), "dates in order"),
    "dates that are none": (lambda: fine(dates=["monday", "b", "c"]), "dates such as"),
    "dates and numbers": (
        lambda: fuse([fine(), coarse(dates=["2020-10-01", "2020-10-02", "2020-10-03"])]),
        "one of both",
    ),
    "values whose squares are none": (lambda: fine(data=1e150 * FINE), "values are squared"),
    "values that differ by nothing": (
        lambda: fuse(fine(data=1e-150 * np.arange(48.0).reshape(3, 4, 4), noise=None)),
        "another unit",
    ),
    "noise whose square is none": (lambda: fine(noise=1e-200), "positive standard deviations"),
    "a date that is none": (lambda: fine(dates=["2020-10-01", "NaT", "2020-10-03"]), "without a date"),
    "dates as good as one": (lambda: fine(dates=[0.0, 1e-9, 1.0]), "each date once"),
    "dates of two sensors as good as one": (
        lambda: fuse([fine(), coarse(dates=[1e-8, 1.0, 2.0])]),
        "days apart",
    ),
    "a name of nothing": (lambda: Sensor(" ", FINE, DAYS), "name the sensor"),
    "a covariate named as a coefficient": (lambda: fuse(fine(), covariates={"mean": DAYS}), "rename it"),
    "complex data": (lambda: fine(data=FINE + 1j), "real ones"),
    "negative noise": (lambda: fine(noise=-0.1), "positive standard deviations"),
    "noise without a value": (lambda: fine(noise=np.full((4, 4), np.nan)), "positive standard deviations"),
    "noise of another shape": (lambda: fine(noise=np.ones((3, 3))), "an array that fits"),
    "relative to nothing": (lambda: fine(noise=None, relative_noise=True), "relative noise"),
    "another bias": (lambda: fine(bias="linear"), "'none', 'constant' or 'ar1'"),
    "a mask of numbers": (lambda: fine(mask=np.ones((3, 4, 4))), "true and false"),
    "uneven coordinates": (lambda: fuse([placed(y=[0.0, 1.0, 3.0, 4.0])]), "even spacing"),
    "axes of another length": (lambda: placed(y=[0.0, 1.0]), "one for each pixel"),
    "grids that do not overlap": (
        lambda: fuse([placed(), Sensor("far", COARSE, DAYS, y=[100.0, 102.0], x=[0.5, 2.5])]),
        "do not overlap",
    ),
    "a system for one alone": (
        lambda: fuse([placed(crs="EPSG:32611"), Sensor("other", COARSE, DAYS, y=[0.6, 2.6], x=[0.5, 2.5])]),
        "a system as the fine grid has",
    ),
    "some without coordinates": (lambda: fuse([placed(), Sensor("b", COARSE, DAYS)]), "all or none"),
    "a footprint that does not fit": (lambda: fuse([fine(), coarse(footprint=3)]), "crop one"),
    "a footprint of text": (lambda: fuse([fine(), coarse(footprint="7")]), "a number of pixels"),
    "no fine sensor": (lambda: fuse([coarse()]), "the fine grid itself"),
    "units that do not match": (lambda: fuse([fine(unit="K"), coarse(unit="m")]), "convertible to K"),
    "stations off the grid": (
        lambda: fuse([fine(), Sensor("well", np.ones((3, 1)), DAYS, points=[[90.0, 1.0]])]),
        "on the fine grid",
    ),
    "another motion": (lambda: FusionModel(("random",)), "random-walk"),
    "another space": (lambda: FusionModel(space="gaussian"), "exponential"),
    "a negative length": (lambda: FusionModel(parameters={"ar1 length": -1.0}), "a positive number"),
    "an unknown parameter": (lambda: fuse(fine(), FusionModel(parameters={"ar1 std": 1.0})), "one of"),
    "a prior without a width": (lambda: FusionModel(priors={"ar1 std": (1.0, 1.0)}), "above 1"),
    "a covariate of another shape": (lambda: fuse(fine(), covariates={"z": np.ones(7)}), "shape"),
    "a covariate with gaps": (lambda: fuse(fine(), covariates={"z": [1, np.nan, 2]}), "a number everywhere"),
    "classes of numbers": (lambda: fuse(fine(), classes=np.ones((4, 4))), "whole numbers"),
    "a forecast in text": (lambda: fuse(fine(), dates=["2021-01-01"]), "numbers of days"),
    "another method": (lambda: fuse(fine(), method="fast"), "'auto'"),
    "blocks across footprints": (
        lambda: fuse(fine(), FusionModel(space="across"), method="blocks"),
        "no correlation across",
    ),
    "a gate below one": (lambda: fuse(fine(), gate=0.5), "above 1"),
    "a negative lag": (lambda: fuse(fine(), lag=-1), "at least 0"),
    "a scene that there is not": (lambda: fuse(fine(), hold_out=[7]), "saw something"),
    "bands for one alone": (lambda: fuse([fine(bands="nir"), coarse()]), "name theirs"),
    "bands that are fewer": (lambda: fine(data=np.ones((3, 2, 4, 4)), bands=("a", "b", "c")), "one for each"),
    "a band twice": (lambda: fine(data=np.ones((3, 2, 4, 4)), bands=("a", "a")), "different names"),
    "weights of nothing": (lambda: fine(bands={"red": 1.0, "nir": -1.0}), "add up to zero"),
    "weights of text": (lambda: fine(bands={"red": "much"}), "add up to zero"),
    "a band that is empty": (
        lambda: fuse(fine(data=np.stack([FINE, np.nan * FINE], axis=1), bands=("a", "b"))),
        "at least one",
    ),
    "bands by expectation": (lambda: fuse(fine(bands="nir"), learn="em"), "'gradient'"),
    "bands in tiles by expectation": (
        lambda: fuse(fine(bands="nir"), learn="em", output="field.zarr"),
        "'gradient'",
    ),
}  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES)
def test_refused_with_what_was_wanted(mistake):
    ask, said = MISTAKES[mistake]
    with pytest.raises(InputError) as caught:
        ask()
    assert said in str(caught.value)
    assert caught.value.cure
