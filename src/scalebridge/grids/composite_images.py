"""Composite images out of label images and grey images, and coarser ones out of them."""

import math
import operator
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from scipy import ndimage

from scalebridge.core.errors import ImageError, PhaseError
from scalebridge.grids.composite import CompositeImage
from scalebridge.grids.image import VoxelImage, axis_index, slabs
from scalebridge.grids.interface_normals import interface_normals
from scalebridge.grids.operations import mirror

_TENT = np.array([0.25, 0.5, 0.25], dtype=np.float32)


def composite_from_labels(image: VoxelImage, factor: int | Sequence[int]) -> CompositeImage:
    """Join blocks of voxels into one composite voxel each: shares by counting, normals from the shares.

    Args:
        image: the finer image.
        factor: block size in voxels, one number or one for each axis.

    Returns:
        the composite image, whose fractions are exactly those of the finer one.

    Raises:
        ImageError: a factor that is not a whole number of at least 1, or does not divide the image.

    Limits: for a handful of phases; a mixed voxel stores a share of every phase.
    Cost: a few passes over the labels, and the normals' 5 s a million mixed voxels.

    Example:
        >>> fine = VoxelImage(np.repeat([[0, 0, 0, 1, 1, 1]], 4, axis=0).T)
        >>> coarse = composite_from_labels(fine, 2)
        >>> coarse.share(1)[:, 0].tolist(), np.abs(coarse.normals[0]).tolist()
        ([0.0, 0.5, 1.0], [1.0, 0.0])
    """
    factors = _checked_factors(factor, image.shape)
    blocks = _blocks(image.labels, factors)
    phases = np.asarray(image.phases)
    labels, places, parts = [], [], []
    first = 0
    for slab in slabs(blocks):
        low = slab.min(axis=-1)
        inside = np.flatnonzero(low != slab.max(axis=-1))
        found = slab.reshape(-1, slab.shape[-1])[inside]
        shares = np.stack([np.count_nonzero(found == label, axis=1) for label in phases], axis=1)
        low.reshape(-1)[inside] = phases[np.argmax(shares, axis=1)]
        labels.append(low)
        places.append(inside + first)
        parts.append(shares / slab.shape[-1])
        first += low.size
    majority = VoxelImage(
        np.concatenate(labels),
        voxel=None if image.voxel is None else tuple(map(operator.mul, image.voxel, factors)),
        names=image.names,
        periodic=image.periodic,
        source=_noted(image.source, "composite_from_labels", factor=factors),
    )
    aspect = np.array(image.aspect) * factors
    return with_normals(majority, image.phases, np.concatenate(places), np.concatenate(parts), aspect)


def coarsen_composite(image: CompositeImage, factor: int | Sequence[int]) -> CompositeImage:
    """Join blocks of composite voxels into one each: shares are averaged, normals found anew.

    Args:
        image: the composite image.
        factor: block size in voxels, one number or one for each axis.

    Returns:
        the coarser composite image with the same fractions.

    Raises:
        ImageError: a factor that is not a whole number of at least 1, or does not divide the image.

    Cost: one field of shares a phase.

    Example:
        >>> plain = VoxelImage(np.array([[0, 0], [1, 1]]))
        >>> image = CompositeImage(plain, (0, 1), [2], [[0.4, 0.6]], [[1.0, 0.0]])
        >>> coarsen_composite(image, (1, 2)).share(1).ravel().tolist()
        [0.0, 0.8]
    """
    factors = _checked_factors(factor, image.shape)
    means = [_blocks(image.share(label), factors).mean(axis=-1) for label in image.phases]
    shares = np.stack(means, axis=-1)
    shares /= shares.sum(axis=-1, keepdims=True)
    majority = VoxelImage(
        np.asarray(image.phases)[np.argmax(shares, axis=-1)],
        voxel=None if image.voxel is None else tuple(map(operator.mul, image.voxel, factors)),
        names=image.names,
        periodic=image.periodic,
        source=_noted(image.source, "coarsen_composite", factor=factors),
    )
    mixed = np.flatnonzero(shares.max(axis=-1) < 1 - 1e-12)
    parts = shares.reshape(-1, len(image.phases))[mixed]
    return with_normals(majority, image.phases, mixed, parts, np.array(image.aspect) * factors)


