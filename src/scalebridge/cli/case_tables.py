"""Tables that the cases of several tasks share. Loads pydantic."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

Label = Annotated[str, StringConstraints(pattern=r"^-?\d+$")]
Lengths = Annotated[list[str], Field(min_length=2, max_length=3)]


class Table(BaseModel):
    """A table of a case file: frozen, nothing unknown, nothing of another kind made to fit."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class RawTable(Table):
    """How a raw binary file is laid out."""

    shape: list[int] = Field(description="lengths of the stored axes: (nz, ny, nx) in C order")
    dtype: str = Field(description="number type, such as 'uint8', '<u2', '>f4'")
    order: Literal["C", "F"] = Field(default="C", description="C: last axis fastest; F: first axis fastest")
    offset: int = Field(default=0, ge=0, description="bytes of header to leave out")


class CropTable(Table):
    """A part of the image, in voxels."""

    origin: list[int] = Field(description="first voxel along each axis, from 0")
    size: list[int] = Field(description="voxels along each axis")


class ImageTable(Table):
    """The image, and how to read it."""

    file: str = Field(description="image file or folder, relative to the case file")
    voxel: str | Lengths | None = Field(
        default=None, description="edge of a voxel with its unit, '3 um', one for each axis, or 'cubic'"
    )
    voxel_unit: str | None = Field(
        default=None, description="unit of a spacing that the header gives without one"
    )
    threshold: float | list[float] | Literal["otsu"] | None = Field(
        default=None, description="for grey images"
    )
    axes: str | None = Field(default=None, description="stored axes, slowest first, such as 'zyx'")
    dataset: str | None = Field(default=None, description="which image, in files that hold several")
    raw: RawTable | None = Field(default=None, description="for raw binary files")
    crop: CropTable | None = None


class StudyOutputTable(Table):
    """Files to write, relative to `folder`, which is relative to the case file."""

    folder: str = "."
    result: str | None = Field(default=None, alias="json", description="the whole study as JSON")
    report: str | None = Field(default=None, description="a page with pictures, .html")
