"""Peers live in environments of their own, made when first needed under .venv-bench/."""

import hashlib
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
_HOME = ROOT / ".venv-bench"
_REQUIREMENTS = Path(__file__).resolve().parent / "requirements"
_PATIENCE = 1800  # seconds for one pip command

# Lists are installed one after the other: torch first, so that taufactor does not choose another build of it.
PEERS = {
    "muGrid": ("mugrid",),
    "taufactor": ("torch", "taufactor"),
    "fedoo": ("fedoo",),
    "peclet": ("peclet",),
    "poromics": ("poromics",),
    "transforms": ("transforms",),
    "tinyDA": ("tinyda",),
    "OpenNDM": ("openndm",),
    "cuthbert": ("cuthbert",),
}


class PeerMissing(Exception):  # noqa: N818 (it is an outcome, not an error: the others go on)
    """A peer cannot be installed here; the message says why."""


def python_of(peer: str) -> str:
    """Return the interpreter of a peer's environment, made and filled if need be.

    Args:
        peer: a key of `PEERS`.

    Raises:
        PeerMissing: with the last words of pip.
    """
    lists = [_REQUIREMENTS / f"{name}.txt" for name in PEERS[peer]]
    wanted = hashlib.sha256(b"".join(path.read_bytes() for path in lists)).hexdigest()
    home = _HOME / peer
    stamp, python = home / "done", home / "bin" / "python"
    if stamp.exists() and stamp.read_text() == wanted:
        return str(python)
    print(f"Setting up {peer} in {home.relative_to(ROOT)} (once) ...", flush=True)
    try:
        venv.create(home, clear=True, with_pip=True)
        for path in lists:
            _pip(python, path)
    except (OSError, subprocess.SubprocessError) as error:
        raise PeerMissing(f"{peer} cannot be set up: {error}") from error
    stamp.write_text(wanted)
    return str(python)


def own_python() -> str:
    """Return the interpreter that runs this."""
    return sys.executable


def _pip(python: Path, requirements: Path) -> None:
    command = [str(python), "-m", "pip", "install", "--quiet", "--requirement", str(requirements)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=_PATIENCE, check=False)
    if done.returncode:
        reasons = [line for line in done.stderr.splitlines() if "ERROR" in line] or [done.stderr[-300:]]
        raise subprocess.SubprocessError("; ".join(reasons))
