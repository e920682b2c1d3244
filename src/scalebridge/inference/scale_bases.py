"""Bases whose columns belong to scales: wavelets, bands of waves, trends, block means, own columns.

All but own columns, and bands on scattered points, are orthonormal and orthogonal to the constant, so that
the sum of squares that a scale explains does not depend on the others.
"""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from scipy import linalg

from scalebridge.core.errors import InputError
from scalebridge.io.stored import nearest, need

BasisName = Literal["wavelet", "fourier", "polynomial", "blocks"]
NAMES = ("wavelet", "fourier", "polynomial", "blocks")
_RANK = 1e-8
_DEGREES = 8
_REGULAR = 1e-6


@dataclass(frozen=True)
class ScaleBasis:
    """Columns that belong to scales, coarse ones first; the constant is not among them.

    Args:
        names: of the scales.
        columns: (n, p).
        owner: scale of each column, (p,), rising.
        orthonormal: whether columns are orthonormal and orthogonal to the constant.
    """

    names: tuple[str, ...]
    columns: np.ndarray
    owner: np.ndarray
    orthonormal: bool

    @property
    def sizes(self) -> np.ndarray:
        """Number of columns of each scale."""
        return np.bincount(self.owner, minlength=len(self.names))

    def chosen(self, mask: np.ndarray) -> np.ndarray:
        """Return the columns of some scales."""
        return self.columns[:, mask[self.owner]]


def make_basis(
    basis: BasisName | Mapping[str, Any],
    count: int,
    at: np.ndarray | None,
    wavelet: str = "db4",
    boundary: Literal["periodic", "interval"] = "periodic",
    levels: int | None = None,
) -> ScaleBasis:
    """Make the columns of every scale.

    Args:
        basis: "wavelet", "fourier", "polynomial", "blocks", or own columns by the scale's name.
        count: number of values.
        at: their positions, rising; regular unless given.
        wavelet: name of an orthonormal wavelet of PyWavelets (extra `wavelets`).
        boundary: of wavelets: "periodic", or "interval" for signals that do not repeat, of any length.
        levels: number of scales; as many as there are unless given.

    Raises:
        InputError: an unknown basis, wavelets on scattered points or of an odd length, columns of another
            length.
        MissingExtraError: wavelets without PyWavelets.
    """
    if isinstance(basis, Mapping):
        return own_columns(basis, count)
    if basis not in NAMES:
        raise InputError(
            "basis",
            got=repr(basis),
            wanted=f"columns by name, or one of {', '.join(NAMES)}",
            cure=nearest(str(basis), NAMES),
        )
    places = np.arange(count, dtype=float) if at is None else at
    if basis == "polynomial":
        return polynomial_trends(places, levels or min(_DEGREES, count - 2))
    if basis == "blocks":
        return block_means(places, levels)
    regular = bool(np.ptp(np.diff(places)) <= _REGULAR * (places[-1] - places[0]) / count)
    if basis == "fourier":
        return fourier_bands(places, levels, regular=regular)
    if not regular:
        raise InputError(
            "basis",
            got="'wavelet' at positions that are not equally spaced",
            wanted="a regular grid",
            cure="use basis='blocks' (the Haar wavelet on any points), or interpolate first",
        )
    return wavelet_scales(count, wavelet, boundary, levels)


