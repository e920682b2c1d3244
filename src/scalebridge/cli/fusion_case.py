"""What a case file of a fusion may say. Loads pydantic."""

from typing import Literal

from pydantic import Field

from scalebridge.cli.case_tables import Table


class SensorTable(Table):
    """One sensor. What is not said takes the default of `Sensor`."""

    file: str | list[str] = Field(
        description=".npz, .nc or .zarr, relative to the case file; GeoTIFFs, one a date, as a list or a "
        "pattern such as 'scenes/*.tif'"
    )
    variable: str | None = Field(
        default=None, description="array (dates, rows, columns), NaN where nothing was seen; none of GeoTIFFs"
    )
    dates: str | list[float | str] | None = Field(
        default=None,
        description="of .npz: the array of dates, or a list of them; of .nc and .zarr: its time; of "
        "GeoTIFFs: a list, or what their names say",
    )
    y: str | None = Field(default=None, description="of .npz: the array of the rows' coordinates")
    x: str | None = Field(default=None, description="of .npz: the array of the columns'")
    crs: str | None = None
    footprint: int | list[int] | None = Field(default=None, description="fine pixels of a value, nested")
    blur: float | None = Field(default=None, description="standard deviation of a blur, fine pixels")
    points: list[list[float]] | str | None = Field(
        default=None, description="of stations: y and x of each, or an array of the file"
    )
    noise: float | str | dict[str, float] | None = Field(
        default=None, description="standard deviation, an array of the file, or a table by quality"
    )
    quality: str | None = Field(
        default=None, description="array of the file: a quality band; what noise does not name is not used"
    )
    relative_noise: bool = False
    tails: float | None = Field(default=None, description="degrees of freedom of Student's noise")
    mask: str | None = Field(default=None, description="array of the file, true where a value is to be used")
    bias: Literal["none", "constant", "ar1"] = "none"
    offset: bool = Field(default=False, description="whether each date has an offset")
    unit: str = "1"
    bands: str | list[str] | dict[str, float] | None = Field(
        default=None,
        description="what is seen of several bands: a name, names along the second axis, or weights",
    )


class ArrayTable(Table):
    """An array of a file."""

    file: str = Field(description=".npz, .nc or .zarr, relative to the case file")
    variable: str = Field(description="its name there")


class FusionModelTable(Table):
    """How the field moves. What is not said takes the default of `FusionModel`."""

    parts: list[str] = Field(default_factory=lambda: ["random-walk"])
    space: str | dict[str, str] = "exponential"
    nugget: bool = False
    parameters: dict[str, float] = Field(default_factory=dict, description="known values by name")
    priors: dict[str, list[float]] = Field(default_factory=dict, description="[median, factor] by name")
    period: float = Field(default=365.25, description="of seasons, days")


class FusionSolveTable(Table):
    """How to fuse. What is not said takes the default of `fuse`."""

    dates: list[float | str] | None = Field(default=None, description="further dates, for a forecast")
    method: Literal["auto", "blocks", "sparse", "iterative"] = "auto"
    learn: Literal["gradient", "em"] = "gradient"
    footprints: int = 40
    gate: float | None = 3.0
    calibrate: bool = Field(default=False, description="deviations stretched to what scenes say")
    keep_all: bool = Field(default=False, description="no gate")
    lag: int | None = None
    hold_out: list[float | str] | None = Field(default=None, description="dates of the finest sensor")
    seed: int = 0
    tile: int | None = Field(
        default=None, description="pixels along the edge of a tile: the field is written tile by tile"
    )
    engine: str = Field(
        default="serial", description="'serial', 'local', 'dask', or a Dask scheduler's address"
    )
    workers: int | None = Field(default=None, description="number of processes")
    store: str | None = Field(default=None, description="folder for finished work, relative to the case file")


class FusionOutputTable(Table):
    """Files to write, relative to `folder`, which is relative to the case file."""

    folder: str = "."
    result: str | None = Field(
        default=None, alias="json", description="the result as JSON, without the field"
    )
    report: str | None = Field(default=None, description="a page with pictures, .html")
    field: str | None = Field(default=None, description="the field: .nc, .zarr, or .tif")


class FusionCase(Table):
    """One field at the finest resolution from sensors at several."""

    task: Literal["fusion"]
    title: str | None = None
    sensors: dict[str, SensorTable] = Field(description="[sensors.NAME] tables")
    model: FusionModelTable = Field(default_factory=FusionModelTable)
    classes: ArrayTable | None = Field(default=None, description="land cover, a label a pixel of the field")
    covariates: dict[str, ArrayTable] = Field(
        default_factory=dict, description="[covariates.NAME] tables: a number a date, a pixel, or both"
    )
    solve: FusionSolveTable = Field(default_factory=FusionSolveTable)
    output: FusionOutputTable = Field(default_factory=FusionOutputTable)
