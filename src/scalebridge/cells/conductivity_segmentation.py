"""How the effective conductivity depends on the threshold of a segmentation, from fields already solved.

When the interface between phases a and b moves so that a grows, each voxel that changes hands changes the
tensor by

    dK_ij = (k_a - k_b) t_i . t_j - (1/k_a - 1/k_b) q_i q_j,

with t the gradient along the interface and q the flux across it, which are the same on both sides. This is
the shape derivative of the energy of two load cases. It is summed over the voxels whose grey value lies
about the threshold, with the interface's normal along the gradient of the grey values. On the staircase of
voxels both fields scatter about the smooth interface's; as they do not jump, they are averaged over the
neighbourhood first, because the square of their scatter would count as energy. (Not beside an insulator,
where the gradient means nothing on one side.) Against differences between segmentations the derivative is
within a tenth where both phases conduct and within a quarter where one does not.
"""

import numpy as np
from scipy import ndimage

from scalebridge.cells.conduction_host import HostConduction
from scalebridge.cells.conductivity_job import Job
from scalebridge.cells.image_input import Segmentation
from scalebridge.core.model import Response
from scalebridge.core.upscaled import Contribution
from scalebridge.upscaling.tangent import Tangent

_LEAST = 1000  # voxels about a threshold from which a derivative is taken
_NEIGHBOURS = 3  # voxels an edge of the neighbourhood over which fields are averaged
_SMOOTHING = 1.0  # voxels; the noise of a single one has no normal


def threshold_slopes(
    job: Job, model: HostConduction, tangent: Tangent, origin: Segmentation
) -> list[np.ndarray]:
    """Return dK/dt of every threshold, (dim, dim), per unit of grey value.

    Limits: isotropic phases. Where one of the two phases insulates, nothing crosses the interface, and the
    second term is left out.

    Cost: the local gradients of all load cases: 8 dim² bytes a voxel about the threshold, and a smoothed copy
        of the grey values.
    """
    return [_slope(job, model, tangent, origin, place) for place in range(len(origin.levels))]


def segmentation_part(slopes: list[np.ndarray], origin: Segmentation) -> Contribution:
    """Return the part of the uncertainty that the thresholds' standard deviation makes."""
    std = origin.std * np.sqrt(sum(slope**2 for slope in slopes))
    levels = ", ".join(f"{level:g}" for level in origin.levels)
    return Contribution(
        np.asarray(std),
        f"the threshold {levels} ± {origin.std:g}, by the derivative on the interface",
    )


def _slope(job: Job, model: HostConduction, tangent: Tangent, origin: Segmentation, place: int) -> np.ndarray:
    values = {p.label: float(p.value) for p in job.phases}
    below, above = values.get(place), values.get(place + 1)
    if below is None or above is None:
        return np.zeros((job.dim, job.dim))
    band, width = _band(origin.grey, origin.levels[place], origin.std)
    normals = _normals(origin.grey, band, job.image.aspect)
    insulates = min(below, above) == 0.0
    fields = [_local(model, r, band, not insulates) for r in tangent.responses]
    along = [g - normals * np.einsum("iv,iv->v", normals, g) for g, _ in fields]
    across = [np.einsum("iv,iv->v", normals, q) for _, q in fields]
    crossing = 0.0 if insulates else 1.0 / below - 1.0 / above
    found = np.empty((job.dim, job.dim))
    for i in range(job.dim):
        for j in range(job.dim):
            shift = (below - above) * np.einsum("iv,iv->v", along[i], along[j])
            shift -= crossing * across[i] * across[j]
            found[i, j] = shift.sum() / (job.image.size * width)
    return found


def _band(grey: np.ndarray, level: float, std: float) -> tuple[tuple[np.ndarray, ...], float]:
    """Return the voxels whose grey value is near the threshold, and the width of that range."""
    half = std if std > 0 else 1e-3 * float(np.ptp(grey))
    if np.issubdtype(grey.dtype, np.integer):
        half = max(half, 1.0)
    while True:
        near = np.nonzero((grey > level - half) & (grey <= level + half))
        if near[0].size >= min(_LEAST, grey.size // 10) or half > float(np.ptp(grey)):
            return near, 2.0 * half
        half *= 2.0


def _normals(grey: np.ndarray, band: tuple[np.ndarray, ...], aspect: tuple[float, ...]) -> np.ndarray:
    """Unit gradients of the smoothed grey values at the voxels of a band, (dim, voxels)."""
    smooth = ndimage.gaussian_filter(grey.astype(np.float32), _SMOOTHING, mode="nearest")
    found = np.stack([np.gradient(smooth, edge, axis=axis)[band] for axis, edge in enumerate(aspect)])
    length = np.linalg.norm(found, axis=0)
    return np.divide(found, length, out=np.zeros_like(found), where=length > 0).astype(float)


def _local(
    model: HostConduction, response: Response | None, band: tuple[np.ndarray, ...], smooth: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Gradient and flux of a load case at a band of voxels, (dim, voxels); zero if it was not solved."""
    if response is None:
        nothing = np.zeros((model.dim, band[0].size))
        return nothing, nothing
    mode = "wrap" if model.boundary == "periodic" else "nearest"
    found = []
    for whole in (model.gradient_field, model.flux_field):
        field = whole(*response.fields)
        if smooth:
            field = [ndimage.uniform_filter(part, _NEIGHBOURS, mode=mode) for part in field]
        found.append(np.stack([part[band] for part in field]))
    return found[0], found[1]
