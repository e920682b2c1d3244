"""Checks are plain data, whatever kind of number was measured."""

import json

import numpy as np

from scalebridge.core.checks import Check


def test_a_check_of_a_numpy_number_is_written_as_json():
    for value, passed in (
        (np.float64(0.5), True),
        (np.float32(2.0), False),
        (1, True),
        (np.float64("nan"), False),
    ):
        check = Check("balance", value, 1.0)
        assert check.passed is passed
        assert json.loads(json.dumps(check.to_dict()))["passed"] is passed
