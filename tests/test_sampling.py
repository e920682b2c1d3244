"""The verb: exact posteriors, levels of every kind, restart, files, estimators."""

import json
import runpy
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import h5py
import jax.numpy as jnp
import numpy as np
import pytest

import scalebridge as sb
from inference_samples import (
    DATA,
    EXACT_MEAN,
    EXACT_STD,
    MATRIX,
    NOISE,
    TWO,
    assert_exact,
    coarse,
    fine,
    host_coarse,
    host_fine,
)
from scalebridge.core.errors import TaskError
from scalebridge.inference.command_model import CommandModel
from scalebridge.inference.diagnostics import ess_bulk, ess_tail, r_hat
from scalebridge.inference.forward import Level
from scalebridge.inference.parameters import Prior, parameter
from scalebridge.inference.sampling_problems import DENSITIES
from scalebridge.inference.tuning import best_length
from scalebridge.inference.umbridge import UmBridgeModel
from scalebridge.inference.umbridge_server import Served, make_server, serving


@pytest.fixture(scope="module")
def screened():
    return sb.sample(
        [coarse, fine],
        TWO,
        data=DATA,
        noise=NOISE,
        draws=200,
        scouting=60,
        warmup=20,
        subchain=3,
        telescoping=(400,),
    )


def test_two_levels_give_the_exact_posterior(screened):
    assert_exact(screened)
    assert screened.passed, str(screened)
    assert screened.evaluations_per_ess < 1.5


def test_fine_evaluations_are_all_counted():
    calls = []

    def counted(theta):
        calls.append(1)
        return host_fine(theta)

    found = sb.sample(
        [host_coarse, counted], TWO, data=DATA, noise=NOISE, draws=50, scouting=100, warmup=10, subchain=2
    )
    # Beside what is counted, a model is tried once by the tracer, which it refuses.
    assert len(calls) - 1 == found.work[1].evaluations + found.work[1].warmup


@pytest.mark.slow
def test_callables_screened_without_a_correction():
    found = sb.sample(
        [host_coarse, host_fine],
        TWO,
        data=DATA,
        noise=NOISE,
        correction="none",
        subchain=4,
        draws=250,
        scouting=300,
    )
    assert_exact(found)
    assert found.provenance.settings["proposal"] == "adaptive-metropolis"


@pytest.mark.slow
def test_three_levels_and_automatic_subchains():
    levels = [Level(host_coarse, "coarse"), Level(host_coarse, "middle"), Level(host_fine, "fine")]
    found = sb.sample(
        levels,
        TWO,
        data=DATA,
        noise=NOISE,
        subchain="auto",
        random_subchain=True,
        draws=80,
        scouting=200,
        warmup=12,
    )
    assert_exact(found)
    assert len(found.stats["subchains"]) == 2


def test_a_single_level_and_the_telescoping_mean(screened):
    found = sb.sample(fine, TWO, data=DATA, noise=NOISE, draws=300, warmup=60)
    assert_exact(found)
    mean = screened.telescoping_mean(lambda values, outputs: values[..., 0])
    assert abs(mean.value - EXACT_MEAN[0]) < 4.5 * mean.std
    assert mean.value == pytest.approx(sum(mean.terms))
    assert len(mean.variances) == len(mean.costs) == 2
    answers = screened.telescoping_mean(lambda values, outputs: outputs[..., 0])
    assert abs(answers.value - MATRIX[0] @ EXACT_MEAN) < 4.5 * answers.std
    with pytest.raises(sb.InputError, match="telescoping"):
        found.telescoping_mean(lambda values, outputs: values[..., 0])


def test_the_same_seed_gives_the_same_bits_whatever_the_blocks_and_engines():
    options = {"data": DATA, "noise": NOISE, "draws": 24, "scouting": 20, "warmup": 10, "seed": 5}
    once = sb.sample([coarse, fine], TWO, **options)
    with ThreadPoolExecutor(2) as threads:
        again = sb.sample([coarse, fine], TWO, checkpoint=7, engine=threads, **options)
    np.testing.assert_array_equal(once.values, again.values)
    other = sb.sample([coarse, fine], TWO, **{**options, "seed": 6})
    assert not np.array_equal(once.values, other.values)


