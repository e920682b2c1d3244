"""scalebridge run: what a case file asks."""

from importlib import import_module
from typing import Annotated

import typer

from scalebridge.cli import options
from scalebridge.cli.exits import refusals

_ANSWERS = {
    "conductivity": ("answering", "answer_case"),
    "core": ("core_solving", "answer_core_case"),
    "fe2": ("structure_solving", "solve_structure_case"),
    "fusion": ("fusion_solving", "answer_fusion_case"),
    "infer": ("statistics_solving", "answer_infer_case"),
    "interface": ("interface_solving", "answer_interface_case"),
    "permeability": ("flow_solving", "answer_flow_case"),
    "permeability-rve": ("studying", "study_permeability_case"),
    "reactor": ("reactor_solving", "solve_reactor_case"),
    "rve": ("studying", "study_case"),
    "sample": ("sampling_solving", "sample_case"),
    "scales": ("statistics_solving", "answer_scales_case"),
    "stiffness-rve": ("studying", "study_stiffness_case"),
}
"""What answers a task; any other is elastic."""


def run(
    case: Annotated[
        str, typer.Argument(metavar="CASE.toml", help="Case file; its paths are relative to it.")
    ],
    *,
    force: options.Force = False,
    as_json: options.Json = False,
    progress: options.Progress = None,
    debug: options.Debug = False,
) -> None:
    """Run a case file; outputs that are finished for the same input and settings are left alone.

    `scalebridge schema` says what a case may contain.
    """
    with refusals(debug):
        from pathlib import Path

        from scalebridge.cli.case_file import load_case

        file = Path(case)
        loaded = load_case(file)
        told = {"inputs": (file,), "as_json": as_json, "progress": progress, "resume": not force}
        module, answer = _ANSWERS.get(loaded.task, ("elastic_solving", "answer_elastic_case"))
        getattr(import_module(f"scalebridge.cli.{module}"), answer)(loaded, file.parent, **told)
