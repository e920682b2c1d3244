"""From the tangent of an elastic cell to what is handed up, with derivatives by the materials' constants."""

import itertools
from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from scalebridge.cells.elastic_job import Constituent, ElasticJob
from scalebridge.cells.elasticity_host import HostElasticity
from scalebridge.grids.composite import CompositeImage
from scalebridge.grids.elastic_hexahedra import grid_axes, grid_axes_stiffness
from scalebridge.laws.stiffness_mixing import mixed_rows
from scalebridge.upscaling.rotations import mandel_rotation
from scalebridge.upscaling.tangent import Tangent, Watch, table_sensitivity, watched_tangent


@dataclass(frozen=True)
class ElasticAnswer:
    """What a solved elastic cell says, in the image's axes.

    Args:
        stiffness: (6, 6) Mandel, Pa, from energies.
        from_stresses: the same from mean stresses (mean strains under a uniform stress).
        expansion: (6,) Mandel, 1/K; None where no material expands.
        stress_per_kelvin: C* : a*, (6,), Pa/K; None likewise.
        heat: minus twice the free energy at no mean strain and one kelvin, Pa/K^2; None likewise or where
            the boundary does not tell it.
        tangent: the cell's tangent, along the grid's axes.
        model: the cell.
    """

    stiffness: np.ndarray
    from_stresses: np.ndarray
    expansion: np.ndarray | None
    stress_per_kelvin: np.ndarray | None
    heat: float | None
    tangent: Tangent
    model: HostElasticity

    @property
    def codes(self) -> list[int]:
        """How each load case ended."""
        return self.tangent.codes

    @property
    def gap(self) -> np.ndarray:
        """Difference of the two forms of the stiffness."""
        return np.abs(self.stiffness - self.from_stresses)


def answer_of(model: HostElasticity, dim: int, watch: Watch | None = None) -> ElasticAnswer:
    """Solve a cell's load cases.

    Args:
        model: the cell.
        dim: dimensions of the image, which tell its axes.
        watch: called while a solve runs.
    """
    return read_answer(model, watched_tangent(model, watch=watch), dim)


def read_answer(model: HostElasticity, tangent: Tangent, dim: int) -> ElasticAnswer:
    """Turn the cell's tangent into what it says."""
    value, answers = np.asarray(tangent.value), np.asarray(tangent.from_answers)
    stiffness, other = value[:6, :6], answers[:6, :6]
    expansion, own, heat = None, None, None
    if model.boundary == "uniform-stress":
        stiffness, other = np.linalg.inv(stiffness), np.linalg.inv(other)
        if model.thermal:
            expansion = value[:6, 6]
            own = stiffness @ expansion
    elif model.thermal:
        own, heat = -value[:6, 6], float(value[6, 6])
        expansion = np.linalg.lstsq(stiffness, own, rcond=1e-9)[0]
    turned = None if expansion is None else grid_axes(expansion, dim)
    return ElasticAnswer(
        grid_axes_stiffness(stiffness, dim),
        grid_axes_stiffness(other, dim),
        turned,
        None if own is None else grid_axes(own, dim),
        heat,
        tangent,
        model,
    )


@dataclass(frozen=True)
class ElasticSlopes:
    """Derivatives by the constants of the materials, by names such as "phase 1 young".

    Args:
        stiffness: (6, 6) each.
        expansion: (6,) each; empty where no material expands.
    """

    stiffness: dict[str, np.ndarray]
    expansion: dict[str, np.ndarray]


def slopes_of(job: ElasticJob, answer: ElasticAnswer) -> ElasticSlopes:
    """Return the derivatives of C* and a* by every constant, from the load cases already solved."""
    by_phase = _by_phase(job, _by_row(job, answer))
    stiffness, expansion = {}, {}
    for row, constituent in enumerate(job.constituents):
        chain = _chain(constituent, job)
        for name, (c_slope, a_slope) in chain.items():
            change = (
                by_phase[0][:, :, row].reshape(7, 7, 36) @ c_slope.reshape(36)
                + by_phase[1][:, :, row] @ a_slope
            )
            d_stiffness, d_expansion = _changes(answer, change, job.dim)
            stiffness[name] = d_stiffness
            if answer.expansion is not None and d_expansion is not None:
                expansion[name] = d_expansion
    return ElasticSlopes(stiffness, expansion)