def test_a_model_that_is_asked_ahead_gives_the_same_bits():
    options = {"data": DATA, "noise": NOISE, "draws": 20, "scouting": 20, "warmup": 10, "subchain": 2}
    once = sb.sample([host_coarse, host_fine], TWO, correction="linear", **options)
    with ThreadPoolExecutor(2) as threads:
        ahead = sb.sample(
            [host_coarse, host_fine], TWO, correction="linear", engine=threads, prefetch=3, **options
        )
    np.testing.assert_array_equal(once.values, ahead.values)
    np.testing.assert_array_equal(once.log_likelihoods, ahead.log_likelihoods)
    # What was asked in vain, behind a rejection, is counted too.
    assert ahead.work[-1].evaluations >= once.work[-1].evaluations


def test_processes_of_this_machine_give_the_same_bits():
    options = {"data": DATA, "noise": NOISE, "draws": 8, "scouting": 10, "warmup": 8, "chains": 2}
    levels = [host_coarse, host_fine]
    once = sb.sample(levels, TWO, **options)
    farmed = sb.sample(levels, TWO, engine="local", workers=1, **options)
    np.testing.assert_array_equal(once.values, farmed.values)


@pytest.mark.slow
def test_processes_that_are_asked_ahead_give_the_same_bits():
    options = {"data": DATA, "noise": NOISE, "draws": 30, "scouting": 20, "warmup": 10, "chains": 2}
    levels = [host_coarse, host_fine]
    once = sb.sample(levels, TWO, **options)
    farmed = sb.sample(levels, TWO, engine="local", workers=2, prefetch=4, **options)
    np.testing.assert_array_equal(once.values, farmed.values)
    assert farmed.work[-1].evaluations >= once.work[-1].evaluations


SCRIPT = """
import signal
import sys
import numpy as np
import scalebridge as sb

signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs begin deaf to it

MATRIX = np.array([[1.0, 0.5], [0.3, -1.0], [0.2, 0.8]])

def slow(theta):
    import time
    time.sleep(float(sys.argv[2]))
    return np.array(MATRIX @ np.asarray(theta))

def quick(theta):
    return np.array((MATRIX * 0.8 + 0.1) @ np.asarray(theta))

levels = [quick, slow]
found = sb.sample(levels, {"a": "normal(0, 1)", "b": "normal(0, 1)"}, data=[1.0, -0.6, 0.9], noise=0.4,
                  draws=40, scouting=40, warmup=10, subchain=3, store=sys.argv[1], checkpoint=5, seed=3,
                  progress=False)
np.save(sys.argv[3], found.values)
"""


def test_interrupted_and_killed_chains_go_on_to_the_same_bits(tmp_path, monkeypatch):
    script, store = tmp_path / "run.py", tmp_path / "store"
    script.write_text(SCRIPT)

    def stopped(by, blocks):
        """Start, wait for so many finished blocks, and stop by a signal."""
        words = [sys.executable, str(script), str(store), "0.01", str(tmp_path / "stopped.npy")]
        run = subprocess.Popen(words, stderr=subprocess.PIPE, text=True)
        until = time.monotonic() + 90
        while len(list(store.glob("*.json"))) < blocks and time.monotonic() < until:
            time.sleep(0.02)
        run.send_signal(by)
        said = run.communicate()[1]
        assert run.returncode != 0
        assert not (tmp_path / "stopped.npy").exists()
        return said, len(list(store.glob("*.json")))

    said, kept = stopped(signal.SIGINT, 30)  # Ctrl-C
    assert said.rstrip().endswith("KeyboardInterrupt")
    _, more = stopped(signal.SIGKILL, kept + 10)
    assert more > kept  # it went on, and did not begin again

    def whole(folder, name):
        monkeypatch.setattr(sys, "argv", [str(script), str(folder), "0", str(tmp_path / name)])
        runpy.run_path(str(script), run_name="__main__")
        return np.load(tmp_path / name)

    np.testing.assert_array_equal(whole(store, "resumed.npy"), whole(tmp_path / "other", "whole.npy"))


def test_a_store_is_used_again_and_a_changed_model_is_not_taken_for_the_old_one(tmp_path):
    options = {
        "data": DATA,
        "noise": NOISE,
        "draws": 16,
        "scouting": 20,
        "warmup": 10,
        "store": tmp_path,
        "subchain": "auto",
    }
    once = sb.sample([host_coarse, host_fine], TWO, **options)
    again = sb.sample([host_coarse, host_fine], TWO, **options)
    assert once.stats["blocks reused"] == 0
    assert again.stats["blocks reused"] > 10
    np.testing.assert_array_equal(once.values, again.values)
    changed = sb.sample([host_coarse, lambda theta: 1.01 * host_fine(theta)], TWO, **options)
    assert changed.stats["blocks reused"] == 0


