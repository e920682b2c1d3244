"""A permeability job before it runs: settings, pores, what percolates, what is refused."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import Any, Literal, get_args

import numpy as np

from scalebridge.cells.conductivity_job import in_range, integer_from, one_of
from scalebridge.cells.image_input import SHAPE_ONLY
from scalebridge.cells.stokes import StokesCell
from scalebridge.core.errors import ImageError, InputError, PhaseError
from scalebridge.core.units import parse_quantity
from scalebridge.engine.memory import refuse_too_large
from scalebridge.grids.image import VoxelImage
from scalebridge.grids.percolation import Percolation, isolated, percolation
from scalebridge.grids.staggered import End, StaggeredSystem, assemble_staggered, walls_are_planes
from scalebridge.solvers.saddle_minres import Stop

FlowBoundary = Literal["periodic", "mirrored", "sealed"]
FlowBudget = Literal["none", "quick", "standard", "full"]
FlowWalls = Literal["voxel", "smooth"]
FlowSolver = Literal["assembled", "matrix-free"]

_LEAST_AREA = 1e-290  # m^2, below which permeabilities would be rounded to nothing
_VOXEL_BYTES = 40.0  # a voxel of the image, at the peak
_CUT_BYTES = 16000.0  # the same where walls cut the voxels; a third of it and more was seen
_SHIFTED_BYTES = 1000.0  # a voxel of the image where nothing is assembled; 985 were seen, over 0.6 GB
_PORE_BYTES = 2600.0  # a pore voxel in 3-D with three load cases; 1900 to 2000 were seen (Berea, 200^3)


@dataclass(frozen=True)
class FlowSettings:
    """Every option of a permeability job that can change its numbers; slip lengths in voxel edges or m.

    `wall_slips` has a slip length for the walls of each solid's label, in place of one `slip_length`.
    """

    boundary: FlowBoundary = "periodic"
    slip_length: float = 0.0
    rtol: float = 1e-4
    max_steps: int = 2000
    budget: FlowBudget = "standard"
    walls: FlowWalls = "voxel"
    slip_curve: tuple[float, ...] = ()
    wall_slips: tuple[tuple[int, float], ...] = ()
    solver: FlowSolver = "assembled"

    def __post_init__(self):
        one_of("boundary", self.boundary, get_args(FlowBoundary))
        one_of("walls", self.walls, get_args(FlowWalls))
        one_of("solver", self.solver, get_args(FlowSolver))
        one_of("budget", self.budget, get_args(FlowBudget))
        in_range("rtol", self.rtol, 0.0, 1.0)
        integer_from("max_steps", self.max_steps, 1)

    @property
    def stop(self) -> Stop:
        """When the solver ends."""
        return Stop(self.rtol, self.max_steps)

    @property
    def slips(self) -> float | dict[int, float]:
        """The slip length, or that of each label."""
        return dict(self.wall_slips) or self.slip_length

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return asdict(self)


@dataclass(frozen=True)
class FlowJob:
    """Image, pores and settings of one permeability job.

    Args:
        image: the image.
        pores: the labels that the fluid fills.
        settings: the options.
    """

    image: VoxelImage
    pores: tuple[int, ...]
    settings: FlowSettings

    @property
    def dim(self) -> int:
        """Number of space dimensions."""
        return self.image.dim

    @property
    def edge(self) -> float:
        """Smallest edge of a voxel, in metres, or 1: the length that the systems are scaled by."""
        return 1.0 if self.image.voxel is None else min(self.image.voxel)

    @property
    def unit(self) -> str:
        """Unit of the answer: "1" stands for squares of the voxel's edge."""
        return "1" if self.image.voxel is None else "m^2"

    @cached_property
    def open(self) -> np.ndarray:
        """Where the labels of the pores are."""
        return self.image.mask(*self.pores)

    @cached_property
    def connected(self) -> Percolation:
        """How the pores connect."""
        return percolation(self.open, periodic=self.settings.boundary == "periodic")

    @cached_property
    def flowing(self) -> np.ndarray:
        """The pores without those through which nothing can flow."""
        return self.open & ~isolated(self.open, periodic=self.settings.boundary == "periodic")

    @property
    def axes(self) -> list[int]:
        """The axes along which the pores percolate."""
        return [axis for axis in range(self.dim) if self.connected.directions[axis]]

    @cached_property
    def planes(self) -> bool:
        """Whether all walls are planes along the image's axes."""
        return all(walls_are_planes(self.flowing, self.ends(axis)) for axis in self._systems())

    def ends(self, axis: int) -> tuple[End, ...]:
        """Return what lies beyond the image for a load along an axis."""
        other: End = "symmetric" if self.settings.boundary == "mirrored" else "wall"
        if self.settings.boundary == "periodic":
            return ("periodic",) * self.dim
        return tuple("open" if found == axis else other for found in range(self.dim))

    def with_slip(self, length: float) -> "FlowJob":
        """Return the same job at another slip length."""
        return replace(self, settings=replace(self.settings, slip_length=length))

    def system(self, axis: int) -> StaggeredSystem:
        """Assemble the discrete system for a load along an axis, in voxel edges."""
        slip = self.settings.slip_length / self.edge
        return assemble_staggered(self.flowing, self.image.aspect, self.ends(axis), slip)

    def model(self) -> StokesCell:
        """Return the cell of this job."""
        shared = self.settings.boundary == "periodic"
        return StokesCell(self.dim, self.system, self.settings.stop, shared=shared, unit=self.edge**2)

    def narrow_share(self) -> float:
        """Return the share of the pore voxels that have solid on both sides along some axis."""
        pores, periodic = self.flowing, self.settings.boundary == "periodic"
        found = np.zeros(pores.shape, bool)
        for axis in range(self.dim):
            closed = np.ones(pores.shape, bool)
            for step in (1, -1):
                beyond = np.roll(pores, step, axis)
                if not periodic:  # the pore goes on beyond the face, as its reflection
                    end = (slice(None),) * axis + (0 if step == 1 else -1,)
                    beyond[end] = pores[end]
                closed &= ~beyond
            found |= closed & pores
        return float(np.count_nonzero(found) / max(np.count_nonzero(pores), 1))

    def refuse_impossible(self, memory_limit: float | None) -> None:
        """Refuse what cannot flow, what slips on a staircase, and what does not fit into memory."""
        if self.open.all():
            raise PhaseError(
                "pore",
                got=f"labels {_listed(self.pores)}, which fill the whole image",
                wanted="some solid: without walls nothing holds the fluid back",
                cure="name the pore's label alone, or check the segmentation",
            )
        if not self.axes:
            raise PhaseError(
                "pore",
                got="pores that percolate along no axis: the permeability is exactly zero",
                wanted="a path through the image",
                cure="look at percolation with `scalebridge inspect`, or correct the threshold; blind pores "
                "carry no flow",
            )
        if self.settings.solver == "matrix-free":
            self._refuse_matrix_free(memory_limit)
            return
        if self.settings.walls == "smooth":
            self._refuse_smooth(memory_limit)
            return
        if self.settings.wall_slips:
            raise InputError(
                "slip_length",
                got="a slip length for each solid, on walls that follow voxel faces",
                wanted="one slip length, or smooth walls",
                cure="pass walls='smooth'",
            )
        refuse_memory(self.image.shape, int(np.count_nonzero(self.flowing)), memory_limit)
        longest = max(self.settings.slip_length, *self.settings.slip_curve, 0.0)
        if longest > 0.0 and not self.planes:
            raise InputError(
                "slip_length",
                got=f"{longest!r} on walls that follow voxel faces",
                wanted="no slip, or walls that are planes along the image's axes: a staircase of voxels "
                "holds the fluid back at each step, and the effect of slip on it does not converge",
                cure="pass walls='smooth' (cut cells, whose walls are smoothed), ask `geometry_permeability` "
                "about exact surfaces, or leave slip_length out",
            )

    def _refuse_smooth(self, memory_limit: float | None) -> None:
        if self.settings.boundary == "sealed":
            raise InputError(
                "walls",
                got="'smooth' with boundary='sealed'",
                wanted="boundary='periodic' or 'mirrored'",
                cure="choose one of them, or pass walls='voxel'",
            )
        needed = _VOXEL_BYTES * self.image.size + _CUT_BYTES * np.count_nonzero(self.flowing)
        shown = " x ".join(map(str, self.image.shape))
        refuse_too_large(needed, f"image of {shown} voxels with smooth walls", memory_limit)

    def _refuse_matrix_free(self, memory_limit: float | None) -> None:
        settings = self.settings
        slips = settings.slip_length > 0.0 or settings.wall_slips or settings.slip_curve
        asked = {
            "slip": bool(slips),
            f"boundary={settings.boundary!r}": settings.boundary != "periodic",
            f"walls={settings.walls!r}": settings.walls != "voxel",
        }
        wrong = [name for name, there in asked.items() if there]
        if wrong:
            raise InputError(
                "solver",
                got=f"'matrix-free' with {' and '.join(wrong)}",
                wanted="a periodic image with walls on the voxels' faces, without slip",
                cure="pass solver='assembled'; a mirrored sample may be reflected by numpy.pad",
            )
        shown = " x ".join(map(str, self.image.shape))
        needed = _SHIFTED_BYTES * self.image.size
        refuse_too_large(needed, f"image of {shown} voxels, without matrices", memory_limit)

    def _systems(self) -> list[int]:
        return [0] if self.settings.boundary == "periodic" else self.axes