def _chain(constituent: Constituent, job: ElasticJob) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Return dC and da by each constant of a material, unoriented, in the image's axes."""
    material = constituent.material
    if material.is_void:
        return {}
    values = np.asarray(material.values(job.temperature))
    by_c = np.asarray(jax.jacfwd(material.stiffness_of)(values))
    by_a = np.asarray(jax.jacfwd(material.expansion_of)(values))
    return {
        f"phase {constituent.label} {name}": (by_c[..., k], by_a[..., k])
        for k, name in enumerate(material.names)
    }


def _by_row(job: ElasticJob, answer: ElasticAnswer) -> tuple[np.ndarray, np.ndarray]:
    """Derivatives of the tangent (7, 7) by each row's C (6, 6) and a (6,), all in the image's axes."""
    found = table_sensitivity(answer.model, answer.tangent)
    count = found.shape[2]
    size = found.shape[0]
    by_c = np.zeros((7, 7, count, 6, 6))
    by_a = np.zeros((7, 7, count, 6))
    by_c[:size, :size] = grid_axes_stiffness(found[..., :36].reshape(size, size, count, 6, 6), job.dim)
    by_a[:size, :size] = grid_axes(found[..., 36:], job.dim)
    return by_c, by_a


def _by_phase(job: ElasticJob, by_row: tuple[np.ndarray, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Gather the rows of each phase, turned back into the axes in which its material is given."""
    by_c, by_a = by_row
    count = len(job.row_phase)
    if isinstance(job.image, CompositeImage):
        by_c, by_a = _from_mixed(job, by_c, by_a)
    if job.row_axes is not None:
        turn = mandel_rotation(job.row_axes)
        by_c = np.einsum("rik,...rkl,rjl->...rij", turn, by_c[:, :, :count], turn, optimize=True)
        by_a = np.einsum("rik,...rk->...ri", turn, by_a[:, :, :count])
    gathered_c = np.zeros((7, 7, len(job.constituents), 6, 6))
    gathered_a = np.zeros((7, 7, len(job.constituents), 6))
    for row, phase in enumerate(job.row_phase):
        gathered_c[:, :, phase] += by_c[:, :, row]
        gathered_a[:, :, phase] += by_a[:, :, row]
    return gathered_c, gathered_a


def _from_mixed(job: ElasticJob, by_c: np.ndarray, by_a: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Add the mixed voxels' derivatives to those of the pure phases whose layers they hold."""
    count = len(job.constituents)
    stiffness, expansion = (values[:count] for values in job.rows)
    pull = partial(
        mixed_rows,
        parts=job.image.parts,  # type: ignore[union-attr]
        normals=job.normals,
        yields=job.softening,
    )
    _, back = jax.vjp(pull, jnp.asarray(stiffness), jnp.asarray(expansion))
    pure_c, pure_a = by_c[:, :, :count].copy(), by_a[:, :, :count].copy()
    for i, j in itertools.combinations_with_replacement(range(7), 2):
        more_c, more_a = back((jnp.asarray(by_c[i, j, count:]), jnp.asarray(by_a[i, j, count:])))
        for a, b in {(i, j), (j, i)}:
            pure_c[a, b] += more_c
            pure_a[a, b] += more_a
    return pure_c, pure_a


def _changes(answer: ElasticAnswer, change: np.ndarray, dim: int) -> tuple[np.ndarray, np.ndarray | None]:
    """Turn a change of the tangent into changes of C* and a*, in the image's axes."""
    stiffness = grid_axes_stiffness(answer.stiffness, dim)  # back along the grid
    if answer.model.boundary == "uniform-stress":
        return grid_axes_stiffness(stiffness @ change[:6, :6] @ stiffness, dim), None
    found = grid_axes_stiffness(change[:6, :6], dim)
    if answer.expansion is None:
        return found, None
    expansion = grid_axes(answer.expansion, dim)
    moved = np.linalg.lstsq(stiffness, -change[:6, 6] - change[:6, :6] @ expansion, rcond=1e-9)[0]
    return found, grid_axes(moved, dim)
