"""What a case file of a coarse core may say. Loads pydantic."""

from typing import Any, Literal

from pydantic import Field

from scalebridge.cli.case_tables import StudyOutputTable, Table

Boundary = float | str | list[float]


class RegionTable(Table):
    """Constants of a homogenised region in 1/cm and cm, group 0 the fastest."""

    diffusion: list[float] = Field(description="diffusion coefficients, cm")
    absorption: list[float]
    nu_fission: list[float]
    fission: list[float] | None = Field(default=None, description="what power is told by; else nu_fission")
    chi: list[float] = Field(description="spectrum of neutrons from fission")
    scatter: list[list[float]] = Field(description="[from, to]")
    total: list[float] | None = Field(default=None, description="for SP3; else 1 / (3 diffusion)")


class CoreTable(Table):
    """The core. What is not said takes the default of `solve_core`."""

    map: str | list[str] | list[list[str]] = Field(
        description="names of regions between blanks, '.' for nothing: a line, rows from north to south, or "
        "layers of rows from the lowest"
    )
    pitch: float | str | list[float | str | list[float | str]] = Field(
        description="edge of the nodes in cm or text: one, or along each axis one or a list"
    )
    boundary: Boundary | dict[str, Boundary] = Field(
        description="'vacuum', 'zero flux', 'reflective', 'periodic' or an albedo; by side with others"
    )
    buckling: float | str = Field(default=0.0, description="of the direction that there is not, 1/cm^2")
    factors: dict[str, list[float] | list[list[float]]] | None = Field(
        default=None, description="discontinuity factors by region: by group, or by side and group"
    )
    method: Literal["nodal", "volumes", "sp3"] = "nodal"
    largest_cell: float | str | None = Field(default=None, description="nodes are cut until none is larger")
    mesh_error: bool = True
    derivatives: bool = True
    rtol: float = 1e-9
    max_steps: int = 60


class CoreCase(Table):
    """The multiplication and the power of a core of homogenised regions."""

    task: Literal["core"]
    title: str | None = None
    core: CoreTable
    materials: dict[str, RegionTable]
    output: StudyOutputTable = Field(default_factory=StudyOutputTable)


def map_of(given: str | list[str] | list[list[str]]) -> list[Any]:
    """Return the names of a map of a case, as `solve_core` takes them.

    Example:
        >>> map_of("a b"), map_of(["a .", "b a"])
        (['a', 'b'], [['a', '.'], ['b', 'a']])
    """
    if isinstance(given, str):
        return given.split()
    return [map_of(one) for one in given]
