"""Is Darcy's law with the cells' permeabilities what the fine flow does? An image cut in blocks tells.

Every block's permeability comes from Stokes flow in it alone; Darcy's law through the grid of blocks then
gives a flux, and Stokes flow through the whole image the true one. They agree where the blocks are
representative. Where they are small, what they lose is seen: pores that a block's faces cut off from its
paths, and flow that changes its way from block to block.
"""

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np

from scalebridge.cells.image_input import SHAPE_ONLY, as_image
from scalebridge.cells.permeability import permeability
from scalebridge.cells.permeability_job import pore_labels, refuse_unknown_size
from scalebridge.core.checks import Check
from scalebridge.core.errors import InputError
from scalebridge.engine.progress import tallied
from scalebridge.grids.image import VoxelImage
from scalebridge.grids.operations import crop
from scalebridge.grids.percolation import percolation
from scalebridge.structures.darcy import Boundary, DarcyFlow, darcy_flow

Around = Literal["mirrored", "periodic"]


@dataclass(frozen=True)
class BlockFlow:
    """A fine flow beside Darcy's law through the blocks of its image.

    Args:
        blocks: (dim, dim, blocks...), each block's permeability, m^2 (squares of the voxel's edge where the
            image does not know its size).
        fine: (dim, dim), of the whole image.
        coarse: (dim,), of the grid of blocks, along each axis.
        flows: the coarse flow along each axis.
        closed: number of blocks through which nothing flows.
        checks: agreement of the fluxes along each axis.
    """

    blocks: np.ndarray
    fine: np.ndarray
    coarse: np.ndarray
    flows: tuple[DarcyFlow, ...]
    closed: int
    checks: tuple[Check, ...]

    @property
    def ratios(self) -> np.ndarray:
        """Coarse over fine flux along each axis, (dim,); NaN where the fine one is zero."""
        true = np.diagonal(self.fine)
        return np.divide(self.coarse, true, out=np.full(true.size, np.nan), where=true > 0)

    @property
    def passed(self) -> bool:
        """Whether the fluxes agree along every axis."""
        return all(check.passed for check in self.checks)


