"""What a case file of measurements or of scales may say. Loads pydantic."""

from typing import Literal

from pydantic import Field, model_validator

from scalebridge.cli.case_tables import StudyOutputTable, Table

Method = Literal["auto", "quadrature", "sampling", "nuts-collapsed", "nuts"]


class MeasurementsTable(Table):
    """Which columns are what. What is not said takes the default of `upscale_measurements`."""

    value: str = Field(description="column of the values; '<0.01' and '>5000' are limits")
    unit: str = Field(default="1", description="unit of the values, 'mD'")
    quantity: str | None = Field(default=None, description="what they are, 'permeability'")
    levels: str | list[str] = Field(
        default_factory=list, description="columns of labels, from coarse to fine"
    )
    sample: str | None = Field(default=None, description="column that tells which sample a line measures")
    noise: float | str | None = Field(default=None, description="'10 %', a number, or a column")
    tail: float | None = Field(default=None, description="degrees of freedom of a Student noise")
    distribution: Literal["log-normal", "normal"] = "log-normal"
    logarithm: Literal["log10", "ln"] | None = Field(
        default=None, description="what the column holds, if not the values"
    )
    covariates: str | list[str] = Field(default_factory=list, description="columns of numbers")
    position: str | list[str] | None = Field(
        default=None, description="column of the place along a group; two or three in a plane or in space"
    )
    correlation: Literal["exponential", "matern-3/2", "matern-5/2"] | None = None


class PropertyTable(Table):
    """What is handed up of each group."""

    upscale: Literal["geometric", "arithmetic", "harmonic", "power", "flow"] = "geometric"
    exponent: float | list[float] | None = Field(
        default=None, description="of 'power': number, or [mean, std]"
    )
    cells: list[int] = Field(default=[8, 8, 8], description="of a block, of 'flow'")
    cell: float = Field(default=1.0, description="edge of a cell in the unit of position")
    of: str | None = Field(default=None, description="level whose groups are upscaled, or 'all'")
    observed: dict[str, list[float | str]] = Field(
        default_factory=dict, description="coarse measurements by label, [value, relative std]"
    )
    wanted: float | None = Field(default=None, description="wanted half width of the 95 % interval")


class InferSolveTable(Table):
    """How to find the posterior."""

    method: Method = "auto"
    leave_out: bool = Field(default=True, description="predict each group from the others")
    draws: int = 2000
    seed: int = 0


class InferCase(Table):
    """What measurements of small samples say of the large."""

    task: Literal["infer"]
    title: str | None = None
    table: str = Field(description=".csv, .parquet or .las file, relative to the case file")
    measurements: MeasurementsTable
    priors: dict[str, float | list[float | str]] = Field(
        default_factory=dict, description="by name: a number, [kind, numbers], or [mean, std]"
    )
    upscaled: PropertyTable = Field(default_factory=PropertyTable)
    solve: InferSolveTable = Field(default_factory=InferSolveTable)
    output: StudyOutputTable = Field(default_factory=StudyOutputTable)


class ScalesTable(Table):
    """How to choose. What is not said takes the default of `select_scales`."""

    basis: Literal["wavelet", "fourier", "polynomial", "blocks"] | None = None
    columns: dict[str, str | list[str]] = Field(
        default_factory=dict, description="own columns of each scale by its name, in place of a basis"
    )
    family: Literal["gaussian", "poisson", "binomial"] = Field(
        default="gaussian", description="of counts 'poisson', or 'binomial' out of trials"
    )
    criterion: Literal["aic", "aicc", "bic", "ebic", "loo", "k-fold", "one-standard-error"] = "bic"
    wavelet: str = "db4"
    boundary: Literal["periodic", "interval"] = "periodic"
    levels: int | None = Field(default=None, description="number of scales")
    folds: int = 10
    repeats: int = 1
    block: int = Field(default=1, description="neighbours with correlated errors")
    gamma: float = 1.0
    most: float = Field(default=2 / 3, description="largest share of the values that coefficients may be")
    resamples: int = 100
    seed: int = 0

    @model_validator(mode="after")
    def _one_basis(self) -> "ScalesTable":
        if (self.basis is not None) == bool(self.columns):
            raise ValueError("either basis or [select.columns] is needed, not both")
        return self


class ScalesCase(Table):
    """Which scales of a column are more than noise."""

    task: Literal["scales"]
    title: str | None = None
    table: str = Field(description=".csv, .parquet or .las file, relative to the case file")
    value: str = Field(description="column of the values")
    at: str | None = Field(default=None, description="column of the positions")
    shape: list[int] | None = Field(
        default=None, description="of a regular grid whose values the column has row by row, [64, 64]"
    )
    trials: str | None = Field(default=None, description="column: of how many a count is, of 'binomial'")
    unit: str = "1"
    select: ScalesTable
    output: StudyOutputTable = Field(default_factory=StudyOutputTable)
