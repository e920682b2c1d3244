"""The documentation is true: its programs run, its outputs are what is printed, its links lead somewhere."""

import contextlib
import importlib
import io
import linecache
import math
import re
import runpy
import shlex
import tomllib
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

import pytest
from typer.testing import CliRunner

import scalebridge
from scalebridge.cli.case import json_schema
from scalebridge.cli.case_file import validate_case
from scalebridge.cli.exits import Exit
from scalebridge.cli.main import app
from scalebridge.io.detect import FORMATS

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.rglob("*.md"))
LARGE = {
    "berea",
    "bone",
    "bone_yield",
    "error_budget",
    "histology",
    "notched_bone",
    "salton_sea",
}  # have smaller tests
# Pages and examples that compile much: run by `make test-slow`.
LONG = {
    *("accuracy", "anisotropy", "conductivity", "elastic-formulas", "fe2", "fusion", "images", "interfaces"),
    *("delayed-acceptance", "laws", "measurements", "path-cells", "permeability", "reactor", "registration"),
    *("rve-study", "sampling", "scales"),
}
SLOW_EXAMPLES = {"coarse_darcy", "core_plugs", "sensitivity"}
EXAMPLES = [
    pytest.param(path, marks=[pytest.mark.slow] if path.stem in SLOW_EXAMPLES else [], id=path.stem)
    for path in sorted((ROOT / "examples").glob("*.py"))
    if path.stem not in LARGE
]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
BLOCK = re.compile(r"^```(\w+)[^\n]*\n(.*?)^```$", re.MULTILINE | re.DOTALL)
NUMBER = re.compile(r"[-+]?\d+\.?\d*(?:[eE][-+]?\d+)?")
ROUNDING = 1e-9  # printed numbers below this are roundings, which differ between machines
ALIKE = 0.02  # relative; printed numbers keep three digits or more, iterations may differ by one in fifty


@dataclass(frozen=True)
class Block:
    """A fenced block of a page: its language, text, and the line of its first line."""

    language: str
    text: str
    line: int


def blocks_of(page):
    text = page.read_text(encoding="utf-8")
    return [Block(m[1], m[2], text.count("\n", 0, m.start()) + 2) for m in BLOCK.finditer(text)]


def name_of(path):
    return str(path.relative_to(ROOT))


def pages_with(language):
    return [page for page in PAGES if any(b.language == language for b in blocks_of(page))]


# ---------------------------------------------------------------------------------- programs and outputs


def execute(block, page, scope):
    """Run a block as if it stood alone in the page, so that a traceback shows its line."""
    padded = "\n" * (block.line - 1) + block.text
    name = f"{name_of(page)}, line {block.line}"
    linecache.cache[name] = (len(padded), None, padded.splitlines(keepends=True), name)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(padded, name, "exec"), scope)  # noqa: S102 (the project's own documentation)
    return printed.getvalue()


def same_line(wanted, got):
    """Whether two lines have the same words and nearly the same numbers; blanks do not count."""
    if NUMBER.sub("#", wanted).split() != NUMBER.sub("#", got).split():
        return False
    pairs = zip(map(float, NUMBER.findall(wanted)), map(float, NUMBER.findall(got)), strict=True)
    return all(math.isclose(a, b, rel_tol=ALIKE, abs_tol=ROUNDING) for a, b in pairs)


def difference(wanted, got):
    """Return the first pair of lines that differ; a line of three dots stands for any number of lines."""
    lines = [line for line in got.splitlines() if line.strip()]
    for line in (line for line in wanted.splitlines() if line.strip()):
        if line.strip() == "...":
            return None
        if not lines or not same_line(line, lines[0]):
            return line, lines[0] if lines else "nothing more"
        lines.pop(0)
    return ("the end", lines[0]) if lines else None


def programs():
    """The pages with programs; those that take longest are run by `make test-slow`."""
    return [
        pytest.param(page, marks=[pytest.mark.slow] if page.stem in LONG else [])
        for page in pages_with("python")
    ]