def refuse_early(image: object, cells: object, memory_limit: float | None) -> None:
    """Refuse a number of voxels beside an image, which has its own, and an image far too large."""
    if isinstance(image, VoxelImage | np.ndarray):  # before anything of its size is made
        refuse_memory(image.shape, 0, memory_limit)
    if cells is not None:
        raise InputError(
            "cells",
            got=repr(cells),
            wanted="nothing: an image has voxels of its own, `cells` is for exact pores",
            cure="leave it out; `sb.coarsen` makes an image coarser",
        )


def refuse_unknown_size(image: VoxelImage, voxel: object) -> None:
    """Refuse an image without a voxel size, unless "cubic" says that only the voxels' shape matters."""
    if (
        image.voxel is not None
        and not _LEAST_AREA < min(image.voxel) ** 2 <= max(image.voxel) ** 2 < math.inf
    ):
        raise ImageError(
            "voxel",
            got=f"{min(image.voxel):g} to {max(image.voxel):g} m",
            wanted="edges whose squares are numbers: a permeability is an area",
            cure="check the unit of the voxel's edge",
        )
    if image.voxel is None and voxel != SHAPE_ONLY:
        raise ImageError(
            "voxel",
            got="no voxel size, in the image or as an argument",
            wanted="the edge length of a voxel: a permeability is an area",
            cure="pass voxel='3 um', or voxel='cubic' for squares of the voxel's edge",
        )


