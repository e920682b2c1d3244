"""Options that several verbs share."""

from enum import StrEnum
from typing import Annotated

import typer


class Scheme(StrEnum):
    """Discretisations."""

    hexahedra = "hexahedra"
    finite_volume = "finite-volume"
    both = "both"


class Boundary(StrEnum):
    """What lies beyond the image."""

    periodic = "periodic"
    mirrored = "mirrored"
    uniform_gradient = "uniform-gradient"
    uniform_flux = "uniform-flux"


class Budget(StrEnum):
    """Which parts of the uncertainty are assessed."""

    none = "none"
    quick = "quick"
    standard = "standard"
    full = "full"


class Propagation(StrEnum):
    """How a spread is pushed through."""

    linear = "linear"
    samples = "samples"


class Precision(StrEnum):
    """Number types."""

    float64 = "float64"
    float32 = "float32"


class Dialect(StrEnum):
    """Programs that read a material card."""

    calculix = "calculix"
    abaqus = "abaqus"


class ElasticScheme(StrEnum):
    """Discretisations of elasticity."""

    hexahedra = "hexahedra"
    b_bar = "b-bar"
    reduced = "reduced"


class ElasticBoundary(StrEnum):
    """What lies beyond the image, in elasticity."""

    periodic = "periodic"
    uniform_strain = "uniform-strain"
    uniform_stress = "uniform-stress"


class ElasticDialect(StrEnum):
    """Programs that read a card of a stiffness."""

    calculix = "calculix"
    abaqus = "abaqus"
    ansys = "ansys"
    json = "json"


class Property(StrEnum):
    """What a study of subvolumes asks."""

    conductivity = "conductivity"
    stiffness = "stiffness"
    permeability = "permeability"


class CardUnits(StrEnum):
    """Units of a card of a stiffness."""

    SI = "SI"
    N_mm_MPa = "N-mm-MPa"


class CardDegree(StrEnum):
    """Unit of the temperatures of a card."""

    K = "K"
    celsius = "degC"


class FlowBoundary(StrEnum):
    """What lies beyond the image, of flow in pores."""

    periodic = "periodic"
    mirrored = "mirrored"
    sealed = "sealed"


class FlowWalls(StrEnum):
    """Where the walls of pores are."""

    voxel = "voxel"
    smooth = "smooth"


class FlowSolver(StrEnum):
    """How the flow in pores is solved."""

    assembled = "assembled"
    matrix_free = "matrix-free"


class Order(StrEnum):
    """Order of a raw array: last or first axis fastest."""

    C = "C"
    F = "F"


Image = Annotated[
    str, typer.Argument(metavar="IMAGE", help="File, folder of .tif slices, quoted pattern, or .zarr folder.")
]
Voxel = Annotated[
    list[str] | None,
    typer.Option(
        "--voxel",
        metavar="LENGTH",
        help="Edge of a voxel with its unit, '3 um', or one an axis, '3 um, 3 um, 5 um'; overrules the file. "
        "'cubic': cubes whose size does not matter.",
    ),
]
VoxelUnit = Annotated[
    str | None,
    typer.Option(metavar="UNIT", help="Unit of a spacing that the file's header gives without one."),
]
Threshold = Annotated[
    str | None,
    typer.Option(metavar="T", help="For grey images: '84', several '84, 150', or 'otsu'."),
]
Crop = Annotated[
    str | None,
    typer.Option(
        metavar="BOX", help="Part of the image in voxels, from:to along each axis: '0:64, 0:64, 10:74'."
    ),
]
Axes = Annotated[
    str | None, typer.Option(metavar="LETTERS", help="Stored axes, slowest first: 'zyx', 'xyz', 'yx'.")
]
Dataset = Annotated[
    str | None, typer.Option(metavar="PATH", help="Which image, in files that hold several (HDF5, Zarr).")
]
RawShape = Annotated[
    str | None, typer.Option(metavar="N,N,N", help="Raw binary: lengths of the stored axes.")
]
RawDtype = Annotated[
    str | None, typer.Option(metavar="TYPE", help="Raw binary: number type, 'uint8', '<u2', '>f4'.")
]
RawOrder = Annotated[Order, typer.Option(help="Raw binary: C (last axis fastest) or F.")]
RawOffset = Annotated[int, typer.Option(metavar="BYTES", help="Raw binary: bytes of header to leave out.")]

Scheme_ = Annotated[
    Scheme,
    typer.Option(
        "--scheme",
        help="hexahedra (from above), finite-volume (from below), or both, which brackets the answer.",
    ),
]
Boundary_ = Annotated[
    Boundary,
    typer.Option(
        "--boundary",
        help="mirrored reflects a sample that is not periodic; uniform-gradient and uniform-flux on its "
        "faces bracket the answer.",
    ),
]
Budget_ = Annotated[
    Budget,
    typer.Option(
        "--budget",
        help="Parts of the uncertainty: none (inputs alone), quick (no further solve), standard (also the "
        "voxels' size), full (also what lies around the sample).",
    ),
]
Rtol = Annotated[
    float, typer.Option(metavar="NUMBER", help="Wanted relative error of the tensor, of the solver alone.")
]
MaxSteps = Annotated[int, typer.Option(metavar="N", help="Limit of iterations a direction.")]
Uncertainty = Annotated[
    Propagation, typer.Option(help="Push spreads through by derivatives, or by solving samples.")
]
Samples = Annotated[int, typer.Option(metavar="N", help="How many samples, where they are drawn.")]
Seed = Annotated[int, typer.Option(metavar="N", help="Seed of the drawn samples.")]
Dtype = Annotated[Precision, typer.Option(help="float32 halves the memory; use it with --rtol 1e-4.")]

