"""An elastic job before it runs: materials on voxels, settings, size, and what is impossible."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import Any, Literal, get_args

import numpy as np

from scalebridge.cells.conductivity_job import in_range, integer_from, one_of
from scalebridge.cells.elasticity_host import HostElasticity, Solid, Surroundings
from scalebridge.cells.phases import by_label, refuse_mismatch
from scalebridge.core.errors import InputError, PhaseError
from scalebridge.engine.memory import refuse_too_large
from scalebridge.grids.composite import CompositeImage
from scalebridge.grids.elastic_hexahedra import grid_axes, grid_axes_stiffness, grid_index
from scalebridge.grids.image import VoxelImage
from scalebridge.grids.percolation import percolation
from scalebridge.grids.voxel_kernels import embedded
from scalebridge.laws.elastic_material import ElasticMaterial, material_from
from scalebridge.laws.laminate_mixing import mixing_limits
from scalebridge.laws.material_orientation import orientations_from_euler, orientations_from_quaternions
from scalebridge.laws.stiffness_mixing import mixed_rows, yielding
from scalebridge.solvers.conjugate_gradients import ConjugateGradients
from scalebridge.upscaling.rotations import mandel_rotation

Scheme = Literal["hexahedra", "b-bar", "reduced"]
Budget = Literal["none", "quick", "standard", "full"]
RULES = {"hexahedra": "full", "b-bar": "b-bar", "reduced": "reduced"}
EVERY = "*"
"""Key of a material that every label has which is not named."""

_BYTES = 60.0  # a voxel at the peak, beside 24 a load case that is kept
_CASE_BYTES = 24.0


@dataclass(frozen=True)
class ElasticSettings:
    """Every option of an elastic job that can change its numbers."""

    scheme: Scheme = "hexahedra"
    boundary: Surroundings = "periodic"
    rtol: float = 1e-6
    residual_rtol: float | None = None
    max_steps: int = 2000
    budget: Budget = "standard"

    def __post_init__(self) -> None:
        one_of("scheme", self.scheme, get_args(Scheme))
        if self.boundary == "mirrored":
            raise InputError(
                "boundary",
                got="'mirrored'",
                wanted="'periodic', 'uniform-strain' or 'uniform-stress': a mirror image turns the sign of "
                "two of the three shears, so that a reflected sample answers another question",
                cure="bracket the answer of a sample that is not periodic with budget='full'",
            )
        one_of("boundary", self.boundary, get_args(Surroundings))
        one_of("budget", self.budget, get_args(Budget))
        in_range("rtol", self.rtol, 0.0, 1.0)
        if self.residual_rtol is not None:
            in_range("residual_rtol", self.residual_rtol, 0.0, 1.0)
        integer_from("max_steps", self.max_steps, 1)

    @property
    def solver(self) -> ConjugateGradients:
        """The solver; without a residual tolerance of its own it takes the root of the tensor's."""
        residual = self.rtol**0.5 if self.residual_rtol is None else self.residual_rtol
        return ConjugateGradients(self.rtol, residual, self.max_steps)

    def refuse_memory(self, shape: tuple[int, ...], limit: float | None) -> None:
        """Refuse an image of so many voxels if its job needs more memory than `limit` or the machine has."""
        needed = (_BYTES + 7 * _CASE_BYTES) * math.prod(shape)
        refuse_too_large(needed, f"image of {' x '.join(map(str, shape))} voxels", limit)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, with the residual tolerance that is in force."""
        return {**asdict(self), "residual_rtol": self.solver.residual_rtol}


@dataclass(frozen=True)
class Constituent:
    """A phase of the image and its material."""

    label: int
    name: str
    material: ElasticMaterial


@dataclass(frozen=True)
class ElasticJob:
    """Image, materials and settings of one elastic job.

    Args:
        image: the image, as it came.
        constituents: its phases, in the order of the image's labels.
        settings: the options.
        temperature: K, or None where nothing depends on it.
        orientations: (phases, 3, 3) or (voxels..., 3, 3), the rows the material's axes in the sample; None
            where materials lie as they are given.
        yields: of a composite image, of another of whose grids the limits of mixed voxels are taken; None
            where they are the image's own.
    """

    image: VoxelImage | CompositeImage
    constituents: tuple[Constituent, ...]
    settings: ElasticSettings
    temperature: float | None = None
    orientations: np.ndarray | None = None
    yields: np.ndarray | None = None

    @property
    def dim(self) -> int:
        """Number of space dimensions of the image."""
        return self.image.dim

    @property
    def thermal(self) -> bool:
        """Whether any material expands."""
        return any(c.material.has_expansion for c in self.constituents)

    @property
    def by_voxel(self) -> bool:
        """Whether every voxel has an orientation of its own."""
        return self.orientations is not None and self.orientations.ndim == self.dim + 2

    @property
    def isotropic(self) -> bool:
        """Whether every material is isotropic by its kind, not by chance."""
        return all(c.material.kind in ("isotropic", "void") for c in self.constituents)

    def at(self, temperature: float) -> "ElasticJob":
        """Return the same question at another temperature."""
        return replace(self, temperature=temperature)

    def with_image(self, image: VoxelImage | CompositeImage, **settings: Any) -> "ElasticJob":
        """Return the same question about another image of the same phases, some of which may be missing."""
        kept = [row for row, c in enumerate(self.constituents) if c.label in image.phases]
        turned = None if self.orientations is None else self.orientations[kept]
        return ElasticJob(
            image,
            tuple(self.constituents[row] for row in kept),
            replace(self.settings, **settings),
            self.temperature,
            turned,
            None if self.yields is None else self.yields[np.ix_(kept, kept)],
        )

    @cached_property
    def softening(self) -> np.ndarray:
        """How far mixed voxels go from layers to series: see `stiffness_mixing.yielding`."""
        if self.yields is not None or not isinstance(self.image, CompositeImage):
            return np.zeros((0, 0)) if self.yields is None else self.yields
        stiffness = self.phase_values[0]
        limits = mixing_limits(self.image, np.trace(stiffness, axis1=1, axis2=2))
        return yielding(stiffness, np.isfinite(limits[:, :, 1]))

    @cached_property
    def phase_index(self) -> np.ndarray:
        """Row of every voxel among the phases."""
        image = self.image
        labels = image.majority.labels if isinstance(image, CompositeImage) else image.labels
        kind = np.uint8 if len(image.phases) <= 256 else np.int32
        return np.searchsorted(np.asarray(image.phases), labels).astype(kind)

    @cached_property
    def phase_values(self) -> tuple[np.ndarray, np.ndarray]:
        """Stiffness (phases, 6, 6) and expansion (phases, 6), Mandel, in the image's axes, unoriented."""
        at = self.temperature
        stiffness = np.stack([c.material.stiffness(at) for c in self.constituents])
        return stiffness, np.stack([c.material.expansion(at) for c in self.constituents])

    @cached_property
    def row_axes(self) -> np.ndarray | None:
        """Orientation of each row, (rows, 3, 3)."""
        return None if self.orientations is None else self.orientations.reshape(-1, 3, 3)

    @cached_property
    def row_phase(self) -> np.ndarray:
        """Phase of each row."""
        if self.by_voxel:
            return self.phase_index.reshape(-1)
        return np.arange(len(self.constituents))

    @cached_property
    def rows(self) -> tuple[np.ndarray, np.ndarray]:
        """Stiffness and expansion of each row of the model, in the image's axes."""
        stiffness, expansion = (values[self.row_phase] for values in self.phase_values)
        if self.row_axes is not None:
            turn = mandel_rotation(np.swapaxes(self.row_axes, 1, 2))  # from the material to the sample
            stiffness = turn @ stiffness @ np.swapaxes(turn, 1, 2)
            expansion = np.einsum("rij,rj->ri", turn, expansion)
        if isinstance(self.image, CompositeImage):
            mixed, free = mixed_rows(stiffness, expansion, self.image.parts, self.normals, self.softening)
            return np.concatenate([stiffness, mixed]), np.concatenate([expansion, free])
        return stiffness, expansion

    @cached_property
    def index(self) -> np.ndarray:
        """Row of every voxel."""
        if isinstance(self.image, CompositeImage):
            return self.image.table_index()
        if self.by_voxel:
            return np.arange(self.phase_index.size, dtype=np.int32).reshape(self.phase_index.shape)
        return self.phase_index

    @property
    def general(self) -> bool:
        """Whether the rows have to be taken as anisotropic."""
        return not self.isotropic or isinstance(self.image, CompositeImage)

    @property
    def normals(self) -> np.ndarray:
        """Normals of mixed voxels in space, (m, 3); there are none in a plain image."""
        if not isinstance(self.image, CompositeImage):
            return np.zeros((0, 3))
        return np.pad(self.image.normals, ((0, 0), (0, 3 - self.dim)))

    def solid(self, *, thermal: bool) -> Solid:
        """Return what the model is made of, along the grid's axes."""
        stiffness, expansion = self.rows
        return Solid(
            grid_axes_stiffness(stiffness, self.dim),
            grid_axes(expansion, self.dim) if thermal and self.thermal else None,
            grid_index(self.index),
            RULES[self.settings.scheme],  # type: ignore[arg-type]
            self.general,
        )

    def model(self, *, thermal: bool = True) -> HostElasticity:
        """Return the cell."""
        aspect = embedded(self.image.aspect, 1.0)
        return HostElasticity(
            embedded(self.image.shape, 1),
            aspect,
            self.solid(thermal=thermal),
            self.settings.solver,
            self.settings.boundary,
        )

    def refuse_impossible(self) -> None:
        """Refuse what has no answer, before any solve."""
        voids = [c for c in self.constituents if c.material.is_void]
        if len(voids) == len(self.constituents):
            raise PhaseError(
                "phases", got="nothing but voids", wanted="a solid phase", cure="give a stiffness"
            )
        if voids and self.settings.scheme == "reduced":
            raise InputError(
                "scheme",
                got=f"'reduced' with {voids[0].name}, which is void",
                wanted="'hexahedra' or 'b-bar': one point a voxel does not feel the hourglass modes, which "
                "nothing holds beside a void",
                cure="leave scheme out",
            )
        if isinstance(self.image, CompositeImage) and self.orientations is not None and self.by_voxel:
            raise InputError(
                "orientations",
                got="an orientation a voxel with composite voxels",
                wanted="an orientation a label",
                cure="pass the plain image",
            )
        if voids:
            self._refuse_loose([c.label for c in self.constituents if not c.material.is_void])
        if voids and self.settings.boundary == "uniform-stress":
            self._refuse_open_faces([c.label for c in voids])

    def _refuse_loose(self, solids: list[int]) -> None:
        image = self.image.majority if isinstance(self.image, CompositeImage) else self.image
        if self.settings.boundary != "periodic":
            return
        found = percolation(image.mask(*solids), periodic=True, connectivity=image.dim)
        if not any(found.directions):
            raise PhaseError(
                "phases",
                got="solid phases that percolate along no axis: the effective stiffness is exactly zero",
                wanted="a solid that holds together through the image",
                cure="look at percolation with `scalebridge inspect`, or correct the threshold",
            )

    def _refuse_open_faces(self, voids: list[int]) -> None:
        image = self.image.majority if isinstance(self.image, CompositeImage) else self.image
        mask = image.mask(*voids)
        for axis in range(self.dim):
            planes = np.moveaxis(mask, axis, 0)
            if planes[0].any() or planes[-1].any():
                raise PhaseError(
                    "boundary",
                    got="'uniform-stress' with voids on the sample's faces",
                    wanted="solid on all faces, to which a uniform traction can be applied",
                    cure="use boundary='periodic' or 'uniform-strain'",
                )


