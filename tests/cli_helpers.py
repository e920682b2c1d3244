"""What the tests of the command line share."""

from pathlib import Path

import numpy as np
from typer.testing import CliRunner

from scalebridge.cli.main import app

PHASES = ("--phase", "0=1 W/m/K", "--phase", "1=3 W/m/K")
CASE = """task = "conductivity"
[image]
file = "image.npy"
voxel = "3 um"
[phases]
0 = "1 W/m/K"
[phases.1]
name = "grain"
value = "3 W/m/K"
std = 0.3
[solve]
rtol = 1e-7
[output]
folder = "out"
json = "result.json"
"""


def invoke(*args):
    """Run the command line in this process; no row of any test may show a traceback."""
    found = CliRunner().invoke(app, [str(arg) for arg in args])
    assert "Traceback" not in found.output + found.stderr
    return found


def layers(dim: int = 3) -> np.ndarray:
    """Return layers across x, half and half, on 8 voxels along each axis."""
    labels = np.zeros((8,) * dim, np.uint8)
    labels[4:] = 1
    return labels


def save(folder: Path, array: np.ndarray, name: str = "image.npy") -> Path:
    """Write an array and return its path."""
    np.save(folder / name, array)
    return folder / name


def write_case(folder: Path, text: str = CASE) -> Path:
    """Write a case beside its image."""
    if not (folder / "image.npy").exists():
        save(folder, layers())
    (folder / "case.toml").write_text(text)
    return folder / "case.toml"
