"""What the verbs of elasticity share: options into the tables of a case, and its answer."""

from typing import Any


def elastic_tables(
    image: dict[str, Any], phases: list[str] | None, *, solve: dict[str, Any], output: dict[str, Any]
) -> dict[str, Any]:
    """Return the tables of a case from options; a spread of temperatures is written out.

    Raises:
        PhaseError: a material that cannot be read.
        InputError: temperatures that cannot be read, or both one and many.
    """
    from scalebridge.cli.elastic_texts import materials_from

    return {"image": image, "phases": materials_from(phases or []), "solve": solve, "output": output}


def answer_options(task: str, tables: dict[str, Any], *, as_json: bool, progress: bool | None) -> None:
    """Validate the tables as a case of a task, and answer it."""
    from pathlib import Path

    from scalebridge.cli.elastic_solving import answer_elastic_case
    from scalebridge.cli.solving import case_from

    answer_elastic_case(case_from(tables, task), Path(), as_json=as_json, progress=progress)