Engine = Annotated[
    str,
    typer.Option(
        "--engine",
        metavar="ENGINE",
        help="Who solves: serial, local (processes), dask, or a Dask scheduler's address tcp://host:port.",
    ),
]
Workers = Annotated[
    int | None, typer.Option("--workers", metavar="N", help="Number of processes.  [default: the processors]")
]
Store = Annotated[
    str | None,
    typer.Option("--store", metavar="FOLDER", help="Keep finished work there, and reuse what is there."),
]

Out = Annotated[
    str | None, typer.Option("--out", metavar="FILE.json", help="Write the whole result as JSON.")
]
Report = Annotated[
    str | None, typer.Option("--report", metavar="FILE.html", help="Write a page with pictures and proof.")
]
Fields = Annotated[
    str | None,
    typer.Option(
        "--fields",
        metavar="FILE",
        help="Write the local fields: .vtkhdf or .vti for ParaView, .h5 for arrays.",
    ),
]
Card = Annotated[
    str | None, typer.Option("--card", metavar="FILE.inp", help="Write a material card, *CONDUCTIVITY.")
]
Dialect_ = Annotated[Dialect, typer.Option("--dialect", help="Program that reads the card.")]
Materials = Annotated[
    list[str] | None,
    typer.Option(
        "--phase",
        metavar="LABEL=CONSTANTS",
        help="Material of a label, repeated: '0:epoxy=young=3 GPa +- 0.1 GPa, poisson=0.35, "
        "expansion=60e-6 1/K', '1=void', '*=...' for all others. A constant may be a formula or a CSV file: "
        "'young=young.csv'.",
    ),
]
Temperature = Annotated[
    str | None,
    typer.Option("--temperature", metavar="T", help="Temperature, '20 degC', where constants depend on it."),
]
Temperatures = Annotated[
    str | None,
    typer.Option(
        "--temperatures",
        metavar="RANGE",
        help="A table over temperatures: FIRST:LAST:STEP in kelvins, '293:593:20', or '20 degC, 100 degC'.",
    ),
]
ElasticScheme_ = Annotated[
    ElasticScheme,
    typer.Option(
        "--scheme",
        help="hexahedra (full integration), b-bar (for nearly incompressible phases), reduced (one point a "
        "voxel, not beside voids).",
    ),
]
ElasticBoundary_ = Annotated[
    ElasticBoundary,
    typer.Option(
        "--boundary",
        help="periodic; uniform-strain (from above) and uniform-stress (from below) bracket the answer of a "
        "sample that is not. Mirroring would answer shears wrongly.",
    ),
]
ElasticCard = Annotated[str | None, typer.Option("--card", metavar="FILE", help="Write a material card.")]
ElasticDialect_ = Annotated[ElasticDialect, typer.Option("--dialect", help="Program that reads the card.")]
Units_ = Annotated[CardUnits, typer.Option("--units", help="Units of the card.")]
CardDegree_ = Annotated[
    CardDegree, typer.Option("--temperature-unit", help="Unit of the card's temperatures.")
]
Reference = Annotated[
    str | None,
    typer.Option(
        "--reference-temperature", metavar="T", help="Where the card's thermal strain is zero, '20 degC'."
    ),
]
Pore = Annotated[
    list[str] | None,
    typer.Option("--pore", metavar="LABEL", help="Label of the pores, or name, repeated for several."),
]
SlipLength = Annotated[
    str | None,
    typer.Option(
        "--slip-length",
        metavar="LENGTH",
        help="Navier's slip length on the walls, '50 nm'; on walls along the image's axes, or smooth ones. "
        "With smooth walls also by solids: 'quartz=10 nm, clay=0 nm, *=50 nm'.",
    ),
]
SlipCurve = Annotated[
    str | None,
    typer.Option(
        "--slip-curve",
        metavar="LENGTH,LENGTH,...",
        help="Further slip lengths, '50 nm, 100 nm, 200 nm': the curve of the tensor over them.",
    ),
]
FlowBoundary_ = Annotated[
    FlowBoundary,
    typer.Option(
        "--boundary",
        help="mirrored reflects a sample that is not periodic; sealed puts no slip on the sides, as a core "
        "holder does.",
    ),
]
FlowWalls_ = Annotated[
    FlowWalls,
    typer.Option("--walls", help="smooth lets surfaces cut the voxels: for slip on walls of any shape."),
]
FlowSolver_ = Annotated[
    FlowSolver,
    typer.Option(
        "--solver",
        help="matrix-free works by shifts of arrays on the device that JAX chooses: periodic voxel images.",
    ),
]
Force = Annotated[
    bool, typer.Option("--force", help="Do it again, even if the outputs are there and finished.")
]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON, and nothing else.")]
Progress = Annotated[
    bool | None,
    typer.Option("--progress/--no-progress", help="Draw a progress bar.  [default: on a terminal]"),
]
Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]
