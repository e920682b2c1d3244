"""Laws at a point as units of an engine: a `PathLaw` for many points at once, or a linear law handed up."""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from scalebridge.cells.path_cell import PathCell
from scalebridge.core.errors import InputError, PhaseError
from scalebridge.core.model import HostLinearModel, LinearModel
from scalebridge.core.results import Outcome
from scalebridge.core.upscaled import Upscaled
from scalebridge.engine.hashing import hash_call
from scalebridge.engine.history_unit import BatchedUnit, HistoryUnit, UnitAnswer
from scalebridge.engine.path_sharing import PathShare
from scalebridge.grids.percolation import percolation
from scalebridge.laws.path_law import PathLaw, State
from scalebridge.structures.handed_up import stiffness_of
from scalebridge.structures.solid_mesh import SolidMesh

_LARGER = 10.0  # times the structure: no volume is, units mixed up are a thousand


@eqx.filter_jit
def _answers(law: PathLaw, loads: Array, states: State, dt: Array) -> tuple[Array, Array, State]:
    """Return stresses, tangents and states of many points."""
    shape = (3, 3) if law.finite else (6,)

    def one(load: Array, state: State) -> tuple[Array, Array, State]:
        given = load.reshape(shape)
        stress, after = law.respond(given, state, dt)
        return stress.ravel(), law.tangent(given, state, dt), after

    return jax.vmap(one)(loads, states)


class LawUnit:
    """A law at each point: answers for many points at once.

    Args:
        law: the law.

    Example:
        >>> from scalebridge.laws.hardening import LinearHardening
        >>> from scalebridge.laws.plastic import J2Plasticity
        >>> unit = LawUnit(J2Plasticity(4.0, 3.0, LinearHardening(0.3, 1.0)))
        >>> said = unit.respond(np.array([0.01, 0, 0, 0, 0, 0]), unit.rest())
        >>> said.outcome, said.answer.round(6).tolist()
        (0, [0.08, 0.02, 0.02, 0.0, 0.0, 0.0])
    """

    def __init__(self, law: PathLaw):
        self.law, self.finite = law, bool(law.finite)

    def rest(self) -> dict[str, np.ndarray]:
        """Return the internal variables before any load."""
        return {name: np.asarray(value, float) for name, value in self.law.rest().items()}

    def respond_many(
        self, loads: np.ndarray, states: Mapping[str, np.ndarray], dt: float
    ) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray], np.ndarray]:
        """Return answers (n, k), tangents (n, k, k), states and codes (n,) of many points."""
        given = {name: jnp.asarray(value) for name, value in states.items()}
        found = _answers(self.law, jnp.asarray(loads), given, jnp.asarray(float(dt)))
        stress, tangent = np.asarray(found[0]), np.asarray(found[1])
        sound = np.isfinite(stress).all(axis=1) & np.isfinite(tangent).all(axis=(1, 2))
        codes = np.where(sound, int(Outcome.converged), int(Outcome.breakdown))
        return stress, tangent, {name: np.asarray(value) for name, value in found[2].items()}, codes

    def respond(
        self,
        load: np.ndarray,
        state: Mapping[str, np.ndarray],
        dt: float = 0.0,
        *,
        hint: Mapping[str, np.ndarray] | None = None,
    ) -> UnitAnswer:
        """Answer one load; there is nothing to hint at."""
        lone = {name: np.asarray(value)[None] for name, value in state.items()}
        stress, tangent, after, codes = self.respond_many(np.asarray(load)[None], lone, dt)
        states = {name: value[0] for name, value in after.items()}
        return UnitAnswer(stress[0], tangent[0], states, None, int(codes[0]))

    def elastic(self) -> None:
        """Return None: a point's own law is as cheap as asking whether it is elastic."""

    def signature(self) -> str:
        """Return a hash of the law's kind and parameters."""
        leaves, tree = jax.tree_util.tree_flatten(self.law)
        return hash_call(type(self.law), "1", {"tree": str(tree), "leaves": [np.asarray(x) for x in leaves]})


