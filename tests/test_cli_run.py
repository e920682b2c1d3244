"""scalebridge run: a case is answered once, and stopped without a trace."""

import json
import os
import pty
import signal
import subprocess
import sys
import time

import pytest

from cli_helpers import CASE, invoke, layers, save, write_case
from scalebridge.core.upscaled import load_result

DONE = "Nothing to do"


def test_outputs_go_where_the_case_says_and_a_second_run_leaves_them_alone(tmp_path):
    text = CASE + 'card = "rock.inp"\n'
    case = write_case(tmp_path, text)
    first = invoke("run", case)
    assert first.exit_code == 0
    assert DONE not in first.stdout
    result, card = tmp_path / "out" / "result.json", tmp_path / "out" / "rock.inp"
    stored = json.loads(result.read_text())
    assert load_result(result)["value"][0, 0] == pytest.approx(
        1.5, rel=1e-10
    )  # equal layers of 1 and 3 in series
    assert set(stored["files"]) == {"card"}

    before = result.stat().st_mtime_ns, card.stat().st_mtime_ns
    second = invoke("run", case)
    assert second.exit_code == 0
    assert DONE in second.stdout
    assert (result.stat().st_mtime_ns, card.stat().st_mtime_ns) == before
    again = json.loads(invoke("run", case, "--json").stdout)
    assert again["value"] == stored["value"]

    assert DONE not in invoke("run", case, "--force").stdout
    card.unlink()
    assert DONE not in invoke("run", case).stdout
    assert card.exists()
    card.write_text("tampered")
    assert DONE not in invoke("run", case).stdout
    assert "*CONDUCTIVITY" in card.read_text()


def test_another_question_is_answered_anew(tmp_path):
    invoke("run", write_case(tmp_path))
    found = invoke("run", write_case(tmp_path, CASE.replace("3 W/m/K", "5 W/m/K")))
    assert DONE not in found.stdout
    save(tmp_path, layers()[::-1])
    assert DONE not in invoke("run", write_case(tmp_path)).stdout


def test_a_damaged_result_is_answered_anew(tmp_path):
    case = write_case(tmp_path)
    invoke("run", case)
    result = tmp_path / "out" / "result.json"
    result.write_text(result.read_text()[:100])
    assert DONE not in invoke("run", case).stdout
    assert load_result(result)["passed"]


def test_a_stored_result_that_failed_ends_with_the_same_code(tmp_path):
    case = write_case(tmp_path, CASE.replace('"1 W/m/K"', '"0 W/m/K"'))
    assert invoke("run", case).exit_code == 1  # nothing conducts across the insulating layer
    found = invoke("run", case)
    assert found.exit_code == 1
    assert DONE in found.stdout


def test_ctrl_c_ends_a_long_solve_with_130_and_no_half_written_file(tmp_path):
    image = save(tmp_path, layers(2)[2:6, :4])
    command = (
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler);"  # a shell's '&' ignores it
        "from scalebridge.cli.main import main; main()"
    )
    # One small solve after the other, for hours.
    options = ["--phase", "0=1", "--phase", "1=3 +- 1", "--uncertainty", "samples", "--samples", "10000000"]
    args = ["conductivity", str(image), *options, "--out", str(tmp_path / "r.json")]
    terminal, child_end = pty.openpty()
    child = subprocess.Popen(
        [sys.executable, "-c", command, *args], stdout=subprocess.PIPE, stderr=child_end, text=True
    )
    os.close(child_end)
    seen = b""
    while b"case" not in seen:  # the progress bar, which a terminal shows while the solver works
        seen += _read_some(terminal)
        assert child.poll() is None, seen.decode()
    child.send_signal(signal.SIGINT)
    sent = time.perf_counter()
    while child.poll() is None and time.perf_counter() - sent < 20:
        seen += _read_some(terminal)
    assert child.returncode == 130
    seen += _read_some(terminal)
    assert b"Stopped by Ctrl-C" in seen
    assert b"Traceback" not in seen
    assert child.stdout.read() == ""
    child.stdout.close()
    os.close(terminal)
    assert [file.name for file in tmp_path.iterdir()] == ["image.npy"]


def _read_some(terminal: int) -> bytes:
    try:
        return os.read(terminal, 4096)
    except OSError:  # the other end is closed
        return b""
