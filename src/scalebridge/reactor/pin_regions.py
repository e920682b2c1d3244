"""From pins to coarser regions: tallies of boxes of pins, and constants of regions, every rate kept."""

from collections.abc import Sequence
from typing import Literal

import numpy as np

from scalebridge.core.errors import InputError
from scalebridge.reactor.core_constants import CoreConstants
from scalebridge.reactor.core_mesh import CoreMesh, core_mesh
from scalebridge.reactor.pin_tally import PinTally

PinDiffusion = Literal["mean-transport", "inverse-transport"]
_WEST, _EAST, _SOUTH, _NORTH = range(4)


def merged_pins(tally: PinTally, rows: Sequence[int], columns: Sequence[int]) -> PinTally:
    """Return a tally whose pins are boxes of pins: rates, currents through outer faces and volumes are sums.

    Args:
        tally: of the pins.
        rows: numbers of rows of the boxes from north to south; they add up to all rows.
        columns: numbers of columns from west to east.

    Raises:
        InputError: the numbers do not add up.
    """
    shape = tally.volume.shape
    for name, counts, whole in (("rows", rows, shape[0]), ("columns", columns, shape[1])):
        if sum(counts) != whole or min(counts) < 1:
            raise InputError(
                name,
                got=f"{list(counts)}",
                wanted=f"numbers of pins that add up to {whole}",
                cure="correct them",
            )
    top, left = (np.concatenate([[0], np.cumsum(c)[:-1]]) for c in (rows, columns))

    def summed(field: np.ndarray) -> np.ndarray:
        return np.add.reduceat(np.add.reduceat(field, top, axis=0), left, axis=1)

    volume = summed(tally.volume)
    rate = tally.flux * tally.volume[..., None]
    whole = summed(rate)

    def weighted(field: np.ndarray) -> np.ndarray:
        return summed(field * rate) / whole

    made = (tally.nu_fission * rate).sum(axis=-1, keepdims=True)
    born, all_made = summed(tally.chi * made), summed(made)
    length, current, surface = _outer_faces(tally, top, left)
    return PinTally(
        multiplication=tally.multiplication,
        volume=volume,
        face_length=length,
        flux=whole / volume[..., None],
        total=weighted(tally.total),
        absorption=weighted(tally.absorption),
        nu_fission=weighted(tally.nu_fission),
        fission=weighted(tally.fission),
        scatter=summed(tally.scatter * rate[..., None]) / whole[..., None],
        chi=np.divide(born, all_made, out=np.zeros_like(born), where=all_made > 0),
        current=current,
        surface_flux=surface,
        source=summed(tally.source),
        transport=1 / weighted(1 / tally.transport),
        fuel=summed(tally.fuel.astype(int)) > 0,
    )


def _outer_faces(tally: PinTally, top: np.ndarray, left: np.ndarray) -> tuple[np.ndarray, ...]:
    """Return lengths, currents and surface fluxes of the sides of boxes of pins."""
    rows, columns = tally.volume.shape
    bottom, right = np.append(top[1:], rows) - 1, np.append(left[1:], columns) - 1

    def sides(field: np.ndarray) -> np.ndarray:
        upright = [
            np.add.reduceat(field[:, at, side], top, axis=0) for side, at in ((_WEST, left), (_EAST, right))
        ]
        flat = [
            np.add.reduceat(field[at, :, side], left, axis=1)
            for side, at in ((_SOUTH, bottom), (_NORTH, top))
        ]
        return np.stack([*upright, *flat], axis=2)

    length = sides(tally.face_length)
    surface = sides(tally.surface_flux * tally.face_length[..., None]) / length[..., None]
    return length, sides(tally.current), surface


def tally_mesh(tally: PinTally, periodic: Sequence[int] = ()) -> CoreMesh:
    """Return the mesh with a volume for each pin.

    Raises:
        InputError: pins are not boxes in rows and columns.
    """
    across, down = tally.face_length[0, :, _SOUTH], tally.face_length[:, 0, _WEST]
    gap = np.abs(np.outer(down, across) / tally.volume - 1).max()
    if gap > 1e-6:
        raise InputError(
            "tally",
            got=f"volumes that differ from those of rows and columns by {gap:.2g}",
            wanted="pins that fill a grid of rows and columns",
            cure="pass the volumes and faces of whole pin cells",
        )
    nodes = np.arange(tally.volume.size).reshape(tally.volume.shape)
    return core_mesh(nodes, [across, down], periodic=periodic)


def tally_constants(tally: PinTally, regions: np.ndarray | None = None) -> CoreConstants:
    """Return the flux-weighted constants of regions of pins, D = 1 / (3 transport) averaged with the flux.

    Args:
        tally: of the pins.
        regions: (ny, nx) region of each pin, 0 to R - 1; each pin its own unless given.
    """
    count = tally.volume.size
    label = np.arange(count) if regions is None else regions.ravel()
    size = int(label.max()) + 1
    groups = tally.flux.shape[-1]
    rate = (tally.flux * tally.volume[..., None]).reshape(count, groups)

    def summed(field: np.ndarray) -> np.ndarray:
        found = np.zeros((size, *field.shape[1:]))
        np.add.at(found, label, field)
        return found

    whole = summed(rate)

    def weighted(field: np.ndarray) -> np.ndarray:
        return summed(field.reshape(count, groups) * rate) / whole

    made = (tally.nu_fission.reshape(count, groups) * rate).sum(axis=1, keepdims=True)
    born, all_made = summed(tally.chi.reshape(count, groups) * made), summed(made)
    scattered = summed(tally.scatter.reshape(count, groups, groups) * rate[:, :, None])
    return CoreConstants(
        tuple(f"region {i}" for i in range(size)),
        diffusion=weighted(1 / (3 * tally.transport)),
        absorption=weighted(tally.absorption),
        nu_fission=weighted(tally.nu_fission),
        fission=weighted(tally.fission),
        chi=np.divide(born, all_made, out=np.zeros_like(born), where=all_made > 0),
        scatter=scattered / whole[:, :, None],
        total=weighted(tally.total),
    )


def region_labels(regions: object, shape: tuple[int, ...]) -> np.ndarray:
    """Return (ny, nx) numbers of regions from 0.

    Args:
        regions: "pins" for each its own, "whole" for one, or an array of any labels.
        shape: (ny, nx).

    Raises:
        InputError: the shape differs.
    """
    if isinstance(regions, str) and regions in ("pins", "whole"):
        return np.arange(shape[0] * shape[1]).reshape(shape) if regions == "pins" else np.zeros(shape, int)
    found = np.asarray(regions)
    if found.shape != shape or found.dtype.kind not in "iuUS":
        raise InputError(
            "regions",
            got=repr(regions) if isinstance(regions, str) else f"shape {found.shape} of {found.dtype}",
            wanted=f"'pins', 'whole', or labels of shape {shape}",
            cure="give each pin the label of its region",
        )
    return np.unique(found, return_inverse=True)[1].reshape(shape)
