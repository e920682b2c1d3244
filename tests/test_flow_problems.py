"""Flow problems with known answers, and their part of `scalebridge check`."""

import json

import pytest

from cli_helpers import invoke
from scalebridge.cells.flow_problems import examine_flow, flow_problems

PROBLEMS = {problem.name: problem for problem in flow_problems()}


@pytest.mark.parametrize("name", PROBLEMS)
@pytest.mark.parametrize("factor", [0.5, 1.0])
def test_problems_come_within_their_tolerance(name, factor):
    problem = PROBLEMS[name]
    verdict = examine_flow(problem, int(problem.cells * factor))
    assert verdict.passed, (verdict.error, problem.tolerance(verdict.cells))


@pytest.mark.parametrize("name", ["plane channel", "plane channel with slip", "square duct"])
def test_plane_walls_leave_what_theory_says(name):
    problem = PROBLEMS[name]
    # The constant is the error's own, so that the tolerance is no more than a tenth above it.
    assert examine_flow(problem, 16).error > 0.9 * problem.tolerance(16)


def test_check_asks_them():
    told = json.loads(invoke("check", "--only", "plane channel", "--json").stdout)
    assert told["passed"] is True
    assert [p["scheme"] for p in told["problems"]] == ["staggered", "staggered"]
