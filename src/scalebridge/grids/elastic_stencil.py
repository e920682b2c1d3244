"""Trilinear hexahedra for elasticity in JAX: the same elements as the compiled loops', to be differentiated.

On each axis a linear function is its mean and its difference, so that a displacement is a sum of corner
modes, as in `grids/hexahedra.py`, and the gradient of a mode is another one's value. A strain is then a sum
over the functions 1, x, y, z, yz, xz, xy of a voxel's own coordinates, orthogonal to each other, with mean
squares 1, 1/12 and 1/144. The stiffness acts on each of the seven by itself: the constant one with C, the
others with that of the integration rule (C: full integration; C without its part in the volume: B-bar; none:
one point). So a product is a walk to corner modes, seven small products, and the walk back; no element
matrix is stored.

A grid has three axes, as in `grids/elastic_hexahedra.py`, whose `grid_index` and `grid_axes_stiffness` give a
planar image its own of one voxel. Fields put components first, (3, x, y, z) and (6, x, y, z), tensors are in
Mandel notation along the grid's axes.
"""

import itertools
import math
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Integer

from scalebridge.core import precision as _precision  # noqa: F401
from scalebridge.grids.discretisation import angles
from scalebridge.grids.elastic_hexahedra import ENGINEERING, Integration, varying_stiffness
from scalebridge.grids.hexahedra import Bits, Modes, corner_modes_of, nodal_forces
from scalebridge.grids.vector_transforms import WaveStiffness, christoffel_matrix

Case = tuple[Float[Array, "3 x y z"], Float[Array, " load"]]
"""A displacement, and its load: mean strain (6,) and, seventh if at all, a change of temperature."""

_ROOT = math.sqrt(1 / 12)  # of the mean square of a coordinate between -1/2 and 1/2
_FUNCTIONS: list[Bits] = [bits for bits in itertools.product((0, 1), repeat=3) if sum(bits) < 3]
_CONSTANT: Bits = (0, 0, 0)
_PLACE = ((0, 5, 4), (5, 1, 3), (4, 3, 2))  # of a pair of axes in Mandel notation
_TINY = 1e-30  # share of the cubed largest entry below which a wave's stiffness is zero

Strains = dict[int, Array]
"""Components by their place in Mandel notation; one that is not there vanishes."""


class ElasticMedium(eqx.Module):
    """The voxels' stiffness and thermal expansion, along the grid's axes.

    Args:
        stiffness: (rows, 6, 6) Mandel; of what is not symmetric the symmetric part counts.
        expansion: (rows, 6) Mandel, or None where there is no thermal case.
        index: row of every voxel, the grid's three axes.
    """

    stiffness: Float[Array, "rows 6 6"]
    expansion: Float[Array, "rows 6"] | None
    index: Integer[Array, "x y z"]

    def mean(self) -> Float[Array, "6 6"]:
        """Return the volume average of the stiffness."""
        counts = jnp.bincount(self.index.ravel(), length=self.stiffness.shape[0])
        return jnp.tensordot((counts / self.index.size).astype(self.stiffness.dtype), self.stiffness, 1)


