"""The command itself: help without anything heavy, version, exit codes, both ways to start it."""

import subprocess
import sys
from importlib.metadata import version

import pytest

from cli_helpers import invoke
from scalebridge.cli.exits import MEANINGS, Exit
from scalebridge.cli.main import app

VERBS = (
    "conductivity",
    "stiffness",
    "expansion",
    "permeability",
    "interface",
    "laminate",
    "fe2",
    "rve",
    "fuse",
    "infer",
    "sample",
    "scales",
    "register",
    "warp",
    "core",
    "reactor",
    "run",
    "inspect",
    "check",
    "schema",
)
HEAVY = ("jax", "numpy", "scipy", "matplotlib", "pint", "rich", "h5py", "equinox")


@pytest.mark.parametrize("args", [["--help"], ["--version"], *([verb, "--help"] for verb in VERBS)])
def test_help_loads_nothing_heavy(args):
    # Typer reads a verb's options with pydantic; the list of verbs needs none of it.
    heavy = HEAVY if args[0] in VERBS else (*HEAVY, "pydantic")
    code = (
        "import sys\n"
        "from scalebridge.cli.main import app\n"
        f"try:\n    app({args!r})\nexcept SystemExit as end:\n    assert end.code == 0\n"
        f"print([name for name in {heavy!r} if name in sys.modules], file=sys.stderr)\n"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip()
    assert found.stderr.strip() == "[]"


@pytest.mark.parametrize("args", [[], ["-m"]])
def test_both_ways_to_start_it(args):
    start = (
        [sys.executable, "-m", "scalebridge"]
        if args
        else [str(sys.executable).removesuffix("python") + "scalebridge"]
    )
    found = subprocess.run([*start, "--version"], capture_output=True, text=True, check=True)
    assert found.stdout == f"scalebridge {version('scalebridge')}\n"


def test_every_help_tells_the_exit_codes():
    for args in ([], *([verb] for verb in VERBS)):
        found = invoke(*args, "--help")
        assert found.exit_code == 0
        for code, meaning in MEANINGS.items():
            assert f"{code.value}  {meaning}" in found.stdout
    assert set(MEANINGS) == set(Exit)


def test_the_list_of_verbs_is_complete():
    found = invoke("--help")
    assert [command.callback.__name__ for command in app.registered_commands] == list(VERBS)
    for verb in VERBS:
        assert f"  {verb} " in found.stdout


def test_without_a_verb_help_is_shown():
    assert "Commands:" in invoke().output
