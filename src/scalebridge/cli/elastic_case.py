"""What a case file of stiffness or of thermal expansion may say. Loads pydantic."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, StringConstraints

from scalebridge.cli.case_tables import ImageTable, StudyOutputTable, Table
from scalebridge.cli.elastic_texts import number_or_text

LabelOrRest = Annotated[str, StringConstraints(pattern=r"^(-?\d+|\*)$")]


Temperature = Annotated[
    float | str, BeforeValidator(lambda given: number_or_text(given) if isinstance(given, str) else given)
]
"""Kelvins, as a number or as text, or text with a unit."""


class ElasticSolveTable(Table):
    """How to solve. What is not said takes the default of `effective_stiffness`."""

    temperature: Temperature | None = Field(default=None, description="kelvins, or text such as '20 degC'")
    temperatures: str | list[float | str] | None = Field(
        default=None, description="for a table: a list, or 'FIRST:LAST:STEP' in kelvins"
    )
    scheme: Literal["hexahedra", "b-bar", "reduced"] = "hexahedra"
    boundary: Literal["periodic", "uniform-strain", "uniform-stress"] = "periodic"
    rtol: float = Field(default=1e-6, description="wanted relative error of the tensor, of the solver alone")
    residual_rtol: float | None = Field(default=None, description="wanted relative residual of equilibrium")
    max_steps: int = Field(default=2000, description="limit of iterations a load case")
    budget: Literal["none", "quick", "standard", "full"] = Field(
        default="standard", description="which parts of the uncertainty are assessed"
    )


class ElasticOutputTable(Table):
    """Files to write, relative to `folder`, which is relative to the case file."""

    folder: str = "."
    result: str | None = Field(default=None, alias="json", description="the whole result as JSON")
    report: str | None = Field(default=None, description="a page with pictures and proof, .html")
    fields: str | None = Field(default=None, description="local strains and stresses, .vtkhdf, .vti or .h5")
    card: str | None = Field(default=None, description="a material card")
    dialect: Literal["calculix", "abaqus", "ansys", "json"] = "calculix"
    units: Literal["SI", "N-mm-MPa"] = Field(default="SI", description="of the card")
    temperature_unit: Literal["K", "degC"] = Field(default="K", description="of the card")
    reference_temperature: Temperature | None = Field(
        default=None, description="at which the thermal strain of the card is zero"
    )


Materials = Annotated[
    dict[LabelOrRest, str | dict[str, Any]],
    Field(
        min_length=1,
        description="material by label of the image, '*' for all others: 'void', or its constants",
    ),
]


class StiffnessCase(Table):
    """The effective stiffness of an image."""

    task: Literal["stiffness"]
    title: str | None = None
    image: ImageTable
    phases: Materials
    solve: ElasticSolveTable = Field(default_factory=ElasticSolveTable)
    output: ElasticOutputTable = Field(default_factory=ElasticOutputTable)


class ExpansionCase(Table):
    """The effective thermal expansion of an image."""

    task: Literal["expansion"]
    title: str | None = None
    image: ImageTable
    phases: Materials
    solve: ElasticSolveTable = Field(default_factory=ElasticSolveTable)
    output: ElasticOutputTable = Field(default_factory=ElasticOutputTable)


class StiffnessStudyTable(Table):
    """How to study subvolumes. What is not said takes the default of `stiffness_rve_study`."""

    temperature: float | str | None = Field(default=None, description="kelvins, or text such as '20 degC'")
    sizes: list[int | list[int]] | None = Field(
        default=None, description="edges of the subvolumes in voxels, each a number or one for each axis"
    )
    realisations: int = Field(default=64, description="subvolumes of a size at most")
    wanted: float = Field(default=0.02, description="wanted relative error, of two standard deviations")
    scheme: Literal["hexahedra", "b-bar", "reduced"] = "hexahedra"
    boundary: Literal["periodic", "uniform-strain", "uniform-stress"] = "periodic"
    rtol: float = Field(default=1e-4, description="wanted relative error of each tensor, of the solver alone")
    max_steps: int = Field(default=2000, description="limit of iterations a load case")
    seed: int = Field(default=0, description="of the draw of subvolumes")
    engine: str = Field(
        default="local", description="'serial', 'local', 'dask', or a Dask scheduler's address"
    )
    workers: int | None = Field(default=None, description="number of processes")
    store: str | None = Field(
        default=None, description="folder for finished subvolumes, relative to the case file"
    )


class StiffnessRveCase(Table):
    """How large a sample has to be: the stiffness of subvolumes of an image."""

    task: Literal["stiffness-rve"]
    title: str | None = None
    image: ImageTable
    phases: Materials
    study: StiffnessStudyTable = Field(default_factory=StiffnessStudyTable)
    output: StudyOutputTable = Field(default_factory=StudyOutputTable)
