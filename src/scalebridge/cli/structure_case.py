"""What a case file of a structure (FE2) may say. Loads pydantic."""

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from scalebridge.cli.case_tables import ImageTable, Table
from scalebridge.cli.elastic_case import LabelOrRest

Quantity = float | int | str
Law = dict[str, Any] | str


class MeshTable(Table):
    """The mesh: a file, or a made one."""

    file: str | None = Field(
        default=None, description="mesh file, relative to the case file: what meshio reads"
    )
    unit: str | None = Field(default=None, description="of the file's coordinates: 'mm'")
    shape: Literal["box", "notched-plate"] | None = Field(default=None, description="a made mesh")
    size: list[Quantity] | None = Field(
        default=None, description="edges: '20 mm'; of a notched plate its length and width"
    )
    cells: list[int] | None = Field(default=None, description="elements along each edge")
    element: Literal["tri", "quad", "tet", "hex"] | None = Field(default=None, description="of a made mesh")
    depth: Quantity | None = Field(default=None, description="of each notch")
    opening: Quantity | None = Field(default=None, description="of each notch along the plate")
    thickness: Quantity | None = Field(default=None, description="of a plate in space")
    layers: int = Field(default=1, description="elements across the thickness")
    order: Literal[1, 2] = Field(default=1, description="of the displacements")
    plane: Literal["strain", "stress"] = "strain"

    @model_validator(mode="after")
    def _one_source(self) -> "MeshTable":
        if (self.file is None) == (self.shape is None):
            raise ValueError("either file or shape is needed, not both")
        return self


class CellTable(Table):
    """How a representative volume is solved. What is not said takes the default of `PathSettings`."""

    tolerance: float = Field(default=1e-8, description="part of the stress that may be out of equilibrium")
    tangent_tolerance: float = Field(default=1e-3, description="of the solves behind the tangent")
    max_iterations: int = 30
    max_cuts: int = 6


class TermTable(Table):
    """A displacement in an equation."""

    place: list[Quantity] = Field(description="of the node: ['20 mm', 0]")
    axis: Literal["x", "y", "z"]
    coefficient: float = 1.0


class EquationTable(Table):
    """A linear equation between displacements of nodes: its terms add up to the value times the factor."""

    terms: Annotated[list[TermTable], Field(min_length=1)]
    value: Quantity = Field(default=0.0, description="at factor 1: '0.1 mm'")


class PathTable(Table):
    """The path of loads and how it is walked. What is not said takes the default of `solve_structure`."""

    steps: int | list[float] = Field(
        default=10, description="equal steps to factor 1, or the factor at the end of each"
    )
    duration: Quantity = Field(default=1.0, description="of each step, for laws with rates: '10 s'")
    control: Literal["factor", "arc"] = "factor"
    rtol: float = Field(default=1e-8, description="wanted relative residual")
    max_iterations: int = Field(default=12, description="corrections of an increment")
    max_cuts: int = Field(default=6, description="how often a step may be halved")
    linear_solver: Literal["auto", "direct", "pardiso", "multigrid"] = "auto"


class ShareTable(Table):
    """Points that share an answer. What is not said takes the default of `PathShare`."""

    tolerance: float = Field(description="largest difference of strain at which points share, all along")
    sample: int = Field(default=4, description="of these, how many are solved anew at each increment")
    error: float = Field(default=1e-3, description="of their stresses that passes, by the largest stress")
    seed: int = Field(default=0, description="of the sample")


class EngineTable(Table):
    """Where points live."""

    engine: str = Field(default="local", description="'local', 'mpi', 'dask', or a Dask scheduler's address")
    workers: int | None = Field(default=None, description="threads of 'local', processes of 'dask'")
    lazy: bool = Field(default=True, description="whether points share the elastic answer while it is exact")
    state_memory: float | None = Field(default=None, description="bytes of state in memory for each process")
    checkpoints: str | None = Field(default=None, description="folder, relative to the case file")
    archive: str | None = Field(default=None, description="folder of every step in reduced precision")
    archive_precision: Literal["int16", "float32"] = "int16"
    share: ShareTable | None = Field(default=None, description="points of like paths share an answer")


class StructureOutputTable(Table):
    """Files to write, relative to `folder`, which is relative to the case file."""

    folder: str = "."
    result: str | None = Field(default=None, alias="json", description="the whole study as JSON")
    report: str | None = Field(default=None, description="a page with pictures and proof, .html")
    series: str | None = Field(default=None, description="folder for fields in time and CSV tables")
    series_format: Literal["vtu", "xdmf"] = Field(default="vtu", description="of the fields in time")
    watch: list[int] = Field(
        default_factory=list,
        description="points whose micro fields are kept, at every increment",
    )


class StructureCase(Table):
    """A structure along a path of loads, with a law or a representative volume at each point (FE2)."""

    task: Literal["fe2"]
    title: str | None = None
    mesh: MeshTable
    image: ImageTable | None = Field(default=None, description="of the representative volume")
    laws: dict[LabelOrRest, Law] = Field(
        default_factory=dict, description="law by label of the image, '*' for all others, or 'void'"
    )
    law: Law | None = Field(default=None, description="one law at every point, in place of image and laws")
    cell: CellTable = Field(default_factory=CellTable)
    supports: Annotated[dict[str, dict[str, Quantity]], Field(min_length=1)] = Field(
        description="displacement at factor 1 by boundary and axis: x = '1 mm'"
    )
    tractions: dict[str, list[Quantity]] = Field(default_factory=dict, description="at factor 1, by boundary")
    body_force: list[Quantity] | None = None
    periodic: list[list[str]] = Field(default_factory=list, description="pairs of boundaries")
    equal: dict[str, str] = Field(
        default_factory=dict, description="axes along which a boundary moves as one"
    )
    equations: list[EquationTable] = Field(
        default_factory=list, description="linear equations between displacements of nodes"
    )
    path: PathTable = Field(default_factory=PathTable)
    points: EngineTable = Field(default_factory=EngineTable)
    output: StructureOutputTable = Field(default_factory=StructureOutputTable)

    @model_validator(mode="after")
    def _one_material(self) -> "StructureCase":
        if (self.law is None) == (self.image is None):
            raise ValueError("either law, or image with laws, is needed, not both")
        if (self.image is None) != (not self.laws):
            raise ValueError("image and laws belong together")
        return self
