"""What a case file of permeability may say. Loads pydantic."""

from typing import Annotated, Literal

from pydantic import Field

from scalebridge.cli.case_tables import ImageTable, StudyOutputTable, Table

Pores = Annotated[
    int | str | Annotated[list[int | str], Field(min_length=1)],
    Field(description="label or labels of the pores, or their names; booleans are pores where true"),
]


class FlowSolveTable(Table):
    """How to solve. What is not said takes the default of `permeability`."""

    slip_length: str | float | dict[str, str | float] | None = Field(
        default=None,
        description="Navier's slip length, '50 nm'; a number of voxel edges with voxel = 'cubic'; with "
        "smooth walls also a table with one for each solid's label or name, '*' for the others",
    )
    slip_curve: list[str | float] | None = Field(
        default=None, description="further slip lengths, for the curve of the tensor over them"
    )
    boundary: Literal["periodic", "mirrored", "sealed"] = "periodic"
    walls: Literal["voxel", "smooth"] = Field(
        default="voxel", description="where walls are: on the voxels' faces, or on surfaces that cut voxels"
    )
    solver: Literal["assembled", "matrix-free"] = Field(
        default="assembled",
        description="'matrix-free' by shifts of arrays on the device that JAX chooses, periodic voxel images",
    )
    rtol: float = Field(default=1e-4, description="wanted relative error of the tensor, of the solver alone")
    max_steps: int = Field(default=2000, description="limit of iterations")
    budget: Literal["none", "quick", "standard", "full"] = Field(
        default="standard", description="which parts of the uncertainty are assessed"
    )


class FlowOutputTable(Table):
    """Files to write, relative to `folder`, which is relative to the case file."""

    folder: str = "."
    result: str | None = Field(default=None, alias="json", description="the whole result as JSON")
    report: str | None = Field(default=None, description="a page with pictures and proof, .html")
    fields: str | None = Field(default=None, description="velocities and pressures, .vtkhdf, .vti or .h5")


class PermeabilityCase(Table):
    """The permeability of the pores of an image."""

    task: Literal["permeability"]
    title: str | None = None
    image: ImageTable
    pore: Pores | None = None
    solve: FlowSolveTable = Field(default_factory=FlowSolveTable)
    output: FlowOutputTable = Field(default_factory=FlowOutputTable)


class PermeabilityStudyTable(Table):
    """How to study subvolumes. What is not said takes the default of `permeability_rve_study`."""

    sizes: list[int | list[int]] | None = Field(
        default=None, description="edges of the subvolumes in voxels, each a number or one for each axis"
    )
    realisations: int = Field(default=64, description="subvolumes of a size at most")
    wanted: float = Field(default=0.1, description="wanted relative error, of two standard deviations")
    boundary: Literal["mirrored", "periodic", "sealed"] = "mirrored"
    rtol: float = Field(default=1e-3, description="wanted relative error of each tensor, of the solver alone")
    max_steps: int = Field(default=2000, description="limit of iterations")
    seed: int = Field(default=0, description="of the draw of subvolumes")
    engine: str = Field(
        default="local", description="'serial', 'local', 'dask', or a Dask scheduler's address"
    )
    workers: int | None = Field(default=None, description="number of processes")
    store: str | None = Field(
        default=None, description="folder for finished subvolumes, relative to the case file"
    )


class PermeabilityRveCase(Table):
    """How large a sample has to be: the permeability of subvolumes of an image."""

    task: Literal["permeability-rve"]
    title: str | None = None
    image: ImageTable
    pore: Pores | None = None
    study: PermeabilityStudyTable = Field(default_factory=PermeabilityStudyTable)
    output: StudyOutputTable = Field(default_factory=StudyOutputTable)
