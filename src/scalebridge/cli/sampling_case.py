"""What a case file of a sampling may say. Loads pydantic."""

from typing import Any, Literal

from pydantic import Field, model_validator

from scalebridge.cli.case_tables import Table


class PriorTable(Table):
    """The prior of a parameter. Text alone stands for a prior without a unit."""

    prior: str = Field(description="'normal(0, 1)', 'lognormal(100 mD, 0.5)', 'uniform(1, 3)', '... * 10'")
    unit: str = Field(default="1", description="SI unit that the model takes it in")

    @model_validator(mode="before")
    @classmethod
    def _short(cls, given: Any) -> Any:
        return {"prior": given} if isinstance(given, str) else given


class LevelTable(Table):
    """A model: a function in a Python file, a program, or a server."""

    name: str | None = Field(default=None, description="of the level, and of the model on a server")
    python: str | None = Field(default=None, description="'model.py:function', relative to the case file")
    command: str | None = Field(default=None, description="'program {input} {output}'")
    url: str | None = Field(default=None, description="of an UM-Bridge server, 'http://localhost:4242'")
    config: dict[str, Any] = Field(default_factory=dict, description="settings that a server's model takes")
    timeout: float = Field(default=3600.0, description="s, of a single evaluation")

    @model_validator(mode="after")
    def _one_model(self) -> "LevelTable":
        if sum(one is not None for one in (self.python, self.command, self.url)) != 1:
            raise ValueError("one of python, command and url is needed")
        return self


class DataTable(Table):
    """What was measured."""

    values: list[float] | None = None
    file: str | None = Field(default=None, description="CSV with the columns value and, if noise varies, std")
    noise: float | list[float] | None = Field(default=None, description="standard deviation, one or each")

    @model_validator(mode="after")
    def _one_source(self) -> "DataTable":
        if (self.values is None) == (self.file is None):
            raise ValueError("either values or a file is needed, not both")
        return self


class SampleTable(Table):
    """How to sample. What is not said takes the default of `sample`."""

    proposal: Literal["random-walk", "adaptive-metropolis", "pcn", "dream-z", "mala", "hmc"] | None = None
    chains: int | None = None
    draws: int | None = Field(default=None, description="kept steps of the finest level, a chain")
    warmup: int | None = Field(default=None, description="steps of the finest level before")
    scouting: int | None = Field(default=None, description="steps of the coarsest level before")
    subchain: int | list[int] | Literal["auto"] | None = None
    random_subchain: bool | None = None
    correction: Literal["none", "constant", "linear", "quadratic", "gaussian-process"] | None = None
    whitening: Literal["draws", "curvature"] | None = None
    tempering: int | list[float] | None = None
    seed: int | None = None
    patience: int | None = Field(default=None, description="failures in a row after which to stop")
    engine: str | None = Field(default=None, description="'serial', 'local', 'dask', or a Dask address")
    workers: int | None = None
    prefetch: int | None = Field(default=None, description="steps ahead at which the finest model is asked")
    store: str | None = Field(
        default=None, description="folder of finished blocks, relative to the case file"
    )
    checkpoint: int | None = Field(default=None, description="steps in a block")


class SampleOutputTable(Table):
    """Files to write, relative to `folder`, which is relative to the case file."""

    folder: str = "."
    result: str | None = Field(default=None, alias="json", description="summary, checks and origin as JSON")
    report: str | None = Field(default=None, description="a page with pictures, .html")
    draws: str | None = Field(default=None, description="all draws as NetCDF for ArviZ, .nc")


class SampleCase(Table):
    """A posterior, sampled with models of several levels."""

    task: Literal["sample"]
    title: str | None = None
    parameters: dict[str, PriorTable] = Field(min_length=1, description="priors by name")
    levels: list[LevelTable] = Field(min_length=1, description="models, coarse to fine")
    data: DataTable | None = Field(default=None, description="without it, models answer with log-likelihoods")
    sample: SampleTable = Field(default_factory=SampleTable)
    output: SampleOutputTable = Field(default_factory=SampleOutputTable)