def wavelet_scales(count: int, wavelet: str, boundary: str, levels: int | None) -> ScaleBasis:
    """Return wavelets on a regular grid by scale.

    Args:
        count: number of values; with "periodic" even.
        wavelet: name of an orthonormal wavelet.
        boundary: "periodic" or "interval" (restricted to the grid and made orthonormal from coarse to fine).
        levels: number of scales.
    """
    pywt = need("pywt", extra="wavelets", purpose="basis='wavelet'")
    known = pywt.wavelist(kind="discrete")
    if wavelet not in known or not pywt.Wavelet(wavelet).orthogonal:
        raise InputError(
            "wavelet", got=repr(wavelet), wanted="an orthonormal wavelet", cure=nearest(str(wavelet), known)
        )
    if boundary not in ("periodic", "interval"):
        raise InputError(
            "boundary", got=repr(boundary), wanted="'periodic' or 'interval'", cure="choose one of them"
        )
    length = count if boundary == "periodic" else 2 ** (int(np.ceil(np.log2(count))) + 1)
    most = (length & -length).bit_length() - 1
    if most < 1:
        raise InputError(
            "values", got=f"{count} of them", wanted="an even number", cure="pass boundary='interval'"
        )
    depth = min(levels or most, most)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of filters longer than the coarsest scale, meant here
        parts = pywt.wavedec(np.eye(length), wavelet, mode="periodization", level=depth, axis=1)
    if boundary == "periodic":
        spacing = [2 ** (depth - i) for i in range(depth)]
        smooth = _orthonormal(parts[0], np.ones((count, 1)) / np.sqrt(count))
        groups = ([("smooth", smooth)] if smooth.shape[1] else []) + [
            (f"length {step}", part) for step, part in zip(spacing, parts[1:], strict=True)
        ]
        return _gathered(groups, orthonormal=True)
    return _restricted(parts, count, depth)


def _restricted(parts: list[np.ndarray], count: int, depth: int) -> ScaleBasis:
    """Restrict a periodic basis to the first values and make it orthonormal, coarse scales first."""
    known = np.ones((count, 1)) / np.sqrt(count)
    groups = []
    for i, part in enumerate(parts):
        own = _orthonormal(part[:count], known)
        if own.shape[1]:
            groups.append(("smooth" if i == 0 else f"length {2 ** (depth + 1 - i)}", own))
            known = np.concatenate([known, own], axis=1)
    return _gathered(groups, orthonormal=True)