class ElasticHexahedra(eqx.Module):
    """Trilinear elements on a periodic box of voxels.

    With full integration a conforming method of a minimum principle: the stiffness that it gives is never
    below (in Loewner's order) the exact one of the same voxels.

    Args:
        shape: number of voxels along the grid's three axes.
        spacing: length of a voxel's edges, in any unit: the answer depends on their ratios alone.
        rule: how the strains that vary within a voxel count, "full", "b-bar" or "reduced".

    Cost: some 20 fields of one component in memory where the law is isotropic or not.
    """

    shape: tuple[int, ...] = eqx.field(static=True)
    spacing: tuple[float, ...] = eqx.field(static=True)
    rule: Integration = eqx.field(static=True, default="full")

    def forces(
        self, medium: ElasticMedium, u: Float[Array, "3 x y z"], load: Float[Array, " load"] | None
    ) -> Float[Array, "3 x y z"]:
        """Return the derivative of half the energy in u: K u, plus the part of a load if given."""
        return nodal_forces(self._dual(self._stresses(medium, u, load)))

    def energy(self, medium: ElasticMedium, first: Case, second: Case) -> Float[Array, ""]:
        """Return the mean of  (e1 - a t1) : C : (e2 - a t2)  of two load cases."""
        strains, stresses = self._strains(medium, *first), self._stresses(medium, *second)
        return jnp.mean(
            sum(strains[bits][k] * stress for bits, parts in stresses.items() for k, stress in parts.items())
        )

    def strain_field(
        self, u: Float[Array, "3 x y z"], load: Float[Array, " load"]
    ) -> Float[Array, "6 x y z"]:
        """Return the strain averaged over each voxel; its mean is that of the load."""
        return _stack(self._strains(None, u, load[:6])[_CONSTANT])

    def stress_field(
        self, medium: ElasticMedium, u: Float[Array, "3 x y z"], load: Float[Array, " load"]
    ) -> Float[Array, "6 x y z"]:
        """Return  C : (e - a t)  averaged over each voxel; its mean is the macroscopic stress."""
        return _stack(_product(_columns(medium, medium.stiffness), self._strains(medium, u, load)[_CONSTANT]))

    @property
    def _functions(self) -> list[Bits]:
        """Functions of a voxel's coordinates whose strains count."""
        return [_CONSTANT] if self.rule == "reduced" else _FUNCTIONS

    def _strains(
        self, medium: ElasticMedium | None, u: Float[Array, "3 x y z"], load: Float[Array, " load"] | None
    ) -> dict[Bits, Strains]:
        """Elastic strains by function, each times the root of the function's mean square."""
        modes, found = corner_modes_of(u, 3), {}
        for bits in self._functions:
            found[bits] = parts = {}
            for axis, component, twin, factor in self._slopes(bits):
                term, place = factor * modes[twin][component], _PLACE[component][axis]
                parts[place] = parts[place] + term if place in parts else term
        if load is not None:
            for k in range(6):
                found[_CONSTANT][k] = found[_CONSTANT][k] + load[k]
                if load.size > 6 and medium is not None and medium.expansion is not None:
                    found[_CONSTANT][k] -= load[6] * medium.expansion[:, k][medium.index]
        return found

    def _stresses(
        self, medium: ElasticMedium, u: Float[Array, "3 x y z"], load: Float[Array, " load"] | None
    ) -> dict[Bits, Strains]:
        """Stresses by function, on the same footing as the strains."""
        constant = _columns(medium, medium.stiffness)
        varying = constant
        if self.rule == "b-bar":
            varying = _columns(medium, varying_stiffness(medium.stiffness, self.rule, jnp))
        return {
            bits: _product(constant if bits == _CONSTANT else varying, parts)
            for bits, parts in self._strains(medium, u, load).items()
        }

    def _dual(self, stresses: dict[Bits, Strains]) -> Modes:
        """The transpose of the strains: what stresses do to corner modes."""
        found: dict[Bits, list[Any]] = {}
        for bits, parts in stresses.items():
            for axis, component, twin, factor in self._slopes(bits):
                sums = found.setdefault(twin, [0.0, 0.0, 0.0])
                sums[component] = sums[component] + factor * parts[_PLACE[component][axis]]
        return {twin: jnp.stack(sums) for twin, sums in found.items()}

    def _slopes(self, bits: Bits) -> list[tuple[int, int, Bits, float]]:
        """Derivatives that vary like a function: axis, component, the corner mode, and its factor."""
        found = []
        for axis, component in itertools.product((a for a in range(3) if not bits[a]), range(3)):
            twin = tuple(int(a == axis) or b for a, b in enumerate(bits))
            shear = 1.0 if axis == component else math.sqrt(0.5)
            found.append((axis, component, twin, shear * _ROOT ** sum(bits) / self.spacing[axis]))
        return found


