"""What a case file of a reactor lattice may say. Loads pydantic."""

from typing import Any, Literal

from pydantic import Field, model_validator

from scalebridge.cli.case_tables import Table


class LatticeTable(Table):
    """The lattice: pins by name, and maps of their names."""

    pitch: float | str | list[float | str | list[float | str]] = Field(
        description="of cells: '1.26 cm'; or along x and y one each, or a list with one a column and row"
    )
    pins: dict[str, dict[str, Any]] = Field(
        description="by name: radii, materials, subdivisions, sectors; or material and mesh of a box"
    )
    rows: list[str] | str | None = Field(default=None, description="map of pins, the top row first")
    assemblies: dict[str, list[str] | str] | None = Field(default=None, description="a map of pins by name")
    core: list[str] | str | None = Field(default=None, description="map of assemblies")
    gap: dict[str, float | str | int] | None = Field(
        default=None, description="around each assembly: width (half of what is between two), material, mesh"
    )
    boundary: str | float | dict[str, str | float] = Field(
        default="reflective", description="of all sides, or by west, east, south, north"
    )

    @model_validator(mode="after")
    def _one_map(self) -> "LatticeTable":
        if (self.rows is None) == (self.assemblies is None):
            raise ValueError("either rows, or assemblies with core, is needed, not both")
        return self


class TransportTable(Table):
    """How transport is solved. What is not said takes the default of `solve_transport`."""

    azimuths: int = Field(default=32, description="directions in half a turn")
    spacing: float | str = Field(default="0.05 cm", description="between tracks, at most")
    polar: Literal["tabuchi-yamamoto", "gauss"] = "tabuchi-yamamoto"
    polar_count: int = Field(default=3, description="polar directions of a hemisphere")
    sources: Literal["flat", "linear"] = Field(default="flat", description="in each region")
    scattering_order: int = Field(default=0, description="highest order of scattering taken with its angle")
    rtol: float = Field(default=1e-5, description="wanted largest relative change of a flux")
    k_tolerance: float = 1e-6
    max_steps: int = 500
    accelerate: bool = True
    damping: float = 1.0
    coarse_groups: list[int] | None = Field(
        default=None, description="first fine group of each group of the accelerating mesh, from 0"
    )


class ConstantsTable(Table):
    """Which constants are handed up."""

    regions: Literal["pins", "assemblies", "lattice"] = "assemblies"
    groups: list[int] | None = Field(default=None, description="first fine group of each coarse one, from 0")
    diffusion: Literal["inverse-transport", "in-scatter", "p1", "b1"] = "inverse-transport"
    equivalence: list[Literal["flux weighting", "superhomogenization", "discontinuity"]] = Field(
        default_factory=list,
        description="pin by pin coarse cores that are held against the lattice, by method",
    )


class ReactorOutputTable(Table):
    """Files to write, relative to `folder`, which is relative to the case file."""

    folder: str = "."
    result: str | None = Field(default=None, alias="json", description="solution and constants as JSON")
    report: str | None = Field(default=None, description="a page with pictures and proof, .html")
    library: str | None = Field(default=None, description="constants as OpenMC multigroup library, .h5")
    pmaxs: str | None = Field(
        default=None, description="constants as PMAXS; of several regions a file each, name-0, name-1, ..."
    )


class ReactorCase(Table):
    """Transport in a lattice of pins, and the constants that a coarse core model needs of it."""

    task: Literal["reactor"]
    title: str | None = None
    lattice: LatticeTable
    library: str | None = Field(
        default=None, description="materials: .toml, or OpenMC's .h5, relative to the case file"
    )
    materials: dict[str, dict[str, Any]] = Field(default_factory=dict, description="materials, written here")
    source: dict[str, list[float]] | None = Field(default=None, description="given source by material")
    transport: TransportTable = Field(default_factory=TransportTable)
    constants: ConstantsTable = Field(default_factory=ConstantsTable)
    covariance: dict[str, dict[str, float | list[float] | list[list[float]]]] = Field(
        default_factory=dict,
        description="of the data, by material and key (total, nu_fission, fission, chi, scatter): relative "
        "standard deviations, one or one each, or a matrix; the constants' and k's is then handed up",
    )
    sensitivity: bool = Field(default=False, description="whether derivatives of k are computed")
    output: ReactorOutputTable = Field(default_factory=ReactorOutputTable)

    @model_validator(mode="after")
    def _some_materials(self) -> "ReactorCase":
        if self.library is None and not self.materials:
            raise ValueError("library or materials is needed")
        if self.source is not None and self.constants.equivalence:
            raise ValueError("constants.equivalence needs an eigenvalue problem: leave it out, or the source")
        return self
