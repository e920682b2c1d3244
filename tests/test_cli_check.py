"""scalebridge check: the verdict on this machine."""

import json
from dataclasses import replace

import pytest

from cli_helpers import invoke
from scalebridge.cells import elastic_exact, flow_problems, problems
from scalebridge.cells.elastic_exact import elastic_problems
from scalebridge.cells.problems import exact_problems


@pytest.fixture
def small(monkeypatch):
    """Two small problems, which compile once."""
    chosen = tuple(
        replace(p, cells=8) for p in exact_problems() if p.name.startswith("layers") and p.dim == 2
    )
    monkeypatch.setattr(problems, "exact_problems", lambda: chosen)
    monkeypatch.setattr(elastic_exact, "elastic_problems", lambda: ())
    monkeypatch.setattr(flow_problems, "flow_problems", lambda: ())
    return chosen


def test_table_names_problem_answer_error_and_verdict(small):
    found = invoke("check")
    assert found.exit_code == 0
    for part in (
        *(p.name for p in small),
        "hexahedra",
        "finite-volume",
        "3.076923",
        "7.75",
        "4 of 4 passed",
        "jax",
    ):
        assert part in found.stdout
    assert "FAIL" not in found.stdout


def test_json_has_every_number(small):
    told = json.loads(invoke("check", "--json", "--only", "across X").stdout)
    assert told["passed"] is True
    assert [(p["problem"], p["scheme"]) for p in told["problems"]] == [
        (small[0].name, "hexahedra"),
        (small[0].name, "finite-volume"),
    ]
    assert told["problems"][0]["exact"] == [[pytest.approx(40 / 13), 0.0], [0.0, 7.75]]
    assert abs(told["problems"][0]["error"]) <= told["problems"][0]["tolerance"] == 1e-10


def test_a_wrong_answer_is_exit_1(small, monkeypatch):
    wrong = replace(small[0], exact=((3.0, 0.0), (0.0, 7.75)))
    monkeypatch.setattr(problems, "exact_problems", lambda: (wrong,))
    found = invoke("check")
    assert found.exit_code == 1
    assert "FAIL" in found.stdout
    assert "0 of 2 passed" in found.stdout
    assert json.loads(invoke("check", "--json").stdout)["passed"] is False


def test_elastic_problems_are_among_them(monkeypatch):
    chosen = tuple(p for p in elastic_problems() if p.name.startswith("Levin"))
    monkeypatch.setattr(elastic_exact, "elastic_problems", lambda: chosen)
    told = json.loads(invoke("check", "--json", "--only", "levin").stdout)
    assert [p["scheme"] for p in told["problems"]] == ["hexahedra", "b-bar", "reduced"]
    assert told["passed"] is True
    assert len(told["problems"][0]["value"]["expansion"]) == 6


def test_a_selection_of_nothing_is_refused():
    found = invoke("check", "--only", "turbulence")
    assert found.exit_code == 2
    assert "homogeneous, 2-D" in found.stderr


@pytest.mark.slow
def test_all_problems_pass():
    found = invoke("check")
    assert found.exit_code == 0
    assert found.stdout.count("pass") >= 2 * len(exact_problems()) + len(elastic_problems())
