"""What a case file of an interface may say. Loads pydantic."""

from typing import Any, Literal

from pydantic import Field, model_validator

from scalebridge.cli.case_tables import ImageTable, Label, Table
from scalebridge.cli.text_values import value_from


class CoefficientTable(Table):
    """One coefficient of a phase field: a value, or samples. Text alone stands for a value."""

    value: float | str | list[float | str] | list[list[float]] | None = Field(
        default=None, description="number, '1e-9 J/m', list (diagonal in the image's axes), or tensor"
    )
    std: float | str | None = Field(
        default=None, description="standard deviation in the unit of the value, or '5 %'"
    )
    samples: list[float] | None = Field(default=None, description="samples in place of a value")
    unit: str | None = Field(default=None, description="unit of values without one")

    @model_validator(mode="before")
    @classmethod
    def _short(cls, given: Any) -> Any:
        if isinstance(given, str):
            return value_from(given, "value")
        return given if isinstance(given, dict) else {"value": given}


class InterfacePhaseTable(Table):
    """The coefficients of one phase, each a number, text such as "1e-9 J/m +- 5 %", or a table."""

    name: str | None = None
    gradient_energy: CoefficientTable | None = Field(default=None, description="kappa, J/m")
    barrier: CoefficientTable | None = Field(default=None, description="W, J/m^3")
    mobility: CoefficientTable | None = Field(
        default=None, description="kinetic L, m^3/(J s); conserved M, m^5/(J s) or mol^2/(J m s)"
    )


class LayerTable(Table):
    """A layer, in the order in which a front meets them."""

    thickness: float | str = Field(description="length such as '20 nm', or a relative number")
    phase: int = Field(description="label of what it is made of")


class InterfaceSolveTable(Table):
    """How to answer. What is not said takes the default of the function behind the quantity."""

    driving: float | str | list[float | str] | None = Field(
        default=None, description="driving forces of a front, '1e5 J/m^3'"
    )
    depinning: bool | None = Field(
        default=None, description="search the driving force at which the front begins to move"
    )
    resolution: float | None = Field(default=None, description="cells to the length l of the interface")
    normal: list[float] | None = Field(default=None, description="direction across layers")
    period: float | str | None = Field(
        default=None, description="period of the structure, held against the interface's width"
    )
    scheme: Literal["hexahedra", "finite-volume", "both"] | None = None
    boundary: Literal["periodic", "mirrored", "uniform-gradient", "uniform-flux"] | None = None
    rtol: float | None = Field(default=None, description="wanted relative error of the tensor")
    max_steps: int | None = Field(default=None, description="limit of iterations, or of a front's time steps")
    budget: Literal["none", "quick", "standard", "full"] | None = Field(
        default=None, description="which parts of the uncertainty are assessed"
    )


class InterfaceOutputTable(Table):
    """Files to write, relative to `folder`, which is relative to the case file."""

    folder: str = "."
    result: str | None = Field(default=None, alias="json", description="the whole result as JSON")
    report: str | None = Field(default=None, description="a page with pictures and proof, .html")


class InterfaceCase(Table):
    """An effective coefficient of phase fields, of layers or of an image."""

    task: Literal["interface"]
    quantity: Literal["gradient-energy", "conserved-mobility", "kinetic-mobility"]
    title: str | None = None
    layers: list[LayerTable] | None = Field(default=None, description="layers, in place of [image]")
    image: ImageTable | None = None
    phases: dict[Label, InterfacePhaseTable] = Field(
        min_length=1, description="coefficients by label of the layers or the image"
    )
    solve: InterfaceSolveTable = Field(default_factory=InterfaceSolveTable)
    output: InterfaceOutputTable = Field(default_factory=InterfaceOutputTable)

    @model_validator(mode="after")
    def _one_medium(self) -> "InterfaceCase":
        if (self.layers is None) == (self.image is None):
            raise ValueError("either layers or an [image] is needed, not both")
        return self
