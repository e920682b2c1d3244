"""How anisotropic a tensor is: principal values, and the nearest tensor of each symmetry in any orientation.

Conductivities and other symmetric second-order tensors, and stiffnesses in Mandel notation. The nearest
tensor of a symmetry in given axes is the mean over the symmetry's rotations; the axes are those that make the
distance smallest. Distances are relative, in the Frobenius norm: |T - T_sym| / |T|.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from scalebridge.core.upscaled import plain
from scalebridge.upscaling.rotations import rotate_tensor
from scalebridge.upscaling.symmetry_groups import checked_tensor, project_symmetry, symmetry_names
from scalebridge.upscaling.symmetry_search import leading_part, nearest_axes

_DISTINGUISHED = ("transversely isotropic", "tetragonal", "trigonal", "monoclinic")


@dataclass(frozen=True, eq=False)
class SymmetryFit:
    """The nearest tensor of one symmetry.

    Args:
        name: the symmetry.
        tensor: that tensor, in the given tensor's own axes.
        distance: |T - T_sym| / |T|, 0 to 1.
        axes: shape (d, d), unit vectors of the symmetry's axes in rows; the distinguished one, if any, last.
        components: the nearest tensor along these axes.
    """

    name: str
    tensor: np.ndarray
    distance: float
    axes: np.ndarray
    components: np.ndarray

    @property
    def axis(self) -> np.ndarray | None:
        """The distinguished axis of a transversely isotropic, tetragonal, trigonal or monoclinic tensor."""
        return self.axes[-1] if self.name in _DISTINGUISHED else None


@dataclass(frozen=True, eq=False)
class Anisotropy:
    """How anisotropic a tensor is.

    Args:
        tensor: the tensor.
        order: 2, or 4 for a stiffness in Mandel notation.
        principal_values: eigenvalues, largest first; those of a stiffness are Kelvin's moduli.
        principal_axes: eigenvectors in rows: directions, or strains in Mandel notation.
        fits: the nearest tensor of each symmetry, most symmetric first.
        universal_index: 0 for an isotropic tensor, infinite for one that is not positive definite.
        zener_ratio: 2 C44 / (C11 - C12) of the nearest cubic (in the plane, square) stiffness in its axes, 1
            for an isotropic one; None for tensors of second order.
    """

    tensor: np.ndarray
    order: int
    principal_values: np.ndarray
    principal_axes: np.ndarray
    fits: dict[str, SymmetryFit]
    universal_index: float
    zener_ratio: float | None

    @property
    def ratio(self) -> float:
        """Largest over smallest principal value; infinite where that is not positive."""
        low = float(self.principal_values[-1])
        return float(self.principal_values[0]) / low if low > 0 else math.inf

    def symmetry(self, tolerance: float = 0.01) -> str:
        """Return the name of the highest symmetry whose distance is at most a tolerance.

        Args:
            tolerance: relative distance; take the tensor's own relative error, or what the use forgives.

        Returns:
            the name; "triclinic" for a stiffness that is near none.
        """
        for name, fit in self.fits.items():
            if fit.distance <= tolerance:
                return name
        return "triclinic"

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain data."""
        fits = {
            name: {
                "distance": fit.distance,
                "axes": fit.axes,
                "tensor": fit.tensor,
                "components": fit.components,
            }
            for name, fit in self.fits.items()
        }
        return plain(
            {
                "order": self.order,
                "principal_values": self.principal_values,
                "principal_axes": self.principal_axes,
                "ratio": self.ratio,
                "universal_index": self.universal_index,
                "zener_ratio": self.zener_ratio,
                "nearest": fits,
            }
        )

    def __str__(self) -> str:
        lines = ["principal values   " + "  ".join(f"{value:.6g}" for value in self.principal_values)]
        if self.order == 2:
            lines += [f"principal axis     {_vector(axis)}" for axis in self.principal_axes]
        lines.append(f"largest / smallest {self.ratio:.6g}")
        lines.append(f"universal index    {self.universal_index:.6g}")
        if self.zener_ratio is not None:
            lines.append(f"Zener ratio        {self.zener_ratio:.6g}")
        for name, fit in self.fits.items():
            along = "" if fit.axis is None else f"  about {_vector(fit.axis)}"
            lines.append(f"{name:<24}{fit.distance:9.3%} away{along}")
        return "\n".join(lines)


