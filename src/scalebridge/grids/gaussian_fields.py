"""Thresholded Gaussian random fields on a periodic box: two-phase images with a given correlation function.

The field is a trigonometric polynomial, a finite sum of the box's own waves with random amplitudes. It is
therefore known exactly at every point, and the same on every grid that samples it.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy import fft
from scipy.special import gammaln, ndtri

from scalebridge.core.errors import ImageError
from scalebridge.core.threads import thread_count
from scalebridge.grids.box import box_edges, box_voxel, cell_shape, checked_fraction, checked_seed
from scalebridge.grids.geometry import Geometry, checked_points
from scalebridge.grids.image import VoxelImage

_MODES = (8, 16, 32, 64)  # waves along the longest edge that are tried, until enough of the variance is in
_ENOUGH = 0.999  # share of the variance at waves no shorter than those along the axes
_CHUNK = 1 << 24  # products at once when the field is summed at points

Voxel = float | Sequence[float] | None


@dataclass(frozen=True, eq=False)
class LevelCut(Geometry):
    """A Gaussian random field of mean 0 and variance 1, and the level above which points have label 1.

    f(x) = sum_m c_m exp(2 pi i sum_i m_i x_i / L_i),  |m_i| <= M_i.

    Args:
        amplitudes: c_m, complex, shape (2 M_0 + 1, ...), index M_i for m_i = 0; c_-m is the conjugate of c_m.
        powers: their variances E|c_m|^2, which add up to 1.
        level: in standard deviations.
        edges: of the box, shape (dim,), in units of the edge along x.
    """

    amplitudes: np.ndarray
    powers: np.ndarray
    level: float
    edges: np.ndarray

    def label_at(self, points: ArrayLike) -> np.ndarray:
        return (self.value_at(points) > self.level).astype(np.uint8)

    def value_at(self, points: ArrayLike) -> np.ndarray:
        """Return the field at points, shape (..., dim). Cost: a product for every point and wave."""
        places, shape = checked_points(points, self.edges.size)
        return _summed(self.amplitudes, places / self.edges).reshape(shape)

    def correlation_at(self, points: ArrayLike) -> np.ndarray:
        """Return the correlation of the field's values at two points that are so far apart, 1 at zero."""
        places, shape = checked_points(points, self.edges.size)
        return _summed(self.powers.astype(complex), places / self.edges).reshape(shape)

    def values(self, shape: tuple[int, ...]) -> np.ndarray:
        """Return the field at the centres of so many voxels. Cost: a Fourier transform of them."""
        last = shape[-1] // 2 + 1
        spectrum = np.zeros((*shape[:-1], last), dtype=complex)
        waves = [np.arange(n) - n // 2 for n in self.amplitudes.shape]
        # A voxel's centre is half a voxel from its corner; waves too short for the grid fold onto longer
        # ones.
        turned = self.amplitudes
        for axis, (wave, n) in enumerate(zip(waves, shape, strict=True)):
            turn = np.exp(1j * np.pi * wave / n)
            turned = turned * turn.reshape([-1 if other == axis else 1 for other in range(len(shape))])
        index = [wave % n for wave, n in zip(waves, shape, strict=True)]
        kept = np.flatnonzero(index[-1] < last)
        place = np.ix_(*index[:-1], index[-1][kept])
        if all(len(np.unique(along)) == along.size for along in index):
            spectrum[place] = turned[..., kept]
        else:
            np.add.at(spectrum, place, turned[..., kept])
        values: Any = fft.irfftn(spectrum, shape, workers=thread_count(), overwrite_x=True)
        return values * math.prod(shape)


def gaussian_field_image(
    cells: int | Sequence[int],
    *,
    length: float | Sequence[float],
    seed: int,
    volume_fraction: float | None = None,
    level: float | None = None,
    correlation: str = "gaussian",
    smoothness: float = 1.5,
    bandwidth: float = 0.1,
    modes: int | None = None,
    dim: int = 3,
    voxel: Voxel = None,
) -> VoxelImage:
    """Cut a periodic Gaussian random field: label 1 where it exceeds a level, 0 elsewhere.

    Correlation of the field at the distance r, with the length l:
        "gaussian"  exp(-r^2 / (2 l^2)): smooth surfaces of one size.
        "matern"    2^(1-s) / Gamma(s) (sqrt(2s) r/l)^s K_s(sqrt(2s) r/l) with the smoothness s; s = 1/2 is
                    exp(-r/l), a surface that is rough down to the shortest wave.
        "peaked"    waves whose wavelength is l to within the relative bandwidth: spinodal patterns.
    The waves of the box sample its spectrum; that of infinite length is left out, so that the field's mean
    over the box is zero.

    Args:
        cells: number of voxels, one number or one for each axis.
        length: l in units of the box's edge along x, one number or one for each axis. Below a quarter of the
            shortest edge the box holds enough of the field to look random.
        seed: whole number; the same seed gives the same field on any number of voxels.
        volume_fraction: share of label 1, exact in this image to a voxel: the level is the quantile of its
            own values.
        level: instead of the volume fraction, in standard deviations; 0 makes halves in the mean over seeds.
        correlation: "gaussian", "matern" or "peaked".
        smoothness: s, of "matern".
        bandwidth: standard deviation of the wavenumber relative to its mean, of "peaked".
        modes: how many waves along the longest edge of the box, the others in proportion. Unless given, so
            many that 99.9 % of the variance is in, but at most 64.
        dim: 3 or 2.
        voxel: edge length in metres, one or one for each axis.

    Returns:
        the periodic image; `source` has the `level`, the number of `modes` and the share of the spectrum's
        variance that they hold, `resolved_variance`. `exact_shapes` makes the field of it again.

    Raises:
        ImageError: an unknown correlation, an impossible number, or both or neither of fraction and level.

    Cost: a Fourier transform: 128^3 in 0.2 s; 16 bytes a voxel and a wave.

    Source: J. A. Quiblier (1984), J. Colloid Interface Sci. 98, 84, doi:10.1016/0021-9797(84)90481-8; surface
        of such images: M. Teubner (1991), Europhys. Lett. 14, 403, doi:10.1209/0295-5075/14/5/003.

    Example:
        >>> image = gaussian_field_image(32, length=0.1, volume_fraction=0.25, seed=5)
        >>> image.fractions[1]
        0.25
    """
    shape = cell_shape(cells, dim)
    size = box_voxel(voxel, shape)
    edges = box_edges(shape, size)
    _check_level(volume_fraction, level)
    description = {
        "correlation": correlation,
        "length": np.asarray(length, dtype=float).tolist(),
        "smoothness": _positive("smoothness", smoothness, 1.5),
        "bandwidth": _positive("bandwidth", bandwidth, 0.1),
        "modes": modes,
        "seed": checked_seed(seed),
        "edges": edges.tolist(),
    }
    field, resolved = _made(description)
    values = field.values(shape)
    cut = float(level) if level is not None else _quantile(values, float(volume_fraction or 0))
    source = {
        "generator": "gaussian_field_image",
        **description,
        "modes": max(field.powers.shape) // 2,
        "resolved_variance": resolved,
        "volume_fraction": volume_fraction,
        "level": cut,
    }
    return VoxelImage(values > cut, voxel=size, source=source)


def gaussian_level(volume_fraction: float) -> float:
    """Return the level that a Gaussian variable of variance 1 exceeds with a probability.

    Args:
        volume_fraction: the probability, between 0 and 1.

    Raises:
        ImageError: it is not between 0 and 1.

    Example:
        >>> gaussian_level(0.5), round(gaussian_level(0.1), 4)
        (0.0, 1.2816)
    """
    share = checked_fraction(volume_fraction, "volume_fraction", 1 - 1e-9, "everything is above the level")
    return float(-ndtri(share)) + 0.0


def level_cut(source: dict[str, Any]) -> LevelCut:
    """Make the field of an image again from its `source`."""
    field, _ = _made(source)
    return LevelCut(field.amplitudes, field.powers, source["level"], field.edges)


def _made(description: dict[str, Any]) -> tuple[LevelCut, float]:
    """Return the described field, cut at zero, and the share of the spectrum's variance that it holds."""
    edges = np.array(description["edges"])
    lengths = _checked_lengths(description["length"], edges.size)
    radial = _radial_density(
        description["correlation"], description["smoothness"], description["bandwidth"], edges.size
    )
    powers, resolved = _powers(radial, lengths, edges, description["modes"])
    rng = np.random.default_rng(description["seed"])
    return LevelCut(_drawn(powers, rng), powers, 0.0, edges), resolved


# ---------------------------------------------------------------------------------------------- spectrum

_Radial = Callable[[np.ndarray], np.ndarray]


def _radial_density(kind: str, smoothness: float, bandwidth: float, dim: int) -> _Radial:
    """Return the density of the variance over wave numbers for unit length; its integral, over 2 pi, is 1."""
    known: dict[str, _Radial] = {
        "gaussian": lambda q: (2 * np.pi) ** (dim / 2) * np.exp(-(q**2) / 2),
        "matern": lambda q: _matern(q, smoothness, dim),
        "peaked": lambda q: _peaked(q, bandwidth, dim),
    }
    if kind in known:
        return known[kind]
    wanted = f"one of {', '.join(known)}"
    raise ImageError("correlation", got=repr(kind), wanted=wanted, cure="choose one of them")


def _matern(q: np.ndarray, s: float, dim: int) -> np.ndarray:
    """C. E. Rasmussen and C. K. I. Williams (2006), Gaussian Processes for Machine Learning, eq. 4.15."""
    normal = dim / 2 * math.log(4 * math.pi) + gammaln(s + dim / 2) - gammaln(s) + s * math.log(2 * s)
    return np.exp(normal - (s + dim / 2) * np.log(2 * s + q**2))


def _peaked(q: np.ndarray, bandwidth: float, dim: int) -> np.ndarray:
    def bell(t: np.ndarray) -> np.ndarray:
        return np.exp(-((t - 1) ** 2) / (2 * bandwidth**2))

    t = np.linspace(max(0.0, 1 - 9 * bandwidth), 1 + 9 * bandwidth, 2001)
    sphere = 4 * np.pi if dim == 3 else 2 * np.pi
    return bell(q / (2 * np.pi)) / (sphere * np.trapezoid(t ** (dim - 1) * bell(t), t))


def _powers(
    radial: _Radial, lengths: np.ndarray, edges: np.ndarray, modes: int | None
) -> tuple[np.ndarray, float]:
    """Return the variance of each wave of the box, with sum 1, and the share of the spectrum that is in."""
    if modes is not None and not (isinstance(modes, int | np.integer) and 1 <= modes <= 512):
        cure = "write for example modes=32, or leave it out"
        raise ImageError("modes", got=repr(modes), wanted="a whole number from 1 to 512", cure=cure)
    powers, resolved = np.zeros(0), 0.0
    for most in _MODES if modes is None else (int(modes),):
        counts = np.ceil(most * edges / edges.max() - 1e-9).astype(int)
        waves = [
            2 * np.pi * length / edge * np.arange(-count, count + 1)
            for length, edge, count in zip(lengths, edges, counts, strict=True)
        ]
        squares: Any = sum(part**2 for part in np.ix_(*waves))
        powers = radial(np.sqrt(squares)) * float(np.prod(lengths / edges))
        resolved = _variance_below(radial, min(float(wave[-1]) for wave in waves), edges.size)
        if resolved >= _ENOUGH:
            break
    powers[tuple(n // 2 for n in powers.shape)] = 0.0
    total = float(powers.sum())
    if total > 0:
        return powers / total, resolved
    cure = "use a smaller length, or a wider bandwidth"
    raise ImageError("length", got=lengths.tolist(), wanted="waves that fit into the box", cure=cure)


def _variance_below(radial: _Radial, limit: float, dim: int) -> float:
    """Return the share of the variance at wave numbers below a limit, for unit length."""
    q = np.linspace(0.0, limit, 20_001)
    sphere = 4 * np.pi if dim == 3 else 2 * np.pi
    return min(float(np.trapezoid(sphere * q ** (dim - 1) * radial(q), q)) / (2 * np.pi) ** dim, 1.0)


def _drawn(powers: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw amplitudes of which opposite waves have conjugate ones, so that the field is real."""
    free = rng.standard_normal(powers.shape) + 1j * rng.standard_normal(powers.shape)
    return np.sqrt(powers) * (free + np.conj(np.flip(free))) / 2


def _summed(amplitudes: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Return the sum of the waves at points given in units of the edges, shape (count, dim)."""
    half = amplitudes.shape[-1] // 2
    # Of each pair of opposite waves one is enough: twice its real part.
    kept = amplitudes[..., half:] * np.where(np.arange(half + 1) == 0, 1.0, 2.0)
    waves = [np.arange(n) - n // 2 for n in amplitudes.shape[:-1]] + [np.arange(half + 1)]
    step, values = max(1, _CHUNK // (kept.size // (half + 1))), np.empty(len(places))
    for start in range(0, len(places), step):
        part = places[start : start + step]
        phases = [np.exp(2j * np.pi * np.outer(wave, part[:, i])) for i, wave in enumerate(waves)]
        total: Any = kept @ phases[-1]
        for phase in reversed(phases[:-1]):
            total = np.sum(total * phase, axis=-2)
        values[start : start + step] = total.real
    return values


def _quantile(values: np.ndarray, share: float) -> float:
    """Return a level above which exactly the share of the values lies, to one value."""
    above = min(max(round(share * values.size), 1), values.size - 1)
    ranked = np.partition(values, [values.size - above - 1, values.size - above], axis=None)
    return float(ranked[values.size - above - 1 : values.size - above + 1].mean())


def _checked_lengths(length: float | Sequence[float], dim: int) -> np.ndarray:
    given = np.asarray(length, dtype=float)
    if given.shape not in ((), (dim,)) or not np.all((given > 0) & np.isfinite(given)):
        cure = "give it in units of the box's edge along x, such as 0.1"
        raise ImageError("length", got=repr(length), wanted=f"a positive number, or {dim}", cure=cure)
    return np.broadcast_to(given, (dim,))


def _positive(name: str, value: float, example: float) -> float:
    if isinstance(value, int | float | np.number) and 0 < value < math.inf:
        return float(value)
    cure = f"write for example {name}={example}"
    raise ImageError(name, got=repr(value), wanted="a positive number", cure=cure)


def _check_level(volume_fraction: float | None, level: float | None) -> None:
    if (volume_fraction is None) == (level is None):
        got = "neither" if level is None else "both"
        cure = "pass exactly one of volume_fraction and level"
        raise ImageError("volume_fraction, level", got=got, wanted="one of them", cure=cure)
    if level is not None and not (isinstance(level, int | float | np.number) and math.isfinite(level)):
        cure = "give it in standard deviations, such as 0.5"
        raise ImageError("level", got=repr(level), wanted="a finite number", cure=cure)
    if volume_fraction is not None:
        gaussian_level(volume_fraction)
