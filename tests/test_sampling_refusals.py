"""Bad input to a sampling is refused before any model runs long, with argument, got, wanted and cure."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

import scalebridge as sb
from scalebridge.cli.main import app
from scalebridge.inference.command_model import CommandModel
from scalebridge.inference.parameters import parameter
from scalebridge.inference.umbridge import UmBridgeModel
from scalebridge.inference.umbridge_server import Served, make_server, serving

GOOD = {"parameters": {"a": "normal(0, 1)", "b": "normal(0, 1)"}, "data": [1.0, 2.0, 3.0], "noise": 0.1}


def model(theta):
    return np.array([theta[0], theta[1], float(theta[0]) + float(theta[1])])


def short(theta):
    return np.array([float(theta[0])])


def broken(theta):
    raise RuntimeError(f"no mesh for {float(theta[0])}")


ROWS = [
    ("parameters", {"parameters": {}}),
    ("parameters", {"parameters": "a"}),
    ("parameters", {"parameters": {"chain": "normal(0, 1)"}}),
    ("parameters", {"parameters": {"a/b": "normal(0, 1)"}}),
    ("parameters['a']", {"parameters": {"a": "normal(0)"}}),
    ("parameters['a']", {"parameters": {"a": "gauss(0, 1)"}}),
    ("parameters['a']", {"parameters": {"a": "normal(0, -1)"}}),
    ("parameters['a']", {"parameters": {"a": "uniform(3, 1)"}}),
    ("parameters['a']", {"parameters": {"a": "lognormal(-2, 1)"}}),
    ("parameters['a']", {"parameters": {"a": "normal(nan, 1)"}}),
    ("parameters['a']", {"parameters": {"a": "normal(0, 1) * 0"}}),
    ("parameters['a']", {"parameters": {"a": "normal(0 m, 1 s)"}}),
    ("data", {"noise": None}),
    ("data", {"data": None}),
    ("data", {"data": [1.0, float("nan"), 3.0]}),
    ("data", {"data": "three"}),
    ("data", {"data": []}),
    ("data", {"likelihood": lambda f: -f @ f}),
    ("noise", {"noise": -0.1}),
    ("noise", {"noise": [0.1, 0.2]}),
    ("noise", {"noise": -np.eye(3)}),
    ("likelihood", {"likelihood": "gauss"}),
    ("levels", {"levels": []}),
    ("levels[0]", {"levels": [3.0]}),
    ("level 'short'", {"levels": [short, model]}),
    ("level 'broken'", {"levels": [broken]}),
    ("level 'model'", {"data": None, "noise": None}),
    ("proposal", {"proposal": "gibbs"}),
    ("proposal", {"proposal": "hmc"}),
    ("proposal", {"proposal": "pcn", "parameters": {"a": "uniform(0, 1)", "b": "normal(0, 1)"}}),
    ("correction", {"correction": "cubic"}),
    ("chains", {"chains": 1}),
    ("draws", {"draws": 0}),
    ("warmup", {"warmup": 2.5}),
    ("scouting", {"scouting": -1}),
    ("checkpoint", {"checkpoint": True}),
    ("patience", {"patience": 0}),
    ("prefetch", {"prefetch": -1}),
    ("seed", {"seed": -1}),
    ("subchain", {"levels": [model, model], "subchain": 0}),
    ("subchain", {"levels": [model, model], "subchain": [3, 3]}),
    ("subchain", {"levels": [model, model], "subchain": "long"}),
    ("tempering", {"tempering": 0}),
    ("tempering", {"tempering": (1.0, 1.5)}),
    ("telescoping", {"telescoping": (100,)}),
    ("start", {"start": [[0.0, 0.0]]}),
    (
        "start",
        {"start": -np.ones((4, 1)), "parameters": {"a": "uniform(0, 1)"}, "levels": [short], "data": [1.0]},
    ),
    ("log_prior", {"log_prior": lambda v: -np.inf}),
    ("engine", {"engine": "cloud"}),
    ("levels", {"engine": "local", "levels": [lambda theta: 2 * model(theta)]}),
    ("store", {"store": __file__}),
]


@pytest.mark.parametrize(("argument", "change"), ROWS, ids=[f"{i}-{row[0]}" for i, row in enumerate(ROWS)])
def test_bad_input(argument, change):
    with pytest.raises(sb.InputError) as caught:
        sb.sample(**{"levels": [model], **GOOD, "draws": 8, "warmup": 8, **change})
    assert caught.value.argument == argument, str(caught.value)
    assert caught.value.wanted
    assert caught.value.cure


def test_bad_places_of_models():
    with serving({"one": Served(short, 1, 1), "two": Served(short, 1, 1)}) as url:
        for wrong in (None, "three"):
            with pytest.raises(sb.InputError, match="one, two"):
                UmBridgeModel(url, wrong)
        with pytest.raises(sb.InputError, match="2 values"):
            UmBridgeModel(url, "one")(np.zeros(2))
        with pytest.raises(RuntimeError, match="UnsupportedFeature"):
            UmBridgeModel(url, "one").gradient(np.zeros(1), np.ones(1))
        port = int(url.rpartition(":")[2])
        with pytest.raises(sb.InputError, match="port"):
            make_server({"one": Served(short, 1, 1)}, port=port)
    for url, patience in (("localhost:4242", 1.0), (f"http://localhost:{port}", 0.05)):
        with pytest.raises(sb.InputError, match="url"):
            UmBridgeModel(url, "one", patience=patience)
    for command in ("solver", "solver 'unclosed {input}", ""):
        with pytest.raises(sb.InputError, match="command"):
            CommandModel(command)
    with pytest.raises(sb.InputError, match="unit"):
        parameter("k", "lognormal(3, 0.5)", "m^2")


CASE = """
task = "sample"
[parameters]
a = "normal(0, 1)"
b = { prior = "normal(0, 1)" }
[[levels]]
python = "model.py:model"
[data]
values = [1.0, 2.0, 3.0]
noise = 0.1
[sample]
draws = 8
warmup = 8
"""
CASES = [
    ('python = "model.py:model"', 'python = "model.py:modle"', "did you mean 'model'"),
    ('python = "model.py:model"', 'python = "nowhere.py:model"', "file.py:function"),
    ('python = "model.py:model"', 'name = "x"', "one of python, command and url"),
    ("values = [1.0, 2.0, 3.0]", "", "either values or a file"),
    ("values = [1.0, 2.0, 3.0]", 'file = "nothing.csv"', "a CSV file"),
    ("noise = 0.1", "nose = 0.1", "did you mean 'noise'"),
    ("draws = 8", 'draws = "many"', "sample.draws"),
    ("draws = 8", 'proposal = "gibbs"', "sample.proposal"),
    ('a = "normal(0, 1)"', 'a = "normal(0, 1"', "normal(mean, std)"),
    ("[sample]", '[output]\ndraws = "draws.csv"\n[sample]', ".nc"),
    ('task = "sample"', 'task = "rve"', "unknown key"),
]


@pytest.mark.parametrize(
    ("old", "new", "said"), CASES, ids=[new.splitlines()[0] if new else "-" for _, new, _ in CASES]
)
def test_bad_case_files(old, new, said, tmp_path):
    (tmp_path / "model.py").write_text(
        "def model(theta):\n    return [theta[0], theta[1], theta[0] + theta[1]]\n"
    )
    file = tmp_path / "case.toml"
    assert old in CASE
    file.write_text(CASE.replace(old, new))
    done = CliRunner().invoke(app, ["sample", str(file)])
    assert done.exit_code == 2, done.output
    assert said in done.output


def test_a_case_file_from_data_to_files(tmp_path):
    (tmp_path / "model.py").write_text(
        "def model(theta):\n    return [theta[0], theta[1], theta[0] + theta[1]]\n"
    )
    (tmp_path / "data.csv").write_text("value,std\n0.1,0.2\n0.2,0.2\n0.4,0.3\n")
    text = CASE.replace("values = [1.0, 2.0, 3.0]\nnoise = 0.1", 'file = "data.csv"').replace(
        "draws = 8", "draws = 20"
    )
    file = tmp_path / "case.toml"
    file.write_text(
        text + 'seed = 3\nchains = 2\nstore = "done"\n'
        '[output]\njson = "a.json"\nreport = "a.html"\ndraws = "a.nc"\n'
    )
    done = CliRunner().invoke(app, ["sample", str(file)])
    assert done.exit_code == 1, done.output  # so few draws fail the checks of R-hat and ESS, and say so
    assert "change: bulk ESS: ask for more draws" in done.output
    page = (tmp_path / "a.html").read_text(encoding="utf-8")
    assert "Posterior of 2 parameters" in page
    assert "ask for more draws" in page
    assert (tmp_path / "a.nc").stat().st_size > 1000
    for words, reused in ((["run"], True), (["sample", "--force"], False)):
        again = CliRunner().invoke(app, [*words, str(file), "--json"])
        assert again.exit_code == 1
        told = json.loads(again.output)
        assert told["schema"] == "scalebridge/sampled/1"
        assert (told["stats"]["blocks reused"] > 0) is reused