class LinearUnit:
    """A linear law without memory: stress = C . strain.

    Args:
        stiffness: (6, 6) C in Mandel notation, Pa.
    """

    finite = False

    def __init__(self, stiffness: np.ndarray):
        self.stiffness = np.asarray(stiffness, float)

    def rest(self) -> dict[str, np.ndarray]:
        """Return nothing: it has no memory."""
        return {}

    def respond_many(
        self, loads: np.ndarray, states: Mapping[str, np.ndarray], dt: float
    ) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray], np.ndarray]:
        """Return answers (n, 6), tangents (n, 6, 6), no states and codes (n,) of many points."""
        tangents = np.broadcast_to(self.stiffness, (len(loads), 6, 6))
        return loads @ self.stiffness.T, tangents, {}, np.zeros(len(loads), dtype=np.int64)

    def respond(
        self,
        load: np.ndarray,
        state: Mapping[str, np.ndarray],
        dt: float = 0.0,
        *,
        hint: Mapping[str, np.ndarray] | None = None,
    ) -> UnitAnswer:
        """Answer one load."""
        return UnitAnswer(self.stiffness @ load, self.stiffness, {})

    def elastic(self) -> None:
        """Return None: asking is as cheap."""

    def signature(self) -> str:
        """Return a hash of the stiffness."""
        return hash_call(LinearUnit, "1", {"stiffness": self.stiffness})


def unit_of(material: Any) -> HistoryUnit:
    """Return what integration points ask, of whatever stands for a material.

    Args:
        material: a `PathLaw`; a stiffness as `effective_stiffness` returns it (an `Upscaled`) or as an array
            (6, 6) in Mandel notation; the cell of elasticity itself, or any linear model that answers a mean
            strain; or a unit with a history, such as a `PathCell`.

    Raises:
        InputError: it is none of these, or a stiffness that is not positive definite.

    Example:
        >>> unit_of(np.eye(6)).respond(np.ones(6), {}).answer.tolist()
        [1.0, 1.0, 1.0, 1.0, 1.0, 1.0]
    """
    if isinstance(material, PathLaw):
        _refuse_averaged(material)
        return LawUnit(material)
    if isinstance(material, Upscaled | LinearModel | HostLinearModel | np.ndarray | list | tuple):
        return LinearUnit(stiffness_of(material))
    if isinstance(material, HistoryUnit):
        return material
    raise InputError(
        "material",
        got=f"a {type(material).__name__}",
        wanted="a law, a stiffness (6, 6), an Upscaled stiffness, a linear model, or a unit with a history",
        cure="make one with constitutive_law, a volume of an image and its laws with representative_volume, "
        "or pass what effective_stiffness returned",
    )


def _refuse_averaged(law: PathLaw) -> None:
    length = float(getattr(law, "averaging", 0.0))
    if length > 0:
        raise InputError(
            "material",
            got=f"a law whose strain is to be averaged over {length:.4g} m",
            wanted="a law of the point itself: no average is taken over the points of a structure",
            cure="give the law fracture_energy and length, the width of an element, or put it into a "
            "representative_volume, where the average is taken",
        )


def describe_unit(unit: Any) -> dict[str, str]:
    """Return in words what the points ask: laws with their numbers, and the representative volume.

    Example:
        >>> describe_unit(unit_of(np.eye(6)))["material"]
        'a linear stiffness, 1 to 1 Pa (its eigenvalues)'
    """
    if isinstance(unit, LinearUnit):
        values = np.linalg.eigvalsh(unit.stiffness)
        return {"material": f"a linear stiffness, {values[0]:.5g} to {values[-1]:.5g} Pa (its eigenvalues)"}
    if isinstance(unit, LawUnit):
        return {"material": f"{_law_text(unit.law)}, in SI units"}
    if not isinstance(unit, PathCell):
        return {"material": type(unit).__name__}
    counts = " x ".join(str(n) for n in unit.index.shape)
    edges = f"{unit.spacing[0]:.5g}"
    if len(set(unit.spacing)) > 1:
        edges = ", ".join(f"{edge:.5g}" for edge in unit.spacing)
    shares = np.bincount(unit.index.ravel(), minlength=len(unit.laws)) / unit.index.size
    laws = {
        f"law of phase {phase}": f"{_phase_text(law)}; {share:.2%} of the volume"
        for phase, (law, share) in enumerate(zip(unit.laws, shares, strict=True))
    }
    return {"representative volume": f"{counts} voxels with edges of {edges} m", **laws}


