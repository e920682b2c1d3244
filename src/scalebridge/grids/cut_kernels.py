"""A box cut by a plane, as compiled loops: how much of it is fluid, and where the plane cuts it.

The box is x in [0, 1]^k after scaling and reflection, the fluid m.x < a with m > 0. With the corners v of the
box, b = a - m.v and (b)+ = max(b, 0), sums over corners with the sign (-1)^|v| give

    fluid fraction  V = sum (b)+^k / (k! prod m),        section  A = dV/da,
    section's first moments   sum (b)+^(k-1) (v_i + b / (k m_i)) / ((k-1)! prod m), a simplex at each corner.

Source: R. Scardovelli and S. Zaleski (2000), J. Comput. Phys. 164, 228, doi:10.1006/jcph.2000.6567, for the
fraction; section and moments follow in the same way.
"""

import numpy as np

from scalebridge.core.compiled import kernel

_FLAT = 1e-4  # an axis along which the distance varies less than this share of its largest variation


@kernel
def cut_boxes(start, stop, piece, distances, normals, sizes, cuts):
    """Cut the boxes [start, stop) by planes.

    Arguments: distances (n,) at the boxes' centres, positive in the fluid; normals (n, k), the distance's
    gradient; sizes (k,), the boxes' edges; cuts (n, 2 + k), written: fluid fraction, section measured as
    integral of delta(distance) over the box, by the box's measure; centroid of the section from the box's
    centre.
    """
    count = sizes.size
    slopes, axes = np.empty(count), np.empty(count, np.int64)
    moments = np.empty(count)
    for box in range(start, stop):
        largest = 0.0
        for a in range(count):
            slope = abs(normals[box, a]) * sizes[a]
            largest = max(largest, slope)
        dim = 0
        total = 0.0
        for a in range(count):
            slope = abs(normals[box, a]) * sizes[a]
            if slope > _FLAT * largest and slope > 0.0:
                slopes[dim], axes[dim] = slope, a
                total += slope
                dim += 1
        for column in range(cuts.shape[1]):
            cuts[box, column] = 0.0
        reach = distances[box] + 0.5 * total
        if reach <= 0.0 or dim == 0:
            cuts[box, 0] = 1.0 if dim == 0 and distances[box] > 0.0 else 0.0
            continue
        if reach >= total:
            cuts[box, 0] = 1.0
            continue
        # The smaller side is summed: there fewer terms cancel.
        mirrored = reach > 0.5 * total
        volume, section = _corner_sums(total - reach if mirrored else reach, slopes, dim, moments)
        cuts[box, 0] = 1.0 - volume if mirrored else volume
        cuts[box, 1] = section
        for i in range(dim):
            a = axes[i]
            turn = -1.0 if (normals[box, a] > 0.0) != mirrored else 1.0
            cuts[box, 2 + a] = turn * sizes[a] * (moments[i] / section - 0.5)


@kernel
def _corner_sums(reach, slopes, dim, moments):
    """Return fraction and section of m.x < reach; write the section's first moments."""
    volume, section = 0.0, 0.0
    moments[:] = 0.0
    for corner in range(1 << dim):
        beyond, weight = reach, 1.0
        for i in range(dim):
            weight /= slopes[i]
            if corner >> i & 1:
                beyond -= slopes[i]
                weight = -weight
        if beyond <= 0.0:
            continue
        for i in range(1, dim):
            weight *= beyond / i
        section += weight
        volume += weight * beyond / dim
        for i in range(dim):
            low = 1.0 if corner >> i & 1 else 0.0
            moments[i] += weight * (low + beyond / (dim * slopes[i]))
    return volume, section