def parse_constituents(
    given: Any, labels: tuple[int, ...], names: Mapping[int, str]
) -> tuple[Constituent, ...]:
    """Read the materials of an image's phases.

    Args:
        given: materials by label; "*" stands for all labels that are not named.
        labels: labels that occur in the image.
        names: names of labels, as the image knows them.

    Raises:
        PhaseError: a phase is missing, not in the image, or has constants that physics forbids.
        UnitError: unknown units, or units of another kind.
    """
    if isinstance(given, Mapping) and EVERY in given:
        named = by_label({key: value for key, value in given.items() if key != EVERY})
        given = {label: named.get(label, given[EVERY]) for label in {*labels, *named}}
    asked = by_label(given)
    refuse_mismatch(set(asked), set(labels))
    found = []
    for label in labels:
        argument = f"phase {label}"
        material = material_from(asked[label], argument)
        shown = material.name if material.name != argument else names.get(label, argument)
        found.append(Constituent(label, str(shown), material))
    return tuple(found)


def parse_orientations(given: Any, image: VoxelImage | CompositeImage) -> np.ndarray | None:
    """Read orientations a label or a voxel.

    Args:
        given: Euler angles (..., 3) in radians (Bunge), quaternions (..., 4) or matrices (..., 3, 3), whose
            leading axes are one number a label, in the order of the image's phases, or the image's shape.
        image: the image.

    Returns:
        matrices (labels, 3, 3) or (voxels..., 3, 3), the rows the material's axes.
    """
    if given is None:
        return None
    found = np.asarray(given, dtype=float)
    lead = {"label": (len(image.phases),), "voxel": tuple(image.shape)}
    for front in lead.values():
        rest = found.shape[len(front) :]
        if found.shape[: len(front)] == front and rest in ((3, 3), (4,), (3,)):
            _refuse_unfinite(found)
            return _matrices(found, rest)
    raise InputError(
        "orientations",
        got=f"an array of shape {found.shape}",
        wanted=f"{lead['label']} or {lead['voxel']} and then (3,) Euler angles, (4,) quaternions or (3, 3)",
        cure="give one orientation a label in the order of image.phases, or one a voxel",
    )


def _matrices(found: np.ndarray, rest: tuple[int, ...]) -> np.ndarray:
    if rest == (3,):
        return orientations_from_euler(found)
    if rest == (4,):
        if not np.all(np.linalg.norm(found, axis=-1) > 0):
            raise InputError(
                "orientations",
                got="a quaternion of length zero",
                wanted="quaternions (w, x, y, z) of any length but zero",
                cure="write (1, 0, 0, 0) where nothing is turned",
            )
        return orientations_from_quaternions(found)
    gap = np.abs(found @ np.swapaxes(found, -1, -2) - np.eye(3)).max()
    if gap > 1e-6:
        raise InputError(
            "orientations",
            got=f"matrices whose rows are not orthonormal, by up to {gap:.2g}",
            wanted="rotation matrices",
            cure="normalise them",
        )
    return found


def _refuse_unfinite(found: np.ndarray) -> None:
    if not np.all(np.isfinite(found)):
        raise InputError(
            "orientations", got="NaN or infinity", wanted="finite numbers", cure="correct the array"
        )