def mirror_composite(image: CompositeImage, axes: Sequence[int | str] | None = None) -> CompositeImage:
    """Reflect a composite image at its upper faces, as `mirror` does a plain one; normals are reflected too.

    Args:
        image: the composite image.
        axes: such as "xz" or (0, 2); all axes when None.

    Returns:
        the doubled image.

    Raises:
        ImageError: an axis that the image does not have, or one named twice.

    Cost: 2, 4 or 8 times the image's memory.

    Example:
        >>> plain = VoxelImage(np.array([[0, 0], [1, 1]]))
        >>> image = CompositeImage(plain, (0, 1), [2], [[0.4, 0.6]], [[0.6, 0.8]])
        >>> doubled = mirror_composite(image, "x")
        >>> doubled.share(1)[:, 0].tolist(), doubled.normals.tolist()
        ([0.0, 0.6, 0.6, 0.0], [[0.6, 0.8], [-0.6, 0.8]])
    """
    majority = mirror(image.majority, axes)
    names = range(image.dim) if axes is None else [axis_index(axis, image.dim) for axis in axes]
    places = np.stack(np.unravel_index(image.mixed, image.shape), axis=-1)
    parts, normals = image.parts, image.normals
    shape = np.array(image.shape)
    for axis in names:
        across, turned = places.copy(), normals.copy()
        across[:, axis] = 2 * shape[axis] - 1 - across[:, axis]
        turned[:, axis] *= -1
        shape[axis] *= 2
        places, normals = np.concatenate([places, across]), np.concatenate([normals, turned])
        parts = np.concatenate([parts, parts])
    mixed = np.ravel_multi_index(tuple(places.T), majority.shape)
    mixed = np.atleast_1d(mixed)
    order = np.argsort(mixed)
    return CompositeImage(majority, image.phases, mixed[order], parts[order], normals[order])


def smooth_composite(image: VoxelImage) -> CompositeImage:
    """Round the staircase of a plain image: shares from the labels of the voxel and its neighbours.

    Each phase's indicator is averaged with the weights (1, 2, 1) / 4 along every axis, which keeps the volume
    fractions (away from the faces of an image that is not periodic).

    Args:
        image: the plain image, of objects that are smooth and not as they are voxel by voxel.

    Returns:
        the composite image, with interfaces about two voxels thick. It is closer to the smooth object than
        the plain image, for the effective conductivity by a factor of two to three.

    Limits: objects of one or two voxels dissolve. Where faces really lie along the voxels' faces, as in a
        stack of layers along an axis, the plain image is exact and this one is not.
    Cost: two or three passes of a filter a phase and the normals; about one in five voxels becomes mixed in a
        typical image of 128^3.

    Example:
        >>> step = VoxelImage(np.repeat([[0, 0, 0, 1, 1, 1]], 4, axis=0).T, periodic=False)
        >>> smooth_composite(step).share(1)[:, 0].tolist()
        [0.0, 0.0, 0.25, 0.75, 1.0, 1.0]
    """
    mode = "wrap" if image.periodic else "nearest"
    low = ndimage.minimum_filter(image.labels, size=3, mode=mode)
    mixed = np.flatnonzero(low != ndimage.maximum_filter(image.labels, size=3, mode=mode))

    def share(column: int) -> np.ndarray:
        field = (image.labels == image.phases[column]).astype(np.float32)
        for axis in range(image.dim):
            field = ndimage.convolve1d(field, _TENT, axis=axis, mode=mode)
        return field

    columns = [share(column).reshape(-1)[mixed] for column in range(len(image.phases))]
    parts = np.stack(columns, axis=1).astype(np.float64)  # whole numbers of 4^-dim: they add up to 1 exactly
    labels = image.labels.copy()
    labels.reshape(-1)[mixed] = np.asarray(image.phases)[np.argmax(parts, axis=1)]
    majority = replace(image, labels=labels, source=_noted(image.source, "smooth_composite"))
    normals = interface_normals(share, len(image.phases), mixed, image.aspect, image.periodic)
    return CompositeImage(majority, image.phases, mixed, parts, normals)