@pytest.mark.parametrize("page", programs(), ids=name_of)
def test_programs_of_a_page_run_and_print_what_it_says(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    scope = {"__name__": "__main__"}
    found = blocks_of(page)
    asserts = 0
    for block, after in zip_longest(found, found[1:]):
        if block.language == "python":
            asserts += len(re.findall(r"^\s*assert\b", block.text, re.MULTILINE))
            printed = execute(block, page, scope)
            if after is not None and after.language == "text":
                assert difference(after.text, printed) is None, printed
                asserts += 1
    assert asserts > 0, "a page with programs claims something"


def test_the_comparison_of_printed_lines_sees_what_differs():
    assert same_line("error: 3.14e-05 at most 1e-03", "error:   3.15e-05 at most 0.001")
    assert same_line("noise 2e-17", "noise -4e-19")
    assert not same_line("error: 3.1e-05", "error: 3.4e-05")
    assert not same_line("12 steps", "12 iterations")
    assert difference("a\n...\n", "a\nb\nc\n") is None
    assert difference("a\n", "a\nb\n") == ("the end", "b")
    assert difference("a\nb\n", "a\n") == ("b", "nothing more")


@pytest.mark.parametrize("example", EXAMPLES)
def test_examples_run(example, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", [str(example)])
    runpy.run_path(str(example), run_name="__main__")
    assert capsys.readouterr().out.strip(), "an example shows its answer"
    assert re.search(r"assert_\w+|assert ", example.read_text(encoding="utf-8"))


# ----------------------------------------------------------------------------------------- command line


def commands_of(page):
    """Return each command of a page's console blocks, its exit code in words, and the output shown."""
    for block in blocks_of(page):
        if block.language == "console":
            for part in re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]:
                command, _, output = part.replace("\\\n", " ").partition("\n")
                words, _, remark = command.partition("  # exit code ")
                yield words, int(remark or 0), output


@pytest.mark.parametrize("page", pages_with("console"), ids=name_of)
def test_commands_of_a_page_run(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    # What the commands read: the files that the page shows, by their title, and what its programs write.
    text = page.read_text(encoding="utf-8")
    for title, body in re.findall(r'^```\w+ title="([^"]+)"\n(.*?)^```$', text, re.MULTILINE | re.DOTALL):
        (tmp_path / title).write_text(body, encoding="utf-8")
    scope = {"__name__": "__main__"}
    for block in (b for b in blocks_of(page) if b.language == "python"):
        execute(block, page, scope)
    ran = 0
    for command, code, output in commands_of(page):
        program, *words = shlex.split(command)
        if program != "scalebridge":
            continue
        done = CliRunner().invoke(app, words)
        assert done.exit_code == code, f"{command}\n{done.output}"
        if output.strip():
            assert difference(output, done.output) is None, f"{command}\n{done.output}"
        ran += 1
    assert ran > 0


def test_the_command_line_page_names_every_verb_exit_code_and_key():
    text = (DOCS / "guide" / "command-line.md").read_text(encoding="utf-8")
    verbs = [command.callback.__name__ for command in app.registered_commands]
    assert [verb for verb in verbs if f"scalebridge {verb}" not in text] == []
    assert [code for code in Exit if not re.search(rf"^\| {code.value} \|", text, re.MULTILINE)] == []
    keys = set(keys_of(json_schema()))
    assert len(keys) > 30, "the schema was not read"
    cases = "".join(b.text for b in blocks_of(DOCS / "guide" / "command-line.md") if b.language == "toml")
    assert [key for key in sorted(keys) if not re.search(rf"\b{key}\b", cases)] == []


def keys_of(schema):
    """Yield every key that a JSON schema allows in any table."""
    if isinstance(schema, dict):
        yield from schema.get("properties", {})
    for part in schema.values() if isinstance(schema, dict) else schema:
        if isinstance(part, dict | list):
            yield from keys_of(part)


@pytest.mark.parametrize(
    "task",
    [
        "conductivity",
        "rve",
        "stiffness",
        "interface",
        "permeability",
        "infer",
        "sample",
        "scales",
        "fe2",
        "reactor",
        "core",
    ],
)
def test_the_case_with_every_key_is_valid_once_its_remarks_are_gone(task):
    cases = (b.text for b in blocks_of(DOCS / "guide" / "command-line.md") if b.language == "toml")
    text = next(text for text in cases if tomllib.loads(text)["task"] == task)
    case = validate_case(tomllib.loads(text), "command-line.md", text)
    assert case.task == task
    # Lines that are only remarked are alternatives: each must be a key that the model knows.
    for line in re.findall(r"^# (\w+ = .*)$", text, re.MULTILINE):
        assert tomllib.loads(line)


# --------------------------------------------------------------------------------------- links and maps


def anchors_of(page):
    """Return the anchors of a page's headings, as Python-Markdown makes them."""
    found = set()
    for heading in re.findall(
        r"^#+ (.+)$", re.sub(BLOCK, "", page.read_text(encoding="utf-8")), re.MULTILINE
    ):
        plain = re.sub(r"[^\w\s-]", "", heading.replace("`", "")).strip().lower()
        found.add(re.sub(r"[-\s]+", "-", plain))
    return found


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_within_the_documentation_lead_somewhere(page):
    text = re.sub(BLOCK, "", page.read_text(encoding="utf-8"))
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        path, _, anchor = target.partition("#")
        assert not re.match(r"https?:", path), f"{target}: the documentation needs no network"
        other = (page.parent / path).resolve() if path else page
        assert other in PAGES, f"{target} is no page"
        assert not anchor or anchor in anchors_of(other), f"{target} is no heading of {name_of(other)}"
    for path in re.findall(r"\]\[(scalebridge[\w.]*)\]", text):
        assert resolved(path) is not None


def resolved(path):
    """Return the object that a cross-reference names."""
    parts = path.split(".")
    for cut in range(len(parts), 0, -1):
        try:
            found = importlib.import_module(".".join(parts[:cut]))
        except ModuleNotFoundError:
            continue
        for part in parts[cut:]:
            found = getattr(found, part)
        return found
    raise AssertionError(f"{path} is nothing")


def test_every_page_is_in_the_navigation():
    nav = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    assert [name for page in PAGES if (name := str(page.relative_to(DOCS))) not in nav] == []


def test_the_site_needs_no_network():
    settings = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    assert re.search(r"^ +font: false", settings, re.MULTILINE)
    assert not re.search(r"https?://|extra_javascript|extra_css|mathjax|katex", settings, re.IGNORECASE)


def test_the_map_names_every_folder_and_file():
    text = (DOCS / "architecture.md").read_text(encoding="utf-8")
    package = ROOT / "src" / "scalebridge"
    for folder in sorted(p for p in package.iterdir() if (p / "__init__.py").exists()):
        row = re.search(rf"^\| `{folder.name}/` \|.*$", text, re.MULTILINE)
        assert row, f"{folder.name}/ is not on the map"
        files = {p.stem for p in folder.glob("*.py")} - {"__init__"}
        named = {word.removesuffix(".py") for word in re.findall(r"`([\w.]+)`", row[0])}
        assert sorted(files - named) == [], f"{folder.name}/"
        assert sorted(named - files - {folder.name}) == [], f"{folder.name}/: gone, or never there"


def test_the_map_shows_the_import_contract_that_is_enforced():
    text = (DOCS / "architecture.md").read_text(encoding="utf-8")
    contract = PROJECT["tool"]["importlinter"]["contracts"][0]
    assert " > ".join(contract["layers"]) in text


def test_the_reference_lists_the_whole_face():
    text = (DOCS / "reference" / "index.md").read_text(encoding="utf-8")
    listed = re.findall(r"\[`(\w+)`\]\[(scalebridge\.[\w.]+)\]", text)
    assert sorted(name for name, _ in listed) == scalebridge.__all__
    for name, path in listed:
        assert name == "report" or resolved(path) is getattr(scalebridge, name)


def test_the_images_page_names_every_format():
    text = (DOCS / "guide" / "images.md").read_text(encoding="utf-8")
    suffixes = [suffix for _, known in FORMATS.values() for suffix in known]
    assert [suffix for suffix in suffixes if f"`{suffix}`" not in text] == []


# --------------------------------------------------------------------------------------------- figures


@pytest.mark.slow
def test_the_figures_of_the_accuracy_page_are_what_is_measured():
    text = (DOCS / "accuracy.md").read_text(encoding="utf-8")
    tables = runpy.run_path(str(DOCS / "accuracy_figures.py"))["TABLES"]
    for name, rows in tables.items():
        shown = re.search(rf"<!-- {name} -->\n(.*?)(?:\n\n|\Z)", text, re.DOTALL)[1].splitlines()
        for wanted, got in zip(shown, rows(), strict=True):
            assert close_row(wanted, got), f"{name}: the page says\n{wanted}\nmeasured is\n{got}"


def close_row(wanted, got):
    """Whether two rows have the same words; rounded errors may differ by a fifth, counts by two."""
    if NUMBER.sub("#", wanted) != NUMBER.sub("#", got):
        return False
    pairs = zip(map(float, NUMBER.findall(wanted)), map(float, NUMBER.findall(got)), strict=True)
    return all(math.isclose(a, b, rel_tol=0.2, abs_tol=1e-8) or (a > 5 and abs(a - b) <= 2) for a, b in pairs)