class ElasticGreen(eqx.Module):
    """The inverse of a homogeneous medium's stiffness: a forward and an inverse real transform a component.

    Source: as for `GreenOperator`; the stencil's own matrix for every wave as in
    `grids/vector_transforms.py`.

    Args:
        inverse: components 11, 22, 33, 23, 13, 12 on the half grid, 0 where nothing is to be inverted.
        shape: number of voxels along the grid's three axes.
    """

    inverse: Float[Array, "6 ..."]
    shape: tuple[int, ...] = eqx.field(static=True)

    @classmethod
    def of(cls, grid: ElasticHexahedra, reference: Float[Array, "6 6"]) -> "ElasticGreen":
        """Make the operator of a grid for a reference stiffness, in Mandel notation."""
        largest = jnp.max(jnp.abs(reference)) * max(1.0 / edge for edge in grid.spacing) ** 2
        plain = reference / largest  # the determinant is of the third power
        varying = varying_stiffness(plain, grid.rule, jnp)
        scale = np.outer(ENGINEERING, ENGINEERING)
        parts = [christoffel_matrix(part / scale) for part in (varying, plain - varying)]
        if grid.rule == "full":
            del parts[1]
        edges = [1.0 / edge for edge in grid.spacing]
        waves = WaveStiffness(
            tuple(angle.ravel() for angle in angles(grid.shape)),  # type: ignore[arg-type]
            (edges[0], edges[1], edges[2]),
            np.zeros((6, 6)),
            np.zeros((6, 6)),
        )
        factors = waves.factors(np.dtype(reference.dtype))
        k = [sum(_wave_sum(part[m], factors, 2 + n) for n, part in enumerate(parts)) for m in range(6)]
        return cls(_inverted(k) / largest, grid.shape)

    def __call__(self, residual: Float[Array, "3 x y z"]) -> Float[Array, "3 x y z"]:
        """Apply the operator."""
        x, y, z = jnp.fft.rfftn(residual, axes=(1, 2, 3))
        xx, yy, zz, yz, xz, xy = self.inverse
        moved = jnp.stack([xx * x + xy * y + xz * z, xy * x + yy * y + yz * z, xz * x + yz * y + zz * z])
        return jnp.fft.irfftn(moved, s=self.shape, axes=(1, 2, 3))


def _columns(medium: ElasticMedium, stiffness: Array) -> dict[tuple[int, int], Array]:
    """Entries of every voxel's stiffness."""
    symmetric = 0.5 * (stiffness + jnp.swapaxes(stiffness, 1, 2))
    upper = itertools.combinations_with_replacement(range(6), 2)
    return {(i, j): symmetric[:, i, j][medium.index] for i, j in upper}


def _product(columns: dict[tuple[int, int], Array], strains: Strains) -> Strains:
    """Stresses of strains, where there are any."""
    return {i: sum(columns[min(i, j), max(i, j)] * strains[j] for j in strains) for i in strains}  # type: ignore[misc]


def _stack(parts: Strains) -> Float[Array, "6 x y z"]:
    return jnp.stack([parts[k] for k in range(6)])


def _wave_sum(row: Float[Array, " 6"], factors: list[np.ndarray], mass: int) -> Any:
    """Sum over P_11 ... P_12 of a row's entries times them; `mass` is the row of M among the factors."""
    found: Any = 0.0
    for n, (i, j) in enumerate(((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))):
        term: Any = row[n]  # first, so that a traced entry meets vectors, not fields made of them
        for axis in range(3):
            kind = (1 if i == j else 0) if axis in (i, j) else mass
            term = term * factors[axis][kind].reshape([-1 if a == axis else 1 for a in range(3)])
        found = found + term
    return found


def _inverted(k: list[Any]) -> Float[Array, "6 ..."]:
    """Inverse of a symmetric 3 by 3 matrix of every wave, zero where the matrix is."""
    xx, yy, zz, yz, xz, xy = k
    minors = jnp.stack(
        [
            yy * zz - yz**2,
            xx * zz - xz**2,
            xx * yy - xy**2,
            xz * xy - xx * yz,
            xy * yz - yy * xz,
            yz * xz - zz * xy,
        ]
    )
    determinant = xx * minors[0] + xy * minors[5] + xz * minors[4]
    sound = determinant > _TINY
    return jnp.where(sound, minors, 0.0) / jnp.where(sound, determinant, 1.0)
