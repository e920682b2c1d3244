"""kill -9 at any instant loses at most the step in progress: resumed equals uninterrupted."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from scalebridge.engine.checkpoint import latest_checkpoint

HERE = Path(__file__).parent
MPIRUN = shutil.which("mpirun")


def program(folder, *words, ranks=0, check=True, **variables):
    """Run the program, under MPI with some ranks; return how it ended and what it said."""
    start = [sys.executable, str(HERE / "fe2_program.py"), str(folder), *words]
    if ranks:
        pytest.importorskip("mpi4py")
        if MPIRUN is None:
            pytest.skip("no mpirun")
        start = [MPIRUN, "--oversubscribe", "-n", str(ranks), *start, "--engine", "mpi"]
    root = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1", "SCALEBRIDGE_THREADS": "1"}
    done = subprocess.run(
        start, capture_output=True, text=True, timeout=400, check=False, env=os.environ | root | variables
    )
    if check:
        assert done.returncode == 0, done.stderr[-2000:]
    return done


def found_in(folder):
    with np.load(folder / "found.npz") as file:
        return dict(file)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    program(folder)
    return found_in(folder)


def assert_same(found, whole, exactly=True):
    for name, value in whole.items():
        if exactly:
            np.testing.assert_array_equal(found[name], value, err_msg=name)
        else:
            size = np.abs(value).max()
            np.testing.assert_allclose(found[name], value, rtol=0, atol=1e-10 * size, err_msg=name)


@pytest.mark.parametrize(("kill", "left"), [("step", "step-000001"), ("checkpoint", "step-000001")])
def test_killed_and_resumed_is_bitwise_the_uninterrupted_run(kill, left, whole, tmp_path):
    done = program(tmp_path, "--kill", kill, check=False)
    assert done.returncode == -signal.SIGKILL
    assert latest_checkpoint(tmp_path).name == left, "what was finished before is whole"
    assert list(tmp_path.glob(".step-*.part")) == ([] if kill == "step" else [tmp_path / ".step-000002.part"])
    program(tmp_path, "--resume")
    assert_same(found_in(tmp_path), whole)
    assert list(tmp_path.glob(".step-*.part")) == [], "what was left half-done is cleared"


@pytest.mark.slow
@pytest.mark.timeout(1200)  # all loops are compiled anew
def test_a_run_that_compiled_its_loops_is_bitwise_one_that_found_them_and_was_resumed(tmp_path):
    cache = {"NUMBA_CACHE_DIR": str(tmp_path / "loops"), "JAX_COMPILATION_CACHE_DIR": str(tmp_path / "jax")}
    program(tmp_path / "fresh", "--volume", **cache)
    done = program(tmp_path / "killed", "--volume", "--kill", "checkpoint", check=False, **cache)
    assert done.returncode == -signal.SIGKILL
    program(tmp_path / "killed", "--volume", "--resume", **cache)
    assert_same(found_in(tmp_path / "killed"), found_in(tmp_path / "fresh"))


@pytest.mark.slow
@pytest.mark.timeout(1200)  # interpreters that start under load
def test_a_killed_rank_ends_the_job_and_any_number_of_ranks_resumes_it(whole, tmp_path):
    done = program(tmp_path, "--kill", "rank", ranks=2, check=False)
    assert done.returncode != 0
    assert latest_checkpoint(tmp_path) is not None
    copies = [shutil.copytree(tmp_path, tmp_path.with_name(f"copy-{n}")) for n in (1, 2)]
    for ranks, folder in zip((1, 2), copies, strict=True):
        program(folder, "--resume", ranks=ranks)
        assert_same(found_in(folder), whole, exactly=False)
    program(tmp_path, "--resume")  # and the plain engine of one process
    assert_same(found_in(tmp_path), whole, exactly=False)


@pytest.mark.slow
@pytest.mark.timeout(1200)  # interpreters that start under load
def test_a_killed_worker_of_dask_is_an_error_that_names_the_checkpoint(whole, tmp_path):
    done = program(tmp_path, "--kill", "worker", "--engine", "dask", "--workers", "2", check=False)
    last = latest_checkpoint(tmp_path)
    assert done.returncode == 1
    assert f"resume from the checkpoint {last}" in done.stderr
    program(tmp_path, "--resume", "--engine", "dask", "--workers", "2")
    assert_same(found_in(tmp_path), whole, exactly=False)


@pytest.mark.slow
@pytest.mark.timeout(1200)  # interpreters that start under load
def test_two_ranks_of_mpi_and_two_workers_of_dask_give_what_one_process_gives(whole, tmp_path):
    program(tmp_path / "mpi", ranks=2)
    assert_same(found_in(tmp_path / "mpi"), whole, exactly=False)
    program(tmp_path / "dask", "--engine", "dask", "--workers", "2")
    assert_same(found_in(tmp_path / "dask"), whole, exactly=False)


@pytest.mark.slow
@pytest.mark.timeout(1200)  # interpreters that start under load
@pytest.mark.parametrize("engine", ["mpi", "dask"])
def test_points_that_share_do_so_on_ranks_and_workers_and_when_a_run_is_resumed_in_one_process(
    engine, tmp_path
):
    alone, kept = ("--share", "1e-9"), tmp_path / "kept"
    program(tmp_path / "alone", *alone)
    one = found_in(tmp_path / "alone")
    where = ("--engine", "dask", "--workers", "2") if engine == "dask" else ()
    program(kept, *alone, *where, ranks=2 if engine == "mpi" else 0)
    several = found_in(kept)
    assert several["sharing"][-1, 0] > 0
    assert several["sharing"][-1, 1] > 0, "a sample was solved anew"
    assert several["sharing"][-1, 0] <= one["sharing"][-1, 0], (
        "of the points of another process none is shared"
    )
    for found in (one, several):
        del found["sharing"]
    assert_same(several, one, exactly=False)  # to 1e-10: they differ by the square of the tolerance
    shutil.rmtree(kept / "step-000004")
    program(kept, *alone, "--resume")
    resumed = found_in(kept)
    del resumed["sharing"]
    assert_same(resumed, one, exactly=False)


@pytest.mark.slow
@pytest.mark.timeout(1200)  # interpreters that start under load
def test_a_script_that_its_workers_would_run_again_is_told_what_to_do(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        "import numpy as np\n"
        "from scalebridge.structures.solid_mesh import box_mesh\n"
        "from scalebridge.structures.solve_structure import solve_structure\n"
        "held = {'left': {'x': 0, 'y': 0}, 'right': {'x': 1e-3}}\n"
        "solve_structure(box_mesh((2.0, 1.0), (2, 1)), np.eye(6), supports=held, engine='dask', workers=1)\n",
        encoding="utf-8",
    )
    pytest.importorskip("distributed")
    done = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, timeout=400, check=False
    )
    assert done.returncode == 1
    assert "call it under  if __name__ == '__main__':" in done.stderr