def anisotropy(tensor: Any, *, order: int = 2) -> Anisotropy:
    """Find a tensor's principal values and the nearest tensor of each symmetry over all orientations.

    In given axes the nearest tensor is the mean over the rotations of the symmetry's group,
    T_sym = (1/|G|) sum_g Q_g T Q_g', an orthogonal projection. Axes: for second order from the eigenvectors,
    exactly; for stiffnesses by Newton's method from starts all over the rotations, so that a tensor that
    has a symmetry in some axes is recognised to rounding.

    Symmetries. Second order: isotropic, transversely isotropic (in space), orthotropic, which all are.
    Stiffness: isotropic, cubic, transversely isotropic, tetragonal, trigonal, orthotropic, monoclinic; in the
    plane isotropic, square, orthotropic.

    Args:
        tensor: symmetric, (2, 2) or (3, 3) of second order in any unit; or a stiffness or compliance in
            Mandel notation (11, 22, 33, 23, 13, 12), (6, 6), in the plane (11, 22, 12), (3, 3).
        order: 2 or 4. A (3, 3) array may be either, so it has to be said.

    Returns:
        principal values and axes, the nearest tensors, and the universal index
        T_V : (T^-1)_V - n, with the isotropic parts of the tensor and of its inverse and n rows, which is
        5 G_V/G_R + K_V/K_R - 6 for a stiffness.

    Raises:
        InputError: not a symmetric matrix of finite numbers, or not of a shape that the order has. An
            asymmetry up to 1e-6 of the largest component is taken for rounding and averaged away.

    Limits: two symmetries may be equally near; the axes are then one choice of several. The nearest tensor
        depends on the norm: that of the stiffness is not the inverse of that of the compliance.

    Cost: second order none; a stiffness about 0.15 s in space.

    Source: D. C. Gazis, I. Tadjbakhsh and R. A. Toupin (1963), Acta Cryst. 16, 917,
        doi:10.1107/S0365110X63002449 (projection); M. Moakher and A. N. Norris (2006), J. Elast. 85, 215,
        doi:10.1007/s10659-006-9082-0; J. T. Browaeys and S. Chevrot (2004), Geophys. J. Int. 159, 667,
        doi:10.1111/j.1365-246X.2004.02415.x (starts); S. I. Ranganathan and M. Ostoja-Starzewski (2008),
        Phys. Rev. Lett. 101, 055504, doi:10.1103/PhysRevLett.101.055504 (index).

    Example:
        >>> found = anisotropy(np.diag([1.0, 1.0, 3.0]))
        >>> found.symmetry(), found.fits["transversely isotropic"].axis.tolist(), found.ratio
        ('transversely isotropic', [0.0, 0.0, 1.0], 3.0)
    """
    given, dim = checked_tensor(tensor, order)
    values, vectors = np.linalg.eigh(given)
    axes = np.where(leading_part(vectors.T[::-1]) < 0, -1.0, 1.0) * vectors.T[::-1]
    fits = [_isotropic_fit(given, dim, order)]
    if order == 2:
        fits += _second_order_fits(given, values[::-1], axes)
    else:
        fits += [_stiffness_fit(given, dim, name) for name in symmetry_names(dim)]
    return Anisotropy(
        tensor=given,
        order=order,
        principal_values=values[::-1].copy(),
        principal_axes=axes,
        fits={fit.name: fit for fit in fits},
        universal_index=_universal_index(given, dim, order, values),
        zener_ratio=None if order == 2 else _zener_ratio(fits[1].components, dim),
    )


def _stiffness_fit(tensor: np.ndarray, dim: int, name: str) -> SymmetryFit:
    axes = nearest_axes(tensor, dim, name)
    return _fit(name, tensor, project_symmetry(tensor, name, axes), axes, 4)


def _second_order_fits(tensor: np.ndarray, values: np.ndarray, axes: np.ndarray) -> list[SymmetryFit]:
    frame = axes.copy()
    frame[-1] *= np.linalg.det(axes)
    orthotropic = _fit("orthotropic", tensor, tensor, frame, 2)
    if len(values) == 2:
        return [orthotropic]
    # The distance is a concave function of the value along the axis, so an outer principal value is that.
    last = 0 if values[0] - values[1] > values[1] - values[2] else 2
    order = [1, 2, 0] if last == 0 else [0, 1, 2]
    turned = axes[order]
    turned[0] *= np.linalg.det(turned)
    own = np.diag([(values[order[0]] + values[order[1]]) / 2] * 2 + [values[last]])
    return [_fit("transversely isotropic", tensor, rotate_tensor(own, turned.T), turned, 2), orthotropic]


def _isotropic_fit(tensor: np.ndarray, dim: int, order: int) -> SymmetryFit:
    return _fit("isotropic", tensor, _isotropic(tensor, dim, order), np.eye(dim), order)


def _isotropic(tensor: np.ndarray, dim: int, order: int) -> np.ndarray:
    """Return the mean over all rotations: c I, or 3K J + 2G (I - J) with the projector J on spheres."""
    if order == 2:
        return np.trace(tensor) / dim * np.eye(dim)
    sphere = np.zeros(len(tensor))
    sphere[:dim] = 1 / math.sqrt(dim)
    bulk = sphere @ tensor @ sphere
    shear = (np.trace(tensor) - bulk) / (len(tensor) - 1)
    projector = np.outer(sphere, sphere)
    return bulk * projector + shear * (np.eye(len(tensor)) - projector)


def _fit(name: str, given: np.ndarray, nearest: np.ndarray, axes: np.ndarray, order: int) -> SymmetryFit:
    scale = float(np.linalg.norm(given)) or 1.0
    distance = float(np.linalg.norm(given - nearest)) / scale
    return SymmetryFit(name, nearest, distance, axes, rotate_tensor(nearest, axes, order))


def _universal_index(tensor: np.ndarray, dim: int, order: int, values: np.ndarray) -> float:
    if values[0] <= 1e-14 * values[-1]:
        return math.inf
    voigt, reuss = _isotropic(tensor, dim, order), _isotropic(np.linalg.inv(tensor), dim, order)
    return max(float(np.sum(voigt * reuss)) - len(tensor), 0.0)


def _zener_ratio(own: np.ndarray, dim: int) -> float:
    difference = own[0, 0] - own[0, 1]
    return float(own[dim, dim] / difference) if difference else math.inf


def _vector(axis: np.ndarray) -> str:
    return "(" + ", ".join(f"{0.0 if abs(part) < 5e-7 else part:.6g}" for part in axis) + ")"