def composite_from_grey(
    grey: np.ndarray,
    levels: Mapping[int, float],
    *,
    tolerance: float = 0.1,
    voxel: tuple[float, ...] | None = None,
    names: Mapping[int, str] | None = None,
    periodic: bool = False,
) -> CompositeImage:
    """Read the shares of two phases from grey values: linear between the grey levels of the pure phases.

    c = (grey - level_0) / (level_1 - level_0), taken as 0 or 1 where it is within `tolerance` of them or
    beyond.

    Args:
        grey: real grey values, shape (x, y) or (x, y, z), without NaN.
        levels: grey level of each pure phase by label, such as the peaks of the histogram; two of them.
        tolerance: share below which a deviation from a pure phase counts as noise, 0 to 0.5. The upper end
            makes a plain image with the threshold half-way.
        voxel: edge lengths of a voxel in metres.
        names: phase names by label.
        periodic: whether the image repeats itself seamlessly; a scanned sample does not.

    Returns:
        the composite image.

    Raises:
        ImageError: grey values that are not real numbers or NaN, or a tolerance out of its range.
        PhaseError: not two different levels.

    Limits: the grey value is the mean over the voxel (partial-volume effect). Where the picture is blurred
        more than that, the mixed layer is thicker than a voxel; its layers still add up. Noise beyond the
        tolerance makes mixed voxels inside a phase: filter the picture first.
    Cost: two fields of float64, and the normals.

    Example:
        >>> image = composite_from_grey(np.array([[10.0, 10.5], [45.0, 90.0]]), {0: 10.0, 1: 80.0})
        >>> image.share(1).tolist()
        [[0.0, 0.0], [0.5, 1.0]]
    """
    values = _real_grey(grey)
    low, high = _two_levels(levels)
    if isinstance(tolerance, bool) or not isinstance(tolerance, int | float) or not 0 <= tolerance <= 0.5:
        cure = "pass 0.1, or twice the noise over the levels' difference"
        raise ImageError("tolerance", got=repr(tolerance), wanted="a number from 0 to 0.5", cure=cure)
    bottom, top = float(levels[low]), float(levels[high])
    share = (values - bottom) / (top - bottom)
    share[share <= tolerance] = 0.0
    share[share >= 1 - tolerance] = 1.0
    majority = VoxelImage(
        np.where(share > 0.5, high, low),
        voxel=voxel,
        names=dict(names or {}),
        periodic=periodic,
        source={"grey levels": {int(k): float(v) for k, v in levels.items()}, "tolerance": float(tolerance)},
    )
    mixed = np.flatnonzero((share > 0) & (share < 1))
    inside = share.reshape(-1)[mixed]
    parts = np.stack([1 - inside, inside], axis=1)
    return with_normals(majority, (low, high), mixed, parts, np.array(majority.aspect))


def with_normals(
    majority: VoxelImage, phases: tuple[int, ...], mixed: np.ndarray, parts: np.ndarray, spacing: np.ndarray
) -> CompositeImage:
    """Return the composite image whose normals are found from its shares."""

    def share(column: int) -> np.ndarray:
        field = (majority.labels == phases[column]).astype(np.float32)
        field.reshape(-1)[mixed] = parts[:, column]
        return field

    normals = interface_normals(share, len(phases), mixed, tuple(spacing), majority.periodic)
    return CompositeImage(majority, phases, mixed, parts, normals)


def _checked_factors(factor: int | Sequence[int], shape: tuple[int, ...]) -> list[int]:
    given = (factor,) * len(shape) if isinstance(factor, int | np.integer) else factor
    try:
        factors = [operator.index(n) for n in given]
    except TypeError:
        factors = []
    right = len(factors) == len(shape) and min(factors) >= 1
    if not right or any(n % block for n, block in zip(shape, factors, strict=True)):
        raise ImageError(
            "factor",
            got=repr(factor),
            wanted=f"whole numbers of at least 1 that divide the shape {shape}",
            cure="crop the image to a multiple of the factor first",
        )
    return factors


def _blocks(field: np.ndarray, factors: list[int]) -> np.ndarray:
    """Return the field with blocks of voxels gathered on a last axis."""
    split = [k for n, block in zip(field.shape, factors, strict=True) for k in (n // block, block)]
    order = [2 * a for a in range(field.ndim)] + [2 * a + 1 for a in range(field.ndim)]
    gathered = field.reshape(split).transpose(order)
    return gathered.reshape(*gathered.shape[: field.ndim], -1)


def _noted(source: Mapping[str, Any], operation: str, **settings: Any) -> dict[str, Any]:
    step = {"operation": operation, **settings}
    return {**source, "operations": [*source.get("operations", []), step]}


def _real_grey(grey: np.ndarray) -> np.ndarray:
    values = np.asarray(grey)
    if values.dtype.kind not in "iubf" or values.size == 0 or np.isnan(values).any():
        got = f"an array of {values.dtype} and shape {values.shape}"
        cure = "pass one channel of real numbers without NaN"
        raise ImageError("grey", got=got, wanted="real grey values", cure=cure)
    return values.astype(np.float64)


def _two_levels(levels: Mapping[int, float]) -> tuple[int, int]:
    """Return the two labels in rising order."""
    labels = sorted(levels) if isinstance(levels, Mapping) else []
    numbers = [levels[label] for label in labels]
    whole = all(isinstance(label, int | np.integer) for label in labels)
    real = all(isinstance(n, int | float | np.number) and math.isfinite(n) for n in numbers)
    if len(labels) != 2 or not whole or not real or numbers[0] == numbers[1]:
        cure = "write for example levels={0: 12.0, 1: 180.0}"
        raise PhaseError("levels", got=repr(levels), wanted="two labels with different levels", cure=cure)
    return int(labels[0]), int(labels[1])