def refuse_memory(shape: tuple[int, ...], pores: int, limit: float | None) -> None:
    """Refuse a job of so many voxels and pore voxels that does not fit into memory."""
    share = 1.0 if len(shape) == 3 else 0.5
    needed = _VOXEL_BYTES * math.prod(shape) + share * _PORE_BYTES * pores
    refuse_too_large(needed, f"image of {' x '.join(map(str, shape))} voxels", limit)


def pore_labels(pore: Any, image: VoxelImage, given: Any) -> tuple[int, ...]:
    """Return the labels of the pores: numbers, names, or True of an array of booleans."""
    booleans = isinstance(given, np.ndarray) and given.dtype == np.bool_
    if pore is None and (booleans or image.source.get("dtype") == "bool"):
        pore = 1  # True is the pore, as PoreSpy and OpenPNM have it
    if pore is None:
        raise PhaseError(
            "pore",
            got="no label",
            wanted=f"the label or labels of the pores, among {_listed(image.phases)}",
            cure="pass pore=0 (--pore 0; `scalebridge inspect` tells which labels there are), or an array of "
            "booleans that is True in the pores",
        )
    if isinstance(pore, np.ndarray):
        pore = pore.ravel().tolist()
    wanted = [pore] if isinstance(pore, str) or not isinstance(pore, Sequence) else list(pore)
    names = {name: label for label, name in image.names.items()}
    found = [names.get(item, item) if isinstance(item, str) else item for item in wanted]
    wrong = [item for item in found if isinstance(item, str) or item not in image.phases]
    if wrong or not found:
        raise PhaseError(
            "pore",
            got=", ".join(map(repr, wrong)) or "no label",
            wanted=f"labels that occur in the image: {_listed(image.phases)}",
            cure="check which label is the pore with `scalebridge inspect`",
        )
    return tuple(sorted({int(item) for item in found}))


def parse_slips(
    given: Mapping[Any, str | float], pores: Sequence[int], image: VoxelImage
) -> dict[int, float]:
    """Return the slip length on the walls of each solid's label, as `parse_slip` does one.

    Args:
        given: slip lengths by label or name; "*" for solids that are not named.
        pores: labels of the pores.
        image: the image.
    """
    solids = [label for label in image.phases if label not in pores]
    names = {name: label for label, name in image.names.items()}
    read = {
        names.get(key, int(key) if isinstance(key, str) and key.isdigit() else key): parse_slip(value, image)
        for key, value in given.items()
    }
    if "*" in read:
        others = read.pop("*")
        read = dict.fromkeys(solids, others) | read
    if set(read) != set(solids):
        raise InputError(
            "slip_length",
            got=f"slip lengths of {', '.join(map(repr, given))}",
            wanted=f"one for the walls of each solid, {_listed(tuple(solids))}",
            cure='name the labels of solids, and give "*" for those that are not named',
        )
    return {label: read[label] for label in solids}


def parse_slip(slip_length: str | float | None, image: VoxelImage) -> float:
    """Return a slip length in metres, or in voxel edges where the image does not know their size."""
    if slip_length is None:
        return 0.0
    found = parse_quantity(slip_length, "1" if image.voxel is None else "m", "slip_length")
    if not 0.0 <= found < math.inf:
        raise InputError(
            "slip_length",
            got=repr(slip_length),
            wanted="a finite length that is not negative",
            cure="leave it out for walls without slip",
        )
    return found


def _listed(labels: tuple[int, ...]) -> str:
    return ", ".join(map(str, labels[:12])) + (" ..." if len(labels) > 12 else "")
