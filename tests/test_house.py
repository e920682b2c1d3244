"""The house keeps its own rules: contracts, classes, face, imports, sizes, and what the files may say."""

import ast
import importlib
import inspect
import itertools
import os
import re
import shutil
import statistics
import subprocess
import sys
import tomllib
from enum import Enum
from graphlib import TopologicalSorter
from importlib.metadata import version
from pathlib import Path

import pytest

import scalebridge

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "src" / "scalebridge"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
MODULES = {
    ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted(PACKAGE.rglob("*.py"))
}
TREES = {name: ast.parse(path.read_text(encoding="utf-8")) for name, path in MODULES.items()}
OPTIONAL = {
    "SimpleITK",
    "h5netcdf",
    "lasio",
    "mpi4py",
    "nibabel",
    "numpyro",
    "pyarrow",
    "pypardiso",
    "pyproj",
} | {"pywt", "rioxarray", "tiffslide", "vtk", "vtkmodules", "xarray", "zarr"}
MOST_NAMES = 107
FILE_MEDIAN, FILE_MOST, FUNCTION_MOST, SHARE = 220, 450, 45, 0.9


def run(code, *options):
    """Run code in a fresh interpreter that knows nothing of the tests' hooks."""
    done = subprocess.run(
        [sys.executable, *options, "-c", code],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout, done.stderr


def say(capsys, text):
    with capsys.disabled():
        sys.stdout.write(f"\n{text}\n")


# ---------------------------------------------------------------------------------------------- imports


def test_import_contracts():
    tool = shutil.which("lint-imports", path=str(Path(sys.executable).parent))
    assert tool, "import-linter is a dependency of the development set"
    done = subprocess.run(
        [tool, "--no-cache"], capture_output=True, text=True, cwd=ROOT, timeout=100, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert " 0 broken" in done.stdout


def imports_at_import(name):
    """Modules of the package that a module imports when it is imported (not those in functions)."""
    package = name if MODULES[name].name == "__init__.py" else name.rpartition(".")[0]
    for node in walk_top(TREES[name]):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                base = ".".join([*package.split(".")[: len(package.split(".")) + 1 - node.level], base])
            base = base.rstrip(".")
            for alias in node.names:
                yield f"{base}.{alias.name}" if f"{base}.{alias.name}" in MODULES else base


def walk_top(node):
    """Walk a module without its functions and without what only a type checker sees."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            continue
        yield child
        yield from walk_top(child)


def test_no_module_imports_itself_by_a_detour():
    graph = {name: {found for found in imports_at_import(name) if found in MODULES} for name in MODULES}
    assert sum(map(len, graph.values())) > len(MODULES), "the graph was not read"
    order = list(TopologicalSorter(graph).static_order())  # raises CycleError with the cycle
    assert len(order) == len(MODULES)


def test_imports_inside_functions_are_of_the_face_the_command_line_and_optional_extras():
    wrong = []
    for name, tree in TREES.items():
        if name == "scalebridge" or name.startswith("scalebridge.cli"):
            continue
        functions = [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)]
        for node in itertools.chain.from_iterable(map(ast.walk, functions)):
            if isinstance(node, ast.Import):
                named = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                named = [node.module or "."]
            else:
                continue
            wrong += [f"{name}: {n}" for n in named if n.split(".")[0] not in OPTIONAL]
    # The package `report` is itself the verb that its page module defines, so one of the two has to wait.
    assert wrong == ["scalebridge.report: scalebridge.report.page"]


def test_importing_the_face_loads_nothing_heavy_and_writes_nothing():
    code = """
import os, sys
written = []
def watch(event, args):
    if event == "open" and isinstance(args[1], str) and set(args[1]) & set("wax+"):
        written.append(args[0])
    if event in ("os.mkdir", "os.rename", "os.remove", "socket.connect", "subprocess.Popen"):
        written.append(event)
sys.dont_write_bytecode = True
sys.addaudithook(watch)
import scalebridge
heavy = {"jax", "numpy", "scipy", "equinox", "matplotlib", "pint", "pydantic", "typer", "rich", "h5py"}
print(sorted(heavy & set(sys.modules)), written, len(dir(scalebridge)) > 20)
"""
    assert run(code)[0].strip() == "[] [] True"


def test_every_module_can_be_imported_in_silence():
    # One interpreter imports all; warnings are errors; nothing is printed, started, written or left open.
    names = [name for name in MODULES if not name.endswith("__main__")]
    code = f"""
import importlib, os, sys, threading
before = set(os.listdir(".")), dict(os.environ)
for name in {names!r}:
    importlib.import_module(name)
assert [t.name for t in threading.enumerate()] == ["MainThread"], threading.enumerate()
assert set(os.listdir(".")) == before[0]
known = {{"TF_CPP_MIN_LOG_LEVEL", "TPU_SKIP_MDS_QUERY"}}  # JAX's own
known.add("KMP_DUPLICATE_LIB_OK")  # threadpoolctl's, which SciPy imports where something else has brought it
added = set(os.environ) - set(before[1]) - known
assert not added, added
"""
    out, err = run(code, "-W", "error")
    assert (out, err) == ("", "")


def test_only_one_module_touches_the_configuration_of_jax():
    touching = {
        name
        for name, tree in TREES.items()
        for node in ast.walk(tree)
        if (isinstance(node, ast.Attribute) and ast.unparse(node).startswith(("jax.config", "jax._src")))
        or (
            isinstance(node, ast.ImportFrom)
            and node.module in ("jax", "jax.config", "jax.experimental")
            and {"config", "enable_x64"} & {alias.name for alias in node.names}
        )
        or (isinstance(node, ast.Constant) and node.value in ("jax_enable_x64", "JAX_ENABLE_X64"))
    }
    assert touching == {"scalebridge.core.precision"}


def test_every_module_that_uses_jax_settles_the_precision_first():
    late = [
        name
        for name in MODULES
        if "jax" in {found.split(".")[0] for found in imports_at_import(name)}
        and name != "scalebridge.core.precision"
        and "scalebridge.core.precision" not in reached(name)
    ]
    assert late == []


def reached(name):
    found, waiting = set(), [name]
    while waiting:
        for other in imports_at_import(waiting.pop()):
            if other in MODULES and other not in found:
                found.add(other)
                waiting.append(other)
    return found


# ---------------------------------------------------------------------------------------------- classes


def classes():
    """Every class that the package defines; private ones too."""
    for name in MODULES:
        if name.endswith("__main__"):
            continue
        for _, found in inspect.getmembers(importlib.import_module(name), inspect.isclass):
            if found.__module__ == name:
                yield found


def is_abstract(found):
    """Whether a class has something left to be filled in, a method or (in Equinox) a field."""
    return inspect.isabstract(found) or bool(getattr(found, "__abstractvars__", ()))


def is_empty(found):
    """Whether a class has neither fields nor methods: it only settles how its children are read."""
    written = [key for key, value in vars(found).items() if callable(value) and not key.startswith("_")]
    return not written and not inspect.get_annotations(found)


def test_every_class_is_abstract_or_final():
    every = list(classes())
    assert len(every) > 30
    wrong = [
        f"{child.__name__}({parent.__name__})"
        for child in every
        for parent in child.__bases__
        if parent.__module__.startswith("scalebridge")
        and not (is_abstract(parent) or is_empty(parent))
        and not issubclass(child, Exception | Enum)
    ]
    assert wrong == []


def test_no_class_overrides_what_another_has_written():
    # Equinox's strict rule: an abstract method is filled in once, and a concrete one is never replaced.
    wrong = []
    for child in classes():
        for parent in child.__mro__[1:]:
            if not parent.__module__.startswith("scalebridge") or issubclass(parent, Exception):
                continue
            shared = set(vars(child)) & set(vars(parent))
            concrete = {
                key
                for key in shared
                if not key.startswith("__")
                and not key.startswith("_abc")
                and (callable(vars(parent)[key]) or isinstance(vars(parent)[key], property))
                and not getattr(vars(parent)[key], "__isabstractmethod__", False)
            }
            wrong += [f"{child.__name__}.{key} over {parent.__name__}" for key in concrete]
    assert wrong == []


# ------------------------------------------------------------------------------------------------- face


def test_the_face_is_sorted_small_and_complete():
    face = scalebridge.__all__
    assert face == sorted(set(face))
    assert len(face) <= MOST_NAMES
    assert set(face) == set(scalebridge._HOME_OF) | {"geometry", "report"}
    assert set(dir(scalebridge)) == {*face, "__version__"}
    assert list(scalebridge._HOMES) == sorted(scalebridge._HOMES)


def test_type_checkers_see_the_same_face():
    block = next(n for n in TREES["scalebridge"].body if isinstance(n, ast.If))
    seen = {
        alias.name: node.module
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert {name: f"scalebridge.{home}" for name, home in scalebridge._HOME_OF.items()} == {
        name: home for name, home in seen.items() if name not in ("geometry", "report")
    }
    assert {"geometry", "report"} <= set(seen)


@pytest.mark.parametrize("name", scalebridge.__all__)
def test_every_name_of_the_face_is_documented(name):
    found = getattr(scalebridge, name)
    doc = inspect.getdoc(found.__call__ if name == "report" else found)
    assert doc, f"{name} has no docstring"
    assert len(doc.splitlines()[0]) > 10, "the first line says what it is"
    if inspect.isfunction(found):
        assert inspect.signature(found).return_annotation is not inspect.Signature.empty
        missing = [part for part in ("Args:", "Raises:", "Example:") if part not in doc]
        assert not missing or "errors are those of" in doc, f"{name} does not say {missing}"


def test_unknown_names_of_the_face_are_refused():
    with pytest.raises(AttributeError, match="effective_viscosity"):
        _ = scalebridge.effective_viscosity


# ------------------------------------------------------------------------------------------------ sizes


def test_sizes_of_files_and_functions(capsys):
    files = sorted(len(path.read_text(encoding="utf-8").splitlines()) for path in MODULES.values())
    whole, code = [], []
    for tree in TREES.values():
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                length = (node.end_lineno or 0) - node.lineno + 1
                whole.append(length)
                code.append(length - docstring_lines(node))
    under = {
        "files": sum(n < FILE_MOST for n in files) / len(files),
        "functions": sum(n < FUNCTION_MOST for n in whole) / len(whole),
    }
    say(
        capsys,
        f"files: {len(files)}, median {statistics.median(files):.0f} lines, longest {files[-1]}, "
        f"{under['files']:.1%} under {FILE_MOST}\n"
        f"functions: {len(whole)}, median {statistics.median(whole):.0f} lines with and "
        f"{statistics.median(code):.0f} without docstring, longest {max(whole)} and {max(code)}, "
        f"{under['functions']:.1%} under {FUNCTION_MOST}",
    )
    assert statistics.median(files) <= FILE_MEDIAN
    assert under["files"] >= SHARE
    assert under["functions"] >= SHARE
    assert statistics.median(code) <= 10


def docstring_lines(node):
    first = node.body[0]
    if (
        isinstance(first, ast.Expr)
        and isinstance(first.value, ast.Constant)
        and isinstance(first.value.value, str)
    ):
        return (first.end_lineno or 0) - first.lineno + 1
    return 0


# ------------------------------------------------------------------------------------- what the files say


def text_files():
    """Files that are or will be part of the project, with their text."""
    git = shutil.which("git")
    if git is None or not (ROOT / ".git").exists():
        pytest.skip("not a checkout")
    listed = subprocess.run(
        [git, "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        capture_output=True,
        cwd=ROOT,
        check=True,
        timeout=30,
    ).stdout.split(b"\0")
    for name in filter(None, listed):
        path = ROOT / os.fsdecode(name)
        data = path.read_bytes() if path.is_file() else b"\0"
        if b"\0" not in data[:8000]:
            yield path.relative_to(ROOT), data.decode("utf-8")


def test_no_file_speaks_of_the_machine_it_was_written_on():
    # Put together from parts, so that this file does not contain what it looks for.
    forbidden = [
        "/" + "work/",
        "/" + "root/",
        "/" + "tmp/dev",
        "/opt/" + "wheels",
        "../" + "shared",
        "index" + "-url=",
    ]
    found = [f"{path}: {word}" for path, text in text_files() for word in forbidden if word in text]
    assert found == []


def test_no_text_file_has_conflict_marks_or_trailing_blanks():
    wrong = [
        str(path)
        for path, text in text_files()
        if path.suffix in (".py", ".md", ".toml", ".yml")
        and re.search(r"^(<{7} |>{7} )|[ \t]+$", text, re.MULTILINE)
    ]
    assert wrong == []


def test_version_is_said_once():
    assert PROJECT["project"]["version"] == scalebridge.__version__ == version("scalebridge")
    assert not [n for n, t in TREES.items() if "__version__ =" in ast.unparse(t)]


def named(requirement):
    return re.match(r"[A-Za-z0-9_.-]+", requirement)[0].lower()


def test_every_dependency_is_explained():
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8").lower()
    groups = [PROJECT["project"]["dependencies"], *PROJECT["project"]["optional-dependencies"].values()]
    groups += PROJECT["dependency-groups"].values()
    wanted = {named(item) for group in groups for item in group} - {"scalebridge"}
    missing = [name for name in wanted if not re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", text)]
    assert sorted(missing) == []


def test_every_dependency_is_used_and_every_import_declared():
    declared = {named(item) for item in PROJECT["project"]["dependencies"]}
    imported = {
        found.split(".")[0].lower()
        for tree in TREES.values()
        for node in ast.walk(tree)
        for found in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom) and not node.level
            else []
        )
    }
    packages = {"pydantic_core": "pydantic", "skfem": "scikit-fem"}  # one comes with the other; another name
    imported = {packages.get(name, name) for name in imported}
    foreign = imported - set(sys.stdlib_module_names) - {"scalebridge"} - {name.lower() for name in OPTIONAL}
    assert sorted(foreign - declared) == []
    assert sorted(declared - foreign) == []


def test_every_ignored_lint_rule_has_its_reason():
    lines = (ROOT / "pyproject.toml").read_text(encoding="utf-8").splitlines()
    start = lines.index("[tool.ruff.lint]")
    end = lines.index("[tool.ruff.lint.pydocstyle]")
    rules = [line.strip() for line in lines[start:end] if re.match(r'\s*"[A-Z]+\d*",?\s*(#|$)', line)]
    rules += [line for line in lines[start:end] if re.match(r'"[\w/*.]+" = \["', line)]
    assert len(rules) > 15
    assert [line for line in rules if len(line.partition("#")[2].strip()) < 10] == []


def test_every_suppressed_warning_names_its_rule():
    bare = [
        f"{name}:{number}"
        for name, path in MODULES.items()
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if re.search(r"# noqa(?!: [A-Z]+\d+)|# type: ignore(?!\[)|# pyright: ignore(?!\[)", line)
    ]
    assert bare == []
