"""A conductivity job before it runs: settings, phases on voxels, cells, size and percolation."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, Literal, get_args

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from scalebridge.cells.phases import Phase
from scalebridge.core import precision as _precision  # noqa: F401
from scalebridge.core.errors import InputError, PhaseError
from scalebridge.engine.memory import refuse_too_large
from scalebridge.grids.composite import CompositeImage
from scalebridge.grids.discretisation import Discretisation
from scalebridge.grids.finite_volumes import FiniteVolumes
from scalebridge.grids.hexahedra import Hexahedra
from scalebridge.grids.image import VoxelImage, slabs
from scalebridge.grids.percolation import Percolation, percolation
from scalebridge.solvers.conjugate_gradients import ConjugateGradients

Scheme = Literal["hexahedra", "finite-volume", "both"]
Boundary = Literal["periodic", "mirrored", "uniform-gradient", "uniform-flux"]
Budget = Literal["none", "quick", "standard", "full"]
Backend = Literal["auto", "kernels", "jax"]
Propagation = Literal["linear", "samples"]
Precision = Literal["float64", "float32"]

SCHEMES: dict[str, type[Discretisation]] = {"hexahedra": Hexahedra, "finite-volume": FiniteVolumes}
_BYTES = {"hexahedra": 340.0, "finite-volume": 340.0}  # a voxel at the peak in JAX, float64, seen at 128^3
_KERNEL_BYTES = 100.0  # a voxel at the peak of the kernels, more than seen (docs/accuracy.md)


@dataclass(frozen=True)
class Settings:
    """Every option of a conductivity job that can change its numbers."""

    scheme: Scheme = "hexahedra"
    boundary: Boundary = "periodic"
    rtol: float = 1e-6
    residual_rtol: float | None = None
    max_steps: int = 2000
    uncertainty: Propagation = "linear"
    samples: int = 32
    seed: int = 0
    dtype: Precision = "float64"
    budget: Budget = "standard"
    backend: Backend = "auto"

    def __post_init__(self):
        one_of("scheme", self.scheme, get_args(Scheme))
        one_of("boundary", self.boundary, get_args(Boundary))
        one_of("uncertainty", self.uncertainty, get_args(Propagation))
        one_of("dtype", self.dtype, get_args(Precision))
        one_of("budget", self.budget, get_args(Budget))
        one_of("backend", self.backend, get_args(Backend))
        if self.boundary.startswith("uniform") and self.backend == "jax":
            raise InputError(
                "backend",
                got=f"'jax' with boundary={self.boundary!r}",
                wanted="'kernels' or 'auto', which know these boundaries",
                cure="leave backend out",
            )
        if self.boundary == "uniform-flux" and self.scheme != "hexahedra":
            raise InputError(
                "scheme",
                got=f"{self.scheme!r} with boundary='uniform-flux'",
                wanted="'hexahedra'",
                cure="leave scheme out",
            )
        in_range("rtol", self.rtol, 0.0, 1.0)
        if self.residual_rtol is not None:
            in_range("residual_rtol", self.residual_rtol, 0.0, 1.0)
        integer_from("max_steps", self.max_steps, 1)
        integer_from("samples", self.samples, 2)
        integer_from("seed", self.seed, 0)

    @property
    def solver(self) -> ConjugateGradients:
        """The solver; without a residual tolerance of its own it takes the root of the tensor's."""
        residual = self.rtol**0.5 if self.residual_rtol is None else self.residual_rtol
        return ConjugateGradients(self.rtol, residual, self.max_steps)

    @property
    def schemes(self) -> tuple[str, ...]:
        """The discretisations to run; the answer is that of the first."""
        return ("hexahedra", "finite-volume") if self.scheme == "both" else (self.scheme,)

    def refuse_memory(self, shape: tuple[int, ...], limit: float | None) -> None:
        """Refuse an image of so many voxels if its job needs more memory than `limit` or the machine has."""
        count = math.prod(shape)
        if self.in_kernels:
            needed = _KERNEL_BYTES * count
        else:
            doubled = 2 ** len(shape) if self.boundary == "mirrored" else 1
            share = 0.5 if self.dtype == "float32" else 1.0
            needed = max(_BYTES[s] for s in self.schemes) * share * count * doubled
        refuse_too_large(needed, f"image of {' x '.join(map(str, shape))} voxels", limit)

    @property
    def in_kernels(self) -> bool:
        """Whether the compiled kernels solve: on a processor, unless JAX is asked for."""
        if self.backend == "auto":
            return jax.default_backend() == "cpu" or self.boundary.startswith("uniform")
        return self.backend == "kernels"

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, with the residual tolerance that is in force."""
        return {**asdict(self), "residual_rtol": self.solver.residual_rtol}


@dataclass(frozen=True)
class Job:
    """Image, phases and settings of one conductivity job.

    Args:
        image: the image, as it came.
        phases: its phases, in the order of the image's labels.
        unit: SI unit of the phases.
        settings: the options.
        limits: of `mixing_limits`, where they are not to be found on the composite image itself.
    """

    image: VoxelImage | CompositeImage
    phases: tuple[Phase, ...]
    unit: str
    settings: Settings
    limits: np.ndarray | None = None

    @property
    def dim(self) -> int:
        """Number of space dimensions."""
        return self.image.dim

    def table(self, values: Mapping[int, Any] | None = None) -> Float[Array, "phases ..."]:
        """Stack the phases' values as sparingly as the most general of them allows.

        Args:
            values: values by label that replace those of the job; isotropic.
        """
        used = [p.value if values is None else values.get(p.label, p.value) for p in self.phases]
        rank = max(np.ndim(v) for v in used)
        full = [_expand(jnp.asarray(v, self.settings.dtype), rank, self.dim) for v in used]
        return jnp.stack(full)

    @cached_property
    def index(self) -> np.ndarray:
        """Row of every voxel in the table: the phases in order, then mixed voxels one by one."""
        if isinstance(self.image, CompositeImage):
            return self.image.table_index()
        labels, known = self.image.labels, np.asarray(self.image.phases)
        kind = _index_type(len(known))
        if labels.dtype == kind and np.array_equal(known, np.arange(len(known))):
            return labels
        index = np.empty(labels.shape, kind)
        for slab, found in zip(slabs(labels), slabs(index), strict=True):
            found[...] = np.searchsorted(known, slab)
        return index

    def with_image(self, image: VoxelImage | CompositeImage, settings: "Settings | None" = None) -> "Job":
        """Return the same question about another image of the same phases, some of which may be missing."""
        kept = tuple(p for p in self.phases if p.label in image.phases)
        return Job(image, kept, self.unit, settings or self.settings)

    def refuse_impossible(self) -> None:
        """Refuse a scheme that cannot take the tensors."""
        rank = max(np.ndim(p.value) for p in self.phases)
        if isinstance(self.image, CompositeImage):
            rank = 2  # mixed voxels conduct along the interface and across it differently
        for scheme in self.settings.schemes:
            why = SCHEMES[scheme](self.image.shape, self.image.aspect).refuses(rank)
            if why is not None:
                raise InputError(
                    "scheme",
                    got=f"{self.settings.scheme!r} with a full tensor",
                    wanted=f"'hexahedra', because {why}",
                    cure="pass scheme='hexahedra'",
                )
        if self.settings.boundary == "uniform-flux":
            self._refuse_closed_faces()

    def _refuse_closed_faces(self) -> None:
        """A uniform flux cannot enter through a voxel that insulates."""
        closed = [row for row, p in enumerate(self.phases) if not np.any(np.asarray(p.value))]
        for axis in range(self.dim if closed else 0):
            planes = np.moveaxis(self.index, axis, 0)
            if np.isin(planes[0], closed).any() or np.isin(planes[-1], closed).any():
                raise PhaseError(
                    "boundary",
                    got="'uniform-flux' with an insulating phase on the sample's faces",
                    wanted="conducting voxels on all faces, through which the flux can enter",
                    cure="use boundary='mirrored' or 'uniform-gradient'",
                )

    def connection(self, scheme: str) -> Percolation | None:
        """Return how the conducting phases are connected; None when every phase conducts.

        Raises:
            PhaseError: no phase conducts.
        """
        conducting = [p.label for p in self.phases if np.any(np.asarray(p.value) != 0)]
        if not conducting:
            raise PhaseError(
                "phases",
                got="0 for every phase",
                wanted="a phase that conducts",
                cure="give a phase a positive value",
            )
        if len(conducting) == len(self.phases):
            return None
        if self.settings.boundary.startswith("uniform"):
            return None  # every face is a terminal
        touching = self.dim if scheme == "hexahedra" else 1
        return percolation(
            self._holding(conducting), periodic=self.settings.boundary == "periodic", connectivity=touching
        )

    def _holding(self, labels: list[int]) -> np.ndarray:
        """Voxels that hold any of the phases, be it a part."""
        if not isinstance(self.image, CompositeImage):
            return self.image.mask(*labels)
        columns = [self.image.phases.index(label) for label in labels]
        found = np.isin(self.image.labels, labels)
        found.reshape(-1)[self.image.mixed] = self.image.parts[:, columns].sum(axis=1) > 0
        return found


def _expand(value: Array, rank: int, dim: int) -> Array:
    if value.ndim == rank:
        return value
    if rank == 1:
        return jnp.full(dim, value)
    return jnp.eye(dim, dtype=value.dtype) * value


def _index_type(count: int) -> type[np.integer]:
    return np.uint8 if count <= 256 else np.int32


def one_of(argument: str, got: Any, wanted: tuple[str, ...]) -> None:
    """Refuse what is none of the wanted words."""
    if got not in wanted:
        raise InputError(
            argument, got=repr(got), wanted=" or ".join(map(repr, wanted)), cure="choose one of them"
        )


def in_range(argument: str, got: Any, low: float, high: float) -> None:
    """Refuse what is no number between two limits."""
    if isinstance(got, bool) or not isinstance(got, int | float) or not low < got < high:
        raise InputError(
            argument, got=repr(got), wanted=f"a number between {low:g} and {high:g}", cure="pass 1e-6"
        )


def integer_from(argument: str, got: Any, low: int) -> None:
    """Refuse what is no integer, or a smaller one."""
    if isinstance(got, bool) or not isinstance(got, int) or got < low:
        raise InputError(
            argument, got=repr(got), wanted=f"an integer of at least {low}", cure=f"pass {low} or more"
        )