def _orthonormal(columns: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Return an orthonormal basis of what columns add to known ones, which are orthonormal."""
    left = columns
    for _ in range(2):  # once more, because the first time leaves roundings
        left = left - known @ (known.T @ left)
    factors: Any = linalg.qr(left, mode="economic", pivoting=True)
    q, diagonal = factors[0], np.abs(np.diag(factors[1]))
    return q[:, diagonal > _RANK * max(1.0, float(np.max(np.linalg.norm(columns, axis=0), initial=0.0)))]


def fourier_bands(places: np.ndarray, levels: int | None, *, regular: bool) -> ScaleBasis:
    """Return sines and cosines by octave: waves 1, 2-3, 4-7, ... over the extent."""
    count = len(places)
    period = (places[-1] - places[0]) * count / (count - 1)
    highest = (count - 1) // 2 if regular else max(1, count // 4)
    bands = int(np.floor(np.log2(highest))) + 1
    phase = 2.0 * np.pi * (places - places[0]) / period
    groups = []
    for band in range(min(levels or bands, bands)):
        first, last = 2**band, min(2 ** (band + 1) - 1, highest)
        waves = np.arange(first, last + 1)
        own = np.sqrt(2.0 / count) * np.concatenate(
            [np.cos(phase[:, None] * waves), np.sin(phase[:, None] * waves)], axis=1
        )
        groups.append((f"waves {first}" if first == last else f"waves {first}-{last}", own))
    if regular and count % 2 == 0 and len(groups) == bands:
        last = np.cos(np.pi * np.arange(count))[:, None] / np.sqrt(count)
        name, own = groups[-1]
        groups[-1] = (name, np.concatenate([own, last], axis=1))
    return _gathered(groups, orthonormal=regular)


def polynomial_trends(places: np.ndarray, degrees: int) -> ScaleBasis:
    """Return the discrete orthonormal polynomials of degree 1, 2, ... on any points."""
    scaled = 2.0 * (places - places[0]) / (places[-1] - places[0]) - 1.0
    columns = np.polynomial.legendre.legvander(scaled, degrees)
    q, r = np.linalg.qr(columns)
    if np.min(np.abs(np.diag(r))) < _RANK * np.max(np.abs(np.diag(r))):
        raise InputError(
            "levels", got=f"{degrees} degrees", wanted="fewer than points", cure="pass fewer levels"
        )
    return _gathered([(f"degree {d}", q[:, d : d + 1]) for d in range(1, degrees + 1)], orthonormal=True)


def block_means(places: np.ndarray, levels: int | None) -> ScaleBasis:
    """Return the contrasts of halves, quarters, ... of the extent: Haar's wavelet on any points."""
    blocks = [(np.arange(len(places)), float(places[0]), float(places[-1]))]
    groups: list[tuple[str, np.ndarray]] = []
    extent = places[-1] - places[0]
    for level in range(levels or 60):
        contrasts, halves = [], []
        for index, low, high in blocks:
            middle = 0.5 * (low + high)
            left = index[places[index] <= middle] if len(index) > 1 else index
            right = index[places[index] > middle] if len(index) > 1 else index[:0]
            halves += [(left, low, middle)] * bool(len(left)) + [(right, middle, high)] * bool(len(right))
            if len(left) and len(right):
                contrasts.append(_contrast(len(places), left, right))
        blocks = halves
        if contrasts:
            groups.append((f"blocks of {extent / 2 ** (level + 1):.3g}", np.stack(contrasts, axis=1)))
        if all(len(index) == 1 for index, _, _ in blocks):
            break
    return _gathered(groups, orthonormal=True)


def _contrast(count: int, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    found = np.zeros(count)
    total = len(left) + len(right)
    found[left] = np.sqrt(len(right) / (len(left) * total))
    found[right] = -np.sqrt(len(left) / (len(right) * total))
    return found


def own_columns(given: Mapping[str, Any], count: int) -> ScaleBasis:
    """Return own columns by scale; they are centred.

    Raises:
        InputError: none, of another length, not finite, or made of the others.
    """
    groups = []
    for name, columns in given.items():
        own = _matrix(name, columns, count)
        groups.append((str(name), own - own.mean(axis=0)))
    if not groups:
        raise InputError("basis", got="no columns", wanted="one scale or more", cure="pass {'name': columns}")
    found = _gathered(groups, orthonormal=False)
    scale = np.linalg.norm(found.columns, axis=0)
    if np.any(scale == 0) or np.linalg.matrix_rank(found.columns / np.maximum(scale, 1e-300), 1e-10) < len(
        scale
    ):
        raise InputError(
            "basis",
            got=f"{len(scale)} columns of which some are constant or made of the others",
            wanted="columns that each add something",
            cure="leave out what is said twice",
        )
    gram = found.columns.T @ found.columns
    flat = bool(np.max(np.abs(gram - np.eye(len(gram)))) < 1e-10)
    return ScaleBasis(found.names, found.columns, found.owner, flat)


def _matrix(name: str, columns: Any, count: int) -> np.ndarray:
    try:
        own = np.asarray(columns, float)
    except (TypeError, ValueError) as error:
        raise InputError(
            f"basis[{name!r}]", got=type(columns).__name__, wanted="numbers", cure="pass an array"
        ) from error
    own = own[:, None] if own.ndim == 1 else own
    if own.ndim != 2 or len(own) != count or not own.shape[1] or not np.all(np.isfinite(own)):
        raise InputError(
            f"basis[{name!r}]",
            got=f"shape {own.shape}" if np.all(np.isfinite(own)) else "numbers that are not finite",
            wanted=f"finite columns of {count} values",
            cure="pass an array (n,) or (n, p)",
        )
    return own


def _gathered(groups: list[tuple[str, np.ndarray]], *, orthonormal: bool) -> ScaleBasis:
    owner = np.concatenate([np.full(own.shape[1], i) for i, (_, own) in enumerate(groups)])
    columns = np.concatenate([own for _, own in groups], axis=1)
    return ScaleBasis(tuple(name for name, _ in groups), columns, owner, orthonormal)