def _phase_text(law: PathLaw) -> str:
    return f"{_law_text(law)}, in SI units" if np.any(np.asarray(law.stiffness())) else "void"


def _law_text(part: Any) -> str:
    """Name a law, or a part of one, and its numbers, in SI units."""
    told = []
    for one in fields(part):
        value = getattr(part, one.name)
        name = one.name.replace("_", " ")
        if is_dataclass(value):
            told.append(f"{name}: {_law_text(value)}")
        elif value is not None and np.asarray(value).dtype.kind in "fiu":
            told.append(f"{name} {_numbers_text(np.asarray(value))}")
    return f"{type(part).__name__} ({', '.join(told)})" if told else type(part).__name__


def _numbers_text(value: np.ndarray) -> str:
    return f"{value:.5g}" if value.ndim == 0 else np.array2string(value, precision=5, threshold=6)


def volume_edge(unit: Any) -> float:
    """Return the largest edge of a unit's representative volume, m; 0 for a law at a point."""
    if not isinstance(unit, PathCell):
        return 0.0
    return max(n * edge for n, edge in zip(unit.index.shape, unit.spacing, strict=True))


def refuse_scales(solid: SolidMesh, unit: Any) -> None:
    """Refuse a representative volume that is far larger than its structure: units are mixed up.

    Raises:
        InputError: it is.
    """
    edge, size = volume_edge(unit), float(solid.size.max())
    if edge > _LARGER * size:
        raise InputError(
            "mesh",
            got=f"a structure of {size:.3g} m with a representative volume of {edge:.3g} m",
            wanted="a volume that is smaller than the structure, in the same units",
            cure="check the unit of the mesh, and give the voxel's edge with its unit",
        )


def refuse_cut(unit: Any) -> None:
    """Refuse a representative volume whose solid does not hang together in every direction.

    Such a volume has no stiffness in some direction, and a structure of it no single equilibrium.

    Raises:
        PhaseError: it does not, not even through corners of voxels.
    """
    if not isinstance(unit, PathCell):
        return
    carries = np.array([bool(np.any(np.asarray(law.stiffness()))) for law in unit.laws])
    solid = carries[unit.index]
    found = None if solid.all() else percolation(solid, connectivity=3)
    if found is None or any(len(one) == 3 for one in found.cluster_windings):
        return
    cut = ", ".join(axis for axis, through in zip("xyz", found.directions, strict=True) if not through)
    raise PhaseError(
        "material",
        got="a representative volume that void cuts" + (f" across {cut}" if cut else " into loose parts"),
        wanted="solid that reaches from each face to its copy, all in one piece",
        cure="take a larger or another part of the image, or give the pore a soft law",
    )


def refuse_cheap(share: PathShare | None, unit: Any) -> None:
    """Refuse shared answers where each point's own is a formula: looking for equal paths costs more.

    Raises:
        InputError: points share, and the unit answers for many at once.
    """
    if share is not None and isinstance(unit, BatchedUnit):
        raise InputError(
            "share",
            got=f"{share.tolerance:.3g}, with a law at each point",
            wanted="a representative volume at each point",
            cure="leave share out: a law is evaluated sooner than points are compared",
        )


def scale_notes(solid: SolidMesh, unit: Any, elements: int) -> tuple[str, ...]:
    """Say where a representative volume is larger than an element: scales are then not apart."""
    edge = volume_edge(unit)
    element = float(np.prod(solid.size) / elements) ** (1 / solid.dim)
    if edge <= element:
        return ()
    return (
        f"The representative volume ({edge:.3g} m) is larger than an element (some {element:.3g} m): "
        "gradients over it are not seen by it, and the scales are not apart.",
    )