def test_failures_are_rejections_that_are_counted_and_repeated_ones_stop(tmp_path):
    def moody(theta):
        if theta[0] > EXACT_MEAN[0] + 0.5 * EXACT_STD[0]:
            raise ArithmeticError("no convergence")
        return host_fine(theta)

    found = sb.sample(
        [host_coarse, moody], TWO, data=DATA, noise=NOISE, draws=60, scouting=200, warmup=10, subchain=3
    )
    assert found.work[1].failures > 10
    assert np.all(found["a"] <= EXACT_MEAN[0] + 0.5 * EXACT_STD[0])
    assert "ArithmeticError: no convergence" in found.work[1].messages[0]
    assert not found.passed
    assert any(line.startswith("failed evaluations") for line in found.advice)
    asked = []

    def dying(theta):
        asked.append(1)
        if len(asked) > 20:
            raise ConnectionError("gone")
        return host_fine(theta)

    with pytest.raises(TaskError, match=r"5 times in a row, the last time with the parameters \["):
        sb.sample(
            [host_coarse, dying],
            TWO,
            data=DATA,
            noise=NOISE,
            patience=5,
            store=tmp_path,
            scouting=20,
            draws=50,
        )
    assert "ConnectionError: gone" in (tmp_path / "failure.txt").read_text()


def test_where_the_prior_is_zero_no_model_runs():
    def bounded(theta):
        assert theta[0] > 0.1
        return host_fine(theta)

    found = sb.sample(
        bounded,
        TWO,
        data=DATA,
        noise=NOISE,
        log_prior=lambda v: jnp.where(v[0] > 0.1, 0.0, -jnp.inf),
        draws=200,
    )
    assert found.work[0].failures == 0
    assert np.min(found["a"]) > 0.1


def test_umbridge_densities_over_http():
    import csv

    rows = Path(__file__).parent / "reference" / "umbridge_analytic_points.csv"
    served = {
        name: Served(lambda x, f=density: [float(f(x, np))], 2, 1) for name, density in DENSITIES.items()
    }
    with serving(served) as url, rows.open() as stream:
        for row in csv.DictReader(stream):
            model = UmBridgeModel(url, row["benchmark"])
            point = np.array([float(row["x1"]), float(row["x2"])])
            assert model(point)[0] == pytest.approx(float(row["log_density"]), rel=1e-12, abs=1e-12)


def test_a_server_that_dies_is_survived_and_its_gradients_are_used():
    served = {"forward": Served(lambda x: MATRIX @ x, 2, 3, gradient=lambda x, s: MATRIX.T @ s)}
    server = make_server(served, port=0)
    port = server.server_address[1]
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    model, deaths = UmBridgeModel(f"http://localhost:{port}", patience=10.0), []

    def fragile(theta):
        nonlocal server
        if len(deaths) == 0 and fragile.calls > 30:
            deaths.append(1)
            server.shutdown()
            server.server_close()

            def revive():
                nonlocal server
                server = make_server(served, port=port)
                server.serve_forever(0.01)

            threading.Timer(0.3, revive).start()
        fragile.calls += 1
        return model(np.asarray(theta))

    fragile.calls = 0
    found = sb.sample(
        [host_coarse, fragile], TWO, data=DATA, noise=NOISE, draws=60, scouting=40, warmup=10, subchain=3
    )
    assert deaths
    assert found.work[1].failures == 0
    langevin = sb.sample(
        [model, fine],
        TWO,
        data=DATA,
        noise=NOISE,
        draws=40,
        scouting=20,
        warmup=10,
        proposal="mala",
        subchain=2,
    )
    assert langevin.work[0].gradients > 0
    assert langevin.rates["acceptance of the finest level"] > 0.5
    server.shutdown()
    server.server_close()
    model.patience = 0.1
    with pytest.raises(OSError, match="cannot be reached"):
        model(np.zeros(2))


