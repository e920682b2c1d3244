"""A study that is killed goes on where it was, and every engine gives the same numbers."""

import subprocess
import sys
import time

import numpy as np
import pytest

import scalebridge as sb
from scalebridge.cells.conductivity_rve import conductivity_rve_study

PROGRAM = """
import scalebridge as sb
from scalebridge.cells.conductivity_rve import conductivity_rve_study

if __name__ == "__main__":
    image = sb.random_voxels({cells}, volume_fraction=0.4, seed=7)
    conductivity_rve_study(image, {phases!r}, store={store!r}, **{options!r})
"""
CELLS, PHASES = 32, {0: 1.0, 1: 20.0}
OPTIONS = {"sizes": [8, 16], "realisations": 48, "rtol": 1e-6, "engine": "serial"}


def values_of(study):
    return [sample.values for sample in study.samples]


@pytest.fixture(scope="module")
def uninterrupted():
    image = sb.random_voxels(CELLS, volume_fraction=0.4, seed=7)
    return image, conductivity_rve_study(image, PHASES, **OPTIONS)


def test_kill_9_midway_and_again_reuses_what_was_finished_and_gives_the_same(tmp_path, uninterrupted):
    image, whole = uninterrupted
    store, script = tmp_path / "store", tmp_path / "script.py"
    script.write_text(PROGRAM.format(cells=CELLS, phases=PHASES, store=str(store), options=OPTIONS))
    child = subprocess.Popen([sys.executable, str(script)])
    deadline = time.monotonic() + 100
    try:
        while len(list(store.glob("*.json"))) < 10:
            assert time.monotonic() < deadline, "nothing was finished"
            assert child.poll() is None, "it ended before it could be killed"
            time.sleep(0.002)
    finally:
        child.kill()  # SIGKILL
        child.wait(10)
    assert child.returncode == -9

    finished, total = len(list(store.glob("*.json"))), whole.stats["computed"]
    assert 10 <= finished < total
    again = conductivity_rve_study(image, PHASES, store=store, **OPTIONS)
    assert again.stats == {"computed": total - finished, "reused": finished, "damaged": 0}
    for a, b in zip(values_of(whole), values_of(again), strict=True):
        # equal to rounding: transforms share their lines among threads as these come
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12)
    # a spread is a difference of such values, and the exponent a ratio of spreads: two digits fewer
    np.testing.assert_allclose(again.std, whole.std, rtol=1e-10)
    assert again.law.exponent == pytest.approx(whole.law.exponent, rel=1e-10)
    np.testing.assert_allclose(again.image_error, whole.image_error, rtol=1e-10)
    third = conductivity_rve_study(image, PHASES, store=store, **OPTIONS)
    assert third.stats["computed"] == 0


@pytest.mark.slow
@pytest.mark.timeout(400)  # three fresh interpreters load all numerical packages
def test_dask_with_two_workers_and_a_local_process_give_the_same_numbers(uninterrupted):
    pytest.importorskip("distributed")
    image, serial = uninterrupted
    for engine, workers in (("local", 1), ("dask", 2)):
        found = conductivity_rve_study(image, PHASES, **{**OPTIONS, "engine": engine, "workers": workers})
        for a, b in zip(values_of(serial), values_of(found), strict=True):
            np.testing.assert_allclose(b, a, rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(found.std, serial.std, rtol=1e-10)


def test_another_question_does_not_take_the_answers_of_this_one(tmp_path):
    noise = sb.random_voxels(16, volume_fraction=0.5, seed=0, dim=2)
    asked = {"engine": "serial", "sizes": [4, 8], "store": tmp_path}
    first = conductivity_rve_study(noise, {0: 1.0, 1: 3.0}, **asked)
    others = [
        ({0: 1.0, 1: 4.0}, {}),
        ({0: 1.0, 1: 3.0}, {"boundary": "periodic"}),
        ({0: 1.0, 1: 3.0}, {"rtol": 1e-5}),
        ({0: 1.0, 1: 3.0}, {"scheme": "finite-volume"}),
    ]
    for phases, options in others:
        assert conductivity_rve_study(noise, phases, **asked, **options).stats["reused"] == 0
    wider = conductivity_rve_study(noise, {0: 1.0, 1: 3.0}, **{**asked, "sizes": [4, 8, 5]})
    assert wider.stats["reused"] == first.stats["computed"]  # the boxes of the first, and no others