def permeability_of_blocks(
    image: VoxelImage | np.ndarray | str | os.PathLike[str],
    blocks: int | Sequence[int] = 2,
    *,
    pore: int | str | Sequence[int | str] | None = None,
    voxel: str | Sequence[str] | None = None,
    boundary: Around = "mirrored",
    agreement: float = 0.1,
    rtol: float = 1e-4,
    memory_limit: float | None = None,
    progress: bool | None = None,
) -> BlockFlow:
    """Cut an image into blocks, hand up each one's permeability, and hold the coarse flux against the fine.

    Args:
        image: a VoxelImage, an array of labels or booleans (True in the pores), or a path.
        blocks: number of blocks, one or one for each axis; each has to divide the number of voxels.
        pore: label or labels of the pores, or their names.
        voxel: edge length of a voxel with its unit, or "cubic"; overrules the file.
        boundary: "mirrored": blocks and image go on as their reflections, the coarse flow has sealed sides;
            "periodic": all of them repeat.
        agreement: relative difference of the fluxes up to which the check passes.
        rtol: wanted relative error of each permeability, of the solver alone.
        memory_limit: bytes that the largest solve may need; the machine's free memory unless given.
        progress: whether to draw a bar; on a terminal unless given.

    Returns:
        a `BlockFlow`.

    Raises:
        InputError: something in the input cannot be right; nothing long has run yet.
        SolverError: a solve did not converge.

    Limits: as for `permeability`. Darcy's law has one pressure a block, so that pores which lead past the
        middle of a block's face are seen through its mean alone.
    Cost: the whole image's permeability twice: once in pieces.
    Source: permeabilities from parts of an image against the whole, M. A. Knackstedt, M. Sahimi and A. P.
        Sheppard, Phys. Rev. E 61 (2000) 4920; the blocks here are asked with Stokes flow.

    Example:
        >>> import numpy as np
        >>> channel = np.zeros((4, 6), bool)
        >>> channel[:, 1:5] = True
        >>> found = permeability_of_blocks(channel, (2, 1), voxel="cubic", boundary="periodic")
        >>> print(found.passed, np.round(found.ratios[0], 6))
        True 1.0
    """
    _refuse(boundary, agreement)
    given = as_image(image, voxel=voxel)
    refuse_unknown_size(given, voxel)
    counts = _counts(blocks, given)
    pores = VoxelImage(given.mask(*pore_labels(pore, given, image)).astype(np.uint8), voxel=given.voxel)
    options: dict[str, Any] = {
        "pore": 1,
        "boundary": boundary,
        "rtol": rtol,
        "budget": "none",
        "memory_limit": memory_limit,
        "progress": False,
    }
    if pores.voxel is None:
        options["voxel"] = SHAPE_ONLY
    size = [n // m for n, m in zip(pores.shape, counts, strict=True)]
    _refuse_open_blocks(pores, counts, size)
    found = np.zeros((pores.dim, pores.dim, *counts))
    closed = 0
    with tallied(2.0 * pores.labels.size, "blocks", progress) as advance:
        fine = permeability(pores, **options).value
        advance(float(pores.labels.size), "the whole image")
        for place in np.ndindex(*counts):
            part = crop(pores, [i * n for i, n in zip(place, size, strict=True)], size)
            if any(percolation(part.mask(1), periodic=boundary == "periodic").directions):
                found[(..., *place)] = permeability(part, **options).value
            else:
                closed += 1
            advance(float(part.labels.size), f"block {place}")
    flows = _coarse(found, pores, size, boundary)
    coarse = np.array([flow.permeability for flow in flows])
    return BlockFlow(found, fine, coarse, flows, closed, _checks(np.diagonal(fine), coarse, agreement))


def _coarse(
    found: np.ndarray, image: VoxelImage, size: Sequence[int], boundary: Around
) -> tuple[DarcyFlow, ...]:
    """Return Darcy's flow along each axis; along one that no block lets through, nothing flows."""
    edges = [n * h for n, h in zip(size, image.voxel or (1.0,) * image.dim, strict=True)]
    around: Boundary = "sealed" if boundary == "mirrored" else "periodic"
    field = 0.5 * (found + np.swapaxes(found, 0, 1))
    voxel = [f"{edge!r} m" for edge in edges]
    return tuple(
        darcy_flow(field, voxel=voxel, driving=tuple(unit), boundary=around, progress=False)
        for unit in np.eye(image.dim)
    )


def _checks(fine: np.ndarray, coarse: np.ndarray, agreement: float) -> tuple[Check, ...]:
    largest = float(np.max(fine))
    return tuple(
        Check(
            f"flux along {'xyz'[axis]}",
            abs(found - true) / (true if true > 0 else largest),
            agreement,
            meaning="coarse against fine flux, relative; as close as was asked for",
        )
        for axis, (true, found) in enumerate(zip(fine, coarse, strict=True))
    )


def _counts(blocks: int | Sequence[int], image: VoxelImage) -> tuple[int, ...]:
    counts = (blocks,) * image.dim if isinstance(blocks, int) else tuple(blocks)
    whole = all(isinstance(n, int | np.integer) and not isinstance(n, bool) and n >= 1 for n in counts)
    if not whole or len(counts) != image.dim or math.prod(counts) < 2:
        raise InputError(
            "blocks",
            got=repr(blocks),
            wanted=f"{image.dim} whole numbers of blocks, at least two blocks",
            cure="pass blocks=2",
        )
    if any(n % m or n // m < 2 for n, m in zip(image.shape, counts, strict=True)):
        raise InputError(
            "blocks",
            got=f"{counts} for {image.shape} voxels",
            wanted="numbers that divide those of the voxels into blocks of two voxels at least",
            cure="crop the image, or choose another number of blocks",
        )
    return counts


def _refuse_open_blocks(pores: VoxelImage, counts: tuple[int, ...], size: Sequence[int]) -> None:
    cut = [n for pair in zip(counts, size, strict=True) for n in pair]
    solid = (pores.labels == 0).reshape(cut).any(axis=tuple(range(1, 2 * len(counts), 2)))
    if not solid.all():
        raise InputError(
            "blocks",
            got=f"{np.count_nonzero(~solid)} blocks without any solid",
            wanted="walls in every block: in open space Darcy's law does not hold",
            cure="take fewer blocks",
        )


def _refuse(boundary: Any, agreement: Any) -> None:
    if boundary not in get_args(Around):
        raise InputError(
            "boundary", got=repr(boundary), wanted="'mirrored' or 'periodic'", cure="choose one of them"
        )
    if isinstance(agreement, bool) or not isinstance(agreement, int | float) or not 0 < agreement < 1:
        raise InputError("agreement", got=repr(agreement), wanted="a share between 0 and 1", cure="pass 0.1")
