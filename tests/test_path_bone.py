"""The example of pressed bone: it yields, and its checks hold."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

EXAMPLE = Path(__file__).parent.parent / "examples" / "bone_yield.py"


@pytest.mark.slow
def test_pressed_bone_yields(tmp_path):
    spec = importlib.util.spec_from_file_location("bone_yield", EXAMPLE)
    example = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(example)
    found = example.run(tmp_path, 32, (-0.001, -0.008))  # of 24 voxels the tissue does not reach across
    assert found.passed, [str(check) for check in found.checks]
    stress = found.value[:, 2]
    assert stress[0] < 0
    assert abs(stress[1]) < 0.98 * abs(8 * stress[0])  # softer than the elastic line
    assert np.nanmax(found.fields["accumulated plastic strain"]) > 1e-3
    assert (tmp_path / "bone_yield.html").stat().st_size > 1e5
