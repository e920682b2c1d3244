"""What a case file may say: one model a table, with every unknown key refused. Loads pydantic.

A case names a task; `TASKS` maps it to its model, so that a further task is a further model here.
"""

from typing import Annotated, Any, Literal

from pydantic import Field, GetJsonSchemaHandler, TypeAdapter, model_validator
from pydantic_core import core_schema

from scalebridge.cli.case_tables import ImageTable, Label, StudyOutputTable, Table
from scalebridge.cli.core_case import CoreCase
from scalebridge.cli.elastic_case import ExpansionCase, StiffnessCase, StiffnessRveCase
from scalebridge.cli.flow_case import PermeabilityCase, PermeabilityRveCase
from scalebridge.cli.fusion_case import FusionCase
from scalebridge.cli.interface_case import InterfaceCase
from scalebridge.cli.reactor_case import ReactorCase
from scalebridge.cli.sampling_case import SampleCase
from scalebridge.cli.statistics_case import InferCase, ScalesCase
from scalebridge.cli.structure_case import StructureCase
from scalebridge.cli.text_values import value_from


class PhaseTable(Table):
    """One phase's conductivity: a value, or samples. Text alone stands for a value."""

    value: float | str | list[float | str] | list[list[float]] | None = Field(
        default=None, description="number, '0.6 W/m/K', list (diagonal in the image's axes), or tensor"
    )
    std: float | str | None = Field(
        default=None, description="standard deviation in the unit of the value, or '5 %'"
    )
    samples: list[float] | None = Field(default=None, description="samples in place of a value")
    unit: str | None = Field(default=None, description="unit of values without one")
    name: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _short(cls, given: Any) -> Any:
        if isinstance(given, str):
            return value_from(given, "value")
        return {"value": given} if isinstance(given, int | float) else given

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        """Say in the JSON schema that text or a number may stand for the table."""
        table = handler.resolve_ref_schema(handler(schema))
        short = [{"type": "string", "examples": ["7.7 W/m/K +- 0.3"]}, {"type": "number"}]
        return {"anyOf": [dict(table), *short], "description": cls.__doc__}


class SolveTable(Table):
    """How to solve. What is not said takes the default of `effective_conductivity`."""

    scheme: Literal["hexahedra", "finite-volume", "both"] = "hexahedra"
    boundary: Literal["periodic", "mirrored", "uniform-gradient", "uniform-flux"] = "periodic"
    rtol: float = Field(default=1e-6, description="wanted relative error of the tensor, of the solver alone")
    residual_rtol: float | None = Field(default=None, description="wanted relative residual of the balance")
    max_steps: int = Field(default=2000, description="limit of iterations a direction")
    uncertainty: Literal["linear", "samples"] = Field(
        default="linear", description="how spreads are pushed through"
    )
    samples: int = Field(default=32, description="how many samples, where they are drawn")
    seed: int = 0
    dtype: Literal["float64", "float32"] = "float64"
    budget: Literal["none", "quick", "standard", "full"] = Field(
        default="standard", description="which parts of the uncertainty are assessed"
    )
    backend: Literal["auto", "kernels", "jax"] = "auto"


class OutputTable(Table):
    """Files to write, relative to `folder`, which is relative to the case file."""

    folder: str = "."
    result: str | None = Field(default=None, alias="json", description="the whole result as JSON")
    report: str | None = Field(default=None, description="a page with pictures and proof, .html")
    fields: str | None = Field(default=None, description="local fields, .vtkhdf, .vti or .h5")
    card: str | None = Field(default=None, description="a material card, *CONDUCTIVITY")
    dialect: Literal["calculix", "abaqus"] = "calculix"


class StudyTable(Table):
    """How to study subvolumes. What is not said takes the default of `conductivity_rve_study`."""

    sizes: list[int | list[int]] | None = Field(
        default=None, description="edges of the subvolumes in voxels, each a number or one for each axis"
    )
    realisations: int = Field(default=64, description="subvolumes of a size at most")
    wanted: float = Field(default=0.02, description="wanted relative error, of two standard deviations")
    scheme: Literal["hexahedra", "finite-volume"] = "hexahedra"
    boundary: Literal["periodic", "mirrored", "uniform-gradient", "uniform-flux"] = "mirrored"
    rtol: float = Field(default=1e-4, description="wanted relative error of each tensor, of the solver alone")
    max_steps: int = Field(default=2000, description="limit of iterations a direction")
    dtype: Literal["float64", "float32"] = "float64"
    seed: int = Field(default=0, description="of the draw of subvolumes")
    engine: str = Field(
        default="local", description="'serial', 'local', 'dask', or a Dask scheduler's address"
    )
    workers: int | None = Field(default=None, description="number of processes")
    store: str | None = Field(
        default=None, description="folder for finished subvolumes, relative to the case file"
    )


class ConductivityCase(Table):
    """The effective conductivity tensor of an image."""

    task: Literal["conductivity"]
    title: str | None = None
    image: ImageTable
    phases: dict[Label, PhaseTable] = Field(
        default_factory=dict, description="conductivity by label of the image"
    )
    phases_table: str | None = Field(
        default=None,
        description="CSV file with the columns phase, value, unit, std, name, in place of [phases]",
    )
    solve: SolveTable = Field(default_factory=SolveTable)
    output: OutputTable = Field(default_factory=OutputTable)

    @model_validator(mode="after")
    def _one_source(self) -> "ConductivityCase":
        _refuse_two_sources(self)
        return self


class RveCase(Table):
    """How large a sample has to be: the conductivity of subvolumes of an image."""

    task: Literal["rve"]
    title: str | None = None
    image: ImageTable
    phases: dict[Label, PhaseTable] = Field(
        default_factory=dict, description="conductivity by label of the image"
    )
    phases_table: str | None = Field(default=None, description="CSV file in place of [phases]")
    study: StudyTable = Field(default_factory=StudyTable)
    output: StudyOutputTable = Field(default_factory=StudyOutputTable)

    @model_validator(mode="after")
    def _one_source(self) -> "RveCase":
        _refuse_two_sources(self)
        return self


def _refuse_two_sources(case: ConductivityCase | RveCase) -> None:
    if bool(case.phases) == (case.phases_table is not None):
        raise ValueError("either [phases.LABEL] tables or phases_table is needed, not both")


ElasticCase = StiffnessCase | ExpansionCase
Case = (
    ConductivityCase
    | RveCase
    | StiffnessCase
    | ExpansionCase
    | InterfaceCase
    | StiffnessRveCase
    | PermeabilityCase
    | PermeabilityRveCase
    | SampleCase
    | StructureCase
    | InferCase
    | ScalesCase
    | FusionCase
    | CoreCase
    | ReactorCase
)
TASKS: dict[str, type[Case]] = {
    "conductivity": ConductivityCase,
    "rve": RveCase,
    "stiffness": StiffnessCase,
    "expansion": ExpansionCase,
    "stiffness-rve": StiffnessRveCase,
    "interface": InterfaceCase,
    "permeability": PermeabilityCase,
    "permeability-rve": PermeabilityRveCase,
    "sample": SampleCase,
    "fe2": StructureCase,
    "infer": InferCase,
    "scales": ScalesCase,
    "fusion": FusionCase,
    "core": CoreCase,
    "reactor": ReactorCase,
}


def json_schema() -> dict[str, Any]:
    """Return the JSON schema of case files, for editors and other programs."""
    found = TypeAdapter(Annotated[Case, Field(discriminator="task")]).json_schema(by_alias=True)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "scalebridge case",
        **{key: value for key, value in found.items() if key != "title"},
    }