def test_a_program_as_a_level():
    code = (
        "import sys; a, b = map(float, open(sys.argv[1])); open(sys.argv[2], 'w').write(f'{a + b}\\n{a - b}')"
    )
    model = CommandModel([sys.executable, "-c", code, "{input}", "{output}"], name="adder")
    np.testing.assert_allclose(model(np.array([3.0, 1.5])), [4.5, 1.5])
    with pytest.raises(RuntimeError, match="ended with code 1"):
        CommandModel([sys.executable, "-c", "1/0", "{input}"])(np.zeros(2))
    with pytest.raises(RuntimeError, match="longer than"):
        CommandModel([sys.executable, "-c", "import time; time.sleep(9)", "{input}"], timeout=0.2)(
            np.zeros(2)
        )


def test_draws_as_netcdf(screened, tmp_path):
    path = screened.save_draws(tmp_path / "draws.nc")
    with h5py.File(path) as file:
        stored = file["posterior/a"]
        assert [dim.label or next(iter(dim)) for dim in stored.dims] == ["chain", "draw"]
        np.testing.assert_array_equal(stored[()], screened["a"])
    xarray = pytest.importorskip("xarray")
    pytest.importorskip("h5netcdf")
    with xarray.open_dataset(path, group="posterior", engine="h5netcdf") as opened:
        assert opened["a"].dims == ("chain", "draw")
        np.testing.assert_array_equal(opened["b"], screened["b"])


def test_the_summary_as_json_and_estimate(screened, tmp_path):
    told = json.loads(screened.save(tmp_path / "out.json").read_text())
    assert told["schema"] == "scalebridge/sampled/1"
    assert told["passed"] is True
    assert [row["name"] for row in told["parameters"]] == ["a", "b"]
    np.testing.assert_allclose(screened.estimate().value[0], screened.summary[0].mean, rtol=1e-12)
    assert screened.upscaled().passed
    assert "R-hat" in str(screened)


def test_diagnostics_against_arviz():
    # ArviZ 0.18 on this array: az.rhat, az.ess(method="bulk"), az.ess(method="tail").
    rng = np.random.default_rng(12)
    draws = np.zeros((4, 500))
    for t in range(1, 500):
        draws[:, t] = 0.7 * draws[:, t - 1] + rng.standard_normal(4)
    draws[3] += 0.3
    assert r_hat(draws) == pytest.approx(R_HAT, rel=1e-9)
    assert ess_bulk(draws) == pytest.approx(ESS_BULK, rel=1e-9)
    assert ess_tail(draws) == pytest.approx(ESS_TAIL, rel=1e-9)


R_HAT, ESS_BULK, ESS_TAIL = 1.02054923230146, 333.8137754310572, 646.614785071627


def test_coordinates_are_those_of_the_specs():
    parts = [
        parameter("k", "lognormal(2, 0.5)"),
        parameter("phi", "uniform(0.1, 0.3) * 2"),
        parameter("x", "normal(1, 2)"),
    ]
    prior = Prior(parts)
    u = np.array([0.3, -0.4, 1.2, 0.7])
    values = prior.values(u)
    places = jnp.asarray(u)
    pieces = [
        parts[0].spec.from_unconstrained(places[:1]),
        parts[1].spec.from_unconstrained(places[1:3]),
        u[3:],
    ]
    np.testing.assert_allclose(values, np.concatenate([np.ravel(p) for p in pieces]), rtol=1e-14)
    np.testing.assert_allclose(prior.coordinates(values), u, rtol=1e-12)
    step = 1e-6
    slopes = (prior.values(u + step) - prior.values(u - step)) / (2 * step)
    np.testing.assert_allclose(prior.pulled(u, np.ones(4)), slopes, rtol=1e-8)
    # Densities integrate to one: by the trapezoidal rule, exact to rounding for such smooth ones.
    grid = np.linspace(-40, 40, 4001)
    for name in ("lognormal(2, 0.5)", "uniform(0.1, 0.3)", "normal(1, 2)"):
        one = Prior([parameter("x", name)])
        total = np.trapezoid([np.exp(one.log_density(np.array([x]))) for x in grid], grid)
        assert total == pytest.approx(1.0, abs=1e-12)


def test_units_of_priors():
    found = parameter("k", "lognormal(100 mD, 0.5)", "m^2")
    assert found.centre == pytest.approx(9.869233e-14, rel=1e-6)


def test_the_best_subchain_grows_with_the_price_of_the_fine_model():
    assert best_length(20.0, 1e-4) > best_length(20.0, 1e-2) > best_length(20.0, 1.0)
