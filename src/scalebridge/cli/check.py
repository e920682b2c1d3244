"""scalebridge check: the problems with exact answers, solved on this machine."""

from collections.abc import Callable
from functools import partial
from typing import Annotated, Any, NamedTuple

import typer

from scalebridge.cli import options
from scalebridge.cli.exits import Exit, refusals


def check(
    *,
    only: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Only problems whose name contains this.")
    ] = None,
    as_json: options.Json = False,
    debug: options.Debug = False,
) -> None:
    """Solve problems with exact answers on this machine, and say how close every discretisation comes."""
    with refusals(debug):
        from scalebridge.core.errors import InputError

        questions = [q for q in _questions() if only is None or only.lower() in q.name.lower()]
        if not questions:
            names = ", ".join(dict.fromkeys(q.name for q in _questions()))
            raise InputError(
                "--only", got=repr(only), wanted=f"part of one of: {names}", cure="leave --only out"
            )
        answers: list[Answer] = []
        with _waiting(len(questions), not as_json) as tell:
            for question in questions:
                tell(f"{question.name}, {question.scheme}")
                answers.append(question.ask())
        if as_json:
            _print_json(answers)
        else:
            _print_table(answers)
        if not all(answer.passed for answer in answers):
            raise typer.Exit(Exit.check_failed)


class Question(NamedTuple):
    """A problem for a discretisation: its name, the discretisation, and what solves it."""

    name: str
    scheme: str
    ask: "Callable[[], Answer]"


class Answer(NamedTuple):
    """What is said of a problem that was solved: see `cells.problems.Verdict` and `ElasticVerdict`."""

    problem: str
    scheme: str
    cells: int
    exact: Any
    value: Any
    error: float
    tolerance: float
    source: str
    passed: bool
    voxels_exact: bool


def _questions() -> list[Question]:
    from scalebridge.cells import elastic_exact, flow_problems, problems

    conduction = [
        Question(problem.name, scheme, partial(_conduction, problem, scheme))
        for problem in problems.exact_problems()
        for scheme in ("hexahedra", "finite-volume")
    ]
    elastic = [
        Question(problem.name, scheme, partial(_elastic, problem, scheme))
        for problem in elastic_exact.elastic_problems()
        for scheme in problem.constants or ("hexahedra", "b-bar", "reduced")
    ]
    flow = [
        Question(problem.name, "staggered", partial(_flow, problem))
        for problem in flow_problems.flow_problems()
    ]
    return conduction + elastic + flow


def _conduction(problem: Any, scheme: Any) -> Answer:
    from scalebridge.cells.problems import examine

    v = examine(problem, scheme)
    shown = (problem.name, scheme, v.cells, problem.exact, v.value, v.error, v.tolerance, problem.source)
    return Answer(*shown, v.passed, problem.voxels_exact)


def _elastic(problem: Any, scheme: Any) -> Answer:
    from scalebridge.cells.elastic_problems import examine_elastic

    v = examine_elastic(problem, scheme)
    shown = (problem.name, scheme, v.cells, v.exact, v.values, v.error, v.tolerance, problem.source)
    return Answer(*shown, v.passed, problem.constants is None)


def _flow(problem: Any) -> Answer:
    from scalebridge.cells.flow_problems import examine_flow

    v = examine_flow(problem)
    shown = (problem.name, "staggered", v.cells, v.exact, v.value, v.error, problem.tolerance())
    return Answer(*shown, problem.source, v.passed, voxels_exact=False)


def _waiting(count: int, show: bool) -> Any:
    """Return a context that yields a function to say what is being solved, on a terminal only."""
    from contextlib import contextmanager

    from rich.console import Console
    from rich.progress import Progress

    @contextmanager
    def waiting():
        console = Console(stderr=True)
        with Progress(console=console, transient=True, disable=not (show and console.is_terminal)) as bar:
            task = bar.add_task("compiling", total=count + 1)
            yield lambda text: bar.update(task, description=text, advance=1)

    return waiting()


def _print_json(answers: list[Answer]) -> None:
    import json

    from scalebridge.core.upscaled import plain

    told = [{key: v for key, v in a._asdict().items() if key != "voxels_exact"} for a in answers]
    passed = all(answer.passed for answer in answers)
    typer.echo(json.dumps({"passed": passed, "problems": plain(told)}, indent=2))


def _print_table(answers: list[Answer]) -> None:
    from scalebridge.cli.terminal import console, plain_table, verdict_text
    from scalebridge.core.provenance import installed_versions, this_machine

    out = console()
    table = plain_table("problem", "scheme", "exact>", "got>", "error>", "allowed>", "")
    for a in answers:
        table.add_row(
            f"{a.problem} ({a.cells})",
            a.scheme,
            f"{_first(a.exact):.7g}",
            f"{_first(a.value):.7g}",
            f"{a.error:+.1e}",
            f"{'' if a.voxels_exact else '±'}{a.tolerance:.1e}",
            verdict_text(a.passed),
        )
    out.print(table)
    failed = sum(not a.passed for a in answers)
    out.print(
        "In brackets: voxels along an axis. Shown: the first component; the error is that of the worst one."
    )
    out.print(
        "Where the voxels are the geometry, hexahedra must come from above and finite volumes from below; "
        "± marks surfaces that voxels only approximate."
    )
    machine, versions = this_machine(), installed_versions()
    where = f"{machine['machine']}, {machine['system']}"
    out.print(f"{where}, jax {versions['jax']}, scalebridge {versions['scalebridge']}")
    out.print(f"{len(answers) - failed} of {len(answers)} passed")


def _first(value: Any) -> float:
    """First component of a tensor, or of the first of several values by name."""
    import numpy as np

    whole = next(iter(value.values())) if isinstance(value, dict) else value
    return float(np.ravel(whole)[0])
